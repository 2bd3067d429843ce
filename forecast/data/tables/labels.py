"""Converts text categories to codes and back, in order of first appearance."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forecast.data.tables.text_values import Markers, as_labels


class Labels:
    """The labels of one column: a code each, counted from zero as they are first seen."""

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self._codes = {label: code for code, label in enumerate(labels)}

    @property
    def names(self) -> tuple[str, ...]:
        """The labels in order of their codes."""
        return tuple(self._codes)

    def encode(self, cells: pa.Array, markers: Markers) -> NDArray[np.float64]:
        """Return the codes of a column, new labels added; NaN where missing."""
        labels, rows, absent = as_labels(cells)
        used = np.unique(rows[~absent], return_index=True)
        texts = labels.to_pylist()
        codes = np.full(len(texts), np.nan)
        missing = {*markers.texts, *(plain for plain in texts if _is_number(plain, markers))}
        for label in used[0][np.argsort(used[1])].tolist():
            if texts[label] not in missing:
                codes[label] = self._codes.setdefault(texts[label], len(self._codes))
        values: NDArray[np.float64] = codes[rows]
        values[absent] = np.nan
        return values


def _is_number(text: str, markers: Markers) -> bool:
    """Return whether a text spells one of the numeric markers."""
    try:
        return bool(markers.numbers) and float(text) in markers.numbers
    except ValueError:
        return False
