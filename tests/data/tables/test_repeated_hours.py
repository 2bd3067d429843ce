"""The hour that comes twice, by order of rows: each reading at its own instant, or a refusal."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.config.data import Data
from forecast.data.checks import Survey, check
from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.tables import delimited, read_tables
from forecast.errors import DataError

NIGHTS = {
    "Europe/Berlin": "2018-10-28T01:00Z",
    "America/New_York": "2018-11-04T06:00Z",
    "Australia/Lord_Howe": "2019-04-06T15:00Z",  # half an hour
    "Africa/Cairo": "2023-10-26T21:00Z",  # midnight becomes eleven again
    "America/Sao_Paulo": "2018-02-18T02:00Z",
}


def truth(zone, minutes, *, series="ab", hours=6):
    """Return readings around the night in which the clocks of a zone go back, in order of time."""
    change = pd.Timestamp(NIGHTS[zone])
    reach = pd.Timedelta(hours=hours)
    utc = pd.date_range(change - reach, change + reach, freq=f"{minutes}min")
    frames = [pd.DataFrame({"unique_id": one, "utc": utc}) for one in series]
    frame = pd.concat(frames, ignore_index=True)
    frame["y"] = np.arange(len(frame)) + 0.5
    frame["ds"] = frame["utc"].dt.tz_convert(zone).dt.strftime("%Y-%m-%d %H:%M")
    return frame


def readings(frame, folder, zone, **settings):
    """Return what is read of a frame: value by series and instant, and the reader."""
    path = folder / "t.csv"
    frame[["unique_id", "ds", "y"]].to_csv(path, index=False)
    reader = read_tables(Data(source=str(path), frequency="15min", timezone=zone, **settings))
    found = {
        (reader.series_ids.names[series], int(time)): float(value)
        for chunk in reader
        for series, time, value in zip(chunk.series, chunk.time, chunk.values[:, 0], strict=True)
    }
    return found, reader


def wanted(frame):
    """Return value by series and instant of the truth."""
    instants = frame["utc"].astype("datetime64[ns, UTC]").astype("int64")
    return dict(zip(zip(frame["unique_id"], instants, strict=True), frame["y"], strict=True))


ORDERS = {
    "series after series": lambda frame: frame,
    "interleaved": lambda frame: frame.sort_values("utc", kind="stable"),
    "newest first": lambda frame: frame[::-1],
    "newest first, interleaved": lambda frame: frame.sort_values("utc", kind="stable")[::-1],
    "sorted by local time": lambda frame: frame.sort_values(["ds", "utc"], kind="stable"),
    "sorted by series and local time": lambda frame: frame.sort_values(["unique_id", "ds", "utc"]),
}


@pytest.mark.parametrize("zone", NIGHTS)
@pytest.mark.parametrize("minutes", [5, 15, 30, 60])
@pytest.mark.parametrize("order", ORDERS)
def test_each_reading_is_at_its_own_instant(zone, minutes, order, tmp_path):
    frame = ORDERS[order](truth(zone, minutes))
    found, reader = readings(frame, tmp_path, zone)
    assert found == wanted(frame)
    assert reader.notes.repeated_alone == 0


@pytest.mark.parametrize("order", ORDERS)
def test_passes_are_told_apart_across_pieces_of_a_file(order, tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 256)
    frame = ORDERS[order](truth("Europe/Berlin", 5, series="abc"))
    found, _ = readings(frame, tmp_path, "Europe/Berlin")
    assert found == wanted(frame)


def test_a_wide_table_has_the_hour_twice_for_every_column(tmp_path):
    frame = truth("Europe/Berlin", 15, series="a")
    wide = frame.assign(b=frame["y"] + 1000).rename(columns={"y": "a"})[["ds", "a", "b"]]
    wide.to_csv(tmp_path / "t.csv", index=False)
    data = Data(
        source=str(tmp_path / "t.csv"), frequency="15min", timezone="Europe/Berlin",
        layout="wide_columns",
    )  # fmt: skip
    found = sorted(time for chunk in read_tables(data) for time in chunk.time.tolist())
    assert found == sorted([*wanted(frame)] * 2 and [key[1] for key in wanted(frame)] * 2)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("minutes", [15, 60])
def test_rows_in_no_order_are_refused_by_name(seed, minutes, tmp_path):
    frame = truth("Europe/Berlin", minutes, series="a").sample(frac=1, random_state=seed)
    with pytest.raises(DataError, match=r"series 'a'.*come twice.*data\.ambiguous"):
        readings(frame, tmp_path, "Europe/Berlin")


def test_backwards_and_side_by_side_is_refused(tmp_path):
    frame = truth("Europe/Berlin", 15, series="a").sort_values(["ds", "utc"])[::-1]
    with pytest.raises(DataError, match="come twice"):
        readings(frame, tmp_path, "Europe/Berlin")


def test_a_time_three_times_is_refused(tmp_path):
    frame = truth("Europe/Berlin", 60, series="a")
    frame = pd.concat([frame, frame]).sort_values(["ds", "utc"])
    with pytest.raises(DataError, match="come twice"):
        readings(frame, tmp_path, "Europe/Berlin")


def test_a_table_given_twice_is_read_twice(tmp_path):
    frame = truth("Europe/Berlin", 15)
    found, _ = readings(pd.concat([frame, frame]), tmp_path, "Europe/Berlin")
    assert found == wanted(frame)


def test_a_correction_of_one_pass_is_refused(tmp_path):
    frame = truth("Europe/Berlin", 15, series="a")
    late = frame[frame["ds"].str.endswith("02:15")].tail(1)
    with pytest.raises(DataError, match="come twice"):
        readings(pd.concat([frame, late]), tmp_path, "Europe/Berlin")


def test_gaps_in_the_night_leave_the_others_at_their_instants(tmp_path):
    frame = truth("Europe/Berlin", 15, series="a")
    gone = frame["utc"].isin(pd.to_datetime(["2018-10-28T00:15Z", "2018-10-28T01:30Z"]))
    for order in ("series after series", "newest first"):
        kept = ORDERS[order](frame[~gone])
        found, reader = readings(kept, tmp_path, "Europe/Berlin")
        assert found == wanted(kept)
        assert reader.notes.repeated_alone == 0


def test_check_says_when_a_pass_is_missing(tmp_path):
    frame = truth("Europe/Berlin", 60, series="a", hours=48).drop_duplicates("ds")
    frame[["ds", "y"]].to_csv(tmp_path / "t.csv", index=False)
    data = Data(source=str(tmp_path / "t.csv"), frequency="1h", timezone="Europe/Berlin")
    survey = Survey(read_tables(data), data)
    panel = build_panel(survey, tmp_path / "panel", spec=panel_spec(data))
    found = check(survey, panel, context_length=4, horizon=1, season=4)
    [hour] = [one for one in found if one.code == "repeated_hour"]
    assert hour.level == "warning"
    assert "told apart" not in hour.message
    assert "occur only once" in hour.message


def test_the_first_pass_of_this_very_night_is_no_loss(tmp_path):
    frame = truth("Europe/Berlin", 15, series="a")
    so_far = frame[frame["utc"] <= "2018-10-28T00:30Z"]
    for order in ("series after series", "newest first"):
        found, reader = readings(ORDERS[order](so_far), tmp_path, "Europe/Berlin")
        assert found == wanted(so_far)
        assert reader.notes.repeated_alone == 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    zone=st.sampled_from(sorted(NIGHTS)),
    minutes=st.sampled_from([10, 15, 20, 30, 60]),
    order=st.permutations(range(6)),
    cut=st.integers(0, 40),
)
def test_blocks_of_rows_in_any_order_are_read_rightly_or_refused(
    tmp_path_factory, zone, minutes, order, cut
):
    frame = truth(zone, minutes, series="a")
    edges = np.linspace(cut % len(frame), len(frame), 7).astype(int)
    edges[0] = 0
    blocks = [frame[first:stop] for first, stop in itertools.pairwise(edges)]
    moved = pd.concat([blocks[number] for number in order])
    try:
        found, reader = readings(moved, tmp_path_factory.mktemp("t"), zone)
    except DataError:  # refused by name, as tested above
        return
    if not reader.notes.repeated_alone:
        assert found == wanted(frame)
