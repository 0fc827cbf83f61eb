"""The players: networks, optimisers, average, odds of augmentation; all of it as tensors and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gansmith.ada import Odds
from gansmith.config import Config, DataSpec
from gansmith.ema import EMA
from gansmith.errors import GansmithError
from gansmith.models import build_networks
from gansmith.reader import Reader
from gansmith.runtime import Draw, derive_seed

Tensors = dict[str, Tensor]


@dataclass
class Players:
    generator: nn.Module
    discriminator: nn.Module
    ema: EMA
    g_optimizer: torch.optim.Optimizer
    d_optimizer: torch.optim.Optimizer
    odds: Odds
    reader: Reader | None = None  # in games of words

    @classmethod
    def create(
        cls, config: Config, spec: DataSpec, device: torch.device, attempt: int = 0
    ) -> Players:
        """Fresh players; the same seed and attempt give the same weights on every machine."""
        torch.manual_seed(derive_seed(config.seed, Draw.WEIGHTS, *([attempt] if attempt else [])))
        networks = build_networks(config, spec)
        generator = networks.generator.to(device)
        discriminator = networks.discriminator.to(device)
        return cls(
            generator,
            discriminator,
            EMA(generator, config.ema_kimg, config.batch_size),
            adam(generator, config.lr, config),
            adam(discriminator, config.d_lr or config.lr, config),
            Odds(config, device),
            Reader(config, spec, device) if spec.script else None,
        )

    def renew(self, config: Config, spec: DataSpec, attempt: int) -> None:
        """Become fresh players, optimisers included: nothing of what went wrong stays."""
        device = next(self.generator.parameters()).device
        self.__dict__ |= Players.create(config, spec, device, attempt).__dict__

    def set_rates(self, config: Config, share: float) -> None:
        """Learning rates for a run of which `share` (0 to 1) is done."""
        left = min(1.0, (1 - share) / config.lr_decay) if config.lr_decay else 1.0
        rates = [(self.g_optimizer, config.lr), (self.d_optimizer, config.d_lr or config.lr)]
        if self.reader:
            rates.append((self.reader.optimizer, config.recogniser_lr))
        for optimizer, lr in rates:
            for group in optimizer.param_groups:
                group["lr"] = lr * left

    @property
    def outweighs(self) -> float:
        """How many times the generator's weights the discriminator has."""
        d, g = (
            sum(p.numel() for p in n.parameters()) for n in (self.discriminator, self.generator)
        )
        return d / g

    def tensors(self) -> dict[str, Tensors]:
        """All state that is tensors, by checkpoint file."""
        moments = _prefixed((n, optimizer_tensors(o)) for n, o in self.optimizers.items())
        numbers = {"odds.p": self.odds.p}
        if self.reader:
            numbers["reader.loss"] = self.reader.loss
        return {
            "model": _prefixed((name, n.state_dict()) for name, n in self.networks.items()),
            "train_state": {**moments, **numbers},
        }

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All that have weights, by the names they have in checkpoints."""
        found = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "ema": self.ema.network,
        }
        return found | ({"recogniser": self.reader.network} if self.reader else {})

    @property
    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """The same of what trains them."""
        found = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        return found | ({"r_optimizer": self.reader.optimizer} if self.reader else {})

    def restore(self, files: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take over the tensors of a checkpoint. GansmithError where they are another network's."""
        try:
            for name, network in self.networks.items():
                network.load_state_dict(_part(files["model"], name))
            for name, optimizer in self.optimizers.items():
                load_optimizer(optimizer, _part(files["train_state"], name))
            if self.reader:
                self.reader.loss.copy_(files["train_state"]["reader.loss"])
            if self.odds.adaptive:  # constant ones are the configuration's
                self.odds.p.copy_(files["train_state"]["odds.p"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise GansmithError(
                f"the checkpoint does not fit this configuration: {error}"
            ) from None

    @staticmethod
    def average_of(files: Mapping[str, Mapping[str, Tensor]]) -> Tensors:
        """The averaged generator's weights, of a checkpoint's tensors."""
        return _part(files["model"], "ema")

    def all_finite(self) -> bool:
        """Whether every weight and running statistic is a number."""
        states = self.networks.values()
        floats = [t for n in states for t in n.state_dict().values() if t.is_floating_point()]
        # One reduction a tensor and one wait for the device in all.
        return bool(torch.stack([torch.isfinite(t).all() for t in floats]).all())


def adam(network: nn.Module, lr: float, config: Config) -> torch.optim.Adam:
    parameters: list[Tensor] = [p for p in network.parameters() if p.requires_grad]
    fused = parameters[0].device.type in ("cuda", "cpu")
    return torch.optim.Adam(parameters, lr, (config.beta1, config.beta2), fused=fused)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """Adam's moments and counters, keyed ``<parameter number>.<name>``."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`; rates and betas stay as configured."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    if sorted(state) not in ([], list(range(len(parameters)))):
        raise ValueError(f"expected moments of {len(parameters)} weights, found {len(state)}")
    for number, values in state.items():
        parameter = parameters[number]
        if any(v.dim() and v.shape != parameter.shape for v in values.values()):
            raise ValueError(f"the moments of weight {number} have another shape than it")
        # Laid out in memory as the weight is: fused Adam goes through both in that order.
        state[number] = {
            name: torch.empty_like(parameter, dtype=v.dtype).copy_(v) if v.dim() else v
            for name, v in values.items()
        }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def clip(network: nn.Module, longest: float) -> Tensor:
    """Shorten the gradient of `network` to `longest` (0: never); 1 where it was longer, else 0."""
    weights = [p for p in network.parameters() if p.grad is not None]
    if not longest:
        return weights[0].new_zeros(())
    return (nn.utils.clip_grad_norm_(weights, longest) > longest).float()


def _prefixed(parts: Iterable[tuple[str, Mapping[str, Tensor]]]) -> Tensors:
    return {f"{prefix}.{key}": t for prefix, tensors in parts for key, t in tensors.items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    start = prefix + "."
    return {key.removeprefix(start): t for key, t in tensors.items() if key.startswith(start)}
