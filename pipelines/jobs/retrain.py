"""`forecast retrain`: a challenger on the newest readings, and the gate it has to pass.

Both models forecast the same windows, those of the newest `retrain.holdout`, which the challenger's
training never sees. If the champion has seen some of them, the gate is only stricter, and a line
says so.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from forecast.config.duration import steps_within
from forecast.data.panel.panel import instant_text
from forecast.evaluation.beside import MODEL
from forecast.ranks import rank
from forecast.ranks.store import agree
from forecast.text import counted
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.champion import INCUMBENT, Champion, load_comparable
from pipelines.steps.experiment import (
    checkpoint_folder,
    close_training,
    config_fingerprint,
    experiment_of,
    fit_config,
    keep_run,
    kept_run,
    remove_stale_trainings,
    trainings,
    with_context,
)
from pipelines.steps.gate import Decision, due_reasons, judge
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.training_run import backtest_of, log_figures, register, scores_of
from pipelines.tracking import (
    CHALLENGER,
    agreed_champion,
    crown,
    set_alias,
    start_run,
    tag_version,
)

if TYPE_CHECKING:
    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.evaluation.backtest import Backtest
    from forecast.forecasting.experiment import Experiment
    from forecast.training.fitting import Fitted
    from pipelines.tracking import Run, Version

SHOWN = ("mae", "rmse", "coverage_80", "width_80")


def run(config: Config, *, force: bool = False, dry_run: bool = False) -> int | None:
    """Train a challenger if one is due, compare, and move the champion's alias if it is better.

    Parameters
    ----------
    config
        The config, whose `retrain` section sets the triggers and the gate.
    force
        Train even if no challenger is due.
    dry_run
        Only print what would be done.

    Raises
    ------
    ConfigError
        The split or the model does not fit the data.
    DataError
        The tables or the panel cannot be read, or are too short.
    ModelError
        There is no champion, the two cannot be compared, or the training fails.
    TrackingError
        The tracking store cannot be reached.
    LockError
        Another training of this config runs.
    """
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    with run_lock(config.work_folder, "retrain"):
        panel = prepare(config)
        config = with_context(config, panel)
        champion = _champion(config, panel)
        if not dry_run and agree("completed", lambda: _completed(config, panel, champion)):
            return None
        reasons = agree("due", lambda: ["--force"] if force else _reasons(config, panel, champion))
        if not reasons:
            say(f"retrain: version {champion.bundle.version} stays champion: no retrain is due")
            return None
        say(f"retrain: a challenger is due: {'; '.join(reasons)}")
        if dry_run:
            say("retrain: --dry-run: nothing is trained and no alias is moved")
            return None
        _challenge(_with_holdout(config), panel, champion, reasons)
    return None


def _champion(config: Config, panel: Panel) -> Champion:
    return load_comparable(config, panel, agreed_champion(config))


def _completed(config: Config, panel: Panel, champion: Champion) -> bool:
    """Complete a training that was killed after it became champion; return whether there is one."""
    remove_stale_trainings(config, panel)
    number, run_id = champion.bundle.version, champion.bundle.run_id
    folders = [folder for folder in trainings(config) if kept_run(folder) == run_id]
    for folder in folders:
        with start_run(config, kind="retrain", run_id=run_id):
            say(f"retrain: version {number} is the champion: its interrupted training is complete")
        close_training(folder)
    return bool(folders)


def _reasons(config: Config, panel: Panel, champion: Champion) -> list[str]:
    from pipelines.steps.freshness import cutoff_now

    return due_reasons(
        config,
        version=champion.bundle.version,
        trained_until=champion.forecaster.origin.get("data_until"),
        newest=datetime.fromisoformat(instant_text(panel, cutoff_now(config, panel))),
    )


def _with_holdout(config: Config) -> Config:
    """Return the config with the holdout as its test part, which no step of training sees.

    The holdout must be the newest readings, so the split is chronological whatever the config says.
    """
    holdout = config.retrain.holdout
    if isinstance(holdout, str):
        steps = steps_within(holdout, config.data.frequency)  # 7d of monthly readings: one month
        holdout = max(steps, 2 * config.horizon)
    parts = {"test": holdout, "scheme": "chronological"}
    split = config.split.model_copy(update=parts)
    return config.model_copy(update={"split": split})


def _challenge(config: Config, panel: Panel, champion: Champion, reasons: list[str]) -> None:
    """Train the challenger in its own MLflow run and let the gate decide."""
    experiment = experiment_of(config, panel)
    purpose = f"retrain against {champion.bundle.version}"
    folder = checkpoint_folder(config, panel, purpose)
    start = champion.forecaster if config.retrain.init == "champion" else None
    with start_run(config, kind="retrain", run_id=kept_run(folder)) as tracked:
        keep_run(folder, tracked.run_id, panel)
        fitted = fit_config(experiment, folder=folder, on_epoch=tracked.log_epoch, start=start)
        if rank() == 0:
            if fitted.fit.resumed_epoch:
                tracked.log_missing(fitted.fit.history)
            tracked.set_tags({"trigger": "; ".join(reasons)})
            _judge(experiment, champion, fitted=fitted, tracked=tracked)
    if rank() == 0:
        close_training(folder)


def _judge(experiment: Experiment, champion: Champion, *, fitted: Fitted, tracked: Run) -> None:
    """Score both models on the holdout, register the challenger, decide, and record the reason."""
    config, panel = experiment.config, experiment.panel
    models = {MODEL: fitted.final, INCUMBENT: champion.forecaster}
    backtest = backtest_of(experiment, models, experiment.split.test)
    scores = scores_of(backtest)
    numbers = {f"{who}_{key}": own[key] for who, own in _named(scores).items() for key in own}
    # Under the names that `train` gives them, against which live forecasts are judged.
    numbers |= {f"test_{key}": value for key, value in scores[MODEL].items()}
    tracked.log_metrics({key: value for key, value in numbers.items() if math.isfinite(value)})
    tracked.set_tags(
        {"data_fingerprint": panel.fingerprint, "config_fingerprint": config_fingerprint(config)}
    )
    log_figures(fitted, backtest, tracked)
    version = register(experiment, fitted=fitted, tracked=tracked, numbers=numbers)
    set_alias(config, CHALLENGER, version.number)
    decision = judge(config, backtest, champion=INCUMBENT, challenger=MODEL)
    _report(experiment, backtest, champion)
    _settle(config, version, champion, decision, tracked)


def _named(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Rename the scores for MLflow: the trained model is called challenger here."""
    return {"challenger" if k == MODEL else k.replace(" ", "_"): v for k, v in scores.items()}


