"""The seasonal naive in place of a champion."""

import numpy as np

from forecast.evaluation.naive_baselines import Naive
from forecast.forecasting.spec import index_at
from pipelines.steps.stand_in import StandIn
from tests.builders import sine_panel
from tests.tiny import tiny_split


def test_some_series_alone_are_forecast_as_all_together():
    panel = sine_panel(300, 12, series=5, noise=0.2)
    naive = Naive.fit(panel, tiny_split(panel).train, horizon=6, season=12)
    stand_in = StandIn(naive, panel.series_ids, (-np.inf,), (np.inf,))
    cutoff = int(panel.start[0]) + 280
    whole = stand_in.predict(panel, index_at(panel, cutoff))
    assert len(np.unique(naive.band.spread)) == 5
    part = panel.part(2, 4)
    some = stand_in.predict(part, index_at(part, cutoff))
    np.testing.assert_array_equal(some.point, whole.point[2:4])
    np.testing.assert_array_equal(some.quantiles, whole.quantiles[2:4])
