import dataclasses

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from showertools import atmosphere, footprint_likelihood, footprints, limits, showers
from showertools.footprints import FootprintModel

MODEL = FootprintModel()
XMAX = {1: 835.0, 56: 707.0}  # between the points of the table
FAR = -1e3  # ns: every muon comes later


def share(mass_number, xmax, distance, delay, model=MODEL):
    """Share of the muons that hit a pixel at `distance` later than `delay`."""
    grid = footprint_likelihood.table(model, mass_number)
    distance, delay = np.broadcast_arrays(np.atleast_1d(distance), delay)
    return np.exp(footprint_likelihood._look_up(grid, np.array([xmax]), distance[None], delay[None])[1][0])


# --- the table against brute force ------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=sorted(XMAX))
def sparse(request):
    """Many showers of few muons with known core and start: most pixels hold one muon or none."""
    mass_number = request.param
    model = dataclasses.replace(MODEL, muons_per_proton=100.0, muon_fluctuation=1e-3)
    rng = np.random.default_rng(mass_number)
    core = np.array([15.0, 15.0])  # the middle of a pixel
    events = footprints.simulate_given(rng, XMAX[mass_number], np.full(16_000, mass_number), core=core, model=model)
    distance = np.hypot(model.pixel_centers[None, :] - core[0], model.pixel_centers[:, None] - core[1])
    n_muons = 16_000 * float(model.mean_muons(mass_number))
    return mass_number, events, distance, n_muons


def test_expected_counts(sparse):
    mass_number, events, distance, n_muons = sparse
    found = events["counts"].sum(axis=0)
    rings = np.digitize(distance, [1.0, 45.0, 100.0, 200.0, 350.0, 500.0])  # the first is the pixel of the core
    for ring in range(7):
        inside = rings == ring
        expected = n_muons * float(share(mass_number, XMAX[mass_number], distance[inside], FAR).sum())
        assert found[inside].sum() == pytest.approx(expected, abs=4 * np.sqrt(expected) + 0.01 * expected), ring


@pytest.mark.parametrize("nominal", [0.0, 30.0, 150.0, 390.0])
def test_survival_of_arrival_times(sparse, nominal):
    mass_number, events, distance, _ = sparse
    pixels = np.abs(distance - nominal) < 0.1
    distance = np.mean(distance[pixels])
    times = events["arrival_time"][:, pixels][events["counts"][:, pixels] == 1]
    assert len(times) > 500

    times = np.sort(times)
    later = share(mass_number, XMAX[mass_number], distance, times.astype(np.float64))
    cumulative = 1 - later / share(mass_number, XMAX[mass_number], distance, FAR)
    steps = np.arange(len(times) + 1) / len(times)
    largest = max(np.max(cumulative - steps[:-1]), np.max(steps[1:] - cumulative))
    # the table itself is good to 1 %; 1.95/√n of Kolmogorov and Smirnov: eight false alarms in 1,000 seeds
    assert largest < 0.01 + 1.95 / np.sqrt(len(times))


@pytest.mark.parametrize("distance", [7.5, 100.0, 300.0])
def test_density_integrates_to_the_survival(distance):
    grid = footprint_likelihood.table(MODEL, 56)
    delay = np.arange(-30.0, 1500.0, 0.25)
    at = np.full((1, len(delay)), distance), delay[None]
    log_density, log_survival = footprint_likelihood._look_up(grid, np.array([720.0]), *at)
    integral = integrate.cumulative_trapezoid(np.exp(log_density[0]), delay, initial=0)
    total = np.exp(log_survival[0, 0])
    # straight lines between the points of the table lie below a logarithm that bends down: 2 % at the steepest
    np.testing.assert_allclose(total - integral, np.exp(log_survival[0]), atol=0.025 * total)


@pytest.mark.parametrize("mass_number", sorted(XMAX))
def test_share_in_picture(mass_number):
    rng = np.random.default_rng(3)
    core = np.array([[0.0, 0.0], [150.0, -220.0], [600.0, 0.0]])
    model = dataclasses.replace(MODEL, muons_per_proton=1e6, muon_fluctuation=1e-6)
    events = footprints.simulate_given(rng, XMAX[mass_number], np.full(3, mass_number), core=core, model=model)
    n_muons = float(model.mean_muons(mass_number))
    found = events["counts"].sum(axis=(1, 2)) / n_muons
    expected = footprint_likelihood.share_in_picture(np.full(3, XMAX[mass_number]), core, mass_number, MODEL)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(0.5 / n_muons) + 5e-4)
    distance = np.hypot(
        MODEL.pixel_centers[None, :, None] - core[:, 0], MODEL.pixel_centers[:, None, None] - core[:, 1]
    )
    summed = [share(mass_number, XMAX[mass_number], distance[..., k].ravel(), FAR).sum() for k in range(3)]
    np.testing.assert_allclose(summed, expected, rtol=5e-3)


