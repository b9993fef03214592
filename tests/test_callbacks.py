import keras
import numpy as np
import pytest

from showertools.callbacks import TimeLimit


def train(limit, epochs):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    watch = TimeLimit(limit)
    data = np.ones((64, 2), np.float32), np.ones((64, 1), np.float32)
    history = model.fit(*data, batch_size=1, epochs=epochs, verbose=0, callbacks=[watch])
    return watch, len(history.history["loss"])


def test_it_stops_within_an_epoch():
    watch, epochs = train(1e-9, 3)
    assert watch.steps <= 2
    assert epochs == 1


def test_it_lets_a_shorter_training_end():
    watch, epochs = train(1e6, 2)
    assert (watch.steps, epochs) == (128, 2)


@pytest.mark.parametrize("seconds", [0, -1.0, np.nan, "1"])
def test_a_limit_is_a_positive_number(seconds):
    with pytest.raises(ValueError, match="`seconds` should be a positive number"):
        TimeLimit(seconds)
