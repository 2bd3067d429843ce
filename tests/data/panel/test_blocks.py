"""Blocks of many series against plain loops over each."""

import numpy as np
import pytest

from forecast.data.panel import blocks as rooms
from forecast.data.panel.blocks import blocks, newest_seen, oldest_seen, pieces, sums
from forecast.data.windows.candidates import Candidates
from forecast.data.windows.scaling import fit_scaler
from forecast.evaluation.backtest import train_scale
from forecast.evaluation.drift import season_changes
from forecast.evaluation.metrics import seasonal_scale
from forecast.evaluation.naive_baselines import newest_readings
from tests.builders import panel_of

LENGTHS = [40, 1, 3, 75, 20, 64, 9]
SEASON = 4


def gappy_panel():
    """Series of many lengths, with a past covariate, gaps, and one without any target."""
    random = np.random.default_rng(0)
    series = [random.standard_normal((n, 2)) * 10.0 ** random.integers(-2, 3) for n in LENGTHS]
    for one in series:
        one[random.random(one.shape) < 0.4] = np.nan
    series[3][20:, 0] = np.nan
    series[4][:, 0] = np.nan
    return panel_of(series, past=1, starts=[0, 5, 2, 0, 9, 1, 30])


@pytest.fixture(autouse=True, params=[10, 64, 1 << 18])
def rows_at_once(request, monkeypatch):
    """Blocks of a series or two, of several, of all."""
    for function in (blocks, pieces):
        monkeypatch.setitem(function.__kwdefaults__, "most_rows", request.param)
    monkeypatch.setattr(rooms, "MOST_ROWS", request.param)


def test_blocks_and_pieces_hold_every_row_once():
    panel = gappy_panel()
    for cut in (blocks, pieces):
        values = np.concatenate([one.values for one in cut(panel)])
        np.testing.assert_array_equal(values, panel.values)
    for block in blocks(panel):
        for series, begin in enumerate(block.begin, start=block.series.start):
            own = block.values[begin : begin + panel.length[series]]
            np.testing.assert_array_equal(own, panel.block(series))


def test_the_newest_and_oldest_reading_are_those_of_a_plain_look():
    panel = gappy_panel()
    seen = [np.flatnonzero(~np.isnan(panel.block(s)[:, 0])) for s in range(len(LENGTHS))]
    oldest = [own[0] if len(own) else n for own, n in zip(seen, LENGTHS, strict=True)]
    assert oldest_seen(panel, slice(0, 1)).tolist() == oldest
    series = np.repeat(np.arange(len(LENGTHS)), 3)
    stop = np.stack([np.array(LENGTHS) * k // 2 for k in range(3)], axis=1).reshape(-1)
    newest = [
        max((own for own in seen[s] + 1 if own <= t), default=0)
        for s, t in zip(series, stop, strict=True)
    ]
    assert newest_seen(panel, series, stop, slice(0, 1)).tolist() == newest


def test_groups_without_rows_sum_to_zero():
    values = np.array([[1.0], [2.0], [4.0]])
    assert sums(values, np.array([0, 2, 0, 1, 0])).ravel().tolist() == [0, 3, 0, 4, 0]
    assert sums(values[:0], np.array([0, 0])).ravel().tolist() == [0, 0]


def test_usable_windows_are_those_of_a_plain_loop():
    panel = gappy_panel()
    origin = int(panel.start[0])
    origins = origin + np.array([0, 3, 4, 11, 30, 31, 39, 200])
    wanted = []
    for series, length in enumerate(LENGTHS):
        seen = ~np.isnan(panel.block(series)[:, 0])
        for cutoff in (origins - panel.start[series]).tolist():
            if not 1 <= cutoff <= length:
                continue
            past, future = seen[max(0, cutoff - 8) : cutoff], seen[cutoff : cutoff + 5]
            if past.sum() >= 0.3 * 8 and future.any():
                wanted.append((series, cutoff))
    found = Candidates(panel, 8, 5, 0.3).select(origins)
    assert list(zip(*(part.tolist() for part in found), strict=True)) == wanted


def test_statistics_of_train_are_those_of_numpy():
    panel = gappy_panel()
    origin = int(panel.start[0])
    end = np.minimum(panel.length, 50)
    held_out = origin + np.array([[12, 17], [3, 6]])
    parts = []
    for series, stop in enumerate(end):
        step = panel.start[series] - origin + np.arange(stop)
        kept = ~(((step >= 12) & (step < 17)) | ((step >= 3) & (step < 6)))
        parts.append(panel.block(series)[:stop][kept].astype(np.float64))
    scaler = fit_scaler(panel, end, held_out=held_out)
    if scaler.series_ids:
        some = [panel.series_ids.index(name) for name in scaler.series_ids]
        means = np.stack([np.nanmean(parts[s], axis=0) for s in some])
        np.testing.assert_allclose(scaler.series_location, means, rtol=1e-6)
        widths = np.stack([np.nanstd(parts[s], axis=0) for s in some])
        np.testing.assert_allclose(scaler.series_scale, widths, rtol=1e-6)
    else:
        together = np.concatenate(parts)
        np.testing.assert_allclose(scaler.location, np.nanmean(together, axis=0), rtol=1e-6)
        np.testing.assert_allclose(scaler.scale, np.nanstd(together, axis=0), rtol=1e-6)


def test_the_unit_of_mase_is_that_of_each_series():
    panel = gappy_panel()
    end = np.array([40, 1, 0, 60, 20, 5, 4])
    wanted = [
        seasonal_scale(panel.block(s)[:stop, :1], SEASON) for s, stop in enumerate(end.tolist())
    ]
    np.testing.assert_allclose(train_scale(panel, end, season=SEASON), wanted, rtol=1e-12)


def test_changes_over_a_season_are_spread_over_the_span():
    panel = gappy_panel()
    first, last = (int(panel.start[0]) + step for step in (10, 45))
    wanted = []
    for series, length in enumerate(LENGTHS):
        start = int(panel.start[series])
        begin, stop = max(first - start, SEASON), min(last + 1 - start, length)
        if stop > begin:
            rows = np.linspace(begin, stop - 1, min(stop - begin, 7)).round().astype(int)
            block = panel.block(series).astype(np.float64)
            wanted.append(block[rows] - block[rows - SEASON])
    found = season_changes(panel, season=SEASON, first=first, last=last, most=7)
    np.testing.assert_array_equal(found, np.concatenate(wanted))


def test_the_newest_readings_at_cutoffs_are_those_of_pandas():
    import pandas as pd

    panel = gappy_panel()
    cutoffs = range(-2, 90, 3)
    index = (
        Candidates(panel, 1, 1, 0.0)
        .select(np.empty(0, np.int64))
        ._replace(
            series=np.repeat(np.arange(len(LENGTHS)), len(cutoffs)),
            cutoff=np.tile(np.array(cutoffs), len(LENGTHS)),
        )
    )
    wanted = []
    for series, length in enumerate(LENGTHS):
        filled = pd.Series(panel.block(series)[:, 0]).ffill().to_numpy()
        wanted += [filled[min(c, length) - 1] if c > 0 else np.nan for c in cutoffs]
    np.testing.assert_array_equal(newest_readings(panel, index)[:, 0], wanted)
