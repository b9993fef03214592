"""A plain event loop: one shower at a time, one muon at a time. The oracle of `showertools.footprints`.

It says in the most direct words what the toy is, and shares no code with the fast simulator but the parameters. It is
also what the speed of the fast simulator is compared with.
"""

import math

import numpy as np

from showertools.footprints import FootprintModel

SPEED_OF_LIGHT = 0.299792458  # m/ns
DEFAULT = FootprintModel()
EPOS_LHC = {  # mu, sigma, lambda at 10^19 eV: coefficients of 1, ln A, ln²A
    "mu": (775.589, -7.047, -2.427),
    "sigma": (29.403, 13.553, -3.154),
    "lambda": (0.563, 0.711, 0.058),
}


def height_at_depth(depth):
    """Height above the sea [m]; the layers of the US standard atmosphere one after the other."""
    if depth > 631.1:
        return -9941.8638 * math.log((depth + 186.555305) / 1222.6562)
    if depth > 271.7:
        return -8781.5355 * math.log((depth + 94.919) / 1144.9069)
    if depth > 3.0395:
        return -6361.4304 * math.log((depth - 0.61289) / 1305.5948)
    if depth > 0.00128292:
        return -7721.7016 * math.log(depth / 540.1778)
    return (0.01128292 - depth) * 1e7


def draw_xmax(rng, mass_number):
    """Xmax [g/cm²] of one shower of 10^19 eV."""
    log_mass = math.log(mass_number)
    mu, sigma, shape = (a0 + a1 * log_mass + a2 * log_mass**2 for a0, a1, a2 in EPOS_LHC.values())
    return mu - sigma * math.log(rng.gamma(shape, 1 / shape))


def shower(rng, mass_number, model=DEFAULT):
    """One shower of a given mass as a dict with the keys of `footprints.simulate`."""
    n = model.n_pixels
    counts = [[0] * n for _ in range(n)]
    arrival_time = [[math.nan] * n for _ in range(n)]
    log_mass = math.log(mass_number)

    xmax = draw_xmax(rng, mass_number)
    core_x, core_y = rng.normal(0, model.core_spread), rng.normal(0, model.core_spread)
    start = rng.normal(0, model.start_spread)
    ground = model.ground_depth

    spread = model.muon_fluctuation * mass_number**model.muon_fluctuation_exponent
    factor = rng.gamma(1 / spread**2, spread**2)  # mean 1, standard deviation `spread`
    n_drawn = rng.poisson(model.muons_per_proton * mass_number**model.mass_exponent * factor)
    mean_depth = xmax - model.production_lag - model.production_lag_per_log_mass * log_mass
    width = model.production_width + model.production_width_per_log_mass * log_mass

    n_muons = 0
    for _ in range(n_drawn):
        depth = rng.normal(mean_depth, width)
        if not 0 < depth < ground:
            continue
        n_muons += 1
        height = height_at_depth(depth) - model.observation_level
        x = height * rng.normal(0, model.opening_angle)
        y = height * rng.normal(0, model.opening_angle)
        path = math.sqrt(height**2 + x**2 + y**2)
        time = start + (path - height) / SPEED_OF_LIGHT + rng.normal(0, model.time_resolution)
        column = math.floor((x + core_x) / model.pixel_size + n / 2)
        row = math.floor((y + core_y) / model.pixel_size + n / 2)
        if not (0 <= column < n and 0 <= row < n):
            continue
        counts[row][column] += 1
        if not time >= arrival_time[row][column]:  # true where there is no time yet
            arrival_time[row][column] = time
    return {
        "counts": np.array(counts, dtype=float),
        "arrival_time": np.array(arrival_time),
        "xmax": xmax,
        "mass_number": mass_number,
        "n_muons": n_muons,
        "core": np.array([core_x, core_y]),
        "start": start,
    }


def simulate(n_showers, *, seed, model=DEFAULT, mass_numbers=None):
    """Showers one after the other, the masses in turn; arrays keyed as those of `footprints.simulate`."""
    rng = np.random.default_rng(seed)
    masses = mass_numbers or model.mass_numbers
    events = [shower(rng, masses[index % len(masses)], model) for index in range(n_showers)]
    return {name: np.array([event[name] for event in events]) for name in events[0]}
