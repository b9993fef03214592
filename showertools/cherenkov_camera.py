"""What a camera makes of photoelectrons: charges and times of its pixels, noise, trigger.

The charge of a pixel is what comes in its charge window, in photoelectrons: those of the shower, spread by the
photomultiplier, and those of the night sky, whose mean is subtracted. Its time is the mean of the shower's
photoelectrons, or any time of the readout where the night sky has a brighter moment. Which of the two it is, no
telescope can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from showertools.camera import Camera
from showertools.cherenkov_model import TelescopeModel
from showertools.cherenkov_photons import Photoelectrons

Float32 = NDArray[np.float32]
Integer = NDArray[np.intp]

PULSE = 3.0
"""Photoelectrons within this time look like one pulse [ns]. Our choice."""


class Signals(NamedTuple):
    """Photoelectrons of the shower in each pixel.

    Attributes
    ----------
    number : numpy.ndarray
        (images, pixels).
    time : numpy.ndarray
        Mean time within the readout [ns], (images, pixels), 0 where there is none.
    """

    number: Float32
    time: Float32


class Pictures(NamedTuple):
    """What telescopes record.

    Attributes
    ----------
    image : numpy.ndarray
        Charges [p.e.], (images, pixels).
    peak_time : numpy.ndarray
        [ns] after the readout starts, (images, pixels).
    triggered : numpy.ndarray
        (images,).
    """

    image: Float32
    peak_time: Float32
    triggered: NDArray[np.bool_]


def pixel_at(camera: Camera, longitude: NDArray, latitude: NDArray) -> Integer:
    """Return the pixel at each position.

    Parameters
    ----------
    camera : Camera
        Whose pixels.
    longitude, latitude : numpy.ndarray
        In the telescope frame [degrees], (n,).

    Returns
    -------
    numpy.ndarray
        Number of the pixel whose centre is the nearest, (n,); -1 outside of the camera.
    """
    table, scale = _pixel_table(camera), 1 / camera.pitch
    row = latitude * np.asarray(scale / np.sqrt(0.75), latitude.dtype)
    column = longitude * np.asarray(scale, longitude.dtype) - row / 2
    near_row, near_column = np.rint(row), np.rint(column)
    off_row, off_column = row - near_row, column - near_column
    near_sum = np.rint(row + column)  # the third axial coordinate: where the three disagree, the worst is wrong
    excess, off_sum = near_sum - near_row - near_column, np.abs(row + column - near_sum)
    off_row, off_column = np.abs(off_row), np.abs(off_column)
    near_row += excess * ((off_row > off_column) & (off_row > off_sum))
    near_column += excess * ((off_column >= off_row) & (off_column > off_sum))
    size = table.shape[0] // 2
    inside = (np.abs(near_row) < size) & (np.abs(near_column) < size)
    row_index = np.where(inside, near_row, -size).astype(np.intp) + size
    column_index = np.where(inside, near_column, -size).astype(np.intp) + size
    return np.asarray(table[row_index, column_index])


@lru_cache(maxsize=8)
def _pixel_table(camera: Camera) -> Integer:
    """Return the numbers of the pixels by row and column, counted from the middle, with an empty margin."""
    grid = camera.layout.grid - np.rint(camera.layout.origin).astype(np.intp)
    size = int(np.abs(grid).max()) + 1
    table = np.full((2 * size + 1, 2 * size + 1), -1)
    table[tuple((grid + size).T)] = np.arange(len(grid))
    return table


def collect(
    rng: np.random.Generator, light: Iterable[Photoelectrons], source: NDArray[np.float64], model: TelescopeModel
) -> Signals:
    """Let photoelectrons fall on pixels.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    light : iterable of Photoelectrons
        Lists that together are those of all events.
    source : numpy.ndarray
        Longitude and latitude from which each event comes [degrees], (n, 2).
    model : TelescopeModel
        Gives camera, optics and readout.

    Returns
    -------
    Signals
        Images of n events, telescope after telescope. The readout is centred on the mean time of the light in the
        camera, but for its jitter; what comes outside of it is lost.
    """
    n_images, n_pixels = len(source) * model.n_telescopes, model.camera.n_pixels
    parts = [_seen(rng, part, source, model) for part in light]
    entry = np.concatenate([np.zeros(0, np.int32), *(entry for entry, _ in parts)])  # (P,)
    time = np.concatenate([np.zeros(0, np.float32), *(time for _, time in parts)])
    image = entry // n_pixels
    number = np.bincount(image, minlength=n_images)
    mean = np.bincount(image, time, minlength=n_images) / np.maximum(number, 1)
    start = mean - model.readout_window / 2 + model.readout_jitter * rng.standard_normal(n_images)
    time -= start.astype(np.float32).take(image)
    inside = np.flatnonzero((time >= 0) & (time < model.readout_window))
    entry, time = entry.take(inside), time.take(inside)
    shape = n_images, n_pixels
    count = np.bincount(entry, minlength=n_images * n_pixels).astype(np.float32)
    total = np.bincount(entry, time, minlength=n_images * n_pixels).astype(np.float32)
    total /= np.maximum(count, 1)
    return Signals(count.reshape(shape), total.reshape(shape))


def _seen(
    rng: np.random.Generator, light: Photoelectrons, source: NDArray[np.float64], model: TelescopeModel
) -> tuple[NDArray[np.int32], Float32]:
    """Return the pixels that are hit, counted over all images, and when."""
    position = np.degrees(light.slope)  # (2, P)
    position += rng.standard_normal(position.shape, dtype=np.float32) * np.float32(model.point_spread)
    position += source.astype(np.float32).take(light.image // model.n_telescopes, axis=0).T
    pixel = pixel_at(model.camera, *position)
    seen = np.flatnonzero(pixel >= 0)
    entry = light.image.take(seen) * model.camera.n_pixels + pixel.take(seen)
    return entry.astype(np.int32), light.time.take(seen)


def record(rng: np.random.Generator, signals: Signals, model: TelescopeModel) -> Pictures:
    """Add noise to the signals of pixels, and decide which telescopes trigger.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    signals : Signals
        As `collect` returns them.
    model : TelescopeModel
        Gives night sky, electronics and threshold.

    Returns
    -------
    Pictures
        One for each image.
    """
    shape, mean = signals.number.shape, model.night_sky_charge
    image = rng.poisson(mean, shape).astype(np.float32)
    image += signals.number
    noise = rng.standard_normal(shape, dtype=np.float32)
    noise *= np.sqrt(image * np.float32(model.single_photoelectron_spread**2) + np.float32(model.electronic_noise**2))
    image += noise
    image -= np.float32(mean)
    return Pictures(image, _peak_times(rng, signals, model), triggered(image, model))


def _peak_times(rng: np.random.Generator, signals: Signals, model: TelescopeModel) -> Float32:
    """Return the time of each pixel's peak: the shower's, if it has more photoelectrons than any pulse of the night."""
    window = np.float32(model.readout_window)
    time = rng.random(signals.number.shape, dtype=np.float32)
    time *= window
    lit = np.flatnonzero(signals.number)
    number = signals.number.ravel().take(lit)
    n_pulses = max(model.readout_window / PULSE, 1.0)
    background = model.night_sky_charge * PULSE / model.charge_window
    below = stats.poisson.cdf(np.arange(50), background) ** n_pulses  # of the brightest pulse of the night
    wins = np.flatnonzero(number > np.searchsorted(below, rng.random(len(lit))))
    lit, number = lit.take(wins), number.take(wins)
    spread = np.sqrt(model.transit_time_spread**2 / number + model.time_resolution**2)
    found = signals.time.ravel().take(lit) + spread * rng.standard_normal(len(lit), dtype=np.float32)
    time.ravel()[lit] = np.clip(found, 0, window)
    return time


def triggered(image: NDArray, model: TelescopeModel) -> NDArray[np.bool_]:
    """Return which images have three pixels that touch each other and reach the threshold.

    Parameters
    ----------
    image : numpy.ndarray
        Charges [p.e.], (images, pixels).
    model : TelescopeModel
        Gives camera and threshold.

    Returns
    -------
    numpy.ndarray
        (images,) bool.
    """
    above = np.zeros((len(image), image.shape[1] + 1), bool)  # the last: no neighbour
    above[:, :-1] = image >= model.pixel_threshold
    which, pixel = np.nonzero(above)
    around = above[which[:, None], model.camera.neighbours[pixel]]  # (Q, 6), counter-clockwise
    three = np.any(around & np.roll(around, 1, axis=1), axis=1)
    return np.asarray(np.bincount(which[three], minlength=len(image)) > 0)
