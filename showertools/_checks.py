"""Checks of arguments that several modules share; each error names the argument and says what it should be."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def numbers(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return real numbers of the type they have, NaN and infinity among them; raise `ValueError` for anything else."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"`{name}` should be an array of numbers. Received: rows of different length") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` should hold real numbers. Received: dtype {array.dtype}")
    return array


def real(values: ArrayLike, name: str) -> Floats:
    """Return real numbers in double precision, NaN and infinity among them; raise `ValueError` for anything else."""
    return numbers(values, name).astype(np.float64)


def finite(values: ArrayLike, name: str) -> Floats:
    """Return finite numbers in double precision; raise `ValueError` if there are others."""
    array = real(values, name)
    n_bad = np.count_nonzero(~np.isfinite(array))
    if n_bad:
        raise ValueError(f"`{name}` should be finite. Received: {n_bad} of {array.size} values NaN or infinite")
    return array


def positive(values: ArrayLike, name: str) -> Floats:
    """Return finite numbers above 0 in double precision; raise `ValueError` if there are others."""
    array = finite(values, name)
    if array.size and array.min() <= 0:
        raise ValueError(f"`{name}` should be positive. Received: {array.min():g}")
    return array


def in_range(values: ArrayLike, name: str, low: float, high: float = np.inf, unit: str = "") -> Floats:
    """Return numbers from `low` to `high` in double precision; raise `ValueError` if there are others, such as NaN."""
    array = real(values, name)
    outside = ~((array >= low) & (array <= high))
    if np.any(outside):
        wanted = f"be at least {low:g}" if high == np.inf else f"lie between {low:g} and {high:.4g}"
        raise ValueError(f"`{name}` should {wanted}{' ' * bool(unit)}{unit}. Received: {array[outside].flat[0]:g}")
    return array


def number(value: Any, name: str, sign: str = "finite") -> None:
    """Raise `ValueError` unless `value` is a number of the sign "positive", "non-negative" or, for any, "finite"."""
    good = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not good or (sign == "positive" and not value > 0) or (sign == "non-negative" and not value >= 0):
        raise ValueError(f"`{name}` should be a {sign} number. Received: {value!r}")


def indices(values: ArrayLike, name: str, length: int) -> NDArray[np.intp]:
    """Return indices (K,) of an axis of this length, at least one; raise `ValueError` for anything else."""
    array = np.asarray(values)
    if array.ndim != 1 or not array.size or array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= length:
        raise ValueError(f"`{name}` should be whole numbers (K,) from 0 to {length - 1}. Received: {values!r}")
    return array.astype(np.intp)


def mass_numbers(masses: Any) -> tuple[int, ...]:
    """Return mass numbers as a tuple; raise `ValueError` if there is none, or one is no whole number from 1 to 56."""
    if not isinstance(masses, Sequence | np.ndarray) or isinstance(masses, str) or len(masses) == 0:
        raise ValueError(f"`mass_numbers` should be a tuple of at least one mass number. Received: {masses!r}")
    for mass_number in masses:
        if not isinstance(mass_number, Integral) or not 1 <= int(mass_number) <= 56:
            raise ValueError(f"`mass_numbers` should be whole numbers from 1 to 56. Received: {mass_number!r}")
    return tuple(int(mass_number) for mass_number in masses)


def broadcast(**arrays: Floats) -> tuple[Floats, ...]:
    """Return arrays, given by their names, in their common shape; raise `ValueError` if they have none."""
    try:
        return tuple(np.broadcast_arrays(*arrays.values()))
    except ValueError:
        names = ", ".join(f"`{name}`" for name in arrays)
        shapes = ", ".join(str(array.shape) for array in arrays.values())
        raise ValueError(f"{names} should have shapes that broadcast. Received: {shapes}") from None


def generator(rng: Any) -> np.random.Generator:
    """Return a source of randomness; raise `ValueError` if it is none, such as a bare seed."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"`rng` should be a numpy.random.Generator. Received: {rng!r}")
    return rng


def pictures(
    counts: ArrayLike, arrival_time: ArrayLike, n_pixels: int | None = None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Check footprints, and return them as arrays with the pixels that hold a muon.

    Parameters
    ----------
    counts, arrival_time : array_like
        (n, H, H) as `footprints.simulate` returns them.
    n_pixels : int, optional
        What H should be; by default the pictures need only be square.

    Returns
    -------
    counts, arrival_time, hit : numpy.ndarray
        (n, H, H).

    Raises
    ------
    ValueError
        If the shapes are others, a count is negative or NaN, or the time of a pixel with a muon is not finite.
    """
    counts, arrival_time = np.asarray(counts), np.asarray(arrival_time)
    side = "H" if n_pixels is None else str(n_pixels)
    square = counts.ndim == 3 and counts.shape[1] == counts.shape[2]
    if not square or (n_pixels is not None and counts.shape[1] != n_pixels):
        raise ValueError(f"`counts` should have the shape (n, {side}, {side}). Received: {counts.shape}")
    if arrival_time.shape != counts.shape:
        raise ValueError(f"`arrival_time` should have the shape {counts.shape}. Received: {arrival_time.shape}")
    if not np.all(counts >= 0):
        raise ValueError("`counts` should be at least 0. Received: negative values or NaN")
    hit = counts > 0
    if not np.all(np.isfinite(arrival_time[hit])):
        raise ValueError("`arrival_time` should be finite wherever a muon came. Received: NaN or infinity")
    return counts, arrival_time, hit
