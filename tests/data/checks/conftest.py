"""What checks find in a table made for a test."""

import numpy as np
import pytest

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables


def cell(value):
    """Return a cell as text, NaN as an empty one."""
    return "" if isinstance(value, float) and np.isnan(value) else str(value)


@pytest.fixture
def found(tmp_path):
    """Return what checks find in columns of hourly readings."""

    def find(columns, **settings):
        context, horizon = settings.pop("context", 48), settings.pop("horizon", 24)
        spans, counts = settings.pop("spans", None), settings.pop("counts", ())
        zone = {"timezone": "UTC"} if settings.pop("is_zoned", True) else {}
        lines = [",".join(columns)]
        lines += [",".join(map(cell, row)) for row in zip(*columns.values(), strict=True)]
        (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
        data = Data(**({"source": str(tmp_path / "t.csv"), "frequency": "1h"} | zone | settings))
        survey = Survey(read_tables(data), data)
        panel = build_panel(survey, tmp_path / "panel", spec=panel_spec(data))
        return check(
            survey,
            panel,
            context_length=context,
            horizon=horizon,
            season=24,
            spans=spans,
            counts=counts,
        )

    return find
