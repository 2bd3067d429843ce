"""Opens a file as the kind of table it is; reads no row."""

from forecast.config.data import Csv
from forecast.data.tables.delimited import CsvTable
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.parquet import MAGIC, ParquetTable
from forecast.data.tables.sources import SourceFile
from forecast.data.tables.streams import open_raw
from forecast.errors import DataError


def open_table(style: Csv, file: SourceFile, expected: str = "auto") -> OpenedTable:
    """Return one file with its header read: Parquet by its first bytes, else CSV.

    Parameters
    ----------
    style
        How CSV text is written.
    file
        The file.
    expected
        `csv`, `parquet` or `auto`.

    Raises
    ------
    DataError
        If it is not of the expected format, or cannot be opened.
    """
    with open_raw(file) as raw:
        is_parquet = raw.read(4) == MAGIC
    if expected == "parquet" and not is_parquet:
        raise DataError(f"{file.path}: not a Parquet file; leave out data.format or mend the file")
    if is_parquet and expected == "csv":
        raise DataError(f"{file.path}: a Parquet file where data.format says csv; leave it out")
    return ParquetTable(file) if is_parquet else CsvTable(file, style)
