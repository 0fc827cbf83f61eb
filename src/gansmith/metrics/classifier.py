"""A small classifier, trained on a data set's own labels: a feature space for data of one's own.

Networks trained on photographs of everyday objects know little about digits, scans or parts on a
conveyor belt. This one knows the data at hand, costs a few minutes on two processor cores, and
says how well it knows them: figures in the space of a bad classifier mean little.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from torch import Tensor, nn

from gansmith.augment import augment as augmented
from gansmith.checkpoint import DamagedError, encode, read_folder, write_folder
from gansmith.data import Dataset, order
from gansmith.data.cache import cache_folder
from gansmith.ema import EMA
from gansmith.errors import GansmithError
from gansmith.metrics.convnet import ConvNet, new_network
from gansmith.metrics.features import AREA, FeatureSpace, evaluating, to_floats, weights_hash
from gansmith.runtime import Draw, derive_seed

Say = Callable[[str], None]
# Raise it whenever the same data would give another classifier than before.
CLASSIFIER_VERSION = 3
# From a step to a batch: uint8 (n, C, H, W) and labels int64 (n,).
Batches = Callable[[int], tuple[Tensor, Tensor]]

PEAK_LR, MOMENTUM, WEIGHT_DECAY, SMOOTHING = 0.1, 0.9, 5e-4, 0.05
RISE = 0.2  # of the steps until the learning rate is at its peak
BATCH = 128
# How many pictures a data set's classifier is shown (grey, colour), and how often one at most.
SHOWN, MOST_EPOCHS = (180_000, 320_000), 60
MOST_HELD_OUT = 5000


@dataclass(frozen=True)
class Classifier:
    """A trained network, uint8 (n, C, H, W) → features and logits, and how many classes it knows."""

    network: nn.Module
    classes: int

    def predict(self, pictures: Tensor, batch_size: int = 250) -> Tensor:
        """uint8 (N, C, H, W) → the likeliest class of each, int64 (N,)."""
        device = next(self.network.parameters()).device
        with torch.no_grad(), evaluating(self.network):
            parts = [
                self.network(part.to(device))[1].argmax(1).cpu()
                for part in torch.split(pictures, batch_size)
            ]
        return torch.cat(parts)

    def accuracy(self, pictures: Tensor, labels: Tensor) -> float:
        """The share of `pictures` (uint8 (N, C, H, W)) whose class is right."""
        return float((self.predict(pictures) == labels).double().mean())


@dataclass(frozen=True)
class ClassifierSpace(FeatureSpace):
    """The features of a classifier, and how good it is: its accuracy on `held_out` pictures."""

    held_out_accuracy: float = math.nan
    held_out: int = 0


def classifier_space(
    dataset: Dataset,
    *,
    seed: int = 0,
    cache_dir: Path | None = None,
    say: Say | None = None,
) -> ClassifierSpace:
    """The space of a classifier trained on `dataset` (its training split), kept in the cache.

    A twentieth of the pictures is left out, to measure the classifier by. Raises GansmithError for
    points, and where there are no labels.
    """
    labels, classes = _labels(dataset)
    say = say or (lambda _: None)
    entry = cache_folder(cache_dir) / "classifiers" / _key(dataset, labels, seed)
    known = _load(entry, int(dataset.values.shape[1]), classes)
    if known is None:
        trained, accuracy, held_out = _fit_on(dataset, labels, classes, seed, say)
        record = {"held_out_accuracy": accuracy, "held_out": held_out, "data": dataset.name}
        files = {
            "weights.safetensors": encode(trained.network.state_dict()),
            "classifier.json": json.dumps(record, indent=1).encode(),
        }
        try:
            write_folder(entry, files)
        except OSError as error:  # no reason to lose the minutes it took
            say(f"can't keep the classifier in {entry} ({error.strerror or error})")
        known = _space(trained.network, accuracy, held_out)
    if known.held_out:
        right = f"{known.held_out_accuracy:.1%} of {known.held_out:,} pictures"
        say(f"the classifier is right on {right} it was not trained on")
    return known


def fit(
    pictures: Tensor,
    labels: Tensor,
    classes: int,
    *,
    steps: int,
    batch_size: int = BATCH,
    seed: int = 0,
    augment: tuple[str, ...] = (),
    device: str | torch.device = "cpu",
    say: Say | None = None,
) -> Classifier:
    """Train a classifier; on one processor and thread count, a function of the arguments alone.

    Args:
        pictures: uint8 (N, C, H, W).
        labels: int64 (N,), each below `classes`.
        classes: how many classes there are, at least 2.
        steps: how many batches to train.
        batch_size: pictures a batch; they come round again where there are fewer.
        seed: of the first weights, the order and the augmentation.
        augment: kinds of `gansmith.augment`, applied to every picture.
        device: where to train.
        say: is told how far it is, now and then.
    """
    check_labelled(pictures, labels, classes)
    shape = (int(pictures.shape[1]), classes)
    feed = batches_of(pictures, labels, batch_size, seed)
    return train(feed, *shape, steps=steps, seed=seed, augment=augment, device=device, say=say)


def batches_of(
    pictures: Tensor,
    labels: Tensor,
    batch_size: int,
    seed: int,
    places: Tensor | None = None,
) -> Batches:
    """Batches of those at `places` (all if None) in the order `seed` gives, epoch after epoch."""
    places = torch.arange(len(labels)) if places is None else places

    def batch(step: int) -> tuple[Tensor, Tensor]:
        drawn = places[torch.from_numpy(order(len(places), seed, step * batch_size, batch_size))]
        return pictures[drawn], labels[drawn]

    return batch


def train(
    batches: Batches,
    channels: int,
    classes: int,
    *,
    steps: int,
    seed: int,
    augment: tuple[str, ...] = (),
    device: str | torch.device = "cpu",
    say: Say | None = None,
) -> Classifier:
    """Train on `batches`; as `fit`, for any mixture of data.

    Nesterov's momentum under a learning rate that rises and falls linearly to zero (Smith & Topin
    2018), smoothed labels (Szegedy et al. 2016, §7), and an average of the last weights.
    """
    with _own_randomness(derive_seed(seed, Draw.CLASSIFIER)), torch.enable_grad():
        network = new_network(channels, classes).to(device).train()
        optimizer = torch.optim.SGD(_groups(network), lr=PEAK_LR, momentum=MOMENTUM, nesterov=True)
        average = EMA(network, math.inf, 1)
        for step in range(steps):
            pictures, labels = batches(step)
            loss = _loss(network, pictures, labels.to(device), augment)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            _set_lr(optimizer, PEAK_LR * _share(step, steps))
            optimizer.step()
            average.update(network, step + 1)
            if say and (step + 1) % max(1, steps // 10) == 0:
                say(f"training the classifier: step {step + 1:,} of {steps:,}, loss {loss:.3f}")
    trained = average.network
    if not all(bool(t.isfinite().all()) for t in trained.state_dict().values()):
        raise GansmithError("the classifier's training gave numbers that are not finite")
    return Classifier(trained, classes)


def check_labelled(pictures: Tensor, labels: Tensor, classes: int) -> None:
    """Raise GansmithError unless these can be learned from."""
    if pictures.dtype != torch.uint8 or pictures.dim() != 4 or len(pictures) != len(labels):
        raise GansmithError(
            "expected pictures as uint8 (N, C, H, W) and a label each, but found "
            f"{str(pictures.dtype).removeprefix('torch.')} {tuple(pictures.shape)} and "
            f"{len(labels):,} labels"
        )
    if classes < 2 or not len(labels) or int(labels.min()) < 0 or int(labels.max()) >= classes:
        found = f"{int(labels.min())} to {int(labels.max())}" if len(labels) else "none"
        raise GansmithError(
            f"expected labels of at least 2 classes, from 0 to {classes - 1}, but found {found}; "
            "a classifier needs labelled pictures of several kinds"
        )


def _fit_on(
    dataset: Dataset, labels: Tensor, classes: int, seed: int, say: Say
) -> tuple[Classifier, float, int]:
    """A classifier, its accuracy on pictures it never saw, and how many those were."""
    count, channels = len(labels), int(dataset.values.shape[1])
    held_out = min(max(count // 20, 100), count // 5, MOST_HELD_OUT)
    places = torch.from_numpy(order(count, derive_seed(seed, Draw.CLASSIFIER, 1), 0, count))
    learned, unseen = places[held_out:], places[:held_out]
    shown = min(SHOWN[channels > 1], MOST_EPOCHS * len(learned))
    trained = train(
        batches_of(dataset.values, labels, BATCH, seed, learned),
        channels,
        classes,
        steps=-(-shown // BATCH),
        seed=seed,
        augment=("flip", "affine") if channels > 1 else ("affine",),
        say=say,
    )
    right = trained.accuracy(dataset.values[unseen], labels[unseen]) if held_out else math.nan
    return trained, right, held_out


def _labels(dataset: Dataset) -> tuple[Tensor, int]:
    if dataset.kind != "pictures" or dataset.labels is None or dataset.classes is None:
        found = "points" if dataset.kind != "pictures" else "no labels"
        raise GansmithError(
            f"a classifier needs labelled pictures, but {dataset.name} has {found}; "
            "use another feature space"
        )
    check_labelled(dataset.values, dataset.labels, len(dataset.classes))
    return dataset.labels, len(dataset.classes)


def _key(dataset: Dataset, labels: Tensor, seed: int) -> str:
    """One for each classifier that could be trained. A part of a data set has its digest too."""
    ids = hashlib.sha256(labels.numpy().tobytes()).hexdigest()
    shape = list(dataset.values.shape)
    identity = [CLASSIFIER_VERSION, dataset.digest, shape, ids, dataset.classes, seed]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _load(entry: Path, channels: int, classes: int) -> ClassifierSpace | None:
    """What is kept there; None if that is nothing or damaged."""
    try:
        with _own_randomness(0):
            network = new_network(channels, classes)
        files = read_folder(entry)
        network.load_state_dict(load_tensors(files["weights.safetensors"]))
        record = json.loads(files["classifier.json"])
        return _space(network, float(record["held_out_accuracy"]), int(record["held_out"]))
    except (DamagedError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError):
        return None


def _space(network: nn.Module, accuracy: float, held_out: int) -> ClassifierSpace:
    return ClassifierSpace(
        name="classifier",
        weights=weights_hash(network.state_dict())[:16],
        resize=AREA,
        network=network.eval().requires_grad_(False),
        held_out_accuracy=accuracy,
        held_out=held_out,
    )


def _loss(network: ConvNet, pictures: Tensor, labels: Tensor, kinds: tuple[str, ...]) -> Tensor:
    x = to_floats(pictures)
    if kinds:  # on the processor still, whose random numbers alone are seeded here
        x = augmented(x, kinds, p=1.0)
    _, logits = network.classify(x.to(labels.device))
    return F.cross_entropy(logits, labels, label_smoothing=SMOOTHING)


def _groups(network: nn.Module) -> list[dict[str, object]]:
    """Weights decay, biases and batch norm's scales do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]


def _share(step: int, steps: int) -> float:
    """Of the peak learning rate: up over the first `RISE` of the steps, then down to zero."""
    done = (step + 1) / (steps + 1)
    return min(done / RISE, (1 - done) / (1 - RISE))


def _set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Draw from `seed` here, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
