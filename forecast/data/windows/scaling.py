"""Location and scale of every channel, from train rows only; scales nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from forecast.data.panel import Panel

_ROWS = 1 << 18

ENOUGH = 24
"""Train readings from which on a series' own statistics are trusted."""

APART = 10.0
"""How many times larger than a series' own deviation that of all together may be, before every
series is scaled by its own: level and size then tell series apart, not what happens in them."""

CONSTANT_SHARE = 1e-3
"""Scale of a series that never varies, as a share of its level."""


def _none() -> NDArray[np.float32]:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Scaler:
    """Scaled = (raw - location) / scale, per channel; of each series where they lie far apart.

    Parameters
    ----------
    names
        Targets, past, known, then calendar features (location 0, scale 1).
    location, scale : (C + calendar,) float32
        Of all series together; the medians of theirs where each has its own.
    static_location, static_scale : (n_static,) float32
    series_ids
        Series with their own location and scale; none where all share one.
    series_location, series_scale : (R, C + calendar) float32
        Those.
    """

    names: tuple[str, ...]
    location: NDArray[np.float32]
    scale: NDArray[np.float32]
    static_location: NDArray[np.float32]
    static_scale: NDArray[np.float32]
    series_ids: tuple[str, ...] = ()
    series_location: NDArray[np.float32] = field(default_factory=_none)
    series_scale: NDArray[np.float32] = field(default_factory=_none)

    def table(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Location and scale by row (1 + R, C + calendar): the common one, then of each series."""
        if not self.series_ids:
            return self.location[None], self.scale[None]
        return (
            np.concatenate([self.location[None], self.series_location]),
            np.concatenate([self.scale[None], self.series_scale]),
        )

    def unscaled(self, count: int) -> Scaler:
        """Leave the first `count` channels as they are: heads of counts and codes need them so."""
        changed = {}
        for name, value in (("location", 0.0), ("scale", 1.0)):
            for key in (name, f"series_{name}"):
                changed[key] = getattr(self, key).copy()
                changed[key][..., :count] = value
        return replace(self, **changed)

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        return {
            "names": list(self.names),
            "location": self.location.tolist(),
            "scale": self.scale.tolist(),
            "static_location": self.static_location.tolist(),
            "static_scale": self.static_scale.tolist(),
            "series_ids": list(self.series_ids),
            "series_location": self.series_location.tolist(),
            "series_scale": self.series_scale.tolist(),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Scaler:
        """Inverse of `to_json`."""
        arrays = {
            key: np.array(content[key], dtype=np.float32)
            for key in ("location", "scale", "static_location", "static_scale")
        }
        ids = tuple(content.get("series_ids", ()))
        for key in ("series_location", "series_scale") if ids else ():
            arrays[key] = np.array(content[key], dtype=np.float32)
        return cls(tuple(content["names"]), **arrays, series_ids=ids)


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
    Series whose targets lie far apart (`APART`) have statistics of their own, those with fewer than
    `ENOUGH` train readings the medians of the others'.

    Parameters
    ----------
    train_end : (S,) int64
    held_out : (R, 2) int64, optional
        Grid intervals [first, stop) to leave out.
    """
    moments = Moments(len(panel.channels))
    each = []
    for series, end in enumerate(train_end):
        own = Moments(len(panel.channels))
        known_at = panel.cutoff_time(series, int(end))
        for first, stop in _kept(int(panel.start[series]), int(end), held_out):
            for row in range(first, stop, _ROWS):
                own.add(panel.as_of(series, row, min(row + _ROWS, stop), known_at))
        moments.merge(own)
        each.append(own)
    fixed = Moments(panel.static.shape[1])
    fixed.add(panel.static)
    static_location, static_scale = fixed.location_scale()
    extra = len(calendar_names)
    location, scale = moments.location_scale()
    together = Scaler(
        names=(*panel.channels, *calendar_names),
        location=_padded(location, 0.0, extra),
        scale=_padded(scale, 1.0, extra),
        static_location=static_location,
        static_scale=static_scale,
    )
    found = _by_series(panel, each, moments, together)
    codes = [channel for channel, name in enumerate(panel.targets) if name in panel.categories]
    for part, value in ((found.location, 0.0), (found.scale, 1.0)):
        part[codes] = value
    for part, value in ((found.series_location, 0.0), (found.series_scale, 1.0)):
        part[:, codes if len(part) else []] = value
    return found


def _by_series(panel: Panel, each: list[Moments], total: Moments, together: Scaler) -> Scaler:
    """Give every series with enough readings its own statistics, where they lie far apart."""
    count = len(panel.targets)
    kept = [series for series, own in enumerate(each) if own.count[:count].min() >= ENOUGH]
    if len(kept) < 2:
        return together
    deviation = np.stack([each[series].deviation() for series in kept])  # (R, C)
    mean = np.stack([each[series].mean for series in kept])
    seen = np.stack([each[series].count for series in kept]) >= ENOUGH
    size = np.where(_varies(deviation, mean), deviation, np.abs(mean))  # of a constant its level
    ratio = total.deviation() / np.where(size > 0, size, np.inf)
    if ratio[:, :count].max() <= APART:
        return together
    scale = np.where(_varies(deviation, mean), deviation, CONSTANT_SHARE * np.abs(mean))
    scale = np.where(scale > 0, scale, 1.0)
    location, width = _medians(mean, seen, total.mean), _medians(scale, seen, together.scale)
    extra = len(together.names) - seen.shape[1]
    return replace(
        together,
        location=_padded(location, 0.0, extra),
        scale=_padded(width, 1.0, extra),
        series_ids=tuple(panel.series_ids[series] for series in kept),
        series_location=_padded(np.where(seen, mean, location), 0.0, extra),
        series_scale=_padded(np.where(seen, scale, width), 1.0, extra),
    )


def _medians(
    values: NDArray[np.float64], seen: NDArray[np.bool_], usual: NDArray[Any]
) -> NDArray[np.float64]:
    """Give the median (C,) over the rows that are seen, `usual` where none is."""
    some = seen.any(axis=0)
    middle = np.nanmedian(np.where(seen | ~some, values, np.nan), axis=0)
    return np.where(some, middle, usual[: seen.shape[1]])


def _padded(values: NDArray[Any], value: float, extra: int) -> NDArray[np.float32]:
    """Add columns for the calendar."""
    width = [(0, 0)] * (values.ndim - 1) + [(0, extra)]
    return np.pad(values, width, constant_values=value).astype(np.float32)


def _varies(deviation: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-30))


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
        part = Moments(x.shape[1])
        part.count = seen.sum(axis=0).astype(np.float64)
        x[~seen] = 0.0
        part.mean = x.sum(axis=0) / np.maximum(part.count, 1)
        part.squares = (np.where(seen, x - part.mean, 0.0) ** 2).sum(axis=0)
        self.merge(part)

    def merge(self, part: Moments) -> None:
        """Add what another has seen."""
        total = np.maximum(self.count + part.count, 1)
        delta = part.mean - self.mean
        self.squares += part.squares + delta**2 * self.count * part.count / total
        self.mean += delta * part.count / total
        self.count += part.count

    def deviation(self) -> NDArray[np.float64]:
        """Give the population standard deviation."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.count, 1)))

    def location_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and population standard deviation; scale 1 where nothing varies."""
        deviation = self.deviation()
        scale = np.where(_varies(deviation, self.mean), deviation, 1.0)
        return self.mean.astype(np.float32), scale.astype(np.float32)
