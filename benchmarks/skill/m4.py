"""M4 Hourly: its series as a panel, and the competition's own scores; trains nothing.

Scores follow the competition's guide (Makridakis, Spiliotis & Assimakopoulos 2020): sMAPE and
MASE per series, their means against those of Naive2, OWA the mean of the two ratios.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from forecast.data.panel import panel_from_frame
from forecast.data.windows.windows import Windows
from forecast.models.ensemble import Ensemble, segments_of
from forecast.models.strategies.segment import Segment

from .tables import Table, as_tensors, folder

Array = NDArray[np.float64]
DAY, WEEK, HORIZON = 24, 168, 48
NAIVE2_SMAPE, NAIVE2_MASE = 18.383, 2.395
"""Scores of the method that OWA is relative to, as the competition reports them."""


@dataclass(frozen=True)
class Scores:
    """Means over all series."""

    smape: float
    mase: float
    owa: float


def read_series() -> list[tuple[Array, Array]]:
    """Each series: what the competition gave, and the 48 hours it asked for."""
    parts = []
    for name in ("train", "test"):
        frame = pd.read_csv(folder() / "m4_hourly" / f"Hourly-{name}.csv", index_col=0)
        parts.append([row[np.isfinite(row)] for row in frame.to_numpy(np.float64)])
    return list(zip(*parts, strict=True))


def scales(values: Array) -> Array:
    """In-sample mean absolute change over 1 hour, a day and a week, level and spread."""
    changes = [np.abs(values[lag:] - values[:-lag]).mean() for lag in (1, DAY, WEEK)]
    return np.array([*changes, np.abs(values).mean(), values.std()])


def unit_of(daily: float, level: float) -> float:
    """Give what a series is divided by, from its daily change and its level.

    An absolute error of e adds e / daily to MASE and about 100 e / level to sMAPE; relative to
    Naive2 and weighed as OWA does, that is in proportion to e / unit: the loss is the score. The
    factor makes a unit about the spread of what is forecast.
    """
    if daily <= 0 and level <= 0:
        return 1.0
    level *= NAIVE2_SMAPE / (100 * NAIVE2_MASE)
    return 4 / (1 / max(daily, 1e-3 * level) + 1 / max(level, 1e-3 * daily))


def read_m4() -> tuple[Table, Array]:
    """All series, each divided by its unit, with that unit (series,).

    Static covariates are logarithms of the series' scales relative to the unit, and of its level,
    from the train part alone.
    """
    series = read_series()
    frames, statistics, units, borders = [], [], [], []
    for number, (given, asked) in enumerate(series):
        known = scales(given[:-HORIZON])
        unit = unit_of(known[1], known[3])
        units.append(unit)
        ratios = np.log(np.maximum(known / unit, 1e-3))
        statistics.append([*ratios[[0, 2, 3, 4]], np.log(known[3] + 1e-6)])
        values = np.concatenate([given, asked]) / unit
        borders.append((len(given) - HORIZON, len(given), len(given) + HORIZON))
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": f"H{number + 1:03d}",
                    "ds": pd.date_range("2000-01-01", periods=len(values), freq="h"),
                    "y": values,
                }
            )
        )
    table = np.array(statistics)
    static = ((table - table.mean(0)) / table.std(0)).astype(np.float32)
    panel = panel_from_frame(pd.concat(frames), frequency="1h")
    assert panel.series_ids == tuple(sorted(panel.series_ids))
    panel = replace(panel, static=static)
    return Table(panel, np.array(borders), DAY, calendar=()), np.array(units)


@torch.inference_mode()
def owa(
    models: list[Segment | Ensemble], windows: Windows, part: str, *, of_ridge: bool = False
) -> Scores:
    """Score the models' mean forecast, or the first one's linear path, of "dev" or "test"."""
    table, units = read_m4()
    index = table.index(part, context=windows.context_length, horizon=HORIZON)
    batch = windows.gather(*as_tensors(index))
    inputs = (batch.past, batch.known, batch.static)
    point = torch.stack([model.eval().head.point(model(*inputs)) for model in models]).mean(0)[
        ..., 0
    ]
    if of_ridge:
        first = segments_of(models[0])[0]
        (rows,) = first.linear_rows([(*inputs, batch.target)])
        path = first.linear
        assert path is not None
        location = batch.target.mT - rows.target * rows.scale
        point = (path(rows.features) * rows.scale + location)[:, 0]
    forecasts = list(point.double().numpy() * units[:, None])
    series = read_series()
    if part == "test":
        return score([given for given, _ in series], [asked for _, asked in series], forecasts)
    given = [values for values, _ in series]
    return score(
        [values[:-HORIZON] for values in given], [values[-HORIZON:] for values in given], forecasts
    )


def smape(actual: Array, forecast: Array) -> float:
    """Mean of 200 |y - f| / (|y| + |f|)."""
    return float((200 * np.abs(actual - forecast) / (np.abs(actual) + np.abs(forecast))).mean())


def mase(actual: Array, forecast: Array, insample: Array) -> float:
    """Mean absolute error over the in-sample mean absolute change of a day."""
    return float(np.abs(actual - forecast).mean() / np.abs(insample[DAY:] - insample[:-DAY]).mean())


def is_seasonal(values: Array, period: int = DAY) -> bool:
    """Run the competition's test: 90 % limit on the autocorrelation at the period."""
    if len(values) < 3 * period:
        return False
    centred = values - values.mean()
    power = (centred**2).sum()
    correlation = np.array(
        [(centred[lag:] * centred[:-lag]).sum() / power for lag in range(1, period + 1)]
    )
    spread = np.sqrt((1 + 2 * (correlation[:-1] ** 2).sum()) / len(values))
    return bool(abs(correlation[-1]) > 1.645 * spread)


def seasonal_figure(values: Array, period: int = DAY) -> Array:
    """Multiplicative indices of a classical decomposition, by position in the series."""
    weights = np.concatenate([[0.5], np.ones(period - 1), [0.5]]) / period
    half = period // 2
    trend = np.convolve(values, weights, mode="valid")
    ratio = values[half:-half] / trend
    position = np.arange(half, half + len(ratio)) % period
    figure = np.array([ratio[position == step].mean() for step in range(period)])
    return figure / figure.mean()


def naive2(values: Array, horizon: int = HORIZON) -> Array:
    """Repeat the last value, seasonally adjusted where the test finds a season."""
    if not is_seasonal(values):
        return np.full(horizon, values[-1])
    figure = seasonal_figure(values)
    ahead = figure[np.arange(len(values), len(values) + horizon) % DAY]
    return values[-1] / figure[(len(values) - 1) % DAY] * ahead


def score(insample: list[Array], actual: list[Array], forecasts: list[Array]) -> Scores:
    """Score forecasts of all series."""
    means = []
    for method in (forecasts, [naive2(values) for values in insample]):
        triples = list(zip(insample, actual, method, strict=True))
        means.append(
            (
                float(np.mean([smape(y, f) for _, y, f in triples])),
                float(np.mean([mase(y, f, x) for x, y, f in triples])),
            )
        )
    (own_smape, own_mase), (base_smape, base_mase) = means
    return Scores(own_smape, own_mase, 0.5 * (own_smape / base_smape + own_mase / base_mase))
