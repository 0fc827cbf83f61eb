"""A generator that is asked to write the texts of a lexicon besides those of its data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.kill import differences

from gansmith import train
from gansmith.api import plan
from gansmith.data import Dataset
from gansmith.data.words.lexicon import Lexicon
from gansmith.dry_run import plan_lines
from gansmith.errors import GansmithError
from gansmith.loop import Session
from gansmith.report.sentences import besides
from gansmith.run import RunFolder
from gansmith.stream import describe
from gansmith.word_stream import LISTED, POOL, WordStream
from gansmith.world import World
from tests.builders import CPU, word_dataset, words_config
from tests.data.words.builders import imagefolder, words
from tests.test_unlabelled import SHORT, Stopper

LEXICON = Lexicon("texts.txt", ("é" * 9, "é" * 11, "z"))  # no word of the data is so long


def with_lexicon(lexicon: Lexicon | None = LEXICON) -> Dataset:
    return replace(word_dataset(80), lexicon=lexicon)


def stream(data: Dataset) -> WordStream:
    a_config = words_config(held_out=0.0, recombined=0.0)
    return WordStream(data, a_config, describe(data, a_config), World(), CPU)


def test_half_of_what_is_asked_for_is_the_lexicons_and_the_data_are_as_they_were() -> None:
    plain, found = stream(word_dataset(80)), stream(with_lexicon())
    turns = range(4 * POOL)
    lengths = torch.cat([(found.deal(i).asked[:, 1:] > 0).sum(1) for i in turns])
    listed = lengths > 6
    assert sorted(lengths[listed].unique().tolist()) == [9, 11]
    assert float(listed.float().mean()) == pytest.approx(LISTED, abs=0.07)  # of 512: 3 errors
    assert found.remarks == [
        "lexicon: 2 words of texts.txt to be written besides; 1 in other characters, or too long, "
        "are left out"
    ]
    for number in (0, 3):  # batches come in another order, and are the same
        for part in ("rows", "shown"):
            a, b = (
                sorted(map(torch.Tensor.tolist, getattr(s.pool(number), part)))
                for s in (plain, found)
            )
            assert a == b
    assert all(map(torch.equal, stream(with_lexicon()).deal(77), found.deal(77)))


def test_a_run_that_is_cut_off_ends_byte_identical_and_goes_on_with_no_other_texts(
    tmp_path: Path,
) -> None:
    a_config = words_config(**SHORT)

    def session(name: str, lexicon: Lexicon | None = LEXICON, **options: object) -> Session:
        run = RunFolder(tmp_path / name)
        return Session(with_lexicon(lexicon), a_config, run, **options)  # type: ignore[arg-type]

    session("whole").train()
    with pytest.raises(KeyboardInterrupt):
        session("cut", watcher=Stopper()).train()
    session("cut").train()
    assert differences(tmp_path / "whole", tmp_path / "cut") == []
    for other in (None, replace(LEXICON, texts=("é",))):
        with pytest.raises(GansmithError, match="was trained on other texts than these"):
            session("whole", other).train()


def test_it_is_read_before_anything_is_made_and_its_place_is_kept_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagefolder(tmp_path / "data", words())
    monkeypatch.chdir(tmp_path)
    texts = tmp_path / "texts.txt"
    texts.write_text("α β\n")

    def planned(**settings: str):  # type: ignore[no-untyped-def]
        return plan("data", recipe="words", out="run", settings={"lexicon": "texts.txt"} | settings)

    with pytest.raises(
        GansmithError, match=r"lexicon: expected words .*, found 2 in texts.txt, none"
    ):
        planned()
    with pytest.raises(GansmithError, match=r"lexicon: Can't read .*gone.txt \(No such file"):
        planned(lexicon="gone.txt")
    with pytest.raises(
        GansmithError, match="lexicon: expected the recipe words, found fast, which"
    ):
        train("digits", recipe="fast", lexicon="texts.txt", out="run")
    assert not Path("run").exists()
    texts.write_text("".join(describe_alphabet(tmp_path / "data")) + "\n")
    found = planned()
    assert found.config.lexicon == str(texts)
    assert "  lexicon: 1 words of texts.txt to be written besides" in list(plan_lines(found))
    assert besides(found.config).endswith(f" (asked to write the texts of {texts}, too)")


def describe_alphabet(folder: Path) -> list[str]:
    script = plan(folder, recipe="words").spec.script
    assert script is not None
    return list(script.alphabet)[:8]
