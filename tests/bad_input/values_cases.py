"""Values, names, rows and files as people write them; each message names the setting that reads them."""

from pathlib import Path

from tests.bad_input.case import Case, column, line, write
from tests.data.tables.sheets import book
from tests.site import readings

DROP = {"  targets": "  bad_rows: drop\n  targets"}


def csv(settings: str) -> dict[str, str]:
    """Return the config change that sets how the CSV is written."""
    return {"  series:": f"  csv: {settings}\n  series:"}


NUMBER_CASES = [
    Case(
        "thousands-comma",
        3,
        ("readings.csv", "'1,011.7'", 'data.csv.thousands: ","'),
        table=column("y", lambda y: f'"{float(y) + 1000:,}"' if float(y) > 11 else f"{y}"),
    ),
    Case(
        "thousands-or-decimal-comma",
        3,
        ("'1,378'", "means 1378", "data.csv.thousands", "means 1.378", "data.csv.decimal"),
        table=column("y", lambda _: '"1,378"'),
    ),
    Case(
        "thousands-space",
        3,
        ("'1 378'", 'data.csv.thousands: " "'),
        table=column("y", lambda _: "1 378"),
    ),
    Case(
        "thousands-thin-space",
        3,
        ('data.csv.thousands: " "',),
        table=column("y", lambda _: "1\u202f378"),
    ),
    Case(
        "thousands-fixed-space",
        3,
        ('data.csv.thousands: " "',),
        table=column("y", lambda _: "1\u00a0378"),
    ),
    Case(
        "thousands-apostrophe",
        3,
        ("1'378", 'data.csv.thousands: "\'"'),
        table=column("y", lambda _: "1'378"),
    ),
    Case(
        "thousands-point-decimal-comma",
        3,
        ('data.csv.thousands: "."', 'data.csv.decimal: ","'),
        table=column("y", lambda _: '"1.378,5"'),
    ),
    Case(
        "thousands-point-beside-decimal-comma",
        3,
        ("1.378", 'data.csv.thousands: "."'),
        config=csv('{decimal: ","}'),
        table=column("y", lambda _: "1.378"),
    ),
    Case(
        "unit-degrees",
        3,
        ("'21.5 °C'", 'data.csv.units: ["°C"]'),
        table=column("y", lambda _: "21.5 °C"),
    ),
    Case(
        "unit-before-number",
        3,
        ("'$378'", 'data.csv.units: ["$"]'),
        table=column("y", lambda _: "$378"),
    ),
    Case(
        "unit-not-listed",
        3,
        ("'21.5 kWh'", 'data.csv.units: ["kWh"]'),
        config=csv('{units: ["°C"]}'),
        table=column("y", lambda _: "21.5 kWh"),
    ),
    Case(
        "thousands-mark-misplaced",
        3,
        ("'1,37'", "y"),
        config=csv('{thousands: ","}'),
        table=line(3, 'a,2024-01-01T01:00:00Z,"1,37",5'),
    ),
]

ROW_CASES = [
    Case(
        "header-again",
        3,
        ("line 5", "'ds'", "data.bad_rows: drop"),
        table=lambda lines: [*lines[:4], lines[0], *lines[4:]],
    ),
    Case(
        "header-again-dropped",
        0,
        ("bad_time", "data.bad_rows"),
        config=DROP,
        table=lambda lines: [*lines[:4], lines[0], *lines[4:]],
    ),
    Case(
        "unit-row",
        3,
        ("line 2", "'[UTC]'", "data.bad_rows: drop"),
        table=lambda lines: [lines[0], "-,[UTC],[kW],[m/s]", *lines[1:]],
    ),
    Case(
        "unit-row-dropped",
        0,
        ("bad_time", "1"),
        config=DROP,
        table=lambda lines: [lines[0], "-,[UTC],[kW],[m/s]", *lines[1:]],
    ),
    Case(
        "total-without-time",
        3,
        ("line 5", "no time in 'ds' beside values", "data.bad_rows: drop"),
        table=lambda lines: [*lines[:4], "Total,,123,45", *lines[4:]],
    ),
    Case(
        "total-in-words-dropped",
        0,
        ("no_time",),
        config=DROP,
        table=lambda lines: [*lines[:4], "Total,,1 GWh,-", *lines[4:]],
    ),
    Case(
        "text-beside-a-time-is-no-bad-row",
        3,
        ("line 5", "'y'", "broken", "data.missing"),
        config=DROP,
        table=line(5, "a,2024-01-01T03:00:00Z,broken,5"),
    ),
]


def sheet(folder: Path) -> None:
    """Write a workbook with two sheets in place of the table."""
    rows = [one.split(",") for one in readings(3, ("a",))]
    (folder / "readings.csv").write_bytes(book({"May": rows, "June": rows}))


def other_endings(folder: Path) -> None:
    """Put the table into a folder under another ending."""
    (folder / "logs").mkdir()
    (folder / "logs" / "readings.dat").write_text("\n".join(readings()), encoding="utf-8")


def blanks(folder: Path) -> None:
    """Write the table with blanks between its columns."""
    text = "\n".join(f"{one} ".replace(",", "   ") for one in readings())
    (folder / "readings.csv").write_text(text, encoding="utf-8")


