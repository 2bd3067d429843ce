"""Codes of text covariates as the model learned them, whatever order the data shows labels in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.window_index import WindowIndex

Labels = tuple[str, ...]


def in_codes_of(panel: Panel, categories: Iterable[tuple[str, Labels]]) -> Panel:
    """Return the panel with its labels coded as in training; one never seen there is missing.

    Labels are compared as they are written, upper and lower case included. Where they agree the
    panel is returned as it is; otherwise its values are copied.
    """
    wanted = {name: labels for name, labels in categories if name in panel.categories}
    if all(panel.categories[name] == labels for name, labels in wanted.items()):
        return panel
    values, static = np.array(panel.values), np.array(panel.static)
    versions = None if panel.vintages is None else np.array(panel.vintages.values)
    for name, labels in wanted.items():
        table = _codes(panel.categories[name], labels)
        if name in panel.static_names:
            _recode(static, panel.static_names.index(name), table)
        if name in panel.channels:
            for array in (values,) if versions is None else (values, versions):
                _recode(array, panel.channels.index(name), table)
    vintages = None
    if panel.vintages is not None and versions is not None:
        vintages = replace(panel.vintages, values=versions)
    known = {**panel.categories, **wanted}
    return replace(panel, values=values, static=static, vintages=vintages, categories=known)


def unseen(
    panel: Panel,
    categories: Mapping[str, Labels],
    index: WindowIndex,
    *,
    context_length: int,
    horizon: int,
) -> dict[str, NDArray[np.bool_]]:
    """Return by column which windows (N,) hold a label that was never seen in training.

    Known covariates count up to the end of the horizon, others up to the cutoff.
    """
    found = {}
    for name, labels in categories.items():
        codes = _codes(panel.categories.get(name, ()), labels)
        if name not in panel.channels or not np.isnan(codes).any():
            continue
        column, ahead = panel.channels.index(name), horizon if name in panel.known else 0
        hits = np.zeros(len(index.series), dtype=bool)
        for series in np.unique(index.series).tolist():
            seen = panel.block(series)[:, column]
            is_new = np.isin(seen, np.flatnonzero(np.isnan(codes)))
            before = np.concatenate([[0], np.cumsum(is_new)])
            rows = np.flatnonzero(np.asarray(index.series) == series)
            cutoff = np.asarray(index.cutoff)[rows]
            first = np.clip(cutoff - context_length, 0, len(seen))
            hits[rows] = before[np.clip(cutoff + ahead, 0, len(seen))] > before[first]
        if hits.any():
            found[name] = hits
    return found


def _codes(now: Labels, then: Labels) -> NDArray[np.float32]:
    """Return the code in training of each label of now, NaN where there was none."""
    codes = {label: code for code, label in enumerate(then)}
    return np.array([codes.get(label, np.nan) for label in now], dtype=np.float32)


def _recode(values: NDArray[np.float32], column: int, table: NDArray[np.float32]) -> None:
    """Replace the codes of a column in place."""
    known = np.flatnonzero(~np.isnan(values[:, column]))
    values[known, column] = table[values[known, column].astype(np.int64)]
