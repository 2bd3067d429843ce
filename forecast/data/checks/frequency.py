"""Findings about the distances between rows, compared with the configured frequency."""

from collections.abc import Iterator

from forecast.config.data import Data
from forecast.config.duration import duration_s, is_business, months_of
from forecast.data.checks.finding import Finding, Level
from forecast.data.checks.order import RowOrder
from forecast.data.grid import DAY_NS

UNITS_NS = {"d": DAY_NS, "h": 3600 * 10**9, "min": 60 * 10**9, "s": 10**9, "ms": 10**6}
CLOCK_CHANGE_NS = 2 * UNITS_NS["h"]
MOST_STEPS = 0.8
_MONTHS = {1: (28, 31), 2: (59, 62), 3: (89, 92), 6: (181, 184), 12: (365, 366)}
"""Range of days of each step of the calendar, such as 28 to 31 for a month."""


def frequency_findings(order: RowOrder, data: Data) -> Iterator[Finding]:
    """Yield findings about the distances between rows."""
    if not order.steps:
        return
    found = max(order.steps, key=lambda length: (order.steps[length], -length))
    count, total = order.steps[found], sum(order.steps.values())
    usual = frequency_of(order)
    if usual and (months_of(usual) or is_business(usual)):
        what = {"B": "business day", "M": "month", "Q": "quarter", "Y": "year"}
        words = f"the rows are a {_name(usual, what)} apart"
        count = total
    else:
        words = f"{count / total:.1%} of the steps between rows are {in_words(found)}"
    stated = data.frequency
    if usual and _is_same(usual, stated):
        yield Finding("note", "frequency", f"{words}, as stated", count)
    else:
        length = duration_s(usual) * 10**9 if usual else found
        yield _disagreement(words, length, data, count, is_usual=2 * count >= total, hint=usual)
    yield from _off_grid(order, stated)


def frequency_of(order: RowOrder) -> str:
    """Return the frequency of most distances between rows, as written in a config.

    Empty if no frequency of the config has that length.
    """
    total = sum(order.steps.values())

    def share(low: float, high: float) -> float:
        low_ns, high_ns = low * DAY_NS - CLOCK_CHANGE_NS, high * DAY_NS + CLOCK_CHANGE_NS
        return sum(n for length, n in order.steps.items() if low_ns <= length <= high_ns) / total

    for months, (shortest, longest) in _MONTHS.items():
        if share(shortest, longest) >= MOST_STEPS > share(shortest, shortest):
            end = "E" if order.is_at_month_ends else "S"
            unit, number = {3: ("Q", 1), 12: ("Y", 1)}.get(months, ("M", months))
            return f"{number}{unit}{end}"
    if share(1, 1) >= 0.6 and share(3, 3) >= 0.12 and share(1, 4) >= 0.95 and share(2, 2) < 0.06:
        return "1B"
    found = max(order.steps, key=lambda length: (order.steps[length], -length))
    is_whole = found % UNITS_NS["s"] == 0 and (found <= DAY_NS or found % DAY_NS == 0)
    return in_words(found) if is_whole else ""


def in_words(length_ns: int) -> str:
    """Return a length of time in its largest whole unit.

    Examples
    --------
    >>> in_words(900_000_000_000), in_words(86_400_000_000_000)
    ('15min', '1d')
    """
    for unit, size in UNITS_NS.items():
        if length_ns % size == 0:
            return f"{length_ns // size}{unit}"
    return f"{length_ns / 1e9:g}s"


def _name(frequency: str, what: dict[str, str]) -> str:
    """Return a calendar frequency in words."""
    number, unit = frequency[0], what[frequency[1]]
    return unit if number == "1" else f"{number} {unit}s"


def _is_same(frequency: str, other: str) -> bool:
    """Return whether two frequencies have steps of the same length."""
    kinds = [(months_of(text), is_business(text), duration_s(text)) for text in (frequency, other)]
    return kinds[0] == kinds[1]


def _disagreement(
    words: str, length: int, data: Data, count: int, *, is_usual: bool, hint: str
) -> Finding:
    """Return the finding of rows whose distances differ from the configured frequency."""
    stated = duration_s(data.frequency) * 10**9
    setting = f"data.frequency: {hint}" if hint else "data.frequency"
    but = f"{words}, but the frequency is stated as {data.frequency}"
    is_calendar = bool(months_of(data.frequency)) or is_business(data.frequency)
    if length > 1.5 * stated:
        what = f"{but}: most steps would be empty"
    elif length > stated or (length > stated / 1.5 and stated % length):
        what = f"{but}: the steps would drift against the rows, some empty, some with two rows"
        if is_calendar and length == UNITS_NS["d"]:
            what = f"{but}: rows on a weekend would count towards Friday"
    elif stated % length == 0 or is_calendar:
        several = f"several readings fall into one step of {data.frequency} and are aggregated"
        setting = f"data.aggregate, or {setting}"
        return Finding("note", "frequency", f"{words}: {several}", count, setting=setting)
    else:
        what = f"{but}: some steps would hold more rows than others, in one value"
    level: Level = "error" if is_usual and length > 1.5 * stated else "warning"
    return Finding(level, "frequency", what, count, setting=setting)


def _off_grid(order: RowOrder, stated: str) -> Iterator[Finding]:
    """Yield rows that do not lie at the time of a step."""
    if seen := order.off_grid.count:
        yield Finding(
            "note",
            "off_grid",
            f"{seen:,} of {order.rows:,} rows do not lie on a step of {stated} and count "
            "for the step that holds them",
            seen,
            series=len(order.off_grid.series),
            first=order.off_grid.first,
            setting="data.frequency",
        )
