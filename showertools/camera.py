"""Cameras of Cherenkov telescopes: hexagonal pixels, by where in the sky they look.

Positions are in the telescope frame, as ctapipe calls it: longitude and latitude [degrees] from the direction that the
telescope points to. A pixel at the distance d from the middle of the camera looks d/f [rad] away from that direction,
with the focal length f. The mirror's aberration shifts the images of stars outwards, which a somewhat longer focal
length allows for: the *effective* one, which a camera has here.

Pixels stand in the order of the camera's `geometry.Layout`: row after row from the lowest latitude, each from the
lowest longitude. Real cameras are numbered in other ways, so images from files must come with their own layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, chunks, geometry

Float = NDArray[np.float64]
Integer = NDArray[np.intp]

LST_FOCAL_LENGTH = 29.30565
"""Effective focal length of a Large-Sized Telescope [m], as in the files of its simulations; the nominal one is 28."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera of hexagonal pixels; made by `lst` or `small`.

    What a layout does is that of `layout`: `camera.layout.to_array(image, "axial")` is what `layers.HexConv` reads,
    with the mask `camera.layout.mask("axial")`, and `camera.layout.from_array` leads back.

    Attributes
    ----------
    name : str
        What figures and files call it.
    layout : geometry.Layout
        The centres of the pixels [m]; a hexagonal grid.
    focal_length : float
        Effective focal length of the telescope [m], positive.

    Raises
    ------
    ValueError
        If the grid is not hexagonal, or the focal length is out of range.
    """

    name: str
    layout: geometry.Layout
    focal_length: float

    def __post_init__(self) -> None:
        """Check the values."""
        if not isinstance(self.layout, geometry.Layout) or not self.layout.is_hexagonal:
            raise ValueError(f"`layout` should be a hexagonal geometry.Layout. Received: {self.layout!r}")
        _checks.number(self.focal_length, "focal_length", "positive")

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return len(self.layout)

    @property
    def pitch(self) -> float:
        """Distance of neighbouring pixels, and so the width of a pixel between opposite sides [degrees]."""
        return float(np.degrees(self.layout.spacing / self.focal_length))

    @cached_property
    def positions(self) -> Float:
        """Longitude and latitude of the centres of the pixels in the telescope frame [degrees], (n, 2)."""
        positions = np.degrees(self.layout.positions / self.focal_length)
        positions.flags.writeable = False
        return positions

    @property
    def neighbours(self) -> Integer:
        """Indices of the neighbours of each pixel, (n, 6), in the order of `geometry.HEXAGONAL_STEPS`; -1 for none."""
        return self.layout.neighbours

    def border(self, width: int) -> NDArray[np.bool_]:
        """Return which pixels lie in the outermost rows.

        Parameters
        ----------
        width : int
            Number of rows, at least 1. The first are the pixels that lack a neighbour, the next their neighbours.

        Returns
        -------
        numpy.ndarray
            (n,) bool.

        Raises
        ------
        ValueError
            If `width` is out of range.
        """
        chunks.check_size(width, "width", minimum=1)
        border = np.append(self.layout.n_neighbours < len(geometry.HEXAGONAL_STEPS), False)  # the last: no neighbour
        for _ in range(width - 1):
            border[:-1] |= border[self.neighbours].any(axis=1)
        return np.asarray(border[:-1])


def lst() -> Camera:
    """Return the camera of a Large-Sized Telescope of CTAO: 1855 pixels, 50 mm or 0.098° apart.

    Its 265 modules are flowers of 7 pixels. The modules form a hexagon of 9 rings without its 6 corners, on a grid that
    is √7 times as wide as that of the pixels and turned by 19.1° against it. So 1687 pixels have 6 neighbours, 54 have
    5, 54 have 4 and 60 have 3, as in the real camera. How the pixels are numbered, and how the camera is turned, is our
    choice: rows of pixels lie along the longitude.
    """
    modules = geometry.hexagon(9, 1.0)
    row, column = (modules.grid - 9).T
    is_corner = np.sum(np.abs([row, column, row + column]) == 9, axis=0) == 2
    row, column = row[~is_corner, None], column[~is_corner, None]
    centres = column * [1, 2] + row * [3, -1]  # (265, 2): what one step between modules is in row and column of pixels
    pixels = (centres[:, None] + np.array([(0, 0), *geometry.HEXAGONAL_STEPS])).reshape(-1, 2)
    pixels = pixels[np.lexsort(pixels.T[::-1])]  # row after row
    first = pixels.min(axis=0)
    grid = pixels - first
    grid.flags.writeable = False
    layout = geometry.Layout(grid, 0.05, "axial", (-float(first[0]), -float(first[1])))
    return Camera("LST", layout, LST_FOCAL_LENGTH)


def small() -> Camera:
    """Return a camera for quick work: 397 pixels on a hexagon of 11 rings, 75 mm or 0.147° apart.

    On the telescope of `lst`. It sees 1.4° to 1.6° in each direction, half as much of the sky. Our choice.
    """
    return Camera("small", geometry.hexagon(11, 0.075), LST_FOCAL_LENGTH)


def check_images(camera: Camera, values: ArrayLike, name: str, n_images: int | None = None) -> NDArray[Any]:
    """Return images of a camera as an array of the type they have.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    values : array_like
        (n, P) real numbers, NaN among them.
    name : str
        What errors call the values.
    n_images : int, optional
        What n should be.

    Returns
    -------
    numpy.ndarray
        (n, P).

    Raises
    ------
    ValueError
        If there is no camera, or the values are not numbers or have another shape.
    """
    if isinstance(values, Camera):
        raise ValueError(
            f"`camera` should be given first, and `{name}` after it. Received: `{name}` is a camera.Camera"
        )
    if not isinstance(camera, Camera):
        raise ValueError(f"`camera` should be a camera.Camera. Received: {camera!r:.60}")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"`{name}` should be an array of numbers. Received: rows of different length") from error
    if array.dtype.kind not in "biuf":
        raise ValueError(f"`{name}` should hold real numbers. Received: dtype {array.dtype}")
    number = "n" if n_images is None else n_images
    if array.ndim != 2 or array.shape[1] != camera.n_pixels or (n_images is not None and len(array) != n_images):
        hint = f"; {name}[None] is a batch of one" * (array.shape == (camera.n_pixels,))
        raise ValueError(
            f"`{name}` should have the shape ({number}, {camera.n_pixels}) for the camera {camera.name!r}{hint}. "
            f"Received: {array.shape}"
        )
    return array
