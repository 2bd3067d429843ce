"""Opens a file, compressed or not, local or remote, as a stream of plain bytes."""

import bz2
import gzip
import io
import lzma
import zipfile
from typing import IO, Any, cast

import pyarrow as pa

from forecast.data.tables.sources import SourceFile
from forecast.errors import DataError

HEAD_BYTES = 1 << 20
MOST_UNFOLDED = 64 << 20
MOST_RATIO = 400
"""Tables shrink to a tenth or a hundredth; what unfolds to more than this is made to fill a disk or
a memory. Small files may be of any ratio."""
DAMAGE = (EOFError, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, OSError)


def open_raw(file: SourceFile) -> IO[bytes]:
    """Return the bytes of a file as they are stored.

    Raises
    ------
    DataError
        If it cannot be opened.
    """
    try:
        if not file.is_remote:
            return open(file.path, "rb")  # noqa: PTH123 - the caller closes it
        import fsspec

        return cast("IO[bytes]", fsspec.open(file.path, "rb").open())
    except Exception as error:  # each file system raises its own kinds
        raise DataError(f"{file.path}: cannot be opened: {error}") from error


def _uncompressed(raw: IO[bytes], path: str) -> IO[bytes]:
    """Return the stream behind the compression that the first bytes name."""
    magic = raw.read(6)
    raw.seek(0)
    if not magic:
        raise DataError(f"{path}: the file is empty (0 bytes)")
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    if magic.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(raw))
    if magic.startswith(b"\xfd7zXZ"):
        return cast("IO[bytes]", lzma.LZMAFile(raw))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast("IO[bytes]", pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd"))
    if magic.startswith(b"PK\x03\x04"):
        archive = zipfile.ZipFile(raw)
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if len(names) != 1:
            raise DataError(
                f"{path}: the archive holds {len(names)} files ({', '.join(names[:3])}, ...); "
                "one is needed: unpack it and name the folder"
            )
        return archive.open(names[0])
    return raw


def damaged(file: SourceFile, error: Exception) -> DataError:
    """Return the error of a file that ends early or cannot be uncompressed."""
    return DataError(
        f"{file.path}: damaged or cut short ({type(error).__name__}: {error}); fetch it again"
    )


def require_proportion(file: SourceFile, unfolded: int) -> None:
    """Refuse an archive that unfolds out of all proportion.

    Raises
    ------
    DataError
        It does.
    """
    if unfolded > MOST_UNFOLDED and 0 < file.size * MOST_RATIO < unfolded:
        raise DataError(
            f"{file.path}: {file.size:,} bytes expand to more than {MOST_RATIO} times as much, as "
            "no table does; unpack it and look at what it holds"
        )


class Headed(io.RawIOBase):
    """The uncompressed bytes of a file, of which the first have been looked at.

    Raises
    ------
    DataError
        If the file cannot be opened, is empty, is cut short within the first bytes, or is a zip
        archive that does not hold exactly one file.
    """

    def __init__(self, file: SourceFile) -> None:
        super().__init__()
        self._raw = open_raw(file)
        self._served = 0
        self._file = file
        self._unfolded = 0
        try:
            self._stream = _uncompressed(self._raw, file.path)
            self.head = _read_up_to(self._stream, HEAD_BYTES)
        except DAMAGE as error:
            self._raw.close()
            raise damaged(file, error) from error
        except DataError:
            self._raw.close()
            raise

    def readable(self) -> bool:
        """Return True: this is a stream to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, first from the head."""
        view = memoryview(buffer).cast("B")
        part: bytes
        if self._served < len(self.head):
            part = self.head[self._served : self._served + len(view)]
            self._served += len(part)
        else:
            part = self._counted(self._stream.read(len(view)))
        view[: len(part)] = part
        return len(part)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, first from the head."""
        if self._served < len(self.head):
            end = len(self.head) if size < 0 else self._served + size
            part = self.head[self._served : end]
            self._served += len(part)
            return part + self._counted(self._stream.read()) if size < 0 else part
        return self._counted(self._stream.read(size))

    def _counted(self, part: bytes) -> bytes:
        """Pass bytes on; refuse an archive that unfolds to out of all proportion."""
        self._unfolded += len(part)
        require_proportion(self._file, self._unfolded)
        return part

    def close(self) -> None:
        """Close the file beneath."""
        if not self.closed:
            self._raw.close()
        super().close()


def _read_up_to(stream: IO[bytes], size: int) -> bytes:
    """Return the first bytes, fewer only where the stream ends."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
