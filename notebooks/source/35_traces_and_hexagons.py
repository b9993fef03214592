# %% [markdown]
# # The depth of the maximum from time traces
#
# **You will be able to**
# - say why signals of an array know little about Xmax and time traces much, and put a number on both,
# - read a rise time from a trace, and build a classical estimate of Xmax on it,
# - convolve on a hexagonal grid, and along the time,
# - look for what a network has taken from its simulation: the bias against mass, and under another hadronic model,
# - measure what dead and saturated stations cost, and train a network that bears them.
#
# **Time** 50 min reading, 70 min tasks; runs in 4 min on two CPU cores.
# **You need** [lesson 34](34_array_reconstruction.ipynb), and convolutions ([lesson 22](22_cifar10_cnn.ipynb)).

# %%
from showertools import (
    array_features,
    array_fit,
    array_limits,
    array_traces,
    batches,
    datasets,
    geometry,
    metrics,
    multitask,
    profile,
    surface,
    tasks,
    trace_networks,
)
from showertools.layers import HexConv

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
from dataclasses import replace
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

# %% [markdown]
# ## What a sum does not say
#
# A shower grows, reaches its maximum at the depth Xmax, and dies out. Xmax tells light nuclei from heavy ones, so you
# want it for every shower. A telescope sees it, in moonless nights, one hour in eight. An array of detectors works
# all the time, but it only sees what arrives at the ground. Does that know where the maximum was?
#
# Take the course's default array (stations 1500 m apart, on a hexagonal grid; its parameters follow the literature),
# and proton showers of 10¹⁹·⁵ eV at 38°, with the maximum at 650 or at 850 g/cm². Look at the stations between 900
# and 1100 m from the axis: first at the mean of their traces, then at their signals.

# %%
model = surface.ArrayModel()
layout, index = array_traces.middle(model)  # 37 stations: one in the middle, with three rings around it
inclined = np.array([np.sin(np.radians(38)), 0, np.cos(np.radians(38))])
rng = np.random.default_rng(35)
cores = rng.uniform(-750, 750, (400, 2))
offset = model.stations.positions - cores[:, None]  # (400, S, 2)
distance = np.sqrt((offset**2).sum(axis=2) - (offset @ inclined[:2]) ** 2)
ring = (distance > 900) & (distance < 1100)  # (400, S)
at_depth = {
    (xmax, mass): surface.simulate_given(rng, np.full(400, xmax), mass, 19.5, axis=inclined, core=cores, model=model)
    for xmax, mass in ((650.0, 1), (850.0, 1), (650.0, 56))
}

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for (xmax, mass), color in zip(at_depth, ("#0072b2", "#d55e00", "#009e73")):
    events = at_depth[xmax, mass]
    label = f"{ {1: 'proton', 56: 'iron'}[mass] }, Xmax {xmax:.0f} g/cm²"
    panels[0].stairs(events["trace"][ring].mean(axis=0), model.bin_edges, color=color, label=label)
    panels[1].hist(events["signal"][ring], np.linspace(40, 220, 37), histtype="step", color=color, label=label)
panels[0].set(xlabel="time after the front [ns]", ylabel="mean trace [VEM in 25 ns]", xlim=(0, 1500))
panels[1].set(xlabel="signal [VEM]", ylabel="stations")
for panel in panels:
    panel.legend(fontsize="small")
plt.show()

# %% [markdown]
# Left: the front of a trace is mostly muons, its tail electrons and photons, which come later and die out in the air.
# The deeper the maximum, the less air there was to absorb them: the trace of the deep shower (red) has a long tail.
# Right: it also has more signal than the shallow proton (blue). But so has the iron nucleus (green), whose maximum is
# as high as that of the blue one: it has more muons. A shower of a little more energy would do, too. From the sums
# you cannot tell the red from the green ones; from the traces you can.
#
# ## How much is there to know?
#
# The Cramér–Rao bound of [lesson 34](34_array_reconstruction.ipynb) gives a number: how well could Xmax be known from
# signals and times, and how well with the traces? Direction, core, energy and the number of muons are unknown, too,
# and what is known beforehand is that Xmax is distributed as the four masses make it.

# %%
calibrated = surface.simulate(profile.pick(full=20_000, quick=2_000), seed=350, model=model, traces=False)
geometrical = array_fit.fit_geometry(calibrated, model)
calibration = array_fit.calibrate_energy(
    geometrical["size"], geometrical["axis"][:, 2], calibrated["log10_energy"]
)  # as in lesson 34, for this array
some = {name: values[: profile.pick(full=2_000, quick=150)] for name, values in calibrated.items()}
OBSERVABLES = {"signals and times": ("signal", "time"), "with traces": ("trace", "time")}
bound = {what: array_limits.bounds(some, model, observables=seen)["xmax_error"] for what, seen in OBSERVABLES.items()}

# %%
ENERGIES = ((18.5, 19.0), (19.0, 19.5), (19.5, 20.0))  # log10(E/eV)
LABELS = ["10¹⁸·⁵ to 10¹⁹ eV", "10¹⁹ to 10¹⁹·⁵ eV", "10¹⁹·⁵ to 10²⁰ eV"]


def by_energy(log10_energy, values, statistic):
    """A statistic of the values in each range of energies."""
    return np.array([statistic(values[(log10_energy >= low) & (log10_energy < high)]) for low, high in ENERGIES])


# %%
limit = {what: by_energy(some["log10_energy"], error**2, np.mean) ** 0.5 for what, error in bound.items()}
limit = {"all that is known beforehand": by_energy(calibrated["log10_energy"], calibrated["xmax"], np.std), **limit}
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
for number, (what, color) in enumerate(zip(limit, ("0.75", "#56b4e9", "#0072b2"))):
    bars = axes.bar(np.arange(3) + 0.27 * (number - 1), limit[what], 0.25, color=color, label=what)
    axes.bar_label(bars, fmt="%.0f")
axes.set(xticks=range(3), xticklabels=LABELS, ylabel="error of Xmax [g/cm²]", ylim=(0, 75))
axes.legend(loc="upper right", ncols=3, fontsize="small")
plt.show()

