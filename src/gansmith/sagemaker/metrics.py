"""Figures as lines that SageMaker finds by regular expressions, and charts while the job runs."""

from __future__ import annotations

from collections.abc import Mapping

from gansmith.watch import Progress, Watcher

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
    """A Watcher beside another: prints each new set of figures once."""

    def __init__(self, beside: Watcher):
        self.beside = beside
        self._last: Mapping[str, float] = {}

    def say(self, line: str) -> None:
        self.beside.say(line)

    def tick(self, progress: Progress) -> None:
        self.beside.tick(progress)
        if progress.figures and progress.figures != self._last:
            self._last = dict(progress.figures)
            rate = {"images": progress.images, "images_per_second": progress.images_per_second}
            self.beside.say(line(progress.step, {**progress.figures, **rate}))
