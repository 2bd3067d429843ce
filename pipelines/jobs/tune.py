"""`forecast tune`: a search for better settings by the one metric on dev. No model is registered.

The search is kept in `.forecast/<name>/tune.sqlite`: stopped and started again it goes on, up to
`tune.trials` in all, `tune.jobs` at a time. Constraints only rule trials out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from forecast.errors import ModelError
from forecast.whole_files import write_whole
from pipelines.process.clock import now
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.experiment import remove_stale_trainings, split_of, with_context
from pipelines.steps.prepared_panel import prepare
from pipelines.steps.search import (
    count_left,
    draw,
    open_study,
    own_settings,
    settings_of,
    with_settings,
)
from pipelines.steps.search_trial import BROKEN, Search, finish_told, run_trial, words
from pipelines.steps.search_workers import known_at, train_side_by_side
from pipelines.tracking import start_run

if TYPE_CHECKING:
    from pathlib import Path

    from optuna import Study
    from optuna.trial import FrozenTrial

    from forecast.config import Config
    from forecast.data.panel import Panel

SHOWN = 5


def run(config: Config) -> int | None:
    """Search, report, and write the best settings as a config of their own.

    Raises
    ------
    ConfigError
        The split or the search space does not fit the data.
    DataError
        The tables or the panel cannot be read, or are too short.
    ModelError
        No trial keeps the constraints.
    TrackingError
        The tracking store cannot be reached.
    LockError
        Another training of this config runs.
    """
    from forecast.data.panel import open_panel
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    with run_lock(config.work_folder, "tune"):
        prepare(config)
        instant = int(now().timestamp()) * 1_000_000_000
        panel = known_at(open_panel(config.panel_folder), instant)  # as other processes see it
        config = _with_context(config, panel)
        split_of(config, panel)  # says what is thin
        remove_stale_trainings(config, panel)
        study = open_study(config, panel)
        say(f"tune: {count_left(config, study)} of {config.tune.trials} trials are left")
        with start_run(config, kind="tune") as tracked:
            finish_told(config, study)
            search = Search(config, panel, study, tracked.run_id)
            if config.tune.jobs > 1:
                train_side_by_side(search, now_ns=instant)
            else:
                _train(search)
            best = best_trial(study)
            _report(config, study)
            tracked.log_metrics({f"best_dev_{config.objective.metric}": best.value or math.nan})
            path = _write_best(with_settings(config, settings_of(best)))
            tracked.log_file(path)
        say(f"tune: the best settings are in {path}: forecast train {path}")
    return None


def best_trial(study: Study) -> FrozenTrial:
    """Return the trial with the best dev score among those that keep the constraints.

    Raises
    ------
    ModelError
        No trial does.
    """
    kept = [trial for trial in _completed(study) if not trial.user_attrs.get(BROKEN)]
    if not kept:
        broken = {text for trial in _completed(study) for text in trial.user_attrs.get(BROKEN, [])}
        raise ModelError(
            "no trial keeps objective.constraints and tune.constraints: "
            f"{'; '.join(sorted(broken)) or 'none was finished'}; loosen them, or widen tune"
        )
    return min(kept, key=_value)


def _with_context(config: Config, panel: Panel) -> Config:
    """Return the config with a context that the readings can fill, unless contexts are searched."""
    is_searched = "windows.context" in config.tune.domains
    return config if is_searched else with_context(config, panel)


def _train(search: Search) -> None:
    """Train what is left, one trial after the other."""
    while (drawn := draw(search.config, search.study)) is not None:
        run_trial(search, drawn)


def _completed(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return list(study.get_trials(states=(TrialState.COMPLETE,)))


def _report(config: Config, study: Study) -> None:
    """Print the best trials, and the config's own settings among them."""
    ranked = sorted(_completed(study), key=_value)
    own = next((trial for trial in ranked if settings_of(trial) == own_settings(config)), None)
    shown = ranked[:SHOWN] + ([own] if own is not None and own not in ranked[:SHOWN] else [])
    rows = [
        [
            trial.number + 1,
            trial.value,
            words(settings_of(trial)) + (" (the config's own)" if trial is own else ""),
            "; ".join(trial.user_attrs[BROKEN]) or "kept",
        ]
        for trial in shown
    ]
    columns = ["trial", f"dev {config.objective.metric}", "settings", "constraints"]
    table(f"{config.name}: best of {len(ranked)} finished trials", columns, rows)


def _write_best(config: Config) -> Path:
    import yaml

    path = config.work_folder / "tuned.yaml"
    text = yaml.safe_dump(config.resolved(), sort_keys=False, allow_unicode=True)
    write_whole(path, text)
    return path


def _value(trial: FrozenTrial) -> float:
    return math.inf if trial.value is None else trial.value
