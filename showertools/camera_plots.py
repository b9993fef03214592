"""Figures of images of Cherenkov telescopes: their hexagonal pixels, and the ellipse that describes a shower."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Ellipse
from numpy.typing import ArrayLike

from showertools import _checks
from showertools.camera import Camera, check_images

__all__ = ["ellipse", "image"]

_COLOUR = "#d55e00"
_CORNERS = np.radians(30 + 60 * np.arange(6))  # of a pixel whose neighbour lies along the longitude


def image(
    camera: Camera,
    values: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    label: str = "charge [p.e.]",
    cmap: str = "viridis",
    limits: tuple[float, float] | None = None,
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw one image of a camera, a hexagon for each pixel.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    values : array_like
        (P,); pixels that are NaN are light grey.
    mask : array_like, optional
        (P,) bool: pixels that get an outline, as those that survive a cleaning.
    label : str
        What the colour bar says.
    cmap : str
        Name of the colour map.
    limits : tuple of float, optional
        Values of the first and the last colour; by default the smallest and the largest value.
    colorbar : bool
        Whether a colour bar stands beside the image.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        In degrees of the telescope frame, longitude to the right and latitude upwards.

    Raises
    ------
    ValueError
        If the values or the mask do not fit the camera.

    Examples
    --------
    >>> from showertools import cherenkov
    >>> events = cherenkov.simulate(1, seed=1, particle="gamma")  # doctest: +SKIP
    >>> image(cherenkov.TelescopeModel().camera, events["image"][0, 0])  # doctest: +SKIP
    """
    values = check_images(camera, np.asarray(values)[None], "values")[0].astype(float)
    if ax is None:
        _, ax = plt.subplots(figsize=(4.8, 4.0), layout="constrained")
    angle = _CORNERS + np.radians(camera.rotation)
    corners = camera.pitch / np.sqrt(3) * np.stack([np.cos(angle), np.sin(angle)], axis=1)  # (6, 2)
    hexagons = camera.positions[:, None] + corners  # (P, 6, 2)
    pixels = PolyCollection(hexagons, array=np.ma.masked_invalid(values), cmap=cmap, edgecolors="face", linewidths=0.1)
    pixels.set_cmap(plt.get_cmap(cmap).with_extremes(bad="0.93"))
    if limits is not None:
        pixels.set_clim(*limits)
    ax.add_collection(pixels)
    if mask is not None:
        kept = check_images(camera, np.asarray(mask)[None], "mask", 1)[0].astype(bool)
        ax.add_collection(PolyCollection(hexagons[kept], facecolors="none", edgecolors=_COLOUR, linewidths=0.8))
    if colorbar:
        ax.figure.colorbar(pixels, ax=ax, label=label, shrink=0.82)
    ax.set(xlabel="longitude [°]", ylabel="latitude [°]", aspect="equal")
    ax.autoscale_view()
    return ax


def ellipse(
    parameters: Mapping[str, ArrayLike], index: int = 0, *, size: float = 2.0, axis: bool = True, ax: Axes
) -> Axes:
    """Draw the ellipse of Hillas parameters over an image, and the axis that it lies on.

    Parameters
    ----------
    parameters : mapping of str to array_like
        As `hillas.hillas_parameters` returns them.
    index : int
        Of which image.
    size : float
        Half axes in units of length and width, positive.
    axis : bool
        Whether to draw the line of the axis through the whole camera.
    ax : matplotlib.axes.Axes
        Where the image is.

    Returns
    -------
    matplotlib.axes.Axes
        Unchanged if the image has no axis.

    Raises
    ------
    ValueError
        If `size` is not positive.
    """
    _checks.number(size, "size", "positive")
    names = ("fov_lon", "fov_lat", "length", "width", "psi")
    longitude, latitude, length, width, psi = (float(np.asarray(parameters[f"hillas_{name}"])[index]) for name in names)
    if not np.isfinite(psi):
        return ax
    style = {"fill": False, "color": _COLOUR, "linewidth": 1.5}
    ax.add_patch(Ellipse((longitude, latitude), 2 * size * length, 2 * size * width, angle=psi, **style))
    if axis:
        limits = ax.get_xlim(), ax.get_ylim()
        direction = (longitude + np.cos(np.radians(psi)), latitude + np.sin(np.radians(psi)))
        ax.axline((longitude, latitude), direction, color=_COLOUR, linestyle=":", linewidth=1.2)
        ax.set(xlim=limits[0], ylim=limits[1])
    return ax
