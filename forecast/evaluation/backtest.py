"""Rolling-origin backtest: several predictors on the same windows, scored in one table.

Every predictor sees the same cutoffs, and a pair is scored only where the actual is known. Figures
and sentences about the result are in `figures` and `diagnosis`.

Letters: S series, N windows, H horizon, T targets, Q quantile levels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.panel.blocks import blocks, ranges, sums
from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.predictor import Forecast, Predictor
from forecast.data.windows.window_index import WindowIndex
from forecast.evaluation import metrics as m
from forecast.evaluation import peak_metrics as events

Scores = dict[str, float]


@dataclass(frozen=True)
class Backtest:
    """Actuals and forecasts of the same windows, and what is needed to score them.

    Attributes
    ----------
    index
        The windows, (N,) series and cutoff.
    actual
        (N, H, T), NaN where missing.
    forecasts
        By predictor name; the model first.
    scale
        (S, T) MAE of the seasonal naive forecast on train rows, the unit of MASE.
    series_ids, targets
        Names of the axes S and T.
    cutoff_ns
        (N,) time of the newest reading used, epoch nanoseconds UTC.
    """

    index: WindowIndex
    actual: NDArray[np.float32]
    forecasts: Mapping[str, Forecast]
    scale: NDArray[np.float64]
    series_ids: tuple[str, ...]
    targets: tuple[str, ...]
    cutoff_ns: NDArray[np.int64]

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> "Backtest":
        """Return the backtest of some of the windows."""
        index = WindowIndex(self.index.series[keep], self.index.cutoff[keep])
        parts = {
            name: Forecast(
                series=index.series,
                cutoff=index.cutoff,
                point=forecast.point[keep],
                quantiles=forecast.quantiles[keep],
                levels=forecast.levels,
                flag=forecast.flag[keep],
            )
            for name, forecast in self.forecasts.items()
        }
        return replace(
            self,
            index=index,
            actual=self.actual[keep],
            forecasts=parts,
            cutoff_ns=self.cutoff_ns[keep],
        )


def run_backtest(
    panel: Panel,
    index: WindowIndex,
    predictors: Mapping[str, Predictor],
    *,
    horizon: int,
    season: int,
    train_end: NDArray[np.int64],
    batch_size: int = 128,
) -> Backtest:
    """Forecast every window with every predictor.

    Parameters
    ----------
    season
        Season of MASE, in steps.
    train_end
        (S,) number of train rows of each series, from which the scale of MASE is computed.

    Raises
    ------
    ValueError
        When there are no windows or no predictors, or a predictor forecasts other windows.
    """
    if not len(index.series) or not predictors:
        found = f"{len(index.series)} windows, {len(predictors)} predictors"
        raise ValueError(f"a backtest needs windows and predictors, not {found}")
    actual = collect_actual(panel, index, horizon=horizon)
    forecasts = {
        name: predictor.predict(panel, index, batch_size=batch_size)
        for name, predictor in predictors.items()
    }
    for name, forecast in forecasts.items():
        if forecast.point.shape != actual.shape or not np.array_equal(
            forecast.cutoff, index.cutoff
        ):
            raise ValueError(
                f"{name} forecast {forecast.point.shape} instead of {actual.shape}, or other "
                "windows"
            )
    return Backtest(
        index=index,
        actual=actual,
        forecasts=forecasts,
        scale=train_scale(panel, train_end, season=season),
        series_ids=panel.series_ids,
        targets=panel.targets,
        cutoff_ns=panel.grid.time(panel.start[index.series] + index.cutoff - 1),
    )


def train_scale(panel: Panel, train_end: NDArray[np.int64], *, season: int) -> NDArray[np.float64]:
    """Return the unit of MASE (S, T) from each series' own train rows."""
    scale = np.full((len(panel.series_ids), len(panel.targets)), np.nan)
    for block in blocks(panel):
        end = np.minimum(train_end, panel.length)[block.series]
        length = np.maximum(end - season, 0)  # changes from one season to the next
        later = ranges(block.begin + season, block.begin + season + length)
        rows = block.values[:, : scale.shape[1]].astype(np.float64)
        change = np.abs(rows[later] - rows[later - season])
        seen = np.isfinite(change)
        change[~seen] = 0.0
        scale[block.series] = m.ratio(sums(change, length), sums(seen.astype(np.float64), length))
    return scale


