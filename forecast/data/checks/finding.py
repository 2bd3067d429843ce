"""A finding: one thing that a person should know about a table, with its remedy."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Level = Literal["error", "warning", "note"]
ORDER = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Parameters
    ----------
    level
        `error`: the run would fail or mislead; `warning`: look at it; `note`: good to know.
    code
        Short name of the finding, the same in every release.
    message
        What was found, in words.
    count
        Number of rows, cells, steps or series, as the message says.
    column
        The column, if it is about one.
    series
        Number of series affected.
    first
        The first occurrence: series and time, or file and line.
    setting
        The setting that fixes or accepts it.
    """

    level: Level
    code: str
    message: str
    count: int = 0
    column: str = ""
    series: int = 0
    first: str = ""
    setting: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings sorted by level, then by count."""
    return sorted(
        findings,
        key=lambda finding: (ORDER[finding.level], -finding.count, finding.code, finding.column),
    )


def as_errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings with every warning raised to an error."""
    return [
        replace(finding, level="error") if finding.level == "warning" else finding
        for finding in findings
    ]


def stamp(time_ns: int) -> str:
    """Return an instant in UTC, to the minute.

    Examples
    --------
    >>> stamp(0)
    '1970-01-01T00:00Z'
    """
    text = str(np.datetime64(int(time_ns), "ns").astype("datetime64[s]"))
    return text.removesuffix(":00") + "Z"


def short(number: float) -> str:
    """Return a float32 as it was most likely written.

    Examples
    --------
    >>> short(np.float32(8.285))
    '8.285'
    """
    return f"{number:.7g}"


def plain(number: float) -> str:
    """Return a number without needless digits.

    Examples
    --------
    >>> plain(-9999.0), plain(0.25)
    ('-9999', '0.25')
    """
    return f"{number:.10g}"
