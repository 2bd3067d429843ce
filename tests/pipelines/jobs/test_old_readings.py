"""Age by the clock: old readings, clocks ahead and the step in progress, through `predict`."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipelines.cli import main
from tests.site import readings

NEWEST = "cutoff=2024-01-20T23-00Z"


@pytest.fixture
def site(trained_site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the trained site as the current directory, without forecasts."""
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "forecasts")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _predict(now: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> tuple[pd.DataFrame, dict]:
    """Run predict at an instant; return the rows and the success file of the newest cutoff."""
    monkeypatch.setenv("FORECAST_NOW", now)
    assert main(["predict", "run.yaml", *more]) == 0
    folder = max(Path("forecasts/plant").glob("cutoff=*"))
    rows = pd.read_parquet(folder / "part-00000.parquet")
    return rows, json.loads((folder / "_SUCCESS.json").read_text(encoding="utf-8"))


def test_month_old_readings_are_flagged_and_told(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, success = _predict("2024-02-20T23:30Z", monkeypatch)
    assert set(rows["flag"]) == {"stale:31d"}
    assert (success["age"], success["newest_reading"]) == ("31d", "2024-01-20T23:00Z")
    assert success["stale_series"] == 3
    assert (
        "old data: 3 of 3 series without a reading for longer than 13h" in capsys.readouterr().err
    )


def test_fresh_readings_bear_no_flag_until_they_grow_old(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, success = _predict("2024-01-21T09:00Z", monkeypatch)
    assert set(rows["flag"]) == {""}
    assert (success["age"], success["stale_series"]) == ("10h", 0)
    rows, _ = _predict("2024-01-21T13:00Z", monkeypatch)
    assert set(rows["flag"]) == {"stale:14h"}  # the same cutoff, written again


@pytest.mark.parametrize(("limit", "flag"), [("10h", "stale:11h"), ("11h", ""), (10, "stale:11h")])
def test_the_limit_is_the_configs(
    limit: str | int, flag: str, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("--set", f"monitor.max_age={limit}")
    rows, _ = _predict("2024-01-21T10:00Z", monkeypatch, *more)
    assert set(rows["flag"]) == {flag}


def test_one_dead_series_is_stale_alone(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [line for line in readings() if not (line[0] == "b" and line >= "b,2024-01-19T12")]
    (site / "readings.csv").write_text("".join(f"{line}\n" for line in kept))
    rows, success = _predict("2024-01-20T23:30Z", monkeypatch)
    flags = rows.groupby("unique_id")["flag"].first()
    assert flags["a"] == flags["c"] == ""
    assert "stale:36h" in flags["b"]
    assert success["stale_series"] == 1


def test_a_cutoff_that_was_asked_for_is_not_old(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("--cutoff", "2024-01-20T10:00")
    rows, success = _predict("2024-02-20T23:30Z", monkeypatch, *more)
    assert set(rows["flag"]) == {""}
    assert "age" not in success


def test_a_clock_ahead_is_named_and_the_others_go_on(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [*readings(), "a,2024-01-23T01:00:00Z,99,1", "c,2025-06-01T00:00:00Z,99,1"]
    (site / "readings.csv").write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr("pipelines.process.clock.datetime", _Clock)
    assert main(["predict", "run.yaml"]) == 0
    (folder,) = Path("forecasts/plant").glob("cutoff=*")
    assert folder.name == NEWEST
    assert set(pd.read_parquet(folder / "part-00000.parquet")["flag"]) == {""}
    told = capsys.readouterr().err
    assert "series 'a': a reading of 2024-01-23T01:00Z lies ahead of the clock" in told
    assert "series 'c': a reading of 2025-06-01T00:00Z lies ahead of the clock" in told


class _Clock(pd.Timestamp):
    """A wall clock that shows the morning after the newest reading."""

    @classmethod
    def now(cls, tz: object = None) -> pd.Timestamp:
        del tz
        return pd.Timestamp("2024-01-21T01:10Z")


def test_the_hour_in_progress_is_no_hour(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [*readings(), *(f"{name},2024-01-21T00:00:00Z,1,1" for name in "abc")]
    lines += [f"{name},2024-01-21T00:05:00Z,1,1" for name in "abc"]
    (site / "readings.csv").write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr("pipelines.process.clock.datetime", _AtTen)
    assert main(["predict", "run.yaml"]) == 0
    assert [one.name for one in Path("forecasts/plant").glob("cutoff=*")] == [NEWEST]


class _AtTen(_Clock):
    @classmethod
    def now(cls, tz: object = None) -> pd.Timestamp:
        del tz
        return pd.Timestamp("2024-01-21T00:10Z")


def test_another_horizon_than_the_champions_is_flagged(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = _predict("2024-01-21T00:00Z", monkeypatch, "--set", "windows.horizon=24h")
    assert set(rows["flag"]) == {"horizon:12"}
    assert "windows.horizon is 24 steps and the model forecasts 12" in capsys.readouterr().err


def test_a_series_that_vanished_from_the_table_is_named(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _predict("2024-01-21T00:00Z", monkeypatch)
    lines = "".join(f"{line}\n" for line in readings() if line[0] != "b")
    (site / "readings.csv").write_text(lines)
    rows, success = _predict("2024-01-21T00:00Z", monkeypatch)
    assert set(rows["unique_id"]) == {"a", "c"}
    assert success["vanished_series"] == ["b"]
    assert "vanished: no forecast for 'b', forecast before" in capsys.readouterr().err
    (site / "readings.csv").write_text("".join(f"{line}\n" for line in readings()))
    _, success = _predict("2024-01-21T00:00Z", monkeypatch)
    assert "vanished_series" not in success
