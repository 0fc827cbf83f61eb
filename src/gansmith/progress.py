"""How a run goes, live in a terminal, and as plain lines where there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from gansmith.watch import Progress

EVERY = 10.0  # seconds between plain lines
REFRESH = 4  # times a second that the terminal is drawn
GAP = "  "
NARROWEST_BAR, WIDEST_BAR = 8, 40
COLOURS = ("green", "yellow", "bold red")  # of a verdict that is fine, a warning, a failure


class ProgressDisplay:
    """A Watcher: two lines that stay at the bottom of a terminal, below the lines worth keeping.

    Without a terminal it prints a line every ten seconds, and one at the end. `tick` only stores:
    a thread draws.
    """

    def __init__(self, console: Console | None = None):
        self.console = console or Console()
        self.latest: Progress | None = None
        self._printed: Progress | None = None
        self._due = 0.0
        self._live: Live | None = None

    def __enter__(self) -> ProgressDisplay:
        self._due = time.monotonic() + EVERY
        if is_live(self.console):
            self._live = Live(_View(self), console=self.console, refresh_per_second=REFRESH)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        elif self.latest is not None and self.latest is not self._printed:
            self._print(self.latest)

    def say(self, line: str) -> None:
        say(self.console, line)

    def tick(self, progress: Progress) -> None:
        self.latest = progress
        if self._live is None and time.monotonic() >= self._due:
            self._print(progress)

    def _print(self, progress: Progress) -> None:
        self._printed, self._due = progress, time.monotonic() + EVERY
        say(self.console, plain_line(progress))


@contextmanager
def counting(console: Console, text: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a count is: gives a function of (done, total); a total of 0 is not known.

    In a terminal a line that vanishes afterwards; elsewhere a plain line every ten seconds.
    """
    counter = _Counter(console, text)
    if not is_live(console):
        yield counter.update
        return
    with Live(counter, console=console, refresh_per_second=REFRESH, transient=True):
        yield counter.update_quietly


def is_live(console: Console) -> bool:
    """Whether lines can be drawn over again."""
    return console.is_terminal and not console.is_dumb_terminal


def say(console: Console, line: str) -> None:
    """Print text as it is: no markup, no control characters, nothing the stream can't encode."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in line)
    encoding = console.encoding
    console.print(
        Text(clean.encode(encoding, "replace").decode(encoding)), soft_wrap=True, highlight=False
    )


def plain_line(progress: Progress, width: int = 80) -> str:
    """All on one line, with the least important left out where it would be too long."""
    health = [progress.health] if progress.health else []
    return fit([_percent(progress.share), *_pace(progress), *health, *_figures(progress)], width)


def fit(parts: Iterable[str], width: int) -> str:
    """As many of the parts, the most important first, as `width` characters hold."""
    line = ""
    for part in parts:
        longer = f"{line}{GAP}{part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return line


def clock(seconds: float | None) -> str:
    """75 → 1:15; 4000 → 1:06:40; a dash where it can't be told."""
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours > 99:
        return f"{hours // 24} days"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _View:
    """The two lines."""

    def __init__(self, display: ProgressDisplay):
        self.display = display

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        progress, width = self.display.latest, options.max_width
        if progress is None:
            yield Text(
                "starting …" if console.encoding.startswith("utf") else "starting ...", "dim"
            )
            return
        rest = fit([_percent(progress.share), *_pace(progress)], width - NARROWEST_BAR - 2)
        yield from _bar(progress.share, width - len(rest) - 2, console, options)
        yield Segment(f"{GAP}{rest}\n")
        health = Text(progress.health[:width], COLOURS[progress.severity])
        figures = fit(_figures(progress), width - len(health) - len(GAP))
        yield Text(GAP if health and figures else "").join([health, Text(figures, "dim")])


class _Counter:
    """text, bar, "done of total"."""

    def __init__(self, console: Console, text: str):
        self.console, self.text = console, text
        self.done, self.total = 0, 0
        self._due = time.monotonic() + EVERY

    def update_quietly(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def update(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            say(self.console, f"{self.text}: {self._count}")

    @property
    def _count(self) -> str:
        return f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        count, width = self._count, options.max_width
        text = self.text[: max(0, width - len(count) - NARROWEST_BAR - 2 * len(GAP))]
        room = width - len(text) - len(count) - 2 * len(GAP)
        yield Segment(f"{text}{GAP}")
        if self.total:
            yield from _bar(self.done / self.total, room, console, options)
            yield Segment(GAP)
        yield Segment(f"{count[:width]}")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, options.max_width)


def _bar(share: float, room: int, console: Console, options: ConsoleOptions) -> RenderResult:
    width = max(1, min(WIDEST_BAR, room))
    yield from console.render(ProgressBar(1.0, min(1.0, max(0.0, share)), width), options)


def _percent(share: float) -> str:
    """Rounded down: 100 % is only said when all is done."""
    return f"{int(100 * share):3d}%" if math.isfinite(share) else "  ?%"


def _pace(progress: Progress) -> list[str]:
    return [
        f"{clock(progress.seconds_left)} left" if progress.share < 1 else clock(progress.seconds),
        f"step {progress.step:,}",
        f"{_short(progress.images)} images",
        f"{_short(progress.images_per_second)}/s",
    ]


def _figures(progress: Progress) -> list[str]:
    """The newest losses, discriminator's means and score; those that there are."""
    names = {"loss_d": "loss D", "loss_g": "G", "d_real": "D(x)", "d_fake": "D(G(z))"}
    figures = progress.figures
    parts = [f"{name} {figures[key]:.2f}" for key, name in names.items() if key in figures]
    return parts + ([f"score {figures['score']:.3g}"] if "score" in figures else [])


def _short(count: float) -> str:
    """9,950 as it is, then 12.3k, 790k, 1.25M."""
    if not math.isfinite(count):
        return "-"
    for unit, size, least in (("G", 1e9, 1e9), ("M", 1e6, 1e6), ("k", 1e3, 1e4)):
        if count >= least:
            value = count / size
            return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}{unit}"
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"
