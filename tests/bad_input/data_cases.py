"""Faults of the tables; exit code 3 where nothing can be made of them, 0 and a finding elsewhere."""

import gzip
from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case, column, line, rename, write
from tests.site import readings

FIRST = "a,2024-01-01T00:00:00Z,99.0,0"


def only_folder(name: str) -> Callable[[Path], None]:
    """Return the act of making an empty folder."""

    def act(folder: Path) -> None:
        (folder / name).mkdir()

    return act


def parquet_cut_short(folder: Path) -> None:
    """Write a Parquet file and cut its end off."""
    import pandas as pd

    path = folder / "readings.parquet"
    pd.DataFrame({"unique_id": ["a"] * 99, "ds": range(99), "y": 1.0, "wind": 1.0}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-200])


def source(name: str) -> dict[str, str]:
    """Return the config change that reads another source."""
    return {"source: readings.csv": f"source: {name}"}


FILE_CASES = [
    Case(
        "source-missing",
        3,
        ("reading.csv", "no such file", "data.source", "readings.csv"),
        config=source("reading.csv"),
    ),
    Case(
        "source-glob-empty",
        3,
        ("logs/*.csv", "no file matches", "data.source"),
        config=source('"logs/*.csv"'),
    ),
    Case(
        "source-folder-empty",
        3,
        ("logs", "no table in this folder", ".csv"),
        config=source("logs"),
        files=only_folder("logs"),
    ),
    Case(
        "sample-unknown",
        3,
        ("sample:nyc", "no such sample", "nyc-weather"),
        config=source("sample:nyc"),
    ),
    Case("file-empty", 3, ("readings.csv", "empty"), table=lambda _: []),
    Case("header-only", 3, ("readings.csv", "no row"), table=lambda lines: lines[:1]),
    Case(
        "not-text",
        3,
        ("readings.csv", "data.csv.encoding"),
        files=write("readings.csv", b"unique_id,ds,y,wind\n\xff\xfe\x00\x81,1,2,3\n" * 50),
    ),
    Case(
        "latin-1",
        3,
        ("readings.csv", "data.csv.encoding", "latin-1"),
        files=write("readings.csv", "\n".join([*readings(), "é,2024-01-01,1,1"]).encode("latin-1")),
    ),
    Case(
        "gzip-cut-short",
        3,
        ("readings.csv.gz", "cut short", "fetch it again"),
        config=source("readings.csv.gz"),
        files=write("readings.csv.gz", gzip.compress("\n".join(readings()).encode())[:-400]),
    ),
    Case(
        "parquet-cut-short",
        3,
        ("readings.parquet", "not a whole Parquet file", "again"),
        config=source("readings.parquet"),
        files=parquet_cut_short,
    ),
    Case(
        "parquet-is-csv",
        3,
        ("readings.csv", "not a Parquet file", "data.format"),
        config={"  series:": "  format: parquet\n  series:"},
    ),
    Case(
        "separator-other",
        3,
        ("readings.csv", "no column", "data.csv.separator"),
        table=lambda lines: [one.replace(",", ";") for one in lines],
    ),
    Case(
        "quote-never-ends",
        3,
        ("readings.csv", "2 values where the header has 4", "mend"),
        table=line(5, 'a,"2024-01-01T03:00:00Z,10,3'),
    ),
    Case(
        "row-too-long",
        3,
        ("readings.csv", "line 5", "5"),
        table=line(5, "a,2024-01-01T03:00:00Z,10,3,9"),
    ),
    Case("row-too-short", 3, ("readings.csv", "line 5"), table=line(5, "a,2024-01-01T03:00:00Z")),
    Case(
        "page-in-place-of-table",
        3,
        ("readings.csv", "no column"),
        table=lambda _: ["<!doctype html>", "<html><body>Please sign in</body></html>"],
    ),
]

COLUMN_CASES = [
    Case(
        "target-missing",
        3,
        ("readings.csv", "no column 'y'", "unique_id, ds, load, wind"),
        table=rename(",y,", ",load,"),
    ),
    Case(
        "covariate-missing",
        3,
        ("readings.csv", "no column 'wind'", "wind_speed"),
        table=rename(",wind", ",wind_speed"),
    ),
    Case(
        "timestamp-missing",
        3,
        ("readings.csv", "no column 'ds'", "unique_id, dt, y, wind"),
        table=rename("ds", "dt"),
    ),
    Case(
        "series-missing",
        3,
        ("readings.csv", "no column 'unique_id'"),
        table=rename("unique_id", "id"),
    ),
    Case(
        "column-twice",
        3,
        ("readings.csv", "'y'", "2 times", "rename"),
        config={"  covariates: {past: [wind]}\n": ""},
        table=rename("wind", "y"),
    ),
    Case(
        "text-in-number-column",
        3,
        ("readings.csv", "line 3", "y", "broken", "data.missing"),
        table=line(3, "a,2024-01-01T01:00:00Z,broken,5"),
    ),
    Case(
        "unit-in-number",
        3,
        ("readings.csv", "line 3", "wind", "5 m/s"),
        table=line(3, "a,2024-01-01T01:00:00Z,11,5 m/s"),
    ),
    Case(
        "decimal-comma",
        3,
        ("readings.csv", "line 2", "y", "data.csv.decimal"),
        table=lambda lines: [
            lines[0],
            *(
                f'{a},{b},"{y.replace(".", ",")}",{w}'
                for a, b, y, w in (one.split(",") for one in lines[1:])
            ),
        ],
    ),
    Case(
        "target-all-missing",
        3,
        ("y", "no value", "leave the column"),
        table=column("y", lambda _: "NA"),
    ),
    Case("covariate-all-missing", 0, ("wind", "no value"), table=column("wind", lambda _: "")),
    Case(
        "series-target-missing",
        0,
        ("a", "y"),
        table=lambda lines: [
            ",".join([*one.split(",")[:2], "NA", "1"]) if one.startswith("a,") else one
            for one in lines
        ],
    ),
    Case("constant-target", 0, ("y", "constant"), table=column("y", lambda _: "7")),
    Case("infinite-value", 0, ("y", "infinite"), table=line(9, "a,2024-01-01T07:00:00Z,inf,5")),
    Case(
        "outside-limits",
        0,
        ("wind", "limits"),
        config={"  covariates": "  limits: {wind: [0, 10]}\n  covariates"},
    ),
    Case(
        "limits-of-no-column",
        2,
        ("run.yaml:2", "limits: 'wnd'", "did you mean 'wind'"),
        config={"  covariates": "  limits: {wnd: [0, 10]}\n  covariates"},
    ),
    Case(
        "series-id-empty",
        3,
        ("readings.csv", "line 4", "unique_id"),
        table=line(4, ",2024-01-01T02:00:00Z,10,3"),
    ),
]

