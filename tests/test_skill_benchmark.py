"""The skill benchmark's own arithmetic: the competition's scores, and what is known when."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.skill import m4
from benchmarks.skill.coverage import rolling_coverage, scored_by
from benchmarks.skill.results import table

DATA = Path(os.environ.get("FORECAST_DATA", "../shared/data"))


@pytest.mark.skipif(not (DATA / "m4_hourly").exists(), reason="the M4 data is not there")
def test_naive2_scores_as_the_competition_reports(monkeypatch):
    """Makridakis et al. 2020, table of Hourly series: sMAPE 18.383, MASE 2.395."""
    monkeypatch.setenv("FORECAST_DATA", str(DATA))
    series = m4.read_series()
    given, asked = [one for one, _ in series], [two for _, two in series]
    scores = m4.score(given, asked, [m4.naive2(values) for values in given])
    assert round(scores.smape, 3) == 18.383
    assert round(scores.mase, 3) == 2.395
    assert scores.owa == pytest.approx(1.0)


def test_scores_of_a_hand_solved_series():
    insample = np.arange(48.0)  # changes by 24 a day
    actual, forecast = np.array([10.0, 20.0]), np.array([10.0, 30.0])
    assert m4.smape(actual, forecast) == pytest.approx(20.0)
    assert m4.mase(actual, forecast, insample) == pytest.approx(5 / 24)


def test_season_is_found_and_continued():
    season = np.tile(10 + np.sin(np.arange(24) * 2 * np.pi / 24), 20)
    assert m4.is_seasonal(season)
    np.testing.assert_allclose(m4.naive2(season), np.tile(season[:24], 2), rtol=1e-6)
    noise = np.random.default_rng(0).normal(10, 1, 480)
    assert not m4.is_seasonal(noise)
    np.testing.assert_array_equal(m4.naive2(noise), np.full(48, noise[-1]))


def test_residuals_are_known_when_their_step_has_passed():
    residual = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 3, 1), np.float32)
    known = scored_by(residual, 1)[..., 0]
    assert np.isnan(known[0]).all()
    np.testing.assert_array_equal(known[3], [2, 1, 0])
    half = scored_by(residual, 2)[..., 0]  # an origin every second step
    np.testing.assert_array_equal(half[3], [2, 2, 1])


def test_rolling_intervals_cover_what_they_promise():
    residual = np.random.default_rng(0).normal(size=(3000, 4, 2)).astype(np.float32)
    found = rolling_coverage(residual[:1200], residual[1200:], origin_steps=1)
    assert abs(found["coverage_90"] - 90) < 1.5
    assert abs(found["coverage_80"] - 80) < 1.5


def test_table_of_nothing_and_of_one_result():
    assert "| ETTh1-96 | - |" in table({})
    entry = {"mse": 0.35, "mae": 0.38, "context": 336, "minutes": 2.0, "cpu_minutes": 1.0}
    entry |= {"weights": 200_000, "commit": "abc", "machine": "two cores", "measured": "now"}
    text = table({"ETTh1-96": {"both": {"0": entry, "1": entry | {"mse": 0.37}}}})
    assert "0.3600 [0.3500, 0.3700] (0.380)" in text


def test_in_units_of_a_series_an_error_is_its_share_of_the_score():
    """Two series: the one error that adds the same to OWA is the same in units."""
    weigh = [
        100 / level / m4.NAIVE2_SMAPE + 1 / daily / m4.NAIVE2_MASE
        for daily, level in ((2.0, 10.0), (50.0, 900.0))
    ]
    units = [m4.unit_of(2.0, 10.0), m4.unit_of(50.0, 900.0)]
    assert units[0] * weigh[0] == pytest.approx(units[1] * weigh[1])
    assert m4.unit_of(0.0, 0.0) == 1.0
    assert 0 < m4.unit_of(0.0, 10.0) < m4.unit_of(1.0, 10.0)
