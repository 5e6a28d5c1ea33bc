"""Films as targets of the command: frame by frame, with their sound, and from where a stopped run ended."""

from __future__ import annotations

import struct
import sys
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from face_part_fusion.command import film as room
from face_part_fusion.command.main import main
from face_part_fusion.command.photo import load_photo, save_photo
from face_part_fusion.command.video_file import check_sound, read_film, write_piece
from face_part_fusion.detectors.builtin import BuiltinDetector
from support.films import Actor, film

FRAMES, SIZE = 14, (270, 362)


def write(path: Path, pictures, rate=Fraction(25), sound=True, **options) -> Path:
    """A film of pictures (H, W, 3), with a tone as its sound."""
    av = pytest.importorskip("av", reason="PyAV is not installed; pip install '.[video]'")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        tone = container.add_stream("aac", rate=44100, layout="mono") if sound else None
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray((picture * 255).round().byte().numpy(), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for start in range(0, 22050 if sound else 0, 1024):
            wave = np.sin(np.arange(start, start + 1024) * 0.06).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(tone.encode(frame))
        if sound:
            container.mux(tone.encode())
    return path


@pytest.fixture(scope="module")
def clip(portrait: Path, tmp_path_factory) -> Path:
    """The portrait moves to the right; in three frames a board hides the face."""
    picture = load_photo(portrait)
    face = BuiltinDetector()(picture)[0][0]
    actor = Actor(picture[0], face.landmarks, lambda t: (0.4 + 0.2 * t, 0.5, 0.5, 0.1 * t), range(8, 11))
    pictures = [frame.picture for frame in film([actor], FRAMES, SIZE, noise=0.0)]
    return write(tmp_path_factory.mktemp("film") / "clip.mp4", pictures)


def turned(path: Path) -> Path:
    """The film, told to be shown a quarter clockwise, as telephones do."""
    data = bytearray(path.read_bytes())
    # The matrix of the track's header: a b u c d v x y w, in 16.16 and 2.30 fixed point.
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, SIZE[0] << 16, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("rgb", [False, True])
def test_a_film_that_is_shown_turned_is_written_upright(rgb, tmp_path):
    av = pytest.importorskip("av")
    stored = torch.zeros(*SIZE, 3)
    stored[:90, :120, 0] = 1
    source = tmp_path / "phone.mp4"
    size = (SIZE[0] - 1, SIZE[1] - 1) if rgb else SIZE
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264rgb" if rgb else "libx264", rate=25, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *size, "rgb24" if rgb else "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        picture = (stored[: size[0], : size[1]] * 255).byte().numpy()
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    opened = read_film(turned(source))
    (frame,) = opened.frames()
    # The red corner was at the top left; a quarter clockwise takes it to the top right.
    assert frame.turns == 3 and frame.picture.shape[:2] == size[::-1] and frame.picture[10, -10, 0] > 0.9
    changed = frame.picture.clone()
    changed[200:, :60, 1] = 1
    piece = tmp_path / "piece.mp4"
    assert write_piece(piece, [(frame, changed)], opened) == 1
    with av.open(str(piece)) as container:
        (again,) = container.decode(video=0)
        assert again.rotation == 0 and container.streams.video[0].sample_aspect_ratio == Fraction(3, 4)
    pictures = decoded(piece)[0][0]
    assert np.abs(pictures - changed.numpy() * 255).mean() < 2 and pictures[-10, 10, 1] > 240


@pytest.mark.parametrize(("rgb", "colours"), [(False, 9), (False, 1), (True, 1), (True, 5)])
def test_colours_stay_as_the_film_has_them(rgb, colours, tmp_path):
    av = pytest.importorskip("av")
    height, source = 720 if rgb and colours == 1 else 64, tmp_path / "colours.mkv"
    picture = np.full((height, 64, 3), (200, 30, 60), np.uint8)
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264rgb" if rgb else "libx264", rate=25, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = height, 64, "rgb24" if rgb else "yuv420p"
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        if not rgb:
            frame = frame.reformat(format="yuv420p", dst_colorspace=colours, dst_color_range=1)
            stream.codec_context.colorspace = frame.colorspace = colours
        container.mux([*stream.encode(frame), *stream.encode()])
    opened = read_film(source)
    assert opened.colours == colours
    (frame,) = opened.frames()
    changed = frame.picture.clone()
    changed[:32] = torch.tensor([0.2, 0.6, 0.5])
    piece = tmp_path / "piece.mp4"
    write_piece(piece, [(frame, changed)], opened)
    with av.open(str(piece)) as container:
        (again,) = container.decode(video=0)
        assert int(container.streams.video[0].codec_context.colorspace) == colours
        pixels = again.to_ndarray(format="rgb24", src_colorspace=colours).astype(int)
    assert np.abs(pixels[-16] - (200, 30, 60)).max() <= 4 and np.abs(pixels[16] - (51, 153, 127.5)).max() <= 4


def decoded(path: Path):
    """Pictures (N, H, W, 3) as numbers, times, and the packets of the sound."""
    import av

    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in frames]).astype(int)
    with av.open(str(path)) as container:
        sound = [bytes(packet) for packet in container.demux(audio=0)] if container.streams.audio else []
        return pictures, [frame.time for frame in frames], sound, dict(container.metadata)


