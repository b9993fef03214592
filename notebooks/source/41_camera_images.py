# %% [markdown]
# # Images of Cherenkov telescopes
#
# **You will be able to**
# - say how the light of an air shower becomes an ellipse in a camera, and what place, size and time of it tell,
# - clean an image of hexagonal pixels and compute its Hillas parameters by hand,
# - show with simulated events what these parameters know of energy, impact and particle, and what they do not,
# - read a DL1 file in ctapipe's layout without giving events to the wrong showers,
# - measure the efficiency of a telescope with the rings of muons.
#
# **Time** 50 min reading, 90 min tasks; runs in 2 min on two CPU cores.
# **You need** least squares ([lesson 11](11_linear_regression.ipynb)), and what a shower is
# ([lesson 31](31_footprints.ipynb)).

# %%
from showertools import (
    atmosphere,
    camera_plots,
    cherenkov,
    cherenkov_light,
    datasets,
    dl1,
    dl1_tables,
    event_rates,
    geometry,
    hillas,
    metrics,
    muon_rings,
    profile,
    tasks,
)

# isort: split
from dataclasses import replace

import h5py
import matplotlib.pyplot as plt
import numpy as np

# %% [markdown]
# ## From a shower to an image
#
# A gamma ray of 1 TeV ends 20 km above you in a shower of electrons and photons. The electrons are faster than light
# is in air, so they radiate: faint blue light at about 1° to their path, for a few nanoseconds. It falls on a disc of
# 250 m in diameter. A telescope anywhere in this disc sees the shower, as you would see the track of a meteor. The
# camera looks into the sky: each pixel is a direction, 0.1° wide.
#
# The track begins high up, in the direction of the source, and comes nearer. If it meets the ground at the **impact**
# distance $b$ from the telescope, light from the distance $D$ appears at the angle
#
# $$\vartheta \approx \frac{b}{D}$$
#
# from the source: the top of the shower near the source, its lower end further out. So the image is an ellipse whose
# long axis points to the source. Draw a gamma ray, a proton and a single muon as one of CTAO's Large-Sized Telescopes
# sees them: 1855 pixels behind a mirror of 387 m².

# %%
model = cherenkov.TelescopeModel()
camera = model.camera
rng = np.random.default_rng(41)
gamma = cherenkov.simulate_given(rng, 0.5, particle="gamma", core=(110.0, -50.0), model=model)
proton = cherenkov.simulate_given(rng, 3.0, particle="proton", core=(-70.0, 60.0), offset=(0.4, -0.4), model=model)
muon = cherenkov.simulate_muons(rng, 0.05, core=(4.0, 3.0), offset=(0.3, -0.2), model=model)
print({name: gamma[name].shape for name in ("image", "peak_time", "true_energy")}, f"{camera.pitch:.3f}° a pixel")

# %%
figure, panels = plt.subplots(2, 3, figsize=(13.5, 8), layout="constrained")
titles = ("gamma ray, 0.5 TeV", "proton, 3 TeV", "muon, 50 GeV")
for (above, below), event, title in zip(panels.T, (gamma, proton, muon), titles):
    image, peak_time = event["image"][0, 0], event["peak_time"][0, 0]
    camera_plots.image(camera, image, limits=(0, 50), ax=above)
    shown = np.where(image > 6, peak_time, np.nan)
    camera_plots.image(camera, shown, label="time [ns]", cmap="plasma", limits=(14, 26), ax=below)
    above.set_title(title)
plt.show()

# %% [markdown]
# Above: the charge of each pixel, in photoelectrons (p.e.). The gamma ray is a narrow ellipse that points to the
# middle of the camera, where it came from. The proton has made several showers that fly apart: an irregular image.
# One of its muons flew through the mirror: what a muon radiates in its last 500 m makes a ring, whose radius is the
# Cherenkov angle. Right: a muon alone. Below: when the light came, for pixels of more than 6 p.e.; the others show
# the night sky at any time.
#
# ## Light on the ground
#
# How far may a shower be? Put the telescope at distances of 10 to 290 m from showers of fixed energy, and count the
# photons that reach a square metre: what is in the camera, over the mirror's area and efficiency.

# %%
n_each = profile.pick(full=60, quick=5)
distance = np.arange(10.0, 300.0, 20.0)
azimuth = rng.uniform(0, 2 * np.pi, (len(distance), n_each))
cores = (distance[:, None, None] * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)).reshape(-1, 2)
density = {}
for energy in (0.05, 0.2, 1.0):
    events = cherenkov.simulate_given(rng, energy, particle="gamma", core=cores, model=model)
    of_each = events["true_image_sum"].reshape(-1, n_each) / model.mirror_area / model.efficiency
    density[energy] = of_each.mean(axis=1)

# %%
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for (energy, values), color in zip(density.items(), ("#0072b2", "#009e73", "#d55e00")):
    axes.plot(distance, values / energy, "o-", color=color, label=f"{energy:g} TeV")
axes.axvline(120, color="0.6", linestyle=":")
axes.set(xlabel="distance to the core [m]", ylabel="photons per m² and TeV", yscale="log", ylim=(5, 300))
axes.legend()
plt.show()

# %% [markdown]
# Up to 110 m, the light of the faint showers is the same everywhere; then it falls, to a fifth at 290 m. That is the
# edge of the light pool. Light from 10 km above the sea leaves at 0.74° and lands 100 m away; light from lower down
# leaves at larger angles, but has less far to go: it lands at about the same distance. Showers of 1 TeV reach lower,
# and are brighter near the core. Beyond 120 m, all three give much the same light per TeV: the amount of light
# measures the energy.
#
# ## Cleaning
#
# The night sky shines, too: on average two photoelectrons in each pixel while the charge is summed. Their mean is
# subtracted, the fluctuation stays: 1.6 p.e. in each of 1855 pixels. Before you compute anything, choose the pixels
# that belong to the shower. Noise is bright here and there; showers are bright in places that touch. **Tail-cuts
# cleaning** has two thresholds:
#
# 1. *picture*: pixels with at least the higher threshold of which at least `needed` neighbours have as much;
# 2. *boundary*: pixels with at least the lower threshold that have a neighbour in the picture.
#
# What is kept is picture and boundary. `camera.neighbours` is a table (P, 6): the indices of the six neighbours of
# each pixel, and -1 where there is none, at the edge.
#
# ### Task 1: clean an image
#
# Write `clean(image, neighbours, picture, boundary, needed)`: charges (P,), the table (P, 6), two thresholds and a
# number of at least 1. Return the mask (P,) of type bool. Afterwards you compare it with
# [`hillas.tailcuts_clean`](../showertools/hillas.py), which cleans whole batches, on gamma rays from a point in the
# middle of the camera.


