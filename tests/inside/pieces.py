"""Measures patches in a real host where a model call is a piece: context windows, areas, mask bounds, other sizes; and
where the model was compiled. `pieces.py HOST BASE`.
"""

from __future__ import annotations

import gc
import inspect
import sys
import weakref
from collections.abc import Callable
from typing import Any

from host import ROOT, finish, says, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import comfy.sample  # noqa: E402
import comfy_extras.nodes_context_windows as context_windows  # noqa: E402
import comfy_extras.nodes_torch_compile as torch_compile  # noqa: E402
import torch  # noqa: E402
from comfy_api.torch_helpers import set_torch_compile_wrapper  # noqa: E402
from face_part_fusion.detectors.motion import NAMES  # noqa: E402
from face_part_fusion.detectors.parts import Face, FaceParts, Region  # noqa: E402
from face_part_fusion.injection.facex.control import block_channels  # noqa: E402
from face_part_fusion.injection.facex.file import new_controller  # noqa: E402
from face_part_fusion.injection.facex.model import default_config, providers_of  # noqa: E402
from face_part_fusion.injection.facex.representation import FaceRepresentation  # noqa: E402
from face_part_fusion.injection.fuse_any_part import latents  # noqa: E402
from face_part_fusion.injection.ip_adapter.part_tokens import PartTokens  # noqa: E402
from face_part_fusion.nodes.host.facex import FaceXController  # noqa: E402
from face_part_fusion.nodes.host.ip_adapter import load_ip_adapter  # noqa: E402
from face_part_fusion.nodes.host.patcher import managed  # noqa: E402
from fuse_models import draw, fap, fused, random_vae  # noqa: E402
from small_unets import random_words, small_unet  # noqa: E402
from support.ip_adapter_weights import random_ip_adapter  # noqa: E402
from torch import Tensor  # noqa: E402

torch.set_num_threads(1)
latents.SHORTEST = 128
SIDE, FRAMES = 16, 4
MODEL, VAE = small_unet("sd15"), random_vae()
EMPTY = draw(1, 9, 1280, seed=99)
LEFT, RIGHT = (0, 0, 48, 128), (72, 24, 128, 120)
WORDS = [random_words("sd15", i) for i in (1, 2)]


def ip_adapter() -> Any:
    return load_ip_adapter(random_ip_adapter("sd15", "plus", base=32, inner=128, seed=3), "random")


def facex() -> FaceXController:
    module = new_controller(default_config("sd15", block_channels(32), identity=False))
    for block in module.control.blocks.values():
        torch.nn.init.normal_(block.zero.weight)
    return FaceXController("sd15", "random", managed(module.eval(), module.state_dict()))


