"""Reading ahead: same items in the same order, errors in their place, no thread left behind."""

import threading

import pytest

from forecast.data.tables.read_ahead import ahead


def counting(stop, fail_at=None):
    """Yield numbers, and fail where told."""
    for number in range(stop):
        if number == fail_at:
            raise ValueError("broken at 3")
        yield number


def test_items_come_in_order():
    assert list(ahead(counting(50))) == list(range(50))
    assert list(ahead(iter(()))) == []


def test_error_comes_after_the_items_before_it():
    seen = []
    with pytest.raises(ValueError, match="broken at 3"):
        seen.extend(iter_into(seen))
    assert seen == [0, 1, 2]


def iter_into(seen):
    """Collect items one by one, so that those before an error are kept."""
    for item in ahead(counting(5, fail_at=3)):
        seen.append(item)
    return []


def test_stopping_early_closes_the_iterator_and_its_thread():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    before = threading.active_count()
    items = ahead(endless())
    assert next(items) == 1
    items.close()
    assert closed == [True]
    assert threading.active_count() == before
