"""The score of a run while it trains: a distance to real data, at a twentieth of the work at most."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gansmith.config import Config, DataSpec
from gansmith.data import Dataset, order
from gansmith.imaging import to_uint8
from gansmith.metrics.distances import fid, sliced_wasserstein
from gansmith.metrics.features import Embedding, FeatureSpace, random_space
from gansmith.models import build_networks, draw_latent, example_inputs, tracing
from gansmith.runtime import Draw, derive_seed
from gansmith.stream import Stream

MOST_WORK = 0.05  # of a run
SLOWNESS = 2  # an operation of a score took about twice as long as one of training
BATCH = 250  # examples made and seen at once; fewer where training takes few

Maker = Callable[[Tensor, Tensor | None], Tensor]


class Judge:
    """Scores a generator against a fixed draw of real examples. Lower is nearer.

    Pictures: FID in a fixed feature space. Points: sliced Wasserstein distance.
    """

    def __init__(self, config: Config, spec: DataSpec, stream: Stream, space: FeatureSpace | None):
        self.config, self.spec, self.stream, self.space = config, spec, stream, space
        # A distance needs two of each; of the only example there are then two.
        self.count = max(2, min(config.evaluate_n, stream.size))
        self.shares: Tensor | None = None  # (K,) of the classes in what was scored last
        self.interval = evaluation_interval(config, spec, space)
        # Where there is memory for a step there is room for twice its batch without gradients.
        self.batch = min(BATCH, max(16, 2 * config.batch_size))
        if space is not None:
            space.network.to(stream.device)  # beside the generator, or a GPU would wait for it

    @property
    def protocol(self) -> str:
        """What a score is, in words: only scores of one protocol can be compared."""
        shape = "×".join(map(str, self.spec.shape))
        against = f"{self.count:,} generated against {len(self._real):,} real of {shape}"
        if self.space is None:
            return f"sliced Wasserstein, {against}, seed {self.config.seed}"
        if self.spec.kind == "words":
            against += ", of each its first square"
        space = f"{self.space.name} features ({self.space.weights}, resize: {self.space.resize})"
        return f"FID, {against}, {space}, seed {self.config.seed}"

    def score(self, make: Maker) -> float:
        """`make` gives examples for latents (n, Z) and labels (n,)."""
        made = _joined(self._made(make))
        self.shares = None if made.probabilities is None else shares(made.probabilities)
        if self.space is None:
            return sliced_wasserstein(made.features, self._real.features)
        return fid(made.features, self._real.features)

    @property
    def rarest(self) -> float | None:
        """Of the classes that the space's network tells: the share of the one that is made least,
        beside the real examples, over its share among those. None where it tells none."""
        if self.shares is None or self._real.probabilities is None:
            return None
        real = shares(self._real.probabilities)
        return float((self.shares[real > 0] / real[real > 0]).min())

    def _made(self, make: Maker) -> list[Embedding]:
        generator = torch.Generator().manual_seed(derive_seed(self.config.seed, Draw.SCORE))
        latents = draw_latent(self.config, self.count, torch.device("cpu"), generator)
        labels = self.stream.relabelled(latents, self._labels)
        if labels is None:
            return [self._embed(make(part, None)) for part in torch.split(latents, self.batch)]
        if self.spec.kind == "words":  # of one width together, or most of a part is padding
            by_width = labels[:, 0].argsort(stable=True)
            latents, labels = latents[by_width.cpu()], labels[by_width]
        parts = zip(*(torch.split(x, self.batch) for x in (latents, labels)), strict=True)
        return [self._embed(make(*part)) for part in parts]

    @cached_property
    def _labels(self) -> Tensor | None:
        """(N,) of the first real examples: what is made has the classes' real shares."""
        known, rows = self.stream.labels, self._rows(self.count)
        return None if known is None else known[rows.to(known.device)].to(self.stream.device)

    @cached_property
    def _real(self) -> Embedding:
        """Of real examples: for points as many as are made, for pictures some more."""
        if self.space is None:
            return self._embed(self.stream.take(self._rows(self.count)).real)
        rows = self._rows(max(self.count, min(2 * self.config.evaluate_n, self.stream.size)))
        return _joined(
            [self._embed(self.stream.take(r).real) for r in torch.split(rows, self.batch)]
        )

    def _rows(self, count: int) -> Tensor:
        """Which examples the first `count` of `Stream.reference` are, without fetching them."""
        seed = derive_seed(self.config.seed, Draw.REFERENCE)
        return torch.from_numpy(order(self.stream.size, seed, 0, count))

    def _embed(self, examples: Tensor) -> Embedding:
        if self.space is None:
            return Embedding(examples.float().cpu().flatten(1), None)
        if self.spec.kind == "words":
            examples = begin(examples)
        return self.space.embed(torch.from_numpy(to_uint8(examples)).permute(0, 3, 1, 2))


