"""The muon footprint of a vertical air shower: the toy generator of the 2017 tutorial.

A shower makes muons around a depth that follows its Xmax; each flies on a straight line at the speed of light and is
seen where and when it reaches the ground. The footprint is a picture with two channels: muons a pixel, and the time of
the first. The toy is simple enough that its likelihood can be written down (see `showertools.limits`).

Source: the steps are those of the tutorial of the HAP workshop "Big Data Science in Astroparticle Research", RWTH
Aachen 2017. Where the tutorial gives no number, `FootprintModel` says "our choice".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, atmosphere, chunks, showers
from showertools.chunks import Events
from showertools.footprint_model import FootprintModel, check_model

__all__ = [
    "CHUNK_SIZE",
    "DEEPEST_XMAX",
    "SPEED_OF_LIGHT",
    "UNITS",
    "Events",
    "FootprintModel",
    "delay",
    "iterate",
    "parameters",
    "production_height",
    "simulate",
    "simulate_chunk",
    "simulate_given",
]

SPEED_OF_LIGHT = 0.299792458
"""Speed of light [m/ns]."""
CHUNK_SIZE = 64
"""Showers in a chunk: their muons stay in the processor's cache. Changing it changes the showers of a seed."""
DEEPEST_XMAX = 2000.0
"""Deepest Xmax that is taken [g/cm²]: twice as deep as the ground. Our choice."""
UNITS = {
    "counts": "muons",
    "arrival_time": "ns",
    "xmax": "g/cm2",
    "mass_number": "",
    "log10_energy": "log10(E/eV)",
    "n_muons": "muons",
    "core": "m",
}
"""Unit of each array that `simulate` returns."""


def delay(height: ArrayLike, distance: ArrayLike) -> NDArray[np.float64]:
    """Return by how much a muon lags the plane front that comes down the axis.

    Parameters
    ----------
    height : array_like
        Height above the ground at which the muon was made, on the axis [m]; positive.
    distance : array_like
        Distance from the core at which it lands [m]; broadcasts with `height`.

    Returns
    -------
    numpy.ndarray
        (√(h² + r²) − h)/c [ns].
    """
    height, distance = np.asarray(height, dtype=np.float64), np.asarray(distance, dtype=np.float64)
    # the difference of two nearly equal numbers, written so that nothing cancels
    return np.asarray(distance**2 / (np.hypot(height, distance) + height) / SPEED_OF_LIGHT)


def production_height(delay: ArrayLike, distance: ArrayLike) -> NDArray[np.float64]:
    """Return the height at which a muon was made from its delay: the inverse of `delay`.

    Parameters
    ----------
    delay : array_like
        Delay behind the plane front [ns]; positive.
    distance : array_like
        Distance from the core [m]; broadcasts with `delay`.

    Returns
    -------
    numpy.ndarray
        Height above the ground (r² − (c·t)²)/(2·c·t) [m].
    """
    path = np.asarray(delay, dtype=np.float64) * SPEED_OF_LIGHT
    return np.asarray((np.asarray(distance, dtype=np.float64) ** 2 - path**2) / (2 * path))


def simulate(
    n_showers: int,
    *,
    seed: int,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
    progress: bool = False,
) -> Events:
    """Simulate the footprints of vertical showers.

    Parameters
    ----------
    n_showers : int
        How many, at least 0.
    seed : int
        Not negative. The same seed gives the same showers for any number of workers, and the first showers of a larger
        set are those of a smaller one.
    model : FootprintModel
        Parameters of the toy.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of numpy.ndarray
        `counts` (n, H, W) muons a pixel; `arrival_time` (n, H, W) of the first muon [ns], NaN where none came;
        `xmax` (n,) [g/cm²]; `mass_number` (n,); `log10_energy` (n,); `n_muons` (n,) that were made above the ground,
        also those that land beside the picture; `core` (n, 2) [m]. Rows are y, columns x. Floats are float32.

    Raises
    ------
    ValueError
        If a number is negative or not whole, or `model` is no `FootprintModel`.

    Examples
    --------
    >>> showers = simulate(100, seed=1)
    >>> showers["counts"].shape
    (100, 32, 32)
    """
    return chunks.collect(
        iterate(n_showers, seed=seed, model=model, workers=workers, progress=progress), n_showers, _empty(model)
    )


def iterate(
    n_showers: int,
    *,
    seed: int,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Events]:
    """Simulate as `simulate` does, but yield chunk by chunk, so that memory stays flat."""
    check_model(model)
    chunks.check_size(n_showers, "n_showers", minimum=0)
    return chunks.iterate(
        lambda rng, size: simulate_chunk(rng, size, model),
        n_showers,
        seed=seed,
        chunk_size=CHUNK_SIZE,
        workers=workers,
        progress=progress,
    )


