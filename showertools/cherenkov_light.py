"""Cherenkov light in the air: its angle and yield, how much reaches the ground, and which electrons emit it.

The refractive index n of the air is so near to 1 that angles are small: a particle of mass m and energy E radiates at

    θ² = 2·(n − 1) − (m/E)²,

if this is positive, and 2πα·(1/λ₁ − 1/λ₂)·θ² photons a metre with wavelengths between λ₁ and λ₂. Of an electromagnetic
shower one needs to know how many electrons (and positrons) there are at each depth, with which energies, and how far
they are scattered away from the axis. Nothing here is random.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import constants

from showertools import _checks, atmosphere

Float = NDArray[np.float64]

WAVELENGTHS = (300.0, 600.0)
"""Shortest and longest wavelength of the light that is counted [nm]: about what telescopes see."""
RADIATION_LENGTH = 36.7
"""Radiation length of air [g/cm²]."""
CRITICAL_ENERGY = 0.085
"""Energy at which electrons in air lose as much by ionisation as by radiation [GeV], as Greisen took it."""
ELECTRON_MASS, MUON_MASS = 0.000511, 0.10566
"""[GeV]."""
REFRACTIVITY, REFRACTIVITY_SCALE = 2.92e-4, 8000.0
"""n - 1 at sea level, and over how many metres of height it falls to 1/e."""
SCATTERING_ENERGY = 0.021
"""An electron of energy E is scattered by this over E, in root mean square, in one radiation length [GeV]."""
LIGHTEST = 0.001
"""Energy from which on electrons are counted [GeV]: those below do not travel."""

_RAYLEIGH = 2970.0  # g/cm² between two scatterings at 400 nm
_YIELD = 2 * np.pi * constants.fine_structure * (1e9 / WAVELENGTHS[0] - 1e9 / WAVELENGTHS[1])  # photons/m for θ = 1
_BACKWARD = 0.88  # growth of an electron's energy backwards in depth, a radiation length
_WIDENING = 1.4  # of the lateral distribution by the photons between electrons


def refractivity(height: ArrayLike) -> Float:
    """Return n - 1, n the refractive index of the air at a height above the sea [m]; 2.92·10⁻⁴·exp(-h/8 km)."""
    return np.asarray(REFRACTIVITY * np.exp(-_checks.finite(height, "height") / REFRACTIVITY_SCALE))


def optical_delay(height: ArrayLike, site_altitude: float) -> Float:
    """Return by how much light from a height lags behind a front that moves as in vacuum, on a vertical path [m]."""
    return np.asarray(REFRACTIVITY_SCALE * (refractivity(site_altitude) - refractivity(height)))


def cherenkov_angle(height: ArrayLike, energy: ArrayLike = np.inf, *, mass: float = ELECTRON_MASS) -> Float:
    """Return the angle at which a particle radiates.

    Parameters
    ----------
    height : array_like
        Above the sea [m].
    energy : array_like
        Energy of the particle [GeV]; broadcasts with `height`. By default as fast as light.
    mass : float
        `ELECTRON_MASS` or `MUON_MASS` [GeV].

    Returns
    -------
    numpy.ndarray
        Angle to the direction of the particle [degrees]; 0 where it is too slow to radiate.

    Raises
    ------
    ValueError
        If a height is not finite, or an energy not positive.

    Examples
    --------
    >>> cherenkov_angle([0.0, 2200.0, 10_000.0]).round(2)
    array([1.38, 1.21, 0.74])
    """
    inverse = 1 / _checks.in_range(energy, "energy", np.finfo(float).tiny, unit="GeV")
    return np.asarray(np.degrees(np.sqrt(np.maximum(2 * refractivity(height) - (mass * inverse) ** 2, 0))))


def threshold(height: ArrayLike, *, mass: float = ELECTRON_MASS) -> Float:
    """Return the energy from which on a particle radiates at a height above the sea [m]; [GeV]."""
    return np.asarray(mass / np.sqrt(2 * refractivity(height)))


def photons_per_metre(angle: ArrayLike) -> Float:
    """Return how many photons of 300 to 600 nm a particle radiates in a metre at an angle [degrees]."""
    return np.asarray(_YIELD * np.sin(np.radians(angle)) ** 2)


def transmission(
    height: ArrayLike,
    site_altitude: float,
    *,
    cosine: ArrayLike = 1.0,
    aerosol_depth: float = 0.0,
    aerosol_scale: float = 1200.0,
) -> Float:
    """Return which share of the light from a height reaches the site.

    Parameters
    ----------
    height : array_like
        Above the sea [m], where the light is emitted; at least that of the site.
    site_altitude : float
        Above the sea [m].
    cosine : array_like
        Cosine of the zenith angle; broadcasts with `height`.
    aerosol_depth, aerosol_scale : float
        Optical depth of the aerosols above the site at 400 nm, and the scale of their height [m].

    Returns
    -------
    numpy.ndarray
        Mean over the Cherenkov spectrum, from 0 to 1. Molecules scatter light after Rayleigh, as 1/λ⁴, aerosols as 1/λ;
        scattered light is lost. Ozone is left out: it matters below 320 nm only.
    """
    height, cosine = np.broadcast_arrays(np.asarray(height, np.float64), np.asarray(cosine, np.float64))
    wavelength = np.linspace(*WAVELENGTHS, 31) / 400
    crossed = atmosphere.depth_at_height(site_altitude) - atmosphere.depth_at_height(height)
    molecules = (crossed / (_RAYLEIGH * cosine))[..., None] * wavelength**-4
    haze = aerosol_depth * -np.expm1(-(height - site_altitude) / aerosol_scale) / cosine
    passed = np.exp(-molecules - haze[..., None] / wavelength)
    return np.asarray(np.average(passed, axis=-1, weights=wavelength**-2))


# --- the electrons of an electromagnetic shower -----------------------------------------------------------------------


def greisen(depth: NDArray[Any], log_energy: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return number and age of the electrons of an electromagnetic shower, after Greisen.

        N = 0.31/√β·exp(t·(1 − 1.5·ln s)),    s = 3t/(t + 2β),    β = ln(E/85 MeV)

    Parameters
    ----------
    depth : numpy.ndarray
        t in radiation lengths; broadcasts with `log_energy`.
    log_energy : numpy.ndarray
        β, positive.

    Returns
    -------
    number, age : numpy.ndarray
        Of the broadcast shape and the type of the arguments; both 0 at t ≤ 0. The maximum is at t = β, where s is 1.

    Notes
    -----
    K. Greisen, Prog. Cosmic Ray Phys. 3 (1956) 1; the formula as it is quoted ever since.
    """
    depth = np.maximum(depth, 0)
    age = 3 * depth / (depth + 2 * log_energy)
    exponent = depth * (1 - 1.5 * np.log(np.maximum(age, 1e-6)))
    return np.where(depth > 0, 0.31 / np.sqrt(log_energy) * np.exp(exponent), 0), age