def target(*boxes: tuple[int, int, int, int]) -> FaceParts:
    """A picture of 128 x 128 pixels for each box, in which lie all parts."""
    faces = []
    for x0, y0, x1, y1 in boxes:
        corners = torch.tensor([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=torch.float32)
        regions = {part: Region((corners,)) for part in ("eyes", "left_eye", "right_eye", "mouth", "skin")}
        faces.append((Face((0.0, 0.0, 128.0, 128.0), 1.0, regions=regions),))
    return FaceParts(torch.zeros(len(boxes), 128, 128, 3), tuple(faces), (0,) * len(boxes))


def person(kind: str, controller: Any, count: int) -> Any:
    if kind == "ip-adapter":
        return PartTokens({"mouth": draw(count, 9, 1280, seed=1)}, EMPTY, {"mouth": 1.0}, "random")
    config = controller.module.config
    region, inpaint = config.sources["region"], config.sources["inpaint"]
    return FaceRepresentation(
        regions=draw(count, region.tokens, region.width, seed=2), motion=torch.zeros(count, len(NAMES)),
        inpaint=draw(count, inpaint.tokens, inpaint.width, seed=3), providers=providers_of(config),
        present=torch.ones(count, region.tokens, dtype=torch.bool), identity=None,
    )  # fmt: skip


def steered(kind: str, count: int = 1, place: FaceParts | None = None, on: Any = None) -> Any:
    controller = CONTROLLERS[kind]
    return nodes["ControllerApply"].execute(
        on or MODEL, controller, 1.0, 0.0, 1.0, 0.0, 0.0, "", place, None,
        {"representation0": person(kind, controller, count)},
    )[0]  # fmt: skip


def sample(model: Any, words: Any = WORDS, count: int = 1, size: tuple[int, int] = (SIDE, SIDE), **more: Any) -> Tensor:
    noise = more.pop("noise", None)
    noise = draw(count, 4, *size, seed=5) if noise is None else noise
    return comfy.sample.sample(
        model, noise, more.get("steps", 2), 3.0, "euler", "normal", *words, more.get("latent", torch.zeros_like(noise)),
        seed=1, disable_pbar=True,
    )  # fmt: skip


def accepted(function: Callable[..., Any], **words: Any) -> dict[str, Any]:
    known = inspect.signature(function).parameters
    return {name: value for name, value in words.items() if name in known}


def in_windows(model: Any, length: int = 2, overlap: int = 0) -> Any:
    run = context_windows.ContextWindowsManualNode.execute
    words = accepted(
        run, context_length=length, context_overlap=overlap, context_schedule="standard_static", context_stride=1,
        closed_loop=False, fuse_method="pyramid", dim=0, freenoise=False, cond_retain_index_list="",
        split_conds_to_windows=False, latent_retain_index_list="", causal_window_fix=True,
    )  # fmt: skip
    return run(model, **words)[0]


def off(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.std())


def windows(kind: str) -> dict[str, float]:
    """Frames do not see each other in SD1.5, so windows must change nothing; each frame has a face and a person."""
    model = steered(kind, FRAMES, target(LEFT, RIGHT, LEFT, RIGHT))
    whole = sample(model, count=FRAMES)
    result = {f"{length} by {overlap}": off(sample(in_windows(model, length, overlap), count=FRAMES), whole)
              for length, overlap in ((2, 0), (3, 1), (1, 0))}  # fmt: skip
    one = steered(kind, FRAMES, target(LEFT))
    result["one face"] = off(sample(in_windows(one), count=FRAMES), sample(one, count=FRAMES))
    return result | {"acts": off(whole, sample(MODEL, count=FRAMES))}


def addition_windows(kind: str, mode: str) -> dict[str, float]:
    injected = inject(kind, mode, FRAMES)
    whole = sample(injected[0], injected[1:3], FRAMES)
    return {
        "windows": off(sample(in_windows(injected[0]), injected[1:3], FRAMES), whole),
        "acts": off(whole, sample(FAPS[kind].model, injected[1:3], FRAMES)),
    }  # fmt: skip


def inject(kind: str, mode: str, count: int = 1, size: tuple[int, int] = (128, 128), **more: Any) -> tuple[Any, ...]:
    f = FAPS[kind]
    words = {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "block_weights": "", "seed": 4} | more
    return tuple(nodes["AdditionInject"].execute(f.model, f.adapter, fused(mode, count, size), VAE, **words).args)


def with_area(words: Any, *area: int) -> Any:
    (text, more), *rest = words[0]
    return [[text, {**more, "area": area}], *rest], words[1]


def with_bounds(words: Any, mask: Tensor) -> Any:
    (text, more), *rest = words[0]
    return [[text, {**more, "mask": mask, "set_area_to_bounds": True, "mask_strength": 1.0}], *rest], words[1]


class Attended:
    """Hidden states after the first cross-attention in each call of the UNet, by their number of cells."""

    def __init__(self, unet: Any) -> None:
        self.unet, self.caught = unet, {}

    def __enter__(self) -> dict[int, Tensor]:
        after = self.unet.input_blocks[1][1].transformer_blocks[0].norm3
        self.handle = after.register_forward_pre_hook(lambda _, hidden: self._keep(hidden[0]))
        return self.caught

    def _keep(self, hidden: Tensor) -> None:
        self.caught.setdefault(hidden.shape[1], hidden.clone())

    def __exit__(self, *_: Any) -> None:
        self.handle.remove()


def moved(kind: str, words: Any, cells: int, **more: Any) -> list[int]:
    """Which queries of the piece of `cells` cells the person moves."""
    seen = []
    for model in (steered(kind, **more), MODEL):
        with Attended(MODEL.model.diffusion_model) as caught:
            sample(model, words, steps=1)
        seen.append(caught[cells])
    return ((seen[0] - seen[1]).abs().amax((0, 2)) > 0).nonzero().flatten().tolist()


def areas(kind: str) -> dict[str, Any]:
    """8 x 8 cells at row 4 and column 6; the face covers the cells to the left of column 9."""
    words, box = with_area(WORDS, 8, 8, 4, 6), (0, 0, 72, 128)
    bounds = torch.zeros(1, 128, 128)
    bounds[:, 32:96, 48:112] = 1
    expected = [row * 8 + column for row in range(8) for column in range(3)]
    made = sample(steered(kind, place=target(box)), words)
    return {
        "region": moved(kind, words, 64, place=target(box)) == expected,
        "everywhere": len(moved(kind, words, 64)) == 64,
        "bounds": moved(kind, with_bounds(WORDS, bounds), 64, place=target(box)) == expected,
        "acts": off(made, sample(MODEL, words)), "finite": bool(made.isfinite().all()),
        "two": off(two_areas(kind, "both"), two_areas(kind, "one by one")),
    }  # fmt: skip


def two_areas(kind: str, how: str) -> Tensor:
    """Two areas of one size, which the host computes in one call, or in two where memory is short."""
    (text, more), *_ = WORDS[0]
    positive = [[text, {**more, "area": (8, 8, 0, 0)}], [text, {**more, "area": (8, 8, 8, 8)}], [text, more]]
    model = steered(kind, place=target((0, 0, 40, 128)))
    if how != "both":
        model = model.clone()
        model.model.memory_required, before = lambda *_, **__: 1e30, model.model.memory_required
        try:
            return sample(model, (positive, WORDS[1]))
        finally:
            model.model.memory_required = before
    return sample(model, (positive, WORDS[1]))


def other_sizes(kind: str, mode: str) -> dict[str, Any]:
    """Addition Inject made for 16 x 16 cells."""
    injected, calls = inject(kind, mode), []
    model, words = injected[0], injected[1:3]
    counting = model.clone()
    counting.set_model_unet_function_wrapper(
        lambda run, given: calls.append(0) or run(given["input"], given["timestep"], **given["c"])
    )
    refused = {
        "wide": says(lambda: sample(counting, words, size=(16, 24))),
        "counts": says(lambda: sample(inject(kind, mode, 2)[0], words, count=3)),
        "channels": says(lambda: sample(counting, words, noise=draw(1, 16, 16, 16))),
    }
    bare = FAPS[kind].model
    return {
        **refused, "calls": len(calls),
        "upscaled": off(sample(model, words, size=(24, 24)), sample(bare, resized(words, 24), size=(24, 24))),
        "halved": bool(sample(model, words, size=(8, 8)).isfinite().all()),
        "upscaled area": bool(sample(model, with_area(words, 20, 20, 4, 4), size=(24, 24)).isfinite().all()),
        "batch": bool(sample(inject(kind, mode, 2)[0], inject(kind, mode, 2)[1:3], 4, (24, 24)).isfinite().all()),
    }  # fmt: skip


def resized(words: Any, side: int) -> Any:
    """For the model without features: its own extra channels in the sampled size."""
    grown = torch.nn.functional.interpolate(words[0][0][1]["noise_concat"], (side, side))
    return [[[text, {**more, "noise_concat": grown}] for text, more in one] for one in words]


def flat_target(kind: str) -> float:
    """What the features do in an area, right of column 8, of a target whose latent is the same everywhere.

    They act right of column 12 alone, so that nothing is left of them if the area is taken for another piece.
    """
    made = []
    for strength in (1.0, 0.0):
        injected = inject(kind, "practical", mask=half(), strength=strength)
        addition = next(iter(injected[0].model_options["transformer_options"]["wrappers"]["apply_model"].values()))
        addition[0].__self__._masked.latent.fill_(0.25)
        (text, more), *_ = injected[1]
        # Nothing but the area is conditioned, so that nothing else shows the features.
        made.append(sample(injected[0], ([[text, {**more, "area": (8, 8, 6, 8)}]], injected[2]), steps=1))
    return off(*made)


def half() -> Tensor:
    mask = torch.zeros(1, 128, 128)
    mask[:, :, 96:] = 1
    return mask


def let_go(kind: str, mode: str) -> bool:
    """Whether the adapter is freed with the model that was patched, while the UNet and the model before live on."""
    f = fap(kind)
    model, positive, negative, _ = (
        nodes["AdditionInject"].execute(f.model, f.adapter, fused(mode), VAE, 1.0, 0.0, 1.0, "", 4).args
    )
    sample(model, (positive, negative), steps=1)
    gone = weakref.ref(f.adapter.module)
    f.adapter, model = None, None
    gc.collect()
    return gone() is None and bool(sample(f.model, (positive, negative), steps=1).isfinite().all())


def compiled() -> dict[str, dict[str, float]]:
    """Each patch under torch.compile against the same without: by every backend, and after a plain compiled run."""
    models = {kind: (steered(kind, place=target(LEFT)), WORDS, MODEL) for kind in CONTROLLERS}
    for kind, mode in MODES:
        model, *words = inject(kind, mode)[:3]
        models[f"{kind} {mode}"] = (model, words, FAPS[kind].model)
    result = {}
    for name, (model, words, plain) in models.items():
        expected = sample(model, words)
        result[name] = {b: off(sample(by_host(model, b), words), expected) for b in ("inductor", "cudagraphs")}
        for backend in ("eager", "aot_eager"):
            result[name][backend] = off(sample(directly(model, backend), words), expected)
        if name in CONTROLLERS:
            behind = steered(name, place=target(LEFT), on=by_host(MODEL, "inductor"))
            result[name]["behind the host's node"] = off(sample(behind, words), expected)
        if name in ("ip-adapter", "A practical"):  # compiling a plain model takes its time
            before = sample(plain, words)
            for place in ("before", "after"):
                result[name][f"plain {place}"] = off(sample(directly(plain, "eager"), words), before)
                result[name][f"patched {place}"] = off(sample(directly(model, "eager"), words), expected)
            torch.compiler.reset()
    held = nodes["MaskedFusion"].execute(MODEL, {"samples": draw(1, 4, SIDE, SIDE, seed=6)}, half(), 0.0, 1.0, True)[0]
    result["masked fusion"] = {"eager": off(sample(directly(held, "eager")), sample(held))}
    return result


def by_host(model: Any, backend: str) -> Any:
    return torch_compile.TorchCompileModel.execute(model, backend)[0]


def directly(model: Any, backend: str) -> Any:
    """As the host's node does it, for backends that need no compiler."""
    clone = model.clone()
    set_torch_compile_wrapper(clone, backend, options={"guard_filter_fn": torch_compile.skip_torch_compile_dict})
    return clone


CONTROLLERS = {"ip-adapter": ip_adapter(), "facex": facex()}
FAPS = {kind: fap(kind) for kind in "AB"}
MODES = [(kind, mode) for kind in "AB" for mode in ("released", "practical")]
with torch.inference_mode():
    measured: dict[str, Any] = {
        "windows": {kind: windows(kind) for kind in CONTROLLERS}
        | {f"{kind} {mode}": addition_windows(kind, mode) for kind, mode in MODES},
        "areas": {kind: areas(kind) for kind in CONTROLLERS},
        "sizes": {f"{kind} {mode}": other_sizes(kind, mode) for kind, mode in MODES},
        "flat": {kind: flat_target(kind) for kind in "AB"},
        "let go": {f"{kind} {mode}": let_go(kind, mode) for kind, mode in MODES},
        "compiled": compiled(),
    }
finish(measured)
