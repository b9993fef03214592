import keras
import numpy as np
import pytest

from showertools import datasets, weights


def small(units=4):
    keras.utils.clear_session()
    hidden = [
        keras.layers.Dense(units, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    ]
    return keras.Sequential([keras.Input((3,)), *hidden, keras.layers.Dense(2)])


def test_a_network_comes_back_to_16_bits(tmp_path):
    model = small()
    model.get_layer(index=1).set_weights([np.arange(1.0, 5), np.ones(4), np.full(4, 7.0), np.full(4, 1e-3)])
    weights.save(tmp_path / "small.h5", model, attributes={"seed": 3, "command": "python train.py"})
    again = small()
    attributes = weights.load(tmp_path / "small.h5", again)
    assert attributes["seed"] == 3
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=6e-4, atol=1e-7)
    inputs = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    expected = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(again.predict(inputs, verbose=0), expected, rtol=0.02, atol=0.02)


def test_fewer_digits_make_smaller_files(tmp_path):
    model = small(3000)
    sizes = []
    for bits in (11, 6, 4):
        weights.save(tmp_path / "small.h5", model, attributes={}, significant_bits=bits)
        sizes.append((tmp_path / "small.h5").stat().st_size)
        again = small(3000)
        weights.load(tmp_path / "small.h5", again)
        for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_allclose(other, one, rtol=1.05 * 2.0**-bits, atol=1e-6)
    assert sizes[0] > 1.2 * sizes[1] > 1.2 * sizes[2]
    for wrong in (1, 12, 6.0):
        with pytest.raises(ValueError, match="`significant_bits`"):
            weights.save(tmp_path / "small.h5", model, attributes={}, significant_bits=wrong)


def test_several_networks_share_a_file(tmp_path):
    members = [small(), small()]
    weights.save(tmp_path / "two.h5", members, attributes={})
    again = [small(), small()]
    weights.load(tmp_path / "two.h5", again)
    for one, other in zip(members, again, strict=True):
        np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=6e-4)
    assert not np.allclose(again[0].get_weights()[0], again[1].get_weights()[0])
    assert datasets.describe(tmp_path / "two.h5")["weight"][1] == np.float16


def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path):
    weights.save(tmp_path / "small.h5", small(4), attributes={})
    other = small(5)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"small.h5 holds weights of the shapes \[\[3, 4\].*a network with \[\[3, 5"):
        weights.load(tmp_path / "small.h5", other)
    with pytest.raises(ValueError, match=r"holds the weights of 1 networks\. Received: 2 networks"):
        weights.load(tmp_path / "small.h5", [small(4), other])
    for one, after in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, after)


def test_a_data_set_without_weights_is_refused(tmp_path):
    datasets.save(tmp_path / "showers.h5", {"xmax": [700.0]}, attributes={})
    with pytest.raises(ValueError, match="has no"):
        weights.load(tmp_path / "showers.h5", small())


def test_what_cannot_be_stored_is_refused(tmp_path):
    broken = small()
    broken.set_weights([np.full_like(values, 1e6) for values in broken.get_weights()])
    with pytest.raises(ValueError, match="`models` should have weights of at most 65504"):
        weights.save(tmp_path / "broken.h5", broken, attributes={})
    with pytest.raises(ValueError, match="`models` should be networks with the same shapes"):
        weights.save(tmp_path / "mixed.h5", [small(4), small(5)], attributes={})
    with pytest.raises(ValueError, match="`models` should be networks"):
        weights.save(tmp_path / "none.h5", [], attributes={})
    assert not list(tmp_path.iterdir())
