"""The parameters of an array of surface detectors: what arrives from a shower, and what a station makes of it.

Two components reach a station, muons and electromagnetic particles, each of 1 VEM (the signal of a vertical muon). How
many are expected, and when, depends on the distance to the axis and on the depth between shower maximum and station;
`surface_expectation` has the formulas. Parameters of the two components are pairs: (muonic, electromagnetic).

There are two presets. `ArrayModel()` follows the literature, mostly that of the Pierre Auger Observatory.
`ArrayModel.classic()` is the toy of M. Erdmann, J. Glombitza and D. Walz, Astropart. Phys. 97 (2018) 46,
doi:10.1016/j.astropartphys.2017.10.006, in the version whose data published exercises use.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showertools import _checks, atmosphere, chunks, geometry, showers

Pair = tuple[float, float]

MUONS_OF_HADRONIC_MODEL = {"EPOS-LHC": 1.0, "QGSJetII-04": 0.94, "Sibyll 2.1": 0.80}
"""Mean number of muons compared with EPOS-LHC. Rounded, from memory of comparisons at 10^19 eV and 1000 m."""
MOST_VALUES = 10_000_000
"""Most bins that all stations of an event may have together: those of many events lie in memory at once."""
SMALLEST_SHARE = 1e-6
"""Smallest share of the showers that may have their maximum high enough above the ground."""

_POSITIVE = "positive"
_NOT_NEGATIVE = "non-negative"
_SIGNS = {
    "spacing": _POSITIVE,
    "core_radius": _NOT_NEGATIVE,
    "height_of_maximum": _NOT_NEGATIVE,
    "signal_at_1000_m": _NOT_NEGATIVE,
    "muon_fluctuation": _NOT_NEGATIVE,
    "lateral_scale": _POSITIVE,
    "near_distance": _POSITIVE,
    "attenuation_length": _POSITIVE,
    "most_particles": _POSITIVE,
    "arrival_offset": _POSITIVE,
    "arrival_slope": _NOT_NEGATIVE,
    "arrival_exponent": _POSITIVE,
    "arrival_width": _POSITIVE,
    "electromagnetic_lag": _NOT_NEGATIVE,
    "start_spread": _NOT_NEGATIVE,
    "clock_resolution": _NOT_NEGATIVE,
    "sampling_noise": _NOT_NEGATIVE,
    "time_noise": _NOT_NEGATIVE,
    "bin_width": _POSITIVE,
    "response_time": _NOT_NEGATIVE,
    "pedestal_noise": _NOT_NEGATIVE,
    "saturation": _POSITIVE,
    "accidental_window": _NOT_NEGATIVE,
}
_LAYOUTS = {"rectangular": geometry.rectangular, "offset": geometry.offset, "axial": geometry.axial}
_CHOICES = {
    "layout": tuple(_LAYOUTS),
    "attenuation": ("gaisser-hillas", "power law"),
    "front": ("plane", "sphere"),
    "hadronic_model": showers.HADRONIC_MODELS,
}


@dataclass(frozen=True)
class ArrayModel:
    """Parameters of the array; every one that is not attributed is our choice. Pairs are (muonic, electromagnetic).

    Attributes
    ----------
    layout : str
        How the stations stand: "offset" or "axial" (hexagonal), or "rectangular"; see `geometry`. Auger's is hexagonal.
    n_rows, n_columns : int
        Stations along y and x; at least 3 stations in all.
    spacing : float
        Distance of neighbouring stations [m]. Auger's: 1500 m.
    observation_level : float
        Height of all stations above the sea [m]. Auger's, rounded: 1400 m.
    core_radius : float
        Cores are uniform in a disc of this radius around the middle of the array [m].
    log10_energy : tuple of float
        log10(E/eV) is uniform between the two.
    max_zenith : float
        The zenith angle θ has the density sin θ·cos θ, that of isotropic showers on a flat array, up to here [degrees].
    mass_numbers : tuple of int
        Primaries, in equal parts: p, He, N, Fe.
    hadronic_model : str
        Which Xmax (`showers.HADRONIC_MODELS`) and how many muons (`MUONS_OF_HADRONIC_MODEL`).
    height_of_maximum : float
        The maximum lies at least so high above the ground [m]; Xmax is drawn from the part of its distribution.
    signal_at_1000_m : tuple of float
        Expected signal 1000 m from the axis [VEM] of a proton shower of 10^19 eV, at the depth where the attenuation
        is 1. With the defaults 47 VEM at 38° for protons and 49 VEM for iron. Auger's calibration,
        E = 0.186 EeV·(S38/VEM)^1.031, Phys. Rev. D 102 (2020) 062005, doi:10.1103/PhysRevD.102.062005, gives 48 VEM.
        The muonic shares there, 43 and 58 %, are about those of full simulations; from memory.
    energy_exponent : tuple of float
        Each signal goes with E to this power. Muons: 0.92, between the 0.90 and 0.93 of full simulations (from memory).
    mass_exponent : float
        The number of muons goes with A to this power: 1 minus the exponent of the energy, since a nucleus is like A
        protons of E/A.
    muon_fluctuation, muon_fluctuation_exponent : float
        Relative standard deviation of the number of muons of protons, and the power of A with which it changes: 16, 10,
        6 and 4 % for p, He, N, Fe, about what full simulations give; from memory.
    constant_total : bool
        Scale the two signals so that their sum at 1000 m does not depend on the mass.
    lateral_exponent, lateral_exponent_far : tuple of float
        Powers β and γ of the lateral distribution (r/1000 m)^β·((r + s)/(1000 m + s))^γ. Auger's form has β = γ; its
        value for all particles, about -2.2 at 38° (from memory), lies between those of the components.
    lateral_scale : float
        s [m]. Auger's form: 700 m.
    near_distance : float
        A station nearer to the axis counts as being at this distance [m].
    attenuation : str
        How signals change with the depth ΔX from shower maximum to station. "gaisser-hillas":
        `showers.gaisser_hillas`, the form of universality models such as M. Ave et al., Astropart. Phys. 87 (2017) 23;
        "power law": (ΔX/100)^-a, at most 10.
    profile_maximum, profile_start, attenuation_length : tuple of float
        Parameters of "gaisser-hillas" [g/cm²], in ΔX. Chosen so that the total at 1000 m falls with the zenith angle
        about as Auger's constant-intensity cut says: 1.17 and 0.46 of S38 at 0° and 60°, Auger 1.06 and 0.47 (from
        memory).
    attenuation_exponent : tuple of float
        a of "power law".
    most_particles : float
        Most particles that are expected in a station; both components are scaled down to it.
    arrival_offset, arrival_slope, arrival_exponent, arrival_shrinkage : tuple of float, but the exponent a float
        The median arrival after the front is offset + slope·(r/750 m)^exponent·(1 - shrinkage·ΔX/1000) [ns], the last
        factor at least 0.1. Values of the classic toy; the shrinkage is ours: rise times fall faster with the depth.
    arrival_width : float
        Arrival times are log-normal with this standard deviation of their logarithm. The classic toy's value.
    electromagnetic_lag : float
        By how much electromagnetic particles are late besides, in units of the difference of the two medians. The
        classic toy's value.
    front : str
        "plane" or "sphere" around a point on the axis.
    front_origin : float
        Depth of that point as a fraction of Xmax. 0.3 gives vertical showers a radius of 9 to 10 km, about Auger's.
    start_spread : float
        The moment at which the core is hit is uniform within plus or minus this [ns]. The classic toy's value.
    clock_resolution : float
        Standard deviation of a station's time from clock and binning [ns]. With `sampling_noise`: the model of
        C. Bonifazi et al., Astropart. Phys. 28 (2008) 523, doi:10.1016/j.astropartphys.2007.09.007.
    sampling_noise : float
        Factor of the error with which n particles sample the front, (2·T50/n)·√((n - 1)/(n + 1)); T50 is the time in
        which half of the signal comes, n is counted as at least 2.
    time_noise : float
        The classic toy's error, 8·`time_noise`/(1 + log10(n + 1)) [ns], added in quadrature.
    n_bins, bin_width : int, float
        Bins of the trace, which starts with the front, and their width [ns]. Auger's electronics had 25 ns; 120 bins
        are what its networks read (JINST 16 (2021) P07019, doi:10.1088/1748-0221/16/07/P07019).
    response_time : float
        The light of a particle decays with this constant [ns]; 0: all in one bin. About that of a water tank.
    pedestal, pedestal_noise : float
        Mean and standard deviation of what every bin has besides particles [VEM]; 0 for a subtracted baseline.
    relative_noise : float
        Standard deviation of the noise of a bin relative to its signal, at most 0.15.
    clip_at_zero : bool
        Whether bins below 0 are set to 0.
    threshold : float
        A station triggers if the sum of its bins is at least this [VEM]; about where half of Auger's stations do.
    saturation : float
        Largest content of a bin [VEM], infinite for none. 180 VEM in 25 ns is about where a low-gain channel of Auger's
        first electronics ends; at 10^19.5 eV, stations saturate within some 400 m of the axis.
    dead_fraction : float
        Probability that a station does not work in an event.
    accidental_fraction : float
        Probability that a working station without trigger is triggered by a muon that is not of the shower. Auger's
        stations trigger 20 times a second: 0.0004 in 20 µs.
    accidental_window : float
        Accidental times are uniform within plus or minus this [ns] of the front at the station.
    """

    layout: str = "offset"
    n_rows: int = 9
    n_columns: int = 9
    spacing: float = 1500.0
    observation_level: float = 1400.0
    core_radius: float = 750.0
    log10_energy: Pair = (18.5, 20.0)
    max_zenith: float = 60.0
    mass_numbers: tuple[int, ...] = (1, 4, 14, 56)
    hadronic_model: str = "EPOS-LHC"
    height_of_maximum: float = 200.0
    signal_at_1000_m: Pair = (20.5, 34.5)
    energy_exponent: Pair = (0.92, 1.0)
    mass_exponent: float = 0.08
    muon_fluctuation: float = 0.16
    muon_fluctuation_exponent: float = -0.35
    constant_total: bool = False
    lateral_exponent: Pair = (-1.9, -2.5)
    lateral_exponent_far: Pair = (-1.9, -2.5)
    lateral_scale: float = 700.0
    near_distance: float = 100.0
    attenuation: str = "gaisser-hillas"
    profile_maximum: Pair = (400.0, 120.0)
    profile_start: Pair = (-200.0, -200.0)
    attenuation_length: Pair = (1000.0, 150.0)
    attenuation_exponent: Pair = (0.1, 0.4)
    most_particles: float = 1e7
    arrival_offset: Pair = (50.0, 80.0)
    arrival_slope: Pair = (140.0, 200.0)
    arrival_exponent: float = 1.4
    arrival_shrinkage: Pair = (0.6, 0.5)
    arrival_width: float = 0.7
    electromagnetic_lag: float = 2 / 3
    front: str = "sphere"
    front_origin: float = 0.3
    start_spread: float = 50.0
    clock_resolution: float = 12.0
    sampling_noise: float = 1.0
    time_noise: float = 0.0
    n_bins: int = 120
    bin_width: float = 25.0
    response_time: float = 60.0
    pedestal: float = 0.0
    pedestal_noise: float = 0.01
    relative_noise: float = 0.0
    clip_at_zero: bool = False
    threshold: float = 3.0
    saturation: float = 180.0
    dead_fraction: float = 0.0
    accidental_fraction: float = 0.0
    accidental_window: float = 10_000.0

    @classmethod
    def classic(cls, **changes: Any) -> ArrayModel:
        """Return the toy of the published exercises; any parameter can be changed by name.

        The quieter variant, which fits the published results better, is `classic(time_noise=40.0)`. With another
        `spacing` the cores fill a disc of half of it, unless `core_radius` is given.

        Where the description leaves a choice, or we differ:

        - The expected numbers of particles become Poisson counts. The published code rounds down a normal number of the
          same width, which takes half a particle a component from each station on average, and 1.6 % of the triggers.
        - Only particles within the 2000 ns of the trace count, also for the error of the time.
        - The noise of 5 % is that of the particles in a bin; pedestal and its noise come on top; then bins are clipped
          at 0. The signal is the sum of the trace: the pedestal, 96 VEM in all, is part of it.
        - A station is kept if its signal is at least 80·1.2·1.2 VEM. One in 5,000 without any particle is.
        - ΔX is the difference of the slant depths of maximum and ground in the direction of the maximum as the station
          sees it, in a flat atmosphere.
        - The layout is hexagonal ("offset") with a station in the middle, where the disc of the cores is centred.
        - Light travels 0.299792458 m/ns, not 0.3.

        Parameters
        ----------
        **changes
            Parameters of `ArrayModel` by name.

        Returns
        -------
        ArrayModel
            Protons only, of EPOS-LHC.

        Raises
        ------
        ValueError
            If a parameter is out of range.

        Examples
        --------
        >>> ArrayModel.classic(layout="rectangular", n_rows=14, n_columns=14, spacing=750.0).core_radius
        375.0
        """
        toy: dict[str, Any] = {
            "mass_numbers": (1,),
            "signal_at_1000_m": (270.0, 630.0),
            "energy_exponent": (1.0, 1.0),
            "mass_exponent": 0.15,
            "muon_fluctuation": 0.0,
            "constant_total": True,
            "lateral_exponent": (-4.7, -6.1),
            "lateral_exponent_far": (0.0, 0.0),
            "near_distance": 150.0,
            "attenuation": "power law",
            "arrival_shrinkage": (0.2, 0.1),
            "front": "plane",
            "front_origin": 0.5,
            "clock_resolution": 0.0,
            "sampling_noise": 0.0,
            "time_noise": 60.0,
            "n_bins": 80,
            "response_time": 0.0,
            "pedestal": 1.2,
            "pedestal_noise": 0.6,
            "relative_noise": 0.05,
            "clip_at_zero": True,
            "threshold": 80 * 1.2 * 1.2,
            "saturation": np.inf,
        }
        spacing = changes.get("spacing", cls.spacing)
        if isinstance(spacing, Real):
            toy["core_radius"] = spacing / 2
        return cls(**{**toy, **changes})

    def __post_init__(self) -> None:
        """Refuse parameters with which nothing can be simulated."""
        for name in ("n_rows", "n_columns", "n_bins"):
            chunks.check_size(getattr(self, name), name, minimum=1)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"`{name}` should be one of {', '.join(choices)}. Received: {getattr(self, name)!r}")
        for name in ("constant_total", "clip_at_zero"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"`{name}` should be True or False. Received: {getattr(self, name)!r}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            sign = _SIGNS.get(field.name, "finite")
            if field.type == "Pair":
                object.__setattr__(self, field.name, _pair(value, field.name, sign))
            elif field.type == "float" and not (field.name == "saturation" and value == np.inf):
                _checks.number(value, field.name, sign)
        object.__setattr__(self, "mass_numbers", _checks.mass_numbers(self.mass_numbers))
        for name, most in (("dead_fraction", 1), ("accidental_fraction", 1), ("relative_noise", 0.15)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"`{name}` should lie between 0 and {most}. Received: {getattr(self, name)!r}")
        self._check_array()
        self._check_showers()

    def _check_array(self) -> None:
        if not 3 <= self.n_stations <= MOST_VALUES / self.n_bins:
            raise ValueError(
                f"`n_rows` and `n_columns` should give at least 3 stations, and at most {MOST_VALUES} bins in all. "
                f"Received: {self.n_rows!r} and {self.n_columns!r}"
            )

    def _check_showers(self) -> None:
        if not 0 <= self.max_zenith <= atmosphere.MAX_ZENITH:
            raise ValueError(
                f"`max_zenith` should lie between 0 and {atmosphere.MAX_ZENITH:g} degrees. "
                f"Received: {self.max_zenith!r}"
            )
        if not self.log10_energy[0] <= self.log10_energy[1]:
            raise ValueError(f"`log10_energy` should be a lower and an upper bound. Received: {self.log10_energy!r}")
        if not 0 < self.front_origin <= 1:
            raise ValueError(f"`front_origin` should lie between 0 and 1. Received: {self.front_origin!r}")
        if np.any(np.array(self.profile_start) >= np.minimum(self.profile_maximum, 0)):
            raise ValueError(
                f"`profile_start` should lie before 0 and `profile_maximum`. Received: {self.profile_start!r}"
            )
        lowest = self.observation_level + self.height_of_maximum
        if not atmosphere.LOWEST_HEIGHT <= self.observation_level <= lowest < atmosphere.TOP_HEIGHT:
            raise ValueError(
                f"`observation_level` should lie between {atmosphere.LOWEST_HEIGHT:g} m and the top of the air. "
                f"Received: {self.observation_level!r}"
            )
        energy, mass = np.meshgrid(self.log10_energy, self.mass_numbers)
        xmax = showers.xmax_parameters(mass, energy, hadronic_model=self.hadronic_model)
        share = showers.share_above(atmosphere.depth_at_height(lowest), *xmax).min()
        if not share >= SMALLEST_SHARE:
            raise ValueError(
                f"`observation_level` and `height_of_maximum` should leave at least {SMALLEST_SHARE:g} of the vertical "
                f"showers. Received: {self.observation_level!r} and {self.height_of_maximum!r}, which leave {share:.1g}"
            )

    @property
    def stations(self) -> geometry.Layout:
        """Where the stations stand, and how they fit into a two-dimensional array."""
        return _stations(self.layout, self.n_rows, self.n_columns, self.spacing)

    @property
    def n_stations(self) -> int:
        """Number of stations."""
        return self.n_rows * self.n_columns

    @property
    def bin_edges(self) -> NDArray[np.float64]:
        """Edges of the bins of a trace, after the front at the station [ns], (n_bins + 1,)."""
        return np.asarray(np.arange(self.n_bins + 1) * self.bin_width)

    @property
    def ground_depth(self) -> float:
        """Vertical depth of the stations [g/cm²]."""
        return float(atmosphere.depth_at_height(self.observation_level))


@lru_cache(maxsize=8)
def _stations(layout: str, n_rows: int, n_columns: int, spacing: float) -> geometry.Layout:
    return _LAYOUTS[layout](n_rows, n_columns, spacing)


def _pair(values: Any, name: str, sign: str) -> Pair:
    if not isinstance(values, Sequence | np.ndarray) or isinstance(values, str) or len(values) != 2:
        raise ValueError(f"`{name}` should be a pair of numbers. Received: {values!r}")
    for value in values:
        _checks.number(value, name, sign)
    return float(values[0]), float(values[1])


def check_model(model: Any) -> ArrayModel:
    """Return `model` if it is an `ArrayModel`; raise `ValueError` otherwise."""
    if not isinstance(model, ArrayModel):
        raise ValueError(f"`model` should be an ArrayModel. Received: {model!r}")
    return model
