import numpy as np
import pytest
from scipy import integrate

from showertools import atmosphere, cherenkov_light


def test_angles_and_thresholds_of_textbooks():
    np.testing.assert_allclose(cherenkov_light.cherenkov_angle([0.0, 2200.0, 10_000.0]), [1.38, 1.21, 0.74], atol=0.005)
    np.testing.assert_allclose(cherenkov_light.threshold([0.0, 10_000.0]) * 1e3, [21.1, 39.5], atol=0.1)
    assert cherenkov_light.threshold(0.0, mass=cherenkov_light.MUON_MASS) == pytest.approx(4.37, abs=0.01)


def test_angle_is_that_of_the_refractive_index():
    """cos θ = 1/(n·β), without the approximation for small angles."""
    height, energy = 3000.0, 0.05
    n = 1 + cherenkov_light.refractivity(height)
    speed = np.sqrt(1 - (cherenkov_light.ELECTRON_MASS / energy) ** 2)
    exact = np.degrees(np.arccos(1 / (n * speed)))
    assert cherenkov_light.cherenkov_angle(height, energy) == pytest.approx(exact, rel=1e-3)


def test_slow_particles_do_not_radiate():
    height = np.array([0.0, 5000.0])
    limit = cherenkov_light.threshold(height)
    np.testing.assert_array_equal(cherenkov_light.cherenkov_angle(height, 0.999 * limit), 0)
    assert np.all(cherenkov_light.cherenkov_angle(height, 1.001 * limit) > 0)


def test_yield_after_frank_and_tamm():
    """370 photons per eV and centimetre times sin²θ, between 2.07 and 4.13 eV."""
    assert cherenkov_light.photons_per_metre(1.0) == pytest.approx(
        370 * 100 * 2.066 * np.sin(np.radians(1)) ** 2, rel=0.01
    )
    assert cherenkov_light.photons_per_metre(0.0) == 0


def test_delay_is_the_sum_of_the_refractivity():
    expected, _ = integrate.quad(cherenkov_light.refractivity, 2200, 9000)
    assert cherenkov_light.optical_delay(9000.0, 2200.0) == pytest.approx(expected)


def test_transmission():
    passed = cherenkov_light.transmission([2200.0, 5000.0, 10_000.0, 50_000.0], 2200.0)
    assert passed[0] == 1
    assert np.all(np.diff(passed) < 0)
    crossed = atmosphere.depth_at_height(2200.0) - atmosphere.depth_at_height(10_000.0)
    colour = np.linspace(300, 600, 31)
    by_hand = np.average(np.exp(-crossed / 2970 * (400 / colour) ** 4), weights=colour**-2.0)
    assert passed[2] == pytest.approx(by_hand)
    hazy = cherenkov_light.transmission(50_000.0, 2200.0, aerosol_depth=0.3)
    assert hazy / passed[3] == pytest.approx(np.exp(-0.3), rel=0.05)
    inclined = cherenkov_light.transmission(10_000.0, 2200.0, cosine=0.5)
    assert passed[2] ** 2 < inclined < passed[2]  # the blue goes first, so more is left than of one colour


@pytest.mark.parametrize("energy", [1.0, 100.0, 1e4])
def test_greisen_profile(energy):
    beta = np.log(energy / 0.085)
    depth = np.arange(0, 60, 0.01)
    number, age = cherenkov_light.greisen(depth, beta)
    assert depth[np.argmax(number)] == pytest.approx(beta, abs=0.01)
    assert number.max() == pytest.approx(0.31 / np.sqrt(beta) * energy / 0.085, rel=1e-4)
    assert np.interp(beta, depth, age) == pytest.approx(1, abs=1e-3)
    track_length = number.sum() * 0.01  # radiation lengths: all the energy goes into ionisation
    assert track_length * 0.085 / energy == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(cherenkov_light.greisen(np.array([-1.0, 0.0]), beta)[0], 0)


def test_old_showers_have_slower_electrons():
    energy = np.geomspace(1e-3, 100, 2000)
    fast = []
    for age in (0.6, 1.0, 1.4):
        spectrum = cherenkov_light.energy_spectrum(energy, age)
        fast.append(spectrum[energy > 0.021].sum() / spectrum.sum())
    assert fast[0] > fast[1] > fast[2]
    assert fast[1] == pytest.approx(0.57, abs=0.01)  # at the maximum, about half can radiate at sea level


def test_scattering_of_fast_electrons_is_that_of_cascade_theory():
    fast = cherenkov_light.scattering(1000.0)
    unit = (0.021 / 1000) ** 2
    assert 2 * fast.angle / unit == pytest.approx(0.57, abs=0.01)
    assert 2 * fast.distance / unit == pytest.approx(0.72, abs=0.02)


def test_slow_electrons_are_scattered_more():
    some = cherenkov_light.scattering(np.geomspace(0.02, 10, 30))
    assert np.all(np.diff(some.angle) < 0)
    assert np.all(np.diff(some.distance) < 0)
    assert np.all(some.both**2 < some.angle * some.distance)
    assert np.degrees(np.sqrt(2 * cherenkov_light.scattering(0.1).angle)) == pytest.approx(7.1, abs=0.2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cherenkov_light.refractivity(np.nan), r"`height` should be finite\. Received: 1 of 1"),
        (lambda: cherenkov_light.cherenkov_angle(0.0, -1.0), r"`energy` should be at least .* GeV\. Received: -1"),
        (lambda: cherenkov_light.scattering([1.0, 0.0]), r"`energy` should be positive\. Received: 0"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()
