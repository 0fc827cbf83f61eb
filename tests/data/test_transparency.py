"""Transparency kept: from every kind of file, through every change of size, with nothing hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.data import inspect_source, open_source, prepare
from gansmith.data.pictures import Shape, decode, is_grey

Encode = Callable[..., bytes]


def alpha(height: int, width: int, **options: str) -> Shape:
    return Shape(height, width, 4, **options)  # type: ignore[arg-type]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 H×W×4, alpha of every kind."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    values[: height // 3, :, 3] = 0
    values[-height // 3 :, :, 3] = 255
    return values


def smooth(height: int, width: int) -> np.ndarray:
    """uint8 H×W×4, waves of colour and of alpha: no filter rings on them."""
    y, x = np.mgrid[:height, :width] / 8
    waves = [np.sin(x), np.cos(y), np.sin(x + y), np.cos(x - y)]
    return np.stack([np.rint(127.5 + 127.5 * wave) for wave in waves], -1).astype(np.uint8)


def on(ground: float, pixels: np.ndarray) -> np.ndarray:
    """uint8 4×H×W laid on a grey → float 3×H×W (Porter and Duff's "over")."""
    share = pixels[3] / 255
    laid: np.ndarray = pixels[:3] * share + ground * (1 - share)
    return laid


@pytest.mark.parametrize(
    ("background", "colour"), [("white", [255] * 3), ("#102030", [16, 32, 48])]
)
def test_the_same_size_is_untouched_but_for_what_is_hidden(
    encode: Encode, background: str, colour: list[int]
) -> None:
    picture = noise(12, 10)
    decoded = decode(encode(picture), alpha(12, 10, background=background))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded[3], picture[..., 3])
    seen = picture[..., 3] > 0
    assert np.array_equal(decoded[:3, seen], picture[seen, :3].T)
    assert np.array_equal(decoded[:3, ~seen], np.tile(colour, (np.sum(~seen), 1)).T)
    assert np.array_equal(decode(picture, alpha(12, 10, background=background)), decoded)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16", "F", "RGBA"])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_an_opaque_picture_is_as_without_alpha(encode: Encode, mode: str, fit: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    if mode == "I;16":
        image = Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert("L" if mode in ("1", "F") else "RGB").convert(mode)
    content = encode(image, "TIFF")
    decoded = decode(content, alpha(9, 9, fit=fit))
    colour = decode(content, Shape(9, 9, 3, fit))  # type: ignore[arg-type]
    inside = slice(None) if fit == "crop" else slice(1, 7)
    assert np.array_equal(decoded[:3], colour)
    assert (decoded[3, :, inside] == 255).all()


def test_every_way_to_be_transparent(encode: Encode) -> None:
    palette = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8), "P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    opaque = [[10, 40, 70], [20, 50, 80], [30, 60, 90]]
    decoded = decode(encode(palette, transparency=b"\x80\x00\xff"), alpha(1, 3))
    assert decoded[:, 0].tolist() == [[c[0], 255, c[2]] for c in opaque] + [[128, 0, 255]]
    for format in ("PNG", "GIF"):
        decoded = decode(encode(palette, format, transparency=1), alpha(1, 3))
        assert decoded[:, 0].tolist() == [[c[0], 255, c[2]] for c in opaque] + [[255, 0, 255]]
    keyed = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))
    decoded = decode(encode(keyed, transparency=(1, 2, 3)), alpha(1, 2))
    assert decoded[:, 0].T.tolist() == [[255, 255, 255, 0], [4, 5, 6, 255]]
    grey = Image.fromarray(np.array([[7, 9]], dtype=np.uint8))
    decoded = decode(encode(grey, transparency=7), alpha(1, 2))
    assert decoded[:, 0].T.tolist() == [[255, 255, 255, 0], [9, 9, 9, 255]]
    both = Image.new("LA", (1, 1), (40, 90))
    assert decode(encode(both), alpha(1, 1)).flatten().tolist() == [40, 40, 40, 90]
    for format in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if format == "WEBP" else {}
        content = encode(Image.fromarray(noise(9, 9)), format, **options)
        assert np.array_equal(decode(content, alpha(9, 9)), decode(noise(9, 9), alpha(9, 9)))


