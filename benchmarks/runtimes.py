"""What a service could stand on: a generator's pictures by torch, and by onnxruntime, as ONNX.

    python -m benchmarks.runtimes RUN --pairs 7

Blocks of sixteen, as a service makes them, in this process, with as many threads each. By turns; the
figure is the median of the ratios of pictures a second.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

import gansmith
from benchmarks import record
from gansmith.generate import BLOCK
from gansmith.sharing import export


def rate(make: Callable[[], Any], seconds: float) -> float:
    """Pictures a second."""
    made, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        make()
        made += BLOCK
    return made / (time.perf_counter() - begun)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args(arguments)
    import onnxruntime

    model = gansmith.load(options.run, "cpu")
    latent, labels = model.draw(0, 0, model.label_numbers(None))
    with tempfile.TemporaryDirectory() as folder:
        export(options.run, Path(folder) / "model.onnx", to="onnx")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(Path(folder) / "model.onnx", settings)
    given = [tensor.numpy() for tensor in (latent, labels) if tensor is not None]
    inputs = {i.name: value for i, value in zip(session.get_inputs(), given, strict=True)}

    def by_torch() -> Any:
        return model.make(latent, labels)

    def by_onnx() -> Any:
        return np.asarray(session.run(None, inputs)[0])

    for make in (by_torch, by_onnx):
        rate(make, 1)
    pairs = [
        (rate(by_torch, options.seconds), rate(by_onnx, options.seconds))
        for _ in range(options.pairs)
    ]
    result = {
        "torch": round(median(a for a, _ in pairs)),
        "onnxruntime": round(median(b for _, b in pairs)),
        "median_of_ratios": round(median(b / a for a, b in pairs), 3),
        "least": round(min(b / a for a, b in pairs), 3),
        "most": round(max(b / a for a, b in pairs), 3),
    }
    print(result)
    config = {
        "run": options.run.name,
        "pairs": options.pairs,
        "threads": torch.get_num_threads(),
        "onnxruntime": onnxruntime.__version__,
    }
    print(record.write("runtimes", config, result))


if __name__ == "__main__":
    main()
