import numpy as np
import torch
from numpy.testing import assert_array_equal

from forecast.data.windows.windows import Windows
from forecast.forecasting.bridge import bridged
from tests.builders import ramp_panel

CONTEXT, HORIZON = 10, 4


def ramp_windows(series=3):
    """Values that are their own index, one covariate beside them."""
    panel = ramp_panel(60, series=series, past=1)
    return panel, Windows(panel, context_length=CONTEXT, horizon=HORIZON)


def going_on(batch):
    """Forecasts one more than the newest value, one more than that, and so on."""
    newest = batch.past[:, -1:, :1]
    assert not newest.isnan().any()
    return newest + torch.arange(1, HORIZON + 1)[None, :, None]


def test_gaps_of_any_length_are_filled_by_forecasts_of_forecasts():
    _, windows = ramp_windows()
    whole = windows.gather(torch.tensor([0, 1, 2]), torch.tensor([30, 30, 30]))
    late = torch.tensor([[0], [3], [9]])
    past = whole.past.clone()
    past[1, -3:] = past[2, -9:] = torch.nan
    asked = []

    def point(batch):
        asked.append(batch.cutoff.tolist())
        return going_on(batch)

    found = bridged(point, windows, whole._replace(past=past), late)
    assert_array_equal(found.past[..., 0], whole.past[..., 0])
    assert found.past[1, -3:, 1].isnan().all()  # covariates are not guessed
    assert asked == [[27, 21], [30, 25], [30, 29]]
    assert_array_equal(past[0], whole.past[0])


def test_readings_that_came_and_other_targets_stay():
    _, windows = ramp_windows(1)
    whole = windows.gather(torch.tensor([0]), torch.tensor([30]))
    past = whole.past.clone()
    past[0, -2:, 0] = torch.nan
    past[0, 3, 0] = torch.nan
    found = bridged(
        lambda b: going_on(b) * 0 - 1, windows, whole._replace(past=past), torch.tensor([[2]])
    )
    assert_array_equal(found.past[0, -2:, 0], [-1, -1])
    assert found.past[0, 3, 0].isnan()
    assert_array_equal(found.past[0, -4:-2], whole.past[0, -4:-2])


def test_nothing_behind_the_cutoff_is_read():
    panel, windows = ramp_windows(1)
    index = torch.tensor([0]), torch.tensor([30])
    batch = windows.gather(*index)
    past = batch.past.clone()
    past[0, -7:, 0] = torch.nan
    late = torch.tensor([[7]])
    one = bridged(going_on, windows, batch._replace(past=past), late)
    values = panel.values.copy()
    values[30:] = 1e6
    values[23:30, 0] = np.nan
    panel.values[:] = values
    other = Windows(panel, context_length=CONTEXT, horizon=HORIZON)
    two = bridged(going_on, other, other.gather(*index), late)
    assert_array_equal(one.past, two.past)
