"""Who is told how a run goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """How far a run is; `share` runs from 0 to 1, `figures` are the newest means."""

    step: int
    images: int
    seconds: float
    share: float
    images_per_second: float
    seconds_left: float | None
    figures: Mapping[str, float] = field(default_factory=dict)


class Watcher(Protocol):
    def say(self, line: str) -> None:
        """A line worth keeping."""

    def tick(self, progress: Progress) -> None:
        """Called after every step; must be cheap."""


class Silent:
    """Nobody is watching."""

    def say(self, line: str) -> None: ...

    def tick(self, progress: Progress) -> None: ...
