# %% [markdown]
# # Deep networks, fast
#
# **You will be able to**
# - show what hinders a deep network at the start, and build it from units that do not hinder it,
# - explain each idea of a recipe that trains in minutes, without a graphics card, to 88 % on CIFAR-10 from six views,
# - say by measurement what an idea brings, with an error,
# - ask a network about several views of a picture, and several networks about one,
# - judge what of this carries over to shower images.
#
# **Time** 50 min reading, 80 min tasks; runs in 8 min on two CPU cores. **You need** [lesson
# 22](22_cifar10_cnn.ipynb), from [lesson 13](13_optimization.ipynb) momentum, whitening and batch normalisation, and
# from [lesson 14](14_generalization.ipynb) ensembles.

# %%
import inspect
import time
from itertools import combinations

from showertools import (
    datasets,
    fast_training,
    metrics,
    optimizers,
    picture_networks,
    picture_plots,
    plotting,
    precision,
    profile,
    tasks,
    weights,
)
from showertools.augmentation import cropped, cutout, mirrored, shifted
from showertools.batches import AugmentedBatches
from showertools.cifar10 import CLASSES

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view
from scipy.special import softmax
from scipy.stats import binom

# %% [markdown]
# ## Between 75 % and 94 %
#
# A dense network named 56 % of the test photographs right ([lesson 21](21_cifar10_dense.ipynb)), a small
# convolutional one 75 % ([lesson 22](22_cifar10_cnn.ipynb)), people 94 %. In 2017 a network of ten convolutions
# reached 88 % in a talk that this course goes back to, in 10 to 20 minutes on a graphics card. You have two processor
# cores. Guess: how long will they take for the same 88 %?
#
# All choices of this lesson were made with 5,000 validation pictures that no network had learned from. At the end the
# chosen recipe is trained on all 50,000 training pictures, and the test pictures are opened once. (The outputs stored
# here, and the weights that are loaded, were made with a copy of CIFAR-10 that was compressed as JPEG and stands in
# another order. With the originals you get somewhat other numbers.)

# %%
n_train, n_test = profile.pick(full=(50_000, 10_000), quick=(500, 300))
train, test = datasets.load_cifar10()
pictures, labels = train["image"][:n_train], train["label"][:n_train]  # (n, 32, 32, 3), 0 to 255
test_pictures, test_labels = test["image"][:n_test], test["label"][:n_test]
targets = keras.utils.to_categorical(labels, 10)  # (n, 10)
mean = np.float32(pictures.mean(axis=(0, 1, 2)))
spread = np.float32([pictures[..., color].std() for color in range(3)])


def standardised(some):
    """Pictures (n, H, W, 3) in units of the training pictures' spread, colour by colour."""
    return (some - mean) / spread


sample = standardised(pictures[:5_000])  # to compute first layers from

# %% [markdown]
# ## What hinders depth
#
# The deep network of the talk: convolutions of 3×3 with padding in four groups, each group followed by 2×2 max
# pooling, then a dense layer of 256 neurons with dropout. Batch normalisation and ReLU follow each layer. It ends
# with logits, what goes into a softmax; the loss applies it. Count the parameters by hand, as in lesson 22, and
# compare.
#
# Eleven layers of weights lie before the last one. Keras draws first weights after Glorot (Xavier's in lesson 13),
# with the variance that suits a symmetric activation. A ReLU throws away half of the signal. Guess: how much of it is
# left behind ten convolutions? Compare with He's weights, of twice the variance, and with batch normalisation. Then
# train each for forty steps of Adam with 50 fresh pictures. The rate, $10^{-3}$, was for each of the three as good as
# any of $3\cdot10^{-4}$, $10^{-3}$ and $3\cdot10^{-3}$.


# %%
# NBVAL_CHECK_OUTPUT
def deep(normalise=True, initializer="glorot_uniform"):
    """The deep network of the talk, with or without batch normalisation; gives logits (B, 10)."""
    weighted = {"kernel_initializer": initializer}
    inputs = keras.Input((32, 32, 3))
    x = inputs
    for width, depth in ((32, 2), (64, 2), (128, 3), (256, 3)):
        for _ in range(depth):
            x = layers.Conv2D(width, 3, padding="same", **weighted)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x) if normalise else x)
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(256, **weighted)(layers.Flatten()(x))
    x = layers.ReLU()(layers.BatchNormalization()(x) if normalise else x)
    return keras.Model(inputs, layers.Dense(10, **weighted)(layers.Dropout(0.3)(x)))


