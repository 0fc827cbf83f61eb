"""Is what a generator makes what it was asked for? A reader that never saw it is the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import SVC

import gansmith
from gansmith.data import open_source, prepare


@pytest.mark.slow
def test_a_reader_trained_on_real_digits_reads_generated_ones(tmp_path: Path) -> None:
    """About what `make run` trains in two minutes on two quiet cores."""
    real = prepare(open_source("digits"), height=32, width=32)
    images, labels = real.values.numpy().reshape(len(real), -1) / 255, real.labels.numpy()
    held_out = np.arange(len(real)) % 5 == 0
    reader = SVC(C=10).fit(images[~held_out], labels[~held_out])
    assert reader.score(images[held_out], labels[held_out]) > 0.97

    result = gansmith.train("digits", out=tmp_path / "run", images=80_000)
    made = gansmith.load(result.run).generate(500, seed=1)
    read = reader.predict(made.images.reshape(500, -1) / 255)
    assert (read == made.labels).mean() > 0.8
    # Many hands, not one picture a class: real digits differ from their class's mean about as much.
    spread = [_spread(made.images[made.labels == k] / 255) for k in range(10)]
    usual = [_spread(images[labels == k]) for k in range(10)]
    assert np.mean(spread) > 0.5 * np.mean(usual)


def _spread(pictures: np.ndarray) -> float:
    flat = pictures.reshape(len(pictures), -1)
    return float(np.sqrt(((flat - flat.mean(0)) ** 2).sum(1)).mean())
