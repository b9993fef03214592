# %% [markdown]
# # Deep networks, fast
#
# **You will be able to**
# - say what stands in the way of deep networks, and show which part of it batch normalisation removes,
# - build residual, inception and depthwise separable units, and compare them at equal numbers of parameters,
# - train a network to 88 % on CIFAR-10 in minutes on two processor cores, and explain each step of the recipe,
# - switch off one idea at a time and tell a gain from the spread over seeds,
# - combine networks to an ensemble, and look at what even the best of them gets wrong.
#
# **Time** 45 min reading, 75 min tasks; runs in 5 min on two CPU cores.
# **You need** [lesson 22](22_cifar10_cnn.ipynb), [lesson 13](13_optimization.ipynb) and [lesson
# 14](14_generalization.ipynb).

# %%
import time

from showertools import datasets, fast_training, optimizers, picture_networks, picture_plots, precision, profile, tasks
from showertools import weights as stored
from showertools.augmentation import cropped, mirrored, shifted
from showertools.batches import AugmentedBatches
from showertools.cifar10 import CLASSES

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

# %% [markdown]
# ## How deep, how fast
#
# A dense network names the right class of 56 % of the photographs ([lesson 21](21_cifar10_dense.ipynb)), three
# convolutions reach three of four ([lesson 22](22_cifar10_cnn.ipynb)), people 94 %. What lies between is depth: more
# convolutions, each of which sees a little further than the one before. In 2017 a network of nine convolutions took
# ten to twenty minutes on a graphics card and reached 88 %. You have two processor cores. Guess: how long will they
# take for the same 88 %?
#
# (The numbers and figures stored here come from a copy of CIFAR-10 whose photographs were compressed as JPEG, and stand
# in another order. With the originals you get others.)

# %%
n_train, n_test = profile.pick(full=(50_000, 10_000), quick=(1_000, 200))
known, test = datasets.load_cifar10()
mean, spread = (np.float32(some(known["image"][:n_train], axis=(0, 1, 2))) for some in (np.mean, np.std))  # (3,)
pictures, test_pictures = ((part["image"] - mean) / spread for part in (known, test))
pictures, test_pictures = pictures[:n_train], test_pictures[:n_test]
labels, test_labels = known["label"][:n_train], test["label"][:n_test]
targets = keras.utils.to_categorical(labels, 10)  # (n, 10)

# %% [markdown]
# ## What stands in the way
#
# This is the network of 2017. Each convolution is followed by batch normalisation and a ReLU, each group by a pooling
# that halves the picture.


# %%
# NBVAL_CHECK_OUTPUT
def deep_network(normalise=True):
    """Nine convolutions in four groups: pictures (B, 32, 32, 3) to logits (B, 10)."""
    x = inputs = keras.Input((32, 32, 3))
    for width, depth in ((32, 2), (64, 2), (128, 3), (256, 3)):
        for _ in range(depth):
            x = layers.Conv2D(width, 3, padding="same", kernel_initializer="he_normal")(x)
            x = layers.ReLU()(layers.BatchNormalization()(x) if normalise else x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(256, kernel_initializer="he_normal")(layers.Flatten()(x))
    x = layers.ReLU()(layers.BatchNormalization()(x) if normalise else x)
    return keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.3)(x)))


trainable = sum(int(np.prod(weight.shape)) for weight in deep_network().trainable_weights)
print(f"{trainable:,} trainable parameters")

# %% [markdown]
# A *logit* is what goes into the softmax: here the network ends before it, and the loss does the rest. Train it for a
# few steps with and without batch normalisation, with the same rate and the same batches. Both start from He's
# initial weights, so the signal keeps its size through all layers ([lesson 13](13_optimization.ipynb)). Guess: does
# the normalisation still make a difference?

# %%
steps, batch = profile.pick(full=(60, 100), quick=(4, 50))
logit_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
figure, panel = plt.subplots(figsize=(7, 3.6), layout="constrained")
for normalise, color, name in ((False, "#d55e00", "without"), (True, "#0072b2", "with")):
    keras.utils.set_random_seed(1)
    network = deep_network(normalise)
    network.compile(keras.optimizers.Adam(1e-3), logit_loss)
    losses = [network.train_on_batch(pictures[i::steps][:batch], labels[i::steps][:batch]) for i in range(steps)]
    running = np.cumsum(losses) / np.arange(1, steps + 1)  # train_on_batch returns the mean since the start
    panel.plot(np.arange(1, steps + 1), losses, color=color, label=f"{name} batch normalisation")
panel.axhline(np.log(10), color="0.5", linestyle=":", label="blind guess, ln 10")
panel.set(xlabel="step", ylabel="mean cross-entropy since the first step")
panel.legend()
plt.show()

# %% [markdown]
# DEPTHTEXT
#
# ## Three other units
#
# Depth has a second obstacle: each layer has to hand on what later ones need, and learn something new besides. Three
# inventions change the *unit* that is stacked.
#
# - A **residual** unit adds its input to what its convolutions make of it: $y = x + f(x)$. If nothing is to be done, $f$
#   can stay at 0, and the gradient always has one way back that no weight can shrink.
# - An **inception** unit looks with several windows at once, 1×1, 3×3, 5×5, and puts the maps side by side.
# - A **depthwise separable** unit splits a convolution in two: one 3×3 window for each channel by itself, then a 1×1
#   convolution that mixes channels. Xception is built of these, with shortcuts.
#
# [`picture_networks`](../showertools/picture_networks.py) has them, each in a few lines:

