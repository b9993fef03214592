import numpy as np
import pytest

from showertools import telescope_performance as performance

N = 4000


def events_and_estimates(seed=1):
    """Gamma rays and protons whose estimates are off by known amounts."""
    rng = np.random.default_rng(seed)
    is_gamma = rng.random(2 * N) < 0.5
    events = {
        "true_shower_primary_id": np.where(is_gamma, 0, 101),
        "true_energy": rng.choice([0.1, 0.5, 5.0], 2 * N).astype(np.float32),
        "true_fov_lon": rng.uniform(-1, 1, 2 * N).astype(np.float32),
        "true_fov_lat": rng.uniform(-1, 1, 2 * N).astype(np.float32),
    }
    estimates = {
        "gammaness": rng.normal(np.where(is_gamma, 1.0, 0.0)),
        "reco_energy": events["true_energy"] * np.where(is_gamma, 1.1, np.nan),
        "reco_fov_lon": events["true_fov_lon"] + 0.0 * is_gamma,
        "reco_fov_lat": events["true_fov_lat"] + np.where(is_gamma, 0.2, np.nan),
    }
    return events, estimates


def test_the_row_finds_what_was_put_in():
    events, estimates = events_and_estimates()
    row = performance.performance(events, estimates, cut=1.0, n_resamples=20)
    # two normal distributions one standard deviation apart: Φ(1/√2) = 0.7602, and at 1: 1/2 and 1 − Φ(1) = 0.1587
    assert row["auc"][0] == pytest.approx(0.7602, abs=0.015)
    assert row["recall"][0] == pytest.approx(0.5, abs=0.025)
    assert row["precision"][0] == pytest.approx(0.5 / 0.6587, abs=0.025)
    assert row["protons_kept"][0] == pytest.approx(0.4369, abs=0.03)  # the cut is at 1 − 0.8416
    np.testing.assert_allclose(row["angular_resolution"], 0.2, rtol=1e-5)
    np.testing.assert_allclose(row["energy_bias"], 0.1, rtol=1e-5)
    np.testing.assert_allclose(row["energy_resolution"], 0.1, rtol=1e-5)
    np.testing.assert_allclose(row["auc_of_band"][:, 0], 0.7602, atol=0.03)
    assert np.all(row["auc_of_band"][:, 1] < row["auc_of_band"][:, 2])


def test_a_band_without_gamma_rays_has_no_resolution():
    events, estimates = events_and_estimates()
    events["true_energy"][:] = 0.1
    row = performance.performance(events, estimates, n_resamples=2)
    assert np.isfinite(row["angular_resolution"][0]).all()
    for name in ("angular_resolution", "energy_bias", "energy_resolution", "auc_of_band"):
        assert np.isnan(row[name][1:]).all()


def test_bins_hold_what_was_put_in():
    events, estimates = events_and_estimates()
    bins = performance.in_bins(events, estimates, [0.05, 0.3, 1.0, 2.0], n_resamples=5)
    n_gammas = [
        np.count_nonzero((events["true_shower_primary_id"] == 0) & (events["true_energy"] == e))
        for e in (np.float32(0.1), 0.5)
    ]
    for name, value in (("angular_resolution", 0.2), ("energy_bias", 0.1), ("energy_resolution", 0.1)):
        np.testing.assert_array_equal(bins[name]["number"], [*n_gammas, 0])
        np.testing.assert_allclose(bins[name]["value"], [value, value, np.nan], rtol=1e-5)
        np.testing.assert_allclose(bins[name]["low"], [value, value, np.nan], rtol=1e-5)


def test_the_area_is_the_probability_of_the_right_order():
    is_gamma = np.array([True, True, False, False])
    assert performance.roc_auc(is_gamma, [3, 4, 1, 2]) == 1
    assert performance.roc_auc(is_gamma, [1, 4, 2, 3]) == 0.5
    assert performance.roc_auc(is_gamma, [1, 2, 2, 0]) == pytest.approx((1 + 0 + 1 + 0.5) / 4)  # one tie
    assert np.isnan(performance.roc_auc(is_gamma[:2], [1, 2]))


