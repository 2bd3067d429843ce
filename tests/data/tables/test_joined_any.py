"""Tables of any style, frequency and order: the panel is what pandas makes of the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.data.tables.several import frame_of, panel_of, same, settings, table


def any_table(random: np.random.Generator, column: str, folder: Path):
    """Write a table of one column in any style; return its truth in UTC and its entry."""
    step = random.choice(["15min", "30min", "1h"])
    start = pd.Timestamp("2024-03-30T00:00Z") + pd.Timedelta(hours=int(random.integers(24)))
    frame = table(step, int(random.integers(30, 150)), column, int(random.integers(99)))
    frame = frame.assign(ds=frame.ds - frame.ds[0] + start)
    frame.loc[random.random(len(frame)) < 0.1, column] = np.nan
    frame = frame.sample(frac=0.9, random_state=int(random.integers(99)))
    frame = pd.concat([frame, frame[: len(frame) // 10].assign(**{column: 7.0})])
    zone = str(random.choice(["UTC", "Europe/Berlin"]))
    entry = {"source": f"{column}.csv", "timezone": zone, "csv": {"separator": ";"}}
    names = {"gauge": "gauge", "ds": "ds", column: column}
    if random.random() < 0.5:
        names = {name: f"my {name}" for name in names}
        entry |= {"series": "my gauge", "timestamp": "my ds", "columns": {column: f"my {column}"}}
    text = frame.ds.dt.tz_convert(zone).map(pd.Timestamp.isoformat)
    frame.assign(ds=text).rename(columns=names).to_csv(
        folder / f"{column}.csv", index=False, sep=";"
    )
    return frame, entry


@pytest.mark.parametrize("seed", range(6))
def test_any_tables_are_what_pandas_makes_of_them(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    rule = str(random.choice(["mean", "sum", "max"]))
    columns = ["flow", "prcp", "temp"]
    truths, entries = zip(*(any_table(random, name, tmp_path) for name in columns), strict=True)
    covariates = {"past": ["prcp"], "known": ["temp"]}
    more = {"frequency": "1h", "covariates": covariates, "aggregate": {"*": rule}}
    panel = panel_of(settings(tmp_path, *random.permutation(entries), **more), tmp_path)
    cells = []
    for name, truth in zip(columns, truths, strict=True):
        instants = truth.groupby(["gauge", "ds"], as_index=False)[name].last()
        hours = instants.ds.dt.floor("h").dt.tz_localize(None)
        steps = instants.dropna().assign(ds=hours).groupby(["gauge", "ds"])[name]
        cells.append(getattr(steps, rule)())
    same(frame_of(panel), pd.concat(cells, axis=1).reset_index())
    account = panel.account
    assert account["read"] == sum(map(len, truths))
    assert account["read"] == account["kept"] + account["aggregated"]
