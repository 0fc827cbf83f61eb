"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """How far a run is; `share` runs from 0 to 1, `figures` are the newest means, `health` is the
    verdict on them and `severity` how bad that is: 0 fine, 1 a warning, 2 a failure."""

    step: int
    images: int
    seconds: float
    share: float
    images_per_second: float
    seconds_left: float | None
    figures: Mapping[str, float] = field(default_factory=dict)
    health: str = ""
    severity: int = 0


class Watcher(Protocol):
    def say(self, line: str) -> None:
        """A line worth keeping."""

    def tick(self, progress: Progress) -> None:
        """Called after every step; must be cheap."""


class Silent:
    """Nobody is watching."""

    def say(self, line: str) -> None: ...

    def tick(self, progress: Progress) -> None: ...
