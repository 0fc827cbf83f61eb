"""ALTO and PAGE: pages whose words are cut out of one picture."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gansmith.data.words import open_words
from gansmith.data.words import source as words_source
from gansmith.errors import GansmithError
from tests.data.words.builders import (
    LAYOUTS,
    TEXTS,
    a_page,
    alto_xml,
    bars,
    items_of,
    page_part,
    page_xml,
    png,
    skipped_of,
    texts_of,
    words,
    write,
)

BOX = (20, 8, 48, 32)


def word(text: str | None, name: str = "w", box: tuple[int, ...] = BOX) -> str:
    return page_part("Word", name, text, box)


def one_page(root: Path, xml: str) -> Path:
    """A page with the word `mot` at `BOX`."""
    pixels, found = a_page(words(["mot"]))
    assert found == [("mot", BOX)]
    return write(root, {"page.png": png(pixels), "page.xml": xml})


@pytest.mark.parametrize("layout", ["alto", "page"])
def test_words_are_cut_out_of_their_page(tmp_path: Path, layout: str) -> None:
    source = open_words(LAYOUTS[layout](tmp_path, words()))
    items = items_of(source)
    assert [item.text for item in items] == TEXTS
    for item in items:
        assert np.array_equal(item.content, bars(item.text or ""))
    assert [item.name for item in source.read(step=5)] == [items[0].name, items[5].name]
    assert set(source.files()) == {"page.png", "page.xml"}


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("suffix", ["", "<fileName>scans\\\\p 1.tif</fileName>"])
def test_versions_of_alto(tmp_path: Path, version: int, suffix: str) -> None:
    head = "<MeasurementUnit>pixel</MeasurementUnit>"
    if suffix:
        head += f"<sourceImageInformation>\n{suffix}\n</sourceImageInformation>"
    pixels, found = a_page(words())
    picture = "pictures/p 1.png" if suffix else "xml/7.png"
    write(tmp_path, {picture: png(pixels), "xml/7.xml": alto_xml(found, head, version)})
    assert texts_of(open_words(str(tmp_path))) == TEXTS


def test_alto_in_millimetres_is_not_taken_for_pixels(tmp_path: Path) -> None:
    xml = alto_xml([("mot", BOX)], "<MeasurementUnit>mm10</MeasurementUnit>")
    source = open_words(str(one_page(tmp_path, xml)))
    assert skipped_of(source) == {"page.xml s0": "its page measures in mm10, not in pixels"}


@pytest.mark.parametrize("year", ["2013-07-15", "2019-07-15"])
def test_versions_of_page(tmp_path: Path, year: str) -> None:
    one_page(tmp_path, page_xml(word("mot"), "somewhere/else/page.jpg", year))
    (item,) = items_of(open_words(str(tmp_path)))
    assert (item.name, item.text) == ("page.xml w", "mot")
    assert np.array_equal(item.content, bars("mot"))


def test_lines_where_no_words_say_anything(tmp_path: Path) -> None:
    inner = word("du mot", "w")
    for said, expected in ((inner, ["du mot"]), ("", ["la ligne"]), (word(None), ["la ligne"])):
        one_page(tmp_path, page_xml(page_part("TextLine", "l", "la ligne", BOX, said)))
        assert texts_of(open_words(str(tmp_path))) == expected


def test_a_polygon_is_cut_out_with_its_bounds(tmp_path: Path) -> None:
    points = "30.4,10 67,8 50,39 20.2,20"
    text = "<TextEquiv><Unicode>mot</Unicode></TextEquiv>"
    one_page(tmp_path, page_xml(f'<TextLine id="l"><Coords points="{points}"/>{text}</TextLine>'))
    (item,) = items_of(open_words(str(tmp_path)))
    assert np.array_equal(item.content, bars("mot"))


@pytest.mark.parametrize(
    ("coords", "reason"),
    [
        ("", "it has no box"),
        ('<Coords points=""/>', "it has no box"),
        ('<Coords points="1,2 3"/>', "it has no box"),
        ('<Coords points="nan,1 2,3"/>', "it has no box"),
        ('<Coords points="inf,1 2,3"/>', "it has no box"),
        ('<Coords points="1e999,1 2,3"/>', "it has no box"),
        ('<Coords points="900,900 950,950"/>', "its box lies outside the picture"),
        ('<Coords points="-90,-90 -9,-9"/>', "its box lies outside the picture"),
        ('<Coords points="1e300,1e300 2e300,2e300"/>', "its box lies outside the picture"),
    ],
)
def test_boxes_that_are_none_are_skipped(tmp_path: Path, coords: str, reason: str) -> None:
    text = "<TextEquiv><Unicode>mot</Unicode></TextEquiv>"
    one_page(tmp_path, page_xml(f'{word("mot")}<Word id="x">{coords}{text}</Word>'))
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["mot"]
    assert skipped_of(source) == {"page.xml x": reason}


@pytest.mark.parametrize("width", ["", "x", "inf", "-5", "1e999", None])
def test_boxes_of_alto_that_are_none_are_skipped(tmp_path: Path, width: str | None) -> None:
    xml = alto_xml([("mot", BOX), ("mot", BOX)])
    attribute = "" if width is None else f'WIDTH="{width}"'
    one_page(tmp_path, xml.replace('WIDTH="48"', attribute, 1))
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["mot"]
    assert list(skipped_of(source)) == ["page.xml s0"]


def test_a_box_over_the_edge_is_cut_there(tmp_path: Path) -> None:
    one_page(tmp_path, page_xml(word("mot", box=(20, 8, 4000, 32))))
    (item,) = items_of(open_words(str(tmp_path)))
    assert np.asarray(item.content).shape == (32, 620)


def test_parts_without_a_text_are_skipped(tmp_path: Path) -> None:
    body = word("mot", "a") + word(None, "b") + word("", "c") + word("x" * 10_000, "d")
    source = open_words(str(one_page(tmp_path, page_xml(body))))
    assert list(skipped_of(source)) == ["page.xml b", "page.xml c", "page.xml d"]


def test_each_page_finds_the_picture_nearest_to_it(tmp_path: Path) -> None:
    for book, text in (("one", "mot"), ("two", "longtemps")):
        pixels, found = a_page(words([text]))
        body = word(text, box=found[0][1])
        write(tmp_path, {f"{book}/page/1.xml": page_xml(body, "1.jpg"), f"{book}/1.jpg": b""})
        write(tmp_path, {f"{book}/1.jpg": png(pixels), f"{book}/thumbs/1.jpg": b""})
    source = open_words(str(tmp_path))
    assert [item.text for item in items_of(source)] == ["mot", "longtemps"]
    for item in items_of(source):
        assert np.array_equal(item.content, bars(item.text or ""))


def test_a_picture_that_could_be_either_is_none(tmp_path: Path) -> None:
    picture = png(a_page(words(["mot"]))[0])
    files = {"a/1.png": picture, "b/1.png": picture, "xml/1.xml": page_xml(word("mot"), "1.png")}
    source = open_words(str(write(tmp_path, files)))
    assert skipped_of(source) == {"xml/1.xml w": "the page has no picture beside it"}
    write(tmp_path, {"xml/1.jpg": picture})
    assert texts_of(open_words(str(tmp_path))) == ["mot"]


def test_a_picture_that_is_broken_is_tried_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_page(tmp_path, page_xml("".join(word("mot", f"w{n}") for n in range(50))))
    whole = (tmp_path / "page.png").read_bytes()
    (tmp_path / "page.png").write_bytes(whole[: len(whole) // 2])
    opened = []
    read = words_source.read_picture
    monkeypatch.setattr(words_source, "read_picture", lambda p: [opened.append(p), read(p)][1])
    assert len(skipped_of(open_words(str(tmp_path)))) == 50
    assert len(opened) == 1


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
@pytest.mark.parametrize(
    "head", ["<!DOCTYPE alto>", BOMB, '<!DOCTYPE x SYSTEM "file:///etc/hosts">']
)
def test_document_types_are_refused_in_every_encoding(
    tmp_path: Path, encoding: str, head: str
) -> None:
    xml = alto_xml([("mot", BOX)]).partition("\n")[2]
    text = f'<?xml version="1.0" encoding="{encoding}"?>{head}{xml}'
    one_page(tmp_path, "")
    (tmp_path / "page.xml").write_bytes(text.encode(encoding))
    with pytest.raises(GansmithError, match="has a document type declaration"):
        open_words(str(tmp_path))
    (tmp_path / "page.xml").write_bytes(text.replace(head, "").encode(encoding))
    assert texts_of(open_words(str(tmp_path))) == ["mot"]


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"<",
        b"\0\0\0",
        b"<alto>",
        b"<alto></page>",
        b"<a>&b;</a>",
        b"<a>" * 100_000,
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="nothing"?><a/>',
        b'<?xml version="1.0" encoding="shift_jis"?><a/>',
        b'<?xml version="1.0" encoding="base64"?><a/>',
        b'<?xml version="1.0"?><a>\x80</a>',
        b'<!DOCTYPE x [<!ENTITY a "&b;"><!ENTITY b "&a;">]><x>&a;</x>',
    ],
)
def test_broken_xml_is_one_clear_sentence(tmp_path: Path, xml: bytes) -> None:
    write(tmp_path, {"page.xml": xml})
    with pytest.raises(GansmithError, match=r"^Expected whole XML, but .*page\.xml can't be read"):
        open_words(str(tmp_path))


def test_xml_of_another_kind_is_passed_over(tmp_path: Path) -> None:
    one_page(tmp_path, page_xml(word("mot")))
    write(tmp_path, {"a.xml": "<annotation/>", "b.xml": "<a>" * 50_000 + "</a>" * 50_000})
    write(tmp_path, {"._page.xml": b"\0\5", "__MACOSX/page.xml": b"\0"})
    os.mkfifo(tmp_path / "pipe.xml")
    (tmp_path / "gone.xml").symlink_to(tmp_path / "nowhere.xml")
    source = open_words(str(tmp_path))
    assert texts_of(source) == ["mot"]
    assert texts_of(open_words(str(tmp_path / "page.xml"))) == ["mot"]
    assert set(source.files()) == {"page.png", "page.xml"}
