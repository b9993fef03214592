# %% [markdown]
# # Footprints: what an air shower leaves on the ground
#
# **You will be able to**
# - say what an air shower is, and convert between atmospheric depth and height,
# - build the footprint of a shower muon by muon, from five formulas,
# - save 40,000 simulated showers to HDF5 and test them against the formulas that they came from,
# - show with a number why neither the depth of the shower nor the size of its footprint tells the primary's mass.
#
# **Time** 40 min reading, 60 min tasks; runs in 30 s on two CPU cores.
# **You need** NumPy and Matplotlib. No deep learning yet: here you meet the data that the next lessons train on.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from showertools import (
    atmosphere,
    datasets,
    footprint_steps,
    footprints,
    metrics,
    plotting,
    profile,
    showers,
    tasks,
    viewer,
)

MASSES = np.array([1, 4, 14, 56])
model = footprints.FootprintModel()

# %% [markdown]
# ## A particle falls from the sky
#
# About once a year, each square kilometre of the Earth is hit by a single atomic nucleus of $10^{19}$ eV. That is 1.6
# J, the energy of a tennis ball at 27 km/h, in one particle. Where it comes from, nobody knows. To find out, one has to
# know which nucleus it was: a proton ($A = 1$) or iron ($A = 56$)?
#
# The nucleus never reaches the ground. It strikes a nucleus of the air, dozens of new particles fly on, strike again,
# and so on: an **air shower**. The number of particles grows until their energy gets too small to make more. The depth
# at which it is largest is called $X_\mathrm{max}$. Most particles are electrons and photons and die out behind it.
# Charged pions, however, decay into **muons**, and these reach the ground.
#
# An iron nucleus is in effect 56 nucleons of 1/56 of the energy each. Such a shower ends its growth higher up, varies
# less (it is an average of 56), and makes more muons. The Pierre Auger Observatory looks for these differences:
# telescopes see $X_\mathrm{max}$ in dark nights, 1,660 water tanks on 3,000 km² see the particles on the ground at any
# time. Hence the question of this part of the course: how much of $X_\mathrm{max}$ and $A$ can you read from the
# ground?
#
# ## Depth instead of height
#
# A shower does not count metres, it counts air. The **depth** $X$ is the mass of air above one square centimetre. From
# the top of the atmosphere to the sea it is 1036 g/cm². Guess first: at which height is half of the air below you?

# %%
# NBVAL_CHECK_OUTPUT
for height in (0, 1400, 5000, 10_000, 20_000):
    print(f"{height:6d} m: {atmosphere.depth_at_height(height):7.1f} g/cm²")

# %%
height = np.linspace(0, 25_000, 300)  # m
plt.plot(atmosphere.depth_at_height(height), height / 1000, color="k")
for mass in (1, 56):
    xmax = showers.xmax_mean(mass)
    top = atmosphere.height_at_depth(xmax) / 1000
    label = f"mean Xmax of {plotting.MASS_LABELS[mass]}, {xmax:.0f} g/cm²: {top:.1f} km"
    plt.plot([xmax, xmax], [0, top], color=plotting.MASS_COLORS[mass], label=label)
plt.xlabel("depth [g/cm²]")
plt.ylabel("height above the sea [km]")
plt.legend()
plt.show()

# %% [markdown]
# Half of the air lies below 5.5 km, where the depth is 518 g/cm². The maxima of proton and iron showers of $10^{19}$ eV
# are 96 g/cm² apart on average: one kilometre of height, at 2 to 3 km above the sea. That kilometre is all we have to
# tell them apart by depth.
#
# ## One shower, muon by muon
#
# The simulator of these lessons is a toy of five steps. It comes from the tutorial of a workshop at RWTH Aachen in
# 2017; the numbers that the tutorial leaves open are our choice and stand in
# [`FootprintModel`](../showertools/footprint_model.py). All showers come straight down, and all have $10^{19}$ eV.
#
# **Step 1: how many muons?** Their mean number is $\langle N\rangle = 1000 \cdot \frac{E}{10^{19}\,\mathrm{eV}} \cdot
# A^{0.15}$. (A real shower has many millions. Think of detectors that cover a small part of the ground.) Not two
# showers are alike: the expected number $\Lambda$ fluctuates, by 16 % for protons and by 4 % for iron, then the number
# itself as a Poisson variable of mean $\Lambda$.

# %%
# NBVAL_CHECK_OUTPUT
for mass in MASSES:
    print(f"A = {mass:2d}: {1000 * mass**0.15:4.0f} muons, Λ fluctuates by {100 * model.fluctuation(mass):.0f} %")

# %% [markdown]
# **Step 2: where are they made?** On the way to the maximum and around it. The toy draws the production depth of each
# muon from a normal distribution of mean $X_\mathrm{max} - 150 - 5\ln A$ and width $150 - 5\ln A$ [g/cm²]. A depth
# below the ground means that the muon is never made. Before you look: a normal distribution in depth, is it one in
# height as well?

# %%
rng = np.random.default_rng(31)
mass, xmax = 1, 750.0  # a proton shower of medium depth [g/cm²]
shape = model.fluctuation(mass) ** -2  # of a gamma distribution: its mean is 1, its spread that of Λ
n_muons = rng.poisson(1000 * mass**0.15 * rng.gamma(shape) / shape)

