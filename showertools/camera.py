"""Cameras of Cherenkov telescopes: hexagonal pixels, by where in the sky they look.

Positions are in the telescope frame, as ctapipe calls it: longitude and latitude [degrees] from the direction that the
telescope points to. A pixel at the distance d from the middle of the camera looks d/f [rad] away from that direction,
with the focal length f. The mirror's aberration shifts the images of stars outwards, which a somewhat longer focal
length allows for: the *effective* one, which a camera has here.

Pixels of `lst` and `small` stand row after row from the lowest latitude, each from the lowest longitude. Real cameras
are numbered in other ways: `from_positions` makes a camera whose pixels stand in the order of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, spatial

from showertools import _checks, chunks, geometry

Float = NDArray[np.float64]
Integer = NDArray[np.intp]
Complex = NDArray[np.complex128]

LST_FOCAL_LENGTH = 29.30565
"""Effective focal length of a Large-Sized Telescope [m], as in the files of its simulations; the nominal one is 28."""
LARGEST_DEVIATION = 0.05
"""How far pixels may lie off the grid, and distances of neighbours may differ, in units of the pitch; our choice."""
_FARTHEST_NEIGHBOUR = 1.35  # the same: between modules with gaps, yet below the √2 of a square grid and √3 of this one
_SAME_PLACE = 0.2
_SAME_DIRECTIONS = 0.7  # 1 on a perfect grid, 0 on a square one
_NO_GRID = "`x` and `y` should lie on one hexagonal grid. Received:"
_SIXTH = np.pi / 3
_STEPS = np.array(geometry.HEXAGONAL_STEPS)


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera of hexagonal pixels; made by `lst`, `small` or `from_positions`.

    What a layout does is that of `layout`: `camera.layout.to_array(image, "axial")` is what `layers.HexConv` reads,
    with the mask `camera.layout.mask("axial")`, and `camera.layout.from_array` leads back.

    Attributes
    ----------
    name : str
        What figures and files call it.
    layout : geometry.Layout
        The hexagonal grid of the pixels, whose rows lie along x.
    focal_length : float
        Effective focal length of the telescope [m], positive.
    centres : numpy.ndarray, optional
        (n, 2) x and y of the centres of the pixels [m], in the order of the layout, where they are not its positions:
        if the grid is turned, or the pixels are a little off it.

    Raises
    ------
    ValueError
        If the grid is not hexagonal, the centres do not lie on it, or the focal length is out of range.
    """

    name: str
    layout: geometry.Layout
    focal_length: float
    centres: Float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if not isinstance(self.layout, geometry.Layout) or not self.layout.is_hexagonal:
            raise ValueError(f"`layout` should be a hexagonal geometry.Layout. Received: {self.layout!r}")
        _checks.number(self.focal_length, "focal_length", "positive")
        if self.centres is None:
            return
        centres = _checks.finite(self.centres, "centres")
        if centres.shape != (self.n_pixels, 2):
            raise ValueError(f"`centres` should have the shape ({self.n_pixels}, 2). Received: {centres.shape}")
        fit = _Fit.of(_on_grid(self.layout.grid), _complex(centres))
        if not fit.deviation <= LARGEST_DEVIATION or abs(abs(fit.step) / self.layout.spacing - 1) > LARGEST_DEVIATION:
            raise ValueError(
                "`centres` should lie on the grid of `layout`, in its order. Received: centres up to "
                f"{fit.deviation:.0%} of the pitch away from a grid with a pitch of {abs(fit.step):g} m"
            )
        object.__setattr__(self, "centres", _frozen(centres))

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
        centres = self.layout.positions if self.centres is None else self.centres
        return _frozen(np.degrees(centres / self.focal_length))

    @property
    def rotation(self) -> float:
        """Angle from the longitude to the rows of `layout`, counter-clockwise [degrees]."""
        if self.centres is None:
            return 0.0
        return float(np.degrees(np.angle(_Fit.of(_on_grid(self.layout.grid), _complex(self.centres)).step)))

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
    return Camera("LST", _axial(pixels, 0.05, (0.0, 0.0)), LST_FOCAL_LENGTH)


def small() -> Camera:
    """Return a camera for quick work: 397 pixels on a hexagon of 11 rings, 75 mm or 0.147° apart.

    On the telescope of `lst`. It sees 1.4° to 1.6° in each direction, half as much of the sky. Our choice.
    """
    return Camera("small", geometry.hexagon(11, 0.075), LST_FOCAL_LENGTH)


