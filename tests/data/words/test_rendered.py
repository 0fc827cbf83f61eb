"""Words that are rendered: always the same, of many hands, and only of what the pen knows."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gansmith.data import RENDERED, Source, open_source, prepare
from gansmith.data.words.rendered import (
    COUNT,
    DIGIT_STRINGS,
    HEIGHT,
    WRITERS,
    DigitStrings,
    Hand,
    RenderedWords,
    can_write,
    word_list,
)
from gansmith.data.words.text import normalise
from gansmith.errors import GansmithError
from tests.data.words.builders import items_of

pytest.importorskip("cv2")

SOURCES = [RenderedWords(), DigitStrings()]


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def some(source: Source, step: int = 97) -> list[tuple[str | None, str | None, bytes]]:
    items = [item for item in source.read(step) if not isinstance(item.content, bytes)]
    return [(item.text, item.writer, np.asarray(item.content).tobytes()) for item in items]


@pytest.mark.parametrize("source", SOURCES)
def test_they_are_always_the_same(source: Source) -> None:
    first = some(source)
    assert some(type(source)()) == first
    assert len(first) == -(-len(source) // 97)
    assert len({picture for _, _, picture in first}) == len(first)


@pytest.mark.parametrize("source", SOURCES)
def test_they_are_dark_on_white(source: Source) -> None:
    for item in source.read(97):
        pixels = np.asarray(item.content)
        assert (pixels.dtype, pixels.shape[0]) == (np.uint8, HEIGHT)
        assert np.median(pixels) > 128
        assert pixels.min() < 128


@pytest.mark.parametrize("source", SOURCES)
def test_they_can_be_learnt_from(source: Source) -> None:
    class Sample(type(source)):
        def __len__(self) -> int:
            return 40

        def read(self, step: int = 1) -> object:
            return super().read(step * 75)

    dataset = prepare(Sample(), height=32, width=None)
    assert dataset.skipped == []
    assert dataset.written is not None
    assert len(dataset.written.texts) == len(dataset) == len(range(0, len(source), 75))


def test_counts_names_and_writers() -> None:
    assert set(RENDERED) == {"words", "digit-strings"}
    assert (len(open_source("words")), len(open_source("digit-strings"))) == (COUNT, DIGIT_STRINGS)
    items = items_of(RenderedWords(count=400))
    assert len(items) == 400
    assert {item.writer for item in items} <= {f"rendered {n}" for n in range(WRITERS)}
    assert len({item.writer for item in items}) > 0.9 * WRITERS
    assert {item.text for item in items} <= set(word_list())


def test_digit_strings_say_which_digits_they_are() -> None:
    texts = [text or "" for text, _, _ in some(DigitStrings(), 11)]
    assert {len(text) for text in texts} == {1, 2, 3, 4, 5, 6}
    assert set("".join(texts)) == set("0123456789")


def test_another_seed_is_of_other_hands() -> None:
    one, other = (some(RenderedWords(["mot"], 40, seed), 7) for seed in (0, 5))
    assert [text for text, _, _ in one] == [text for text, _, _ in other]
    assert all(a[2] != b[2] for a, b in zip(one, other, strict=True))


def test_every_text_of_the_lexicon_can_be_written() -> None:
    assert len(word_list()) > 700
    assert all(can_write(text) and normalise(text) == text for text in word_list())
    letters = sorted(set("".join(word_list())))
    hand = Hand(draw())
    assert all(hand.write(letter, draw()).min() < 160 for letter in letters)


@pytest.mark.parametrize("letters", ["éèêëÉÈÊ", "àâäåÀ", "çÇñã", "ïîôöûüù", "œŒæÆß", "čšž"])
def test_accents_are_seen(letters: str) -> None:
    hand = Hand(draw(3))
    plain = {"é": "e", "à": "a", "ç": "c", "ï": "i", "č": "c"}
    for letter in letters:
        assert can_write(letter)
        written = hand.write(letter, draw())
        if letter in plain:
            bare = hand.write(plain[letter], draw())
            assert written.shape != bare.shape or not np.array_equal(written, bare)


@pytest.mark.parametrize(
    "text", ["日本", "ø", "Ω", "a\u0302\u0323", "\u0301", "", "x" * 201, "a\nb"]
)
def test_what_the_pen_does_not_know_is_refused(text: str) -> None:
    assert not can_write(text)
    with pytest.raises(GansmithError, match=r"rendered hand can't write .{1,80}"):
        Hand(draw()).write(text, draw())
    with pytest.raises(GansmithError, match="rendered hand can't write"):
        list(RenderedWords([text], 3))


def test_the_longest_texts_can_be_written() -> None:
    for seed in range(3):
        wide = Hand(draw(seed)).write("W" * 200, draw())
        assert wide.shape[0] == HEIGHT
        assert wide.shape[1] > 200 * 8


def test_a_missing_opencv_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    for name in RENDERED:
        with pytest.raises(
            GansmithError, match=r"^Rendered words need OpenCV: pip install '[^\n]*$"
        ):
            list(open_source(name))


def test_an_opencv_without_the_fonts_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", SimpleNamespace(__version__="5.0.0"))
    with pytest.raises(GansmithError, match=r"which OpenCV 5\.0\.0 no longer has: pip install"):
        list(open_source("words"))


def test_a_folder_called_words_is_given_as_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").mkdir()
    assert isinstance(open_source("words"), RenderedWords)
    with pytest.raises(GansmithError, match="Expected words with their transcriptions"):
        open_source("./words", words=True)
