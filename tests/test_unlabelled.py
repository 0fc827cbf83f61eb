"""Words without texts: shown to the discriminator, and to nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.kill import differences
from torch import Tensor

from gansmith import train, word_objectives
from gansmith.api import plan
from gansmith.data import Dataset, Written, open_unlabelled, prepare
from gansmith.dry_run import plan_lines
from gansmith.errors import GansmithError
from gansmith.loop import Limit, Session
from gansmith.report.story import read_story
from gansmith.run import RunFolder
from gansmith.stream import describe
from gansmith.watch import Silent
from gansmith.word_stream import POOL, WordStream
from gansmith.world import World
from tests.builders import CPU, word_dataset, words_config
from tests.data.words.builders import (
    alto,
    bars,
    imagefolder,
    page_part,
    page_xml,
    png,
    words,
    write,
)

PLANTED = 100  # a grey that labelled words do not have
SHORT = {"images": 4 * 12, "log_every": 3, "sample_every": 6, "checkpoint_every": 5, "samples": 12}


def unlabelled(count: int, width: int = 40) -> Dataset:
    """Grey words, some a column wider, of which nobody knows what they say."""
    widths = [width + 4 * (n % 2) for n in range(count)]
    values = torch.full((sum(widths), 32), PLANTED, dtype=torch.uint8)
    written = Written([""] * count, None, widths)
    return Dataset("grey", "words", values, None, None, [], "2" * 64, written)


def both(count: int = 40, others: int = 20) -> Dataset:
    return replace(word_dataset(count), unlabelled=unlabelled(others))


def stream(data: Dataset, world: World | None = None) -> WordStream:
    a_config = words_config(held_out=0.0)
    return WordStream(data, a_config, describe(data, a_config), world or World(), CPU)


def planted(words: Tensor) -> int:
    """How many of (N, 1, H, W) are grey ones."""
    return int(torch.isclose(words[:, 0, 0, 0], torch.tensor(1 - PLANTED / 255)).sum())


def test_the_discriminator_is_shown_both_in_proportion_and_the_recogniser_labelled_ones() -> None:
    found = stream(both())
    turns = range(15 * POOL // 4)  # 480 words, of 60: each comes 8 times
    deals, read = [found.deal(i) for i in turns], [found.batch(i) for i in turns]
    assert sum(planted(deal.real) for deal in deals) == pytest.approx(160, abs=20)
    assert sum(planted(batch.real) for batch in read) == 0
    assert all((batch.labels[:, 1] > 0).all() for batch in read)
    assert all((deal.asked[:, 1] > 0).all() for deal in deals)  # texts are the labelled ones'


def test_padding_beside_unlabelled_words_is_paper_and_their_labels_are_their_widths() -> None:
    found = stream(both())
    for deal in map(found.deal, range(POOL)):
        for word, label in zip(deal.real, deal.labels, strict=True):
            assert not word[..., int(label[0]) :].any()
            if planted(word[None]):
                assert label[0] in (40, 44)
                assert word[..., : int(label[0])].min() > 0.5
                assert not label[1:].any()
            else:
                assert label[1] > 0


def test_without_unlabelled_words_both_are_given_the_same() -> None:
    found = stream(word_dataset(40))
    for index in (0, 7, 40):
        assert torch.equal(found.deal(index).real, found.batch(index).real)


def test_a_deal_with_unlabelled_words_is_a_function_of_its_index_and_shared() -> None:
    one, other = stream(both()), stream(both())
    other.deal(50)
    assert all(map(torch.equal, one.deal(3), other.deal(3)))
    halves = [stream(both(), World(rank, 2)).deal(3) for rank in (0, 1)]
    assert torch.equal(torch.cat([h.labels[:, 0] for h in halves]), one.deal(3).labels[:, 0])
    assert planted(one.deal(3).real) == sum(planted(h.real) for h in halves)


def test_what_is_judged_by_is_labelled() -> None:
    found = stream(both())
    assert planted(found.reference(40).real) == planted(found.recent(8, 30).real) == 0
    assert found.size == 40
    assert len(found.labels) == 40


def test_words_wider_than_any_labelled_one_are_not_shown() -> None:
    data = replace(word_dataset(40), unlabelled=unlabelled(20, width=72))  # and 76; labelled: 72
    assert data.beside.tolist() == list(range(0, 20, 2))
    found = stream(data)
    assert {int(w) for i in range(POOL) for w in found.deal(i).labels[:, 0] if w > 72} == set()


class Stopper(Silent):
    def tick(self, progress: object) -> None:
        if progress.step == 8:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


def test_a_run_with_unlabelled_words_that_is_cut_off_ends_byte_identical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    learn = word_objectives.recogniser_losses

    def watched(network, lesson, images):  # type: ignore[no-untyped-def]
        seen.append(planted(lesson.words))
        return learn(network, lesson, images)

    monkeypatch.setattr(word_objectives, "recogniser_losses", watched)
    a_config = words_config(**SHORT, reading_from=50.0, on_failure="warn")

    def session(name: str, watcher: Silent | None = None, data: Dataset | None = None) -> Session:
        return Session(data or both(80, 40), a_config, RunFolder(tmp_path / name), watcher)

    session("whole").train()
    assert seen
    assert not any(seen)
    with pytest.raises(KeyboardInterrupt):
        session("cut", Stopper()).train()
    session("cut").train()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []
    assert "unlabelled: 40 words of grey" in (tmp_path / "whole" / "log.txt").read_text()
    for other in (replace(both(80), unlabelled=None), both(80, 41)):
        changed = replace(other.unlabelled, digest="3" * 64) if other.unlabelled else None
        with pytest.raises(GansmithError, match="trained on other unlabelled data than these"):
            session("whole", data=replace(other, unlabelled=changed)).train()
    saved = json.loads((tmp_path / "whole" / "model" / "model.json").read_text())
    assert saved["digest"] == "1" * 64  # of the labelled ones: what it is judged beside


def test_an_epoch_is_all_words_that_are_shown(tmp_path: Path) -> None:
    a_config = words_config(epochs=1)
    assert Session(both(40, 20), a_config, RunFolder(tmp_path)).limit.steps == 15
    assert Limit(a_config, 40).steps == 10


def folder(root: Path, count: int = 12) -> str:
    """Pictures alone, of about three characters."""
    return str(write(root, {f"{n}.png": png(bars("abc"[: 1 + n % 3])) for n in range(count)}))


@pytest.mark.parametrize("kind", ["folder", "told", "parquet", "boxes", "words of a page"])
def test_pictures_are_words_whatever_they_say(tmp_path: Path, kind: str) -> None:
    """The same words of any source, their texts not read."""
    spec = str(tmp_path / "set")
    if kind == "folder":
        folder(Path(spec))
    elif kind == "told":
        imagefolder(Path(spec), words())
        (Path(spec) / "metadata.jsonl").write_text("this is not read")
    elif kind == "boxes":
        alto(Path(spec), words())
    elif kind == "words of a page":  # without a text between them: find_words has no use for it
        cells = [(20, 8 + 40 * n, 48, 32) for n in range(5)]
        page = np.full((220, 100), 255, np.uint8)
        for x, y, w, h in cells:
            page[y : y + h, x : x + w] = bars("abc")
        body = "".join(page_part("Word", f"w{n}", None, cell) for n, cell in enumerate(cells))
        line = page_part("TextLine", "l", None, (20, 8, 48, 200), body)
        write(Path(spec), {"page.png": png(page), "page.xml": page_xml(line)})
    else:
        parquet, arrow = map(pytest.importorskip, ("pyarrow.parquet", "pyarrow"))
        table = {"image": [{"bytes": png(bars("abc")), "path": None}] * 4, "text": [None, "", 5, 7]}
        table["text"] = [str(t) if t else t for t in table["text"]]
        spec += ".parquet"
        parquet.write_table(arrow.table(table), spec)
    data = prepare(open_unlabelled(spec), height=32, width=None)
    assert data.kind == "words"
    assert len(data) == {"folder": 12, "parquet": 4, "words of a page": 5}.get(kind, 10)
    assert set(data.written.texts) == {""}
    assert data.written.writers is None
    if kind not in ("folder", "told", "boxes"):  # the ink, and a little paper: whole columns
        assert set(data.written.widths) == {44}


def test_a_picture_that_no_line_is_as_wide_as_is_skipped(tmp_path: Path) -> None:
    wide = np.tile(bars("abc", height=8), (1, 200))  # 4 × 3 × 200 wide, 8 high
    folder(tmp_path, 30)
    write(tmp_path, {"wide.png": png(wide)})
    (skipped,) = prepare(open_unlabelled(str(tmp_path)), height=32, width=None).skipped
    assert skipped.name == "wide.png"
    assert "wider than any line" in skipped.reason


def labelled(root: Path) -> str:
    return imagefolder(root, words(["un", "mot", "écrit", "la", "main"] * 8))


def test_a_run_from_a_folder_of_pictures(tmp_path: Path) -> None:
    source, more = labelled(tmp_path / "labelled"), folder(tmp_path / "more")
    settings = words_config(**SHORT, on_failure="warn", unlabelled=more).model_dump()
    for key in ("recipe", "source"):
        del settings[key]
    planned = plan(source, recipe="words", out=tmp_path / "run", settings=settings)
    lines = "\n".join(plan_lines(planned))
    assert "unlabelled: 12 words of more, shown to the discriminator beside 40 labelled" in lines
    train(source, recipe="words", out=tmp_path / "run", **settings)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["unlabelled"] == more
    assert "unlabelled: 12 words of more" in read_story(tmp_path / "run").log
    page = (tmp_path / "run" / "report.html").read_text()
    assert f"for the discriminator alone, the unlabelled words of {more}" in page


@pytest.mark.parametrize(
    ("recipe", "unlabelled", "said"),
    [
        ("fast", "more", "unlabelled: expected the recipe words, found fast"),
        ("words", "missing", "unlabelled: There is no data set, file or folder called"),
        ("words", "ring", "unlabelled: Expected pictures of words, but ring is points"),
        ("words", "broken", "unlabelled: None of the words can be used"),
        ("words", "empty", "unlabelled: Expected pictures"),
        ("words", "lines", r"no wider than the widest labelled one, \d+ pixels .* but 3 of 3 are"),
    ],
)
def test_what_can_not_be_used_is_said(
    tmp_path: Path, recipe: str, unlabelled: str, said: str
) -> None:
    source = labelled(tmp_path / "labelled")
    folder(tmp_path / "more")
    write(tmp_path / "broken", {"a.png": b"no picture", "b.png": b""})
    (tmp_path / "empty").mkdir()
    write(tmp_path / "lines", {f"{n}.png": png(bars("a" * 30)) for n in range(3)})
    spec = unlabelled if unlabelled == "ring" else str(tmp_path / unlabelled)
    settings = {"unlabelled": spec, "size": "32"}
    with pytest.raises(GansmithError, match=said):
        plan(source, recipe=recipe, out=tmp_path / "run", settings=settings)
    assert not (tmp_path / "run").exists()
