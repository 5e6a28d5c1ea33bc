"""A face seen from the side, as target and as reference: a result or a clear sentence, and nothing else is touched."""

import json
from dataclasses import replace

import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.regions import with_regions
from face_part_fusion.fusion.composite import COMPOSITE_PARTS, WARPS
from face_part_fusion.fusion.crop import ALIGNMENTS, crop_faces, paste_back
from support.drawn_faces import drawn, fuse, gives, person


def sideways(width):
    """The drawn face, `width` times as broad: at 0 both eyes lie on one line, below it the far side is in front."""
    face, middle = drawn(), 80.0
    points = face.landmarks * torch.tensor([width, 1.0]) + torch.tensor([middle * (1 - width), 0.0])
    box = (*points.amin(0).tolist(), *points.amax(0).tolist())
    return with_regions(replace(face, box=box, landmarks=points, regions={}))


@pytest.mark.parametrize("warp", WARPS)
@pytest.mark.parametrize("width", [0.3, 0.05, -0.1])
def test_a_profile_gives_and_takes_every_part(width, warp):
    for target, giver in ((person(0, sideways(width)), person(5)), (person(), person(5, sideways(width)))):
        fused, changed, _ = fuse(target, [gives(giver, *COMPOSITE_PARTS)], warp=warp)
        assert torch.isfinite(fused).all() and 0 <= fused.min() and fused.max() <= 1
        assert torch.equal(fused[changed == 0], target.pictures[changed == 0])


@pytest.mark.parametrize("align", ALIGNMENTS)
@pytest.mark.parametrize("width", [0.3, 0.05, -0.1])
def test_a_profile_is_cropped_and_comes_back(width, align):
    one = person(0, sideways(width))
    crops, _, face_crop = crop_faces(one, 64, align)
    assert torch.isfinite(crops).all()
    assert torch.equal(paste_back(crops, face_crop)[0], one.pictures)


def test_a_photographed_profile_is_found_numbered_and_swapped(shared_faces, tmp_path, capsys):
    meeting, portrait = (shared_faces / "photos" / n for n in ("uniface_src_meeting.jpg", "skimage_astronaut.png"))
    assert main(["detect", str(meeting), "-o", str(tmp_path / "preview.png"), "--json"]) == 0
    faces = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    side = max(faces, key=lambda face: abs(face["angles"][0]))
    assert abs(side["angles"][0]) > 30 and {"nose", "mouth", "left_eye", "right_eye"} <= set(side["parts"])
    spec, out = f"{meeting}#{side['face']}", tmp_path / "out.png"
    for target, giver, before in ((spec, portrait, meeting), (portrait, spec, portrait)):
        assert main(["swap", "--target", str(target), "--nose", str(giver), "--eyes", str(giver), "-o", str(out)]) == 0
        different = (load_photo(out) - load_photo(before)).abs().amax(-1) > 0.1
        report = capsys.readouterr().out
        if before is meeting:
            assert 0 < different.float().mean() < 0.1
        else:
            # The profile shows its far eye from the edge, and the near one looks away.
            assert not different.any() and "and the near one looks aside" in report