def from_positions(name: str, x: ArrayLike, y: ArrayLike, focal_length: float) -> Camera:
    """Return a camera whose pixels are where a file says, in the file's order.

    The grid may be turned by any angle, shifted, or seen in a mirror. Pitch and angle are those that fit best; each
    pixel gets its place on the grid, and with it its neighbours, by steps from neighbour to neighbour. `positions` are
    those given, with what pixels are off the grid.

    Parameters
    ----------
    name : str
        What figures and files call the camera.
    x, y : array_like
        (n,) centres of at least 3 pixels [m], x along the longitude and y along the latitude. In ctapipe's camera
        frame, in which its files have `pix_x` and `pix_y`, it is y that lies along the longitude: give `x=pix_y` and
        `y=pix_x`.
    focal_length : float
        Effective focal length of the telescope [m], positive.

    Returns
    -------
    Camera
        With the `rotation` of its grid, above -15 and up to 45 degrees; others would be the same grid.

    Raises
    ------
    ValueError
        If the pixels do not lie on one hexagonal grid to within 5 % of its pitch (modules with gaps do not), are not
        all joined over neighbours, two of them are at the same place, or a value is out of range.

    Examples
    --------
    >>> turned = from_positions("three pixels", x=[0, 0, 0.0433], y=[0, 0.05, 0.025], focal_length=28.0)
    >>> round(turned.rotation, 2), round(turned.layout.spacing, 4)
    (30.0, 0.05)
    """
    x, y = _checks.finite(x, "x"), _checks.finite(y, "y")
    if x.ndim != 1 or x.shape != y.shape or len(x) < 3:
        raise ValueError(f"`x` and `y` should be (n,) each, of at least 3 pixels. Received: {x.shape} and {y.shape}")
    _checks.number(focal_length, "focal_length", "positive")
    centres = np.stack([x, y], axis=1)
    farthest = np.abs(centres).max()
    if farthest > focal_length:
        raise ValueError(
            f"`x` and `y` should be in metres, and less than the focal length of {focal_length:g} m. "
            f"Received: {farthest:g}"
        )
    grid = _grid_of(centres)
    fit = _Fit.of(_on_grid(grid), _complex(centres))
    if fit.deviation > LARGEST_DEVIATION:
        raise ValueError(
            f"{_NO_GRID} pixels up to {fit.deviation:.0%} of the pitch away from it, as where it is stretched"
        )
    place = -fit.start / fit.step  # of the point x = y = 0
    row = place.imag / np.sin(_SIXTH)
    return Camera(name, _axial(grid, abs(fit.step), (row, place.real - row / 2)), focal_length, centres)


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


class _Fit(NamedTuple):
    """The grid that fits points best: the places (0, 0) and, one column on, (0, 1) are at start and start + step."""

    start: complex
    step: complex
    deviation: float  # largest of the points, in units of the pitch

    @classmethod
    def of(cls, place: Complex, point: Complex) -> _Fit:
        """Fit by least squares: points are start + step · place, as a grid that is turned, widened and shifted."""
        from_middle = place - place.mean()
        step = np.vdot(from_middle, point - point.mean()) / np.vdot(from_middle, from_middle)
        start = point.mean() - step * place.mean()
        return cls(complex(start), complex(step), float(np.abs((point - start) / step - place).max()))


def _complex(points: Float) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1])


def _on_grid(grid: NDArray[Any]) -> Complex:
    """Return places given by row and column (n, 2) as complex numbers, in units of the pitch."""
    row, column = grid.T
    return np.asarray(column + row * np.exp(1j * _SIXTH))


def _neighbour_pairs(centres: Float) -> Integer:
    """Return pairs of pixels (2, e) that are about a pitch apart, each once."""
    tree = spatial.KDTree(centres)
    nearest = tree.query(centres, k=2)[0][:, 1]
    pitch = np.median(nearest)
    if nearest.min() <= _SAME_PLACE * pitch:
        raise ValueError(
            "`x` and `y` should be another place for each pixel. "
            f"Received: pixel {np.argmin(nearest)} only {nearest.min():g} m from another one"
        )
    return np.asarray(tree.query_pairs(_FARTHEST_NEIGHBOUR * pitch, output_type="ndarray").T)


def _grid_of(centres: Float) -> Integer:
    """Return row and column (n, 2) of pixels on a hexagonal grid of any angle, from those of the first pixel on."""
    start, stop = _neighbour_pairs(centres)
    point = _complex(centres)
    apart = point[stop] - point[start]
    length = np.abs(apart)
    pitch = np.median(length)
    common = np.mean((apart / length) ** 6)  # of length 1 where all directions differ by multiples of 60°
    if np.abs(common) < _SAME_DIRECTIONS:
        raise ValueError(
            f"{_NO_GRID} neighbours {pitch:.4g} m apart whose directions do not differ by multiples of 60°"
        )
    if np.abs(length / pitch - 1).max() > LARGEST_DEVIATION:
        raise ValueError(
            f"{_NO_GRID} neighbours {length.min():.4g} to {length.max():.4g} m apart, "
            "as where modules have gaps, or the grid is stretched"
        )
    graph = sparse.coo_array((np.ones(len(start), bool), (start, stop)), (len(point), len(point)))
    order, before = sparse.csgraph.breadth_first_order(graph, 0, directed=False)
    n_left = len(point) - len(order)
    if n_left:
        raise ValueError(f"{_NO_GRID} {n_left} of {len(point)} pixels without a way to the first over neighbours")
    angle = np.angle(common) / 6
    angle += _SIXTH * (angle <= -_SIXTH / 4)  # cut at -15°, far from 0° and 30°, which many cameras have
    turned = (point[order[1:]] - point[before[order[1:]]]) * np.exp(-1j * angle)
    steps = _STEPS[np.round(np.angle(turned) / _SIXTH).astype(int) % 6]
    grid = np.zeros((len(point), 2), int)
    for pixel, step in zip(order[1:], steps, strict=True):
        grid[pixel] = grid[before[pixel]] + step
    return grid


def _axial(grid: Integer, pitch: float, origin: tuple[float, float]) -> geometry.Layout:
    """Return the layout of rows and columns (n, 2) of which some may be negative."""
    row, column = (int(first) for first in grid.min(axis=0))
    return geometry.Layout(_frozen(grid - [row, column]), pitch, "axial", (origin[0] - row, origin[1] - column))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