# %%
import inspect

print(inspect.getsource(picture_networks.residual))
print(inspect.getsource(picture_networks.separable))

# %% [markdown]
# ### Task 1: what a separable convolution saves
#
# Write `kernel_weights(channels, width, window)`: it returns two numbers, the weights of a usual convolution that turns
# `channels` maps into `width` maps, and those of a separable one. Leave biases out.


# %%
def kernel_weights(channels, width, window=3):
    """Weights of a convolution, and of a depthwise separable one."""
    ### BEGIN SOLUTION
    return window**2 * channels * width, window**2 * channels + channels * width
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    answer = kernel_weights(2, 5, 3)
    assert np.size(answer) == 2, "Return two numbers: the usual convolution, then the separable one."
    usual, split = answer
    assert usual != 9 * 2, "The usual one has a window for each pair of input and output maps: times `width`, too."
    assert usual == 90, "The usual one: 3·3 weights for each of 2 maps, 5 times."
    assert split != 9 * 2 * 2 * 5, "The two steps follow each other: their weights add up, they do not multiply."
    assert split != 9 * 5 + 2 * 5, "The windows come first and look at the 2 input maps, not at the 5 that come out."
    assert split != 9 + 10, "Each input map has a window of its own."
    assert split != 18 + 9 * 10, "The second step is a 1×1 convolution: one weight for each pair of maps."
    assert split == 28, "The separable one: 9 weights for each of 2 maps, then 2·5 that mix them."
    assert tuple(kernel_weights(4, 3, 5)) == (300, 112), (
        "Does it hold for other windows, too? 5×5, 4 to 3: 300 and 112."
    )


# %% tags=["wrong"]
# hint: add up
def kernel_weights(channels, width, window=3):
    return window**2 * channels * width, window**2 * channels * channels * width


# %% tags=["wrong"]
# hint: a window of its own
def kernel_weights(channels, width, window=3):
    return window**2 * channels * width, window**2 + channels * width


# %% tags=["wrong"]
# hint: look at the 2 input maps
def kernel_weights(channels, width, window=3):
    return window**2 * channels * width, window**2 * width + channels * width


# %% tags=["wrong"]
# hint: other windows, too
def kernel_weights(channels, width, window=3):
    return 9 * channels * width, 9 * channels + channels * width


# %%
# NBVAL_CHECK_OUTPUT
def ask_keras(channels, width, window=3):
    inputs = keras.Input((8, 8, channels))
    kinds = (layers.Conv2D, layers.SeparableConv2D)
    return tuple(keras.Model(inputs, kind(width, window, use_bias=False)(inputs)).count_params() for kind in kinds)


kernel_weights = tasks.solved(kernel_weights, otherwise=ask_keras, task="Task 1")
for channels in (16, 64, 256):
    usual, split = kernel_weights(channels, channels)
    print(f"{channels:3d} to {channels:3d} maps: {usual:7,} and {split:6,} weights, ratio {usual / split:.1f}")
for unit, width in {"plain": 16, "residual": 16, "inception": 40, "separable": 44}.items():
    network = picture_networks.unit_network(getattr(picture_networks, unit), width)
    print(f"{unit:9s} units, {width} channels in the first stage: {network.count_params():,} parameters")

# %% [markdown]
# What a unit saves can be spent on channels. At about the same number of parameters, the separable network has 44
# channels where the plain one has 16. Is that a gain? The comparison takes an hour, so it was made beforehand:
# `python notebooks/train_cifar10.py comparisons` trains each kind from three seeds, all with the same recipe, for eight
# epochs on 10,000 pictures, and asks 5,000 others. You will need the same file for more.

# %%
runs = datasets.load(datasets.data_file("cifar10_comparisons.h5"))
names = datasets.attributes(datasets.data_file("cifar10_comparisons.h5"))["recipes"]


def reached(name):
    """Accuracy in percent, six views, of the runs of one recipe in the order of their seeds."""
    chosen = runs["recipe"] == names.index(name)
    return 100 * runs["accuracy_of_views"][chosen][np.argsort(runs["seed"][chosen])]


for unit in ("plain", "residual", "inception", "separable"):
    found = reached(unit)
    print(f"{unit:9s} {found.mean():.1f} ± {found.std(ddof=1):.1f} % ({len(found)} seeds)")

# %% [markdown]
# UNITTEXT
#
# ## A recipe for speed
#
# Time is the number of pictures seen, times the work for each. So the recipe below does two things: it learns more
# from each step, and it makes each step cheap. It follows Jordan's of 2024, which takes 3 s on the largest graphics
# card of its time; here everything is smaller. Go through it idea by idea.
#
# ### Whitening: a first layer that need not be learned
#
# Neighbouring pixels are nearly equal, so the 12 numbers of a patch of 2×2 pixels in three colours are strongly
# correlated, and gradient descent runs in a ravine ([lesson 13](13_optimization.ipynb)). The covariance of the patches
# says what to do. Its eigenvectors $v_k$ are the directions along which patches vary independently, its eigenvalues
# $\lambda_k$ the variances. A convolution with the filters $v_k / \sqrt{\lambda_k + \varepsilon}$ gives maps that are
# uncorrelated, with variance 1. Each filter stands there with both signs, since the ReLU that follows cuts one off.
#
# ### Task 2: whitening filters
#
# Write `whitening_filters(pictures)`: from pictures (n, H, W, 3), return filters (2, 2, 3, 12), from the largest
# variance to the smallest, with $\varepsilon$ = 0.0005. `patches` gives all patches of 2×2 as rows; `np.cov` and
# `np.linalg.eigh` do the rest (look up the order of its eigenvalues, and which axis of its eigenvectors is which).


