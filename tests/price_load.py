"""A load that follows a price known ahead: what a forecaster of known futures must reach.

load = a daily pattern + RESPONSE * (price of the same hour) + noise. The price has a daily pattern
of its own and a part that no past foretells, so that a forecast without the price cannot be good.
"""

from __future__ import annotations

import numpy as np

from tests.builders import panel_of

NOISE = 0.2
"""Standard deviation of the noise: no forecast has a mean absolute error below .16."""

RESPONSE = -1.0


def price_load(days=120, *, seed=0):
    """Return the panel (target load, known covariate price) and the noise of each hour."""
    random = np.random.default_rng(seed)
    hour = np.arange(24 * days)
    day = 2 * np.pi * (hour % 24) / 24
    price = np.sin(day - 1) + random.standard_normal(len(hour))
    noise = NOISE * random.standard_normal(len(hour))
    load = 3 + np.sin(day) + 0.5 * np.sin(2 * day) + RESPONSE * price + noise
    return panel_of([np.stack([load, price], axis=1).astype(np.float32)], known=1), noise
