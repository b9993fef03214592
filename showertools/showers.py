"""What all detectors share: the depth of the shower maximum of a primary, and the profile of a shower in depth.

Xmax fluctuates from shower to shower. The generalised Gumbel distribution describes what full simulations give,

    Xmax = μ − σ·ln g,    g ~ Gamma(shape λ, scale 1/λ),

with μ, σ and λ as polynomials in log10(E/10^19 eV) and ln A for each model of hadronic interactions.

Source: M. De Domenico et al., JCAP 07 (2013) 050, doi:10.1088/1475-7516/2013/07/050; for nuclei of
10^17 to 10^21 eV.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from showertools import _checks

MASS_NUMBERS = {"p": 1, "He": 4, "N": 14, "Fe": 56}
"""Mass number A of the four primaries that the lessons use."""

# Rows: the coefficients of 1, L, L² (μ) or 1, L (σ, λ), L = log10(E / 10^19 eV); columns: those of 1, ln A, ln²A.
_XMAX_COEFFICIENTS = {
    "EPOS-LHC": {
        "mu": [(775.589, -7.047, -2.427), (57.589, -0.743, 0.214), (-0.820, -0.169, -0.027)],
        "sigma": [(29.403, 13.553, -3.154), (0.096, -0.961, 0.150)],
        "shape": [(0.563, 0.711, 0.058), (0.039, 0.067, -0.004)],
    },
    "QGSJetII-04": {
        "mu": [(761.383, -11.719, -1.372), (57.344, -1.731, 0.309), (-0.355, 0.273, -0.137)],
        "sigma": [(35.221, 12.335, -2.889), (0.307, -1.147, 0.271)],
        "shape": [(0.673, 0.694, -0.007), (0.060, -0.019, 0.017)],
    },
    "Sibyll 2.1": {
        "mu": [(770.104, -15.873, -0.960), (58.668, -0.124, -0.023), (-1.423, 0.977, -0.191)],
        "sigma": [(31.717, 1.335, -0.601), (-1.912, 0.007, 0.086)],
        "shape": [(0.683, 0.278, 0.012), (0.008, 0.051, 0.003)],
    },
}
HADRONIC_MODELS = tuple(_XMAX_COEFFICIENTS)
"""Names of the models of hadronic interactions that are known here."""


class XmaxParameters(NamedTuple):
    """Parameters of the generalised Gumbel distribution of Xmax.

    Attributes
    ----------
    mu, sigma : numpy.ndarray
        Location and scale [g/cm²].
    shape : numpy.ndarray
        Shape λ of the gamma distribution, without unit.
    """

    mu: NDArray[np.float64]
    sigma: NDArray[np.float64]
    shape: NDArray[np.float64]


def xmax_parameters(
    mass_number: ArrayLike, log10_energy: ArrayLike = 19.0, *, hadronic_model: str = "EPOS-LHC"
) -> XmaxParameters:
    """Return μ, σ and λ of the distribution of Xmax.

    Parameters
    ----------
    mass_number : array_like
        Mass number A of the primary, from 1 to 56.
    log10_energy : array_like
        log10(E/eV), from 17 to 21; broadcasts with `mass_number`.
    hadronic_model : str
        One of `HADRONIC_MODELS`.

    Returns
    -------
    XmaxParameters
        Of the broadcast shape.

    Raises
    ------
    ValueError
        For an unknown model, or a mass or an energy outside the range that was simulated.
    """
    if hadronic_model not in HADRONIC_MODELS:
        raise ValueError(
            f"`hadronic_model` should be one of {', '.join(HADRONIC_MODELS)}. Received: {hadronic_model!r}"
        )
    mass_number, log10_energy = _checks.broadcast(
        mass_number=_checks.in_range(mass_number, "mass_number", 1, 56),
        log10_energy=_checks.in_range(log10_energy, "log10_energy", 17, 21),
    )
    log_mass = np.log(mass_number)
    log_energy = log10_energy - 19
    parameters = []
    for name in ("mu", "sigma", "shape"):
        rows = [a0 + a1 * log_mass + a2 * log_mass**2 for a0, a1, a2 in _XMAX_COEFFICIENTS[hadronic_model][name]]
        parameters.append(sum(row * log_energy**power for power, row in enumerate(rows)))
    return XmaxParameters(*np.broadcast_arrays(*parameters))


def xmax_mean(
    mass_number: ArrayLike, log10_energy: ArrayLike = 19.0, *, hadronic_model: str = "EPOS-LHC"
) -> NDArray[np.float64]:
    """Return the mean of Xmax [g/cm²], μ − σ·(ψ(λ) − ln λ); arguments as for `xmax_parameters`."""
    mu, sigma, shape = xmax_parameters(mass_number, log10_energy, hadronic_model=hadronic_model)
    return np.asarray(mu - sigma * (special.digamma(shape) - np.log(shape)))


def xmax_std(
    mass_number: ArrayLike, log10_energy: ArrayLike = 19.0, *, hadronic_model: str = "EPOS-LHC"
) -> NDArray[np.float64]:
    """Return the standard deviation of Xmax [g/cm²], σ·√ψ₁(λ); arguments as for `xmax_parameters`."""
    _, sigma, shape = xmax_parameters(mass_number, log10_energy, hadronic_model=hadronic_model)
    return np.asarray(sigma * np.sqrt(special.polygamma(1, shape)))


def xmax_log_density(
    xmax: ArrayLike, mass_number: ArrayLike, log10_energy: ArrayLike = 19.0, *, hadronic_model: str = "EPOS-LHC"
) -> NDArray[np.float64]:
    """Return the logarithm of the probability density of Xmax.

    Parameters
    ----------
    xmax : array_like
        Depth of the shower maximum [g/cm²]; broadcasts with the other arguments, which are those of `xmax_parameters`.
    mass_number, log10_energy, hadronic_model
        See `xmax_parameters`.

    Returns
    -------
    numpy.ndarray
        Logarithm of the density per g/cm²; NaN where `xmax` is.

    Raises
    ------
    ValueError
        As `xmax_parameters`.
    """
    mu, sigma, shape = xmax_parameters(mass_number, log10_energy, hadronic_model=hadronic_model)
    z = (_checks.real(xmax, "xmax") - mu) / sigma
    log_norm = shape * np.log(shape) - special.gammaln(shape) - np.log(sigma)
    with np.errstate(over="ignore"):  # far too shallow: the density is 0
        return np.asarray(log_norm - shape * (z + np.exp(-z)))


def draw_xmax(
    rng: np.random.Generator,
    mass_number: ArrayLike,
    log10_energy: ArrayLike = 19.0,
    *,
    hadronic_model: str = "EPOS-LHC",
    deepest: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Draw Xmax for each shower.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    mass_number, log10_energy, hadronic_model
        See `xmax_parameters`; one value a shower.
    deepest : array_like, optional
        Draw from the part of the distribution above this depth [g/cm²], as if deeper showers were drawn again.

    Returns
    -------
    numpy.ndarray
        Xmax [g/cm²], of the broadcast shape.

    Raises
    ------
    ValueError
        As `xmax_parameters`, if `rng` is something else, or if no shower in 10^9 lies above `deepest`.
    """
    _checks.generator(rng)
    mu, sigma, shape = xmax_parameters(mass_number, log10_energy, hadronic_model=hadronic_model)
    if deepest is None:
        return np.asarray(mu - sigma * np.log(rng.gamma(shape) / shape))
    deepest, mu, sigma, shape = _checks.broadcast(
        deepest=_checks.finite(deepest, "deepest"), mu=mu, sigma=sigma, shape=shape
    )
    share = share_above(deepest, mu, sigma, shape)
    if np.any(share < 1e-9):
        raise ValueError(f"`deepest` should leave more than 1e-09 of the showers. Received: {np.min(deepest):g} g/cm²")
    drawn = special.gammainccinv(shape, share * rng.random(share.shape))  # g·λ, the larger the shallower
    return np.asarray(mu - sigma * np.log(drawn / shape))


