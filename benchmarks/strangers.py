"""What does the doctor say of a plain DCGAN script? The tutorial's loop on the digits, and its logs.

    python -m benchmarks.strangers --out DIR [--steps 600]

Three times: as the tutorial has it (a quarter of its filters), with a discriminator that learns
a tenth as fast, and 50 times as fast. Each leaves in DIR what scripts leave: printed lines,
a CSV, two arrays, event files, a sheet of samples; and each of these is judged.
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

CASES = {"tutorial": 1.0, "slow-discriminator": 0.1, "fast-discriminator": 50.0}


def train(out: Path, steps: int, faster: float) -> None:
    out.mkdir(parents=True, exist_ok=True)
    data = prepare(open_source("digits"), height=64, width=64)
    game = Textbook(data.values, filters=16)  # the tutorial's 64 would take an hour
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
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    for name, faster in CASES.items():
        folder = options.out / name
        if not (folder / "fakes.png").exists():
            train(folder, options.steps, faster)
        arrays = [folder / "d_losses.npy", folder / "g_losses.npy"]
        sheet = folder / "fakes.png"
        logs = ([folder / "train.log"], [folder / "losses.csv"], arrays, [folder / "runs"])
        said = [examine(paths, samples=sheet) for paths in logs]
        assert len({found.verdict.condition for found in said}) == 1, "one game, one verdict"
        print(*said[0].lines(), "-" * 80, sep="\n", flush=True)


if __name__ == "__main__":
    main()
