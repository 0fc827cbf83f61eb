"""A step of the game: the only place that calls `backward`, and the only one that steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gansmith import word_objectives
from gansmith.config import Config, DataSpec
from gansmith.data import Dataset
from gansmith.models import words
from gansmith.models.layers import frozen
from gansmith.objectives import discriminator_losses, generator_losses
from gansmith.players import Players, clip
from gansmith.reader import LONGEST, TURNS, Reader
from gansmith.recipes import check_fit
from gansmith.runtime import Precision, pick_device, pick_precision, seed_step
from gansmith.shard_stream import ShardStream
from gansmith.stream import Deal, Stream, describe
from gansmith.summary import guard_bf16
from gansmith.word_stream import WordStream
from gansmith.world import World

APART = 1_000_000  # batches from those of the game to those that the recogniser has besides


@dataclass
class Turns:
    """The players at their table, and the batches that are dealt them.

    Of several processes each has its rows of a batch. Gradients and figures are means over all, so
    that all have the same weights after every step.
    """

    spec: DataSpec
    device: torch.device
    precision: Precision
    world: World
    stream: Stream
    players: Players

    @staticmethod
    def open(dataset: Dataset, config: Config, world: World) -> Turns:
        """The table of a run. Raises GansmithError where the network can't make such data."""
        spec = describe(dataset, config)
        check_fit(config, spec)
        device = pick_device(config.device)
        kind = ShardStream if dataset.shards else WordStream if spec.kind == "words" else Stream
        return Turns(
            spec,
            device,
            pick_precision(config.precision, device),
            world,
            kind(dataset, config, spec, world, device),
            Players.create(config, spec, device),
        )

    def guard(self) -> list[str]:
        """Keep in fp32 the layers whose bf16 is wrong on this machine; their names."""
        return guard_bf16(self.players, self.stream, self.precision)

    def play(self, game: Config, step: int, learnt: int, share: float) -> dict[str, Tensor]:
        """The discriminator's turns, the generator's, the recogniser's; figures of their losses.

        Args:
            game: with which settings.
            step: which one of the run: it decides all that is drawn.
            learnt: steps that are in the weights already.
            share: how much of the run is done, 0 to 1.
        """
        players, images = self.players, learnt * game.batch_size
        seed_step(game.seed, step)
        players.set_rates(game, share)
        penalise = step % game.penalty_every == 0
        clipped = []
        for turn in range(game.d_steps):
            deal = self.stream.deal(step * game.d_steps + turn)
            with self.precision.autocast():
                with torch.set_grad_enabled(turn == game.d_steps - 1):
                    fake = players.generator(deal.latent, deal.asked)
                d = self._d_losses(game, deal, fake.detach(), images, penalise)
            players.d_optimizer.zero_grad()
            d["total"].backward()  # type: ignore[no-untyped-call]
            self.world.average(players.discriminator.parameters())
            clipped.append(clip(players.discriminator, game.clip))
            players.d_optimizer.step()
        # The last fake serves the generator too: its graph is still there, its weights unchanged.
        with self.precision.autocast(), frozen(players.discriminator):
            g = self._g_losses(game, deal, fake, images)
            players.g_optimizer.zero_grad()
            g["total"].backward()  # type: ignore[no-untyped-call]
            self.world.average(players.generator.parameters())
            clipped.append(clip(players.generator, game.clip))
            players.g_optimizer.step()
        r = self._learn_to_read(players.reader, step, images) if players.reader else {}
        figures = self._means({**d, **g, **r, "clipped": torch.stack(clipped).mean()})
        players.odds.update(figures["real_sign"])
        players.ema.update(players.generator, images + game.batch_size)
        return figures

    def _d_losses(
        self, game: Config, deal: Deal, fake: Tensor, images: int, penalise: bool
    ) -> dict[str, Tensor]:
        d, odds = self.players.discriminator, self.players.odds
        if isinstance(d, words.Discriminator):
            return word_objectives.discriminator_losses(d, deal, fake, game, penalise, odds)
        return discriminator_losses(d, deal.real, deal.labels, fake, game, images, penalise, odds)

    def _g_losses(self, game: Config, deal: Deal, fake: Tensor, images: int) -> dict[str, Tensor]:
        d, odds = self.players.discriminator, self.players.odds
        if isinstance(d, words.Discriminator):
            assert self.players.reader is not None
            return word_objectives.generator_losses(d, self.players.reader, deal, fake, game, odds)
        return generator_losses(d, deal.real, deal.labels, fake, game, images, odds)

    def _learn_to_read(self, reader: Reader, step: int, images: int) -> dict[str, Tensor]:
        """The recogniser's turns, on words whose text is known."""
        assert isinstance(self.stream, WordStream)
        r: dict[str, Tensor] = {}
        for turn in range(reader.turns(step)):
            besides = APART + step * TURNS + turn
            lesson = self.stream.lesson(besides if turn else step)
            with self.precision.autocast():
                r = word_objectives.recogniser_losses(reader.network, lesson, images)
            reader.optimizer.zero_grad()
            r["total"].backward()  # type: ignore[no-untyped-call]
            self.world.average(reader.network.parameters())
            clip(reader.network, LONGEST)
            reader.optimizer.step()
            reader.note(self.world.mean(r["loss_r"]))
        return r

    def _means(self, figures: dict[str, Tensor]) -> dict[str, Tensor]:
        """Over all processes, in one message."""
        values = torch.stack([value.detach().float() for value in figures.values()])
        return dict(zip(figures, self.world.mean(values).unbind(), strict=True))
