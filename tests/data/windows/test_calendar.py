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
