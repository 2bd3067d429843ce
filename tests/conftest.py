"""Fixtures for every room: the command line as a user runs it, and the folder of real data."""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from forecast import redaction
from tests.site import write_site

ROOT = Path(__file__).resolve().parents[1]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("local", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest file: the others fill the time beside it, a process each."""
    items.sort(key=lambda item: item.path.name != "test_real_runs.py")


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """Forget the secrets that a test made this process hide: "address" is one in some."""
    yield
    redaction._known.clear()


def run_cli(
    *args: object, cwd: Path, env: dict[str, str] | None = None, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run ``forecast ARGS`` in a process of its own and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, args)],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **(env or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


@pytest.fixture
def cli(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``forecast ARGS`` in the test's folder, unless ``cwd`` names another."""
    return functools.partial(run_cli, cwd=tmp_path)


@pytest.fixture(scope="session")
def trained_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small site with a champion and its first forecasts; copy to change."""
    from pipelines.cli import main

    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    with pytest.MonkeyPatch.context() as patch:  # in this process: another imports for seconds
        patch.chdir(folder)
        for verb in ("train", "predict"):
            assert main([verb, "run.yaml"]) == 0
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of public data sets for the tests that need one; it is not shipped."""
    folder = Path(os.environ.get("FORECAST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no folder of public data sets (FORECAST_DATA)")
    return folder
