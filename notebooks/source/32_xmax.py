# %% [markdown]
# # Xmax from the footprint
#
# **You will be able to**
# - prepare counts and arrival times for a network without a look at the test showers,
# - train a convolutional network that reconstructs Xmax, and use the symmetry of the showers twice,
# - give a network the form of the problem, with a tenth of the parameters,
# - judge its bias and resolution against Xmax and mass, with uncertainties,
# - say how far it is from a classical fit and from the statistical limit, and which bias no estimator avoids.
#
# **Time** 40 min reading, 60 min tasks; runs in 4 min on two CPU cores.
# **You need** [lesson 31](31_footprints.ipynb), what lessons [11](11_linear_regression.ipynb) to
# [14](14_generalization.ipynb) teach, and what a convolution is.

# %%
from dataclasses import replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from showertools import (
    batches,
    datasets,
    footprint_input,
    footprints,
    front_fit,
    limits,
    metrics,
    pixel_features,
    plotting,
    profile,
    symmetry,
    tasks,
)

# %% [markdown]
# ## What you get, and what you want
#
# You get a footprint: in each of 32×32 pixels the number of muons and the time of the first. You do not get the core,
# nor the moment at which the shower reached the ground. You want $X_\mathrm{max}$, the depth at which the shower was
# largest. In [lesson 31](31_footprints.ipynb) you saw where it hides: a muon that was made low arrives late.
#
# Simulate 40,000 showers to learn from and 4,000 others to be judged by. The second set stays closed until the end.

# %%
n_showers = profile.pick(full=40_000, quick=2_000)
n_test = profile.pick(full=4_000, quick=400)
known = footprints.simulate(n_showers, seed=32)
test = footprints.simulate(n_test, seed=33)
train, validation = datasets.split(known, fractions=(0.9, 0.1), seed=32)
del known  # the parts are copies
print(f"{len(train['xmax'])} showers to train on, {len(validation['xmax'])} to watch, {n_test} to be judged by")

# %% [markdown]
# How well can you do without looking at the footprint at all? Say "the mean of the training showers", always.
#
# ### Task 1: bias and resolution
#
# Write `bias_and_resolution(true, estimate)`. Both are arrays [g/cm²]. The bias is the mean of *estimate minus truth*,
# the resolution is the standard deviation of *estimate minus truth*. Return both.


# %%
def bias_and_resolution(true, estimate):
    """Mean and standard deviation of estimate - true, in the unit of both."""
    ### BEGIN SOLUTION
    residual = estimate - true
    return residual.mean(), residual.std()
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    truth = np.array([700.0, 750.0, 800.0, 850.0])
    assert len(bias_and_resolution(truth, truth)) == 2, "Return two numbers: the bias, then the resolution."
    assert np.allclose(bias_and_resolution(truth, truth), 0), "A perfect estimate has bias 0 and resolution 0."
    bias, resolution = bias_and_resolution(truth, truth + 10)
    assert not (np.isclose(bias, 0) and np.isclose(resolution, 10)), "First the bias, then the resolution."
    assert bias > 0, "The estimate is 10 too large and your bias is negative: take estimate minus truth."
    assert np.isclose(bias, 10), "The estimate is 10 too large: the bias should be 10."
    assert np.isclose(resolution, 0), "A constant shift is bias, not resolution: the spread of the residuals is 0 here."
    bias, resolution = bias_and_resolution(truth, truth + [3, -3, 3, -3])
    assert np.isclose(resolution, 3), "Residuals of +3 and -3 have a standard deviation of 3."


# %% tags=["wrong"]
# hint: take estimate minus truth
def bias_and_resolution(true, estimate):
    residual = true - estimate
    return residual.mean(), residual.std()


# %% tags=["wrong"]
# hint: First the bias
def bias_and_resolution(true, estimate):
    residual = estimate - true
    return residual.std(), residual.mean()


# %% tags=["wrong"]
# hint: constant shift is bias
def bias_and_resolution(true, estimate):
    residual = estimate - true
    return residual.mean(), np.sqrt((residual**2).mean())


# %% tags=["wrong"]
# hint: standard deviation of 3
def bias_and_resolution(true, estimate):
    residual = estimate - true
    return residual.mean(), residual.var()


# %%
bias_and_resolution = tasks.solved(
    bias_and_resolution, otherwise=lambda *both: (metrics.bias(*both), metrics.resolution(*both)), task="Task 1"
)
always_the_mean = np.full(len(validation["xmax"]), train["xmax"].mean())
bias, resolution = bias_and_resolution(validation["xmax"], always_the_mean)
print(f"always the mean: bias {bias:.1f} g/cm², resolution {resolution:.1f} g/cm²")

