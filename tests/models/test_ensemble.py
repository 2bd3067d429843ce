"""Ensembles: members trained as if alone, one linear path, forecasts averaged as the head says."""

import pytest
import torch

from forecast.config.modelling import Transfer
from forecast.data.windows.windows import batches
from forecast.errors import ModelError
from forecast.forecasting.forecaster import Forecaster
from forecast.models.ensemble import Ensemble, members_of
from forecast.models.heads.point_heads import Head
from forecast.training.closed_form import fit_linear, fit_trust
from forecast.training.fitting import fit_forecaster
from forecast.training.start_weights import start_from
from tests.tiny import (
    MODEL,
    TRAINING,
    build_head,
    build_model,
    tiny_fit,
    tiny_panel,
    tiny_split,
    tiny_untrained,
)

HEADS = [
    "point",
    "point_quantile",
    "gaussian",
    "student_t",
    "negative_binomial",
    "asymmetric_laplace",
    "categorical",
]
LEVELS = torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9])
B, L, H = 3, 12, 4


def model(members, *, head="point", kind="direct", seed=0):
    torch.manual_seed(seed)
    sizes = {"context_length": L, "horizon": H, "known_count": 1, "static_count": 2}
    made = build_head(head, categories=4)
    return build_model(kind, head=made, hidden_size=6, ensemble=members, **sizes)


def window():
    draw = torch.Generator().manual_seed(2)
    past = torch.randn(B, L, 1, generator=draw)
    return past, torch.randn(B, L + H, 1, generator=draw), torch.ones(B, 2)


def segment_ensemble(members=3):
    return MODEL.model_copy(update={"kind": "segment", "ensemble": members})


def test_one_member_is_the_plain_network():
    alone, three = model(1), model(3)
    assert not isinstance(alone, Ensemble)
    assert members_of(alone) == [alone]
    first, second, _ = members_of(three)
    assert all(map(torch.equal, alone.parameters(), first.parameters()))
    assert not torch.equal(first(*window()), second(*window()))


@pytest.mark.parametrize("kind", ["segment", "direct", "recursive", "encoder_decoder", "aligned"])
def test_the_forecast_of_every_kind_is_the_mean_of_its_members(kind):
    ensemble = model(3, kind=kind).eval()
    each = [member(*window()) for member in members_of(ensemble)]
    assert torch.allclose(ensemble(*window()), torch.stack(each).mean(0))


@pytest.mark.parametrize("name", HEADS)
def test_every_head_averages_forecasts_into_one_that_it_reads(name):
    """Quantiles rise, point and quantiles lie inside the members', equal members change nothing."""
    ensemble = model(3, head=name).eval()
    head = ensemble.head
    assert isinstance(head, Head)
    each = [member(*window()) for member in members_of(ensemble)]
    params = head.average(each)
    quantiles = head.quantiles(params, LEVELS)
    members = torch.stack([head.quantiles(one, LEVELS) for one in each])
    assert bool((quantiles.diff(dim=-1) >= 0).all())
    slack = 2e-3  # of the Student-t table and the bisection
    assert bool((quantiles >= members.amin(0) - slack).all())
    assert bool((quantiles <= members.amax(0) + slack).all())
    points = torch.stack([head.point(one) for one in each])
    assert bool((head.point(params) >= points.amin(0) - 1e-5).all())
    assert bool((head.point(params) <= points.amax(0) + 1e-5).all())
    alike = head.average([each[0]] * 3)
    assert torch.allclose(head.quantiles(alike, LEVELS), members[0], atol=slack)
    assert torch.allclose(head.point(alike), points[0], atol=1e-5)


def test_a_mixture_holds_the_mean_of_the_densities():
    head = build_head("asymmetric_laplace")
    each = [member(*window())[:1, :1] for member in members_of(model(3, head="asymmetric_laplace"))]
    together = head.average(each)
    for at in torch.linspace(-2, 2, 9):
        target = at.view(1, 1, 1)
        wanted = sum(torch.exp(-head.loss(params, target)) for params in each) / len(each)
        assert torch.allclose(torch.exp(-head.loss(together, target)), wanted)


def test_class_probabilities_are_averaged_and_sum_to_one():
    head = build_head("categorical", categories=4)
    each = [member(*window()) for member in members_of(model(3, head="categorical"))]
    found = head.average(each).exp()
    assert torch.allclose(found.sum(-1), torch.ones(B, H, 1))
    assert torch.allclose(found, torch.stack([one.exp() for one in each]).mean(0))


