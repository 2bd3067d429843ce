"""Hints at the setting to change when cells are not numbers as the config spells them."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.data.tables.text_values import Spelling, as_text

FEWEST_GROUPED = 3

_GROUPED = r"[-+]?\d{1,3}(?:%s\d{3})+"
_SPACES = "[ \u00a0\u202f\u2009]"
_APOSTROPHES = "['\u2019\u02bc]"
_UNIT = re.compile(
    r"[-+]?[\d.,]*\d\s*([^\d\s.,:/+\u2212()<>'\"=\x00-][^,]{0,11})"
    r"|([^\w\s.,+\u2212()<>'\"=\x00-]{1,3})\s*[-+]?[\d.,]*\d"
)
_PLAIN = r"[\d.,]*\d"
_LIMIT = (
    "a limit is no reading: write the value that it stands for, or, where it means a missing "
    "value, add it to data.missing"
)
_ODD = (
    (rf"{_PLAIN}\s*-|\(\s*{_PLAIN}\s*\)", "a negative number needs its minus in front: mend it"),
    (
        r"[<>\u2264\u2265]\s*[-+]?" + _PLAIN,
        "a limit is no reading: write the value that it stands for",
    ),
    (r"[-+]?0[xX][0-9a-fA-F]+", "write it as a decimal number"),
    (rf"'[-+]?{_PLAIN}'", 'for apostrophes as quotation marks, set data.csv.quote: "\'"'),
    (rf'="[-+]?{_PLAIN}"', "a spreadsheet's formula for text: export the number itself"),
    (r"(?=.*[^\x00-\x7f])[-+]?\d*[.,]?\d*", "digits of another script: write them as 0 to 9"),
)


def number_hint(bad: Sequence[str], good: Sequence[str], spelling: Spelling) -> str:
    """Return what to set so that cells can be read; empty where nothing is plain.

    Parameters
    ----------
    bad
        Some of the cells that are not numbers.
    good
        Some cells of the same column that are.
    spelling
        How numbers are written by the config.

    Examples
    --------
    >>> number_hint(["1,378"], ["900"], Spelling())
    'for a comma between thousands, set data.csv.thousands: ","'
    >>> number_hint(["2,6"], [], Spelling())
    'for a decimal comma, set data.csv.decimal: ","'
    """
    text = bad[0].strip()
    for pattern, hint in _ODD:
        if re.fullmatch(pattern, text):
            return hint
    if spelling.decimal == "." and re.fullmatch(_GROUPED % r"\." + r"(,\d*)?", text):
        return 'for numbers such as 1.378,5, set data.csv.thousands: "." and data.csv.decimal: ","'
    if spelling.decimal == "." and "," in text and (hint := _comma_hint(bad, good)):
        return hint
    if spelling.decimal == "," and "." in text and not spelling.thousands:
        if all(re.fullmatch(_GROUPED % r"\." + r"(,\d*)?", text.strip()) for text in bad):
            return 'for a point between thousands, set data.csv.thousands: "."'
        return _two_marks(bad, good, ",") or "for a decimal point, leave data.csv.decimal out"
    for mark, alike, name in ((" ", _SPACES, "a space"), ("'", _APOSTROPHES, "an apostrophe")):
        if re.fullmatch(_GROUPED % alike + r"([.,]\d*)?", text):
            is_comma = "," in text and spelling.decimal != ","
            point = ' and data.csv.decimal: ","' if is_comma else ""
            return f'for {name} between thousands, set data.csv.thousands: "{mark}"{point}'
    if unit := _UNIT.fullmatch(text):
        word = (unit[1] or unit[2]).strip()
        return f'where the cells hold their unit, set data.csv.units: ["{word}"]'
    return ""


def _comma_hint(bad: Sequence[str], good: Sequence[str]) -> str:
    """Return what a comma in cells most likely is: it must not turn 1025 into 1.025."""
    commas = [text.strip() for text in bad if "," in text]
    if not all(re.fullmatch(r"[-+]?[\d.,]*", text) for text in commas):
        return ""
    if any(re.fullmatch(_GROUPED % r"\." + r",\d*", text) for text in commas):
        return 'for numbers such as 1.378,5, set data.csv.thousands: "." and data.csv.decimal: ","'
    if all(re.fullmatch(_GROUPED % "," + r"(\.\d*)?", text) for text in commas):
        if any(re.match(r"[-+]?0", text) for text in commas):
            return 'for a decimal comma, set data.csv.decimal: ","'
        if good or any(text.count(",") > 1 or "." in text for text in commas):
            return 'for a comma between thousands, set data.csv.thousands: ","'
        first = commas[0]
        return (
            f'where {first!r} means {first.replace(",", "")}, set data.csv.thousands: ","; '
            f'where it means {first.replace(",", ".")}, set data.csv.decimal: ","'
        )
    if all(re.fullmatch(r"[-+]?\d*,\d*", text) for text in commas):
        return _two_marks(bad, good, ".") or 'for a decimal comma, set data.csv.decimal: ","'
    return ""


def _two_marks(bad: Sequence[str], good: Sequence[str], mark: str) -> str:
    """Return what to do where the cells that are numbers hold the other decimal mark."""
    others = [text.strip() for text in good if mark in text]
    if not others:
        return ""
    return f"{others[0]!r} and {bad[0].strip()!r} are in one column: write one decimal mark in all"


def grouped(cells: pa.Array, spelling: Spelling) -> NDArray[np.bool_]:
    """Return the cells whose decimal mark looks like one between thousands: 1.500 beside 840.

    That is where the mark stands before three digits wherever it stands, behind no zero, and the
    other cells are whole numbers below a thousand. Read as decimals they would be a thousandth.
    """
    text, mark = as_text(cells), re.escape(spelling.decimal)
    marked = np.asarray(_fits(text, rf"^[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}$"))
    whole = np.asarray(_fits(text, r"^[+-]?[1-9]\d{0,2}$"))
    others = ~marked & ~whole & np.asarray(text.is_valid()) & ~np.asarray(_fits(text, r"^0*$"))
    enough = min(marked.sum(), whole.sum()) >= FEWEST_GROUPED
    return marked if enough and not others.any() else np.zeros(len(marked), dtype=bool)


def _fits(text: pa.Array, pattern: str) -> pa.Array:
    """Return whether each text fits a pattern; no text fits none."""
    return pc.fill_null(pc.match_substring_regex(text, pattern), False)
