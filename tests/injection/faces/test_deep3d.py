"""Deep3DFaceRecon's coefficients as a motion descriptor: network, file, crop, and controllers that ask for them."""

import os

import numpy as np
import pytest
import torch
from face_part_fusion.command.main import main
from face_part_fusion.command.photo import load_photo
from face_part_fusion.detectors.builtin import BuiltinDetector
from face_part_fusion.detectors.find import find_faces
from face_part_fusion.detectors.motion import gaze_of, motion_of
from face_part_fusion.detectors.parts import Face, FaceParts
from face_part_fusion.detectors.schemes import five_points
from face_part_fusion.detectors.selection import choose
from face_part_fusion.fusion.regions.tasks import ANEW, regions_from
from face_part_fusion.injection.faces.deep3d import crop_for_deep3d, deep3d_motion, fit_mean_face
from face_part_fusion.injection.faces.deep3d_network import COEFFICIENTS, Deep3DNetwork, read_deep3d, split_coefficients
from face_part_fusion.injection.faces.motion_groups import DEEP3D, PROVIDER, WIDTHS, motion_groups
from face_part_fusion.injection.facex.adapters import VISION, Source, sources_of
from face_part_fusion.injection.facex.assemble import assemble_representation
from face_part_fusion.injection.facex.file import new_controller, read_config
from face_part_fusion.injection.facex.model import FaceX, FaceXConfig, default_config, providers_of
from face_part_fusion.injection.facex.representation import FaceRepresentation
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from support.network_weights import HEADS, deep3d_shapes, filled, plain_deep3d

# Published: eyes, nose tip, mouth corners of the mean face, y up.
MEAN = torch.tensor(
    [[-0.31148657, 0.29036078, 0.13377953], [0.30979887, 0.28972036, 0.13179526], [0.0032535, -0.04617932, 0.55244243],
     [-0.25216928, -0.38133916, 0.22405732], [0.2484662, -0.38128236, 0.22235769]], dtype=torch.float64,
)  # fmt: skip


@pytest.fixture(scope="module")
def published():
    return filled(deep3d_shapes())


