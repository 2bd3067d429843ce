"""Distances of samples, by hand and against scipy where it has them."""

import math

import numpy as np
import pytest
from scipy import stats

from forecast.data.distance import kolmogorov_smirnov
from forecast.evaluation.drift import (
    channel_psi,
    mean_shift,
    psi,
    separability,
)


def test_psi_by_hand():
    reference = np.repeat([0.0, 1.0], [50, 50])
    current = np.repeat([0.0, 1.0], [80, 20])
    expected = (0.8 - 0.5) * math.log(0.8 / 0.5) + (0.2 - 0.5) * math.log(0.2 / 0.5)
    assert psi(reference, current, bins=2) == pytest.approx(expected)


def test_psi_of_the_same_is_zero_and_of_another_large():
    rng = np.random.default_rng(0)
    sample = rng.normal(size=5000)
    assert psi(sample, sample) == 0.0
    assert psi(sample, rng.normal(size=5000)) < 0.02
    assert psi(sample, rng.normal(2.0, size=5000)) > 1.0
    assert psi(np.ones(100), np.full(100, 2.0)) > 1.0


@pytest.mark.parametrize("measure", [psi, kolmogorov_smirnov, mean_shift])
def test_an_empty_side_is_nan(measure):
    assert math.isnan(measure([1.0, 2.0], [float("nan")]))
    assert math.isnan(measure([], [1.0]))


def test_kolmogorov_smirnov_equals_scipy():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=300), rng.normal(0.3, 2, size=200).round(1)
    assert kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_mean_shift_is_in_units_of_the_reference():
    assert mean_shift([0.0, 2.0], [5.0, 5.0]) == pytest.approx(4.0)
    assert math.isnan(mean_shift([1.0, 1.0], [2.0]))


def test_separability_tells_two_distributions_and_not_one():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(200, 3)), rng.normal(size=(150, 3))
    assert separability(a, b) < 0.65
    assert separability(a, b + np.array([3.0, 0.0, 0.0])) > 0.95
    assert math.isnan(separability(a[:5], b))


def test_channels_by_name():
    rng = np.random.default_rng(3)
    reference, current = rng.normal(size=(500, 2)), rng.normal([0.0, 3.0], size=(500, 2))
    found = channel_psi(reference, current, ["steady", "moved"])
    assert found["steady"] < 0.1
    assert found["moved"] > 0.25
