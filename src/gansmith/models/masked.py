"""Words of different widths in one batch: what pads the shorter ones counts for nothing.

Maps are (N, C, H, K); the first columns of each are its word's own, as its width says, and the rest
padding, kept at zero. So a convolution sees beside a word what it would see if the word were alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def column_mask(widths: Tensor, columns: int, pixels: int) -> Tensor:
    """(N, 1, 1, columns): 1 where a column of `pixels` lies in the word of so many `widths` (N,)."""
    inside = torch.arange(columns, device=widths.device) < (widths // pixels)[:, None]
    return inside[:, None, None].float()


def own_mean(scores: Tensor, widths: Tensor, pixels: int) -> Tensor:
    """Mean of scores (N, K) over each word's own columns → (N,)."""
    inside = column_mask(widths, scores.shape[1], pixels)[:, 0, 0]
    return (scores * inside).sum(1) / inside.sum(1)


class MaskedBatchNorm(nn.Module):
    """Batch norm whose statistics are those of the words' own pixels.

    It gives scale and shift rather than its result, so that whoever uses it can put its own in with
    them: one pass over the map in place of two. `forward` applies them. Maps come in with their
    padding at zero, and leave so.
    """

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
        count = mask.sum() * x.shape[2]
        total, squares = _Sums.apply(x)  # type: ignore[no-untyped-call]
        mean = total / count
        var = (squares / count - mean.square()).clamp_min(0)
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.var.lerp_(var, self.momentum)
        return mean, var


def scaled(x: Tensor, scale: Tensor, shift: Tensor, mask: Tensor) -> Tensor:
    """x · scale + shift on the words' own columns, zero beside them.

    x (N, C, H, K), scale and shift (N or 1, C), mask (N, 1, 1, K).
    """
    wide = (v[:, :, None, None] * mask for v in (scale, shift))
    result: Tensor = _Scaled.apply(x, *wide)  # type: ignore[no-untyped-call]
    return result


class _Sums(torch.autograd.Function):
    """Σ x and Σ x² of each channel, in fp32: read once each, where autograd would copy and expand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x)
        rows = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
        norm = torch.linalg.vector_norm(rows, dim=0, dtype=torch.float32)
        return rows.sum(0, dtype=torch.float32), norm.square()

    @staticmethod
    def backward(ctx: Any, of_sum: Tensor, of_squares: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        constant, slope = (g.to(x.dtype)[None, :, None, None] for g in (of_sum, 2 * of_squares))
        return torch.addcmul(constant, x, slope)


class _Scaled(torch.autograd.Function):
    """x a + b with a, b (N or 1, C, 1, K): the sums of its backward pass run along rows first."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        scale = scale.to(x.dtype)
        ctx.save_for_backward(x, scale)
        return torch.addcmul(shift.to(x.dtype), x, scale)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, scale = ctx.saved_tensors
        of_scale = (gradient * x).sum(2, keepdim=True).float()
        return gradient * scale, of_scale, gradient.sum(2, keepdim=True).float()
