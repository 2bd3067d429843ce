"""Numbers as people read them: significant digits at any scale."""

import math
from collections.abc import Iterable


def format_number(value: float) -> str:
    """Return a number with about four significant digits; NaN and infinities as a dash.

    >>> [format_number(x) for x in (3.14159, 12345.6, 0.01234, 8, float("nan"))]
    ['3.142', '12,346', '0.01234', '8', '-']
    """
    if isinstance(value, float) and not math.isfinite(value):
        return "-"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def decimals_of(spreads: Iterable[float]) -> int:
    """Return the decimals that show differences of these sizes with two significant digits.

    Used for a column of values whose differences matter more than their level, such as
    forecasts beside the width of their band. Nine in ten of the sizes are shown so.

    >>> [decimals_of([x]) for x in (640.0, 8.3, 0.021)]
    [0, 1, 3]
    """
    sizes = sorted(x for x in spreads if math.isfinite(x) and x > 0)
    if not sizes:
        return 1
    return min(12, max(0, 1 - math.floor(math.log10(sizes[len(sizes) // 10]))))


def age_text(seconds: float) -> str:
    """Return a span of time in the largest unit of which it holds two, rounded down.

    >>> [age_text(s) for s in (59, 600, 7200, 26 * 3600, 31.5 * 86_400)]
    ['0min', '10min', '2h', '26h', '31d']
    """
    for unit, length in (("d", 86_400), ("h", 3600)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)}{unit}"
    return f"{int(seconds // 60)}min"


def better_by(own: float, other: float) -> str:
    """Return by which share an error is below another's, empty where the other has none.

    >>> better_by(0.8, 1.0), better_by(1.5, 1.0), better_by(0.1, 0.0), better_by(0.1, float("nan"))
    ('+20 %', '-50 %', '', '')
    """
    if not (math.isfinite(own) and math.isfinite(other) and other > 0):
        return ""
    return f"{100 * (1 - own / other):+.0f} %"


def counted(count: int, word: str, *verbs: str) -> str:
    """Return a count with its noun, singular or plural, and with a verb in its two forms.

    Examples
    --------
    >>> counted(1, "gap"), counted(2500, "gap")
    ('1 gap', '2,500 gaps')
    >>> counted(1, "step", "has", "have"), counted(2, "step", "has", "have")
    ('1 step has', '2 steps have')
    """
    plural = word if word.endswith("series") else f"{word}s"
    return " ".join([f"{count:,}", *((word, *verbs[:1]) if count == 1 else (plural, *verbs[1:]))])


def bytes_text(size: int) -> str:
    """Return a number of bytes in the largest unit that it holds one of.

    >>> [bytes_text(size) for size in (12, 3_400, 5_600_000, 78_000_000_000)]
    ['12 B', '3.4 kB', '5.6 MB', '78 GB']
    """
    value, units = float(size), ("B", "kB", "MB", "GB", "TB")
    for unit in units[:-1]:
        if value < 1000:
            return f"{value:.2g} {unit}" if value < 10 else f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.0f} {units[-1]}"
