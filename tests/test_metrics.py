import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from showertools import metrics

SETTINGS = settings(max_examples=50, deadline=None)
sane = st.floats(-1e6, 1e6, allow_subnormal=False)
pairs = st.integers(1, 50).flatmap(
    lambda n: st.tuples(hnp.arrays(np.float64, n, elements=sane), hnp.arrays(np.float64, n, elements=sane))
)
ONE_DIMENSIONAL = [metrics.bias, metrics.resolution, metrics.rms_error, metrics.quantile_resolution]


def _axes(n, seed):
    vectors = np.random.default_rng(seed).normal(size=(n, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_a_case_by_hand():
    true, estimate = [1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 5.0, 3.0]  # residuals 1, 0, 2, -1
    assert metrics.bias(true, estimate) == pytest.approx(0.5)
    assert metrics.resolution(true, estimate) == pytest.approx(np.sqrt(1.25))
    assert metrics.rms_error(true, estimate) == pytest.approx(np.sqrt(1.5))
    assert metrics.quantile_resolution(true, estimate, quantile=0.5) == pytest.approx(0.75)  # quartiles -0.25 and 1.25


def test_injected_bias_and_resolution_are_recovered():
    rng = np.random.default_rng(1)
    true = rng.uniform(600, 1000, 100_000)
    estimate = true + rng.normal(7, 20, true.size)
    error = 20 / np.sqrt(true.size)
    assert metrics.bias(true, estimate) == pytest.approx(7, abs=5 * error)
    assert metrics.resolution(true, estimate) == pytest.approx(20, abs=5 * error)
    expected = 20 * scipy.stats.norm.ppf(0.84)
    assert metrics.quantile_resolution(true, estimate) == pytest.approx(expected, abs=5 * error)


def test_outliers_widen_the_standard_deviation_only():
    rng = np.random.default_rng(2)
    true, estimate = np.zeros(10_000), rng.normal(size=10_000)
    estimate[:10] = 1e4
    assert metrics.resolution(true, estimate) > 100
    assert metrics.quantile_resolution(true, estimate) == pytest.approx(1, abs=0.05)


@SETTINGS
@given(pairs, st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_shift_and_scale(pair, shift, scale):
    true, estimate = pair
    near = {"rel": 1e-6, "abs": 1e-6}
    for metric in ONE_DIMENSIONAL:
        value = metric(true, estimate)
        assert metric(true + shift, estimate + shift) == pytest.approx(value, **near)
        assert metric(true * scale, estimate * scale) == pytest.approx(value * scale, **near)
    assert metrics.bias(true, estimate + shift) == pytest.approx(metrics.bias(true, estimate) + shift, **near)
    for metric in (metrics.resolution, metrics.quantile_resolution):
        assert metric(true, estimate + shift) == pytest.approx(metric(true, estimate), **near)


@SETTINGS
@given(pairs)
def test_rms_error_adds_bias_and_resolution(pair):
    squares = metrics.bias(*pair) ** 2 + metrics.resolution(*pair) ** 2
    assert metrics.rms_error(*pair) ** 2 == pytest.approx(squares, rel=1e-9, abs=1e-9)


@SETTINGS
@given(pairs, st.floats(-1e3, 1e3), st.floats(0.1, 10))
def test_merit_factor_has_no_unit(pair, shift, scale):
    first, second = (np.append(values, [-1e5, 1e5]) for values in pair)  # so that neither is constant
    value = metrics.merit_factor(first, second)
    assert metrics.merit_factor(second, first) == pytest.approx(value)
    assert metrics.merit_factor(first * scale + shift, second * scale + shift) == pytest.approx(value, abs=1e-6)


def test_merit_factor_of_two_normal_distributions():
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 3, 100_000), rng.normal(10, 4, 50_000)
    assert metrics.merit_factor(first, second) == pytest.approx(2, abs=0.03)
    assert metrics.merit_factor([1, 1], [2, 2]) == np.inf
    assert np.isnan(metrics.merit_factor([1, 1], [1, 1]))


@pytest.mark.parametrize("angle", [0, 1e-12, 1e-7, 1e-3, 1, 45, 90, 179.9999, 180])
def test_angles_are_exact_at_any_size(angle):
    radians = np.radians(angle)
    first, second = [[0.0, 0.0, 1.0]], [[np.sin(radians), 0.0, np.cos(radians)]]
    assert metrics.angular_distance(first, second)[0] == pytest.approx(angle, rel=1e-9, abs=1e-13)


@SETTINGS
@given(st.integers(0, 2**32), st.integers(1, 20))
def test_angles_do_not_change_under_rotation_or_exchange(seed, n):
    first, second = _axes(n, seed), _axes(n, seed + 1)
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    angles = metrics.angular_distance(first, second)
    np.testing.assert_allclose(metrics.angular_distance(second, first), angles)
    np.testing.assert_allclose(metrics.angular_distance(first @ rotation, second @ rotation), angles, atol=1e-6)
    np.testing.assert_allclose(np.cos(np.radians(angles)), np.sum(first * second, axis=1), atol=1e-12)


def test_injected_angular_resolution_is_recovered():
    rng, sigma = np.random.default_rng(4), 0.5
    offsets = np.radians(rng.normal(0, sigma, (100_000, 2)))
    true = np.tile([0.0, 0.0, 1.0], (len(offsets), 1))
    axis = np.column_stack([offsets, np.ones(len(offsets))])
    axis = (axis / np.linalg.norm(axis, axis=1, keepdims=True)).astype(np.float32)
    expected = sigma * np.sqrt(-2 * np.log(1 - 0.68))  # quantile of a Rayleigh distribution
    assert metrics.angular_resolution(true, axis) == pytest.approx(expected, rel=0.01)


def test_bootstrap_gives_what_scipy_gives():
    rng = np.random.default_rng(5)
    true, estimate = rng.normal(size=200), rng.normal(size=200)
    value, low, high = metrics.bootstrap(metrics.resolution, true, estimate, n_resamples=100, seed=7)
    expected = scipy.stats.bootstrap(
        (true, estimate),
        lambda x, y: np.std(y - x),
        paired=True,
        vectorized=False,
        n_resamples=100,
        batch=1,
        confidence_level=0.68,
        method="percentile",
        random_state=np.random.default_rng(7),
    ).confidence_interval
    assert value == metrics.resolution(true, estimate)
    assert (low, high) == pytest.approx(tuple(expected))


def test_bootstrap_interval_covers_as_often_as_it_says():
    rng, trials, hits = np.random.default_rng(6), 400, 0
    for trial in range(trials):
        true = np.zeros(200)
        _, low, high = metrics.bootstrap(metrics.bias, true, rng.normal(3, 2, true.size), seed=trial)
        hits += low <= 3 <= high
    spread = np.sqrt(0.68 * 0.32 * trials)
    assert abs(hits - 0.68 * trials) < 4 * spread  # one of 16,000 correct programs would fail


def test_bootstrap_draws_estimate_and_truth_together():
    true = np.random.default_rng(8).normal(0, 100, (50, 3))
    value, low, high = metrics.bootstrap(lambda x, y: np.abs(x - y).max(), true, true)
    assert value == low == high == 0


def test_bootstrap_of_few_events():
    assert metrics.bootstrap(metrics.bias, [1.0], [2.0])[0] == 1
    assert np.isnan(metrics.bootstrap(metrics.bias, [1.0], [2.0])[1:]).all()
    assert np.isnan(metrics.bootstrap(np.mean, [])).all()


def test_bins_hold_their_events():
    rng = np.random.default_rng(9)
    by = rng.uniform(0, 3, 30_000)
    true = np.zeros(by.size)
    estimate = np.floor(by) + rng.normal(0, 1 + np.floor(by))
    found = metrics.binned(true, estimate, by, [0, 1, 2, 3, 4], metric=metrics.bias)
    np.testing.assert_allclose(found["value"][:3], [0, 1, 2], atol=0.15)
    np.testing.assert_array_equal(found["centre"], [0.5, 1.5, 2.5, 3.5])
    assert found["number"].sum() == by.size
    assert found["number"][3] == 0
    assert np.all(found["low"][:3] < found["value"][:3])
    assert np.all(found["value"][:3] < found["high"][:3])
    for name in ("value", "low", "high"):
        assert np.isnan(found[name][3])
    spread = metrics.binned(true, estimate, by, [0, 1, 2, 3])
    np.testing.assert_allclose(spread["value"], [1, 2, 3], rtol=0.05)


def test_edges_are_numpys():
    by = np.array([-1, 0, 1, 1, 2, 3, 3, 4.0])
    found = metrics.binned(by, by, by, [0, 1, 3], n_resamples=2)
    np.testing.assert_array_equal(found["number"], np.histogram(by, [0, 1, 3])[0])
    axes = _axes(8, 1)
    assert metrics.binned(axes, axes, by, [0, 1, 3], metric=metrics.angular_resolution)["value"] == pytest.approx(
        [0, 0]
    )


@pytest.mark.parametrize("metric", ONE_DIMENSIONAL)
def test_no_events_give_nan(metric):
    assert np.isnan(metric([], []))
    assert np.isnan(metrics.angular_resolution(np.empty((0, 3)), np.empty((0, 3))))
    assert np.isnan(metrics.merit_factor([], [1.0]))
    assert metrics.angular_distance(np.empty((0, 3)), np.empty((0, 3))).shape == (0,)
    assert np.isnan(metrics.binned([], [], [], [0, 1, 2])["value"]).tolist() == [True, True]


@pytest.mark.parametrize("metric", ONE_DIMENSIONAL)
def test_wrong_input_is_refused(metric):
    with pytest.raises(ValueError, match=r"`estimate` should have the shape of `true`, \(3,\)\. Received: \(2,\)"):
        metric([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r"`estimate` should have shape \(n,\); use \[:, 0\].*Received: \(2, 1\)"):
        metric([1, 2], [[1], [2]])
    with pytest.raises(ValueError, match="`estimate` should be finite"):
        metric([1, 2], [1, np.nan])
    with pytest.raises(ValueError, match="`true` should hold real numbers"):
        metric(["a"], [1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.angular_resolution([[0, 0, 2]], [[0, 0, 1]]), "`true_axis` should hold vectors of length 1"),
        (lambda: metrics.angular_resolution([[0, 0, 1]], [[0, 0, 0]]), "`axis` should hold vectors of length 1"),
        (lambda: metrics.angular_resolution([0, 0, 1], [0, 0, 1]), r"`true_axis` should have shape \(n, 3\)"),
        (lambda: metrics.angular_distance(_axes(2, 1), _axes(3, 1)), r"shape of `first`, \(2, 3\). Received: \(3, 3\)"),
        (lambda: metrics.angular_resolution(_axes(2, 1), _axes(2, 1), quantile=68), "`quantile` should be between"),
        (lambda: metrics.quantile_resolution([1], [1], quantile=1), "`quantile` should be between 0 and 1"),
        (lambda: metrics.bootstrap(np.mean), "`arrays` should have equal lengths"),
        (lambda: metrics.bootstrap(np.mean, [1, 2], [1]), "`arrays` should have equal lengths"),
        (lambda: metrics.bootstrap(np.mean, [1, 2], n_resamples=0), "`n_resamples` should be"),
        (lambda: metrics.bootstrap(np.mean, [1, 2], confidence=1.5), "`confidence` should be"),
        (lambda: metrics.bootstrap(np.mean, [1, 2], seed=-1), "`seed` should be"),
        (lambda: metrics.binned([1], [1], [1, 2], [0, 1]), "`by` should have one value"),
        (lambda: metrics.binned([1], [1], [np.nan], [0, 1]), "`by` should be finite"),
        (lambda: metrics.binned([1], [1], [1], [1, 0]), "`edges` should be at least two increasing"),
        (lambda: metrics.binned([1], [1], [1], [1]), "`edges` should be at least two increasing"),
        (lambda: metrics.merit_factor([[1]], [1]), r"`first` should have shape \(n,\)"),
    ],
)
def test_other_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
