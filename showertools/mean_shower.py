"""The mean shower of an array's model, and how far a shower departs from it: what is known before it is seen.

Two properties of a shower change its signals beside energy and geometry: Xmax and the number of muons. A classical
reconstruction sets them to their means, and a limit counts their distributions as knowledge. Both come from
`ArrayModel`: Xmax from the part of its distribution that leaves the maximum above the ground, all primaries in equal
parts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage, special

from showertools import atmosphere, showers, surface_expectation
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

ENERGY_RANGE = (17.0, 21.0)
"""log10(E/eV) for which Xmax is known."""
_ENERGY_STEP = 0.25
_COSINE = np.linspace(0.4, 1.0, 25)  # of the zenith angle
_QUANTILES = (np.arange(64) + 0.5) / 64
_SMALLEST_SHARE = 1e-9


class Moments(NamedTuple):
    """What is known about a shower of a given energy and direction.

    Attributes
    ----------
    xmax : numpy.ndarray
        Mean Xmax [g/cm²], (n,).
    covariance : numpy.ndarray
        Of Xmax [g/cm²] and of the logarithm of the number of muons compared with its mean, (n, 2, 2).
    """

    xmax: Array
    covariance: Array


def moments(log10_energy: Array, cosine: Array, model: ArrayModel) -> Moments:
    """Return mean Xmax and the spread of Xmax and number of muons.

    Parameters
    ----------
    log10_energy : numpy.ndarray
        log10(E/eV), (n,); beyond `ENERGY_RANGE` the value at its end holds.
    cosine : numpy.ndarray
        Of the zenith angle, (n,).
    model : ArrayModel
        Gives primaries, hadronic model and height of the ground.

    Returns
    -------
    Moments
        From a table of which straight lines are drawn.
    """
    table = _table(model)  # (4, energies, cosines)
    row = (np.asarray(log10_energy, np.float64) - ENERGY_RANGE[0]) / _ENERGY_STEP
    column = (np.asarray(cosine, np.float64) - _COSINE[0]) / (_COSINE[1] - _COSINE[0])
    place = np.stack([row, column])
    xmax, variance, mixed, muons = (ndimage.map_coordinates(values, place, order=1, mode="nearest") for values in table)
    covariance = np.stack([np.stack([variance, mixed], -1), np.stack([mixed, muons], -1)], -1)
    return Moments(xmax, covariance)


@lru_cache(maxsize=8)
def _table(model: ArrayModel) -> Array:
    """Return mean and variance of Xmax, its covariance with log(muons), and their variance: (4, energies, cosines)."""
    energy = np.arange(ENERGY_RANGE[0], ENERGY_RANGE[1] + _ENERGY_STEP / 2, _ENERGY_STEP)
    mass = np.array(model.mass_numbers)
    mu, sigma, shape = (
        values[..., None, None]  # (masses, energies, 1, 1)
        for values in showers.xmax_parameters(mass[:, None], energy, hadronic_model=model.hadronic_model)
    )
    deepest = atmosphere.depth_at_height(model.observation_level + model.height_of_maximum) / _COSINE[:, None]
    share = np.maximum(showers.share_above(deepest, mu, sigma, shape), _SMALLEST_SHARE)
    drawn = special.gammainccinv(shape, share * _QUANTILES)
    xmax = mu - sigma * np.log(drawn / shape)  # (masses, energies, cosines, quantiles)
    mean_of_mass = xmax.mean(axis=-1)
    size = surface_expectation.shower_size(np.full(len(mass), 19.0), mass, model)[0]
    log_muons = np.log(size / size.mean()) if size.all() else np.zeros(len(mass))
    fluctuation = surface_expectation.muon_fluctuation(mass, model)
    muons = np.mean(fluctuation**2) + np.var(log_muons)
    apart = (log_muons - log_muons.mean())[:, None, None]
    return np.stack(
        [
            mean_of_mass.mean(axis=0),
            xmax.var(axis=(0, 3)),
            (apart * mean_of_mass).mean(axis=0),
            np.full(mean_of_mass.shape[1:], muons),
        ]
    )


def size(log10_energy: Array, model: ArrayModel) -> Array:
    """Return the signals 1000 m from the axis [VEM] as `surface_expectation.shower_size`, mean of all primaries (2, n).

    Parameters
    ----------
    log10_energy : numpy.ndarray
        log10(E/eV), (n,).
    model : ArrayModel
        Gives signals and primaries.
    """
    masses = np.array(model.mass_numbers)[:, None]
    energy = np.broadcast_to(log10_energy, (len(masses), len(log10_energy))).ravel()
    mass = np.broadcast_to(masses, (len(masses), len(log10_energy))).ravel()
    each = surface_expectation.shower_size(energy, mass, model)
    return np.asarray(each.reshape(2, len(masses), -1).mean(axis=1))
