"""Figures of a run as plots, each in a light and a dark version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from gansmith.report.story import Curve, Spell, Story

if TYPE_CHECKING:  # slow to import, so only where something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = (
    "losses",
    "discriminator",
    "reading",
    "variety",
    "heart",
    "augmentation",
    "score",
    "throughput",
)
SIZE = (4.8, 2.9)  # inches: on a phone's width the lettering keeps its size
DPI = 200


class Theme(NamedTuple):
    """`real` and `made` are also the discriminator's and the generator's colours."""

    paper: str
    ink: str
    quiet: str
    line: str
    real: str
    made: str
    health: tuple[str, str, str]  # fine, a warning, failed


LIGHT = Theme(
    *("#ffffff", "#1d2430", "#5d6675", "#e3e6eb", "#2b62c9", "#d2591c"),
    health=("#2f9e5f", "#e0a100", "#d03434"),
)
DARK = Theme(
    *("#191d24", "#e8eaee", "#9aa3b2", "#2c323c", "#7ba7f5", "#f2915b"),
    health=("#6cc793", "#e8bd4a", "#f27272"),
)
BAND = 0.045  # of a plot's height: the band of verdicts above the losses


class Themed(NamedTuple):
    """The same picture for light and for dark pages."""

    light: Image.Image
    dark: Image.Image


def draw(story: Story) -> dict[str, Themed]:
    """Every plot that the run has figures for, by name."""
    pairs = {name: (_plot(name, story, LIGHT), _plot(name, story, DARK)) for name in NAMES}
    return {
        name: Themed(light, dark)
        for name, (light, dark) in pairs.items()
        if light is not None and dark is not None
    }


def _plot(name: str, story: Story, theme: Theme) -> Image.Image | None:
    title, series = _contents(name, story.noun)
    shown = {key: label for key, label in series.items() if key in story.curves}
    if not shown:
        return None
    figure, axes = blank(theme, title, SIZE)
    for (key, label), colour in zip(shown.items(), (theme.real, theme.made), strict=False):
        _line(axes, story.curves[key], label, colour)
    if name == "score":
        _ring(axes, story.curves["score"], story.best, theme)
    if name == "losses":
        _band(axes, story.spells, theme)
    axes.set_xlabel(f"{story.noun} seen", color=theme.quiet, fontsize=8.5)
    _scale(axes, name, [story.curves[key] for key in shown], theme)
    if len(series) > 1:
        _legend(axes, theme)
    return render(figure)


def _contents(name: str, noun: str) -> tuple[str, dict[str, str]]:
    """A plot's title, and its curves with their names."""
    contents: dict[str, tuple[str, dict[str, str]]] = {
        "losses": ("Losses", {"loss_d": "discriminator", "loss_g": "generator"}),
        "discriminator": (
            "Taken for real, 0 to 1",
            {"d_real": "D(x), real", "d_fake": "D(G(z)), generated"},
        ),
        "reading": (
            "Reading loss",
            {"loss_r": "real words", "loss_read": "generated"},
        ),
        "variety": (
            "Variety (the real: 1)",
            {"spread": "as they are", "feature_spread": "as D sees them"},
        ),
        "heart": ("Known by heart, in deviations", {"held_gap": ""}),
        "augmentation": ("Odds of each augmentation", {"augment_p": ""}),
        "score": ("Distance to real data (lower is better)", {"score": ""}),
        "throughput": (f"{noun.capitalize()} a second", {"images_per_second": ""}),
    }
    return contents[name]


