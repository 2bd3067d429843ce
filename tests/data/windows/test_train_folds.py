"""Stretches of train time: what they share with each other, and that all windows have a place."""

import numpy as np
import pandas as pd
import torch
from hypothesis import given
from hypothesis import strategies as st

from forecast.data.panel import panel_from_frame
from forecast.data.windows.train_folds import MOST_STRETCHES, Stretches
from forecast.data.windows.windows import WindowIndex


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
def test_a_stretch_shares_no_target_step_with_cells_that_are_not_its_neighbours(
    lengths, horizon, context
):
    panel, index = panel_of(*lengths), every_window(lengths, context, horizon)
    stretches = Stretches.of(panel, index, horizon=horizon)
    assert 1 <= stretches.parts <= MOST_STRETCHES
    first = panel.start[index.series] + index.cutoff
    cells = stretches.cells(index).numpy()
    parts = stretches.split(index)
    assert sum(len(part.cutoff) for part in parts.values()) == len(index.cutoff)
    assert max(parts) <= 2 * (stretches.parts - 1)
    for stretch in range(stretches.parts):
        inside = first[cells == 2 * stretch]
        apart = first[abs(cells - 2 * stretch) > 1]
        if len(inside) and len(apart):
            before, after = apart[apart < inside.min()], apart[apart > inside.min()]
            assert not len(before) or before.max() + horizon <= inside.min()
            assert not len(after) or after.min() >= inside.max() + horizon
    number = stretches.number(*map(torch.as_tensor, index)).numpy()
    assert (number == cells // 2).all()


def test_a_window_of_other_times_counts_as_the_nearest_stretch():
    lengths = (100,)
    panel, index = panel_of(*lengths), every_window(lengths, 10, 4)
    stretches = Stretches.of(panel, index, horizon=4)
    series = torch.zeros(2, dtype=torch.int64)
    assert stretches.number(series, torch.tensor([0, 500])).tolist() == [0, stretches.parts - 1]
