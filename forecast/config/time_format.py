"""Turns `strptime` formats into regular expressions."""

import re
from functools import lru_cache

ZONE = r"(?P<zone>[Zz]|[+\-\x{2212}]\d{2}(?::?\d{2})?|[A-Za-z]{2,5})"
"""The end of a time: Z, an offset, or the abbreviation of a zone."""
EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "excel")

_DIRECTIVES = {
    "Y": r"(?P<year>\d{4})",
    "y": r"(?P<year2>\d{2})",
    "m": r"(?P<month>\d{1,2})",
    "b": r"(?P<name>[A-Za-z]{3,9})\.?",
    "d": r"(?P<day>\d{1,2})",
    "j": r"(?P<yearday>\d{1,3})",
    "G": r"(?P<isoyear>\d{4})",
    "V": r"(?P<isoweek>\d{1,2})",
    "u": r"(?P<isoday>[1-7])",
    "a": r"[^\s\d,]+",
    "H": r"(?P<hour>\d{1,2})",
    "I": r"(?P<hour12>\d{1,2})",
    "M": r"(?P<minute>\d{1,2})",
    "S": r"(?P<second>\d{1,2})",
    "f": r"(?P<fraction>\d{1,9})",
    "p": r"(?P<half>[AaPp]\.?[Mm]\.?)",
    "z": ZONE,
    "%": "%",
}
_SAME = {"B": "b", "h": "b", "A": "a", "Z": "z", "e": "d"}
_LONGER = {"T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y"}


@lru_cache
def pattern_of(style: str) -> str:
    r"""Return the regular expression of a format, with a named group for each part of a time.

    Raises
    ------
    ValueError
        When a directive is unknown, or a component of the time occurs twice.

    Examples
    --------
    >>> pattern_of("%Y %j")
    '(?P<year>\\d{4})\\s+(?P<yearday>\\d{1,3})'
    """
    for short, long in _LONGER.items():
        style = style.replace(f"%{short}", long)
    pieces = re.split(r"(%.?|\s+)", style)
    pattern = "".join(_piece(piece) for piece in pieces)
    twice = [name for name in _groups(pattern) if pattern.count(f"<{name}>") > 1]
    if twice:
        raise ValueError(f"the {twice[0]} appears twice")
    return pattern


def check_format(style: str) -> None:
    """Check that a format determines a date: that it has at least a year.

    Raises
    ------
    ValueError
        When it does not, or `pattern_of` refuses it.
    """
    if style in EPOCHS:
        return
    if "%" not in style:
        raise ValueError(f"write a strptime format such as %d/%m/%Y %H:%M, or {', '.join(EPOCHS)}")
    groups = _groups(pattern_of(style))
    if not {"year", "year2", "isoyear"} & set(groups):
        raise ValueError("there is no year in it (%Y, %y or %G)")
    if "isoyear" in groups and "isoweek" not in groups:
        raise ValueError("%G is the year of a week and needs %V; the year of a date is %Y")
    if "hour12" in groups and "half" not in groups:
        raise ValueError("%I is the 12-hour clock and needs %p (AM, PM); %H is 0 to 23")


def _groups(pattern: str) -> list[str]:
    """Return the names of the groups of a pattern."""
    return re.findall(r"\?P<(\w+)>", pattern)


def _piece(piece: str) -> str:
    """Return the pattern of one directive, or of the text between two."""
    if not piece.startswith("%"):
        return r"\s+" if piece and piece.isspace() else re.escape(piece)
    letter = _SAME.get(piece[1:], piece[1:])
    if letter not in _DIRECTIVES:
        known = " ".join(
            f"%{directive}" for directive in [*_DIRECTIVES, *_SAME, *_LONGER] if directive != "%"
        )
        raise ValueError(f"{piece!r} is not known; write with {known}")
    return _DIRECTIVES[letter]
