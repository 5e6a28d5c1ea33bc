"""Face Score in the host: `face_score.py HOST BASE PHOTO`, the astronaut's portrait."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent))
from host import finish, says, start  # noqa: E402

nodes = start()

import folder_paths  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from support.network_weights import IRESNETS, filled, iresnet_shapes  # noqa: E402

torch.set_num_threads(1)
DETECT = {
    "detector": {"detector": "built-in"}, "threshold": 0.3, "smallest": 32, "order": "large-small", "index": 0,
    "on_missing": "keep empty",
}  # fmt: skip
NUMBERS = ("taken", "identity", "pose", "expression", "gaze", "light", "seam", "psnr_outside")


def people(*pictures: torch.Tensor):
    return nodes["FacePartDetect"].execute(torch.stack(pictures), **DETECT)[0]


def scored(**inputs):
    picture, report, *numbers, figures = nodes["FPFFaceScore"].execute(**inputs).args
    plain = {name: None if math.isnan(value) else value for name, value in zip(NUMBERS, numbers, strict=True)}
    return {
        "picture": list(picture.shape), "range": [float(picture.amin()), float(picture.amax())], "report": report,
        "numbers": plain, "figures": json.loads(figures),
    }  # fmt: skip


photo = torch.from_numpy(np.asarray(Image.open(sys.argv[3]).convert("RGB"), dtype=np.float32) / 255)
target = photo[:320, 80:400].contiguous()
giver = target.flip(1)
reference = people(giver)
strengths = {f"{part}_strength": 1.0 for part in ("eyes", "brows", "nose", "mouth", "skin")}
fused = nodes["PartComposite"].execute(
    people(target), warp="similarity", tone=1.0, grow=1.0, mouth=reference, **strengths
)[0]  # fmt: skip
result = people(fused[0])
without = scored(result=result, target=people(target), mouth=reference, networks="automatic")
batch = scored(
    result=people(fused[0], torch.zeros_like(target)), target=people(target), person=reference, networks="off"
)
# As a film of more than 64 frames, with sheets that fit into memory.
shown = sys.modules[nodes["FPFFaceScore"].__module__].shown.__globals__
most, shown["_MOST"] = shown["_MOST"], 2
film = scored(result=people(*[torch.zeros(64, 64, 3)] * 3), target=people(torch.zeros(64, 64, 3)), networks="off")
shown["_MOST"] = most
before = [list(stamp) for stamp in nodes["FPFFaceScore"].fingerprint_inputs(networks="automatic")]

root = Path(folder_paths.models_dir) / "insightface" / "models" / "arcface"
root.mkdir(parents=True)
torch.save(filled(iresnet_shapes(IRESNETS["r18"])), root / "backbone.pth")
after = [list(stamp) for stamp in nodes["FPFFaceScore"].fingerprint_inputs(networks="automatic")]
recognised = scored(result=reference, target=people(target), person=reference, networks="automatic")

finish({
    "without": without, "batch": batch, "film": film, "recognised": recognised, "stamps": [before, after],
    "alone": says(lambda: scored(result=result, networks="off")),
    "off": list(nodes["FPFFaceScore"].fingerprint_inputs(networks="off")),
})  # fmt: skip
