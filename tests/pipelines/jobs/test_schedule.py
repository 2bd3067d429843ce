"""`forecast schedule run` and `list` as a user calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from forecast.config import load_config
from forecast.errors import ConfigError, LockError
from pipelines.jobs.schedule import health, run, show
from pipelines.process.alerts import tell
from pipelines.process.lock import run_lock
from pipelines.scheduling.plan import plan_of
from tests.pipelines.conftest import CONFIG

Cli = Callable[..., CompletedProcess[str]]
HOURLY = "schedule: {predict: '10 * * * *', score: '40 0 * * *'}\n"


@pytest.fixture
def scheduled(in_folder: Path) -> Path:
    """Write a config with a schedule whose data does not exist."""
    Path("tiny.yaml").write_text(CONFIG.format(name="tiny") + HOURLY)
    return in_folder


def test_a_replay_runs_each_due_job_and_reports_faults(scheduled: Path, cli: Cli) -> None:
    span = ("--now", "2024-01-01T00:00Z", "--until", "2024-01-01T00:10Z")
    done = cli("schedule", "run", "tiny.yaml", *span)
    assert done.returncode == 0, done.stderr
    assert "2024-01-01T00:10Z predict: started" in done.stdout
    assert "2024-01-01T00:10Z predict: failed" in done.stderr
    assert "Traceback" not in done.stderr
    listed = cli("schedule", "list", "tiny.yaml")
    row = next(line for line in listed.stdout.splitlines() if line.startswith("predict"))
    assert "2024-01-01 00:10 UTC" in row
    assert "failed: " in row
    assert listed.returncode == 1  # what a health check asks


def test_a_list_before_the_first_run_creates_nothing(
    scheduled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show(load_config("tiny.yaml"))
    assert "10 * * * *" in capsys.readouterr().out
    assert not Path(".forecast").exists()


def test_jobs_get_the_overrides_of_the_scheduler(scheduled: Path) -> None:
    plan = plan_of(load_config("tiny.yaml"), ["training.seed=1"])
    assert plan.command("predict")[1:] == [
        *("-m", "pipelines.cli", "predict", "tiny.yaml", "--set", "training.seed=1")
    ]
    assert dict(plan.crons) == {"predict": "10 * * * *", "score": "40 0 * * *"}


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ("schedule.timezone=Asia/Tokyo", "timezone", "Asia/Tokyo"),
        ("data.timezone=Europe/Berlin", "timezone", "Europe/Berlin"),
        ("schedule.catch_up=2d", "catch_up", "2 days, 0:00:00"),
        ("schedule.time_limit=2h", "time_limit", "2:00:00"),
    ],
)
def test_the_plan_follows_the_config(
    scheduled: Path, change: str, field: str, expected: str
) -> None:
    assert str(getattr(plan_of(load_config("tiny.yaml", [change]), []), field)) == expected


def test_nothing_scheduled_is_a_config_error(in_folder: Path) -> None:
    Path("tiny.yaml").write_text(CONFIG.format(name="tiny"))
    with pytest.raises(ConfigError, match="no job has an expression"):
        run(load_config("tiny.yaml"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"now": "2024-01-01T00:00Z"}, "say where it ends with --until"),
        ({"until": "soon"}, "--until: 'soon' is not a time"),
        ({"now": "2024-01-01", "until": "2024-01-02T00:00Z"}, "--now.*has no time zone"),
    ],
)
def test_unclear_instants_are_refused(
    scheduled: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(load_config("tiny.yaml"), **options)


def test_a_second_scheduler_of_a_config_is_refused(scheduled: Path, cli: Cli) -> None:
    config = load_config("tiny.yaml")
    with run_lock(config.work_folder, "schedule run", file="schedule.lock"):
        second = cli("schedule", "run", "tiny.yaml", "--until", "2024-01-01T00:00Z")
    assert second.returncode == LockError.exit_code
    assert "held by schedule run" in second.stderr


def test_a_replay_goes_on_where_the_ledger_ends(
    scheduled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("tiny.yaml", ["schedule.predict=null"])
    run(config, now="2024-01-01T00:00Z", until="2024-01-01T00:20Z")
    run(config, now="2023-01-01T00:00Z", until="2024-01-01T00:30Z")
    assert "the ledger starts again at 2024-01-01T00:00Z" in capsys.readouterr().out


def test_health_tells_a_probe_what_is_wrong(
    scheduled: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config("tiny.yaml", ["schedule.score=null"])
    assert health(config) == 1
    assert "the scheduler has not run here" in capsys.readouterr().err
    monkeypatch.setenv("FORECAST_NOW", "2024-01-01T00:05Z")
    run(config, now="2024-01-01T00:00Z", until="2024-01-01T00:05Z")
    assert health(config) is None
    tell(config, "stale", "readings are old")
    assert health(config) == 1
    assert "stale: readings are old" in capsys.readouterr().err
    tell(config, "stale", None)
    monkeypatch.setenv("FORECAST_NOW", "2024-01-01T02:00Z")
    assert health(config) == 1
    assert "the scheduler has been silent since" in capsys.readouterr().err


def test_a_log_of_json_is_one_object_a_line(
    scheduled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECAST_LOG", "json")
    show(load_config("tiny.yaml"))
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["level"], found["message"]) == ("info", "tiny: schedule in UTC")
    assert [row["job"] for row in found["rows"]] == ["predict", "score"]
