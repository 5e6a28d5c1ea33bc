"""The teacher's encoder as the start of training: its folded convolutions in the order in which its graph has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...detectors.parser_net import FaceParser


def start_from_teacher(net: FaceParser, teacher: Path) -> None:
    """Fill stem and stages of `net` with the weights of the MobileNetV3-small encoder in the file `teacher` (.onnx).

    Raises ValueError when the file has another encoder.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(teacher)).graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [(arrays[node.input[1]], arrays[node.input[2]]) for node in graph.node if node.op_type == "Conv"]
    layers = [net.stem, *(layer for layer in net.stages.modules() if isinstance(layer, nn.Conv2d))]
    for layer, (weight, bias) in zip(layers, convolutions, strict=False):
        if tuple(layer.weight.shape) != weight.shape:
            raise ValueError(f"{teacher} has {weight.shape} where the encoder needs {tuple(layer.weight.shape)}")
        values = {"weight": torch.from_numpy(np.array(weight)), "bias": torch.from_numpy(np.array(bias))}
        layer.load_state_dict(values)
