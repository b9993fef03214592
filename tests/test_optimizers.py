import keras
import numpy as np
import pytest

from showertools.optimizers import Muon, orthogonalized


def with_singular_values(values, shape, seed=1):
    rng = np.random.default_rng(seed)
    left, _, right = np.linalg.svd(rng.normal(size=shape), full_matrices=False)
    return (left * values) @ right


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (6, 6)])
def test_singular_values_come_close_to_one_and_vectors_stay(shape):
    matrix = with_singular_values([1, 0.7, 0.4, 0.2, 0.1, 0.05], shape)
    result = keras.ops.convert_to_numpy(orthogonalized(matrix.astype(np.float32)))
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ result @ right.T  # the same vectors: nothing beside the diagonal
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-5)
    assert np.all((np.diag(inside) > 0.3) & (np.diag(inside) < 1.25))


def test_five_iterations_reach_small_singular_values():
    matrix = with_singular_values(np.geomspace(1, 2e-3, 6), (6, 20))
    values = np.linalg.svd(keras.ops.convert_to_numpy(orthogonalized(matrix, iterations=5)), compute_uv=False)
    assert np.all((values > 0.65) & (values < 1.25))


def test_one_iteration_by_hand():
    result = orthogonalized(np.array([[3.0, 0.0], [0.0, 4.0]]), iterations=1)
    expected = [3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5 for x in (0.6, 0.8)]
    np.testing.assert_allclose(result, np.diag(expected), rtol=1e-6)


def test_zeros_stay_zeros():
    assert not np.any(orthogonalized(np.zeros((3, 5), np.float32)))


def kernel_after(gradients, rate=0.1, **arguments):
    kernel = keras.Variable(np.random.default_rng(3).normal(size=(3, 3, 4, 5)).astype(np.float32))
    start = kernel.numpy().copy()
    optimizer = Muon(rate, **arguments)
    optimizer.build([kernel])
    for gradient in gradients:
        optimizer.apply([gradient], [kernel])
    return start, kernel.numpy()


def test_a_kernel_keeps_its_length_and_turns_by_the_learning_rate():
    gradient = np.random.default_rng(4).normal(size=(3, 3, 4, 5)).astype(np.float32)
    start, end = kernel_after([gradient], rate=0.01)
    assert np.linalg.norm(end) == pytest.approx(np.linalg.norm(start), rel=1e-5)
    assert np.linalg.norm(end - start) / np.linalg.norm(start) == pytest.approx(0.01, rel=0.05)
    assert np.sum((end - start) * gradient) < 0  # downhill


def test_the_size_of_a_gradient_does_not_matter():
    gradient = np.random.default_rng(4).normal(size=(3, 3, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(kernel_after([gradient])[1], kernel_after([1000 * gradient])[1], rtol=1e-3, atol=1e-5)


def test_momentum_remembers_the_last_gradient():
    first, second = np.random.default_rng(5).normal(size=(2, 3, 3, 4, 5)).astype(np.float32)
    expected = kernel_after([first, second])[1]
    assert not np.allclose(kernel_after([first, second], momentum=0.01)[1], expected, atol=1e-4)


def test_other_weights_follow_plain_gradient_descent():
    bias, other = (keras.Variable(np.ones(4, np.float32)) for _ in range(2))
    gradient = np.array([1.0, -2.0, 0.0, 3.0], np.float32)
    for optimizer, variable in ((Muon(0.1, momentum=0.6), bias), (keras.optimizers.SGD(0.1, 0.6, True), other)):
        optimizer.build([variable])
        for _ in range(3):
            optimizer.apply([gradient], [variable])
    np.testing.assert_allclose(bias.numpy(), other.numpy(), rtol=1e-6)


SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


@pytest.mark.filterwarnings(SAVING)
def test_it_learns_and_is_saved_with_its_model(tmp_path):
    keras.utils.set_random_seed(1)
    pictures = np.random.default_rng(6).normal(size=(64, 8, 8, 2)).astype(np.float32)
    targets = pictures[:, 1:-1, 1:-1, 0] - pictures[:, 2:, 1:-1, 1]
    model = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.Conv2D(1, 3)])
    model.compile(Muon(0.1), "mse")
    losses = model.fit(pictures, targets[..., None], batch_size=64, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, Muon)
    assert again.optimizer.get_config() == model.optimizer.get_config()


@pytest.mark.parametrize("momentum", [0, 1, -0.5, "much"])
def test_wrong_momentum_is_refused(momentum):
    with pytest.raises(ValueError, match="`momentum` should lie between 0 and 1"):
        Muon(0.1, momentum=momentum)
