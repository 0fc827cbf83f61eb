"""`worth` of words from end to end: what is tried, what is kept, what is said, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gansmith.assess import worth
from gansmith.cli import main
from gansmith.data import Dataset, open_source, prepare
from gansmith.data.words.decode import Line, decode_word
from gansmith.data.words.rendered import RenderedWords, against_hand
from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.metrics import lessons
from gansmith.metrics.lift import Lift
from gansmith.metrics.reading import Batches, Errors
from gansmith.run import RunFolder
from gansmith.scribe import Scribe
from gansmith.word_pools import Press
from gansmith.word_worth import Asked, load_all, worth_of_words
from tests import builders

FEW = Asked(sizes=(8, None), seeds=2, steps=2, pool=12)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Guesser:
    """A recogniser that misreads what its seed says."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def errors(self, values: Tensor, labels: Tensor) -> Errors:
        generator = torch.Generator().manual_seed(self.seed)
        return Errors(
            torch.randint(2, (len(values),), generator=generator), (labels[:, 1:] > 0).sum(1)
        )


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """In the place of trainings: how many steps each would have been."""
    calls: list[int] = []

    def train(batches: Batches, characters: int, *, steps: int, seed: int, **_: Any) -> Guesser:
        values, labels = batches(0)
        assert len(values) == len(labels) == 32
        calls.append(steps)
        return Guesser(seed + len(calls))

    monkeypatch.setattr(lessons, "train_referee", train)
    return calls


def a_model(alphabet: str = "abcdé", seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return builders.model(builders.words_config(), builders.words(alphabet=alphabet))


def judged_by() -> Dataset:
    test = builders.word_dataset(40)
    assert test.written is not None
    said = test.written
    written = replace(
        said,
        texts=said.texts[30:],
        widths=said.widths[30:],
        writers=[f"other {n % 3}" for n in range(10)],
    )
    return replace(test, name="test", values=test.values[30:], digest="2" * 64, written=written)


def ask(
    asked: Asked = FEW, say: Callable[[str], None] = lambda line: None, **models: Model
) -> Lift:
    found = {"one": a_model(), **models}
    return worth_of_words(found, builders.word_dataset(20), judged_by(), asked, say)


def test_every_arm_is_trained_as_long_and_kept(trained: list[int]) -> None:
    asked = replace(FEW, filtered=True)
    found = ask(asked, two=a_model(seed=1))
    assert list(found.arms) == ["A", "B", "S", "F", "D", "C", "E"]
    assert found.sizes == [8, 20]
    assert len(trained) == 2 * (7 * 2 + 1)  # sizes, arms, seeds; and one that filters
    assert set(trained) == {2}
    assert len(found.arm("E", 8).wers) == 2
    assert {(r.arm, r.measure) for r in found.reductions} == {
        (arm, measure) for arm in "BSFDCE" for measure in ("WER", "CER")
    }
    assert sum(s.words for s in found.slices if (s.arm, s.size, s.kind) == ("B", 8, "length")) == 10
    assert (found.test, found.writers, found.real, found.synthetic) == (10, 3, 20, 12)
    assert found.origin is not None
    assert found.origin.run == "one"
    again = ask(asked, two=a_model(seed=1))
    assert len(trained) == 30
    assert again == found
    ask(replace(asked, seeds=3), two=a_model(seed=1))
    assert len(trained) == 30 + 2 * 7


def test_an_interrupted_question_goes_on_where_it_was(trained: list[int]) -> None:
    def cut_off(line: str) -> None:
        if line.startswith("S, 8"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(say=cut_off)
    assert len(trained) == 3 * 2
    ask()
    assert len(trained) == 2 * 5 * 2


def press(**changes: Any) -> Press:
    scribes = {"one": Scribe(a_model())}
    return Press(scribes, tuple("abcdé"), 40, 0, lambda line: None, **changes)


def test_arms_say_the_same_and_each_pool_is_told_by_what_decides_it() -> None:
    machine = press()
    (scribe,) = machine.scribes.values()
    pools = [machine.by(scribe, ["abc", "dé"]), machine.rendered(["abc", "dé"])]
    made, drawn = (pool.make() for pool in pools)
    assert made.labels[:, 1:].tolist() == drawn.labels[:, 1:].tolist()
    assert sorted({tuple(filter(None, row)) for row in made.labels[:, 1:].tolist()}) == [
        (1, 2, 3),
        (4, 5),
    ]
    again = press().by(scribe, ["abc", "dé"]).make()
    everything = torch.arange(40)
    assert torch.equal(made.values[everything], again.values[everything])
    keys = {
        *(pool.key for pool in pools),
        machine.by(scribe, ["abc", "de"]).key,
        Press(machine.scribes, machine.alphabet, 41, 0, print).by(scribe, ["abc", "dé"]).key,
        Press(machine.scribes, machine.alphabet, 40, 1, print).by(scribe, ["abc", "dé"]).key,
    }
    assert len(keys) == 5


def test_made_words_are_what_would_be_read_from_a_disk() -> None:
    """Neither borders nor the tone of the paper tell what is made from what is real."""
    machine = press()
    (scribe,) = machine.scribes.values()
    for pool in (machine.by(scribe, ["abc", "dé"]), machine.rendered(["abc", "dé"])):
        words = pool.make()
        first = words.at(torch.arange(10))
        assert isinstance(first.values, torch.Tensor)
        assert first.values.dtype == torch.uint8
        assert first.values.shape[2] == 32
        for value, row in zip(first.values, first.labels.tolist(), strict=True):
            picture = value[0, :, : row[0]].numpy()
            text = "".join("abcdé"[code - 1] for code in row[1:] if code)
            again = decode_word(picture, text, Line())
            assert again.shape[1] % 4 == 0
            assert abs(again.shape[1] - picture.shape[1]) <= 4
            assert np.median(picture[picture >= np.median(picture)]) == 255


def test_texts_are_what_all_can_write() -> None:
    both = press()
    assert both.writable(["abc", "xyz", "été", "dé"]) == (["abc", "dé"], 2)
    texts, left_out = both.texts(["dé", "bad"])
    assert texts[-2:] == ["dé", "bad"]
    assert left_out > 700  # of the package's own list, for five letters
    with pytest.raises(GansmithError, match="none can be written"):
        both.writable(["xyz"])


def test_texts_come_from_a_file_if_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("abc\nxyz\nde\u0301\n", encoding="utf-8")
    (tmp_path / "corpus.txt").write_text("abc abc\nbad xyz", encoding="utf-8")
    assert press(lexicon=tmp_path / "words.txt").texts(["bad"]) == (["abc", "dé"], 1)
    assert press(corpus=tmp_path / "corpus.txt").texts([]) == (["abc", "abc", "bad"], 1)


@pytest.mark.usefixtures("trained")
def test_a_script_that_the_rendered_hand_can_not_write_has_no_arm_of_it() -> None:
    assert against_hand(["abc", "été"]) is None
    assert against_hand(["λόγος", "été"]) == "the rendered hand can write only 1 of 2 texts"
    assert press(hand=False).writable(["abc"]) == (["abc"], 0)
    real = builders.word_dataset(20, alphabet="αβγδε")
    test = replace(builders.word_dataset(10, alphabet="αβγδε"), digest="2" * 64)
    found = worth_of_words({"one": a_model("αβγδε")}, real, test, FEW, lambda line: None)
    assert list(found.arms) == ["A", "B", "S", "D"]
    assert any("There is no arm C" in line for line in found.lines())


@pytest.mark.usefixtures("trained")
def test_hands_that_are_known_or_not_told_apart_are_said() -> None:
    same = replace(builders.word_dataset(10), digest="2" * 64)
    assert same.written is not None
    nobody = replace(same, written=replace(same.written, writers=None))
    for test, said in ((same, "4 of the 4 writers"), (nobody, "is not known")):
        real = builders.word_dataset(20)
        found = worth_of_words({"one": a_model()}, real, test, FEW, lambda line: None)
        assert any(said in line for line in found.cautions())
    assert found.writers == 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"test": None}, "name them with --test"),
        ({"test": builders.word_dataset(5)}, "bars is what they learn from; name others"),
        ({"asked": replace(FEW, seeds=1)}, "at least 2, to tell lift from luck"),
        ({"asked": replace(FEW, sizes=(100,))}, "expected numbers from 1 to 20"),
        (
            {"models": {"one": a_model(), "two": builders.model()}},
            "expected a generator of words, and two makes pictures",
        ),
        (
            {
                "models": {
                    "high": builders.model(
                        builders.words_config(size="64"), builders.words(height=64)
                    )
                }
            },
            "expected words 32 pixels high.* high writes them 64 high",
        ),
    ],
)
def test_what_can_not_be_found_out_is_a_sentence(
    changes: dict[str, Any], said: str, trained: list[int]
) -> None:
    given = {
        "models": {"one": a_model()},
        "real": builders.word_dataset(20),
        "test": judged_by(),
        "asked": FEW,
        "say": lambda line: None,
    }
    with pytest.raises(GansmithError, match=said):
        worth_of_words(**{**given, **changes})
    assert trained == []


