"""Tables that lie: each trap is named once, and clean tables of odd kinds raise no false alarm."""

import numpy as np
import pytest

FIRST = np.datetime64("2024-01-01T00", "h")
QUIET = {"frequency", "lengths", "missing"}


def long_table(series):
    """Return the columns of a long table of hourly values by series id."""
    ids, at, y = [], [], []
    for name, values in series.items():
        for hour, value in enumerate(values):
            if value is not None:
                ids.append(name)
                at.append(f"{FIRST + hour}:00")
                y.append(float(value))
    return {"unique_id": ids, "ds": at, "y": y}


def one(values):
    """Return the columns of a table of one series."""
    columns = long_table({"a": values})
    return {name: columns[name] for name in ("ds", "y")}


def only(findings, code):
    """Return the one finding of a kind."""
    hits = [finding for finding in findings if finding.code == code]
    assert len(hits) == 1, [(finding.code, finding.message) for finding in findings]
    return hits[0]


def alarms(findings):
    """Return the kinds of findings beyond those that any table may have."""
    return {finding.code for finding in findings} - QUIET


def waves(count, level=20.0, seed=0, width=5.0):
    """Return a daily wave with noise."""
    noise = np.random.default_rng(seed).normal(size=count)
    return np.round(level + width * np.sin(np.arange(count) * 2 * np.pi / 24) + noise, 2)


def rain(count=2000, seed=0):
    """Return hourly rain: mostly none, then bursts."""
    random = np.random.default_rng(seed)
    wet = random.random(count) < 0.08
    return np.where(wet, random.gamma(0.6, 4.0, count).round(1), 0.0)


def flow(count=3000, seed=1):
    """Return river flow: floods that rise at once and fall slowly, over four orders."""
    random = np.random.default_rng(seed)
    values, level = [], 3.0
    for _ in range(count):
        level = level * 0.95 + 0.15
        if random.random() < 0.01:
            level += 20 * random.pareto(1.2)
        values.append(round(level, 2))
    return np.array(values)


