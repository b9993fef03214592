# %% [markdown]
# # Generalisation
#
# **You will be able to**
# - tell from the errors on training and validation data whether a network learns too little or too much,
# - divide data into training, validation and test so that no part knows the others,
# - split an error into bias, variance and noise, and measure each of them,
# - use early stopping, L1, L2, dropout, augmentation and ensembles, and compare them fairly,
# - say which of them helped, by how many times the spread, and what none of them gives you.
#
# **Time** 50 min reading, 80 min tasks; runs in 3 min on two CPU cores.
# **You need** [lesson 12](12_neural_networks.ipynb) and [lesson 13](13_optimization.ipynb).

# %%
from dataclasses import replace

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from matplotlib.figure import Figure
from numpy.polynomial import chebyshev
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from showertools import (
    footprint_input,
    footprints,
    front_fit,
    image_shapes,
    limits,
    metrics,
    plotting,
    profile,
    showers,
    symmetry,
    tasks,
    viewer,
)

# %% [markdown]
# ## Learning by heart
#
# A gamma-ray telescope has recorded 60 images of known particles: gammas, protons and muons, each image described by
# its scaled width and length. A network with two hidden layers of 64 neurons has 4,547 parameters to describe these
# 60. Train it for 3,000 steps. Guess first: how many of the 60 will it get right in the end, and how many of 10,000
# others?
#
# An *epoch* was one pass through the training data. Here 60 images are two batches, so count steps. `RandomBatches`
# draws each batch at random from all examples, as many steps as you like.


# %%
class RandomBatches(keras.utils.PyDataset):
    """`steps` batches of the given shape, drawn at random from the training examples."""

    def __init__(self, inputs, targets, shape, steps, seed):
        super().__init__()
        self.inputs, self.targets, self.shape, self.steps = inputs, targets, shape, steps
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return self.steps

    def __getitem__(self, number):
        chosen = self.rng.integers(len(self.inputs), size=self.shape)
        return self.inputs[chosen], self.targets[chosen]


def images(number, seed):
    """Scaled width and length (n, 2), and the particle (n,), of simulated images."""
    drawn = image_shapes.simulate(number, seed=seed)
    return np.stack([drawn["scaled_width"], drawn["scaled_length"]], axis=1), drawn["particle"]


few, few_particles = images(60, seed=14)
many, many_particles = images(10_000, seed=99)
steps = profile.pick(full=[5, 10, 20, 50, 100, 200, 500, 1000, 3000], quick=[5, 10, 20, 50, 100])

# %%
keras.utils.set_random_seed(1)
hidden = [layers.Dense(64, activation="relu", kernel_initializer="he_normal") for _ in range(2)]
network = keras.Sequential([keras.Input((2,)), *hidden, layers.Dense(3, activation="softmax")])
network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=5)
known, unseen, weights = [], [], []  # known and unseen: cross-entropy and accuracy
for number, more in enumerate(np.diff(steps, prepend=0)):
    network.fit(RandomBatches(few, few_particles, (30,), int(more), seed=number), verbose=0)
    known.append(network.evaluate(few, few_particles, batch_size=60, verbose=0))
    unseen.append(network.evaluate(many, many_particles, batch_size=10_000, verbose=0))
    weights.append(network.get_weights())

# %% tags=["expected"]
figure, panels = plt.subplots(1, 4, figsize=(13, 4.2), sharex=True, sharey=True, layout="constrained")
for panel, number in zip(panels, np.linspace(0, len(steps) - 1, 4).astype(int)):
    network.set_weights(weights[number])
    plotting.decision_boundary(network.predict_on_batch, few, few_particles, names=image_shapes.PARTICLES, ax=panel)
    panel.set_title(f"{steps[number]} steps: {known[number][1]:.0%} known, {unseen[number][1]:.0%} unseen", fontsize=10)
    panel.set_xlabel("scaled width [σ]")
    panel.get_legend().remove()
panels[0].set_ylabel("scaled length [σ]")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %%
exact = image_shapes.probabilities(*many.T)  # (10000, 3)
best = -np.log(exact[np.arange(10_000), many_particles]).mean(), np.mean(exact.argmax(axis=1) == many_particles)
figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for column, (panel, name) in enumerate(zip(panels, ("cross-entropy", "accuracy"))):
    panel.plot(steps, np.array(known)[:, column], "o-", color="#0072b2", label="the 60 known images")
    panel.plot(steps, np.array(unseen)[:, column], "s--", color="#d55e00", label="10,000 unseen images")
    panel.axhline(best[column], color="k", label="best possible")
    panel.set(xscale="log", xlabel="steps", ylabel=name)
panels[0].legend()
plt.show()

# %% [markdown]
# The boundary first is a rough cut, then a curve, and in the end it winds around single images. All 60 are right, and
# nothing is gained.
#
# At first both errors fall: the network is **undertrained**. From 50 to 500 steps the error on unseen images hardly
# changes. After that the error on the known images goes on to 0 and that on unseen ones rises, from 0.6 to 1.5: the
# network is **overtrained**. The accuracy falls, too, from 82 % to 79 %. The cross-entropy shows it more clearly,
# because a network that knows its images by heart is wrong with great certainty. The formulas of the simulation tell
# what the best possible classifier reaches: 87 %. A network with 100 % on its own images has learned things that are
# not there.
#
# So the error on data that the network has learned from says nothing about its use. How well it does on others is
# called its **generalisation**, and only others can tell.
#
# ## Training, validation, test
#
# You need data for three purposes, and no event may serve two of them:
# - the **training** part: the weights are fitted to it,
# - the **validation** part: you look at it as often as you like, to choose steps, sizes, strengths,
# - the **test** part: you look at it once, when nothing is left to choose. By choosing you fit, too: the best of a
#   hundred networks on the validation part is partly the luckiest.
#
# A random split is right when events are independent. Simulated ones often are not: a shower takes hours to simulate,
# so each is used several times, at other places of the array. Ten images of one shower look alike. What will a
# validation part say that shares its showers with the training part?
#
# ### Task 1: split by shower
#
# Write `split_by_shower(shower, fractions, seed)`. `shower` (n,) holds for each event the number of its shower.
# Shuffle the showers and divide *them*; return a list of integer arrays, for each part the indices of its events. A
# part gets its fraction of the showers, rounded; every event goes to exactly one part.
#
# The lesson then takes 400 showers, each used ten times, and the classifier with the best memory of all: it names the
# particle of the nearest training image. It is judged on a random fifth of the images, on the images of a fifth of
# the showers, and on 10,000 new showers. Guess the order of the three accuracies.


# %%
def split_by_shower(shower, fractions, seed):
    """For each part the indices of its events; all events of a shower are in the same part."""
    ### BEGIN SOLUTION
    names = np.random.default_rng(seed).permutation(np.unique(shower))
    edges = np.rint(np.cumsum(fractions)[:-1] * len(names)).astype(int)
    return [np.flatnonzero(np.isin(shower, part)) for part in np.split(names, edges)]
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    sample = np.random.default_rng(0).permutation(np.repeat(np.arange(1000, 1050), np.resize([1, 4, 9, 6], 50)))
    parts = split_by_shower(sample, (0.6, 0.2, 0.2), seed=1)
    assert len(parts) == 3, "Return one array for each fraction."
    assert all(np.asarray(part).dtype.kind in "iu" for part in parts), "Return indices of events: integers, no mask."
    together = np.concatenate(parts)
    assert len(together) > 50, "These are showers: return the indices of their events, so that shower[part] works."
    assert together.max() < len(sample), "These are numbers of showers: return the places of their events in `shower`."
    assert len(np.unique(together)) == len(together), (
        "An event is in two parts: list each shower once, and divide the list at edges that add up (cumsum)."
    )
    assert len(together) == len(sample), "Events are missing: the parts together should hold each event once."
    names = [set(sample[part]) for part in parts]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2], "A shower has events in two parts."
    assert [len(some) for some in names] == [30, 10, 10], "Of the 50 showers that occur, 30, 10 and 10, exactly."
    seven = np.concatenate(split_by_shower(np.arange(7), (0.5, 0.3, 0.2), seed=1))
    assert len(seven) == 7, "With 7 showers one is lost or doubled: round the edges of the parts, not their sizes."
    other = split_by_shower(sample, (0.6, 0.2, 0.2), seed=2)
    assert set(sample[other[0]]) != names[0], "Another seed should give another split: shuffle the showers with it."
    again = split_by_shower(sample, (0.6, 0.2, 0.2), seed=1)
    assert set(sample[again[0]]) == names[0], "The same seed should give the same split: use default_rng(seed)."


