"""Lines whose columns stand apart by blanks or by their width, as lines with a tab between them."""

import codecs
import re

from forecast.config.table import Csv
from forecast.data.tables.read_stream import ReadStream
from forecast.data.tables.streams import Headed

BLOCK_BYTES = 1 << 22


class Relined(ReadStream):
    """The text of a file as UTF-8 with one tab between two columns, line for line.

    Parameters
    ----------
    stream
        The file's bytes.
    style
        Its `widths`, or `separator: whitespace`.
    encoding
        Of the file's bytes.
    """

    def __init__(self, stream: Headed, style: Csv, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._style = style
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = ""
        self._ready = b""
        self._is_over = False

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        while not self._is_over and (size < 0 or len(self._ready) < size):
            self._ready += self._next_lines()
        end = len(self._ready) if size < 0 else size
        part, self._ready = self._ready[:end], self._ready[end:]
        return part

    def _next_lines(self) -> bytes:
        """Return whole lines of the next block."""
        block = self._stream.read(BLOCK_BYTES)
        self._is_over = not block
        text = self._rest + self._decoder.decode(block, final=self._is_over)
        cut = len(text) if self._is_over else text.rfind("\n") + 1
        lines, self._rest = text[:cut], text[cut:]
        return relined(lines, self._style).encode()

    def close(self) -> None:
        """Close the file beneath."""
        if not self.closed:
            self._stream.close()
        super().close()


def relined(text: str, style: Csv) -> str:
    r"""Return whole lines with one tab between two columns.

    Examples
    --------
    >>> relined("  1   2\n 10  20\n", Csv(separator="whitespace"))
    '1\t2\n10\t20\n'
    >>> relined("2024 1.5\n2025 2.5\n", Csv(widths=[4, 4]))
    '2024\t1.5\n2025\t2.5\n'
    """
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    if not style.widths:
        quote = re.escape(style.quote)
        text = re.sub(r"(?m)^[ \t]+|[ \t]+$", "", text)
        if not quote or style.quote not in text:
            return re.sub(r"[ \t]+", "\t", text)
        return re.sub(rf"{quote}[^{quote}\n]*{quote}|[ \t]+", _tab_between, text)
    pattern = "(?m)^" + "".join(f"(.{{0,{width}}})" for width in style.widths) + r"(.*)$"
    count = len(style.widths)
    parts = "\t".join(rf"\{place}" for place in range(1, count + 1))
    text = re.sub(pattern, rf"{parts}\0\{count + 1}".replace(r"\0", "\v"), text.replace("\t", " "))
    text = re.sub(r"(?m)^[\t\v ]+$|\v *$", "", text)  # a blank line; nothing behind the widths
    return re.sub(" *[\t\v] *", "\t", text)


def _tab_between(match: re.Match[str]) -> str:
    """Return a quoted text as it is, and a tab for blanks."""
    return "\t" if match[0].isspace() else match[0]
