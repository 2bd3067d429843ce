"""The segment strategy: gradients at the borders, cold start, linear path, gate, parallel decode."""

import pytest
import torch

from forecast.data.windows.train_folds import FoldSpan
from forecast.models.recurrent.branching import branched
from forecast.models.recurrent.padded_stack import RecurrentState
from forecast.models.strategies.naive import naive_candidates
from forecast.models.strategies.segment_fit import fit_correction_share, fit_linear_path
from tests.tiny import build_head, build_model

NAN = float("nan")
B, L, H, T, P, K, S = 3, 24, 10, 2, 1, 4, 2
CLOCK = ("promo", "hour_of_day_sin", "hour_of_day_cos", "price")


def model(*, past=P, known=K, static=S, head="point", seed=0, **options):
    torch.manual_seed(seed)
    return build_model(
        "segment",
        head=build_head(head),
        context_length=L,
        horizon=H,
        target_count=T,
        past_count=past,
        known_count=known,
        static_count=static,
        hidden_size=16,
        **{"segment_length": 4, **options},
    ).eval()


def batch(count=B, *, past=P, known=K, static=S, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(count, L, T + past, generator=generator),
        torch.randn(count, L + H, known, generator=generator),
        torch.randn(count, static, generator=generator),
        torch.randn(count, H, T, generator=generator),
    )


@pytest.mark.parametrize("normalization", ["last", "mean_std", "none"])
@pytest.mark.parametrize("head", ["point", "point_quantile"])
@pytest.mark.parametrize("options", [{}, {"seasons": (4, 12)}, {"linear": False}, {"cell": "gru"}])
def test_gaps_and_cold_start_give_finite_forecasts(normalization, head, options):
    past, known, static, _ = batch()
    past[0] = NAN
    past[1, 3:9, 0], past[1, -1, 1], known[1, 2:30], static[1, 0] = NAN, NAN, NAN, NAN
    network = model(normalization=normalization, head=head, **options)
    out = network(past, known, static)
    assert out.shape == (B, H, T, network.head.size)
    assert bool(torch.isfinite(out).all())
    assert not torch.equal(network(past, known, static + 1.0)[0], out[0])


def test_step_one_sees_the_newest_reading_of_its_target():
    past, known, static, _ = batch()
    past.requires_grad_()
    out = model(normalization="none")(past, known, static)
    for target in range(T):
        (gradient,) = torch.autograd.grad(out[:, 0, target].sum(), past, retain_graph=True)
        assert bool((gradient[:, -1, [target, T]] != 0).all())
        assert not bool(gradient[:, :, 1 - target].any())  # targets share weights, not readings


def test_a_ramp_is_continued_by_the_linear_path():
    """On a ramp every step rises by one: fitted on some windows, exact on others."""
    steps = torch.arange(float(L + H))
    windows = (steps[None] + 7.0 * torch.arange(40.0)[:, None]).unsqueeze(-1).repeat(1, 1, T)
    known, static = torch.zeros(40, L + H, 0), torch.zeros(40, 0)
    rows = (windows[:, :L], known, static, windows[:, L:])
    network = model(past=0, known=0, static=0)
    fit = fit_linear_path(
        [network],
        {FoldSpan(0, 0): [tuple(part[:30] for part in rows)]},
        [tuple(p[30:] for p in rows)],
    )
    assert fit.error < 0.02
    out = network(rows[0][30:], known[30:], static[30:])[..., 0]
    torch.testing.assert_close(out, windows[30:, L:], atol=0.05, rtol=0)


def test_linear_path_is_frozen_and_travels_with_the_state():
    network, other = model(), model(seed=1)
    fit_linear_path([network], {FoldSpan(0, 0): [batch(64)]}, [batch(seed=2)])
    assert not any(name.startswith("linear.") for name, _ in network.named_parameters())
    assert bool(network.linear.weight.any())
    other.load_state_dict(network.state_dict())
    torch.testing.assert_close(other(*batch()[:3]), network(*batch()[:3]))


