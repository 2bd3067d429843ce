"""Figures of a backtest, as matplotlib figures and PNG bytes.

Figures are made without pyplot, so that a job can draw in any thread and on a machine without a
screen. The colours can be distinguished in print and by colour-blind readers (Okabe & Ito 2008).

Letters: N windows, L history, H horizon, T targets.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from forecast.evaluation import metrics as m
from forecast.evaluation.backtest import Backtest, interval_of, per_step
from forecast.forecasting.forecast_table import quantile_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL, ACTUAL, HISTORY = "#0072B2", "#222222", "#9A9A9A"
OTHERS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00")
Windows = Sequence[tuple[int, int]]  # (row of the backtest, target)


def forecast_panels(
    backtest: Backtest,
    windows: Windows,
    *,
    history: NDArray[np.float32] | None = None,
    columns: int = 2,
    titles: Sequence[str] = (),
) -> "Figure":
    """Draw each window's forecast and actual with the 80 % band, one small panel per window.

    Parameters
    ----------
    windows
        Windows and targets to draw, in order.
    history
        (len(windows), L) readings before each cutoff; optional.
    titles
        One per window; series, target and cutoff unless given.
    """
    rows = -(-len(windows) // columns)
    figure = _new_figure(width=5.2 * columns, height=2.5 * rows + 0.5)
    for place, (row, target) in enumerate(windows):
        axes = figure.add_subplot(rows, columns, place + 1)
        before = None if history is None else history[place]
        _one_forecast(axes, backtest, (row, target), before)
        axes.set_title(
            titles[place] if titles else _name_of(backtest, row, target), fontsize=9, loc="left"
        )
    if windows:
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return figure


def forecast_frame(
    table: "pd.DataFrame", history: "pd.DataFrame | None", *, series: Sequence[str] | None = None
) -> "Figure":
    """Draw a frame of forecasts, one panel per series, after twice as many readings.

    Parameters
    ----------
    table
        Columns of the forecast files; the first target is drawn, with the outermost quantiles as
        the band.
    history
        Readings: columns `unique_id`, `ds` (UTC) and the target; optional.
    series
        Ids to draw; the first four unless given.
    """
    chosen = list(series or table["unique_id"].unique()[:4])
    target = str(table["target"].iloc[0])
    figure = _new_figure(width=8.0, height=2.4 * len(chosen) + 0.4)
    for place, name in enumerate(chosen):
        axes = figure.add_subplot(len(chosen), 1, place + 1)
        ahead = table[(table["unique_id"] == name) & (table["target"] == target)]
        if history is not None:
            begin = ahead["ds"].min() - 2 * (ahead["ds"].max() - ahead["ds"].min())
            own = history["unique_id"] == name if "unique_id" in history else True
            past = history[own & (history["ds"] >= begin) & history[target].notna()]
            axes.plot(past["ds"], past[target], color=HISTORY, label="readings")
        _draw_ahead(axes, ahead)
        axes.set_title(f"{name}: {target}", fontsize=9, loc="left")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _draw_ahead(axes: "Axes", ahead: "pd.DataFrame") -> None:
    """Draw the forecast of one series and its outermost band."""
    levels = quantile_columns(ahead)
    if len(levels) > 1:
        low, high = ahead[levels[0]], ahead[levels[-1]]
        label = f"{levels[0]} to {levels[-1]}"
        axes.fill_between(ahead["ds"], low, high, color=MODEL, alpha=0.2, label=label, lw=0)
    axes.plot(ahead["ds"], ahead["y_hat"], color=MODEL, label="forecast")
    _date_axis(axes)


def newest_windows(backtest: Backtest, *, count: int = 4) -> list[tuple[int, int]]:
    """Return the newest window with all actuals of the first few series, with target 0."""
    missing = np.isnan(backtest.actual[:, :, 0]).sum(axis=1)
    whole = missing == missing.min()
    chosen = np.unique(backtest.index.series[whole])[:count]
    return [
        (int(np.flatnonzero(whole & (backtest.index.series == series))[-1]), 0) for series in chosen
    ]


def error_per_step(backtest: Backtest, *, target: int | None = None) -> "Figure":
    """Draw the MAE of every predictor against the step of the horizon."""
    figure = _new_figure(width=7.0, height=3.6)
    axes = figure.add_subplot()
    steps = np.arange(1, backtest.actual.shape[1] + 1)
    chosen = slice(None) if target is None else slice(target, target + 1)
    for place, (name, forecast) in enumerate(backtest.forecasts.items()):
        error = m.mae(backtest.actual[..., chosen], forecast.point[..., chosen], axis=m.PER_STEP)
        colour = MODEL if place == 0 else OTHERS[(place - 1) % len(OTHERS)]
        style: dict[str, Any] = {"lw": 2.4} if place == 0 else {"lw": 1.3, "ls": "--"}
        axes.plot(steps, error, color=colour, label=name, marker=_marker(steps), ms=3, **style)
    axes.set(
        xlabel="step of the horizon", ylabel="mean absolute error", xlim=(1, max(2, steps[-1]))
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def coverage_per_step(backtest: Backtest, name: str, *, nominal: float = 0.8) -> "Figure":
    """Draw the share of actuals inside the interval against the step, beside its nominal level."""
    figure = _new_figure(width=7.0, height=3.2)
    axes = figure.add_subplot()
    curve = per_step(backtest, name, nominal=nominal).get("coverage")
    steps = np.arange(1, backtest.actual.shape[1] + 1)
    axes.axhspan(nominal - 0.05, nominal + 0.05, color=MODEL, alpha=0.10, lw=0)
    axes.axhline(nominal, color=HISTORY, ls="--", label=f"nominal {nominal:.0%}")
    if curve is not None:
        axes.plot(steps, curve, color=MODEL, lw=2, marker=_marker(steps), ms=3, label=name)
    axes.set(xlabel="step of the horizon", ylabel=f"coverage of the {nominal:.0%} interval")
    axes.set(xlim=(1, max(2, steps[-1])), ylim=(0, 1))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(frameon=False, loc="lower left")
    return figure


def learning_curve(history: Sequence[Mapping[str, float]], *, best_epoch: int) -> "Figure":
    """Draw every metric of training against the epoch, one panel per metric, the best epoch marked.

    `history` holds one mapping of metric name to value for each epoch, in order.
    """
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for epoch in history for name in epoch))
    columns = min(3, max(1, len(names)))
    rows = max(1, -(-len(names) // columns))
    figure = _new_figure(width=4.2 * columns, height=2.8 * rows)
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, columns, place + 1)
        values = [epoch.get(name, np.nan) for epoch in history]
        axes.plot(range(len(values)), values, color=MODEL, lw=1.8, marker=_marker(values), ms=3)
        axes.axvline(best_epoch, color=OTHERS[0], ls=":", lw=1.4)
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_xlabel("epoch (dotted: the best)" if place >= len(names) - columns else "")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def error_over_time(backtest: Backtest) -> "Figure":
    """Draw each predictor's MAE over all series by the day of the cutoff."""
    figure = _new_figure(width=9.0, height=3.2)
    axes = figure.add_subplot()
    day = backtest.cutoff_ns.astype("M8[ns]").astype("M8[D]")
    days, group = np.unique(day, return_inverse=True)
    for place, (name, forecast) in enumerate(backtest.forecasts.items()):
        error = np.abs(backtest.actual.astype(np.float64) - forecast.point)
        curve = [m.masked_mean(error[group == k]) for k in range(len(days))]
        colour = MODEL if place == 0 else OTHERS[(place - 1) % len(OTHERS)]
        style: dict[str, Any] = {"lw": 2.2} if place == 0 else {"lw": 1.1, "ls": "--"}
        axes.plot(days, curve, color=colour, label=name, **style)
    axes.set(ylabel="mean absolute error")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, ncols=4)
    _date_axis(axes)
    return figure


