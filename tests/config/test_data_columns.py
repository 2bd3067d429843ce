"""The `data` section: settings by column name columns that the run uses."""

import pytest
from pydantic import ValidationError

from forecast.config.data import Data

GOOD = {"source": "t.csv", "frequency": "1h", "covariates": {"past": ["wind"], "static": ["soil"]}}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("missing", {"wnid": -1}),
        ("limits", {"wnid": [0, 1]}),
        ("aggregate", {"wnid": "sum"}),
        ("categories", ["wnid"]),
    ],
)
def test_setting_of_an_unknown_column_is_refused_with_the_nearest_name(key, value):
    with pytest.raises(ValidationError, match=f"{key}: 'wnid' .* did you mean 'wind'"):
        Data(**GOOD, **{key: value})


def test_setting_of_any_column_in_use_is_taken():
    data = Data(
        **GOOD,
        missing={"*": [-1], "y": "x"},
        limits={"y": [0, 1]},
        aggregate={"*": "sum"},
        categories=["soil"],
    )
    assert data.missing == {"*": ("-1",), "y": ("x",)}
