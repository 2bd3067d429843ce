"""Heads against plain loops; quantiles never cross; missing targets carry no loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecast.models.heads.point_heads import Head, PointHead, PointQuantileHead, interpolate_levels
from tests.tiny import build_head

LEVELS = (0.1, 0.25, 0.5, 0.8, 0.9)
ONE = PointQuantileHead(LEVELS, is_one=True)


def params(head, seed=0):
    raw = torch.randn(3, 4, 2, head.size, generator=torch.Generator().manual_seed(seed))
    return head.place(raw, torch.full((3, 1, 2), 2.0), torch.full((3, 1, 2), 3.0))


@pytest.mark.parametrize("head", [PointHead(), PointHead("mse"), PointQuantileHead(LEVELS), ONE])
def test_heads_satisfy_the_protocol(head):
    assert isinstance(head, Head)
    placed = params(head)
    assert placed.shape == (3, 4, 2, head.size)
    assert head.point(placed).shape == (3, 4, 2)
    assert head.quantiles(placed, torch.tensor(LEVELS)).shape == (3, 4, 2, len(LEVELS))


@pytest.mark.parametrize("head", [PointQuantileHead(LEVELS), ONE])
def test_point_quantile_loss_is_mae_plus_twice_the_mean_pinball(head):
    placed = params(head)
    target = torch.randn(3, 4, 2)
    target[0, 1, 0] = float("nan")
    total, count = 0.0, 0
    for b in range(3):
        for h in range(4):
            for t in range(2):
                y = float(target[b, h, t])
                if y != y:  # noqa: PLR0124 - NaN
                    continue
                *own, _, _, median, _, _ = values = placed[b, h, t].tolist()
                point = own[0] if own else median
                values = values[len(own) :]
                losses = [
                    max(q * (y - v), (q - 1) * (y - v)) for q, v in zip(LEVELS, values, strict=True)
                ]
                total += abs(point - y) + 2 * sum(losses) / len(losses)
                count += 1
    assert float(head.loss(placed, target)) == pytest.approx(total / count, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"), [("mae", 1.75), ("mse", 4.625), ("huber", (0.125 + 2.5) / 2)]
)
def test_point_losses_on_errors_of_a_half_and_three(name, expected):
    placed = torch.tensor([0.5, 3.0]).view(1, 2, 1, 1)
    assert float(
        build_head("point", loss=name).loss(placed, torch.zeros(1, 2, 1))
    ) == pytest.approx(expected)


@pytest.mark.parametrize("head", [PointHead(), PointHead("huber"), PointQuantileHead(LEVELS), ONE])
def test_missing_targets_carry_neither_loss_nor_gradient(head):
    raw = torch.randn(2, 3, 1, head.size, requires_grad=True)
    placed = head.place(raw, torch.zeros(2, 1, 1), torch.ones(2, 1, 1))
    target = torch.full((2, 3, 1), float("nan"))
    target[0, 0] = 9.0
    head.loss(placed, target).backward()
    assert bool(raw.grad[0, 0].any())
    assert not bool(raw.grad[1].any())
    assert not bool(raw.grad[0, 1:].any())
    nothing = head.loss(placed.detach(), torch.full((2, 3, 1), float("nan")))
    assert float(nothing) == 0.0


@given(st.integers(0, 10_000), st.lists(st.floats(0.101, 0.899), min_size=1, max_size=6))
def test_quantiles_never_cross(seed, levels):
    head = PointQuantileHead(LEVELS)
    values = head.quantiles(params(head, seed) * 100, torch.tensor(sorted(levels)))
    assert bool((values.diff(dim=-1) >= 0).all())


def test_a_point_that_is_the_median_is_exactly_that():
    placed = params(ONE)
    assert torch.equal(ONE.point(placed), ONE.quantiles(placed, torch.tensor(LEVELS))[..., 2])
    assert bool((placed.diff(dim=-1) > 0).all())
    with pytest.raises(ValueError, match="needs the level"):
        PointQuantileHead((0.1, 0.9), is_one=True)


def test_quantiles_between_levels_are_read_linearly():
    values = torch.tensor([1.0, 3.0, 4.0])
    read = interpolate_levels(values, (0.2, 0.4, 0.8), torch.tensor([0.2, 0.3, 0.5, 0.8]))
    assert read.tolist() == pytest.approx([1.0, 2.0, 3.25, 4.0])


def test_levels_outside_the_trained_ones_are_refused():
    with pytest.raises(ValueError, match=r"outside the trained ones, 0\.1 to 0\.9"):
        PointQuantileHead(LEVELS).quantiles(torch.zeros(1, 1, 1, 6), torch.tensor([0.05]))


@pytest.mark.parametrize("levels", [(0.5, 0.1), (0.5, 0.5), (0.0, 0.5), ()])
def test_levels_must_rise_between_zero_and_one(levels):
    with pytest.raises(ValueError, match="levels must"):
        PointQuantileHead(levels)
