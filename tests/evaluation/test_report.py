"""Figures draw for every shape of backtest; the page stands alone and escapes its texts."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from forecast.data.windows.splits import rolling_origins
from forecast.evaluation import figures as f
from forecast.evaluation import html as r
from forecast.evaluation.backtest import run_backtest, score_table
from forecast.evaluation.naive_baselines import Naive
from forecast.text import format_number
from tests.builders import sine_panel


def backtest(horizon):
    panel = sine_panel(300, 24, series=2, noise=0.3)
    start = int(panel.start[0])
    train = rolling_origins(panel, horizon=horizon, first=start + 50, last=start + 150)
    index = rolling_origins(panel, horizon=horizon, first=start + 200, last=start + 250)
    predictors = {
        "model": Naive.fit(panel, train, horizon=horizon, season=24),
        "persistence": Naive(horizon, 1),
    }
    return run_backtest(
        panel, index, predictors, horizon=horizon, season=24, train_end=np.array([150, 150])
    )


@pytest.fixture(scope="module")
def case():
    return backtest(6)


def test_a_horizon_of_one_step_is_drawn():
    line = f.error_per_step(backtest(1)).axes[0].lines[0]
    assert (line.get_xdata().tolist(), line.get_marker()) == ([1], "o")


def test_every_figure_becomes_a_png(case):
    history = np.zeros((3, 12), np.float32)
    figures = [
        f.forecast_panels(case, [(0, 0), (1, 0), (2, 0)], history=history),
        f.forecast_panels(case, []),
        f.error_per_step(case),
        f.coverage_per_step(case, "model"),
        f.coverage_per_step(case, "persistence"),
        f.error_over_time(case),
        f.learning_curve([{"dev_mae": 2.0}, {"dev_mae": 1.0, "train_loss": 3.0}], best_epoch=1),
    ]
    for figure in figures:
        assert f.to_png(figure, dpi=40).startswith(b"\x89PNG")


def test_a_figure_shows_what_was_forecast(case):
    axes = f.error_per_step(case).axes[0]
    drawn = {line.get_label(): line.get_ydata() for line in axes.lines}
    from forecast.evaluation.backtest import per_step

    np.testing.assert_allclose(drawn["model"], per_step(case, "model")["mae"])
    assert set(drawn) == {"model", "persistence"}


def test_the_same_figure_gives_the_same_bytes(case):
    assert f.to_png(f.error_per_step(case), dpi=40) == f.to_png(f.error_per_step(case), dpi=40)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone(case):
    table = r.score_rows(score_table(case), ["mae", "coverage_80", "no_such_score"])
    assert list(table.columns) == ["", "mae", "coverage_80"]
    png = f.to_png(f.error_per_step(case), dpi=40)
    section = r.Section("A & B", ["1 < 2"], table, {"Error <per> step": png})
    page = r.render_page("Title <x>", "lead", [section])
    parser = Tags()
    parser.feed(page)
    assert parser.open == []
    assert "A &amp; B" in page
    assert "1 &lt; 2" in page
    sources = [attrs["src"] for tag, attrs in parser.seen if tag == "img"]
    assert base64.b64decode(sources[0].split(",", 1)[1]) == png
    assert not re.search(r"(src|href)=[\"'](?!data:)|url\(|@import|<script|<link", page)


def test_numbers_are_readable():
    assert format_number(0.123456) == "0.1235"
    assert format_number(float("inf")) == "-"


def test_the_newest_whole_window_of_each_series_is_shown(case):
    rows = [row for row, _ in f.newest_windows(case)]
    assert [int(case.index.series[row]) for row in rows] == [0, 1]
    assert all(np.isfinite(case.actual[row]).all() for row in rows)
    newest = {int(s): int(case.index.cutoff[case.index.series == s].max()) for s in (0, 1)}
    assert {int(case.index.series[r]): int(case.index.cutoff[r]) for r in rows} == newest
