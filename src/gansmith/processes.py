"""Starting the processes of a run, and starting them again when one is lost."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from gansmith.api import Plan
from gansmith.errors import GansmithError, Lost
from gansmith.world import World

RESTARTS = 3  # times that all are started again, from the last checkpoint
WORD = "GANSMITH_WORD"  # names the file in which a process that can't go on leaves word
HERE = "127.0.0.1"
REACHED, JOINED = 900, 1800  # seconds until the first host is there, and all are


@dataclass(frozen=True)
class Hosts:
    """All hosts of a run, the first of them first, and which one this is."""

    names: tuple[str, ...] = (HERE,)
    own: str = HERE
    port: int = 0  # that the first is found at; any, where it is the only one
    run: str = ""  # what they know each other's run by


def start(plan: Plan, processes: int) -> None:
    """Carry out a plan with so many processes: write down the run's settings, and then do what
    ``torchrun --nproc-per-node N -m gansmith train --resume --out RUN`` does.

    Raises a GansmithError where the batch can't be shared, or processes are lost again and again;
    SystemExit with the status of the first process where that ends the run itself.
    """
    World(0, processes).share(plan.config.batch_size)
    run = plan.run
    with run.locked():
        run.write_config(plan.config)
    with tempfile.TemporaryDirectory() as folder:
        word = Path(folder) / "word"
        try:
            launch(("-m", "gansmith", "train", "--resume", "--out", str(run.path)), processes, word)
        except GansmithError as error:
            raise GansmithError(
                f"{error}; go on with: gansmith train --resume --out {run.path} "
                f"--processes {processes}"
            ) from None
        if word.exists():
            raise SystemExit(2)  # it has said why


def launch(command: Sequence[str], processes: int, word: Path, hosts: Hosts | None = None) -> None:
    """Start so many processes of a Python command on this host, as torchrun does, and wait for them.

    One that can't go on leaves its reason in `word`, and all end. Raises a GansmithError where
    processes are lost more than RESTARTS times, or other hosts can't be reached; SystemExit where a
    signal ends them.
    """
    hosts = hosts or Hosts()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // processes)))
    os.environ[WORD] = str(word)
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # ours is one sentence
    several = {"is_host": hosts.own == hosts.names[0], "read_timeout": REACHED}
    config = LaunchConfig(
        min_nodes=len(hosts.names),
        max_nodes=len(hosts.names),
        nproc_per_node=processes,
        run_id=hosts.run or str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint=f"{hosts.names[0]}:{hosts.port}",
        rdzv_configs={"join_timeout": JOINED, **(several if len(hosts.names) > 1 else {})},
        local_addr=hosts.own,
        max_restarts=RESTARTS,
        monitor_interval=0.5,
    )
    try:
        elastic_launch(config, sys.executable)(*command)
    except SignalException as signal:
        raise SystemExit(128 + signal.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise GansmithError(
            f"process {rank} of {processes * len(hosts.names)} ended with status "
            f"{failure.exitcode}, after {RESTARTS} new starts"
        ) from None
    except RendezvousError as error:
        raise GansmithError(f"the other hosts of this run can't be reached: {error}") from None
    finally:
        del os.environ[WORD]


def status_of(error: GansmithError) -> int:
    """What a process that ends so exits with. One of several that `launch` started leaves word and
    ends well: else all would be started again, and end so again."""
    word = os.environ.get(WORD)
    if word is None or isinstance(error, Lost):
        return 2
    Path(word).parent.mkdir(parents=True, exist_ok=True)
    Path(word).write_text(str(error), encoding="utf-8")
    return 0
