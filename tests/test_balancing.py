import keras
import numpy as np
import pytest
from keras import layers

from showertools import multitask, weights
from showertools.multitask import MaskedDistance, MaskedSquaredError, UncertaintyWeighting

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


def linear_network(columns=1, **arguments):
    """Return two outputs of three inputs, linear, that begin at 0."""
    given = keras.Input((3,))
    outputs = {
        name: layers.Dense(size, kernel_initializer="zeros", name=name, **arguments)(given)
        for name, size in (("sharp", columns), ("blurred", 1))
    }
    return keras.Model(given, outputs)


def linear_sample(noise, n=1024, columns=1):
    rng = np.random.default_rng(1)
    given = rng.normal(size=(n, 3)).astype(np.float32)
    targets = {}
    for (name, sigma), size in zip(noise.items(), (columns, 1), strict=True):
        targets[name] = (given @ rng.normal(size=(3, size)) + sigma * rng.normal(size=(n, size))).astype(np.float32)
    return given, targets


def squared_errors():
    return {"sharp": MaskedSquaredError(), "blurred": MaskedSquaredError()}


def residual_spread(given, target):
    """Return the error that the best linear estimate leaves, in closed form."""
    known = ~np.isnan(target).any(axis=1)
    given = np.column_stack([given, np.ones(len(given))])[known]
    left = target[known] - given @ np.linalg.lstsq(given, target[known], rcond=None)[0]
    return np.sqrt(np.mean(left**2))


@pytest.mark.parametrize("columns", [1, 2])
def test_learned_errors_are_those_of_the_closed_form(columns):
    given, targets = linear_sample({"sharp": 0.1, "blurred": 1.0}, n=600, columns=columns)
    targets["blurred"][::3] = np.nan
    model = UncertaintyWeighting(linear_network(columns), learning_rate=0.2)
    model.compile(keras.optimizers.Adam(0.05), squared_errors())
    often = {name: np.tile(target, (100, 1)) for name, target in targets.items()}  # quicker than 200 short epochs
    history = model.fit(np.tile(given, (100, 1)), often, batch_size=600, epochs=2, verbose=0, shuffle=False).history
    for task, target in targets.items():
        assert model.task_errors[task] == pytest.approx(residual_spread(given, target), rel=0.01)
        assert history[f"weight_{task}"][-1] == pytest.approx(model.task_weights[task])
        assert model.task_weights[task] == pytest.approx(0.5 / model.task_errors[task] ** 2, rel=1e-4)
    assert model.task_errors["sharp"] == pytest.approx(0.1, rel=0.05)
    assert model.task_errors["blurred"] == pytest.approx(1.0, rel=0.05)
    assert len(history["sharp_loss"]) == 2


def test_the_loss_and_one_step_known_on_paper():
    model = UncertaintyWeighting(linear_network(2), initial={"sharp": 0.5, "blurred": 2.0}, learning_rate=0.1)
    model.compile("sgd", squared_errors())
    targets = {"sharp": np.array([[0.2, 0.4]]), "blurred": np.array([[3.0]])}
    predicted = {"sharp": np.zeros((1, 2)), "blurred": np.zeros((1, 1))}
    loss = float(model.compute_loss(None, targets, predicted, training=True))
    assert loss == pytest.approx(0.2 / (2 * 0.25) + 2 * np.log(0.5) + 9 / (2 * 4) + np.log(2), rel=1e-6)
    gradient = np.array([2 / 2 - 0.2 / (2 * 0.25), 1 / 2 - 9 / (2 * 4)])  # with respect to ln σ²
    expected = np.log([0.25, 4.0]) - 0.1 * gradient
    np.testing.assert_allclose(model.log_variance.numpy(), expected, rtol=1e-6)


def test_a_distance_costs_as_a_likelihood_that_falls_exponentially():
    model = UncertaintyWeighting(linear_network(2), initial={"sharp": 0.5, "blurred": 2.0}, learning_rate=0.1)
    model.compile("sgd", {"sharp": MaskedDistance(smoothing=1e-6), "blurred": MaskedDistance(smoothing=1e-6)})
    targets = {"sharp": np.array([[0.3, 0.4]]), "blurred": np.array([[3.0]])}
    predicted = {"sharp": np.zeros((1, 2)), "blurred": np.zeros((1, 1))}
    assert model.task_weights == pytest.approx({"sharp": 2.0, "blurred": 0.5})
    loss = float(model.compute_loss(None, targets, predicted, training=True))
    assert loss == pytest.approx(0.5 / 0.5 + 2 * np.log(0.5) + 3 / 2 + np.log(2), rel=1e-5)
    gradient = np.array([2 / 2 - 0.5 / 0.5 / 2, 1 / 2 - 3 / 2 / 2])  # with respect to 2·ln σ
    expected = 2 * np.log([0.5, 2.0]) - 0.1 * gradient
    np.testing.assert_allclose(model.log_variance.numpy(), expected, rtol=1e-5)