# %% tags=["wrong"]
# hint: events in two parts
def split_by_shower(shower, fractions, seed):
    order = np.random.default_rng(seed).permutation(len(shower))
    return np.split(order, np.rint(np.cumsum(fractions)[:-1] * len(order)).astype(int))


# %% tags=["wrong"]
# hint: return the indices of their events
def split_by_shower(shower, fractions, seed):
    names = np.random.default_rng(seed).permutation(np.unique(shower))
    return np.split(names, np.rint(np.cumsum(fractions)[:-1] * len(names)).astype(int))


# %% tags=["wrong"]
# hint: shuffle the showers
def split_by_shower(shower, fractions, seed):
    names = np.unique(shower)
    edges = np.rint(np.cumsum(fractions)[:-1] * len(names)).astype(int)
    return [np.flatnonzero(np.isin(shower, part)) for part in np.split(names, edges)]


# %% tags=["wrong"]
# hint: integers, no mask
def split_by_shower(shower, fractions, seed):
    names = np.random.default_rng(seed).permutation(np.unique(shower))
    edges = np.rint(np.cumsum(fractions)[:-1] * len(names)).astype(int)
    return [np.isin(shower, part) for part in np.split(names, edges)]


# %% tags=["wrong"]
# hint: 50 showers that occur
def split_by_shower(shower, fractions, seed):
    names = np.random.default_rng(seed).permutation(np.unique(shower))
    ends = np.cumsum([np.sum(shower == name) for name in names]) / len(shower)
    part = np.digitize(ends, np.cumsum(fractions)[:-1], right=True)
    return [np.flatnonzero(np.isin(shower, names[part == number])) for number in range(len(fractions))]


# %%
def drawn_by_lot(shower, fractions, seed):
    """Another way: each shower draws its part by lot, so the fractions come out only roughly."""
    lots = np.random.default_rng(seed).random(np.max(shower) + 1)[shower]
    return [np.flatnonzero(np.digitize(lots, np.cumsum(fractions)[:-1]) == part) for part in range(len(fractions))]


split_by_shower = tasks.solved(split_by_shower, otherwise=drawn_by_lot, task="Task 1")
shower = np.repeat(np.arange(400), 10)
places, particles = (values[shower] for values in images(400, seed=15))
places = places + np.random.default_rng(15).normal(0, 0.15, places.shape)  # the ten images differ a little
nearest = KNeighborsClassifier(1)
print(f"best possible: {best[1]:.1%}")
for name, group in (("events", np.arange(4000)), ("showers", shower)):
    train, validation = split_by_shower(group, (0.8, 0.2), seed=1)
    nearest.fit(places[train], particles[train])
    score = nearest.score(places[validation], particles[validation])
    print(f"split by {name}: validation {score:.1%}, new showers {nearest.score(many, many_particles):.1%}")

# %% [markdown]
# Split by events, the classifier promises 87.9 % on the validation part, better than the best that is possible: there
# it meets its own training showers again. On new showers it reaches 80.7 %. Split by showers it promises 82.4 %, and
# the truth is 80.2 %: within the error of 80 validation showers, 4 %. The same happens with cut-outs of one picture,
# stations of one event, and images of one night.
#
# ## Bias and variance
#
# Why does a model that can do more do worse? Take one that you can solve exactly. A fluorescence telescope sees a
# shower at 18 depths, with noise of 8 % of its maximum. Fit polynomials of growing degree, by least squares. Guess:
# which degree describes the 18 points best? Which one describes *new* measurements, at depths between them?


# %%
NOISE = 0.08
depth, between = np.linspace(400, 1200, 18), np.linspace(400, 1200, 100)  # g/cm²
truth = showers.gaisser_hillas(between, 750)  # (100,) size relative to the maximum, at 750 g/cm²
n_sets = profile.pick(full=2000, quick=200)
rng = np.random.default_rng(14)
training_sets = showers.gaisser_hillas(depth, 750)[:, None] + rng.normal(0, NOISE, (18, n_sets))  # one a column
new = truth + rng.normal(0, NOISE, (n_sets, 100))


def fit_polynomials(degree):
    """Polynomials fitted to each training set, at its own depths (sets, 18) and between them (sets, 100)."""
    coefficients = chebyshev.chebfit((depth - 800) / 400, training_sets, degree)  # (degree + 1, sets)
    return [chebyshev.chebval((places - 800) / 400, coefficients) for places in (depth, between)]


degrees = np.arange(15)
at_points, predictions = zip(*(fit_polynomials(degree) for degree in degrees))
training_error = [np.mean((fits - training_sets.T) ** 2) for fits in at_points]
new_error = [np.mean((fits - new) ** 2) for fits in predictions]
print(f"best on new points: degree {np.argmin(new_error)}; best on its own points: degree {np.argmin(training_error)}")


