"""What does the loop cost? gansmith's step against a plain loop, alternating in one process.

    python -m benchmarks.step_time --data-dir DIR

`dcgan` at 64×64 in fp32 on MNIST, batch 64: the same networks, losses and fused Adam, data already
in memory. The plain loop is the textbook's: real batch, fake batch, generator, nothing else. Both
spare the discriminator's weight gradients in the generator's turn; the ratio against a loop that
does not (as the PyTorch tutorial's) is given too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from benchmarks import record
from gansmith import recipes
from gansmith.config import merge
from gansmith.data import open_source, prepare
from gansmith.loop import Session, frozen
from gansmith.models import build_networks
from gansmith.run import RunFolder

SETTINGS = {"batch_size": 64, "precision": "fp32", "device": "cpu", "images": 10_000_000}


def plain_loop(session: Session, spare_gradients: bool) -> Callable[[], None]:
    """One step of the textbook's loop, on networks of its own."""
    torch.manual_seed(0)
    networks = build_networks(session.config, session.spec)
    g, d = networks.generator, networks.discriminator
    g_adam, d_adam = (
        torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999), fused=True) for n in (g, d)
    )
    values, batch = session.stream.values, session.config.batch_size
    bce = F.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(batch), torch.zeros(batch)

    def step() -> None:
        real = values[torch.randint(len(values), (batch,))].float().div_(127.5).sub_(1)
        d_adam.zero_grad()
        fake = g(torch.randn(batch, session.config.latent_size))
        (bce(d(real), ones) + bce(d(fake.detach()), zeros)).backward()
        d_adam.step()
        g_adam.zero_grad()
        if spare_gradients:
            with frozen(d):
                bce(d(fake), ones).backward()
        else:
            bce(d(fake), ones).backward()
        g_adam.step()

    return step


def measure(session: Session, rounds: int) -> dict[str, float]:
    """Median seconds of a step of each, and median ratios pair by pair."""
    session._begin()
    steps = session.steps()
    plain, tutorial = plain_loop(session, True), plain_loop(session, False)
    contenders: list[Callable[[], object]] = [lambda: next(steps), plain, tutorial]
    times: list[list[float]] = [[], [], []]
    for number in range(rounds + 2):
        for turn in range(3):
            who = (number + turn) % 3  # in another order each round: what runs before may matter
            begun = time.perf_counter()
            contenders[who]()
            if number >= 2:  # the first ones warm up
                times[who].append(time.perf_counter() - begun)
    session.observer.close()
    ours, spared, naive = times
    return {
        "gansmith_step_s": round(statistics.median(ours), 4),
        "plain_step_s": round(statistics.median(spared), 4),
        "tutorial_step_s": round(statistics.median(naive), 4),
        "ratio_of_medians": round(statistics.median(ours) / statistics.median(spared), 4),
        "median_of_ratios": round(_median_ratio(ours, spared), 4),
        "median_of_ratios_to_tutorial": round(_median_ratio(ours, naive), 4),
        "rounds": rounds,
    }


def _median_ratio(a: list[float], b: list[float]) -> float:
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; downloaded if left out")
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args(arguments)
    source = open_source("mnist", data_dir=options.data_dir)
    dataset = prepare(source, height=64, width=64)
    config = merge(recipes.dcgan(), SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.path.mkdir()
        result = measure(Session(dataset, config, run), options.rounds)
    print(result)
    print(record.write("step_time", {**SETTINGS, "recipe": "dcgan", "source": "mnist"}, result))


if __name__ == "__main__":
    main()
