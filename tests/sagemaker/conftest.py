"""What these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from filelock import FileLock


@pytest.fixture
def alone_at_the_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hosts of a job meet at one port, and tests run beside each other."""
    with FileLock(tmp_path_factory.getbasetemp().parent / "port.lock"):
        yield
