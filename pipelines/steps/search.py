"""The search that `tune` keeps on disk: what was drawn, and what is drawn next.

Processes that share a search draw and write under one lock.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.config import config_of
from forecast.config.tune import Range, contains, is_whole
from forecast.errors import ConfigError
from forecast.whole_files import draft_of, set_aside
from pipelines.process.console import say
from pipelines.process.lock import run_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from forecast.config import Config
    from forecast.data.panel import Panel

SETTINGS = "settings"  # attributes of a trial: what it trains with, every searched key
WORKER = "worker"  # the process that trains it
ATTEMPT = "attempt"  # how often it was begun and its process died
STARTUP_TRIALS = 4  # before the sampler and the pruner have something to compare with
TRIES = 30  # draws that may be known or impossible before the space is gone through in order
LOCK_WAIT_S = 600.0
BUSY_S = 60  # until SQLite gives up while another process writes

Settings = dict[str, Any]


class Drawn(NamedTuple):
    """A trial to train, and with what."""

    trial: Trial
    settings: Settings


def search_lock(config: Config) -> AbstractContextManager[None]:
    """Hold the search while a block draws or writes; others wait."""
    return run_lock(config.work_folder, "tune", file="tune.lock", wait_s=LOCK_WAIT_S)


def own_settings(config: Config) -> Settings:
    """Return the config's own values of the searched keys."""
    return {key: reduce(getattr, key.split("."), config) for key in config.tune.domains}


def with_settings(config: Config, settings: Settings) -> Config:
    """Return the config with a trial's settings, trained on one device.

    Raises
    ------
    ConfigError
        The settings contradict each other or the rest of the config.
    """
    values = config.model_dump(mode="json")
    for key, value in settings.items():
        *sections, name = key.split(".")
        reduce(dict.__getitem__, sections, values)[name] = value
    changed = config_of(values, where=f"{config.path}: tune.space")
    single = {"devices": 1, "nodes": 1, "strategy": "auto"}
    training = changed.training.model_copy(update=single)
    return config.model_copy(
        update={"model": changed.model, "windows": changed.windows, "training": training}
    )


def open_study(config: Config, panel: Panel) -> Study:
    """Open the search of exactly this data and these settings; repeat trials that were cut short.

    The first trial of a new search is the config as it stands.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = _file(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    study = _open_or_make(path, lambda: _study(config, _study_name(config, panel)))
    running = study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    for trial in running:
        repeat(study, trial, attempt=trial.user_attrs.get(ATTEMPT, 1))
    own = own_settings(config)
    if own not in [settings_of(trial) for trial in study.trials] and count_left(config, study) > 0:
        _queue(config, study, own)
    return study


def join_study(config: Config, name: str) -> Study:
    """Open, in a process that takes part, the search that another one has opened."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return _study(config, name)


def count_left(config: Config, study: Study) -> int:
    """Return how many settings are still to be tried to the end, those waiting included."""
    trials = study.get_trials(deepcopy=False)
    waiting = [settings_of(trial) for trial in trials if trial.state.name == "WAITING"]
    tried: list[Settings] = []
    for trial in trials:
        settings = settings_of(trial)
        if settings not in tried and settings not in waiting:
            tried.append(settings)
    return max(0, config.tune.trials - len(tried))


def settings_of(trial: FrozenTrial) -> Settings:
    """Return what a trial trains with."""
    return dict(trial.user_attrs.get(SETTINGS, trial.params))


def draw(config: Config, study: Study) -> Drawn | None:
    """Take the next trial: one that waits, else settings never tried; None when all are."""
    with search_lock(config):
        trials = study.get_trials(deepcopy=False)
        if not any(trial.state.name == "WAITING" for trial in trials):
            if count_left(config, study) == 0:
                return None
            settings = _propose(config, trials)
            if settings is None:
                say("tune: every setting of the search space that can be trained was tried")
                return None
            _queue(config, study, settings)
        trial = study.ask()
        settings = dict(trial.user_attrs[SETTINGS])
        for key, domain in config.tune.domains.items():
            if contains(domain, settings[key]):
                _suggest(trial, key, domain)
        trial.set_user_attr(WORKER, os.getpid())
    return Drawn(trial, settings)


def repeat(study: Study, trial: FrozenTrial, *, attempt: int) -> None:
    """Queue a trial that was cut short again, then end it: in this order none is lost."""
    from optuna.trial import TrialState

    waiting = study.get_trials(states=(TrialState.WAITING,))
    settings = settings_of(trial)
    if settings and settings not in [settings_of(trial) for trial in waiting]:
        study.enqueue_trial(trial.params, user_attrs={SETTINGS: settings, ATTEMPT: attempt})
    study.tell(trial.number, state=TrialState.FAIL)


