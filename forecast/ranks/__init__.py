"""Several processes that do one job: which of them this is, what they tell each other, their end.

Use `group`, `rank`, `is_first`; `agree` on what has to be the same everywhere; `start` to get
one process per device; `watched` so that none waits for one that has ended.
"""

from forecast.ranks.group import Group, alone, drop_leftovers, group, is_first, rank

__all__ = ["Group", "alone", "drop_leftovers", "group", "is_first", "rank"]
