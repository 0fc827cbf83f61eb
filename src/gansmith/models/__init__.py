"""The networks, by name. A pair is built from a config and the data's spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.models import compact, dcgan, dcgan_keras, mlp, words
from gansmith.models.layers import init_dcgan, init_keras, keep_statistics
from gansmith.models.recogniser import Recogniser

__all__ = [
    "Networks",
    "build_generator",
    "build_networks",
    "build_recogniser",
    "draw_latent",
    "example_inputs",
    "tracing",
]

Builder = Callable[[Config, DataSpec], nn.Module]

GENERATORS: dict[str, Builder] = {
    "compact": compact.Generator,
    "dcgan": dcgan.Generator,
    "dcgan-keras": dcgan_keras.Generator,
    "mlp": mlp.Generator,
    "words": words.Generator,
}
DISCRIMINATORS: dict[str, Builder] = {
    "compact": compact.Discriminator,
    "dcgan": dcgan.Discriminator,
    "dcgan-keras": dcgan_keras.Discriminator,
    "mlp": mlp.Discriminator,
    "words": words.Discriminator,
}
INITIALISATIONS = {"dcgan": init_dcgan, "keras": init_keras, "torch": None}  # torch's: as built


@dataclass(frozen=True)
class Networks:
    generator: nn.Module
    discriminator: nn.Module


def build_generator(config: Config, spec: DataSpec) -> nn.Module:
    return _channels_last(GENERATORS[config.model](config, spec))


def build_networks(config: Config, spec: DataSpec) -> Networks:
    """Both players, initialised; draws from torch's global generator."""
    pair = GENERATORS[config.model](config, spec), DISCRIMINATORS[config.model](config, spec)
    if (initialise := INITIALISATIONS[config.init]) is not None:
        for network in pair:
            initialise(network)
    if config.bn_statistics == "own":
        for network in pair:
            keep_statistics(network)
    return Networks(*map(_channels_last, pair))


def build_recogniser(config: Config, spec: DataSpec) -> Recogniser:
    """The third player of a game of words."""
    return Recogniser(config, spec).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def example_inputs(config: Config, spec: DataSpec) -> tuple[Tensor, Tensor, Tensor | None]:
    """A latent, an example of zeros and a label, as one example has: to trace networks with.

    Of words a usual one: six characters, three times as wide as high.
    """
    latent = torch.zeros(1, config.latent_size)
    if spec.kind == "words":
        channels, height, _ = spec.shape
        return (
            latent,
            torch.zeros(1, channels, height, 3 * height),
            torch.tensor([[3 * height, *[1] * 6]]),
        )
    labels = torch.zeros(1, dtype=torch.long) if spec.classes else None
    return latent, torch.zeros(1, *spec.shape), labels


def tracing(spec: DataSpec) -> torch.device:
    """Where to trace networks: without memory or arithmetic, unless shapes depend on numbers."""
    return torch.device("cpu" if spec.kind == "words" else "meta")


def _channels_last(network: nn.Module) -> nn.Module:
    """Weights, and so activations, with the channels innermost: a tenth to a third faster.

    After initialising, which draws in the order of memory.
    """
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def draw_latent(
    config: Config, count: int, device: torch.device, generator: torch.Generator | None = None
) -> Tensor:
    """(count, latent_size) from N(0, 1), or uniform on [-1, 1]."""
    shape = (count, config.latent_size)
    if config.latent == "uniform":
        return torch.rand(shape, device=device, generator=generator) * 2 - 1
    return torch.randn(shape, device=device, generator=generator)
