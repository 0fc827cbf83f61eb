"""What do the vital signs cost? The time of a probe over that of the steps between two of them.

    python -m benchmarks.vitals --data-dir DIR

MNIST, ten steps and a probe in turns; medians. The goal is a fiftieth.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from benchmarks import record
from benchmarks.efficiency import seconds
from gansmith.config import merge
from gansmith.data import Dataset, open_source, prepare
from gansmith.loop import Session
from gansmith.recipes import default_size, recipe
from gansmith.run import RunFolder

RECIPES = ("fast", "dcgan-32", "dcgan-keras")
QUIET = {"images": 10**9, "sample_every": 10**8, "checkpoint_every": 10**8, "log_every": 10**7}
STEPS = 10  # between two probes here


def measure(name: str, data: Dataset, folder: Path, rounds: int) -> dict[str, float]:
    run = RunFolder(folder / name)
    run.path.mkdir()
    session = Session(data, merge(recipe(name), QUIET), run)
    session._begin()
    steps, probe, device = session.steps(), session.observer.probe, session.device
    stepping: list[float] = []
    probing: list[float] = []
    for _ in range(rounds + 1):
        stepping.append(seconds(lambda: [next(steps) for _ in range(STEPS)], device) / STEPS)
        probing.append(seconds(lambda: probe.take(session.step), device))
    session.observer.close()
    step, taken = (statistics.median(times[1:]) for times in (stepping, probing))
    every = recipe(name).log_every  # probes come with records
    interval = -(-probe.interval // every) * every
    return {
        "steps_between_probes": interval,
        "median_step_s": round(step, 5),
        "median_probe_s": round(taken, 5),
        "share_of_time": round(taken / (step * interval), 4),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; downloaded if left out")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(arguments)
    source = open_source("mnist", data_dir=options.data_dir)
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in RECIPES:
            side = int(default_size(recipe(name), 28, 28) or 28)
            data = prepare(source, height=side, width=side)
            result[name] = measure(name, data, Path(folder), options.rounds)
            print(name, result[name], flush=True)
    print(record.write("vitals", {"recipes": list(RECIPES), "source": "mnist", **QUIET}, result))


if __name__ == "__main__":
    main()
