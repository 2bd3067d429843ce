import itertools

import pytest
import torch

from forecast.data.windows.host_windows import collect_actual
from forecast.errors import ConfigError, DataError, ModelError
from forecast.evaluation.metrics import mae
from forecast.training import checkpoints
from forecast.training.allocator import keep_freed_memory
from forecast.training.checkpoints import forget, is_over, mend
from forecast.training.fit import TrainingStoppedError
from forecast.training.fitting import CALIBRATED_ONCE
from forecast.training.module import Optimisation
from tests.killed import KilledError, full_disk, killed
from tests.tiny import MODEL, tiny_fit, tiny_panel, tiny_split


class Killed(BaseException):
    """What a kill looks like from within."""


def same(one, other):
    states = [f.forecaster.network.state_dict() for f in (one, other)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def stop_after(epochs, with_what):
    def on_epoch(epoch, _):
        if epoch + 1 == epochs:
            raise with_what

    return on_epoch


def test_learns_and_keeps_the_best_epoch(tmp_path):
    fitted = tiny_fit(tiny_panel(), tmp_path, epochs=3, windows_per_epoch=800)
    scores = [row["dev_mae"] for row in fitted.fit.history]
    assert min(scores) < 0.8 * scores[0]
    assert fitted.fit.best_score == min(scores)
    assert scores[fitted.fit.best_epoch] == min(scores)


def test_the_best_weights_are_restored(tmp_path):
    """A rate so high that a later epoch is the worse one: what comes back is the better one."""
    panel = tiny_panel()
    fitted = tiny_fit(panel, tmp_path, epochs=30, patience=1, learning_rate=0.3)
    scores = [row["dev_mae"] for row in fitted.fit.history]
    assert scores[-1] > fitted.fit.best_score
    split = tiny_split(panel)
    answer = fitted.forecaster.predict(panel, split.dev)
    error = mae(collect_actual(panel, split.dev, horizon=6), answer.point)
    assert error == pytest.approx(fitted.fit.best_score, rel=1e-5)


def test_series_of_far_apart_levels_are_trained_in_the_units_they_are_forecast_in(tmp_path):
    panel = tiny_panel()
    panel.values[panel.offset[1] :] *= 1e6
    fitted = tiny_fit(panel, tmp_path)
    assert fitted.forecaster.spec.scaled_series
    split = tiny_split(panel)
    answer = fitted.forecaster.predict(panel, split.dev)
    error = mae(collect_actual(panel, split.dev, horizon=6), answer.point)
    assert error == pytest.approx(fitted.fit.best_score, rel=1e-4)


HAS_BFLOAT16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()


@pytest.mark.skipif(HAS_BFLOAT16, reason="this processor has bfloat16")
def test_half_precision_is_refused_where_the_processor_has_none(tmp_path):
    with pytest.raises(ConfigError, match=r"bf16-mixed needs .* set training.precision: 32"):
        tiny_fit(tiny_panel(), tmp_path, precision="bf16-mixed")
    other = MODEL.model_copy(update={"cell": "gru"})  # which needs none
    assert tiny_fit(
        tiny_panel(), tmp_path, model=other, precision="bf16-mixed", epochs=1
    ).fit.history


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this processor has no bfloat16 (AVX-512)")
@pytest.mark.parametrize("members", [1, 2])
def test_half_precision_on_a_cpu_learns_much_the_same(tmp_path, members):
    panel, model = tiny_panel(), MODEL.model_copy(update={"ensemble": members})
    whole = tiny_fit(panel, tmp_path / "a", model=model).fit
    half = tiny_fit(panel, tmp_path / "b", model=model, precision="bf16-mixed").fit
    assert half.best_score != whole.best_score
    assert half.best_score == pytest.approx(whole.best_score, rel=0.05)


def test_same_seed_same_weights_other_seed_other(tmp_path):
    panel = tiny_panel()
    one, two, other = (tiny_fit(panel, tmp_path / str(i), seed=s) for i, s in enumerate((1, 1, 2)))
    assert same(one, two)
    assert not same(one, other)


def test_stops_when_dev_no_longer_improves(tmp_path):
    fitted = tiny_fit(tiny_panel(), tmp_path, epochs=30, patience=1, learning_rate=0.3)
    assert len(fitted.fit.history) < 30
    assert len(fitted.fit.history) == fitted.fit.best_epoch + 2


def test_resumed_after_a_kill_it_ends_with_the_same_weights(tmp_path):
    panel = tiny_panel()
    settings = {"epochs": 4, "patience": 9, "model": MODEL.model_copy(update={"dropout": 0.3})}
    whole = tiny_fit(panel, tmp_path / "whole", **settings)
    with pytest.raises(Killed):
        tiny_fit(panel, tmp_path / "cut", **settings, on_epoch=stop_after(3, Killed()))
    resumed = tiny_fit(panel, tmp_path / "cut", **settings)
    assert resumed.fit.resumed_epoch == 2  # the third was cut before its checkpoint
    assert resumed.fit.history == whole.fit.history
    assert same(whole, resumed)


def test_finished_training_is_not_repeated(tmp_path):
    panel = tiny_panel()
    first = tiny_fit(panel, tmp_path)
    again = tiny_fit(panel, tmp_path, on_epoch=stop_after(1, AssertionError("trained again")))
    assert same(first, again)
    forget(tmp_path)
    assert not tmp_path.exists()


def test_ctrl_c_says_how_to_go_on(tmp_path):
    panel = tiny_panel()
    with pytest.raises(TrainingStoppedError, match="nothing is kept"):
        tiny_fit(panel, tmp_path, on_epoch=stop_after(1, KeyboardInterrupt()))
    with pytest.raises(TrainingStoppedError, match=r"2 whole epochs are kept in .*last\.ckpt"):
        tiny_fit(panel, tmp_path, epochs=4, on_epoch=stop_after(3, KeyboardInterrupt()))
    assert tiny_fit(panel, tmp_path, epochs=4).fit.resumed_epoch == 2


WORSE = {"epochs": 8, "patience": 9, "learning_rate": 1.0}  # so high that the error goes up again


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return a whole training, and after how many epochs the best was an earlier one."""
    whole = tiny_fit(tiny_panel(), tmp_path_factory.mktemp("whole"), **WORSE)
    scores = [row["dev_mae"] for row in whole.fit.history]
    return whole, next(n for n in range(3, 8) if min(scores[:n]) < scores[n - 1])


def cut_after(folder, epochs):
    """A training that is killed when so many epochs are whole, while the next is being scored."""
    with pytest.raises(Killed):
        tiny_fit(tiny_panel(), folder, **WORSE, on_epoch=stop_after(epochs + 1, Killed()))


def test_resumed_it_goes_on_after_the_last_whole_epoch_though_the_best_was_an_early_one(
    tmp_path, undisturbed
):
    whole, epochs = undisturbed
    cut_after(tmp_path, epochs)
    resumed = tiny_fit(tiny_panel(), tmp_path, **WORSE)
    assert resumed.fit.resumed_epoch == epochs
    assert resumed.fit.history == whole.fit.history
    assert same(whole, resumed)


@pytest.mark.parametrize("content", [b"", b"PK"], ids=["empty", "cut short"])
@pytest.mark.parametrize(
    ("damaged", "lost"),
    [
        (["last.ckpt"], 1),  # the one before is taken
        (["previous.ckpt"], 0),
        (["last.ckpt", "previous.ckpt"], None),
        (["best.ckpt"], None),  # its weights are nowhere else
        (["last.ckpt", "previous.ckpt", "best.ckpt"], None),
    ],
)
def test_damaged_checkpoints_are_set_aside_and_the_end_is_the_same(
    tmp_path, undisturbed, damaged, lost, content
):
    whole, epochs = undisturbed
    cut_after(tmp_path, epochs)
    if damaged == ["best.ckpt"]:
        (tmp_path / "previous.ckpt").unlink()  # which may be the best
    for name in damaged:
        (tmp_path / name).unlink()  # one file may have two names
        (tmp_path / name).write_bytes(content)
    lines = mend(tmp_path)
    assert [any(name in line for line in lines) for name in damaged] == [True] * len(damaged)
    resumed = tiny_fit(tiny_panel(), tmp_path, **WORSE)
    assert resumed.fit.resumed_epoch == (0 if lost is None else epochs - lost)
    assert resumed.fit.history == whole.fit.history
    assert same(whole, resumed)
    forget(tmp_path)
    assert not tmp_path.exists()


def test_the_best_is_found_again_where_it_is_also_the_last(tmp_path):
    panel = tiny_panel()
    whole = tiny_fit(panel, tmp_path)
    assert whole.fit.best_epoch == 1
    (tmp_path / "best.ckpt").unlink()
    (tmp_path / "best.ckpt").write_bytes(b"")
    again = tiny_fit(panel, tmp_path, on_epoch=stop_after(1, AssertionError("trained again")))
    assert same(whole, again)


@pytest.mark.parametrize("place", ["write_whole", "_also_as", "Path.replace"])
@pytest.mark.parametrize("call", [2, 3, 4])
def test_killed_between_the_names_of_a_checkpoint_it_ends_the_same(
    tmp_path, monkeypatch, place, call
):
    """The calls fall into the first three epochs."""
    panel, calls = tiny_panel(), itertools.count(1)
    settings = {"epochs": 4, "patience": 9}
    whole = tiny_fit(panel, tmp_path / "whole", **settings)
    owner = checkpoints.Path if place == "Path.replace" else checkpoints
    name = place.rpartition(".")[2]
    real = getattr(owner, name)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, lambda *a: killed() if next(calls) == call else real(*a))
        with pytest.raises(KilledError):
            tiny_fit(panel, tmp_path / "cut", **settings)
    resumed = tiny_fit(panel, tmp_path / "cut", **settings)
    assert resumed.fit.history == whole.fit.history
    assert same(whole, resumed)
    names = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert names == ["best.ckpt", "last.ckpt", "previous.ckpt"]


def test_a_full_disk_while_a_checkpoint_is_written_loses_no_epoch(tmp_path, monkeypatch):
    panel, calls = tiny_panel(), itertools.count(1)
    real = checkpoints.write_whole
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoints, "write_whole", lambda *a: full_disk() if next(calls) == 3 else real(*a)
        )
        with pytest.raises(OSError, match="No space left"):
            tiny_fit(panel, tmp_path, epochs=4)
    assert tiny_fit(panel, tmp_path, epochs=4).fit.resumed_epoch == 2


def test_the_end_by_early_stopping_is_known_from_the_scores():
    assert is_over([3.0, 2.0, 2.5], epochs=9, patience=1)
    assert not is_over([3.0, 2.0, 2.5], epochs=9, patience=2)
    assert is_over([3.0, 2.0], epochs=2, patience=5)
    assert is_over([3.0, float("nan")], epochs=9, patience=5)
    assert not is_over([], epochs=9, patience=1)


def test_a_loss_that_is_no_number_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"smaller training\.learning_rate"):
        tiny_fit(tiny_panel(), tmp_path, learning_rate=1e30, epochs=3)


def test_no_window_to_choose_by(tmp_path):
    panel = tiny_panel()
    panel.values[480:540] = float("nan")
    panel.values[1080:1140] = float("nan")
    with pytest.raises(DataError, match=r"split\.dev: no"):
        tiny_fit(panel, tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 64),
        ("learning_rate", 0.02),
        ("weight_decay", 0.5),
        ("average_decay", 0.0),
        ("gradient_clip", 1e-3),
        ("windows_per_epoch", 64),
        ("seed", 3),
    ],
)
def test_every_setting_changes_the_weights(tmp_path, field, value):
    panel = tiny_panel()
    plain = tiny_fit(panel, tmp_path / "plain", epochs=1)
    changed = tiny_fit(panel, tmp_path / "changed", epochs=1, **{field: value})
    assert not same(plain, changed)


def test_rate_warms_up_and_falls_to_nothing():
    plan = Optimisation(epochs=1)
    rates = [plan.rate(step, 1000) for step in range(1001)]
    assert rates[0] == pytest.approx(1 / 30)
    assert rates[30] == 1.0
    assert rates[1000] == pytest.approx(0.0, abs=1e-12)
    assert rates[:31] == sorted(rates[:31])
    assert rates[30:] == sorted(rates[30:], reverse=True)


def test_allocator_setting_does_no_harm():
    assert keep_freed_memory() in {True, False}


def test_many_series_are_told_that_their_bands_are_those_of_the_calibration(tmp_path):
    few, many = (
        tiny_fit(tiny_panel(n=300, series=count), tmp_path / str(count), epochs=1)
        for count in (2, 301)
    )
    assert not few.notes
    assert many.notes == (CALIBRATED_ONCE.format(301),)
    assert "301 series are too many" in many.notes[0]
