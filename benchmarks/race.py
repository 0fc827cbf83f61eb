"""Quality against time: the textbook's DCGAN in a plain loop, and `fast`, one after the other.

    python -m benchmarks.race --data-dir DIR [--epochs 1] [--budgets 6,12,30,60,150,300]

Baseline: `dcgan` at its textbook settings (64×64, 64 filters, batch norm, Adam 2e-4 and β 0.5, 0.999,
batch 64, fp32), its data in memory, in a loop with nothing else in it. `fast`: whole runs of so many
seconds, each from the start. Times are of training alone; for the baseline the clock stands still
while it is measured.

Protocol: `referee.Referee`, 10,000 generated digits against 50,000 real ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import gansmith
from benchmarks import record
from benchmarks.referee import MADE, Referee, own_size
from gansmith import recipes
from gansmith.config import DataSpec, merge
from gansmith.data import open_source, prepare
from gansmith.generate import load
from gansmith.metrics.evaluation import as_tensor
from gansmith.models import build_networks

BATCH = 64
MARKS = (0.1, 0.25, 0.5, 1, 2, 3, 4)  # epochs after which the baseline is measured


def textbook(
    values: Tensor, epochs: float, marks: Sequence[float]
) -> Iterator[tuple[float, nn.Module]]:
    """Train the tutorial's DCGAN; at each mark (in epochs) give the seconds so far and G."""
    torch.manual_seed(0)
    config = merge(recipes.dcgan(), {"batch_size": BATCH})
    networks = build_networks(config, DataSpec(kind="pictures", shape=(1, 64, 64)))
    g, d = networks.generator, networks.discriminator
    g_adam, d_adam = (
        torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999), fused=True) for n in (g, d)
    )
    bce, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones(BATCH), torch.zeros(BATCH)
    images = (values.float() / 127.5) - 1
    per_epoch = len(values) // BATCH
    due = [round(mark * per_epoch) for mark in marks if mark <= epochs]
    seconds, begun = 0.0, time.perf_counter()
    order = torch.empty(0, dtype=torch.long)
    for step in range(round(epochs * per_epoch)):
        if step % per_epoch == 0:
            order = torch.randperm(len(values))
        place = step % per_epoch * BATCH
        real = images[order[place : place + BATCH]]
        d_adam.zero_grad()
        fake = g(torch.randn(BATCH, config.latent_size))
        (bce(d(real), ones) + bce(d(fake.detach()), zeros)).backward()
        d_adam.step()
        g_adam.zero_grad()
        bce(d(fake), ones).backward()
        g_adam.step()
        if step + 1 in due:
            seconds += time.perf_counter() - begun
            yield seconds, g
            begun = time.perf_counter()


@torch.no_grad()
def sample(g: nn.Module, count: int, latent_size: int, training: bool) -> Tensor:
    """uint8 pictures; batch norm with its running statistics, or those of each batch."""
    g.train(training)
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(count, latent_size, generator=generator)
    made = torch.cat([g(part) for part in latents.split(250)])
    g.train()
    return made.add(1).mul(127.5).round().clamp(0, 255).byte()


def fast(source: str, data_dir: Path, seconds: float, seed: int, **settings: object) -> Tensor:
    """Digits of a whole run of so many seconds."""
    with tempfile.TemporaryDirectory() as folder:
        result = gansmith.train(
            source,
            recipe="fast",
            out=Path(folder) / "run",
            data_dir=str(data_dir),
            minutes=seconds / 60,
            seed=seed,
            **settings,
        )
        return as_tensor(load(result.run).generate(MADE, seed=1, labels=list(range(10))))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--budgets", default="6,12,30,60,150,300")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    source = open_source("mnist", data_dir=options.data_dir)
    small, space, side = own_size(source)
    large = prepare(source, height=64, width=64)
    for_small, for_large = Referee(small, space, side), Referee(large, space, side)
    baseline = []
    for seconds, g in textbook(large.values, options.epochs, MARKS):
        # The tutorial samples in training mode; whichever is better counts.
        value = min(for_large.fid(sample(g, MADE, 100, training)) for training in (True, False))
        baseline.append({"seconds": round(seconds, 1), "fid": round(value, 3)})
        print("dcgan", baseline[-1], flush=True)
    runs = []
    for seconds in map(float, options.budgets.split(",")):
        value = for_small.fid(fast("mnist", options.data_dir, seconds, options.seed))
        runs.append({"seconds": seconds, "fid": round(value, 3)})
        print("fast", runs[-1], flush=True)
    goal = baseline[-1]
    reached = next((r["seconds"] for r in runs if r["fid"] <= goal["fid"]), None)
    result = {
        "dcgan": baseline,
        "fast": runs,
        "floor_dcgan": round(for_large.floor, 4),
        "floor_fast": round(for_small.floor, 4),
        "fast_seconds_to_dcgans_last": reached,
        "times_faster": reached and round(goal["seconds"] / reached, 1),
        "space": f"{space.name} {space.weights}",
    }
    print(result)
    print(record.write("race", {**vars(options), "data_dir": "", "made": MADE}, result))


if __name__ == "__main__":
    main()
