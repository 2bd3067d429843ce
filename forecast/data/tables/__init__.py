"""Reads tables of readings from files, as chunks of columns."""

from forecast.data.tables.joined import Joined, read_source
from forecast.data.tables.reader import Reader, read_tables
from forecast.data.tables.sources import SourceFile, source_files

__all__ = ["Joined", "Reader", "SourceFile", "read_source", "read_tables", "source_files"]
