"""`forecast prepare` through the command line and as a function."""

import json

import numpy as np
import pytest
import torch

from forecast.config import load_config
from forecast.data.panel import open_panel
from forecast.data.panel.store import new_files
from forecast.data.windows.windows import Windows
from forecast.errors import DataError
from pipelines.steps.experiment import split_of
from pipelines.steps.prepared_panel import prepare as run
from tests.builders import frame_of

CONFIG = """
name: demo
data: {source: readings, frequency: 1h}
windows: {context: 24, horizon: 6}
"""


LATER = frame_of(110, series=2).iloc[[100, 101, -2, -1]].to_csv(index=False)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "readings").mkdir()
    frame_of(100, series=2).to_csv(tmp_path / "readings" / "a.csv", index=False)
    path = tmp_path / "demo.yaml"
    path.write_text(CONFIG)
    return path


def values_file(folder):
    return next((folder / ".forecast/demo/panel").glob("values-*")).name


def test_prepare_prints_the_account_and_then_leaves_it(config, cli):
    first = cli("prepare", config)
    assert first.returncode == 0, first.stderr
    assert "200 rows read = 200 kept + 0 aggregated + 0 rejected; 2 series" in first.stdout
    name = values_file(config.parent)
    second = cli("prepare", config)
    assert "unchanged" in second.stdout
    assert values_file(config.parent) == name


def test_force_and_changed_settings_build_again(config, tmp_path):
    run(load_config(config))
    name = values_file(tmp_path)
    run(load_config(config, ["windows.horizon=3"]))
    assert values_file(tmp_path) == name
    run(load_config(config), force=True)
    assert values_file(tmp_path) != name
    name = values_file(tmp_path)
    panel = run(load_config(config, ["data.limits={y: [null, 10]}"]))
    assert values_file(tmp_path) != name
    assert panel.account["outside:y"] > 0


def test_a_changed_file_is_read_again(config, tmp_path):
    before = run(load_config(config))
    frame_of(100, series=2, seed=1).to_csv(tmp_path / "readings" / "a.csv", index=False)
    after = run(load_config(config))
    assert before.fingerprint != after.fingerprint
    assert not np.array_equal(before.block(0), after.block(0))


def test_a_damaged_panel_is_built_again(config, tmp_path, capsys):
    run(load_config(config))
    (tmp_path / ".forecast/demo/panel" / values_file(tmp_path)).write_bytes(b"")
    run(load_config(config))
    assert "damaged" in capsys.readouterr().out
    assert open_panel(tmp_path / ".forecast/demo/panel").length.tolist() == [100, 100]


def test_a_panel_of_a_newer_schema_is_built_again(config, tmp_path):
    run(load_config(config))
    meta = tmp_path / ".forecast/demo/panel/meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"schema": 99}))
    assert run(load_config(config)).length.tolist() == [100, 100]


def test_an_unwritable_folder_is_named(config, tmp_path, cli):
    (tmp_path / "taken").write_text("")
    done = cli("prepare", config, "--set", "data.panel=taken")
    assert done.returncode == 3
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_new_file_is_appended(config, tmp_path, capsys):
    run(load_config(config))
    name = values_file(tmp_path)
    frame_of(110, series=2).groupby("unique_id").tail(10).to_csv(
        tmp_path / "readings" / "b.csv", index=False
    )
    panel = run(load_config(config))
    assert "20 new rows from 1 file appended" in capsys.readouterr().out
    assert values_file(tmp_path) == name
    assert panel.length.tolist() == [110, 110]
    run(load_config(config))
    assert "unchanged" in capsys.readouterr().out
    built = run(load_config(config), force=True)
    assert values_file(tmp_path) != name
    for series in range(2):
        np.testing.assert_array_equal(panel.block(series), built.block(series))
    assert (panel.account, panel.fingerprint) == (built.account, built.fingerprint)


