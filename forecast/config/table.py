"""How a table is written: its text, times and ids, and the settings of a single table."""

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
    """How the text of CSV files is written."""

    separator: str = Field(",", pattern=r"^(?s:.)$|^whitespace$")
    """Character between two values; `whitespace` for any number of blanks and tabs."""
    widths: tuple[Integer, ...] = ()
    """Widths of the columns in characters, for files of fixed columns without a separator."""
    decimal: Literal[".", ","] = "."
    """Decimal mark of numbers."""
    thousands: Literal["", ".", ",", " ", "'"] = ""
    """Mark between thousands; none by default. A space also matches thin and non-breaking spaces,
    an apostrophe also the typographic one."""
    units: Texts = ()
    """Texts beside the numbers that are dropped: `"\u00b0C"`, `kWh`, `"%"`."""
    encoding: str = "utf-8"
    """Encoding of the text, `latin-1` for most old loggers; a byte-order mark is removed."""
    skip_rows: Integer = Field(0, ge=0)
    """Number of lines to skip above the header, or above the first row."""
    header: bool = True
    """Whether the first line after the skipped ones names the columns."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a file without a header."""
    quote: str = Field('"', max_length=1)
    """Quotation mark around values; empty for none."""
    sheet: str | None = None
    """Sheet of a workbook (xlsx, xls, ods; needs the extra `excel`); the only sheet with content
    unless set."""

    @model_validator(mode="after")
    def _named(self) -> "Csv":
        if not self.header and not self.columns:
            raise ValueError("header: false needs columns: the names of the columns in order")
        if any(width < 1 for width in self.widths):
            raise ValueError("widths: a column is at least one character wide")
        return self


class SeriesFrom(Section):
    """The series id from the file's name or from a line above the header."""

    file_name: str | None = None
    r"""Regular expression whose one group is the id in the file's name: `PRSA_Data_(\w+)_`."""
    preamble: str | None = None
    """Regular expression whose one group is the id in the lines that `csv.skip_rows` skips."""

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
    """First instant to leave out, local time unless it has an offset; the first reading unless
    set."""
    end: str | None = None
    """First instant to keep again; all later readings are left out unless set."""

    @model_validator(mode="after")
    def _something(self) -> "Exclusion":
        if not self.series and self.start is None and self.end is None:
            raise ValueError("name series, start or end; this would leave out every reading")
        return self


def _by_name(value: Any) -> Any:
    """Read names of columns as columns of these names."""
    if isinstance(value, str):
        value = [value]
    is_list = isinstance(value, list | tuple) and all(isinstance(entry, str) for entry in value)
    return {name: name for name in value} if is_list else value


class StaticTable(Section):
    """A second table with one row per series, joined by the series id."""

    source: str
    """Path of the table, CSV or Parquet."""
    series: str
    """Column of the table with the series id."""
    csv: Csv | None = None
    """How the text of the table is written; as `data.csv` unless set."""


class TableForm(Section):
    """How a table is written."""

    format: Literal["auto", "csv", "parquet"] = "auto"
    """File format; detected from the file's first bytes unless set."""
    csv: Csv = Csv()
    """How CSV text is written."""
    layout: Literal["long", "wide_columns", "wide_rows"] = "long"
    """`long`: one row per reading; `wide_columns`: one column per series; `wide_rows`: one row per
    series, values in order, no timestamps (like the M4 files)."""
    series: Texts = ()
    """Column with the series id, or several columns that form it together; none for one series.
    Unless set, the column `unique_id` if the table has one."""
    series_from: SeriesFrom | None = None
    """The series id from the file's name or a preamble line instead of a column."""
    timestamp: Texts = ("ds",)
    """Column with the time, or several columns joined by a space in this order."""
    timestamp_format: str | None = None
    """`strptime` format of the (joined) text, or `epoch_s`, `epoch_ms`, `excel`; else ISO 8601.
    [tables.md](tables.md#times) lists every form that is read."""
    timezone: str = "UTC"
    """IANA zone of timestamps without an offset, and of local time for calendar features."""
    ambiguous: Literal["order", "refuse", "first", "second"] = "order"
    """How times in the hour that a clock change repeats are read: by the order of rows, refused, or
    always as the first or the second pass."""
    skipped: Literal["refuse", "shift"] = "refuse"
    """How local times that a clock change skips are read (they suggest another zone): refused, or
    as if the clocks had not changed yet."""
    bad_rows: Literal["refuse", "drop"] = "refuse"
    """Whether rows without a time or series, with an unreadable time, or with too few or too many
    values are refused, or left out and counted. Rows without any value are always left out."""
    available_at: str | None = None
    """Column with the time at which a row became known; a cutoff sees only rows known by then."""

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
    """A file, folder, glob or URL, or a list of them, all written the same way."""
    columns: Annotated[dict[str, str], BeforeValidator(_by_name)] = {}
    """Columns to take from this table: a list, or `name in data: name in the table`. Unless set,
    all that `data` names and the table has."""
    frequency: Frequency | None = None
    """Distance between the table's rows, if it differs from `data.frequency`. A value of a coarser
    table (daily rain beside hourly flow) counts as known when its own step is over."""
    hold: Texts = ()
    """Columns of a coarser table whose values hold for every step within their own step
    (`frequency`). Columns not named have values at their timestamps only, missing in between."""
    exclude: tuple[Exclusion, ...] = ()
    """Readings of this table to leave out, in addition to `data.exclude`."""

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
        """Return the settings of `TableForm` that the table has."""
        names = self.model_fields_set & TableForm.model_fields.keys()
        return {name: getattr(self, name) for name in names}


def _kind(value: Any) -> str:
    """Return the kind of an entry of a source."""
    return "table" if isinstance(value, dict | Table) else "text"


Entry = Annotated[
    Annotated[str, Tag("text")] | Annotated[Table, Tag("table")], Discriminator(_kind)
]


def _listed(value: Any) -> Any:
    """Return a lone entry as a list."""
    return [value] if isinstance(value, str | dict | Table) else value


class _OneOrMany:
    """Allows, in the JSON Schema, a lone entry in place of a list."""

    def __get_pydantic_json_schema__(
        self, core: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


Source = Annotated[tuple[Entry, ...], BeforeValidator(_listed), _OneOrMany()]
"""A text, a table, or a list of them."""
