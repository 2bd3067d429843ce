"""From a config to its windows, and to what a forecaster expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.data.windows.splits import split_windows
from forecast.forecasting.spec import Spec

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split


def with_context(config: Config, panel: Panel) -> Config:
    """Return the config with a context that the readings can fill, where it sets none itself."""
    spans = panel.observed_end(targets_only=True) - panel.observed_begin()
    most = max(1, int(spans.max(initial=0)) // 4)
    if config.windows.context is not None or config.context_length <= most:
        return config
    windows = config.windows.model_copy(update={"context": most})
    return config.model_copy(update={"windows": windows})


def spec_of(config: Config) -> Spec:
    """Return what a forecaster of this config expects and promises."""
    columns, covariates = config.data, config.data.covariates
    bounds = config.model.bounds
    return Spec(
        context_length=config.context_length,
        horizon=config.horizon,
        frequency=columns.frequency,
        timezone=columns.timezone,
        targets=columns.targets,
        past=covariates.past,
        known=covariates.known,
        static=covariates.static,
        calendar=covariates.calendar,
        holidays=columns.holidays,
        season=config.season,
        levels=config.model.quantile_levels,
        bounds=tuple(bounds.get(name, (None, None)) for name in columns.targets) if bounds else (),
        min_observed=config.windows.min_observed,
    )


def split_of(config: Config, panel: Panel) -> Split:
    """Return the config's split of a panel; what is thin about it stands in `Split.warnings`.

    Raises
    ------
    DataError
        When the panel is too short for the parts.
    """
    parts = config.split
    return split_windows(
        panel,
        context_length=config.context_length,
        horizon=config.horizon,
        train=parts.train,
        dev=parts.dev,
        test=parts.test,
        calibration=parts.calibration,
        scheme=parts.scheme,
        stride=config.windows.stride,
        min_observed=config.windows.min_observed,
        season=config.season,
    )
