"""Which photoelectrons reach a camera: from where in the sky, and when.

Few of the photons of a shower hit a mirror, so only those are drawn. For electromagnetic showers, the number of
photoelectrons in a telescope from each layer of air and class of electrons has a Poisson distribution with the mean
that `cherenkov_layers.density` says; the azimuth on the Cherenkov cone, given that the light hits the mirror, is a von
Mises distribution, and the electron's place then a normal one. Where there are few electrons of high energy, each of
them lights a spot of its own, so they are drawn one by one: this is why faint images are irregular. For muons, which
fly straight, points of their path and azimuths are drawn such that most of the light hits the mirror, and what misses
it is dropped.

Directions are slopes against the axis of the shower along two directions across it, which the camera shows as longitude
and latitude. The light from a place r across the axis, at the distance D, reaches a telescope at b from (r - b)/D.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

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

SHOWERS_AT_ONCE, PHOTOELECTRONS_AT_ONCE = 1024, 2**18
"""How many are worked on together at most, so that their arrays are small."""
FEWEST_ELECTRONS = 0.02
"""A layer is left out where fewer electrons are expected."""
FIRST_SINGLE_CLASS, MOST_SINGLE = 4, 10
"""Electrons of this class and higher ones are drawn one by one in layers that have at most so many. Our choice."""
NEAREST = 100.0
"""Light from nearer to the telescope than this is left out [m], but for muons."""
LEAST_LOG_ENERGY = 1.0
"""Lowest β of Greisen's formula."""
FARTHEST_MUON = 250.0
"""Muons that land farther away than this are left out [m]: their light falls within some 130 m."""
LONGEST_MUON = 20_000.0
"""Length of a muon's path above the telescopes that is considered [m]."""
MUON_RANGE = 658.6
"""Mean path of a muon before it decays, over its energy in units of its mass [m]."""
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


class _Tracks(NamedTuple):
    """Axes of electromagnetic showers, or paths of muons, as one telescope sees them."""

    image: Integer  # (K,) as that of `Photoelectrons`
    energy: Float  # (K,) GeV
    slope: Float32  # (K, 2)
    impact: Float32  # (K, 2) of the telescope from where they land in its plane, m
    start: Float32  # (K,) m above the telescope's plane
    lag: Float32  # (K,) m
    along: Float32  # (K,) m
    cosine: Float32  # (K,)

    def take(self, index: Integer) -> _Tracks:
        return _Tracks._make(values.take(index, axis=0) for values in self)


def _tracks(particles: Showers | Muons, views: Views, telescope: int, model: TelescopeModel) -> _Tracks:
    event = particles.event
    along = views.along[event, telescope]
    impact = views.impact[event, telescope] - particles.landing + particles.slope * along[:, None]
    numbers = (particles.slope, impact, particles.start - along, particles.lag, along, views.cosine.take(event))
    image = event * model.n_telescopes + telescope
    return _Tracks(image, particles.energy, *(values.astype(np.float32) for values in numbers))


def _arrival(tracks: _Tracks, which: Integer, distance: Float32, slope: Float32, delay: Float32) -> Float32:
    """Return how late light arrives [ns]: for its detour, that of the particles, and the delay in the air [m]."""
    detour = np.sum(tracks.slope**2, axis=1).take(which) * np.maximum(tracks.start.take(which) - distance, 0)
    late = (distance * np.sum(slope**2, axis=0) + detour) / 2 + delay / tracks.cosine.take(which)
    return np.asarray((late + tracks.lag.take(which)) * np.float32(1 / SPEED_OF_LIGHT))


# --- electromagnetic showers ------------------------------------------------------------------------------------------


class _Cells(NamedTuple):
    """Electrons of one class in one layer of a shower: all of them, or a single one.

    How far a single one would land from the axis is drawn; of many, each photoelectron gets an electron of its own.
    """

    shower: Integer  # (C,)
    entry: Integer  # (C,) number of the layer times that of the classes, plus that of the class
    electrons: Float32  # (C,)
    single: NDArray[np.bool_]  # (C,)
    landing: Float32  # (2, C) of single ones, in standard deviations
    place: Float32  # (2, C) what the landing leaves open of the place, in standard deviations


