"""Several tables as one source: the panel is what pandas makes of them with merge and reindex."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.data.panel import build_panel
from forecast.data.panel.rules import panel_spec
from forecast.data.panel.spill_file import Spill
from forecast.data.tables import Joined, Reader, read_source
from forecast.errors import ConfigError
from tests.data.tables.several import DAYS, frame_of, panel_of, same, settings, table


def test_two_tables_meet_in_the_cells_of_their_series_and_steps(tmp_path: Path) -> None:
    flow, rain = table(), table(column="prcp", seed=1)
    flow = flow.drop(index=[3, 4, 50])
    flow.loc[7, "flow"] = np.nan
    rain = rain[rain.ds >= "2024-01-06"].sample(frac=1, random_state=0)
    flow.to_csv(tmp_path / "flow.csv", index=False)
    rain.to_csv(tmp_path / "rain.csv", index=False)
    panel = panel_of(settings(tmp_path, "flow.csv", "rain.csv"), tmp_path)
    same(frame_of(panel), flow.merge(rain, how="outer", on=["gauge", "ds"]))
    account = {k: v for k, v in panel.account.items() if not k.startswith("table")}
    rows = len(flow) + len(rain)
    assert account == {"read": rows, "kept": rows, "aggregated": 0, "rejected": 0}
    own = {"read": len(rain), "kept": len(rain), "rejected": 0, "aggregated": 0}
    assert panel.account_of(1) == own


def test_each_table_is_read_by_its_own_settings(tmp_path: Path) -> None:
    flow, rain = table(), table(column="prcp", seed=1)
    flow.to_csv(tmp_path / "flow.csv", index=False)
    local = pd.DatetimeIndex(rain.ds).tz_localize("UTC").tz_convert("Europe/Berlin")
    written = pd.DataFrame(
        {
            "Datum": local.strftime("%d.%m.%Y %H:%M"),
            "Pegel": rain.gauge,
            "Regen": [f"{value:.3f}".replace(".", ",") for value in rain.prcp],
            "prcp": "not this one",
        }
    )
    text = "Deutscher Wetterdienst\n" + written.to_csv(index=False, sep=";")
    (tmp_path / "rain.csv").write_text(text, encoding="latin-1")
    entry = {
        "source": "rain.csv",
        "csv": {"separator": ";", "decimal": ",", "skip_rows": 1, "encoding": "latin-1"},
        "series": "Pegel",
        "timestamp": "Datum",
        "timestamp_format": "%d.%m.%Y %H:%M",
        "timezone": "Europe/Berlin",
        "columns": {"prcp": "Regen"},
    }
    panel = panel_of(settings(tmp_path, "flow.csv", entry), tmp_path)
    same(frame_of(panel), flow.merge(rain, how="outer", on=["gauge", "ds"]))


def test_quarter_hours_meet_hours_by_the_rule_of_each_column(tmp_path: Path) -> None:
    load = table("15min", 96, "load")
    temp = table("1h", 24, "temp", seed=1).rename(columns={"ds": "valid"})
    load.to_csv(tmp_path / "load.csv", index=False)
    temp.to_parquet(tmp_path / "temp.parquet")
    data = settings(
        tmp_path,
        "load.csv",
        {"source": "temp.parquet", "timestamp": "valid", "columns": ["temp"]},
        frequency="1h",
        targets=["load"],
        covariates={"known": ["temp"]},
        aggregate={"load": "sum"},
        duplicates="error",
    )
    panel = panel_of(data, tmp_path)
    hourly = load.assign(ds=load.ds.dt.floor("h")).groupby(["gauge", "ds"], as_index=False).sum()
    same(frame_of(panel), hourly.merge(temp.rename(columns={"valid": "ds"}), on=["gauge", "ds"]))
    account = {"read": 192, "kept": 48, "aggregated": 144, "rejected": 0}
    assert panel.account_of(0) == account


@pytest.mark.parametrize("hold", [False, True])
def test_a_value_of_a_coarser_table_is_known_when_its_step_is_over(
    tmp_path: Path, *, hold: bool
) -> None:
    zone = "Europe/Berlin"
    hours = pd.date_range("2024-03-29", "2024-04-02", freq="h", tz=zone, inclusive="left")
    days = pd.date_range("2024-03-29", "2024-04-02", freq="D", tz=zone, inclusive="left")
    flow = pd.DataFrame({"ds": hours.tz_convert("UTC"), "flow": np.arange(len(hours))})
    rain = pd.DataFrame({"ds": days.strftime("%Y-%m-%d"), "prcp": [1.0, 2.0, 3.0, 4.0]})
    flow.to_csv(tmp_path / "flow.csv", index=False)
    rain.to_csv(tmp_path / "rain.csv", index=False)
    entry = {"source": "rain.csv", "frequency": "1d"} | ({"hold": ["prcp"]} if hold else {})
    data = settings(tmp_path, "flow.csv", entry, series=[], timezone=zone, frequency="1h")
    panel = panel_of(data, tmp_path)
    right = pd.Series(rain.prcp.to_numpy(), days).reindex(hours, method="ffill" if hold else None)
    np.testing.assert_array_equal(panel.block(0)[:, 1], right.to_numpy(dtype=np.float32))
    noon = pd.Timestamp("2024-03-31 12:00", tz=zone)  # that day has 23 hours
    known = right.where(hours.normalize() < noon.normalize())
    seen = panel.as_of(0, 0, len(hours), noon.value)[:, 1]
    np.testing.assert_array_equal(seen, known.to_numpy(dtype=np.float32))
    midnight = pd.Timestamp("2024-04-01", tz=zone)
    seen = panel.as_of(0, 0, len(hours), midnight.value)[:, 1]
    known = right.where(hours < midnight)
    np.testing.assert_array_equal(seen, known.to_numpy(dtype=np.float32))


def test_forecasts_issued_again_are_seen_as_they_were_known(tmp_path: Path) -> None:
    flow = table("1h", 48, "flow", series=("a",))
    flow.to_csv(tmp_path / "flow.csv", index=False)
    runs = [
        pd.DataFrame(
            {
                "gauge": "a",
                "valid": pd.date_range(issued, periods=12, freq="h"),
                "issued": issued,
                "t2m": float(number),
            }
        )
        for number, issued in enumerate(pd.date_range("2024-01-01", periods=8, freq="6h"))
    ]
    pd.concat(runs).to_parquet(tmp_path / "nwp.parquet")
    entry = {
        "source": "nwp.parquet",
        "timestamp": "valid",
        "available_at": "issued",
        "columns": {"temp": "t2m"},
    }
    covariates = {"known": ["temp"]}
    panel = panel_of(
        settings(tmp_path, "flow.csv", entry, frequency="1h", covariates=covariates), tmp_path
    )
    cutoff = pd.Timestamp("2024-01-01T13:00Z")
    found = panel.as_of(0, 0, 30, cutoff.value)
    np.testing.assert_allclose(found[:, 0], flow.flow[:30], rtol=1e-6)
    right = [0] * 6 + [1] * 6 + [2] * 12 + [np.nan] * 6  # issued at 00, 06 and 12
    np.testing.assert_array_equal(found[:, 1], np.array(right, np.float32))


def test_a_table_without_ids_holds_for_every_series(tmp_path: Path) -> None:
    flow, rain = table(), table(column="prcp", seed=1, series=("x",)).drop(columns="gauge")
    flow.to_csv(tmp_path / "flow.csv", index=False)
    rain.to_csv(tmp_path / "rain.csv", index=False)
    data = settings(tmp_path, {"source": "rain.csv", "series": []}, "flow.csv")
    panel = panel_of(data, tmp_path)
    same(frame_of(panel), flow.merge(rain, on="ds"))
    assert panel.account["read"] == panel.account["kept"] == 4 * DAYS


def test_empty_cells_of_another_table_never_overwrite(tmp_path: Path) -> None:
    flow = table().assign(prcp=0.5)
    later = flow.assign(flow=np.nan, prcp=np.nan)
    flow.to_csv(tmp_path / "flow.csv", index=False)
    later.drop(columns="prcp").to_csv(tmp_path / "later.csv", index=False)
    for rule in ("last", "error"):
        data = settings(tmp_path, "flow.csv", "later.csv", duplicates=rule)
        same(frame_of(panel_of(data, tmp_path)), flow)


def test_static_covariates_from_a_table_written_in_another_way(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "flow.csv", index=False)
    table(column="prcp").to_csv(tmp_path / "rain.csv", index=False)
    (tmp_path / "sites.csv").write_text("id;area\nb;2,5\na;1.001,5\n")
    static = {
        "source": str(tmp_path / "sites.csv"),
        "series": "id",
        "csv": {"separator": ";", "decimal": ",", "thousands": "."},
    }
    covariates = {"past": ["prcp"], "static": ["area"]}
    for source in (["flow.csv", "rain.csv"], [{"source": "flow.csv"}, "rain.csv"]):
        data = settings(tmp_path, *source, static_table=static, covariates=covariates)
        np.testing.assert_array_equal(panel_of(data, tmp_path).static, [[1001.5], [2.5]])


def test_tables_of_the_same_columns_are_one_table(tmp_path: Path) -> None:
    both = table().assign(prcp=1.0)
    both[:9].to_csv(tmp_path / "a.csv", index=False)
    both[9:].to_csv(tmp_path / "b.csv", index=False)
    assert isinstance(read_source(settings(tmp_path, "a.csv", "b.csv")), Reader)
    table(column="prcp").to_csv(tmp_path / "rain.csv", index=False)
    source = read_source(settings(tmp_path, "a.csv", "b.csv", "rain.csv"))
    assert isinstance(source, Joined)
    assert [part.view.name for part in source.parts] == ["a.csv and 1 more", "rain.csv"]


def test_labels_of_two_tables_share_their_codes(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "flow.csv", index=False)
    rain = table(column="prcp").assign(prcp=["wet", "dry"] * DAYS)
    rain[:9].to_csv(tmp_path / "early.csv", index=False)
    rain[9:].rename(columns={"prcp": "sky"}).to_csv(tmp_path / "late.csv", index=False)
    late = {"source": "late.csv", "columns": {"prcp": "sky"}}
    data = settings(tmp_path, "flow.csv", "early.csv", late, categories=["prcp"])
    panel = panel_of(data, tmp_path)
    assert panel.categories == {"prcp": ("wet", "dry")}
    assert frame_of(panel).prcp.tolist() == [0.0, 1.0] * DAYS


def test_spilled_readings_keep_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow, rain = table(), table(column="prcp", seed=1)
    flow.to_csv(tmp_path / "flow.csv", index=False)
    rain.to_csv(tmp_path / "rain.csv", index=False)
    data = settings(tmp_path, "flow.csv", "rain.csv")
    whole = panel_of(data, tmp_path)
    monkeypatch.setitem(Spill.__init__.__kwdefaults__, "memory", 8)
    spilled = build_panel(read_source(data), tmp_path / "other", spec=panel_spec(data))
    assert spilled.account == whole.account
    assert frame_of(spilled).equals(frame_of(whole))


def test_nothing_ahead_of_a_cutoff_reaches_it_from_another_table(tmp_path: Path) -> None:
    table("1h", 72, "flow").to_csv(tmp_path / "flow.csv", index=False)
    clean = table("1D", 3, "prcp", seed=1)
    entry = {"source": "rain.csv", "frequency": "1d", "hold": ["prcp"]}
    cutoff = pd.Timestamp("2024-01-02T15:00Z").value
    seen = []
    for poison in (0.0, 1e6):  # the rain of the day of the cutoff and of the day after
        rain = clean.assign(prcp=clean.prcp + poison * (clean.ds >= "2024-01-02"))
        rain.to_csv(tmp_path / "rain.csv", index=False)
        panel = panel_of(settings(tmp_path, "flow.csv", entry, frequency="1h"), tmp_path)
        seen.append(np.stack([panel.as_of(n, 0, 72, cutoff) for n in range(2)]))
    np.testing.assert_array_equal(*seen)
    assert np.isnan(seen[0][:, 24:, 1]).all()
    assert not np.isnan(seen[0][:, :24, 1]).any()


def test_a_held_value_is_no_newest_reading(tmp_path: Path) -> None:
    flow = table("1h", 30, "flow", series=("a",))  # until 05:00 of the second day
    flow.to_csv(tmp_path / "flow.csv", index=False)
    rain = table("1D", 2, "prcp", seed=1, series=("a",))
    rain.to_csv(tmp_path / "rain.csv", index=False)
    rain.drop(columns="gauge").to_csv(tmp_path / "all.csv", index=False)
    entry = {"frequency": "1d", "hold": ["prcp"]}
    for own in ({"source": "rain.csv"}, {"source": "all.csv", "series": []}):
        panel = panel_of(settings(tmp_path, entry | own, "flow.csv", frequency="1h"), tmp_path)
        assert panel.observed_end().tolist() == [30]
        right = rain.set_index("ds").prcp.reindex(flow.ds, method="ffill")
        np.testing.assert_allclose(panel.block(0)[:, 1], right, rtol=1e-6)
    known = {"covariates": {"known": ["prcp"]}}
    source = [entry | {"source": "rain.csv"}, "flow.csv"]
    panel = panel_of(settings(tmp_path, *source, frequency="1h", **known), tmp_path)
    assert panel.length.tolist() == [48]  # a plan is known into the future


def test_a_wide_table_beside_a_long_one(tmp_path: Path) -> None:
    flow, rain = table(), table(column="prcp", seed=1)
    flow.pivot_table(index="ds", columns="gauge", values="flow").to_csv(tmp_path / "wide.csv")
    rain.to_csv(tmp_path / "rain.csv", index=False)
    entry = {"source": "wide.csv", "layout": "wide_columns", "columns": ["flow"]}
    panel = panel_of(settings(tmp_path, entry, "rain.csv"), tmp_path)
    same(frame_of(panel), flow.merge(rain, on=["gauge", "ds"]))
    with pytest.raises(ConfigError, match=r"wide_columns holds one column.*name it with columns"):
        read_source(settings(tmp_path, {**entry, "columns": {}}, "rain.csv"))
