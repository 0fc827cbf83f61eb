"""The run folder: where everything a run writes goes, and the only place that writes it.

config.json  metrics.jsonl  log.txt  samples/  checkpoints/  model/  report.html  tensorboard/
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from gansmith import checkpoint
from gansmith.config import Config, DataSpec, from_json
from gansmith.errors import GansmithError
from gansmith.imaging import grid, png_bytes

RESUME = "checkpoints already there are intact: make room or permission, then --resume"
TIMES = (
    "seconds",
    "images_per_second",
    "evaluation_seconds",
)  # the only figures that may differ between equal runs


class RunFolder:
    """Paths and writers of one run. Use `locked()` around anything that writes."""

    def __init__(self, path: Path):
        self.path = path
        self.config_file = path / "config.json"
        self.metrics_file = path / "metrics.jsonl"
        self.log_file = path / "log.txt"
        self.samples = path / "samples"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.report = path / "report.html"
        self.tensorboard = path / "tensorboard"

    @property
    def exists(self) -> bool:
        return self.config_file.exists() or self.checkpoints.exists()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; a second process gets a GansmithError that names the first."""
        holder = self.path / ".holder"
        with clear_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                raise GansmithError(
                    f"{self.path} is in use by {_read(holder) or 'another process'}; "
                    "wait for it, stop it, or choose another --out"
                ) from None
            try:
                holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
                for folder in (self.path, self.checkpoints, self.samples):
                    checkpoint.clean(folder)
                yield
            finally:
                holder.unlink(missing_ok=True)
                lock.release()

    def read_config(self) -> Config:
        try:
            text = self.config_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise GansmithError(
                f"{self.path}: expected a run with a config.json ({error})"
            ) from None
        return from_json(text, str(self.config_file))

    def write_config(self, config: Config) -> None:
        checkpoint.write_atomically(self.config_file, config.to_json().encode())

    def say(self, line: str) -> None:
        """Append to the run's own log."""
        with self.log_file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def append(self, record: Mapping[str, Any]) -> None:
        """One line of metrics.jsonl, in one write: a kill leaves whole lines or one cut short."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """Every whole record; a line cut short by a kill is left out."""
        return list(_records(self.metrics_file))

    def rewind(self, step: int) -> None:
        """Forget what was written after `step`, to be written again."""
        lines = [json.dumps(record) for record in self.records() if record["step"] <= step]
        text = "".join(line + "\n" for line in lines)
        checkpoint.write_atomically(self.metrics_file, text.encode())
        for sample in self.samples.glob("step-*"):
            number = sample.stem.removeprefix("step-")
            if number.isdecimal() and int(number) > step:
                sample.unlink()
        # Damaged ones, or they would be resumed from; kept, they would crowd out whole ones.
        for path in checkpoint.paths(self.checkpoints):
            if checkpoint.step_of(path) > step:
                shutil.rmtree(path, ignore_errors=True)

    def write_samples(self, name: str, values: np.ndarray, columns: int | None = None) -> Path:
        """Pictures (N, H, W, C) as a sheet NAME.png, points (N, D) as NAME.npy."""
        self.samples.mkdir(exist_ok=True)
        if values.ndim == 4:
            path, content = self.samples / f"{name}.png", png_bytes(grid(values, columns))
        else:
            path, content = self.samples / f"{name}.npy", _npy_bytes(values)
        checkpoint.write_atomically(path, content)
        return path

    def write_model(
        self, config: Config, spec: DataSpec, weights: Any, step: int, digest: str | None = None
    ) -> None:
        """The slim final generator; `digest` is that of the data it was trained on."""
        checkpoint.write_folder(self.model, model_files(config, spec, weights, step, digest))

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def model_files(
    config: Config, spec: DataSpec, weights: Any, step: int, digest: str | None
) -> dict[str, bytes]:
    """A model folder's files: weights, and what is needed to build the network they belong to."""
    description = {
        "format": "gansmith-generator-1",
        "step": step,
        "config": config.model_dump(mode="json"),
        "spec": spec.model_dump(mode="json"),
        "digest": digest,
    }
    return {
        "model.safetensors": checkpoint.encode(weights),
        "model.json": json.dumps(description, indent=1).encode(),
    }


def free_folder(parent: Path, stem: str) -> RunFolder:
    """parent/stem-001, or the first number not taken."""
    number = 1
    while (parent / f"{stem}-{number:03d}").exists():
        number += 1
    return RunFolder(parent / f"{stem}-{number:03d}")


@contextmanager
def clear_errors(path: Path, advice: str = RESUME) -> Iterator[None]:
    """An operating system's refusal, in a sentence. What is complete on disk stays as it is."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise GansmithError(
            f"can't write to {error.filename or path}: {reason}; {advice}"
        ) from error


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and _is_step(record.get("step")):
            yield record


def _is_step(value: object) -> bool:
    """Whether it counts steps in 64 bits; `True` is no count, though an int."""
    return type(value) is int and 0 <= value < 2**63


def _npy_bytes(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