def test_members_are_trained_on_their_own_forecasts_not_on_the_mean():
    panel = tiny_panel()
    forecaster = tiny_untrained(panel, model=MODEL.model_copy(update={"ensemble": 3}))
    network, split = forecaster.network, tiny_split(panel)
    batch = next(batches(forecaster.spec.windows(panel), split.train, batch_size=64))
    *inputs, target = network.scaled(batch)
    each = [network.head.loss(m(*inputs, target), target) for m in members_of(network.model)]
    assert torch.allclose(network.loss(batch), torch.stack(each).mean())
    of_the_mean = network.head.loss(network.model(*inputs), target)
    assert of_the_mean < torch.stack(each).mean()  # convex losses: the mean is no worse


def test_training_moves_all_members_and_keeps_them_apart(tmp_path):
    panel = tiny_panel()
    fitted = tiny_fit(panel, tmp_path, model=segment_ensemble())
    before = tiny_untrained(panel, model=segment_ensemble())
    trained = members_of(fitted.forecaster.network.model)
    for member, start in zip(trained, members_of(before.network.model), strict=True):
        assert not torch.equal(member.output.weight, start.output.weight)
    assert not torch.equal(trained[0].output.weight, trained[1].output.weight)


def test_a_member_is_trained_as_it_would_be_alone(tmp_path):
    """Batches, clipping and AdamW's steps are those of one network; a mean loss changes nothing."""
    panel = tiny_panel()
    settings = {"gradient_clip": 0.05, "weight_decay": 0.0}
    alone = tiny_fit(panel, tmp_path / "a", **settings).forecaster.network.model
    two = MODEL.model_copy(update={"ensemble": 2})
    both = tiny_fit(panel, tmp_path / "b", model=two, **settings).forecaster.network.model
    first = members_of(both)[0]
    for mine, other in zip(alone.parameters(), first.parameters(), strict=True):
        assert torch.allclose(mine, other, atol=2e-3)


def test_the_linear_path_is_fitted_once_and_shared(tmp_path):
    panel = tiny_panel()
    split = tiny_split(panel)
    chosen = segment_ensemble()
    forecaster = tiny_untrained(panel, model=chosen)
    fit_linear(forecaster, panel, split, chosen.linear)
    first, *others = members_of(forecaster.network.model)
    for other in others:
        assert torch.equal(first.linear.weight, other.linear.weight)
        assert torch.equal(first.linear.rest_weight, other.linear.rest_weight)
    forecaster.network.forget_folds()
    fit_trust(forecaster, panel, split.dev)
    shares = [member.trust for member in (first, *others)]
    assert all(torch.equal(shares[0], share) for share in shares)


def test_a_bundle_gives_back_the_same_forecasts(tmp_path):
    panel = tiny_panel()
    split = tiny_split(panel)
    forecaster = tiny_fit(panel, tmp_path / "c", model=segment_ensemble(2)).forecaster
    forecaster.save(tmp_path / "bundle")
    again = Forecaster.load(tmp_path / "bundle")
    assert len(members_of(again.network.model)) == 2
    found, wanted = again.predict(panel, split.test), forecaster.predict(panel, split.test)
    assert (found.point == wanted.point).all()
    assert (found.quantiles == wanted.quantiles).all()


def transferred(tmp_path, members, *, into, **transfer):
    panel = tiny_panel()
    source = MODEL.model_copy(update={"ensemble": members})
    other = tiny_untrained(panel, model=source, seed=5)
    other.save(tmp_path)
    mine = tiny_untrained(panel, model=MODEL.model_copy(update={"ensemble": into}))
    start_from(mine, Transfer(bundle=str(tmp_path), **transfer))
    return members_of(mine.network.model), members_of(other.network.model)


def test_transfer_gives_each_member_its_own_and_freezes_all(tmp_path):
    mine, others = transferred(tmp_path, 3, into=3, freeze=("recurrent",))
    for member, other in zip(mine, others, strict=True):
        assert torch.equal(_recurrent(member), _recurrent(other))
        assert not _recurrent(member).requires_grad


def test_members_beyond_the_other_runs_take_its_first_again(tmp_path):
    mine, others = transferred(tmp_path, 1, into=2, parts=("recurrent",))
    assert all(torch.equal(_recurrent(member), _recurrent(others[0])) for member in mine)


def test_members_that_would_start_alike_are_refused(tmp_path):
    with pytest.raises(ModelError, match=r"1 of the 2 members .* would start alike; leave one out"):
        transferred(tmp_path, 1, into=2)


def _recurrent(member):
    return member.recurrent.stack.kernel.weight_hh_l0


def test_a_start_of_another_shape_names_the_setting(tmp_path):
    panel = tiny_panel()
    start = tiny_untrained(panel)
    two = MODEL.model_copy(update={"ensemble": 2})

    with pytest.raises(ModelError, match=r"another shape \(ensemble 1 there and 2 here\)"):
        fit_forecaster(
            panel,
            tiny_split(panel),
            start.spec,
            model=two,
            training=TRAINING,
            metric="mae",
            folder=tmp_path,
            start=start,
        )
