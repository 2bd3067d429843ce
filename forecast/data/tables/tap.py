"""A stream that can be shut while another thread reads from it, and says when that one is done."""

import threading
import time
from typing import Protocol

from forecast.data.tables.read_stream import ReadStream

WAIT_S = 5.0
"""How long to wait for a thread that may have stopped reading for good: its queue is full."""

LEAVE_S = 0.05
"""How long that thread is given to leave the read in which it met the end."""


class Bytes(Protocol):
    """What gives bytes, and none at its end."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""
        ...


class Tap(ReadStream):
    """The bytes of a stream until it is shut; from then on its end.

    Arrow reads ahead in threads of its own. One that is inside a read of ours when the interpreter
    ends takes the whole process down ("terminate called without an active exception"), whatever
    the program had to say. So a reader that is left early is given an end, and time to see it.
    """

    def __init__(self, stream: Bytes) -> None:
        super().__init__()
        self._stream = stream
        self._is_shut = False
        self._is_over = threading.Event()

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, none once the tap is shut."""
        try:
            part = b"" if self._is_shut else self._stream.read(size)
            part = b"" if self._is_shut else part
        except BaseException:
            self._is_over.set()
            raise
        if not part:
            self._is_over.set()
        return part

    def close(self) -> None:
        """Shut the tap; return when the thread that reads has met the end."""
        if not self.closed and not self._is_over.is_set():
            self._is_shut = True
            self._is_over.wait(WAIT_S)
            time.sleep(LEAVE_S)
        super().close()
