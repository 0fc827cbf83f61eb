"""What these tests share."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

Killed = Callable[["subprocess.Popen[str]", Path], int]


@pytest.fixture
def alone_at_the_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hosts of a job meet at one port, and tests run beside each other."""
    with FileLock(tmp_path_factory.getbasetemp().parent / "port.lock"):
        yield


@pytest.fixture
def killed() -> Killed:
    """Kill a job once it has saved step 20; the step of its newest checkpoint."""

    def kill(process: subprocess.Popen[str], saved: Path) -> int:
        for _ in range(3000):
            if (saved / "step-000000020").exists():
                break
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return max(int(p.name[5:]) for p in saved.glob("step-*"))

    return kill