def simulate_chunk(rng: np.random.Generator, size: int, model: FootprintModel) -> Events:
    """Simulate `size` showers from one generator, each mass equally often; returns what `simulate` returns."""
    mass_number = rng.permutation(np.resize(model.mass_numbers, size))  # (B,)
    xmax = showers.draw_xmax(rng, mass_number, model.log10_energy, hadronic_model=model.hadronic_model)
    core = rng.normal(0, model.core_spread, (size, 2))
    start = rng.normal(0, model.start_spread, size)
    return simulate_given(rng, xmax, mass_number, core=core, start=start, model=model)


def simulate_given(
    rng: np.random.Generator,
    xmax: ArrayLike,
    mass_number: ArrayLike,
    *,
    core: ArrayLike = (0.0, 0.0),
    start: ArrayLike = 0.0,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
) -> Events:
    """Simulate showers whose Xmax, mass, core and start are given; the number of muons still fluctuates.

    The muons of all showers lie in one long array, shower after shower, so that no loop over showers is needed.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    xmax : array_like
        (n,) or a number [g/cm²], between 0 and 2000.
    mass_number : array_like
        (n,) or a number, whole, from 1 to 56.
    core : array_like
        (n, 2) or (2,) [m].
    start : array_like
        Moment at which the front reaches the ground, (n,) or a number [ns].
    model : FootprintModel
        Parameters of the toy.

    Returns
    -------
    dict of numpy.ndarray
        As `simulate` returns them.

    Raises
    ------
    ValueError
        If shapes do not fit together, a number is not finite or out of range, or `rng` or `model` is something else.

    Examples
    --------
    >>> shower = simulate_given(np.random.default_rng(1), 750.0, 56)
    >>> shower["counts"].shape
    (1, 32, 32)
    """
    _checks.generator(rng)
    check_model(model)
    xmax, mass_number, core, start = _check_given(xmax, mass_number, core, start)
    size = len(xmax)
    shape = model.fluctuation(mass_number) ** -2.0
    n_drawn = rng.poisson(model.mean_muons(mass_number) * rng.gamma(shape) / shape)

    depth = _standard_normal(rng, int(n_drawn.sum()))  # (M,)
    depth *= np.repeat(model.width(mass_number).astype(np.float32), n_drawn)
    depth += np.repeat(model.depth(xmax, mass_number).astype(np.float32), n_drawn)
    made = np.flatnonzero((depth > 0) & (depth < np.float32(model.ground_depth)))  # none is made below the ground
    shower = np.repeat(np.arange(size), n_drawn).take(made)  # (M,)
    counts, arrival_time = _propagate(rng, depth.take(made), shower, core, start, model)
    return {
        "counts": counts,
        "arrival_time": arrival_time,
        "xmax": xmax.astype(np.float32),
        "mass_number": mass_number.astype(np.int32),
        "log10_energy": np.full(size, model.log10_energy, np.float32),
        "n_muons": np.bincount(shower, minlength=size).astype(np.int32),
        "core": core.astype(np.float32),
    }


def _check_given(
    xmax: ArrayLike, mass_number: ArrayLike, core: ArrayLike, start: ArrayLike
) -> tuple[NDArray[np.float64], ...]:
    """Return Xmax, mass number (n,), core (n, 2) and start (n,) if such showers exist; raise `ValueError` otherwise."""
    given = {"xmax": xmax, "mass_number": mass_number, "start": start}
    values = {name: np.atleast_1d(_checks.finite(value, name)) for name, value in given.items()}
    for name, array in values.items():
        if array.ndim != 1:
            raise ValueError(f"`{name}` should have the shape (n,) or be a number. Received: shape {array.shape}")
    xmax, mass_number, start = _checks.broadcast(**values)
    _checks.in_range(xmax, "xmax", 0, DEEPEST_XMAX, "g/cm²")
    if not np.all((mass_number >= 1) & (mass_number <= 56) & (mass_number % 1 == 0)):
        raise ValueError(f"`mass_number` should be whole numbers from 1 to 56. Received: {np.unique(mass_number)}")
    core = _checks.finite(core, "core")
    if core.shape not in {(2,), (len(xmax), 2)}:
        raise ValueError(f"`core` should have the shape (2,) or ({len(xmax)}, 2). Received: {core.shape}")
    return xmax, mass_number, np.broadcast_to(core, (len(xmax), 2)), start


