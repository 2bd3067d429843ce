"""The `data` section: where the readings are, what their columns mean; reads no file."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from forecast.config.base import Integer, Number, Section, Texts
from forecast.config.duration import Duration, Frequency
from forecast.config.time_format import check_format
from forecast.vocabulary import Aggregate, CalendarFeature

Limits = tuple[Number | None, Number | None]


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


class StaticTable(Section):
    """A second table with one row a series, joined by the series id."""

    source: str
    """Path of the table, CSV or Parquet."""
    series: str
    """Its column with the series id."""


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


class Covariates(Section):
    """Columns beside the targets, by what is known of them at a cutoff."""

    past: tuple[str, ...] = ()
    """Known up to the cutoff only: other sensors of the same place."""
    known: tuple[str, ...] = ()
    """Known into the future: plans, tariffs, weather forecasts."""
    static: tuple[str, ...] = ()
    """One value a series: capacity, height, type."""
    calendar: tuple[CalendarFeature, ...] = ()
    """Features that follow from the timestamp in local time."""


def _missing(value: Any) -> Any:
    """Read a list of markers as markers of every column (`*`)."""
    if isinstance(value, list | tuple | str | int | float) and not isinstance(value, bool):
        value = {"*": value}
    if not isinstance(value, dict):
        return value
    return {
        key: tuple(str(one) for one in (mark if isinstance(mark, list | tuple) else [mark]))
        for key, mark in value.items()
    }


_MARKER = {"type": ["string", "number"]}
_MARKERS = {"anyOf": [_MARKER, {"type": "array", "items": _MARKER}]}
Missing = Annotated[
    dict[str, tuple[str, ...]],
    BeforeValidator(_missing),
    WithJsonSchema({"anyOf": [_MARKERS, {"type": "object", "additionalProperties": _MARKERS}]}),
]


def _no_such_column(key: str, name: str, roles: Iterable[str]) -> str:
    """Return the words for a setting of a column that the run does not use."""
    close = difflib.get_close_matches(name, roles, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; those are {', '.join(roles)}"
    return f"{key}: {name!r} is neither target nor covariate{hint}"


class Data(Section):
    """Tables of readings and the meaning of their columns."""

    source: Texts
    """A file, folder, glob, URL, a list of them, or `sample:nyc-weather`."""
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
    static_table: StaticTable | None = None
    """Static covariates from a second table."""
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
    start: str = "2000-01-01T00:00:00Z"
    """First step of a `wide_rows` table, which has no timestamps of its own."""
    align: Literal["start", "end"] = "start"
    """Where rows of a `wide_rows` table differ in length: which of their ends lie at one time."""
    frequency: Frequency
    """Length of one step of the grid: `15min`, `1h`, `1d`, `1w`; business days `1B`; months,
    quarters and years named by their ends (`1ME`, `1QE`, `1YE`) or starts (`1MS`, `1QS`, `1YS`)."""
    season: Duration | None = None
    """Main season: a day for steps below a day, a week for days and business days, else a year,
    unless set."""
    targets: Texts = ("y",)
    """Columns to forecast."""
    covariates: Covariates = Covariates()
    """Columns that help to forecast them."""
    categories: tuple[str, ...] = ()
    """Columns of text: each label becomes a code."""
    missing: Missing = {"*": ("", "NA", "NaN", "nan", "null")}
    """Markers of a missing value, for all columns (`*`) or for one, in addition. Numbers are
    compared as numbers; an empty cell is always missing."""
    limits: dict[str, Limits] = {}
    """Lowest and highest possible value by column; outside becomes missing and is counted."""
    clip: dict[str, Limits] = {}
    """Lowest and highest value by column; those beyond, within `limits`, become the nearer one and
    are counted."""
    exclude: tuple[Exclusion, ...] = ()
    """Readings to leave out, counted as rejected: broken series, spans of maintenance."""
    difference: tuple[str, ...] = ()
    """Columns that hold running totals (meters, counters): what is forecast is the growth from
    step to step. A step after a fall (a reset) or after a missing step is missing. Several readings
    in one step: the last."""
    aggregate: dict[str, Aggregate] = {}
    """Several readings in one step, by column (`*`: the rest); the mean unless set."""
    duplicates: Literal["error", "first", "last", "mean"] = "last"
    """Rows of one series with the same timestamp (and no `available_at`). The last by default:
    loggers that send again send corrections."""
    available_at: str | None = None
    """Column with the time at which a row became known; decides what a cutoff sees."""
    holidays: str | None = Field(None, pattern=r"^[A-Z]{2}(-[A-Za-z0-9]+)?$")
    """Country (and subdivision) of `is_holiday`: `US`, `DE-BY`."""
    panel: str | None = None
    """Folder of the prepared panel; `.forecast/<name>/panel` unless set."""

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

    @field_validator("limits", "clip")
    @classmethod
    def _lowest_first(cls, value: dict[str, Limits]) -> dict[str, Limits]:
        for name, (low, high) in value.items():
            if low is not None and high is not None and low >= high:
                raise ValueError(f"{name}: write [lowest, highest]; {low:g} is not below {high:g}")
        return value

    @model_validator(mode="after")
    def _roles(self) -> "Data":
        if not self.source or not all(self.source):
            raise ValueError("source: name at least one file, folder, glob or URL")
        if not self.targets:
            raise ValueError("targets: name at least one column to forecast")
        if not self.timestamp and self.layout != "wide_rows":
            raise ValueError("timestamp: name the column with the time")
        roles: dict[str, str] = {}
        for role, names in self.columns_by_role().items():
            for name in names:
                if name in roles:
                    raise ValueError(f"column {name!r} is both {roles[name]} and {role}")
                roles[name] = role
        for key in ("missing", "limits", "clip", "difference", "aggregate", "categories"):
            for name in getattr(self, key):
                if name not in roles and name != "*":
                    raise ValueError(_no_such_column(key, name, roles))
        if self.difference and self.available_at is not None:
            raise ValueError("difference: a running total cannot have versions (available_at)")
        if labels := set(self.difference) & set(self.categories):
            raise ValueError(f"difference: {min(labels)!r} is a column of text (categories)")
        if "is_holiday" in self.covariates.calendar and self.holidays is None:
            raise ValueError("calendar feature is_holiday needs holidays: a country such as US")
        return self

    def columns_by_role(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of each role: targets, past, known, static."""
        covariates = self.covariates
        return {
            "targets": self.targets,
            "past": covariates.past,
            "known": covariates.known,
            "static": covariates.static,
        }
