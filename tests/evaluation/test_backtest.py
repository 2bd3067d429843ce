"""The backtest's tables against loops; what is hidden from one predictor is hidden from all."""

import math

import numpy as np
import pytest

from forecast.data.windows.predictor import Forecast
from forecast.data.windows.splits import rolling_origins, split_windows
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation import backtest as b
from forecast.evaluation import metrics as m
from forecast.evaluation.naive_baselines import Naive
from tests.builders import panel_of, ramp_panel, sine_panel

H = 6
LEVELS = np.array([0.1, 0.5, 0.9])


class Constant:
    """Forecasts one number everywhere; quantiles at fixed distances."""

    def __init__(self, value, *, blind=()):
        self.value, self.blind = value, blind

    def predict(self, panel, index, *, batch_size=128):
        n = len(index.series)
        point = np.full((n, H, len(panel.targets)), self.value, np.float32)
        point[list(self.blind)] = np.nan
        quantiles = point[..., None] + np.array([-10, 0, 10], np.float32)
        flag = np.full((n, len(panel.targets)), "")
        return Forecast(index.series, index.cutoff, point, quantiles, LEVELS, flag)


def run(panel, index, predictors, **kwargs):
    end = kwargs.pop("train_end", panel.length // 2)
    return b.run_backtest(panel, index, predictors, horizon=H, season=4, train_end=end)


@pytest.fixture(scope="module")
def ramp_case():
    panel = ramp_panel(80, series=2)
    start = int(panel.start[0])
    index = rolling_origins(panel, horizon=H, first=start + 49, last=start + 59)
    return panel, index


def test_rolling_origins_score_exactly_the_actuals_behind_each_cutoff(ramp_case):
    panel, index = ramp_case
    result = run(panel, index, {"model": Constant(0.0), "naive": Naive(H, 1)})
    np.testing.assert_array_equal(
        result.actual[..., 0], index.cutoff[:, None] + np.arange(H, dtype=np.float32)
    )
    # On a ramp persistence is wrong by exactly the step.
    np.testing.assert_array_equal(b.per_step(result, "naive")["mae"], np.arange(1, H + 1))
    assert b.score(result, "naive")["bias"] == -3.5
    assert b.score(result, "naive")["mase"] == pytest.approx(3.5 / 4)  # the season's step is 4


def test_cutoff_times_are_those_of_the_newest_reading(ramp_case):
    panel, index = ramp_case
    result = run(panel, index, {"model": Constant(0.0)})
    first = result.cutoff_ns[index.series == 0][0]
    assert str(first.astype("M8[ns]").astype("M8[h]")) == "2024-01-03T01"


def test_scores_equal_a_loop_with_gaps():
    rng = np.random.default_rng(0)
    blocks = [rng.normal(10, 3, (120, 2)) for _ in range(2)]
    for block in blocks:
        block[rng.random(block.shape) < 0.2] = np.nan
    panel = panel_of(blocks)
    cutoff = np.arange(60, 118)
    index = WindowIndex(np.repeat([0, 1], len(cutoff)), np.tile(cutoff, 2))
    result = run(panel, index, {"model": Constant(10.0)})
    errors, inside = [], []
    for s, c in zip(*index, strict=True):
        for h in range(H):
            if c + h < 120:
                values = [v for v in panel.block(s)[c + h] if not math.isnan(v)]
                errors += [abs(float(v) - 10.0) for v in values]
                inside += [abs(float(v) - 10.0) <= 10.0 for v in values]
    scores = b.score(result, "model")
    assert scores["count"] == len(errors)
    assert scores["mae"] == pytest.approx(sum(errors) / len(errors), rel=1e-6)
    assert scores["coverage_80"] == pytest.approx(sum(inside) / len(inside))
    assert b.score(result, "model", target=1)["count"] < scores["count"]


def test_a_predictor_cannot_win_by_staying_silent(ramp_case):
    panel, index = ramp_case
    silent = Constant(0.0, blind=[0, 1, 2])
    table = b.score_table(run(panel, index, {"silent": silent, "other": Constant(1.0)}))
    assert table["silent"]["count"] == table["other"]["count"] == (len(index.series) - 3) * H
    assert table["silent"]["skill_other"] == pytest.approx(
        1 - table["silent"]["mae"] / table["other"]["mae"]
    )


def test_series_are_scored_one_by_one(ramp_case):
    panel, index = ramp_case
    result = run(panel, index, {"model": Constant(3.0)})
    tables = b.per_series(result)
    assert list(tables) == ["s0", "s1"]
    keep = index.series == 1
    assert tables["s1"]["model"]["mae"] == b.score(result.select(keep), "model")["mae"]


def test_an_interval_that_was_not_forecast_is_not_scored(ramp_case):
    panel, index = ramp_case
    result = run(panel, index, {"naive": Naive(H, 1)})
    assert "coverage_80" not in b.score(result, "naive")
    assert b.interval_of(Constant(0.0).predict(panel, index), 0.5) is None


def test_misuse_is_refused(ramp_case):
    panel, index = ramp_case
    with pytest.raises(ValueError, match="0 predictors"):
        run(panel, index, {})

    class Other(Constant):
        def predict(self, panel, index, *, batch_size=128):
            return super().predict(panel, WindowIndex(index.series[1:], index.cutoff[1:]))

    with pytest.raises(ValueError, match="model forecast"):
        run(panel, index, {"model": Other(0.0)})


def test_the_batch_size_changes_no_score():
    panel = sine_panel(400, 24, series=2, noise=0.3)
    split = split_windows(
        panel, context_length=24, horizon=H, train=0.6, dev=0.2, test=0.2, calibration=0.1
    )
    naive = Naive.fit(panel, split.train, horizon=H, season=24)
    tables = [
        b.score_table(
            b.run_backtest(
                panel,
                split.test,
                {"naive": naive},
                horizon=H,
                season=24,
                train_end=split.train_end,
                batch_size=size,
            )
        )
        for size in (1, 13, 1000)
    ]
    assert tables[0] == tables[1] == tables[2]


def test_poison_after_train_changes_no_unit_of_mase():
    panel = sine_panel(400, 24, noise=0.3)
    end = np.array([200])
    before = b.train_scale(panel, end, season=24)
    panel.values[200:] = 1e9
    np.testing.assert_array_equal(before, b.train_scale(panel, end, season=24))
    assert before[0, 0] == pytest.approx(m.seasonal_scale(panel.values[:200, 0], 24))
