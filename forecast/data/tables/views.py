"""The tables of a source that belong together, each with the config as it holds for it.

Only the header of each table is read.
"""

import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecast.config.data import Covariates, Data
from forecast.config.table import Exclusion, Table
from forecast.data.tables.columns import (
    DEFAULT_SERIES,
    channels_of,
    configured_columns,
    in_words,
    names_of,
    nearest,
)
from forecast.data.tables.open_table import open_table
from forecast.data.tables.opened_table import OpenedTable
from forecast.data.tables.sources import SourceFile, source_files
from forecast.data.tables.typed_time import typed_instant
from forecast.errors import ConfigError, DataError


@dataclass(frozen=True)
class View:
    """One table of several.

    Parameters
    ----------
    data
        The `data` section as it holds for this table: only the columns that it has.
    files
        Its files, in order.
    names
        Columns of its first file, as the config calls them.
    table
        What the config says of this table alone; its columns are those of `data`.
    fault
        What it lacks of the columns that say when and of what series a row is; empty if nothing.
    """

    data: Data
    files: tuple[SourceFile, ...]
    names: tuple[str, ...]
    table: Table
    fault: str = ""

    @property
    def name(self) -> str:
        """The name of its first file, and how many more there are."""
        more = len(self.files) - 1
        return self.files[0].name + (f" and {more:,} more" if more else "")

    @property
    def has_ids(self) -> bool:
        """Whether its rows say which series they belong to."""
        data = self.data
        is_named = bool(data.series or data.series_from) or DEFAULT_SERIES in self.names
        return is_named or data.layout != "long"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it gives: channels, then static covariates."""
        return channels_of(self.data) + self.data.covariates.static


def views_of(data: Data) -> list[View]:
    """Return the tables of a source that hold different columns; none where all hold the same.

    Neighbours without settings of their own that hold the same columns are one table.

    Raises
    ------
    ConfigError
        When the settings of a table do not fit it.
    DataError
        When a file is not there, or a column of the config is in no table.
    """
    if not data.tables and (len(data.source) == 1 or data.layout != "long"):
        return []
    views = [_view(data, entry) for entry in data.source]
    if not data.tables and len({view.columns for view in views}) == 1:
        return []  # one table; what it lacks is told where it is read
    if faults := [view.fault for view in views if view.fault]:
        raise DataError("\n".join(faults))
    views = _neighbours_joined(views)
    _require_all(data, views)
    for view in views:
        _require_fit(data, view)
    return views


def _view(data: Data, entry: str | Table) -> View:
    """Return one entry of the source with the columns that it has."""
    table = entry if isinstance(entry, Table) else Table(source=(entry,))
    form = table.form()
    if form.get("layout", data.layout) != data.layout:
        form.setdefault("series", ())  # which means something else in another layout
    own = data.model_copy(update=form)
    files = tuple(source_files(table.source))
    wanted = [*configured_columns(own), *table.columns]
    opened = open_table(own.csv, files[0], own.format, wanted=wanted, columns=table.columns)
    with contextlib.closing(opened):
        names = names_of(opened)
        fault = _fault(own, opened)
    if table.columns:
        held = tuple(table.columns)
    elif own.layout != "long":
        raise ConfigError(
            f"data.source: {table.source[0]}: layout {own.layout} holds one column of the config; "
            "name it with columns"
        )
    else:
        held = names
    return View(_narrowed(data, own, table, held), files, names, table, fault)


def _fault(own: Data, opened: OpenedTable) -> str:
    """Return what a long table lacks of the columns that say when and of what series a row is."""
    names, path = names_of(opened), opened.file.path
    when = () if own.available_at is None else (own.available_at,)
    keys = (*own.timestamp, *(() if own.series_from else own.series), *when)
    absent = [name for name in keys if name not in names]
    if not absent or own.layout != "long":
        return ""
    hints = ", ".join(f"{name!r}{nearest(name, names)}" for name in absent)
    remedy = (
        "an entry of its own in data.source says what is different: "
        f"{{source: {path}, timestamp: ..., series: ..., available_at: null}}"
    )
    if set(own.covariates.static) & set(names) and not set(own.timestamp) & set(names):
        remedy = (
            "a table with one row per series has no readings; write data.static_table: "
            f"{{source: {path}, series: {names[0]}}}"
        )
    return (
        f"{path}: no column {hints}; the table has {in_words(names)}{opened.hint(absent)}; {remedy}"
    )


def _narrowed(data: Data, own: Data, table: Table, held: Sequence[str]) -> Data:
    """Return the section with the columns that one table holds, and its own settings."""
    covariates, static = data.covariates, data.static_table
    if static is not None and static.csv is None:
        static = static.model_copy(update={"csv": data.csv})
    in_table = held if static is None else covariates.static
    roles = Covariates(
        past=tuple(name for name in covariates.past if name in held),
        known=tuple(name for name in covariates.known if name in held),
        static=tuple(name for name in covariates.static if name in in_table),
    )
    targets = tuple(name for name in data.targets if name in held)
    kept = (*targets, *roles.past, *roles.known, *roles.static)
    return own.model_copy(
        update={
            "targets": targets,
            "covariates": roles,
            "static_table": static,
            "categories": tuple(name for name in data.categories if name in kept),
            "limits": {name: span for name, span in data.limits.items() if name in kept},
            "frequency": table.frequency or data.frequency,
            "exclude": (
                *(_in_utc(exclusion, data.timezone) for exclusion in data.exclude),
                *table.exclude,
            ),
        }
    )


def _in_utc(exclusion: Exclusion, timezone: str) -> Exclusion:
    """Return an exclusion whose ends mean the same in any zone."""

    def instant(text: str | None) -> str | None:
        if text is None:
            return None
        try:
            return f"{np.datetime64(typed_instant(text, timezone), 'ns')}Z"
        except ValueError as error:
            raise ConfigError(f"data.exclude: {text!r} {error}") from error

    return exclusion.model_copy(
        update={"start": instant(exclusion.start), "end": instant(exclusion.end)}
    )


def _neighbours_joined(views: Sequence[View]) -> list[View]:
    """Return the tables, neighbours of the same columns without settings of their own as one."""
    joined = []
    for _, group in itertools.groupby(enumerate(views), lambda numbered: _likeness(*numbered)):
        alike = [view for _, view in group]
        files = {file.path: file for view in alike for file in view.files}
        joined.append(replace(alike[0], files=tuple(files.values())))
    return joined


def _likeness(place: int, view: View) -> tuple[object, ...]:
    """Return what neighbours have in common that are one table."""
    is_plain = view.table.model_fields_set == {"source"}
    return (view.columns, *(() if is_plain else (place,)))


def _require_all(data: Data, views: Sequence[View]) -> None:
    """Check that each column of the config is in a table."""
    static = () if data.static_table else data.covariates.static
    found = {name for view in views for name in view.columns}
    absent = [name for name in (*channels_of(data), *static) if name not in found]
    if not absent:
        return
    every = list(dict.fromkeys(name for view in views for name in view.names))
    near = [nearest(name, every) for name in absent]
    hints = [f"{name!r}{hint}" for name, hint in zip(absent, near, strict=True)]
    tables = "; ".join(f"{view.files[0].path} has {in_words(view.names)}" for view in views)
    raise DataError(f"data.source: no table has a column {', '.join(hints)}; {tables}")


def _require_fit(data: Data, view: View) -> None:
    """Check that one table gives what its entry says, and nothing goes unread by mistake."""
    path = view.files[0].path
    for name in channels_of(data) if not view.table.columns else ():
        alike = [column for column in view.names if column.strip().lower() == name.strip().lower()]
        if name not in view.names and alike:
            raise DataError(
                f"{path}: no column {name!r}, but {alike[0]!r}; give the table an entry of its "
                f"own in data.source: {{source: {path}, columns: {{{name}: {alike[0]}}}}}"
            )
    if not channels_of(view.data):
        wanted = ", ".join(channels_of(data))
        raise DataError(
            f"{path}: holds none of the readings that the config names ({wanted}), but "
            f"{in_words(view.names)}; name its columns in an entry of data.source with columns: "
            "{name in data: name in the table}, or, where it has one row per series, in "
            "data.static_table"
        )
    roles = view.data.covariates
    if data.is_coarser(view.table) and roles.known and (roles.past or view.data.targets):
        raise ConfigError(
            f"data.source: {path}: of rows every {view.table.frequency}, known covariates are "
            "known at once, other columns when the step is over; name "
            f"{', '.join(roles.known)} in an entry of their own, with columns"
        )
