"""A process that is killed at a named place, as far as one process can show it."""

from contextlib import contextmanager

import pytest


class KilledError(BaseException):
    """Stands for a kill; nothing but a `finally` sees it."""


def killed(*_, **__):
    """Take the place of a function at which the process dies."""
    raise KilledError


@contextmanager
def killed_at(monkeypatch, *places, call=killed):
    """Let the block die when it comes to one of the places; what was patched is put back."""
    with monkeypatch.context() as patch:
        for place in places:
            patch.setattr(place, call)
        with pytest.raises(KilledError):
            yield patch


def full_disk(*_, **__):
    """Take the place of a function that writes, on a disk that is full."""
    raise OSError(28, "No space left on device")
