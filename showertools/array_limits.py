"""How well direction, core, energy and Xmax can be measured with an array at all: Cramér–Rao bounds.

The information of an event is the sum of that of its stations, since given the shower they are independent:

- counts: the number of particles in a bin, or in the whole trace, is a Poisson number to which noise is added. The
  information about its mean is known exactly and comes from a table where few particles are expected; where there are
  many it is 1/variance. What the light's decay does to a trace can be undone, which makes the noise of a bin larger.
- silence: a station triggers with the probability p. Its trace counts p times, and that a station is silent, or not,
  counts as well.
- times: p/σ², with the error of the time that the expected number of particles gives.
- saturated bins say nothing; where one is expected, neither does the sum.

What is known beforehand is added (van Trees): direction, core, start and energy lie in the ranges of the model, Xmax and
the number of muons have the distributions of the model, all taken as normal ones of the same covariance. As these
distributions are not normal, an estimator that knows their shapes can be somewhat better than the bound.

Sources: `limits`; H. L. van Trees, *Detection, Estimation, and Modulation Theory*, part I (1968), section 2.4.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special
from scipy import signal as filters

from showertools import _checks, array_events, array_front, array_signal, limits, mean_shower, surface_expectation
from showertools.array_signal import Recorded
from showertools.chunks import Events
from showertools.surface_model import ArrayModel, check_model

Float = NDArray[np.float64]

PARAMETERS = ("axis_x", "axis_y", "core_x", "core_y", "log10_energy", "xmax", "start", "log_muons")
"""What is unknown about a shower: x and y of its axis, core [m], log10(E/eV), Xmax [g/cm²], the moment at which the core
is hit [ns], and the logarithm of the number of muons compared with that of its mass and energy."""
OBSERVABLES = ("signal", "trace", "time")
"""What stations record: the sum of the trace, the trace itself, and when the front passed."""
_STEPS = {"axis_x": 1e-4, "axis_y": 1e-4, "core_x": 1.0, "core_y": 1.0, "log10_energy": 1e-3, "xmax": 1.0}
_EVENTS_AT_ONCE = 32
_LEAST_PROBABILITY = 1e-4  # to trigger, and to stay silent: stations that may not do both only matter through the other
_SMALLEST = 1e-12


class _Showers(NamedTuple):
    axis: Float  # (n, 3)
    core: Float  # (n, 2)
    log10_energy: Float  # (n,)
    xmax: Float  # (n,)
    mass_number: NDArray[np.int_]  # (n,)
    relative_muons: Float  # (n,)
    working: NDArray[np.bool_]  # (n, S)


class _Expected(NamedTuple):
    particles: Float  # of each component in each bin, (2, K, bins)
    half_time: Float  # (K,) [ns]
    front_time: Float  # (K,) [ns]


# --- the information --------------------------------------------------------------------------------------------------


def fisher_information(
    events: Events,
    model: ArrayModel,
    *,
    observables: Collection[str] = ("trace", "time"),
    workers: int | None = None,
) -> Float:
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
    showers = _read(events, model)
    if isinstance(observables, str) or not set(observables) <= set(OBSERVABLES) or {"signal", "trace"} <= {*observables}:
        raise ValueError(
            f"`observables` should be some of {', '.join(OBSERVABLES)}, not both signal and trace. "
            f"Received: {observables!r}"
        )

    def work(some: slice) -> Events:
        part = _Showers(*(values[some] for values in showers))
        starts = range(0, len(part.xmax), _EVENTS_AT_ONCE)
        pieces = [_Showers(*(values[start : start + _EVENTS_AT_ONCE] for values in part)) for start in starts]
        found = [_information(piece, model, observables) for piece in pieces]
        return {"fisher": np.concatenate([np.zeros((0, len(PARAMETERS), len(PARAMETERS))), *found])}

    return array_events.in_parts(work, len(showers.xmax), workers)["fisher"]


def _information(showers: _Showers, model: ArrayModel, observables: Collection[str]) -> Float:
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
        weight = trigger.probability / np.maximum(resolution, 1e-3) ** 2
        each += np.einsum("ik,k,jk->kij", time_slopes, weight, time_slopes)
    information = np.zeros((n_events, *each.shape[1:]))
    np.add.at(information, candidate // n_stations, each)
    return information


def _candidates(showers: _Showers, model: ArrayModel) -> NDArray[np.intp]:
    """Return which stations, counted over all events, are working and may trigger, (K,)."""
    size = _size(showers.log10_energy, showers, model)
    seen = surface_expectation.view(showers.axis, showers.core, showers.xmax, model)
    expected = surface_expectation.expected_particles(size, seen.distance, seen.depth, model)
    recorded = array_signal.recorded(expected, seen.distance, seen.depth, model)
    silent = array_signal.silence(recorded, model.threshold - array_signal.pedestals(model), model)
    may = -np.expm1(silent.log_probability) > _LEAST_PROBABILITY
    return np.flatnonzero(may & showers.working)


def _size(log10_energy: Float, showers: _Showers, model: ArrayModel) -> Float:
    """Return the signals at 1000 m (2, n) of showers of another energy that have their muons otherwise."""
    size = surface_expectation.shower_size(log10_energy, showers.mass_number, model)
    now = surface_expectation.shower_size(showers.log10_energy, showers.mass_number, model)[0]
    size[0] *= showers.relative_muons * model.signal_at_1000_m[0] / np.maximum(now, _SMALLEST)
    return size


def _expected(showers: _Showers, candidate: NDArray[np.intp], model: ArrayModel, **moved: float) -> _Expected:
    """Return what candidates are expected to see if some parameters are moved."""
    axis = showers.axis[:, :2] + [moved.get("axis_x", 0.0), moved.get("axis_y", 0.0)]
    axis = np.column_stack([axis, np.sqrt(np.maximum(1 - (axis**2).sum(axis=1), _SMALLEST))])
    core = showers.core + [moved.get("core_x", 0.0), moved.get("core_y", 0.0)]
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
    showers: _Showers, expected: _Expected, candidate: NDArray[np.intp], model: ArrayModel
) -> tuple[Float, Float, Float]:
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
    probability: Float  # (K,)
    share: Float  # information of signal and silence compared with a signal that is always seen, (K,)
    particles: Float  # expected where there is a trigger, (K,)


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


def _recorded(bins: Float, model: ArrayModel) -> Float:
    """Return the expected contents of the bins [VEM], (K, B)."""
    if model.response_time == 0:
        return bins + model.pedestal
    decay = np.exp(-model.bin_width / model.response_time)
    return np.asarray(filters.lfilter([1 - decay], [1, -decay], bins, axis=1)) + model.pedestal


# --- the information of a bin -----------------------------------------------------------------------------------------

_FEW = 40.0  # particles, up to which the table goes
_LOG_NUMBER = np.linspace(np.log(1e-4), np.log(_FEW), 60)


def _bin_information(number: Float, model: ArrayModel) -> Float:
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
def _efficiency(model: ArrayModel, noise: float) -> Float:
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


# --- bounds -----------------------------------------------------------------------------------------------------------


def prior_covariance(events: Events, model: ArrayModel) -> Float:
    """Return what is known of each shower beforehand.

    Parameters
    ----------
    events : dict of numpy.ndarray
        The truth, as for `fisher_information`.
    model : ArrayModel
        With which the showers were simulated.

    Returns
    -------
    numpy.ndarray
        Covariance of `PARAMETERS`, (n, 8, 8). A parameter without spread has zeros.

    Raises
    ------
    ValueError
        If an array is missing or has another shape.
    """
    showers = _read(events, model)
    cosine, step = showers.axis[:, 2], 0.05
    known = mean_shower.moments(showers.log10_energy, cosine, model)
    low, high = (mean_shower.moments(showers.log10_energy + change, cosine, model).xmax for change in (-step, step))
    rate = (high - low) / (2 * step)  # of the mean Xmax, per decade
    index = {name: number for number, name in enumerate(PARAMETERS)}
    covariance = np.zeros((len(cosine), len(PARAMETERS), len(PARAMETERS)))
    energy = np.ptp(model.log10_energy) ** 2 / 12
    for names, variance in (
        (("axis_x", "axis_y"), np.sin(np.radians(model.max_zenith)) ** 2 / 4),
        (("core_x", "core_y"), model.core_radius**2 / 4),
        (("log10_energy",), energy),
        (("start",), model.start_spread**2 / 3),
    ):
        for name in names:
            covariance[:, index[name], index[name]] = variance
    pair = [index["xmax"], index["log_muons"]]
    covariance[:, np.array(pair)[:, None], pair] = known.covariance
    covariance[:, pair[0], pair[0]] += rate**2 * energy
    covariance[:, pair[0], index["log10_energy"]] = covariance[:, index["log10_energy"], pair[0]] = rate * energy
    return covariance


def bounds(
    events: Events, model: ArrayModel, *, observables: Collection[str] = ("trace", "time"), workers: int | None = None
) -> Events:
    """Return the smallest errors with which the parameters of each shower can be estimated.

    Parameters
    ----------
    events, model, observables, workers
        As for `fisher_information`.

    Returns
    -------
    dict of numpy.ndarray
        `covariance` (n, 8, 8) of `PARAMETERS`; its parts `axis_covariance` and `core_covariance` (n, 2, 2) [m²];
        `angular_error` (n,) [degrees], the radius of 68 %; `log10_energy_error`, `xmax_error` [g/cm²] and `start_error`
        [ns], (n,). Each with all other parameters unknown but for what the prior says.

    Raises
    ------
    ValueError
        As `fisher_information`.
    """
    fisher, prior = fisher_information(events, model, observables=observables, workers=workers), None
    prior = prior_covariance(events, model)
    scale = np.sqrt(np.einsum("nii->ni", prior))  # in these units both are of similar size; a parameter that is known has 0
    unit = scale[:, :, None] * scale[:, None, :]
    correlation = np.divide(prior, unit, out=np.zeros_like(prior), where=unit > 0)
    np.einsum("nii->ni", correlation)[:] = 1
    covariance = limits.cramer_rao(fisher * unit + np.linalg.inv(correlation)) * unit
    index = {name: number for number, name in enumerate(PARAMETERS)}
    error = np.sqrt(np.einsum("nii->ni", covariance))
    axis = np.asarray(events["axis"], np.float64)
    return {
        "covariance": covariance,
        "axis_covariance": covariance[:, :2, :2],
        "core_covariance": covariance[:, 2:4, 2:4],
        "angular_error": array_front.angular_error(axis, covariance[:, :2, :2]),
        "log10_energy_error": error[:, index["log10_energy"]],
        "xmax_error": error[:, index["xmax"]],
        "start_error": error[:, index["start"]],
    }


def containment_radius(covariance: ArrayLike, *, quantile: float = 0.68) -> float:
    """Return the radius around the truth in which a share of estimates of several events lies.

    Parameters
    ----------
    covariance : array_like
        Of two coordinates, positive definite, (n, 2, 2); each event has its own normal distribution.
    quantile : float
        The share, between 0 and 1.

    Returns
    -------
    float
        In the unit of the coordinates; NaN for no events.

    Raises
    ------
    ValueError
        If the shape is another, a covariance is not positive definite, or `quantile` is no share.
    """
    covariance = _checks.finite(covariance, "covariance")
    if covariance.ndim != 3 or covariance.shape[1:] != (2, 2):
        raise ValueError(f"`covariance` should have the shape (n, 2, 2). Received: {covariance.shape}")
    if not 0 < quantile < 1:
        raise ValueError(f"`quantile` should be between 0 and 1. Received: {quantile!r}")
    if not len(covariance):
        return np.nan
    variance = _checks.positive(np.linalg.eigvalsh(covariance), "eigenvalues of `covariance`")  # (n, 2)
    angle = (np.arange(64) + 0.5) * np.pi / 128
    along = 1 / (np.cos(angle) ** 2 / variance[:, :1] + np.sin(angle) ** 2 / variance[:, 1:])  # (n, angles)
    weight = along / along.sum(axis=1, keepdims=True)

    def outside(radius: float) -> float:
        return float(np.mean((weight * np.exp(-0.5 * radius**2 / along)).sum(axis=1)) - (1 - quantile))

    largest = float(np.sqrt(variance.max() * -2 * np.log(1 - quantile)))
    return float(optimize.brentq(outside, 0.0, largest * 1.001))


def _read(events: Events, model: ArrayModel) -> _Showers:
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
    return _Showers(axis, core, log10_energy, xmax, mass_number.astype(int), muons, working.astype(bool))