# %% [markdown]
# Grey is how much Xmax differs from shower to shower: who knows nothing but the energy is wrong by that much. At the
# lowest energies signals and times add hardly anything to it. With traces the error falls to less than a half above
# 10¹⁹·⁵ eV, to 20 g/cm².
#
# ## One number of a trace
#
# Before networks, people measured one number of each trace: the **rise time**, the time in which the signal comes
# from 10 % to 50 % of its sum. The earlier in the air the shower was at its maximum, the fewer late electrons and
# photons are left, and the shorter it is.
#
# ### Task 1: rise time
#
# Write `rise_time(trace, bin_width)` for one trace (T,) without negative bins. The light of a bin comes evenly
# between its edges, the first edge is at 0. Return the time between 10 % and 50 % of the sum [ns].


# %%
def rise_time(trace, bin_width):
    """Time in which the signal comes from 10 % to 50 % of its sum [ns]."""
    ### BEGIN SOLUTION
    share = np.append(0, np.cumsum(trace)) / np.sum(trace)  # at the edges
    early, late = np.interp([0.1, 0.5], share, bin_width * np.arange(len(share)))
    return late - early
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    example = np.array([0.0, 2.0, 2.0, 0.0])
    given = example.copy()
    answer = rise_time(given, 25.0)
    assert np.ndim([] if answer is None else answer) == 0, "Return one number, the time between the two shares."
    assert np.array_equal(given, example), "Leave the trace as it is: `a = a / b` makes a new one, `a /= b` changes it."
    assert not np.isclose(answer, 0.8), "That is in bins: a bin takes `bin_width`."
    assert not np.isclose(answer, 50), "That is when 50 % have come: take away the time at which 10 % have come."
    assert not np.isclose(answer, 0), (
        "Interpolate the *sum so far*: `np.interp(shares, share at each edge, time of each edge)` gives times."
    )
    assert not np.isclose(answer % 25, 0), (
        "Interpolate: 10 % may come in the middle of a bin. Edges: one more than bins."
    )
    assert np.isclose(answer, 20), "Of 4 VEM, 0.4 have come 5 ns after the bins with light begin, and 2 after 25 ns."
    assert np.isclose(rise_time(np.ones(10), 10.0), 40), "Even light over ten bins of 10 ns: from 10 to 50 ns."
    assert np.isclose(rise_time(np.array([5.0, 0.0, 0.0]), 25.0), 10), (
        "All in the first bin: from 2.5 to 12.5 ns. At its first edge the share is 0: edges are one more than bins."
    )
    assert np.isclose(rise_time(np.array([2.0, 0.0, 4.0, 2.0]), 25.0), 52.5), (
        "Of 2, 0, 4, 2 VEM a tenth has come after 10 ns, half after 62.5 ns: dark bins take their time, too."
    )
    assert np.isclose(rise_time(np.append(np.zeros(7), example), 25.0), 20), (
        "Darkness before the light does not matter."
    )


# %% tags=["wrong"]
# hint: Interpolate
def rise_time(trace, bin_width):
    share = np.cumsum(trace) / np.sum(trace)
    return bin_width * (np.argmax(share >= 0.5) - np.argmax(share >= 0.1) + 1)


# %% tags=["wrong"]
# hint: That is in bins
def rise_time(trace, bin_width):
    share = np.append(0, np.cumsum(trace)) / np.sum(trace)
    early, late = np.interp([0.1, 0.5], share, np.arange(len(share)))
    return late - early


# %% tags=["wrong"]
# hint: take away the time
def rise_time(trace, bin_width):
    share = np.append(0, np.cumsum(trace)) / np.sum(trace)
    return np.interp(0.5, share, bin_width * np.arange(len(share)))


# %% tags=["wrong"]
# hint: Leave the trace
def rise_time(trace, bin_width):
    trace /= np.sum(trace)
    early, late = np.interp([0.1, 0.5], np.append(0, np.cumsum(trace)), bin_width * np.arange(len(trace) + 1))
    return late - early


# %% [markdown]
# [`array_traces`](../showertools/array_traces.py) does it for whole arrays of traces. Simulate the training showers,
# of all energies, directions and four masses, fit them as in lesson 34, leave out the very few that cannot be fitted,
# and look at the rise times.

# %%
rise_time = tasks.solved(rise_time, otherwise=array_traces.rise_time, task="Task 1")


def prepare(n_showers, seed, simulated=model):
    """Showers that could be fitted, and what a network will read of them."""
    events = array_traces.simulate(n_showers, seed=seed, model=simulated, index=index)
    fitted = array_fit.reconstruct(events, model, calibration)
    good = array_features.usable(fitted)
    events, fitted = ({name: values[good] for name, values in some.items()} for some in (events, fitted))
    return events, array_traces.inputs(events, fitted, model, layout, index)


# %%
n_train = profile.pick(full=20_000, quick=1_500)
began = perf_counter()
train, seen = prepare(n_train, 351)
print({name: values.shape for name, values in seen.items()}, f"in {perf_counter() - began:.0f} s")

# %%
DISTANCE = array_features.STATION_FEATURES.index("distance")


def rises(events, seen):
    """Rise time [ns], weight and distance to the fitted axis [km] of the 37 stations, (n, 37) each."""
    rise = array_traces.rise_time(np.maximum(events["trace"], 0), model.bin_width)
    signal = np.nan_to_num(events["signal"][:, index])
    distance = layout.from_array(seen["stations"][..., DISTANCE], "axial", axis=1) * model.spacing / 1000
    good = (signal > 10) & (distance > 0.3) & (distance < 2) & ~events["saturated"][:, index]
    return np.where(good, rise, 1), good / (0.1**2 + 1 / np.maximum(signal, 1)), distance


# %%
rise, weight, distance = rises(train, seen)
one = np.flatnonzero((train["log10_energy"] > 19) & (train["axis"][:, 2] > 0.7))[0]  # the first such shower
first = int(np.argmax(weight[one]))
of_one = rise_time(np.maximum(train["trace"][one, first].astype(float), 0), model.bin_width)
print(f"by your function {of_one:.1f} ns, by the library {rise[one, first]:.1f} ns")

