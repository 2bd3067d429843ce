"""Faults of several tables that belong together; exit code 2 or 3, or a finding."""

from collections.abc import Callable
from pathlib import Path

from tests.bad_input.case import Case, write
from tests.site import readings

RAIN = {"{past: [wind]}": "{past: [wind, rain]}"}


def entries(*source: str, **more: str) -> dict[str, str]:
    """Return the config change that reads these entries as the source, and rain beside wind."""
    return {"source: readings.csv": f"source: [{', '.join(source)}]", **RAIN, **more}


def rain(header: str = "unique_id,ds,rain", *, series: str = "abc") -> Callable[[Path], None]:
    """Return the act of writing a table with a value for each column behind id and time."""
    width = header.count(",") - 1
    keys = [",".join(one.split(",")[:2]) for one in readings(series=tuple(series))[1:]]
    lines = [header, *(key + f",{row % 7}" * width for row, key in enumerate(keys))]
    return write("rain.csv", "\n".join(lines).encode() + b"\n")


JOINED_CASES = [
    Case(
        "join-no-table-has-it",
        3,
        (
            "no table has a column 'rain' (did you mean 'rains'?)",
            "readings.csv has",
            "rain.csv has",
        ),
        config=entries("readings.csv", "rain.csv"),
        files=rain("unique_id,ds,rains"),
    ),
    Case(
        "join-other-case",
        3,
        ("no table has a column 'rain' (did you mean 'Rain'?)", "rain.csv has unique_id, ds, Rain"),
        config=entries("readings.csv", "rain.csv"),
        files=rain("unique_id,ds,Rain"),
    ),
    Case(
        "join-nothing-of-it",
        3,
        ("rain.csv: holds none of the readings", "y, wind", "columns", "data.static_table"),
        config={"source: readings.csv": "source: [readings.csv, rain.csv]"},
        files=rain("unique_id,ds,height"),
    ),
    Case(
        "join-other-time",
        3,
        ("rain.csv: no column 'ds'", "unique_id, at, rain", "entry of its own", "timestamp: ..."),
        config=entries("readings.csv", "rain.csv"),
        files=rain("unique_id,at,rain"),
    ),
    Case(
        "join-column-renamed-wrongly",
        3,
        ("rain.csv", "no column 'rain'", "unique_id, ds, mm"),
        config=entries("readings.csv", "{source: rain.csv, columns: {rain: mmm}}"),
        files=rain("unique_id,ds,mm"),
    ),
    Case(
        "join-file-missing",
        3,
        ("rian.csv", "no such file", "rain.csv"),
        config=entries("readings.csv", "{source: rian.csv}"),
        files=rain(),
    ),
    Case(
        "join-unknown-key",
        2,
        ("data.source.1.timestmp: unknown key; did you mean timestamp?",),
        config=entries("readings.csv", "{source: rain.csv, timestmp: at}"),
    ),
    Case(
        "join-unknown-key-of-csv",
        2,
        ("data.source.1.csv.seperator: unknown key; did you mean separator?",),
        config=entries("readings.csv", '{source: rain.csv, csv: {seperator: ";"}}'),
    ),
    Case(
        "join-no-source",
        2,
        ("data.source.1.source: required",),
        config=entries("readings.csv", "{columns: [rain]}"),
    ),
    Case(
        "join-a-number",
        2,
        ("data.source.1: text is needed", "found 3"),
        config=entries("readings.csv", "3"),
    ),
    Case(
        "join-column-without-role",
        2,
        (
            "source: rain.csv: columns: 'rian' is neither target nor covariate; did you mean 'rain'?",
        ),
        config=entries("readings.csv", "{source: rain.csv, columns: {rian: mm}}"),
    ),
    Case(
        "join-column-twice",
        2,
        ("columns: 'mm' is named twice",),
        config=entries("readings.csv", "{source: rain.csv, columns: {rain: mm, wind: mm}}"),
    ),
    Case(
        "join-two-roles",
        2,
        ("column 'rain' is both past and known",),
        config=entries("readings.csv", "rain.csv", **{"rain]}": "rain], known: [rain]}"}),
    ),
    Case(
        "join-hold-without-frequency",
        2,
        ("hold needs frequency",),
        config=entries("readings.csv", "{source: rain.csv, hold: [rain]}"),
    ),
    Case(
        "join-hold-of-fine-table",
        2,
        ("source: rain.csv: hold: its frequency 15min is not longer than data.frequency 1h",),
        config=entries("readings.csv", "{source: rain.csv, frequency: 15min, hold: [rain]}"),
    ),
    Case(
        "join-coarse-known-and-past",
        2,
        ("rain.csv", "name wind in an entry of their own"),
        config={
            "source: readings.csv": "source: [readings.csv, {source: rain.csv, frequency: 1d}]",
            "{past: [wind]}": "{past: [rain], known: [wind]}",
        },
        files=rain("unique_id,ds,rain,wind"),
    ),
    Case(
        "join-zone-unknown",
        2,
        ("data.source.1.timezone: not an IANA time zone", "Berlin"),
        config=entries("readings.csv", "{source: rain.csv, timezone: Berlin}"),
    ),
    Case(
        "join-static-without-ids",
        3,
        ("heights.csv: no column 'site'", "id, height"),
        config={
            "  frequency: 1h\n": "  frequency: 1h\n"
            "  static_table: {source: heights.csv, series: site, csv: {separator: ';'}}\n",
            "{past: [wind]}": "{past: [wind], static: [height]}",
        },
        files=write("heights.csv", b"id;height\na;1\nb;2\nc;3\n"),
    ),
    Case(
        "join-static-in-the-list",
        3,
        (
            "heights.csv: no column 'ds'",
            "data.static_table: {source: heights.csv, series: unique_id}",
        ),
        config={
            "source: readings.csv": "source: [readings.csv, heights.csv]",
            "{past: [wind]}": "{past: [wind], static: [height]}",
        },
        files=write("heights.csv", b"unique_id,height\na,1\nb,2\nc,3\n"),
    ),
    Case(
        "join-left-out-unknown",
        2,
        ("data.exclude: the source has no series 'd'",),
        config=entries("readings.csv", "{source: rain.csv, exclude: [{series: d}]}"),
        files=rain(),
    ),
    Case(
        "join-one-table-only",
        0,
        ("one_table", "1 series of other tables without a row in rain.csv: rain missing there"),
        config=entries("readings.csv", "rain.csv"),
        files=rain(series="ab"),
    ),
    Case(
        "join-text-in-second-table",
        3,
        ("rain.csv: line 3: text in the number column 'rain': 'wet'",),
        config=entries("readings.csv", "rain.csv"),
        files=write("rain.csv", b"unique_id,ds,rain\na,2024-01-01,1\na,2024-01-02,wet\n"),
    ),
    Case(
        "join-second-table-empty",
        3,
        ("rain.csv: a header, but no row of values",),
        config=entries("readings.csv", "rain.csv"),
        files=write("rain.csv", b"unique_id,ds,rain\n"),
    ),
]
