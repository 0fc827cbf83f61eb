"""`python -m benchmarks [NAME …]`: run those, or all."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks import efficiency, kill, plot, quality, race, sampling, step_time, toys

# As the README's figures were made. Those of CIFAR-10 and of few pictures need to be told where
# these lie (python -m benchmarks.few --source FOLDER), so do words' (python -m benchmarks.lift --data
# FOLDER …), `gpu` needs a GPU.
ALL: dict[str, tuple[Callable[[list[str]], None], str]] = {
    "kill": (kill.main, "--kills 200"),
    "step_time": (step_time.main, ""),
    "efficiency": (efficiency.main, ""),
    "sampling": (sampling.main, ""),
    "toys": (toys.main, ""),
    "quality": (quality.main, "--minutes 5 --seeds 10"),
    "quality-10": (quality.main, "--minutes 10 --cas"),
    "quality-30": (quality.main, "--minutes 30 --cas"),
    "race": (race.main, "--epochs 4 --budgets 6,10,15,30,60,150,300"),
    "plot": (plot.main, ""),
}


def run(names: list[str]) -> None:
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"expected some of {', '.join(ALL)}, found {', '.join(unknown)}")
    for name in names or ALL:
        act, arguments = ALL[name]
        act(arguments.split())


run(sys.argv[1:])
