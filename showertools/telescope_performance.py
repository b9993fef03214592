"""How well a telescope's events are reconstructed: particle, direction and energy, in one row of a table.

Whatever makes the estimates, forests or networks, they are a dict with the names of `ESTIMATES`, and `performance`
says the same things of them: how well gamma rays are told from protons, and in bands of the true energy within which
angle 68 % of the gamma rays are found, and how far their energies are off. Compare rows of the same events only.

Directions are longitude and latitude in the telescope frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from showertools import _checks, metrics, telescope_frame
from showertools.cherenkov_model import PARTICLES

__all__ = [
    "BANDS",
    "ESTIMATES",
    "REQUIREMENT",
    "angular_distance",
    "angular_resolution",
    "energy_bias",
    "energy_resolution",
    "in_bins",
    "performance",
    "precision_and_recall",
    "protons_kept",
    "roc_auc",
    "table",
]

Float = NDArray[np.float64]
Row = dict[str, Float]

ESTIMATES = {"gammaness": "", "reco_energy": "TeV", "reco_fov_lon": "deg", "reco_fov_lat": "deg"}
"""What a reconstruction says of each event, with its unit; gammaness is high for gamma rays."""
BANDS = (0.02, 0.2, 1.0, 20.0)
"""Edges of the bands of true energy [TeV]. Our choice."""
GAMMAS_KEPT = 0.8
"""Share of the gamma rays that `protons_kept` keeps. Our choice."""

REQUIREMENT: dict[str, Float] = {
    "energy": np.array([0.02, 0.0316, 0.0501, 0.0794, 0.126, 0.2, 0.316, 0.501, 0.794, 1.26, 2.0, 2.95]),
    "angular_resolution": np.array(
        [0.4945, 0.2845, 0.1917, 0.1445, 0.1167, 0.0994, 0.0902, 0.0837, 0.0778, 0.0725, 0.0679, 0.0645]
    ),
    "energy_resolution": np.array([0.4294, 0.3505, 0.2875, 0.2371, 0.1968, 0.1643, 0.15, 0.15, 0.15, 0.15, 0.15, 0.15]),
}
"""What CTA asks of its subarray of LSTs, 50 h of observation: at each energy [TeV] the radius that holds 68 % of the
gamma rays [degrees] and the relative error of the energy that 68 % do not exceed. It is a requirement for several
telescopes that see a shower together. As the package ctaplot has it, doi:10.5281/zenodo.5833854."""


def angular_distance(
    longitude: ArrayLike, latitude: ArrayLike, other_longitude: ArrayLike, other_latitude: ArrayLike
) -> Float:
    """Return the angles (n,) between directions in the telescope frame, all [degrees] and (n,)."""
    first, second = (
        telescope_frame.unit_vector(latitude_, longitude_)
        for longitude_, latitude_ in ((longitude, latitude), (other_longitude, other_latitude))
    )
    return metrics.angular_distance(first, second)


def angular_resolution(distance: ArrayLike) -> float:
    """Return the angle that 68 % of the angular distances (n,) do not exceed; NaN for none."""
    return _containment(_checks.finite(distance, "distance"))


def energy_bias(true_energy: ArrayLike, reco_energy: ArrayLike) -> float:
    """Return the median of E'/E − 1 for true energies E and estimates E', (n,) in the same unit; NaN for none."""
    error = _relative_error(true_energy, reco_energy)
    return float(np.median(error)) if error.size else np.nan


def energy_resolution(true_energy: ArrayLike, reco_energy: ArrayLike) -> float:
    """Return what 68 % of |E'/E − 1| do not exceed: a bias counts, too. Both (n,) in the same unit; NaN for none."""
    return _containment(np.abs(_relative_error(true_energy, reco_energy)))


def roc_auc(is_gamma: ArrayLike, gammaness: ArrayLike) -> float:
    """Return the area under the ROC curve.

    It is the probability that a random gamma ray has a higher gammaness than a random proton; ties count half.

    Parameters
    ----------
    is_gamma : array_like
        (n,) bool.
    gammaness : array_like
        (n,), finite.

    Returns
    -------
    float
        NaN if there are no gamma rays or no protons.

    Raises
    ------
    ValueError
        If the shapes differ, or a gammaness is not finite.

    References
    ----------
    J. A. Hanley, B. J. McNeil, Radiology 143 (1982) 29, doi:10.1148/radiology.143.1.7063747.
    """
    signal, score = _labelled(is_gamma, gammaness)
    n_gammas = np.count_nonzero(signal)
    n_protons = len(signal) - n_gammas
    if not (n_gammas and n_protons):
        return np.nan
    ranks = rankdata(score)
    return float((ranks[signal].sum() - n_gammas * (n_gammas + 1) / 2) / (n_gammas * n_protons))


