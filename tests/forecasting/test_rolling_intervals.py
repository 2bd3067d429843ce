from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.rolling_intervals import lookback, origin_stride
from forecast.forecasting.spec import index_at
from forecast.forecasting.spread_factors import at_level
from tests.tiny import SPEC, tiny_fit, tiny_panel


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A forecaster of calm data, and the same series grown restless after training."""
    panel = tiny_panel(1200)
    forecaster = tiny_fit(panel, tmp_path_factory.mktemp("checkpoints")).forecaster
    values = panel.values.copy()
    random = np.random.default_rng(0)
    for offset in panel.offset:
        values[offset + 840 : offset + 1200] += random.normal(0, 3, (360, 1)).astype(np.float32)
    return replace(panel, values=values), forecaster


def every_cutoff(first, last):
    cutoffs = np.arange(first, last, dtype=np.int64)
    return WindowIndex(np.repeat([0, 1], len(cutoffs)), np.tile(cutoffs, 2))


def without_past(forecaster):
    """The forecaster with the bundle's calibration alone."""
    return replace(forecaster, calibration=replace(forecaster.calibration, origins=0))


def covered(panel, answer):
    shares = []
    for one, cutoff, quantiles in zip(answer.series, answer.cutoff, answer.quantiles, strict=True):
        row = panel.offset[one] + cutoff
        actual = panel.values[row : row + SPEC.horizon, 0]
        shares.append((actual >= quantiles[:, 0, 0]) & (actual <= quantiles[:, 0, -1]))
    return np.mean(shares)


def test_coverage_comes_back_after_the_data_changed(trained):
    panel, forecaster = trained
    index = every_cutoff(1100, 1190)
    plain = without_past(forecaster).predict(panel, index)
    live = forecaster.predict(panel, index)
    assert covered(panel, plain) < 0.6
    assert 0.7 < covered(panel, live) < 0.9
    assert_array_equal(live.point, plain.point)
    assert (np.diff(live.quantiles, axis=-1) >= 0).all()


def test_points_lie_within_their_50_percent_bands(trained):
    panel, forecaster = trained
    answer = forecaster.predict(panel, every_cutoff(1100, 1190))
    low, high = (at_level(answer.quantiles, SPEC.levels, level) for level in (0.25, 0.75))
    assert (answer.point >= low - 1e-4).all()
    assert (answer.point <= high + 1e-4).all()


def test_nothing_behind_the_cutoff_moves_an_interval(trained):
    panel, forecaster = trained
    poisoned = replace(panel, values=panel.values.copy())
    for offset in panel.offset:
        poisoned.values[offset + 1100 : offset + 1200] = 1e6
    index = every_cutoff(1095, 1101)
    one, two = (forecaster.predict(which, index) for which in (panel, poisoned))
    assert_array_equal(one.quantiles, two.quantiles)
    later = every_cutoff(1150, 1151)
    one, two = (forecaster.predict(which, later) for which in (panel, poisoned))
    assert (one.quantiles != two.quantiles).any()


def test_a_backfill_gives_what_single_cutoffs_give(trained):
    panel, forecaster = trained
    many = forecaster.predict(panel, every_cutoff(1040, 1100))
    single = index_at(panel, int(panel.start[0]) + 1069)
    one = forecaster.predict(panel, single)
    same = many.cutoff == 1070
    # these bands are widened up to thirtyfold, and with them the rounding of float32
    assert_allclose(many.quantiles[same], one.quantiles, rtol=3e-5)
    assert_allclose(many.point[same], one.point, rtol=1e-6)


def test_a_series_alone_has_the_bands_it_has_among_many(trained, monkeypatch):
    panel, forecaster = trained
    many = forecaster.predict(panel, every_cutoff(1080, 1100))
    for series in (0, 1):
        cutoffs = np.arange(1080, 1100, dtype=np.int64)
        alone = forecaster.predict(panel, WindowIndex(np.full(20, series), cutoffs))
        assert_allclose(many.quantiles[many.series == series], alone.quantiles, rtol=3e-5)
    monkeypatch.setattr("forecast.forecasting.rolling_intervals.MOST_VALUES", 1)
    pieces = forecaster.predict(panel, every_cutoff(1080, 1100))
    assert_allclose(many.quantiles, pieces.quantiles, rtol=1e-6)


def test_of_a_series_that_stayed_as_it_was_they_agree_to_the_last_digits(trained):
    panel, forecaster = replace(trained[0], values=tiny_panel(1200).values), trained[1]
    many = forecaster.predict(panel, every_cutoff(1000, 1120))
    for row in (3, 100, 201):
        index = WindowIndex(many.series[row : row + 1], many.cutoff[row : row + 1])
        alone = forecaster.predict(panel, index)
        assert_allclose(alone.quantiles[0], many.quantiles[row], rtol=1e-6)


def test_cutoffs_looked_back_on_were_scored_and_never_trained_on(trained):
    panel, forecaster = trained
    spec = forecaster.spec
    windows = every_cutoff(spec.trained_until - int(panel.start[0]), 1190)
    back = lookback(spec, panel, windows, origins=20)
    place = panel.start[back.origins.series] + back.origins.cutoff
    assert (place >= spec.trained_until).all()
    assert (place % origin_stride(spec, 20) == 0).all()
    for row in range(len(windows.series)):
        chosen = slice(back.first[row], back.stop[row])
        assert (back.origins.series[chosen] == windows.series[row]).all()
        assert (back.origins.cutoff[chosen] + spec.horizon <= windows.cutoff[row]).all()
        assert chosen.stop - chosen.start <= 20
    newest = back.origins.cutoff[back.stop[windows.cutoff == 1189] - 1]
    assert (newest + spec.horizon + origin_stride(spec, 20) > 1189).all()
    assert back.first[0] == back.stop[0]  # right after training nothing can be scored yet


def test_origins_come_at_all_hours():
    for horizon, season in ((1, 24), (6, 24), (24, 24), (48, 24), (48, 96), (30, 1), (720, 24)):
        spec = replace(SPEC, horizon=horizon, season=season)
        assert np.gcd(origin_stride(spec, 60), season) == 1


def test_a_history_frame_that_reaches_back_gives_the_bands_of_the_panel(trained):
    panel, forecaster = trained
    cutoff = 1150
    time = pd.to_datetime(panel.grid.time(panel.start[0] + np.arange(cutoff)), utc=True)
    frames = [
        pd.DataFrame(
            {"unique_id": name, "ds": time, "y": panel.values[offset : offset + cutoff, 0]}
        )
        for name, offset in zip(panel.series_ids, panel.offset, strict=True)
    ]
    table = forecaster.forecast(pd.concat(frames))
    answer = forecaster.predict(panel, every_cutoff(cutoff, cutoff + 1))
    found = table[["q0.1", "q0.5", "q0.9"]].to_numpy().reshape(2, SPEC.horizon, 3)
    assert_allclose(found, answer.quantiles[:, :, 0], rtol=1e-5)


def test_bounds_hold_and_fallbacks_stay(trained):
    panel, forecaster = trained
    gone = replace(panel, values=panel.values.copy())
    gone.values[1050:1100] = np.nan
    bounded = replace(forecaster, spec=replace(forecaster.spec, bounds=((9.0, 11.0),)))
    index = every_cutoff(1090, 1091)
    plain = without_past(bounded).predict(gone, index)
    live = bounded.predict(gone, index)
    assert plain.flag[0, 0] == "no_history;fallback:own_history"
    assert_array_equal(live.quantiles[0], plain.quantiles[0])
    assert live.quantiles.min() >= 9.0
    assert live.quantiles.max() <= 11.0