def sun(count=2400, seed=2):
    """Return the power of a solar plant: nights are zero."""
    cloud = np.random.default_rng(seed).uniform(0.5, 1.0, count)
    return (np.clip(np.sin((np.arange(count) % 24 - 6) * np.pi / 12), 0, None) * 40 * cloud).round(
        2
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", [waves, rain, flow, sun])
def test_odd_but_honest_series_raise_no_alarm(found, make, seed):
    assert alarms(found(one(make(3000, seed=seed)))) == set()


def test_a_dry_season_is_no_fault(found):
    values = rain()
    values[1500:] = 0
    assert alarms(found(one(values))) == set()


@pytest.mark.parametrize("mark", [-999, -9999, -99.99, -200])
@pytest.mark.parametrize("make", [flow, rain, sun])
def test_a_negative_marker_among_what_is_never_negative(found, make, mark):
    values = make(3000)
    values[100:258] = mark
    finding = only(found(one(values)), "sentinel")
    assert (finding.count, finding.setting) == (158, f"data.missing: {{y: [{mark}]}}")
    assert finding.first == "2024-01-05T04:00Z"


@pytest.mark.parametrize("mark", [999, 9999])
def test_a_positive_marker_within_a_heavy_tail(found, mark):
    values = flow(3000) * 30
    values[40:80] = mark
    assert only(found(one(values)), "sentinel").count == 40


def test_two_markers_in_one_column_are_both_named(found):
    values = flow(3000)
    values[7] = values[70] = -999
    values[9] = -9999
    settings = {one.setting for one in found(one(values)) if one.code == "sentinel"}
    assert settings == {"data.missing: {y: [-999]}", "data.missing: {y: [-9999]}"}


def test_readings_in_steps_of_a_hundred_are_no_marker(found):
    values = np.random.default_rng(0).integers(1, 20, 2000) * 100
    assert alarms(found(one(values))) == set()


def rooms(broken):
    """Return the temperatures of twenty rooms, one of them replaced."""
    series = {f"r{room:02d}": waves(480, 22, seed=room, width=1) for room in range(20)}
    return long_table(series | {"r07": broken})


def test_a_sensor_that_is_mostly_wrong_is_told_by_its_peers(found):
    random = np.random.default_rng(0)
    broken = np.where(
        random.random(480) < 0.7, random.uniform(69, 301, 480), waves(480, 22, width=1)
    )
    finding = only(found(rooms(broken.round(2))), "unlike_peers")
    assert (finding.series, finding.first, finding.column) == (1, "r07", "y")
    assert "of the values of r07 lie outside" in finding.message
    assert "data.limits: {y: [" in finding.setting
    assert alarms(found(rooms(broken.round(2)))) == {"unlike_peers"}


def test_a_warmer_room_and_rooms_of_any_size_are_no_alarm(found):
    assert alarms(found(rooms(waves(480, 26, seed=3, width=1)))) == set()
    sizes = {f"s{i}": waves(480, 10 * 1.6**i, seed=i, width=2 * 1.6**i) for i in range(12)}
    assert alarms(found(long_table(sizes))) == set()


def test_levels_that_differ_by_orders_are_noted(found):
    table = long_table({"small": waves(300, 1, width=0.1), "large": 1e6 * waves(300, 1, width=0.1)})
    finding = only(found(table), "scales")
    assert finding.level == "note"
    assert "factor of 1e+06" in finding.message


def test_zeros_far_below_every_other_value_are_an_outage(found):
    values = waves(1000, 400, width=100)
    values[300:306] = values[700:709] = 0
    finding = only(found(one(values)), "zeros")
    assert (finding.count, finding.first) == (15, "2024-01-13T12:00Z")
    assert "in 2 runs" in finding.message


def test_zeros_by_day_are_an_outage_of_a_solar_plant(found):
    values = sun(2400)
    values[960:1032] = 0
    finding = only(found(one(values)), "zeros")
    assert finding.first.startswith("2024-02-09")


def test_a_running_total_is_told_once_and_offers_its_differences(found):
    use = np.random.default_rng(2).integers(100, 500, 1500)
    total = 1_234_567_890 + np.cumsum(use)
    spans = spans_of(1500)
    findings = found(one(total), spans=spans)
    finding = only(findings, "grows")
    assert finding.setting == "data.difference: [y]"
    assert alarms(findings) == {"grows"}
    assert "kept to the nearest 128" in finding.message  # np.spacing(np.float32(1_234_567_890))
    reset = np.cumsum(use) % 200_000
    assert "with 2 falls (resets?)" in only(found(one(reset), spans=spans), "grows").message


def test_levels_too_large_for_their_changes_are_told(found):
    wave = np.random.default_rng(2).normal(0, 3, 1500)
    finding = only(found(one(100_000_000 + wave)), "digits")
    assert "kept to the nearest 8" in finding.message
    assert "digits" not in alarms(found(one(1013.25 + wave)))


def spans_of(count, train=0.8, dev=0.9):
    """Return the spans of a split by time."""
    first = int(FIRST.astype(np.int64))
    edges = [first, first + int(count * train), first + int(count * dev), first + count]
    return {
        part: np.array([[edges[place], edges[place + 1]]])
        for place, part in enumerate(("train", "dev", "test"))
    }


def test_a_series_that_ended_and_one_that_goes_on(found):
    table = long_table({"a": waves(600), "b": waves(600, seed=1)[:400]})
    findings = found(table, spans=spans_of(600))
    finding = only(findings, "silent")
    assert (finding.series, finding.first) == (1, "b 2024-01-17T15:00Z")
    parts = [one.message for one in findings if one.code == "part_series"]
    assert parts == [
        "dev holds readings of only 1 of 2 series",
        "test holds readings of only 1 of 2 series",
    ]


def test_a_column_that_went_silent(found):
    columns = one(waves(600)) | {"wind": [*waves(500, seed=3), *[float("nan")] * 100]}
    finding = only(found(columns, covariates={"past": ["wind"]}), "silent")
    assert (finding.column, finding.count) == ("wind", 100)
    assert finding.first == "2024-01-21T19:00Z"


def test_values_above_a_static_capacity(found):
    series = {f"p{i}": np.minimum(sun(600, seed=i) * (i + 1), 40 * (i + 1)) for i in range(6)}
    series["p2"][300:303] = 900.0
    table = long_table(series)
    table["rated"] = [40 * (int(name[1:]) + 1) for name in table["unique_id"]]
    finding = only(found(table, covariates={"static": ["rated"]}), "above_capacity")
    assert (finding.count, finding.series, finding.first) == (3, 1, "p2")
    table["y"] = [
        min(value, 300) if name != "p2" else min(value, 120)
        for name, value in zip(table["unique_id"], table["y"], strict=True)
    ]
    assert "above_capacity" not in alarms(found(table, covariates={"static": ["rated"]}))


def test_negative_counts(found):
    counts = np.random.default_rng(4).poisson(30, 1000)
    counts[500] = -3
    finding = only(found(one(counts)), "negative")
    assert finding.setting == "data.limits: {y: [0, null]}"
    finding = only(found(one(counts), counts=("y",)), "not_a_count")
    assert (finding.level, finding.count, finding.first) == ("error", 1, "2024-01-21T20:00Z")
    assert "down to -3" in finding.message
    broken = counts.astype(float)
    broken[500] = 1.5
    assert "not whole numbers" in only(found(one(broken), counts=("y",)), "not_a_count").message
    assert "not_a_count" not in alarms(found(one(broken)))


def test_ids_that_a_person_would_take_for_one(found):
    table = long_table({"007": waves(300), "7": waves(300, seed=1), "8": waves(300, seed=2)})
    finding = only(found(table), "similar_ids")
    assert finding.message.startswith("'007' and '7' are read as 2 series")


def test_a_leak_in_few_of_many_series_is_seen(found):
    series = {f"s{i:02d}": waves(200, seed=i) for i in range(12)}
    table = long_table(series)
    copy = np.random.default_rng(9).normal(size=len(table["y"])).round(3)
    for name in ("s10", "s11"):
        rows = [row for row, found_name in enumerate(table["unique_id"]) if found_name == name]
        copy[rows[:-2]] = [table["y"][row + 2] for row in rows[:-2]]
    finding = only(found(table | {"copy": copy}, covariates={"past": ["copy"]}), "leak")
    assert "2 steps later, in 2 of 12 series" in finding.message
