"""Layers for Keras that it lacks."""

from __future__ import annotations

from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from showertools import _places, chunks, geometry
from showertools.attention import DualAttention, SqueezeExcitation
from showertools.indexed_layers import IndexedConv, IndexedPool

__all__ = [
    "DualAttention",
    "FusedBatchNormalization",
    "HexConv",
    "HexPool",
    "IndexedConv",
    "IndexedPool",
    "SqueezeExcitation",
]


@keras.saving.register_keras_serializable(package="showertools")
class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """Batch normalisation of pictures in one pass over memory, where the backend has one; else as Keras does it.

    Takes what `keras.layers.BatchNormalization` takes, has the same weights and gives the same numbers to rounding. In
    `mixed_bfloat16` Keras computes in 32 bits what this keeps in 16 (statistics are of 32 bits in both), and training a
    small convolutional network on a processor takes a third less time.

    With TensorFlow, inputs of four axes, channels last, and no mask it is fused; everywhere else it is Keras' own.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Return inputs normalised over all axes but the last, (B, H, W, C)."""
        last = self.axis in (-1, 3)
        if keras.backend.backend() != "tensorflow" or len(inputs.shape) != 4 or not last or mask is not None:
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        training = bool(training) and self.trainable
        mean, variance = self.moving_mean, self.moving_variance
        scale = self.gamma if self.scale else ops.ones_like(mean)
        offset = self.beta if self.center else ops.zeros_like(mean)
        outputs, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.cast(scale, "float32"),
            offset=ops.cast(offset, "float32"),
            mean=[] if training else ops.cast(mean, "float32"),
            variance=[] if training else ops.cast(variance, "float32"),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            seen = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), "float32")
            batch_variance *= 1 - 1 / seen  # the fused one is over n - 1, that of Keras over n
            mean.assign(mean * self.momentum + batch_mean * (1 - self.momentum))
            variance.assign(variance * self.momentum + batch_variance * (1 - self.momentum))
        return outputs


