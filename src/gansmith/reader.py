"""The third player of a game of words: a recogniser, which learns from words that no generator made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from gansmith.config import Config, DataSpec
from gansmith.models import build_recogniser
from gansmith.models.layers import frozen
from gansmith.models.recogniser import Recogniser

UNREAD = 20.0  # the loss that nothing learnt is taken for
MEMORY = 0.95  # of the running mean
BETAS = (0.9, 0.99)
TURNS = 6  # batches a step, until it reads
LONGEST = 5.0  # that its gradient may be: CTC's is wild while nothing is aligned


class Reader:
    """Network, optimiser, and the running mean of its loss on real words: how well it reads."""

    def __init__(self, config: Config, spec: DataSpec, device: torch.device):
        self.config = config
        self.network: Recogniser = build_recogniser(config, spec).to(device)
        fused = device.type in ("cuda", "cpu")
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), config.recogniser_lr, BETAS, fused=fused
        )
        self.loss = torch.tensor(UNREAD, device=device)

    @property
    def reads(self) -> bool:
        """Whether it reads well enough to be listened to."""
        return bool(self.loss < self.config.reading_from)

    def note(self, loss: Tensor) -> None:
        """Take a batch's loss into the mean."""
        self.loss.lerp_(loss.detach(), 1 - MEMORY)

    def turns(self, step: int) -> int:
        """How many batches it learns from at this step: until it reads it holds up the game."""
        return TURNS if not self.reads else int(step % 2 == 0)

    @contextmanager
    def judging(self) -> Iterator[Recogniser]:
        """The network as it is when it does not learn, for gradients of pictures alone."""
        self.network.eval()
        try:
            with frozen(self.network):
                yield self.network
        finally:
            self.network.train()