# %% [markdown]
# 52 g/cm² is the spread of $X_\mathrm{max}$ itself. Whatever you build must beat it.
#
# ## A classical method first
#
# A muon from height $h$ lags the front by about $r^2/2ch$ at a distance $r$ from the core. So the front that arrives is
# a bowl, and the lower the muons were made, the deeper the bowl. Write the bowl as
#
# $$t = a + b\,x + e\,y + k\,(x^2 + y^2).$$
#
# This is linear in $a, b, e, k$: least squares solve it, for all showers at once. The bottom of the bowl is the core,
# and $1/(2ck)$ is the height from which the muons seem to come. [`front_fit`](../showertools/front_fit.py) does it,
# with weights that know that late pixels spread more.

# %%
front = front_fit.fit_front(train["counts"], train["arrival_time"])
offset = front["core"] - train["core"]
print(f"core: {offset.std():.1f} m in each coordinate")

plt.hist2d(train["xmax"], front["height"] / 1000, bins=80, range=((640, 960), (2.4, 4.8)), cmap="viridis", cmin=1)
plt.colorbar(label="showers")
plt.xlabel(r"true $X_\mathrm{max}$ [g/cm²]")
plt.ylabel("apparent production height [km]")
plt.show()

# %% [markdown]
# The core comes out to 6 m, a fifth of a pixel, and the apparent height falls with $X_\mathrm{max}$ as it should: the
# deeper the shower, the lower its muons are born.
#
# Turn the height into $X_\mathrm{max}$ by regression. First with two numbers a shower, height and number of muons; the
# fit may use their squares and product. Then with all that one can measure by hand: shares, delays and filled pixels in
# ten rings around the fitted core. Both learn from the same 36,000 showers as your network will.


# %%
def by_hand(showers, rings):
    """Numbers that describe each shower: log of height and muons, and if wanted 40 numbers from rings."""
    front = front_fit.fit_front(showers["counts"], showers["arrival_time"])
    two = np.log([front["height"], showers["counts"].sum(axis=(1, 2))]).T  # (B, 2)
    if not rings:
        return two
    profiles = front_fit.ring_profiles(showers["counts"], showers["arrival_time"], front)  # (B, 10, 4)
    return np.hstack([two, profiles.reshape(len(two), -1)])


regressions = {"front fit": False, "front fit and rings": True}
for name, rings in regressions.items():
    regressions[name] = make_pipeline(StandardScaler(), PolynomialFeatures(2), RidgeCV(np.logspace(-2, 4, 7)))
    regressions[name].fit(by_hand(train, rings), train["xmax"])
    answer = regressions[name].predict(by_hand(validation, rings))
    print(f"{name}: {bias_and_resolution(validation['xmax'], answer)[1]:.1f} g/cm² on the validation showers")

# %% [markdown]
# Two numbers bring 52 down to 12 g/cm², forty more to 10. That is the mark for the network: it sees 2,048 numbers and
# has to find out itself which of them matter.
#
# ## What the network should read
#
# A network likes inputs of order one. Times of several hundred nanoseconds with an unknown start are not. And what do
# you write into a pixel that no muon hit? A 0 would say "early", which is wrong.
#
# ### Task 2: times without a start
#
# Write `relative_times(counts, arrival_time)` for arrays (n, 32, 32). Subtract from the times of each shower their mean
# over the pixels that were hit. Put 0 where `counts` is 0: there `arrival_time` is NaN.


# %%
def relative_times(counts, arrival_time):
    """Arrival times minus their mean over the hit pixels of the same shower [ns]; 0 where no muon came."""
    ### BEGIN SOLUTION
    hit = counts > 0
    times = np.where(hit, arrival_time, 0)
    mean = times.sum(axis=(1, 2)) / hit.sum(axis=(1, 2))  # (n,)
    return np.where(hit, times - mean[:, None, None], 0)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    counts = np.array([[[1.0, 0.0], [2.0, 1.0]], [[1.0, 1.0], [0.0, 0.0]]])
    times = np.array([[[10.0, np.nan], [40.0, 10.0]], [[-5.0, 5.0], [np.nan, np.nan]]])
    answer = relative_times(counts, times)
    assert np.shape(answer) == (2, 2, 2), "The times should keep their shape (n, 32, 32)."
    assert not np.any(np.isnan(answer)), "There is a NaN left: which pixels were not hit?"
    assert np.all(answer[counts == 0] == 0), "A pixel without a muon should hold 0 at the end, not minus the mean."
    assert not np.isclose(answer[0, 0, 0], -5), "Leave the empty pixels out of the mean: the first shower's is 20 ns."
    assert np.allclose(answer[1, 0], [-5, 5]), "Each shower has a start of its own: take the mean shower by shower."
    assert np.allclose(answer[0], [[-10, 0], [20, -10]]), "Weigh each hit pixel once, however many muons it counted."


# %% tags=["wrong"]
# hint: NaN left
def relative_times(counts, arrival_time):
    return arrival_time - np.nanmean(arrival_time, axis=(1, 2), keepdims=True)


