import math

import numpy as np
import pytest
import surface_oracle
from scipy import special

from showertools import atmosphere, showers
from showertools import surface_expectation as expectation
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
MODELS = pytest.mark.parametrize("model", [CLASSIC, DEFAULT], ids=["classic", "default"])


def axis_at(zenith, azimuth=0.3):
    zenith = np.atleast_1d(np.radians(zenith))
    rows = np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)
    return np.stack(rows, axis=-1)


def signal(model, *, distance=1000.0, zenith=38.0, mass_number=1, log10_energy=19.0):
    """Expected signals (2,) on the axis' side of a shower of mean Xmax."""
    xmax = float(showers.xmax_mean(mass_number, log10_energy))
    depth = model.ground_depth / np.cos(np.radians(zenith)) - xmax
    size = expectation.shower_size(np.array([log10_energy]), np.array([mass_number]), model)
    return expectation.expected_particles(size, np.array([[distance]]), np.array([[depth]]), model)[:, 0, 0]


# --- where the stations are -------------------------------------------------------------------------------------------


def test_a_vertical_shower_on_paper():
    xmax = np.array([600.0])
    for front in ("plane", "sphere"):
        model = ArrayModel(front=front)
        seen = expectation.view(axis_at(0.0), np.zeros((1, 2)), xmax, model)
        distance = np.hypot(*model.stations.positions.T)
        np.testing.assert_allclose(seen.distance[0], distance, atol=1e-6)
        height = float(atmosphere.height_at_depth(600.0)) - 1400
        straight_down = model.ground_depth - 600
        np.testing.assert_allclose(seen.depth[0], straight_down * np.hypot(distance, height) / height)
        origin = float(atmosphere.height_at_depth(0.3 * 600)) - 1400
        late = (np.hypot(distance, origin) - origin) / 0.299792458
        np.testing.assert_allclose(seen.front_time[0], 0 if front == "plane" else late, atol=1e-9)


def test_the_front_lags_by_the_square_of_the_distance():
    # 167 ns at 1 km from a sphere of 10 km
    model = ArrayModel(front_origin=1.0, spacing=1000.0, layout="rectangular")
    xmax = atmosphere.depth_at_height(np.array([11_400.0]))
    seen = expectation.view(axis_at(0.0), np.zeros((1, 2)), xmax, model)
    near = np.argmin(np.abs(seen.distance[0] - 1000))
    assert seen.distance[0, near] == pytest.approx(1000)
    assert seen.front_time[0, near] == pytest.approx(167, abs=1)


def test_the_default_front_has_the_radius_of_augers():
    for zenith, radius in ((0.0, 9_500), (60.0, 28_000)):
        axis = axis_at(zenith)
        seen = expectation.view(axis, np.zeros((1, 2)), np.array([780.0]), DEFAULT)
        plane = expectation.view(axis, np.zeros((1, 2)), np.array([780.0]), ArrayModel(front="plane"))
        curved = seen.front_time[0] - plane.front_time[0]
        near = (seen.distance[0] > 1) & (seen.distance[0] < 2000)
        found = seen.distance[0, near] ** 2 / (2 * 0.299792458 * curved[near])
        assert np.median(found) == pytest.approx(radius, rel=0.06)


@MODELS
def test_geometry_is_that_of_the_plain_loop(model):
    rng = np.random.default_rng(3)
    given = [surface_oracle.draw_shower(rng, model) for _ in range(5)]
    axis, core, _, xmax = (np.array(values) for values in zip(*given, strict=True))
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-4)):
        seen = expectation.view(axis.astype(dtype), core, xmax, model)
        assert all(values.dtype == dtype for values in seen)
        for row in range(5):
            for station, position in enumerate(surface_oracle.station_positions(model)):
                distance = surface_oracle.distance_to_axis(position, core[row], axis[row])
                assert seen.distance[row, station] == pytest.approx(distance, rel=tolerance, abs=0.1)
                top = surface_oracle.point_on_axis(xmax[row], core[row], axis[row], model)
                cosine = top[2] / math.dist((*position, 0), top)
                assert seen.depth[row, station] == pytest.approx(
                    (model.ground_depth - xmax[row] * axis[row, 2]) / cosine, rel=max(tolerance, 1e-4)
                )


