"""What a station of a surface array makes of the particles that reach it: trace, noise, threshold.

K is the number of stations, of all showers together, that could trigger at all. Everything is in single precision.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal as filters
from scipy import special

from showertools import surface_expectation
from showertools.surface_model import ArrayModel

Float32 = NDArray[np.float32]

MISSED = 1e-9
"""Largest probability with which a station that would have triggered is left out."""

_NORMAL_RANGE = 6.0  # of the table of the normal distribution
_NORMAL_STEPS = 2**17
_NEGLIGIBLE = np.float32(1e-30)


class Found(NamedTuple):
    """What stations record.

    Attributes
    ----------
    signal : numpy.ndarray
        Sum of the bins [VEM], (K,).
    time_resolution : numpy.ndarray
        Standard deviation of the error of the time [ns], (K,).
    saturated : numpy.ndarray
        Whether a bin was clipped, (K,).
    trace : numpy.ndarray
        Contents of the bins [VEM], (K, bins); no bins if no traces were asked for.
    """

    signal: Float32
    time_resolution: Float32
    saturated: NDArray[np.bool_]
    trace: Float32


# --- which stations need to be drawn ----------------------------------------------------------------------------------


def draw_numbers(rng: np.random.Generator, expected: Float32, model: ArrayModel) -> NDArray[np.int64]:
    """Draw the number of particles where it may decide about the trigger.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    expected : numpy.ndarray
        Expected number of particles.
    model : ArrayModel
        Gives the threshold.

    Returns
    -------
    numpy.ndarray
        Number of particles, whenever they arrive; -1 where more than twice the threshold are expected: there the bins
        are drawn first.
    """
    many = expected > 2 * max(_excess(model), 1.0)
    number = rng.poisson(np.where(many, np.float32(0), expected))
    number[many] = -1
    return number


def could_trigger(number: NDArray[np.int64], noise: Float32, model: ArrayModel) -> NDArray[np.bool_]:
    """Return which stations can reach the threshold.

    Parameters
    ----------
    number : numpy.ndarray
        As `draw_numbers` returns it.
    noise : numpy.ndarray
        Sum of the noise of all bins before clipping, in units of its standard deviation; of the same shape.
    model : ArrayModel
        Gives noise and threshold.

    Returns
    -------
    numpy.ndarray
        False where the probability to trigger is 0 or, if bins are clipped, at most `MISSED`.
    """
    quiet = np.float32(model.n_bins * model.pedestal_noise**2)
    most = number.astype(np.float32)
    spread = np.sqrt(np.where(noise > 0, quiet + (model.relative_noise * most) ** 2, quiet))
    reach = most + noise * spread + np.float32(_most_from_clipping(model))
    return np.asarray((number < 0) | (reach >= _excess(model)))


def _excess(model: ArrayModel) -> float:
    """Return what the threshold is above the pedestals [VEM]."""
    return model.threshold - model.n_bins * model.pedestal


@lru_cache(maxsize=8)
def _most_from_clipping(model: ArrayModel) -> float:
    """Return what clipping at 0 adds to a trace at most [VEM].

    Chernoff's bound: it exceeds y with a probability of at most m(s)^bins·exp(-s·y), for any s > 0; m is the
    moment-generating function of what is added to a bin without particles.
    """
    if not model.clip_at_zero or model.pedestal_noise == 0:
        return 1e-3 * max(abs(_excess(model)), 1.0)  # room for rounding
    sigma, distance = model.pedestal_noise, model.pedestal / model.pedestal_noise
    slope = np.geomspace(1e-3, 1e3, 1000) / sigma  # s
    log_tail = special.log_ndtr(slope * sigma - distance) + slope * sigma * (slope * sigma / 2 - distance)
    log_moment = np.logaddexp(special.log_ndtr(distance), log_tail)
    return float(np.min((model.n_bins * log_moment - np.log(MISSED)) / slope))


# --- drawing ----------------------------------------------------------------------------------------------------------


def draw(
    rng: np.random.Generator,
    expected: Float32,
    number: NDArray[np.int64],
    distance: Float32,
    depth: Float32,
    noise: Float32,
    model: ArrayModel,
    traces: bool,
) -> Found:
    """Draw what stations record.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    expected : numpy.ndarray
        Expected particles of each component, (2, K).
    number : numpy.ndarray
        Of particles, as `draw_numbers` returns it, (K,).
    distance, depth : numpy.ndarray
        As in `surface_expectation.View`, (K,).
    noise : numpy.ndarray
        Sum of the noise of all bins before clipping, in units of its standard deviation, (K,).
    model : ArrayModel
        Parameters of the array.
    traces : bool
        Whether to draw bin by bin, or only what the sums of the bins are.

    Returns
    -------
    Found
        Also for stations that stay below the threshold.
    """
    median, lag = surface_expectation.arrival(distance, depth, model)  # (2, K)
    half_time = surface_expectation.half_time(expected, median, lag)
    if traces:
        particles, trace, saturated = _draw_traces(rng, expected, number, median, lag, noise, model)
        signal = trace.sum(axis=1)
    else:
        particles, signal = _draw_sums(rng, expected, number, distance, depth, noise, model)
        saturated = np.zeros(len(signal), bool)
        bright = np.flatnonzero(_could_saturate(expected, model))  # the sum does not tell: draw the trace
        if len(bright):
            particles[bright], some, saturated[bright] = _draw_traces(
                rng, expected[:, bright], number[bright], median[:, bright], lag[:, bright], noise[bright], model
            )
            signal[bright] = some.sum(axis=1)
        trace = np.zeros((len(signal), 0), np.float32)
    resolution = surface_expectation.time_resolution(particles, half_time, model)
    return Found(signal, resolution, saturated, trace)


def _draw_traces(
    rng: np.random.Generator,
    expected: Float32,
    number: NDArray[np.int64],
    median: Float32,
    lag: Float32,
    noise: Float32,
    model: ArrayModel,
) -> tuple[Float32, Float32, NDArray[np.bool_]]:
    """Return number of particles (K,), traces (K, bins) and which of them are saturated (K,)."""
    trace = _draw_bins(rng, _expected_bins(expected, median, lag, model), expected.sum(axis=0), number)
    particles = trace.sum(axis=1)
    trace = _respond(trace, model)
    _add_noise(rng, trace, noise, model)
    saturated = np.zeros(len(trace), bool)
    if np.isfinite(model.saturation):
        saturated = trace.max(axis=1, initial=0) >= model.saturation
        np.minimum(trace, np.float32(model.saturation), out=trace)
    return particles, trace, saturated


def _respond(trace: NDArray[np.floating], model: ArrayModel) -> NDArray[np.floating]:
    """Return traces (..., bins) after the light of each particle has decayed, as `surface_expectation.response`."""
    if model.response_time == 0:
        return trace
    decay = np.exp(-model.bin_width / model.response_time)
    feed, back = np.array([1 - decay], trace.dtype), np.array([1, -decay], trace.dtype)
    return np.asarray(filters.lfilter(feed, back, trace, axis=-1))


def _draw_bins(rng: np.random.Generator, bins: Float32, expected: Float32, number: NDArray[np.int64]) -> Float32:
    """Return counts (K, bins): Poisson numbers, or, where the number of particles is known, a share of them each."""
    counts = np.empty(bins.shape, np.float32)
    free, known = np.flatnonzero(number < 0), np.flatnonzero(number >= 0)
    counts[free] = rng.poisson(bins.take(free, axis=0))
    share = bins.take(known, axis=0).astype(np.float64) / np.maximum(expected.take(known), _NEGLIGIBLE)[:, None]
    late = np.maximum(1 - share.sum(axis=1), 0)
    share = np.concatenate([share, late[:, None]], axis=1)
    share /= share.sum(axis=1, keepdims=True)
    counts[known] = rng.multinomial(number.take(known), share)[:, :-1]
    return counts


def _expected_bins(expected: Float32, median: Float32, lag: Float32, model: ArrayModel) -> Float32:
    """Return the expected number of particles in each bin (K, bins): `bin_shares` from a table, for speed."""
    table, step = _normal_table(), _NORMAL_STEPS / (2 * _NORMAL_RANGE)
    edges = model.bin_edges[1:].astype(np.float32)
    arrived = np.zeros((expected.shape[1], model.n_bins + 1), np.float32)
    for number, middle, late in zip(expected, median, lag, strict=True):
        start = np.float32(_NORMAL_RANGE * step + 0.5) - np.log(middle) * np.float32(step / model.arrival_width)
        if np.any(late):
            place = np.log(np.maximum(edges - late[:, None], _NEGLIGIBLE))
            place *= np.float32(step / model.arrival_width)
            place += start[:, None]
        else:
            place = np.log(edges) * np.float32(step / model.arrival_width) + start[:, None]
        np.clip(place, 0, len(table) - 1, out=place)
        share = table.take(place.astype(np.intp))
        share *= number[:, None]
        arrived[:, 1:] += share
    return arrived[:, 1:] - arrived[:, :-1]


@lru_cache(maxsize=1)
def _normal_table() -> Float32:
    """Return the normal distribution function from -6 to 6, so finely that the nearest entry is good to 2e-5."""
    table = special.ndtr(np.linspace(-_NORMAL_RANGE, _NORMAL_RANGE, _NORMAL_STEPS + 1))
    table[0] = 0
    return np.asarray(table.astype(np.float32))


def _add_noise(rng: np.random.Generator, trace: Float32, noise: Float32, model: ArrayModel) -> None:
    """Add pedestal and noise to traces (K, bins), so that the noise has given sums (K,), in standard deviations."""
    if model.pedestal_noise or model.relative_noise:
        drawn = rng.standard_normal(trace.shape, dtype=np.float32)
        if model.relative_noise:  # bins differ: what is missing to the sum goes to them as their variances
            variance = np.square(trace)
            variance *= np.float32(model.relative_noise**2)
            variance += np.float32(model.pedestal_noise**2)
            drawn *= np.sqrt(variance)
            total = np.maximum(variance.sum(axis=1), _NEGLIGIBLE)
            missing = (noise * np.sqrt(total) - drawn.sum(axis=1)) / total
            variance *= missing[:, None]
            drawn += variance
        else:
            drawn += (noise / np.float32(np.sqrt(model.n_bins)) - drawn.mean(axis=1))[:, None]
            drawn *= np.float32(model.pedestal_noise)
        trace += drawn
    trace += np.float32(model.pedestal)
    if model.clip_at_zero:
        np.maximum(trace, 0, out=trace)


def _could_saturate(expected: Float32, model: ArrayModel) -> NDArray[np.bool_]:
    """Return which stations (K,) may have a bin beyond saturation, after Bernstein's bound for the Poisson number."""
    if np.isinf(model.saturation):
        return np.zeros(expected.shape[1], bool)
    room = (model.saturation - model.pedestal - 7 * model.pedestal_noise) / (1 + 7 * model.relative_noise)
    number, exponent = expected.sum(axis=0), -np.log(MISSED)
    return np.asarray(number + np.sqrt(2 * exponent * number) + exponent / 3 > room)


