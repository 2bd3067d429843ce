"""Arrow arrays around numpy's memory.

`pyarrow.array` loads pandas to see whether it was given a frame's column, which takes longer than
a forecast.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def arrow_of(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """Return numbers (N,) without missing ones as an array of a type that is as wide."""
    if values.itemsize * 8 != kind.bit_width:
        raise ValueError(f"{values.dtype} is not as wide as {kind}")
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values.data)])


def texts_of(names: Sequence[str], place: NDArray[np.int64]) -> pa.Array:
    """Return ``names[place]`` as an array of strings."""
    parts = [name.encode() for name in names]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int32)
    buffers = [None, pa.py_buffer(ends.data), pa.py_buffer(b"".join(parts))]
    whole = pa.Array.from_buffers(pa.string(), len(parts), buffers)
    return whole.take(arrow_of(np.ascontiguousarray(place, np.int64), pa.int64()))


def numbers_of(column: pa.Array) -> NDArray[np.int32]:
    """Return an array of 32-bit integers without missing ones, as numpy's."""
    first, count = column.offset, len(column)
    return np.frombuffer(column.buffers()[1], np.int32)[first : first + count]
