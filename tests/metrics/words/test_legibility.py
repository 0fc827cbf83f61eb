"""Errors by length and by character, in cases that can be counted by hand."""

from __future__ import annotations

import itertools

import pytest
import torch

from gansmith.metrics.reading import Errors, edit_distance
from gansmith.metrics.words.legibility import described, legibility, misread, parts_of
from gansmith.metrics.words.referee import Judge
from gansmith.metrics.words.sets import Words


class Reader:
    """A referee that reads words as it was told."""

    def __init__(self, texts: list[str], alphabet: str):
        self.read = [[alphabet.index(c) + 1 for c in text] for text in texts]

    def texts(self, values: torch.Tensor, widths: torch.Tensor) -> list[list[int]]:
        return self.read


def reading(read: list[str], wanted: list[str]) -> object:
    alphabet = "".join(sorted(set("".join(read + wanted))))
    values = torch.full((len(wanted), 1, 32, 8), 255, dtype=torch.uint8)
    judge = Judge(Reader(read, alphabet), tuple(alphabet), (99,) * len(alphabet), 1, "")  # type: ignore[arg-type]
    return legibility(judge, Words(values, torch.full((len(wanted),), 8), tuple(wanted)))


@pytest.mark.parametrize(
    ("read", "wanted", "wrong"),
    [
        ("abc", "abc", [False, False, False]),
        ("axc", "abc", [False, True, False]),
        ("ac", "abc", [False, True, False]),
        ("abxc", "abc", [False, False, False]),
        ("", "ab", [True, True]),
        ("ab", "", []),
        ("bc", "abc", [True, False, False]),
    ],
)
def test_which_characters_are_misread(read: str, wanted: str, wrong: list[bool]) -> None:
    assert misread(read, wanted) == wrong


def test_as_few_characters_are_misread_as_edits_say() -> None:
    """Each misread character costs an edit; what is read beside them costs the rest."""
    texts = ["".join(t) for n in range(4) for t in itertools.product("ab", repeat=n)]
    for read, wanted in itertools.product(texts, texts):
        edits, wrong = edit_distance([*map(ord, read)], [*map(ord, wanted)]), misread(read, wanted)
        kept = len(wanted) - sum(wrong)
        assert sum(wrong) <= edits
        assert edits >= len(read) - kept - sum(wrong)


def test_errors_by_length_and_character() -> None:
    found = reading(["a", "abXd", "XXXXXXX"] + ["q"] * 20, ["a", "abcd", "abcdefg"] + ["q"] * 20)
    by_length = found.by_length()  # type: ignore[attr-defined]
    assert by_length["1-3"] == {"words": 21, "cer": 0.0, "wer": 0.0}
    assert by_length["4-6"] == {"words": 1, "cer": 0.25, "wer": 1.0}
    assert by_length["7-10"] == {"words": 1, "cer": 1.0, "wer": 1.0}
    assert "11-20" not in by_length
    assert found.worst() == [("q", 0.0, 20)]  # type: ignore[attr-defined]  # others are too rare
    assert found.misread("c") == 1.0  # type: ignore[attr-defined]
    assert found.misread("a") == pytest.approx(1 / 3)  # type: ignore[attr-defined]
    assert found.misread("z") is None  # type: ignore[attr-defined]
    assert described(found, found)["worst"][0] == {  # type: ignore[arg-type]
        **{"character": "q", "made": 0.0, "real": 0.0, "times": 20}
    }
    assert parts_of(found, torch.tensor([False, True, True] + [False] * 20)).cer == pytest.approx(  # type: ignore[arg-type]
        8 / 11
    )


def test_the_error_of_a_rate_is_that_of_a_ratio_of_sums() -> None:
    found = reading(["a", "X"] * 50, ["a", "a"] * 50)
    # Words of one length: the CER is a mean of 100 draws of 0 or 1.
    assert found.errors.cer == 0.5  # type: ignore[attr-defined]
    assert found.cer_error == pytest.approx(0.05)  # type: ignore[attr-defined]
    assert found.wer_error == pytest.approx(0.05)  # type: ignore[attr-defined]
    assert Errors(torch.tensor([1]), torch.tensor([2])).cer == 0.5
