"""Texts as rows of characters: one normal form, and the alphabet of what a source writes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable

LONGEST = 200  # characters: beyond, a picture shows a paragraph and not a line


def normalise(text: str) -> str:
    """NFC, without control characters, one space where there were several.

    One form for each text: é as one character and as e with an accent are the same to a reader.
    """
    visible = "".join(c for c in text if c.isprintable() or c.isspace())
    return " ".join(unicodedata.normalize("NFC", visible).split())


def characters(text: str) -> list[str]:
    """What is written as one: a letter, with the marks that have no composed form with it."""
    found: list[str] = []
    for c in text:
        if found and unicodedata.category(c).startswith("M"):
            found[-1] += c
        else:
            found.append(c)
    return found


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """How often each is written."""
    return Counter(c for text in texts for c in characters(text))


def reason_against(text: str | None) -> str | None:
    """Why a text can't be learnt from; None where it can."""
    if text is None:
        return "it has no transcription"
    if not text:
        return "its transcription is empty"
    if len(text) > LONGEST:
        return f"its transcription is longer than {LONGEST} characters: give words or lines"
    return None
