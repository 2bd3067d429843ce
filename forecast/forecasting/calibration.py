"""What a bundle knows of its own error: how far its bands are to be widened, and when.

Fitted once, by `calibrate`, on windows that no weight has seen. All corrections are factors of a
forecast's own spread (`spread_factors`), so one table serves series of any scale. The median is
left where it is.

Letters: N windows, H horizon, R groups of steps, T targets, C covariates, Q quantile levels,
S sides (lower, upper), K knots of lateness.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.forecasting.hardship import Hardship
from forecast.forecasting.spread_factors import Array, at_level, by_step, group_edges, scaled

LEAST_SPREAD = 1e-3  # of the outermost quantiles, in units of the train standard deviation
MOST_ORIGINS = 60  # of its own past that a series' band is corrected by
LEAST_ORIGINS = 10  # fewer would cost their time and move nothing
MOST_HORIZONS = 8  # bridged by own forecasts one after the other, each resting on the last
ORIGINS_OF_ALL = 3000  # by which many series share the cost of looking back


def origins_of(series: int) -> int:
    """Return how many origins of each series are looked back on by a model of so many series.

    >>> origins_of(1), origins_of(100), origins_of(1000)
    (60, 30, 0)
    """
    shared = min(MOST_ORIGINS, ORIGINS_OF_ALL // series)
    return shared if shared >= LEAST_ORIGINS else 0


@dataclass(frozen=True)
class Calibration:
    """How raw quantiles are turned into those that are handed out.

    Attributes
    ----------
    log_factor : (R, T, S)
        Of every forecast.
    least_spread : (T,)
        The smallest spread that errors are measured in, in the target's units.
    late_steps : (K,)
        Latenesses that `late` was measured at, rising.
    late : (K, R, T, S)
        Further log factors, at least 0, of a target whose newest value is so many steps old.
    is_bridged : (K,)
        Whether the gap is then filled by the model's own forecasts (`bridge`).
    lacking : (C, R, T, S)
        The same for each covariate, past and known, that is lacking.
    base : (H, T, Q)
        Added to forecasts without spread, of heads that give points; empty (0, T, Q) otherwise.
    origins : int
        Cutoffs in each series' own past that its bands are corrected by in the end.
    """

    log_factor: Array
    least_spread: Array
    late_steps: NDArray[np.int64]
    late: Array
    is_bridged: NDArray[np.bool_]
    lacking: Array
    base: Array
    origins: int

    @classmethod
    def neutral(
        cls, *, horizon: int, scale: ArrayLike, covariates: int, levels: int, series: int = 1
    ) -> Self:
        """Return one that changes nothing by itself.

        Parameters
        ----------
        scale
            (T,) standard deviation of each target in training.
        series
            How many series the model is for: the more, the fewer origins of each are asked.
        """
        least = LEAST_SPREAD * np.asarray(scale, np.float64)
        shape = (len(group_edges(horizon)) - 1, len(least), 2)
        return cls(
            np.zeros(shape),
            least,
            np.array([1], np.int64),
            np.zeros((1, *shape)),
            np.array([False]),
            np.zeros((covariates, *shape)),
            np.empty((0, len(least), levels)),
            origins_of(series),
        )

    def apply(
        self, quantiles: NDArray[np.float32], hardship: Hardship, levels: Sequence[float]
    ) -> Array:
        """Return the quantiles (N, H, T, Q) to be handed out, sorted, before the live correction.

        A target late by k steps has at step h at least the band of step h + k.
        """
        horizon = quantiles.shape[1]
        plain = self.plain(quantiles, levels)
        if not (hardship.late.any() or hardship.lacking.any()):
            return np.sort(plain, axis=-1)
        extra = self._in_hardship(hardship)  # (N, R, T, S)
        worse = scaled(plain, by_step(extra, horizon), levels)
        return np.sort(_at_least_of_later(worse, plain, hardship.late, levels), axis=-1)

    def to_bridge(
        self, late: NDArray[np.int64], *, horizon: int, context_length: int
    ) -> NDArray[np.int64]:
        """Return how many late steps (N, T) are to be filled by own forecasts; 0 for none."""
        knots = np.log1p(self.late_steps)
        middle = (knots[:-1] + knots[1:]) / 2
        nearest = np.searchsorted(middle, np.log1p(late))
        has_start = (late < context_length) & (late <= MOST_HORIZONS * horizon)
        return np.where(self.is_bridged[nearest] & has_start, late, 0)

    def plain(self, quantiles: NDArray[np.floating[Any]], levels: Sequence[float]) -> Array:
        """Return quantiles (N, H, T, Q) calibrated as if nothing were lacking."""
        values = quantiles.astype(np.float64)
        if len(self.base):
            has_none = quantiles[..., -1:] <= quantiles[..., :1]
            values += np.where(has_none, self.base, 0.0)
        return scaled(values, by_step(self.log_factor, quantiles.shape[1]), levels)

    def _in_hardship(self, hardship: Hardship) -> Array:
        """Return the log factors (N, R, T, S) for what the windows lack: the largest that holds."""
        knots = np.log1p(np.concatenate([[0], self.late_steps]))
        table = np.concatenate([np.zeros_like(self.late[:1]), self.late])
        place = np.interp(np.log1p(hardship.late), knots, np.arange(len(knots)))  # (N, T)
        below = np.minimum(place.astype(int), len(knots) - 2)
        share = (place - below)[:, None, :, None]
        of_target = np.arange(table.shape[2])
        low, high = (np.moveaxis(table[at, :, of_target], 2, 1) for at in (below, below + 1))
        extra: Array = low * (1 - share) + high * share
        for column, factor in enumerate(self.lacking):
            is_lacking = hardship.lacking[:, column, None, None, None]
            extra = np.maximum(extra, np.where(is_lacking, factor, 0.0))
        return extra

    def to_json(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        arrays = {name: getattr(self, name).tolist() for name in _ARRAYS}
        return {**arrays, "origins": self.origins, "shape": list(self.base.shape)}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Inverse of `to_json`; of offsets, as bundles held before, only those of points count."""
        if "offset" in content:
            return cls._of_offsets(np.array(content["offset"]), np.array(content["least_spread"]))
        none = [False] * len(content["late_steps"])  # of bundles from before gaps were bridged
        content = {"is_bridged": none, **content}
        arrays = {name: np.array(content[name], np.float64) for name in _ARRAYS}
        shape = arrays["log_factor"].shape
        arrays["lacking"] = arrays["lacking"].reshape(-1, *shape)
        arrays["base"] = arrays["base"].reshape(content["shape"])
        steps = arrays.pop("late_steps").astype(np.int64)
        is_bridged = arrays.pop("is_bridged").astype(bool)
        return cls(
            **arrays, late_steps=steps, is_bridged=is_bridged, origins=int(content["origins"])
        )

    @classmethod
    def _of_offsets(cls, offset: Array, least: Array) -> Self:
        """Return one for an older bundle: raw quantiles, or a band about the points of its head."""
        horizon, _, levels = offset.shape
        unit = least / LEAST_SPREAD
        plain = cls.neutral(horizon=horizon, scale=unit, covariates=0, levels=levels)
        return replace(plain, base=offset * least[:, None])


_ARRAYS = ("log_factor", "least_spread", "late_steps", "late", "is_bridged", "lacking", "base")


def _at_least_of_later(
    values: Array, plain: Array, late: NDArray[np.int64], levels: Sequence[float]
) -> Array:
    """Widen the bands of late targets to at least those of the step that much further ahead."""
    horizon = values.shape[1]
    step = np.arange(horizon)[None, :, None] + late[:, None, :]  # (N, H, T)
    later = np.minimum(step, horizon - 1)[..., None]
    middle = at_level(values, levels, 0.5)[..., None]
    own = values - middle
    other = np.take_along_axis(plain - at_level(plain, levels, 0.5)[..., None], later, axis=1)
    is_below = np.asarray(levels) < 0.5
    return middle + np.where(is_below, np.minimum(own, other), np.maximum(own, other))
