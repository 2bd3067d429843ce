"""Tables drawn with any mix of ways to write them: the panel is what pandas says, or a refusal.

A few hundred examples in the ordinary run, always the same; ``FORECAST_EXAMPLES=5000`` draws as
many new ones (`make properties`).
"""

import os
from collections import Counter

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from forecast.config.data import Data
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import read_tables
from forecast.errors import DataError

EXAMPLES = int(os.environ.get("FORECAST_EXAMPLES", "0"))
NIGHTS = {
    "UTC": ["2024-03-31T01:00Z"],
    "Europe/Berlin": ["2024-03-31T01:00Z", "2024-10-27T01:00Z", "2024-06-01T00:00Z"],
    "America/New_York": ["2024-03-10T07:00Z", "2024-11-03T06:00Z"],
    "Australia/Lord_Howe": ["2024-04-06T15:00Z", "2024-10-05T15:30Z"],
    "Africa/Cairo": ["2023-04-27T22:00Z", "2023-10-26T21:00Z"],
    "America/Sao_Paulo": ["2018-11-04T03:00Z", "2018-02-18T02:00Z"],
    "Asia/Kolkata": ["2024-01-01T00:00Z"],
}
STYLES = {
    "local": lambda utc, local: local.strftime("%Y-%m-%d %H:%M"),
    "local, seconds": lambda utc, local: local.strftime("%Y-%m-%dT%H:%M:%S"),
    "Z": lambda utc, local: utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "word": lambda utc, local: utc.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "offset": lambda utc, local: local.isoformat(),
    "compact": lambda utc, local: local.strftime("%Y%m%dT%H%M%S%z"),
    "hours": lambda utc, local: utc.tz_convert("Etc/GMT-3").strftime("%Y-%m-%d %H:%M+03"),
}
ORDERS = ["series", "time", "newest first", "local", "shuffled"]


@st.composite
def tables(draw):
    """Return readings in order of the file, the text of the file, and the settings to read it."""
    zone = draw(st.sampled_from(sorted(NIGHTS)))
    minutes = draw(st.sampled_from([10, 15, 30, 60]))
    night = pd.Timestamp(draw(st.sampled_from(NIGHTS[zone]))).floor("h")
    count = draw(st.integers(4, 40))
    utc = night + pd.Timedelta(minutes=minutes) * (np.arange(count) - draw(st.integers(0, count)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frame = pd.concat([pd.DataFrame({"id": one, "utc": utc}) for one in draw(
        st.sampled_from(["a", "ab", "abc"]))], ignore_index=True)  # fmt: skip
    frame["y"] = np.round(random.normal(0, 1000, len(frame)), 2)
    frame.loc[random.random(len(frame)) < draw(st.sampled_from([0.0, 0.2])), "y"] = np.nan
    is_mixed = draw(st.booleans())
    style = draw(st.sampled_from(sorted(STYLES)))
    others = [name for name in sorted(STYLES) if "local" not in name]
    frame["style"] = random.choice(others, len(frame)) if is_mixed else style
    return _file(draw, frame, zone, minutes, random)


def _file(draw, frame, zone, minutes, random):
    """Return a table of readings as a file in some order, with some rows sent again."""
    local = frame["utc"].dt.tz_convert(zone)
    frame["ds"] = [
        STYLES[name](*both) for name, *both in zip(frame["style"], frame["utc"], local, strict=True)
    ]
    order = draw(st.sampled_from(ORDERS))
    frame["clock"] = local.dt.tz_localize(None)
    frame = {
        "series": lambda: frame,
        "time": lambda: frame.sort_values("utc", kind="stable"),
        "newest first": lambda: frame[::-1],
        "local": lambda: frame.sort_values(["clock", "utc"], kind="stable"),
        "shuffled": lambda: frame.sample(frac=1, random_state=int(random.integers(2**31))),
    }[order]()
    if order == "shuffled":
        assume(not any(reads_as_two_passes(one["clock"]) for _, one in frame.groupby("id")))
    if not frame["style"].str.contains("local").any() and draw(st.booleans()):
        again = frame.sample(frac=0.2, random_state=1)
        frame = pd.concat([frame, again.assign(y=np.round(random.normal(0, 1, len(again)), 3))])
    separator, decimal = draw(st.sampled_from([(",", "."), (";", "."), (";", ","), ("\t", ",")]))
    marker = draw(st.sampled_from(["", "NA", "-9999", "?"]))
    texts = frame["y"].map(lambda y: marker if np.isnan(y) else f"{y}".replace(".", decimal))
    lines = frame["id"] + separator + frame["ds"] + separator + texts
    text = separator.join(["unique_id", "ds", "y"]) + "\n" + "\n".join(lines) + "\n"
    return frame, text, {
        "frequency": f"{minutes}min",
        "timezone": zone,
        "csv": {"separator": separator, "decimal": decimal},
        "missing": ["NA", "?", -9999],
    }  # fmt: skip


def reads_as_two_passes(clock):
    """Say whether shuffled rows happen to show every time twice, in order: nothing tells then."""
    half = len(clock) // 2
    first, second = clock[:half], clock[half:]
    is_even = len(clock) % 2 == 0 and half > 1 and (first.to_numpy() == second.to_numpy()).all()
    return is_even and (first.is_monotonic_increasing or first.is_monotonic_decreasing)


def truth(frame):
    """Return the last value of each series and instant, as pandas has it."""
    return frame.groupby(["id", "utc"])["y"].last().dropna().astype("float32").to_dict()


def found_in(panel):
    """Return the observed values of a panel by series and instant."""
    found = {}
    for number, name in enumerate(panel.series_ids):
        values = panel.block(number)[:, 0]
        seen = np.flatnonzero(~np.isnan(values))
        times = pd.to_datetime(panel.grid.time(panel.start[number] + seen), utc=True)
        found |= {(name, time): value for time, value in zip(times, values[seen], strict=True)}
    return found


def outcome(table, folder):
    """Compare one table with the truth; return whether it was read or refused, and why."""
    frame, text, described = table
    (folder / "t.csv").write_text(text, encoding="utf-8")
    data = Data(source=str(folder / "t.csv"), **described)
    reader = read_tables(data)
    panel, message = None, ""
    try:
        panel = build_panel(reader, folder / "panel", spec=panel_spec(data))
    except DataError as error:
        message = str(error)
    if panel is None:
        assert "come twice" in message
        return "refused"
    account = panel.account
    assert account["read"] == len(frame)
    assert account["read"] == account["kept"] + account["aggregated"] + account["rejected"]
    if reader.notes.repeated_alone:
        return "a pass is missing"  # and check says so
    assert found_in(panel) == truth(frame)
    return "read"


def test_the_panel_is_what_pandas_says_or_the_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # half of the time, and no concern here
    seen = Counter()

    @settings(
        max_examples=EXAMPLES or 200,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(tables())
    def compare(table):
        seen[outcome(table, tmp_path)] += 1

    compare()
    assert seen["read"] > 0.8 * seen.total()
