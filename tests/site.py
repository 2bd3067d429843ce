"""A small site that works: a config and a table of hourly readings, for the command line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = """\
name: plant
data:
  source: readings.csv
  series: unique_id
  timestamp: ds
  timezone: UTC
  frequency: 1h
  targets: [y]
  covariates: {past: [wind]}
windows: {context: 48h, horizon: 12h}
split: {train: 0.8, dev: 0.1, test: 0.1, calibration: 0.1}
model: {kind: direct, hidden_size: 4}
training: {epochs: 1, batch_size: 64}
schedule: {predict: "10 * * * *"}
"""
START = datetime(2024, 1, 1, tzinfo=UTC)


def readings(hours: int = 480, series: tuple[str, ...] = ("a", "b", "c")) -> list[str]:
    """Return the lines of a table that has nothing wrong with it."""
    lines = ["unique_id,ds,y,wind"]
    for name in series:
        for hour in range(hours):
            stamp = (START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")
            daily = 10 + (hour % 24) + (hour * 7 % 13) / 10
            lines.append(f"{name},{stamp},{daily:.1f},{hour * 5 % 17}")
    return lines


def write_site(folder: Path, *, hours: int = 480) -> None:
    """Write `run.yaml` and `readings.csv` into a folder."""
    (folder / "run.yaml").write_text(CONFIG, encoding="utf-8")
    text = "".join(f"{line}\n" for line in readings(hours))
    (folder / "readings.csv").write_text(text, encoding="utf-8")
