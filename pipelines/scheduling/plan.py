"""The plan of a schedule: what to run, and when; as a config states it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from forecast.config.duration import duration_s
from pipelines.process.alerts import tell
from pipelines.scheduling.status import STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from forecast.config import Config


VERBS = ("predict", "score", "evaluate", "retrain")  # order of runs that are due together

Trouble = Literal["failed", "late", "skipped"]


@dataclass(frozen=True)
class Plan:
    """What to run, and when.

    Attributes
    ----------
    crons
        Expression by verb.
    timezone
        IANA zone of the expressions.
    catch_up
        Runs missed for longer than this are skipped.
    time_limit
        A job that runs longer is stopped and counts as failed.
    command
        Returns the command line of a verb, as a list of arguments.
    tell
        Called with the kind of a problem, the verb, and the problem in words, or None if all is
        well.
    status
        Path of the status file; none is written unless given.
    """

    crons: Mapping[str, str]
    timezone: str
    catch_up: timedelta
    time_limit: timedelta
    command: Callable[[str], Sequence[str]]
    tell: Callable[[Trouble, str, str | None], None] = lambda _kind, _verb, _text: None
    status: Path | None = None


def plan_of(config: Config, overrides: Sequence[str]) -> Plan:
    """Return the plan in a config's `schedule`."""
    schedule = config.schedule
    crons = {verb: getattr(schedule, verb) for verb in VERBS if getattr(schedule, verb)}
    sets = [part for text in overrides for part in ("--set", text)]
    return Plan(
        crons=crons,
        timezone=schedule.timezone or config.data.timezone,
        catch_up=timedelta(seconds=duration_s(schedule.catch_up)),
        time_limit=timedelta(seconds=duration_s(schedule.time_limit)),
        command=lambda verb: [
            *(sys.executable, "-m", "pipelines.cli", verb, os.fspath(config.path)),
            *sets,
        ],
        tell=lambda kind, verb, text: tell(config, kind, text, about=verb),
        status=config.work_folder / STATUS,
    )


def ledger_path(config: Config) -> Path:
    """Return the path of the ledger of a config's scheduler."""
    return config.work_folder / "ledger.sqlite"
