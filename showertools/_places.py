"""Masks of places that layers share: where on a grid or in a list of pixels there is something at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_] | None


def check_mask(mask: ArrayLike | None, *, n_axes: int | None = None) -> Mask:
    """Return a mask of places, (H, W) or (P,), or None for none; `n_axes` is how many axes it should have.

    Raises
    ------
    ValueError
        If it is not of type bool, has another number of axes, or is true nowhere.
    """
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.ndim != (n_axes or max(array.ndim, 1)) or array.dtype != bool or not array.any():
        wanted = "of shape (H, W)" if n_axes == 2 else "of the shape of the places"
        raise ValueError(
            f"`mask` should be of type bool, {wanted}, true somewhere. "
            f"Received: {array.dtype}, shape {array.shape}, {np.count_nonzero(array)} true"
        )
    return array


def check_shape(shape: tuple[int | None, ...], mask: Mask, *, n_axes: int | None = None) -> None:
    """Raise `ValueError` if inputs (B, ..., C) have other places than the mask, or places of another number of axes."""
    places = tuple(shape[1:-1])
    right_number = len(places) == n_axes if n_axes else len(places) > 0
    if not right_number or None in shape[1:] or (mask is not None and places != mask.shape):
        wanted = "(B, H, W, C)" if n_axes == 2 else "(B, ..., C)"
        if mask is not None:
            wanted = f"(B, {', '.join(map(str, mask.shape))}, C), as the mask has it"
        raise ValueError(f"the inputs should have the shape {wanted}. Received: {shape}")
