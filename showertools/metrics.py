"""How good a reconstruction is: bias, resolution, angular resolution and separation, with bootstrap intervals.

All residuals are estimate − true. Arrays must have the same shape, one entry an event: a network's output (n, 1)
against a truth (n,) would broadcast to (n, n), so it is refused. NaN is refused too, never left out in silence; no
event at all gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks
from showertools.chunks import check_size

Statistic = Callable[..., float]
Floats = NDArray[np.float64]


def bias(true: ArrayLike, estimate: ArrayLike) -> float:
    """Return the mean residual, ⟨x̂ − x⟩.

    Parameters
    ----------
    true, estimate : array_like
        Shape (n,), in the same unit, which is also that of the result.

    Returns
    -------
    float
        Positive if the estimates are too large; NaN for no events.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.
    """
    residual = _residual(true, estimate)
    return float(residual.mean()) if residual.size else np.nan


def resolution(true: ArrayLike, estimate: ArrayLike) -> float:
    """Return the standard deviation of the residuals, √⟨(r − ⟨r⟩)²⟩ with r = x̂ − x.

    A constant shift does not change it, so always quote `bias` beside it: rms_error² = bias² + resolution².

    Parameters
    ----------
    true, estimate : array_like
        Shape (n,), in the same unit, which is also that of the result.

    Returns
    -------
    float
        NaN for no events.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.
    """
    residual = _residual(true, estimate)
    return float(residual.std()) if residual.size else np.nan


def rms_error(true: ArrayLike, estimate: ArrayLike) -> float:
    """Return the root of the mean squared residual, √⟨(x̂ − x)²⟩; bias and resolution both count.

    Parameters
    ----------
    true, estimate : array_like
        Shape (n,), in the same unit, which is also that of the result.

    Returns
    -------
    float
        NaN for no events.

    Raises
    ------
    ValueError
        If the shapes differ or a value is not finite.
    """
    residual = _residual(true, estimate)
    return float(np.sqrt(np.mean(residual**2))) if residual.size else np.nan


def quantile_resolution(true: ArrayLike, estimate: ArrayLike, *, quantile: float = 0.68) -> float:
    """Return half the width of the interval that holds the central residuals; a few outliers do not change it.

    (q₊ − q₋)/2, where a share (1 ± `quantile`)/2 of the residuals lies below q±. For a normal distribution and 0.68 it
    is 0.994 standard deviations. Like `resolution` it does not see a constant shift.

    Parameters
    ----------
    true, estimate : array_like
        Shape (n,), in the same unit, which is also that of the result.
    quantile : float
        Share of events in the interval, between 0 and 1.

    Returns
    -------
    float
        NaN for no events.

    Raises
    ------
    ValueError
        If the shapes differ, a value is not finite or `quantile` is no share.
    """
    _check_share(quantile, "quantile")
    residual = _residual(true, estimate)
    if not residual.size:
        return np.nan
    low, high = np.quantile(residual, [(1 - quantile) / 2, (1 + quantile) / 2])
    return float(high - low) / 2


def angular_distance(first: ArrayLike, second: ArrayLike) -> Floats:
    """Return the angles between unit vectors: 2·atan2(|a − b|, |a + b|).

    Unlike the arc cosine of a·b, which loses half its digits at small angles, this is exact to rounding at any angle.

    Parameters
    ----------
    first, second : array_like
        Unit vectors, shape (n, 3); their lengths may be off by 0.1 %.

    Returns
    -------
    numpy.ndarray
        Shape (n,) [degrees], from 0 to 180.

    Raises
    ------
    ValueError
        If the shapes differ, or the vectors are not finite or not of length 1.

    References
    ----------
    W. Kahan, How futile are mindless assessments of roundoff in floating-point computation?, 2006, "Mangled angles".
    """
    a, b = _unit_vectors(first, "first"), _unit_vectors(second, "second")
    _check_same_shape(a, b, "first", "second")
    return np.asarray(np.degrees(2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))))


def angular_resolution(true_axis: ArrayLike, axis: ArrayLike, *, quantile: float = 0.68) -> float:
    """Return the angle within which a share of the reconstructed axes lies around the true ones.

    Parameters
    ----------
    true_axis, axis : array_like
        Unit vectors, shape (n, 3).
    quantile : float
        The share, between 0 and 1.

    Returns
    -------
    float
        The `quantile` of the angular distances [degrees]; NaN for no events.

    Raises
    ------
    ValueError
        As `angular_distance`, or if `quantile` is no share.
    """
    _check_share(quantile, "quantile")
    a, b = _unit_vectors(true_axis, "true_axis"), _unit_vectors(axis, "axis")
    _check_same_shape(a, b, "true_axis", "axis")
    return float(np.quantile(angular_distance(a, b), quantile)) if len(a) else np.nan


def merit_factor(first: ArrayLike, second: ArrayLike) -> float:
    """Return how well a quantity separates two classes: |⟨a⟩ − ⟨b⟩| / √(σ²_a + σ²_b).

    Parameters
    ----------
    first, second : array_like
        The quantity for the events of each class, shapes (n,) and (m,), in the same unit.

    Returns
    -------
    float
        Without unit; infinite for two different constants, NaN for equal ones or if a class has no events.

    Raises
    ------
    ValueError
        If an array is not of one dimension or a value is not finite.
    """
    a, b = _values(first, "first"), _values(second, "second")
    if not (a.size and b.size):
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.abs(a.mean() - b.mean()) / np.sqrt(a.var() + b.var()))


def bootstrap(
    statistic: Statistic, *arrays: ArrayLike, n_resamples: int = 200, confidence: float = 0.68, seed: int = 0
) -> tuple[float, float, float]:
    """Return a statistic and its bootstrap interval (percentile method).

    Events are drawn with replacement, the same ones from each array, so that estimates stay with their truth. It gives
    what `scipy.stats.bootstrap` gives with `paired=True, method="percentile"`, but takes arrays of any shape, such as
    axes (n, 3).

    Parameters
    ----------
    statistic : callable
        `statistic(*arrays)` returns a number, as the functions of this module do.
    *arrays : array_like
        One entry an event along the first axis, equally many in each.
    n_resamples : int
        How often to draw, at least 1. The limits themselves scatter by about 1/√n_resamples of the interval's width.
    confidence : float
        Probability content of the interval, between 0 and 1.
    seed : int
        Not negative.

    Returns
    -------
    value, low, high : float
        The statistic, NaN for no events, and the limits of its central interval, NaN for fewer than 2 events.

    Raises
    ------
    ValueError
        If the arrays differ in length, or a number is out of range.

    References
    ----------
    B. Efron, R. Tibshirani, An Introduction to the Bootstrap, Chapman & Hall 1993, chapter 13.
    """
    check_size(n_resamples, "n_resamples", minimum=1)
    _check_share(confidence, "confidence")
    rng = np.random.default_rng(check_size(seed, "seed", minimum=0))
    samples = [np.asarray(values) for values in arrays]
    lengths = {len(values) if values.ndim else None for values in samples}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"`arrays` should have equal lengths. Received: shapes {[values.shape for values in samples]}")
    n_events = len(samples[0])
    value = float(statistic(*samples)) if n_events else np.nan
    if n_events < 2:
        return value, np.nan, np.nan
    drawn = np.empty(n_resamples)
    for resample in range(n_resamples):  # one at a time: quicker than a (n_resamples, n) array that leaves the cache
        index = rng.integers(n_events, size=n_events)
        drawn[resample] = statistic(*(values[index] for values in samples))
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return value, float(low), float(high)


def binned(
    true: ArrayLike,
    estimate: ArrayLike,
    by: ArrayLike,
    edges: ArrayLike,
    *,
    metric: Statistic = resolution,
    n_resamples: int = 200,
    confidence: float = 0.68,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Return a metric, with its bootstrap interval, in bins of another quantity.

    Parameters
    ----------
    true, estimate : array_like
        What `metric` compares: shape (n,), or (n, 3) for axes.
    by : array_like
        The quantity to bin in, shape (n,). Events outside of all bins are left out.
    edges : array_like
        Increasing edges of the bins, shape (bins + 1,). A bin holds its lower edge; the last one also its upper edge.
    metric : callable
        `metric(true, estimate)` returns a number.
    n_resamples, confidence, seed
        As for `bootstrap`.

    Returns
    -------
    dict of numpy.ndarray
        Shape (bins,): `left`, `right` and `centre` of each bin, `number` of its events, `value` of the metric, `low`
        and `high` of its interval. An empty bin has NaN; a bin with a single event has no interval.

    Raises
    ------
    ValueError
        If lengths differ, a value is not finite, or the edges do not increase.
    """
    quantity, limits = _values(by, "by"), _values(edges, "edges")
    truth, guess = np.asarray(true), np.asarray(estimate)
    _check_same_shape(truth, guess, "true", "estimate")
    if truth.shape[:1] != quantity.shape:
        raise ValueError(f"`by` should have one value for each event. Received: {quantity.shape} for {truth.shape}")
    if len(limits) < 2 or not np.all(np.diff(limits) > 0):
        raise ValueError(f"`edges` should be at least two increasing numbers. Received: {edges!r}")
    which = np.searchsorted(limits, quantity, side="right") - 1  # (n,)
    which[quantity == limits[-1]] = len(limits) - 2
    rows = [
        bootstrap(metric, truth[mine], guess[mine], n_resamples=n_resamples, confidence=confidence, seed=seed)
        for mine in (which == bin_ for bin_ in range(len(limits) - 1))
    ]
    value, low, high = np.array(rows).T
    left, right = limits[:-1], limits[1:]
    number = np.bincount(which[(which >= 0) & (which < len(left))], minlength=len(left))
    named = {"left": left, "right": right, "centre": (left + right) / 2, "number": number}
    return {**named, "value": value, "low": low, "high": high}