def to_png(figure: "Figure", *, dpi: int = 110) -> bytes:
    """Return the figure as the bytes of a PNG file, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": ""})
    return buffer.getvalue()


def _one_forecast(
    axes: "Axes",
    backtest: Backtest,
    window: tuple[int, int],
    history: NDArray[np.float32] | None,
) -> None:
    """Draw one window: history, actual, band, model, and the baselines as thin lines."""
    row, target = window
    horizon = backtest.actual.shape[1]
    step = np.arange(1, horizon + 1)
    name, *others = backtest.forecasts
    if history is not None:
        axes.plot(np.arange(1 - len(history), 1), history, color=HISTORY, lw=1.1, label="history")
        axes.axvline(0.5, color=HISTORY, lw=0.7, ls=":")
    bounds = interval_of(backtest.forecasts[name], 0.8)
    if bounds is not None:
        low, high = (bound[row, :, target] for bound in bounds)
        axes.fill_between(step, low, high, color=MODEL, alpha=0.18, lw=0, label="80 % interval")
    for place, other in enumerate(others[:2]):
        axes.plot(
            step,
            backtest.forecasts[other].point[row, :, target],
            color=OTHERS[place],
            lw=1.0,
            ls="--",
            label=other,
        )
    point = backtest.forecasts[name].point[row, :, target]
    axes.plot(step, point, color=MODEL, lw=2.0, label=name, marker=_marker(step), ms=3)
    actual = backtest.actual[row, :, target]
    axes.plot(step, actual, color=ACTUAL, lw=1.5, label="actual", marker=_marker(step), ms=3)
    axes.set_xlabel("steps after the cutoff", fontsize=8)
    axes.tick_params(labelsize=8)


def _new_figure(*, width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _name_of(backtest: Backtest, row: int, target: int) -> str:
    cutoff = str(np.datetime64(int(backtest.cutoff_ns[row]), "ns").astype("M8[m]")) + "Z"
    series = backtest.series_ids[backtest.index.series[row]]
    return f"{series} · {backtest.targets[target]} · cutoff {cutoff}"


def _marker(values: Sequence[Any] | NDArray[Any]) -> str:
    """Return a marker for series of few points, whose line alone would not be visible."""
    return "o" if len(values) <= 3 else ""


def _date_axis(axes: "Axes") -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
