"""Columns of time in any spelling to nanoseconds; knows no zone rules and reads no file."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.data.tables.text_values import as_labels, as_text

EPOCH_NS = {"epoch_s": 10**9, "epoch_ms": 10**6, "epoch_us": 10**3, "epoch_ns": 1}
_DATE = re.compile(r"%[YymdbBjxcGVuUwWaAD]")
_TIME = re.compile(r"%[HIMSfpXT]")
_OFFSET = r"(Z|z|[+-]\d{2}(:?\d{2})?)$"
_CLOCK_OFFSET = r":\d{2}.*" + _OFFSET
_ORIGIN_NS = -2_208_988_800_000_000_000  # 1900-01-01, the date of a time without one


class Stamps(NamedTuple):
    """Times of one chunk in nanoseconds since 1970.

    `is_utc` tells instants from clock times without an offset; `empty` marks rows without a
    time, `bad` rows whose text is no time. The value of both is 0.
    """

    ns: NDArray[np.int64]
    is_utc: NDArray[np.bool_]
    empty: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def to_stamps(columns: Sequence[pa.Array], style: str | None = None) -> Stamps:
    """Return the times that one column, or several joined by a space, spell.

    Parameters
    ----------
    columns
        Arrow arrays of text, numbers, dates or timestamps.
    style
        `strptime` format, one of `EPOCH_NS`, or None for ISO 8601.
    """
    if len(columns) == 1 and _is_temporal(columns[0].type):
        return _from_temporal(columns[0])
    if style in EPOCH_NS and len(columns) == 1:
        return _from_epoch(columns[0], EPOCH_NS[style])
    if style is None:
        return _from_iso(joined(columns))
    pieces = style.split(" ")
    if len(columns) > 1 and len(pieces) == len(columns) and _is_split(pieces):
        return _from_pieces(columns, pieces)
    return _by_label(joined(columns), lambda labels: _strptime(labels, style))


def joined(columns: Sequence[pa.Array], separator: str = " ") -> pa.Array:
    """Return columns joined to one text; null where one of them is null."""
    texts = [as_text(column) for column in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, separator)


def _is_temporal(kind: pa.DataType) -> bool:
    """Return whether an Arrow type holds dates or instants."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _from_temporal(column: pa.Array) -> Stamps:
    """Return the times of a column that Parquet already holds as times."""
    is_utc = pa.types.is_timestamp(column.type) and column.type.tz is not None
    kind = pa.timestamp("ns", column.type.tz if is_utc else None)
    return _stamps(column.cast(kind), column.is_null(), is_utc=is_utc)


def _stamps(times: pa.Array, empty: pa.Array, *, is_utc: bool) -> Stamps:
    """Return stamps from Arrow timestamps; null where not empty is bad."""
    gone, blank = np.asarray(times.is_null()), np.asarray(empty)
    ns = np.asarray(pc.fill_null(times.cast(pa.int64()), 0))
    return Stamps(ns, np.full(len(ns), is_utc), blank, gone & ~blank)


def _from_epoch(column: pa.Array, unit: int) -> Stamps:
    """Return instants from counts of a unit, whole or with a fraction."""
    if not pa.types.is_integer(column.type):
        text = as_text(column)
        fits = pc.fill_null(pc.match_substring_regex(text, r"^-?\d+(\.\d*)?([eE]\+?\d+)?$"), False)
        column = pc.if_else(fits, text, pa.scalar(None, pa.string())).cast(pa.float64())
        bad, empty = ~np.asarray(fits) & np.asarray(text.is_valid()), np.asarray(text.is_null())
    else:
        empty = np.asarray(column.is_null())
        bad = np.zeros(len(column), dtype=bool)
    counts = np.asarray(pc.fill_null(column, 0))
    whole = np.floor(counts)
    too_far = np.abs(whole) > 2**63 / unit * 0.99
    whole = np.where(too_far, 0, whole)
    rest = np.where(too_far, 0, counts - whole)
    ns = whole.astype(np.int64) * unit + np.rint(rest * unit).astype(np.int64)
    return Stamps(ns, np.ones(len(ns), dtype=bool), empty, bad | too_far)


def _from_iso(text: pa.Array) -> Stamps:
    """Return times from ISO 8601 text: at once where all rows are of one kind."""
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return _stamps(text.cast(kind), text.is_null(), is_utc=kind.tz is not None)
        except pa.ArrowInvalid:
            continue
    return _by_label(text, lambda labels: _strptime(labels, "ISO8601"))


def _by_label(cells: pa.Array, parse: Callable[[pa.Array], Stamps]) -> Stamps:
    """Return times by parsing each distinct text once."""
    labels, rows, empty = as_labels(cells)
    times = parse(labels)
    ns = times.ns[rows]
    if empty.any():
        ns[empty] = 0
    return Stamps(ns, times.is_utc[rows], empty, times.bad[rows] & ~empty)


def _strptime(labels: pa.Array, style: str) -> Stamps:
    """Return times of distinct texts in a format, with and without an offset."""
    import pandas as pd

    if style == "ISO8601":
        offset = np.asarray(pc.match_substring_regex(labels, _CLOCK_OFFSET))
    else:
        offset = np.full(len(labels), "%z" in style)
    ns = np.zeros(len(labels), dtype=np.int64)
    bad = np.zeros(len(labels), dtype=bool)
    texts = labels.to_numpy(zero_copy_only=False)
    for is_utc in (False, True):
        rows = np.flatnonzero(offset == is_utc)
        if not len(rows):
            continue
        chosen = texts if len(rows) == len(texts) else texts[rows]
        times = pd.to_datetime(chosen, format=style, errors="coerce", utc=is_utc)
        times = times.tz_localize(None) if is_utc else times
        found = times.to_numpy().astype("datetime64[us]")
        gone = np.isnat(found) | (np.abs(found.astype(np.int64)) > 2**63 // 1000 - 1)
        ns[rows] = np.where(gone, 0, found.astype(np.int64)) * 1000
        bad[rows] = gone
    return Stamps(ns, offset, np.zeros(len(labels), dtype=bool), bad)


def _is_split(pieces: Sequence[str]) -> bool:
    """Return whether one piece of a format is the date and the others only times of day."""
    dates = [bool(_DATE.search(piece)) for piece in pieces]
    times = [bool(_TIME.search(piece)) for piece in pieces]
    return sum(dates) == 1 and all(a != b for a, b in zip(dates, times, strict=True))


def _from_pieces(columns: Sequence[pa.Array], pieces: Sequence[str]) -> Stamps:
    """Return times as a date plus times of day: far fewer distinct texts than joined ones."""
    parts = [
        _by_label(column, lambda labels, piece=piece: _strptime(labels, piece))  # type: ignore[misc]
        for column, piece in zip(columns, pieces, strict=True)
    ]
    ns = np.zeros(len(columns[0]), dtype=np.int64)
    for part, piece in zip(parts, pieces, strict=True):
        ns += part.ns if _DATE.search(piece) else part.ns - _ORIGIN_NS
    empty = np.logical_or.reduce([part.empty for part in parts])
    bad = np.logical_or.reduce([part.bad for part in parts])
    ns[empty | bad] = 0
    is_utc = np.logical_or.reduce([part.is_utc for part in parts])
    return Stamps(ns, is_utc, empty, bad & ~empty)