# %%
near_38 = np.abs(np.degrees(np.arccos(train["axis"][:, 2])) - 38) < 6
edges = np.linspace(0.3, 2, 10)
figure, axes = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
for (low, high), color in zip(((600, 700), (700, 800), (800, 950)), ("#0072b2", "0.5", "#d55e00")):
    mine = (near_38 & (train["xmax"] > low) & (train["xmax"] < high))[:, None] & (weight > 0)
    bins = metrics.binned(0 * rise[mine], rise[mine], distance[mine], edges, metric=metrics.bias, n_resamples=50)
    bars = [bins["value"] - bins["low"], bins["high"] - bins["value"]]
    axes.errorbar(
        bins["centre"], bins["value"], yerr=bars, fmt="o-", markersize=4, color=color, label=f"Xmax {low} to {high}"
    )
axes.set(xlabel="distance to the axis [km]", ylabel="mean rise time [ns]", ylim=(0, None))
axes.legend(title="32° to 44°; g/cm²")
plt.show()

# %% [markdown]
# Far from the axis particles have come by detours of very different lengths: the rise time triples from 0.4 to 1.8
# km. Xmax changes it by a tenth. You see it only after you have taken away what the distance does.
#
# So take away what distance and zenith angle explain, a polynomial that is fitted to all stations, and average what
# is left over the stations of a shower, with weights: Δ. Then Xmax is a polynomial in Δ, the cosine of the zenith
# angle and the energy. This is the idea of the Pierre Auger Observatory's Δ method.


# %%
def leftover(events, seen, benchmark):
    """Weighted mean of what is left of ln(rise time), cosine and energy of each shower, (n, 3)."""
    rise, weight, distance = rises(events, seen)
    cosine = np.broadcast_to(seen["shower"][:, :1], distance.shape)
    expected = benchmark.predict(np.stack([distance, cosine], axis=-1).reshape(-1, 2)).reshape(distance.shape)
    mean = (weight * (np.log(rise) - expected)).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
    return np.column_stack([mean, seen["shower"][:, :2]])


# %%
cosine = np.broadcast_to(seen["shower"][:, :1], distance.shape)
benchmark = make_pipeline(PolynomialFeatures(3), LinearRegression())
used = weight > 0
benchmark.fit(
    np.column_stack([distance[used], cosine[used]]), np.log(rise[used]), linearregression__sample_weight=weight[used]
)
classical = make_pipeline(PolynomialFeatures(3), LinearRegression())
classical.fit(leftover(train, seen, benchmark), train["xmax"])

# %%
of_rise = by_energy(train["log10_energy"], classical.predict(leftover(train, seen, benchmark)) - train["xmax"], np.std)
for label, known, from_rise, least in zip(LABELS, limit["all that is known beforehand"], of_rise, limit["with traces"]):
    print(f"{label:20s} spread {known:4.1f}, from rise times {from_rise:4.1f}, limit {least:4.1f} g/cm²")

# %% [markdown]
# The rise times bring Xmax from 48 to 36 g/cm² above 10¹⁹·⁵ eV, on these training showers, at the lowest energies
# only from 51 to 47. The limit is not near. A mean over stations of one number for each trace forgets most of what
# the traces say.
#
# ## Hexagons in a square array
#
# A rise time is one number of 120. A network may read the whole trace, and it may look at neighbours: a station is to
# be compared with those around it. Convolutions do this on a square grid, but each station of a hexagonal array has
# six neighbours, not eight. Write the array in **axial indices**: rows are rows of stations, columns run along the
# slanted lines. Then the neighbours are the same six steps (row, column) everywhere:

# %%
print(geometry.HEXAGONAL_STEPS)
print(layout.to_array(np.arange(37), "axial", fill=-1))

# %% [markdown]
# Of the eight elements around a place, two are no neighbours. So a hexagonal convolution is a square one whose kernel
# has no weights in two of its corners.
#
# ### Task 2: the sum over neighbours
#
# Write `neighbour_sum(values)`: for an array (H, W) in axial indices return the sum of each place and its six
# neighbours, an array (H, W). What lies beyond the edge of the array counts as 0.


# %%
def neighbour_sum(values):
    """Sum (H, W) of each place and its six neighbours in axial indices."""
    ### BEGIN SOLUTION
    rows, columns = values.shape
    padded = np.pad(values, 1)
    total = values.copy()
    for row, column in geometry.HEXAGONAL_STEPS:
        total = total + padded[1 + row : 1 + row + rows, 1 + column : 1 + column + columns]
    return total
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    middle = np.zeros((5, 6))
    middle[2, 3] = 1.0
    given = middle.copy()
    answer = neighbour_sum(given)
    assert getattr(answer, "shape", None) == (5, 6), "Return an array of the shape of `values`."
    assert np.array_equal(given, middle), "Leave `values` as it is: add to a copy."
    answer = np.round(answer, 9)  # by FFT, 0 and 1 are not exact
    assert not 0 < answer[2, 3] < 1, "The sum, not the mean."
    assert answer[2, 3] == 1, "The place itself takes part, once."
    assert np.sum(answer != 0) != 5, "Six neighbours, not four: two of them are one row and one column away."
    assert np.sum(answer != 0) != 9, "Two of the eight around a place are no neighbours: use the six steps."
    assert min(answer[3, 2], answer[1, 4]) == 1, "Steps are (row, column): (1, -1) is the next row, one column back."
    assert np.array_equal(np.argwhere(answer) - [2, 3], sorted([(0, 0), *geometry.HEXAGONAL_STEPS])), (
        "One place should give 1 to itself and its six neighbours, and to no other."
    )
    around = 1 + geometry.axial(4, 5, 1.0).n_neighbours.reshape(4, 5)  # itself and the neighbours that there are
    answer = neighbour_sum(np.ones((4, 5)))
    assert np.all(answer < around + 0.5), (
        "Beyond the edge is nothing: np.roll and the index -1 come back on the other side; np.pad helps."
    )
    assert np.allclose(answer, around), "Places at the edge have sums, too, of those neighbours that there are."
    numbers = np.arange(30.0).reshape(5, 6) / 4
    assert np.isclose(neighbour_sum(numbers)[2, 3], 7 * numbers[2, 3]), "Add the neighbours' values, as floats."


