"""A run of words beside real ones: from its folder to figures, sentences and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from gansmith import word_evaluation
from gansmith.assess import evaluate
from gansmith.cli import app
from gansmith.data import open_source, prepare
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.metrics.features import random_space
from gansmith.metrics.protocol import Evaluation, compare, read_evaluation
from gansmith.run import RunFolder
from gansmith.scribe import Scribe, Word
from gansmith.variance import deviations
from gansmith.word_evaluation import write
from tests import builders

FIGURES = {"fid", "cer", "wer", "cer_same", "hands", "borders"}


def save_words(folder: Path, first: int, count: int, writers: int | None = 10) -> Path:
    """Words of bars as pictures with metadata, in the hands of so many writers."""
    folder.mkdir(parents=True)
    data = builders.word_dataset(first + count)
    assert data.written is not None
    rows = []
    for n in range(first, first + count):
        picture = data.strip[torch.tensor([n])][0, 0].numpy()
        Image.fromarray(np.ascontiguousarray(picture)).save(folder / f"{n}.png")
        writer = {} if writers is None else {"writer": f"w{n % writers}"}
        rows.append({"file_name": f"{n}.png", "text": data.written.texts[n], **writer})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines)
    return folder


def make_run(path: Path, source: Path) -> Path:
    """What an untrained generator would leave that was trained on these words."""
    digest = prepare(open_source(source, words=True), height=32, width=None).digest
    a_config, spec = builders.words_config(source=str(source)), builders.words()
    path.mkdir(parents=True)
    run = RunFolder(path)
    run.write_config(a_config)
    run.write_model(a_config, spec, builders.weights(a_config, spec), 5, digest)
    return path


@pytest.fixture(scope="module", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANSMITH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, the words it learnt from, and some that it did not."""
    folder = tmp_path_factory.mktemp("words")
    save_words(folder / "unseen", 680, 40, writers=4)
    make_run(folder / "run", save_words(folder / "train", 0, 680))
    return folder


@pytest.fixture(scope="module")
def found(place: Path) -> Evaluation:
    RunFolder(place / "run").append({"step": 5, "images": 20, "seconds": 1.0, "loss_d": 1.0})
    said: list[str] = []
    unseen = place / "unseen"
    result = evaluate(place / "run", held_out=unseen, n=48, referee_steps=2, say=said.append)
    assert any("training a recogniser on 680 real words, once: 2 steps" in line for line in said)
    return result


def test_everything_that_is_promised_is_measured(found: Evaluation) -> None:
    assert set(found.figures) > FIGURES
    protocol = found.protocol
    assert (protocol.reference, protocol.read, protocol.made, protocol.real) == (
        "unseen",
        48,
        20,
        20,
    )
    assert (protocol.space, protocol.size) == ("referee of 2 steps", "32 pixels high")
    assert found.figures["cer"].floor == found.figures["cer_same"].floor
    assert found.details is not None
    legibility = found.details["legibility"]
    assert legibility["training_texts"]["words"] + legibility["new_texts"]["words"] == 48
    assert sum(row["words"] for row in legibility["by_length"]["real"].values()) == 40
    assert found.details["hands"]["writers"] == 10
    assert found.details["hands"]["words"] == 300
    assert found.memorisation is not None
    # The run's own kept words, of the same hands, and not those of strangers.
    assert (found.memorisation["held_out"], found.memorisation["unseen"]) == (34, True)


def test_what_it_comes_to_is_said(found: Evaluation) -> None:
    text = "\n".join(found.remarks())
    for part in (
        "trained for 2 steps, fewer than the usual 6,000, misreads",
        "of 40 real words that it never saw (unseen, named)",
        "CER by length, of real words in brackets: 1-3 characters",
        "Between the words of half the writers and those of the others it is",
        "Made hands differ",
        "By paper and borders alone, made and real words are told apart",
    ):
        assert part in text
    assert found.memorisation is not None
    assert found.remarks()[-1] == found.memorisation["verdict"]


def test_files_and_report_hold_the_same(place: Path, found: Evaluation) -> None:
    run = place / "run"
    assert read_evaluation(run / "evaluation.json") == found
    assert found.details is not None
    assert len(found.details["made_on_sheet"]) == 20
    for name in ("real-or-made.png", "closest-pairs.png"):
        with Image.open(run / name) as picture:
            assert picture.mode == "L"
    page = (run / "report.html").read_text(encoding="utf-8")
    for part in ("characters misread (CER)", "spread of hands", "real and made words, mixed"):
        assert part in page


def test_figures_of_other_counts_can_not_be_compared(found: Evaluation) -> None:
    assert "spread of hands, real is 1" in [row[0] for row in compare([found, found])]
    protocol = found.protocol.model_copy(update={"read": 50})
    with pytest.raises(GansmithError, match="read 48 and read 50"):
        compare([found, found.model_copy(update={"protocol": protocol})])


