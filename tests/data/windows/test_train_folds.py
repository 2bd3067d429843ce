"""Folds of train time: what they share with each other, and that all windows have a place."""

import numpy as np
import pandas as pd
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.panel import panel_from_frame
from forecast.data.windows.train_folds import MOST_FOLDS, FoldSpan, TrainFolds, fold_count
from forecast.data.windows.window_index import WindowIndex


def panel_of(*lengths):
    """Series of these lengths, each starting a day after the one before."""
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{number}",
                "ds": pd.date_range(f"2024-01-0{number + 1}", periods=length, freq="h"),
                "y": np.arange(length, dtype=float),
            }
        )
        for number, length in enumerate(lengths)
    ]
    return panel_from_frame(pd.concat(frames), frequency="1h")


def every_window(lengths, context, horizon):
    pairs = [
        (series, cutoff)
        for series, length in enumerate(lengths)
        for cutoff in range(context, length - horizon + 1)
    ]
    return WindowIndex(*(np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True)))


@given(
    st.lists(st.integers(30, 120), min_size=1, max_size=3),
    st.integers(1, 20),
    st.integers(1, 10),
)
def test_a_fold_shares_no_target_step_with_spans_that_are_not_its_neighbours(
    lengths, horizon, context
):
    panel, index = panel_of(*lengths), every_window(lengths, context, horizon)
    folds = TrainFolds.of(panel, index, horizon=horizon)
    assert 1 <= folds.total <= MOST_FOLDS
    parts = folds.split(index)
    assert sum(len(part.cutoff) for part in parts.values()) == len(index.cutoff)
    assert fold_count(parts) == folds.total
    for span, part in parts.items():
        number = folds.number(*map(torch.as_tensor, part))
        assert (number == span.first).all()
        for other, rest in parts.items():
            steps, others = (panel.start[one.series] + one.cutoff for one in (part, rest))
            apart = abs(steps[:, None] - others) >= horizon
            assert apart.all() or span.shares_steps_with(*other)


def test_spans_answer_by_their_folds():
    assert FoldSpan(1, 2).lies_in(1, 2)
    assert not FoldSpan(1, 2).lies_in(2, 3)
    assert FoldSpan(1, 2).shares_steps_with(2, 2)
    assert not FoldSpan(1, 2).shares_steps_with(3, 4)
    assert fold_count([]) == 1


def test_a_window_of_other_times_counts_as_the_nearest_fold():
    lengths = (100,)
    panel, index = panel_of(*lengths), every_window(lengths, 10, 4)
    folds = TrainFolds.of(panel, index, horizon=4)
    series = torch.zeros(2, dtype=torch.int64)
    assert folds.number(series, torch.tensor([0, 500])).tolist() == [0, folds.total - 1]
