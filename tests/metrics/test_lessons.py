"""What recognisers learn from: halves of batches, the control, what is left out, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gansmith.metrics import lessons
from gansmith.metrics.kept import Kept
from gansmith.metrics.lessons import Lesson, Pool, Words, gather, mixed, shuffled, words_of
from gansmith.metrics.reading import Batches, Errors
from gansmith.runtime import Precision
from tests import builders

ALPHABET = tuple("abcdé")
REAL, MADE = 100, 200  # the first pixel says whose word it is


def words(count: int, mark: int, length: int = 4) -> Words:
    generator = torch.Generator().manual_seed(mark)
    lengths = torch.randint(1, length + 1, (count,), generator=generator)
    codes = torch.randint(1, 6, (count, length), generator=generator)
    codes = codes * (torch.arange(length) < lengths[:, None])
    values = torch.full((count, 1, 32, 16 * length), 255, dtype=torch.uint8)
    values[:, 0, 0, 0] = mark
    values[:, 0, 0, 1] = torch.arange(count)
    return Words(values, torch.cat([16 * lengths[:, None], codes], 1))


def whose(batch: tuple[Tensor, Tensor]) -> list[int]:
    return batch[0][:, 0, 0, 0].tolist()


def test_half_of_a_batch_is_made_but_for_the_last_fifth() -> None:
    batches = mixed(words(40, REAL), words(70, MADE, 6), steps=10, seed=3, size=8)
    for step in range(10):
        values, labels = batches(step)
        assert len(values) == len(labels) == 8
        assert whose((values, labels)).count(MADE) == (4 if step < 8 else 0)
        assert values.shape[3] % 16 == 0
        assert values.shape[3] >= labels[:, 0].max()


def test_real_words_alone_are_dealt_alike_in_every_arm() -> None:
    real = words(40, REAL)
    alone = mixed(real, None, steps=10, seed=3, size=8)
    beside = mixed(real, words(70, MADE), steps=10, seed=3, size=8)
    for step in (8, 9):
        assert all(torch.equal(a, b) for a, b in zip(alone(step), beside(step), strict=True))


def test_halves_meet_words_of_like_width() -> None:
    batches = mixed(words(400, REAL), words(600, MADE), steps=100, seed=0, size=16)
    spread = [(b[1][:8, 0].max() - b[1][8:, 0].max()).abs() for b in map(batches, range(64))]
    assert float(torch.stack(spread).float().mean()) < 4  # of 64


def test_the_control_keeps_pictures_and_permutes_texts() -> None:
    before = words(200, MADE)
    after = shuffled(before, seed=1)
    assert torch.equal(before.values, after.values)
    assert torch.equal(before.labels[:, 0], after.labels[:, 0])  # a picture keeps its width

    def texts(of: Words) -> list[list[int]]:
        return of.labels[:, 1:].tolist()

    assert sorted(texts(before)) == sorted(texts(after))
    moved = sum(a != b for a, b in zip(texts(before), texts(after), strict=True))
    assert moved > 120  # some texts of one or two characters are there more than once
    lengths = [(x.labels[:, 1:] > 0).sum(1) for x in (before, after)]
    assert int((lengths[0] - lengths[1]).abs().max()) <= 3
    assert int((lengths[0] != lengths[1]).sum()) <= 4  # where one length ends and the next begins


def test_words_are_taken_as_they_are() -> None:
    data = builders.word_dataset(6)
    assert data.written is not None
    taken = words_of(data, ALPHABET)
    everything = torch.arange(len(data))
    words, widths = data.strip[everything], data.written.widths
    pictures = [word[0, :, :width].numpy() for word, width in zip(words, widths, strict=True)]
    again = gather(zip(pictures, data.written.texts, strict=True), ALPHABET)
    assert torch.equal(taken.values[everything], again.values[everything])
    assert torch.equal(taken.labels, again.labels)


class Reader:
    """A recogniser that misreads the last words of what it is given."""

    def errors(self, values: Tensor, labels: Tensor) -> Errors:
        edits = (torch.arange(len(values)) >= 0.8 * len(values)).long()
        return Errors(edits, (labels[:, 1:] > 0).sum(1))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, list[int]]]:
    """Of each training its steps, its seed and whose words the first batch had."""
    calls: list[tuple[int, int, list[int]]] = []

    def train(batches: Batches, characters: int, *, steps: int, seed: int, **_: object) -> Reader:
        calls.append((steps, seed, whose(batches(0))))
        return Reader()

    monkeypatch.setattr(lessons, "train_referee", train)
    return calls


def lesson(folder: Path | None, seed: int = 0, steps: int = 10) -> Lesson:
    precision = Precision("fp32", torch.device("cpu"))
    return Lesson("these words", words(20, REAL), 5, steps, seed, precision, Kept(folder))


def counted(make: Callable[[], Words], made: list[str]) -> Callable[[], Words]:
    def counting() -> Words:
        made.append("a pool")
        return make()

    return counting


def test_arms_differ_by_their_words_alone(trained: list[tuple[int, int, list[int]]]) -> None:
    real, pool = words(64, REAL), Pool("made", lambda: words(64, MADE))
    found = lesson(None).edits(real, None, 3)
    lesson(None).edits(real, pool, 3)
    assert found.tolist() == [[0] * 16 + [1] * 4] * 3
    alone, beside = trained[:3], trained[3:]
    assert [call[:2] for call in alone] == [call[:2] for call in beside]
    assert len({seed for _, seed, _ in alone}) == 3
    assert {tuple(sorted(call[2])) for call in alone} == {(REAL,) * 32}
    assert {tuple(sorted(call[2])) for call in beside} == {(REAL,) * 16 + (MADE,) * 16}


def test_what_was_trained_is_not_trained_again(
    tmp_path: Path, trained: list[tuple[int, int, list[int]]]
) -> None:
    real, made = words(64, REAL), list[str]()
    pool = Pool("made", counted(lambda: words(64, MADE), made))
    first = lesson(tmp_path).edits(real, pool, 2)
    assert (len(trained), len(made)) == (2, 2)
    assert torch.equal(lesson(tmp_path).edits(real, pool, 2), first)
    assert (len(trained), len(made)) == (2, 2)  # nor is anything written for it
    lesson(tmp_path).edits(real, pool, 3)
    assert len(trained) == 3  # one more seed is one more training
    others = [
        (lesson(tmp_path), real, Pool("otherwise", pool.make)),
        (lesson(tmp_path), real, None),
        (lesson(tmp_path), words(60, REAL), pool),
        (lesson(tmp_path, seed=1), real, pool),
        (lesson(tmp_path, steps=11), real, pool),
    ]
    for number, (other, some, beside) in enumerate(others, start=4):
        other.edits(some, beside, 1)
        assert len(trained) == number


def test_the_words_that_are_read_worst_are_left_out(
    trained: list[tuple[int, int, list[int]]],
) -> None:
    pool = Pool("made", lambda: words(50, MADE))
    left = lesson(None).without_worst(words(64, REAL), pool)
    assert trained == []
    assert left.make().values[:, 0, 0, 1].tolist() == list(range(40))
    left.make()
    assert len(trained) == 1
    assert set(trained[0][2]) == {REAL}  # by one that knows real words alone
    assert left.key != pool.key
