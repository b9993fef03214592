"""Trained weights as small files: all numbers of a network in one row of 16 bits, with what they were made by.

The file is a data set (`datasets.save`), so it carries a checksum and is never unpickled; the network itself is built
by the lesson's code, and the file only says what stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from showertools import chunks, datasets
from showertools.storage import DatasetError, PathLike

if TYPE_CHECKING:
    import keras

__all__ = ["load", "save"]

_HALF = 11  # significant bits of a number of 16 bits


def save(
    path: PathLike,
    models: keras.Model | Sequence[keras.Model],
    *,
    attributes: Mapping[str, Any],
    significant_bits: int = _HALF,
) -> None:
    """Save the weights of a network, or of several that are built alike.

    Parameters
    ----------
    path : path
        File to write, HDF5.
    models : keras.Model or sequence of keras.Model
        Networks; all weights are stored, also those that are not trained, as numbers of 16 bits: to 0.0005 of a weight.
    attributes : dict
        What they were made with; `command` is the command that makes the file again.
    significant_bits : int
        Round weights to so many binary digits, from 2 to 11: with 8, to 0.2 % of each, the file is a fifth smaller.

    Raises
    ------
    ValueError
        If `significant_bits` is out of range, there is no network, networks differ in the shapes of their weights, or a
        weight is beyond ±65,504 or NaN.
    OSError
        As `datasets.save`.
    """
    if not 2 <= chunks.check_size(significant_bits, "significant_bits", minimum=2) <= _HALF:
        raise ValueError(f"`significant_bits` should be at most {_HALF}. Received: {significant_bits}")
    members = list(models) if isinstance(models, Sequence) else [models]
    layouts = [_shapes(model) for model in members]
    if not members or any(layout != layouts[0] for layout in layouts):
        raise ValueError(f"`models` should be networks with the same shapes of weights. Received: {layouts}")
    with np.errstate(over="ignore"):
        rows = np.array(
            [_rounded(_flat(model), significant_bits) for model in members], np.float16
        )  # (members, weights)
    if not np.all(np.isfinite(rows)):
        raise ValueError(
            f"`models` should have weights of at most 65504. Received: {np.sum(~np.isfinite(rows))} others"
        )
    datasets.save(path, {"weight": rows.T}, attributes={**attributes, "shapes": layouts[0]})


def load(path: PathLike, models: keras.Model | Sequence[keras.Model]) -> dict[str, Any]:
    """Put saved weights into a network, or into several.

    Parameters
    ----------
    path : path
        A file that `save` wrote, such as `datasets.data_file("cifar10_best.h5")`.
    models : keras.Model or sequence of keras.Model
        As many networks as the file holds, built as those that were saved; left as they are if the file does not fit.

    Returns
    -------
    dict
        The attributes that were saved.

    Raises
    ------
    ValueError
        If the file holds weights of other shapes or of another number of networks.
    ValueError, FileNotFoundError
        As `datasets.load`.
    """
    members = list(models) if isinstance(models, Sequence) else [models]
    attributes = datasets.attributes(path)
    rows = datasets.load(path, ["weight"])["weight"].T.astype(np.float32)
    shapes: list[list[int]] = attributes.get("shapes", [])
    if rows.ndim != 2 or len(rows) != len(members):
        raise DatasetError(f"{path} holds the weights of {len(rows)} networks. Received: {len(members)} networks")
    for model in members:
        if _shapes(model) != shapes:
            raise DatasetError(
                f"{path} holds weights of the shapes {shapes}. Received: a network with {_shapes(model)}"
            )
    for model, row in zip(members, rows, strict=True):
        parts = np.split(row, np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1])
        model.set_weights([part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)])
    return attributes


def _shapes(model: keras.Model) -> list[list[int]]:
    return [[int(size) for size in weight.shape] for weight in model.weights]


def _flat(model: keras.Model) -> NDArray[np.float32]:
    return np.concatenate([np.ravel(values) for values in model.get_weights()])


def _rounded(values: NDArray[np.float32], significant_bits: int) -> NDArray[np.float32]:
    """Return the nearest numbers with so many binary digits; of 16-bit numbers all, they are left to the conversion."""
    if significant_bits == _HALF:
        return values
    mantissa, exponent = np.frexp(values)  # 0.5 <= |mantissa| < 1
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, significant_bits)), exponent - significant_bits))