depth = rng.normal(xmax - 150 - 5 * np.log(mass), 150 - 5 * np.log(mass), n_muons)
depth = depth[(depth > 0) & (depth < model.ground_depth)]
height = atmosphere.height_at_depth(depth)  # the ground is at sea level

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
left.hist(depth, 40, color="0.4")
left.set(xlabel="production depth [g/cm²]", ylabel="muons")
right.hist(height / 1000, 40, color="0.4")
right.set(xlabel="production height [km]")
plt.show()

# %% [markdown]
# It is not: high up the air is thin, so that the same depth takes more metres. Most muons start at 2 to 8 km, a few
# above 12 km.
#
# **Step 3: which way?** Straight lines, at the speed of light, away from the axis. The two slopes of a muon (metres
# sideways for each metre down) are normal with a width of 0.12, the *opening angle*. A muon from height $h$ with slopes
# $(s_x, s_y)$ lands at
#
# $$(x, y) = (x_\mathrm{core}, y_\mathrm{core}) + h \cdot (s_x, s_y).$$
#
# **Step 4: when?** Down the axis, the front of the shower flies at the speed of light. It starts at height $h$ together
# with the muon, but the muon takes the longer way: one leg of the triangle against the other.
#
# ### Task 1: late by how much?
#
# A muon made on the axis at `height` lands at `distance` from the core. Write `delay(height, distance)`: the time [ns]
# that passes on the ground between the arrival of the front at the core and that of the muon. Both arguments [m] may be
# arrays. Draw the triangle first.


# %%
def delay(height, distance):
    """Time [ns] from the front's arrival to that of a muon from `height` [m] at `distance` [m] from the core."""
    ### BEGIN SOLUTION
    path = np.sqrt(height**2 + distance**2)  # m
    return (path - height) / footprints.SPEED_OF_LIGHT  # m/ns
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    on_axis, usual = delay(4000.0, 0.0), delay(4000.0, 800.0)
    assert on_axis is not None, "Your function gives nothing back: end it with `return`."
    assert abs(on_axis) < 1e-6, "A muon that flies down the axis comes with the front: do not count the way down."
    assert usual > 0, "Your muon is there before the front: which of the two has the longer way?"
    assert not np.isclose(usual, 800 / 0.299792458), (
        "Distance over c is a way along the ground. Which side does it fly?"
    )
    assert 1 < usual < 10_000, "It should be some 100 ns: is your speed of light in metres per nanosecond?"
    assert not np.isclose(usual, 79.2, atol=0.1), "79 m is how much longer the way is. Divide by the speed of light."
    assert np.isclose(usual, 264.2, atol=0.2), (
        "Close, but wrong: take the muon's path minus the front's, over c, exactly."
    )
    assert np.shape(delay(np.ones(3), np.ones((2, 1)))) == (2, 3), "Arrays should broadcast: use functions of NumPy."


# %% tags=["wrong"]
# hint: do not count the way down
def delay(height, distance):
    return np.hypot(height, distance) / footprints.SPEED_OF_LIGHT


# %% tags=["wrong"]
# hint: which of the two has the longer way
def delay(height, distance):
    return (height - np.hypot(height, distance)) / footprints.SPEED_OF_LIGHT


# %% tags=["wrong"]
# hint: Distance over c
def delay(height, distance):
    return distance / footprints.SPEED_OF_LIGHT


# %% tags=["wrong"]
# hint: Divide by the speed of light
def delay(height, distance):
    return np.hypot(height, distance) - height


# %% tags=["wrong"]
# hint: metres per nanosecond
def delay(height, distance):
    return (np.hypot(height, distance) - height) / 299_792_458


# %% tags=["wrong"]
# hint: minus the front's
def delay(height, distance):
    return distance**2 / (2 * height) / footprints.SPEED_OF_LIGHT


# %% tags=["expected"]
delay = tasks.solved(delay, otherwise=footprints.delay)
distance = np.linspace(0, 600, 100)  # m
for depth_made, style in ((300, ":"), (500, "-."), (700, "--"), (900, "-")):
    made = atmosphere.height_at_depth(depth_made)
    plt.plot(distance, delay(made, distance), style, color="k", label=f"{depth_made} g/cm², {made / 1000:.1f} km")
plt.xlabel("distance to the core [m]")
plt.ylabel("delay behind the front [ns]")
plt.legend(title="made at")
plt.show()

# %% [markdown]
# The deeper a muon was made, the later it comes, at every distance. So arrival times know about depth. Close to the
# core all curves meet: there, a clock tells when the front came, and nothing about where the muon was made.
#
# ### Task 2: down to the ground
#
# Write `land(height, slope, core, start)`. It gets the heights of all muons (M,), their two slopes (2, M), the core
# (2,) [m] and the moment [ns] at which the front reaches the ground. Return the positions (2, M) [m] and the times (M,)
# [ns] of landing. Use your `delay`. (`np.asarray(core)[:, None]` is the core as a column, (2, 1).) Mind from which
# point the distance counts.


