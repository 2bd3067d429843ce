"""The baselines against plain loops, on ramps and sines, and under a poisoned future."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from forecast.data.windows.splits import split_windows
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.evaluation.naive_baselines import Naive, fit_band
from forecast.evaluation.ridge_baseline import Inputs, Ridge
from forecast.forecasting.fallback import repeat_season
from forecast.models.linear.features import carry_forward
from tests.builders import panel_of, ramp_panel, sine_panel

NAN = float("nan")
H, SEASON = 6, 4


def every_cutoff(panel, first, series=0):
    cutoff = np.arange(first, panel.length[series] + 1, dtype=np.int64)
    return WindowIndex(np.full(len(cutoff), series, np.int64), cutoff)


def noisy_panel(n=400, gaps=0.1, seed=0, past=0):
    rng = np.random.default_rng(seed)
    blocks = []
    for level in (5.0, 500.0):
        y = level * (1 + 0.1 * np.sin(np.arange(n) * 2 * np.pi / SEASON) + 0.1 * rng.normal(size=n))
        block = np.stack([y, *(rng.normal(size=n) for _ in range(past))], axis=1)
        block[rng.random(block.shape) < gaps] = NAN
        blocks.append(block)
    return panel_of(blocks, past=past)


def seasonal_loop(values, cutoff, horizon, season):
    """The definition, one value at a time."""
    past = values[:cutoff]
    observed = past[np.isfinite(past)]
    out = []
    for h in range(horizon):
        candidates = [cutoff + h - season * k for k in range(1, 100)]
        reach = [i for i in candidates if i < cutoff][:3]
        seen = [past[i] for i in reach if i >= 0 and np.isfinite(past[i])]
        out.append(seen[0] if seen else observed[-1] if len(observed) else NAN)
    return out


@pytest.mark.parametrize("season", [1, SEASON, 24])
def test_a_naive_forecast_equals_its_definition(season):
    panel = noisy_panel(120, gaps=0.4)
    index = every_cutoff(panel, 30)
    forecast = Naive(H, season).predict(panel, index, batch_size=7)
    values = panel.block(0)[:, 0]
    expected = [seasonal_loop(values, cutoff, H, season) for cutoff in index.cutoff]
    np.testing.assert_array_equal(forecast.point[..., 0], np.array(expected, np.float32))


def test_on_a_ramp_every_index_is_exact():
    panel = ramp_panel(60)
    index = every_cutoff(panel, 20)
    last = Naive.fit(panel, every_cutoff(panel, 20), horizon=H, season=1).predict(panel, index)
    np.testing.assert_array_equal(
        last.point[..., 0], np.repeat((index.cutoff - 1)[:, None], H, axis=1)
    )
    season = Naive(H, SEASON).predict(panel, index).point[:, :, 0]
    steps = np.array([-4, -3, -2, -1, -4, -3])
    np.testing.assert_array_equal(season, index.cutoff[:, None] + steps)


def test_no_history_is_flagged_and_never_a_number():
    block = np.full((50, 1), NAN)
    block[40:] = 1.0
    panel = panel_of([block])
    forecast = Naive(H, SEASON).predict(panel, WindowIndex(np.zeros(2, int), np.array([0, 45])))
    assert np.isnan(forecast.point[0]).all()
    assert np.isfinite(forecast.point[1]).all()
    assert forecast.flag.tolist() == [["no_history"], [""]]


def test_the_band_covers_and_scales_with_each_series():
    panel = noisy_panel(3000, gaps=0.05)
    split = split_windows(panel, context_length=24, horizon=H, train=0.5, dev=0.1, test=0.4)
    naive = Naive.fit(panel, split.train, horizon=H, season=SEASON)
    forecast = naive.predict(panel, split.test)
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    from forecast.data.windows.host_windows import collect_actual

    actual = collect_actual(panel, split.test, horizon=H)
    low, high = forecast.quantiles[..., 0], forecast.quantiles[..., -1]
    for series in (0, 1):
        rows = split.test.series == series
        seen = np.isfinite(actual[rows])
        inside = (actual[rows] >= low[rows]) & (actual[rows] <= high[rows])
        assert 0.76 < inside[seen].mean() < 0.84


def test_a_band_without_errors_is_a_point():
    band = fit_band(np.zeros((4, 2, 1), np.float32), np.zeros(4, int), count=1, levels=[0.1, 0.9])
    np.testing.assert_array_equal(band.around(np.ones((1, 2, 1), np.float32), np.zeros(1, int)), 1)
    empty = fit_band(
        np.full((4, 2, 1), NAN, np.float32), np.zeros(4, int), count=1, levels=[0.1, 0.9]
    )
    assert np.isfinite(empty.quantile).all()


def test_thin_is_even_and_keeps_order():
    index = WindowIndex(np.zeros(100, int), np.arange(100))
    assert thin(index, most=5).cutoff.tolist() == [0, 25, 50, 74, 99]
    assert thin(index, most=500).cutoff.tolist() == list(range(100))


def test_bad_sizes_are_refused():
    panel = ramp_panel(30)
    with pytest.raises(ValueError, match="season 0, horizon 6"):
        Naive.fit(panel, every_cutoff(panel, 5), horizon=H, season=0)
    assert repeat_season(np.zeros((0, 8, 1), np.float32), horizon=2, season=4).shape == (0, 2, 1)


@pytest.fixture(scope="module")
def ridge_case():
    panel = noisy_panel(600, gaps=0.02, past=2)
    split = split_windows(panel, context_length=12, horizon=H, train=0.7, dev=0.15, test=0.15)
    inputs = Inputs(12, H, calendar=("hour_of_day",))
    return panel, split, inputs, Ridge.fit(panel, split, inputs=inputs)


def test_ridge_equals_scikit_learn_on_the_same_features(ridge_case):
    from forecast.data.windows.windows import batches
    from forecast.evaluation.ridge_baseline import _scaled_target, features

    panel, split, inputs, ridge = ridge_case
    windows = inputs.windows(panel, scaled_series=ridge.scaler.series_ids)
    batch = next(batches(windows, split.train, batch_size=10**6))
    x, newest = features(batch, ridge.scaler)
    y = _scaled_target(batch, ridge.scaler) - newest[..., None]
    complete = torch.isfinite(y).all(dim=2)[:, 0]
    x, y = torch.nan_to_num(x[complete, 0]).double().numpy(), y[complete, 0].double().numpy()
    reference = SklearnRidge(alpha=ridge.penalty * len(x)).fit(x, y)
    np.testing.assert_allclose(
        ridge.regression.weight[0].numpy(), reference.coef_.T, rtol=1e-3, atol=1e-4
    )


def test_ridge_beats_the_naives_where_it_must():
    panel = sine_panel(600, 24, series=2, noise=0.05)
    split = split_windows(panel, context_length=48, horizon=H, train=0.7, dev=0.15, test=0.15)
    ridge = Ridge.fit(panel, split, inputs=Inputs(48, H))
    from forecast.data.windows.host_windows import collect_actual

    actual = collect_actual(panel, split.test, horizon=H)

    def error(one):
        return np.abs(one.predict(panel, split.test).point - actual).mean()

    assert error(ridge) < 0.85 * error(Naive(H, 24)) < error(Naive(H, 1))


@pytest.mark.parametrize("kind", ["naive", "persistence", "ridge"])
def test_poison_after_the_cutoff_changes_nothing(kind, ridge_case):
    panel, _, _, ridge = ridge_case
    one = {"naive": Naive(H, SEASON), "persistence": Naive(H, 1), "ridge": ridge}[kind]
    cutoff = 500
    index = WindowIndex(np.array([0, 1]), np.array([cutoff, cutoff]))
    before = one.predict(panel, index).point
    values = panel.values.copy()
    for offset in panel.offset:
        values[offset + cutoff : offset + 600] = 1e9
    after = one.predict(replace(panel, values=values), index).point
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("part", ["train", "dev"])
def test_poison_after_a_part_changes_nothing_learnt_from_it(part, ridge_case):
    panel, split, inputs, ridge = ridge_case
    end = split.spans[part][-1, 1] - panel.start
    values = panel.values.copy()
    for offset, stop in zip(panel.offset, end, strict=True):
        values[offset + stop : offset + 600] = 7.0
    poisoned = Ridge.fit(replace(panel, values=values), split, inputs=inputs)
    np.testing.assert_array_equal(poisoned.scaler.location, ridge.scaler.location)
    if part == "dev":
        torch.testing.assert_close(poisoned.regression, ridge.regression, rtol=0, atol=0)
        np.testing.assert_array_equal(poisoned.band.quantile, ridge.band.quantile)


def test_the_batch_size_changes_no_forecast(ridge_case):
    panel, split, _, ridge = ridge_case
    whole, parts = (ridge.predict(panel, split.test, batch_size=size) for size in (1000, 7))
    np.testing.assert_allclose(whole.point, parts.point, rtol=1e-5)


def test_carry_forward():
    gaps = torch.tensor([NAN, 1.0, NAN, NAN, 2.0, NAN])[None, :, None]
    filled = carry_forward(gaps)[0, :, 0]
    torch.testing.assert_close(filled, torch.tensor([NAN, 1.0, 1.0, 1.0, 2.0, 2.0]), equal_nan=True)
