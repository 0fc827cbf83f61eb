"""The pieces that several networks share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gansmith.models.masked import MaskedBatchNorm
from gansmith.world import World, here


class BatchNorm(nn.BatchNorm2d):
    """Batch norm, ε 1e-5, whose statistics are those of all processes' pictures together, unless it is
    not `shared`.

    torch's own synchronised one refuses processors.
    """

    shared = True

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        world = here() if self.shared else World()
        if world.size == 1 or not self.training:
            return super().forward(x)
        wide = x.float()
        count = world.size * x.numel() // x.shape[1]
        sums = torch.stack([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3))])
        mean, square = world.sum(sums) / count
        var = (square - mean.square()).clamp_min(0)
        self._note(mean.detach(), var.detach() * count / (count - 1))
        scale = self.weight * (var + self.eps).rsqrt()
        shift = self.bias - mean * scale
        wide_scale, wide_shift = (v.to(x.dtype)[:, None, None] for v in (scale, shift))
        return torch.addcmul(wide_shift, x, wide_scale)

    def _note(self, mean: Tensor, var: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum or 0.1)
        self.running_var.lerp_(var, self.momentum or 0.1)
        self.num_batches_tracked += 1


def batch_norm(channels: int, scale: str = "learned") -> BatchNorm:
    """Batch norm; ``scale="fixed"`` keeps γ at 1 (MXNet's ``fix_gamma``) and learns only β."""
    norm = BatchNorm(channels)
    if scale == "fixed":
        norm.weight.requires_grad_(False)
    return norm


def keep_statistics(network: nn.Module) -> None:
    """Have batch norm's statistics be those of this process's own pictures: no message of any layer."""
    for module in network.modules():
        if isinstance(module, (BatchNorm, MaskedBatchNorm)):
            module.shared = False


def init_dcgan(network: nn.Module) -> None:
    """Convolutions N(0, 0.02), batch-norm scales N(1, 0.02), all biases 0 (Radford et al. 2016)."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d) and module.weight.requires_grad:
            nn.init.normal_(module.weight, 1.0, 0.02)
        bias = getattr(module, "bias", None)
        if isinstance(bias, nn.Parameter):
            nn.init.zeros_(bias)


def init_keras(network: nn.Module) -> None:
    """Keras' own: weights uniform in ±√(6 / (fan in + fan out)) (Glorot & Bengio 2010), biases 0.

    torch's own are 1.7 times smaller: over four layers without normalisation some nine times less
    variety at the start, too little to learn from. The digits of MNIST turn black together.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class JoinLabel(nn.Module):
    """Join a learned vector of the class to a vector: (N, Z), (N,) → (N, Z + size).

    It starts small beside a latent's N(0, 1). Started as large, it is the easier of the two to
    learn from, and the generator makes one picture a class and never listens to the latent again.
    Without classes (`classes` = 0) it joins nothing and `size` is 0.
    """

    def __init__(self, classes: int, size: int = 32):
        super().__init__()
        self.size = size if classes else 0
        self.embedding = nn.Embedding(classes, size) if classes else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, 0.1)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        if self.embedding is None:
            return x
        joined = self.embedding(_required(labels))
        return torch.cat([x.expand(*joined.shape[:-1], -1), joined], -1)


class ClassAffine(nn.Module):
    """(1 + γ(y)) x + β(y): a norm's scale and shift, made each class's own. (N, C, H, W), (N,) → same.

    After batch norm this is conditional batch norm (de Vries et al. 2017, §3). γ and β start at
    nought: classes share what the norm has, and deviate from it. Without classes it changes nothing.
    """

    def __init__(self, classes: int, channels: int):
        super().__init__()
        self.scale, self.shift = (
            nn.Embedding(classes, channels) if classes else None for _ in range(2)
        )
        for embedding in filter(None, (self.scale, self.shift)):
            nn.init.zeros_(embedding.weight)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        if self.scale is None or self.shift is None:
            return x
        labels = _required(labels)
        scale, shift = (e(labels).to(x.dtype)[:, :, None, None] for e in (self.scale, self.shift))
        return torch.addcmul(shift, x, 1 + scale)


class Projection(nn.Module):
    """The class's part of the logit: e(y)·φ(x), φ the features summed over places.

    Miyato & Koyama 2018, eq. 3. Features (N, C, H, W), labels (N,) → (N,); several labels an
    example, (M, N) → (M, N), at the price of one. Starts at zero, so that
    the label speaks only once it has something to say. Without classes it is zero for good.
    """

    def __init__(self, classes: int, channels: int):
        super().__init__()
        self.embedding = nn.Embedding(classes, channels) if classes else None
        if self.embedding is not None:
            nn.init.zeros_(self.embedding.weight)

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        if self.embedding is None:
            return features.new_zeros(len(features))
        logits: Tensor = (self.embedding(_required(labels)) * features.sum((2, 3))).sum(-1)
        return logits


def _required(labels: Tensor | None) -> Tensor:
    if labels is None:
        raise ValueError("expected a label for each example: this network is conditional")
    return labels


def sequence(layers: Iterable[nn.Module | None]) -> nn.Sequential:
    """A chain of the layers that are there: ``None`` stands for one that a switch left out."""
    return nn.Sequential(*(layer for layer in layers if layer is not None))


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No gradients for the weights of `network`: another's turn does not need them."""
    trained = [p for p in network.parameters() if p.requires_grad]
    try:
        for parameter in trained:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
