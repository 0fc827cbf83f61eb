"""Some words of a source: which, and that nothing about them changes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from gansmith.cli import main
from gansmith.data import Item, nested, open_source
from gansmith.data.words.rendered import RenderedWords
from gansmith.errors import GansmithError
from gansmith.imaging import png_bytes
from gansmith.samples import parquet_writer
from gansmith.subset import write_subset
from tests.test_word_worth import save_words


def items(path: Path) -> list[Item]:
    return [item for item in open_source(path, words=True) if isinstance(item, Item)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "words.parquet"
    rows = [
        {
            "image": {"bytes": png_bytes(Image.fromarray(item.content)), "path": f"{n}.png"},
            "text": item.text,
            "writer": item.writer,
        }
        for n, item in enumerate(RenderedWords(["abc", "dé"], 60))
        if isinstance(item, Item)
    ]
    with path.open("wb") as file:
        parquet_writer(None, ("text", "writer"))(file, iter(rows), 100)
    return path


def test_pictures_texts_and_writers_stay(source: Path, tmp_path: Path) -> None:
    assert write_subset(str(source), tmp_path / "some.parquet", 20, seed=1) == len(
        {item.writer for item in items(tmp_path / "some.parquet")}
    )
    every = [(item.content, item.text, item.writer) for item in items(source)]
    some = [(item.content, item.text, item.writer) for item in items(tmp_path / "some.parquet")]
    rows = sorted(nested(60, 1, 20).tolist())
    assert some == [every[row] for row in rows]  # in the order of the source
    names = pq.read_table(tmp_path / "some.parquet")["image"].to_pylist()
    assert len({name["path"] for name in names}) == 20


def test_fewer_are_among_more_and_another_seed_takes_others(source: Path, tmp_path: Path) -> None:
    taken = {}
    for n, seed in ((10, 0), (20, 0), (20, 1)):
        write_subset(str(source), tmp_path / "x.parquet", n, seed)
        taken[n, seed] = {item.content for item in items(tmp_path / "x.parquet")}
    assert taken[10, 0] < taken[20, 0]
    assert taken[20, 0] != taken[20, 1]


def test_what_can_not_be_used_is_not_taken(tmp_path: Path) -> None:
    folder = save_words(tmp_path / "pairs", 8, 0)
    (folder / "3.png").write_bytes(b"no picture")
    assert write_subset(str(folder), tmp_path / "x.parquet", 7) == 0  # writers are not known
    assert len(items(tmp_path / "x.parquet")) == 7
    assert pq.read_schema(tmp_path / "x.parquet").names == ["image", "text"]
    with pytest.raises(GansmithError, match=r"expected at most 7, .* found 8"):
        write_subset(str(folder), tmp_path / "y.parquet", 8)
    assert not (tmp_path / "y.parquet").exists()


def test_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "x.parquet"
    with pytest.raises(SystemExit) as end:
        main(["subset", str(source), "-n", "5", "--out", str(out)])
    assert not end.value.code
    assert "5 words by " in capsys.readouterr().out
    assert len(items(out)) == 5
    with pytest.raises(SystemExit) as end:
        main(["subset", str(source), "-n", "5", "--out", str(tmp_path / "x.csv")])
    assert end.value.code == 2
    assert "ending in .parquet" in capsys.readouterr().err
