"""`forecast promote`: moves the champion's alias by hand, or back, without the gate.

A version that `predict` could not use is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.config.duration import duration_s
from forecast.errors import ConfigError, ModelError
from forecast.forecasting.bundle import read_manifest
from pipelines.process.console import say, table
from pipelines.process.lock import run_lock
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
    from forecast.config import Config


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
    """Move the alias back to the version before; a second call goes back one further."""
    champion = alias_version(config, CHAMPION)
    if champion is None:
        raise ModelError(f"{config.name}: there is no champion to roll back from")
    before = champion_before(config, champion.number)
    if before is None:
        raise ModelError(
            f"{config.name}: version {champion.number} replaced no other as champion; name the "
            "version: `forecast promote CONFIG VERSION`"
        )
    set_alias(config, CHAMPION, before)
    say(f"version {before} of {config.name} is the champion again, instead of {champion.number}")


def _crown(config: Config, number: int) -> None:
    known = [version.number for version in versions(config)]
    if number not in known:
        listed = ", ".join(map(str, known)) or "none; `forecast train` makes the first"
        raise ModelError(f"{config.name}: version {number} is not registered; versions: {listed}")
    before = alias_version(config, CHAMPION)
    is_champion = before is not None and before.number == number
    if not is_champion:
        _require_fit(config, number)
    crown(config, number)  # again, if it is: a promotion that was killed is completed
    challenger = alias_version(config, CHALLENGER)
    if challenger is not None and challenger.number == number:
        set_alias(config, CHALLENGER, None)
    if is_champion:
        say(f"version {number} is the champion already")
        return
    was = f"; version {before.number} was before" if before else ""
    say(f"version {number} of {config.name} is the champion{was}")


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
