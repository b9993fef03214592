"""The air above Cherenkov telescopes in layers, and what the electrons in each of them radiate towards the ground.

I is the number of layers, J that of classes of electrons: those of one class and layer have nearly the same energy, so
one yield, one Cherenkov angle and one normal distribution of place and direction describe them.

An electron that is shifted by r from the axis and flies with the slope w would land at v = r + D·w, if D is the
distance to the telescope's plane. The light lands D·θ away from there, on a circle around it. As v is normal, the
density of the light at a distance b from the axis is that of Rice,

    exp(-(b² + (D·θ)²)/(2σ²))·I₀(b·D·θ/σ²)/(2πσ²),    σ² = ⟨r²⟩ + 2D·⟨rw⟩ + D²·⟨w²⟩

along one direction: a ring of the radius D·θ, washed out by σ. Source: our choice, with what `cherenkov_light` has.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from showertools import _checks, atmosphere, cherenkov_light
from showertools.cherenkov_model import TelescopeModel

Float32 = NDArray[np.float32]

N_LAYERS = 48
"""Layers of equal depth between the top of the air and the telescopes."""
CLASSES = (1.0, 1.25, 1.6, 2.1, 3.0, 5.0, 10.0, 30.0, 1000.0)
"""Edges of the classes, in units of the energy from which on electrons radiate."""
AGES = np.linspace(0, 3, 61)
"""Ages for which shares of the electrons are tabulated."""


@dataclass(frozen=True, eq=False)
class Layers:
    """What is the same for all showers of a model. Lengths are vertical; heights are those of the middle in depth.

    Attributes
    ----------
    depth, height, thickness : numpy.ndarray
        Vertical depth [g/cm²], height above the telescopes and thickness [m], (I,).
    delay : numpy.ndarray
        By how much light lags behind the front [m], (I,).
    radiation_length : numpy.ndarray
        [m], (I,).
    share : numpy.ndarray
        Share of the electrons that belong to each class, (I, ages, J).
    angle : numpy.ndarray
        Cherenkov angle [rad], (I, J).
    photoelectrons : numpy.ndarray
        That one electron would give on a metre of its path if all light hit a mirror, (I, J), at the pointing's zenith.
    slope, both, distance : numpy.ndarray
        Variance of the slope, covariance with the distance from the axis [m], variance of that [m²], (I, J).
    turn : numpy.ndarray
        Variance of the slope that an electron picks up in half of the layer, (I, J).
    """

    depth: Float32
    height: Float32
    thickness: Float32
    delay: Float32
    radiation_length: Float32
    share: Float32
    angle: Float32
    photoelectrons: Float32
    slope: Float32
    both: Float32
    distance: Float32
    turn: Float32


@lru_cache(maxsize=8)
def layers(model: TelescopeModel) -> Layers:
    """Return the layers of a model; computed once."""
    ground = float(atmosphere.depth_at_height(model.site_altitude))
    edges = np.linspace(0, ground, N_LAYERS + 1)
    depth = (edges[1:] + edges[:-1]) / 2
    height = atmosphere.height_at_depth(depth)  # (I,)
    step = ground / N_LAYERS
    thickness = step / atmosphere.density_at_height(height)
    radiation_length = cherenkov_light.RADIATION_LENGTH / atmosphere.density_at_height(height)
    classes = _classes(height)
    cosine = np.sin(np.radians(model.pointing_alt))
    passed = model.efficiency * cherenkov_light.transmission(
        height,
        model.site_altitude,
        cosine=cosine,
        aerosol_depth=model.aerosol_depth,
        aerosol_scale=model.aerosol_scale,
    )
    metre = radiation_length[:, None]
    arrays = {
        "depth": depth,
        "height": height - model.site_altitude,
        "thickness": thickness,
        "delay": cherenkov_light.optical_delay(height, model.site_altitude),
        "radiation_length": radiation_length,
        "share": classes["share"],
        "angle": np.sqrt(classes["angle"]),
        "photoelectrons": passed[:, None] * cherenkov_light.photons_per_metre(np.degrees(np.sqrt(classes["angle"]))),
        "slope": classes["slope"],
        "both": classes["both"] * metre,
        "distance": classes["distance"] * metre**2,
        "turn": classes["turn"] * step / cosine / cherenkov_light.RADIATION_LENGTH / 2,
    }
    return Layers(**{name: values.astype(np.float32) for name, values in arrays.items()})


def _classes(height: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return means over the electrons of each class, weighted with their light: the angle squared, and scattering."""
    n_steps, n_classes = 24, len(CLASSES) - 1
    edges = np.log(CLASSES)
    fraction = (np.arange(n_steps) + 0.5) / n_steps
    width = np.diff(edges)  # (J,)
    multiple = np.exp(edges[:-1, None] + width[:, None] * fraction)  # (J, steps)
    energy = cherenkov_light.threshold(height)[:, None, None] * multiple  # (I, J, steps)
    scattering = cherenkov_light.scattering(energy)
    lightest = np.log(cherenkov_light.LIGHTEST)
    share = np.empty((len(height), len(AGES), n_classes))
    for index, age in enumerate(AGES):
        number = cherenkov_light.energy_spectrum(energy, age).mean(axis=2) * width  # (I, J)
        below = np.linspace(lightest, np.log(energy[:, 0, 0]), 200)  # (200, I)
        slow = np.trapezoid(cherenkov_light.energy_spectrum(np.exp(below), age), below, axis=0)
        share[:, index] = number / (number.sum(axis=1) + slow)[:, None]
    angle = 2 * cherenkov_light.refractivity(height)[:, None, None] * (1 - multiple**-2.0)
    light = cherenkov_light.energy_spectrum(energy, 1.0) * angle
    light /= light.sum(axis=2, keepdims=True)
    number = cherenkov_light.energy_spectrum(energy, 1.0)
    return {
        "share": share,
        "angle": np.sum(number * angle, axis=2) / number.sum(axis=2),
        "slope": np.sum(light * scattering.angle, axis=2),
        "both": np.sum(light * scattering.both, axis=2),
        "distance": np.sum(light * scattering.distance, axis=2),
        "turn": np.sum(light * 0.5 * (cherenkov_light.SCATTERING_ENERGY / energy) ** 2, axis=2),
    }


