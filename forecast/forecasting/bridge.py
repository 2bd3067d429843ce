"""Readings that are late, bridged by the model's own forecasts from the newest that are there.

A network that was trained on whole windows knows little of a gap at their end. From the newest
reading on it forecasts what is still to come, takes its points for the readings, and goes on from
there until the cutoff is reached. Whether that is better than the gap is measured in calibration.

Letters: N windows, L context, H horizon, T targets, P past covariates, K known ones.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from forecast.data.windows.host_windows import HostWindows
from forecast.data.windows.window_index import HostBatch

Array = NDArray[np.float32]
Ints = NDArray[np.int64]


def bridged(
    point: Callable[[HostBatch], Array], windows: HostWindows, batch: HostBatch, late: Ints
) -> HostBatch:
    """Return the batch with the gap at the end of its targets filled.

    Parameters
    ----------
    point
        Forecasts (N, H, T) of a batch in the targets' units.
    windows
        Where the batch was gathered: earlier contexts come from there.
    late : (N, T) int64
        Steps at the end of each target's context to be filled; 0 for none.
    """
    rows = np.flatnonzero(late.max(axis=1))
    some = batch.rows(rows)
    ahead = late[rows].max(axis=1)  # (n,) steps that are still to be forecast
    past = _filled(point, windows, some, late[rows], ahead)
    whole = batch.past.copy()
    whole[rows] = past
    return batch._replace(past=whole)


def _filled(
    point: Callable[[HostBatch], Array],
    windows: HostWindows,
    batch: HostBatch,
    late: Ints,
    ahead: Ints,
) -> Array:
    """Forecast from the newest reading, horizon after horizon; return the contexts (n, L, T+P)."""
    past, (context, targets) = batch.past.copy(), (batch.past.shape[1], late.shape[1])
    step = np.arange(context)
    is_gap = step[None, :, None] >= context - late[:, None]  # (n, L, T)
    while (ahead > 0).any():
        earlier = windows.gather(batch.series, batch.cutoff - ahead)
        place = step - ahead[:, None]  # (n, L) of the earlier context's steps in this one
        own = np.take_along_axis(past, np.maximum(place, 0)[..., None], axis=1)
        seen = np.where((place >= 0)[..., None], own, earlier.past)
        found = point(earlier._replace(past=seen))  # (n, H, T)
        lead = step - (context - ahead[:, None])  # (n, L) of this context's steps in the forecast
        is_forecast = (lead >= 0) & (lead < windows.horizon) & (ahead > 0)[:, None]
        nearest = np.clip(lead, 0, windows.horizon - 1)[..., None]
        wanted = is_forecast[..., None] & is_gap & np.isnan(past[..., :targets])
        guess = np.take_along_axis(found, nearest, axis=1)
        past[..., :targets] = np.where(wanted, guess, past[..., :targets])
        ahead = np.maximum(ahead - windows.horizon, 0)
    return past
