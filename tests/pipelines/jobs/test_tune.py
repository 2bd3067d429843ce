"""The search: never worse than the config itself, under the constraints, and it goes on."""

from pathlib import Path

import pytest

from forecast.config import Config, load_config
from forecast.errors import ModelError
from pipelines.jobs import tune
from pipelines.steps.prepared_panel import prepare
from pipelines.tracking import open_store
from tests.pipelines.jobs.test_retrain import TINY, write_readings

SPACE = "tune: {trials: 2, hidden_size: [4, 8], dropout: [0.0, 0.2]}\n"


@pytest.fixture
def waves(in_folder: Path, shared_store: str, request: pytest.FixtureRequest) -> Config:
    """Return a config with readings and a small search space."""
    write_readings(20)
    text = TINY.format(folder=in_folder).replace("waves", request.node.name)
    Path("waves.yaml").write_text(text + SPACE)
    return load_config("waves.yaml", [f"tracking.uri={shared_store}", "training.epochs=2"])


def _changed(config: Config, *overrides: str) -> Config:
    uri = f"tracking.uri={config.tracking.uri}"
    return load_config("waves.yaml", [uri, "training.epochs=2", *overrides])


@pytest.mark.slow
def test_a_search_goes_on_and_writes_the_best_config(
    waves: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    tune.run(waves)
    assert "2 of 2 trials are left" in capsys.readouterr().out
    longer = _changed(waves, "tune.trials=3")
    tune.run(longer)
    printed = capsys.readouterr().out
    assert "1 of 3 trials are left" in printed
    assert "(the config's own)" in printed
    study = tune.open_study(longer, prepare(longer))
    best = tune.best_trial(study)
    assert study.trials[0].params["hidden_size"] == waves.model.hidden_size
    assert best.value is not None
    assert best.value <= min(one.value for one in study.trials if one.value is not None)
    tuned = load_config(".forecast/test_a_search_goes_on_and_writes_the_best_config/tuned.yaml")
    assert tuned.model.hidden_size == best.params["hidden_size"]
    assert tuned.training.learning_rate == best.params["learning_rate"]
    runs = open_store(waves).client.search_runs([open_store(waves).experiment_id])
    kinds = [run.data.tags["kind"] for run in runs]
    assert sorted(kinds) == ["trial", "trial", "trial", "tune", "tune"]
    parents = {run.info.run_id for run in runs if run.data.tags["kind"] == "tune"}
    children = [run for run in runs if run.data.tags["kind"] == "trial"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == parents
    assert {run.info.status for run in runs} == {"FINISHED"}


@pytest.mark.slow
def test_constraints_rule_out(waves: Config) -> None:
    strict = _changed(waves, "tune.trials=1", 'objective.constraints={coverage_80: ">= 1.5"}')
    with pytest.raises(ModelError, match=r"no trial keeps.*must be >= 1\.5"):
        tune.run(strict)


def test_a_trial_that_was_cut_short_is_repeated(waves: Config) -> None:
    panel = prepare(waves)
    study = tune.open_study(waves, panel)
    trial = study.ask()
    settings = tune._suggest(waves, trial)
    again = tune.open_study(waves, panel)
    assert tune._suggest(waves, again.ask()) == settings
    assert [one.state.name for one in again.trials] == ["FAIL", "RUNNING"]


def test_another_search_space_is_another_search(waves: Config) -> None:
    panel = prepare(waves)
    names = {
        tune.open_study(one, panel).study_name
        for one in (
            waves,
            _changed(waves, "tune.trials=9"),
            _changed(waves, "training.learning_rate=0.002"),
            _changed(waves, "tune.dropout=[0.0, 0.3]"),
            _changed(waves, "tune.hidden_size=[4]"),
            _changed(waves, "tune.learning_rate=[0.001, 0.01]"),
            _changed(waves, "model.kind=segment"),
        )
    }
    assert len(names) == 5  # the count of trials and the start of the search change no search


def test_a_trial_behind_the_others_is_given_up(
    waves: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import optuna

    monkeypatch.setattr(optuna.Trial, "should_prune", lambda _trial: True)
    with pytest.raises(ModelError, match="none was finished"):
        tune.run(_changed(waves, "tune.trials=1"))
    assert "trial 1 is given up" in capsys.readouterr().out
