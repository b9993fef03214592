"""A plain event loop: one shower, one station after the other, every particle drawn. The oracle of `surface`.

It says in the most direct words what the model is, and shares no code with the fast simulator but the parameters. It is
also what the speed of the fast simulator is compared with. Showers are those of EPOS-LHC, stations stand in the layout
"offset".
"""

import math

import numpy as np

from showertools.surface_model import ArrayModel

SPEED_OF_LIGHT = 0.299792458  # m/ns
DEFAULT = ArrayModel()


def depth_at_height(height):
    """Depth [g/cm²] of a height above the sea [m]; the layers of the US standard atmosphere one after the other."""
    if height < 4_000:
        return -186.555305 + 1222.6562 * math.exp(-height / 9941.8638)
    if height < 10_000:
        return -94.919 + 1144.9069 * math.exp(-height / 8781.5355)
    if height < 40_000:
        return 0.61289 + 1305.5948 * math.exp(-height / 6361.4304)
    return 540.1778 * math.exp(-height / 7721.7016)


def height_at_depth(depth):
    """Height above the sea [m] of a depth [g/cm²]."""
    if depth > 631.1:
        return -9941.8638 * math.log((depth + 186.555305) / 1222.6562)
    if depth > 271.7:
        return -8781.5355 * math.log((depth + 94.919) / 1144.9069)
    if depth > 3.0395:
        return -6361.4304 * math.log((depth - 0.61289) / 1305.5948)
    return -7721.7016 * math.log(depth / 540.1778)


