"""Figures of many small pictures: photographs, filters, activations."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, chunks

__all__ = ["filters", "pictures"]


def pictures(
    images: ArrayLike,
    *,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    size: float = 1.2,
    cmap: str = "gray",
    figure: Figure | None = None,
) -> Figure:
    """Draw pictures in a grid, row by row, without axes.

    Parameters
    ----------
    images : array_like
        (n, H, W, 3) in colour, or (n, H, W): whole numbers of 0 to 255 or numbers of 0 to 1 in colour, any else.
    titles : sequence of str, optional
        (n,) what to write above each.
    columns : int
        Pictures in a row.
    size : float
        Width of a picture, in inches.
    cmap : str
        Colour map of pictures without colour; each is scaled from its least to its greatest value.
    figure : matplotlib.figure.Figure, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.figure.Figure
        One axes a picture.

    Raises
    ------
    ValueError
        If there is no picture, or shapes, values or the number of titles do not fit.

    Examples
    --------
    >>> pictures(train["image"][:16], titles=[CLASSES[label] for label in train["label"][:16]])  # doctest: +SKIP
    """
    images = np.asarray(images)
    if not len(np.atleast_1d(images)) or not (images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3)):
        raise ValueError(f"`images` should have the shape (n, H, W, 3) or (n, H, W). Received: {images.shape}")
    if images.ndim == 4 and images.dtype != np.uint8 and not (np.min(images) >= 0 and np.max(images) <= 1):
        raise ValueError(
            "`images` in colour should be whole numbers of 8 bits, or numbers from 0 to 1. Received: "
            f"{images.dtype} from {np.min(images):g} to {np.max(images):g}"
        )
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"`titles` should hold {len(images)} titles. Received: {len(titles)}")
    columns = min(chunks.check_size(columns, "columns", minimum=1), len(images))
    rows = -(-len(images) // columns)
    if figure is None:
        height = size * rows * images.shape[1] / images.shape[2] + (0.25 * rows if titles is not None else 0)
        figure = plt.figure(figsize=(size * columns, height), layout="constrained")
    for place, image in enumerate(images):
        ax = figure.add_subplot(rows, columns, place + 1)
        ax.imshow(image, cmap=cmap)
        ax.set_axis_off()
        if titles is not None:
            ax.set_title(titles[place], fontsize=8)
    return figure


def filters(kernel: ArrayLike) -> NDArray[np.float64]:
    """Return the filters of a convolution as pictures: mid-grey is 0, the largest weight of each is full colour.

    Parameters
    ----------
    kernel : array_like
        (H, W, C, n), as Keras keeps it.

    Returns
    -------
    numpy.ndarray
        (n, H, W, C) from 0 to 1. A filter of zeros is grey.

    Raises
    ------
    ValueError
        If the kernel has other axes or is not finite.
    """
    weights = _checks.finite(kernel, "kernel")
    if weights.ndim != 4:
        raise ValueError(f"`kernel` should have the shape (H, W, C, n). Received: {weights.shape}")
    weights = np.moveaxis(weights, 3, 0)  # (n, H, W, C)
    largest = np.max(np.abs(weights), axis=(1, 2, 3), keepdims=True)
    return 0.5 + 0.5 * weights / np.where(largest > 0, largest, 1)
