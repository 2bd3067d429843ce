"""A refit learns from calibration and dev too, and from nothing later."""

from dataclasses import replace

import pytest
import torch

from forecast.config import Config
from forecast.forecasting.experiment import Experiment
from forecast.training import refit
from forecast.training.fit_experiment import fit_experiment
from tests.tiny import tiny_panel


def config(**training):
    return Config.model_validate(
        {
            "name": "tiny",
            "data": {"source": "a.csv", "frequency": "1h", "targets": ["y"], "season": 12},
            "windows": {"horizon": 6, "context": 24},
            "split": {"train": 0.8, "dev": 0.1, "test": 0.1, "calibration": 0.1},
            "model": {"hidden_size": 8, "linear": {"trust": True}},
            "training": {
                "epochs": 2,
                "batch_size": 32,
                "windows_per_epoch": 160,
                "accelerator": "cpu",
                "threads": 1,
                **training,
            },
        }
    )


def weights(forecaster):
    return forecaster.network.state_dict()


def test_a_refit_learns_what_was_held_back_and_nothing_of_test(tmp_path):
    panel = tiny_panel()
    whole = Experiment.of(config(), panel)
    fitted = fit_experiment(whole, tmp_path / "a")
    first, last = fitted.forecaster, fitted.refitted
    assert last is fitted.final is not first
    start = int(panel.start[0])
    assert first.spec.trained_until - start == 420
    assert last.spec.trained_until - start == 540
    assert last.calibration is first.calibration
    assert last.scaler.location[0] != first.scaler.location[0]
    assert torch.equal(last.network.model.trust, first.network.model.trust)
    assert not torch.equal(last.network.model.linear.weight, first.network.model.linear.weight)
    panel.values[540:600] = panel.values[1140:1200] = 1e9  # test, of both series
    poisoned = fit_experiment(whole, tmp_path / "b").final
    assert all(torch.equal(a, weights(last)[name]) for name, a in weights(poisoned).items())


def test_a_refit_is_due_where_much_is_held_back_or_as_asked():
    panel = tiny_panel()
    experiment = Experiment.of(config(), panel)  # 60 and 60 beside 420 steps
    assert refit.is_due(experiment)
    assert not refit.is_due(replace(experiment, config=config(refit="never")))
    more = tiny_panel(3000)
    small = {"train": 0.9, "dev": 0.05, "test": 0.05, "calibration": 0.05}
    long = config().model_copy(update={"split": config().split.model_copy(update=small)})
    experiment = Experiment.of(long, more)
    assert not refit.is_due(experiment)
    assert refit.is_due(replace(experiment, config=config(refit="always")))


def test_a_refit_that_does_dev_no_good_is_undone(tmp_path, monkeypatch):
    scores = iter([1.0, 1.5])
    monkeypatch.setattr(refit, "_score", lambda *_: next(scores))
    fitted = fit_experiment(Experiment.of(config(), tiny_panel()), tmp_path)
    assert fitted.final is fitted.forecaster
    assert fitted.notes == ("the refit on dev is undone: dev mae 1.5 after, 1 before",)


def test_an_interrupted_refit_goes_on_and_ends_with_the_same_weights(tmp_path):
    experiment = Experiment.of(config(), tiny_panel())
    found = fit_experiment(experiment, tmp_path).final
    again = fit_experiment(experiment, tmp_path).final  # everything is there: nothing is trained
    assert all(torch.equal(a, weights(again)[name]) for name, a in weights(found).items())


@pytest.mark.parametrize("scheme", ["chronological", "blocked"])
def test_test_blocks_stay_apart_from_what_a_refit_learns(scheme):
    panel = tiny_panel()
    chosen = config().model_copy(
        update={"split": config().split.model_copy(update={"scheme": scheme})}
    )
    experiment = Experiment.of(chosen, panel)
    joined = refit._joined(panel, experiment.split, experiment.spec, stride=1)
    learned = {
        int(panel.start[s] + c) + step
        for s, c in zip(*joined.train, strict=True)
        for step in range(6)
    }
    tested = {step for first, stop in experiment.split.spans["test"] for step in range(first, stop)}
    assert not learned & tested
    assert len(learned) >= 540 - 12  # the first have too little past
