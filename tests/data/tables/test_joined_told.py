"""What is told of several tables: by `check`, by errors, by the docs."""

from pathlib import Path

import pytest
import yaml

from forecast.config.data import Data
from forecast.data.checks import check, surveyed
from forecast.data.checks.tables import table_findings
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import Joined, read_source
from forecast.errors import ConfigError, DataError
from tests.data.tables.several import DAYS, panel_of, settings, table


def test_a_series_of_one_table_is_named_and_can_be_left_out(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "flow.csv", index=False)
    table(column="prcp", series=("a", "b", "B")).to_csv(tmp_path / "rain.csv", index=False)

    def found(*source) -> list[str]:
        data = settings(tmp_path, *source)
        tables = read_source(data)
        assert isinstance(tables, Joined)
        watched, surveys = surveyed(tables, data)
        build_panel(watched, tmp_path / "panel", spec=panel_spec(data))
        assert surveys[0].order.rows == 2 * DAYS
        return [one.message for one in table_findings(tables) if one.code == "one_table"]

    [message] = found("flow.csv", "rain.csv")
    assert message.startswith("1 series of other tables without a row in flow.csv: flow missing")
    assert found("flow.csv", {"source": "rain.csv", "exclude": [{"series": "B"}]}) == []
    with pytest.raises(ConfigError, match="no series 'C'"):
        found("flow.csv", {"source": "rain.csv", "exclude": [{"series": "C"}]})


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (["flow.csv", "temp.csv"], DataError, "no table has a column 'prcp'.*flow.csv has gauge"),
        (["flow.csv", "Rain.csv"], DataError, "Rain.csv: no column 'prcp', but 'PRCP'.*columns"),
        (["flow.csv", "rain.csv", "temp.csv"], DataError, "temp.csv: holds none of the readings"),
        (["flow.csv", "other.csv"], DataError, "other.csv: no column.*csv.separator"),
        (["flow.csv", "stamped.csv"], DataError, "stamped.csv: no column 'ds'.*entry of its own"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, source, error, words) -> None:
    table().to_csv(tmp_path / "flow.csv", index=False)
    table(column="prcp").to_csv(tmp_path / "rain.csv", index=False)
    table(column="temp").to_csv(tmp_path / "temp.csv", index=False)
    if "Rain.csv" in source:
        table(column="PRCP").to_csv(tmp_path / "Rain.csv", index=False)
        with_rain = table().assign(prcp=1.0)
        with_rain.to_csv(tmp_path / "flow.csv", index=False)
    table(column="prcp").rename(columns={"ds": "at"}).to_csv(tmp_path / "stamped.csv", index=False)
    table(column="prcp").to_csv(tmp_path / "other.csv", index=False, sep=";")
    with pytest.raises(error, match=words):
        read_source(settings(tmp_path, *source))


def test_tables_of_one_folder_are_told_to_be_named_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "basin").mkdir()
    table().to_csv(tmp_path / "basin" / "flow.csv", index=False)
    table(column="prcp").to_csv(tmp_path / "basin" / "rain.csv", index=False)
    with pytest.raises(DataError, match=r"no column 'prcp'.*one by one in the list data.source"):
        panel_of(settings(tmp_path, "basin"), tmp_path)


def test_the_example_of_the_docs_is_a_config() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tables.md").read_text(encoding="utf-8")
    part = page.split("## Tables that belong together")[1]
    data = Data.model_validate(yaml.safe_load(part.split("```")[1].removeprefix("yaml"))["data"])
    assert [one.source for one in data.tables] == [("rain.csv",), ("nwp/*.parquet",)]
    assert data.is_coarser(data.tables[0])


def test_held_values_are_not_stuck(tmp_path: Path) -> None:
    table("1h", 480, "flow").to_csv(tmp_path / "flow.csv", index=False)
    table("1D", 20, "prcp", seed=1).to_csv(tmp_path / "rain.csv", index=False)
    entry = {"source": "rain.csv", "frequency": "1d", "hold": ["prcp"]}
    data = settings(tmp_path, "flow.csv", entry, frequency="1h")
    source, surveys = surveyed(read_source(data), data)
    panel = build_panel(source, tmp_path / "panel", spec=panel_spec(data))
    found = check(surveys, panel, context_length=48, horizon=12, season=24)
    assert {one.code for one in found} <= {"frequency"}
    assert [one.message.split(":")[0] for one in found] == ["flow.csv", "rain.csv"]
