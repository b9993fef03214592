"""Events of an array as pictures: maps of signal and time, which convolutions read.

A station that did not trigger has no time. Published exercises give it the mean time of all, so that a network cannot
tell it from a station in the middle of the front. Here it has a channel of its own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import array_events
from showertools.chunks import Events
from showertools.surface_model import ArrayModel


class Scale(NamedTuple):
    """Units of maps, from training showers.

    Attributes
    ----------
    log_signal : float
        Root mean square of log10(1 + signal/VEM) of stations that triggered.
    mean_time, time : float
        Mean and standard deviation of the times of stations that triggered [ns].
    """

    log_signal: float
    mean_time: float
    time: float


def scale(events: Events, model: ArrayModel) -> Scale:
    """Return the units of maps; take them from training showers only.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `signal` and `time` as `surface.simulate` returns them.
    model : ArrayModel
        Parameters of the array.

    Raises
    ------
    ValueError
        If the events are none of this model, or fewer than two stations triggered.
    """
    stations = array_events.read(events, model)
    if np.count_nonzero(stations.triggered) < 2:
        raise ValueError("`events` should hold at least two stations that triggered. Received: fewer")
    times = stations.time[stations.triggered]
    logs = np.log10(1 + np.maximum(stations.signal[stations.triggered], 0))
    return Scale(float(np.sqrt(np.mean(logs**2))), float(times.mean()), float(times.std()))


def maps(events: Events, model: ArrayModel, units: Scale, *, mark_silent: bool = True) -> NDArray[np.float32]:
    """Return maps of signal and time, and of the stations that triggered.

    Parameters
    ----------
    events : dict of numpy.ndarray
        `signal` and `time` as `surface.simulate` returns them.
    model : ArrayModel
        Parameters of the array.
    units : Scale
        As `scale` returns it for training showers.
    mark_silent : bool
        Whether to add the third channel; without it, silent stations look as if they had the mean time.

    Returns
    -------
    numpy.ndarray
        (n, H, W, 3) or (n, H, W, 2), in the layout's own indexing: log10(1 + signal/VEM), time minus the mean time,
        both in the given units and 0 where there is none, and 1 where a station triggered, else 0.

    Raises
    ------
    ValueError
        If the events are none of this model.
    """
    stations = array_events.read(events, model)
    nothing = np.where(stations.triggered, 0.0, np.nan)
    values = channels(stations.signal + nothing, stations.time + nothing, units)
    return model.stations.to_array(values[..., : 3 if mark_silent else 2], axis=1)


def channels(signal: ArrayLike, time: ArrayLike, units: Scale) -> NDArray[np.float32]:
    """Return what `maps` writes into each station.

    Parameters
    ----------
    signal, time : array_like
        (n, S) without pedestals [VEM], and [ns]; NaN where a station did not trigger.
    units : Scale
        From training showers.

    Returns
    -------
    numpy.ndarray
        (n, S, 3).
    """
    signal, time = np.asarray(signal), np.asarray(time)
    silent = np.isnan(signal)
    logs = np.log10(1 + np.maximum(np.where(silent, 0, signal), 0)) / units.log_signal
    times = np.where(silent, 0, (time - units.mean_time) / units.time)
    return np.stack([logs, times, ~silent], axis=-1).astype(np.float32)