@pytest.mark.parametrize("size", [(8, 8), (31, 17), (64, 64), (100, 40), (5, 90)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_one_colour_stays_that_colour_whatever_its_alpha(size: tuple[int, int], fit: str) -> None:
    picture = noise(48, 40)
    picture[..., :3] = (200, 90, 7)
    decoded = decode(picture, alpha(*size, fit=fit))
    seen = decoded[3] > 0
    assert 0 < seen.mean() < 1
    assert (decoded[:3, seen].T == (200, 90, 7)).all()
    assert (decoded[:3, ~seen] == 255).all()


@pytest.mark.parametrize("size", [(16, 16), (48, 40), (64, 100)])
def test_colours_that_do_not_show_change_nothing(size: tuple[int, int]) -> None:
    first, second = noise(48, 40), noise(48, 40)
    hidden = first[..., 3] == 0
    second[hidden, :3] = 255 - first[hidden, :3]
    assert np.array_equal(decode(first, alpha(*size)), decode(second, alpha(*size)))


@pytest.mark.parametrize("size", [(20, 30), (96, 40), (150, 150)])
@pytest.mark.parametrize(("name", "ground"), [("white", 255), ("black", 0), ("#505050", 80)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_resized_and_then_laid_on_a_colour_is_laid_on_it_and_then_resized(
    size: tuple[int, int], name: str, ground: int, fit: str
) -> None:
    picture = smooth(96, 80)
    kept = decode(picture, alpha(*size, fit=fit, background=name))
    laid = decode(picture, Shape(*size, 3, fit, name))  # type: ignore[arg-type]
    difference = np.abs(on(ground, kept) - laid)
    assert difference.max() <= 6  # where bicubic overshoots black or white, it is cut off twice
    assert difference.mean() < 0.5


def test_what_fills_up_is_transparent_and_carries_the_background() -> None:
    picture = np.full((10, 20, 3), 7, dtype=np.uint8)
    decoded = decode(picture, alpha(20, 20, fit="pad", background="#0000ff"))
    assert decoded[:, 5:15].reshape(4, -1).mean(axis=1).tolist() == [7, 7, 7, 255]
    for rows in (slice(0, 5), slice(15, 20)):
        assert decoded[:, rows].reshape(4, -1).mean(axis=1).tolist() == [0, 0, 255, 0]


def test_a_camera_s_orientation_turns_alpha_too(encode: Encode) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # stored a quarter turn anticlockwise
    picture = noise(9, 5)
    content = encode(np.ascontiguousarray(np.rot90(picture)), exif=exif)
    assert np.array_equal(decode(content, alpha(9, 5)), decode(picture, alpha(9, 5)))


def test_prepared_from_folders_and_arrays(tmp_path: Path, encode: Encode) -> None:
    pictures = np.stack([noise(8, 8, seed) for seed in range(6)])
    (tmp_path / "folder").mkdir()
    for number, picture in enumerate(pictures):
        (tmp_path / "folder" / f"{number}.png").write_bytes(encode(picture))
    np.save(tmp_path / "last.npy", pictures)
    np.save(tmp_path / "first.npy", pictures.transpose(0, 3, 1, 2))
    np.savez(tmp_path / "both.npz", images=pictures.astype(np.float32) / 255, labels=np.arange(6))
    expected = np.stack([decode(picture, alpha(8, 8)) for picture in pictures])
    for name in ("folder", "last.npy", "first.npy", "both.npz"):
        source = open_source(tmp_path / name)
        kept = prepare(source, height=8, width=8, channels="alpha")
        assert np.array_equal(kept.values.numpy(), expected)
        flat = prepare(source, height=8, width=8, channels="auto")
        assert flat.values.shape == (6, 3, 8, 8)
        assert flat.digest != kept.digest
    digits = prepare(open_source("digits"), height=8, width=8, channels="alpha").values
    assert digits.shape == (1797, 4, 8, 8)
    assert (digits[:, 3] == 255).all()


def test_prepared_from_a_parquet_file(tmp_path: Path, encode: Encode) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"bytes": encode(noise(6, 6, seed)), "path": None} for seed in range(3)]
    pq.write_table(pa.table({"image": rows}), tmp_path / "train.parquet")
    kept = prepare(open_source(tmp_path / "train.parquet"), height=6, width=6, channels="alpha")
    expected = [decode(noise(6, 6, seed), alpha(6, 6)) for seed in range(3)]
    assert np.array_equal(kept.values.numpy(), np.stack(expected))


def test_an_inspection_counts_them_and_names_the_option(tmp_path: Path, encode: Encode) -> None:
    root = tmp_path / "some"
    root.mkdir()
    keyed = Image.new("L", (9, 9), 3)
    files = {
        "opaque": encode(Image.new("RGBA", (9, 9), (9, 9, 9, 255))),  # a channel, but no more
        "key-not-met": encode(keyed, transparency=4),
        "grey": encode(keyed),
        "key": encode(keyed, transparency=3),
        "one": encode(noise(9, 9)),
    }
    for name, content in files.items():
        (root / f"{name}.png").write_bytes(content)
    found = inspect_source(open_source(root))
    assert found.transparent == 2
    assert "with transparency: 2 (" in str(found)
    assert "data.channels=alpha" in str(found)
    for name in ("key", "one"):
        (root / f"{name}.png").unlink()
    assert "transparency" not in str(inspect_source(open_source(root)))


def test_grey_is_judged_as_before(encode: Encode) -> None:
    assert is_grey(encode(Image.new("LA", (9, 9), (40, 90))))
    assert not is_grey(encode(noise(9, 9)))
