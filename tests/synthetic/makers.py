"""Makers for `test_workers`, that fail in a process of their own; and a data set that gets stuck.

python -m tests.synthetic.makers OUT
"""

from __future__ import annotations

import os
import signal
import sys
import time

import torch

from gansmith import synthetic
from gansmith.generate import Model
from gansmith.synthetic import Pictures, write_dataset
from gansmith.synthetic.folder import Folder
from gansmith.synthetic.ranges import Span
from tests.builders import config, model, pictures

CLASSES = ("cat", "dog", "a/b")
SIZE, EACH = 16, 27  # 81 pictures: five ranges and a picture


def labelled() -> Model:
    torch.manual_seed(1)
    return model(config(), pictures(3, 16, 24, classes=CLASSES))


class Stuck(Pictures):
    """Makes two ranges, and never comes back from the third."""

    def write(self, folder: Folder, model: Model, span: Span) -> None:
        if span.start >= 2 * SIZE:
            with folder.open(f"train-{span.name}.tar") as file:
                file.write(b"half")
                file.flush()
                time.sleep(3600)
        super().write(folder, model, span)


class Raising(Pictures):
    """The second range raises, once the first has begun; and the first never ends."""

    def write(self, folder: Folder, model: Model, span: Span) -> None:
        if span.start == 0:
            time.sleep(3600)
        raise ValueError("no more ink")


class Dying(Pictures):
    """The second range ends its process, as the system does where memory is short."""

    def write(self, folder: Folder, model: Model, span: Span) -> None:
        if span.start > 0:
            os.kill(os.getpid(), signal.SIGKILL)
        super().write(folder, model, span)


if __name__ == "__main__":
    from tests.synthetic.makers import Stuck as Maker  # by the name that its processes know

    synthetic.Pictures = Maker  # type: ignore[misc]
    write_dataset(
        labelled(),
        sys.argv[1],
        per_class=EACH,
        layout="webdataset",
        per_shard=SIZE,
        processes=2,
    )
