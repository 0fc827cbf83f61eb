"""Pictures for people: everything on them, and the key to it."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from gansmith.metrics.memorisation import audit
from gansmith.metrics.words.sets import Words, gather, words_of
from gansmith.metrics.words.sheet import EACH, closest_words, mixed_sheet, one_form
from tests.builders import word_dataset


def flat(level: int, count: int, width: int = 60, text: str = "abcd") -> Words:
    return gather([np.full((32, width), level, np.uint8)] * count, [text] * count)


def tiles(sheet: Image.Image) -> list[int]:
    """The level in the middle of each word, in reading order."""
    pixels = np.asarray(sheet).astype(int)
    rows = [64 * n + 18 * (n + 1) + 32 for n in range(10)]
    width = 2 * 60 + 34 + 18
    return [int(pixels[y, 18 + n * width + 34 + 60]) for y in rows for n in range(4)]


def test_real_and_made_are_mixed_and_the_key_says_which() -> None:
    sheet, key = mixed_sheet(flat(100, 30), flat(200, 30), seed=0)
    levels = tiles(sheet)
    assert len(levels) == 2 * EACH
    assert [n for n, level in enumerate(levels, start=1) if level == 200] == key
    assert [n for n, level in enumerate(levels, start=1) if level == 100] == sorted(
        set(range(1, 41)) - set(key)
    )
    assert key != list(range(21, 41))  # mixed
    assert mixed_sheet(flat(100, 30), flat(200, 30), seed=1)[1] != key
    assert mixed_sheet(flat(100, 30), flat(200, 30), seed=0)[1] == key


def test_wide_and_short_words_come_last() -> None:
    wide, narrow = flat(50, 30, 250), flat(100, 25)
    images = [
        w.values[0, 0, :, : int(w.widths[0])].numpy() for w in (wide, narrow) for _ in range(25)
    ]
    words = gather(images, ["abcd"] * 50)
    sheet, _ = mixed_sheet(words, words, seed=0)
    assert 50 not in np.asarray(sheet)


def test_words_of_any_width_are_brought_to_one_form() -> None:
    words = gather([np.full((32, w), 90, np.uint8) for w in (8, 64, 300)], ["a", "b", "c"])
    formed = one_form(words)
    assert formed.shape == (3, 1, 32, 128)
    assert (formed == 90).all()


def test_the_closest_pairs_stand_beside_each_other() -> None:
    train = words_of(word_dataset(30))
    made = train.at(torch.arange(29, -1, -1))
    features = one_form(train).flatten(1).float()
    found = audit(features, None, features.flip(0), closest=4)
    sheet = np.asarray(closest_words(found, made, train))
    width = (sheet.shape[1] - 3 * 18) // 2
    for n in range(4):
        top, left = 18 + n // 2 * 50, 18 + n % 2 * (width + 18)
        pair = sheet[top : top + 32, left : left + width]
        assert np.array_equal(pair[:, : width // 2], pair[:, width // 2 :])
        assert (pair < 128).any()
