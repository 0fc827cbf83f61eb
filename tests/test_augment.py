from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from gansmith.augment import KINDS, augment

EVERY = sorted(KINDS)
SHAPES = [(5, 1, 16, 16), (5, 3, 16, 16), (4, 3, 24, 16), (4, 1, 8, 40), (1, 3, 64, 56)]
SHAPES += [(5, 4, 16, 16)]
COLOURING = ["brightness", "contrast", "saturation"]


def on(n: int, value: float = 1.0) -> Tensor:
    return torch.full((n, 1, 1, 1), value)


def noise(*shape: int) -> Tensor:
    return torch.rand(shape) * 2 - 1


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_kind_leaves_alone_what_it_is_off_for(name: str, shape: tuple[int, ...]) -> None:
    pictures = noise(*shape)
    torch.testing.assert_close(
        KINDS[name](pictures, on(len(pictures), 0)), pictures, atol=2e-5, rtol=0
    )


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_kind_changes_shape_or_type_or_makes_what_is_not_a_number(
    name: str, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    pictures = noise(*shape).to(dtype)
    before = pictures.clone()
    changed = KINDS[name](pictures, on(len(pictures)).to(dtype))
    assert changed.shape == pictures.shape
    assert changed.dtype == dtype
    assert changed.isfinite().all()
    assert torch.equal(pictures, before)


@pytest.mark.parametrize("name", EVERY)
def test_switching_on_some_pictures_changes_only_those(name: str) -> None:
    pictures = noise(64, 3, 16, 16)
    some = (torch.arange(64) % 2).float().view(-1, 1, 1, 1)
    changed = (KINDS[name](pictures, some) - pictures).abs().amax((1, 2, 3)) > 1e-4
    assert not changed[::2].any()
    assert changed[1::2].float().mean() > 0.3  # a flip changes half of them


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_s_change_does_not_depend_on_the_other_pictures(name: str) -> None:
    pictures = noise(6, 3, 16, 16)
    others = pictures.clone()
    others[1:] = noise(5, 3, 16, 16)
    results = []
    for batch in (pictures, others):
        torch.manual_seed(3)
        results.append(KINDS[name](batch, on(6))[0])
    assert torch.equal(*results)


@pytest.mark.parametrize("name", EVERY)
def test_pictures_are_changed_each_in_its_own_way(name: str) -> None:
    one = noise(1, 3, 32, 32)
    changed = KINDS[name](one.expand(32, -1, -1, -1), on(32))
    assert len(changed.flatten(1).unique(dim=0)) >= (2 if name == "flip" else 16)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(2, 3, 8, 12), (2, 1, 8, 8), (2, 4, 8, 8)], ids=str)
def test_gradients_flow_through_and_are_right(name: str, shape: tuple[int, ...]) -> None:
    pictures = noise(*shape).double().requires_grad_()

    def change(x: Tensor) -> Tensor:
        torch.manual_seed(5)
        return KINDS[name](x, on(len(x)).double())

    assert gradcheck(change, (pictures,), eps=1e-5, atol=1e-4, fast_mode=True)


def test_a_flip_is_the_mirror_image_and_half_of_them_happen() -> None:
    pictures = noise(4000, 1, 2, 3)
    flipped = augment(pictures, ["flip"], p=0.6)
    mirrored = (flipped == pictures.flip(3)).all(3).all(2).all(1)
    same = (flipped == pictures).all(3).all(2).all(1)
    assert (mirrored ^ same).all()
    assert abs(mirrored.float().mean().item() - 0.3) < 5 * math.sqrt(0.21 / 4000)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (24, 40), (9, 17)])
def test_a_shift_moves_by_whole_pixels_and_brings_in_grey(height: int, width: int) -> None:
    picture = noise(3, height, width)
    down, right = height // 8, width // 8
    moves = {}
    for dy in range(-down, down + 1):
        for dx in range(-right, right + 1):
            moved = torch.zeros_like(picture)
            ys, xs = (slice(max(0, -d), min(s, s - d)) for d, s in ((dy, height), (dx, width)))
            yt, xt = (slice(max(0, d), min(s, s + d)) for d, s in ((dy, height), (dx, width)))
            moved[:, yt, xt] = picture[:, ys, xs]
            moves[moved.numpy().tobytes()] = (dy, dx)
    shifted = KINDS["shift"](picture.expand(1500, -1, -1, -1), on(1500))
    seen = [moves[x.contiguous().numpy().tobytes()] for x in shifted]
    assert set(seen) == set(moves.values())


