"""How the first process of a run leads the others.

All play every step (`turns`). What else there is to a run, measuring, judging, writing, going back to a
checkpoint, is the first one's alone; the others wait, and then hear how to go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from safetensors.torch import load as load_tensors

from gansmith.checkpoint import encode
from gansmith.config import Config, build
from gansmith.data import Dataset
from gansmith.errors import Lost
from gansmith.players import Players
from gansmith.signals import Stop
from gansmith.turns import Turns
from gansmith.world import World, acting, is_loss


class Order(IntEnum):
    """What the others hear after each step."""

    GO_ON = 0
    CHANGE = 1  # the settings of the game; they follow
    TAKE_OVER = 2  # settings and weights, which follow
    LEAVE = 3


@dataclass
class Leader:
    """Of the first process: keeps the others at what it has itself."""

    world: World
    players: Players
    told: Config | None = None
    lost: int = -1
    share: float = 0.0

    def lead(self, game: Config, step: int, lost: int, share: float) -> None:
        """Tell how far the run is; and the rest where it is other than the others know."""
        if self.world.size == 1:
            return
        order = Order.GO_ON
        if lost != self.lost:
            order = Order.TAKE_OVER
        elif game != self.told:
            order = Order.CHANGE
        self.told, self.lost, self.share = game, lost, share
        self.world.tell_numbers([order, step, lost, share])
        if order != Order.GO_ON:
            self.world.tell(game.to_json().encode())
        if order == Order.TAKE_OVER:
            for tensors in self.players.tensors().values():
                self.world.tell(encode(tensors))

    def dismiss(self) -> None:
        """Tell that the run can't go on, unless they have heard that it is over."""
        if self.share < 1:
            self.world.tell_numbers([Order.LEAVE, 0, 0, 0])


@contextmanager
def explain_loss(world: World) -> Iterator[None]:
    """That another process of the run is gone, in a sentence."""
    try:
        yield
    except RuntimeError as error:
        if world.size == 1 or not is_loss(error):
            raise
        raise Lost(
            f"process {world.rank} of {world.size}: another process of this run is gone; what is "
            "saved is whole: go on from there with --resume"
        ) from error


class Follower:
    """Any other process: plays its part of every step, and hears the rest from the first."""

    def __init__(self, dataset: Dataset, config: Config, world: World):
        self.turns, self.world, self.game = Turns.open(dataset, config, world), world, config
        self.step, self.lost, self.share, self.over = 0, 0, 0.0, False

    def train(self) -> None:
        """Until the first process says that it is over. Raises GansmithError where it says nothing."""
        with Stop(patient=True) as stop, explain_loss(self.world):
            stop.guarded = True  # the first process is told to stop, too, and decides
            self._follow()
            while not self.over and self.share < 1:
                self.turns.play(self.game, self.step, self.step - self.lost, self.share)
                self._follow()

    def _follow(self) -> None:
        """Hear how to go on, and do so."""
        numbers = self.world.tell_numbers([0.0] * 4)
        order, self.step, self.lost = (int(n) for n in numbers[:3])
        self.share, self.over = numbers[3], order == Order.LEAVE
        if order in (Order.CHANGE, Order.TAKE_OVER):
            self.game = build(json.loads(self.world.tell()))
        if order == Order.TAKE_OVER:
            self._take_over()

    def _take_over(self) -> None:
        players = self.turns.players
        with acting(World()):
            players.renew(self.game, self.turns.spec, attempt=0)
            self.turns.guard()
        players.restore({name: load_tensors(self.world.tell()) for name in players.tensors()})
