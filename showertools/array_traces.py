"""Time traces of the stations of an array, made ready for a network, and the rise time that is read from them.

Electromagnetic particles come later than muons, and die out on the way down. So the traces know how far above the
ground the maximum of a shower was, where their sums hardly do. A network sees the stations of a hexagon in the middle
of the array, in axial indices, as `layers.HexConv` wants them: the trace of each, and what the fit of the shower says
of the station (`array_features`).

Sources: the rise time from 10 % to 50 % of the signal is that of A. Aab et al. (Pierre Auger Collaboration),
Phys. Rev. D 96 (2017) 122003, doi:10.1103/PhysRevD.96.122003; everything else is our choice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, array_features, chunks, geometry, surface
from showertools.chunks import Events
from showertools.geometry import Layout
from showertools.surface_model import ArrayModel, check_model

__all__ = ["compress", "inputs", "middle", "rise_time", "simulate", "switch_off"]

_UNIT = 0.1  # VEM; far below, `compress` is linear, far above logarithmic
_RANGE = 3.0  # what `compress` divides by: traces come to between 0 and 2.5
_EVENTS = 512  # at once, for `inputs`
_MOST = float(np.finfo(np.float16).max)
_TRACES = 20_000  # at once, for `rise_time`


def middle(model: ArrayModel, n_rings: int = 3) -> tuple[Layout, NDArray[np.intp]]:
    """Return a hexagon of stations in the middle of an array.

    Parameters
    ----------
    model : ArrayModel
        Of a hexagonal layout, with a station at the position (0, 0).
    n_rings : int
        Rings around that station, at least 1: 7, 19, 37, 61 stations.

    Returns
    -------
    layout : Layout
        The hexagon, in axial indices.
    index : numpy.ndarray
        (K,) where its stations are among `model.stations`.

    Raises
    ------
    ValueError
        If the array has no such stations.

    Examples
    --------
    >>> layout, index = middle(ArrayModel(), 1)
    >>> index
    array([30, 31, 39, 40, 41, 48, 49])
    """
    hexagon = geometry.hexagon(chunks.check_size(n_rings, "n_rings", minimum=1), check_model(model).spacing)
    distance = np.linalg.norm(model.stations.positions - hexagon.positions[:, None], axis=2)  # (K, S)
    if not model.stations.is_hexagonal or np.any(distance.min(axis=1) > 0.01 * model.spacing):
        raise ValueError(
            f"`model` should have a hexagon of {len(hexagon)} stations around the position (0, 0). "
            f"Received: {model.layout}, {model.n_rows} by {model.n_columns} stations"
        )
    return hexagon, distance.argmin(axis=1)


def simulate(n_showers: int, *, seed: int, model: ArrayModel, index: ArrayLike, workers: int | None = None) -> Events:
    """Simulate as `surface.simulate` does, and keep the traces of some stations only.

    Parameters
    ----------
    n_showers, seed, model, workers
        As for `surface.simulate`.
    index : array_like
        (K,) stations whose traces to keep, as `middle` returns them.

    Returns
    -------
    dict of numpy.ndarray
        As `surface.simulate` returns it, but `trace` (n, K, bins) is float16: a thousandth of a bin is rounded away,
        bins of more than 65,504 VEM count as that, and 20,000 showers with 37 stations take 180 MB.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    stations = _checks.indices(index, "index", check_model(model).n_stations)

    def cut(events: Events) -> Events:
        return {**events, "trace": np.minimum(events["trace"][:, stations], _MOST).astype(np.float16)}

    empty = surface.simulate_chunk(np.random.default_rng(0), 0, model)
    parts = surface.iterate(n_showers, seed=seed, model=model, workers=workers)
    return chunks.collect((cut(events) for events in parts), n_showers, cut(empty))


def rise_time(trace: ArrayLike, bin_width: float, *, start: float = 0.1, stop: float = 0.5) -> NDArray[np.float64]:
    """Return the time in which a trace comes from one share of its sum to another.

    Parameters
    ----------
    trace : array_like
        (..., bins) [VEM].
    bin_width : float
        [ns].
    start, stop : float
        The two shares, 0 < start < stop < 1.

    Returns
    -------
    numpy.ndarray
        (...,) [ns], interpolated within a bin; NaN where the sum is not positive.

    Raises
    ------
    ValueError
        If a share or the width is out of range, or the trace has no bins.

    Examples
    --------
    >>> rise_time([0.0, 2.0, 2.0, 0.0], 25.0)  # 10 % after 0.2 bins with light, 50 % after 1
    array(20.)
    """
    trace = np.asarray(trace)
    _checks.number(bin_width, "bin_width", "positive")
    if not 0 < start < stop < 1:
        raise ValueError(f"`start` and `stop` should be 0 < start < stop < 1. Received: {start!r} and {stop!r}")
    if trace.ndim == 0 or trace.shape[-1] == 0:
        raise ValueError(f"`trace` should have the shape (..., bins). Received: {trace.shape}")
    rows = trace.reshape(-1, trace.shape[-1])
    found = np.empty(len(rows))
    for first in range(0, len(rows), _TRACES):
        total = np.cumsum(_checks.finite(rows[first : first + _TRACES], "trace"), axis=-1)
        good = total[:, -1] > 0
        share = total / np.where(good, total[:, -1], 1)[:, None]
        passed = _passing(share, stop) - _passing(share, start)
        found[first : first + _TRACES] = np.where(good, passed * bin_width, np.nan)
    return found.reshape(trace.shape[:-1])


