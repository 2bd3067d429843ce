"""Findings from the reader's tallies: missing cells, refused rows, clock changes."""

from collections.abc import Iterator

from forecast.config.data import Data
from forecast.data.checks.finding import Finding, Level, plain
from forecast.data.tables.tallies import Notes, Tally
from forecast.text import counted

MUCH_MISSING = 0.5
PASSES = {
    "order": "told apart by order of rows",
    "refuse": "refused",
    "first": "all taken as the first pass",
    "second": "all taken as the second pass",
}


def reading_findings(notes: Notes, data: Data, readings: int) -> Iterator[Finding]:
    """Yield findings about cells and rows as they were read.

    Parameters
    ----------
    notes
        Tallies of the reader.
    data
        The `data` section.
    readings
        Number of readings that were kept, of which missing cells are a share.
    """
    yield from _rows(notes)
    yield from _clock(notes, data)
    yield from _cells(notes, data, readings)
    yield from _spelled(notes)
    for name, tally in notes.clipped.items():
        yield Finding(
            "note",
            "clipped",
            f"{counted(tally.count, 'value')} beyond the range, cut to it; the first was "
            f"{tally.first}",
            tally.count,
            column=name,
            setting="data.clip",
        )
    if left := notes.excluded.count:
        yield Finding(
            "note",
            "excluded",
            f"{counted(left, 'reading')} left out by data.exclude",
            left,
            first=notes.excluded.first,
            setting="data.exclude",
        )
    for name, tally in notes.static_changes.items():
        if tally.count:
            yield Finding(
                "warning",
                "static_changes",
                f"{counted(tally.count, 'row', 'contradicts', 'contradict')} the first value of "
                "the series in the static covariate; the first is used",
                tally.count,
                column=name,
                first=tally.first,
                setting="data.covariates: known or past instead of static",
            )
    if absent := notes.static_absent.count:
        yield Finding(
            "warning",
            "static_absent",
            f"{counted(absent, 'series', 'has', 'have')} no row in the static table",
            absent,
            series=absent,
            first=notes.static_absent.first,
            setting="data.static_table",
        )


def _rows(notes: Notes) -> Iterator[Finding]:
    """Yield findings about rows that were left out."""
    kinds: tuple[tuple[str, Tally, Level, str], ...] = (
        ("empty_rows", notes.empty, "note", "rows without any value were left out"),
        ("ragged_rows", notes.ragged, "warning", "rows do not fit the header and were dropped"),
        ("no_time", notes.no_time, "warning", "rows without a time were dropped"),
        ("bad_time", notes.bad_time, "warning", "rows whose time cannot be read were dropped"),
        ("no_series", notes.no_series, "warning", "rows without a series id were dropped"),
    )
    for code, tally, level, words in kinds:
        if tally.count:
            yield Finding(
                level,
                code,
                f"{words}: {tally.count:,}",
                tally.count,
                first=tally.first,
                setting="" if code == "empty_rows" else "data.bad_rows",
            )


def _clock(notes: Notes, data: Data) -> Iterator[Finding]:
    """Yield findings about timestamps without a zone and about clock changes."""
    if (count := notes.naive.count) and "timezone" not in data.model_fields_set:
        yield Finding(
            "warning",
            "naive_stamps",
            f"{counted(count, 'time', 'has', 'have')} no offset and no zone is set: "
            f"read as {data.timezone}",
            count,
            column=" ".join(data.timestamp),
            first=notes.naive.first,
            setting="data.timezone",
        )
    if count := notes.repeated.count:
        once = notes.repeated_alone
        alone = (
            f"{counted(once, 'local time')} of them occur only once, taken as the first pass: the "
            "other is missing"
        )
        yield Finding(
            "warning" if once else "note",
            "repeated_hour",
            f"{counted(count, 'row')} in an hour that comes twice in {data.timezone}; "
            + (alone if once else PASSES[data.ambiguous]),
            count,
            first=notes.repeated.first,
            setting="data.ambiguous",
        )
    if count := notes.skipped.count:
        yield Finding(
            "warning",
            "skipped_hour",
            f"{counted(count, 'row')} in an hour that {data.timezone} skips: the stamps may "
            "be in winter time all year, or in another zone",
            count,
            first=notes.skipped.first,
            setting="data.timezone, data.skipped",
        )


def _cells(notes: Notes, data: Data, readings: int) -> Iterator[Finding]:
    """Yield findings about missing, marked and infinite cells."""
    for name, tally in notes.missing.items():
        if not tally.count:
            continue
        marked = sum(seen.count for (column, _), seen in notes.marked.items() if column == name)
        share = tally.count / max(readings, 1)
        if marked == tally.count and share <= MUCH_MISSING:
            continue
        empty = tally.count >= readings
        level: Level = "warning" if share > MUCH_MISSING else "note"
        if empty and name in data.targets:
            level = "error"
        yield Finding(
            level,
            "empty_column" if empty else "missing",
            f"{tally.count:,} of {counted(readings, 'cell')} missing ({share:.1%})",
            tally.count,
            column=name,
            first=tally.first,
            setting="data.missing" if not empty else "leave the column out of the config",
        )
    for (name, number), tally in notes.marked.items():
        yield Finding(
            "note",
            "marker",
            f"{counted(tally.count, 'cell')} with the marker {plain(number)}, taken as missing",
            tally.count,
            column=name,
            first=tally.first,
            setting="data.missing",
        )
    for name, tally in notes.infinite.items():
        yield Finding(
            "warning",
            "infinite",
            f"{counted(tally.count, 'infinite cell')}, taken as missing",
            tally.count,
            column=name,
            first=tally.first,
            setting="data.missing",
        )


def _spelled(notes: Notes) -> Iterator[Finding]:
    """Yield findings about how numbers are written: marks between thousands, units."""
    for name, tally in notes.grouped.items():
        if tally.count:
            yield Finding(
                "warning",
                "thousands",
                f"{counted(tally.count, 'cell')} of the first with three digits behind the decimal "
                "mark, beside whole numbers below 1,000: if the mark stands between thousands, "
                'set csv.thousands to it, and csv.decimal to "," or "."',
                tally.count,
                column=name,
                first=tally.first,
                setting="data.csv.thousands",
            )
    for name, tally in notes.bare.items():
        beside = notes.with_unit[name]
        if tally.count and beside.count:
            yield Finding(
                "warning",
                "units",
                f"{counted(tally.count, 'number')} without a unit beside "
                f"{beside.count:,} with one (the first: {beside.first}): all are read alike, "
                "nothing is converted",
                tally.count,
                column=name,
                first=tally.first,
                setting="data.csv.units",
            )
