"""The MAGVIT-v2 tokeniser against a computation straight from the names of its weights."""

from __future__ import annotations

import torch
from face_part_fusion.injection.unif2ace.image_tokeniser import ImageTokeniser, TokeniserShape, codes_of, signs_of
from torch.nn import functional as F

SMALL = TokeniserShape(8, (1, 2, 2), (2, 1, 1), (1, 1, 2), (1, 2, 1), bits=5, groups=4)


def tokeniser():
    torch.manual_seed(0)
    net = ImageTokeniser(SMALL).double().eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net


def conv(w, name, x, stride=1, padding=1):
    return F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding)


def norm(w, name, x):
    n, c, h, wide = x.shape
    groups = x.reshape(n, 4, -1)
    mean, var = groups.mean(-1, keepdim=True), groups.var(-1, unbiased=False, keepdim=True)
    x = ((groups - mean) / (var + 1e-6).sqrt()).view(n, c, h, wide)
    return x * w[f"{name}.weight"][:, None, None] + w[f"{name}.bias"][:, None, None]


def swish(x):
    return x * torch.sigmoid(x)


def resnet(w, name, x):
    y = conv(w, f"{name}.conv1", swish(norm(w, f"{name}.norm1", x)))
    y = conv(w, f"{name}.conv2", swish(norm(w, f"{name}.norm2", y)))
    return y + (conv(w, f"{name}.nin_shortcut", x, 1, 0) if f"{name}.nin_shortcut.weight" in w else x)


def middle(w, name, x):
    x = resnet(w, f"{name}.block_1", x)
    y = norm(w, f"{name}.attn_1.norm", x)
    q, k, v = (conv(w, f"{name}.attn_1.{n}", y, 1, 0).flatten(2) for n in "qkv")
    weights = torch.softmax(torch.einsum("bci,bcj->bij", q, k) * q.shape[1] ** -0.5, -1)
    y = torch.einsum("bij,bcj->bci", weights, v).view_as(x)
    return resnet(w, f"{name}.block_2", x + conv(w, f"{name}.attn_1.proj_out", y, 1, 0))


def encoded(w, x):
    x = conv(w, "encoder.conv_in", x)
    for i, blocks in enumerate(SMALL.down_blocks):
        for j in range(blocks):
            x = resnet(w, f"encoder.down.{i}.block.{j}", x)
        if i < 2:
            x = conv(w, f"encoder.down.{i}.downsample.conv", F.pad(x, (0, 1, 0, 1)), 2, 0)
    x = swish(norm(w, "encoder.norm_out", middle(w, "encoder.mid", x)))
    return conv(w, "encoder.quant_conv", conv(w, "encoder.conv_out", x), 1, 0)


def decoded(w, x):
    x = middle(w, "decoder.mid", conv(w, "decoder.conv_in", conv(w, "decoder.post_quant_conv", x, 1, 0)))
    for i in (2, 1, 0):
        for j in range(SMALL.up_blocks[i]):
            x = resnet(w, f"decoder.up.{i}.block.{j}", x)
        if i:
            x = conv(w, f"decoder.up.{i}.upsample.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    return conv(w, "decoder.conv_out", swish(norm(w, "decoder.norm_out", x)))


def test_codes_and_pictures_are_those_of_the_plain_computation():
    net, pictures = tokeniser(), torch.rand(2, 3, 16, 24, dtype=torch.float64) * 2 - 1
    w = net.state_dict()
    cells = encoded(w, pictures)
    assert torch.allclose(net.encoder(pictures), cells, atol=1e-5)
    codes = net.encode(pictures)
    bits = "".join(str(int(value > 0)) for value in cells[1, :, 2, 3])
    assert codes.shape == (2, 4, 6) and int(codes[1, 2, 3]) == int(bits, 2)
    assert torch.allclose(
        net.decode(codes, torch.float64), decoded(w, torch.where(cells > 0, 1.0, -1.0).double()), atol=1e-5
    )


def test_every_code_comes_back_from_its_signs():
    codes = torch.arange(32).view(1, 4, 8)
    assert torch.equal(codes_of(signs_of(codes, 5)), codes) and set(signs_of(codes, 5).unique().tolist()) == {-1, 1}


def test_the_published_sizes_make_16_pixels_a_token_and_8192_codes():
    assert TokeniserShape().factor == 16 and TokeniserShape().codes == 8192