@pytest.mark.parametrize("mass_number", [1, 56])
def test_average_over_the_number_of_muons(mass_number):
    shape, mean = float(MODEL.fluctuation(mass_number)) ** -2, float(MODEL.mean_muons(mass_number))
    total, seen = 0.43 * mean, 0.4
    expected = stats.gamma(shape, scale=mean / shape)

    def integrand(number):
        return np.exp(total * np.log(number / mean) - (number - mean) * seen + expected.logpdf(number))

    integral = integrate.quad(integrand, 0.2 * mean, 2.5 * mean, points=[mean], epsrel=1e-10, limit=200)[0]
    log_integral = np.log(integral) + total * np.log(mean) - mean * seen
    found = footprint_likelihood._averaged_over_muons(total, np.array([seen]), mass_number, MODEL)
    assert found[0] == pytest.approx(log_integral, abs=1e-6)


# --- a case solved by hand --------------------------------------------------------------------------------------------
#
# If each muon has a pixel of its own, core and start are known, and clocks and pixels are fine, the time of each muon
# gives the depth d at which it was made. These depths are normal around Xmax − lag with the known width, so N of them
# give Xmax to width²/N, and its likelihood is the parabola −Σ (d − Xmax + lag)²/(2·width²). What is lost is
# known too: with the error δ of one depth, from clock and pixel, width² + δ² takes the place of width². All muons
# land in the picture.

WIDTH = 30.0
BY_HAND = FootprintModel(
    n_pixels=500,
    pixel_size=7.0,
    mass_numbers=(1,),
    muons_per_proton=60.0,
    muon_fluctuation=0.01,
    production_lag=-40.0,  # near the ground, where delays are long
    production_width=WIDTH,
    opening_angle=0.2,
    core_spread=1e-3,
    start_spread=1e-3,
    time_resolution=1.0,
)


def depths_by_hand(counts, arrival_time):
    """Depth at which the muon of each pixel was made, and its error, from distance and delay."""
    hit = counts > 0
    distance = np.hypot(BY_HAND.pixel_centers[None, :], BY_HAND.pixel_centers[:, None])[hit]
    delay = np.maximum(arrival_time[hit], 1.0)
    height = np.maximum(footprints.production_height(delay, distance), 0.0)
    relative = np.hypot(1.0 / delay, 2 * BY_HAND.pixel_size / np.sqrt(12) / distance)
    return atmosphere.depth_at_height(height), relative * height * atmosphere.density_at_height(height)


def log_likelihood_of_xmax(xmax, counts, arrival_time, model=BY_HAND):
    points = np.zeros((len(xmax), 4))
    points[:, 0] = xmax
    return footprint_likelihood.log_likelihood(points, counts, arrival_time, 1, model)


@pytest.fixture(scope="module")
def parabolas():
    """Maximum and curvature of the likelihood of 200 showers, beside what one works out by hand."""
    true = 800.0
    events = footprints.simulate_given(np.random.default_rng(1), true, np.ones(200, int), model=BY_HAND)
    assert np.mean(events["counts"][events["counts"] > 0] == 1) > 0.97
    found = []
    for counts, arrival_time in zip(events["counts"], events["arrival_time"], strict=True):
        depth, error = depths_by_hand(counts, arrival_time)
        weight = 1 / (WIDTH**2 + error**2)
        by_hand = np.average(depth, weights=weight) + BY_HAND.production_lag
        xmax = true + np.linspace(-10, 10, 9)
        curvature, slope, _ = np.polyfit(xmax - true, log_likelihood_of_xmax(xmax, counts, arrival_time), 2)
        found.append((true - slope / (2 * curvature), -0.5 / curvature, by_hand, 1 / weight.sum(), len(depth)))
    return true, *np.array(found).T


def test_likelihood_by_hand(parabolas):
    _, maximum, variance, by_hand, variance_by_hand, _ = parabolas
    np.testing.assert_allclose(np.sqrt(variance), np.sqrt(variance_by_hand), rtol=0.1)  # one by one
    assert np.mean(variance) == pytest.approx(np.mean(variance_by_hand), rel=0.06)
    assert np.std((maximum - by_hand) / np.sqrt(variance)) < 0.25
    assert np.mean((maximum - by_hand) / np.sqrt(variance)) == pytest.approx(0, abs=0.1)


