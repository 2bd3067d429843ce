"""Training throughput of the direct LSTM beside a bare PyTorch loop, interleaved in one run.

    python -m benchmarks.training [--rounds 5] [--steps 60]

Each measurement is a process of its own, since the allocator is set once for a process:
`library` is `forecast.training.fit`, `bare, same allocator` and `bare` are the loop below over
windows that lie ready in memory. Prints windows a second (median over rounds) and their ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HIDDEN, CONTEXT, HORIZON, BATCH = 64, 168, 24, 128
WARM_UP = 10
MODES = ("library", "bare, same allocator", "bare")


def panel(windows):
    """Make a panel of noisy sines with about that many windows."""
    from tests.builders import sine_panel

    return sine_panel(windows // 20 + CONTEXT + HORIZON, 24, series=20, noise=0.3)


def rate(stamps):
    """Windows a second of processor time (one thread), the first steps left out."""
    return BATCH * (len(stamps) - 1 - WARM_UP) / (stamps[-1] - stamps[WARM_UP])


def library(steps):
    """Fit by the library as `forecast train` does."""
    from forecast.training.allocator import keep_freed_memory

    keep_freed_memory()
    from forecast.config.modelling import Model
    from forecast.config.training import Training
    from forecast.data.windows.splits import split_windows
    from forecast.forecasting.spec import Spec
    from forecast.training.fitting import fit_forecaster

    data = panel(BATCH * steps * 2 + 20 * 500)
    split = split_windows(
        data,
        context_length=CONTEXT,
        horizon=HORIZON,
        dev=100,
        test=100,
        calibration=100,
        min_observed=1.0,  # whole windows, as the bare loop has them
    )
    stamps = []
    with tempfile.TemporaryDirectory() as folder:
        fit_forecaster(
            data,
            split,
            Spec(CONTEXT, HORIZON, "1h", "UTC", ("y",)),
            model=Model(kind="direct", hidden_size=HIDDEN, dropout=0.0, head="point"),
            training=Training(
                epochs=1,
                batch_size=BATCH,
                windows_per_epoch=BATCH * steps,
                accelerator="cpu",
                threads=1,
            ),
            metric="mae",
            folder=Path(folder),
            on_step=lambda _: stamps.append(time.process_time()),
        )
    return rate(stamps)


def bare(steps):
    """Train by the shortest loop: nn.LSTM, one linear layer, windows gathered beforehand."""
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(1)
    series = panel(BATCH * steps).values[:, 0].reshape(20, -1)
    series = (series - series.mean()) / series.std()
    wide = np.lib.stride_tricks.sliding_window_view(series, CONTEXT + HORIZON, axis=1)
    ready = torch.from_numpy(wide.reshape(-1, CONTEXT + HORIZON).copy())[..., None]
    ready = ready[torch.randperm(len(ready))]
    recurrent = nn.LSTM(1, HIDDEN, batch_first=True)
    output = nn.Linear(HIDDEN, HORIZON)
    weights = [*recurrent.parameters(), *output.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=1e-3)
    stamps = []
    for step in range(steps):
        start = (step * BATCH) % (len(ready) - BATCH)
        batch = ready[start : start + BATCH]
        hidden, _ = recurrent(batch[:, :CONTEXT])
        loss = (output(hidden[:, -1]) - batch[:, CONTEXT:, 0]).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        stamps.append(time.process_time())
    return rate(stamps)


def measure(mode, steps):
    """Run one mode in this process and print its rate."""
    if mode == "library":
        found = library(steps)
    else:
        if mode != "bare":
            from forecast.training.allocator import keep_freed_memory

            keep_freed_memory()
        found = bare(steps)
    print(json.dumps(found))


def in_process(mode, steps):
    """Measure a mode in a process of its own, on one thread."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", "--mode", mode, "--steps", str(steps)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--mode", choices=MODES, help="measure this one in this process")
    options = parser.parse_args()
    if options.mode:
        measure(options.mode, options.steps)
        return
    found = {mode: [] for mode in MODES}
    for _ in range(options.rounds):
        for mode in MODES:
            found[mode].append(in_process(mode, options.steps))
    middle = {mode: statistics.median(rates) for mode, rates in found.items()}
    for mode, rates in found.items():
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"{mode:22s} {middle[mode]:8,.0f} windows/s   ({spread})")
    for mode in MODES[1:]:
        print(f"library / {mode:20s} {middle['library'] / middle[mode]:.2f}")


if __name__ == "__main__":
    main()
