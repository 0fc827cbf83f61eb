"""gansmith: train GANs on what you have, and know what the result is worth.

result = gansmith.train("digits", minutes=2)
model = gansmith.load(result.run)
samples = model.generate(100, seed=7)   # samples.images: uint8 (100, 32, 32, 1)
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# torch's threads wait for each other by spinning. On a machine that does anything else besides, they
# spin while the one they wait for has no processor: a step was measured to take 10 times as long.
# So let them spin for some 0.1 ms and then sleep. OpenMP reads this when torch is first imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")

if TYPE_CHECKING:
    from gansmith.api import train
    from gansmith.assess import evaluate, worth
    from gansmith.config import Config, DataSpec
    from gansmith.errors import GansmithError
    from gansmith.generate import Model, Samples, load
    from gansmith.loop import TrainResult
    from gansmith.metrics.features import FeatureSpace, module_space
    from gansmith.metrics.protocol import Evaluation
    from gansmith.metrics.usefulness import Worth
    from gansmith.sharing import Exported, export
    from gansmith.synthetic import DatasetResult, write_dataset

__version__ = "0.1.0"
__all__ = [
    "Config",
    "DataSpec",
    "DatasetResult",
    "Evaluation",
    "Exported",
    "FeatureSpace",
    "GansmithError",
    "Model",
    "Samples",
    "TrainResult",
    "Worth",
    "evaluate",
    "export",
    "load",
    "module_space",
    "train",
    "worth",
    "write_dataset",
]

_HOMES = {
    "Config": "config",
    "DataSpec": "config",
    "DatasetResult": "synthetic",
    "Evaluation": "metrics.protocol",
    "Exported": "sharing",
    "FeatureSpace": "metrics.features",
    "GansmithError": "errors",
    "Model": "generate",
    "Samples": "generate",
    "TrainResult": "loop",
    "Worth": "metrics.usefulness",
    "evaluate": "assess",
    "export": "sharing",
    "load": "generate",
    "module_space": "metrics.features",
    "train": "api",
    "worth": "assess",
    "write_dataset": "synthetic",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch takes a second, and `gansmith --help` does not need it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gansmith' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"gansmith.{_HOMES[name]}"), name)
