"""The simple methods that every model is compared with, under the names that reports use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.predictor import Predictor
    from forecast.data.windows.splits import Split

MODEL, PERSISTENCE, SEASONAL, RIDGE = "model", "persistence", "seasonal naive", "ridge"


def naive_forecasts(config: Config, panel: Panel, split: Split) -> dict[str, Predictor]:
    """Return persistence and the seasonal naive, their bands fitted on train."""
    from forecast.evaluation.naive_baselines import Naive

    levels, horizon = config.model.quantile_levels, config.horizon
    return {
        name: Naive.fit(panel, split.train, horizon=horizon, season=season, levels=levels)
        for name, season in ((PERSISTENCE, 1), (SEASONAL, config.season))
    }


def simple_forecasts(config: Config, panel: Panel, split: Split) -> dict[str, Predictor]:
    """Return persistence, the seasonal naive and a ridge regression, fitted on train."""
    from forecast.evaluation.ridge_baseline import Inputs, Ridge

    columns = config.data
    inputs = Inputs(
        config.context_length, config.horizon, columns.covariates.calendar, columns.holidays
    )
    ridge = Ridge.fit(panel, split, inputs=inputs, levels=config.model.quantile_levels)
    return {**naive_forecasts(config, panel, split), RIDGE: ridge}
