"""The checks: each finding appears on a table made to hold it, and not on a clean one."""

import dataclasses
import json

import numpy as np
import pytest

from forecast.data.checks import Finding, as_errors, worst_first
from forecast.data.checks.order import RowOrder, digest_rows
from forecast.data.chunk import SeriesIds
from forecast.data.grid import Grid

HOUR = np.timedelta64(1, "h")


def stamps(count, first="2020-01-01T00:00"):
    """Return hourly stamps."""
    return list(np.datetime64(first, "m") + np.arange(count) * HOUR)


def noise(count, seed=0):
    """Return values without any fault."""
    draws = np.random.default_rng(seed).normal(size=count)
    return list(20 + 5 * np.sin(np.arange(count) * 2 * np.pi / 24) + draws)


def only(findings, code, column=None):
    """Return the one finding of a kind."""
    hits = [one for one in findings if one.code == code and column in (None, one.column)]
    assert len(hits) == 1, [one.code for one in findings]
    return hits[0]


def codes(findings):
    """Return the kinds of findings."""
    return {one.code for one in findings}


def test_clean_table_has_one_note(found):
    findings = found({"ds": stamps(500), "y": noise(500)})
    assert codes(findings) == {"frequency"}
    assert findings[0].level == "note"


def test_stamps_without_zone_are_told(found):
    one = only(found({"ds": stamps(300), "y": noise(300)}, is_zoned=False), "naive_stamps")
    assert (one.count, one.setting) == (300, "data.timezone")


def test_gaps_count_steps_runs_and_the_longest(found):
    time, y = stamps(300), noise(300)
    kept = [row for row in range(300) if row not in {10, 50, 51, 52}]
    one = only(found({"ds": [time[r] for r in kept], "y": [y[r] for r in kept]}), "gaps")
    assert (one.count, one.first) == (4, "2020-01-01T10:00Z")
    assert "in 2 gaps; the longest has 3 steps (3h) from 2020-01-03T02:00Z" in one.message


def test_duplicates_equal_and_in_conflict(found):
    time, y = stamps(200), noise(200)
    time[51], y[51] = time[50], y[50]
    time[101] = time[100]
    findings = found({"ds": time, "y": y})
    assert only(findings, "duplicates_equal").count == 1
    one = only(findings, "duplicates_conflict")
    assert (one.count, one.setting, one.level) == (1, "data.duplicates", "warning")


def test_out_of_order_rows_leave_gaps_and_duplicates_right(found):
    time, y = stamps(200), noise(200)
    del time[30], y[30]
    time.append(time[5])
    y.append(y[5])
    findings = found({"ds": time[::-1], "y": y[::-1]})
    assert only(findings, "out_of_order").count == 198
    assert only(findings, "gaps").count == 1
    assert only(findings, "duplicates_equal").count == 1


def test_frequency_stated_too_fine_is_an_error(found):
    findings = found({"ds": stamps(300), "y": noise(300)}, frequency="10min")
    one = only(findings, "frequency")
    assert (one.level, one.setting) == ("error", "data.frequency: 1h")


def test_frequency_stated_too_coarse_is_a_note_on_aggregation(found):
    one = only(found({"ds": stamps(300), "y": noise(300)}, frequency="1d"), "frequency")
    assert one.level == "note"
    assert "aggregated" in one.message


def test_stamps_off_the_grid_are_counted(found):
    time = [stamp + np.timedelta64(7, "m") for stamp in stamps(300)]
    time[0] = np.datetime64("2020-01-01T00:00", "m")
    findings = found({"ds": time, "y": noise(300)})
    assert "gaps" not in codes(findings)


@pytest.mark.parametrize("marker", [-9999, -200, 65535])
def test_suspected_marker_names_the_setting(found, marker):
    y = noise(300)
    y[7] = y[70] = marker
    one = only(found({"ds": stamps(300), "y": y}), "sentinel")
    assert (one.count, one.setting) == (2, f"data.missing: {{y: [{marker}]}}")
    assert one.first == "2020-01-01T07:00Z"


