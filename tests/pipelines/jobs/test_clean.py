"""`forecast clean` removes what nothing needs any more, and nothing of anybody else's."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from forecast.config import load_config
from pipelines.cli import main
from pipelines.steps.score_tables import SCORES
from pipelines.tracking import CHAMPION, alias_version, tag_version
from pipelines.tracking.registry import BEFORE

WORK = Path(".forecast/plant")


@pytest.fixture
def site(trained_site, tmp_path, monkeypatch):
    """Return a folder with a champion, its forecasts of three days, and their scores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    shutil.copytree(trained_site, tmp_path, dirs_exist_ok=True)
    span = ["--from", "2024-01-13T00:00Z", "--to", "2024-01-13T02:00Z"]
    assert main(["predict", "run.yaml", *span]) == 0
    assert main(["score", "run.yaml", "--set", "monitor.window=1d"]) == 0
    return tmp_path


def files():
    """Return every file below the folder but those of the store and the locks."""
    return {
        str(path)
        for path in Path().rglob("*")
        if path.is_file() and "mlflow" not in str(path) and "lock" not in path.name
    }


def make_copies(numbers):
    """Make copies of the champion's bundle as other versions would lie there."""
    for number in numbers:
        shutil.copytree(WORK / "bundles/1", WORK / "bundles" / str(number))


def test_nothing_needed_is_listed(site, capsys):
    before = files()
    capsys.readouterr()
    assert main(["clean", "run.yaml", "--yes"]) == 0
    assert "nothing to remove" in capsys.readouterr().out
    assert files() == before


def test_what_is_listed_is_what_is_removed_and_the_users_files_stay(site, capsys):
    before = files()
    make_copies([7, 8])
    Path(WORK, "bundles/8/notes.txt").write_text("mine")
    Path(WORK, "bundles/mine").mkdir()
    Path(WORK, "bundles/mine/model.bin").write_text("mine")
    training = WORK / "checkpoints/0123456789ab"
    training.mkdir(parents=True)
    (training / "run.json").write_text(json.dumps({"run_id": "x", "data_fingerprint": "old"}))
    (training / "last.ckpt").write_bytes(b"0" * 5000)
    Path(WORK, "checkpoints/my results").mkdir()
    Path(WORK, "checkpoints/my results/run.json").write_text('{"data_fingerprint": "old"}')
    Path(WORK, "scores.parquet.damaged").write_bytes(b"x")
    everything = files()
    capsys.readouterr()
    assert main(["clean", "run.yaml"]) == 0
    told = capsys.readouterr().out
    assert files() == everything
    listed = {line[:29].strip(): line[29:].split()[:2] for line in told.splitlines()}
    assert listed["copy of a registered bundle"][0] == "2"
    assert listed["checkpoints of other readings"] == ["1", "5"]
    assert listed["damaged file, set aside"] == ["1", "1"]
    assert "--yes" in told
    assert main(["clean", "run.yaml", "--yes"]) == 0
    assert files() - before == {
        str(WORK / "bundles/8/notes.txt"),
        str(WORK / "bundles/mine/model.bin"),
        str(WORK / "checkpoints/my results/run.json"),
    }
    assert before <= files()
    assert not training.exists()
    assert not (WORK / "bundles/7").exists()
    assert main(["predict", "run.yaml"]) == 0
    assert files() >= before


def test_the_champion_before_stays_for_a_rollback(site):
    config = load_config("run.yaml")
    number = alias_version(config, CHAMPION).number
    make_copies([number + 5])
    tag_version(config, number, {BEFORE: number + 5})
    assert main(["clean", "run.yaml", "--yes"]) == 0
    assert (WORK / f"bundles/{number + 5}/bundle.json").exists()


def test_scored_forecasts_go_when_asked_and_their_scores_stay(site, capsys):
    scores = pd.read_parquet(WORK / SCORES)
    capsys.readouterr()
    arguments = ["clean", "run.yaml", "--forecasts-before", "2024-01-13T02:00Z", "--yes"]
    assert main(arguments) == 0
    assert "2 cutoffs before" in capsys.readouterr().out  # within monitor.window: scored again
    assert len(list(Path("forecasts/plant").glob("cutoff=*"))) == 4
    short = ["--set", "monitor.window=1h"]
    assert main(["predict", "run.yaml", "--cutoff", "2024-01-19T00:00Z"]) == 0
    assert main(["score", "run.yaml", *short]) == 0
    Path("forecasts/plant/cutoff=2024-01-13T00-00Z/mine.txt").write_text("mine")
    assert main([*arguments, *short]) == 0
    left = sorted(path.name for path in Path("forecasts/plant").glob("cutoff=*"))
    assert left[0] == "cutoff=2024-01-13T00-00Z"
    assert [one.name for one in Path("forecasts/plant", left[0]).iterdir()] == ["mine.txt"]
    assert "cutoff=2024-01-13T01-00Z" not in left
    assert "cutoff=2024-01-13T02-00Z" in left
    assert main(["score", "run.yaml", *short]) == 0
    after = pd.read_parquet(WORK / SCORES)
    assert set(scores["cutoff"]) <= set(after["cutoff"])


def test_a_time_that_is_none_is_refused(site, capsys):
    assert main(["clean", "run.yaml", "--forecasts-before", "last year"]) == 2
    assert "--forecasts-before 'last year'" in capsys.readouterr().err


def test_unfinished_forecasts_go_but_not_the_only_copy_of_published_ones(site, capsys):
    """Between two renames a published cutoff lies among the unfinished ones."""
    staging = Path("forecasts/plant/.staging")
    cutoff = min(Path("forecasts/plant").glob("cutoff=*"))
    content = {path.name: path.read_bytes() for path in cutoff.iterdir()}
    staging.mkdir(exist_ok=True)
    cutoff.rename(staging / f"{cutoff.name}.0123456789ab.old")
    half = staging / "cutoff=2024-01-19T00-00Z.0123456789ab"
    half.mkdir()
    (half / ".part-00000.tmp").write_bytes(b"0" * 2000)
    (half / "mine.txt").write_text("mine")
    (staging / "mine.txt").write_text("mine")
    capsys.readouterr()
    assert main(["clean", "run.yaml"]) == 0
    told = capsys.readouterr().out
    assert next(line.split()[2:5] for line in told.splitlines() if line.startswith("unfin")) == [
        "1",
        "2",
        "kB",
    ]
    assert main(["clean", "run.yaml", "--yes"]) == 0
    assert {path.name: path.read_bytes() for path in cutoff.iterdir()} == content
    assert not (half / ".part-00000.tmp").exists()
    assert (half / "mine.txt").read_text() == (staging / "mine.txt").read_text() == "mine"
