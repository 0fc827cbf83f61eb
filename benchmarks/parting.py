"""How soon do runs part that should be the same? Of one process and of two, of one thread and of two.

    python -m benchmarks.parting --steps 50

The same global batches in fp32, of the embedded digits; the losses of both players at each step. At the
recipe's rates, and at rates at which nothing is learnt and rounding is not made larger.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import record

BATCH, LOSSES = 16, ("loss_d", "loss_g")
SLOW = ("lr=1e-6", "d_lr=1e-6")
Losses = dict[int, tuple[float, ...]]


def losses(recipe: str, steps: int, processes: int, threads: int, *settings: str) -> Losses:
    """Both losses of each step."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "gansmith", "train", "digits", "--recipe", recipe]
        command += ["--precision", "fp32", "--images", str(BATCH * steps), "--out", str(run)]
        command += ["--processes", str(processes)]
        for setting in (f"batch_size={BATCH}", "log_every=1", "evaluate_n=16", *settings):
            command += ["--set", setting]
        threads_each = {"OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, env=os.environ | threads_each, check=True, capture_output=True)
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        return {r["step"]: tuple(r[k] for k in LOSSES) for r in records if "loss_d" in r}


def apart(one: Losses, other: Losses) -> dict[str, Any]:
    """The largest difference, and the first step at which it is beyond 1e-4."""
    assert list(one) == list(other)
    far = {s: max(abs(a - b) for a, b in zip(one[s], other[s], strict=True)) for s in one}
    beyond = [step for step, difference in far.items() if difference > 1e-4]
    return {"most": float(f"{max(far.values()):.2g}"), "beyond_1e-4_at": beyond[:1]}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--recipes", nargs="+", default=["fast", "dcgan-32"])
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {}
    for recipe in options.recipes:
        for name, settings in (("own_rates", ()), ("rates_of_1e-6", SLOW)):
            alone = losses(recipe, options.steps, 1, 1, *settings)
            result[f"{recipe}, {name}"] = {
                "two_processes": apart(alone, losses(recipe, options.steps, 2, 1, *settings)),
                "two_threads": apart(alone, losses(recipe, options.steps, 1, 2, *settings)),
            }
            print(result, flush=True)
    print(record.write("parting", {"steps": options.steps, "batch_size": BATCH}, result))


if __name__ == "__main__":
    main()
