"""Intervals of a trained row: rolling, adaptive quantiles of scored residuals; trains nothing."""

import numpy as np
import torch
from numpy.typing import NDArray

from forecast.data.windows.window_index import WindowIndex
from forecast.data.windows.windows import Windows
from forecast.models.ensemble import Ensemble
from forecast.models.strategies.segment import Segment

from .recipe import scaled_batches

LOOK_BACK = 1000  # scored origins
NOMINAL = (0.9, 0.8)
RENEWED_EVERY = 24  # origins between two looks back
RATE = 0.05  # how fast a channel's level follows what its intervals missed


@torch.inference_mode()
def residuals(
    model: Segment | Ensemble, windows: Windows, index: WindowIndex, *, every: int = 1
) -> NDArray[np.float32]:
    """Actual minus point forecast at every `every`-th origin, (origin, step, channel)."""
    chosen = WindowIndex(index.series[::every], index.cutoff[::every])
    model.eval()
    parts = []
    for past, known, static, target in scaled_batches(windows, chosen):
        parts.append((target - model.head.point(model(past, known, static))).numpy())
    return np.concatenate(parts)


def rolling_coverage(
    before: NDArray[np.float32], test: NDArray[np.float32], *, origin_steps: int
) -> dict[str, float]:
    """Share of test actuals inside intervals that follow the newest scored residuals.

    Each step of the horizon looks back on its own newest LOOK_BACK residuals: step 1 was scored
    one step after its origin, the last step a horizon later.

    Parameters
    ----------
    before, test
        Residuals (origin, step, channel) in order of time, of dev and of test.
    origin_steps
        Steps between two origins.
    """
    whole = np.concatenate([before, test])
    found: dict[str, float] = {}
    for share in NOMINAL:
        inside = covered(whole, share, origin_steps=origin_steps)[len(before) :]
        rate = 100 * inside.mean(axis=0)  # (step, channel)
        name = f"{100 * share:.0f}"
        found[f"coverage_{name}"] = float(rate.mean())
        found[f"coverage_{name}_least_channel"] = float(rate.mean(axis=0).min())
        found[f"coverage_{name}_most_channel"] = float(rate.mean(axis=0).max())
    return found


def covered(
    residual: NDArray[np.float32], share: float, *, origin_steps: int
) -> NDArray[np.float32]:
    """Whether each residual (origin, step, channel) lay inside its interval; NaN before any.

    Every RENEWED_EVERY origins each channel's working level moves by RATE times what its newly
    scored intervals missed of the nominal share (Gibbs & Candes 2021, eq. 2, by channel), and the
    interval is that quantile range of the last LOOK_BACK residuals of its step.
    """
    known = scored_by(residual, origin_steps)
    inside = np.full_like(residual, np.nan)
    working = np.full(residual.shape[2], share)
    slowest = -(-residual.shape[1] // origin_steps)
    for origin in range(slowest + RENEWED_EVERY, len(residual), RENEWED_EVERY):
        recent = inside[max(0, origin - slowest - RENEWED_EVERY) : origin + 1]
        news = scored_by(recent, origin_steps)[-RENEWED_EVERY:]
        seen = np.isfinite(news).sum(axis=(0, 1))
        hits = np.nansum(news, axis=(0, 1)) / np.maximum(seen, 1)
        working += np.where(seen > 0, RATE * (share - hits), 0.0)
        looked = known[max(slowest, origin + 1 - LOOK_BACK) : origin + 1]  # without NaN
        now = residual[origin : origin + RENEWED_EVERY]
        for channel, level in enumerate(working.clip(0.02, 0.995)):
            low, high = np.quantile(
                looked[..., channel], [0.5 - level / 2, 0.5 + level / 2], axis=0
            )
            inside[origin : origin + RENEWED_EVERY, :, channel] = (now[..., channel] >= low) & (
                now[..., channel] <= high
            )
    return inside


def scored_by(residual: NDArray[np.float32], origin_steps: int) -> NDArray[np.float32]:
    """Residuals by when they became known: row n holds each step's newest one at origin n.

    NaN where none was known yet. Step h of an origin is known h steps later.
    """
    known = np.full_like(residual, np.nan)
    for step in range(residual.shape[1]):
        delay = -(-(step + 1) // origin_steps)
        known[delay:, step] = residual[: len(residual) - delay, step]
    return known
