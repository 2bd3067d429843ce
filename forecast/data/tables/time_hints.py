"""What to set when cells are no times as the config spells them; converts none."""

import itertools
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from forecast.data.tables.timestamps import to_stamps

_DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%y-%m-%d", "%d-%m-%y", "%y/%m/%d"),
    *("%d %b %Y", "%b %d %Y", "%b %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%d. %b %Y", "%a %b %d %Y"),
    *("%Y-%m-%d", "%Y/%m/%d", "%Y-%j", "%G-W%V-%u", "%a, %d %b %Y"),
)
_CLOCKS = ("", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%I %p")
_COMPACT = {10: ["%Y%m%d%H"], 12: ["%Y%m%d%H%M"], 14: ["%Y%m%d%H%M%S"]}
_NUMBERS = (
    (r"[1-9]\d{4}(\.\d*)?", "excel", "days as spreadsheets count them"),
    (r"-?\d{9,10}(\.\d*)?", "epoch_s", "seconds since 1970"),
    (r"\d{12,13}", "epoch_ms", "milliseconds since 1970"),
    (r"\d{15,16}", "epoch_us", "microseconds since 1970"),
    (r"\d{18,19}", "epoch_ns", "nanoseconds since 1970"),
)
_WORD = r".*\d:\d\d.*[A-Za-z]{2,5}"


def time_hint(texts: Sequence[str]) -> str:
    """Return what to set so that cells can be read as times.

    Parameters
    ----------
    texts
        Some of the cells that are no times.

    Examples
    --------
    >>> time_hint(["31/12/2024 1:00 PM"])
    'set data.timestamp_format: "%d/%m/%Y %I:%M %p"'
    >>> time_hint(["2024010113"])
    'set data.timestamp_format: "%Y%m%d%H"'
    """
    cells = [text.strip() for text in texts]
    is_compact = all(re.fullmatch(r"(19|20)\d+", cell) for cell in cells)
    if is_compact and (found := _fit(_COMPACT.get(len(cells[0]), []), cells)):
        return f'set data.timestamp_format: "{found[0]}"'
    for pattern, style, meaning in _NUMBERS:
        if re.fullmatch(pattern, cells[0]):
            return f"set data.timestamp_format: {style} for {meaning}"
    joints = (" ", "T") if any("T" in cell for cell in cells) else (" ",)
    styles = [
        f"{date}{joint}{clock}" if clock else date
        for joint, date, clock in itertools.product(joints, _DATES, _CLOCKS)
    ]
    found = _fit(list(dict.fromkeys(styles)), cells)
    if found:
        either = " or ".join(f'"{style}"' for style in found[:3])
        return f"set data.timestamp_format: {either}"
    if re.fullmatch(_WORD, cells[0]):
        return "write an offset such as +01:00, or set data.timezone to a zone with this word (CET)"
    return "set data.timestamp_format (such as %d/%m/%Y %H:%M)"


def _fit(styles: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return the formats that read all of the cells."""
    column = pc.utf8_trim_whitespace(pa.array(cells))
    return [style for style in styles if not np.any(to_stamps([column], style).bad)]