def begin(words: Tensor) -> Tensor:
    """The first square of each word, as a picture in [-1, 1]: ink (N, 1, H, W) → (N, 1, H, H)."""
    side = words.shape[2]
    square = torch.nn.functional.pad(words[..., :side], (0, max(0, side - words.shape[3])))
    return 1 - 2 * square


def shares(probabilities: Tensor) -> Tensor:
    """How often each class is the likeliest, (N, K) → (K,)."""
    likeliest = probabilities.argmax(1)
    return torch.bincount(likeliest, minlength=probabilities.shape[1]) / len(likeliest)


def _joined(parts: list[Embedding]) -> Embedding:
    known = [part.probabilities for part in parts if part.probabilities is not None]
    return Embedding(
        torch.cat([part.features for part in parts]), torch.cat(known) if known else None
    )


def choose_space(
    dataset: Dataset, config: Config, spec: DataSpec, say: Callable[[str], None]
) -> FeatureSpace | None:
    """The space that a run is scored in; a classifier is trained for it unless one is kept."""
    if spec.kind == "points":
        return None
    if config.evaluate_space == "classifier":
        from gansmith.metrics.classifier import classifier_space

        return classifier_space(dataset, say=say)
    return random_space(spec.shape[0])


def evaluation_interval(config: Config, spec: DataSpec, space: FeatureSpace | None) -> int:
    """Steps between evaluations: whole checkpoint intervals, at most `MOST_WORK` of the arithmetic.

    Counted, not timed, so that a run that is resumed evaluates at the same steps.
    """
    wanted = -(-(config.evaluate_every or 1) // config.checkpoint_every)  # no oftener than asked
    if space is None:
        return wanted * config.checkpoint_every
    step, score = work(config, spec, space)
    needed = -(-score // max(1, int(MOST_WORK * step * config.checkpoint_every)))
    return max(wanted, needed) * config.checkpoint_every


def work(config: Config, spec: DataSpec, space: FeatureSpace) -> tuple[int, int]:
    """Operations of a step of training, and what a score costs in such ones."""
    make, _, step = game_work(config, spec)
    seen = (*spec.shape[:-1], spec.shape[-2]) if spec.kind == "words" else spec.shape
    picture = torch.zeros(1, *seen, dtype=torch.uint8)
    see = _operations(space.embed, picture)
    compare = _compare(config.evaluate_n, space.embed(picture).features.shape[1])
    return step, SLOWNESS * (config.evaluate_n * (make + see) + compare)


def game_work(config: Config, spec: DataSpec) -> tuple[int, int, int]:
    """Operations of making an example, of telling one, and of a step of training (penalties aside)."""
    with tracing(spec):
        networks = build_networks(config, spec)
        latent, example, labels = example_inputs(config, spec)
    make = _operations(networks.generator.eval(), latent, labels)
    tell = _operations(networks.discriminator.eval(), example, labels)
    # A forward pass and its gradients are three. A turn: fake ones made, real and fake told apart;
    # the last one's fake ones carry gradients, which come through the discriminator once more.
    step = make * (config.d_steps + 2) + tell * (6 * config.d_steps + 2)
    return make, tell, config.batch_size * step


def _compare(made: int, size: int) -> int:
    """Of FID: two covariances, of what is made and of twice as many, two roots and the trace."""
    return 2 * 3 * made * size**2 + 10 * size**3


def _operations(network: Callable[..., object], *inputs: Tensor | None) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return int(counter.get_total_flops())
