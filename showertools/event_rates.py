"""How often telescopes record events: weights that let simulated events come as they do in nature.

A simulation draws more events of high energy than nature has. Each of them stands for a rate [1/s]: the flux at its
energy, over the density of the energies that were drawn, times the area and the solid angle from which the primaries
come. Sums of these weights over triggered events are the rates that a telescope records. Its threshold is where the
rate of gamma rays, over the logarithm of the energy, has its maximum.

The fluxes are power laws that HEGRA measured above 0.5 and at 1.5 TeV, continued to all energies: below 0.1 TeV the
Crab Nebula is in truth fainter than that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks
from showertools.cherenkov_model import TelescopeModel, check_model, check_particle

__all__ = ["crab_nebula", "of_events", "protons"]

Float = NDArray[np.float64]


def crab_nebula(energy: ArrayLike) -> Float:
    """Return the flux of gamma rays from the Crab Nebula at energies [TeV]: 2.83·10⁻⁷·E^-2.62 per m², s and TeV.

    F. Aharonian et al. (HEGRA), Astrophys. J. 614 (2004) 897, doi:10.1086/423931.
    """
    return np.asarray(2.83e-7 * _energy(energy) ** -2.62)


def protons(energy: ArrayLike) -> Float:
    """Return the flux of protons at energies [TeV]: 0.11·E^-2.72 per m², s, sr and TeV.

    F. Aharonian et al. (HEGRA), Phys. Rev. D 59 (1999) 092003, doi:10.1103/PhysRevD.59.092003.
    """
    return np.asarray(0.11 * _energy(energy) ** -2.72)


def of_events(energy: ArrayLike, *, particle: str, model: TelescopeModel) -> Float:
    """Return the rate for which each event of `cherenkov.simulate` stands.

    Parameters
    ----------
    energy : array_like
        (n,) `true_energy` of all n events that were simulated [TeV], whether they triggered or not.
    particle : str
        "gamma", as of the Crab Nebula in the middle of the field of view, or "proton", from all directions of the cone
        in which they were simulated.
    model : TelescopeModel
        That of the simulation.

    Returns
    -------
    numpy.ndarray
        (n,) [1/s].

    Raises
    ------
    ValueError
        If an energy is not positive, the particle is unknown, or `model` is no `TelescopeModel`.

    Examples
    --------
    >>> model = TelescopeModel()
    >>> bool(of_events(np.full(100, 0.5), particle="gamma", model=model).sum() > 0)
    True
    """
    energy = _energy(energy)
    check_particle(particle)
    low, high = check_model(model).energy
    power = model.spectral_index + 1
    whole = np.log(high / low) if abs(power) < 1e-9 else (high**power - low**power) / power
    density = energy**model.spectral_index / whole  # of the energies that were drawn
    area = np.pi * model.impact_radius**2 * np.sin(np.radians(model.pointing_alt))  # the disc as primaries see it
    if particle == "gamma":
        flux = crab_nebula(energy)
    else:
        flux = protons(energy) * 2 * np.pi * (1 - np.cos(np.radians(model.proton_cone)))
    return np.asarray(flux * area / (max(energy.size, 1) * density))


def _energy(energy: ArrayLike) -> Float:
    return _checks.in_range(energy, "energy", np.finfo(float).tiny, unit="TeV")
