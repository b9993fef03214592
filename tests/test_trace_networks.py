import keras
import numpy as np
import pytest

from showertools import geometry, multitask
from showertools.trace_networks import ENCODERS, xmax_network

LAYOUT = geometry.hexagon(1, 1500.0)
MASK = LAYOUT.mask("axial")
SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours


@pytest.fixture(scope="module")
def seen():
    rng = np.random.default_rng(1)
    trace = MASK[:, :, None] * rng.random((300, 3, 3, 24))
    stations = MASK[:, :, None] * rng.normal(size=(300, 3, 3, 4))
    shower = rng.normal(size=(300, 2))
    return {
        "trace": trace.astype(np.float16),
        "stations": stations.astype(np.float32),
        "shower": shower.astype(np.float32),
    }


def opened(network):
    """Give the last layer weights, so that outputs depend on inputs."""
    layer = network.get_layer("xmax")
    layer.set_weights([np.random.default_rng(2).normal(size=weight.shape) for weight in layer.get_weights()])
    return network


@pytest.mark.parametrize("encoder", ENCODERS)
def test_it_begins_with_zero_and_an_error_of_one(seen, encoder):
    network = xmax_network(seen, MASK, encoder=encoder, width=4)
    predicted = network.predict(seen, verbose=0)
    np.testing.assert_array_equal(multitask.estimates(predicted), 0)
    np.testing.assert_array_equal(multitask.errors(predicted), 1)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_it_looks_at_traces_unless_there_is_no_encoder(seen, encoder):
    network = opened(xmax_network(seen, MASK, encoder=encoder, width=8))
    before = network.predict(seen, verbose=0)
    changed = network.predict({**seen, "trace": seen["trace"][..., ::-1]}, verbose=0)
    assert np.allclose(before, changed) == (encoder == "none")


def test_places_without_a_station_do_not_matter(seen):
    network = opened(xmax_network(seen, MASK, width=8))
    before = network.predict(seen, verbose=0)
    noisy = {
        "trace": seen["trace"] + np.float16(~MASK[:, :, None]),
        "stations": seen["stations"] + np.float32(5 * ~MASK[:, :, None]),
        "shower": seen["shower"],
    }
    np.testing.assert_allclose(network.predict(noisy, verbose=0), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n_hexagonal", "same"), [(0, True), (1, False), (2, False)])
def test_only_hexagonal_convolutions_know_who_stands_beside_whom(seen, n_hexagonal, same):
    network = opened(xmax_network(seen, MASK, n_hexagonal=n_hexagonal, width=8))
    order = np.array([0, 4, 2, 6, 1, 5, 3])
    shuffled = dict(seen)
    for name in ("trace", "stations"):
        values = LAYOUT.from_array(seen[name], "axial", axis=1)[:, order]
        shuffled[name] = LAYOUT.to_array(values, "axial", axis=1)
    before, after = network.predict(seen, verbose=0), network.predict(shuffled, verbose=0)
    assert np.allclose(before, after, rtol=1e-3, atol=1e-4) == same


def test_it_learns_when_the_light_comes():
    rng = np.random.default_rng(3)
    place = rng.integers(0, 20, 2000)
    trace = np.zeros((2000, 3, 3, 24), np.float16)
    trace[np.arange(2000), :, :, place] = MASK
    seen = {"trace": trace, "stations": np.zeros((2000, 3, 3, 1), np.float32), "shower": np.zeros((2000, 1), "f4")}
    truth = ((place - 9.5) / 5.8).astype(np.float32)[:, None]
    keras.utils.set_random_seed(4)
    network = xmax_network(seen, MASK, width=16)
    network.compile(keras.optimizers.Adam(1e-2), multitask.GaussianLoss())
    network.fit(seen, truth, batch_size=100, epochs=6, verbose=0)
    assert np.std(multitask.estimates(network.predict(seen, verbose=0)) - truth) < 0.25


@pytest.mark.filterwarnings(SAVING)
def test_it_is_saved_and_loaded(seen, tmp_path):
    for encoder in ("convolutional", "recurrent"):
        network = opened(xmax_network(seen, MASK, encoder=encoder, width=4))
        network.save(tmp_path / "network.keras")
        again = keras.saving.load_model(tmp_path / "network.keras")
        np.testing.assert_allclose(again.predict(seen, verbose=0), network.predict(seen, verbose=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "transformer"}, "`encoder` should be one of convolutional"),
        ({"width": 0}, "`width`"),
        ({"n_hexagonal": -1}, "`n_hexagonal`"),
        ({"n_hexagonal": 3}, "`n_hexagonal` should be at most 2"),
        ({"mask": np.ones((4, 4), bool)}, "`mask` \\(H, W\\)"),
    ],
)
def test_bad_arguments_are_refused(seen, changes, message):
    with pytest.raises(ValueError, match=message):
        xmax_network(seen, **{"mask": MASK, **changes})