# --- how many particles -----------------------------------------------------------------------------------------------


def test_the_classic_signal_on_paper():
    size = expectation.shower_size(np.array([19.0, 20.0]), np.array([1, 56]), CLASSIC)
    np.testing.assert_allclose(size.sum(axis=0), [900, 9000])
    np.testing.assert_allclose(size[0] / size[1], [3 / 7, 3 / 7 * 56**0.15])
    found = expectation.expected_particles(
        size, np.array([[1000.0, 2000.0], [10.0, 150.0]]), np.array([[100.0, 200.0], [100.0, 100.0]]), CLASSIC
    )
    np.testing.assert_allclose(found[:, 0, 0], [270, 630])
    np.testing.assert_allclose(found[:, 0, 1], [270 * 2**-4.8, 630 * 2**-6.5])
    np.testing.assert_allclose(found[:, 1, 0], found[:, 1, 1])  # nearer than 150 m counts as 150 m
    np.testing.assert_allclose(expectation.attenuation(np.array([0.0]), CLASSIC), 10)


def test_the_total_is_capped():
    size = np.array([[1e9], [3e9]])
    found = expectation.expected_particles(size, np.array([[1000.0]]), np.array([[100.0]]), CLASSIC)
    np.testing.assert_allclose(found[:, 0, 0], [2.5e6, 7.5e6])


def test_the_lateral_form_on_paper():
    found = expectation.lateral_distribution(np.array([1000.0, 300.0]), DEFAULT)
    np.testing.assert_allclose(found[:, 0], 1)
    np.testing.assert_allclose(found[0, 1], (0.3 * 1000 / 1700) ** -1.9)
    np.testing.assert_allclose(found[1, 1], (0.3 * 1000 / 1700) ** -2.5)


def test_the_default_is_calibrated_to_auger():
    total = {
        (zenith, mass): signal(DEFAULT, zenith=zenith, mass_number=mass).sum()
        for zenith in (0, 38, 60)
        for mass in (1, 56)
    }
    energy = 10 ** (18 + np.log10(0.186) + 1.031 * np.log10(total[38, 1]))
    assert energy == pytest.approx(1e19, rel=0.05)
    assert total[38, 56] == pytest.approx(total[38, 1], rel=0.06)
    mean = {zenith: (total[zenith, 1] + total[zenith, 56]) / 2 for zenith in (0, 38, 60)}
    assert 1.0 < mean[0] / mean[38] < 1.2
    assert 0.42 < mean[60] / mean[38] < 0.52


def test_energy_exponents():
    low, high = (signal(DEFAULT, log10_energy=energy).sum() for energy in (18.75, 19.25))
    assert np.log10(high / low) / 0.5 == pytest.approx(1 / 1.031, abs=0.04)
    muons = [expectation.shower_size(np.array([energy]), np.array([1]), DEFAULT)[0, 0] for energy in (18.5, 19.5)]
    assert np.log10(muons[1] / muons[0]) == pytest.approx(0.92)


def test_mass_and_hadronic_model_change_the_muons():
    muons = expectation.shower_size(np.full(2, 19.0), np.array([1, 56]), DEFAULT)[0]
    assert muons[1] / muons[0] == pytest.approx(56**0.08)  # 1.38
    fluctuation = expectation.muon_fluctuation(np.array([1, 4, 14, 56]), DEFAULT)
    np.testing.assert_allclose(fluctuation, [0.16, 0.10, 0.06, 0.04], atol=0.005)
    for name, factor in (("QGSJetII-04", 0.94), ("Sibyll 2.1", 0.80)):
        other = expectation.shower_size(np.full(2, 19.0), np.array([1, 56]), ArrayModel(hadronic_model=name))
        np.testing.assert_allclose(other[0], factor * muons)


