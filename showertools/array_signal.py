"""The signal that a station is expected to record: mean, variance, and the probability to stay below the threshold.

The signal is the sum of the trace. Its mean is the number of particles that arrive within the trace plus the pedestals;
its variance that of the Poisson number of particles plus the noise of the bins. Near the threshold the signal is taken
as a Poisson number that is shifted so that mean and variance are right: without noise it is one.

Source: `surface_expectation`. Closed forms take the place of the bins; `tests/test_array_signal.py` compares them with
simulated signals.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from showertools import surface_expectation
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

_SMALLEST = 1e-300
_LARGEST_LOG = 50.0


class Recorded(NamedTuple):
    """Signals without their pedestals.

    Attributes
    ----------
    mean : numpy.ndarray
        Expected number of particles within the trace [VEM], (n, S).
    variance : numpy.ndarray
        Of the signal [VEM²], (n, S).
    """

    mean: Array
    variance: Array


def within_trace(expected: Array, distance: Array, depth: Array, model: ArrayModel) -> tuple[Array, Array]:
    """Return the particles that are expected before the trace ends, and their median times; arguments as `recorded`.

    Returns
    -------
    seen, median : numpy.ndarray
        Of each component, (2, n, S); the median after the component's lag [ns].
    """
    median, lag = surface_expectation.arrival(distance, depth, model)  # (2, n, S)
    pulse = surface_expectation.response(model)
    late = model.bin_width * float(np.sum(1 - np.cumsum(pulse)))  # mean delay of the light
    since = np.maximum(model.bin_edges[-1] - late - lag, _SMALLEST)
    seen = expected * special.ndtr(np.log(since / median) / model.arrival_width)
    return seen, median


def recorded(expected: Array, distance: Array, depth: Array, model: ArrayModel) -> Recorded:
    """Return mean and variance of the signals.

    Parameters
    ----------
    expected : numpy.ndarray
        Particles of each component, (2, n, S), as `surface_expectation.expected_particles` returns them.
    distance, depth : numpy.ndarray
        As in `surface_expectation.View`, (n, S).
    model : ArrayModel
        Gives trace and noise.

    Returns
    -------
    Recorded
        Saturation is not in it.

    Notes
    -----
    The share of a component within the trace is the log-normal distribution function at its end, or earlier by the mean
    delay of the light where the response takes time. The noise relative to the bins goes with the sum of their squares,
    for a log-normal ∫p² = exp(w²/4)/(2·√π·w·median); both components are given their mean median.
    """
    seen, median = within_trace(expected, distance, depth, model)
    mean = seen.sum(axis=0)
    variance = mean + quiet_variance(model)
    if model.relative_noise:
        width = model.arrival_width
        peak = model.bin_width * np.exp(width**2 / 4) / (2 * np.sqrt(np.pi) * width)
        squares = peak * mean * mean**2 / np.maximum((seen * median).sum(axis=0), _SMALLEST)
        variance += model.relative_noise**2 * (mean + squares)
    return Recorded(mean, variance)


def pedestals(model: ArrayModel) -> float:
    """Return the mean signal of a station without particles [VEM]."""
    return model.n_bins * _empty_bin(model)[0]


def quiet_variance(model: ArrayModel) -> float:
    """Return the variance of the signal of a station without particles [VEM²]."""
    return model.n_bins * _empty_bin(model)[1]


def _empty_bin(model: ArrayModel) -> tuple[float, float]:
    """Return mean and variance of a bin without particles: a normal distribution, perhaps clipped at 0."""
    mean, sigma = model.pedestal, model.pedestal_noise
    if not model.clip_at_zero or sigma == 0:
        return mean, sigma**2
    density = np.exp(-0.5 * (mean / sigma) ** 2) / np.sqrt(2 * np.pi)
    above = special.ndtr(mean / sigma)
    clipped = mean * above + sigma * density
    return float(clipped), float((mean**2 + sigma**2) * above + mean * sigma * density - clipped**2)


class Beyond(NamedTuple):
    """The probability that a signal lies on one side of a level, and what that says about the mean signal.

    Attributes
    ----------
    log_probability : numpy.ndarray
        Its logarithm, (n, S).
    slope, curvature : numpy.ndarray
        The first derivative by the mean signal [1/VEM] and minus the second [1/VEM²], (n, S).
    """

    log_probability: Array
    slope: Array
    curvature: Array


def silence(expected: Recorded, level: Array | float, model: ArrayModel) -> Beyond:
    """Return the probability that signals stay below a level.

    Parameters
    ----------
    expected : Recorded
        Mean and variance of the signals, (n, S).
    level : numpy.ndarray or float
        Above the pedestals [VEM]: for the trigger `model.threshold` - `pedestals(model)`.
    model : ArrayModel
        Gives the noise of a station without particles.

    Returns
    -------
    Beyond
        Q(k, λ), the regularised upper incomplete gamma function: the probability that a Poisson number of mean λ is
        less than k. Half a particle is added to the level, since noise makes the number that decides continuous.
    """
    number, level = _shifted(expected, level, model)
    log_density = _log_density(level, number)
    far = log_density - np.log(np.maximum(1 - (level - 1) / number, 1e-3))  # the first term of its expansion
    log_probability = _log(special.gammaincc(level, number), far)
    hazard = np.exp(np.minimum(log_density - log_probability, _LARGEST_LOG))
    curvature = hazard * ((level - 1) / number - 1 + hazard)
    return Beyond(log_probability, -hazard, np.maximum(curvature, 0))


def brightness(expected: Recorded, level: Array | float, model: ArrayModel) -> Beyond:
    """Return the probability that signals reach a level, for stations that saturate; arguments as for `silence`."""
    number, level = _shifted(expected, level, model)
    log_density = _log_density(level, number)
    far = log_density + np.log(number / np.maximum(level - number, 1.0))
    log_probability = _log(special.gammainc(level, number), far)
    hazard = np.exp(np.minimum(log_density - log_probability, _LARGEST_LOG))
    curvature = hazard * (1 - (level - 1) / number + hazard)
    return Beyond(log_probability, hazard, np.maximum(curvature, 0))


def _shifted(expected: Recorded, level: Array | float, model: ArrayModel) -> tuple[Array, Array]:
    """Return λ and k."""
    shift = quiet_variance(model)
    return np.maximum(expected.mean + shift, _SMALLEST), np.maximum(np.asarray(level) + shift + 0.5, 0.5)


def _log_density(level: Array, number: Array) -> Array:
    """Return the logarithm of the probability of k - 1."""
    return np.asarray(special.xlogy(level - 1, number) - number - special.gammaln(level))


def _log(probability: Array, far: Array) -> Array:
    """Return the logarithm of a probability; where it is 0 to the computer, what is given for it."""
    return np.where(probability < 1e-200, far, np.log(np.maximum(probability, _SMALLEST)))
