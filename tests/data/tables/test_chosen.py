"""Series and spans left out, values cut to a range, running totals as their growth."""

import numpy as np
import pandas as pd
import pytest

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import ConfigError


def table(path, rows):
    """Write rows of (series, hour, value); return the path."""
    at = pd.Timestamp("2024-01-01")
    lines = [f"{name},{at + pd.Timedelta(hour, 'h')},{value}" for name, hour, value in rows]
    path.write_text("\n".join(["unique_id,ds,y", *lines]) + "\n")
    return str(path)


def prepared(tmp_path, rows, **settings):
    """Return the survey and the panel of rows."""
    source = table(tmp_path / "t.csv", rows)
    data = Data(**({"source": source, "frequency": "1h", "timezone": "UTC"} | settings))
    survey = Survey(read_tables(data), data)
    return survey, build_panel(survey, tmp_path / "panel", spec=panel_spec(data))


ROWS = [(name, hour, 10 * place + hour) for place, name in enumerate("ab") for hour in range(48)]


def column(panel, series):
    """Return the target of a series by its id, NaN as None."""
    values = panel.block(panel.series_ids.index(series))[:, 0].tolist()
    return [None if np.isnan(value) else value for value in values]


def test_a_series_is_left_out(tmp_path):
    survey, panel = prepared(tmp_path, ROWS, exclude=[{"series": "a"}])
    assert panel.series_ids == ("b",)
    assert panel.account == {"read": 96, "kept": 48, "aggregated": 0, "rejected": 48}
    assert survey.notes.excluded.first == "a 2024-01-01T00:00Z"


def test_a_span_is_left_out_in_local_time_and_its_end_counts_again(tmp_path):
    span = {"series": ["b"], "start": "2024-01-01T10:00", "end": "2024-01-01T12:00+01:00"}
    rows = [(name, hour, hour) for name, hour, _ in ROWS]
    _, panel = prepared(tmp_path, rows, exclude=[span], timezone="Europe/Berlin")
    assert column(panel, "a") == list(range(48))
    assert column(panel, "b") == [*range(10), None, None, *range(12, 48)]
    _, panel = prepared(tmp_path, rows, exclude=[{"end": "2024-01-02"}])
    assert column(panel, "a") == list(range(24, 48))


def test_exclusions_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"no series 'aa'; did you mean 'a'\?"):
        prepared(tmp_path, ROWS, exclude=[{"series": "aa"}])
    with pytest.raises(ConfigError, match="'soon' is not a time"):
        prepared(tmp_path, ROWS, exclude=[{"start": "soon"}])
    with pytest.raises(ValueError, match="this would leave out every reading"):
        Data(source="t.csv", frequency="1h", exclude=[{}])


def test_values_are_cut_within_their_limits(tmp_path):
    rows = [("a", hour, value) for hour, value in enumerate([-1, 5, 60, 999, 50] * 10)]
    survey, panel = prepared(tmp_path, rows, clip={"y": [0, 50]}, limits={"y": [None, 100]})
    assert column(panel, "a") == [0, 5, 50, None, 50] * 10
    assert (survey.notes.clipped["y"].count, survey.notes.clipped["y"].first) == (20, "-1")
    findings = {
        one.code: one for one in check(survey, panel, context_length=5, horizon=2, season=24)
    }
    assert (findings["clipped"].count, findings["outside_limits"].count) == (20, 10)


def totals(count=400, seed=0):
    """Return a meter's running total, and what was used in each hour."""
    use = np.random.default_rng(seed).integers(100, 500, count)
    return 1_234_567_890 + np.cumsum(use), use


def test_a_running_total_becomes_its_growth_to_the_last_digit(tmp_path):
    total, use = totals()
    other, other_use = totals(seed=1)
    rows = [("a", hour, value) for hour, value in enumerate(total)]
    rows += [("b", hour, value) for hour, value in enumerate(other)]
    survey, panel = prepared(tmp_path, rows, difference=["y"])
    assert column(panel, "a") == [None, *use[1:].tolist()]
    assert column(panel, "b") == [None, *other_use[1:].tolist()]
    found = check(survey, panel, context_length=48, horizon=24, season=24)
    assert [one.code for one in found] == ["frequency"]


def test_resets_gaps_repeats_and_orders_of_a_running_total(tmp_path):
    values = {0: 100, 1: 103, 2: 3, 3: 7, 5: 20, 6: 21, 7: 24}
    rows = [("a", hour, value) for hour, value in values.items()]
    rows = [*rows[::-1], ("a", 7, 25), ("a", 6.5, 23)]
    _, panel = prepared(tmp_path, rows, difference=["y"])
    assert column(panel, "a") == [None, 3, None, 4, None, None, 3, 2]
    assert panel.account["fallen:y"] == 1


def test_limits_hold_for_the_total_as_it_is_read(tmp_path):
    total, use = totals(30)
    rows = [("a", hour, value) for hour, value in enumerate(total)]
    rows[10] = ("a", 10, 0)
    _, panel = prepared(tmp_path, rows, difference=["y"], limits={"y": [1, None]})
    assert column(panel, "a") == [None, *use[1:10].tolist(), None, None, *use[12:].tolist()]


def test_a_total_with_versions_or_of_text_is_refused():
    settings = {"source": "t.csv", "frequency": "1h", "difference": ["y"]}
    with pytest.raises(ValueError, match="cannot have versions"):
        Data(**settings, available_at="issued")
    with pytest.raises(ValueError, match="is a column of text"):
        Data(**settings, categories=["y"])
