"""What a run would be, before it is one: the networks layer by layer, and the memory they take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import torch
from torch import Tensor, nn

from gansmith.bf16 import keep_fp32_where_wrong
from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.models import build_networks, build_recogniser, example_inputs, tracing
from gansmith.players import Players
from gansmith.runtime import Precision, pick_device
from gansmith.stream import Stream

FLOAT = 4  # bytes


@dataclass(frozen=True)
class Layer:
    kind: str
    shape: tuple[int, ...]  # of its output, without the batch
    parameters: int


@dataclass(frozen=True)
class Summary:
    """The networks' layers, and `memory`, the bytes a training step is estimated to need."""

    generator: list[Layer]
    discriminator: list[Layer]
    memory: int
    recogniser: list[Layer] = field(default_factory=list)  # of words

    @property
    def parameters(self) -> tuple[int, ...]:
        """Of the generator, of the discriminator and, for words, of the recogniser."""
        networks = [self.generator, self.discriminator, self.recogniser]
        return tuple(sum(layer.parameters for layer in n) for n in networks if n)


def summarise(config: Config, spec: DataSpec) -> Summary:
    """Trace both networks on torch's meta device: shapes without memory or arithmetic."""
    try:
        with tracing(spec):
            networks = build_networks(config, spec)
            latent, example, labels = example_inputs(config, spec)
            g = _trace(networks.generator.eval(), latent, labels)
            d = _trace(networks.discriminator.eval(), example, labels)
            r = []
            if spec.script and labels is not None:
                r = _trace(build_recogniser(config, spec).eval(), example, labels[:, 0])
    except RuntimeError as error:  # more weights than can be counted
        raise GansmithError(f"the networks are too large: {error}; use fewer filters") from None
    return Summary(g, d, _memory(g, d + r, config), r)


def memory_free(device: torch.device) -> int:
    """Bytes that are free for a run now."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return int(psutil.virtual_memory().available)


def guard_bf16(players: Players, stream: Stream, precision: Precision) -> list[str]:
    """Keep in fp32 the layers whose bf16 is wrong here; returns their names."""
    if precision.name != "bf16":
        return []
    batch = stream.reference(stream.config.batch_size)
    latent = torch.randn(len(batch.real), stream.config.latent_size, device=stream.device)
    networks: list[tuple[nn.Module, Tensor, Tensor | None]] = [
        (players.generator, latent, stream.relabelled(latent, batch.labels)),
        (players.discriminator, batch.real, batch.labels),
    ]
    if players.reader and batch.labels is not None:
        networks.append((players.reader.network, batch.real, batch.labels[:, 0]))
    wrong = []
    for network, x, labels in networks:
        wrong += keep_fp32_where_wrong(network.eval(), x, labels)
        network.train()
    return wrong


@contextmanager
def explain_memory(config: Config, spec: DataSpec) -> Iterator[None]:
    """Turn running out of memory into a sentence with the batch, the need and a smaller batch."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        needed = readable(summarise(config, spec).memory)
        free = readable(memory_free(pick_device(config.device)))
        smaller = max(2, config.batch_size // 2)
        raise GansmithError(
            f"out of memory with batch_size {config.batch_size} (a step needs about {needed}, "
            f"{free} are free); try --set batch_size={smaller}, or a smaller size or fewer filters"
        ) from error


def readable(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit in ("B", "KiB") else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's CPU allocator raises a plain RuntimeError and says so only in words.
    words = ("can't allocate memory", "out of memory", "not enough memory")
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or any(
        w in str(error) for w in words
    )


def _trace(network: nn.Module, x: Tensor, labels: Tensor | None) -> list[Layer]:
    """torch's own layers, and ours that are kinds of them, in the order they run."""
    layers: list[Layer] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        parameters = sum(p.numel() for p in module.parameters(recurse=False))
        layers.append(Layer(_kind(module), tuple(output.shape[1:]), parameters))

    hooks = [m.register_forward_hook(note) for m in network.modules() if _counts(m)]
    try:
        network(x, labels)
    finally:
        for hook in hooks:
            hook.remove()
    return layers


def _counts(module: nn.Module) -> bool:
    """Whether it is a layer to show: one that has weights of its own, or one of torch's kinds."""
    has_weights = any(True for _ in module.parameters(recurse=False))
    return has_weights or (_of_torch(module) is not nn.Module and not list(module.children()))


def _kind(module: nn.Module) -> str:
    """The name of torch's class that it is, or is derived from; its own where that is no layer."""
    of_torch = _of_torch(module)
    return (type(module) if of_torch is nn.Module else of_torch).__name__


def _of_torch(module: nn.Module) -> type:
    return next(c for c in type(module).__mro__ if c.__module__.startswith("torch.nn"))


def _memory(g: list[Layer], d: list[Layer], config: Config) -> int:
    """Weights, gradients and Adam's two moments, the average, and what backward keeps.

    Backward keeps every layer's output: the generator's once, the discriminator's for real and for
    fake; while it runs, gradients take about as much again.
    """
    weights_g, weights_d = (sum(layer.parameters for layer in n) for n in (g, d))
    kept_g, kept_d = (sum(torch.Size(layer.shape).numel() for layer in n) for n in (g, d))
    activations = 2 * config.batch_size * (kept_g + 2 * kept_d)
    return FLOAT * (5 * weights_g + 4 * weights_d + activations)
