"""The likelihood of a footprint: what the picture really says about Xmax and mass.

The muons of a shower are independent, so the likelihood of its footprint is known. With the expected number Λ, a pixel
at distance r from the core expects Λ·S(r, −∞) muons, of which Λ·S(r, τ) come later than τ. For n muons, the first of
which comes at τ, its likelihood is exp(−Λ·S(r, −∞)) · Λⁿ · f(τ) · S(τ)^(n−1) / (n−1)!, with f = −∂S/∂τ. The product
over pixels, averaged over the gamma distribution of Λ, which can be done on paper, is the likelihood of (Xmax, A, core,
start).

S is tabulated once for each mass as a function of (Xmax, r, τ): straight lines from the axis, the pixel's area and the
resolution of the clocks are folded in. Source: our own derivation; `tests/test_footprint_likelihood.py` compares it
with cases solved by hand and with simulated showers.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, ndimage, special

from showertools import _checks, atmosphere, showers
from showertools.footprint_model import FootprintModel
from showertools.footprints import SPEED_OF_LIGHT

Float = NDArray[np.float64]

_DEPTH_STEP = 1.0  # g/cm², of the integrals over the production depth
_XMAX_STEP = 5.0  # g/cm², of the table
_XMAX_NODES = np.arange(540.0, 1341.0, 40.0)  # g/cm², where it is computed: a spline between them is enough
_FINE_DISTANCE = 3.0  # m, before the average over a pixel
_FINE_TIME = 0.5  # ns, before the resolution of the clocks
_FINEST_RESOLUTION = 1.0  # ns: better clocks are treated as having this
_LATEST = 1600.0  # ns after the front
_ROOT_STEP = 0.2  # √ns
_SMALLEST = 1e-30  # stands for an impossible time, so that its logarithm exists


class Table(NamedTuple):
    """The table of one mass: logarithms of S and f on a grid of (Xmax, distance, √(delay + offset)).

    Attributes
    ----------
    log_survival, log_density : numpy.ndarray
        log of S, the share of the shower's muons that hit a pixel later than τ, and of f = −∂S/∂τ [1/ns]; (X, R, T).
    xmax, distance, root_delay : numpy.ndarray
        The axes [g/cm²], [m], [√ns], each with constant steps.
    offset : float
        Added to the delay before the square root [ns].
    """

    log_survival: Float
    log_density: Float
    xmax: Float
    distance: Float
    root_delay: Float
    offset: float


@lru_cache(maxsize=16)
def table(model: FootprintModel, mass_number: int) -> Table:
    """Tabulate S and f for one mass; takes about a second and is kept. Clocks better than 1 ns count as 1 ns.

    Parameters
    ----------
    model : FootprintModel
        Parameters of the toy.
    mass_number : int
        Mass number of the primary, from 1 to 56.

    Returns
    -------
    Table
        For Xmax from 540 to 1340 g/cm²; beyond, its edges are used.

    Raises
    ------
    ValueError
        If the mass number is out of range.
    """
    _checks.in_range(mass_number, "mass_number", 1, 56)
    sigma = max(model.time_resolution, _FINEST_RESOLUTION)
    delay = np.arange(-6 * sigma, _LATEST, _FINE_TIME) + _FINE_TIME / 2  # (t,), so that the step at 0 lies between two
    reach = model.n_pixels * model.pixel_size / np.sqrt(2) + 6 * model.core_spread
    fine = np.arange(0, reach + 2 * model.pixel_size, _FINE_DISTANCE)  # (r,)
    fine[0] = _FINE_DISTANCE / 4  # the density of muons has an integrable pole at the core
    distance = np.linspace(0, reach, int(reach / model.pixel_size * 2) + 2)  # (R,)
    average = _pixel_average(distance, fine, model.pixel_size) * model.pixel_size**2  # (R, r)
    root_delay = np.arange(0, np.sqrt(_LATEST - 2 * sigma), _ROOT_STEP)  # (T,)

    depth = np.arange(_DEPTH_STEP / 2, model.ground_depth, _DEPTH_STEP)  # (d,)
    scale = (model.opening_angle * _height(depth, model)) ** 2
    spot = np.exp(-0.5 * fine[:, None] ** 2 / scale) / (2 * np.pi * scale)  # (r, d), 1/m²
    column = _depth_of_delay(delay, fine, model) / _DEPTH_STEP  # (r, t)
    row = np.broadcast_to(np.arange(len(fine), dtype=float)[:, None], column.shape)

    survival = np.empty((len(_XMAX_NODES), len(distance), len(root_delay)))
    density = np.empty_like(survival)
    for k, value in enumerate(_XMAX_NODES):
        later = np.zeros((len(fine), len(depth) + 1))  # made at this depth or deeper, so later
        later[:, :-1] = np.cumsum((spot * _made(depth, value, mass_number, model))[:, ::-1], axis=1)[:, ::-1]
        exact = average @ ndimage.map_coordinates(later, [row, column], order=1, mode="nearest")  # (R, t)
        for target, order, unit in ((survival, 0, 1.0), (density, 1, -1 / _FINE_TIME)):
            blurred = ndimage.gaussian_filter1d(exact, sigma / _FINE_TIME, order=order, mode="nearest", truncate=6)
            at = np.maximum(root_delay**2 / _FINE_TIME - 0.5, 0)
            target[k] = np.log(np.maximum(unit * _between(blurred, at), _SMALLEST))
    xmax = np.arange(_XMAX_NODES[0], _XMAX_NODES[-1] + 1, _XMAX_STEP)  # (X,)
    log_survival, log_density = (
        interpolate.CubicSpline(_XMAX_NODES, values)(xmax).astype(np.float32) for values in (survival, density)
    )
    return Table(log_survival, log_density, xmax, distance, root_delay, 6 * sigma)


def _height(depth: Float, model: FootprintModel) -> Float:
    return np.maximum(atmosphere.height_at_depth(depth) - model.observation_level, 0.1)


def _made(depth: Float, xmax: float, mass_number: int, model: FootprintModel) -> Float:
    """Return the share of muons made in each step of depth."""
    width = model.width(mass_number)
    pull = (depth - model.depth(xmax, mass_number)) / width
    return np.asarray(np.exp(-0.5 * pull**2) / np.sqrt(2 * np.pi) / width * _DEPTH_STEP)


def _depth_of_delay(delay: Float, distance: Float, model: FootprintModel) -> Float:
    """Return the depth [g/cm²] from which on muons arrive later than `delay`, (r, t)."""
    path = np.maximum(delay, 1e-6)[None, :] * SPEED_OF_LIGHT
    height = (distance[:, None] ** 2 - path**2) / (2 * path) + model.observation_level
    depth = atmosphere.depth_at_height(np.maximum(height, model.observation_level))
    return np.where(delay[None, :] <= 0, 0.0, depth)


def _pixel_average(distance: Float, fine: Float, pixel_size: float, n_points: int = 16) -> Float:
    """Return weights (R, r) that average a function of the distance over a pixel, upright and turned by 45°."""
    inner = ((np.arange(n_points) + 0.5) / n_points - 0.5) * pixel_size
    u, v = (values.ravel() for values in np.meshgrid(inner, inner))
    turned = np.stack([[u, v], np.array([u + v, u - v]) / np.sqrt(2)])  # (2, 2, points)
    radius = np.hypot(distance[:, None, None] + turned[:, 0], turned[:, 1]).reshape(len(distance), -1)
    low = np.minimum((radius / _FINE_DISTANCE).astype(int), len(fine) - 2)
    share = radius / _FINE_DISTANCE - low
    weights = np.zeros((len(distance), len(fine)))
    index = np.arange(len(distance))[:, None]
    np.add.at(weights, (index, low), (1 - share) / radius.shape[1])
    np.add.at(weights, (index, low + 1), share / radius.shape[1])
    return weights


def _between(values: Float, position: Float) -> Float:
    """Interpolate the last axis of `values` at fractional positions."""
    low = np.minimum(position.astype(int), values.shape[-1] - 2)
    return np.asarray(values[..., low] + (position - low) * (values[..., low + 1] - values[..., low]))


def share_in_picture(xmax: Float, core: Float, mass_number: int, model: FootprintModel) -> Float:
    """Return the share of a shower's muons that land in the picture.

    Parameters
    ----------
    xmax : numpy.ndarray
        (S,) [g/cm²].
    core : numpy.ndarray
        (S, 2) [m].
    mass_number : int
        Mass number of the primary.
    model : FootprintModel
        Parameters of the toy.

    Returns
    -------
    numpy.ndarray
        (S,), between 0 and 1.
    """
    depth = np.arange(2.5, model.ground_depth, 5.0)  # (d,)
    width = model.width(mass_number)
    pull = (depth - model.depth(xmax, mass_number)[:, None]) / width
    made = np.exp(-0.5 * pull**2) * 5.0 / np.sqrt(2 * np.pi) / width  # (S, d)
    edge = np.array([1, -1])[:, None, None] * model.n_pixels * model.pixel_size / 2 - core  # (2, S, 2)
    inside = special.ndtr(edge[..., None] / (model.opening_angle * _height(depth, model)))  # (2, S, 2, d)
    return np.asarray((made * (inside[0] - inside[1]).prod(axis=1)).sum(axis=-1))


def log_likelihood(
    parameters: Float,
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    mass_number: int,
    model: FootprintModel,
) -> Float:
    """Return the logarithm of the likelihood of one footprint.

    Parameters
    ----------
    parameters : numpy.ndarray
        (S, 4): Xmax [g/cm²], core x and y [m], start [ns].
    counts : numpy.ndarray
        (H, W) muons a pixel.
    arrival_time : numpy.ndarray
        (H, W) time of the first muon [ns]; not used where no muon came.
    mass_number : int
        Mass number of the primary.
    model : FootprintModel
        Parameters of the toy.

    Returns
    -------
    numpy.ndarray
        (S,), up to a term that depends on the counts alone; likelihoods of different masses can be compared.

    Raises
    ------
    ValueError
        If a shape is another.
    """
    if parameters.ndim != 2 or parameters.shape[1] != 4:
        raise ValueError(f"`parameters` should have the shape (S, 4). Received: {parameters.shape}")
    for name, picture in (("counts", counts), ("arrival_time", arrival_time)):
        if picture.shape != (model.n_pixels, model.n_pixels):
            raise ValueError(f"`{name}` should have the shape {(model.n_pixels,) * 2}. Received: {picture.shape}")
    xmax, core, start = parameters[:, 0], parameters[:, 1:3], parameters[:, 3]
    rows, columns = np.nonzero(counts)
    number = counts[rows, columns].astype(np.float64)  # (P,)
    centers = np.stack([model.pixel_centers[columns], model.pixel_centers[rows]])  # (2, P)
    distance = np.hypot(*(centers[:, None, :] - core.T[:, :, None]))  # (S, P)
    delay = arrival_time[rows, columns] - start[:, None]  # (S, P)
    grid = table(model, mass_number)
    log_density, log_survival = _look_up(grid, xmax, distance, delay)
    pixels = (log_density + (number - 1) * log_survival).sum(axis=1)
    share = share_in_picture(xmax, core, mass_number, model)
    return np.asarray(pixels + _averaged_over_muons(number.sum(), share, mass_number, model))


def _averaged_over_muons(total: float, share: Float, mass_number: int, model: FootprintModel) -> Float:
    """Return log ∫ Λⁿ·exp(−Λ·share) over the gamma distribution of Λ: the only place where the muon number enters."""
    shape = model.fluctuation(mass_number) ** -2.0
    mean = model.mean_muons(mass_number)
    log_norm = total * np.log(mean) + shape * np.log(shape) + special.gammaln(total + shape) - special.gammaln(shape)
    return np.asarray(log_norm - (total + shape) * np.log(shape + mean * share))


def _look_up(grid: Table, xmax: Float, distance: Float, delay: Float) -> tuple[Float, Float]:
    """Return log f and log S at (S, P) points by linear interpolation."""
    root = np.sqrt(np.maximum(delay + grid.offset, 0.0))
    position = np.stack(
        [
            np.broadcast_to((xmax - grid.xmax[0])[:, None] / (grid.xmax[1] - grid.xmax[0]), distance.shape),
            distance / grid.distance[1],
            root / grid.root_delay[1],
        ]
    )
    log_density, log_survival = (
        ndimage.map_coordinates(values, position, order=1, mode="nearest")
        for values in (grid.log_density, grid.log_survival)
    )
    return log_density, log_survival


def log_prior(parameters: Float, mass_number: int, model: FootprintModel) -> Float:
    """Return the logarithm of the prior density of (Xmax, core x, core y, start).

    Parameters
    ----------
    parameters, mass_number, model
        As for `log_likelihood`.

    Returns
    -------
    numpy.ndarray
        (S,), logarithm of a density per g/cm², m², ns.
    """
    xmax = showers.xmax_log_density(
        parameters[:, 0], mass_number, model.log10_energy, hadronic_model=model.hadronic_model
    )
    scale = np.array([model.core_spread, model.core_spread, model.start_spread])
    normal = -0.5 * (parameters[:, 1:] / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
    return np.asarray(xmax + normal.sum(axis=1))
