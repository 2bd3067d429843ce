"""The Python interface: a frame of readings in, a frame of forecasts out.

It uses the same config, panel, training, bands and columns as the command line.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from forecast.config import config_of
from forecast.data.grid import Grid
from forecast.data.panel.any_frame import joined, static_rows
from forecast.data.panel.frame_times import FrameTimes
from forecast.data.panel.from_frame import panel_by_rules
from forecast.data.panel.rules import panel_spec
from forecast.errors import ConfigError, DataError, ModelError
from forecast.evaluation.frame_backtest import FrameBacktest, backtest_windows
from forecast.forecasting.experiment import Experiment
from forecast.forecasting.forecast_table import quantile_columns
from forecast.forecasting.forecaster import Forecaster as Trained
from forecast.training.allocator import keep_freed_memory
from forecast.training.fit import nothing
from forecast.training.fit_experiment import fit_experiment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.figure import Figure

    from forecast.data.panel import Panel
    from forecast.training.fitting import Fitted


class Forecaster:
    """An LSTM forecaster of many series, trained on a frame.

    A frame has one row per reading: `unique_id` (optional with one series), `ds`, the targets and
    the covariates; NaN means missing. It may be a pandas frame, or any table that exports Arrow
    (polars, pyarrow).

    Parameters
    ----------
    horizon
        How far the forecast reaches: a duration such as `24h`, or steps.
    frequency
        Length of one step: `1h`, `15min`, `1d`.
    context
        The past that the model reads; chosen from horizon and season unless given.
    targets
        Columns to forecast.
    covariates
        Columns that help, by how far they are known: `past`, `known` (into the future), `static`,
        and `calendar` (names of features computed from the time).
    timezone
        IANA zone of timestamps without an offset, and of local hours.
    settings
        Any other section of the config by its name: `{"training": {"epochs": 5}}`.

    Raises
    ------
    ConfigError
        Naming every setting that is wrong.

    Examples
    --------
    >>> Forecaster(horizon="24h", frequency="1h", context="7d").config.context_length
    168
    """

    def __init__(
        self,
        horizon: str | int,
        *,
        frequency: str,
        context: str | int | None = None,
        targets: str | Sequence[str] = "y",
        covariates: Mapping[str, Sequence[str]] | None = None,
        timezone: str = "UTC",
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        more = {section: dict(values) for section, values in (settings or {}).items()}
        columns = {
            "source": "frame",
            "frequency": frequency,
            "targets": [targets] if isinstance(targets, str) else list(targets),
            "covariates": {role: list(names) for role, names in (covariates or {}).items()},
            "timezone": timezone,
        } | more.pop("data", {})
        windows = {"horizon": horizon, "context": context} | more.pop("windows", {})
        values = {"name": "forecaster", "data": columns, "windows": windows} | more
        self.config = config_of(values, where="Forecaster")
        self._trained: Trained | None = None
        self._history: pd.DataFrame | None = None

    def fit(
        self,
        frame: Any,
        future: Any = None,
        *,
        on_epoch: Callable[[int, dict[str, float]], None] = nothing,
    ) -> Self:
        """Train on a frame, choose the epoch on its newest part, calibrate the bands.

        Parameters
        ----------
        frame
            The readings.
        future
            Rows of known covariates after them.
        on_epoch
            Called with the number and the metrics of each epoch.

        Raises
        ------
        DataError
            When a column is missing or there are too few readings.
        """
        history = joined(frame, future)
        experiment = Experiment.of(self.config, self._panel(history))
        self._trained = _fit(experiment, on_epoch).forecaster
        self._history = history
        return self

    def predict(
        self, history: Any = None, future: Any = None, levels: Sequence[float] | None = None
    ) -> pd.DataFrame:
        """Forecast the horizon after the newest reading, for every series.

        Parameters
        ----------
        history
            Newer readings, or other series; those of `fit` unless given. It should cover a few
            weeks, because the bands adapt to recent errors as far as the history reaches.
        future
            Rows of known covariates for the horizon.
        levels
            Quantile levels of the columns `q0.1` ...; all of `model.quantile_levels` unless given.

        Returns
        -------
        The columns of the forecast files: `unique_id, ds, target, cutoff, step, y_hat, q...,
        model_version, run_id, flag`.

        Raises
        ------
        ModelError
            When nothing has been fitted or loaded.
        DataError
            When there is no history, or it lacks a column that the model needs.
        ConfigError
            When a level was not trained.
        """
        trained = self._ready()
        history = self._history if history is None else history
        if history is None:
            raise DataError("a model that was loaded has no readings of its own: give history")
        table = trained.forecast_newest(self._panel(joined(history, future)))
        return table if levels is None else _with_levels(table, levels)

    def backtest(
        self,
        frame: Any,
        *,
        windows: int = 20,
        step: str | int | None = None,
        refit: bool = False,
    ) -> FrameBacktest:
        """Forecast the newest part of a frame as if live, and compare with simple methods.

        A new model is trained on the data before the first window (with `refit`, before each
        window), so no forecast has seen the actuals it is scored by. This object does not change.

        Parameters
        ----------
        windows
            Number of cutoffs.
        step
            Steps between two cutoffs; a horizon unless given.

        Raises
        ------
        DataError
            When the frame is too short for these windows.
        """
        panel = self._panel(joined(frame, None))
        return backtest_windows(
            self.config,
            panel,
            lambda experiment: _fit(experiment, nothing).final,
            windows=windows,
            step=step,
            refit=refit,
        )

    def plot(
        self, forecast: pd.DataFrame | None = None, *, series: Sequence[str] | None = None
    ) -> Figure:
        """Draw forecasts of a few series with their outermost band, after the readings of `fit`.

        Parameters
        ----------
        forecast
            Result of `predict`; made from the readings of `fit` unless given.
        series
            Ids to draw; the first four unless given.
        """
        from forecast.evaluation.figures import forecast_frame

        table = self.predict() if forecast is None else forecast
        history = self._history
        if history is not None:
            data = self.config.data
            stamps, _ = FrameTimes(Grid(data.frequency, data.timezone)).of(history["ds"])
            history = history.assign(ds=pd.to_datetime(stamps, utc=True))
        return forecast_frame(table, history, series=series)

    def save(self, folder: str | Path) -> Path:
        """Write the model as a bundle: weights and JSON, no readings.

        Raises
        ------
        ModelError
            When nothing has been fitted, or the folder cannot be written.
        """
        self._ready().save(folder)
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a bundle written by `save` or `forecast train`.

        Raises
        ------
        ModelError
            When the bundle is damaged, or newer than this program.
        """
        trained = Trained.load(folder)
        config = config_of(trained.origin["config"], where=f"{folder}: config")
        model = cls.__new__(cls)
        vars(model).update(config=config, _trained=trained, _history=None)
        return model

    def _ready(self) -> Trained:
        if self._trained is None:
            raise ModelError("nothing has been fitted yet; call fit, or Forecaster.load")
        return self._trained

    def _panel(self, frame: pd.DataFrame) -> Panel:
        columns = self.config.data
        static = static_rows(frame, columns.covariates.static)
        return panel_by_rules(
            frame, panel_spec(columns), static=static, available_at=columns.available_at
        )


def _fit(experiment: Experiment, on_epoch: Callable[[int, dict[str, float]], None]) -> Fitted:
    """Train in a temporary folder; the config is stored in the model."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory(prefix="forecast-") as folder:
        fitted = fit_experiment(experiment, Path(folder), on_epoch=on_epoch)
    origin = {"config": experiment.config.resolved()}
    return replace(fitted, forecaster=replace(fitted.final, origin=origin), refitted=None)


def _with_levels(table: pd.DataFrame, levels: Sequence[float]) -> pd.DataFrame:
    """Return a forecast table with only these quantile columns."""
    found = quantile_columns(table)
    asked = [f"q{level:g}" for level in levels]
    absent = [name for name in asked if name not in found]
    if absent:
        raise ConfigError(
            f"levels: {', '.join(name[1:] for name in absent)} not trained; those are "
            f"{', '.join(name[1:] for name in found)} (model.quantile_levels)"
        )
    return table.drop(columns=[name for name in found if name not in asked])
