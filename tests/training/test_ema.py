"""The moving average of weights against its definition."""

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from forecast.training.ema import warm_average


def test_average_follows_its_definition():
    model = torch.nn.Linear(1, 1, bias=False)
    average = AveragedModel(model, multi_avg_fn=warm_average(0.5))
    expected = None
    for n, value in enumerate([4.0, 8.0, 0.0, 2.0, 6.0, 1.0, 3.0, 5.0, 7.0, 9.0]):
        model.weight.data.fill_(value)
        average.update_parameters(model)
        kept = min(0.5, (1 + n) / (10 + n))
        expected = value if n == 0 else kept * expected + (1 - kept) * value
    assert average.module.weight.item() == pytest.approx(expected, rel=1e-6)


def test_buffers_follow_the_model():
    """A closed-form linear path is a buffer: it is kept as it is, not averaged away."""
    model = torch.nn.Linear(1, 1)
    model.register_buffer("path", torch.tensor([3.0]))
    average = AveragedModel(model, multi_avg_fn=warm_average(0.9))
    average.update_parameters(model)
    assert average.module.path.item() == 3.0
