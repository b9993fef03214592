"""Which photoelectrons reach a camera: from where in the sky, and when.

Few of the photons of a shower hit a mirror, so only those are drawn. For electromagnetic showers, the number of
photoelectrons in a telescope from each layer of air and class of electrons has a Poisson distribution with the mean
that `cherenkov_layers.density` says; the azimuth on the Cherenkov cone, given that the light hits the mirror, is a von
Mises distribution, and the electron's place then a normal one. For muons, which fly straight, points of their path and
azimuths are drawn such that most of the light hits the mirror, and what misses it is dropped.

Directions are slopes against the axis of the shower along two directions across it, which the camera shows as longitude
and latitude. The light from a place r across the axis, at the distance D, reaches a telescope at b from (r - b)/D.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showertools import atmosphere, cherenkov_layers, cherenkov_light
from showertools.cherenkov_layers import Layers
from showertools.cherenkov_model import TelescopeModel
from showertools.cherenkov_showers import CONVERSION_LENGTH, Muons, Showers
from showertools.footprints import SPEED_OF_LIGHT

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]
Integer = NDArray[np.intp]

SHOWERS_AT_ONCE = 1024
"""Electromagnetic showers that are worked on together, so that their arrays stay in the processor's cache."""
FEWEST_ELECTRONS = 0.02
"""A layer is left out where fewer electrons are expected."""
NEAREST = 100.0
"""Light from nearer to the telescope than this is left out [m], but for muons."""
LEAST_LOG_ENERGY = 1.0
"""Lowest β of Greisen's formula."""
FARTHEST_MUON = 250.0
"""Muons that land farther away than this are left out [m]: their light falls within some 130 m."""
LONGEST_MUON = 20_000.0
"""Length of a muon's path above the telescopes that is considered [m]."""
MUON_LOSS = 0.0022
"""What a muon loses in 1 g/cm² [GeV]; from memory."""


class Views(NamedTuple):
    """How telescopes see the axes of showers.

    Attributes
    ----------
    cosine : numpy.ndarray
        Of the zenith angle, (n,).
    impact : numpy.ndarray
        b of each telescope from the axis, across it [m], (n, telescopes, 2).
    along : numpy.ndarray
        How far each telescope is up the axis, compared with the core [m], (n, telescopes).
    """

    cosine: Float
    impact: Float
    along: Float


class Photoelectrons(NamedTuple):
    """Photoelectrons of all events in one list.

    Attributes
    ----------
    image : numpy.ndarray
        Number of the event times the number of telescopes, plus that of the telescope, (P,).
    slope : numpy.ndarray
        Where they come from: slopes against the direction to the source, (2, P).
    time : numpy.ndarray
        After a front that moves along the axis as in vacuum [ns], (P,).
    """

    image: Integer
    slope: Float32
    time: Float32


def joined(parts: list[Photoelectrons]) -> Photoelectrons:
    """Return several lists as one."""
    if not parts:
        return Photoelectrons(np.zeros(0, np.intp), np.zeros((2, 0), np.float32), np.zeros(0, np.float32))
    image, slope, time = zip(*parts, strict=True)
    return Photoelectrons(np.concatenate(image), np.concatenate(slope, axis=1), np.concatenate(time))


# --- electromagnetic showers ------------------------------------------------------------------------------------------


class _Cells(NamedTuple):
    """Layers of showers in which there are electrons: shower, layer, numbers of electrons of each class."""

    shower: Integer  # (C,)
    layer: Integer  # (C,)
    electrons: Float32  # (C, J)


def from_showers(
    rng: np.random.Generator, showers: Showers, views: Views, model: TelescopeModel
) -> list[Photoelectrons]:
    """Draw the photoelectrons of electromagnetic showers.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    showers : Showers
        Of all events.
    views : Views
        Of the events.
    model : TelescopeModel
        Gives telescopes and air.

    Returns
    -------
    list of Photoelectrons
        One for each telescope and `SHOWERS_AT_ONCE` showers.
    """
    found = []
    air = cherenkov_layers.layers(model)
    for start in range(0, len(showers.event), SHOWERS_AT_ONCE):
        some = Showers(*(values[start : start + SHOWERS_AT_ONCE] for values in showers))
        cells = _electrons(rng, some, views, air, model)
        for telescope in range(model.n_telescopes):
            found.append(_of_telescope(rng, some, cells, views, air, telescope, model))
    return found


