"""Tables from public bug reports about time, each with the right value computed by pandas."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.config import config_of
from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel, panel_from_frame
from forecast.data.panel.panel import newest_cutoff
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import DataError
from pipelines.process.moments import grid_index


def panel_of_file(path, **settings):
    """Return the panel of a file, its observed steps as a pandas series, and the findings."""
    data = Data(source=str(path), **settings)
    survey = Survey(read_tables(data), data)
    panel = build_panel(survey, path.parent / "panel", spec=panel_spec(data))
    times = panel.grid.time(panel.start[0] + np.arange(int(panel.length[0])))
    values = pd.Series(panel.block(0)[:, 0], pd.to_datetime(times, utc=True)).dropna()
    found = check(survey, panel, context_length=24, horizon=4, season=24)
    return panel, values, found


def test_quarter_hours_of_the_repeated_hour_stand_side_by_side(tmp_path):
    # pandas-dev/pandas#29031 and #29056: the export is sorted by local time
    utc = pd.date_range("2018-10-14T22:00Z", "2018-11-10T22:45Z", freq="15min")
    frame = pd.DataFrame({"utc": utc, "y": np.arange(len(utc)) % 960 + 0.5})
    frame["ds"] = frame["utc"].dt.tz_convert("Europe/Berlin").dt.strftime("%Y-%m-%d %H:%M")
    frame.sort_values(["ds", "utc"], kind="stable")[["ds", "y"]].to_csv(
        tmp_path / "load.csv", index=False
    )
    _, values, found = panel_of_file(
        tmp_path / "load.csv", frequency="15min", timezone="Europe/Berlin"
    )
    assert values.index.tolist() == utc.tolist()
    assert values.tolist() == frame["y"].tolist()
    [hour] = [one for one in found if one.code == "repeated_hour"]
    assert "told apart" in hour.message


def test_weeks_on_sundays_are_forecast_on_sundays(tmp_path):
    # Nixtla/neuralforecast#820, facebook/prophet#746, unit8co/darts#1910
    sundays = pd.date_range("2015-01-04", periods=304, freq="W-SUN", tz="UTC")
    frame = pd.DataFrame({"ds": sundays[:300].strftime("%Y-%m-%d"), "y": 1.5})
    frame.to_csv(tmp_path / "weekly.csv", index=False)
    panel, values, _ = panel_of_file(tmp_path / "weekly.csv", frequency="1w")
    ahead = panel.grid.time(newest_cutoff(panel) + 1 + np.arange(4))
    assert pd.to_datetime(ahead, utc=True).tolist() == sundays[300:].tolist()
    assert values.index.tolist() == sundays[:300].tolist()


@pytest.mark.parametrize("style", [None, "%Y-%m-%d %H:%M:%S %Z"])
def test_a_stamp_in_utc_is_in_utc_whatever_the_zone_of_the_table(style, tmp_path):
    # bxparks/bigquery-schema-generator#19: bq extract writes the word UTC
    utc = pd.date_range("2024-01-01T00:00Z", periods=200, freq="h")
    frame = pd.DataFrame({"ds": utc.strftime("%Y-%m-%d %H:%M:%S UTC"), "y": np.arange(200) + 0.5})
    frame.to_csv(tmp_path / "bq.csv", index=False)
    settings = {"frequency": "1h", "timezone": "Europe/Berlin", "timestamp_format": style}
    _, values, _ = panel_of_file(tmp_path / "bq.csv", **settings)
    assert values.index.tolist() == utc.tolist()


def test_offsets_of_both_seasons_and_both_spellings_are_each_their_own(tmp_path):
    utc = pd.date_range("2024-10-26T00:00Z", periods=72, freq="h")
    local = utc.tz_convert("Europe/Berlin")
    texts = [
        stamp.isoformat() if number % 3 == 0
        else stamp.strftime("%Y%m%dT%H%M%S%z") if number % 3 == 1
        else instant.strftime("%Y%m%dT%H%MZ")
        for number, (stamp, instant) in enumerate(zip(local, utc, strict=True))
    ]  # fmt: skip
    pd.DataFrame({"ds": texts, "y": np.arange(72) + 0.5}).to_csv(tmp_path / "t.csv", index=False)
    _, values, found = panel_of_file(tmp_path / "t.csv", frequency="1h", timezone="Asia/Tokyo")
    assert values.index.tolist() == utc.tolist()
    assert not [one for one in found if one.code in ("repeated_hour", "naive_stamps")]


@pytest.mark.parametrize("odd", ["9999-12-31", "0001-01-01"])
def test_no_end_and_no_begin_in_parquet_are_set_aside(odd, tmp_path):
    # aws/aws-sdk-pandas#427: valid_to = 9999-12-31; .NET's DateTime.MinValue
    times = np.datetime64("2024-01-01", "us") + np.arange(300) * np.timedelta64(1, "h")
    times[200] = np.datetime64(odd)
    table = pa.table({"ds": pa.array(times), "y": np.arange(300) + 0.5})
    pq.write_table(table, tmp_path / "t.parquet")
    panel, values, found = panel_of_file(tmp_path / "t.parquet", frequency="1h")
    assert (panel.account["stray"], len(values), int(panel.length[0])) == (1, 299, 300)
    [stray] = [one for one in found if one.code == "stray"]
    assert "t.parquet: row 201" in stray.first


def test_a_served_frame_is_read_as_a_table_is():
    texts = ["2024-01-01T01:00+01:00", "2024-01-01T01:00Z", "20240101T0200Z", "2024-01-01 04:00"]
    frame = pd.DataFrame({"ds": texts, "y": [1.0, 2.0, 3.0, 4.0]})
    panel = panel_from_frame(frame, frequency="1h", timezone="Europe/Berlin")
    assert panel.values[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]
    for bad, words in (
        (None, "1 rows have no time"),
        ("today", "'today' in row 3 is not an ISO 8601 time"),
        ("2024-03-31 02:30", "leaves out"),
    ):
        broken = frame.assign(ds=[*texts[:3], bad])
        with pytest.raises(DataError, match=words):
            panel_from_frame(broken, frequency="1h", timezone="Europe/Berlin")
    with pytest.raises(DataError, match="is not an ISO 8601 time"):
        panel_from_frame(frame.assign(ds=[0, 1, 2, 3]), frequency="1h")


def test_a_typed_cutoff_is_read_as_a_table_is():
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=48, freq="h"), "y": 1.0})
    panel = panel_from_frame(frame, frequency="1h", timezone="Europe/Berlin")
    config = config_of(
        {
            "name": "t",
            "data": {"source": "t.csv", "frequency": "1h", "timezone": "Europe/Berlin"},
            "windows": {"horizon": 4},
        },
        where="t",
    )
    first = int(panel.start[0])
    for text in ("2024-01-01T05:00", "20240101T0400Z", "2024-01-01 05:00:00 CET"):
        assert grid_index(config, panel, text) == first + 5


SHARED = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of cases is not beside the checkout")
@pytest.mark.parametrize(
    ("name", "stated", "hint"),
    [("weekly", "1d", "7d"), ("hourly", "45min", "1h"), ("hourly", "90min", "1h"),
     ("tenmin", "12min", "10min")],
)  # fmt: skip
def test_a_wrong_frequency_is_not_called_as_stated(name, stated, hint, tmp_path):
    source = SHARED / "16b-frequency-as-stated" / f"{name}.csv"
    shutil.copy(source, tmp_path)
    _, _, found = panel_of_file(tmp_path / source.name, frequency=stated)
    [frequency] = [one for one in found if one.code == "frequency"]
    assert "as stated" not in frequency.message
    assert frequency.setting.endswith(f"data.frequency: {hint}")
