import numpy as np
import pytest

from showertools import footprints, front_fit
from showertools.footprints import SPEED_OF_LIGHT, FootprintModel

MODEL = FootprintModel()


def bowl(core, start, height, model=MODEL):
    """Arrival times (1, H, W) of an exact paraboloid."""
    x, y = np.meshgrid(model.pixel_centers, model.pixel_centers)
    return (start + ((x - core[0]) ** 2 + (y - core[1]) ** 2) / (2 * SPEED_OF_LIGHT * height))[None]


@pytest.fixture(scope="module")
def showers():
    return footprints.simulate(600, seed=8, workers=1)


def test_an_exact_bowl_is_found_again():
    times = bowl((60.0, -35.0), 120.0, 4000.0)
    found = front_fit.fit_front(np.ones_like(times), times, workers=1)
    assert np.allclose(found["core"], [[60, -35]], atol=0.1)
    assert np.allclose(found["start"], 120, atol=0.05)
    assert np.allclose(found["height"], 4000, rtol=1e-3)


def test_rows_are_y_and_empty_pixels_are_not_looked_at():
    times = bowl((90.0, 0.0), 0.0, 4000.0)
    counts = np.ones_like(times)
    counts[:, :8, ::2] = 0
    times[counts == 0] = np.nan
    assert np.allclose(front_fit.fit_front(counts, times)["core"], [[90, 0]], atol=0.1)


def test_core_of_simulated_showers_and_its_pulls(showers):
    found = front_fit.fit_front(showers["counts"], showers["arrival_time"])
    offset = found["core"] - showers["core"]
    assert np.all(np.isfinite(found["height"]))
    assert np.all(offset.std(axis=0) < 8)  # m; a pixel has 30
    assert np.all(np.abs(offset.mean(axis=0)) < 4 * offset.std(axis=0) / np.sqrt(600))


def test_weights_help(showers):
    once = front_fit.fit_front(showers["counts"], showers["arrival_time"], n_iterations=1)
    thrice = front_fit.fit_front(showers["counts"], showers["arrival_time"])
    assert (thrice["core"] - showers["core"]).std() <= (once["core"] - showers["core"]).std() * 1.02


def test_height_falls_with_xmax(showers):
    height = front_fit.fit_front(showers["counts"], showers["arrival_time"])["height"]
    assert np.corrcoef(height, showers["xmax"])[0, 1] < -0.85


def test_workers_do_not_matter(showers):
    one = front_fit.fit_front(showers["counts"], showers["arrival_time"], workers=1)
    two = front_fit.fit_front(showers["counts"], showers["arrival_time"], workers=2)
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_too_few_pixels_or_a_front_bent_downwards_give_nan():
    times = np.concatenate([bowl((0.0, 0.0), 0.0, 4000.0), -bowl((0.0, 0.0), 0.0, 4000.0)])
    counts = np.ones_like(times)
    counts[0].ravel()[4:] = 0
    found = front_fit.fit_front(counts, times)
    assert all(np.all(np.isnan(found[name])) for name in ("core", "start", "height"))


def test_no_shower(showers):
    found = front_fit.fit_front(showers["counts"][:0], showers["arrival_time"][:0])
    assert found["core"].shape == (0, 2)
    assert front_fit.ring_profiles(showers["counts"][:0], showers["arrival_time"][:0], found).shape == (0, 10, 4)


def test_ring_profiles_by_hand():
    model = FootprintModel(n_pixels=4, pixel_size=100.0)  # distances 71, 158 and 212 m from the centre
    counts = np.ones((1, 4, 4))
    counts[0, 0, 0] = 0  # a corner, 212 m away
    counts[0, 1, 1] = 3
    times = np.full((1, 4, 4), 20.0)
    front = {"core": np.zeros((1, 2)), "start": np.array([10.0])}
    rings = front_fit.ring_profiles(counts, times, front, model=model)[0]  # (10, 4)
    assert np.allclose(rings[1], [6 / 17, 10, 10, 4 / 6])  # 60 to 120 m: four pixels, six muons
    assert np.allclose(rings[2], [8 / 17, 10, 10, 1])
    assert np.allclose(rings[3], [3 / 17, 10, 10, 1])
    assert np.all(rings[[0, 4, 5, 6, 7, 8, 9]] == 0)


@pytest.mark.parametrize(
    ("counts", "times", "words"),
    [
        (np.zeros((2, 31, 32)), np.zeros((2, 32, 32)), "`counts` should have the shape"),
        (np.zeros((2, 32, 32)), np.zeros((32, 32)), "`arrival_time` should have the shape"),
        (np.zeros((2, 32, 32)), np.zeros((3, 32, 32)), "`arrival_time` should have the shape"),
        (-np.ones((2, 32, 32)), np.zeros((2, 32, 32)), "`counts` should be at least 0"),
        (np.ones((2, 32, 32)), np.full((2, 32, 32), np.nan), "`arrival_time` should be finite wherever"),
    ],
)
def test_bad_shapes(counts, times, words):
    with pytest.raises(ValueError, match=words):
        front_fit.fit_front(counts, times)


def test_a_front_of_other_showers(showers):
    front = front_fit.fit_front(showers["counts"][:3], showers["arrival_time"][:3])
    for bad in (front, {}):
        with pytest.raises(ValueError, match=r"`front` should hold `core` and `start` of 2 showers\. Received: shapes"):
            front_fit.ring_profiles(showers["counts"][:2], showers["arrival_time"][:2], bad)
