import numpy as np
import pandas as pd
import pytest

from forecast.data.grid import Grid
from forecast.data.windows.calendar import FEATURES, calendar_names, calendar_table
from forecast.errors import ConfigError


def table(start, count, features, *, zone="America/New_York", frequency="1h", holidays=None):
    grid = Grid(frequency, zone)
    first = int(grid.index(np.array([pd.Timestamp(start).value]))[0])
    return calendar_table(grid, first, count, features, holidays)


def hours_of(columns):
    angle = np.arctan2(columns[:, 0], columns[:, 1]) % (2 * np.pi)
    return np.round(angle / (2 * np.pi) * 24).astype(int) % 24


def test_a_spring_day_skips_an_hour_and_an_autumn_day_repeats_one():
    spring = hours_of(table("2024-03-10T05:00Z", 24, ["hour_of_day"]))
    assert spring.tolist() == [0, 1, *range(3, 24), 0]
    autumn = hours_of(table("2024-11-03T04:00Z", 26, ["hour_of_day"]))
    assert autumn.tolist() == [0, 1, 1, *range(2, 24), 0]


def test_features_are_those_of_the_local_date():
    columns = table("2024-01-01T04:00Z", 2, ["is_weekend", "day_of_year", "day_of_week"])
    assert columns[:, 0].tolist() == [1, 0]  # Sunday 31 December 23:00, then Monday
    np.testing.assert_allclose(columns[:, 1], [np.sin(2 * np.pi * 364 / 365), 0], atol=1e-6)
    np.testing.assert_allclose(columns[:, 3], [np.sin(2 * np.pi * 6 / 7), 0], atol=1e-6)


def test_every_feature_is_within_the_circle_and_named():
    names = calendar_names(FEATURES, "US")
    columns = table("2024-01-01T00:00Z", 400, FEATURES, frequency="1d", holidays="US")
    assert columns.shape == (400, len(names))
    assert np.isfinite(columns).all()
    assert np.abs(columns).max() <= 1 + 1e-6
    for position, name in enumerate(names):
        if name.endswith("_sin"):
            np.testing.assert_allclose(
                columns[:, position] ** 2 + columns[:, position + 1] ** 2, 1, atol=1e-5
            )


def test_holidays_are_local_days_of_the_place():
    july = table("2024-07-04T03:00Z", 26, ["is_holiday"], holidays="US")[:, 0]
    assert july.tolist() == [0, *[1] * 24, 0]
    day = {"frequency": "1d", "zone": "Europe/Berlin"}
    bavaria = table("2024-01-06T10:00Z", 1, ["is_holiday"], holidays="DE-BY", **day)
    germany = table("2024-01-06T10:00Z", 1, ["is_holiday"], holidays="DE", **day)
    assert (bavaria[0, 0], germany[0, 0]) == (1, 0)


def test_what_is_no_feature_or_place_is_refused():
    with pytest.raises(ConfigError, match="'moon_phase': unknown"):
        calendar_names(["moon_phase"])
    with pytest.raises(ConfigError, match="name the country"):
        calendar_names(["is_holiday"])
    with pytest.raises(ConfigError, match="'XX'"):
        table("2024-01-01T00:00Z", 2, ["is_holiday"], holidays="XX")


def test_every_feature_is_that_of_pandas_to_the_last_bit():
    """The whole calendar of 1900 to 2200, whose ISO weeks and leap years differ."""
    count = 301 * 365
    first = int((np.datetime64("1900-01-01") - np.datetime64("1970-01-01")).astype(int))
    features = [name for name in FEATURES if name != "is_holiday"]
    found = calendar_table(Grid("1d"), first, count, features)
    wall = pd.date_range("1900-01-01", periods=count)
    days = np.where(wall.is_leap_year, 366, 365)
    phase = {
        "minute_of_hour": np.zeros(count),
        "hour_of_day": np.zeros(count),
        "day_of_week": wall.day_of_week / 7.0,
        "day_of_month": (wall.day - 1.0) / wall.days_in_month,
        "day_of_year": (wall.day_of_year - 1) / days,
        "week_of_year": (wall.isocalendar().week.to_numpy(float) - 1) / 52.1775,
        "month_of_year": (wall.month - 1) / 12.0,
    }
    for column, name in enumerate(calendar_names(features)):
        of = name.rpartition("_")[0]
        wave = {"_sin": np.sin, "_cos": np.cos}.get(name[-4:])
        expected = (
            wall.day_of_week >= 5 if wave is None else wave(2 * np.pi * np.asarray(phase[of]))
        )
        np.testing.assert_array_equal(found[:, column], np.asarray(expected, np.float32), name)
