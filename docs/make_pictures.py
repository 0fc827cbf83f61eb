"""Make the pictures of the README and the docs again: `make docs`.

Trains the runs they show (about 25 minutes on two cores; those whose data are not here are left
out) and copies what the runs made into docs/pictures. The race and CIFAR-10's hour are drawn by
`benchmarks.plot` and `benchmarks.quality --pictures`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import gansmith
from gansmith.samples import write_grid

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
DATA = Path(os.environ.get("GANSMITH_DATA", "data"))  # mnist/, faces/, cifar10/train.parquet

RUNS: dict[str, dict[str, Any]] = {
    "digits": {"source": "digits", "minutes": 2},
    "mnist": {
        "source": "mnist",
        "data_dir": str(DATA / "mnist"),
        "minutes": 1,
    },
    "parabola": {"source": "parabola"},
    "ring": {"source": "ring"},
    "faces": {
        "source": str(DATA / "faces"),
        "recipe": "few-images",
        "size": "64",
        "minutes": 5,
    },
    "faces-56x64": {
        "source": str(DATA / "faces"),
        "recipe": "few-images",
        "size": "56x64",
        "minutes": 3,
    },
    "cifar10": {
        "source": str(DATA / "cifar10" / "train.parquet"),
        "minutes": 6,
    },
}


class Lines:
    """Prints what a run says."""

    def say(self, line: str) -> None:
        print(f"  {line}", flush=True)

    def tick(self, progress: object) -> None: ...


def make(name: str, settings: dict[str, Any], runs: Path) -> None:
    out = runs / name
    shutil.rmtree(out, ignore_errors=True)
    result = gansmith.train(**settings, out=out, watcher=Lines())
    print(f"{name}: {result.images:,} images, {result.seconds:.0f} s, score {result.score}")
    model = gansmith.load(out)
    if model.spec.kind == "points":
        shutil.copyfile(out / "samples.gif", PICTURES / f"{name}.gif")
        return
    shutil.copyfile(out / "real-and-generated.png", PICTURES / f"{name}-real-and-generated.png")
    write_grid(model, PICTURES / f"{name}.png", 100, seed=7, labels=model.spec.classes)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, settings in RUNS.items():
        needed = settings.get("data_dir", settings["source"])
        if "/" in needed and not Path(needed).exists():
            print(f"{name}: left out, for there is no {needed}")
            continue
        make(name, settings, Path("runs") / "docs")


if __name__ == "__main__":
    main()
