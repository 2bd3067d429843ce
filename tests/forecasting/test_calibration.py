import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from forecast.data.windows.host_windows import collect_actual
from forecast.data.windows.window_index import WindowIndex
from forecast.forecasting.calibrate import calibrated
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.hardship import Hardship, hardship_of, late_knots
from tests.builders import panel_of
from tests.tiny import MODEL, SPEC, tiny_fit, tiny_panel, tiny_split, tiny_untrained

LEVELS = (0.1, 0.5, 0.9)
HORIZON, TARGETS = 6, 2


def neutral(**changed):
    plain = Calibration.neutral(horizon=HORIZON, scale=[1.0, 2.0], covariates=1, levels=3)
    return replace(plain, **changed)


def quantiles(n=2):
    """Bands that widen from step to step, (n, H, T, Q)."""
    half = np.arange(1.0, HORIZON + 1)[:, None] * np.ones(TARGETS)
    one = 10 + half[..., None] * np.array([-1.0, 0.0, 1.0])
    return np.repeat(one[None], n, axis=0).astype(np.float32)


def at_ease(n=2):
    return Hardship(np.zeros((n, TARGETS), np.int64), np.zeros((n, 1), bool))


def test_what_is_neutral_changes_nothing():
    assert_allclose(neutral().apply(quantiles(), at_ease(), LEVELS), quantiles())


def test_factors_widen_each_side_of_the_median_on_its_own():
    factor = neutral().log_factor + np.log([0.5, 2.0])
    moved = neutral(log_factor=factor).apply(quantiles(), at_ease(), LEVELS)
    assert_allclose(moved[0, :, 0], quantiles()[0, :, 0] + np.outer(np.arange(1, 7), [0.5, 0, 1]))


def test_a_target_late_by_k_steps_has_at_least_the_band_of_k_steps_later():
    lack = at_ease()._replace(late=np.array([[0, 2], [30, 0]]))
    moved = neutral().apply(quantiles(), lack, LEVELS)
    width = (moved[..., 2] - moved[..., 0]) / 2
    assert_allclose(width[0, :, 0], [1, 2, 3, 4, 5, 6])
    assert_allclose(width[0, :, 1], [3, 4, 5, 6, 6, 6])
    assert_allclose(width[1, :, 0], 6)
    assert_allclose(moved[..., 1], 10)


def test_lateness_between_two_that_were_measured_is_read_off():
    late = np.log([1.0, 4.0])[:, None, None, None] * np.ones((2, *neutral().log_factor.shape))
    one = neutral(late_steps=np.array([1, 9]), late=late)
    lateness = np.array([[0, 1], [4, 9], [30, 0]])
    lack = at_ease(3)._replace(late=lateness, lacking=np.zeros((3, 1), bool))
    moved = one.apply(quantiles(3) * 0 + quantiles(3)[:, -1:], lack, LEVELS)
    share = np.log1p([0, 1, 4, 9, 30, 0]).clip(np.log(2), np.log(10)) - np.log(2)
    wanted = 6 * 4 ** (share / np.log(5))
    assert_allclose((moved[:, 0, :, 2] - 10).ravel(), wanted, rtol=1e-6)


def test_a_lacking_covariate_widens_and_the_larger_of_two_hardships_counts():
    shape = neutral().log_factor.shape
    one = neutral(
        lacking=np.full((1, *shape), np.log(3.0)),
        late_steps=np.array([1, 2]),
        late=np.log([2.0, 5.0])[:, None, None, None] * np.ones((2, *shape)),
    )
    flat = quantiles() * 0 + quantiles()[:, :1]
    lack = Hardship(np.array([[0, 1], [1, 2]]), np.array([[True], [True]]))
    moved = one.apply(flat, lack, LEVELS)
    assert_allclose(moved[:, 0, :, 2] - 10, [[3, 3], [3, 5]], rtol=1e-6)


def test_what_windows_lack_is_seen():
    past = np.ones((3, 5, 3), np.float32)
    past[0, -2:, 0] = np.nan
    past[1, :, 0] = past[2, :, 2] = np.nan
    ahead = np.ones((3, 4, 2), np.float32)
    ahead[1, 3, 0] = np.nan
    lack = hardship_of(past, ahead, targets=2, known=1)
    assert_array_equal(lack.late, [[2, 0], [5, 0], [0, 0]])
    assert_array_equal(lack.lacking, [[False, False], [False, True], [True, False]])


def test_it_comes_back_from_json_as_it_was():
    random = np.random.default_rng(0)
    one = neutral(log_factor=random.normal(size=neutral().log_factor.shape), origins=7)
    again = Calibration.from_json(json.loads(json.dumps(one.to_json())))
    for name in ("log_factor", "least_spread", "late_steps", "late", "lacking", "base"):
        assert_array_equal(getattr(again, name), getattr(one, name))
    assert again.origins == 7
    older = {name: value for name, value in one.to_json().items() if name != "is_bridged"}
    assert not Calibration.from_json(older).is_bridged.any()


