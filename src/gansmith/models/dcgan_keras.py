"""The GANs of Brownlee's Keras book: 28×28 digits (chapter 8) and 32×32 colour (chapter 9).

No normalisation, LeakyReLU on both sides, dropout before the discriminator's last layer or after
every convolution. Grey pictures get the digit networks, colour ones the larger networks.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.models.dcgan import halvings
from gansmith.models.layers import JoinLabel, Projection, sequence
from gansmith.world import Dropout


class Generator(nn.Module):
    """Latents (N, Z), labels (N,) → pictures (N, C, H, W) in [-1, 1].

    The book's digits end in a sigmoid on [0, 1]; here all pictures live in [-1, 1], so both end in
    tanh, which is the same function on a shifted scale.
    """

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages, self.base = halvings(height, width)
        wide = 2 * config.generator_filters
        self.first = wide * (1 if channels == 1 else 2)
        self.label = JoinLabel(spec.class_count)
        inputs = config.latent_size + self.label.size
        self.dense = nn.Linear(inputs, self.first * self.base[0] * self.base[1])
        layers: list[nn.Module] = [nn.LeakyReLU(0.2)]
        for a, b in pairwise([self.first, *[wide] * stages]):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2)]
        kernel = 7 if channels == 1 else 3
        layers += [nn.Conv2d(wide, channels, kernel, padding=kernel // 2), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        pictures: Tensor = self.layers(
            self.dense(self.label(latent, labels)).view(-1, self.first, *self.base)
        )
        return pictures


class Discriminator(nn.Module):
    """Pictures (N, C, H, W) in [-1, 1], labels (N,) → logits (N,)."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        channels, height, width = spec.shape
        stages, base = halvings(height, width)
        f = config.discriminator_filters
        grey = channels == 1
        drop = Dropout(config.dropout)
        # Digits: every convolution halves and is followed by dropout. Colour: one at full size,
        # then 128, 128, 256 at each half, with a single dropout at the end.
        plan = [(f, 2)] * stages if grey else [(f, 1), *[(2 * f, 2)] * (stages - 1), (4 * f, 2)]
        layers: list[nn.Module | None] = []
        inputs = channels
        for outputs, stride in plan:
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.2)]
            layers += [drop if grey else None]
            inputs = outputs
        self.layers = sequence(layers)
        self.logit = sequence(
            [nn.Flatten(), None if grey else drop, nn.Linear(inputs * base[0] * base[1], 1)]
        )
        self.projection = Projection(spec.class_count, inputs)

    def forward(self, pictures: Tensor, labels: Tensor | None = None) -> Tensor:
        features = self.layers(pictures)
        logits: Tensor = self.logit(features).flatten() + self.projection(features, labels)
        return logits
