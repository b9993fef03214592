"""The muon footprint of a vertical air shower: the toy generator of the 2017 tutorial.

A shower makes muons around a depth that follows its Xmax; each flies on a straight line at the speed of light and is
seen where and when it reaches the ground. The footprint is a picture with two channels: muons a pixel, and the time of
the first. The toy is simple enough that its likelihood can be written down (see `showertools.limits`).

Source: the steps are those of the tutorial of the HAP workshop "Big Data Science in Astroparticle Research", RWTH
Aachen 2017. Where the tutorial gives no number, `FootprintModel` says "our choice".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import atmosphere, chunks, showers
from showertools.chunks import Events

SPEED_OF_LIGHT = 0.299792458
"""Speed of light [m/ns]."""
CHUNK_SIZE = 64
"""Showers in a chunk: their muons stay in the processor's cache. Changing it changes the showers of a seed."""
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


def _check_number(value: Any, name: str, *, sign: str = "finite") -> None:
    """Raise `ValueError` unless `value` is a number of the sign "positive", "non-negative" or, for any, "finite"."""
    good = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(float(value))
    if not good or (sign == "positive" and not value > 0) or (sign == "non-negative" and not value >= 0):
        raise ValueError(f"`{name}` should be a {sign} number. Received: {value!r}")


_SIGNS = {
    "pixel_size": "positive",
    "muons_per_proton": "positive",
    "muon_fluctuation": "positive",
    "production_width": "positive",
    "opening_angle": "positive",
    "core_spread": "non-negative",
    "start_spread": "non-negative",
    "time_resolution": "non-negative",
}


