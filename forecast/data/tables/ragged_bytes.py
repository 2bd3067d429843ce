"""Bytes that are not text in rows that are left out anyway, so that such rows can be counted.

Arrow hands a row that does not fit the header to a handler as text. Where the row is not text it
drops the row without a word, from a thread of its own. So the bad bytes of such rows, and of no
others, become question marks on their way in.
"""

import csv

from forecast.data.tables.read_stream import ReadStream
from forecast.data.tables.streams import Headed


class CountableRows(ReadStream):
    """The bytes of a UTF-8 file, as many as there are, bad ones in ragged rows as question marks.

    Parameters
    ----------
    stream
        The file's bytes.
    columns
        Values of a row that fits.
    separator, quote
        How rows are written.
    """

    def __init__(self, stream: Headed, columns: int, separator: str, quote: str) -> None:
        super().__init__()
        self._stream = stream
        self._columns = columns
        self._separator = separator
        self._quote = quote
        self._line = b""

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        part = self._stream.read(size)
        if not part.isascii():
            part = self._mended(part)
        begin = part.rfind(b"\n") + 1
        self._line = part[begin:] if begin else self._line + part
        return part

    def _mended(self, part: bytes) -> bytes:
        """Return a part of the same length; the row it begins in is known from its beginning."""
        whole = self._line + part
        try:
            whole.decode()
        except UnicodeDecodeError:
            lines = [self._mended_line(line) for line in whole.split(b"\n")]
            return b"\n".join(lines)[len(self._line) :]
        return part

    def _mended_line(self, line: bytes) -> bytes:
        """Return a row with question marks for bad bytes where it does not fit."""
        text = line.decode(errors="surrogateescape")
        if not any("\udc80" <= char <= "\udcff" for char in text):
            return line
        if self._count(text) == self._columns:
            return line
        return "".join("?" if "\udc80" <= char <= "\udcff" else char for char in text).encode()

    def _count(self, text: str) -> int:
        """Return how many values a row has."""
        rows = csv.reader(
            [text.rstrip("\r")],
            delimiter=self._separator,
            quotechar=self._quote or None,
            quoting=csv.QUOTE_MINIMAL if self._quote else csv.QUOTE_NONE,
        )
        try:
            return len(next(rows, []))
        except csv.Error:
            return -1

    def close(self) -> None:
        """Close the file beneath."""
        if not self.closed:
            self._stream.close()
        super().close()
