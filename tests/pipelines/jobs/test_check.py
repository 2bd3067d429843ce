"""`forecast check` as a user runs it: table, JSON, page, exit codes."""

import json

import pytest

CONFIG = """
name: small
data: {source: t.csv, frequency: 1h%s}
windows: {context: 24, horizon: 12}
split: {train: 0.7, calibration: 0.1, dev: 0.15, test: 0.15}
"""


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table with its config."""

    def write(*, gap=0, text="", extra=""):
        rows = [row for row in range(480 + gap) if not 100 <= row < 100 + gap]
        lines = [f"2020-01-{1 + row // 24:02d} {row % 24:02d}:00,{row * row % 97}" for row in rows]
        if text:
            lines[9] = f"2020-01-01 09:00,{text}"
        (tmp_path / "t.csv").write_text("\n".join(["ds,y", *lines]) + "\n")
        (tmp_path / "c.yaml").write_text(CONFIG % extra)

    return write


def test_clean_table_exits_0_and_leaves_nothing_behind(cli, table, tmp_path):
    table()
    done = cli("check", "c.yaml")
    assert done.returncode == 0, done.stderr
    assert "480 readings of 1 series: 480 kept, 0 aggregated, 0 rejected" in done.stdout
    assert "0 errors" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml", "t.csv"]


def test_strict_turns_warnings_into_exit_code_3(cli, table):
    table(gap=3)
    assert cli("check", "c.yaml").returncode == 0
    done = cli("check", "c.yaml", "--strict")
    assert done.returncode == 3
    assert "3 steps have no row, in 1 gap" in done.stdout


def test_json_lists_findings_worst_first(cli, table):
    table(gap=3)
    findings = json.loads(cli("check", "c.yaml", "--json").stdout)
    assert findings[0]["level"] == "warning"
    gap = next(one for one in findings if one["code"] == "gaps")
    assert (gap["count"], gap["first"]) == (3, "2020-01-05T04:00Z")


def test_text_in_a_number_column_is_an_error_that_names_the_setting(cli, table):
    table(text="broken")
    done = cli("check", "c.yaml")
    assert done.returncode == 3
    assert "t.csv: line 11" in done.stdout
    assert "data.missing" in done.stdout
    assert json.loads(cli("check", "c.yaml", "--json").stdout)[0]["code"] == "unreadable"


def test_page_holds_findings_and_plots_and_nothing_from_outside(cli, table, tmp_path):
    table(gap=3, extra=", limits: {y: [0, 90]}")
    assert cli("check", "c.yaml", "--html", "out/page.html").returncode == 0
    page = (tmp_path / "out" / "page.html").read_text()
    assert "outside_limits" in page
    assert page.count("<svg") == 1
    assert "http" not in page
