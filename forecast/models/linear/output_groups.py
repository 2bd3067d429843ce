"""Groups of outputs that share the rows of a regression, for horizons with gaps.

A regression sums its rows once for all outputs, so a row counts only where all outputs are
observed. If readings exist only by day, no horizon is complete and no row would count. Outputs
then form groups of neighbouring steps, each with its own sums, down to one group per step.

Shapes: N rows, T targets, H outputs.
"""

import torch
from torch import Tensor

from forecast.data.windows.window_index import WindowIndex, thin
from forecast.data.windows.windows import Windows, batches

WHOLE_SHARE = 0.5
"""With at least this share of gapless rows, among those with any output, one group is enough."""

DECOMPOSITION_WORK = 4e9
"""Limit of groups times features cubed: each group is decomposed about a dozen times."""


LOOKED_AT = 2_000
"""Windows sampled to choose the groups."""


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
        (N, H, T) which outputs of a sample of rows are observed.
    features
        Number of features.
    most
        Largest number of groups that memory allows.

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
    """Fill the gaps of a group's outputs (N, T, H), and weigh its rows (N, T).

    A gap takes the newest observed step before it, else the first one after it. A row's weight is
    its share of observed outputs; a row without any stays NaN.
    """
    observed = target.isfinite()
    place = torch.arange(target.shape[-1], device=target.device)
    before = torch.where(observed, place, -1).cummax(dim=-1).values
    behind = torch.where(observed, place, target.shape[-1]).flip(-1).cummin(dim=-1).values.flip(-1)
    source = torch.where(before >= 0, before, behind).clamp(max=target.shape[-1] - 1)
    return target.gather(-1, source), observed.to(target.dtype).mean(dim=-1)
