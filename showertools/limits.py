"""How well can it be done at all? Statistical limits from the likelihood of the simulators.

No estimator has a smaller mean squared error than the mean of the posterior, and no classifier a higher accuracy than
the one that names the class of the highest posterior probability (Bayes). So where the likelihood is known, the limit
is an average over simulated showers: of the posterior's variance, and of its highest class probability. `posterior`
does the integrals by importance sampling around the maximum; `cramer_rao` is the bound from Fisher information for what
can be written down.

Sources: H. L. van Trees, *Detection, Estimation, and Modulation Theory*, part I (1968), section 2.4; A. B. Owen, *Monte
Carlo theory, methods and examples* (2013), chapter 9 (self-normalised importance sampling).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from tqdm.auto import tqdm

from showertools import _checks, chunks, footprint_likelihood
from showertools.chunks import Events
from showertools.footprint_model import FootprintModel, check_model

Float = NDArray[np.float64]
LogDensity = Callable[[Float], Float]
"""Takes points (S, D), returns the logarithm of a density (S,)."""

_FREEDOM = 6.0  # of the t distribution that proposes points: heavier tails than a normal one


def cramer_rao(fisher: ArrayLike, *, prior: ArrayLike | None = None) -> Float:
    """Return the smallest covariance that an estimator can have.

    Parameters
    ----------
    fisher : array_like
        Fisher information (..., D, D) of D parameters.
    prior : array_like, optional
        Information of the prior (D, D), for a normal one the inverse of its covariance. With it the bound is van
        Trees', which holds for biased estimators as well.

    Returns
    -------
    numpy.ndarray
        Inverse of the information (..., D, D). The diagonal holds the variances, with all parameters unknown.

    Raises
    ------
    ValueError
        If the matrices are not square, or the information is singular: then nothing bounds some combination.
    """
    information = _checks.finite(fisher, "fisher")
    if information.ndim < 2 or information.shape[-1] != information.shape[-2]:
        raise ValueError(f"`fisher` should have the shape (..., D, D). Received: shape {information.shape}")
    if prior is not None:
        known = _checks.finite(prior, "prior")
        if known.shape != information.shape[-2:]:
            raise ValueError(f"`prior` should have the shape {information.shape[-2:]}. Received: {known.shape}")
        information = information + known
    if np.any(np.linalg.cond(information) > 1e14):
        raise ValueError(
            "`fisher` should be invertible: add a `prior`, or fix a parameter. Received: a singular matrix"
        )
    return np.asarray(np.linalg.inv(information))


def poisson_fisher(expected: ArrayLike, derivatives: ArrayLike) -> Float:
    """Return the Fisher information of Poisson counts, Σ ∂ⱼλ·∂ₖλ/λ.

    Parameters
    ----------
    expected : array_like
        Expected counts λ (P,), positive.
    derivatives : array_like
        Their derivatives by the parameters (P, D).

    Returns
    -------
    numpy.ndarray
        Information (D, D).

    Raises
    ------
    ValueError
        If the shapes do not fit together, or an expected count is not positive.
    """
    expected, derivatives = _checks.positive(expected, "expected"), _checks.finite(derivatives, "derivatives")
    if expected.ndim != 1 or derivatives.shape[:-1] != expected.shape:
        raise ValueError(
            f"`expected` and `derivatives` should have the shapes (P,) and (P, D). "
            f"Received: {expected.shape} and {derivatives.shape}"
        )
    return np.asarray(derivatives.T @ (derivatives / expected[:, None]))


def shrinkage(log_density: Callable[[Float], Float], measured: ArrayLike, resolution: float) -> Float:
    """Return how far the best estimate lies from a measured value: it leans towards where events are frequent.

    Among events measured at m with a normal error, more come from the side where there are more events. The posterior
    mean corrects for this by σ²·d ln p/dm.

    Parameters
    ----------
    log_density : callable
        Logarithm of the density p of the measured values, up to a constant; takes and returns arrays.
    measured : array_like
        Measured values m, of any shape.
    resolution : float
        Standard deviation σ of the measurement; positive, of the unit of `measured`.

    Returns
    -------
    numpy.ndarray
        Posterior mean minus measured value, of the shape and unit of `measured`.

    Raises
    ------
    ValueError
        If the resolution is not positive.

    Notes
    -----
    Tweedie's formula, see B. Efron, J. Am. Stat. Assoc. 106 (2011) 1602, doi:10.1198/jasa.2011.tm11181.
    """
    if not resolution > 0:
        raise ValueError(f"`resolution` should be a positive number. Received: {resolution!r}")
    measured = np.asarray(measured, dtype=np.float64)
    step = 0.05 * resolution
    return np.asarray(resolution**2 * (log_density(measured + step) - log_density(measured - step)) / (2 * step))


class Posterior(NamedTuple):
    """What importance sampling found.

    Attributes
    ----------
    log_evidence : float
        Logarithm of the integral of likelihood times prior.
    mean : numpy.ndarray
        (D,) mean of the parameters.
    covariance : numpy.ndarray
        (D, D).
    mode : numpy.ndarray
        (D,) most probable parameters.
    effective_samples : float
        As many independent samples of the posterior would do as well.
    """

    log_evidence: float
    mean: Float
    covariance: Float
    mode: Float
    effective_samples: float


def posterior(
    log_density: LogDensity, start: ArrayLike, scale: ArrayLike, *, rng: np.random.Generator, n_samples: int = 256
) -> Posterior:
    """Integrate an unnormalised posterior that has one maximum.

    Parameters
    ----------
    log_density : callable
        Logarithm of likelihood times prior; takes points (S, D), returns (S,).
    start : array_like
        (D,) a point within a few standard deviations of the maximum.
    scale : array_like
        (D,) rough standard deviations; they set the step of the numeric derivatives.
    rng : numpy.random.Generator
        Source of randomness.
    n_samples : int
        Number of sampled points, at least 2.

    Returns
    -------
    Posterior
        Evidence, mean, covariance; check `effective_samples`.

    Raises
    ------
    ValueError
        If `start` and `scale` are not finite or differ in shape, `scale` is not positive, there are fewer than 2
        points, or the density is NaN.
    """
    _checks.generator(rng)
    chunks.check_size(n_samples, "n_samples", minimum=2)
    start, scale = _checks.finite(start, "start"), _checks.positive(scale, "scale")
    if start.ndim != 1 or scale.shape != start.shape:
        raise ValueError(f"`start` and `scale` should have the shape (D,). Received: {start.shape} and {scale.shape}")
    mode, covariance = _climb(log_density, start, scale)
    root = np.linalg.cholesky(covariance)
    dimension = len(mode)
    stretch = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, n_samples))
    pull = rng.standard_normal((n_samples, dimension)) * stretch[:, None]
    points = mode + pull @ root.T  # (S, D)
    log_proposal = _log_student(pull) - np.log(np.diag(root)).sum()
    log_weight = log_density(points) - log_proposal
    if np.any(np.isnan(log_weight)):
        raise ValueError("`log_density` should be a number or minus infinity everywhere. Received: NaN")
    log_evidence = special.logsumexp(log_weight) - np.log(n_samples)
    weight = np.exp(log_weight - special.logsumexp(log_weight))
    mean = weight @ points
    deviation = points - mean
    spread = (weight[:, None] * deviation).T @ deviation
    return Posterior(float(log_evidence), mean, spread, mode, float(1 / np.sum(weight**2)))


def _log_student(pull: Float) -> Float:
    """Return the log density of a standard t distribution in D dimensions at points (S, D)."""
    dimension = pull.shape[1]
    norm = special.gammaln((_FREEDOM + dimension) / 2) - special.gammaln(_FREEDOM / 2)
    norm -= dimension / 2 * np.log(_FREEDOM * np.pi)
    return np.asarray(norm - (_FREEDOM + dimension) / 2 * np.log1p((pull**2).sum(axis=1) / _FREEDOM))


def _climb(log_density: LogDensity, point: Float, scale: Float, n_steps: int = 12) -> tuple[Float, Float]:
    """Return the maximum and the inverse of minus the second derivatives there, by damped Newton steps."""
    reach = np.array([1.0, 0.5, 0.2, 0.05, 0.0])
    covariance = np.diag(scale**2)
    for _ in range(n_steps):
        gradient, covariance = _derivatives(log_density, point, scale)
        step = covariance @ gradient
        step *= min(1.0, 5.0 / np.max(np.abs(step) / scale))
        trials = point + reach[:, None] * step
        best = trials[np.argmax(log_density(trials))]
        moved, point = np.max(np.abs(best - point) / scale), best
        if moved < 0.05:
            break
    return point, covariance


def _derivatives(log_density: LogDensity, point: Float, scale: Float) -> tuple[Float, Float]:
    """Return the gradient and the covariance (inverse of minus the Hessian, made positive) in one call."""
    dimension = len(point)
    step = 0.5 * scale
    offsets = [np.zeros(dimension)]
    pairs = [(j, k) for j in range(dimension) for k in range(j)]
    unit = np.eye(dimension)
    for j in range(dimension):
        offsets += [unit[j], -unit[j]]
    for j, k in pairs:
        offsets += [unit[j] + unit[k], -unit[j] - unit[k], unit[j] - unit[k], unit[k] - unit[j]]
    values = log_density(point + np.array(offsets) * step)
    if not np.all(np.isfinite(values)):
        raise ValueError(f"`log_density` should be finite around `start`. Received: {values}")
    plus, minus = values[1 : 2 * dimension + 1 : 2], values[2 : 2 * dimension + 1 : 2]
    hessian = np.diag(plus + minus - 2 * values[0])
    mixed = values[2 * dimension + 1 :].reshape(-1, 4)
    for (j, k), (both, neither, first, second) in zip(pairs, mixed, strict=True):
        hessian[j, k] = hessian[k, j] = (both + neither - first - second) / 4
    curvature, axes = np.linalg.eigh(-hessian)
    inverse = (axes / np.maximum(curvature, 0.02)) @ axes.T  # a flat or bent direction counts as a wide one
    return (plus - minus) / 2 / step, inverse * np.outer(step, step)


def footprint_posterior(
    events: Events,
    *,
    seed: int,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    n_samples: int = 256,
    workers: int | None = None,
    progress: bool = False,
) -> Events:
    """Return what the footprints hold about Xmax and mass, with core, start and number of muons unknown.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `counts` and `arrival_time` as `footprints.simulate` returns them; the truth is not looked at.
    seed : int
        Of the importance sampling.
    model : FootprintModel
        With which the showers were simulated.
    n_samples : int
        Points a shower and mass.
    workers : int, optional
        Number of threads; by default the number of cores. The result does not depend on it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of numpy.ndarray
        `xmax` (n,) posterior mean and `xmax_std` (n,) posterior standard deviation [g/cm²], averaged over the masses;
        `probability` (n, masses) of each of `model.mass_numbers`, all masses being as likely before;
        `xmax_of_mass`, `xmax_std_of_mass` (n, masses): the same for each mass alone; `effective_samples` (n, masses).

    Raises
    ------
    ValueError
        If an array is missing or no footprint of this model, a number is out of range, or the model has a prior without
        width.
    """
    check_model(model)
    chunks.check_size(seed, "seed", minimum=0)
    chunks.check_size(n_samples, "n_samples", minimum=2)
    if not {"counts", "arrival_time"} <= set(events):
        raise ValueError(f"`events` should hold `counts` and `arrival_time`. Received: {list(events)}")
    counts, arrival_time, _ = _checks.pictures(events["counts"], events["arrival_time"], model.n_pixels)
    for name in ("core_spread", "start_spread"):
        if not getattr(model, name) > 0:
            raise ValueError(
                f"`model` should have a positive {name}, however small. Received: {getattr(model, name)!r}"
            )
    for mass_number in model.mass_numbers:
        footprint_likelihood.table(model, mass_number)  # once, before the threads ask for it

    def one(index: int) -> list[Posterior]:
        rng = chunks.generator(seed, index)
        return _posteriors(counts[index], arrival_time[index], model, rng, n_samples)

    n_events = len(counts)
    with ThreadPoolExecutor(chunks.check_workers(workers)) as pool:
        found = list(tqdm(pool.map(one, range(n_events)), total=n_events, unit=" showers", disable=not progress))
    return _summary(found, len(model.mass_numbers))


def _posteriors(
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    model: FootprintModel,
    rng: np.random.Generator,
    n_samples: int,
) -> list[Posterior]:
    """Return the posterior of (Xmax, core x, core y, start) of one footprint for each mass."""
    scale = np.array([12.0, 6.0, 6.0, 1.0])
    found: list[Posterior] = []
    for mass_number in model.mass_numbers:

        def log_density(points: Float, mass_number: int = mass_number) -> Float:
            likelihood = footprint_likelihood.log_likelihood(points, counts, arrival_time, mass_number, model)
            return likelihood + footprint_likelihood.log_prior(points, mass_number, model)

        start = found[-1].mode if found else _first_guess(log_density, counts, arrival_time, model, rng)
        found.append(posterior(log_density, start, scale, rng=rng, n_samples=n_samples))
    return found


def _first_guess(
    log_density: LogDensity,
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    model: FootprintModel,
    rng: np.random.Generator,
) -> Float:
    """Return the best of many points around what one reads off the picture."""
    if not np.any(counts):
        return np.array([750.0, 0.0, 0.0, 0.0])
    rows, columns = np.nonzero(counts)
    weight = counts[rows, columns] ** 2.0  # the centre of the dense part
    x, y = (np.average(model.pixel_centers[index], weights=weight) for index in (columns, rows))
    points = np.array([750.0, x, y, np.nanmin(arrival_time) + 5]) + rng.normal(0, (60, 40, 40, 6), (400, 4))
    return np.asarray(points[np.argmax(log_density(points))])


def _summary(found: list[list[Posterior]], n_masses: int) -> Events:
    shape = (len(found), n_masses)
    log_evidence = np.array([[p.log_evidence for p in event] for event in found]).reshape(shape)
    mean = np.array([[p.mean[0] for p in event] for event in found]).reshape(shape)
    variance = np.array([[p.covariance[0, 0] for p in event] for event in found]).reshape(shape)
    probability = special.softmax(log_evidence, axis=1)
    xmax = (probability * mean).sum(axis=1)
    xmax_variance = (probability * (variance + (mean - xmax[:, None]) ** 2)).sum(axis=1)
    return {
        "xmax": xmax,
        "xmax_std": np.sqrt(xmax_variance),
        "probability": probability,
        "xmax_of_mass": mean,
        "xmax_std_of_mass": np.sqrt(variance),
        "effective_samples": np.array([[p.effective_samples for p in event] for event in found]).reshape(shape),
    }