# %% tags=["wrong"]
# hint: Two of the eight
def neighbour_sum(values):
    padded = np.pad(values, 1)
    return sum(padded[i : i + values.shape[0], j : j + values.shape[1]] for i in range(3) for j in range(3))


# %% tags=["wrong"]
# hint: Beyond the edge is nothing
def neighbour_sum(values):
    return values + sum(np.roll(values, step, axis=(0, 1)) for step in geometry.HEXAGONAL_STEPS)


# %% tags=["wrong"]
# hint: The place itself
def neighbour_sum(values):
    padded = np.pad(values, 1)
    rows, columns = values.shape
    return sum(padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i, j in geometry.HEXAGONAL_STEPS)


# %% tags=["wrong"]
# hint: the next row, one column back
def neighbour_sum(values):
    padded = np.pad(values, 1)
    rows, columns = values.shape
    steps = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1)]
    return sum(padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i, j in steps)


# %%
def known_sum(values):
    """The same with the library: a hexagonal convolution of ones."""
    layer = HexConv(1, kernel_initializer="ones", use_bias=False)
    return np.asarray(layer(np.float32(values)[None, :, :, None]))[0, :, :, 0]


neighbour_sum = tasks.solved(neighbour_sum, otherwise=known_sum, task="Task 2")

# %% tags=["expected"]
point = layout.to_array(1.0 * (np.arange(37) == 18), "axial")  # 1 in the middle
around = np.pad(point, 1)
square = sum(around[i : i + 7, j : j + 7] for i in range(3) for j in range(3))
figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.8), layout="constrained")
for panel, sums, title in zip(panels, (square, neighbour_sum(point)), ("square kernel", "hexagonal kernel")):
    values = layout.from_array(sums, "axial")
    panel.scatter(
        *layout.positions.T / 1000, s=620, marker="h", c=values, cmap="Blues", vmin=-0.3, vmax=1.2, edgecolors="k"
    )
    panel.set(title=title, xlabel="x [km]", ylabel="y [km]", aspect="equal", xlim=(-5.5, 5.5), ylim=(-5, 5))
plt.show()

# %% [markdown]
# A square kernel on axial indices would see two stations of the second ring, and no others of it: it would prefer one
# direction on the ground. The hexagonal one, [`HexConv`](../showertools/layers.py), sees the ring. It has 7 weights a
# channel in place of 9, with two rings 19 in place of 25.
#
# ## A network for each trace
#
# A trace has 120 bins, and a shower 37 traces. All stations get the same small network, the *encoder*. Two
# convolutions along the time: the first sees 7 bins and keeps every fourth place, the second sees 5 of these places
# and keeps every third. So ten places are left, with 32 numbers each, and a dense layer makes 48 of them.
#
# ### Task 3: what does one number see?
#
# Write `receptive_field(sizes, strides)` for a stack of any number of convolutions, that which reads the trace first:
# how many bins of the trace does one number after the last layer see, and how many bins later does the view of the
# next number begin? Return the pair (field, step).


# %%
def receptive_field(sizes, strides):
    """Bins that one output sees, and bins from one output to the next."""
    ### BEGIN SOLUTION
    field, step = 1, 1
    for size, stride in zip(sizes, strides):
        field += (size - 1) * step
        step *= stride
    return field, step
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    answer = receptive_field([7], [4])
    assert np.shape([] if answer is None else answer) == (2,), "Return two numbers: the field, and the step."
    assert tuple(answer) != (4, 7), "The field first, then the step."
    assert tuple(answer) == (7, 4), (
        "One layer: an output sees as many bins as its kernel has; the next begins a stride later."
    )
    answer = tuple(receptive_field([3, 3, 3], [1, 1, 1]))
    assert answer[1] == 1, "Steps multiply: where every place is kept, the next output begins one bin later."
    assert answer[0] != 9, "Neighbouring outputs see almost the same bins: fields overlap, sizes do not add up."
    assert answer[0] != 27, "Sizes do not multiply, either: each layer adds its size less one."
    assert answer[0] == 7, "Three layers of 3 without strides see 3 + 2 + 2 bins."
    answer = tuple(receptive_field([7, 5], [4, 3]))
    assert answer[1] == 12, "Steps multiply: 4 bins from place to place, and every third place is kept."
    assert answer[0] != 11, "Places of the second layer lie 4 bins apart: 4 further places see 4·4 further bins."
    assert answer[0] != 7 + 4 * 12, "The second layer's own stride comes after it: its inputs lie 4 bins apart."
    assert answer[0] == 23, "The first place sees 7 bins, each of 4 further places begins 4 bins later."
    answer = tuple(receptive_field([3, 5, 2], [2, 3, 1]))
    assert answer[0] != 14, "Before the third layer both strides count: its places lie 2·3 bins apart."
    assert answer[0] != 12, "The first layer of the lists is the one that reads the trace."
    assert answer == (17, 6), "Sizes 3, 5, 2 with strides 2, 3, 1 see 3 + 4·2 + 1·2·3 bins, in steps of 2·3·1."


# %% tags=["wrong"]
# hint: fields overlap
def receptive_field(sizes, strides):
    return sum(sizes), int(np.prod(strides))


# %% tags=["wrong"]
# hint: Places of the second layer
def receptive_field(sizes, strides):
    return 1 + sum(size - 1 for size in sizes), int(np.prod(strides))


# %% tags=["wrong"]
# hint: Steps multiply
def receptive_field(sizes, strides):
    field, step = 1, 0
    for size, stride in zip(sizes, strides):
        field += (size - 1) * max(step, 1)
        step += stride
    return field, step


# %%
def known_field(sizes, strides):
    """The same, with the strides before each layer multiplied."""
    steps = np.cumprod([1, *strides])
    return int(1 + np.dot(np.array(sizes) - 1, steps[:-1])), int(steps[-1])