def _propagate(
    rng: np.random.Generator,
    depth: NDArray[np.float32],  # (M,)
    shower: NDArray[np.intp],  # (M,)
    core: NDArray[np.float64],  # (B, 2)
    start: NDArray[np.float64],  # (B,)
    model: FootprintModel,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Let the muons fly to the ground and fill the pixels; returns counts and arrival times (B, H, W).

    A direction with normal slopes along x and y has an exponential squared tangent and any azimuth. So muons that fly
    too far are dropped before their azimuth is drawn, and those that miss the picture before their time is measured.
    """
    height = _height_above_ground(depth, model)
    tangent = rng.standard_exponential(len(depth), dtype=np.float32)  # its square
    tangent *= np.float32(2 * model.opening_angle**2)
    distance = np.sqrt(tangent)
    distance *= height
    near = np.flatnonzero(distance < _farthest_corner(core, model))
    height, tangent, distance, shower = height.take(near), tangent.take(near), distance.take(near), shower.take(near)

    azimuth = rng.random(len(near), dtype=np.float32)
    azimuth *= np.float32(2 * np.pi)
    distance *= np.float32(1 / model.pixel_size)
    center = (core / model.pixel_size + model.n_pixels / 2).astype(np.float32)  # (B, 2), in pixels
    column = distance * np.cos(azimuth) + center[:, 0].take(shower)
    row = distance * np.sin(azimuth) + center[:, 1].take(shower)
    n = model.n_pixels
    seen = np.flatnonzero((column >= 0) & (column < n) & (row >= 0) & (row < n))
    height, tangent, shower = height.take(seen), tangent.take(seen), shower.take(seen)
    pixel = (shower * n + row.take(seen).astype(np.intp)) * n + column.take(seen).astype(np.intp)

    time = height * tangent / (np.sqrt(1 + tangent) + 1) / np.float32(SPEED_OF_LIGHT)
    time += _standard_normal(rng, len(time)) * np.float32(model.time_resolution)
    time += start.astype(np.float32).take(shower)

    size = len(start) * n**2
    counts = np.bincount(pixel, minlength=size).astype(np.float32)
    first = np.full(size, np.inf, np.float32)
    np.minimum.at(first, pixel, time)
    arrival_time = np.where(np.isinf(first), np.float32(np.nan), first)
    return counts.reshape(-1, n, n), arrival_time.reshape(-1, n, n)


def _standard_normal(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """Return standard normal numbers after Box and Muller: here twice as fast as NumPy's."""
    half = (size + 1) // 2
    radius = np.sqrt(2 * rng.standard_exponential(half, dtype=np.float32))
    azimuth = rng.random(half, dtype=np.float32)
    azimuth *= np.float32(2 * np.pi)
    normal = np.empty(2 * half, np.float32)
    np.multiply(radius, np.cos(azimuth), out=normal[:half])
    np.multiply(radius, np.sin(azimuth), out=normal[half:])
    return normal[:size]


def _farthest_corner(core: NDArray[np.float64], model: FootprintModel) -> float:
    """Return how far a corner of the picture is from the core at most [m]."""
    to_corner = np.abs(core) + model.n_pixels * model.pixel_size / 2
    return float(np.max(np.hypot(to_corner[:, 0], to_corner[:, 1]), initial=0.0))


_STEPS_PER_DEPTH = 128  # the nearest height in the table is good to 0.3 m below 16 km, to 5 cm below 5 km


def _height_above_ground(depth: NDArray[np.float32], model: FootprintModel) -> NDArray[np.float32]:
    """Return the height of each depth above the ground [m] from a table: a logarithm a muon costs more."""
    nearest = depth * np.float32(_STEPS_PER_DEPTH)
    nearest += np.float32(0.5)
    return _height_table(model.observation_level).take(nearest.astype(np.intp))


@lru_cache(maxsize=8)
def _height_table(observation_level: float) -> NDArray[np.float32]:
    """Return the height above the ground [m] at multiples of 1/128 g/cm² from the top of the air to the ground."""
    ground = float(atmosphere.depth_at_height(observation_level))
    depth = np.minimum(np.arange(ground * _STEPS_PER_DEPTH + 2) / _STEPS_PER_DEPTH, ground)
    return np.maximum(atmosphere.height_at_depth(depth) - observation_level, 0.1).astype(np.float32)


def _empty(model: FootprintModel) -> Events:
    return simulate_chunk(np.random.default_rng(0), 0, model)


def parameters(model: FootprintModel) -> dict[str, object]:
    """Return the parameters of a model as a dict, as a data set stores them."""
    return dataclasses.asdict(model)
