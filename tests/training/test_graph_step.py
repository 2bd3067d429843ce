"""The step that can be captured does what Lightning's does."""

import copy

import pytest
import torch

from forecast.config.modelling import Model
from forecast.training.closed_form import fit_linear
from forecast.training.graph_step import TrainStep
from forecast.training.loader import WindowLoader
from forecast.training.module import Optimisation
from tests.tiny import SPEC, tiny_fit, tiny_panel, tiny_split, tiny_untrained

STEPS, BATCH = 10, 16


@pytest.mark.parametrize("kind", ["segment", "direct"])
def test_the_same_weights_as_by_lightning(tmp_path, kind):
    panel = tiny_panel(300)
    panel.values[50:60] = torch.nan
    split = tiny_split(panel)
    model = Model(kind=kind, hidden_size=6, dropout=0.2, quantile_levels=(0.1, 0.5, 0.9))
    settings = {"epochs": 1, "batch_size": BATCH, "windows_per_epoch": STEPS * BATCH}
    fitted = tiny_fit(panel, tmp_path, model=model, average_decay=0.9, **settings)

    forecaster = tiny_untrained(panel, model=model)
    fit_linear(forecaster, panel, split, model.linear)
    network = forecaster.network.train()
    windows = SPEC.windows(panel)
    loader = WindowLoader(windows, split.train, batch_size=BATCH, epoch_windows=STEPS * BATCH)
    rows = loader.order()
    order = torch.stack([torch.as_tensor(part[rows]) for part in split.train])
    schedule = Optimisation(epochs=1)
    rates = torch.tensor([0.01 * schedule.rate(step, STEPS) for step in range(STEPS)])
    shares = torch.tensor([1.0, *(1 - min(0.9, (1 + n) / (10 + n)) for n in range(1, STEPS))])
    slow = copy.deepcopy(network)
    step = TrainStep(
        network, windows.gather, order, batch_size=BATCH, rates=rates, average=(slow, shares)
    )
    torch.manual_seed(0)
    for _ in range(STEPS):
        step()
    loss = float(step.loss_sum) / STEPS
    assert loss == pytest.approx(fitted.fit.history[0]["train_loss"], rel=1e-5)
    expected = dict(fitted.fit.network.named_parameters())
    for name, weight in slow.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[name], rtol=1e-4, atol=1e-5)
