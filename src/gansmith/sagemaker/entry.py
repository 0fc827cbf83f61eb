"""The program that a training job starts: ``gansmith-sagemaker-train``, or ``train.py`` in script mode.

A job that is started again, after a spot interruption or by hand with the same place for its
checkpoints, goes on from the newest that is whole. Several GPUs or hosts play one run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

import gansmith
from gansmith.api import TrainResult
from gansmith.checkpoint import write_atomically
from gansmith.errors import GansmithError
from gansmith.progress import ProgressDisplay
from gansmith.run import RunFolder
from gansmith.sagemaker.arguments import Asked, read_arguments
from gansmith.sagemaker.contract import BASE, Contract, read_contract, usual
from gansmith.sagemaker.metrics import MetricLines
from gansmith.signals import Stop
from gansmith.world import alone

PORT = 7777  # that the first host is found by
RESTARTS = 3  # times that all processes are started again when one is lost
RUN = "run"  # the folder below that for checkpoints
# What is worth keeping beside the model, and no part of going on.
SHOWN = (
    "report.html",
    "log.txt",
    "metrics.jsonl",
    "config.json",
    "samples.gif",
    "samples",
    "plots",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the container says. Status 2 and a reason where that can't be done."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    contract = usual(os.environ.get("SAGEMAKER_BASE_DIR", BASE))
    try:
        contract = read_contract(os.environ)
        asked = read_arguments(contract, words)
        if (count := processes(contract)) > 1 and alone():
            sys.exit(together(contract, count, words))
        with Stop():
            leave(train(contract, asked), contract, asked)
    except GansmithError as error:
        contract.fail(str(error))
        print(f"gansmith: {error}", file=sys.stderr)
        sys.exit(2)
    except Exception:
        contract.fail(traceback.format_exc()[-1000:])
        raise


def train(contract: Contract, asked: Asked) -> TrainResult:
    """Begin the run, or go on with it."""
    run = asked.places.get("checkpoint_dir", contract.checkpoints) / RUN
    display = ProgressDisplay()
    watcher = MetricLines(display)
    if asked.passed_over:
        watcher.say(f"passed over, as they mean nothing here: {', '.join(asked.passed_over)}")
    with display:
        return gansmith.train(
            asked.source,
            recipe=None if RunFolder(run).exists else asked.recipe,
            out=run,
            resume=True,
            watcher=watcher,
            **asked.settings,
        )


def leave(result: TrainResult, contract: Contract, asked: Asked) -> None:
    """Put what the job gives where it is looked for: the generator, and what shows how it went."""
    run = RunFolder(result.run)
    if not run.model.is_dir():
        return  # another host's
    model = asked.places.get("model_dir", contract.model)
    output = asked.places.get("output_dir", contract.output)
    for file in sorted(run.model.iterdir()):
        write_atomically(_made(model) / file.name, file.read_bytes())
    for name in SHOWN:
        source = run.path / name
        if source.is_dir():
            shutil.copytree(source, _made(output) / name, dirs_exist_ok=True)
        elif source.is_file():
            write_atomically(_made(output) / name, source.read_bytes())


def processes(contract: Contract) -> int:
    """How many play the run: one a GPU, at least one a host."""
    return len(contract.hosts) * max(1, contract.gpus)


def together(contract: Contract, count: int, arguments: Sequence[str]) -> int:
    """Have torchrun start this host's processes, which find the others; the status."""
    hosts = len(contract.hosts)
    command = [sys.executable, "-m", "torch.distributed.run"]
    command += [f"--nnodes={hosts}", f"--nproc-per-node={count // hosts}"]
    command += [f"--max-restarts={RESTARTS}", "--rdzv-backend=c10d", "--rdzv-id=gansmith"]
    command += [f"--rdzv-endpoint={contract.hosts[0]}:{PORT}", f"--local-addr={contract.host}"]
    environment = dict(os.environ)
    if contract.network:
        environment |= dict.fromkeys(("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"), contract.network)
    command += ["-m", "gansmith.sagemaker.entry", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
