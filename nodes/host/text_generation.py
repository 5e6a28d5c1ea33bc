"""The host's own text generation by a CLIP that can write (ComfyUI's Generate Text)."""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor


def generate(clip: Any, prompt: str, image: Tensor, max_length: int) -> str:
    """What the language model answers, without its reasoning.

    `image`: (1, H, W, 3) float32 0..1.

    Raises ValueError for a CLIP that cannot write, and where it writes nothing.
    """
    if not hasattr(clip, "generate") or not hasattr(clip.cond_stage_model, "generate"):
        raise ValueError(
            f"clip is {_kind(clip)}, which encodes text but cannot write it; wire a language model in, such as "
            "Qwen-VL or Gemma in Load CLIP of a ComfyUI that has Generate Text, or unplug clip"
        )
    try:
        tokens = clip.tokenize(prompt, image=image, min_length=1)
        answer = clip.decode(clip.generate(tokens, do_sample=False, max_length=max_length))
    except (AttributeError, NotImplementedError) as error:
        raise ValueError(
            f"clip is {_kind(clip)}, which did not answer ({error}); wire a language model in, such as Qwen-VL or "
            "Gemma in Load CLIP, or unplug clip"
        ) from error
    text = re.sub(r"<think>.*?(?:</think>|$)", "", answer, flags=re.DOTALL).strip()
    if not text:
        raise ValueError("clip wrote nothing; raise max_length, or unplug clip")
    return text


def _kind(clip: Any) -> str:
    return type(getattr(clip, "cond_stage_model", clip)).__name__