def test_single_extreme_asks_for_limits(found):
    y = noise(300)
    y[7] = 1048.36
    one = only(found({"ds": stamps(300), "y": y}), "extreme")
    assert one.setting.startswith("data.limits: {y: [null, ")
    assert codes(found({"ds": stamps(300), "y": y})) == {"extreme", "frequency"}


def test_configured_marker_and_limits_answer_the_suspicion(found):
    y = noise(300)
    y[7], y[70] = -9999, 1048.36
    findings = found({"ds": stamps(300), "y": y}, missing=[-9999], limits={"y": [0, 100]})
    assert codes(findings) == {"frequency", "marker", "outside_limits", "blank"}
    assert only(findings, "outside_limits").count == 1


def test_stuck_constant_and_empty_channels(found):
    y, past = noise(400), noise(400, seed=1)
    past[100:160] = [21.5] * 60
    columns = {"ds": stamps(400), "y": y, "a": past, "b": [3.0] * 400, "c": [np.nan] * 400}
    findings = found(columns, covariates={"past": ["a", "b", "c"]})
    assert "60 steps" in only(findings, "stuck", "a").message
    assert only(findings, "constant").column == "b"
    assert only(findings, "empty").column == "c"


def test_empty_target_is_an_error(found):
    columns = {"ds": stamps(300), "y": [np.nan] * 300, "a": noise(300)}
    findings = found(columns, covariates={"past": ["a"]})
    assert only(findings, "empty").level == "error"


def test_runs_of_blank_steps(found):
    y = noise(300)
    y[10:15] = [np.nan] * 5
    one = only(found({"ds": stamps(300), "y": y, "n": range(300)}), "blank")
    assert (one.count, one.first) == (5, "2020-01-01T10:00Z")


def test_unit_break(found):
    y = np.array(noise(3000))
    y[1800:] *= 1000
    one = only(found({"ds": stamps(3000), "y": y}), "unit_break")
    assert "990" in one.message


def test_known_covariate_that_stops(found):
    time, y, plan = stamps(324), noise(324), noise(324, seed=2)
    y[300:] = [np.nan] * 24
    columns = {"ds": time, "y": y, "plan": plan}
    assert "known_ends" not in codes(found(columns, covariates={"known": ["plan"]}))
    plan[310:] = [np.nan] * 14
    one = only(found(columns, covariates={"known": ["plan"]}), "known_ends")
    assert "up to 14 of 24 steps" in one.message
    assert one.first == "series 2020-01-13T22:00Z"


def test_series_too_short(found):
    columns = {
        "unique_id": ["a"] * 100 + ["b"] * 30,
        "ds": stamps(100) + stamps(30),
        "y": noise(130),
    }
    one = only(found(columns), "too_short")
    assert (one.level, one.count, one.first) == ("warning", 1, "b")
    assert only(found(columns, context=200), "too_short").level == "error"


@pytest.mark.parametrize(("shift", "word"), [(0, "of the same step"), (3, "3 steps later")])
def test_leaking_covariate(found, shift, word):
    y = noise(400)
    copy = [value * 1.8 + 32 for value in y[shift:]] + [np.nan] * shift
    columns = {"ds": stamps(400), "y": y, "copy": copy}
    one = only(found(columns, covariates={"past": ["copy"]}), "leak")
    assert word in one.message
    assert one.level == ("warning" if shift else "note")


def test_covariate_that_follows_the_target_does_not_leak(found):
    y = noise(400)
    columns = {"ds": stamps(400), "y": y, "late": [np.nan] * 2 + y[:-2]}
    assert "leak" not in codes(found(columns, covariates={"past": ["late"]}))


