import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showertools import composition

RESPONSE = np.array([[0.9, 0.1, 0.0, 0.0], [0.2, 0.7, 0.1, 0.0], [0.0, 0.1, 0.8, 0.1], [0.0, 0.0, 0.1, 0.9]])
LN_A = np.log([1, 4, 14, 56])


def test_count_by_hand():
    matrix = composition.count([0, 0, 1, 1, 1], [0, 1, 1, 1, 2], 2, 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 2, 1]]
    assert composition.count([], np.array([], int), 2).tolist() == [[0, 0], [0, 0]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4))
def test_exact_counts_give_back_the_fractions(weights):
    fractions = np.array(weights) / sum(weights)
    counts = 1000 * fractions @ RESPONSE
    assert composition.invert(counts, RESPONSE) == pytest.approx(fractions, abs=1e-9)
    found = composition.fit(counts, 5000 * RESPONSE)
    assert found.fractions == pytest.approx(fractions, abs=1e-9)
    assert found.fractions.sum() == pytest.approx(1)
    assert found.covariance.sum(axis=1) == pytest.approx(np.zeros(4), abs=1e-12)


def test_more_bins_than_classes_give_smaller_errors():
    fine = np.repeat(RESPONSE, 2, axis=1) * np.tile([0.8, 0.2], 4)
    fine[1, :2] = fine[1, 1::-1]  # helium in the proton bin lies in its other half
    counts = 1000 * np.full(4, 0.25) @ fine
    found = composition.fit(counts, 1000 * fine)
    coarse = composition.fit(counts.reshape(4, 2).sum(axis=1), 1000 * RESPONSE)
    assert found.fractions == pytest.approx(np.full(4, 0.25), abs=1e-9)
    assert np.all(found.errors[:2] < coarse.errors[:2])


@pytest.mark.parametrize("true", [(0.25, 0.25, 0.25, 0.25), (0.0, 0.6, 0.4, 0.0), (0.5, 0.0, 0.0, 0.5)])
def test_errors_cover_also_where_a_fraction_is_zero(true):
    rng = np.random.default_rng(1)
    n = 2000
    pulls, mean_pulls = [], []
    for _ in range(n):
        counts = rng.multinomial(1000, np.array(true) @ RESPONSE)
        calibration = np.array([rng.multinomial(500, row) for row in RESPONSE])
        found = composition.fit(counts, calibration)
        mean, error = found.mean(LN_A)
        pulls.append((found.fractions - true) / found.errors)
        mean_pulls.append((mean - LN_A @ true) / error)
    covered = np.mean(np.abs(pulls) < 1, axis=0)
    assert covered == pytest.approx(np.full(4, 0.683), abs=0.04)  # 4 standard deviations of a binomial: 0.042
    assert np.mean(np.abs(mean_pulls) < 1) == pytest.approx(0.683, abs=0.042)
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.15


def test_a_bin_that_stays_empty_breaks_nothing():
    found = composition.fit([900, 100, 0, 0], 1000 * RESPONSE)  # only protons
    assert found.fractions == pytest.approx([1, 0, 0, 0], abs=0.02)
    assert np.all(np.isfinite(found.errors))


def test_errors_without_calibration_error_are_those_of_a_perfect_classifier():
    found = composition.fit([300, 700], 1e9 * np.eye(2))
    assert found.fractions == pytest.approx([0.3, 0.7])
    assert found.errors == pytest.approx(np.sqrt(0.3 * 0.7 / 1000), rel=1e-3)


def test_draw_sample():
    pool = np.tile([0, 1, 2], 500)
    sample, rest = composition.draw_sample(pool, [0.5, 0.5, 0.0], 300, rng=np.random.default_rng(1))
    assert sorted([*sample, *rest]) == list(range(1500))
    assert len(sample) == 300
    assert np.sum(pool[sample] == 2) == 0
    assert np.sum(pool[sample] == 0) == pytest.approx(150, abs=40)


def test_mean_log_mass():
    assert composition.mean_log_mass([[1, 0], [0.5, 0.5]], [1, 4]) == pytest.approx([0, np.log(2)])


def test_reweight():
    probability = np.array([[0.5, 0.5], [0.8, 0.2]])
    assert composition.reweight(probability, [0.5, 0.5]) == pytest.approx(probability)
    assert composition.reweight(probability, [0.2, 0.8]) == pytest.approx(np.array([[0.2, 0.8], [0.5, 0.5]]))
    assert composition.reweight(probability, [0.2, 0.8], trained=[0.2, 0.8]) == pytest.approx(probability)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: composition.count([0, 1], [0], 2), "`found_bin`"),
        (lambda: composition.count([0, 2], [0, 1], 2), "`true_class`"),
        (lambda: composition.count([0, 1], [0, -1], 2), "`found_bin`"),
        (lambda: composition.invert([1, 2], RESPONSE), "`response`"),
        (lambda: composition.invert([1, 2, 3, 4], 2 * RESPONSE), "sum to 1"),
        (lambda: composition.invert([1, 2], [[0.5, 0.5], [0.5, 0.5]]), "tell the classes apart"),
        (lambda: composition.fit([1, -2, 3, 4], RESPONSE), "`counts`"),
        (lambda: composition.fit([1, 2, 3], RESPONSE), "`counts`"),
        (lambda: composition.fit([1, 2], [[0, 0], [1, 1]]), "`calibration`"),
        (lambda: composition.fit([0, 0], np.eye(2)), "`counts`"),
        (lambda: composition.draw_sample([0, 1], [0.5, 0.6], 1, rng=np.random.default_rng(1)), "`fractions`"),
        (lambda: composition.draw_sample([0, 1], [0.5, 0.5], 9, rng=np.random.default_rng(1)), "`n_sample`"),
        (lambda: composition.reweight([[0.5, 0.5]], [1, 0, 0]), "`prior`"),
        (lambda: composition.reweight([[0.5, 0.5]], [-1, 2]), "`prior`"),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