def test_a_file_that_grows_is_read_on(config, tmp_path, capsys):
    run(load_config(config))
    name = values_file(tmp_path)
    lines = "s0,2024-01-05 04:00:00+00:00,1.5\ns1,2024-01-05 04:00:00+00:00,2.5\n"
    with (tmp_path / "readings" / "a.csv").open("a") as file:
        file.write(lines)
    panel = run(load_config(config))
    assert "2 new rows from 1 file appended" in capsys.readouterr().out
    assert values_file(tmp_path) == name
    assert [float(panel.block(series)[-1, 0]) for series in range(2)] == [1.5, 2.5]


def test_a_late_correction_builds_again(config, tmp_path, capsys):
    run(load_config(config))
    name = values_file(tmp_path)
    (tmp_path / "readings" / "b.csv").write_text("unique_id,ds,y\ns0,2024-01-01T05:00Z,-7\n")
    panel = run(load_config(config))
    assert "built again" in capsys.readouterr().out
    assert values_file(tmp_path) != name
    assert panel.block(0)[5, 0] == -7


def test_a_broken_new_file_is_named_and_the_old_panel_stays(config, tmp_path, cli):
    run(load_config(config))
    name = values_file(tmp_path)
    (tmp_path / "readings" / "b.csv").write_text("unique_id,ds,y\ns0,never,1\n")
    done = cli("prepare", config)
    assert done.returncode == 3
    assert "b.csv" in done.stderr
    assert values_file(tmp_path) == name
    assert open_panel(tmp_path / ".forecast/demo/panel").length.tolist() == [100, 100]


def test_a_changed_static_table_builds_again(config, tmp_path):
    (tmp_path / "places.csv").write_text("id,height\ns0,1\ns1,2\n")
    settings = [
        "data.static_table={source: places.csv, series: id}",
        "data.covariates={static: [height]}",
    ]
    assert run(load_config(config, settings)).static.tolist() == [[1], [2]]
    (tmp_path / "places.csv").write_text("id,height\ns0,1\ns1,7\n")
    (tmp_path / "readings" / "b.csv").write_text("unique_id,ds,y\ns0,2024-01-05T04:00Z,-7\n")
    assert run(load_config(config, settings)).static.tolist() == [[1], [7]]


def test_every_setting_of_the_split_changes_the_split(config):
    panel = run(load_config(config))
    base = ["split={train: 0.6, dev: 0.2, test: 0.2, calibration: 0.12}"]

    def split(*more):
        return split_of(load_config(config, [*base, *more]), panel)

    def windows(found):
        return [part.cutoff.tolist() for part in found[:4]]

    plain = split()
    for change in (
        "split.scheme=blocked",
        "split.dev=24h",
        "split.test=13",
        "split.calibration=0.15",
        "windows.stride=2",
        "windows.min_observed=1",
        "windows.context=12",
    ):
        assert windows(split(change)) != windows(plain), change
    assert not plain.held_out.size
    assert split("split.scheme=blocked").held_out.size
    assert len(split("data.season=48h").warnings) == 2
    assert split("split.dev=24h", "split.test=24h", "data.season=12h").warnings == ()


def test_an_hour_that_a_clock_change_repeats_is_read_with_its_neighbours(config, tmp_path, capsys):
    """A second 01:00 that comes alone, with the value of the first, is not taken for the first."""
    zone = ["data.timezone=America/New_York", "data.source=readings/clock.csv"]
    table = tmp_path / "readings" / "clock.csv"
    table.write_text("unique_id,ds,y\ns0,2024-11-03 00:00,1\ns0,2024-11-03 01:00,2\n")
    assert run(load_config(config, zone)).length.tolist() == [2]
    with table.open("a") as file:
        file.write("s0,2024-11-03 01:00,2\n")
    panel = run(load_config(config, zone))
    assert "a clock change repeats" in capsys.readouterr().out
    assert panel.block(0)[:, 0].tolist() == [1, 2, 2]


