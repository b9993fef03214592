"""What the stations of an array say about a shower: the Fisher information of counts, silence and times.

Given the shower, the stations are independent, so their information adds up:

- counts: the number of particles in a bin, or in the whole trace, is a Poisson number to which noise is added. The
  information about its mean is exact, from a table, where few particles are expected in a bin; where there are many it
  is 1/variance. What the light's decay does to a trace can be undone, which makes the noise of a bin larger.
- silence: a station triggers with the probability p. Its trace counts p times; whether it is silent counts as well.
- times: p/σ², with the error of the time that the expected number of particles gives, at least 1 ns.
- bins that are expected to saturate say nothing, and neither does the sum of such a trace.

Source: `surface_expectation` and `surface_station` for what is observed; the information of a Poisson number beyond a
threshold and of one with noise are our own derivation, compared with sums over all numbers in
`tests/test_array_information.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal as filters
from scipy import special

from showertools import _checks, array_events, array_front, array_signal, chunks, surface_expectation
from showertools.array_signal import Recorded
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel, check_model

PARAMETERS = ("axis_x", "axis_y", "core_x", "core_y", "log10_energy", "xmax", "start", "log_muons")
"""What is unknown about a shower: x and y of its axis, core [m], log10(E/eV), Xmax [g/cm²], the moment at which the
core is hit [ns], and the logarithm of the number of muons compared with that of its mass and energy."""
OBSERVABLES = ("signal", "trace", "time")
"""What stations record: the sum of the trace, the trace itself, and when the front passed."""
_STEPS = {"axis_x": 1e-4, "axis_y": 1e-4, "core_x": 1.0, "core_y": 1.0, "log10_energy": 1e-3, "xmax": 1.0}
_EVENTS_AT_ONCE = 32
_LEAST_PROBABILITY = 1e-4  # to trigger: that stations below it are silent says nothing
_SMALLEST = 1e-12


class Showers(NamedTuple):
    """True showers; the attributes are those of `surface.simulate`.

    Attributes
    ----------
    axis, core, log10_energy, xmax, mass_number, relative_muons : numpy.ndarray
        (n, 3), (n, 2) [m], (n,), (n,) [g/cm²], (n,), (n,).
    working : numpy.ndarray
        Of type bool, (n, S).
    """

    axis: Array
    core: Array
    log10_energy: Array
    xmax: Array
    mass_number: NDArray[np.int_]
    relative_muons: Array
    working: NDArray[np.bool_]


class _Expected(NamedTuple):
    particles: Array  # of each component in each bin, (2, K, bins)
    half_time: Array  # (K,) [ns]
    front_time: Array  # (K,) [ns]


def read(events: Events, model: ArrayModel) -> Showers:
    """Return the truth about showers if it is there; raise `ValueError` otherwise."""
    check_model(model)
    lengths = {"axis": 3, "core": 2, "log10_energy": 0, "xmax": 0, "mass_number": 0, "relative_muons": 0}
    if not set(lengths) <= set(events):
        raise ValueError(f"`events` should hold {', '.join(lengths)}. Received: {list(events)}")
    n_events = np.size(events["xmax"])
    given = []
    for name, length in lengths.items():
        shape = (n_events, length) if length else (n_events,)
        given.append(_checks.finite(events[name], name))
        if given[-1].shape != shape:
            raise ValueError(f"`{name}` should have the shape {shape}. Received: {given[-1].shape}")
    working = np.asarray(events.get("working", np.ones((n_events, model.n_stations), bool)))
    if working.shape != (n_events, model.n_stations):
        raise ValueError(f"`working` should have the shape {(n_events, model.n_stations)}. Received: {working.shape}")
    axis, core, log10_energy, xmax, mass_number, muons = given
    axis = axis / np.linalg.norm(axis, axis=1, keepdims=True)
    return Showers(axis, core, log10_energy, xmax, mass_number.astype(int), muons, working.astype(bool))


def fisher_information(
    events: Events,
    model: ArrayModel,
    *,
    observables: Collection[str] = ("trace", "time"),
    workers: int | None = None,
) -> Array:
    """Return what the stations are expected to say about each shower.

    Parameters
    ----------
    events : dict of numpy.ndarray
        The truth, as `surface.simulate` returns it: `axis`, `core`, `log10_energy`, `xmax`, `mass_number`,
        `relative_muons`, and `working` if there is. What the stations recorded is not looked at.
    model : ArrayModel
        With which the showers were simulated.
    observables : collection of str
        Some of `OBSERVABLES`, not both "signal" and "trace", of which one is the sum of the other.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    numpy.ndarray
        Information about `PARAMETERS`, (n, 8, 8), in the inverse of their units.

    Raises
    ------
    ValueError
        If an array is missing, has another shape or is not finite, or an observable is unknown.
    """
    showers = read(events, model)
    names = set() if isinstance(observables, str) else set(observables)
    if not names or not names <= set(OBSERVABLES) or {"signal", "trace"} <= names:
        raise ValueError(
            f"`observables` should be some of {', '.join(OBSERVABLES)}, not both signal and trace. "
            f"Received: {observables!r}"
        )

    def work(some: slice) -> Events:
        part = array_events.select(showers, some)
        starts = range(0, len(part.xmax), _EVENTS_AT_ONCE)
        pieces = [array_events.select(part, slice(start, start + _EVENTS_AT_ONCE)) for start in starts]
        found = [_information(piece, model, observables) for piece in pieces]
        return {"fisher": np.concatenate([np.zeros((0, len(PARAMETERS), len(PARAMETERS))), *found])}

    return chunks.in_parts(work, len(showers.xmax), workers)["fisher"]


def _information(showers: Showers, model: ArrayModel, observables: Collection[str]) -> Array:
    candidate = _candidates(showers, model)
    n_events, n_stations = showers.working.shape
    expected = _expected(showers, candidate, model)
    bins, slopes, time_slopes = _slopes(showers, expected, candidate, model)  # (K, B), (8, K, B), (8, K)
    total, total_slopes = bins.sum(axis=1), slopes.sum(axis=2)
    variance = total + array_signal.quiet_variance(model) + model.relative_noise**2 * (total + (bins**2).sum(axis=1))
    trigger = _trigger(Recorded(total, variance), model)
    clipped = _recorded(bins, model) >= model.saturation  # (K, B)
    whole = ~clipped.any(axis=1)

    each = np.zeros((len(candidate), len(PARAMETERS), len(PARAMETERS)))
    if "signal" in observables or "trace" in observables:
        of_sum = np.where(whole, 1 / variance, 0.0)
        weight = trigger.share if "signal" in observables else trigger.share - trigger.probability
        each += np.einsum("ik,k,jk->kij", total_slopes, weight * of_sum, total_slopes)
    if "trace" in observables:
        weight = np.where(clipped, 0, _bin_information(bins, model)) * trigger.probability[:, None]
        each += np.einsum("ikb,kb,jkb->kij", slopes, weight, slopes, optimize=True)
    if "time" in observables:
        resolution = surface_expectation.time_resolution(trigger.particles, expected.half_time, model)
        weight = trigger.probability / np.maximum(resolution, array_front.FINEST_RESOLUTION) ** 2
        each += np.einsum("ik,k,jk->kij", time_slopes, weight, time_slopes)
    information = np.zeros((n_events, *each.shape[1:]))
    np.add.at(information, candidate // n_stations, each)
    return information


def _candidates(showers: Showers, model: ArrayModel) -> NDArray[np.intp]:
    """Return which stations, counted over all events, are working and may trigger, (K,)."""
    size = _size(showers.log10_energy, showers, model)
    seen = surface_expectation.view(showers.axis, showers.core, showers.xmax, model)
    expected = surface_expectation.expected_particles(size, seen.distance, seen.depth, model)
    recorded = array_signal.recorded(expected, seen.distance, seen.depth, model)
    silent = array_signal.silence(recorded, model.threshold - array_signal.pedestals(model), model)
    may = -np.expm1(silent.log_probability) > _LEAST_PROBABILITY
    return np.flatnonzero(may & showers.working)


def _size(log10_energy: Array, showers: Showers, model: ArrayModel) -> Array:
    """Return the signals at 1000 m (2, n) of showers of another energy that have their muons otherwise."""
    size = surface_expectation.shower_size(log10_energy, showers.mass_number, model)
    now = surface_expectation.shower_size(showers.log10_energy, showers.mass_number, model)[0]
    size[0] *= showers.relative_muons * model.signal_at_1000_m[0] / np.maximum(now, _SMALLEST)
    return size


def _expected(showers: Showers, candidate: NDArray[np.intp], model: ArrayModel, **moved: float) -> _Expected:
    """Return what candidates are expected to see if some parameters are moved."""
    axis = showers.axis[:, :2] + np.array([moved.get("axis_x", 0.0), moved.get("axis_y", 0.0)])
    axis = np.column_stack([axis, np.sqrt(np.maximum(1 - (axis**2).sum(axis=1), _SMALLEST))])
    core = showers.core + np.array([moved.get("core_x", 0.0), moved.get("core_y", 0.0)])
    xmax = np.minimum(showers.xmax + moved.get("xmax", 0.0), (model.ground_depth - 1e-3) / axis[:, 2])
    log10_energy = showers.log10_energy + moved.get("log10_energy", 0.0)
    seen = surface_expectation.view(axis, core, xmax, model)
    expected = surface_expectation.expected_particles(
        _size(log10_energy, showers, model), seen.distance, seen.depth, model
    )
    expected = expected.reshape(2, -1).take(candidate, axis=1)
    distance, depth, front_time = (values.ravel().take(candidate) for values in seen)
    median, lag = surface_expectation.arrival(distance, depth, model)
    particles = expected[..., None] * surface_expectation.bin_shares(median, lag, model)
    return _Expected(particles, surface_expectation.half_time(expected, median, lag), front_time)


def _slopes(
    showers: Showers, expected: _Expected, candidate: NDArray[np.intp], model: ArrayModel
) -> tuple[Array, Array, Array]:
    """Return the expected bins (K, B), their derivatives (8, K, B) and those of the times (8, K)."""
    bins = expected.particles.sum(axis=0)
    slopes = np.zeros((len(PARAMETERS), *bins.shape))
    time_slopes = np.zeros((len(PARAMETERS), len(candidate)))
    for name, step in _STEPS.items():
        above, below = (_expected(showers, candidate, model, **{name: change}) for change in (step, -step))
        slopes[PARAMETERS.index(name)] = (above.particles - below.particles).sum(axis=0) / (2 * step)
        time_slopes[PARAMETERS.index(name)] = (above.front_time - below.front_time) / (2 * step)
    slopes[PARAMETERS.index("log_muons")] = expected.particles[0]
    time_slopes[PARAMETERS.index("start")] = 1.0
    return bins, slopes, time_slopes


class _Trigger(NamedTuple):
    probability: Array  # (K,)
    share: Array  # information of signal and silence compared with a signal that is always seen, (K,)
    particles: Array  # expected where there is a trigger, (K,)


def _trigger(expected: Recorded, model: ArrayModel) -> _Trigger:
    """Return what a threshold leaves of the information about the mean of a Poisson number λ.

    It is Σ_{n≥k} (n/λ − 1)²·P(n) + P(k − 1)²/P(n < k) = (P(n ≥ k) + (k − λ)·P(k − 1))/λ + P(k − 1)²/P(n < k); without
    a threshold 1/λ.
    """
    shift = array_signal.quiet_variance(model)
    number = np.maximum(expected.mean + shift, _SMALLEST)
    level = max(model.threshold - array_signal.pedestals(model) + shift + 0.5, 0.5)
    probability = special.gammainc(level, number)
    below = np.exp(special.xlogy(level - 1, number) - number - special.gammaln(level))  # P(k - 1)
    silent = np.maximum(special.gammaincc(level, number), 1e-300)
    share = probability + (level - number) * below + number * below**2 / silent
    share = np.clip(np.where(silent > 1e-12, share, 1.0), probability, 1.0)
    particles = number * (1 + below / np.maximum(probability, 1e-300)) - shift
    return _Trigger(probability, share, np.maximum(particles, 1.0))


def _recorded(bins: Array, model: ArrayModel) -> Array:
    """Return the expected contents of the bins [VEM], (K, B)."""
    if model.response_time == 0:
        return bins + model.pedestal
    decay = np.exp(-model.bin_width / model.response_time)
    return np.asarray(filters.lfilter([1 - decay], [1, -decay], bins, axis=1)) + model.pedestal


# --- the information of a bin -----------------------------------------------------------------------------------------

_FEW = 40.0  # particles, up to which the table goes
_LOG_NUMBER = np.linspace(np.log(1e-4), np.log(_FEW), 60)


def _bin_information(number: Array, model: ArrayModel) -> Array:
    """Return the information about the expected number of particles in a bin, of any shape."""
    noise = _noise(model)
    number = np.maximum(number, _SMALLEST)
    many = 1 / (number + noise**2 + model.relative_noise**2 * (number + number**2))
    few = np.interp(np.log(number), _LOG_NUMBER, _efficiency(model, noise)) / number
    return np.asarray(np.where(number < _FEW, few, many))


def _noise(model: ArrayModel) -> float:
    """Return the noise of a bin [VEM] after the decay of the light has been undone: (x_b − d·x_{b−1})/(1 − d)."""
    if model.response_time == 0:
        return model.pedestal_noise
    decay = float(np.exp(-model.bin_width / model.response_time))
    return model.pedestal_noise * float(np.hypot(1, decay)) / (1 - decay)


@lru_cache(maxsize=8)
def _efficiency(model: ArrayModel, noise: float) -> Array:
    """Return the information about Poisson numbers with noise compared with that of the numbers, for `_LOG_NUMBER`."""
    number = np.exp(_LOG_NUMBER)[:, None]
    if noise < 0.1 and model.relative_noise < 0.01:  # the numbers can be read off
        return np.ones(len(number))
    count = np.arange(int(_FEW + 12 * np.sqrt(_FEW)))
    width = np.hypot(noise, model.relative_noise * count)
    step = noise / 10
    value = np.arange(-8 * noise, count[-1] + 8 * width[-1], step)  # without pedestal
    shape = np.exp(-0.5 * ((value - count[:, None]) / width[:, None]) ** 2)
    shape *= step / np.sqrt(2 * np.pi) / width[:, None]
    if model.clip_at_zero and model.response_time == 0:  # all that lies below 0 is one value
        low = value < -model.pedestal
        shape = np.column_stack([shape[:, low].sum(axis=1), shape[:, ~low]])
    probability = np.exp(special.xlogy(count, number) - number - special.gammaln(count + 1))  # (numbers, counts)
    slope = probability * (count / number - 1)
    density, change = probability @ shape, slope @ shape
    information = np.sum(np.where(density > 1e-30, change**2 / np.maximum(density, 1e-30), 0), axis=1)
    return np.asarray(np.clip(information * number[:, 0], 0, 1))
