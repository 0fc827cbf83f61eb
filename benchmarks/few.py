"""Few pictures: what does augmentation give, does it leak, are pictures copied?

    python -m benchmarks.few --source faces/ --minutes 15
    python -m benchmarks.few --source train.parquet --class cat --count 100 --minutes 15

`fast-few` as it is and with augment=none, same data, minutes and seed. A tenth of the pictures (at
least 20) is held out. Figures: KID of 2,000 generated pictures against all real ones of the source
(with --class: of that class, so most of them were never trained on), in the features of a classifier
of the source's labels (an untrained network where it has none; --inception for the standard one),
and the memorisation audit against the held-out ones, in an untrained network's: the classifier knows
the training pictures. Leaks: how far generated pictures are from real ones in mean brightness, in
contrast and in the share of flat squares (what cutout would leave), in standard deviations of the
real ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import gansmith
from benchmarks import record
from gansmith.data import Dataset, open_source, prepare
from gansmith.generate import load
from gansmith.imaging import grid, png_bytes
from gansmith.metrics.classifier import classifier_space
from gansmith.metrics.distances import Estimate, kid
from gansmith.metrics.evaluation import as_tensor
from gansmith.metrics.features import FeatureSpace, random_space
from gansmith.metrics.inception_weights import inception_space
from gansmith.metrics.memorisation import audit, pairs_picture

MADE = 2000


def choose(data: Dataset, name: str | None) -> Tensor:
    """uint8 (N, C, H, W): a class's pictures, or all."""
    if name is None:
        return data.values
    assert data.labels is not None
    return data.values[data.labels == (data.classes or []).index(name)]


def space_of(data: Dataset, inception: bool) -> FeatureSpace:
    if inception:
        return inception_space()
    if data.labels is not None and len(data.classes or ()) > 1:
        return classifier_space(data, say=print)
    return random_space(data.values.shape[1])


def distance(space: FeatureSpace, some: Tensor, others: Tensor) -> Estimate:
    return kid(space.embed(some).features, space.embed(others).features)


def leaks(made: Tensor, real: Tensor) -> dict[str, float]:
    """Each trait's mean over generated pictures, in the real ones' deviations from their mean."""
    found = {}
    for trait, of in {
        "brightness": lambda x: x.mean((1, 2, 3)),
        "contrast": lambda x: x.std((1, 2, 3)),
        "flat_squares": _flat,
    }.items():
        ours, theirs = of(made.float()), of(real.float())
        found[trait] = round(float((ours.mean() - theirs.mean()) / theirs.std().clamp(min=1e-6)), 3)
    return found


def _flat(x: Tensor) -> Tensor:
    """The share of 4×4 squares that are all but constant."""
    grey = x.mean(1, keepdim=True)
    deviation = F.avg_pool2d(grey**2, 4) - F.avg_pool2d(grey, 4) ** 2
    return (deviation < 1.0).float().mean((1, 2, 3))


def train(folder: Path, minutes: float, seed: int, **settings: Any) -> gansmith.Model:
    out = folder / ("with" if not settings else "without")
    done = gansmith.train(
        folder / "train.npy", recipe="fast-few", out=out, minutes=minutes, seed=seed, **settings
    )
    return load(done.run)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--class", dest="name")
    parser.add_argument("--count", type=int)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inception", action="store_true")
    parser.add_argument("--pictures", type=Path, help="a folder for sheets and pairs")
    options = parser.parse_args(arguments)
    data = prepare(open_source(options.source), height=None, width=None)
    real = choose(data, options.name)
    values = real[: options.count]
    name = "-".join(filter(None, (Path(options.source).stem, options.name)))
    order = torch.randperm(len(values), generator=torch.Generator().manual_seed(options.seed))
    held = max(20, len(values) // 10)
    unseen, known = values[order[:held]], values[order[held:]]
    space, untrained = space_of(data, options.inception), random_space(values.shape[1])
    result: dict[str, Any] = {
        "space": f"{space.name} {space.weights}",
        "pictures": len(values),
        "reference": len(real),
        "kid_of_trained_on": round(distance(space, known, real).value, 6),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "train.npy", known.permute(0, 2, 3, 1).numpy())
        for label, settings in (("augmented", {}), ("plain", {"augment": ()})):
            model = train(place, options.minutes, options.seed, **settings)
            made = as_tensor(model.generate(MADE, seed=1))
            result[label] = measure(made, real, known, unseen, space, untrained)
            print(label, result[label], flush=True)
            if options.pictures:
                draw(options.pictures, f"{name}-{label}", made, known, result[label].pop("pairs"))
            result[label].pop("pairs", None)
    kids = [result[label]["kid"] for label in ("augmented", "plain")]
    result["kid_augmented_over_plain"] = round(kids[0] / kids[1], 3)
    config = {"minutes": options.minutes, "seed": options.seed, "class": options.name, "made": MADE}
    print(result)
    print(record.write(f"few-{name}", config, result))


def measure(
    made: Tensor,
    real: Tensor,
    known: Tensor,
    unseen: Tensor,
    space: FeatureSpace,
    untrained: FeatureSpace,
) -> dict[str, Any]:
    found = distance(space, made, real)
    seen, held, ours = (untrained.embed(x).features for x in (known, unseen, made))
    copies = audit(seen, held, ours)
    return {
        "kid": round(found.value, 6),
        "kid_error": found.error,
        "leaks": leaks(made, real),
        "memorisation": copies.verdict,
        "near_duplicates": copies.near_duplicate_rate,
        "copies_found": copies.has_near_duplicates,
        "pairs": [(pair.made, pair.train) for pair in copies.closest],
    }


def draw(
    folder: Path, name: str, made: Tensor, known: Tensor, pairs: list[tuple[int, int]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sheet = made[:64].permute(0, 2, 3, 1).numpy()
    (folder / f"{name}.png").write_bytes(png_bytes(grid(sheet, 8)))
    ours, theirs = (list(places) for places in zip(*pairs, strict=True))
    picture = pairs_picture(made[ours], known[theirs])
    (folder / f"{name}-closest.png").write_bytes(png_bytes(picture))


if __name__ == "__main__":
    main()