def from_showers(
    rng: np.random.Generator, showers: Showers, views: Views, model: TelescopeModel
) -> Iterator[Photoelectrons]:
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

    Yields
    ------
    Photoelectrons
        At most `PHOTOELECTRONS_AT_ONCE`.
    """
    air = cherenkov_layers.layers(model)
    for start in range(0, len(showers.event), SHOWERS_AT_ONCE):
        some = Showers._make(values[start : start + SHOWERS_AT_ONCE] for values in showers)
        cells = _electrons(rng, some, views, air, model)
        for telescope in range(model.n_telescopes):
            tracks = _tracks(some, views, telescope, model)
            cell = _emitted(rng, tracks, cells, air, model)
            for first in range(0, len(cell), PHOTOELECTRONS_AT_ONCE):
                yield _received(rng, tracks, cells, cell[first : first + PHOTOELECTRONS_AT_ONCE], air, model)


def _electrons(rng: np.random.Generator, showers: Showers, views: Views, air: Layers, model: TelescopeModel) -> _Cells:
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
    electrons = rng.poisson(share * number[shower, layer][:, None])
    return _cells(rng, shower, layer, electrons)


def _cells(rng: np.random.Generator, shower: Integer, layer: Integer, electrons: NDArray[np.integer]) -> _Cells:
    """Return numbers of electrons (C, J) in some layers of showers (C,) as a list, single ones one by one."""
    row, category = np.nonzero(electrons)
    number = electrons[row, category]
    few = (category >= FIRST_SINGLE_CLASS) & (number <= MOST_SINGLE)
    copies = np.repeat(np.arange(len(row)), np.where(few, number, 1))
    row, category, single = row.take(copies), category.take(copies), few.take(copies)
    landing, place = rng.standard_normal((2, 2, len(copies)), dtype=np.float32) * single
    entry = layer.take(row) * electrons.shape[1] + category
    together = np.where(single, 1, number.take(copies)).astype(np.float32)
    return _Cells(shower.take(row), entry, together, single, landing, place)


def _spread(
    distance: Float32, entry: Integer, single: NDArray[np.bool_], air: Layers
) -> tuple[Float32, Float32, Float32]:
    """Return variances of the landing along one direction [m²], (C,) each.

    Returns
    -------
    total : numpy.ndarray
        Of an electron of the class.
    own : numpy.ndarray
        Of the electron in the layer, if it is a single one; else the total.
    shared : numpy.ndarray
        Covariance of place and landing.
    """
    both = air.both.ravel().take(entry)
    shared = air.distance.ravel().take(entry) + distance * both
    total = shared + distance * (both + distance * air.slope.ravel().take(entry))
    turned = np.minimum(distance**2 * air.turn.ravel().take(entry), total / 2)
    return total, np.where(single, turned, total), shared


def _emitted(rng: np.random.Generator, tracks: _Tracks, cells: _Cells, air: Layers, model: TelescopeModel) -> Integer:
    """Draw which cells the photoelectrons of one telescope come from, (P,)."""
    layer = cells.entry // air.angle.shape[1]
    distance = _distance(tracks, cells.shower, layer, air)
    total, own, _ = _spread(distance, cells.entry, cells.single, air)
    impact = tracks.impact.take(cells.shower, axis=0).T - cells.landing * np.sqrt(total - own)
    ring = distance * air.angle.ravel().take(cells.entry)
    expected = cherenkov_layers.density(np.hypot(impact[0], impact[1]), ring, own)
    expected *= cells.electrons * air.photoelectrons.ravel().take(cells.entry)
    expected *= air.thickness.take(layer) / tracks.cosine.take(cells.shower) * np.float32(model.mirror_area)
    expected[distance < NEAREST] = 0
    number = rng.poisson(expected)
    lit = np.flatnonzero(number)
    return np.repeat(lit, number.take(lit))


def _distance(tracks: _Tracks, shower: Integer, layer: Integer, air: Layers) -> Float32:
    """Return how far the middle of layers is from the telescope's plane, along the axis [m]."""
    return np.asarray(air.height.take(layer) / tracks.cosine.take(shower) - tracks.along.take(shower))


def _received(
    rng: np.random.Generator, tracks: _Tracks, cells: _Cells, cell: Integer, air: Layers, model: TelescopeModel
) -> Photoelectrons:
    """Draw direction and time of photoelectrons that come from cells (P,), anywhere in their layers."""
    shower, entry, single = cells.shower.take(cell), cells.entry.take(cell), cells.single.take(cell)
    layer = entry // air.angle.shape[1]
    thickness = air.thickness.take(layer) / tracks.cosine.take(shower)
    distance = _distance(tracks, shower, layer, air)
    distance += thickness * (rng.random(len(cell), dtype=np.float32) - np.float32(0.5))
    np.maximum(distance, np.float32(NEAREST), out=distance)

    total, own, shared = _spread(distance, entry, single, air)
    target = _on_mirror(rng, len(cell), model)  # (2, P)
    target += tracks.impact.take(shower, axis=0).T
    aim = target - cells.landing.take(cell, axis=1) * np.sqrt(total - own)
    ring = air.angle.ravel().take(entry) * distance
    azimuth = np.arctan2(aim[1], aim[0])
    azimuth += rng.vonmises(0, np.hypot(aim[0], aim[1]) * ring / own).astype(np.float32)
    place = np.where(single, cells.place.take(cell, axis=1), rng.standard_normal(aim.shape, dtype=np.float32))
    place *= np.sqrt(np.maximum(air.distance.ravel().take(entry) - shared**2 / total, 0))
    place += (target - ring * np.stack([np.cos(azimuth), np.sin(azimuth)])) * (shared / total)  # r

    slope = (place - target) / distance
    slope -= tracks.slope.take(shower, axis=0).T
    electrons = np.sum(place**2, axis=0) / (2 * air.radiation_length.take(layer))  # they came on detours as well
    time = _arrival(tracks, shower, distance, slope, air.delay.take(layer))
    time += electrons / np.float32(SPEED_OF_LIGHT)
    return Photoelectrons(tracks.image.take(shower), slope, time)


