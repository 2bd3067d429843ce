"""Covariates that are known ahead, in the versions in which they became known.

A weather forecast is issued again and again for the same hour. `issued` says when each row became
known, so that training and backtest see what was known at each cutoff and not what came later.
"""

import numpy as np
import pandas as pd

from forecast import Forecaster

rng = np.random.default_rng(1)
hours = pd.date_range("2026-01-01", periods=900, freq="h", tz="UTC")
sun = np.clip(np.sin((np.arange(900) - 6) * 2 * np.pi / 24), 0, None) * rng.uniform(0.3, 1, 900)
power = 5 * sun + rng.normal(0, 0.1, 900)

measured = pd.DataFrame({"ds": hours[:876], "y": power[:876], "issued": hours[:876]})
issues = []  # at six hours before, and a day before with more error
for ahead, error in ((6, 0.05), (24, 0.2)):
    told = sun + rng.normal(0, error, 900)
    issues.append(
        pd.DataFrame({"ds": hours, "sun": told, "issued": hours - pd.Timedelta(ahead, "h")})
    )
frame = pd.concat([measured, *issues])

model = Forecaster(
    horizon="12h",
    frequency="1h",
    context="72h",
    covariates={"known": ["sun"], "calendar": ["hour_of_day"]},
    settings={
        "data": {"available_at": "issued"},
        "model": {"hidden_size": 16},
        "training": {"epochs": 3, "windows_per_epoch": 640},
    },
).fit(frame)
print(model.predict()[["ds", "y_hat", "flag"]])
