"""Figures as lines that SageMaker finds by regular expressions, and charts while the job runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from gansmith.progress import ProgressDisplay
from gansmith.watch import Progress

EVERY = 60.0  # seconds between keepings
# Of a run's figures those that are worth a chart.
NAMES = (
    *("loss_d", "loss_g", "loss_r", "d_real", "d_fake", "right_real", "right_fake"),
    *("score", "images", "images_per_second"),
)


def definitions() -> list[dict[str, str]]:
    """`MetricDefinitions` of a training job."""
    return [{"Name": n, "Regex": rf"gansmith: .*\b{n}=([0-9.eE+-]+);"} for n in NAMES]


def line(step: int, figures: Mapping[str, float]) -> str:
    known = ((name, figures[name]) for name in NAMES if name in figures)
    return f"gansmith: step={step}; " + " ".join(f"{name}={value:.6g};" for name, value in known)


class MetricLines:
    """A Watcher `beside` which each new set of figures is a line, and now and then `keep` is called."""

    def __init__(self, beside: ProgressDisplay, keep: Callable[[], None]):
        self.beside, self.keep = beside, keep
        self._last: Mapping[str, float] = {}
        self._due = time.monotonic() + EVERY

    def say(self, line: str) -> None:
        self.beside.say(line)

    def tick(self, progress: Progress) -> None:
        self.beside.tick(progress)
        if progress.figures and progress.figures != self._last:
            self._last = dict(progress.figures)
            rate = {"images": progress.images, "images_per_second": progress.images_per_second}
            self.beside.say(line(progress.step, {**progress.figures, **rate}))
        if time.monotonic() >= self._due:
            self.keep()
            self._due = time.monotonic() + EVERY