def swap(clip: Path, giver: Path, out: Path, *more: str) -> int:
    return main(["swap", "--target", str(clip), "--mouth", str(giver), "-o", str(out), *more])


def test_a_film_keeps_its_times_its_sound_and_all_but_the_part(clip, portrait, tmp_path, capsys):
    out = tmp_path / "fused.mp4"
    assert swap(clip, portrait, out, "--tone", "0", "--light", "0") == 0
    before, after = decoded(clip), decoded(out)
    assert after[1] == before[1] and after[2] == before[2] and len(after[2]) > 10
    assert "Edited with Face Part Fusion" in after[3]["comment"] and "mouth" in after[3]["comment"]
    # Encoded anew, but neither lighter nor darker.
    assert np.abs(after[0] - before[0]).mean() < 1.5 and abs((after[0] - before[0]).mean()) < 0.2
    printed = capsys.readouterr().out
    assert "the face was seen in 11 of 14 frames" in printed and "stay as they were: 9-11" in printed
    assert f"mouth of {portrait} at 100%" in printed and not list(tmp_path.glob("*.parts"))


def test_the_part_is_seen_in_every_frame_but_the_hidden_ones(clip, portrait, tmp_path):
    dark = save_photo(load_photo(portrait)[0] * 0.4, tmp_path / "dark.png")
    out = tmp_path / "fused.mp4"
    assert swap(clip, dark, out, "--tone", "0", "--light", "0", "--no-mark") == 0
    before, after = decoded(clip), decoded(out)
    differs = np.abs(after[0] - before[0]).max((1, 2, 3))
    assert "comment" not in after[3]
    assert [int(i) for i in np.nonzero(differs < 60)[0]] == [8, 9, 10], differs


