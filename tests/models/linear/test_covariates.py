"""Past covariates in the linear path: carried over gaps, and worth what they explain."""

import torch

from forecast.data.windows.train_folds import FoldSpan
from forecast.models.linear.features import (
    COVARIATE_STEPS,
    carry_forward,
    covariate_age,
    covariate_features,
    with_lead_in,
)
from forecast.models.linear.path import LinearPath, LinearRows

NAN = float("nan")


def test_gaps_carry_the_newest_value_before_them():
    gaps = torch.tensor([NAN, 1.0, NAN, NAN, 2.0, NAN])[None, :, None]
    filled = carry_forward(gaps)[0, :, 0]
    expected = torch.tensor([NAN, 1.0, 1.0, 1.0, 2.0, 2.0])
    torch.testing.assert_close(filled, expected, equal_nan=True)


def test_features_are_the_level_and_the_newest_steps():
    location = torch.tensor([[[7.0, 9.0]]])
    covariates = torch.arange(120.0).reshape(1, 60, 2)
    ahead = torch.tensor([[3.0, 4.0, 5.0]])
    features = covariate_features(location, covariates, ahead)
    width = 1 + 2 * COVARIATE_STEPS + 3
    assert features.shape == (1, 2, len(covariate_age(2, 3, 60))) == (1, 2, width)
    assert features[0, :, 0].tolist() == [7.0, 9.0]
    torch.testing.assert_close(features[0, 1, 1:-3], covariates[0, -COVARIATE_STEPS:].flatten())
    torch.testing.assert_close(features[0, 1, -3:], ahead[0])
    assert covariate_age(0, 4, 60).tolist() == []
    assert covariate_age(2, 1, 3).tolist() == [0, 2, 2, 1, 1, 0, 0, 0]


def test_a_target_that_follows_its_covariate_is_forecast_by_the_linear_path():
    generator = torch.Generator().manual_seed(0)
    context, horizon, rows = 8, 3, 400
    covariates = torch.randn(rows, context, 1, generator=generator)
    window = torch.randn(rows, 1, context, generator=generator)
    target = 2.0 * covariates[:, -1:, 0, None].expand(-1, 1, horizon)
    beside = covariate_features(torch.zeros(rows, 1, 1), covariates, torch.zeros(rows, 0))

    def error(features):
        age = torch.zeros(features.shape[-1], dtype=torch.int64)
        path = LinearPath(1, horizon, age, context_length=context, season=4, levels=True)
        batch = LinearRows(features, target, torch.ones(rows, 1, 1))
        return path.fit({FoldSpan(0, 0): [batch]}, [batch]).error

    assert error(torch.cat([window, beside], dim=-1)) < 0.05
    assert error(window) > 1.0


def test_what_lies_before_the_first_reading_is_taken_as_usual():
    values = torch.tensor([NAN, NAN, NAN, 1.0, 5.0, NAN, 7.0])[None, :, None]  # a season of two
    filled = with_lead_in(values, 2)[0, :, 0]
    torch.testing.assert_close(filled, torch.tensor([6, 1, 6, 1, 5, NAN, 7.0]), equal_nan=True)
    never = with_lead_in(torch.tensor([NAN, NAN, 4.0])[None, :, None], 2)[0, :, 0]
    torch.testing.assert_close(never, torch.tensor([4, NAN, 4.0]), equal_nan=True)
