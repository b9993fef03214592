"""What networks read of the images of a telescope: a window around the light, in the shower's own frame.

Most pixels see nothing but the night sky. A window of 32 by 32 pixels around the centroid holds nearly all light, and
the image of a shower is the same wherever in the camera it lies. In axial indices the window is a plain piece of an
array. Four pixels that touch are put into one place with four times as many channels: every second row and every second
column are again a hexagonal grid, so that `layers.HexConv` reads the folded window, for a quarter of the cost.

Beside charge and time each pixel says where it lies along and across the axis of the image. So the network need not
find the axis anew for each direction, and it says where the shower comes from in the same frame: along and across.

The direction of the axis in which light arrives later is taken as the positive one. All of this is our choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showertools import chunks, hillas
from showertools.camera import Camera, check_images
from showertools.chunks import Events
from showertools.telescope_events import BOUNDARY_THRESH, NEIGHBOURS, PICTURE_THRESH

__all__ = [
    "CHANNELS",
    "SHOWER_INPUTS",
    "WINDOW",
    "Frame",
    "direction",
    "frame",
    "inputs",
    "mirrored",
    "targets",
    "turned_by_180",
]

Float = NDArray[np.floating]

WINDOW = 32
"""Pixels along each side of the window; even."""
CHANNELS = ("charge", "time", "along", "across")
"""What each of the four pixels of a place has. The last channel of a place is the share of them that exist."""
SHOWER_INPUTS = ("log10_intensity", "distance_from_centre")
"""What the network reads beside the window."""

_ACROSS = CHANNELS.index("across")
_CHARGE_UNIT = 4.0  # p.e.: below it charges count as they are, above it by their logarithm
_TIME_UNIT, _LATEST = 5.0, 3.0  # ns, and in these units
_BRIGHT = 6.0  # p.e.: from here on a pixel's time and place count in full
_ALONG_UNIT, _ACROSS_UNIT = 0.5, 0.25  # degrees
_USUAL_LOG_INTENSITY = 2.3


class Frame(NamedTuple):
    """Where and when the light of n images lies.

    Attributes
    ----------
    centroid : numpy.ndarray
        (n, 2) longitude and latitude [degrees].
    axis : numpy.ndarray
        (n, 2) unit vector along the image, in the direction in which light arrives later.
    time : numpy.ndarray
        (n,) mean arrival time [ns].
    intensity : numpy.ndarray
        (n,) charge of the pixels that count [p.e.].
    """

    centroid: Float
    axis: Float
    time: Float
    intensity: Float

    @property
    def across(self) -> Float:
        """Unit vectors to the left of the axis, (n, 2)."""
        return _units(self.axis)[1]


def frame(image: Float, peak_time: Float, camera: Camera) -> Frame:
    """Return the frame of each shower from the moments of its light.

    Parameters
    ----------
    image, peak_time : numpy.ndarray
        (n, P) [p.e.] and [ns]. Charges and times that are not finite count as 0.
    camera : Camera
        Of P pixels.

    Returns
    -------
    Frame
        From the pixels that a cleaning keeps; where it keeps fewer than three, from all of at least 6 p.e. and the
        brightest one. So every image has a frame, also those that have no Hillas parameters.

    Raises
    ------
    ValueError
        If the arrays do not fit the camera.
    """
    image = np.nan_to_num(check_images(camera, image, "image"), posinf=0.0, neginf=0.0).astype(np.float32)
    peak_time = np.nan_to_num(check_images(camera, peak_time, "peak_time", len(image)), posinf=0.0, neginf=0.0)
    counts = hillas.tailcuts_clean(camera, image, PICTURE_THRESH, BOUNDARY_THRESH, NEIGHBOURS, workers=1)
    poor = counts.sum(axis=1) < 3
    counts[poor] = (image[poor] >= _BRIGHT) | (image[poor] == image[poor].max(axis=1, keepdims=True))
    charge = np.where(counts, np.maximum(image, 0), 0)
    intensity = charge.sum(axis=1)
    share = charge / np.maximum(intensity, 1e-6)[:, None]  # (n, P)

    x, y = camera.positions.T.astype(np.float32)
    centroid = share @ np.stack([x, y], axis=1)
    xx, yy, xy = (share @ np.stack([x * x, y * y, x * y], axis=1)).T
    cx, cy = centroid.T
    psi = np.arctan2(2 * (xy - cx * cy), xx - yy - cx**2 + cy**2) / 2
    axis = np.stack([np.cos(psi), np.sin(psi)], axis=1)
    time = (share * peak_time).sum(axis=1)
    slope = ((share * (peak_time - time[:, None])) @ np.stack([x, y], axis=1) * axis).sum(axis=1)
    return Frame(centroid, np.where(slope < 0, -1, 1)[:, None] * axis, time, intensity)


def inputs(events: Events, camera: Camera, *, workers: int | None = None) -> Events:
    """Return what a network reads of each image, and the frame in which it reads it.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `image` and `peak_time`, (n, P).
    camera : Camera
        Of P pixels.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `window` (n, 16, 16, 17) float16: four times `CHANNELS`, then the share of the four pixels that exist. Charges
        are arsinh(charge/4 p.e.), times after the mean one in 5 ns, places along and across in 0.5° and 0.25°; times
        and places fade out for pixels below 6 p.e. `shower` (n, 2) float32, `SHOWER_INPUTS`: about 0. `centroid` and
        `axis`, (n, 2) as of `frame`.

    Raises
    ------
    ValueError
        If the arrays do not fit the camera.
    """
    image, peak_time = events["image"], events["peak_time"]
    table, place = _window_table(camera)

    def work(some: slice) -> Events:
        found = frame(image[some], peak_time[some], camera)
        channels = _channels(image[some], peak_time[some], found, camera)  # (n, P + 1, C)
        middle = ((camera.positions[None] - found.centroid[:, None]) ** 2).sum(axis=2).argmin(axis=1)
        row, column = place[middle].T
        steps = np.arange(WINDOW)
        pixels = _folded(table[row[:, None, None] + steps[:, None], column[:, None, None] + steps])  # (n, 16, 16, 4)
        flat = np.take_along_axis(channels, pixels.reshape(len(pixels), WINDOW**2, 1), axis=1)
        window = flat.reshape(*pixels.shape[:3], 4 * len(CHANNELS))
        exists = (pixels < camera.n_pixels).mean(axis=3, keepdims=True).astype(np.float16)
        log_intensity = np.log10(np.maximum(found.intensity, 1)) - _USUAL_LOG_INTENSITY
        return {
            "window": np.concatenate([window, exists], axis=3),
            "shower": np.stack([log_intensity, np.hypot(*found.centroid.T)], axis=1).astype(np.float32),
            "centroid": found.centroid.astype(np.float32),
            "axis": found.axis.astype(np.float32),
        }

    return chunks.in_parts(work, len(image), workers)


def targets(events: Events, seen: Events) -> Events:
    """Return what a network learns: NaN where a proton has nothing to teach.

    Parameters
    ----------
    events : dict of numpy.ndarray
        The truth, as `telescope_events.gammas_and_protons` returns it.
    seen : dict of numpy.ndarray
        What `inputs` returned for these events.

    Returns
    -------
    dict of numpy.ndarray
        float32: `energy` (n, 1), log10(E/TeV), and `direction` (n, 2), the place of the source along and across the
        image's axis from its centroid [degrees], both NaN for protons; `particle` (n, 1), 1 for gamma rays.
    """
    is_gamma = (events["true_shower_primary_id"] == 0)[:, None]
    source = np.stack([events["true_fov_lon"], events["true_fov_lat"]], axis=1) - seen["centroid"]
    departure = np.stack([np.sum(source * unit, axis=1) for unit in _units(seen["axis"])], axis=1)
    energy = np.log10(events["true_energy"])[:, None]
    return {
        "energy": np.where(is_gamma, energy, np.nan).astype(np.float32),
        "direction": np.where(is_gamma, departure, np.nan).astype(np.float32),
        "particle": is_gamma.astype(np.float32),
    }


def direction(predicted: Float, seen: Events) -> Float:
    """Return longitude and latitude (n, 2) [degrees] of sources at (n, 2) along and across the axes of images."""
    return np.asarray(seen["centroid"] + sum(predicted[:, [k]] * unit for k, unit in enumerate(_units(seen["axis"]))))


def mirrored(window: Float) -> Float:
    """Return windows (B, H, H, C) in a mirror: rows and columns of axial indices change places, across its sign."""
    pixels, exists = _unfolded(np.swapaxes(window, 1, 2))
    pixels = np.swapaxes(pixels, 3, 4).copy()
    pixels[..., _ACROSS] *= -1
    return np.concatenate([pixels.reshape(*exists.shape[:3], -1), exists], axis=3)


def turned_by_180(window: Float) -> Float:
    """Return windows (B, H, H, C) turned by 180°; the shower's frame turns with them."""
    pixels, exists = _unfolded(window[:, ::-1, ::-1])
    return np.concatenate([pixels[:, :, :, ::-1, ::-1].reshape(*exists.shape[:3], -1), exists], axis=3)


