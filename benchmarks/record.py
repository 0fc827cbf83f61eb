"""Results with what they were measured on, kept beside the code that measured them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gansmith.runtime import machine

RECORDS = Path(__file__).parent / "records"


def write(name: str, config: dict[str, Any], result: dict[str, Any]) -> Path:
    """Write records/NAME.json: config, result, machine, versions, commit and date."""
    record = {
        "benchmark": name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
        "machine": machine(),
        "versions": {package: version(package) for package in ("gansmith", "torch", "numpy")},
        "config": config,
        "result": result,
    }
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _commit() -> str:
    """The commit, and whether the code is another than that: records do not count."""
    commit = _git("describe", "--always")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", f":!{RECORDS.name}")
    return (commit or "unknown") + ("-dirty" if changed else "")


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], capture_output=True, text=True, cwd=RECORDS.parent)
    return done.stdout.strip()