# %%
def clean(image, neighbours, picture, boundary, needed):
    """Which pixels (P,) belong to the shower."""

    ### BEGIN SOLUTION
    def around(marked):
        return np.append(marked, False)[neighbours]  # (P, 6); the index -1 finds the False at the end

    bright = image >= picture
    core = bright & (around(bright).sum(axis=1) >= needed)
    return core | ((image >= boundary) & around(core).any(axis=1))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    table, pixels = geometry.hexagon(2, 1.0).neighbours.copy(), np.arange(19)  # 7 to 11 are the row in the middle

    def kept(charges, needed):
        answer = clean(np.array([charges.get(i, 0.0) for i in pixels]), table, 8.0, 4.0, needed)
        assert getattr(answer, "shape", None) == (19,), "Return one value for each pixel, (P,)."
        assert answer.dtype == bool, "Return a mask of type bool, not charges or indices."
        return set(pixels[answer].tolist())

    assert not kept({9: 20.0}, 1), "A bright pixel without a bright neighbour is noise."
    assert not kept({0: 20.0, 18: 20.0}, 1), (
        "Pixels 0 and 18 lie at opposite edges and do not touch: the index -1 means no neighbour, not the last pixel."
    )
    assert kept({7: 8.0, 8: 8.0}, 1) == {7, 8}, "A charge right at a threshold counts: at least, not more than."
    assert not kept({9: 20.0, 10: 5.0}, 1), (
        "The boundary lies around the picture; a bright pixel without bright neighbours is not in the picture."
    )
    assert kept({7: 9.0, 8: 9.0, 9: 5.0}, 1) == {7, 8, 9}, "Keep pixels of the lower threshold beside the picture, too."
    assert kept({7: 9.0, 8: 9.0, 9: 5.0, 10: 5.0}, 1) == {7, 8, 9}, (
        "Pixel 10 touches the boundary, not the picture: a boundary has no boundary of its own."
    )
    assert not kept({7: 9.0, 8: 9.0}, 2), "Count how many neighbours are bright: with `needed` = 2, one is too few."
    unchanged = np.random.default_rng(1).normal(6, 4, 1855), camera.neighbours
    given = tuple(array.copy() for array in unchanged)
    answer = clean(*given, 8.0, 4.0, 2)
    assert all(map(np.array_equal, given, unchanged)), "Leave image and table as they are."
    assert np.array_equal(answer, hillas.tailcuts_clean(camera, unchanged[0][None], 8, 4, 2)[0]), (
        "Small cameras work, the large one does not: do 19 pixels, or six neighbours of each, stand in your code?"
    )


# %% tags=["wrong"]
# hint: the index -1 means no neighbour
def clean(image, neighbours, picture, boundary, needed):
    bright = image >= picture
    core = bright & (bright[neighbours].sum(axis=1) >= needed)
    return core | ((image >= boundary) & core[neighbours].any(axis=1))


# %% tags=["wrong"]
# hint: at least, not more than
def clean(image, neighbours, picture, boundary, needed):
    bright = np.append(image > picture, False)
    core = bright & np.append(bright[neighbours].sum(axis=1) >= needed, False)
    return core[:-1] | ((image > boundary) & core[neighbours].any(axis=1))


# %% tags=["wrong"]
# hint: a boundary has no boundary
def clean(image, neighbours, picture, boundary, needed):
    bright = np.append(image >= picture, False)
    kept = bright & np.append(bright[neighbours].sum(axis=1) >= needed, False)
    for _ in range(5):
        kept = np.append(kept[:-1] | ((image >= boundary) & kept[neighbours].any(axis=1)), False)
    return kept[:-1]


# %% tags=["wrong"]
# hint: is not in the picture
def clean(image, neighbours, picture, boundary, needed):
    bright = np.append(image >= picture, False)
    core = bright[:-1] & (bright[neighbours].sum(axis=1) >= needed)
    return core | ((image >= boundary) & bright[neighbours].any(axis=1))


# %% tags=["wrong"]
# hint: Leave image and table
def clean(image, neighbours, picture, boundary, needed):
    neighbours[neighbours < 0] = len(image)
    bright = np.append(image >= picture, False)
    core = np.append(bright[:-1] & (bright[neighbours].sum(axis=1) >= needed), False)
    return core[:-1] | ((image >= boundary) & core[neighbours].any(axis=1))


# %%
clean = tasks.solved(
    clean,
    otherwise=lambda image, neighbours, *thresholds: hillas.tailcuts_clean(camera, image[None], *thresholds)[0],
    task="Task 1",
)
point_source = replace(model, source_radius=0.0, spectral_index=-1.5)
few = cherenkov.simulate(profile.pick(full=1_000, quick=200), seed=41, particle="gamma", model=point_source)
images = few["image"][:, 0]
masks = np.array([clean(image, camera.neighbours, 8, 4, 2) for image in images])
same = np.mean(masks == hillas.tailcuts_clean(camera, images, 8, 4, 2))
print(f"{same:.2%} of all pixels as in the library; {np.mean(masks.any(axis=1)):.0%} of the images keep some light")

# %% tags=["expected"]
faint = np.argmin(np.abs(masks.sum(axis=1) - 25))  # an image that keeps about 25 pixels
figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
camera_plots.image(camera, images[faint], ax=panels[0])
camera_plots.image(camera, np.where(masks[faint], images[faint], np.nan), mask=masks[faint], ax=panels[1])
plt.show()

# %% [markdown]
# Left: as recorded. Right: what the cleaning keeps, outlined. Of the pixels far from the shower, none survives: three
# pixels of 8 p.e. that touch are five times the fluctuation of the sky in each. The price: light below the thresholds
# is lost, of which faint showers have most.
#
# ## Hillas parameters
#
# In 1985 A. M. Hillas described what is left by the moments of its light. With charges $q_i$ at the places
# $\mathbf{x}_i$, the size and the centroid are
#
# $$S = \sum_i q_i, \qquad \bar{\mathbf{x}} = \frac{1}{S}\sum_i q_i\,\mathbf{x}_i,$$
#
# and the shape is in the covariance matrix, weighted by the charges,
#
# $$C = \frac{1}{S}\sum_i q_i\,(\mathbf{x}_i - \bar{\mathbf{x}})(\mathbf{x}_i - \bar{\mathbf{x}})^\top.$$
#
# Its eigenvectors are the axes of the ellipse, and the roots of its eigenvalues are **length** and **width**. The
# angle of the long axis, from the longitude on, is ψ.
#
# ### Task 2: moments
#
# Write `moments(position, charge)` for the pixels of one cleaned image: places (K, 2) [degrees] and charges (K,).
# Return six numbers in this order: size, longitude and latitude of the centroid, length, width and ψ, all angles in
# degrees, ψ above -90° and up to 90°: an axis has no front end.


