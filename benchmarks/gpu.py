"""Training steps on a GPU: a bare loop and this project's networks, launched and as one CUDA graph.

    python -m benchmarks.gpu [--out FOLDER] [--seconds 1.0]

Windows a second at context 168, horizon 24, float32, batches gathered on the device; checks that a
captured step gives the losses of the launched one. Prints a table and writes `gpu.json`. Each case
stands for itself: one that fails is kept with its error. Needs a CUDA device, torch, numpy and
Lightning; without a device it says so and ends.
"""

import argparse
import importlib
import importlib.machinery
import json
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

CONTEXT, HORIZON, SERIES, LENGTH = 168, 24, 64, 4_000
SIZES = ((64, 128), (256, 1024), (512, 2048))
CELLS = ("gru", "elman", "coupled", "carry", "peephole", "full_gate_recurrence")
LIMIT_S = 220.0
CHECKED_STEPS = 20


def stand_in_for_missing():
    """Let the library be imported where tables cannot be read: nothing here reads one."""
    for name in (
        "pandas",
        "pyarrow",
        "pyarrow.compute",
        "pyarrow.csv",
        "pyarrow.parquet",
        "pyarrow.dataset",
        "pyarrow.fs",
        "holidays",
    ):
        with suppress(ImportError):
            importlib.import_module(name)
            continue
        absent = mock.MagicMock(__version__="0", __path__=[])
        absent.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = absent


class Source:
    """Noisy sines on the device, and windows of them by index."""

    def __init__(self, device, *, batch_type=None):
        import torch

        draw = torch.Generator().manual_seed(0)
        step = torch.arange(LENGTH)
        wave = torch.sin(step * 2 * torch.pi / 24 + torch.arange(SERIES)[:, None])
        noise = 0.3 * torch.randn(SERIES, LENGTH, generator=draw)
        self.values = (wave + noise).to(device)
        self.reach = torch.arange(-CONTEXT, HORIZON, device=device)
        self.known = torch.zeros(1, CONTEXT + HORIZON, 0, device=device)
        self.batch_type = batch_type

    def order(self, count):
        """Windows in the order of training, (2, count)."""
        import torch

        draw = torch.Generator().manual_seed(1)
        series = torch.randint(0, SERIES, (count,), generator=draw)
        cutoff = torch.randint(CONTEXT, LENGTH - HORIZON, (count,), generator=draw)
        return torch.stack([series, cutoff]).to(self.values.device)

    def gather(self, series, cutoff):
        """Give a batch as the library's windows do."""
        row = series * LENGTH + cutoff
        rows = self.values.view(-1).take(row[:, None] + self.reach)[..., None]
        fields = {
            "past": rows[:, :CONTEXT],
            "known": self.known.expand(len(series), -1, -1),
            "static": self.known[:, 0].expand(len(series), 0),
            "target": rows[:, CONTEXT:],
            "series": series,
            "cutoff": cutoff,
            "scale_row": series * 0,
        }
        names = self.batch_type._fields
        return self.batch_type(**{name: fields[name] for name in names})


def bare_network(hidden):
    """nn.LSTM and one linear layer, with what a step asks for."""
    import torch
    from torch import nn

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = nn.ModuleDict(
                {"lstm": nn.LSTM(1, hidden, batch_first=True), "out": nn.Linear(hidden, HORIZON)}
            )

        def loss(self, batch):
            states, _ = self.model["lstm"](batch.past)
            return (self.model["out"](states[:, -1]) - batch.target[..., 0]).abs().mean()

    torch.manual_seed(0)
    return Bare()


