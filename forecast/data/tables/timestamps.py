"""Parses columns of times in any supported form to nanoseconds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.config.time_format import pattern_of
from forecast.data.tables.text_values import as_labels, as_text
from forecast.data.tables.time_texts import (
    DAY_NS,
    EARLIEST_NS,
    ISO,
    LATEST_NS,
    parse_texts,
    zone_words,
)

EPOCH_NS = {"epoch_s": 10**9, "epoch_ms": 10**6, "epoch_us": 10**3, "epoch_ns": 1}
SPREADSHEET_DAYS = 25_569
"""Days from 1899-12-30, a spreadsheet's day 0, to 1970."""
_YEAR_10000_S = 253_402_300_800
_UNIT_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class Stamps(NamedTuple):
    """Times of one chunk in nanoseconds since 1970.

    `is_utc` tells instants from clock times without an offset; `empty` marks rows without a
    time, `bad` rows whose text is not a time. The value of both is 0.
    """

    ns: NDArray[np.int64]
    is_utc: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def to_stamps(
    columns: Sequence[pa.Array], style: str | None = None, timezone: str = "UTC"
) -> Stamps:
    """Return the times that one column, or several joined by a space, spell.

    Parameters
    ----------
    columns
        Arrow arrays of text, numbers, dates or timestamps.
    style
        `strptime` format, one of `EPOCH_NS`, `excel`, or None for ISO 8601.
    timezone
        IANA zone whose words (CET, CEST) are offsets, beside UTC, GMT and Z.
    """
    if len(columns) == 1 and _is_temporal(columns[0].type):
        return _from_temporal(columns[0])
    if style in EPOCH_NS and len(columns) == 1:
        return _from_epoch(columns[0], EPOCH_NS[style])
    if style == "excel" and len(columns) == 1:
        return _from_spreadsheet(columns[0])
    if any(pa.types.is_nested(column.type) for column in columns):
        return _no_times(columns)
    words = zone_words(timezone)
    if style is None:
        return _from_iso(joined(columns), words)
    pieces = style.split(" ")
    if len(columns) > 1 and len(pieces) == len(columns) and _are_apart(pieces):
        return _from_pieces(columns, pieces, words)
    return _by_label(joined(columns), [pattern_of(style)], words)


def joined(columns: Sequence[pa.Array], separator: str = " ") -> pa.Array:
    """Return columns joined to one text; null where one of them is null."""
    texts = [as_text(column) for column in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, separator)


def _no_times(columns: Sequence[pa.Array]) -> Stamps:
    """Return the stamps of columns that hold lists or records: bad wherever there is something."""
    empty = np.logical_or.reduce([np.asarray(column.is_null()) for column in columns])
    none = np.zeros(len(empty), dtype=bool)
    return Stamps(np.zeros(len(empty), np.int64), none, empty, ~empty)


