"""Where and how a run computes: device, precision, randomness."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import torch

from gansmith.errors import GansmithError


def pick_device(name: str) -> torch.device:
    """``auto`` takes CUDA, then MPS, then the processor. An absent device is a GansmithError."""
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, here in present.items() if here))
    if name not in present:
        raise GansmithError(f"device: expected auto, {', '.join(present)}, found {name!r}")
    if not present[name]:
        here = ", ".join(kind for kind, is_here in present.items() if is_here)
        raise GansmithError(f"device: {name} was asked for, but this machine has only {here}")
    return torch.device(name)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 is a gain there: tensor cores, AMX or AVX512-BF16. Emulated bf16 is slower."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        probes = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return False


@dataclass(frozen=True)
class Precision:
    """``fp32``, or ``bf16`` through autocast (weights and optimisers stay fp32)."""

    name: str
    device: torch.device
    reason: str = ""

    def autocast(self) -> AbstractContextManager[object]:
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)


def pick_precision(name: str, device: torch.device) -> Precision:
    """``auto`` takes bf16 where the hardware has it."""
    if name != "auto":
        return Precision(name, device, "asked for")
    if has_fast_bf16(device):
        return Precision("bf16", device, "the hardware has bf16 units")
    return Precision("fp32", device, "the hardware has no bf16 units")


class Draw(IntEnum):
    """What random numbers are drawn for: no two uses share a stream."""

    WEIGHTS = 0  # the networks' first weights
    STEP = 1  # what happens within a step: dropout, augmentation, noise
    LATENT = 2  # the latents of a training batch
    REFERENCE = 3  # which real examples are shown and compared
    SHEET = 4  # the latents of the sample sheets
    SCORE = 5  # the latents that are compared with real examples
    GENERATE = 6  # what a finished generator is asked for
    CLASSIFIER = 7  # the training of the classifiers that generators are judged by
    USEFULNESS = 8  # which real examples those learn from, and in what order
    PROBE = 9  # the latents that a game's health is judged by
    HELD_OUT = 10  # which real examples are kept from training
    REFEREE = 11  # the training of the recognisers that words are judged by
    SUBSET = 12  # which real examples are taken where fewer are wanted
    COPYBOOK = 13  # what rendered hands write
    SHARDS = 14  # which file of many is read when
    SHARD = 15  # in what order its examples are


def derive_seed(seed: int, *path: int) -> int:
    """A 63-bit seed that is a pure function of ``seed`` and a path of counters."""
    words = np.random.SeedSequence(entropy=seed, spawn_key=path).generate_state(2, np.uint32)
    return (int(words[0]) << 31 | int(words[1]) >> 1) & (2**63 - 1)


def seed_step(seed: int, step: int) -> None:
    """Make every draw of a step a function of (seed, step).

    The step counter is then the whole state of the random generators: a resumed run draws what the
    uninterrupted one would have drawn, dropout included.
    """
    torch.manual_seed(derive_seed(seed, Draw.STEP, step))


def machine() -> dict[str, str | int]:
    """What a figure was measured on, for records."""
    import platform

    names = [line for line in _cpuinfo() if line.startswith("model name")]
    return {
        "processor": names[0].partition(":")[2].strip() if names else platform.processor(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
