"""Readings that the config leaves out, and values it cuts to a range, chunk by chunk."""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forecast.config.data import Data
from forecast.config.table import Exclusion
from forecast.data.chunk import Chunk, SeriesIds
from forecast.data.tables.tallies import Notes, Tally
from forecast.data.tables.typed_time import typed_instant
from forecast.errors import ConfigError

ALWAYS = np.iinfo(np.int64)


class _Span(NamedTuple):
    """Readings to leave out: of these series (all where empty), from `start` until before `end`."""

    series: frozenset[str]
    start: int
    end: int


class Chosen:
    """Applies `data.exclude` and `data.clip` to the chunks of a reading.

    Raises
    ------
    ConfigError
        When a span's start or end is not a time.
    """

    def __init__(self, data: Data, channels: tuple[str, ...], ids: SeriesIds, notes: Notes) -> None:
        self._spans = [
            _Span(
                frozenset(exclusion.series),
                _instant(data, exclusion.start, ALWAYS.min),
                _instant(data, exclusion.end, ALWAYS.max),
            )
            for exclusion in data.exclude
        ]
        self._clips = [
            (place, data.limits.get(name, (None, None)), data.clip[name])
            for place, name in enumerate(channels)
            if name in data.clip
        ]
        self._channels = channels
        self._ids = ids
        self._notes = notes

    def of(self, chunk: Chunk) -> Chunk:
        """Return the chunk without what is left out, its values cut to their ranges."""
        if self._spans and len(chunk.series):
            chunk = self._kept(chunk)
        return self._clipped(chunk) if self._clips and len(chunk.series) else chunk

    def _kept(self, chunk: Chunk) -> Chunk:
        """Return the chunk without the readings of the spans, which count as rejected."""
        out = np.zeros(len(chunk.series), dtype=bool)
        for span in self._spans:
            hits = (chunk.time >= span.start) & (chunk.time < span.end)
            if span.series:
                codes = [code for code, name in enumerate(self._ids.names) if name in span.series]
                hits &= np.isin(chunk.series, codes)
            out |= hits
        count = int(np.count_nonzero(out))
        if not count:
            return chunk
        first = int(np.argmax(out))
        when = str(chunk.time[first].astype("datetime64[ns]").astype("datetime64[m]"))
        self._notes.excluded.add(count, f"{self._ids.names[chunk.series[first]]} {when}Z")
        known = chunk.available_at
        return Chunk(
            chunk.series[~out],
            chunk.time[~out],
            chunk.values[~out],
            None if known is None else known[~out],
            rejected=chunk.rejected + count,
        )

    def _clipped(self, chunk: Chunk) -> Chunk:
        """Return the chunk with values cut to their ranges; those outside the limits stay."""
        values = np.array(chunk.values, dtype=np.float64)
        for place, limits, (low, high) in self._clips:
            column = values[:, place]
            cut = np.clip(column, low, high)
            hits = (cut != column) & ~np.isnan(column) & _within(column, limits)
            if hits.any():
                tally = self._notes.clipped.setdefault(self._channels[place], Tally())
                first = int(np.argmax(hits))
                tally.add(int(np.count_nonzero(hits)), f"{column[first]:g}")
                values[hits, place] = cut[hits]
        return replace(chunk, values=values)


def require_used(exclusions: Iterable[Exclusion], ids: SeriesIds) -> None:
    """Check that every series that is to be left out was there.

    Raises
    ------
    ConfigError
        Naming one that was not, and the nearest id.
    """
    named = {name for exclusion in exclusions for name in exclusion.series}
    if unused := sorted(named.difference(ids.names)):
        near = difflib.get_close_matches(unused[0], ids.names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"data.exclude: the source has no series {unused[0]!r}{hint}")


def _within(
    column: NDArray[np.float64], limits: tuple[float | None, float | None]
) -> NDArray[np.bool_]:
    """Return which values lie within limits."""
    low, high = limits
    inside = np.ones(len(column), dtype=bool)
    if low is not None:
        inside &= column >= low
    if high is not None:
        inside &= column <= high
    return inside


def _instant(data: Data, text: str | None, absent: int) -> int:
    """Return the instant that a text of the config spells, local time where it has no offset."""
    if text is None:
        return int(absent)
    try:
        return typed_instant(text, data.timezone)
    except ValueError as error:
        raise ConfigError(f"data.exclude: {text!r} {error}") from error
