"""The template of known covariates: filled in and added as its message says, it is read."""

import re

import numpy as np
import pandas as pd
import pytest
import yaml

from forecast.config.load import config_of
from pipelines.steps.known_covariates_template import write_template
from pipelines.steps.prepared_panel import prepare

STEPS = 60
STYLES = {
    "plain": ({"series": "meter", "timestamp": "time"}, ",", "%Y-%m-%d %H:%M"),
    "semicolons": (
        {"series": "meter", "timestamp": "time", "csv": {"separator": ";", "decimal": ","}},
        ";",
        "%Y-%m-%d %H:%M",
    ),
    "two ids": (
        {
            "series": ["site", "meter"],
            "timestamp": "time",
            "timestamp_format": "%d.%m.%Y %H:%M",
        },
        ",",
        "%d.%m.%Y %H:%M",
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_filled_template_is_part_of_the_source(style, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    columns, separator, written = STYLES[style]
    stamps = pd.date_range("2024-01-01", periods=STEPS, freq="h").strftime(written)
    table = pd.DataFrame({"site": "x", "meter": "north", "time": stamps, "load": 1.0, "plan": 2.0})
    table = pd.concat([table, table.assign(meter="south")])
    decimal = "," if separator == ";" else "."
    table.to_csv("load.csv", sep=separator, decimal=decimal, index=False)
    data = columns | {
        "source": ["load.csv"],
        "frequency": "1h",
        "timezone": "Europe/Berlin",
        "targets": ["load"],
        "covariates": {"known": ["plan"]},
    }
    values = {"name": "t", "data": data, "windows": {"context": 12, "horizon": 6}}
    config = config_of(values, where="test")
    panel = prepare(config)
    write_template(config, panel, tmp_path / "ahead.csv")
    said = capsys.readouterr().out
    filled = pd.read_csv("ahead.csv")
    assert filled.plan.isna().all()
    filled.assign(plan=range(12)).to_csv("ahead.csv", index=False)
    entry = re.search(r"this entry to data.source: (.*)", said)
    new = yaml.safe_load(entry[1]) if entry else "ahead.csv"
    assert bool(entry) == (style != "plain")
    more = values | {"data": data | {"source": ["load.csv", new]}}
    longer = prepare(config_of(more, where="test"))
    assert longer.series_ids == panel.series_ids
    for series in range(2):
        block = longer.block(series)
        np.testing.assert_array_equal(block[:STEPS], panel.block(series))
        np.testing.assert_array_equal(block[STEPS:, 1], np.arange(6) + 6 * series)
        assert np.isnan(block[STEPS:, 0]).all()


def test_any_change_of_a_table_is_seen(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    stamps = pd.date_range("2024-01-01", periods=STEPS, freq="h")
    pd.DataFrame({"ds": stamps, "flow": 1.0}).to_csv("flow.csv", index=False)
    pd.DataFrame({"ds": stamps, "mm": 2.0, "inch": 9.0}).to_csv("rain.csv", index=False)

    def rain(column: str) -> np.ndarray:
        data = {
            "source": ["flow.csv", {"source": "rain.csv", "columns": {"prcp": column}}],
            "frequency": "1h",
            "targets": ["flow"],
            "covariates": {"past": ["prcp"]},
        }
        values = {"name": "t", "data": data, "windows": {"context": 12, "horizon": 6}}
        return np.array(prepare(config_of(values, where="test")).block(0)[:, 1])

    assert rain("mm").tolist() == [2.0] * STEPS
    assert "rain.csv (prcp): 60 readings = 60 kept + 0 aggregated" in capsys.readouterr().out
    assert rain("mm").tolist() == [2.0] * STEPS
    assert "unchanged" in capsys.readouterr().out
    assert rain("inch").tolist() == [9.0] * STEPS
    with (tmp_path / "rain.csv").open("a") as file:
        file.write("2024-01-03 12:00,2.5,8\n")
    assert rain("inch").tolist() == [9.0] * STEPS + [8.0]
    assert "several tables: the panel is built again" in capsys.readouterr().out
