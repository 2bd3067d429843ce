"""Any table of random faults is prepared with every reading accounted for, or refused in words."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from forecast.config.data import Data
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import ForecastError

STAMPS = st.one_of(
    st.integers(0, 200).map(lambda h: f"2024-01-{1 + h // 24:02d} {h % 24:02d}:00"),
    st.integers(0, 200).map(lambda m: f"2024-01-01 {m // 60:02d}:{m % 60:02d}"),
    st.sampled_from(["", "NA", "2024-13-01 00:00", "soon", "2024-01-01T05:00:00+02:00"]),
)
NUMBERS = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["", "NA", "nan", "inf", "-9999", "1,5", "broken", "1e400", "1e39", "0"]),
)
IDS = st.sampled_from(["a", "a", "b", "", "NA", "a b"])
ROWS = st.one_of(
    st.tuples(IDS, STAMPS, NUMBERS, NUMBERS).map(",".join),
    st.sampled_from(["a,2024-01-01 00:00", "a,2024-01-01 00:00,1,2,3", "", ",,,", "x"]),
)
CLEAN = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 200).map(lambda m: f"2024-01-01 {m // 60:02d}:{m % 60:02d}"),
    st.floats(-1e6, 1e6).map(repr),
    st.sampled_from(["", "NA", "3", "400"]),
).map(",".join)


@given(
    rows=st.one_of(st.lists(CLEAN, max_size=40), st.lists(ROWS, max_size=25)),
    bad_rows=st.sampled_from(["refuse", "drop"]),
    duplicates=st.sampled_from(["error", "first", "last", "mean"]),
    aggregate=st.sampled_from(["mean", "sum", "first", "last", "min", "max", "circular_mean"]),
    frequency=st.sampled_from(["1min", "1h", "1d"]),
    zone=st.sampled_from(["UTC", "America/New_York"]),
)
def test_kept_aggregated_and_rejected_are_what_was_read(  # noqa: PLR0917
    rows, bad_rows, duplicates, aggregate, frequency, zone
):
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        table.write_text("unique_id,ds,y,x\n" + "".join(f"{row}\n" for row in rows))
        data = Data(
            source=str(table),
            frequency=frequency,
            timezone=zone,
            covariates={"past": ["x"]},
            limits={"x": (0, 100)},
            bad_rows=bad_rows,
            duplicates=duplicates,
            aggregate={"*": aggregate},
        )
        source = read_tables(data)
        try:
            panel = build_panel(source, Path(folder) / "panel", spec=panel_spec(data))
        except ForecastError as error:
            assert len(str(error)) > 20  # noqa: PT017 - one of two allowed outcomes
            assert not (Path(folder) / "panel" / "meta.json").exists()
            return
        account = panel.account
        assert account["read"] == source.notes.rows
        assert account["read"] == account["kept"] + account["aggregated"] + account["rejected"]
        assert min(account.values()) >= 0
        assert np.isfinite(panel.values[~np.isnan(panel.values)]).all()
        occupied = sum(
            int((~np.isnan(panel.block(s))).any(axis=1).sum()) for s in range(len(panel.series_ids))
        )
        assert occupied <= account["kept"]
