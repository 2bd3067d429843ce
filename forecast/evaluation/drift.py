"""Distances between new values and those of training.

The thresholds are in the config (`monitor`); `pipelines/jobs/score.py` compares with them.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.data.panel import Panel
from forecast.data.panel.blocks import ranges

Array = NDArray[np.float64]
STABLE, SHIFTED = 0.1, 0.25  # of an index, by Siddiqi 2006: what is neither is to be watched
LEAST_WINDOWS = 4  # of the past, from which limits are taken
LEAST_SHARE = 1e-4  # share taken for an empty bin, whose logarithm would be infinite


def _finite(values: ArrayLike) -> Array:
    v = np.asarray(values, dtype=np.float64).ravel()
    return v[np.isfinite(v)]


def psi(reference: ArrayLike, current: ArrayLike, *, bins: int = 10) -> float:
    """Return the population stability index, sum (c - r) ln(c / r) over bins (Siddiqi 2006, ch. 6).

    Bins are the reference's quantiles; a constant channel has two, its value and everything else.
    Below 0.1 counts as stable, above 0.25 as shifted. NaN when either sample is empty.

    Examples
    --------
    >>> psi([1, 2, 3, 4], [1, 2, 3, 4])
    0.0
    """
    old, new = _finite(reference), _finite(current)
    if not old.size or not new.size:
        return float("nan")
    inner = _inner_edges(old, bins)
    return _index_of(_shares(old, inner), _shares(new, inner))


def _inner_edges(values: Array, bins: int) -> Array:
    return np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))


def _shares(values: Array, inner: Array) -> Array:
    """Return the share of values in each bin."""
    counts = np.bincount(np.searchsorted(inner, values, "left"), minlength=len(inner) + 1)
    return np.asarray(counts / values.size)


def _index_of(reference: Array, current: Array) -> float:
    r, c = np.maximum(reference, LEAST_SHARE), np.maximum(current, LEAST_SHARE)
    return float(np.sum((c - r) * np.log(c / r)))


def past_indices(
    panel: Panel, *, season: int, first: int, last: int, length: int, bins: int = 10
) -> Array:
    """Return the stability index of past windows against the rest of a span, (window, channel).

    Windows start a quarter of their length apart. The rest is the whole without the window: its
    shares follow from those of both. NaN where a window or the span has no value.

    Parameters
    ----------
    first, last
        Grid indices of the span, both inclusive.
    length
        Steps of a window.
    """
    whole = season_changes(panel, season=season, first=first, last=last)
    if not len(whole):
        return np.empty((0, whole.shape[1]))
    begins = range(first + season, last - length + 2, max(1, length // 4))
    share = length / (last - first - season + 1)
    columns = [_finite(column) for column in whole.T]
    edges = [_inner_edges(column, bins) if column.size else column for column in columns]
    usual = [_shares(v, e) if v.size else e for v, e in zip(columns, edges, strict=True)]
    found = np.full((len(begins), len(columns)), np.nan)
    for row, begin in enumerate(begins):
        window = season_changes(panel, season=season, first=begin, last=begin + length - 1)
        for k, values in enumerate(map(_finite, window.T)):
            if values.size and columns[k].size:
                shares = _shares(values, edges[k])
                rest = np.maximum(usual[k] - share * shares, 0) / max(1 - share, LEAST_SHARE)
                found[row, k] = _index_of(rest, shares)
    return found


def index_limits(past: Array, *, rate: float) -> Array:
    """Return the limit of each channel (channel,) that a share of past windows passes by chance.

    All channels together raise an alarm at that rate: each is measured by its own median, and the
    limit is an order statistic of the highest channel of each past window, as in conformal
    prediction (Vovk, Gammerman & Shafer 2005). Where the past has too few windows for the rate, a
    window must lie twice as far out as any of them. Never below `STABLE`.
    """
    known = past[np.isfinite(past).any(axis=1)]
    if len(known) < LEAST_WINDOWS:
        return np.full(past.shape[1], SHIFTED)
    usual = np.maximum(np.nanmedian(known, axis=0), LEAST_SHARE)
    highest = np.sort(np.nanmax(known / usual, axis=1))
    rank = math.ceil((len(highest) + 1) * (1 - rate))
    limit = highest[rank - 1] if rank <= len(highest) else 2 * highest[-1]
    return np.asarray(np.maximum(limit * usual, STABLE))


def mean_shift(reference: ArrayLike, current: ArrayLike) -> float:
    """Difference of the means in standard deviations of the reference."""
    old, new = _finite(reference), _finite(current)
    if not old.size or not new.size or old.std() == 0:
        return float("nan")
    return float((new.mean() - old.mean()) / old.std())


def separability(first: Array, second: Array, *, seed: int = 0) -> float:
    """Area under the ROC curve of a classifier that separates two sets of rows.

    Logistic regression over (row, feature), cross-validated in blocks of rows because neighbours
    overlap in time: 0.5 when the sets are alike, 1 when they separate perfectly (Lopez-Paz & Oquab
    2017, classifier two-sample test). NaN with fewer than 10 rows in either set.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if min(len(first), len(second)) < 10:
        return float("nan")
    rows = np.nan_to_num(np.concatenate([first, second]))
    side = np.repeat([0, 1], [len(first), len(second)])
    blocks = np.concatenate(
        [np.arange(len(part)) * 10 // len(part) + 10 * k for k, part in enumerate((first, second))]
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, rows, side, groups=blocks, cv=folds, method="predict_proba")
    return max(0.5, float(roc_auc_score(side, chance[:, 1])))


def channel_psi(
    reference: Array, current: Array, names: Sequence[str], *, bins: int = 10
) -> dict[str, float]:
    """Return the population stability index of each column of (row, channel) by name."""
    return {name: psi(reference[:, k], current[:, k], bins=bins) for k, name in enumerate(names)}


def season_changes(
    panel: Panel, *, season: int, first: int, last: int, most: int = 50_000
) -> Array:
    """Return the change of targets and past covariates over one season, (row, channel).

    Levels would show every winter as drift, although nothing is wrong with the inputs and the
    network itself reads windows relative to their newest value.

    Parameters
    ----------
    first, last
        Grid indices of the span, both inclusive.
    most
        Most rows to keep of each series, evenly spaced.
    """
    watched = len(panel.targets) + len(panel.past)
    begin = np.maximum(first - panel.start, season)
    room = np.maximum(np.minimum(last + 1 - panel.start, panel.length) - begin, 0)
    count = np.minimum(room, most)
    series = np.repeat(np.arange(len(room)), count)
    place = ranges(np.zeros_like(count), count)
    gap = (room - 1)[series] / np.maximum(count - 1, 1)[series]
    rows = panel.offset[series] + (place * gap + begin[series]).round().astype(np.int64)
    now, before = panel.values[rows, :watched], panel.values[rows - season, :watched]
    return np.asarray(now.astype(np.float64) - before)
