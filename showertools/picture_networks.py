"""Networks for small photographs: the deep one of a talk of 2017, and one of units to be exchanged for each other.

A unit is a function of a tensor and a number of channels that returns a tensor of as many channels, height and width
unchanged. Sources: residual units, He et al. 2016 (https://doi.org/10.1109/CVPR.2016.90); inception, Szegedy et al.
2015 (https://doi.org/10.1109/CVPR.2015.7298594); depthwise separable convolutions with shortcuts, Chollet 2017
(https://doi.org/10.1109/CVPR.2017.195). Numbers of channels and layers: our choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from showertools import chunks
from showertools.layers import FusedBatchNormalization

__all__ = ["deep_network", "inception", "plain", "residual", "separable", "unit_network"]


def deep_network(*, n_classes: int = 10, dropout: float = 0.3) -> keras.Model:
    """Return the deep network of the talk: ten convolutions in four groups, 2,178,090 trainable parameters.

    Parameters
    ----------
    n_classes : int
        Number of classes.
    dropout : float
        Share of the 256 neurons before the last layer that is left out in training. Our choice.

    Returns
    -------
    keras.Model
        Takes pictures (B, 32, 32, 3), gives logits (B, n_classes).
    """
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for width, depth in ((32, 2), (64, 2), (128, 3), (256, 3)):
        for _ in range(depth):
            x = _normalized(layers.Conv2D(width, 3, padding="same")(x))
        x = layers.MaxPooling2D()(x)
    x = _dense_normalized(layers.Dense(256)(layers.Flatten()(x)))
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(n_classes, dtype="float32")(x))


def plain(x: Any, width: int) -> Any:
    """Return two convolutions of 3×3, one after the other: (B, H, W, C) to (B, H, W, width)."""
    for _ in range(2):
        x = _normalized(layers.Conv2D(width, 3, padding="same", use_bias=False)(x))
    return x


def residual(x: Any, width: int) -> Any:
    """Return what a plain unit makes of its input plus the input: (B, H, W, C) to (B, H, W, width)."""
    return layers.Add()([plain(x, width), _shortcut(x, width)])


def inception(x: Any, width: int) -> Any:
    """Return four views of the input, side by side: 1×1, 3×3, 5×5 and pooled: (B, H, W, C) to (B, H, W, width)."""
    quarter = width // 4
    views = [_pointwise(x, quarter) for _ in range(3)]
    views[1] = _normalized(layers.Conv2D(2 * quarter, 3, padding="same", use_bias=False)(views[1]))
    views[2] = _normalized(layers.Conv2D(quarter // 2, 5, padding="same", use_bias=False)(views[2]))
    pooled = layers.MaxPooling2D(3, strides=1, padding="same")(x)
    rest = width - sum(view.shape[-1] for view in views)
    return layers.Concatenate()([*views, _pointwise(pooled, rest)])


def separable(x: Any, width: int) -> Any:
    """Return two separable convolutions, first across pixels, then across channels, plus the input."""
    shortcut = _shortcut(x, width)
    for _ in range(2):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = _pointwise(x, width)
    return layers.Add()([x, shortcut])


def unit_network(
    unit: Callable[[Any, int], Any], width: int, *, per_stage: int = 2, n_classes: int = 10
) -> keras.Model:
    """Return a network of units in three stages: of 32×32 pixels 16×16, 8×8 and 4×4.

    Parameters
    ----------
    unit : callable
        One of `plain`, `residual`, `inception`, `separable`, or your own.
    width : int
        Channels of the first stage, a multiple of 4; the later ones have twice and four times as many.
    per_stage : int
        Units in a stage.
    n_classes : int
        Number of classes.

    Returns
    -------
    keras.Model
        Takes pictures (B, H, W, 3), such as 32×32, gives logits (B, n_classes).

    Raises
    ------
    ValueError
        If `width` is not a multiple of 4.
    """
    if chunks.check_size(width, "width", minimum=8) % 4:
        raise ValueError(f"`width` should be a multiple of 4. Received: {width}")
    inputs = keras.Input((None, None, 3))
    x = _normalized(layers.Conv2D(width, 3, padding="same", use_bias=False)(inputs))
    for stage in range(3):
        x = layers.MaxPooling2D()(x)
        for _ in range(per_stage):
            x = unit(x, width * 2**stage)
    x = layers.GlobalAveragePooling2D(dtype="float32")(x)
    return keras.Model(inputs, layers.Dense(n_classes, dtype="float32")(x))


def _normalized(x: Any) -> Any:
    return layers.ReLU()(FusedBatchNormalization(momentum=0.8)(x))  # trainings are of a few hundred steps


def _dense_normalized(x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def _pointwise(x: Any, width: int) -> Any:
    return _normalized(layers.Conv2D(width, 1, use_bias=False)(x))


def _shortcut(x: Any, width: int) -> Any:
    """Return the input, with as many channels as the unit gives."""
    return x if x.shape[-1] == width else layers.Conv2D(width, 1, use_bias=False)(x)
