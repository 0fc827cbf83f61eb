"""Data sets that several processes make: real ones, really killed."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gansmith import synthetic
from gansmith.cli import main
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.run import RunFolder
from gansmith.synthetic import ranges, write_dataset
from gansmith.synthetic.words import write_words
from tests.builders import model, weights, words, words_config
from tests.synthetic.makers import CLASSES, EACH, SIZE, Dying, Raising, labelled
from tests.test_dataset import read_folder, read_parquet, read_webdataset, tree

LONG = 180.0  # seconds: for what has to happen, on a machine that is busy with other things


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set that nothing interrupted, made by one process."""
    out = tmp_path_factory.mktemp("whole") / "out"
    shards = {"layout": "webdataset", "per_shard": SIZE}
    write_dataset(labelled(), out, per_class=EACH, processes=1, **shards)  # type: ignore[arg-type]
    return out


def test_shards_are_named_by_their_range_and_hold_the_pictures_of_one_process(whole: Path) -> None:
    names = sorted(path.name for path in whole.glob("*.tar"))
    starts = range(0, 81, 16)
    assert names == [f"train-{a:08d}-{min(a + 16, 81):08d}.tar" for a in starts]
    made = labelled().generate(81, labels=CLASSES)
    expected = [(int(n), i.tobytes()) for n, i in zip(made.labels, made.images, strict=True)]
    assert read_webdataset(whole) == expected
    others = {"README.md", "manifest.json", ".assets/samples.png"}
    assert tree(whole).keys() == others | set(names)
    assert "--layout webdataset --processes N --out" in (whole / "README.md").read_text()


def test_two_processes_write_the_same_bytes_as_one(whole: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    result = write_dataset(
        labelled(),
        tmp_path / "out",
        per_class=EACH,
        layout="webdataset",
        per_shard=SIZE,
        processes=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert tree(tmp_path / "out") == tree(whole)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    files = json.loads((whole / "manifest.json").read_bytes())["files"]
    assert (result.count, result.files) == (81, len(files))
    assert result.bytes == sum(entry["bytes"] for entry in files.values())
    assert len(told) == 6
    assert told[-1] == (81, 81)


@pytest.mark.parametrize("layout", ["folder", "parquet"])
def test_pictures_without_classes_are_those_of_one_process(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE", 20)  # and whole blocks of it are 16
    maker = model()
    write_dataset(maker, tmp_path / "out", n=37, seed=2, layout=layout, processes=2)
    found = {"folder": read_folder, "parquet": read_parquet}[layout](tmp_path / "out")
    expected = [(None, image.tobytes()) for image in maker.generate(37, seed=2).images]
    assert sorted(found) == sorted(expected)
    if layout == "folder":
        write_dataset(maker, tmp_path / "alone", n=37, seed=2, layout=layout)
        alone, together = tree(tmp_path / "alone"), tree(tmp_path / "out")
        assert {name for name in alone if name.endswith(".png")} == {
            name for name in together if name.endswith(".png")
        }
        assert all(alone[name] == together[name] for name in alone if name.endswith(".png"))
    else:
        names = [path.name for path in sorted((tmp_path / "out" / "data").iterdir())]
        ends = ((0, 16), (16, 32), (32, 37))
        assert names == [f"train-{a:08d}-{b:08d}.parquet" for a, b in ends]


@pytest.mark.parametrize("layout", ["pairs", "parquet"])
def test_words_are_those_of_one_process(
    tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE", 300)  # and whole pages of it are 256
    maker = model(words_config(), words())
    (tmp_path / "lexicon.txt").write_text("abc\ndé\nbad\n", encoding="utf-8")
    for name, processes in (("alone", None), ("together", 2)):
        write_words(
            maker,
            tmp_path / name,
            lexicon=tmp_path / "lexicon.txt",
            n=270,
            layout=layout,
            processes=processes,
        )
    if layout == "parquet":
        assert len(list((tmp_path / "together" / "data").iterdir())) == 2
        rows = [rows_of(tmp_path / name) for name in ("alone", "together")]
        assert rows[0] == rows[1]
        assert len(rows[0]) == 270
        return
    alone, together = tree(tmp_path / "alone"), tree(tmp_path / "together")
    for name in ("README.md", "manifest.json"):  # which say how they were made
        assert alone.pop(name) != together.pop(name)
    assert alone == together


def rows_of(out: Path) -> list[object]:
    parquet = pytest.importorskip("pyarrow.parquet")
    tables = [parquet.read_table(path) for path in sorted((out / "data").iterdir())]
    return [row for table in tables for row in table.to_pylist()]


def test_a_kill_leaves_what_is_done_and_the_same_order_goes_on(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-m", "tests.synthetic.makers", str(out)])
    try:
        first = psutil.Process(process.pid)
        wait_for(lambda: len(list(out.glob("*.tar"))) == 2 == len(records(out)))
        # Both are at what never ends.
        wait_for(lambda: len(list((out / ".unfinished").glob(".tmp-*.tar"))) == 2)
        crew = first.children(recursive=True)
        assert len(crew) >= 2
    finally:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(crew, timeout=LONG)
    assert alive == []
    done = {path: path.stat().st_ino for path in out.glob("*.tar")}
    assert len(done) == 2
    assert not (out / "manifest.json").exists()
    shards = {"layout": "webdataset", "per_shard": SIZE}
    with pytest.raises(GansmithError, match="begun with, seed 0, found seed 1; give the same"):
        write_dataset(labelled(), out, per_class=EACH, seed=1, processes=2, **shards)  # type: ignore[arg-type]
    write_dataset(labelled(), out, per_class=EACH, processes=3, **shards)  # type: ignore[arg-type]
    assert tree(out) == tree(whole)
    assert {path: path.stat().st_ino for path in done} == done  # not made again
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def records(out: Path) -> list[Path]:
    return list((out / ".unfinished").glob("0*.json"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    maker = labelled()
    state = weights(maker.config, maker.spec)
    RunFolder(tmp_path / "run").write_model(maker.config, maker.spec, state, 5)
    return tmp_path / "run"


def refused(capfd: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command says, on one line."""
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 2
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert said.count("\n") == 1
    return said


def test_a_process_that_raises_ends_the_others_with_a_sentence(
    capfd: pytest.CaptureFixture[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE", SIZE)
    monkeypatch.setattr(synthetic, "Pictures", Raising)
    out = tmp_path / "out"
    said = refused(capfd, "dataset", run, "--per-class", 20, "--processes", 2, "--out", out)
    assert "numbers 16 to 31 were not made: ValueError: no more ink; what is done stays" in said
    assert multiprocessing.active_children() == []
    assert [path.name for path in tmp_path.iterdir()] == ["run"]  # as nothing was done


def test_a_process_that_is_lost_is_a_sentence_and_what_was_done_stays(
    capfd: pytest.CaptureFixture[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "RANGE", SIZE)
    out = tmp_path / "out"
    command = ("dataset", run, "--per-class", 10, "--out", out, "--processes", 1)
    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "Pictures", Dying)
        said = refused(capfd, *command)
    assert "numbers 16 to 29 were not made: its process ended with status -9" in said
    assert len(list((out / "train").rglob("*.png"))) == 16
    main_ends_well(*command)
    made = load(run, "cpu").generate(30, labels=CLASSES)
    expected = [(int(n), i.tobytes()) for n, i in zip(made.labels, made.images, strict=True)]
    assert sorted(read_folder(out)) == sorted(expected)


def main_ends_well(*arguments: object) -> None:
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    assert end.value.code == 0
