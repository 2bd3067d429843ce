"""Location and scale of every channel, from train rows only."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast.data.panel.blocks import pieces, ranges, sums

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.data.panel import Panel

ENOUGH = 24
"""Train readings that a series needs for statistics of its own."""

APART = 10.0
"""Ratio of the pooled deviation to a series' own, above which every series is scaled by its own
statistics: the pooled scale would then show how series differ rather than how each one moves."""

CONSTANT_SHARE = 1e-3
"""Scale of a series that never varies, as a share of its level."""


def _none() -> NDArray[np.float32]:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Scaler:
    """Scaled = (raw - location) / scale, per channel, and per series where scales differ much.

    Parameters
    ----------
    names
        Targets, past, known, then calendar features (location 0, scale 1).
    location, scale : (C + calendar,) float32
        Pooled over all series; the medians over the series if these have their own.
    static_location, static_scale : (n_static,) float32
    series_ids
        Series with their own location and scale; empty if all series share one.
    series_location, series_scale : (R, C + calendar) float32
        The location and scale of those series.
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
        """Location and scale by row (1 + R, C + calendar): the pooled ones, then each series'."""
        if not self.series_ids:
            return self.location[None], self.scale[None]
        return (
            np.concatenate([self.location[None], self.series_location]),
            np.concatenate([self.scale[None], self.series_scale]),
        )

    def unscaled(self, count: int) -> Scaler:
        """Return a scaler that leaves the first `count` channels unscaled, for counts and codes."""
        changed = {}
        for name, value in (("location", 0.0), ("scale", 1.0)):
            for key in (name, f"series_{name}"):
                changed[key] = getattr(self, key).copy()
                changed[key][..., :count] = value
        return replace(self, **changed)

    def to_json(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
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
    """Compute mean and standard deviation over the first `train_end` steps of each series.

    A constant channel gets scale 1, a channel never observed location 0; a target of categories
    keeps its codes. Of values with vintages, the version known at the end of train counts. If the
    targets' scales differ much between series (`APART`), each series has its own statistics; series
    with fewer than `ENOUGH` train readings take the medians of the others.

    Parameters
    ----------
    train_end : (S,) int64
    held_out : (R, 2) int64, optional
        Grid intervals [first, stop) to leave out.
    """
    each = _by_each(panel, train_end, held_out)
    moments = each.together()
    rows = np.array([len(panel.static)])
    static_location, static_scale = Moments.of(panel.static, rows).together().location_scale()
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


def _by_each(
    panel: Panel, train_end: NDArray[np.int64], held_out: NDArray[np.int64] | None
) -> Moments:
    """Sum up each series' train rows, (S, C)."""
    each = Moments.none(len(train_end), len(panel.channels))
    known_at = panel.grid.time(panel.start + train_end - 1)
    for piece in pieces(panel):
        end = np.minimum(train_end, panel.length)[piece.series]
        first, stop = np.clip([piece.begin, piece.begin + end], 0, len(piece.values))
        row, own = ranges(first, stop), np.repeat(np.arange(len(end)), stop - first)
        kept = ~_is_held(row - piece.begin[own] + panel.start[piece.series][own], held_out)
        row, own = row[kept], own[kept]
        values = piece.values[row]
        if panel.vintages is not None:
            place = row - piece.begin[own] + panel.offset[piece.series][own]
            values = panel.vintages.as_of(place, known_at[piece.series][own])
        part = Moments.of(values, np.bincount(own, minlength=len(end)))
        for whole, more in zip(each, each.take(piece.series).merged(part), strict=True):
            whole[piece.series] = more
    return each


def _by_series(panel: Panel, each: Moments, total: Moments, together: Scaler) -> Scaler:
    """Return a scaler per series if scales differ much, else the pooled scaler `together`."""
    count = len(panel.targets)
    kept = np.flatnonzero(each.number[:, :count].min(axis=1, initial=np.inf) >= ENOUGH)
    if len(kept) < 2:
        return together
    own = each.take(kept)
    deviation, mean, seen = own.deviation(), own.mean, own.number >= ENOUGH  # (R, C)
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
    """Return the median (C,) over the rows with enough readings, `usual` where no row has."""
    some = seen.any(axis=0)
    middle = np.nanmedian(np.where(seen | ~some, values, np.nan), axis=0)
    return np.where(some, middle, usual[: seen.shape[1]])


def _padded(values: NDArray[Any], value: float, extra: int) -> NDArray[np.float32]:
    """Add columns for the calendar."""
    width = [(0, 0)] * (values.ndim - 1) + [(0, extra)]
    return np.pad(values, width, constant_values=value).astype(np.float32)


def _varies(deviation: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(deviation > 1e-7 * np.maximum(np.abs(mean), 1e-30))


def _is_held(step: NDArray[np.int64], held_out: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Return which grid steps lie in one of the intervals [first, stop)."""
    if held_out is None or not len(held_out):
        return np.zeros(len(step), np.bool_)
    first, stop = held_out[np.argsort(held_out[:, 0])].T
    place = np.searchsorted(first, step, side="right")
    furthest = np.maximum.accumulate(np.concatenate([[np.iinfo(np.int64).min], stop]))
    return np.asarray(step < furthest[place])


class Moments(NamedTuple):
    """Count, mean and squared deviation of groups of rows, (S, C) each or (C,) of one group."""

    number: NDArray[np.float64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def none(cls, groups: int, columns: int) -> Moments:
        """Return moments of no rows."""
        return cls(*(np.zeros((groups, columns)) for _ in cls._fields))

    @classmethod
    def of(cls, rows: NDArray[np.float32], count: NDArray[np.int64]) -> Moments:
        """Return the moments of (R, C), whose rows are consecutive groups of `count` (S,) rows."""
        x = rows.astype(np.float64)
        seen = np.isfinite(x)
        number = sums(seen.astype(np.float64), count)
        x[~seen] = 0.0
        mean = sums(x, count) / np.maximum(number, 1)
        away = np.where(seen, x - np.repeat(mean, count, axis=0), 0.0)
        return cls(number, mean, sums(away**2, count))

    def take(self, groups: slice | NDArray[np.int64]) -> Moments:
        """Return some of the groups."""
        return Moments(self.number[groups], self.mean[groups], self.squares[groups])

    def merged(self, part: Moments) -> Moments:
        """Merge with moments of other rows, group by group (Chan et al. 1979, eq. 2.1)."""
        total = self.number + part.number
        delta, share = part.mean - self.mean, part.number / np.maximum(total, 1)
        squares = self.squares + part.squares + delta**2 * self.number * share
        return Moments(total, self.mean + delta * share, squares)

    def together(self) -> Moments:
        """Merge all groups into one, pairwise, which loses few digits."""
        whole = self
        while len(whole.number) > 1:
            paired = len(whole.number) // 2 * 2
            pairs = whole.take(slice(0, paired, 2)).merged(whole.take(slice(1, paired, 2)))
            whole = Moments(
                *(
                    np.concatenate(two)
                    for two in zip(pairs, whole.take(slice(paired, None)), strict=True)
                )
            )
        return Moments(*(part[0] for part in whole))

    def deviation(self) -> NDArray[np.float64]:
        """Return the population standard deviation."""
        return np.asarray(np.sqrt(self.squares / np.maximum(self.number, 1)))

    def location_scale(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return mean and population standard deviation; scale 1 where nothing varies."""
        deviation = self.deviation()
        scale = np.where(_varies(deviation, self.mean), deviation, 1.0)
        return self.mean.astype(np.float32), scale.astype(np.float32)
