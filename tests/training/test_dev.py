import numpy as np
import pytest
import torch

from forecast.data.windows.host_windows import collect_actual
from forecast.evaluation import metrics
from forecast.training.dev import DevSet, Objective
from tests.tiny import SPEC, tiny_panel, tiny_split, tiny_untrained

LEVELS = np.array(SPEC.levels)


@pytest.fixture(scope="module")
def parts():
    panel = tiny_panel()
    panel.values[560:566] = np.nan  # inside the dev windows of the first series
    forecaster = tiny_untrained(panel)
    split = tiny_split(panel)
    answer = forecaster.predict(panel, split.dev)
    return panel, forecaster, split, answer, collect_actual(panel, split.dev, horizon=6)


def score(parts, metric, *, scale=None, batch_size=128, world=1):
    panel, forecaster, split, _, _ = parts
    objective = Objective(metric, SPEC.levels, None if scale is None else torch.tensor(scale))
    dev = DevSet(SPEC.windows(panel), split.dev, objective, batch_size)
    sums = [dev.sums(forecaster.network, rank=rank, world=world) for rank in range(world)]
    return objective.score(torch.stack(sums).sum(0))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("mae", lambda y, f: metrics.mae(y, f.point)),
        ("rmse", lambda y, f: metrics.rmse(y, f.point)),
        ("mse", lambda y, f: metrics.rmse(y, f.point) ** 2),
        ("smape", lambda y, f: metrics.smape(y, f.point)),
        ("wape", lambda y, f: metrics.wape(y, f.point)),
        ("crps", lambda y, f: metrics.crps(y, f.quantiles, f.levels)),
        ("pinball", lambda y, f: metrics.crps(y, f.quantiles, f.levels) / 2),
    ],
)
def test_agrees_with_the_scores_of_evaluation(parts, metric, expected):
    _, _, _, answer, actual = parts
    assert score(parts, metric) == pytest.approx(expected(actual, answer), rel=1e-5)


def test_mase_divides_by_each_series_scale(parts):
    _, _, split, answer, actual = parts
    scale = np.array([[2.0], [0.5]])
    wanted = metrics.mase(actual, answer.point, scale[split.dev.series][:, None])
    assert score(parts, "mase", scale=scale) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("batch_size", "world"), [(1, 1), (7, 1), (128, 2), (5, 3)])
def test_neither_batches_nor_ranks_change_the_score(parts, batch_size, world):
    assert score(parts, "mae", batch_size=batch_size, world=world) == pytest.approx(
        score(parts, "mae"), rel=1e-6
    )


def test_nothing_observed_gives_no_score(parts):
    panel, forecaster, split, *_ = parts
    assert np.isnan(Objective().score(torch.zeros(2, dtype=torch.float64)))
    assert DevSet(SPEC.windows(panel), split.dev, Objective()).sums(forecaster.network)[1] > 0


def test_mase_without_scales_is_a_mistake_of_the_caller(parts):
    with pytest.raises(ValueError, match="scale of each series"):
        score(parts, "mase")
