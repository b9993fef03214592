"""The classical reconstruction of an array's events: direction, core and energy one after the other.

`array_front` fits the direction to the arrival times, `array_lateral` core and size to the signals. A shower of the
same energy gives a smaller size the more air it has crossed. So size becomes energy by way of a curve of attenuation, a
polynomial of third degree in cos²θ around 38°, as in the constant-intensity cut of the Pierre Auger Observatory. Its
coefficients come from simulated training showers (`calibrate_energy`).

Source: A. Aab et al. (Pierre Auger Collaboration), Phys. Rev. D 102 (2020) 062005, doi:10.1103/PhysRevD.102.062005.
There the polynomial multiplies the size, and showers that a telescope has seen as well calibrate the energy; that it is
added to log10(E), the square of log(size) and its product with cos²θ are our choice. Without the product, which is
there because Xmax goes with the energy, the energies of the classic preset are 3 % worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from showertools import _checks, array_front, array_lateral
from showertools.chunks import Events
from showertools.surface_expectation import Array
from showertools.surface_model import ArrayModel, check_model

REFERENCE_COSINE = float(np.cos(np.radians(38.0)))
"""Of the zenith angle at which the attenuation is 1."""
REFERENCE_SIZE = 100.0
"""VEM; the energy is a polynomial in the logarithm of the size over this. Our choice."""
_DEGREE_OF_SIZE = 2
_DEGREE_OF_ATTENUATION = 3
_OUTLIER = 3.0  # standard deviations beyond which a shower does not take part in the calibration
_STEP = 1e-4


@dataclass(frozen=True)
class EnergyCalibration:
    """How energy follows from size and zenith angle; made by `calibrate_energy`.

    Attributes
    ----------
    size : tuple of float
        Coefficients of 1, s, s² with s = log10(size/`REFERENCE_SIZE`); the first is log10(E/eV) of a shower of that
        size at 38°.
    attenuation : tuple of float
        Coefficients of x, x², x³ with x = cos²38° − cos²θ, which are added.
    product : float
        Coefficient of s·x.
    """

    size: tuple[float, ...]
    attenuation: tuple[float, ...]
    product: float = 0.0

    def log10_energy(self, size: ArrayLike, cosine: ArrayLike) -> Array:
        """Return log10(E/eV) for sizes [VEM] and cosines of the zenith angle, of any shape; NaN where one is."""
        return np.asarray(_terms(size, cosine) @ np.array([*self.size, *self.attenuation, self.product]))


def calibrate_energy(size: ArrayLike, cosine: ArrayLike, log10_energy: ArrayLike) -> EnergyCalibration:
    """Fit how energy follows from size and zenith angle.

    Parameters
    ----------
    size : array_like
        (n,) [VEM] as `array_lateral.fit_lateral` returns it, of training showers; NaN where there is none.
    cosine : array_like
        (n,) of the zenith angle as reconstructed.
    log10_energy : array_like
        (n,) true log10(E/eV).

    Returns
    -------
    EnergyCalibration
        From least squares of log10(E), repeated without showers that are more than three standard deviations off.

    Raises
    ------
    ValueError
        If shapes differ, or fewer than 20 showers are left.
    """
    size, cosine = _checks.real(size, "size"), _checks.real(cosine, "cosine")
    truth = _checks.finite(log10_energy, "log10_energy")
    if not size.shape == cosine.shape == truth.shape or size.ndim != 1:
        raise ValueError(
            f"`size`, `cosine` and `log10_energy` should have the shape (n,). "
            f"Received: {size.shape}, {cosine.shape} and {truth.shape}"
        )
    terms = _terms(size, cosine)
    good = np.isfinite(terms).all(axis=1)
    coefficients: Array = np.zeros(terms.shape[1])
    for _ in range(5):
        if np.count_nonzero(good) < 20:
            raise ValueError(f"`size` should hold at least 20 showers. Received: {np.count_nonzero(good)}")
        coefficients = np.linalg.lstsq(terms[good], truth[good], rcond=None)[0]
        rest = truth - terms @ coefficients
        good = np.abs(rest) < _OUTLIER * max(float(np.std(rest[good])), 1e-9)  # False where NaN
    values = tuple(float(value) for value in coefficients)
    return EnergyCalibration(values[: _DEGREE_OF_SIZE + 1], values[_DEGREE_OF_SIZE + 1 : -1], values[-1])


def _terms(size: ArrayLike, cosine: ArrayLike) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        log_size = np.log10(np.asarray(size, np.float64) / REFERENCE_SIZE)[..., None]
    inclined = (REFERENCE_COSINE**2 - np.asarray(cosine, np.float64) ** 2)[..., None]
    powers = np.arange(_DEGREE_OF_SIZE + 1), np.arange(1, _DEGREE_OF_ATTENUATION + 1)
    return np.concatenate([log_size ** powers[0], inclined ** powers[1], log_size * inclined], axis=-1)


def fit_geometry(events: Events, model: ArrayModel, *, workers: int | None = None) -> Events:
    """Fit direction, core and size of each shower; all of the reconstruction that needs no calibration.

    Parameters
    ----------
    events : dict of numpy.ndarray
        As `surface.simulate` returns them; the truth is not looked at.
    model : ArrayModel
        Parameters of the array. Where its front is bent, direction and core are fitted twice.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        What `array_front.fit_front` and `array_lateral.fit_lateral` return. The axes' covariance, and the errors that
        follow from it, allow for the error of the core that the bent front is centred on.

    Raises
    ------
    ValueError
        If the events are none of this model.
    """
    check_model(model)
    front = array_front.fit_front(events, model, workers=workers)
    lateral = _lateral(events, front, model, workers)
    if model.front != "plane":
        front = _bent_front(events, lateral, model, workers)
        lateral = _lateral(events, front, model, workers)
    return {**front, **lateral}


def reconstruct(
    events: Events, model: ArrayModel, calibration: EnergyCalibration, *, workers: int | None = None
) -> Events:
    """Reconstruct direction, core and energy of each shower.

    Parameters
    ----------
    events : dict of numpy.ndarray
        As `surface.simulate` returns them; the truth is not looked at.
    model : ArrayModel
        Parameters of the array.
    calibration : EnergyCalibration
        As `calibrate_energy` returns it for `fit_geometry` of training showers of the same model.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        `log10_energy` (n,) and `log10_energy_error` (n,), `core_covariance` (n, 2, 2) [m²], and all that `fit_geometry`
        returns, such as `axis` (n, 3) and `core` (n, 2) [m]. NaN where a step failed.

    Raises
    ------
    ValueError
        If the events are none of this model.

    Examples
    --------
    >>> from showertools import surface
    >>> model = ArrayModel.classic()
    >>> training, test = (surface.simulate(500, seed=seed, model=model, traces=False) for seed in (1, 2))
    >>> fitted = fit_geometry(training, model)
    >>> calibration = calibrate_energy(fitted["size"], fitted["axis"][:, 2], training["log10_energy"])
    >>> found = reconstruct(test, model, calibration)
    >>> bool(np.nanstd(found["log10_energy"] - test["log10_energy"]) < 0.05)
    True
    """
    return add_energy(fit_geometry(events, model, workers=workers), model, calibration)


def add_energy(found: Events, model: ArrayModel, calibration: EnergyCalibration) -> Events:
    """Return what `reconstruct` does, for showers whose geometry is fitted already.

    Parameters
    ----------
    found : dict of numpy.ndarray
        As `fit_geometry` returns it.
    model : ArrayModel
        Parameters of the array.
    calibration : EnergyCalibration
        As `calibrate_energy` returns it.

    Returns
    -------
    dict of numpy.ndarray
        As `reconstruct` returns it.

    Raises
    ------
    ValueError
        If `found` is something else.
    """
    check_model(model)
    if missing := [name for name in ("axis", "size", "shower_energy", "covariance") if name not in found]:
        raise ValueError(f"`found` should be what `fit_geometry` returns. Received: no {', '.join(missing)}")
    return {
        "log10_energy": calibration.log10_energy(found["size"], found["axis"][:, 2]),
        "log10_energy_error": _energy_error(found, model, calibration),
        "core_covariance": found["covariance"][:, :2, :2],
        **found,
    }


def _lateral(events: Events, front: Events, model: ArrayModel, workers: int | None) -> Events:
    return array_lateral.fit_lateral(
        events, front["axis"], model, axis_covariance=front["axis_covariance"], workers=workers
    )


def _bent_front(events: Events, lateral: Events, model: ArrayModel, workers: int | None) -> Events:
    """Fit the front around a core; its error, which moves the point that the front comes from, moves the axis."""
    fits = [
        array_front.fit_front(
            events, model, core=lateral["core"] + step, log10_energy=lateral["shower_energy"], workers=workers
        )
        for step in ([0.0, 0.0], [1.0, 0.0], [0.0, 1.0])
    ]
    front = fits[0]
    slopes = np.stack([(fit["axis"] - front["axis"])[:, :2] for fit in fits[1:]], axis=2)  # (n, 2, 2) [1/m]
    core_covariance = lateral["covariance"][:, :2, :2]
    front["axis_covariance"] = front["axis_covariance"] + slopes @ core_covariance @ slopes.transpose(0, 2, 1)
    front["angular_error"] = array_front.angular_error(front["axis"], front["axis_covariance"])
    return front


def _energy_error(found: Events, model: ArrayModel, calibration: EnergyCalibration) -> Array:
    """Return the error of log10(E), (n,), from the covariance of the shower's energy and its axis."""
    good = np.isfinite(found["size"])
    energy, axis = found["shower_energy"][good], found["axis"][good]

    def estimate(energy: Array, cosine: Array) -> Array:
        return calibration.log10_energy(array_lateral.signal_at_1000_m(energy, cosine, model), cosine)

    by_energy = (estimate(energy + _STEP, axis[:, 2]) - estimate(energy - _STEP, axis[:, 2])) / (2 * _STEP)
    by_cosine = (estimate(energy, axis[:, 2] + _STEP) - estimate(energy, axis[:, 2] - _STEP)) / (2 * _STEP)
    gradient = np.column_stack([by_energy, -by_cosine[:, None] * axis[:, :2] / axis[:, 2:]])
    error = np.full(len(good), np.nan)
    error[good] = np.sqrt(np.einsum("ni,nij,nj->n", gradient, found["covariance"][good][:, 2:, 2:], gradient))
    return error
