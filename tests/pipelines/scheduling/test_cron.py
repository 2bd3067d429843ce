"""Due times across clock changes; every instant once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.scheduling.cron import due_between, due_times

NEW_YORK = "America/New_York"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _texts(expression: str, after: str, until: str) -> list[str]:
    found = due_between(expression, NEW_YORK, after=_utc(after), until=_utc(until))
    return [f"{due:%dT%H:%M}" for due in found]


def test_an_hourly_job_runs_in_every_real_hour_of_a_25_hour_day() -> None:
    assert len(_texts("10 * * * *", "2024-11-03T04:00", "2024-11-04T05:00")) == 25


@pytest.mark.parametrize("hours", ["0-23", "0-23/1", "*/1", "0-11,12-23"])
def test_every_spelling_of_every_hour_keeps_the_repeated_one(hours: str) -> None:
    span = ("2024-11-03T04:00", "2024-11-04T05:00")
    assert _texts(f"10 {hours} * * *", *span) == _texts("10 * * * *", *span)
    assert len(_texts(f"*/30 {hours} * * *", *span)) == 50


def test_a_range_of_some_hours_runs_once_in_the_repeated_hour() -> None:
    assert len(_texts("10 0-12 * * *", "2024-11-03T04:00", "2024-11-04T05:00")) == 13


def test_an_hourly_job_runs_23_times_on_a_23_hour_day() -> None:
    assert len(_texts("10 * * * *", "2024-03-10T05:00", "2024-03-11T04:00")) == 23


def test_a_fixed_time_in_the_repeated_hour_is_due_once() -> None:
    assert _texts("30 1 * * *", "2024-11-02T12:00", "2024-11-05T00:00") == ["03T05:30", "04T06:30"]


def test_a_fixed_time_in_the_skipped_hour_is_due_at_its_end() -> None:
    assert _texts("30 2 * * *", "2024-03-10T00:00", "2024-03-12T00:00") == ["10T07:00", "11T06:30"]


def test_until_is_included_and_after_is_not() -> None:
    assert _texts("0 * * * *", "2024-06-01T00:00", "2024-06-01T02:00") == ["01T01:00", "01T02:00"]


@pytest.mark.parametrize("zone", ["UTC", NEW_YORK, "Asia/Kolkata", "Australia/Lord_Howe"])
@given(
    start=st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
    gap=st.integers(1, 4000),
)
def test_cutting_a_span_anywhere_loses_and_doubles_nothing(
    zone: str, start: datetime, gap: int
) -> None:
    first = start.replace(tzinfo=UTC)
    end = first + timedelta(days=3)
    middle = min(first + timedelta(minutes=gap), end)
    whole = due_between("*/20 * * * *", zone, after=first, until=end)
    parts = due_between("*/20 * * * *", zone, after=first, until=middle)
    parts += due_between("*/20 * * * *", zone, after=middle, until=end)
    assert parts == whole
    assert sorted(set(whole)) == whole


def test_due_times_never_end() -> None:
    due = due_times("0 0 29 2 *", "UTC", after=_utc("2024-03-01T00:00"))
    assert [one.year for one, _ in zip(due, range(3), strict=False)] == [2028, 2032, 2036]
