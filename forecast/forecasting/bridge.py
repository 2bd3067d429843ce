"""Readings that are late, bridged by the model's own forecasts from the newest that are there.

A network that was trained on whole windows knows little of a gap at their end. From the newest
reading on it forecasts what is still to come, takes its points for the readings, and goes on from
there until the cutoff is reached. Whether that is better than the gap is measured in calibration.

Letters: N windows, L context, H horizon, T targets, P past covariates, K known ones.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from forecast.data.windows.windows import Batch, Windows


def bridged(
    point: Callable[[Batch], Tensor], windows: Windows, batch: Batch, late: Tensor
) -> Batch:
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
    rows = torch.nonzero(late.amax(dim=1)).flatten()
    some = Batch(*(field[rows] for field in batch))
    ahead = late[rows].amax(dim=1)  # (n,) steps that are still to be forecast
    past = _filled(point, windows, some, late[rows], ahead)
    whole = batch.past.clone()
    whole[rows] = past
    return batch._replace(past=whole)


def _filled(
    point: Callable[[Batch], Tensor], windows: Windows, batch: Batch, late: Tensor, ahead: Tensor
) -> Tensor:
    """Forecast from the newest reading, horizon after horizon; return the contexts (n, L, T+P)."""
    past, (context, targets) = batch.past.clone(), (batch.past.shape[1], late.shape[1])
    step = torch.arange(context, device=past.device)
    is_gap = step[None, :, None] >= context - late[:, None]  # (n, L, T)
    while (ahead > 0).any():
        earlier = windows.gather(batch.series, batch.cutoff - ahead)
        place = step - ahead[:, None]  # (n, L) of the earlier context's steps in this one
        own = past.gather(1, place.clamp(min=0)[..., None].expand_as(past))
        seen = torch.where((place >= 0)[..., None], own, earlier.past)
        found = point(earlier._replace(past=seen))  # (n, H, T)
        lead = step - (context - ahead[:, None])  # (n, L) of this context's steps in the forecast
        is_forecast = (lead >= 0) & (lead < windows.horizon) & (ahead > 0)[:, None]
        nearest = lead.clamp(0, windows.horizon - 1)[..., None].expand(-1, -1, targets)
        wanted = is_forecast[..., None] & is_gap & past[..., :targets].isnan()
        past[..., :targets] = torch.where(wanted, found.gather(1, nearest), past[..., :targets])
        ahead = (ahead - windows.horizon).clamp(min=0)
    return past
