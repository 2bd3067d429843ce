"""Weeks, months and business days: steps where the readings lie, ahead as pandas has them."""

import numpy as np
import pandas as pd
import pytest

from forecast.config.duration import count_steps, steps_of_season
from forecast.data.grid import Grid
from forecast.data.panel import panel_from_frame
from forecast.errors import ConfigError


def panel_at(stamps, frequency, timezone="UTC"):
    """Return the panel of one reading a stamp."""
    frame = pd.DataFrame({"ds": stamps, "y": np.arange(len(stamps)) + 0.5})
    return panel_from_frame(frame, frequency=frequency, timezone=timezone)


def times_of(panel, ahead=0):
    """Return the times of all steps, and so many more, in the zone of the grid."""
    steps = panel.start[0] + np.arange(int(panel.length[0]) + ahead)
    return pd.to_datetime(panel.grid.time(steps), utc=True).tz_convert(panel.grid.timezone)


CALENDARS = [
    *(("1w", f"W-{day}") for day in ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")),
    ("2w", "14D"), ("4w", "28D"), ("10d", "10D"), ("1d", "D"), ("1B", "B"),
    ("1ME", "ME"), ("1MS", "MS"), ("1ME", "MS"), ("1MS", "ME"), ("2MS", "2MS"), ("6ME", "6ME"),
    ("1QE", "QE-DEC"), ("1QE", "QE-JAN"), ("1QE", "QE-FEB"), ("1QS", "QS-JAN"), ("1QS", "QS-FEB"),
    ("1QS", "QS-MAR"), ("1QE", "QS-OCT"), ("1YE", "YE-DEC"), ("1YE", "YE-JUN"), ("1YS", "YS-APR"),
]  # fmt: skip


@pytest.mark.parametrize(("frequency", "pandas_name"), CALENDARS)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_steps_lie_where_the_readings_lie_and_go_on_as_pandas_does(frequency, pandas_name, zone):
    wanted = pd.date_range("2015-03-02", periods=46, freq=pandas_name, tz=zone)
    panel = panel_at(wanted[:40], frequency, zone)
    assert not np.isnan(panel.values).any()
    assert times_of(panel, ahead=6).tolist() == wanted.tolist()


@pytest.mark.parametrize("day", [5, 15, 28, 29, 30])
def test_months_named_by_another_day_keep_it(day):
    months = pd.date_range("2015-01-01", periods=30, freq="MS")
    wanted = [m + pd.Timedelta(days=min(day, m.days_in_month) - 1, hours=6) for m in months]
    panel = panel_at(wanted[:24], "1MS")
    assert times_of(panel, ahead=6).tz_localize(None).tolist() == wanted


def test_days_of_a_month_become_one_step_named_by_its_unit():
    days = pd.date_range("2020-01-01", "2020-04-30", freq="D")
    for frequency, wanted in (
        ("1MS", ["2020-01-01", "2020-02-01", "2020-03-01", "2020-04-01", "2020-05-01"]),
        ("1ME", ["2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30", "2020-05-31"]),
    ):
        panel = panel_at(days, frequency)
        assert times_of(panel, ahead=1).strftime("%Y-%m-%d").tolist() == wanted
        means = pd.Series(np.arange(len(days)) + 0.5, days).resample(frequency[1:]).mean()
        np.testing.assert_allclose(panel.values[:, 0], means, rtol=1e-6)


def test_days_of_a_week_become_weeks_from_monday():
    days = pd.date_range("2020-01-06", periods=28, freq="D")
    panel = panel_at(days, "1w")
    assert times_of(panel).strftime("%a").unique().tolist() == ["Mon"]
    assert panel.values[:, 0].tolist() == [3.5, 10.5, 17.5, 24.5]


def test_a_holiday_is_a_business_day_without_a_reading_and_a_weekend_none():
    days = pd.bdate_range("2024-12-16", "2025-01-10").drop(
        pd.to_datetime(["2024-12-25", "2025-01-01"])
    )
    panel = panel_at(days, "1B")
    steps = times_of(panel)
    assert (steps.day_of_week < 5).all()
    empty = steps[np.isnan(panel.values[:, 0])].strftime("%Y-%m-%d").tolist()
    assert empty == ["2024-12-25", "2025-01-01"]


def test_a_logger_past_the_hour_keeps_its_minute_after_a_late_reading():
    stamps = pd.date_range("2024-01-01 00:07", periods=100, freq="h").to_numpy().copy()
    stamps[40] += np.timedelta64(4, "s")
    panel = panel_at(stamps, "1h")
    assert set(times_of(panel, ahead=3).strftime("%M:%S")) == {"07:00"}
    assert not np.isnan(panel.values).any()


def test_a_reading_before_the_place_leaves_every_reading_in_a_step_of_its_own():
    stamps = pd.date_range("2024-01-01 00:07", periods=100, freq="h").to_numpy().copy()
    stamps[40] -= np.timedelta64(4, "s")
    panel = panel_at(stamps, "1h")
    assert not np.isnan(panel.values).any()
    assert panel.values[:, 0].tolist() == (np.arange(100) + 0.5).tolist()


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("America/Sao_Paulo", "2018-10-25"),
        ("Africa/Cairo", "2023-04-20"),
        ("America/Havana", "2023-03-05"),
        ("America/Havana", "2023-11-01"),
        ("Asia/Beirut", "2022-03-20"),
    ],
)
def test_a_date_is_its_day_where_clocks_change_at_midnight(zone, first):
    dates = pd.date_range(first, periods=20, freq="D").strftime("%Y-%m-%d")
    panel = panel_at(dates.tolist(), "1d", zone)
    assert times_of(panel).strftime("%Y-%m-%d").tolist() == dates.tolist()
    assert panel.values[:, 0].tolist() == (np.arange(20) + 0.5).tolist()


