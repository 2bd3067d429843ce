"""How one table is written: its text, times and ids, and what one of several has of its own."""

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from forecast.config.base import Integer, Section, Texts
from forecast.config.duration import Frequency
from forecast.config.time_format import check_format


class Csv(Section):
    """How the text of CSV files is written; Parquet needs none of it."""

    separator: str = Field(",", pattern=r"^(?s:.)$|^whitespace$")
    """Character between two values; `whitespace` for any number of blanks and tabs."""
    widths: tuple[Integer, ...] = ()
    """Widths of the columns in characters, where each has its place in the line; no separator."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers."""
    thousands: Literal["", ".", ",", " ", "'"] = ""
    """Mark between thousands; none by default. A space stands for thin ones and those that do not
    break a line too, an apostrophe for the typographer's."""
    units: Texts = ()
    """Texts beside numbers that mean nothing for their value: `"\u00b0C"`, `kWh`, `"%"`."""
    encoding: str = "utf-8"
    """Encoding of the text; a byte-order mark is removed. `latin-1` for most old loggers."""
    skip_rows: Integer = Field(0, ge=0)
    """Lines above the header (or above the first row) to leave out."""
    header: bool = True
    """Whether the first line that is read names the columns."""
    columns: tuple[str, ...] = ()
    """Names of the columns where there is no header."""
    quote: str = Field('"', max_length=1)
    """Quotation mark around values; empty for none."""
    sheet: str | None = None
    """Sheet of a workbook (xlsx, xls, ods; the extra `excel`); the only filled one unless set."""

    @model_validator(mode="after")
    def _named(self) -> "Csv":
        if not self.header and not self.columns:
            raise ValueError("header: false needs columns: the names of the columns in order")
        if any(width < 1 for width in self.widths):
            raise ValueError("widths: a column is at least one character wide")
        return self


class SeriesFrom(Section):
    """The series id from outside the columns: the file's name or a line above the header."""

    file_name: str | None = None
    r"""Regular expression with one group over the file's name: `PRSA_Data_(\w+)_`."""
    preamble: str | None = None
    """Regular expression with one group over the lines that `csv.skip_rows` leaves out."""

    @model_validator(mode="after")
    def _one(self) -> "SeriesFrom":
        if (self.file_name is None) == (self.preamble is None):
            raise ValueError("set one of file_name and preamble")
        return self


class Exclusion(Section):
    """Readings to leave out: a series, a span of time, or a span of one series."""

    series: Texts = ()
    """Ids of the series; all unless set."""
    start: str | None = None
    """First instant to leave out, local time unless it has an offset; from the first unless set."""
    end: str | None = None
    """First instant that counts again; to the last reading unless set."""

    @model_validator(mode="after")
    def _something(self) -> "Exclusion":
        if not self.series and self.start is None and self.end is None:
            raise ValueError("name series, start or end; this would leave out every reading")
        return self


def _by_name(value: Any) -> Any:
    """Read names of columns as columns of these names."""
    if isinstance(value, str):
        value = [value]
    is_list = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return {name: name for name in value} if is_list else value


class StaticTable(Section):
    """A second table with one row a series, joined by the series id."""

    source: str
    """Path of the table, CSV or Parquet."""
    series: str
    """Its column with the series id."""
    csv: Csv | None = None
    """How its text is written; as `data.csv` unless set."""


