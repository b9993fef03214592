"""The US standard atmosphere in Linsley's five layers, as CORSIKA uses it.

Depth is the mass of air above a point [g/cm²]; showers develop in depth, particles fly in metres. In each layer

    depth(h) = a + b·exp(−h/c)        (the top layer: a − b·h/c).

Source: D. Heck et al., *CORSIKA: a Monte Carlo code to simulate extensive air showers*, FZKA 6019 (1998), and the
user's guide of CORSIKA: the US standard atmosphere after J. Linsley. The atmosphere ends at 112.8 km.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks

_BOUNDARIES = np.array([0.0, 4.0e3, 10.0e3, 40.0e3, 100.0e3])  # lower edge of each layer [m]
_A = np.array([-186.555305, -94.919, 0.61289, 0.0, 0.01128292])  # [g/cm²]
_B = np.array([1222.6562, 1144.9069, 1305.5948, 540.1778, 1.0])  # [g/cm²]
_C = np.array([994186.38, 878153.55, 636143.04, 772170.16, 1.0e9]) / 100  # [m]

LOWEST_HEIGHT = -1000.0
"""Lowest height [m] that is accepted: the lowest layer continued below the sea, for deep places."""
TOP_HEIGHT = float(_A[-1] / _B[-1] * _C[-1])
"""Height [m] at which the atmosphere ends: 112.8 km."""
MAX_ZENITH = 65.0
"""Zenith angle [degrees] up to which a flat atmosphere is good enough."""

_BOUNDARY_DEPTHS = _A + _B * np.exp(-_BOUNDARIES / _C)
_BOUNDARY_DEPTHS[-1] = _A[-1] - _B[-1] * _BOUNDARIES[-1] / _C[-1]
_DEEPEST = float(_A[0] + _B[0] * np.exp(-LOWEST_HEIGHT / _C[0]))


def depth_at_height(height: ArrayLike) -> NDArray[np.float64]:
    """Return the vertical depth above a height.

    Parameters
    ----------
    height : array_like
        Height above the sea [m], at least -1000 m; above 112.8 km the depth is 0.

    Returns
    -------
    numpy.ndarray
        Vertical depth [g/cm²], of the shape of `height`.

    Raises
    ------
    ValueError
        If a height is NaN or below -1000 m.

    Examples
    --------
    >>> depth_at_height([0.0, 1400.0, 10_000.0]).round(1)
    array([1036.1,  875.5,  271.7])
    """
    height = _checked_height(height)
    layer = _layer(height)
    exponential = _A[layer] + _B[layer] * np.exp(-height / _C[layer])
    linear = np.maximum(_A[-1] - _B[-1] * height / _C[-1], 0.0)
    return np.asarray(np.where(layer == len(_A) - 1, linear, exponential))


def height_at_depth(depth: ArrayLike) -> NDArray[np.float64]:
    """Return the height above which a vertical depth lies: the inverse of `depth_at_height`.

    Parameters
    ----------
    depth : array_like
        Vertical depth [g/cm²], from 0 to 1165 g/cm² (1000 m below the sea).

    Returns
    -------
    numpy.ndarray
        Height above the sea [m], of the shape of `depth`.

    Raises
    ------
    ValueError
        If a depth is NaN, negative, or deeper than 1000 m below the sea.

    Notes
    -----
    The layers of the table meet to within 0.01 g/cm², so that a depth returns from its height to within this.

    Examples
    --------
    >>> height_at_depth([1036.1, 500.0, 100.0]).round(-1)
    array([    0.,  5750., 16380.])
    """
    depth = _checks.in_range(depth, "depth", 0.0, _DEEPEST, "g/cm²")
    layer = np.clip(np.searchsorted(-_BOUNDARY_DEPTHS, -depth, side="right") - 1, 0, len(_A) - 1)
    inner = np.minimum(layer, len(_A) - 2)  # the layers that are exponential
    with np.errstate(divide="ignore", invalid="ignore"):
        exponential = -_C[inner] * np.log((depth - _A[inner]) / _B[inner])
    linear = (_A[-1] - depth) / _B[-1] * _C[-1]
    return np.asarray(np.where(layer == len(_A) - 1, linear, exponential))


def density_at_height(height: ArrayLike) -> NDArray[np.float64]:
    """Return the density of the air: minus the derivative of the depth by the height.

    Parameters
    ----------
    height : array_like
        Height above the sea [m], at least -1000 m; above 112.8 km the density is 0.

    Returns
    -------
    numpy.ndarray
        Density in grams per square centimetre and metre [g/cm²/m]; divide by 100 for g/cm³.

    Raises
    ------
    ValueError
        If a height is NaN or below -1000 m.
    """
    height = _checked_height(height)
    layer = _layer(height)
    exponential = _B[layer] / _C[layer] * np.exp(-height / _C[layer])
    linear = np.where(height < TOP_HEIGHT, _B[-1] / _C[-1], 0.0)
    return np.asarray(np.where(layer == len(_A) - 1, linear, exponential))


def slant_depth(height: ArrayLike, zenith: ArrayLike) -> NDArray[np.float64]:
    """Return the depth along an inclined axis in a flat atmosphere.

    Parameters
    ----------
    height : array_like
        Height above the sea [m] of the point on the axis; broadcasts with `zenith`.
    zenith : array_like
        Angle of the axis from the vertical [degrees], from 0 to 65: beyond, the Earth's curvature matters.

    Returns
    -------
    numpy.ndarray
        Slant depth [g/cm²], of the broadcast shape: the vertical depth over the cosine of the zenith angle.

    Raises
    ------
    ValueError
        If an angle is out of range, a height too low, or the shapes do not fit together.
    """
    zenith = _checks.in_range(zenith, "zenith", 0.0, MAX_ZENITH, "degrees")
    height, zenith = _checks.broadcast(height=_checked_height(height), zenith=zenith)
    return np.asarray(depth_at_height(height) / np.cos(np.radians(zenith)))


def _checked_height(height: ArrayLike) -> NDArray[np.float64]:
    return _checks.in_range(height, "height", LOWEST_HEIGHT, unit="m")


def _layer(height: NDArray[np.float64]) -> NDArray[np.intp]:
    return np.clip(np.searchsorted(_BOUNDARIES, height, side="right") - 1, 0, len(_A) - 1)
