from __future__ import annotations

import hashlib

import pytest
import torch
from torch import Tensor, nn

from gansmith.data import open_source, prepare
from gansmith.errors import GansmithError
from gansmith.metrics.features import (
    FeatureSpace,
    RandomFeatures,
    module_space,
    random_space,
    to_floats,
    weights_hash,
)


def pictures(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)


class Means(nn.Module):
    """Each channel's mean, and that as logits too if asked for."""

    def __init__(self, logits: bool = False):
        super().__init__()
        self.logits = logits
        self.seen: list[int] = []

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen.append(len(x))
        features = x.double().mean((2, 3))
        return (features, features) if self.logits else features


@pytest.mark.parametrize("count", [1, 3, 4, 7, 8])
def test_pictures_are_shown_in_batches_and_come_back_in_order(count: int) -> None:
    x, network = pictures(count, 3, 6, 5), Means()
    space = FeatureSpace("means", "", "none", network, batch_size=4)
    found = space.embed(x)
    assert torch.equal(found.features, x.double().mean((2, 3)).float())
    assert found.features.dtype == torch.float32
    assert found.probabilities is None
    assert sum(network.seen) == len(found) == count
    assert max(network.seen) <= 4


def test_logits_become_probabilities() -> None:
    x = pictures(9, 3, 4, 4)
    found = module_space(Means(logits=True)).embed(x).probabilities
    assert found is not None
    exponentials = x.double().mean((2, 3)).exp()
    expected = exponentials / exponentials.sum(1, keepdim=True)
    assert torch.allclose(found.double(), expected, atol=1e-6)
    assert torch.allclose(found.sum(1), torch.ones(9))


def test_embedding_leaves_the_networks_modes_as_they_were() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 2), nn.BatchNorm1d(2))
    network[2].eval()
    before = weights_hash(network.state_dict())
    module_space(network, takes="float").embed(pictures(5, 3, 2, 2))
    assert [m.training for m in network] == [True, True, False]
    assert weights_hash(network.state_dict()) == before


def test_a_module_may_take_floats() -> None:
    found = module_space(nn.Flatten(), "pixels", takes="float")
    x = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
    assert torch.equal(found.embed(x).features, torch.tensor([[-1.0, 1.0]]))
    assert (found.name, found.resize) == ("pixels", "none")
    assert module_space(nn.Flatten()).name == "Flatten"
    with pytest.raises(GansmithError, match="'uint8' or 'float', found 'bytes'"):
        module_space(nn.Flatten(), takes="bytes")


def test_what_is_no_picture_or_no_feature_is_refused() -> None:
    space = random_space(1)
    for wrong in (torch.zeros(2, 1, 8, 8), pictures(4, 8, 8), pictures(0, 1, 8, 8)):
        with pytest.raises(GansmithError, match="uint8"):
            space.embed(wrong)

    class Sum(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum()

    with pytest.raises(GansmithError, match="Sum to give one row"):
        module_space(Sum()).embed(pictures(2, 1, 8, 8))


def test_the_hash_is_of_the_safetensors_bytes_and_not_of_the_order() -> None:
    a, b = torch.arange(4.0), torch.ones(2, 2)
    header = (
        b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
        b'"b":{"dtype":"F32","shape":[2,2],"data_offsets":[16,32]}}'
    )
    header += b" " * (-len(header) % 8)
    content = len(header).to_bytes(8, "little") + header
    content += a.numpy().tobytes() + b.numpy().tobytes()
    expected = hashlib.sha256(content).hexdigest()
    assert weights_hash({"a": a, "b": b}) == weights_hash({"b": b, "a": a}) == expected
    assert weights_hash({"a": a, "b": b + 1}) != expected
    shared = {"a": a, "b": b.t()}  # not contiguous, and below one memory for two names
    assert weights_hash(shared) == expected
    assert weights_hash({"a": a, "b": a}) == weights_hash({"a": a, "b": a.clone()})


def test_random_weights_are_the_same_on_every_machine() -> None:
    # Written down once; a machine or version that gives another hash breaks every comparison.
    assert random_space(1).weights == "4ef5c1ee3788add3"
    assert random_space(3).weights == "509a6326ab8d254b"
    assert random_space(3, seed=1).weights != random_space(3).weights


def test_random_features_leave_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    random_space(3, seed=5).embed(pictures(2, 3, 8, 8))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 8), (3, 28, 17), (4, 64, 48), (3, 256, 256)])
def test_random_features_take_any_size(shape: tuple[int, ...]) -> None:
    found = random_space(shape[0]).embed(pictures(3, *shape)).features
    assert found.shape == (3, RandomFeatures.DIMENSIONS)
    assert found.isfinite().all()


def test_random_features_have_the_statistics_they_name() -> None:
    space = random_space(1)
    x = pictures(2, 1, 16, 16)
    stage = space.network.get_submodule("stages.0")
    y = nn.functional.leaky_relu(stage(x.float() / 127.5 - 1), 0.2)
    found = space.embed(x).features
    assert torch.allclose(found[:, :24], y.mean((2, 3)), atol=1e-5)
    assert torch.allclose(found[:, 24:48], y.std((2, 3), correction=0), atol=1e-5)
    # every other filter sums to 0: a plain picture leaves it silent, and the others not
    plain = space.embed(torch.full((1, 1, 16, 16), 200, dtype=torch.uint8)).features[0, :24]
    assert plain[::2].abs().max() < 1e-5 < plain[1::2].abs().min()


def test_random_features_tell_digits_apart() -> None:
    digits = prepare(open_source("digits"), height=None, width=None)
    assert digits.labels is not None
    features = random_space(1).embed(digits.values).features
    features = (features - features.mean(0)) / features.std(0).clamp_min(1e-6)
    known, asked = features[:1200], features[1200:]
    nearest = torch.cdist(asked, known).argmin(1)
    right = digits.labels[:1200][nearest] == digits.labels[1200:]
    assert right.double().mean() > 0.9  # guessing gives 0.1


def test_larger_pictures_are_averaged_down() -> None:
    x = pictures(2, 3, 64, 32)
    blocks = (x.float() / 127.5 - 1).reshape(2, 3, 32, 2, 16, 2).mean((3, 5))
    assert torch.allclose(to_floats(x), blocks, atol=1e-6)
    assert to_floats(pictures(1, 1, 32, 30)).shape == (1, 1, 32, 30)
    assert to_floats(pictures(1, 1, 400, 2)).shape == (1, 1, 32, 1)


def test_the_colour_of_what_is_transparent_does_not_matter() -> None:
    a, b = pictures(2, 4, 8, 8), pictures(2, 4, 8, 8)
    a[:, 3], b[:, 3] = 0, 0
    b[:, :3] = 255 - b[:, :3]
    space = random_space(4)
    assert torch.equal(space.embed(a).features, space.embed(b).features)
    a[:, 3], b[:, 3] = 255, 255
    assert torch.allclose(to_floats(a)[:, :3], to_floats(a[:, :3]))
    assert not torch.equal(space.embed(a).features, space.embed(b).features)


def test_random_features_of_pictures_are_of_about_unit_size() -> None:
    """So that KID's kernel (x·y/D + 1)³ sees more than means."""
    digits = prepare(open_source("digits"), height=None, width=None).values[:300]
    features = random_space(1).embed(digits).features
    assert 0.3 < float((features**2).mean()) < 5
