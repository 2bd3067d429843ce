"""The simple methods that every model is compared with, under the names that reports use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecast.data.windows.predictor import Predictor
    from forecast.forecasting.experiment import Experiment

MODEL, PERSISTENCE, SEASONAL, RIDGE = "model", "persistence", "seasonal naive", "ridge"


def naive_forecasts(experiment: Experiment) -> dict[str, Predictor]:
    """Return persistence and the seasonal naive, their bands fitted on train."""
    from forecast.evaluation.naive_baselines import Naive

    config, panel, train = experiment.config, experiment.panel, experiment.split.train
    levels, horizon = config.model.quantile_levels, config.horizon
    return {
        name: Naive.fit(panel, train, horizon=horizon, season=season, levels=levels)
        for name, season in ((PERSISTENCE, 1), (SEASONAL, config.season))
    }


def simple_forecasts(experiment: Experiment) -> dict[str, Predictor]:
    """Return persistence, the seasonal naive and a ridge regression, fitted on train."""
    from forecast.evaluation.ridge_baseline import Inputs, Ridge

    config, columns = experiment.config, experiment.config.data
    inputs = Inputs(
        config.context_length, config.horizon, columns.covariates.calendar, columns.holidays
    )
    levels = config.model.quantile_levels
    ridge = Ridge.fit(experiment.panel, experiment.split, inputs=inputs, levels=levels)
    return {**naive_forecasts(experiment), RIDGE: ridge}
