"""How fast do generators sample? `fast` for MNIST against the 64×64 DCGAN, alternating.

    python -m benchmarks.sampling

Pictures a second of the networks alone, at batch 1 and 256, fresh weights (speed does not depend on
them), fp32, in eval mode; the median ratio of paired runs counts.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks import record
from gansmith import recipes
from gansmith.config import Config, DataSpec
from gansmith.models import build_generator

DIGITS = tuple(map(str, range(10)))


def generator(config: Config, side: int, classes: tuple[str, ...] | None) -> nn.Module:
    spec = DataSpec(kind="pictures", shape=(1, side, side), classes=classes)
    return build_generator(config, spec).eval().requires_grad_(False)


def sampler(network: nn.Module, config: Config, batch: int) -> Callable[[], None]:
    labels = torch.arange(batch) % 10 if config.conditional != "no" else None

    def sample() -> None:
        network(torch.randn(batch, config.latent_size), labels)

    return sample


def seconds(sample: Callable[[], None], times: int) -> float:
    begun = time.perf_counter()
    for _ in range(times):
        sample()
    return (time.perf_counter() - begun) / times


@torch.no_grad()
def measure(batch: int, times: int, rounds: int) -> dict[str, float]:
    contenders = [
        sampler(generator(recipes.fast(), 28, DIGITS), recipes.fast(), batch),
        sampler(generator(recipes.dcgan(), 64, None), recipes.dcgan(), batch),
    ]
    for sample in contenders:
        seconds(sample, 2)
    pairs = [[seconds(sample, times) for sample in contenders] for _ in range(rounds)]
    ours, textbook = zip(*pairs, strict=True)
    return {
        "fast_images_per_second": round(batch / statistics.median(ours), 1),
        "dcgan_images_per_second": round(batch / statistics.median(textbook), 1),
        "median_of_ratios": round(statistics.median(b / a for a, b in pairs), 2),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args(arguments).rounds
    result = {"batch_1": measure(1, 50, rounds), "batch_256": measure(256, 1, rounds)}
    print(result)
    print(record.write("sampling", {"rounds": rounds, "precision": "fp32"}, result))


if __name__ == "__main__":
    main()
