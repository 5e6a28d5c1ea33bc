"""Face Swap Load, Identity Encode and Face Swap in a real host: `face_swap.py HOST BASE PHOTO`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from host import ROOT, finish, says, start

nodes = start()
sys.path.append(str(ROOT / "tests"))

import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from face_part_fusion.nodes.host.swap_files import NO_IDENTITY, NO_SWAPPER, OWN_FIXER  # noqa: E402
from PIL import Image  # noqa: E402
from support.network_weights import IRESNETS, iresnet_shapes  # noqa: E402
from support.swap_weights import fixer_shapes, simswap_shapes, thin  # noqa: E402

torch.set_num_threads(1)
MODELS = Path(sys.argv[2]) / "models"
SWAP: dict[str, Any] = {
    "faces": "chosen", "strength": 1.0, "lower_face": 1.0, "area": "whole face", "eyes": True, "brows": True,
    "nose": True, "mouth": True, "tone": 1.0, "light": 1.0, "covers": "spare", "likeness": 0.35,
}  # fmt: skip


def detected(picture: torch.Tensor, on_missing: str = "error") -> Any:
    return nodes["FacePartDetect"].execute(
        picture, {"detector": "built-in"}, 0.3, 32, "large-small", 0, on_missing, None, None, None
    )[0]


def load(name: str = "G_mouth1_st5.pth", fixer: str = "fixer_net_casia_28_56_84_112.pth") -> Any:
    return nodes["FaceSwapLoad"].execute(name, fixer)[0]


def encode(swapper: Any, saved: str = NO_IDENTITY, save_as: str = "", **people: Any) -> Any:
    return nodes["IdentityEncode"].execute(swapper, people, saved, save_as)


def written(name: str, state: Any, folder: str = "face_swap") -> None:
    (MODELS / folder).mkdir(parents=True, exist_ok=True)
    torch.save(state, MODELS / folder / name)
    folder_paths.filename_list_cache.clear()


photo = Image.open(sys.argv[3]).convert("RGB").crop((140, 20, 332, 212))
picture = torch.from_numpy(np.asarray(photo, dtype=np.float32) / 255)[None]
target, other = detected(picture), detected(picture.flip(2) * torch.tensor([0.9, 0.8, 0.75]))
nobody = detected(torch.zeros(1, 64, 64, 3), "keep empty")

errors = {"no file": says(lambda: load(NO_SWAPPER, OWN_FIXER)), "another name": says(lambda: load("gone.pth"))}
written("G_mouth1_st5.pth", thin(simswap_shapes(640)))
errors["no fixer"] = says(lambda: load())
written("fixer_net_casia_28_56_84_112.pth", thin(fixer_shapes()))
errors["no recogniser"] = says(lambda: load())
written("backbone.pth", thin(iresnet_shapes(IRESNETS["r18"])), "insightface/models/arcface")
(MODELS / "insightface" / "inswapper_128.onnx").write_bytes(b"no onnx")
errors["onnx"] = says(lambda: load("inswapper_128.onnx", OWN_FIXER))
swapper = load()
listed = {i.id: i.options for i in nodes["FaceSwapLoad"].define_schema().inputs}

one = encode(swapper, save_as="anna", photograph0=other, photograph1=target)
saved_names = nodes["IdentityEncode"].define_schema().inputs[2].options
back = encode(swapper, saved="anna.safetensors")
swap = nodes["FPFFaceSwap"].execute(target, swapper, one[0], **SWAP).result
half = nodes["FPFFaceSwap"].execute(target, swapper, one[0], **(SWAP | {"area": "lower half", "strength": 0.5})).result
alike = (
    nodes["FPFFaceSwap"]
    .execute(target, swapper, one[0], **(SWAP | {"faces": "like the reference", "likeness": -1.0}), reference=back[0])
    .result
)

written("other.pth", thin(simswap_shapes(512), 4))
plain = load("other.pth", OWN_FIXER)
errors |= {
    "another swapper": says(lambda: nodes["FPFFaceSwap"].execute(target, plain, one[0], **SWAP)),
    "saved for another": says(lambda: encode(plain, saved="anna.safetensors")),
    "nothing": says(lambda: encode(swapper)),
    "both": says(lambda: encode(swapper, saved="anna.safetensors", photograph0=target)),
    "nobody": says(lambda: encode(swapper, photograph0=nobody)),
    "a path": says(lambda: encode(swapper, save_as="../anna", photograph0=target)),
    "no reference": says(
        lambda: nodes["FPFFaceSwap"].execute(target, swapper, one[0], **(SWAP | {"faces": "like the reference"}))
    ),
    "strength": says(lambda: nodes["FPFFaceSwap"].execute(target, swapper, one[0], **(SWAP | {"strength": 2.0}))),
}


def by_onnx(kind: str) -> dict[str, Any]:
    """An ONNX swapper of this kind, from its file to the picture."""
    given = load(f"{kind}.onnx", OWN_FIXER)
    person = encode(given, photograph0=other)[0]
    plain, boosted = (
        nodes["FPFFaceSwap"].execute(target, given, person, **SWAP, pixel_boost=boost).result for boost in (1, 2)
    )
    return {
        "provider": given.swapper.provider, "models": len(given.get_models()), "report": plain[2],
        "outside": float(((plain[0] - picture).abs().amax(-1) * (plain[1] == 0)).max()),
        "inside": float((plain[0] - picture).abs()[plain[1] > 0.5].mean()),
        "boosted": float((boosted[0] - picture).abs()[boosted[1] > 0.5].mean()),
    }  # fmt: skip


base = Path(sys.argv[2])
for kind in ("inswapper", "BlendSwap"):
    shutil.copy(base / f"{kind}.onnx", MODELS / "face_swap")
folder_paths.filename_list_cache.clear()
errors["no ArcFace"] = says(lambda: load("inswapper.onnx", OWN_FIXER))
(MODELS / "insightface" / "models" / "buffalo_l").mkdir(parents=True)
shutil.copy(base / "w600k_r50.onnx", MODELS / "insightface" / "models" / "buffalo_l")
by_kind = {kind: by_onnx(kind) for kind in ("inswapper", "BlendSwap")}
(MODELS / "facerestore_models").mkdir()
shutil.copy(base / "codeformer.onnx", MODELS / "facerestore_models")
folder_paths.filename_list_cache.clear()
RESTORE: dict[str, Any] = {"faces": "chosen", "fidelity": 0.0, "blend": 1.0, "covers": "spare"}


def restored(restorer: str, upscale_model: Any = None, **settings: Any) -> dict[str, Any]:
    made = nodes["FPFFaceRestore"].execute(
        target, restorer, upscale_model=upscale_model, **(RESTORE | settings)
    ).result  # fmt: skip
    gap = (made[0] - picture).abs()
    return {
        "report": made[2], "outside": float((gap.amax(-1) * (made[1] == 0)).max()),
        "inside": float(gap[made[1] > 0.5].mean()), "changed": float((made[1] > 0.5).float().mean()),
    }  # fmt: skip


def upscaler() -> Any:
    """The host's own node with a small model at random, which enlarges four times."""
    from comfy_extras.nodes_upscale_model import UpscaleModelLoader
    from spandrel.architectures.Compact import Compact

    (MODELS / "upscale_models").mkdir(exist_ok=True)
    torch.manual_seed(0)
    network = Compact(num_in_ch=3, num_out_ch=3, num_feat=16, num_conv=2, upscale=4)
    torch.save(network.state_dict(), MODELS / "upscale_models" / "small.pth")
    folder_paths.filename_list_cache.clear()
    return UpscaleModelLoader.execute("small.pth")[0]


