"""Frames as users hold them (pandas, polars, pyarrow), made one pandas frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def joined(frame: Any, future: Any) -> pd.DataFrame:
    """Return readings, and the rows of known covariates after them, as one pandas frame.

    Parameters
    ----------
    frame, future
        Tables that are pandas frames or export Arrow; `future` may be None.

    Raises
    ------
    DataError
        When one is not a table.
    """
    import pandas as pd

    parts = [_pandas(part) for part in (frame, future) if part is not None]
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


def static_rows(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame | None:
    """Return the first value of each static column, one row per series; None without columns."""
    if not names:
        return None
    ids = frame["unique_id"].astype(str) if "unique_id" in frame else ["series"] * len(frame)
    return frame.groupby(np.asarray(ids), sort=False)[list(names)].first()


def _pandas(frame: Any) -> pd.DataFrame:
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame
    if hasattr(frame, "__arrow_c_stream__"):
        import pyarrow as pa

        converted: pd.DataFrame = pa.table(frame).to_pandas()
        return converted
    raise DataError(
        f"a {type(frame).__name__} is not a frame; give a pandas, polars or pyarrow table with "
        "the columns unique_id, ds and the targets"
    )
