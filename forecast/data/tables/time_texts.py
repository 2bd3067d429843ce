"""Parses texts of times to nanoseconds, by a pattern.

No loop over texts, for speed: Arrow cuts out the parts, NumPy adds them up.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.config.time_format import ZONE

EARLIEST_NS = int(np.datetime64("1700-01-01", "ns").astype(np.int64))
LATEST_NS = int(np.datetime64("2250-01-01", "ns").astype(np.int64))
"""Times beyond these (0001-01-01, 9999-12-31: no end) are moved there; int64 holds 1678 to 2262."""
DAY_NS = 86_400 * 10**9

_SECOND = r"(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
_TIME = rf"(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{2}})(?::{_SECOND})?)?"
_SHORT_TIME = rf"(?P<hour>\d{{2}})(?P<minute>\d{{2}})(?:{_SECOND})?"
_DATES = (
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
    r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
)
ISO = (
    *(
        rf"{date}(?:(?:[Tt]|\s+){time}\s*{ZONE}?)?"
        for time in (_TIME, _SHORT_TIME)
        for date in _DATES
    ),
    r"(?P<year>\d{4})-(?P<month>\d{2})",
    r"(?P<year>\d{4})",
)
"""ISO 8601 and its kin: with or without seconds, separators, an offset; months and years alone."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FULL = ("january", "february", "march", "april", "may", "june", "july", "august", "september")
_NAMES = {name[:3]: number for number, name in enumerate(_MONTHS, 1)} | {
    name: number for number, name in enumerate((*_FULL, "october", "november", "december"), 1)
}
_NAMES["sept"] = 9


class Parsed(NamedTuple):
    """Times of texts: nanoseconds, whether they are instants (else clock times), which are none."""

    ns: NDArray[np.int64]
    is_utc: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def parse_texts(texts: pa.Array, patterns: Sequence[str], words: Mapping[str, int]) -> Parsed:
    """Return the times of texts by the first pattern that fits each.

    Parameters
    ----------
    texts
        Plain text without nulls.
    patterns
        Regular expressions with groups as in `forecast.config.time_format`.
    words
        Seconds before UTC of the words of zones, in capitals.
    """
    count = len(texts)
    parsed = Parsed(np.zeros(count, np.int64), np.zeros(count, bool), np.ones(count, bool))
    rest = np.arange(count)
    for pattern in patterns:
        if not len(rest):
            break
        chosen = texts if len(rest) == count else texts.take(pa.array(rest))
        parts = pc.extract_regex(chosen, f"(?i)^(?:{pattern})$")
        fits = np.asarray(parts.is_valid())
        if fits.any():
            rows = rest[fits]
            found = _count(_Parts(parts.filter(pa.array(fits))), words)
            for mine, theirs in zip(parsed, found, strict=True):
                mine[rows] = theirs
        rest = rest[~fits]
    return parsed


class _Parts:
    """The parts of times that a pattern has cut from texts, as numbers."""

    def __init__(self, parts: pa.StructArray) -> None:
        self.rows = len(parts)
        names = [field.name for field in parts.type]
        self._columns = dict(zip(names, parts.flatten(), strict=True))

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def text(self, name: str) -> pa.Array:
        """Return a part as text; empty where it is absent."""
        return self._columns[name]

    def number(self, name: str, default: int = 0) -> NDArray[np.int64]:
        """Return a part as a number, the default where it is absent."""
        if name not in self._columns:
            return np.full(self.rows, default)
        text = self._columns[name]
        filled = pc.if_else(pc.equal(text, ""), pa.scalar(str(default)), text)
        return np.asarray(filled.cast(pa.int64()))

    def looked_up(self, name: str, value_of: Mapping[str, int]) -> NDArray[np.int64]:
        """Return a part by a table of its texts in lower case, -1 where it is not there."""
        labels = pc.utf8_lower(self._columns[name]).dictionary_encode()
        values = [value_of.get(label, -1) for label in labels.dictionary.to_pylist()]
        found: NDArray[np.int64] = np.array(values, dtype=np.int64)[np.asarray(labels.indices)]
        return found


