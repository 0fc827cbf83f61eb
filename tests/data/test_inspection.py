"""What a thorough look at a source finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from gansmith.data import inspect_source, open_source
from gansmith.data.duplicates import _bits, near_duplicates
from gansmith.errors import GansmithError


@pytest.fixture
def mixture(tmp_path: Path, encode: Callable[..., bytes]) -> Path:
    """Pictures of several kinds, with duplicates and broken ones among them."""
    root = tmp_path / "mixture"
    noise = [Image.effect_noise((60, 40), 90).filter(ImageFilter.BoxBlur(4)) for _ in range(5)]
    red = Image.merge("RGB", [noise[0], noise[1], noise[2]])
    files = {
        "a/0.png": encode(noise[0]),
        "a/1.png": encode(noise[1]),
        "a/same.bmp": encode(noise[1], "BMP"),
        "a/near.jpg": encode(noise[1], "JPEG", quality=90),
        "a/resized.png": encode(noise[1].resize((90, 60))),
        "b/2.png": encode(noise[2].convert("P")),
        "b/3.gif": encode(noise[3], "GIF", save_all=True, append_images=[noise[4]]),
        "b/red.png": encode(red),
        "b/broken.png": encode(noise[4])[:200],
        "b/empty.png": b"",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_everything_is_found(mixture: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "out" / "sheet.png"
    found = inspect_source(open_source(mixture), contact_sheet=sheet)
    assert (found.count, found.usable) == (10, 8)
    assert found.sizes == {(60, 40): 7, (90, 60): 1}
    assert found.modes == {"L": 5, "P": 2, "RGB": 1}
    assert found.formats == {"PNG": 5, "BMP": 1, "JPEG": 1, "GIF": 1}
    assert (found.colour, found.animated) == (1, 1)
    assert found.classes == {"a": 5, "b": 3}
    assert found.imbalance == pytest.approx(5 / 3)
    assert found.exact_duplicates == [["a/1.png", "a/same.bmp"]]
    assert found.near_duplicates == [["a/1.png", "a/near.jpg", "a/resized.png"]]
    assert {s.name: s.reason for s in found.unreadable} == {
        "b/broken.png": "the file is cut short",
        "b/empty.png": "the file is empty",
    }
    assert found.contact_sheet == sheet
    text = str(found)
    assert text.startswith("mixture: 10 pictures, 8 usable\nwidth × height: 60×40 (7), 90×60 (1)")
    assert "  b/broken.png: the file is cut short" in text
    assert "the largest class is 1.7 times the smallest" in text
    with Image.open(sheet) as image:
        assert image.size[0] > 5 * 72
        assert image.size[1] == 4 + 2 * 76


def test_sheet_without_classes_and_nowhere_to_write(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((200, 8, 8), np.uint8))
    source = open_source(tmp_path / "a.npy")
    inspect_source(source, contact_sheet=tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (4 + 12 * 76, 4 + 8 * 76)
    with pytest.raises(GansmithError, match="Can't write"):
        inspect_source(source, contact_sheet=tmp_path / "a.npy" / "sheet.png")


def test_points() -> None:
    found = inspect_source(open_source("parabola"))
    assert (found.kind, found.count, found.dimension) == ("points", 50_000, 2)
    assert found.low == pytest.approx([-1, 0], abs=0.01)
    assert found.high == pytest.approx([1, 1], abs=0.01)
    assert str(found).startswith("parabola: 50,000 points")


def test_near_duplicates_agree_with_comparing_all() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    for k in range(100):  # relatives of the first hundred, 1 to 5 bits away
        flips = rng.choice(64, 1 + k % 5, replace=False)
        hashes[100 + k] = hashes[k] ^ np.uint64(sum(1 << int(bit) for bit in flips))
    thumbnails = np.zeros((300, 16, 16), np.uint8)
    thumbnails[:10] += 20  # the same hash but another picture
    found = near_duplicates(hashes, thumbnails)
    assert sorted(found) == [[k, 100 + k] for k in range(10, 100) if k % 5 < 3]


def test_bits() -> None:
    values = np.random.default_rng(0).integers(0, 2**64, 1000, dtype=np.uint64)
    assert _bits(values).tolist() == [int(value).bit_count() for value in values]


def test_many_alike_do_not_take_for_ever() -> None:
    hashes = np.zeros(4_000, np.uint64)
    thumbnails = np.random.default_rng(0).integers(0, 3, (4_000, 16, 16), dtype=np.uint8)
    assert [len(group) for group in near_duplicates(hashes, thumbnails)] == [4_000]


def test_where_nothing_can_be_read(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    found = inspect_source(open_source(tmp_path))
    assert (found.count, found.usable, len(found.unreadable)) == (2, 0, 2)
    assert "2 pictures, 0 usable" in str(found)
