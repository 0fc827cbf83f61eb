"""One file of samples → a picture: a sheet is read, points are drawn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from gansmith.imaging import on_checks
from gansmith.report.plots import DARK, LIGHT, Theme, Themed, blank, render
from gansmith.report.story import Story

SIDE = 3.0  # inches, of a scatter plot
MOST_POINTS = 2000
MOST_CELLS = 16  # pictures a row or column of a sheet, in a film and on the page
BINS = 60


class Painter(Protocol):
    def paint(self, path: Path, real: bool = False) -> Themed | None:
        """The samples in a file as a picture; None where they can't be read."""


def painter(story: Story) -> Painter:
    suffix = story.samples[0].path.suffix if story.samples else ""
    return Scatter(story) if suffix == ".npy" or (not suffix and story.points) else Sheets(story)


class Sheets:
    """Sheets of pictures, cut to their first rows and columns where they are very large."""

    def __init__(self, story: Story):
        self.cell = None
        if story.spec is not None and len(story.spec.shape) == 3:
            _, height, width = story.spec.shape
            self.cell = (width + 2, height + 2)

    def paint(self, path: Path, real: bool = False) -> Themed | None:
        sheet = read_picture(path, self._cut)
        return None if sheet is None else Themed(sheet, sheet)

    def _cut(self, sheet: Image.Image) -> Image.Image:
        if self.cell is None:
            return sheet
        width, height = (
            min(full, cell * MOST_CELLS + 2)
            for full, cell in zip(sheet.size, self.cell, strict=True)
        )
        return sheet.crop((0, 0, width, height))


def read_picture(
    path: Path, cut: Callable[[Image.Image], Image.Image] = lambda whole: whole
) -> Image.Image | None:
    """A PNG, opaque, grey or in colour; None where there is none that can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=["PNG"]) as opened:
                return _opaque(cut(opened))
    except Exception:  # as does Pillow for damaged pictures
        return None


def _opaque(sheet: Image.Image) -> Image.Image:
    """Neither films nor JPEG know transparency, and converting alone would show what it hides."""
    if sheet.mode == "RGBA":
        return on_checks(sheet)
    return sheet.convert("L" if sheet.mode == "L" else "RGB")


class Scatter:
    """Points in the plane over the real ones, always at the same scale; 1-D ones as a histogram."""

    def __init__(self, story: Story):
        self.real = read_points(story.real)
        known = self.real if self.real is not None else _last(story)
        self.limits = _limits(known) if known is not None else None

    def paint(self, path: Path, real: bool = False) -> Themed | None:
        points = read_points(path)
        if points is None or self.limits is None or points.shape[1] != len(self.limits[0]):
            return None
        return Themed(self._draw(points, real, LIGHT), self._draw(points, real, DARK))

    def _draw(self, points: np.ndarray, real: bool, theme: Theme) -> Image.Image:
        figure, axes = blank(theme, "", (SIDE, SIDE))
        assert self.limits is not None
        low, high = self.limits
        axes.set_xlim(low[0], high[0])
        axes.tick_params(labelsize=7)
        axes.grid(axis="both", color=theme.line, linewidth=0.8)
        behind = None if real else self.real
        colour = theme.real if real else theme.made
        if len(low) == 1:
            bins = np.linspace(low[0], high[0], BINS).tolist()
            if behind is not None:
                heights, *_ = axes.hist(
                    behind[:, 0], bins, density=True, color=theme.real, alpha=0.3
                )
                axes.set_ylim(0, 1.35 * max(np.asarray(heights).max(), 1e-9))
            axes.hist(
                points[:, 0], bins, density=True, color=colour, histtype="step", linewidth=1.6
            )
            return render(figure)
        axes.set_ylim(low[1], high[1])
        if behind is not None:
            axes.scatter(behind[:, 0], behind[:, 1], s=5, color=theme.real, alpha=0.3, linewidths=0)
        axes.scatter(points[:, 0], points[:, 1], s=5, color=colour, alpha=0.75, linewidths=0)
        return render(figure)


def read_points(path: Path | None) -> np.ndarray | None:
    """The first two coordinates of the finite points in a file, (N, 1 or 2)."""
    if path is None:
        return None
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)[:MOST_POINTS]
        points = np.array(values, np.float64).reshape(len(values), -1)[:, :2]
    except Exception:  # a damaged header makes numpy raise nearly anything, TokenError included
        return None
    points = points[(np.abs(points) < 1e15).all(axis=1)] if points.size else points
    return points if points.size else None


def _last(story: Story) -> np.ndarray | None:
    made = (read_points(sample.path) for sample in reversed(story.samples))
    return next((points for points in made if points is not None), None)


def _limits(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the picture: all points and a margin, (D,) each."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.maximum(0.12 * (high - low), 1e-6 + 1e-6 * np.abs(high))
    return low - margin, high + margin
