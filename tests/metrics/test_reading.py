"""A recogniser as a referee: its batches, its errors, and that it learns to read."""

from __future__ import annotations

import pytest
import torch

from gansmith.data import Strip
from gansmith.metrics.reading import Errors, batches_of, edit_distance, train_referee


def strokes(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Words of 2 to 5 characters 8 pixels wide: 1 a stroke above, 2 a stroke below."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(2, 6, (count,), generator=generator)
    codes = torch.randint(1, 3, (count, 5), generator=generator)
    codes = codes * (torch.arange(5) < lengths[:, None])
    values = torch.full((count, 1, 32, 40), 255, dtype=torch.uint8)
    for word, row in zip(values, codes.tolist(), strict=True):
        for place, code in enumerate(filter(None, row)):
            top = 4 if code == 1 else 18
            word[0, top : top + 10, 8 * place + 2 : 8 * place + 6] = 0
    return values, torch.cat([8 * lengths[:, None], codes], 1)


def test_batches_hold_every_word_once_an_epoch_and_are_a_function_of_seed_and_step() -> None:
    values, labels = strokes(96)
    values[:, 0, 0, 0] = torch.arange(96)
    batch, again, other = (batches_of(values, labels, seed, 8) for seed in (1, 1, 2))
    # Pools straddle epochs: 12 batches an epoch, 32 a pool, 8 epochs in 3 pools.
    seen = [int(n) for step in range(96) for n in batch(step)[0][:, 0, 0, 0]]
    assert sorted(seen) == sorted(list(range(96)) * 8)
    assert all(torch.equal(a, b) for a, b in zip(batch(40), again(40), strict=True))
    assert not all(torch.equal(batch(s)[1], other(s)[1]) for s in range(4))


def test_batches_are_as_wide_as_their_widest_word_asks() -> None:
    values, labels = strokes(400)
    batch = batches_of(values, labels, 0, 8)
    for step in range(32):
        words, rows = batch(step)
        assert words.shape[3] == -(-int(rows[:, 0].max()) // 16) * 16
    spread = [int(rows[:, 0].max() - rows[:, 0].min()) for _, rows in map(batch, range(32))]
    assert sum(spread) / 32 < 8  # of 24 pixels between the narrowest and the widest


def test_a_data_sets_words_are_taken_as_others_are() -> None:
    values, labels = strokes(96)
    columns = [v[0, :, :w].T for v, w in zip(values, labels[:, 0].tolist(), strict=True)]
    strip = Strip(torch.cat(columns), labels[:, 0])
    ours, others = (batches_of(words, labels, 0, 8) for words in (strip, values))
    for step in range(32):
        assert all(map(torch.equal, ours(step), others(step)))


@pytest.mark.parametrize(
    ("a", "b", "edits"),
    [("", "", 0), ("kitten", "sitting", 3), ("", "abc", 3), ("flaw", "lawn", 2), ("aa", "a", 1)],
)
def test_edit_distance(a: str, b: str, edits: int) -> None:
    assert edit_distance([*map(ord, a)], [*map(ord, b)]) == edits
    assert edit_distance([*map(ord, b)], [*map(ord, a)]) == edits


def test_errors_are_those_of_all_characters_and_of_whole_words() -> None:
    errors = Errors(torch.tensor([0, 1, 3]), torch.tensor([4, 4, 2]))
    assert errors.cer == pytest.approx(4 / 10)
    assert errors.wer == pytest.approx(2 / 3)


def test_a_referee_learns_to_read_and_what_it_sees_is_a_words_own() -> None:
    values, labels = strokes(256)
    referee = train_referee(batches_of(values, labels, 0, 16), 2, steps=100)
    before = train_referee(batches_of(values, labels, 0, 16), 2, steps=1)
    assert referee.errors(values, labels).cer < 0.1 < before.errors(values, labels).cer
    # A word's features are the same in any company, and in any order.
    features = referee.features(values[:64], labels[:64, 0])
    alone = torch.cat([referee.features(values[n : n + 1], labels[n : n + 1, 0]) for n in range(9)])
    torch.testing.assert_close(features[:9], alone, atol=1e-5, rtol=1e-4)
    assert referee.texts(values[:64], labels[:64, 0])[:9] == [
        referee.texts(values[n : n + 1], labels[n : n + 1, 0])[0] for n in range(9)
    ]
