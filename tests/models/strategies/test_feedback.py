"""What the step-by-step kinds are fed: true values as asked in training, else their own."""

import pytest
import torch

from forecast.models.strategies.decoder import TeacherForcing
from tests.tiny import build_head, build_model

B, L, H = 4, 6, 5
KINDS = ["recursive", "encoder_decoder"]


def model(kind, forcing=(1.0, 1.0), head="point", **options):
    torch.manual_seed(0)
    return build_model(
        kind,
        head=build_head(head, categories=3),
        context_length=L,
        horizon=H,
        known_count=1,
        hidden_size=8,
        teacher_forcing=forcing,
        **options,
    )


def batch():
    generator = torch.Generator().manual_seed(1)
    past = torch.randn(B, L, 1, generator=generator)
    known = torch.randn(B, L + H, 1, generator=generator)
    return past, known, torch.zeros(B, 0), torch.randn(B, H, 1, generator=generator)


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_true_values_each_step_reads_the_one_before(kind):
    past, known, static, target = batch()
    network = model(kind)
    out = network(past, known, static, target)
    for step in range(H):
        moved = target.clone()
        moved[:, step] += 1.0
        change = (network(past, known, static, moved) - out).abs().amax(dim=(0, 2, 3))
        assert not bool(change[: step + 1].any())
        if step + 1 < H:
            assert change[step + 1] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_with_none_the_targets_are_not_read(kind):
    past, known, static, target = batch()
    network = model(kind, (0.0, 0.0))
    assert torch.equal(network(past, known, static, target), network(past, known, static))


@pytest.mark.parametrize("kind", KINDS)
def test_in_forecasting_the_targets_are_not_read(kind):
    past, known, static, target = batch()
    network = model(kind).eval()
    assert torch.equal(network(past, known, static, target), network(past, known, static))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "full_gate_recurrence"])
def test_own_outputs_as_true_values_change_nothing(kind, cell):
    past, known, static, _ = batch()
    network = model(kind, cell=cell)
    own = network.eval()(past, known, static)
    forced = network.train()(past, known, static, own[..., 0])
    torch.testing.assert_close(forced, own)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schedule_mixes_both(kind):
    past, known, static, target = batch()
    network = model(kind, (0.5, 0.5))
    first = network(past, known, static, target)
    assert not torch.equal(network(past, known, static, target), first)
    torch.manual_seed(7)
    one = network(past, known, static, target)
    torch.manual_seed(7)
    assert torch.equal(network(past, known, static, target), one)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_true_values_leave_finite_gradients(kind):
    for forcing in ((1.0, 1.0), (0.5, 0.5), (0.0, 0.0)):
        past, known, static, target = batch()
        target[0, 1:3] = float("nan")
        network = model(kind, forcing)
        network.decoder.head.loss(network(past, known, static, target), target).backward()
        assert all(bool(torch.isfinite(w.grad).all()) for w in network.parameters())


def test_the_share_goes_down_in_a_line_and_is_kept_with_the_weights():
    forcing = TeacherForcing(1.0, 0.2, 4)
    assert [forcing.share() for _ in range(6)] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.2])
    other = TeacherForcing(1.0, 0.2, 4)
    other.load_state_dict(forcing.state_dict())
    assert other.share() == pytest.approx(0.2)
    assert forcing.eval().share() == 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_fed_back_as_codes(kind):
    past, known, static, _ = batch()
    network = model(kind, head="categorical").eval()
    codes = (past > 0).float() + 1.0
    out = network(codes, known, static)
    assert out.shape == (B, H, 1, 3)
    torch.testing.assert_close(out.exp().sum(-1), torch.ones(B, H, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_past_the_newest_reading_the_steps_build_on_each_other(kind):
    """The first step's forecast is what the second is fed, in scaled units."""
    past, known, static, _ = batch()
    network = model(kind, normalization="mean_std").eval()
    own = network(past, known, static)
    target = own[..., 0].clone()
    target[:, 0] += 1.0
    moved = network.train()(past, known, static, target)
    torch.testing.assert_close(moved[:, 0], own[:, 0])
    assert not torch.allclose(moved[:, 1], own[:, 1])
