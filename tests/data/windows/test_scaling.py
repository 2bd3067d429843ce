import json

import numpy as np

from forecast.data.windows.scaling import Scaler, fit_scaler
from tests.builders import panel_of, ramp_panel


def test_statistics_are_those_of_the_train_rows():
    panel = ramp_panel(100, series=2, past=1)
    scaler = fit_scaler(panel, np.array([40, 60]), calendar_names=["hour_of_day_sin"])
    rows = np.concatenate([np.arange(40), np.arange(60)])
    np.testing.assert_allclose(scaler.location, [rows.mean(), rows.mean() + 0.25, 0], rtol=1e-6)
    np.testing.assert_allclose(scaler.scale, [rows.std(), rows.std(), 1], rtol=1e-6)
    assert scaler.names == ("y", "past0", "hour_of_day_sin")


def test_poison_after_train_changes_nothing():
    panel = ramp_panel(100)
    clean = fit_scaler(panel, np.array([40]))
    panel.values[40:] = 1e30
    assert fit_scaler(panel, np.array([40])).location == clean.location


def test_constant_and_unobserved_channels():
    panel = panel_of([np.stack([np.full(9, 0.1), np.full(9, np.nan)], axis=1)], past=1)
    scaler = fit_scaler(panel, np.array([9]))
    np.testing.assert_allclose(scaler.location, [0.1, 0], rtol=1e-6)
    assert scaler.scale.tolist() == [1, 1]


def test_json_returns_the_same_scaler():
    scaler = fit_scaler(panel_of([np.arange(9.0)[:, None]], static=[[3.0]]), np.array([9]))
    again = Scaler.from_json(json.loads(json.dumps(scaler.to_json())))
    assert again.names == scaler.names
    for left, right in zip(
        (scaler.location, scaler.scale, scaler.static_location, scaler.static_scale),
        (again.location, again.scale, again.static_location, again.static_scale),
        strict=True,
    ):
        np.testing.assert_array_equal(left, right)