@dataclass(frozen=True)
class FootprintModel:
    """Parameters of the toy; every one that is not attributed is our choice.

    Attributes
    ----------
    n_pixels : int
        Pixels along each side of the square picture. Our choice.
    pixel_size : float
        Side of a pixel [m]. Our choice.
    mass_numbers : tuple of int
        Primaries, in equal parts. The tutorial's: p, He, N, Fe.
    log10_energy : float
        log10(E/eV) of all showers. One energy as in the tutorial; its value is our choice.
    hadronic_model : str
        Which distribution of Xmax, see `showers.HADRONIC_MODELS`. Our choice.
    observation_level : float
        Height of the ground above the sea [m]. Our choice: at sea level even the deepest maximum lies in the air.
    muons_per_proton : float
        Mean number of muons of a proton shower of 10^19 eV. Our choice.
    mass_exponent : float
        The number of muons goes with A to this power. The tutorial's value.
    muon_fluctuation : float
        Relative standard deviation of the number of muons of proton showers. With `muon_fluctuation_exponent` it gives
        16, 10, 6 and 4 % for p, He, N and Fe, about what full simulations give; the values are from memory.
    muon_fluctuation_exponent : float
        The relative standard deviation goes with A to this power. Our choice.
    production_lag : float
        Mean depth from which muons that reach the ground come, before Xmax [g/cm²]. Our choice.
    production_lag_per_log_mass : float
        How much further before Xmax for each unit of ln A [g/cm²]. Our choice.
    production_width : float
        Standard deviation of the production depth in proton showers [g/cm²]. Our choice.
    production_width_per_log_mass : float
        How much wider for each unit of ln A [g/cm²]; negative: narrower. Our choice.
    opening_angle : float
        Standard deviation of each of the two slopes of a muon against the axis, without unit. Our choice.
    core_spread : float
        Standard deviation of each coordinate of the core around the picture's centre [m]. Our choice.
    start_spread : float
        Standard deviation of the moment at which the shower reaches the ground [ns]. Our choice.
    time_resolution : float
        Standard deviation with which the time of each muon is measured [ns]. Our choice; the tutorial has perfect
        clocks, with which a few muons next to the core would give the start time to a fraction of a nanosecond.
    """

    n_pixels: int = 32
    pixel_size: float = 30.0
    mass_numbers: tuple[int, ...] = (1, 4, 14, 56)
    log10_energy: float = 19.0
    hadronic_model: str = "EPOS-LHC"
    observation_level: float = 0.0
    muons_per_proton: float = 1000.0
    mass_exponent: float = 0.15
    muon_fluctuation: float = 0.16
    muon_fluctuation_exponent: float = -0.35
    production_lag: float = 150.0
    production_lag_per_log_mass: float = 5.0
    production_width: float = 150.0
    production_width_per_log_mass: float = -5.0
    opening_angle: float = 0.12
    core_spread: float = 100.0
    start_spread: float = 100.0
    time_resolution: float = 5.0

    def __post_init__(self) -> None:
        """Refuse parameters with which nothing can be simulated."""
        chunks.check_size(self.n_pixels, "n_pixels", minimum=1)
        for field in dataclasses.fields(self):
            if field.name not in {"n_pixels", "mass_numbers", "hadronic_model"}:
                _check_number(getattr(self, field.name), field.name, sign=_SIGNS.get(field.name, "finite"))
        masses = self.mass_numbers
        if not isinstance(masses, Sequence | np.ndarray) or isinstance(masses, str) or len(masses) == 0:
            raise ValueError(f"`mass_numbers` should be a tuple of at least one mass number. Received: {masses!r}")
        for mass_number in masses:
            if not isinstance(mass_number, Integral) or not 1 <= mass_number <= 56:
                raise ValueError(f"`mass_numbers` should be whole numbers from 1 to 56. Received: {mass_number!r}")
        object.__setattr__(self, "mass_numbers", tuple(int(mass_number) for mass_number in masses))
        if np.any(self.width(np.array(self.mass_numbers)) <= 0):
            raise ValueError(
                "`production_width_per_log_mass` should leave every primary a positive width. "
                f"Received: {self.production_width_per_log_mass!r}"
            )
        showers.xmax_parameters(self.mass_numbers, self.log10_energy, hadronic_model=self.hadronic_model)
        if not self.ground_depth > 0:
            raise ValueError(
                f"`observation_level` should lie below the top of the air. Received: {self.observation_level!r}"
            )

    @property
    def ground_depth(self) -> float:
        """Depth of the ground [g/cm²]."""
        return float(atmosphere.depth_at_height(self.observation_level))

    @property
    def pixel_centers(self) -> NDArray[np.float64]:
        """Centres of the pixels along one axis [m], (n_pixels,)."""
        return np.asarray((np.arange(self.n_pixels) - (self.n_pixels - 1) / 2) * float(self.pixel_size))

    def mean_muons(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the mean number of muons, proportional to E·A^`mass_exponent`."""
        energy = 10 ** (self.log10_energy - 19)
        return np.asarray(self.muons_per_proton * energy * np.asarray(mass_number, dtype=float) ** self.mass_exponent)

    def fluctuation(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the relative standard deviation of the expected number of muons."""
        mass_number = np.asarray(mass_number, dtype=float)
        return np.asarray(self.muon_fluctuation * mass_number**self.muon_fluctuation_exponent)

    def depth(self, xmax: ArrayLike, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the mean production depth [g/cm²]."""
        lag = self.production_lag + self.production_lag_per_log_mass * np.log(mass_number)
        return np.asarray(np.asarray(xmax) - lag)

    def width(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation of the production depth [g/cm²]."""
        return np.asarray(self.production_width + self.production_width_per_log_mass * np.log(mass_number))


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
    model: FootprintModel = FootprintModel(),
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
    model: FootprintModel = FootprintModel(),
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Events]:
    """Simulate as `simulate` does, but yield chunk by chunk, so that memory stays flat."""
    if not isinstance(model, FootprintModel):
        raise ValueError(f"`model` should be a FootprintModel. Received: {model!r}")
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
    model: FootprintModel = FootprintModel(),
) -> Events:
    """Simulate showers whose Xmax, mass, core and start are given; the number of muons still fluctuates.

    The muons of all showers lie in one long array, shower after shower, so that no loop over showers is needed.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    xmax : array_like
        (n,) or a number [g/cm²].
    mass_number : array_like
        (n,) or a number.
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

    Examples
    --------
    >>> shower = simulate_given(np.random.default_rng(1), 750.0, 56)
    >>> shower["counts"].shape
    (1, 32, 32)
    """
    xmax, mass_number, start = np.broadcast_arrays(*np.atleast_1d(xmax, mass_number, start))
    size = len(xmax)
    core = np.broadcast_to(core, (size, 2))
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
