"""The parameters of Cherenkov telescopes and of the showers that they see.

The site is that of CTAO in the north, and so is the telescope, a Large-Sized Telescope (LST); the camera may be that of
`camera.lst` or the coarser one of `camera.small`. Where the values are our choice they are round numbers near those of
the real telescope, chosen so that light, images and threshold come out as they do there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showertools import _checks, atmosphere, camera, chunks

Pair = tuple[float, float]

PARTICLES = {"gamma": 0, "proton": 101}
"""Primaries, with the number that ctapipe gives them in `true_shower_primary_id`."""
CAMERAS = {"lst": camera.lst, "small": camera.small}
"""Cameras by the name that `TelescopeModel` takes."""
MOST_TELESCOPES = 4
"""Most telescopes: as many as CTAO's northern site has LSTs."""
ENERGY_LIMITS = (0.003, 100.0)
"""Lowest and highest energy of a primary [TeV] that the approximations can bear. Our choice."""
HIGHEST_SITE = 4000.0
"""Highest altitude of a site [m]: above it, showers of the highest energies are cut off at their maximum."""
WIDEST_ANGLE = 15.0
"""Largest angle between shower and pointing [degrees]."""

_POSITIVE = "positive"
_NOT_NEGATIVE = "non-negative"
_SIGNS = {
    "telescope_distance": _POSITIVE,
    "impact_radius": _NOT_NEGATIVE,
    "source_radius": _NOT_NEGATIVE,
    "proton_cone": _NOT_NEGATIVE,
    "aerosol_depth": _NOT_NEGATIVE,
    "aerosol_scale": _POSITIVE,
    "maximum_fluctuation": _NOT_NEGATIVE,
    "mirror_radius": _POSITIVE,
    "efficiency": _POSITIVE,
    "point_spread": _NOT_NEGATIVE,
    "night_sky": _NOT_NEGATIVE,
    "charge_window": _POSITIVE,
    "readout_window": _POSITIVE,
    "readout_jitter": _NOT_NEGATIVE,
    "electronic_noise": _NOT_NEGATIVE,
    "single_photoelectron_spread": _NOT_NEGATIVE,
    "transit_time_spread": _NOT_NEGATIVE,
    "time_resolution": _NOT_NEGATIVE,
    "trigger_threshold": _POSITIVE,
}


