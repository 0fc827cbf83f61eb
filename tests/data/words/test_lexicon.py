"""Texts to be written besides what the data say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gansmith.data.words.lexicon import LONGEST, Lexicon, read_lexicon
from gansmith.errors import GansmithError


def test_a_file_gives_its_words_in_their_normal_form_as_often_as_it_has_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "texts.txt").write_text(
        "\ufeffe\u0301t\u00e9 la\n\n# of the sea\n  la\tmer\n", encoding="utf-8"
    )
    found = read_lexicon(tmp_path / "texts.txt")
    assert found == Lexicon("texts.txt", ("été", "la", "la", "mer"))
    assert found.digest != Lexicon("texts.txt", ("été", "la", "mer")).digest


def test_what_has_other_characters_or_is_too_long_is_left_out_and_counted() -> None:
    lexicon = Lexicon("texts.txt", ("abba", "a" * LONGEST, "a" * (LONGEST + 1), "abc", "b\u0301a"))
    assert lexicon.writable("ab") == [list("abba"), ["a"] * LONGEST]
    assert lexicon.writable(["a", "b\u0301"]) == [["a"] * LONGEST, ["b\u0301", "a"]]
    expected = "2 words of texts.txt to be written besides; 3 in other characters, or too long, are"
    assert expected in lexicon.about("ab")
    assert lexicon.about("abc").endswith("; 2 in other characters, or too long, are left out")
    assert Lexicon("t", ("a",)).about("a") == "lexicon: 1 words of t to be written besides"


def test_a_file_of_nothing_that_can_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GansmithError, match=r"learnt \(ab\), found 2 in greek.txt, none of these"):
        Lexicon("greek.txt", ("α", "β")).writable("ba")
    (tmp_path / "empty.txt").write_text(" \n")
    with pytest.raises(GansmithError, match=r"expected words in .*empty.txt, found none"):
        read_lexicon(tmp_path / "empty.txt")
    with pytest.raises(GansmithError, match="not a regular file"):
        read_lexicon(Path("/dev/zero"))