# --- sums without traces ----------------------------------------------------------------------------------------------


def _draw_sums(
    rng: np.random.Generator,
    expected: Float32,
    number: NDArray[np.int64],
    distance: Float32,
    depth: Float32,
    noise: Float32,
    model: ArrayModel,
) -> tuple[Float32, Float32]:
    """Return number of particles (K,) and sum of the trace (K,) [VEM].

    Exact but for three things: particles whose light ends in the trace only partly count as if fewer came; the squares
    of the bins, for the noise relative to them, are taken at their mean for the given number of particles; and so is
    the number of empty bins, for what clipping adds.
    """
    seen, squares = _of_window(expected, distance, depth, model)
    known = number >= 0
    share = np.minimum(seen / np.maximum(expected.sum(axis=0), _NEGLIGIBLE), 1)
    particles = rng.poisson(np.where(known, 0, seen)).astype(np.float32)
    particles[known] = rng.binomial(number[known], share[known])
    squares = np.maximum(squares / np.maximum(seen, 1e-6) ** 2, 1e-6)  # of the shares, in sum
    signal = particles + np.float32(model.n_bins * model.pedestal)
    variance = np.full_like(signal, model.n_bins * model.pedestal_noise**2)
    if model.relative_noise:
        variance += model.relative_noise**2 * particles * (1 + np.maximum(particles - 1, 0) * squares)
    if model.clip_at_zero and model.pedestal_noise:
        mean, clipped = _clipped_noise(model.pedestal, model.pedestal_noise)
        filled = -np.expm1(-particles * squares) / squares  # as if 1/squares bins could be hit, all alike
        empty = np.maximum(model.n_bins - filled, 0)
        signal += empty * np.float32(mean - model.pedestal)
        variance += empty * np.float32(clipped - model.pedestal_noise**2)
    return particles, signal + noise * np.sqrt(variance)


