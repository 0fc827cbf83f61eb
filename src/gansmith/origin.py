"""Where a generator comes from: its run, what it learnt from, what it was measured to be worth."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath
from typing import Any

from gansmith.config import Config
from gansmith.data import DOWNLOADS, RENDERED, TOYS
from gansmith.errors import GansmithError

EVALUATION = "evaluation.json"
DIGITS_TERMS = "E. Alpaydin and C. Kaynak, 1998; CC BY 4.0"


def run_of(path: Path) -> Path:
    """The run that a path belongs to: itself, or the parent of RUN/model."""
    path = path.resolve()
    is_model = path.name == "model" and (path / "model.json").is_file()
    return path.parent if is_model else path


def source_of(config: Config) -> str:
    """What the generator was trained on, without the way there: that is a private matter."""
    source = config.source
    name = source.partition(":")[0]
    if name in DOWNLOADS or name in TOYS or name in ("digits", "hf", *RENDERED):
        return source
    return PureWindowsPath(Path(source).name).name or "unknown"


def terms_of(config: Config) -> str:
    """Under which terms that may be used."""
    name = source_of(config).partition(":")[0]
    if name in DOWNLOADS:
        return DOWNLOADS[name].terms
    if name == "digits":
        return DIGITS_TERMS
    return "not known to gansmith; ask whoever the training data came from"


def evaluation_of(run: Path | None) -> Any:
    """The run's figures, a JSON object; None where it has none. Raises GansmithError."""
    if run is None or not (run / EVALUATION).is_file():
        return None
    try:
        figures = json.loads((run / EVALUATION).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise GansmithError(
            f"{run / EVALUATION}: expected JSON, can't read it ({error}); evaluate the run again"
        ) from None
    if not isinstance(figures, dict):
        raise GansmithError(
            f"{run / EVALUATION}: expected a JSON object, found a {type(figures).__name__}; "
            "evaluate the run again"
        )
    return figures
