import keras
import numpy as np
import pytest

from showertools import array_features, multitask
from showertools.array_networks import TASKS, correction_network, published_network


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(1)
    stations = (5 + 3 * rng.normal(size=(400, 7, 4))).astype(np.float32)
    return {"stations": stations, "shower": rng.normal(size=(400, 2)).astype(np.float32)}


def some(features, number):
    return {name: values[:number] for name, values in features.items()}


@pytest.mark.parametrize(("errors", "times"), [("none", 1), ("task", 2), ("event", 2)])
def test_it_begins_with_the_fit_and_an_error_of_one(features, errors, times):
    network = correction_network(features, width=8, errors=errors)
    predicted = network.predict(some(features, 5), verbose=0)
    assert {name: values.shape for name, values in predicted.items()} == {
        name: (5, times * columns) for name, columns in TASKS.items()
    }
    for values in predicted.values():
        np.testing.assert_array_equal(values, 0)


def test_the_order_of_the_stations_does_not_matter(features):
    keras.utils.set_random_seed(1)
    network = correction_network(features, width=8)
    for name in TASKS:
        layer = network.get_layer(f"last_{name}")
        layer.set_weights([np.random.default_rng(2).normal(size=weight.shape) for weight in layer.get_weights()])
    few = some(features, 6)
    before = network.predict(few, verbose=0)
    after = network.predict({**few, "stations": few["stations"][:, ::-1]}, verbose=0)
    for name in TASKS:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4, atol=1e-5)
        assert before[name].std() > 1e-3


def test_units_of_the_features_do_not_matter(features):
    outputs = []
    for factor in (1.0, 1000.0):
        scaled = {name: values * np.float32(factor) for name, values in features.items()}
        keras.utils.set_random_seed(3)
        network = correction_network(scaled, width=8, errors="none")
        inner = keras.Model(network.inputs, network.get_layer("last_core").input)
        outputs.append(inner.predict(some(scaled, 6), verbose=0))
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-3, atol=1e-4)


def test_it_learns_a_weighted_sum_over_stations_and_its_error():
    rng = np.random.default_rng(4)
    stations = rng.normal(size=(4000, 7, 4)).astype(np.float32)
    many = {"stations": stations, "shower": rng.normal(size=(4000, 2)).astype(np.float32)}
    truth = stations[:, :, :1].sum(axis=1)  # spread 2.6
    targets = {
        "direction": np.full((4000, 2), np.nan, np.float32),
        "core": np.concatenate([truth, -truth], axis=1),
        "log10_energy": truth + rng.normal(size=truth.shape).astype(np.float32),
    }
    keras.utils.set_random_seed(5)
    network = correction_network(many, width=16)
    network.compile(keras.optimizers.Adam(0.005), {name: multitask.GaussianLoss() for name in TASKS})
    history = network.fit(many, targets, batch_size=100, epochs=12, verbose=0).history["loss"]
    predicted = network.predict(many, verbose=0)
    assert np.all(np.isfinite(history))
    residual = multitask.estimates(predicted["log10_energy"]) - targets["log10_energy"]
    assert residual.std() == pytest.approx(1, rel=0.1)
    assert multitask.errors(predicted["log10_energy"]).mean() == pytest.approx(1, rel=0.1)
    np.testing.assert_array_equal(multitask.estimates(predicted["direction"])[0], predicted["direction"][0, :2])


def test_the_published_network_has_the_parts_of_its_description():
    network = published_network(9, 9)
    separable = sum(9 * channels + 16 * channels + 16 for channels in (2, 18, 34, 50, 66))
    tower = (9 * 82 * 32 + 32) + (9 * 32 * 32 + 32) + (9 * 32 * 48 + 48) + (9 * 48 * 10 + 10)
    assert network.count_params() == separable + 3 * tower + (10 + 1) * (3 + 2 + 1) == 157_690
    predicted = network.predict(np.ones((2, 9, 9, 2), np.float32), verbose=0)
    assert [values.shape for values in predicted.values()] == [(2, 3), (2, 2), (2, 1)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda features: correction_network(features, width=0), "`width` should be"),
        (lambda features: correction_network(features, errors="some"), "`errors` should be one of none, task, event"),
        (lambda features: correction_network({**features, "shower": np.ones(4)}), "`features` should have the shapes"),
        (lambda _: published_network(6, 9), "`n_rows` should be"),
        (lambda _: published_network(9, 9, n_channels=0), "`n_channels` should be"),
    ],
)
def test_what_makes_no_sense_is_refused(features, make, message):
    with pytest.raises(ValueError, match=message):
        make(features)


def test_it_returns_what_departures_are_made_of():
    axis, core = np.array([[0.0, 0.0, 1.0]]), np.zeros((1, 2))
    shower = {"axis": axis, "core": core, "log10_energy": np.array([19.0])}
    departures = array_features.departures(shower, shower)
    assert {name: values.shape[1] for name, values in departures.items()} == TASKS
