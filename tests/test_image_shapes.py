import numpy as np
import pytest
from scipy import stats

from showertools import image_shapes


@pytest.fixture(scope="module")
def images():
    return image_shapes.simulate(60_000, seed=1)


def test_shapes_and_types(images):
    assert {name: values.dtype for name, values in images.items()} == {
        "scaled_width": np.float32,
        "scaled_length": np.float32,
        "particle": np.int64,
    }
    assert all(values.shape == (60_000,) for values in images.values())
    assert image_shapes.simulate(0, seed=1)["scaled_width"].shape == (0,)


def test_the_same_seed_draws_the_same_images(images):
    again, other = (image_shapes.simulate(60_000, seed=seed) for seed in (1, 2))
    for name, values in images.items():
        np.testing.assert_array_equal(values, again[name])
        assert not np.array_equal(values, other[name])


def test_the_three_particles_are_equally_frequent(images):
    assert stats.chisquare(np.bincount(images["particle"])).pvalue > 0.001


def test_gammas_have_mean_0_and_spread_1(images):
    for name in ("scaled_width", "scaled_length"):
        gammas = images[name][images["particle"] == 0]
        assert stats.kstest(gammas, "norm").pvalue > 0.001


def test_moments_of_protons_are_those_of_the_mixture(images):
    # mean 0.6·2.8 + 0.4·0.5 = 1.88, second moment 0.6·(2.8² + 1.5²) + 0.4·(0.5² + 3²) = 9.754
    protons = images["scaled_width"][images["particle"] == 1].astype(float)
    assert np.isclose(protons.mean(), 1.88, atol=5 * protons.std() / np.sqrt(protons.size))
    assert np.isclose(np.mean(protons**2), 9.754, atol=5 * np.std(protons**2) / np.sqrt(protons.size))


def test_muons_are_narrow_and_long(images):
    muons = images["particle"] == 2
    assert np.mean(images["scaled_width"][muons] < 0) > 0.99
    assert np.mean(images["scaled_length"][muons] > 0) > 0.98
    assert np.isclose(np.corrcoef(images["scaled_width"][muons], images["scaled_length"][muons])[0, 1], -0.4, atol=0.03)


def test_probabilities_on_paper():
    # At the gammas' centre: gammas 1/(2π·0.9539); muons farther than three standard deviations away.
    gamma = stats.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]]).pdf([0, 0])
    wide = stats.multivariate_normal([0.5, 0.5], [[9, 1.8], [1.8, 9]]).pdf([0, 0])
    narrow = stats.multivariate_normal([2.8, 2.4], [[2.25, 1.2], [1.2, 2.56]]).pdf([0, 0])
    muon = stats.multivariate_normal([-1.8, 3.0], [[0.36, -0.312], [-0.312, 1.69]]).pdf([0, 0])
    expected = np.array([gamma, 0.6 * narrow + 0.4 * wide, muon])
    np.testing.assert_allclose(image_shapes.probabilities(0.0, 0.0), expected / expected.sum(), rtol=1e-9)


def test_probabilities_are_calibrated(images):
    given = image_shapes.probabilities(images["scaled_width"], images["scaled_length"])
    assert given.shape == (60_000, 3)
    np.testing.assert_allclose(given.sum(axis=1), 1)
    for number in range(3):
        sure = given[:, number]
        right = images["particle"] == number
        for low in np.arange(0, 1, 0.2):
            chosen = (sure >= low) & (sure < low + 0.2)
            error = np.sqrt(np.sum(sure[chosen] * (1 - sure[chosen])))
            assert abs(np.sum(right[chosen]) - np.sum(sure[chosen])) < 4 * error


def test_no_straight_line_separates_gammas_and_protons():
    # On a line through the gammas the probability of a proton is high, low and high again.
    proton = image_shapes.probabilities([-4.0, 0.0, 4.0], [-4.0, 0.0, 4.0])[:, 1]
    assert proton[1] < 0.1
    assert min(proton[0], proton[2]) > 0.9


def test_far_away_nothing_overflows():
    assert np.all(np.isfinite(image_shapes.probabilities([1e3, -1e3], [1e3, -1e3])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_images": -1, "seed": 1}, r"`n_images` should be .*Received: -1"),
        ({"n_images": 10, "seed": -1}, r"`seed` should be .*Received: -1"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        image_shapes.simulate(**arguments)


def test_wrong_places():
    with pytest.raises(ValueError, match=r"`scaled_width` should be finite"):
        image_shapes.probabilities([np.nan], [0.0])
    with pytest.raises(ValueError, match=r"should have shapes that broadcast"):
        image_shapes.probabilities([0.0, 1.0], [0.0, 1.0, 2.0])
