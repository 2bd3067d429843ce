"""What `check` says of the distance between rows, and that its hints are frequencies."""

import pandas as pd
import pytest

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables


def findings(folder, stamps, frequency, code="frequency"):
    """Return the findings of a kind about a table with these stamps."""
    text = pd.DataFrame({"ds": stamps, "y": range(len(stamps))})
    text.to_csv(folder / "t.csv", index=False)
    data = Data(source=str(folder / "t.csv"), frequency=frequency, timezone="UTC")
    survey = Survey(read_tables(data), data)
    panel = build_panel(survey, folder / "panel", spec=panel_spec(data))
    found = check(survey, panel, context_length=4, horizon=1, season=4)
    return [one for one in found if one.code == code]


@pytest.mark.parametrize(
    ("rows", "frequency"),
    [
        ("h", "1h"), ("15min", "15min"), ("D", "1d"), ("W-SUN", "1w"), ("W-SUN", "7d"),
        ("MS", "1MS"), ("ME", "1ME"), ("ME", "1MS"), ("QE", "1QE"), ("QS-FEB", "1QS"),
        ("YE", "1YE"), ("YS", "12MS"), ("B", "1B"), ("28D", "4w"),
    ],
)  # fmt: skip
def test_rows_at_the_stated_distance_are_as_stated(rows, frequency, tmp_path):
    [found] = findings(tmp_path, pd.date_range("2015-01-01", periods=60, freq=rows), frequency)
    assert found.level == "note"
    assert found.message.endswith("as stated")
    assert not findings(tmp_path, pd.date_range("2015-01-01", periods=60, freq=rows), frequency,
                        "off_grid")  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "frequency", "level", "hint"),
    [
        ("W-MON", "1d", "error", "7d"),
        ("h", "45min", "warning", "1h"),
        ("h", "90min", "warning", "1h"),
        ("10min", "12min", "warning", "10min"),
        ("10min", "1h", "note", "10min"),
        ("ME", "30d", "warning", "1ME"),
        ("MS", "30d", "warning", "1MS"),
        ("ME", "1d", "error", "1ME"),
        ("QE", "1ME", "error", "1QE"),
        ("YS", "1MS", "error", "1YS"),
        ("D", "1MS", "note", "1d"),
        ("B", "1d", "warning", "1B"),
        ("D", "1B", "warning", "1d"),
        ("2h", "1h", "error", "2h"),
    ],
)
def test_another_distance_is_never_as_stated_and_the_hint_is_a_frequency(
    rows, frequency, level, hint, tmp_path
):
    [found] = findings(tmp_path, pd.date_range("2015-01-01", periods=90, freq=rows), frequency)
    assert (found.level, "as stated" in found.message) == (level, False)
    assert found.setting.endswith(f"data.frequency: {hint}")
    assert Data(source="t.csv", frequency=hint).frequency == hint


def test_a_distance_that_no_frequency_has_gets_no_hint(tmp_path):
    stamps = pd.date_range("2015-01-01", periods=60, freq="500ms")
    [found] = findings(tmp_path, stamps, "1s")
    assert found.setting == "data.aggregate, or data.frequency"
