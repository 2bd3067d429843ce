"""Window statistics by hand, with gaps and without any reading."""

import pytest
import torch

from forecast.models.strategies.normalization import SMALLEST_SCALE, window_scale

NAN = float("nan")


def windows():
    return torch.tensor([[1.0, 2.0, 6.0], [1.0, NAN, NAN], [NAN, NAN, NAN]]).unsqueeze(-1)


def test_last_is_the_newest_observed_value():
    location, scale = window_scale(windows(), "last")
    assert location.flatten().tolist() == [6.0, 1.0, 0.0]
    assert scale.flatten().tolist() == [1.0, 1.0, 1.0]


def test_mean_and_deviation_skip_missing_values():
    location, scale = window_scale(windows(), "mean_std")
    assert location.flatten().tolist() == pytest.approx([3.0, 1.0, 0.0])
    assert scale.flatten().tolist() == pytest.approx([(14 / 3) ** 0.5, SMALLEST_SCALE, 1.0])


def test_none_leaves_windows_as_they_are():
    location, scale = window_scale(windows(), "none")
    assert location.flatten().tolist() == [0.0, 0.0, 0.0]
    assert scale.flatten().tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("mode", ["last", "mean_std"])
def test_gradients_stay_finite_on_constant_and_empty_windows(mode):
    targets = torch.tensor([[2.0, 2.0], [NAN, NAN]]).unsqueeze(-1).requires_grad_()
    location, scale = window_scale(targets, mode)
    (location + scale).sum().backward()
    assert bool(torch.isfinite(targets.grad).all())
