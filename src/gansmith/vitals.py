"""The vital signs of a game: what its health is judged by, at a fiftieth of the work at most.

Some are by-products of a step and are averaged over steps (`observe.Meter`). The others are taken
now and then by a `Probe`, from a few fixed latents and real examples. All are plain numbers, named
in `NAMES`, so that a verdict can be reached from a file of them as well as while training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.judge import game_work
from gansmith.metrics.neighbours import nearest
from gansmith.models import draw_latent
from gansmith.motion import Motion
from gansmith.players import Players
from gansmith.runtime import Draw, derive_seed
from gansmith.stream import Batch, Stream

COUNT = 64  # examples that a probe makes, and real ones that it looks at
MOST_ODDS = 0.8  # of augmenting: above, samples look augmented (Karras et al. 2020, figure 3)
MOST_WORK = 0.015  # of a run: the rest of the fiftieth is for what is averaged over steps
SATURATED = 0.99  # of a pixel's range
NEAR = 0.25  # of the usual distance to the nearest other real example: as good as the same

Figures = dict[str, float]

NAMES = {
    "grad_d": "length of the discriminator's gradient",
    "grad_g": "length of the generator's gradient",
    "update_d": "length of the discriminator's last update, over that of its weights",
    "update_g": "length of the generator's last update, over that of its weights",
    "pace_d": "how far the discriminator's weights come, over their length and the root of the steps",
    "pace_g": "how far the generator's weights come, over their length and the root of the steps",
    "kept_d": "least share of its length that a layer of the discriminator kept since the last probe",
    "kept_g": "least share of its length that a layer of the generator kept since the last probe",
    "spread": "mean distance between two generated examples, over that between two real ones",
    "feature_spread": "the same in the discriminator's features",
    "modes": "generated examples that are not nearly another, over the same of real ones",
    "saturated": "share of generated pixels at an end of the range, less that of real ones",
    "checkerboard": "share of generated pictures' variance in the finest grid, less real ones'",
    "drift": "distance of the mean pictures' colours, in standard deviations of the real colours",
    "held_gap": "how much more real the discriminator finds what it trains on than what it does "
    "not, in standard deviations of its logits",
    "real_spread": "mean distance between two real examples, over their distance from zero",
    "real_modes": "share of real examples that are not nearly another",
    "real_classes": "how many classes are among the real examples",
    "real_peak": "largest number in a real picture",
    "real_constant": "channels of real pictures that are one value everywhere",
    "examples": "how many different ones there are to train on",
    "batch": "examples in a batch",
    "outweighs": "how many times the generator's weights the discriminator has",
    "leaks": "kinds of augmentation that the generator learns to make",
}


class Probe:
    """Takes the vital signs that cost something, every `interval` steps."""

    def __init__(self, config: Config, spec: DataSpec, stream: Stream, players: Players):
        self.config, self.spec, self.stream, self.players = config, spec, stream, players
        self.count = min(COUNT, stream.size)
        self.interval = probe_interval(config, spec)
        generator = torch.Generator().manual_seed(derive_seed(config.seed, Draw.PROBE))
        latents = draw_latent(config, self.count, torch.device("cpu"), generator)
        self.latents = latents.to(stream.device)
        self.motion = Motion(players)

    @torch.no_grad()
    def take(self, step: int) -> Figures:
        """All of `NAMES` that this game has, after `step`."""
        real = self.stream.recent(step, self.count)
        with unchanged(self.players.generator):
            fake = self.players.generator(self.latents, real.labels).float()
        figures = self._of_players() | self.motion.look(step) | of_examples(fake, real.real)
        figures |= {"examples": self.stream.total, "batch": self.config.batch_size}
        figures |= {"leaks": self._leaks, "outweighs": self.players.outweighs}
        if real.labels is not None:
            figures["real_classes"] = len(torch.unique(real.labels))
        if self.spec.kind == "pictures":
            figures |= of_pictures(fake, real.real)
        return figures | self._of_judgement(fake, real)

    def _of_players(self) -> Figures:
        players = self.players
        found = {}
        for letter, network, optimizer in (
            ("d", players.discriminator, players.d_optimizer),
            ("g", players.generator, players.g_optimizer),
        ):
            gradients = [p.grad for p in network.parameters() if p.grad is not None]
            weights = [p for group in optimizer.param_groups for p in group["params"]]
            found[f"grad_{letter}"] = length(gradients)
            found[f"update_{letter}"] = adam_update(optimizer) / max(1e-12, length(weights))
        return found

    @property
    def _leaks(self) -> int:
        """Of real pictures alone, or of both players' so often that neither sees what is real."""
        config, odds = self.config, self.players.odds.p
        too_often = bool(config.augment) and odds.item() > MOST_ODDS + 1e-6
        return len(self.stream.real_only) + too_often * len(config.augment)

    def _of_judgement(self, fake: Tensor, real: Batch) -> Figures:
        """What the discriminator's features and logits tell, as it is when it does not train."""
        discriminator = self.players.discriminator
        discriminator.eval()
        with features_of(discriminator) as seen:
            discriminator(fake, real.labels)
            on_real = discriminator(*real).float()
            of_fake, of_real = (x.float().flatten(1) for x in seen)
        found = {"feature_spread": mean_distance(of_fake) / max(1e-12, mean_distance(of_real))}
        if (held := self.stream.held(self.count)) is not None:
            on_held = discriminator(*held).float()
            both = torch.cat([on_real, on_held])
            gap = (on_real.mean() - on_held.mean()) / both.std().clamp_min(1e-6)
            found["held_gap"] = gap.item()
        discriminator.train()
        return found


