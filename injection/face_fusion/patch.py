"""References in the attention of a ComfyUI UNet: plain calls, with no import of the host.

out = softmax(Q [K ; K_1 ; K_2 ...]^T / sqrt(d) + M) [V ; V_1 ; V_2 ...], one softmax over the picture's own tokens (in
cross-attention: the text's) and those of all references. M is 0 for the former and log(weight) for the latter.
Source: Face Fusion, arXiv 2409.19111, figure 2; the paper's equations are not public, M and the layers are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..sampling.grid_masks import WHOLE, Size, Window, block_grid, check_shape
from ..sampling.rows import check_count
from ..sampling.run import SamplingPatch, SamplingRun, problems_of, uncompiled
from ..sampling.span import WHOLE_RUN, Span
from .layers import Layer, layer_of
from .people import FacePerson
from .queries import Piece, Pieces, everywhere, pieces_of
from .reference_store import Capture, Encoding, KeysValues, ReferenceStore

# (queries, keys, values, the host's options) -> what attention gives; also what a replacement of one is.
Replacement = Callable[..., Tensor]


class Attention(Protocol):
    """The host's attention of one block, with an additive `mask` (1, keys) or (queries, keys)."""

    def __call__(
        self, queries: Tensor, keys: Tensor, values: Tensor, options: Mapping[str, Any], mask: Tensor | None = None
    ) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Settings:
    """`layers`: those in which references are looked at. `unconditioned`: whether the negative prompt's rows look too.

    `span`: the part of the sampling run. `owner`: the node, for messages.
    """

    layers: frozenset[Layer]
    unconditioned: bool = False
    span: Span = WHOLE_RUN
    owner: str = "face fusion"


