"""The scheduling loop: every due run exactly once, through outages, faults and signals."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.process.clock import MovedClock, WallClock
from pipelines.scheduling.ledger import DONE, FAILED, INTERRUPTED, PENDING, SKIPPED, Job, Ledger
from pipelines.scheduling.plan import Plan
from pipelines.scheduling.scheduler import Scheduler

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURLY = {"predict": "10 * * * *"}
JOB = "import json, os, sys; print(json.dumps([sys.argv[1], os.environ.get('FORECAST_NOW')]))"


def _hours(count: float) -> datetime:
    return START + timedelta(hours=count)


def _plan(crons: dict[str, str], code: str = JOB, **changes: timedelta) -> Plan:
    """Return a plan whose jobs append what they were told to `jobs.txt`."""

    def command(verb: str) -> Sequence[str]:
        text = f"import sys; sys.stdout = open('jobs.txt', 'a')\n{code}"
        return [sys.executable, "-I", "-S", "-c", text, verb]

    spans = {"catch_up": timedelta(days=7), "time_limit": timedelta(hours=1)} | changes
    return Plan(crons, "UTC", spans["catch_up"], spans["time_limit"], command)


def _told() -> list[tuple[str, str]]:
    path = Path("jobs.txt")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(verb, now) for verb, now in map(json.loads, lines)]


def _run(plan: Plan, start: datetime, until: datetime) -> Ledger:
    ledger = Ledger(Path("ledger.sqlite"))
    Scheduler(plan, ledger, MovedClock(start)).run(until)
    return ledger


def test_every_due_run_starts_once_at_its_own_clock(in_folder: Path) -> None:
    ledger = _run(_plan(HOURLY), START, _hours(6))
    expected = [("predict", (_hours(h) + timedelta(minutes=10)).isoformat()) for h in range(6)]
    assert _told() == expected
    assert ledger.count("predict", DONE) == 6
    assert ledger.pending() == []


def test_a_restart_starts_nothing_twice(in_folder: Path) -> None:
    _run(_plan(HOURLY), START, _hours(3)).close()
    _run(_plan(HOURLY), _hours(3), _hours(6)).close()
    assert len(_told()) == len(set(_told())) == 6


def test_missed_forecasts_are_made_up_for_newest_first(in_folder: Path) -> None:
    _run(_plan(HOURLY), START, _hours(1)).close()
    _run(_plan(HOURLY), _hours(4.5), _hours(5)).close()
    assert [now[11:16] for _, now in _told()] == ["00:10", "04:10", "03:10", "02:10", "01:10"]


def test_missed_runs_of_other_verbs_collapse_into_the_newest(in_folder: Path) -> None:
    plan = _plan({"score": "40 * * * *"})
    _run(plan, START, _hours(1)).close()
    ledger = _run(plan, _hours(5), _hours(5.5))
    assert [now[11:16] for _, now in _told()] == ["00:40", "04:40"]
    assert ledger.count("score", SKIPPED) == 3


def test_what_was_missed_too_long_ago_is_left_and_said(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = _plan(HOURLY, catch_up=timedelta(hours=2))
    _run(plan, START, _hours(1)).close()
    ledger = _run(plan, _hours(10), _hours(10))
    assert [now[11:16] for _, now in _told()] == ["00:10", "09:10", "08:10"]
    assert ledger.count("predict", SKIPPED) == 7
    assert "predict: 7 missed runs are not made up for" in capsys.readouterr().out


def test_the_first_start_makes_up_for_nothing(in_folder: Path) -> None:
    ledger = _run(_plan(HOURLY), START, START)
    assert _told() == []
    assert ledger.seen_until("predict") == START


def test_runs_due_together_follow_the_order_of_the_loop(in_folder: Path) -> None:
    crons = dict.fromkeys(("retrain", "evaluate", "score", "predict"), "0 * * * *")
    _run(_plan(crons), START, _hours(1)).close()
    assert [verb for verb, _ in _told()] == ["predict", "score", "evaluate", "retrain"]


class _WallThatJumps:
    """A wall clock of the test's own: waiting moves it on at once."""

    is_moved = False

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def wait(self, until: datetime) -> None:
        self._now = max(self._now, until)


def _run_on_the_wall(plan: Plan, start: datetime, until: datetime) -> Ledger:
    ledger = Ledger(Path("ledger.sqlite"))
    Scheduler(plan, ledger, _WallThatJumps(start)).run(until)
    return ledger


