"""Your own frame in ten lines: train, forecast, keep the model."""

import numpy as np
import pandas as pd

from forecast import Forecaster

hours = pd.date_range("2026-01-01", periods=1000, freq="h", tz="UTC")
load = (
    50 + 10 * np.sin(np.arange(1000) * 2 * np.pi / 24) + np.random.default_rng(0).normal(size=1000)
)
frame = pd.DataFrame({"unique_id": "plant", "ds": hours, "y": load})

quick = {"model": {"hidden_size": 16}, "training": {"epochs": 3, "windows_per_epoch": 640}}
model = Forecaster(horizon="24h", frequency="1h", context="7d", settings=quick).fit(frame)
forecast = model.predict(levels=(0.1, 0.5, 0.9))
print(forecast[["ds", "y_hat", "q0.1", "q0.9", "flag"]].head())

again = Forecaster.load(model.save("plant-model"))
print(again.predict(frame)["y_hat"].equals(forecast["y_hat"]))
