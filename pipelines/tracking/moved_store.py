"""Lets a local store be moved or copied with its folder: MLflow writes absolute paths into it.

Without this a moved store finds none of its models, and a copied one writes into the original's
artifacts. The tables are MLflow's own business, so they are changed only in revisions known here.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from pipelines.process.console import say
from pipelines.tracking.local_registry import KNOWN_REVISIONS

ARTIFACTS = "mlartifacts"  # beside the database
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)


def follow_move(path: Path) -> None:
    """Point the paths in a local database at the artifacts beside it, if they are elsewhere.

    Paths into another folder than `mlartifacts` are somebody's choice, and stay.

    Raises
    ------
    sqlite3.Error
        The database cannot be read or written.
    """
    here = path.parent / ARTIFACTS
    if not here.is_dir():
        return
    with closing(sqlite3.connect(path, timeout=30)) as database:
        revisions = {row[0] for row in database.execute("SELECT version_num FROM alembic_version")}
        if not revisions <= KNOWN_REVISIONS:
            return
        places = database.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        roots = [_root(place) for (place,) in places if place]
        moved = sorted({str(root) for root in roots if root and not _is_same(root, here)})
        for root in moved:
            for table, column in _COLUMNS:
                database.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (str(here), len(root) + 1, root, len(root) + 1, f"{root}/"),
                )
        database.commit()
    if moved:
        say(f"{path}: moved here; its models are now looked for in {here}, not in {moved[0]}")


def _root(place: str) -> Path | None:
    """Return the folder of all artifacts that an experiment's folder is, or lies in."""
    if not place.startswith("/"):
        return None
    folder = Path(place)
    return next((one for one in (folder, folder.parent) if one.name == ARTIFACTS), None)


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two paths are one folder: by another mount or link it may have two."""
    return one == other or (one.is_dir() and one.samefile(other))
