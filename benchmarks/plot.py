"""The README's plot of quality against time, from `records/race.json`.

python -m benchmarks.plot
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.record import RECORDS
from gansmith.report.plots import DARK, LIGHT, Theme, blank, render

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
SIZE = (6.4, 3.6)
TICKS = {6: "6 s", 15: "15 s", 60: "1 min", 300: "5 min", 1200: "20 min", 3600: "1 h"}


def draw(race: dict[str, Any], theme: Theme) -> Image.Image:
    """FID over seconds, both logarithmic, for both contenders, and the floor."""
    figure, axes = blank(theme, "FID against seconds of training, two processor cores", SIZE)
    for who, label, colour, at, side in (
        ("dcgan", "textbook DCGAN, 64×64, plain loop", theme.real, 0, "right"),
        ("fast", "gansmith train mnist", theme.made, 1, "left"),
    ):
        points = [(r["seconds"], r["fid"]) for r in race[who]]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.8, marker="o", markersize=4)
        gap = (9 if side == "left" else -9, 0)
        axes.annotate(
            label,
            points[at],
            gap,
            textcoords="offset points",
            color=colour,
            ha=side,
            va="center",
            fontsize=9,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    last = max(r["seconds"] for who in ("dcgan", "fast") for r in race[who])
    axes.set_xlim(5, 1.4 * last)
    shown = {place: name for place, name in TICKS.items() if place <= 1.1 * last}
    axes.set_xticks(list(shown), list(shown.values()))
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    floor = race["floor_fast"]
    axes.axhline(floor, color=theme.quiet, linewidth=1, linestyle=(0, (4, 3)))
    left = axes.get_xlim()[0]
    axes.text(left, floor, "  floor: real digits", color=theme.quiet, fontsize=8.5, va="bottom")
    return render(figure)


def main(arguments: list[str] | None = None) -> None:
    race = json.loads((RECORDS / "race.json").read_text())["result"]
    for name, theme in (("race", LIGHT), ("race-dark", DARK)):
        path = PICTURES / f"{name}.png"
        draw(race, theme).save(path, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
