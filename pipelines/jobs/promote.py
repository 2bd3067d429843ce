"""`forecast promote`: moves the champion's alias by hand, or back.

A version that `predict` could not use is refused. What the gate of `train` and `retrain` says of
the change is printed; by hand it is made all the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from forecast.config.duration import duration_s
from forecast.errors import ConfigError, ForecastError, ModelError
from forecast.evaluation.beside import MODEL
from forecast.forecasting.bundle import read_manifest
from forecast.whole_files import read_object, write_whole
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
from pipelines.steps.champion import INCUMBENT, load_comparable
from pipelines.steps.experiment import experiment_of
from pipelines.steps.gate import judge
from pipelines.steps.prepared_panel import prepare
from pipelines.tracking import (
    CHALLENGER,
    CHAMPION,
    alias_version,
    champion_before,
    champion_bundle,
    crown,
    set_alias,
    versions,
)

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config
    from forecast.data.panel import Panel


INTENT = "rollback.json"  # in the work folder: a rollback on its way


def run(config: Config, *, version: str | None = None, rollback: bool = False) -> int | None:
    """Make a version the champion; without arguments, list all versions.

    Parameters
    ----------
    config
        Names the registered model.
    version
        Number of the version.
    rollback
        Return to the version that the champion replaced.

    Raises
    ------
    ConfigError
        A version together with `--rollback`, or a version that is not a number.
    ModelError
        The version or the champion does not exist, or the champion replaced no version.
    """
    if rollback and version is not None:
        raise ConfigError("give a version or --rollback, not both")
    with run_lock(config.work_folder, "promote"):
        if rollback:
            _roll_back(config)
        elif version is None:
            _list(config)
        else:
            _crown(config, _number(version))
    return None


def _number(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{text!r} is not a version; versions are numbers, such as 3")
    return int(text)


def _roll_back(config: Config) -> None:
    """Move the alias back to the version before; a second call goes back one further.

    One that was killed behind its alias is completed by the next call: what it meant to do is
    written down before.
    """
    champion = alias_version(config, CHAMPION)
    if champion is None:
        raise ModelError(f"{config.name}: there is no champion to roll back from")
    intent = config.work_folder / INTENT
    if (meant := _meant(intent)) is not None and meant[1] == champion.number:
        _say_rolled_back(config, *meant)
        intent.unlink()
        return
    before = champion_before(config, champion.number)
    if before is None:
        raise ModelError(
            f"{config.name}: version {champion.number} replaced no other as champion; name the "
            "version: `forecast promote CONFIG VERSION`"
        )
    write_whole(intent, json.dumps({"from": champion.number, "to": before}))
    set_alias(config, CHAMPION, before)
    _say_rolled_back(config, champion.number, before)
    intent.unlink()


def _meant(intent: Path) -> tuple[int, int] | None:
    """Return from which version to which a rollback was on its way; None if none was."""
    try:
        found = read_object(intent)
        return int(found["from"]), int(found["to"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _say_rolled_back(config: Config, was: int, now: int) -> None:
    say(f"version {now} of {config.name} is the champion again, instead of {was}")


def _crown(config: Config, number: int) -> None:
    known = [version.number for version in versions(config)]
    if number not in known:
        listed = ", ".join(map(str, known)) or "none; `forecast train` makes the first"
        raise ModelError(f"{config.name}: version {number} is not registered; versions: {listed}")
    before = alias_version(config, CHAMPION)
    is_champion = before is not None and before.number == number
    if not is_champion:
        _require_fit(config, number)
    if before is not None and not is_champion:
        _say_judgement(config, number, champion=before.number)
    (config.work_folder / INTENT).unlink(missing_ok=True)
    crown(config, number)  # again, if it is: a promotion that was killed is completed
    challenger = alias_version(config, CHALLENGER)
    if challenger is not None and challenger.number == number:
        set_alias(config, CHALLENGER, None)
    if is_champion:
        say(f"version {number} is the champion already")
        return
    was = f"; version {before.number} was before" if before else ""
    say(f"version {number} of {config.name} is the champion{was}")


def _say_judgement(config: Config, number: int, *, champion: int) -> None:
    """Print what the gate says of two versions, on test windows that neither was trained on."""
    try:
        judgement = _judgement(config, prepare(config), number, champion=champion)
    except ForecastError as cause:
        judgement = f"not compared: {cause}"
    say(f"version {number} against version {champion}: {judgement}")


def _judgement(config: Config, panel: Panel, number: int, *, champion: int) -> str:
    from forecast.data.windows.window_index import WindowIndex
    from pipelines.steps.training_run import backtest_of

    experiment = experiment_of(config, panel)
    versions = {MODEL: number, INCUMBENT: champion}
    models = {
        who: load_comparable(config, panel, champion_bundle(config, version)).forecaster
        for who, version in versions.items()
    }
    index = experiment.split.test
    trained = max(model.spec.trained_until for model in models.values())
    unseen = panel.start[index.series] + index.cutoff >= trained
    if not unseen.any():
        return "not compared: no window of the test part is newer than what both were trained on"
    index = WindowIndex(*(part[unseen] for part in index))
    backtest = backtest_of(experiment, models, index)
    decision = judge(config, backtest, champion=INCUMBENT, challenger=MODEL)
    verdict = "the gate agrees" if decision.is_promoted else "the gate would not have changed it"
    return f"{decision.reason}; {verdict}"


def _require_fit(config: Config, number: int) -> None:
    """Refuse a version that `predict` could not use with this config, as the gate would."""
    spec = read_manifest(champion_bundle(config, number).path).get("spec", {})
    columns = config.data.covariates
    wanted = {
        "horizon": config.horizon,
        "targets": list(config.data.targets),
        "past": list(columns.past),
        "known": list(columns.known),
    }
    wrong = [
        f"{key} is {spec[key]!r} in the model, {value!r} in the config"
        for key, value in wanted.items()
        if key in spec and spec[key] != value
    ]
    step = spec.get("frequency")
    if step and duration_s(step) != duration_s(config.data.frequency):
        wrong.append(f"frequency is {step} in the model, {config.data.frequency} in the config")
    if wrong:
        raise ModelError(
            f"{config.name}: version {number} does not fit the config: {'; '.join(wrong)}; change "
            "the config, or promote another version"
        )


def _list(config: Config) -> None:
    aliases = {alias: alias_version(config, alias) for alias in (CHAMPION, CHALLENGER)}
    rows = [
        [version.number, ", ".join(a for a, v in aliases.items() if v == version), version.run_id]
        for version in versions(config)
    ]
    table(f"{config.name}: registered versions", ["version", "alias", "run"], rows)
