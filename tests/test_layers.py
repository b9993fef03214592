import keras
import numpy as np
import pytest

from showertools import geometry
from showertools.layers import FusedBatchNormalization, HexConv, HexPool


@pytest.fixture
def pictures():
    return (3 + 2 * np.random.default_rng(1).normal(size=(16, 6, 5, 3))).astype(np.float32)


def pair(**arguments):
    layers = FusedBatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
    for layer in layers:
        layer.build((None, 6, 5, 3))
    return layers


@pytest.mark.parametrize("arguments", [{}, {"scale": False, "momentum": 0.5}, {"center": False, "epsilon": 0.1}])
def test_it_gives_what_keras_gives(pictures, arguments):
    ours, theirs = pair(**arguments)
    for training in (True, True, False):
        results = [keras.ops.convert_to_numpy(layer(pictures, training=training)) for layer in (ours, theirs)]
        np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_a_batch_comes_out_centred_with_unit_spread(pictures):
    layer, _ = pair()
    result = keras.ops.convert_to_numpy(layer(pictures, training=True))
    np.testing.assert_allclose(result.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(axis=(0, 1, 2)), 1, atol=1e-3)


def test_gradients_are_those_of_keras(pictures):
    tf = pytest.importorskip("tensorflow")
    results = []
    for layer in pair():
        inputs = tf.constant(pictures)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(layer(inputs, training=True) ** 3)
        results.append([value.numpy() for value in tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-2)


def test_mixed_precision_keeps_16_bits_and_statistics_of_32(pictures):
    layer = FusedBatchNormalization(dtype="mixed_bfloat16")
    result = layer(keras.ops.cast(pictures, "bfloat16"), training=True)
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(layer.moving_mean.dtype) == "float32"
    expected = 0.01 * pictures.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(layer.moving_mean.numpy(), expected, rtol=0.01)


def test_a_frozen_layer_uses_what_it_has_seen(pictures):
    layer, _ = pair()
    layer.trainable = False
    before = layer.get_weights()
    result = keras.ops.convert_to_numpy(layer(pictures, training=True))
    np.testing.assert_allclose(result, pictures / np.sqrt(1.001), rtol=1e-4)
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_vectors_are_left_to_keras():
    vectors = np.random.default_rng(2).normal(size=(8, 4)).astype(np.float32)
    layer = FusedBatchNormalization()
    np.testing.assert_allclose(np.std(layer(vectors, training=True), axis=0), 1, atol=0.02)


SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


@pytest.mark.filterwarnings(SAVING)
def test_config_and_file_bring_it_back(pictures, tmp_path):
    model = keras.Sequential([keras.Input((6, 5, 3)), FusedBatchNormalization(momentum=0.7, scale=False)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.layers[0], FusedBatchNormalization)
    assert again.layers[0].get_config() == model.layers[0].get_config()
    np.testing.assert_array_equal(again.predict(pictures, verbose=0), model.predict(pictures, verbose=0))


# --- hexagonal layers


def slow_hexagonal_convolution(inputs, kernel, bias, rings):
    """Place by place and tap by tap, over (B, H, W, C)."""
    height, width = inputs.shape[1:3]
    outputs = np.tile(bias, (*inputs.shape[:3], 1)).astype(np.float64)
    for row in range(height):
        for column in range(width):
            for tap, (up, right) in enumerate(geometry.hexagon(rings, 1.0).grid - rings):
                if 0 <= row + up < height and 0 <= column + right < width:
                    outputs[:, row, column] += inputs[:, row + up, column + right].astype(np.float64) @ kernel[tap]
    return outputs


def hexagonal_places(rings=3):
    layout = geometry.hexagon(rings, 1.0)
    values = np.random.default_rng(3).normal(size=(2, len(layout), 3)).astype(np.float32)
    return layout, values, layout.to_array(values, axis=1)


def rotated(layout, values, axis=1):
    """Turn values at the places of a hexagon by 60°, counter-clockwise, by their positions alone."""
    cosine, sine = np.cos(np.pi / 3), np.sin(np.pi / 3)
    turned = layout.positions @ np.array([[cosine, sine], [-sine, cosine]])
    distance = np.linalg.norm(turned[:, None] - layout.positions[None], axis=-1)  # (from, to)
    return np.take(values, distance.argmin(axis=0), axis=axis)


@pytest.mark.parametrize("rings", [1, 2])
def test_hexagonal_convolution_is_that_of_a_slow_loop(rings):
    _, _, array = hexagonal_places()
    layer = HexConv(4, rings, bias_initializer="normal")
    result = keras.ops.convert_to_numpy(layer(array))
    kernel, bias = layer.get_weights()
    assert kernel.shape == (1 + 3 * rings * (rings + 1), 3, 4)
    np.testing.assert_allclose(result, slow_hexagonal_convolution(array, kernel, bias, rings), atol=1e-5)


def test_the_mean_of_the_neighbours_known_on_paper():
    layout = geometry.hexagon(1, 1.0)
    array = layout.to_array(np.arange(1.0, 8.0, dtype=np.float32)[None, :, None], axis=1)  # the middle is 4
    layer = HexConv(1, kernel_initializer="ones", mask=layout.mask())
    result = layout.from_array(keras.ops.convert_to_numpy(layer(array)), axis=1)[0, :, 0]
    np.testing.assert_array_equal(
        result, [1 + 2 + 3 + 4, 1 + 2 + 4 + 5, 1 + 3 + 4 + 6, 28, 2 + 4 + 5 + 7, 3 + 4 + 6 + 7, 4 + 5 + 6 + 7]
    )


def test_what_lies_outside_the_mask_does_not_count():
    layout, _, array = hexagonal_places()
    layer = HexConv(4, mask=layout.mask(), bias_initializer="ones", activation="sigmoid")
    result = keras.ops.convert_to_numpy(layer(array))
    assert np.all(result[:, ~layout.mask()] == 0)
    dirty = np.where(layout.mask()[None, :, :, None], array, 99).astype(np.float32)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(dirty)), result)


