"""The seasonal naive in place of a champion, with bands from its own newest errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.windows.splits import rolling_origins
from forecast.evaluation.naive_baselines import Naive
from forecast.forecasting.fallback import join_flags

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.predictor import Forecast
    from forecast.data.windows.window_index import WindowIndex

VERSION = "seasonal-naive"  # in place of a champion's version
FLAG = "fallback:seasonal_naive"
SEASONS = 28  # seasons of its own errors from which the bands are made


@dataclass(frozen=True)
class StandIn:
    """The seasonal naive forecast, flagged and clipped to the config's bounds."""

    naive: Naive
    series_ids: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def fit(cls, config: Config, panel: Panel, cutoff: int) -> StandIn | None:
        """Learn the bands from cutoffs whose horizon ends at or before a cutoff (grid index).

        None if no such cutoff has an actual.
        """
        horizon, last = config.horizon, cutoff - config.horizon
        first = last - max(2 * horizon, SEASONS * config.season)
        index = rolling_origins(panel, horizon=horizon, first=first, last=last)
        if not len(index.series):
            return None
        levels = config.model.quantile_levels
        naive = Naive.fit(panel, index, horizon=horizon, season=config.season, levels=levels)
        bounds = [config.model.bounds.get(name, (None, None)) for name in panel.targets]
        low = tuple(-np.inf if low is None else low for low, _ in bounds)
        high = tuple(np.inf if high is None else high for _, high in bounds)
        return cls(naive, panel.series_ids, low, high)

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window of the index, in its order.

        The panel may be a part of the one that the bands were learned from.
        """
        found = self._of(panel).predict(panel, index, batch_size=batch_size)
        low, high = np.array(self.low, np.float32), np.array(self.high, np.float32)
        return replace(
            found,
            point=np.clip(found.point, low, high),
            quantiles=np.clip(found.quantiles, low[:, None], high[:, None]),
            flag=join_flags(found.flag, FLAG),
        )

    def _of(self, panel: Panel) -> Naive:
        """Return the naive forecast of the series that a part of the panel holds."""
        band = self.naive.band
        if band is None or not panel.series_ids:
            return self.naive
        first = self.series_ids.index(panel.series_ids[0])
        spread = band.spread[first : first + len(panel.series_ids)]
        return replace(self.naive, band=replace(band, spread=spread))