def _on_mirror(rng: np.random.Generator, n: int, model: TelescopeModel) -> Float32:
    """Draw points of the mirror [m], (2, n)."""
    radius = np.sqrt(rng.random(n, dtype=np.float32)) * np.float32(model.mirror_radius)
    azimuth = rng.random(n, dtype=np.float32) * np.float32(2 * np.pi)
    return np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth)])


# --- muons ------------------------------------------------------------------------------------------------------------


def from_muons(rng: np.random.Generator, muons: Muons, views: Views, model: TelescopeModel) -> Iterator[Photoelectrons]:
    """Draw the photoelectrons of muons; arguments as those of `from_showers`, yields one list a telescope."""
    for telescope in range(model.n_telescopes):
        tracks = _tracks(muons, views, telescope, model)
        near = np.hypot(tracks.impact[:, 0], tracks.impact[:, 1]) < FARTHEST_MUON
        yield _of_muons(rng, tracks.take(np.flatnonzero(near & (tracks.start > 0))), model)


def _of_muons(rng: np.random.Generator, tracks: _Tracks, model: TelescopeModel) -> Photoelectrons:
    """Draw points of the paths and azimuths on the cone from where light may hit the mirror; keep what hits."""
    radius = np.hypot(tracks.impact[:, 0], tracks.impact[:, 1])
    half = np.where(
        radius > model.mirror_radius, np.arcsin(np.minimum(model.mirror_radius / np.maximum(radius, 1e-9), 1)), np.pi
    )
    nearest, farthest = _reach(tracks, radius, model)
    mean_range = MUON_RANGE / cherenkov_light.MUON_MASS * tracks.energy
    decay = tracks.start - mean_range * rng.standard_exponential(len(radius))  # there the light ends
    nearest = np.clip(decay, nearest, farthest).astype(np.float32)
    per_angle = model.efficiency * float(cherenkov_light.photons_per_metre(1.0)) / np.radians(1.0) ** 2
    widest = 2 * float(cherenkov_light.refractivity(model.site_altitude))
    mean = per_angle * widest * (farthest - nearest) * half / np.pi
    muon = np.repeat(np.arange(len(radius)), rng.poisson(mean))  # (P,)

    distance = nearest.take(muon) + (farthest - nearest).take(muon) * rng.random(len(muon), dtype=np.float32)
    height = _height(tracks, muon, distance, model)
    square = _square_of_angle(tracks, muon, height, model)
    bright = rng.random(len(muon)) * widest < square * _transmission(height, model)
    azimuth = np.arctan2(tracks.impact[:, 1], tracks.impact[:, 0]).take(muon)
    azimuth += half.take(muon) * (2 * rng.random(len(muon)) - 1)
    cone = np.sqrt(square) * np.stack([np.cos(azimuth), np.sin(azimuth)])  # slopes against the muon
    miss = distance * cone - tracks.impact.take(muon, axis=0).T
    hit = np.flatnonzero(bright & (np.sum(miss**2, axis=0) < model.mirror_radius**2))

    muon, distance = muon.take(hit), distance.take(hit)
    slope = (-cone.take(hit, axis=1) - tracks.slope.take(muon, axis=0).T).astype(np.float32)
    delay = cherenkov_light.optical_delay(height.take(hit), model.site_altitude).astype(np.float32)
    return Photoelectrons(tracks.image.take(muon), slope, _arrival(tracks, muon, distance, slope, delay))


def _height(tracks: _Tracks, muon: Integer, distance: NDArray[Any], model: TelescopeModel) -> Float:
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


def _reach(tracks: _Tracks, radius: Float32, model: TelescopeModel) -> tuple[Float32, Float32]:
    """Return between which distances light can hit the mirror [m], (M,) each; the same one twice if none can."""
    edges = np.linspace(0, LONGEST_MUON, 81, dtype=np.float32)
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