# %%
def land(height, slope, core=(0.0, 0.0), start=0.0):
    """Positions (2, M) [m] and times (M,) [ns] at which muons from `height` [m] on the axis land."""
    ### BEGIN SOLUTION
    offset = slope * height  # (2, M), from the core
    distance = np.hypot(offset[0], offset[1])
    return np.asarray(core)[:, None] + offset, start + delay(height, distance)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    test_height, test_slope = np.array([1000.0, 2000.0, 500.0]), np.array([[0.1, 0.0, -0.2], [0.0, -0.2, 0.1]])
    at, when = land(test_height, test_slope)
    assert np.shape(at) == (2, 3), "The positions should have the shape (2, M): x of all muons, then y of all muons."
    assert not np.allclose(at, test_slope), "A slope is metres sideways a metre down: how many metres down is it?"
    assert np.allclose(at, test_slope * test_height), "A muon lands at core + height · slope. Yours lands elsewhere."
    assert np.shape(when) == (3,), "One time for each muon, shape (M,): the distance comes from both slopes together."
    assert np.allclose(when, [16.64, 132.11, 41.19], atol=0.02), "The time is the delay at the distance from the core."
    late = land(test_height, test_slope, start=7.0)[1]
    assert np.allclose(late - when, 7.0), "The front reaches the ground at `start`, not at 0: add it to the delay."
    moved_at, moved_when = land(test_height, test_slope, core=(50.0, -20.0))
    assert np.allclose(moved_at - at, [[50.0], [-20.0]]), "Add x of the core to all x, and y of the core to all y."
    assert np.allclose(moved_when, when), "The delay goes with the distance from the core, not from the centre."


# %% tags=["wrong"]
# hint: how many metres down
def land(height, slope, core=(0.0, 0.0), start=0.0):
    at = np.asarray(core)[:, None] + slope
    return at, start + footprints.delay(height, np.hypot(*slope))


# %% tags=["wrong"]
# hint: not from the centre
def land(height, slope, core=(0.0, 0.0), start=0.0):
    at = np.asarray(core)[:, None] + slope * height
    return at, start + footprints.delay(height, np.hypot(*at))


# %% tags=["wrong"]
# hint: add it to the delay
def land(height, slope, core=(0.0, 0.0), start=0.0):
    offset = slope * height
    return np.asarray(core)[:, None] + offset, footprints.delay(height, np.hypot(*offset))


# %% tags=["wrong"]
# hint: from both slopes together
def land(height, slope, core=(0.0, 0.0), start=0.0):
    offset = slope * height
    return np.asarray(core)[:, None] + offset, start + footprints.delay(height, abs(offset))


# %% tags=["expected"]
land = tasks.solved(land, otherwise=footprint_steps.land)
slope = rng.normal(0, model.opening_angle, (2, len(height)))
core = rng.normal(0, model.core_spread, 2)  # m
position, time = land(height, slope, core, start=rng.normal(0, model.start_spread))
time += rng.normal(0, model.time_resolution, len(time))  # a clock good to 5 ns

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
some = slice(0, 80)
left.plot([np.full(80, core[0]), position[0, some]], [height[some] / 1000, np.zeros(80)], color="0.3", linewidth=0.5)
left.set(xlabel="x [m]", ylabel="height [km]", xlim=(-1500, 1500), ylim=(0, 12))
dots = right.scatter(*position, c=time - time.min(), s=6, cmap="plasma", vmin=0, vmax=300)
right.plot(*core, "x", color="red", markersize=10, markeredgewidth=2)
right.set(xlabel="x [m]", ylabel="y [m]", xlim=(-800, 800), ylim=(-800, 800), xticks=(-800, -400, 0, 400, 800))
figure.colorbar(dots, label="time after the first muon [ns]")
plt.show()

# %% [markdown]
# Left: 80 of the muons on their way (mind the axes: the lines are far steeper than they look). Right: all of them on
# the ground. Near the core (cross) they come first and lie densest; outside they are few and late.
#
# **Step 5: what a detector sees.** The ground is a picture of 32 × 32 pixels of 30 m. A pixel knows how many muons hit
# it and when the first came. Nobody tells it where the core is or when the front came: so core and start are drawn anew
# for each shower, with a spread of 100 m and 100 ns. And a clock is good to 5 ns.
#
# ### Task 3: the picture
#
# Write `picture(position, time)`. Return `counts`, muons a pixel, and `first`, the time of the first muon in each, both
# of shape (32, 32). Rows are $y$, columns are $x$, the first pixel is at the lower left, from −480 m on, and muons that
# land outside do not count. Where none came there is no time: `nan`, not 0. `np.histogram2d` and `np.minimum.at` save
# you the loop.


