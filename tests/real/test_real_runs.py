"""Every real set from config alone: prepare, train one short epoch, predict; slow."""

import json

import pytest

from tests.real.sets import ROOT

pytestmark = pytest.mark.slow
NAMES = sorted(path.stem for path in (ROOT / "configs").glob("*.yaml"))
SHORT = ["training.epochs=1", "training.windows_per_epoch=512", "model.hidden_size=16"]


@pytest.mark.parametrize("name", NAMES)
def test_set_runs_from_config_alone(name, real_data, cli, tmp_path):
    overrides = [word for value in SHORT for word in ("--set", value)]
    for verb in ("check", "prepare", "train", "predict"):
        done = cli(
            verb,
            ROOT / "configs" / f"{name}.yaml",
            *overrides,
            env={"FORECAST_DATA": str(real_data)},
            timeout_s=1200,
        )
        assert done.returncode == 0, f"{verb}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    [folder] = (tmp_path / "forecasts" / name).glob("cutoff=*")
    success = json.loads((folder / "_SUCCESS.json").read_text())
    assert success["rows"] > 0