def _clipped_noise(pedestal: float, noise: float) -> tuple[float, float]:
    """Return mean and variance of a bin without particles that is clipped at 0."""
    distance = pedestal / noise
    density, above = np.exp(-(distance**2) / 2) / np.sqrt(2 * np.pi), special.ndtr(distance)
    mean = pedestal * above + noise * density
    return float(mean), float((pedestal**2 + noise**2) * above + pedestal * noise * density - mean**2)


_ROOT_DISTANCE = np.linspace(0, np.sqrt(20_000), 129)  # √m
_DEPTH = np.linspace(0, 2560, 33)  # g/cm²


def _of_window(expected: Float32, distance: Float32, depth: Float32, model: ArrayModel) -> tuple[Float32, Float32]:
    """Return the expected sum of the trace, and the sum of the squares of its expected bins, both (K,)."""
    table = _window_table(model)
    row = np.minimum(np.sqrt(distance) / np.float32(_ROOT_DISTANCE[1]), np.float32(len(_ROOT_DISTANCE) - 1.001))
    column = np.minimum(depth / np.float32(_DEPTH[1]), np.float32(len(_DEPTH) - 1.001))
    top, left = row.astype(np.intp), column.astype(np.intp)
    down, right = (row - top)[:, None].astype(np.float32), (column - left)[:, None].astype(np.float32)
    corner = top * len(_DEPTH) + left
    above, below = (
        table.take(start, axis=0) * (1 - right) + table.take(start + 1, axis=0) * right
        for start in (corner, corner + len(_DEPTH))
    )
    share = (above * (1 - down) + below * down).T  # (5, K)
    squares = expected[0] ** 2 * share[2] + 2 * expected[0] * expected[1] * share[3] + expected[1] ** 2 * share[4]
    return (expected * share[:2]).sum(axis=0), squares


