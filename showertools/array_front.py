"""The direction of a shower from the arrival times at the stations of an array.

A plane front that comes from the unit vector a passes a station at r at the time

    t = t₀ − (a_x·x + a_y·y)/c,

which on flat ground is linear in t₀, a_x and a_y: weighted least squares give all three at once, and their covariance.
A real front is bent: once the core is known, the delay of the model's front is taken from the times, and the plane is
fitted again. The weights come from the model's error of a time, which falls with the signal.

Source: least squares are textbook. The Pierre Auger Observatory fits a sphere, A. Aab et al., JINST 15 (2020) P10021,
doi:10.1088/1748-0221/15/10/P10021 (from memory); to take its radius from the model's mean shower is our choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, array_events, chunks, mean_shower, surface_expectation
from showertools.array_events import Stations
from showertools.chunks import Events
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

RADIUS_OF_68_PERCENT = float(np.sqrt(-2 * np.log(1 - 0.68)))
"""Standard deviations within which a round two-dimensional normal distribution has 68 %: 1.51."""
FINEST_RESOLUTION = 1.0
"""Clocks that are better are treated as having this [ns]."""
_FLATTEST = 1e-4  # smallest determinant of the stations' inertia over its trace squared: below, they lie on a line
_LOWEST_COSINE = 0.3  # of the zenith angle: weights and delays are not computed for more inclined axes
_SMALLEST = 1e-300


def fit_front(
    events: Events,
    model: ArrayModel,
    *,
    core: NDArray[np.floating] | None = None,
    log10_energy: NDArray[np.floating] | None = None,
    n_iterations: int = 3,
    workers: int | None = None,
) -> Events:
    """Fit the direction of each shower.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `signal` and `time` as `surface.simulate` returns them.
    model : ArrayModel
        Gives the stations, the error of their times and the bending of the front.
    core : numpy.ndarray, optional
        (n, 2) [m], for instance from `array_lateral.fit_lateral`. With it the front is bent as the model's; without, it
        is a plane, and the signals' centre of gravity stands for the core where distances matter to the weights.
    log10_energy : numpy.ndarray, optional
        (n,) log10(E/eV), for the mean Xmax on which the bending depends; by default 19.
    n_iterations : int
        How often weights and delays are computed again from the last axis; the first axis is vertical.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `axis` (n, 3), the unit vector towards where the shower came from; `axis_covariance` (n, 2, 2) of its x and y;
        `angular_error` (n,) [degrees], the radius of 68 %: 1.51 times the root mean square error of the two angles;
        `time` (n,) at which the front passes `core`, or the middle of the array without [ns]; `time_error` (n,) [ns];
        `chi_square` (n,) of `n_triggered` (n,) stations and three parameters. NaN where fewer than 3 stations
        triggered, where they lie on one line, or where the front is faster over the ground than any axis explains.

    Raises
    ------
    ValueError
        If the events are none of this model, or a shape is another.
    """
    stations = array_events.read(events, model)
    chunks.check_size(n_iterations, "n_iterations", minimum=1)
    n_events = len(stations.signal)
    known = core is not None
    middle = np.zeros((n_events, 2)) if core is None else array_events.vectors(core, "core", n_events, 2)
    energy = np.full((n_events, 1), 19.0)
    if log10_energy is not None:
        energy = array_events.vectors(np.reshape(log10_energy, (-1, 1)), "log10_energy", n_events, 1)

    def work(some: slice) -> Events:
        part = array_events.select(stations, some)
        return _fit(part, middle[some], energy[some, 0], known, model, n_iterations)

    return chunks.in_parts(work, n_events, workers)


def plane_front(positions: ArrayLike, time: ArrayLike, weight: ArrayLike) -> Array:
    """Return the axis of the plane front that fits best to the times of one shower.

    Parameters
    ----------
    positions : array_like
        x and y of the stations that triggered [m], (S, 2).
    time, weight : array_like
        (S,) [ns], and 1/error² [1/ns²].

    Returns
    -------
    numpy.ndarray
        (3,) the unit vector towards where the shower came from; NaN where the front is faster over the ground than any
        axis explains.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """
    place, late, weights = (
        _checks.finite(some, name) for some, name in ((positions, "positions"), (time, "time"), (weight, "weight"))
    )
    if late.ndim != 1 or place.shape != (len(late), 2) or weights.shape != late.shape:
        raise ValueError(
            "`positions`, `time` and `weight` should have the shapes (S, 2), (S,) and (S,). "
            f"Received: {place.shape}, {late.shape} and {weights.shape}"
        )
    terms = np.column_stack([np.ones(len(late)), -place / SPEED_OF_LIGHT])
    root = np.sqrt(weights)
    _, x, y = np.linalg.lstsq(terms * root[:, None], late * root, rcond=None)[0]
    square = x**2 + y**2
    return np.array([x, y, np.sqrt(1 - square)]) if square <= 1 else np.full(3, np.nan)


def barycentre(signal: Array, model: ArrayModel) -> Array:
    """Return the mean position of the stations [m], weighted with √signal, (n, 2); the middle where there is none.

    The root keeps the brightest station from outweighing all others; our choice.
    """
    weight = np.sqrt(np.maximum(signal, 0))
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(weight @ model.stations.positions / total)


def _fit(
    stations: Stations, middle: Array, log10_energy: Array, known: bool, model: ArrayModel, n_iterations: int
) -> Events:
    missing = np.isnan(middle.sum(axis=1))
    middle = np.where(missing[:, None], 0.0, middle)
    near = middle if known else barycentre(stations.signal, model)
    axis = np.tile([0.0, 0.0, 1.0], (len(middle), 1))
    for _ in range(n_iterations):
        resolution, delay = _times(stations, axis, near, log10_energy, model)
        weight = np.where(stations.triggered, 1 / resolution**2, 0.0)
        plane = _fit_plane(stations.time - delay if known else stations.time, weight, middle, model)
        possible = np.isfinite(plane.slope[:, 0])
        below = np.sqrt(np.maximum(1 - (plane.slope**2).sum(axis=1), _LOWEST_COSINE**2))
        axis = np.where(possible[:, None], np.column_stack([plane.slope, below]), [0.0, 0.0, 1.0])
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    n_triggered = stations.triggered.sum(axis=1)
    square = np.where((n_triggered >= 3) & ~missing, (plane.slope**2).sum(axis=1), np.nan)
    cosine = np.sqrt(np.where(square < 1, 1 - square, np.nan))  # NaN, too, where the square is
    found = np.where(np.isnan(cosine)[:, None], np.nan, np.column_stack([plane.slope, cosine]))
    covariance = np.where(np.isnan(cosine)[:, None, None], np.nan, plane.covariance)
    values = {"time": plane.time, "time_error": plane.time_error, "chi_square": plane.chi_square}
    return {
        "axis": found,
        "axis_covariance": covariance,
        "angular_error": angular_error(found, covariance),
        **{name: np.where(np.isnan(cosine), np.nan, value) for name, value in values.items()},
        "n_triggered": n_triggered,
    }


class _Plane(NamedTuple):
    slope: Array  # axis x and y, (n, 2); NaN where the stations lie on one line
    covariance: Array  # (n, 2, 2)
    time: Array  # at the middle [ns], (n,)
    time_error: Array  # (n,)
    chi_square: Array  # (n,)


def _fit_plane(time: Array, weight: Array, middle: Array, model: ArrayModel) -> _Plane:
    """Return the weighted least squares of t = t₀ − (a_x·x + a_y·y)/c, x and y from the middles (n, 2)."""
    place = (model.stations.positions - middle[:, None, :]) / SPEED_OF_LIGHT  # (n, S, 2) [ns]
    total = np.maximum(weight.sum(axis=1), _SMALLEST)
    centre = np.einsum("ns,nsi->ni", weight, place) / total[:, None]
    mean = (weight * time).sum(axis=1) / total
    place, time = place - centre[:, None, :], time - mean[:, None]
    inertia = np.einsum("ns,nsi,nsj->nij", weight, place, place)
    moment = np.einsum("ns,nsi,ns->ni", weight, place, time)
    determinant = np.linalg.det(inertia)
    flat = determinant <= _FLATTEST * np.trace(inertia, axis1=1, axis2=2) ** 2
    covariance = np.linalg.inv(np.where(flat[:, None, None], np.eye(2), inertia))
    covariance[flat] = np.nan
    slope = -np.einsum("nij,nj->ni", covariance, moment)
    rest = time + np.einsum("nsi,ni->ns", place, slope)
    variance = 1 / total + np.einsum("ni,nij,nj->n", centre, covariance, centre)
    start = mean + (centre * slope).sum(axis=1)
    return _Plane(slope, covariance, start, np.sqrt(variance), (weight * rest**2).sum(axis=1))


def expected_times(
    stations: Stations, axis: Array, core: Array, log10_energy: Array, model: ArrayModel
) -> tuple[Array, Array]:
    """Return how well the stations measure the time, and when the front of the model's mean shower comes.

    Parameters
    ----------
    stations : Stations
        What they recorded, as `array_events.read` returns it: errors fall with the signal.
    axis, core : numpy.ndarray
        (n, 3), and (n, 2) [m].
    log10_energy : numpy.ndarray
        (n,) log10(E/eV), for the mean Xmax; where NaN, 19.
    model : ArrayModel
        Parameters of the array.

    Returns
    -------
    error, time : numpy.ndarray
        Standard deviation of each station's time, and the time of the front after it hits the core [ns], (n, S).
    """
    energy = np.where(np.isfinite(log10_energy), log10_energy, 19.0)
    xmax = mean_shower.moments(energy, axis[:, 2], model).xmax
    seen = surface_expectation.view(axis, core, xmax, model)
    expected = surface_expectation.expected_particles(mean_shower.size(energy, model), seen.distance, seen.depth, model)
    half_time = surface_expectation.half_time(expected, *surface_expectation.arrival(seen.distance, seen.depth, model))
    resolution = surface_expectation.time_resolution(np.maximum(stations.signal, 1.0), half_time, model)
    return np.maximum(resolution, FINEST_RESOLUTION), seen.front_time


def _times(stations: Stations, axis: Array, core: Array, log10_energy: Array, model: ArrayModel) -> tuple[Array, Array]:
    """Return the error of the time of each station and its delay behind a plane front [ns], both (n, S)."""
    error, time = expected_times(stations, axis, core, log10_energy, model)
    offset = model.stations.positions - core[:, None, :]  # (n, S, 2)
    plane = -np.einsum("nsi,ni->ns", offset, axis[:, :2]) / SPEED_OF_LIGHT
    return error, time - plane


def angular_error(axis: Array, covariance: Array) -> Array:
    """Return the radius of 68 % around the axis [degrees], for errors that are about as large in both directions.

    Parameters
    ----------
    axis : numpy.ndarray
        Unit vectors, (n, 3).
    covariance : numpy.ndarray
        Of their x and y, (n, 2, 2).

    Returns
    -------
    numpy.ndarray
        (n,), 1.51 times the root mean square of the errors in the two directions across the axis.
    """
    # an error (δx, δy) moves the unit vector by its length and by δz = −(a_x·δx + a_y·δy)/a_z
    along = np.einsum("ni,nij,nj->n", axis[:, :2], covariance, axis[:, :2])
    square = np.trace(covariance, axis1=1, axis2=2) + along / axis[:, 2] ** 2
    return np.asarray(np.degrees(RADIUS_OF_68_PERCENT * np.sqrt(square / 2)))
