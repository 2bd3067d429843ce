"""Readings years from all others: set aside and named; a sensor that comes back is none."""

import numpy as np
import pandas as pd
import pytest

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.chunk import CannotAppendError, SeriesIds
from forecast.data.panel import append_panel, build_panel, panel_from_frame
from forecast.data.panel.panel import newest_cutoff
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import DataError

GOOD = pd.date_range("2026-10-20", periods=600, freq="h").strftime("%Y-%m-%dT%H:%M:%SZ").tolist()


def surveyed(folder, stamps, *, at, name="a"):
    """Return panel and findings of two hourly series, one with these stamps in the place of some."""
    mine = list(GOOD)
    mine[at : at + len(stamps)] = stamps
    rows = [f"{name},{stamp},{i}.5" for i, stamp in enumerate(mine)]
    rows += [f"b,{stamp},{i}.5" for i, stamp in enumerate(GOOD)]
    (folder / "t.csv").write_text("unique_id,ds,y\n" + "\n".join(rows) + "\n")
    data = Data(source=str(folder / "t.csv"), frequency="1h")
    survey = Survey(read_tables(data), data)
    panel = build_panel(survey, folder / "panel", spec=panel_spec(data))
    return panel, check(survey, panel, context_length=24, horizon=6, season=24)


@pytest.mark.parametrize(
    "stamp",
    ["1970-01-01T00:00:00Z", "2036-02-07T06:28:16Z", "2042-01-01T00:00:00Z",
     "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z", "1900-01-01T00:00:00Z"],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 300, 599])
def test_a_stray_stamp_is_set_aside_and_named(stamp, at, tmp_path):
    panel, found = surveyed(tmp_path, [stamp], at=at)
    newest = pd.Timestamp(GOOD[-1])
    assert panel.grid.time(np.array([newest_cutoff(panel)]))[0] == newest.value
    assert int(panel.length.max()) == 600
    account = panel.account
    assert account["stray"] == account["rejected"] == 1
    assert account["read"] == account["kept"] + account["rejected"] + account["aggregated"]
    [stray] = [one for one in found if one.code == "stray"]
    assert stray.level == "warning"
    assert stray.count == 1
    assert "a " in stray.first
    assert f"t.csv: line {at + 2}" in stray.first
    assert "2026-10-20" in stray.message
    assert "2026-11-14" in stray.message
    assert not [one for one in found if one.code in ("gaps", "out_of_order") and one.count > 1]


def test_several_stray_stamps_at_both_ends_are_set_aside(tmp_path):
    panel, _ = surveyed(tmp_path, ["1970-01-01T00:00:00Z"] * 2 + ["2036-01-01T00:00:00Z"], at=10)
    assert panel.account["stray"] == 3
    assert int(panel.length.max()) == 600
    assert {name for name, _ in panel.strays} == {"a"}


def test_a_series_of_stray_stamps_only_is_none(tmp_path):
    (tmp_path / "t.csv").write_text(
        "unique_id,ds,y\nold,1970-01-01T00:00:00Z,1\n" + "".join(f"b,{s},1\n" for s in GOOD)
    )
    data = Data(source=str(tmp_path / "t.csv"), frequency="1h")
    panel = build_panel(read_tables(data), tmp_path / "panel", spec=panel_spec(data))
    assert panel.series_ids == ("b",)
    assert panel.strays[0][0] == "old"


def test_a_sensor_that_comes_back_after_years_is_no_stray():
    stamps = pd.date_range("2020-01-01", periods=500, freq="h").append(
        pd.date_range("2024-01-01", periods=24, freq="h")
    )
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": 1.0}), frequency="1h")
    assert panel.account.get("stray", 0) == 0


@pytest.mark.parametrize(("frequency", "step"), [("5YS", "5YS"), ("1YE", "YE"), ("1QS", "QS")])
def test_long_steps_are_no_strays(frequency, step):
    stamps = pd.date_range("1900-01-01", periods=20, freq=step)
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": 1.0}), frequency=frequency)
    assert panel.account.get("stray", 0) == 0
    assert int(panel.length[0]) == 20


def test_one_lone_future_year_of_a_long_daily_series_is_a_stray():
    stamps = pd.date_range("2000-01-01", "2026-01-01", freq="D").append(
        pd.DatetimeIndex(["2036-01-01"])
    )
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": 1.0}), frequency="1d")
    assert panel.account["stray"] == 1


def test_many_times_beyond_all_calendars_are_refused():
    stamps = ["2024-01-01"] * 3 + ["9999-12-31"] * 30
    with pytest.raises(DataError, match=r"series 'a'.*9999-12-31"):
        panel_from_frame(
            pd.DataFrame({"unique_id": "a", "ds": stamps, "y": 1.0}), frequency="1d"
        )  # fmt: skip


def test_a_new_stray_reading_is_not_appended(tmp_path):
    (tmp_path / "t.csv").write_text("ds,y\n" + "".join(f"{s},1\n" for s in GOOD))
    data = Data(source=str(tmp_path / "t.csv"), frequency="1h")
    spec = panel_spec(data)
    build_panel(read_tables(data), tmp_path / "panel", spec=spec)
    (tmp_path / "t.csv").write_text("ds,y\n2036-01-01T00:00:00Z,1\n")
    new = read_tables(data, series_ids=SeriesIds(["series"]))
    with pytest.raises(CannotAppendError, match="years from all others"):
        append_panel(new, tmp_path / "panel", spec=spec)
