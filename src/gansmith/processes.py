"""Starting the processes of a run on this machine, and starting them again when one is lost."""

from __future__ import annotations

import logging
import os
import sys
import uuid

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from gansmith.api import Plan
from gansmith.errors import GansmithError
from gansmith.world import World

RESTARTS = 3  # times that all are started again, from the last checkpoint


def start(plan: Plan, processes: int, restarts: int = RESTARTS) -> None:
    """Carry out a plan with so many processes: write down the run's settings, and then do what
    ``torchrun --nproc-per-node N -m gansmith train --resume --out RUN`` does.

    Raises a GansmithError where the batch can't be shared, or processes are lost again and again;
    SystemExit with the first process's status where that ends the run itself.
    """
    World(0, processes).share(plan.config.batch_size)
    run = plan.run
    with run.locked():
        run.write_config(plan.config)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (cores or 1) // processes)))
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # ours is one sentence
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=restarts,
        monitor_interval=0.5,
    )
    command = ("-m", "gansmith", "train", "--resume", "--out", str(run.path))
    try:
        elastic_launch(config, sys.executable)(*command)
    except SignalException as signal:
        raise SystemExit(128 + signal.sigval) from None
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0 and rank == 0:
            raise SystemExit(failure.exitcode) from None  # it has said why
        raise GansmithError(
            f"process {rank} of {processes} ended with status {failure.exitcode}, after "
            f"{restarts} new starts; go on with: gansmith train --resume --out {run.path} "
            f"--processes {processes}"
        ) from None
