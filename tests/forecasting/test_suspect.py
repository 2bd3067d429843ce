"""Readings that are hard to believe, and windows that hold few: flagged, never silently used."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from forecast.data.panel.panel import newest_cutoff
from forecast.forecasting.fallback import Seen, flags
from forecast.forecasting.spec import index_at
from forecast.forecasting.suspect import flag_stuck, outliers
from tests.builders import panel_of, sine_panel
from tests.tiny import SPEC, tiny_panel, tiny_untrained

NONE = np.empty((1, 6, 0), np.float32)


def _flag(past: np.ndarray, names: tuple[str, ...] = ()) -> str:
    seen = Seen(past[None].astype(np.float32), NONE)
    found = flags(seen, target_count=1, past=names, known=(), min_observed=0.5)
    return str(found[0, 0])


def test_one_reading_in_a_window_of_24_is_sparse() -> None:
    past = np.full((24, 1), np.nan)
    past[23] = 5.0
    assert _flag(past) == "sparse:1/24"
    past[23], past[3] = np.nan, 5.0
    assert _flag(past) == "late:20;sparse:1/24"


def test_a_channel_that_is_dead_for_20_of_24_steps_is_named_with_its_age() -> None:
    past = np.ones((24, 2))
    past[4:, 1] = np.nan
    assert _flag(past, ("wind",)) == "late:wind:20"
    past[19:, 1] = np.nan
    past[4:19, 1] = 1.0
    assert _flag(past, ("wind",)) == ""  # five of 24: less than a quarter


def test_a_value_of_1e30_is_read_as_missing_and_named() -> None:
    panel = tiny_panel()
    forecaster = tiny_untrained(panel)
    index = index_at(panel, newest_cutoff(panel))
    values = panel.values.copy()
    values[590] = np.nan
    expected = forecaster.predict(replace(panel, values=values), index)
    values[590] = 1e30
    answer = forecaster.predict(replace(panel, values=values), index)
    assert answer.flag[0, 0].split(";")[0] == "outlier:y"
    assert "outlier" not in answer.flag[1, 0]
    assert_array_equal(answer.point[0], expected.point[0])


@pytest.mark.parametrize("peak", [30.0, 999.0])
def test_rain_and_sentinels_of_the_size_of_readings_are_no_outliers(peak: float) -> None:
    past = np.zeros((1, 48, 1), np.float32)
    past[0, 5:9, 0] = [0.2, 0.4, peak, 1.0]
    assert not outliers(past).any()


def _stuck(values: np.ndarray, deviation: float = 3.0, season: int = 24) -> str:
    past = values[None, :, None].astype(np.float32)
    spread = np.array([[deviation]], np.float32)
    return str(flag_stuck(np.array([[""]]), past, spread, season=season)[0, 0])


def test_a_target_that_does_not_move_is_stuck() -> None:
    wave = 10 + np.sin(np.arange(48.0))
    wave[30:] = 10.5
    assert _stuck(wave) == "stuck:18"
    assert _stuck(np.full(48, 17.3)) == "stuck:48"


def test_nights_plateaus_and_constants_are_not_stuck() -> None:
    hours = np.arange(48)
    sun = np.where((hours % 24 > 6) & (hours % 24 < 18), 5.0 + hours % 7, 0.0)
    assert _stuck(sun) == ""
    assert _stuck(np.where(hours % 24 < 12, 1.0 + hours, 20.0)) == ""  # as every night
    assert _stuck(np.full(48, 17.3), deviation=0.0) == ""
    wave = 10 + np.sin(np.arange(48.0))
    wave[40:] = 10.5
    assert _stuck(wave) == ""  # eight hours of 24: not half a season


def test_a_frozen_sensor_is_flagged_in_its_forecast() -> None:
    panel = sine_panel(600, 12, noise=0.1)
    forecaster = tiny_untrained(panel)
    values = panel.values.copy()
    values[590:] = values[590]
    frozen = panel_of([values])
    answer = forecaster.predict(frozen, index_at(frozen, newest_cutoff(frozen)))
    assert answer.flag[0, 0] == "stuck:10"
    assert forecaster.spec.season == SPEC.season == 12