def test_the_loss_is_that_of_a_learned_error_and_a_normal_likelihood():
    rng = np.random.default_rng(3)
    targets = {"sharp": rng.normal(size=(8, 2)), "blurred": rng.normal(size=(8, 1))}
    targets["sharp"][2:5, 1] = np.nan
    predicted = {name: rng.normal(size=values.shape) for name, values in targets.items()}
    errors = {"sharp": 0.7, "blurred": 1.4}
    model = UncertaintyWeighting(linear_network(2), initial=errors)
    model.compile("sgd", squared_errors())
    expected = sum(
        multitask.GaussianLoss()(targets[name], multitask.LearnedError(errors[name])(predicted[name]))
        for name in targets
    )
    assert float(model.compute_loss(None, targets, predicted, training=False)) == pytest.approx(
        float(expected), rel=1e-5
    )


def test_a_batch_without_any_target_of_a_task_teaches_it_nothing():
    model = UncertaintyWeighting(linear_network(), initial=0.5)
    model.compile("sgd", squared_errors())
    predicted = {"sharp": np.ones((2, 1)), "blurred": np.zeros((2, 1))}
    targets = {"sharp": np.full((2, 1), np.nan), "blurred": np.ones((2, 1))}
    assert float(model.compute_loss(None, targets, predicted)) == pytest.approx(1 / (2 * 0.25) + np.log(0.5), rel=1e-6)
    assert model.task_errors == {"sharp": pytest.approx(0.5), "blurred": pytest.approx(0.5 * np.exp(0.05 / 2))}


def test_a_classifier_weighs_by_its_cross_entropy():
    given = keras.Input((1,))
    network = keras.Model(
        given, {"energy": layers.Dense(1)(given), "particle": layers.Dense(1, activation="sigmoid")(given)}
    )
    model = UncertaintyWeighting(network, initial=0.5, learning_rate=0.3)
    model.compile("adam", {"energy": "mse", "particle": "binary_crossentropy"})
    assert model.task_weights == {"energy": pytest.approx(2.0), "particle": pytest.approx(4.0)}
    targets = {"energy": np.array([[2.0]]), "particle": np.array([[1.0]])}
    predicted = {"energy": np.array([[1.0]]), "particle": np.array([[0.25]])}
    expected = 1 / (2 * 0.25) + np.log(0.5) + np.log(4) / 0.25 + np.log(0.5)
    assert float(model.compute_loss(None, targets, predicted, training=False)) == pytest.approx(expected, rel=1e-5)
    for _ in range(60):
        model.compute_loss(None, targets, predicted, training=True)
    assert model.task_errors["particle"] == pytest.approx(np.sqrt(2 * np.log(4)), rel=1e-3)  # σ² = 2·L


def test_neither_weight_decay_nor_the_optimizer_touches_the_errors():
    learned = []
    for optimizer in (keras.optimizers.SGD(1e-6), keras.optimizers.AdamW(1e-6, weight_decay=1000.0)):
        given, targets = linear_sample({"sharp": 0.1, "blurred": 1.0}, n=64)
        model = UncertaintyWeighting(linear_network())
        model.compile(optimizer, squared_errors())
        model.fit(given, targets, batch_size=64, epochs=3, verbose=0)
        learned.append(model.log_variance.numpy())
    np.testing.assert_allclose(*learned, rtol=1e-3)
    assert not any(variable is model.log_variance for variable in model.trainable_variables)