def share_above(depth: ArrayLike, mu: ArrayLike, sigma: ArrayLike, shape: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that Xmax lies above (is less than) a depth [g/cm²], for given `XmaxParameters`."""
    depth, mu, sigma, shape = (np.asarray(value, dtype=np.float64) for value in (depth, mu, sigma, shape))
    with np.errstate(over="ignore"):  # far too shallow: the probability is 0
        return np.asarray(special.gammaincc(shape, shape * np.exp((mu - depth) / sigma)))


def gaisser_hillas(
    depth: ArrayLike, xmax: ArrayLike, *, first_depth: ArrayLike = -121.0, attenuation_length: ArrayLike = 61.0
) -> NDArray[np.float64]:
    """Return the longitudinal profile of a shower, its maximum being 1.

        f(X) = ((X − X0)/(Xmax − X0))^((Xmax − X0)/λ)·exp((Xmax − X)/λ),

    and 0 at X < X0. Multiply it by the number of particles, or the energy deposit, at the maximum. Near the maximum it
    looks like a normal distribution of variance λ·(Xmax − X0).

    Parameters
    ----------
    depth : array_like
        Slant depth X [g/cm²]; all arguments broadcast.
    xmax : array_like
        Depth of the maximum [g/cm²].
    first_depth : array_like
        X0 [g/cm²]: of shape rather than of the first interaction, hence often negative.
    attenuation_length : array_like
        λ [g/cm²].

    Returns
    -------
    numpy.ndarray
        Of the broadcast shape, from 0 to 1.

    Raises
    ------
    ValueError
        If λ is not positive, Xmax does not lie below X0, or a value is not finite.

    Notes
    -----
    T. K. Gaisser and A. M. Hillas, Proc. 15th Int. Cosmic Ray Conf. 8 (1977) 353. The default X0 and λ are the mean
    values to which fits of measured profiles are drawn, M. Unger et al., Nucl. Instrum. Meth. A 588 (2008) 433,
    doi:10.1016/j.nima.2008.01.100.
    """
    depth, xmax, first_depth, attenuation_length = _checks.broadcast(
        depth=_checks.finite(depth, "depth"),
        xmax=_checks.finite(xmax, "xmax"),
        first_depth=_checks.finite(first_depth, "first_depth"),
        attenuation_length=_checks.positive(attenuation_length, "attenuation_length"),
    )
    width = xmax - first_depth
    if np.any(width <= 0):
        raise ValueError(f"`xmax` should lie below `first_depth`. Received: {np.min(width):g} g/cm² beyond it")
    power = width / attenuation_length
    log_profile = special.xlogy(power, np.maximum(depth - first_depth, 0) / width) + (xmax - depth) / attenuation_length
    return np.asarray(np.exp(log_profile))
