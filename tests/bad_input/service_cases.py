"""Faults of models, stores, locks and outputs; exit codes 3 to 6, on a site with a champion."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.bad_input.case import Case, write

BUNDLE = ".forecast/plant/bundles/1"
PANEL = ".forecast/plant/panel"
PREDICT = ("predict", "run.yaml")
# What predict rightly leaves of a site: a panel that it made or extended, a bundle it fetched.
STATE = r"^\.forecast(/|$)"
DONE = r"^(\.forecast|forecasts)(/|$)"


def cut(path: str, keep: int) -> Callable[[Path], None]:
    """Return the act of cutting a file short."""

    def act(folder: Path) -> None:
        (found,) = folder.glob(path)
        os.truncate(found, keep)

    return act


def remove(path: str) -> Callable[[Path], None]:
    """Return the act of removing a file."""
    return lambda folder: (folder / path).unlink()


def manifest(**changes: object) -> Callable[[Path], None]:
    """Return the act of changing keys of the bundle's JSON."""

    def act(folder: Path) -> None:
        path = folder / BUNDLE / "bundle.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**content, **changes}), encoding="utf-8")

    return act


def held(path: str) -> Callable[[Path], AbstractContextManager[None]]:
    """Return a context in which another holds a lock."""

    @contextmanager
    def context(folder: Path) -> Iterator[None]:
        lock = folder / path
        lock.parent.mkdir(parents=True, exist_ok=True)
        holder = {"pid": 4711, "host": "plant-pc", "verb": "train", "since": "2024-01-20T03:00"}
        with lock.open("w", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.write(json.dumps(holder))
            handle.flush()
            yield

    return context


def uri(text: str) -> tuple[str, ...]:
    """Return the arguments of a predict that uses another store."""
    return (*PREDICT, "--set", f"tracking.uri={text}")


MODEL_CASES = [
    Case(
        "no-champion",
        4,
        ("plant", "no version is the champion", "forecast train"),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "bundle-truncated",
        0,
        ("model.safetensors is not what was written", "fetched from the registry again"),
        trained=True,
        files=cut(f"{BUNDLE}/model.safetensors", 100),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "bundle-json-truncated",
        0,
        ("bundle.json is not what was written", "fetched from the registry again"),
        trained=True,
        files=cut(f"{BUNDLE}/bundle.json", 300),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "bundle-without-weights",
        0,
        ("model.safetensors is missing", "fetched from the registry again"),
        trained=True,
        files=remove(f"{BUNDLE}/model.safetensors"),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "bundle-of-another-program",
        0,
        ("bundle.json is not what was written", "fetched from the registry again"),
        trained=True,
        files=manifest(schema_version=99),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "bundle-altered",
        0,
        ("model.safetensors is not what was written", "fetched from the registry again"),
        trained=True,
        files=lambda folder: _flip(folder / BUNDLE / "model.safetensors"),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "other-target-than-trained",
        4,
        ("does not fit the data", "y", "wind", "train it again"),
        trained=True,
        config={"targets: [y]\n  covariates: {past: [wind]}": "targets: [wind]"},
        args=PREDICT,
        keeps=STATE,
    ),
    Case(
        "other-frequency-than-trained",
        4,
        ("does not fit the data", "2h", "train it again"),
        trained=True,
        config={"frequency: 1h": "frequency: 2h"},
        args=PREDICT,
        keeps=STATE,
    ),
    Case(
        "version-unknown",
        4,
        ("plant", "99", "1"),
        trained=True,
        args=("promote", "run.yaml", "99"),
        keeps=STATE,
    ),
    Case(
        "rollback-to-nothing",
        4,
        ("plant", "champion"),
        trained=True,
        args=("promote", "run.yaml", "--rollback"),
        keeps=STATE,
    ),
    Case(
        "promote-no-number",
        2,
        ("two", "version"),
        trained=True,
        args=("promote", "run.yaml", "two"),
        keeps=STATE,
    ),
]

STORE_CASES = [
    Case(
        "server-unreachable",
        5,
        ("tracking.uri", "http://127.0.0.1:9", "no MLflow server answers", "start it"),
        args=uri("http://127.0.0.1:9"),
        keeps=DONE,
    ),
    Case(
        "server-unreachable-in-train",
        5,
        ("tracking.uri", "http://127.0.0.1:9", "start it"),
        args=("train", *uri("http://127.0.0.1:9")[1:]),
        keeps=STATE,
    ),
    Case(
        "store-is-a-folder",
        5,
        ("tracking.uri", "'mlruns'", "sqlite:///mlruns/mlflow.db"),
        args=uri("mlruns"),
        keeps=DONE,
    ),
    Case(
        "store-below-a-file",
        5,
        ("readings.csv/mlflow.db",),
        args=("train", *uri("sqlite:///readings.csv/mlflow.db")[1:]),
        keeps=STATE,
    ),
    Case(
        "store-is-no-database",
        5,
        ("junk.db",),
        files=write("junk.db", b"not a database" * 99),
        args=uri("sqlite:///junk.db"),
        keeps=r"^(\.forecast|forecasts)(/|$)|^junk\.db\.lock$",
    ),
    Case(
        "store-of-no-kind",
        5,
        ("tracking store gopher://host", "Supported URI schemes"),
        args=uri("gopher://host"),
        keeps=DONE,
    ),
]

LOCK_CASES = [
    Case(
        "train-locked",
        6,
        (".forecast/plant/lock", "held by train", "4711", "plant-pc", "wait"),
        args=("train", "run.yaml"),
        during=held(".forecast/plant/lock"),
        keeps=STATE,
    ),
    Case(
        "predict-locked",
        6,
        ("predict.lock", "held by", "4711", "wait"),
        trained=True,
        args=PREDICT,
        during=held(".forecast/plant/predict.lock"),
        keeps=STATE,
    ),
]

OUTPUT_CASES = [
    Case(
        "output-below-a-file",
        3,
        ("readings.csv", "cannot be written", "output.path"),
        trained=True,
        args=(*PREDICT, "--set", "output.path=readings.csv/out"),
        keeps=STATE,
    ),
    Case(
        "panel-below-a-file",
        3,
        ("readings.csv/panel",),
        args=("prepare", "run.yaml", "--set", "data.panel=readings.csv/panel"),
        keeps=STATE,
    ),
    Case(
        "cutoff-unreadable",
        2,
        ("'tomorrow'",),
        trained=True,
        args=(*PREDICT, "--cutoff", "tomorrow"),
        keeps=STATE,
    ),
    Case(
        "cutoff-after-the-newest",
        3,
        ("2024-03-01", "after the newest", "2024-01-20T23:00"),
        trained=True,
        args=(*PREDICT, "--cutoff", "2024-03-01T00:00"),
        keeps=STATE,
    ),
    Case(
        "cutoff-before-the-oldest",
        3,
        ("2023-03-01", "before the oldest", "2024-01-01T00:00"),
        trained=True,
        args=(*PREDICT, "--cutoff", "2023-03-01T00:00"),
        keeps=STATE,
    ),
    Case(
        "backfill-backwards",
        2,
        ("--from 2024-01-19", "after --to 2024-01-18"),
        trained=True,
        args=(*PREDICT, "--from", "2024-01-19", "--to", "2024-01-18"),
        keeps=STATE,
    ),
    Case(
        "cutoff-and-backfill",
        2,
        ("--cutoff", "--from/--to", "exclude each other"),
        trained=True,
        args=(*PREDICT, "--cutoff", "2024-01-19", "--to", "2024-01-18"),
        keeps=STATE,
    ),
    Case(
        "nothing-scheduled",
        2,
        ("schedule",),
        config={'schedule: {predict: "10 * * * *"}\n': ""},
        args=("schedule", "run", "run.yaml"),
        keeps=STATE,
    ),
    Case(
        "export-of-no-form",
        2,
        ("crontap", "crontab"),
        args=("schedule", "export", "run.yaml", "--format", "crontap"),
        keeps=STATE,
    ),
    Case(
        "page-below-a-file",
        1,
        ("readings.csv", "File exists", "check the path"),
        args=("check", "run.yaml", "--html", "readings.csv/page.html"),
        keeps=STATE,
    ),
    Case(
        "init-over-mine",
        2,
        ("forecast.yaml", "already there"),
        files=write("forecast.yaml", b"mine"),
        args=("init", "."),
    ),
]

PANEL_CASES = [
    Case(
        "panel-values-cut-short",
        0,
        ("panel is damaged", "values-", "100 bytes", "building it again"),
        trained=True,
        files=cut(f"{PANEL}/values-*.f32", 100),
        args=PREDICT,
        keeps=DONE,
    ),
    Case(
        "panel-account-damaged",
        0,
        ("prepare: 1,440 rows read",),
        trained=True,
        files=cut(f"{PANEL}/meta.json", 40),
        args=PREDICT,
        keeps=DONE,
    ),
]
SERVICE_CASES = [*MODEL_CASES, *STORE_CASES, *LOCK_CASES, *OUTPUT_CASES, *PANEL_CASES]


def _flip(path: Path) -> None:
    """Change the last byte of a file."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
