"""Places on a regular grid, hexagonal or square: stations of an array, pixels of a camera.

A layout knows where its places are, which are neighbours, and how they fit into a two-dimensional array, which is what
a convolution reads. There are two ways to index a hexagonal grid:

- offset: rows of the array are rows of the grid, and odd rows are shifted by half a spacing. A rectangular area fills
  the array, but the neighbours of a place lie elsewhere in odd rows than in even ones.
- axial: the axes of the array are two directions of the grid at 60°. The neighbours are the same six steps everywhere,
  so that a 3×3 kernel without two of its corners is a hexagonal one; but of a rectangular area, corners stay empty.

Positions are x and y [m]; rows of an array are y, columns x.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import spatial

from showertools import _checks, chunks

Float = NDArray[np.float64]
Integer = NDArray[np.intp]

INDEXINGS = ("rectangular", "offset", "axial")
"""How places can be indexed: a square grid in one way, a hexagonal one in two."""
HEXAGONAL_STEPS = ((0, 1), (1, 0), (1, -1), (0, -1), (-1, 0), (-1, 1))
"""Steps (row, column) to the six neighbours in axial indices, counter-clockwise from the direction of x."""
SQUARE_STEPS = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
"""Steps (row, column) to the eight neighbours, counter-clockwise from the direction of x."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Places on a grid; made by `rectangular`, `offset`, `axial` or `hexagon`.

    Attributes
    ----------
    grid : numpy.ndarray
        (n, 2) row and column of each place, at least 0 and each once; axial indices on a hexagonal grid.
    spacing : float
        Distance of neighbours [m].
    indexing : str
        How `to_array` indexes by default, one of `INDEXINGS`; "rectangular" means a square grid.
    origin : tuple of float
        Row and column, as in `grid`, of the point with the position (0, 0).
    """

    grid: Integer
    spacing: float
    indexing: str
    origin: tuple[float, float]

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.grid)

    @property
    def is_hexagonal(self) -> bool:
        """Whether a place inside has six neighbours at equal distance."""
        return self.indexing != "rectangular"

    @cached_property
    def positions(self) -> Float:
        """Positions x and y of the places [m], (n, 2)."""
        row, column = (self.grid - np.array(self.origin)).T
        if self.is_hexagonal:
            row, column = row * np.sqrt(0.75), column + row / 2
        return _frozen(np.stack([column, row], axis=1) * self.spacing)

    @cached_property
    def neighbours(self) -> Integer:
        """Indices of the neighbours of each place, (n, 6) or for a square grid (n, 8); -1 where there is none."""
        steps = np.array(HEXAGONAL_STEPS if self.is_hexagonal else SQUARE_STEPS)
        places = np.full(self.grid.max(axis=0) + 3, -1)  # with an empty margin
        places[tuple(self.grid.T + 1)] = np.arange(len(self))
        around = self.grid[:, None, :] + 1 + steps  # (n, 6, 2)
        return _frozen(places[around[..., 0], around[..., 1]])

    @property
    def n_neighbours(self) -> Integer:
        """Number of neighbours of each place, (n,); fewer than 6 or 8 at the edge."""
        return np.asarray(np.sum(self.neighbours >= 0, axis=1))

    def array_index(self, indexing: str | None = None) -> Integer:
        """Return row and column of each place in a two-dimensional array, (n, 2).

        Parameters
        ----------
        indexing : str, optional
            "offset" or "axial" for a hexagonal grid; by default the layout's own.

        Returns
        -------
        numpy.ndarray
            Whole numbers from 0 on; the array is as small as it can be.

        Raises
        ------
        ValueError
            If the grid cannot be indexed so.
        """
        indexing = self.indexing if indexing is None else indexing
        possible = ("offset", "axial") if self.is_hexagonal else ("rectangular",)
        if indexing not in possible:
            raise ValueError(f"`indexing` should be one of {', '.join(possible)}. Received: {indexing!r}")
        row, column = self.grid.T
        if indexing == "offset":
            column = column + row // 2
        return np.stack([row, column - column.min()], axis=1)

    def mask(self, indexing: str | None = None) -> NDArray[np.bool_]:
        """Return which elements of the array hold a place, (H, W); `indexing` as for `array_index`."""
        return self.to_array(np.ones(len(self), bool), indexing)

    def to_array(
        self, values: ArrayLike, indexing: str | None = None, *, axis: int = -1, fill: Any = 0
    ) -> NDArray[Any]:
        """Put values of the places into a two-dimensional array.

        Parameters
        ----------
        values : array_like
            (..., n, ...) one entry a place along one axis.
        indexing : str, optional
            As for `array_index`.
        axis : int
            The axis of the places.
        fill : scalar
            What stands where there is no place.

        Returns
        -------
        numpy.ndarray
            (..., H, W, ...) of the type of `values`.

        Raises
        ------
        ValueError
            If the axis has another length, or the grid cannot be indexed so.

        Examples
        --------
        >>> hexagon(1, 1500.0).to_array(np.arange(1, 8), "axial")
        array([[0, 1, 2],
               [3, 4, 5],
               [6, 7, 0]])
        """
        values = np.asarray(values)
        if not -values.ndim <= axis < values.ndim or values.shape[axis] != len(self):
            raise ValueError(
                f"`values` should have {len(self)} entries along axis {axis}. Received: shape {values.shape}"
            )
        values = np.moveaxis(values, axis, 0)
        index = self.array_index(indexing)
        array = np.full((*index.max(axis=0) + 1, *values.shape[1:]), fill, values.dtype)
        array[tuple(index.T)] = values
        axis %= values.ndim
        return np.moveaxis(array, (0, 1), (axis, axis + 1))

    def from_array(self, array: ArrayLike, indexing: str | None = None, *, axis: int = -2) -> NDArray[Any]:
        """Return the values of the places (..., n, ...) from an array (..., H, W, ...): the inverse of `to_array`.

        Parameters
        ----------
        array : array_like
            (..., H, W, ...).
        indexing : str, optional
            As for `array_index`.
        axis : int
            The axis of the rows, just before that of the columns.

        Raises
        ------
        ValueError
            If the two axes have other lengths, or the grid cannot be indexed so.
        """
        array = np.asarray(array)
        index = self.array_index(indexing)
        shape = tuple(int(length) for length in index.max(axis=0) + 1)
        first = axis % max(array.ndim, 1)
        if array.shape[first : first + 2] != shape:
            raise ValueError(f"`array` should have the shape {shape} from axis {axis} on. Received: {array.shape}")
        places = np.moveaxis(array, (first, first + 1), (0, 1))[tuple(index.T)]
        return np.moveaxis(places, 0, first)

    def distance_to_edge(self, points: ArrayLike) -> Float:
        """Return how far points lie inside the array.

        Parameters
        ----------
        points : array_like
            (..., 2) x and y [m].

        Returns
        -------
        numpy.ndarray
            (...,) distance to the nearest side of the convex hull of the places [m]; negative outside.

        Raises
        ------
        ValueError
            If the points are not finite or have another shape, or all places lie on one line.
        """
        points = _checks.finite(points, "points")
        if points.ndim == 0 or points.shape[-1] != 2:
            raise ValueError(f"`points` should have the shape (..., 2). Received: {points.shape}")
        if len(self) < 3 or np.linalg.matrix_rank(self.positions - self.positions[0]) < 2:
            raise ValueError("the layout should have places that span an area. Received: places on one line")
        sides = spatial.ConvexHull(self.positions).equations  # (sides, 3), normals outwards
        return np.asarray(-np.max(points @ sides[:, :2].T + sides[:, 2], axis=-1))


def rectangular(n_rows: int, n_columns: int, spacing: float) -> Layout:
    """Return a square grid, its middle at the position (0, 0).

    Parameters
    ----------
    n_rows, n_columns : int
        Number of places along y and x, at least 1.
    spacing : float
        Distance of neighbours [m], positive.

    Returns
    -------
    Layout
        Row after row.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    row, column = _rows_and_columns(n_rows, n_columns)
    return _layout(row, column, spacing, "rectangular", ((n_rows - 1) / 2, (n_columns - 1) / 2))


