"""Augmentation of pictures: whole batches mirrored, shifted, cropped and partly covered at once.

A photograph of a cat stays one when it is mirrored or moved by two pixels. Each function takes pictures and a generator
of random numbers, and returns new pictures of the same type; what it was given stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from showertools import chunks

__all__ = ["cropped", "cutout", "mirrored", "shifted"]


def cropped(pictures: NDArray[np.generic], rng: np.random.Generator, size: int) -> NDArray[np.generic]:
    """Cut a square out of each picture, all places equally likely.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C).
    rng : numpy.random.Generator
        Where the places come from.
    size : int
        Height and width of what is cut out, in pixels; from 1 to the smaller of H and W.

    Returns
    -------
    numpy.ndarray
        (n, size, size, C), a copy.

    Raises
    ------
    ValueError
        If the pictures have another number of axes, or are smaller than the square.
    """
    _check_pictures(pictures)
    if chunks.check_size(size, "size", minimum=1) > min(pictures.shape[1:3]):
        raise ValueError(f"`size` should be at most {min(pictures.shape[1:3])}, that of a picture. Received: {size}")
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (size, size), axis=(1, 2))  # (n, h, w, C, size, size)
    return _chosen(windows, rng)


def cutout(
    pictures: NDArray[np.generic], rng: np.random.Generator, size: int, *, value: float = 0
) -> NDArray[np.generic]:
    """Cover a square of each picture.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C).
    rng : numpy.random.Generator
        Where the places come from.
    size : int
        Height and width of the square, in pixels; at least 1.
    value : float
        What it is covered with, in all channels; 0 is the mean colour of standardised pictures.

    Returns
    -------
    numpy.ndarray
        (n, H, W, C), a copy. The square may hang over an edge: its middle is equally likely to be in any pixel (at that
        pixel's lower right corner, if `size` is even).

    Raises
    ------
    ValueError
        If the pictures have another number of axes, or the size is not a positive integer.

    References
    ----------
    DeVries and Taylor 2017, arXiv 1708.04552.
    """
    _check_pictures(pictures)
    first = -((chunks.check_size(size, "size", minimum=1) - 1) // 2)  # of the square's rows, counted from its middle
    row, column = rng.integers(pictures.shape[1:3], size=(len(pictures), 2)).T
    rows, columns = (
        (np.arange(length) - middle[:, None] >= first) & (np.arange(length) - middle[:, None] < first + size)
        for length, middle in zip(pictures.shape[1:3], (row, column), strict=True)
    )  # (n, H), (n, W)
    changed = pictures.copy()
    changed[rows[:, :, None] & columns[:, None, :]] = value
    return changed


def mirrored(pictures: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.generic]:
    """Mirror each picture left to right with a probability of one half.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C).
    rng : numpy.random.Generator
        Where the choices come from.

    Returns
    -------
    numpy.ndarray
        (n, H, W, C), a copy.

    Raises
    ------
    ValueError
        If the pictures have another number of axes.
    """
    _check_pictures(pictures)
    chosen = rng.integers(2, size=len(pictures)).astype(bool)
    changed = pictures.copy()
    changed[chosen] = pictures[chosen, :, ::-1]
    return changed


def shifted(pictures: NDArray[np.generic], rng: np.random.Generator, largest: int = 2) -> NDArray[np.generic]:
    """Shift each picture by whole pixels, in both directions by up to `largest`, all shifts equally likely.

    What moves in at an edge is the picture reflected there, the outermost row not repeated.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C).
    rng : numpy.random.Generator
        Where the shifts come from.
    largest : int
        From 0 to less than H and W, in pixels.

    Returns
    -------
    numpy.ndarray
        (n, H, W, C), a copy.

    Raises
    ------
    ValueError
        If the pictures have another number of axes, or `largest` is negative or no smaller than a picture.
    """
    _check_pictures(pictures)
    height, width = pictures.shape[1:3]
    if chunks.check_size(largest, "largest", minimum=0) >= min(height, width):
        raise ValueError(
            f"`largest` should be less than {min(height, width)}, the size of a picture. Received: {largest}"
        )
    edges = ((0, 0), (largest, largest), (largest, largest), (0, 0))
    padded = np.pad(pictures, edges, mode="reflect")  # (n, H + 2 * largest, W + 2 * largest, C)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    return _chosen(windows, rng)


def _chosen(windows: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.generic]:
    """Return one window of each picture, (n, height, width, C), of windows (n, rows, columns, C, height, width)."""
    row, column = rng.integers(windows.shape[1:3], size=(len(windows), 2)).T
    return np.ascontiguousarray(windows[np.arange(len(windows)), row, column].transpose(0, 2, 3, 1))


def _check_pictures(pictures: NDArray[np.generic]) -> None:
    if np.ndim(pictures) != 4:
        raise ValueError(f"`pictures` should have the shape (n, H, W, C). Received: {np.shape(pictures)}")
