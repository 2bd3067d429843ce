"""`forecast tune`: a search for better settings by the one metric on dev; registers no model.

The search is kept in `.forecast/<name>/tune.sqlite`: stopped and started again it goes on, up to
`tune.trials` in all. Constraints only rule trials out. Each trial trains on one device.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

from forecast.errors import ModelError
from forecast.evaluation.beside import MODEL
from forecast.whole_files import draft_of, set_aside, write_whole
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.experiment import (
    checkpoint_folder,
    close_training,
    config_fingerprint,
    fit_config,
    keep_run,
    remove_stale_trainings,
    split_of,
    with_context,
)
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.training_run import backtest_of, scores_of
from pipelines.tracking import start_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split
    from pipelines.tracking import Run

BROKEN = "broken"  # attribute of a trial: the constraints it breaks, in words
SHOWN = 5
STARTUP_TRIALS = 4  # before the sampler and the pruner have something to compare with


def run(config: Config) -> int | None:
    """Search, report, and write the best settings as a config of their own.

    Raises
    ------
    ForecastError
        Of the kind of the fault; a ModelError when no trial keeps the constraints.
    """
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    with run_lock(config.work_folder, "tune"):
        panel = prepare(config)
        config = with_context(config, panel)
        split = split_of(config, panel)
        remove_stale_trainings(config, panel)
        study = open_study(config, panel)
        left = config.tune.trials - _count_finished(study)
        say(f"tune: {max(0, left)} of {config.tune.trials} trials are left")
        with start_run(config, kind="tune") as tracked:
            for _ in range(left):
                _one_trial(config, panel, split, study, tracked)
            best = best_trial(study)
            _report(config, study)
            tracked.log_metrics({f"best_dev_{config.objective.metric}": best.value or math.nan})
            path = _write_best(with_settings(config, best.params))
            tracked.log_file(path)
        say(f"tune: the best settings are in {path}: forecast train {path}")
    return None


def open_study(config: Config, panel: Panel) -> Study:
    """Open the search of exactly this data and these settings; repeat trials that were cut short.

    The first trial of a new search is the config as it stands.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = config.work_folder.absolute() / "tune.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)

    def make(storage: str) -> Study:
        return optuna.create_study(
            storage=storage,
            study_name=_study_name(config, panel),
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler(
                n_startup_trials=STARTUP_TRIALS, seed=config.training.seed
            ),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=1),
        )

    study = _open_or_make(path, make)
    if not study.trials:
        study.enqueue_trial(_own_settings(config))
    _repeat_cut_short(study)
    return study


def _repeat_cut_short(study: Study) -> None:
    """Queue the trials again that a kill cut short, then end them: in this order none is lost."""
    from optuna.trial import TrialState

    queued = [
        one.system_attrs.get("fixed_params")
        for one in study.get_trials(states=(TrialState.WAITING,))
    ]
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        if trial.params and trial.params not in queued:
            study.enqueue_trial(trial.params)
        study.tell(trial.number, state=TrialState.FAIL)


def _open_or_make(path: Path, make: Callable[[str], Study]) -> Study:
    """Open the file of searches; made beside its place, set aside when it is damaged."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    if path.exists():
        try:
            return make(f"sqlite:///{path}")
        except (SQLAlchemyError, RuntimeError, AssertionError) as error:
            first = str(error).strip().split("\n")[0]
            aside = set_aside(path)
            say(f"{path}: damaged ({first}); moved to {aside.name}, the search begins anew")
    draft = draft_of(path)
    for left in (draft, draft.with_name(f"{draft.name}-journal")):
        left.unlink(missing_ok=True)
    optuna.storages.RDBStorage(f"sqlite:///{draft}").engine.dispose()
    draft.replace(path)
    return make(f"sqlite:///{path}")


def with_settings(config: Config, settings: dict[str, Any]) -> Config:
    """Return the config with a trial's settings, trained on one device."""
    model = {key: settings[key] for key in ("hidden_size", "dropout")}
    training = {"learning_rate": settings["learning_rate"]}
    single = {"devices": 1, "nodes": 1, "strategy": "auto"}
    return config.model_copy(
        update={
            "model": config.model.model_copy(update=model),
            "training": config.training.model_copy(update=training | single),
        }
    )


def best_trial(study: Study) -> FrozenTrial:
    """Return the trial with the best dev score among those that keep the constraints.

    Raises
    ------
    ModelError
        No trial does.
    """
    kept = [one for one in _completed(study) if not one.user_attrs.get(BROKEN)]
    if not kept:
        broken = {text for one in _completed(study) for text in one.user_attrs.get(BROKEN, [])}
        raise ModelError(
            "no trial keeps objective.constraints: "
            f"{'; '.join(sorted(broken)) or 'none was finished'}; loosen them, or widen tune"
        )
    return min(kept, key=_value)


