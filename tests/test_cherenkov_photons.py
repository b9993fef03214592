import dataclasses

import cherenkov_oracle
import numpy as np
import pytest
from scipy import stats

from showertools import atmosphere, cherenkov_layers, cherenkov_light, cherenkov_photons, cherenkov_showers
from showertools.cherenkov_model import TelescopeModel
from showertools.cherenkov_photons import Photoelectrons, Views

MODEL = TelescopeModel(pointing_alt=90.0)
AIR = cherenkov_layers.layers(MODEL)
N_CLASSES = len(cherenkov_layers.CLASSES) - 1


def views(impact, n=1, cosine=1.0, along=0.0):
    impact = np.broadcast_to(np.asarray(impact, float), (n, 1, 2))
    return Views(np.full(n, cosine), impact, np.full((n, 1), along))


def light_of_cell(rng, impact, layer, category, electrons):
    """Photoelectrons of electrons in one layer and class, of a vertical shower; of as many showers as there are."""
    n = len(electrons)
    showers = cherenkov_showers.gammas(rng, np.ones(n))
    number = np.zeros((n, N_CLASSES), int)
    number[:, category] = electrons
    cells = cherenkov_photons._cells(rng, np.arange(n), np.full(n, layer), number)
    tracks = cherenkov_photons._tracks(showers, views(impact, n), 0, MODEL)
    cell = cherenkov_photons._emitted(rng, tracks, cells, AIR, MODEL)
    return cherenkov_photons._received(rng, tracks, cells, cell, AIR, MODEL)


def muon(energy, impact_of_telescope, *, start=8000.0, slope=(0.0, 0.0), n=1):
    """Muons that land at (0, 0), and how a telescope sees them."""
    flat = np.zeros((n, 2))
    return (
        cherenkov_showers.Muons(np.arange(n), np.full(n, energy), flat + slope, flat, np.full(n, start), np.zeros(n)),
        views(impact_of_telescope, n),
    )


def light_of_muons(energy, impact, *, seed=1, **options):
    (found,) = cherenkov_photons.from_muons(np.random.default_rng(seed), *muon(energy, impact, **options), MODEL)
    return found


# --- electromagnetic showers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "category", "impact", "single"),
    [(20, 6, (80.0, 0.0), False), (30, 3, (0.0, -60.0), False), (20, 6, (80.0, 0.0), True), (22, 4, (0.0, 0.0), True)],
)
def test_light_is_that_of_rays_one_by_one(layer, category, impact, single):
    rng = np.random.default_rng(1)
    n = 2_000_000
    moments = (values[layer, category] for values in (AIR.angle, AIR.slope, AIR.both, AIR.distance))
    place, light, distance = cherenkov_oracle.rays(rng, n, AIR.height[layer], AIR.thickness[layer], *moments)
    hit = cherenkov_oracle.hits(place, light, distance, impact, MODEL.mirror_radius)
    share = hit.mean()

    photons = AIR.photoelectrons[layer, category] * AIR.thickness[layer]  # of an electron
    electrons = round(4000 / (photons * share))
    found = light_of_cell(rng, impact, layer, category, np.ones(electrons, int) if single else [electrons])
    clump = len(found.time) / len(np.unique(found.image)) if single else 1
    error = 4 * np.sqrt((1 + 2 * clump) / 4000 + 1 / hit.sum())
    assert len(found.time) == pytest.approx(4000, rel=error + 0.01)
    if single:  # of one electron, all photoelectrons are alike: take one of each
        found = Photoelectrons(*(np.take(some, np.unique(found.image, return_index=True)[1], -1) for some in found))
    along, across = (-light[hit, axis] for axis in (0, 1))
    assert stats.ks_2samp(found.slope[0], along).pvalue > 1e-3
    assert stats.ks_2samp(found.slope[1], across).pvalue > 1e-3

    late = distance[hit] * np.sum(light[hit] ** 2, axis=1) / 2 + AIR.delay[layer]
    late += np.sum(place[hit] ** 2, axis=1) / (2 * AIR.radiation_length[layer])
    assert stats.ks_2samp(found.time, late / cherenkov_oracle.SPEED_OF_LIGHT).pvalue > 1e-3


def test_light_of_whole_showers_is_the_expected_density():
    rng = np.random.default_rng(2)
    n = 300
    model = dataclasses.replace(MODEL, maximum_fluctuation=0.0)
    showers = cherenkov_showers.gammas(rng, np.full(n, 0.3))._replace(first_depth=np.full(n, 47.0))
    parts = list(cherenkov_photons.from_showers(rng, showers, views((0.0, 90.0), n), model))
    number = np.bincount(np.concatenate([part.image for part in parts]), minlength=n)
    expected = cherenkov_layers.light_density(0.3, np.array([90.0]), model, first_depth=47.0)[0]
    assert number.mean() == pytest.approx(expected * model.efficiency * model.mirror_area, rel=0.01)
    assert number.std() > 1.2 * np.sqrt(number.mean())  # electrons come in whole numbers, too


def test_the_image_of_a_shower_lies_towards_its_core():
    rng = np.random.default_rng(3)
    showers = cherenkov_showers.gammas(rng, np.full(20, 1.0))
    parts = cherenkov_photons.from_showers(rng, showers, views((100.0, 0.0), 20), MODEL)
    light = np.concatenate([part.slope for part in parts], axis=1)
    height = atmosphere.height_at_depth(36.7 * np.log(1000 / 0.085)) - MODEL.site_altitude  # of the maximum
    assert np.degrees(np.median(light[0])) == pytest.approx(-np.degrees(100 / height), abs=0.1)
    assert np.degrees(np.median(light[1])) == pytest.approx(0, abs=0.01)
    assert np.degrees(np.median(np.abs(light[1]))) < 0.15


