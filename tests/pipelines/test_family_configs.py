"""The configs of configs/family: one for every choice, each builds, trains a step and forecasts."""

from pathlib import Path
from typing import get_args

import pytest
import torch

from forecast.config import load_config
from forecast.config.modelling import Model
from forecast.data.windows.calendar import calendar_names
from forecast.forecasting.from_config import spec_of
from forecast.models.build import build_head, build_model
from forecast.training.untrained import architecture_of, head_of

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs" / "family").glob("*.yaml"))


def network_of(path):
    config = load_config(path)
    labels = tuple((name, ("a", "b", "c")) for name in config.data.categories)
    spec = spec_of(config)
    spec = type(spec)(**{**vars(spec), "categories": labels})
    known = (*spec.known, *calendar_names(spec.calendar, spec.holidays))
    head = build_head(head_of(config.model, spec))
    architecture = architecture_of(config.model, spec, known_names=known)
    return head, build_model(architecture, head), spec, len(known)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_trains_a_step_and_forecasts(path):
    torch.manual_seed(0)
    head, network, spec, known_count = network_of(path)
    context, horizon, targets = spec.context_length, spec.horizon, len(spec.targets)
    past = torch.randint(3, (4, context, targets + len(spec.past))).float()
    past[0], past[1, : context // 2] = torch.nan, torch.nan
    known = torch.randn(4, context + horizon, known_count)
    static = torch.randn(4, len(spec.static))
    target = torch.randint(3, (4, horizon, targets)).float()
    loss = head.loss(network(past, known, static, target), target)
    loss.backward()
    assert bool(torch.isfinite(loss))
    grads = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert all(bool(torch.isfinite(grad).all()) for grad in grads)
    with torch.no_grad():
        params = network.eval()(past, known, static)
        values = head.quantiles(params, torch.tensor(spec.levels))
    assert values.shape == (4, horizon, targets, len(spec.levels))
    assert bool(torch.isfinite(values).all())
    assert bool((values.diff(dim=-1) >= 0).all())


@pytest.mark.parametrize("field", ["cell", "kind", "head"])
def test_every_choice_has_a_config(field):
    choices = set(get_args(Model.model_fields[field].annotation))
    assert {getattr(load_config(path).model, field) for path in CONFIGS} == choices


def test_names_follow_the_files():
    assert [load_config(path).name for path in CONFIGS] == [f"family-{p.stem}" for p in CONFIGS]
