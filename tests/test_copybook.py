"""Rendered words beside real ones: for the recogniser, and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.kill import differences

from gansmith import word_stream
from gansmith.api import plan
from gansmith.data import Dataset
from gansmith.dry_run import plan_lines
from gansmith.errors import GansmithError
from gansmith.loop import Session
from gansmith.run import RunFolder
from gansmith.stream import describe
from gansmith.word_stream import POOL, WordStream
from gansmith.world import World
from tests.builders import CPU, word_dataset, words_config
from tests.data.words.builders import imagefolder, words
from tests.test_unlabelled import SHORT, Stopper, both

pytest.importorskip("cv2")


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,000 words take seconds to render."""
    monkeypatch.setattr(word_stream, "COUNT", 300)


def stream(data: Dataset | None = None, world: World | None = None, **changes: Any) -> WordStream:
    a_config = words_config(**{"held_out": 0.0} | changes)
    data = data or word_dataset(80)
    return WordStream(data, a_config, describe(data, a_config), world or World(), CPU)


def test_a_lesson_is_a_batch_and_as_many_rendered_words_of_such_texts() -> None:
    plain, found = stream(), stream(copybook="yes")
    texts = set(word_dataset(80).written.texts)
    chances = {a[:i] + b[j:] for a in texts for b in texts for i in range(1, 7) for j in range(7)}
    said = set()
    for index in range(POOL):
        (real, labels), lesson = plain.batch(index), found.lesson(index)
        assert lesson.copied
        assert torch.equal(lesson.words[::2, ..., : real.shape[3]], real)
        assert torch.equal(lesson.labels[::2, 0], labels[:, 0])
        for word, label in zip(lesson.words[1::2], lesson.labels[1::2], strict=True):
            assert word[:, :, : int(label[0])].max() > 0.3  # ink
            assert not word[:, :, int(label[0]) :].any()
            said.add("".join("abcdé"[c - 1] for c in label[1:].tolist() if c))
        assert torch.equal(found.deal(index).real, plain.deal(index).real)  # as it was
    again = stream(copybook="yes").lesson(POOL - 1)  # whatever was read before
    assert all(map(torch.equal, again[:2], lesson[:2]))
    assert said <= chances
    assert len(said) > 40
    assert [len(part) for part in plain.lesson(0)[:2]] == [4, 4]
    assert not plain.lesson(0).copied


def test_a_copybook_of_what_no_pen_can_write_is_refused() -> None:
    a_config, data = words_config(copybook="yes"), word_dataset(40, "αβγδε")
    with pytest.raises(
        GansmithError, match="copybook: the rendered hand can write only 0 of 40 texts, or"
    ):
        WordStream(data, a_config, describe(data, a_config), World(), CPU)
    found = stream(data, copybook="auto")
    assert found.remarks == ["copybook: none: the rendered hand can write only 0 of 40 texts"]
    assert not found.lesson(0).copied


def test_it_comes_behind_unlabelled_words_and_only_the_recogniser_sees_it() -> None:
    data = both(80, 40)
    plain, found = stream(data), stream(data, copybook="yes")
    assert len(found.strips) == 3
    assert len(found.copybook) == len(found.strips[2])
    assert int(found.copybook[0]) == 120
    for index in range(POOL):
        assert all(map(torch.equal, found.deal(index), plain.deal(index)))
        assert (found.lesson(index).labels[:, 1] > 0).all()  # all say something
    assert [r.split(":")[0] for r in found.remarks] == ["unlabelled", "copybook"]


def test_what_is_held_out_is_not_copied() -> None:
    """Of one word held out that alone has its letters, none is rendered."""
    data = word_dataset(80)
    assert data.written is not None
    found = stream(data, held_out=0.0)
    held = stream(data, held_out=0.5, copybook="yes")
    rows = set(held.rows.tolist())
    assert len(rows) < 60 < len(found.rows)
    kept = [data.written.texts[n] for n in sorted(rows)]
    chances = {a[:i] + b[j:] for a in kept for b in kept for i in range(1, 7) for j in range(7)}
    assert held.known is not None
    said = {
        "".join("abcdé"[c - 1] for c in row if c)
        for row in held.known[held.copybook][:, 1:].tolist()
    }
    assert said <= chances


def test_processes_share_a_lesson() -> None:
    whole = stream(copybook="yes").lesson(3)
    halves = [stream(world=World(rank, 2), copybook="yes").lesson(3) for rank in (0, 1)]
    together = torch.cat([half.labels[:, 0] for half in halves])
    assert torch.equal(together, whole.labels[:, 0])
    assert len(together) == 8


def test_another_seed_has_another_copybook() -> None:
    a, b = (stream(copybook="yes", seed=seed).strips[1] for seed in (0, 1))
    assert not torch.equal(a.widths[:50], b.widths[:50])


def test_a_run_with_a_copybook_that_is_cut_off_ends_byte_identical(tmp_path: Path) -> None:
    a_config = words_config(**SHORT, reading_from=50.0, on_failure="warn", copybook="yes")

    def session(name: str, watcher: Any = None) -> Session:
        return Session(word_dataset(80), a_config, RunFolder(tmp_path / name), watcher)

    session("whole").train()
    with pytest.raises(KeyboardInterrupt):
        session("cut", Stopper()).train()
    session("cut").train()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []
    said = (tmp_path / "whole" / "log.txt").read_text()
    assert "copybook: 4,000 rendered words to learn to read from besides" in said


def test_the_recipe_for_few_words_reads_any_source_of_words(tmp_path: Path) -> None:
    """Named or chosen; and what it comes to is said before anything is done."""
    place = tmp_path / "few"
    imagefolder(place, words(["abcdébad"[:n] for n in range(4, 9)] * 10))
    for asked in ("words-few", None):
        found = plan(str(place), recipe=asked, out=tmp_path / "run")
        assert found.config.recipe == "words-few"
        assert found.spec.kind == "words"
        assert "copybook: 4,000 rendered words" in "\n".join(plan_lines(found))


def test_a_setting_that_only_words_take_is_taken_before_the_data_are_seen(tmp_path: Path) -> None:
    place = tmp_path / "few"
    imagefolder(place, words(["abcdébad"[:n] for n in range(4, 9)] * 10))
    for recipe in ("words", None):
        settings = {"copybook": "yes"}
        found = plan(str(place), recipe=recipe, out=tmp_path / "run", settings=settings)
        assert found.config.copybook == "yes"
    with pytest.raises(GansmithError, match="copybook: only words have a recogniser"):
        plan("digits", out=tmp_path / "run", settings={"copybook": "yes"})
