"""A toy of camera images in a plane: width and length of gammas, protons and muons, whose distribution is known.

A Cherenkov telescope sees a shower as an elongated patch of light. Analyses of gamma-ray astronomy describe a patch by
its width and length, each minus what a gamma of the same brightness has on average, in standard deviations of gammas:
the scaled width and the scaled length. The toy draws the two from sums of normal distributions,

    p(s | k) = Σ_j w_kj N(s; m_kj, C_kj),    s = (scaled width, scaled length),

so that the probability of each particle given an image, and with it the best possible classification, can be written
down. That gammas lie at 0 with unit spread holds by construction. The rest is our choice: protons are mostly wider and
longer and scatter on all sides, muons give narrow, long arcs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, chunks

PARTICLES = ("gamma", "proton", "muon")
"""Name of each class, by its number."""
COLORS = ("#0072b2", "#d55e00", "#009e73")
"""Colour of each class in every figure, from M. Okabe and K. Ito's palette for colour-blind readers."""

# For each class its components: weight, mean (width, length), standard deviations, correlation.
_COMPONENTS = (
    ((1.0, (0.0, 0.0), (1.0, 1.0), 0.3),),
    ((0.6, (2.8, 2.4), (1.5, 1.6), 0.5), (0.4, (0.5, 0.5), (3.0, 3.0), 0.2)),
    ((1.0, (-1.8, 3.0), (0.6, 1.3), -0.4),),
)


def simulate(n_images: int, *, seed: int) -> dict[str, NDArray[Any]]:
    """Draw images of gammas, protons and muons, each equally likely.

    Parameters
    ----------
    n_images : int
        How many.
    seed : int
        Same seed, same images.

    Returns
    -------
    dict
        `scaled_width`, `scaled_length` (n_images,) in standard deviations of gammas, float32; `particle` (n_images,)
        int64, the class's place in `PARTICLES`.

    Raises
    ------
    ValueError
        If the number or the seed is none.
    """
    n_images = chunks.check_size(n_images, "n_images", minimum=0)
    rng = np.random.default_rng(chunks.check_size(seed, "seed", minimum=0))
    particle = rng.integers(len(PARTICLES), size=n_images)
    choice, normal = rng.random(n_images), rng.normal(size=(n_images, 2))
    place = np.zeros((n_images, 2))
    for number, components in enumerate(_COMPONENTS):
        ends = np.cumsum([weight for weight, *_ in components])
        component = np.minimum(np.searchsorted(ends, choice, side="right"), len(components) - 1)
        for index, (_, mean, std, correlation) in enumerate(components):
            chosen = (particle == number) & (component == index)
            place[chosen] = mean + normal[chosen] @ np.linalg.cholesky(_covariance(std, correlation)).T
    width, length = place.T.astype(np.float32)
    return {"scaled_width": width, "scaled_length": length, "particle": particle}


def probabilities(scaled_width: ArrayLike, scaled_length: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of each particle given the shape of its image: Bayes' theorem with equal priors.

    Naming the most probable particle is the best classification there is.

    Parameters
    ----------
    scaled_width, scaled_length : array_like
        (...,) in standard deviations of gammas.

    Returns
    -------
    numpy.ndarray
        (..., 3) gamma, proton, muon; they add up to 1.

    Raises
    ------
    ValueError
        If the shapes do not broadcast, or a value is not finite.
    """
    width, length = _checks.broadcast(
        scaled_width=_checks.finite(scaled_width, "scaled_width"),
        scaled_length=_checks.finite(scaled_length, "scaled_length"),
    )
    place = np.stack([width, length], axis=-1)  # (..., 2)
    logs = np.stack([_log_density(place, components) for components in _COMPONENTS], axis=-1)  # (..., 3)
    relative = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(relative / relative.sum(axis=-1, keepdims=True))


def _log_density(place: NDArray[np.float64], components: Any) -> NDArray[np.float64]:
    """Return ln p(s | k) for places (..., 2)."""
    terms = []
    for weight, mean, std, correlation in components:
        covariance = _covariance(std, correlation)
        offset = place - mean
        chi2 = np.einsum("...i,ij,...j", offset, np.linalg.inv(covariance), offset)
        terms.append(np.log(weight / (2 * np.pi * np.sqrt(np.linalg.det(covariance)))) - chi2 / 2)
    return np.asarray(np.logaddexp.reduce(terms, axis=0))


def _covariance(std: tuple[float, float], correlation: float) -> NDArray[np.float64]:
    return np.asarray(np.outer(std, std) * [[1.0, correlation], [correlation, 1.0]])
