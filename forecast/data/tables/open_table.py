"""Opens a file as the kind of table it is."""

from collections.abc import Iterable, Mapping

from forecast.config.table import Csv
from forecast.data.tables.columns import renamed, spelled_as
from forecast.data.tables.delimited import CsvTable
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.parquet import MAGIC, ParquetTable
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.streams import open_raw
from forecast.data.tables.workbook import WorkbookTable, is_workbook
from forecast.errors import DataError


def open_table(
    style: Csv,
    file: SourceFile,
    expected: str = "auto",
    *,
    wanted: Iterable[str] = (),
    columns: Mapping[str, str] | None = None,
) -> OpenedTable:
    """Return one file with its header read: Parquet or a workbook by its first bytes, else CSV.

    Parameters
    ----------
    style
        How CSV text is written.
    file
        The file.
    expected
        `csv`, `parquet` or `auto`.
    wanted
        Names of columns as the config spells them.
    columns
        Columns that the config calls otherwise: name in the config, name in the file.

    Raises
    ------
    DataError
        If it is not of the expected format, or cannot be opened.
    """
    with open_raw(file) as raw:
        is_parquet = raw.read(4) == MAGIC
        raw.seek(0)
        is_sheet = not is_parquet and is_workbook(raw)
    found = "a Parquet file" if is_parquet else "a workbook" if is_sheet else "text"
    if expected == "parquet" and not is_parquet:
        raise DataError(f"{file.path}: not a Parquet file; leave out data.format or mend the file")
    if expected == "csv" and found != "text":
        raise DataError(f"{file.path}: {found} where data.format says csv; leave it out")
    table: OpenedTable
    if is_parquet:
        table = ParquetTable(file)
    elif is_sheet:
        table = WorkbookTable(file, style)
    else:
        table = CsvTable(file, style)
    columns = columns or {}
    table.names = renamed(spelled_as(table.names, [*wanted, *columns.values()]), columns)
    return table
