"""Trains again on all that was held back from the weights, once every choice is made.

Calibration and dev are the newest readings before test. Where they are a large part of all, weights
that have seen them forecast better; the number of epochs is the one that was best without them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.data.windows.candidates import Candidates
from forecast.data.windows.window_index import WindowIndex, thin
from forecast.models.ensemble import segments_of
from forecast.training.dev import DevSet, Objective
from forecast.training.fit import fit
from forecast.training.fitting import Fitted, objective_of, starting
from forecast.training.recipe import DEV_SEQUENCES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from forecast.data.panel import Panel
    from forecast.data.windows.splits import Split
    from forecast.forecasting.experiment import Experiment
    from forecast.forecasting.forecaster import Forecaster
    from forecast.forecasting.spec import Spec

LARGE = 0.2  # of what the weights have seen, from which on "auto" refits
LEARNED = ("train", "calibration", "dev")


def is_due(experiment: Experiment) -> bool:
    """Say whether the config asks for a refit of a forecaster trained on this split."""
    asked, spans = experiment.config.training.refit, experiment.split.spans
    if asked != "auto":
        return asked == "always"
    steps = {part: int(np.diff(spans[part]).sum()) for part in LEARNED}
    return steps["calibration"] + steps["dev"] > LARGE * steps["train"]


def refitted(
    fitted: Fitted,
    experiment: Experiment,
    *,
    folder: Path,
    start: Forecaster | None = None,
) -> Fitted:
    """Return what was fitted with a forecaster that has learnt from calibration and dev as well.

    Its calibration, and all that was chosen, stay those of the first. It is kept only if it is no
    worse on dev than the one that has not seen dev.

    Parameters
    ----------
    folder
        Of its checkpoints.
    start
        Whose weights the first training started from.
    """
    config, panel, split = experiment.config, experiment.panel, experiment.split
    spec, training = experiment.spec, config.training
    whole = _joined(panel, split, spec, stride=config.windows.stride)
    fresh, _ = starting(panel, whole, spec, model=config.model, seed=training.seed, start=start)
    dev = thin(split.dev, most=max(1, DEV_SEQUENCES // len(spec.targets)))
    objective = objective_of(config.objective.metric, panel, split, spec)
    result = fit(
        fresh.network,
        lambda device: fresh.spec.windows(panel, device),
        whole.train,
        dev,
        settings=training,
        objective=objective,
        folder=folder,
        keep_epoch=fitted.fit.best_epoch,
    )
    result.network.forget_folds()
    first = fitted.forecaster
    for member, chosen in zip(
        segments_of(result.network.model), segments_of(first.network.model), strict=True
    ):
        member.trust.copy_(chosen.trust)
    found = replace(fresh, network=result.network, calibration=first.calibration)
    before, after = (_score(forecaster, panel, dev, objective) for forecaster in (first, found))
    if not after <= before:
        note = (
            f"the refit on dev is undone: dev {objective.metric} {after:.4g} after, {before:.4g} "
            "before"
        )
        return replace(fitted, notes=(*fitted.notes, note))
    return replace(fitted, refitted=found)


def _joined(panel: Panel, split: Split, spec: Spec, *, stride: int) -> Split:
    """Return the split whose train part holds calibration and dev as well."""
    spans = _merged(np.concatenate([split.spans[part] for part in LEARNED]))
    windows = Candidates(panel, spec.context_length, spec.horizon, spec.min_observed)
    nothing = WindowIndex(*(part[:0] for part in split.dev))
    return split._replace(
        train=windows.within(spans, stride),
        calibration=nothing,
        dev=nothing,
        train_end=np.clip(int(spans.max()) - panel.start, 0, panel.length),
        held_out=split.spans["test"],
        spans={**split.spans, "train": spans},
    )


def _merged(spans: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join intervals [first, stop) that touch.

    Examples
    --------
    >>> _merged(np.array([[5, 9], [0, 5], [12, 20]])).tolist()
    [[0, 9], [12, 20]]
    """
    spans = spans[np.argsort(spans[:, 0])]
    apart = np.flatnonzero(spans[1:, 0] > spans[:-1, 1]) + 1
    first = spans[np.append(0, apart), 0]
    stop = spans[np.append(apart - 1, len(spans) - 1), 1]
    return np.stack([first, stop], axis=1)


def _score(forecaster: Forecaster, panel: Panel, dev: WindowIndex, objective: Objective) -> float:
    windows = forecaster.spec.windows(panel)
    return objective.score(DevSet(windows, dev, objective).sums(forecaster.network))