def test_maximum_reaches_cramer_rao(parabolas):
    true, maximum, variance, _, _, number = parabolas
    bound = np.array([limits.cramer_rao([[n / WIDTH**2]])[0, 0] for n in number])  # with perfect clocks and pixels
    np.testing.assert_allclose(bound, WIDTH**2 / number)
    assert 1 < np.mean(variance) / np.mean(bound) < 1.08
    pull = (maximum - true) / np.sqrt(variance)
    assert np.mean(pull) == pytest.approx(0, abs=4 / np.sqrt(len(pull)))
    assert np.std(pull) == pytest.approx(1, abs=4 / np.sqrt(2 * len(pull)))


def test_posterior_by_hand_with_the_prior():
    """So few muons that the prior matters: the posterior is the parabola times the distribution of Xmax."""
    true = 760.0
    events = footprints.simulate_given(np.random.default_rng(2), true, np.ones(40, int), model=BY_HAND)
    rng = np.random.default_rng(4)
    ratio, shift = [], []
    for counts, arrival_time in zip(events["counts"], events["arrival_time"], strict=True):
        rows, columns = np.nonzero(counts)
        outside = np.flatnonzero(np.hypot(BY_HAND.pixel_centers[rows], BY_HAND.pixel_centers[columns]) > 250)[::10]
        few = np.zeros_like(counts)
        few[rows[outside], columns[outside]] = 1  # three or four muons
        depth, error = depths_by_hand(few, arrival_time)
        grid = np.linspace(600, 1100, 1001)
        variance = WIDTH**2 + error**2
        log_density = -0.5 * ((depth - grid[:, None] + BY_HAND.production_lag) ** 2 / variance).sum(axis=1)
        weight = np.exp(log_density - log_density.max() + showers.xmax_log_density(grid, 1))
        mean = np.average(grid, weights=weight)
        spread = np.sqrt(np.average((grid - mean) ** 2, weights=weight))
        assert spread < 1 / np.sqrt(np.sum(1 / variance))  # the prior helps

        def log_posterior(points, few=few, arrival_time=arrival_time):
            prior = showers.xmax_log_density(points[:, 0], 1)
            return log_likelihood_of_xmax(points[:, 0], few, arrival_time) + prior

        found = limits.posterior(log_posterior, [mean], [spread], rng=rng, n_samples=2_000)
        ratio.append(np.sqrt(found.covariance[0, 0]) / spread)
        shift.append((found.mean[0] - mean) / spread)
    assert np.mean(ratio) == pytest.approx(1, abs=0.03)
    assert np.std(shift) < 0.2


# --- the likelihood as a whole ----------------------------------------------------------------------------------------


def test_likelihood_peaks_at_the_truth():
    rng = np.random.default_rng(8)
    truth = np.array([720.0, 40.0, -60.0, 25.0])
    shower = footprints.simulate_given(rng, truth[0], np.full(6, 56), core=truth[1:3], start=truth[3])
    for index in range(6):

        def cost(point, index=index):
            picture = shower["counts"][index], shower["arrival_time"][index]
            return -footprint_likelihood.log_likelihood(point[None], *picture, 56, MODEL)[0]

        found = optimize.minimize(cost, truth, method="Nelder-Mead", options={"maxfev": 150}).x
        assert np.all(np.abs(found - truth) < [50.0, 25.0, 25.0, 4.0])


def test_empty_picture_has_a_likelihood():
    found = footprint_likelihood.log_likelihood(
        np.array([[700.0, 0, 0, 0], [700.0, 2000.0, 0, 0]]), np.zeros((32, 32)), np.full((32, 32), np.nan), 1, MODEL
    )
    assert np.all(np.isfinite(found))
    assert found[1] > found[0]  # the core was outside


def test_prior_is_a_density():
    rng = np.random.default_rng(2)
    n = 200_000
    low, high = np.array([550.0, -500, -500, -500]), np.array([1300.0, 500, 500, 500])
    points = rng.uniform(low, high, (n, 4))
    value = np.exp(footprint_likelihood.log_prior(points, 1, MODEL)) * np.prod(high - low)
    assert value.mean() == pytest.approx(1, abs=4 * value.std() / np.sqrt(n))
