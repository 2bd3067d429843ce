"""The one door to MLflow: runs, figures, registered bundles, aliases.

Importing this package is cheap; MLflow itself is imported by the first call that needs it.
"""

from pipelines.tracking.registry import (
    CHALLENGER,
    CHAMPION,
    ChampionBundle,
    Version,
    agreed_champion,
    alias_version,
    champion_before,
    champion_bundle,
    crown,
    set_alias,
    tag_version,
    versions,
)
from pipelines.tracking.run_lifetime import end_run, find_run, start_run
from pipelines.tracking.runs import Run
from pipelines.tracking.store import Store, open_store, tracking_uri

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "ChampionBundle",
    "Run",
    "Store",
    "Version",
    "agreed_champion",
    "alias_version",
    "champion_before",
    "champion_bundle",
    "crown",
    "end_run",
    "find_run",
    "open_store",
    "set_alias",
    "start_run",
    "tag_version",
    "tracking_uri",
    "versions",
]
