"""The program that a training job starts: ``gansmith-sagemaker-train``, or ``train.py`` in script mode.

A job that is started again, after a spot interruption or by hand with the same place for its
checkpoints, goes on from the newest that is whole. Several GPUs or hosts play one run.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from gansmith import api, checkpoint
from gansmith.checkpoint import write_atomically
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.progress import ProgressDisplay
from gansmith.run import RunFolder, model_files
from gansmith.sagemaker.arguments import Asked, read_arguments
from gansmith.sagemaker.contract import BASE, Contract, read_contract, usual
from gansmith.sagemaker.metrics import MetricLines
from gansmith.signals import Stop
from gansmith.world import alone, here

PORT = 7777  # that the first host is found by
RUN = "run"  # the folder below that for checkpoints
# What is worth keeping beside the model, and no part of going on.
SHOWN = (
    "report.html",
    "log.txt",
    "metrics.jsonl",
    "config.json",
    "samples.gif",
    "real-and-generated.png",
    "samples",
    "plots",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the container says. Status 2 and a reason where that can't be done."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    contract = usual(os.environ.get("SAGEMAKER_BASE_DIR", BASE))
    try:
        contract = read_contract(os.environ)
        several = len(contract.hosts) * max(1, contract.gpus) > 1
        if contract.network:  # or gloo takes the one that the host's name stands for
            for key in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
                os.environ.setdefault(key, contract.network)
        if alone():
            contract.failure.unlink(missing_ok=True)  # of a start before this one
        if several and alone():
            together(contract, words)
        else:
            play(contract, read_arguments(contract, words))
    except GansmithError as error:
        print(f"gansmith: {error}", file=sys.stderr)
        sys.exit(_told(error, contract))
    except Exception:
        if alone() or not contract.failure.exists():
            contract.fail(traceback.format_exc()[-1000:])
        raise


def play(contract: Contract, asked: Asked) -> None:
    """This process's part of the run; the first one leaves what came of it, however it ended."""
    run = RunFolder(_place_of_run(contract, asked))
    forget_damaged(run)
    try:
        with Stop():
            train(
                run, asked, MetricLines(ProgressDisplay(), lambda: keep_model(run, contract, asked))
            )
    finally:
        if here().is_main:
            leave(run, contract, asked)


def train(run: RunFolder, asked: Asked, watcher: MetricLines) -> None:
    """Begin the run, or go on with it."""
    if asked.passed_over:
        watcher.say(f"passed over, as they mean nothing here: {', '.join(asked.passed_over)}")
    settings = dict(asked.settings)
    if run.exists and settings.get("size", "") is None:
        del settings["size"]  # the data's own, which the run has found out
    with watcher.beside:
        api.train(
            asked.source,
            recipe=None if run.exists and not asked.names_recipe else asked.recipe,
            out=run.path,
            resume=True,
            watcher=watcher,
            **settings,
        )


def forget_damaged(run: RunFolder) -> None:
    """Where an interruption cut off even the first checkpoint on its way, begin anew."""
    if (
        alone()
        and any(checkpoint.paths(run.checkpoints))
        and not checkpoint.newest(run.checkpoints)
    ):
        print("gansmith: no checkpoint is whole: beginning anew", file=sys.stderr)
        shutil.rmtree(run.checkpoints)


def keep_model(run: RunFolder, contract: Contract, asked: Asked) -> None:
    """Put the newest checkpoint's generator where the job's model is looked for: whatever ends the
    job then, there is one."""
    paths = checkpoint.paths(run.checkpoints)
    if not paths or not here().is_main:
        return
    model = load(paths[-1], "cpu")
    weights = model.network.state_dict()
    files = model_files(model.config, model.spec, weights, model.step, model.digest)
    _put(checkpoint.with_manifest(files), _made(asked.places.get("model_dir", contract.model)))


def leave(run: RunFolder, contract: Contract, asked: Asked) -> None:
    """Put what there is where it is looked for: the generator, and what shows how it went."""
    if run.model.is_dir():
        files = {file.name: file.read_bytes() for file in sorted(run.model.iterdir())}
        _put(files, _made(asked.places.get("model_dir", contract.model)))
    elif run.checkpoints.is_dir():
        keep_model(run, contract, asked)
    for name in SHOWN:
        source, output = run.path / name, asked.places.get("output_dir", contract.output)
        if source.is_dir():
            shutil.copytree(source, _made(output) / name, dirs_exist_ok=True)
        elif source.is_file():
            write_atomically(_made(output) / name, source.read_bytes())


def together(contract: Contract, arguments: Sequence[str]) -> None:
    """Have torchrun start this host's processes, which find the others. Raises GansmithError."""
    from gansmith.processes import Hosts, launch

    hosts = Hosts(contract.hosts, contract.host, PORT, "gansmith")
    command = ("-m", "gansmith.sagemaker.entry", *arguments)
    launch(command, max(1, contract.gpus), contract.failure, hosts)
    if contract.failure.exists():
        sys.exit(2)  # and it has been said


def _told(error: GansmithError, contract: Contract) -> int:
    """Leave the reason for the service; the status that this process ends with. What `together`
    started leaves it by itself, and of what another's torchrun did only the first process knows."""
    from gansmith.processes import WORD, status_of

    first = os.environ.get("RANK", "0") == "0"
    if first and WORD not in os.environ and not contract.failure.exists():
        contract.fail(str(error))
    return status_of(error)


def _place_of_run(contract: Contract, asked: Asked) -> Path:
    """In a container below the folder that S3 mirrors, elsewhere below the one for results."""
    if "checkpoint_dir" in asked.places:
        return asked.places["checkpoint_dir"] / RUN
    outside = not contract.is_container and "output_dir" in asked.places
    return (asked.places["output_dir"] if outside else contract.checkpoints) / RUN


def _put(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        write_atomically(folder / name, content)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
