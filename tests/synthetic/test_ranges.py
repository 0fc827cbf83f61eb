"""Half-made data sets: what is taken for done, and what an order may go on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.synthetic import workers, write_dataset
from gansmith.synthetic.ranges import RANGE, Span, cut, range_size, ranges_in
from gansmith.synthetic.words import write_words
from tests.builders import model, words, words_config
from tests.test_dataset import tree

ORDER = {"seed": 0, "layout": "folder"}


@given(st.integers(1, 5000), st.integers(1, 700))
def test_ranges_hold_every_number_once_and_sort_by_name(count: int, size: int) -> None:
    spans = cut(count, size)
    assert [number for s in spans for number in range(s.start, s.stop)] == list(range(count))
    assert all(len(span) == size for span in spans[:-1])
    assert 0 < len(spans[-1]) <= size
    names = [span.name for span in spans]
    assert names == sorted(set(names))


def test_names_still_sort_where_there_are_more_than_eight_digits() -> None:
    names = [span.name for span in cut(10**9, 10**8)]
    assert names == sorted(names)
    assert names[0] == "0000000000-0100000000"


@pytest.mark.parametrize(
    ("per_shard", "together", "size"),
    [(None, 16, RANGE), (None, 256, RANGE), (10**6, 16, RANGE), (100, 16, 96), (5, 16, 5)],
)
def test_a_range_is_whole_blocks_where_a_shard_holds_one(
    per_shard: int | None, together: int, size: int
) -> None:
    assert range_size(per_shard, together) == size


def begin(out: Path, spans: Sequence[Span], order: dict[str, Any] = ORDER) -> None:
    """Make these ranges, and be interrupted."""
    with suppress(KeyboardInterrupt), ranges_in(out, order) as ranges:
        for span in spans:
            with ranges.fill(span) as folder:
                folder.write(f"train/{span.name}.txt", span.name.encode())
                with folder.open(f"{span.name}.tar") as file:
                    file.write(b"tar of " + span.name.encode())
        raise KeyboardInterrupt


def done(out: Path, spans: Sequence[Span], order: dict[str, Any] = ORDER) -> list[bool]:
    found: list[bool] = []
    with suppress(KeyboardInterrupt), ranges_in(out, order) as ranges:
        found += [ranges.is_done(span) for span in spans]
        raise KeyboardInterrupt
    return found


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))


SPANS = cut(10, 4)
SHARD, RECORD = f"{SPANS[1].name}.tar", f".unfinished/{SPANS[1].name}.json"


@pytest.mark.parametrize("name", [SHARD, f"train/{SPANS[1].name}.txt", RECORD])
@pytest.mark.parametrize("harm", [Path.unlink, cut_short, changed])
def test_what_is_damaged_is_not_taken_for_done(
    tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    out = tmp_path / "out"
    begin(out, SPANS)
    assert done(out, SPANS) == [True, True, True]
    harm(out / name)
    assert done(out, SPANS) == [True, False, True]


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"a": 1}', b'{"a": {}}', b"[" * 10**5])
def test_a_record_that_is_none_is_not_believed(tmp_path: Path, content: bytes) -> None:
    begin(tmp_path / "out", SPANS)
    (tmp_path / "out" / RECORD).write_bytes(content)
    assert done(tmp_path / "out", SPANS) == [True, False, True]


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path: Path) -> None:
    out = tmp_path / "out"
    begin(out, SPANS[:1])
    (out / ".unfinished" / ".tmp-77.tar").write_bytes(b"half")
    (out / SPANS[1].name).with_suffix(".tar").write_bytes(b"whole, and nobody's")
    with suppress(KeyboardInterrupt), ranges_in(out, ORDER) as ranges:
        assert {path.name for path in ranges.home.iterdir()} == {
            f"{SPANS[0].name}.json",
            "order.json",
        }
        assert [ranges.is_done(span) for span in SPANS] == [True, False, False]
        raise KeyboardInterrupt


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    with (
        suppress(KeyboardInterrupt),
        ranges_in(tmp_path / "out", ORDER) as ranges,
        ranges.fill(SPANS[0]) as folder,
    ):
        folder.write("a.txt", b"a")
        with folder.open("b.tar") as file:
            file.write(b"half")
            assert {path.name for path in ranges.out.iterdir()} == {".unfinished", "a.txt"}
            raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []  # no range was done


def test_at_the_end_the_manifest_takes_the_place_of_what_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "out"
    begin(out, SPANS)
    with ranges_in(out, ORDER) as ranges:
        folder = ranges.finish(SPANS, {"count": 10}, {"README.md": b"card"})
    files = tree(out)
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["count"] == 10
    assert manifest["files"].keys() == files.keys()
    assert next(iter(manifest["files"])) == "README.md"
    assert (folder.count, folder.bytes) == (7, sum(map(len, files.values())))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(GansmithError, match="new or empty folder"), ranges_in(out, ORDER):
        pass


def test_two_commands_do_not_fill_one_folder(tmp_path: Path) -> None:
    begin(tmp_path / "out", SPANS[:1])
    before = tree(tmp_path / "out")
    with FileLock(tmp_path / ".tmp-out.lock"):
        with pytest.raises(GansmithError, match="another process is writing it"):
            done(tmp_path / "out", SPANS)
        assert tree(tmp_path / "out") == before


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_an_order_that_can_not_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    begin(tmp_path / "out", SPANS)
    (tmp_path / "out" / ".unfinished" / "order.json").write_bytes(content)
    with pytest.raises(GansmithError, match="expected what was asked for"):
        done(tmp_path / "out", SPANS)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Span]:
    """Ranges are made by this process; those that are. The third is interrupted."""
    made: list[Span] = []

    def make(work: workers.Work, spans: Sequence[Span], processes: int) -> Iterator[Span]:
        for span in spans:
            with work.ranges.fill(span) as folder:
                work.maker.write(folder, MODELS[work.generator["model.safetensors"]], span)
            made.append(span)
            yield span
            if len(made) == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(workers, "_made", make)
    return made


MODELS: dict[bytes, Model] = {}


def known(maker: Model) -> Model:
    MODELS[workers.files_of(maker)["model.safetensors"]] = maker
    return maker


ASKED: dict[str, Any] = {"n": 40, "per_shard": 16, "layout": "webdataset", "processes": 1}


def test_another_order_is_refused_and_leaves_all_as_it_was(
    tmp_path: Path, here: list[Span], monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, out = known(model()), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        write_dataset(maker, out, **ASKED)
    before = tree(out)
    changes = {"seed": 1, "n": 41, "layout": "parquet", "per_shard": 8}
    for key, value in changes.items():
        with pytest.raises(GansmithError, match=r"was begun with.*give the same order, or another"):
            write_dataset(maker, out, **{**ASKED, key: value})
    with pytest.raises(GansmithError, match=r"begun with, generator [0-9a-f]*, found generator"):
        write_dataset(known(model()), out, **ASKED)
    with monkeypatch.context() as patch:
        patch.setattr("torch.__version__", "2.0.0")
        with pytest.raises(GansmithError, match=r"found torch 2\.0\.0; give"):
            write_dataset(maker, out, **ASKED)
    with pytest.raises(GansmithError, match="new or empty folder"):
        write_dataset(maker, out, n=40)
    assert tree(out) == before
    assert len(here) == 2
    write_dataset(maker, out, **{**ASKED, "processes": 2})
    assert [span.start for span in here] == [0, 16, 32]


def test_other_texts_are_another_order(tmp_path: Path, here: list[Span]) -> None:
    maker, out = known(model(words_config(), words())), tmp_path / "out"
    for name, text in (("a.txt", "abc\n"), ("b.txt", "abd\n")):
        (tmp_path / name).write_text(text)
    asked: dict[str, Any] = {"layout": "pairs", "processes": 1}
    here.append(SPANS[0])  # the first is interrupted
    with pytest.raises(KeyboardInterrupt):
        write_words(maker, out, lexicon=tmp_path / "a.txt", **asked)
    with pytest.raises(GansmithError, match=r"begun with, texts [0-9a-f]*, found texts"):
        write_words(maker, out, lexicon=tmp_path / "b.txt", **asked)
    write_words(maker, out, lexicon=tmp_path / "a.txt", **asked)
    assert (out / "train" / "000000.gt.txt").read_text() == "abc\n"


def test_a_damaged_shard_is_made_again(tmp_path: Path, here: list[Span]) -> None:
    maker = known(model())
    for name in ("a", "b"):
        here.clear()
        with pytest.raises(KeyboardInterrupt):
            write_dataset(maker, tmp_path / name, **ASKED)
        if name == "b":
            cut_short(tmp_path / "b" / "train-00000000-00000016.tar")
        write_dataset(maker, tmp_path / name, **ASKED)
    assert [span.start for span in here] == [0, 16, 0, 32]
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.parametrize("layout", ["imagefolder", "pylaia"])
def test_a_form_with_a_list_of_all_words_is_refused(tmp_path: Path, layout: str) -> None:
    (tmp_path / "a.txt").write_text("abc\n")
    maker = model(words_config(), words())
    with pytest.raises(GansmithError, match="take --layout parquet, pairs or webdataset"):
        write_words(maker, tmp_path / "out", lexicon=tmp_path / "a.txt", layout=layout, processes=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"processes": 0}, "--processes: expected 1 or more, found 0"),
        ({"seed": -1}, "seed: expected 0 or more"),
        ({"layout": "folder"}, "pictures in folders have no shards"),
    ],
)
def test_what_can_not_be_made_leaves_nothing(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(GansmithError, match=message):
        write_dataset(model(), tmp_path / "out", **{**ASKED, **arguments})
    assert list(tmp_path.iterdir()) == []
