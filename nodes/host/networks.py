"""Networks that the pack runs itself: read once, kept in a ModelPatcher, loaded by the host for every use."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import comfy.model_management as mm

from ...detectors.builtin import BuiltinDetector
from ...detectors.parser_builtin import BuiltinParser
from ...injection.faces.deep3d_network import Deep3DNetwork, read_deep3d
from ...injection.faces.identity import Recogniser, find_recogniser, read_recogniser, recogniser_name
from ...injection.hs_diffusion.layout_net import LayoutGenerator
from .fingerprints import Stamp, stamps
from .folders import deep3d_path, insightface_root
from .patcher import in_patcher
from .progress import stop_if_asked

if TYPE_CHECKING:
    from ...metrics.identity import FaceVectors
    from ...metrics.score import Networks

Network = TypeVar("Network")


def builtin_detector() -> BuiltinDetector:
    """The pack's built-in detector, its network on the device where the host runs text encoders."""
    return _loaded(_detector())


def builtin_parser() -> BuiltinParser:
    """The pack's built-in face parser, its network on the device where the host runs text encoders."""
    return _loaded(_parser())


def layout_generator() -> LayoutGenerator:
    """The pack's layout generator, its network on the device where the host runs text encoders."""
    return _loaded(_generator())


def host_recogniser() -> Recogniser:
    """The face recogniser in the host's InsightFace folder, on the host's compute device.

    Raises ValueError as `recogniser_path` does, or saying what is wrong with the file.
    """
    path = recogniser_path()
    return _loaded(_recogniser(path, path.stat().st_mtime_ns))


def host_deep3d() -> Deep3DNetwork:
    """The Deep3DFaceRecon network in the host's folder for it, on the host's compute device.

    Raises ValueError naming file and folder when there is none, or what is wrong with it.
    """
    path = deep3d_path()
    return _loaded(_deep3d(path, os.stat(path).st_mtime_ns))


def networks_for_figures() -> Networks:
    """The whole face recogniser and Deep3DFaceRecon, as far as they are on the disk, on the host's compute device.

    Raises ValueError saying what is wrong with a file.
    """
    # Imported here, as figures would take a tenth of the pack's time to load.
    from ...metrics.score import Networks

    vectors, deep3d = None, None
    if stamps(lambda: [str(recogniser_path())]):
        path = recogniser_path()
        vectors = _loaded(_vectors(path, path.stat().st_mtime_ns))
    if stamps(lambda: [deep3d_path()]):
        deep3d = host_deep3d()
    return Networks(vectors, deep3d)


def recogniser_path() -> Path:
    """Raises ValueError naming files and folder when there is none."""
    return find_recogniser(os.path.join(insightface_root(), "models"))


def networks_on_disk() -> tuple[Stamp, ...]:
    """Stamps of the recogniser and of Deep3DFaceRecon, which encoding a face for FaceX may read."""
    return stamps(lambda: [str(recogniser_path())]) + stamps(lambda: [deep3d_path()])


def _loaded(network_and_patcher: tuple[Network, Any]) -> Network:
    network, patcher = network_and_patcher
    mm.load_models_gpu([patcher])
    return network


@functools.cache
def _detector() -> tuple[BuiltinDetector, Any]:
    return _stoppable(BuiltinDetector(mm.text_encoder_offload_device()))


@functools.cache
def _parser() -> tuple[BuiltinParser, Any]:
    return _stoppable(BuiltinParser(mm.text_encoder_offload_device()))


@functools.cache
def _generator() -> tuple[LayoutGenerator, Any]:
    return _stoppable(LayoutGenerator(mm.text_encoder_offload_device()))


def _stoppable(network: Network) -> tuple[Network, Any]:
    """The network, which the host's Cancel stops between its layers, and its patcher."""
    for net in network.net.children():
        net.register_forward_pre_hook(stop_if_asked)
    return network, in_patcher(network.net, mm.text_encoder_device(), mm.text_encoder_offload_device())


# The unused argument of the next three is the file's time of change, so that a changed file is read again.


@functools.lru_cache(maxsize=1)
def _recogniser(path: Path, _: int) -> tuple[Recogniser, Any]:
    network = read_recogniser(path)
    return Recogniser(network, recogniser_name(network), path), _on_compute_device(network)


@functools.lru_cache(maxsize=1)
def _vectors(path: Path, _: int) -> tuple[FaceVectors, Any]:
    from ...metrics.identity import read_face_vectors

    vectors = read_face_vectors(path)
    return vectors, _on_compute_device(vectors.network)


@functools.lru_cache(maxsize=1)
def _deep3d(path: str, _: int) -> tuple[Deep3DNetwork, Any]:
    network = read_deep3d(path)
    return network, _on_compute_device(network)


def _on_compute_device(network: Any) -> Any:
    return in_patcher(network, mm.get_torch_device(), mm.unet_offload_device())