def offset(n_rows: int, n_columns: int, spacing: float) -> Layout:
    """Return a hexagonal grid on a rectangular area: odd rows are shifted by half a spacing.

    The position (0, 0) is that of the middle of row `n_rows // 2`: where both numbers are odd, that of a place.

    Parameters
    ----------
    n_rows, n_columns, spacing
        As for `rectangular`.

    Returns
    -------
    Layout
        Row after row.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    row, column = _rows_and_columns(n_rows, n_columns)
    shift = (n_rows // 2) % 2 / 2  # of the middle row
    origin = ((n_rows - 1) / 2, (n_columns - 1) / 2 + shift - (n_rows - 1) / 4)
    return _layout(row, column - row // 2, spacing, "offset", origin)


def axial(n_rows: int, n_columns: int, spacing: float) -> Layout:
    """Return a hexagonal grid on a parallelogram, its middle at the position (0, 0): it fills an axial array.

    Parameters
    ----------
    n_rows, n_columns, spacing
        As for `rectangular`.

    Returns
    -------
    Layout
        Row after row.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    row, column = _rows_and_columns(n_rows, n_columns)
    return _layout(row, column, spacing, "axial", ((n_rows - 1) / 2, (n_columns - 1) / 2))


def hexagon(n_rings: int, spacing: float) -> Layout:
    """Return a hexagonal grid on a hexagon: a place at the position (0, 0) and rings around it.

    Parameters
    ----------
    n_rings : int
        Number of rings, at least 0; there are 1 + 3·n·(n + 1) places.
    spacing : float
        Distance of neighbours [m], positive.

    Returns
    -------
    Layout
        Row after row.

    Raises
    ------
    ValueError
        If a number is out of range.
    """
    chunks.check_size(n_rings, "n_rings", minimum=0)
    row, column = _rows_and_columns(2 * n_rings + 1, 2 * n_rings + 1)
    inside = np.abs(row + column - 2 * n_rings) <= n_rings
    return _layout(row[inside], column[inside], spacing, "axial", (float(n_rings), float(n_rings)))


def _rows_and_columns(n_rows: int, n_columns: int) -> tuple[Integer, Integer]:
    chunks.check_size(n_rows, "n_rows", minimum=1)
    chunks.check_size(n_columns, "n_columns", minimum=1)
    row, column = np.divmod(np.arange(n_rows * n_columns), n_columns)
    return row, column


def _layout(row: Integer, column: Integer, spacing: float, indexing: str, origin: tuple[float, float]) -> Layout:
    """Return a layout whose columns start from 0."""
    if np.ndim(spacing) != 0:
        raise ValueError(f"`spacing` should be a positive number. Received: {spacing!r}")
    _checks.positive(spacing, "spacing")
    first = int(column.min())
    grid = np.stack([row, column - first], axis=1)
    return Layout(_frozen(grid), float(spacing), indexing, (origin[0], origin[1] - first))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array