def test_what_was_known_when_comes_from_the_table(config, tmp_path):
    """A weather forecast issued twice for one hour: each cutoff sees the one it had."""
    (tmp_path / "readings" / "a.csv").write_text(
        "unique_id,ds,y,wind,seen\n"
        "s0,2024-01-01 00:00,1,5,2024-01-01 00:00\n"
        "s0,2024-01-01 01:00,2,6,2024-01-01 01:00\n"
        "s0,2024-01-01 02:00,,7,2024-01-01 00:00\n"
        "s0,2024-01-01 02:00,,8,2024-01-01 01:00\n"
    )
    panel = run(load_config(config, ["data.available_at=seen", "data.covariates.known=[wind]"]))
    assert panel.account["kept"] == 4
    windows = Windows(panel, context_length=1, horizon=2)
    batch = windows.gather(torch.tensor([0, 0]), torch.tensor([1, 2]))
    np.testing.assert_array_equal(batch.known[0, :, 0], [5, np.nan, 7])
    np.testing.assert_array_equal(batch.known[1, :, 0], [6, 8, np.nan])


def test_what_a_killed_build_left_is_removed(config, tmp_path):
    folder = tmp_path / ".forecast/demo/panel"
    made = new_files(folder)  # claimed, then killed
    (folder / made["work"]).mkdir()
    (folder / made["work"] / "readings.values").write_bytes(b"x")
    (folder / made["values"]).write_bytes(b"x")
    run(load_config(config))
    names = {path.name.split("-")[0] for path in folder.iterdir()}
    assert names == {"meta.json", "values", "tail", ".panel"}
    assert not (folder / made["values"]).exists()


def test_a_run_killed_behind_the_commit_is_tidied_up_though_nothing_changed(config, tmp_path):
    run(load_config(config))
    folder = tmp_path / ".forecast/demo/panel"
    before = sorted(folder.iterdir())
    (folder / new_files(folder)["work"]).mkdir()
    run(load_config(config))
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", ["values-2024.csv", "tail-old.txt", "versions-1.f32", "known-a"])
def test_files_of_the_user_stay_where_the_panel_lives(config, tmp_path, name):
    theirs = tmp_path / "readings" / name
    theirs.write_text("mine" if name != "values-2024.csv" else LATER)
    (tmp_path / "readings" / ".building-mine").mkdir()
    (tmp_path / "readings" / ".meta.json-mine").write_text("mine")
    kept = {path: path.read_bytes() for path in (tmp_path / "readings").iterdir() if path.is_file()}
    asked = ["data.panel=readings", "data.source=readings/*.csv"]
    run(load_config(config, asked))
    run(load_config(config, asked), force=True)
    (tmp_path / "readings" / "b.csv").write_text(LATER)
    run(load_config(config, asked))
    assert {path: path.read_bytes() for path in kept} == kept
    assert (tmp_path / "readings" / ".building-mine").is_dir()


def test_a_file_of_the_user_in_the_way_is_named_and_stays(config, tmp_path):
    theirs = tmp_path / "readings" / "meta.json"
    theirs.write_text('{"station": "north"}')
    with pytest.raises(
        DataError, match=r"readings/meta\.json: this file is not a panel's.*data\.panel"
    ):
        run(load_config(config, ["data.panel=readings", "data.source=readings/a.csv"]))
    assert theirs.read_text() == '{"station": "north"}'
    assert sorted(path.name for path in theirs.parent.iterdir()) == ["a.csv", "meta.json"]


def test_a_panel_of_an_older_version_is_taken_over(config, tmp_path):
    run(load_config(config))
    folder = tmp_path / ".forecast/demo/panel"
    (folder / ".panel-files.json").unlink()
    old = set(folder.iterdir())
    run(load_config(config), force=True)
    assert {path.name for path in old} & {path.name for path in folder.iterdir()} == {"meta.json"}


def test_a_damaged_panel_is_built_again_with_a_line(config, tmp_path, capsys):
    run(load_config(config))
    (tmp_path / ".forecast/demo/panel/meta.json").write_bytes(b"")
    run(load_config(config))
    assert "meta.json: damaged" in capsys.readouterr().out
    tail = next((tmp_path / ".forecast/demo/panel").glob("tail-*"))
    tail.write_bytes(b"")
    (tmp_path / "readings" / "b.csv").write_text(LATER)
    run(load_config(config))
    assert f"{tail.name} is damaged: the panel is built again" in capsys.readouterr().out
