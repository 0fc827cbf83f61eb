"""`python -m benchmarks [NAME …]`: run those, or all."""

from __future__ import annotations

import sys

from benchmarks import efficiency, kill, plot, quality, race, sampling, step_time, toys

ALL = {
    "kill": kill.main,
    "step_time": step_time.main,
    "toys": toys.main,
    "sampling": sampling.main,
    "race": race.main,
    "quality": quality.main,
    "efficiency": efficiency.main,
    "plot": plot.main,
}
# `few` needs to be told which pictures (python -m benchmarks.few --source FOLDER), `gpu` needs a GPU.


def run(names: list[str]) -> None:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"expected some of {', '.join(ALL)}, found {', '.join(unknown)}")
    for name in names or ALL:
        ALL[name]([])


run(sys.argv[1:])
