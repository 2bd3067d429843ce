"""Reads sheets of a workbook (xlsx, xls, ods) as pieces of typed columns."""

import datetime as dt
import itertools
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa

from forecast.config.table import Csv
from forecast.data.tables.opened_table import Piece, Ragged
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.streams import open_raw, require_proportion
from forecast.data.tables.text_values import Markers, is_text, without_texts
from forecast.errors import ConfigError, DataError

ROWS = 1 << 16
OLD_MAGIC = b"\xd0\xcf\x11\xe0"


def is_workbook(raw: IO[bytes]) -> bool:
    """Return whether the bytes are those of a workbook: a zip of sheets, or the old format."""
    magic = raw.read(4)
    raw.seek(0)
    if magic != b"PK\x03\x04":
        return magic == OLD_MAGIC
    try:
        with zipfile.ZipFile(raw) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        return False
    finally:
        raw.seek(0)
    return "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= names


def _unfolded_size(raw: IO[bytes]) -> int:
    """Return how large a workbook's sheets are unpacked; 0 for the old format, which is not."""
    try:
        with zipfile.ZipFile(raw) as archive:
            return sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        return 0
    finally:
        raw.seek(0)


class WorkbookTable:
    """One sheet of a workbook: its header read, its rows still to come."""

    def __init__(self, file: SourceFile, style: Csv) -> None:
        self.file = file
        self.ragged = Ragged()
        with open_raw(file) as raw:
            require_proportion(file, _unfolded_size(raw))
            rows = _sheet_rows(file, raw, style.sheet)
        above = list(itertools.islice(rows, style.skip_rows))
        self.preamble = tuple(" ".join(_as_text(cell) or "" for cell in row) for row in above)
        names = list(style.columns)
        if style.header:
            header = next(rows, None)
            if header is None:
                raise DataError(
                    f"{file.path}: no header: the sheet ends after {style.skip_rows} rows "
                    "(csv.skip_rows)"
                )
            names = names or [(_as_text(cell) or "").strip() for cell in header]
        self.names: tuple[str, ...] = tuple(names)
        self._first = style.skip_rows + style.header + 1
        self._rows = rows

    def pieces(
        self, wanted: Sequence[str], nulls: Sequence[str], labels: Sequence[str] = ()
    ) -> Iterator[Piece]:
        """Yield the wanted columns, piece by piece; texts in `nulls` become null."""
        del labels  # a column comes as the sheet holds it
        places = {name: self.names.index(name) for name in wanted}
        row = self._first
        while rows := list(itertools.islice(self._rows, ROWS)):
            columns = {}
            for name, place in places.items():
                cells = _column([row[place] if place < len(row) else "" for row in rows])
                marks = Markers(tuple(nulls), ())
                columns[name] = without_texts(cells, marks) if is_text(cells) else cells
            yield Piece(columns, row, len(rows))
            row += len(rows)

    def hint(self, wanted: Sequence[str]) -> str:
        """Return nothing: a sheet has no marks between its columns."""
        del wanted
        return ""

    def line_of_ragged(self) -> int:
        """Return 0: there are none."""
        return 0

    def close(self) -> None:
        """Close nothing: the sheet is in memory."""


def _sheet_rows(file: SourceFile, raw: IO[bytes], sheet: str | None) -> Iterator[list[Any]]:
    """Return the rows of the stated sheet, or of the only one that holds any."""
    try:
        import python_calamine
    except ImportError as error:
        raise DataError(
            f"{file.path}: a workbook, which the extra reads: pip install 'lstm-forecast[excel]', "
            "or save the sheet as CSV"
        ) from error
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(raw)
        sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
    except Exception as error:  # the library raises its own kinds
        raise DataError(
            f"{file.path}: not a whole workbook ({error}); write or fetch it again"
        ) from error
    filled = [name for name, sheet in sheets.items() if sheet.height > 0]
    if sheet is None and len(filled) == 1:
        sheet = filled[0]
    if sheet is None or sheet not in sheets:
        what = "holds no cell" if not filled else f"has the sheets {', '.join(map(repr, sheets))}"
        wrong = "" if sheet is None else f", none called {sheet!r}"
        error_class = DataError if sheet is None else ConfigError
        raise error_class(f"{file.path}: {what}{wrong}; name one with data.csv.sheet")
    return iter(sheets[sheet].to_python(skip_empty_area=False))


def _column(cells: list[Any]) -> pa.Array:
    """Return the cells of a column as one type: numbers, times, or the text of each."""
    held = [cell for cell in cells if cell not in ("", None)]
    kinds = {type(cell) for cell in held}
    if kinds <= {int, float}:
        is_whole = bool(held) and all(float(cell).is_integer() for cell in held)
        numbers = pa.array([None if cell in ("", None) else float(cell) for cell in cells])
        return numbers.cast(pa.int64() if is_whole else pa.float64())  # an id is 7, not 7.0
    if kinds <= {dt.datetime, dt.date}:
        return pa.array([_moment(cell) for cell in cells], pa.timestamp("ms"))
    return pa.array([_as_text(cell) for cell in cells], pa.string())


def _moment(cell: Any) -> dt.datetime | None:
    """Return a date or time as a time, to the millisecond: sheets count days as fractions."""
    if cell in ("", None):
        return None
    if not isinstance(cell, dt.datetime):
        return dt.datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001 - local, as in the sheet
    near = cell + dt.timedelta(microseconds=500)
    return near.replace(microsecond=near.microsecond // 1000 * 1000)


def _as_text(cell: Any) -> str | None:
    """Return a cell as it would be written in CSV."""
    if cell in ("", None):
        return None
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