def test_the_newest_readings_are_held_to_matter_most():
    """Rows are fewer than readings, which all say the same: the newest get the weight."""
    past, known, static, _ = batch(12, past=0, known=0, static=0)
    level = torch.randn(12, 1, T)
    past = 0.01 * past + level  # every reading is the level
    network = model(past=0, known=0, static=0, normalization="none", seasons=(6,))
    rows = (past, known, static, level.expand(-1, H, -1))
    fit_linear_path([network], {FoldSpan(0, 0): [rows]}, [rows])
    weight = network.linear.weight[0].abs().mean(-1)
    assert float(weight[-6:].mean()) > 2 * float(weight[:6].mean())


def test_the_stated_error_is_that_of_the_chosen_path():
    def rows(count, seed):
        past, known, static, target = batch(count, seed=seed)
        return past, known, static, past[:, :, :T].mean(1, keepdim=True) + target.clamp(-2, 2)

    network = model(normalization="none")
    fit = fit_linear_path([network], {FoldSpan(0, 0): [rows(40, 3)]}, [rows(400, 4)])
    rows_dev = next(network.linear_rows([rows(400, 4)]))
    error = (network.linear(rows_dev.features) - rows_dev.target).square().mean().sqrt().item()
    assert error == pytest.approx(fit.error, rel=1e-4)


def test_a_stated_linear_context_is_kept_to():
    network = model()
    fit_linear_path([network], {FoldSpan(0, 0): [batch(64)]}, [batch(seed=2)], context_length=5)
    assert not bool(network.linear.weight[:, : L - 5].any())
    assert bool(network.linear.weight[:, L - 5 : L].any())


