"""What README files of models and data sets share: strangers' words made safe, and figures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

FIGURE_ROWS = 60


def figure_lines(figures: Any, measured: str, rest: str) -> Iterator[str]:
    """What a generator was found to be worth: the verdict, how it was `measured`, a table, and in
    which file the `rest` is."""
    if not figures:
        yield "It was not measured.\n"
        return
    rows = list(_rows(_shown(figures)))
    if verdict := _verdict(figures):
        yield f"{plain(verdict, 1000)}\n"
    yield f"{measured}:\n"
    yield "| figure | value |\n| --- | --- |"
    yield from (f"| {plain(name)} | {plain(value)} |" for name, value in rows[:FIGURE_ROWS])
    if len(rows) > FIGURE_ROWS:
        yield f"\n{len(rows) - FIGURE_ROWS:,} more are in `{rest}`."
    yield ""


def measured_at(figures: Any, step: int) -> int | None:
    """The step that figures are of, where that is not `step`."""
    found = figures.get("step") if isinstance(figures, Mapping) else None
    return found if isinstance(found, int) and found != step else None


def _verdict(figures: Any) -> str:
    """Whether the generator was found to copy, in words; nothing where nobody looked."""
    found = figures.get("memorisation") if isinstance(figures, Mapping) else None
    verdict = found.get("verdict") if isinstance(found, Mapping) else None
    return verdict if isinstance(verdict, str) else ""


def _shown(figures: Any) -> Any:
    """All but the verdict, which stands above, and the audit's pairs, which mean nothing here."""
    found = figures.get("memorisation") if isinstance(figures, Mapping) else None
    if not isinstance(found, Mapping):
        return figures
    kept = {key: part for key, part in found.items() if key not in ("verdict", "closest")}
    return {**figures, "memorisation": kept}


def _rows(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested figures as rows: the path to each, and itself."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, list) and any(isinstance(entry, (dict, list)) for entry in value):
        parts = list(enumerate(value, start=1))
    else:
        yield name, _figure(value)
        return
    for key, part in parts:
        yield from _rows(part, f"{name}, {key}" if name else str(key))


def _figure(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_figure, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)


def quoted(text: str) -> str:
    """A YAML string: JSON's, with escapes for all that YAML does not want to see raw."""
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() or ord(c) > 0xFFFF else f"\\u{ord(c):04x}" for c in shown)


def plain(text: str, most: int = 200) -> str:
    """A stranger's text within a line of Markdown: no markup, no line breaks."""
    short = " ".join(text.split())[:most]
    return "".join(f"&#{ord(c)};" if c in "\\`*_[]<>|&#!~$" else c for c in short)
