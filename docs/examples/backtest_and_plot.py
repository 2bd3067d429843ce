"""How good would it have been? The newest days again, beside simple methods, and a picture."""

import numpy as np
import pandas as pd

from forecast import Forecaster

rng = np.random.default_rng(2)
hours = pd.date_range("2026-01-01", periods=1200, freq="h", tz="UTC")
parts = []
for name, level in (("north", 20.0), ("south", 300.0)):
    wave = np.sin(np.arange(1200) * 2 * np.pi / 24) + 0.3 * np.sin(
        np.arange(1200) * 2 * np.pi / 168
    )
    parts.append(pd.DataFrame({"unique_id": name, "ds": hours, "y": level * (1 + 0.1 * wave)}))
frame = pd.concat(parts, ignore_index=True)
frame["y"] *= 1 + rng.normal(0, 0.01, len(frame))

quick = {"model": {"hidden_size": 16}, "training": {"epochs": 3, "windows_per_epoch": 640}}
model = Forecaster(horizon="24h", frequency="1h", context="7d", settings=quick)
backtest = model.backtest(frame, windows=5, step="24h")
print(backtest.scores().round(3))
print(backtest.frame[["unique_id", "ds", "cutoff", "step", "y", "y_hat"]].tail(3))

model.fit(frame).plot().savefig("forecast.png")
