import keras
import numpy as np
import pytest

from showertools import camera, geometry, indexed_layers, layers
from showertools.indexed_layers import IndexedConv, IndexedPool, every_second, neighbour_table

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


@pytest.fixture(scope="module")
def lst():
    layout = camera.lst().layout
    return layout, np.random.default_rng(1).normal(size=(2, len(layout), 3)).astype(np.float32)


def numbers(tensor):
    return keras.ops.convert_to_numpy(keras.ops.cast(tensor, "float32"))


def gradients(layer, inputs):
    """Outputs, and gradients of the sum of their cubes for inputs, kernel and bias, as a training step gets them."""
    tf = pytest.importorskip("tensorflow")

    @tf.function
    def step(given):
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = layer(given)
            loss = tf.reduce_sum(outputs**3)
        return outputs, *tape.gradient(loss, [given, *(weight.value for weight in layer.trainable_weights)])

    return [values.numpy() for values in step(tf.constant(inputs))]


def test_the_table_of_seven_places_known_on_paper():
    table = neighbour_table(geometry.hexagon(1, 1.0))
    np.testing.assert_array_equal(table[3], np.arange(7))
    np.testing.assert_array_equal(table[0], [-1, -1, -1, 0, 1, 2, 3])  # itself, to the right, and the row above


