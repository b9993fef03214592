"""The core and the size of a shower from the signals at the stations of an array.

The signals fall with the distance to the axis. Given the direction, the fit looks for the core (x, y) and the energy of
the model's mean shower whose expected signals are most likely: triggered stations count by how far their signals are
from those expected, silent ones by the probability to stay below the threshold, saturated ones by that to be at least
as bright. `size` is what this shower gives 1000 m from the axis, the S(1000) of the Pierre Auger Observatory.

The shape is the model's at mean Xmax, so it has the asymmetry of inclined showers. A power law (for the default model
Auger's form) with slopes calibrated against energy and zenith gives energies that are 2 to 5 % worse and cores that are
further off: 68 % of them by 24 m instead of 10 m (classic), 66 m instead of 44 m (default).

Source: maximum likelihood with silent stations is what the Pierre Auger Observatory does, A. Aab et al., JINST 15
(2020) P10021, doi:10.1088/1748-0221/15/10/P10021 (from memory); the shape and the numerics, damped as by Levenberg and
Marquardt, are our choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showertools import _checks, array_events, array_front, array_signal, chunks, mean_shower, surface_expectation
from showertools.array_events import Stations
from showertools.array_signal import Recorded
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

SHAPE_ERROR = 0.05
"""Relative error of the expected signals: a shower is not the mean shower, and its axis is not known exactly. Our
choice: of 0, 0.02, 0.05, 0.1 and 0.2, tried on 2,000 showers of each preset with fitted axes, it gives the best cores
of the classic one (68 % within 10.5 m, 11.3 m with 0) and energies as good as any; the default's are within 1 % of the
best."""
FIRST_SHAPE_ERROR = 0.3
"""The same in a first fit. With smaller errors, those of the brightest stations would hold the core where the
likelihood has a maximum of its own. Our choice."""
_STEP = np.array([1.0, 1.0, 1e-3])  # m, m, log10(E): of the derivatives
_REACH = np.array([0.3, 0.3, 0.5])  # most that a step may change, in spacings and log10(E)
_WEAK = np.array([1e5, 1e5, 1e2]) ** -2.0  # information that changes nothing, so that each matrix has an inverse
_DAMPING = 1e-3
_MOST_DAMPING = 1e8
_CONVERGED = 1e-4  # smallest change in -2·log(likelihood) that is worth another step
_NEARLY_CONVERGED = 0.1  # the same in the first fit
_LEAST_PARTICLES = 1e-12
_FAINTEST = 1e-2  # of the trigger level: a silent station of which less is expected says nothing


class Given(NamedTuple):
    """What the fit is told about the showers.

    Attributes
    ----------
    axis : numpy.ndarray
        (n, 3).
    xmax : numpy.ndarray
        Departure of Xmax from its mean [g/cm²], (n,).
    log_muons : numpy.ndarray
        Departure of the logarithm of the number of muons from that of its mean, (n,).
    """

    axis: Array
    xmax: Array
    log_muons: Array


def expected_signals(core: Array, log10_energy: Array, given: Given, model: ArrayModel) -> Recorded:
    """Return the signals that the model's mean shower is expected to leave.

    Parameters
    ----------
    core : numpy.ndarray
        (n, 2) [m].
    log10_energy : numpy.ndarray
        log10(E/eV), (n,).
    given : Given
        Direction, and departures from the mean shower.
    model : ArrayModel
        Parameters of the array.

    Returns
    -------
    Recorded
        Without pedestals, (n, S).
    """
    return array_signal.recorded(*_particles(core, log10_energy, given, model), model)


def _expected_means(core: Array, log10_energy: Array, given: Given, model: ArrayModel) -> Array:
    """Return the means of `expected_signals`, (n, S), in half the time."""
    seen, _ = array_signal.within_trace(*_particles(core, log10_energy, given, model), model)
    return np.asarray(seen.sum(axis=0))


def _particles(core: Array, log10_energy: Array, given: Given, model: ArrayModel) -> tuple[Array, Array, Array]:
    """Return expected particles (2, n, S), distances and depths (n, S)."""
    xmax = mean_shower.moments(log10_energy, given.axis[:, 2], model).xmax + given.xmax
    deepest = (model.ground_depth - 1e-3) / given.axis[:, 2]
    size = mean_shower.size(log10_energy, model)
    size[0] *= np.exp(given.log_muons)
    seen = surface_expectation.view(given.axis, core, np.minimum(xmax, deepest), model)
    expected = surface_expectation.expected_particles(size, seen.distance, seen.depth, model)
    return expected, seen.distance, seen.depth


def signal_at_1000_m(log10_energy: Array, cosine: Array, model: ArrayModel) -> Array:
    """Return the signal that the model's mean shower leaves 1000 m from its axis [VEM].

    Parameters
    ----------
    log10_energy, cosine : numpy.ndarray
        log10(E/eV) and cosine of the zenith angle, (n,).
    model : ArrayModel
        Parameters of the array.

    Returns
    -------
    numpy.ndarray
        (n,), of all particles, at the depth of the ground on the axis.
    """
    xmax = mean_shower.moments(log10_energy, cosine, model).xmax
    depth = np.maximum(model.ground_depth / cosine - xmax, 1e-3)[:, None]
    distance = np.full_like(depth, 1000.0)
    size = mean_shower.size(log10_energy, model)
    return np.asarray(surface_expectation.expected_particles(size, distance, depth, model).sum(axis=0)[:, 0])


def fit_lateral(
    events: Events,
    axis: NDArray[np.floating],
    model: ArrayModel,
    *,
    axis_covariance: NDArray[np.floating] | None = None,
    shape_error: float = SHAPE_ERROR,
    n_iterations: int = 40,
    workers: int | None = None,
) -> Events:
    """Fit core and size of each shower.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `signal` and `time` as `surface.simulate` returns them, and `saturated` and `working` if there are.
    axis : numpy.ndarray
        (n, 3) unit vectors, for instance from `array_front.fit_front`; NaN where there is none.
    model : ArrayModel
        Parameters of the array.
    axis_covariance : numpy.ndarray, optional
        (n, 2, 2) of the axes' x and y, which the errors then allow for.
    shape_error : float
        Relative error of the expected signals; 0 is best for mean showers with exact axes.
    n_iterations : int
        Most steps of the fit.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `core` (n, 2) [m]; `shower_energy` (n,), log10(E/eV) of the mean shower that fits; `size` (n,), what it gives at
        1000 m [VEM]; `covariance` (n, 5, 5) of core x, core y, `shower_energy`, axis x and axis y: it has what the
        stations leave open, and that direction, Xmax and number of muons are not those that were assumed;
        `deviance` (n,), minus twice the logarithm of the likelihood compared with that of a perfect fit. NaN where
        fewer than 3 stations triggered, there is no axis, or nothing was found.

    Raises
    ------
    ValueError
        If the events are none of this model, or a shape is another.
    """
    stations = array_events.read(events, model)
    n_events = len(stations.signal)
    axis = array_events.vectors(axis, "axis", n_events, 3)
    _checks.number(shape_error, "shape_error", "non-negative")
    chunks.check_size(n_iterations, "n_iterations", minimum=1)
    spread: Array = np.zeros((n_events, 2, 2))
    if axis_covariance is not None:
        flat = np.reshape(axis_covariance, (-1, 4))
        spread = array_events.vectors(flat, "axis_covariance", n_events, 4).reshape(-1, 2, 2)

    def work(some: slice) -> Events:
        part = array_events.select(stations, some)
        return _fit(part, axis[some], spread[some], model, shape_error, n_iterations)

    return chunks.in_parts(work, n_events, workers)


def _fit(
    stations: Stations, axis: Array, spread: Array, model: ArrayModel, shape_error: float, n_iterations: int
) -> Events:
    possible = (stations.triggered.sum(axis=1) >= 3) & np.isfinite(axis).all(axis=1) & (axis[:, 2] > 0)
    some = array_events.select(stations, possible)
    zero = np.zeros(np.count_nonzero(possible))
    given = Given(axis[possible], zero, zero)
    point = _start(some, given, model)  # (m, 3)
    for error, enough in ((max(FIRST_SHAPE_ERROR, shape_error), _NEARLY_CONVERGED), (shape_error, _CONVERGED)):
        point = _climb(point, some, given, model, n_iterations, error, enough)
    likelihood = _likelihood(point, some, given, model, shape_error)
    slopes = _slopes(point, given, model, likelihood.expected)
    found = {
        "core": point[:, :2],
        "shower_energy": point[:, 2],
        "size": signal_at_1000_m(point[:, 2], given.axis[:, 2], model),
        "covariance": _covariance(point, slopes, likelihood, given, spread[possible], model),
        "deviance": likelihood.deviance,
    }
    result = {}
    for name, values in found.items():
        result[name] = np.full((len(axis), *values.shape[1:]), np.nan)
        result[name][possible] = values
    return result


class _Likelihood(NamedTuple):
    expected: Recorded
    deviance: Array  # (n,)
    slope: Array  # of the logarithm by the mean signal, (n, S)
    curvature: Array  # minus its second derivative, (n, S)
    information: Array  # variance of the slope, were the shower the mean shower, (n, S)


def _overdispersion(expected: Recorded, shape_error: float, model: ArrayModel) -> Array:
    """Return the variance of the signals compared with that of shifted Poisson numbers, at least 1."""
    variance = expected.variance + (shape_error * expected.mean) ** 2
    number = np.maximum(expected.mean + array_signal.quiet_variance(model), _LEAST_PARTICLES)
    return np.asarray(np.maximum(variance / number, 1.0))


def _likelihood(
    point: Array,
    stations: Stations,
    given: Given,
    model: ArrayModel,
    shape_error: float = 0.0,
    overdispersion: Array | None = None,
) -> _Likelihood:
    """Return how well points (core x, core y, log10(E)) fit.

    Signals, shifted by the noise, are Poisson numbers; where their variance is larger, the logarithm of the likelihood
    is divided by the ratio. It should stay the same, `overdispersion`, for points that are compared.
    """
    expected = expected_signals(point[:, :2], point[:, 2], given, model)
    shift = array_signal.quiet_variance(model)
    number = np.maximum(expected.mean + shift, _LEAST_PARTICLES)
    seen = np.maximum(stations.signal + shift, _LEAST_PARTICLES)
    divisor = _overdispersion(expected, shape_error, model) if overdispersion is None else overdispersion
    counted = stations.triggered & ~stations.saturated
    deviance = np.where(counted, 2 * (special.xlogy(seen, seen / number) - seen + number) / divisor, 0.0)
    slope = np.where(counted, (seen / number - 1) / divisor, 0.0)
    curvature = np.where(counted, 1 / (number * divisor), 0.0)
    level = model.threshold - array_signal.pedestals(model)
    quiet = ~stations.triggered & stations.working & (expected.mean > _FAINTEST * level)
    silent = array_signal.silence(_some(expected, quiet), level, model)
    bright = array_signal.brightness(_some(expected, stations.saturated), stations.signal[stations.saturated], model)
    for where, beyond in ((quiet, silent), (stations.saturated, bright)):
        deviance[where] = -2 * beyond.log_probability
        slope[where], curvature[where] = beyond.slope, beyond.curvature
    information = np.where(counted, curvature**2 * expected.variance, curvature)
    return _Likelihood(expected, deviance.sum(axis=1), slope, curvature, information)


def _some(expected: Recorded, where: NDArray[np.bool_]) -> Recorded:
    return Recorded(expected.mean[where], expected.variance[where])


def _slopes(point: Array, given: Given, model: ArrayModel, expected: Recorded) -> Array:
    """Return the derivatives of the mean signals by core x, core y and log10(E), (n, 3, S)."""
    moved = [_expected_means(p[:, :2], p[:, 2], given, model) for p in (point + step for step in np.diag(_STEP))]
    return np.stack([(mean - expected.mean) / step for mean, step in zip(moved, _STEP, strict=True)], axis=1)


def _start(stations: Stations, given: Given, model: ArrayModel) -> Array:
    """Return a first guess: the signals' centre of gravity and the energy that gives their mean logarithm."""
    core = array_front.barycentre(stations.signal, model)
    energy = np.full(len(core), 19.0)
    for _ in range(2):
        mean = _expected_means(core, energy, given, model)
        ratio = np.log10(np.maximum(stations.signal, 1) / np.maximum(mean, 1e-9))
        energy = energy + (ratio * stations.triggered).sum(axis=1) / stations.triggered.sum(axis=1)
        energy = np.clip(energy, *mean_shower.ENERGY_RANGE)
    return np.column_stack([core, energy])


