"""Two-layer perceptrons for points: the 1-D GAN of the Keras book, wide enough for rings and grids."""

from __future__ import annotations

from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.models.layers import JoinLabel
from gansmith.world import Dropout


class Generator(nn.Module):
    """Latents (N, Z), labels (N,) → points (N, D), standardised."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        self.label = JoinLabel(spec.class_count)
        inputs = config.latent_size + self.label.size
        self.layers = _perceptron(inputs, config.generator_filters, spec.shape[0], 0.0)

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        points: Tensor = self.layers(self.label(latent, labels))
        return points


class Discriminator(nn.Module):
    """Points (N, D), standardised, and labels (N,) → logits (N,)."""

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        self.label = JoinLabel(spec.class_count)
        inputs = spec.shape[0] + self.label.size
        self.layers = _perceptron(inputs, config.discriminator_filters, 1, config.dropout)

    def forward(self, points: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(self.label(points, labels)).squeeze(-1)
        return logits


def _perceptron(inputs: int, hidden: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(0.2),
        Dropout(dropout),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(0.2),
        Dropout(dropout),
        nn.Linear(hidden, outputs),
    )