def test_the_muon_fraction_grows_with_distance_zenith_and_mass():
    def fraction(**given):
        muonic, electromagnetic = signal(DEFAULT, **given)
        return muonic / (muonic + electromagnetic)

    assert fraction(distance=500.0) < 0.32 < fraction() < 0.48 < fraction(distance=2000.0)
    assert fraction(zenith=0.0) < 0.38 < fraction(zenith=38.0) < 0.5 < fraction(zenith=50.0) < 0.8 < fraction(zenith=60)
    assert fraction(mass_number=56) > fraction() + 0.1


# --- when they arrive -------------------------------------------------------------------------------------------------


def test_classic_arrival_on_paper():
    median, lag = expectation.arrival(np.array([750.0, 0.0]), np.array([500.0, 500.0]), CLASSIC)
    np.testing.assert_allclose(median, [[50 + 140 * 0.9, 50], [80 + 200 * 0.95, 80]])
    np.testing.assert_allclose(lag, [[0, 0], [(270 - 176) / 1.5, 30 / 1.5]])
    half = expectation.half_time(np.array([[1.0], [3.0]]), median[:, :1], lag[:, :1])
    assert half[0] == pytest.approx((176 + 3 * (270 + 94 / 1.5)) / 4)


def test_bin_shares_are_those_of_a_log_normal():
    median, lag = np.array([[200.0], [300.0]]), np.array([[0.0], [100.0]])
    share = expectation.bin_shares(median, lag, CLASSIC)
    assert share.shape == (2, 1, 80)
    np.testing.assert_allclose(share[0, 0, :8].sum(), 0.5)  # before the median
    np.testing.assert_allclose(share[1, 0, :16].sum(), 0.5)
    np.testing.assert_allclose(share[1, 0, :4], 0, atol=1e-12)  # before the lag
    np.testing.assert_allclose(1 - share[0, 0].sum(), special.ndtr(-np.log(10) / 0.7))


def test_response():
    np.testing.assert_array_equal(expectation.response(CLASSIC), np.eye(80)[0])
    pulse = expectation.response(DEFAULT)
    np.testing.assert_allclose(pulse[1:] / pulse[:-1], np.exp(-25 / 60))
    assert pulse.sum() == pytest.approx(1)


def test_time_resolution_on_paper():
    n = np.array([0.0, 9.0, 99.0])
    np.testing.assert_allclose(expectation.time_resolution(n, n, CLASSIC), [480, 240, 160])
    np.testing.assert_allclose(
        expectation.time_resolution(n, n, ArrayModel.classic(time_noise=40.0)), [320, 160, 320 / 3]
    )
    half = np.full(3, 300.0)
    expected = np.hypot(12, [300 * np.sqrt(1 / 3), 2 * 300 / 9 * np.sqrt(0.8), 2 * 300 / 99 * np.sqrt(0.98)])
    np.testing.assert_allclose(expectation.time_resolution(n, half, DEFAULT), expected)


@MODELS
def test_components_are_those_of_the_plain_loop(model):
    for distance, depth, energy, mass in ((220.0, 90.0, 18.5, 1), (900.0, 300.0, 19.4, 14), (6000.0, 1200.0, 20.0, 56)):
        size = expectation.shower_size(np.array([energy]), np.array([mass]), model)
        found = expectation.expected_particles(size, np.array([[distance]]), np.array([[depth]]), model)[:, 0, 0]
        median, _ = expectation.arrival(np.array([distance]), np.array([depth]), model)
        expected = [surface_oracle.component(k, distance, depth, energy, mass, 1.0, model) for k in (0, 1)]
        np.testing.assert_allclose(np.stack([found, median[:, 0]], axis=1), expected, rtol=1e-9)
