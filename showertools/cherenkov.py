"""Cherenkov telescopes under air showers: camera images of gamma rays and protons.

A primary becomes electromagnetic showers and muons (`cherenkov_showers`), these radiate in the air (`cherenkov_light`,
`cherenkov_layers`), some of the light hits a mirror (`cherenkov_photons`) and makes a picture (`cherenkov_camera`).
Photoelectrons of all events of a chunk lie in one list, so that no loop over events is needed.

Names, units and frames are those of ctapipe: on the ground, x points to the north and y to the west; azimuth counts
from north over east; `telescope_frame` leads from there to the camera. `TelescopeModel` has the parameters. What is
left out: the Earth's magnetic field, which widens showers from some directions; the light of hadrons and of photons
below 1 GeV; scattered light; nuclei heavier than protons; the aberration of the mirror; broken pixels, stars, clouds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, cherenkov_camera, cherenkov_photons, cherenkov_showers, chunks, telescope_frame
from showertools.cherenkov_model import (
    ENERGY_LIMITS,
    PARTICLES,
    WIDEST_ANGLE,
    TelescopeModel,
    check_model,
    check_particle,
)
from showertools.chunks import Events

__all__ = [
    "CHUNK_SIZE",
    "PARTICLES",
    "UNITS",
    "TelescopeModel",
    "iterate",
    "simulate",
    "simulate_chunk",
    "simulate_given",
    "simulate_muons",
]

Float = NDArray[np.float64]

CHUNK_SIZE = 256
"""Events in a chunk: so many that two threads do not wait for each other, so few that memory stays flat. Changing it
changes the events of a seed."""
MUON_ENERGY_LIMITS = (0.001, 10.0)
"""Lowest and highest energy of a muon that comes alone [TeV]. Our choice."""
HIGHEST_MUON = 20_000.0
"""Greatest height above the sea where such a muon is made [m]. Our choice."""
UNITS = {
    "image": "p.e.",
    "peak_time": "ns",
    "triggered": "",
    "true_image_sum": "p.e.",
    "true_impact_distance": "m",
    "true_energy": "TeV",
    "true_alt": "deg",
    "true_az": "deg",
    "true_core_x": "m",
    "true_core_y": "m",
    "true_h_first_int": "m",
    "telescope_pointing_altitude": "deg",
    "telescope_pointing_azimuth": "deg",
    "true_shower_primary_id": "",
}
"""Unit of each array that `simulate` returns."""


def simulate(
    n_events: int,
    *,
    seed: int,
    particle: str,
    model: TelescopeModel = TelescopeModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
    progress: bool = False,
) -> Events:
    """Simulate what Cherenkov telescopes see of air showers.

    Parameters
    ----------
    n_events : int
        How many, at least 0.
    seed : int
        Not negative. The same seed gives the same events for any number of workers, and the first events of a larger
        set are those of a smaller one.
    particle : str
        "gamma" or "proton".
    model : TelescopeModel
        Parameters of showers and telescopes.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of numpy.ndarray
        Of the telescopes: `image` (n, telescopes, pixels) [p.e.] and `peak_time` (n, telescopes, pixels) [ns] after the
        readout starts, pixels in the order of `model.camera`; `triggered` (n, telescopes); `true_image_sum` (n,
        telescopes), the shower's photoelectrons in the camera; `true_impact_distance` (n, telescopes) from the axis
        [m]. Of the showers: `true_energy` [TeV]; `true_alt`, `true_az` where it comes from [degrees]; `true_core_x`,
        `true_core_y` [m]; `true_h_first_int`, the height of the first interaction above the sea [m];
        `true_shower_primary_id`, 0 for gamma rays and 101 for protons; `telescope_pointing_altitude` and
        `telescope_pointing_azimuth` [degrees]; all (n,). Floats are float32. Events without any trigger are kept.

    Raises
    ------
    ValueError
        If a number is negative or not whole, the particle is unknown, or `model` is no `TelescopeModel`.

    Examples
    --------
    >>> events = simulate(100, seed=1, particle="gamma")
    >>> events["image"].shape
    (100, 1, 1855)
    """
    check_model(model)
    check_particle(particle)
    empty = simulate_chunk(np.random.default_rng(0), 0, model, particle=particle)
    return chunks.collect(
        iterate(n_events, seed=seed, particle=particle, model=model, workers=workers, progress=progress),
        n_events,
        empty,
    )


def iterate(
    n_events: int,
    *,
    seed: int,
    particle: str,
    model: TelescopeModel = TelescopeModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Events]:
    """Simulate as `simulate` does, but yield chunk by chunk, so that memory stays flat."""
    check_model(model)
    check_particle(particle)
    chunks.check_size(n_events, "n_events", minimum=0)
    return chunks.iterate(
        lambda rng, size: simulate_chunk(rng, size, model, particle=particle),
        n_events,
        seed=seed,
        chunk_size=CHUNK_SIZE,
        workers=workers,
        progress=progress,
    )


def simulate_chunk(rng: np.random.Generator, size: int, model: TelescopeModel, *, particle: str) -> Events:
    """Simulate `size` events from one generator; returns what `simulate` returns."""
    energy = _draw_energy(rng, size, model)
    azimuth, angle = 2 * np.pi * rng.random((2, size))
    uniform = rng.random(size)
    if particle == "proton":  # isotropic in a cone
        cosine = 1 - uniform * (1 - np.cos(np.radians(model.proton_cone)))
        sine = np.sqrt(1 - cosine**2)
        direction = [np.arctan2(sine * np.cos(azimuth), cosine), np.arcsin(sine * np.sin(azimuth))]
        offset = np.degrees(direction).T
    else:
        distance = model.source_radius * np.sqrt(uniform)
        offset = model.source_offset + distance[:, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    radius = model.impact_radius * np.sqrt(rng.random(size))
    core = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _simulate(rng, _Primaries(energy, offset, core), particle, model)


def simulate_given(
    rng: np.random.Generator,
    energy: ArrayLike,
    *,
    particle: str,
    offset: ArrayLike = (0.0, 0.0),
    core: ArrayLike = (0.0, 0.0),
    model: TelescopeModel = TelescopeModel(),  # noqa: B008 (frozen)
) -> Events:
    """Simulate primaries that are given; showers, light and cameras still fluctuate.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    energy : array_like
        (n,) or a number [TeV], between 0.003 and 100.
    particle : str
        "gamma" or "proton".
    offset : array_like
        (n, 2) or (2,): longitude and latitude in the telescope frame from which the primary comes [degrees], at most
        15° from the pointing.
    core : array_like
        (n, 2) or (2,): where its path meets the ground, to the north and to the west [m].
    model : TelescopeModel
        Parameters of the telescopes; those of the primaries are not used.

    Returns
    -------
    dict of numpy.ndarray
        As `simulate` returns them.

    Raises
    ------
    ValueError
        If shapes do not fit together, a number is not finite or out of range, or `rng`, `particle` or `model` is
        something else.

    Examples
    --------
    >>> event = simulate_given(np.random.default_rng(1), 1.0, particle="gamma", core=(100.0, 0.0))
    >>> event["image"].shape
    (1, 1, 1855)
    """
    _checks.generator(rng)
    check_model(model)
    check_particle(particle)
    return _simulate(rng, _given(energy, ENERGY_LIMITS, offset, core), particle, model)


def simulate_muons(
    rng: np.random.Generator,
    energy: ArrayLike,
    *,
    offset: ArrayLike = (0.0, 0.0),
    core: ArrayLike = (0.0, 0.0),
    start_height: float = 10_000.0,
    model: TelescopeModel = TelescopeModel(),  # noqa: B008 (frozen)
) -> Events:
    """Simulate single muons that are given, as far showers leave them: their images are rings and arcs.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    energy : array_like
        (n,) or a number, where the muon is made [TeV], between 0.001 and 10.
    offset : array_like
        (n, 2) or (2,): longitude and latitude in the telescope frame from which the muon comes [degrees], at most 15°
        from the pointing. It is the middle of the ring.
    core : array_like
        (n, 2) or (2,): where its path meets the ground, to the north and to the west [m].
    start_height : float
        Height above the sea where it is made [m], above the site and at most 20 km.
    model : TelescopeModel
        Parameters of the telescopes.

    Returns
    -------
    dict of numpy.ndarray
        As `simulate` returns them, without what is known of a shower alone: `true_h_first_int` and
        `true_shower_primary_id`.

    Raises
    ------
    ValueError
        As `simulate_given`.

    Examples
    --------
    >>> ring = simulate_muons(np.random.default_rng(1), 0.05, core=(3.0, 0.0))
    >>> bool(ring["triggered"][0, 0])
    True
    """
    _checks.generator(rng)
    check_model(model)
    given = _given(energy, MUON_ENERGY_LIMITS, offset, core)
    lowest = np.nextafter(model.site_altitude, np.inf)
    height = float(_checks.in_range(start_height, "start_height", lowest, HIGHEST_MUON, "m"))
    sky = _sky(given, model)
    views = _views(sky, given.core, model)
    n, start = len(given.energy), (height - model.site_altitude) / views.cosine
    flat, no_lag = np.zeros((n, 2)), np.zeros(n)
    muons = cherenkov_showers.Muons(np.arange(n), given.energy * 1e3, flat, flat, start, no_lag)
    light = cherenkov_photons.from_muons(rng, muons, views, model)
    return _recorded(rng, light, given, views, model) | _truth(given, sky, model)


class _Primaries(NamedTuple):
    """What comes: energies [TeV] (n,), directions [degrees] and cores [m], (n, 2) each."""

    energy: Float
    offset: Float
    core: Float


def _given(energy: ArrayLike, limits: tuple[float, float], offset: ArrayLike, core: ArrayLike) -> _Primaries:
    """Return what is given as arrays of equal length; raise `ValueError` if something does not fit."""
    energy = np.atleast_1d(_checks.in_range(energy, "energy", *limits, "TeV"))
    if energy.ndim != 1:
        raise ValueError(f"`energy` should have the shape (n,) or be a number. Received: shape {energy.shape}")
    vectors = {name: _checks.finite(values, name) for name, values in (("offset", offset), ("core", core))}
    n = max(len(energy), *(len(values) for values in vectors.values() if values.ndim == 2), 1)
    if len(energy) not in (1, n):
        raise ValueError(f"`energy` should have the shape ({n},) or be a number. Received: shape {energy.shape}")
    for name, values in vectors.items():
        if values.shape not in {(2,), (n, 2)}:
            raise ValueError(f"`{name}` should have the shape (2,) or ({n}, 2). Received: {values.shape}")
    if np.any(np.hypot(*vectors["offset"].T) > WIDEST_ANGLE):
        raise ValueError(f"`offset` should be at most {WIDEST_ANGLE:g} degrees from the pointing. Received: {offset!r}")
    return _Primaries(np.broadcast_to(energy, n), *(np.broadcast_to(values, (n, 2)) for values in vectors.values()))


def _draw_energy(rng: np.random.Generator, size: int, model: TelescopeModel) -> Float:
    """Draw energies from a power law between two bounds [TeV], (n,)."""
    low, high = model.energy
    uniform, power = rng.random(size), model.spectral_index + 1
    if abs(power) < 1e-9:
        energy = low * (high / low) ** uniform
    else:
        energy = low * (1 + uniform * ((high / low) ** power - 1)) ** (1 / power)
    return np.asarray(np.clip(energy, low, high))


def _simulate(rng: np.random.Generator, given: _Primaries, particle: str, model: TelescopeModel) -> Events:
    """Let the primaries come; returns what `simulate` returns."""
    sky = _sky(given, model)
    views = _views(sky, given.core, model)
    if particle == "gamma":
        showers = cherenkov_showers.gammas(rng, given.energy)
        first_depth = showers.first_depth
        muon_light: Iterator[cherenkov_photons.Photoelectrons] = iter(())
    else:
        showers, muons, first_depth = cherenkov_showers.protons(rng, given.energy, views.cosine, model)
        muon_light = cherenkov_photons.from_muons(rng, muons, views, model)
    light = itertools.chain(muon_light, cherenkov_photons.from_showers(rng, showers, views, model))
    events = _recorded(rng, light, given, views, model) | _truth(given, sky, model)
    first_height = cherenkov_showers.height_at(first_depth, views.cosine, model)
    events["true_h_first_int"] = first_height.astype(np.float32)
    events["true_shower_primary_id"] = np.full(len(given.energy), PARTICLES[particle], np.int32)
    return events


def _recorded(
    rng: np.random.Generator,
    light: Iterator[cherenkov_photons.Photoelectrons],
    given: _Primaries,
    views: cherenkov_photons.Views,
    model: TelescopeModel,
) -> Events:
    """Return what the telescopes make of the light."""
    signals = cherenkov_camera.collect(rng, light, given.offset, model)
    pictures = cherenkov_camera.record(rng, signals, model)
    shape = len(given.energy), model.n_telescopes
    of_pixels = (*shape, model.camera.n_pixels)
    return {
        "image": pictures.image.reshape(of_pixels),
        "peak_time": pictures.peak_time.reshape(of_pixels),
        "triggered": pictures.triggered.reshape(shape),
        "true_image_sum": signals.number.sum(axis=1).reshape(shape),
        "true_impact_distance": np.linalg.norm(views.impact, axis=2).astype(np.float32),
    }


def _truth(given: _Primaries, sky: tuple[Float, Float], model: TelescopeModel) -> Events:
    n_events = len(given.energy)
    truth = {
        "true_energy": given.energy,
        "true_alt": sky[0],
        "true_az": sky[1],
        "true_core_x": given.core[:, 0],
        "true_core_y": given.core[:, 1],
        "telescope_pointing_altitude": np.full(n_events, model.pointing_alt),
        "telescope_pointing_azimuth": np.full(n_events, model.pointing_az),
    }
    return {name: values.astype(np.float32) for name, values in truth.items()}


def _sky(given: _Primaries, model: TelescopeModel) -> tuple[Float, Float]:
    """Return altitudes and azimuths from which the particles come [degrees]."""
    longitude, latitude = given.offset.T
    return telescope_frame.to_sky(longitude, latitude, model.pointing_alt, model.pointing_az)


def _views(sky: tuple[Float, Float], core: Float, model: TelescopeModel) -> cherenkov_photons.Views:
    """Return how the telescopes see the axes of showers from these altitudes and azimuths [degrees] (n,)."""
    axis = telescope_frame.unit_vector(*sky)  # (n, 3)
    to_longitude = telescope_frame.axes(model.pointing_alt, model.pointing_az).longitude
    first = to_longitude - (axis @ to_longitude)[:, None] * axis
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(first, axis)
    from_core = np.zeros((len(axis), model.n_telescopes, 3))
    from_core[..., :2] = model.telescopes - core[:, None]
    across = np.stack([first, second], axis=1)  # (n, 2, 3)
    impact = np.einsum("ntk,nck->ntc", from_core, across)
    return cherenkov_photons.Views(axis[:, 2], impact, np.einsum("ntk,nk->nt", from_core, axis))
