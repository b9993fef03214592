"""Where a shower came from, told from one image: the source lies on the axis of the image, *disp* from its centroid.

Disp has a sign here: it counts from the centroid along the axis, positive in the direction of `hillas_psi`. An image
that was turned by 180° would have the same psi and the opposite sign, so the axis alone leaves two places, one at
either end. Which of them it is, is the question of *head and tail*.

How far away: images near the source are round, those far from it are long, so |disp| = ξ·(1 − width/length).

Source: R. W. Lessard, J. H. Buckley, V. Connaughton, S. Le Bohec, Astropart. Phys. 15 (2001) 1,
doi:10.1016/S0927-6505(00)00133-X, for the formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks

Float = NDArray[np.float64]
Parameters = Mapping[str, NDArray[Any]]

__all__ = ["calibrate_shape", "from_shape", "source", "true_disp"]


def true_disp(parameters: Parameters, longitude: ArrayLike, latitude: ArrayLike) -> tuple[Float, Float]:
    """Return where a source lies, seen from the centroid: along the axis of the image, and across.

    Parameters
    ----------
    parameters : mapping of str to array_like
        `hillas_fov_lon`, `hillas_fov_lat` and `hillas_psi` (n,) [degrees], as `hillas.hillas_parameters` returns them.
    longitude, latitude : array_like
        Of the source in the telescope frame [degrees], numbers or (n,).

    Returns
    -------
    along, across : numpy.ndarray
        (n,) [degrees]; NaN for an image without axis. `along` is disp, positive in the direction of psi; `across`
        stays, however well disp is known, and is positive to the left of that direction.

    Raises
    ------
    ValueError
        If the source is not finite, or the shapes do not fit.

    Examples
    --------
    >>> image = {"hillas_fov_lon": [1.0], "hillas_fov_lat": [0.5], "hillas_psi": [0.0]}
    >>> true_disp(image, 0.0, 0.5)
    (array([-1.]), array([0.]))
    """
    centroid_longitude, centroid_latitude, cosine, sine = _axis(parameters)
    source_longitude, source_latitude = (
        _of_each(values, name, len(cosine)) for values, name in ((longitude, "longitude"), (latitude, "latitude"))
    )
    x, y = source_longitude - centroid_longitude, source_latitude - centroid_latitude
    return x * cosine + y * sine, y * cosine - x * sine


def source(parameters: Parameters, disp: ArrayLike) -> tuple[Float, Float]:
    """Return the longitude and latitude [degrees] of the place at `disp` [degrees] from the centroid on the axis.

    Parameters
    ----------
    parameters : mapping of str to array_like
        As for `true_disp`.
    disp : array_like
        Number or (n,), with its sign [degrees].

    Returns
    -------
    longitude, latitude : numpy.ndarray
        (n,), in the telescope frame; NaN for an image without axis.

    Raises
    ------
    ValueError
        If `disp` is not finite, or the shapes do not fit.
    """
    longitude, latitude, cosine, sine = _axis(parameters)
    along = _of_each(disp, "disp", len(cosine))
    return longitude + along * cosine, latitude + along * sine


def from_shape(parameters: Parameters, xi: float) -> Float:
    """Return |disp| = ξ·(1 − width/length), (n,) [degrees]; NaN for an image without axis.

    Parameters
    ----------
    parameters : mapping of str to array_like
        `hillas_width` and `hillas_length`, (n,) [degrees].
    xi : float
        Positive [degrees], as `calibrate_shape` finds it.
    """
    _checks.number(xi, "xi", "positive")
    return xi * _elongation(parameters)


def calibrate_shape(parameters: Parameters, disp: ArrayLike) -> float:
    """Return the ξ with which the formula comes closest to known distances.

    Parameters
    ----------
    parameters : mapping of str to array_like
        `hillas_width` and `hillas_length`, (n,) [degrees], of images with an axis.
    disp : array_like
        True disp (n,) [degrees]; its sign does not matter.

    Returns
    -------
    float
        ξ [degrees] of the least mean absolute error, which a few showers seen far from their axis do not spoil: the
        median of |disp|/(1 − width/length), weighted by the denominator. Our choice.

    Raises
    ------
    ValueError
        If a value is not finite, the shapes differ, or no image is longer than wide.
    """
    elongation = _checks.finite(_elongation(parameters), "parameters")
    distance = np.abs(_checks.finite(disp, "disp"))
    if distance.shape != elongation.shape:
        raise ValueError(f"`disp` should have the shape {elongation.shape}. Received: {distance.shape}")
    long = elongation > 0
    if not long.any():
        raise ValueError("`parameters` should hold an image that is longer than wide. Received: none")
    ratio, weight = distance[long] / elongation[long], elongation[long]
    order = np.argsort(ratio)
    below = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(below, below[-1] / 2)])


def _axis(parameters: Parameters) -> tuple[Float, Float, Float, Float]:
    """Return the centroid, and cosine and sine of the direction of the axis."""
    names = ("hillas_fov_lon", "hillas_fov_lat", "hillas_psi")
    longitude, latitude, psi = (_checks.real(parameters[name], name) for name in names)
    if longitude.ndim != 1 or not longitude.shape == latitude.shape == psi.shape:
        raise ValueError(
            f"`parameters` should hold {', '.join(names)} of shape (n,). "
            f"Received: {longitude.shape}, {latitude.shape} and {psi.shape}"
        )
    angle = np.radians(psi)
    return longitude, latitude, np.cos(angle), np.sin(angle)


def _elongation(parameters: Parameters) -> Float:
    width, length = (_checks.real(parameters[name], name) for name in ("hillas_width", "hillas_length"))
    return np.asarray(1 - width / np.where(length > 0, length, np.nan))


def _of_each(values: ArrayLike, name: str, n_events: int) -> Float:
    array = _checks.finite(values, name)
    if array.shape not in {(), (n_events,)}:
        raise ValueError(f"`{name}` should be a number or have the shape ({n_events},). Received: {array.shape}")
    return np.broadcast_to(array, (n_events,))