def _climb(
    point: Array,
    stations: Stations,
    given: Given,
    model: ArrayModel,
    n_iterations: int,
    shape_error: float,
    enough: float,
) -> Array:
    """Return where the likelihood is largest: Gauss–Newton steps, damped, until one gains less than `enough`."""
    point = point.copy()
    damping = np.full(len(point), _DAMPING)
    going = np.arange(len(point))
    reach = _REACH * [model.spacing, model.spacing, 1]
    for _ in range(n_iterations):
        if not len(going):
            break
        part, known = array_events.select(stations, going), array_events.select(given, going)
        now = _likelihood(point[going], part, known, model, shape_error)
        slopes = _slopes(point[going], known, model, now.expected)
        gradient = np.einsum("nis,ns->ni", slopes, now.slope)
        information = np.einsum("nis,ns,njs->nij", slopes, now.curvature, slopes)
        diagonal = np.einsum("nii->ni", information)  # a view
        diagonal *= 1 + damping[going, None]
        diagonal += _WEAK
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        step /= np.maximum(np.abs(step / reach).max(axis=1, keepdims=True), 1)
        trial = point[going] + step
        trial[:, 2] = np.clip(trial[:, 2], *mean_shower.ENERGY_RANGE)
        overdispersion = _overdispersion(now.expected, shape_error, model)
        after = _likelihood(trial, part, known, model, overdispersion=overdispersion)
        gain = now.deviance - after.deviance
        better = gain > 0
        point[going[better]] = trial[better]
        damping[going] *= np.where(better, 0.2, 5.0)
        done = (better & (gain < enough)) | (damping[going] > _MOST_DAMPING)
        done |= np.einsum("ni,ni->n", step, gradient) < enough
        going = going[~done]
    return point