def test_parts_that_differ(found):
    y = noise(1000)
    y[900:] = [value + 40 for value in y[900:]]
    first = int(np.datetime64("2020-01-01T00", "h").astype(np.int64))
    spans = {
        "train": np.array([[first, first + 800]]),
        "dev": np.array([[first + 800, first + 900]]),
        "test": np.array([[first + 900, first + 1000]]),
    }
    findings = found({"ds": stamps(1000), "y": y}, spans=spans)
    assert only(findings, "parts_differ").message.startswith("test")


def test_local_stamps_read_as_utc(found):
    spring = "2020-03-20T00:00"
    time = [stamp for stamp in stamps(400, spring) if stamp != np.datetime64("2020-03-29T02:00")]
    one = only(found({"ds": time, "y": noise(399)}), "local_time")
    assert one.setting == "data.timezone: Europe/Berlin"


def test_winter_stamps_read_as_local(found):
    time = stamps(400, "2020-10-20T00:00")
    findings = found({"ds": time, "y": noise(400)}, timezone="Europe/Berlin")
    assert only(findings, "clock_change").count == 1
    assert only(findings, "repeated_hour").count == 1


def test_skipped_hour_that_is_shifted_is_a_warning(found):
    time = stamps(400, "2020-03-20T00:00")
    findings = found({"ds": time, "y": noise(400)}, timezone="Europe/Berlin", skipped="shift")
    assert only(findings, "skipped_hour").level == "warning"


def test_dropped_rows_and_static_changes(found):
    columns = {
        "ds": [*stamps(299), "never"],
        "y": noise(300),
        "height": [5] * 100 + [6] * 200,
    }
    findings = found(columns, bad_rows="drop", covariates={"static": ["height"]})
    assert only(findings, "bad_time").count == 1
    assert only(findings, "static_changes").count == 199


def test_versions_of_a_row_are_no_duplicates(found):
    time = stamps(300) + stamps(300)
    issued = stamps(300, "2019-12-01T00:00") + stamps(300, "2019-12-20T00:00")
    columns = {"ds": time, "y": noise(600), "issued": issued}
    findings = found(columns, available_at="issued")
    assert not codes(findings) & {"duplicates_conflict", "out_of_order", "gaps"}


def test_lengths_that_differ(found):
    columns = {
        "unique_id": ["a"] * 100 + ["b"] * 90,
        "ds": stamps(100) + stamps(90),
        "y": noise(190),
    }
    assert "1 of 90 steps, 1 of 100 steps" in only(found(columns), "lengths").message


def test_findings_come_worst_first_and_strict_raises_warnings():
    notes = [Finding("note", "a", "", 9), Finding("warning", "b", "", 1), Finding("error", "c", "")]
    assert [one.code for one in worst_first(notes)] == ["c", "b", "a"]
    assert [one.level for one in as_errors(notes)] == ["note", "error", "error"]
    assert json.dumps(dataclasses.asdict(notes[0]))


@pytest.mark.parametrize("cut", [1, 7, 100])
def test_order_of_rows_does_not_depend_on_chunks(cut):
    generator = np.random.default_rng(3)
    series = generator.integers(0, 3, 400).astype(np.int32)
    time = np.sort(generator.integers(0, 300, 400)) * 3_600_000_000_000
    values = generator.integers(0, 2, (400, 1)).astype(float)

    def followed(size):
        order = RowOrder(Grid("1h"), SeriesIds(["a", "b", "c"]))
        for first in range(0, 400, size):
            rows = slice(first, first + size)
            order.add(series[rows], time[rows], digest_rows(values[rows]))
        gaps = order.gaps
        return (order.equal.count, order.conflicting.count, gaps.count, gaps.steps, gaps.longest)

    assert followed(cut) == followed(400)
    distinct = len({(one, when) for one, when in zip(series, time, strict=True)})
    assert followed(cut)[0] + followed(cut)[1] == 400 - distinct


def test_digest_tells_rows_apart_and_missing_is_equal_to_missing():
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, np.nan], [1.0, np.nan], [np.nan, 1.0]])
    digest = digest_rows(rows)
    assert digest[2] == digest[3]
    assert len(set(digest.tolist())) == 4
