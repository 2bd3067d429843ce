"""What a quick answer must not load: heavy packages wait until a job needs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "torch",
    "pandas",
    "mlflow",
    "pyarrow",
    "sklearn",
    "numpy",
    "matplotlib",
    "optuna",
    "scipy",
}


def loaded_by(statement: str, cwd: Path) -> set[str]:
    """Return the heavy packages in `sys.modules` after a statement, in a process of its own."""
    script = f"import sys\n{statement}\nprint('LOADED', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return HEAVY & set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["schedule", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    statement = f"from pipelines.cli import main; assert main({arguments}) == 0"
    assert loaded_by(statement, tmp_path) == set()


def test_a_fault_of_the_config_is_told_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("name: a\ndatta: {}\n", encoding="utf-8")
    statement = "from pipelines.cli import main; assert main(['train', 'run.yaml']) == 2"
    assert loaded_by(statement, tmp_path) == set()


def test_the_library_does_not_need_the_tracking_server(tmp_path: Path) -> None:
    assert "mlflow" not in loaded_by("import forecast.models, forecast.data, forecast", tmp_path)
