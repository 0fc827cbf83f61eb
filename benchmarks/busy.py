"""Training beside a program that keeps a core busy: threads that give way, and threads that stay.

    python -m benchmarks.busy --pairs 3

Each pair is two runs on the embedded digits, of as many seconds: as `gansmith train` does it, and with
as many threads as there are cores throughout (OMP_NUM_THREADS). Once beside the program, once without.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks import record


def images(seconds: float, threads: int | None) -> int:
    """How many a run of so many seconds trains with."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        others = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        fixed = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        options = ["--minutes", str(seconds / 60), "--out", str(run)]
        command = [sys.executable, "-m", "gansmith", "train", "digits", *options]
        subprocess.run(command, env=others | fixed, check=True, capture_output=True)
        last = (run / "metrics.jsonl").read_text().splitlines()[-1]
        return int(json.loads(last)["images"])


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """So many programs that do nothing but keep a core busy each."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(programs)]
    try:
        yield
    finally:
        for program in running:
            program.kill()
            program.wait()


def compared(programs: int, pairs: int, seconds: float, cores: int) -> dict[str, object]:
    with busy(programs):
        found = [(images(seconds, None), images(seconds, cores)) for _ in range(pairs)]
    ratio = median(ours / theirs for ours, theirs in found)
    print(f"{programs} programs beside: {ratio:.2f} times as many images ({found})", flush=True)
    return {"programs": programs, "images": found, "ratio": round(ratio, 2)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40.0)
    options = parser.parse_args(arguments)
    cores = os.cpu_count() or 1
    found = [
        compared(programs, options.pairs, options.seconds, cores) for programs in (cores // 2, 0)
    ]
    print(record.write("busy", vars(options) | {"cores": cores}, {"beside": found}))


if __name__ == "__main__":
    main()