# %% tags=["wrong"]
# hint: mean shower by shower
def relative_times(counts, arrival_time):
    return np.nan_to_num(arrival_time - np.nanmean(arrival_time))


# %% tags=["wrong"]
# hint: empty pixels out of the mean
def relative_times(counts, arrival_time):
    times = np.nan_to_num(arrival_time)
    return np.where(counts > 0, times - times.mean(axis=(1, 2), keepdims=True), 0)


# %% tags=["wrong"]
# hint: not minus the mean
def relative_times(counts, arrival_time):
    return np.nan_to_num(arrival_time) - np.nanmean(arrival_time, axis=(1, 2), keepdims=True)


# %%
relative_times = tasks.solved(relative_times, otherwise=footprint_input.relative_times, task="Task 2")

# %% [markdown]
# One step is left. Every shower is early at the centre and late at the rim; this tells nothing about *this* shower. So
# subtract from each pixel the mean over the training showers, and divide by their spread there. Now 0 means "as usual",
# and an empty pixel may hold it. [`footprint_input`](../showertools/footprint_input.py) does so, takes the logarithm of
# the counts, and adds a third channel that says where a muon came.
#
# Which showers may the means and spreads be learned from? From the training showers alone. Had the test showers a part
# in them, they would no longer be unseen.

# %%
normalisation = footprint_input.fit_normalisation(train["counts"], train["arrival_time"])
pictures, validation_input, test_pictures = (
    footprint_input.network_input(some["counts"], some["arrival_time"], normalisation)
    for some in (train, validation, test)
)
aside = np.argmax(np.hypot(*train["core"][:200].T))  # a shower whose core is far off the centre
times = relative_times(train["counts"][[aside]], train["arrival_time"][[aside]])[0]

# %% tags=["expected"]
figure, panels = plt.subplots(1, 3, figsize=(12, 3.4), layout="constrained")
shown = (
    ("one shower", times, 150, "ns"),
    ("mean front", normalisation.front, 150, "ns"),
    ("what the network reads", pictures[aside, ..., 1], 2, "spreads"),
)
for panel, (title, picture, limit, unit) in zip(panels, shown):
    extent = (-480, 480, -480, 480)
    image = panel.imshow(picture, cmap="coolwarm", vmin=-limit, vmax=limit, origin="lower", extent=extent)
    panel.set(title=title, xlabel="x [m]", ylabel="y [m]")
    figure.colorbar(image, ax=panel, label=f"relative time [{unit}]", shrink=0.85)
plt.show()

# %% [markdown]
# Left the bowl of one shower, with its core off the centre. In the middle the mean bowl of all training showers. Right
# the difference in units of the spread in that pixel: the slope across the picture tells where the core was. What is
# left of the bend tells $X_\mathrm{max}$, and no eye sees it in a single shower.
#
# ## The network
#
# Three convolutions look at ever larger parts of the picture, each in steps of 2. Dense layers then see all parts
# together: the bend of the bowl is a matter of the whole picture. The last layer gives one number, which `Rescaling`
# turns into g/cm².


# %%
def build_network(mean, std):
    """Network from pictures (B, 32, 32, 3) to Xmax [g/cm²] (B, 1)."""
    convolution = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    picture = keras.Input((32, 32, 3))
    z = layers.Conv2D(32, 4, strides=2, **convolution)(picture)  # (B, 16, 16, 32)
    z = layers.Conv2D(64, 3, strides=2, **convolution)(z)  # (B, 8, 8, 64)
    z = layers.Conv2D(64, 3, strides=2, **convolution)(z)  # (B, 4, 4, 64)
    z = layers.Flatten()(z)
    z = layers.Dense(128, activation="relu")(z)
    z = layers.Dense(64, activation="relu")(z)
    return keras.Model(picture, layers.Rescaling(std, offset=mean)(layers.Dense(1)(z)))


# %%
# NBVAL_CHECK_OUTPUT
print(f"{build_network(750.0, 50.0).count_params():,} parameters")

# %% [markdown]
# A shower that comes straight down has no preferred side. Turn a training picture by 90°, or mirror it, and you have
# another one with the same $X_\mathrm{max}$: each shower stands for eight. [`TurnedBatches`](../showertools/batches.py)
# turns each batch at random. The learning rate rises during the first tenth of the steps and then falls along a cosine.


# %%
def train_network(network, epochs, rate, data, targets=None):
    """Train a network on batches, or on pictures and their targets; returns the history."""
    steps = epochs * (len(train["xmax"]) // 64)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, int(0.9 * steps), alpha=0.01, warmup_target=rate, warmup_steps=int(0.1 * steps)
    )
    rms = keras.metrics.RootMeanSquaredError(name="rms")
    network.compile(keras.optimizers.Adam(schedule), loss="mse", metrics=[rms])
    size = None if targets is None else 64
    watched = (validation_input, validation["xmax"])
    return network.fit(data, targets, size, epochs, validation_data=watched, verbose=0).history