class ReferencePatch(SamplingPatch):
    """All people's references, for all layers of one model.

    `people`: those who act. `encoding`: their photographs. `attention`: the host's. Raises ValueError without people.
    """

    def __init__(
        self, people: Sequence[FacePerson], encoding: Encoding, attention: Attention, settings: Settings
    ) -> None:
        super().__init__(settings.owner, settings.span)
        self.settings = settings
        self._people, self._encoding, self._attention = tuple(people), encoding, attention
        self._everywhere = everywhere(people)

    def check_latents(self, noise: Tensor) -> None:
        """Raises ValueError for latents that are no pictures, and for regions that do not fit them."""
        if noise.ndim != 4:
            raise ValueError(f"the sampler's latent has shape {tuple(noise.shape)}; needed is that of pictures")
        channels = self._encoding.references[0].latent.shape[1]
        if noise.shape[1] != channels:
            raise ValueError(
                f"the photographs were encoded with {channels} channels and the sampler's latent has {noise.shape[1]}; "
                "wire in the VAE of the same checkpoint"
            )
        for person in self._people:
            count = len(person.region)
            check_count(f"{person.name} has regions of {count} pictures", count, len(noise))
            check_shape(person.name, person.region, noise)

    def around_model(
        self, executor: Any, x: Tensor, t: Tensor, c_concat: Tensor | None = None, c_crossattn: Any = None,
        control: Any = None, transformer_options: dict[str, Any] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """APPLY_MODEL: the references pass the UNet before the picture does."""
        options = self.options_of_call(executor.class_obj, x, t, transformer_options or {})
        run = self.run_of(options)
        if run.acts(options):
            with problems_of(self.owner), uncompiled():
                self._store(run, x.device).begin_evaluation(executor.class_obj, x, t, c_crossattn, options)
        return super().around_model(executor, x, t, c_concat, c_crossattn, control, options, **more)

    def _store(self, run: SamplingRun, device: torch.device) -> ReferenceStore:
        # One for each device, as a host with several graphics cards calls a copy of the model on each.
        return run.keep(("references", device), lambda: ReferenceStore(self._encoding))

    def attended(
        self, queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], base: Replacement | None
    ) -> Tensor:
        """What the attention of one layer gives.

        queries: (rows, n, C), projected. keys, values: (rows, m, C), projected; what the layer looks at anyway.
        options: the host's, with block, cond_or_uncond, sigmas, activations_shape and n_heads.
        base: another node's replacement of this attention, whose addition to it is kept; None where there is none.
        """
        layer, run = layer_of(options), self.run_of(options)
        plain = base or self._attention
        if layer not in self.settings.layers or not run.acts(options):
            return plain(queries, keys, values, options)
        with problems_of(self.owner):
            pieces = self._pieces(run, queries, keys, options)
            if not pieces.pieces:
                return plain(queries, keys, values, options)
            references = self._store(run, queries.device).of_layer(layer)
            return self._joined(queries, keys, values, options, base, pieces, references)

    def _pieces(self, run: SamplingRun, queries: Tensor, keys: Tensor, options: Mapping[str, Any]) -> Pieces:
        rows = run.rows(options, len(keys))
        grid: Size = (1, 1)
        windows: tuple[Window, ...] = (WHOLE,)
        if not self._everywhere:
            grid, windows = block_grid(options), run.windows(options)
            if grid[0] * grid[1] != queries.shape[1] or len(queries) != len(keys):
                raise ValueError(
                    f"there are {queries.shape[1]} queries on a grid of {grid[0]} x {grid[1]}: another node merges "
                    "tokens or cuts the picture into tiles (token merging, HyperTile), so that nothing says whose "
                    "region a query lies in; leave that node out, or give the people no regions"
                )
        tiles = len(queries) // len(keys)

        def make() -> Pieces:
            pieces = pieces_of(
                self._people, self._encoding.references, rows, grid, windows, self.settings.unconditioned
            )
            return _in_tiles(pieces, tiles).to(queries.device)

        return run.keep_of_rows(rows, (grid, windows, tiles, queries.device), make)

    def _joined(
        self, queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], base: Replacement | None,
        pieces: Pieces, references: Sequence[KeysValues],
    ) -> Tensor:  # fmt: skip
        if len(queries) != len(keys):
            # The host itself reads the keys of a picture cut into tiles this way.
            keys, values = (t.reshape(len(queries), -1, t.shape[-1]) for t in (keys, values))
        extra = None
        if base is not None:
            # A copy, because it may be another patch's own tensor.
            out = base(queries, keys, values, options).clone()
            extra = out - self._attention(queries, keys, values, options)
        elif pieces.untouched is None:
            out = self._attention(queries, keys, values, options)
        else:
            out = torch.empty_like(queries)
            if len(pieces.untouched):
                own_q, own_k, own_v = (t.index_select(0, pieces.untouched) for t in (queries, keys, values))
                out[pieces.untouched] = self._attention(own_q, own_k, own_v, options)
        for piece in pieces.pieces:
            self._add_piece(out, extra, piece, queries, keys, values, options, references)
        return out

    def _add_piece(
        self, out: Tensor, extra: Tensor | None, piece: Piece, queries: Tensor, keys: Tensor, values: Tensor,
        options: dict[str, Any], references: Sequence[KeysValues],
    ) -> None:  # fmt: skip
        """Set the piece's queries in `out`; `extra` is added to them."""
        count, looked_at = len(piece.rows), [references[i] for i in piece.references]
        own_q, own_k, own_v = (t.index_select(0, piece.rows) for t in (queries, keys, values))
        if piece.queries is not None:
            own_q = own_q.index_select(1, piece.queries)
        all_k = torch.cat([own_k, *(each.keys.to(own_k).expand(count, -1, -1) for each in looked_at)], 1)
        all_v = torch.cat([own_v, *(each.values.to(own_v).expand(count, -1, -1) for each in looked_at)], 1)
        mask = None if piece.log_weights is None else _mask(piece.log_weights, looked_at, own_k)
        joined = self._attention(own_q, all_k, all_v, options, mask)
        if piece.queries is None:
            out[piece.rows] = joined if extra is None else joined + extra[piece.rows]
        else:
            at = piece.rows[:, None], piece.queries
            out[at] = joined if extra is None else joined + extra[at]


