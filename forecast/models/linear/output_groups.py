"""Outputs of a regression that share their rows, where many horizons hold a gap.

A regression sums its rows once for all outputs, so a row counts only where all of them are
observed. With readings by day alone no horizon is whole, and nothing would be left. Outputs then
form groups of neighbouring steps, each with sums of its own, down to a group a step.

Shapes: N rows, T targets, H outputs.
"""

import torch
from torch import Tensor

from forecast.data.windows.windows import WindowIndex, Windows, batches, thin

WHOLE_SHARE = 0.5
"""Share of rows without a gap, of those with any output, from which on gaps are left out."""

DECOMPOSITION_WORK = 4e9
"""Groups times the cube of the features at most: each group is decomposed some dozen times."""


LOOKED_AT = 2_000
"""Windows by which groups are chosen."""


def groups_of(windows: Windows, index: WindowIndex, *, features: int, most: int) -> list[slice]:
    """Divide the horizon's steps by the gaps that the windows of an index have."""
    found = [
        batch.target.isfinite()
        for batch in batches(windows, thin(index, most=LOOKED_AT), batch_size=500)
    ]
    return output_groups(torch.cat(found), features=features, most=most)


def output_groups(observed: Tensor, *, features: int, most: int) -> list[slice]:
    """Divide the outputs into groups of neighbouring steps; one group where few rows hold a gap.

    Parameters
    ----------
    observed
        (N, H, T) which outputs are there, of some rows.
    features
        Of a row.
    most
        Groups that memory allows.

    Examples
    --------
    >>> gaps = torch.tensor([True, True, False, True]).reshape(1, 4, 1)
    >>> output_groups(gaps, features=10, most=2)
    [slice(0, 2, None), slice(2, 4, None)]
    >>> output_groups(gaps | True, features=10, most=2)
    [slice(0, 4, None)]
    """
    horizon = observed.shape[1]
    whole, some = observed.all(dim=1).sum(), observed.any(dim=1).sum()
    if whole >= WHOLE_SHARE * some:
        return [slice(0, horizon)]
    count = max(1, min(most, horizon, int(DECOMPOSITION_WORK / features**3)))
    width = -(-horizon // count)
    return [slice(first, min(first + width, horizon)) for first in range(0, horizon, width)]


def fill_gaps(target: Tensor) -> tuple[Tensor, Tensor]:
    """Give the outputs of a group (N, T, H) without gaps, and how much each row counts (N, T).

    A gap takes the nearest observed step before it, or behind it where there is none; a row counts
    by its share of observed outputs. One without any stays NaN.
    """
    observed = target.isfinite()
    place = torch.arange(target.shape[-1], device=target.device)
    before = torch.where(observed, place, -1).cummax(dim=-1).values
    behind = torch.where(observed, place, target.shape[-1]).flip(-1).cummin(dim=-1).values.flip(-1)
    source = torch.where(before >= 0, before, behind).clamp(max=target.shape[-1] - 1)
    return target.gather(-1, source), observed.to(target.dtype).mean(dim=-1)
