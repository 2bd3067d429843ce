"""Weights of another run: what fits is taken, frozen parts stay, faults are named."""

import pytest
import torch

from forecast.config.modelling import Transfer
from forecast.errors import ModelError
from forecast.models.transfer import PARTS, freeze, part_names, take_weights
from tests.tiny import MODEL, build_head, build_model, tiny_fit, tiny_panel, tiny_untrained

KINDS = ["segment", "direct", "recursive", "encoder_decoder", "aligned"]


def model(kind, seed=0, **options):
    torch.manual_seed(seed)
    sizes = {"context_length": 12, "horizon": 4, "known_count": 1, "static_count": 2}
    options = {"hidden_size": 6, **sizes, **options}
    return build_model(kind, head=build_head("point"), **options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_of_every_kind_is_taken(kind):
    mine, other = model(kind), model(kind, seed=1)
    done = take_weights(mine, other.state_dict())
    assert not done.left
    trained = {name for name, _ in mine.named_parameters()}
    linear = {name for name in trained if name.startswith("linear.")}  # refitted, not learned
    assert trained - set(done.taken) == linear
    for name in done.taken:
        assert torch.equal(mine.state_dict()[name], other.state_dict()[name])


def test_one_part_alone():
    mine, other = model("direct"), model("direct", seed=1)
    before = {name: weight.clone() for name, weight in mine.state_dict().items()}
    take_weights(mine, other.state_dict(), parts=["recurrent"])
    for name, weight in mine.state_dict().items():
        source = other.state_dict() if name.startswith("recurrent") else before
        assert torch.equal(weight, source[name])


def test_a_longer_horizon_keeps_what_fits():
    mine, other = model("direct", horizon=8), model("direct", seed=1)
    done = take_weights(mine, other.state_dict())
    assert set(done.left) == {"step_shape.weight", "step_shape.bias"}
    assert "recurrent.stack.kernel.weight_hh_l0" in done.taken


def test_a_part_that_does_not_fit_at_all_is_an_error():
    other = model("direct", hidden_size=5).state_dict()
    with pytest.raises(ModelError, match=r"part 'recurrent': none .* is \(20, .*there and \(24,"):
        take_weights(model("direct"), other, parts=["recurrent"])
    other = model("direct", cell="peephole").state_dict()
    with pytest.raises(ModelError, match="is not among the other run's weights"):
        take_weights(model("direct"), other, parts=["recurrent"])


def test_unknown_parts_get_the_nearest_name():
    with pytest.raises(ModelError, match=r"no part 'recurent'.*did you mean recurrent"):
        part_names(model("direct"), "recurent")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", PARTS)
def test_frozen_parts_do_not_move(kind, part):
    network = model(kind)
    names = freeze(network, [part])
    assert set(names) <= set(part_names(network, part))
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(weights, lr=0.1)
    past, known, static = torch.randn(3, 12, 1), torch.randn(3, 16, 1), torch.randn(3, 2)
    target = torch.randn(3, 4, 1)
    build_head("point").loss(network(past, known, static, target), target).backward()
    optimizer.step()
    moved = {n for n, weight in network.named_parameters() if not torch.equal(weight, before[n])}
    assert moved
    assert not moved & set(names)


def test_freezing_everything_is_an_error():
    with pytest.raises(ModelError, match="leaves nothing to train"):
        freeze(model("aligned"), PARTS)


def test_training_starts_from_a_bundle_and_leaves_frozen_parts(tmp_path):
    panel = tiny_panel()
    first = tiny_fit(panel, tmp_path / "first", seed=1).forecaster
    first.save(tmp_path / "bundle")
    transfer = Transfer(
        bundle=str(tmp_path / "bundle"), parts=("recurrent",), freeze=("recurrent",)
    )
    model = MODEL.model_copy(update={"transfer": transfer})
    second = tiny_fit(panel, tmp_path / "second", model=model).forecaster
    mine, theirs = second.network.model.state_dict(), first.network.model.state_dict()
    for name in mine:
        assert torch.equal(mine[name], theirs[name]) == name.startswith("recurrent"), name


def test_a_bundle_of_another_width_is_an_error(tmp_path):
    panel = tiny_panel()
    tiny_untrained(panel).save(tmp_path / "bundle")
    transfer = Transfer(bundle=str(tmp_path / "bundle"))
    model = MODEL.model_copy(update={"transfer": transfer, "hidden_size": 9})
    with pytest.raises(ModelError, match=r"none of its .* weights fits"):
        tiny_fit(panel, tmp_path, model=model)
