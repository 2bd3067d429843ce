"""What `check` finds in the real sets, number for number; skipped where the folder is absent."""

import sys

import pytest

from tests.real.sets import ROOT, counts, findings_of, message

pytestmark = pytest.mark.slow

EXPECTED = {
    "nyc-weather": {
        ("gaps", ""): 75,
        ("missing", "pressure"): 2729,
        ("outside_limits", "wind_speed"): 1,
    },
    "etth1": {},
    "ettm1": {},
    "weather-jena": {
        ("marker", "OT"): 50,
        ("marker", "max. PAR (\ufffdmol/m\ufffd/s)"): 30,
        ("marker", "wv (m/s)"): 1,
        ("duplicates_equal", ""): 1,
        ("gaps", ""): 9,
    },
    "beijing-air": {
        ("missing", "CO"): 20_701,
        ("missing", "O3"): 13_277,
        ("missing", "NO2"): 12_116,
        ("missing", "SO2"): 9_021,
        ("missing", "PM2.5"): 8_739,
        ("missing", "PM10"): 6_449,
        ("missing", "wd"): 1_822,
    },
    "air-quality": {
        ("marker", "NMHC(GT)"): 8_443,
        ("marker", "CO(GT)"): 1_683,
        ("marker", "NO2(GT)"): 1_642,
        ("marker", "NOx(GT)"): 1_639,
    }
    | {
        ("marker", name): 366
        for name in (
            "PT08.S1(CO)", "C6H6(GT)", "PT08.S2(NMHC)", "PT08.S3(NOx)", "PT08.S4(NO2)",
            "PT08.S5(O3)", "T", "RH", "AH",
        )
    },
    "metro-traffic": {
        ("gaps", ""): 11_976,
        ("outside_limits", "temp"): 10,
        ("outside_limits", "rain_1h"): 1,
    },
    "household-power": {("blank", ""): 25_979, ("missing", "Global_active_power"): 25_979},
    "m4-hourly": {("lengths", ""): 414},
}  # fmt: skip

WORDS = {
    ("nyc-weather", "gaps"): ["75 steps have no row, in 45 gaps", "5 steps (5h)"],
    ("weather-jena", "gaps"): ["9 steps have no row, in 1 gap;", "2020-05-29"],
    ("metro-traffic", "gaps"): ["7,386 steps"],
    ("household-power", "blank"): ["in 71 runs", "7,226 steps"],
    ("m4-hourly", "lengths"): ["169 of 700 steps", "245 of 960 steps"],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_check_finds_what_is_wrong(name, real_data):
    findings, panel = findings_of(name, real_data)
    found = counts(findings)
    assert {key: found.get(key) for key in EXPECTED[name]} == EXPECTED[name]
    for (run, code), words in WORDS.items():
        if run == name:
            assert all(word in message(findings, code) for word in words)
    assert not [one for one in findings if one.level == "error"]
    account = panel.account
    assert account["kept"] + account["aggregated"] + account["rejected"] == account["read"]


def test_duplicates_of_the_traffic_set_in_all(real_data):
    found = counts(findings_of("metro-traffic", real_data)[0])
    assert found["duplicates_conflict", ""] + found["duplicates_equal", ""] == 7_629


def test_missing_cells_of_the_stations_in_all(real_data):
    found = counts(findings_of("beijing-air", real_data)[0])
    assert sum(count for (code, _), count in found.items() if code == "missing") == 74_027


def test_regular_set_has_no_gap_and_no_duplicate(real_data):
    found = counts(findings_of("etth1", real_data)[0])
    assert not {code for code, _ in found} & {"gaps", "missing", "duplicates_equal", "sentinel"}


@pytest.mark.parametrize(
    ("name", "overrides", "expected"),
    [
        (
            "weather-jena",
            ["data.missing=[NA]"],
            {"OT": 50, "max. PAR (\ufffdmol/m\ufffd/s)": 30, "wv (m/s)": 1},
        ),
        (
            "air-quality",
            ["data.missing=[NA]"],
            {"CO(GT)": 1_683, "NMHC(GT)": 8_443, "T": 366, "RH": 366, "PT08.S5(O3)": 366},
        ),
        ("metro-traffic", ["data.limits={}"], {"temp": 10}),
    ],
)
def test_markers_are_suspected_where_the_config_does_not_name_them(
    name, overrides, expected, real_data
):
    findings, _ = findings_of(name, real_data, *overrides)
    found = {one.column: one.count for one in findings if one.code == "sentinel"}
    assert found.items() >= expected.items()


def test_single_impossible_values_are_suspected(real_data):
    findings, _ = findings_of("nyc-weather", real_data, "data.limits={}")
    assert [(one.column, one.count) for one in findings if one.code == "extreme"] == [
        ("wind_speed", 1)
    ]
    findings, _ = findings_of("metro-traffic", real_data, "data.limits={}")
    assert ("rain_1h", 1) in [(one.column, one.count) for one in findings if one.code == "extreme"]


def test_page_shows_what_the_checks_find_today(real_data):
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from write_data_page import page
    finally:
        sys.path.remove(str(ROOT / "docs"))
    assert (ROOT / "docs" / "data.md").read_text(encoding="utf-8") == page(real_data)