def cut_short(study: Study, worker: int) -> FrozenTrial | None:
    """Return the trial that a process which has ended was training."""
    running = [trial for trial in study.trials if trial.state.name == "RUNNING"]
    return next((trial for trial in running if trial.user_attrs.get(WORKER) == worker), None)


def _queue(config: Config, study: Study, settings: Settings) -> None:
    """Queue settings; values outside the space (the config's own) are not draws of the sampler."""
    domains = config.tune.domains
    params = {key: value for key, value in settings.items() if contains(domains[key], value)}
    study.enqueue_trial(params, user_attrs={SETTINGS: settings})


def _propose(config: Config, trials: Sequence[FrozenTrial]) -> Settings | None:
    """Return settings that no trial had, as good as the sampler knows; None if none is left.

    The draws are made on a copy in memory, so that those thrown away leave nothing behind. The
    seed moves with the settings that were tried: a search begun again does not repeat its first
    draws, and one that was killed goes on with the draws it would have made.
    """
    import optuna

    tried: list[Settings] = []
    for trial in trials:
        if settings_of(trial) not in tried:
            tried.append(settings_of(trial))
    copy = optuna.create_study(sampler=_sampler(config.training.seed + len(tried)))
    copy.add_trials([trial for trial in trials if trial.state.name != "WAITING"])

    def is_new(settings: Settings) -> bool:
        return settings not in tried and _can_be(config, settings)

    for _ in range(TRIES):
        trial = copy.ask()
        domains = config.tune.domains
        settings = {key: _suggest(trial, key, domain) for key, domain in domains.items()}
        if is_new(settings):
            return settings
    return next(filter(is_new, _all_settings(config)), None)


def _all_settings(config: Config) -> Iterator[Settings]:
    """Go through a space of single values in order; nothing where one of them is continuous."""
    choices: list[Sequence[Any]] = []
    for key, domain in config.tune.domains.items():
        if not isinstance(domain, Range):
            choices.append(domain)
        elif is_whole(key):
            choices.append(range(math.ceil(domain.low), math.floor(domain.high) + 1))
        else:
            return
    for values in itertools.product(*choices):
        yield dict(zip(config.tune.domains, values, strict=True))


def _can_be(config: Config, settings: Settings) -> bool:
    try:
        with_settings(config, settings)
    except ConfigError:
        return False
    return True


def _suggest(trial: Trial, key: str, domain: Any) -> Any:
    """Return the sampler's value of a key."""
    if not isinstance(domain, Range):
        return trial.suggest_categorical(key, domain)
    if is_whole(key):
        low, high = math.ceil(domain.low), math.floor(domain.high)
        return trial.suggest_int(key, low, high, log=domain.log)
    return trial.suggest_float(key, domain.low, domain.high, log=domain.log)


def _file(config: Config) -> Path:
    return config.work_folder.absolute() / "tune.sqlite"


def _sampler(seed: int) -> Any:
    import optuna

    return optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, seed=seed, constant_liar=True
    )


def _study(config: Config, name: str) -> Study:
    import optuna

    return optuna.create_study(
        storage=optuna.storages.RDBStorage(
            f"sqlite:///{_file(config)}", engine_kwargs={"connect_args": {"timeout": BUSY_S}}
        ),
        study_name=name,
        load_if_exists=True,
        sampler=_sampler(config.training.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=1),
    )


def _open_or_make(path: Path, make: Callable[[], Study]) -> Study:
    """Open the file of searches; made beside its place, set aside when it is damaged."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    if path.exists():
        try:
            return make()
        except (SQLAlchemyError, RuntimeError, AssertionError) as error:
            first = str(error).strip().split("\n")[0]
            aside = set_aside(path)
            say(f"{path}: damaged ({first}); moved to {aside.name}, a new search begins")
    draft = draft_of(path)
    for left in (draft, draft.with_name(f"{draft.name}-journal")):
        left.unlink(missing_ok=True)
    optuna.storages.RDBStorage(f"sqlite:///{draft}").engine.dispose()
    draft.replace(path)
    return make()


def _study_name(config: Config, panel: Panel) -> str:
    """Return a name that only the same search on the same data has."""
    resolved = with_settings(config, {}).resolved()
    for key in config.tune.domains:
        *sections, name = key.split(".")
        reduce(dict.__getitem__, sections, resolved)[name] = None
    parts = ("data", "windows", "split", "model", "training", "objective")
    tune = config.tune.model_dump(mode="json", exclude={"trials", "jobs"})
    text = json.dumps(
        [*(resolved[part] for part in parts), tune, panel.fingerprint], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]