model = upscaler()
restorations = {
    "file": restored("codeformer.onnx"),
    "true": restored("codeformer.onnx", fidelity=1.0),
    "model": restored("upscale_model", model),
}
errors |= {
    "no restorer": says(lambda: restored("upscale_model")),
    "both restorers": says(lambda: restored("codeformer.onnx", model)),
    "restorer gone": says(lambda: restored("gone.onnx")),
}
empty = nodes["FPFFaceSwap"].execute(nobody, swapper, one[0], **SWAP).result
finish(
    {
        "listed": listed,
        "provider": one[0].provider,
        "width": list(one[0].vector.shape),
        "thumbnail": list(one[1].shape),
        "report": one[2],
        "saved names": saved_names,
        "the same": float((back[0].vector - one[0].vector).abs().max()),
        "image": list(swap[0].shape),
        "changed": float((swap[1] > 0.5).float().mean()),
        "outside": float(((swap[0] - picture).abs().amax(-1) * (swap[1] == 0)).max()),
        "inside": float((swap[0] - picture).abs()[swap[1] > 0.5].mean()),
        "swap report": swap[2],
        "half": float((half[1] > 0.5).float().mean()),
        "alike": alike[2],
        "preview": list(swap[3].shape),
        "empty": [float((empty[0] - nobody.pictures).abs().max()), empty[2]],
        "models": len(swapper.get_models()),
        "onnx": by_kind,
        "restored": restorations,
        "restorers": nodes["FPFFaceRestore"].define_schema().inputs[1].options,
        "errors": errors,
    }
)
