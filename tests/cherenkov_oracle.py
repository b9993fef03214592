"""Cherenkov light ray by ray, against which `cherenkov_photons` is tested: most of it misses the mirror.

Written from the text of `cherenkov_layers` and `cherenkov_light`, without their formulas for densities.
"""

import numpy as np

SPEED_OF_LIGHT = 0.299792458
CHERENKOV_YIELD = 2 * np.pi / 137.035999 * (1 / 300e-9 - 1 / 600e-9)  # photons a metre for sin²θ = 1


def rays(rng, n, distance, thickness, angle, slope, both, spread):
    """Place r, slopes of the light on its way down, and distance to the telescope's plane, of electrons' photons.

    Electrons have a normal distribution of place and slope along each of two directions, with the given moments.
    """
    covariance = [[spread, both], [both, slope]]
    place, flight = np.moveaxis(rng.multivariate_normal([0, 0], covariance, (n, 2)), 2, 0)  # (n, 2) each
    azimuth = rng.uniform(0, 2 * np.pi, n)
    light = flight + angle * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    return place, light, distance + thickness * rng.uniform(-0.5, 0.5, n)


def hits(place, light, distance, impact, radius):
    """Which rays land on a mirror at `impact` from the axis."""
    landing = place + distance[:, None] * light
    return np.hypot(*(landing - impact).T) < radius


def muon_light(impact, angle_at, yield_at, radius, length, n_steps=20_000, n_azimuths=720):
    """Photoelectrons of a muon along the telescope's axis at `impact`: sum over its path and azimuths of the cone."""
    distance = (np.arange(n_steps) + 0.5) * length / n_steps
    azimuth = (np.arange(n_azimuths) + 0.5) * 2 * np.pi / n_azimuths
    ring = (distance * angle_at(distance))[:, None]
    share = np.mean((ring * np.cos(azimuth) - impact) ** 2 + (ring * np.sin(azimuth)) ** 2 < radius**2, axis=1)
    return np.sum(yield_at(distance) * share) * length / n_steps
