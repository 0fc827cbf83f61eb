"""Quality against time: the textbook's DCGAN in a plain loop, and `fast`, one after the other.

    python -m benchmarks.race --data-dir DIR [--epochs 1] [--budgets 6,12,30,60,150,300]

Baseline: `textbook.Textbook`, in fp32; the clock stands still while it is measured. `fast`: whole
runs of so many seconds, each from the start. `seconds` are those of training, which for `fast` hold
its samples, scores and checkpoints too; `command_seconds` add what comes before and after: reading,
the judge's features of real pictures, the last score, model and report. Nothing else should run.
What is known so far is recorded after each of them.

Protocol: `referee.Referee`, 10,000 generated digits against 50,000 real ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

import gansmith
from benchmarks import record
from benchmarks.referee import MADE, Referee, own_size
from benchmarks.textbook import BATCH, Textbook
from gansmith.data import open_source, prepare
from gansmith.generate import Model, load

MARKS = (0.1, 0.25, 0.5, 1, 2, 3, 4)  # epochs after which the baseline is measured


def textbook(pictures: Tensor, epochs: float) -> Iterator[tuple[float, float, Textbook]]:
    """Train the baseline; at each mark give the epochs, the seconds so far and it."""
    baseline = Textbook(pictures)
    per_epoch = baseline.steps_per_epoch
    due = [round(mark * per_epoch) for mark in MARKS if mark <= epochs]
    seconds, begun = 0.0, time.perf_counter()
    for step in range(1, max(due) + 1):
        baseline.step()
        if step in due:
            seconds += time.perf_counter() - begun
            yield step / per_epoch, seconds, baseline
            begun = time.perf_counter()


def fast(
    data_dir: str | None, seconds: float, seed: int, **settings: Any
) -> tuple[Model, dict[str, float]]:
    """The generator of a whole run of so many seconds, and what it took."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = gansmith.train(
            "mnist",
            recipe="fast",
            out=Path(folder) / "run",
            data_dir=data_dir,
            minutes=seconds / 60,
            seed=seed,
            **settings,
        )
        whole = time.perf_counter() - begun
        return load(result.run), {
            "seconds": round(result.seconds, 2),
            "command_seconds": round(whole, 1),
        }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="MNIST's files; downloaded if left out")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--budgets", default="6,12,30,60,150,300")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    source = open_source("mnist", data_dir=options.data_dir)
    small, space, side = own_size(source)
    large = prepare(source, height=64, width=64)
    for_small, for_large = Referee(small, space, side), Referee(large, space, side)
    result: dict[str, Any] = {
        "space": f"{space.name} {space.weights}",
        "floor_dcgan": round(for_large.floor, 4),
        "floor_fast": round(for_small.floor, 4),
        "fast": [],
        "dcgan": [],
    }
    for budget in map(float, options.budgets.split(",")):
        model, took = fast(options.data_dir, budget, options.seed)
        value = for_small.fid(for_small.ask(model))
        note(result, "fast", {**took, "fid": round(value, 3)})
    for epoch, seconds, baseline in textbook(large.values, options.epochs):
        # The tutorial samples in training mode; whichever is better counts.
        value = min(for_large.fid(baseline.sample(MADE, training)) for training in (True, False))
        found = {"epochs": round(epoch, 2), "seconds": round(seconds, 1), "fid": round(value, 3)}
        note(result, "dcgan", found | faster(result["fast"], found))


def note(result: dict[str, Any], who: str, found: dict[str, Any]) -> None:
    """Add a measurement, and keep the record so far."""
    print(who, found, flush=True)
    result[who].append(found)
    record.write("race", {"made": MADE, "batch": BATCH}, result)


def faster(runs: list[dict[str, Any]], goal: dict[str, Any]) -> dict[str, float | None]:
    """How soon a run of `fast` was as good."""
    soonest = min((r["seconds"] for r in runs if r["fid"] <= goal["fid"]), default=None)
    times = soonest and round(goal["seconds"] / soonest, 1)
    return {"fast_seconds": soonest, "times_faster": times}


if __name__ == "__main__":
    main()
