"""Which columns of a file the config needs, and what each is for."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from forecast.config.data import Data
from forecast.data.tables.opened_table import OpenedTable
from forecast.errors import DataError

DEFAULT_SERIES = "unique_id"


class NoColumnError(DataError):
    """A file lacks a column."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table in the long layout, by purpose."""

    timestamp: tuple[str, ...]
    series: tuple[str, ...]
    channels: tuple[str, ...]
    static: tuple[str, ...]
    available_at: tuple[str, ...]

    def all(self) -> list[str]:
        """Return each column once."""
        return list(
            dict.fromkeys(
                self.timestamp + self.series + self.channels + self.static + self.available_at
            )
        )


def channels_of(data: Data) -> tuple[str, ...]:
    """Return the channels in the order of a panel: targets, past, known."""
    return data.targets + data.covariates.past + data.covariates.known


def names_of(table: OpenedTable) -> tuple[str, ...]:
    """Return the columns of a file, those of its partition folders included."""
    extra = tuple(name for name, _ in table.file.partitions if name not in table.names)
    return table.names + extra


def spelled_as(names: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Return column names as the config spells them where both are one text to a reader.

    Names are compared in the form NFKC: an accented letter may be one character or two, the micro
    sign a Greek letter. A name that two columns could mean stays as it is.

    Examples
    --------
    >>> spelled_as(["ds", "m²"], ["m2"])
    ('ds', 'm2')
    """
    names = tuple(names)
    forms = [unicodedata.normalize("NFKC", name) for name in names]
    found = {}
    for name in wanted:
        form = unicodedata.normalize("NFKC", name)
        if name not in names and forms.count(form) == 1:
            found[forms.index(form)] = name
    return tuple(found.get(place, name) for place, name in enumerate(names))


def renamed(names: Iterable[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns of a file under their names in the config.

    A column that is in the way of a new name takes the old one.

    Parameters
    ----------
    columns
        Name in the config: name in the file.

    Examples
    --------
    >>> renamed(["ds", "RAIN", "prcp"], {"prcp": "RAIN"})
    ('ds', 'prcp', 'RAIN')
    """
    names = list(names)
    for new, old in columns.items():
        swapped = {old: new, new: old} if old in names else {}
        names = [swapped.get(name, name) for name in names]
    return tuple(names)


def configured_columns(data: Data) -> list[str]:
    """Return every column that the config names, as it spells it."""
    covariates, when = data.covariates.static, data.available_at
    names = [*data.timestamp, *data.series, *channels_of(data), *covariates]
    return names if when is None else [*names, when]


def long_columns(data: Data, table: OpenedTable) -> Columns:
    """Return the columns that a long table must have.

    Raises
    ------
    DataError
        If some are not there, or are there more than once.
    """
    names = names_of(table)
    series = data.series
    if not series and data.series_from is None and DEFAULT_SERIES in names:
        series = (DEFAULT_SERIES,)
    columns = Columns(
        timestamp=data.timestamp,
        series=() if data.series_from else series,
        channels=channels_of(data),
        static=() if data.static_table else data.covariates.static,
        available_at=() if data.available_at is None else (data.available_at,),
    )
    require(table, columns.all())
    return columns


def require(table: OpenedTable, wanted: Iterable[str]) -> None:
    """Check that a file has these columns, each once.

    Raises
    ------
    DataError
        Naming every column that is absent or repeated, the nearest name, and those there are.
    """
    names = names_of(table)
    absent = [name for name in wanted if name not in names]
    if absent:
        raise NoColumnError(
            f"{table.file.path}: no column "
            + ", ".join(f"{name!r}{nearest(name, names)}" for name in absent)
            + f"; the table has {in_words(names)}{table.hint(absent)}"
        )
    repeated = [name for name in wanted if names.count(name) > 1]
    if repeated:
        raise DataError(
            f"{table.file.path}: column {repeated[0]!r} occurs {names.count(repeated[0])} times; "
            "rename one of them, or name all columns with data.csv.columns"
        )


def in_words(names: Sequence[str]) -> str:
    """Return the first names of a table, and how many more it has."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def nearest(name: str, names: Sequence[str]) -> str:
    """Return a hint at the most similar column."""
    same = [column for column in names if column.lower().strip() == name.lower().strip()]
    close = same or difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
