"""Answers windows of one panel: the network's forecast, calibrated, flagged, with fallbacks.

Letters: N windows, L context, H horizon, T targets, Q quantile levels.
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from forecast.data.panel import Panel
from forecast.data.windows.host_windows import parts_of
from forecast.data.windows.predictor import Forecast
from forecast.data.windows.scaling import Scaler
from forecast.data.windows.window_index import HostBatch, WindowIndex
from forecast.forecasting.bridge import bridged
from forecast.forecasting.calibration import Calibration
from forecast.forecasting.even_forward import Engine, Raw, forward, side_by_side
from forecast.forecasting.fallback import (
    Answer,
    Climate,
    Seen,
    flags,
    replace_unusable,
    settled,
    widened,
)
from forecast.forecasting.hardship import Hardship, hardship_of
from forecast.forecasting.own_history import OwnHistory, Past
from forecast.forecasting.spec import Spec
from forecast.forecasting.suspect import flag_outliers, flag_stuck, outliers


class WindowAnswers:
    """The forecasts of a network for windows of one panel, and what lies before each window.

    Parameters
    ----------
    calibration
        Corrects the quantiles; none for classes and while it is being made.
    panel
        Its labels of text are codes.
    """

    def __init__(
        self,
        engine: Engine,
        spec: Spec,
        scaler: Scaler,
        calibration: Calibration | None,
        *,
        panel: Panel,
    ) -> None:
        self.panel = panel
        self._engine, self._spec = engine, spec
        self._scaler, self._calibration = scaler, calibration
        self._windows = spec.host_windows(panel)
        self._history = OwnHistory(panel, horizon=spec.horizon, season=spec.season)

    def calibrated(self, index: WindowIndex, *, batch_size: int) -> Forecast:
        """Forecast windows, calibrated by the bundle alone; bounds are not applied yet."""
        windows = self._windows

        def answered(part: WindowIndex) -> tuple[Answer, Past]:
            batch = windows.gather(*part)
            past = self._history.of(*part, _past_targets(batch))
            return self._answer(batch, past), past

        found = side_by_side(answered, parts_of(index, batch_size), self._engine)
        answers = [answer for answer, _ in found]
        never = [past.never for _, past in found]
        return Forecast(
            series=np.asarray(index.series),
            cutoff=np.asarray(index.cutoff),
            point=np.concatenate([answer.point for answer in answers]),
            quantiles=np.concatenate([answer.quantiles for answer in answers]),
            levels=np.array(self._spec.levels),
            flag=np.concatenate([answer.flag for answer in answers]),
            never=np.concatenate(never),
        )

    def _without_gaps(self, batch: HostBatch, lack: Hardship) -> HostBatch:
        """Bridge late readings by own forecasts, where calibration has shown that to be better."""
        assert self._calibration is not None
        late = self._calibration.to_bridge(
            lack.late, horizon=self._spec.horizon, context_length=self._spec.context_length
        )
        if not late.any():
            return batch
        return bridged(lambda earlier: self._raw(earlier).point, self._windows, batch, late)

    def _answer(self, batch: HostBatch, past: Past) -> Answer:
        """Forecast one batch, calibrated, flagged, with fallbacks."""
        spec, calibration = self._spec, self._calibration
        wild = outliers(batch.past)
        if wild.any():
            batch = batch._replace(past=np.where(wild, np.float32(np.nan), batch.past))
        seen = Seen(batch.past, batch.known[:, spec.context_length :])
        if calibration is None:
            point, quantiles = self._raw(batch)
        else:
            lack = hardship_of(*seen, targets=len(spec.targets), known=len(spec.known))
            point, quantiles = self._raw(self._without_gaps(batch, lack))
            quantiles = calibration.apply(quantiles, lack, spec.levels).astype(np.float32)
        climate = self._climate(batch, past)
        flag = flags(
            seen,
            target_count=len(spec.targets),
            past=spec.past,
            known=spec.known,
            min_observed=spec.min_observed,
        )
        flag = flag_outliers(flag, wild, (*spec.targets, *spec.past))
        flag = flag_stuck(flag, _past_targets(batch), climate.deviation, season=spec.season)
        answer = Answer(point, quantiles, flag)
        answer = settled(answer, past.same)
        answer = widened(answer, _past_targets(batch), past.never, climate.deviates)
        return replace_unusable(
            answer,
            seen,
            season=spec.season,
            climate=climate,
            trusts_cold_start=spec.min_observed == 0,
        )

    def _climate(self, batch: HostBatch, past: Past) -> Climate:
        """Give what the series' own history says, and train statistics where it has none."""
        count, row = len(self._spec.targets), batch.scale_row
        location, scale = (part[row][:, :count] for part in self._scaler.table())
        deviates = [NormalDist().inv_cdf(level) for level in self._spec.levels]
        is_own = np.isfinite(past.deviation)
        return Climate(
            np.where(is_own[:, None], past.mean, location[:, None]),
            np.where(is_own, past.deviation, scale),
            is_own,
            np.array(deviates, np.float32),
        )

    def _raw(self, batch: HostBatch) -> Raw:
        return forward(self._engine, batch, self._spec.levels)


def _past_targets(batch: HostBatch) -> NDArray[np.float32]:
    """Targets of the context, (N, L, T)."""
    return batch.past[..., : batch.target.shape[2]]
