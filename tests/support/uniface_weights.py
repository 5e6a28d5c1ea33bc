"""Random Show-o files in the published layout, spelt out here on its own, and small models with their tokenizers."""

from __future__ import annotations

from pathlib import Path

import torch
from face_part_fusion.injection.unif2ace.file import Config, save_model
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape
from face_part_fusion.injection.unif2ace.transformer import Experts, Shape, Transformer
from face_part_fusion.injection.unif2ace.vocabulary import Vocabulary
from torch import Tensor

# Text tokens of the small tokenizer: words, the end token and 38 runs of spaces, as Phi-1.5 has.
WORDS = ("USER:", "ASSISTANT:", "a", "face", "smiling", "open", "eyes", "what", "[UNK]")


def random_show_o(layers: int = 2, width: int = 64, inner: int = 96, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vocabulary = len(WORDS) + 1 + 38 + 10 + 8192 + 1
    shapes: dict[str, tuple[int, ...]] = {"showo.model.embed_tokens.weight": (vocabulary, width)}
    for i in range(layers):
        for name in ("q_proj", "k_proj", "v_proj", "dense"):
            shapes |= linear(f"showo.model.layers.{i}.self_attn.{name}", width, width)
        shapes |= linear(f"showo.model.layers.{i}.mlp.fc1", width, inner)
        shapes |= linear(f"showo.model.layers.{i}.mlp.fc2", inner, width)
        shapes |= norm(f"showo.model.layers.{i}.input_layernorm", width)
    shapes |= norm("showo.model.final_layernorm", width) | linear("showo.lm_head", width, vocabulary)
    return {key: torch.randn(shape, generator=generator) * 0.3 for key, shape in shapes.items()}


def linear(name: str, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def random_magvit(width: int = 32, seed: int = 0) -> dict[str, Tensor]:
    """The layout of showlab/magvitv2, whose `width` is 128."""
    generator, shapes = torch.Generator().manual_seed(seed), {}
    down, up = (1, 2, 2, 4, 4), (1, 1, 2, 2, 4)

    def conv(name: str, into: int, out: int, size: int = 3) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, into, size, size), (out,)

    def resnet(name: str, into: int, out: int) -> None:
        shapes.update(norm(f"{name}.norm1", into) | norm(f"{name}.norm2", out))
        conv(f"{name}.conv1", into, out)
        conv(f"{name}.conv2", out, out)
        if into != out:
            conv(f"{name}.nin_shortcut", into, out, 1)

    def middle(name: str, channels: int) -> None:
        resnet(f"{name}.block_1", channels, channels)
        resnet(f"{name}.block_2", channels, channels)
        shapes.update(norm(f"{name}.attn_1.norm", channels))
        for each in ("q", "k", "v", "proj_out"):
            conv(f"{name}.attn_1.{each}", channels, channels, 1)

    conv("encoder.conv_in", 3, width)
    into = width
    for i, blocks in enumerate((4, 3, 4, 3, 4)):
        for j in range(blocks):
            resnet(f"encoder.down.{i}.block.{j}", into, into := width * down[i])
        if i < 4:
            conv(f"encoder.down.{i}.downsample.conv", into, into)
    middle("encoder.mid", into)
    shapes.update(norm("encoder.norm_out", into))
    conv("encoder.conv_out", into, 13)
    conv("encoder.quant_conv", 13, 13, 1)
    conv("decoder.post_quant_conv", 13, 13, 1)
    conv("decoder.conv_in", 13, into := width * up[4])
    middle("decoder.mid", into)
    for i, blocks in reversed(list(enumerate((4, 4, 3, 4, 3)))):
        for j in range(blocks):
            resnet(f"decoder.up.{i}.block.{j}", into, into := width * up[i])
        if i:
            conv(f"decoder.up.{i}.upsample.conv", into, into)
    shapes.update(norm("decoder.norm_out", into))
    conv("decoder.conv_out", into, 3)
    weights = {key: torch.randn(shape, generator=generator) * 0.1 for key, shape in shapes.items()}
    codes = torch.tensor([[2.0 * int(bit) - 1 for bit in f"{n:013b}"] for n in range(8192)])
    return weights | {"quantize.embedding": codes, "quantize.power_vals": 2 ** torch.arange(12, -1, -1)}


def tokenizer_json(spaces: int = 38) -> str:
    """A word tokenizer with the end token, and `spaces` more tokens behind it."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    tokenizer.add_tokens([AddedToken(" " * (n + 2), normalized=False) for n in range(spaces)])
    return tokenizer.to_str()


SMALL = Config(
    Shape(len(WORDS) + 1 + 10 + 32 + 1, 16, 2, 2, 24, 4, Experts(number=3, best=2, inner=6, clip=0, face=0)),
    TokeniserShape(8, (1, 2, 2), (1, 1, 1), (1, 1, 2), (1, 1, 1), bits=5, groups=4),
    Vocabulary(len(WORDS) + 1, 32, len(WORDS)),
    side=16,
)


def save_small(path: Path, config: Config = SMALL, seed: int = 0) -> tuple[Transformer, ImageTokeniser]:
    """A model of random weights with experts, written to `path`."""
    torch.manual_seed(seed)
    transformer, tokeniser = Transformer(config.transformer).eval(), ImageTokeniser(config.tokeniser).eval()
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    save_model(config, transformer.state_dict(), tokeniser.state_dict(), tokenizer_json(0), path)
    return transformer, tokeniser
