"""One thread and one seed for every test: quick beside other workers, and the same each time."""

from __future__ import annotations

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_draws() -> None:
    torch.manual_seed(0)
