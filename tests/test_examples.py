"""The examples of the documentation run as they stand, in a folder of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
    if path.stem == "own_frame":
        assert done.stdout.splitlines()[-1] == "True"
    if path.stem == "backtest_and_plot":
        assert (tmp_path / "forecast.png").stat().st_size > 10_000


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4