def _settle(
    config: Config, version: Version, champion: Champion, decision: Decision, tracked: Run
) -> None:
    """Move the alias or leave it, and write the reason to the run and the registered version."""
    outcome = "promoted" if decision.is_promoted else "refused"
    tags = {
        "decision": outcome,
        "reason": decision.reason,
        "champion_version": champion.bundle.version,
    }
    tracked.set_tags({**tags, "challenger_version": version.number})
    tracked.describe(f"Version {version.number} was {outcome}: {decision.reason}")
    tag_version(config, version.number, tags)
    if decision.is_promoted:
        set_alias(config, CHALLENGER, None)  # first: killed in between, this training is resumed
        crown(config, version.number)
        say(f"retrain: version {version.number} is the champion now: {decision.reason}")
    else:
        say(f"retrain: version {version.number} is refused: {decision.reason}")
        say(f"retrain: version {champion.bundle.version} stays champion")


def _report(experiment: Experiment, backtest: Backtest, champion: Champion) -> None:
    """Print both models' scores and what was compared."""
    config, panel = experiment.config, experiment.panel
    scores = scores_of(backtest)
    keys = list(dict.fromkeys((config.objective.metric, *config.objective.constraints, *SHOWN)))
    rows = [[who, *(own.get(key, math.nan) for key in keys)] for who, own in _named(scores).items()]
    first, stop = experiment.split.spans["test"][0]
    begin, end = instant_text(panel, int(first)), instant_text(panel, int(stop) - 1)
    title = f"{config.name}: {counted(len(backtest.index.series), 'window')} from {begin} to {end}"
    table(title, ["forecast", *keys], rows)
    learned = champion.forecaster.origin.get("learned_until")
    if learned is not None and learned >= begin:
        say(
            f"retrain: the champion has learned from readings up to {learned}, within these "
            "windows: the gate is stricter than it has to be"
        )