NOTES = {"  covariates": "  exclude: [{series: d}]\n  covariates"}
FILE_CASES = [
    Case(
        "workbook-sheets",
        3,
        ("readings.csv", "the sheets 'May', 'June'", "data.csv.sheet"),
        files=sheet,
    ),
    Case(
        "workbook-sheet-unknown",
        2,
        ("none called 'July'", "data.csv.sheet"),
        config=csv("{sheet: July}"),
        files=sheet,
    ),
    Case(
        "workbook-damaged",
        3,
        ("readings.csv", "not a whole workbook", "again"),
        files=write("readings.csv", b"\xd0\xcf\x11\xe0" + bytes(2000)),
    ),
    Case(
        "workbook-as-csv",
        3,
        ("a workbook where data.format says csv",),
        config={"  series:": "  format: csv\n  series:"},
        files=sheet,
    ),
    Case(
        "folder-of-other-endings",
        3,
        ("logs", "it holds .dat", "name a file itself"),
        config={"source: readings.csv": "source: logs"},
        files=other_endings,
    ),
    Case(
        "blanks-between-columns",
        3,
        ("no column", 'data.csv.separator: "whitespace"'),
        files=blanks,
    ),
    Case(
        "blanks-as-single-separator",
        3,
        ("data.csv.separator: whitespace",),
        config=csv('{separator: " "}'),
        table=lambda lines: [
            lines[0].replace(",", " "),
            *(one.replace(",", "  ") for one in lines[1:]),
        ],
    ),
    Case(
        "separator-of-two-marks",
        2,
        ("run.yaml:4", "csv.separator"),
        config=csv('{separator: ";;"}'),
    ),
    Case("width-of-nothing", 2, ("run.yaml:4", "widths"), config=csv("{widths: [3, 0]}")),
    Case(
        "text-behind-widths",
        3,
        ("readings.csv", "5 values where the header has 4"),
        config=csv("{widths: [9, 21, 5, 4]}"),
        table=lambda lines: [
            "{:<9}{:<21}{:<5}{:<4}".format(*one.split(",")) + (" x" if place == 3 else "")
            for place, one in enumerate(lines)
        ],
    ),
    Case(
        "preamble-in-place-of-header",
        3,
        ("line 3 looks like it", "data.csv.skip_rows: 2"),
        table=lambda lines: ["Station,North", "Height,12", *lines],
    ),
    Case(
        "preamble-and-other-separator",
        3,
        ('data.csv.separator: ";"', "data.csv.skip_rows: 1"),
        table=lambda lines: ["Station North", *(one.replace(",", ";") for one in lines)],
    ),
    Case(
        "header-skipped",
        3,
        ("line 1 looks like it", "data.csv.skip_rows: 0"),
        config=csv("{skip_rows: 1}"),
    ),
    Case(
        "name-that-does-not-decode",
        3,
        ("no column 'Wärme'", "data.csv.encoding", "latin-1"),
        config={"targets: [y]": "targets: [Wärme]"},
        files=write(
            "readings.csv", "\n".join(readings()).replace(",y,", ",Wärme,").encode("latin-1")
        ),
    ),
    Case(
        "line-behind-blank-ones",
        3,
        ("line 7:", "'broken'"),
        table=lambda lines: [*lines[:2], "", "", *lines[2:4], "a,2024-01-01T03:00:00Z,broken,5"],
    ),
]

CHOICE_CASES = [
    Case("exclude-unknown-series", 2, ("data.exclude", "no series 'd'"), config=NOTES),
    Case(
        "exclude-everything",
        2,
        ("exclude", "leave out every reading"),
        config={"  covariates": "  exclude: [{}]\n  covariates"},
    ),
    Case(
        "exclude-no-time",
        2,
        ("data.exclude", "'soon'"),
        config={"  covariates": "  exclude: [{start: soon}]\n  covariates"},
    ),
    Case(
        "clip-of-no-column",
        2,
        ("clip: 'wnd'", "did you mean 'wind'"),
        config={"  covariates": "  clip: {wnd: [0, 10]}\n  covariates"},
    ),
    Case(
        "clip-upside-down",
        2,
        ("run.yaml", "write [lowest, highest]"),
        config={"  covariates": "  clip: {wind: [10, 0]}\n  covariates"},
    ),
    Case(
        "difference-of-no-column",
        2,
        ("difference: 'z'", "neither target nor covariate"),
        config={"  covariates": "  difference: [z]\n  covariates"},
    ),
    Case(
        "running-total",
        0,
        ("grows", "data.difference: [y]"),
        table=lambda lines: [
            lines[0],
            *(
                ",".join([*one.split(",")[:2], str(1000 * place), "1"])
                for place, one in enumerate(lines[1:])
            ),
        ],
    ),
    Case(
        "count-below-zero",
        3,
        ("not_a_count", "down to -3", "data.limits"),
        config={"hidden_size: 4": "hidden_size: 4, head: negative_binomial"},
        table=lambda lines: line(9, "a,2024-01-01T07:00:00Z,-3,5")(
            column("y", lambda y: y.split(".")[0])(lines)
        ),
    ),
    Case(
        "count-with-a-fraction",
        3,
        ("not_a_count", "not whole numbers", "model.head"),
        config={"hidden_size: 4": "hidden_size: 4, head: negative_binomial"},
    ),
    Case(
        "marker-below-zero",
        0,
        ("sentinel", "-999", "data.missing: {y: [-999]}"),
        table=line(9, "a,2024-01-01T07:00:00Z,-999,5"),
    ),
    Case(
        "ids-alike",
        0,
        ("similar_ids", "'a' and 'A'"),
        table=lambda lines: [one.replace("b,", "A,", 1) for one in lines],
    ),
]
VALUES_CASES = [*NUMBER_CASES, *ROW_CASES, *FILE_CASES, *CHOICE_CASES]
