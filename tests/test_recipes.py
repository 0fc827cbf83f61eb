from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gansmith.config import DataSpec
from gansmith.errors import GansmithError
from gansmith.models import build_networks
from gansmith.recipes import RECIPES, check_fit, choose, default_size, recipe
from tests.builders import pictures, points

FACTS = {
    # from the papers, tutorials and the book
    "dcgan": {
        "size": "64",
        "latent_size": 100,
        "latent": "normal",
        "generator_filters": 64,
        "discriminator_filters": 64,
        "lr": 2e-4,
        "d_lr": None,
        "beta1": 0.5,
        "beta2": 0.999,
        "batch_size": 128,
        "loss": "non-saturating",
        "batches": "separate",
        "init": "dcgan",
        "norm": "batch",
        "d_norm": None,
        "bn_scale": "learned",
        "augment": (),
        "label_smoothing": 0,
        "d_steps": 1,
        "r1": 0,
    },
    "dcgan-mxnet": {
        "size": "64",
        "latent_size": 100,
        "generator_filters": 128,
        "discriminator_filters": 128,
        "bn_scale": "fixed",
        "lr": 2e-4,
        "beta1": 0.5,
        "batch_size": 64,
        "init": "dcgan",
    },
    "dcgan-keras": {
        "model": "dcgan-keras",
        "latent_size": 100,
        "dropout": 0.4,
        "lr": 2e-4,
        "beta1": 0.5,
        "norm": "none",
        "loss": "non-saturating",
    },
    "few-images": {"size": "64", "latent_size": 64, "lr": 2e-3, "d_lr": 1e-3},
    "gan-1d": {"model": "mlp", "size": None, "norm": "none"},
    "dcgan-32": {"size": "32", "conditional": "auto"},
    "fast": {"model": "compact", "size": None, "conditional": "auto", "augment": ()},
    "fast-few": {"model": "compact", "size": None, "conditional": "auto", "augment_p": 0.8},
    "words": {"model": "words", "size": "32", "beta1": 0.0, "d_norm": "none", "reading": 2.0},
    "words-few": {"model": "words", "augment": ("affine",), "augment_p": 0.8, "copybook": "auto"},
}


def test_every_recipe_has_its_facts_here() -> None:
    assert set(FACTS) == set(RECIPES)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_says_what_its_source_says(name: str) -> None:
    a_config = recipe(name)
    assert a_config.recipe == name
    assert {key: getattr(a_config, key) for key in FACTS[name]} == FACTS[name]


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_recipe_is_explained_and_does_not_leak_augmentations_unasked(name: str) -> None:
    assert len(RECIPES[name].__doc__ or "") > 20
    a_config = recipe(name)
    assert not a_config.data.flip
    assert not a_config.data.affine
    assert a_config.augment_p <= 0.8 or not a_config.augment
    assert (
        sum(limit is not None for limit in (a_config.minutes, a_config.epochs, a_config.images))
        == 1
    )


def test_an_unknown_recipe_is_answered_with_the_list() -> None:
    with pytest.raises(GansmithError, match=r"dcgan-32.*few-images.*found 'dcgun'"):
        recipe("dcgun")


@pytest.mark.parametrize(
    ("kind", "count", "height", "width", "expected"),
    [
        ("points", 50_000, None, None, "gan-1d"),
        ("pictures", 1797, 8, 8, "fast"),
        ("pictures", 60_000, 28, 28, "fast"),
        ("pictures", 400, 112, 92, "fast-few"),
        ("pictures", 200_000, 218, 178, "fast"),
        ("pictures", 100, 28, 280, "fast-few"),
        ("words", 300, 32, 90, "words-few"),
        ("words", 1999, 32, 90, "words-few"),
        ("words", 2000, 32, 90, "words"),
    ],
)
def test_the_recipe_is_chosen_from_the_data_and_the_reason_is_said(
    kind: str, count: int, height: int | None, width: int | None, expected: str
) -> None:
    name, reason = choose(kind, count, height, width)
    assert name == expected
    assert reason


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["pictures", "points"]),
    st.integers(1, 10**6),
    st.one_of(st.none(), st.integers(1, 3000)),
    st.one_of(st.none(), st.integers(1, 3000)),
    st.sampled_from([None, "dcgan-keras"]),
)
def test_what_is_chosen_can_always_be_built(
    kind: str, count: int, height: int | None, width: int | None, asked: str | None
) -> None:
    name = asked if asked and kind == "pictures" else choose(kind, count, height, width)[0]
    a_config = recipe(name)
    a_config = a_config.with_(size=default_size(a_config, height, width))
    if kind == "points":
        spec: DataSpec = points()
        assert a_config.size is None
    else:
        spec = pictures(3, a_config.height, a_config.width)
    check_fit(a_config, spec)
    with torch.device("meta"):
        networks = build_networks(a_config, spec)
        made = networks.generator(torch.zeros(2, a_config.latent_size))
        assert made.shape == (2, *spec.shape)
        assert networks.discriminator(made).shape == (2,)


def test_the_keras_networks_take_the_books_sizes_unless_told_another() -> None:
    keras = recipe("dcgan-keras")
    assert default_size(keras, 28, 28) == "28"
    assert default_size(keras, 32, 32) == "32"
    assert default_size(keras, 300, 200) == "32"
    assert default_size(keras.with_(size="56x64"), 28, 28) == "56x64"


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (28, 28, "28"),
        (32, 32, "32"),
        (64, 64, "64"),
        (8, 8, "32"),
        (28, 23, "23x28"),
        (112, 92, "53x64"),
        (1080, 1920, "64x36"),
        (3000, 30, "8x64"),
        (None, None, "64"),
    ],
)
def test_fast_takes_the_datas_own_size_within_reason(
    height: int | None, width: int | None, expected: str
) -> None:
    assert default_size(recipe("fast"), height, width) == expected
    assert default_size(recipe("fast").with_(size="40"), height, width) == "40"


def test_networks_of_the_wrong_kind_are_refused_with_ones_that_fit() -> None:
    with pytest.raises(GansmithError, match="gan-1d"):
        check_fit(recipe("dcgan"), points())
    with pytest.raises(GansmithError, match="fast, dcgan or few-images"):
        check_fit(recipe("gan-1d"), pictures())
    check_fit(recipe("dcgan"), pictures())
    check_fit(recipe("gan-1d"), points())
