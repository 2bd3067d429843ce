"""Cells and rows that cannot be read, gathered until their file ends, then said all at once."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.errors import DataError

SHOWN = 5
LinesOf = Callable[[list[int]], dict[int, int]]
"""From rows of values, the first being 0, to the lines on which they begin."""


@dataclass
class Fault:
    """One kind of fault in one column: how often, the first line and its text, and the remedy."""

    what: str
    remedy: str
    line: int
    text: str
    count: int = 0
    is_counted_in_rows: bool = False


@dataclass
class Faults:
    """The faults of one file; `shown` is its short name in places that are only counted."""

    path: str
    line_word: str = "line"
    shown: str = ""
    found: dict[str, Fault] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, fault: Fault, count: int) -> None:
        """Count a fault; one of the same words is known already by its first line."""
        self.found.setdefault(fault.what, fault).count += count

    def add_cells(
        self, cells: pa.Array, bad: NDArray[np.bool_], first_line: int, what: str, remedy: str
    ) -> None:
        """Count the cells of a mask; `{text}` in the remedy becomes the first of them."""
        row = int(np.argmax(bad))
        text = str(cells[row].as_py()).strip()[:60]
        fault = Fault(
            what, remedy.replace("{text}", text), first_line + row, text, is_counted_in_rows=True
        )
        self.add(fault, int(np.count_nonzero(bad)))

    def place(self, lines_of: LinesOf, first_line: int) -> None:
        """Replace lines counted in rows of values by those that `lines_of` finds for these rows."""
        cells = [fault for fault in self.found.values() if fault.is_counted_in_rows]
        lines = lines_of([fault.line - first_line for fault in cells])
        for fault in cells:
            fault.line = lines.get(fault.line - first_line, fault.line)

    def error(self) -> DataError:
        """Return the faults as one error, the most frequent first."""
        worst = sorted(self.found.values(), key=lambda fault: -fault.count)
        lines = [
            f"{self.path}: {self.line_word} {fault.line}: {fault.what}: {fault.text!r}"
            f" ({fault.count:,} in this file); {fault.remedy}"
            for fault in worst[:SHOWN]
        ]
        if len(worst) > SHOWN:
            lines.append(f"{self.path}: and {len(worst) - SHOWN} more columns with such faults")
        return DataError("\n".join(lines))


@dataclass(frozen=True)
class Site:
    """Where a piece of a file stands: what turns its rows into places and its faults into words."""

    faults: Faults
    first_line: int

    def place(self, row: int) -> str:
        """Return the place of a row of the piece."""
        name = self.faults.shown or self.faults.path
        return f"{name}: {self.faults.line_word} {self.first_line + row}"

    def fault_at(self, row: int, text: str, count: int, what: str, remedy: str) -> None:
        """Count a fault of so many cells whose first is in a row of the piece."""
        line = self.first_line + row
        fault = Fault(what, remedy, line, text.strip()[:60], is_counted_in_rows=True)
        self.faults.add(fault, count)

    def fault(self, cells: pa.Array, bad: NDArray[np.bool_], what: str, remedy: str) -> None:
        """Count the cells of a mask as a fault; `{text}` in the remedy stands for the first."""
        if bad.any():
            self.faults.add_cells(cells, bad, self.first_line, what, remedy)
