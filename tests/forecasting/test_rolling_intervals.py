from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from forecast.data.windows.windows import WindowIndex
from forecast.forecasting.rolling_intervals import conform, lookback
from forecast.forecasting.spec import index_at
from tests.tiny import SPEC, tiny_fit, tiny_panel


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A forecaster of calm data, and the same series grown restless after training."""
    panel = tiny_panel(900)
    forecaster = tiny_fit(panel, tmp_path_factory.mktemp("checkpoints")).forecaster
    values = panel.values.copy()
    random = np.random.default_rng(0)
    for offset in panel.offset:
        values[offset + 640 : offset + 900] += random.normal(0, 3, (260, 1)).astype(np.float32)
    return replace(panel, values=values), forecaster


def every_cutoff(first, last):
    cutoffs = np.arange(first, last, dtype=np.int64)
    return WindowIndex(np.repeat([0, 1], len(cutoffs)), np.tile(cutoffs, 2))


def covered(panel, answer):
    shares = []
    for one, cutoff, quantiles in zip(answer.series, answer.cutoff, answer.quantiles, strict=True):
        row = panel.offset[one] + cutoff
        actual = panel.values[row : row + SPEC.horizon, 0]
        shares.append((actual >= quantiles[:, 0, 0]) & (actual <= quantiles[:, 0, -1]))
    return np.mean(shares)


def test_coverage_comes_back_after_the_data_changed(trained):
    panel, forecaster = trained
    index = every_cutoff(830, 890)
    plain = forecaster.predict(panel, index)
    live = conform(forecaster, panel, plain)
    assert covered(panel, plain) < 0.6
    assert 0.7 < covered(panel, live) < 0.9
    assert_array_equal(live.point, plain.point)
    assert (np.diff(live.quantiles, axis=-1) >= 0).all()


def test_nothing_behind_the_cutoff_moves_an_interval(trained):
    panel, forecaster = trained
    poisoned = replace(panel, values=panel.values.copy())
    for offset in panel.offset:
        poisoned.values[offset + 850 : offset + 900] = 1e6
    index = every_cutoff(850, 851)
    one, two = (
        conform(forecaster, which, forecaster.predict(which, index)) for which in (panel, poisoned)
    )
    assert_array_equal(one.quantiles, two.quantiles)


def test_a_backfill_gives_what_single_cutoffs_give(trained):
    panel, forecaster = trained
    many = conform(forecaster, panel, forecaster.predict(panel, every_cutoff(840, 850)))
    single = index_at(panel, int(panel.start[0]) + 844)
    one = conform(forecaster, panel, forecaster.predict(panel, single))
    same = many.cutoff == 845
    assert_allclose(many.quantiles[same], one.quantiles, rtol=1e-5)


def test_windows_of_training_are_not_looked_back_on(trained):
    panel, forecaster = trained
    until = forecaster.spec.trained_until - int(panel.start[0])
    index = every_cutoff(until + 10, until + 15)
    plain = forecaster.predict(panel, index)
    assert_array_equal(conform(forecaster, panel, plain).quantiles, plain.quantiles)
    late = every_cutoff(until + lookback(SPEC), until + lookback(SPEC) + 1)
    moved = conform(forecaster, panel, forecaster.predict(panel, late))
    assert (moved.quantiles != forecaster.predict(panel, late).quantiles).any()


def test_bounds_hold_and_fallbacks_stay(trained):
    panel, forecaster = trained
    gone = replace(panel, values=panel.values.copy())
    gone.values[850:900] = np.nan
    bounded = replace(forecaster, spec=replace(forecaster.spec, bounds=((9.0, 11.0),)))
    plain = bounded.predict(gone, every_cutoff(890, 891))
    live = conform(bounded, gone, plain)
    assert plain.flag[0, 0] == "no_history;fallback:climate"
    assert_array_equal(live.quantiles[0], plain.quantiles[0])
    assert live.quantiles.min() >= 9.0
    assert live.quantiles.max() <= 11.0