keras.utils.set_random_seed(1)
network = build_network(train["xmax"].mean(), train["xmax"].std())
data = batches.TurnedBatches(pictures, train["xmax"], seed=1)
history = train_network(network, profile.pick(full=8, quick=2), 2e-3, data)

axes = plotting.history(history, quantity="rms")
axes.set_ylabel("RMS error of Xmax [g/cm²]")
plt.show()

# %% [markdown]
# The training error of an epoch is an average over the epoch, during which the network still improves: so it lies above
# the validation error. As long as the two fall together, the network has not begun to memorise its showers.
#
# ### Task 3: ask eight times
#
# The network has seen each shower from one side at a time, so its answer changes a little when you turn the picture.
# The truth does not. Write `averaged(predict, pictures)`: the mean of `predict` over the eight copies of the pictures
# (n, H, H, C), four turns, each with and without a mirror. `np.rot90(pictures, number, axes=...)` turns.


# %%
def averaged(predict, pictures):
    """Mean of `predict` (n, ...) over the eight symmetric copies of the pictures (n, H, H, C)."""
    ### BEGIN SOLUTION
    answers = []
    for copies in (pictures, pictures[:, :, ::-1]):
        for number in range(4):
            answers.append(predict(np.rot90(copies, number, axes=(1, 2))))
    return np.mean(answers, axis=0)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    sample = np.random.default_rng(0).normal(size=(5, 3, 3, 2))
    weights = np.random.default_rng(1).normal(size=(3, 3, 2))
    seen = []

    def judge(some):
        assert np.shape(some) == (5, 3, 3, 2), "Turn within the picture: the axes are 1 and 2, axis 0 counts showers."
        seen.append(np.array(some))
        return np.tensordot(some, weights, 3)

    answer = averaged(judge, sample)
    different = len({copy.tobytes() for copy in seen})
    assert different > 1, "All copies are the same: turn and mirror the pictures before you ask."
    assert np.all([np.isclose(copy.sum((1, 2)), sample.sum((1, 2))).all() for copy in seen]), (
        "Pictures got mixed up: turn axes 1 and 2, so that each shower keeps its own pixels and channels."
    )
    assert different > 4, "These are four copies: mirror them as well."
    assert different == 8, "Some copies are missing or come twice: four turns, each with and without a mirror."
    assert np.shape(answer) == (5,), "Average over the copies, not over the showers: one answer for each shower."
    assert np.allclose(answer, symmetry.averaged(judge, sample)), "Average the eight answers with equal weights."


# %% tags=["wrong"]
# hint: mirror them as well
def averaged(predict, pictures):
    return np.mean([predict(np.rot90(pictures, number, axes=(1, 2))) for number in range(4)], axis=0)


# %% tags=["wrong"]
# hint: axes are 1 and 2
def averaged(predict, pictures):
    return np.mean([predict(np.rot90(pictures, number)) for number in range(4)], axis=0)


# %% tags=["wrong"]
# hint: not over the showers
def averaged(predict, pictures):
    turns = [np.rot90(some, k, axes=(1, 2)) for some in (pictures, pictures[:, :, ::-1]) for k in range(4)]
    return np.mean([predict(copies) for copies in turns])


# %%
averaged = tasks.solved(averaged, otherwise=symmetry.averaged, task="Task 3")


