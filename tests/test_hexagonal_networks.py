import numpy as np
import pytest

from showertools import camera, hexagonal_networks, resampling
from showertools.hexagonal_networks import array_input, network, pixel_input

SMALL = camera.small()


@pytest.fixture
def images():
    rng = np.random.default_rng(1)
    charge = np.where(rng.random((4, SMALL.n_pixels)) < 0.2, rng.exponential(20, (4, SMALL.n_pixels)), 0)
    return charge, rng.normal(0, 3, charge.shape)


def test_features_known_on_paper():
    charge, delay = np.zeros((2, 1, SMALL.n_pixels))
    charge[0, :2], delay[0, :3] = np.e**3 - 1, (10, -5, 20)
    features = pixel_input(SMALL, charge, delay)
    np.testing.assert_allclose(features[0, :3], [[1, 2], [1, -1], [0, 0]], rtol=1e-6)
    assert not features[0, 3:].any()
    assert features.dtype == np.float32


def test_an_array_has_the_features_of_its_pixels(images):
    array = array_input(resampling.as_stored(SMALL), *images)
    again = SMALL.layout.from_array(array, "axial", axis=1)
    np.testing.assert_allclose(again, pixel_input(SMALL, *images), rtol=1e-5, atol=1e-6)


def test_squares_have_the_mean_delay_of_their_light(images):
    charge, _ = images
    array = array_input(resampling.rebinned(SMALL), charge, np.full(charge.shape, 2.5))
    light = array[..., 0] > 0
    np.testing.assert_allclose(array[..., 1][light], 0.5, rtol=1e-5)
    assert not array[..., 1][~light].any()


def test_by_table_is_the_hexagonal_network(images):
    seen = array_input(resampling.as_stored(SMALL), *images)
    listed = pixel_input(SMALL, *images)
    on_array, on_pixels = network(SMALL, "hexagonal", seen.shape[1:]), network(SMALL, "indexed", listed.shape[1:])
    on_pixels.layers[0].set_weights(on_array.layers[0].get_weights())
    first = np.asarray(on_array.layers[0](seen)), np.asarray(on_pixels.layers[0](listed))
    first = np.asarray(on_array.layers[1](first[0])), np.asarray(on_pixels.layers[1](first[1]))
    held = on_array.layers[1].pooled_mask
    np.testing.assert_allclose(first[0][:, held], first[1], atol=1e-6)
    convolutions = sum(7 * a * b + b for a, b in ((2, 16), (16, 32), (32, 32)))
    assert sum(layer.count_params() for layer in on_pixels.layers[:5]) == convolutions


@pytest.mark.parametrize(
    ("kind", "shape"), [("hexagonal", (23, 23, 2)), ("indexed", (397, 2)), ("square", (46, 46, 2))]
)
def test_one_number_an_output_comes_out(kind, shape):
    assert network(SMALL, kind, shape, n_outputs=3).output_shape == (None, 3)


@pytest.mark.parametrize(
    ("kind", "shape", "n_poolings", "last"),
    [
        ("hexagonal", (23, 23, 2), 2, (6, 6)),
        ("indexed", (397, 2), 2, (27,)),
        ("square", (46, 46, 2), 3, (6, 6)),
        ("square", (23, 25, 2), 0, (23, 25)),
    ],
)
def test_maps_shrink_with_each_pooling(kind, shape, n_poolings, last):
    before_flatten = network(SMALL, kind, shape, n_poolings=n_poolings).layers[-4]
    assert before_flatten.output.shape == (None, *last, 32)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: network(SMALL, "round", (23, 23, 2)), "`kind` should be one of"),
        (lambda: network(SMALL, "square", (23, 23, 2), n_outputs=0), "`n_outputs` should be"),
        (lambda: network(SMALL, "square", (23, 23, 2), n_poolings=4), "`n_poolings` should be at most 3"),
        (lambda: network(SMALL, "hexagonal", (46, 46, 2)), r"shape \(B, 23, 23, C\)"),
        (lambda: pixel_input(SMALL, np.ones((2, 7)), np.ones((2, 7))), "`charge` should have the shape"),
        (lambda: pixel_input(SMALL, np.ones((2, 397)), np.ones((3, 397))), "`delay` should have the shape"),
        (lambda: hexagonal_networks.array_input(resampling.rebinned(SMALL), np.ones(397), 0), "`charge` should have"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
