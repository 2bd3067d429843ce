"""One trial of a search: trained in an MLflow run of its own, judged on dev, told to the study."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.config.objective import Objective
from forecast.errors import ConfigError, DataError, ModelError
from forecast.evaluation.beside import MODEL
from forecast.forecasting.experiment import Experiment
from pipelines.process.console import say
from pipelines.steps.experiment import checkpoint_folder, close_training, fit_config, keep_run
from pipelines.steps.search import Drawn, Settings, own_settings, search_lock, with_settings
from pipelines.steps.training_run import backtest_of, scores_of
from pipelines.tracking import end_run, start_run

if TYPE_CHECKING:
    from optuna import Study, Trial

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.training.fitting import Fitted
    from pipelines.tracking import Run

BROKEN = "broken"  # attribute of a trial: the constraints it breaks, in words
RUN_ID = "run_id"  # and its MLflow run
TIMED = 5  # forecasts of one window that are timed


class Search(NamedTuple):
    """What every trial of a search shares."""

    config: Config
    panel: Panel
    study: Study
    parent_id: str  # MLflow run of the search
    is_alone: bool = True  # no other process trains beside: epochs are shown


def run_trial(search: Search, drawn: Drawn) -> None:
    """Train one trial in an MLflow run under the search's, and tell the study its score."""
    import optuna

    trial, settings = drawn
    name = f"tune: trial {trial.number + 1}"
    say(f"{name}: {words(settings)}")
    config = with_settings(search.config, settings)
    states = optuna.trial.TrialState
    with start_run(config, kind="trial", parent_id=search.parent_id) as child:
        _keep(search, trial, RUN_ID, child.run_id)
        try:
            value, broken = _fit_trial(search, config, trial, child)
        except optuna.TrialPruned:
            _tell(search, trial, state=states.PRUNED)
            child.set_tags({"outcome": "pruned"})
            say(f"{name} is stopped early: it lags behind the others")
            return
        except (ConfigError, DataError, ModelError) as fault:
            if isinstance(fault, DataError) and settings == own_settings(search.config):
                raise  # the readings serve no trial
            _tell(search, trial, state=states.FAIL)
            child.set_tags({"outcome": f"failed: {fault}"})
            say(f"{name} failed: {fault}", error=True)
            return
        _keep(search, trial, BROKEN, broken)
        _tell(search, trial, values=value)
        child.set_tags({"outcome": "; ".join(broken) or "complete"})


def finish_told(config: Config, study: Study) -> None:
    """Close the runs of trials whose score the study has: a kill in between left them open."""
    for trial in study.trials:
        if trial.state.name in ("COMPLETE", "PRUNED") and RUN_ID in trial.user_attrs:
            end_run(config, trial.user_attrs[RUN_ID], "FINISHED")


def words(settings: Settings) -> str:
    """Return settings as a person reads them, by the last word of their keys."""
    return ", ".join(
        f"{key.rpartition('.')[2]} {value:.3g}"
        if isinstance(value, float)
        else f"{key.rpartition('.')[2]} {value}"
        for key, value in settings.items()
    )


def _keep(search: Search, trial: Trial, name: str, value: object) -> None:
    with search_lock(search.config):
        trial.set_user_attr(name, value)


def _tell(search: Search, trial: Trial, **result: Any) -> None:
    with search_lock(search.config):
        search.study.tell(trial, **result)


def _fit_trial(
    search: Search, config: Config, trial: Trial, tracked: Run
) -> tuple[float, list[str]]:
    """Return the score on dev and the constraints that are broken, in words."""
    import optuna

    from forecast.training.fit_experiment import fit_experiment

    panel, metric = search.panel, config.objective.metric
    training = config.training.model_copy(update={"refit": "never"})  # dev is what is asked here
    experiment = Experiment.of(config.model_copy(update={"training": training}), panel)
    config = experiment.config
    folder = checkpoint_folder(config, panel, "tune")

    def on_epoch(epoch: int, numbers: dict[str, float]) -> None:
        tracked.log_epoch(epoch, numbers)
        with search_lock(search.config):
            trial.report(numbers[f"dev_{metric}"], epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    keep_run(folder, tracked.run_id, panel)
    begun = time.monotonic()
    try:
        if search.is_alone:
            fitted = fit_config(experiment, folder=folder, on_epoch=on_epoch)
        else:
            fitted = fit_experiment(experiment, folder, on_epoch=on_epoch)
    except optuna.TrialPruned:
        close_training(folder)
        raise
    if fitted.fit.resumed_epoch:
        tracked.log_missing(fitted.fit.history)
    minutes = _minutes(fitted, time.monotonic() - begun)
    backtest = backtest_of(experiment, {MODEL: fitted.forecaster}, experiment.split.dev)
    scores = scores_of(backtest)[MODEL]
    costs = _costs(experiment, fitted) | {"minutes": minutes}
    finite = {f"dev_{k}": v for k, v in scores.items() if math.isfinite(v)}
    tracked.log_metrics(finite | costs, after=len(fitted.fit.history))
    close_training(folder)
    return float(fitted.fit.best_score), broken_by(config, {**scores, **costs})


def broken_by(config: Config, numbers: dict[str, float]) -> list[str]:
    """Return the constraints of objective and search that a trial breaks, in words."""
    constraints: dict[str, str] = {**config.objective.constraints}
    constraints.update({str(name): text for name, text in config.tune.constraints.items()})
    return Objective(constraints=constraints).violations(numbers)


def _minutes(fitted: Fitted, seconds: float) -> float:
    """Return the minutes of a training; of one that went on, its epochs before are reckoned in."""
    epochs = len(fitted.fit.history)
    here = max(1, epochs - fitted.fit.resumed_epoch)
    return seconds / 60 * max(1, epochs) / here


def _costs(experiment: Experiment, fitted: Fitted) -> dict[str, float]:
    """Measure milliseconds to forecast one window (median), and megabytes of the bundle."""
    from forecast.data.windows.window_index import thin

    panel, window = experiment.panel, thin(experiment.split.dev, most=1)
    fitted.forecaster.predict(panel, window)  # the first one pays for what is loaded and kept
    taken = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        fitted.forecaster.predict(panel, window)
        taken.append((time.perf_counter() - begun) * 1000)
    with tempfile.TemporaryDirectory(dir=experiment.config.work_folder) as folder:
        fitted.forecaster.save(Path(folder) / "bundle")
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    return {"latency_ms": statistics.median(taken), "bundle_mb": size / 1e6}
