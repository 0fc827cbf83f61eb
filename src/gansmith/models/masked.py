"""Words of different widths in one batch: what pads the shorter ones counts for nothing.

Maps are (N, C, H, K); the first columns of each are its word's own, as its width says, and the rest
padding, kept at zero. So a convolution sees beside a word what it would see if the word were alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gansmith.world import World, here


def column_mask(widths: Tensor, columns: int, pixels: int) -> Tensor:
    """(N, 1, 1, columns): 1 where a column of `pixels` lies in the word of so many `widths` (N,)."""
    inside = torch.arange(columns, device=widths.device) < (widths // pixels)[:, None]
    return inside[:, None, None].float()


def own_mean(scores: Tensor, widths: Tensor, pixels: int) -> Tensor:
    """Mean of scores (N, K) over each word's own columns → (N,)."""
    inside = column_mask(widths, scores.shape[1], pixels)[:, 0, 0]
    return (scores * inside).sum(1) / inside.sum(1)


def own_average(x: Tensor, columns: Tensor) -> Tensor:
    """Mean of maps (N, C, H, K), zero in their padding, over each word's own `columns` (N,) → (N, C).

    As a product with ones, whose gradient has the maps' order of memory; that of a sum has not.
    """
    rows = x.permute(0, 2, 3, 1).flatten(1, 2)
    total = rows.new_ones(len(x), 1, rows.shape[1]) @ rows
    return total[:, 0].float() / (columns[:, None] * x.shape[2])


class MaskedBatchNorm(nn.Module):
    """Batch norm whose statistics are those of the words' own pixels.

    It gives scale and shift rather than its result, so that whoever uses it can put its own in with
    them: one pass over the map in place of two. `forward` applies them. Maps come in with their
    padding at zero, and leave so. Statistics are those of all processes' words, unless it is
    not `shared`.
    """

    shared = True

    def __init__(self, channels: int, learned: bool = True, momentum: float = 0.1):
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(channels)) if learned else None
        self.bias = nn.Parameter(torch.zeros(channels)) if learned else None
        self.mean: Tensor
        self.var: Tensor
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def affine(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(C,) scale and (C,) shift that bring x to mean 0 and variance 1."""
        mean, var = self._moments(x, mask) if self.training else (self.mean, self.var)
        scale = (var + 1e-5).rsqrt()
        return scale, -mean * scale

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scale, shift = self.affine(x, mask)
        if self.weight is not None and self.bias is not None:
            scale, shift = scale * self.weight, shift * self.weight + self.bias
        return scaled(x, scale[None], shift[None], mask)

    def _moments(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        world = here() if self.shared else World()
        total, squares = _Sums.apply(x)  # type: ignore[no-untyped-call]
        count = (mask.sum() * x.shape[2]).expand(1)
        count, total, squares = world.sum(torch.cat([count, total, squares])).tensor_split(
            [1, 1 + len(total)]
        )
        mean = total / count
        var = (squares / count - mean.square()).clamp_min(0)
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.var.lerp_(var, self.momentum)
        return mean, var


def scaled(x: Tensor, scale: Tensor, shift: Tensor, mask: Tensor) -> Tensor:
    """x · scale + shift on the words' own columns, zero beside them.

    x (N, C, H, K), zero beside them too; scale and shift (N or 1, C); mask (N, 1, 1, K).
    """
    result: Tensor = _Scaled.apply(x, scale, shift, mask)  # type: ignore[no-untyped-call]
    return result


class _Sums(torch.autograd.Function):
    """Σ x and Σ x² of each channel, in fp32: over places first, which is fast, then over words, so
    that rounding to bf16 in between averages out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        total, squares = (v.sum((2, 3)).float().sum(0) for v in (x, x * x))
        return total, squares

    @staticmethod
    def backward(ctx: Any, of_sum: Tensor, of_squares: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        constant, slope = (g.to(x.dtype)[None, :, None, None] for g in (of_sum, 2 * of_squares))
        return torch.addcmul(constant, x, slope)


class _Scaled(torch.autograd.Function):
    """(x a + b) m. Autograd's own would give gradients in another order of memory than the maps',
    and every operation after them would take ten times as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor, mask: Tensor) -> Tensor:
        wide, up = (_along(v, mask, x.dtype) for v in (scale, shift))
        ctx.save_for_backward(x, wide, mask)
        ctx.words = scale.shape[0]
        return torch.addcmul(up, x, wide)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, wide, mask = ctx.saved_tensors
        parts = (gradient * x, gradient * mask.to(gradient.dtype))
        of_scale, of_shift = (part.sum((2, 3)).float() for part in parts)
        if ctx.words == 1:
            of_scale, of_shift = (g.sum(0, keepdim=True) for g in (of_scale, of_shift))
        return gradient * wide, of_scale, of_shift, None


def _along(v: Tensor, mask: Tensor, dtype: torch.dtype) -> Tensor:
    """(N or 1, C) on the columns of (N, 1, 1, K): (N, C, 1, K), channels innermost."""
    return (v[:, None, None, :] * mask.permute(0, 2, 3, 1)).to(dtype).permute(0, 3, 1, 2)
