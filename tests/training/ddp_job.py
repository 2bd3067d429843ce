"""Trains the tiny model and prints its learning curve: started by test_ddp, alone or as ranks."""

import json
import os
import sys
from pathlib import Path

import numpy as np

from forecast.training.trainer import quiet
from tests.tiny import tiny_fit, tiny_panel


def main(folder, devices):
    panel = tiny_panel()
    panel.values[100:130] = np.nan  # ranks hold unequal counts of observed targets
    strategy = "ddp" if devices > 1 else "auto"
    with quiet():
        fitted = tiny_fit(panel, Path(folder), devices=devices, strategy=strategy, epochs=3)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        weights = sum(float(w.double().sum()) for w in fitted.forecaster.network.parameters())
        print(json.dumps({"history": fitted.fit.history, "weights": weights}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
