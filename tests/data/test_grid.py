import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.grid import Grid
from forecast.errors import ConfigError


def ns(*texts):
    return np.array([pd.Timestamp(text).tz_convert("UTC").value for text in texts])


def test_cells_begin_at_their_step():
    grid = Grid("15min")
    index = grid.index(ns("2024-05-01T10:00Z", "2024-05-01T10:14:59Z", "2024-05-01T10:15Z"))
    assert (index - index[0]).tolist() == [0, 0, 1]
    assert grid.time(index[1:2])[0] == ns("2024-05-01T10:00Z")[0]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", "2024-03-10", 23),
        ("America/New_York", "2024-11-03", 25),
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
        ("UTC", "2024-03-10", 24),
    ],
)
def test_local_days_have_the_hours_they_have(zone, day, hours):
    grid = Grid("1d", zone)
    first = grid.index(ns(f"{day}T12:00Z"))[0]
    begin, end = grid.time(np.array([first, first + 1]))
    assert (end - begin) / 3.6e12 == hours
    stamps = np.arange(begin, end, 1_800_000_000_000)
    assert set(grid.index(stamps).tolist()) == {first}
    assert grid.index(np.array([begin - 1, end])).tolist() == [first - 1, first + 1]


def test_a_day_without_midnight_begins_with_its_first_instant():
    grid = Grid("1d", "America/Sao_Paulo")  # 2018-11-04 began at 01:00
    index = grid.index(ns("2018-11-04T12:00Z"))
    assert grid.time(index)[0] == ns("2018-11-04T03:00Z")[0]
    assert grid.index(grid.time(index)) == index


def test_hours_run_through_a_clock_change():
    grid = Grid("1h", "America/New_York")
    stamps = ns("2024-11-03T05:00Z", "2024-11-03T06:00Z", "2024-11-03T07:00Z")
    index = grid.index(stamps)
    assert np.diff(index).tolist() == [1, 1]
    np.testing.assert_array_equal(grid.time(index), stamps)


@given(
    st.sampled_from(["1min", "10min", "1h", "6h", "1d", "7d"]),
    st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.integers(0, 2_000_000_000),
)
def test_the_time_of_a_step_lies_in_the_step(frequency, zone, second):
    grid = Grid(frequency, zone)
    time = np.array([second * 1_000_000_000])
    index = grid.index(time)
    assert grid.index(grid.time(index)) == index
    assert grid.time(index)[0] <= time[0] < grid.time(index + 1)[0]


def test_durations_become_steps():
    assert Grid("1h").steps("7d") == 168
    assert Grid("1d", "Europe/Berlin").steps("1w") == 7
    assert Grid("10min").steps(5) == 5
    with pytest.raises(ConfigError, match="not a whole number of steps"):
        Grid("1h").steps("90min")


@pytest.mark.parametrize(
    ("frequency", "zone", "message"),
    [("36h", "UTC", "whole number of days"), ("1h", "Mars/Base", "IANA"), ("x", "UTC", "duration")],
)
def test_what_is_no_grid_is_refused(frequency, zone, message):
    with pytest.raises(ConfigError, match=message):
        Grid(frequency, zone)


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "America/Sao_Paulo",
    ],
)
def test_local_clocks_are_those_of_pandas(zone):
    """At random instants of two centuries, and a nanosecond around every change of clocks."""
    random = np.random.default_rng(1)
    low, high = pd.Timestamp("1890-01-01").value, pd.Timestamp("2100-01-01").value
    time = np.sort(random.integers(low, high, 20_000))
    found = Grid("1h", zone).local(time)
    moved = np.flatnonzero(np.diff(found - time))
    edges = time[np.unique(np.concatenate([moved, moved + 1]))]
    quarters = (edges[:, None] + np.arange(-200, 200) * 900_000_000_000).reshape(-1)
    time = np.concatenate([time, quarters, quarters - 1])
    stamps = pd.DatetimeIndex(time.view("M8[ns]")).tz_localize("UTC")
    wall = stamps.tz_convert(zone).tz_localize(None).to_numpy("M8[ns]").view(np.int64)
    np.testing.assert_array_equal(Grid("1h", zone).local(time), wall)
    assert len(moved)
