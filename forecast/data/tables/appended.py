"""What was appended to a source since it was last read, as a source of its own."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.data.chunk import CannotAppendError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from forecast.config.data import Data
    from forecast.data.chunk import Chunk, SeriesIds
    from forecast.data.tables import Reader, SourceFile

_PLAIN = (".csv", ".tsv", ".txt")


def can_read_on(data: Data, files: Sequence[SourceFile]) -> bool:
    """Whether files that grew can be read on from where they ended: long plain CSV."""
    if not files:
        return True
    is_plain = all(file.name.lower().endswith(_PLAIN) for file in files)
    is_ascii_like = not data.csv.encoding.lower().startswith(("utf-16", "utf16", "utf-32", "utf32"))
    return is_plain and is_ascii_like and data.format != "parquet" and data.layout != "wide_rows"


@contextmanager
def rest_of(data: Data, file: SourceFile, size: int) -> Iterator[SourceFile]:
    """Give a temporary file of the same name: the head, and what follows the first `size` bytes."""
    head = data.csv.skip_rows + data.csv.header
    with tempfile.TemporaryDirectory(prefix="forecast-rest-") as folder:
        path = Path(folder) / file.name
        with Path(file.path).open("rb") as whole, path.open("wb") as rest:
            for _ in range(head):
                rest.write(whole.readline())
            whole.seek(size)
            shutil.copyfileobj(whole, rest)
        yield replace(file, path=str(path), size=path.stat().st_size)


class NewReadings:
    """A reader of new rows, which refuses those that cannot be read without the rows before them.

    Whether a local time that a clock change repeats is the first or the second one is told by the
    order of rows; a part of the rows does not tell it.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @property
    def series_ids(self) -> SeriesIds:
        """Ids behind `Chunk.series`."""
        return self._reader.series_ids

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the static covariates."""
        return self._reader.static_names

    @property
    def static(self) -> NDArray[np.float64]:
        """Static covariates (series, name)."""
        return self._reader.static

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Labels of text channels."""
        return self._reader.categories

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks.

        Raises
        ------
        CannotAppendError
            When a chunk holds local times that a clock change repeats.
        """
        for chunk in self._reader:
            if self._reader.notes.repeated.count:
                raise CannotAppendError("a clock change repeats some of the new local times")
            yield chunk