@keras.saving.register_keras_serializable(package="showertools")
class HexConv(keras.layers.Layer):  # type: ignore[misc]
    """Convolution on a hexagonal grid in axial indices.

    Each place sees itself and the rings of neighbours around it, 1 + 3·n·(n + 1) places with n rings, each with its own
    weights. In axial indices the neighbours are the same steps everywhere (see `geometry`), so this is a square
    convolution whose kernel has no weights in two of its corners. Places beyond the edge of the array count as 0. To
    go on with every second place, follow it with `HexPool`.

    Source: E. Hoogeboom et al., HexaConv, arXiv:1803.02108, and C. Steppa and T. L. Holch, SoftwareX 9 (2019) 193,
    doi:10.1016/j.softx.2019.02.010; that the corners are not stored is our choice.

    Parameters
    ----------
    filters : int
        Number of channels that come out, at least 1.
    rings : int
        How many rings of neighbours a place sees, at least 1.
    mask : array_like, optional
        (H, W), true where there is a place, as `geometry.Layout.mask("axial")` returns it. Elsewhere inputs are taken
        as 0, and outputs are. By default there is a place everywhere.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer
        As of `keras.layers.Conv2D`.
    **kwargs
        Of `keras.layers.Layer`, such as `name` and `dtype`.

    Attributes
    ----------
    kernel : keras.Variable
        (1 + 3·n·(n + 1), C, filters) in the order of `geometry.hexagon(rings, 1.0)`: row after row.

    Raises
    ------
    ValueError
        If an argument is out of range, or inputs are no arrays (B, H, W, C) of the shape of the mask.

    Examples
    --------
    >>> from showertools import geometry
    >>> layout = geometry.hexagon(4, 1500.0)  # 61 stations
    >>> layer = HexConv(16, mask=layout.mask("axial"), activation="relu")
    >>> layer(np.ones((2, 9, 9, 3), np.float32)).shape
    TensorShape([2, 9, 9, 16])
    >>> layer.count_params()  # 7 · 3 · 16 + 16
    352
    """

    def __init__(
        self,
        filters: int,
        rings: int = 1,
        *,
        mask: ArrayLike | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        chunks.check_size(filters, "filters", minimum=1)
        chunks.check_size(rings, "rings", minimum=1)
        self.filters, self.rings = int(filters), int(rings)
        self.mask = _places.check_mask(mask, n_axes=2)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs (B, H, W, C)."""
        _places.check_shape(input_shape, self.mask, n_axes=2)
        n_taps = len(_steps(self.rings))
        self.kernel = self.add_weight(
            shape=(n_taps, input_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer=self.bias_initializer, name="bias")
        width = 2 * self.rings + 1
        self._tap = np.full(width * width, n_taps)  # of each element of the square; n_taps: none
        steps = _steps(self.rings) + self.rings
        self._tap[steps[:, 0] * width + steps[:, 1]] = np.arange(n_taps)

    def call(self, inputs: Any) -> Any:
        """Return (B, H, W, filters) for inputs (B, H, W, C)."""
        width = 2 * self.rings + 1
        kernel = ops.pad(ops.convert_to_tensor(self.kernel), [[0, 1], [0, 0], [0, 0]])  # the last one stays 0
        square = ops.reshape(ops.take(kernel, self._tap, axis=0), (width, width, *self.kernel.shape[1:]))
        outputs = ops.conv(_masked(inputs, self.mask), square, padding="same", data_format="channels_last")
        if self.bias is not None:
            outputs = outputs + self.bias
        return _masked(self.activation(outputs), self.mask)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, H, W, filters)."""
        return (*input_shape[:-1], self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "rings": self.rings,
            "mask": None if self.mask is None else self.mask.tolist(),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="showertools")
class HexPool(keras.layers.Layer):  # type: ignore[misc]
    """Every second place of a hexagonal grid in axial indices, as the mean or the largest of itself and its neighbours.

    Every second row and column of an axial array are again a hexagonal grid, of twice the spacing. Places beyond the
    edge, and those that `mask` leaves out, do not count.

    Parameters
    ----------
    mode : str
        "average" or "max".
    mask : array_like, optional
        (H, W), as for `HexConv`. `pooled_mask` is that of the outputs.
    **kwargs
        Of `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If an argument is out of range, or inputs are no arrays (B, H, W, C) of the shape of the mask.
    """

    def __init__(self, mode: str = "average", *, mask: ArrayLike | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in ("average", "max"):
            raise ValueError(f"`mode` should be 'average' or 'max'. Received: {mode!r}")
        self.mode = mode
        self.mask = _places.check_mask(mask, n_axes=2)

    @property
    def pooled_mask(self) -> NDArray[np.bool_] | None:
        """Where the outputs have a place, ((H + 1)//2, (W + 1)//2), or None without a mask."""
        return None if self.mask is None else self.mask[::2, ::2]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the shape of the inputs, (B, H, W, C)."""
        _places.check_shape(input_shape, self.mask, n_axes=2)

    def call(self, inputs: Any) -> Any:
        """Return (B, (H + 1)//2, (W + 1)//2, C) for inputs (B, H, W, C)."""
        there = np.ones(inputs.shape[1:3], bool) if self.mask is None else self.mask
        there = ops.cast(there[None, :, :, None], inputs.dtype)  # (1, H, W, 1)
        if self.mode == "max":
            lowest = -1e30
            pooled = reduce(ops.maximum, _around(ops.where(there > 0, inputs, lowest), lowest))
        else:
            pooled = sum(_around(inputs * there, 0.0)) / ops.maximum(sum(_around(there, 0.0)), 1)
        return _masked(pooled, self.pooled_mask)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, (H + 1)//2, (W + 1)//2, C)."""
        batch, height, width, channels = input_shape
        return (batch, *(None if size is None else (size + 1) // 2 for size in (height, width)), channels)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        mask = None if self.mask is None else self.mask.tolist()
        return {**super().get_config(), "mode": self.mode, "mask": mask}


def _steps(rings: int) -> NDArray[np.intp]:
    """Return row and column of a place and of the rings around it, from the place on, (1 + 3·n·(n + 1), 2)."""
    return geometry.hexagon(rings, 1.0).grid - rings


def _around(values: Any, fill: float) -> list[Any]:
    """Return, for every second place, what is at the place and at its six neighbours, (B, (H + 1)//2, (W + 1)//2, C).

    Rows and columns are first taken apart into even and odd ones: neighbours are then the same element of another part,
    or the one before. Slices with a stride would do it too, but their gradients take several times as long.
    """
    height, width, channels = values.shape[1:]
    values = ops.pad(values, [[0, 0], [0, height % 2], [0, width % 2], [0, 0]], constant_values=fill)
    values = ops.reshape(values, (-1, (height + 1) // 2, 2, (width + 1) // 2, 2, channels))
    even, odd = (ops.unstack(rows, axis=3) for rows in ops.unstack(values, axis=2))
    above, right_above = (_one_before(part, 1, fill) for part in odd)
    left, left_below = (_one_before(part, 2, fill) for part in (even[1], odd[1]))
    return [even[0], even[1], left, odd[0], above, left_below, right_above]


def _one_before(values: Any, axis: int, fill: float) -> Any:
    """Return the element before each along an axis, `fill` for the first."""
    padded = ops.pad(values, [[1, 0] if number == axis else [0, 0] for number in range(4)], constant_values=fill)
    return padded[:, :-1] if axis == 1 else padded[:, :, :-1]


def _masked(values: Any, mask: NDArray[np.bool_] | None) -> Any:
    return values if mask is None else values * ops.cast(mask[None, :, :, None], values.dtype)