def _own_settings(config: Config) -> dict[str, Any]:
    return {
        "hidden_size": config.model.hidden_size,
        "dropout": config.model.dropout,
        "learning_rate": config.training.learning_rate,
    }


def _suggest(config: Config, trial: Trial) -> dict[str, Any]:
    """Draw settings from the search space; the config's own values always lie within."""
    space, own = config.tune, _own_settings(config)
    dropout = [*space.dropout, own["dropout"]]
    rate = [*space.learning_rate, own["learning_rate"]]
    return {
        "hidden_size": trial.suggest_categorical(
            "hidden_size", sorted({*space.hidden_size, own["hidden_size"]})
        ),
        "dropout": trial.suggest_float("dropout", min(dropout), max(dropout)),
        "learning_rate": trial.suggest_float("learning_rate", min(rate), max(rate), log=True),
    }


def _one_trial(config: Config, panel: Panel, split: Split, study: Study, tracked: Run) -> None:
    """Train one trial in an MLflow run under the search's, and tell the study its score."""
    import optuna

    trial = study.ask()
    settings = _suggest(config, trial)
    say(f"tune: trial {trial.number + 1}: {_words(settings)}")
    with start_run(
        with_settings(config, settings), kind="trial", parent_id=tracked.run_id
    ) as child:
        try:
            value = _fit_trial(with_settings(config, settings), panel, split, trial, child)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            child.set_tags({"outcome": "pruned"})
            say(f"tune: trial {trial.number + 1} is given up: behind the others by now")
            return
        except ModelError as fault:  # the loss is no number with these settings
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            child.set_tags({"outcome": f"failed: {fault}"})
            say(f"tune: trial {trial.number + 1} failed: {fault}", error=True)
            return
        study.tell(trial, value)
        child.set_tags({"outcome": "; ".join(trial.user_attrs[BROKEN]) or "complete"})


def _fit_trial(config: Config, panel: Panel, split: Split, trial: Trial, tracked: Run) -> float:
    import optuna

    metric = config.objective.metric
    training = config.training.model_copy(update={"refit": "never"})  # dev is what is asked here
    config = config.model_copy(update={"training": training})
    folder = checkpoint_folder(config, panel, "tune")

    def on_epoch(epoch: int, numbers: dict[str, float]) -> None:
        tracked.log_epoch(epoch, numbers)
        trial.report(numbers[f"dev_{metric}"], epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    keep_run(folder, tracked.run_id, panel)
    try:
        fitted = fit_config(config, panel, split, folder=folder, on_epoch=on_epoch)
    except optuna.TrialPruned:
        close_training(folder)
        raise
    backtest = backtest_of(config, panel, split, {MODEL: fitted.forecaster}, split.dev)
    scores = scores_of(backtest)[MODEL]
    tracked.log_metrics({f"dev_{k}": v for k, v in scores.items() if math.isfinite(v)})
    trial.set_user_attr(BROKEN, config.objective.violations(scores))
    close_training(folder)
    return float(fitted.fit.best_score)


def _study_name(config: Config, panel: Panel) -> str:
    """Return a name that only the same search on the same data has."""
    neutral = with_settings(config, {"hidden_size": 1, "dropout": 0.0, "learning_rate": 1.0})
    space = json.dumps(config.tune.model_dump(mode="json", exclude={"trials"}), sort_keys=True)
    text = f"{config_fingerprint(neutral)} {space} {panel.fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _completed(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return list(study.get_trials(states=(TrialState.COMPLETE,)))


def _count_finished(study: Study) -> int:
    from optuna.trial import TrialState

    over = (TrialState.COMPLETE, TrialState.PRUNED)
    return len(study.get_trials(states=over))


def _report(config: Config, study: Study) -> None:
    """Print the best trials, and the config's own settings among them."""
    ranked = sorted(_completed(study), key=_value)
    own = next((one for one in ranked if one.params == _own_settings(config)), None)
    shown = ranked[:SHOWN] + ([own] if own is not None and own not in ranked[:SHOWN] else [])
    rows = [
        [
            one.number + 1,
            one.value,
            _words(one.params) + (" (the config's own)" if one is own else ""),
            "; ".join(one.user_attrs[BROKEN]) or "kept",
        ]
        for one in shown
    ]
    columns = ["trial", f"dev {config.objective.metric}", "settings", "constraints"]
    table(f"{config.name}: best of {len(ranked)} finished trials", columns, rows)


def _write_best(config: Config) -> Path:
    import yaml

    path = config.work_folder / "tuned.yaml"
    text = yaml.safe_dump(config.resolved(), sort_keys=False, allow_unicode=True)
    write_whole(path, text)
    return path


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.3g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in settings.items()
    )


def _value(trial: FrozenTrial) -> float:
    return math.inf if trial.value is None else trial.value
