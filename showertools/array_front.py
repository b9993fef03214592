"""The direction of a shower from the arrival times at the stations of an array.

A plane front that comes from the unit vector a passes a station at r at the time

    t = t₀ − (a_x·x + a_y·y)/c,

which on flat ground is linear in t₀, a_x and a_y: weighted least squares give all three at once, and their covariance.
A real front is bent: once the core is known, the delay of the model's front is taken from the times, and the plane is
fitted again. The weights come from the model's error of a time, which falls with the signal.

Source: least squares are textbook. The correction for a spherical front is usual, see A. Aab et al. (Pierre Auger
Collaboration), JINST 15 (2020) P10021, doi:10.1088/1748-0221/15/10/P10021; that its radius is the model's is our choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from showertools import array_events, chunks, mean_shower, surface_expectation
from showertools.array_events import Stations
from showertools.chunks import Events
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_model import ArrayModel

Float = NDArray[np.float64]

RADIUS_OF_68_PERCENT = float(np.sqrt(-2 * np.log(1 - 0.68)))
"""Standard deviations within which a round two-dimensional normal distribution has 68 %: 1.51."""
_FLATTEST = 1e-4
"""Smallest ratio of the axes of the stations' ellipse of inertia, squared: below, they lie on one line."""
_LOWEST_COSINE = 0.3
"""Of the zenith angle: for weights and delays, axes are not taken to be more inclined. Our choice."""


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
        part = Stations(*(values[some] for values in stations))
        return _fit(part, middle[some], energy[some, 0], known, model, n_iterations)

    return array_events.in_parts(work, n_events, workers)


def barycentre(signal: Float, model: ArrayModel) -> Float:
    """Return the mean position of the stations [m], weighted with √signal, (n, 2); the middle where there is none.

    The root keeps the brightest station from outweighing all others; our choice.
    """
    weight = np.sqrt(np.maximum(signal, 0))
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(weight @ model.stations.positions / total)


def _fit(
    stations: Stations, middle: Float, log10_energy: Float, known: bool, model: ArrayModel, n_iterations: int
) -> Events:
    x, y = ((model.stations.positions - middle[:, None, :]) / model.spacing).transpose(2, 0, 1)  # (n, S)
    near = np.where(np.isfinite(middle), middle, 0) if known else barycentre(stations.signal, model)
    scale = model.spacing / SPEED_OF_LIGHT  # ns
    n_triggered = stations.triggered.sum(axis=1)
    axis = np.tile([0.0, 0.0, 1.0], (len(x), 1))
    for _ in range(n_iterations):
        resolution, delay = _times(stations, axis, near, log10_energy, model)
        weight = np.where(stations.triggered, scale**2 / resolution**2, 0.0)
        time = (stations.time - (delay if known else 0)) / scale
        total = np.maximum(weight.sum(axis=1), 1e-30)
        mean = [(weight * values).sum(axis=1) / total for values in (x, y, time)]
        u, v, t = (values - centre[:, None] for values, centre in zip((x, y, time), mean, strict=True))
        moments = [(weight * product).sum(axis=1) for product in (u * u, u * v, v * v, u * t, v * t)]
        uu, uv, vv, ut, vt = moments
        determinant = uu * vv - uv**2
        possible = (n_triggered >= 3) & (determinant > _FLATTEST * (uu + vv) ** 2) & np.isfinite(middle[:, 0])
        divisor = np.where(possible, determinant, np.nan)
        slope = np.stack([uv * vt - vv * ut, uv * ut - uu * vt], axis=1) / divisor[:, None]  # axis x and y
        rest = t + slope[:, :1] * u + slope[:, 1:] * v
        below = np.sqrt(np.maximum(1 - (slope**2).sum(axis=1), _LOWEST_COSINE**2))
        axis = np.where(possible[:, None], np.column_stack([slope, below]), [0.0, 0.0, 1.0])
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    square = (slope**2).sum(axis=1)
    possible &= np.nan_to_num(square, nan=2.0) < 1
    cosine = np.sqrt(np.where(possible, 1 - square, np.nan))
    found = np.where(possible[:, None], np.column_stack([slope, cosine]), np.nan)
    covariance = np.stack([np.stack([vv, -uv], -1), np.stack([-uv, uu], -1)], -1) / divisor[:, None, None]
    covariance[~possible] = np.nan
    centre = np.stack(mean[:2], axis=1)
    variance = 1 / total + np.einsum("ni,nij,nj->n", centre, covariance, centre)
    start = mean[2] + (slope * centre).sum(axis=1)  # at the reference point, from the mean of the times
    chi_square = (weight * rest**2).sum(axis=1)
    return {
        "axis": found,
        "axis_covariance": covariance,
        "angular_error": angular_error(found, covariance),
        "time": np.where(possible, start * scale, np.nan),
        "time_error": np.where(possible, np.sqrt(variance) * scale, np.nan),
        "chi_square": np.where(possible, chi_square, np.nan),
        "n_triggered": n_triggered,
    }


def _times(
    stations: Stations, axis: Float, core: Float, log10_energy: Float, model: ArrayModel
) -> tuple[Float, Float]:
    """Return the error of the time of each station and its delay behind a plane front [ns], both (n, S)."""
    energy = np.where(np.isfinite(log10_energy), log10_energy, 19.0)
    xmax = mean_shower.moments(energy, axis[:, 2], model).xmax
    seen = surface_expectation.view(axis, core, xmax, model)
    expected = surface_expectation.expected_particles(
        mean_shower.size(energy, model), seen.distance, seen.depth, model
    )
    half_time = surface_expectation.half_time(
        expected, *surface_expectation.arrival(seen.distance, seen.depth, model)
    )
    resolution = surface_expectation.time_resolution(np.maximum(stations.signal, 1.0), half_time, model)
    offset = model.stations.positions - core[:, None, :]  # (n, S, 2)
    plane = -np.einsum("nsi,ni->ns", offset, axis[:, :2]) / SPEED_OF_LIGHT
    return np.maximum(resolution, 1e-3), seen.front_time - plane


def angular_error(axis: Float, covariance: Float) -> Float:
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
