"""What a primary becomes in the air: electromagnetic showers, and the muons of protons.

A gamma ray is one electromagnetic shower. A proton interacts, and what it leaves interacts again: nucleons and charged
pions fly on, each neutral pion becomes two photons at once, and charged pions that decay first become muons. Each
photon of at least 1 GeV starts an electromagnetic shower of its own, with the direction that transverse momenta have
given it. This is a sketch of hadronic physics with a handful of numbers; it has what makes images of protons differ
from those of gamma rays: several sub-showers, wide angles, large fluctuations, light from muons.

Particles of all events lie in one long array, with the number of their event; a loop goes over generations. Places are
given along the axis of the primary, ℓ metres above the core, and across it: a particle that flies with the slopes w
along the two directions across is at `landing` - w·ℓ.

Source: the shape of such cascades is textbook physics (T. K. Gaisser, R. Engel and E. Resconi, Cosmic Rays and
Particle Physics, 2016); the numbers in this module are rounded from memory, or our choice where it says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showertools import atmosphere, cherenkov_light
from showertools.cherenkov_model import TelescopeModel

Float = NDArray[np.float64]
Integer = NDArray[np.intp]

CONVERSION_LENGTH = 9 / 7 * cherenkov_light.RADIATION_LENGTH
"""Mean depth that a photon crosses before it becomes a pair [g/cm²]."""
NUCLEON_LENGTH, PION_LENGTH = 85.0, 115.0
"""Mean depth that nucleons and charged pions cross before they interact [g/cm²], at some 100 GeV."""
PION_DECAY_ENERGY = 115.0
"""Energy at which charged pions in a vertical shower decay as often as they interact [GeV], times their depth over the
interaction length."""
MEAN_TRANSVERSE_MOMENTUM = 0.34
"""Of pions [GeV]; its density goes as p·exp(-2p/mean)."""
NUCLEON_SPREAD = 1.5
"""Transverse momentum of the leading particle over that of others. Our choice."""
MULTIPLICITY, MULTIPLICITY_EXPONENT = 3.0, 0.25
"""Mean number of pions that share what the leading particle leaves, beyond the first: 3·(E/10 GeV)^0.25. Our choice."""
PION_MASS = 0.135
"""Of the neutral pion [GeV]."""
LEAST_ENERGY = 1.0
"""Energy below which photons are dropped [GeV]."""
LEAST_HADRON_ENERGY = 4.0
"""Energy below which nucleons and charged pions are dropped [GeV]; muons of less do not radiate."""
GENERATIONS = 14
"""How often a particle may interact."""


class Showers(NamedTuple):
    """Electromagnetic showers, in the order of their events.

    Attributes
    ----------
    event : numpy.ndarray
        Which event a shower belongs to, (K,).
    energy : numpy.ndarray
        [GeV], (K,).
    first_depth : numpy.ndarray
        Slant depth of the first pair [g/cm²], (K,).
    slope : numpy.ndarray
        w, against the axis of the primary, (K, 2).
    landing : numpy.ndarray
        Where the axis of the shower meets ℓ = 0 [m], (K, 2).
    start : numpy.ndarray
        ℓ where it left the path of its parent [m], (K,).
    lag : numpy.ndarray
        By how much its parent was behind the front there [m], (K,).
    """

    event: Integer
    energy: Float
    first_depth: Float
    slope: Float
    landing: Float
    start: Float
    lag: Float


class Muons(NamedTuple):
    """Muons, in any order; attributes as those of `Showers`, `start` being where they are made."""

    event: Integer
    energy: Float
    slope: Float
    landing: Float
    start: Float
    lag: Float


class _Hadrons(NamedTuple):
    """Nucleons and charged pions that fly from `start`, at the slant depth `depth`."""

    event: Integer
    energy: Float
    slope: Float
    landing: Float
    start: Float
    lag: Float
    depth: Float
    is_nucleon: NDArray[np.bool_]

    def take(self, index: Integer) -> _Hadrons:
        return _Hadrons._make(values.take(index, axis=0) for values in self)

    def turned(self, change: Float) -> _Hadrons:
        """Return the particles with other slopes from `start` on."""
        return self._replace(slope=self.slope + change, landing=self.landing + change * self.start[:, None])


def gammas(rng: np.random.Generator, energy: Float) -> Showers:
    """Return the electromagnetic showers of gamma rays, one each.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    energy : numpy.ndarray
        Of the gamma rays [TeV], (n,).

    Returns
    -------
    Showers
        Along the axis, with a first pair after an exponential depth.
    """
    n = len(energy)
    zero = np.zeros(n)
    first = CONVERSION_LENGTH * rng.standard_exponential(n)
    return Showers(np.arange(n), energy * 1e3, first, np.zeros((n, 2)), np.zeros((n, 2)), zero, zero)


def protons(
    rng: np.random.Generator, energy: Float, cosine: Float, model: TelescopeModel
) -> tuple[Showers, Muons, Float]:
    """Return the electromagnetic showers and the muons of protons.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    energy : numpy.ndarray
        Of the protons [TeV], (n,).
    cosine : numpy.ndarray
        Of the zenith angle, (n,).
    model : TelescopeModel
        Gives the ground.

    Returns
    -------
    showers : Showers
        Of photons of at least `LEAST_ENERGY`.
    muons : Muons
        That radiate somewhere above the ground.
    first_depth : numpy.ndarray
        Slant depth of the first interaction [g/cm²], (n,).
    """
    n = len(energy)
    ground = float(atmosphere.depth_at_height(model.site_altitude)) / cosine
    flat = np.zeros((n, 2))
    beginning = np.full(n, 1e5)  # far above the air; the axis has no slope there, so that nothing depends on it
    hadrons = _Hadrons(np.arange(n), energy * 1e3, flat, flat, beginning, np.zeros(n), np.zeros(n), np.ones(n, bool))
    photons: list[_Hadrons] = []
    muons: list[_Hadrons] = []
    first_depth = ground.copy()
    least_muon = float(cherenkov_light.threshold(model.site_altitude, mass=cherenkov_light.MUON_MASS))
    for generation in range(GENERATIONS):
        interacting, decaying = _fly(rng, hadrons, cosine, ground, model)
        if generation == 0:
            first_depth[interacting.event] = interacting.depth
        share = rng.uniform(0.573, 1, len(decaying.energy))  # what the neutrino leaves the muon
        made = decaying._replace(energy=decaying.energy * share)
        muons.append(made.take(np.flatnonzero(made.energy > least_muon)))
        hadrons, neutral = _interact(rng, interacting)
        photons.append(_decay_neutral(rng, neutral))
        if len(hadrons.event) == 0:
            break
    light = _Hadrons(*(np.concatenate(parts) for parts in zip(*photons, strict=True)))
    light = light.take(np.argsort(light.event, kind="stable"))
    first = light.depth + CONVERSION_LENGTH * rng.standard_exponential(len(light.event))
    showers = Showers(light.event, light.energy, first, *light[2:6])
    all_muons = Muons(*(np.concatenate(parts) for parts in zip(*(some[:6] for some in muons), strict=True)))
    return showers, all_muons, first_depth


def height_at(depth: Float, cosine: Float, model: TelescopeModel) -> Float:
    """Return the height above the sea [m] at slant depths [g/cm²]; that of the site for what lies below the ground."""
    ground = float(atmosphere.depth_at_height(model.site_altitude))
    return atmosphere.height_at_depth(np.minimum(depth * cosine, ground))


def _fly(
    rng: np.random.Generator, hadrons: _Hadrons, cosine: Float, ground: Float, model: TelescopeModel
) -> tuple[_Hadrons, _Hadrons]:
    """Let particles fly until they interact or decay; returns those that do above the ground, at their new places.

    In an atmosphere of constant temperature, pions survive from the depth X₀ to X with the probability
    (X₀/X)^(ε/(E·cos θ)).
    """
    n = len(hadrons.event)
    inclination = cosine.take(hadrons.event)
    length = np.where(hadrons.is_nucleon, NUCLEON_LENGTH, PION_LENGTH)
    to_interaction = hadrons.depth + length * rng.standard_exponential(n)
    exponent = np.minimum(hadrons.energy * inclination / PION_DECAY_ENERGY, 1e3)
    growth = np.minimum(rng.standard_exponential(n) * exponent, 50)
    to_decay = np.where(hadrons.is_nucleon, np.inf, hadrons.depth * np.exp(growth))
    depth = np.minimum(to_interaction, to_decay)
    above = np.flatnonzero(depth < ground.take(hadrons.event))
    moved, depth = hadrons.take(above), depth.take(above)
    inclination = inclination.take(above)
    height = (height_at(depth, inclination, model) - model.site_altitude) / inclination
    detour = np.sum(moved.slope**2, axis=1) / 2 * np.maximum(moved.start - height, 0)
    moved = moved._replace(depth=depth, start=height, lag=moved.lag + detour)
    decays = to_decay.take(above) < to_interaction.take(above)
    return moved.take(np.flatnonzero(~decays)), moved.take(np.flatnonzero(decays))


def _interact(rng: np.random.Generator, parents: _Hadrons) -> tuple[_Hadrons, _Hadrons]:
    """Return the nucleons and charged pions, and the neutral pions, that interactions leave.

    The leading particle keeps a uniform share of the energy, pions share the rest at random, a third of them neutral.
    """
    n = len(parents.event)
    kept = rng.random(n)
    leading = parents.turned(_kick(rng, parents.energy * kept, NUCLEON_SPREAD))._replace(energy=parents.energy * kept)
    mean = MULTIPLICITY * (parents.energy / 10) ** MULTIPLICITY_EXPONENT
    number = 1 + rng.poisson(mean)
    parent = np.repeat(np.arange(n), number)
    part = rng.standard_exponential(len(parent))
    total = np.bincount(parent, part, minlength=n)
    energy = part * ((parents.energy * (1 - kept)) / np.maximum(total, 1e-30)).take(parent)
    neutral = rng.random(len(parent)) < 1 / 3
    useful = energy > np.where(neutral, LEAST_ENERGY, LEAST_HADRON_ENERGY)
    parent, energy, neutral = parent[useful], energy[useful], neutral[useful]
    pions = parents.take(parent).turned(_kick(rng, energy, 1.0))
    pions = pions._replace(energy=energy, is_nucleon=np.zeros(len(parent), bool))
    exchanged = ~leading.is_nucleon & (rng.random(n) < 1 / 3)  # a leading pion may be neutral as well
    going = np.flatnonzero(~exchanged & (leading.energy > LEAST_HADRON_ENERGY))
    lost = np.flatnonzero(exchanged & (leading.energy > LEAST_ENERGY))
    charged = _joined(leading.take(going), pions.take(np.flatnonzero(~neutral)))
    return charged, _joined(leading.take(lost), pions.take(np.flatnonzero(neutral)))


def _decay_neutral(rng: np.random.Generator, pions: _Hadrons) -> _Hadrons:
    """Return the photons of neutral pions: isotropic where the pion is at rest, so their energy is uniform."""
    share = rng.random(len(pions.event))
    azimuth = 2 * np.pi * rng.random(len(pions.event))
    direction = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    transverse = PION_MASS * np.sqrt(share * (1 - share))
    halves = []
    for part, sign in ((share, 1), (1 - share, -1)):
        energy = np.maximum(pions.energy * part, 1e-9)
        photon = pions.turned(sign * direction * (transverse / energy)[:, None])._replace(energy=energy)
        halves.append(photon.take(np.flatnonzero(energy > LEAST_ENERGY)))
    return _joined(*halves)


def _kick(rng: np.random.Generator, energy: Float, factor: float) -> Float:
    """Return by how much transverse momenta turn particles of these energies [GeV], (K, 2)."""
    momentum = factor * rng.gamma(2, MEAN_TRANSVERSE_MOMENTUM / 2, len(energy))
    slope = np.minimum(momentum / np.maximum(energy, 1e-9), 1)
    azimuth = 2 * np.pi * rng.random(len(energy))
    return np.stack([slope * np.cos(azimuth), slope * np.sin(azimuth)], axis=1)


def _joined(first: _Hadrons, second: _Hadrons) -> _Hadrons:
    return _Hadrons(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
