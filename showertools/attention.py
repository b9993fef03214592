"""Attention in convolutional networks: which channels of an image count, and which places.

Both layers multiply features by numbers that a small network draws from the features themselves. Places may lie in an
array (B, H, W, C) or in a list of pixels (B, P, C). A `mask` leaves out places that do not exist, such as the corners
of a hexagonal grid in axial indices: they count in no mean, and are 0 in the result.

Sources: J. Hu, L. Shen, G. Sun, arXiv:1709.01507, section 3, for channels; J. Sun, F. Darbehani, M. Zaidi, B. Wang,
arXiv:2001.07645, for both; M. Jacquemont et al., VISAPP 2021, doi:10.5220/0010297405340544, for both in a network of
several tasks on images of Cherenkov telescopes.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from showertools import _places, chunks

__all__ = ["DualAttention", "SqueezeExcitation"]


@keras.saving.register_keras_serializable(package="showertools")
class SqueezeExcitation(keras.layers.Layer):  # type: ignore[misc]
    """Weigh the channels of an image by what the whole image shows.

    The mean of each channel over all places goes through two dense layers, of C // ratio and C neurons. The second ends
    in a sigmoid: a number between 0 and 1 for each channel, with which it is multiplied.

    Parameters
    ----------
    ratio : int
        How many times fewer neurons than channels the first layer has, from 1 to the number of channels.
    mask : array_like of bool, optional
        Of the shape of the places, (H, W) or (P,): true where there is a place. By default there is one everywhere.
    activation
        Of the first dense layer, as of `keras.layers.Dense`.
    **kwargs
        Of `keras.layers.Layer`, such as `name` and `dtype`.

    Raises
    ------
    ValueError
        If `ratio` or `mask` is out of range, or the inputs have too few channels, or other places than the mask.

    Examples
    --------
    >>> layer = SqueezeExcitation(ratio=4)
    >>> layer(np.ones((2, 9, 9, 32), np.float32)).shape
    TensorShape([2, 9, 9, 32])
    >>> layer.count_params()  # 32·8 + 8 and 8·32 + 32
    552
    """

    def __init__(
        self, ratio: int = 16, *, mask: ArrayLike | None = None, activation: Any = "relu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ratio = chunks.check_size(ratio, "ratio", minimum=1)
        self.mask = _places.check_mask(mask)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the dense layers for inputs (B, ..., C)."""
        _places.check_shape(input_shape, self.mask)
        n_channels = int(input_shape[-1] or 0)
        if n_channels < self.ratio:
            raise ValueError(f"`ratio` should be at most the number of channels, {n_channels}. Received: {self.ratio}")
        n_few = n_channels // self.ratio
        self.squeeze = keras.layers.Dense(n_few, self.activation, dtype=self.dtype_policy, name="squeeze")
        self.excite = keras.layers.Dense(n_channels, "sigmoid", dtype=self.dtype_policy, name="excite")
        self.squeeze.build((input_shape[0], n_channels))
        self.excite.build((input_shape[0], n_few))

    def gate(self, inputs: Any) -> Any:
        """Return the number of each channel, from 0 to 1, (B, C), for inputs (B, ..., C)."""
        places = tuple(range(1, len(inputs.shape) - 1))
        n_places = np.prod([inputs.shape[axis] for axis in places]) if self.mask is None else self.mask.sum()
        total = ops.sum(ops.cast(_masked(inputs, self.mask), "float32"), axis=places)  # (B, C); 16 bits lose too much
        return self.excite(self.squeeze(ops.cast(total / float(n_places), self.compute_dtype)))

    def call(self, inputs: Any) -> Any:
        """Return the inputs, weighed, (B, ..., C)."""
        gate = self.gate(inputs)
        gate = ops.reshape(gate, (-1, *[1] * (len(inputs.shape) - 2), inputs.shape[-1]))
        return _masked(inputs * gate, self.mask)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), **_config(self)}


@keras.saving.register_keras_serializable(package="showertools")
class DualAttention(keras.layers.Layer):  # type: ignore[misc]
    """Weigh the channels of an image as `SqueezeExcitation` does, and its places by what each shows.

    At each place two dense layers, of C // 2 neurons and of one, end in a sigmoid: the attention a of the place, from 0
    to 1. The result is that of `SqueezeExcitation` times 1 + a: no place is lost, the best count twice. Where published
    code normalises the batch after the first dense layer of the places, ours has a bias, since places that do not exist
    should enter no statistics: our choice.

    Parameters
    ----------
    ratio : int
        As of `SqueezeExcitation`.
    mask : array_like of bool, optional
        As of `SqueezeExcitation`.
    activation
        Of the first dense layer of channels and of places, as of `keras.layers.Dense`.
    **kwargs
        Of `keras.layers.Layer`.

    Raises
    ------
    ValueError
        As `SqueezeExcitation`, or if there are fewer than two channels.

    Examples
    --------
    >>> layer = DualAttention(ratio=4)
    >>> images = np.ones((2, 9, 9, 32), np.float32)
    >>> layer(images).shape
    TensorShape([2, 9, 9, 32])
    >>> layer.attention(images).shape
    TensorShape([2, 9, 9])
    """

    def __init__(
        self, ratio: int = 16, *, mask: ArrayLike | None = None, activation: Any = "relu", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.ratio = chunks.check_size(ratio, "ratio", minimum=1)
        self.mask = _places.check_mask(mask)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the layers for inputs (B, ..., C)."""
        _places.check_shape(input_shape, self.mask)
        n_half = int(input_shape[-1] or 0) // 2
        if n_half < 1:
            raise ValueError(f"the inputs should have at least 2 channels. Received: {input_shape}")
        policy = self.dtype_policy
        self.channels = SqueezeExcitation(
            self.ratio, mask=self.mask, activation=self.activation, dtype=policy, name="channels"
        )
        self.describe = keras.layers.Dense(n_half, self.activation, dtype=policy, name="describe")
        self.attend = keras.layers.Dense(1, "sigmoid", dtype=policy, name="attend")
        self.channels.build(input_shape)
        self.describe.build(input_shape)
        self.attend.build((*input_shape[:-1], n_half))

    def attention(self, inputs: Any) -> Any:
        """Return the attention of each place, from 0 to 1, 0 where there is none, (B, ...), for inputs (B, ..., C)."""
        return _masked(self.attend(self.describe(inputs)), self.mask)[..., 0]

    def call(self, inputs: Any) -> Any:
        """Return the inputs, weighed, (B, ..., C)."""
        return self.channels(inputs) * (1 + self.attention(inputs)[..., None])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), **_config(self)}


def _config(layer: SqueezeExcitation | DualAttention) -> dict[str, Any]:
    return {
        "ratio": layer.ratio,
        "mask": None if layer.mask is None else layer.mask.tolist(),
        "activation": keras.activations.serialize(layer.activation),
    }


def _masked(values: Any, mask: NDArray[np.bool_] | None) -> Any:
    """Return values (B, ..., C), 0 outside the mask, whatever stands there."""
    return values if mask is None else ops.where(mask[None, ..., None], values, 0)
