"""An array of surface detectors under air showers: signals, arrival times and time traces of the stations.

Instead of drawing the particles one by one, each station draws how many come in each bin of its trace: the number of
particles is a Poisson number, so the counts of the bins are independent Poisson numbers. And what cannot be seen is not
drawn. Each station first draws the sum of its noise over the trace and, where few particles are expected, their
number; only where these can reach the threshold does it draw arrival times and the noise of the bins, given the sums.

Source: see `ArrayModel`; the formulas are in `surface_expectation`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, atmosphere, chunks, showers, surface_expectation, surface_station
from showertools.chunks import Events
from showertools.surface_model import ArrayModel, check_model

__all__ = ["CHUNK_SIZE", "PRESETS", "UNITS", "ArrayModel", "iterate", "simulate", "simulate_chunk", "simulate_given"]

Float = NDArray[np.float64]
Float32 = NDArray[np.float32]

CHUNK_SIZE = 512
"""Showers in a chunk: so many that two threads do not wait for each other, so few that memory stays flat. Changing it
changes the showers of a seed."""
PRESETS = {"classic": ArrayModel.classic}
"""Models by name, for the command line."""
UNITS = {
    "signal": "VEM",
    "time": "ns",
    "trace": "VEM",
    "saturated": "",
    "accidental": "",
    "working": "",
    "axis": "",
    "core": "m",
    "log10_energy": "log10(E/eV)",
    "xmax": "g/cm2",
    "mass_number": "",
    "relative_muons": "",
}
"""Unit of each array that `simulate` returns."""


def simulate(
    n_showers: int,
    *,
    seed: int,
    model: ArrayModel = ArrayModel(),  # noqa: B008 (frozen)
    traces: bool = True,
    workers: int | None = None,
    progress: bool = False,
) -> Events:
    """Simulate what an array of surface detectors sees of air showers.

    Parameters
    ----------
    n_showers : int
        How many, at least 0.
    seed : int
        Not negative. The same seed gives the same showers for any number of workers, and the first showers of a larger
        set are those of a smaller one.
    model : ArrayModel
        Parameters of showers and array; `ArrayModel.classic()` is that of published exercises.
    traces : bool
        Whether to simulate time traces. Without them the showers are the same, the stations' signals and times are
        other draws from the same distributions, and the simulation is several times as fast.
    workers : int, optional
        Number of threads; by default the number of cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of numpy.ndarray
        Of the stations, in the order of `model.stations`: `signal` (n, stations) [VEM], the sum of the trace, and
        `time` (n, stations) when the front passed [ns], both NaN where the station did not trigger; `trace` (n,
        stations, bins) [VEM], 0 where it did not (only with `traces`); `saturated`, `accidental`, `working` (n,
        stations), of type bool: whether a bin was clipped, whether the trigger is not of the shower, whether the
        station was alive. Of the showers: `axis` (n, 3), the unit vector towards where it came from; `core` (n, 2) [m];
        `log10_energy` (n,); `xmax` (n,) [g/cm²]; `mass_number` (n,); `relative_muons` (n,), the number of muons
        compared with a mean proton shower of 10^19 eV of EPOS-LHC. Floats are float32. Showers without any trigger are
        kept.

    Raises
    ------
    ValueError
        If a number is negative or not whole, or `model` is no `ArrayModel`.

    Examples
    --------
    >>> events = simulate(100, seed=1, model=ArrayModel.classic())
    >>> events["trace"].shape
    (100, 81, 80)
    """
    empty = simulate_chunk(np.random.default_rng(0), 0, check_model(model), traces=traces)
    return chunks.collect(
        iterate(n_showers, seed=seed, model=model, traces=traces, workers=workers, progress=progress), n_showers, empty
    )


def iterate(
    n_showers: int,
    *,
    seed: int,
    model: ArrayModel = ArrayModel(),  # noqa: B008 (frozen)
    traces: bool = True,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Events]:
    """Simulate as `simulate` does, but yield chunk by chunk, so that memory stays flat."""
    check_model(model)
    chunks.check_size(n_showers, "n_showers", minimum=0)
    return chunks.iterate(
        lambda rng, size: simulate_chunk(rng, size, model, traces=traces),
        n_showers,
        seed=seed,
        chunk_size=CHUNK_SIZE,
        workers=workers,
        progress=progress,
    )


def simulate_chunk(rng: np.random.Generator, size: int, model: ArrayModel, *, traces: bool = True) -> Events:
    """Simulate `size` showers from one generator, each mass equally often; returns what `simulate` returns."""
    mass_number = rng.permutation(np.resize(model.mass_numbers, size))  # (B,)
    log10_energy = rng.uniform(*model.log10_energy, size)
    cosine = np.sqrt(1 - np.sin(np.radians(model.max_zenith)) ** 2 * rng.random(size))
    azimuth, angle = 2 * np.pi * rng.random((2, size))
    axis = np.stack([np.cos(azimuth), np.sin(azimuth), cosine], axis=1)
    axis[:, :2] *= np.sqrt(1 - cosine**2)[:, None]
    radius = model.core_radius * np.sqrt(rng.random(size))
    core = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    deepest = atmosphere.depth_at_height(model.observation_level + model.height_of_maximum) / cosine
    xmax = showers.draw_xmax(rng, mass_number, log10_energy, hadronic_model=model.hadronic_model, deepest=deepest)
    return _simulate(rng, _Showers(axis, core, log10_energy, xmax, mass_number), model, traces)


def simulate_given(
    rng: np.random.Generator,
    xmax: ArrayLike,
    mass_number: ArrayLike,
    log10_energy: ArrayLike,
    *,
    axis: ArrayLike = (0.0, 0.0, 1.0),
    core: ArrayLike = (0.0, 0.0),
    model: ArrayModel = ArrayModel(),  # noqa: B008 (frozen)
    traces: bool = True,
) -> Events:
    """Simulate showers that are given; the number of muons and the stations still fluctuate.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    xmax, mass_number, log10_energy : array_like
        (n,) or a number; Xmax [g/cm²] lies above the ground, the mass number is whole, from 1 to 56.
    axis : array_like
        (n, 3) or (3,) towards where the shower comes from; any length, at most 65° from the vertical.
    core : array_like
        (n, 2) or (2,) [m].
    model : ArrayModel
        Parameters of the array.
    traces : bool
        As for `simulate`.

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
    >>> shower = simulate_given(np.random.default_rng(1), 750.0, 56, 19.5)
    >>> shower["signal"].shape
    (1, 81)
    """
    _checks.generator(rng)
    return _simulate(rng, _check_given(xmax, mass_number, log10_energy, axis, core, check_model(model)), model, traces)


class _Showers(NamedTuple):
    axis: Float  # (B, 3)
    core: Float  # (B, 2)
    log10_energy: Float  # (B,)
    xmax: Float  # (B,)
    mass_number: NDArray[np.int_]  # (B,)


def _check_given(
    xmax: ArrayLike,
    mass_number: ArrayLike,
    log10_energy: ArrayLike,
    axis: ArrayLike,
    core: ArrayLike,
    model: ArrayModel,
) -> _Showers:
    """Return showers if there are such; raise `ValueError` otherwise."""
    given = {"xmax": xmax, "mass_number": mass_number, "log10_energy": log10_energy}
    values = {name: np.atleast_1d(_checks.finite(value, name)) for name, value in given.items()}
    for name, array in values.items():
        if array.ndim != 1:
            raise ValueError(f"`{name}` should have the shape (n,) or be a number. Received: shape {array.shape}")
    xmax, mass_number, log10_energy = _checks.broadcast(**values)
    _checks.in_range(log10_energy, "log10_energy", 17, 21)
    if not np.all((mass_number >= 1) & (mass_number <= 56) & (mass_number % 1 == 0)):
        raise ValueError(f"`mass_number` should be whole numbers from 1 to 56. Received: {np.unique(mass_number)}")
    vectors = {}
    for name, vector, length in (("axis", axis, 3), ("core", core, 2)):
        vectors[name] = _checks.finite(vector, name)
        if vectors[name].shape not in {(length,), (len(xmax), length)}:
            raise ValueError(
                f"`{name}` should have the shape ({length},) or ({len(xmax)}, {length}). "
                f"Received: {vectors[name].shape}"
            )
    norm = np.linalg.norm(vectors["axis"], axis=-1, keepdims=True)
    steepest = np.cos(np.radians(atmosphere.MAX_ZENITH)) - 1e-6
    if not np.all(vectors["axis"][..., 2:] >= np.maximum(steepest * norm, 1e-30)):
        raise ValueError(
            f"`axis` should point at most {atmosphere.MAX_ZENITH:g} degrees from the vertical, upwards. "
            f"Received: {axis!r}"
        )
    unit = np.broadcast_to(vectors["axis"] / norm, (len(xmax), 3))
    _checks.positive(xmax, "xmax")
    if np.any(xmax * unit[:, 2] > atmosphere.depth_at_height(model.observation_level + 1)):
        raise ValueError("`xmax` should lie at least 1 m above the ground. Received: a deeper one")
    return _Showers(unit, np.broadcast_to(vectors["core"], (len(xmax), 2)), log10_energy, xmax, mass_number.astype(int))


def _simulate(rng: np.random.Generator, given: _Showers, model: ArrayModel, traces: bool) -> Events:
    """Let the showers fall on the array; returns what `simulate` returns."""
    shape = len(given.xmax), model.n_stations
    start = rng.uniform(-model.start_spread, model.start_spread, len(given.xmax)).astype(np.float32)
    size = surface_expectation.shower_size(given.log10_energy, given.mass_number, model)  # (2, B)
    size[0] *= _fluctuations(rng, given.mass_number, model)
    seen = surface_expectation.view(given.axis.astype(np.float32), given.core, given.xmax, model)
    expected = surface_expectation.expected_particles(size, seen.distance, seen.depth, model)  # (2, B, S)
    front = seen.front_time + start[:, None]
    working = np.ones(shape, bool) if model.dead_fraction == 0 else rng.random(shape) >= model.dead_fraction

    noise = rng.standard_normal(shape, dtype=np.float32)  # of the sums
    number = surface_station.draw_numbers(rng, expected.sum(axis=0), model)
    candidate = np.flatnonzero(working & surface_station.could_trigger(number, noise, model))  # (K,)
    found = surface_station.draw(
        rng,
        expected.reshape(2, -1).take(candidate, axis=1),
        number.take(candidate),
        seen.distance.take(candidate),
        seen.depth.take(candidate),
        noise.take(candidate),
        model,
        traces,
    )
    triggered = np.flatnonzero(found.signal >= model.threshold)
    station = candidate.take(triggered)
    jitter = found.time_resolution.take(triggered) * rng.standard_normal(len(triggered), dtype=np.float32)

    events: Events = {name: np.full(shape, np.nan, np.float32) for name in ("signal", "time")}
    if traces:
        events["trace"] = np.zeros((*shape, model.n_bins), np.float32)
        _fill(events, "trace", station, found.trace.take(triggered, axis=0))
    events |= {"saturated": np.zeros(shape, bool), "accidental": np.zeros(shape, bool), "working": working}
    _fill(events, "signal", station, found.signal.take(triggered))
    _fill(events, "time", station, front.take(station) + jitter)
    _fill(events, "saturated", station, found.saturated.take(triggered))
    if model.accidental_fraction:
        _add_accidentals(rng, events, front, model)
    return events | _truth(given, size[0], model)


def _truth(given: _Showers, muons: Float, model: ArrayModel) -> Events:
    reference = max(model.signal_at_1000_m[0], 1e-30)
    return {
        "axis": given.axis.astype(np.float32),
        "core": given.core.astype(np.float32),
        "log10_energy": given.log10_energy.astype(np.float32),
        "xmax": given.xmax.astype(np.float32),
        "mass_number": given.mass_number.astype(np.int32),
        "relative_muons": (muons / reference).astype(np.float32),
    }


def _fluctuations(rng: np.random.Generator, mass_number: NDArray[np.int_], model: ArrayModel) -> Float:
    """Return the factors by which the numbers of muons differ from their means: gamma distributed, with mean 1."""
    if model.muon_fluctuation == 0:
        return np.ones(len(mass_number))
    shape = surface_expectation.muon_fluctuation(mass_number, model) ** -2.0
    return np.asarray(rng.gamma(shape) / shape)


def _fill(events: Events, name: str, station: NDArray[np.intp], values: NDArray) -> None:
    """Write the values of some stations, which are counted over all showers."""
    array = events[name]
    array.reshape(-1, *array.shape[2:])[station] = values


def _add_accidentals(rng: np.random.Generator, events: Events, front: Float32, model: ArrayModel) -> None:
    """Let single muons trigger some of the stations that did not; how far a signal is above threshold is our choice."""
    silent = np.isnan(events["signal"]) & events["working"]
    station = np.flatnonzero(silent & (rng.random(silent.shape) < model.accidental_fraction))
    signal = model.threshold + rng.standard_exponential(len(station), dtype=np.float32)
    time = model.accidental_window * (2 * rng.random(len(station), dtype=np.float32) - 1)
    _fill(events, "signal", station, signal)
    _fill(events, "time", station, front.take(station) + time)
    _fill(events, "accidental", station, np.ones(len(station), bool))
    if "trace" in events:
        _fill(events, "trace", station, surface_station.accidental_trace(rng, signal, model))
