"""The pieces that sections of the page are made of. What goes in as text comes out escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from gansmith.report.embed import picture
from gansmith.report.plots import Themed


def section(title: str, text: str, content: str) -> str:
    paragraph = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{paragraph}{content}</section>\n"


def card(pair: Themed, alt: str, caption: str, budget: int, kind: str = "") -> str:
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="card {kind}">{picture(pair, alt, 1600, budget)}{below}</figure>'


def details(title: str, content: str) -> str:
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def table(heads: Iterable[str], rows: Iterable[str], kind: str = "") -> str:
    """`rows` are markup, each a whole <tr>."""
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    inner = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="table {kind}"><table>{inner}</table></div>'