# %%
def moments(position, charge):
    """Size [p.e.], centroid (2), length, width and direction of the long axis [degrees] of one image."""
    ### BEGIN SOLUTION
    size = charge.sum()
    centroid = charge @ position / size
    apart = position - centroid
    covariance = (charge[:, None] * apart).T @ apart / size
    (across, along), axes = np.linalg.eigh(covariance)  # the smaller eigenvalue comes first
    longitude, latitude = axes[:, 1]
    psi = 90 - (90 - np.degrees(np.arctan2(latitude, longitude))) % 180
    return size, *centroid, np.sqrt(along), np.sqrt(max(across, 0)), psi
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    places = np.array([[2.0, 1.0], [0.0, 1.0], [1.0, 1.5], [1.0, 0.5]])
    given = places.copy(), np.ones(4)
    answer = np.array(moments(*given), float)
    assert answer.shape == (6,), "Return six numbers: size, longitude, latitude, length, width, psi."
    assert all(map(np.array_equal, given, (places, np.ones(4)))), "Leave places and charges as they are."
    assert np.allclose(answer[:3], [4, 1, 1]), "The size is the sum of the charges, the centroid the mean place."
    assert not np.allclose(answer[3:5], [0.5, 0.125]), "Length and width are roots of the eigenvalues."
    assert not np.isclose(answer[3] ** 2, 2 / 3), "Divide by the size: by n - 1 is for samples, this is all the light."
    assert not np.isclose(abs(answer[5]), 90), "The long axis belongs to the larger eigenvalue; `eigh` has it last."
    assert np.allclose(answer[3:], [np.sqrt(0.5), np.sqrt(0.125), 0]), "Length √½, width √⅛, along the longitude."
    answer = np.array(moments(places, np.array([3.0, 1.0, 2.0, 2.0])))
    assert np.allclose(answer[:3], [8, 1.25, 1]), "Weight the centroid by the charges."
    assert np.isclose(answer[3], np.sqrt(0.4375)), "Weight the covariance by the charges, too, around their centroid."
    for angle in (30.0, -60.0, 90.0):
        turn = np.radians(angle)
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        turned = moments((places - 1) @ matrix, np.array([3.0, 1.0, 2.0, 2.0]))[5]
        assert not np.isclose(turned, turn), "The angle in degrees, please."
        assert -90 - 1e-6 < turned < 90 + 1e-6, (
            "ψ lies between -90° and 90°: an axis that points back is the same axis."
        )
        assert np.isclose(np.cos(2 * np.radians(turned - angle)), 1), (
            f"Turn the image by {angle:g}°, and its axis should turn, too: tan ψ is its latitude over its longitude."
        )


# %% tags=["wrong"]
# hint: Weight the centroid
def moments(position, charge):
    covariance = np.cov(position.T, aweights=charge, ddof=0)
    values, axes = np.linalg.eigh(covariance)
    psi = (np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) + 90) % 180 - 90
    return charge.sum(), *position.mean(axis=0), *np.sqrt(values[::-1]), psi


# %% tags=["wrong"]
# hint: by n - 1 is for samples
def moments(position, charge):
    covariance = np.cov(position.T)
    values, axes = np.linalg.eigh(covariance)
    psi = (np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) + 90) % 180 - 90
    return charge.sum(), *(charge @ position / charge.sum()), *np.sqrt(values[::-1]), psi


# %% tags=["wrong"]
# hint: belongs to the larger eigenvalue
def moments(position, charge):
    covariance = np.cov(position.T, aweights=charge, ddof=0)
    values, axes = np.linalg.eigh(covariance)
    psi = np.degrees(np.arctan2(axes[1, 0], axes[0, 0]))
    return charge.sum(), *(charge @ position / charge.sum()), *np.sqrt(values[::-1]), psi


# %% tags=["wrong"]
# hint: The angle in degrees
def moments(position, charge):
    covariance = np.cov(position.T, aweights=charge, ddof=0)
    values, axes = np.linalg.eigh(covariance)
    psi = (np.arctan2(axes[1, 1], axes[0, 1]) + np.pi / 2) % np.pi - np.pi / 2
    return charge.sum(), *(charge @ position / charge.sum()), *np.sqrt(values[::-1]), psi


# %% tags=["wrong"]
# hint: Weight the covariance
def moments(position, charge):
    covariance = np.cov(position.T, ddof=0)
    values, axes = np.linalg.eigh(covariance)
    psi = (np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) + 90) % 180 - 90
    return charge.sum(), *(charge @ position / charge.sum()), *np.sqrt(values[::-1]), psi


# %% tags=["wrong"]
# hint: an axis that points back
def moments(position, charge):
    covariance = np.cov(position.T, aweights=charge, ddof=0)
    values, axes = np.linalg.eigh(covariance)
    psi = np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) % 180
    return charge.sum(), *(charge @ position / charge.sum()), *np.sqrt(values[::-1]), psi


# %%
NAMES = ("intensity", "fov_lon", "fov_lat", "length", "width", "psi")


def known_moments(position, charge):
    """The same from the library, for pixels of our camera."""
    image = np.zeros((1, camera.n_pixels), np.float32)
    image[0, [np.argmin(np.hypot(*(camera.positions - one).T)) for one in position]] = charge
    found = hillas.hillas_parameters(camera, image)
    return tuple(float(found[f"hillas_{name}"][0]) for name in NAMES)


# %%
moments = tasks.solved(moments, otherwise=known_moments, task="Task 2")
parameters = hillas.hillas_parameters(camera, images, masks, few["peak_time"][:, 0])
good = np.flatnonzero(masks.sum(axis=1) > 2)
yours = np.array([moments(camera.positions[masks[one]], images[one, masks[one]].astype(float)) for one in good])
library = np.stack([parameters[f"hillas_{name}"][good] for name in NAMES], axis=1)
print("largest difference:", dict(zip(NAMES, np.abs(yours - library).max(axis=0).round(4).tolist())))

# %% tags=["expected"]
bright = np.argmin(np.abs(masks.sum(axis=1) - 60))
axes = camera_plots.image(camera, images[bright], mask=masks[bright])
camera_plots.ellipse(parameters, bright, ax=axes)
axes.plot(0, 0, "w*", markersize=12, markeredgecolor="k")
plt.show()

# %% [markdown]
# The ellipse has two lengths and two widths as half axes. Its axis passes by the source, the star. How closely it
# does depends on how long and bright the image is: lesson 42 reconstructs directions.
#
# ## What the parameters know
#
# Simulate gamma rays from the middle of the camera, and protons from all directions within 5°, between 0.02 and 20
# TeV. Chunk by chunk, so that the images need not all be in memory: only their parameters are kept.


# %%
def describe(events):
    """Parameters of the images of one telescope, and the truth."""
    image, peak_time = events["image"][:, 0], events["peak_time"][:, 0]
    mask = hillas.tailcuts_clean(camera, image, 8, 4, 2)
    rest = {name: values for name, values in events.items() if name not in ("image", "peak_time")}
    known = {name: values[:, 0] if values.ndim == 2 else values for name, values in rest.items()}
    return known | hillas.hillas_parameters(camera, image, mask, peak_time)