class TableForm(Section):
    """How a table is written."""

    format: Literal["auto", "csv", "parquet"] = "auto"
    """File format; by the file's first bytes unless set."""
    csv: Csv = Csv()
    """How CSV text is written."""
    layout: Literal["long", "wide_columns", "wide_rows"] = "long"
    """`long`: a row a reading; `wide_columns`: a column a series; `wide_rows`: a row a series,
    values in order, no timestamps (as the M4 files)."""
    series: Texts = ()
    """Column with the series id, or several columns that make it together; none for one series.
    Where nothing is set and the table has a column `unique_id`, that column."""
    series_from: SeriesFrom | None = None
    """The series id from the file's name or a preamble line instead of a column."""
    timestamp: Texts = ("ds",)
    """Column with the time, or several columns joined by a space in this order."""
    timestamp_format: str | None = None
    """`strptime` format of the (joined) text, or `epoch_s`, `epoch_ms`; ISO 8601 unless set. All
    forms of time that are read: [tables.md](tables.md#times)."""
    timezone: str = "UTC"
    """IANA zone of stamps without an offset, and of local time for calendar features."""
    ambiguous: Literal["order", "refuse", "first", "second"] = "order"
    """The hour that a clock change repeats: by order of rows, refused, or always one of the two."""
    skipped: Literal["refuse", "shift"] = "refuse"
    """Local times that a clock change leaves out (a sign that the stamps are not in this zone):
    refused, or taken as if the clocks had not changed yet."""
    bad_rows: Literal["refuse", "drop"] = "refuse"
    """Rows without a time or series, with a text that is no time, or with too few or too many
    values: refused, or left out and counted. Rows without any value are always left out."""
    available_at: str | None = None
    """Column with the time at which a row became known; decides what a cutoff sees."""

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, KeyError) as error:
            raise ValueError("not an IANA time zone, such as Europe/Berlin") from error
        return value

    @field_validator("timestamp_format")
    @classmethod
    def _format(cls, value: str | None) -> str | None:
        if value is not None:
            check_format(value)
        return value

    @model_validator(mode="after")
    def _timed(self) -> "TableForm":
        if not self.timestamp and self.layout != "wide_rows":
            raise ValueError("timestamp: name the column with the time")
        return self


class Table(TableForm):
    """A table with settings of its own.

    Beside the keys below it takes those of `data` that say how a table is written: `format`, `csv`
    (as a whole), `layout`, `series`, `series_from`, `timestamp`, `timestamp_format`, `timezone`,
    `ambiguous`, `skipped`, `bad_rows` and `available_at`. What it does not set is as in `data`;
    what it sets, a `null` included, holds for this table.
    """

    source: Texts
    """A file, folder, glob or URL, or a list of them, all written in one way."""
    columns: Annotated[dict[str, str], BeforeValidator(_by_name)] = {}
    """Columns to take from this table: a list, or `name in data: name in the table`. Unless set,
    all that `data` names and the table has."""
    frequency: Frequency | None = None
    """Distance of its rows where it differs from `data.frequency`. A value of a coarser table
    (daily rain beside hourly flow) counts as known when its own step is over."""
    hold: Texts = ()
    """Columns of a coarser table whose values stand for every step of their own (`frequency`);
    unless named they stand at their timestamps, and the steps between are missing."""
    exclude: tuple[Exclusion, ...] = ()
    """Readings of this table to leave out, beside `data.exclude`."""

    @model_validator(mode="after")
    def _whole(self) -> "Table":
        if not self.source or not all(self.source):
            raise ValueError("source: name at least one file, folder, glob or URL")
        if self.hold and self.frequency is None:
            raise ValueError("hold needs frequency: the step over which a value stands")
        named = list(self.columns.values())
        twice = [name for name in named if named.count(name) > 1]
        if twice:
            raise ValueError(f"columns: {twice[0]!r} is named twice")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}

    def form(self) -> dict[str, Any]:
        """Return what the table sets of how it is written."""
        names = self.model_fields_set & TableForm.model_fields.keys()
        return {name: getattr(self, name) for name in names}


def _kind(value: Any) -> str:
    """Return which kind of entry of a source a value is."""
    return "table" if isinstance(value, dict | Table) else "text"


Entry = Annotated[
    Annotated[str, Tag("text")] | Annotated[Table, Tag("table")], Discriminator(_kind)
]


def _listed(value: Any) -> Any:
    """Read one entry as a list of it."""
    return [value] if isinstance(value, str | dict | Table) else value


class _OneOrMany:
    """Says in the JSON Schema that one entry may stand for a list of it."""

    def __get_pydantic_json_schema__(
        self, core: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


Source = Annotated[tuple[Entry, ...], BeforeValidator(_listed), _OneOrMany()]
"""A text, a table, or a list of them."""
