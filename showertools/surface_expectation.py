"""What an air shower is expected to leave in an array of surface detectors: how many particles, where and when.

Nothing here is random: these are the means and widths from which `surface` draws, and of which likelihoods are made.
The functions work in the precision of the arrays they are given, single or double. n is the number of showers, S that
of stations; the first axis of length 2 is (muonic, electromagnetic). Source: see `ArrayModel`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showertools import atmosphere, showers
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_model import MUONS_OF_HADRONIC_MODEL, ArrayModel

Array = NDArray[np.floating[Any]]

LEAST_ARRIVAL_FACTOR = 0.1
"""The depth never shortens the arrival of a component to less than this. Our choice; the classic toy stays above."""


class View(NamedTuple):
    """A shower as each station sees it.

    Attributes
    ----------
    distance : numpy.ndarray
        To the shower axis [m], (n, S).
    depth : numpy.ndarray
        From the shower maximum to the station ΔX [g/cm²], (n, S).
    front_time : numpy.ndarray
        When the front passes the station, after it hits the core [ns], (n, S).
    """

    distance: Array
    depth: Array
    front_time: Array


def view(axis: Array, core: Array, xmax: Array, model: ArrayModel) -> View:
    """Return how the stations see the showers.

    Parameters
    ----------
    axis : numpy.ndarray
        Unit vectors towards where the showers come from, (n, 3).
    core : numpy.ndarray
        Where the axes meet the ground [m], (n, 2).
    xmax : numpy.ndarray
        Depth of the maximum [g/cm²], (n,); above the ground.
    model : ArrayModel
        Gives the stations.

    Returns
    -------
    View
        In the precision of `axis`.
    """
    positions = model.stations.positions.astype(axis.dtype)
    east = positions[:, 0] - core[:, :1].astype(axis.dtype)  # (n, S)
    north = positions[:, 1] - core[:, 1:].astype(axis.dtype)
    along = east * axis[:, :1] + north * axis[:, 1:2]
    square = east**2 + north**2
    vertical = xmax * axis[:, 2]
    to_maximum = _path(vertical, axis, model)  # (n, 1)
    slant = np.sqrt(np.maximum(square + to_maximum * (to_maximum - 2 * along), 0))
    crossed = (model.ground_depth - vertical)[:, None].astype(axis.dtype) / axis[:, 2:]  # on the axis
    if model.front == "plane":
        behind = -along
    else:
        radius = _path(model.front_origin * vertical, axis, model)
        bent = square - 2 * radius * along
        behind = bent / (np.sqrt(np.maximum(bent + radius**2, 0)) + radius)
    return View(
        np.sqrt(np.maximum(square - along**2, 0)), crossed * (slant / to_maximum), behind * (1 / SPEED_OF_LIGHT)
    )


def _path(vertical_depth: Array, axis: Array, model: ArrayModel) -> Array:
    """Return the length of the axis from a vertical depth to the ground [m], (n, 1)."""
    height = atmosphere.height_at_depth(vertical_depth) - model.observation_level
    return np.asarray(height[:, None].astype(axis.dtype) / axis[:, 2:])


def shower_size(log10_energy: Array, mass_number: NDArray[Any], model: ArrayModel) -> Array:
    """Return the mean signal 1000 m from the axis [VEM] of each component at the depth without attenuation, (2, n).

    Parameters
    ----------
    log10_energy : numpy.ndarray
        log10(E/eV), (n,).
    mass_number : numpy.ndarray
        (n,).
    model : ArrayModel
        Gives signal and exponents.

    Returns
    -------
    numpy.ndarray
        (2, n); the fluctuation of the muons, of relative width `muon_fluctuation`, is not in it.
    """
    energy = 10.0 ** (log10_energy - 19)
    size = np.stack(
        [value * energy**power for value, power in zip(model.signal_at_1000_m, model.energy_exponent, strict=True)]
    )
    proton = size.sum(axis=0)
    size[0] *= (
        MUONS_OF_HADRONIC_MODEL[model.hadronic_model] * np.asarray(mass_number, size.dtype) ** model.mass_exponent
    )
    if model.constant_total:
        size *= proton / size.sum(axis=0)
    return np.asarray(size)


def muon_fluctuation(mass_number: NDArray[Any], model: ArrayModel) -> Array:
    """Return the relative standard deviation of the number of muons, (n,)."""
    return np.asarray(model.muon_fluctuation * np.asarray(mass_number, np.float64) ** model.muon_fluctuation_exponent)


def lateral_distribution(distance: Array, model: ArrayModel) -> Array:
    """Return the signals at a distance from the axis [m] relative to those at 1000 m, (2, ...)."""
    distance = np.maximum(distance, model.near_distance)
    near, far = distance / 1000, (distance + model.lateral_scale) / (1000 + model.lateral_scale)
    return np.stack(
        [
            near**beta * (far**gamma if gamma else 1)
            for beta, gamma in zip(model.lateral_exponent, model.lateral_exponent_far, strict=True)
        ]
    )


def attenuation(depth: Array, model: ArrayModel) -> Array:
    """Return the factors by which the signals have changed at a depth ΔX after the maximum [g/cm²], (2, ...)."""
    if model.attenuation == "power law":
        scaled = np.maximum(depth, np.finfo(np.float32).tiny) / 100
        return np.stack([np.minimum(scaled**-exponent, 10) for exponent in model.attenuation_exponent])
    parameters = zip(model.profile_maximum, model.profile_start, model.attenuation_length, strict=True)
    profiles = [
        showers.gaisser_hillas(depth, maximum, first_depth=start, attenuation_length=length)
        for maximum, start, length in parameters
    ]
    return np.stack(profiles).astype(depth.dtype)


def expected_particles(size: Array, distance: Array, depth: Array, model: ArrayModel) -> Array:
    """Return the expected numbers of particles in each station, each particle 1 VEM.

    Parameters
    ----------
    size : numpy.ndarray
        (2, n) as `shower_size` returns it; with or without the fluctuation of the muons.
    distance, depth : numpy.ndarray
        (n, S) as in `View`.
    model : ArrayModel
        Gives lateral distribution and attenuation.

    Returns
    -------
    numpy.ndarray
        (2, n, S), whenever they arrive.
    """
    expected = size[:, :, None].astype(distance.dtype) * lateral_distribution(distance, model)
    expected *= attenuation(depth, model)
    expected *= np.minimum(model.most_particles / np.maximum(expected.sum(axis=0), 1e-30), 1)
    return np.asarray(expected)


def arrival(distance: Array, depth: Array, model: ArrayModel) -> tuple[Array, Array]:
    """Return the parameters of the arrival times: median (2, ...) and what is added to it, (2, ...) [ns].

    The time of a particle after the front is `lag` + `median`·exp(`arrival_width`·z) with a standard normal z.

    Parameters
    ----------
    distance, depth : numpy.ndarray
        (...) as in `View`.
    model : ArrayModel
        Gives the parameters.

    Returns
    -------
    median, lag : numpy.ndarray
        (2, ...) [ns]; the lag of muons is 0.
    """
    rise = (distance / 750) ** model.arrival_exponent
    parameters = zip(model.arrival_offset, model.arrival_slope, model.arrival_shrinkage, strict=True)
    median = np.stack(
        [
            offset + slope * rise * np.maximum(1 - shrinkage * depth / 1000, LEAST_ARRIVAL_FACTOR)
            for offset, slope, shrinkage in parameters
        ]
    )
    late = model.electromagnetic_lag * np.maximum(median[1] - median[0], 0)
    return median, np.stack([np.zeros_like(late), late])


def half_time(expected: Array, median: Array, lag: Array) -> Array:
    """Return about when half of the signal has come after the front [ns], (...): the components' medians, weighted."""
    total = np.maximum(expected.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray((expected * (median + lag)).sum(axis=0) / total)


def bin_shares(median: Array, lag: Array, model: ArrayModel) -> Array:
    """Return the share of each component's particles that arrive in each bin of the trace.

    Parameters
    ----------
    median, lag : numpy.ndarray
        (2, ...) as `arrival` returns them.
    model : ArrayModel
        Gives the bins.

    Returns
    -------
    numpy.ndarray
        (2, ..., bins), less than 1 in sum: some come after the last bin.
    """
    since = np.maximum(model.bin_edges - lag[..., None], 1e-30)
    arrived = special.ndtr(np.log(since / median[..., None]) / model.arrival_width)
    return np.asarray(np.diff(arrived, axis=-1))


def response(model: ArrayModel) -> NDArray[np.float64]:
    """Return the share of a particle's signal in the bin of its arrival and each later one, (bins,)."""
    if model.response_time == 0:
        return np.asarray(np.eye(1, model.n_bins)[0])
    decay = np.exp(-model.bin_width / model.response_time)
    return np.asarray((1 - decay) * decay ** np.arange(model.n_bins))


def time_resolution(n_particles: Array, half_time: Array, model: ArrayModel) -> Array:
    """Return the standard deviation of the time of a station [ns].

    Parameters
    ----------
    n_particles : numpy.ndarray
        That the station has seen.
    half_time : numpy.ndarray
        As the function `half_time` returns it [ns].
    model : ArrayModel
        Gives the three terms.

    Returns
    -------
    numpy.ndarray
        √(clock² + (sampling·2·T50/n)²·(n - 1)/(n + 1) + (8·noise/(1 + log10(n + 1)))²).
    """
    variance = np.full_like(n_particles, model.clock_resolution**2)
    if model.sampling_noise:
        number = np.maximum(n_particles, 2)
        variance += (model.sampling_noise * 2 * half_time / number) ** 2 * (number - 1) / (number + 1)
    if model.time_noise:
        variance += (8 * model.time_noise / (1 + np.log10(n_particles + 1))) ** 2
    return np.sqrt(variance)
