"""`forecast train`: panel to trained, calibrated, evaluated, tracked, registered model.

Test is read once, after every choice is made. It touches no forecast files, and no other model
but the champion's alias.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from pipelines.console import say, table
from pipelines.experiment import (
    checkpoint_folder,
    config_fingerprint,
    fit_config,
    history_frame,
    split_of,
)
from pipelines.lock import rank, run_lock
from pipelines.prepare import run as prepare
from pipelines.tracking import (
    CHALLENGER,
    CHAMPION,
    Version,
    alias_version,
    crown,
    set_alias,
    start_run,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.splits import Split
    from forecast.data.windows import WindowIndex
    from forecast.evaluation.backtest import Backtest
    from forecast.fitting import Fitted
    from forecast.forecaster import Forecaster
    from pipelines.tracking import Run

MODEL, PERSISTENCE, SEASONAL = "model", "persistence", "seasonal naive"


def run(config: Config) -> int | None:
    """Train the config's model and register it; continues an interrupted training.

    Raises
    ------
    ForecastError
        Of the kind of the fault.
    """
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    with run_lock(config.work_folder, "train"):
        panel = prepare(config)
        split = split_of(config, panel)
        folder = checkpoint_folder(config, panel)
        with start_run(config, kind="train") as tracked:
            fitted = fit_config(config, panel, split, folder=folder, on_epoch=tracked.log_epoch)
            if rank() == 0:
                _finish(config, panel, split, fitted, tracked)
        if rank() == 0:
            from forecast.training.fit import forget

            forget(folder)
    return None


def _finish(config: Config, panel: Panel, split: Split, fitted: Fitted, tracked: Run) -> None:
    """Judge on dev, read test once, record, register, report."""
    models = {MODEL: fitted.forecaster}
    dev = backtest_of(config, panel, split, models, split.dev)
    test = backtest_of(config, panel, split, models, split.test)
    dev_scores, test_scores = scores_of(dev), scores_of(test)
    numbers = numbers_of(fitted, dev_scores, test_scores)
    tracked.log_metrics({name: value for name, value in numbers.items() if math.isfinite(value)})
    tracked.set_tags(
        {"data_fingerprint": panel.fingerprint, "config_fingerprint": config_fingerprint(config)}
    )
    tracked.describe(_in_words(config, test_scores))
    log_figures(fitted, test, tracked)
    version = register(config, panel, split, fitted=fitted, tracked=tracked, numbers=numbers)
    _report(config, test_scores, fitted)
    _move_alias(config, version, config.objective.violations(dev_scores[MODEL]))


def backtest_of(
    config: Config,
    panel: Panel,
    split: Split,
    forecasters: Mapping[str, Forecaster],
    index: WindowIndex,
) -> Backtest:
    """Forecast windows with models, persistence and the seasonal naive, side by side.

    Intervals of the models are conformed at each cutoff, as `forecast predict` does it.
    """
    from forecast.evaluation.backtest import run_backtest
    from forecast.evaluation.baselines import Naive
    from forecast.live import Live

    levels, horizon = config.model.quantile_levels, config.horizon
    naive = {
        name: Naive.fit(panel, split.train, horizon=horizon, season=season, levels=levels)
        for name, season in ((PERSISTENCE, 1), (SEASONAL, config.season))
    }
    return run_backtest(
        panel,
        index,
        {**{name: Live(one) for name, one in forecasters.items()}, **naive},
        horizon=horizon,
        season=config.season,
        train_end=split.train_end,
    )


def scores_of(backtest: Backtest) -> dict[str, dict[str, float]]:
    """Return every predictor's scores by name, the names of `objective.metric` among them."""
    from forecast.evaluation.backtest import score_table

    scores = score_table(backtest)
    for one in scores.values():
        one["mse"] = one["rmse"] ** 2
        if "crps" in one:
            one["pinball"] = one["crps"] / 2
    return scores


def _in_words(config: Config, scores: dict[str, dict[str, float]]) -> str:
    """Return the error on test beside the baselines', as a line for the run's description."""
    metric = config.objective.metric
    errors = [f"{name} {one[metric]:.4g}" for name, one in scores.items() if metric in one]
    covered = scores[MODEL].get("coverage_80")
    interval = "" if covered is None else f"; 80 % intervals cover {covered:.0%}"
    return f"{metric} on test: {', '.join(errors)}{interval}"


