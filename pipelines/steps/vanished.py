"""Reports series that were forecast before and are no longer in the tables."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from forecast.whole_files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

SERIES = "series.json"  # in the work folder: the series a champion has forecast so far
SHOWN = 5


def vanished(work_folder: Path, version: str, series_ids: tuple[str, ...]) -> list[str]:
    """Return the series that this version has forecast before and that are missing now.

    A new version starts with the series that exist when it first forecasts.
    """
    path = work_folder / SERIES
    known: set[str] = set()
    with suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(path.read_text(encoding="utf-8"))
        known = set(found["series"]) if found["version"] == version else set()
    if not known.issuperset(series_ids):
        content = {"version": version, "series": sorted(known.union(series_ids))}
        with suppress(OSError):  # a full disk must not cost the forecast
            write_whole(path, json.dumps(content))
    return sorted(known.difference(series_ids))


def in_words(lost: list[str]) -> str | None:
    """Return which series have vanished, in words; None if none has."""
    if not lost:
        return None
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    return (
        f"vanished: no forecast for {', '.join(map(repr, lost[:SHOWN]))}{more}, forecast before "
        "and no longer in the tables; put their rows back, or train again without them"
    )
