"""What holds for every kind: shapes, cold start, padding, batch size, gradients at the borders."""

import pytest
import torch

from forecast.errors import ConfigError
from tests.tiny import build_head, build_model

NAN = float("nan")
KINDS = ["direct", "recursive", "encoder_decoder", "aligned"]
B, L, H, T, P, K, S = 3, 12, 4, 2, 1, 2, 2


def model(kind, *, past=P, known=K, static=S, head="point_quantile", **options):
    torch.manual_seed(0)
    return build_model(
        kind,
        head=build_head(head),
        context_length=L,
        horizon=H,
        target_count=T,
        past_count=past,
        known_count=known,
        static_count=static,
        hidden_size=8,
        **options,
    ).eval()


def batch(*, past=P, known=K, static=S):
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(B, L, T + past, generator=generator),
        torch.randn(B, L + H, known, generator=generator),
        torch.randn(B, static, generator=generator),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalization", ["last", "mean_std", "none"])
def test_shapes_with_gaps_everywhere(kind, normalization):
    past, known, static = batch()
    past[0, 3:5], past[1, -1, 0], known[0, 2], static[0, 0] = NAN, NAN, NAN, NAN
    out = model(kind, normalization=normalization)(past, known, static)
    assert out.shape == (B, H, T, 10)
    assert bool(torch.isfinite(out).all())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_window_without_history_is_forecast(kind, cell):
    past, known, static = batch()
    past[0] = NAN
    out = model(kind, cell=cell)(past, known, static)
    assert bool(torch.isfinite(out).all())
    static[0] += 1.0
    moved = model(kind, cell=cell)(past, known, static)
    assert not torch.equal(moved[0], out[0])
    assert torch.equal(moved[1:], out[1:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_what_stands_before_the_first_reading_changes_nothing(kind, cell):
    past, known, static = batch()
    past[0, :7] = NAN
    if kind == "aligned":  # reads no past: where the series begins shows in known covariates
        known[0, :7, 0] = NAN
    network = model(kind, cell=cell, layers=2)
    out = network(past, known, static)
    known[0, :7] += 5.0
    torch.testing.assert_close(network(past, known, static), out)
    alone = network(past[1:], known[1:], static[1:])
    torch.testing.assert_close(alone, out[1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_batch_size_changes_no_output(kind):
    past, known, static = batch()
    network = model(kind)
    whole = network(past, known, static)
    for b in range(B):
        one = network(past[b : b + 1], known[b : b + 1], static[b : b + 1])
        torch.testing.assert_close(one, whole[b : b + 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_step_one_sees_the_newest_observation(kind):
    past, known, static = batch()
    past.requires_grad_()
    known.requires_grad_()
    out = model(kind, normalization="none")(past, known, static)
    out[:, 0, 0].sum().backward()
    newest = known.grad[:, L - 1] if kind == "aligned" else past.grad[:, -1]
    assert bool((newest != 0).all())


@pytest.mark.parametrize("kind", KINDS)
def test_each_known_future_step_moves_its_own_forecast_step(kind):
    past, known, static = batch()
    network = model(kind)
    out = network(past, known, static)
    for step in range(H):
        moved = known.clone()
        moved[:, L + step] += 1.0
        change = (network(past, moved, static) - out).abs().amax(dim=(0, 2, 3))
        assert change[step] > 0
        assert not bool(change[:step].any())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "aligned"])
def test_widths_of_zero_work(kind):
    past, known, static = batch(past=0, known=0, static=0)
    assert model(kind, past=0, known=0, static=0)(past, known, static).shape == (B, H, T, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_static_covariates_may_enter_every_step(kind):
    past, known, static = batch()
    network = model(kind, static_into="steps")
    out = network(past, known, static)
    assert not torch.equal(network(past, known, static + 1.0), out)


@pytest.mark.parametrize("kind", KINDS)
def test_one_to_one_and_many_to_one(kind):
    past, known, static = batch()
    for context in (1, L):
        torch.manual_seed(0)
        network = build_model(
            kind,
            head=build_head("point"),
            context_length=context,
            horizon=1,
            target_count=T,
            past_count=P,
            known_count=K,
            static_count=S,
            hidden_size=8,
        )
        out = network(past[:, -context:], known[:, L - context : L + 1], static)
        assert out.shape == (B, 1, T, 1)
        assert bool(torch.isfinite(out).all())


def test_aligned_reads_no_target():
    past, known, static = batch()
    network = model("aligned")
    assert torch.equal(network(past + 1.0, known, static), network(past, known, static))


def test_aligned_is_causal():
    past, known, static = batch()
    network = model("aligned")
    moved = known.clone()
    moved[:, L + 2] += 1.0
    change = (network(past, moved, static) - network(past, known, static)).abs().amax(dim=(0, 2, 3))
    assert change.tolist()[:2] == [0.0, 0.0]
    assert change[2] > 0
    assert change[3] > 0


def test_aligned_without_known_covariates_is_refused():
    with pytest.raises(ConfigError, match="aligned reads known covariates only"):
        model("aligned", known=0)


@pytest.mark.parametrize("kind", ["segment", *KINDS])
@pytest.mark.parametrize("cell", ["lstm", "gru", "full_gate_recurrence"])
def test_mixed_precision_trains(kind, cell):
    if cell == "lstm" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16 (AVX-512), which torch's LSTM needs")
    past, known, static = batch()
    past[0, :5] = NAN
    network = model(kind, cell=cell, layers=2).train()
    with torch.autocast("cpu", torch.bfloat16):
        out = network(past, known, static, torch.randn(B, H, T))
    out.float().square().mean().backward()
    grads = [weight.grad for weight in network.parameters() if weight.grad is not None]
    assert all(bool(torch.isfinite(grad).all()) for grad in grads)