@lru_cache(maxsize=8)
def _window_table(model: ArrayModel) -> Float32:
    """Tabulate sums over the bins of the recorded shares m and e: of m, e, m², m·e, e², in the columns."""
    distance, depth = (values.ravel() for values in np.meshgrid(_ROOT_DISTANCE**2, _DEPTH, indexing="ij"))
    share = surface_expectation.bin_shares(*surface_expectation.arrival(distance, depth, model), model)
    share = _respond(share, model)  # (2, cells, bins)
    muonic, electromagnetic = share
    products = (muonic**2, muonic * electromagnetic, electromagnetic**2)
    columns = [*share.sum(axis=-1), *(product.sum(axis=-1) for product in products)]
    return np.ascontiguousarray(np.stack(columns, axis=-1), dtype=np.float32)


# --- triggers that no shower made -------------------------------------------------------------------------------------


def accidental_trace(rng: np.random.Generator, signal: Float32, model: ArrayModel) -> Float32:
    """Return traces (K, bins) of single muons at the start of the trace, with noise, whose sums are `signal` (K,)."""
    trace = np.zeros((len(signal), model.n_bins), np.float32)
    _add_noise(rng, trace, rng.standard_normal(len(signal), dtype=np.float32), model)
    pulse = surface_expectation.response(model)
    missing = signal - trace.sum(axis=1)
    trace += missing[:, None] * (pulse / pulse.sum()).astype(np.float32)
    return trace
