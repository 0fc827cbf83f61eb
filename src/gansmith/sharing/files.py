"""The forms that a generator is exported in. Each: a model and a place → how far it is from torch."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from gansmith.checkpoint import write_atomically
from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.sharing.program import as_tuple, trace

OPSET = 20


def write_onnx(model: Model, out: Path) -> float:
    """One file, weights and description in it, that onnxruntime was seen to run as torch does."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter wants it
    except ImportError:
        raise GansmithError("--to onnx needs onnx: pip install 'gansmith[onnx]'") from None
    program = trace(model)
    with _quiet():
        made = torch.onnx.export(
            program.exported,
            input_names=program.inputs,
            output_names=program.outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert made is not None
    content = made.model_proto
    content.producer_name = "gansmith"
    onnx.helper.set_model_props(content, description(model))
    onnx.checker.check_model(content)
    session = onnxruntime.InferenceSession(
        content.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    differs = program.deviation(
        lambda given: session.run(None, {name: value.numpy() for name, value in given.items()})
    )
    write_atomically(out, content.SerializeToString())
    return differs


def write_torch_export(model: Model, out: Path) -> float:
    """`torch.export.load` reads it, and no class of gansmith is needed to run it."""
    program = trace(model)
    buffer = io.BytesIO()
    with _quiet():
        torch.export.save(program.exported, buffer, extra_files=description(model))
        buffer.seek(0)
        again = torch.export.load(buffer).module()
    differs = program.deviation(lambda given: as_tuple(_without_gradients(again, given)))
    write_atomically(out, buffer.getvalue())
    return differs


def description(model: Model) -> dict[str, str]:
    """What whoever runs it has to know, by name."""
    spec, config = model.spec, model.config
    found = {
        "format": "gansmith-program-1",
        "recipe": config.recipe,
        "step": str(model.step),
        "latent": "uniform in [-1, 1]" if config.latent == "uniform" else "normal",
    }
    if spec.classes:
        found["classes"] = json.dumps(spec.classes, ensure_ascii=False)
    if spec.script is not None:
        found["alphabet"] = json.dumps(spec.script.alphabet, ensure_ascii=False)
    return found


def _without_gradients(module: torch.nn.Module, given: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        made: Tensor = module(**given)
    return made


@contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters warn of what is theirs to mend, and of packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