def _is_temporal(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds dates or instants."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _from_temporal(column: pa.Array) -> Stamps:
    """Return the times of a column that Parquet already holds as times."""
    kind, count = column.type, len(column)
    if pa.types.is_date32(kind):
        unit, whole = DAY_NS, column.cast(pa.int32()).cast(pa.int64())
    else:
        unit = _UNIT_NS["ms" if pa.types.is_date64(kind) else kind.unit]
        whole = column.cast(pa.int64())
    counts = np.asarray(pc.fill_null(whole, 0))
    ns = np.clip(counts, -(-EARLIEST_NS // unit), LATEST_NS // unit) * unit
    is_utc = pa.types.is_timestamp(kind) and kind.tz is not None
    return Stamps(
        ns, np.full(count, is_utc), np.asarray(column.is_null()), np.zeros(count, dtype=bool)
    )


def _stamps(times: pa.Array, empty: pa.Array, *, is_utc: bool) -> Stamps:
    """Return stamps from Arrow timestamps; null where not empty is bad."""
    gone, blank = np.asarray(times.is_null()), np.asarray(empty)
    ns = np.clip(np.asarray(pc.fill_null(times.cast(pa.int64()), 0)), EARLIEST_NS, LATEST_NS)
    return Stamps(ns, np.full(len(ns), is_utc), blank, gone & ~blank)


def _from_epoch(column: pa.Array, unit: int) -> Stamps:
    """Return instants from counts of a unit, whole or with a fraction."""
    empty, bad = np.asarray(column.is_null()), np.zeros(len(column), dtype=bool)
    if not pa.types.is_integer(column.type):
        text = as_text(column)
        fits = pc.fill_null(pc.match_substring_regex(text, r"^-?\d+(\.\d*)?([eE]\+?\d+)?$"), False)
        empty, bad = np.asarray(text.is_null()), ~np.asarray(fits) & np.asarray(text.is_valid())
        column = _cast_numbers(pc.if_else(fits, text, pa.scalar(None, pa.string())))
    counts = np.asarray(pc.fill_null(column, 0))
    bad = bad | (np.abs(counts.astype(np.float64)) >= _YEAR_10000_S * (10**9 / unit))
    counts = np.clip(np.where(bad, 0, counts), -(-EARLIEST_NS // unit), LATEST_NS // unit)
    whole = counts.astype(np.int64)
    ns = whole * unit + np.rint((counts - whole) * unit).astype(np.int64)
    return Stamps(ns, np.ones(len(ns), dtype=bool), empty, bad)


def _from_spreadsheet(column: pa.Array) -> Stamps:
    """Return clock times from days since 1899-12-30, to the second: cells show few digits of it."""
    stamps = _from_epoch(column, DAY_NS)
    seconds = np.rint(stamps.ns / 10**9).astype(np.int64)
    known = ~(stamps.empty | stamps.bad)
    ns = np.where(known, seconds * 10**9 - SPREADSHEET_DAYS * DAY_NS, 0)
    return stamps._replace(ns=ns, is_utc=np.zeros(len(ns), dtype=bool))


def _cast_numbers(text: pa.Array) -> pa.Array:
    """Return well-formed numbers, whole ones exactly."""
    try:
        return text.cast(pa.int64())
    except pa.ArrowInvalid:
        return text.cast(pa.float64())


def _from_iso(text: pa.Array, words: Mapping[str, int]) -> Stamps:
    """Return times from ISO 8601 text: at once where all rows are of one kind."""
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return _stamps(text.cast(kind), text.is_null(), is_utc=kind.tz is not None)
        except pa.ArrowInvalid:
            continue
    return _by_label(text, ISO, words)


def _by_label(cells: pa.Array, patterns: Sequence[str], words: Mapping[str, int]) -> Stamps:
    """Return times by parsing each distinct text once."""
    labels, rows, empty = as_labels(cells)
    times = parse_texts(labels, patterns, words)
    ns = times.ns[rows]
    if empty.any():
        ns[empty] = 0
    return Stamps(ns, times.is_utc[rows], empty, times.bad[rows] & ~empty)


def _are_apart(pieces: Sequence[str]) -> bool:
    """Return whether one piece of a format is the whole date and the others times of day."""
    patterns = [pattern_of(piece) for piece in pieces]
    dates = ["year" in pattern for pattern in patterns]
    times = ["<hour" in pattern for pattern in patterns]
    parts = ("month", "name", "day", "isoweek")
    stray = any(
        f"<{part}>" in pattern
        for pattern, is_date in zip(patterns, dates, strict=True)
        if not is_date
        for part in parts
    )
    return sum(dates) == 1 and not stray and all(a != b for a, b in zip(dates, times, strict=True))


def _from_pieces(
    columns: Sequence[pa.Array], pieces: Sequence[str], words: Mapping[str, int]
) -> Stamps:
    """Return times as a date plus times of day: far fewer distinct texts than joined ones."""
    parts = [
        _by_label(column, [pattern_of(piece)], words)
        for column, piece in zip(columns, pieces, strict=True)
    ]
    ns = np.sum([part.ns for part in parts], axis=0)
    empty = np.logical_or.reduce([part.empty for part in parts])
    bad = np.logical_or.reduce([part.bad for part in parts])
    ns[empty | bad] = 0
    is_utc = np.logical_or.reduce([part.is_utc for part in parts])
    return Stamps(ns, is_utc, empty, bad & ~empty)
