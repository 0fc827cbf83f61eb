"""The fast default: small networks that spend their arithmetic on what a picture needs most.

A DCGAN for any size from 8 pixels: sides halve, rounding up. 28×28 is made from 7×7 by way of 14×14,
and looked at down to 4×4. The generator's last layer computes four pixels at half size, and the
discriminator's first reads four, in place of convolutions at full size with few channels on one
side, which processors are slow at. See docs/log.md for what was tried.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.models.layers import ClassAffine, JoinLabel, Projection, batch_norm, sequence
from gansmith.world import Dropout

SMALLEST, LARGEST = 8, 256
MADE_FROM, SEEN_TO = 7, 6  # the most pixels of the smaller side at either network's smallest stage
WIDEST = 8  # times the filters at full size: stages beyond do not grow further

Side = tuple[int, int]


def sides(height: int, width: int, most: int) -> list[Side]:
    """The sizes of a picture's stages, its own last; of the first the smaller side is 4 to `most`."""
    if not SMALLEST <= min(height, width) <= max(height, width) <= LARGEST:
        raise GansmithError(
            f"size: expected sides of {SMALLEST} to {LARGEST} pixels, found {width}x{height}"
        )
    found = [(height, width)]
    while min(found[0]) > most:
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
        self.sides = sides(height, width, MADE_FROM)
        self.label = JoinLabel(spec.class_count)
        self.channels = widths(config.generator_filters, len(self.sides) - 1)
        inputs, first = config.latent_size + self.label.size, self.channels[0]
        base = self.sides[0][0] * self.sides[0][1]
        self.dense = nn.Linear(inputs, first * base, bias=config.norm == "none")
        self.norms = nn.ModuleList(_norm(c, config) for c in self.channels)
        by_class = config.conditional_norm and config.norm == "batch"
        classes = spec.class_count if by_class else 0
        self.affine = nn.ModuleList(ClassAffine(classes, c) for c in self.channels)
        self.grow: nn.ModuleList = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, 2, 1, bias=config.norm == "none")
            for a, b in pairwise(self.channels)
        )
        # Sub-pixel convolution (Shi et al. 2016).
        last = nn.Conv2d(self.channels[-1], 4 * channels, 3, padding=1)
        self.grow.append(nn.Sequential(last, nn.PixelShuffle(2)))

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.dense(self.label(latent, labels))
        x = x.unflatten(1, (self.channels[0], *self.sides[0]))
        x = x.contiguous(memory_format=torch.channels_last)
        stages = zip(self.norms, self.affine, self.grow, self.sides[1:], strict=True)
        for norm, affine, grow, (height, width) in stages:
            x = grow(F.relu(affine(norm(x), labels)))[:, :, :height, :width]
        return torch.tanh(x).contiguous()


class Discriminator(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] and, when conditional, labels (N,) → logits (N,)."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages = sides(height, width, SEEN_TO)
        filters = [4 * channels, *reversed(widths(config.discriminator_filters, len(stages) - 1))]
        normal = (config.d_norm or config.norm) == "batch"
        self.squares = Squares()
        self.layers = sequence(
            layer
            for index, (a, b) in enumerate(pairwise(filters))
            for layer in (
                Halve(a, b, bias=not normal) if index else nn.Conv2d(a, b, 3, padding=1),
                batch_norm(b, config.bn_scale) if normal and index else None,
                nn.LeakyReLU(0.2, inplace=True),
                Dropout(config.dropout, maps=True) if config.dropout else None,
            )
        )
        self.logit = nn.Linear(filters[-1] * stages[0][0] * stages[0][1], 1, bias=False)
        self.projection = Projection(spec.class_count, filters[-1])

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.layers(self.squares(pictures))
        # Flat in the order of memory, channels innermost: a view, and faster than a convolution.
        flat = features.permute(0, 2, 3, 1).flatten(1)
        logits: Tensor = self.logit(flat).flatten() + self.projection(features, labels)
        return logits


class Squares(nn.Module):
    """(N, C, H, W) → (N, 4C, ⌈H/2⌉, ⌈W/2⌉): the pixels of each 2×2 square become channels."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if height % 2 or width % 2:
            x = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        return F.pixel_unshuffle(x, 2)


class Halve(nn.Conv2d):
    """Convolution 4×4 to half the size, rounded up."""

    def __init__(self, inputs: int, outputs: int, bias: bool):
        super().__init__(inputs, outputs, 4, 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        # Of an odd side both borders are two pixels wide, which saves making it even first.
        padding = (1 + height % 2, 1 + width % 2)
        return F.conv2d(x, self.weight, self.bias, 2, padding)


def _norm(channels: int, config: Config) -> nn.Module:
    return batch_norm(channels, config.bn_scale) if config.norm == "batch" else nn.Identity()
