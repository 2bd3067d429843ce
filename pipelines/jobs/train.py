"""`forecast train`: panel to trained, calibrated, evaluated, tracked, registered model.

Test is read once, after every choice that makes the model. The same scores decide, in the gate,
whether the model replaces the champion.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from forecast.errors import ModelError
from forecast.evaluation.beside import MODEL
from forecast.ranks import rank
from forecast.text import better_by, counted
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.champion import INCUMBENT, load_comparable, unlike_file, with_champion
from pipelines.steps.experiment import (
    checkpoint_folder,
    close_training,
    config_fingerprint,
    experiment_of,
    fit_config,
    keep_run,
    kept_run,
    remove_stale_trainings,
)
from pipelines.steps.gate import Decision, judge
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.training_run import backtest_of, log_figures, numbers_of, register, scores_of
from pipelines.tracking import (
    CHALLENGER,
    CHAMPION,
    Version,
    alias_version,
    champion_before,
    champion_bundle,
    crown,
    set_alias,
    start_run,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.evaluation.backtest import Backtest
    from forecast.forecasting.experiment import Experiment
    from forecast.training.fitting import Fitted
    from pipelines.tracking import Run


def run(config: Config) -> int | None:
    """Train the config's model and register it; continues an interrupted training.

    Raises
    ------
    ConfigError
        The split or the model does not fit the data.
    DataError
        The tables or the panel cannot be read, or are too short.
    ModelError
        The training fails, or weights to start from do not fit.
    TrackingError
        The tracking store cannot be reached.
    LockError
        Another training of this config runs.
    """
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    with run_lock(config.work_folder, "train"):
        panel = prepare(config)
        experiment = experiment_of(config, panel)
        config = experiment.config
        folder = checkpoint_folder(config, panel)
        remove_stale_trainings(config, panel)
        with start_run(config, kind="train", run_id=kept_run(folder)) as tracked:
            keep_run(folder, tracked.run_id, panel)
            fitted = fit_config(experiment, folder=folder, on_epoch=tracked.log_epoch)
            if rank() == 0:
                if fitted.fit.resumed_epoch:
                    tracked.log_missing(fitted.fit.history)
                _finish(experiment, fitted, tracked)
        if rank() == 0:
            close_training(folder)
    return None


def _finish(experiment: Experiment, fitted: Fitted, tracked: Run) -> None:
    """Score on dev, read test once, record, register, report."""
    config, panel, split = experiment.config, experiment.panel, experiment.split
    dev = backtest_of(experiment, {MODEL: fitted.forecaster}, split.dev)
    test = backtest_of(experiment, {MODEL: fitted.final}, split.test)
    dev_scores, test_scores = scores_of(dev), scores_of(test)
    numbers = numbers_of(fitted, dev_scores, test_scores)
    finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
    tracked.log_metrics(finite, after=len(fitted.fit.history))
    tracked.set_tags(
        {"data_fingerprint": panel.fingerprint, "config_fingerprint": config_fingerprint(config)}
    )
    tracked.describe(_in_words(config, test_scores))
    log_figures(fitted, test, tracked)
    version = register(experiment, fitted=fitted, tracked=tracked, numbers=numbers)
    _report(config, test_scores, fitted)
    broken = config.objective.violations(dev_scores[MODEL])
    decision = _decision(config, panel, test, broken, version)
    tracked.set_tags({"decision": decision.reason})
    _move_alias(config, version, decision)
    if lost := beaten(config.objective.metric, {"dev": dev_scores, "test": test_scores}):
        say(lost, error=True)


def beaten(metric: str, parts: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Return in words where a simple method's error is below the model's; empty if nowhere.

    Parameters
    ----------
    parts
        Scores by part and predictor.
    """
    found = []
    for part, scores in parts.items():
        own = scores[MODEL][metric]
        others = {name: numbers[metric] for name, numbers in scores.items() if metric in numbers}
        best = min(others, key=lambda name: (others[name], name != MODEL))
        if others[best] < own:
            found.append(f"{part} {metric} {others[best]:.4g} of {best}, {own:.4g} of the model")
    if not found:
        return ""
    return (
        f"warning: a simple method forecasts better: {'; '.join(found)}; `forecast evaluate` shows "
        "where, more readings or covariates may mend it"
    )


def _in_words(config: Config, scores: dict[str, dict[str, float]]) -> str:
    """Return the test errors of model and baselines, as a line for the run's description."""
    metric = config.objective.metric
    errors = [
        f"{name} {numbers[metric]:.4g}" for name, numbers in scores.items() if metric in numbers
    ]
    covered = scores[MODEL].get("coverage_80")
    interval = "" if covered is None else f"; 80 % intervals cover {covered:.0%}"
    return f"{metric} on test: {', '.join(errors)}{interval}"


def _report(config: Config, scores: dict[str, dict[str, float]], fitted: Fitted) -> None:
    """Print the test errors of the model and of the naive forecasts."""
    metric = config.objective.metric
    own = scores[MODEL][metric]
    rows = [
        [
            name,
            numbers[metric],
            numbers["mae"],
            numbers["rmse"],
            numbers.get("coverage_80", math.nan),
            "" if name == MODEL else better_by(own, numbers[metric]),
        ]
        for name, numbers in scores.items()
        if metric in numbers
    ]
    columns = ["forecast", metric, "mae", "rmse", "80 % interval covers", "model better by"]
    if metric in {"mae", "rmse"}:
        columns.pop(1)
        for row in rows:
            row.pop(1)
    table(f"{config.name}: error on test, read once", columns, rows)
    say(
        f"best of {counted(len(fitted.fit.history), 'epoch')}: {fitted.fit.best_epoch + 1}, "
        f"dev {metric} {fitted.fit.best_score:.4g}"
    )
    for note in fitted.notes:
        say(note)


def _move_alias(config: Config, version: Version, decision: Decision) -> None:
    """Make the new version champion, or challenger if the champion stays."""
    before = alias_version(config, CHAMPION)
    if before is not None and not decision.is_promoted:
        set_alias(config, CHALLENGER, version.number)
        say(
            f"version {before.number} stays champion, {version.number} is the challenger: "
            f"{decision.reason}; `forecast promote` moves the alias by hand"
        )
        return
    crown(config, version.number)  # again, if a killed training got so far: it fetches the bundle
    replaced = champion_before(config, version.number)
    was = f", version {replaced} was before: {decision.reason}" if replaced else ""
    say(f"version {version.number} of {version.name} is the champion{was}")


def _decision(
    config: Config, panel: Panel, test: Backtest, broken: list[str], version: Version
) -> Decision:
    """Compare with the champion on the windows of test; the first model becomes champion."""
    before = alias_version(config, CHAMPION)
    if before is not None and before.number == version.number:
        return Decision(True, "decided before this training was interrupted")
    if before is None:
        for fault in broken:
            say(f"warning: a constraint does not hold on dev: {fault}", error=True)
        return Decision(True, "the first")
    try:
        champion = load_comparable(config, panel, champion_bundle(config, before.number))
    except ModelError as fault:
        unlike = unlike_file(config)
        if unlike:
            return Decision(False, f"not comparable: {'; '.join(unlike)}")
        return Decision(True, f"not comparable: {fault}")
    return judge(config, with_champion(test, panel, champion), champion=INCUMBENT, challenger=MODEL)
