"""Which nuclei does a sample of showers hold, and in which parts? From predicted classes, without trusting them.

A classifier mistakes some showers of every class for another. If `response[A, j]` is the probability that a shower of
class A is put into bin j (a predicted class, or any other bin of what the classifier says), and f the fractions of the
classes, then the sample falls into the bins with the probabilities

    p_j = Σ_A f_A · response[A, j].

`fit` finds the f that describe the counts of the bins best. It needs no classifier that is right, nor one that is
calibrated: only the response on showers of known class, on which the classifier was neither trained nor chosen. Nothing
keeps a fraction from coming out below 0: cut there, and the estimate is biased and its interval no longer covers.

Sources: weighted least squares are textbook; the correction is known as "adjusted counts", see
G. Forman, *Quantifying counts and costs via classification*, Data Min. Knowl. Disc. 17 (2008) 164,
doi:10.1007/s10618-008-0097-y.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Composition(NamedTuple):
    """What `fit` found.

    Attributes
    ----------
    fractions : numpy.ndarray
        (K,) of the classes; their sum is 1, and one may be negative.
    covariance : numpy.ndarray
        (K, K) of the fractions; each of its rows sums to 0.
    """

    fractions: Floats
    covariance: Floats

    @property
    def errors(self) -> Floats:
        """Standard deviations of the fractions (K,)."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def mean(self, values: ArrayLike) -> tuple[float, float]:
        """Return the mean of a quantity that has `values` (K,) in the classes, such as ln A, and its error."""
        values = np.asarray(values, dtype=np.float64)
        return float(self.fractions @ values), float(np.sqrt(values @ self.covariance @ values))


def count(true_class: ArrayLike, found_bin: ArrayLike, n_classes: int, n_bins: int | None = None) -> Floats:
    """Count how often each class was found in each bin.

    Parameters
    ----------
    true_class : array_like
        (n,) numbers of the true classes, from 0.
    found_bin : array_like
        (n,) numbers of the bins, from 0: predicted classes, or others.
    n_classes : int
        Number of classes K.
    n_bins : int, optional
        Number of bins J; by default as many as classes.

    Returns
    -------
    numpy.ndarray
        (K, J): rows are true classes.

    Raises
    ------
    ValueError
        If the lengths differ or a number is out of range.
    """
    n_bins = n_classes if n_bins is None else n_bins
    rows, columns = np.asarray(true_class), np.asarray(found_bin)
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise ValueError(f"`found_bin` should have the shape {rows.shape} of `true_class`. Received: {columns.shape}")
    for name, numbers, limit in (("true_class", rows, n_classes), ("found_bin", columns, n_bins)):
        if numbers.size and (numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.max() >= limit):
            raise ValueError(f"`{name}` should hold whole numbers from 0 to {limit - 1}. Received: {numbers}")
    flat = np.bincount(rows.astype(np.intp) * n_bins + columns.astype(np.intp), minlength=n_classes * n_bins)
    return np.asarray(flat.reshape(n_classes, n_bins), dtype=np.float64)


