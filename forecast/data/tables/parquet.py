"""Reads Parquet files as pieces of typed columns, row group by row group."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from forecast.data.tables.opened_table import Piece, Ragged
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.streams import open_raw
from forecast.data.tables.text_values import Markers, as_text, is_text, without_texts
from forecast.errors import DataError

BATCH_CELLS = 1 << 21
MOST_BATCH_ROWS = 1 << 17
MAGIC = b"PAR1"


class ParquetTable:
    """One Parquet file: its schema read, its rows still to come."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.preamble: tuple[str, ...] = ()
        self.ragged = Ragged()
        self._raw = open_raw(file)
        try:
            self._table = pq.ParquetFile(self._raw)
        except (pa.ArrowException, OSError) as error:
            self._raw.close()
            raise DataError(
                f"{file.path}: not a whole Parquet file ({error}); write or fetch it again"
            ) from error
        self.names: tuple[str, ...] = tuple(self._table.schema_arrow.names)

    def pieces(
        self, wanted: Sequence[str], nulls: Sequence[str], labels: Sequence[str] = ()
    ) -> Iterator[Piece]:
        """Yield the wanted columns, piece by piece; texts in `nulls` become null.

        Raises
        ------
        DataError
            If the file is damaged.
        """
        del labels  # a column comes as the file holds it
        stored = dict(zip(self.names, self._table.schema_arrow.names, strict=True))
        row, rows = 1, min(MOST_BATCH_ROWS, max(1, BATCH_CELLS // max(len(wanted), 1)))
        try:
            for batch in self._table.iter_batches(rows, columns=[stored[name] for name in wanted]):
                columns = {name: _with_nulls(batch.column(stored[name]), nulls) for name in wanted}
                yield Piece(columns, row, batch.num_rows)
                row += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.file.path}: damaged after row {row} ({error}); write or fetch it again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def hint(self, wanted: Sequence[str]) -> str:
        """Return nothing: the file says what its columns are."""
        del wanted
        return ""

    def line_of_ragged(self) -> int:
        """Return 0: there are none."""
        return 0


def _with_nulls(cells: pa.Array, nulls: Sequence[str]) -> pa.Array:
    """Return a column whose texts in `nulls` are null; other types as they are."""
    return without_texts(as_text(cells), Markers(tuple(nulls), ())) if is_text(cells) else cells
