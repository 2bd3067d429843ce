"""Small panels and frames for tests: ramps whose value is their index, sines that can be learnt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from forecast.data.grid import Grid
from forecast.data.panel import Panel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from forecast.data.chunk import Chunk, SeriesIds

START = pd.Timestamp("2024-01-01T00:00Z")


def ramp_panel(n, series=1, *, past=0, known=0, frequency="1h", timezone="UTC"):
    """Target value = step; past covariate i = step + 0.25 (i + 1), known = step + 0.5 + 0.125 i."""
    step = np.arange(n, dtype=np.float64)
    columns = [step, *(step + 0.25 * (i + 1) for i in range(past))]
    columns += [step + 0.5 + 0.125 * i for i in range(known)]
    block = np.stack(columns, axis=1).astype(np.float32)
    return panel_of(
        [block] * series, past=past, known=known, frequency=frequency, timezone=timezone
    )


def sine_panel(n, period, *, series=1, noise=0.0, seed=0, level=10.0, frequency="1h"):
    """Series of one period, each with its own phase and amplitude, around a level."""
    random = np.random.default_rng(seed)
    step = np.arange(n)
    blocks = []
    for i in range(series):
        wave = (1.0 + i) * np.sin(2 * np.pi * (step / period + i / max(series, 1)))
        blocks.append(
            (level + wave + noise * random.standard_normal(n)).astype(np.float32)[:, None]
        )
    return panel_of(blocks, frequency=frequency)


def panel_of(blocks, *, past=0, known=0, starts=None, frequency="1h", timezone="UTC", static=None):
    """Panel of (length, channels) blocks, the last `known` and `past` columns covariates."""
    grid = Grid(frequency, timezone)
    lengths = np.array([len(block) for block in blocks], dtype=np.int64)
    origin = int(grid.index(np.array([START.value]))[0])
    starts = np.zeros(len(blocks), np.int64) if starts is None else np.asarray(starts)
    targets = blocks[0].shape[1] - past - known
    fixed = np.empty((len(blocks), 0)) if static is None else np.asarray(static)
    return Panel(
        values=np.concatenate(blocks).astype(np.float32),
        offset=np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        length=lengths,
        start=(origin + starts).astype(np.int64),
        series_ids=tuple(f"s{i}" for i in range(len(blocks))),
        targets=("y",) if targets == 1 else tuple(f"y{i}" for i in range(targets)),
        past=tuple(f"past{i}" for i in range(past)),
        known=tuple(f"known{i}" for i in range(known)),
        static=fixed.astype(np.float32),
        static_names=tuple(f"static{i}" for i in range(fixed.shape[1])),
        grid=grid,
    )


def frame_of(n, series=1, *, period=24, frequency="1h", seed=0):
    """Long frame with the columns unique_id, ds, y."""
    random = np.random.default_rng(seed)
    stamps = pd.date_range(START, periods=n, freq=frequency)
    parts = []
    for i in range(series):
        y = 10 + i + np.sin(2 * np.pi * np.arange(n) / period) + 0.1 * random.standard_normal(n)
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": stamps, "y": y}))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Chunks:
    """Chunks made in memory, as a source."""

    chunks: Iterable[Chunk]
    series_ids: SeriesIds
    static_names: tuple[str, ...] = ()
    static: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks."""
        return iter(self.chunks)
