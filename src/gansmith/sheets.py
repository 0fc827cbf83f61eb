"""Sheets of samples that another trainer left: cut into pictures, and how much those differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from gansmith.data.pictures import flatten, open_picture, reason_for
from gansmith.errors import GansmithError
from gansmith.vitals import distinct, mean_distance

USUAL = (8, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512, 1024)
SMALLEST = min(USUAL)
GAPS = (0, 1, 2, 4)  # pixels around each picture of a sheet
FEWEST_TILES = 4
MOST_TILES = 1000
MOST_WORK = 2**31  # differences between pixels when each is compared with each: seconds
MOST_UNEVEN = 10  # levels of 256 from one colour: JPEG's noise
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
ALIKE = 0.25  # of a picture's own contrast: two that differ less are nearly the same
PIPED = ("/dev/stdin", "/dev/fd/")


def variety_of_sheet(path: Path, tile: int | None = None) -> tuple[dict[str, float], list[str]]:
    """How much the pictures of a sheet differ: ``tile_spread``, their mean distance over their own
    contrast, and ``tile_modes``, the share of them that are not nearly another; and how it was read.

    Raises GansmithError where it is no picture, or can't be cut into pictures of one side for
    certain, and OSError where it can't be read.
    """
    refuse_special(path)
    content = path.read_bytes()
    try:
        with open_picture(content) as picture:
            pixels = np.asarray(flatten(picture, "white", grey=False))
    except Exception as error:  # decoders of damaged files raise anything
        raise GansmithError(f"--samples {path}: expected a picture ({reason_for(error)})") from None
    side, gap = _layout(pixels, tile, path)
    places = _places(pixels, side, gap)
    most = max(FEWEST_TILES, min(MOST_TILES, math.isqrt(MOST_WORK // (3 * side * side))))
    chosen = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
    cut = np.stack([_tile(pixels, places[n], side) for n in chosen])
    tiles = torch.from_numpy(cut).float().flatten(1)
    contrast = (tiles - tiles.mean(1, keepdim=True)).norm(dim=1).mean().clamp_min(1e-6)
    figures = {
        "tile_spread": float(mean_distance(tiles) / contrast),
        "tile_modes": distinct(tiles, ALIKE * contrast) / len(tiles),
    }
    compared = f", {len(tiles):,} of them compared" if len(tiles) < len(places) else ""
    return figures, [f"{path}: read as {len(places):,} pictures of {side}×{side}{compared}"]


def _layout(pixels: np.ndarray, tile: int | None, path: Path) -> tuple[int, int]:
    """Side and gap of the pictures of a sheet (H, W, 3): where gaps of one colour show it, else
    `tile` side by side."""
    height, width = pixels.shape[:2]
    fitting = _fitting(height, width, tile)
    grey = (pixels @ LUMA).round()  # in a JPEG the colours of pictures run into gaps
    uneven = {at: _unevenness(grey, *at, known=bool(tile)) for at in fitting if at[1]}
    least = min(uneven.values(), default=math.inf)
    # Gaps around blocks of pictures are among those around each, and in a JPEG hardly as uneven.
    framed = [at for at, value in uneven.items() if value <= min(MOST_UNEVEN, 4 * least)]
    if framed:
        return min(framed)
    if tile and (tile, 0) in fitting:
        return tile, 0
    lacking = (
        f"are no sheet of four or more pictures of {tile}×{tile}, side by side or with gaps of 1, "
        "2 or 4 pixels in one colour around each; give their side with --tile"
        if tile
        else "show no gaps of one colour around pictures, so how it is to be cut can't be told; "
        "give the side of a picture with --tile"
    )
    raise GansmithError(f"--samples {path}: {width}×{height} pixels {lacking}")


def _fitting(height: int, width: int, tile: int | None) -> list[tuple[int, int]]:
    """Each side and gap of pictures that would fill a sheet."""
    sides = [tile] if tile else range(SMALLEST, min(height, width) + 1)
    return [
        (side, gap)
        for gap in GAPS
        for side in sides
        if all((length - gap) % (side + gap) == 0 for length in (height, width))
        and (height // (side + gap)) * (width // (side + gap)) >= FEWEST_TILES
    ]


def _unevenness(grey: np.ndarray, side: int, gap: int, known: bool) -> float:
    """How far the gaps' lines on a sheet (H, W) are from one colour: the root mean square of the
    worst, since a few pixels drawn across a line are no noise.

    Infinite for a side that is neither `known` nor usual if what borders on the gaps is of their
    colour too: any lines through a wide margin look like that.
    """
    colour = np.median(grey[:gap])
    uneven = _off(grey, colour, side + gap, range(gap)).max()
    if known or side in USUAL or uneven > MOST_UNEVEN:
        return float(uneven)
    border = _off(grey, colour, side + gap, (gap, gap + side - 1))
    return float(uneven) if border.mean() > MOST_UNEVEN else math.inf


def _off(grey: np.ndarray, colour: float, period: int, places: Iterable[int]) -> np.ndarray:
    """How far rows and columns of a sheet (H, W) are from a colour, at `places` in each `period`."""
    rows, columns = (np.isin(np.arange(n) % period, list(places)) for n in grey.shape)
    square = (grey - colour) ** 2
    lines = np.concatenate([square[rows].mean(1), square[:, columns].mean(0)])
    return np.asarray(np.sqrt(lines))


def _places(pixels: np.ndarray, side: int, gap: int) -> list[tuple[int, int]]:
    """Where the pictures of a sheet begin, row by row, without the empty places at its end."""
    rows, columns = (range(gap, length - side + 1, side + gap) for length in pixels.shape[:2])
    places = [(top, left) for top in rows for left in columns]
    if gap and np.ptp(_tile(pixels, places[0], side)):
        for _ in columns[1:]:
            if np.ptp(_tile(pixels, places[-1], side)):
                break
            places.pop()
    return places


def _tile(pixels: np.ndarray, place: tuple[int, int], side: int) -> np.ndarray:
    top, left = place
    return pixels[top : top + side, left : left + side]


def refuse_special(path: Path) -> None:
    """A pipe would be waited for, and a device read for ever; what the shell pipes in is meant."""
    plain = path.is_file() or path.is_dir() or not path.exists()
    if not plain and not str(path).startswith(PIPED):
        raise GansmithError(
            f"{path}: expected a file or a folder, found a pipe or a device; "
            "write what it says to a file"
        )
