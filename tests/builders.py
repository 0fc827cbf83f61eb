"""Small configs, data and trained-looking folders, for tests that need the real thing but cheap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gansmith import checkpoint
from gansmith.config import Config, DataSpec, Script
from gansmith.data import Dataset, Written
from gansmith.generate import Model
from gansmith.metrics.protocol import Protocol
from gansmith.models import build_generator
from gansmith.players import Players
from gansmith.run import RunFolder

CPU = torch.device("cpu")


def config(**changes: Any) -> Config:
    small = {
        "size": "16",
        "latent_size": 6,
        "generator_filters": 4,
        "discriminator_filters": 4,
        "batch_size": 4,
        "device": "cpu",
        "precision": "fp32",
    }
    return Config(**{**small, **changes})


def points_config(**changes: Any) -> Config:
    return config(**{"model": "mlp", "size": None, "norm": "none", "init": "torch", **changes})


def pictures(*shape: int, classes: tuple[str, ...] | None = None) -> DataSpec:
    return DataSpec(kind="pictures", shape=shape or (1, 16, 16), classes=classes)


def points(*, classes: tuple[str, ...] | None = None) -> DataSpec:
    return DataSpec(kind="points", shape=(2,), mean=(3.0, -1.0), std=(2.0, 0.5), classes=classes)


def protocol() -> Protocol:
    """Of some figures in the untrained network's features."""
    return Protocol(
        space="random",
        weights="0123456789abcdef",
        resize="none",
        reference="digits",
        size="8x8",
        digest="ab" * 32,
        real=1200,
        made=597,
        seed=0,
    )


def dataset(count: int = 10, *shape: int, classes: int = 0) -> Dataset:
    """Random pictures, labelled in turn."""
    generator = torch.Generator().manual_seed(7)
    values = torch.randint(0, 256, (count, *(shape or (1, 16, 16))), generator=generator)
    return Dataset(
        name="random",
        kind="pictures",
        values=values.to(torch.uint8),
        labels=torch.arange(count) % classes if classes else None,
        classes=[f"class {i}" for i in range(classes)] or None,
        skipped=[],
        digest="0" * 64,
    )


def weights(a_config: Config, spec: DataSpec) -> dict[str, Tensor]:
    """A generator's weights, large enough for its pictures to differ visibly."""
    state = build_generator(a_config, spec).state_dict()
    return {k: t * 3 if t.is_floating_point() and t.dim() > 1 else t for k, t in state.items()}


def model(a_config: Config | None = None, spec: DataSpec | None = None, step: int = 5) -> Model:
    a_config, spec = a_config or config(), spec or pictures()
    return Model(a_config, spec, weights(a_config, spec), step, "cpu")


def write_model(run: Path, step: int = 5, **changes: Any) -> Path:
    """A run's model folder."""
    a_config, spec = config(**changes), pictures()
    RunFolder(run).write_model(a_config, spec, weights(a_config, spec), step)
    return run / "model"


def a_checkpoint(
    step: int = 3, score: float | None = None, a_config: Config | None = None
) -> checkpoint.Checkpoint:
    """A checkpoint of fresh players that have taken one step, as the loop writes it."""
    a_config, spec = a_config or config(), pictures()
    players = Players.create(a_config, spec, CPU)
    for network, optimizer in (
        (players.generator, players.g_optimizer),
        (players.discriminator, players.d_optimizer),
    ):
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, 0.1 * step)
        optimizer.step()
    state = {
        "step": step,
        "images": step * a_config.batch_size,
        "seconds": 1.5,
        "score": score,
        "digest": "0" * 64,
        "config": a_config.model_dump(mode="json"),
        "spec": spec.model_dump(mode="json"),
    }
    return checkpoint.Checkpoint(step, players.tensors(), state)


def script(alphabet: str = "abcdé", height: int = 32) -> Script:
    """Characters of 10 pixels, of paces a little below and above."""
    widths = tuple(10.0 * height / 32 for _ in alphabet)
    return Script(alphabet=tuple(alphabet), widths=widths, paces=(-0.2, 0.0, 0.3))


def words(height: int = 32, width: int = 160, alphabet: str = "abcdé") -> DataSpec:
    return DataSpec(kind="words", shape=(1, height, width), script=script(alphabet, height))


def words_config(**changes: Any) -> Config:
    small = {
        "model": "words",
        "size": "32",
        "latent_size": 6,
        "generator_filters": 8,
        "discriminator_filters": 8,
        "recogniser_filters": 4,
        "init": "torch",
        "r1": 0.1,
        "penalty_every": 2,
        "batch_size": 4,
        "device": "cpu",
        "precision": "fp32",
    }
    return Config(**{**small, **changes})


def word_dataset(count: int = 40, alphabet: str = "abcdé", height: int = 32) -> Dataset:
    """Words of one to six characters, each character a bar as high as its place in the alphabet."""
    generator = torch.Generator().manual_seed(3)
    column, values, texts, widths = height // 8, [], [], []
    for _ in range(count):
        length = int(torch.randint(1, 7, (1,), generator=generator))
        chosen = torch.randint(len(alphabet), (length,), generator=generator).tolist()
        word = torch.full((height, 3 * column * length), 255, dtype=torch.uint8)
        for place, number in enumerate(chosen):
            left = 3 * column * place
            word[: 4 + 5 * number, left + 1 : left + 2 * column] = 0
        values.append(word)
        texts.append("".join(alphabet[number] for number in chosen))
        widths.append(word.shape[1])
    writers = [f"writer {n % 4}" for n in range(count)]
    return Dataset(
        name="bars",
        kind="words",
        values=torch.cat([word.T for word in values]),
        labels=None,
        classes=None,
        skipped=[],
        digest="1" * 64,
        written=Written(texts, writers, widths),
    )
