"""What the linear path is chosen by; training meets fits that know no more of a row than its level."""

import math

import pytest
import torch

from forecast.data.windows.train_folds import FoldSpan
from forecast.models.linear.choice import PENALTIES, Priors, choose, regressions, within, without
from forecast.models.linear.normal_equations import NormalEquations
from forecast.models.linear.path import LinearPath, LinearRows
from forecast.models.linear.prior import common_root, own_root

L, H, T = 8, 2, 3
AGE = torch.arange(L - 1, -1, -1)


def draw(count, seed, *, noise=0.1, own=0.0):
    """Rows whose targets follow one regression, `own` of which differs by channel."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.Generator().manual_seed(99)
    common = 0.3 * torch.randn(1, L, H, generator=truth) / (1 + AGE / 4).square()[:, None]
    apart = 0.3 * torch.randn(T, L, H, generator=truth)
    x = torch.randn(count, T, L, generator=generator).clamp(-0.7, 0.7)  # no target counts less
    y = torch.einsum("ntl,tlh->nth", x, common + own * apart)
    y = y + noise * torch.randn(count, T, H, generator=generator)
    return LinearRows(x, y, torch.ones(count, T, 1))


def span(number):
    """Fold k of train for 2k, the border of folds k and k + 1 for 2k + 1."""
    return FoldSpan(number // 2, (number + 1) // 2)


def path_of(cells, dev, *, levels=False):
    path = LinearPath(T, H, AGE, context_length=L, season=4, levels=levels)
    return path, path.fit({span(number): [rows] for number, rows in cells.items()}, [dev])


def refitted(cells, fit):
    """Fit with what was chosen, to all rows of some cells."""
    sums = NormalEquations.together(cells.values())
    priors = Priors(common_root(AGE, 4, window=L), own_root(AGE, 4), centred=False)
    ((_, ridge),) = regressions(sums, priors, [fit.choice.penalty], [fit.choice.own_penalty])
    return ridge


def sums_of(rows):
    sums = NormalEquations()
    sums.add(rows.features, rows.target)
    return sums


def test_targets_that_are_alike_stay_close_to_one_regression():
    for first in (0, 100, 200):
        cells = {number: draw(12, first + number) for number in range(0, 15, 2)}
        _, fit = path_of(cells, draw(200, first + 50))
        assert fit.choice.own_penalty >= 1.0


def test_targets_that_differ_get_their_own():
    cells = {number: draw(60, number, own=1.0) for number in range(0, 15, 2)}
    path, fit = path_of(cells, draw(200, 50, own=1.0))
    assert fit.choice.own_penalty <= 0.01
    held = draw(200, 51, own=1.0)
    assert float((path(held.features) - held.target).square().mean().sqrt()) < 0.2


def test_the_stated_error_is_that_of_rows_the_fits_have_not_seen():
    cells = {0: draw(40, 0), 2: draw(30, 2), 3: draw(10, 3), 4: draw(50, 4)}
    dev = draw(20, 9)
    _, fit = path_of(cells, dev)
    total, count = 0.0, 0
    for held, seen in (
        ([0], [2, 3, 4]),
        ([2], [0, 4]),
        ([4], [0, 2]),
        (None, [0, 2, 3, 4]),
    ):
        ridge = refitted({number: sums_of(cells[number]) for number in seen}, fit)
        rows = dev if held is None else cells[held[0]]
        error = ridge.predict(rows.features) - rows.target
        total, count = total + float(error.square().sum()), count + error.numel()
    assert fit.error == pytest.approx(math.sqrt(total / count), rel=1e-4)


def test_in_training_a_row_meets_the_fit_without_its_fold():
    cells = {0: draw(40, 0), 1: draw(5, 1), 2: draw(40, 2), 4: draw(40, 4)}
    path, fit = path_of(cells, draw(20, 9))
    rows = cells[2]
    fold = torch.ones(len(rows.features), dtype=torch.int64)
    before = path(rows.features, fold)
    assert not torch.equal(before, path(rows.features))
    poisoned = {**cells}
    for number in (1, 2):  # of the fold itself, and over its border
        poisoned[number] = cells[number]._replace(target=cells[number].target + 100.0)
    sums = {span(number): sums_of(part) for number, part in poisoned.items()}
    ridge = refitted({0: without(sums, 1, 1)}, fit)
    unseen = ridge.predict(rows.features).float()
    level = path(rows.features).mean(dim=0)  # the mean forecast, and no more, is that of all rows
    torch.testing.assert_close(before.mean(dim=0), level, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(before - level, unseen - unseen.mean(dim=0), rtol=1e-4, atol=1e-4)
    path.forget_folds()
    torch.testing.assert_close(path(rows.features, fold), path(rows.features))


def test_what_only_training_needs_does_not_travel():
    path, _ = path_of({0: draw(40, 0), 2: draw(40, 2)}, draw(20, 9))
    assert set(path.state_dict()) == {"weight", "intercept"}
    assert len(path.rest_weight) == 2


def test_a_lone_fold_is_chosen_by_dev():
    rows, dev = draw(40, 0), draw(20, 9)
    path, fit = path_of({0: rows}, dev)
    error = float((path(dev.features) - dev.target).square().mean().sqrt())
    assert fit.error == pytest.approx(error, rel=1e-4)
    assert not len(path.rest_weight)


def test_a_fold_that_is_nearly_all_there_is_falls_back_on_all():
    path, _ = path_of({0: draw(40, 0), 1: draw(4, 1)}, draw(20, 9))
    torch.testing.assert_close(path.rest_weight[0], path.weight)


def test_without_rows_to_judge_by_the_strongest_penalties_are_taken():
    priors = Priors(common_root(AGE, 4, window=L), own_root(AGE, 4), centred=False)
    fit = choose({span(0): sums_of(draw(10, 0))}, NormalEquations(), priors)
    assert fit.choice == (max(PENALTIES), math.inf)
    assert math.isnan(fit.error)


def test_windows_alone_have_no_intercept_and_levels_have_one():
    """A drift that all of train shows is not carried on; a regression on levels needs its own."""
    rising = {n: draw(40, n) for n in (0, 2)}
    rising = {n: rows._replace(target=rows.target + 1.0) for n, rows in rising.items()}
    without_drift, _ = path_of(rising, rising[0])
    assert not bool(without_drift.intercept.any())
    with_levels, _ = path_of(rising, rising[0], levels=True)
    torch.testing.assert_close(with_levels.intercept, torch.ones(T, H), atol=0.15, rtol=0)


def test_no_part_decides_alone():
    """Neither one in which all is a hundred times as large, nor one of a stuck sensor."""
    priors = Priors(common_root(AGE, 4, window=L), own_root(AGE, 4), centred=False)
    quarters = {number: draw(40, number) for number in range(0, 8, 2)}
    cells = {span(number): sums_of(rows) for number, rows in quarters.items()}
    rows = draw(40, 50)
    dev = rows._replace(target=-rows.target)  # it says the opposite of the quarters

    def choice(rows, cells=cells):
        return choose(cells, sums_of(rows), priors).choice

    wild = dev._replace(features=100 * dev.features, target=100 * dev.target)
    assert choice(wild) == choice(dev)
    assert choice(wild, {span(0): cells[span(0)]}) != choice(dev)  # alone it would choose otherwise
    still = dev._replace(features=1e-3 * dev.features, target=1e-6 * dev.target)
    without_dev = choose(cells, NormalEquations(), priors).choice
    assert choice(still) == without_dev
    assert choice(still, {span(0): cells[span(0)]}) != without_dev


def test_parts_are_cut_without_their_borders():
    cells = {}
    for number in range(5):
        cells[span(number)] = sums_of(draw(10 + number, number))
    assert float(without(cells, 1, 1).sums.rows[0]) == 10 + 14
    assert float(within(cells, 0, 1).sums.rows[0]) == 10 + 11 + 12
