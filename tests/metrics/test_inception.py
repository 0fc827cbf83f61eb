"""Inception-v3 against another implementation's figures, and against itself written otherwise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.errors import GansmithError
from gansmith.metrics.inception import InceptionV3, in_colour, resize_bilinear

STAGES = {5: "bcd", 6: "abcde", 7: "abc"}
BLOCKS = [f"Mixed_{size}{letter}" for size, letters in STAGES.items() for letter in letters]


def seeded_state(network: InceptionV3) -> dict[str, Tensor]:
    """Random weights that are the same with every version of NumPy and keep signals of one size."""
    draws = np.random.RandomState(0)
    state = {}
    for name, tensor in sorted(network.state_dict().items()):
        values = draws.random_sample(tuple(tensor.shape)) * 2 - 1
        if tensor.dim() > 1:
            values *= np.sqrt(6 / np.prod(tensor.shape[1:]))
        elif name.endswith(("running_var", "bn.weight")):
            values = 1 + values / 2
        elif not name.endswith("num_batches_tracked"):
            values = values / 5
        state[name] = torch.from_numpy(np.asarray(values)).to(tensor.dtype)
    return state


def some_pictures() -> Tensor:
    return torch.from_numpy(np.random.RandomState(1).randint(0, 256, (2, 3, 40, 56), np.uint8))


def watch(network: torch.nn.Module) -> dict[str, Tensor]:
    """A table that every Mixed block writes its result into."""
    seen: dict[str, Tensor] = {}
    for name in BLOCKS:
        note = lambda _, __, x, name=name: seen.__setitem__(name, x)  # noqa: E731
        network.get_submodule(name).register_forward_hook(note)
    return seen


def describe(x: Tensor) -> tuple[float, ...]:
    """Mean, standard deviation, the corner's mean, and a sum that depends on the channels' order."""
    x = x.double().reshape(*x.shape[:2], -1)
    turns = torch.cos(torch.arange(x.shape[1], dtype=torch.float64))
    figures = x.mean(), x.std(), x[..., 0].mean(), x.mean((0, 2)) @ turns
    return tuple(float(figure) for figure in figures)


@pytest.fixture(scope="module")
def network() -> InceptionV3:
    network = InceptionV3()
    network.load_state_dict(seeded_state(network))
    return network


@pytest.fixture(scope="module")
def seen(network: InceptionV3) -> dict[str, Tensor]:
    seen = watch(network)
    seen["features"], seen["logits"] = network(some_pictures())
    return dict(seen)


# Mean, standard deviation, corner, order: see `describe`.
REFERENCE = {
    "Mixed_5b": (0.7000273, 1.175636, 0.5646812, -5.636542),
    "Mixed_5c": (0.820056, 1.25584, 0.5626198, 39.65521),
    "Mixed_5d": (1.018493, 1.442729, 0.6093207, 9.921201),
    "Mixed_6a": (1.232669, 1.693683, 1.129969, 22.27681),
    "Mixed_6b": (1.260872, 2.061975, 0.8383257, -39.17618),
    "Mixed_6c": (1.640258, 2.568828, 0.9975785, -12.61939),
    "Mixed_6d": (1.846596, 3.012237, 1.129366, 80.3909),
    "Mixed_6e": (2.34526, 3.913742, 1.304652, 103.1831),
    "Mixed_7a": (3.303142, 4.805111, 2.488014, -205.3894),
    "Mixed_7b": (3.517868, 5.769253, 2.360129, -140.1195),
    "Mixed_7c": (3.995313, 6.533442, 2.705823, 20.394),
    "features": (3.995313, 5.67603, 3.995313, 20.394),
    "logits": (-0.5331258, 9.948134, -0.5331258, -67.17801),
}


@pytest.mark.parametrize("name", [*BLOCKS, "features", "logits"])
def test_another_implementations_figures(seen: dict[str, Tensor], name: str) -> None:
    """The whole way, with resizing, of the same weights and pictures through torch-fidelity 0.4.0.

    REFERENCE was computed with that package's ``FeatureExtractorInceptionV3`` ("2048" and
    "logits_unbiased"), with PyTorch 2.13 on one processor thread; all 293 modules' results were
    equal to these to the last bit.
    """
    *figures, order = describe(seen[name])
    *expected, expected_order = REFERENCE[name]
    assert figures == pytest.approx(expected, rel=1e-4, abs=1e-4 * expected[1])
    assert order == pytest.approx(expected_order, abs=1e-3 * expected[1])


def test_another_implementation(network: InceptionV3, seen: dict[str, Tensor], tmp_path) -> None:
    """Every block beside torch-fidelity's, where that is installed (it needs torchvision)."""
    theirs = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    other = theirs.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], str(tmp_path / "weights.pth")
    )
    expected = watch(other)
    expected["features"], expected["logits"] = other(some_pictures())
    for name in expected:
        torch.testing.assert_close(seen[name], expected[name], rtol=1e-4, atol=1e-4)