def station_positions(model):
    """Position (x, y) of each station [m], row after row; odd rows are shifted, a station stands at (0, 0)."""
    half_rows, half_columns = (model.n_rows - 1) / 2, (model.n_columns - 1) / 2
    shift = 0.5 * ((model.n_rows // 2) % 2)
    return [
        (
            (column - half_columns + 0.5 * (row % 2) - shift) * model.spacing,
            (row - half_rows) * model.spacing * math.sqrt(0.75),
        )
        for row in range(model.n_rows)
        for column in range(model.n_columns)
    ]


def draw_xmax(rng, log10_energy, mass_number):
    """Xmax [g/cm²] of one shower of EPOS-LHC."""
    log_energy, log_mass = log10_energy - 19, math.log(mass_number)
    powers = (1, log_mass, log_mass**2)

    def polynomial(coefficients):
        return sum(a * power for a, power in zip(coefficients, powers, strict=True))

    mu = polynomial((775.589, -7.047, -2.427)) + polynomial((57.589, -0.743, 0.214)) * log_energy
    mu += polynomial((-0.820, -0.169, -0.027)) * log_energy**2
    sigma = polynomial((29.403, 13.553, -3.154)) + polynomial((0.096, -0.961, 0.150)) * log_energy
    shape = polynomial((0.563, 0.711, 0.058)) + polynomial((0.039, 0.067, -0.004)) * log_energy
    return mu - sigma * math.log(rng.gamma(shape, 1 / shape))


def draw_shower(rng, model=DEFAULT, mass_number=1):
    """A shower (axis, core, log10_energy, xmax) of a given mass."""
    log10_energy = rng.uniform(*model.log10_energy)
    while True:  # density sin θ·cos θ: isotropic directions, of which a flat array catches a share cos θ
        zenith = math.acos(rng.uniform(math.cos(math.radians(model.max_zenith)), 1))
        if rng.random() < math.cos(zenith):
            break
    azimuth = rng.uniform(0, 2 * math.pi)
    axis = (math.sin(zenith) * math.cos(azimuth), math.sin(zenith) * math.sin(azimuth), math.cos(zenith))
    while True:
        core = rng.uniform(-model.core_radius, model.core_radius), rng.uniform(-model.core_radius, model.core_radius)
        if math.hypot(*core) <= model.core_radius:
            break
    lowest = model.observation_level + model.height_of_maximum
    while True:
        xmax = draw_xmax(rng, log10_energy, mass_number)
        if xmax < depth_at_height(lowest) / math.cos(zenith):
            return axis, core, log10_energy, xmax


def distance_to_axis(position, core, axis):
    """Distance of a point on the ground to the shower axis [m]: the length of a cross product."""
    dx, dy = position[0] - core[0], position[1] - core[1]
    cross = (dy * axis[2], -dx * axis[2], dx * axis[1] - dy * axis[0])
    return math.sqrt(sum(value**2 for value in cross))


def point_on_axis(depth, core, axis, model):
    """The point (x, y, height above the ground) at which the axis has a slant depth [g/cm²]."""
    height = height_at_depth(depth * axis[2]) - model.observation_level
    return tuple(start + direction * height / axis[2] for start, direction in zip((*core, 0), axis, strict=True))


def component(index, distance, depth, log10_energy, mass_number, fluctuation, model):
    """Expected particles, median arrival [ns] of the muons (0) or the electromagnetic particles (1)."""
    expected = model.signal_at_1000_m[index] * (10 ** (log10_energy - 19)) ** model.energy_exponent[index]
    muons, others = model.signal_at_1000_m
    if index == 0:
        expected *= mass_number**model.mass_exponent * fluctuation
    if model.constant_total:
        expected *= (muons + others) / (muons * mass_number**model.mass_exponent + others)
    near = max(distance, model.near_distance)
    expected *= (near / 1000) ** model.lateral_exponent[index]
    far = (near + model.lateral_scale) / (1000 + model.lateral_scale)
    expected *= far ** model.lateral_exponent_far[index]
    if model.attenuation == "power law":
        expected *= min((depth / 100) ** -model.attenuation_exponent[index], 10)
    else:
        start, maximum = model.profile_start[index], model.profile_maximum[index]
        length = model.attenuation_length[index]
        rise = (depth - start) / (maximum - start)
        expected *= rise ** ((maximum - start) / length) * math.exp((maximum - depth) / length)
    median = model.arrival_slope[index] * (distance / 750) ** model.arrival_exponent
    median *= max(1 - model.arrival_shrinkage[index] * depth / 1000, 0.1)
    return expected, model.arrival_offset[index] + median


def station(rng, position, axis, core, log10_energy, xmax, mass_number, fluctuation, model):
    """Trace (bins,), time after the core is hit [ns] and whether a bin is saturated, of one station."""
    distance = distance_to_axis(position, core, axis)
    maximum = point_on_axis(xmax, core, axis, model)
    slope = maximum[2] / math.dist((*position, 0), maximum)  # cosine of the angle under which it sees the maximum
    depth = (depth_at_height(model.observation_level) - depth_at_height(maximum[2] + model.observation_level)) / slope

    expected, median = zip(
        *(component(k, distance, depth, log10_energy, mass_number, fluctuation, model) for k in (0, 1)), strict=True
    )
    scale = min(1, model.most_particles / sum(expected))
    lag = (0, model.electromagnetic_lag * (median[1] - median[0]))
    counts = np.zeros(model.n_bins)
    for k in (0, 1):
        number = rng.poisson(expected[k] * scale)
        arrival = lag[k] + rng.lognormal(math.log(median[k]), model.arrival_width, number)
        counts += np.histogram(arrival, bins=np.arange(model.n_bins + 1) * model.bin_width)[0]

    trace = counts
    if model.response_time > 0:
        decay = math.exp(-model.bin_width / model.response_time)
        trace = np.convolve(counts, (1 - decay) * decay ** np.arange(model.n_bins))[: model.n_bins]
    trace = trace + model.relative_noise * trace * rng.standard_normal(model.n_bins)
    trace += model.pedestal + model.pedestal_noise * rng.standard_normal(model.n_bins)
    if model.clip_at_zero:
        trace = np.maximum(trace, 0)
    saturated = bool(np.any(trace >= model.saturation))
    trace = np.minimum(trace, model.saturation)

    if model.front == "plane":
        path = -(position[0] - core[0]) * axis[0] - (position[1] - core[1]) * axis[1]
    else:
        origin = point_on_axis(model.front_origin * xmax, core, axis, model)
        path = math.dist((*position, 0), origin) - math.dist((*core, 0), origin)
    n = counts.sum()
    half = sum(expected[k] * (median[k] + lag[k]) for k in (0, 1)) / sum(expected)
    sampling = 2 * half / max(n, 2) * math.sqrt((max(n, 2) - 1) / (max(n, 2) + 1))
    time = path / SPEED_OF_LIGHT + rng.normal(0, model.clock_resolution)
    time += rng.normal(0, model.sampling_noise * sampling)
    time += rng.normal(0, 8 * model.time_noise / (1 + math.log10(n + 1)))
    return trace, time, saturated


def event(rng, axis, core, log10_energy, xmax, mass_number=1, model=DEFAULT):
    """One shower as a dict with the keys of `surface.simulate`."""
    spread = model.muon_fluctuation * mass_number**model.muon_fluctuation_exponent
    fluctuation = rng.gamma(1 / spread**2, spread**2) if spread else 1.0
    start = rng.uniform(-model.start_spread, model.start_spread)
    found = {"signal": [], "time": [], "trace": [], "saturated": [], "accidental": [], "working": []}
    for position in station_positions(model):
        trace, time, saturated = station(rng, position, axis, core, log10_energy, xmax, mass_number, fluctuation, model)
        working = rng.random() >= model.dead_fraction
        triggered = working and trace.sum() >= model.threshold
        accidental = working and not triggered and rng.random() < model.accidental_fraction
        if accidental:
            time += rng.uniform(-model.accidental_window, model.accidental_window)
        signal = trace.sum() if triggered else model.threshold + rng.exponential(1.0)
        seen = triggered or accidental
        found["signal"].append(signal if seen else math.nan)
        found["time"].append(start + time if seen else math.nan)
        found["trace"].append(trace if triggered else np.zeros(model.n_bins))  # those of accidentals are not compared
        found["saturated"].append(triggered and saturated)
        found["accidental"].append(accidental)
        found["working"].append(working)
    return {name: np.array(values) for name, values in found.items()}


def simulate(n_showers, *, seed, model=DEFAULT):
    """Showers one after the other, the masses in turn; arrays keyed as those of `surface.simulate`."""
    rng = np.random.default_rng(seed)
    events = []
    for index in range(n_showers):
        mass_number = model.mass_numbers[index % len(model.mass_numbers)]
        axis, core, log10_energy, xmax = draw_shower(rng, model, mass_number)
        truth = {"axis": axis, "core": core, "log10_energy": log10_energy, "xmax": xmax, "mass_number": mass_number}
        events.append(event(rng, axis, core, log10_energy, xmax, mass_number, model) | truth)
    return {name: np.array([event[name] for event in events]) for name in events[0]}


def repeat(n_showers, shower, *, seed, model=DEFAULT, mass_number=1):
    """The same shower (axis, core, log10_energy, xmax) again and again; arrays keyed as those of `surface.simulate`."""
    rng = np.random.default_rng(seed)
    events = [event(rng, *shower, mass_number, model) for _ in range(n_showers)]
    return {name: np.array([event[name] for event in events]) for name in events[0]}
