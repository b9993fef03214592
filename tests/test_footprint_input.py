import numpy as np
import pytest

from showertools import footprint_input, footprints, symmetry

NAN = np.nan


@pytest.fixture(scope="module")
def showers():
    return footprints.simulate(700, seed=3, workers=1)  # more than are worked on at once


@pytest.fixture(scope="module")
def normalisation(showers):
    return footprint_input.fit_normalisation(showers["counts"], showers["arrival_time"])


def test_relative_times_by_hand():
    counts = np.array([[[1, 0], [2, 1]]])
    times = np.array([[[10.0, NAN], [40.0, 10.0]]])
    assert np.allclose(footprint_input.relative_times(counts, times), [[[-10, 0], [20, -10]]])


def test_relative_times_of_an_empty_footprint_are_zero():
    assert np.array_equal(
        footprint_input.relative_times(np.zeros((1, 2, 2)), np.full((1, 2, 2), NAN)), np.zeros((1, 2, 2))
    )


def test_normalisation_by_hand():
    counts = np.array([[[1, 1], [1, 1]], [[1, 1], [1, 1]]])
    times = np.array([[[0.0, 2.0], [2.0, 4.0]], [[7.0, 5.0], [5.0, 3.0]]])  # relative: ∓2, 0, 0, ±2; the mean is 0
    found = footprint_input.fit_normalisation(counts, times)
    assert np.allclose(found.front, 0)
    assert np.allclose(found.spread, np.sqrt(2))  # ±2 in two corners, 0 in the others, and corners count alike
    assert np.isclose(found.log_count_mean, np.log(2))


def test_input_is_of_order_one(showers, normalisation):
    pictures = footprint_input.network_input(showers["counts"], showers["arrival_time"], normalisation)
    hit = showers["counts"] > 0
    assert pictures.shape == (700, 32, 32, 3)
    assert pictures.dtype == np.float32
    assert np.isclose(pictures[..., 0].mean(), 0, atol=0.01)
    assert np.isclose(pictures[..., 0].std(), 1, atol=0.01)
    assert np.isclose(pictures[..., 1][hit].std(), 1, atol=0.02)
    assert np.all(pictures[..., 1][~hit] == 0)
    assert np.array_equal(pictures[..., 2] == 1, hit)
    assert np.all(np.isfinite(pictures))


def test_start_of_the_shower_does_not_matter(showers, normalisation):
    late = showers["arrival_time"] + 1000
    shifted = footprint_input.network_input(showers["counts"], late, normalisation)
    pictures = footprint_input.network_input(showers["counts"], showers["arrival_time"], normalisation)
    assert np.allclose(shifted, pictures, atol=0.05)


def test_input_turns_with_the_shower(showers, normalisation):
    turned = {name: symmetry.turned(showers[name][:5, ..., None], 5)[..., 0] for name in ("counts", "arrival_time")}
    pictures = footprint_input.network_input(showers["counts"][:5], showers["arrival_time"][:5], normalisation)
    again = footprint_input.network_input(turned["counts"], turned["arrival_time"], normalisation)
    assert np.allclose(again, symmetry.turned(pictures, 5), atol=1e-4)


def test_other_showers_do_not_change_a_picture(showers, normalisation):
    all_at_once = footprint_input.network_input(showers["counts"], showers["arrival_time"], normalisation)
    alone = footprint_input.network_input(showers["counts"][300:301], showers["arrival_time"][300:301], normalisation)
    assert np.array_equal(all_at_once[300:301], alone)


@pytest.mark.parametrize(
    ("counts", "times", "words"),
    [
        (np.zeros((2, 3, 4)), np.zeros((2, 3, 4)), "`counts` should have the shape"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3)), "`arrival_time` should have the shape"),
        (np.ones((2, 3, 3)), np.full((2, 3, 3), NAN), "`arrival_time` should be finite"),
        (np.zeros((0, 3, 3)), np.zeros((0, 3, 3)), "at least one shower"),
    ],
)
def test_bad_footprints(counts, times, words):
    with pytest.raises(ValueError, match=words):
        footprint_input.fit_normalisation(counts, times)


def test_input_of_another_size(normalisation):
    with pytest.raises(ValueError, match="`counts` should have the shape"):
        footprint_input.network_input(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), normalisation)


def test_what_is_no_normalisation(showers):
    with pytest.raises(ValueError, match="`normalisation` should be what `fit_normalisation` returned"):
        footprint_input.network_input(showers["counts"], showers["arrival_time"], None)


def test_channels_in_the_wrong_order(showers, normalisation):
    with pytest.raises(ValueError, match="`counts` should be at least 0"):
        footprint_input.network_input(showers["arrival_time"], showers["counts"], normalisation)


def test_relative_times_of_one_picture():
    with pytest.raises(ValueError, match=r"should have the shape \(n, H, W\)\. Received: \(2, 2\) and \(2, 2\)"):
        footprint_input.relative_times(np.zeros((2, 2)), np.zeros((2, 2)))
