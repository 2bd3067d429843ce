"""The readings of a table as typed arrays, one chunk at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

MISSING_TIME = np.iinfo(np.int64).min
"""NaT as an integer: a reading without a time, or an `available_at` that was always known."""


SCHEMA = 2
"""Of a panel on disk: another number, and a panel is built again."""


class CannotAppendError(Exception):
    """New readings that a panel cannot take in; says why, and is answered by a new build."""


@dataclass(frozen=True)
class Chunk:
    """Consecutive readings of the source, in the order of the source.

    Parameters
    ----------
    series : (rows,) int32
        Position of each reading's series in the reader's `SeriesIds`.
    time : (rows,) int64
        Epoch nanoseconds, UTC.
    values : (rows, channels) float
        Channels ordered targets, past, known; NaN means missing.
    available_at : (rows,) int64, optional
        When the reading became known, epoch nanoseconds UTC; `MISSING_TIME` means always known.
    rejected : int
        Rows of the source that were read and refused (no time, no series); not in the arrays.
    repeated : (rows,) bool, optional
        Whose local time a change of clocks repeats, while it is not settled which pass it is:
        `time` is then the first one. None once it is.
    table : int, optional
        Number of the table they are from, where the source has several.
    """

    series: NDArray[np.int32]
    time: NDArray[np.int64]
    values: Floats
    available_at: NDArray[np.int64] | None = None
    rejected: int = 0
    repeated: NDArray[np.bool_] | None = None
    table: int | None = None

    def take(self, which: NDArray[np.bool_]) -> Chunk:
        """Select readings; the rows that were refused stay counted."""
        known = None if self.available_at is None else self.available_at[which]
        repeated = None if self.repeated is None else self.repeated[which]
        return replace(
            self,
            series=self.series[which],
            time=self.time[which],
            values=self.values[which],
            available_at=known,
            repeated=repeated,
        )

    @property
    def read(self) -> int:
        """Rows of the source behind this chunk, the refused ones included."""
        return len(self.series) + self.rejected


def joined_chunks(first: Chunk, second: Chunk) -> Chunk:
    """Return the readings of two chunks in one."""

    def known(chunk: Chunk) -> NDArray[np.int64]:
        always = np.full(len(chunk.series), MISSING_TIME)
        return always if chunk.available_at is None else chunk.available_at

    def repeated(chunk: Chunk) -> NDArray[np.bool_]:
        none = np.zeros(len(chunk.series), dtype=bool)
        return none if chunk.repeated is None else chunk.repeated

    has_known = first.available_at is not None or second.available_at is not None
    return Chunk(
        np.concatenate([first.series, second.series]),
        np.concatenate([first.time, second.time]),
        np.concatenate([first.values, second.values]),
        np.concatenate([known(first), known(second)]) if has_known else None,
        rejected=first.rejected + second.rejected,
        repeated=np.concatenate([repeated(first), repeated(second)]),
    )


@dataclass
class SeriesIds:
    """Series ids in the order they were first seen; a reader grows it while its chunks flow."""

    names: list[str] = field(default_factory=list)
    _code: dict[str, int] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._code = {name: code for code, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def code(self, name: str) -> int:
        """Position of one id, which is added when it is new."""
        found = self._code.get(name)
        if found is None:
            found = self._code[name] = len(self.names)
            self.names.append(name)
        return found

    def codes(self, names: Iterable[str]) -> NDArray[np.int32]:
        """Positions of distinct ids, for a reader that has factorised its column already."""
        return np.fromiter((self.code(name) for name in names), dtype=np.int32)


class Source(Protocol):
    """Chunks, and what is known of their series once they have all come; a reader of tables."""

    @property
    def series_ids(self) -> SeriesIds:
        """Ids behind `Chunk.series`."""
        ...

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the static covariates."""
        ...

    @property
    def static(self) -> NDArray[np.float64]:
        """Static covariates (series, name); NaN is missing."""
        ...

    @property
    def categories(self) -> Mapping[str, tuple[str, ...]]:
        """Labels of text channels in the order of their codes."""
        ...

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks, once."""
        ...
