"""Distances of samples, by hand and against scipy where it has them."""

import math

import numpy as np
import pytest
from scipy import stats

from forecast.data.distance import kolmogorov_smirnov
from forecast.evaluation.drift import (
    channel_psi,
    index_limits,
    mean_shift,
    past_indices,
    psi,
    season_changes,
    separability,
)
from tests.builders import panel_of


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


def readings(*, years=2, seed=0):
    """Daily-seasoned hours whose changes wander from week to week, as weather's do."""
    rng = np.random.default_rng(seed)
    hours = np.arange(365 * 24 * years)
    weekly = np.repeat(rng.gamma(4, 0.25, len(hours) // 168 + 1), 168)[: len(hours)]
    return np.sin(hours * 2 * np.pi / 24) + weekly * rng.normal(size=len(hours))


def alarms(values, *, length=28 * 24, rate=0.05):
    """Return in which of the newest windows of a series drift is found, one after the other."""
    panel = panel_of([values[:, None].astype(np.float32)])
    zero, found = int(panel.start[0]), []
    for stop in range(zero + len(values) // 2, zero + len(values), length):
        begin = stop - length + 1
        past = past_indices(panel, season=24, first=zero, last=begin - 1, length=length)
        sides = (
            season_changes(panel, season=24, first=first, last=last)
            for first, last in ((zero, begin - 1), (begin, stop))
        )
        found.append(psi(*sides) > index_limits(past, rate=rate)[0])
    return found


def test_usual_changes_raise_alarms_at_about_the_stated_rate():
    found = [alarm for seed in range(8) for alarm in alarms(readings(seed=seed))]
    assert len(found) > 100
    assert np.mean(found) < 0.1
    assert (
        np.mean([alarm for seed in range(4) for alarm in alarms(readings(seed=seed), rate=0.4)])
        > 0.2
    )


def test_a_sensor_that_changes_is_found():
    values = readings()
    half = len(values) // 2 - 700
    values[half:] = 5 * values[half:]
    assert alarms(values)[0]


def test_the_index_of_a_window_is_against_all_but_the_window():
    rng = np.random.default_rng(4)
    values = rng.normal(size=400)
    values[200:300] += 3
    panel = panel_of([values[:, None].astype(np.float32)])
    zero = int(panel.start[0])
    found = past_indices(panel, season=1, first=zero, last=zero + 399, length=100)
    changes = np.diff(values.astype(np.float32).astype(float), prepend=np.nan)
    inner = np.quantile(changes[1:], np.linspace(0, 1, 11)[1:-1])
    window, rest = changes[1:101], changes[101:]
    c, r = (
        np.maximum(np.bincount(np.searchsorted(inner, v), minlength=10) / len(v), 1e-4)
        for v in (window, rest)
    )
    assert found.shape == (12, 1)
    assert found[0, 0] == pytest.approx(np.sum((c - r) * np.log(c / r)), rel=1e-6)


def test_limits_by_hand():
    past = np.arange(1, 41)[:, None] * 0.1  # median 2.05
    assert index_limits(past, rate=0.05) == pytest.approx([3.9])  # the 39th of 40
    assert index_limits(past, rate=0.01) == pytest.approx([8.0])  # too few: twice the highest
    assert index_limits(past * 1e-3, rate=0.05) == pytest.approx([0.1])  # stable whatever it is
    assert index_limits(past[:3], rate=0.05) == pytest.approx([0.25])
    both = np.hstack([past, past[::-1]])  # the highest of two channels counts
    assert index_limits(both, rate=0.05)[0] == pytest.approx(4.0)
