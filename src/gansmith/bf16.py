"""Trust bf16 only where it was seen to be right.

With some builds of torch on processors with AMX, a bf16 convolution of certain shapes (stride 2
onto an output one pixel wide) reads memory that is not its own: the result is wrong by far more than
rounding, or not a number, without a warning. So every convolution's bf16 result and gradients are
compared with fp32 once, when a network is first built for a size; a layer that differs stays fp32.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
TOLERANCE = 0.05  # of the result's norm; bf16 rounding gives about 0.005


def keep_fp32_where_wrong(network: nn.Module, *example: Tensor | None) -> list[str]:
    """Run `network` on `example`, compare its convolutions, and keep the wrong ones in fp32.

    Returns the names of those layers.
    """
    inputs = _record_inputs(network, example)
    wrong = []
    for name, layer in network.named_modules():
        if name in inputs and not agrees(layer, inputs[name]):
            keep_fp32(layer)
            wrong.append(name)
    return wrong


def agrees(layer: nn.Module, x: Tensor) -> bool:
    """Whether bf16 and fp32 give one result and one gradient for `x`, within rounding."""
    exact = _forward_backward(layer, x, torch.float32)
    rounded = _forward_backward(layer, x, torch.bfloat16)
    return all(
        bool(((a - b).norm() <= TOLERANCE * a.norm() + 1e-6).item())
        for a, b in zip(exact, rounded, strict=True)
    )


def keep_fp32(layer: nn.Module) -> None:
    """Make `layer` compute in fp32 under any autocast."""
    forward = layer.forward

    def in_fp32(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            result: Tensor = forward(x.float())
            return result

    layer.forward = in_fp32


def _record_inputs(network: nn.Module, example: tuple[Tensor | None, ...]) -> dict[str, Tensor]:
    inputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(
            lambda _, args, name=name: inputs.__setitem__(name, args[0].detach())
        )
        for name, layer in network.named_modules()
        if isinstance(layer, CONVOLUTIONS)
    ]
    try:
        with torch.no_grad():
            network(*example)
    finally:
        for hook in hooks:
            hook.remove()
    return inputs


def _forward_backward(layer: nn.Module, x: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """The layer's output, and the gradients of its half squared norm in input and weight."""
    x = x.float().clone().requires_grad_()
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
        y = layer(x)
    weight = layer.get_parameter("weight")
    gradients = torch.autograd.grad(y.float().square().sum() / 2, (x, weight))
    return (y.detach().float(), *(g.float() for g in gradients))