# %%
def patches(pictures):
    """Patches of 2×2 pixels as rows (m, 12), in the order row, column, colour."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (2, 2), axis=(1, 2))  # (n, h, w, 3, 2, 2)
    return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)


def whitening_filters(pictures):
    """Filters (2, 2, 3, 12) whose maps on these pictures are uncorrelated and of variance 1."""
    ### BEGIN SOLUTION
    variance, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    filters = direction / np.sqrt(variance + 5e-4)  # (12, 12), a filter in each column
    return filters[:, ::-1].reshape(2, 2, 3, 12)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    draw = np.random.default_rng(3).normal
    rough = draw(size=(200, 9, 9, 3))
    seen = rough + 0.8 * np.roll(rough, 1, 1) + 0.5 * np.roll(rough, 1, 2) + rough.mean(axis=3, keepdims=True)
    answer = np.asarray(whitening_filters(seen))
    assert answer.shape != (12, 12), "The filters should have the shape of a kernel: reshape to (2, 2, 3, 12)."
    assert answer.shape == (2, 2, 3, 12), "12 filters of 2×2 pixels in 3 colours, the filters last: (2, 2, 3, 12)."
    covariance = np.cov(patches(seen) @ answer.reshape(12, 12), rowvar=False)
    flipped = np.cov(patches(seen) @ answer.reshape(12, 12).T, rowvar=False)
    size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    mixed = np.abs(covariance / size - np.eye(12)).max()
    assert not (mixed > 0.1 and np.allclose(flipped, np.eye(12), atol=0.05)), "Transposed: eigenvectors are *columns*."
    assert mixed < 0.05, "The maps are still correlated: are the filters eigenvectors of the covariance, in columns?"
    variance = np.linalg.eigvalsh(np.cov(patches(seen), rowvar=False))[::-1]
    given = np.diag(covariance)
    assert not np.allclose(given, variance, rtol=0.02), "Uncorrelated, but not of variance 1: divide by the root of λ."
    assert not np.allclose(given, 1 / variance, rtol=0.02), "Divide by the root of the variance, not by the variance."
    assert not np.allclose(given, variance**2, rtol=0.02), "Divide by the root of λ; you multiply with it."
    assert np.allclose(given, 1, atol=0.02), "The maps should have the variance 1: v / sqrt(λ + ε)."
    lengths = np.linalg.norm(answer.reshape(12, 12), axis=0)
    assert not np.all(np.diff(lengths) < 0), (
        "Turn the order round: the largest variance first; eigh begins with the smallest."
    )
    assert np.all(np.diff(lengths) > 0), "Order filters by their variance, from the largest to the smallest."
    flat = np.ones((5, 4, 4, 3)) * draw(size=(5, 1, 1, 1))
    assert np.abs(whitening_filters(flat)).max() < 50, "Add ε = 0.0005 under the root: a variance may be 0."


# %% tags=["wrong"]
# hint: eigenvectors are *columns*
def whitening_filters(pictures):
    variance, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    return (direction / np.sqrt(variance + 5e-4)).T[::-1].reshape(2, 2, 3, 12)


# %% tags=["wrong"]
# hint: divide by the root of λ
def whitening_filters(pictures):
    _, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    return direction[:, ::-1].reshape(2, 2, 3, 12)


# %% tags=["wrong"]
# hint: not by the variance
def whitening_filters(pictures):
    variance, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    return (direction / (variance + 5e-4))[:, ::-1].reshape(2, 2, 3, 12)


# %% tags=["wrong"]
# hint: Turn the order round
def whitening_filters(pictures):
    variance, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    return (direction / np.sqrt(variance + 5e-4)).reshape(2, 2, 3, 12)


# %% tags=["wrong"]
# hint: a variance may be 0
def whitening_filters(pictures):
    variance, direction = np.linalg.eigh(np.cov(patches(pictures), rowvar=False))
    return (direction / np.sqrt(variance))[:, ::-1].reshape(2, 2, 3, 12)


# %% tags=["expected"]
def by_scikit_learn(pictures):
    principal = PCA(12).fit(patches(pictures))
    filters = principal.components_.T / np.sqrt(principal.explained_variance_ + 5e-4)
    return filters.reshape(2, 2, 3, 12)


whitening_filters = tasks.solved(whitening_filters, otherwise=by_scikit_learn, task="Task 2")
filters = whitening_filters(pictures[:2_000])
deviation = 1 / np.linalg.norm(filters.reshape(12, 12), axis=0)
titles = [f"σ = {value:.2f}" for value in deviation]
picture_plots.pictures(picture_plots.filters(filters), titles=titles, columns=12, size=0.9)
plt.show()

# %% [markdown]
# Twelve patches of 2×2 pixels, from the direction along which photographs vary most to the one along which they vary
# least; σ is the standard deviation along it. WHITETEXT
#
# ### Triangle: the rate rises and falls
#
# In [lesson 13](13_optimization.ipynb) you met the cosine with warm restarts. Its rate comes back to the top several
# times, each time for longer. The recipe's is simpler: up in a straight line for a fifth of the steps, down in one to
# nearly nothing.
#
# ### Task 3: the triangle
#
# Write `triangle(step, steps, peak)`: the rate of a step (a number or an array), from 0.2 `peak` at step 0 up to `peak`
# at 0.2 `steps`, then down to 0.02 `peak` at `steps`.


# %%
def triangle(step, steps, peak):
    """Learning rate of a step: a straight line up, and a straight line down."""
    ### BEGIN SOLUTION
    return peak * np.interp(step / steps, [0, 0.2, 1], [0.2, 1, 0.02])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    rate = lambda step: float(triangle(step, 100, 2.0))  # noqa: E731
    assert abs(rate(0)) > 1e-9, "It starts at a fifth of the peak, not at 0."
    assert np.isclose(rate(0), 0.4), "Step 0: 0.2 times the peak."
    assert not np.isclose(rate(20), 1.0), "At a fifth of the steps, the rate is `peak`: is the factor in both terms?"
    assert np.isclose(rate(20), 2.0), "At step 20 of 100 the rate should be `peak`, 2."
    assert np.isclose(rate(10), 1.2), "Halfway up, at step 10, it lies halfway between 0.4 and 2: 1.2."
    assert not np.isclose(rate(100), 0), "It ends at 0.02 of the peak."
    assert not np.isclose(rate(100), 0.4), "It ends at 0.02 of the peak, not where it started."
    assert np.isclose(rate(100), 0.04), "The last step: 0.02 times the peak."
    assert np.isclose(rate(60), 1.02), "Halfway down, at step 60, it lies halfway between 2 and 0.04: a straight line."
    assert np.allclose(triangle(np.array([0, 40]), 200, 1.0), [0.2, 1]), "It should take arrays: np.where or np.interp."


# %% tags=["wrong"]
# hint: not at 0
def triangle(step, steps, peak):
    return peak * np.interp(step / steps, [0, 0.2, 1], [0, 1, 0.02])


# %% tags=["wrong"]
# hint: not where it started
def triangle(step, steps, peak):
    return peak * np.interp(step / steps, [0, 0.2, 1], [0.2, 1, 0.2])


# %% tags=["wrong"]
# hint: a straight line
def triangle(step, steps, peak):
    done = step / steps
    down = 0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * np.clip((done - 0.2) / 0.8, 0, 1) ** 1.5))
    return peak * np.where(done < 0.2, 0.2 + 4 * done, down)


# %% tags=["wrong"]
# hint: should take arrays
def triangle(step, steps, peak):
    if np.all(step < 0.2 * steps):
        return peak * (0.2 + 4 * step / steps)
    return peak * (1 - 0.98 * (step / steps - 0.2) / 0.8)


# %% tags=["expected"]
def by_module(step, steps, peak):
    return keras.ops.convert_to_numpy(fast_training.Triangle(peak, steps)(step))


triangle = tasks.solved(triangle, otherwise=by_module, task="Task 3")
every = np.arange(451)
restarts = keras.optimizers.schedules.CosineDecayRestarts(0.24, 65, t_mul=2.0)
figure, panel = plt.subplots(figsize=(7, 3.2), layout="constrained")
panel.plot(every, triangle(every, 450, 0.24), color="#0072b2", label="triangle")
panel.plot(every[:-1], [float(restarts(step)) for step in every[:-1]], color="#e69f00", label="cosine with restarts")
panel.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
panel.legend()
plt.show()
for name in ("everything", "cosine with restarts", "constant rate"):
    found = reached(name)
    print(f"{'triangle' if name == 'everything' else name:20s} {found.mean():.1f} ± {found.std(ddof=1):.1f} %")

# %% [markdown]
# SCHEDULETEXT
#
# ### Muon: equal strength in all directions
#
# A kernel is a matrix: 9 C inputs, as many outputs as filters. So is its gradient, and its momentum. Decompose that into
# singular values and you find a few large ones, and many small: the step follows a few directions that all pictures
# agree on. The rare directions hardly move. **Muon** keeps the directions and makes all singular values equal, then
# takes the step. A decomposition in every step would cost too much. But an odd polynomial of a matrix,
# $p(X) = aX + b\,(XX^\top)X + c\,(XX^\top)^2X$, changes its singular values one by one, $s \to as + bs^3 + cs^5$, and
# leaves the directions: a few products of matrices, and all of them are close to 1.
#
# ### Task 4: orthogonalise
#
# Write `orthogonalised(matrix)`: divide it by its norm (the root of the sum of squares, so that no singular value is
# above 1), then apply $p$ three times with the coefficients below.

# %%
a, b, c = 3.4445, -4.7750, 2.0315


def orthogonalised(matrix):
    """The matrix (m, n) with all its singular values close to 1."""
    ### BEGIN SOLUTION
    x = matrix / np.linalg.norm(matrix)
    for _ in range(3):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    draw = np.random.default_rng(4)
    left, right = (np.linalg.qr(draw.normal(size=(size, 4)))[0] for size in (4, 9))
    values = np.array([3.0, 1.5, 0.9, 0.5])
    answer = np.asarray(orthogonalised((left * values) @ right.T))
    assert answer.shape == (4, 9), "The result should have the shape of the matrix."
    inside = left.T @ answer @ right  # a diagonal, if the directions stay
    assert np.allclose(inside, np.diag(np.diag(inside)), atol=1e-6), (
        "The directions have changed. Products of matrices are written with @; a * multiplies entry by entry."
    )
    expected = {0: values / np.linalg.norm(values)}
    for number in range(1, 6):
        expected[number] = a * expected[number - 1] + b * expected[number - 1] ** 3 + c * expected[number - 1] ** 5
    found, like = np.diag(inside), lambda other: np.allclose(inside.diagonal(), other, rtol=1e-4)
    assert not like(expected[0]), "Only divided by the norm: now apply the polynomial."
    assert not like(expected[1]), "Once is not enough: three times."
    assert not any(like(expected[number]) for number in (2, 4, 5)), "Three times, not more and not less."
    assert not np.any(np.abs(found) > 10), "It explodes. Divide by the norm first: no singular value may exceed 1."
    top = values / values.max()
    for _ in range(3):
        top = a * top + b * top**3 + c * top**5
    assert not like(top), (
        "Divided by the largest singular value. Take np.linalg.norm(matrix), which needs no decomposition."
    )
    assert like(expected[3]), "Not s → as + bs³ + cs⁵. One X Xᵀ goes with b, two with c, each times X."


# %% tags=["wrong"]
# hint: Once is not enough
def orthogonalised(matrix):
    x = matrix / np.linalg.norm(matrix)
    square = x @ x.T
    return a * x + b * square @ x + c * square @ square @ x


# %% tags=["wrong"]
# hint: written with @
def orthogonalised(matrix):
    x = matrix / np.linalg.norm(matrix)
    for _ in range(3):
        x = a * x + b * x**3 + c * x**5
    return x


# %% tags=["wrong"]
# hint: It explodes
def orthogonalised(matrix):
    x = matrix
    for _ in range(3):
        x = a * x + b * (x @ x.T) @ x + c * (x @ x.T) @ (x @ x.T) @ x
    return x


# %% tags=["wrong"]
# hint: largest singular value
def orthogonalised(matrix):
    x = matrix / np.linalg.norm(matrix, 2)
    for _ in range(3):
        x = a * x + b * (x @ x.T) @ x + c * (x @ x.T) @ (x @ x.T) @ x
    return x


# %% tags=["expected"]
def by_optimizers(matrix):
    return keras.ops.convert_to_numpy(optimizers.orthogonalized(matrix))


orthogonalised = tasks.solved(orthogonalised, otherwise=by_optimizers, task="Task 4")
common, rare = np.random.default_rng(5).normal(size=(2, 64, 576))
gradient = 0.05 * rare + np.outer(common[:, 0], common[0]) + 0.3 * np.outer(common[:, 1], common[1])
figure, panel = plt.subplots(figsize=(7, 3.4), layout="constrained")
for matrix, color, name in ((gradient, "#d55e00", "before"), (orthogonalised(gradient), "#0072b2", "after")):
    values = np.linalg.svd(matrix, compute_uv=False)
    panel.semilogy(np.arange(1, 65), values / values.max(), "o", markersize=3, color=color, label=name)
panel.set(xlabel="number of the singular value", ylabel="singular value / largest", ylim=(1e-3, 2))
panel.legend()
plt.show()

# %% [markdown]
# A matrix of noise in which two directions stand out, as in a gradient. Before, the 62 others are MUONTEXT
#
# [`optimizers.Muon`](../showertools/optimizers.py) does this for each kernel, and lets each step have a fixed length
# relative to the kernel's own. All other weights follow gradient descent with momentum.
#
# ### Labels that are not quite certain
#
# The cross-entropy asks for a probability of 1, which no finite logit reaches: weights grow for ever. **Label
# smoothing** asks for less: with $\alpha$ = 0.2 and ten classes, the right class is given 0.82 and each other 0.02. The
# best answer is then finite, a logit that is ln(0.82 / 0.02) = 3.7 above the others.
#
# ### Two small pictures cost as much as one
#
# The work of a convolution is proportional to the number of pixels. The first four of nine epochs see parts of 24×24
# pixels, cut out at random places: a bit more than half the work. The network has no dense layer that would fix the size
# (it takes the maximum of each last map), so it can go on with whole pictures, mirrored and shifted by up to 2 pixels.
# NumPy changes a whole batch at once; AUGTEXT
#
# ### Sixteen bits
#
# Some processors multiply numbers of 16 bits several times as fast as those of 32. A `bfloat16` keeps the exponent and
# cuts the fraction to 7 bits. See what that means:

# %%
# NBVAL_CHECK_OUTPUT
for value in (1.001, 1.005, 1.01, 3e38, 1e-38):
    rounded = float(keras.ops.cast(keras.ops.cast(value, "bfloat16"), "float32"))
    print(f"{value:8.4g} becomes {rounded:.7g}")

# %% [markdown]
# Three digits, but no overflow. That is enough for activations and gradients; weights are kept in 32 bits, so that small
# steps are not lost, and so is the loss. Keras calls this `mixed_bfloat16`. `precision.fastest_policy()` looks whether
# your processor has the instructions; without them, such numbers are slow.
#
# ## Train
#
# Now everything together. The network has a whitening layer and six convolutions.

# %%
policy = precision.fastest_policy()
keras.mixed_precision.set_dtype_policy(policy)
keras.utils.set_random_seed(1)
network = fast_training.network(pictures[:5_000], widths=(64, 128, 128))
batch_size, small_epochs, epochs = profile.pick(full=(1_000, 4, 9), quick=(100, 1, 2))
smooth_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
schedule = fast_training.Triangle(0.24, epochs * (n_train // batch_size))
network.compile(optimizers.Muon(schedule), smooth_loss, metrics=["accuracy"], steps_per_execution=5)
print(f"{network.count_params():,} parameters; {policy}")


# %%
def part(pictures, rng):
    return mirrored(cropped(pictures, rng, 24), rng)


def whole(pictures, rng):
    return mirrored(shifted(pictures, rng, 2), rng)


start, known_right = time.perf_counter(), []
for augment, number in ((part, small_epochs), (whole, epochs - small_epochs)):
    batches = AugmentedBatches(pictures, targets, augment, batch_size=batch_size, seed=number)
    known_right += network.fit(batches, epochs=number, verbose=0).history["accuracy"]
seconds = time.perf_counter() - start
print(f"{epochs} epochs in {seconds:.0f} s; right in training, epoch by epoch:", np.round(known_right, 2))

# %% [markdown]
# TRAINTEXT
#
# ### Task 5: six views
#
# A photograph and its mirror image show the same, and so does one moved by a pixel. The network does not know that
# exactly. So ask it six times, and take a mean. Write `mean_over_views(predict, pictures)`: `predict` turns pictures (n,
# H, W, 3) into logits (n, 10). The picture as it is has the weight 1/2; moved by one pixel down and right, and by one up
# and left, 1/4 each; each of these three shares its weight equally with its mirror image. Moving uncovers an edge:
# `np.pad` with `mode="reflect"` fills it.


# %%
def mean_over_views(predict, pictures):
    """Mean logits (n, 10) over six views of each picture."""
    ### BEGIN SOLUTION
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = {0.5: [pictures], 0.25: [padded[:, :-2, :-2], padded[:, 2:, 2:]]}
    return sum(
        weight / 2 * (predict(view) + predict(view[:, :, ::-1])) for weight, some in views.items() for view in some
    )
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    seen, photos = [], np.random.default_rng(6).normal(size=(3, 8, 8, 3)).astype("float32")
    spy = lambda some: seen.append(np.array(some)) or some[:, 2, 3:5, 0]  # noqa: E731
    answer = np.asarray(mean_over_views(spy, photos))
    assert len(seen) == 6, "Six views: as it is, two moved, and the mirror image of each."
    assert all(some.shape == photos.shape for some in seen), "Each view should have the size of the picture."
    has = lambda other: any(np.allclose(some, other) for some in seen)  # noqa: E731
    assert has(photos), "One of the views is the picture as it is."
    assert not has(photos[:, ::-1]), "That is upside down: mirror left and right, the second axis of pixels."
    assert has(photos[:, :, ::-1]), "One of the views is the mirror image, left and right exchanged."
    rolled = np.roll(photos, (1, 1), axis=(1, 2))
    assert not has(rolled), "np.roll brings what falls out at one edge back at the other: use np.pad."
    edges = np.pad(photos, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    assert has(edges[:, :-2, :-2]), "One view is moved down and right by one pixel, the edge filled by reflection."
    assert has(edges[:, 2:, 2:]), "One view is moved up and left by one pixel."
    six = sum(spy(some) for some in seen[:6]) / 6
    assert not np.allclose(answer, six), (
        "Not all the same weight: 1/2 for the picture in its place, 1/4 for a moved one."
    )
    straight = [(photos, 0.25), (edges[:, :-2, :-2], 0.125), (edges[:, 2:, 2:], 0.125)]
    mean = sum(w * (spy(some) + spy(some[:, :, ::-1])) for some, w in straight)
    assert not np.allclose(answer, 2 * mean), (
        "The weights should add up to 1: a view and its mirror image share theirs."
    )
    assert np.allclose(answer, mean, atol=1e-6), (
        "Weights: 1/4 for the picture and its mirror image, 1/8 for the others."
    )


# %% tags=["wrong"]
# hint: share theirs
def mean_over_views(predict, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = ((pictures, 0.5), (padded[:, :-2, :-2], 0.25), (padded[:, 2:, 2:], 0.25))
    return sum(weight * (predict(view) + predict(view[:, :, ::-1])) for view, weight in views)


# %% tags=["wrong"]
# hint: Not all the same weight
def mean_over_views(predict, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = [pictures, padded[:, :-2, :-2], padded[:, 2:, 2:]]
    return np.mean([predict(some) for view in views for some in (view, view[:, :, ::-1])], axis=0)


# %% tags=["wrong"]
# hint: upside down
def mean_over_views(predict, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = ((pictures, 0.25), (padded[:, :-2, :-2], 0.125), (padded[:, 2:, 2:], 0.125))
    return sum(weight * (predict(view) + predict(view[:, ::-1])) for view, weight in views)


# %% tags=["wrong"]
# hint: np.roll brings
def mean_over_views(predict, pictures):
    views = ((pictures, 0.25), *((np.roll(pictures, (d, d), axis=(1, 2)), 0.125) for d in (1, -1)))
    return sum(weight * (predict(view) + predict(view[:, :, ::-1])) for view, weight in views)


# %% tags=["result"]
def by_fast_training(predict, pictures):
    class Wrapped:
        def predict(self, seen, **_):
            return predict(seen)

    return fast_training.mean_over_views(Wrapped(), pictures)


mean_over_views = tasks.solved(mean_over_views, otherwise=by_fast_training, task="Task 5")


def ask(model):
    """A function from pictures (n, H, W, 3) to logits (n, 10)."""
    return lambda seen: model.predict(np.ascontiguousarray(seen), batch_size=min(1_000, n_test), verbose=0)


def accuracy(logits):
    """Share of the test pictures that are right, in percent, and its binomial error."""
    share = np.mean(logits.argmax(axis=1) == test_labels)
    return 100 * share, 100 * np.sqrt(share * (1 - share) / n_test)


plain = ask(network)(test_pictures)  # (n, 10)
views = mean_over_views(ask(network), test_pictures)
for name, logits in (("one view", plain), ("six views", views)):
    share, error = accuracy(logits)
    print(f"{name:9s} {share:.2f} ± {error:.2f} %")

# %% [markdown]
# RESULTTEXT
#
# ## What did each idea bring?
#
# A recipe of eight ideas invites superstition. So switch off one at a time. The runs of the stored comparison all use a
# narrower network (32, 64, 64 channels), eight epochs of 10,000 pictures and three seeds; gradient descent had its rate
# chosen anew, from five values between 0.05 and 1.6. The difference to the whole recipe is taken seed by seed.

# %%
switched = [name for name in names if name not in ("everything", "plain", "residual", "inception", "separable")]
gain = np.array([reached(name) - reached("everything") for name in switched])  # (ideas, seeds)
order = np.argsort(gain.mean(axis=1))
error = gain.std(axis=1, ddof=1) / np.sqrt(gain.shape[1])
figure, panel = plt.subplots(figsize=(8, 4), layout="constrained")
panel.errorbar(gain.mean(axis=1)[order], np.arange(len(order)), xerr=error[order], fmt="o", color="#0072b2")
panel.plot(gain[order], np.arange(len(order)), ".", color="0.6", zorder=0)
panel.axvline(0, color="k", linewidth=1)
panel.set_xscale("symlog", linthresh=2)
panel.set_xticks([-20, -5, -2, -1, 0, 1, 2], ["−20", "−5", "−2", "−1", "0", "1", "2"])
panel.set_yticks(np.arange(len(order)), [switched[number] for number in order])
panel.set_xlabel("change of the accuracy [percentage points]; linear within ±2")
plt.show()
print(f"everything: {reached('everything').mean():.1f} ± {reached('everything').std(ddof=1):.1f} %")

# %% [markdown]
# SWITCHTEXT
#
# ## Five networks
#
# Four more networks of this recipe, trained from other seeds, are stored: `python notebooks/train_cifar10.py ensemble`
# makes them again. Average the logits of all five. A network that is trained again differs in its initial weights, the
# order of its batches and the shifts of its pictures. Guess: how many points is the mean of five better than one?

# %%
members = [fast_training.network(pictures[:5_000], widths=(64, 128, 128)) for _ in range(4)]
made = stored.load(datasets.data_file("cifar10_ensemble.h5"), members)
alone = [plain, *(ask(member)(test_pictures) for member in members)]  # 5 times (n, 10)
together = np.mean(alone, axis=0)
right = np.array([logits.argmax(axis=1) == test_labels for logits in alone])  # (5, n)
single = 100 * right.mean(axis=1)
print(
    f"one network {single.mean():.2f} ± {single.std(ddof=1):.2f} % (five seeds), all five {accuracy(together)[0]:.2f} %"
)
draws = np.random.default_rng(1).integers(n_test, size=(500, n_test))
better = (together.argmax(axis=1) == test_labels).astype(float) - right.mean(axis=0)
print(f"gain {100 * better.mean():.2f} ± {100 * better[draws].mean(axis=1).std():.2f} points")
print(f"right by all five: {right.all(axis=0).mean():.1%}, by none: {1 - right.any(axis=0).mean():.1%}")
views_of_others = np.array(made["test_accuracy_of_views"]) * 100
print(f"the four stored ones, six views: {views_of_others.mean():.2f} ± {views_of_others.std(ddof=1):.2f} %")

# %% [markdown]
# ENSEMBLETEXT
#
# ## Longer and wider
#
# With more time the same recipe goes further. Two networks are stored: that of 2017, trained with this recipe
# (`python notebooks/train_cifar10.py deep`), and one with twice the channels
# (`python notebooks/train_cifar10.py best`).

# %%
deep, best = picture_networks.deep_network(), fast_training.network(pictures[:5_000], widths=(64, 256, 256))
made_deep = stored.load(datasets.data_file("cifar10_deep.h5"), deep)
made_best = stored.load(datasets.data_file("cifar10_best.h5"), best)
deep_logits, best_logits = ask(deep)(test_pictures), mean_over_views(ask(best), test_pictures)

# %%
rows = {
    "dense network (lesson 21)": (56, np.nan),
    "three convolutions (lesson 22)": (75, np.nan),
    f"network of 2017, {made_deep['epochs']} epochs": accuracy(deep_logits),
    f"yours, {epochs} epochs in {seconds:.0f} s": accuracy(views),
    "five like yours": accuracy(together),
    f"twice the channels, {made_best['epochs']} epochs": accuracy(best_logits),
    "people": (94, np.nan),
}
for name, (value, error) in rows.items():
    print(f"{name:35s} {value:5.1f}" + (f" ± {error:.1f} %" if np.isfinite(error) else " %"))

# %% [markdown]
# TABLETEXT
#
# ## What is still wrong
#
# Look at the pictures that the best network names wrong with the greatest certainty, and that the ensemble gets wrong,
# too.

# %%
certainty = keras.ops.convert_to_numpy(keras.ops.softmax(best_logits))
named = best_logits.argmax(axis=1)
wrong = np.flatnonzero((named != test_labels) & (together.argmax(axis=1) != test_labels))
worst = wrong[np.argsort(-certainty[wrong, named[wrong]])][:16]
titles = [f"{CLASSES[named[i]]} {certainty[i, named[i]]:.0%}\nis {CLASSES[test_labels[i]]}" for i in worst]
picture_plots.pictures(test["image"][worst], titles=titles, columns=8, size=1.3)
plt.show()
pairs, times = np.unique(np.sort([named[wrong], test_labels[wrong]], axis=0), axis=1, return_counts=True)
for number in np.argsort(-times)[:4]:
    one, other = (CLASSES[place] for place in pairs[:, number])
    print(f"{one} and {other}: {times[number] / len(wrong):.0%} of the common errors")
keras.mixed_precision.set_dtype_policy("float32")

# %% [markdown]
# WRONGTEXT
#
# ## What carries over to showers
#
# - Whitening: the channels of a camera or an array (charge, time) have units of their own and are correlated; measured on
#   training events, it costs nothing.
# - Mirrors and shifts: a photograph has a top, a shower seen from above has not. There all eight symmetries of a square
#   are allowed ([lesson 32](32_xmax.ipynb)), but a shift moves the core, which may be what is asked for.
# - Muon, the triangle, sixteen bits and ensembles ask nothing about the pictures.
#
# ### Task 6: your own network
#
# Open-ended: write `my_network(pictures)`, which returns an untrained network from pictures (B, H, W, 3) to logits (B,
# 10), with at most 160,000 parameters: fewer channels and more layers, shortcuts, separable convolutions, another first
# layer. `train_briefly` gives it the recipe on 5,000 pictures (half a minute) and asks others. The stand-in is the
# narrow network of the comparison; change one thing at a time, and repeat with another seed before you believe it.


# %%
def my_network(pictures):
    """Return an untrained network: pictures (B, H, W, 3) to logits (B, 10)."""
    ### BEGIN SOLUTION
    return picture_networks.unit_network(picture_networks.residual, 12)
    ### END SOLUTION


def train_briefly(build, seed=1):
    """Accuracy in percent on pictures that were not trained on."""
    keras.utils.set_random_seed(seed)
    network, n_few = build(pictures[:1_000]), profile.pick(full=5_000, quick=500)
    data = AugmentedBatches(pictures[:n_few], targets[:n_few], whole, batch_size=125, seed=seed)
    rounds = profile.pick(full=4, quick=1)
    network.compile(optimizers.Muon(fast_training.Triangle(0.24, rounds * len(data))), smooth_loss)
    network.fit(data, epochs=rounds, verbose=0)
    logits = network.predict(pictures[-n_few:], batch_size=500, verbose=0)
    return 100 * np.mean(logits.argmax(axis=1) == labels[-n_few:])


# %% tags=["check"]
with tasks.check("Task 6"):
    answer = my_network(pictures[:100])
    assert isinstance(answer, keras.Model), "Return the network itself, a keras.Model, not its output."
    assert answer.count_params() <= 160_000, f"At most 160,000 parameters; this one has {answer.count_params():,}."
    assert answer.output_shape[-1] == 10, "It should give ten numbers for each picture."
    out = np.asarray(answer.predict(pictures[:20], verbose=0))
    assert not np.allclose(out.sum(axis=1), 1, atol=1e-3), "Logits, please: the loss applies the softmax itself."
    assert np.ptp(out) > 0, "It says the same of each picture: is the input connected?"


# %% tags=["wrong"]
# hint: Logits, please
def my_network(pictures):
    body = picture_networks.unit_network(picture_networks.plain, 8)
    return keras.Sequential([keras.Input((32, 32, 3)), body, layers.Softmax()])


# %% tags=["wrong"]
# hint: At most 160,000 parameters
def my_network(pictures):
    return fast_training.network(pictures, widths=(64, 128))


# %% tags=["wrong"]
# hint: not its output
def my_network(pictures):
    inputs = keras.Input((32, 32, 3))
    return layers.Dense(10)(layers.Flatten()(inputs))


# %%
def narrow(pictures):
    return fast_training.network(pictures, widths=(32, 64, 64))


my_network = tasks.solved(my_network, otherwise=narrow, task="Task 6")
for name, build in (("the narrow network", narrow), ("yours", my_network)):
    print(f"{name}: {train_briefly(build):.1f} %")

# %% [markdown]
# ## What you learned
#
# - Batch normalisation and He's start let nine convolutions learn from the first steps on. Shortcuts, several windows and
#   separable convolutions are other ways to spend the same number of parameters.
# - A first layer that whitens is computed, not learned. Muon makes steps equally strong in all directions.
# - A rate that falls to nothing at the end matters more than any other single idea here; several of them are worth
#   less than the spread over seeds at this size. Only a comparison with seeds can tell.
# - The mean over views and over networks costs time when asking, not when training, and each is worth about a point.
#
# ## Go further
#
# - Replace the ReLU of `fast_training.network` by `silu`. What does it gain, and what does it cost?
# - Distil the ensemble: train one network on the mean probabilities of the five.
# - Label one hundred of the wrong pictures yourself. How many would you have got right?
#
# ## References
#
# - K. He et al., *Deep residual learning for image recognition* (2016),
#   [doi:10.1109/CVPR.2016.90](https://doi.org/10.1109/CVPR.2016.90).
# - C. Szegedy et al., *Going deeper with convolutions* (2015),
#   [doi:10.1109/CVPR.2015.7298594](https://doi.org/10.1109/CVPR.2015.7298594).
# - F. Chollet, *Xception: deep learning with depthwise separable convolutions* (2017),
#   [doi:10.1109/CVPR.2017.195](https://doi.org/10.1109/CVPR.2017.195).
# - K. Jordan, *94 % on CIFAR-10 in 3.29 seconds on a single GPU* (2024),
#   [doi:10.48550/arXiv.2404.00498](https://doi.org/10.48550/arXiv.2404.00498); K. Jordan et al., *Muon* (2024).
