"""Reads an alias straight from a local MLflow database, without importing MLflow.

`predict` runs every hour and needs one number; importing MLflow for it costs more than the
forecast. The tables are MLflow's own business, so they are read only when the database's
revision is one whose tables are known here; otherwise the caller asks MLflow.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Revisions of MLflow's database that these queries were tested with (3.17).
KNOWN_REVISIONS = frozenset({"dc11669786a5"})


def read_alias(path: Path, name: str, alias: str) -> tuple[int, str] | None:
    """Return (version, run id) of an alias, None where it points nowhere.

    Raises
    ------
    LookupError
        The tables are not those known here: ask MLflow.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            revisions = {
                row[0] for row in database.execute("SELECT version_num FROM alembic_version")
            }
            if not revisions <= KNOWN_REVISIONS:
                raise LookupError(revisions)
            row = database.execute(
                "SELECT a.version, v.run_id FROM registered_model_aliases a "
                "JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name "
                "AND v.version = a.version "
                "WHERE a.workspace = 'default' AND a.name = ? AND a.alias = ?",
                (name, alias),
            ).fetchone()
    except sqlite3.Error as cause:
        raise LookupError(str(path)) from cause
    return None if row is None else (int(row[0]), str(row[1]))