# %%
def picture(position, time, n_pixels=32, pixel_size=30.0):
    """Muons a pixel and time [ns] of the first, nan where none came; each of shape (n_pixels, n_pixels)."""
    ### BEGIN SOLUTION
    column, row = np.floor(position / pixel_size + n_pixels / 2).astype(int)
    inside = (column >= 0) & (column < n_pixels) & (row >= 0) & (row < n_pixels)
    column, row, time = column[inside], row[inside], time[inside]
    counts = np.zeros((n_pixels, n_pixels))
    np.add.at(counts, (row, column), 1)
    first = np.full((n_pixels, n_pixels), np.inf)
    np.minimum.at(first, (row, column), time)
    return counts, np.where(counts > 0, first, np.nan)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    test_position = np.array([[-470.0, 5.0, 5.0, 470.0, 481.0, -490.0], [-470.0, 35.0, 40.0, 35.0, 0.0, 0.0]])
    test_time = np.array([4.0, 9.0, 6.0, 2.0, 1.0, 3.0])
    counts, first = picture(test_position, test_time)
    assert np.shape(counts) == np.shape(first) == (32, 32), "Both pictures should have the shape (32, 32)."
    assert counts[0, 0] > 0, "The muon at (−470, −470) m is in pixel (0, 0): row 0 is the lowest y, from −480 m on."
    assert np.sum(counts) >= 4, "Muons get lost: two that hit the same pixel count 2."
    assert np.sum(counts) <= 4, (
        "Two of the six muons land outside: leave them out. (int makes 0 of −0.3, np.floor makes −1.)"
    )
    assert counts[16, 17] == 0, "x and y have changed places: rows are y, columns are x."
    assert counts[17, 16] == 2, (
        "Muons at (5, 35) and (5, 40) m share the pixel in row 17, column 16: yours are elsewhere."
    )
    assert not np.any(first == 0), "Where no muon came there is no time: nan. A 0 would be a time like any other."
    assert not np.any(np.isinf(first)), "Infinity is left where no muon came. Make it nan."
    assert first[17, 16] != 9, "The last muon in a pixel overwrites the first: take the minimum."
    assert first[17, 16] == 6, "`first` should be the smallest time in each pixel."
    assert np.isnan(first).sum() == 1021, "Three of the 1024 pixels are hit: `first` should be nan in the other 1021."


# %% tags=["wrong"]
# hint: x and y have changed places
def picture(position, time, n_pixels=32, pixel_size=30.0):
    edges = (np.arange(n_pixels + 1) - n_pixels / 2) * pixel_size
    counts = np.histogram2d(*position, bins=(edges, edges))[0]
    return counts, np.where(counts > 0, 1.0, np.nan)


# %% tags=["wrong"]
# hint: Leave them out
def picture(position, time, n_pixels=32, pixel_size=30.0):
    column, row = np.clip(np.floor(position / pixel_size + n_pixels / 2).astype(int), 0, n_pixels - 1)
    counts, first = np.zeros((n_pixels, n_pixels)), np.full((n_pixels, n_pixels), np.inf)
    np.add.at(counts, (row, column), 1)
    np.minimum.at(first, (row, column), time)
    return counts, np.where(counts > 0, first, np.nan)


# %% tags=["wrong"]
# hint: int makes 0 of −0.3
def picture(position, time, n_pixels=32, pixel_size=30.0):
    column, row = (position / pixel_size + n_pixels / 2).astype(int)
    inside = (column >= 0) & (column < n_pixels) & (row >= 0) & (row < n_pixels)
    counts = np.zeros((n_pixels, n_pixels))
    np.add.at(counts, (row[inside], column[inside]), 1)
    return counts, np.where(counts > 0, 1.0, np.nan)


# %% tags=["wrong"]
# hint: A 0 would be a time like any other
def picture(position, time, n_pixels=32, pixel_size=30.0):
    counts, first = footprint_steps.picture(position, time, n_pixels, pixel_size)
    return counts, np.nan_to_num(first)


# %% tags=["wrong"]
# hint: The last muon in a pixel
def picture(position, time, n_pixels=32, pixel_size=30.0):
    counts = footprint_steps.picture(position, time, n_pixels, pixel_size)[0]
    first = np.full((n_pixels, n_pixels), np.nan)
    for (x, y), t in zip(position.T, time, strict=True):
        if max(abs(x), abs(y)) < 480:
            row, column = int(y // pixel_size) + n_pixels // 2, int(x // pixel_size) + n_pixels // 2
            first[row, column] = t if np.isnan(first[row, column]) else max(t, first[row, column])
    return counts, first


# %% tags=["wrong"]
# hint: from −480 m on
def picture(position, time, n_pixels=32, pixel_size=30.0):
    edges = np.arange(n_pixels + 1) * pixel_size
    counts = np.histogram2d(position[1], position[0], bins=(edges, edges))[0]
    return counts, np.where(counts > 0, 1.0, np.nan)


# %% tags=["wrong"]
# hint: two that hit the same pixel
def picture(position, time, n_pixels=32, pixel_size=30.0):
    first = footprint_steps.picture(position, time, n_pixels, pixel_size)[1]
    return 1.0 * np.isfinite(first), first


# %% tags=["expected"]
picture = tasks.solved(picture, otherwise=footprint_steps.picture)
counts, first = picture(position, time)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4), layout="constrained")
plotting.footprint(counts, ax=left)
plotting.footprint(first, quantity="arrival_time", ax=right)
plt.show()

