"""Converts cells of text to numbers: decimal marks, thousands, markers of missing."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

DEFAULT_MARKERS = ("", "NA", "NaN", "nan", "null")
ALIKE = {" ": r"[\x{A0}\x{202F}\x{2009}]", "'": r"[\x{2019}\x{2BC}]"}
"""Characters read as a mark between thousands, by the mark that is set."""
BLANKS = r"[\s\x{A0}\x{202F}]*"
DASHES = r"[\x{2010}-\x{2015}\x{FE58}\x{FE63}\x{FF0D}]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(inf|infinity|Inf|Infinity)$"


@dataclass(frozen=True)
class Markers:
    """What stands for a missing value in one column: texts, and numbers compared as numbers."""

    texts: tuple[str, ...]
    numbers: tuple[float, ...]


class Spelling(NamedTuple):
    """How numbers are written: the decimal mark, the mark between thousands, texts beside them."""

    decimal: str = "."
    thousands: str = ""
    units: tuple[str, ...] = ()


PLAIN = Spelling()


class Numbers(NamedTuple):
    """One column as numbers: NaN where missing.

    Masks of cells: those that held each numeric marker, infinite ones, and bad ones, which are
    neither number nor marker (None where there are none).
    """

    values: NDArray[np.float64]
    marked: dict[float, NDArray[np.bool_]]
    infinite: NDArray[np.bool_] | None
    bad: NDArray[np.bool_] | None


def markers_of(column: str, missing: Mapping[str, Sequence[str]]) -> Markers:
    """Return the markers of a column: its own and those of every column (`*`).

    Examples
    --------
    >>> markers_of("wv", {"wv": ["-9999"], "*": ["?"]})
    Markers(texts=('', '?'), numbers=(-9999.0,))
    """
    marks = dict.fromkeys(["", *missing.get("*", DEFAULT_MARKERS), *missing.get(column, ())])
    numbers = {mark: number for mark in marks if (number := _as_number(mark)) is not None}
    return Markers(tuple(mark for mark in marks if mark not in numbers), tuple(numbers.values()))


def _as_number(mark: str) -> float | None:
    """Return the finite number that a marker spells, if any."""
    try:
        number = float(mark)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def to_numbers(cells: pa.Array, markers: Markers, spelling: Spelling = PLAIN) -> Numbers:
    """Return a column of text or of any numeric type as float64.

    Parameters
    ----------
    cells
        Arrow array of text, numbers or truth values; null is missing.
    markers
        What else is missing.
    spelling
        How numbers are written in text.
    """
    bad: NDArray[np.bool_] | None = None
    if is_text(cells):
        if spelling == PLAIN:
            numbers, bad = _plain_text(cells, markers)
        else:
            numbers, bad = _spelled_text(cells, markers, spelling)
    elif pa.types.is_null(cells.type):
        numbers = pa.nulls(len(cells), pa.float64())
    else:
        try:
            numbers = cells.cast(pa.float64(), safe=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            numbers, bad = pa.nulls(len(cells), pa.float64()), np.asarray(cells.is_valid())
    values = numbers.to_numpy(zero_copy_only=False)
    if not values.flags.writeable:
        values = values.copy()
    return _without_markers(values, markers, bad)


def _without_markers(
    values: NDArray[np.float64], markers: Markers, bad: NDArray[np.bool_] | None
) -> Numbers:
    """Turn numeric markers and infinities into NaN and say where they were."""
    marked: dict[float, NDArray[np.bool_]] = {}
    for number in markers.numbers:
        hits = values == number
        if hits.any():
            values[hits] = np.nan
            marked[number] = hits
    infinite = np.isinf(values)
    if not infinite.any():
        return Numbers(values, marked, None, bad)
    values[infinite] = np.nan
    return Numbers(values, marked, infinite, bad)


def is_text(cells: pa.Array) -> bool:
    """Return whether a column holds text."""
    kind = cells.type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or (pa.types.is_dictionary(kind) and is_text(pa.nulls(0, kind.value_type)))
        or pa.types.is_string_view(kind)
    )


def as_labels(cells: pa.Array) -> tuple[pa.Array, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the distinct texts of a column, each row's position in them, and the null rows.

    The position of a null row is 0; there is always a text to point at, at worst an empty one.
    """
    encoded = cells if pa.types.is_dictionary(cells.type) else as_text(cells).dictionary_encode()
    absent = np.asarray(encoded.indices.is_null())
    rows = np.asarray(pc.fill_null(encoded.indices, 0), dtype=np.int64)
    labels = as_text(encoded.dictionary)
    return labels if len(labels) else pa.array([""]), rows, absent


