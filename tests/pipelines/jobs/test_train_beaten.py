import math

from pipelines.jobs.train import beaten


def scores(model, persistence, seasonal):
    errors = {"model": model, "persistence": persistence, "seasonal naive": seasonal}
    return {name: {"mae": error} for name, error in errors.items()}


def test_a_model_that_loses_to_a_simple_method_is_told_by_part():
    parts = {"dev": scores(1.86, 1.7, 2.0), "test": scores(0.4, 0.5, 0.6)}
    told = beaten("mae", parts)
    assert "better: dev mae 1.7 of persistence, 1.86 of the model; `forecast evaluate`" in told
    parts["test"] = scores(0.466, 0.5, 0.389)
    assert "; test mae 0.389 of seasonal naive, 0.466 of the model;" in beaten("mae", parts)


def test_a_model_that_wins_or_draws_is_not():
    assert beaten("mae", {"dev": scores(1.0, 1.0, 2.0)}) == ""
    assert beaten("mae", {"dev": scores(1.0, math.nan, 2.0)}) == ""
    assert beaten("crps", {"dev": {"model": {"crps": 1.0}, "persistence": {"mae": 0.5}}}) == ""
