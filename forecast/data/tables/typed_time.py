"""Parses one time that a person types, in the forms that tables use."""

from __future__ import annotations

import pyarrow as pa

from forecast.data.tables.local_clock import LocalClock
from forecast.data.tables.timestamps import to_stamps


def typed_instant(text: str, timezone: str | None, *, in_days: bool = False) -> int:
    """Return a time as nanoseconds since 1970, UTC.

    Parameters
    ----------
    timezone
        IANA zone of a time without an offset; None where it must have one.
    in_days
        Whether a midnight stands for its day.

    Raises
    ------
    ValueError
        When the text is not such a time; the message continues after the text.

    Examples
    --------
    >>> typed_instant("1970-01-01T01:00+01:00", None)
    0
    """
    stamps = to_stamps([pa.array([text])], None, timezone or "UTC")
    if stamps.bad[0] or stamps.empty[0]:
        raise ValueError("is not a time; write it like 2013-12-01T00:00Z")
    if stamps.is_utc[0]:
        return int(stamps.ns[0])
    if timezone is None:
        raise ValueError("has no time zone; add Z for UTC or an offset")
    utc, repeated, skipped = LocalClock(timezone, in_days=in_days).to_utc(stamps.ns)
    if repeated[0]:
        raise ValueError(f"comes twice in {timezone} (clocks go back); write it with an offset")
    if skipped[0]:
        raise ValueError(f"is left out in {timezone} (clocks go forward); write it with an offset")
    return int(utc[0])
