"""The clock of a job can be moved, and only by a clear instant."""

from datetime import UTC, datetime, timedelta

import pytest

from forecast.errors import ConfigError
from pipelines.process import clock


def test_the_wall_clock_counts_unless_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORECAST_NOW", raising=False)
    assert clock.moved_now() is None
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_moved_clock_is_read_as_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORECAST_NOW", "2013-12-01T01:00+01:00")
    assert clock.now() == datetime(2013, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [("yesterday", "is not a time"), ("2013-12-01T00:00", "has no time zone")],
)
def test_an_unclear_instant_is_refused(
    text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORECAST_NOW", text)
    with pytest.raises(ConfigError, match=f"FORECAST_NOW.*{message}"):
        clock.now()
