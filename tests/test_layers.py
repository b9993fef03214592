import keras
import numpy as np
import pytest

from showertools.layers import FusedBatchNormalization


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
