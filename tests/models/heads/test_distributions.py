"""Likelihoods and quantiles of the distribution heads against scipy."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from forecast.errors import ConfigError
from forecast.models.heads.point_heads import Head
from forecast.models.heads.quantile_functions import beta_cdf, student_t_quantiles
from tests.tiny import build_head

LEVELS = torch.tensor([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99], dtype=torch.float64)
NAMES = ["gaussian", "student_t", "negative_binomial", "asymmetric_laplace", "categorical"]
B, H, T = 3, 2, 2


def made(name):
    head = build_head(name, categories=4)
    generator = torch.Generator().manual_seed(5)
    raw = torch.randn(B, H, T, head.size, generator=generator, dtype=torch.float64)
    location = torch.full((B, 1, T), 3.0, dtype=torch.float64)
    return head, head.place(raw, location, torch.full_like(location, 2.0))


def targets(name):
    if name in ("negative_binomial", "categorical"):
        return torch.arange(B * H * T, dtype=torch.float64).view(B, H, T) % 4
    return torch.linspace(-6, 9, B * H * T, dtype=torch.float64).view(B, H, T)


def peer(name, params):
    match name:
        case "gaussian":
            return stats.norm(params[0], params[1])
        case "student_t":
            return stats.t(params[2], params[0], params[1])
        case "negative_binomial":
            mean, dispersion = params
            return stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))


def laplace_density(y, params):
    m, b, tau, weight = np.split(np.asarray(params), 4)
    ratio = np.sqrt((1 - tau) / tau)  # scipy: exp(-(x - m) kappa) above, exp((x - m) / kappa) below
    kappa, scale = 1 / ratio, b / np.sqrt(tau * (1 - tau))
    return float((np.exp(weight) * stats.laplace_asymmetric(kappa, m, scale).pdf(y)).sum())


@pytest.mark.parametrize("name", NAMES)
def test_they_satisfy_the_protocol(name):
    head, params = made(name)
    assert isinstance(head, Head)
    assert head.point(params).shape == (B, H, T)
    values = head.quantiles(params, LEVELS)
    assert values.shape == (B, H, T, len(LEVELS))
    assert bool((values.diff(dim=-1) >= 0).all())


@pytest.mark.parametrize("name", NAMES)
def test_loss_is_the_mean_negative_log_likelihood(name):
    head, params = made(name)
    target = targets(name)
    target[0, 1, 0] = float("nan")
    logs = []
    for flat, y in zip(params.view(-1, head.size).tolist(), target.flatten().tolist(), strict=True):
        if np.isnan(y):
            continue
        if name == "categorical":
            logs.append(flat[int(y)])
        elif name == "negative_binomial":
            logs.append(peer(name, flat).logpmf(y))
        elif name == "asymmetric_laplace":
            logs.append(np.log(laplace_density(y, flat)))
        else:
            logs.append(peer(name, flat).logpdf(y))
    assert float(head.loss(params, target)) == pytest.approx(-np.mean(logs), rel=1e-6)


@pytest.mark.parametrize("name", ["gaussian", "student_t", "negative_binomial"])
def test_quantiles_equal_scipy(name):
    head, params = made(name)
    values = head.quantiles(params, LEVELS)
    for flat, found in zip(
        params.view(-1, head.size).tolist(), values.view(-1, len(LEVELS)), strict=True
    ):
        wanted = peer(name, flat).ppf(LEVELS.numpy())
        assert found.tolist() == pytest.approx(wanted.tolist(), rel=1e-4, abs=1e-6)


def test_quantiles_of_the_mixture_hold_their_share():
    head, params = made("asymmetric_laplace")
    values = head.quantiles(params, LEVELS)
    for flat, found in zip(
        params.view(-1, head.size)[:4], values.view(-1, len(LEVELS))[:4], strict=True
    ):
        mass, below = 0.0, -150.0
        for level, value in zip(LEVELS.tolist(), found.tolist(), strict=True):
            kinks = [m for m in flat[: head.components].tolist() if below < m < value]
            edges = [below, *sorted(kinks), value]
            mass += sum(
                integrate.quad(laplace_density, a, b, args=(flat,))[0] for a, b in pairwise(edges)
            )
            assert mass == pytest.approx(level, abs=1e-5)
            below = value


@pytest.mark.parametrize("mean", [0.01, 0.7, 30.0, 5000.0])
@pytest.mark.parametrize("dispersion", [1e-3, 0.5, 20.0])
def test_count_quantiles_from_rare_to_many(mean, dispersion):
    head = build_head("negative_binomial")
    params = torch.tensor([mean, dispersion], dtype=torch.float64).view(1, 1, 1, 2)
    wanted = peer("negative_binomial", (mean, dispersion)).ppf(LEVELS.numpy())
    assert head.quantiles(params, LEVELS).flatten().tolist() == wanted.tolist()


def test_student_quantiles_over_all_degrees_of_freedom():
    freedom = torch.tensor([2.0, 2.01, 2.5, 3.7, 10.0, 80.0, 1e4], dtype=torch.float64)
    found = student_t_quantiles(freedom, LEVELS)
    wanted = stats.t(freedom.numpy()[:, None]).ppf(LEVELS.numpy())
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-9)


def test_incomplete_beta_equals_scipy():
    a, b, x = (
        torch.from_numpy(part).double()
        for part in np.random.default_rng(0).uniform(
            [[0.1], [0.1], [0.0]], [[50], [50], [1]], (3, 99)
        )
    )
    np.testing.assert_allclose(beta_cdf(a, b, x), stats.beta(a, b).cdf(x), rtol=1e-8, atol=1e-14)


def test_category_points_and_quantiles():
    head = build_head("categorical", categories=3)
    params = torch.tensor([0.2, 0.5, 0.3]).log().view(1, 1, 1, 3)
    assert head.point(params).item() == 1.0
    levels = torch.tensor([0.1, 0.19, 0.6, 0.71, 0.9999999])
    assert head.quantiles(params, levels).flatten().tolist() == [0.0, 0.0, 1.0, 2.0, 2.0]


def test_points_are_means():
    for name in ("gaussian", "negative_binomial"):
        head, params = made(name)
        flat = params.view(-1, head.size)[0].tolist()
        assert head.point(params).flatten()[0].item() == pytest.approx(peer(name, flat).mean())
    head, params = made("asymmetric_laplace")
    flat = params.view(-1, head.size)[0]
    edges = [-200.0, *sorted(flat[: head.components].tolist()), 200.0]
    mean = sum(
        integrate.quad(lambda y: y * laplace_density(y, flat), a, b)[0] for a, b in pairwise(edges)
    )
    assert head.point(params).flatten()[0].item() == pytest.approx(mean, rel=1e-4)


def test_one_class_is_no_choice():
    with pytest.raises(ConfigError, match="at least two classes, found 1"):
        build_head("categorical", categories=1)
