"""Bundles that earlier versions wrote load and forecast what they forecast then.

`golden-VERSION/` holds a bundle of each strategy that stores other parts, a history, and the points
which that version forecast from it. Bands are not compared: how they are calibrated may improve.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.forecasting.forecaster import Forecaster

HERE = Path(__file__).parent
BUNDLES = sorted(path.parent for path in HERE.glob("golden-*/*/bundle.json"))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_bundle_of_an_earlier_version_forecasts_the_same(folder: Path) -> None:
    history = pd.read_csv(folder.parent / "history.csv", parse_dates=["ds"])
    then = pd.read_csv(folder / "forecast.csv", parse_dates=["ds"])
    now = Forecaster.load(folder).forecast(history)
    assert now["unique_id"].tolist() == then["unique_id"].tolist()
    assert now["ds"].tolist() == then["ds"].tolist()
    np.testing.assert_allclose(now["y_hat"], then["y_hat"], rtol=1e-6)


def test_there_is_a_golden_bundle() -> None:
    assert [path.name for path in BUNDLES] == ["encoder_decoder", "segment"]
