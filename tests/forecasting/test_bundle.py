import json
import pickletools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from forecast.errors import ModelError
from forecast.forecasting.bundle import MANIFEST, WEIGHTS
from forecast.forecasting.forecaster import Forecaster
from tests.killed import killed_at
from tests.tiny import tiny_fit, tiny_panel, tiny_split


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    panel = tiny_panel()
    fitted = tiny_fit(panel, tmp_path_factory.mktemp("checkpoints"))
    folder = tmp_path_factory.mktemp("bundle") / "model"
    fitted.forecaster.save(folder)
    return panel, fitted.forecaster, folder


@pytest.fixture
def copy(saved, tmp_path):
    _, forecaster, _ = saved
    forecaster.save(tmp_path / "model")
    return tmp_path / "model"


def test_reloaded_it_forecasts_the_same(saved):
    panel, forecaster, folder = saved
    index = tiny_split(panel).test
    one, two = forecaster.predict(panel, index), Forecaster.load(folder).predict(panel, index)
    assert_array_equal(one.point, two.point)
    assert_array_equal(one.quantiles, two.quantiles)


def test_it_holds_two_files_no_pickle_and_no_reading(saved):
    panel, _, folder = saved
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, WEIGHTS]
    for path in folder.iterdir():
        with pytest.raises(ValueError, match=r".*"):
            list(pickletools.genops(path.read_bytes()))
    numbers = set(np.float32(_numbers(json.loads((folder / MANIFEST).read_text()))).tolist())
    assert not numbers & set(panel.values[:, 0].tolist())


def _numbers(content):
    if isinstance(content, dict):
        return [x for value in content.values() for x in _numbers(value)]
    if isinstance(content, list):
        return [x for value in content for x in _numbers(value)]
    return [content] if isinstance(content, float) else []


def test_saved_over_another_it_replaces_it_whole_and_leaves_what_is_not_its_own(saved, copy):
    _, forecaster, _ = saved
    (copy / WEIGHTS).write_bytes(b"damaged")
    (copy / "notes.txt").write_text("mine")
    forecaster.save(copy)
    assert sorted(path.name for path in copy.iterdir()) == [MANIFEST, WEIGHTS, "notes.txt"]
    assert (copy / "notes.txt").read_text() == "mine"
    assert [path.name for path in copy.parent.iterdir()] == ["model"]
    Forecaster.load(copy)


def test_a_folder_of_the_user_keeps_its_files(saved, tmp_path):
    _, forecaster, _ = saved
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "table.csv").write_text("mine")
    forecaster.save(tmp_path / "mine")
    assert (tmp_path / "mine" / "table.csv").read_text() == "mine"
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / MANIFEST).write_text("{}")
    with pytest.raises(ModelError, match=r"bundle\.json there was not made by this program"):
        forecaster.save(tmp_path / "theirs")
    assert (tmp_path / "theirs" / MANIFEST).read_text() == "{}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "theirs"]


def test_a_bundle_killed_on_its_way_is_overwritten_by_the_next(saved, tmp_path, monkeypatch):
    _, forecaster, _ = saved

    with killed_at(monkeypatch, "forecast.forecasting.bundle.publish_folder") as patch:
        patch.setattr("forecast.forecasting.bundle._clear", lambda _: None)
        forecaster.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == [".model.part"]
    forecaster.save(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_same_model_same_bytes(saved, copy):
    _, _, folder = saved
    for name in (MANIFEST, WEIGHTS):
        assert (copy / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_a_truncated_file_is_named(copy, name):
    path = copy / name
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ModelError, match=rf"{path}.*truncated"):
        Forecaster.load(copy)


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=rf"{copy / name}: no such file"):
        Forecaster.load(copy)


def test_altered_weights_are_refused(copy):
    path = copy / WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="checksum is not the one"):
        Forecaster.load(copy)


def change(folder, **fields):
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | fields))


def test_a_newer_schema_says_upgrade(copy):
    change(copy, schema_version=99)
    with pytest.raises(ModelError, match=r"schema_version 99.*upgrade lstm-forecast"):
        Forecaster.load(copy)


@pytest.mark.parametrize("version", [0, "one", None])
def test_an_unknown_schema_is_refused(copy, version):
    change(copy, schema_version=version)
    with pytest.raises(ModelError, match="unknown to this program"):
        Forecaster.load(copy)


def test_json_of_something_else(copy):
    (copy / MANIFEST).write_text("[]")
    with pytest.raises(ModelError, match="no schema_version"):
        Forecaster.load(copy)


@pytest.mark.parametrize(
    "fields", [{"model": {"kind": "direct"}}, {"scaler": {}}, {"head": {"name": "mae"}}]
)
def test_parts_that_do_not_fit_together(copy, fields):
    change(copy, **fields)
    with pytest.raises(ModelError, match="do not fit together"):
        Forecaster.load(copy)


def test_an_unwritable_folder_leaves_nothing(saved, tmp_path):
    _, forecaster, _ = saved
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written"):
        forecaster.save(tmp_path / "file" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