def own_network(hidden, *, kind="direct", cell="lstm", head="point", **options):
    """Build a network of this project as a config would."""
    import numpy as np
    import torch

    from forecast.models.architecture import Architecture, HeadSpec
    from forecast.models.build import build_head, build_model
    from forecast.models.network import Network

    head = build_head(HeadSpec(head))
    torch.manual_seed(0)
    model = build_model(
        Architecture(
            kind, context_length=CONTEXT, horizon=HORIZON, cell=cell, hidden_size=hidden, **options
        ),
        head,
    )
    ones, zeros = np.ones((1, 1), np.float32), np.zeros((1, 1), np.float32)
    scaler = SimpleNamespace(
        table=lambda: (zeros, ones), static_location=zeros[0, :0], static_scale=ones[0, :0]
    )
    return Network(model, head, scaler=scaler, target_count=1, past_count=0)


def step_of(network, source, batch, *, average=True):
    """Return the training step of a network, with room for many steps."""
    import copy

    import torch

    from forecast.training.graph_step import TrainStep

    steps = max(400, 2_000_000 // batch)
    network = network.to(source.values.device).train()
    rates = torch.full((steps,), 1e-3, device=source.values.device)
    slow = copy.deepcopy(network).requires_grad_(requires_grad=False)
    return TrainStep(
        network,
        source.gather,
        source.order(steps * batch),
        batch_size=batch,
        rates=rates,
        average=(slow, torch.full_like(rates, 0.01)) if average else None,
    )


def rate_of(run, batch, seconds):
    """Return windows a second."""
    import torch

    for _ in range(3):
        run()
    torch.cuda.synchronize()
    began, done = time.perf_counter(), 0
    while time.perf_counter() - began < seconds and done < 150:
        for _ in range(10):
            run()
        torch.cuda.synchronize()
        done += 10
    return batch * done / (time.perf_counter() - began)


def losses(run, step, count=CHECKED_STEPS):
    """Return the mean loss of some steps after each of them."""
    found = []
    for _ in range(count):
        run()
        found.append(float(step.loss_sum))
    return found


def measured(make, source, batch, seconds):
    """Return rates launched and captured, and how far their losses lie apart."""
    import torch

    from forecast.training.graph_step import captured

    result = {}
    step = step_of(make(), source, batch)
    torch.manual_seed(7)
    launched = losses(step, step)
    result["launched"] = rate_of(step, batch, seconds)
    try:
        step = step_of(make(), source, batch)
        replay = captured(step)
        torch.manual_seed(7)
        replayed = losses(replay, step)
        result["losses_apart"] = max(
            abs(a - b) / max(abs(a), 1e-9) for a, b in zip(launched, replayed, strict=True)
        )
        result["captured"] = rate_of(replay, batch, seconds)
    except Exception as error:  # noqa: BLE001 - kept beside the other cases
        result["capture_error"] = f"{type(error).__name__}: {error}"[:800]
    return result


def by_lightning(hidden, batch, steps):
    """Return windows a second of `forecast train`'s fit."""
    import numpy as np
    import torch

    from forecast.config.modelling import Model
    from forecast.config.training import Training
    from forecast.data.grid import Grid
    from forecast.data.panel import Panel
    from forecast.data.windows.splits import split_windows
    from forecast.forecasting.spec import Spec
    from forecast.training.fitting import fit_forecaster

    source = Source("cpu")
    grid = Grid("1h", "UTC")
    panel = Panel(
        values=source.values.reshape(-1, 1).numpy(),
        offset=np.arange(SERIES) * LENGTH,
        length=np.full(SERIES, LENGTH),
        start=np.full(SERIES, 400_000),
        series_ids=tuple(f"s{n}" for n in range(SERIES)),
        targets=("y",),
        past=(),
        known=(),
        static=np.zeros((SERIES, 0), np.float32),
        static_names=(),
        grid=grid,
    )
    split = split_windows(
        panel, context_length=CONTEXT, horizon=HORIZON, dev=200, test=100, calibration=100
    )
    stamps = []

    def stamp(_):
        torch.cuda.synchronize()
        stamps.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        fit_forecaster(
            panel,
            split,
            Spec(CONTEXT, HORIZON, "1h", "UTC", ("y",)),
            model=Model(kind="direct", hidden_size=hidden, dropout=0.0, head="point"),
            training=Training(
                epochs=1,
                batch_size=batch,
                windows_per_epoch=batch * steps,
                accelerator="gpu",
                devices=1,
            ),
            metric="mae",
            folder=Path(folder),
            on_step=lambda n: stamp(n) if n in {10, steps} else None,
        )
    return {"launched": batch * (steps - 10) / (stamps[-1] - stamps[0])}


def cases(source, seconds):
    """Yield names and what measures each, the most telling first."""
    for hidden, batch in SIZES:
        yield (
            f"bare lstm {hidden}/{batch}",
            lambda d=hidden, b=batch: measured(lambda: bare_network(d), source, b, seconds),
        )
        yield (
            f"direct lstm {hidden}/{batch}",
            lambda d=hidden, b=batch: measured(lambda: own_network(d), source, b, seconds),
        )
    yield (
        "segment default 128/128",
        lambda: measured(
            lambda: own_network(
                128, kind="segment", head="point_quantile", dropout=0.3, seasons=(24, 168)
            ),
            source,
            128,
            seconds,
        ),
    )
    yield (
        "segment default 128/1024",
        lambda: measured(
            lambda: own_network(
                128, kind="segment", head="point_quantile", dropout=0.3, seasons=(24, 168)
            ),
            source,
            1024,
            seconds,
        ),
    )
    for cell in CELLS:
        yield (
            f"direct {cell} 256/1024",
            lambda c=cell: measured(lambda: own_network(256, cell=c), source, 1024, seconds),
        )
    for kind in ("recursive", "encoder_decoder"):
        yield (
            f"{kind} lstm 256/1024",
            lambda k=kind: measured(lambda: own_network(256, kind=k), source, 1024, seconds),
        )
    for hidden, batch in SIZES[:2]:
        yield (
            f"by Lightning, direct lstm {hidden}/{batch}",
            lambda d=hidden, b=batch: by_lightning(d, b, 60),
        )


def shown(results):
    """Return the table as text."""
    lines = [f"{'case':36s} {'launched':>10s} {'captured':>10s}  losses apart"]
    for name, one in results.items():
        numbers = [
            f"{one[key]:10,.0f}" if key in one else f"{'-':>10s}"
            for key in ("launched", "captured")
        ]
        apart = f"{one['losses_apart']:.1e}" if "losses_apart" in one else ""
        fault = one.get("error") or one.get("capture_error") or ""
        lines.append(
            f"{name:36s} {' '.join(numbers)}  {apart} {fault.splitlines()[0][:90] if fault else ''}"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    began = time.monotonic()
    import torch

    if not torch.cuda.is_available():
        print("benchmarks.gpu needs a CUDA device, and torch finds none here; nothing is measured")
        return
    stand_in_for_missing()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    about = {
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "python": sys.version,
    }
    results = {}
    try:
        from forecast.data.windows.windows import Batch

        source = Source("cuda", batch_type=Batch)
        for name, measure in cases(source, options.seconds):
            if time.monotonic() - began > LIMIT_S:
                results[name] = {"error": f"left out after {LIMIT_S:g} s"}
                continue
            try:
                results[name] = measure()
            except Exception as error:  # noqa: BLE001 - kept beside the other cases
                results[name] = {
                    "error": f"{type(error).__name__}: {error}"[:800],
                    "trace": traceback.format_exc()[-2000:],
                }
            print(shown({name: results[name]}).splitlines()[-1], flush=True)
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "gpu.json").write_text(
                json.dumps({**about, "results": results}, indent=1)
            )
    except Exception:  # noqa: BLE001 - kept with what was measured
        about["error"] = traceback.format_exc()[-4000:]
        print(about["error"])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu.json").write_text(json.dumps({**about, "results": results}, indent=1))
    print(json.dumps(about)[:500])
    print(shown(results))


if __name__ == "__main__":
    main()
