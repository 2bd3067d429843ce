"""Writes docs/data.md: what `check` finds in eight public sets, and how the configs answer it.

    FORECAST_DATA=folder python docs/write_data_page.py

The figures come from the checks themselves; the folder holds the sets by the names that the
configs use.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from forecast.config import load_config
from pipelines.jobs.check import find

MOST_ROWS = 14

HEAD = """\
# Eight real sets

What `forecast check` finds in eight public sets, and how their configs in [configs](../configs)
answer it. Written by `python docs/write_data_page.py`: every figure comes from the checks. How to
describe tables of your own is in [tables.md](tables.md).
"""

SETS = {
    "nyc-weather": """\
Weather at three airports of New York, 2013, hourly; bundled (CC0). Steps are missing, not rows
empty, so the panel has NaN there and windows need a share of observed values. The wind of 1048 mph
is outside `limits`. December is colder than the year: dev and test say so.""",
    "etth1": """\
A power transformer, hourly, 2016 to 2018 (CC BY-ND 4.0). Clean and regular; what is odd is that
many channels stand still for a whole day at the end of each month.""",
    "weather-jena": """\
The weather station of Jena, every 10 minutes, 2020. -9999 stands for a broken sensor in three
columns, so those columns name it as their marker; one row is there twice; the logger keeps winter
time, so the zone is a fixed one. The header holds characters that no encoding explains: columns
are named with them as they are.""",
    "beijing-air": """\
Twelve stations in Beijing, one file each, hourly, 2013 to 2017 (UCI 501). The time is in four
columns, the station in one, and the wind direction is text: `categories`.""",
    "air-quality": """\
Gas sensors at a crossroads in Italy, hourly, 2004 to 2005 (UCI 360). -200 stands for "broken";
decimal commas are in quotation marks; date and time are in two columns.""",
    "metro-traffic": """\
Traffic near Minneapolis, hourly, 2012 to 2018 (UCI 492). Hours with several kinds of weather have
several rows; whole months are missing. `None` is a label here, not a missing value. In autumn there
is one row for the hour that comes twice: `ambiguous: first`.""",
    "household-power": """\
One house near Paris, every minute, 2006 to 2010 (UCI 235). "?" and empty cells mark missing
minutes; no hour is left out or repeated at clock changes, so the zone is a fixed one.""",
    "m4-hourly": """\
The hourly series of the M4 competition: one row per series, no times, shorter rows padded on the
right. `align: end` puts the newest hours of all series at one time.""",
}


def page(folder: Path) -> str:
    """Return the text of the page."""
    return HEAD + "".join(_set(name, words, folder) for name, words in SETS.items())


def _set(name: str, words: str, folder: Path) -> str:
    """Return the section of one set."""
    path = ROOT / "configs" / f"{name}.yaml"
    config = load_config(path, environment={"FORECAST_DATA": str(folder)})
    with tempfile.TemporaryDirectory() as work:
        findings, panel = find(config, work)
    assert panel is not None
    account = panel.account
    head = (
        f"\n## {name}\n\n{words}\n\n{account['read']:,} readings of {len(panel.series_ids):,} "
        f"series: {account['kept']:,} kept, {account['aggregated']:,} aggregated, "
        f"{account['rejected']:,} rejected.\n\n```yaml\n{_data_section(path)}```\n\n"
    )
    rows = ["| level | finding | column | count | what |", "|---|---|---|---:|---|"]
    rows += [
        f"| {one.level} | `{one.code}` | {one.column} | {one.count:,} | {one.message} |"
        for one in findings[:MOST_ROWS]
    ]
    rest = len(findings) - MOST_ROWS
    if rest > 0:
        rows.append(f"\nand {rest} more notes of these kinds.")
    return head + "\n".join(rows) + "\n"


def _data_section(path: Path) -> str:
    """Return the `data` section of a config as it is written."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^data:\n(?:[ ].*\n)+", text, re.MULTILINE)
    assert found is not None
    return found[0]


def main() -> None:
    """Write the page."""
    folder = os.environ.get("FORECAST_DATA")
    if not folder:
        sys.exit("FORECAST_DATA: set it to the folder of the sets")
    (ROOT / "docs" / "data.md").write_text(page(Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