def interval_of(forecast: Forecast, nominal: float) -> tuple[NDArray[np.float32], ...] | None:
    """Return the lower and upper bound (N, H, T) of a central interval; None if not forecast."""
    wanted = np.array([(1 - nominal) / 2, (1 + nominal) / 2])
    near = np.abs(np.asarray(forecast.levels)[:, None] - wanted) < 1e-6
    if not near.any(axis=0).all():
        return None
    low, high = near.argmax(axis=0)
    return forecast.quantiles[..., low], forecast.quantiles[..., high]


def score(
    backtest: Backtest, name: str, *, target: int | None = None, nominal: float = 0.8
) -> Scores:
    """Return all scores of one predictor over all windows and steps; `target` selects one target.

    Keys: mae, rmse, bias, smape, wape, mase, peak_error, peak_hit, nse, kge and, with quantiles,
    crps, coverage_80, width_80, interval_score_80; `count` is the number of pairs. A score in
    units of the target is a mean over targets when there are several.
    """
    chosen = slice(None) if target is None else slice(target, target + 1)
    forecast = backtest.forecasts[name]
    actual, point = backtest.actual[..., chosen], forecast.point[..., chosen]
    scale = backtest.scale[backtest.index.series][:, None, chosen]
    scores = {
        "mae": m.mae(actual, point),
        "rmse": m.rmse(actual, point),
        "bias": m.bias(actual, point),
        "smape": m.smape(actual, point),
        "wape": m.wape(actual, point),
        "mase": m.mase(actual, point, scale),
        "peak_error": m.masked_mean(events.peak_error(actual, point)),
        "peak_hit": m.masked_mean(events.peak_hit(actual, point)),
        "nse": m.masked_mean(events.nse(actual, point, axis=m.PER_TARGET)),
        "kge": m.masked_mean(events.kge(actual, point, axis=m.PER_TARGET)),
        "count": m.count(actual, point),
    }
    bounds = interval_of(forecast, nominal)
    if bounds is not None:
        low, high = (bound[..., chosen] for bound in bounds)
        percent = round(100 * nominal)
        scores["crps"] = m.crps(actual, forecast.quantiles[..., chosen, :], forecast.levels)
        scores[f"coverage_{percent}"] = m.coverage(actual, low, high)
        scores[f"width_{percent}"] = m.width(low, high)
        scores[f"interval_score_{percent}"] = m.interval_score(actual, low, high, level=nominal)
    return {key: float(value) for key, value in scores.items()}


def score_table(backtest: Backtest, *, target: int | None = None) -> dict[str, Scores]:
    """Return the scores of every predictor on the pairs that all of them forecast.

    The first predictor also gets `skill_NAME`, its skill in MAE over each other predictor.
    """
    fair = with_common_pairs(backtest)
    table = {name: score(fair, name, target=target) for name in fair.forecasts}
    first, *others = table
    for other in others:
        table[first][f"skill_{other}"] = float(m.skill(table[first]["mae"], table[other]["mae"]))
    return table


def with_common_pairs(backtest: Backtest) -> Backtest:
    """Return the backtest with actuals hidden wherever some predictor has no forecast."""
    known = np.all(
        [np.isfinite(forecast.point) for forecast in backtest.forecasts.values()], axis=0
    )
    return replace(backtest, actual=np.where(known, backtest.actual, np.nan))


def per_step(backtest: Backtest, name: str, *, nominal: float = 0.8) -> dict[str, m.Array]:
    """Return MAE, RMSE, bias and coverage for each step, (H,) each."""
    forecast = backtest.forecasts[name]
    curves = {
        "mae": m.mae(backtest.actual, forecast.point, axis=m.PER_STEP),
        "rmse": m.rmse(backtest.actual, forecast.point, axis=m.PER_STEP),
        "bias": m.bias(backtest.actual, forecast.point, axis=m.PER_STEP),
    }
    bounds = interval_of(forecast, nominal)
    if bounds is not None:
        curves["coverage"] = m.coverage(backtest.actual, *bounds, axis=m.PER_STEP)
    return curves


def per_series(backtest: Backtest) -> dict[str, dict[str, Scores]]:
    """Return the scores of every series that has windows, by series id, then by predictor."""
    found: Sequence[int] = np.unique(backtest.index.series).tolist()
    return {
        backtest.series_ids[series]: score_table(backtest.select(backtest.index.series == series))
        for series in found
    }
