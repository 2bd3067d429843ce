"""Every choice of `build_model` and `build_head` changes something; wrong names are refused."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from forecast.config.modelling import Model
from forecast.forecasting.spec import Spec
from forecast.training.untrained import architecture_of, head_of
from forecast.vocabulary import Kind
from tests.builders import sine_panel
from tests.tiny import MODEL, SPEC, build_head, build_model, tiny_fit, tiny_split

B, L, H = 2, 8, 3


def forecast(kind, head=None, **options):
    """Train one step, then forecast: shows what acts in training too."""
    torch.manual_seed(0)
    chosen = build_head(**(head or {"name": "point"}))
    network = build_model(
        kind,
        head=chosen,
        context_length=L,
        horizon=H,
        known_count=1,
        static_count=2,
        **{"hidden_size": 6, **options},
    )
    generator = torch.Generator().manual_seed(1)
    past = torch.randn(B, L, 1, generator=generator)
    known, static = torch.randn(B, L + H, 1, generator=generator), torch.ones(B, 2)
    target = torch.randn(B, H, 1, generator=generator)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        chosen.loss(network(past, known, static, target), target).backward()
        optimizer.step()
    return chosen.point(network.eval()(past, known, static))


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("direct", {"cell": "coupled"}),
        ("direct", {"hidden_size": 7}),
        ("direct", {"layers": 2}),
        ("direct", {"forget_bias": 0.0}),
        ("direct", {"initial_state": "learned"}),
        ("direct", {"peepholes": "diagonal"}),
        ("direct", {"output_identity": True}),
        ("direct", {"normalization": "mean_std"}),
        ("direct", {"static_into": "steps"}),
        ("direct", {"ensemble": 2}),
        ("recursive", {"teacher_forcing": (0.0, 0.0)}),
        ("encoder_decoder", {"teacher_forcing": (0.0, 0.0)}),
        ("encoder_decoder", {"teacher_forcing_steps": 2}),
        ("recursive", {"head": {"name": "point", "loss": "mse"}}),
        ("direct", {"head": {"name": "point_quantile", "levels": (0.2, 0.5)}}),
        ("direct", {"head": {"name": "asymmetric_laplace"}}),
    ],
)
def test_each_option_changes_the_forecast(kind, option):
    assert not torch.equal(forecast(kind), forecast(kind, **option))


@pytest.mark.parametrize("kind", get_args(Kind))
def test_dropout_before_the_output_changes_the_training(kind):
    assert not torch.equal(forecast(kind), forecast(kind, dropout=0.5))


def test_dropout_between_layers_changes_the_training():
    assert not torch.equal(forecast("direct", layers=2), forecast("direct", layers=2, dropout=0.5))


def test_components_change_the_mixture():
    heads = [{"name": "asymmetric_laplace", "components": m} for m in (2, 3)]
    assert build_head(**heads[0]).size == 8
    assert not torch.equal(forecast("direct", heads[0]), forecast("direct", heads[1]))


@pytest.mark.parametrize("kind", ["direct", "recursive", "encoder_decoder", "aligned"])
def test_the_same_seed_gives_the_same_weights(kind):
    assert torch.equal(forecast(kind), forecast(kind))


@pytest.mark.parametrize(
    ("changed", "into"),
    [
        ({"loss": "huber"}, "head"),
        ({"components": 5}, "head"),
        ({"head": "gaussian"}, "head"),
        ({"static_into": "steps"}, "model"),
        ({"teacher_forcing": "none"}, "model"),
        ({"teacher_forcing_steps": 7}, "model"),
        ({"initial_state": "learned"}, "model"),
        ({"peepholes": "full"}, "model"),
        ({"output_identity": True}, "model"),
        ({"ensemble": 3}, "model"),
    ],
)
def test_config_fields_reach_the_builders(changed, into):
    before, after = Model(), Model(**changed)
    spec = Spec(8, 3, "1h", "UTC", ("y",))
    if into == "head":
        assert head_of(before, spec) != head_of(after, spec)
    else:
        names = {"known_names": ()}
        assert architecture_of(before, spec, **names) != architecture_of(after, spec, **names)


def test_wrong_names_are_refused():
    with pytest.raises(ValueError, match="no head is called 'mean'"):
        build_head("mean")
    with pytest.raises(ValueError, match="no kind is called 'seq2seq'"):
        build_model("seq2seq", head=build_head("point"), context_length=2, horizon=1)


def test_cells_without_peepholes_say_so_in_the_config():
    with pytest.raises(ValueError, match="cell gru has neither peepholes"):
        Model(cell="gru", peepholes="diagonal")


def test_classes_are_counted_from_the_labels_of_the_targets():
    labels = (("state", ("off", "idle", "on")), ("shift", ("day", "night")))
    spec = Spec(8, 3, "1h", "UTC", ("state",), ("shift",), categories=labels)
    assert head_of(Model(head="categorical"), spec).categories == 3
    other = Spec(8, 3, "1h", "UTC", ("y",), categories=labels)
    assert head_of(Model(), other).categories == 0


def test_classes_are_trained_as_codes_and_not_calibrated(tmp_path):
    """The text labels of a target survive: no scaling, no interval beside the codes."""
    labels = ("off", "idle", "on")
    panel = sine_panel(600, 12)
    codes = np.digitize(panel.values, [9.5, 10.5]).astype(np.float32)
    panel = replace(panel, values=codes, categories={"y": labels})
    spec = replace(SPEC, categories=(("y", labels),))
    model = MODEL.model_copy(update={"head": "categorical"})
    forecaster = tiny_fit(panel, tmp_path, spec=spec, model=model).forecaster
    answer = forecaster.predict(panel, tiny_split(panel, spec).test)
    assert set(np.unique(answer.point)) <= {0.0, 1.0, 2.0}
    assert set(np.unique(answer.quantiles)) <= {0.0, 1.0, 2.0}