def test_precision_and_recall_from_counts():
    is_gamma, gammaness = np.array([True, True, True, True, False, False]), np.array([0.9, 0.8, 0.7, 0.1, 0.7, 0.2])
    assert performance.precision_and_recall(is_gamma, gammaness, 0.7) == (0.75, 0.75)  # the cut itself passes
    assert performance.precision_and_recall(is_gamma, gammaness, 0.75) == (1.0, 0.5)
    precision, recall = performance.precision_and_recall(is_gamma, gammaness, 0.7, protons_per_gamma=1000)
    assert precision == pytest.approx(0.75 / (0.75 + 500))
    assert recall == 0.75
    assert np.isnan(performance.precision_and_recall(is_gamma, gammaness, 1.0)[0])
    assert performance.precision_and_recall(is_gamma[:4], gammaness[:4], 0.0) == (1.0, 1.0)


def test_protons_are_counted_where_a_share_of_gamma_rays_stays():
    is_gamma = np.arange(15) < 10
    gammaness = np.r_[np.arange(10) / 10, 0.95, 0.5, 0.25, 0.2, 0.1]
    assert performance.protons_kept(is_gamma, gammaness) == pytest.approx(4 / 5)  # the cut is at 0.2: 8 of 10 pass
    assert performance.protons_kept(is_gamma, gammaness, gammas_kept=0.1) == pytest.approx(1 / 5)


def test_angles_are_those_on_the_sphere():
    np.testing.assert_allclose(
        performance.angular_distance([0, 0, 10], [0, 60, 0], [0, 90, 0], [1, 60, 0]), [1, 41.4, 10], atol=0.02
    )


def test_resolution_holds_68_percent_and_a_bias_counts():
    assert performance.angular_resolution(np.arange(101)) == pytest.approx(68)
    assert performance.energy_resolution([1.0, 2.0, 4.0], [0.9, 1.8, 3.6]) == pytest.approx(0.1)
    assert performance.energy_bias([1.0, 2.0, 4.0], [0.9, 1.8, 40.0]) == pytest.approx(-0.1)
    assert np.isnan(performance.energy_bias([], []))


def test_the_requirement_falls_with_the_energy():
    required = performance.REQUIREMENT
    assert np.all(np.diff(required["energy"]) > 0)
    for name in ("angular_resolution", "energy_resolution"):
        assert required[name].shape == required["energy"].shape
        assert np.all(np.diff(required[name]) <= 0)


def test_the_table_has_a_line_for_each_row():
    row = performance.performance(*events_and_estimates(), n_resamples=2)
    lines = performance.table({"one": row, "another one": row}).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert f"{row['auc'][0]:.4f}" in lines[2]
    assert lines[3].count("0.200") == 3


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("gammaness", np.full(2 * N, np.nan), "`gammaness` should be finite"),
        ("reco_energy", np.ones((2 * N, 1)), r"`reco_energy` should have the shape \(8000,\)"),
        ("reco_fov_lat", np.full(2 * N, np.nan), "`alt` should be finite|`latitude`"),
    ],
)
def test_estimates_that_are_none_are_refused(name, values, message):
    events, estimates = events_and_estimates()
    with pytest.raises(ValueError, match=message):
        performance.performance(events, estimates | {name: values}, n_resamples=2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: performance.roc_auc([1, 0], [0.5, 0.5]), "`is_gamma` should be bool"),
        (lambda: performance.roc_auc([True, False], [0.5]), r"`gammaness` should have the shape \(2,\)"),
        (lambda: performance.protons_kept([True, False], [1, 0], gammas_kept=0), "`gammas_kept` should be above 0"),
        (
            lambda: performance.precision_and_recall([True, False], [1, 0], 0.5, protons_per_gamma=-1),
            "`protons_per_gamma` should be a non-negative number",
        ),
        (lambda: performance.energy_bias([0.0], [1.0]), "`true_energy` should be positive"),
        (lambda: performance.energy_resolution([1.0], [[1.0]]), r"`reco_energy` should have the shape \(1,\)"),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
