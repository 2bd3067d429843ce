"""A panel as of an instant: nothing later is left, nothing earlier is lost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import Panel, panel_as_of, panel_from_frame
from forecast.errors import DataError


def _panel(known: tuple[str, ...] = ()) -> Panel:
    hours = pd.date_range("2024-01-01", periods=6, freq="h", tz="UTC")
    frame = pd.DataFrame({"ds": hours, "y": np.arange(6.0), "plan": np.arange(6.0)})
    return panel_from_frame(frame, frequency="1h", known=known)


def _ns(text: str) -> int:
    return pd.Timestamp(text, tz="UTC").value


@pytest.mark.parametrize(
    ("instant", "steps"),
    [("2024-01-01T02:00", 3), ("2024-01-01T02:59", 3), ("2024-01-01T00:00", 1), ("2030-01-01", 6)],
)
def test_a_reading_is_known_from_its_timestamp_on(instant: str, steps: int) -> None:
    assert panel_as_of(_panel(), _ns(instant)).observed_end().tolist() == [steps]


def test_a_step_of_several_readings_is_known_when_it_is_over() -> None:
    panel = replace(_panel(), account={"aggregated": 3})
    assert panel_as_of(panel, _ns("2024-01-01T02:30")).observed_end().tolist() == [2]


def test_known_covariates_stay_and_the_panel_itself_is_left_alone() -> None:
    panel = _panel(("plan",))
    before = panel.values.copy()
    seen = panel_as_of(panel, _ns("2024-01-01T02:00"))
    assert seen.observed_end().tolist() == [3]
    assert np.isnan(seen.block(0)[3:, 0]).all()
    np.testing.assert_array_equal(seen.block(0)[:, 1], np.arange(6))
    np.testing.assert_array_equal(panel.values, before)


def test_what_was_known_has_its_own_fingerprint() -> None:
    panel = _panel()
    prints = {panel_as_of(panel, _ns(f"2024-01-01T0{h}:00")).fingerprint for h in range(3)}
    assert len(prints | {panel.fingerprint}) == 4


def test_an_instant_before_all_readings_is_refused() -> None:
    with pytest.raises(DataError, match=r"no reading is as old as 2023-12-31T00:00Z"):
        panel_as_of(_panel(), _ns("2023-12-31"))
