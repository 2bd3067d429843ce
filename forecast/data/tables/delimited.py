"""CSV files to pieces of text columns, streamed; converts no cell and gives none a meaning."""

import codecs
import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from forecast.config.table import Csv
from forecast.data.tables.header_hints import header_hint
from forecast.data.tables.line_styles import Relined, relined
from forecast.data.tables.opened_table import Piece, Ragged
from forecast.data.tables.ragged_bytes import CountableRows
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.streams import DAMAGE, HEAD_BYTES, Headed, damaged
from forecast.data.tables.tap import Tap
from forecast.data.tables.unheard_rows import heard
from forecast.errors import ConfigError, DataError

BLOCK_BYTES = 4 << 20
TOP_LINES = 60
LABELS = pa.dictionary(pa.int32(), pa.string())
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class CsvTable:
    """One CSV file: its header read, its rows still to come."""

    def __init__(self, file: SourceFile, style: Csv) -> None:
        self.file = file
        self.style = style
        self.ragged = Ragged()
        self._unheard = ""
        self._stream: Headed | Relined = Headed(file)
        head = self._stream.head
        if not head.strip():
            self.close()
            raise DataError(f"{file.path}: the file holds no text")
        self.encoding = _encoding(style.encoding, head)
        text, is_whole = _decode(head, self.encoding), len(head) < HEAD_BYTES
        top = itertools.islice(io.StringIO(text, newline=""), max(TOP_LINES, style.skip_rows))
        self._top = [line.rstrip("\r\n") for line in top]
        self.preamble = tuple(self._top[: style.skip_rows])
        self._separator = style.separator
        if style.widths or style.separator == "whitespace":
            self._stream = Relined(self._stream, style, self.encoding)
            self._separator, self.encoding = "\t", "utf-8"
            text = relined(text, style)
        lines = io.StringIO(text, newline="")
        for _ in range(style.skip_rows):
            lines.readline()
        self.names, self._skip = self._read_header(lines, is_whole=is_whole)

    @property
    def first_line(self) -> int:
        """Line of the first row of values, unless blank lines stand before it."""
        return self._skip + 1

    def _read_header(self, lines: io.StringIO, *, is_whole: bool) -> tuple[tuple[str, ...], int]:
        """Return the column names and the number of lines above the first row of values."""
        rows = _rows(lines, self._separator, self.style.quote)
        skip = self.style.skip_rows
        names = [name.strip() for name in self.style.columns]
        if self.style.header:
            header, line = next(rows, ([], 0))
            if not header:
                raise DataError(
                    f"{self.file.path}: no header: the file ends after {skip} lines (csv.skip_rows)"
                )
            skip += line
            names = names or [name.strip().lstrip("\ufeff") for name in header]
        first, _ = next(rows, ([], 0))
        others = [row for row, _ in rows]
        if is_whole or others:
            surplus = first[len(names) :]
            if not any(cell.strip() for cell in surplus):
                names += [""] * len(surplus)
        self._spans_lines = any("\n" in cell for row in [first, *others] for cell in row)
        return tuple(names), skip

    def pieces(
        self, wanted: Sequence[str], nulls: Sequence[str], labels: Sequence[str] = ()
    ) -> Iterator[Piece]:
        """Yield the wanted columns as text, piece by piece; texts in `nulls` become null.

        Columns in `labels` come as Arrow dictionaries.

        Raises
        ------
        DataError
            If the file is damaged, not in the stated encoding, or not a table.
        """
        inner = {name: str(self.names.index(name)) for name in wanted}
        kinds = {inner[name]: LABELS if name in labels else pa.string() for name in wanted}
        line = self.first_line
        try:
            for batch in self._batches(kinds, nulls):
                columns = {name: batch.column(inner[name]) for name in wanted}
                yield Piece(columns, line, batch.num_rows)
                line += batch.num_rows
        except UnicodeDecodeError as error:
            raise self._wrong_encoding(error) from error
        except pa.ArrowInvalid as error:
            raise self._unreadable(error) from error
        except DAMAGE as error:
            raise damaged(self.file, error) from error

    def _batches(
        self, kinds: dict[str, pa.DataType], nulls: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        """Yield record batches of the columns whose names are these positions, as these types."""
        stream: Headed | Relined | CountableRows = self._stream
        if self.encoding == "utf-8" and isinstance(stream, Headed) and not self._spans_lines:
            stream = CountableRows(stream, len(self.names), self._separator, self.style.quote)
        with Tap(stream) as tap, heard(self._note_ragged, self._note_unheard):
            yield from self._open(tap, kinds, nulls)

    def _open(
        self, tap: Tap, kinds: dict[str, pa.DataType], nulls: Sequence[str]
    ) -> pa.RecordBatchReader:
        """Return Arrow's reader of the rows; it reads ahead."""
        quote = self.style.quote or False
        return pacsv.open_csv(
            pa.PythonFile(tap, mode="r"),
            read_options=pacsv.ReadOptions(
                column_names=[str(place) for place in range(len(self.names))],
                skip_rows=self._skip,
                block_size=BLOCK_BYTES,
                encoding=self.encoding,
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=self._separator,
                quote_char=quote,
                double_quote=bool(quote),
                newlines_in_values=self._spans_lines,
                invalid_row_handler=self._note_ragged,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds,
                include_columns=list(kinds),
                null_values=list(nulls),
                strings_can_be_null=True,
            ),
        )

    def _note_ragged(self, row: Any) -> str:
        """Leave out a row with too few or too many values, and remember it."""
        self._count_ragged(str(row.text or ""), row.actual_columns)
        return "skip"

    def _note_unheard(self, row: bytes) -> None:
        """Remember such a row that is not text; Arrow leaves it out too, or ends."""
        text = row.decode(errors="replace")
        cells, _ = next(_rows([text], self._separator, self.style.quote), ([], 0))
        self._count_ragged(text, len(cells))
        self._unheard = text[:80]

    def _count_ragged(self, text: str, found: int) -> None:
        ragged = self.ragged
        if not ragged.count:
            ragged.first_text = text[:80]
            ragged.expected, ragged.found = len(self.names), found
        ragged.count += 1

    def line_of_ragged(self) -> int:
        """Return the line of the first ragged row, by reading the file again."""
        again = CsvTable(self.file, self.style)
        try:
            for row, line in again.rows_of_text():
                if len(row) != len(self.names):
                    return line
        finally:
            again.close()
        return 0

    def lines_of(self, rows: Iterable[int]) -> dict[int, int]:
        """Return the line of each of these rows of values, by reading the file again.

        Blank lines, lines that do not fit the header and values that span lines count.
        """
        again, found, row, end = CsvTable(self.file, self.style), {}, 0, self._skip
        wanted = set(rows)
        try:
            for cells, line in again.rows_of_text():
                if len(cells) == len(self.names):
                    if row in wanted:  # where the row begins: values may span lines
                        found[row] = max(end + 1, line - "".join(cells).count("\n"))
                    row += 1
                end = line
                if len(found) == len(wanted):
                    break
        finally:
            again.close()
        return found

    def hint(self, wanted: Sequence[str]) -> str:
        """Return what to set where the header lacks columns: another line, mark or encoding."""
        return header_hint(
            wanted,
            names=self.names,
            top=self._top,
            separator=self._separator,
            skip_rows=self.style.skip_rows,
            encoding=self.encoding,
        )

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def rows_of_text(self) -> Iterator[tuple[list[str], int]]:
        """Yield the rows below the header one by one, each with its line; slow, for messages."""
        text = io.TextIOWrapper(
            io.BufferedReader(self._stream), self.encoding, errors="replace", newline=""
        )
        for row, line in _rows(
            itertools.islice(text, self._skip, None), self._separator, self.style.quote
        ):
            yield row, line + self._skip

    def _wrong_encoding(self, error: UnicodeDecodeError) -> DataError:
        """Return the error of text in another encoding."""
        return DataError(
            f"{self.file.path}: not {self.encoding} text ({error.reason}); "
            "set data.csv.encoding, for example latin-1 or utf-16"
        )

    def _unreadable(self, error: pa.ArrowInvalid) -> DataError:
        """Return the error of a file that is not a table in the stated style."""
        text = str(error)
        if "UTF8" in text or self._unheard:
            where = f" in the row {self._unheard!r}" if self._unheard else ""
            return DataError(
                f"{self.file.path}: not {self.encoding} text (bytes that are no text{where}); "
                "set data.csv.encoding, for example latin-1 or utf-16"
            )
        if "straddling" in text or "out of sync" in text:
            return DataError(
                f"{self.file.path}: a quoted value never ends or spans lines; mend the quotation "
                "marks, or set data.csv.quote to '' where they mean nothing"
            )
        return DataError(f"{self.file.path}: cannot be read as CSV: {text}")


def _encoding(name: str, head: bytes) -> str:
    """Return the encoding to read with: as stated, unless a byte-order mark says UTF-16."""
    try:
        known = codecs.lookup(name).name
    except LookupError as error:
        raise ConfigError(
            f"data.csv.encoding: {name!r} is not a known encoding; "
            "write utf-8, latin-1, cp1252, utf-16 ..."
        ) from error
    if head.startswith(_UTF16_MARKS) and known in ("utf-8", "utf-8-sig"):
        return "utf-16"
    if known in ("utf-8", "utf-8-sig", "utf-16") and (order := _unmarked_utf16(head)):
        return order
    return "utf-8" if known in ("utf-8", "utf-8-sig", "ascii") else known


def _unmarked_utf16(head: bytes) -> str | None:
    """Return the UTF-16 that text without a mark is in: every second byte of plain text is zero."""
    some = head[:4096]
    if head.startswith(_UTF16_MARKS) or len(some) < 4:
        return None
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if some[first::2].count(0) > 0.8 * len(some[first::2]) and 0 not in some[1 - first :: 2]:
            return name
    return None


def _decode(head: bytes, encoding: str) -> str:
    """Return the first text of a file; a bad byte in the header becomes U+FFFD, as in its names."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    return decoder.decode(head).lstrip("\ufeff")


def _rows(lines: Iterable[str], separator: str, quote: str) -> Iterator[tuple[list[str], int]]:
    """Yield the rows that hold anything, each with the number of lines read up to its end."""
    reader = csv.reader(
        lines,
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    csv.field_size_limit(HEAD_BYTES * 2)
    try:
        for row in reader:
            if row:
                yield row, reader.line_num
    except csv.Error:  # the rows themselves are read elsewhere, with better messages
        return