def _covariance(
    point: Array, slopes: Array, likelihood: _Likelihood, given: Given, spread: Array, model: ArrayModel
) -> Array:
    """Return the covariance of core, log10(E), axis x and axis y, (n, 5, 5).

    Signals of variance V leave an estimate that weighs them with W the covariance C·Dᵀ·W·V·W·D·C, C = (Dᵀ·W·D)⁻¹. What
    the fit assumes and does not know, axis, Xmax and number of muons, moves it by −C·Dᵀ·W·N for each unit. D and N are
    the derivatives of the expected signals by what is estimated and by what is assumed.
    """
    weighted = slopes * likelihood.curvature[:, None, :]
    inverse = np.linalg.inv(np.einsum("nis,njs->nij", weighted, slopes) + np.diag(_WEAK))
    cosine = given.axis[:, 2]
    assumed = np.zeros((len(point), 4, 4))
    assumed[:, :2, :2] = spread
    assumed[:, 2:, 2:] = mean_shower.moments(point[:, 2], cosine, model).covariance
    moved = _assumed_slopes(point, given, model, likelihood.expected)
    response = -inverse @ np.einsum("nis,njs->nij", weighted, moved)  # (n, 3, 4)
    response = np.concatenate([response, np.broadcast_to(np.eye(2, 4), (len(point), 2, 4))], axis=1)
    covariance: Array = response @ assumed @ response.transpose(0, 2, 1)
    noise = np.einsum("nis,ns,njs->nij", slopes, likelihood.information, slopes)
    covariance[:, :3, :3] += inverse @ noise @ inverse
    return covariance


def _assumed_slopes(point: Array, given: Given, model: ArrayModel, expected: Recorded) -> Array:
    """Return the derivatives of the mean signals by axis x, axis y, Xmax and log(muons), (n, 4, S)."""
    moved: list[tuple[Given, Array | float]] = []
    for number in (0, 1):
        change = np.where(given.axis[:, number] > 0, -1e-4, 1e-4)  # towards the zenith
        axis = given.axis.copy()
        axis[:, number] += change
        axis[:, 2] = np.sqrt(1 - (axis[:, :2] ** 2).sum(axis=1))
        moved.append((given._replace(axis=axis), change[:, None]))
    moved.append((given._replace(xmax=given.xmax - 1), -1.0))  # away from the ground
    moved.append((given._replace(log_muons=given.log_muons + 1e-3), 1e-3))
    means = [(_expected_means(point[:, :2], point[:, 2], other, model), change) for other, change in moved]
    return np.stack([(mean - expected.mean) / change for mean, change in means], axis=1)
