"""The benchmark of words' worth: a generator for each size, and nothing done twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import lift, record

from gansmith.data import open_source, prepare
from gansmith.metrics import lessons
from gansmith.run import RunFolder
from gansmith.subset import write_subset
from tests import builders
from tests.test_word_worth import Guesser, save_words


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, count, seed in (("train", 30, 0), ("test", 8, 9)):
        pairs = save_words(tmp_path / name, count, seed)
        write_subset(str(pairs), tmp_path / f"{name}.parquet", count)
    return tmp_path


def test_each_size_has_its_generator_and_nothing_is_done_twice(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(record, "RECORDS", tmp_path / "records")
    learnt: list[int] = []
    besides: list[str] = []
    asked: list[str | None] = []

    def train(words: Path, *, out: Path, resume: bool, unlabelled: str = "", **rest: Any) -> None:
        assert resume
        besides.extend([unlabelled] * bool(unlabelled))
        asked.append(rest.get("lexicon"))
        source = prepare(open_source(words, words=True), height=32, width=None)
        learnt.append(len(source))
        a_config, spec = builders.words_config(source=str(words)), builders.words()
        weights = builders.weights(a_config, spec)
        if not (out / "model").exists():
            RunFolder(out).write_model(a_config, spec, weights, 5, digest=source.digest)

    trained: list[int] = []

    def teach(*_: Any, seed: int, **__: Any) -> Guesser:
        trained.append(seed)
        return Guesser(seed)

    monkeypatch.setattr(lift.gansmith, "train", train)
    monkeypatch.setattr(lessons, "train_referee", teach)
    options = f"--data {data} --runs {tmp_path / 'runs'} --test {data / 'test.parquet'}"
    quick = f"{options} --sizes 10,all --seeds 2 --steps 1 --pool 6".split()
    lift.main(quick)
    assert learnt == [10, 30]
    assert len(trained) == 2 * 5 * 2
    written = json.loads((tmp_path / "records" / "lift.json").read_text())
    assert list(written["result"]) == ["10", "30"]
    assert written["config"]["test"] == "test.parquet"
    assert not any("includes what the generator" in c for c in written["result"]["10"]["cautions"])
    table = capsys.readouterr().out.strip().splitlines()[-11:]
    assert table[0].startswith("| --- |")
    assert [row.split(" | ")[1] for row in table[1:]] == list("ABSDC") * 2
    lift.main(quick)
    assert len(trained) == 2 * 5 * 2
    assert not besides
    lift.main([*quick, "--semi"])
    assert besides == [str(data / "train.parquet")]  # where there are fewer words than all
    table = capsys.readouterr().out.strip().splitlines()[-11:]
    assert [row.split(" | ")[1] for row in table] == list("ABSDCE") + list("ABSDC")
    assert set(asked) == {None}
    for k in ("10", "all"):
        (tmp_path / f"{k}.txt").write_text("abc dé\n", encoding="utf-8")
    lift.main([*quick, "--from-corpus", str(tmp_path / "{k}.txt")])
    assert asked[-2:] == [str(tmp_path / "10.txt"), str(tmp_path / "all.txt")]