@dataclass(frozen=True)
class TelescopeModel:
    """Parameters of telescopes and showers; every one that is not attributed is our choice.

    Attributes
    ----------
    n_telescopes : int
        1 to 4 telescopes: one in the middle, two in a row, three in a triangle, four in a square.
    telescope_distance : float
        Distance of neighbouring telescopes [m]. About that of CTAO's four LSTs.
    camera_name : str
        "lst" or "small", one of `CAMERAS`.
    site_altitude : float
        Height of the telescopes above the sea [m]. Roque de los Muchachos on La Palma, rounded.
    pointing_alt, pointing_az : float
        Where all telescopes look [degrees]: altitude above the horizon, at least 40; azimuth from north over east. 70°
        is where most simulations of LSTs are made.
    energy : tuple of float
        Lowest and highest energy of the primaries [TeV].
    spectral_index : float
        The number of primaries per energy goes with the energy to this power. -2 is what simulations of telescopes use.
    impact_radius : float
        Cores are uniform in a disc on the ground around the middle of the telescopes [m].
    source_offset : tuple of float
        Longitude and latitude in the telescope frame [degrees] of the gamma-ray source's middle.
    source_radius : float
        Gamma rays come from a disc of this radius [degrees]; 0 for a point.
    proton_cone : float
        Protons come from all directions up to this angle from the pointing [degrees].
    aerosol_depth, aerosol_scale : float
        Vertical optical depth of the aerosols above the site at 400 nm, and the scale of their height [m]. A clear
        night on a mountain; they scatter as 1/wavelength.
    maximum_fluctuation : float
        Standard deviation of the depth of an electromagnetic shower's maximum after its first pair, in radiation
        lengths. With the first interaction, Xmax of gamma rays spreads by 52 g/cm².
    mirror_radius : float
        Radius of the mirror [m]: a disc of the 388 m² that an LST's has.
    efficiency : float
        Photoelectrons for each photon of 300 to 600 nm that reaches the mirror: reflection, shadows, window, light
        guides and photocathode together. About the product of 0.85, 0.93, 0.92, 0.9 and 0.23.
    point_spread : float
        Standard deviation of the image of a star along each direction [degrees].
    night_sky : float
        Photoelectrons of the night sky in each pixel of an LST and nanosecond. From the simulations of LSTs, for a dark
        field; pixels of other sizes have more or less of it as their area says.
    charge_window : float
        Time over which the charge of a pixel is summed [ns]. 8 ns are what the analysis of LSTs sums.
    readout_window : float
        Length of what is recorded [ns]; light outside of it is lost. LSTs record 40 samples in 1 ns.
    readout_jitter : float
        Standard deviation of the moment at which the readout starts, compared with the light [ns].
    electronic_noise : float
        Standard deviation of the charge from electronics [p.e.].
    single_photoelectron_spread : float
        Relative standard deviation of the charge of one photoelectron.
    transit_time_spread : float
        Standard deviation of the time of one photoelectron [ns].
    time_resolution : float
        Standard deviation of `peak_time` however many photoelectrons there are [ns].
    trigger_threshold : float
        A telescope triggers where three pixels that touch each other all have this charge at least [p.e.], for the
        pixels of an LST; it goes with the root of a pixel's area, as the noise does.
    """

    n_telescopes: int = 1
    telescope_distance: float = 100.0
    camera_name: str = "lst"
    site_altitude: float = 2200.0
    pointing_alt: float = 70.0
    pointing_az: float = 0.0
    energy: Pair = (0.02, 20.0)
    spectral_index: float = -2.0
    impact_radius: float = 300.0
    source_offset: Pair = (0.0, 0.0)
    source_radius: float = 1.0
    proton_cone: float = 5.0
    aerosol_depth: float = 0.05
    aerosol_scale: float = 1200.0
    maximum_fluctuation: float = 0.6
    mirror_radius: float = 11.1
    efficiency: float = 0.15
    point_spread: float = 0.03
    night_sky: float = 0.245
    charge_window: float = 8.0
    readout_window: float = 40.0
    readout_jitter: float = 1.5
    electronic_noise: float = 0.4
    single_photoelectron_spread: float = 0.4
    transit_time_spread: float = 0.8
    time_resolution: float = 0.2
    trigger_threshold: float = 6.0

    def __post_init__(self) -> None:
        """Refuse parameters with which nothing can be simulated."""
        if chunks.check_size(self.n_telescopes, "n_telescopes", minimum=1) > MOST_TELESCOPES:
            raise ValueError(f"`n_telescopes` should be at most {MOST_TELESCOPES}. Received: {self.n_telescopes!r}")
        if self.camera_name not in CAMERAS:
            raise ValueError(f"`camera_name` should be one of {', '.join(CAMERAS)}. Received: {self.camera_name!r}")
        for field in dataclasses.fields(self):
            value, sign = getattr(self, field.name), _SIGNS.get(field.name, "finite")
            if field.type == "Pair":
                object.__setattr__(self, field.name, _pair(value, field.name))
            elif field.type == "float":
                _checks.number(value, field.name, sign)
        self._check_showers()
        self._check_telescopes()

    def _check_showers(self) -> None:
        low, high = ENERGY_LIMITS
        if not low <= self.energy[0] <= self.energy[1] <= high:
            raise ValueError(
                f"`energy` should be a lower and an upper bound between {low:g} and {high:g} TeV. "
                f"Received: {self.energy!r}"
            )
        if not abs(self.spectral_index) <= 10:
            raise ValueError(f"`spectral_index` should lie between -10 and 10. Received: {self.spectral_index!r}")
        farthest = max(np.hypot(*self.source_offset) + self.source_radius, self.proton_cone)
        if not farthest <= WIDEST_ANGLE:
            raise ValueError(
                f"`source_offset`, `source_radius` and `proton_cone` should stay within {WIDEST_ANGLE:g} degrees of "
                f"the pointing. Received: {self.source_offset!r}, {self.source_radius!r} and {self.proton_cone!r}"
            )

    def _check_telescopes(self) -> None:
        lowest = 90 - atmosphere.MAX_ZENITH + WIDEST_ANGLE
        if not lowest <= self.pointing_alt <= 90:
            raise ValueError(
                f"`pointing_alt` should lie between {lowest:g} and 90 degrees. Received: {self.pointing_alt!r}"
            )
        if not 0 <= self.site_altitude <= HIGHEST_SITE:
            raise ValueError(
                f"`site_altitude` should lie between 0 and {HIGHEST_SITE:g} m. Received: {self.site_altitude!r}"
            )
        if not self.efficiency <= 1:
            raise ValueError(f"`efficiency` should be at most 1. Received: {self.efficiency!r}")
        if not self.charge_window <= self.readout_window:
            raise ValueError(
                "`charge_window` should be at most `readout_window`. "
                f"Received: {self.charge_window!r} and {self.readout_window!r}"
            )

    @property
    def camera(self) -> camera.Camera:
        """The camera of each telescope: its pixels, in the order of the images."""
        return _camera(self.camera_name)

    @property
    def telescopes(self) -> NDArray[np.float64]:
        """Positions of the telescopes on the ground, to the north and to the west [m], (telescopes, 2)."""
        corners = {
            1: [(0.0, 0.0)],
            2: [(0.5, 0.0), (-0.5, 0.0)],
            3: [(1 / np.sqrt(3), 0.0), (-0.5 / np.sqrt(3), 0.5), (-0.5 / np.sqrt(3), -0.5)],
            4: [(0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5)],
        }
        return np.array(corners[self.n_telescopes]) * self.telescope_distance

    @property
    def mirror_area(self) -> float:
        """Area of a mirror [m²]."""
        return float(np.pi * self.mirror_radius**2)

    @property
    def night_sky_charge(self) -> float:
        """Mean charge of the night sky in the charge window of a pixel [p.e.]."""
        return self.night_sky * self.charge_window * self._pixel_size**2

    @property
    def pixel_threshold(self) -> float:
        """Charge that three pixels need for a trigger [p.e.]."""
        return self.trigger_threshold * self._pixel_size

    @property
    def _pixel_size(self) -> float:
        """Width of a pixel, compared with one of an LST."""
        return self.camera.pitch / _camera("lst").pitch


@lru_cache(maxsize=len(CAMERAS))
def _camera(name: str) -> camera.Camera:
    return CAMERAS[name]()


def _pair(values: Any, name: str) -> Pair:
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str) or len(values) != 2:
        raise ValueError(f"`{name}` should be a pair of numbers. Received: {values!r}")
    for value in values:
        _checks.number(value, name)
    return float(values[0]), float(values[1])


def check_model(model: Any) -> TelescopeModel:
    """Return `model` if it is a `TelescopeModel`; raise `ValueError` otherwise."""
    if not isinstance(model, TelescopeModel):
        raise ValueError(f"`model` should be a TelescopeModel. Received: {model!r}")
    return model


def check_particle(particle: Any) -> int:
    """Return the number of a primary that is given by name; raise `ValueError` if there is no such one."""
    if not isinstance(particle, str) or particle not in PARTICLES:
        raise ValueError(f"`particle` should be one of {', '.join(PARTICLES)}. Received: {particle!r}")
    return PARTICLES[particle]