def test_a_tilted_shower_is_seen_where_it_comes_from():
    """A sub-shower with a slope looks like an upright one that lands elsewhere, shifted on the sky."""
    rng = np.random.default_rng(4)
    upright = cherenkov_showers.gammas(rng, np.full(60, 1.0))
    shift, landing = np.array([0.01, -0.02]), np.array([40.0, 30.0])
    tilted = upright._replace(slope=np.tile(shift, (60, 1)), landing=np.tile(landing, (60, 1)))
    found = []
    for showers, impact in ((upright, (60.0, 0.0)), (tilted, landing + np.array([60.0, 0.0]))):
        parts = list(cherenkov_photons.from_showers(np.random.default_rng(5), showers, views(impact, 60), MODEL))
        found.append(np.concatenate([part.slope for part in parts], axis=1))
    np.testing.assert_allclose(found[1] + shift[:, None], found[0], atol=1e-6)


def test_bright_showers_come_in_small_parts():
    rng = np.random.default_rng(6)
    showers = cherenkov_showers.gammas(rng, np.full(2, 50.0))
    parts = list(cherenkov_photons.from_showers(rng, showers, views((30.0, 0.0), 2), MODEL))
    assert len(parts) > 1
    assert max(len(part.time) for part in parts) == cherenkov_photons.PHOTOELECTRONS_AT_ONCE


# --- muons -----------------------------------------------------------------------------------------------------------


def test_a_muon_through_the_mirror_makes_a_ring():
    found = light_of_muons(50.0, (2.0, 1.0))
    radius = np.degrees(np.hypot(*found.slope))
    assert radius.mean() == pytest.approx(1.2, abs=0.03)  # 1.21° at the mirror, less a little higher up
    assert radius.std() < 0.02
    azimuth = np.arctan2(found.slope[1], found.slope[0])
    assert np.all(np.histogram(azimuth, bins=8, range=(-np.pi, np.pi))[0] > len(azimuth) / 20)
    centre = np.radians(1.2) * MODEL.mirror_radius * 76_430 * MODEL.efficiency  # sin²θ·R/θ of the mean path
    assert len(azimuth) == pytest.approx(centre, rel=0.06)


def test_a_muon_beside_the_mirror_makes_an_arc():
    found = light_of_muons(50.0, (60.0, 0.0), n=10)
    azimuth = np.arctan2(found.slope[1], -found.slope[0])
    assert np.abs(azimuth).max() < np.arcsin(MODEL.mirror_radius / 60) + 1e-3
    assert np.degrees(np.hypot(*found.slope)).mean() == pytest.approx(0.96, abs=0.02)  # of 3.6 km higher up


def test_slow_muons_make_smaller_rings():
    rings = [light_of_muons(energy, (0.0, 0.0), start=1000.0, seed=3).slope for energy in (6.0, 8.0, 50.0)]
    radius = [np.degrees(np.hypot(*slope)).mean() for slope in rings]
    assert radius[0] < 0.7 < radius[1] < 1.05 < radius[2]


@pytest.mark.parametrize("impact", [0.0, 8.0, 30.0, 90.0])
def test_muons_shine_as_the_sum_over_their_paths_says(impact):
    n = 40 if impact > 20 else 5

    def angle_at(distance):
        height = distance + MODEL.site_altitude
        return np.radians(cherenkov_light.cherenkov_angle(height))

    def yield_at(distance):
        height = distance + MODEL.site_altitude
        passed = cherenkov_light.transmission(height, MODEL.site_altitude, aerosol_depth=0.05)
        return cherenkov_oracle.CHERENKOV_YIELD * angle_at(distance) ** 2 * passed * MODEL.efficiency

    expected = n * cherenkov_oracle.muon_light(impact, angle_at, yield_at, MODEL.mirror_radius, 8000.0, n_steps=4000)
    found = light_of_muons(5000.0, (0.0, impact), n=n)  # so fast that neither speed nor decay matters
    assert len(found.time) == pytest.approx(expected, rel=4 / np.sqrt(expected) + 0.005)


def test_muons_that_decay_are_dark_from_there():
    """Light on the mirror comes from the last few hundred metres; so many live that long as the range says."""
    n = 100
    high, low = (light_of_muons(9.0, (0.0, 0.0), start=start, n=n).image for start in (7000.0, 550.0))
    seen = np.bincount(high, minlength=n) > 0.5 * len(low) / n
    loss = 0.0022 * (atmosphere.depth_at_height(2200.0) - atmosphere.depth_at_height(9200.0))
    assert loss < 1.2  # GeV: little enough for the light to stay above a half
    lives = np.exp(-7000 * 0.10566 / (9.0 * 658.6))
    assert seen.mean() == pytest.approx(lives, abs=4 * np.sqrt(lives * (1 - lives) / n))


def test_far_muons_are_dark():
    assert len(light_of_muons(50.0, (240.0, 0.0), n=100).time) == 0
    assert len(light_of_muons(3.0, (0.0, 0.0)).time) == 0
    assert len(light_of_muons(50.0, (0.0, 0.0), start=-10.0).time) == 0


def test_a_tilted_muon_makes_its_ring_where_it_comes_from():
    found = light_of_muons(50.0, (0.0, 0.0), slope=(0.01, 0.005))
    np.testing.assert_allclose(found.slope.mean(axis=1), (-0.01, -0.005), atol=1e-3)
