"""Rows whose handler Arrow could not call, because they are not text.

Arrow hands a row that does not fit the header to a handler as text. Where its bytes are not text,
making that text fails in one of Arrow's own threads, where nobody can catch it: Python passes the
error, which holds the bytes of the row, to `sys.unraisablehook`, and Arrow drops the row or ends.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Handler = Callable[[Any], str]
_lock = threading.Lock()
_listeners: list[tuple[Handler, Callable[[bytes], None]]] = []
_before: list[Callable[["sys.UnraisableHookArgs"], Any]] = []


@contextmanager
def heard(handler: Handler, listener: Callable[[bytes], None]) -> Iterator[None]:
    """Call `listener` with the bytes of every row that Arrow meanwhile fails to give `handler`."""
    entry = (handler, listener)
    with _lock:
        if not _listeners:
            _before.append(sys.unraisablehook)
            sys.unraisablehook = _pass_on
        _listeners.append(entry)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(entry)
            if not _listeners:
                sys.unraisablehook = _before.pop()


def _pass_on(event: "sys.UnraisableHookArgs") -> None:
    error = event.exc_value
    if isinstance(error, UnicodeDecodeError):
        for handler, listener in tuple(_listeners):
            if handler == event.object:
                listener(bytes(error.object))
                return
    (_before[-1] if _before else sys.__unraisablehook__)(event)