def _electrons(
    rng: np.random.Generator, showers: Showers, views: Views, air: Layers, model: TelescopeModel
) -> _Cells:
    """Draw how many electrons of each class there are in each layer: whole numbers, as if independent.

    A shower whose maximum is shifted by δ radiation lengths has the profile of exp(δ) times its energy, over exp(δ).
    """
    log_energy = np.log(showers.energy / cherenkov_light.CRITICAL_ENERGY)
    shift = np.maximum(model.maximum_fluctuation * rng.standard_normal(len(log_energy)), LEAST_LOG_ENERGY - log_energy)
    beta = (log_energy + shift).astype(np.float32)[:, None]
    slant = air.depth / views.cosine.take(showers.event).astype(np.float32)[:, None]  # (K, I)
    since = slant - showers.first_depth.astype(np.float32)[:, None]
    depth = (since + np.float32(CONVERSION_LENGTH)) * np.float32(1 / cherenkov_light.RADIATION_LENGTH)
    number, age = cherenkov_light.greisen(depth, beta)
    number *= np.exp(-shift).astype(np.float32)[:, None]
    number[since < 0] = 0
    shower, layer = np.nonzero(number > FEWEST_ELECTRONS)
    share = air.share[layer, cherenkov_layers.age_index(age[shower, layer])]  # (C, J)
    electrons = rng.poisson(share * number[shower, layer][:, None]).astype(np.float32)
    return _Cells(shower, layer, electrons)


def _of_telescope(
    rng: np.random.Generator,
    showers: Showers,
    cells: _Cells,
    views: Views,
    air: Layers,
    telescope: int,
    model: TelescopeModel,
) -> Photoelectrons:
    """Draw the photoelectrons in one telescope."""
    event = showers.event
    along = views.along[event, telescope]
    impact = views.impact[event, telescope] - showers.landing + showers.slope * along[:, None]  # (K, 2)
    cosine = views.cosine.take(event)
    shower, layer = cells.shower, cells.layer
    distance = (air.height.take(layer) / cosine.take(shower) - along.take(shower)).astype(np.float32)  # (C,)
    far = np.flatnonzero(distance > NEAREST)
    shower, layer, distance = shower.take(far), layer.take(far), distance.take(far)
    ring = distance[:, None] * air.angle.take(layer, axis=0)
    variance = cherenkov_layers.landing_variance(distance, air, layer)
    radius = np.hypot(*impact.T).astype(np.float32).take(shower)[:, None]
    expected = cherenkov_layers.density(radius, ring, variance)
    expected *= cells.electrons.take(far, axis=0)
    expected *= air.photoelectrons.take(layer, axis=0)
    expected *= (air.thickness.take(layer) * np.float32(model.mirror_area) / cosine.take(shower).astype(np.float32))[
        :, None
    ]
    number = rng.poisson(expected).ravel()
    lit = np.flatnonzero(number)
    cell = np.repeat(lit, number.take(lit))  # (P,)
    n_classes = expected.shape[1]
    row = cell // n_classes
    shower, layer = shower.take(row), layer.take(row)
    thickness = air.thickness.take(layer) / cosine.take(shower).astype(np.float32)
    distance = distance.take(row) + thickness * (rng.random(len(row), dtype=np.float32) - np.float32(0.5))
    distance = np.maximum(distance, np.float32(NEAREST))
    entry = layer * n_classes + (cell - row * n_classes)
    return _photoelectrons(
        rng, showers, shower, layer, entry, distance, impact, event * model.n_telescopes + telescope, along, air, model
    )


