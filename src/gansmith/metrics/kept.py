"""Results of long trainings, kept under all that decides them: hours go on where they were cut off."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gansmith.data import cache


@dataclass(frozen=True)
class Kept:
    """Lists of whole numbers in a folder, a file each; in none, nothing is kept."""

    folder: Path | None = None

    def get(self, decided_by: Mapping[str, object], make: Callable[[], list[int]]) -> list[int]:
        """What was made before from the same, else what `make` gives."""
        if self.folder is None:
            return make()
        name = hashlib.sha256(json.dumps(decided_by, sort_keys=True).encode()).hexdigest()
        path = self.folder / f"{name[:32]}.json"
        if (found := _read(path)) is None:
            found = make()
            with cache.temporary(path) as unfinished:
                unfinished.write_text(json.dumps({"of": decided_by, "numbers": found}))
        return found


def _read(path: Path) -> list[int] | None:
    """None where there is nothing, or something else."""
    try:
        numbers = json.loads(path.read_text())["numbers"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    whole = isinstance(numbers, list) and all(type(n) is int for n in numbers)
    return numbers if whole else None
