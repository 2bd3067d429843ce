"""The `data` section: where the readings are, and what their columns mean."""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from forecast.config.base import Number, Section, Texts
from forecast.config.duration import Duration, Frequency, duration_s
from forecast.config.table import Exclusion, Source, StaticTable, Table, TableForm
from forecast.vocabulary import Aggregate, CalendarFeature

Limits = tuple[Number | None, Number | None]


class Covariates(Section):
    """Columns besides the targets, by how far they are known at a cutoff."""

    past: tuple[str, ...] = ()
    """Known only up to the cutoff: other sensors at the same site."""
    known: tuple[str, ...] = ()
    """Known into the future: plans, tariffs, weather forecasts."""
    static: tuple[str, ...] = ()
    """One value per series: capacity, height, type."""
    calendar: tuple[CalendarFeature, ...] = ()
    """Features computed from the timestamp in local time."""


def _missing(value: Any) -> Any:
    """Read a list of markers as markers of every column (`*`)."""
    if isinstance(value, list | tuple | str | int | float) and not isinstance(value, bool):
        value = {"*": value}
    if not isinstance(value, dict):
        return value
    return {
        key: tuple(str(part) for part in (mark if isinstance(mark, list | tuple) else [mark]))
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
    """Return the message for a setting of a column that the run does not use."""
    close = difflib.get_close_matches(name, roles, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; the columns are {', '.join(roles)}"
    return f"{key}: {name!r} is neither target nor covariate{hint}"


class Data(TableForm):
    """Tables of readings and the meaning of their columns."""

    source: Source
    """A file, folder, glob, URL, or `sample:nyc-weather`; a list of them; a table with settings of
    its own, or a list of tables that belong together."""
    static_table: StaticTable | None = None
    """Static covariates from a second table."""
    start: str = "2000-01-01T00:00:00Z"
    """First step of a `wide_rows` table, which has no timestamps of its own."""
    align: Literal["start", "end"] = "start"
    """Whether the rows of a `wide_rows` table, where they differ in length, share their first or
    their last time."""
    frequency: Frequency
    """Length of one step of the grid: `15min`, `1h`, `1d`, `1w`; business days `1B`; months,
    quarters and years named by their ends (`1ME`, `1QE`, `1YE`) or starts (`1MS`, `1QS`, `1YS`)."""
    season: Duration | None = None
    """Main season: a day for steps below a day, a week for days and business days, else a year,
    unless set."""
    targets: Texts = ("y",)
    """Columns to forecast."""
    covariates: Covariates = Covariates()
    """Columns that help to forecast the targets."""
    categories: tuple[str, ...] = ()
    """Columns of text: each label becomes a code."""
    missing: Missing = {"*": ("", "NA", "NaN", "nan", "null")}
    """Markers of a missing value, for all columns (`*`), and additional ones for single columns.
    Numbers are compared as numbers; an empty cell is always missing."""
    limits: dict[str, Limits] = {}
    """Lowest and highest possible value by column; values outside become missing and are
    counted."""
    clip: dict[str, Limits] = {}
    """Lowest and highest value by column; values beyond, but within `limits`, are set to the nearer
    one and counted."""
    exclude: tuple[Exclusion, ...] = ()
    """Readings to leave out, counted as rejected: broken series, spans of maintenance."""
    difference: tuple[str, ...] = ()
    """Columns that hold running totals (meters, counters), of which the growth from step to step is
    forecast. A step after a fall (a reset) or after a missing step is missing. Of several readings
    in one step the last counts."""
    aggregate: dict[str, Aggregate] = {}
    """How several readings in one step become one value, by column (`*`: all others); the mean
    unless set."""
    duplicates: Literal["error", "first", "last", "mean"] = "last"
    """How rows of one series with the same timestamp (and no `available_at`) become one. The last
    counts by default: loggers that send again send corrections."""
    holidays: str | None = Field(None, pattern=r"^[A-Z]{2}(-[A-Za-z0-9]+)?$")
    """Country (and subdivision) of `is_holiday`: `US`, `DE-BY`."""
    panel: str | None = None
    """Folder of the prepared panel; `.forecast/<name>/panel` unless set."""

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
        for table in self.tables:
            self._check_table(table, roles)
        if self.difference and self.available_at is not None:
            raise ValueError("difference: a running total cannot have versions (available_at)")
        if labels := set(self.difference) & set(self.categories):
            raise ValueError(f"difference: {min(labels)!r} is a column of text (categories)")
        if "is_holiday" in self.covariates.calendar and self.holidays is None:
            raise ValueError("calendar feature is_holiday needs holidays: a country such as US")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """Return every file, folder, glob and URL that the source names."""
        entries = [(entry,) if isinstance(entry, str) else entry.source for entry in self.source]
        return tuple(text for entry in entries for text in entry)

    @property
    def tables(self) -> tuple[Table, ...]:
        """Return the tables of the source that have settings of their own."""
        return tuple(entry for entry in self.source if isinstance(entry, Table))

    def is_coarser(self, table: Table) -> bool:
        """Return whether the rows of a table are further apart than the steps of the grid."""
        own = table.frequency
        return own is not None and duration_s(own) > duration_s(self.frequency)

    def _check_table(self, table: Table, roles: Iterable[str]) -> None:
        """Refuse settings of one table that contradict the section."""
        where = f"source: {table.source[0]}: "
        for key, names in (("columns", table.columns), ("hold", table.hold)):
            for name in names:
                if name not in roles:
                    raise ValueError(where + _no_such_column(key, name, roles))
        if table.hold and not self.is_coarser(table):
            raise ValueError(
                f"{where}hold: its frequency {table.frequency} is not longer than data.frequency "
                f"{self.frequency}, so there is no step between to hold a value over"
            )
        if self.difference and (table.available_at is not None or self.is_coarser(table)):
            raise ValueError(
                f"{where}a running total (difference) cannot have versions (available_at, or a "
                "coarser frequency)"
            )

    def columns_by_role(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of each role: targets, past, known, static."""
        covariates = self.covariates
        return {
            "targets": self.targets,
            "past": covariates.past,
            "known": covariates.known,
            "static": covariates.static,
        }
