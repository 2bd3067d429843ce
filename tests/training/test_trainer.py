"""The settings of `training` that only the Trainer sees reach it."""

import pytest
from pytorch_lightning.strategies import DDPStrategy

from forecast.errors import ConfigError
from forecast.ranks import Group
from forecast.training.trainer import build_trainer


@pytest.mark.parametrize("precision", [32, "bf16-mixed"])
def test_precision_reaches_the_trainer(tmp_path, precision):
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=1, precision=precision
    )
    assert str(trainer.precision).startswith(str(precision))


def two_machines(monkeypatch):
    """The third of four processes, two on each machine."""
    place = Group(2, 4, 0, 2, 1, "127.0.0.1", 29_500, 29_500, "torchrun")
    monkeypatch.setattr("forecast.training.trainer.group", lambda: place)


@pytest.mark.parametrize(("devices", "nodes"), [("auto", 1), (2, 2), (2, 1)])
def test_the_processes_that_were_started_make_the_world(tmp_path, monkeypatch, devices, nodes):
    two_machines(monkeypatch)
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=devices, nodes=nodes
    )
    assert (trainer.num_nodes, trainer.num_devices, trainer.world_size) == (2, 2, 4)
    assert (trainer.global_rank, trainer.local_rank, trainer.node_rank) == (2, 0, 1)
    assert not trainer.is_global_zero


@pytest.mark.parametrize(("devices", "nodes"), [(1, 1), (4, 1), ("auto", 3)])
def test_settings_that_contradict_the_processes(tmp_path, monkeypatch, devices, nodes):
    two_machines(monkeypatch)
    with pytest.raises(ConfigError, match="torchrun started 2 processes on each of 2;"):
        build_trainer(
            epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=devices, nodes=nodes
        )


def test_machines_without_a_launcher(tmp_path):
    with pytest.raises(ConfigError, match=r"training.nodes: 2 machines, but .* alone"):
        build_trainer(epochs=1, patience=1, folder=tmp_path, accelerator="cpu", nodes=2)


def test_buffers_do_not_travel_with_every_batch(tmp_path, monkeypatch):
    """Those of the linear path may take hundreds of megabytes."""
    two_machines(monkeypatch)
    trainer = build_trainer(epochs=1, patience=1, folder=tmp_path, accelerator="cpu")
    assert trainer.strategy._ddp_kwargs["broadcast_buffers"] is False


def test_one_process_may_train_by_ddp_too(tmp_path):
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=1, strategy="ddp"
    )
    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer.world_size == 1
