"""Several small tables of gauges in a folder, and their panel as a frame."""

from pathlib import Path

import numpy as np
import pandas as pd

from forecast.config.data import Data
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_source

DAYS = 40
SERIES = ("a", "b")


def table(frequency="1D", count=DAYS, column="flow", seed=0, series=SERIES):
    """Return a long frame of noise with `gauge`, `ds` and one column."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2024-01-01", periods=count, freq=frequency)
    parts = [
        pd.DataFrame({"gauge": name, "ds": times, column: random.normal(size=count).round(3)})
        for name in series
    ]
    return pd.concat(parts, ignore_index=True)


def settings(folder: Path, *source, **more) -> Data:
    """Return the section of a source in a folder."""
    entries = [
        str(folder / one) if isinstance(one, str) else one | {"source": str(folder / one["source"])}
        for one in source
    ]
    defaults = {
        "series": "gauge",
        "timezone": "UTC",
        "frequency": "1d",
        "targets": ["flow"],
        "covariates": {"past": ["prcp"]},
    }
    return Data.model_validate(defaults | more | {"source": entries})


def panel_of(data: Data, folder: Path):
    """Build the panel of a section."""
    return build_panel(read_source(data), folder / "panel", spec=panel_spec(data))


def frame_of(panel) -> pd.DataFrame:
    """Return the rows of a panel that hold something, by series and time."""
    parts = [
        pd.DataFrame(panel.block(n), columns=list(panel.channels)).assign(
            gauge=name,
            ds=pd.to_datetime(panel.grid.time(panel.start[n] + np.arange(panel.length[n]))),
        )
        for n, name in enumerate(panel.series_ids)
    ]
    return pd.concat(parts).set_index(["gauge", "ds"]).sort_index().dropna(how="all")


def same(found: pd.DataFrame, right: pd.DataFrame) -> None:
    """Assert that a panel holds what pandas holds."""
    right = right.set_index(["gauge", "ds"]).sort_index()[list(found.columns)].dropna(how="all")
    assert list(found.index) == list(right.index)
    np.testing.assert_allclose(found.to_numpy(), right.to_numpy(), rtol=1e-6)
