"""From pictures of words to rows: brought to one height, dark on white, and kept in the cache."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gansmith.data import Dataset, Item, Skipped, Source, prepare
from gansmith.data.parallel import CHUNK_BYTES, map_items
from gansmith.data.words import decode as words_decode
from gansmith.data.words import open_words
from gansmith.data.words.decode import (
    ENDS,
    NARROWEST,
    WIDEST,
    Line,
    dark_on_white,
    decode_word,
    fill_up,
    fitting,
)
from gansmith.errors import GansmithError
from tests.data.words.builders import LAYOUTS, TEXTS, bars, imagefolder, jsonl, png, words, write

LINE = Line(32)


def prepared(spec: str, **options: Any) -> Dataset:
    return prepare(open_words(spec), **{"height": 32, "width": None} | options)


def test_what_is_of_the_right_height_stays_pixel_for_pixel() -> None:
    for text in TEXTS:
        word = decode_word(bars(text), text, LINE)
        ink = bars(text)[:, 4 - 2 : -4 + 2]  # two columns of paper on either side
        assert np.array_equal(
            word, fill_up(ink, word.shape[1], (word.shape[1] - ink.shape[1]) // 2)
        )
        assert word.shape == (32, -(-ink.shape[1] // 4) * 4)
        assert word.dtype == np.uint8


def test_encoded_or_not_is_the_same() -> None:
    pixels = bars("mot", 48)
    colour = np.dstack([pixels] * 3)
    clear = np.dstack([np.zeros_like(colour), 255 - pixels])  # black, where it is not transparent
    words = [decode_word(c, "mot", LINE) for c in (pixels, png(pixels), png(colour), png(clear))]
    assert all(np.array_equal(words[0], word) for word in words)


@pytest.mark.parametrize("height", [32, 64])
@pytest.mark.parametrize("source", [16, 31, 48, 100, 400])
def test_other_heights_are_resized_with_their_aspect(height: int, source: int) -> None:
    line = Line(height)
    word = decode_word(bars("quatre", source + source % 2), "quatre", line)
    assert word.shape[0] == height
    assert word.shape[1] % (height // 8) == 0
    assert abs(word.shape[1] - height * 6 / 2) <= height / 4
    assert word.min() < 60
    assert word.max() == 255


def test_light_on_dark_becomes_dark_on_light() -> None:
    for text in TEXTS:
        expected = decode_word(bars(text), text, LINE)
        assert np.array_equal(decode_word(255 - bars(text), text, LINE), expected)


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (180, 40), (140, 60), (110, 30), (40, 0)])
def test_grey_paper_becomes_white(paper: int, ink: int) -> None:
    word = dark_on_white(np.pad(bars("mot", 32, paper, ink), 8, constant_values=paper))
    assert set(np.unique(word)) == {round(255 * ink / paper), 255}


def test_noise_of_paper_becomes_white_too() -> None:
    page = np.pad(bars("mot", 32, 190, 30), 8, constant_values=190)
    noise = np.random.default_rng(0).normal(0, 6, page.shape)
    word = dark_on_white(np.clip(page + noise, 0, 255).astype(np.uint8))
    assert np.median(word) >= 245
    assert word[page == 30].max() < 100


@pytest.mark.parametrize("shade", [0, 1, 30, 127, 128, 255])
def test_where_nothing_is_written(shade: int) -> None:
    for size in ((32, 60), (1, 1), (2, 1)):
        with pytest.raises(GansmithError, match="nothing written"):
            dark_on_white(np.full(size, shade, np.uint8))


def test_widths_are_kept_within_what_a_text_can_be() -> None:
    for count in (1, 2, 5, 40, 200):
        least, most = NARROWEST * (count + 1), WIDEST * count + ENDS
        assert fitting(least / 2, count) == least
        assert fitting(most * 2, count) == most
        assert fitting((least + most) / 2, count) == (least + most) / 2
        for absurd in (least / 8.1, most * 8.1, 0, float("inf")):
            with pytest.raises(GansmithError, match=f"wide at a height of 32, for {count} char"):
                fitting(absurd, count)


@pytest.mark.parametrize("height", [32, 64])
def test_every_width_is_whole_columns_and_within_bounds(height: int) -> None:
    draw = np.random.default_rng(0)
    for _ in range(60):
        count = int(draw.integers(1, 30))
        shape = (int(draw.integers(8, 120)), int(draw.integers(8, 900)))
        pixels = np.where(draw.random(shape) < 0.2, 0, 255).astype(np.uint8)
        try:
            word = decode_word(pixels, "x" * count, Line(height))
        except GansmithError:
            continue
        column = height // 8
        least, most = NARROWEST * (count + 1), WIDEST * count + ENDS
        assert word.shape[1] % column == 0
        assert least * height / 32 <= word.shape[1] <= most * height / 32 + column


@pytest.mark.parametrize("shape", [(1, 1), (5000, 1), (1, 5000), (400, 9), (9, 4000)])
def test_absurd_pictures_are_skipped_with_a_reason(shape: tuple[int, int], tmp_path: Path) -> None:
    pixels = np.full(shape, 255, np.uint8)
    pixels[:: max(2, shape[0] // 4), :: max(2, shape[1] // 4)] = 0
    rows: list[object] = [{"file_name": f"{n}.png", "text": "bonjour"} for n in range(2)]
    files = {"0.png": png(bars("bonjour")), "1.png": png(pixels), "metadata.jsonl": jsonl(rows)}
    dataset = prepared(str(write(tmp_path / "set", files)), max_skipped=0.5)
    (skipped,) = dataset.skipped
    assert skipped.name == "1.png"
    assert "wide at a height of 32, for 7" in skipped.reason or "nothing written" in skipped.reason


def test_pictures_that_are_none_are_skipped_with_a_reason(tmp_path: Path) -> None:
    imagefolder(tmp_path / "set", words())
    bad = {"000.png": b"", "001.png": b"x", "002.png": words()[2][1][:60], "003.png": b"\x89PNG"}
    write(tmp_path / "set", bad)
    dataset = prepared(str(tmp_path / "set"), max_skipped=0.4)
    assert {skipped.name for skipped in dataset.skipped} == set(bad)
    assert all(skipped.reason for skipped in dataset.skipped)
    with pytest.raises(GansmithError, match=r"data\.max_skipped=0\.40"):
        prepared(str(tmp_path / "set"))


@pytest.mark.parametrize("height", [0, 16, 33, 48, 128])
def test_other_heights_are_refused(height: int, tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match="expected words 32 or 64 pixels high"):
        Line(height)


@pytest.mark.parametrize("height", [None, 32, 64])
def test_a_data_set_of_words(tmp_path: Path, height: int | None) -> None:
    calls: list[tuple[int, int]] = []
    source = open_words(imagefolder(tmp_path / "set", words()))
    dataset = prepare(source, height=height, width=None, progress=lambda *c: calls.append(c))
    high = height or 32
    assert dataset.values.dtype == torch.uint8
    assert dataset.written is not None
    assert dataset.written.texts == TEXTS
    assert dataset.written.writers is None
    widths = dataset.written.widths
    assert dataset.values.shape == (sum(widths), high)
    assert (dataset.kind, dataset.labels, dataset.classes, calls) == (
        "words",
        None,
        None,
        [(10, 10)],
    )
    for row, text, width in zip(dataset.strip[torch.arange(10)], TEXTS, widths, strict=True):
        assert np.array_equal(row[0, :, :width], decode_word(bars(text), text, Line(high)))
        assert (row[..., width:] == 255).all()


def test_a_word_without_a_writer_among_others_is_of_an_unknown_one(tmp_path: Path) -> None:
    rows: list[object] = [{"file_name": "0.png", "text": "mot", "writer": w} for w in ("a", None)]
    write(tmp_path / "set", {"0.png": png(bars("mot")), "metadata.jsonl": jsonl(rows)})
    written = prepared(str(tmp_path / "set")).written
    assert written is not None
    assert written.writers == ["a", "unknown"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_second_reading_is_the_first(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = LAYOUTS[layout](tmp_path / "set", words())
    first = prepared(spec)
    shutil.copytree(tmp_path / "set", tmp_path / "elsewhere" / "set")
    monkeypatch.setattr(words_decode, "decode_word", lambda *_: 1 / 0)
    for again in (prepared(spec), prepared(str(tmp_path / "elsewhere" / "set"))):
        assert torch.equal(again.values, first.values)
        assert (again.written, again.digest, again.skipped) == (first.written, first.digest, [])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_text_is_another_digest(tmp_path: Path, layout: str) -> None:
    first = prepared(LAYOUTS[layout](tmp_path / "set", words()))
    changed = [("nu" if text == "un" else text, picture) for text, picture in words()]
    second = prepared(LAYOUTS[layout](tmp_path / "set", changed))
    assert torch.equal(first.values, second.values)
    assert second.written is not None
    assert second.written.texts == ["nu", *TEXTS[1:]]
    assert second.digest != first.digest


class InMemory(Source):
    """Words that lie in no file."""

    kind = "words"
    name = "memory"

    def __init__(self, texts: list[str], writer: str | None = None) -> None:
        self.items = [Item(text, bars("un"), text=text, writer=writer) for text in texts]

    def __len__(self) -> int:
        return len(self.items)

    def read(self, step: int = 1) -> Any:
        yield from self.items[::step]


def test_what_lies_in_no_file_is_known_by_its_pixels_texts_and_writers(cache: Path) -> None:
    sources = [InMemory(["un", "nu"]), InMemory(["un", "un"]), InMemory(["un", "nu"], "a")]
    digests = [prepare(source, height=32, width=None).digest for source in sources]
    assert len(set(digests)) == 3
    assert prepare(InMemory(["un", "nu"]), height=32, width=None).digest == digests[0]
    assert not cache.exists()


@pytest.mark.parametrize("record", ["5", "null", '"x"', "[]", "texts", "widths", "written"])
def test_a_damaged_record_is_made_again(tmp_path: Path, cache: Path, record: str) -> None:
    spec = imagefolder(tmp_path / "set", words())
    first = prepared(spec)
    (path,) = (cache / "decoded").glob("*/record.json")
    content = json.loads(path.read_text())
    if record == "written":
        content["written"] = []
    elif record in content["written"]:
        content["written"][record].pop()
    path.write_text(record if record in ("5", "null", '"x"', "[]") else json.dumps(content))
    second = prepared(spec)
    assert (second.written, second.digest) == (first.written, first.digest)


def test_large_crops_travel_in_short_chunks() -> None:
    taken = []

    def crops() -> Any:
        for number in range(1000):
            taken.append(number)
            # Of no memory, but as large as it says.
            yield Item(str(number), np.broadcast_to(np.uint8(0), (CHUNK_BYTES // 4096, 4096)))
        yield Skipped("last", "it is")

    results = map_items(lambda item: item.name, crops())
    next(results)
    assert len(taken) <= 33
    assert len(list(results)) == 1000