class Reference:
    """The same network as arithmetic in float64 on a table of weights, with pools by hand."""

    def __init__(self, weights: dict[str, Tensor]):
        self.w = {name: tensor.double() for name, tensor in weights.items()}
        self.seen: dict[str, Tensor] = {}

    def conv(self, name: str, x: Tensor, rows: int = 0, columns: int = 0, every: int = 1) -> Tensor:
        w, norm = self.w, f"{name}.bn"
        scale = w[f"{norm}.weight"] / (w[f"{norm}.running_var"] + 0.001).sqrt()
        shift = w[f"{norm}.bias"] - w[f"{norm}.running_mean"] * scale
        kernel = w[f"{name}.conv.weight"] * scale[:, None, None, None]
        x = F.pad(x, (columns, columns, rows, rows))
        return F.conv2d(x, kernel, shift).clamp(min=0)[:, :, ::every, ::every]

    def chain(self, x: Tensor, *steps: tuple[str, int, int]) -> Tensor:
        for name, rows, columns in steps:
            x = self.conv(name, x, rows, columns)
        return x

    def __call__(self, x: Tensor) -> Tensor:
        x = self.conv("Conv2d_1a_3x3", x.double(), every=2)
        x = self.chain(x, ("Conv2d_2a_3x3", 0, 0), ("Conv2d_2b_3x3", 1, 1))
        x = self.chain(halved(x), ("Conv2d_3b_1x1", 0, 0), ("Conv2d_4a_3x3", 0, 0))
        x = halved(x)
        kinds = [self.a] * 3 + [self.b] + [self.c] * 4 + [self.d] + [self.e] * 2
        for name, kind in zip(BLOCKS, kinds, strict=True):
            x = self.seen[name] = torch.cat(kind(name, x), 1)
        return x.flatten(2).mean(2)

    def a(self, n: str, x: Tensor) -> list[Tensor]:
        twice = [(f"{n}.branch3x3dbl_{i}", min(i, 2) - 1, min(i, 2) - 1) for i in (1, 2, 3)]
        return [
            self.conv(f"{n}.branch1x1", x),
            self.conv(f"{n}.branch5x5_2", self.conv(f"{n}.branch5x5_1", x), 2, 2),
            self.chain(x, *twice),
            self.conv(f"{n}.branch_pool", mean_around(x)),
        ]

    def b(self, n: str, x: Tensor) -> list[Tensor]:
        inner = self.chain(x, (f"{n}.branch3x3dbl_1", 0, 0), (f"{n}.branch3x3dbl_2", 1, 1))
        three = self.conv(f"{n}.branch3x3", x, every=2)
        return [three, self.conv(f"{n}.branch3x3dbl_3", inner, every=2), halved(x)]

    def c(self, n: str, x: Tensor) -> list[Tensor]:
        seven, double = f"{n}.branch7x7_", f"{n}.branch7x7dbl_"
        tall = [(f"{double}{i}", 3, 0) for i in (2, 4)]
        wide = [(f"{double}{i}", 0, 3) for i in (3, 5)]
        return [
            self.conv(f"{n}.branch1x1", x),
            self.chain(x, (f"{seven}1", 0, 0), (f"{seven}2", 0, 3), (f"{seven}3", 3, 0)),
            self.chain(x, (f"{double}1", 0, 0), tall[0], wide[0], tall[1], wide[1]),
            self.conv(f"{n}.branch_pool", mean_around(x)),
        ]

    def d(self, n: str, x: Tensor) -> list[Tensor]:
        seven = f"{n}.branch7x7x3_"
        inner = self.chain(x, (f"{seven}1", 0, 0), (f"{seven}2", 0, 3), (f"{seven}3", 3, 0))
        three = self.conv(f"{n}.branch3x3_2", self.conv(f"{n}.branch3x3_1", x), every=2)
        return [three, self.conv(f"{seven}4", inner, every=2), halved(x)]

    def e(self, n: str, x: Tensor) -> list[Tensor]:
        three, double = f"{n}.branch3x3_", f"{n}.branch3x3dbl_"
        one = self.conv(f"{three}1", x)
        two = self.chain(x, (f"{double}1", 0, 0), (f"{double}2", 1, 1))
        pooled = mean_around(x) if n == "Mixed_7b" else most_around(x)
        return [
            self.conv(f"{n}.branch1x1", x),
            self.conv(f"{three}2a", one, 0, 1),
            self.conv(f"{three}2b", one, 1, 0),
            self.conv(f"{double}3a", two, 0, 1),
            self.conv(f"{double}3b", two, 1, 0),
            self.conv(f"{n}.branch_pool", pooled),
        ]


def around(x: Tensor, fill: float) -> Tensor:
    """The nine neighbours of each place, one behind the other: (9, n, C, H, W)."""
    height, width = x.shape[2:]
    wide = F.pad(x, (1, 1, 1, 1), value=fill)
    nine = [(i, j) for i in range(3) for j in range(3)]
    return torch.stack([wide[:, :, i : i + height, j : j + width] for i, j in nine])


