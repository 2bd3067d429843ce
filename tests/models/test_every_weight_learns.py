"""Every weight gets a gradient from every batch, whatever is missing in it: ranks wait for all."""

from typing import get_args

import pytest
import torch

from forecast.models.draws import Dropout, Rows, rows_of_batch, uniform
from forecast.vocabulary import CellName, HeadName, Kind
from tests.tiny import build_head, build_model

CONTEXT, HORIZON, BATCH = 12, 4, 6
GAPS = ("nowhere", "one", "begin", "everywhere")


def batch(gaps, *, codes=False):
    draw = torch.Generator().manual_seed(0)
    past = torch.rand(BATCH, CONTEXT, 3, generator=draw)
    target = torch.rand(BATCH, HORIZON, 2, generator=draw)
    if codes:
        past[..., :2], target = (2.9 * past[..., :2]).floor(), (2.9 * target).floor()
    known = torch.rand(BATCH, CONTEXT + HORIZON, 2, generator=draw)
    static = torch.rand(BATCH, 2, generator=draw)
    if gaps == "one":
        past[0, 3, 0] = torch.nan
    if gaps == "begin":
        past[0, :5] = torch.nan
    if gaps == "everywhere":
        for tensor in (past, known, static, target):
            tensor.fill_(torch.nan)
    return past, known, static, target


def network(kind, head, **options):
    torch.manual_seed(0)
    return build_model(
        kind,
        head=head,
        context_length=CONTEXT,
        horizon=HORIZON,
        target_count=2,
        past_count=1,
        known_count=2,
        static_count=2,
        hidden_size=5,
        seasons=[4],
        **options,
    )


def without_gradient(model, head, inputs):
    model.zero_grad()
    head.loss(model(*inputs), inputs[-1]).backward()
    return [name for name, weight in model.named_parameters() if weight.grad is None]


@pytest.mark.parametrize("gaps", GAPS)
@pytest.mark.parametrize("cell", get_args(CellName))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_cell_of_every_kind(kind, cell, gaps):
    head = build_head(name="point")
    model = network(kind, head, cell=cell, layers=2, dropout=0.2, initial_state="learned")
    assert without_gradient(model, head, batch(gaps)) == []


@pytest.mark.parametrize("gaps", GAPS)
@pytest.mark.parametrize("name", get_args(HeadName))
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_head_of_every_kind(kind, name, gaps):
    head = build_head(name=name, categories=3)
    model = network(kind, head, ensemble=2)
    inputs = batch(gaps, codes=name == "categorical")
    assert without_gradient(model, head, inputs) == []


@pytest.mark.parametrize("teacher_forcing", [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0)])
@pytest.mark.parametrize("kind", ["recursive", "encoder_decoder"])
def test_every_teacher_forcing(kind, teacher_forcing):
    head = build_head(name="point")
    model = network(kind, head, teacher_forcing=teacher_forcing)
    assert without_gradient(model, head, batch("one")) == []


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_ranks_drop_what_one_process_drops(world, axis):
    """Two entries of the axis a window, windows dealt out in turn."""
    shape = [14, 5] if axis == 0 else [5, 14]
    drop = Dropout(0.5, windows=axis)
    torch.manual_seed(3)
    whole = drop(torch.ones(shape)).movedim(axis, 0).unflatten(0, (7, 2))
    for rank in range(world):
        rows = Rows(rank, world, 7)
        part = torch.ones(shape).narrow(axis, 0, 2 * rows.own)
        torch.manual_seed(3)
        with rows_of_batch(rows):
            own = drop(part).movedim(axis, 0).unflatten(0, (rows.own, 2))
        assert torch.equal(own, whole[rank::world])
    assert 0 < whole.eq(0).sum() < whole.numel()


def test_ranks_draw_what_one_process_draws():
    torch.manual_seed(1)
    whole = uniform([5, 1], torch.device("cpu"))
    torch.manual_seed(1)
    with rows_of_batch(Rows(1, 2, 5)):
        assert torch.equal(uniform([2, 1], torch.device("cpu")), whole[1::2])


def test_a_bundle_of_classes_with_a_gate_still_loads():
    model = network("segment", build_head(name="categorical", categories=3))
    gate = network("segment", build_head(name="point")).gate.state_dict()
    model.load_state_dict(model.state_dict() | {f"gate.{name}": gate[name] for name in gate})


def test_a_bundle_with_a_start_of_the_decoder_still_loads():
    head = build_head(name="point")
    model = network("encoder_decoder", head, initial_state="learned")
    state = model.state_dict() | {"decoder.recurrent.initial": torch.zeros(1, 1, 10)}
    model.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        model.load_state_dict(state | {"decoder.recurrent.final": torch.zeros(1)})


@pytest.mark.parametrize("gaps", GAPS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole"])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_gradients_of_shares_add_up_to_those_of_the_batch(kind, cell, gaps):
    """What ranks hold, weighed by how many targets are observed there: 4 and 2 windows."""
    head = build_head(name="point_quantile")
    options = {"teacher_forcing": (0.5, 0.5)} if kind in {"recursive", "encoder_decoder"} else {}
    model = network(kind, head, cell=cell, layers=2, dropout=0.3, **options).double()
    inputs = [tensor.double() for tensor in batch(gaps)]
    inputs[-1][4, 1:] = torch.nan

    def gradients(rank, world):
        own = [tensor[rank::world] for tensor in inputs]
        model.zero_grad()
        torch.manual_seed(5)
        with rows_of_batch(Rows(rank, world, BATCH)):
            head.loss(model(*own), own[-1]).backward()
        weight = own[-1].isfinite().sum()
        return torch.cat([w.grad.flatten() for w in model.parameters()]), weight

    whole, _ = gradients(0, 1)
    shares = [gradients(rank, 4) for rank in range(4)]
    count = sum(weight for _, weight in shares).clamp(min=1)
    together = sum(part * weight for part, weight in shares) / count
    torch.testing.assert_close(together, whole, rtol=1e-9, atol=1e-12)
