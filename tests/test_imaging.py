from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansmith.config import Config
from gansmith.imaging import CHECKS, grid, on_checks, png_bytes, to_picture, to_uint8
from gansmith.report import film
from gansmith.report.story import read_story
from gansmith.run import RunFolder


def test_minus_one_is_black_one_is_white_and_beyond_is_cut_off() -> None:
    row = torch.tensor([-1.0, 1.0, 0.0, -5.0, 5.0, -torch.inf, torch.inf, 1 / 255])
    assert to_uint8(row.view(1, 1, 1, 8)).flatten().tolist() == [0, 255, 128, 0, 255, 0, 255, 128]


def test_values_are_rounded_to_the_nearest() -> None:
    levels = torch.arange(0, 255, 0.25, dtype=torch.float64)
    pictures = (levels / 127.5 - 1).view(1, 1, 1, -1)
    found = to_uint8(pictures).flatten().astype(float)
    assert np.abs(found - levels.numpy()).max() <= 0.5 + 1e-4


def test_channels_go_last_and_nothing_else_moves() -> None:
    pictures = torch.rand(2, 3, 4, 5, requires_grad=True)
    found = to_uint8(pictures)
    assert found.shape == (2, 4, 5, 3)
    assert found.dtype == np.uint8
    assert found.flags["C_CONTIGUOUS"]
    assert found[1, 2, 3, 0] == round((pictures[1, 0, 2, 3].item() + 1) * 127.5)


def test_half_precision_is_read_too() -> None:
    assert to_uint8(torch.tensor([-1.0, 1.0]).bfloat16().view(1, 1, 1, 2)).flatten().tolist() == [
        0,
        255,
    ]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_survives_as_a_png(channels: int, mode: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    picture = to_picture(array)
    assert (picture.mode, picture.size) == (mode, (7, 5))
    back = np.asarray(Image.open(io.BytesIO(png_bytes(picture)))).reshape(array.shape)
    assert np.array_equal(back, array)


def test_the_same_picture_gives_the_same_bytes() -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert png_bytes(to_picture(array)) == png_bytes(to_picture(array.copy()))


@pytest.mark.parametrize(
    ("count", "columns", "rows_and_columns"),
    [
        (1, None, (1, 1)),
        (5, None, (2, 3)),
        (16, None, (4, 4)),
        (7, 7, (1, 7)),
        (7, 3, (3, 3)),
        (2, 5, (1, 5)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_sheet_goes_row_by_row_with_white_gaps(
    count: int, columns: int | None, rows_and_columns: tuple[int, int], channels: int
) -> None:
    pictures = np.random.default_rng(0).integers(0, 200, (count, 4, 6, channels), dtype=np.uint8)
    sheet = np.asarray(grid(pictures, columns, gap=3)).reshape(
        -1, rows_and_columns[1] * 9 + 3, channels
    )
    assert sheet.shape[0] == rows_and_columns[0] * 7 + 3
    expected = np.full_like(sheet, 255)
    for i in range(count):
        row, column = divmod(i, rows_and_columns[1])
        expected[3 + 7 * row : 7 + 7 * row, 3 + 9 * column : 9 + 9 * column] = pictures[i]
    assert np.array_equal(sheet, expected)


def test_what_is_transparent_shows_squares_of_two_greys_and_what_is_opaque_itself() -> None:
    picture = np.zeros((20, 13, 4), dtype=np.uint8)
    picture[:, :, :3] = (255, 0, 9)
    picture[0, 0, 3] = 255
    picture[0, 1, 3] = 51  # a fifth
    shown = on_checks(to_picture(picture), side=4)
    assert (shown.mode, shown.size) == ("RGB", (13, 20))
    pixels = np.asarray(shown)
    assert pixels[0, 0].tolist() == [255, 0, 9]
    fifth = [0.8 * CHECKS[1] + 0.2 * colour for colour in (255, 0, 9)]
    assert np.abs(pixels[0, 1] - fifth).max() <= 1
    for y in range(1, 20):
        for x in range(13):
            assert (pixels[y, x] == CHECKS[0 if (y // 4 + x // 4) % 2 else 1]).all()


def test_a_film_of_transparent_sheets_shows_neither_black_nor_what_is_hidden(
    tmp_path: Path,
) -> None:
    run = RunFolder(tmp_path)
    run.write_config(Config(batch_size=10, size="6"))
    half = np.zeros((4, 6, 6, 4), np.uint8)  # black, invisible …
    half[:, 3:] = (0, 200, 0, 255)  # … and green below
    for name in ("real", "step-000000000", "step-000000020"):
        run.write_samples(name, half)
    shot = film.shoot(read_story(tmp_path))
    assert shot.real is not None
    for frame in (shot.real, *(frame.picture for frame in shot.frames)):
        colours = {colour for _, colour in frame.light.getcolors() or []}
        assert colours == {(255, 255, 255), (0, 200, 0), *((grey,) * 3 for grey in CHECKS)}
    made = film.files(shot)
    with Image.open(io.BytesIO(made["real-and-generated.png"])) as both:
        assert both.mode == "RGB"
    with Image.open(io.BytesIO(made["samples.gif"])) as moving:
        assert moving.convert("RGBA").getextrema()[3] == (255, 255)
