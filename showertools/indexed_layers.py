"""Convolution and pooling over places whose neighbours a table names: they need no grid.

A table (P, K) says which places each output reads: for output p and tap k an index of the inputs, -1 where there is
none. The inputs are (B, P, C), one row a place, as a camera has its pixels. `neighbour_table` makes the table of a
hexagonal layout.

Source: M. Jacquemont et al., Indexed operations for non-rectangular lattices applied to convolutional neural networks,
VISAPP 2019, doi:10.5220/0007364303620371. That pooling leaves out missing neighbours, and how gradients are computed,
is our choice.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from showertools import chunks, geometry

__all__ = ["IndexedConv", "IndexedPool", "every_second", "neighbour_table"]

Integer = NDArray[np.intp]


@keras.saving.register_keras_serializable(package="showertools")
class IndexedConv(keras.layers.Layer):  # type: ignore[misc]
    """Convolution over places whose neighbours a table names.

    Each tap of the kernel has its own weights. A missing neighbour counts as 0. With the table of `neighbour_table` it
    is `layers.HexConv` on places in place of arrays, with the same kernel.

    All neighbours of all places are gathered, and multiplied by the kernel as one matrix. The gradient is another such
    convolution, with the inverse table: which output reads a place by a tap. So it gathers, too, where the automatic
    gradient would add numbers up place by place. This takes a table in which a tap reads no place twice, as all tables
    of neighbours are; with others the gradient is the automatic one.

    Parameters
    ----------
    filters : int
        Number of channels that come out, at least 1.
    table : array_like
        (P_out, K) indices of the places that come in, -1 for none.
    activation, use_bias, kernel_initializer, bias_initializer, kernel_regularizer
        As of `keras.layers.Conv1D`.
    **kwargs
        Of `keras.layers.Layer`, such as `name` and `dtype`.

    Attributes
    ----------
    kernel : keras.Variable
        (K, C, filters) in the order of the table's columns.

    Raises
    ------
    ValueError
        If an argument is out of range, or inputs are no arrays (B, P, C) with all places of the table.

    Examples
    --------
    >>> layout = geometry.hexagon(4, 1500.0)  # 61 stations
    >>> layer = IndexedConv(16, neighbour_table(layout), activation="relu")
    >>> layer(np.ones((2, 61, 3), np.float32)).shape
    TensorShape([2, 61, 16])
    """

    def __init__(
        self,
        filters: int,
        table: ArrayLike,
        *,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = chunks.check_size(filters, "filters", minimum=1)
        self.table = _table(table)
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights for inputs (B, P, C)."""
        n_places, n_channels = _check_shape(input_shape, self.table)
        self.kernel = self.add_weight(
            shape=(self.table.shape[1], n_channels, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(shape=(self.filters,), initializer=self.bias_initializer, name="bias")
        self._inverse = _inverse(self.table, n_places)

    def call(self, inputs: Any) -> Any:
        """Return (B, P_out, filters) for inputs (B, P, C)."""
        kernel = ops.reshape(self.kernel, (-1, self.filters))  # (K·C, F)
        if self._inverse is None:
            outputs = _product(_columns(inputs, self.table), kernel, len(self.table))
        else:
            outputs = _convolution(self.table, self._inverse)(inputs, kernel)
        if self.bias is not None:
            outputs = outputs + self.bias
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, P_out, filters)."""
        return (input_shape[0], len(self.table), self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "table": self.table.tolist(),
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="showertools")
class IndexedPool(keras.layers.Layer):  # type: ignore[misc]
    """The mean or the largest of places that a table names; a missing neighbour does not count.

    With the table `neighbour_table(layout)[every_second(layout)[1]]` it is `layers.HexPool` on places in place of
    arrays.

    Parameters
    ----------
    mode : str
        "average" or "max".
    table : array_like
        (P_out, K) indices of the places that come in, -1 for none; at least one in each row.
    **kwargs
        Of `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If an argument is out of range, or inputs are no arrays (B, P, C) with all places of the table.
    """

    def __init__(self, mode: str = "average", *, table: ArrayLike, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in ("average", "max"):
            raise ValueError(f"`mode` should be 'average' or 'max'. Received: {mode!r}")
        self.mode = mode
        self.table = _table(table)
        n_alone = np.count_nonzero(np.all(self.table < 0, axis=1))
        if n_alone:
            raise ValueError(f"`table` should name a place in each row. Received: {n_alone} rows without one")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check the shape of the inputs, (B, P, C)."""
        _check_shape(input_shape, self.table)

    def call(self, inputs: Any) -> Any:
        """Return (B, P_out, C) for inputs (B, P, C)."""
        fill = -1e30 if self.mode == "max" else 0.0
        padded = ops.pad(inputs, [[0, 0], [0, 1], [0, 0]], constant_values=fill)
        index = _last_for_none(self.table, inputs.shape[1])
        taps = (ops.take(padded, index[:, tap], axis=1) for tap in range(index.shape[1]))
        if self.mode == "max":
            return reduce(ops.maximum, taps)
        number = np.sum(self.table >= 0, axis=1)[None, :, None]
        return sum(taps) / ops.cast(number, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, P_out, C)."""
        return (input_shape[0], len(self.table), input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "mode": self.mode, "table": self.table.tolist()}


def neighbour_table(layout: geometry.Layout, rings: int = 1) -> Integer:
    """Return which places lie around each place of a hexagonal layout, itself among them.

    Parameters
    ----------
    layout : geometry.Layout
        Hexagonal, of P places.
    rings : int
        How many rings of neighbours, at least 1.

    Returns
    -------
    numpy.ndarray
        (P, 1 + 3·n·(n + 1)) indices, -1 where there is no place; columns in the order of `layers.HexConv.kernel`, row
        after row, the place itself in the middle.

    Raises
    ------
    ValueError
        If the layout is not hexagonal, or the number is out of range.

    Examples
    --------
    >>> neighbour_table(geometry.hexagon(1, 1.0))[3]  # the middle of seven places
    array([0, 1, 2, 3, 4, 5, 6])
    """
    _check_layout(layout)
    chunks.check_size(rings, "rings", minimum=1)
    steps = geometry.hexagon(rings, 1.0).grid - rings
    places = np.full(layout.grid.max(axis=0) + 1 + 2 * rings, -1)  # with an empty margin
    places[tuple(layout.grid.T + rings)] = np.arange(len(layout))
    around = layout.grid[:, None, :] + rings + steps  # (P, K, 2)
    return np.asarray(places[around[..., 0], around[..., 1]])


def every_second(layout: geometry.Layout) -> tuple[geometry.Layout, Integer]:
    """Return every second place of a hexagonal layout in both axial directions, as a layout of twice the spacing.

    Parameters
    ----------
    layout : geometry.Layout
        Hexagonal.

    Returns
    -------
    coarse : geometry.Layout
        The places that `layers.HexPool` keeps.
    index : numpy.ndarray
        (places of `coarse`,) which of `layout` they are.

    Raises
    ------
    ValueError
        If the layout is not hexagonal.
    """
    _check_layout(layout)
    index = np.flatnonzero(np.all(layout.grid % 2 == 0, axis=1))
    row, column = layout.origin
    coarse = replace(
        layout, grid=layout.grid[index] // 2, spacing=2 * layout.spacing, indexing="axial", origin=(row / 2, column / 2)
    )
    return coarse, index


def _convolution(table: Integer, inverse: Integer) -> Any:
    """Return a function of inputs (B, P, C) and kernel (K·C, F) whose gradient gathers by the inverse table."""
    n_taps = table.shape[1]

    def convolve(inputs: Any, kernel: Any) -> tuple[Any, Any]:
        n_channels, n_filters = inputs.shape[2], kernel.shape[1]

        def gradient(*args: Any, upstream: Any = None) -> tuple[Any, Any]:
            columns = _columns(args[0] if upstream is None else upstream, inverse)  # (B·P, K·F)
            turned = ops.transpose(ops.reshape(kernel, (n_taps, n_channels, n_filters)), (0, 2, 1))
            of_inputs = _product(columns, ops.reshape(turned, (n_taps * n_filters, n_channels)), len(inverse))
            flat = ops.reshape(inputs, (-1, n_channels))  # (B·P, C)
            of_kernel = ops.reshape(ops.matmul(ops.transpose(flat), columns), (n_channels, n_taps, n_filters))
            return of_inputs, ops.reshape(ops.transpose(of_kernel, (1, 0, 2)), (n_taps * n_channels, n_filters))

        return _product(_columns(inputs, table), kernel, len(table)), gradient

    return ops.custom_gradient(convolve)


def _columns(values: Any, table: Integer) -> Any:
    """Return what the taps read of values (B, P, C), one row an output: (B·P_out, K·C)."""
    padded = ops.pad(values, [[0, 0], [0, 1], [0, 0]])  # the last place is 0: an index of -1 would wrap to it
    columns = ops.take(padded, _last_for_none(table, values.shape[1]), axis=1)  # (B, P_out, K, C)
    return ops.reshape(columns, (-1, table.shape[1] * values.shape[2]))


def _product(columns: Any, kernel: Any, n_outputs: int) -> Any:
    """Return (B, P_out, F) for columns (B·P_out, K·C) and a kernel (K·C, F)."""
    return ops.reshape(ops.matmul(columns, kernel), (-1, n_outputs, kernel.shape[1]))


def _last_for_none(table: Integer, n_places: int) -> NDArray[np.int32]:
    return np.where(table < 0, n_places, table).astype(np.int32)


def _inverse(table: Integer, n_places: int) -> Integer | None:
    """Return which output reads each place by each tap, (P, K), -1 for none; None if a tap reads a place twice."""
    inverse = np.full((n_places, table.shape[1]), -1)
    output, tap = np.nonzero(table >= 0)
    inverse[table[output, tap], tap] = output
    return inverse if np.count_nonzero(inverse >= 0) == len(output) else None


def _table(table: ArrayLike) -> Integer:
    array = np.asarray(table)
    if array.ndim != 2 or array.dtype.kind not in "iu" or not array.size or array.min() < -1 or array.max() < 0:
        raise ValueError(
            "`table` should be whole numbers (P, K) from -1 on, not all of them -1. "
            f"Received: {array.dtype}, shape {array.shape}"
        )
    return array.astype(np.intp)


def _check_shape(shape: tuple[int | None, ...], table: Integer) -> tuple[int, int]:
    """Return the number of places and of channels."""
    if len(shape) != 3 or shape[1] is None or shape[2] is None or shape[1] <= table.max():
        raise ValueError(
            f"the inputs should have the shape (B, P, C), with P at least {table.max() + 1}, as the table has it. "
            f"Received: {shape}"
        )
    return shape[1], shape[2]


def _check_layout(layout: Any) -> None:
    if not isinstance(layout, geometry.Layout) or not layout.is_hexagonal:
        raise ValueError(f"`layout` should be a hexagonal geometry.Layout. Received: {layout!r:.60}")
