"""A window's forecast is the same to the last bit, whatever it is computed beside."""

import numpy as np
import pytest
import torch

from forecast.config.modelling import Model
from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.even_forward import side_by_side
from forecast.forecasting.torch_engine import TorchEngine
from tests.tiny import tiny_panel, tiny_untrained


def forecaster_of(panel, kind, cell):
    model = Model(kind=kind, cell=cell, hidden_size=48, layers=2, quantile_levels=(0.1, 0.5, 0.9))
    forecaster = tiny_untrained(panel, model=model)
    forecaster.network.eval()
    return forecaster


def windows(panel):
    """Of both series; some begin before the readings do, some in a gap."""
    cutoff = np.arange(5, 205, dtype=np.int64)
    return WindowIndex(np.tile([0, 1], 100), cutoff)


def some(index, rows):
    return WindowIndex(index.series[rows], index.cutoff[rows])


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole"])
@pytest.mark.parametrize("kind", ["segment", "direct", "recursive", "aligned"])
def test_neighbours_batches_and_threads_change_no_bit(kind, cell):
    panel = tiny_panel(300)
    panel.values[60:80] = np.nan
    forecaster = forecaster_of(panel, kind, cell)
    index = windows(panel)
    whole = forecaster.predict(panel, index)
    before = torch.get_num_threads()
    try:
        for rows in ([0], [199, 3, 77], range(37, 120)):
            for threads, batch_size in ((1, 128), (2, 50)):
                torch.set_num_threads(threads)
                part = forecaster.predict(panel, some(index, list(rows)), batch_size=batch_size)
                np.testing.assert_array_equal(part.point, whole.point[list(rows)])
                np.testing.assert_array_equal(part.quantiles, whole.quantiles[list(rows)])
                assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_what_is_done_side_by_side_comes_in_order_and_may_fail():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        engine = TorchEngine(forecaster_of(tiny_panel(300), "direct", "lstm").network)
        found = side_by_side(lambda n: (n, torch.get_num_threads()), range(5), engine)
        assert found == [(n, 1) for n in range(5)]
        with pytest.raises(ZeroDivisionError):
            side_by_side(lambda n: 1 / n, [1, 0], engine)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