TIME_CASES = [
    Case(
        "stamp-unreadable",
        3,
        ("readings.csv", "line 4", "ds", "yesterday", "data.timestamp_format"),
        table=line(4, "a,yesterday,10,3"),
    ),
    Case("stamp-empty", 3, ("readings.csv", "line 4", "ds"), table=line(4, "a,,10,3")),
    Case(
        "stamp-day-first",
        3,
        ("readings.csv", "line 2", "ds", "13/01/2024", "data.timestamp_format"),
        table=column("ds", lambda _: "13/01/2024 10:00"),
    ),
    Case(
        "stamp-not-of-format",
        3,
        ("readings.csv", "line 2", "2024-01-01T00:00:00Z", "%d.%m.%Y"),
        config={"  timezone": '  timestamp_format: "%d.%m.%Y"\n  timezone'},
    ),
    Case(
        "stamp-of-no-calendar",
        3,
        ("readings.csv", "line 4", "2024-02-30"),
        table=line(4, "a,2024-02-30T02:00:00Z,10,3"),
    ),
    Case(
        "stamps-naive",
        0,
        ("ds", "UTC"),
        table=column("ds", lambda stamp: stamp.rstrip("Z")),
        config={"  timezone: UTC\n": ""},
    ),
    Case(
        "hour-that-never-was",
        3,
        ("readings.csv", "line 4", "2024-03-31T02:30:00", "Europe/Berlin"),
        config={"timezone: UTC": "timezone: Europe/Berlin"},
        table=lambda lines: line(4, "a,2024-03-31T02:30:00,10,3")(
            column("ds", lambda s: s.rstrip("Z"))(lines)
        ),
    ),
    Case("rows-out-of-order", 0, ("order",), table=lambda lines: [lines[0], *reversed(lines[1:])]),
    Case(
        "duplicates-refused",
        3,
        ("series 'a'", "2024-01-01 00:00", "differ", "data.duplicates"),
        config={"  targets": "  duplicates: error\n  targets"},
        table=lambda lines: [*lines, FIRST, FIRST],
    ),
    Case("duplicates-told", 0, ("duplicate", "1"), table=lambda lines: [*lines, FIRST]),
    Case(
        "one-reading",
        3,
        ("1 of 1", "windows.context", "split.train to 24 steps"),
        table=lambda lines: lines[:2],
    ),
    Case("shorter-than-a-window", 3, ("48", "12", "windows"), table=lambda _: readings(30)),
    Case(
        "one-series-short",
        0,
        ("b", "30"),
        table=lambda _: [*readings(480, ("a",)), *readings(30, ("b",))[1:]],
    ),
    Case(
        "fewer-rows-than-the-split-needs",
        3,
        ("split.dev: 5 of 480 steps", "set split.dev to 24 steps", "windows.horizon"),
        config={"train: 0.8, dev: 0.1, test: 0.1": "train: 0.8, dev: 5, test: 0.1"},
    ),
    Case(
        "shares-too-small-for-the-horizon",
        0,
        ("split: dev 48 in place of 5, test 48 in place of 5 steps", "4 horizons (48)"),
        config={"train: 0.8, dev: 0.1, test: 0.1": "train: 0.98, dev: 0.01, test: 0.01"},
    ),
    Case(
        "horizon-too-long-for-the-readings",
        3,
        ("split.dev: 5 of 480 steps", "shorten windows.horizon to 60 steps or fewer"),
        config={
            "train: 0.8, dev: 0.1, test: 0.1": "train: 0.98, dev: 0.01, test: 0.01",
            "horizon: 12h": "horizon: 81h",
        },
    ),
    Case(
        "frequency-finer-than-readings",
        3,
        ("data.frequency", "1min", "1h"),
        config={
            "frequency: 1h": "frequency: 1min",
            "context: 48h": "context: 4h",
            "horizon: 12h": "horizon: 1h",
        },
    ),
    Case(
        "far-future-stamp",
        0,
        ("readings.csv", "line 4", "a 2250", "set aside"),
        table=line(4, "a,2924-01-01T02:00:00Z,10,3"),
    ),
]
DATA_CASES = [*FILE_CASES, *COLUMN_CASES, *TIME_CASES]
