"""A read-only stream of bytes, for readers that ask for a file."""

import io
from typing import Any


class ReadStream(io.RawIOBase):
    """What every such stream has beside its `read`."""

    def readable(self) -> bool:
        """Return True: this is a stream to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        part = self.read(len(memoryview(buffer)))
        memoryview(buffer)[: len(part)] = part
        return len(part)