def test_turning_places_and_kernel_turns_the_result():
    layout, values, array = hexagonal_places()
    layer = HexConv(4, mask=layout.mask())
    before = layout.from_array(keras.ops.convert_to_numpy(layer(array)), axis=1)
    seven = geometry.hexagon(1, 1.0)
    kernel, bias = layer.get_weights()
    layer.set_weights([rotated(seven, kernel, axis=0), bias])
    after = layer(layout.to_array(rotated(layout, values), axis=1))
    after = layout.from_array(keras.ops.convert_to_numpy(after), axis=1)
    np.testing.assert_allclose(after, rotated(layout, before), atol=1e-5)
    assert np.abs(after - before).max() > 0.1


def test_a_symmetric_kernel_commutes_with_turning():
    layout, values, array = hexagonal_places()
    layer = HexConv(2, mask=layout.mask())
    layer.build(array.shape)
    kernel, bias = layer.get_weights()
    kernel[[0, 1, 2, 4, 5, 6]] = kernel[0]
    layer.set_weights([kernel, bias])
    results = [
        layout.from_array(keras.ops.convert_to_numpy(layer(layout.to_array(some, axis=1))), axis=1)
        for some in (values, rotated(layout, values))
    ]
    np.testing.assert_allclose(results[1], rotated(layout, results[0]), atol=1e-5)


def test_hexagonal_convolution_has_the_gradients_of_a_slow_loop():
    tf = pytest.importorskip("tensorflow")
    _, _, array = hexagonal_places(rings=2)
    layer = HexConv(2)
    layer.build(array.shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(array) ** 2)
    gradient = tape.gradient(loss, layer.kernel.value).numpy()
    kernel, bias = layer.get_weights()
    up, down = kernel.copy(), kernel.copy()
    up[1, 2, 0] += 0.01
    down[1, 2, 0] -= 0.01
    squares = [np.sum(slow_hexagonal_convolution(array, some, bias, 1) ** 2) for some in (up, down)]
    np.testing.assert_allclose(gradient[1, 2, 0], (squares[0] - squares[1]) / 0.02, rtol=1e-3)


