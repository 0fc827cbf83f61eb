"""The baseline: the tutorials' DCGAN at 64×64 and their loop, with nothing else in it.

Networks, settings and loop as in the DCGAN paper and the PyTorch tutorial: 64 filters, batch norm,
N(0, 0.02), Adam 2e-4 with β (0.5, 0.999), batch 64, a batch of real pictures and one of fakes, then
the generator's turn. Two favours: the data lie in memory, and Adam is fused.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.models.layers import frozen

BATCH, LATENT = 64, 100


def generator(channels: int = 1, filters: int = 64) -> nn.Sequential:
    """(N, 100, 1, 1) → (N, C, 64, 64)."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(LATENT, 8 * filters, 4, bias=False)]
    for wide in (8, 4, 2):
        layers += [nn.BatchNorm2d(wide * filters), nn.ReLU(True)]
        layers += [nn.ConvTranspose2d(wide * filters, wide // 2 * filters, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(filters), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(filters, channels, 4, 2, 1, bias=False), nn.Tanh()]
    return nn.Sequential(*layers)


def discriminator(channels: int = 1, filters: int = 64) -> nn.Sequential:
    """(N, C, 64, 64) → logits (N,)."""
    layers: list[nn.Module] = [nn.Conv2d(channels, filters, 4, 2, 1, bias=False)]
    layers += [nn.LeakyReLU(0.2, True)]
    for narrow in (1, 2, 4):
        layers += [nn.Conv2d(narrow * filters, 2 * narrow * filters, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(2 * narrow * filters), nn.LeakyReLU(0.2, True)]
    layers += [nn.Conv2d(8 * filters, 1, 4, bias=False), nn.Flatten(0)]
    return nn.Sequential(*layers)


class Textbook:
    """The tutorial's game on `pictures`, uint8 (N, C, 64, 64); each call of `step` plays once.

    `spare_gradients` leaves out those of the discriminator's weights in the generator's turn, which
    nobody uses; the tutorial computes them. `autocast` is entered as a tutorial would: around both
    networks' forward passes.
    """

    def __init__(
        self,
        pictures: Tensor,
        *,
        seed: int = 0,
        filters: int = 64,
        spare_gradients: bool = False,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    ):
        torch.manual_seed(seed)
        self.pictures, self.spare_gradients = pictures, spare_gradients
        self.autocast = autocast
        channels = int(pictures.shape[1])
        device = pictures.device
        self.g = generator(channels, filters).to(device)
        self.d = discriminator(channels, filters).to(device)
        for module in [*self.g.modules(), *self.d.modules()]:
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)
        self.g_adam, self.d_adam = (
            torch.optim.Adam(n.parameters(), 2e-4, (0.5, 0.999), fused=True)
            for n in (self.g, self.d)
        )
        self.ones, self.zeros = (torch.full((BATCH,), v, device=device) for v in (1.0, 0.0))
        self.order, self.place = torch.empty(0, dtype=torch.long), 0

    @property
    def steps_per_epoch(self) -> int:
        return len(self.pictures) // BATCH

    def step(self) -> tuple[Tensor, Tensor]:
        """The discriminator's turn, then the generator's; both losses."""
        real = self._batch()
        self.d_adam.zero_grad()
        with self.autocast():
            fake = self.g(torch.randn(BATCH, LATENT, 1, 1, device=real.device))
            d_loss = _bce(self.d(real), self.ones) + _bce(self.d(fake.detach()), self.zeros)
        d_loss.backward()  # type: ignore[no-untyped-call]
        self.d_adam.step()
        self.g_adam.zero_grad()
        with frozen(self.d) if self.spare_gradients else nullcontext():
            with self.autocast():
                g_loss = _bce(self.d(fake), self.ones)
            g_loss.backward()  # type: ignore[no-untyped-call]
        self.g_adam.step()
        return d_loss.detach(), g_loss.detach()

    def sample(self, count: int, training: bool) -> Tensor:
        """uint8 pictures; batch norm with its running statistics, or those of each batch of 250."""
        self.g.train(training)
        latents = torch.randn(count, LATENT, 1, 1, generator=torch.Generator().manual_seed(1))
        device = self.pictures.device
        with torch.no_grad():
            made = torch.cat(
                [self.g(part.to(device)).float() for part in torch.split(latents, 250)]
            )
        self.g.train()
        return made.add(1).mul(127.5).round().clamp(0, 255).byte().cpu()

    def _batch(self) -> Tensor:
        if self.place % self.steps_per_epoch == 0:
            self.order = torch.randperm(len(self.pictures), device=self.pictures.device)
        place = self.place % self.steps_per_epoch * BATCH
        self.place += 1
        return self.pictures[self.order[place : place + BATCH]].float().div_(127.5).sub_(1)


def _bce(logits: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits.float(), target)
