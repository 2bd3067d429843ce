"""Findings about gaps at clock changes: a wrong time zone, or an hour that was dropped."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from forecast.data.checks.finding import Finding, stamp
from forecast.data.checks.order import RowOrder
from forecast.text import counted

HOUR_NS = 3600 * 10**9
LEAST_SHARE = 0.5


def clock_findings(order: RowOrder, timezone: str) -> Iterator[Finding]:
    """Yield one-hour gaps at clock changes of the configured zone; for UTC, of common zones."""
    gaps = order.gaps
    if not gaps.before:
        return
    before, after = np.concatenate(gaps.before), np.concatenate(gaps.after)
    hour = np.flatnonzero((after - before > HOUR_NS) & (after - before <= 2 * HOUR_NS))
    before, after = np.unique(np.stack([before[hour], after[hour]]), axis=1)
    if timezone == "UTC":
        yield from _as_local(before, order)
    else:
        yield from _at_changes(before, after, timezone)


def _at_changes(
    before: NDArray[np.int64], after: NDArray[np.int64], timezone: str
) -> Iterator[Finding]:
    """Yield gaps over which the zone's offset changes."""
    zone = ZoneInfo(timezone)
    hits = [
        left
        for left, right in zip(before.tolist(), after.tolist(), strict=True)
        if _offset(left, zone) != _offset(right, zone)
    ]
    if hits:
        yield Finding(
            "warning",
            "clock_change",
            f"{counted(len(hits), 'gap')} of one hour at clock changes of {timezone}: an hour is "
            "lost with every change, or the stamps are in winter time all year",
            len(hits),
            first=stamp(hits[0]),
            setting="data.timezone (a fixed one such as Etc/GMT-1), data.ambiguous",
        )


def _as_local(before: NDArray[np.int64], order: RowOrder) -> Iterator[Finding]:
    """Yield timestamps read as UTC that lack the hour which local clocks skip in spring."""
    if not len(before):
        return
    years = (before.astype("datetime64[ns]").astype("datetime64[Y]").astype(int) + 1970).tolist()
    for zone, changes in (
        ("Europe/Berlin", {_sunday(year, 3, last=True) for year in set(years)}),
        ("America/New_York", {_sunday(year, 3, last=False) for year in set(years)}),
    ):
        moments = before.astype("datetime64[ns]").astype("datetime64[h]")
        hits = [
            int(time)
            for time, hour in zip(before.tolist(), moments, strict=True)
            if hour.astype("datetime64[D]") in changes and int(str(hour)[11:13]) <= 2
        ]
        if hits and len(hits) >= LEAST_SHARE * len(changes) and order.rows:
            yield Finding(
                "warning",
                "local_time",
                f"{counted(len(hits), 'gap')} of one hour where the clocks of {zone} go forward: "
                "the stamps look like local time, but are read as UTC",
                len(hits),
                first=stamp(hits[0]),
                setting=f"data.timezone: {zone}",
            )


def _sunday(year: int, month: int, *, last: bool) -> np.datetime64:
    """Return the last Sunday of a month, or the second one."""
    first = np.datetime64(f"{year}-{month:02d}-01")
    days = np.arange(first, first + np.timedelta64(31, "D"))
    sundays = days[(days.astype(np.int64) + 3) % 7 == 6]
    return np.datetime64(sundays[-1] if last else sundays[1])


def _offset(time_ns: int, zone: ZoneInfo) -> float:
    """Return the offset of a zone at an instant, in seconds."""
    moment = dt.datetime.fromtimestamp(time_ns / 1e9, tz=zone)
    offset = moment.utcoffset()
    return offset.total_seconds() if offset is not None else 0.0
