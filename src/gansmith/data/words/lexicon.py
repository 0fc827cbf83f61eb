"""Texts that a generator is asked to write besides what its data say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from gansmith.data.words.source import lines_of
from gansmith.data.words.text import characters, normalise
from gansmith.errors import GansmithError

LONGEST = 24  # characters: beyond, one long word would make its whole batch wide


@dataclass(frozen=True)
class Lexicon:
    """Words of a file, in their normal form and as often as they stand there."""

    name: str
    texts: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the texts."""
        return hashlib.sha256(json.dumps(self.texts).encode()).hexdigest()

    def writable(self, alphabet: Collection[str]) -> list[list[str]]:
        """The characters of each text that has no others and is not too long. A GansmithError
        where there is none."""
        known = set(alphabet)
        found = [row for row in map(characters, self.texts) if len(row) <= LONGEST]
        if not (found := [row for row in found if known.issuperset(row)]):
            raise GansmithError(
                f"expected words of at most {LONGEST} of the characters that were learnt "
                f"({''.join(sorted(known))}), found {len(self.texts):,} in {self.name}, none of these"
            )
        return found

    def about(self, alphabet: Collection[str]) -> str:
        """How many can be written."""
        count = len(self.writable(alphabet))
        line = f"lexicon: {count:,} words of {self.name} to be written besides"
        left = len(self.texts) - count
        return line + (f"; {left:,} in other characters, or too long, are left out" if left else "")


def read_lexicon(path: Path) -> Lexicon:
    """The words of a text, between white space; lines that begin with # are comments.

    Raises a GansmithError where it can't be read, or has none.
    """
    texts = tuple(word for line in lines_of(path) for word in normalise(line).split())
    if not texts:
        raise GansmithError(f"expected words in {path}, found none")
    return Lexicon(path.name, texts)
