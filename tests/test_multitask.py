import keras
import numpy as np
import pytest
from keras import ops

from showertools import multitask
from showertools.multitask import GaussianLoss, LearnedError, MaskedDistance, MaskedSquaredError

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


def number(value):
    return float(ops.convert_to_numpy(value))


def test_weights_make_every_quantity_cost_one_at_its_resolution():
    weights = multitask.weights_of_resolutions({"core": 20.0, "energy": 0.1})
    assert weights == {"core": pytest.approx(1 / 400), "energy": pytest.approx(100)}
    assert multitask.weights_of_resolutions({"core": 1e7})["core"] == pytest.approx(1e-14)


@pytest.mark.parametrize("resolution", [0, -1.0, np.nan, "1"])
def test_a_resolution_is_a_positive_number(resolution):
    with pytest.raises(ValueError, match=r"`resolutions\['core'\]` should be a positive number"):
        multitask.weights_of_resolutions({"core": resolution})


def test_squared_error_known_on_paper():
    loss = MaskedSquaredError()
    assert number(loss(np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[2.0, 4.0], [3.0, 0.0]]))) == pytest.approx(7.0)


def test_gaussian_loss_known_on_paper():
    target, estimate = np.array([[1.0, 2.0]]), [[4.0, 6.0]]  # 3 and 4 away
    predicted = np.column_stack([estimate, np.log([[2.0, 4.0]])])
    expected = 9 / 8 + 16 / 32 + np.log(8)
    assert number(GaussianLoss()(target, predicted)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("loss", "width"), [(MaskedSquaredError(), 2), (MaskedDistance(), 2), (GaussianLoss(), 4)])
def test_events_without_target_do_not_take_part(loss, width):
    rng = np.random.default_rng(1)
    target, predicted = rng.normal(size=(6, 2)), rng.normal(size=(6, width))
    holes = target.copy()
    holes[[1, 4], [0, 1]] = np.nan
    rest = [0, 2, 3, 5]
    assert number(loss(holes, predicted)) == pytest.approx(number(loss(target[rest], predicted[rest])), rel=1e-5)
    assert number(loss(np.full((6, 2), np.nan), predicted)) == 0


def test_a_distance_known_on_paper():
    y = np.array([[3.0, 4.0], [np.nan, 1.0], [0.0, 0.0]])
    loss = MaskedDistance(smoothing=1.0)
    assert float(loss(y, np.zeros((3, 2)))) == pytest.approx((np.sqrt(26) + 1) / 2)
    assert MaskedDistance.from_config(loss.get_config()).smoothing == 1.0
    with pytest.raises(ValueError, match="`smoothing` should be a positive number"):
        MaskedDistance(smoothing=0.0)


@pytest.mark.parametrize(("loss", "width"), [(MaskedSquaredError(), 1), (MaskedDistance(), 1), (GaussianLoss(), 2)])
def test_no_target_no_gradient_and_never_nan(loss, width):
    tf = pytest.importorskip("tensorflow")
    predicted = tf.Variable(np.ones((3, width), np.float32))
    with tf.GradientTape() as tape:
        value = loss(np.array([[np.nan], [0.0], [np.nan]], np.float32), predicted)
    gradient = tape.gradient(value, predicted).numpy()
    np.testing.assert_array_equal(gradient[[0, 2]], 0)
    assert np.all(np.isfinite(gradient))
    assert gradient[1, 0] != 0


def test_an_absurd_error_does_not_overflow():
    for log_error in (-1e6, 1e6):
        assert np.isfinite(number(GaussianLoss()(np.ones((1, 1)), np.array([[0.0, log_error]], np.float32))))


def test_the_learned_error_becomes_the_mean_error():
    rng = np.random.default_rng(2)
    target = (3 * rng.normal(size=(512, 2))).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), LearnedError()])
    model.compile(keras.optimizers.Adam(0.05), GaussianLoss())
    model.fit(np.zeros_like(target), target, batch_size=512, epochs=200, verbose=0)
    predicted = model.predict(target * 0, verbose=0)
    np.testing.assert_allclose(multitask.errors(predicted), np.sqrt(np.mean(target**2)), rtol=1e-3)
    np.testing.assert_array_equal(multitask.estimates(predicted), 0)


def test_the_gradient_is_that_of_a_squared_error_of_weight_one_over_twice_the_variance():
    tf = pytest.importorskip("tensorflow")
    target = np.array([[1.0], [2.0]], np.float32)
    gradients = []
    for loss, make in (
        (GaussianLoss(), lambda estimate: LearnedError(initial=0.5)(estimate)),
        (MaskedSquaredError(), lambda estimate: estimate),
    ):
        estimate = tf.Variable(np.zeros((2, 1), np.float32))
        with tf.GradientTape() as tape:
            value = loss(target, make(estimate))
        gradients.append(tape.gradient(value, estimate).numpy())
    np.testing.assert_allclose(gradients[0], gradients[1] / (2 * 0.5**2), rtol=1e-5)


def test_errors_of_single_events_are_learned():
    rng = np.random.default_rng(3)
    known = rng.uniform(-1, 1, (4096, 1)).astype(np.float32)
    target = np.exp(known) * rng.normal(size=known.shape).astype(np.float32)
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.02), GaussianLoss())
    model.fit(known, target, batch_size=256, epochs=20, verbose=0)
    predicted = model.predict(np.array([[-0.8], [0.8]], np.float32), verbose=0)
    np.testing.assert_allclose(multitask.errors(predicted)[:, 0], np.exp([-0.8, 0.8]), rtol=0.12)


@pytest.mark.filterwarnings(SAVING)
def test_a_model_with_losses_and_layer_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), LearnedError(0.3)])
    model.compile("adam", GaussianLoss())
    model.fit(np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, GaussianLoss)
    assert again.layers[-1].get_config() == model.layers[-1].get_config()
    some = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(again.predict(some, verbose=0), model.predict(some, verbose=0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LearnedError(0.0), "`initial` should be a positive number"),
        (lambda: GaussianLoss()(np.ones((2, 2)), np.ones((2, 3))), "twice as many columns"),
        (lambda: multitask.errors(np.ones(3)), r"`predictions` should have the shape \(n, 2·D\)"),
        (lambda: multitask.estimates(np.ones((3, 3))), r"`predictions` should have the shape \(n, 2·D\)"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
