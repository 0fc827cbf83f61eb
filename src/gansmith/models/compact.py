"""The fast default: small networks that spend their arithmetic on what a picture needs most.

Any size from 8 pixels: sides halve, rounding up, until the smaller one is 4 to 7, so that 28×28 is
made from 7×7 and 40×24 from 7×4 by way of 10×6 and 20×12. The latent and the class speak at every
stage, through conditional batch norm, not at the first alone. See docs/log.md for what was tried.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.models.layers import ConditionalBatchNorm, JoinLabel, Projection, batch_norm, sequence

SMALLEST, LARGEST = 8, 256
WIDEST = 8  # times the filters at full size: stages beyond do not grow further

Side = tuple[int, int]


def sides(height: int, width: int) -> list[Side]:
    """The sizes of a picture's stages, smallest first and its own last."""
    if not SMALLEST <= min(height, width) <= max(height, width) <= LARGEST:
        raise GansmithError(
            f"size: expected sides of {SMALLEST} to {LARGEST} pixels, found {width}x{height}"
        )
    found = [(height, width)]
    while min(found[0]) > 7:
        found.insert(0, (-(-found[0][0] // 2), -(-found[0][1] // 2)))
    return found


def widths(filters: int, stages: int) -> list[int]:
    """Channels at each stage below full size, most at the smallest."""
    return [filters * min(WIDEST, 2**n) for n in reversed(range(stages))]


class Generator(nn.Module):
    """Latents (N, Z) and, when conditional, labels (N,) → pictures (N, C, H, W) in [-1, 1]."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        self.sides = sides(height, width)
        self.label = JoinLabel(spec.class_count)
        self.channels = widths(config.generator_filters, len(self.sides) - 1)
        style, first = config.latent_size + self.label.size, self.channels[0]
        base = self.sides[0][0] * self.sides[0][1]
        self.dense = nn.Linear(style, first * base, bias=False)
        self.norms = nn.ModuleList(ConditionalBatchNorm(c, style) for c in self.channels)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False)
            for a, b in pairwise([*self.channels, channels])
        )

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        style = self.label(latent, labels)
        x = self.dense(style).unflatten(1, (self.channels[0], *self.sides[0]))
        for norm, grow, (height, width) in zip(self.norms, self.grow, self.sides[1:], strict=True):
            x = grow(F.relu(norm(x, style)))[:, :, :height, :width]
        return torch.tanh(x)


class Discriminator(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] and, when conditional, labels (N,) → logits (N,)."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages = sides(height, width)
        filters = [channels, *reversed(widths(config.discriminator_filters, len(stages) - 1))]
        normal = (config.d_norm or config.norm) == "batch"
        self.layers = sequence(
            layer
            for index, (a, b) in enumerate(pairwise(filters))
            for layer in (
                Halve(a, b, bias=index == 0 or not normal),
                batch_norm(b) if normal and index else None,
                nn.LeakyReLU(0.2, inplace=True),
                nn.Dropout2d(config.dropout) if config.dropout else None,
            )
        )
        self.logit = nn.Conv2d(filters[-1], 1, stages[0], bias=False)
        self.projection = Projection(spec.class_count, filters[-1])

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.layers(pictures)
        logits: Tensor = self.logit(features).flatten() + self.projection(features, labels)
        return logits


class Halve(nn.Conv2d):
    """Convolution 4×4 to half the size; an odd side is first made even."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, 4, 2, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % 2 or width % 2:
            x = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        return super().forward(x)
