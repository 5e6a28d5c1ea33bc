"""Finds ComfyUI checkouts on this machine and runs their real server for the tests."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import ROOT

NEEDS = ("torch", "torchsde", "torchvision", "aiohttp", "yaml", "einops", "transformers", "safetensors", "psutil")
NOT_PACK = shutil.ignore_patterns(".*", "__pycache__", "tests", "benchmarks", "tools", "build", "dist", "*.egg-info")
LEASH = Path(__file__).with_name("leash.py")
FOLDER = "face-part-fusion"
NODE_IDS = {
    "FacePartDetect", "FPFFacePartMask", "FPFFaceCropAlign", "FPFFacePasteBack", "PartReference", "PartComposite",
    "MarkEdited", "MaskedFusion", "FuseAnyPartLoader", "PartEncode", "MaskFuse", "AdditionInject",
    "FuseAnyPartSampling", "FaceParse", "RegionAssemble", "OmniRepresentationCondition", "ControllerLoad",
    "FaceRepresentationEncode", "ControllerApply", "RepresentationAssemble", "HeadLayout", "LayoutComplete",
    "SemanticMix", "HeadSwap", "HeadLayoutDiffusionLoader", "FacePerson", "ReferenceFusion", "PersonLatents",
    "FaceSwapLoad", "IdentityEncode", "FPFFaceSwap", "FPFFaceRestore", "FPFFaceTrack", "FPFFaceScore",
    "FPFFaceDescribe", "FPFFaceCompare", "FPFFaceChoose", "FPFSwapFaceParts", "FPFFaceSave", "FPFFaceLoad",
    "FPFUniFaceLoad", "FPFUniFaceGenerate", "FPFUniFaceAsk",
}  # fmt: skip


@dataclass(frozen=True)
class Host:
    folder: Path
    version: str
    python: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, re.findall(r"\d+", self.version)[:3]))


@functools.cache
def find_hosts() -> tuple[Host, ...]:
    """ComfyUI folders of COMFYUI_PATHS, else below ~/comfy, for which a Python with ComfyUI's packages is found."""
    named = [Path(p).expanduser() for p in os.environ.get("COMFYUI_PATHS", "").split(os.pathsep) if p]
    home = Path.home() / "comfy"
    folders = named or (sorted(home.iterdir()) if home.is_dir() else [])
    hosts = [Host(f, _version(f), p) for f in folders if _is_host(f) and (p := _python(f))]
    return tuple(sorted(hosts, key=lambda h: h.numbers))


def why_none() -> str:
    return (
        "no ComfyUI was found. Name checkouts in COMFYUI_PATHS or lay them into ~/comfy, with their Python in "
        "COMFYUI_PYTHON or in a venv folder in or beside the checkout"
    )


def _is_host(folder: Path) -> bool:
    return all((folder / part).exists() for part in ("main.py", "comfy", "nodes.py", "comfyui_version.py"))


def _version(folder: Path) -> str:
    found = re.search(r"__version__ = \"(.+?)\"", (folder / "comfyui_version.py").read_text())
    return found[1] if found else "0"


def _python(folder: Path) -> str | None:
    if os.environ.get("COMFYUI_PYTHON"):
        return os.environ["COMFYUI_PYTHON"]
    for place in (folder, folder.parent):
        for inside in (".venv/bin/python", "venv/bin/python", ".venv/Scripts/python.exe", "venv/Scripts/python.exe"):
            if (place / inside).exists():
                return str(place / inside)
    return sys.executable if all(map(importlib.util.find_spec, NEEDS)) else None


def _files(folder: Path) -> set[tuple[str, int]]:
    return {(f.relative_to(folder).as_posix(), f.stat().st_mtime_ns) for f in folder.rglob("*") if f.is_file()}


class Server:
    """A ComfyUI on CPU with this pack as its only custom node pack; everything it writes lies below `base`.

    `options`: further words of its command line.
    """

    def __init__(self, host: Host, base: Path, *options: str) -> None:
        self.host, self.base, self.log_file, self.options = host, base, base / "server.log", options
        self.pack = base / "custom_nodes" / FOLDER
        shutil.copytree(ROOT, self.pack, ignore=NOT_PACK)
        # As after a first start: bytecode is there, so that loading is measured and not compiling.
        subprocess.run([host.python, "-m", "compileall", "-q", str(self.pack)], check=True)
        for name in ("input", "output", "models"):
            (base / name).mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, patience: float = 180) -> None:
        # Bytecode of the pack would be a file written into its folder, and the tests count those.
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8"} | self._templates()
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(LEASH), *self._command()], cwd=self.host.folder, stdin=subprocess.PIPE, stdout=log,
                stderr=log, env=environment,
            )  # fmt: skip
        end = time.monotonic() + patience
        while True:
            try:
                self.get("/system_stats")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise RuntimeError(f"ComfyUI {self.host.version} did not start:\n{self.log()[-3000:]}") from None
                time.sleep(0.2)

    def __enter__(self) -> Server:
        self._files = _files(self.pack)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self.stop()
        assert kind or _files(self.pack) == self._files, "the pack wrote into its own folder"

    def _command(self) -> list[str]:
        known = (self.host.folder / "comfy" / "cli_args.py").read_text(encoding="utf-8")
        options = {
            "--cpu": (),
            "--listen": ("127.0.0.1",),
            "--port": (self.address.rpartition(":")[2],),
            "--base-directory": (str(self.base),),
            "--database-url": ("sqlite:///:memory:",),
            "--disable-auto-launch": (),
            "--disable-api-nodes": (),
        }
        given = [word for flag, values in options.items() if f'"{flag}"' in known for word in (flag, *values)]
        return [self.host.python, "main.py", *given, *self.options]

    def _templates(self) -> dict[str, str]:
        """Hosts before 0.8.0 stop when the templates package beside them is a newer one; they get an empty one."""
        if self.host.numbers >= (0, 8, 0):
            return {}
        (self.base / "stand_in" / "comfyui_workflow_templates" / "templates").mkdir(parents=True)
        (self.base / "stand_in" / "comfyui_workflow_templates" / "__init__.py").touch()
        return {"PYTHONPATH": str(self.base / "stand_in")}

    def stop(self) -> None:
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path.replace(" ", "%20"), timeout=30) as answer:
            return answer.read()

    def get_json(self, path: str) -> Any:
        return json.loads(self.get(path))

    def queue(self, prompt: dict[str, Any], patience: float = 240) -> dict[str, Any]:
        """Run an API-format graph; its history entry. Raises RuntimeError when the host refuses the graph."""
        request = urllib.request.Request(
            self.address + "/prompt", json.dumps({"prompt": prompt}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                run = json.loads(answer.read())["prompt_id"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the host refused the graph: {error.read().decode()}") from None
        end = time.monotonic() + patience
        while time.monotonic() < end:
            history = self.get_json(f"/history/{run}")
            if run in history:
                return history[run]
            time.sleep(0.1)
        raise RuntimeError(f"the graph did not finish in {patience:.0f} s:\n{self.log()[-3000:]}")

    def image(self, history: dict[str, Any], node: str) -> bytes:
        """The first picture that an output node saved, as file content."""
        if history["status"]["status_str"] != "success":
            raise RuntimeError(f"the graph failed: {json.dumps(history['status'], default=str)[:3000]}")
        return self.get("/view?" + urllib.parse.urlencode(history["outputs"][node]["images"][0]))
