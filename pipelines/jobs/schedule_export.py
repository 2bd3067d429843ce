"""`forecast schedule export` and `install`: the config's plan for other schedulers."""

from __future__ import annotations

import re
import shlex
import subprocess
from datetime import UTC, datetime
from importlib.resources import files
from itertools import islice, pairwise
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

from forecast.errors import ConfigError
from forecast.redaction import HIDDEN
from pipelines.process.console import say
from pipelines.scheduling.cron import due_times
from pipelines.scheduling.plan import plan_of
from pipelines.scheduling.systemd_calendar import calendar_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.config import Config
    from pipelines.scheduling.plan import Plan

FORMATS = ("crontab", "kubernetes", "airflow")
UNITS = Path("~/.config/systemd/user")


def run(config: Config, *, form: str = "crontab", overrides: Sequence[str] = ()) -> int | None:
    """Print the schedule as a crontab, as Kubernetes objects, or as an Airflow file.

    Parameters
    ----------
    config
        With at least one expression in `schedule`.
    form
        The format.
    overrides
        `--set` texts, passed on to every job.

    Raises
    ------
    ConfigError
        The format is unknown, or nothing is scheduled.
    """
    if form not in FORMATS:
        raise ConfigError(f"--format {form}: not known; choose one of {', '.join(FORMATS)}")
    plan = _plan(config, overrides)
    text = {"crontab": crontab, "kubernetes": kubernetes, "airflow": airflow}[form](config, plan)
    say(text.rstrip("\n"))
    return None


def install(config: Config, *, show: bool = False, overrides: Sequence[str] = ()) -> int | None:
    """Write systemd units for the user and start their timers; with `show` only print them.

    Raises
    ------
    ConfigError
        Nothing is scheduled, or systemd refuses.
    """
    units = systemd_units(config, _plan(config, overrides))
    if show:
        for name, text in units.items():
            say(f"# {UNITS / name}\n{text}")
        return None
    folder = UNITS.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units.items():
        (folder / name).write_text(text, encoding="utf-8")
        say(f"wrote {folder / name}")
    _systemctl("daemon-reload")
    _systemctl("enable", "--now", *(name for name in units if name.endswith(".timer")))
    say("the timers run; `systemctl --user list-timers` shows them")
    say("to keep them running while you are logged out: `loginctl enable-linger`")
    return None


def crontab(config: Config, plan: Plan) -> str:
    """Return lines for `crontab -e`."""
    place, state = shlex.quote(str(Path.cwd())), shlex.quote(str(config.work_folder))
    lines = [
        f"# {config.name}, by `forecast schedule export --format crontab`",
        "# CRON_TZ is for cronie; Debian's cron knows only the machine's own time zone.",
        f"CRON_TZ={plan.timezone}",
    ]
    for verb, cron in plan.crons.items():
        job = f"cd {place} && mkdir -p {state} && {shlex.join(plan.command(verb))}"
        job += f" >> {state}/{verb}.log 2>&1"
        lines.append(f"{cron} {job}".replace("%", r"\%"))  # cron reads % as a line break
    return "\n".join(lines)


def kubernetes(config: Config, plan: Plan) -> str:
    """Return a ConfigMap, a volume claim and one CronJob per job."""
    resolved = config.resolved()
    if hidden := sorted(_hidden(resolved)):
        raise ConfigError(
            f"{config.path}: {', '.join(hidden)}: a secret, which no exported config may hold; "
            "write ${NAME} in its place and give the jobs that variable"
        )
    text = yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True)
    slug = _slug(config.name, longest=40)
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    parts = [_template("kubernetes.yaml", name=config.name, slug=slug, config=indented.rstrip())]
    for verb, cron in plan.crons.items():
        parts.append(
            _template(
                "kubernetes_job.yaml",
                slug=slug,
                verb=verb,
                cron=cron,
                timezone=plan.timezone,
                deadline_s=_deadline_s(plan, cron),
                limit_s=int(plan.time_limit.total_seconds()),
            )
        )
    return "".join(parts)


def _hidden(values: Any, place: str = "") -> Iterator[str]:
    """Yield the dotted keys of texts in which a secret was hidden."""
    if isinstance(values, str) and HIDDEN in values:
        yield place.rstrip(".")
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from _hidden(value, f"{place}{key}.")
    elif isinstance(values, list):
        for value in values:
            yield from _hidden(value, place)


def airflow(config: Config, plan: Plan) -> str:
    """Return a Python file with one DAG per job."""
    today = datetime.now(UTC)
    return _template(
        "airflow.py.txt",
        name=config.name,
        slug=_slug(config.name, longest=200),
        jobs=_airflow_jobs(plan),
        start=f"{today.year}, {today.month}, {today.day}",
        timezone=repr(plan.timezone),
        folder=repr(str(Path.cwd())),
        limit_s=int(plan.time_limit.total_seconds()),
    )


def systemd_units(config: Config, plan: Plan) -> dict[str, str]:
    """Return the texts of one service and one timer per job, by file name."""
    units = {}
    for verb, cron in plan.crons.items():
        values = {
            "verb": verb,
            "name": config.name,
            "cron": cron,
            "folder": str(Path.cwd()).replace("%", "%%"),
            "command": " ".join(map(_systemd_word, plan.command(verb))),
            "limit_s": int(plan.time_limit.total_seconds()),
            "calendar": "\n".join(
                f"OnCalendar={line}" for line in calendar_lines(cron, plan.timezone)
            ),
        }
        unit = f"forecast-{_slug(config.name, longest=100)}-{verb}"
        units[f"{unit}.service"] = _template("systemd.service", **values)
        units[f"{unit}.timer"] = _template("systemd.timer", **values)
    return units


def _plan(config: Config, overrides: Sequence[str]) -> Plan:
    plan = plan_of(config, overrides)
    if not plan.crons:
        raise ConfigError(f"{config.path}: schedule: no job has an expression")
    return plan


def _airflow_jobs(plan: Plan) -> str:
    jobs = {verb: (cron, shlex.join(plan.command(verb))) for verb, cron in plan.crons.items()}
    lines = [f"    {verb!r}: {job!r}," for verb, job in jobs.items()]
    return "\n".join(["{", *lines, "}"])


def _template(file: str, **values: object) -> str:
    text = files("pipelines").joinpath(f"templates/{file}").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def _deadline_s(plan: Plan, cron: str) -> int:
    """Return how late a run may start; Kubernetes gives up on a job with over 100 missed runs."""
    first, second = next(
        pairwise(islice(due_times(cron, plan.timezone, after=datetime.now(UTC)), 2))
    )
    longest = 50 * (second - first).total_seconds()
    return int(min(plan.catch_up.total_seconds(), longest))


def _slug(name: str, *, longest: int) -> str:
    """Return a name that Kubernetes accepts: lower case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:longest].strip("-")


def _systemd_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["systemctl", "--user", *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError as cause:
        raise ConfigError(
            "there is no systemd here; use `forecast schedule run`, or another form of "
            "`forecast schedule export`"
        ) from cause
    if done.returncode != 0:
        raise ConfigError(
            f"systemctl --user {' '.join(arguments)}: {done.stderr.strip()}; the units are "
            "written: start the timers in a session of your own"
        )
