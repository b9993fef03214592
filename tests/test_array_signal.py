import numpy as np
import pytest
from scipy import special, stats

from showertools import array_signal, surface, surface_expectation
from showertools.array_signal import Recorded
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
MODELS = pytest.mark.parametrize("model", [CLASSIC, DEFAULT], ids=["classic", "default"])
BARE = ArrayModel.classic(pedestal=0.0, pedestal_noise=0.0, relative_noise=0.0)


def expected_of(events, model):
    """Expected signals with the truth known."""
    axis, core, xmax = (events[name].astype(float) for name in ("axis", "core", "xmax"))
    seen = surface_expectation.view(axis, core, xmax, model)
    size = surface_expectation.shower_size(events["log10_energy"].astype(float), events["mass_number"], model)
    size[0] = events["relative_muons"] * model.signal_at_1000_m[0]
    expected = surface_expectation.expected_particles(size, seen.distance, seen.depth, model)
    return array_signal.recorded(expected, seen.distance, seen.depth, model)


@pytest.fixture(scope="module", params=[CLASSIC, DEFAULT], ids=["classic", "default"])
def simulated(request):
    events = surface.simulate(1_500, seed=3, model=request.param, traces=False)
    return request.param, events, expected_of(events, request.param)


@pytest.mark.parametrize("least", [50, 200, 1e3, 1e4, 1e5])
def test_signals_scatter_as_expected(simulated, least):
    model, events, expected = simulated
    chosen = (expected.mean > least) & (expected.mean < 10 * least) & ~events["saturated"]
    n = np.count_nonzero(chosen)
    if n < 100:
        pytest.skip("this array saturates there")
    signal = events["signal"][chosen] - array_signal.pedestals(model)
    pull = (signal - expected.mean[chosen]) / np.sqrt(expected.variance[chosen])
    assert pull.mean() == pytest.approx(0, abs=4 / np.sqrt(n))
    assert pull.std() == pytest.approx(1, abs=0.05 + 4 / np.sqrt(2 * n))  # the closed form is good to 5 %


@pytest.mark.parametrize("reach", [(0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.98)])
def test_stations_are_silent_as_often_as_expected(simulated, reach):
    model, events, expected = simulated
    level = model.threshold - array_signal.pedestals(model)
    probability = np.exp(array_signal.silence(expected, level, model).log_probability)
    chosen = (probability > reach[0]) & (probability < reach[1])
    n = np.count_nonzero(chosen)
    assert n > 1_000
    silent = np.isnan(events["signal"][chosen]).mean()
    assert silent == pytest.approx(probability[chosen].mean(), abs=0.02 + 4 * np.sqrt(0.25 / n))


def test_without_noise_the_signal_is_a_poisson_number():
    expected = np.array([[[2.0]], [[6.0]]])
    found = array_signal.recorded(expected, np.array([[100.0]]), np.array([[300.0]]), BARE)
    np.testing.assert_allclose(found.mean, 8, rtol=1e-3)  # the trace ends after nearly all
    np.testing.assert_allclose(found.variance, found.mean)
    silent = array_signal.silence(Recorded(np.array([3.0]), np.array([3.0])), 1.5, BARE)
    np.testing.assert_allclose(np.exp(silent.log_probability), stats.poisson(3.0).cdf(1))
    bright = array_signal.brightness(Recorded(np.array([3.0]), np.array([3.0])), np.array([1.5]), BARE)
    np.testing.assert_allclose(np.exp(bright.log_probability), 1 - stats.poisson(3.0).cdf(1))


def test_pedestals_on_paper():
    assert array_signal.pedestals(DEFAULT) == 0
    assert array_signal.quiet_variance(DEFAULT) == pytest.approx(120 * 0.01**2)
    unclipped = ArrayModel.classic(clip_at_zero=False)
    assert array_signal.pedestals(unclipped) == pytest.approx(96)
    assert array_signal.quiet_variance(unclipped) == pytest.approx(80 * 0.36)
    # clipping two standard deviations below the mean adds 0.6·(φ(2) − 2·Φ(−2)) a bin
    added = 80 * 0.6 * (stats.norm.pdf(2) - 2 * stats.norm.cdf(-2))
    assert array_signal.pedestals(CLASSIC) == pytest.approx(96 + added)


def test_the_end_of_the_trace_cuts_late_particles():
    far, near = (
        array_signal.recorded(np.ones((2, 1, 1)), np.full((1, 1), distance), np.full((1, 1), 500.0), CLASSIC).mean
        for distance in (4_000.0, 500.0)
    )
    assert near == pytest.approx(2, rel=1e-3)
    median, lag = surface_expectation.arrival(np.array([4_000.0]), np.array([500.0]), CLASSIC)
    assert far[0, 0] == pytest.approx(special.ndtr(np.log((2_000 - lag) / median) / 0.7).sum(), rel=1e-6)


@MODELS
@pytest.mark.parametrize("function", [array_signal.silence, array_signal.brightness])
def test_derivatives(model, function):
    mean, level, step = np.array([0.5, 3.0, 20.0, 60.0, 300.0]), np.array([25.0]), 1e-3

    def at(number):
        return function(Recorded(number, number), level, model)

    above, here, below = at(mean + step), at(mean), at(mean - step)
    slope = (above.log_probability - below.log_probability) / (2 * step)
    np.testing.assert_allclose(here.slope, slope, rtol=1e-4, atol=1e-7)
    curvature = -(above.slope - below.slope) / (2 * step)
    np.testing.assert_allclose(here.curvature, curvature, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("function", [array_signal.silence, array_signal.brightness])
def test_far_in_the_tail_all_stays_finite_and_monotone(function):
    mean = np.geomspace(1e-6, 1e7, 60)
    level = np.full(60, 100.0)
    found = function(Recorded(mean, mean), level, CLASSIC)
    assert all(np.all(np.isfinite(values)) for values in found)
    assert np.all(found.curvature >= 0)
    sign = -1 if function is array_signal.silence else 1
    assert np.all(sign * np.diff(found.log_probability) >= 0)
