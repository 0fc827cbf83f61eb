"""Feature spaces: what a network sees in pictures, which is what distances are measured in.

A figure means something only together with the space it was measured in: its name, the hash of its
weights and what happens to the pictures' size before the network sees them.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from gansmith.errors import GansmithError

LARGEST = 32  # pixels a side, for the networks that gansmith makes itself
AREA = f"area to {LARGEST} px where larger"


@dataclass(frozen=True)
class Embedding:
    """What a network makes of N pictures.

    Attributes:
        features: float32 (N, D), on the CPU.
        probabilities: float32 (N, K), rows sum to 1; None where the network has no classes.
    """

    features: Tensor
    probabilities: Tensor | None

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class FeatureSpace:
    """A network, and all that identifies what it measures.

    Attributes:
        name: "classifier", "inception", "random", or a module's class name.
        weights: the first 16 hex digits of `weights_hash`.
        resize: what happens to the pictures' size before the network, in words.
        network: uint8 (n, C, H, W) → features (n, D), or (features, logits (n, K) or None).
        batch_size: how many pictures it is shown at once.
    """

    name: str
    weights: str
    resize: str
    network: nn.Module
    batch_size: int = 250

    def embed(self, pictures: Tensor) -> Embedding:
        """Show the network `pictures`, uint8 (N, C, H, W), where its weights are."""
        _check(pictures)
        states = itertools.chain(self.network.parameters(), self.network.buffers())
        device = next((t.device for t in states), torch.device("cpu"))
        with torch.no_grad(), evaluating(self.network):
            parts = [
                self._embed(part.to(device)) for part in torch.split(pictures, self.batch_size)
            ]
        known = [p for _, p in parts if p is not None]
        return Embedding(torch.cat([f for f, _ in parts]), torch.cat(known) if known else None)

    def _embed(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        output = self.network(pictures)
        features, logits = output if isinstance(output, tuple) else (output, None)
        rows = isinstance(features, Tensor) and features.dim() > 1
        if not rows or len(features) != len(pictures):
            raise GansmithError(
                f"expected the feature network {self.name} to give one row of features a picture; "
                "have it return a tensor (n, D), or a pair of that and the logits (n, K)"
            )
        features = features.flatten(1).float().cpu()
        return features, None if logits is None else logits.float().softmax(1).cpu()


class RandomFeatures(nn.Module):
    """Features nobody trained: uint8 (n, C, H, W) → (n, `DIMENSIONS`).

    Three stages of convolution and leaky ReLU, each at half the size of the one before. Of every
    channel: its mean and standard deviation at each stage, and its means in the last stage's four
    quarters, so that fine and coarse texture, and what lies where, all count. It is for kinds of
    picture that no trained network knows (random embeddings: Naeem et al. 2020).
    """

    WIDTHS = (24, 32, 48)
    # Of all features: it brings their mean square on faces, objects and digits to 0.5 to 3, about
    # the standard network's. With smaller ones KID's kernel sees nothing but means.
    SCALE = 4.0
    DIMENSIONS = 2 * sum(WIDTHS) + 4 * WIDTHS[-1]

    def __init__(self, channels: int, seed: int = 0):
        super().__init__()
        widths = (channels, *self.WIDTHS)
        # Not nn.Conv2d's own weights, nor the draws from the global generator that they cost.
        with torch.random.fork_rng(devices=[]):
            self.stages = nn.ModuleList(
                nn.Conv2d(
                    a, b, 3, padding=1, padding_mode="replicate", bias=False, dtype=torch.float32
                )
                for a, b in itertools.pairwise(widths)
            )
        for number, stage in enumerate(self.stages):
            weight = stage.get_parameter("weight")
            weight.requires_grad_(False).copy_(_he_uniform(tuple(weight.shape), seed, number))
        # No stage has a bias, and the leaky ReLU keeps proportions: what scales one scales them all.
        self.stages[0].get_parameter("weight").mul_(self.SCALE)

    def forward(self, pictures: Tensor) -> Tensor:
        x = to_floats(pictures)
        features: list[Tensor] = []
        for stage in self.stages:
            if features:
                x = F.avg_pool2d(x, 2, ceil_mode=True)
            x = F.leaky_relu(stage(x), 0.2)
            # not torch.std: of the population, so that one pixel has the deviation 0
            features += [x.mean((2, 3)), x.var((2, 3), correction=0).sqrt()]
        return torch.cat([*features, F.adaptive_avg_pool2d(x, 2).flatten(1)], 1)


def random_space(channels: int, *, seed: int = 0) -> FeatureSpace:
    """An untrained network for pictures of so many channels; the same weights on every machine."""
    network = RandomFeatures(channels, seed).eval()
    return FeatureSpace("random", _short_hash(network), AREA, network)


def module_space(
    network: nn.Module, name: str | None = None, *, takes: str = "uint8", resize: str = "none"
) -> FeatureSpace:
    """A network of the person's own.

    Args:
        network: gives features (n, D), or a pair of them and logits (n, K).
        name: what to call the space; the network's class name if None.
        takes: "uint8" pictures as they are, or "float": float32 in [-1, 1].
        resize: what the network does to the pictures' size, in words, for the record.
    """
    if takes not in ("uint8", "float"):
        raise GansmithError(f"takes: expected 'uint8' or 'float', found {takes!r}")
    shown = _FromFloats(network) if takes == "float" else network
    return FeatureSpace(name or type(network).__name__, _short_hash(network), resize, shown)


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) over the weights' names, types, shapes and bytes, in the names' order.

    Over their safetensors serialisation; tensors that share memory are each written out.
    """
    whole = {key: state[key].detach().cpu().clone().contiguous() for key in sorted(state)}
    return hashlib.sha256(save_tensors(whole)).hexdigest()


