"""From footprints to what a network reads: counts and times of order one, and nothing learned from test showers.

Counts span two decades, so their logarithm goes in. Times carry an unknown start and grow with the distance from the
centre: from each shower its own mean goes, from each pixel the mean front, and what is left is divided by its spread in
that pixel. A pixel without a muon then holds 0, the value that says nothing, and a third channel says that it is empty.
Source: our choice.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from showertools import _checks
from showertools.symmetry import N_SYMMETRIES, turned

Float32 = NDArray[np.float32]


class Normalisation(NamedTuple):
    """What `fit_normalisation` learned from training showers.

    Attributes
    ----------
    front, spread : numpy.ndarray
        (H, W) mean and standard deviation of the arrival time in each pixel, after each shower's own mean [ns].
    log_count_mean, log_count_std : float
        Mean and standard deviation of log(1 + counts) over all pixels.
    """

    front: Float32
    spread: Float32
    log_count_mean: float
    log_count_std: float


def fit_normalisation(counts: NDArray[np.floating], arrival_time: NDArray[np.floating]) -> Normalisation:
    """Learn the normalisation from training showers, and from them alone.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W) of the training showers, as `footprints.simulate` returns them; at least one shower.

    Returns
    -------
    Normalisation
        With the symmetry of a square: showers come down vertically, so no side of the picture differs from another.

    Raises
    ------
    ValueError
        If the arrays are no footprints, or there is no shower.
    """
    counts, arrival_time, hit = _checks.pictures(counts, arrival_time)
    if len(hit) == 0:
        raise ValueError("`counts` should hold at least one shower. Received: none")
    seen, front, variance = (np.zeros(hit.shape[1:]) for _ in range(3))
    for part in _parts(len(hit)):
        seen += hit[part].sum(axis=0)
        front += relative_times(counts[part], arrival_time[part]).sum(axis=0)
    front = _symmetric(front) / np.maximum(_symmetric(seen), 1e-9)
    for part in _parts(len(hit)):
        variance += np.square(relative_times(counts[part], arrival_time[part] - front)).sum(axis=0)
    typical = np.sqrt(variance.sum() / max(seen.sum(), 1)) or 1.0
    spread = np.sqrt(_symmetric(variance) / np.maximum(_symmetric(seen), 1e-9))
    spread[spread == 0] = typical  # a pixel that no training shower hit
    log_counts = np.log1p(counts, dtype=np.float32)
    mean, std = log_counts.mean(dtype=np.float64), log_counts.std(dtype=np.float64)
    return Normalisation(front.astype(np.float32), spread.astype(np.float32), float(mean), float(std) or 1.0)


def network_input(
    counts: NDArray[np.floating], arrival_time: NDArray[np.floating], normalisation: Normalisation
) -> Float32:
    """Turn footprints into the pictures that a network reads.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W) as `footprints.simulate` returns them.
    normalisation : Normalisation
        From training showers, see `fit_normalisation`.

    Returns
    -------
    numpy.ndarray
        (n, H, W, 3) float32: normalised logarithm of the counts; normalised time of the first muon, 0 where none came;
        1 where a muon came, else 0.

    Raises
    ------
    ValueError
        If the arrays are no footprints or do not fit the normalisation.
    """
    if not isinstance(normalisation, Normalisation):
        raise ValueError(f"`normalisation` should be what `fit_normalisation` returned. Received: {normalisation!r}")
    counts, arrival_time, hit = _checks.pictures(counts, arrival_time, len(normalisation.front))
    pictures = np.empty((*hit.shape, 3), np.float32)
    for part in _parts(len(hit)):
        log_counts = np.log1p(counts[part], dtype=np.float32)
        pictures[part, ..., 0] = (log_counts - normalisation.log_count_mean) / normalisation.log_count_std
        times = relative_times(counts[part], arrival_time[part] - normalisation.front)
        pictures[part, ..., 1] = times / normalisation.spread
        pictures[part, ..., 2] = hit[part]
    return pictures


def _parts(n_showers: int) -> list[slice]:
    """Return slices of few enough showers that their pictures stay in the cache."""
    return [slice(start, start + 256) for start in range(0, n_showers, 256)]


def relative_times(counts: NDArray[np.floating], arrival_time: NDArray[np.floating]) -> Float32:
    """Subtract from the times of each shower their mean: what is left does not depend on the unknown start.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W); times are not looked at where no muon came.

    Returns
    -------
    numpy.ndarray
        (n, H, W) [ns], 0 where no muon came.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    hit = np.asarray(counts) > 0
    if hit.ndim != 3 or np.shape(arrival_time) != hit.shape:
        raise ValueError(
            f"`counts` and `arrival_time` should have the shape (n, H, W). "
            f"Received: {hit.shape} and {np.shape(arrival_time)}"
        )
    times = np.where(hit, arrival_time, np.float32(0))
    mean = times.sum(axis=(1, 2), keepdims=True) / np.maximum(hit.sum(axis=(1, 2), keepdims=True), 1)
    return np.where(hit, times - mean, 0).astype(np.float32)


def _symmetric(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average a picture (H, W) over the eight symmetries of the square."""
    copies = np.stack([turned(picture[None, ..., None], number)[0, ..., 0] for number in range(N_SYMMETRIES)])
    return np.asarray(copies.mean(axis=0), dtype=np.float64)
