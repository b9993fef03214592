"""What a classical reconstruction and the limits read of the events of an array, checked."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, array_signal
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel, check_model

Columns = TypeVar("Columns", bound=tuple[Any, ...])
"""A named tuple of arrays, one entry an event."""


class Stations(NamedTuple):
    """What the stations recorded, (n, S) each.

    Attributes
    ----------
    signal : numpy.ndarray
        Without pedestals [VEM]; 0 where the station did not trigger.
    time : numpy.ndarray
        [ns]; 0 where the station did not trigger.
    triggered, saturated, working : numpy.ndarray
        Of type bool.
    """

    signal: Array
    time: Array
    triggered: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    working: NDArray[np.bool_]


def read(events: Events, model: ArrayModel) -> Stations:
    """Return what the stations recorded; the truth is not looked at.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `signal` and `time` (n, S) as `surface.simulate` returns them; `saturated` and `working` if there are.
    model : ArrayModel
        Gives the stations and their pedestals.

    Returns
    -------
    Stations
        In double precision.

    Raises
    ------
    ValueError
        If an array is missing or has another shape, a station has a signal but no time, or one of them is infinite.
    """
    check_model(model)
    if not {"signal", "time"} <= set(events):
        raise ValueError(f"`events` should hold `signal` and `time`. Received: {list(events)}")
    signal, time = _checks.real(events["signal"], "signal"), _checks.real(events["time"], "time")
    if signal.ndim != 2 or signal.shape[1] != model.n_stations:
        raise ValueError(f"`signal` should have the shape (n, {model.n_stations}). Received: {signal.shape}")
    flags = {
        "saturated": np.asarray(events.get("saturated", np.zeros(signal.shape, bool))),
        "working": np.asarray(events.get("working", np.ones(signal.shape, bool))),
    }
    for name, values in (("time", time), *flags.items()):
        if values.shape != signal.shape:
            raise ValueError(f"`{name}` should have the shape of `signal`, {signal.shape}. Received: {values.shape}")
    if np.any(np.isinf(signal) | np.isinf(time)) or np.any(np.isnan(signal) != np.isnan(time)):
        raise ValueError("`signal` and `time` should be finite, or NaN in the same stations. Received: something else")
    triggered = ~np.isnan(signal)
    return Stations(
        np.where(triggered, signal - array_signal.pedestals(model), 0.0),
        np.where(triggered, time, 0.0),
        triggered,
        flags["saturated"].astype(bool) & triggered,
        flags["working"].astype(bool),
    )


def select(columns: Columns, index: Any) -> Columns:
    """Return a named tuple of arrays with some of their entries; `index` is what an array takes in brackets."""
    make: Any = type(columns)
    selected: Columns = make(*(values[index] for values in columns))
    return selected


def vectors(values: ArrayLike, name: str, n_events: int, length: int) -> Array:
    """Return vectors (n, length) that may be NaN; raise `ValueError` for another shape."""
    array = _checks.real(values, name)
    if array.shape != (n_events, length):
        raise ValueError(f"`{name}` should have the shape ({n_events}, {length}). Received: {array.shape}")
    return array
