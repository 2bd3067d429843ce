"""Tallies, chunk by chunk, of values that often mark broken readings, and of non-counts."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

KNOWN_MARKS = np.array(
    sorted(
        {
            sign * number
            for number in (99, 999, 9999, 99999, 999999, 200, 99.9, 999.9, 9999.9)
            for sign in (1.0, -1.0)
        }
        | {-9.0, -99.99, 999.99, -999.99, -9999.99, 32767.0, -32768.0, 65535.0, 6999.0, -6999.0}
    )
)
NEAR = 0.02
"""Values within this share of a marker are near it: a real 999 has near values, a marker none."""


@dataclass
class Marks:
    """How often a column holds each known marker, and other values.

    Attributes
    ----------
    hits, near
        Cells that equal each of `KNOWN_MARKS`; cells near it.
    first
        Series and time of the first cell with each marker, by the marker's position.
    floor
        Lowest value that is not a known marker.
    count, negatives, fractions
        Cells; cells below zero that are not a marker; cells that are not a whole number.
    """

    hits: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(KNOWN_MARKS), np.int64))
    near: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(KNOWN_MARKS), np.int64))
    first: dict[int, tuple[int, int]] = field(default_factory=dict)
    floor: float = np.inf
    count: int = 0
    negatives: int = 0
    first_negative: tuple[int, int] = (0, 0)
    fractions: int = 0
    first_fraction: tuple[int, int] = (0, 0)

    def add(
        self, values: NDArray[np.float64], series: NDArray[np.int32], time: NDArray[np.int64]
    ) -> None:
        """Update with the next observed values."""
        if not len(values):
            return
        ordered = np.sort(values)
        hits = _within(ordered, KNOWN_MARKS, KNOWN_MARKS)
        reach = NEAR * np.abs(KNOWN_MARKS)
        self.near += _within(ordered, KNOWN_MARKS - reach, KNOWN_MARKS + reach) - hits
        for place in np.flatnonzero(hits):
            if place not in self.first:
                row = int(np.argmax(values == KNOWN_MARKS[place]))
                self.first[int(place)] = int(series[row]), int(time[row])
        self.hits += hits
        self._count(values, series, time, hits)
        low = 0
        while low < len(ordered) and ordered[low] in KNOWN_MARKS:
            low = int(np.searchsorted(ordered, ordered[low], side="right"))
        if low < len(ordered):
            self.floor = min(self.floor, float(ordered[low]))

    def _count(
        self,
        values: NDArray[np.float64],
        series: NDArray[np.int32],
        time: NDArray[np.int64],
        hits: NDArray[np.int64],
    ) -> None:
        """Count negative values that are not a marker, and values that are not whole numbers."""
        self.count += len(values)
        below = values < 0
        if hits[KNOWN_MARKS < 0].any():
            below &= ~np.isin(values, KNOWN_MARKS)
        fraction = values != np.rint(values)
        if not self.negatives and below.any():
            row = int(np.argmax(below))
            self.first_negative = int(series[row]), int(time[row])
        if not self.fractions and fraction.any():
            row = int(np.argmax(fraction))
            self.first_fraction = int(series[row]), int(time[row])
        self.negatives += int(np.count_nonzero(below))
        self.fractions += int(np.count_nonzero(fraction))


def _within(
    ordered: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return how many of the ordered values lie in each closed interval."""
    found: NDArray[np.int64] = np.searchsorted(ordered, high, side="right")
    return found - np.searchsorted(ordered, low, side="left")
