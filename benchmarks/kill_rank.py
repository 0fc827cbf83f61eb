"""Does a run of several processes outlive one of them? Kill a process of a run, again and again.

    python -m benchmarks.kill_rank --kills 20

Runs of two processes on the embedded digits. Up to three times a run (as often as all are started
anew), at a random moment after the last start has got on, the first process or the other is killed
with SIGKILL. Each run must come to its end by itself and with status 0, go on from the newest
checkpoint there was, and should leave the model of a run that was not interrupted, to the byte. One
that has not ended in four minutes hangs; that, and whatever is lost, ends the benchmark with an error.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import record
from gansmith.processes import RESTARTS
from gansmith.run import RunFolder

PROCESSES, IMAGES, PATIENCE = 2, 9600, 240.0
SETTINGS = [
    *("--recipe", "dcgan-32", "--precision", "fp32", "--set", "batch_size=16"),
    *("--set", "generator_filters=8", "--set", "discriminator_filters=8"),
    *("--set", "checkpoint_every=20", "--set", "log_every=5", "--set", "evaluate_n=16"),
]


def start(out: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gansmith", "train", "digits", *SETTINGS]
    command += ["--images", str(IMAGES), "--out", str(out), "--processes", str(PROCESSES)]
    with (out.parent / f"{out.name}.txt").open("wb") as said:
        return subprocess.Popen(
            command, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )


def ranks(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """The processes of a run by rank, those that are there."""
    found = {}
    for child in psutil.Process(process.pid).children():
        try:
            found[child.environ()["RANK"]] = child.pid
        except (KeyError, psutil.Error):
            continue
    return found


def steps(run: RunFolder) -> int:
    try:
        return max((r["step"] for r in run.records()), default=0)
    except OSError:
        return 0


def newest(out: Path) -> int:
    """The step of the newest whole checkpoint."""
    found = [int(p.name.removeprefix("step-")) for p in (out / "checkpoints").glob("step-*")]
    return max(found, default=0)


def play(out: Path, kills: int, luck: random.Random) -> list[dict[str, int]]:
    """One run with so many kills, and what each of them found; raises AssertionError on a loss."""
    process, until = start(out), time.monotonic() + PATIENCE
    done: list[dict[str, int]] = []
    last, wait = 0, luck.uniform(5, 120)
    while process.poll() is None:
        if time.monotonic() > until:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"it hangs after {done}: see {out}")
        if len(done) < kills and steps(RunFolder(out)) > last + wait and len(ranks(process)) > 1:
            time.sleep(luck.uniform(0, 0.5))
            alive, rank = ranks(process), luck.choice("01")
            if len(alive) < PROCESSES:
                continue
            kept = newest(out)
            os.kill(alive[rank], signal.SIGKILL)
            done.append({"rank": int(rank), "step": steps(RunFolder(out)), "kept": kept})
            last, wait = done[-1]["step"], luck.uniform(5, 120)
            until = time.monotonic() + PATIENCE
        time.sleep(0.05)
    said = (out.parent / f"{out.name}.txt").read_text()
    assert process.returncode == 0, f"status {process.returncode} after {done}: {said[-2000:]}"
    resumed = [
        int(n) for n in re.findall(r"resuming from step (\d+)", (out / "log.txt").read_text())
    ]
    assert len(resumed) >= len(done), f"{done} and resumed from {resumed}"
    for kill in done:
        # One that was being written when it came may have been finished by the first process.
        assert any(kill["kept"] <= n <= kill["step"] + 20 for n in resumed), f"{done}: {resumed}"
    assert steps(RunFolder(out)) == IMAGES // 16
    return done


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    luck, same = random.Random(options.seed), 0
    found: list[dict[str, int]] = []
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        play(Path(folder) / "reference", 0, luck)
        expected = (Path(folder) / "reference" / "model" / "model.safetensors").read_bytes()
        runs = 0
        while len(found) < options.kills:
            out = Path(folder) / f"run-{runs}"
            found += play(out, min(RESTARTS, options.kills - len(found)), luck)
            same += (out / "model" / "model.safetensors").read_bytes() == expected
            runs += 1
            print(f"{len(found)} kills, {runs} runs ended, {same} with the same bytes", flush=True)
    result = {
        "kills": len(found),
        "of_the_first": sum(kill["rank"] == 0 for kill in found),
        "steps_made_again": [kill["step"] - kill["kept"] for kill in found],
        "runs_ended_by_themselves": runs,
        "runs_byte_identical": same,
    }
    print(result)
    config = {"processes": PROCESSES, "images": IMAGES, "settings": SETTINGS, "seed": options.seed}
    print(record.write("kill-rank", config, result))


if __name__ == "__main__":
    main()
