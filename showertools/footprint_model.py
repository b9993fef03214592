"""The parameters of the footprint toy, and what follows from them for each primary.

Source: the tutorial of the HAP workshop "Big Data Science in Astroparticle Research", RWTH Aachen 2017. Where it gives
no number, `FootprintModel` says "our choice".
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from showertools import _checks, atmosphere, chunks, showers

MOST_MUONS = 1e7
"""Most muons that a shower may have on average: all of them lie in memory at once."""


_SIGNS = {
    "pixel_size": "positive",
    "muons_per_proton": "positive",
    "muon_fluctuation": "positive",
    "production_width": "positive",
    "opening_angle": "positive",
    "core_spread": "non-negative",
    "start_spread": "non-negative",
    "time_resolution": "non-negative",
}


@dataclass(frozen=True)
class FootprintModel:
    """Parameters of the toy; every one that is not attributed is our choice.

    Attributes
    ----------
    n_pixels : int
        Pixels along each side of the square picture. Our choice.
    pixel_size : float
        Side of a pixel [m]. Our choice.
    mass_numbers : tuple of int
        Primaries, in equal parts. The tutorial's: p, He, N, Fe.
    log10_energy : float
        log10(E/eV) of all showers. One energy as in the tutorial; its value is our choice.
    hadronic_model : str
        Which distribution of Xmax, see `showers.HADRONIC_MODELS`. Our choice.
    observation_level : float
        Height of the ground above the sea [m]. Our choice: at sea level even the deepest maximum lies in the air.
    muons_per_proton : float
        Mean number of muons of a proton shower of 10^19 eV. Our choice.
    mass_exponent : float
        The number of muons goes with A to this power. The tutorial's value.
    muon_fluctuation : float
        Relative standard deviation of the number of muons of proton showers. With `muon_fluctuation_exponent` it gives
        16, 10, 6 and 4 % for p, He, N and Fe, about what full simulations give; the values are from memory.
    muon_fluctuation_exponent : float
        The relative standard deviation goes with A to this power. Our choice.
    production_lag : float
        Mean depth from which muons that reach the ground come, before Xmax [g/cm²]. Our choice.
    production_lag_per_log_mass : float
        How much further before Xmax for each unit of ln A [g/cm²]. Our choice.
    production_width : float
        Standard deviation of the production depth in proton showers [g/cm²]. Our choice.
    production_width_per_log_mass : float
        How much wider for each unit of ln A [g/cm²]; negative: narrower. Our choice.
    opening_angle : float
        Standard deviation of each of the two slopes of a muon against the axis, without unit. Our choice.
    core_spread : float
        Standard deviation of each coordinate of the core around the picture's centre [m]. Our choice.
    start_spread : float
        Standard deviation of the moment at which the shower reaches the ground [ns]. Our choice.
    time_resolution : float
        Standard deviation with which the time of each muon is measured [ns]. Our choice; the tutorial has perfect
        clocks, with which a few muons next to the core would give the start time to a fraction of a nanosecond.
    """

    n_pixels: int = 32
    pixel_size: float = 30.0
    mass_numbers: tuple[int, ...] = (1, 4, 14, 56)
    log10_energy: float = 19.0
    hadronic_model: str = "EPOS-LHC"
    observation_level: float = 0.0
    muons_per_proton: float = 1000.0
    mass_exponent: float = 0.15
    muon_fluctuation: float = 0.16
    muon_fluctuation_exponent: float = -0.35
    production_lag: float = 150.0
    production_lag_per_log_mass: float = 5.0
    production_width: float = 150.0
    production_width_per_log_mass: float = -5.0
    opening_angle: float = 0.12
    core_spread: float = 100.0
    start_spread: float = 100.0
    time_resolution: float = 5.0

    def __post_init__(self) -> None:
        """Refuse parameters with which nothing can be simulated."""
        chunks.check_size(self.n_pixels, "n_pixels", minimum=1)
        for field in dataclasses.fields(self):
            if field.name not in {"n_pixels", "mass_numbers", "hadronic_model"}:
                _checks.number(getattr(self, field.name), field.name, _SIGNS.get(field.name, "finite"))
        object.__setattr__(self, "mass_numbers", _checks.mass_numbers(self.mass_numbers))
        if np.any(self.width(np.array(self.mass_numbers)) <= 0):
            raise ValueError(
                "`production_width_per_log_mass` should leave every primary a positive width. "
                f"Received: {self.production_width_per_log_mass!r}"
            )
        showers.xmax_parameters(self.mass_numbers, self.log10_energy, hadronic_model=self.hadronic_model)
        if not atmosphere.LOWEST_HEIGHT <= self.observation_level < atmosphere.TOP_HEIGHT:
            raise ValueError(
                f"`observation_level` should lie between {atmosphere.LOWEST_HEIGHT:g} m and the top of the air. "
                f"Received: {self.observation_level!r}"
            )
        with np.errstate(over="ignore"):
            most = self.mean_muons(np.array(self.mass_numbers)).max()
        if not most <= MOST_MUONS:
            raise ValueError(
                f"`muons_per_proton` should give every primary at most {MOST_MUONS:g} muons, also after "
                f"`log10_energy` and `mass_exponent`. Received: {self.muons_per_proton!r}, which gives {most:g}"
            )

    @property
    def ground_depth(self) -> float:
        """Depth of the ground [g/cm²]."""
        return float(atmosphere.depth_at_height(self.observation_level))

    @property
    def pixel_centers(self) -> NDArray[np.float64]:
        """Centres of the pixels along one axis [m], (n_pixels,)."""
        return np.asarray((np.arange(self.n_pixels) - (self.n_pixels - 1) / 2) * float(self.pixel_size))

    def mean_muons(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the mean number of muons, proportional to E·A^`mass_exponent`."""
        energy = 10 ** (self.log10_energy - 19)
        return np.asarray(self.muons_per_proton * energy * np.asarray(mass_number, dtype=float) ** self.mass_exponent)

    def fluctuation(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the relative standard deviation of the expected number of muons."""
        mass_number = np.asarray(mass_number, dtype=float)
        return np.asarray(self.muon_fluctuation * mass_number**self.muon_fluctuation_exponent)

    def depth(self, xmax: ArrayLike, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the mean production depth [g/cm²]."""
        lag = self.production_lag + self.production_lag_per_log_mass * np.log(mass_number)
        return np.asarray(np.asarray(xmax) - lag)

    def width(self, mass_number: ArrayLike) -> NDArray[np.float64]:
        """Return the standard deviation of the production depth [g/cm²]."""
        return np.asarray(self.production_width + self.production_width_per_log_mass * np.log(mass_number))


def check_model(model: Any) -> FootprintModel:
    """Return `model` if it is a `FootprintModel`; raise `ValueError` otherwise."""
    if not isinstance(model, FootprintModel):
        raise ValueError(f"`model` should be a FootprintModel. Received: {model!r}")
    return model
