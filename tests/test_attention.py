import keras
import numpy as np
import pytest
from keras import ops

from showertools import geometry
from showertools.layers import DualAttention, SqueezeExcitation

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours
MASK = geometry.hexagon(2, 1.0).mask("axial")  # 19 places of 5 times 5
BOTH = pytest.mark.parametrize("kind", [SqueezeExcitation, DualAttention])


def numbers(value):
    return ops.convert_to_numpy(value)


def images(n_channels=4, shape=(5, 5)):
    return np.random.default_rng(1).normal(size=(3, *shape, n_channels)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def put(layer, *weights):
    layer.set_weights([np.array(weight) for weight in weights])


def test_a_gate_of_weights_set_by_hand():
    layer = SqueezeExcitation(ratio=2)
    layer.build((None, 2, 2, 2))
    put(layer, [[1.0], [2.0]], [-1.0], [[1.0, -0.5]], [0.0, 1.0])
    inputs = np.zeros((1, 2, 2, 2), np.float32)
    inputs[0, 0, 0] = 4, 8  # means 1 and 2: 1 + 2·2 - 1 = 4
    expected = sigmoid(np.array([4.0, 1 - 2.0]))
    np.testing.assert_allclose(numbers(layer.gate(inputs)), [expected], rtol=1e-6)
    np.testing.assert_allclose(numbers(layer(inputs))[0, 0, 0], expected * [4, 8], rtol=1e-6)
    put(layer, [[-1.0], [-2.0]], [0.0], [[1.0, -0.5]], [0.0, 1.0])  # the activation cuts -5
    np.testing.assert_allclose(numbers(layer.gate(inputs)), [sigmoid(np.array([0.0, 1.0]))], rtol=1e-6)


def test_attention_of_weights_set_by_hand():
    layer = DualAttention(ratio=2)
    layer.build((None, 1, 2, 2))
    put(layer.channels, np.zeros((2, 1)), np.zeros(1), np.zeros((1, 2)), np.zeros(2))  # every gate is 1/2
    put(layer.describe, [[1.0], [-1.0]], [0.5])
    put(layer.attend, [[2.0]], [-1.0])
    inputs = np.array([[[[3.0, 1.0], [1.0, 3.0]]]], np.float32)
    attention = sigmoid(np.array([2 * 2.5 - 1, -1.0]))  # the activation cuts -1.5
    np.testing.assert_allclose(numbers(layer.attention(inputs))[0, 0], attention, rtol=1e-6)
    np.testing.assert_allclose(numbers(layer(inputs))[0, 0], inputs[0, 0] / 2 * (1 + attention[:, None]), rtol=1e-6)


@BOTH
def test_dead_places_stay_0_and_do_not_count(kind):
    inputs, layer = images(), kind(ratio=2, mask=MASK)
    expected = numbers(layer(inputs))
    assert np.all(expected[:, ~MASK] == 0)
    assert np.all(expected[:, MASK] != 0)
    other = inputs.copy()
    other[:, ~MASK] = np.nan
    np.testing.assert_array_equal(numbers(layer(other)), expected)
    gate = (layer if kind is SqueezeExcitation else layer.channels).gate
    alive = kind(ratio=2)
    alive.build((None, 19, 4))
    alive.set_weights(layer.get_weights())
    listed = inputs[:, MASK]  # the same places without dead ones
    np.testing.assert_allclose(numbers(alive(listed)), expected[:, MASK], rtol=1e-5)
    assert numbers(gate(inputs)).shape == (3, 4)
    if kind is DualAttention:
        assert np.all(numbers(layer.attention(inputs))[:, ~MASK] == 0)


@BOTH
def test_the_order_of_places_does_not_matter(kind):
    inputs, layer = images(shape=(7,)), kind(ratio=4)
    order = np.random.default_rng(2).permutation(7)
    np.testing.assert_allclose(numbers(layer(inputs[:, order])), numbers(layer(inputs))[:, order], rtol=1e-5)


@BOTH
def test_mixed_precision_computes_in_16_bits_but_for_the_mean(kind):
    inputs = images(8, (64, 64)) + 3
    layer, exact = kind(ratio=2, dtype="mixed_bfloat16"), kind(ratio=2)
    result = layer(inputs)
    exact.build(inputs.shape)
    exact.set_weights(layer.get_weights())
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(weight.dtype) for weight in layer.weights} == {"float32"}
    np.testing.assert_allclose(numbers(ops.cast(result, "float32")), numbers(exact(inputs)), rtol=0.05, atol=0.05)


@BOTH
@pytest.mark.filterwarnings(SAVING)
def test_config_and_file_bring_it_back(kind, tmp_path):
    model = keras.Sequential([keras.Input((5, 5, 4)), kind(ratio=2, mask=MASK, activation="gelu")])
    layer = model.layers[0]
    assert kind.from_config(layer.get_config()).get_config() == layer.get_config()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.layers[0].mask, MASK)
    np.testing.assert_array_equal(again.predict(images(), verbose=0), model.predict(images(), verbose=0))


@BOTH
def test_shapes_and_weights(kind):
    layer = kind(ratio=4)
    assert layer.compute_output_shape((None, 5, 6, 8)) == (None, 5, 6, 8)
    layer.build((None, 5, 6, 8))
    channels, places = 8 * 2 + 2 + 2 * 8 + 8, 8 * 4 + 4 + 4 + 1
    assert layer.count_params() == channels + places * (kind is DualAttention)
    assert len(layer.trainable_weights) == (4 if kind is SqueezeExcitation else 8)


def test_it_learns_which_channel_to_keep():
    keras.utils.set_random_seed(1)
    inputs = images(4)
    model = keras.Sequential([keras.Input((5, 5, 4)), SqueezeExcitation(ratio=1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    target = inputs * np.float32([1, 0, 0, 0])
    often = [np.tile(values, (100, 1, 1, 1)) for values in (inputs, target)]
    model.fit(*often, batch_size=3, verbose=0, shuffle=False)
    gate = numbers(model.layers[0].gate(inputs))
    assert np.all(gate[:, 0] > 0.9)
    assert np.all(gate[:, 1:] < 0.1)


@BOTH
@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({"ratio": 0}, (3, 3, 4), "`ratio` should be"),
        ({"ratio": 5}, (3, 3, 4), "`ratio` should be at most the number of channels, 4. Received: 5"),
        ({"ratio": 2, "mask": np.ones((3, 3))}, (3, 3, 4), "`mask` should be of type bool"),
        ({"ratio": 2, "mask": np.zeros((3, 3), bool)}, (3, 3, 4), "`mask` should be .* true somewhere"),
        ({"ratio": 2, "mask": np.ones((3, 2), bool)}, (3, 3, 4), r"shape \(B, 3, 2, C\), as the mask has it"),
        ({"ratio": 2}, (4,), r"the inputs should have the shape \(B, ..., C\). Received: \(None, 4\)"),
    ],
)
def test_what_makes_no_sense_is_refused(kind, arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        kind(**arguments).build((None, *shape))


def test_one_channel_has_nothing_to_attend_by():
    with pytest.raises(ValueError, match="at least 2 channels"):
        DualAttention(ratio=1).build((None, 3, 3, 1))
