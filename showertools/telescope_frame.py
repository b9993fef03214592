"""Directions in the sky, by altitude and azimuth, and in the telescope frame, by longitude and latitude.

The telescope frame, as ctapipe calls it, has its origin where the telescope points; longitude grows with azimuth,
latitude with altitude, and a pixel looks to one place in it, wherever the telescope points. It is the frame in which
networks and image parameters tell where a shower comes from. Azimuth counts from north over east.

Unit vectors have the components of ctapipe's ground frame: to the north, to the west, and up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks

Float = NDArray[np.float64]


class Axes(NamedTuple):
    """Unit vectors of the telescope frame.

    Attributes
    ----------
    pointing : numpy.ndarray
        Where the telescope looks, (..., 3).
    longitude, latitude : numpy.ndarray
        Where these grow, (..., 3).
    """

    pointing: Float
    longitude: Float
    latitude: Float


def unit_vector(alt: ArrayLike, az: ArrayLike) -> Float:
    """Return unit vectors (..., 3) towards directions in the sky [degrees], to the north, to the west, and up."""
    alt, az = _angles(alt=alt, az=az)
    return np.stack([np.cos(alt) * np.cos(az), -np.cos(alt) * np.sin(az), np.sin(alt)], axis=-1)


def axes(pointing_alt: ArrayLike, pointing_az: ArrayLike) -> Axes:
    """Return the unit vectors of the telescope frame of a telescope that points to a direction [degrees]."""
    alt, az = _angles(pointing_alt=pointing_alt, pointing_az=pointing_az)
    longitude = np.stack([-np.sin(az), -np.cos(az), np.zeros_like(az)], axis=-1)
    latitude = np.stack([-np.sin(alt) * np.cos(az), np.sin(alt) * np.sin(az), np.cos(alt)], axis=-1)
    return Axes(unit_vector(pointing_alt, pointing_az), longitude, latitude)


def from_sky(alt: ArrayLike, az: ArrayLike, pointing_alt: ArrayLike, pointing_az: ArrayLike) -> tuple[Float, Float]:
    """Return longitude and latitude of directions in the sky.

    Parameters
    ----------
    alt, az : array_like
        Altitude above the horizon and azimuth [degrees]; all arguments broadcast.
    pointing_alt, pointing_az : array_like
        Where the telescope points [degrees].

    Returns
    -------
    longitude, latitude : numpy.ndarray
        [degrees], of the broadcast shape; longitude from -180° to 180°.

    Raises
    ------
    ValueError
        If an angle is not finite, or the shapes do not fit together.

    Examples
    --------
    >>> longitude, latitude = from_sky([71.0, 70.0], [0.0, 1.0], 70.0, 0.0)
    >>> longitude.round(3), latitude.round(3)
    (array([0.   , 0.342]), array([1.   , 0.003]))
    """
    frame = axes(pointing_alt, pointing_az)
    alt, az, *_ = _angles(alt=alt, az=az, pointing_alt=pointing_alt, pointing_az=pointing_az)
    direction = unit_vector(np.degrees(alt), np.degrees(az))
    forward, right, up = (np.sum(direction * axis, axis=-1) for axis in frame)
    return np.degrees(np.arctan2(right, forward)), np.degrees(np.arctan2(up, np.hypot(right, forward)))


def to_sky(
    longitude: ArrayLike, latitude: ArrayLike, pointing_alt: ArrayLike, pointing_az: ArrayLike
) -> tuple[Float, Float]:
    """Return altitude and azimuth of directions in the telescope frame: the inverse of `from_sky`.

    Parameters
    ----------
    longitude, latitude : array_like
        In the telescope frame [degrees]; all arguments broadcast.
    pointing_alt, pointing_az : array_like
        Where the telescope points [degrees].

    Returns
    -------
    alt, az : numpy.ndarray
        [degrees], of the broadcast shape; azimuth from 0° to 360°.

    Raises
    ------
    ValueError
        As `from_sky`.
    """
    longitude, latitude, alt_0, az_0 = _angles(
        longitude=longitude, latitude=latitude, pointing_alt=pointing_alt, pointing_az=pointing_az
    )
    frame = axes(np.degrees(alt_0), np.degrees(az_0))
    share = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    direction = sum(part[..., None] * axis for part, axis in zip(share, frame, strict=True))
    north, west, up = np.moveaxis(np.asarray(direction), -1, 0)
    return np.degrees(np.arctan2(up, np.hypot(north, west))), np.degrees(np.arctan2(-west, north)) % 360


def _angles(**angles: ArrayLike) -> tuple[Float, ...]:
    """Return angles [rad] in their common shape."""
    finite = {name: np.radians(_checks.finite(values, name)) for name, values in angles.items()}
    return _checks.broadcast(**finite)