def _passing(share: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return where shares (n, bins) that end at 1 first reach a level, in bins from the beginning, (n,)."""
    number = np.argmax(share >= level, axis=-1)[:, None]
    after = np.take_along_axis(share, number, axis=-1)
    before = np.where(number > 0, np.take_along_axis(share, np.maximum(number - 1, 0), axis=-1), 0.0)
    part = np.divide(level - before, after - before, out=np.ones_like(after), where=after > before)
    return np.asarray((number + np.clip(part, 0, 1))[:, 0])


def compress(trace: ArrayLike) -> NDArray[np.float16]:
    """Return traces [VEM] as numbers between 0 and 2.5: ln(1 + 10·trace)/3, with all below 0 taken as 0."""
    return np.asarray(np.log1p(np.maximum(np.asarray(trace, np.float32), 0) / _UNIT) / _RANGE, np.float16)


def inputs(events: Events, fitted: Events, model: ArrayModel, layout: Layout, index: ArrayLike) -> Events:
    """Return what a network reads of events.

    Parameters
    ----------
    events : dict of numpy.ndarray
        As `simulate` returns them with this `index`; the truth is not looked at.
    fitted : dict of numpy.ndarray
        As `array_fit.reconstruct` returns it for the events.
    model : ArrayModel
        Parameters of the array.
    layout, index : Layout, array_like
        As `middle` returns them.

    Returns
    -------
    dict of numpy.ndarray
        `trace` (n, H, W, bins), float16, compressed; `stations` (n, H, W, 13) and `shower` (n, 6), as
        `array_features.features` returns them. All 0 where there is no station, in stations that do not work, and in
        showers that could not be fitted.

    Raises
    ------
    ValueError
        If the events are none of this model, or have traces of other stations.
    """
    stations = _checks.indices(index, "index", check_model(model).n_stations)
    n_events, traces = len(events["signal"]), np.asarray(events.get("trace", 0))
    if traces.shape != (n_events, len(stations), model.n_bins) or len(layout) != len(stations):
        raise ValueError(
            f"`events` should hold `trace` of the shape ({n_events}, {len(stations)}, {model.n_bins}), as `simulate` "
            f"returns it with `index`. Received: {traces.shape} and {len(layout)} places"
        )
    described = array_features.features(events, fitted, model, stations=stations)
    alive = np.asarray(events["working"][:, stations] & array_features.usable(fitted)[:, None])
    described["stations"] *= alive[:, :, None]
    rows, columns = layout.mask("axial").shape
    trace = np.empty((n_events, rows, columns, model.n_bins), np.float16)
    for start in range(0, n_events, _EVENTS):
        some = slice(start, start + _EVENTS)
        trace[some] = layout.to_array(compress(traces[some] * alive[some, :, None]), "axial", axis=1)
    placed = layout.to_array(described["stations"], "axial", axis=1)
    return {"trace": trace, "stations": placed, "shower": described["shower"]}


def switch_off(seen: Events, rng: np.random.Generator, share: float) -> dict[str, Any]:
    """Return inputs in which some stations say nothing, as if they were dead: an augmentation.

    The fit of the shower stays as it was with these stations, so this is only nearly what dead stations do.

    Parameters
    ----------
    seen : dict of numpy.ndarray
        As `inputs` returns them, of any number of showers.
    rng : numpy.random.Generator
        Chooses the stations.
    share : float
        Each shower gets its own probability that a station is switched off, uniform between 0 and this.

    Returns
    -------
    dict of numpy.ndarray
        New arrays; `shower` is unchanged.

    Raises
    ------
    ValueError
        If `share` does not lie between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"`share` should lie between 0 and 1. Received: {share!r}")
    n_events, rows, columns, _ = np.shape(seen["stations"])
    chance = share * _checks.generator(rng).random((n_events, 1, 1))
    alive = (rng.random((n_events, rows, columns)) >= chance)[..., None]
    return {**seen, "trace": seen["trace"] * alive, "stations": seen["stations"] * alive}
