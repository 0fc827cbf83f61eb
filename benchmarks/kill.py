"""Is anything lost by `kill -9`? Kill runs at random instants, resume them, compare byte by byte.

    python -m benchmarks.kill --kills 200

A run that was never interrupted is the reference. Other runs with the same settings are killed
again and again, at least every third time while a checkpoint is being written, and resumed until
they end. Weights, optimisers, average, sample PNGs and the final model must then be the reference's
to the byte, and `metrics.jsonl` to the byte but for times.

Each attempt is a real process: a fork of this one, which has imported the package and done nothing
else, because importing torch two hundred times would take most of the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from pathlib import Path

import tensorboardX  # noqa: F401  # imported here so that no fork has to

from benchmarks import record
from gansmith import api
from gansmith.loop import Session
from gansmith.run import TIMES, RunFolder

RECIPE = "dcgan-32"
SETTINGS = {
    "generator_filters": 8,
    "discriminator_filters": 8,
    "batch_size": 16,
    "images": 16 * 200,
    "log_every": 7,
    "sample_every": 25,
    "checkpoint_every": 20,
}
KILLS_A_RUN = 20
SAVING_SHARE = 0.5  # of the kills are aimed at a checkpoint being written


def train(out: Path) -> None:
    """What the killed process does; a run without a report, which no state depends on."""
    plan = api.plan("digits", out=out, resume=True, settings=SETTINGS, recipe=RECIPE)
    Session(plan.dataset, plan.config, plan.run).train()


def start(out: Path) -> int:
    """Begin or resume the run in another process; returns its number."""
    process = os.fork()
    if process == 0:
        os.setsid()
        status = 1
        try:
            train(out)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return process


def differences(a: Path, b: Path) -> list[str]:
    """What differs between two runs that should be equal, by file."""
    names = {p.relative_to(r) for r in (a, b) for p in _state_files(r)}
    wrong = [str(n) for n in sorted(names) if _content(a / n) != _content(b / n)]
    return wrong + (["metrics.jsonl"] if _metrics(a) != _metrics(b) else [])


def kill_once(out: Path, aim_at_saving: bool, luck: random.Random) -> str:
    """Start the run and kill it; "ended" if it came to its end first, else when it was killed."""
    process = start(out)
    begun = time.monotonic()
    steps_before = _steps(out)
    wait = luck.uniform(0.0, 1.2)
    while not _ended(process):
        if aim_at_saving:
            ready = _is_saving(out) and time.monotonic() - begun > wait / 4
        else:
            ready = time.monotonic() - begun > wait and _steps(out) != steps_before
        if ready:
            time.sleep(luck.uniform(0, 0.004) if aim_at_saving else 0)
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
            if not os.WIFSIGNALED(status):
                return "ended"
            return "saving" if _is_saving(out) else "between"
        time.sleep(0.0002)
    return "ended"


def run(kills: int, folder: Path, seed: int = 0) -> dict[str, object]:
    """Kill `kills` times over as many runs as it takes; raises AssertionError on a difference."""
    luck = random.Random(seed)
    reference, victim = folder / "reference", folder / "victim"
    _, status = os.waitpid(start(reference), 0)
    assert status == 0, f"the uninterrupted run ended with status {status}"
    counts = {"between": 0, "saving": 0}
    runs = 0
    while sum(counts.values()) < kills:
        shutil.rmtree(victim, ignore_errors=True)
        for _ in range(min(KILLS_A_RUN, kills - sum(counts.values()))):
            when = kill_once(victim, luck.random() < SAVING_SHARE, luck)
            if when == "ended":
                break
            counts[when] += 1
            print(f"\r{sum(counts.values())} kills, {counts['saving']} while saving", end="")
        _, status = os.waitpid(start(victim), 0)
        assert status == 0, f"the resumed run ended with status {status}"
        wrong = differences(reference, victim)
        if wrong:
            raise AssertionError(f"after {sum(counts.values())} kills these differ: {wrong}")
        runs += 1
    print(f"\n{runs} runs resumed to their end, each byte-identical to the uninterrupted one")
    return {
        "kills": sum(counts.values()),
        "while_saving": counts["saving"],
        "runs_byte_identical": runs,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = run(options.kills, Path(folder), options.seed)
    print(record.write("kill", {"recipe": RECIPE, **SETTINGS, "seed": options.seed}, result))


def _state_files(run: Path) -> list[Path]:
    """Everything but times: logs, reports, and the JSON files that hold seconds."""
    kept = [run / "config.json", *run.glob("samples/*"), run / "model" / "model.safetensors"]
    return [*kept, *run.glob("checkpoints/step-*/*.safetensors")]


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _metrics(run: Path) -> list[dict[str, object]]:
    records = RunFolder(run).records()
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


def _steps(out: Path) -> int:
    try:
        return (out / "metrics.jsonl").stat().st_size
    except OSError:
        return 0


def _is_saving(out: Path) -> bool:
    try:
        with os.scandir(out / "checkpoints") as entries:
            return any(entry.name.startswith(".tmp-") for entry in entries)
    except OSError:
        return False


def _ended(process: int) -> bool:
    done, status = os.waitpid(process, os.WNOHANG)
    if done:
        assert status == 0, f"the run ended by itself with status {status}: {json.dumps(SETTINGS)}"
    return bool(done)


if __name__ == "__main__":
    main()