def n_trainable(model):
    """Number of trainable parameters."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


widths = [3, 32, 32, 64, 64, 128, 128, 128, 256, 256, 256]
kernels = sum((9 * inputs + 1) * outputs for inputs, outputs in zip(widths, widths[1:]))
dense = (2 * 2 * 256 + 1) * 256 + (256 + 1) * 10
scales = 2 * (sum(widths[1:]) + 256)  # γ and β of each batch normalisation
print(f"convolutions {kernels:,}, dense {dense:,}, batch normalisation {scales:,}: {kernels + dense + scales:,}")
print(f"Keras counts {n_trainable(deep()):,}")


# %%
def signal_sizes(model):
    """Root mean square of the signals behind each ReLU, for 100 pictures."""
    rectified = [layer.output for layer in model.layers if isinstance(layer, layers.ReLU)]
    signals = keras.Model(model.input, rectified)(sample[:100], training=True)
    return [float(keras.ops.sqrt(keras.ops.mean(signal**2))) for signal in signals]


def first_steps(model, parts):
    """Loss, as the mean over 5 steps each, on parts of 250 pictures that are seen once."""
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    rows = np.arange(250 * parts).reshape(parts, 250) % len(sample)
    return [model.fit(sample[row], labels[row], batch_size=50, verbose=0).history["loss"][0] for row in rows]


parts = profile.pick(full=8, quick=2)
starts = {"Glorot's weights": (False, "glorot_uniform"), "He's weights": (False, "he_normal")}
starts["batch normalisation"] = (True, "glorot_uniform")
sizes, losses = {}, {}
for name, (normalise, initializer) in starts.items():
    keras.utils.set_random_seed(1)
    model = deep(normalise, initializer)
    sizes[name], losses[name] = signal_sizes(model), first_steps(model, parts)

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for name, color, marker in zip(starts, plotting.CLASS_COLORS, "so^"):
    panels[0].plot(np.arange(1, 12), sizes[name], marker + "-", color=color, label=name)
    panels[1].plot(5 * np.arange(1, parts + 1), losses[name], marker + "-", color=color)
panels[0].set(yscale="log", xlabel="layer", ylabel="signal before training (root mean square)")
panels[1].axhline(np.log(10), color="k", linestyle=":", label="blind guess, ln 10")
panels[1].set(xlabel="steps", ylabel="cross-entropy (mean of 5 steps)")
panels[0].legend()
panels[1].legend()
plt.show()

# %% [markdown]
# With Glorot's weights the signal falls from 0.4 to 0.01, and for the first twenty steps the network guesses blindly.
# He's weights keep it alive; the start is hardly faster, because at first the answers are too large and nothing sets
# them right. Behind batch normalisation each signal has the size 0.7, that of a ReLU of normal numbers, whatever the
# other layers do; after forty steps the loss is lower by 0.3. With a rate of $3\cdot10^{-3}$ the other two were still
# guessing after sixty steps, and batch normalisation learned.
#
# ## Units
#
# A convolution of 3×3 is not the only thing that a deep network can be stacked from. Three **units** are printed
# below, functions that take a tensor and a number of channels. The **plain** one is two convolutions. **Inception**
# looks with several windows at once, 1×1, 3×3, 5×5 and a pooled one, and sets what they find side by side: nobody has
# to know beforehand at which scale something is to be seen. The 1×1 convolutions before the large windows reduce the
# number of channels, which saves most of the work. **Separable** splits a convolution in two: first one window for
# each channel alone (*depthwise*), then a 1×1 convolution that mixes the channels (*pointwise*). In place of the $9
# \cdot 64 \cdot 64 = 36{,}864$ weights from 64 to 64 channels it has $9 \cdot 64 + 64 \cdot 64 = 4{,}672$, an eighth.
# Like the Xception network it adds its input in the end, as the unit of Task 1 does: compare it with that one.
#
# (`_normalized` is batch normalisation, then ReLU; `_pointwise` is a 1×1 convolution, normalised; `_shortcut` you
# write yourself in a minute. Biases are left out, because batch normalisation subtracts them at once.)
#
# ### Task 1: the residual unit
#
# The fourth unit learns only what is to be *added* to its input: $y = x + F(x)$, with $F$ the plain unit. The
# gradient then has a way past $F$, on which nothing makes it smaller. With all weights at 0, the unit hands on what
# it gets. So a deeper network begins as good as a shallow one.
#
# Write `residual(x, width)` with `picture_networks.plain` and `layers.Add`. If `x` does not have `width` channels, a
# 1×1 convolution without bias brings it to that number before the sum, else it is added as it is. Nothing follows the
# sum.

# %%
for unit in (picture_networks.plain, picture_networks.inception, picture_networks.separable):
    print(inspect.getsource(unit))


# %%
def residual(x, width):
    """What a plain unit makes of its input plus the input: (B, H, W, C) to (B, H, W, width)."""
    ### BEGIN SOLUTION
    shortcut = x if x.shape[-1] == width else layers.Conv2D(width, 1, use_bias=False)(x)
    return layers.Add()([picture_networks.plain(x, width), shortcut])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):

    def model_of(unit, channels):
        inputs = keras.Input((6, 8, channels))
        try:
            return keras.Model(inputs, unit(inputs, 16))
        except ValueError:  # shapes do not fit
            return None

    same, wider = model_of(residual, 16), model_of(residual, 8)
    assert residual(keras.Input((6, 8, 16)), 16) is not None, "Nothing came back: end with `return`."
    assert same is not None, "Keras cannot build it: `layers.Add()` takes a list of two tensors of the same shape."
    assert same.output_shape == (None, 6, 8, 16), "Return (B, H, W, width): the input is added, not set beside it."
    assert wider is not None, "From 8 to 16 channels it fails: bring the input to `width` channels by a 1×1 kernel."
    kernels = [layer.kernel.shape for layer in same.layers if isinstance(layer, layers.Conv2D)]
    assert kernels.count((3, 3, 16, 16)) == 2, "F should have two convolutions of 3×3, those of `plain`, once."
    assert len(kernels) == 2, "Where the channels fit, add the input as it is: no convolution in the shortcut."
    given = np.random.default_rng(1).normal(size=(2, 6, 8, 16)).astype("float32")
    same.set_weights([np.zeros_like(values) for values in same.get_weights()])
    answer = same.predict(given, verbose=0)
    assert np.any(answer), "With all weights at 0 nothing comes out: add the input itself, behind the convolutions."
    assert np.any(answer < 0), "Negative inputs are lost: no ReLU after the sum here."
    assert np.allclose(answer, given, atol=1e-5), "With all weights at 0 exactly the input should come out, once."
    more = n_trainable(wider) - n_trainable(model_of(picture_networks.plain, 8))
    assert more != 8 * 16 + 9 * 8 * 16, "F should read the input as it came; only the shortcut gets the 1×1 kernel."
    assert more == 8 * 16, f"The shortcut costs 8 · 16 weights, no bias, nothing else; yours costs {more}."
    values = [np.full(some.shape, some.shape == (1, 1, 8, 16), "float32") for some in wider.get_weights()]
    wider.set_weights(values)  # F at 0, the shortcut adds up the channels
    summed = given[..., :8].sum(axis=3, keepdims=True)
    assert np.allclose(wider.predict(given[..., :8], verbose=0), summed, atol=1e-5), "No ReLU in the shortcut."


# %% tags=["wrong"]
# hint: nothing comes out
def residual(x, width):
    x = picture_networks.plain(x, width)
    return layers.Add()([x, x])


# %% tags=["wrong"]
# hint: by a 1×1 kernel
def residual(x, width):
    return layers.Add()([picture_networks.plain(x, width), x])


# %% tags=["wrong"]
# hint: no ReLU after the sum
def residual(x, width):
    shortcut = x if x.shape[-1] == width else layers.Conv2D(width, 1, use_bias=False)(x)
    return layers.ReLU()(layers.Add()([picture_networks.plain(x, width), shortcut]))


# %% tags=["wrong"]
# hint: not set beside it
def residual(x, width):
    return layers.Concatenate()([picture_networks.plain(x, width), x])


# %% tags=["wrong"]
# hint: no convolution in the shortcut
def residual(x, width):
    return layers.Add()([picture_networks.plain(x, width), layers.Conv2D(width, 1, use_bias=False)(x)])


# %% [markdown]
# Now build four networks of equal size, each from six units of its kind, with the number of channels such that all
# have about 175,000 parameters. Besides parameters count products: a kernel is used once for each pixel of its map.
#
# Which one wins? Each was trained from three seeds for eight epochs on 10,000 pictures, with Adam and a rate of 0.003
# that rises and falls, and asked about 5,000 validation pictures. That takes long, so the results are stored (`python
# notebooks/train_cifar10.py comparisons`).


# %%
# NBVAL_CHECK_OUTPUT
residual = tasks.solved(residual, otherwise=picture_networks.residual, task="Task 1")


def n_products(model):
    """Products of numbers that the convolutions form for one picture of 32×32 pixels."""
    model(np.zeros((1, 32, 32, 3), "float32"))
    used = [layer for layer in model.layers if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D))]
    maps = keras.Model(model.input, [layer.output for layer in used])(np.zeros((1, 32, 32, 3), "float32"))
    return sum(int(np.prod(layer.kernel.shape) * np.prod(some.shape[1:3])) for layer, some in zip(used, maps))


units = {"plain": (picture_networks.plain, 16), "residual": (residual, 16)}
units |= {"inception": (picture_networks.inception, 40), "separable": (picture_networks.separable, 44)}
products = {}
for name, (unit, width) in units.items():
    model = picture_networks.unit_network(unit, width)
    products[name] = n_products(model) / 1e6
    print(f"{name:9s} width {width}: {n_trainable(model):,} parameters, {products[name]:.1f} million products")

# %%
comparisons = datasets.data_file("cifar10_comparisons.h5")
table = datasets.load(comparisons)  # one row a training
recipes = datasets.attributes(comparisons)["recipes"]
reached = {name: 100 * table["accuracy"][table["recipe"] == number] for number, name in enumerate(recipes)}
variances = [np.var(values, ddof=1) for name, values in reached.items() if name != "constant rate"]
seed_spread = np.sqrt(np.mean(variances))  # of all recipes together: three seeds each are too few
figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
for row, name in enumerate(units):
    values = reached[name]
    axes.plot(values, np.full(len(values), row), "o", color="#56b4e9", markersize=4)
    axes.errorbar(values.mean(), row, xerr=seed_spread / 3**0.5, fmt="s", color="#0072b2", capsize=4)
    axes.annotate(f"{values.mean():.1f}", (1.01, row), xycoords=("axes fraction", "data"), va="center")
axes.set_yticks(range(len(units)), [f"{name}, {products[name]:.1f} million products" for name in units])
axes.set(xlabel="accuracy on validation pictures [%]", title="175,000 parameters", ylim=(3.5, -0.5))
plt.show()
print(f"spread over seeds, all recipes together: {seed_spread:.2f} points")

# %% [markdown]
# Dots: single trainings; squares: the mean of three, with its error from the spread over seeds of all stored recipes
# together. Parameters that a unit saves were spent on channels, so all four also form nearly as many products.
#
# The way past the convolutions is worth three points: compare plain and residual, which differ in nothing else.
# Inception has no such way, and comes as far with its windows of several sizes. Separable has one, and nearly three
# times as many channels as the residual unit for the same parameters: that gains almost four points more. It costs
# time all the same: libraries are slow at windows for single channels, so its trainings took the longest of the four
# beside inception's.
#
# ## More pictures from those you have
#
# What follows are the ideas of the fast recipe, one at a time. The first costs next to nothing: a mirrored cat is a
# cat, and so is one that sits two pixels further left. [`augmentation`](../showertools/augmentation.py) does this to
# whole batches: `mirrored` flips half of the pictures, `shifted` moves each by up to two pixels in both directions,
# the edge filled with its reflection. No loop runs over pictures: an epoch of 50,000 takes 0.7 s of one core, where
# layers of Keras in `tf.data` take 2.6 s (`python benchmarks/cifar10.py`). The batch is standardised last, so that
# 50,000 pictures wait in memory as numbers of 8 bits.
#
# The second saves time: the work of a convolution goes with the number of pixels. The first four of nine epochs are
# content with parts of 24×24 pixels (`cropped`), a bit more than half the work; on slower processors the first two of
# them with parts of 20×20. The network below takes pictures of any size, because it ends with the maximum of each
# map.


# %%
def whole(batch, rng):
    """Pictures (B, 32, 32, 3) of 0 to 255, shifted and mirrored at random, standardised."""
    return standardised(mirrored(shifted(batch, rng, largest=2), rng))


def pieces(size):
    """An augmentation: parts (B, size, size, 3) of pictures, mirrored at random, standardised."""
    return lambda batch, rng: standardised(mirrored(cropped(batch, rng, size), rng))


rng = np.random.default_rng(1)
versions = np.repeat(pictures[:1], 8, axis=0)
shown = np.zeros((16, 32, 32, 3))
shown[:8], shown[8:, 4:28, 4:28] = whole(versions, rng), pieces(24)(versions, rng)
picture_plots.pictures(np.clip((shown * spread + mean) / 255, 0, 1), columns=8, size=1.1)
plt.show()

# %% [markdown]
# One picture, eight times whole and eight times in parts. You might also show several **copies** of a picture in a
# batch: instead of 1,000 different ones, 500 in two versions each (`AugmentedBatches(..., copies=2)`). Fewer pictures
# have to be read, which pays where reading is slow. But the gradient is then the mean over 500 independent pictures.
# At the same number of steps, would you expect a gain?
#
# ## Up, then down
#
# ### Task 2: the triangle
#
# A training that may only take a few hundred steps has none to waste. The learning rate rises in a straight line,
# because large steps along the first gradients do harm; then it falls in a straight line nearly to 0, because the
# noise of the batches keeps the weights from settling while the rate is large.
#
# Write `triangle(step, peak, steps, rise, start, end)`. It begins at step 0 with `start` times the peak, is at the
# peak after `rise` times `steps`, and at step `steps` has come down to `end` times the peak. `step` is a number or an
# array of numbers.


# %%
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    """Learning rate at a step: up in a straight line, down in another."""
    ### BEGIN SOLUTION
    done = np.asarray(step) / steps
    up = start + (1 - start) * done / rise
    down = 1 - (1 - end) * (done - rise) / (1 - rise)
    return peak * np.minimum(up, down)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    answers = [np.ravel(triangle(step, 2.0, 100))[0] for step in (0, 10, 20, 60, 100)]
    assert not np.isclose(answers[0], 0), "At step 0 the rate is `start` times the peak, not 0."
    assert not np.isclose(answers[0], 0.2), "`start` is a share of the peak: with a peak of 2 it begins at 0.4."
    assert answers[0] < 2, "It begins above the peak: of the two lines, take the lower one."
    assert answers[2] < 2.01, "After 20 of 100 steps it is above the peak: of the two lines, take the lower one."
    assert np.isclose(answers[0], 0.4), "At step 0 the rate is `start` times the peak: 0.4 for a peak of 2."
    assert not (np.isclose(triangle(50, 2.0, 100), 2) and answers[2] < 2), "The peak comes after `rise` of the steps."
    assert np.isclose(answers[2], 2), "After a share `rise` of the steps, 20 of 100, the rate is at its peak."
    assert not np.isclose(answers[4], 0), "At the last step `end` times the peak is left, not 0."
    assert not np.isclose(answers[4], 0.02), "`end` is a share of the peak: a peak of 2 comes down to 0.04."
    assert np.isclose(answers[4], 0.04), "At the last step `end` times the peak is left: 0.04 for a peak of 2."
    assert np.isclose(answers[1], 1.2), "Half way up it should be half way between 0.4 and 2: a straight line."
    assert np.isclose(answers[3], 1.02), "Half way down it should be half way between 2 and 0.04: a straight line."
    assert np.isclose(triangle(40, 2.0, 100), 1.51), "A quarter of the way down it should be 1.51: a straight line."
    assert np.isclose(triangle(50, 1.0, 100, rise=0.5, start=0, end=0), 1), "Does your peak move with `rise`?"
    assert np.isclose(triangle(0, 1.0, 100, start=0.5), 0.5), "With start=0.5 it begins at half the peak: is it fixed?"
    assert np.isclose(triangle(100, 1.0, 100, end=0.1), 0.1), "With end=0.1 a tenth of the peak is left: is it fixed?"
    assert np.ndim(triangle(50, 1.0, 100)) == 0, "For one step return one number."
    try:
        several = np.shape(triangle(np.arange(7), 1.0, 10))
    except ValueError:  # an array is neither true nor false
        several = None
    assert several == (7,), "It should take arrays of steps: np.minimum or np.where in place of `if` or min."


# %% tags=["wrong"]
# hint: not 0
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    done = np.asarray(step) / steps
    return peak * np.minimum(done / rise, 1 - (1 - end) * (done - rise) / (1 - rise))


# %% tags=["wrong"]
# hint: take the lower one
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    done = np.asarray(step) / steps
    return peak * np.maximum(start + (1 - start) * done / rise, 1 - (1 - end) * (done - rise) / (1 - rise))


# %% tags=["wrong"]
# hint: share of the peak
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    return np.interp(step, [0, rise * steps, steps], [start, peak, end])


# %% tags=["wrong"]
# hint: The peak comes after `rise`
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    return np.interp(step, [0, steps / 2, steps], [start * peak, peak, end * peak])


# %% tags=["wrong"]
# hint: It should take arrays
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    done = step / steps
    if done < rise:
        return peak * (start + (1 - start) * done / rise)
    return peak * (1 - (1 - end) * (done - rise) / (1 - rise))


# %% tags=["wrong"]
# hint: Half way down
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    done = np.asarray(step) / steps
    up = start + (1 - start) * done / rise
    return peak * np.where(done <= rise, up, end ** ((done - rise) / (1 - rise)))


# %% tags=["wrong"]
# hint: A quarter of the way down
def triangle(step, peak, steps, rise=0.2, start=0.2, end=0.02):
    done = np.asarray(step) / steps
    down = end + (1 - end) * 0.5 * (1 + np.cos(np.pi * (done - rise) / (1 - rise)))
    return peak * np.where(done < rise, start + (1 - start) * done / rise, down)


# %% tags=["expected"]
by_keras = lambda step, peak, steps, **others: np.array(fast_training.Triangle(peak, steps, **others)(step))
triangle = tasks.solved(triangle, otherwise=by_keras, task="Task 2")
steps = np.arange(450)
restarts = keras.optimizers.schedules.CosineDecayRestarts(0.24, 65, t_mul=2.0)
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(steps, triangle(steps, 0.24, 450), color="#0072b2", label="triangle")
axes.plot(steps, [float(restarts(step)) for step in steps], "--", color="#d55e00", label="cosine with restarts")
axes.set(xlabel="step", ylabel="learning rate", ylim=(0, 0.32))
axes.legend(loc="upper right", ncols=2)
plt.show()

# %% [markdown]
# Nine epochs of 50 batches. The cosine with restarts ([lesson 13](13_optimization.ipynb)) spends its steps on three
# falls, of which only the last counts in the end. (The training below takes
# [`fast_training.Triangle`](../showertools/fast_training.py), the same function as a schedule of Keras.)
#
# ## A first layer that need not be learned
#
# Neighbouring pixels are nearly equal. Of the 12 numbers in a window of 2×2 pixels and three colours, most of the
# variance lies in one direction, the common brightness; gradient descent in such coordinates crawls along a ravine.
# Lesson 13 whitened the 42 numbers of a shower. Here the windows are whitened, and as each window is treated in the
# same way, this *is* a convolution. Its filters are computed from some thousand pictures and stay as they are. A ReLU
# follows, which would cut off one half of each signal; so each filter also comes with its negative.
#
# ### Task 3: filters that whiten
#
# Write `whitening_filters(pictures, smallest)` for standardised pictures (n, H, W, 3).
#
# 1. Get all windows with `sliding_window_view(pictures, (2, 2), axis=(1, 2))`: shape (n, H − 1, W − 1, 3, 2, 2).
# 2. Write each as a row of 12 numbers, in the order of a Keras kernel: row, column, colour.
# 3. Of their covariance (12, 12), `np.cov(rows, rowvar=False)`, take the eigenvectors (`np.linalg.eigh`: the
#    columns), each divided by $\sqrt{\text{eigenvalue} + \texttt{smallest}}$, which keeps noise from being blown up.
# 4. Order them from the largest eigenvalue to the smallest, append the negatives, return a kernel (2, 2, 3, 24).


# %%
def whitening_filters(pictures, smallest=5e-4):
    """Kernel (2, 2, 3, 24) whose first 12 outputs are uncorrelated, with variance 1; then their negatives."""
    ### BEGIN SOLUTION
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))  # (n, H - 1, W - 1, 3, 2, 2)
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction / np.sqrt(variance + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    smooth = np.random.default_rng(0).normal(size=(20, 8, 8, 3)).cumsum(axis=1).cumsum(axis=2)  # neighbours are alike
    try:
        answer = np.asarray(whitening_filters(smooth, 0.0))
    except ValueError:  # a covariance of another shape
        answer = None
    assert answer is not None, "The shapes do not fit: is the covariance (12, 12)? `np.cov` needs rowvar=False."
    assert answer.shape == (2, 2, 3, 24), "Return a kernel (2, 2, 3, 24): 12 filters, then their negatives."
    assert np.allclose(answer[..., 12:], -answer[..., :12]), "The last 12 filters should be the first 12 times -1."

    def covariance_of(kernel, order=(0, 1, 2, 4, 5, 3)):
        rows = sliding_window_view(smooth, (2, 2), axis=(1, 2)).transpose(order).reshape(-1, 12)
        return np.cov(rows @ kernel[..., :12].reshape(12, 12), rowvar=False)

    assert not np.allclose(covariance_of(answer, range(6)), np.eye(12), atol=0.1), "Rows ordered colour, row, column."
    found = covariance_of(answer)
    off = np.abs(found - np.diag(np.diag(found))).max()
    assert off < 0.1 * found.max(), "Outputs are still correlated: take *columns*, each divided by its own root."
    assert np.allclose(np.diag(found), 1, atol=0.1), "The variances are not 1: divide by the root of the eigenvalue."
    columns = answer.reshape(12, 24)[:, :12]
    between = columns.T @ columns
    off = np.abs(between - np.diag(np.diag(between))).max()
    assert off < 1e-3 * between.max(), "White, but not along the eigenvectors: do not turn back with direction.T."
    lengths = np.linalg.norm(columns, axis=0)  # one over the root of the eigenvalue
    assert np.all(np.diff(lengths) > 0), "`eigh` begins with the smallest eigenvalue: turn the order round."
    flat = np.random.default_rng(1).normal(size=(50, 1, 1, 3)) * np.ones((50, 4, 4, 3))  # no contrast in a picture
    longest = np.linalg.norm(np.asarray(whitening_filters(flat, 0.25)).reshape(12, 24), axis=0).max()
    assert not np.isclose(longest, 4, rtol=1e-2), "Add `smallest` to the eigenvalue, under the root."
    softer = np.linalg.norm(np.asarray(whitening_filters(smooth, 0.25)).reshape(12, 24)[:, :12], axis=0)
    assert np.allclose(softer**-2.0, lengths**-2.0 + 0.25, rtol=1e-3), "Add `smallest`, do not take the larger one."


# %% tags=["wrong"]
# hint: ordered colour, row, column
def whitening_filters(pictures, smallest=5e-4):
    patches = sliding_window_view(pictures, (2, 2), axis=(1, 2)).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction / np.sqrt(variance + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["wrong"]
# hint: still correlated
def whitening_filters(pictures, smallest=5e-4):
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction.T / np.sqrt(variance + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["wrong"]
# hint: divide by the root of the eigenvalue
def whitening_filters(pictures, smallest=5e-4):
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction / (variance + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["wrong"]
# hint: needs rowvar=False
def whitening_filters(pictures, smallest=5e-4):
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches))
    filters = (direction / np.sqrt(np.abs(variance) + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["wrong"]
# hint: under the root
def whitening_filters(pictures, smallest=5e-4):
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction / (np.sqrt(np.abs(variance)) + smallest))[:, ::-1].reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["wrong"]
# hint: turn the order round
def whitening_filters(pictures, smallest=5e-4):
    windows = sliding_window_view(pictures, (2, 2), axis=(1, 2))
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (direction / np.sqrt(variance + smallest)).reshape(2, 2, 3, 12)
    return np.concatenate([filters, -filters], axis=-1)


# %% tags=["expected"]
def by_module(pictures, smallest=5e-4):
    return fast_training.whitening_filters(pictures, 2, smallest)


whitening_filters = tasks.solved(whitening_filters, otherwise=by_module, task="Task 3")
filters = whitening_filters(sample[:2_000])
variance = 1 / np.square(filters.reshape(12, 24)).sum(axis=0) - 5e-4
titles = [*(f"σ = {value:.2f}" for value in np.sqrt(np.abs(variance[:12]))), *12 * [""]]
picture_plots.pictures(picture_plots.filters(filters), titles=titles, columns=12, size=0.85)
plt.show()

# %%
patches = sliding_window_view(sample[:500], (2, 2), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3).reshape(-1, 12)
figure, panels = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
named = (("12 numbers of a window", patches), ("12 filters", patches @ filters[..., :12].reshape(12, 12)))
for panel, (name, numbers) in zip(panels, named):
    image = panel.imshow(np.cov(numbers, rowvar=False), cmap="coolwarm", vmin=-1.3, vmax=1.3)
    panel.set(title=name, xlabel="number", ylabel="number")
figure.colorbar(image, ax=panels, label="covariance")
plt.show()

# %% [markdown]
# Twelve filters and their negatives, σ the standard deviation of the photographs along each: brightness and colour of
# the whole window, edges, and last edges of colour and checkerboards, which are mostly noise. Below, the covariance
# of the windows is red everywhere: all twelve numbers are correlated. Behind the filters it is 0 beside the diagonal,
# and 1 on it as far as the variance is much larger than `smallest`.
#
# ## Do not be too sure
#
# A picture that the network names right with 99 % still pulls at the weights: cross-entropy rewards 99.9 % even more.
# **Label smoothing** sets a goal that can be reached. The target is no longer 1 for the true class and 0 for the
# others, but $1 - \varepsilon + \varepsilon/10$ and $\varepsilon/10$; with $\varepsilon = 0.2$ that is 0.82 and 0.02.
# Let $p$ be the probability of the true class, and let the others share the rest equally. Guess: which $p$ is best
# now, and is the loss 0 there?

# %%
# NBVAL_CHECK_OUTPUT
loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
for p in (0.5, 0.82, 0.99, 0.999):
    by_formula = -0.82 * np.log(p) - 0.18 * np.log((1 - p) / 9)
    ask_keras = float(loss(np.eye(10)[:1], np.log([[p, *9 * [(1 - p) / 9]]])))
    print(f"p = {p}: smoothed {by_formula:.3f} (Keras {ask_keras:.3f}), not smoothed {-np.log(p):.3f}")

# %% [markdown]
# The best $p$ is 0.82, with a loss of 0.867, the entropy of the target; who is surer pays. The price: the network's
# certainty is no longer a probability. Rescale it as in [lesson 21](21_cifar10_dense.ipynb) before you cut on it.
#
# ## Steps of equal strength in all directions
#
# The kernel of a convolution is a matrix, from the $9\,C$ numbers of a window to the channels of the next layer. So
# is its gradient. Its singular values tell how strong a step would be in which direction, and usually a few of them
# are much larger than the rest: what many pictures have in common shouts down what few of them tell. The optimizer
# **Muon** takes the momentum of lesson 13 and makes all singular values nearly equal before each step. From
# $M = U S V^T$ it wants $U V^T$.
#
# A singular value decomposition in each step would be slow. Products of matrices are fast, and $M M^T M = U S^3 V^T$:
# odd powers act on the singular values and leave $U$ and $V$ alone. So a polynomial will do,
#
# $$X \leftarrow 3.4445\,X - 4.7750\,X X^T X + 2.0315\,X X^T X X^T X ,$$
#
# if it lifts small values $s$ in $0 < s \le 1$ and keeps large ones near 1.
#
# ### Task 4: orthogonalise
#
# Write `orthogonalise(matrix, iterations)`. First divide the matrix by the root of the sum of its squares, so that no
# singular value is above 1; a matrix of zeros should stay one, so add $10^{-7}$ to the root. Then apply the
# polynomial `iterations` times. Return the shape you got.


# %%
def orthogonalise(matrix, iterations=3):
    """Matrix (m, n) with the same singular vectors, and singular values near 1."""
    ### BEGIN SOLUTION
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = 3.4445 * x - 4.7750 * square @ x + 2.0315 * square @ square @ x
    return x
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):

    def polynomial(s):
        return 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5

    once, two = orthogonalise(np.diag([3.0, 4.0]), iterations=1), np.array([0.6, 0.8])
    assert np.shape(once) == (2, 2), "Return a matrix of the shape you got."
    raw, largest = np.diag(polynomial(5 * two)), np.diag(polynomial(two / 0.8))
    assert not np.allclose(once, raw), "Divide by the norm first: the polynomial is made for values below 1."
    assert not np.allclose(once, largest, atol=1e-5), (
        "You divided by the largest number or singular value, which takes a decomposition. Take the root of the "
        "sum of squares."
    )
    third = polynomial(polynomial(polynomial(two)))
    assert not np.allclose(once, np.diag(third), atol=1e-5), "Three times, but one was asked for: use `iterations`."
    assert np.allclose(np.diag(once), polynomial(two), atol=1e-5), "diag(3, 4) has the norm 5: p(0.6) and p(0.8)."
    twice = np.diag(orthogonalise(np.diag([3.0, 4.0]), iterations=2))
    assert np.any(twice != np.diag(once)), "Two iterations are as one: apply the polynomial `iterations` times."
    assert np.allclose(twice, polynomial(polynomial(two)), atol=1e-5), "Divide only once, before the first iteration."
    left, _, right = np.linalg.svd(np.random.default_rng(1).normal(size=(6, 6)))
    inside = left.T @ orthogonalise((left * np.geomspace(1, 0.05, 6)) @ right) @ right.T
    assert np.allclose(inside, np.diag(np.diag(inside)), atol=1e-4), (
        "The singular vectors changed. `**` works number by number; X Xᵀ X is a product of matrices, X @ X.T @ X."
    )
    assert np.shape(orthogonalise(np.ones((5, 2)))) == (5, 2), "A tall matrix should stay tall."
    given = np.diag([3.0, 4.0])
    orthogonalise(given)
    assert given[1, 1] == 4, "Your function changes the matrix that it gets: `x = matrix / …`, not `matrix /= …`."
    assert np.all(orthogonalise(np.zeros((2, 3))) == 0), "A matrix of zeros should stay one: add 1e-7 to the root."


# %% tags=["wrong"]
# hint: made for values below 1
def orthogonalise(matrix, iterations=3):
    x = matrix
    for _ in range(iterations):
        x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
    return x


# %% tags=["wrong"]
# hint: works number by number
def orthogonalise(matrix, iterations=3):
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    for _ in range(iterations):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return x


# %% tags=["wrong"]
# hint: divide only once
def orthogonalise(matrix, iterations=3):
    x = matrix
    for _ in range(iterations):
        x = x / (np.linalg.norm(x) + 1e-7)
        x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
    return x


# %% tags=["wrong"]
# hint: which takes a decomposition
def orthogonalise(matrix, iterations=3):
    x = matrix / (np.linalg.norm(matrix, 2) + 1e-7)
    for _ in range(iterations):
        x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
    return x


# %% tags=["wrong"]
# hint: apply the polynomial `iterations` times
def orthogonalise(matrix, iterations=3):
    x = matrix / (np.linalg.norm(matrix) + 1e-7)
    return 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x


# %%
by_tensors = lambda matrix, iterations=3: np.array(optimizers.orthogonalized(np.float32(matrix), iterations=iterations))
orthogonalise = tasks.solved(orthogonalise, otherwise=by_tensors, task="Task 4")
keras.utils.set_random_seed(1)
model = fast_training.network(sample)
model.compile(optimizers.Muon(0.1), loss)
n_first = profile.pick(full=2_500, quick=500)
model.fit(AugmentedBatches(pictures[:n_first], targets[:n_first], whole, batch_size=250, seed=1), verbose=0)
place = [variable.shape for variable in model.trainable_variables].index((3, 3, 64, 128))
momentum = keras.ops.convert_to_numpy(model.optimizer.momentums[place]).reshape(-1, 128)  # (576, 128)

# %% tags=["expected"]
results = {"before": momentum / np.linalg.norm(momentum)}
results |= {f"{number} iterations": orthogonalise(momentum, number) for number in (1, 3, 5)}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for (name, result), color, style in zip(results.items(), plotting.CLASS_COLORS, (":", "-.", "-", "--")):
    axes.plot(np.arange(1, 129), np.linalg.svd(result, compute_uv=False), style, color=color, label=name)
axes.set(yscale="log", xlabel="number of the singular value", ylabel="singular value of the momentum")
axes.legend(ncols=2)
plt.show()

# %% [markdown]
# A real momentum: that of the kernel from 64 to 128 channels, after the first ten steps of a training. Before, the
# largest singular value is thirty times the smallest; after three iterations, a little over twice. They are not
# equal, and need not be: a rough answer costs a few products of matrices.
#
# [`optimizers.Muon`](../showertools/optimizers.py) is twenty lines around your function. The length of a step is a
# share of the kernel's own length, which stays as it is: before a batch normalisation only the direction of a kernel
# counts. Weights that are no kernels follow SGD with momentum. And where do kernels begin? Each layer should at first
# hand on what it gets, as a residual unit does, but without a second path: `KeepChannels` lets the first filters of a
# convolution copy one channel each; the others are random.
#
# ## Sixteen bits
#
# A network does not need eight digits. **bfloat16** keeps the exponent of a float32, so its range, and 8 bits of the
# mantissa, so two to three digits. Processors with instructions for it multiply such numbers several times as fast;
# on others they are emulated, and slow. [`precision.fastest_policy`](../showertools/precision.py) looks which of the
# two you have. Guess what becomes of 1.003.

# %%
# NBVAL_CHECK_OUTPUT
for number in (1.003, 1.005, 0.001, 70_000.0):
    brain, half = (keras.ops.cast(keras.ops.cast(number, kind), "float32") for kind in ("bfloat16", "float16"))
    print(f"{number:g}: bfloat16 {float(brain):.7g}, float16 {float(half):.7g}")

# %% [markdown]
# Next to 1 the steps are 1/128 wide: 1.003 is 1. A weight of 1 would not notice a step of 0.003. So under Keras'
# policy `mixed_bfloat16` the weights stay in 32 bits, and so do means over a batch; a layer computes with rounded
# copies, and hands on rounded maps. (float16 has more digits, but ends at 65,504; losses have to be scaled to survive
# in it.)
#
# ## Each idea switched off once
#
# What is each idea worth? Take a network with half the channels, 10,000 pictures and eight epochs, all on whole
# pictures, and switch off one idea at a time; or exchange the schedule; or show copies; or put small pictures first.
# Each change was trained from three seeds with the same number of steps (with small pictures first, with the same
# amount of work). "SGD in place of Muon" has Nesterov's momentum (a variant of that of lesson 13), weight decay, and
# the best of five rates. Rank them before you look.

# %%
changes = [name for name in recipes if name not in ("everything", *units)]
everything = reached["everything"]
error = seed_spread * np.sqrt(2 / 3)  # of a difference between two means of three
figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
for row, name in enumerate(changes):
    values = reached[name] - everything.mean()
    axes.plot(values, np.full(len(values), row), "o", color="#56b4e9", markersize=4)
    axes.errorbar(values.mean(), row, xerr=error, fmt="s", color="#0072b2", capsize=4)
    axes.annotate(f"{values.mean():+.1f}", (1.01, row), xycoords=("axes fraction", "data"), va="center")
axes.axvline(0, color="k", linewidth=0.8)
axes.set_yticks(range(len(changes)), changes)
axes.set(xlabel=f"points of accuracy, difference to {everything.mean():.1f} % with everything")
axes.set_xscale("symlog", linthresh=2)
axes.set_xticks([-50, -20, -5, -2, -1, 0, 1, 2], ["−50", "−20", "−5", "−2", "−1", "0", "1", "2"])
axes.invert_yaxis()
plt.show()

# %% [markdown]
# Dots are single trainings; squares are means of three, with the error of a difference of two such means. The axis is
# linear between −2 and 2 points. (The differences are not paired: another network begins with other weights, whatever
# the seed. All were asked about the same 5,000 pictures, so most of their binomial error, 0.6 points each, drops out
# of the differences.)
#
# Kept constant at its peak, the rate ruins the training: so high a rate is only good if it falls. (A lower constant
# rate would do better; it was not looked for.) Muon, the triangle in place of restarts, and different pictures in
# place of copies gain a point or more. None of the others, the whitened first layer and the kernels that copy among
# them, differs from 0 by two of its errors. At this size, in so few epochs, the pictures are not yet learned by
# heart, and remedies against overtraining have little to remedy. You would not have found that out from one training
# each.
#
# ## The recipe
#
# Here is all of it. The network whitens; three blocks of two convolutions follow, with 64, 128 and 128 channels, each
# block with a max pooling behind its first convolution, so that most of the work is done on small maps. In the end
# each channel is asked for its maximum over the picture, and a matrix turns these 128 numbers into logits.


# %%
def build(widths=(64, 128, 128), depth=2):
    """The network, with its first layer computed from 5,000 training pictures."""
    return fast_training.network(sample, widths=widths, depth=depth)


def train_network(model, stages, some=pictures, some_targets=targets, *, seed, batch_size):
    """Train in stages (augmentation, epochs); return accuracy in training, and seconds since the start, by epoch."""
    n_epochs = sum(epochs for _, epochs in stages)
    rate = fast_training.Triangle(0.24, n_epochs * (len(some) // batch_size))
    model.compile(optimizers.Muon(rate), loss, metrics=["accuracy"], steps_per_execution=5)
    start, seconds, known_right = time.perf_counter(), [], []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seconds.append(time.perf_counter() - start))
    for number, (augment, epochs) in enumerate(stages):
        data = AugmentedBatches(some, some_targets, augment, batch_size=batch_size, seed=seed + 100 * number)
        known_right += model.fit(data, epochs=epochs, verbose=0, callbacks=[clock]).history["accuracy"]
    return known_right, seconds


# %%
keras.mixed_precision.set_dtype_policy(precision.fastest_policy())
stages = [(pieces(24), 4), (whole, 5)]
if precision.fastest_policy() == "float32":  # slower: be content with less at first
    stages = [(pieces(20), 2), (pieces(24), 2), (whole, 6)]
stages, batch_size = profile.pick(full=(stages, 1000), quick=([(pieces(24), 1), (whole, 1)], 100))
keras.utils.set_random_seed(1)
own = build()
known_right, seconds = train_network(own, stages, seed=1, batch_size=batch_size)
print(f"{n_trainable(own):,} parameters, {n_products(own) / 1e6:.0f} million products a picture")
print(f"{seconds[-1]:.0f} s for {len(seconds)} epochs with {keras.mixed_precision.dtype_policy().name}")

# %%
earlier = {"dense network, lesson 21": 0.56, "convolutional network, lesson 22": 0.75}
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.plot(seconds, known_right, "o-", color="#0072b2", label="accuracy in training, mean of an epoch")
axes.axvspan(0, seconds[-1 - stages[-1][1]], color="#56b4e9", alpha=0.2, label="parts of pictures")
for (name, value), style in zip(earlier.items(), (":", "--")):
    axes.axhline(value, color="#d55e00", linestyle=style, label=f"{name}, in the end")
axes.set(xlabel="time [s]", ylabel="accuracy", xlim=0, ylim=(0, 1))
axes.legend(loc="lower right", fontsize="small")
plt.show()

# %% [markdown]
# After six of nine epochs it has overtaken all that you have trained so far. (This is the accuracy on pictures of the
# running epoch, changed at random; how good the network is, only the test will tell.) The last epochs, with a rate
# that falls to nothing, bring as much as you see in the curve and more: here the weights settle.
#
# ## Look twice
#
# ### Task 5: the mean over views
#
# You trained the network to say the same about a picture and its mirror image, but it does not quite do so. Then ask
# it about both, and about pictures shifted by a pixel, and average. Six **views**: the picture where it is, with a
# weight of 1/2; shifted by one pixel down *and* right, 1/4; shifted by one pixel up and left, 1/4; and each of the
# three shares its weight equally with its mirror image, left and right exchanged. What moves in at an edge is the
# picture reflected there, as in `shifted` (`np.pad` with `mode="reflect"`).
#
# Write `mean_over_views(model, pictures)`. Ask with `model.predict(view, batch_size=1000, verbose=0)`; return the
# weighted mean of the logits, (n, K).


# %%
def mean_over_views(model, pictures):
    """Mean logits (n, K) over six views of each picture (n, H, W, C)."""
    ### BEGIN SOLUTION
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    height, width = pictures.shape[1:3]
    total = 0
    for first, weight in ((1, 1 / 2), (0, 1 / 4), (2, 1 / 4)):
        view = padded[:, first : first + height, first : first + width]
        for seen in (view, view[:, :, ::-1]):
            total = total + weight / 2 * model.predict(seen, batch_size=1000, verbose=0)
    return total
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):

    class Echo:
        """A model that says what it sees, so that the mean over views is a picture itself."""

        def predict(self, pictures, **_):
            return np.asarray(pictures, "float64").reshape(len(pictures), -1)

    ones = np.asarray(mean_over_views(Echo(), np.ones((2, 7, 7, 1))))
    assert ones.shape == (2, 49), "Return one row of the model's answers for each picture, (n, K)."
    middle = ones[0, 24]  # far from the edges
    assert not np.isclose(middle, 1 / 49), "Average the logits as they come; no softmax here."
    assert np.isclose(middle, 1), f"The weights of the views should add up to 1, not to {middle:.3g}."
    assert np.allclose(ones, 1), "Darker at the edges: fill them with the reflected picture, not zeros: mode='reflect'."
    point = np.zeros((1, 7, 7, 1))
    point[0, 1, 3] = 1
    seen = np.asarray(mean_over_views(Echo(), point)).reshape(7, 7)
    assert np.allclose(seen[4:], 0), "A point near the top is seen near the bottom: mirror left and right, the axis W."
    aside = np.zeros((1, 7, 9, 1))
    aside[0, 3, 2] = 1
    apart = np.asarray(mean_over_views(Echo(), aside)).reshape(7, 9)
    assert not (apart[4, 3] > 0 and apart[4, 7] > 0), "You mirror first, then shift: shift, then mirror the result."
    assert not (apart[4, 1] > 0 and apart[2, 3] > 0), "The other diagonal: down goes with right, up with left."
    assert np.allclose(seen, seen[:, ::-1]), "A view and its mirror image count the same: one of them is missing."
    assert np.isclose(seen[1, 3], 1 / 2), f"The picture where it is should weigh 1/2 in all, not {seen[1, 3]:.3g}."
    assert np.allclose([seen[1, 2], seen[2, 3]], 0), "Shift down and right at once, not one after the other."
    assert seen[2, 4] > 0, "A point should also be seen one pixel down and right: shift both ways."
    assert np.isclose(seen[2, 4], 1 / 8), f"Each of the four shifted views should weigh 1/8, not {seen[2, 4]:.3g}."
    assert np.isclose(seen[0, 4], 1 / 4), "Reflect at the edge, without repeating the outermost row: mode='reflect'."


# %% tags=["wrong"]
# hint: one of them is missing
def mean_over_views(model, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = ((padded[:, 1:-1, 1:-1], 1 / 2), (padded[:, :-2, :-2], 3 / 8), (padded[:, 2:, 2:], 1 / 8))
    return sum(weight * model.predict(view, batch_size=1000, verbose=0) for view, weight in views)


# %% tags=["wrong"]
# hint: the axis W
def mean_over_views(model, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = ((padded[:, 1:-1, 1:-1], 1 / 2), (padded[:, :-2, :-2], 1 / 4), (padded[:, 2:, 2:], 1 / 4))
    ask = [(seen, weight / 2) for view, weight in views for seen in (view, view[:, ::-1])]
    return sum(weight * model.predict(seen, batch_size=1000, verbose=0) for seen, weight in ask)


# %% tags=["wrong"]
# hint: mode='reflect'
def mean_over_views(model, pictures):
    total = 0
    for shift, weight in ((0, 1 / 2), (1, 1 / 4), (-1, 1 / 4)):
        view = np.roll(pictures, (shift, shift), axis=(1, 2))
        for seen in (view, view[:, :, ::-1]):
            total = total + weight / 2 * model.predict(seen, batch_size=1000, verbose=0)
    return total


# %% tags=["wrong"]
# hint: should weigh 1/2 in all
def mean_over_views(model, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = (padded[:, 1:-1, 1:-1], padded[:, :-2, :-2], padded[:, 2:, 2:])
    ask = [seen for view in views for seen in (view, view[:, :, ::-1])]
    return np.mean([model.predict(seen, batch_size=1000, verbose=0) for seen in ask], axis=0)


# %% tags=["wrong"]
# hint: should add up to 1
def mean_over_views(model, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    views = ((padded[:, 1:-1, 1:-1], 1 / 2), (padded[:, :-2, :-2], 1 / 4), (padded[:, 2:, 2:], 1 / 4))
    ask = [(seen, weight) for view, weight in views for seen in (view, view[:, :, ::-1])]
    return sum(weight * model.predict(seen, batch_size=1000, verbose=0) for seen, weight in ask)


# %% tags=["wrong"]
# hint: Darker at the edges
def mean_over_views(model, pictures):
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)))
    views = ((padded[:, 1:-1, 1:-1], 1 / 2), (padded[:, :-2, :-2], 1 / 4), (padded[:, 2:, 2:], 1 / 4))
    ask = [(seen, weight / 2) for view, weight in views for seen in (view, view[:, :, ::-1])]
    return sum(weight * model.predict(seen, batch_size=1000, verbose=0) for seen, weight in ask)


# %% [markdown]
# ## Five networks
#
# Train the same recipe from another seed, and you get a network of the same accuracy that errs in part on other
# pictures: other first weights, another order of pictures, other shifts. Where the five disagree, the mean of their
# probabilities sides with the majority, and the sure ones count more. Four networks from seeds 2 to 5 are stored
# (`python notebooks/train_cifar10.py ensemble`); with yours they are five. Three larger ones are stored as well: the
# deep network of the talk (`deep`), trained for 14 epochs with Adam, the triangle, label smoothing and shifted and
# mirrored pictures; this lesson's network with 64, 256 and 256 channels, trained for 18 epochs (`wide`); and the same
# with three convolutions in each block, trained for 40 epochs, with a square of 8×8 pixels covered in each picture
# (`best`).
#
# Nothing is left to choose. Open the test set, once.

# %%
mean_over_views = tasks.solved(mean_over_views, otherwise=fast_training.mean_over_views, task="Task 5")
members = [own, *(build() for _ in range(4))]
talk, wide, best = picture_networks.deep_network(), build((64, 256, 256)), build((64, 256, 256), depth=3)
stored = {"ensemble": members[1:], "deep": talk, "wide": wide, "best": best}
about = {name: weights.load(datasets.data_file(f"cifar10_{name}.h5"), model) for name, model in stored.items()}
for name, told in about.items():
    print(f"{name}: {told['epochs']} epochs, seeds {told['seeds']}, made by `{told['command']}`")


# %%
def ask(model, some):
    """Logits (n, 10)."""
    return model.predict(some, batch_size=1000, verbose=0)


unseen = standardised(test_pictures)
single = np.array([ask(model, unseen) for model in members])  # (5, n, 10)
mirror = np.array([ask(model, unseen[:, :, ::-1]) for model in members])
one_view, two_views = softmax(single, axis=2), softmax((single + mirror) / 2, axis=2)
answers = {
    "the talk's network": softmax(ask(talk, unseen), axis=1),
    "ours": one_view[0],
    "ours, six views": softmax(mean_over_views(own, unseen), axis=1),
    "five of ours": one_view.mean(axis=0),
    "five of ours, two views": two_views.mean(axis=0),
    "wide, six views": softmax(mean_over_views(wide, unseen), axis=1),
    "wide and deeper, six views": softmax(mean_over_views(best, unseen), axis=1),
}
LAST = "these two, six views"
answers[LAST] = (answers["wide, six views"] + answers["wide and deeper, six views"]) / 2
right = {name: answer.argmax(axis=1) == test_labels for name, answer in answers.items()}  # (n,) each

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, views, color, marker in (("one view", one_view, "#0072b2", "o"), ("two views", two_views, "#d55e00", "s")):
    for size in range(1, 6):
        means = [views[list(chosen)].mean(axis=0) for chosen in combinations(range(5), size)]
        values = [100 * np.mean(some.argmax(axis=1) == test_labels) for some in means]
        panels[0].plot(np.full(len(values), size), values, marker, color=color, alpha=0.25, markersize=4)
        panels[0].plot(size, np.mean(values), marker, color=color, label=name if size == 5 else None)
panels[0].set(xlabel="networks", ylabel="accuracy on the test pictures [%]", xticks=range(1, 6))
wrong = one_view.argmax(axis=2) != test_labels  # (5, n)
counted = np.bincount(wrong.sum(axis=0), minlength=6)
independent = n_test * binom.pmf(np.arange(6), 5, wrong.mean())
panels[1].bar(np.arange(6) - 0.2, counted, width=0.4, color="#0072b2", label="counted")
panels[1].bar(np.arange(6) + 0.2, independent, width=0.4, color="#e69f00", label="if errors were independent")
panels[1].set(yscale="log", ylim=(0.5, 2 * n_test), xlabel="networks of the five that err", ylabel="test pictures")
panels[0].legend()
panels[1].legend()
plt.show()

average = (one_view.argmax(axis=2) == test_labels).mean(axis=0)  # (n,) share of the five networks that are right
pairs = {"five networks against one": (right["five of ours"], average)}
pairs["six views against one"] = (right["ours, six views"], right["ours"])
pairs["five networks against six views"] = (right["five of ours"], right["ours, six views"])
for name, (new, old) in pairs.items():
    gain, low, high = metrics.bootstrap(lambda a, b: 100 * np.mean(a - b), *np.float64([new, old]))
    print(f"{name}: {gain:+.2f} points, 68 % interval {low:+.2f} to {high:+.2f}")
logit_mean = np.mean(single.mean(axis=0).argmax(axis=1) == test_labels)
print(f"mean of logits in place of probabilities: {100 * (logit_mean - right['five of ours'].mean()):+.2f} points")

# %% [markdown]
# Left: faint points are all choices of so many networks out of the five, full points their mean. Right: by how many
# of the five each test picture is named wrong. If their errors were independent, next to no picture would be missed
# by all five. But some pictures are hard for everyone, so the gain of an ensemble ends early: the second network
# brings most. (The intervals come from a *paired* bootstrap: test pictures are drawn again, each with both of its
# answers.)
#
# ## Where you stand

# %% tags=["result"]
ladder = {name: (100 * value, None) for name, value in earlier.items()}
for name, some in right.items():
    ladder[name] = 100 * some.mean(), 100 * np.sqrt(some.mean() * (1 - some.mean()) / n_test)
    print(f"{name}: {ladder[name][0]:.2f} ± {ladder[name][1]:.2f} % of {n_test} test pictures")
alone = 100 * (1 - wrong.mean(axis=1))
print(f"ours, one view, seeds 1 to 5: {alone.mean():.2f} ± {alone.std(ddof=1):.2f} %; trained in {seconds[-1]:.0f} s")

figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
for row, (value, error) in enumerate(ladder.values()):
    axes.errorbar(value, row, xerr=error, fmt="o", color="#0072b2" if error else "0.5", capsize=3)
    axes.annotate(f"{value:.1f}", (1.01, row), xycoords=("axes fraction", "data"), va="center")
axes.axvline(88, color="#009e73", linestyle=":", linewidth=2, label="the talk, 2017")
axes.axvline(94, color="#e69f00", linewidth=2, label="people")
axes.set_yticks(range(len(ladder)), ladder)
axes.invert_yaxis()
axes.set(xlabel="accuracy on the test pictures [%]", xlim=(50, 100))
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# Bars are binomial errors, 0.3 points, common to all rows, as all are judged by the same pictures. Grey: from the
# earlier lessons. Asked about six views, your network of half a million parameters does in minutes on two cores what
# took four times as many parameters and a graphics card in 2017. What is left to people's 94 % takes longer trainings
# and wider networks, a point at a time.
#
# ## What is still wrong
#
# The most certain mistakes, eight each: in the first row those of the talk's network, then of the five, then of the
# wide ones. The first word is the true class, the second what the network says. Cover the first word and name them
# yourself.


# %%
def surest_errors(answer, number=8):
    """Test pictures that are wrong with the greatest probability, and titles for them."""
    found, certainty = answer.argmax(axis=1), answer.max(axis=1)
    order = np.argsort(np.where(found == test_labels, -1, certainty))[::-1][:number]
    titles = [f"{CLASSES[test_labels[i]]}:\n{CLASSES[found[i]]} {certainty[i]:.0%}" for i in order]
    return test_pictures[order], titles


rows = [surest_errors(answers[name]) for name in ("the talk's network", "five of ours, two views", LAST)]
titles = [title for _, some in rows for title in some]
picture_plots.pictures(np.concatenate([some for some, _ in rows]), titles=titles, columns=8, size=1.35)
plt.show()

# %%
others = ("the talk's network", "wide, six views", "wide and deeper, six views")
missed = wrong.all(axis=0) & ~np.any([right[name] for name in others], axis=0)
print(f"wrong in all eight networks: {missed.sum()} of {n_test} test pictures")
errors = np.zeros((10, 10), int)
np.add.at(errors, (test_labels, answers[LAST].argmax(axis=1)), 1)
np.fill_diagonal(errors, 0)
animal = np.isin(CLASSES, ("bird", "cat", "deer", "dog", "frog", "horse"))
among = [errors[some][:, some].sum() / errors.sum() for some in (animal, ~animal)]
pets = (errors[3, 5] + errors[5, 3]) / errors.sum()
print(f"wide networks: {among[0]:.0%} of errors among animals (cat, dog: {pets:.0%}), {among[1]:.0%} among vehicles")

# %% [markdown]
# Cats and dogs are mixed up most, as in lessons 21 and 22; hardly ever is an animal called a vehicle. Some of the
# pictures above you will not have named either, and with some you may side with the network: labels were given by
# people, too.
#
# ## What carries over to showers
#
# - **Symmetries.** Photographs know up and down, so they are mirrored in one direction only. A footprint of a
#   vertical shower looks the same from eight sides ([lesson 32](32_xmax.ipynb)); an inclined one may be mirrored if
#   its arrival direction, which you want to know, is mirrored with it. The image in a hexagonal camera may be turned
#   by 60°, if the direction of the source turns, too. The magnetic field of the Earth breaks both, for inclined
#   showers strongly.
# - **Shifts.** A shower that falls elsewhere is as likely, as long as it falls inside the array. So shift by whole
#   distances between stations, and the core with it; but do not reflect at the edge. A reflected shower is none.
# - **Whitening.** Charges and arrival times of neighbouring stations or pixels are as correlated as colours. Compute
#   the filters from training showers, and set `smallest` to the variance of the noise, for example of the night sky.
# - **Ensembles.** Five trainings on the same showers tell how well the training is determined. Their spread is not
#   the statistical error of an event, and it knows nothing of a wrong simulation.
#
# ## Judge an idea
#
# ### Task 6: sixty seconds
#
# Accuracies of two networks on the same 5,000 pictures have a binomial error of 0.6 or 0.7 points each. Their
# *difference* is known better, because most pictures are right or wrong for both. Write `paired_gain(new, old)` for
# two boolean arrays (n,), which tell which pictures are right: return the mean of the difference picture by picture,
# and its error, the standard deviation of these differences over $\sqrt{n}$. (Turn them into numbers before you
# subtract.)
#
# Then try an idea of your own. The rules: half the channels, 7,500 training pictures, at most 60 s of training,
# judged on the last 5,000 of the training pictures. The lesson tries **cutout**: a grey square covers 8×8 pixels at a
# random place of each training picture, so that no single detail suffices. Guess: does it help? Other ideas:
# brightness and contrast changed at random; another peak of the rate; a residual block; mean in place of maximum at
# the end; 16×16 pixels in the first epoch. Which gain would you believe? And how many ideas that bring nothing may
# you try until one of them wins by two errors by chance?


# %%
def paired_gain(new, old):
    """Gain in accuracy and its error, from two arrays (n,) that say which pictures are right."""
    ### BEGIN SOLUTION
    difference = new.astype(float) - old.astype(float)
    return difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    new = np.repeat([True, True, False, False], [300, 30, 10, 60])  # 30 pictures won, 10 lost
    old = np.repeat([True, False, True, False], [300, 30, 10, 60])
    try:
        answer = paired_gain(new, old)
    except TypeError:  # NumPy does not subtract booleans
        answer = None
    assert answer is not None, "True and False cannot be subtracted: turn them into numbers, `new.astype(float)`."
    assert np.shape(answer) == (2,), "Return two numbers: the mean gain, then its error."
    gain, uncertainty = answer
    assert not (np.isclose(gain, 0.01563, rtol=0.01) and np.isclose(uncertainty, 0.05)), "First gain, then error."
    assert not np.isclose(gain, 0.1), "Pictures that got lost count -1: True and False as numbers, then subtract."
    assert not np.isclose(gain, -0.05), "New minus old: a better network has a positive gain."
    assert not np.isclose(gain, 5), "As a share, please: 0.05, not 5."
    assert np.isclose(gain, 0.05), "30 pictures won, 10 lost, of 400: a gain of 0.05."
    apart = np.sqrt(new.mean() * (1 - new.mean()) / 400 + old.mean() * (1 - old.mean()) / 400)
    assert not np.isclose(uncertainty, apart, rtol=0.01), (
        "That is the error for two different sets of pictures. Subtract picture by picture, then take the spread."
    )
    assert not np.isclose(uncertainty, 0.3126, rtol=0.01), "That is the spread of one picture: divide by √n."
    assert not np.isclose(uncertainty, 0.3126 / 400, rtol=0.01), "Divide by the root of n, not by n."
    assert not np.isclose(uncertainty, np.sqrt(0.05 * 0.95 / 400), rtol=0.01), (
        "The differences are -1, 0 and 1, so no binomial: take their standard deviation."
    )
    assert np.isclose(uncertainty, 0.01563, rtol=0.01), "The standard deviation of 400 differences over √400 is 0.0156."


# %% tags=["wrong"]
# hint: two different sets of pictures
def paired_gain(new, old):
    a, b, n = new.mean(), old.mean(), len(new)
    return a - b, np.sqrt(a * (1 - a) / n + b * (1 - b) / n)


# %% tags=["wrong"]
# hint: got lost count -1
def paired_gain(new, old):
    difference = new ^ old
    return difference.mean(), difference.std() / np.sqrt(len(new))


# %% tags=["wrong"]
# hint: divide by √n
def paired_gain(new, old):
    difference = new.astype(float) - old
    return difference.mean(), difference.std()


# %% tags=["wrong"]
# hint: turn them into numbers
def paired_gain(new, old):
    difference = new - old
    return difference.mean(), difference.std() / np.sqrt(len(new))


# %% tags=["wrong"]
# hint: so no binomial
def paired_gain(new, old):
    gain = new.mean() - old.mean()
    return gain, np.sqrt(gain * (1 - gain) / len(new))


# %%
def by_counting(new, old):
    won, lost = np.mean(new & ~old), np.mean(old & ~new)
    return won - lost, np.sqrt((won + lost - (won - lost) ** 2) / len(new))


paired_gain = tasks.solved(paired_gain, otherwise=by_counting, task="Task 6")


# %%
def covered(batch, rng):
    """Augmented pictures (B, 32, 32, 3), each with a square of 8×8 pixels in the mean colour."""
    return cutout(whole(batch, rng), rng, size=8)


# %%
n_some, n_epochs, n_judged = profile.pick(full=(7_500, 3, 5_000), quick=(500, 1, 300))
judged = standardised(train["image"][-n_judged:])
correct = {}
for name, augment in (("as it is", whole), ("cutout", covered)):
    keras.utils.set_random_seed(1)
    candidate, stages = build((32, 64, 64)), [(augment, n_epochs)]
    _, took = train_network(candidate, stages, pictures[:n_some], targets[:n_some], seed=1, batch_size=250)
    correct[name] = ask(candidate, judged).argmax(axis=1) == train["label"][-n_judged:]
    print(f"{name}: {correct[name].mean():.1%} of the validation pictures after {took[-1]:.0f} s")
gain, error = 100 * np.array(paired_gain(correct["cutout"], correct["as it is"]))
print(f"cutout: {gain:+.1f} ± {error:.1f} points")
keras.mixed_precision.set_dtype_policy("float32")

# %% [markdown]
# Covered squares cost four points here. The error is that of the pictures alone. Another seed would give another
# difference; from the trainings above you know by how much. For an idea that you want to keep, take three seeds. Of
# ideas that bring nothing, one in 44 wins by two errors; after thirty of them, it is as likely as not that one has.
# And cutout is a remedy against overtraining, of which three epochs leave little.
#
# ## What you learned
#
# - Depth fails where signals fade. Batch normalisation keeps them alive; a shortcut gives gradients a way past.
# - Units are ways to spend parameters: on windows, on channels, on a way past. Compare them at equal numbers.
# - A network that trains in minutes is a sum of ideas, each of which has to be measured with an error. Most of them
#   were too small to be seen in three trainings; a high rate is only good if it falls in the end.
# - Views and ensembles gain a point without a new idea. Networks of one recipe err differently, but not
#   independently.
# - Compare two classifiers picture by picture. The difference is known better than either accuracy.
#
# ## Go further
#
# - Train the recipe for 5, 9, 18 and 36 epochs, and draw the error against the time, both in logarithmic scales. From
#   which accuracy on is a wider network cheaper than a longer training?
# - Give the residual network twelve units (`per_stage=4`), and the plain one as well. From which depth on does the
#   plain one fall behind?
# - Average the *weights* of the last epochs of one training, in place of the answers of five networks. How much of
#   the ensemble's gain is left?
# - Put the whitened first layer and Muon into the network of [lesson 32](32_xmax.ipynb). What must you change in
#   `whitening_filters` for counts and times, and in the augmentation?
#
# ## References
#
# - K. He, X. Zhang, S. Ren and J. Sun, *Deep residual learning for image recognition*, CVPR 2016, 770,
#   [doi:10.1109/CVPR.2016.90](https://doi.org/10.1109/CVPR.2016.90).
# - C. Szegedy et al., *Going deeper with convolutions*, CVPR 2015, 1,
#   [doi:10.1109/CVPR.2015.7298594](https://doi.org/10.1109/CVPR.2015.7298594): inception; and *Rethinking the
#   Inception architecture for computer vision*, CVPR 2016, 2818,
#   [doi:10.1109/CVPR.2016.308](https://doi.org/10.1109/CVPR.2016.308): label smoothing.
# - F. Chollet, *Xception: deep learning with depthwise separable convolutions*, CVPR 2017, 1800,
#   [doi:10.1109/CVPR.2017.195](https://doi.org/10.1109/CVPR.2017.195).
# - K. Jordan, *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, 2024,
#   [doi:10.48550/arXiv.2404.00498](https://doi.org/10.48550/arXiv.2404.00498): whitened first layer, triangle, views.
# - K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024,
#   [kellerjordan.github.io/posts/muon](https://kellerjordan.github.io/posts/muon/).
# - T. DeVries and G. W. Taylor, *Improved regularization of convolutional neural networks with cutout*, 2017,
#   [doi:10.48550/arXiv.1708.04552](https://doi.org/10.48550/arXiv.1708.04552).
# - T. Ho-Phuoc, *CIFAR10 to compare visual recognition performance between deep neural networks and humans*, 2018,
#   [doi:10.48550/arXiv.1811.07270](https://doi.org/10.48550/arXiv.1811.07270): people name 94 %.