# %% [markdown]
# This is a **footprint**: two channels, like a picture with two colours. Grey pixels saw nothing. A network of the next
# lesson gets these two pictures and nothing else.
#
# ## Play with it
#
# Here all five steps sit behind sliders. (Without widgets, as on GitHub, you see the figure alone; run the cell to get
# them.) The seed stays when you move another slider, so you watch the same muons move. Find out:
# 1. Push $X_\mathrm{max}$ from 650 to 1000 g/cm². What happens to the number of muons on the picture? And to the times
#    in its corners?
# 2. Change p to Fe at the same $X_\mathrm{max}$. Could you tell the two without counting?
# 3. Take another seed. Which of your changes were larger than this one?

# %%
viewer.footprint_viewer(primary="p", xmax=750, seed=1)

# %% [markdown]
# ## 40,000 showers
#
# [`footprints.simulate`](../showertools/footprints.py) does the same for many showers at once: a quarter each of p, He,
# N and Fe, with $X_\mathrm{max}$ drawn from the distribution that full simulations of hadronic interactions (EPOS-LHC)
# give. It has no loop over muons or showers: the muons of many showers lie in one long array. The same seed gives the
# same showers for any number of cores.

# %%
n_showers = profile.pick(full=40_000, quick=2_000)
sample = footprints.simulate(n_showers, seed=31)
for name, values in sample.items():
    print(f"{name:13s} {values.shape!s:16s} {footprints.UNITS[name]}")

# %% [markdown]
# A data set should outlive the notebook: with its units, its seed, the parameters it was made with, and a checksum.
# HDF5 holds arrays by name, and reads back only those you ask for. (Here into a folder that is removed at the end of
# the cell.)

# %%
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "footprints.h5"
    about = {"seed": 31, "units": footprints.UNITS, "model": footprints.parameters(model)}
    datasets.save(path, sample, attributes=about)
    megabytes = path.stat().st_size / 1e6
    loaded = datasets.load(path, keys=["xmax", "mass_number"])
    stored = datasets.attributes(path)
same = np.array_equal(loaded["xmax"], sample["xmax"])
print(f"{megabytes:.0f} MB, seed {stored['seed']}, Xmax in {stored['units']['xmax']}, as it was: {same}")

# %% [markdown]
# ## Trust, but compare
#
# Before you train anything on simulated data, ask whether they are what you think they are. Mean and spread of
# $X_\mathrm{max}$ are known in closed form (De Domenico et al. 2013). Do the showers agree, within the uncertainty that
# their number allows?

# %%
xmax, mass_number = sample["xmax"].astype(float), sample["mass_number"]
for mass, label in plotting.MASS_LABELS.items():
    values = xmax[mass_number == mass]
    error = values.std() / np.sqrt(len(values))
    spread, low, high = metrics.bootstrap(np.std, values, seed=1)
    print(
        f"{label:2s} mean {values.mean():.1f} ± {error:.1f}, formula {showers.xmax_mean(mass):.1f};  "
        f"spread {spread:.1f} ± {(high - low) / 2:.1f}, formula {showers.xmax_std(mass):.1f} g/cm²"
    )

# %%
grid = np.linspace(640, 1040, 400)  # g/cm²
for mass, label in plotting.MASS_LABELS.items():
    style = {"color": plotting.MASS_COLORS[mass], "density": True, "histtype": "step"}
    plt.hist(xmax[mass_number == mass], np.arange(640, 1041, 10), label=label, **style)
    plt.plot(grid, np.exp(showers.xmax_log_density(grid, mass)), color=plotting.MASS_COLORS[mass], linestyle=":")
plt.xlabel("Xmax [g/cm²]")
plt.ylabel("showers per g/cm² (each mass: 1)")
plt.legend(title="simulated; formula dotted")
plt.show()

# %% [markdown]
# They do. The largest of the eight deviations is that of helium's spread, 2.2 times its error; among eight, one so
# large turns up one time in five by chance. A deviation of 5 would be a bug. So would a largest one of 0.1: errors have
# to be used up.
#
# In the figure, iron showers are shallow and alike, proton showers deep and spread out, with a long tail: some protons
# fly far before they strike. Look at 750 g/cm²: all four masses are there. $X_\mathrm{max}$ alone does not tell the
# mass, not even if you knew it perfectly.
#
# Then there is the number of muons. A detector does not count all of them, but how many of its 1024 pixels saw any is
# easy to read off. Do **filled pixels** do better?

# %%
filled = (sample["counts"] > 0).sum(axis=(1, 2)).astype(float)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for mass, label in plotting.MASS_LABELS.items():
    some = np.flatnonzero(mass_number == mass)
    left.hist(filled[some], np.arange(100, 621, 10), histtype="step", color=plotting.MASS_COLORS[mass], label=label)
    some = some[:500]
    right.plot(xmax[some], filled[some], ".", markersize=3, color=plotting.MASS_COLORS[mass])
left.set(xlabel="filled pixels", ylabel="showers")
left.legend()
right.set(xlabel="Xmax [g/cm²]", ylabel="filled pixels", xlim=(640, 1000), ylim=(150, 620))
plt.show()