@pytest.mark.parametrize(("height", "width"), [(16, 16), (12, 20), (9, 7)])
def test_a_cutout_is_one_grey_rectangle_of_half_the_sides(height: int, width: int) -> None:
    pictures = noise(400, 3, height, width) + 3
    holes = (KINDS["cutout"](pictures, on(400)) == 0).all(1)
    rows, columns = holes.any(2), holes.any(1)
    assert torch.equal(holes, rows[:, :, None] & columns[:, None, :])
    for side, size in ((rows, height), (columns, width)):
        lengths = side.sum(1)
        assert lengths.max() == size // 2
        # one run: it starts once
        starts = (side[:, 1:] & ~side[:, :-1]).sum(1) + side[:, 0]
        assert (starts <= 1).all()
        assert side.any(0).all()  # every place is hit by some
    untouched = torch.where(holes[:, None], pictures, KINDS["cutout"](pictures, on(400, 0)))
    assert torch.equal(untouched, pictures)


def ramps(n: int, height: int, width: int) -> Tensor:
    """Two channels that hold each pixel's own place, in pixels from the centre."""
    y = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    place = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return place.expand(n, -1, -1, -1).contiguous()


@pytest.mark.parametrize(("height", "width"), [(40, 40), (40, 80), (64, 24)])
def test_an_affine_move_turns_scales_shears_and_shifts_within_its_bounds(
    height: int, width: int
) -> None:
    # Interpolating a ramp is exact, so the output tells from where each pixel was taken: a linear
    # map in pixels, whatever the aspect.
    n = 3000
    source = KINDS["affine"](ramps(n, height, width), on(n).double())
    ys, xs = slice(height // 2 - 6, height // 2 + 6), slice(width // 2 - 4, width // 2 + 4)
    centre = ramps(1, height, width)[0, :, ys, xs].flatten(1)
    unknown = torch.cat([centre, torch.ones_like(centre[:1])]).T
    taken = source[:, :, ys, xs].flatten(2).transpose(1, 2)
    solution = torch.linalg.lstsq(unknown.expand(n, -1, -1), taken).solution
    torch.testing.assert_close(unknown @ solution, taken, atol=1e-6, rtol=0)  # linear, in truth
    (xx, yx), (xy, yy), (dx, dy) = (solution[:, i].T for i in range(3))
    torch.testing.assert_close(xx, yy)
    turn, scale = torch.atan2(yx, xx), 1 / torch.hypot(xx, yx)
    shear = torch.atan(xy * scale + turn.sin())
    bounds = [(turn.rad2deg(), 5), (shear.rad2deg(), 5), (scale - 1, 0.05)]
    bounds += [(dx / width, 0.05), (dy / height, 0.025)]
    for values, bound in bounds:
        assert 0.98 * bound < values.max() <= bound * (1 + 1e-6)
        assert 0.98 * bound < -values.min() <= bound * (1 + 1e-6)
        assert values.mean().abs() < 0.1 * bound
    drawn = torch.corrcoef(torch.stack([values for values, _ in bounds])).fill_diagonal_(0)
    assert drawn.abs().max() < 0.1  # each is drawn by itself


def test_an_affine_move_keeps_a_flat_picture_flat_up_to_its_edges() -> None:
    flat = torch.full((50, 1, 12, 20), 0.7)
    torch.testing.assert_close(KINDS["affine"](flat, on(50)), flat)


@pytest.mark.parametrize("name", ["affine", "brightness", "contrast", "cutout"])
def test_under_bf16_a_move_is_computed_as_exactly_as_without(name: str) -> None:
    # Coordinates rounded to 8 bits would be off by a part of a pixel, on real pictures and fake.
    pictures = noise(4, 1, 64, 64)
    results = []
    for enabled in (False, True):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            results.append(augment(pictures, [name], 1.0))
    torch.testing.assert_close(*results)


def test_what_bf16_networks_made_is_moved_as_exactly_as_real_pictures() -> None:
    made = noise(8, 1, 64, 64).bfloat16()
    results = []
    for pictures in (made, made.float()):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results.append(augment(pictures, EVERY, 0.8).float())
    torch.testing.assert_close(*results)


def test_brightness_adds_one_number_a_picture() -> None:
    added = KINDS["brightness"](torch.zeros(2000, 3, 2, 2), on(2000))
    assert (added == added[:, :1, :1, :1]).all()
    assert added.min() < -0.49
    assert 0.49 < added.max() <= 0.5


def test_contrast_keeps_the_mean_and_stretches_around_it() -> None:
    picture = noise(3, 6, 4).double()
    changed = KINDS["contrast"](picture.expand(2000, -1, -1, -1), on(2000).double())
    torch.testing.assert_close(changed.mean((1, 2, 3)), picture.mean().expand(2000))
    factor = (changed - picture.mean()) / (picture - picture.mean())
    torch.testing.assert_close(factor.amax((1, 2, 3)), factor.amin((1, 2, 3)))
    assert 0.5 <= factor.min() < 0.51
    assert 1.49 < factor.max() <= 1.5


def test_saturation_keeps_each_pixels_grey_and_stretches_its_colour() -> None:
    picture = noise(3, 6, 4).double()
    grey = picture.mean(0, keepdim=True)
    changed = KINDS["saturation"](picture.expand(2000, -1, -1, -1), on(2000).double())
    torch.testing.assert_close(changed.mean(1), grey.expand(2000, -1, -1))
    factor = (changed - grey) / (picture - grey)
    torch.testing.assert_close(factor.amax((1, 2, 3)), factor.amin((1, 2, 3)), atol=1e-6, rtol=1e-6)
    assert 0 <= factor.min() < 0.01
    assert 1.99 < factor.max() <= 2
    one = noise(5, 1, 4, 4)
    assert torch.equal(KINDS["saturation"](one, on(5)), one)


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.integers(0, 2**31))
def test_each_picture_is_changed_with_the_odds_p(p: float, seed: int) -> None:
    torch.manual_seed(seed)
    n = 4000
    pictures = torch.zeros(n, 1, 2, 2)
    changed = (augment(pictures, ["brightness"], p) != 0).any(3).any(2).float().mean().item()
    assert abs(changed - p) <= 6 * math.sqrt(p * (1 - p) / n) + 1e-3


