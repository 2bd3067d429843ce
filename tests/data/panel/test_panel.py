import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import open_panel, panel_from_frame, write_panel
from forecast.errors import DataError
from tests.builders import frame_of, panel_of


def test_a_frame_becomes_a_grid_with_gaps():
    frame = frame_of(10, series=2).drop(index=[3, 4])
    panel = panel_from_frame(frame, frequency="1h")
    assert panel.series_ids == ("s0", "s1")
    assert panel.length.tolist() == [10, 10]
    assert np.flatnonzero(np.isnan(panel.values[:, 0])).tolist() == [3, 4]
    assert panel.account == {"read": 18, "kept": 18, "aggregated": 0, "rejected": 0}


def test_readings_within_a_step_are_averaged_and_accounted():
    stamps = pd.to_datetime(["2024-01-01 00:00", "2024-01-01 00:30", "2024-01-01 02:10"])
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": [1.0, 3.0, 5.0]}), frequency="1h")
    np.testing.assert_array_equal(panel.values[:, 0], [2, np.nan, 5])
    assert panel.account["aggregated"] == 1


def test_a_written_panel_opens_equal(tmp_path):
    panel = panel_from_frame(frame_of(10, series=2), frequency="1h", timezone="America/New_York")
    write_panel(panel, tmp_path / "panel")
    again = open_panel(tmp_path / "panel")
    np.testing.assert_array_equal(again.values, panel.values)
    assert (again.grid, again.series_ids) == (panel.grid, panel.series_ids)
    assert again.observed_end().tolist() == [10, 10]


def test_a_missing_panel_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="run `forecast prepare`"):
        open_panel(tmp_path)


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="temp"):
        panel_from_frame(frame_of(3), frequency="1h", targets=["temp"])


def test_stamps_without_a_zone_are_local_and_days_have_their_hours():
    local = pd.date_range("2024-03-09", "2024-03-11 23:00", freq="h", tz="America/New_York")
    naive = pd.DataFrame({"ds": local.tz_localize(None), "y": 1.0})
    panel = panel_from_frame(naive, frequency="1h", timezone="America/New_York")
    assert panel.length.tolist() == [71]
    days = panel_from_frame(
        pd.DataFrame({"ds": local, "y": np.arange(71.0)}),
        frequency="1d",
        timezone="America/New_York",
    )
    assert days.values[:, 0].tolist() == [11.5, 24 + 11, 47 + 11.5]


def test_of_rows_with_one_timestamp_the_last_counts():
    stamps = pd.to_datetime(["2024-01-01T00:00Z", "2024-01-01T00:00Z", "2024-01-01T01:00Z"])
    panel = panel_from_frame(pd.DataFrame({"ds": stamps, "y": [1.0, 5.0, 2.0]}), frequency="1h")
    assert panel.values[:, 0].tolist() == [5, 2]


def test_a_frame_may_say_when_its_rows_became_known():
    stamps = pd.to_datetime(["2024-01-01T00:00Z", "2024-01-01T00:00Z", "2024-01-01T01:00Z"])
    known = pd.to_datetime(["2024-01-01T00:00Z", "2024-01-01T09:00Z", None])
    frame = pd.DataFrame({"ds": stamps, "y": [1.0, 5.0, 2.0], "seen": known})
    panel = panel_from_frame(frame, frequency="1h", available_at="seen")
    assert panel.values[:, 0].tolist() == [5, 2]
    assert panel.as_of(0, 0, 2, stamps[0].value)[:, 0].tolist() == [1, 2]


def test_a_row_without_a_time_is_refused():
    with pytest.raises(DataError, match="1 rows have no time"):
        panel_from_frame(
            pd.DataFrame({"ds": [pd.NaT, *pd.to_datetime(["2024-01-01"])], "y": [1.0, 2.0]}),
            frequency="1h",
        )


def test_a_part_holds_its_series_and_nothing_else():
    random = np.random.default_rng(0)
    panel = panel_of([random.standard_normal((n, 2)) for n in (5, 3, 7, 4)], starts=[0, 2, 1, 9])
    part = panel.part(1, 3)
    assert part.series_ids == panel.series_ids[1:3]
    for series in range(2):
        np.testing.assert_array_equal(part.block(series), panel.block(series + 1))
        assert part.cutoff_time(series, 2) == panel.cutoff_time(series + 1, 2)
    assert len(part.values) == 10
    assert not panel.part(2, 2).series_ids
