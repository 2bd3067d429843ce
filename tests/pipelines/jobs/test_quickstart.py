"""The last page of the quickstart, from files alone."""

import json
from pathlib import Path

import pytest

from forecast.config import load_config
from forecast.errors import DataError
from pipelines import tracking
from pipelines.jobs import quickstart
from pipelines.tracking import ChampionBundle

CONFIG = Path(__file__).parents[3] / "configs" / "nyc-weather.yaml"


def test_the_page_shows_the_error_beside_others_and_the_newest_whole_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(CONFIG, [f"output.path={tmp_path}"])
    for cutoff in ("2013-12-29T23-00Z", "2013-12-30T23-00Z", "2013-12-31T23-00Z"):
        (tmp_path / f"cutoff={cutoff}").mkdir()
    for cutoff in ("2013-12-29T23-00Z", "2013-12-30T23-00Z"):  # the third is not whole
        (tmp_path / f"cutoff={cutoff}" / "_SUCCESS.json").write_text("{}", encoding="utf-8")
    metrics = {"test_mae": 3.25, "test_seasonal_naive_mae": 6.7, "test_persistence_mae": 5.5}
    bundle = {"schema_version": 1, "origin": {"metrics": metrics}}
    (tmp_path / "bundle.json").write_text(json.dumps(bundle), encoding="utf-8")
    monkeypatch.setattr(tracking, "champion_bundle", lambda _: ChampionBundle(tmp_path, 3, "run"))
    quickstart.run(config)
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    assert ["this", "model,", "version", "3", "3.25", "-"] in rows
    assert ["seasonal", "naive", "6.7", "-"] in rows
    assert f"{tmp_path}/cutoff=2013-12-30T23-00Z/" in printed
    assert f"forecast ui {CONFIG}" in printed


def test_no_forecast_yet_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `forecast predict` first"):
        quickstart.newest_folder(tmp_path)