def precision_and_recall(
    is_gamma: ArrayLike, gammaness: ArrayLike, cut: float, *, protons_per_gamma: float | None = None
) -> tuple[float, float]:
    """Return the share of gamma rays among the events above a cut, and the share of gamma rays above it.

    Parameters
    ----------
    is_gamma, gammaness
        As for `roc_auc`.
    cut : float
        Events of at least this gammaness are taken for gamma rays.
    protons_per_gamma : float, optional
        How many protons there are for each gamma ray before the cut; by default as in these events.

    Returns
    -------
    precision, recall : float
        The precision is NaN if no event is above the cut, the recall if there are no gamma rays.

    Raises
    ------
    ValueError
        As `roc_auc`, or if `protons_per_gamma` is negative.
    """
    signal, score = _labelled(is_gamma, gammaness)
    gammas, protons = (np.mean(score[which] >= cut) if which.any() else np.nan for which in (signal, ~signal))
    ratio = protons_per_gamma
    if ratio is None:
        ratio = np.count_nonzero(~signal) / np.count_nonzero(signal) if signal.any() else np.nan
    else:
        _checks.number(ratio, "protons_per_gamma", "non-negative")
    background = ratio * protons if ratio else 0.0
    taken = gammas + background
    return float(gammas / taken) if taken > 0 else np.nan, float(gammas)


def protons_kept(is_gamma: ArrayLike, gammaness: ArrayLike, *, gammas_kept: float = GAMMAS_KEPT) -> float:
    """Return the share of protons above the cut that keeps this share of the gamma rays; see `roc_auc`.

    Two reconstructions are compared fairly at the same share of gamma rays; at the same gammaness they are not, since
    each has a scale of its own.
    """
    signal, score = _labelled(is_gamma, gammaness)
    if not 0 < gammas_kept <= 1:
        raise ValueError(f"`gammas_kept` should be above 0 and at most 1. Received: {gammas_kept!r}")
    if not signal.any() or signal.all():
        return np.nan
    n_kept = int(np.ceil(gammas_kept * np.count_nonzero(signal) - 1e-9))
    cut = np.sort(score[signal])[-n_kept]
    return float(np.mean(score[~signal] >= cut))


def performance(
    events: Mapping[str, NDArray[Any]],
    estimates: Mapping[str, ArrayLike],
    *,
    cut: float = 0.5,
    n_resamples: int = 100,
) -> Row:
    """Return one row of the table: how well events are reconstructed.

    Parameters
    ----------
    events : mapping of str to numpy.ndarray
        `true_shower_primary_id`, `true_energy` [TeV], `true_fov_lon` and `true_fov_lat` [degrees], (n,), as of
        `telescope_events.simulate`. Give those that were kept, to every reconstruction the same ones.
    estimates : mapping of str to array_like
        `ESTIMATES`, (n,). Of protons only the gammaness counts.
    cut : float
        Gammaness of the cut to which `precision` and `recall` belong.
    n_resamples : int
        How often events are drawn for the intervals, see `metrics.bootstrap`.

    Returns
    -------
    dict of numpy.ndarray
        In the last axis the value, and the lower and upper limit of its 68 % interval. (3,): `auc`, `precision`,
        `recall`, and `protons_kept`, the share of protons above the cut that keeps `GAMMAS_KEPT` of the gamma rays.
        (bands, 3), in the bands `BANDS` of the true energy: `angular_resolution` [degrees], `energy_bias`,
        `energy_resolution`, and `auc_of_band`, of gamma rays of the band against all protons. A band without events
        has NaN.

    Raises
    ------
    ValueError
        If a shape is another, or an estimate that counts is not finite.
    """
    is_gamma = np.asarray(events["true_shower_primary_id"]) == PARTICLES["gamma"]
    arrays = {name: _checks.real(estimates[name], name) for name in ESTIMATES}
    for name, values in arrays.items():
        if values.shape != is_gamma.shape:
            raise ValueError(f"`{name}` should have the shape {is_gamma.shape}. Received: {values.shape}")
    gammaness = arrays["gammaness"]

    def interval(statistic: Any, *samples: ArrayLike) -> tuple[float, float, float]:
        return metrics.bootstrap(statistic, *samples, n_resamples=n_resamples)

    row: dict[str, Any] = {
        "auc": interval(roc_auc, is_gamma, gammaness),
        "precision": interval(lambda signal, score: precision_and_recall(signal, score, cut)[0], is_gamma, gammaness),
        "recall": interval(lambda signal, score: precision_and_recall(signal, score, cut)[1], is_gamma, gammaness),
        "protons_kept": interval(protons_kept, is_gamma, gammaness),
    }
    row |= {name: [] for name in ("angular_resolution", "energy_bias", "energy_resolution", "auc_of_band")}
    energy = _checks.real(events["true_energy"], "true_energy")
    for low, high in pairwise(BANDS):
        mine = is_gamma & (energy >= low) & (energy < high)
        distance = angular_distance(
            *(arrays[name][mine] for name in ("reco_fov_lon", "reco_fov_lat")),
            *(events[name][mine] for name in ("true_fov_lon", "true_fov_lat")),
        )
        pair = energy[mine], arrays["reco_energy"][mine]
        row["angular_resolution"].append(interval(angular_resolution, distance))
        row["energy_bias"].append(interval(energy_bias, *pair))
        row["energy_resolution"].append(interval(energy_resolution, *pair))
        some = mine | ~is_gamma
        row["auc_of_band"].append(interval(roc_auc, is_gamma[some], gammaness[some]))
    return {name: np.array(values, float) for name, values in row.items()}