def landing_variance(distance: NDArray, air: Layers, layer: NDArray[np.intp]) -> NDArray:
    """Return σ², the variance of where electrons would land along one direction [m²], (..., J).

    Parameters
    ----------
    distance : numpy.ndarray
        D to the telescope's plane [m], (...).
    air : Layers
        Gives slopes and distances.
    layer : numpy.ndarray
        Number of the layer, of the same shape.

    Returns
    -------
    numpy.ndarray
        For each class.
    """
    distance = distance[..., None]
    variance = distance * air.slope.take(layer, axis=0)
    variance += 2 * air.both.take(layer, axis=0)
    variance *= distance
    variance += air.distance.take(layer, axis=0)
    return np.asarray(variance)


def density(impact: NDArray, ring: NDArray, variance: NDArray) -> NDArray:
    """Return the density of the light of an electron whose place is uncertain.

    Parameters
    ----------
    impact : numpy.ndarray
        b, distance from the axis in the plane of the telescope [m].
    ring : numpy.ndarray
        D·θ, the radius of the circle on which the light lands [m].
    variance : numpy.ndarray
        σ² [m²]; all broadcast.

    Returns
    -------
    numpy.ndarray
        Probability for each square metre; its integral over the plane is 1.
    """
    inverse = 1 / variance
    offset = impact - ring
    offset = np.exp(-0.5 * offset * offset * inverse)
    offset *= special.i0e(impact * ring * inverse)
    offset *= inverse
    offset *= np.asarray(1 / (2 * np.pi), offset.dtype)
    return np.asarray(offset)


def light_density(
    energy: float, impact: NDArray, model: TelescopeModel, *, first_depth: float | None = None
) -> NDArray[np.float64]:
    """Return how many photons a vertical electromagnetic shower is expected to give at each distance from its axis.

    Parameters
    ----------
    energy : float
        Of the gamma ray [TeV].
    impact : numpy.ndarray
        Distance from the axis on the ground [m], (n,).
    model : TelescopeModel
        Gives site and aerosols.
    first_depth : float, optional
        Depth of the first pair [g/cm²]; by default the mean, 9/7 of a radiation length.

    Returns
    -------
    numpy.ndarray
        Photons of 300 to 600 nm a square metre, (n,).

    Raises
    ------
    ValueError
        If the energy is not positive, or a distance not finite.
    """
    _checks.number(energy, "energy", "positive")
    impact = _checks.finite(impact, "impact")
    vertical = dataclasses.replace(model, pointing_alt=90.0, efficiency=1.0)
    air = layers(vertical)
    mean = 9 / 7 * cherenkov_light.RADIATION_LENGTH
    start = mean if first_depth is None else first_depth
    depth = (air.depth - start + mean) / cherenkov_light.RADIATION_LENGTH
    number, age = cherenkov_light.greisen(depth, np.log(energy * 1e3 / cherenkov_light.CRITICAL_ENERGY))
    layer = np.arange(N_LAYERS)
    light = number[:, None] * air.share[layer, age_index(age)] * air.photoelectrons * air.thickness[:, None]
    variance = landing_variance(air.height, air, layer)
    ring = air.height[:, None] * air.angle
    found = light * density(impact[:, None, None], ring, variance)
    return np.asarray(np.where(air.depth[:, None] > start, found, 0).sum(axis=(1, 2)))


def age_index(age: NDArray) -> NDArray[np.intp]:
    """Return which entry of `AGES` is the nearest."""
    return np.asarray(np.minimum(age / AGES[1] + 0.5, len(AGES) - 1)).astype(np.intp)
