"""The eight symmetries of a square picture: four turns, each with and without a mirror.

A vertical shower looks the same from all sides, so each training picture stands for eight, and a prediction may be
averaged over the eight copies of what it looks at. Source: our choice; the idea is common in the field.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

N_SYMMETRIES = 8
"""Four turns, with and without a mirror."""


def turned(pictures: NDArray[np.generic], number: int) -> NDArray[np.generic]:
    """Turn and mirror square pictures.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, H, C).
    number : int
        Which of the eight symmetries: 0 changes nothing, 0 to 3 turn by that many right angles, 4 to 7 also mirror.

    Returns
    -------
    numpy.ndarray
        (n, H, H, C), contiguous.

    Raises
    ------
    ValueError
        If the pictures are not square or the number is not one of 0 to 7.
    """
    pictures = np.asarray(pictures)
    if pictures.ndim != 4 or pictures.shape[1] != pictures.shape[2]:
        raise ValueError(f"`pictures` should have the shape (n, H, H, C). Received: {pictures.shape}")
    if number not in range(N_SYMMETRIES):
        raise ValueError(f"`number` should lie between 0 and {N_SYMMETRIES - 1}. Received: {number!r}")
    copies = np.rot90(pictures, number % 4, axes=(1, 2))
    return np.ascontiguousarray(copies[:, :, ::-1] if number >= 4 else copies)


def averaged(
    predict: Callable[[NDArray[np.generic]], NDArray[np.floating]], pictures: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Average a prediction over the eight copies of each picture.

    Parameters
    ----------
    predict : callable
        Takes pictures (n, H, H, C), returns (n, ...), such as `model.predict_on_batch`.
    pictures : numpy.ndarray
        (n, H, H, C).

    Returns
    -------
    numpy.ndarray
        (n, ...); it does not change when the pictures are turned or mirrored.
    """
    copies = [np.asarray(predict(turned(pictures, number))) for number in range(N_SYMMETRIES)]
    return np.asarray(np.mean(copies, axis=0, dtype=np.float64))
