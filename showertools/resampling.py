"""Camera images on square arrays: each way to resample the hexagons is a matrix.

Most software for images wants squares. There are four ways to get them. Each is linear in the charges, so it is one
sparse matrix from the pixels of a camera to the squares of an array, which acts on a whole batch of images at once:

- `as_stored`: the array that a layout makes of its pixels, taken for one of squares. Nothing is lost, but rows are
  shifted against each other, or the image is sheared.
- `oversampled`: each hexagon becomes two by two squares. Nothing is lost, but the image is stretched.
- `rebinned`: each square gets the light of the area that it covers, as if the charge of a pixel were spread evenly over
  its hexagon. Charge is conserved, shapes are right, and the image is blurred.
- `interpolated`: each square gets the charge at its centre, that of the nearest pixel or one that goes linearly from
  centre to centre.

All give charges: where all pixels have the same charge, a square has as much of it as its area says.

Source: D. Nieto et al., Studying deep convolutional neural networks with hexagonal lattices for imaging atmospheric
Cherenkov telescope event reconstruction, ICRC 2019, arXiv:1912.09898, who compare these methods. That overlaps are
exact, and that there are empty pixels around the camera, is our choice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, spatial

from showertools import _checks, geometry
from showertools.camera import Camera, check_images

__all__ = ["METHODS", "Resampling", "all_ways", "as_stored", "interpolated", "moments", "oversampled", "rebinned"]

Float = NDArray[np.float64]
Integer = NDArray[np.intp]

METHODS = ("linear", "nearest")
"""How `interpolated` can interpolate."""
_NORMALS = np.radians(60 * np.arange(6))  # of the sides of a pixel whose neighbour lies along the longitude
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Resampling:
    """A matrix from the P pixels of a camera to an array of H by W squares.

    Attributes
    ----------
    camera : camera.Camera
        Whose images they are.
    matrix : scipy.sparse.csr_array
        (H·W, P): the share of each pixel's charge that each square gets, row after row.
    shape : tuple of int
        H and W.
    side : float
        Side of a square [degrees]. Where cells are no squares it is that of squares of the same area.
    centre : tuple of float
        Row and column of the direction that the telescope points to.
    """

    camera: Camera
    matrix: sparse.csr_array
    shape: tuple[int, int]
    side: float
    centre: tuple[float, float]

    @cached_property
    def positions(self) -> Float:
        """Longitude and latitude [degrees] that squares in such an array have, (H·W, 2): where a network sees them.

        Where the cells are really is another thing: as stored, or oversampled, they are no squares.
        """
        row, column = np.indices(self.shape).reshape(2, -1)
        return np.stack([column - self.centre[1], row - self.centre[0]], axis=1) * self.side

    def to_square(self, image: ArrayLike) -> NDArray[np.float32]:
        """Return images (n, P) as arrays (n, H, W).

        Raises
        ------
        ValueError
            If the images are not those of the camera.
        """
        image = check_images(self.camera, image, "image").astype(np.float32, copy=False)
        return np.ascontiguousarray((self.matrix @ image.T).T).reshape(-1, *self.shape)

    def from_square(self, array: ArrayLike) -> NDArray[np.float32]:
        """Return arrays (n, H, W) as images (n, P): each square gives its charge back in the shares in which it came.

        Oversampled and stored arrays lead back to the image that they come from, the others to a blurred one. Charge is
        conserved but for squares to which no pixel gives any.

        Raises
        ------
        ValueError
            If the arrays have another shape.
        """
        array = _checks.numbers(array, "array").astype(np.float32, copy=False)
        if array.ndim != 3 or array.shape[1:] != self.shape:
            raise ValueError(
                f"`array` should have the shape (n, {self.shape[0]}, {self.shape[1]}). Received: {array.shape}"
            )
        return np.ascontiguousarray((self._back @ array.reshape(len(array), -1).T).T)

    @cached_property
    def _back(self) -> sparse.csr_array:
        total = self.matrix.sum(axis=1)
        share = sparse.diags_array(1 / np.where(total > 0, total, 1)) @ self.matrix
        return sparse.csr_array(share.T.astype(np.float32))


def as_stored(camera: Camera, indexing: str = "axial") -> Resampling:
    """Return the array that the layout of a camera makes of its pixels, taken for one of squares.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    indexing : str
        "axial", in which the image is sheared, or "offset", in which every second row is half a pixel off. See
        `geometry.Layout.array_index`.

    Returns
    -------
    Resampling
        Its matrix has a single 1 for each pixel.

    Raises
    ------
    ValueError
        If there is no camera, or the indexing is unknown.
    """
    _check(camera)
    layout = camera.layout
    index = layout.array_index(indexing)
    shape = tuple(int(length) for length in index.max(axis=0) + 1)
    square = index[:, 0] * shape[1] + index[:, 1]
    row, column = layout.origin
    if indexing == "offset":  # odd rows are seen half a pixel too far to the left
        rows, columns = layout.grid.T
        column += row / 2 - np.mean(rows % 2) / 2 - np.min(columns + rows // 2)
    pixel = np.arange(camera.n_pixels)
    return _resampling(camera, square, pixel, np.ones(len(pixel)), shape, _equal_side(camera), (row, column))


def oversampled(camera: Camera) -> Resampling:
    """Return the array in which each hexagon is two by two cells, which share its charge evenly.

    Rows of pixels become two rows, and every second pair of them is one cell to the right: half a pixel. The cells are
    half as wide as a pixel is, and a quarter of √3 as high, so that the image is stretched by 15 % along the latitude.

    Parameters
    ----------
    camera : Camera
        Of P pixels. If its grid is turned, so is the array.

    Returns
    -------
    Resampling
        Its matrix has four quarters for each pixel.

    Raises
    ------
    ValueError
        If there is no camera.
    """
    _check(camera)
    row, column = camera.layout.grid.T
    left = 2 * column + row  # half pixels along the row
    first = int(left.min())
    shape = 2 * int(row.max()) + 2, int(left.max()) - first + 2
    part_row, part_column = (part.ravel() for part in np.indices((2, 2)))
    square = (2 * row[:, None] + part_row) * shape[1] + left[:, None] - first + part_column  # (P, 4)
    pixel = np.broadcast_to(np.arange(camera.n_pixels)[:, None], square.shape)
    middle_row, middle_column = camera.layout.origin
    centre = 2 * middle_row + 0.5, 2 * middle_column + middle_row - first + 0.5
    return _resampling(
        camera, square.ravel(), pixel.ravel(), np.full(square.size, 0.25), shape, _equal_side(camera) / 2, centre
    )


def rebinned(camera: Camera, side: float | None = None) -> Resampling:
    """Return the array in which each square gets the light of the area that it covers.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    side : float, optional
        Of a square [degrees]; by default its area is that of a pixel.

    Returns
    -------
    Resampling
        Its matrix has the share of each hexagon that lies in each square: those of a pixel add up to 1.

    Raises
    ------
    ValueError
        If there is no camera, or the side is not positive.
    """
    shape, side, centre = _grid(camera, side)
    reach = camera.pitch / np.sqrt(3)  # from the centre of a hexagon to its corners
    first = np.floor((camera.positions - reach) / side + centre[::-1] + 0.5).astype(int)  # (P, 2) column and row
    n_steps = int(np.ceil(2 * reach / side)) + 1
    step = np.indices((n_steps, n_steps)).reshape(2, -1).T  # (steps, 2)
    column, row = np.moveaxis(first[:, None] + step, -1, 0).reshape(2, -1)
    pixel = np.repeat(np.arange(camera.n_pixels), len(step))
    low = (np.stack([column - centre[1], row - centre[0]], axis=1) - 0.5) * side - camera.positions[pixel]
    overlap = _overlap(camera.pitch, np.radians(camera.rotation), low, low + side)
    some = overlap > _ROUNDING * camera.pitch**2
    share = overlap[some] / _area(camera)
    return _resampling(camera, (row * shape[1] + column)[some], pixel[some], share, shape, side, centre)


def interpolated(camera: Camera, method: str = "linear", side: float | None = None) -> Resampling:
    """Return the array in which each square gets the charge at its centre.

    Parameters
    ----------
    camera : Camera
        Of P pixels.
    method : str
        "nearest": the charge of the pixel in whose hexagon the centre lies. "linear": between the centres of three
        pixels in a triangle, linear; beyond the edge of the camera are pixels without light. It is often called
        bilinear.
    side : float, optional
        Of a square [degrees]; by default its area is that of a pixel.

    Returns
    -------
    Resampling
        Charges are those of pixels, times the area of a square in pixels.

    Raises
    ------
    ValueError
        If there is no camera, the method is unknown, or the side is not positive.
    """
    if method not in METHODS:
        raise ValueError(f"`method` should be one of {', '.join(METHODS)}. Received: {method!r}")
    shape, side, centre = _grid(camera, side)
    empty = Resampling(camera, sparse.csr_array((0, 0)), shape, side, centre)
    around = np.concatenate([camera.positions, _beyond(camera)])
    if method == "nearest":
        pixel = spatial.KDTree(around).query(empty.positions)[1][:, None]
        weight = np.ones(pixel.shape)
        pixel[_outside(empty.positions, around[pixel[:, 0]], camera)] = len(around)
    else:
        triangles = spatial.Delaunay(around)
        found = triangles.find_simplex(empty.positions)
        transform = triangles.transform[found]  # (H·W, 3, 2)
        two = np.einsum("sij,sj->si", transform[:, :2], empty.positions - transform[:, 2])
        weight = np.column_stack([two, 1 - two.sum(axis=1)])
        pixel = np.where(found[:, None] >= 0, triangles.simplices[found], len(around))
    square, corner = np.nonzero((pixel < camera.n_pixels) & (weight > _ROUNDING))
    share = weight[square, corner] * side**2 / _area(camera)
    return _resampling(camera, square, pixel[square, corner], share, shape, side, centre)


def all_ways(camera: Camera) -> dict[str, Resampling]:
    """Return all ways of this module by their names, squares as large as pixels where they are squares."""
    return {
        "axial array": as_stored(camera, "axial"),
        "offset array": as_stored(camera, "offset"),
        "oversampled": oversampled(camera),
        "rebinned": rebinned(camera),
        "nearest": interpolated(camera, "nearest"),
        "linear": interpolated(camera, "linear"),
    }


def moments(charge: ArrayLike, positions: ArrayLike) -> tuple[Float, Float, Float]:
    """Return length, width and direction of images of any cells, as `hillas.hillas_parameters` defines them.

    Parameters
    ----------
    charge : array_like
        (n, S) charges that are not negative [p.e.].
    positions : array_like
        (S, 2) longitude and latitude of the cells [degrees].

    Returns
    -------
    length, width, psi : numpy.ndarray
        (n,) each [degrees], psi above -90 and up to 90; NaN for images without light.

    Raises
    ------
    ValueError
        If the shapes do not fit together, or positions are not finite.
    """
    charge, positions = _checks.real(charge, "charge"), _checks.finite(positions, "positions")
    if charge.ndim != 2 or positions.shape != (charge.shape[1], 2):
        raise ValueError(
            "`charge` and `positions` should have the shapes (n, S) and (S, 2). "
            f"Received: {charge.shape} and {positions.shape}"
        )
    total = charge.sum(axis=1, keepdims=True)
    share = charge / np.where(total > 0, total, np.nan)
    x, y = (share @ positions).T
    xx, yy, xy = (share @ product for product in (*(positions**2).T, positions.prod(axis=1)))
    xx, yy, xy = xx - x * x, yy - y * y, xy - x * y
    half_sum, half_difference = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length, width = (np.sqrt(np.maximum(half_sum + sign * half_difference, 0)) for sign in (1, -1))
    return length, width, np.degrees(np.arctan2(2 * xy, xx - yy) / 2)


def _resampling(
    camera: Camera,
    square: Integer,
    pixel: Integer,
    share: Float,
    shape: tuple[int, ...],
    side: float,
    centre: tuple[float, float],
) -> Resampling:
    size = shape[0] * shape[1], camera.n_pixels
    matrix = sparse.coo_array((share.astype(np.float32), (square, pixel)), size).tocsr()
    return Resampling(camera, matrix, (shape[0], shape[1]), side, (float(centre[0]), float(centre[1])))


def _check(camera: Camera) -> None:
    if not isinstance(camera, Camera):
        raise ValueError(f"`camera` should be a camera.Camera. Received: {camera!r:.60}")


def _area(camera: Camera) -> float:
    """Return the area of a pixel [degrees²]."""
    return float(np.sqrt(0.75) * camera.pitch**2)


def _equal_side(camera: Camera) -> float:
    return float(np.sqrt(_area(camera)))


def _grid(camera: Camera, side: float | None) -> tuple[tuple[int, int], float, tuple[float, float]]:
    """Return shape, side and centre of the smallest array of squares, around the pointing, that holds all pixels."""
    _check(camera)
    if side is None:
        side = _equal_side(camera)
    _checks.number(side, "side", "positive")
    reach = np.abs(camera.positions).max(axis=0) + camera.pitch / np.sqrt(3)
    width, height = (2 * int(np.ceil(length / side - 0.5)) + 1 for length in reach)
    return (height, width), float(side), ((height - 1) / 2, (width - 1) / 2)


def _sides(camera: Camera) -> Iterator[tuple[float, float]]:
    """Yield the normals of the sides of a pixel."""
    for angle in _NORMALS + np.radians(camera.rotation):
        yield float(np.cos(angle)), float(np.sin(angle))


def _outside(points: Float, centres: Float, camera: Camera) -> NDArray[np.bool_]:
    """Return which points lie outside the hexagon around the centre beside them, (m,)."""
    normals = np.array(list(_sides(camera)))  # (6, 2)
    return np.asarray(((points - centres) @ normals.T).max(axis=1) > camera.pitch / 2 * (1 + _ROUNDING))


def _beyond(camera: Camera) -> Float:
    """Return where pixels would be that neighbour those of the edge, each once, (m, 2)."""
    pixel, direction = np.nonzero(camera.neighbours < 0)
    grid = camera.layout.grid[pixel] + np.array(geometry.HEXAGONAL_STEPS)[direction]
    _, first = np.unique(grid, axis=0, return_index=True)
    steps = camera.pitch * np.array(list(_sides(camera)))
    return np.asarray(camera.positions[pixel[first]] + steps[direction[first]])


def _overlap(pitch: float, angle: float, low: Float, high: Float) -> Float:
    """Return the areas in which a hexagon around (0, 0) overlaps rectangles with the corners low and high, (m,).

    Between its corners and the places where its sides cross those of the rectangle, the height of the overlap is linear
    along x. So the rule of trapezoids between all these places is exact.
    """
    normals = np.stack([np.cos(_NORMALS + angle), np.sin(_NORMALS + angle)], axis=1)
    corners = pitch / np.sqrt(3) * np.cos(_NORMALS + angle + np.pi / 6)  # x of each
    sides = normals[np.abs(normals[:, 1]) > _ROUNDING]
    upper, lower = sides[sides[:, 1] > 0], sides[sides[:, 1] < 0]
    left, right = np.maximum(low[:, :1], corners.min()), np.minimum(high[:, :1], corners.max())
    crossed = [
        (pitch / 2 - sides[:, 1] * y[:, 1:]) / np.where(np.abs(sides[:, 0]) > _ROUNDING, sides[:, 0], np.inf)
        for y in (low, high)
    ]
    x = np.concatenate([left, right, np.broadcast_to(corners, (len(low), 6)), *crossed], axis=1)
    x = np.sort(np.clip(x, left, np.maximum(left, right)), axis=1)[..., None]  # (m, places, 1)
    top = ((pitch / 2 - upper[:, 0] * x) / upper[:, 1]).min(axis=-1)
    bottom = ((pitch / 2 - lower[:, 0] * x) / lower[:, 1]).max(axis=-1)
    height = np.maximum(np.minimum(top, high[:, 1:]) - np.maximum(bottom, low[:, 1:]), 0)
    return np.asarray(np.sum((height[:, 1:] + height[:, :-1]) / 2 * np.diff(x[..., 0], axis=1), axis=1))
