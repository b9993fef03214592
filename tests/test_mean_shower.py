import numpy as np
import pytest

from showertools import atmosphere, mean_shower, showers, surface, surface_expectation
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()


def test_inclined_showers_have_their_maximum_in_the_air():
    energy = np.array([18.5, 19.25, 20.0])
    found = mean_shower.moments(energy, np.full(3, 0.5), CLASSIC)
    np.testing.assert_allclose(found.xmax, showers.xmax_mean(1, energy), atol=1.0)
    np.testing.assert_allclose(np.sqrt(found.covariance[:, 0, 0]), showers.xmax_std(1, energy), rtol=0.03)
    np.testing.assert_array_equal(found.covariance[:, 1], 0)  # all protons have as many muons


@pytest.mark.parametrize("cosine", [0.6, 0.8, 1.0])
@pytest.mark.parametrize("model", [CLASSIC, DEFAULT], ids=["classic", "default"])
def test_moments_are_those_of_simulated_showers(model, cosine):
    rng, n = np.random.default_rng(1), 4_000
    axis = [np.sqrt(1 - cosine**2), 0, cosine]
    deepest = atmosphere.depth_at_height(1_600.0) / cosine  # 200 m above the ground
    mass = np.resize(model.mass_numbers, n)
    xmax = showers.draw_xmax(rng, mass, 19.0, deepest=deepest)
    events = surface.simulate_given(rng, xmax, mass, 19.0, axis=axis, model=model, traces=False)
    found = mean_shower.moments(np.array([19.0]), np.array([cosine]), model)
    muons = np.log(events["relative_muons"].astype(float))
    assert found.xmax[0] == pytest.approx(xmax.mean(), abs=4 * xmax.std() / np.sqrt(n))
    assert found.covariance[0, 0, 0] == pytest.approx(xmax.var(), rel=0.12)
    assert found.covariance[0, 1, 1] == pytest.approx(muons.var(), rel=0.12, abs=1e-9)
    limit = 4 * xmax.std() * max(muons.std(), 1e-9) / np.sqrt(n)
    assert found.covariance[0, 0, 1] == pytest.approx(np.cov(xmax, muons)[0, 1], abs=limit)


def test_size_is_the_mean_of_the_primaries():
    energy = np.array([18.6, 19.7])
    each = [surface_expectation.shower_size(energy, np.full(2, mass), DEFAULT) for mass in (1, 4, 14, 56)]
    np.testing.assert_allclose(mean_shower.size(energy, DEFAULT), np.mean(each, axis=0))


def test_beyond_the_table_its_edge_holds():
    far = mean_shower.moments(np.array([25.0, 10.0]), np.array([0.1, 0.1]), CLASSIC)
    edge = mean_shower.moments(np.array([21.0, 17.0]), np.array([0.4, 0.4]), CLASSIC)
    np.testing.assert_array_equal(far.xmax, edge.xmax)
