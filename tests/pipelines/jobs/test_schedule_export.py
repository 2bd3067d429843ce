"""Exports are what the other schedulers read: YAML, Python, cron lines, units."""

import ast
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from croniter import croniter

from forecast.config import Config, load_config
from forecast.errors import ConfigError
from pipelines.jobs.schedule_export import airflow, crontab, install, kubernetes, run, systemd_units
from pipelines.scheduling.plan import plan_of
from pipelines.scheduling.systemd_calendar import calendar_lines
from tests.pipelines.conftest import CONFIG

Cli = Callable[..., CompletedProcess[str]]
CRONS = {"predict": "10 * * * *", "retrain": "0 3 * * 0"}


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return a config with two jobs, in a folder whose name needs quoting."""
    folder = tmp_path / "my 100% folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    text = CONFIG.format(name="Tiny_2.weather")
    Path("tiny.yaml").write_text(
        f"{text}schedule: {{predict: '10 * * * *', retrain: '0 3 * * 0', timezone: Asia/Tokyo}}\n"
    )
    return load_config("tiny.yaml")


def test_cron_lines_run_in_the_configs_folder(planned: Config) -> None:
    *_, zone, predict, retrain = crontab(planned, plan_of(planned, ())).splitlines()
    assert zone == "CRON_TZ=Asia/Tokyo"
    for line, cron in ((predict, CRONS["predict"]), (retrain, CRONS["retrain"])):
        assert line.startswith(f"{cron} cd '")
        assert croniter.is_valid(" ".join(line.split()[:5]))
        assert "%" not in line.replace(r"\%", "")
    command = predict.removeprefix("10 * * * * ").replace(r"\%", "%")
    command = command.replace(command.split(" && ")[2].split(" >>")[0], "pwd")
    done = subprocess.run(["sh", "-c", command], check=False, cwd="/")
    assert done.returncode == 0
    log = Path(".forecast/Tiny_2.weather/predict.log")
    assert log.read_text().strip() == str(Path.cwd())


def test_a_literal_secret_is_not_exported(planned: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written out as ***, the exported jobs could not log in and nobody would know why."""
    alert = "alert: {webhook: 'https://hooks.example.org/x?token=s3cretvalue'}"
    text = Path("tiny.yaml").read_text()
    Path("tiny.yaml").write_text(f"{text}{alert}\n")
    with pytest.raises(ConfigError, match=r"alert\.webhook: a secret.*\$\{NAME\}"):
        run(load_config("tiny.yaml"), form="kubernetes")
    monkeypatch.setenv("HOOK", "https://hooks.example.org/x?token=s3cretvalue")
    Path("tiny.yaml").write_text(f"{text}alert: {{webhook: '${{HOOK}}'}}\n")
    exported = kubernetes(load_config("tiny.yaml"), plan_of(load_config("tiny.yaml"), ()))
    assert "${HOOK}" in exported
    assert "s3cretvalue" not in exported


def test_kubernetes_objects_carry_the_config(planned: Config) -> None:
    objects: list[Any] = list(yaml.safe_load_all(kubernetes(planned, plan_of(planned, ()))))
    kinds = [one["kind"] for one in objects]
    assert kinds == ["ConfigMap", "PersistentVolumeClaim", "CronJob", "CronJob"]
    inside = yaml.safe_load(objects[0]["data"]["config.yaml"])
    assert inside == planned.resolved()
    predict = objects[2]
    assert predict["metadata"]["name"] == "tiny-2-weather-predict"
    assert predict["spec"]["schedule"] == "10 * * * *"
    assert predict["spec"]["timeZone"] == "Asia/Tokyo"
    assert predict["spec"]["concurrencyPolicy"] == "Forbid"
    assert predict["spec"]["startingDeadlineSeconds"] == 50 * 3600
    pod = predict["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["args"] == ["predict", "/config/config.yaml"]
    assert pod["restartPolicy"] == "Never"


def test_the_airflow_file_is_python_with_every_job(planned: Config) -> None:
    text = airflow(planned, plan_of(planned, ()))
    tree = ast.parse(text)
    jobs = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "JOBS"
    )
    assert {verb: cron for verb, (cron, _) in jobs.items()} == CRONS
    assert jobs["predict"][1].endswith("-m pipelines.cli predict tiny.yaml")
    assert f"cwd={str(Path.cwd())!r}" in text


