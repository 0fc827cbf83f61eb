"""Texts: one normal form, what counts as one character, and what can't be learnt from."""

from __future__ import annotations

import unicodedata

import pytest

from gansmith.data.words.text import (
    LONGEST,
    characters,
    count_characters,
    normalise,
    reason_against,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mot", "mot"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),
        ("\u00e9t\u00e9", "\u00e9t\u00e9"),
        ("q\u0303", "q\u0303"),  # which has no composed form
        ("  deux \t\n mots\u00a0\u2003ici ", "deux mots ici"),
        ("a\0b\x07c\x7f", "abc"),
        ("co\u00adte\u200bnu\ufeff", "cotenu"),  # soft hyphen, no space, byte order mark
        ("\u202eabc\u202c", "abc"),  # written from right to left
        ("\ud800x", "x"),  # half of a pair, as JSON may hold it
        ("\u212b \u2126", "\u00c5 \u03a9"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_normal_form(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_what_is_taken_out_does_not_keep_an_accent_from_its_letter() -> None:
    for between in ("\u200d", "\0", "\u00ad", "\u2060"):
        assert normalise(f"e{between}\u0301") == "\u00e9"


def test_the_normal_form_is_its_own() -> None:
    for start in range(0, 0x3000, 7):
        text = "".join(chr(start + n) for n in range(7)) + "e\u0301\u200d\u0327"
        once = normalise(text)
        assert normalise(once) == once == unicodedata.normalize("NFC", once)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mot", ["m", "o", "t"]),
        ("\u00e9t", ["\u00e9", "t"]),
        ("q\u0303a\u0328\u0301b", ["q\u0303", "a\u0328\u0301", "b"]),
        ("\u0915\u093f\u0924\u093e\u092c", ["\u0915\u093f", "\u0924\u093e", "\u092c"]),  # किताब
        ("a b", ["a", " ", "b"]),
        ("\u0301b", ["\u0301", "b"]),  # a mark with nothing below it
        ("", []),
    ],
)
def test_a_letter_and_its_marks_are_one_character(text: str, expected: list[str]) -> None:
    assert characters(text) == expected
    assert "".join(characters(text)) == text


def test_characters_are_counted_over_all_texts() -> None:
    assert count_characters(["aba", "q\u0303a"]) == {"a": 3, "b": 1, "q\u0303": 1}
    assert count_characters([]) == {}


def test_texts_that_cannot_be_learnt_from() -> None:
    assert reason_against("x") is None
    assert reason_against("x" * LONGEST) is None
    assert reason_against(None) == "it has no transcription"
    assert reason_against("") == "its transcription is empty"
    assert "longer than 200 characters" in str(reason_against("x" * (LONGEST + 1)))
    assert "longer than 200 characters" in str(reason_against("x" * 10_000))
