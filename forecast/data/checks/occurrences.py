"""Occurrences of one kind of finding, accumulated over the series of a panel."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from forecast.data.checks.finding import Finding, Level


@dataclass
class Occurrences:
    """One kind of finding in one channel, accumulated over the series."""

    count: int = 0
    runs: int = 0
    worst: float = 0.0
    series: int = 0
    first: str = ""
    worst_at: str = ""

    def add(
        self, count: int, at: str, *, runs: int = 1, worst: float = 0.0, worst_at: str = ""
    ) -> None:
        """Add one series."""
        self.first = self.first or at
        self.count += count
        self.runs += runs
        self.series += 1
        if worst > self.worst:
            self.worst, self.worst_at = worst, worst_at or at

    def finding(
        self, level: Level, code: str, message: str, *, column: str = "", setting: str = ""
    ) -> Finding:
        """Put what was accumulated into words."""
        return Finding(
            level,
            code,
            message,
            self.count,
            column=column,
            series=self.series,
            first=self.first,
            setting=setting,
        )


ByChannel = defaultdict[str, Occurrences]
"""Occurrences of one kind of finding, by channel."""


def noted(by_channel: ByChannel) -> Iterator[tuple[str, Occurrences]]:
    """Yield the channels in which there was something to note."""
    return ((name, found) for name, found in by_channel.items() if found.series)