def test_without_words_held_out_some_writers_are_kept_from_the_referee(
    place: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", place / "train")
    said: list[str] = []
    found = evaluate(run, n=40, referee_steps=1, say=said.append)
    assert "training a recogniser on 612 real words, once: 1 steps" in said
    assert found.details is not None
    assert found.details["unseen"]["words"] == 68
    assert "writers of train that were kept from the referee" in found.details["unseen"]["source"]
    assert found.details["fid_between_writers"] is None  # it is one writer


def test_where_writers_are_unknown_the_rest_is_measured(place: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", save_words(tmp_path / "train", 0, 100, writers=None))
    found = evaluate(run, held_out=place / "unseen", n=40, referee_steps=1)
    assert "hands" not in found.figures
    assert "The spread of hands was not measured" in "\n".join(found.remarks())
    assert found.memorisation is not None
    assert found.memorisation["held_out"] == 40  # too few words for the run to have kept any


def test_what_can_not_be_measured_is_said_before_a_referee_is_trained(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, few = place / "run", save_words(tmp_path / "few", 680, 20)

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("trained")

    monkeypatch.setattr(word_evaluation, "judge_for", never)
    before = (run / "evaluation.json").read_bytes() if (run / "evaluation.json").exists() else None
    with pytest.raises(GansmithError, match=r"32 real words or more .* found 20; name others"):
        evaluate(run, held_out=few, referee_steps=1)
    with pytest.raises(GansmithError, match="leave out space and infinity"):
        evaluate(run, space=random_space(1))
    with pytest.raises(GansmithError, match="leave out space and infinity"):
        evaluate(run, infinity=True)
    with pytest.raises(GansmithError, match="-n: expected 40 words or more to be read, found 12"):
        evaluate(run, held_out=place / "unseen", n=12, referee_steps=2)
    with pytest.raises(GansmithError, match="digits"):
        evaluate(run, held_out="digits", referee_steps=1)
    after = (run / "evaluation.json").read_bytes() if (run / "evaluation.json").exists() else None
    assert before == after


def test_the_command_says_the_same_figures_and_where_the_pictures_are(
    place: Path, found: Evaluation
) -> None:
    arguments = ["--held-out", str(place / "unseen"), "-n", "48", "--referee-steps", "2"]
    result = CliRunner().invoke(app, ["evaluate", str(place / "run"), *arguments])
    assert result.exit_code == 0, result.output
    assert "48 read, 20 generated against 20 real of unseen" in result.output
    assert "words misread (WER)" in result.output
    assert "the key is in evaluation.json" in result.output
    assert read_evaluation(place / "run" / "evaluation.json") == found  # by the same seed


def test_words_are_written_in_the_order_they_were_asked_for(place: Path) -> None:
    scribe = Scribe(load(place / "run", "cpu"))
    texts = ["abcdé", "a", "bé", "abcdéabcdé", "é"]
    made = write(scribe, texts, 0, 1)
    assert made.texts == tuple(texts)
    assert made.widths.argsort().tolist() in ([1, 4, 2, 0, 3], [4, 1, 2, 0, 3])
    hands = torch.tensor([0, 1, 0, 1, 0])
    scribe.script = scribe.script.model_copy(update={"steady": 1.0})
    one_hand = write(scribe, ["a"] * 5, 0, 1, hands)
    alike = [torch.equal(one_hand.values[0], one_hand.values[n]) for n in range(5)]
    assert alike == [True, False, True, False, True]
    other = write(scribe, ["a"] * 5, 0, 2, hands)  # no two uses share styles
    assert not torch.equal(other.values[0], one_hand.values[0])


def test_a_hand_is_as_wide_in_all_its_words_as_writers_are(place: Path) -> None:
    scribe = Scribe(load(place / "run", "cpu"))
    scribe.script = scribe.script.model_copy(update={"steady": 0.25})
    generator = torch.Generator().manual_seed(0)
    styles = torch.randn(400, 6, generator=generator).repeat_interleave(10, 0)
    found = scribe.hand(styles, generator)
    assert torch.equal(found[:, 1:], styles[:, 1:])
    between, within = deviations(found[:, :1], torch.arange(400).repeat_interleave(10))
    assert float(between) == pytest.approx(0.5, abs=0.08)
    assert float(within) == pytest.approx(0.75**0.5, abs=0.05)


def test_words_of_a_line_are_as_wide_as_their_hand_usually_is(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scribe = Scribe(load(place / "run", "cpu"))
    scribe.script = scribe.script.model_copy(update={"steady": 0.25})
    styles = torch.tensor([[2.0, 1, 1, 1, 1, 1]]).expand(3, -1)
    assert scribe.hand(styles).tolist() == [[1.0, 1, 1, 1, 1, 1]] * 3
    seen: list[Tensor] = []
    write_words = scribe.words

    def watched(texts: list[str], latents: Tensor) -> list[Word]:
        seen.append(latents)
        return write_words(texts, latents)

    monkeypatch.setattr(scribe, "words", watched)
    scribe.line("abc abc dé", styles[0])
    assert torch.equal(seen[0], scribe.hand(styles))
