"""Keeping the players even: D's learning rate or its penalty follows how well it tells pairs apart."""

from __future__ import annotations

from typing import Any

from gansmith.config import Config

STEP = 1.05  # up or down, at each reading
MOST = 10.0


class Balance:
    """`strength`, 1 to `MOST`: how much D is held back. Its learning rate is divided by it
    (`balance` = rate), or R1 is multiplied (`balance` = r1, 0.1 at least).

    It rises while D tells more than `balance_target` of the pairs of a real and a generated example
    apart, and falls while it tells fewer. One half would be a discriminator that only guesses; near
    1 the generator learns nothing from it.
    """

    def __init__(self) -> None:
        self.strength = 1.0

    def update(self, told: float, config: Config) -> None:
        """After a reading of `told`, the share of pairs that D tells apart."""
        if config.balance != "none":
            factor = STEP if told > config.balance_target else 1 / STEP
            self.strength = min(MOST, max(1.0, self.strength * factor))

    def applied(self, config: Config) -> Config:
        """`config` with the discriminator held back."""
        changes: dict[str, Any] = {}
        if self.strength > 1 and config.balance == "rate":
            changes = {"d_lr": (config.d_lr or config.lr) / self.strength}
        if self.strength > 1 and config.balance == "r1":
            changes = {"r1": max(0.1, config.r1) * self.strength}
        return config.with_(**changes) if changes else config
