"""The steps of the footprint toy for one shower, written as the formulas are.

Lesson 31 builds a shower from these; `showertools.footprints` does the same for thousands of showers at once, in pixels
and single precision, for speed. `tests/test_footprint_steps.py` compares the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, atmosphere, chunks, footprints
from showertools.footprint_model import FootprintModel

Float = NDArray[np.float64]


def draw_heights(
    rng: np.random.Generator,
    xmax: float,
    mass_number: int,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
) -> Float:
    """Draw how many muons a shower makes, and at which heights.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    xmax : float
        Depth of the shower maximum [g/cm²].
    mass_number : int
        Mass number of the primary.
    model : FootprintModel
        Parameters of the toy.

    Returns
    -------
    numpy.ndarray
        (M,) heights above the ground [m]; muons that would be made below the ground are left out.

    Raises
    ------
    ValueError
        If Xmax or mass number is out of range, or `rng` is something else.
    """
    _checks.generator(rng)
    _checks.in_range(xmax, "xmax", 0, footprints.DEEPEST_XMAX, "g/cm²")
    _checks.in_range(mass_number, "mass_number", 1, 56)
    shape = float(model.fluctuation(mass_number)) ** -2
    n_drawn = rng.poisson(model.mean_muons(mass_number) * rng.gamma(shape) / shape)
    depth = rng.normal(model.depth(xmax, mass_number), model.width(mass_number), n_drawn)
    depth = depth[(depth > 0) & (depth < model.ground_depth)]
    return atmosphere.height_at_depth(depth) - model.observation_level


def land(height: ArrayLike, slope: ArrayLike, core: ArrayLike = (0.0, 0.0), start: float = 0.0) -> tuple[Float, Float]:
    """Let muons fly on straight lines from the axis to the ground.

    Parameters
    ----------
    height : array_like
        (M,) height above the ground at which each muon was made [m].
    slope : array_like
        (2, M) metres to the east and to the north that it flies for each metre down.
    core : array_like
        (2,) where the axis meets the ground [m].
    start : float
        When the front reaches the ground [ns].

    Returns
    -------
    position : numpy.ndarray
        (2, M) where each muon lands [m].
    time : numpy.ndarray
        (M,) when it lands [ns].

    Raises
    ------
    ValueError
        If the shapes do not fit together or a number is not finite.
    """
    height, slope, core = (
        _checks.finite(values, name) for values, name in ((height, "height"), (slope, "slope"), (core, "core"))
    )
    _check_shape(slope, "slope", (2, height.size))
    _check_shape(core, "core", (2,))
    offset = slope * height  # (2, M), from the core
    time = start + footprints.delay(height, np.hypot(offset[0], offset[1]))
    return core[:, None] + offset, np.asarray(time)


def picture(position: ArrayLike, time: ArrayLike, n_pixels: int = 32, pixel_size: float = 30.0) -> tuple[Float, Float]:
    """Fill the pixels: how many muons, and when the first.

    Parameters
    ----------
    position : array_like
        (2, M) x and y where each muon landed [m]; the picture's centre is at (0, 0).
    time : array_like
        (M,) when it landed [ns].
    n_pixels : int
        Pixels along each side.
    pixel_size : float
        Side of a pixel [m].

    Returns
    -------
    counts : numpy.ndarray
        (n_pixels, n_pixels) muons; rows are y, columns x. Muons beside the picture are not counted.
    arrival_time : numpy.ndarray
        (n_pixels, n_pixels) time of the first muon [ns], NaN where none came.

    Raises
    ------
    ValueError
        If the shapes do not fit together, a number is not finite, or the pixels have no size.
    """
    position, time = _checks.finite(position, "position"), _checks.finite(time, "time")
    _check_shape(position, "position", (2, time.size))
    chunks.check_size(n_pixels, "n_pixels", minimum=1)
    column, row = np.floor(position / _checks.positive(pixel_size, "pixel_size") + n_pixels / 2).astype(int)
    seen = (column >= 0) & (column < n_pixels) & (row >= 0) & (row < n_pixels)
    pixel = (row[seen], column[seen])
    counts = np.zeros((n_pixels, n_pixels))
    np.add.at(counts, pixel, 1)
    arrival_time = np.full((n_pixels, n_pixels), np.inf)
    np.minimum.at(arrival_time, pixel, time[seen])
    return counts, np.where(counts > 0, arrival_time, np.nan)


def _check_shape(values: Float, name: str, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"`{name}` should have the shape {shape}. Received: {values.shape}")