def mean_around(x: Tensor) -> Tensor:
    return around(x, 0).sum(0) / around(torch.ones_like(x), 0).sum(0)


def most_around(x: Tensor) -> Tensor:
    return around(x, -torch.inf).amax(0)


def halved(x: Tensor) -> Tensor:
    return most_around(x)[:, :, 1:-1:2, 1:-1:2]


def test_every_block_is_what_a_reference_written_otherwise_gives(network: InceptionV3) -> None:
    x = torch.rand(1, 3, 107, 139) * 2 - 1
    seen = watch(network)
    features, logits = network.look(x)
    reference = Reference(network.state_dict())
    expected = reference(x)
    for name in BLOCKS:
        torch.testing.assert_close(seen[name].double(), reference.seen[name], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(features.double(), expected, rtol=1e-4, atol=1e-4)
    unbiased = expected @ reference.w["fc.weight"].T
    torch.testing.assert_close(logits.double(), unbiased, rtol=1e-4, atol=1e-4)


def test_shapes(network: InceptionV3, seen: dict[str, Tensor]) -> None:
    assert seen["features"].shape == (2, 2048)
    assert seen["logits"].shape == (2, 1008)
    sizes = [tuple(seen[name].shape[1:]) for name in ("Mixed_5d", "Mixed_6e", "Mixed_7c")]
    assert sizes == [(288, 35, 35), (768, 17, 17), (2048, 8, 8)]
    assert len(network.state_dict()) == 566  # as many as the published file has
    assert not any(p.requires_grad for p in network.parameters())


def test_grey_is_three_equal_channels_and_alpha_is_on_white() -> None:
    pictures = torch.randint(0, 256, (2, 4, 5, 6), dtype=torch.uint8)
    grey, colour = pictures[:, :1], pictures[:, :3]
    assert torch.equal(in_colour(grey), grey.float().repeat(1, 3, 1, 1))
    assert torch.equal(in_colour(colour), colour.float())
    one = torch.tensor([100, 0, 255, 51], dtype=torch.uint8)[None, :, None, None]
    assert in_colour(one).flatten().tolist() == pytest.approx([224, 204, 255])  # a fifth opaque
    pictures[:, 3] = 0
    assert (in_colour(pictures) == 255).all()
    pictures[:, 3] = 255
    assert torch.equal(in_colour(pictures), colour.float())
    with pytest.raises(GansmithError, match="1, 3 or 4 channels, but these have 2"):
        in_colour(pictures[:, :2])


@pytest.mark.parametrize(
    ("row", "resized"),
    [
        ([10, 20], [10, 15, 20, 20]),  # places 0, ½, 1, 1½: the last has nothing after it
        ([10, 20, 30, 40], [10, 30]),  # sampled, not averaged
        ([10, 20, 40], [10, 30]),  # places 0, 1½
        ([1, 2, 4, 8, 16], [1, 2.5, 6, 14]),
        ([7], [7, 7, 7]),
    ],
)
def test_resizing_by_hand(row: list[float], resized: list[float]) -> None:
    x = torch.tensor(row, dtype=torch.float32)
    along = resize_bilinear(x[None, None, None], 1, len(resized))
    assert along.flatten().tolist() == pytest.approx(resized)
    down = resize_bilinear(x[None, None, :, None], len(resized), 1)
    assert down.flatten().tolist() == pytest.approx(resized)


def hats(old: int, new: int) -> np.ndarray:
    """Interpolation as a matrix (new, old): a hat of width one around every place."""
    places = np.minimum(np.arange(new) * old / new, old - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(old)))


@pytest.mark.parametrize("size", [(5, 7, 11, 4), (32, 32, 299, 299), (40, 9, 13, 13), (6, 6, 6, 6)])
def test_resizing_is_what_numpy_gives(size: tuple[int, int, int, int]) -> None:
    height, width, rows, columns = size
    x = np.random.RandomState(0).randint(0, 256, (height, width)).astype(float)
    down, along = hats(height, rows), hats(width, columns)
    resized = resize_bilinear(torch.from_numpy(x).float()[None, None], rows, columns)
    np.testing.assert_allclose(resized[0, 0].numpy(), down @ x @ along.T, atol=2e-3)


def test_always_in_float32(network: InceptionV3, seen: dict[str, Tensor]) -> None:
    settings = [torch.backends.cudnn.conv, torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
    torch.set_float32_matmul_precision("medium")
    before = [setting.fp32_precision for setting in settings]
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features, logits = network(some_pictures()[:1])
        assert torch.get_float32_matmul_precision() == "medium"
        assert [setting.fp32_precision for setting in settings] == before
    finally:
        torch.set_float32_matmul_precision("highest")
    assert features.dtype == logits.dtype == torch.float32
    torch.testing.assert_close(features, seen["features"][:1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logits, seen["logits"][:1], rtol=1e-5, atol=1e-4)
