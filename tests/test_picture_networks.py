import keras
import numpy as np
import pytest

from showertools import picture_networks
from showertools.picture_networks import inception, plain, residual, separable

UNITS = [plain, residual, inception, separable]


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_the_deep_network_has_the_parameters_of_the_talk():
    assert trainable(picture_networks.deep_network()) == 2_178_090


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("width", [24, 40, 44])
def test_a_unit_keeps_height_and_width_and_gives_the_channels_asked_for(unit, width):
    assert unit(keras.Input((8, 6, 24)), width).shape == (None, 8, 6, width)


def test_parameters_of_the_units_by_hand():
    def count(unit):
        inputs = keras.Input((8, 8, 32))
        return trainable(keras.Model(inputs, unit(inputs, 32)))

    norms = 2 * 2 * 32  # two batch normalisations, two numbers a channel
    assert count(plain) == 2 * 9 * 32 * 32 + norms
    assert count(residual) == count(plain)
    assert count(separable) == 2 * (9 * 32 + 32 * 32) + norms
    rest = 32 - 8 - 16 - 4
    kernels = 3 * 32 * 8 + 9 * 8 * 16 + 25 * 8 * 4 + 32 * rest
    assert count(inception) == kernels + 2 * (3 * 8 + 16 + 4 + rest)


@pytest.mark.parametrize("unit", [residual, separable])
def test_a_shortcut_hands_the_input_on(unit):
    inputs = keras.Input((4, 4, 8))
    model = keras.Model(inputs, unit(inputs, 8))
    model.set_weights([np.zeros_like(values) for values in model.get_weights()])
    pictures = np.random.default_rng(1).normal(size=(2, 4, 4, 8)).astype(np.float32)
    np.testing.assert_allclose(model.predict(pictures, verbose=0), pictures, atol=1e-6)


def test_networks_of_units_of_equal_size():
    counts = [
        trainable(picture_networks.unit_network(unit, width))
        for unit, width in zip(UNITS, (16, 16, 40, 44), strict=True)
    ]
    assert max(counts) < 1.05 * min(counts)


@pytest.mark.parametrize("width", [4, 18, 0])
def test_other_widths_are_refused(width):
    with pytest.raises(ValueError, match="`width` should be"):
        picture_networks.unit_network(plain, width)