def _photoelectrons(
    rng: np.random.Generator,
    showers: Showers,
    shower: Integer,  # (P,)
    layer: Integer,  # (P,)
    entry: Integer,  # (P,) of layer and class
    distance: Float32,  # (P,)
    impact: Float,  # (K, 2)
    image: Integer,  # (K,)
    along: Float,  # (K,)
    air: Layers,
    model: TelescopeModel,
) -> Photoelectrons:
    """Draw place and time of photoelectrons whose shower, layer, class and distance are known."""
    n = len(shower)
    target = _on_mirror(rng, n, model)  # (2, P)
    target += impact.T.astype(np.float32).take(shower, axis=1)
    ring = air.angle.ravel().take(entry) * distance
    both, spread = air.both.ravel().take(entry), air.distance.ravel().take(entry)
    lever = both + distance * air.slope.ravel().take(entry)
    shared = spread + distance * both  # covariance of place and landing
    variance = shared + distance * lever
    angle = np.arctan2(target[1], target[0])
    angle += rng.vonmises(0, np.hypot(target[0], target[1]) * ring / variance).astype(np.float32)
    inner = np.sqrt(np.maximum(spread - shared**2 / variance, 0))
    place = rng.standard_normal((2, n), dtype=np.float32)
    place *= inner
    place += (target - ring * np.stack([np.cos(angle), np.sin(angle)])) * (shared / variance)  # r

    slope = (place - target) / distance
    slope -= showers.slope.T.astype(np.float32).take(shower, axis=1)
    late = distance * np.sum(slope**2, axis=0)
    late += np.sum(place**2, axis=0) / air.radiation_length.take(layer)  # electrons have come on detours
    late *= np.float32(0.5)
    late += air.delay.take(layer)  # vertical; the light's path is longer by 1/cos, which all of an image share
    tilt = (np.sum(showers.slope**2, axis=1) / 2).astype(np.float32)
    beginning = (showers.start - along).astype(np.float32)
    late += tilt.take(shower) * np.maximum(beginning.take(shower) - distance, 0)
    late += showers.lag.astype(np.float32).take(shower)
    return Photoelectrons(image.take(shower), slope, late * np.float32(1 / SPEED_OF_LIGHT))


def _on_mirror(rng: np.random.Generator, n: int, model: TelescopeModel) -> Float32:
    """Draw points of the mirror [m], (2, n)."""
    radius = np.sqrt(rng.random(n, dtype=np.float32)) * np.float32(model.mirror_radius)
    azimuth = rng.random(n, dtype=np.float32) * np.float32(2 * np.pi)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)])


# --- muons ------------------------------------------------------------------------------------------------------------


class _Tracks(NamedTuple):
    """Paths of muons as one telescope sees them."""

    event: Integer  # (M,)
    energy: Float  # (M,) GeV where they are made
    start: Float  # (M,) m above the telescope's plane
    slope: Float  # (M, 2)
    impact: Float  # (M, 2) of the telescope from where they land, m
    lag: Float  # (M,) m
    along: Float  # (M,) m
    cosine: Float  # (M,)

    def take(self, index: Integer) -> _Tracks:
        return _Tracks(*(values.take(index, axis=0) for values in self))


def from_muons(rng: np.random.Generator, muons: Muons, views: Views, model: TelescopeModel) -> list[Photoelectrons]:
    """Draw the photoelectrons of muons; arguments and result as those of `from_showers`."""
    found = []
    for telescope in range(model.n_telescopes):
        along = views.along[muons.event, telescope]
        impact = views.impact[muons.event, telescope] - muons.landing + muons.slope * along[:, None]
        cosine = views.cosine.take(muons.event)
        start = muons.start - along
        tracks = _Tracks(muons.event, muons.energy, start, muons.slope, impact, muons.lag, along, cosine)
        near = np.flatnonzero((np.hypot(*impact.T) < FARTHEST_MUON) & (start > 0))
        found.append(_of_muons(rng, tracks.take(near), telescope, model))
    return found