def test_jobs_get_the_overrides_of_the_export(planned: Config) -> None:
    sets = ["output.path=my forecasts", "training.seed=1"]
    plan = plan_of(planned, sets)
    quoted = "--set 'output.path=my forecasts' --set training.seed=1"
    assert quoted in crontab(planned, plan)
    assert quoted in airflow(planned, plan).replace('\\"', "'")
    service = systemd_units(planned, plan)["forecast-tiny-2-weather-predict.service"]
    assert '"--set" "output.path=my forecasts" "--set" "training.seed=1"' in service


def test_systemd_units_catch_up(planned: Config) -> None:
    units = systemd_units(planned, plan_of(planned, ()))
    assert sorted(units) == [
        f"forecast-tiny-2-weather-{verb}.{kind}"
        for verb in ("predict", "retrain")
        for kind in ("service", "timer")
    ]
    timer = units["forecast-tiny-2-weather-retrain.timer"]
    assert "OnCalendar=Sun *-*-* 03:00:00 Asia/Tokyo" in timer
    assert "Persistent=true" in timer
    service = units["forecast-tiny-2-weather-predict.service"]
    assert "WorkingDirectory=" in service
    assert "my 100%% folder" in service
    assert '"predict" "tiny.yaml"' in service


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_systemd_reads_the_units(planned: Config) -> None:
    units = systemd_units(planned, plan_of(planned, ()))
    for name, text in units.items():
        Path(name).write_text(text)
    services = [name for name in units if name.endswith(".timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--recursive-errors=no", *services],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "forecast-" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("10 * * * *", ["*-*-* *:10:00 UTC"]),
        ("*/15 6-18 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 06..18:00/15:00 UTC"]),
        ("0 0,12 1 */3 *", ["*-01/3-01 00,12:00:00 UTC"]),
        ("5 4 1 jan sun", ["*-01-01 04:05:00 UTC", "Sun *-01-* 04:05:00 UTC"]),
        ("0 0 * * */3", ["Sun,Wed,Sat *-*-* 00:00:00 UTC"]),
        ("0 0 * * 5-7", ["Fri,Sat,Sun *-*-* 00:00:00 UTC"]),
        ("0-30/10 2 28-31 2 *", ["*-02-28..31 02:00..30/10:00 UTC"]),
    ],
)
def test_cron_in_the_words_of_systemd(cron: str, expected: list[str]) -> None:
    assert calendar_lines(cron, "UTC") == expected
    if shutil.which("systemd-analyze"):
        for line in expected:
            done = subprocess.run(["systemd-analyze", "calendar", line], check=False, text=True)
            assert done.returncode == 0


def test_install_prints_or_writes_and_starts(
    planned: Config,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    install(planned, show=True)
    assert "OnCalendar=*-*-* *:10:00 Asia/Tokyo" in capsys.readouterr().out
    assert not (tmp_path / ".config").exists()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n')
    (bin_folder / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_folder), prepend=":")
    install(planned)
    assert len(list((tmp_path / ".config/systemd/user").iterdir())) == 4
    reload, enable = (tmp_path / "calls").read_text().splitlines()
    assert reload == "--user daemon-reload"
    assert enable.startswith("--user enable --now forecast-tiny-2-weather-predict.timer")


def test_a_systemd_that_refuses_is_said(planned: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path.cwd()))
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="there is no systemd here"):
        install(planned)


@pytest.mark.parametrize("form", ["crontab", "kubernetes", "airflow"])
def test_exports_through_the_command_line(planned: Config, cli: Cli, form: str) -> None:
    done = cli("schedule", "export", "tiny.yaml", "--format", form, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    assert "10 * * * *" in done.stdout


def test_an_unknown_format_and_an_empty_schedule_are_refused(planned: Config) -> None:
    with pytest.raises(ConfigError, match="choose one of crontab, kubernetes, airflow"):
        run(planned, form="nomad")
    empty = load_config("tiny.yaml", ["schedule.predict=null", "schedule.retrain=null"])
    with pytest.raises(ConfigError, match="no job has an expression"):
        run(empty)
