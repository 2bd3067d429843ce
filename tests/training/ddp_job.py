"""Trains every case that is asked for, as one of several processes; the first writes what came out.

    python -m tests.training.ddp_job FOLDER WORLD CASE...

WORLD processes share every training, started by `forecast.ranks` as `devices: WORLD` does.
"""

import json
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from forecast.config.modelling import Model
from forecast.ranks import group, is_first
from forecast.training.trainer import quiet
from tests.builders import panel_of
from tests.tiny import SPEC, TRAINING, tiny_split

SPAN = 260


@dataclass(frozen=True)
class Case:
    """A model, and where readings are missing."""

    model: dict = field(default_factory=dict)
    gaps: str = "rarely"  # nowhere, rarely, everywhere
    batch_size: int = 33  # two processes hold 17 and 16 windows of it
    epochs: int = 2

    @classmethod
    def read(cls, text):
        return cls(**json.loads(text))

    def write(self):
        return json.dumps(asdict(self))


def panel_with(gaps, *, codes=False, past=1):
    """Two series of counts with a past covariate, readings missing as the case says."""
    random = np.random.default_rng(0)
    step = np.arange(SPAN)
    blocks = []
    for series in range(2):
        wave = 10 + 4 * np.sin(2 * np.pi * step / 12 + series) + random.standard_normal(SPAN)
        block = np.stack([np.round(wave), random.standard_normal(SPAN)], axis=1)
        if codes:
            block[:, 0] = step % 3
        blocks.append(block[:, : 1 + past])
    panel = panel_of(blocks, past=past, static=[[0.0], [1.0]])
    if gaps == "rarely":
        panel.values[70:73] = np.nan
    if gaps == "everywhere":
        panel.values[random.random(panel.values.shape) < 0.2] = np.nan
    return replace(panel, categories={"y": ("a", "b", "c")}) if codes else panel


def trained(case, folder):
    """Return the learning curve and the weights."""
    from forecast.training.fitting import fit_forecaster

    settings = {"hidden_size": 6, "quantile_levels": (0.1, 0.5, 0.9)} | case.model
    model = Model.model_validate(settings)
    codes = model.head == "categorical"
    panel = panel_with(case.gaps, codes=codes)
    spec = replace(
        SPEC,
        levels=model.quantile_levels,
        past=panel.past,
        static=panel.static_names,
        categories=tuple(panel.categories.items()),
        min_observed=0.3,
    )
    changed = {
        "learning_rate": 1e-3,
        "epochs": case.epochs,
        "batch_size": case.batch_size,
        "windows_per_epoch": 5 * case.batch_size,
    }
    with quiet():
        fitted = fit_forecaster(
            panel,
            tiny_split(panel, spec),
            spec,
            model=model,
            training=TRAINING.model_copy(update=changed | {"devices": group().local_world}),
            metric="mae",
            folder=folder,
        )
    weights = [w.flatten().double() for w in fitted.fit.network.state_dict().values()]
    return {"history": fitted.fit.history, "weights": torch.cat(weights).tolist()}


def main(folder, world, cases):
    if world > 1 and group().world == 1:
        from forecast.ranks.store import start

        start(world)
    found = [trained(Case.read(text), folder / str(n)) for n, text in enumerate(cases)]
    if is_first():
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
