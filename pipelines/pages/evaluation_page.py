"""The findings of an evaluation as figures and as one HTML page.

This module chooses the sections and their order; `forecast.evaluation.html` renders them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.evaluation.beside import MODEL, SEASONAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from forecast.config import Config
    from forecast.data.panel import Panel
    from forecast.evaluation.backtest import Backtest, Scores
    from forecast.evaluation.diagnosis import PartError, WorstWindow
    from forecast.evaluation.html import Section

COLUMNS = ("mae", "rmse", "mase", "smape", "bias", "crps", "coverage_80", "width_80", "peak_error")
EXAMPLES = 6
WORST_DRAWN = 12
Drawn = dict[str, tuple[str, "Figure"]]  # name: (caption, figure)


class Findings(NamedTuple):
    """Everything an evaluation found."""

    config: Config
    panel: Panel
    subject: str
    whole: Backtest
    scores: dict[str, Scores]
    parts: Mapping[str, Backtest]
    worst: tuple[WorstWindow, ...]

    def span(self) -> str:
        """Return the number of windows and the range of cutoffs, in words."""
        cutoffs = self.whole.cutoff_ns
        begin, end = (
            str(np.datetime64(int(t), "ns").astype("M8[m]")) for t in (cutoffs.min(), cutoffs.max())
        )
        return f"{len(cutoffs):,} windows, cutoffs {begin}Z to {end}Z"

    def part_errors(self) -> tuple[PartError, ...]:
        """Return the errors of the model and of the naive forecast by part."""
        from forecast.evaluation.diagnosis import part_errors

        return part_errors(self.parts, model=MODEL, naive=SEASONAL)

    def readings(self) -> tuple[str, ...]:
        """Return what the errors by part mean, in sentences."""
        from forecast.evaluation.diagnosis import distance_in_words, read_errors

        said = read_errors(self.part_errors())
        if {"dev", "test"} <= set(self.parts):
            said += distance_in_words(self.parts["dev"], self.parts["test"])
        return said


def figures_of(findings: Findings) -> Drawn:
    """Draw all figures of the page."""
    from forecast.evaluation import figures as f

    whole, steps = findings.whole, findings.config.data.frequency
    examples = np.linspace(0, len(whole.actual) - 1, min(EXAMPLES, len(whole.actual)))
    shown = [(int(row), 0) for row in examples.round()]
    worst = [(window.row, window.target) for window in findings.worst[:WORST_DRAWN]]
    titles = [
        f"{k}: {w.unique_id} {w.target_name} {w.cutoff}"
        for k, w in enumerate(findings.worst[:WORST_DRAWN], 1)
    ]
    drawn: Drawn = {
        "forecast_against_actual": (
            "Evenly spaced windows: forecast and its 80 % interval against the actual",
            f.forecast_panels(whole, shown, history=_history(findings, shown)),
        ),
        "error_per_step": (
            f"Mean absolute error by step of the horizon ({steps} each)",
            f.error_per_step(whole),
        ),
        "coverage_per_step": (
            "Share of actuals inside the 80 % interval; shaded: within five points of nominal",
            f.coverage_per_step(whole, MODEL),
        ),
        "error_over_time": ("Mean absolute error by day of the cutoff", f.error_over_time(whole)),
    }
    if worst:
        history = _history(findings, worst)
        drawn["worst_windows"] = (
            "The worst windows, one an episode: what do they have in common?",
            f.forecast_panels(whole, worst, history=history, columns=3, titles=titles),
        )
    return drawn


def page_of(findings: Findings, drawn: Drawn) -> str:
    """Return the whole report as HTML."""
    from forecast.evaluation.figures import to_png
    from forecast.evaluation.html import render_page

    pictures = {name: {caption: to_png(figure)} for name, (caption, figure) in drawn.items()}
    lead = f"{findings.subject}: {findings.span()}, {len(findings.panel.series_ids)} series"
    return render_page(f"{findings.config.name}: backtest", lead, _sections(findings, pictures))


def _sections(findings: Findings, pictures: Mapping[str, Mapping[str, bytes]]) -> list[Section]:
    from forecast.evaluation.html import Section, Table, score_rows

    parts = Table(
        ["part", "windows", "model MAE", "seasonal naive MAE", "ratio"],
        [
            (error.part, error.windows, error.model, error.naive, error.ratio)
            for error in findings.part_errors()
        ],
    )
    worst = Table(
        ["window", "series", "target", "cutoff", "MAE", "seasonal naive MAE", "bias", "flag"],
        [
            [str(k), w.unique_id, w.target_name, w.cutoff, w.mae, w.naive_mae, w.bias, w.flag]
            for k, w in enumerate(findings.worst, 1)
        ],
    )
    return [
        Section(
            "Scores",
            table=score_rows(findings.scores, COLUMNS),
            figures=pictures["forecast_against_actual"],
        ),
        Section("Error by step", figures=pictures["error_per_step"]),
        Section("Intervals", figures=pictures["coverage_per_step"]),
        Section("Error over time", figures=pictures["error_over_time"]),
        Section("Bias, variance, mismatch", findings.readings(), parts),
        *_tables_by(findings),
        Section("Worst windows", [_ASK], worst, pictures.get("worst_windows", {})),
    ]


_ASK = (
    "Look at each and write what it is into the column label of worst.csv; the most frequent "
    "label is the next thing to work on. Labels stay when the evaluation runs again."
)


def _tables_by(findings: Findings) -> list[Section]:
    """Return the scores by target and by series, if there are several."""
    from forecast.evaluation.backtest import per_series, score_table
    from forecast.evaluation.html import Section, Table, score_rows

    sections = []
    if len(findings.panel.targets) > 1:
        for k, target in enumerate(findings.panel.targets):
            scores = score_table(findings.whole, target=k)
            sections.append(Section(f"Target {target}", table=score_rows(scores, COLUMNS)))
    if len(findings.panel.series_ids) > 1:
        rows: list[list[str | float | int]] = []
        for series, scores in per_series(findings.whole).items():
            errors = [scores[name]["mae"] for name in findings.whole.forecasts]
            rows.append([series, *errors, scores[MODEL].get("coverage_80", float("nan"))])
        names = [f"{name} MAE" for name in findings.whole.forecasts]
        sections.append(Section("By series", table=Table(["series", *names, "coverage_80"], rows)))
    return sections


def _history(findings: Findings, windows: list[tuple[int, int]]) -> NDArray[np.float32]:
    """Return the readings of two horizons before each window's cutoff, (len(windows), L)."""
    import torch

    from forecast.data.windows.windows import Windows

    length = min(2 * findings.config.horizon, findings.config.context_length)
    rows = np.array([row for row, _ in windows], dtype=np.int64)
    index = findings.whole.index
    source = Windows(findings.panel, context_length=length, horizon=findings.config.horizon)
    batch = source.gather(
        torch.from_numpy(index.series[rows]), torch.from_numpy(index.cutoff[rows])
    )
    targets = np.array([target for _, target in windows])
    past: NDArray[np.float32] = batch.past.numpy()
    return past[np.arange(len(rows)), :, targets]
