"""This process among its peers.

Several processes can play one run. Each has its rows of every batch; gradients, statistics and
figures are means over all, and the first process decides. What a step draws is drawn for the whole
batch by every process, which then takes its own rows. So a run is the same for any number of
processes, but for the order in which sums are taken.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

# Imported later, by torch itself, its functions' defaults would hold the group, and nothing end it.
import torch.distributed.nn.functional
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from gansmith.errors import GansmithError, Lost
from gansmith.meeting import meet

PATIENCE = timedelta(minutes=30)  # the first process may be long at measuring while others wait


@dataclass(frozen=True)
class World:
    """One process among `size`; alone it is rank 0 of 1, and there is nothing to agree on."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that decides and writes."""
        return self.rank == 0

    def share(self, batch_size: int) -> slice:
        """The rows of a batch that are this process's own."""
        if batch_size % self.size:
            raise GansmithError(
                f"batch_size: expected a multiple of the {self.size} processes, found {batch_size}"
            )
        part = batch_size // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def own(self, whole: Tensor) -> Tensor:
        """Of what belongs to a whole batch, (N, …), this process's rows."""
        return whole[self.share(len(whole))]

    def whole(self, own: Tensor) -> Tensor:
        """All processes' rows, in their order: the inverse of `own`."""
        if self.size == 1:
            return own
        parts = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    def mean(self, own: Tensor) -> Tensor:
        """The mean over all processes, without gradients."""
        if self.size == 1:
            return own.detach()
        found = own.detach().clone()
        dist.all_reduce(found)
        return found / self.size

    def sum(self, own: Tensor) -> Tensor:
        """The sum over all processes; gradients, and theirs, flow through it."""
        return own if self.size == 1 else _Sum.apply(own)  # type: ignore[no-untyped-call]

    def most(self, own: int) -> int:
        """The largest of all processes' numbers."""
        if self.size == 1:
            return own
        found = torch.tensor(own)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def average(self, weights: Iterable[Tensor]) -> None:
        """Make all weights' gradients the means over all processes: one message for all."""
        if self.size == 1:
            return
        gradients = [w.grad for w in weights if w.grad is not None]
        together = self.mean(torch.cat([g.flatten() for g in gradients]))
        parts = torch.split(together, [g.numel() for g in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))

    def tell(self, content: bytes = b"") -> bytes:
        """What the first process says; others' `content` does not count."""
        if self.size == 1:
            return content
        length = torch.tensor(len(content))
        dist.broadcast(length, 0)
        message = torch.zeros(int(length), dtype=torch.uint8)
        if self.is_main and content:
            message = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        dist.broadcast(message, 0)
        return message.numpy().tobytes()

    @contextmanager
    def sending_home(self) -> Iterator[None]:
        """Tell the others, who wait to hear of a plan, if there is none."""
        try:
            yield
        except BaseException:
            self.tell()
            raise

    def tell_numbers(self, numbers: Sequence[float]) -> list[float]:
        """As many numbers as everybody expects: those of the first process."""
        found = torch.tensor(numbers, dtype=torch.float64)
        if self.size > 1:
            dist.broadcast(found, 0)
        return found.tolist()


_here = World()


def here() -> World:
    """This process's place, as the code that draws and normalises sees it."""
    return _here


@contextmanager
def acting(world: World) -> Iterator[World]:
    """Take another place for a while: `World()` for what one process does while others wait."""
    global _here
    before, _here = _here, world
    try:
        yield world
    finally:
        _here = before


def alone() -> bool:
    """Whether nobody started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) < 2


def join() -> World:
    """Take the place that torchrun gave this process; without torchrun it is alone.

    Raises Lost where the others can't be reached.
    """
    global _here
    if dist.is_initialized() or alone():
        return _here
    backend = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl"
    try:
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        store = meet(store, rank, size, PATIENCE)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (dist.DistError, RuntimeError, ValueError) as error:
        raise Lost(f"the other processes of this run can't be reached: {error}") from None
    # A thread of gloo's that lets go of a message while the interpreter ends aborts the process.
    atexit.register(leave)
    _here = World(dist.get_rank(), dist.get_world_size())
    return _here


def leave() -> None:
    """End the connection to the others, and its threads."""
    if dist.is_initialized():
        dist.destroy_process_group()


def is_loss(error: BaseException) -> bool:
    """Whether it says that another process is gone."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def restarted() -> bool:
    """Whether torchrun starts this process anew, as one of the run's was lost."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def uniform(count: int, *shape: int, like: Tensor) -> Tensor:
    """(count, *shape) from [0, 1), of the device and type of `like`: own rows of the whole batch's."""
    drawn = torch.rand(_here.size * count, *shape, device=like.device, dtype=like.dtype)
    return _here.own(drawn)


def normal(like: Tensor) -> Tensor:
    """N(0, 1), one number for each of `like`, (N, …)."""
    shape = (_here.size * len(like), *like.shape[1:])
    return _here.own(torch.randn(shape, device=like.device, dtype=like.dtype))


def whole_numbers(low: int, high: int, count: int, *shape: int, device: torch.device) -> Tensor:
    """(count, *shape) int64, `high` excluded."""
    return _here.own(torch.randint(low, high, (_here.size * count, *shape), device=device))


class Dropout(torch.nn.Dropout):
    """Zeroes numbers (N, …) with odds p while it trains, and scales the others up (Srivastava et al.
    2014); with `maps`, whole maps (N, C, H, W) of one channel (Tompson et al. 2015)."""

    def __init__(self, p: float, maps: bool = False):
        super().__init__(p)
        self.maps = maps

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        shape = (*x.shape[:2], *[1] * (x.dim() - 2)) if self.maps else x.shape
        ones = torch.ones(_here.size * shape[0], *shape[1:], device=x.device, dtype=x.dtype)
        return x * _here.own(F.dropout(ones, self.p))


class _Sum(torch.autograd.Function):
    """All processes' losses depend on a sum over all: its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        found = own.detach().clone()
        dist.all_reduce(found)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.apply(gradient)  # type: ignore[no-untyped-call, no-any-return]