def _mask(log_weights: Tensor, references: Sequence[KeysValues], own: Tensor) -> Tensor:
    """M, (Q or 1, tokens): 0 for the layer's `own` tokens, then of each reference the weight for all its tokens."""
    queries = len(log_weights)
    columns = [log_weights[:, i : i + 1].expand(-1, each.keys.shape[1]) for i, each in enumerate(references)]
    return torch.cat([log_weights.new_zeros(queries, own.shape[1]), *columns], 1).to(own.dtype)


class JoinedAttention:
    """What the host calls instead of the attentions of one UNet block. `base`: what was called so far, if anything."""

    def __init__(self, patch: ReferencePatch, base: Replacement | None = None) -> None:
        self.patch, self._base = patch, base

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
        return self.patch.attended(queries, keys, values, options, self._base)

    def __deepcopy__(self, memo: Any) -> JoinedAttention:
        # Hosts before 0.14 copy patches deeply with every clone of a model; nothing in here ever belongs to a clone.
        return self

    def add(self, *_: Any, **__: Any) -> None:
        """IPAdapter-plus adds itself to whatever is in the slot. Raises ValueError that says what to do instead."""
        raise ValueError(
            f"{self.patch.owner}: an IPAdapter node comes after this node on the same model; put the IPAdapter node "
            "first and this node behind it, then both work together"
        )


def _in_tiles(pieces: Pieces, tiles: int) -> Pieces:
    """The same for a picture whose every row is cut into `tiles` rows.

    A query then sees so many times fewer of the picture's own tokens; references count in the same proportion.
    """
    if tiles == 1:
        return pieces

    def cut(numbers: Tensor) -> Tensor:
        return (numbers[:, None] * tiles + torch.arange(tiles)).flatten()

    def lowered(piece: Piece) -> Tensor:
        logs = torch.zeros(1, len(piece.references)) if piece.log_weights is None else piece.log_weights
        return logs - math.log(tiles)

    untouched = None if pieces.untouched is None else cut(pieces.untouched)
    cut_pieces = (piece._replace(rows=cut(piece.rows), log_weights=lowered(piece)) for piece in pieces.pieces)
    return Pieces(tuple(cut_pieces), untouched)


class SelfAttentionHooks:
    """Training-free: keys and values of the references' own self-attention.

    `layers`: those in which they are needed. `attention`: the host's.
    """

    def __init__(self, layers: frozenset[Layer], attention: Attention) -> None:
        self._layers, self._attention = layers, attention
        self._last = max(layers, key=Layer.place)

    def __call__(self, capture: Capture) -> dict[str, Any]:
        def replacement(queries: Tensor, keys: Tensor, values: Tensor, options: dict[str, Any], **_: Any) -> Tensor:
            layer = layer_of(options)
            if layer in self._layers:
                capture(layer, keys, values, block_grid(options))
            # Nobody reads what comes after the last layer, and its attention is among the largest.
            return queries if layer == self._last else self._attention(queries, keys, values, options)

        return {"patches_replace": {"attn1": {layer.block: replacement for layer in self._layers}}}


class HiddenStateHooks:
    """Trained: new projections of the references' normed hidden states before self-attention.

    `project`: (layer, hidden states (rows, n, C)) -> keys and values (rows, n, C') each.
    """

    def __init__(self, layers: frozenset[Layer], project: Callable[[Layer, Tensor], tuple[Tensor, Tensor]]) -> None:
        self._layers, self._project = layers, project

    def __call__(self, capture: Capture) -> dict[str, Any]:
        def patch(hidden: Tensor, context: Tensor, value: Tensor, options: dict[str, Any]) -> tuple[Tensor, ...]:
            layer = layer_of(options)
            if layer in self._layers:
                capture(layer, *self._project(layer, hidden), block_grid(options))
            return hidden, context, value

        return {"patches": {"attn1_patch": [patch]}}
