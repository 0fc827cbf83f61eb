"""How well does a step use the machine? gansmith's `dcgan` against the naive step, alternating.

    python -m benchmarks.efficiency --data-dir DIR [--precision bf16]

`dcgan` at 64×64, batch 64, on MNIST, in bf16 or fp32 (auto: as a run would choose here). The naive
step is `textbook.Textbook`, in bf16 under autocast. Same mathematics: beside the times stand both
players' losses by either, of one batch and the naive networks' weights after those steps. The share
of the machine's rate is a step's multiplications and additions in convolutions, three times the
forward pass's for each network that learns, over its time, against the best rate found for a square
matrix product in the same precision.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import record
from benchmarks.textbook import BATCH, LATENT, Textbook
from gansmith import recipes
from gansmith.config import merge
from gansmith.data import open_source, prepare
from gansmith.loop import Session
from gansmith.objectives import discriminator_losses, generator_losses
from gansmith.run import RunFolder
from gansmith.runtime import has_fast_bf16, pick_device, pick_precision

MATRICES = (1024, 2048, 4096)


def work_of(textbook: Textbook) -> int:
    """Floating-point operations of a step that computes nothing it does not use.

    Discriminator: forward, and backward to weights and inputs, for real and for fake (the first
    layer's inputs need no gradient; what little that saves is left in). Generator's turn: both
    networks forward, the discriminator backward to its inputs, the generator backward.
    """
    device = textbook.pictures.device
    latents = torch.zeros(BATCH, LATENT, 1, 1, device=device)
    pictures = torch.zeros(BATCH, *textbook.pictures.shape[1:], device=device)
    g, d = _forward(textbook.g, latents), _forward(textbook.d, pictures)
    return 2 * 3 * d + g + 2 * d + 2 * g


def _forward(network: nn.Module, inputs: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(inputs)
    return int(counter.get_total_flops())


def best_rate(device: torch.device, dtype: torch.dtype, times: int = 6) -> float:
    """Floating-point operations a second of the fastest of a few matrix products."""
    best = 0.0
    for size in MATRICES:
        a = torch.randn(size, size, device=device).to(dtype)
        for _ in range(times):
            best = max(best, 2 * size**3 / seconds(partial(torch.mm, a, a), device))
    return best


def seconds(act: Callable[[], object], device: torch.device) -> float:
    begun = time.perf_counter()
    act()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def measure(session: Session, naive: Textbook, rounds: int) -> dict[str, Any]:
    """Medians over rounds in which each takes a step, in turns the first."""
    session._begin()
    steps, device = session.steps(), session.device
    ours: list[float] = []
    theirs: list[float] = []
    contenders: list[tuple[Callable[[], object], list[float]]] = [
        (lambda: next(steps), ours),
        (naive.step, theirs),
    ]
    for number in range(rounds + 4):
        for act, times in contenders if number % 2 else reversed(contenders):
            times.append(seconds(act, device))
    session.observer.close()
    warm = slice(4, None)  # the first ones
    pairs = zip(ours[warm], theirs[warm], strict=True)
    return {
        "gansmith_step_s": round(statistics.median(ours[warm]), 5),
        "naive_step_s": round(statistics.median(theirs[warm]), 5),
        "median_of_ratios": round(statistics.median(b / a for a, b in pairs), 3),
        **losses(session, naive),
    }


def losses(session: Session, naive: Textbook) -> dict[str, list[float]]:
    """Both players' losses by our code and by the naive one, of one batch and the naive weights."""
    players, config = session.players, session.config
    for ours, theirs in ((players.generator, naive.g), (players.discriminator, naive.d)):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.data.copy_(b.data)
    latent = torch.randn(BATCH, LATENT, device=session.device)
    real = naive._batch()
    with torch.no_grad(), session.turns.precision.autocast():
        fake = players.generator(latent)
        d = discriminator_losses(players.discriminator, real, None, fake, config, 0, False)
        g = generator_losses(players.discriminator, real, None, fake, config, 0)
        fake = naive.g(latent[:, :, None, None])
        on_real, on_fake = naive.d(real).float(), naive.d(fake).float()
    naive_d = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    return {
        "gansmith_losses": [round(x.item(), 4) for x in (d["loss_d"], g["loss_g"])],
        "naive_losses": [round(x.item(), 4) for x in (naive_d, F.softplus(-on_fake).mean())],
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="MNIST's files; downloaded if left out")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args(arguments)
    device = pick_device("auto")
    precision = pick_precision(options.precision, device)
    data = prepare(open_source("mnist", data_dir=options.data_dir), height=64, width=64)
    settings = {"batch_size": BATCH, "precision": precision.name}
    settings |= {"images": 10**9, "log_every": 10**6}  # means over all steps
    naive = Textbook(data.values.to(device), autocast=precision.autocast)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.path.mkdir()
        session = Session(data, merge(recipes.dcgan(), settings), run)
        result = measure(session, naive, options.rounds)
    rate = best_rate(device, torch.bfloat16 if precision.name == "bf16" else torch.float32)
    work = work_of(naive)
    result |= {
        "step_gflop": round(work / 1e9, 2),
        "best_matrix_tflops": round(rate / 1e12, 3),
        "share_of_it": round(work / result["gansmith_step_s"] / rate, 3),
        "naive_share_of_it": round(work / result["naive_step_s"] / rate, 3),
        "bf16_units": has_fast_bf16(device),
    }
    print(result)
    print(record.write(f"efficiency-{precision.name}", settings, result))


if __name__ == "__main__":
    main()