receptive_field = tasks.solved(receptive_field, otherwise=known_field, task="Task 3")
field, step = receptive_field([7, 5], [4, 3])
print(f"one number sees {field * model.bin_width:.0f} ns, the next begins {step * model.bin_width:.0f} ns later")

# %% [markdown]
# So a place after both layers sees half a microsecond of the trace: about one rise time. The numbers of each trace
# join what the fit says of its station ([`array_features`](../showertools/array_features.py), thirteen numbers, as in
# lesson 34). A dense layer and a hexagonal convolution follow, the mean over the 37 stations, and dense layers, which
# say Xmax and their own error, trained with the Gaussian loss of lesson 34. Traces run over four orders of magnitude;
# what goes in is $\ln(1 + 10\,s)/3$ for a bin of $s$ VEM.

# %%
# NBVAL_CHECK_OUTPUT
network = trace_networks.xmax_network(seen, layout.mask("axial"))
print(f"{network.count_params():,} parameters")

# %%
epochs = profile.pick(full=5, quick=2)
mean, spread = train["xmax"].mean(), train["xmax"].std()


def train_network(seen, xmax, seed, augment=lambda seen, rng: seen):
    """A network that estimates Xmax, trained."""
    keras.utils.set_random_seed(seed)
    network = trace_networks.xmax_network(seen, layout.mask("axial"))
    some = batches.AugmentedBatches(seen, ((xmax - mean) / spread)[:, None], augment, batch_size=128, seed=seed)
    steps = epochs * len(some)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, int(0.9 * steps), warmup_target=3e-3, warmup_steps=int(0.1 * steps)
    )
    network.compile(keras.optimizers.Adam(rate), multitask.GaussianLoss(), steps_per_execution=5)
    network.fit(some, epochs=epochs, verbose=0)
    return network


# %%
def ask(network, seen):
    """Estimates of Xmax and of their errors [g/cm²], (n,) each."""
    predicted = network.predict(seen, batch_size=500, verbose=0)
    return multitask.estimates(predicted)[:, 0] * spread + mean, multitask.errors(predicted)[:, 0] * spread


began = perf_counter()
network = train_network(seen, train["xmax"], 1)
print(f"training took {perf_counter() - began:.0f} s")

# %% [markdown]
# ## The test, once
#
# Ten thousand showers that neither the network nor the classical estimate has seen.

# %%
test, test_seen = prepare(profile.pick(full=10_000, quick=1_000), 353)
found, stated = ask(network, test_seen)
of_rise = classical.predict(leftover(test, test_seen, benchmark))
estimates = {"rise times": (of_rise, "#d55e00"), "network": (found, "#0072b2")}
edges = np.linspace(18.5, 20, 7)
figure, panels = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
above = test["log10_energy"] > 19.5
panels[0].plot(test["xmax"][above], found[above], ".", markersize=2, color="#0072b2")
panels[0].axline((750, 750), slope=1, color="k", linewidth=0.8)
panels[0].set(xlabel="true Xmax [g/cm²]", ylabel="Xmax by the network [g/cm²]", title="above 10¹⁹·⁵ eV")
for what, (estimate, color) in estimates.items():
    bins = metrics.binned(test["xmax"], estimate, test["log10_energy"], edges, n_resamples=50)
    bars = [bins["value"] - bins["low"], bins["high"] - bins["value"]]
    panels[1].errorbar(bins["centre"], bins["value"], yerr=bars, fmt="o-", markersize=4, color=color, label=what)
of_bound = metrics.binned(
    0 * bound["with traces"], bound["with traces"], some["log10_energy"], edges, metric=metrics.rms_error
)
panels[1].plot(of_bound["centre"], of_bound["value"], "k-", label="limit with traces")
panels[1].plot(of_bound["centre"], 1.3 * of_bound["value"], "k:", label="1.3 times the limit")
panels[1].set(xlabel=r"$\log_{10}(E/\mathrm{eV})$", ylabel="resolution of Xmax [g/cm²]", ylim=(0, None))
panels[1].legend()
plt.show()

# %% [markdown]
# Above 10¹⁹·⁵ eV the network is at 23 g/cm², 1.16 times the limit, and nowhere above 1.2 times; rise times are at 36.
# Left: the deepest showers are estimated too shallow. They are rare, so a network that wants to be right on average
# rather believes in a measurement error. (The Pierre Auger Observatory reports better than 25 g/cm² above 2·10¹⁹ eV
# for its network, with full simulations of a real detector.)
#
# ## Neighbours, traces, and another encoder
#
# What is each part good for? The same network from three seeds: with a dense layer, which sees one station, in place
# of the hexagonal one; with two hexagonal ones; without traces; and without what the fit knows, so that it has to
# find the shower in signals and times itself. Then with another encoder, that of a published benchmark: a recurrent
# network, an LSTM of 32 in both directions followed by one of 10, which reads the trace bin by bin. It gets the same
# time as ours; with bins of 75 ns in place of 25 it is three times as fast, and so it gets a second try, and a third
# with five times the time (one seed). Resolutions of 5,000 showers of another seed than the test, mean ± spread.
# (`python notebooks/train_traces.py` makes the table.)

# %%
table = datasets.load(datasets.data_file("trace_comparisons.h5"))
recipes = datasets.attributes(datasets.data_file("trace_comparisons.h5"))["recipes"]


def show(numbers, array=0):
    """Print what recipes reach on one of the arrays: mean and spread over the seeds [g/cm²]."""
    print(f"{'':40s}{'seconds':>8s}" + "".join(f"{label:>22s}" for label in LABELS))
    for number in numbers:
        mine = table["recipe"] == number
        reached = table["resolution"][mine, array]  # (seeds, energies)
        spreads = [f" ± {spread:.1f}" for spread in reached.std(axis=0, ddof=1)] if len(reached) > 1 else [""] * 3
        row = "".join(f"{f'{value:.1f}{more}':>22s}" for value, more in zip(reached.mean(axis=0), spreads))
        print(f"{recipes[number]:40s}{table['seconds'][mine].mean():8.0f}{row}")


show(range(9))

