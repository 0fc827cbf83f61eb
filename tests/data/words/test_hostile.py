"""Descriptions from strangers: whatever they say, a GansmithError at most, and nothing outside."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gansmith.data import Skipped, inspect_source, inspect_words, prepare, survey
from gansmith.data.words import find_written, open_words
from gansmith.data.words import source as words_source
from gansmith.errors import GansmithError
from tests.data.words.builders import (
    LAYOUTS,
    TEXTS,
    alto_xml,
    page_part,
    page_xml,
    pairs,
    pictures_of,
    skipped_of,
    texts_of,
    words,
    write,
)

_opened: list[str] = []
_listening = False  # a hook can't be taken away again, and others' tests open files, too


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event in ("open", "os.listdir", "os.scandir"):
        _opened.append(str(arguments[0]))


sys.addaudithook(_listen)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[str]]:
    """Which files of the test's folder are opened while it runs."""
    global _listening
    _opened.clear()
    _listening = True
    yield _opened
    _listening = False
    _opened.clear()


def hostile_names(root: Path) -> list[str]:
    """Ways to `secret.png` beside the root, and names that are none."""
    secret = root.parent / "secret.png"
    return [
        "../secret.png",
        "a/../../secret.png",
        "./../secret.png",
        "..\\secret.png",
        "a\\..\\..\\secret.png",
        str(secret),
        f"/{secret}",
        str(secret).replace("/", "\\"),
        f"file://{secret}",
        f"C:{secret}",
        "\\\\host\\share\\secret.png",
        "a\0b.png",
        "../secret.png\0.png",
        "\ud800.png",
        "x" * 5000 + ".png",
        "a/" * 3000 + "x.png",
        ".",
        "..",
        "/",
        "a\nb\x1b[31m.png",
        "~/secret.png",
    ]


def secret_beside(root: Path) -> None:
    write(root.parent, {"secret.png": words(["mot"])[0][1], "secret.gt.txt": "mot"})


def all_of_it(spec: str) -> list[str]:
    """Everything that is done with a source; the reasons why words are skipped."""
    source = open_words(spec)
    reasons = [item.reason for item in source if isinstance(item, Skipped)]
    for use in (survey, inspect_source, inspect_words):
        try:
            assert str(use(source))
        except GansmithError as error:
            reasons.append(str(error))
    try:
        prepare(source, height=32, width=None, max_skipped=1.0)
    except GansmithError as error:
        reasons.append(str(error))
    find_written(spec)
    return reasons


def check_inside(opened: list[str], root: Path) -> None:
    near = [name for name in opened if name.startswith(str(root.parent))]
    allowed = (str(root), str(root.parent / "cache"))
    assert any(name.startswith(str(root)) for name in near)
    assert [name for name in near if not name.startswith(allowed)] == []


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_metadata_leads_nowhere_else(tmp_path: Path, opened: list[str], kind: str) -> None:
    root = tmp_path / "set"
    names = hostile_names(root)
    if kind == "csv":
        names = [n for n in names if n.isprintable()]
        text = "file_name,text\n" + "".join(f'"{name}",mot\n' for name in names)
    else:
        rows = [{"file_name": name, "text": "mot"} for name in names]
        text = "".join(json.dumps(row) + "\n" for row in rows)
    secret_beside(root)
    write(root, {"0.png": words(["mot"])[0][1], f"metadata.{kind}": text})
    opened.clear()
    source = open_words(str(root))
    assert len(source) == len(names)
    assert texts_of(source) == []
    assert all(name.isprintable() and len(name) <= 200 for name in skipped_of(source))
    assert all_of_it(str(root))
    check_inside(opened, root)
    assert all(path.is_relative_to(root) and ".." not in path.parts for path in files(root))


def files(root: Path) -> list[Path]:
    return list(open_words(str(root)).files().values())


@pytest.mark.parametrize("separator", ["\t", " "])
def test_lists_lead_nowhere_else(tmp_path: Path, opened: list[str], separator: str) -> None:
    root = tmp_path / "set"
    secret_beside(root)
    known = [f"{number:03}.png" for number in range(40)]
    names = [n for n in hostile_names(root) if n.isprintable() and separator not in n]
    lines = "".join(f"{name}{separator}mot\n" for name in [*known, *names])
    some = pictures_of(words(["mot"] * 40))
    write(root, {**some, "gt.txt": f"{separator}mot\n\t\n{lines}"})
    opened.clear()
    assert texts_of(open_words(str(root))) == ["mot"] * 40
    all_of_it(str(root))
    check_inside(opened, root)