@pytest.fixture(scope="module")
def network(published, tmp_path_factory):
    """Through the file, as it is published: the network among what training keeps."""
    path = tmp_path_factory.mktemp("deep3d") / "epoch_20.pth"
    optimiser = {"state": {0: {"step": 3, "exp_avg": torch.ones(4)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    torch.save({"net_recon": published, "opt_00": optimiser, "sched_00": {"last_epoch": 20, "base_lrs": [1e-4]}}, path)
    return read_deep3d(path)


@pytest.fixture(scope="module")
def surprised(shared_faces):
    picture = load_photo(shared_faces / "photos" / "faceapi_surprised.jpg")
    return choose(picture, find_faces(picture, BuiltinDetector()), "large-small", 0)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def near(a, b, part=1e-5):
    return torch.allclose(a, b, atol=part * float(b.abs().max()))


# The network


def test_it_computes_what_the_layers_written_out_compute(network, published):
    pixels = draw(2, 3, 224, 224).sigmoid()
    with torch.no_grad():
        assert near(network(pixels), plain_deep3d(published, pixels))


def test_its_pooled_features_are_those_of_torchvisions_resnet_50(network, published):
    models = pytest.importorskip("torchvision.models", reason="torchvision is not installed here; the hosts have it")
    theirs = models.resnet50()
    theirs.fc = torch.nn.Identity()
    body = {key.removeprefix("backbone."): w for key, w in published.items() if key.startswith("backbone.")}
    theirs.load_state_dict(body)
    pixels = draw(1, 3, 224, 224).sigmoid()
    with torch.no_grad():
        assert near(network.backbone(pixels).mean((2, 3)), theirs.eval()(pixels))


def test_names_shapes_and_size_are_the_published_ones():
    with torch.device("meta"):
        ours = Deep3DNetwork()
    assert {key: tuple(w.shape) for key, w in ours.state_dict().items()} == deep3d_shapes()
    count = sum(weight.numel() for weight in ours.parameters())
    assert f"{count / 1e6:.1f} million parameters, {4 * count / 1e6:.0f} MB" in Deep3DNetwork.__doc__
    assert sum(HEADS) == sum(COEFFICIENTS.values()) == 257


def test_the_split_is_exact():
    numbers = torch.arange(2 * 257).view(2, 257)
    found = split_coefficients(numbers)
    firsts = {"identity": 0, "expression": 80, "texture": 144, "angles": 224, "light": 227, "translation": 254}
    assert {name: int(values[0, 0]) for name, values in found.items()} == firsts
    assert torch.equal(torch.cat(list(found.values()), 1), numbers)


# The file


class Command:
    """A pickle of this runs a command when it is read carelessly."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_the_network_alone_is_read_too_and_from_safetensors(tmp_path, published, network):
    torch.save(published, tmp_path / "recon.pt")
    halves = {key: w.half() if w.is_floating_point() else w for key, w in published.items()}
    save_file(halves, tmp_path / "half.safetensors")
    bare, half = read_deep3d(tmp_path / "recon.pt"), read_deep3d(tmp_path / "half.safetensors")
    for key, weight in network.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            assert torch.equal(bare.state_dict()[key], weight)
            assert torch.equal(half.state_dict()[key], weight.half().float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"final_layers.6.bias": None}, r"1 missing \(final_layers.6.bias\)"),
        ({"backbone.fc.weight": torch.ones(257, 2048)}, r"1 unknown \(backbone.fc.weight\)"),
        ({"final_layers.0.weight": torch.ones(9, 2048)}, r".*\(final_layers.0.weight is \(9, 2048\), needed is"),
        ({"backbone.bn1.bias": torch.full((64,), torch.inf)}, "backbone.bn1.bias holds values that are not finite"),
        ({"backbone.bn1.bias": "text"}, r".*\(backbone.bn1.bias is a str, needed is \(64,\)\)"),
    ],
)
def test_another_network_is_refused_with_what_is_wrong(tmp_path, published, change, message):
    changed = {key: w for key, w in (published | change).items() if w is not None}
    torch.save({"net_recon": changed}, tmp_path / "epoch_20.pth")
    named = r"epoch_20.pth does not hold a Deep3DFaceRecon network \(279 tensors\): "
    with pytest.raises(ValueError, match=rf"{named}{message}.*take epoch_20.pth"):
        read_deep3d(tmp_path / "epoch_20.pth")


def test_files_that_are_unsafe_or_cut_short_are_refused(tmp_path, published):
    path = tmp_path / "epoch_20.pth"
    torch.save({"net_recon": {"a": Command(f"touch {tmp_path / 'ran'}")}}, path)
    with pytest.raises(ValueError, match="holds more than weights.*nothing in it was run; take epoch_20.pth of"):
        read_deep3d(path)
    assert not (tmp_path / "ran").exists()
    torch.save({"net_recon": {"conv1.weight": torch.ones(300, 1000)}}, path)
    path.write_bytes(path.read_bytes()[: 10**6])
    with pytest.raises(ValueError, match="cut short or damaged"):
        read_deep3d(path)
    torch.save([torch.ones(1)], path)
    with pytest.raises(ValueError, match=r"\(279 tensors\): 279 missing \(backbone.conv1.weight, .*, \.\.\.\); take"):
        read_deep3d(path)


# The crop


def turned(yaw, pitch, roll):
    y, x, z = (torch.tensor(angle, dtype=torch.float64) for angle in (yaw, pitch, roll))
    about_y = torch.tensor([[y.cos(), 0, y.sin()], [0, 1, 0], [-y.sin(), 0, y.cos()]])
    about_x = torch.tensor([[1, 0, 0], [0, x.cos(), -x.sin()], [0, x.sin(), x.cos()]])
    about_z = torch.tensor([[z.cos(), -z.sin(), 0], [z.sin(), z.cos(), 0], [0, 0, 1]])
    return (about_z @ about_x @ about_y).double()


def seen_by_camera(scale, middle, *angles):
    """The mean face, turned, in a picture: y down."""
    points = scale * (MEAN @ turned(*angles).T)[:, :2] * torch.tensor([1, -1])
    return (points + torch.tensor(middle)).float()


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.5, -0.2, 0.1), (-0.9, 0.3, -0.6)])
def test_size_and_middle_of_a_turned_mean_face_are_found(angles):
    scale, middle = fit_mean_face(seen_by_camera(150.0, (210.0, 95.0), *angles))
    assert scale == pytest.approx(150, rel=1e-4) and middle.tolist() == pytest.approx([210, 95], abs=1e-2)


def test_the_crop_is_upright_at_102_pixels_a_unit_and_black_beside_the_picture():
    ys, xs = torch.meshgrid(torch.arange(300) + 0.5, torch.arange(400) + 0.5, indexing="ij")
    picture = torch.stack([xs / 400, ys / 300, torch.ones_like(xs)], -1)
    face = Face((0, 0, 1, 1), 1.0, seen_by_camera(204.0, (90.0, 140.0), 0.3, 0.1, 0.2), "five")
    crop = crop_for_deep3d(FaceParts(picture[None], ((face,),), (0,)))[0]
    # Two pixels of the picture for one of the crop, whose middle is at (90, 140): it begins at (-134, -84).
    assert crop.shape == (224, 224, 3)
    for row, column in ((60, 80), (112, 112), (180, 215)):
        at = (2 * (column + 0.5) - 134, 2 * (row + 0.5) - 84)
        assert crop[row, column, :2].tolist() == pytest.approx([at[0] / 400, at[1] / 300], abs=2e-3)
    assert not crop[:, :66].any() and not crop[:41].any() and crop[44:190, 70:, 2].min() > 0.9


def test_a_photograph_is_cropped_as_the_published_steps_in_pillow_crop_it(surprised):
    picture = Image.fromarray((surprised.pictures[0].numpy() * 255).round().astype(np.uint8))
    points = five_points(surprised.face(0).landmarks, surprised.face(0).scheme).numpy()
    width, height = picture.size
    scale, (across, down) = fit_mean_face(torch.from_numpy(points))
    zoom = 102 / scale
    wide, high = int(width * zoom), int(height * zoom)
    left = int(wide / 2 - 112 + (float(across) - width / 2) * zoom)
    top = int(high / 2 - 112 + (float(down) - height / 2) * zoom)
    theirs = picture.resize((wide, high), Image.Resampling.BICUBIC).crop((left, top, left + 224, top + 224))
    ours = crop_for_deep3d(surprised)[0]
    theirs = torch.from_numpy(np.asarray(theirs, np.float32) / 255)
    steps = [(down, across) for down in range(-3, 4) for across in range(-3, 4)]
    away = {step: float((ours.roll(step, (0, 1)) - theirs).abs().mean()) for step in steps}
    # The published steps cut off to whole pixels, which ours do not.
    assert min(away, key=away.get) in [(0, 0), (1, 0), (0, 1), (1, 1)] and away[0, 0] < 0.03 < 0.05 < away[3, 3]
    eyes = (torch.from_numpy(points[:2]) - torch.stack([across, down])) * zoom + 112
    assert (eyes[1] - eyes[0])[0] == pytest.approx(63, abs=8) and float(eyes[:, 1].mean()) == pytest.approx(82, abs=8)


@pytest.mark.parametrize(
    ("face", "message"),
    [
        (None, "picture 1 has no face; detect with 'built-in', or take a controller that was made with motion from"),
        (Face((0, 0, 9, 9), 1.0), "picture 1 has a face without landmarks"),
        (Face((0, 0, 9, 9), 1.0, torch.full((5, 2), 4.0), "five"), "in picture 1 all lie in one place"),
    ],
)
def test_faces_that_cannot_be_aligned_are_refused(face, message):
    parts = FaceParts(torch.rand(1, 9, 9, 3), ((face,) if face else (),), (0 if face else None,))
    with pytest.raises(ValueError, match=message):
        crop_for_deep3d(parts)


# The descriptor


def test_groups_are_the_coefficients_of_each_face_and_the_gaze_is_the_landmarks(network, surprised):
    other = FaceParts(surprised.pictures.flip(-1) * 0.5, surprised.faces, surprised.chosen)
    both = FaceParts(torch.cat([surprised.pictures, other.pictures]), surprised.faces * 2, surprised.chosen * 2)
    motion = deep3d_motion(network, both)
    groups = motion_groups(motion, DEEP3D)
    assert {name: values.shape[1] for name, values in groups.items()} == dict(WIDTHS[DEEP3D])
    with torch.no_grad():
        found = split_coefficients(network(crop_for_deep3d(both).movedim(-1, 1)))
    of = {"pose": "angles", "expression": "expression", "texture": "texture", "lighting": "light"}
    for group, name in of.items():
        assert near(groups[group][:, 1:], found[name]) and (groups[group][:, 0] == 1).all()
        assert (groups[group][0] - groups[group][1]).abs().max() > 1e-4
    assert torch.equal(groups["gaze"], gaze_of(both)) and groups["gaze"][0, 0] == 1
    assert torch.equal(groups["gaze"], motion_groups(motion_of(both))["gaze"])
    assert torch.equal(motion[1:], deep3d_motion(network, other)) and motion.dtype == torch.float32


def test_lengths_and_providers_are_told_apart():
    with pytest.raises(ValueError, match=r"from Deep3DFaceRecon has shape \(pictures, 183\); came \(1, 26\)"):
        motion_groups(torch.zeros(1, 26), DEEP3D)
    with pytest.raises(ValueError, match="'EMOCA', which is not known; known are landmarks, Deep3DFaceRecon"):
        motion_groups(torch.zeros(1, 26), "EMOCA")


# Controllers


def small(motion):
    sources = {**sources_of(motion), "region": Source(VISION, 8, 16), "inpaint": Source(VISION, 4, 24)}
    return FaceXConfig("sd15", {}, {name: source for name, source in sources.items() if name != "identity"})


def person(motion=DEEP3D, count=1, seed=0):
    return FaceRepresentation(
        regions=draw(count, 8, 16, seed=seed), present=torch.ones(count, 8, dtype=torch.bool),
        motion=draw(count, sum(WIDTHS[motion].values()), seed=seed), inpaint=draw(count, 4, 24, seed=seed),
        providers=providers_of(small(motion)),
    )  # fmt: skip


def test_a_controller_of_one_provider_refuses_the_other():
    assert providers_of(small(DEEP3D))["motion"] == DEEP3D and providers_of(small(PROVIDER))["motion"] == PROVIDER
    for made, given in ((DEEP3D, PROVIDER), (PROVIDER, DEEP3D)):
        controller = new_controller(small(made))
        assert controller.tokens(person(made))[0].isfinite().all()
        with pytest.raises(ValueError, match=f"'motion' of .* was made by {given}, the controller was .* with {made}"):
            controller.tokens(person(given))


def test_each_group_reaches_its_own_token():
    controller, face = new_controller(small(DEEP3D)), person()
    before = controller.tokens(face)[0]
    places = iter(torch.arange(183).split(list(WIDTHS[DEEP3D].values())))
    for number, place in enumerate(places):
        moved = face.motion.clone()
        moved[:, place[-1]] += 1
        after = controller.tokens(FaceRepresentation(**{**vars(face), "motion": moved}))[0]
        assert (after != before).any(-1)[0].nonzero().flatten().tolist() == [8 + number]


def test_motion_comes_from_whom_the_task_says():
    source, target, empty = person(seed=1), person(seed=2), draw(8, 16, seed=3)
    given = {"source": source, "target": target}
    made = assemble_representation(given, regions_from("face swap"), empty, draw(1, 4, 24))
    groups, of = motion_groups(made.motion, DEEP3D), {n: motion_groups(p.motion, DEEP3D) for n, p in given.items()}
    assert torch.equal(groups["texture"], of["source"]["texture"])
    assert all(torch.equal(groups[name], of["target"][name]) for name in ("pose", "expression", "gaze", "lighting"))
    anew = assemble_representation(given, regions_from("face swap", {"skin": ANEW}), empty, draw(1, 4, 24))
    assert not motion_groups(anew.motion, DEEP3D)["texture"].any()
    with pytest.raises(ValueError, match="was encoded by other models than the rest"):
        assemble_representation({**given, "target": person(PROVIDER)}, regions_from("face swap"), empty, draw(1, 4, 24))


def test_the_command_makes_a_controller_for_it(tmp_path, capsys):
    path = tmp_path / "deep.safetensors"
    assert main(["new-controller", "-o", str(path), "--motion", DEEP3D, "--no-identity"]) == 0
    with safe_open(path, "pt") as file:
        config = read_config(file.metadata())
        assert file.get_slice("representation.linear.expression.weight").get_shape() == [768, 65]
    assert config == default_config(identity=False, motion=DEEP3D) and "wrote" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["new-controller", "-o", str(path), "--motion", "EMOCA"])
    assert "invalid choice: 'EMOCA'" in capsys.readouterr().err
    with pytest.raises(ValueError, match="'EMOCA' is no provider of motion; known are landmarks, Deep3DFaceRecon"):
        default_config(motion="EMOCA")


@pytest.mark.parametrize(("family", "more"), [("sd15", 120_576), ("sd2", 160_768)])
def test_what_it_adds_to_a_controller_stands_in_the_docstring(family, more):
    def size(motion):
        with torch.device("meta"):
            return sum(weight.numel() for weight in FaceX(default_config(family, motion=motion)).parameters())

    assert size(DEEP3D) - size(PROVIDER) == more and f"{more:,}" in FaceX.__doc__
