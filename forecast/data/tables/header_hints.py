"""What to set when a header lacks the columns that the config names."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from forecast.data.tables.timestamps import to_stamps

SEPARATORS = (",", ";", "\t", "|", " ")


def header_hint(
    wanted: Sequence[str],
    *,
    names: Sequence[str],
    top: Sequence[str],
    separator: str,
    skip_rows: int,
    encoding: str,
) -> str:
    """Return what to set, beginning with a semicolon; empty where nothing is plain.

    Parameters
    ----------
    wanted
        The columns that are not there.
    names
        The columns of the file.
    top
        The first lines of the file.
    separator, skip_rows, encoding
        How it was read.
    """
    start = next((line.strip() for line in top if line.strip()), "")
    if start.startswith("<"):
        return "; this is a page of HTML or XML, perhaps of an error, and no table"
    if start.startswith("ARROW1"):
        return "; this is a Feather (Arrow) file, which is not read: export CSV or Parquet"
    if start.startswith(("{", "[{")):
        return "; this looks like JSON, which is not read: export CSV or Parquet"
    if any("\ufffd" in name for name in names):
        return (
            f"; the header holds bytes that are not {encoding}: set data.csv.encoding, "
            "for example latin-1"
        )
    for mark in dict.fromkeys((separator, *SEPARATORS)):
        line = _line_with(top, wanted, mark)
        if line is not None:
            found = [] if mark == separator else [_separator_words(mark)]
            if line != skip_rows:
                found.append(f"line {line + 1} looks like it: set data.csv.skip_rows: {line}")
            return "; is the header another one? " + ", and ".join(found) if found else ""
    if len(names) == 1:
        for mark in SEPARATORS:
            if mark in names[0]:
                return "; " + _separator_words(mark)
    times = [name for name in names if name]
    if len(times) > 2 and are_times(times[1:]):
        return f'; the columns are times: set data.layout: wide_rows and data.start: "{times[1]}"'
    return ""


def are_times(names: Sequence[str]) -> bool:
    """Return whether all names are times; years alone (2024) are not, they may be numbers."""
    if any(len(name) < len("2024-01") for name in names):
        return False
    return not np.any(to_stamps([pa.array(names)]).bad)


def _line_with(lines: Sequence[str], wanted: Sequence[str], separator: str) -> int | None:
    """Return the first line that has all wanted names between the marks."""
    for number, line in enumerate(lines):
        names = line.split(None if separator == " " else separator)
        if {name.strip().strip("\"'") for name in names} >= set(wanted):
            return number
    return None


def _separator_words(mark: str) -> str:
    """Return the words for a separator that seems to be the file's."""
    word = {"\t": r"\t", " ": "whitespace"}.get(mark, mark)
    return f'is the separator {word!r}? Set data.csv.separator: "{word}"'
