"""Rendered words that a recogniser learns from besides, where there are few real ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gansmith.config import Config
from gansmith.data import Strip
from gansmith.data.words.rendered import against_hand, as_read
from gansmith.errors import GansmithError

COUNT = 4000  # words


def against_copybook(config: Config, texts: Sequence[str]) -> str | None:
    """Why there is none beside real words that say `texts`; None where there is one. A GansmithError
    where there has to be one."""
    reason = against_hand(texts)
    if reason and config.copybook == "yes":
        raise GansmithError(f"copybook: {reason}, or use copybook=no")
    return reason


def about_copybook(against: str | None) -> str:
    if against:
        return f"copybook: none: {against}"
    return f"copybook: {COUNT:,} rendered words to learn to read from besides"


def copybook(texts: Iterable[str], height: int, seed: int) -> tuple[Strip, list[str]]:
    """The texts in rendered hands, as they would be read from a disk, and what each says."""
    pictures, said = zip(*as_read(texts, height, seed), strict=True)
    return Strip.of(pictures), list(said)