def test_evaluation_changes_nothing_and_says_losses_over_events_with_a_target():
    given, targets = linear_sample({"sharp": 0.1, "blurred": 1.0}, n=10)
    targets["blurred"][[0, 1, 2, 3, 7]] = np.nan  # the first batch of four has none at all
    model = UncertaintyWeighting(linear_network())
    model.compile("sgd", squared_errors(), metrics={"sharp": "mae"})
    before = model.task_weights
    results = model.evaluate(given, targets, batch_size=4, verbose=0, return_dict=True)
    assert model.task_weights == before
    assert set(results) == {"loss", "sharp_loss", "blurred_loss", "sharp_mae"}
    assert results["blurred_loss"] == pytest.approx(np.nanmean(targets["blurred"] ** 2), rel=1e-5)
    assert model.evaluate(given, targets, batch_size=4, verbose=0) == pytest.approx(list(results.values()))
    assert model.predict(given, verbose=0)["sharp"].shape == (10, 1)


def test_penalties_of_the_network_count():
    model = UncertaintyWeighting(linear_network(kernel_regularizer=keras.regularizers.L2(0.5)))
    model.compile("sgd", squared_errors())
    for layer in model.network.layers[1:]:
        layer.kernel.assign(np.full((3, 1), 2.0))
    nothing = {name: np.zeros((2, 1)) for name in model.tasks}
    assert float(model.compute_loss(None, nothing, nothing)) == pytest.approx(0.5 * 6 * 4)


def test_losses_are_of_32_bits_in_mixed_precision():
    given, targets = linear_sample({"sharp": 0.1, "blurred": 1.0}, n=64)
    model = UncertaintyWeighting(linear_network(dtype="mixed_bfloat16"))
    model.compile("sgd", squared_errors())
    loss = model.compute_loss(None, targets, model(given))
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert keras.backend.standardize_dtype(model.log_variance.dtype) == "float32"
    assert np.isfinite(model.fit(given, targets, verbose=0).history["loss"][0])


@pytest.mark.filterwarnings(SAVING)
def test_model_and_network_are_saved_and_loaded(tmp_path):
    given, targets = linear_sample({"sharp": 0.1, "blurred": 1.0}, n=64)
    model = UncertaintyWeighting(linear_network(), initial={"sharp": 0.3, "blurred": 1.0}, learning_rate=0.2)
    model.compile("adam", squared_errors())
    model.fit(given, targets, verbose=0)
    expected = model.predict(given, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert (again.initial, again.learning_rate) == (model.initial, model.learning_rate)
    assert again.task_weights == model.task_weights
    again.fit(given, targets, verbose=0)
    model.network.save(tmp_path / "network.keras")
    weights.save(tmp_path / "network.h5", model.network, attributes={"command": "none"})
    rounded = linear_network()
    weights.load(tmp_path / "network.h5", rounded)
    for network, tolerance in ((keras.models.load_model(tmp_path / "network.keras"), 1e-6), (rounded, 1e-2)):
        np.testing.assert_allclose(network.predict(given, verbose=0)["sharp"], expected["sharp"], atol=tolerance)


def one_output():
    given = keras.Input((3,))
    return keras.Model(given, layers.Dense(1)(given))


def compiled(model, **arguments):
    model.compile(**{"optimizer": "sgd", "loss": squared_errors(), **arguments})
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UncertaintyWeighting(one_output()), "`network` should be a functional keras.Model with a dict"),
        (lambda: UncertaintyWeighting(linear_network(), learning_rate=0), "`learning_rate` should be a positive"),
        (
            lambda: UncertaintyWeighting(linear_network(), initial={"sharp": 1.0}),
            "`initial` should be a number or a dict",
        ),
        (lambda: UncertaintyWeighting(linear_network(), initial=-1), r"`initial\['sharp'\]` should be a positive"),
        (
            lambda: compiled(UncertaintyWeighting(linear_network()), loss={"sharp": "mse"}),
            "`loss` should be a dict with a loss for each of",
        ),
        (
            lambda: compiled(UncertaintyWeighting(linear_network()), loss_weights={"sharp": 1.0}),
            "`loss_weights` should be None",
        ),
        (
            lambda: compiled(UncertaintyWeighting(linear_network()), loss={"sharp": "mse", "blurred": "mae"}),
            r"`loss\['blurred'\]` should be a squared error, a distance or a cross-entropy",
        ),
        (
            lambda: compiled(UncertaintyWeighting(linear_network()), loss={"sharp": "mse", "blurred": np.subtract}),
            r"`loss\['blurred'\]` should be a keras.losses.Loss",
        ),
        (
            lambda: compiled(UncertaintyWeighting(linear_network())).fit(np.zeros((2, 3)), np.zeros((2, 1)), verbose=0),
            "`y` should be a dict with targets of each of",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