def draw_sample(
    true_class: ArrayLike, fractions: ArrayLike, n_sample: int, *, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Mix a sample of unknown composition from a pool of showers of known class.

    Estimates from the sample and from the rest differ as much as those from two independent sets, although both come
    from one pool: what lands in the sample is missing in the rest.

    Parameters
    ----------
    true_class : array_like
        (n,) numbers of the classes of the pool's showers, from 0.
    fractions : array_like
        (K,) of the classes where the sample comes from; the numbers in the sample fluctuate around them.
    n_sample : int
        Number of showers in the sample.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    sample, rest : numpy.ndarray
        Indices into the pool: (n_sample,), and all others; both class by class.

    Raises
    ------
    ValueError
        If the fractions do not sum to 1, or the pool has too few showers of a class.
    """
    true_class, fractions = np.asarray(true_class), np.asarray(fractions, dtype=np.float64)
    if fractions.ndim != 1 or np.any(fractions < 0) or not np.isclose(fractions.sum(), 1):
        raise ValueError(f"`fractions` should be at least 0 and sum to 1. Received: {fractions}")
    sample, rest = [], []
    for number, wanted in enumerate(rng.multinomial(n_sample, fractions)):
        order = rng.permutation(np.flatnonzero(true_class == number))
        if wanted > len(order):
            raise ValueError(f"`n_sample` should leave enough of class {number} ({len(order)}). Received: {n_sample}")
        sample.append(order[:wanted])
        rest.append(order[wanted:])
    return np.concatenate(sample), np.concatenate(rest)


def invert(counts: ArrayLike, response: ArrayLike) -> Floats:
    """Solve Σ_A f_A · response[A, j] = counts[j] / Σ counts for the fractions f.

    Parameters
    ----------
    counts : array_like
        (K,) showers of the sample in each predicted class.
    response : array_like
        (K, K) probability that a shower of class A (row) is predicted as class j (column); each row sums to 1.

    Returns
    -------
    numpy.ndarray
        (K,) fractions; their sum is 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, rows do not sum to 1, or classes cannot be told apart.
    """
    counts, response = _check_counts(counts, "counts", 1), np.asarray(response, dtype=np.float64)
    if response.shape != (len(counts), len(counts)):
        raise ValueError(f"`response` should have the shape {(len(counts),) * 2}. Received: {response.shape}")
    if not np.allclose(response.sum(axis=1), 1):
        raise ValueError(f"`response` should have rows that sum to 1. Received: sums {response.sum(axis=1)}")
    _check_rank(response)
    return np.asarray(np.linalg.solve(response.T, counts / counts.sum()))


def fit(counts: ArrayLike, calibration: ArrayLike, *, n_iterations: int = 5) -> Composition:
    """Fit the fractions of the classes in a sample.

    Parameters
    ----------
    counts : array_like
        (J,) showers of the sample in each bin; at least as many bins as classes.
    calibration : array_like
        (K, J) counts of showers of known class, rows are the classes; see `count`.
    n_iterations : int
        How often the weights of the bins are computed again from the last fit.

    Returns
    -------
    Composition
        Fractions and their covariance. It holds the statistical error of the sample and that of the calibration, both
        in the limit of many showers. With as many bins as classes the fractions are those of `invert`.

    Raises
    ------
    ValueError
        If the shapes do not fit, a count is negative, a class has no calibration, or classes cannot be told apart.
    """
    counts, calibration = _check_counts(counts, "counts", 1), _check_counts(calibration, "calibration", 2)
    n_classes, n_bins = calibration.shape
    if counts.shape != (n_bins,) or n_bins < n_classes:
        raise ValueError(
            f"`counts` should have one entry for each of at least {n_classes} bins. Received: {counts.shape}"
        )
    total = calibration.sum(axis=1)
    response = calibration / total[:, None]
    _check_rank(response)
    n_sample = counts.sum()
    found = (counts / n_sample)[:-1]  # the last bin is what is left
    design = (response[:-1] - response[-1])[:, :-1].T  # (J - 1, K - 1): the last fraction is what is left
    free = np.full(n_classes - 1, 1 / n_classes)
    for _ in range(n_iterations):
        fractions = np.append(free, 1 - free.sum())
        covariance = _covariance(np.clip(fractions, 0, None), response, n_sample, total)[:-1, :-1]
        weighted = np.linalg.solve(covariance, design)  # (J - 1, K - 1)
        information = design.T @ weighted
        free = np.linalg.solve(information, weighted.T @ (found - response[-1, :-1]))
    spread = np.linalg.inv(information)
    from_free = np.vstack([np.eye(n_classes - 1), -np.ones(n_classes - 1)])  # (K, K - 1)
    return Composition(np.append(free, 1 - free.sum()), from_free @ spread @ from_free.T)


def mean_log_mass(probability: ArrayLike, mass_numbers: ArrayLike) -> Floats:
    """Return the expected ln A of each shower, Σ_A p_A · ln A.

    Parameters
    ----------
    probability : array_like
        (n, K) probabilities of the classes.
    mass_numbers : array_like
        (K,) mass number A of each class.

    Returns
    -------
    numpy.ndarray
        (n,): the estimate with the smallest mean squared error, if the probabilities are right.
    """
    return np.asarray(np.asarray(probability, dtype=np.float64) @ np.log(mass_numbers))


def reweight(probability: ArrayLike, prior: ArrayLike, trained: ArrayLike | None = None) -> Floats:
    """Turn class probabilities into those under another prior, by Bayes' rule: p'_A ∝ p_A · prior_A / trained_A.

    Parameters
    ----------
    probability : array_like
        (n, K) probabilities of the classes.
    prior : array_like
        (K,) fractions of the classes in the sample.
    trained : array_like, optional
        (K,) fractions among the training showers, positive; by default equal ones.

    Returns
    -------
    numpy.ndarray
        (n, K); each row sums to 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, or fractions are negative, or training fractions 0.
    """
    probability, prior = np.asarray(probability, dtype=np.float64), np.asarray(prior, dtype=np.float64)
    trained = np.ones(len(prior)) if trained is None else np.asarray(trained, dtype=np.float64)
    if probability.ndim != 2 or prior.shape != probability.shape[1:] or trained.shape != prior.shape:
        raise ValueError(f"`prior` should have the shape {probability.shape[1:]}. Received: {prior.shape}")
    if not (np.all(prior >= 0) and np.any(prior > 0) and np.all(trained > 0)):
        raise ValueError(f"`prior` should be fractions of at least 0. Received: {prior}, trained with {trained}")
    weighted = probability * prior / trained
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def _covariance(fractions: Floats, response: Floats, n_sample: float, n_calibration: Floats) -> Floats:
    """Return the covariance (J, J) of what a fit compares: shares of the bins minus Σ f · response."""
    expected = fractions @ response / fractions.sum()
    expected = (expected + 0.5 / n_sample) / (1 + 0.5 * len(expected) / n_sample)  # no bin gets an infinite weight
    result = (np.diag(expected) - np.outer(expected, expected)) / n_sample
    for fraction, row, number in zip(fractions, response, n_calibration, strict=True):
        result += fraction**2 * (np.diag(row) - np.outer(row, row)) / number
    return np.asarray(result)


def _check_counts(counts: ArrayLike, name: str, dimension: int) -> Floats:
    values = np.asarray(counts, dtype=np.float64)
    if values.ndim != dimension:
        raise ValueError(f"`{name}` should be an array of dimension {dimension}. Received: shape {values.shape}")
    if not (np.all(np.isfinite(values)) and np.all(values >= 0) and np.all(values.sum(axis=-1) > 0)):
        raise ValueError(f"`{name}` should hold counts of at least 0, and some in each row. Received: {values}")
    return values


def _check_rank(response: Floats) -> None:
    if np.linalg.matrix_rank(response, tol=1e-6) < len(response):
        raise ValueError("`response` should tell the classes apart. Received: rows that are mixtures of each other")
