"""What each station of an array says about a shower, seen from the shower that a classical fit has found.

A fit that takes direction, core and energy one after the other leaves something over: times that come early on one
side, signals that are too large on another. The plain sums that the fit has used vanish, but others do not: signals
that are too large ahead and behind and too small on both sides say that a shower is more inclined than its times say.
Such sums are of products of remainders, in units of the errors that are expected, and places in the shower's own
frame, one axis along its azimuth and one across, in which showers from all sides look alike. Both are here, and the
first products, so that a network only has to find weights, and to sum. It learns by how much the truth departs from
the fit, in the same frame.

Sources: the fits are `array_fit`; features and scales are our choice. Nothing is learned here, from whatever showers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, array_events, array_front, array_lateral, chunks
from showertools.array_events import Stations
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

STATION_FEATURES = (
    "triggered",
    "time_residual",
    "signal_residual",
    "log_signal",
    "log_expected",
    "along",
    "across",
    "distance",
    "near",
    "signal_along",
    "signal_across",
    "time_along",
    "time_across",
)
"""What stands in the last axis of `stations`."""
SHOWER_FEATURES = ("cosine", "log_energy", "log_angular_error", "log_error_along", "log_error_across", "n_triggered")
"""What stands in the last axis of `shower`."""
LARGEST_RESIDUAL = 6.0
"""Residuals are cut at plus and minus this many expected errors, so that no outlier rules. Our choice."""
_NEAR = 400.0  # m


class Frame(NamedTuple):
    """Directions of a shower's own frame.

    Attributes
    ----------
    along, across : numpy.ndarray
        Unit vectors on the ground, towards where the shower comes from and to the left of it, (n, 2).
    down : numpy.ndarray
        Unit vector across the axis in which the zenith angle grows, (n, 3). The one in which the azimuth grows is
        `across`, with z = 0.
    """

    along: Array
    across: Array
    down: Array


def shower_frame(axis: ArrayLike) -> Frame:
    """Return the frames of showers with the given axes, unit vectors (n, 3); a vertical one comes from x."""
    axis = array_events.vectors(axis, "axis", len(np.atleast_1d(axis)), 3)
    azimuth = np.arctan2(axis[:, 1], axis[:, 0])
    along = np.column_stack([np.cos(azimuth), np.sin(azimuth)])
    across = np.column_stack([-along[:, 1], along[:, 0]])
    horizontal = np.hypot(axis[:, 0], axis[:, 1])
    return Frame(along, across, np.column_stack([along * axis[:, 2:], -horizontal]))


def departures(events: Events, fitted: Events) -> Events:
    """Return by how much showers depart from what was fitted, in the frame of the fitted axis.

    Parameters
    ----------
    events : dict of numpy.ndarray
        The truth: `axis` (n, 3), `core` (n, 2) [m], `log10_energy` (n,).
    fitted : dict of numpy.ndarray
        The same, as `array_fit.reconstruct` returns them.

    Returns
    -------
    dict of numpy.ndarray
        `direction` (n, 2) [degrees], towards larger zenith angles and across; `core` (n, 2) [m], along and across;
        `log10_energy` (n, 1). float32; all NaN where a fit failed.
    """
    frame = shower_frame(fitted["axis"])
    axis, shift = np.asarray(events["axis"], np.float64), events["core"] - fitted["core"]
    found = {
        "direction": np.degrees(np.column_stack([_dot(axis, frame.down), _dot(axis[:, :2], frame.across)])),
        "core": np.column_stack([_dot(shift, frame.along), _dot(shift, frame.across)]),
        "log10_energy": (events["log10_energy"] - fitted["log10_energy"])[:, None],
    }
    failed = ~usable(fitted)
    return {name: np.where(failed[:, None], np.nan, values).astype(np.float32) for name, values in found.items()}


def corrected(fitted: Events, departure: Events) -> Events:
    """Return `axis`, `core` and `log10_energy` of showers that depart so from what was fitted.

    Parameters
    ----------
    fitted : dict of numpy.ndarray
        As for `departures`.
    departure : dict of numpy.ndarray
        As `departures` returns it, or a network that has learned it.

    Returns
    -------
    dict of numpy.ndarray
        `axis` (n, 3), unit vectors; `core` (n, 2) [m]; `log10_energy` (n,). NaN where a fit failed.
    """
    frame = shower_frame(fitted["axis"])
    direction = np.radians(np.asarray(departure["direction"], np.float64))
    shift = np.asarray(departure["core"], np.float64)
    across = np.column_stack([frame.across, np.zeros(len(frame.across))])
    sine = np.clip(np.linalg.norm(direction, axis=1, keepdims=True), 1e-12, 1)
    axis = fitted["axis"] * np.sqrt(1 - sine**2) + direction[:, :1] * frame.down + direction[:, 1:] * across
    return {
        "axis": axis / np.linalg.norm(axis, axis=1, keepdims=True),
        "core": fitted["core"] + shift[:, :1] * frame.along + shift[:, 1:] * frame.across,
        "log10_energy": fitted["log10_energy"] + np.asarray(departure["log10_energy"], np.float64)[:, 0],
    }


def usable(fitted: Events) -> NDArray[np.bool_]:
    """Return which showers were fitted in all steps, (n,)."""
    return np.asarray(np.isfinite(fitted["axis"][:, 0] + fitted["core"][:, 0] + fitted["log10_energy"]))


def features(
    events: Events,
    fitted: Events,
    model: ArrayModel,
    *,
    n_stations: int = 37,
    stations: ArrayLike | None = None,
    workers: int | None = None,
) -> Events:
    """Describe the stations near a shower, and the shower, by numbers of order one in the frame of the fit.

    Parameters
    ----------
    events : dict of numpy.ndarray
        As `surface.simulate` returns them; the truth is not looked at.
    fitted : dict of numpy.ndarray
        As `array_fit.reconstruct` returns it for the events.
    model : ArrayModel
        Parameters of the array.
    n_stations : int
        How many stations to describe: those nearest to the fitted axis, whether they triggered or not. 37 is a station
        with three rings around it.
    stations : array_like, optional
        (K,) indices of the stations to describe, in this order, the same ones for all showers; in place of the nearest.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `stations` (n, n_stations or K, 13) and `shower` (n, 6), float32, in the order of `STATION_FEATURES` and
        `SHOWER_FEATURES`: whether the station triggered; time and signal minus those of the fit, in units of the error
        expected (0 where it did not trigger); half the decimal logarithms of signal and expected signal [VEM]; place
        along and across and distance to the axis, in the shower plane [spacings]; exp(-distance/400 m); the remainder
        of the signal times the unit vector from the axis to the station, that of the time times the station's place.
        Of the shower: cosine of the zenith angle, log10(E/eV) - 19.25, decimal logarithms of the error of the
        direction [degrees] and of the core [10 m], a tenth of the number of triggered stations. All 0 where a fit
        failed.

    Raises
    ------
    ValueError
        If the events are none of this model, or there are no such stations.
    """
    recorded = array_events.read(events, model)
    if chunks.check_size(n_stations, "n_stations", minimum=1) > model.n_stations:
        raise ValueError(f"`n_stations` should be at most {model.n_stations}. Received: {n_stations}")
    names = ("axis", "core", "log10_energy", "shower_energy", "angular_error", "core_covariance")
    if missing := [name for name in names if name not in fitted]:
        raise ValueError(f"`fitted` should be what `array_fit.reconstruct` returns. Received: no {', '.join(missing)}")
    chosen = None if stations is None else _checks.indices(stations, "stations", model.n_stations)
    good = usable(fitted)

    def work(some: slice) -> Events:
        here = np.flatnonzero(good[some]) + some.start
        part = _describe(
            array_events.select(recorded, here),
            {name: fitted[name][here] for name in names},
            model,
            int(n_stations) if chosen is None else chosen,
        )
        result = {}
        for name, values in part.items():
            result[name] = np.zeros((some.stop - some.start, *values.shape[1:]), np.float32)
            result[name][here - some.start] = values
        return result

    return chunks.in_parts(work, len(good), workers)


def _describe(stations: Stations, fitted: Events, model: ArrayModel, which: int | NDArray[np.intp]) -> Events:
    """Return the features of some stations: the nearest `which`, or those with the indices `which`."""
    axis, core = fitted["axis"], fitted["core"]
    frame = shower_frame(axis)
    offset = model.stations.positions - core[:, None, :]  # (n, S, 2)
    along = np.einsum("nsi,ni->ns", offset, frame.along) * axis[:, 2:]
    across = np.einsum("nsi,ni->ns", offset, frame.across)
    distance = np.hypot(along, across)
    nothing = np.zeros(len(axis))
    expected = array_lateral.expected_signals(
        core, fitted["shower_energy"], array_lateral.Given(axis, nothing, nothing), model
    )
    error = np.sqrt(expected.variance + (array_lateral.SHAPE_ERROR * expected.mean) ** 2)
    signal = np.where(stations.triggered, (stations.signal - expected.mean) / error, 0.0)
    time, signal = (
        np.clip(some, -LARGEST_RESIDUAL, LARGEST_RESIDUAL) for some in (_time_residual(stations, fitted, model), signal)
    )
    places = np.stack([along, across]) / model.spacing  # (2, n, S)
    unit = np.stack([along, across]) / np.maximum(distance, 1.0)
    columns = [
        stations.triggered,
        time,
        signal,
        np.where(stations.triggered, np.log10(np.maximum(stations.signal, 1)) / 2, 0.0),
        np.log10(np.maximum(expected.mean, 0.01)) / 2,
        *places,
        distance / model.spacing,
        np.exp(-distance / _NEAR),
        *(signal * unit),
        *(time * places),
    ]
    chosen = np.argsort(distance, axis=1)[:, :which] if isinstance(which, int) else np.tile(which, (len(axis), 1))
    described = [np.take_along_axis(np.asarray(column, np.float32), chosen, axis=1) for column in columns]
    return {"stations": np.stack(described, axis=-1), "shower": _describe_shower(stations, fitted, frame)}


def _describe_shower(stations: Stations, fitted: Events, frame: Frame) -> NDArray[np.float32]:
    covariance = fitted["core_covariance"]
    errors = [np.sqrt(np.einsum("ni,nij,nj->n", side, covariance, side)) / 10 for side in (frame.along, frame.across)]
    return np.column_stack(
        [
            fitted["axis"][:, 2],
            fitted["log10_energy"] - 19.25,
            np.log10(np.clip(fitted["angular_error"], 0.01, 90)),
            *(np.log10(np.clip(error, 0.01, 1000)) for error in errors),
            stations.triggered.sum(axis=1) / 10,
        ]
    ).astype(np.float32)


def _time_residual(stations: Stations, fitted: Events, model: ArrayModel) -> Array:
    """Return times minus those of the front that fits best with the fitted axis and core, in units of their errors."""
    error, front = array_front.expected_times(stations, fitted["axis"], fitted["core"], fitted["shower_energy"], model)
    weight = np.where(stations.triggered, 1 / error**2, 0.0)
    late = stations.time - front
    start = (weight * late).sum(axis=1) / weight.sum(axis=1)
    return np.where(stations.triggered, (late - start[:, None]) / error, 0.0)


def _dot(first: Array, second: Array) -> Array:
    return np.asarray(np.einsum("ni,ni->n", first, second))