def test_hexagonal_convolution_in_16_bits():
    layout, _, array = hexagonal_places()
    arguments = {"rings": 2, "mask": layout.mask(), "kernel_initializer": keras.initializers.GlorotUniform(1)}
    exact, short = HexConv(8, **arguments), HexConv(8, dtype="mixed_bfloat16", **arguments)
    result = short(keras.ops.cast(array, "bfloat16"))
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(short.kernel.dtype) == "float32"
    expected = keras.ops.convert_to_numpy(exact(array))
    got = keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))
    np.testing.assert_allclose(got, expected, atol=0.03)
    assert np.abs(got - expected).max() > 0


@pytest.mark.parametrize("mode", ["average", "max"])
def test_pooling_takes_every_second_place_and_its_neighbours(mode):
    layout, values, array = hexagonal_places(rings=2)
    layer = HexPool(mode, mask=layout.mask())
    result = keras.ops.convert_to_numpy(layer(array))
    assert result.shape == layer.compute_output_shape(array.shape) == (2, 3, 3, 3)
    expected = np.zeros_like(result)
    for place, (row, column) in enumerate(layout.grid):
        if row % 2 == column % 2 == 0:
            around = [place, *(other for other in layout.neighbours[place] if other >= 0)]
            expected[:, row // 2, column // 2] = getattr(values[:, around], "mean" if mode == "average" else "max")(
                axis=1
            )
    np.testing.assert_allclose(result, expected, atol=1e-6)
    np.testing.assert_array_equal(layer.pooled_mask, geometry.hexagon(1, 1.0).mask())


def test_pooling_of_equal_values_changes_nothing():
    for shape in ((1, 5, 5, 1), (1, 4, 6, 1)):
        for mode in ("average", "max"):
            result = keras.ops.convert_to_numpy(HexPool(mode)(np.full(shape, -2.0, np.float32)))
            np.testing.assert_array_equal(result, np.full((1, (shape[1] + 1) // 2, (shape[2] + 1) // 2, 1), -2.0))


@pytest.mark.filterwarnings(SAVING)
def test_hexagonal_layers_are_saved_and_loaded(tmp_path):
    layout, _, array = hexagonal_places()
    regularizer = keras.regularizers.L2(0.01)
    model = keras.Sequential(
        [
            keras.Input((7, 7, 3)),
            HexConv(4, 2, mask=layout.mask(), activation="relu", kernel_regularizer=regularizer),
            HexPool("max", mask=layout.mask()),
            HexConv(2, use_bias=False),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    np.testing.assert_array_equal(again.predict(array, verbose=0), model.predict(array, verbose=0))
    assert model.count_params() == 19 * 3 * 4 + 4 + 7 * 4 * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HexConv(0), "`filters` should be"),
        (lambda: HexConv(4, 0), "`rings` should be"),
        (lambda: HexConv(4, mask=np.ones((3, 3))), "`mask` should be of type bool"),
        (lambda: HexConv(4, mask=np.zeros((3, 3), bool)), "`mask` should be of type bool"),
        (lambda: HexConv(4, mask=np.ones((3, 3), bool))(np.ones((1, 4, 3, 1))), r"shape \(B, 3, 3, C\)"),
        (lambda: HexConv(4)(np.ones((1, 4, 3))), r"shape \(B, H, W, C\)"),
        (lambda: HexPool("sum"), "`mode` should be"),
        (lambda: HexPool(mask=np.ones(3, bool)), "`mask` should be of type bool"),
    ],
)
def test_hexagonal_layers_refuse_what_makes_no_sense(make, message):
    with pytest.raises(ValueError, match=message):
        make()
