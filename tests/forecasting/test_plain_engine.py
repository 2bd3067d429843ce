"""Networks in numpy forecast what torch forecasts from the same bundle."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from forecast.config.modelling import Linear, Model
from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.bundle_predictor import load_predictor
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.forecaster import Forecaster
from forecast.forecasting.plain_engine import PlainEngine
from forecast.forecasting.torch_engine import TorchEngine
from tests.builders import panel_of
from tests.tiny import SPEC, tiny_untrained

HOURS, SERIES = 260, 3
COLUMNS = {
    "bare": (1, 0, 0, 0),
    "two targets": (2, 0, 0, 0),
    "covariates": (1, 2, 1, 2),
    "all of two targets": (2, 1, 2, 1),
}
CALENDAR = ("hour_of_day", "day_of_week", "is_weekend")


def panel_with(targets, past, known, static, *, gaps=True):
    """Seeded noise around levels of its own; one series with a gap, one that is young."""
    random = np.random.default_rng(5)
    width = targets + past + known
    blocks = [level + random.standard_normal((HOURS, width)) for level in (10.0, 12.0, 9.0)]
    blocks[2] = blocks[2][-20:]
    if gaps:
        blocks[0][100:140, : targets + past] = np.nan
        blocks[1][200:203, 0] = np.nan
        blocks[1][210:, targets + past :] = np.nan
    return panel_of(
        blocks,
        past=past,
        known=known,
        starts=[0, 0, HOURS - 20],
        static=random.standard_normal((SERIES, static)),
    )


def shaken(forecaster):
    """Give every weight a value, those too that training starts at 0."""
    random = torch.Generator().manual_seed(3)
    state = forecaster.network.state_dict()
    for tensor in filter(torch.is_floating_point, state.values()):
        tensor.add_(torch.randn(tensor.shape, generator=random), alpha=0.2)
    forecaster.network.load_state_dict(state)
    return forecaster


def forecaster_of(panel, *, calendar=CALENDAR, **model):
    own = {"hidden_size": 10, "dropout": 0.0, "quantile_levels": (0.1, 0.5, 0.9), **model}
    spec = replace(
        SPEC,
        targets=panel.targets,
        past=panel.past,
        known=panel.known,
        static=panel.static_names,
        calendar=calendar,
        levels=own["quantile_levels"],
    )
    made = shaken(tiny_untrained(panel, spec=spec, model=Model(**own)))
    neutral = Calibration.neutral(
        horizon=spec.horizon,
        scale=np.ones(len(spec.targets), np.float32),
        covariates=len(spec.past) + len(spec.known),
        levels=len(spec.levels),
        series=SERIES,
    )
    return replace(made, calibration=neutral)


def index():
    """Whole windows, windows with gaps, and windows that begin before the series."""
    cutoff = [[30, 90, 120, 141, 205, 220, HOURS], [24, 100, 203, 240, HOURS], [2, 10, 20]]
    series = [number for number, of in enumerate(cutoff) for _ in of]
    return WindowIndex(np.array(series), np.array([at for of in cutoff for at in of]))


def compared(forecaster, panel, folder):
    """Return both forecasts of the saved bundle, and the two engines."""
    forecaster.save(folder)
    plain, reference = load_predictor(folder), Forecaster.load(folder).predictor
    assert isinstance(reference.engine, TorchEngine)
    answers = [one.predict(panel, index()) for one in (plain, reference)]
    return *answers, plain.engine


def require_equal(found, expected, unit):
    """Compare to 1e-5 of the largest forecast."""
    for one, other in ((found.point, expected.point), (found.quantiles, expected.quantiles)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * unit)
    assert found.flag.tolist() == expected.flag.tolist()


@pytest.mark.parametrize("columns", COLUMNS, ids=lambda name: name.replace(" ", "-"))
@pytest.mark.parametrize(
    "model",
    [
        {"kind": "segment"},
        {"kind": "segment", "segment_length": "5h", "normalization": "mean_std"},
        {"kind": "segment", "linear": Linear(enabled=False), "normalization": "none"},
        {"kind": "segment", "ensemble": 2, "initial_state": "learned"},
        {"kind": "segment", "head": "point"},
        {"kind": "segment", "loss": "mse", "quantile_levels": (0.2, 0.8)},
        {"kind": "direct"},
        {"kind": "direct", "layers": 2, "static_into": "steps", "normalization": "mean_std"},
        {"kind": "direct", "ensemble": 3, "initial_state": "learned", "normalization": "none"},
    ],
    ids=lambda model: "-".join(str(value) for value in model.values()).replace(" ", ""),
)
def test_numpy_forecasts_what_torch_forecasts(model, columns, tmp_path):
    panel = panel_with(*COLUMNS[columns])
    found, expected, engine = compared(forecaster_of(panel, **model), panel, tmp_path / "bundle")
    assert isinstance(engine, PlainEngine)
    assert np.isfinite(expected.point).all()
    require_equal(found, expected, np.abs(expected.quantiles).max())


def test_series_scaled_by_their_own_statistics_are_too(tmp_path):
    panel = panel_with(1, 0, 1, 0)
    panel.values[panel.offset[1] : panel.offset[2], 0] *= 1000
    forecaster = forecaster_of(panel, kind="segment")
    assert forecaster.scaler.series_ids
    found, expected, engine = compared(forecaster, panel, tmp_path / "bundle")
    assert isinstance(engine, PlainEngine)
    for series in range(SERIES):
        rows = found.series == series
        unit = np.abs(expected.quantiles[rows]).max()
        np.testing.assert_allclose(found.point[rows], expected.point[rows], atol=1e-5 * unit)


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "segment", "cell": "gru"},
        {"kind": "segment", "layers": 2},
        {"kind": "direct", "cell": "peephole"},
        {"kind": "recursive"},
        {"kind": "direct", "head": "gaussian"},
    ],
    ids=lambda model: "-".join(str(value) for value in model.values()),
)
def test_what_is_not_written_in_numpy_is_forecast_by_torch(model, tmp_path):
    panel = panel_with(1, 0, 0, 0)
    found, expected, engine = compared(forecaster_of(panel, **model), panel, tmp_path / "bundle")
    assert isinstance(engine, TorchEngine)
    np.testing.assert_array_equal(found.point, expected.point)


@pytest.mark.parametrize("kind", ["segment", "direct"])
def test_neighbours_batches_and_threads_change_no_bit_in_numpy(kind, tmp_path):
    panel = panel_with(1, 1, 1, 1)
    forecaster_of(panel, kind=kind, hidden_size=48).save(tmp_path / "bundle")
    cutoff = np.arange(5, 205, dtype=np.int64)
    windows = WindowIndex(np.tile([0, 1], 100), cutoff)
    whole = load_predictor(tmp_path / "bundle").predict(panel, windows)
    for rows in ([0], [199, 3, 77], list(range(37, 120))):
        some = WindowIndex(windows.series[rows], windows.cutoff[rows])
        for threads, batch_size in ((1, 128), (2, 50)):
            with threadpool_limits(threads):
                predictor = load_predictor(tmp_path / "bundle")
                part = predictor.predict(panel, some, batch_size=batch_size)
            np.testing.assert_array_equal(part.point, whole.point[rows])
            np.testing.assert_array_equal(part.quantiles, whole.quantiles[rows])
