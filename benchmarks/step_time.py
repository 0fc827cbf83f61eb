"""What does the loop cost? gansmith's step against a plain loop, alternating in one process.

    python -m benchmarks.step_time --data-dir DIR

`dcgan` at 64×64 in fp32 on MNIST, batch 64, against `textbook.Textbook`. Both spare the
discriminator's weight gradients in the generator's turn; the ratio against a loop that does not (as
the PyTorch tutorial's) is given too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import record
from benchmarks.textbook import Textbook
from gansmith import recipes
from gansmith.config import merge
from gansmith.data import open_source, prepare
from gansmith.loop import Session
from gansmith.run import RunFolder

SETTINGS = {"batch_size": 64, "precision": "fp32", "device": "cpu", "images": 10_000_000}


def measure(session: Session, rounds: int) -> dict[str, float]:
    """Median seconds of a step of each, and median ratios pair by pair."""
    session._begin()
    steps = session.steps()
    plain, tutorial = (Textbook(session.stream.values, spare_gradients=s) for s in (True, False))
    contenders: list[Callable[[], object]] = [lambda: next(steps), plain.step, tutorial.step]
    times: list[list[float]] = [[], [], []]
    for number in range(rounds + 2):
        for turn in range(3):
            who = (number + turn) % 3  # in another order each round: what runs before may matter
            begun = time.perf_counter()
            contenders[who]()
            if number >= 2:  # the first ones warm up
                times[who].append(time.perf_counter() - begun)
    session.observer.close()
    ours, spared, naive = times
    return {
        "gansmith_step_s": round(statistics.median(ours), 4),
        "plain_step_s": round(statistics.median(spared), 4),
        "tutorial_step_s": round(statistics.median(naive), 4),
        "ratio_of_medians": round(statistics.median(ours) / statistics.median(spared), 4),
        "median_of_ratios": round(_median_ratio(ours, spared), 4),
        "median_of_ratios_to_tutorial": round(_median_ratio(ours, naive), 4),
        "rounds": rounds,
    }


def _median_ratio(a: list[float], b: list[float]) -> float:
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; downloaded if left out")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args(arguments)
    source = open_source("mnist", data_dir=options.data_dir)
    dataset = prepare(source, height=64, width=64)
    config = merge(recipes.dcgan(), SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.path.mkdir()
        result = measure(Session(dataset, config, run), options.rounds)
    print(result)
    print(record.write("step_time", {**SETTINGS, "recipe": "dcgan", "source": "mnist"}, result))


if __name__ == "__main__":
    main()
