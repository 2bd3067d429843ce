"""Distances between new values and those of training.

The thresholds are in the config (`monitor`); `pipelines/jobs/score.py` compares with them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from forecast.data.panel import Panel
from forecast.data.panel.blocks import ranges

Array = NDArray[np.float64]
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
    inner = np.unique(np.quantile(old, np.linspace(0, 1, bins + 1)[1:-1]))
    count = len(inner) + 1
    r, c = (
        np.maximum(np.bincount(np.searchsorted(inner, v, "left"), minlength=count) / v.size, 0)
        for v in (old, new)
    )
    r, c = np.maximum(r, LEAST_SHARE), np.maximum(c, LEAST_SHARE)
    return float(np.sum((c - r) * np.log(c / r)))


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