def test_at_p_zero_nothing_changes_and_at_p_one_everything_does() -> None:
    pictures = noise(200, 3, 16, 16)
    torch.testing.assert_close(augment(pictures, EVERY, 0.0), pictures, atol=2e-5, rtol=0)
    assert torch.equal(augment(pictures, [], 1.0), pictures)
    changed = augment(pictures, ["brightness"], 1.0) != pictures
    assert changed.flatten(1).any(1).all()


def test_the_order_in_which_kinds_are_named_does_not_matter() -> None:
    pictures = noise(8, 3, 16, 16)
    results = []
    for kinds in (EVERY, EVERY[::-1], EVERY * 2):
        torch.manual_seed(2)
        results.append(augment(pictures, kinds, 0.8))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_all_kinds_together_let_gradients_through_to_every_picture() -> None:
    pictures = noise(16, 3, 24, 16).requires_grad_()
    augment(pictures, EVERY, 0.8).square().sum().backward()
    assert pictures.grad.isfinite().all()
    assert (pictures.grad.abs().amax((1, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", COLOURING)
def test_colours_change_as_without_alpha_and_alpha_not_at_all(name: str) -> None:
    pictures = noise(64, 4, 8, 6)
    results = []
    for seen in (pictures, pictures[:, :3]):
        torch.manual_seed(4)
        results.append(KINDS[name](seen, on(64)))
    assert torch.equal(results[0][:, :3], results[1])
    assert torch.equal(results[0][:, 3:], pictures[:, 3:])


@pytest.mark.parametrize("name", sorted(set(EVERY) - set(COLOURING)))
def test_what_moves_colours_moves_alpha_with_them(name: str) -> None:
    one = noise(64, 1, 16, 16)
    moved = KINDS[name](one.expand(-1, 4, -1, -1), on(64))
    assert torch.equal(moved, moved[:, :1].expand(-1, 4, -1, -1))
    assert not torch.equal(moved[:, :1], one)
