"""How well direction, core, energy and Xmax can be measured with an array at all: Cramér–Rao bounds.

What the stations say is in `array_information`. What is known beforehand is added (van Trees): direction, core, start
and energy lie in the ranges of the model, Xmax and the number of muons have the distributions of the model, all taken
as normal ones of the same covariance. As they are not normal, an estimator that knows their shapes can be somewhat
better than the bound; and where the likelihood is far from normal as well, such as for vertical showers that end near
the ground, none need reach it.

Source: H. L. van Trees, *Detection, Estimation, and Modulation Theory*, part I (1968), section 2.4.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from showertools import _checks, array_front, array_information, limits, mean_shower
from showertools.array_information import PARAMETERS
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel

_INDEX = {name: number for number, name in enumerate(PARAMETERS)}


def prior_covariance(events: Events, model: ArrayModel) -> Array:
    """Return what is known of each shower beforehand.

    Parameters
    ----------
    events : dict of numpy.ndarray
        The truth, as for `array_information.fisher_information`.
    model : ArrayModel
        With which the showers were simulated.

    Returns
    -------
    numpy.ndarray
        Covariance of `array_information.PARAMETERS`, (n, 8, 8). A parameter without spread has zeros.

    Raises
    ------
    ValueError
        If an array is missing or has another shape.
    """
    showers = array_information.read(events, model)
    cosine, step = showers.axis[:, 2], 0.05
    known = mean_shower.moments(showers.log10_energy, cosine, model)
    low, high = (mean_shower.moments(showers.log10_energy + change, cosine, model).xmax for change in (-step, step))
    rate = (high - low) / (2 * step)  # of the mean Xmax, per decade
    covariance = np.zeros((len(cosine), len(PARAMETERS), len(PARAMETERS)))
    energy = np.ptp(model.log10_energy) ** 2 / 12
    for names, variance in (
        (("axis_x", "axis_y"), np.sin(np.radians(model.max_zenith)) ** 2 / 4),
        (("core_x", "core_y"), model.core_radius**2 / 4),
        (("log10_energy",), energy),
        (("start",), model.start_spread**2 / 3),
    ):
        for name in names:
            covariance[:, _INDEX[name], _INDEX[name]] = variance
    pair = [_INDEX["xmax"], _INDEX["log_muons"]]
    covariance[:, np.array(pair)[:, None], pair] = known.covariance
    covariance[:, pair[0], pair[0]] += rate**2 * energy
    covariance[:, pair[0], _INDEX["log10_energy"]] = covariance[:, _INDEX["log10_energy"], pair[0]] = rate * energy
    return covariance


def bounds(
    events: Events, model: ArrayModel, *, observables: Collection[str] = ("trace", "time"), workers: int | None = None
) -> Events:
    """Return the smallest errors with which the parameters of each shower can be estimated.

    Parameters
    ----------
    events, model, observables, workers
        As for `array_information.fisher_information`.

    Returns
    -------
    dict of numpy.ndarray
        `covariance` (n, 8, 8) of `array_information.PARAMETERS`; its parts `axis_covariance` and `core_covariance`
        (n, 2, 2) [m²]; `angular_error` (n,) [degrees], the radius of 68 %; `log10_energy_error`, `xmax_error` [g/cm²]
        and `start_error` [ns], (n,). Each with all other parameters unknown but for what the prior says.

    Raises
    ------
    ValueError
        As `array_information.fisher_information`.
    """
    fisher = array_information.fisher_information(events, model, observables=observables, workers=workers)
    prior = prior_covariance(events, model)
    scale = np.sqrt(np.einsum("nii->ni", prior))  # in these units numbers are of similar size; what is known has 0
    unit = scale[:, :, None] * scale[:, None, :]
    correlation = np.divide(prior, unit, out=np.zeros_like(prior), where=unit > 0)
    np.einsum("nii->ni", correlation)[:] = 1
    covariance = limits.cramer_rao(fisher * unit + np.linalg.inv(correlation)) * unit
    error = np.sqrt(np.einsum("nii->ni", covariance))
    axis = np.asarray(events["axis"], np.float64)
    return {
        "covariance": covariance,
        "axis_covariance": covariance[:, :2, :2],
        "core_covariance": covariance[:, 2:4, 2:4],
        "angular_error": array_front.angular_error(axis, covariance[:, :2, :2]),
        "log10_energy_error": error[:, _INDEX["log10_energy"]],
        "xmax_error": error[:, _INDEX["xmax"]],
        "start_error": error[:, _INDEX["start"]],
    }


def containment_radius(covariance: ArrayLike, *, quantile: float = 0.68) -> float:
    """Return the radius around the truth in which a share of estimates of several events lies.

    Parameters
    ----------
    covariance : array_like
        Of two coordinates, positive definite, (n, 2, 2); each event has its own normal distribution.
    quantile : float
        The share, between 0 and 1.

    Returns
    -------
    float
        In the unit of the coordinates; NaN for no events.

    Raises
    ------
    ValueError
        If the shape is another, a covariance is not positive definite, or `quantile` is no share.
    """
    covariance = _checks.finite(covariance, "covariance")
    if covariance.ndim != 3 or covariance.shape[1:] != (2, 2):
        raise ValueError(f"`covariance` should have the shape (n, 2, 2). Received: {covariance.shape}")
    if not 0 < quantile < 1:
        raise ValueError(f"`quantile` should be between 0 and 1. Received: {quantile!r}")
    if not len(covariance):
        return np.nan
    variance = _checks.positive(np.linalg.eigvalsh(covariance), "covariance")  # (n, 2), its eigenvalues
    angle = (np.arange(64) + 0.5) * np.pi / 128
    along = 1 / (np.cos(angle) ** 2 / variance[:, :1] + np.sin(angle) ** 2 / variance[:, 1:])  # (n, angles)
    weight = along / along.sum(axis=1, keepdims=True)

    def outside(radius: float) -> float:
        return float(np.mean((weight * np.exp(-0.5 * radius**2 / along)).sum(axis=1)) - (1 - quantile))

    largest = float(np.sqrt(variance.max() * -2 * np.log(1 - quantile)))
    return float(optimize.brentq(outside, 0.0, largest * 1.001))