# %% [markdown]
# - **Traces** are what matters: without them the same network ends at the limit of signals and times.
# - **The fit** is worth a quarter of the error. From signals and times alone the network would have to find axis,
#   core and size of each shower by itself, and 20,000 showers are too few to learn that.
# - **Neighbours** bring nothing that could be told from the spread over seeds, and two hexagonal layers are worse
#   than one: more weights, the same showers. Each station already has its place in the shower from the fit. Without
#   the fit, two hexagonal layers are better above 10¹⁹·⁵ eV by 1.3 g/cm², with spreads of 0.8 and 0.1. Where a
#   network has to find the shower itself, neighbours may help; here most of it was found before.
# - **The LSTM** reads 120 bins one after the other, and cannot be hurried: in the time in which convolutions have
#   gone five times through the showers it has made twenty steps, and learned nothing. With bins of 75 ns and five
#   times the time it comes to 31 g/cm², on its way. (Its rate and batches are ours; they were not tuned for it, and
#   nothing says where it would end on a graphics card.)
#
# ## What the simulation has taught
#
# The network knows Xmax to 23 g/cm², but is it right on average, for each mass? And nobody knows nature's hadronic
# interactions: simulations of them differ, in how deep the maxima lie and in how many muons there are (here
# QGSJetII-04 has 6 % fewer than EPOS-LHC, Sibyll 2.1 a fifth fewer). Train on one, test on the others.

# %%
MODELS = {"EPOS-LHC": "#0072b2", "QGSJetII-04": "#009e73", "Sibyll 2.1": "#d55e00"}
n_others, high = profile.pick(full=4_000, quick=300), replace(model, log10_energy=(19.0, 20.0))
others = {}
for number, name in enumerate(MODELS):
    events, inputs = prepare(n_others, 354 + number, replace(high, hadronic_model=name))
    others[name] = events, ask(network, inputs)[0]

# %%
MASSES = {1: "p", 4: "He", 14: "N", 56: "Fe"}


def bias_by_mass(events, estimate):
    """Mean of estimate minus truth and its error for each mass, (2, 4) [g/cm²]."""
    left = [(estimate - events["xmax"])[events["mass_number"] == mass] for mass in MASSES]
    return np.array([[part.mean(), part.std() / np.sqrt(len(part))] for part in left]).T


figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for number, (name, color) in enumerate(MODELS.items()):
    value, error = bias_by_mass(*others[name])
    axes.errorbar(np.arange(4) + 0.12 * (number - 1), value, yerr=error, fmt="o", color=color, label=name)
axes.axhline(0, color="k", linewidth=0.8)
axes.set(xticks=range(4), xticklabels=MASSES.values(), xlabel="true mass", ylabel="bias of Xmax [g/cm²]")
axes.legend(title="tested on")
plt.show()

# %% [markdown]
# On its own model it pulls all masses towards their mean, as you have seen in [lesson 32](32_xmax.ipynb): protons by
# 6 g/cm², iron by 9. Under the other models everything moves deeper, by some 12 and 22 g/cm². Protons and iron lie 95
# g/cm² apart, helium and protons 33: whoever believes in the wrong model takes a nucleus for a much lighter one. No
# error bar of the test above said so: test and training showers came from the same simulation. (This is one network,
# of seed 1; the bars are the statistical errors of 1,000 showers each.)
#
# ### Task 4: is it the muons?
#
# Showers of another hadronic model differ in two ways: in where their maxima lie, and in how many muons they have.
# Which one misleads the network? Change one without the other. Write `with_muons(model, factor)`: an `ArrayModel`
# like the given one, whose showers have `factor` times as many muons. The parameter is `signal_at_1000_m`, a pair:
# (muonic, electromagnetic). The model is frozen; `replace(model, name=value)`, imported above from `dataclasses`,
# makes a changed copy.


# %%
def with_muons(model, factor):
    """A model with `factor` times as many muons."""
    ### BEGIN SOLUTION
    muonic, electromagnetic = model.signal_at_1000_m
    return replace(model, signal_at_1000_m=(factor * muonic, electromagnetic))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    other = surface.ArrayModel(signal_at_1000_m=(10.0, 30.0), spacing=1000.0, max_zenith=45.0)
    answer = with_muons(other, 0.8)
    assert isinstance(answer, surface.ArrayModel), "Return the changed model: an ArrayModel."
    assert other.signal_at_1000_m == (10.0, 30.0), "Leave the given model as it is: `replace` makes a changed copy."
    assert answer.signal_at_1000_m != (10.0, 30.0), "The pair is as it was: return what `replace` makes."
    assert answer.signal_at_1000_m != (10.0, 24.0), "The muonic signal comes first."
    assert answer.signal_at_1000_m != (8.0, 24.0), "Electromagnetic particles stay as many as they were."
    assert np.allclose(answer.signal_at_1000_m, (8.0, 30.0)), (
        "Multiply the first of the pair by `factor`, keep the second."
    )
    assert replace(answer, signal_at_1000_m=(10.0, 30.0)) == other, (
        "Everything else stays as in the model that is given."
    )
    assert np.allclose(with_muons(other, 1.25).signal_at_1000_m, (12.5, 30.0)), "Use `factor`, and do not round."


# %% tags=["wrong"]
# hint: Electromagnetic particles stay
def with_muons(model, factor):
    return replace(model, signal_at_1000_m=tuple(factor * signal for signal in model.signal_at_1000_m))


# %% tags=["wrong"]
# hint: Everything else stays
def with_muons(model, factor):
    muonic, electromagnetic = model.signal_at_1000_m
    return surface.ArrayModel(signal_at_1000_m=(factor * muonic, electromagnetic))


# %% tags=["wrong"]
# hint: The muonic signal comes first
def with_muons(model, factor):
    muonic, electromagnetic = model.signal_at_1000_m
    return replace(model, signal_at_1000_m=(muonic, factor * electromagnetic))


# %%
def known_change(model, factor):
    """The same, in one line."""
    return replace(model, signal_at_1000_m=tuple(np.multiply(model.signal_at_1000_m, (factor, 1))))