def _count(parts: _Parts, words: Mapping[str, int]) -> Parsed:
    """Return times from their parts; a part out of its range makes the time a bad one."""
    day, bad = _days(parts)
    clock, no_clock = _clock(parts)
    bad |= no_clock
    is_far = (day < EARLIEST_NS // DAY_NS) | (day >= LATEST_NS // DAY_NS)
    ns = np.where(is_far, 0, day * DAY_NS + clock)
    ns[is_far] = np.where(day[is_far] < 0, EARLIEST_NS, LATEST_NS)
    is_utc = np.zeros(parts.rows, dtype=bool)
    if "zone" in parts:
        is_utc = np.asarray(pc.not_equal(parts.text("zone"), ""))
        offset, unknown = _offsets(parts.text("zone"), words)
        ns = np.where(is_utc & ~is_far, ns - offset * 10**9, ns)
        bad |= is_utc & unknown
    ns[bad] = 0
    return Parsed(ns, is_utc, bad)


def _days(parts: _Parts) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return days since 1970, 0 where the parts hold no date, and which dates there are not."""
    if "isoyear" in parts:
        return _days_of_weeks(parts)
    if "year" in parts:
        year = parts.number("year")
    elif "year2" in parts:
        short = parts.number("year2")
        year = np.where(short < 69, 2000, 1900) + short  # as POSIX has it
    else:
        return np.zeros(parts.rows, np.int64), np.zeros(parts.rows, bool)
    if "yearday" in parts:
        first, after = (_first_of_month((year - 1970 + add) * 12) for add in (0, 1))
        day = parts.number("yearday")
        return first + day - 1, (day < 1) | (day > after - first)
    month = parts.looked_up("name", _NAMES) if "name" in parts else parts.number("month", 1)
    day = parts.number("day", 1)
    index = (year - 1970) * 12 + month - 1
    first = _first_of_month(index)
    bad = (month < 1) | (month > 12) | (day < 1) | (day > _first_of_month(index + 1) - first)
    return first + day - 1, bad | (year < 1)


def _days_of_weeks(parts: _Parts) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the days of ISO weeks (week 1 holds January 4th)."""
    year, week = parts.number("isoyear"), parts.number("isoweek")
    fourth, next_fourth = (_first_of_month((year - 1970 + add) * 12) + 3 for add in (0, 1))
    monday, next_monday = ((day - (day + 3) % 7) for day in (fourth, next_fourth))
    day = monday + 7 * (week - 1)
    return day + parts.number("isoday", 1) - 1, (week < 1) | (day >= next_monday)


def _first_of_month(index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the day since 1970 with which each month since 1970 begins."""
    return index.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _clock(parts: _Parts) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return nanoseconds of the day; 24:00 is the end of it."""
    minute, second = parts.number("minute"), parts.number("second")
    if "hour12" in parts:
        hour = parts.number("hour12")
        bad = (hour < 1) | (hour > 12)
        is_late = np.asarray(pc.starts_with(pc.utf8_lower(parts.text("half")), "p"))
        hour = hour % 12 + 12 * is_late
    else:
        hour = parts.number("hour")
        bad = hour > 24
    clock = (hour * 3600 + minute * 60 + second) * 10**9
    if "fraction" in parts:
        clock += np.asarray(pc.utf8_rpad(parts.text("fraction"), 9, "0").cast(pa.int64()))
    return clock, bad | (minute > 59) | (second > 59) | (clock > DAY_NS)


def _offsets(
    zones: pa.Array, words: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return seconds after UTC of texts such as +0100, Z and CET, and which of them say nothing."""
    labels = zones.dictionary_encode()
    found = [_offset(text, words) for text in labels.dictionary.to_pylist()]
    rows = np.asarray(labels.indices)
    offset = np.array([0 if offset_s is None else offset_s for offset_s in found], dtype=np.int64)
    return offset[rows], np.array([offset_s is None for offset_s in found])[rows]


def _offset(text: str, words: Mapping[str, int]) -> int | None:
    """Return the seconds of one offset or word; None where it has no meaning."""
    if text[:1] not in ("+", "-", "\u2212"):
        return words.get(text.upper())
    digits = text[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 23 or minutes > 59:
        return None
    return (hours * 3600 + minutes * 60) * (1 if text[0] == "+" else -1)


@lru_cache
def zone_words(timezone: str = "UTC") -> dict[str, int]:
    """Return what words of zones mean: UTC, GMT and Z, and those of one zone's own clocks.

    A word such as EST or IST means different offsets in different places, so others are not
    known; nor is a word by which the zone has meant two offsets since 1970.

    Examples
    --------
    >>> zone_words("Europe/Berlin")
    {'Z': 0, 'UTC': 0, 'GMT': 0, 'CET': 3600, 'CEST': 7200}
    """
    import datetime as dt

    zone = ZoneInfo(timezone)
    seen: dict[str, set[int]] = {}
    for half_month in range(24 * 68):
        moment = dt.datetime.fromtimestamp(half_month * 15.2 * 86_400, zone)
        offset = moment.utcoffset() or dt.timedelta(0)
        seen.setdefault((moment.tzname() or "").upper(), set()).add(int(offset.total_seconds()))
    own = {word: offsets.pop() for word, offsets in seen.items() if len(offsets) == 1}
    return {"Z": 0, "UTC": 0, "GMT": 0} | {word: s for word, s in own.items() if word.isalpha()}