def test_the_day_that_a_zone_skipped_holds_no_reading():
    dates = pd.date_range("2011-12-25", periods=10).strftime("%Y-%m-%d").tolist()
    dates.remove("2011-12-30")  # Samoa went from one side of the date line to the other
    panel = panel_at(dates, "1d", "Pacific/Apia")
    seen = times_of(panel)[~np.isnan(panel.values[:, 0])]
    assert seen.strftime("%Y-%m-%d").tolist() == dates


@pytest.mark.parametrize("frequency", ["1ME", "1MS", "1QE", "3MS", "1YE", "1B", "1w", "3d"])
@pytest.mark.parametrize("zone", ["UTC", "Australia/Lord_Howe", "America/Sao_Paulo"])
def test_every_instant_has_one_step_and_each_step_its_time(frequency, zone):
    grid = Grid(frequency, zone)
    instants = np.arange(-3000, 25_000, 7) * 86_400 * 10**9 + 12_345 * 10**9
    steps = grid.index(instants)
    assert (np.diff(steps) >= 0).all()
    np.testing.assert_array_equal(grid.index(grid.time(steps)), steps)
    known = np.array([grid.known_by(int(one)) for one in instants[:300]])
    assert (grid.time(known) <= instants[:300]).all()
    assert (grid.time(known + 1) > instants[:300]).all()


def test_durations_of_the_calendar_count_in_the_calendar():
    assert count_steps("1Y", "1ME") == 12
    assert count_steps("2Q", "1MS") == 6
    assert count_steps("2Y", "1QS") == 8
    assert count_steps("4w", "1B") == 20
    assert [steps_of_season(one) for one in ("1ME", "1QS", "1YE", "1B", "28d")] == [12, 4, 1, 5, 13]
    for duration, frequency in (("30d", "1ME"), ("1M", "1d"), ("1M", "1QE"), ("1d", "1B")):
        with pytest.raises(ConfigError, match="not a whole number of steps"):
            count_steps(duration, frequency)
