"""Remembers the unit beside the numbers of each series and column; converts nothing."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecast.data.tables.faults import Site
from forecast.data.tables.text_values import BLANKS, as_text, is_text, longest_first

NONE = -1


class UnitsSeen:
    """Refuses a series whose column holds a second unit: 12 kW and 0.012 MW are not 12 and .012."""

    def __init__(self) -> None:
        self._seen: dict[str, NDArray[np.int64]] = {}
        self._names: list[str] = []

    def note(
        self,
        column: str,
        cells: pa.Array,
        series: NDArray[np.int32],
        units: Sequence[str],
        site: Site,
    ) -> NDArray[np.bool_] | None:
        """Make a fault of every cell whose unit is another than its series had in this column.

        Returns the cells that hold a unit; None where none can.

        Parameters
        ----------
        column
            Name of the column.
        cells
            The column, a row each.
        series
            Positions of the rows' series.
        units
            The texts that may stand beside numbers.
        site
            Where the rows stand.
        """
        if not units or not is_text(cells):
            return None
        found = self._codes(as_text(cells), units)
        has_unit: NDArray[np.bool_] = found != NONE
        rows = np.flatnonzero(has_unit)
        if not len(rows):
            return has_unit
        seen = self._of_series(column, int(series[rows].max()) + 1)
        ids, first = np.unique(series[rows], return_index=True)
        fresh = seen[ids] == NONE
        seen[ids[fresh]] = found[rows[first[fresh]]]
        other = np.zeros(len(found), dtype=bool)
        other[rows] = found[rows] != seen[series[rows]]
        if other.any():
            before = self._names[seen[series[np.argmax(other)]]]
            site.fault(
                cells,
                other,
                f"a second unit in the number column {column!r}",
                f"the same series' cells held {before!r} before, and units are dropped without "
                "conversion (data.csv.units): write them all in one unit",
            )
        return has_unit

    def _codes(self, text: pa.Array, units: Sequence[str]) -> NDArray[np.int64]:
        """Return a number for the unit in each cell, NONE where there is none."""
        codes = np.full(len(text), NONE, dtype=np.int64)
        for unit in longest_first(units):
            here = re.escape(unit)
            hits = pc.match_substring_regex(text, f"^{here}{BLANKS}[^a-zA-Z]|[0-9.]{BLANKS}{here}$")
            hits = np.asarray(pc.fill_null(hits, False))
            codes[hits & (codes == NONE)] = self._code(unit)
        return codes

    def _code(self, unit: str) -> int:
        """Return the number of a unit, the same for spellings that differ in case alone."""
        for code, name in enumerate(self._names):
            if _alike(name) == _alike(unit):
                return code
        self._names.append(unit)
        return len(self._names) - 1

    def _of_series(self, column: str, count: int) -> NDArray[np.int64]:
        """Return the unit of each series in a column, room for so many series made."""
        seen = self._seen.get(column, np.empty(0, dtype=np.int64))
        if len(seen) < count:
            more = np.full(max(count, 2 * len(seen)) - len(seen), NONE, dtype=np.int64)
            seen = self._seen[column] = np.concatenate([seen, more])
        return seen


def _alike(unit: str) -> str:
    """Return what spellings of one unit share: mW and MW differ by a factor of a billion."""
    kept = 1 if unit[:1] in "mM" else 0
    return unit[:kept] + unit[kept:].casefold()
