"""What the linear path's weights are held to be before data: a covariance, stated by its root."""

import torch

from forecast.models.linear.prior import DECAY, SEASONAL, SMALLEST, common_root, own_root


def test_the_common_covariance_is_the_sum_of_its_parts():
    """Eight readings, a season of two: averages over four seasons and over two."""
    age = torch.tensor([7, 6, 5, 4, 3, 2, 1, 0, 3, 0])  # and two features behind the window
    root = common_root(age, 2, window=8)
    covariance = root @ root.T
    for i, a in enumerate(age.tolist()):
        for j, b in enumerate(age.tolist()):
            expected = (1 + a / 2) ** (-2 * DECAY) if i == j else 0.0
            for seasons in (4, 2):
                together = i < 8 and j < 8 and max(a, b) < 2 * seasons and a % 2 == b % 2
                expected += SEASONAL**2 / seasons * together
            torch.testing.assert_close(float(covariance[i, j]), expected)


def test_a_window_of_less_than_two_seasons_has_no_average():
    age = torch.arange(6, -1, -1)
    torch.testing.assert_close(common_root(age, 4, window=7), own_root(age, 4))


def test_very_old_readings_keep_a_floor():
    root = common_root(torch.arange(999, -1, -1), 1, window=1000)
    assert bool(torch.isfinite(root).all())
    assert float(own_root(torch.tensor([10**6]), 1)) == SMALLEST
