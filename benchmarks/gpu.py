"""On a GPU: the tutorials' 900,000 images, and seconds to three times the floor.

    python -m benchmarks.gpu --data-dir DIR

`dcgan` at 64×64 on MNIST, batch 64, 15 epochs (900,000 images, which took the tutorials 12 to 15
minutes on a T4 or V100), and whole runs of `fast` of so many seconds each, judged as in
`referee.Referee`. The share of the device's rate: see `efficiency`. Goals: 30 s for the first, 20 s to
three times the floor for the second, on one H100.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch

import gansmith
from benchmarks import record
from benchmarks.efficiency import best_rate, work_of
from benchmarks.race import fast
from benchmarks.referee import Referee, own_size
from benchmarks.textbook import BATCH, Textbook
from gansmith.data import open_source
from gansmith.runtime import pick_device, pick_precision

IMAGES = 900_000
GOAL = 3.0  # times the floor


def tutorial(data_dir: str | None, images: int) -> dict[str, Any]:
    """The tutorials' run, with everything a run does, and how well it used the device."""
    device = pick_device("cuda")
    precision = pick_precision("auto", device)
    with tempfile.TemporaryDirectory() as folder:
        done = gansmith.train(
            "mnist",
            recipe="dcgan",
            out=Path(folder) / "run",
            data_dir=data_dir,
            batch_size=BATCH,
            images=images,
            device="cuda",
        )
    work = work_of(Textbook(torch.zeros(BATCH, 1, 64, 64, dtype=torch.uint8, device=device)))
    rate = best_rate(device, torch.bfloat16 if precision.name == "bf16" else torch.float32)
    return {
        "images": done.images,
        "seconds": round(done.seconds, 2),
        "images_per_second": round(done.images / done.seconds),
        "precision": precision.name,
        "best_matrix_tflops": round(rate / 1e12, 1),
        "share_of_it": round(work * done.step / done.seconds / rate, 4),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="MNIST's files; downloaded if left out")
    parser.add_argument("--budgets", default="5,10,20,40", help="seconds of `fast`, each a run")
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"dcgan": tutorial(options.data_dir, options.images)}
    print(result["dcgan"], flush=True)
    small, space, side = own_size(open_source("mnist", data_dir=options.data_dir))
    referee = Referee(small, space, side)
    result |= {"floor": round(referee.floor, 4), "fast": []}
    for budget in map(float, options.budgets.split(",")):
        model, took = fast(options.data_dir, budget, 0, device="cuda")
        times = round(referee.fid(referee.ask(model)) / referee.floor, 2)
        result["fast"].append({**took, "times_floor": times})
        print("fast", result["fast"][-1], flush=True)
    good = [run["seconds"] for run in result["fast"] if run["times_floor"] <= GOAL]
    result["fast_seconds_to_goal"] = min(good, default=None)
    print(record.write("gpu", {"batch": BATCH, "goal_times_floor": GOAL}, result))


if __name__ == "__main__":
    main()
