"""The heads of points and quantiles in numpy, see `heads.point_heads`.

Shapes: B batch, H horizon, T targets, O raw numbers per step, Q quantile levels.
"""

from collections.abc import Sequence

import numpy as np

from forecast.models.architecture import HeadSpec
from forecast.models.plain.lstm import Array


class PlainHead:
    """The head "point_quantile", or "point" as one without levels."""

    def __init__(self, spec: HeadSpec) -> None:
        self.levels = np.array(spec.levels if spec.name == "point_quantile" else (), np.float32)
        away = [abs(level - 0.5) for level in self.levels.tolist()]
        self.middle = away.index(min(away)) if away else 0
        is_one = spec.name == "point_quantile" and spec.is_one
        self.points = 0 if is_one else 1  # numbers before the quantiles
        self.place_of_point = self.middle if is_one else 0

    def place(self, raw: Array, location: Array, scale: Array) -> Array:
        """Put raw outputs (B, H, T, O) of window units into scaled units."""
        params = raw
        if len(self.levels):
            own = self.points
            lowest = raw[..., own : own + 1]
            rise = np.cumsum(_softplus(raw[..., own + 1 :] - np.float32(1)), axis=-1)
            if self.middle:
                lowest = lowest - rise[..., self.middle - 1 : self.middle]
            params = np.concatenate([raw[..., :own], lowest, lowest + rise], axis=-1)
        return location[..., None] + params * scale[..., None]

    def point(self, params: Array) -> Array:
        """Give the point forecast, (B, H, T)."""
        return params[..., self.place_of_point]

    def quantiles(self, params: Array, levels: Sequence[float]) -> Array:
        """Give the trained quantiles, or interpolate between them, (B, H, T, Q)."""
        wanted = np.array(levels, np.float32)
        known, values = self.levels, params[..., self.points :]
        if not len(known):
            return np.repeat(params, len(wanted), axis=-1)
        if np.array_equal(known, wanted):
            return values
        above = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
        below = above - 1
        share = np.clip((wanted - known[below]) / (known[above] - known[below]), 0, 1)
        low = values[..., below]
        return np.asarray(low + share * (values[..., above] - low))

    def covers(self, levels: Sequence[float]) -> bool:
        """Whether quantiles can be given at these levels."""
        if not len(self.levels):
            return True
        known, wanted = self.levels, np.array(levels, np.float32)
        if np.array_equal(known, wanted):
            return True
        slack = np.float32(1e-6)
        is_within = (wanted >= known[0] - slack) & (wanted <= known[-1] + slack)
        return len(known) > 1 and bool(is_within.all())


def _softplus(values: Array) -> Array:
    return np.asarray(np.logaddexp(np.float32(0), values))
