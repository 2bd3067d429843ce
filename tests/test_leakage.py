"""Nothing behind the cutoff, and nothing of the test part, reaches a forecaster: end to end."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from forecast.data.windows.window_index import WindowIndex
from tests.builders import panel_of
from tests.tiny import MODEL, SPEC, tiny_fit, tiny_split

KINDS = ["direct", "segment"]
WITH_COVARIATES = replace(SPEC, past=("past0",), known=("known0",))


def covariate_panel():
    """Two series: a target that follows yesterday's covariate and today's known one."""
    random = np.random.default_rng(0)
    blocks = []
    for _ in range(2):
        past, known = random.standard_normal((2, 600)).astype(np.float32)
        target = np.roll(past, 1) + known + 0.1 * random.standard_normal(600).astype(np.float32)
        blocks.append(np.stack([target, past, known], axis=1).astype(np.float32))
    return panel_of(blocks, past=1, known=1)


def poisoned(panel, first, *, columns=slice(None)):
    """Every series' rows from `first` on replaced by nonsense."""
    values = panel.values.copy()
    for offset, length in zip(panel.offset, panel.length, strict=True):
        values[offset + first : offset + length, columns] = 1e6
    return replace(panel, values=values)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    panel = covariate_panel()
    model = MODEL.model_copy(update={"kind": request.param})
    folder = tmp_path_factory.mktemp("checkpoints")
    return panel, model, tiny_fit(panel, folder, spec=WITH_COVARIATES, model=model)


def at(cutoff):
    return WindowIndex(np.arange(2), np.full(2, cutoff))


def test_readings_behind_the_cutoff_change_no_forecast(trained):
    panel, _, fitted = trained
    seen = slice(0, 2)  # target and past covariate; the known one is known
    for cutoff in (100, 500, 599):
        one = fitted.forecaster.predict(panel, at(cutoff))
        two = fitted.forecaster.predict(poisoned(panel, cutoff, columns=seen), at(cutoff))
        assert_array_equal(one.point, two.point)
        assert_array_equal(one.quantiles, two.quantiles)
        assert_array_equal(one.flag, two.flag)


def test_the_test_part_reaches_neither_weights_nor_scaler_nor_calibration(trained, tmp_path):
    panel, model, fitted = trained
    first = int(tiny_split(panel).test.cutoff.min())
    again = tiny_fit(poisoned(panel, first), tmp_path / "c", spec=WITH_COVARIATES, model=model)
    for name, one in (("plain", fitted), ("poisoned", again)):
        one.forecaster.save(tmp_path / name)
    for file in ("bundle.json", "model.safetensors"):
        plain, other = ((tmp_path / name / file).read_bytes() for name in ("plain", "poisoned"))
        assert plain == other


def test_nothing_behind_train_reaches_the_scaler(trained, tmp_path):
    panel, model, fitted = trained
    end = int(tiny_split(panel).train_end.min())
    again = tiny_fit(poisoned(panel, end), tmp_path, spec=WITH_COVARIATES, model=model, epochs=1)
    assert again.forecaster.scaler.to_json() == fitted.forecaster.scaler.to_json()


def test_the_newest_reading_moves_the_first_step(trained):
    panel, _, fitted = trained
    for column in (0, 1):
        moved = replace(panel, values=panel.values.copy())
        moved.values[[499, 1099], column] += 1.0
        one, two = (fitted.forecaster.predict(which, at(500)) for which in (panel, moved))
        assert (one.point[:, 0] != two.point[:, 0]).all()


def test_each_known_step_moves_its_own_forecast(trained):
    panel, _, fitted = trained
    plain = fitted.forecaster.predict(panel, at(500)).point
    for step in range(SPEC.horizon):
        moved = replace(panel, values=panel.values.copy())
        moved.values[[500 + step, 1100 + step], 2] += 1.0
        change = np.abs(fitted.forecaster.predict(moved, at(500)).point - plain)[..., 0]
        assert (change[:, step] > 0).all()
        assert (change.argmax(axis=1) == step).all()  # and no other step as much