@pytest.mark.parametrize("head", ["point", "point_quantile", "gaussian"])
def test_trust_is_the_share_of_the_correction_that_helps(head):
    network = model(head=head, seasons=(4,))
    past, known, static, _ = batch(64)
    with torch.no_grad():
        network.output.bias.add_(0.5)
        plain = network(past, known, static)
        linear = past[:, -1:, :T].expand(-1, H, -1)  # the path is not fitted: the last reading
        correction = network.head.point(plain) - linear
        share = torch.tensor([0.3, -0.4])  # the second target is better left alone
        target = linear + share * correction
        target[0, 0, 0] = NAN
        trust = fit_correction_share([network], [(past, known, static, target)])
        kept = network(past, known, static)
    torch.testing.assert_close(torch.tensor(trust), torch.tensor([0.3, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(network.head.point(kept), linear + torch.tensor(trust) * correction)
    spread = network.head.quantiles(plain, torch.tensor([0.2, 0.8])).diff(dim=-1)
    after = network.head.quantiles(kept, torch.tensor([0.2, 0.8])).diff(dim=-1)
    torch.testing.assert_close(after, spread, atol=1e-5, rtol=1e-4)


def test_calendar_phase_enters_the_linear_path():
    with_clock, without = model(known_names=CLOCK), model()
    assert with_clock.linear.weight.shape[1] == without.linear.weight.shape[1] + 8
    past, known, static, target = batch(256)
    angle = 2 * torch.pi * torch.rand(256, 1)
    known[:, L - 1, 1:3] = torch.cat([angle.sin(), angle.cos()], dim=1)
    target = (2 * angle).sin().unsqueeze(-1).expand(-1, H, T) + past[:, -1:, :T]
    errors = [
        fit_linear_path(
            [network],
            {FoldSpan(0, 0): [(past, known, static, target)]},
            [(past, known, static, target)],
        ).error
        for network in (with_clock, without)
    ]
    assert errors[0] < 0.3 * errors[1]


def test_a_network_without_linear_path_has_nothing_to_fit():
    assert fit_linear_path([model(linear=False)], {FoldSpan(0, 0): []}, []) is None


@pytest.mark.parametrize("normalization", ["last", "mean_std"])
def test_gate_starts_at_the_mean_of_the_naive_forecasts(normalization):
    network = model(linear=False, seasons=(4, 12), normalization=normalization)
    network.output.weight.data.zero_()
    network.output.bias.data.zero_()
    past, known, static, _ = batch()
    scale = network.coding.scale(past[..., :T])
    values = (past[..., :T] - scale.location) / scale.scale
    naive = naive_candidates(values, H, (4, 12)).sum(-1) / 7  # and the location itself
    expected = scale.location + scale.scale * naive
    torch.testing.assert_close(network(past, known, static)[..., 0], expected)


def test_naive_candidates_are_the_readings_they_name():
    ramp = torch.arange(12.0).view(1, 12, 1)
    newest, moved, mean = naive_candidates(ramp, 6, (4,))[0, :, 0].T
    assert newest.tolist() == [8, 9, 10, 11, 8, 9]
    assert moved.tolist() == [12, 13, 14, 15, 12, 13]
    assert mean.tolist() == [4, 5, 6, 7, 4, 5]
    ramp[0, 9] = NAN
    assert naive_candidates(ramp, 4, (4,))[0, :, 0, 0].tolist() == [8, 5, 10, 11]
    assert not bool(naive_candidates(torch.full((1, 8, 1), NAN), 4, (4,)).any())


def test_candidates_of_a_season_longer_than_the_context_are_refused():
    with pytest.raises(ValueError, match="a season must be 1 to 12 steps, found 13"):
        naive_candidates(torch.zeros(1, 12, 1), 4, (13,))


def test_parallel_decode_equals_one_step_of_the_kernel():
    network = model()
    past, known, static, _ = batch()
    quick = network(past, known, static)
    # The same weights through the cell itself: gates moved by W_ih x + e become a bias change.
    kernel = network.recurrent.stack.kernel
    state = torch.randn(B * T, 16), torch.randn(B * T, 16)
    layers = RecurrentState(*(part[None] for part in state))
    moved = torch.randn(B, T, 3, 64)
    entry = torch.randn(T, 3, 16)
    hidden = branched(network.recurrent, layers, entry, moved, one_product=True)
    cell = torch.nn.LSTMCell(16, 16)
    for b in range(B):
        for t in range(T):
            for j in range(3):
                cell.weight_ih.data, cell.weight_hh.data = kernel.all_weights[0][:2]
                cell.bias_ih.data = kernel.all_weights[0][2] + moved[b, t, j]
                cell.bias_hh.data = kernel.all_weights[0][3]
                row = b * T + t
                one = cell(entry[t, j][None], (state[0][row : row + 1], state[1][row : row + 1]))
                torch.testing.assert_close(one[0][0], hidden[b, t, j], rtol=1e-5, atol=1e-6)
    assert quick.shape == (B, H, T, 1)


@pytest.mark.parametrize("options", [{}, {"cell": "gru", "layers": 2}, {"seasons": (6,)}])
def test_batch_size_changes_no_output(options):
    network = model(**options)
    past, known, static, _ = batch()
    whole = network(past, known, static)
    for b in range(B):
        one = network(past[b : b + 1], known[b : b + 1], static[b : b + 1])
        torch.testing.assert_close(one, whole[b : b + 1], rtol=1e-5, atol=1e-6)


def test_what_stands_before_the_first_reading_changes_nothing():
    past, known, static, _ = batch()
    past[0, :13] = NAN
    network = model()
    out = network(past, known, static)
    known[0, :13] += 5.0
    torch.testing.assert_close(network(past, known, static), out)


def test_each_known_future_step_moves_its_own_forecast_step():
    past, known, static, _ = batch()
    network = model()
    out = network(past, known, static)
    for step in range(H):
        moved = known.clone()
        moved[:, L + step] += 1.0
        change = (network(past, moved, static) - out).abs().amax(dim=(0, 2, 3))
        assert change[step] > 0
        assert not bool(change[: step // 4 * 4].any())  # and none of an earlier segment


def test_segments_that_do_not_divide_are_padded():
    assert model(segment_length=7)(*batch()[:3]).shape == (B, H, T, 1)
    with pytest.raises(ValueError, match="a segment must hold 1 to 24 steps"):
        model(segment_length=25)


def test_learns_what_the_linear_path_cannot():
    """The next values are the absolute last one: the network must add to the ridge."""
    network = model(past=0, known=0, static=0, normalization="none", dropout=0.0)

    def rows(seed):
        past, known, static, _ = batch(256, past=0, known=0, static=0, seed=seed)
        return past, known, static, past[:, -1:, :T].abs().expand(-1, H, -1)

    fit_linear_path([network], {FoldSpan(0, 0): [rows(1)]}, [rows(2)])
    held = rows(3)
    before = network.head.loss(network(*held[:3]), held[3]).item()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for seed in range(60):
        past, known, static, target = rows(10 + seed)
        loss = network.head.loss(network(past, known, static), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = network.head.loss(network(*held[:3]), held[3]).item()
    assert after < 0.5 * before
