from itertools import combinations

import numpy as np
import pytest

from showertools import trimmed_lines


def lines_of(events):
    """Fit events given as pairs (x, y)."""
    x, y = (np.concatenate([event[axis] for event in events]).astype(float) for axis in (0, 1))
    return np.stack(trimmed_lines.fit(x, y, np.array([len(event[0]) for event in events])), axis=1)


def least_sum(x, y):
    """Return the smallest sum of squares of any subset of the right size, by trying all."""
    kept = max(int(0.85 * len(x)), 3)
    sums = [np.polyfit(x[list(some)], y[list(some)], 1, full=True)[1] for some in combinations(range(len(x)), kept)]
    return float(np.min(np.concatenate(sums)))


def trimmed_sum(x, y, line):
    kept = max(int(0.85 * len(x)), 3)
    return np.sort((y - line[0] * x - line[1]) ** 2)[:kept].sum()


def test_few_points_on_paper():
    events = [
        ([0, 2], [1, 5]),  # the line through both
        ([0, 1, 2], [0, 3, 0]),  # all three are kept
        ([1, 1], [0, 2]),  # no slope
        ([7], [1]),
        ([], []),
        ([3, 3, 3, 3], [1, 2, 3, 4]),
    ]
    expected = [[2, 1], [0, 1], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2, [np.nan] * 2]
    np.testing.assert_allclose(lines_of(events), expected, atol=1e-12)
    assert lines_of([([], [])]).shape == (1, 2)
    assert trimmed_lines.fit(np.zeros(0), np.zeros(0), np.zeros(0, int))[0].shape == (0,)


@pytest.mark.parametrize("n_points", [7, 20, 33, 200])
def test_outliers_do_not_move_the_line(n_points):
    rng = np.random.default_rng(n_points)
    x = rng.uniform(-1, 1, (50, n_points))
    y = 3 * x + 20
    n_outliers = n_points - int(0.85 * n_points)
    y[:, :n_outliers] += rng.uniform(-30, 30, (50, n_outliers))
    np.testing.assert_allclose(lines_of(list(zip(x, y, strict=True))), [[3, 20]] * 50, atol=1e-6)


@pytest.mark.parametrize("n_points", [4, 7, 12])
def test_the_smallest_sum_is_found(n_points):
    rng = np.random.default_rng(n_points)
    events = list(rng.normal(size=(40, 2, n_points)))
    found = [trimmed_sum(*event, line) for event, line in zip(events, lines_of(events), strict=True)]
    least = np.array([least_sum(*event) for event in events])
    assert np.all(found > least * (1 - 1e-9) - 1e-12)
    assert np.mean(found < least * (1 + 1e-9) + 1e-12) > 0.95


def test_the_points_that_are_nearest_to_a_line_give_it_again():
    events = list(np.random.default_rng(4).normal(size=(60, 2, 150)))
    for (x, y), line in zip(events, lines_of(events), strict=True):
        nearest = np.argsort(np.abs(y - line[0] * x - line[1]))[: int(0.85 * 150)]
        np.testing.assert_allclose(np.polyfit(x[nearest], y[nearest], 1), line, rtol=1e-6, atol=1e-9)


def test_an_event_does_not_see_the_others():
    rng = np.random.default_rng(1)
    events = [rng.normal(size=(2, n_points)) for n_points in rng.integers(2, 60, 100)]
    together = lines_of(events)
    alone = np.concatenate([lines_of([event]) for event in events])
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_units_and_origin_do_not_matter():
    x, y = np.random.default_rng(2).normal(size=(2, 40, 25))
    slope, intercept = lines_of(list(zip(x, y, strict=True))).T
    moved = lines_of(list(zip(100 * x + 5, 0.1 * y - 7, strict=True)))
    np.testing.assert_allclose(moved[:, 0], slope / 1000, rtol=1e-6)
    np.testing.assert_allclose(moved[:, 1] + 5 * moved[:, 0], 0.1 * intercept - 7, rtol=1e-6)
