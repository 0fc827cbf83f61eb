"""``python -m gansmith.metrics.convert_weights IN OUT``: Inception's weights, made safe to read.

The published weights are in a format that can carry instructions as well as numbers. This is the
one place that opens such a file, and only after its hash was found to be the published one. It runs
in a process of its own, with the loader that knows nothing but tensors, and writes safetensors.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor

from gansmith.data.cache import temporary
from gansmith.errors import GansmithError
from gansmith.metrics.inception import InceptionV3

WHOLE = torch.contiguous_format


def convert(source: Path, target: Path) -> None:
    """Write `source`, a PyTorch state dict, to `target` as safetensors: whole or not at all.

    The names are written in order, so that the file's hash says what the weights are.

    Raises:
        GansmithError: `source` holds anything but exactly the weights of InceptionV3.
    """
    try:
        found: object = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:  # what a stranger's file can set off is not to be foreseen
        raise GansmithError(
            f"{source} does not hold tensors alone ({type(error).__name__})"
        ) from None
    weights = _checked(source, found)
    content = save_tensors(
        {name: weights[name].clone(memory_format=WHOLE) for name in sorted(weights)}
    )
    with temporary(target) as unfinished:
        unfinished.write_bytes(content)


def _checked(source: Path, found: object) -> dict[str, Tensor]:
    if not isinstance(found, dict) or not all(type(t) is Tensor for t in found.values()):
        raise GansmithError(f"{source} holds something else than a table of tensors")
    with torch.device("meta"):
        expected = {name: _describe(t) for name, t in InceptionV3().state_dict().items()}
    actual = {name: _describe(tensor) for name, tensor in found.items()}
    for name in sorted({*expected, *actual}, key=str):
        if expected.get(name) != actual.get(name):
            raise GansmithError(
                f"{source} holds other weights than Inception's: of {name}, expected "
                f"{expected.get(name, 'nothing')}, found {actual.get(name, 'nothing')}"
            )
    return found


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def main(arguments: Sequence[str]) -> int:
    """Convert; says in a sentence on standard error what stood in the way, and returns 2."""
    try:
        source, target = map(Path, arguments)
        convert(source, target)
    except (GansmithError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