# %%
def draw_fits(left, right):
    """Thirty polynomials of each of two degrees, each fitted to a training set of its own."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, degree in zip(figure.subplots(1, 2, sharey=True), (left, right)):
        axes.plot(between, predictions[degree][:30].T, color="#56b4e9", linewidth=0.7)
        axes.plot(between, predictions[degree].mean(axis=0), color="#d55e00", label="mean of all fits")
        axes.plot(between, truth, "k--", label="truth")
        axes.plot(depth, training_sets[:, 0], "ko", markersize=4, label="one training set")
        axes.set(xlabel="depth [g/cm²]", ylim=(-0.5, 1.6), title=f"degree {degree}")
    figure.axes[0].set_ylabel("shower size / maximum")
    figure.axes[0].legend(loc="upper right")
    return figure


degree_of = {"low": 0, "high": 14, "step": 1, "play": True}
viewer.with_sliders(
    draw_fits, left=viewer.Slider("left degree", 2, **degree_of), right=viewer.Slider("right degree", 13, **degree_of)
)

# %% [markdown]
# Had the telescope seen the same shower once more, other noise would have given another fit. So ask what happens over
# many training sets $D$. Let $f_D(x)$ be the fit to set $D$ and $\bar f(x)$ the mean of all fits. On a new
# measurement $y = t(x) + \varepsilon$ with noise of variance $\sigma^2$, the squared error is on average
#
# $$\langle (f_D - y)^2 \rangle = \underbrace{(\bar f - t)^2}_{\mathrm{bias}^2} +
# \underbrace{\langle (f_D - \bar f)^2 \rangle}_{\mathrm{variance}} + \underbrace{\sigma^2}_{\mathrm{noise}}.$$
#
# The mixed terms vanish: $f_D - \bar f$ is 0 on average, and the new noise knows nothing about $D$. **Bias** is what
# the model is unable to describe, **variance** is what it picks up from the noise of one set.
#
# ### Task 2: bias² and variance
#
# Write `bias_and_variance(predictions, truth)` for predictions (sets, points) and truth (points,). Return two
# numbers: bias² and variance, each averaged over the points.


# %%
def bias_and_variance(predictions, truth):
    """Squared bias and variance over training sets, both averaged over the points."""
    ### BEGIN SOLUTION
    mean = predictions.mean(axis=0)  # (points,)
    return np.mean((mean - truth) ** 2), np.mean((predictions - mean) ** 2)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    line = np.array([1.0, 2.0, 4.0])
    same = np.tile(line, (4, 1))
    assert len(bias_and_variance(same, line)) == 2, "Return two numbers: bias², then variance."
    assert np.shape(bias_and_variance(same, line)[0]) == (), "Average over the points, too: two numbers, no arrays."
    assert np.isclose(bias_and_variance(same, line)[0], 0), "Fits that equal the truth: 0 and 0. Axis 0 counts sets."
    bias2, variance = bias_and_variance(same + 3, line)
    assert not (np.isclose(bias2, 0) and variance > 0), "Fits that agree have no variance: bias² comes first."
    assert not np.isclose(variance, 9), "Variance is the spread around the mean of the fits, not around the truth."
    assert not np.isclose(bias2, 27), "Take the mean over the points, not the sum."
    assert not np.isclose(bias2, 3), "Square the bias: fits that are all 3 too large have a bias² of 9."
    assert np.isclose(bias2, 9), "Fits that are all 3 too large have a bias² of 9."
    assert np.isclose(variance, 0), "Fits that agree have no variance, even where they change from point to point."
    bias2, variance = bias_and_variance(line + np.array([[2.0], [-2.0]]), line)
    assert np.isclose(bias2, 0), "The mean of these fits is the truth: average over the sets before you square."
    assert not np.isclose(variance, 2), "That is the standard deviation: the variance is its square."
    assert np.isclose(variance, 4), "Fits of ±2 around their mean have a variance of 4, divided by sets, not sets - 1."
    bias2, _ = bias_and_variance(same + [5, -5, 0], line)
    assert np.isclose(bias2, 50 / 3), "Biases of +5 and -5 do not cancel: square them before you average over points."


# %% tags=["wrong"]
# hint: average over the sets before you square
def bias_and_variance(predictions, truth):
    return np.mean((predictions - truth) ** 2), np.mean((predictions - predictions.mean(axis=0)) ** 2)


# %% tags=["wrong"]
# hint: change from point to point
def bias_and_variance(predictions, truth):
    return np.mean((predictions.mean(axis=0) - truth) ** 2), predictions.var()


# %% tags=["wrong"]
# hint: do not cancel
def bias_and_variance(predictions, truth):
    return np.mean(predictions - truth) ** 2, predictions.var(axis=0).mean()


# %% tags=["wrong"]
# hint: Square the bias
def bias_and_variance(predictions, truth):
    return np.mean(predictions.mean(axis=0) - truth), predictions.var(axis=0).mean()


# %% tags=["wrong"]
# hint: the variance is its square
def bias_and_variance(predictions, truth):
    return np.mean((predictions.mean(axis=0) - truth) ** 2), predictions.std(axis=0).mean()


# %% tags=["expected"]
bias_and_variance = tasks.solved(
    bias_and_variance, otherwise=lambda f, t: (np.square(f.mean(0) - t).mean(), f.var(axis=0).mean()), task="Task 2"
)
bias2, variance = np.transpose([bias_and_variance(some, truth) for some in predictions])
total = bias2 + variance + NOISE**2
print(f"largest difference between measured error and sum: {np.abs(new_error / total - 1).max():.1%}")

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.plot(degrees, training_error, "o-", color="#0072b2", label="error on the training points")
axes.plot(degrees, new_error, "s", color="#d55e00", label="error on new measurements")
axes.plot(degrees, total, color="k", label="bias² + variance + noise")
axes.plot(degrees, bias2, "--", color="#009e73", label="bias²")
axes.plot(degrees, variance, "-.", color="#cc79a7", label="variance")
axes.axhline(NOISE**2, color="0.5", linestyle=":", label="noise")
axes.set(yscale="log", ylim=(3e-4, 0.3), xlabel="degree of the polynomial", ylabel="mean squared error [maximum²]")
axes.legend(ncols=2, fontsize=9)
plt.show()

# %% [markdown]
# The error on the training points only falls: at degree 14 it is 0.001, a sixth of the noise. The error on new
# measurements has its minimum, 0.0082, at degree 4, where bias² falls below the variance. To the left the model is
# too stiff: it cannot bend like the shower, and more data would not help. To the right it is too flexible: another
# training set would have given another curve. The points lie on the sum to 0.5 %.
#
# A network has no degree. But its training steps play the same role, and so do its size and the strength of the
# remedies below: each buys less variance with some more bias.
#
# ## A small data set
#
# Why would a training set ever be small, when one can simulate? To learn from nature, without any model of hadronic
# interactions. Some showers are seen by the surface array *and* by a fluorescence telescope, which measures
# $X_\mathrm{max}$ to 20 g/cm². On the few clear and moonless nights you collected 400 of them. The telescope gives
# the core to 6 m, too, and all pictures are centred on it.
#
# To compare remedies that differ by 1 g/cm², you must know errors far better than that. So take 2,000 showers for
# validation, and 4,000 for the test; you can afford it because it is all a simulation. They are judged by their true
# $X_\mathrm{max}$.
#
# Average the pictures over blocks of 8×8 pixels, so that a training takes seconds. 4×4 fields are left, each with the
# mean logarithm of the counts and the mean relative time: 32 numbers a shower. Normalise with what the training
# showers tell, and nothing else.


# %%
MODEL = replace(footprints.FootprintModel(), core_spread=6.0)  # m
n_validation, n_test = profile.pick(full=(2000, 4000), quick=(400, 400))
parts = []
for number, seed in ((400, 14), (n_validation, 15), (n_test, 16)):
    events = footprints.simulate(number + number // 20, seed=seed, model=MODEL)
    seen = events["xmax"] < 1000  # g/cm²: the telescope cannot see what is deeper
    parts.append({name: values[seen][:number] for name, values in events.items()})
train, validation, test = parts
measured = train["xmax"] + np.random.default_rng(14).normal(0, 20, 400)  # by the telescope

# %%
normalisation = footprint_input.fit_normalisation(train["counts"], train["arrival_time"])


def coarse(events):  # counts and times in 4×4 fields (n, 4, 4, 2)
    fine = footprint_input.network_input(events["counts"], events["arrival_time"], normalisation)
    return fine.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4))[..., :2]


center, spread = coarse(train).mean(axis=(0, 1, 2)), coarse(train).std(axis=(0, 1, 2))  # (2,)
pictures, validation_pictures, test_pictures = ((coarse(some) - center) / spread for some in (train, validation, test))

# %% [markdown]
# ### Several networks at once
#
# One training is an anecdote. You want five, from five seeds, for each remedy. Small networks keep a processor busy
# with bookkeeping, so train the five side by side: give each array one more axis, for the number of the network.
# `EinsumDense` multiplies network by network: "bni,nio->bno" names the axes event b, network n, input i, output o. The
# networks share nothing: each has its own weights and draws its own batches. The loss is the *sum* over the networks,
# so that each gets the gradient that it would get alone.
#
# `Watch` writes down the errors on training and validation showers every 25 steps, and keeps for each network the
# weights with which its validation error was smallest.


# %%
xmax_mean, xmax_std = measured.mean(), measured.std()
targets = (measured - xmax_mean) / xmax_std


def build_networks(number, dropout=0.0, regularizer=None):
    """Networks side by side, from 32 numbers each (B, number, 32) to an answer each (B, number)."""
    numbers = keras.Input((number, 32))
    z = numbers
    for units in (64, 64, 1):
        he = keras.initializers.RandomNormal(stddev=(2 / z.shape[-1]) ** 0.5)
        z = layers.EinsumDense(
            "bni,nio->bno", (number, units), bias_axes="no", kernel_initializer=he, kernel_regularizer=regularizer
        )(z)  # (B, number, units)
        if units > 1:
            z = layers.Dropout(dropout)(layers.ReLU()(z))
    return keras.Model(numbers, layers.Reshape((number,))(z))


def summed_squares(true, answers):
    """Squared errors (B,), summed over the networks."""
    return keras.ops.sum((answers - true) ** 2, axis=-1)


# %%
# NBVAL_CHECK_OUTPUT
one, five = build_networks(1), build_networks(5)
print(f"{one.count_params():,} parameters a network, {five.count_params():,} in five")
print("weights of the first layer:", five.get_weights()[0].shape, " answers:", five.output_shape)


# %%
def ask(networks, pictures):
    """Xmax [g/cm²] from each network, (n, number)."""
    number = networks.output_shape[-1]
    numbers = np.repeat(pictures.reshape(len(pictures), 1, -1), number, axis=1)  # (n, number, 32)
    return networks.predict_on_batch(numbers) * xmax_std + xmax_mean


def rms(answers, true):
    """Root mean squared error of each column of `answers` (n, number), in its unit."""
    return np.sqrt(np.mean((answers - true[:, None]) ** 2, axis=0))


class Watch(keras.callbacks.Callback):
    """Errors [g/cm²] of each network on training and validation showers, and of means of five networks."""

    def on_train_begin(self, *_):
        self.training, self.validation, self.ensembles, self.best = [], [], [], self.model.get_weights()

    def on_epoch_end(self, *_):
        answers = ask(self.model, validation_pictures)
        fives = answers.reshape(len(answers), -1, 5).mean(axis=-1)
        self.training.append(rms(ask(self.model, pictures), measured))
        self.validation.append(rms(answers, validation["xmax"]))
        self.ensembles.append(rms(fives, validation["xmax"]))
        improved = self.validation[-1] <= np.min(self.validation, axis=0)  # (number,)
        for best, weights in zip(self.best, self.model.get_weights()):
            best[improved] = weights[improved]


# %%
INTERVAL = 25  # steps between two looks
n_looks, n_ensembles = profile.pick(full=(60, 5), quick=(6, 2))
looks = INTERVAL * np.arange(1, n_looks + 1)


def train_networks(number=5, examples=(pictures, targets), **remedy):
    """Networks after training, with what `Watch` wrote down."""
    keras.utils.set_random_seed(1)
    networks = build_networks(number, **remedy)
    networks.compile(keras.optimizers.Adam(1e-3), summed_squares, steps_per_execution=INTERVAL)
    data, watch = RandomBatches(examples[0].reshape(-1, 32), examples[1], (50, number), INTERVAL, seed=1), Watch()
    networks.fit(data, epochs=n_looks, callbacks=[watch], verbose=0)
    return networks, watch


def draw_band(axes, curves, color, label, linestyle="-"):
    """Mean of curves (looks, number), with a band of ± one standard deviation."""
    mean, width = np.mean(curves, axis=1), np.std(curves, axis=1, ddof=1)
    axes.plot(looks, mean, color=color, label=label, linestyle=linestyle)
    axes.fill_between(looks, mean - width, mean + width, color=color, alpha=0.25, linewidth=0)


baseline, plain = train_networks(5 * n_ensembles)
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
draw_band(axes, plain.training, "#0072b2", "training showers, measured Xmax")
draw_band(axes, plain.validation, "#d55e00", "validation showers, true Xmax")
axes.axhline(20, color="0.5", linestyle=":", label="error of the telescope")
axes.set(xlabel="steps", ylabel="RMS error [g/cm²]", ylim=(0, None))
axes.legend()
plt.show()

# %% [markdown]
# The same two regimes again. Before step 200 the networks are undertrained: both errors are high and fall together,
# and more steps help. After it they are overtrained: the training error falls on, to 1 g/cm², while the validation
# error rises from its minimum of 22 g/cm² to 27. Where the training error crosses 20 g/cm² you can be sure of it: even
# the truth differs by that much from what the telescope measured. Who comes closer has learned its errors.
#
# To take the step at which the validation error is smallest is a fit, too: of one number, to the validation showers.
# With 2,000 showers and 60 looks at a smooth curve you gain almost nothing by luck, with 20 showers you would. The
# test showers will tell.
#
# ## Early stopping
#
# The cheapest remedy: stop at the minimum. But you know that it was one only afterwards. So go on for some more
# looks, the **patience**, and if the validation error has not fallen below its minimum by then, stop and return to
# the weights that you had there.
#
# ### Task 3: early stopping
#
# Write `early_stopping(losses, patience)`. `losses` are the validation losses of epochs 0, 1, 2, ... Training stops
# as soon as `patience` epochs in a row have not been better than the best so far; otherwise it goes on to the last
# epoch. Return two numbers: the best epoch so far, and the epoch after which training stops.
#
# Below, one network is trained with Keras' own callback, whose choice should be yours. Then impatient and patient
# people stop the 25 networks that you have trained. Guess what a patience of one look, 25 steps, costs.


# %%
def early_stopping(losses, patience):
    """Best epoch and last epoch, counted from 0, of a training that stops `patience` epochs after its best."""
    ### BEGIN SOLUTION
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best, epoch
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    bowl = [5.0, 4.0, 3.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert len(early_stopping(bowl, 2)) == 2, "Return two numbers: the best epoch, and the last one."
    best, last = early_stopping(bowl, 2)
    assert (best, last) != (5, 3), "Return the best epoch first, and then the last one."
    assert best != 4, "Count epochs from 0: the loss of 2 is that of epoch 3."
    assert best == 3, "The best epoch of [5, 4, 3, 2, 3, 4, 5, 6] is 3, where the loss is 2."
    assert last != 6, "That is one epoch too late: after epochs 4 and 5 a patience of 2 is used up."
    assert last == 5, "With patience 2 the training stops after epochs 4 and 5 were no better: the last one is 5."
    assert early_stopping(bowl, 100) == (3, 7), "Patience was not used up: train to the end, return to the best epoch."
    late = [5.0, 4.0, 4.5, 4.6, 1.0]
    assert early_stopping(late, 2) == (1, 3), "A loss after the stop cannot count: that epoch was never trained."
    assert early_stopping(late, 3) == (4, 4), "Compare with the best so far: each improvement renews the patience."
    stairs = [5.0, 5.2, 5.1, 5.05, 4.9, 6.0]
    assert early_stopping(stairs, 3) == (0, 3), "Epoch 2 is better than epoch 1, but not than the best so far."
    assert early_stopping([3.0, 3.0, 3.0, 2.0], 2) == (0, 2), "The same loss again is no improvement."


# %% tags=["wrong"]
# hint: never trained
def early_stopping(losses, patience):
    best = int(np.argmin(losses))
    return best, min(best + patience, len(losses) - 1)


# %% tags=["wrong"]
# hint: not than the best so far
def early_stopping(losses, patience):
    waited = 0
    for epoch in range(1, len(losses)):
        waited = waited + 1 if losses[epoch] >= losses[epoch - 1] else 0
        if waited == patience:
            break
    return int(np.argmin(losses[: epoch + 1])), epoch


# %% tags=["wrong"]
# hint: one epoch too late
def early_stopping(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best > patience:
            break
    return best, epoch


# %% tags=["wrong"]
# hint: no improvement
def early_stopping(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss <= losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best, epoch


# %% tags=["wrong"]
# hint: the best epoch first
def early_stopping(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss < losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return epoch, best


# %%
def first_to_stop(losses, patience):
    """The same, each epoch asked for the best so far."""
    epochs = range(len(losses))
    best = [int(np.argmin(losses[: epoch + 1])) for epoch in epochs]
    return next((best[epoch], epoch) for epoch in epochs if epoch - best[epoch] >= patience or epoch == epochs[-1])


early_stopping = tasks.solved(early_stopping, otherwise=first_to_stop, task="Task 3")
keras.utils.set_random_seed(1)
one.compile(keras.optimizers.Adam(1e-3), summed_squares, steps_per_execution=INTERVAL)
stop = keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)
examples = RandomBatches(pictures.reshape(-1, 32), targets, (50, 1), INTERVAL, seed=1)
held_out = (validation_pictures.reshape(-1, 1, 32), (validation["xmax"][:, None] - xmax_mean) / xmax_std)
losses = one.fit(examples, validation_data=held_out, epochs=n_looks, callbacks=[stop], verbose=0).history["val_loss"]
print("yours:", early_stopping(losses, 5), " Keras:", (stop.best_epoch, len(losses) - 1))

curves = np.array(plain.validation)  # (looks, number)
for patience in (1, 2, 5, 10, 20):
    chosen = np.array([early_stopping(curve, patience) for curve in curves.T])  # (number, 2)
    error = curves[chosen[:, 0], np.arange(curves.shape[1])].mean()
    print(f"patience {patience:2d} looks: {error:.1f} g/cm² after {INTERVAL * (1 + chosen[:, 1].mean()):.0f} steps")

# %% [markdown]
# The callback and you agree. Here a patience of one look costs only 0.4 g/cm²: with 2,000 validation showers the
# curves are smooth. With few of them the first wiggle passes for a minimum. The worse trap is a plateau: where the
# learning rate falls in steps, the loss often stands still before a step and drops right after it. A patience that
# ends before the next step throws the best part away. Patience costs time, and little else.
#
# ## Small weights: L2 and L1
#
# To wind around single events a network needs large weights. So let them cost something: add to the loss
#
# $$\mathrm{L2:}\ \lambda \sum_j w_j^2 \qquad \mathrm{or} \qquad \mathrm{L1:}\ \lambda \sum_j |w_j|.$$
#
# The gradient of L2 is $2 \lambda w$: it shrinks large weights more than small ones, and reaches 0 never. That of L1
# is $\pm \lambda$, of the same size for all: a weight that the data do not hold goes to 0 and stays there. In Keras
# both are a `kernel_regularizer`. Which $\lambda$? Try four of them, a factor of 3 apart. The validation showers
# decide.

# %%
l2, l1 = keras.regularizers.L2, keras.regularizers.L1
grids = {
    "L2": {s: {"regularizer": l2(s)} for s in profile.pick(full=(0.03, 0.1, 0.3), quick=(0.03, 0.1))},
    "L1": {s: {"regularizer": l1(s)} for s in profile.pick(full=(0.003, 0.01, 0.03), quick=(0.003, 0.01))},
}
runs = {name: {s: train_networks(**remedy) for s, remedy in grid.items()} for name, grid in grids.items()}


def best_of(name):
    """Strength with the smallest validation error after the last step, its networks, and what `Watch` wrote down."""
    strength = min(runs[name], key=lambda strength: runs[name][strength][1].validation[-1].mean())
    return strength, *runs[name][strength]


def report(name):
    """Print the validation error of each strength after the last step."""
    for strength, (_, watch) in runs[name].items():
        last = watch.validation[-1]
        print(f"{name} {strength}: {last.mean():.1f} ± {last.std(ddof=1):.1f} g/cm²")


report("L2")
report("L1")

# %%
shown = {"no remedy": (baseline, "0.5"), "L2": (best_of("L2")[1], "#0072b2"), "L1": (best_of("L1")[1], "#d55e00")}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
bins = np.logspace(-6, 0.5, 60)
for name, (networks, color) in shown.items():
    first = np.abs(networks.get_weights()[0]).ravel()  # (number * 32 * 64,)
    label = f"{name}: {np.mean(first < 0.01):.0%} below 0.01"
    axes.hist(first, bins, weights=np.full(first.size, 1 / first.size), histtype="step", color=color, label=label)
axes.set(xscale="log", xlabel="|weight| in the first layer", ylabel="share of the weights", ylim=(0, 0.16))
axes.legend(loc="upper left")
plt.show()

# %% [markdown]
# Without a remedy 3 % of the weights of the first layer are smaller than 0.01, with L2 it is 79 %: it shrinks all of
# them together. With L1 it is 96 %, most of them near $10^{-4}$, where only the finite steps of Adam keep them off 0.
# The few that are left lie around 0.1, as large as before: L1 selects.
#
# ## Dropout
#
# Dropout switches off each neuron with probability $r$ in each training step, for each event anew. So no neuron can
# rely on a single other one. In use, all neurons work. To keep the mean input of the next layer the same, those that
# stay on are multiplied by $1/(1 - r)$ during training, and nothing is done in use: *inverted* dropout.
#
# ### Task 4: inverted dropout
#
# Write `dropout(z, rate, rng, training)` for activations of any shape. `rng` is a `np.random.Generator`.


# %%
def dropout(z, rate, rng, training):
    """Inverted dropout: in training each value is 0 with probability `rate`, the others are scaled up."""
    ### BEGIN SOLUTION
    if not training:
        return z
    return np.where(rng.random(z.shape) < rate, 0, z / (1 - rate))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    sample = np.full((400, 50), 3.0)
    answer = dropout(sample, 0.2, np.random.default_rng(0), training=True)
    in_use = dropout(sample, 0.2, np.random.default_rng(0), training=False)
    assert np.shape(answer) == (400, 50), "Dropped values become 0; the shape stays."
    assert np.all(sample == 3), "You changed the activations that you were given: return new ones."
    assert not np.allclose(in_use, 2.4), "Inverted dropout scales during training, and leaves the values in use alone."
    assert np.array_equal(in_use, sample), "In use nothing is dropped and nothing is scaled."
    share = np.mean(answer == 0)
    assert share > 0, "Nothing was dropped in training."
    assert np.any(answer != answer[0]), "Each event loses other neurons: draw for every value, by itself."
    assert np.any(answer != answer[:, :1]), "Each neuron is dropped by itself: draw for every value."
    assert np.ptp(np.mean(answer == 0, axis=1)) > 0, "You drop as many in each event: let chance decide value by value."
    assert not 0.75 < share < 0.85, "You kept 20 % and dropped 80 %: `rate` is the probability to be dropped."
    assert 0.18 < share < 0.22, "A share `rate` of the values should be dropped."
    assert np.isclose(answer.max(), 3.75), "Those that stay should be divided by 1 - rate: 3 becomes 3.75 at rate 0.2."
    first, second = (dropout(sample, 0.2, np.random.default_rng(seed), training=True) for seed in (1, 2))
    assert not np.array_equal(first, second), "The same values are dropped each time: draw with `rng`."
    ramp = np.arange(1.0, 7.0).reshape(2, 3)
    assert np.allclose(dropout(ramp, 0.0, np.random.default_rng(0), training=True), ramp), "At rate 0 nothing happens."


# %% tags=["wrong"]
# hint: divided by 1 - rate
def dropout(z, rate, rng, training):
    return z * (rng.random(z.shape) >= rate) if training else z


# %% tags=["wrong"]
# hint: scales during training
def dropout(z, rate, rng, training):
    return z * (rng.random(z.shape) >= rate) if training else z * (1 - rate)


# %% tags=["wrong"]
# hint: Each event loses other neurons
def dropout(z, rate, rng, training):
    return z * (rng.random(z.shape[-1]) >= rate) / (1 - rate) if training else z


# %% tags=["wrong"]
# hint: probability to be dropped
def dropout(z, rate, rng, training):
    return z * (rng.random(z.shape) < rate) / rate if training else z


# %% tags=["wrong"]
# hint: as many in each event
def dropout(z, rate, rng, training):
    if not training:
        return z
    order = rng.random(z.shape).argsort(axis=-1)  # a random order of the neurons of each event
    return z * (order >= rate * z.shape[-1]) / (1 - rate)


# %%
dropout = tasks.solved(dropout, otherwise=lambda z, r, rng, on: layers.Dropout(r)(z, training=on), task="Task 4")
activations = np.abs(np.random.default_rng(1).normal(size=(2000, 64)))
for training in (True, False):
    print(f"training={training}: mean {np.mean(dropout(activations, 0.4, np.random.default_rng(2), training)):.2f}")
rates = profile.pick(full=(0.1, 0.2, 0.4), quick=(0.1, 0.2))
runs["dropout"] = {rate: train_networks(dropout=rate) for rate in rates}
report("dropout")

# %% [markdown]
# Dropout at its best rate, 0.2, reaches 19.2 g/cm²: far better than 26.7 without, far behind L2 and L1, and a higher
# rate does not help. A likely reason: it was invented for large classifiers, which have neurons to spare. Here 64
# neurons add up to one precise number, and what is missing when some of them are off is an error by itself.
#
# ## More data from symmetry
#
# A vertical shower that is turned by 90° or mirrored is as good a shower as before, with the same $X_\mathrm{max}$.
# So the 400 pictures are 3,200, for nothing. This is **augmentation**: to change the examples in ways that do not
# change the answer. Unlike the other remedies it brings knowledge: the physics says that all sides are equal, and no
# picture could have told. (Large data sets are turned while they are read:
# [`TurnedBatches`](../showertools/batches.py).) It has no strength to be tuned.

# %%
turned = np.concatenate([symmetry.turned(pictures, number) for number in range(8)])  # (8 n, 4, 4, 2)
augmented = {"examples": (turned, np.tile(targets, 8))}
runs["augmentation"] = {"": train_networks(**augmented)}
report("augmentation")

# %% [markdown]
# ## Ask several
#
# Five networks from five seeds overtrain on different things. Their mean is an **ensemble**. Let $\bar f$ be the mean
# of the answers $f_k$ to an event with truth $t$. Then
#
# $$(\bar f - t)^2 = \frac1K \sum_k (f_k - t)^2 - \frac1K \sum_k (f_k - \bar f)^2,$$
#
# exactly, event by event: *error of the mean = mean error - disagreement*. It can never be worse than its members are
# on average. And it gains most from members that are good and disagree.
#
# ### Task 5: error and disagreement
#
# Write `ensemble(answers, true)` for answers (n, K) of K networks to n events with truth (n,). Return three numbers,
# each averaged over the events: the squared error of the mean answer, the mean squared error of the networks, and
# their disagreement.


# %%
def ensemble(answers, true):
    """Squared error of the mean answer, mean squared error of the networks, and their disagreement."""
    ### BEGIN SOLUTION
    mean = answers.mean(axis=1, keepdims=True)  # (n, 1)
    single = np.mean((answers - true[:, None]) ** 2)
    return np.mean((mean[:, 0] - true) ** 2), single, np.mean((answers - mean) ** 2)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    truth_of_two = np.array([10.0, 20.0])
    pair = np.array([[12.0, 8.0, 16.0], [20.0, 20.0, 20.0]])  # errors 2, -2, 6 and 0, 0, 0
    answer = ensemble(pair, truth_of_two)
    assert len(answer) == 3, "Return three numbers: error of the mean, mean error, disagreement."
    assert all(np.shape(number) == () for number in answer), "Average over the events: three numbers, no arrays."
    together, single, disagreement = answer
    assert not np.isclose(together, 11 / 3), "Average the answers event by event: over axis 1, the networks."
    assert not np.isclose(together, 1), "Square the error of each event, and then average over the events."
    assert not np.isclose(together, 44 / 6), "That is the mean error of the networks: first average the answers."
    assert not np.isclose(together, 42), (
        "Shapes (n, 1) and (n,) broadcast to (n, n): compare each event with its truth."
    )
    assert not np.isclose(together, 2**0.5), "Return squared errors, not their roots: the identity is one of squares."
    assert np.isclose(together, 2), "The mean answers are 12 and 20: squared errors 4 and 0, on average 2."
    assert np.isclose(single, 44 / 6), "The squared errors are 4, 4, 36, 0, 0, 0: on average 44/6."
    assert not np.isclose(disagreement, 8), "Divide by the number of networks K, not K - 1: then the identity is exact."
    assert not np.isclose(disagreement, np.std(pair, axis=1).mean()), "Disagreement is a variance: the std, squared."
    assert not np.isclose(disagreement, np.var(pair)), "Events differ, too: take the spread around each event's mean."
    assert np.isclose(together, single - disagreement), "Error of the mean = mean error - disagreement does not hold."
    more = ensemble(np.array([[1.0, 3.0]]), np.array([2.0]))
    assert np.allclose(more, (0, 1, 1)), "Errors of +1 and -1 cancel in the mean: 0, 1, 1 are the three numbers."


# %% tags=["wrong"]
# hint: not K - 1
def ensemble(answers, true):
    single = np.mean((answers - true[:, None]) ** 2)
    return np.mean((answers.mean(axis=1) - true) ** 2), single, answers.var(axis=1, ddof=1).mean()


# %% tags=["wrong"]
# hint: first average the answers
def ensemble(answers, true):
    single = np.mean((answers - true[:, None]) ** 2)
    return single, single, answers.var(axis=1).mean()


# %% tags=["wrong"]
# hint: around each event's mean
def ensemble(answers, true):
    single = np.mean((answers - true[:, None]) ** 2)
    return np.mean((answers.mean(axis=1) - true) ** 2), single, answers.var()


# %% tags=["wrong"]
# hint: no arrays
def ensemble(answers, true):
    single = np.mean((answers - true[:, None]) ** 2, axis=1)
    return (answers.mean(axis=1) - true) ** 2, single, answers.var(axis=1)


# %% tags=["wrong"]
# hint: Square the error of each event
def ensemble(answers, true):
    single = np.mean((answers - true[:, None]) ** 2)
    return np.mean(answers.mean(axis=1) - true) ** 2, single, answers.var(axis=1).mean()


# %%
ensemble = tasks.solved(
    ensemble,
    otherwise=lambda a, t: (rms(a.mean(axis=1)[:, None], t)[0] ** 2, (rms(a, t) ** 2).mean(), a.var(axis=1).mean()),
    task="Task 5",
)
of_mean, single, disagreement = ensemble(ask(baseline, validation_pictures)[:, :5], validation["xmax"])
print(f"mean of five {of_mean:.0f} = single {single:.0f} - disagreement {disagreement:.0f} (g/cm²)²")
print(f"RMS error: single {single**0.5:.1f} g/cm², mean of five {of_mean**0.5:.1f} g/cm²")

# %% [markdown]
# What the five share, the bias, stays; what each has from its own seed goes. But they have the same 400 showers, and
# with them the same errors of the telescope: an ensemble takes away only the variance that comes from the seed.
#
# ## Side by side
#
# Now all remedies together, on the same showers, for the same 1,500 steps. The strengths of L2, L1 and dropout are
# the best of three on the validation showers after the last step. Add a last candidate: augmentation, L2 and the mean
# of five, with a strength from a grid of three. Guess how the remedies rank before you look.
#
# What counts as better? By more than the spread over seeds: a gain of 1 is a difference as large as both spreads,
# added in quadrature. And against two baselines: the network that was trained to the end, and the one that was
# stopped at its best. For the second, let all others stop at their best, too.

# %% tags=["expected"]
strengths = profile.pick(full=(0.003, 0.01, 0.03), quick=(0.01, 0.03))
together = {strength: {"regularizer": l2(strength), **augmented} for strength in strengths}
runs["together"] = {strength: train_networks(**remedies) for strength, remedies in together.items()}
report("together")
kept = {name: np.array(best_of(name)[2].validation) for name in ("L2", "L1", "dropout", "augmentation")}  # (looks, 5)
kept["early stopping"] = np.minimum.accumulate(plain.validation, axis=0)  # what you would go back to
kept["mean of five"] = np.array(plain.ensembles)
all_together, watch = train_networks(5 * n_ensembles, **together[best_of("together")[0]])
kept["together"] = np.array(watch.ensembles)

figure, panels = plt.subplots(2, 4, figsize=(13, 6), sharex=True, sharey=True, layout="constrained")
for panel, (name, curves) in zip(panels.flat, kept.items()):
    draw_band(panel, plain.validation, "0.5", "no remedy", "--")
    draw_band(panel, curves, "#0072b2", "with the remedy in the title")
    panel.set(title=name, ylim=(12, 32))
panels[0, 3].tick_params(labelbottom=True)
panels[1, 3].axis("off")
panels[1, 3].legend(*panels[0, 0].get_legend_handles_labels(), loc="center", title="band: ± one std over seeds")
figure.supxlabel("steps")
figure.supylabel("validation error [g/cm²]")
plt.show()


# %% tags=["result"]
table = {"no remedy": np.array(plain.validation), **kept}  # (looks, number)
ends = {"after the last step": lambda curves: curves[-1], "at the best look": lambda curves: curves.min(axis=0)}
for when, at in ends.items():
    without = at(table["no remedy"])
    print(f"validation error {when} [g/cm²], gain in units of the spread")
    for name, curves in table.items():
        errors = at(curves)
        gain = (without.mean() - errors.mean()) / np.hypot(without.std(ddof=1), errors.std(ddof=1))
        print(f"{name:16s} {errors.mean():.1f} ± {errors.std(ddof=1):.1f} {gain:6.1f}")

# %% [markdown]
# Against the 25 networks that were trained to the end, 26.7 g/cm², each remedy gains more than the spread. Against
# those that were stopped at their best, 21.8 g/cm², one does not:
# - **Early stopping**, 21.8 g/cm², gains 3.3 spreads against the end and nothing against the stopped networks: it *is*
#   that baseline. It finds the best place on the way; it does not change the way.
# - **L2**, 14.6, and **L1**, 14.7 g/cm², gain 11 against the end, 7 against the stopped networks. The curve no longer
#   rises: no minimum to be missed.
# - **Augmentation**, 18.3 g/cm², gains 7.6 and 4.1, **dropout**, 19.2, gains 5.8 and 3.7, the **mean of five**, 20.0,
#   gains 6.0 and 4.3. They begin to overtrain again, later or less: the eight turns of a shower carry the same error of
#   the telescope, the five networks have learned the same errors, and dropout lets the weights grow.
# - **Together**, 13.1 g/cm², gain 13 and 8.6: they act in different ways, so each leaves something to the others.
#
# Why is L2 so strong? A network with small weights bends little, and little is needed: you will see next that a
# regression without any hidden layer does as well. No remedy is the best for every problem: each stands for something
# that you believe about it.
#
# ## Open the test set
#
# Everything is chosen. Beside the networks stand ridge regressions, linear fits with an L2 of their own, on the same
# 400 measured showers: one on the same 32 numbers, turned eight times, the others on what a physicist computes from
# the full pictures (as in [lesson 32](32_xmax.ipynb)): height and number of muons from a fit of the front, and 40
# numbers from rings around the core. Their $\lambda$ comes from **cross-validation**: each fifth of the showers in
# turn serves as the validation part of the rest. The eight turns of a shower stay on one side, as in task 1.
#
# How good could anybody be? The simulation knows how probable each footprint is for each $X_\mathrm{max}$, so
# [`limits.footprint_posterior`](../showertools/limits.py) computes how widely the true value is spread about the best
# answer, here for 50 test showers with the core known to 6 m. On average no estimator has a smaller error than the
# root of the mean variance, however many showers it has learned from.


# %%
def by_hand(events, rings):
    """Numbers that describe each shower: log of height and muons, and if wanted 40 numbers from rings."""
    front = front_fit.fit_front(events["counts"], events["arrival_time"])
    two = np.log([front["height"], events["counts"].sum(axis=(1, 2))]).T  # (n, 2)
    profiles = front_fit.ring_profiles(events["counts"], events["arrival_time"], front)  # (n, 10, 4)
    return np.hstack([two, profiles.reshape(len(two), -1)] if rings else [two], dtype=float)


def regression(features, true, test_features, degree):
    """Answers of a ridge regression (n, 1) on polynomials of the features."""
    folds = list(GroupKFold(5).split(features, groups=np.arange(len(features)) % 400))  # turned copies stay together
    ridge = make_pipeline(StandardScaler(), PolynomialFeatures(degree), RidgeCV(np.logspace(-2, 4, 13), cv=folds))
    return ridge.fit(features, true).predict(test_features)[:, None]


print(f"always the mean: {metrics.rms_error(test['xmax'], np.full(n_test, xmax_mean)):.1f} g/cm²")
flat, flat_test = turned.reshape(-1, 32), test_pictures.reshape(-1, 32)
rows = {"same 32 numbers, regression": regression(flat, np.tile(measured, 8), flat_test, 1)}
for name, rings, degree in (("front fit", False, 2), ("rings", True, 1), ("rings and products", True, 2)):
    rows[name] = regression(by_hand(train, rings), measured, by_hand(test, rings), degree)

n_limit = profile.pick(full=50, quick=4)
some_test = {name: values[:n_limit] for name, values in test.items()}
variance = limits.footprint_posterior(some_test, seed=1, model=MODEL)["xmax_std"] ** 2  # (n_limit,)
limit = np.sqrt(variance.mean())
limit_error = variance.std(ddof=1) / n_limit**0.5 / (2 * limit)

# %%
answers = {"no remedy": ask(baseline, test_pictures)}
stopped = build_networks(5 * n_ensembles)
stopped.set_weights(plain.best)
answers["early stopping"] = ask(stopped, test_pictures)
answers |= {name: ask(best_of(name)[1], test_pictures) for name in ("L2", "L1", "dropout", "augmentation")}
fives = {"mean of five": answers["no remedy"], "together": ask(all_together, test_pictures)}
answers |= {name: some.reshape(n_test, -1, 5).mean(axis=-1) for name, some in fives.items()}
answers |= rows

# %%
figure, axes = plt.subplots(figsize=(8, 4.6), layout="constrained")
for row, (name, some) in enumerate(answers.items()):
    errors = rms(some, test["xmax"])
    axes.plot(errors, np.full(len(errors), row), "o", color="#d55e00" if name in rows else "#0072b2", alpha=0.5)
    axes.annotate(f"{errors.mean():.1f}", (errors.max(), row), xytext=(8, -4), textcoords="offset points")
axes.axvline(limit, color="k", linestyle=":", label="statistical limit")
axes.set(xlim=(8, 31), ylim=(len(answers) - 0.5, -0.5), xlabel="RMS error on the test showers [g/cm²]")
axes.set_yticks(range(len(answers)), answers)
axes.legend(loc="lower right")
plt.show()

# %% tags=["result"]
print("RMS error on the test showers [g/cm²]")
for name, some in answers.items():
    errors = rms(some, test["xmax"])
    print(f"{name}: {errors.mean():.2f}" + (f" ± {errors.std(ddof=1):.2f}" if len(errors) > 1 else ""))
print(f"statistical limit: {limit:.2f} ± {limit_error:.2f}")

# %% [markdown]
# Each dot is one network, or one mean of five; the number is the mean of the dots. The test showers confirm the
# validation showers to 0.3 g/cm²: you chose among few candidates, on many showers. Even the best of 60 looks at each
# of 25 networks is only 0.1 worse here. All remedies together halve the error, 26.7 to 13.2 g/cm², and beat the
# regression on the same 32 numbers, 13.9. But two numbers from a fit of the front reach 11.7, and with the rings
# 11.5. They come from the full pictures, and from somebody who knows that the front is a bowl. 400 showers are too
# few to find that out; with 36,000, networks get as far ([lesson 32](32_xmax.ipynb)). And regressions overtrain, too:
# the products of the 42 numbers, 945 terms in all, make it 14.6 in spite of their $\lambda$. The limit is 9.2 ± 0.2
# g/cm².
#
# ## Generalisation long after memorising
#
# So far a network that had learned its examples by heart was lost: train on, and it gets worse. Here is one that is
# not. Take a prime number $p$ and divide: the quotient $q = x/y \bmod p$ is the number for which $q\,y = x \bmod p$.
# With $p = 7$: $3/5 = 2$, because $2 \cdot 5 = 10 = 3 + 7$. The table has $p(p - 1)$ entries, without any noise. Show
# a network half of it, and ask for the other half. Guess: what will it say?
#
# ### Task 6: divide, then wait
#
# Write `modular_division(p)`. Return three arrays of length p(p − 1): x, y and the quotient, for all x from 0 to p −
# 1 and all y from 1 to p − 1. (`pow(y, -1, p)`, for a Python integer y, is the number that times y gives 1 mod p:
# make a table of them.)
#
# Then let a network learn it. It reads x and y as two one-hot vectors, side by side. One hidden layer of 128 neurons
# squares what it adds up of x and y, so that they are multiplied. Its initial weights are four times larger than
# `he_normal` makes them, and `AdamW` lets each weight shrink a little in each step (**weight decay**): an L2 that is
# no part of the loss.
#
# The cells below the check do this with three weight decays, 2,500 steps and some 10 s each, and draw the curves.
# Watch the full lines on the left: the accuracy on the unknown half of the table. A run of your own is one line in a
# new cell; then run the figure's cell once more:
#
# ```python
# learned[1.0] = learn_division(weight_decay=1.0, steps=2500)
# ```
#
# Questions without a single answer: how does the moment of understanding depend on the weight decay? Does it come
# without any, if you wait longer? Which share of the table (`fraction=0.4`) is too little, and for how many steps?
# Does it also come with small initial weights (`stddev`)?


# %%
def modular_division(p):
    """All x in 0..p-1 and y in 1..p-1, with x / y mod p; three arrays (p (p - 1),)."""
    ### BEGIN SOLUTION
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    inverse = np.array([0] + [pow(number, -1, p) for number in range(1, p)])  # (p,)
    return x, y, x * inverse[y] % p
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    answer = modular_division(7)
    assert len(answer) == 3, "Return three arrays: x, y and the quotient."
    assert all(isinstance(some, np.ndarray) for some in answer), "Return NumPy arrays: the network takes rows of them."
    x, y, quotient = answer
    assert x.shape == y.shape == quotient.shape, "The three arrays should have the same length."
    assert np.all(y > 0), "Nothing can be divided by 0: y begins with 1."
    assert x.shape == (42,), "For p = 7 there are 7 times 6 pairs, so arrays of shape (42,)."
    assert len(set(zip(x.tolist(), y.tolist()))) == 42, "Each pair (x, y) should come once, with x from 0 to 6."
    assert set(x.tolist()) == set(range(7)), "x runs from 0 to p - 1."
    assert not np.array_equal(quotient, x * y % 7), "That is the product: multiply by the inverse of y, pow(y, -1, p)."
    assert not np.array_equal(quotient, x // y), "Not the whole part of x / y: which number times y gives x mod p?"
    assert quotient.dtype.kind in "iu", "Whole numbers, please: no ordinary division, but times the inverse of y."
    assert np.all((quotient >= 0) & (quotient < 7)), "Quotients lie between 0 and p - 1: take them mod p."
    assert not np.array_equal(quotient[x > 0] * x[x > 0] % 7, y[x > 0]), "That is y / x: which of the two is inverted?"
    assert not np.all(quotient * y % 7 == 1), "That is 1 / y: multiply the inverse of y by x."
    assert np.array_equal(quotient * y % 7, x), "The quotient times y should be x mod p. Is it the inverse of this y?"
    x, y, quotient = modular_division(5)
    assert np.array_equal(quotient * y % 5, x), "It holds for p = 7 but not for p = 5: is there a 7 in your function?"


# %% tags=["wrong"]
# hint: That is the product
def modular_division(p):
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    return x, y, x * y % p


# %% tags=["wrong"]
# hint: Not the whole part
def modular_division(p):
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    return x, y, x // y % p


# %% tags=["wrong"]
# hint: That is y / x
def modular_division(p):
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    inverse = np.array([0] + [pow(number, -1, p) for number in range(1, p)])
    return x, y, y * inverse[x] % p


# %% tags=["wrong"]
# hint: take them mod p
def modular_division(p):
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    return x, y, x * np.array([0] + [pow(number, -1, p) for number in range(1, p)])[y]


# %% tags=["wrong"]
# hint: multiply the inverse of y by x
def modular_division(p):
    x, y = (grid.ravel() for grid in np.meshgrid(np.arange(p), np.arange(1, p)))
    return x, y, np.array([0] + [pow(number, -1, p) for number in range(1, p)])[y]


# %%
# NBVAL_CHECK_OUTPUT
def by_search(p):
    quotient, y = np.divmod(np.arange(p * (p - 1)), p - 1)
    return quotient * (y + 1) % p, y + 1, quotient


modular_division = tasks.solved(modular_division, otherwise=by_search, task="Task 6")
x, y, quotient = modular_division(7)
print(quotient[np.lexsort((y, x))].reshape(7, 6))  # row x, column y - 1


# %%
def learn_division(weight_decay, steps, fraction=0.5, p=59, seed=0):
    """The network, and its history: accuracy and loss on the known and the unknown part of the table."""
    keras.utils.set_random_seed(seed)
    x, y, quotient = modular_division(p)
    pairs = np.hstack([np.eye(p)[x], np.eye(p)[y]]).astype("float32")  # (p (p - 1), 2 p)
    known, unknown = np.split(np.random.default_rng(seed).permutation(len(pairs)), [int(fraction * len(pairs))])
    large = keras.initializers.RandomNormal(stddev=0.5)
    hidden = layers.Dense(128, activation=keras.ops.square, kernel_initializer=large)
    network = keras.Sequential([keras.Input((2 * p,)), hidden, layers.Dense(p, activation="softmax")])
    optimizer = keras.optimizers.AdamW(0.01, weight_decay=weight_decay, beta_2=0.98)
    network.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=25)
    data = RandomBatches(pairs[known], quotient[known], (256,), 25, seed)
    held_out = (pairs[unknown], quotient[unknown])
    fit = network.fit(data, epochs=steps // 25, validation_data=held_out, validation_batch_size=5000, verbose=0)
    return network, fit.history


def first_above(values, level):
    """When a history first exceeds a level, in words."""
    above = np.flatnonzero(np.array(values) > level)
    return f"after {25 * (above[0] + 1)} steps" if above.size else f"not within {25 * len(values)} steps"


n_steps = profile.pick(full=2500, quick=100)
learned = {weight_decay: learn_division(weight_decay, n_steps) for weight_decay in (0.0, 0.1, 0.3)}
for weight_decay, (_, history) in learned.items():
    known_at, unknown_at = first_above(history["accuracy"], 0.99), first_above(history["val_accuracy"], 0.95)
    print(f"weight decay {weight_decay}: 99 % of the known half {known_at}, 95 % of the unknown half {unknown_at}")

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for (weight_decay, (_, history)), color in zip(learned.items(), plotting.CLASS_COLORS):
    at = 25 * np.arange(1, len(history["loss"]) + 1)
    for panel, quantity in zip(panels, ("accuracy", "loss")):
        panel.plot(at, history[quantity], ":", color=color)
        panel.plot(at, history["val_" + quantity], color=color, label=str(weight_decay))
        panel.set(xscale="log", xlabel="steps", ylabel=quantity.replace("loss", "cross-entropy"))
panels[1].set_yscale("log")
panels[1].legend(loc="lower left", title="weight decay\n(dotted: known half)")
plt.show()

# %% [markdown]
# Without weight decay the network knows its half of the table by heart after 175 steps. On the other half it stays at
# 2 to 3 %; blind guessing gives 1.7 %. With 0.1 it knows its half just as soon. Then for hundreds of steps nothing
# seems to happen; the cross-entropy on the unknown half even rises, and early stopping would have ended the training
# there. But at last it understands: after 2,275 steps it is right on 95 % of what it has never seen. With 0.3 it
# takes 800. Three other seeds gave 1,900 to 2,350 and 700 to 800. The discoverers called this *grokking*. One
# explanation: a table can be learned by heart in many ways, all of which need large weights; the rule does with
# smaller ones.
#
# Which rule? Each x but 0 is a power of a *generator*, $x = 2^k \bmod 59$, where $k$ is the discrete logarithm of x.
# A quotient is then a difference of logarithms, modulo 58, as for angles. Draw the 58 weights from x to one neuron (a
# column of `learned[0.1][0].get_weights()[0]`, rows 1 to 58), once in the order of x and once in that of $k$. What do
# you see?
#
# ## What you learned
#
# - The training error says how much a network remembers; only data from which nothing was learned and nothing was
#   chosen tell how well it generalises. Events that share a shower belong to the same part.
# - Error = bias² + variance + noise. More flexibility, more steps, weaker remedies: less bias, more variance.
# - Early stopping takes patience. L2, L1, dropout and ensembles reduce variance; augmentation adds knowledge.
# - A remedy counts if its gain exceeds the spread over seeds, against a baseline that was tuned as well.
# - With few data, knowledge of the physics is worth more than any remedy.
#
# ## Go further
#
# - Train with 100, 1,600 and 6,400 showers. Which remedy loses its gain first, and when do the networks overtake the
#   regression on rings?
# - Set the error of the telescope to 0. What is left of the overtraining, and why?
# - Draw bias² and variance of the network against the number of steps: train 25 networks on 25 training sets (each
#   network may have its own), and use your function of task 2.
# - Use dropout at the time of the test, too, and ask fifty times. Does the spread of the answers tell the error of a
#   shower?
#
# ## References
#
# - S. Geman, E. Bienenstock and R. Doursat, *Neural networks and the bias/variance dilemma*, Neural Comput. 4 (1992)
#   1, [doi:10.1162/neco.1992.4.1.1](https://doi.org/10.1162/neco.1992.4.1.1).
# - L. Prechelt, *Early stopping – but when?*, Lecture Notes in Computer Science 1524 (1998) 55,
#   [doi:10.1007/3-540-49430-8_3](https://doi.org/10.1007/3-540-49430-8_3).
# - N. Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, J. Mach. Learn. Res. 15
#   (2014) 1929.
# - A. Krogh and J. Vedelsby, *Neural network ensembles, cross validation, and active learning*, Advances in Neural
#   Information Processing Systems 7 (1994) 231: error of the mean = mean error − disagreement.
# - A. Power et al., *Grokking: generalization beyond overfitting on small algorithmic datasets*, 2022,
#   [doi:10.48550/arXiv.2201.02177](https://doi.org/10.48550/arXiv.2201.02177).
