import numpy as np
import pytest
from scipy import stats

from showertools import atmosphere, cherenkov_showers
from showertools.cherenkov_model import TelescopeModel

MODEL = TelescopeModel()


def protons(energy, n, seed=1):
    rng = np.random.default_rng(seed)
    return cherenkov_showers.protons(rng, np.full(n, energy), np.full(n, 0.94), MODEL)


def hadrons(n, *, energy=100.0, depth=100.0, is_nucleon=False):
    flat = np.zeros((n, 2))
    numbers = (np.full(n, value, float) for value in (15_000.0, 0.0, depth))
    return cherenkov_showers._Hadrons(np.arange(n), np.full(n, energy), flat, flat, *numbers, np.full(n, is_nucleon))


def test_a_gamma_ray_is_one_shower():
    showers = cherenkov_showers.gammas(np.random.default_rng(1), np.full(4000, 0.5))
    np.testing.assert_array_equal(showers.event, np.arange(4000))
    np.testing.assert_array_equal(showers.energy, 500)
    assert stats.kstest(showers.first_depth, stats.expon(scale=9 / 7 * 36.7).cdf).pvalue > 1e-3


def test_protons_interact_after_an_exponential_depth():
    _, _, first_depth = protons(0.02, 4000)
    assert stats.kstest(first_depth, stats.expon(scale=85).cdf).pvalue > 1e-3


@pytest.mark.parametrize(("energy", "low", "high"), [(0.1, 0.25, 0.4), (1.0, 0.38, 0.5), (10.0, 0.5, 0.65)])
def test_share_of_energy_that_becomes_electromagnetic(energy, low, high):
    n = 200
    showers, _, _ = protons(energy, n)
    share = np.bincount(showers.event, showers.energy, minlength=n) / (energy * 1e3)
    assert low < share.mean() < high
    assert np.all(share < 1)
    assert np.all(np.diff(showers.event) >= 0)
    assert showers.energy.min() > cherenkov_showers.LEAST_ENERGY


def test_protons_make_wide_showers_and_muons():
    showers, muons, _ = protons(1.0, 300)
    assert 20 < len(showers.event) / 300 < 50
    assert 8 < len(muons.event) / 300 < 25
    assert muons.energy.min() > 5  # slower ones do not radiate, not even at the telescope
    width = np.degrees(np.sqrt(np.average(np.sum(showers.slope**2, axis=1), weights=showers.energy)))
    assert 1.5 < width < 3
    assert np.all(showers.lag >= 0)
    assert np.abs(np.average(showers.slope, axis=0)).max() < 0.01


def test_photons_of_neutral_pions_have_their_mass():
    pions = hadrons(3000, energy=50.0)
    both = cherenkov_showers._decay_neutral(np.random.default_rng(2), pions)
    order = np.argsort(both.event, kind="stable")
    event, energy, slope = (values[order] for values in both[:3])
    first = np.flatnonzero(event[1:] == event[:-1])
    opening = np.linalg.norm(slope[first] - slope[first + 1], axis=1)
    np.testing.assert_allclose(np.sqrt(energy[first] * energy[first + 1]) * opening, 0.135, rtol=1e-6)
    np.testing.assert_allclose(energy[first] + energy[first + 1], 50)
    assert stats.kstest(energy[first], stats.uniform(1, 48).cdf).pvalue > 1e-3


def test_pions_decay_high_up_or_at_low_energy():
    rng = np.random.default_rng(3)
    cosine, ground = np.ones(4000), np.full(4000, 1000.0)
    share = []
    for energy, depth in ((10.0, 100.0), (115.0, 115.0), (1000.0, 100.0)):
        interacting, decaying = cherenkov_showers._fly(
            rng, hadrons(4000, energy=energy, depth=depth), cosine, ground, MODEL
        )
        share.append(len(decaying.event) / (len(decaying.event) + len(interacting.event)))
    assert share[0] > 0.8
    assert 0.3 < share[1] < 0.5  # at first, both are as likely; decays become rarer with the depth
    assert share[2] < 0.12
    interacting, decaying = cherenkov_showers._fly(rng, hadrons(4000, is_nucleon=True), cosine, ground, MODEL)
    assert len(decaying.event) == 0
    assert stats.kstest(interacting.depth - 100, stats.expon(scale=85).cdf).pvalue > 1e-3


def test_particles_fly_straight_on_from_where_they_turn():
    before = hadrons(5)
    change = np.random.default_rng(4).normal(0, 0.01, (5, 2))
    after = before.turned(change).turned(2 * change)
    here = [some.landing - some.slope * some.start[:, None] for some in (before, after)]
    np.testing.assert_allclose(here[1], here[0], atol=1e-9)
    np.testing.assert_allclose(after.slope, 3 * change)


def test_transverse_momentum():
    rng = np.random.default_rng(5)
    slope = cherenkov_showers._kick(rng, np.full(20_000, 20.0), 1.0)
    assert np.hypot(*slope.T).mean() * 20 == pytest.approx(0.34, rel=0.02)
    assert np.abs(slope.mean(axis=0)).max() < 4 * slope.std() / np.sqrt(20_000)


def test_energy_is_kept():
    """What an interaction of a nucleon leaves: all of it, but for what is too slow to be followed."""
    parents = hadrons(2000, energy=1e5, is_nucleon=True)
    charged, neutral = cherenkov_showers._interact(np.random.default_rng(6), parents)
    kept = np.bincount(charged.event, charged.energy, 2000) + np.bincount(neutral.event, neutral.energy, 2000)
    assert np.all(kept < 1e5 * (1 + 1e-9))
    assert kept.mean() > 0.999e5
    pions = charged.energy[~charged.is_nucleon].sum()
    assert neutral.energy.sum() / (pions + neutral.energy.sum()) == pytest.approx(1 / 3, abs=0.02)


def test_heights():
    np.testing.assert_allclose(
        cherenkov_showers.height_at(np.array([300.0, 5000.0]), np.array([0.9, 0.9]), MODEL),
        [atmosphere.height_at_depth(270.0), 2200],
        rtol=1e-3,
    )


def test_no_protons():
    showers, muons, first_depth = protons(1.0, 0)
    assert len(showers.event) == len(muons.event) == len(first_depth) == 0