def simulate(n_events, particle, seed):
    parts = [describe(part) for part in cherenkov.iterate(n_events, seed=seed, particle=particle, model=point_source)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


# %%
n_gammas, n_protons = profile.pick(full=(20_000, 30_000), quick=(800, 1_200))
gammas, protons = simulate(n_gammas, "gamma", 411), simulate(n_protons, "proton", 412)
print(f"with an ellipse: {gammas['valid'].mean():.0%} of the gamma rays, {protons['valid'].mean():.0%} of the protons")

# %% [markdown]
# First the size against the energy, for three ranges of impact. Then the distance between centroid and source, which
# is in the middle, against the impact. The line is $b/D$, with the distance $D$ to the maximum of a shower of 0.5
# TeV.

# %%
energy, impact = gammas["true_energy"], gammas["true_impact_distance"]
contained = gammas["valid"] & (gammas["leakage_intensity_width_2"] < 0.2)  # not cut off by the camera's edge
depth = cherenkov_light.RADIATION_LENGTH * np.log(500 / 0.085)  # of the maximum, along the axis [g/cm²]
sine = np.sin(np.radians(model.pointing_alt))
height = (atmosphere.height_at_depth(depth * sine) - model.site_altitude) / sine
bright_enough = contained & (energy > 0.1)
power, _ = np.polyfit(
    *np.log([array[bright_enough & (impact < 100)] for array in (energy, gammas["hillas_intensity"])]), 1
)
print(f"the maximum is {height / 1000:.1f} km away; near the axis, the size goes as E^{power:.2f} above 0.1 TeV")

# %%
figure, panels = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
for (low, high), color in zip(((20, 100), (140, 180), (220, 260)), ("#0072b2", "#009e73", "#d55e00")):
    here = contained & (impact > low) & (impact < high)
    panels[0].plot(energy[here], gammas["hillas_intensity"][here], ".", ms=2, color=color, label=f"{low} to {high} m")
panels[0].plot([0.03, 10], [110, 110 / 0.03 * 10], "k--", linewidth=1, label="proportional to E")
panels[0].set(xlabel="energy [TeV]", ylabel="size [p.e.]", xscale="log", yscale="log")
panels[0].legend(title="impact", markerscale=4)
known = {"s": 2, "c": np.log10(energy[contained]), "cmap": "viridis"}
points = panels[1].scatter(impact[contained], gammas["hillas_r"][contained], **known)
panels[1].plot([0, 300], np.degrees([0, 300 / height]), "k--", linewidth=1, label=f"impact / {height / 1000:.1f} km")
panels[1].set(xlabel="impact [m]", ylabel="distance of the centroid from the source [°]", ylim=(0, 2.5))
figure.colorbar(points, ax=panels[1], label=r"$\log_{10}(E/\mathrm{TeV})$")
panels[1].legend()
plt.show()

# %% [markdown]
# Left: the size grows faster than in proportion to the energy, since showers of more energy reach deeper, and
# cleaning takes a larger share from faint images. Within the light pool (blue) the impact changes it little; outside,
# a lot. So size alone is not the energy: you need the impact as well. Right: the impact is in the image, as its
# distance from the source. Beyond 120 m most points fall below the line, since light that reaches that far comes from
# higher up; high energies (yellow) lie above low ones, since their maximum is lower.
#
# And the particle? Compare lengths and widths for gamma rays and protons of the same size.

# %%
KINDS = {"gamma rays": (gammas, "#0072b2"), "protons": (protons, "#d55e00")}
figure, panels = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
columns = {
    "hillas_width": ("width [°]", 0.4),
    "hillas_length": ("length [°]", 0.8),
    "morphology_n_islands": ("islands", 7),
}
for panel, (name, (label, end)) in zip(panels, columns.items()):
    for kind, (events, color) in KINDS.items():
        size = events["hillas_intensity"]
        here = events["valid"] & (size > 200) & (size < 2000) & (events["leakage_intensity_width_2"] < 0.2)
        bins = np.arange(0.5, end) if name == "morphology_n_islands" else np.linspace(0, end, 26)
        panel.hist(events[name][here], bins, density=True, histtype="step", linewidth=1.5, color=color, label=kind)
        print(f"{label:12s} {kind:10s} mean {events[name][here].mean():.3f}, {here.sum():5d} images")
    panel.set(xlabel=label, ylabel="density")
panels[0].legend()
plt.show()

# %% [markdown]
# Protons are wider and longer on average, and fall apart into islands: their secondaries fly at angles to each other.
# But the distributions overlap. Many protons look like gamma rays, and a telescope records hundreds of times as many
# of them. How far one gets with forests of decisions is lesson 42, with networks lesson 44.
#
# ## Head or tail: what time tells
#
# The axis passes by the source, but on which side of the ellipse is it? The light from the top is more concentrated
# than that from the lower end, so the tail of the image, its **skewness**, points away from the source. Time knows it
# independently. Near the axis ($b$ small), light from the lower end arrives first: the particles outrun their own
# light. Far away, it has the longer detour, and arrives last. Between the two lies a distance at which the whole
# image flashes up at once.
#
# ### Task 3: the time gradient
#
# Write `time_gradient(along, time, weight)`: places along the axis (K,) [degrees], times (K,) [ns] and weights (K,).
# Return the slope [ns/degree] of the straight line $t = a + s\,x$ with the least weighted sum of squares. The
# variance of a time is about proportional to one over the charge, so you will give the charges as weights. The
# library does not weigh; it leaves out the pixels that fit worst, among them those in which the night sky was
# brighter than the shower.


# %%
def time_gradient(along, time, weight):
    """Slope of the time along the axis [ns/degree]."""
    ### BEGIN SOLUTION
    apart = along - np.average(along, weights=weight)
    return np.sum(weight * apart * time) / np.sum(weight * apart**2)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    places, late = np.array([0.0, 0.5, 1.0, 3.0]), np.array([20.0, 21.0, 22.0, 40.0])
    given = places.copy(), late.copy(), np.array([1.0, 1.0, 1.0, 0.0])
    answer = time_gradient(*given)
    assert np.ndim([] if answer is None else answer) == 0, "Return one number, the slope."
    assert all(map(np.array_equal, given[:2], (places, late))), "Leave places and times as they are."
    assert not np.isclose(answer, 0.5), "That is degrees per nanosecond: the time stands on the left."
    assert not np.isclose(answer, 20.0), "That is the time at 0: return the slope."
    assert not np.isclose(answer, 26.0), "The line need not go through the origin: it has an intercept."
    assert np.isclose(answer, 2.0), "Three times on a line of 2 ns/°, a fourth without weight: 2. Is the weight used?"
    weight = np.array([1.0, 4.0, 1.0, 2.0])
    exact = np.polyfit(places, late, 1, w=np.sqrt(weight))[0]
    answer = time_gradient(places, late, weight)
    assert not np.isclose(answer, np.polyfit(places, late, 1, w=weight)[0]), (
        "The weights stand before the squares; `np.polyfit` and `lstsq` multiply before squaring: give them the root."
    )
    assert np.isclose(answer, exact), "Weight the means of place and time, too."


# %% tags=["wrong"]
# hint: give them the root
def time_gradient(along, time, weight):
    return np.polyfit(along, time, 1, w=weight)[0]


# %% tags=["wrong"]
# hint: Is the weight used
def time_gradient(along, time, weight):
    return np.polyfit(along, time, 1)[0]


# %% tags=["wrong"]
# hint: need not go through the origin
def time_gradient(along, time, weight):
    return np.sum(weight * along * time) / np.sum(weight * along**2)


# %% tags=["wrong"]
# hint: return the slope
def time_gradient(along, time, weight):
    return np.polyfit(along, time, 1, w=np.sqrt(weight))[1]


# %% tags=["wrong"]
# hint: degrees per nanosecond
def time_gradient(along, time, weight):
    return np.polyfit(time, along, 1, w=np.sqrt(weight))[0]


# %%
time_gradient = tasks.solved(
    time_gradient, otherwise=lambda x, t, w: np.polyfit(x, t, 1, w=np.sqrt(w))[0], task="Task 3"
)
far = parameters["valid"] & (few["true_impact_distance"][:, 0] > 170) & (parameters["hillas_intensity"] > 300)
one = np.flatnonzero(far)[0]
psi, kept = np.radians(parameters["hillas_psi"][one]), masks[one]
centroid = np.array([parameters["hillas_fov_lon"][one], parameters["hillas_fov_lat"][one]])
along = (camera.positions[kept] - centroid) @ [np.cos(psi), np.sin(psi)]
time, charge = few["peak_time"][one, 0, kept], images[one, kept]
slope = time_gradient(along, time, charge)
print(f"your slope {slope:.2f} ns/°, the library's {parameters['timing_slope'][one]:.2f} ns/°")

# %% tags=["expected"]
figure, axes = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
points = axes.scatter(along, time, c=charge, cmap="viridis")
middle = np.average(time, weights=charge) - slope * np.average(along, weights=charge)
axes.axline((0, middle), slope=slope, color="k", linewidth=1)
axes.set(xlabel="place along the axis [°]", ylabel="time [ns]")
figure.colorbar(points, ax=axes, label="charge [p.e.]")
plt.show()

# %% [markdown]
# Now all gamma rays. `outward` turns each axis so that it points away from the source: then slope and skewness have a
# sign that can be compared.

# %%
psi = np.radians(gammas["hillas_psi"])
outward = np.sign(gammas["hillas_fov_lon"] * np.cos(psi) + gammas["hillas_fov_lat"] * np.sin(psi))
gradient, skewness = gammas["timing_slope"] * outward, gammas["hillas_skewness"] * outward
long_enough = contained & (gammas["morphology_n_pixels"] > 5)
edges = np.arange(0, 301, 20.0)


def against_impact(values, here, metric):
    return metrics.binned(0 * values[here], values[here], impact[here], edges, metric=metric, n_resamples=50)


# %%
figure, panels = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for (low, high), color in zip(((0.05, 0.2), (0.2, 0.8), (0.8, 5)), ("#0072b2", "#009e73", "#d55e00")):
    here = long_enough & (energy > low) & (energy < high)
    bins = against_impact(gradient, here, lambda zero, values: np.median(values))
    panels[0].plot(bins["centre"], bins["value"], "o-", ms=4, color=color, label=f"{low:g} to {high:g} TeV")
    print(f"{low:4} to {high:3} TeV: no gradient at {np.interp(0, bins['value'][1:9], bins['centre'][1:9]):.0f} m")
for values, label, color in ((skewness, "skewness", "k"), (gradient, "time gradient", "#cc79a7")):
    bins = against_impact(1.0 * (values > 0), long_enough, metrics.bias)
    bars = [bins["value"] - bins["low"], bins["high"] - bins["value"]]
    panels[1].errorbar(bins["centre"], bins["value"], yerr=bars, fmt="o-", ms=4, color=color, label=label)
panels[0].axhline(0, color="0.6", linewidth=0.8)
panels[0].set(xlabel="impact [m]", ylabel="time gradient away from the source [ns/°]")
panels[1].set(xlabel="impact [m]", ylabel="share that points away from the source", ylim=(0, 1.02))
for panel in panels:
    panel.legend()
plt.show()

# %% [markdown]
# Left: negative near the axis, positive far away. The sign changes at 76 m for the highest energies, whose light
# comes from lower down, and at 112 m for the lowest. Right: the skewness points away from the source in 77 to 88 % of
# the images between 20 and 180 m; further out cleaning leaves too little of the tail, and it fails. The time gradient
# is backwards in more than 90 % of the images between 20 and 80 m, and right in 97 % and more beyond 160 m. So each
# helps where the other does not. Where that is depends on the impact, which you do not know: a forest or a network
# weighs the two.
#
# ## Trigger and rates
#
# A telescope records an event if three pixels that touch each other are bright at the same time. Which share of the
# events does that, and what is recorded of the sky? Weigh the simulated events such that they come as they do in
# nature: gamma rays with the spectrum of the Crab Nebula, $2.83\cdot10^{-11}\,E^{-2.62}$ per cm² s TeV above 0.5 TeV,
# and protons with $0.11\,E^{-2.72}$ per m² s sr TeV, both continued down to 0.02 TeV.
# [`event_rates`](../showertools/event_rates.py) gives the rate for which each event stands: the flux at its energy,
# times area and solid angle, over the density of the energies that were drawn.

# %%
rate = {
    kind: event_rates.of_events(events["true_energy"], particle=particle, model=point_source)
    for (kind, (events, _)), particle in zip(KINDS.items(), ("gamma", "proton"))
}
for kind, (events, _) in KINDS.items():
    triggers, cleaned = (rate[kind][events[which]].sum() for which in ("triggered", "valid"))
    print(f"{kind}: {triggers:.3g} triggers a second, {cleaned:.3g} with an ellipse")

# %%
figure, panels = plt.subplots(1, 3, figsize=(13.5, 3.7), layout="constrained")
bins, sizes = np.geomspace(0.02, 20, 19), np.geomspace(20, 1e4, 19)
for kind, (events, color) in KINDS.items():
    triggered, true_energy, of_each = events["triggered"], events["true_energy"], rate[kind]
    share = np.histogram(true_energy[triggered], bins)[0] / np.histogram(true_energy, bins)[0]
    panels[0].stairs(share, bins, color=color, label=kind)
    recorded = np.histogram(true_energy[triggered], bins, weights=of_each[triggered])[0]
    panels[1].stairs(recorded / np.diff(np.log10(bins)), bins, color=color)
    valid = events["valid"]
    of_size = np.histogram(events["hillas_intensity"][valid], sizes, weights=of_each[valid])[0]
    panels[2].stairs(of_size / np.diff(np.log10(sizes)), sizes, color=color)
panels[0].set(xlabel="energy [TeV]", ylabel="share that triggers", xscale="log")
panels[1].set(
    xlabel="energy [TeV]", ylabel=r"rate per $\log_{10}E$ [1/s]", xscale="log", yscale="log", ylim=(1e-3, 1e4)
)
panels[2].set(
    xlabel="size [p.e.]", ylabel=r"rate per $\log_{10}$ size [1/s]", xscale="log", yscale="log", ylim=(1e-3, 1e4)
)
panels[0].legend()
plt.show()

# %% [markdown]
# Left: all gamma rays above 1 TeV within 300 m trigger, below 0.03 TeV one in twelve: such showers give 2 photons per
# m². Of the protons of 1 TeV a fifth does. Part of their energy goes into particles that radiate little, and many
# come from beside the field of view. Middle: the **energy threshold** of a telescope is where the rate of recorded
# gamma rays has its maximum, here at 0.04 TeV. Right: the sizes. At each size there are some hundreds of protons for
# each gamma ray of one of the brightest sources of the sky. (Below 0.1 TeV the Crab's true spectrum is flatter, with
# fewer gamma rays than here; and nuclei and electrons come on top of the protons.)
#
# ## A DL1 file
#
# Real telescopes deliver events in files. What comes after calibration, images and their parameters, is called *data
# level 1*; ctapipe and lstchain write it as HDF5. The file below has this layout, that of ctapipe's data model 7, but
# its events come from our simulation. Set `path` to another file: `dl1.about`, `dl1.read` and `dl1.camera` take files
# of ctapipe, old and new, and of lstchain.

# %%
path = datasets.data_file("showers.dl1.h5")  # or a file of ctapipe or lstchain
for name, n_rows in dl1.about(path)["tables"].items():
    print(f"{n_rows:5d} rows in {name}")
with h5py.File(path) as file:
    image_table = file["dl1/event/telescope/images/tel_001"][()]
    shower_table = file["simulation/event/subarray/shower"][()]
for table in (image_table, shower_table):
    print("run and event of the first rows:", [(int(row["obs_id"]), int(row["event_id"])) for row in table[:6]])

# %% [markdown]
# Images in one table, the simulated truth in another, and the rows do not stand in the same order. Nothing in the
# file says so, and nothing fails if you ignore it: you train on the energies of other showers. The number of the
# event alone does not help either, for each run counts from 1.
#
# ### Task 4: whose truth is it?
#
# Write `rows_of(wanted, there)`: two arrays of whole numbers, (n, 2) and (m, 2), with run and event in each row.
# Return for each row of `wanted` the number of the row of `there` that equals it, (n,), or -1 if there is none. No
# row of `there` stands in it twice.


# %%
def rows_of(wanted, there):
    """Rows of `there` (n,) that equal those of `wanted`, -1 where there is none."""
    ### BEGIN SOLUTION
    row_of = {key: row for row, key in enumerate(map(tuple, there.tolist()))}
    return np.array([row_of.get(key, -1) for key in map(tuple, wanted.tolist())], int)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    wanted = np.array([[2, 7], [1, 7], [1, 900], [2, 5]])
    there = np.array([[1, 7], [2, 5], [1, 5], [2, 7], [1, 900]])
    given = wanted.copy(), there.copy()
    answer = rows_of(*given)
    assert all(map(np.array_equal, given, (wanted, there))), "Leave both tables as they are."
    assert getattr(answer, "shape", None) == (4,), "Return one number for each row of `wanted`, an array (n,)."
    assert answer.dtype.kind == "i", "Numbers of rows are whole numbers."
    assert not np.array_equal(answer, [0, 0, 4, 1]), "Event 7 is in both runs: compare run and event."
    assert not np.array_equal(np.sort(answer), answer), (
        "Keep the order of `wanted`: a sorted join scrambles the images."
    )
    assert np.array_equal(there[answer], wanted), "`there[rows]` should be `wanted`, row by row."
    assert np.array_equal(rows_of(np.array([[3, 7], [1, 5], [1, 8]]), there), [-1, 2, -1]), "-1 where there is none."
    large = np.array([[2, 2], [6, 1], [1, 100_002], [4, 10**9]])
    assert np.array_equal(rows_of(large[::-1], large), [3, 2, 1, 0]), (
        "Numbers of events may be as large as they like: run and event squeezed into one number may collide."
    )


# %% tags=["wrong"]
# hint: compare run and event
def rows_of(wanted, there):
    order = np.argsort(there[:, 1], kind="stable")
    return order[np.searchsorted(there[order, 1], wanted[:, 1])]


# %% tags=["wrong"]
# hint: a sorted join
def rows_of(wanted, there):
    return np.flatnonzero((there[:, None] == wanted).all(axis=2).any(axis=1))


# %% tags=["wrong"]
# hint: -1 where there is none
def rows_of(wanted, there):
    return (wanted[:, None] == there).all(axis=2).argmax(axis=1)


# %% tags=["wrong"]
# hint: as large as they like
def rows_of(wanted, there):
    same = (wanted @ [100_000, 1])[:, None] == there @ [100_000, 1]
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


# %% tags=["expected"]
rows_of = tasks.solved(
    rows_of, otherwise=lambda wanted, there: dl1_tables.matching_rows(wanted.T, there.T, shower_table), task="Task 4"
)
keys = [np.stack([table["obs_id"], table["event_id"]], axis=1).astype(int) for table in (image_table, shower_table)]
events = dl1.read(path)
matched = shower_table["true_energy"][rows_of(*keys)]
print("as `dl1.read` has them:", np.array_equal(matched, events["true_energy"]))

figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
for panel, true, title in zip(panels, (shower_table["true_energy"], matched), ("row by row", "matched")):
    panel.plot(true, events["hillas_intensity"], "o", ms=4, color="#0072b2")
    panel.set(xlabel="energy [TeV]", title=title, xscale="log", yscale="log")
panels[0].set_ylabel("size [p.e.]")
plt.show()

# %% [markdown]
# Left: no relation at all, and no error message. Right: size grows with energy, for gamma rays in a narrow band, for
# protons in a wide one.
#
# `dl1.read` does this for all tables, turns units into those of the course, fixed point into p.e., and keeps a row
# for each image, NaN where cleaning has left nothing. `dl1.camera` reads where the pixels are; their order is not
# ours. Your functions need nothing else:

# %%
own_camera = dl1.camera(path, int(events["tel_id"][0])).in_telescope_frame()
own_masks = np.array([clean(one, own_camera.neighbours, 8, 4, 2) for one in events["image"]])
seen = np.flatnonzero(own_masks.sum(axis=1) > 2)
own = np.array(
    [moments(own_camera.positions[own_masks[i]], events["image"][i, own_masks[i]].astype(float)) for i in seen]
)
stored = np.stack([events[f"hillas_{name}"][seen] for name in NAMES], axis=1)
print(f"{len(own_masks)} images, {np.isnan(events['hillas_intensity']).sum()} without parameters")
print(f"pixels cleaned otherwise than in the file: {np.sum(own_masks != events['image_mask'])}")
print("largest difference of parameters:", dict(zip(NAMES, np.abs(own - stored).max(axis=0).round(4).tolist())))

# %%
shown = seen[np.argmin(np.abs(own[:, 0] - 1500))]
figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for panel, some_camera, title in zip(panels, (camera, own_camera), ("order of `camera.lst`", "order of the file")):
    camera_plots.image(some_camera, events["image"][shown], ax=panel)
    panel.set_title(title)
camera_plots.ellipse(events, shown, ax=panels[1])
plt.show()

# %% [markdown]
# Left: who takes the camera for ours sees no shower. Right: with the camera of the file it is there, and the ellipse
# that the file has for it fits.
#
# ## Muons measure the mirror
#
# How many photoelectrons does a photon give? Mirrors get dusty, and nobody hangs a lamp of known brightness into the
# sky. But muons do: a muon of more than 20 GeV radiates an amount of light that physics fixes, on a ring of a radius
# that physics fixes,
#
# $$\cos\theta = \frac{1}{n\beta}, \qquad \text{so nearly} \qquad \theta^2 = 2\,(n - 1) - \left(\frac{m}{E}\right)^2,$$
#
# where $n$ is the refractive index of the air in front of the telescope. Simulate muons that fly through the mirror.


# %%
def simulate_muons(n_muons, seed, model=model):
    """Muons of 10 GeV to 1 TeV that hit the mirror, from up to 0.7° from the middle of the camera."""
    rng = np.random.default_rng(seed)
    energy = 0.01 * (1 - rng.random(n_muons) * (1 - 100**-1.7)) ** (-1 / 1.7)  # falls with E to -2.7 [TeV]
    radius = np.sqrt(rng.random((2, n_muons))) * [[model.mirror_radius], [0.7]]
    angle = 2 * np.pi * rng.random((2, n_muons))
    core, offset = np.moveaxis(radius * np.stack([np.cos(angle), np.sin(angle)]), 0, -1)
    return cherenkov.simulate_muons(rng, energy, core=core, offset=offset, model=model)


muons = simulate_muons(profile.pick(full=1_000, quick=150), 413)
rings = muons["image"][:, 0]

# %% [markdown]
# ### Task 5: fit a circle
#
# Points on a circle with the centre $(a, b)$ and the radius $R$ obey $(x - a)^2 + (y - b)^2 = R^2$, or
#
# $$x^2 + y^2 = 2a\,x + 2b\,y + (R^2 - a^2 - b^2).$$
#
# This is linear in $2a$, $2b$ and the bracket: least squares finds them, with no start value (I. Kåsa 1976). Write
# `fit_circle(position, charge)`: places (K, 2) and charges (K,), which are the weights. Return $a$, $b$ and $R$.
#
# Then [`muon_rings`](../showertools/muon_rings.py) fits all cleaned rings at once, and you compare their radii with
# the Cherenkov angle. The curve is the angle at the telescope for the energy that muons have left, after 1.2 GeV lost
# on 8 km of air.


# %%
def fit_circle(position, charge):
    """Centre (two numbers) and radius of the circle through pixels of a ring [degrees]."""
    ### BEGIN SOLUTION
    terms = np.column_stack([position, np.ones(len(position))])
    root = np.sqrt(charge)
    solution = np.linalg.lstsq(terms * root[:, None], (position**2).sum(axis=1) * root, rcond=None)[0]
    a, b = solution[:2] / 2
    return a, b, np.sqrt(solution[2] + a**2 + b**2)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    angle = np.linspace(0, 4, 9)
    circle = [0.5, -0.25] + 1.2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    given = circle.copy(), np.arange(1.0, 10.0)
    answer = np.array(fit_circle(*given), float)
    assert answer.shape == (3,), "Return three numbers: a, b and R."
    assert all(map(np.array_equal, given, (circle, np.arange(1.0, 10.0)))), "Leave places and charges as they are."
    assert not np.allclose(answer[:2], [1.0, -0.5]), "The factors of x and y are 2a and 2b: halve them."
    assert np.allclose(answer[:2], [0.5, -0.25]), (
        "The centre is not right. On an arc it is not the mean of the places; are there three unknowns, x² + y² = …?"
    )
    assert not np.isclose(answer[2], 1.44), "That is R²: take the root."
    assert np.isclose(answer[2], 1.2), "The third term is R² - a² - b²: add a² + b² before you take the root."
    circle[4] = [0.0, 0.0]
    weight = np.where(np.arange(9) == 4, 1e-9, 1.0)
    assert np.allclose(fit_circle(circle, weight), [0.5, -0.25, 1.2], atol=1e-4), "A place of no charge has no weight."
    terms, root = np.column_stack([circle, np.ones(9)]), np.sqrt(np.arange(1.0, 10.0))
    exact = np.linalg.lstsq(terms * root[:, None], (circle**2).sum(axis=1) * root, rcond=None)[0]
    assert np.allclose(fit_circle(circle, root**2)[:2], exact[:2] / 2), (
        "Multiply both sides by the root of the charge; the squares carry it."
    )


# %% tags=["wrong"]
# hint: halve them
def fit_circle(position, charge):
    terms, root = np.column_stack([position, np.ones(len(position))]), np.sqrt(charge)
    a, b, c = np.linalg.lstsq(terms * root[:, None], (position**2).sum(axis=1) * root, rcond=None)[0]
    return a, b, np.sqrt(c + a**2 + b**2)


# %% tags=["wrong"]
# hint: it is not the mean of the places
def fit_circle(position, charge):
    a, b = np.average(position, axis=0, weights=charge)
    return a, b, np.average(np.hypot(position[:, 0] - a, position[:, 1] - b), weights=charge)


# %% tags=["wrong"]
# hint: The third term
def fit_circle(position, charge):
    terms, root = np.column_stack([position, np.ones(len(position))]), np.sqrt(charge)
    a, b, c = np.linalg.lstsq(terms * root[:, None], (position**2).sum(axis=1) * root, rcond=None)[0]
    return a / 2, b / 2, np.sqrt(c)


# %% tags=["wrong"]
# hint: has no weight
def fit_circle(position, charge):
    terms = np.column_stack([position, np.ones(len(position))])
    a, b, c = np.linalg.lstsq(terms, (position**2).sum(axis=1), rcond=None)[0] / [2, 2, 1]
    return a, b, np.sqrt(c + a**2 + b**2)


# %% tags=["wrong"]
# hint: the squares carry it
def fit_circle(position, charge):
    terms = np.column_stack([position, np.ones(len(position))]) * charge[:, None]
    a, b, c = np.linalg.lstsq(terms, (position**2).sum(axis=1) * charge, rcond=None)[0] / [2, 2, 1]
    return a, b, np.sqrt(c + a**2 + b**2)


# %%
def known_circle(position, charge):
    """The same from the library, for pixels of our camera."""
    image = np.zeros((1, camera.n_pixels), np.float32)
    image[0, [np.argmin(np.hypot(*(camera.positions - one).T)) for one in position]] = charge
    return tuple(float(values[0]) for values in muon_rings.fit(camera, image, image > 0).values())


fit_circle = tasks.solved(fit_circle, otherwise=known_circle, task="Task 5")
ring_masks = hillas.tailcuts_clean(camera, rings, 6, 3, 2)
circles = muon_rings.fit(camera, rings, ring_masks)
yours = fit_circle(camera.positions[ring_masks[0]], rings[0, ring_masks[0]].astype(float))
print("yours:", np.round(yours, 4), "the library's:", np.round([values[0] for values in circles.values()], 4))

# %% tags=["expected"]
figure, panels = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=(1, 1.2))
camera_plots.image(camera, rings[0], mask=ring_masks[0], ax=panels[0])
panels[0].add_patch(plt.Circle(yours[:2], yours[2], fill=False, color="w", linestyle="--"))
lengths, left = circles["muonring_radius"], np.geomspace(0.01, 1, 200)
theory = cherenkov_light.cherenkov_angle(model.site_altitude, 1000 * left - 1.2, mass=cherenkov_light.MUON_MASS)
panels[1].plot(1000 * muons["true_energy"], lengths, ".", ms=4, color="#0072b2", label="fitted rings")
panels[1].plot(1000 * left, theory, "k", linewidth=1, label="Cherenkov angle at the telescope")
panels[1].set(xlabel="energy [GeV]", ylabel="radius [°]", xscale="log", ylim=(0.9, 1.3))
panels[1].legend()
plt.show()
fast = muons["true_energy"] > 0.05
print(f"above 50 GeV: {np.nanmedian(lengths[fast]):.3f}°; at the telescope {theory[-1]:.3f}°")

