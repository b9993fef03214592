import dataclasses

import numpy as np
import pytest
from scipy import integrate

from showertools import atmosphere, cherenkov_layers, cherenkov_light
from showertools.cherenkov_model import TelescopeModel

MODEL = TelescopeModel()
AIR = cherenkov_layers.layers(MODEL)


def test_layers_fill_the_air_above_the_telescopes():
    ground = atmosphere.depth_at_height(2200.0)
    assert AIR.depth[0] == pytest.approx(ground / 96)
    np.testing.assert_allclose(np.diff(AIR.depth), ground / 48, rtol=1e-4)
    np.testing.assert_allclose(atmosphere.depth_at_height(AIR.height.astype(float) + 2200), AIR.depth, rtol=1e-4)
    lower = slice(12, None)  # where layers are thin compared with the scale of the density
    np.testing.assert_allclose(-np.diff(AIR.height[lower]), AIR.thickness[lower][1:], rtol=0.06)


def test_no_other_electrons_than_all():
    assert np.all(AIR.share >= 0)
    assert np.all(AIR.share.sum(axis=2) < 1)
    at_maximum = AIR.share[:, cherenkov_layers.age_index(np.array([1.0]))[0]].sum(axis=1)
    energy = np.geomspace(1e-3, 100, 4000)
    spectrum = cherenkov_light.energy_spectrum(energy, 1.0)
    layer = 20
    fast = energy > cherenkov_light.threshold(AIR.height[layer] + 2200)
    assert at_maximum[layer] == pytest.approx(spectrum[fast].sum() / spectrum.sum(), rel=0.01)


def test_angles_and_yields_grow_with_the_energy():
    assert np.all(np.diff(AIR.angle, axis=1) > 0)
    full = np.radians(cherenkov_light.cherenkov_angle(AIR.height + 2200))
    assert np.all(AIR.angle[:, 0] < 0.5 * full)
    np.testing.assert_allclose(AIR.angle[:, -1], full, rtol=1e-3)
    bare = dataclasses.replace(MODEL, efficiency=1.0, aerosol_depth=0.0)
    passed = cherenkov_light.transmission(AIR.height + 2200, 2200.0, cosine=np.sin(np.radians(70)))
    expected = passed[:, None] * cherenkov_light.photons_per_metre(np.degrees(AIR.angle))
    np.testing.assert_allclose(cherenkov_layers.layers(bare).photoelectrons, expected, rtol=1e-3)


@pytest.mark.parametrize(("ring", "sigma"), [(100.0, 30.0), (100.0, 200.0), (0.0, 50.0)])
def test_density_is_a_probability(ring, sigma):
    def of_radius(impact):
        return 2 * np.pi * impact * cherenkov_layers.density(np.float64(impact), ring, sigma**2)

    assert integrate.quad(of_radius, 0, ring + 12 * sigma, limit=200)[0] == pytest.approx(1, rel=1e-6)
    mean_square = integrate.quad(lambda b: b**2 * of_radius(b), 0, ring + 12 * sigma, limit=200)[0]
    assert mean_square == pytest.approx(ring**2 + 2 * sigma**2, rel=1e-6)


def test_light_of_straight_electrons_is_a_ring():
    impact = np.arange(50.0, 150.0)
    density = cherenkov_layers.density(impact, 100.0, 1.0)
    assert impact[np.argmax(density)] == 100


def test_landing_variance():
    layer = np.array([20])
    found = cherenkov_layers.landing_variance(np.array([7000.0], np.float32), AIR, layer)
    expected = AIR.distance[20] + 2 * 7000 * AIR.both[20] + 7000**2 * AIR.slope[20]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_light_pool():
    """10 photons/m² at 100 GeV, flat to about 120 m, then falling."""
    impact = np.array([0.0, 40, 80, 120, 160, 200, 300])
    density = cherenkov_layers.light_density(0.1, impact, MODEL)
    assert density[:3] == pytest.approx(10, rel=0.06)
    assert 0.75 < density[3] / density[0] < 1
    assert density[4] / density[0] < 0.65
    assert density[5] / density[0] < 0.4
    assert density[6] / density[0] < 0.2


def test_more_energy_more_light():
    density = [cherenkov_layers.light_density(energy, np.array([100.0]), MODEL)[0] for energy in (0.03, 0.1, 0.3, 1.0)]
    steps = np.diff(np.log(density)) / np.diff(np.log([0.03, 0.1, 0.3, 1.0]))
    assert np.all((steps > 1) & (steps < 1.3))  # a little more than proportional: the maximum comes nearer
    assert density[3] == pytest.approx(125, rel=0.05)


def test_all_light_lands_somewhere():
    radius = np.arange(2.0, 20_000.0, 4.0)
    landed = np.sum(2 * np.pi * radius * cherenkov_layers.light_density(1.0, radius, MODEL)) * 4
    vertical = cherenkov_layers.layers(dataclasses.replace(MODEL, pointing_alt=90.0, efficiency=1.0))
    number, age = cherenkov_light.greisen(vertical.depth / 36.7, np.log(1000 / 0.085))
    share = vertical.share[np.arange(48), cherenkov_layers.age_index(age)]
    light = (number * vertical.thickness)[:, None] * share * vertical.photoelectrons
    assert landed == pytest.approx(light[vertical.depth > 9 / 7 * 36.7].sum(), rel=0.01)


def test_a_late_first_pair_brings_the_light_nearer():
    early, late = (
        cherenkov_layers.light_density(0.1, np.array([10.0, 200.0]), MODEL, first_depth=depth) for depth in (10, 150)
    )
    assert late[0] > 1.5 * early[0]
    assert late[1] / late[0] < early[1] / early[0]


@pytest.mark.parametrize(
    ("energy", "impact", "message"),
    [
        (-1.0, 100.0, r"`energy` should be a positive number\. Received: -1"),
        (1.0, np.nan, r"`impact` should be finite\. Received: 1 of 1"),
    ],
)
def test_bad_values(energy, impact, message):
    with pytest.raises(ValueError, match=message):
        cherenkov_layers.light_density(energy, np.array([impact]), MODEL)
