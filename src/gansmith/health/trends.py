"""Figures that need more than one record."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping

BEFORE = 5  # probes back that variety is compared with
USUAL = 3  # probes that show what the data usually are
OF_DATA = {"real_spread", "real_classes"}
WINDOW = 30  # records over which a log's losses are looked at

Figures = Mapping[str, float]


class Trends:
    """What records before say about the next; `usual`, what the data are like, outlives treatments."""

    def __init__(self, start: int = 0, usual: dict[str, list[float]] | None = None):
        self.start, self.usual = start, usual or {name: [] for name in OF_DATA}
        self.spreads: deque[float] = deque(maxlen=BEFORE + 1)
        self.most_spread: float | None = None
        self.best_score = math.inf
        self.probed = start  # the step of the last probe
        self.losses: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def follow(self, step: int, figures: Figures) -> dict[str, float]:
        """What `figures`, read at `step`, are after those before."""
        found = {"steps": float(step - self.start)}
        if "logit_real" in figures and "logit_fake" in figures:
            found["gap"] = figures["logit_real"] - figures["logit_fake"]
        if "spread" in figures:
            found |= self._of_variety(figures["spread"])
        for name in OF_DATA & figures.keys():
            found |= self._of_data(name, figures[name])
        found |= self._of_growth(step, figures)
        if "score" in figures:
            self.best_score = min(self.best_score, figures["score"])
            found["score_rise"] = figures["score"] / max(1e-12, self.best_score)
        if "loss_d" in figures and "loss_g" in figures:
            found |= self._of_losses(figures["loss_d"], figures["loss_g"], figures.get("lowest", 0))
        return found

    def _of_variety(self, spread: float) -> dict[str, float]:
        self.spreads.append(spread)
        self.most_spread = max(self.most_spread or 0.0, spread)
        gain = spread / max(1e-12, self.spreads[0])
        return {"most_spread": self.most_spread, "gain": gain}

    def _of_growth(self, step: int, figures: Figures) -> dict[str, float]:
        """How much all layers of a player grew, in shares of their length a step."""
        steps = max(1, step - self.probed)
        grown = {
            f"growth_{player}": (figures[f"kept_{player}"] - 1) / steps
            for player in "dg"
            if f"kept_{player}" in figures
        }
        if grown:
            self.probed = step
        return grown

    def _of_data(self, name: str, value: float) -> dict[str, float]:
        usual = self.usual[name]
        if len(usual) < USUAL:
            usual.append(value)
            return {}
        return {f"{name}_change": value / max(1e-12, statistics.median(usual))}

    def _of_losses(self, loss_d: float, loss_g: float, lowest: float) -> dict[str, float]:
        """`lowest` of a whole log: where any is negative (Wasserstein's, hinge), no level and no
        swing about it says anything, and there are no costs."""
        self.losses.append((loss_d, loss_g))
        found = {"loss_size": max(abs(loss_d), abs(loss_g))}
        costs = min(loss_d, loss_g, lowest) >= 0
        if costs:
            found |= {"cost_d": loss_d, "cost_g": loss_g}
        if len(self.losses) == WINDOW:
            each = list(zip(*self.losses, strict=True))
            found["motion"] = max(max(x) - min(x) for x in each)
            swings = [
                statistics.pstdev(x) / max(1e-12, statistics.fmean(map(abs, x))) for x in each
            ]
            if costs:
                found["swing"] = max(swings)
            # A loss that may cross zero (Wasserstein's) has no level of its own to swing about.
            found["swing_d"] = swings[0] if min(each[0]) > 0 else 0.0
        return found