# %% [markdown]
# The radii follow the curve, 0.02° below it: the light comes from the last 500 m of the path, where the air is up to
# 6 % thinner than at the mirror. The few rings far from the curve are arcs: muons at the mirror's edge, of whose ring
# cleaning leaves a part.
#
# ### Task 6: how clean is the mirror?
#
# A telescope has recorded the rings of muons, but nobody knows its efficiency. You know that of your simulation: 0.15
# photoelectrons a photon, in `rings`. Write `efficiency_of(images)`: images (n, P) of muons of the same kind, (some
# hundred; leave them as they are), and return the efficiency of their telescope. The check asks for 5 %. How precise
# can you get? The light of a ring depends on where the muon hit the mirror, and each ring can tell you that.


# %%
def efficiency_of(images):
    """Photoelectrons for each photon, from the images (n, P) of muons."""

    ### BEGIN SOLUTION
    def typical_light(some):
        found = muon_rings.fit(camera, some, hillas.tailcuts_clean(camera, some, 6, 3, 2))
        return np.nanmedian(muon_rings.light(camera, some, found))  # all pixels there: no threshold takes a share

    return model.efficiency * typical_light(images) / typical_light(rings)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    truth = (0.11, 0.17)
    recorded = [simulate_muons(400, 414, replace(model, efficiency=value))["image"][:, 0] for value in truth]
    before = [images.copy() for images in recorded]
    found = [efficiency_of(images) for images in recorded]
    assert all(map(np.array_equal, recorded, before)), "Leave the images as they are."
    assert [np.ndim(value) for value in found] == [0, 0], "Return one number."
    assert np.all(np.isfinite(found)), "Not a number: are there images of which nothing is left?"
    ratio = np.array(found) / truth
    assert not np.allclose(ratio, 1 / 0.15, rtol=0.15), "That is compared with your simulation: times its efficiency."
    assert not np.allclose(found[0], found[1], rtol=0.1), "Two telescopes, one twice as good, and the same answer?"
    assert ratio[0] > ratio[1] - 0.05, (
        "Lower for the poor mirror than for the good one: thresholds of the cleaning take a share of the light."
    )
    assert np.allclose(ratio, 1, atol=0.05), f"Off by {100 * np.abs(ratio - 1).max():.0f} %: are some rings no rings?"