def test_a_clock_that_was_ahead_for_days_loses_no_run_once_it_is_right(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = _plan(HOURLY, catch_up=timedelta(hours=3))
    _run_on_the_wall(plan, START, _hours(1)).close()
    _run_on_the_wall(plan, _hours(120), _hours(121)).close()  # ahead by five days
    Path("jobs.txt").unlink()
    ledger = _run_on_the_wall(plan, _hours(2), _hours(8))
    assert ledger.count("predict", DONE) - 1 == len(_told()) == 6  # 00:10 before, six from 02:10
    assert ledger.count("predict", SKIPPED) == 1  # 01:10, which the jump left behind
    assert ledger.newest("predict") == _hours(7) + timedelta(minutes=10)
    assert "the clock was ahead: the ledger reaches 2024-01-0" in capsys.readouterr().err


def test_a_clock_set_back_by_seconds_doubles_no_run(in_folder: Path) -> None:
    _run_on_the_wall(_plan(HOURLY), START, _hours(1.2)).close()
    before = len(_told())
    _run_on_the_wall(_plan(HOURLY), _hours(1.2) - timedelta(minutes=3), _hours(1.5)).close()
    assert len(_told()) == before


def test_a_fault_under_a_clock_ahead_is_tried_again_at_once(in_folder: Path) -> None:
    job = Job("predict", _hours(0.5))
    ledger = Ledger(Path("ledger.sqlite"))
    ledger.write_down("predict", until=_hours(0.6), due=[job.due], skipped=[])
    ledger.end(job, ledger.start(job, _hours(900)), at=_hours(900), exit_code=1)
    ledger.close()
    ledger = _run_on_the_wall(_plan(HOURLY), _hours(0.7), _hours(0.8))
    assert ledger.count("predict", DONE) == 1


def test_a_fault_is_tried_again_a_limited_number_of_times(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = _run(_plan({"predict": "10 0 * * *"}, f"{JOB}; sys.exit(3)"), START, _hours(2))
    assert len(_told()) == 3
    assert len(set(_told())) == 1  # each try at the clock of the run that was due
    assert ledger.count("predict", FAILED) == 1
    attempts = ledger.attempts(Job("predict", START + timedelta(minutes=10)))
    waits = [(b.started - a.started).total_seconds() for a, b in zip(attempts, attempts[1:])]  # noqa: B905, RUF007
    assert waits == [30, 120]
    assert "failed for good, exit code 3" in capsys.readouterr().err


def test_a_wrong_config_is_not_tried_again(in_folder: Path) -> None:
    ledger = _run(_plan({"predict": "10 0 * * *"}, f"{JOB}; sys.exit(2)"), START, _hours(2))
    assert len(_told()) == 1
    assert ledger.count("predict", FAILED) == 1


def test_a_second_try_that_works_is_the_last(in_folder: Path) -> None:
    code = f"{JOB}; import os; os.path.exists('mended') or (open('mended', 'w'), sys.exit(1))"
    ledger = _run(_plan({"predict": "10 0 * * *"}, code), START, _hours(2))
    assert len(_told()) == 2
    assert ledger.count("predict", DONE) == 1


def test_a_newer_run_replaces_one_that_waits_for_another_try(in_folder: Path) -> None:
    ledger = _run(_plan({"score": "* * * * *"}, f"{JOB}; sys.exit(5)"), START, _hours(0.1))
    assert ledger.count("score", SKIPPED) > 0
    assert ledger.count("score", PENDING) <= 1


def test_a_job_that_a_crash_cut_short_is_started_again(in_folder: Path) -> None:
    job = Job("predict", START + timedelta(minutes=10))
    ledger = Ledger(Path("ledger.sqlite"))
    ledger.write_down("predict", until=_hours(0.5), due=[job.due], skipped=[])
    ledger.start(job, _hours(0.2))
    ledger.close()
    ledger = _run(_plan(HOURLY), _hours(0.5), _hours(1))
    assert [one.exit_code for one in ledger.attempts(job)] == [INTERRUPTED, 0]
    assert ledger.count("predict", DONE) == 1


def test_a_job_that_hangs_is_stopped(in_folder: Path) -> None:
    plan = _plan({"predict": "10 0 * * *"}, "import time; time.sleep(600)", time_limit=timedelta(0))
    ledger = _run(plan, START, _hours(3))
    assert ledger.count("predict", FAILED) == 1
    [first, *_] = ledger.attempts(Job("predict", START + timedelta(minutes=10)))
    assert first.exit_code == -signal.SIGTERM


class _Soon(WallClock):
    """The wall clock, set so that one run is due a moment after the start."""

    def __init__(self) -> None:
        self._shift = START + timedelta(minutes=59, seconds=59) - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


def test_a_long_job_does_not_hold_up_the_forecasts(in_folder: Path) -> None:
    code = (
        f"{JOB}; sys.stdout.flush()\nimport os, time\n"
        "if sys.argv[1] == 'predict': open('predicted', 'w')\n"
        "while not os.path.exists('predicted'): time.sleep(0.05)"
    )
    ledger = Ledger(Path("ledger.sqlite"))
    due = [_hours(0.5)]
    ledger.write_down("retrain", until=_hours(0.6), due=due, skipped=[])
    plan = _plan({"retrain": "30 0 * * *", "predict": "0 1 * * *"}, code)
    Scheduler(plan, ledger, _Soon()).run(_hours(1.01))
    assert [ledger.count(verb, DONE) for verb in ("retrain", "predict")] == [1, 1]
    assert [verb for verb, _ in _told()] == ["retrain", "predict"]
    assert [now for _, now in _told()] == [None, None]  # due now: the newest readings


def test_a_signal_lets_the_current_job_finish(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = f"{JOB}; open('started', 'w'); import time; time.sleep(1)"
    ledger = Ledger(Path("ledger.sqlite"))
    ledger.write_down("predict", until=datetime.now(UTC), due=[_hours(0.2)], skipped=[])

    def stop() -> None:
        while not Path("started").exists():
            threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=stop)
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    Scheduler(_plan({"predict": "0 0 1 1 *"}, code), ledger, WallClock()).run()
    thread.join()
    assert "stopping after predict" in capsys.readouterr().out
    assert ledger.attempts(Job("predict", _hours(0.2)))[0].exit_code == 0
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_a_second_signal_ends_the_job_which_is_kept_for_later(in_folder: Path) -> None:
    script = (
        "import sys; from datetime import *; from pathlib import Path\n"
        "from pipelines.scheduling.ledger import Ledger; from pipelines.scheduling.plan import Plan\n"
        "from pipelines.scheduling.scheduler import Scheduler\n"
        "from pipelines.process.clock import WallClock\n"
        "due = datetime(2024, 1, 1, 0, 12, tzinfo=UTC); week = timedelta(days=7)\n"
        "ledger = Ledger(Path('ledger.sqlite'))\n"
        "ledger.write_down('predict', until=datetime.now(UTC), due=[due], skipped=[])\n"
        "sleep = lambda verb: [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "plan = Plan({'predict': '0 0 1 1 *'}, 'UTC', week, week, sleep)\n"
        "Scheduler(plan, ledger, WallClock()).run()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    loop = subprocess.Popen(
        [sys.executable, "-u", "-c", script], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert loop.stdout is not None
    assert "started" in loop.stdout.readline()
    loop.send_signal(signal.SIGINT)
    assert loop.stdout.readline() == "stopping after predict\n"
    loop.send_signal(signal.SIGINT)
    assert loop.wait(timeout=60) == 0
    loop.stdout.close()
    ledger = Ledger(Path("ledger.sqlite"))
    [job] = ledger.pending()
    assert [one.exit_code for one in ledger.attempts(job)] == [-signal.SIGTERM]


def test_trouble_is_told_and_so_is_its_end(in_folder: Path) -> None:
    told: list[tuple[str, str, bool]] = []
    code = f"{JOB}; import os; os.path.exists('mended') or sys.exit(2)"
    plan = replace(
        _plan(HOURLY, code, catch_up=timedelta(hours=1)),
        tell=lambda kind, verb, text: told.append((kind, verb, text is not None)),
        status=Path("status.json"),
    )
    _run(plan, START, _hours(1)).close()
    assert ("failed", "predict", True) in told
    Path("mended").touch()
    told.clear()
    _run(plan, _hours(5), _hours(6)).close()
    assert ("failed", "predict", False) in told
    assert ("skipped", "predict", True) in told
    status = json.loads(Path("status.json").read_text())["jobs"]["predict"]
    assert status["exit_code"] == 0
    assert status["last_good"] == "2024-01-01T05:10:00+00:00"
