"""Figures of events as an array of surface detectors sees them."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from showertools import _checks
from showertools.surface_model import ArrayModel, check_model

__all__ = ["event"]

_ARROW = 3.0  # spacings that an arrow is long for a horizontal axis


def event(
    signal: ArrayLike,
    time: ArrayLike,
    model: ArrayModel,
    *,
    core: ArrayLike | None = None,
    axis: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the stations of an array recorded of one shower.

    Stations that triggered are discs, larger for larger signals (their area goes with the logarithm), in the colour of
    their time. All others are small rings.

    Parameters
    ----------
    signal, time : array_like
        (S,) [VEM] and [ns], NaN where a station did not trigger.
    model : ArrayModel
        Gives the stations' positions.
    core : array_like, optional
        (2,) [m], marked by a cross.
    axis : array_like, optional
        (3,) unit vector towards where the shower came from: its shadow on the ground is an arrow that ends in the core,
        longer for more inclined showers. Needs `core`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        With a colour bar beside it.

    Raises
    ------
    ValueError
        If shapes do not fit, or `axis` is given without `core`.

    Examples
    --------
    >>> events = surface.simulate(1, seed=1, model=model)  # doctest: +SKIP
    >>> event(events["signal"][0], events["time"][0], model, core=events["core"][0])  # doctest: +SKIP
    """
    check_model(model)
    signal, time = _checks.real(signal, "signal"), _checks.real(time, "time")
    for name, values in (("signal", signal), ("time", time)):
        if values.shape != (model.n_stations,):
            raise ValueError(f"`{name}` should have the shape ({model.n_stations},). Received: {values.shape}")
    if axis is not None and core is None:
        raise ValueError("`core` should be given where `axis` is. Received: None")
    if ax is None:
        _, ax = plt.subplots(figsize=(5.2, 4.4), layout="constrained")
    x, y = model.stations.positions.T / 1000
    silent = np.isnan(signal) | np.isnan(time)
    ax.scatter(x[silent], y[silent], s=12, facecolors="none", edgecolors="0.6", linewidths=0.8)
    size = 12 * (1 + 2 * np.log10(1 + np.maximum(signal[~silent], 0)))
    discs = ax.scatter(x[~silent], y[~silent], s=size, c=time[~silent] / 1000, cmap="viridis")
    plt.colorbar(discs, ax=ax, label="time [µs]")
    if core is not None:
        core = _checks.finite(core, "core")
        if axis is not None:
            start = core + _ARROW * model.spacing * _checks.finite(axis, "axis")[:2]
            arrow = {"arrowstyle": "->", "color": "#d55e00", "linewidth": 1.5}
            ax.annotate("", xy=tuple(core / 1000), xytext=tuple(start / 1000), arrowprops=arrow)
        ax.plot(*core / 1000, "x", color="#d55e00")
    ax.set(xlabel="x [km]", ylabel="y [km]", aspect="equal")
    return ax
