"""The output of a job for the person who runs it: messages, tables, progress.

On a terminal, rich draws tables and progress; in a log they are plain lines, or lines of JSON with
`FORECAST_LOG=json`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from forecast.ranks import is_first
from forecast.redaction import printable
from forecast.text import format_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LOG_EVERY_S = 10.0  # in a log, progress writes a line at most this often


def say(text: str, *, error: bool = False) -> None:
    """Print one message at once, to standard error if `error`; as JSON with `FORECAST_LOG=json`.

    Of several processes that do one job the first speaks.
    """
    if not is_first():
        return
    text = printable(text)
    if is_json():
        text = _line(text, level="error" if error else "info")
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def is_json() -> bool:
    """Whether every message is a line of JSON: `FORECAST_LOG=json`."""
    return os.environ.get("FORECAST_LOG") == "json"


def _line(text: str, *, level: str, **more: object) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"at": at, "level": level, "pid": os.getpid(), "message": text, **more})


def is_terminal() -> bool:
    """Whether this process may draw on a terminal."""
    return sys.stdout.isatty() and is_first() and not is_json()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their column names; numbers are right-aligned, NaN and None are a dash."""
    title, cells = printable(title), [[_cell(value) for value in row] for row in rows]
    is_number = [
        bool(rows) and all(isinstance(row[i], int | float | None) for row in rows)
        for i in range(len(columns))
    ]
    if is_json():
        named = [dict(zip(columns, row, strict=True)) for row in cells]
        print(_line(title, level="info", rows=named), flush=True)
    elif is_terminal():
        _rich_table(title, columns, cells, is_number)
    else:
        say(_plain_table(title, columns, cells, is_number))


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124
        return "-"
    return format_number(value) if isinstance(value, float) else printable(str(value))


def _rich_table(
    title: str, columns: Sequence[str], cells: list[list[str]], is_number: list[bool]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, title_justify="left", title_style="bold")
    for name, right in zip(columns, is_number, strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _plain_table(
    title: str, columns: Sequence[str], cells: list[list[str]], is_number: list[bool]
) -> str:
    lines = [list(columns), *cells]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    drawn = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, is_number, strict=True)
        ).rstrip()
        for line in lines
    ]
    return "\n".join([title, *drawn] if title else drawn)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of a long step; yields a function that takes the count done so far.

    >>> with progress("windows", total=2) as done:
    ...     done(2)
    windows: 2/2
    """
    if is_terminal():
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task(description, total=total)
            yield lambda count: bar.update(task, completed=count)
    else:
        yield _log_lines(description, total)


def _log_lines(description: str, total: int) -> Callable[[int], None]:
    last = time.monotonic()

    def done(count: int) -> None:
        nonlocal last
        if count >= total or time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            say(f"{description}: {count}/{total}")

    return done
