"""Location and scale of every channel, from train rows only; scales nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from forecast.data.panel import Panel

_ROWS = 1 << 18


@dataclass(frozen=True)
class Scaler:
    """Scaled = (raw - location) / scale, per channel.

    Parameters
    ----------
    names
        Targets, past, known, then calendar features (location 0, scale 1).
    location, scale : (C + calendar,) float32
    static_location, static_scale : (n_static,) float32
    """

    names: tuple[str, ...]
    location: NDArray[np.float32]
    scale: NDArray[np.float32]
    static_location: NDArray[np.float32]
    static_scale: NDArray[np.float32]

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "names": list(self.names),
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "static_location": self.static_location.tolist(),
            "static_scale": self.static_scale.tolist(),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Scaler:
        """Inverse of `to_json`."""
        arrays = {
            key: np.array(content[key], dtype=np.float32)
            for key in ("location", "scale", "static_location", "static_scale")
        }
        return cls(tuple(content["names"]), **arrays)


def fit_scaler(
    panel: Panel,
    train_end: NDArray[np.int64],
    *,
    calendar_names: Sequence[str] = (),
    held_out: NDArray[np.int64] | None = None,
) -> Scaler:
    """Mean and standard deviation of the first `train_end` steps of each series.

    A channel that never varies gets scale 1, one never observed location 0; a target of
    categories keeps its codes. Rows with vintages count as they were known at the end of train.

    Parameters
    ----------
    train_end : (S,) int64
    held_out : (R, 2) int64, optional
        Grid intervals [first, stop) to leave out.
    """
    moments = Moments(len(panel.channels))
    for series, end in enumerate(train_end):
        known_at = panel.cutoff_time(series, int(end))
        for first, stop in _kept(int(panel.start[series]), int(end), held_out):
            for row in range(first, stop, _ROWS):
                moments.add(panel.as_of(series, row, min(row + _ROWS, stop), known_at))
    location, scale = moments.location_scale()
    for channel, name in enumerate(panel.targets):
        if name in panel.categories:
            location[channel], scale[channel] = 0.0, 1.0
    fixed = Moments(panel.static.shape[1])
    fixed.add(panel.static)
    static_location, static_scale = fixed.location_scale()
    extra = len(calendar_names)
    return Scaler(
        names=(*panel.channels, *calendar_names),
        location=np.concatenate([location, np.zeros(extra, np.float32)]),
        scale=np.concatenate([scale, np.ones(extra, np.float32)]),
        static_location=static_location,
        static_scale=static_scale,
    )


def _kept(start: int, end: int, held_out: NDArray[np.int64] | None) -> Iterator[tuple[int, int]]:
    """Intervals of a series' first `end` steps that lie outside the held-out grid intervals."""
    begin = 0
    for first, stop in sorted(held_out.tolist()) if held_out is not None else ():
        if begin < min(first - start, end):
            yield begin, min(first - start, end)
        begin = max(begin, stop - start)
    if begin < end:
        yield begin, end


class Moments:
    """Running count, mean and squared deviation per column (Chan et al. 1979, eq. 2.1)."""

    def __init__(self, columns: int) -> None:
        self.count = np.zeros(columns)
        self.mean = np.zeros(columns)
        self.squares = np.zeros(columns)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Merge the observed values of (rows, columns)."""
        x = rows.astype(np.float64)
        seen = np.isfinite(x)
        count = seen.sum(axis=0)
        x[~seen] = 0.0
        mean = x.sum(axis=0) / np.maximum(count, 1)
        squares = (np.where(seen, x - mean, 0.0) ** 2).sum(axis=0)
        total = np.maximum(self.count + count, 1)
        delta = mean - self.mean
        self.squares += squares + delta**2 * self.count * count / total
        self.mean += delta * count / total
        self.count += count

    def location_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and population standard deviation; scale 1 where nothing varies."""
        deviation = np.sqrt(self.squares / np.maximum(self.count, 1))
        varies = deviation > 1e-7 * np.maximum(np.abs(self.mean), 1e-30)
        scale = np.where(varies, deviation, 1.0)
        return self.mean.astype(np.float32), scale.astype(np.float32)
