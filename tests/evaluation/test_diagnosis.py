"""Readings of bias, variance and mismatch; the worst windows and the labels that stay."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from forecast.data.windows.splits import rolling_origins
from forecast.evaluation import diagnosis as d
from forecast.evaluation.backtest import run_backtest
from forecast.evaluation.naive_baselines import Naive
from tests.builders import sine_panel

H = 6


def errors(**ratios):
    return [d.PartError(part, 10, 2.0 * ratio, 2.0) for part, ratio in ratios.items()]


@pytest.mark.parametrize(
    ("ratios", "first"),
    [
        ({"train": 0.95, "calibration": 0.95, "dev": 0.95, "test": 0.95}, "Bias"),
        ({"train": 0.3, "calibration": 0.6, "dev": 0.6, "test": 0.6}, "Variance"),
        ({"train": 0.5, "calibration": 0.5, "dev": 0.8, "test": 0.8}, "Data mismatch"),
        ({"train": 0.5, "calibration": 0.5, "dev": 0.5, "test": 0.7}, "Fitted to dev"),
        ({"train": 0.5, "calibration": 0.52, "dev": 0.51, "test": 0.5}, "No gap"),
    ],
)
def test_the_largest_gap_is_named_first(ratios, first):
    assert d.read_errors(errors(**ratios))[0].startswith(first)


@pytest.fixture(scope="module")
def case():
    panel = sine_panel(400, 24, series=2, noise=0.3)
    start = int(panel.start[0])
    index = rolling_origins(panel, horizon=H, first=start + 199, last=start + 380)
    predictors = {"model": Naive(H, 24), "persistence": Naive(H, 1)}
    return run_backtest(
        panel, index, predictors, horizon=H, season=24, train_end=np.array([200, 200])
    )


def test_part_errors_keep_the_order_of_the_parts(case):
    found = d.part_errors({"test": case, "train": case}, model="model", naive="persistence")
    assert [one.part for one in found] == ["train", "test"]
    assert found[0].windows == len(case.index.series)
    assert found[0].ratio == pytest.approx(found[0].model / found[0].naive)


def test_distances_are_said_for_each_target_and_for_all(case):
    half = len(case.index.series) // 2
    first, second = case.select(np.arange(half)), case.select(np.arange(half, 2 * half))
    said = d.distance_in_words(first, second)
    assert said[0].startswith("y: the mean of test lies")
    assert "classifier" in said[-1]


def test_the_worst_windows_are_the_worst_and_do_not_overlap(case):
    actual = case.actual.copy()
    planted = 77
    actual[planted] += 100.0
    found = d.worst_windows(
        replace(case, actual=actual), model="model", naive="persistence", count=30
    )
    assert found[0].row == planted
    assert found[0].bias == pytest.approx(-100.0, abs=3)
    assert [one.mae for one in found] == sorted((one.mae for one in found), reverse=True)
    for one in (0, 1):
        cutoffs = sorted(
            int(case.index.cutoff[w.row]) for w in found if case.index.series[w.row] == one
        )
        assert all(np.diff(cutoffs) >= H)
    assert len(d.worst_windows(case, model="model", naive="persistence", count=3)) == 3


def test_a_window_without_actuals_is_not_among_the_worst(case):
    actual = np.full_like(case.actual, np.nan)
    actual[5] = 0.0
    found = d.worst_windows(replace(case, actual=actual), model="model", naive="persistence")
    assert [one.row for one in found] == [5]


def test_labels_filled_by_hand_survive_a_second_run(case, tmp_path):
    path = tmp_path / "worst.csv"
    found = d.worst_windows(case, model="model", naive="persistence", count=5)
    d.write_worst(path, found)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [""] * 5
    assert rows[0]["unique_id"] == found[0].unique_id
    text = path.read_text().splitlines()
    text[2] += "cold front came late"
    path.write_text("\n".join(text) + "\n")
    d.write_worst(path, found[1:])
    with path.open() as file:
        again = list(csv.DictReader(file))
    assert [row["label"] for row in again] == ["cold front came late", "", "", ""]
