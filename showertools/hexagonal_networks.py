"""One small network for camera images in three forms: hexagonal kernels, a table of neighbours, square kernels.

It is there to compare the forms, so all have the same layers: three convolutions of 16, 32 and 32 channels, after the
first two of them a mean over a pixel and what is around it, at every second place of each direction; a dense layer of
64, and the outputs. Arrays with more elements need one more mean to come to the same size. All sizes are our choice.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import ArrayLike, NDArray

from showertools import chunks, indexed_layers
from showertools.camera import Camera, check_images
from showertools.layers import HexConv, HexPool, IndexedConv, IndexedPool
from showertools.resampling import Resampling

__all__ = ["KINDS", "array_input", "network", "pixel_input"]

KINDS = ("hexagonal", "indexed", "square")
"""Kernels: hexagonal on an axial array, hexagonal by a table of neighbours, 3×3 on an array."""
CHANNELS = (16, 32, 32)
"""Channels after each convolution."""
_CHARGE_SCALE = 3.0
_DELAY_SCALE = 5.0  # ns


def pixel_input(camera: Camera, charge: ArrayLike, delay: ArrayLike) -> NDArray[np.float32]:
    """Return what a network reads of images, pixel after pixel.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    charge : array_like
        (n, P) cleaned charges [p.e.], 0 where there is no light.
    delay : array_like
        (n, P) how much later than the mean the light came [ns].

    Returns
    -------
    numpy.ndarray
        (n, P, 2): ln(1 + charge)/3, and the delay in units of 5 ns where there is light, else 0.

    Raises
    ------
    ValueError
        If the images are not those of the camera.
    """
    charge, delay = _images(camera, charge, delay)
    return _features(charge, charge * delay)


def array_input(way: Resampling, charge: ArrayLike, delay: ArrayLike) -> NDArray[np.float32]:
    """Return what a network reads of resampled images: as `pixel_input`, of squares, (n, H, W, 2).

    The delay of a square is the mean over the charges that it gets.

    Parameters
    ----------
    way : resampling.Resampling
        To arrays of H by W.
    charge, delay : array_like
        As for `pixel_input`.

    Returns
    -------
    numpy.ndarray
        (n, H, W, 2).

    Raises
    ------
    ValueError
        If the images are not those of the camera.
    """
    charge, delay = _images(way.camera, charge, delay)
    return _features(way.to_square(charge), way.to_square(charge * delay))


def network(
    camera: Camera, kind: str, shape: tuple[int, ...], *, n_poolings: int = 2, n_outputs: int = 2
) -> keras.Sequential:
    """Return the network for one form of images, not compiled.

    Parameters
    ----------
    camera : Camera
        Whose images they are.
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Of one image: (H, W, C) for "hexagonal", of the axial array, and for "square"; (P, C) for "indexed".
    n_poolings : int
        After how many of the three convolutions there is a mean at every second place, the first ones.
    n_outputs : int
        How many numbers come out, at least 1.

    Returns
    -------
    keras.Sequential
        (B, n_outputs) for inputs (B, *shape).

    Raises
    ------
    ValueError
        If the kind is unknown, or a size does not fit.

    Examples
    --------
    >>> from showertools import camera
    >>> network(camera.small(), "hexagonal", (23, 23, 2)).output_shape
    (None, 2)
    """
    if kind not in KINDS:
        raise ValueError(f"`kind` should be one of {', '.join(KINDS)}. Received: {kind!r}")
    chunks.check_size(n_outputs, "n_outputs", minimum=1)
    if chunks.check_size(n_poolings, "n_poolings", minimum=0) > len(CHANNELS):
        raise ValueError(f"`n_poolings` should be at most {len(CHANNELS)}. Received: {n_poolings!r}")
    pooled = [number < n_poolings for number in range(len(CHANNELS))]
    parts = {"hexagonal": _hexagonal, "indexed": _indexed, "square": _square}[kind](camera, pooled)
    last = [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(n_outputs)]
    return keras.Sequential([keras.Input(shape), *parts, *last])


def _hexagonal(camera: Camera, pooled: list[bool]) -> list[Any]:
    parts: list[Any] = []
    mask = camera.layout.mask("axial")
    for channels, is_pooled in zip(CHANNELS, pooled, strict=True):
        parts.append(HexConv(channels, mask=mask, activation="relu"))
        if is_pooled:
            parts.append(HexPool(mask=mask))
            mask = parts[-1].pooled_mask
    return parts


def _indexed(camera: Camera, pooled: list[bool]) -> list[Any]:
    parts: list[Any] = []
    layout = camera.layout
    for channels, is_pooled in zip(CHANNELS, pooled, strict=True):
        table = indexed_layers.neighbour_table(layout)
        parts.append(IndexedConv(channels, table, activation="relu"))
        if is_pooled:
            layout, kept = indexed_layers.every_second(layout)
            parts.append(IndexedPool(table=table[kept]))
    return parts


def _square(_: Camera, pooled: list[bool]) -> list[Any]:
    parts: list[Any] = []
    for channels, is_pooled in zip(CHANNELS, pooled, strict=True):
        parts.append(layers.Conv2D(channels, 3, padding="same", activation="relu"))
        if is_pooled:
            parts.append(layers.AveragePooling2D(3, strides=2, padding="same"))
    return parts


def _images(camera: Camera, charge: ArrayLike, delay: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    charge = check_images(camera, charge, "charge")
    return charge, check_images(camera, delay, "delay", len(charge))


def _features(charge: NDArray[Any], moment: NDArray[Any]) -> NDArray[np.float32]:
    """Return both features (..., 2) for charges, and charges times delays."""
    light = charge > 0
    delay = np.where(light, moment, 0) / np.where(light, charge, 1)
    features = [np.log1p(np.maximum(charge, 0)) / _CHARGE_SCALE, delay / _DELAY_SCALE]
    return np.stack(features, axis=-1).astype(np.float32)