def _residual(true: ArrayLike, estimate: ArrayLike) -> Floats:
    truth, guess = _values(true, "true"), _values(estimate, "estimate")
    _check_same_shape(truth, guess, "true", "estimate")
    return guess - truth


def _values(values: ArrayLike, name: str) -> Floats:
    """Return finite values of one dimension in double precision."""
    array = np.asarray(values)
    if array.ndim != 1:
        hint = "; use [:, 0] for the output of a network" if array.ndim == 2 and array.shape[1] == 1 else ""
        raise ValueError(f"`{name}` should have shape (n,){hint}. Received: {array.shape}")
    return _checks.finite(array, name)


def _unit_vectors(vectors: ArrayLike, name: str) -> Floats:
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"`{name}` should have shape (n, 3). Received: {array.shape}")
    array = _checks.finite(array, name)
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    if array.size and np.abs(lengths - 1).max() > 1e-3:
        raise ValueError(
            f"`{name}` should hold vectors of length 1. Received: {lengths.min():.4g} to {lengths.max():.4g}"
        )
    return np.asarray(array / lengths)


def _check_same_shape(first: NDArray[Any], second: NDArray[Any], name: str, other: str) -> None:
    if first.shape != second.shape:
        raise ValueError(f"`{other}` should have the shape of `{name}`, {first.shape}. Received: {second.shape}")


def _check_share(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise ValueError(f"`{name}` should be between 0 and 1. Received: {value!r}")
