"""Words that are measured: chosen, set aside, brought to one height."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansmith.errors import GansmithError
from gansmith.metrics.words.sets import Words, gather, set_aside, words_of
from tests.builders import dataset, word_dataset


def a_set(count: int, writers: int | None) -> Words:
    values = torch.randint(0, 256, (count, 1, 32, 16), dtype=torch.uint8)
    names = None if writers is None else tuple(f"w{n % writers}" for n in range(count))
    return Words(values, torch.full((count,), 16), tuple("a" * count), names)


def test_the_words_of_a_data_set_and_their_labels() -> None:
    words = words_of(word_dataset(20)).at([3, 5])
    assert words.texts == tuple(word_dataset(20).written.texts[n] for n in (3, 5))  # type: ignore[union-attr]
    labels = words.labels("abcdé")
    assert labels[:, 0].tolist() == words.widths.tolist()
    assert ["abcdé"[n - 1] for n in labels[0, 1:].tolist() if n] == list(words.texts[0])
    with pytest.raises(GansmithError, match="words with what they say, found none in random"):
        words_of(dataset())


def test_words_twice_as_high_are_brought_to_half_their_size() -> None:
    high, usual = (words_of(word_dataset(12, height=height)) for height in (64, 32))
    assert high.values.shape[2] == 32
    assert torch.equal(high.widths, usual.widths)
    images = [np.full((64, 16), 7, np.uint8), np.zeros((64, 24), np.uint8)]
    gathered = gather(images, ["a", "b"])
    assert gathered.values.shape == (2, 1, 32, 12)
    assert gathered.widths.tolist() == [8, 12]
    assert gathered.values[0, 0, 0].tolist() == [7] * 8 + [255] * 4


def test_whole_writers_are_set_aside_and_words_where_they_are_unknown() -> None:
    words = a_set(400, 40)
    rows, kept, kind = set_aside(words)
    assert kind == "writers"
    assert sorted([*rows.tolist(), *kept.tolist()]) == list(range(400))
    assert not set(words.at(rows).writers or ()) & set(words.at(kept).writers or ())
    assert 40 <= len(kept) < 60  # a tenth, and the rest of a writer at most
    for writers in (None, 3):
        rows, kept, kind = set_aside(a_set(400, writers))
        assert (kind, len(kept), len(rows)) == ("words", 40, 360)


def test_another_transcription_is_another_set() -> None:
    words = a_set(30, None)
    other = Words(words.values, words.widths, ("b", *words.texts[1:]))
    assert words.identity == words.at(range(30)).identity != other.identity
