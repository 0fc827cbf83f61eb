"""Sampling: image i of seed S is the same whatever the count, the batch or the machine's load."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gansmith import checkpoint
from gansmith.config import Config, DataSpec, build
from gansmith.errors import GansmithError
from gansmith.imaging import to_uint8
from gansmith.models import build_generator, draw_latent
from gansmith.packed import is_packed, read_packed
from gansmith.recipes import check_fit
from gansmith.runtime import Draw, derive_seed, pick_device

# Examples are made in blocks of this size, always whole: a convolution may sum in another order for
# another batch size, so that the last bit of a picture would depend on how many were asked for.
BLOCK = 16

WORDS = (
    "this generator writes words, and is to be told which: gansmith write RUN TEXT, or "
    "gansmith dataset RUN --lexicon FILE"
)

Labels = Sequence[int | str] | int | str | None


@dataclass(frozen=True)
class Samples:
    """``images`` uint8 (N, H, W, C), or for points float32 (N, D); ``labels`` int64 (N,) or None."""

    images: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)


class Model:
    """A trained generator: what `gansmith.load` returns."""

    def __init__(
        self,
        config: Config,
        spec: DataSpec,
        weights: dict[str, Tensor],
        step: int,
        device: str,
        digest: str | None = None,
    ):
        """`digest` is that of the data it was trained on, where it is known."""
        self.config, self.spec, self.step, self.digest = config, spec, step, digest
        self.device = pick_device(device)
        check_fit(config, spec)
        # Built without memory, then given the weights: what a description claims costs nothing
        # before the weights that came with it are seen to fit.
        try:
            with torch.device("meta"), _Unfilled():
                self.network = build_generator(config, spec)
            _require_fit(self.network, weights)
            # In the order in which files have them: a convolution's last bit depends on that.
            whole = {key: tensor.contiguous() for key, tensor in weights.items()}
            self.network.load_state_dict(whole, assign=True)
        except (RuntimeError, TypeError, OverflowError) as error:
            reason = str(error).splitlines()[0][:200]
            raise GansmithError(f"the weights do not fit the network: {reason}") from None
        self.network.to(self.device).eval().requires_grad_(False)

    def generate(self, n: int, *, seed: int = 0, labels: Labels = None) -> Samples:
        """`n` examples of `seed`. `labels` (names or numbers) repeat in turn until `n` is reached."""
        blocks = list(self.stream(n, seed=seed, labels=labels))
        shape = (0, *self.example_shape)
        images = [block.images for block in blocks] or [np.empty(shape, self.dtype)]
        chosen = [block.labels for block in blocks if block.labels is not None]
        return Samples(
            np.concatenate(images), np.concatenate(chosen) if chosen else None, self.spec.classes
        )

    def stream(
        self, n: int, *, seed: int = 0, labels: Labels = None, start: int = 0
    ) -> Iterator[Samples]:
        """The same examples in blocks, in flat memory; from number `start` on without those before."""
        if n < 0:
            raise GansmithError(f"n: expected a count of 0 or more, found {n}")
        if start < 0:
            raise GansmithError(f"start: expected a number of 0 or more, found {start}")
        if seed < 0:
            raise GansmithError(f"seed: expected 0 or more, found {seed}")
        if self.spec.kind == "words":
            raise GansmithError(WORDS)
        wanted = self.label_numbers(labels)
        for index, here in blocks_of(start, n, BLOCK):
            block = self._block(seed, index, wanted)
            kept = None if block.labels is None else block.labels[here]
            yield Samples(block.images[here], kept, self.spec.classes)

    @property
    def example_shape(self) -> tuple[int, ...]:
        channels, *place = self.spec.shape
        return (*place, channels)

    @property
    def dtype(self) -> type:
        return np.uint8 if self.spec.kind == "pictures" else np.float32

    def _block(self, seed: int, index: int, wanted: list[int] | None) -> Samples:
        latent, labels = self.draw(seed, index, wanted)
        numbers = None if labels is None else labels.numpy()
        return Samples(self.make(latent, labels), numbers, self.spec.classes)

    def draw(self, seed: int, index: int, wanted: list[int] | None) -> tuple[Tensor, Tensor | None]:
        """What a block of a seed's examples is made from: latents (BLOCK, Z), labels (BLOCK,)."""
        generator = torch.Generator().manual_seed(derive_seed(seed, Draw.GENERATE, index))
        latent = draw_latent(self.config, BLOCK, torch.device("cpu"), generator)
        return latent, self._labels(generator, index, wanted)

    @torch.no_grad()
    def make(self, latent: Tensor, labels: Tensor | None) -> np.ndarray:
        """Of BLOCK latents and labels, the examples (see `to_values`)."""
        device = self.device
        made = self.network(latent.to(device), None if labels is None else labels.to(device))
        return to_values(made, self.spec)

    def _labels(
        self, generator: torch.Generator, index: int, wanted: list[int] | None
    ) -> Tensor | None:
        """(BLOCK,) the labels asked for, in turn; random ones where none were."""
        if not self.spec.classes:
            return None
        if wanted is None:
            return torch.randint(self.spec.class_count, (BLOCK,), generator=generator)
        places = range(index * BLOCK, (index + 1) * BLOCK)
        return torch.tensor([wanted[place % len(wanted)] for place in places])

    def label_numbers(self, labels: Labels) -> list[int] | None:
        """Classes by number; None where none were asked for. Raises GansmithError."""
        labels = as_list(labels)
        if not labels:
            return None
        classes = self.spec.classes
        if not classes:
            raise GansmithError("labels: this generator was trained without labels and takes none")
        numbers = [_label_number(label, classes) for label in labels]
        unknown = [str(label) for label, n in zip(labels, numbers, strict=True) if n is None]
        if unknown:
            raise GansmithError(
                f"labels: expected {', '.join(classes[:20])}, found {', '.join(unknown)}"
            )
        return [number for number in numbers if number is not None]