def test_options_of_words_are_refused_of_pictures(tmp_path: Path) -> None:
    run = builders.write_model(tmp_path / "run")
    for options in ({"lexicon": Path("x")}, {"also": ["y"]}, {"filtered": True}):
        with pytest.raises(GansmithError, match=r"for generators of words, and .* makes pictures"):
            worth(run, **options)


def test_runs_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    runs = [builders.write_model(tmp_path / name / "run").parent for name in "ab"]
    assert list(load_all(runs, "cpu")) == ["run", str(runs[1])]


def save_words(path: Path, count: int, seed: int) -> Path:
    """Rendered words as a folder of pairs."""
    path.mkdir()
    source = RenderedWords(["abc", "dé", "bad"], count, seed)
    for number, item in enumerate(source):
        Image.fromarray(item.content).save(path / f"{number}.png")
        (path / f"{number}.gt.txt").write_text(item.text)
    return path


def test_the_command_says_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    real, test = save_words(tmp_path / "real", 12, 0), save_words(tmp_path / "test", 6, 9)
    run, spec = RunFolder(tmp_path / "run"), builders.words()
    a_config = builders.words_config(source=str(real))
    learnt = prepare(open_source(real, words=True), height=32, width=None).digest
    run.write_model(a_config, spec, builders.weights(a_config, spec), 5, digest=learnt)
    out = tmp_path / "new" / "worth.json"
    quick = ["--seeds", "2", "--steps", "1", "-n", "8", "--also", str(run.path)]
    with pytest.raises(SystemExit) as end:
        main(["worth", str(run.path), "--test", str(test), *quick, "--out", str(out)])
    assert not end.value.code
    said = capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["summary"] in said
    assert "WER, by real words" in said
    assert list(found["arms"]) == ["A", "B", "S", "D", "C", "E"]
    assert (found["real"], found["test"]) == (12, 6)
    b, e = (next(a for a in found["results"] if a["name"] == name) for name in "BE")
    assert b["wers"] == e["wers"]  # the same weights
    with pytest.raises(SystemExit) as end:
        main(["worth", str(run.path), *quick])
    assert end.value.code == 2
    assert "name them with --test" in " ".join(capsys.readouterr().err.split())