# %% tags=["wrong"]
# hint: times its efficiency
def efficiency_of(images):
    return np.median(images.sum(axis=1)) / np.median(rings.sum(axis=1))


# %% tags=["wrong"]
# hint: the same answer
def efficiency_of(images):
    found = muon_rings.fit(camera, images, hillas.tailcuts_clean(camera, images, 6, 3, 2))
    return model.efficiency * np.nanmedian(found["muonring_radius"]) / np.nanmedian(circles["muonring_radius"])


# %% tags=["wrong"]
# hint: take a share of the light
def efficiency_of(images):
    def typical(some):
        return np.median(np.where(hillas.tailcuts_clean(camera, some, 8, 4, 2), some, 0).sum(axis=1))

    return model.efficiency * typical(images) / typical(rings)


# %% tags=["result"]
efficiency_of = tasks.solved(efficiency_of, otherwise=lambda images: np.nan, task="Task 6")
n_nights = profile.pick(full=5, quick=2)
for value in (0.10, 0.12, 0.18):
    nights = [simulate_muons(300, 415 + night, replace(model, efficiency=value)) for night in range(n_nights)]
    found = [efficiency_of(night["image"][:, 0]) for night in nights]
    print(
        f"efficiency {value:.3f}: measured {np.mean(found):.4f}, one night of 300 muons ± {np.std(found, ddof=1):.4f}"
    )

