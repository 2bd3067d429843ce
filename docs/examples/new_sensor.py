"""A sensor installed last week: start from the weights of one that has been there for long."""

import numpy as np
import pandas as pd

from forecast import Forecaster


def readings(days: int, level: float, seed: int) -> pd.DataFrame:
    """Return a day's wave around a level, with noise."""
    steps = 24 * days
    wave = np.sin(np.arange(steps) * 2 * np.pi / 24)
    noise = np.random.default_rng(seed).normal(0, 0.1, steps)
    stamps = pd.date_range("2026-01-01", periods=steps, freq="h", tz="UTC")
    return pd.DataFrame({"ds": stamps, "y": level + wave + noise})


quick = {"training": {"epochs": 3, "windows_per_epoch": 640}}
old = Forecaster(
    horizon="6h", frequency="1h", context="48h", settings={"model": {"hidden_size": 16}, **quick}
).fit(readings(60, level=10.0, seed=0))
old.save("old-sensor")

start = {"bundle": "old-sensor", "freeze": ["recurrent"]}
new = Forecaster(
    horizon="6h",
    frequency="1h",
    context="48h",
    settings={"model": {"hidden_size": 16, "transfer": start}, **quick},
).fit(readings(14, level=25.0, seed=1))
print(new.predict()[["ds", "y_hat", "q0.1", "q0.9"]])
