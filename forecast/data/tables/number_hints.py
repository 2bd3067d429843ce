"""Hints at the setting to change when cells are not numbers as the config spells them."""

import re
from collections.abc import Sequence

from forecast.data.tables.text_values import Spelling

_GROUPED = r"[-+]?\d{1,3}(?:%s\d{3})+"
_SPACES = "[ \u00a0\u202f\u2009]"
_APOSTROPHES = "['\u2019\u02bc]"
_UNIT = re.compile(
    r"[-+]?[\d.,]*\d\s*([^\d\s.,:/+\u2212-][^,]{0,11})|([^\w\s.,+\u2212-]{1,3})\s*[-+]?[\d.,]*\d"
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
    if spelling.decimal == "." and "," in text and (hint := _comma_hint(bad, good)):
        return hint
    if spelling.decimal == "," and "." in text and not spelling.thousands:
        if all(re.fullmatch(_GROUPED % r"\." + r"(,\d*)?", one.strip()) for one in bad):
            return 'for a point between thousands, set data.csv.thousands: "."'
        return "for a decimal point, leave data.csv.decimal out"
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
    commas = [one.strip() for one in bad if "," in one]
    if not all(re.fullmatch(r"[-+]?[\d.,]*", one) for one in commas):
        return ""
    if any(re.fullmatch(_GROUPED % r"\." + r",\d*", one) for one in commas):
        return 'for numbers such as 1.378,5, set data.csv.thousands: "." and data.csv.decimal: ","'
    if all(re.fullmatch(_GROUPED % "," + r"(\.\d*)?", one) for one in commas):
        if any(re.match(r"[-+]?0", one) for one in commas):
            return 'for a decimal comma, set data.csv.decimal: ","'
        if good or any(one.count(",") > 1 or "." in one for one in commas):
            return 'for a comma between thousands, set data.csv.thousands: ","'
        first = commas[0]
        return (
            f'where {first!r} means {first.replace(",", "")}, set data.csv.thousands: ","; '
            f'where it means {first.replace(",", ".")}, set data.csv.decimal: ","'
        )
    if all(re.fullmatch(r"[-+]?\d*,\d*", one) for one in commas):
        return 'for a decimal comma, set data.csv.decimal: ","'
    return ""