def blocks_of(start: int, n: int, size: int) -> Iterator[tuple[int, slice]]:
    """The whole blocks in which numbers start … start + n - 1 lie, and which part of each they are."""
    for first in range(start - start % size, start + n if n else 0, size):
        yield first // size, slice(max(0, start - first), min(size, start + n - first))


def as_list(labels: Labels) -> list[int | str]:
    """One label is a list of one, none are an empty list."""
    if isinstance(labels, (int, str)):
        return [labels]
    return [] if labels is None else list(labels)


def load(path: str | Path, device: str = "auto") -> Model:
    """The generator of a run, of one of its checkpoints, or of a model folder, a packed one too.

    A run gives its newest: that of its last checkpoint where training went on after the model was
    written, or where the model is damaged. Raises GansmithError where nothing is whole.
    """
    pick_device(device)  # an absent one must not be taken for a damaged model
    folder = Path(path)
    if is_packed(folder):
        return from_files(read_packed(folder), folder, device)
    if (folder / "model.json").is_file():
        return _load_model(folder, device)
    if (folder / "state.json").is_file():
        return _from_checkpoint(checkpoint.load(folder), device)
    if not folder.is_dir():
        raise GansmithError(
            f"{folder}: expected a run, a checkpoint or a model folder, found nothing there"
        )
    checkpoints = folder / "checkpoints"
    steps = [checkpoint.step_of(path) for path in checkpoint.paths(checkpoints)]
    try:
        model = _load_model(folder / "model", device) if (folder / "model").is_dir() else None
    except GansmithError as error:
        if (saved := checkpoint.newest(checkpoints)) is None:
            raise
        checkpoint.say_aside(f"passing over a damaged model: {error}")
        return _from_checkpoint(saved, device)
    written = -1 if model is None else model.step
    saved = checkpoint.newest(checkpoints) if max(steps, default=-1) > written else None
    if saved is not None and saved.step > written:
        return _from_checkpoint(saved, device)
    if model is None:
        raise GansmithError(f"{folder}: expected a run with a checkpoint or a model, found neither")
    return model


def to_values(made: Tensor, spec: DataSpec) -> np.ndarray:
    """A network's output in the data's own terms: uint8 (N, H, W, C), words dark on white among
    them, or float32 points (N, D)."""
    if spec.kind == "pictures":
        return to_uint8(made)
    if spec.kind == "words":  # ink is 1 there, and paper 255 here
        return to_uint8(1 - 2 * made)
    points = made.float().cpu() * torch.tensor(spec.std) + torch.tensor(spec.mean)
    return points.numpy().astype(np.float32)


def _read_model(description: Any, weights: dict[str, Tensor], device: str, where: str) -> Model:
    """From the JSON beside a generator's weights, and these. Raises GansmithError."""
    try:
        if not isinstance(description["step"], int):
            raise ValueError("step is not a whole number")
        spec = DataSpec.model_validate(description["spec"])
        config = build(description["config"])
        digest = description.get("digest")
    except (KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise GansmithError(f"{where}: not a generator's description ({reason})") from None
    except GansmithError as error:
        raise GansmithError(f"{where}: {error}") from None
    known = digest if isinstance(digest, str) else None
    try:
        return Model(config, spec, weights, description["step"], device, known)
    except GansmithError as error:
        raise GansmithError(f"{where}: {error}") from None


def _load_model(folder: Path, device: str) -> Model:
    return from_files(checkpoint.read_folder(folder), folder, device)


def from_files(files: Mapping[str, bytes], folder: Path, device: str) -> Model:
    """Of a model folder's files in memory; `folder` is what errors name."""
    try:
        description = json.loads(files["model.json"])
        weights = load_tensors(files["model.safetensors"])
    except (KeyError, ValueError, RecursionError, SafetensorError) as error:
        raise GansmithError(f"{folder}: not a model that gansmith wrote ({error})") from None
    return _read_model(description, weights, device, str(folder))


def _from_checkpoint(saved: checkpoint.Checkpoint, device: str) -> Model:
    tensors = saved.tensors.get("model", {})
    weights = {key.removeprefix("ema."): t for key, t in tensors.items() if key.startswith("ema.")}
    return _read_model(dict(saved.state), weights, device, str(saved.path))


def _label_number(label: int | str, classes: tuple[str, ...]) -> int | None:
    """A number is a class's number; a text is a class's name, else its number."""
    if isinstance(label, int | np.integer):
        return int(label) if 0 <= label < len(classes) else None
    numbers = tuple(map(str, range(len(classes))))
    return next((n.index(str(label)) for n in (classes, numbers) if str(label) in n), None)


class _Unfilled(TorchFunctionMode):
    """Layers are built without filling them: for that, on the meta device, torch would import a
    second's worth of modules."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.normal_ or getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _require_fit(network: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Raise a TypeError that names the first weight that is not as expected: assigned weights keep
    their type, and one of another type would fail only when it is used."""
    expected = network.state_dict()
    if missing := sorted(expected.keys() - weights.keys()):
        raise TypeError(f"{missing[0]} is missing")
    if other := sorted(weights.keys() - expected.keys()):
        raise TypeError(f"{other[0][:80]!r} is none of its weights")
    for key, there in expected.items():
        wanted, found = (f"{str(t.dtype)[6:]} {tuple(t.shape)}" for t in (there, weights[key]))
        if wanted != found:
            raise TypeError(f"{key}: expected {wanted}, found {found}")
