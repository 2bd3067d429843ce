"""The front door for Python: the same numbers as the command line, from a frame."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecast import Forecaster
from forecast.errors import ConfigError, DataError, ModelError
from forecast.forecasting.stored_forecasts import read_forecasts
from pipelines.cli import main

SETTINGS = {
    "model": {"hidden_size": 8, "dropout": 0.0, "quantile_levels": [0.1, 0.5, 0.9]},
    "training": {"epochs": 2, "batch_size": 32, "windows_per_epoch": 320, "accelerator": "cpu"},
}
CONFIG = """
name: door
data:
  source: readings.csv
  frequency: 1h
  covariates: {past: [wind], calendar: [hour_of_day]}
windows: {context: 48h, horizon: 6h}
model: {hidden_size: 8, dropout: 0.0, quantile_levels: [0.1, 0.5, 0.9]}
training: {epochs: 2, batch_size: 32, windows_per_epoch: 320, accelerator: cpu}
monitor: {max_age: 5000w}  # the service flags old readings by the clock, a frame has none
"""
COVARIATES = {"past": ["wind"], "calendar": ["hour_of_day"]}


def readings(n: int = 900) -> pd.DataFrame:
    """Return two noisy daily sines with a wind, an hour of them missing."""
    rng = np.random.default_rng(3)
    stamps = pd.date_range("2024-01-01", periods=n, freq="h", tz="UTC")
    parts = []
    for name, level in (("a", 10.0), ("b", 40.0)):
        y = level + np.sin(np.arange(n) * 2 * np.pi / 24) + rng.normal(0, 0.1, n)
        y[100] = np.nan
        wind = rng.normal(5, 1, n)
        parts.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": y, "wind": wind}))
    return pd.concat(parts, ignore_index=True)


def untrained() -> Forecaster:
    return Forecaster(
        horizon="6h", frequency="1h", context="48h", covariates=COVARIATES, settings=SETTINGS
    )


@pytest.fixture(scope="module")
def fitted() -> Forecaster:
    return untrained().fit(readings())


def test_the_door_gives_the_numbers_of_the_command_line(
    fitted: Forecaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(CONFIG)
    readings().to_csv(tmp_path / "readings.csv", index=False)
    for verb in ("train", "predict"):
        assert main([verb, "run.yaml"]) == 0
    (folder,) = (tmp_path / "forecasts" / "door").glob("cutoff=*")
    written = read_forecasts(folder).to_pandas()
    table = fitted.predict()
    assert list(table.columns) == list(written.columns)
    for name in ("unique_id", "ds", "target", "cutoff", "step", "flag"):
        assert table[name].tolist() == written[name].tolist(), name
    for name in ("y_hat", "q0.1", "q0.5", "q0.9"):
        np.testing.assert_allclose(table[name], written[name], rtol=1e-5, err_msg=name)
    reloaded = Forecaster.load(tmp_path / ".forecast" / "door" / "bundle").predict(readings())
    np.testing.assert_allclose(reloaded["y_hat"], written["y_hat"], rtol=1e-5)


def test_a_saved_model_forecasts_the_same(fitted: Forecaster, tmp_path: Path) -> None:
    again = Forecaster.load(fitted.save(tmp_path / "bundle"))
    pd.testing.assert_frame_equal(again.predict(readings()), fitted.predict())
    assert again.config.horizon == 6
    with pytest.raises(DataError, match="give history"):
        again.predict()


def test_arrow_tables_are_frames_too(fitted: Forecaster) -> None:
    frame = readings()
    stamps = pa.array(frame["ds"].dt.tz_convert(None).to_numpy(), pa.timestamp("ns", tz="UTC"))
    columns = {name: pa.array(frame[name]) for name in ("unique_id", "y", "wind")}
    table = pa.table({"ds": stamps, **columns})
    pd.testing.assert_frame_equal(fitted.predict(table), fitted.predict())


def test_levels_choose_columns(fitted: Forecaster) -> None:
    table = fitted.predict(levels=(0.1, 0.9))
    assert [name for name in table if name.startswith("q")] == ["q0.1", "q0.9"]
    with pytest.raises(ConfigError, match=r"0\.25 not trained; those are 0\.1, 0\.5, 0\.9"):
        fitted.predict(levels=(0.25,))


def test_a_backtest_has_not_seen_what_it_is_scored_by() -> None:
    frame = readings()
    honest = untrained().backtest(frame, windows=3, step="12h")
    cutoffs = honest.frame["cutoff"].unique()
    assert list(np.diff(cutoffs).astype("timedelta64[h]").astype(int)) == [12, 12]
    newest = frame["ds"].max()
    assert honest.frame["ds"].max() == newest
    first = cutoffs.min()
    poisoned = frame.copy()
    poisoned.loc[poisoned["ds"] > first, "y"] *= 1000.0
    other = untrained().backtest(poisoned, windows=3, step="12h")
    same = honest.frame["cutoff"] == first
    np.testing.assert_allclose(
        honest.frame.loc[same, "y_hat"], other.frame.loc[same, "y_hat"], rtol=1e-6
    )
    truth = frame.set_index(["unique_id", "ds"])["y"]
    rows = honest.frame.set_index(["unique_id", "ds"])
    np.testing.assert_allclose(rows["y"], truth.reindex(rows.index), rtol=1e-6)
    scores = honest.scores()
    assert list(scores.index) == ["model", "persistence", "seasonal naive", "ridge"]
    expected = (rows["y"] - rows["y_hat"]).abs().mean()
    assert scores.loc["model", "mae"] == pytest.approx(expected, rel=1e-5)


def test_refit_trains_before_every_window() -> None:
    once = untrained().backtest(readings(), windows=3, refit=False).frame
    anew = untrained().backtest(readings(), windows=3, refit=True).frame
    first, second, _ = sorted(once["cutoff"].unique())
    pick = lambda table, cutoff: table.loc[table["cutoff"] == cutoff, "y_hat"]  # noqa: E731
    np.testing.assert_allclose(pick(once, first), pick(anew, first), rtol=1e-6)
    assert not np.allclose(pick(once, second), pick(anew, second), rtol=1e-6)


def test_plots_are_drawn(fitted: Forecaster) -> None:
    figure = fitted.plot()
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a: y", "b: y"]
    assert len(fitted.plot(series=["b"]).axes) == 1


def test_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.hiden_size: unknown key; did you mean hidden_size"
    ):
        Forecaster(horizon="6h", frequency="1h", settings={"model": {"hiden_size": 8}})
    with pytest.raises(ModelError, match="call fit"):
        untrained().predict()
    with pytest.raises(DataError, match="a list is not a frame"):
        untrained().fit([1, 2, 3])
    with pytest.raises(DataError, match="wind"):
        untrained().fit(readings().drop(columns="wind"))
