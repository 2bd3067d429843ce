"""What known covariates explain at their own step: its size, its gaps, and when it is left out."""

import torch

from forecast.data.windows.train_folds import FoldSpan
from forecast.models.linear.known_effect import KnownEffect

L, H, K = 12, 4, 2
NAN = float("nan")


def windows(seed, *, effect, count=300):
    """Noise, and `effect` times the covariates of the same step."""
    generator = torch.Generator().manual_seed(seed)
    known = torch.randn(count, L + H, K, generator=generator)
    effects = torch.tensor(effect)
    values = known @ effects.T + 0.3 * torch.randn(count, L + H, len(effect), generator=generator)
    return values[:, :L], known, torch.zeros(count, 0), values[:, L:]


def fitted(effect, **gaps):
    module = KnownEffect(len(effect), K, context_length=L, season=4)
    module.fit({FoldSpan(n, n): [windows(n, effect=effect, **gaps)] for n in range(4)})
    return module.weight


def test_the_effect_is_found_for_each_target():
    effect = [[2.0, -1.0], [0.0, 0.5]]
    torch.testing.assert_close(fitted(effect), torch.tensor(effect), atol=0.03, rtol=0)


def test_a_target_that_does_not_follow_keeps_no_effect():
    weight = fitted([[1.0, 0.0], [0.0, 0.0]])
    assert bool(weight[0].any())
    assert not bool(weight[1].any())


def test_a_lone_fold_is_judged_by_itself():
    module = KnownEffect(2, K, context_length=L, season=4)
    module.fit({FoldSpan(0, 0): [windows(0, effect=[[1.0, 0.0], [0.0, 0.0]])]})
    assert bool(module.weight[0].any())
    assert not bool(module.weight[1].any())


def test_rows_with_a_gap_are_left_out():
    past, known, static, target = windows(0, effect=[[1.0, 0.0]])
    known[::2, L + 1] = NAN
    target[1::2, 2] = NAN
    other = windows(1, effect=[[1.0, 0.0]])
    module = KnownEffect(1, K, context_length=L, season=4)
    module.fit({FoldSpan(0, 0): [(past, known, static, target)], FoldSpan(1, 1): [other]})
    torch.testing.assert_close(module.weight, torch.tensor([[1.0, 0.0]]), atol=0.03, rtol=0)


def test_a_gap_takes_the_mean_of_its_step_of_the_season():
    module = KnownEffect(1, 1, context_length=4, season=2)
    known = torch.tensor([1.0, 5.0, 3.0, NAN, NAN, 7.0, NAN]).reshape(1, 7, 1)
    filled = module.filled(known)[0, :, 0]
    torch.testing.assert_close(filled, torch.tensor([1.0, 5, 3, 6, 2, 7, 2]))
    empty = module.filled(torch.full((1, 7, 1), NAN))
    assert not bool(empty.any())
    one = module.filled(torch.tensor([NAN, 4.0, NAN, NAN]).reshape(1, 4, 1))
    assert one[0, :, 0].tolist() == [4.0, 4.0, 4.0, 4.0]
