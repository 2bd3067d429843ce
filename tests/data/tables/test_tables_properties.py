"""Any table of random faults is read with every row accounted for, or refused with a message."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import DataError

STAMPS = [f"2020-10-{day:02d} {hour:02d}:{minute}" for day in (24, 25, 26) for hour in range(24)
          for minute in ("00", "30")]  # fmt: skip
TIMES = st.sampled_from([*STAMPS, "", "x", "NA", "2020-10-25T01:00:00Z", "2020-13-01"])
VALUES = ["", "NA", "1", "-1.5", "1e3", " 7 ", "inf", "-999", '"2"']
BROKEN = ["None", "2,5"]


def rows_of(values):
    """Return a strategy of rows with cells out of these."""
    cell = st.sampled_from(values)
    return st.lists(st.tuples(st.sampled_from("ab"), TIMES, cell, cell), max_size=40)


ROWS = st.booleans().flatmap(lambda is_broken: rows_of(VALUES + BROKEN * is_broken))


def text_of(rows):
    """Return a table as CSV text; a bare comma in a value makes a row too long."""
    return "unique_id,ds,y,x\n" + "".join(",".join(row) + "\n" for row in rows)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ROWS, st.sampled_from(["refuse", "drop"]), st.sampled_from(["last", "first", "mean"]))
def test_every_row_is_accounted_for_or_the_table_is_refused(rows, bad_rows, duplicates):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text_of(rows))
        data = Data(
            source=str(path),
            frequency="1h",
            timezone="Europe/Berlin",
            covariates={"past": ["x"]},
            bad_rows=bad_rows,
            duplicates=duplicates,
            missing=["NA", -999],
        )
        survey = Survey(read_tables(data), data)
        panel, message = None, ""
        try:
            panel = build_panel(survey, Path(folder) / "panel", spec=panel_spec(data))
        except DataError as error:
            message = str(error)
        assert (panel is None) == bool(message.strip())
        if panel is None:
            return
        account = panel.account
        assert account["read"] == len(rows)
        assert account["kept"] + account["aggregated"] + account["rejected"] == len(rows)
        assert len(np.unique(panel.start)) <= len(panel.series_ids) <= 2
        check(survey, panel, context_length=4, horizon=2, season=24)