def _channels(image: Float, peak_time: Float, found: Frame, camera: Camera) -> Float:
    """Return what each pixel has, and a pixel that does not exist, (n, P + 1, C) float16."""
    image, peak_time = (np.nan_to_num(values, posinf=0.0, neginf=0.0) for values in (image, peak_time))
    away = camera.positions[None].astype(np.float32) - found.centroid[:, None]  # (n, P, 2)
    along, across = (np.einsum("npc,nc->np", away, unit) for unit in (found.axis, found.across))
    weight = np.clip(image / _BRIGHT, 0, 1)
    late = np.clip((peak_time - found.time[:, None]) / _TIME_UNIT, -_LATEST, _LATEST)
    charge = np.arcsinh(image / _CHARGE_UNIT)
    channels = np.stack([charge, weight * late, weight * along / _ALONG_UNIT, weight * across / _ACROSS_UNIT], axis=2)
    return np.pad(channels.astype(np.float16), ((0, 0), (0, 1), (0, 0)))


def _window_table(camera: Camera) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the axial array of the pixels' numbers in a wide frame of nothing (P), and each pixel's place in it."""
    place = camera.layout.array_index("axial")
    numbers = camera.layout.to_array(np.arange(camera.n_pixels), "axial", fill=camera.n_pixels)
    return np.pad(numbers, WINDOW // 2, constant_values=camera.n_pixels), place


def _folded(pixels: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the 2 by 2 elements of each place in a new axis, (n, H, H, 4) of (n, 2·H, 2·H)."""
    half = WINDOW // 2
    return pixels.reshape(-1, half, 2, half, 2).transpose(0, 1, 3, 2, 4).reshape(-1, half, half, 4)


def _unfolded(window: Float) -> tuple[Float, Float]:
    """Return the channels of the four pixels (B, H, H, 2, 2, C) and the share that exists (B, H, H, 1)."""
    return window[..., :-1].reshape(*window.shape[:3], 2, 2, len(CHANNELS)), window[..., -1:]


def _units(axis: Float) -> tuple[Float, Float]:
    """Return the unit vectors along and across, (n, 2) each."""
    return axis, np.stack([-axis[:, 1], axis[:, 0]], axis=1)
