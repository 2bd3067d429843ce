"""The config file: every fault at once, in words a person can act on."""

import re
from pathlib import Path

import pytest

from forecast.config import config_of, load_config
from forecast.errors import ConfigError

GOOD = """\
name: plant
data:
  source: readings.csv
  frequency: 1h
windows: {horizon: 24h}
"""


@pytest.fixture
def write(tmp_path):
    def _write(text: str) -> Path:
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return path

    return _write


def fault(path, *overrides, **kwargs) -> str:
    with pytest.raises(ConfigError, match=r"\S") as caught:
        load_config(path, overrides, **kwargs)
    return str(caught.value)


def test_defaults_follow_from_horizon_and_frequency(write):
    config = load_config(write(GOOD))
    assert (config.horizon, config.season, config.context_length) == (24, 24, 168)
    assert config.data.targets == ("y",)
    assert config.data.timestamp == ("ds",)
    assert config.output_folder == Path("forecasts/plant")


def test_context_is_two_seasons_when_they_are_longer(write):
    longer = ["windows.horizon=6h", "data.frequency=1min"]
    assert load_config(write(GOOD), longer).context_length == 2 * 24 * 60


@pytest.mark.parametrize(
    ("section", "text", "message"),
    [
        ("model", "{hiden_size: 3}", "run.yaml:6: model.hiden_size: unknown key; did you mean hidden_size?"),
        ("model", "{cell: lstmm}", "run.yaml:6: model.cell: must be 'lstm', 'gru'"),
        ("training", "{epochs: 2.5}", "run.yaml:6: training.epochs: a whole number is needed; found 2.5"),
        ("training", "{epochs: true}", "run.yaml:6: training.epochs: a number is needed; found True"),
        ("training", "{epochs: '3'}", "run.yaml:6: training.epochs: a number is needed; found '3'"),
        ("training", "{epochs: 0}", "run.yaml:6: training.epochs: must be greater than or equal to 1; found 0"),
        ("training", "{learning_rate: .inf}", "training.learning_rate: must be less than or equal to 1; found inf"),
        ("split", "{train: 0.5}", "run.yaml:6: split: train, dev and test add up to 0.52"),
        ("split", "{test: 5 weeks}", "split.test: write a share between 0 and 1, a duration"),
        ("schedule", "{predict: hourly}", "schedule.predict: not a cron expression of five fields"),
        ("objective", "{constraints: {coverage_80: high}}", "coverage_80: write a comparison"),
        ("retrain", "{max_age: 30}", "retrain.max_age: write a number and a unit"),
        ("foo", "1", "run.yaml:6: foo: unknown key; allowed are name, data"),
        ("windows2", "1", "run.yaml:6: windows2: unknown key; did you mean windows?"),
        ("model", "{bounds: {z: [0, 1]}}", "'z' is not a target; targets are y"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(write, section, text, message):
    assert message in fault(write(f"{GOOD}{section}: {text}\n"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.timezone=Europe/Berln", "--set data.timezone=Europe/Berln: data.timezone: not an IANA"),
        ("data.frequency=7min", "24h is not a whole number of steps of 7min"),
        ("data.covariates.past=[y]", "column 'y' is both targets and past"),
        ("data.covariates.calendar=[is_holiday]", "needs holidays"),
        ("data.csv.header=false", "needs columns"),
        ("data=3", "--set data=3: data: a section with keys is needed; found 3"),
        ("windows.horizon", "write section.key=value"),
        ("name.first=x", "name is a value, not a section"),
        ("model.cell=[", "not readable as YAML"),
        ("data.source=[]", "name at least one file"),
    ],
)  # fmt: skip
def test_an_override_is_checked_as_the_file_is(write, override, message):
    assert message in fault(write(GOOD), override)


def test_all_faults_come_at_once_in_the_order_of_the_file(write):
    text = fault(write(GOOD + "model: {layers: 0}\nfoo: 1\ntraining: {seed: -1}\n"))
    assert re.findall(r"yaml:(\d+)", text) == ["6", "7", "8"]


def test_duplicate_keys_name_both_lines(write):
    text = fault(write(GOOD + "name: other\n"))
    assert "run.yaml:6: name: this key is already in line 1" in text


def test_exponents_are_numbers_and_no_is_text(write):
    config = load_config(write(GOOD), ["training.learning_rate=1e-3"])
    assert config.training.learning_rate == 1e-3
    assert load_config(write(GOOD), ["data.series=no"]).data.series == ("no",)


def test_missing_section_names_the_key(write):
    assert "data: required, but not there" in fault(write("name: x\nwindows: {horizon: 3}\n"))


@pytest.mark.parametrize("text", ["", "- 1\n", "just text\n"])
def test_no_mapping_is_refused(write, text):
    assert "a config has sections" in fault(write(text))


def test_unreadable_files_are_named(tmp_path, write):
    assert "cannot be read" in fault(tmp_path / "none.yaml")
    assert "run.yaml:2: not readable as YAML" in fault(write("name: [\n"))
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    assert "not UTF-8 text (byte 9)" in fault(path)


def test_environment_is_for_secrets_and_paths_and_does_not_travel(write):
    text = GOOD + "tracking: {uri: 'http://user:${PASSWORD}@host'}\n"
    config = load_config(write(text), environment={"PASSWORD": "secret"})
    assert config.tracking.uri == "http://user:secret@host"
    assert config.resolved()["tracking"]["uri"] == "http://user:${PASSWORD}@host"
    assert "secret" not in str(config.resolved())
    assert "no variable PASSWORD" in fault(write(text), environment={})
    assert "secrets and paths only" in fault(write(GOOD), "model.cell=${CELL}", environment={})


def test_the_alert_section_of_the_docs_is_read_and_its_secrets_do_not_travel(write):
    page = (Path(__file__).parents[2] / "docs/scheduling.md").read_text(encoding="utf-8")
    block = next(
        one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "alert:" in one
    )
    block = block.replace("host: mail.example.org", "user: ann, password: '${MAIL_PASSWORD}'")
    secrets = {"ALERT_URL": "https://hooks.example.org/s3cret", "MAIL_PASSWORD": "swordfish1"}
    config = load_config(write(GOOD + block), environment=secrets)
    assert config.alert.webhook == secrets["ALERT_URL"]
    assert config.alert.email.password == secrets["MAIL_PASSWORD"]
    assert config.resolved()["alert"]["webhook"] == "${ALERT_URL}"
    assert config.resolved()["alert"]["email"]["password"] == "${MAIL_PASSWORD}"


def test_every_config_of_the_repository_is_valid():
    folder = Path(__file__).parents[2] / "configs"
    paths = sorted(folder.rglob("*.yaml"))
    assert paths
    for path in paths:
        load_config(path, environment={"FORECAST_DATA": "data"})


def test_violations_are_worded():
    config_text = {"coverage_80": ">= 0.75"}
    from forecast.config.objective import Objective

    objective = Objective(constraints=config_text)
    assert objective.violations({"coverage_80": 0.8}) == []
    assert objective.violations({"coverage_80": 0.7}) == ["coverage_80 is 0.7, must be >= 0.75"]
    assert objective.violations({}) == ["coverage_80 is nan, must be >= 0.75"]


def test_anchors_of_usual_size_are_written_out(write):
    config = load_config(write(GOOD + "tune:\n  hidden_size: &sizes [16, 32]\n"))
    assert config.tune.hidden_size == (16, 32)


@pytest.mark.parametrize("name", ["load", "North Sea 2.load", "a_b-c", "Wärme+Strom"])
def test_names_that_every_store_takes(write, name):
    config = load_config(write(GOOD), [f'tracking.model_name="{name}"'])
    assert config.tracking.model_name == name
    assert load_config(write(GOOD), ['tracking.experiment="/Shared/plant"']).tracking.experiment


@pytest.mark.parametrize(
    "source", ["{source: '${ROOT}/a.csv'}", "[{source: ['${ROOT}/a.csv']}, b]"]
)
def test_the_environment_of_a_table_does_not_travel(write, source):
    config = load_config(write(GOOD), [f"data.source={source}"], environment={"ROOT": "/vault"})
    assert config.data.sources[0] == "/vault/a.csv"
    assert "vault" not in str(config.resolved())
    again = config_of(config.resolved(), where="bundle")
    assert [one.model_fields_set for one in again.data.tables] == [{"source"}]
