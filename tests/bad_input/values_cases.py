"""Values, names and rows as people write them; each message names the setting that reads them."""

from tests.bad_input.case import Case, column, line

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
VALUES_CASES = [*NUMBER_CASES, *ROW_CASES]