# %% [markdown]
# Left: 200 to 600 pixels are filled, and again the masses overlap. Right: 500 showers of each mass, $X_\mathrm{max}$
# from 650 to 1000 g/cm². Project the cloud on either axis and the colours mix. In the plane they lie side by side, in
# slanted bands: deeper showers fill more pixels, for any mass, as their muons have less way to leave the picture. That
# is why neither is enough. Protons scatter by 59 g/cm² where proton and iron are 96 g/cm² apart; and 450 filled pixels
# may be an iron shower or a deep proton shower with more muons than usual.
#
# ## How badly neither separates
#
# "The masses overlap" needs a number. A common one for two classes is the **merit factor**, the distance of the means
# in units of the spreads,
#
# $$f = \frac{|\langle a\rangle - \langle b\rangle|}{\sqrt{\sigma_a^2 + \sigma_b^2}}.$$

# %%
for name, values in (("Xmax", xmax), ("filled pixels", filled)):
    for first_mass, second_mass in ((1, 56), (4, 14)):
        merit = metrics.merit_factor(values[mass_number == first_mass], values[mass_number == second_mass])
        print(
            f"{name:13s} {plotting.MASS_LABELS[first_mass]:2s} against {plotting.MASS_LABELS[second_mass]}: {merit:.2f}"
        )

# %% [markdown]
# Proton against iron is 1.6 by $X_\mathrm{max}$ and 1.5 by filled pixels, neighbours such as He and N only 0.5 to 0.6.
# But $f$ looks at means and spreads, and a distribution has more to it (the tail of the protons). Better ask what
# counts: how often is the best possible guess right? With one quantity, "best possible" is simple enough to write down:
# name the mass that is most frequent where the shower lies.
#
# ### Task 4: the best guess
#
# Write `most_likely_mass(known, known_mass, new, edges)`. Histogram the `known` values for each of the four `MASSES`,
# in the bins given by `edges`. For each `new` value return the mass number that has most known showers in its bin. A
# value beyond the edges belongs to the nearest bin. What would you get by pure chance? Guess what you will get for
# $X_\mathrm{max}$.


# %%
def most_likely_mass(known, known_mass, new, edges):
    """Mass number, one for each `new` value, that is most frequent among the `known` values of its bin."""
    ### BEGIN SOLUTION
    frequency = np.stack([np.histogram(known[known_mass == mass], edges)[0] for mass in MASSES])  # (4, bins)
    which = np.clip(np.searchsorted(edges, new, side="right") - 1, 0, len(edges) - 2)
    return MASSES[frequency.argmax(axis=0)][which]
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    test_known, test_mass = np.array([1, 9, 11, 6, 7, 10, 5, 17, 18, 13, 14, 15]), np.repeat(MASSES, 3)
    test_edges = np.array([0, 4, 8, 12, 16, 20])
    guess = np.asarray(most_likely_mass(test_known, test_mass, np.array([2.0, 6.0, 10.0]), test_edges))
    assert guess.shape == (3,), "Return one mass number for each new value."
    assert np.isin(guess, MASSES).all(), "argmax gives a row, 0 to 3. Return the mass number: 1, 4, 14 or 56."
    assert guess[2] != 4, "Two p and one He lie near 10. Compare numbers in the bin, not distances to means."
    assert not np.array_equal(guess, [4, 1, 56]), "Your bins are shifted by one: np.digitize calls the first bin 1."
    assert np.array_equal(guess, [1, 4, 1]), "Most frequent in these bins are 1, 4 and 1. Yours differ."
    try:
        beyond = most_likely_mass(test_known, test_mass, np.array([-3.0, 99.0]), test_edges)
    except IndexError:
        beyond = None
    assert np.array_equal(beyond, [1, 14]), "Beyond the edges the nearest bin counts: clip the number of the bin."


# %% tags=["wrong"]
# hint: Return the mass number
def most_likely_mass(known, known_mass, new, edges):
    frequency = np.stack([np.histogram(known[known_mass == mass], edges)[0] for mass in MASSES])
    which = np.clip(np.searchsorted(edges, new, side="right") - 1, 0, len(edges) - 2)
    return frequency.argmax(axis=0)[which]


# %% tags=["wrong"]
# hint: shifted by one
def most_likely_mass(known, known_mass, new, edges):
    frequency = np.stack([np.histogram(known[known_mass == mass], edges)[0] for mass in MASSES])
    which = np.clip(np.digitize(new, edges), 0, len(edges) - 2)
    return MASSES[frequency.argmax(axis=0)][which]


# %% tags=["wrong"]
# hint: not distances to means
def most_likely_mass(known, known_mass, new, edges):
    means = np.array([np.mean(known[known_mass == mass]) for mass in MASSES])
    return MASSES[abs(np.asarray(new)[:, None] - means).argmin(axis=1)]


# %% tags=["wrong"]
# hint: clip the number of the bin
def most_likely_mass(known, known_mass, new, edges):
    frequency = np.stack([np.histogram(known[known_mass == mass], edges)[0] for mass in MASSES])
    which = np.searchsorted(edges, new, side="right") - 1
    return MASSES[frequency.argmax(axis=0)][which]


# %% [markdown]
# Now use it on showers that it has not seen: the first half is known, the second half is new. Tested on the known ones
# it would flatter you: with fine bins each shower would find itself.
#
# Both quantities at once would need a histogram in the plane, with few showers a bin. A smooth description is enough
# here: scikit-learn's quadratic discriminant takes each mass for a normal distribution, in the plane for a
# two-dimensional one, and names the one with the highest density.


