import numpy as np
import pytest

from showertools import _checks


def test_good_numbers_come_back_in_double_precision():
    for check in (_checks.real, _checks.finite, _checks.positive):
        assert check(np.float32([1, 2]), "x").dtype == np.float64
    assert np.isnan(_checks.real([np.nan], "x")).all()
    assert _checks.in_range([], "x", 0, 1).shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _checks.real("a", "x"), r"`x` should hold real numbers\. Received: dtype <U1"),
        (lambda: _checks.real(None, "x"), r"`x` should hold real numbers\. Received: dtype object"),
        (lambda: _checks.finite([1, np.inf], "x"), r"`x` should be finite\. Received: 1 of 2 values NaN or infinite"),
        (lambda: _checks.positive([3, 0], "x"), r"`x` should be positive\. Received: 0"),
        (lambda: _checks.in_range([1, np.nan], "x", 0, 5, "m"), r"`x` should lie between 0 and 5 m\. Received: nan"),
        (lambda: _checks.in_range(-1, "x", 0), r"`x` should be at least 0\. Received: -1"),
        (
            lambda: _checks.broadcast(x=np.ones(2), y=np.ones(3)),
            r"`x`, `y` should have shapes that broadcast\. Received: \(2,\), \(3,\)",
        ),
        (lambda: _checks.generator(1), r"`rng` should be a numpy\.random\.Generator\. Received: 1"),
        (
            lambda: _checks.pictures(np.full((1, 2, 2), np.nan), np.zeros((1, 2, 2))),
            r"`counts` should be at least 0\. Received: negative values or NaN",
        ),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_pictures_may_be_lists_and_empty_pixels_hold_anything():
    counts, times, hit = _checks.pictures([[[1, 0], [0, 2]]], [[[5.0, np.nan], [np.inf, 6.0]]], 2)
    assert (counts.shape, times.shape, hit.sum()) == ((1, 2, 2), (1, 2, 2), 2)