def test_a_stopped_run_goes_on_and_makes_the_same_film(clip, portrait, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(room, "_PIECE", 4)
    whole, out = tmp_path / "whole.mp4", tmp_path / "fused.mp4"
    assert swap(clip, portrait, whole) == 0
    laid = []

    def composite(*given, **more):
        laid.append(1)
        if len(laid) == 6:
            raise KeyboardInterrupt
        return own(*given, **more)

    own = room.composite
    monkeypatch.setattr(room, "composite", composite)
    assert swap(clip, portrait, out) == 130
    assert "4 frames are done, and the same command goes on from there" in capsys.readouterr().err
    assert not out.exists() and (tmp_path / "fused.parts").is_dir()
    assert swap(clip, portrait, out) == 0
    # Ten frames were missing.
    assert len(laid) == 6 + 10
    assert np.array_equal(decoded(out)[0], decoded(whole)[0]) and decoded(out)[1] == decoded(whole)[1]
    # Other settings begin anew.
    laid.clear()
    laid.extend([1] * 10)
    assert swap(clip, portrait, out, "--tone", "0.5") == 0 and len(laid) == 10 + FRAMES


def test_a_run_that_stops_while_it_joins_leaves_the_older_film(clip, portrait, tmp_path, monkeypatch):
    out, own = tmp_path / "fused.mp4", room.join_pieces
    out.write_bytes(b"older")

    def stopped(path, *more):
        own(path, *more)
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(room, "join_pieces", stopped)
        assert swap(clip, portrait, out) == 130
    assert out.read_bytes() == b"older"
    # The joined film is not taken for a piece.
    assert swap(clip, portrait, out) == 0 and len(decoded(out)[0]) == FRAMES


def test_sound_that_does_not_fit_is_said_before_the_first_frame(clip, portrait, tmp_path, capsys, monkeypatch):
    av = pytest.importorskip("av")
    source, out = tmp_path / "source.mkv", tmp_path / "fused.mov"
    with av.open(str(clip)) as container, av.open(str(source), "w") as copy:
        video = copy.add_stream_from_template(container.streams.video[0])
        tone = copy.add_stream("flac", rate=44100, layout="mono", format="s16")
        for packet in container.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                copy.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        copy.mux([*tone.encode(frame), *tone.encode()])
    with monkeypatch.context() as none:
        none.setattr(room, "_write_pieces", lambda *more: pytest.fail("a frame was computed"))
        assert swap(source, portrait, out) == 2
    assert f"a .mov file cannot hold the sound of {source}; let -o end in .mkv" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.parts")) and not out.exists()
    check_sound(out.with_suffix(".mkv"), read_film(source))


def test_another_ending_goes_on_from_the_same_pieces(clip, portrait, tmp_path, capsys, monkeypatch):
    def stopped(*more):
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr(room, "join_pieces", stopped)
        assert swap(clip, portrait, tmp_path / "fused.mp4") == 130
    monkeypatch.setattr(room, "composite", lambda *more, **settings: pytest.fail("a frame was computed anew"))
    assert swap(clip, portrait, tmp_path / "fused.mkv") == 0
    # What was put in is reported, though nothing was computed in this run.
    assert f"mouth of {portrait} at 100%" in capsys.readouterr().out
    assert len(decoded(tmp_path / "fused.mkv")[0]) == FRAMES and not list(tmp_path.glob("*.parts"))


def test_a_folder_that_is_not_ours_is_left_alone(clip, portrait, tmp_path, capsys):
    own = tmp_path / "fused.parts"
    own.mkdir()
    (own / "diary.txt").write_text("mine")
    assert swap(clip, portrait, tmp_path / "fused.mp4") == 2
    assert "holds something else; move it away" in capsys.readouterr().err and (own / "diary.txt").exists()


def test_odd_sizes_and_other_containers(portrait, tmp_path):
    av = pytest.importorskip("av")
    picture = load_photo(portrait)[0]
    odd = picture[: picture.shape[0] // 2 * 2 - 1, : picture.shape[1] // 2 * 2 - 1]
    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=10, options={"crf": "4"})
        stream.height, stream.width = odd.shape[:2]
        stream.pix_fmt = "rgb24"
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray((odd * 255).round().byte().numpy(), "rgb24")))
        container.mux(stream.encode())
    assert swap(path, portrait, tmp_path / "fused.mov") == 0
    assert decoded(tmp_path / "fused.mov")[0].shape == (2, *odd.shape)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["-o", "fused.png"], "end the name in .mp4, .mov, .mkv"),
        (["--smooth", "2"], "--smooth is 2; it goes from 0"),
        (["--target", "CLIP", "CLIP"], "change one film at a time"),
        (["--target", "CLIP#5"], "the face to follow is in none of the 14 frames"),
    ],
)
def test_what_does_not_go_with_a_film_is_said(clip, portrait, tmp_path, capsys, more, message):
    more = [word.replace("CLIP", str(clip)) for word in more]
    out = [] if "-o" in more else ["-o", str(tmp_path / "out.mp4")]
    target = [] if "--target" in more else ["--target", str(clip)]
    assert main(["swap", *target, "--mouth", str(portrait), *out, *more]) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_smooth_is_for_films(portrait, tmp_path, capsys):
    out = str(tmp_path / "out.png")
    assert main(["swap", "--target", str(portrait), "--mouth", str(portrait), "-o", out, "--smooth", "1"]) == 2
    assert "--smooth is for films" in capsys.readouterr().err


def test_a_file_that_is_not_a_film_and_a_missing_package_are_said(portrait, tmp_path, capsys, monkeypatch):
    fake = tmp_path / "fake.mp4"
    fake.write_bytes(b"no film" * 100)
    out = tmp_path / "out.mp4"
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "av", None)
        assert swap(fake, portrait, out) == 2
    assert "films need the package av (PyAV), which is not installed: pip install av" in capsys.readouterr().err
    pytest.importorskip("av")
    assert swap(fake, portrait, out) == 2
    assert "is not a film that can be read" in capsys.readouterr().err
    assert swap(tmp_path / "gone.mp4", portrait, out) == 2
    assert "gone.mp4" in capsys.readouterr().err


def test_no_more_than_two_frames_are_in_memory(clip, portrait, tmp_path, monkeypatch):
    frames, own = [], room._Swap.follow

    def follow(self, picture):
        frames[:] = [frame for frame in frames if frame() is not None]
        frames.append(weakref.ref(picture))
        assert len(frames) <= 2
        return own(self, picture)

    monkeypatch.setattr(room._Swap, "follow", follow)
    assert swap(clip, portrait, tmp_path / "fused.mp4") == 0
