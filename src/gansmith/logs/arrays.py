"""Losses in numpy's arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gansmith.errors import GansmithError
from gansmith.logs.names import Log, Names


def of_arrays(paths: list[Path]) -> Log:
    by_name = sorted(paths, key=_place)
    d, g = (_load(path).ravel() for path in by_name)
    if len(d) != len(g):
        raise GansmithError(
            f"expected as many losses of the discriminator as of the generator, "
            f"found {len(d):,} and {len(g):,}"
        )
    return [
        {"step": step, "loss_d": float(a), "loss_g": float(b)}
        for step, (a, b) in enumerate(zip(d, g, strict=True), 1)
    ]


def _place(path: Path) -> int:
    """Of an array among two: the discriminator's losses come first, where names tell."""
    return {"loss_d": -1, "loss_g": 1}.get(Names({}).figure(path.stem) or "", 0)


def of_array(path: Path) -> Log:
    both = _load(path)
    if both.ndim != 2 or 2 not in both.shape:
        raise GansmithError(
            f"{path}: expected two columns (losses of the discriminator and of the generator), "
            f"found the shape {both.shape}; or give two arrays"
        )
    both = both if both.shape[1] == 2 else both.T
    return [{"step": n, "loss_d": float(a), "loss_g": float(b)} for n, (a, b) in enumerate(both, 1)]


def _load(path: Path) -> np.ndarray:
    with path.open("rb") as stream:  # numpy leaves a broken archive open
        try:
            found = np.load(stream, allow_pickle=False)
        except Exception as error:  # a bad header makes numpy's parser raise nearly anything
            why = str(error).partition("\n")[0]
            raise GansmithError(f"{path}: expected an array of numbers ({why})") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "fiu":
        raise GansmithError(f"{path}: expected an array of numbers")
    return found
