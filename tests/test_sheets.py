"""Sheets of samples: how they are cut, and how much their pictures differ."""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.errors import GansmithError
from gansmith.imaging import grid
from gansmith.sheets import variety_of_sheet


def sheet(path: Path, alike: bool, side: int = 32, gap: int = 2) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (16, side, side, 3), dtype=np.uint8)
    pictures = noise[:1].repeat(16, 0) if alike else noise
    grid(pictures, gap=gap).save(path)
    return path


@pytest.mark.parametrize("gap", [0, 1, 2])
@pytest.mark.parametrize("side", [28, 32, 64])
def test_sheets_are_cut_where_they_should_be(tmp_path: Path, side: int, gap: int) -> None:
    path = sheet(tmp_path / "sheet.png", alike=True, side=side, gap=gap)
    found, _ = variety_of_sheet(path, side)
    assert found == {"tile_spread": 0, "tile_modes": 1 / 16}
    different, _ = variety_of_sheet(sheet(path, alike=False, side=side, gap=gap), side)
    assert different["tile_spread"] == pytest.approx(math.sqrt(2), rel=0.02)
    assert different["tile_modes"] == 1


@pytest.mark.parametrize(
    ("side", "count", "kind"),
    [
        *((side, 64, "PNG") for side in (8, 13, 28, 32, 36, 64)),
        *((side, 65, "PNG") for side in (28, 64)),  # places at the end are empty
        *((side, 64, "JPEG") for side in (8, 13, 28, 32, 64)),
    ],
)
def test_gaps_show_how_a_sheet_is_cut(tmp_path: Path, side: int, count: int, kind: str) -> None:
    path = tmp_path / "sheet"
    noise = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    pictures = np.stack([np.asarray(Image.fromarray(x).resize((side, side))) for x in noise])
    grid(pictures).save(path, kind, quality=90)
    figures, words = variety_of_sheet(path)
    assert words == [f"{path}: read as {count} pictures of {side}×{side}"]
    assert figures["tile_modes"] == 1
    grid(pictures[:1].repeat(count, 0)).save(path, kind, quality=90)
    figures, words = variety_of_sheet(path)
    assert words == [f"{path}: read as {count} pictures of {side}×{side}"]
    assert figures["tile_modes"] == 1 / count


def test_black_gaps_around_black_margins_are_gaps(tmp_path: Path) -> None:
    """As torchvision's make_grid lays out MNIST."""
    noise = np.random.default_rng(0).integers(100, 256, (64, 20, 20, 1), dtype=np.uint8)
    margins = np.pad(noise, ((0, 0), (4, 4), (4, 4), (0, 0)))
    sheet = np.zeros((242, 242), np.uint8)
    for n, picture in enumerate(margins):
        top, left = (2 + 30 * place for place in divmod(n, 8))
        sheet[top : top + 28, left : left + 28] = picture[:, :, 0]
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    figures, words = variety_of_sheet(tmp_path / "sheet.png")
    assert "read as 64 pictures of 28×28" in words[0]
    assert figures["tile_modes"] == 1


@pytest.mark.parametrize("side", [28, 32, 64])
def test_how_pictures_side_by_side_are_cut_is_not_guessed(tmp_path: Path, side: int) -> None:
    path = sheet(tmp_path / "sheet.png", alike=False, side=side, gap=0)
    with pytest.raises(GansmithError, match="side of a picture with --tile"):
        variety_of_sheet(path)
    assert "read as 16 pictures" in variety_of_sheet(path, side)[1][0]


def test_lines_through_the_margins_of_a_figure_are_no_gaps(tmp_path: Path) -> None:
    figure = np.full((400, 400), 255, np.uint8)  # as matplotlib's: 4×4 pictures of 64×64
    for n in range(16):
        top, left = (55 + 78 * place for place in divmod(n, 4))
        figure[top : top + 64, left : left + 64] = n
    Image.fromarray(figure).save(tmp_path / "figure.png")
    with pytest.raises(GansmithError, match="side of a picture with --tile"):
        variety_of_sheet(tmp_path / "figure.png")


def test_a_plot_is_no_sheet(tmp_path: Path) -> None:
    plot = np.full((580, 960), 255, np.uint8)
    across = np.arange(60, 900)
    for width in range(3):
        plot[(290 + 200 * np.sin(across / 90)).astype(int) + width, across] = 0
    Image.fromarray(plot).save(tmp_path / "losses.png")
    with pytest.raises(GansmithError, match="side of a picture with --tile"):
        variety_of_sheet(tmp_path / "losses.png")


def test_of_a_sheet_of_many_some_are_compared(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4096, 8, 8, 1), dtype=np.uint8)
    grid(noise).save(tmp_path / "sheet.png")
    figures, words = variety_of_sheet(tmp_path / "sheet.png")
    assert "4,096 pictures of 8×8, 1,000 of them compared" in words[0]
    assert figures["tile_modes"] == 1


def test_a_tile_that_does_not_fit_is_refused_with_what_was_found(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64)).save(tmp_path / "flat.png")
    with pytest.raises(GansmithError, match=r"64×64 pixels are no sheet .* pictures of 5000×5000"):
        variety_of_sheet(tmp_path / "flat.png", 5000)


def chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


@pytest.mark.parametrize("damage", ["text", "palette"])
def test_whatever_a_decoder_raises_is_one_sentence(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sheet"
    Image.new("P", (64, 64)).save(path, "PNG" if damage == "text" else "BMP")
    content = path.read_bytes()
    if damage == "text":
        bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27)))
        content = content[:33] + bomb + content[33:]
    else:
        content = content[:46] + struct.pack("<I", 300) + content[50:]  # so many colours
    path.write_bytes(content)
    with pytest.raises(GansmithError, match="expected a picture"):
        variety_of_sheet(path)


def test_postscript_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "sheet.eps"
    Image.new("RGB", (64, 64)).save(path)
    with pytest.raises(GansmithError, match="not a picture of a known kind"):
        variety_of_sheet(path)


def test_what_is_no_sheet_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (37, 53)).save(tmp_path / "odd.png")
    with pytest.raises(GansmithError, match="--tile"):
        variety_of_sheet(tmp_path / "odd.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(GansmithError, match="expected a picture"):
        variety_of_sheet(tmp_path / "text.png")