def in_bins(
    events: Mapping[str, NDArray[Any]],
    estimates: Mapping[str, ArrayLike],
    edges: ArrayLike,
    *,
    n_resamples: int = 100,
) -> dict[str, dict[str, NDArray[Any]]]:
    """Return how well gamma rays are reconstructed in bins of the true energy, for a figure.

    Parameters
    ----------
    events, estimates
        As for `performance`; gammaness is not needed.
    edges : array_like
        Increasing edges of the bins [TeV], (bins + 1,).
    n_resamples : int
        As for `metrics.bootstrap`.

    Returns
    -------
    dict
        `angular_resolution` [degrees], `energy_bias` and `energy_resolution`, each as `metrics.binned` returns it.

    Raises
    ------
    ValueError
        If a shape is another, or an estimate of a gamma ray is not finite.
    """
    is_gamma = np.asarray(events["true_shower_primary_id"]) == PARTICLES["gamma"]
    energy, longitude, latitude = (
        _checks.finite(events[name], name)[is_gamma] for name in ("true_energy", "true_fov_lon", "true_fov_lat")
    )
    reco_energy, reco_longitude, reco_latitude = (
        _checks.real(estimates[name], name)[is_gamma] for name in ("reco_energy", "reco_fov_lon", "reco_fov_lat")
    )
    distance = angular_distance(reco_longitude, reco_latitude, longitude, latitude)
    measures: dict[str, tuple[Any, Float, Float]] = {
        "angular_resolution": (lambda _, found: angular_resolution(found), 0 * distance, distance),
        "energy_bias": (energy_bias, energy, reco_energy),
        "energy_resolution": (energy_resolution, energy, reco_energy),
    }
    return {
        name: metrics.binned(true, found, energy, edges, metric=metric, n_resamples=n_resamples)
        for name, (metric, true, found) in measures.items()
    }


def table(rows: Mapping[str, Row]) -> str:
    """Return rows of `performance`, by the name of the reconstruction, as lines of text without intervals.

    Columns are the AUC, precision and recall at the cut, the share of protons that stay with `GAMMAS_KEPT` of the gamma
    rays, and in each of the `BANDS` angular resolution [degrees] and energy resolution.
    """
    bands = [f"{low:g}–{high:g}" for low, high in pairwise(BANDS)]
    width = max([len(name) for name in rows] + [1])
    by_band = 9 * len(bands)
    head = f"{'angular resolution [°]':>{by_band}s}{'energy resolution':>{by_band}s}"
    lines = [
        f"{'':{width}s}    AUC  prec.  recall  protons  {head}",
        f"{'E [TeV]':{width}s}{'':33s}" + "".join(f"{band:>9s}" for band in 2 * bands),
    ]
    for name, row in rows.items():
        shares = (
            f"{row['auc'][0]:7.4f} {row['precision'][0]:6.3f} {row['recall'][0]:7.3f} {row['protons_kept'][0]:8.3f}"
        )
        resolutions = (*row["angular_resolution"][:, 0], *row["energy_resolution"][:, 0])
        lines.append(f"{name:{width}s}{shares}  " + "".join(f"{value:9.3f}" for value in resolutions))
    return "\n".join(lines)


def _containment(values: Float) -> float:
    return float(np.quantile(values, 0.68)) if values.size else np.nan


def _relative_error(true_energy: ArrayLike, reco_energy: ArrayLike) -> Float:
    true, estimate = _checks.positive(true_energy, "true_energy"), _checks.finite(reco_energy, "reco_energy")
    if true.ndim != 1 or true.shape != estimate.shape:
        raise ValueError(f"`reco_energy` should have the shape {true.shape}, (n,). Received: {estimate.shape}")
    return estimate / true - 1


def _labelled(is_gamma: ArrayLike, gammaness: ArrayLike) -> tuple[NDArray[np.bool_], Float]:
    signal, score = np.asarray(is_gamma), _checks.finite(gammaness, "gammaness")
    if signal.dtype != bool or signal.ndim != 1:
        raise ValueError(f"`is_gamma` should be bool (n,). Received: {signal.dtype} {signal.shape}")
    if score.shape != signal.shape:
        raise ValueError(f"`gammaness` should have the shape {signal.shape}. Received: {score.shape}")
    return signal, score
