"""Networks that read the depth of a shower's maximum from the time traces of an array.

A small network, the same for all stations, turns each trace into some numbers: the *encoder*. These join what the fit
says of the station, and a hexagonal convolution lets each station look at its neighbours. The mean over the stations
and the numbers of the shower go to a last part, which says Xmax and how wrong it may be.

Sources: the recurrent encoder is that of the reference network for air showers in L. Benato et al., arXiv:2107.00656,
a bidirectional LSTM of 32 followed by one of 10; hexagonal convolutions after an encoder of traces are those of AixNet,
A. Aab et al. (Pierre Auger Collaboration), JINST 16 (2021) P07019, doi:10.1088/1748-0221/16/07/P07019. All numbers of
the network but those of the recurrent encoder are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from showertools import chunks
from showertools.array_networks import standardized
from showertools.layers import HexConv

__all__ = ["ENCODERS", "convolutional", "recurrent", "xmax_network"]


def convolutional(trace: keras.KerasTensor, *, width: int = 48) -> keras.KerasTensor:
    """Return features (B, H, W, width) of traces (B, H, W, T): two convolutions along the time, and a dense layer.

    The first sees 7 bins and keeps every fourth place, the second sees 5 of these and keeps every third: twelve bins of
    the trace become one place with 32 numbers.
    """
    rows, columns, n_bins = trace.shape[1:]
    x = layers.Reshape((rows * columns, n_bins, 1))(trace)
    x = layers.Conv2D(16, (1, 7), strides=(1, 4), padding="same", activation="relu")(x)  # (B, H·W, T/4, 16)
    x = layers.Conv2D(32, (1, 5), strides=(1, 3), padding="same", activation="relu")(x)  # (B, H·W, T/12, 32)
    x = layers.Reshape((rows, columns, x.shape[2] * 32))(x)
    return layers.Dense(width, activation="relu")(x)


def recurrent(trace: keras.KerasTensor, *, bins_together: int = 1) -> keras.KerasTensor:
    """Return features (B, H, W, 10) of traces (B, H, W, T): a bidirectional LSTM of 32, then one of 10.

    With `bins_together` the means of so many bins are read in place of single ones, which is as many times faster.
    """
    rows, columns, n_bins = trace.shape[1:]
    x = ops.reshape(trace, (-1, n_bins, 1))  # (B·H·W, T, 1): each station is a sequence
    if bins_together > 1:
        x = layers.AveragePooling1D(bins_together)(x)
    x = layers.Bidirectional(layers.LSTM(32, return_sequences=True))(x)  # (B·H·W, T, 64)
    x = layers.LSTM(10)(x)  # (B·H·W, 10)
    return ops.reshape(x, (-1, rows, columns, 10))


ENCODERS = {
    "convolutional": convolutional,
    "recurrent": recurrent,
    "recurrent, 3 bins together": lambda trace: recurrent(trace, bins_together=3),
    "none": None,
}
"""Encoders of traces by name; with "none" the traces are not looked at."""
_LAYERS = 2  # between encoder and mean


def xmax_network(
    seen: Mapping[str, NDArray[np.floating]],
    mask: NDArray[np.bool_],
    *,
    encoder: str = "convolutional",
    n_hexagonal: int = 1,
    width: int = 48,
) -> keras.Model:
    """Return a network that learns Xmax and its error from traces and fits.

    Parameters
    ----------
    seen : mapping of str to numpy.ndarray
        Training showers, as `array_traces.inputs` returns them: `trace` (n, H, W, T), `stations` (n, H, W, F), `shower`
        (n, G). Means and spreads of `stations` and `shower` are taken from the first 10,000; the network standardises
        with them.
    mask : numpy.ndarray
        (H, W), true where there is a station, as `geometry.Layout.mask("axial")` returns it.
    encoder : str
        One of `ENCODERS`.
    n_hexagonal : int
        How many of the two layers between encoder and mean are hexagonal convolutions: 0, 1 (the second) or 2. The
        others are dense layers that see one station each.
    width : int
        Numbers that each station has after each layer.

    Returns
    -------
    keras.Model
        Takes `trace` (B, H, W, T), `stations` (B, H, W, F) and `shower` (B, G); gives (B, 2) for
        `multitask.GaussianLoss`. Before training all estimates are 0 and all errors 1.

    Raises
    ------
    ValueError
        If an argument is out of range, or a shape is another.
    """
    chunks.check_size(width, "width", minimum=1)
    if chunks.check_size(n_hexagonal, "n_hexagonal", minimum=0) > _LAYERS:
        raise ValueError(f"`n_hexagonal` should be at most {_LAYERS}. Received: {n_hexagonal}")
    if encoder not in ENCODERS:
        raise ValueError(f"`encoder` should be one of {', '.join(ENCODERS)}. Received: {encoder!r}")
    shapes = {name: np.shape(seen[name]) for name in ("trace", "stations", "shower")}
    if [len(shape) for shape in shapes.values()] != [4, 4, 2] or shapes["trace"][1:3] != np.shape(mask):
        raise ValueError(
            "`seen` should have the shapes (n, H, W, T), (n, H, W, F) and (n, G), and `mask` (H, W). "
            f"Received: {', '.join(map(str, shapes.values()))} and {np.shape(mask)}"
        )
    given = {name: keras.Input(shape[1:], name=name) for name, shape in shapes.items()}
    shower, stations = (standardized(given[name], seen[name]) for name in ("shower", "stations"))
    encode = ENCODERS[encoder]
    x = stations if encode is None else layers.Concatenate()([encode(given["trace"]), stations])
    beside = layers.Reshape((1, 1, width))(layers.Dense(width)(shower))
    x = layers.ReLU()(layers.Add()([layers.Dense(width)(x), beside]))  # (B, H, W, width)
    for _ in range(_LAYERS - n_hexagonal):
        x = layers.Dense(width, activation="relu")(x)
    for _ in range(n_hexagonal):
        x = HexConv(width, mask=mask, activation="relu")(x)
    x = layers.BatchNormalization(momentum=0.95)(_mean_over_stations(x, mask))  # (B, width)
    x = layers.Concatenate()([x, shower])
    for _ in range(2):
        x = layers.Dense(2 * width, activation="relu")(x)
    output = layers.Dense(2, kernel_initializer="zeros", dtype="float32", name="xmax")(x)
    return keras.Model(given, output)


def _mean_over_stations(x: keras.KerasTensor, mask: NDArray[np.bool_]) -> keras.KerasTensor:
    """Return the mean (B, C) of the places that hold a station."""
    places = layers.Reshape((mask.size, x.shape[-1]))(x)  # (B, H·W, C)
    return layers.GlobalAveragePooling1D()(ops.take(places, np.flatnonzero(mask), axis=1))