with_muons = tasks.solved(with_muons, otherwise=known_change, task="Task 4")
events, inputs = prepare(n_others, 354, with_muons(high, 0.8))
changed = {"EPOS-LHC": others["EPOS-LHC"], "EPOS-LHC, 20 % fewer muons": (events, ask(network, inputs)[0])}
changed["Sibyll 2.1"] = others["Sibyll 2.1"]
for name, (events, estimate) in changed.items():
    value, error = bias_by_mass(events, estimate)
    cells = ", ".join(f"{mass} {v:+.1f} ± {e:.1f}" for mass, v, e in zip(MASSES.values(), value, error))
    print(f"{name:27s} {cells} g/cm²")

# %% [markdown]
# With a fifth of the muons taken away, and nothing else changed, the estimates move deeper by 20 g/cm² for protons
# and 15 for iron: most of what Sibyll 2.1 does. A trace with few early muons looks as one with many late electrons
# does, that of a deep shower. So the network reads missing muons as depth. This is why observatories calibrate such a
# network with showers that a telescope has seen, too.
#
# ## Dead stations
#
# In a real array some stations are always down. Let a tenth of them be dead in each event. The fit knows which, and
# leaves them out. In the network's input all numbers of a dead station are 0. Here is what that costs a network that
# has never seen one.

# %%
dead = replace(model, dead_fraction=0.1)
broken, broken_seen = prepare(profile.pick(full=5_000, quick=500), 357, dead)
of_dead = ask(network, broken_seen)[0]
intact = by_energy(test["log10_energy"], found - test["xmax"], np.std)
lost = by_energy(broken["log10_energy"], of_dead - broken["xmax"], np.std)
for label, before, after in zip(LABELS, intact, lost):
    print(f"{label:20s} all stations alive {before:4.1f}, a tenth of them dead {after:4.1f} g/cm²")

# %% [markdown]
# A tenth of the stations takes away a tenth of the information, which makes an error larger by 5 %, a little more
# than 1 g/cm². The network loses 5. It has learned that a station says something even when it is silent, and takes
# the zeros of a dead one for a message.
#
# ### Task 5: switch stations off
#
# Write `switch_off(seen, rng, share)` for a batch as the network reads it, a dict with `trace` (B, H, W, T),
# `stations` (B, H, W, F) and `shower` (B, G). Each of the H·W places of each shower is off with the probability
# `share`, drawn by `rng.random`: then all its numbers in `trace` and `stations` are 0. Return a new dict; `shower`
# stays as it is.


# %%
def switch_off(seen, rng, share):
    """A batch in which some stations say nothing."""
    ### BEGIN SOLUTION
    alive = rng.random(seen["stations"].shape[:3]) >= share
    return {
        "trace": seen["trace"] * alive[..., None],
        "stations": seen["stations"] * alive[..., None],
        "shower": seen["shower"],
    }
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    shapes = {"trace": (50, 7, 7, 4), "stations": (50, 7, 7, 2), "shower": (50, 3)}
    threes = {name: np.full(shape, 3.0, np.float32) for name, shape in shapes.items()}
    answer = switch_off(threes, np.random.default_rng(1), 0.1)
    assert isinstance(answer, dict), "Return a dict with `trace`, `stations` and `shower`."
    assert {name: np.shape(answer.get(name)) for name in shapes} == shapes, "Keep the three names and their shapes."
    assert min(values.min() for values in threes.values()) == 3, "Leave the batch as it is: a * b makes a new array."
    assert np.all(answer["shower"] == 3), "The numbers of the shower stay as they are."
    of_trace, of_station = answer["trace"], answer["stations"]
    assert not np.isnan(of_station + of_trace[..., :2]).any(), "The numbers of a dead station are 0, not NaN."
    assert np.all(of_trace == of_trace[..., :1]), (
        "A dead station has no trace at all: draw once a station, not once a bin."
    )
    assert np.all(of_station == of_station[..., :1]), "Draw once a station, not once a number."
    assert np.all(of_trace[..., 0] == of_station[..., 0]), (
        "The same stations lose their trace and their numbers: draw once."
    )
    assert np.isin(of_station, (0, 3)).all(), (
        "Off is 0, on keeps its numbers: do not scale what stays, as dropout does."
    )
    off = 1 - of_station[..., 0] / 3  # (B, H, W)
    assert min(off.std(axis=1).max(), off.std(axis=2).max()) > 0, "Draw B·H·W numbers, not one for whole rows."
    assert off.std(axis=0).any(), "Each shower has its own dead stations."
    assert off.sum(axis=(1, 2)).std() > 0, "Each station by chance: not the same number in each shower."
    assert abs(off.mean() - 0.1) < 0.03, "A station is off with probability `share`: with 0.1 a share of 0.9 stays on."
    less = {name: values[:30] for name, values in threes.items()}
    again, other = (switch_off(less, np.random.default_rng(seed), 0.4)["stations"] for seed in (1, 2))
    assert abs(again.mean() / 3 - 0.6) < 0.05, "Use `share`: with 0.4 a share of 0.6 stays on."
    assert np.any(again != other), "Draw from the `rng` that is given: your own seed gives the same each time."


# %% tags=["wrong"]
# hint: draw once a station, not once a bin
def switch_off(seen, rng, share):
    alive = {name: rng.random(values.shape) >= share for name, values in seen.items() if name != "shower"}
    return {**seen, **{name: seen[name] * alive[name] for name in alive}}


# %% tags=["wrong"]
# hint: The same stations lose
def switch_off(seen, rng, share):
    alive = {name: rng.random((*seen[name].shape[:3], 1)) >= share for name in ("trace", "stations")}
    return {**seen, **{name: seen[name] * alive[name] for name in alive}}


# %% tags=["wrong"]
# hint: as dropout does
def switch_off(seen, rng, share):
    alive = (rng.random((*seen["stations"].shape[:3], 1)) >= share) / (1 - share)
    return {**seen, "trace": seen["trace"] * alive, "stations": seen["stations"] * alive}


