"""`forecast init`: the starter config is valid, complete and never overwrites."""

from pathlib import Path

import pytest

from forecast.config import Config, load_config
from forecast.errors import ConfigError
from pipelines.jobs.init import CONFIG_NAME, SAMPLE_NAME, run


def test_the_starter_is_a_valid_config_with_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path / "site")
    config = load_config(tmp_path / "site" / CONFIG_NAME)
    assert (tmp_path / "site" / config.data.source[0]).is_file()
    assert (tmp_path / "site" / SAMPLE_NAME).read_text(encoding="utf-8").count("\n") == 26_116
    assert "forecast check forecast.yaml" in capsys.readouterr().out


def test_the_starter_runs_what_the_bundled_config_runs(tmp_path: Path) -> None:
    run(tmp_path)
    starter = load_config(tmp_path / CONFIG_NAME)
    bundled = load_config(Path(__file__).parents[3] / "configs" / "nyc-weather.yaml")
    for section in set(Config.model_fields) - {"data"}:
        assert getattr(starter, section) == getattr(bundled, section), section
    assert starter.data.model_copy(update={"source": bundled.data.source}) == bundled.data


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"forecast\.yaml: already there"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG_NAME]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        run(tmp_path / "file" / "below")
