"""Numbers as people read them."""

import pytest

from forecast.text import decimals_of, format_number


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.021, "0.021"), (1013.2, "1,013"), (1.23e9, "1,230,000,000"), (float("inf"), "-")],
)
def test_numbers_are_read_at_any_scale(value: float, said: str) -> None:
    assert format_number(value) == said


@pytest.mark.parametrize(
    ("widths", "decimals"), [([0.021], 3), ([8.3, 9.0], 1), ([640.0], 0), ([0.0], 1), ([], 1)]
)
def test_decimals_show_the_band(widths: list[float], decimals: int) -> None:
    assert decimals_of(widths) == decimals
