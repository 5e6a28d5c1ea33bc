"""A video in and out in real hosts: loaded, followed, fused and saved by the template."""

from __future__ import annotations

import pytest
from support.hosts import Server
from support.templates import CLIP, EXAMPLES, VIDEO_TEMPLATES, as_api

# Another one would need a run of its own here.
(NAME,) = VIDEO_TEMPLATES


@pytest.mark.slow
def test_the_template_makes_a_video_of_a_video(server: Server):
    prompt = as_api(VIDEO_TEMPLATES[NAME])
    for name in (CLIP, "face_part_fusion_eyes.jpg", "face_part_fusion_mouth.jpg"):
        (server.base / "input" / name).write_bytes(EXAMPLES[name])
    (track,) = [number for number, node in prompt.items() if node["class_type"] == "FPFFaceTrack"]
    prompt |= {"report": {"class_type": "PreviewAny", "inputs": {"source": [track, 2]}}}
    history = server.queue(prompt)
    assert history["status"]["status_str"] == "success", history["status"]
    (report,) = history["outputs"]["report"]["text"]
    assert report == "the face was seen in 24 of 24 frames"
    (film,) = (server.base / "output" / "video").glob("face_parts_*.mp4")
    assert film.stat().st_size > 10_000
