import numpy as np
import pytest

from forecast.data.windows.set_apart import set_apart
from forecast.data.windows.window_index import WindowIndex
from tests.builders import ramp_panel


def every_window(panel, horizon):
    cutoff = np.arange(24, int(panel.length.min()) - horizon + 1)
    count = len(panel.length)
    return WindowIndex(np.repeat(np.arange(count), len(cutoff)), np.tile(cutoff, count))


def steps_of(index, horizon):
    return {int(cutoff) + step for cutoff in index.cutoff for step in range(horizon)}


@pytest.mark.parametrize("horizon", [1, 6, 30])
def test_stretches_share_no_target_step_with_what_is_trained_on(horizon):
    panel = ramp_panel(5000, series=2)
    train = every_window(panel, horizon)
    rest, held = set_apart(panel, train, horizon=horizon, season=12)
    assert not steps_of(rest, horizon) & steps_of(held, horizon)
    apart = sorted(steps_of(held, horizon))
    borders = np.flatnonzero(np.diff(apart) > 1)
    length = max(2 * horizon, 24)
    count = min(8, int(0.1 * (5000 - 24) / (length + horizon)))
    assert len(borders) + 1 == count >= 3
    assert len(apart) == count * length
    assert len(rest.cutoff) >= 0.9 * len(train.cutoff) - 2 * count * horizon
    assert set(rest.series) == set(held.series) == {0, 1}


def test_a_short_train_part_is_left_whole():
    panel = ramp_panel(600)
    train = every_window(panel, 6)
    rest, held = set_apart(panel, train, horizon=6, season=12)
    assert rest is train
    assert not len(held.cutoff)
