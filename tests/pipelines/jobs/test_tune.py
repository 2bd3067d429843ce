"""The search: never worse than the config itself, under the constraints, and it goes on."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from forecast.config import Config, load_config
from forecast.errors import DataError, ModelError
from forecast.forecasting.experiment import Experiment
from pipelines.jobs import tune
from pipelines.steps import search, search_trial, search_workers
from pipelines.steps.prepared_panel import prepare
from pipelines.tracking import open_store
from tests.killed import KilledError, killed
from tests.pipelines.jobs.test_retrain import TINY, write_readings

SPACE = "tune: {trials: 2, hidden_size: [4, 8], dropout: [0.0, 0.2]}\n"
SMALL = "tune={trials: 9, space: {model.layers: [1, 2, 3], model.cell: [lstm, gru]}}"


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
    study = search.open_study(longer, prepare(longer))
    best = tune.best_trial(study)
    settings = [search.settings_of(one) for one in study.trials]
    assert settings[0] == search.own_settings(waves)
    assert all(settings.count(one) == 1 for one in settings)
    assert best.value is not None
    assert best.value <= min(one.value for one in study.trials if one.value is not None)
    tuned = load_config(".forecast/test_a_search_goes_on_and_writes_the_best_config/tuned.yaml")
    assert tuned.model.hidden_size == search.settings_of(best)["model.hidden_size"]
    assert tuned.training.learning_rate == search.settings_of(best)["training.learning_rate"]
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
    study = search.open_study(waves, panel)
    first = search.draw(waves, study)
    again = search.open_study(waves, panel)
    second = search.draw(waves, again)
    assert first is not None
    assert second is not None
    assert second.settings == first.settings == search.own_settings(waves)
    assert [one.state.name for one in again.trials] == ["FAIL", "RUNNING"]
    assert search.count_left(waves, again) == 1


def test_a_search_begun_again_draws_no_settings_twice(waves: Config) -> None:
    config = _changed(waves, SMALL)
    panel = prepare(config)
    drawn = []
    for _ in range(3):
        study = search.open_study(config, panel)
        for _ in range(2):
            one = search.draw(config, study)
            assert one is not None
            drawn.append(one.settings)
            study.tell(one.trial, len(drawn))
    assert sorted(map(str, drawn)) == sorted(
        str({"model.layers": layers, "model.cell": cell})
        for layers in (1, 2, 3)
        for cell in ("lstm", "gru")
    )


def test_a_space_that_is_used_up_ends_the_search(
    waves: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config = _changed(waves, "tune={trials: 9, space: {model.cell: [lstm, gru]}}")
    study = search.open_study(config, prepare(config))
    for _ in range(2):
        one = search.draw(config, study)
        assert one is not None
        study.tell(one.trial, 1.0)
    assert search.draw(config, study) is None
    assert "every setting of the search space that can be trained was tried" in (
        capsys.readouterr().out
    )


def test_settings_that_contradict_each_other_are_not_drawn(waves: Config) -> None:
    space = "{model.cell: [lstm, gru], model.peepholes: [null, diagonal]}"
    config = _changed(waves, f"tune={{trials: 9, space: {space}}}")
    study = search.open_study(config, prepare(config))
    drawn = []
    while (one := search.draw(config, study)) is not None:
        drawn.append(tuple(one.settings.values()))
        study.tell(one.trial, 1.0)
    assert sorted(map(str, drawn)) == [
        "('gru', None)",
        "('lstm', 'diagonal')",
        "('lstm', None)",
    ]


def test_any_key_is_drawn_from_its_values_or_range(waves: Config) -> None:
    space = (
        "{model.linear.enabled: [true, false], windows.context: [24h, 48h], "
        "training.weight_decay: {low: 1e-5, high: 1e-2, log: true}, "
        "training.batch_size: {low: 16, high: 64}}"
    )
    config = _changed(waves, f"tune={{trials: 9, space: {space}}}")
    study = search.open_study(config, prepare(config))
    own = search.draw(config, study)
    assert own is not None
    assert own.settings["training.weight_decay"] == 0.0  # the config's own lies outside
    study.tell(own.trial, 1.0)
    one = search.draw(config, study)
    assert one is not None
    changed = search.with_settings(config, one.settings)
    assert changed.model.linear.enabled is one.settings["model.linear.enabled"]
    assert changed.windows.context == one.settings["windows.context"]
    assert 1e-5 <= changed.training.weight_decay <= 1e-2
    assert isinstance(changed.training.batch_size, int)
    assert 16 <= changed.training.batch_size <= 64
    assert changed.training.devices == 1


@pytest.mark.slow
def test_size_time_and_latency_rule_out(waves: Config) -> None:
    costs = '{bundle_mb: "<= 1e-6", minutes: "< 0", latency_ms: "<= 0"}'
    strict = _changed(waves, "tune.trials=1", f"tune.constraints={costs}")
    told = r"no trial keeps.*bundle_mb is .*latency_ms is .*minutes is"
    with pytest.raises(ModelError, match=told):
        tune.run(strict)
    loose = _changed(waves, "tune.trials=1", 'tune.constraints={bundle_mb: "<= 1"}')
    tune.run(loose)


@pytest.mark.slow
def test_processes_share_a_search_and_one_that_dies_is_replaced(
    waves: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(search_workers, "_start", _start_that_kills_the_first(waves))
    config = _changed(waves, "tune.trials=3", "tune.jobs=2", "training.epochs=1")
    tune.run(config)
    study = search.open_study(config, prepare(config))
    done = [search.settings_of(one) for one in study.trials if one.state.name == "COMPLETE"]
    assert len(done) == 3
    assert all(done.count(one) == 1 for one in done)
    assert [one.state.name for one in study.trials].count("FAIL") == 1
    workers = {one.user_attrs["worker"] for one in study.trials}
    assert os.getpid() not in workers
    assert len(workers) >= 2
    assert "died with code -9: it is trained once more" in capsys.readouterr().err
    runs = open_store(waves).client.search_runs([open_store(waves).experiment_id])
    assert sorted(one.info.status for one in runs) == ["FINISHED"] * 4 + ["KILLED"]


def _start_that_kills_the_first(config: Config):
    """Return what starts processes, and kills the first once it trains a trial."""
    started = []
    start = search_workers._start

    def kill_when_it_trains(process, task) -> None:
        study = search.join_study(config, task.study_name)
        while True:
            trial = search.cut_short(study, process.pid)
            if trial is not None and search_trial.RUN_ID in trial.user_attrs:
                with search.search_lock(config):  # as no other process holds it
                    os.kill(process.pid, signal.SIGKILL)
                return
            time.sleep(0.05)

    def begin(task):
        worker = start(task)
        started.append(worker)
        if len(started) == 1:
            watch = threading.Thread(target=kill_when_it_trains, args=(worker.process, task))
            watch.start()
        return worker

    return begin


def test_another_search_space_is_another_search(waves: Config) -> None:
    panel = prepare(waves)
    names = {
        search.open_study(one, panel).study_name
        for one in (
            waves,
            _changed(waves, "tune.trials=9"),
            _changed(waves, "training.learning_rate=0.002"),
            _changed(waves, "tune.dropout=[0.0, 0.3]"),
            _changed(waves, "tune.hidden_size=[4]"),
            _changed(waves, "tune.learning_rate=[0.001, 0.01]"),
            _changed(waves, "model.kind=segment"),
            _changed(waves, "tune.jobs=2"),
            _changed(waves, "tune.space={model.layers: [1, 2]}"),
            _changed(waves, 'tune.constraints={minutes: "< 5"}'),
        )
    }
    assert len(names) == 7  # the count of trials and the start of the search change no search


def test_a_trial_behind_the_others_is_given_up(
    waves: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import optuna

    monkeypatch.setattr(optuna.Trial, "should_prune", lambda _trial: True)
    with pytest.raises(ModelError, match="none was finished"):
        tune.run(_changed(waves, "tune.trials=1"))
    assert "trial 1 is stopped early" in capsys.readouterr().out


def test_readings_that_serve_no_trial_end_the_search(
    waves: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(experiment: Experiment, **_):
        if experiment.config.model.cell == "gru":
            raise DataError("no window is left to train on")
        raise ModelError("the loss is no number")

    monkeypatch.setattr(search_trial, "fit_config", fails)
    config = _changed(waves, "tune={trials: 9, space: {model.cell: [lstm, gru]}}")
    with pytest.raises(ModelError, match="none was finished"):
        tune.run(config)
    told = capsys.readouterr().err
    assert "trial 1 failed: the loss is no number" in told
    assert "trial 2 failed: no window is left" in told
    with pytest.raises(DataError, match="no window is left"):
        tune.run(_changed(waves, "model.cell=gru"))


@pytest.mark.slow
def test_the_run_of_a_trial_that_was_killed_behind_its_score_is_finished(
    waves: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("pipelines.tracking.runs.Run.set_tags", killed)
        with pytest.raises(KilledError):
            tune.run(waves)
    tune.run(waves)
    store = open_store(waves)
    runs = store.client.search_runs([store.experiment_id], "tags.kind = 'trial'")
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    newest = {run.data.metrics["dev_mae"] for run in runs}
    assert newest == {one.value for one in search.open_study(waves, prepare(waves)).trials}
