"""Tells a fault that ends a job to the person who runs it."""

import sys

from forecast.errors import ForecastError
from forecast.redaction import printable


def tell_fault(error: Exception) -> int:
    """Print a fault without its traceback; return its exit code."""
    if isinstance(error, ForecastError):
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return error.exit_code
    if hasattr(error, "show") and hasattr(error, "exit_code"):  # a usage fault of typer's
        error.show()
        return int(error.exit_code)
    if found := _fault_of_disk(error):
        hint = "check the path, its permissions and the free space"
        print(printable(f"error: {found}; {hint}"), file=sys.stderr)
    else:
        hint = "a fault of this program; `forecast --debug VERB ...` shows where"
        print(printable(f"error: {type(error).__name__}: {error} ({hint})"), file=sys.stderr)
    return 1


def _fault_of_disk(error: BaseException) -> str:
    """Return what a disk or a database refused, in words; empty where another fault is told."""
    import sqlite3

    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, sqlite3.OperationalError):
        return f"SQLite: {error}"
    return _fault_of_disk(error.__cause__) if error.__cause__ else ""
