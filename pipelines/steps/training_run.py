"""Steps that all trainings share: backtest against naive forecasts, figures, registration."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from forecast.data.panel.panel import instant_text
from forecast.evaluation.beside import MODEL, naive_forecasts
from pipelines.steps.experiment import config_fingerprint, history_frame
from pipelines.steps.freshness import cutoff_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.data.windows.window_index import WindowIndex
    from forecast.evaluation.backtest import Backtest
    from forecast.forecasting.experiment import Experiment
    from forecast.forecasting.forecaster import Forecaster
    from forecast.training.fitting import Fitted
    from pipelines.tracking import Run, Version


def backtest_of(
    experiment: Experiment, forecasters: Mapping[str, Forecaster], index: WindowIndex
) -> Backtest:
    """Forecast the same windows with models, persistence and the seasonal naive."""
    from forecast.evaluation.backtest import run_backtest

    return run_backtest(
        experiment.panel,
        index,
        {**forecasters, **naive_forecasts(experiment)},
        horizon=experiment.config.horizon,
        season=experiment.config.season,
        train_end=experiment.split.train_end,
    )


def scores_of(backtest: Backtest) -> dict[str, dict[str, float]]:
    """Return every predictor's scores, including those that `objective.metric` names."""
    from forecast.evaluation.backtest import score_table

    scores = score_table(backtest)
    for numbers in scores.values():
        numbers["mse"] = numbers["rmse"] ** 2
        if "crps" in numbers:
            numbers["pinball"] = numbers["crps"] / 2
    return scores


def numbers_of(
    fitted: Fitted, dev: dict[str, dict[str, float]], test: dict[str, dict[str, float]]
) -> dict[str, float]:
    """Return the final metrics of a run: dev and test by predictor, and how training went."""
    numbers = {f"dev_{name}": value for name, value in dev[MODEL].items()}
    for who, scores in test.items():
        prefix = "test" if who == MODEL else f"test_{who.replace(' ', '_')}"
        numbers |= {f"{prefix}_{name}": value for name, value in scores.items()}
    numbers["best_epoch"] = fitted.fit.best_epoch + 1
    if fitted.fit.windows_per_s:  # none where a resumed training had nothing left to train
        numbers["windows_per_s"] = fitted.fit.windows_per_s
    return numbers


def log_figures(fitted: Fitted, test: Backtest, tracked: Run) -> None:
    """Log the learning curve, the error of every step, and forecasts with actuals."""
    from forecast.evaluation import figures

    curve = figures.learning_curve(fitted.fit.history, best_epoch=fitted.fit.best_epoch)
    steps = figures.error_per_step(test)
    shown = figures.forecast_panels(test, figures.newest_windows(test))
    tracked.log_figure("learning_curve", curve)
    tracked.log_figure("error_per_step", steps)
    tracked.log_figure("forecast_against_actual", shown)


def register(
    experiment: Experiment, *, fitted: Fitted, tracked: Run, numbers: dict[str, float]
) -> Version:
    """Save the bundle, log it as a model and register it."""
    config, panel, spans = experiment.config, experiment.panel, experiment.split.spans
    learned = max(int(spans[part].max()) for part in ("train", "calibration", "dev")) - 1
    origin = {
        "data_until": instant_text(panel, cutoff_now(config, panel)),
        "learned_until": instant_text(panel, learned),
        "config": config.resolved(),
        "config_fingerprint": config_fingerprint(config),
        "data_fingerprint": panel.fingerprint,
        "run_id": tracked.run_id,
        "metrics": {name: value for name, value in numbers.items() if math.isfinite(value)},
    }
    forecaster = replace(fitted.final, origin=origin)
    folder = config.work_folder.absolute() / "bundle"
    forecaster.save(folder)
    history = history_frame(panel, cutoff_now(config, panel), steps=config.context_length)
    version = tracked.log_bundle(
        folder, config, history=history, forecast=forecaster.forecast(history)
    )
    assert version is not None  # rank zero always registers
    return version
