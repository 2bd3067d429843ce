"""Readings ahead of the clock: named with both ends, left out, nothing else touched."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import Panel, open_panel, panel_from_frame, panel_now, write_panel
from forecast.data.panel.ahead import readings_ahead
from forecast.data.panel.panel import instant_text, newest_cutoff
from tests.builders import panel_of

NOW = pd.Timestamp("2026-11-28T01:30Z").value
HOURS = pd.date_range("2026-11-01T00:00Z", "2026-11-28T01:00Z", freq="h")


def _frame(**extra: list[str]) -> pd.DataFrame:
    """Three hourly sensors to 01:00, some with more readings at other stamps."""
    parts = [pd.DataFrame({"unique_id": name, "ds": HOURS, "y": 1.0}) for name in "abc"]
    for name, stamps in extra.items():
        ds = pd.to_datetime(stamps, utc=True)
        parts.append(pd.DataFrame({"unique_id": name, "ds": ds, "y": 9.0}))
    return pd.concat(parts, ignore_index=True)


def _panel(**extra: list[str]) -> Panel:
    return panel_from_frame(_frame(**extra), frequency="1h")


def test_a_clock_ahead_is_named_with_both_ends_and_moves_nobodys_cutoff() -> None:
    panel = _panel(a=["2026-11-30T01:00Z", "2027-10-01T00:00Z"])
    (found,) = readings_ahead(panel, NOW)
    ends = [str(pd.Timestamp(t, tz="UTC")) for t in (found.first_ns, found.last_ns)]
    assert (found.series_id, found.steps) == ("a", 2)
    assert ends == ["2026-11-30 01:00:00+00:00", "2027-10-01 00:00:00+00:00"]
    now = panel_now(panel, NOW)
    assert instant_text(now, newest_cutoff(now)).startswith("2026-11-28T01:00")
    assert (now.start + now.observed_end() == now.start[1] + len(HOURS)).all()
    assert np.nanmax(now.block(0)) == 1.0


def test_a_panel_on_disk_with_known_covariates_stays_as_it_is(tmp_path: Path) -> None:
    frame = _frame(a=["2027-10-01T00:00Z"]).assign(plan=2.0)
    write_panel(panel_from_frame(frame, frequency="1h", known=("plan",)), tmp_path)
    panel = open_panel(tmp_path)
    seen = panel_now(panel, NOW)
    assert np.isnan(seen.block(0)[len(HOURS) :, 0]).all()
    assert seen.block(0)[-1, 1] == 2.0
    assert open_panel(tmp_path).block(0)[-1, 0] == 9.0


def test_a_panel_with_nothing_ahead_is_returned_as_it_is() -> None:
    panel = _panel()
    assert panel_now(panel, NOW) is panel


@pytest.mark.parametrize(
    ("ends", "reach", "least", "expected"),
    [
        ([100, 100, 148], 60, 2, 100),  # a clock ahead, in an archive
        ([100, 100, 148], 25, 1, 148),  # two died two days ago: the third goes on
        ([100, 100, 100, 40], 48, 2, 100),  # one dead holds nobody back
        ([100, 90], 48, 2, 100),  # of two, the newer is believed
        ([90] * 30 + [100], 48, 1, 90),  # one of many is ahead of them all
        ([90] * 30 + [100] * 4, 48, 1, 100),  # a tenth are enough
        ([7], 48, 2, 7),
    ],
)
def test_the_cutoff_is_the_newest_step_that_enough_series_have(
    ends: list[int], reach: int, least: int, expected: int
) -> None:
    panel = panel_of([np.ones((end, 1), np.float32) for end in ends])
    newest = newest_cutoff(panel, reach=reach, least=least)
    assert newest - int(panel.start[0]) + 1 == expected
