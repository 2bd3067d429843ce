"""Horizons with gaps: each output counts with the rows that observe it, and none vanishes."""

from dataclasses import replace

import numpy as np
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from forecast.data.windows.splits import split_windows
from forecast.data.windows.train_folds import FoldSpan
from forecast.evaluation.ridge_baseline import Inputs, Ridge
from forecast.models.linear.output_groups import fill_gaps, output_groups
from forecast.models.linear.path import LinearPath, LinearRows
from forecast.training import closed_form
from forecast.training.untrained import untrained
from tests.builders import panel_of
from tests.tiny import MODEL, SPEC, tiny_fit, tiny_panel

NAN = float("nan")
SEGMENT = MODEL.model_copy(update={"kind": "segment"})


def day_only(days=40, *, noise=0.5, seed=0):
    """A car park that is read from 8 to 17 h; each day is a level times one shape."""
    random = np.random.default_rng(seed)
    hour = np.arange(24 * days) % 24
    level = 100 + np.cumsum(random.normal(0, 5, days)).repeat(24)
    y = level * np.maximum(np.sin(np.pi * (hour - 5) / 15), 0) + random.normal(0, noise, len(hour))
    y[(hour < 8) | (hour > 17)] = NAN
    return panel_of([y.astype(np.float32)[:, None]])


def split_of(panel, context, horizon, min_observed=0.2):
    parts = {"train": 0.7, "dev": 0.15, "test": 0.15, "calibration": 0.1}
    return split_windows(
        panel, context_length=context, horizon=horizon, min_observed=min_observed, **parts
    )


def test_each_output_is_fitted_to_the_rows_that_observe_it():
    """As scikit-learn on those rows alone; no row observes all four outputs."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 1, 5, generator=generator)
    y = torch.randn(200, 1, 4, generator=generator).clamp(-2, 2) + x[..., :4]
    y[torch.arange(200), 0, torch.arange(200) % 4] = NAN
    path = LinearPath(1, 4, torch.zeros(5), context_length=5, season=9, levels=True)
    groups = output_groups(y.isfinite().mT, features=5, most=99)
    fit = path.fit({FoldSpan(0, 0): [LinearRows(x, y, y)]}, [], groups=groups)
    assert len(groups) == 4
    for output in range(4):
        seen = torch.arange(200) % 4 != output
        penalty = fit.choice.penalty * int(seen.sum())
        reference = SklearnRidge(alpha=penalty).fit(x[seen, 0].numpy(), y[seen, 0, output].numpy())
        np.testing.assert_allclose(path.weight[0, :, output], reference.coef_, atol=1e-4)
        np.testing.assert_allclose(path.intercept[0, output], reference.intercept_, atol=1e-4)


def test_where_few_rows_hold_a_gap_they_are_left_out():
    observed = torch.ones(10, 6, 1, dtype=torch.bool)
    observed[:5, 2] = False
    assert output_groups(observed, features=5, most=9) == [slice(0, 6)]
    observed[5, 2] = False
    assert len(output_groups(observed, features=5, most=9)) == 6
    assert output_groups(observed, features=5, most=2) == [slice(0, 3), slice(3, 6)]


def test_a_gap_within_a_group_takes_the_nearest_step():
    target = torch.tensor([[NAN, 1.0, NAN, 3.0], [NAN] * 4, [1.0, 2.0, 3.0, 4.0]]).unsqueeze(1)
    filled, share = fill_gaps(target)
    assert filled[0, 0].tolist() == [1, 1, 1, 3]
    assert bool(filled[1].isnan().all())
    assert share[:, 0].tolist() == [0.5, 0, 1]


def test_readings_by_day_only_are_forecast_by_the_linear_path():
    panel = day_only()
    spec = replace(SPEC, context_length=48, horizon=24, season=24, min_observed=0.2)
    forecaster = untrained(panel, split_of(panel, 48, 24), spec, model=SEGMENT, seed=0)
    split = split_of(panel, 48, 24)
    assert closed_form.fit_linear(forecaster, panel, split, SEGMENT.linear) == ()
    path = forecaster.network.model.linear
    assert bool(path.weight.any(dim=1).all())  # of every step
    point = forecaster.predict(panel, split.test).point
    actual = panel.values[split.test.cutoff[:, None] + np.arange(24)]
    yesterday = panel.values[split.test.cutoff[:, None] + np.arange(24) - 24]
    error, naive = (np.nanmean(abs(one - actual)) for one in (point, yesterday))
    assert error < naive
    ridge = Ridge.fit(panel, split, inputs=Inputs(48, 24))
    assert bool(ridge.regression.weight.any())
    assert np.nanmean(abs(ridge.predict(panel, split.test).point - actual)) < naive


def test_without_any_output_the_path_says_that_it_has_nothing():
    x = torch.randn(20, 1, 5)
    y = torch.full((20, 1, 4), NAN)
    path = LinearPath(1, 4, torch.zeros(5), context_length=5, season=9, levels=True)
    rows = LinearRows(x, y, y)
    assert path.fit({FoldSpan(0, 0): [rows], FoldSpan(1, 1): [rows]}, [rows]) is None
    assert not bool(path(x).any())


def test_where_nothing_was_fitted_a_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(closed_form, "fit_linear_path", lambda *_, **__: None)
    fitted = tiny_fit(tiny_panel(), tmp_path, model=SEGMENT, epochs=1)
    assert fitted.notes == (closed_form.NOTHING_LINEAR,)