def probe_interval(config: Config, spec: DataSpec) -> int:
    """Steps between probes, at most `MOST_WORK` of the arithmetic: counted, so that it is the same
    for a run that is resumed, and on every machine."""
    make, tell, step = game_work(config, spec)
    probe = COUNT * (make + 3 * tell)
    return max(1, math.ceil(probe / (MOST_WORK * max(1, step))))


def of_examples(fake: Tensor, real: Tensor) -> Figures:
    """Variety of (N, …) generated examples beside that of as many real ones."""
    fake, real = fake.flatten(1), real.flatten(1)
    near = NEAR * nearest(real, real, itself=True)[0].median() if len(real) > 1 else 0.0
    modes, real_modes = (distinct(x, near) for x in (fake, real))
    return {
        "spread": mean_distance(fake) / max(1e-12, mean_distance(real)),
        "modes": modes / max(1, real_modes),
        "real_spread": mean_distance(real) / max(1e-12, real.norm(dim=1).mean().item()),
        "real_modes": real_modes / len(real),
    }


def of_pictures(fake: Tensor, real: Tensor) -> Figures:
    """Faults that pictures (N, C, H, W) in [-1, 1] show."""
    at_end, real_at_end = ((x.abs() > SATURATED).float().mean().item() for x in (fake, real))
    grid, real_grid = (finest(x) for x in (fake, real))
    colours, real_colours = (x.mean((2, 3)) for x in (fake, real))
    usual = real_colours.std(0, correction=0).clamp_min(0.01)
    off = (colours.mean(0) - real_colours.mean(0)).abs() / usual
    return {
        "saturated": at_end - real_at_end,
        "checkerboard": grid - real_grid,
        "drift": off.max().item(),
        "real_peak": real.abs().max().item(),
        "real_constant": float((real.amax((0, 2, 3)) == real.amin((0, 2, 3))).sum()),
    }


def finest(pictures: Tensor) -> float:
    """Share of pictures' (N, C, H, W) variance at the sampling frequency.

    Transposed convolutions leave a checkerboard of period two (Odena et al. 2016): the part of each
    2×2 square that alternates along either side.
    """
    height, width = (side - side % 2 for side in pictures.shape[2:])
    x = pictures[:, :, :height, :width]
    a, b = x[:, :, ::2, ::2], x[:, :, ::2, 1::2]
    c, d = x[:, :, 1::2, ::2], x[:, :, 1::2, 1::2]
    # A Haar transform: of the four parts of a square's energy, the three that are not its mean.
    # Averaged over pictures and places first: an edge points either way, a grid always one.
    parts = [(a - b + c - d) / 4, (a + b - c - d) / 4, (a - b - c + d) / 4]
    energy = sum(part.mean((0, 2, 3)).square().mean().item() for part in parts)
    return energy / max(1e-12, x.var(correction=0).item())


def mean_distance(x: Tensor) -> float:
    """Between two different rows of (N, D), on average."""
    if len(x) < 2:
        return 0.0
    return torch.pdist(x).mean().item()


def distinct(x: Tensor, near: Tensor | float) -> int:
    """How many rows of (N, D) remain when of those within `near` of each other one is kept."""
    # By differences, not by products, which find a little between equal rows.
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    close = (apart <= near).tolist()
    kept: list[int] = []
    for row, neighbours in enumerate(close):
        if not any(neighbours[other] for other in kept):
            kept.append(row)
    return len(kept)


def length(tensors: list[Tensor]) -> float:
    """The Euclidean length of all of them together."""
    if not tensors:
        return 0.0
    return float(torch.stack(torch._foreach_norm([t.detach() for t in tensors])).norm())


def adam_update(optimizer: torch.optim.Optimizer) -> float:
    """The length of Adam's last update (Kingma & Ba 2015, algorithm 1), from what it remembers."""
    total = 0.0
    for group in optimizer.param_groups:
        beta1, beta2 = group["betas"]
        for parameter in group["params"]:
            if state := optimizer.state.get(parameter):
                step = float(state["step"])
                m = state["exp_avg"] / (1 - beta1**step)
                v = state["exp_avg_sq"] / (1 - beta2**step)
                total += (group["lr"] * m / (v.sqrt() + group["eps"])).square().sum().item()
    return math.sqrt(total)


@contextmanager
def unchanged(network: nn.Module) -> Iterator[None]:
    """Run a network as it trains, and leave its running statistics as they were."""
    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    try:
        yield
    finally:
        for name, buffer in network.named_buffers():
            buffer.copy_(before[name])


@contextmanager
def features_of(discriminator: nn.Module) -> Iterator[list[Tensor]]:
    """What its last layer is given, each time that it is called."""
    last = [m for m in discriminator.modules() if isinstance(m, (nn.Conv2d, nn.Linear))][-1]
    seen: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        yield seen
    finally:
        hook.remove()
