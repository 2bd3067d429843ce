"""Shows the first forecasts of a cutoff's folder on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from forecast.forecasting.forecast_table import quantile_columns
from forecast.forecasting.published import read_success
from forecast.forecasting.stored_forecasts import first_rows, flagged_series
from forecast.text import decimals_of
from pipelines.process.console import say, table

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.config import Config

SHOWN_SERIES = 4

SHOWN_STEPS = 24


def show_forecast(config: Config, path: Path, *, written: int) -> None:
    """Print the newest cutoff's first forecasts as a table and say where the files are."""
    success = read_success(path)
    total = success["series"] * len(config.data.targets)
    rows = first_rows(path, SHOWN_SERIES * (success["rows"] // total))
    names = list(dict.fromkeys((row["unique_id"], row["target"]) for row in rows))
    low, high = _outer_levels(rows[0])
    zone = ZoneInfo(config.data.timezone)
    digits = decimals_of(row[high] - row[low] if low else abs(row["y_hat"]) / 100 for row in rows)
    lines: dict[int, list[object]] = {}
    for row in rows:
        if row["step"] <= SHOWN_STEPS:
            stamp = row["ds"].astimezone(zone).strftime("%Y-%m-%d %H:%M")
            band = f" [{row[low]:z,.{digits}f}, {row[high]:z,.{digits}f}]" if low else ""
            lines.setdefault(row["step"], [stamp]).append(f"{row['y_hat']:z,.{digits}f}{band}")
    share = round(100 * (float(high[1:]) - float(low[1:]))) if low else 0
    title = f"{config.name}: forecast" + (f" with {share} % interval" if low else "")
    heads = [name if len(config.data.targets) == 1 else f"{name} {what}" for name, what in names]
    table(title, [f"time ({config.data.timezone})", *heads], list(lines.values()))
    if total > len(names):
        say(f"and {total - len(names)} more series")
    for flag, flagged in flagged_series(path).items():
        more = f" and {len(flagged) - 5} more" if len(flagged) > 5 else ""
        say(f"flag {flag}: {', '.join(flagged[:5])}{more}")
    say(f"wrote {path}" if written == 1 else f"wrote {written} cutoffs up to {path}")


def _outer_levels(row: dict[str, object]) -> tuple[str, str]:
    """Return the columns of the 80 % interval, else of the outermost quantiles; empty if none."""
    columns = quantile_columns(row)
    if {"q0.1", "q0.9"} <= set(columns):
        return "q0.1", "q0.9"
    return (columns[0], columns[-1]) if len(columns) > 1 else ("", "")