def ask(pictures):
    """Xmax [g/cm²] (n,), averaged over the eight copies of each picture."""
    parts = np.array_split(pictures, max(len(pictures) // 500, 1))
    return np.concatenate([averaged(network.predict_on_batch, part)[:, 0] for part in parts])


once, eight_times = network.predict(validation_input, verbose=0)[:, 0], ask(validation_input)
for name, answer in (("asked once", once), ("asked eight times", eight_times)):
    print(f"{name}: {bias_and_resolution(validation['xmax'], answer)[1]:.2f} g/cm² on the validation showers")

# %% [markdown]
# ## A network in the form of the problem
#
# Better, but the forty numbers from rings are still ahead. They profit from two things that this network has to find
# out by itself: where the core is, and that only the distance from it matters. So tell it.
#
# What do you know? Given core, start, $X_\mathrm{max}$ and mass, the pixels are independent of each other. So the
# logarithm of the likelihood is a sum over pixels of *some* function of a pixel's count, its time and its distance to
# the core. Build a network of this form. One small network looks at each pixel alone, by convolutions of 1×1, the same
# for all. What it finds is averaged over the pixels, and a second small network concludes. Such a network is called a
# **deep set**: it does not care about the order of the pixels, so there is nothing to turn.
#
# [`pixel_features`](../showertools/pixel_features.py) fits the front of each shower and writes four numbers into each
# pixel: the logarithm of 1 + count, the delay behind the fitted front in units of its usual spread, whether a muon
# came, and the distance to the fitted core.

# %%
del pictures, data
pixels, validation_input, test_pixels = (
    pixel_features.pixel_features(some["counts"], some["arrival_time"]) for some in (train, validation, test)
)


def build_deep_set(mean, std):
    """Network from pixels (B, 32, 32, 4) to Xmax [g/cm²] (B, 1)."""
    pixel = keras.Input((32, 32, 4))
    z = pixel
    for _ in range(2):
        z = layers.Conv2D(48, 1, activation="relu", kernel_initializer="he_normal")(z)  # (B, 32, 32, 48)
    z = layers.GlobalAveragePooling2D()(z)  # (B, 48)
    z = layers.BatchNormalization(momentum=0.95)(z)  # the averages differ little: stretch the differences
    z = layers.Dense(128, activation="relu")(z)
    z = layers.Dense(64, activation="relu")(z)
    return keras.Model(pixel, layers.Rescaling(std, offset=mean)(layers.Dense(1)(z)))


# %%
# NBVAL_CHECK_OUTPUT
print(f"{build_deep_set(750.0, 50.0).count_params():,} parameters")

# %% [markdown]
# Train it three times, from three seeds: their spread tells how much of a result is luck. After a short training, a
# network as a whole may be off by a few g/cm². The validation showers tell by how much; subtract it.

# %%
deep_sets, offsets = [], []
for seed in (1, 2, 3):
    keras.utils.set_random_seed(seed)
    deep_sets.append(build_deep_set(train["xmax"].mean(), train["xmax"].std()))
    train_network(deep_sets[-1], profile.pick(full=5, quick=2), 3e-3, pixels, train["xmax"])
    residual = deep_sets[-1].predict(validation_input, batch_size=500, verbose=0)[:, 0] - validation["xmax"]
    offsets.append(residual.mean())
    print(f"seed {seed}: {residual.std():.2f} g/cm² on the validation showers, off by {offsets[-1]:+.1f} g/cm²")

# %% [markdown]
# ## Open the test set
#
# Everything is decided: networks, epochs, learning rates. Now, and only now, ask for the test showers.


# %%
def reconstruct(pixels):
    """Xmax [g/cm²] from each deep set, (3, n)."""
    answers = [some.predict(pixels, batch_size=500, verbose=0)[:, 0] for some in deep_sets]
    return np.array(answers) - np.array(offsets)[:, None]


single = reconstruct(test_pixels)
mean_of_three = single.mean(axis=0)
convolutional = ask(test_pictures)

# %%
axes = plotting.estimate_against_truth(test["xmax"], mean_of_three)
plt.show()

# %% [markdown]
# The points follow the diagonal from 650 to 900 g/cm². One number for all of them hides a lot, though. Does the
# resolution depend on $X_\mathrm{max}$ and on the mass? And is the bias 0 everywhere, or does it average out?

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
edges = np.array([640, 680, 700, 720, 740, 760, 780, 800, 840, 880, 960, 1100])
for mass, name in plotting.MASS_LABELS.items():
    mine = test["mass_number"] == mass
    both = (test["xmax"][mine], mean_of_three[mine], test["xmax"][mine], edges)
    plotting.binned(*both, metric="resolution", label=name, color=plotting.MASS_COLORS[mass], ax=left)
    plotting.binned(*both, metric="bias", label=name, color=plotting.MASS_COLORS[mass], ax=right)
left.set(xlabel=r"true $X_\mathrm{max}$ [g/cm²]", ylabel="resolution [g/cm²]", ylim=(0, None))
right.set(xlabel=r"true $X_\mathrm{max}$ [g/cm²]", ylabel="bias [g/cm²]")
right.axhline(0, color="k", linewidth=0.8)
left.legend(loc="lower right")
plt.show()

# %% [markdown]
# Iron is measured best: it has the most muons. And the bias is not 0. Of each mass, shallow showers are estimated too
# deep and deep ones mostly too shallow; and at the same depth a proton comes out deeper than iron. Is the network to
# blame?
#
# ## A bias that you cannot avoid
#
# Think of a measurement with a normal error of $\sigma$ that puts a shower at 900 g/cm². Few showers are that deep,
# many are at 880. So it is more likely that a shower of 880 was measured 20 too deep than one of 920 20 too shallow.
# The estimate with the smallest squared error knows this, and leans towards where showers are frequent. For a measured
# depth $m$ it is
#
# $$\hat x = m + \sigma^2\,\frac{\mathrm{d}\ln p(m)}{\mathrm{d}m},$$
#
# where $p$ is the distribution of the measured depths (Tweedie's formula). A network trained with squared error learns
# to lean as well.
#
# ### Task 4: how much must it lean?
#
# Write `leaning(log_density, measured, resolution)`: the second term [g/cm²]. `log_density(measured)` returns $\ln
# p(m)$ for an array of depths of any shape; take its derivative numerically.


# %%
def leaning(log_density, measured, resolution):
    """How far the best estimate lies from the `measured` depths [g/cm²], for an error of `resolution` [g/cm²]."""
    ### BEGIN SOLUTION
    step = 0.5  # g/cm²
    return resolution**2 * (log_density(measured + step) - log_density(measured - step)) / (2 * step)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    depth = np.array([650.0, 750.0, 850.0])
    normal = lambda x: -0.5 * ((x - 750.0) / 50.0) ** 2  # mean 750, width 50: the derivative is -(x - 750) / 2500
    answer = leaning(normal, depth, 10.0)
    assert np.shape(answer) == (3,), "Return one number for each depth."
    assert np.isclose(answer[1], 0, atol=0.1), "At the peak nothing leans: the derivative of ln p is 0 there."
    assert answer[0] > 0, "Shallow showers should be estimated too deep, towards the peak: check the sign."
    assert not np.isclose(answer[0], 0.4, atol=0.02), "The resolution enters squared: 10 g/cm² counts 100."
    assert np.allclose(answer, [4, 0, -4], atol=0.05), "For this p it is -(m - 750)·σ²/50²: ±4 g/cm² at 650 and 850."


# %% tags=["wrong"]
# hint: check the sign
def leaning(log_density, measured, resolution):
    return -(resolution**2) * (log_density(measured + 0.5) - log_density(measured - 0.5))


# %% tags=["wrong"]
# hint: enters squared
def leaning(log_density, measured, resolution):
    return resolution * (log_density(measured + 0.5) - log_density(measured - 0.5))


# %% tags=["wrong"]
# hint: ±4 g/cm²
def leaning(log_density, measured, resolution):
    return resolution**2 * (log_density(measured + 0.5) - log_density(measured - 0.5)) / 2


# %%
leaning = tasks.solved(leaning, otherwise=limits.shrinkage, task="Task 4")


resolution = metrics.resolution(test["xmax"], mean_of_three)
errors = resolution * np.linspace(-2.5, 2.5, 11)  # of a measurement
weights = np.exp(-0.5 * (errors / resolution) ** 2)


def log_density(measured):
    """Logarithm of the density of measured depths, up to a constant: true ones, smeared by the resolution."""
    pull = (measured[..., None] - train["xmax"][:4000]) / resolution
    return np.log(np.exp(-0.5 * pull**2).mean(axis=-1))


# %% [markdown]
# To compare with a bias at a *true* depth, average over what may be measured there. The limit that you meet in the next
# section comes with estimates of its own, the best there are; how do they lean?

# %% tags=["expected"]
stored = datasets.load(datasets.data_file("footprint_limit.h5"))
limit = {name: values[:n_test] for name, values in stored.items()}
depth = np.arange(660.0, 1000.0, 10.0)
expected = np.average(leaning(log_density, depth[:, None] + errors, resolution), axis=1, weights=weights)
figure, axes = plt.subplots(layout="constrained")
for name, answer, color in (("deep sets", mean_of_three, "#0072b2"), ("best estimates", limit["xmax"], "#d55e00")):
    plotting.binned(test["xmax"], answer, test["xmax"], edges, metric="bias", label=name, color=color, ax=axes)
axes.plot(depth, expected, color="k", label="expected from leaning alone")
axes.axhline(0, color="0.7", linewidth=0.8, zorder=0)
axes.set(xlabel=r"true $X_\mathrm{max}$ [g/cm²]", ylabel="bias [g/cm²]")
axes.legend()
plt.show()

# %% [markdown]
# From 700 to 880 g/cm², where nine of ten showers are, the bias stays below 4 g/cm². At the shallow end it is 10 g/cm².
# But bin by bin the best estimates that exist lean as far, within the errors: nothing is left that a better network
# could mend. If you need an estimate that does not lean, for a measured distribution of $X_\mathrm{max}$ for example,
# subtract this curve, or unfold; the price is resolution.
#
# ## How well can it be done at all?
#
# The simulator is simple enough to write down its likelihood: the probability of this footprint for a given
# $X_\mathrm{max}$, mass, core and start ([`footprint_likelihood`](../showertools/footprint_likelihood.py) has the
# formula). With the prior, the likelihood gives the posterior, and no estimate has a smaller mean squared error than
# the posterior's mean. So the posterior's standard deviation is the limit, shower by shower. It takes integrals over
# five unknowns:

# %%
few = {name: values[:5] for name, values in test.items()}
posterior = limits.footprint_posterior(few, seed=1)
for truth, answer, error in zip(few["xmax"], posterior["xmax"], posterior["xmax_std"]):
    print(f"true {truth:.0f}: {answer:.0f} ± {error:.0f} g/cm²")

# %% [markdown]
# For all 4,000 test showers this takes 6 minutes; the file that you read above holds the result, and `python
# notebooks/make_footprint_limit.py` makes it again.

# %%
assert np.allclose(limit["true_xmax"], test["xmax"]), "The file belongs to other showers: make it again."
smallest = np.sqrt(np.mean(limit["xmax_std"] ** 2))
print(
    f"the limit: {smallest:.2f} g/cm²; its own estimates: {metrics.resolution(test['xmax'], limit['xmax']):.2f} g/cm²"
)

# %%
rows = {"always the mean": np.full(n_test, train["xmax"].mean())}
rows |= {name: regressions[name].predict(by_hand(test, "rings" in name)) for name in regressions}
rows |= {"convolutions": convolutional}
rows |= {f"deep set, seed {seed}": some for seed, some in zip((1, 2, 3), single)}
rows |= {"mean of three deep sets": mean_of_three, "posterior mean": limit["xmax"]}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for row, answer in enumerate(rows.values()):
    value, low, high = metrics.bootstrap(metrics.resolution, test["xmax"], answer)
    axes.errorbar(value, row, xerr=[[value - low], [high - value]], fmt="o", color="k", markersize=3)
    axes.annotate(f"{value:.1f}", (value, row), xytext=(8, -4), textcoords="offset points")
axes.axvline(smallest, color="#d55e00", label="statistical limit")
axes.set(yticks=range(len(rows)), yticklabels=list(rows), xscale="log", xlim=(8, 70), xlabel="resolution [g/cm²]")
axes.set_xticks([10, 20, 50], ["10", "20", "50"])
axes.minorticks_off()
axes.invert_yaxis()
axes.legend(loc="lower right")
plt.show()

# %% [markdown]
# The deep sets reach 9.8 ± 0.1 g/cm² (three seeds), 1.06 times the limit, their mean 9.7. The regression on rings, with
# 42 numbers chosen by somebody who knows showers, is close behind at 9.9; the front fit alone reaches 12.2. The
# convolutional network, with eleven times the parameters of a deep set, lies between: 11.1. It had to find out from
# 36,000 showers what you told the others: that the core matters, and where it is.
#
# And the bias by mass? The network does not know the mass; it has to guess it from the same picture.

# %% tags=["result"]
value, low, high = metrics.bootstrap(metrics.resolution, test["xmax"], mean_of_three)
spread = [metrics.resolution(test["xmax"], some) for some in single]
print(f"Xmax resolution on {n_test} unseen showers: {value:.2f} g/cm² (68 % interval {low:.2f} to {high:.2f})")
print(f"single deep sets, three seeds: {np.mean(spread):.2f} ± {np.std(spread, ddof=1):.2f} g/cm²")
print(
    f"statistical limit: {smallest:.2f} g/cm²; ratio {value / smallest:.2f}, "
    f"of single deep sets {np.mean(spread) / smallest:.2f}"
)
print(f"convolutional network: {metrics.resolution(test['xmax'], convolutional):.2f} g/cm²")
for name, answer in (("deep sets", mean_of_three), ("posterior mean", limit["xmax"])):
    by_mass = [
        f"{label} {np.mean((answer - test['xmax'])[test['mass_number'] == mass]):+.1f}"
        for mass, label in plotting.MASS_LABELS.items()
    ]
    print(f"bias of the {name}, g/cm²: " + ", ".join(by_mass))

# %% [markdown]
# Each mass is right to 2.5 g/cm². Compare with the best estimates: they, too, cannot tell a shallow proton shower from
# a deep helium one, and share the mistake between the two.
#
# ## What if nature is not your simulation?
#
# You trained on one hadronic model and one toy. Suppose the showers in the data are made a little differently.
#
# ### Task 5: judge before you simulate
#
# Three worlds, each with one change: (a) `hadronic_model="QGSJetII-04"`, which puts the mean $X_\mathrm{max}$ of
# protons 15 g/cm² higher up; (b) `production_lag=160`: muons made 10 g/cm² higher up at the same $X_\mathrm{max}$; (c)
# `muons_per_proton=1200`. In which of them will your deep sets be biased, in which direction, by how much? Write your
# three guesses down first.
#
# Then write `bias_under(model, estimate)`: simulate 2,000 showers of `model` with seed 34, call `estimate(events)`,
# which returns one $X_\mathrm{max}$ a shower, and return its bias [g/cm²]. What else could differ in data, and how
# would you notice?


# %%
def bias_under(model, estimate):
    """Bias [g/cm²] of `estimate` on 2,000 showers of `model`."""
    ### BEGIN SOLUTION
    events = footprints.simulate(2000, seed=34, model=model)
    return np.mean(estimate(events) - events["xmax"])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    usual = footprints.FootprintModel()
    assert np.isclose(bias_under(usual, lambda events: events["xmax"] + 5), 5, atol=0.01), (
        "An estimate that is always 5 too deep has a bias of +5 g/cm²: estimate minus truth."
    )
    proton = replace(usual, mass_numbers=(1,))
    assert bias_under(proton, lambda events: 750.0 + 0 * events["xmax"]) < -40, (
        "Simulate with the `model` that you were given: protons of the default model lie at 808 g/cm²."
    )
    assert bias_under(usual, lambda events: np.full(2000, 750.0)) is not None, "Return the bias."


# %% tags=["wrong"]
# hint: estimate minus truth
def bias_under(model, estimate):
    events = footprints.simulate(2000, seed=34, model=model)
    return np.mean(events["xmax"] - estimate(events))


# %% tags=["wrong"]
# hint: model` that you were given
def bias_under(model, estimate):
    events = footprints.simulate(2000, seed=34)
    return np.mean(estimate(events) - events["xmax"])


# %%
bias_under = tasks.solved(bias_under, otherwise=lambda model, estimate: np.nan, task="Task 5")


def by_networks(events):
    """Mean of the three deep sets [g/cm²]."""
    return reconstruct(pixel_features.pixel_features(events["counts"], events["arrival_time"])).mean(axis=0)


for change in ({}, {"hadronic_model": "QGSJetII-04"}, {"production_lag": 160.0}, {"muons_per_proton": 1200.0}):
    print(
        change or "as trained", f"{bias_under(replace(footprints.FootprintModel(), **change), by_networks):+.1f} g/cm²"
    )

# %% [markdown]
# (a) +2.8 g/cm². A shower of given $X_\mathrm{max}$ has the same footprint in both models, but the networks lean
# towards the depths that are frequent in the model they were trained on, and these are deeper. (b) -8.6 g/cm²: muons
# from higher up look like a shallower shower. (c) +7.0 g/cm²: muons that are made low spread less, so a deep shower
# puts more of its muons into the picture, and the networks take more muons for more depth. Real showers do have more
# muons than the simulations say, by 30 % and more. So an estimate that uses the number of muons is the first to go
# wrong in data.
#
# ## What you learned
#
# - Subtract what you know (the start, the mean front) before a network has to learn it, and learn means and spreads
#   from training showers alone.
# - Symmetries count twice: as more training data, and as more opinions on a test shower.
# - A resolution without its bias, its spread over seeds, a classical method and a limit says little.
# - A network in the form of the problem needs fewer parameters, less time and no augmentation, and comes closer to the
#   limit.
# - Squared error makes every good estimator lean towards frequent values, by $\sigma^2\,\mathrm{d}\ln p/\mathrm{d}m$.
#
# ## Go further
#
# - Feed the convolutional network with `pixels` in place of `pictures`. How much of the difference between the two
#   networks is in the input, and how much in the form?
# - Train on 2,000, 8,000 and 36,000 showers, and draw the resolution against their number, for both networks and for
#   the regression on rings. Which of them needs the fewest showers?
# - Let the network say how sure it is: two outputs, mean and $\ln\sigma$, trained with the logarithm of a normal
#   likelihood. Compare its $\sigma$ with `limit["xmax_std"]`, shower by shower.
#
# ## References
#
# - M. De Domenico et al., *Reinterpreting the development of extensive air showers initiated by nuclei and photons*,
#   JCAP 07 (2013) 050, [doi:10.1088/1475-7516/2013/07/050](https://doi.org/10.1088/1475-7516/2013/07/050): the
#   distribution of Xmax.
# - M. Erdmann, J. Glombitza and D. Walz, *A deep learning-based reconstruction of cosmic ray-induced air showers*,
#   Astropart. Phys. 97 (2018) 46,
#   [doi:10.1016/j.astropartphys.2017.10.006](https://doi.org/10.1016/j.astropartphys.2017.10.006).
# - Pierre Auger Collaboration, *Muons in air showers at the Pierre Auger Observatory: measurement of atmospheric
#   production depth*, Phys. Rev. D 90 (2014) 012012,
#   [doi:10.1103/PhysRevD.90.012012](https://doi.org/10.1103/PhysRevD.90.012012): production depths from arrival times,
#   in data.
# - Pierre Auger Collaboration, *Testing hadronic interactions at ultrahigh energies with air showers measured by the
#   Pierre Auger Observatory*, Phys. Rev. Lett. 117 (2016) 192001,
#   [doi:10.1103/PhysRevLett.117.192001](https://doi.org/10.1103/PhysRevLett.117.192001): too few muons in simulations.
# - B. Efron, *Tweedie's formula and selection bias*, J. Am. Stat. Assoc. 106 (2011) 1602,
#   [doi:10.1198/jasa.2011.tm11181](https://doi.org/10.1198/jasa.2011.tm11181): why the best estimate leans.