# %% [markdown]
# ## What you learned
#
# - An image is the track of light of a shower: its place tells the impact, its size the energy, its shape the
#   particle, its times which end is the top.
# - Cleaning trades faint light for less noise. In tables of neighbours, -1 means none, and NumPy takes it for the
#   last.
# - Tables of one file are joined by keys, never by the order of their rows, and images need the camera of their file.
# - Muons are the lamp that telescopes are calibrated with.
#
# ## Go further
#
# - Vary the thresholds of the cleaning. Count images of the night sky alone that survive (`core=(3000, 0)`), and
#   gamma rays of 30 GeV that are lost. Which thresholds would you take?
# - Improve Task 6: fit how the light varies along the ring, from where the muon hit the mirror, and divide by it.
# - Two telescopes 100 m apart see a shower twice: where do the axes of the two images cross?
#
# ## References
#
# - A. M. Hillas, *Cerenkov light images of EAS produced by primary gamma rays and by nuclei*, Proc. 19th
#   International Cosmic Ray Conference 3 (1985) 445.
# - H. J. Völk, K. Bernlöhr, *Imaging very high energy gamma-ray telescopes*, Exp. Astron. 25 (2009) 173,
#   [doi:10.1007/s10686-009-9151-z](https://doi.org/10.1007/s10686-009-9151-z).
# - M. Gaug et al., *Using muon rings for the calibration of the Cherenkov Telescope Array: a systematic review of the
#   method and its potential accuracy*, Astrophys. J. Suppl. 243 (2019) 11,
#   [doi:10.3847/1538-4365/ab2123](https://doi.org/10.3847/1538-4365/ab2123).
# - I. Kåsa, *A circle fitting procedure and its error analysis*, IEEE Trans. Instrum. Meas. IM-25 (1976) 8,
#   [doi:10.1109/TIM.1976.6312298](https://doi.org/10.1109/TIM.1976.6312298).
# - F. Aharonian et al. (HEGRA), *The Crab Nebula and Pulsar between 500 GeV and 80 TeV*, Astrophys. J. 614 (2004)
#   897, [doi:10.1086/423931](https://doi.org/10.1086/423931); the protons: Phys. Rev. D 59 (1999) 092003,
#   [doi:10.1103/PhysRevD.59.092003](https://doi.org/10.1103/PhysRevD.59.092003).
# - H. Abe et al., *Observations of the Crab Nebula and Pulsar with the Large-sized Telescope prototype of the
#   Cherenkov Telescope Array*, Astrophys. J. 956 (2023) 80,
#   [doi:10.3847/1538-4357/ace89d](https://doi.org/10.3847/1538-4357/ace89d).
