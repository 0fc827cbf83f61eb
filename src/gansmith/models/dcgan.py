"""DCGAN (Radford, Metz & Chintala 2016), for any size that halves cleanly.

At 64×64 with 64 filters this is the network of the paper and of every tutorial: 1×1 → 4×4 → … →
64×64 with 512, 256, 128, 64 channels, mirrored in the discriminator. Other sizes halve as long as
the smaller side stays at least 4, so that 28×28 starts from 7×7 and 56×64 from 7×8.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.models.layers import JoinLabel, Projection, batch_norm, sequence
from gansmith.world import Dropout


def halvings(height: int, width: int) -> tuple[int, tuple[int, int]]:
    """How often both sides halve before one would fall under 4, and the size that is left."""
    times, base = 0, (height, width)
    while all(side % 2 == 0 and side >= 8 for side in base):
        times, base = times + 1, (base[0] // 2, base[1] // 2)
    if times < 2 or min(base) > 15:
        raise GansmithError(
            f"size: expected sides that halve at least twice, down to 4–15 pixels (such as 28, 32, 64, "
            f"56x64), found {width}x{height}; try {nearest_size(width)}x{nearest_size(height)}"
        )
    return times, base


def nearest_size(side: int) -> int:
    """The side nearest to `side` that halves at least twice, down to 4–15 pixels."""
    clean = (base << times for base in range(4, 16) for times in range(2, 11))
    return min(clean, key=lambda size: abs(size - side))


class Generator(nn.Module):
    """Latents (N, Z) and, when conditional, labels (N,) → pictures (N, C, H, W) in [-1, 1]."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages, base = halvings(height, width)
        self.label = JoinLabel(spec.class_count)
        inputs = config.latent_size + self.label.size
        filters = [config.generator_filters * 2**n for n in reversed(range(stages))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(inputs, filters[0], base, bias=False)]
        layers += _normalised(filters[0], config)
        for wide, narrow in pairwise(filters):
            layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
            layers += _normalised(narrow, config)
        layers += [nn.ConvTranspose2d(filters[-1], channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        pictures: Tensor = self.layers(self.label(latent, labels)[:, :, None, None])
        return pictures


class Discriminator(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1] and, when conditional, labels (N,) → logits (N,)."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages, base = halvings(height, width)
        filters = [channels, *(config.discriminator_filters * 2**n for n in range(stages))]
        blocks = [
            _halve(a, b, config, first=index == 0) for index, (a, b) in enumerate(pairwise(filters))
        ]
        self.layers = nn.Sequential(*(layer for block in blocks for layer in block))
        self.logit = nn.Conv2d(filters[-1], 1, base, bias=False)
        self.projection = Projection(spec.class_count, filters[-1])

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.layers(pictures)
        logits: Tensor = self.logit(features).flatten() + self.projection(features, labels)
        return logits


def _normalised(channels: int, config: Config) -> list[nn.Module]:
    norm = batch_norm(channels, config.bn_scale) if config.norm == "batch" else None
    return list(sequence([norm, nn.ReLU(inplace=True)]))


def _halve(inputs: int, outputs: int, config: Config, first: bool) -> nn.Sequential:
    """Convolution to half the size; no batch norm on the first, which sees the pictures."""
    normal = (config.d_norm or config.norm) == "batch" and not first
    return sequence(
        [
            nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
            batch_norm(outputs, config.bn_scale) if normal else None,
            nn.LeakyReLU(0.2, inplace=True),
            Dropout(config.dropout, maps=True) if config.dropout else None,
        ]
    )