def to_floats(pictures: Tensor, largest: int = LARGEST) -> Tensor:
    """uint8 (n, C, H, W) → float32 in [-1, 1], averaged down until no side exceeds `largest`.

    Colour counts by as much as it is opaque, so that what cannot be seen makes no difference.
    """
    x = pictures.float() / 127.5 - 1
    if x.shape[1] == 4:
        x = torch.cat([x[:, :3] * (x[:, 3:] + 1) / 2, x[:, 3:]], 1)
    height, width = x.shape[2:]
    scale = largest / max(height, width)
    if scale < 1:
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        x = F.interpolate(x, size, mode="area")
    return x


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put every part of `network` in eval mode, and back as it was."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


class _FromFloats(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> object:
        return self.network(pictures.float() / 127.5 - 1)


def _check(pictures: Tensor) -> None:
    if pictures.dtype != torch.uint8 or pictures.dim() != 4 or 0 in pictures.shape:
        raise GansmithError(
            "expected pictures as uint8 (N, C, H, W), at least one, but found "
            f"{str(pictures.dtype).removeprefix('torch.')} {tuple(pictures.shape)}; "
            "scale them to 0…255 and put the channels second"
        )


def _short_hash(network: nn.Module) -> str:
    return weights_hash(network.state_dict())[:16]


def _he_uniform(shape: tuple[int, ...], seed: int, number: int) -> Tensor:
    """Weights with the variance of He et al. 2015 (eq. 15, slope 0.2); every other filter sums to 0.

    From raw bits: those are the same with every version of NumPy and on every machine, which a
    normal distribution's logarithms and cosines are not. A filter that sums to 0 answers to edges,
    where brightness drowns them in the others.
    """
    bits = np.random.Philox(np.random.SeedSequence([seed, number])).random_raw(math.prod(shape))
    uniform = ((bits >> np.uint64(40)).astype(np.float64) / 2**23 - 1).reshape(shape)
    uniform[::2] -= uniform[::2].mean((1, 2, 3), keepdims=True)
    deviation = math.sqrt(2 / ((1 + 0.2**2) * math.prod(shape[1:])))
    return torch.from_numpy((uniform * math.sqrt(3) * deviation).astype(np.float32))
