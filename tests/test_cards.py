"""Strangers' words in a README.md."""

from __future__ import annotations

import pytest

from gansmith.cards import plain, quoted


@pytest.mark.parametrize("text", ["a|b", "<script>", "![x](y)", "`x`", "a\nb", "# x", "&lt;"])
def test_a_strangers_text_is_no_markup(text: str) -> None:
    assert not set(plain(text).replace("&#", "").replace(";", "")) & set("|<>[]`\n*_")


def test_quoting_keeps_what_is_printable_readable() -> None:
    assert quoted('é "😀"') == r'"é \"😀\""'
    assert quoted("\u2028") == r'"\u2028"'
