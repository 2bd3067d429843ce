"""What a forecast falls back on when the model has nothing to go by, and the flags that say so.

Flags, joined by `;` where several hold: `late` (the newest reading is older than the cutoff;
`late:STEPS` from a quarter of the window on), `late:NAME:STEPS` (that of a past covariate is a
quarter of the window old or more), `sparse:SEEN/STEPS` (fewer targets in the window than in any
that was trained on), `outlier:NAME` (values 10,000 times the usual, read as missing),
`stuck:STEPS` (the newest targets do not move), `missing:NAME` (a covariate without one value in
the window), `no_history` (no target value in the window), `unseen:NAME` (a label that was not in
training, read as missing), `fallback:seasonal_naive`, `fallback:own_history` (the newest season
of a series that is silent for longer than the context), `fallback:climate`; of single steps
`never_observed` (the series never had a reading at that step of the season, and the band holds
all that it usually reads). This module never decides silently: whatever it replaces is flagged.

Letters: N windows, L context, H horizon, T targets, P past, K known, Q quantile levels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SEASONS_BACK = 3  # a missing value is looked for in this many seasons before giving up

Array = NDArray[np.float32]


class Answer(NamedTuple):
    """Forecasts of some windows: point (N, H, T), quantiles (N, H, T, Q), flag (N, T)."""

    point: Array
    quantiles: Array
    flag: NDArray[np.str_]


class Seen(NamedTuple):
    """What a window holds: past (N, L, T+P) and the known covariates ahead (N, H, K), raw."""

    past: Array
    ahead: Array


class Climate(NamedTuple):
    """What is known without the window, as mean and standard deviation.

    Attributes
    ----------
    mean : (N, H, T)
    deviation : (N, T)
    is_own : (N, T)
        Whether they are of the series' own history, not of train.
    deviates : (Q,)
        Normal deviates of the quantile levels.
    """

    mean: Array
    deviation: Array
    is_own: NDArray[np.bool_]
    deviates: Array


def flags(
    seen: Seen,
    *,
    target_count: int,
    past: Sequence[str],
    known: Sequence[str],
    min_observed: float = 0.0,
) -> NDArray[np.str_]:
    """Say for every window and target what its inputs lack, (N, T).

    `min_observed` is the least share of observed targets that the model was trained on.
    """
    observed = np.isfinite(seen.past)
    ever = np.asarray(observed.any(axis=1))  # (N, T+P)
    is_late = ever[:, :target_count] & ~observed[:, -1, :target_count]
    lacks = ~ever[:, target_count:]  # (N, P)
    lacks_ahead = np.asarray(np.isnan(seen.ahead[..., : len(known)]).any(axis=1))  # (N, K)
    own = np.where(ever[:, :target_count], np.where(is_late, "late", ""), "no_history")
    names = [*past, *known]
    shared = np.concatenate([lacks, lacks_ahead], axis=1)  # (N, P+K)
    flag = _flag_gaps(own.astype(object), observed, past=past, min_observed=min_observed)
    for column, name in enumerate(names):
        joined = join_flags(flag, f"missing:{name}")
        flag = np.where(shared[:, column, None], joined, flag)
    return flag


def _flag_gaps(
    flag: NDArray[np.object_],
    observed: NDArray[np.bool_],
    *,
    past: Sequence[str],
    min_observed: float,
) -> NDArray[np.str_]:
    """Add to flags (N, T) how old and how few the readings (N, L, T+P) are, where it matters."""
    length, targets = observed.shape[1], flag.shape[1]
    count = observed.sum(axis=1)  # (N, T+P)
    age = np.asarray(observed[:, ::-1].argmax(axis=1))  # steps since the newest, 0 where none
    is_old = (count > 0) & (4 * age >= length)
    is_sparse = (count > 0) & (count < min_observed * length)
    for window, target in np.argwhere(is_old[:, :targets]).tolist():
        flag[window, target] = f"late:{age[window, target]}"
    for window, target in np.argwhere(is_sparse[:, :targets]).tolist():
        text = f"sparse:{count[window, target]}/{length}"
        flag[window, target] = ";".join(filter(None, (flag[window, target], text)))
    for window, channel in np.argwhere(is_old[:, targets:]).tolist():
        text = f"late:{past[channel]}:{age[window, targets + channel]}"
        flag[window] = [";".join(filter(None, (before, text))) for before in flag[window]]
    return flag.astype(str)


def join_flags(flag: NDArray[np.str_], more: str | NDArray[np.str_]) -> NDArray[np.str_]:
    """Append flags to those that already hold; an empty one changes nothing.

    >>> join_flags(np.array(["", "late"]), "stale:31d").tolist()
    ['stale:31d', 'late;stale:31d']
    """
    more = np.asarray(more)
    joined = np.char.add(np.char.add(flag, ";"), more)
    return np.where(more == "", flag, np.where(flag == "", more, joined))


def replace_unusable(
    answer: Answer, seen: Seen, *, season: int, climate: Climate, trusts_cold_start: bool
) -> Answer:
    """Put a seasonal naive forecast, or the climate, where the model's is not usable.

    Parameters
    ----------
    season
        Steps of the main season.
    climate
        What is known without any history.
    trusts_cold_start
        Whether the model was trained on windows without history.
    """
    target_count = answer.point.shape[2]
    past = seen.past[..., :target_count]
    has_history = np.asarray(np.isfinite(past).any(axis=1))  # (N, T)
    is_number = np.isfinite(answer.point).all(axis=1) & np.isfinite(answer.quantiles).all(
        axis=(1, 3)
    )
    unusable = ~is_number | (~has_history & (not trusts_cold_start))
    if not unusable.any():
        return answer
    horizon = answer.point.shape[1]
    naive = repeat_season(past, horizon=horizon, season=min(season, past.shape[1]))
    spread = np.where(has_history, _season_spread(past, season), climate.deviation)
    mean = np.where(has_history[:, None], naive, climate.mean)  # (N, H, T)
    band = mean[..., None] + spread[:, None, :, None] * climate.deviates
    without = np.where(climate.is_own, "fallback:own_history", "fallback:climate")
    name = np.where(has_history, "fallback:seasonal_naive", without)
    joined = join_flags(answer.flag, name)
    return Answer(
        np.where(unusable[:, None], mean, answer.point).astype(np.float32),
        np.where(unusable[:, None, :, None], band, answer.quantiles).astype(np.float32),
        np.where(unusable, joined, answer.flag),
    )


def widened(answer: Answer, past: Array, never: NDArray[np.bool_], deviates: Array) -> Answer:
    """Let the band of steps that never had a reading (N, H, T) hold what the window usually reads.

    The model has not learnt such a step; its point stays, the band says that nothing is known.
    """
    if not never.any():
        return answer
    seen = np.isfinite(past)
    count = np.maximum(seen.sum(axis=1), 1)
    mean = np.where(seen, past, 0.0).sum(axis=1) / count  # (N, T)
    deviation = np.sqrt((np.where(seen, past - mean[:, None], 0.0) ** 2).sum(axis=1) / count)
    usual = (mean[..., None] + deviation[..., None] * deviates)[:, None]  # (N, 1, T, Q)
    low, high = np.minimum(answer.quantiles, usual), np.maximum(answer.quantiles, usual)
    wide = np.where(deviates < 0, low, np.where(deviates > 0, high, answer.quantiles))
    is_wide = never & np.asarray(seen.any(axis=1))[:, None]
    return answer._replace(
        quantiles=np.where(is_wide[..., None], wide, answer.quantiles).astype(np.float32)
    )


def settled(answer: Answer, same: Array) -> Answer:
    """Forecast the one value (N, H, T) that a step of the season always had, where there is one."""
    is_same = np.isfinite(same)
    if not is_same.any():
        return answer
    return answer._replace(
        point=np.where(is_same, same, answer.point),
        quantiles=np.where(is_same[..., None], same[..., None], answer.quantiles),
    )


def _season_spread(past: Array, season: int) -> Array:
    """Return the standard deviation (N, T) of the seasonal difference in each window."""
    change = past[:, season:] - past[:, :-season] if season < past.shape[1] else past
    seen = np.isfinite(change)
    count = np.maximum(seen.sum(axis=1), 1)
    mean = (np.where(seen, change, 0.0) ** 2).sum(axis=1) / count
    return np.asarray(np.sqrt(mean), np.float32)


def last_observed(past: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the newest value (N, T) of windows (N, L, T) that is not NaN; NaN if there is none."""
    newest = past.shape[1] - 1 - np.isfinite(past)[:, ::-1].argmax(axis=1)
    return np.take_along_axis(past, newest[:, None], axis=1)[:, 0]


def repeat_season(past: NDArray[np.float32], *, horizon: int, season: int) -> NDArray[np.float32]:
    """Return each step's newest value of the same phase (N, H, T), from earlier seasons if missing.

    What is still missing then is the newest value observed at all.
    """
    length = past.shape[1]
    step = np.arange(horizon)
    newest = length + step - season * (step // season + 1)  # (H,) one season back, or more
    point = np.full((len(past), horizon, past.shape[2]), np.nan, np.float32)
    for position in (newest - back * season for back in range(SEASONS_BACK)):
        value = np.where((position >= 0)[:, None], past[:, np.maximum(position, 0)], np.nan)
        point = np.where(np.isnan(point), value, point)
    return np.where(np.isnan(point), last_observed(past)[:, None], point)