def energy_spectrum(energy: ArrayLike, age: ArrayLike) -> Float:
    """Return the spectrum of the electrons of a shower, E·dN/dE, up to a factor that depends on the age.

    Parameters
    ----------
    energy : array_like
        E [GeV]; broadcasts with `age`.
    age : array_like
        s, 1 at the maximum.

    Returns
    -------
    numpy.ndarray
        E/((E + a₁)·(E + a₂)^s), a₁ = 6.43 - 1.53·s and a₂ = 168 - 42·s in MeV: F. Nerling et al., Astropart. Phys. 24
        (2006) 421, doi:10.1016/j.astropartphys.2005.09.002; the numbers are from memory. Divide by the sum above
        `LIGHTEST`.
    """
    energy, age = np.asarray(energy, np.float64) * 1e3, np.asarray(age, np.float64)
    return np.asarray(energy / ((energy + 6.42522 - 1.53183 * age) * (energy + 168.168 - 42.1368 * age) ** age))


class Scattering(NamedTuple):
    """Spread of the electrons of one energy, along each of two directions: a normal distribution of both together.

    Attributes
    ----------
    angle : numpy.ndarray
        Variance of the slope against the axis.
    both : numpy.ndarray
        Covariance of slope and distance [radiation lengths].
    distance : numpy.ndarray
        Variance of the distance from the axis [radiation lengths squared].
    """

    angle: Float
    both: Float
    distance: Float


def scattering(energy: ArrayLike) -> Scattering:
    """Return how far multiple scattering has spread the electrons of an energy.

    Parameters
    ----------
    energy : array_like
        E [GeV], positive.

    Returns
    -------
    Scattering
        Each of the shape of `energy`.

    Notes
    -----
    Going back t radiation lengths, an electron of energy E, or its parent, had the energy

        E(t) = (E + ε/k)·exp(k·t) − ε/k,

    with the critical energy ε and k = 0.88, so that dE/dt = k·E + ε. It was scattered by (21 MeV/E(t))²·dt, which
    shifts it by t times the angle since. The sums are Es²·∫E(t)⁻²·tᵐ dt with m = 0, 1, 2. Without ionisation, ε = 0,
    they are those of cascade theory at the maximum, where ⟨θ²⟩ = 0.57·(Es/E)² and ⟨r²⟩ = 0.72·(Es/E)² (J. Nishimura,
    Handbuch der Physik 46/2 (1967) 1; the numbers from memory), if distances are stretched by 1.4. That stands for the
    photons in between, which are not scattered, and is our choice.
    """
    energy = _checks.positive(energy, "energy")
    step = 0.02
    t = np.arange(step / 2, 12, step)
    offset = CRITICAL_ENERGY / _BACKWARD
    parent = (energy[..., None] + offset) * np.exp(_BACKWARD * t) - offset
    density = 0.5 * step * (SCATTERING_ENERGY / parent) ** 2  # a half for each of two directions
    moments = [np.sum(density * (_WIDENING * t) ** power, axis=-1) for power in (0, 1, 2)]
    return Scattering(*moments)