# %%
def discriminant(known, known_mass, new, edges=None):
    """As `most_likely_mass`, but with normal distributions for histograms; `known` may have several columns."""
    table, new_table = (np.reshape(values, (len(values), -1)) for values in (known, new))
    return QuadraticDiscriminantAnalysis().fit(table, known_mass).predict(new_table)


most_likely_mass = tasks.solved(most_likely_mass, otherwise=discriminant)

# %% tags=["result"]
half = n_showers // 2
old, new, plane = slice(0, half), slice(half, None), np.column_stack([xmax, filled])
guesses = {
    "Xmax alone": most_likely_mass(xmax[old], mass_number[old], xmax[new], np.arange(600, 1101, 10)),
    "filled pixels alone": most_likely_mass(filled[old], mass_number[old], filled[new], np.arange(100, 621, 10)),
    "both": discriminant(plane[old], mass_number[old], plane[new]),
}
for name, guess in guesses.items():
    accuracy = np.mean(guess == mass_number[new])
    error = np.sqrt(accuracy * (1 - accuracy) / half)
    print(f"{name:20s} right in {100 * accuracy:.1f} ± {100 * error:.1f} % of new showers")

# %% [markdown]
# Chance is 25 %. $X_\mathrm{max}$ alone names the mass in 54 % of the showers, filled pixels alone in 46 %, both
# together in 76 % (seed 31, each ± 0.4). The mass is in the footprint, but in no single quantity. And mind what this
# classifier was given: the *true* $X_\mathrm{max}$. From the ground one has to estimate it first. That is lesson 32;
# lesson 33 then lets a network find the mass itself.
#
# ## Where Xmax hides
#
# In Task 1, muons from deeper down came later. So split the proton showers by depth and average the arrival times over
# many showers: does the difference survive the mix of production heights, the unknown start, the clocks? Each shower's
# first muon serves as its time zero.


# %%
def times_and_distances(chosen):
    """Times after the first muon [ns] and distances from the core [m] of all filled pixels of the chosen showers."""
    time = sample["arrival_time"][chosen]  # (n, 32, 32)
    time = time - np.nanmin(time, axis=(1, 2), keepdims=True)
    x, y = (model.pixel_centers - sample["core"][chosen, axis, None] for axis in (0, 1))  # (n, 32)
    distance = np.hypot(x[:, None, :], y[:, :, None])
    return time[time >= 0], distance[time >= 0]


edges = np.arange(0, 601, 50)  # m
slices = (("shallow: Xmax < 740", xmax < 740, "#0072b2"), ("deep: Xmax > 880", xmax > 880, "#d55e00"))
for label, of_depth, color in slices:
    chosen = of_depth & (mass_number == 1)
    time, distance = times_and_distances(chosen)
    mean, spread = (stats.binned_statistic(distance, time, what, edges)[0] for what in ("mean", "std"))
    center = (edges[1:] + edges[:-1]) / 2
    plt.plot(center, mean, "o-", color=color, label=f"{label} g/cm² ({chosen.sum()} showers)")
    plt.fill_between(center, mean - spread, mean + spread, color=color, alpha=0.15)
plt.xlabel("distance to the core [m]")
plt.ylabel("first muon of a pixel, after that of the shower [ns]")
plt.legend()
plt.show()

# %% [markdown]
# Deep showers are more curved. At 425 m from the core the first muon comes after 88 ns in the shallow ones and after
# 121 ns in the deep ones (mean $X_\mathrm{max}$ 730 and 933 g/cm²), while single pixels scatter by 33 to 41 ns (bands).
# So one pixel tells next to nothing, and 400 of them tell a lot: that is what a network has to add up. One more trap:
# near the core a pixel holds several muons, and the first of several is early. Times mean nothing without counts.
#
# ### Task 5: change the toy, predict, simulate
#
# How much of all this depends on our choices? First write `mean_filled(model, n_showers, seed)`: the mean number of
# filled pixels of showers of that model, *and its standard error*. Then choose changes of your own, such as another
# model of hadronic interactions (`replace(model, hadronic_model="QGSJetII-04")`, whose showers are shallower), half or
# an eighth of the opening angle, or the ground at 1400 m, as at Auger. Before each, write down: more filled pixels,
# fewer, or as many? And why? Then simulate. Where were you wrong?


# %%
def mean_filled(model, n_showers=2000, seed=5):
    """Mean number of filled pixels of simulated showers, and the standard error of that mean."""
    ### BEGIN SOLUTION
    counts = footprints.simulate(n_showers, seed=seed, model=model)["counts"]
    filled = (counts > 0).sum(axis=(1, 2))
    return filled.mean(), filled.std(ddof=1) / np.sqrt(n_showers)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    few = replace(model, muons_per_proton=10.0)
    muons = footprints.simulate(500, seed=5, model=few)["counts"].sum(axis=(1, 2)).mean()
    answer = mean_filled(few, n_showers=500, seed=5)
    assert np.shape(answer) == (2,), "Return two numbers: the mean, and its standard error."
    mean, error = answer
    assert mean < 1000, "That counts the pixels of all showers together. How many are filled in one, on average?"
    assert mean < 100, "With 10 muons a shower hardly 100 pixels are filled. Do you pass on `model`?"
    assert not np.isclose(mean, muons), "You count muons. Count pixels with at least one."
    assert 1 < mean < 15, "Some 6 pixels should be filled. Average over the showers, sum over the pixels of each."
    assert error < 0.5, "That is the spread of the showers. The mean of n showers is known √n times better."
    assert 0.05 < error, "Your error is too small: standard deviation of the filled pixels over √n."
    assert mean_filled(few, n_showers=500, seed=6)[0] != mean, "Another seed, other showers: do you pass on `seed`?"


