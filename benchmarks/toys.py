"""Does the `gan-1d` recipe learn a curve and find every mode?

    python -m benchmarks.toys

2,000 points of each generator against the formula the data were drawn from, over several seeds.
Protocol: `parabola`: median distance to the curve (x, x²). `ring`: a mode counts as found where it
gets at least a quarter of its fair share of the points within ten standard deviations (0.2).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

import gansmith
from benchmarks import record
from gansmith.data.toy import ring_centres

POINTS = 2000


def distance_to_parabola(points: np.ndarray) -> float:
    x = np.linspace(-1.5, 1.5, 6001)
    curve = np.stack([x, x * x], 1)
    nearest = [np.linalg.norm(curve - point, axis=1).min() for point in points]
    return float(np.median(nearest))


def modes_found(points: np.ndarray) -> int:
    distances = np.linalg.norm(points[:, None] - ring_centres()[None], axis=2)
    near = distances.argmin(1)[distances.min(1) < 0.2]
    counts = np.bincount(near, minlength=8)
    return int((counts >= len(points) / 8 / 4).sum())


def train(source: str, seed: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        result = gansmith.train(source, out=Path(folder) / "run", seed=seed)
        return gansmith.load(result.run).generate(POINTS, seed=1).images


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args(arguments).seeds)
    result = {
        "parabola_median_distance": [
            round(distance_to_parabola(train("parabola", seed)), 4) for seed in seeds
        ],
        "ring_modes_of_8": [modes_found(train("ring", seed)) for seed in seeds],
    }
    print(result)
    print(record.write("toys", {"recipe": "gan-1d", "points": POINTS, "seeds": len(seeds)}, result))


if __name__ == "__main__":
    main()