def _of_muons(rng: np.random.Generator, tracks: _Tracks, telescope: int, model: TelescopeModel) -> Photoelectrons:
    """Draw points of the paths and azimuths on the cone from where light may hit the mirror; keep what hits."""
    radius = np.hypot(*tracks.impact.T)
    beside = radius > model.mirror_radius
    half = np.where(beside, np.arcsin(np.minimum(model.mirror_radius / np.maximum(radius, 1e-9), 1)), np.pi)
    nearest, farthest = _reach(tracks, radius, model)
    per_angle = model.efficiency * float(cherenkov_light.photons_per_metre(1.0)) / np.radians(1.0) ** 2
    widest = 2 * float(cherenkov_light.refractivity(model.site_altitude))
    mean = per_angle * widest * (farthest - nearest) * half / np.pi
    muon = np.repeat(np.arange(len(radius)), rng.poisson(mean))  # (P,)

    distance = nearest.take(muon) + (farthest - nearest).take(muon) * rng.random(len(muon))
    height = _height(tracks, muon, distance, model)
    square = _square_of_angle(tracks, muon, height, model)
    dim = rng.random(len(muon)) * widest > square * _transmission(height, model)
    azimuth = np.arctan2(tracks.impact[:, 1], tracks.impact[:, 0]).take(muon)
    azimuth += half.take(muon) * (2 * rng.random(len(muon)) - 1)
    cone = np.sqrt(square) * np.stack([np.cos(azimuth), np.sin(azimuth)])  # slopes against the muon
    miss = distance * cone - tracks.impact.T.take(muon, axis=1)
    hit = np.flatnonzero(~dim & (np.sum(miss**2, axis=0) < model.mirror_radius**2))

    muon, distance = muon.take(hit), distance.take(hit)
    slope = -cone.take(hit, axis=1) - tracks.slope.T.take(muon, axis=1)
    late = distance * np.sum(slope**2, axis=0) / 2 + tracks.lag.take(muon)
    late += cherenkov_light.optical_delay(height.take(hit), model.site_altitude)
    late += (np.sum(tracks.slope**2, axis=1) / 2).take(muon) * (tracks.start.take(muon) - distance)
    image = tracks.event.take(muon) * model.n_telescopes + telescope
    return Photoelectrons(image, slope.astype(np.float32), (late / SPEED_OF_LIGHT).astype(np.float32))


def _height(tracks: _Tracks, muon: Integer, distance: Float, model: TelescopeModel) -> Float:
    """Return the height above the sea of points of the paths [m]."""
    above = (distance + tracks.along.take(muon)) * tracks.cosine.take(muon)
    return np.asarray(model.site_altitude + np.maximum(above, 0))


def _square_of_angle(tracks: _Tracks, muon: Integer, height: Float, model: TelescopeModel) -> Float:
    """Return the square of the Cherenkov angle of muons at heights above the sea [rad²], 0 where there is no light."""
    cosine = tracks.cosine
    start = model.site_altitude + np.maximum((tracks.start + tracks.along) * cosine, 0)
    crossed = atmosphere.depth_at_height(height) - atmosphere.depth_at_height(start).take(muon)
    energy = np.maximum(tracks.energy.take(muon) - MUON_LOSS * crossed / cosine.take(muon), cherenkov_light.MUON_MASS)
    square = 2 * cherenkov_light.refractivity(height) - (cherenkov_light.MUON_MASS / energy) ** 2
    return np.asarray(np.maximum(square, 0))


def _reach(tracks: _Tracks, radius: Float, model: TelescopeModel) -> tuple[Float, Float]:
    """Return between which distances light can hit the mirror [m], (M,) each; the same one twice if none can."""
    edges = np.linspace(0, LONGEST_MUON, 81)
    distance = np.minimum(edges, tracks.start[:, None])  # (M, edges)
    muon = np.repeat(np.arange(len(radius)), len(edges))
    square = _square_of_angle(tracks, muon, _height(tracks, muon, distance.ravel(), model), model)
    ring = distance * np.sqrt(square).reshape(distance.shape)
    lower, upper = np.minimum(ring[:, 1:], ring[:, :-1]), np.maximum(ring[:, 1:], ring[:, :-1])
    hits = (upper > radius[:, None] - model.mirror_radius) & (lower < radius[:, None] + model.mirror_radius)
    hits &= (upper > 0) & (distance[:, 1:] > distance[:, :-1])
    any_hit, rows = hits.any(axis=1), np.arange(len(radius))
    nearest = distance[rows, np.argmax(hits, axis=1)]
    farthest = distance[rows, hits.shape[1] - np.argmax(hits[:, ::-1], axis=1)]
    return nearest, np.where(any_hit, farthest, nearest)


def _transmission(height: Float, model: TelescopeModel) -> Float:
    """Return the share of the light from heights above the sea [m] that reaches the telescope, from a table."""
    table, at = _transmission_table(model)
    return np.asarray(np.interp(height, at, table))


@lru_cache(maxsize=8)
def _transmission_table(model: TelescopeModel) -> tuple[Float, Float]:
    height = model.site_altitude + np.linspace(0, LONGEST_MUON, 201)
    table = cherenkov_light.transmission(
        height,
        model.site_altitude,
        cosine=np.sin(np.radians(model.pointing_alt)),
        aerosol_depth=model.aerosol_depth,
        aerosol_scale=model.aerosol_scale,
    )
    return table, height
