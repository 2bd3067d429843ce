"""What the reader needs of an opened file, whatever its format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import pyarrow as pa

from forecast.data.tables.sources import SourceFile


class Piece(NamedTuple):
    """Some consecutive rows of a file: a column each, and the number of the first row's line."""

    columns: dict[str, pa.Array]
    first_line: int
    rows: int


@dataclass
class Ragged:
    """Rows of one file that do not have as many values as the file has columns."""

    count: int = 0
    first_text: str = ""
    expected: int = 0
    found: int = 0


class OpenedTable(Protocol):
    """One file with its column names, ready to be read once."""

    file: SourceFile
    names: tuple[str, ...]
    preamble: tuple[str, ...]
    ragged: Ragged

    def pieces(
        self, wanted: Sequence[str], nulls: Sequence[str], labels: Sequence[str] = ()
    ) -> Iterator[Piece]:
        """Yield the wanted columns piece by piece; texts in `nulls` become null.

        Columns in `labels` hold few distinct texts and may come as Arrow dictionaries.
        """
        ...

    def hint(self, wanted: Sequence[str]) -> str:
        """Return what to set where the file does not have these columns; empty where unknown."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...

    def line_of_ragged(self) -> int:
        """Return the line of the first ragged row, by reading the file again."""
        ...
