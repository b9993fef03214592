"""Networks that reconstruct direction, core and energy from the stations of an array.

`correction_network` reads what `array_features` makes, and says by how much a shower departs from its fit. It has the
form of a step of least squares, whose sums run over the stations: the same small network looks at each station and
returns some numbers, these are summed, and a second small network concludes from the sums. `published_network` reads
maps of signals and times, and says where the shower came from; it is what published exercises use.

Sources: M. Zaheer et al., *Deep sets*, arXiv:1703.06114, for sums over the members of a set. The second network follows
a description of that of J. Glombitza's exercises (M. Erdmann, J. Glombitza, G. Kasieczka, U. Klemradt, *Deep Learning
for Physics Research*, World Scientific 2021, doi:10.1142/12294): five densely connected separable convolutions of 16,
and for each task three convolutions and a dense layer of 10. With maps of signal and time as inputs, and convolutions
without padding in the towers, it comes to 157,690 parameters, where 177,016 are quoted.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from showertools import chunks
from showertools.multitask import LearnedError

__all__ = ["ERRORS", "TASKS", "correction_network", "published_network", "standardized"]

TASKS = {"direction": 2, "core": 2, "log10_energy": 1}
"""What `correction_network` returns, with the number of columns; see `array_features.departures`."""
ERRORS = ("none", "task", "event")
"""What `correction_network` can say of its own errors."""
_SAMPLE = 10_000  # showers from which means and spreads of the features are taken


def correction_network(
    features: Mapping[str, NDArray[np.floating]], *, width: int = 64, errors: str = "event"
) -> keras.Model:
    """Return a network that learns how showers depart from their fits.

    Parameters
    ----------
    features : mapping of str to numpy.ndarray
        Training showers, as `array_features.features` returns them: `stations` (n, K, F) and `shower` (n, G). Means and
        spreads of each feature are taken from the first 10,000; the network standardises with them.
    width : int
        Numbers that each station gives.
    errors : str
        "none": the network gives estimates (B, D), for `multitask.MaskedSquaredError`. For `multitask.GaussianLoss` it
        gives estimates and logarithms of errors (B, 2·D): with "event" each shower has its own, with "task" one learned
        number holds for all.

    Returns
    -------
    keras.Model
        Takes `stations` (B, K, F) and `shower` (B, G), gives a dict with the names of `TASKS`. Before training all
        estimates are 0 and all errors 1.

    Raises
    ------
    ValueError
        If an argument is out of range, or a shape is another.
    """
    chunks.check_size(width, "width", minimum=1)
    if errors not in ERRORS:
        raise ValueError(f"`errors` should be one of {', '.join(ERRORS)}. Received: {errors!r}")
    if np.ndim(features["stations"]) != 3 or np.ndim(features["shower"]) != 2:
        shapes = np.shape(features["stations"]), np.shape(features["shower"])
        raise ValueError(f"`features` should have the shapes (n, K, F) and (n, G). Received: {shapes[0]}, {shapes[1]}")
    stations = keras.Input(features["stations"].shape[1:], name="stations")
    shower = keras.Input(features["shower"].shape[1:], name="shower")
    station, known = (standardized(values, features[values.name]) for values in (stations, shower))
    beside = layers.Reshape((1, width))(layers.Dense(width)(known))
    x = layers.ReLU()(layers.Add()([layers.Dense(width)(station), beside]))  # (B, K, width)
    x = layers.Dense(width, activation="relu")(x)
    x = layers.Dense(width)(x)
    x = layers.BatchNormalization(momentum=0.95)(layers.GlobalAveragePooling1D()(x))  # (B, width)
    x = layers.Concatenate()([x, known])
    for _ in range(2):
        x = layers.Dense(2 * width, activation="relu")(x)
    outputs = {}
    for name, columns in TASKS.items():
        size = 2 * columns if errors == "event" else columns
        last = layers.Dense(size, kernel_initializer="zeros", dtype="float32", name=f"last_{name}")(x)
        outputs[name] = LearnedError(name=f"error_{name}")(last) if errors == "task" else last
    return keras.Model({"stations": stations, "shower": shower}, outputs)


def standardized(values: keras.KerasTensor, sample: NDArray[np.floating]) -> keras.KerasTensor:
    """Return features (B, ..., F) less their mean, over their spread, from the first 10,000 of a sample (n, ..., F)."""
    some = np.asarray(sample[:_SAMPLE], np.float64)
    axes = tuple(range(some.ndim - 1))
    return layers.Normalization(mean=some.mean(axis=axes), variance=some.var(axis=axes) + 1e-6)(values)


def published_network(n_rows: int, n_columns: int, *, n_channels: int = 2) -> keras.Model:
    """Return the network of published exercises, which learns the shower itself.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the maps, at least 7.
    n_channels : int
        Of the maps: logarithm of the signal and time, standardised, and what else there is.

    Returns
    -------
    keras.Model
        Takes maps (B, H, W, C), gives a dict: `axis` (B, 3), of any length; `core` (B, 2); `log10_energy` (B, 1).

    Raises
    ------
    ValueError
        If a number is too small.
    """
    for name, value, least in (("n_rows", n_rows, 7), ("n_columns", n_columns, 7), ("n_channels", n_channels, 1)):
        chunks.check_size(value, name, minimum=least)
    maps = keras.Input((n_rows, n_columns, n_channels))
    x = maps
    for _ in range(5):
        new = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
        x = layers.Concatenate()([x, new])  # (B, H, W, C + 16, + 32, ... + 80)
    outputs = {}
    for name, size in (("axis", 3), ("core", 2), ("log10_energy", 1)):
        tower = x
        for channels in (32, 32, 48):
            tower = layers.Conv2D(channels, 3, activation="relu")(tower)
        tower = layers.Dense(10, activation="relu")(layers.Flatten()(tower))
        outputs[name] = layers.Dense(size, dtype="float32", name=f"last_{name}")(tower)
    return keras.Model(maps, outputs)
