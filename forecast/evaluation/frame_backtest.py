"""A backtest for the front door: rolling cutoffs at the end of a panel, as a frame with scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.config.duration import count_steps
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.splits import rolling_origins
from forecast.data.windows.window_index import WindowIndex
from forecast.errors import ConfigError, DataError
from forecast.evaluation.backtest import Backtest, run_backtest, score_table
from forecast.evaluation.beside import MODEL, simple_forecasts
from forecast.forecasting.experiment import Experiment
from forecast.forecasting.forecast_table import Provenance, forecast_table
from forecast.forecasting.from_config import split_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.forecasting.forecaster import Forecaster

    Fit = Callable[[Experiment], Forecaster]

SHOWN = ("mae", "rmse", "mase", "crps", "coverage_80", "count")


@dataclass(frozen=True)
class FrameBacktest:
    """Forecasts at past cutoffs, with the actuals.

    Attributes
    ----------
    frame
        The columns of the forecast files and `y`, the actual (NaN where missing).
    """

    frame: pd.DataFrame
    _backtest: Backtest

    def scores(self) -> pd.DataFrame:
        """Return one row for the model and one per simple method; scores in the targets' units."""
        table = score_table(self._backtest)
        rows = {name: {key: row.get(key) for key in SHOWN} for name, row in table.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("forecast")

    def plot(self) -> Figure:
        """Draw the newest window of a few series: forecast, 80 % band and actual."""
        from forecast.evaluation import figures

        return figures.forecast_panels(self._backtest, figures.newest_windows(self._backtest))


def backtest_windows(
    config: Config, panel: Panel, fit: Fit, *, windows: int, step: str | int | None, refit: bool
) -> FrameBacktest:
    """Forecast the newest `windows` cutoffs of a panel, `step` apart, and keep the actuals.

    Parameters
    ----------
    fit
        Trains on a split: called once, or with `refit` for each cutoff. The simple methods are
        fitted once, on the data before the first cutoff.

    Raises
    ------
    ConfigError
        When the number of windows or the step is below 1.
    DataError
        When the panel is too short.
    """
    stride = config.horizon if step is None else count_steps(step, config.data.frequency)
    if windows < 1 or stride < 1:
        raise ConfigError(
            f"windows and step must be at least 1, found {windows} windows, {stride} steps apart"
        )
    stop = int((panel.start + panel.observed_end(targets_only=True)).max())
    experiment = _held_out(config, panel, (windows - 1) * stride + config.horizon)
    index = rolling_origins(
        panel,
        horizon=config.horizon,
        first=stop - (windows - 1) * stride - config.horizon - 1,
        last=stop - config.horizon - 1,
        stride=stride,
    )
    if not len(index.series):
        raise DataError("no series has readings behind one of the backtest's cutoffs")
    model = _Refitting(config, fit, stop) if refit else fit(experiment)
    backtest = run_backtest(
        panel,
        index,
        {MODEL: model, **simple_forecasts(experiment)},
        horizon=config.horizon,
        season=config.season,
        train_end=experiment.split.train_end,
    )
    frame: pd.DataFrame = forecast_table(backtest.forecasts[MODEL], panel, Provenance()).to_pandas()
    frame.insert(5, "y", np.swapaxes(backtest.actual, 1, 2).ravel())
    return FrameBacktest(frame, backtest)


def _held_out(config: Config, panel: Panel, steps: int) -> Experiment:
    """Return the experiment with the newest `steps` (two horizons at least) as its test."""
    parts = {"test": max(steps, 2 * config.horizon), "scheme": "chronological"}
    split = config.split.model_copy(update=parts)
    return Experiment(config, panel, split_of(config.model_copy(update={"split": split}), panel))


@dataclass(frozen=True)
class _Refitting:
    """A predictor that is trained again for each cutoff, on the data before it."""

    config: Config
    fit: Fit
    stop: int  # grid index behind the newest reading

    def predict(self, panel: Panel, index: WindowIndex, *, batch_size: int = 128) -> Forecast:
        """Forecast every window of the index, in its order."""
        first_step = panel.start[index.series] + index.cutoff
        parts, rows = [], []
        for step in np.unique(first_step):
            own = np.flatnonzero(first_step == step)
            model = self.fit(_held_out(self.config, panel, self.stop - int(step)))
            some = WindowIndex(index.series[own], index.cutoff[own])
            parts.append(model.predict(panel, some, batch_size=batch_size))
            rows.append(own)
        order = np.argsort(np.concatenate(rows))

        def joined(name: str) -> Any:
            return np.concatenate([getattr(part, name) for part in parts])[order]

        return Forecast(
            series=index.series,
            cutoff=index.cutoff,
            point=joined("point"),
            quantiles=joined("quantiles"),
            levels=parts[0].levels,
            flag=joined("flag"),
        )