@pytest.mark.parametrize("rings", [1, 2])
def test_the_table_names_all_places_that_are_near(lst, rings):
    layout, _ = lst
    table = neighbour_table(layout, rings)
    apart = np.linalg.norm(layout.positions[:, None] - layout.positions[None], axis=-1) / layout.spacing
    near = apart < {1: 1.1, 2: 2.1}[rings]
    np.testing.assert_array_equal(np.sum(table >= 0, axis=1), near.sum(axis=1))
    place, tap = np.nonzero(table >= 0)
    assert near[place, table[place, tap]].all()
    np.testing.assert_array_equal(table[:, table.shape[1] // 2], np.arange(len(layout)))
    if rings == 1:
        assert [np.count_nonzero(layout.n_neighbours == number) for number in (6, 5, 4, 3)] == [1687, 54, 54, 60]


@pytest.mark.parametrize("rings", [1, 2])
def test_it_is_the_hexagonal_convolution_to_rounding(lst, rings):
    layout, values = lst
    on_array = layers.HexConv(4, rings, mask=layout.mask("axial"), bias_initializer="normal")
    on_places = IndexedConv(4, neighbour_table(layout, rings))
    for layer, shape in ((on_array, (None, 55, 55, 3)), (on_places, values.shape)):
        layer.build(shape)
    on_places.set_weights(on_array.get_weights())
    outputs, of_inputs, *of_weights = gradients(on_array, layout.to_array(values, "axial", axis=1))
    expected = [layout.from_array(some, "axial", axis=1) for some in (outputs, of_inputs)] + of_weights
    for one, other in zip(gradients(on_places, values), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())


def test_a_sum_known_on_paper():
    layer = IndexedConv(1, [[0, -1], [1, 2], [2, -1]], kernel_initializer="ones")
    result = numbers(layer(np.array([[[1.0], [10.0], [100.0]]], np.float32)))
    np.testing.assert_array_equal(result[0, :, 0], [1, 110, 100])  # an index of -1 would add 100 to the first


def test_taps_keep_their_weights():
    layer = IndexedConv(1, [[0, 1], [1, 0]], use_bias=False)
    layer.build((None, 2, 1))
    layer.set_weights([np.array([[[1.0]], [[1000.0]]])])
    np.testing.assert_array_equal(numbers(layer(np.array([[[2.0], [3.0]]], np.float32)))[0, :, 0], [3002, 2003])


def test_more_or_fewer_places_come_out():
    layer = IndexedConv(1, [[0, 3]], kernel_initializer="ones")
    inputs = np.arange(5, dtype=np.float32)[None, :, None]  # the last one is read by nobody
    layer.build(inputs.shape)
    outputs, of_inputs, of_kernel, _ = gradients(layer, inputs)
    np.testing.assert_array_equal(outputs, [[[3]]])
    np.testing.assert_array_equal(of_inputs[0, :, 0], [27, 0, 0, 27, 0])  # 3 · 3²
    np.testing.assert_array_equal(of_kernel[:, 0, 0], [0, 81])


@pytest.mark.parametrize("table", [[[0, 1], [1, 2], [2, -1]], [[0, 1], [0, 2], [0, 1]]])
def test_gradients_are_those_of_differences(table):
    """Also where a tap reads a place more than once, so that there is no inverse table."""
    inputs = np.random.default_rng(2).normal(size=(2, 3, 2)).astype(np.float32)
    layer = IndexedConv(3, table)
    layer.build(inputs.shape)
    _, of_inputs, of_kernel, _ = gradients(layer, inputs)
    kernel, bias = layer.get_weights()

    def loss(inputs, kernel):
        padded = np.append(inputs, np.zeros((2, 1, 2)), axis=1).astype(np.float64)  # index -1 is the last
        return np.sum((np.einsum("bpkc,kcf->bpf", padded[:, np.array(table)], kernel) + bias) ** 3)

    for index in np.ndindex(inputs.shape):
        step = np.zeros(inputs.shape)
        step[index] = 1e-4
        change = (loss(inputs + step, kernel) - loss(inputs - step, kernel)) / 2e-4
        np.testing.assert_allclose(of_inputs[index], change, rtol=1e-3, atol=1e-4)
    step = np.zeros(kernel.shape)
    step[1, 0, 2] = 1e-4
    change = (loss(inputs, kernel + step) - loss(inputs, kernel - step)) / 2e-4
    np.testing.assert_allclose(of_kernel[1, 0, 2], change, rtol=1e-3, atol=1e-4)


def test_16_bits(lst):
    layout, values = lst
    arguments = {"table": neighbour_table(layout), "kernel_initializer": keras.initializers.GlorotUniform(1)}
    exact, short = IndexedConv(8, **arguments), IndexedConv(8, dtype="mixed_bfloat16", **arguments)
    result = short(keras.ops.cast(values, "bfloat16"))
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(short.kernel.dtype) == "float32"
    expected = numbers(exact(values))
    np.testing.assert_allclose(numbers(result), expected, atol=0.05)
    assert np.abs(numbers(result) - expected).max() > 0


@pytest.mark.parametrize("mode", ["average", "max"])
def test_pooling_is_that_of_the_array(lst, mode):
    layout, values = lst
    coarse, index = every_second(layout)
    on_array = layers.HexPool(mode, mask=layout.mask("axial"))
    expected = numbers(on_array(layout.to_array(values, "axial", axis=1)))[:, *coarse.grid.T]
    layer = IndexedPool(mode, table=neighbour_table(layout)[index])
    result = numbers(layer(values))
    assert result.shape == layer.compute_output_shape(values.shape) == (2, len(coarse), 3)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_missing_neighbours_do_not_count():
    table = [[0, 1, -1], [2, -1, -1]]
    inputs = np.array([[[-1.0], [-3.0], [-7.0]]], np.float32)
    assert numbers(IndexedPool("average", table=table)(inputs)).ravel().tolist() == [-2, -7]
    assert numbers(IndexedPool("max", table=table)(inputs)).ravel().tolist() == [-1, -7]


def test_every_second_place_is_where_it_was(lst):
    layout, _ = lst
    coarse, index = every_second(layout)
    np.testing.assert_allclose(coarse.positions, layout.positions[index], atol=1e-12)
    assert coarse.spacing == 2 * layout.spacing
    apart = coarse.positions[:, None] - coarse.positions[coarse.neighbours]
    np.testing.assert_allclose(np.linalg.norm(apart, axis=-1)[coarse.neighbours >= 0], coarse.spacing)


@pytest.mark.filterwarnings(SAVING)
def test_indexed_layers_are_saved_and_loaded(tmp_path):
    layout = geometry.hexagon(3, 1.0)
    coarse, index = every_second(layout)
    table = neighbour_table(layout)
    values = np.random.default_rng(3).normal(size=(2, len(layout), 3)).astype(np.float32)
    regularizer = keras.regularizers.L2(0.01)
    model = keras.Sequential(
        [
            keras.Input((len(layout), 3)),
            layers.IndexedConv(4, table, activation="relu", kernel_regularizer=regularizer),
            layers.IndexedPool("max", table=table[index]),
            layers.IndexedConv(2, neighbour_table(coarse), use_bias=False),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    np.testing.assert_array_equal(again.predict(values, verbose=0), model.predict(values, verbose=0))
    assert model.count_params() == 7 * 3 * 4 + 4 + 7 * 4 * 2
    assert model.output_shape == (None, len(coarse), 2)


def test_it_learns_a_kernel():
    layout = geometry.hexagon(2, 1.0)
    table = neighbour_table(layout)
    values = np.random.default_rng(4).normal(size=(64, len(layout), 1)).astype(np.float32)
    wanted = IndexedConv(1, table, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((len(layout), 1)), IndexedConv(1, table, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.2), "mse")
    model.fit(values, numbers(wanted(values)), epochs=10, batch_size=16, verbose=0)
    np.testing.assert_allclose(model.layers[0].get_weights()[0], np.ones((7, 1, 1)), atol=0.01)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IndexedConv(0, [[0]]), "`filters` should be"),
        (lambda: IndexedConv(1, [0, 1]), "`table` should be whole numbers"),
        (lambda: IndexedConv(1, [[0.0]]), "`table` should be whole numbers"),
        (lambda: IndexedConv(1, [[0, -2]]), "`table` should be whole numbers"),
        (lambda: IndexedConv(1, [[-1, -1]]), "`table` should be whole numbers"),
        (lambda: IndexedConv(1, np.empty((0, 7), int)), "`table` should be whole numbers"),
        (lambda: IndexedConv(1, [[0, 5]])(np.ones((1, 5, 2))), "P at least 6"),
        (lambda: IndexedConv(1, [[0, 1]])(np.ones((1, 5, 2, 1))), r"shape \(B, P, C\)"),
        (lambda: IndexedPool("sum", table=[[0]]), "`mode` should be"),
        (lambda: IndexedPool(table=[[0], [-1]]), "name a place in each row. Received: 1 rows"),
        (lambda: IndexedPool(table=[[0, 5]])(np.ones((1, 5, 2))), "P at least 6"),
        (lambda: neighbour_table(geometry.rectangular(3, 3, 1.0)), "`layout` should be a hexagonal"),
        (lambda: neighbour_table(geometry.hexagon(1, 1.0), 0), "`rings` should be"),
        (lambda: indexed_layers.every_second([[0, 1]]), "`layout` should be a hexagonal"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
