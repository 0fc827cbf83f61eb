"""Words are found where nobody said that they are words, and only where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gansmith.data.words import find_words, find_written
from tests.data.words.builders import (
    LAYOUTS,
    TEXTS,
    Words,
    bars,
    imagefolder,
    jsonl,
    png,
    tabs,
    words,
    write,
)

CLASSES = ["airplane", "cat", "ship", "automobile", "dog", "frog"]
CAPTIONS = ["A dog runs over a green field with a ball", "Two men on a bench, seen from behind"]


def photo(number: int, colour: bool, sizes: list[tuple[int, int]]) -> bytes:
    """Smooth shades of all kinds, as of a photograph."""
    draw = np.random.default_rng(number)
    height, width = sizes[number % len(sizes)]
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    a, b, c = draw.uniform(1, 9, (3, 3))
    shades = [np.sin(a[k] * x + b[k] * y + c[k]) for k in range(3)]
    pixels = np.stack(shades if colour else shades[:1] * 3, axis=-1)
    return png(((pixels + 1) * 127).astype(np.uint8))


def photos(texts: list[str], colour: bool, *sizes: tuple[int, int]) -> Words:
    return [(texts[n % len(texts)], photo(n, colour, list(sizes))) for n in range(40)]


def squares(texts: list[str]) -> Words:
    """Light strokes on black squares of one size."""
    digits = np.random.default_rng(0).integers(0, 256, (40, 28, 28)) * (np.eye(28) > 0)
    return [(texts[n % len(texts)], png(d.astype(np.uint8))) for n, d in enumerate(digits)]


SHAPES = [(120, 160), (160, 120), (100, 100), (90, 160), (100, 180), (100, 150)]
NOT_WRITTEN: dict[str, Callable[[], Words]] = {
    "photos with captions": lambda: photos(CAPTIONS, True, *SHAPES),
    "grey photos with captions": lambda: photos(CAPTIONS, False, *SHAPES),
    "photos with names of classes": lambda: photos(CLASSES, True, *SHAPES),
    "grey photos with names of classes": lambda: photos(CLASSES, False, *SHAPES),
    "wide grey photos with names of classes": lambda: photos(CLASSES, False, (90, 160), (90, 210)),
    "grey photos of one size": lambda: photos(CLASSES, False, (90, 160)),
    "colour pictures of the size of words": lambda: photos(TEXTS, True, (30, 80), (30, 120)),
    "squares with digits": lambda: squares([str(n) for n in range(10)]),
    "squares with names of digits": lambda: squares(["zero", "one", "two", "three", "four"]),
    "squares with names of classes": lambda: squares(CLASSES),
    "one picture": lambda: words(["mot"]),
    "words with other words' texts": lambda: [
        (text * 4, picture) for text, (_, picture) in zip(TEXTS, words(TEXTS[::-1]), strict=True)
    ],
}


@pytest.mark.parametrize("some", NOT_WRITTEN.values(), ids=NOT_WRITTEN)
@pytest.mark.parametrize("layout", [imagefolder, tabs])
def test_what_is_not_written_on_a_picture_is_no_word(
    tmp_path: Path, layout: Callable[[Path, Words], str], some: Callable[[], Words]
) -> None:
    spec = layout(tmp_path, some())
    assert find_words(spec) is not None
    assert find_written(spec) is None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_words_are_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    found = find_written(LAYOUTS[layout](tmp_path, words()))
    assert found is not None
    assert (found.kind, len(found)) == ("words", len(TEXTS))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rendered_words_are_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    pytest.importorskip("cv2")
    from gansmith.data.words.rendered import RenderedWords

    some = [(item.text, png(np.asarray(item.content))) for item in RenderedWords(count=60)]
    assert find_written(LAYOUTS[layout](tmp_path, some)) is not None


@pytest.mark.parametrize("name", ["words", "digit-strings"])
def test_rendered_ones_are_found_by_name(name: str) -> None:
    pytest.importorskip("cv2")
    assert find_written(name) is not None


def test_words_on_black_and_on_grey_are_found(tmp_path: Path) -> None:
    for number, paper in enumerate((0, 90, 200)):
        ink = 255 if paper < 100 else 30
        some = [(text, png(bars(text, 48, paper, ink))) for text in TEXTS]
        assert find_written(imagefolder(tmp_path / str(number), some)) is not None


def test_words_of_one_length_and_lines_of_one_width_are_found(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    years = [
        (
            f"18{n}",
            png(np.pad(bars(f"18{n}"), ((0, 0), (0, int(draw.integers(9)))), constant_values=255)),
        )
        for n in range(10, 40)
    ]
    assert find_written(imagefolder(tmp_path / "years", years)) is not None
    lines = ["x" * int(draw.integers(30, 50)) for _ in range(20)]
    justified = [(text, png(np.resize(bars(text), (32, 640)))) for text in lines]
    assert find_written(imagefolder(tmp_path / "lines", justified)) is not None


def test_some_that_cannot_be_read_do_not_hide_the_rest(tmp_path: Path) -> None:
    spec = LAYOUTS["iam"](tmp_path, words(TEXTS * 3))
    pictures = sorted(tmp_path.rglob("*.png"))
    for picture in pictures[:8]:
        picture.unlink()
    assert find_written(spec) is not None
    for picture in pictures[8:20]:
        picture.unlink()
    assert find_written(spec) is None


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "a.gt.txt", "gt.txt", "a.xml"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"[]\n5\n", b"<!DOCTYPE x>", b"a,b\n1,2"]
)
def test_descriptions_that_are_broken_are_of_no_matter(
    tmp_path: Path, name: str, content: bytes
) -> None:
    write(tmp_path, {name: content, "0.png": words(["mot"])[0][1]})
    assert find_written(str(tmp_path)) is None


@pytest.mark.parametrize(
    "spec",
    ["", " ", "nowhere", "digits", "ring", "mnist", "~nobody-of-this-name", "a\0b", "x" * 9999],
)
def test_what_is_no_folder_has_no_words(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagefolder(tmp_path, words())
    monkeypatch.chdir(tmp_path)
    assert find_written(spec) is None


def test_a_folder_of_pictures_alone_has_no_words(picture_folder: Path) -> None:
    assert find_words(str(picture_folder)) is None
    rows: list[object] = [{"file_name": "cat/00.png", "label": "cat"}]
    write(picture_folder, {"metadata.jsonl": jsonl(rows), "classes.txt": "cat\ndog\n"})
    assert find_words(str(picture_folder)) is None
