"""The plan in a config's `schedule`, and the path of its ledger."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from forecast.config.duration import duration_s
from pipelines.process.alerts import tell
from pipelines.scheduling.scheduler import VERBS, Plan
from pipelines.scheduling.status import STATUS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from forecast.config import Config


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
