"""What does the doctor say of a plain DCGAN script? The tutorial's loop, well and broken, and its logs.

    python -m benchmarks.strangers --out DIR [--steps 300]

Leaves in DIR/well and DIR/broken (a discriminator that learns 50 times as fast) what scripts leave: the
tutorial's printed lines, a CSV, two arrays, event files, a sheet of samples; and judges each.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from tensorboardX import SummaryWriter

from benchmarks.textbook import Textbook
from gansmith.data import open_source, prepare
from gansmith.doctor import examine
from gansmith.imaging import grid


def train(out: Path, steps: int, faster: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    data = prepare(open_source("digits"), height=64, width=64)
    game = Textbook(data.values)
    for group in game.d_adam.param_groups:
        group["lr"] *= faster
    board = SummaryWriter(str(out / "runs"))
    losses = []
    with (out / "train.log").open("w") as log:
        print("Starting Training Loop...", file=log)
        for step in range(steps):
            d, g = (float(loss) for loss in game.step())
            losses.append((d, g))
            epoch, batch = divmod(step, game.steps_per_epoch)
            print(
                f"[{epoch}/5][{batch}/{game.steps_per_epoch}]\tLoss_D: {d:.4f}\tLoss_G: {g:.4f}",
                file=log,
            )
            board.add_scalar("Loss/D", d, step)
            board.add_scalar("Loss/G", g, step)
    board.close()
    with (out / "losses.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("iteration", "D_loss", "G_loss"), *_numbered(losses)])
    for name, column in zip(("d_losses", "g_losses"), np.array(losses).T, strict=True):
        np.save(out / f"{name}.npy", column)
    made = game.sample(64, training=True).permute(0, 2, 3, 1).numpy()
    grid(made).save(out / "fakes.png")


def _numbered(losses: list[tuple[float, float]]) -> list[tuple[int, float, float]]:
    return [(step, d, g) for step, (d, g) in enumerate(losses)]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--faster", type=float, default=50.0)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    for name, faster in (("well", 1.0), ("broken", options.faster)):
        folder = options.out / name
        if not (folder / "fakes.png").exists():
            train(folder, options.steps, faster)
        arrays = [folder / "d_losses.npy", folder / "g_losses.npy"]
        sheet = folder / "fakes.png"
        for paths in ([folder / "train.log"], [folder / "losses.csv"], arrays, [folder / "runs"]):
            print(*examine(paths, samples=sheet).lines(), sep="\n")
            print("-" * 80)


if __name__ == "__main__":
    main()