def test_offsets_of_an_older_bundle_leave_a_band_as_it_is_and_give_a_point_its_own():
    offset = np.full((HORIZON, TARGETS, 3), 0.2) * [-1, 0.1, 1]
    content = {
        "offset": offset.tolist(),
        "least_spread": [1e-3, 2e-3],
        "count": np.ones((HORIZON, TARGETS)).tolist(),
    }
    one = Calibration.from_json(content)
    assert_allclose(one.apply(quantiles(), at_ease(), LEVELS), quantiles(), rtol=1e-6)
    point = quantiles() * 0 + 10
    moved = one.apply(point, at_ease(), LEVELS)
    assert_allclose(moved[0, 0, :, 2] - 10, [0.2e-3, 0.4e-3], rtol=1e-6)


def test_many_series_share_the_cost_of_looking_back():
    of = [
        Calibration.neutral(horizon=6, scale=[1.0], covariates=0, levels=3, series=n).origins
        for n in (1, 50, 300, 301)
    ]
    assert of == [60, 60, 10, 0]


def test_latenesses_measured_grow_geometrically_to_the_context():
    assert late_knots(1) == (1,)
    assert late_knots(24)[0] == 1
    assert late_knots(24)[-1] == 23


@pytest.fixture(scope="module")
def of_points(tmp_path_factory):
    model = MODEL.model_copy(update={"head": "point", "loss": "mae"})
    panel = tiny_panel()
    return panel, tiny_fit(panel, tmp_path_factory.mktemp("points"), model=model).forecaster


def test_a_head_of_points_gets_a_band_from_its_errors(of_points):
    panel, forecaster = of_points
    test = tiny_split(panel).test
    answer = forecaster.predict(panel, test)
    actual = collect_actual(panel, test, horizon=SPEC.horizon)
    inside = (actual >= answer.quantiles[..., 0]) & (actual <= answer.quantiles[..., -1])
    assert 0.7 < inside.mean() < 0.9
    assert_allclose(answer.quantiles[..., 1], answer.point, atol=1e-5)


def test_windows_without_readings_calibrate_nothing():
    panel = tiny_panel()
    forecaster = tiny_untrained(panel)
    split = tiny_split(panel)
    panel.values[:] = np.nan
    found = calibrated(forecaster, panel, split.calibration, series=2)
    assert_allclose(found.log_factor, 0, atol=1e-12)
    assert_allclose(found.late, 0, atol=1e-12)


def late_sine(n=900):
    """Two daily sines with noise of standard deviation 0.2."""
    step = np.arange(n)
    random = np.random.default_rng(3)
    blocks = [
        20 + size * np.sin(step * 2 * np.pi / 12)[:, None] + random.normal(0, 0.2, (n, 1))
        for size in (3.0, 6.0)
    ]
    return panel_of([block.astype(np.float32) for block in blocks])


@pytest.mark.parametrize("late", [3, 6, 15])
def test_the_band_of_late_readings_still_covers(late, tmp_path):
    panel = late_sine()
    forecaster = tiny_fit(panel, tmp_path, epochs=6, windows_per_epoch=400).forecaster
    test = tiny_split(panel).test
    shares = []
    for cutoff in np.unique(test.cutoff)[::5]:
        hidden = replace(panel, values=panel.values.copy())
        for offset in panel.offset:
            hidden.values[offset + cutoff - late : offset + cutoff] = np.nan
        index = WindowIndex(np.arange(2), np.full(2, cutoff))
        answer = forecaster.predict(hidden, index)
        assert all("late" in flag for flag in answer.flag.ravel())
        actual = collect_actual(panel, index, horizon=SPEC.horizon)
        shares.append((actual >= answer.quantiles[..., 0]) & (actual <= answer.quantiles[..., -1]))
    assert 0.68 < np.mean(shares) <= 0.95


def test_gaps_are_bridged_where_it_was_better_and_there_is_something_to_start_from():
    one = neutral(late_steps=np.array([1, 3, 8]), is_bridged=np.array([False, True, True]))
    late = np.array([[0, 1], [3, 5], [8, 47], [48, 49], [30, 2]])
    found = one.to_bridge(late, horizon=6, context_length=60)
    assert_array_equal(found, [[0, 0], [3, 5], [8, 47], [48, 0], [30, 2]])
    assert_array_equal(
        one.to_bridge(late, horizon=6, context_length=30)[2:], [[8, 0], [0, 0], [0, 2]]
    )
