"""Past forecasts against readings: every sum against a loop, late readings, settled cutoffs."""

import math

import numpy as np
import pandas as pd
import pytest

from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation import live_scores as r
from forecast.evaluation.naive_baselines import Naive
from forecast.forecasting.forecast_table import Provenance, forecast_table
from tests.builders import panel_of

H = 4


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(10, 2, (60, 2)) for _ in range(2)]
    blocks[1][50, 0] = np.nan
    panel = panel_of(blocks)
    train = WindowIndex(np.repeat([0, 1], 20), np.tile(np.arange(20, 40), 2))
    naive = Naive.fit(panel, train, horizon=H, season=1)
    index = WindowIndex(np.tile([0, 1], 4), np.repeat([48, 50, 57, 58], 2))
    answer = naive.predict(panel, index)
    table = forecast_table(answer, panel, Provenance(model_version="3"))
    return panel, table.to_pandas()


def test_lookup_finds_each_reading_and_nothing_else(case):
    panel, forecasts = case
    found = r.lookup(panel, forecasts["unique_id"], forecasts["ds"], forecasts["target"])
    for row, value in zip(forecasts.to_dict("records"), found, strict=True):
        series, target = int(row["unique_id"][1:]), int(row["target"][1:])
        step = int(panel.grid.index(np.array([row["ds"].value]))[0] - panel.start[series])
        expected = panel.block(series)[step, target] if step < 60 else math.nan
        np.testing.assert_equal(value, float(expected))
    stranger = r.lookup(panel, ["s9", "s0"], forecasts["ds"][:2], ["y0", "nothing"])
    assert np.isnan(stranger).all()


def test_sums_equal_a_loop(case):
    panel, forecasts = case
    scores = r.score_forecasts(forecasts, panel)
    actual = r.lookup(panel, forecasts["unique_id"], forecasts["ds"], forecasts["target"])
    for row in scores.to_dict("records"):
        same = np.all([forecasts[key] == row[key] for key in r.KEYS], axis=0)
        errors = [
            float(f) - a
            for f, a in zip(forecasts["y_hat"][same], actual[same], strict=True)
            if not math.isnan(a)
        ]
        inside = [
            lo <= a <= hi
            for lo, a, hi in zip(
                forecasts["q0.1"][same], actual[same], forecasts["q0.9"][same], strict=True
            )
            if not math.isnan(a)
        ]
        assert row["count"] == row["banded"] == len(errors) > 0
        assert row["abs_error"] == pytest.approx(sum(map(abs, errors)))
        assert row["squared_error"] == pytest.approx(sum(e * e for e in errors))
        assert row["error"] == pytest.approx(sum(errors))
        assert row["inside_80"] == sum(inside)
        assert row["flagged"] == 0
    assert scores["ds"].max() == pd.Timestamp(panel.grid.time(panel.start[:1] + 59)[0], tz="UTC")


def test_rates_and_spans(case):
    panel, forecasts = case
    scores = r.score_forecasts(forecasts, panel)
    whole = r.rates(scores)
    assert whole["mae"] == pytest.approx(scores["abs_error"].sum() / scores["count"].sum())
    until = scores["ds"].max()
    last_hour = r.newest_span(scores, until=until, days=1 / 24)
    assert set(last_hour["ds"]) == {until}
    assert math.isnan(r.rates(scores.iloc[:0])["mae"])
    steps = r.rates_per_step(scores)
    assert list(steps) == [1, 2, 3, 4]
    assert sum(one["count"] for one in steps.values()) == whole["count"]


def test_scoring_again_adds_nothing_and_late_readings_replace(case):
    panel, forecasts = case
    scores = r.score_forecasts(forecasts, panel)
    again = r.merge_scores(scores, r.score_forecasts(forecasts, panel))
    pd.testing.assert_frame_equal(again, r.merge_scores(None, scores))
    newest = forecasts[forecasts["cutoff"] == forecasts["cutoff"].max()]
    late = r.score_forecasts(newest, panel).assign(abs_error=0.0)
    merged = r.merge_scores(scores, late)
    assert len(merged) == len(scores)
    assert merged[merged["cutoff"] == merged["cutoff"].max()]["abs_error"].sum() == 0.0


def test_forecasts_without_quantiles_are_scored_without_coverage(case):
    panel, forecasts = case
    bare = forecasts.drop(columns=[c for c in forecasts if c.startswith("q0.")])
    assert math.isnan(r.rates(r.score_forecasts(bare, panel))["coverage_80"])
