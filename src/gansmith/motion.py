"""How far the players' weights come between two looks: whether they move, churn, or are lost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from gansmith.players import Players

TRACKED = 256  # numbers of each layer, evenly taken: as telling as all of them, and next to nothing


class Motion:
    """Remembers some of both players' weights, and compares."""

    def __init__(self, players: Players):
        self.players = players
        self.start(0)

    def start(self, step: int) -> None:
        """From now on weights are compared with what they are after `step`."""
        self.since = step
        self.before = {
            "d": sample(self.players.discriminator),
            "g": sample(self.players.generator),
        }

    def look(self, step: int) -> dict[str, float]:
        """Of each player ``pace``, the way that its weights came over their length and the root of
        the steps (a random walk of even pace gives the same for any number of them), and ``kept``,
        the least share of its length that a layer kept."""
        before, steps = self.before, max(1, step - self.since)
        self.start(step)
        found = {}
        for player, now in self.before.items():
            way = _length([a - b for a, b in zip(now, before[player], strict=True)])
            found[f"pace_{player}"] = way / max(1e-12, _length(now)) / math.sqrt(steps)
            found[f"kept_{player}"] = min(
                float(a.norm() / b.norm().clamp_min(1e-12))
                for a, b in zip(now, before[player], strict=True)
            )
        return found

    def tensors(self) -> dict[str, Tensor]:
        """What the next look compares with: a resumed run finds the same."""
        before = {f"motion.{player}": torch.cat(parts) for player, parts in self.before.items()}
        return before | {"motion.since": torch.tensor(self.since)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        self.since = int(tensors["motion.since"])
        for player, parts in self.before.items():
            kept = tensors[f"motion.{player}"].to(parts[0].device)
            self.before[player] = list(torch.split(kept, [len(part) for part in parts]))


def sample(network: nn.Module) -> list[Tensor]:
    """Up to twice `TRACKED` numbers of each layer's weights; biases and scales are left out."""
    weights = [p.detach().flatten() for p in network.parameters() if p.dim() > 1]
    return [w[:: max(1, len(w) // TRACKED)].clone() for w in weights]


def _length(parts: list[Tensor]) -> float:
    return float(torch.cat(parts).norm())
