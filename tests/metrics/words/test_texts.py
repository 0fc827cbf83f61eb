"""What is written to be read: halves, lengths and characters."""

from __future__ import annotations

from collections import Counter

import pytest

from gansmith.data.words import characters
from gansmith.data.words.rendered import word_list
from gansmith.errors import GansmithError
from gansmith.metrics.words.texts import LONGEST, draw_texts

BEGINNINGS = ["abcdefghijklmnopqrst"[:n] for n in range(2, 21)]
TRAINING = [*BEGINNINGS, "été", "x!", "constitutionnellement"]
ALLOWED = set("abcdefghijklmnopqrstuvwxyzéèêàç'")


def test_half_are_new_and_of_every_length() -> None:
    texts, fresh = draw_texts(TRAINING, ALLOWED, 400, 0)
    assert (len(texts), sum(fresh)) == (400, 200)
    new = [text for text, is_new in zip(texts, fresh, strict=True) if is_new]
    assert not set(new) & set(TRAINING)
    assert Counter(map(len, new)) == dict.fromkeys(range(1, LONGEST + 1), 10)
    assert any(text in word_list() for text in new)
    assert any(text not in word_list() for text in new if 5 <= len(text) <= 8)
    old = Counter(text for text, is_new in zip(texts, fresh, strict=True) if not is_new)
    # x! has a character that is not allowed, constitutionnellement is too long.
    assert set(old) == set(TRAINING) - {"x!", "constitutionnellement"}
    assert max(old.values()) - min(old.values()) <= 1
    assert all(set(characters(text)) <= ALLOWED for text in texts)


def test_texts_are_a_function_of_the_seed() -> None:
    assert draw_texts(TRAINING, ALLOWED, 60, 3) == draw_texts(TRAINING, ALLOWED, 60, 3)
    assert draw_texts(TRAINING, ALLOWED, 60, 3) != draw_texts(TRAINING, ALLOWED, 60, 4)


def test_where_nothing_new_can_be_written_training_texts_are() -> None:
    training = ["ж" * n for n in range(1, 25)]
    texts, fresh = draw_texts(training, {"ж"}, 50, 0)
    assert len(texts) == 50
    assert not any(fresh)


def test_too_few_or_none_are_refused() -> None:
    with pytest.raises(GansmithError, match="-n: expected 40 words or more to be read, found 39"):
        draw_texts(TRAINING, ALLOWED, 39, 0)
    with pytest.raises(GansmithError, match="frequent characters to write, found none"):
        draw_texts(TRAINING, set(), 40, 0)