def as_text(cells: pa.Array) -> pa.Array:
    """Return a column as plain text without spaces around, numbers as they would be written."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if not pa.types.is_string(cells.type):
        cells = cells.cast(pa.string())
    return pc.utf8_trim_whitespace(cells)


def without_texts(cells: pa.Array, markers: Markers) -> pa.Array:
    """Return text with the markers as null; a dictionary without any of them stays one."""
    marks = pa.array(markers.texts, pa.string())
    if pa.types.is_dictionary(cells.type):
        if not pc.any(pc.is_in(as_text(cells.dictionary), value_set=marks)).as_py():
            return cells
        cells = as_text(cells)
    hits = pc.is_in(cells, value_set=marks)
    return pc.if_else(hits, pa.scalar(None, pa.string()), cells)


def blanked(cells: pa.Array, rows: NDArray[np.bool_]) -> pa.Array:
    """Return a column in which some rows are null."""
    if pa.types.is_dictionary(cells.type):
        indices = pc.if_else(pa.array(rows), pa.scalar(None, cells.indices.type), cells.indices)
        return pa.DictionaryArray.from_arrays(indices, cells.dictionary)
    return pc.if_else(pa.array(rows), pa.scalar(None, cells.type), cells)


def _plain_text(cells: pa.Array, markers: Markers) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Return numbers from text with decimal points: at once where all of it is well formed."""
    if not pa.types.is_string(cells.type):
        return _checked(without_texts(as_text(cells), markers))
    try:
        return cells.cast(pa.float64()), None
    except pa.ArrowInvalid:
        text = without_texts(as_text(cells), markers)
    try:
        return text.cast(pa.float64()), None
    except pa.ArrowInvalid:
        return _checked(_with_plain_minus(text))


def _spelled_text(
    cells: pa.Array, markers: Markers, spelling: Spelling
) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Return numbers from text in another spelling; a mark in the wrong place is a bad cell."""
    text = _with_plain_minus(without_texts(as_text(cells), markers))
    if spelling.units:
        text = without_texts(_without_units(text, spelling.units), markers)
    decimal, thousands = spelling.decimal, spelling.thousands
    if thousands in ALIKE:
        text = pc.replace_substring_regex(text, ALIKE[thousands], thousands)
    point, mark = "\\" + decimal, "\\" + thousands
    whole = rf"(\d+|\d{{1,3}}({mark}\d{{3}})+)" if thousands else r"\d+"
    pattern = rf"^[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?$"
    fits = pc.fill_null(pc.match_substring_regex(text, pattern), True)
    plain = pc.replace_substring(text, thousands, "") if thousands else text
    plain = pc.replace_substring(plain, decimal, ".")
    values, _ = _checked(pc.if_else(fits, plain, pa.scalar(None, pa.string())))
    bad = ~np.asarray(fits)
    return values, bad if bad.any() else None


def _with_plain_minus(text: pa.Array) -> pa.Array:
    """Return text in which the typographer's minus, or a dash before a digit, is the keyboard's."""
    text = pc.replace_substring(text, "\u2212", "-")
    return pc.replace_substring_regex(text, rf"^{DASHES}{BLANKS}([\d.])", r"-\1")


def _without_units(text: pa.Array, units: Sequence[str]) -> pa.Array:
    """Return text without a unit before or behind, the longest that fits."""
    either = "|".join(re.escape(unit) for unit in longest_first(units))
    return pc.replace_substring_regex(text, f"^(?:{either}){BLANKS}|{BLANKS}(?:{either})$", "")


def longest_first(units: Sequence[str]) -> list[str]:
    """Return units so that none is found where a longer one stands."""
    return sorted(units, key=len, reverse=True)


def _checked(text: pa.Array) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """Return numbers from text, null where it is none, and a mask of those cells."""
    fits = pc.fill_null(pc.match_substring_regex(text, _NUMBER), True)
    values = pc.if_else(fits, text, pa.scalar(None, pa.string())).cast(pa.float64())
    bad = ~np.asarray(fits)
    return values, bad if bad.any() else None