@pytest.mark.parametrize("kind", ["page", "alto"])
def test_pages_lead_nowhere_else(tmp_path: Path, opened: list[str], kind: str) -> None:
    root = tmp_path / "set"
    secret_beside(root)
    box = (0, 0, 48, 32)
    for number, name in enumerate(hostile_names(root)):
        if name.isprintable():
            head = f"<sourceImageInformation><fileName>{name}</fileName></sourceImageInformation>"
            page = page_xml(page_part("Word", "w", "mot", box), name)
            xml = alto_xml([("mot", box)], head) if kind == "alto" else page
            write(root, {f"{number}.xml": xml})
    opened.clear()
    assert all_of_it(str(root))
    assert set(skipped_of(open_words(str(root))).values()) == {"the page has no picture beside it"}
    check_inside(opened, root)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.jsonl", b"5\n", "JSON object on each line of .*, not line 1"),
        ("metadata.jsonl", b'{"text": "a"}\n\n[1]\n', "not line 3"),
        ("metadata.jsonl", b'{"text": "a"', "not line 1"),
        ("metadata.jsonl", b"[" * 100_000, "not line 1"),
        ("metadata.jsonl", b'{"text": ' + b"9" * 10_000 + b"}", "not line 1"),
        ("metadata.jsonl", b'{"text": "\xe9"}', "another encoding"),
        ("metadata.jsonl", b"\xff\xfe{\0}\0", "another encoding"),
        ("metadata.csv", b"file_name,text\n0.png," + b"x" * 200_000, "field larger than"),
        ("metadata.csv", b'file_name,text\n0.png,"a" b"\n', "comma-separated values"),
        ("metadata.csv", b'file_name,text\n0.png,"a', "comma-separated values"),
        ("metadata.csv", b"file_name,text\n0.png,\xe9t\xe9\n", "another encoding"),
        ("metadata.csv", b"", "Expected words with"),
        ("metadata.jsonl", b"", "Expected words with"),
        ("gt.txt", b"0.png \xe9t\xe9\n", "another encoding"),
        ("words.txt", b"\xe9\n", "another encoding"),
        ("other.txt", b"\xe9\n", "Expected words with"),
    ],
)
def test_descriptions_that_cannot_be_read(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    write(tmp_path, {name: content, "0.png": words(["mot"])[0][1]})
    with pytest.raises(GansmithError, match=message):
        open_words(str(tmp_path))


def test_rows_of_a_table_that_are_too_long_or_too_short(tmp_path: Path) -> None:
    text = "file_name,text,text\n0.png,mot,mot,more,and more\n0.png\n\n,\n\0,a\n"
    write(tmp_path, {"0.png": words(["mot"])[0][1], "metadata.csv": text})
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["mot"]
    assert len(skipped_of(source)) == 3


def test_long_texts_are_skipped(tmp_path: Path) -> None:
    some = words(["mot"] * 4)
    pairs(tmp_path, some)
    write(
        tmp_path, {"000.gt.txt": "x" * 10_000, "001.gt.txt": "\u0301" * 10_000, "002.gt.txt": "\0"}
    )
    reasons = skipped_of(open_words(str(tmp_path)))
    assert list(reasons) == ["000.png", "001.png", "002.png"]
    assert all_of_it(str(tmp_path))


def test_many_small_texts_do_not_take_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {f"{n:04}.txt": "a caption of it\n" for n in range(300)})
    walks = []
    walk = words_source.walk
    monkeypatch.setattr(words_source, "walk", lambda root: [walks.append(root), *walk(root)][1:])
    assert find_written(str(tmp_path)) is None
    assert len(walks) < 6


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Cut short, bytes replaced, a piece repeated or taken out."""
    changed, kind = bytearray(content), dice.randrange(4)
    place = dice.randrange(len(changed))
    if kind == 0:
        return content[:place]
    if kind == 1:
        for _ in range(dice.randint(1, 8)):
            changed[dice.randrange(len(changed))] = dice.choice(b"\0\n\t\"'<>,{}[]&;/\\.-9 \xff")
    elif kind == 2:
        changed[place:place] = content[place // 2 : place]
    else:
        del changed[place : place + dice.randint(1, 40)]
    return bytes(changed)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damaged_descriptions_raise_nothing_else(
    tmp_path: Path, layout: str, opened: list[str]
) -> None:
    root = tmp_path / "set"
    spec = LAYOUTS[layout](root, words(TEXTS))
    secret_beside(root)
    described = {
        path: path.read_bytes() for path in root.rglob("*") if path.suffix not in (".png", "")
    }
    opened.clear()
    dice = random.Random(layout)
    said: list[str] = []
    for _ in range(60):
        path = dice.choice(sorted(described))
        path.write_bytes(damaged(described[path], dice))
        try:
            source = open_words(spec)
            assert len(list(source)) == len(source)
            source.files()
        except GansmithError as error:
            said.append(str(error))
        path.write_bytes(described[path])
    assert all(said)
    check_inside(opened, root)
