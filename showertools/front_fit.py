"""The classical reconstruction of a footprint: core, start and curvature of the shower front.

A muon made at height h above the core lags the plane front by about r²/(2·c·h). So the front is a paraboloid, and the
time of the first muon in each pixel is linear in four unknowns,

    t = a + b·x + e·y + k·(x² + y²),

whose weighted least squares are solved for all showers at once. The core is where the paraboloid is flat, the start is
its lowest time, and the curvature k = 1/(2·c·h) tells how high the muons were made.

Source: least squares are textbook; the weights are our choice: the delays of the muons in a pixel spread in
proportion to their mean, on top of the resolution of the clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from showertools import _checks, chunks
from showertools.chunks import Events
from showertools.footprint_model import FootprintModel, check_model
from showertools.footprints import SPEED_OF_LIGHT

Float32 = NDArray[np.float32]

RELATIVE_SPREAD = 0.5
"""Spread of the delays in a pixel over their mean. Our choice: of 0.15 to 1.5, tried on training showers, 0.5
is within 1 % of the best for Xmax from height and number of muons, and within 2 % of the best for the core."""
RING_EDGES = (0.0, 60.0, 120.0, 180.0, 240.0, 300.0, 360.0, 420.0, 480.0, 540.0, 700.0)
"""Edges of the rings around the core [m]; our choice."""
_SCALE = 500.0  # m, so that the four unknowns are of similar size


def fit_front(
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    *,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    n_iterations: int = 3,
    workers: int | None = None,
) -> Events:
    """Fit a paraboloid to the arrival times of each shower.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W) as `footprints.simulate` returns them.
    model : FootprintModel
        Gives the pixels' positions and the resolution of the clocks.
    n_iterations : int
        How often the weights are computed again from the last fit; the first fit weighs all pixels the same.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `core` (n, 2) [m]; `start` (n,) [ns]; `height` (n,) = 1/(2·c·k) [m], the height above the ground at which the
        muons seem to be made. NaN where fewer than 5 pixels are filled or the front does not bend upwards.

    Raises
    ------
    ValueError
        If the arrays are no footprints of this model.
    """
    counts, arrival_time, _ = _checks.pictures(counts, arrival_time, check_model(model).n_pixels)
    chunks.check_size(n_iterations, "n_iterations", minimum=1)
    return _in_parts(lambda c, t: _fit(c, t, model, n_iterations), counts, arrival_time, workers)


def ring_profiles(
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    front: Events,
    *,
    model: FootprintModel = FootprintModel(),  # noqa: B008 (frozen)
    workers: int | None = None,
) -> Float32:
    """Describe each shower by rings around its fitted core.

    Parameters
    ----------
    counts, arrival_time : numpy.ndarray
        (n, H, W) as `footprints.simulate` returns them.
    front : dict of numpy.ndarray
        What `fit_front` returned for these showers.
    model : FootprintModel
        Gives the pixels' positions.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    numpy.ndarray
        (n, rings, 4), float32: share of the muons; mean and root mean square delay of the first muon [ns]; filled
        pixels a muon. A ring without a muon holds zeros.

    Raises
    ------
    ValueError
        If the arrays are no footprints of this model, or `front` is that of other showers.
    """
    counts, arrival_time, _ = _checks.pictures(counts, arrival_time, check_model(model).n_pixels)
    core, start = (np.asarray(front.get(name, ()), dtype=np.float32) for name in ("core", "start"))
    if core.shape != (len(counts), 2) or start.shape != (len(counts),):
        raise ValueError(
            f"`front` should hold `core` and `start` of {len(counts)} showers. "
            f"Received: shapes {core.shape} and {start.shape}"
        )
    x, y = _positions(model)

    def describe(counts: Float32, time: Float32, core: Float32, start: Float32) -> Events:
        hit = counts > 0
        distance = np.hypot(x - core[:, :1], y - core[:, 1:])
        delay = np.where(hit, time - start[:, None], 0)
        sums = []
        for low, high in pairwise(RING_EDGES):
            inside = (distance >= low) & (distance < high)
            terms = (counts, delay, delay**2, hit)
            sums.append(np.stack([np.sum(term, axis=1, where=inside, dtype=np.float64) for term in terms], axis=-1))
        muons, first, second, filled = np.moveaxis(np.stack(sums, axis=1), -1, 0)  # each (n, rings)
        pixels = np.maximum(filled, 1)
        share = muons / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        profile = [share, first / pixels, np.sqrt(second / pixels), filled / np.maximum(muons, 1)]
        return {"profile": np.stack(profile, axis=-1).astype(np.float32)}

    return _in_parts(describe, counts, arrival_time, workers, core, start)["profile"]


def _fit(counts: Float32, time: Float32, model: FootprintModel, n_iterations: int) -> Events:
    x, y = _positions(model)
    terms = np.stack([np.ones_like(x), x / _SCALE, y / _SCALE, (x**2 + y**2) / _SCALE**2], axis=-1)  # (P, 4)
    products = (terms[:, :, None] * terms[:, None, :]).reshape(-1, 16)
    hit = (counts > 0).astype(np.float32)
    enough = hit.sum(axis=1) >= 5
    weight = hit
    for iteration in range(n_iterations + 1):
        matrix = (weight @ products).reshape(-1, 4, 4).astype(np.float64)
        matrix[~enough] = np.eye(4)
        a, b, e, k = np.linalg.solve(matrix, ((weight * time) @ terms).astype(np.float64)[..., None])[..., 0].T
        with np.errstate(divide="ignore", invalid="ignore"):
            core = -np.stack([b, e], axis=-1) * _SCALE / (2 * k[:, None])
            start = a - k * (core**2).sum(axis=-1) / _SCALE**2
        bent = enough & (k > 0)
        core, start = np.where(bent[:, None], core, 0), np.where(bent, start, np.nan)
        curvature = np.where(bent, k, 0) / _SCALE**2  # ns/m²
        if iteration < n_iterations:
            square = (x - core[:, :1].astype(np.float32)) ** 2 + (y - core[:, 1:].astype(np.float32)) ** 2
            spread = RELATIVE_SPREAD * curvature[:, None].astype(np.float32) * square
            weight = (hit / (spread**2 + max(model.time_resolution, 1.0) ** 2)).astype(np.float32)
    core[~bent] = np.nan
    with np.errstate(divide="ignore"):
        height = np.where(bent, 1 / (2 * SPEED_OF_LIGHT * curvature), np.nan)
    return {name: value.astype(np.float32) for name, value in (("core", core), ("start", start), ("height", height))}


def _positions(model: FootprintModel) -> tuple[Float32, Float32]:
    """Return x and y of all pixels (P,)."""
    x, y = np.meshgrid(model.pixel_centers, model.pixel_centers)
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)


def _in_parts(
    work: Callable[..., Events],
    counts: NDArray[np.floating],
    arrival_time: NDArray[np.floating],
    workers: int | None,
    *more: NDArray[np.floating],
) -> Events:
    """Apply `work` to a few showers at a time, which stay in the cache, and join the results."""
    n_pixels = counts.shape[1] * counts.shape[2]

    def part(some: slice) -> Events:
        flat = (-1, n_pixels)
        time = np.nan_to_num(arrival_time[some].reshape(flat)).astype(np.float32)
        return work(counts[some].reshape(flat).astype(np.float32), time, *(values[some] for values in more))

    return chunks.in_parts(part, len(counts), workers)