# %% tags=["wrong"]
# hint: pass on `model`
def mean_filled(model, n_showers=2000, seed=5):
    filled = (footprints.simulate(n_showers, seed=seed)["counts"] > 0).sum(axis=(1, 2))
    return filled.mean(), filled.std() / np.sqrt(n_showers)


# %% tags=["wrong"]
# hint: Count pixels with at least one
def mean_filled(model, n_showers=2000, seed=5):
    muons = footprints.simulate(n_showers, seed=seed, model=model)["counts"].sum(axis=(1, 2))
    return muons.mean(), muons.std() / np.sqrt(n_showers)


# %% tags=["wrong"]
# hint: √n times better
def mean_filled(model, n_showers=2000, seed=5):
    filled = (footprints.simulate(n_showers, seed=seed, model=model)["counts"] > 0).sum(axis=(1, 2))
    return filled.mean(), filled.std()


# %% tags=["wrong"]
# hint: Average over the showers
def mean_filled(model, n_showers=2000, seed=5):
    filled = footprints.simulate(n_showers, seed=seed, model=model)["counts"] > 0
    return filled.mean(), filled.std() / np.sqrt(filled.size)


# %%
### BEGIN SOLUTION
# stub: predictions = {"QGSJetII-04": "", "half the opening angle": "", "an eighth of it": ""}
# QGSJetII-04: showers are shallower, their muons fly further and miss the picture: fewer.
# A narrower beam keeps more muons in the picture: more. Much narrower, they pile up in the same pixels: fewer.
# At 1400 m muons have less way to spread: more, although those made below 1400 m are missing.
changes = {
    "as it is": {},
    "QGSJetII-04": {"hadronic_model": "QGSJetII-04"},
    "opening angle 0.06": {"opening_angle": 0.06},
    "opening angle 0.015": {"opening_angle": 0.015},
    "ground at 1400 m": {"observation_level": 1400.0},
}
for name, change in changes.items():
    mean, error = mean_filled(replace(model, **change))
    print(f"{name:20s} {mean:.1f} ± {error:.1f} filled pixels")
### END SOLUTION

# %% [markdown]
# ## What you learned
#
# - A shower counts depth, not height; iron showers end their growth higher, vary less and make more muons.
# - A footprint is two pictures: muons a pixel, and the time of the first, with `nan` where none came. Core and start
#   are unknown.
# - Simulated data deserve a test against what is known of them, within errors, before anything is trained on them.
# - Neither $X_\mathrm{max}$ (54 % right) nor filled pixels (46 %) tells four masses apart; both together do better (76
#   %).
# - Deep showers are more curved: 33 ns at 425 m for 200 g/cm², about as much as one pixel scatters.
#
# ## Go further
#
# - Solve the formula of Task 1 for the height and compute a production depth for each pixel of one shower: Auger did so
#   with real muons (second reference). Which pixels are worth most?
# - Full simulations give exponents of 0.07 to 0.10 in place of 0.15 ($N \propto A^{1-\beta}E^{\beta}$, $\beta$ = 0.90
#   to 0.93). Set `mass_exponent` and repeat the cell with the three accuracies.
# - Simulate from the command line: `python -m showertools simulate --help` shows how.
# - On to lesson 32: a convolutional network estimates $X_\mathrm{max}$ from the footprint, beside the best that is
#   possible at all.
#
# ## References
#
# - M. De Domenico, M. Settimo, S. Riggi, E. Bertin, *Reinterpreting the development of extensive air showers initiated
#   by nuclei and photons*, JCAP 07 (2013) 050,
#   [doi:10.1088/1475-7516/2013/07/050](https://doi.org/10.1088/1475-7516/2013/07/050): the distributions of Xmax.
# - Pierre Auger Collaboration, *Muons in air showers at the Pierre Auger Observatory: measurement of atmospheric
#   production depth*, Phys. Rev. D 90 (2014) 012012,
#   [doi:10.1103/PhysRevD.90.012012](https://doi.org/10.1103/PhysRevD.90.012012).
# - M. Erdmann, J. Glombitza, D. Walz, *A deep learning-based reconstruction of cosmic ray-induced air showers*,
#   Astropart. Phys. 97 (2018) 46,
#   [doi:10.1016/j.astropartphys.2017.10.006](https://doi.org/10.1016/j.astropartphys.2017.10.006).
# - Tutorial on deep learning of the HAP workshop *Big Data Science in Astroparticle Research*, RWTH Aachen, 2017: the
#   toy of this lesson.
# - Particle Data Group, *Review of Particle Physics*, chapter *Cosmic rays*, [pdg.lbl.gov](https://pdg.lbl.gov).
