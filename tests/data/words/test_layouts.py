"""Folders of word pictures in the layouts people keep them in, written here and read back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gansmith.data.words import open_words
from gansmith.errors import GansmithError
from tests.data.words.builders import (
    LAYOUTS,
    TEXTS,
    imagefolder,
    items_of,
    jsonl,
    pairs,
    pictures_of,
    pylaia,
    skipped_of,
    tabs,
    texts_of,
    words,
    write,
)

LETTERS = ["a", "be", "see", "deed"]


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("alto", "page")])
def test_what_is_written_is_read_back(tmp_path: Path, layout: str) -> None:
    some = words()
    source = open_words(LAYOUTS[layout](tmp_path / "set", some))
    assert (source.kind, source.name, source.classes) == ("words", "set", None)
    assert len(source) == len(some)
    assert texts_of(source) == TEXTS
    assert [item.content for item in items_of(source)] == [picture for _, picture in some]
    assert [i.name for i in source.read(step=4)] == [list(source)[n].name for n in (0, 4, 8)]


@pytest.mark.parametrize("folder", ["", "train/"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_imagefolder_with_writers(tmp_path: Path, folder: str, kind: str) -> None:
    rows = [("x/0.png", "mot", "anne"), ("1.png", "e\u0301te\u0301", "7"), ("2.png", "là, oui", "")]
    said = {f"{folder}{name}": words([text])[0][1] for name, text, _ in rows}
    if kind == "csv":
        lines = [f'{name},{writer},"{text}"' for name, text, writer in rows]
        text = "\ufefffile_name,writer,text\r\n" + "\r\n".join(lines) + "\r\n"
    else:
        text = jsonl([{"file_name": n, "text": t, "writer": w} for n, t, w in rows])
    source = open_words(str(write(tmp_path, {**said, f"{folder}metadata.{kind}": text})))
    assert texts_of(source) == ["mot", "été", "là, oui"]
    assert [item.writer for item in items_of(source)] == ["anne", "7", None]
    assert set(source.files()) == {*said, f"{folder}metadata.{kind}"}


def test_other_names_of_columns_and_numbers(tmp_path: Path) -> None:
    rows: list[object] = [
        {"Image": "000.png", "Transcription": 1834, "Writer_ID": 3},
        {"Image": "001.png", "Transcription": "mot"},
    ]
    files = {**pictures_of(words(["1834", "mot"])), "metadata.jsonl": jsonl(rows)}
    items = items_of(open_words(str(write(tmp_path, files))))
    assert [(item.text, item.writer) for item in items] == [("1834", "3"), ("mot", None)]


def test_rows_that_say_nothing_are_skipped_each_with_its_reason(tmp_path: Path) -> None:
    rows: list[object] = [
        {"file_name": "000.png", "text": "mot"},
        {"file_name": "001.png", "text": None},
        {"file_name": "002.png"},
        {"file_name": "003.png", "text": " "},
        {"file_name": "nowhere.png", "text": "mot"},
        {"text": "mot"},
        {"file_name": 5, "text": "mot"},
        {"file_name": "004.png", "text": ["mot"]},
        {"file_name": "005.png", "text": True},
        {"file_name": "006.png", "text": {"a": 1}},
        {"file_name": "007.png", "text": 3.1},
    ]
    some = pictures_of(words(["mot"] * 8))
    source = open_words(str(write(tmp_path, {**some, "metadata.jsonl": jsonl(rows)})))
    assert texts_of(source) == ["mot"]
    assert skipped_of(source) == {
        "001.png": "it has no transcription",
        "002.png": "it has no transcription",
        "003.png": "its transcription is empty",
        "nowhere.png": "there is no such picture file",
        "metadata.jsonl row 6": "it names no picture",
        "metadata.jsonl row 7": "it names no picture",
        "004.png": "its transcription is no text",
        "005.png": "its transcription is no text",
        "006.png": "its transcription is no text",
        "007.png": "its transcription is no text",
    }


def test_json_may_hold_what_python_takes_for_the_end_of_a_line(tmp_path: Path) -> None:
    text = jsonl([{"file_name": "000.png", "text": "un\u2028deux\u0085trois"}])
    write(tmp_path, {**pictures_of(words(["un deux trois"])), "metadata.jsonl": text})
    assert texts_of(open_words(str(tmp_path))) == ["un deux trois"]


def test_a_description_may_be_named_itself(tmp_path: Path) -> None:
    some = words()
    write(
        tmp_path, {"other.JSONL": Path(imagefolder(tmp_path, some), "metadata.jsonl").read_text()}
    )
    tabs(tmp_path, some)
    for name in ("metadata.jsonl", "other.JSONL", "labels.txt"):
        assert texts_of(open_words(str(tmp_path / name))) == TEXTS


@pytest.mark.parametrize("ending", [".png", ".bin.png", ".nrm.png", ".jpg.png"])
def test_pairs_as_kraken_and_calamari_have_them(tmp_path: Path, ending: str) -> None:
    files = pictures_of(words(LETTERS), "book/{:04}" + ending)
    middle = ".jpg" if ending == ".jpg.png" else ""
    for number, text in enumerate(LETTERS):
        files[f"book/{number:04}{middle}.gt.txt"] = f"{text}\n"
    source = open_words(str(write(tmp_path, files)))
    assert texts_of(source) == LETTERS
    assert [item.name for item in items_of(source)] == [f"book/000{n}{ending}" for n in range(4)]


def test_pairs_that_are_none(tmp_path: Path) -> None:
    pairs(tmp_path, words(["mot", "oui"]))
    write(tmp_path, {"b/alone.gt.txt": "x", "b/latin.gt.txt": b"\xe9t\xe9", "b/latin.png": b""})
    write(tmp_path, {"._000.gt.txt": b"\x80", ".cache/0.gt.txt": "x", "__MACOSX/1.gt.txt": b"\x80"})
    os.mkfifo(tmp_path / "pipe.gt.txt")
    (tmp_path / "gone.gt.txt").symlink_to(tmp_path / "nowhere")
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["mot", "oui"]
    reasons = skipped_of(source)
    assert set(reasons) == {"b/alone.gt.txt", "b/latin.png"}
    assert reasons["b/alone.gt.txt"] == "there is no picture beside it"
    assert "another encoding" in reasons["b/latin.png"]


def test_pylaia_lists(tmp_path: Path) -> None:
    some = words(["hello you", "a", "e\u0301te\u0301", "l'eau"])
    pylaia(tmp_path, some)
    assert (tmp_path / "tr.txt").read_text().startswith("000 h e l l o <space> y o u\n001 a\n")
    write(tmp_path, {"va.txt": "000 x\n", "syms.txt": "a 1\nb 2\n", "readme.txt": b"\xe9\n"})
    assert texts_of(open_words(str(tmp_path))) == ["hello you", "a", "été", "l'eau"]


def test_lists_of_plain_texts_stay_as_they_are(tmp_path: Path) -> None:
    texts = ["à 5 h", "un mot", "y a", "# non"]
    source = open_words(tabs(tmp_path, words(texts)))
    assert texts_of(source) == texts
    lines = "".join(f"./{n:03}.png {t}\n" for n, t in enumerate(texts))
    write(tmp_path, {"labels.txt": f"# a comment\n\n{lines}009.png non\n"})
    source = open_words(str(tmp_path))
    assert texts_of(source) == texts
    assert skipped_of(source) == {"009.png": "there is no such picture"}


def test_a_list_of_something_else_is_none(tmp_path: Path) -> None:
    write(tmp_path, {**pictures_of(words()), "classes.txt": "cat\ndog\n", "empty.txt": "\n"})
    with pytest.raises(GansmithError, match="Expected words with their transcriptions in"):
        open_words(str(tmp_path))


def test_pictures_of_one_name_in_two_folders_are_told_apart_or_skipped(tmp_path: Path) -> None:
    some = words(LETTERS)
    files = pictures_of(some[:2], "one/{:03}.png") | pictures_of(some[2:], "two/{:03}.png")
    write(tmp_path, {**files, "gt.txt": "one/000 a\none/001 be\ntwo/000 see\ntwo/001 deed\n"})
    source = open_words(str(tmp_path))
    assert texts_of(source) == LETTERS
    assert [item.content for item in items_of(source)] == [picture for _, picture in some]
    write(tmp_path, {"gt.txt": "one/000 a\none/001 be\n000 see\n/two/001.png deed\n"})
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["a", "be"]
    assert set(skipped_of(source).values()) == {"several pictures are called so"}
    write(tmp_path, {"gt.txt": "000 a\n001 be\n"})
    assert len(skipped_of(open_words(str(tmp_path)))) == 2


IAM = """#--- words.txt ---------------------------------------------------------------#
# iam database word information
#
a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 ok 154 507 766 213 48 NN MOVE
a01-000u-00-02 err 154 796 764 70 50 TO to
b02-000-00-00 ok 154 1 2 3 4 INO don't
b02-000-00-01 ok 154 1 2 3 4 NP St. Paul
b02-000-00-02 ok 154 1 2 3 4 NN gone
b02-000-00
"""
FORMS = "#--- forms.txt ---#\n# comment\na01-000u 000 2 prt 7 5 52 36\nb02-000 007 2 prt 5 5 1 1\n"


@pytest.mark.parametrize("folder", ["", "ascii/"])
@pytest.mark.parametrize("forms", [False, True])
def test_iam(tmp_path: Path, folder: str, forms: bool) -> None:
    texts = ["A", "MOVE", "to", "don't", "St. Paul"]
    ids = ["a01-000u-00-00", "a01-000u-00-01", "a01-000u-00-02", "b02-000-00-00", "b02-000-00-01"]
    for name, (_, picture) in zip(ids, words(texts), strict=True):
        form = "-".join(name.split("-")[:2])
        write(tmp_path, {f"words/{name[:3]}/{form}/{name}.png": picture})
    write(tmp_path, {f"{folder}words.txt": IAM} | ({f"{folder}forms.txt": FORMS} if forms else {}))
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["A", "MOVE", "don't", "St. Paul"]
    writers = [item.writer for item in items_of(source)]
    assert writers == (["000", "000", "007", "007"] if forms else [None] * 4)
    assert skipped_of(source) == {
        "b02-000-00-02": "there is no such picture",
        "b02-000-00": "expected nine fields",
    }
    assert (f"{folder}forms.txt" in source.files()) == forms


def test_iam_lines(tmp_path: Path) -> None:
    text = "a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop\n"
    write(tmp_path, {"lines.txt": text, "lines/a01-000u-00.png": words(["A MOVE to stop"])[0][1]})
    assert texts_of(open_words(str(tmp_path))) == ["A MOVE to stop"]


def test_the_wrong_kind_of_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.bin": b"x", "b.csv": "a,b\n1,2\n", "c.txt": "no list\n"})
    (tmp_path / "empty").mkdir()
    for name in ("a.bin", "b.csv", "c.txt", "empty", "nowhere", "no\0name", "x" * 5000):
        with pytest.raises(GansmithError, match=r"Expected words with|Can't read"):
            open_words(str(tmp_path / name))
    for name in ("", "  ", "~nobody-of-this-name/words"):
        with pytest.raises(GansmithError, match=r"Expected words with|Can't read"):
            open_words(name)
