"""A running average of the generator's weights, which makes better pictures than the weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class EMA:
    """θ̄ ← θ̄ + (1 - β)(θ - θ̄) for weights and for batch norm's running statistics.

    The half-life is `kimg` · batch/32 thousand images, and never more than a twentieth of the
    images seen, so that the average is of use from the first minute (StyleGAN2-ADA's ramp-up).
    """

    def __init__(self, network: nn.Module, kimg: float, batch_size: int):
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life = kimg * 1000 * batch_size / 32
        self.batch_size = batch_size

    @torch.no_grad()
    def update(self, network: nn.Module, images_seen: int) -> None:
        averages, values = _state(self.network), _state(network)
        torch._foreach_lerp_(averages, values, 1 - self.decay(images_seen))

    def decay(self, images_seen: int) -> float:
        half_life = min(self.half_life, images_seen / 20)
        return 0.5 ** (self.batch_size / half_life) if half_life > 0 else 0.0


def _state(network: nn.Module) -> list[Tensor]:
    """Everything that is averaged; batch counters (integers) are not."""
    return [t.detach() for t in network.state_dict().values() if t.is_floating_point()]
