"""Tests of the streamed ridge regression against scikit-learn's closed form."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from forecast.models.linear.normal_equations import NormalEquations, fit_ridge


def rows(count, channels, features, outputs, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, channels, features, generator=generator, dtype=torch.float64) + 2.0
    w = torch.randn(channels, features, outputs, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, channels, outputs, generator=generator, dtype=torch.float64)
    return x, torch.einsum("ncf,cfh->nch", x, w) + 0.3 * noise - 1.0


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
def test_streamed_fit_equals_sklearn(penalty):
    x, y = rows(200, 3, 7, 4)
    fitted = fit_ridge(zip(x.split(33), y.split(33), strict=True), penalty=penalty)
    for channel in range(3):
        reference = SklearnRidge(alpha=penalty).fit(x[:, channel].numpy(), y[:, channel].numpy())
        np.testing.assert_allclose(fitted.weight[channel].T, reference.coef_, rtol=1e-8)
        np.testing.assert_allclose(fitted.intercept[channel], reference.intercept_, rtol=1e-8)
        np.testing.assert_allclose(
            fitted.predict(x)[:, channel], reference.predict(x[:, channel].numpy()), rtol=1e-8
        )


def test_float32_rows_come_close():
    x, y = rows(500, 1, 20, 2)
    exact = fit_ridge([(x, y)], penalty=1.0)
    quick = fit_ridge([(x.float(), y.float())], penalty=1.0)
    np.testing.assert_allclose(quick.weight, exact.weight, atol=1e-4)


def test_rows_with_a_missing_target_are_left_out_of_their_channel_only():
    x, y = rows(60, 2, 3, 2)
    holed = y.clone()
    holed[10:20, 0, 1] = torch.nan
    fitted = fit_ridge([(x, holed)], penalty=1.0)
    kept = torch.cat([torch.arange(10), torch.arange(20, 60)])
    without = fit_ridge([(x[kept], y[kept])], penalty=1.0)
    whole = fit_ridge([(x, y)], penalty=1.0)
    torch.testing.assert_close(fitted.weight[0], without.weight[0])
    torch.testing.assert_close(fitted.weight[1], whole.weight[1])


def test_weights_are_those_of_sklearn():
    x, y = rows(80, 2, 3, 2)
    weight = torch.rand(80, 2, dtype=torch.float64)
    sums = NormalEquations()
    sums.add(x, y, weight)
    fitted = sums.solve(0.7)
    for channel in range(2):
        reference = SklearnRidge(alpha=0.7).fit(
            x[:, channel].numpy(), y[:, channel].numpy(), weight[:, channel].numpy()
        )
        np.testing.assert_allclose(fitted.weight[channel].T, reference.coef_, rtol=1e-8)
        np.testing.assert_allclose(fitted.intercept[channel], reference.intercept_, rtol=1e-8)


def test_missing_features_count_as_zero():
    x, y = rows(60, 1, 3, 2)
    holed = x.clone()
    holed[::4, 0, 2] = torch.nan
    filled = torch.nan_to_num(holed)
    torch.testing.assert_close(
        fit_ridge([(holed, y)], penalty=1.0).predict(holed),
        fit_ridge([(filled, y)], penalty=1.0).predict(filled),
    )


def test_a_channel_without_rows_forecasts_zero():
    x, y = rows(20, 1, 3, 2)
    fitted = fit_ridge([(x, torch.full_like(y, torch.nan))], penalty=1.0)
    assert fitted.predict(x).abs().max() == 0


def test_path_shares_one_decomposition_and_counts_rows():
    x, y = rows(50, 2, 4, 3)
    sums = NormalEquations()
    sums.add(x, y)
    small, large = sums.path([0.01, 1.0], per_row=True)
    torch.testing.assert_close(small.weight, sums.solve(0.5).weight)
    assert large.weight.norm() < small.weight.norm()


def test_wrong_use_is_refused():
    x, y = rows(5, 1, 2, 2)
    sums = NormalEquations()
    with pytest.raises(ValueError, match="no rows were added"):
        sums.solve(1.0)
    sums.add(x, y)
    with pytest.raises(ValueError, match="must be > 0, found 0"):
        sums.solve(0)
    with pytest.raises(ValueError, match="do not fit the sums so far"):
        sums.add(x[:, :, :1], y)
    with pytest.raises(ValueError, match="must agree on rows and channels"):
        sums.add(x[:4], y)
    with pytest.raises(ValueError, match=r"\(channel, feature\) = \(1, 2\)"):
        sums.solve(1.0).predict(x[:, :, :1])


def test_a_ridge_drawn_towards_another_is_that_of_what_is_left():
    """sklearn on y - xV, with V added again."""
    x, y = rows(60, 2, 4, 3)
    sums = NormalEquations()
    sums.add(x, y)
    toward = sums.pooled().solve(5.0)
    fitted = sums.spectrum().ridge(0.1, toward=toward)
    for channel in range(2):
        features = x[:, channel].numpy()
        left = y[:, channel].numpy() - features @ toward.weight[0].numpy()
        reference = SklearnRidge(alpha=0.1 * 60).fit(features, left)
        weight = fitted.weight[channel].numpy() - toward.weight[0].numpy()
        np.testing.assert_allclose(weight.T, reference.coef_, rtol=1e-7)
        np.testing.assert_allclose(fitted.intercept[channel], reference.intercept_, rtol=1e-7)


def test_pooled_is_one_regression_on_the_rows_of_all_channels():
    x, y = rows(40, 3, 4, 2)
    sums = NormalEquations()
    sums.add(x, y)
    every = (x.flatten(0, 1).unsqueeze(1), y.flatten(0, 1).unsqueeze(1))
    torch.testing.assert_close(sums.pooled().solve(0.3).weight, fit_ridge([every], penalty=0.3)[0])


def test_squared_error_follows_from_the_sums():
    x, y = rows(40, 3, 4, 2)
    weight = torch.rand(40, 3, dtype=torch.float64)
    fitted, held = fit_ridge([(x[:20], y[:20])], penalty=1.0), NormalEquations()
    held.add(x[20:], y[20:], weight[20:])
    error = (fitted.predict(x[20:]) - y[20:]).square() * weight[20:, :, None]
    assert held.squared_error(fitted) == pytest.approx(float(error.sum()), rel=1e-9)
    assert held.output_count == pytest.approx(float(weight[20:].sum()) * 2)


def test_together_is_as_if_added_to_one():
    x, y = rows(40, 3, 4, 2)
    first, second, whole = NormalEquations(), NormalEquations(), NormalEquations()
    first.add(x[:15], y[:15])
    second.add(x[15:], y[15:])
    whole.add(x, y)
    joined = NormalEquations.together([first, NormalEquations(), second])
    torch.testing.assert_close(joined.solve(0.3).weight, whole.solve(0.3).weight)
    assert NormalEquations.together([]).is_empty
