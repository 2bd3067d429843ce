"""What segment forecasters learn in closed form: the linear path, and how far to correct it.

Both take all members of an ensemble: they share one linear path, and keep the same share of their
corrections.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

import torch

from forecast.data.windows.train_folds import FoldSpan
from forecast.models.linear.choice import LinearFit
from forecast.models.linear.features import WindowTensors
from forecast.models.strategies.segment import Segment


def fit_linear_path(
    members: Sequence[Segment],
    train: Mapping[FoldSpan, Iterable[WindowTensors]],
    dev: Iterable[WindowTensors],
    *,
    context_length: int | None = None,
    groups: Sequence[slice] = (),
) -> LinearFit | None:
    """Fit the linear path in closed form to scaled windows; None if there is none to fit.

    The ridge penalties have the least error on held-out folds of train and on `dev`. The path has
    no random start: it is fitted once, and every member gets a copy. Call it before the first
    optimiser step.

    Parameters
    ----------
    train
        Windows by the folds of train they lie in.
    context_length
        Number of newest steps to read, all unless set.
    groups
        Outputs that have their own rows, see `output_groups`.
    """
    first, *others = members
    if first.linear is None:
        return None
    if first.known_effect is not None:
        first.known_effect.fit(train)
    rows = {span: first.linear_rows(part) for span, part in train.items()}
    fit = first.linear.fit(rows, first.linear_rows(dev), read=context_length, groups=groups)
    for other in others:
        other.linear, other.known_effect = deepcopy((first.linear, first.known_effect))
    return fit


@torch.inference_mode()
def fit_correction_share(members: Sequence[Segment], dev: Iterable[WindowTensors]) -> list[float]:
    """Set how much of its correction to the linear path each target keeps, 0 to 1 (`trust`).

    The share minimises the squared error on `dev`, in closed form: with r the linear path's error
    and d the network's correction, sum(d r) / sum(d^2). If the correction does not hold beyond
    train, the forecast falls back on the linear path. d is the mean of all members' corrections,
    which is less noisy than one of them. Call it after training; without a linear path the share
    stays 1.
    """
    first = members[0]
    if first.linear is None:
        return first.trust.tolist()
    for member in members:
        member.trust.fill_(1.0)
        member.eval()
    agreement, power = torch.zeros_like(first.trust), torch.zeros_like(first.trust)
    for past, known, static, target in dev:
        (rows,) = first.linear_rows([(past, known, static, target)])
        left = ((rows.target - first.linear(rows.features)) * rows.scale).mT  # (B, H, T)
        forecasts = [member(past, known, static) for member in members]
        missed = target - first.head.point(first.head.average(forecasts))
        correction = torch.where(left.isfinite(), left - missed, 0.0)
        agreement += (correction * torch.nan_to_num(left)).sum(dim=(0, 1))
        power += correction.square().sum(dim=(0, 1))
    share = torch.where(power > 0, agreement / power.clamp(min=1e-30), 1.0).clamp(0.0, 1.0)
    for member in members:
        member.trust.copy_(share)
    return share.tolist()