def numbers_of(
    fitted: Fitted, dev: dict[str, dict[str, float]], test: dict[str, dict[str, float]]
) -> dict[str, float]:
    """Return the final metrics of a run: dev and test by predictor, and how training went."""
    numbers = {f"dev_{name}": value for name, value in dev[MODEL].items()}
    for who, scores in test.items():
        prefix = "test" if who == MODEL else f"test_{who.replace(' ', '_')}"
        numbers |= {f"{prefix}_{name}": value for name, value in scores.items()}
    numbers["best_epoch"] = fitted.fit.best_epoch + 1
    numbers["windows_per_s"] = fitted.fit.windows_per_s
    return numbers


def log_figures(fitted: Fitted, test: Backtest, tracked: Run) -> None:
    """Log the learning curve, the error of every step, and forecasts beside what came."""
    from forecast.evaluation import figures

    curve = figures.learning_curve(fitted.fit.history, best_epoch=fitted.fit.best_epoch)
    steps = figures.error_per_step(test)
    shown = figures.forecast_panels(test, figures.newest_windows(test))
    tracked.log_figure("learning_curve", curve)
    tracked.log_figure("error_per_step", steps)
    tracked.log_figure("forecast_against_actual", shown)


def register(
    config: Config,
    panel: Panel,
    split: Split,
    *,
    fitted: Fitted,
    tracked: Run,
    numbers: dict[str, float],
) -> Version:
    """Save the bundle, log it as a model and register it."""
    from forecast.spec import newest_cutoff

    learned = max(int(split.spans[part].max()) for part in ("train", "calibration", "dev")) - 1
    origin = {
        "data_until": instant_text(panel, newest_cutoff(panel)),
        "learned_until": instant_text(panel, learned),
        "config": config.resolved(),
        "config_fingerprint": config_fingerprint(config),
        "data_fingerprint": panel.fingerprint,
        "run_id": tracked.run_id,
        "metrics": {name: value for name, value in numbers.items() if math.isfinite(value)},
    }
    forecaster = replace(fitted.forecaster, origin=origin)
    folder = config.work_folder.absolute() / "bundle"
    forecaster.save(folder)
    history = history_frame(panel, newest_cutoff(panel), steps=config.context_length)
    version = tracked.log_bundle(
        folder, config, history=history, forecast=forecaster.forecast(history)
    )
    assert version is not None  # rank zero always registers
    return version


def instant_text(panel: Panel, step: int) -> str:
    """Return when a grid step is, as ISO 8601 in UTC."""
    instant = int(panel.grid.time(np.array([step], dtype=np.int64))[0])
    return datetime.fromtimestamp(instant / 1e9, UTC).isoformat()


def _report(config: Config, scores: dict[str, dict[str, float]], fitted: Fitted) -> None:
    """Print the test error beside the naive forecasts."""
    metric = config.objective.metric
    own = scores[MODEL][metric]
    rows = [
        [
            name,
            one[metric],
            one["mae"],
            one["rmse"],
            one.get("coverage_80", math.nan),
            "" if name == MODEL else f"{100 * (1 - own / one[metric]):+.0f} %",
        ]
        for name, one in scores.items()
        if metric in one
    ]
    columns = ["forecast", metric, "mae", "rmse", "80 % interval covers", "model better by"]
    if metric in {"mae", "rmse"}:
        columns.pop(1)
        for row in rows:
            row.pop(1)
    table(f"{config.name}: error on test, read once", columns, rows)
    say(
        f"best of {len(fitted.fit.history)} epochs: {fitted.fit.best_epoch + 1}, "
        f"dev {metric} {fitted.fit.best_score:.4g}"
    )


def _move_alias(config: Config, version: Version, broken: list[str]) -> None:
    """Make the new version champion, unless it breaks a constraint and there is another."""
    before = alias_version(config, CHAMPION)
    if broken and before is not None:
        set_alias(config, CHALLENGER, version.number)
        say(
            f"version {version.number} breaks a constraint on dev: {'; '.join(broken)}; version "
            f"{before.number} stays champion"
        )
        return
    crown(config, version.number)
    for fault in broken:
        say(f"warning: a constraint does not hold on dev: {fault}", error=True)
    was = f", version {before.number} was before" if before else ""
    say(f"version {version.number} of {version.name} is the champion{was}")