def blank(theme: Theme, title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """An empty plot in the house's style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, facecolor=theme.paper)
    # Fixed margins: a layout that measures its labels would tremble from frame to frame of a film.
    width, height = size
    left, bottom, right, top = 0.52 / width, 0.45 / height, 1 - 0.2 / width, 1 - 0.36 / height
    if not title:
        left, bottom, top = 0.38 / width, 0.28 / height, 1 - 0.08 / height
    axes = figure.add_axes((left, bottom, right - left, top - bottom), facecolor=theme.paper)
    if title:
        axes.set_title(title, loc="left", color=theme.ink, fontsize=10, fontweight="bold", pad=9)
    axes.tick_params(colors=theme.quiet, labelsize=8.5, length=0, pad=5)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(theme.line)
    axes.grid(axis="y", color=theme.line, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def render(figure: Figure) -> Image.Image:
    """Few colours are enough for a plot, and make a small file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])
    picture = Image.fromarray(pixels)
    few = picture.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return _exact(few, (0, 0), pixels[0, 0].tolist())


def _exact(picture: Image.Image, place: tuple[int, int], colour: list[int]) -> Image.Image:
    """The palette's entry at `place` is the paper: make it match the page's to the last bit."""
    index = int(np.asarray(picture)[place])
    palette = picture.getpalette() or []
    palette[3 * index : 3 * index + 3] = colour
    picture.putpalette(palette)
    return picture


def _line(axes: Axes, curve: Curve, label: str, colour: str) -> None:
    """The figure itself, and its running mean where there is noise to see through."""
    if len(curve.x) < 40:
        axes.plot(*curve, color=colour, linewidth=1.8, marker="o", markersize=3, label=label)
        return
    axes.plot(*curve, color=colour, linewidth=0.7, alpha=0.3)
    axes.plot(curve.x, smooth(curve.y), color=colour, linewidth=1.8, label=label)


def _band(axes: Axes, spells: tuple[Spell, ...], theme: Theme) -> None:
    """Verdicts as a band of colours over the curves; a dotted line where a repair went back."""
    for spell in spells:
        colour = theme.health[spell.verdict.severity]
        axes.axvspan(spell.start, spell.end, ymin=1 - BAND, color=colour, linewidth=0)
        if spell.treatment:
            axes.axvline(spell.end, color=colour, linewidth=1, linestyle=":")


def _ring(axes: Axes, curve: Curve, place: int, theme: Theme) -> None:
    """Around a point of a curve, whole even at the plot's edge."""
    axes.plot(
        curve.x[[place]],
        curve.y[[place]],
        marker="o",
        markersize=10,
        markerfacecolor="none",
        markeredgecolor=theme.made,
        markeredgewidth=1.6,
        clip_on=False,
        zorder=5,
    )


def smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over a thirtieth of the run, (N,) → (N,); narrower towards both ends."""
    window = np.ones(max(1, len(values) // 30) | 1)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")


def _scale(axes: Axes, name: str, curves: list[Curve], theme: Theme) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator, StrMethodFormatter

    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlim(left=0)
    if name in ("discriminator", "augmentation"):
        axes.set_ylim(-0.02, 1.02)
        if name == "discriminator":
            axes.axhline(0.5, color=theme.quiet, linewidth=1, linestyle=(0, (4, 3)))
        return
    if name in ("score", "throughput", "variety"):
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(
            EngFormatter(sep="") if name == "throughput" else StrMethodFormatter("{x:g}")
        )
        axes.set_ylim(bottom=0)
        if name == "variety":
            axes.set_ylim(top=max(1.2, _limits(curves)[1]))
            axes.axhline(1, color=theme.quiet, linewidth=1, linestyle=(0, (4, 3)))
        return
    axes.set_ylim(*_limits(curves))


def _limits(curves: list[Curve]) -> tuple[float, float]:
    """All but the rarest spikes, which would flatten everything else."""
    low = min(float(np.percentile(curve.y, 0.5)) for curve in curves)
    high = max(float(np.percentile(curve.y, 99.5)) for curve in curves)
    margin = 0.06 * (high - low) or 0.5
    return (0.0 if low >= 0 else low - margin), high + margin


def _legend(axes: Axes, theme: Theme) -> None:
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.985),
        ncols=2,
        frameon=False,
        fontsize=8.5,
        labelcolor=theme.quiet,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0.0,
    )