# %% tags=["wrong"]
# hint: A station is off with probability
def switch_off(seen, rng, share):
    alive = rng.random((*seen["stations"].shape[:3], 1)) < share
    return {**seen, "trace": seen["trace"] * alive, "stations": seen["stations"] * alive}


# %% tags=["wrong"]
# hint: Leave the batch as it is
def switch_off(seen, rng, share):
    alive = rng.random((*seen["stations"].shape[:3], 1)) >= share
    for name in ("trace", "stations"):
        seen[name] *= alive.astype(seen[name].dtype)
    return seen


# %%
def known_switch(seen, rng, share):
    """The same with the library, which draws the share, too: up to twice as much."""
    return array_traces.switch_off(seen, rng, 2 * share)


switch_off = tasks.solved(switch_off, otherwise=known_switch, task="Task 5")
hardened = train_network(seen, train["xmax"], 1, lambda seen, rng: switch_off(seen, rng, 0.15))
after = {"alive": ask(hardened, test_seen)[0] - test["xmax"], "dead": ask(hardened, broken_seen)[0] - broken["xmax"]}
mended = {
    what: by_energy(part["log10_energy"], after[what], np.std) for what, part in (("alive", test), ("dead", broken))
}

# %% tags=["expected"]
figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
bars = {"never saw dead stations, none dead": intact, "never saw, a tenth dead": lost}
bars |= {"saw them, none dead": mended["alive"], "saw them, a tenth dead": mended["dead"]}
for number, ((what, values), color) in enumerate(zip(bars.items(), ("#56b4e9", "#0072b2", "#e69f00", "#d55e00"))):
    axes.bar_label(axes.bar(np.arange(3) + 0.2 * (number - 1.5), values, 0.19, color=color, label=what), fmt="%.1f")
axes.set(xticks=range(3), xticklabels=LABELS, ylabel="resolution of Xmax [g/cm²]")
axes.set_ylim(0, 1.45 * lost.max())
axes.legend(ncols=2, fontsize="small")
plt.show()

# %% [markdown]
# Whoever has seen dead stations in training hardly misses a tenth of them, and has lost nothing where all are alive.
# Three seeds of it, with other ways: stations switched off (up to 30 % in a shower), or dead stations simulated,
# where the fit has missed them, too. And the same question for **saturation**: stations near the core cannot record
# more than 180 VEM in 25 ns. What does that cost, and what if a network was trained without it?

# %%
print("a tenth of the stations dead")
show((0, 1, 9, 10), array=1)
print("\nstations saturate near the core, as it is")
show((0, 9, 10, 11), array=0)
print("\nno station ever saturates")
show((0, 11), array=2)

# %% [markdown]
# Switching off is as good as simulating, and can be done with the data you have. Saturation as such costs 1 g/cm²
# above 10¹⁹·⁵ eV. But a network that was trained without it is worse on real, saturated stations than no measurement
# at all: it has never seen a trace that is cut off, and there it can say anything. What it costs to leave out a known
# defect of the detector from the training is more than the defect itself costs.

# %% tags=["result"]
for what, (estimate, _) in {**estimates, "network that saw dead stations": (ask(hardened, test_seen)[0], "")}.items():
    value, low, high = metrics.bootstrap(metrics.resolution, test["xmax"][above], estimate[above])
    ratio = value / limit["with traces"][2]
    print(f"{what}: {value:.1f} ({low:.1f} to {high:.1f}) g/cm² above 10^19.5 eV, {ratio:.2f} of the limit")
pull = (found - test["xmax"]) / stated
print(f"spread of pulls {pull.std():.2f}; {len(found)} unseen showers")

# %% [markdown]
# ## What you learned
#
# - Look for where the information is before you build a network: a bound tells you that Xmax is in the shape of the
#   traces, and not in their sums.
# - One encoder for all traces, then convolutions on the grid that the array has. In axial indices a hexagonal
#   convolution is a square one without two of its corners.
# - A network believes its simulation: test it on other masses, on another hadronic model and on a damaged array.
#
# ## Go further
#
# - Be fair to the classical method: give it the fall time from 50 % to 90 %, the start from 5 % to 20 %, each in
#   three rings of distance, the remainders of the signals, and boosted trees in place of polynomials. Ours came to 32
#   g/cm² above 10¹⁹·⁵ eV.
# - Let the core fall anywhere, and put the hexagon around the station with the largest signal instead of the middle.
# - What is Xmax good for? Take the estimates above 10¹⁹ eV, and separate protons from iron by their merit factor
#   ([lesson 33](33_mass.ipynb)). Add the number of muons as a second target.
# - Which part of a trace does the network look at? Set the bins after 500 ns to 0, and look at the resolution.
#
# ## References
#
# - A. Aab et al. (Pierre Auger Collaboration), *Deep-learning based reconstruction of the shower maximum Xmax using
#   the water-Cherenkov detectors of the Pierre Auger Observatory*, JINST 16 (2021) P07019,
#   [doi:10.1088/1748-0221/16/07/P07019](https://doi.org/10.1088/1748-0221/16/07/P07019).
# - A. Aab et al. (Pierre Auger Collaboration), *Inferences on mass composition and tests of hadronic interactions
#   from 0.3 to 100 EeV using the water-Cherenkov detectors of the Pierre Auger Observatory*, Phys. Rev. D 96 (2017)
#   122003, [doi:10.1103/PhysRevD.96.122003](https://doi.org/10.1103/PhysRevD.96.122003).
# - L. Benato et al., *Shared data and algorithms for deep learning in fundamental physics*, Comput. Softw. Big Sci. 6
#   (2022) 9, [doi:10.1007/s41781-022-00082-6](https://doi.org/10.1007/s41781-022-00082-6).
# - E. Hoogeboom, J. W. T. Peters, T. S. Cohen, M. Welling, *HexaConv*, ICLR 2018,
#   [arXiv:1803.02108](https://arxiv.org/abs/1803.02108).
# - S. Hochreiter, J. Schmidhuber, *Long short-term memory*, Neural Computation 9 (1997) 1735,
#   [doi:10.1162/neco.1997.9.8.1735](https://doi.org/10.1162/neco.1997.9.8.1735).
