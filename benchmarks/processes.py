"""What several processes gain and cost: a run by one with all threads, and by several that share them.

    python -m benchmarks.processes --processes 2 --rounds 5

A round is three runs on the embedded digits of as many images, one after the other: by several
processes, by as many with batch norm's statistics each their own, and by one; the figures are median
ratios of images a second. Then what is sent: how long the means of a step's gradients take,
once all processes are there, how many small messages a step has besides (batch norm's statistics,
figures), and what that comes to on many machines: gradients by the usual model of a ring (Patarasuk &
Yuan 2009), 2 (n - 1) / n · bytes / bandwidth + 2 (n - 1) · latency, and small messages along a tree and
back, 2 ⌈log₂ n⌉ · latency each. n are machines: within one GPUs are taken to be as one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.distributed as dist

import gansmith
from benchmarks import record
from gansmith.config import Config, DataSpec
from gansmith.models import build_networks
from gansmith.recipes import recipe
from gansmith.world import World, join

SPEC = DataSpec(kind="pictures", shape=(1, 32, 32), classes=tuple("0123456789"))
TIMES, STEPS, SMALL = 200, 32, 256
# Of a message between two machines: gigabits a second and microseconds, of data centres.
LINKS = {
    "25 Gb/s": (25e9 / 8, 20e-6),
    "100 Gb/s": (100e9 / 8, 15e-6),
    "400 Gb/s": (400e9 / 8, 10e-6),
}


def speed(images: int, processes: int, threads: int, statistics: str = "all") -> float:
    """Images a second of a run, its first half left out."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, "-m", "gansmith", "train", "digits", "--out", str(run)]
        command += ["--images", str(images), "--processes", str(processes), "--set", "log_every=10"]
        command += ["--set", f"bn_statistics={statistics}"]
        threads_each = {"OMP_NUM_THREADS": str(threads)}
        subprocess.run(command, env=os.environ | threads_each, check=True, capture_output=True)
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        rates = [r["images_per_second"] for r in records if "images_per_second" in r]
        return float(median(rates[len(rates) // 2 :]))


def weights(config: Config) -> list[int]:
    """Of each player."""
    networks = build_networks(config, SPEC)
    return [
        sum(p.numel() for p in n.parameters()) for n in (networks.discriminator, networks.generator)
    ]


def send() -> None:
    """What torchrun starts: the time of each player's mean, and of a small message, when all are there,
    as JSON, and how many messages a step of a run has."""
    world, found = join(), []
    for count in [*weights(recipe("fast")), SMALL]:
        gradients, times = torch.randn(count), []
        for _ in range(TIMES):
            dist.barrier()
            begun = time.perf_counter()
            world.mean(gradients)
            times.append(time.perf_counter() - begun)
        found.append(median(times))
    messages = [messages_of_a_step(statistics) for statistics in ("all", "own")]
    if world.is_main:
        print(json.dumps([*found, *messages]))


def messages_of_a_step(statistics: str) -> float:
    """How many means and sums: a run twice as long less two, without what a start costs."""
    noted, plain = [0], dist.all_reduce

    def counted(*arguments: Any, **options: Any) -> Any:
        noted[0] += 1
        return plain(*arguments, **options)

    dist.all_reduce = counted
    with tempfile.TemporaryDirectory() as folder:
        size = recipe("fast").batch_size
        for steps in (STEPS, 2 * STEPS):
            noted.append(noted[0])
            gansmith.train(
                "digits",
                recipe="fast",
                images=size * steps,
                evaluate_n=16,
                bn_statistics=statistics,
                out=f"{folder}/{steps}",
            )
    return (noted[0] - 2 * noted[-1]) / STEPS


def sent(processes: int) -> list[float]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc-per-node={processes}", "-m", "benchmarks.processes", "--send"]
    done = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return [float(x) for x in json.loads(done.stdout.splitlines()[-1])]


def tree(machines: int, latency: float) -> float:
    """Seconds that a small message takes to all and back."""
    return 2 * (machines - 1).bit_length() * latency


def ring(size: int, machines: int, bandwidth: float, latency: float) -> float:
    """Seconds that the mean of `size` bytes takes among so many."""
    rounds = 2 * (machines - 1)
    return rounds / machines * size / bandwidth + rounds * latency


def modelled(sizes: list[int], messages: float) -> dict[str, float]:
    """Milliseconds a step of so many messages, of which those of gradients have these sizes."""

    def seconds(hosts: int, bandwidth: float, latency: float) -> float:
        gradients = sum(ring(size, hosts, bandwidth, latency) for size in sizes)
        return gradients + (messages - len(sizes)) * tree(hosts, latency)

    return {
        f"{name}, {hosts} hosts": round(1000 * seconds(hosts, *link), 2)
        for name, link in LINKS.items()
        for hosts in (2, 16)
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=40_960)
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.send:
        send()
        return
    cores, n = os.cpu_count() or 1, options.processes
    World(0, n).share(recipe("fast").batch_size)
    share = max(1, cores // n)
    rounds = [
        (
            speed(options.images, n, share),
            speed(options.images, n, share, "own"),
            speed(options.images, 1, cores),
        )
        for _ in range(options.rounds)
    ]
    *means, small, messages, without = sent(n)
    step = recipe("fast").batch_size / median(a for a, _, _ in rounds)
    sizes = [4 * count for count in weights(recipe("fast"))]
    result = {
        "images_a_second": [[round(rate) for rate in rates] for rates in rounds],
        "ratio": round(median(a / c for a, _, c in rounds), 3),
        "ratio_of_own_statistics": round(median(b / c for _, b, c in rounds), 3),
        "step_ms": round(1000 * step, 2),
        "means_ms": [round(1000 * t, 3) for t in means],
        "small_ms": round(1000 * small, 3),
        "messages": messages,
        "messages_of_own_statistics": without,
        "means_share_of_step": round(sum(means) / step, 3),
        "bytes": sizes,
        "model_ms": modelled(sizes, messages),
        "model_ms_of_own_statistics": modelled(sizes, without),
    }
    print(json.dumps(result, indent=1))
    config = {"processes": n, "rounds": options.rounds, "images": options.images, "cores": cores}
    print(record.write("processes", config, result))


if __name__ == "__main__":
    main()
