"""The settings of `training` that only the Trainer sees reach it."""

import pytest

from forecast.training.trainer import build_trainer


@pytest.mark.parametrize("precision", [32, "bf16-mixed"])
def test_precision_reaches_the_trainer(tmp_path, precision):
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=1, precision=precision
    )
    assert str(trainer.precision).startswith(str(precision))


def test_nodes_and_devices_make_the_world(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=2, nodes=3, strategy="ddp"
    )
    assert (trainer.num_nodes, trainer.num_devices, trainer.world_size) == (3, 2, 6)


@pytest.mark.parametrize("strategy", ["auto", "ddp"])
def test_buffers_do_not_travel_with_every_batch(tmp_path, monkeypatch, strategy):
    """Those of the linear path may take hundreds of megabytes."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    trainer = build_trainer(
        epochs=1, patience=1, folder=tmp_path, accelerator="cpu", devices=2, strategy=strategy
    )
    assert trainer.strategy._ddp_kwargs["broadcast_buffers"] is False
