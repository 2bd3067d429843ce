import numpy as np
from numpy.testing import assert_array_equal

from forecast.data.windows.host_windows import HostWindows
from forecast.forecasting.bridge import bridged
from tests.builders import ramp_panel

CONTEXT, HORIZON = 10, 4


def ramp_windows(series=3):
    """Values that are their own index, one covariate beside them."""
    panel = ramp_panel(60, series=series, past=1)
    return panel, HostWindows(panel, context_length=CONTEXT, horizon=HORIZON)


def going_on(batch):
    """Forecasts one more than the newest value, one more than that, and so on."""
    newest = batch.past[:, -1:, :1]
    assert not np.isnan(newest).any()
    return newest + np.arange(1, HORIZON + 1)[None, :, None]


def test_gaps_of_any_length_are_filled_by_forecasts_of_forecasts():
    _, windows = ramp_windows()
    whole = windows.gather(np.array([0, 1, 2]), np.array([30, 30, 30]))
    late = np.array([[0], [3], [9]])
    past = whole.past.copy()
    past[1, -3:] = past[2, -9:] = np.nan
    asked = []

    def point(batch):
        asked.append(batch.cutoff.tolist())
        return going_on(batch)

    found = bridged(point, windows, whole._replace(past=past), late)
    assert_array_equal(found.past[..., 0], whole.past[..., 0])
    assert np.isnan(found.past[1, -3:, 1]).all()  # covariates are not guessed
    assert asked == [[27, 21], [30, 25], [30, 29]]
    assert_array_equal(past[0], whole.past[0])


def test_readings_that_came_and_other_targets_stay():
    _, windows = ramp_windows(1)
    whole = windows.gather(np.array([0]), np.array([30]))
    past = whole.past.copy()
    past[0, -2:, 0] = np.nan
    past[0, 3, 0] = np.nan
    found = bridged(
        lambda b: going_on(b) * 0 - 1, windows, whole._replace(past=past), np.array([[2]])
    )
    assert_array_equal(found.past[0, -2:, 0], [-1, -1])
    assert np.isnan(found.past[0, 3, 0])
    assert_array_equal(found.past[0, -4:-2], whole.past[0, -4:-2])


def test_nothing_behind_the_cutoff_is_read():
    panel, windows = ramp_windows(1)
    index = np.array([0]), np.array([30])
    batch = windows.gather(*index)
    past = batch.past.copy()
    past[0, -7:, 0] = np.nan
    late = np.array([[7]])
    one = bridged(going_on, windows, batch._replace(past=past), late)
    values = panel.values.copy()
    values[30:] = 1e6
    values[23:30, 0] = np.nan
    panel.values[:] = values
    other = HostWindows(panel, context_length=CONTEXT, horizon=HORIZON)
    two = bridged(going_on, other, other.gather(*index), late)
    assert_array_equal(one.past, two.past)
