import keras
import numpy as np
import pytest

from showertools import fast_training
from showertools.fast_training import KeepChannels, Triangle


@pytest.fixture(scope="module")
def pictures():
    """Smooth pictures: neighbouring pixels and channels are strongly correlated."""
    rough = np.random.default_rng(1).normal(size=(400, 18, 18, 3))
    smooth = rough + np.roll(rough, 1, 1) + np.roll(rough, 1, 2) + rough.mean(axis=3, keepdims=True)
    return (smooth - smooth.mean(axis=(0, 1, 2))).astype(np.float32)


def test_whitened_patches_are_uncorrelated_with_unit_variance(pictures):
    filters = fast_training.whitening_filters(pictures, size=2, smallest=0)
    assert filters.shape == (2, 2, 3, 24)
    outputs = np.asarray(keras.ops.conv(pictures, filters, strides=2))[..., :12].reshape(-1, 12)
    np.testing.assert_allclose(np.cov(outputs, rowvar=False), np.eye(12), atol=0.02)


def test_each_filter_has_its_negative_and_the_first_the_largest_variance(pictures):
    filters = fast_training.whitening_filters(pictures)
    np.testing.assert_array_equal(filters[..., 12:], -filters[..., :12])
    lengths = np.linalg.norm(filters.reshape(12, 24), axis=0)[:12]  # 1 / standard deviation
    assert np.all(np.diff(lengths) > 0)


def test_noise_is_not_blown_up():
    flat = np.ones((10, 8, 8, 3), np.float32) * np.random.default_rng(1).normal(size=(10, 1, 1, 1)).astype(np.float32)
    filters = fast_training.whitening_filters(flat, smallest=0.25)
    assert np.linalg.norm(filters.reshape(12, 24), axis=0).max() == pytest.approx(2, rel=1e-3)  # 1 / sqrt(0.25)


@pytest.mark.parametrize("shape", [(5, 8, 8), (5, 1, 8, 3)])
def test_other_pictures_are_refused(shape):
    with pytest.raises(ValueError, match="`pictures` should have the shape"):
        fast_training.whitening_filters(np.zeros(shape, np.float32))


def test_keep_channels_hands_on_its_inputs(pictures):
    kernel = KeepChannels(seed=1)((3, 3, 3, 5))
    outputs = np.asarray(keras.ops.conv(pictures, kernel, padding="same"))
    np.testing.assert_allclose(outputs[..., :3], pictures, rtol=1e-5)
    assert np.std(outputs[..., 3:]) > 0.1


def test_keep_channels_with_fewer_filters_than_channels():
    kernel = np.asarray(KeepChannels(seed=1)((3, 3, 8, 2)))
    assert kernel.sum() == 2
    np.testing.assert_array_equal(kernel[1, 1, :2], np.eye(2))


def test_the_triangle_by_hand():
    rate = Triangle(2.0, 100, rise=0.2, start=0.2, end=0.0)
    expected = {0: 0.4, 10: 1.2, 20: 2.0, 60: 1.0, 100: 0.0}
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, abs=1e-6)
    assert Triangle.from_config(rate.get_config()).get_config() == rate.get_config()


@pytest.mark.parametrize("rise", [0, 1, -1])
def test_a_triangle_without_a_rise_is_refused(rise):
    with pytest.raises(ValueError, match="`rise` should lie between 0 and 1"):
        Triangle(1.0, 10, rise=rise)


def test_the_network_has_the_layers_it_should(pictures):
    model = fast_training.network(pictures, widths=(8, 12), n_classes=5)
    kernels = 9 * (24 * 8 + 8 * 8 + 8 * 12 + 12 * 12)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == kernels + 8 + 8 + 12 + 12 + 12 * 5
    assert model.output_shape == (None, 5)
    np.testing.assert_array_equal(
        model.get_layer("whitening").get_weights()[0], fast_training.whitening_filters(pictures)
    )
    assert not model.get_layer("whitening").trainable


def test_views_of_a_symmetric_function_are_the_function(pictures):
    inputs = keras.Input((18, 18, 3))
    total = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    expected = np.stack([total(pictures), total(pictures[:, :, ::-1])]).mean(axis=0)
    found = fast_training.mean_over_views(total, pictures)
    np.testing.assert_allclose(found, expected, atol=0.1)  # shifts replace an edge


def test_views_by_hand():
    picture = np.arange(9.0, dtype=np.float32).reshape(1, 3, 3, 1)
    inputs = keras.Input((3, 3, 1))
    corner = keras.Model(inputs, keras.layers.Flatten()(inputs)[:, :1])
    # as it is 0, mirrored 2; shifted down and right the reflected 4, mirrored 4; shifted up and left 4, mirrored 4
    expected = 0.25 * (0 + 2) + 0.125 * (4 + 4) + 0.125 * (4 + 4)
    np.testing.assert_allclose(fast_training.mean_over_views(corner, picture), [[expected]])
