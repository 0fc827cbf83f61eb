"""Processes on this machine that make one range of a data set after another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Protocol, cast

import torch

from gansmith.errors import GansmithError
from gansmith.generate import Model, from_files
from gansmith.run import model_files
from gansmith.synthetic.folder import Folder
from gansmith.synthetic.layouts import Progress
from gansmith.synthetic.ranges import Ranges, Span


class Maker(Protocol):
    """What a range is written by. It is sent to the processes."""

    def write(self, folder: Folder, model: Model, span: Span) -> None: ...


@dataclass(frozen=True)
class Work:
    """What each process is told at its start."""

    generator: Mapping[str, bytes]
    device: str
    threads: int
    maker: Maker
    ranges: Ranges


def check_processes(processes: int | None) -> None:
    if processes is not None and processes < 1:
        raise GansmithError(f"--processes: expected 1 or more, found {processes}")


def make_ranges(
    ranges: Ranges,
    spans: Sequence[Span],
    model: Model,
    maker: Maker,
    processes: int,
    progress: Progress | None,
) -> None:
    """Have all that are not done yet made. Raises a GansmithError where one can't be."""
    missing = [span for span in spans if not ranges.is_done(span)]
    total = spans[-1].stop
    done = total - sum(map(len, missing))
    work = Work(
        files_of(model),
        model.device.type,
        max(1, torch.get_num_threads() // processes),
        maker,
        ranges,
    )
    for span in _made(work, missing, processes):
        done += len(span)
        if progress:
            progress(done, total)


def files_of(model: Model) -> dict[str, bytes]:
    """What makes the same model elsewhere, though the run it comes from may have gone on."""
    weights = model.network.state_dict()
    return model_files(model.config, model.spec, weights, model.step, model.digest)


def _made(work: Work, spans: Sequence[Span], processes: int) -> Iterator[Span]:
    """Each range when it is done. All processes end with this."""
    waiting, busy = deque(spans), dict[Connection, tuple[SpawnProcess, Span]]()
    started = list[SpawnProcess]()
    try:
        for number in range(min(processes, len(waiting))):
            pipe, process = _start(work, number)
            started.append(process)
            busy[pipe] = process, _give(pipe, waiting)
        while busy:
            for pipe in cast(list[Connection], wait(list(busy))):
                process, span = busy.pop(pipe)
                if (reason := _answer(pipe, process)) is not None:
                    raise GansmithError(
                        f"numbers {span.start:,} to {span.stop - 1:,} were not made: {reason}; what "
                        "is done stays, and the same command goes on from there"
                    )
                yield span
                if waiting:
                    busy[pipe] = process, _give(pipe, waiting)
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join()


def _start(work: Work, number: int) -> tuple[Connection, SpawnProcess]:
    # Spawned: a fork would share the locks of torch's threads, and no GPU.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, number), daemon=True)
    process.start()
    theirs.close()  # so that theirs is the only one, and its end is the pipe's
    return ours, process


def _give(pipe: Connection, waiting: deque[Span]) -> Span:
    span = waiting.popleft()
    with suppress(OSError):  # to one that is gone, as its answer will say
        pipe.send(span)
    return span


def _answer(pipe: Connection, process: SpawnProcess) -> str | None:
    """Nothing where all went well, else why it did not."""
    try:
        answer: str | None = pipe.recv()
    except (EOFError, OSError):
        process.join()
        return f"its process ended with status {process.exitcode}"
    return answer


def _serve(pipe: Connection, work: Work, number: int) -> None:
    """What a process does: the ranges that it is given, until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process is told too, and ends this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        torch.set_num_threads(work.threads)
        if work.device == "cuda":
            torch.cuda.set_device(number % torch.cuda.device_count())
        model = from_files(work.generator, Path("generator"), work.device)
        while True:
            span = pipe.recv()
            with work.ranges.fill(span) as folder:
                work.maker.write(folder, model, span)
            pipe.send(None)
    except Exception as error:
        kind = "" if isinstance(error, GansmithError) else f"{type(error).__name__}: "
        with suppress(OSError):  # nobody is there any more
            pipe.send(f"{kind}{error}")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
