"""The referee in the cache: trained once, and anew where it is damaged or the words are others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from gansmith.errors import GansmithError
from gansmith.metrics.words import referee as module
from gansmith.metrics.words.referee import judge_for
from gansmith.metrics.words.sets import Words, words_of
from tests.builders import word_dataset


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each training there was."""
    done: list[int] = []
    train = module.train_referee

    def note(*arguments: Any, **options: Any) -> Any:
        done.append(options["steps"])
        return train(*arguments, **options)

    monkeypatch.setattr(module, "train_referee", note)
    return done


WORDS = words_of(word_dataset(80))


def test_a_referee_is_trained_once(tmp_path: Path, trainings: list[int]) -> None:
    torch.manual_seed(5)
    first = judge_for(WORDS, "d", steps=2, cache_dir=tmp_path)
    drawn = torch.rand(3)
    torch.manual_seed(5)
    again = judge_for(WORDS, "d", steps=2, cache_dir=tmp_path)
    assert trainings == [2]
    assert torch.equal(drawn, torch.rand(3))  # nobody else's randomness is touched
    assert (first.weights, first.alphabet, first.counts) == (
        *(again.weights, again.alphabet),
        again.counts,
    )
    assert first.referee.texts(WORDS.values, WORDS.widths) == again.referee.texts(
        WORDS.values, WORDS.widths
    )
    (entry,) = (tmp_path / "referees").iterdir()
    record = json.loads((entry / "referee.json").read_text())
    assert (record["digest"], record["words"], record["steps"]) == ("d", 80, 2)


def test_other_words_or_steps_make_another(tmp_path: Path, trainings: list[int]) -> None:
    said = Words(WORDS.values, WORDS.widths, ("a", *WORDS.texts[1:]))
    for words, digest, steps in ((WORDS, "d", 1), (WORDS, "e", 1), (WORDS, "d", 2), (said, "d", 1)):
        judge_for(words, digest, steps=steps, cache_dir=tmp_path)
    assert trainings == [1, 1, 2, 1]


@pytest.mark.parametrize("damage", ["weights.safetensors", "manifest.json"])
def test_a_damaged_one_is_trained_anew(tmp_path: Path, trainings: list[int], damage: str) -> None:
    first = judge_for(WORDS, "d", steps=1, cache_dir=tmp_path)
    (entry,) = (tmp_path / "referees").iterdir()
    (entry / damage).write_bytes(b"\0" * (entry / damage).stat().st_size)
    again = judge_for(WORDS, "d", steps=1, cache_dir=tmp_path)
    assert judge_for(WORDS, "d", steps=1, cache_dir=tmp_path).weights == again.weights
    assert trainings == [1, 1]
    assert first.weights == again.weights  # the same words give the same referee


def test_a_cache_that_takes_nothing_costs_no_training(tmp_path: Path) -> None:
    (tmp_path / "referees").write_text("in the way")
    said: list[str] = []
    assert judge_for(WORDS, "d", steps=1, cache_dir=tmp_path, say=said.append).steps == 1
    assert "can't keep the recogniser" in said[-1]


def test_it_knows_its_characters_and_which_are_frequent(tmp_path: Path) -> None:
    texts = ("ab",) * 60 + ("c",) * 20
    judge = judge_for(Words(WORDS.values, WORDS.widths, texts), "d", steps=1, cache_dir=tmp_path)
    assert (judge.alphabet, judge.counts) == (("a", "b", "c"), (60, 60, 20))
    assert judge.frequent == {"a", "b"}
    with pytest.raises(GansmithError, match=r"64 real words or more .* found 3 words"):
        judge_for(WORDS.at([0, 1, 2]), "d", steps=1, cache_dir=tmp_path)
