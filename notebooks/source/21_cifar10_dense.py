# %% [markdown]
# # Pictures as vectors
#
# **You will be able to**
# - prepare photographs for a network with numbers from the training part alone,
# - show what a dense network does not see in a picture, and how far classical methods get on the same pictures,
# - train one with augmentation, and tell the error of its accuracy from the spread over trainings,
# - read from a confusion matrix which classes it mixes up, and why,
# - measure whether its certainty can be trusted, and mend it with one parameter.
#
# **Time** 40 min reading, 60 min tasks; runs in 6 min on two CPU cores.
# **You need** [lesson 12](12_neural_networks.ipynb), [lesson 13](13_optimization.ipynb) and [lesson
# 14](14_generalization.ipynb).

# %%
from showertools import datasets, picture_plots, plotting, profile, tasks, viewer
from showertools.augmentation import mirrored, shifted
from showertools.batches import AugmentedBatches
from showertools.cifar10 import CLASSES

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from matplotlib.figure import Figure
from scipy import optimize
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler

# %% [markdown]
# ## Ten classes
#
# The image in the camera of a Cherenkov telescope, the stations of an array that were hit, a photograph: each is a
# field of numbers, and neighbours in it have to do with each other. Photographs have one advantage: you see yourself
# what is in them. **CIFAR-10** holds 60,000 of them, 32×32 pixels in three colours, 6,000 of each of ten classes;
# 10,000 are set aside for the test. People name the right class of about 94 % of them (Ho-Phuoc).
#
# `load_cifar10` takes a copy that you have, or fetches 170 MB once and keeps them. In a room without network, set the
# environment variable `SHOWERTOOLS_CIFAR10` to the path of `cifar-10-python.tar.gz` or of its unpacked folder, on a
# memory stick for example.
#
# The outputs stored in this notebook were made with a copy of CIFAR-10 that had been compressed as JPEG and is in
# another order. With the originals your numbers will differ a little from those in the text.
#
# The pictures are independent, so split them at random. (Almost: of 3.3 % of the test pictures there is a near
# duplicate among the 50,000 others, see Barz and Denzler. Simulated showers hold a similar trap: one shower is often
# used several times, with its core at other places. Then split the showers, not the events.)

# %%
n_train, n_validation, n_test = profile.pick(full=(45_000, 5_000, 10_000), quick=(2_000, 500, 1_000))
known, test = datasets.load_cifar10()
order = np.random.default_rng(21).permutation(50_000)
train, validation = (
    {name: values[part] for name, values in known.items()}
    for part in (order[:n_train], order[n_train : n_train + n_validation])
)
test = {name: values[:n_test] for name, values in test.items()}
del known

four = np.array([np.flatnonzero(train["label"] == number)[:4] for number in range(10)]).T.ravel()  # (40,)
titles = [*CLASSES, *[""] * 30]
picture_plots.pictures(train["image"][four], titles=titles, columns=10, size=1.1)
plt.show()

# %% [markdown]
# The first four of each class. You recognise most at once, at any place, from any side, before any background. A
# picture of 3,072 numbers is small; how much of it do you need?
#
# ## One picture, one vector
#
# All that lessons 11 to 14 taught works on vectors. So write the 3,072 numbers in one row: the picture becomes a
# point in a space of 3,072 dimensions. They run from 0 to 255. A network starts with weights made for inputs around 0
# with a spread of 1 ([lesson 13](13_optimization.ipynb)): standardise. There are three ways to do so: with one mean
# and spread for all numbers, one for each colour, or one for each of the 3,072. What follows uses one for each
# colour, so that all places are treated alike and a picture may be shifted after it.
#
# ### Task 1: standardised vectors
#
# Write `standardise(pictures, training)`. Both are arrays of whole numbers from 0 to 255, (n, H, W, 3) and (m, H, W,
# 3). For each colour, subtract the mean over all pixels of the *training* pictures and divide by their standard
# deviation. Return vectors (n, 3 H W) of type `float32`, pixel after pixel, as `reshape` orders them.
#
# Below, four preparations of the same 5,000 pictures are compared after three epochs. For each, the best of three
# learning rates is chosen with one seed; three others give the result. Guess first: how much does a network lose that
# gets the numbers 0 to 255 as they are?


# %%
def standardise(pictures, training):
    """Pictures (n, H, W, 3) as vectors (n, 3 H W), each colour standardised with the training pictures."""
    ### BEGIN SOLUTION
    mean, spread = (some(training, axis=(0, 1, 2)).astype("float32") for some in (np.mean, np.std))  # (3,)
    return ((pictures - mean) / spread).reshape(len(pictures), -1)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    draw, over = np.random.default_rng(0), (0, 1, 2)
    early = draw.integers([10, 60, 100], [50, 200, 250], size=(50, 4, 5, 3)).astype(np.uint8)
    late = draw.integers(0, 256, size=(6, 4, 5, 3)).astype(np.uint8)
    center, width, both = early.mean(axis=over), early.std(axis=over), np.concatenate([early, late])
    right, answer = (late - center) / width, np.asarray(standardise(late, early))
    assert answer.dtype != object, "Nothing came back: end with `return`."
    assert answer.shape != (6, 4, 5, 3), "The numbers of a picture should stand in one row: reshape to (n, 3 H W)."
    assert answer.shape == (6, 60), "Return one row of 3 H W numbers for each of `pictures`, not for the training ones."
    like = lambda other: np.allclose(answer, np.reshape(other, (6, 60)), atol=1e-4)  # noqa: E731
    own, pooled = ((late - some.mean(axis=over)) / some.std(axis=over) for some in (late, both))
    assert not like(own), "These are standardised with their own mean and spread: take those of `training`."
    assert not like(pooled), "Mean and spread of `training` alone, or the test leaks into the training."
    assert not like((late - early.mean()) / early.std()), "One mean for all colours: average with axis=(0, 1, 2)."
    assert not like((late - early.mean(axis=0)) / early.std(axis=0)), "One mean for each place: axis=(0, 1, 2), please."
    assert not like((late - center) / width**2), "Divide by the standard deviation, not by the variance."
    assert not like(late - center), "Divide by the standard deviation, too."
    assert not like(late / width), "Subtract the mean, too."
    assert not like(right.transpose(0, 3, 1, 2)), "All red numbers come first: reshape, and leave the axes in order."
    assert not like(right.transpose(0, 2, 1, 3)), "Column after column: reshape goes along the rows, do not transpose."
    assert not like((late - center) / early.std()), "One spread for all colours: np.std, too, with axis=(0, 1, 2)."
    assert not like((late - early.mean()) / width), "One mean for all colours: np.mean, too, with axis=(0, 1, 2)."
    single = early.std(axis=(1, 2)).mean(axis=0)
    assert not like((late - center) / single), "Take the spread over all pixels of all pictures at once."
    assert not like((late - center) / early.std(axis=over, ddof=1)), "Leave ddof at 0: the mean of squares over n."
    assert np.abs(answer).max() < 50, "Far too large: subtract first (in brackets), then divide."
    assert np.std(answer[:, ::3]) > 0.1, "Far too small: leave the numbers from 0 to 255, do not divide by 255 as well."
    assert like(right), "Not (number - mean) / spread. Is the mean rounded, or does 8-bit arithmetic wrap around?"
    assert answer.dtype == np.float32, "Return float32: half the memory, and what the network computes with."


# %% tags=["wrong"]
# hint: standardised with their own
def standardise(pictures, training):
    vectors = (pictures - pictures.mean(axis=(0, 1, 2))) / pictures.std(axis=(0, 1, 2))
    return vectors.astype("float32").reshape(len(pictures), -1)


# %% tags=["wrong"]
# hint: One mean for all colours
def standardise(pictures, training):
    return ((pictures - training.mean()) / training.std()).astype("float32").reshape(len(pictures), -1)


# %% tags=["wrong"]
# hint: 8-bit arithmetic
def standardise(pictures, training):
    mean, spread = training.mean(axis=(0, 1, 2)).astype(np.uint8), training.std(axis=(0, 1, 2))
    return ((pictures - mean) / spread).astype("float32").reshape(len(pictures), -1)


# %% tags=["wrong"]
# hint: All red numbers come first
def standardise(pictures, training):
    standard = (pictures - training.mean(axis=(0, 1, 2))) / training.std(axis=(0, 1, 2))
    return np.moveaxis(standard, -1, 1).astype("float32").reshape(len(pictures), -1)


# %% tags=["wrong"]
# hint: Return float32
def standardise(pictures, training):
    return ((pictures - training.mean((0, 1, 2))) / training.std((0, 1, 2))).reshape(len(pictures), -1)


# %%
def by_scikit_learn(pictures, training):
    scaler = StandardScaler().fit(training.reshape(-1, 3))
    return scaler.transform(pictures.reshape(-1, 3).astype("float32")).reshape(len(pictures), -1)


standardise = tasks.solved(standardise, otherwise=by_scikit_learn, task="Task 1")
first = train["image"][:5_000]  # enough for six numbers
x, x_validation, x_test = (standardise(part["image"], first) for part in (train, validation, test))  # (n, 3072)
labels, validation_labels, test_labels = (part["label"] for part in (train, validation, test))


# %%
def build(hidden=(256, 256), dropout=0.3):
    """Dense network: pictures (B, 32, 32, 3) to probabilities (B, 10)."""
    stack = [keras.Input((32, 32, 3)), layers.Flatten()]  # (B, 3072)
    for units in hidden:
        stack.append(layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
    return keras.Sequential([*stack, layers.Dropout(dropout), layers.Dense(10, activation="softmax")])


# %%
def quick_accuracy(network, vectors, held_out, rate, seed):
    """Accuracy on validation pictures after a short training on the first 5,000; the network is used again."""
    keras.utils.set_random_seed(seed)
    network.set_weights(build(dropout=0).get_weights())
    for variable in network.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))  # Adam forgets
    network.optimizer.learning_rate = rate
    network.fit(vectors, labels[: len(vectors)], batch_size=100, epochs=epochs, verbose=0)
    return network.evaluate(held_out, validation_labels, batch_size=1000, verbose=0)[1]


# %%
rates, seeds, epochs = profile.pick(full=((1e-4, 3e-4, 1e-3), (2, 3, 4), 3), quick=((1e-4, 1e-3), (2, 3), 1))
place_mean, place_spread = first.mean(axis=0), first.std(axis=0)  # (32, 32, 3)
preparations = {
    "0 to 255": lambda pictures: pictures.astype("float32"),
    "0 to 1": lambda pictures: pictures / np.float32(255),
    "one mean for each colour": lambda pictures: standardise(pictures, first).reshape(-1, 32, 32, 3),
    "one mean for each number": lambda pictures: ((pictures - place_mean) / place_spread).astype("float32"),
}
network = build(dropout=0)
network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], steps_per_execution=10)
for name, prepare in preparations.items():
    inputs, held_out = prepare(first), prepare(validation["image"])
    rate = max(rates, key=lambda rate: quick_accuracy(network, inputs, held_out, rate, seed=1))
    found = [quick_accuracy(network, inputs, held_out, rate, seed) for seed in seeds]
    print(f"{name:25s} {np.mean(found):.1%} ± {np.std(found, ddof=1):.1%}, with a rate of {rate:g}")

# %% [markdown]
# With one mean for each colour 36.7 ± 0.7 % of the validation pictures are named right, with one for each number 36.1
# ± 1.2 % (± is the spread over three seeds): no difference that three seeds could show. (Both like the largest of the
# three rates best; a still larger one might do more for them.) Numbers from 0 to 1 give 32.8 ± 2.4 %, numbers from 0
# to 255 only 22.3 ± 1.8 %. This is the conditioning of [lesson 13](13_optimization.ipynb): inputs that are all
# positive have one direction in common, along which the loss is far steeper than along all others, and the rate has
# to suit the steepest.
#
# ## Without a network
#
# What do methods without a network make of these vectors?
#
# - The **nearest class mean**: average the pictures of each class, and name the class whose average is closest.
# - A **principal component analysis** turns the axes of the space so that the first one points along the largest
#   spread of the training pictures, the second along the largest that is left, and so on. The first few hundred hold
#   nearly all of a picture; each is divided by its spread (**whitening**). On the first so many of them:
#     - a **logistic regression**, the softmax of linear functions, a network without hidden layers,
#     - the **nearest neighbours**: the 20 training pictures that are closest vote,
#     - **Gaussian clouds**: a normal distribution with its own covariance for each class, and Bayes' rule (statistics
#       calls this quadratic discriminant analysis).
#
# Guess the best of the four, and how many components it likes.

# %%
means = np.array([x[labels == number].mean(axis=0) for number in range(10)])  # (10, 3072)
nearest = NearestCentroid().fit(x, labels)
low, high = means.min(), means.max()
picture_plots.pictures((means.reshape(10, 32, 32, 3) - low) / (high - low), titles=CLASSES, columns=10, size=1.1)
plt.show()

# %%
components = profile.pick(full=(10, 20, 30, 50, 80, 120, 200), quick=(10, 20))
principal = PCA(components[-1], whiten=True, svd_solver="randomized", random_state=0).fit(x[:10_000])
z, z_validation, z_test = (principal.transform(part) for part in (x, x_validation, x_test))  # (n, 200)
methods = {
    "logistic regression": lambda: LogisticRegression(max_iter=500),
    "20 nearest neighbours": lambda: KNeighborsClassifier(20, algorithm="brute"),
    "Gaussian clouds": QuadraticDiscriminantAnalysis,
}
scores = {
    name: [make().fit(z[:, :n], labels).score(z_validation[:, :n], validation_labels) for n in components]
    for name, make in methods.items()
}

# %%
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for (name, values), marker, color in zip(scores.items(), "os^", plotting.CLASS_COLORS):
    axes.plot(components, values, marker + "-", color=color, label=name)
axes.axhline(nearest.score(x_validation, validation_labels), color="k", linestyle=":", label="nearest class mean")
axes.axhline(0.1, color="0.6", label="blind guess")
axes.set(xscale="log", xlabel="principal components", ylabel="accuracy on validation pictures", ylim=(0, 0.6))
axes.set_xticks(components, components)
axes.minorticks_off()
figure.legend(fontsize="small", ncols=3, loc="outside upper center")
plt.show()
classical = {name: components[int(np.argmax(values))] for name, values in scores.items()}
print(", ".join(f"{name}: {max(scores[name]):.1%} with {n} components" for name, n in classical.items()))

# %% [markdown]
# First figure: the class means. Sky and sea behind airplane and ship, something broad and dark for the cars, a brown
# spot for the frog. They name 26.5 % right, the dotted line of the second figure.
#
# Second figure: neighbours like 30 components, where they reach 43.9 %, and lose half of it with 200. After whitening
# each component counts as much as any other, and the late ones tell single pictures apart, not classes. The logistic
# regression comes to 41 %: planes do not separate these classes. The Gaussian clouds reach 50.9 %. A picture's class
# is in the products of its numbers, in what varies together, more than in the numbers. (With 300 to 500 components
# they stay between 50 and 51 %.) So a network has to beat 51 %, not 10 %.
#
# ## 855,050 parameters
#
# Now a dense network: the one from a tutorial that this course goes back to, with two hidden layers of 256 ReLU
# neurons and a dropout of 0.3 before the output.
#
# ### Task 2: count the parameters
#
# Write `count_parameters(widths)`: how many weights and biases does a dense network have whose layers hold `widths`
# numbers, input and output included? Then count by hand, for 3,072 inputs: which layer has most, and how many of all?


# %%
def count_parameters(widths):
    """Number of weights and biases of a dense network with these numbers of values, from input to output."""
    ### BEGIN SOLUTION
    return sum((inputs + 1) * outputs for inputs, outputs in zip(widths, widths[1:]))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    assert np.shape(count_parameters([2, 3])) == (), "Return one number for all layers together."
    assert count_parameters([2, 3]) != 6, "Each neuron has a bias, too."
    assert count_parameters([2, 3]) not in (8, 11), "One bias for each output of a layer; its inputs have none."
    assert count_parameters([2, 3]) != 7, "One bias for each neuron, not one for each layer."
    assert count_parameters([2, 3]) == 9, "2 inputs, 3 neurons: 2 · 3 weights and 3 biases, 9 in all."
    assert count_parameters([2, 3, 4]) != 25 - 9, "That is the last layer alone: add up all layers."
    assert count_parameters([2, 3, 4]) == 25, "(2 + 1) · 3 and (3 + 1) · 4: 25. Does each layer follow the one before?"
    assert count_parameters([5, 4, 3, 2]) == 47, "It holds for two layers but not for three: 24 + 15 + 8 = 47."
    assert isinstance(count_parameters([2, 3]), (int, np.integer)), "A number of parameters is a whole number."


# %% tags=["wrong"]
# hint: has a bias, too
def count_parameters(widths):
    return sum(inputs * outputs for inputs, outputs in zip(widths, widths[1:]))


# %% tags=["wrong"]
# hint: its inputs have none
def count_parameters(widths):
    return sum(inputs * outputs for inputs, outputs in zip(widths, widths[1:])) + sum(widths)


# %% tags=["wrong"]
# hint: for two layers but not for three
def count_parameters(widths):
    first, hidden, last = widths[0], widths[1], widths[-1]
    return (first + 1) * hidden + (hidden + 1) * last if len(widths) > 2 else (first + 1) * hidden


# %%
# NBVAL_CHECK_OUTPUT
def by_keras(widths):
    return keras.Sequential([keras.Input((widths[0],)), *map(layers.Dense, widths[1:])]).count_params()


count_parameters = tasks.solved(count_parameters, otherwise=by_keras, task="Task 2")
print(f"by hand {count_parameters([3072, 256, 256, 10]):,}, Keras {build().count_params():,}")
print(f"in the first layer {count_parameters([3072, 256]):,}")

# %% [markdown]
# Nine tenths of them sit in the first layer, where each neuron has a weight of its own for each of 3,072 numbers. A
# physicist counts unknowns and equations. A picture fixes ten probabilities that add up to 1: nine conditions. 45,000
# pictures make 405,000 conditions on 855,050 unknowns. The system is underdetermined, with room to spare: many
# settings of the weights name all training pictures right, and nothing in the counting says that they name others. It
# is a polynomial with twice as many coefficients as points ([lesson 14](14_generalization.ipynb)).
#
# ## What a dense network does not see
#
# Take one permutation of the 1,024 pixels, always the same, and scramble all pictures with it. You will not recognise
# a single one. And the network?


# %%
def scrambled(pictures, rng=None):
    """The pixels of each picture (n, 32, 32, 3) in another order, the same for all pictures."""
    order = np.random.default_rng(5).permutation(32 * 32)
    return pictures.reshape(-1, 32 * 32, 3)[:, order].reshape(pictures.shape)


some = train["image"][four[:10]]
picture_plots.pictures(np.concatenate([some, scrambled(some)]), titles=[*CLASSES, *[""] * 10], columns=10, size=1.1)
plt.show()

# %% [markdown]
# Each neuron of the first layer is a sum over pixels, and a sum does not care about order. Permute its weights with
# the pixels, and all outputs are the same:

# %%
# NBVAL_CHECK_OUTPUT
keras.utils.set_random_seed(1)
network, permuted = build(), build()
weights = network.get_weights()
weights[0] = scrambled(weights[0].T).T  # the 3,072 weights of a neuron are a picture, too
permuted.set_weights(weights)
inputs = np.random.default_rng(1).normal(size=(5, 32, 32, 3)).astype("float32")
same = np.allclose(network.predict_on_batch(inputs), permuted.predict_on_batch(scrambled(inputs)), atol=1e-5)
print("same answers:", same)

# %% [markdown]
# So each network for pictures has a twin for scrambled pictures. The initial weights are drawn at random, all by the
# same law: none of the twins is more likely. The training should not see a difference either. Measure it: three
# networks on the pictures, three on scrambled ones, all from seeds 1 to 3, without any remedy against overtraining.
# The rate rises during the first tenth of the steps and then falls along a cosine; Adam does the rest.
# ([`AugmentedBatches`](../showertools/batches.py) hands `fit` one batch after the other, drawn anew in each epoch,
# and passes each through a function of yours on the way: here one that leaves it as it is, or scrambles it.)


# %%
pictures, validation_pictures, test_pictures = (some.reshape(-1, 32, 32, 3) for some in (x, x_validation, x_test))


def train_network(network, augment, epochs, seed, held_out=validation_pictures):
    """Train with all training pictures, each batch changed by `augment`; returns the history."""
    data = AugmentedBatches(pictures, labels, augment, batch_size=250, seed=seed)
    steps = epochs * len(data)
    schedule = keras.optimizers.schedules.CosineDecay(
        1e-4, int(0.9 * steps), alpha=0.01, warmup_target=1e-3, warmup_steps=int(0.1 * steps)
    )
    loss = "sparse_categorical_crossentropy"
    network.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"], steps_per_execution=10)
    seen = network.fit(
        data, epochs=epochs, validation_data=(held_out, validation_labels), validation_batch_size=1000, verbose=0
    )
    return seen.history


# %%
n_epochs, seeds = profile.pick(full=(6, (1, 2, 3)), quick=(2, (1, 2)))
held_out = {"as they are": validation_pictures, "scrambled": scrambled(validation_pictures)}
augment = {"as they are": lambda pictures, rng: pictures, "scrambled": scrambled}
plain, plain_history = {}, {}
for name in held_out:
    plain[name], plain_history[name] = [], []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        plain[name].append(build(dropout=0))
        plain_history[name].append(train_network(plain[name][-1], augment[name], n_epochs, seed, held_out[name]))
    last = [history["val_accuracy"][-1] for history in plain_history[name]]
    print(f"{name}: {np.mean(last):.1%} ± {np.std(last, ddof=1):.1%} of the validation pictures")


# %%
def draw_histories(panels, histories, color, label):
    """Accuracy and cross-entropy of several trainings: dotted on the training pictures, full on validation pictures."""
    at = np.arange(1, len(histories[0]["loss"]) + 1)
    for panel, quantity in zip(panels, ("accuracy", "loss")):
        for number, history in enumerate(histories):
            panel.plot(at, history[quantity], ":", color=color)
            panel.plot(at, history["val_" + quantity], color=color, label=None if number else label)
        panel.set(xlabel="epoch", ylabel=quantity.replace("loss", "cross-entropy"), xticks=at[:: len(at) // 10 + 1])


figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for (name, histories), color in zip(plain_history.items(), ("#0072b2", "#d55e00")):
    draw_histories(panels, histories, color, name)
panels[0].legend(title="validation pictures\n(dotted: training)")
plt.show()

# %% [markdown]
# The curves of both colours lie on each other. In the end 52.6 ± 0.2 % of the validation pictures are named right as
# they are, and 52.9 ± 0.4 % scrambled. Whatever this network knows, it does not know which pixels are neighbours. The
# same holds for a dense network on the stations of an array: number the stations as you like.
#
# And the dotted lines leave the full ones. On the training pictures the network gets 68 % right after six epochs,
# with a cross-entropy of 0.96 that goes on falling. On the validation pictures it hardly falls any more, at 1.38. The
# counting has foretold that.
#
# ## Remedies
#
# Count again: you need more conditions. **Augmentation** makes them from knowledge: a mirrored cat is a cat, and so
# is a cat that has moved by a pixel. A dense network cannot know either; to it the moved picture is another point far
# away. Each time a picture comes, mirror it with a probability of one half and shift it by up to a pixel, at random.
#
# How strong should the remedies be? Validation pictures decide. Trainings with seed 1 gave, in 15 epochs with batches
# of 500:
#
# | dropout | mirrored | shifted by up to | accuracy |
# |---|---|---|---|
# | 0.3 after both hidden layers | yes | 2 pixels | 51.9 % |
# | 0.1 after both hidden layers | yes | 2 pixels | 53.9 % |
# | 0.3 before the output | yes | 2 pixels | 54.2 % |
# | 0.3 before the output | yes | 0 pixels | 54.6 % |
#
# In 22 epochs with shifts by up to one pixel, batches of 500 gave 56.2 % and batches of 250, which make twice as many
# steps, 57.3 %. The binomial error of 5,000 pictures is 0.7 %: the last three rows of the table hardly differ, the
# first does. Who augments needs little dropout, and patience. Take dropout before the output, mirrors, one pixel,
# batches of 250, and, so that three trainings end in time, 16 epochs. Guess: what does the network gain on the one
# without remedy, and where will the curve of the training pictures lie?


# %%
def changed(pictures, rng):
    """Each picture mirrored or not, and shifted by up to a pixel."""
    return mirrored(shifted(pictures, rng, largest=1), rng)


n_epochs = profile.pick(full=16, quick=3)
networks, histories = [], []
for seed in seeds:
    keras.utils.set_random_seed(seed)
    networks.append(build())
    histories.append(train_network(networks[-1], changed, n_epochs, seed))
    print(f"seed {seed}: {histories[-1]['val_accuracy'][-1]:.1%} of the validation pictures")

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
draw_histories(panels, histories, "#009e73", "with remedies")
panels[0].legend(title="validation pictures\n(dotted: training)")
plt.show()

# %% [markdown]
# At first the training pictures seem to be the harder ones: they are judged with dropout, mirrored and shifted, and
# while the network still learns. In the end 57 % of them are named right, and of the validation pictures 55.5 ± 0.5
# %. The gap, 15 points before, is less than 2 (on training pictures as they are, and without dropout, it would be
# larger). The cross-entropy on validation pictures has come down from 1.38 to 1.26.
#
# Is that fair? These networks were trained for 16 epochs, those without remedy for 6. For 16 epochs without remedy,
# three seeds gave 88 % of the training pictures and 53.7 ± 0.6 % of the validation pictures, with a cross-entropy
# that rose from 1.47 to 1.56. So of the 2.9 points 1.1 come from the longer training alone and 1.8 from the remedies.
# The smaller cross-entropy is theirs alone: without them, longer training makes it worse.
#
# ## The test, once
#
# Nothing is left to choose. Open the test pictures, for all methods at once. An accuracy $a$ from $n$ pictures is a
# fraction of $n$ throws: its **binomial error** is $\sqrt{a(1-a)/n}$. Guess: what is it for 10,000 pictures? And is
# the spread over the three seeds an estimate of the same thing?


# %%
def ask(network, some):
    """Probabilities (n, 10) in double precision, where they add up to 1 again."""
    answer = keras.ops.convert_to_numpy(network(some)).astype(float)
    return answer / answer.sum(axis=1, keepdims=True)


answers = {"nearest class mean": [np.eye(10)[nearest.predict(x_test)]]}
for name, n in classical.items():
    answers[name] = [methods[name]().fit(z[:, :n], labels).predict_proba(z_test[:, :n])]
answers["network, no remedy"] = [ask(network, test_pictures) for network in plain["as they are"]]
answers["network, scrambled"] = [ask(network, scrambled(test_pictures)) for network in plain["scrambled"]]
answers["network, with remedies"] = [ask(network, test_pictures) for network in networks]
accuracy = {
    name: np.array([np.mean(some.argmax(axis=1) == test_labels) for some in several])
    for name, several in answers.items()
}

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
for row, values in enumerate(accuracy.values()):
    binomial = np.sqrt(values.mean() * (1 - values.mean()) / n_test)
    color = "#0072b2" if len(values) > 1 else "#d55e00"
    axes.errorbar(values.mean(), row, xerr=binomial, color=color, capsize=4)
    axes.plot(values, np.full(len(values), row), "o", color=color, alpha=0.5)
    axes.annotate(f"{values.mean():.1%}", (values.max(), row), xytext=(12, -4), textcoords="offset points")
axes.set(yticks=range(len(accuracy)), yticklabels=accuracy, xlim=(0, 0.65), xlabel="accuracy on the test pictures")
axes.invert_yaxis()
plt.show()
right = {name: several[0].argmax(axis=1) == test_labels for name, several in answers.items()}  # (n_test,) each
for name in ("Gaussian clouds", "network, no remedy"):
    gain = right["network, with remedies"].astype(float) - right[name]  # -1, 0 or 1 for each picture
    print(f"network with remedies minus {name}: {gain.mean():.1%} ± {gain.std() / n_test**0.5:.1%}")

# %% [markdown]
# Each dot is a training, the bar the binomial error: ± 0.5 % for 10,000 pictures. The network with its remedies is
# right in 55.9 ± 0.4 % of the cases, and here ± is the spread over three seeds. The two are different things. The
# spread says what another training would have given, on the same pictures. The binomial error says what other
# pictures would have given, with the same networks; it is common to all seeds, and more seeds do not make it smaller.
#
# In part it is common to all rows, too: what is easy for one is often easy for the other. So compare two methods
# picture by picture. A picture that both have right, or both wrong, says nothing; the others give the two lines
# printed. With remedies the network is 3.5 ± 0.4 points ahead of the one without, which was trained for less time,
# and 4.7 ± 0.6 points ahead of the Gaussian clouds (seed 1). Adding the binomial errors in quadrature would have made
# both ± 0.7. The pairing gains much between two networks, which find the same pictures hard, and little between a
# network and the clouds.
#
# Scrambled or not, 52.7 %: the test agrees. And the classical method is close: 51.6 % with 200 numbers a picture, ten
# means and ten covariances, computed in one go. People name 94 %.
#
# ## What it confuses
#
# ### Task 3: the confusion matrix
#
# Write `count_confusions(true_class, found, n_classes)` for class numbers (n,) and (n,). Row $i$, column $j$ of the
# result counts the pictures of class $i$ that were called $j$. A loop over pictures will do, but NumPy can do
# without. (Look up `np.add.at`: what does `matrix[true_class, found] += 1` do when a pair comes twice?)
#
# Guess before you run the cell after the check: which two classes are mixed up most?


# %%
def count_confusions(true_class, found, n_classes):
    """Counts (n_classes, n_classes): rows are the true classes, columns the ones that were named."""
    ### BEGIN SOLUTION
    matrix = np.zeros((n_classes, n_classes), int)
    np.add.at(matrix, (true_class, found), 1)
    return matrix
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    true_class, found = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    right = np.array([[2, 1, 0], [0, 0, 1], [0, 0, 2]])
    answer = np.asarray(count_confusions(true_class, found, 3))
    assert answer.dtype != object, "Nothing came back: np.add.at changes the matrix in place. Return the matrix."
    assert answer.shape == (3, 3), "One row and one column for each class."
    assert answer.trace() > 0, "Right answers count, too: on the diagonal."
    assert answer.max() > 1, "A pair that came twice was counted once, or these are shares: use np.add.at, and counts."
    assert not np.array_equal(answer, right.T), "Transposed: the rows are the true classes."
    assert np.array_equal(answer, right), "Count each pair (true class, named class) as often as it comes."
    assert np.shape(count_confusions(true_class, found, 4)) == (4, 4), (
        "A class that never came should have its row and column of zeros: use n_classes."
    )
    few = count_confusions(np.array([0, 2, 2]), np.array([2, 2, 2]), 4)
    assert np.array_equal(few, [[0, 0, 1, 0], [0] * 4, [0, 0, 2, 0], [0] * 4]), (
        "Wrong where classes are missing: class i belongs in row i, whatever the largest number that came."
    )
    again = count_confusions(true_class, found, 3)
    assert np.array_equal(again, right), "A second call should start from zeros again."


# %% tags=["wrong"]
# hint: came twice was counted once
def count_confusions(true_class, found, n_classes):
    matrix = np.zeros((n_classes, n_classes), int)
    matrix[true_class, found] += 1
    return matrix


# %% tags=["wrong"]
# hint: Transposed
def count_confusions(true_class, found, n_classes):
    matrix = np.zeros((n_classes, n_classes), int)
    np.add.at(matrix, (found, true_class), 1)
    return matrix


# %% tags=["wrong"]
# hint: these are shares
def count_confusions(true_class, found, n_classes):
    matrix = np.zeros((n_classes, n_classes))
    np.add.at(matrix, (true_class, found), 1)
    return matrix / matrix.sum(axis=1, keepdims=True)


# %% tags=["wrong"]
# hint: never came
def count_confusions(true_class, found, n_classes):
    size = max(true_class.max(), found.max()) + 1
    return np.bincount(size * true_class + found, minlength=size**2).reshape(size, size)


# %% tags=["expected"]
count_confusions = tasks.solved(
    count_confusions, otherwise=lambda true, found, k: confusion_matrix(true, found, labels=range(k)), task="Task 3"
)
called = [some.argmax(axis=1) for some in answers["network, with remedies"]]
confusions = sum(count_confusions(test_labels, found, 10) for found in called)  # of three networks
figure, axes = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
plotting.confusion(confusions, CLASSES, ax=axes)
plt.setp(axes.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
axes.set(title="three networks, test pictures [% of the true class]")
plt.show()

# %% [markdown]
# Nearly one cat in four is called a dog, and one dog in five a cat. Trucks and automobiles are exchanged in 17 and 14
# % of the cases, airplanes become ships in 12 %, ships airplanes in 9 %. Cats and birds are found least, 35 and 40 %.
# Cats and dogs share their shape, their poses and the living room behind; airplanes and ships share only what is
# behind them, the blue of the class means. So it seems that the network has learned backgrounds, too: nobody told it
# what to look at. A classifier of camera images may learn the brightness of the night sky in the same way; the
# confusion matrix, split by such conditions, finds out.
#
# ## What it looks at
#
# Each neuron of the first layer has one weight for each colour of each pixel: that is a picture, too. Where it is
# bright, the neuron wants more light than the mean picture has; where it is dark, less; grey is 0. The weights began
# as noise, so subtract what they were before the training: the seed gives the same network again. Guess: edges, eyes,
# wheels?

# %%
keras.utils.set_random_seed(1)
learned = networks[0].get_weights()[0] - build().get_weights()[0]  # (3072, 256), without what chance put there
strongest = np.argsort(-np.square(learned).sum(axis=0))[:20]
kernels = learned[:, strongest].reshape(32, 32, 3, 20)
picture_plots.pictures(picture_plots.filters(kernels), columns=10, size=1.1)
plt.show()

# %% [markdown]
# No edges, no eyes, no wheels: blurred spots in the middle, of one colour on another, and broad horizontal bars, with
# noise on top. Most are nearly symmetric, since each picture came mirrored as often as not. These are templates of
# whole pictures, and each is tied to its place. A car five pixels further left matches them less, and to learn that
# it is one the network needs to see it there, too.
#
# ## Is it as sure as it may be?
#
# A telescope's classifier gives each event a **gammaness**, from 0 for a proton to 1 for a gamma, and an analysis
# keeps what lies above a cut. If you cut at 0.9 you would like to say: at least 90 % of what I keep are gammas. May
# you? Only if the numbers are what they pretend to be: of all events that get 0.9, 90 % are gammas. The same question
# for photographs, where you can look: each network makes ten statements a picture, 100,000 in all. Sort them into
# bins of the probability that was given, and see how often they came true: a **reliability diagram**.

# %%
shown = (("network, no remedy", "#d55e00", "s"), ("network, with remedies", "#009e73", "o"))
figure, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
for name, color, marker in shown:
    plotting.reliability(answers[name][0], test_labels, marker=marker, color=color, label=f"{name}, seed 1", ax=axes)
axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
axes.legend(fontsize="small")
plt.show()

# %% [markdown]
# The network without remedy is too sure: of its statements around 55 % come true 49 %, of those around 85 % come true
# 78 %. Who has learned pictures by heart takes the unseen for the known. The network with remedies lies close to the
# diagonal, but for the last bin: it says 96 % and is right in 93 %.
#
# ### Task 4: the expected calibration error
#
# The largest of the ten probabilities is the network's **certainty**. Sort the $n$ pictures by certainty into bins of
# equal width between 0 and 1. In bin $b$ there are $n_b$ pictures, with a mean certainty $\bar c_b$, and a share
# $r_b$ of them was named right. The **expected calibration error** is
#
# $$\mathrm{ECE} = \sum_b \frac{n_b}{n}\, |r_b - \bar c_b|.$$
#
# Write `calibration_error(certainty, right, n_bins=10)` for certainties (n,) and `right` (n,), True where the named
# class is the true one. Empty bins do not count.


# %%
def calibration_error(certainty, right, n_bins=10):
    """Mean distance of certainty and share of right answers over bins, weighted with their pictures."""
    ### BEGIN SOLUTION
    where = np.minimum((n_bins * certainty).astype(int), n_bins - 1)
    missing = np.bincount(where, right - certainty, minlength=n_bins)  # n_b (r_b - c_b)
    return np.abs(missing).sum() / len(certainty)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"), np.errstate(all="ignore"):
    certainty = np.array([0.62, 0.64, 0.66, 0.68, 0.91, 0.97])
    right = np.array([True, False, False, False, True, True])
    answer, number = calibration_error(certainty, right), np.array([4, 2])
    assert np.shape(answer) == (), "One number for all bins together."
    assert np.isfinite(answer), "An empty bin became 0/0: leave it out."
    assert answer >= 0, "A distance is not negative: take the absolute value in each bin."
    bins, middle = np.array([0.40, 0.06]), np.array([0.40, 0.05])  # distances, one to the bin's centre
    alone = np.abs(right - certainty).mean()
    assert not np.isclose(answer, alone), "That compares single pictures: average in each bin, then the absolute value."
    assert not np.isclose(answer, (4 * 0.40 - 2 * 0.06) / 6), (
        "Bins do not cancel: absolute value in each, then the sum."
    )
    assert not np.any(np.isclose(answer, bins.sum() / [1, 2, 10])), "Weight each bin with its share of pictures, n_b/n."
    assert not np.isclose(answer, number @ middle / 6), "Take the mean certainty in a bin, not the bin's centre."
    assert not np.isclose(answer, number @ bins), "Divide by the number of pictures."
    assert not np.isclose(answer, bins.max()), "That is the largest distance: take the mean over the pictures."
    assert not np.isclose(answer, number @ bins / 6 * 100), "A share, please, not percent."
    assert np.isclose(answer, number @ bins / 6), "4 pictures in one bin, 2 in another: (4 · 0.40 + 2 · 0.06)/6."
    sure = calibration_error(np.ones(4), np.array([True, True, True, False]))
    assert np.isclose(sure, 0.25), "A certainty of exactly 1 belongs to the last bin."
    wide = calibration_error(np.array([0.12, 0.18, 0.52, 0.58]), np.array([False, True, False, True]))
    assert np.isclose(wide, (2 * 0.35 + 2 * 0.05) / 4), "Bins of equal width from 0 to 1, whatever certainties came."
    single = calibration_error(certainty, right, n_bins=1)
    assert np.isclose(single, 4.48 / 6 - 0.5), (
        "With n_bins=1 all pictures share one bin: is there a 10 in your function?"
    )


# %% tags=["wrong"]
# hint: Bins do not cancel
def calibration_error(certainty, right, n_bins=10):
    return abs(np.mean(right) - np.mean(certainty))


# %% tags=["wrong"]
# hint: compares single pictures
def calibration_error(certainty, right, n_bins=10):
    return np.mean(np.abs(right - certainty))


# %% tags=["wrong"]
# hint: share of pictures
def calibration_error(certainty, right, n_bins=10):
    where = np.minimum((n_bins * certainty).astype(int), n_bins - 1)
    return np.mean([abs(np.mean(right[where == b]) - np.mean(certainty[where == b])) for b in np.unique(where)])


# %% tags=["wrong"]
# hint: not the bin's centre
def calibration_error(certainty, right, n_bins=10):
    where = np.minimum((n_bins * certainty).astype(int), n_bins - 1)
    missing = np.bincount(where, right - (where + 0.5) / n_bins, minlength=n_bins)
    return np.abs(missing).sum() / len(certainty)


# %% tags=["wrong"]
# hint: belongs to the last bin
def calibration_error(certainty, right, n_bins=10):
    where = np.digitize(certainty, np.linspace(0, 1, n_bins + 1)) - 1
    missing = np.bincount(where, right - certainty, minlength=n_bins)
    return np.abs(missing[:n_bins]).sum() / len(certainty)


# %%
def by_histograms(certainty, right, n_bins=10):
    edges = np.linspace(0, 1, n_bins + 1)
    sums = (np.histogram(certainty, edges, weights=values)[0] for values in (right.astype(float), certainty))
    return np.abs(np.subtract(*sums)).sum() / len(certainty)


calibration_error = tasks.solved(calibration_error, otherwise=by_histograms, task="Task 4")


# %%
def judge(probability, true_class):
    """Mean certainty, accuracy and calibration error."""
    certainty, right = probability.max(axis=1), probability.argmax(axis=1) == true_class
    return certainty.mean(), right.mean(), calibration_error(certainty, right)


for name, *_ in shown:
    certain, right, error = np.array([judge(some, test_labels) for some in answers[name]]).T
    print(f"{name}: certainty {certain.mean():.1%}, accuracy {right.mean():.1%}, ", end="")
    print(f"ECE {error.mean():.1%} ± {error.std(ddof=1):.1%}")
certainty = answers["network, with remedies"][0].max(axis=1)
lots = np.random.default_rng(4).random((100, n_test)) < certainty  # right as often as the certainty says
perfect = [calibration_error(certainty, right) for right in lots]
print(f"ECE of a perfectly calibrated network on so many pictures: {np.mean(perfect):.1%} ± {np.std(perfect):.1%}")

# %% [markdown]
# The network without remedy believes to be right in 57.8 % of the cases, and is in 52.7 %. It has an ECE of 5.1 ± 0.2
# %. The network with remedies is a point too careful, 54.9 and 55.9 %, two binomial errors; its ECE is 2.1 ± 0.6 %.
# Compare that with chance: where each picture is right as often as its certainty says, the ECE is not 0 but 1.0 ± 0.3
# %, because bins fluctuate and absolute values do not cancel.
#
# ## One parameter mends it
#
# Softmax is a Boltzmann distribution, and it has a temperature. Raise all probabilities to the power of $1/T$ and let
# them add up to 1 again: with $T > 1$ the differences shrink, with $T < 1$ they grow. The order of the classes stays,
# and with it the accuracy. One number, common to all pictures: fit it by maximum likelihood, on pictures that the
# network has not learned from. That is **temperature scaling** (Guo et al.).
#
# ### Task 5: the temperature
#
# Write `fit_temperature(probability, true_class)`: return the temperature $T$ for which the cross-entropy of
# `tempered(probability, T)` is smallest. The probabilities (n, K) are a network's, the true classes (n,). $T$ lies
# between 0.1 and 10. `optimize.minimize_scalar` of SciPy finds the minimum of a function of one variable; its
# arguments `bounds=(low, high), method="bounded"` keep it inside.
#
# Guess first: is $T$ larger or smaller than 1 for each of the two kinds of network?


# %%
def tempered(probability, temperature):
    """Probabilities (n, K) at another temperature."""
    logits = np.log(np.maximum(probability, 1e-30)) / temperature  # up to a constant
    power = np.exp(logits - logits.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


# %%
def fit_temperature(probability, true_class):
    """Temperature of the smallest cross-entropy."""
    ### BEGIN SOLUTION
    rows = np.arange(len(true_class))

    def cross_entropy(temperature):
        return -np.mean(np.log(tempered(probability, temperature)[rows, true_class] + 1e-30))

    return optimize.minimize_scalar(cross_entropy, bounds=(0.1, 10), method="bounded").x
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"), np.errstate(all="ignore"):
    draw = np.random.default_rng(5)
    honest = draw.dirichlet(np.full(4, 0.7), size=4000)  # (4000, 4)
    true_class = (draw.random((4000, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    loss = lambda probability, t: log_loss(true_class, tempered(probability, t), labels=range(4))  # noqa: E731
    answer = fit_temperature(honest, true_class)
    assert np.asarray(answer).dtype != object, "Return one number: `minimize_scalar` returns more, T is its `.x`."
    assert np.shape(answer) != (1,), "One number, not an array of one: `minimize_scalar`, or `.x[0]` of `minimize`."
    assert np.shape(answer) == (), "Return one temperature for all pictures together."
    assert 0.1 <= answer <= 10, "Keep T between 0.1 and 10, with bounds and method='bounded'."
    boastful = fit_temperature(tempered(honest, 0.5), true_class)
    assert not np.isclose(boastful, 0.5, atol=0.05), "That is 1/T: tempered(p, T) divides the logits by T."
    assert not np.isclose(answer, loss(honest, 1), rtol=1e-3), "That is the smallest cross-entropy itself: T is `.x`."
    assert answer > 0.11, "The smallest T: is the sign right, and is it log p of the true class, not of the best one?"
    assert answer < 9.9, "The largest T: is the sign right? Minimise -mean of log p, of row i only at true_class[i]."
    assert np.isclose(answer, 1, atol=0.06), "Honest probabilities need T near 1: minimise the cross-entropy alone."
    assert np.isclose(boastful, 2 * answer, rtol=1e-2), (
        "Logits twice too large need twice the T, to 1 %: is the range cut off, or the grid too coarse?"
    )
    careful = fit_temperature(tempered(honest, 3.0), true_class)
    assert np.isclose(careful, answer / 3, rtol=1e-2), (
        "Logits 3 times too small need a third of the T: search fine enough."
    )
    around = [loss(honest, factor * answer) for factor in (0.97, 1, 1.03)]
    assert around[1] == min(around), "Close, but not at the minimum: T is off by 3 % or more."
    uneven = np.concatenate([tempered(honest[:2000], 0.25), tempered(honest[2000:], 2)])
    answer = fit_temperature(uneven, true_class)
    around = [loss(uneven, factor * answer) for factor in (0.95, 1, 1.05)]
    assert around[1] == min(around), "Half boastful, half too careful: your T is not where cross-entropy is smallest."


# %% tags=["wrong"]
# hint: That is 1/T
def fit_temperature(probability, true_class):
    return min(np.geomspace(0.1, 10, 400), key=lambda power: log_loss(true_class, tempered(probability, 1 / power)))


# %% tags=["wrong"]
# hint: not of the best one
def fit_temperature(probability, true_class):
    def loss(temperature):
        return -np.mean(np.log(tempered(probability, temperature).max(axis=1)))

    return optimize.minimize_scalar(loss, bounds=(0.1, 10), method="bounded").x


# %% tags=["wrong"]
# hint: is the sign right
def fit_temperature(probability, true_class):
    return max(np.linspace(0.1, 10, 400), key=lambda t: log_loss(true_class, tempered(probability, t)))


# %% tags=["wrong"]
# hint: T is its `.x`
def fit_temperature(probability, true_class):
    return optimize.minimize_scalar(
        lambda t: log_loss(true_class, tempered(probability, t)), bounds=(0.1, 10), method="bounded"
    )


# %% tags=["wrong"]
# hint: search fine enough
def fit_temperature(probability, true_class):
    return min(np.arange(0.1, 10, 0.1), key=lambda t: log_loss(true_class, tempered(probability, t)))


# %% tags=["expected"]
def by_grid(probability, true_class):
    return min(np.geomspace(0.1, 10, 500), key=lambda t: log_loss(true_class, tempered(probability, t)))


fit_temperature = tasks.solved(fit_temperature, otherwise=by_grid, task="Task 5")
figure, axes = plt.subplots(figsize=(4.8, 4.4), layout="constrained")
mended, temperatures = {}, {}
for (name, color, marker), trained in zip(shown, (plain["as they are"], networks)):
    temperatures[name] = [fit_temperature(ask(some, validation_pictures), validation_labels) for some in trained]
    mended[name] = [tempered(some, t) for some, t in zip(answers[name], temperatures[name])]
    plotting.reliability(mended[name][0], test_labels, marker=marker, color=color, label=f"{name}, mended", ax=axes)
axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
axes.legend(fontsize="small")
plt.show()

# %% tags=["result"]
print(f"accuracy on {n_test} test pictures (binomial error {np.sqrt(0.25 / n_test):.1%})")
for name, values in accuracy.items():
    print(f"{name}: {values.mean():.1%}" + (f" ± {values.std(ddof=1):.1%} over seeds" if len(values) > 1 else ""))
for name, *_ in shown:
    print(f"{name}: temperature {np.mean(temperatures[name]):.2f} ± {np.std(temperatures[name], ddof=1):.2f}")
    for when, several in (("before", answers[name]), ("after", mended[name])):
        certain, right, error = np.array([judge(some, test_labels) for some in several]).T
        loss = np.mean([log_loss(test_labels, some, labels=range(10)) for some in several])
        kept = np.concatenate([some.max(axis=1) > 0.9 for some in several])
        hits = np.concatenate([some.argmax(axis=1) == test_labels for some in several])
        print(f"  {when}: ECE {error.mean():.1%} ± {error.std(ddof=1):.1%}, cross-entropy {loss:.3f}", end=", ")
        print(f"{kept.mean():.1%} above 0.9, of these right: {hits[kept].sum() / max(kept.sum(), 1):.1%}")

# %% [markdown]
# The network without remedy was too hot-headed: T is 1.23 ± 0.01 over three seeds. At that temperature its points
# come back near the diagonal, its ECE falls from 5.1 to 1.3 %, its cross-entropy from 1.369 to 1.351, and not a
# single answer changes. One number, fitted to 5,000 pictures that it had not learned from. With remedies there is
# nothing to mend: T is 1.03. The ECE even rises from 2.1 to 2.6 %: the temperature minimises the cross-entropy, not
# the ECE, and one parameter cannot bend the curve.
#
# What does it do to a cut? Keep what has a certainty above 0.9. Without remedy these are 11.7 % of the pictures, of
# which 90.4 % are right: the cut holds what it promises, but only just, for the mean certainty of what it keeps is
# near 96 %. After the mending it keeps 6.6 %, with 93.9 % right. With two classes, gamma and proton, the temperature
# would not change the order of the events, nor how many protons a cut lets in that keeps 90 % of the gammas ([lesson
# 33](33_mass.ipynb) draws this as a ROC curve). It separates nothing better. It says what a cut at 0.9 means.
#
# ## Sure, and wrong
#
# Look at the pictures that the first network named wrongly with the greatest certainty (after the mending). Choose
# what it called them.


# %%
probability = mended["network, with remedies"][0]
certainty, named = probability.max(axis=1), probability.argmax(axis=1)


def draw_mistakes(number):
    """The 16 most certain wrong test pictures; `number` is the class that was named, -1 for any."""
    wrong = (named != test_labels) & ((named == number) | (number < 0))
    chosen = np.flatnonzero(wrong)[np.argsort(-certainty[wrong])][:16]
    titles = [f"{CLASSES[named[i]]} {certainty[i]:.1%}\nis {CLASSES[test_labels[i]]}" for i in chosen]
    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    return picture_plots.pictures(test["image"][chosen], titles=titles, columns=8, figure=figure)


options = {"any class": -1} | {name: number for number, name in enumerate(CLASSES)}
viewer.with_sliders(draw_mistakes, number=viewer.Choice("called", -1, options))

# %% [markdown]
# The first frog was labelled a cat. Look at it, and decide whom you believe: Northcutt et al. found wrong labels in
# the test sets of ten well-known collections, CIFAR-10 among them. For many of the other mistakes you see a reason:
# airplanes over water, a ship before plain blue, a yellow bird among leaves, a dog that stands like a horse, a red
# truck taken for a car. A certainty of 98 % tells how well a picture fits the templates of a class; the network has
# no way to say that it has never seen anything like this.
#
# ### Task 6: do it with less
#
# Write `build_smaller()`: a network that reads pictures (B, 32, 32, 3) and returns ten probabilities, with fewer than
# half of the 855,050 parameters, and without convolutions, which come in [lesson 22](22_cifar10_cnn.ipynb). The cell
# below the check trains it as the three above and compares.
#
# Ideas: most parameters sit in the first layer, so which of its 3,072 inputs do you need? May you average 2×2 pixels
# (`layers.AveragePooling2D`)? Is a third layer worth its parameters? Which dropout suits a smaller network? Try on
# the validation pictures as often as you like, and remember what the best of twenty tries is worth.


# %%
def build_smaller():
    """Network without convolutions, with fewer than 427,525 parameters: pictures (B, 32, 32, 3) to (B, 10)."""
    ### BEGIN SOLUTION
    stack = [keras.Input((32, 32, 3)), layers.AveragePooling2D(2), layers.Flatten()]  # (B, 768)
    for units in (384, 256):
        stack.append(layers.Dense(units, activation="relu", kernel_initializer="he_normal"))
    return keras.Sequential([*stack, layers.Dropout(0.3), layers.Dense(10, activation="softmax")])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    candidate = build_smaller()
    assert isinstance(candidate, keras.Model), "Return a Keras model."
    assert candidate.built, "The network does not know its input: begin with keras.Input((32, 32, 3))."
    assert candidate.input_shape == (None, 32, 32, 3), "It should read pictures (B, 32, 32, 3): keras.Input first."
    assert len(candidate.output_shape) == 2, "Each pixel has its own answer: a Flatten is missing before Dense."
    assert candidate.output_shape == (None, 10), "It should return ten numbers for each picture."
    assert not any(len(weight.shape) == 4 for weight in candidate.weights), "No convolutions yet, please."
    assert not any("conv" in type(layer).__name__.lower() for layer in candidate.layers), "No convolutions yet, please."
    assert candidate.count_params() < 427_525, "Fewer than half of 855,050 parameters: the first layer has most."
    probe = np.random.default_rng(6).normal(size=(8, 32, 32, 3)).astype("float32")
    answer = candidate.predict_on_batch(probe)
    assert answer.min() >= 0, "A probability is not negative: softmax at the end."
    assert np.allclose(answer.sum(axis=1), 1, atol=1e-4), "Ten probabilities add up to 1: softmax at the end."
    assert np.std(answer, axis=0).max() > 1e-4, "All pictures get the same answer: do they reach the output?"
    assert candidate.count_params() > 7_850, "That is less than a hidden layer of ten neurons on 768 numbers: try more."


# %% tags=["wrong"]
# hint: Fewer than half
def build_smaller():
    return build()


# %% tags=["wrong"]
# hint: a Flatten is missing
def build_smaller():
    hidden = layers.Dense(128, activation="relu")
    return keras.Sequential([keras.Input((32, 32, 3)), hidden, layers.Dense(10, activation="softmax")])


# %% tags=["wrong"]
# hint: softmax at the end
def build_smaller():
    hidden = layers.Dense(64, activation="relu")
    return keras.Sequential([keras.Input((32, 32, 3)), layers.Flatten(), hidden, layers.Dense(10)])


# %% tags=["wrong"]
# hint: No convolutions
def build_smaller():
    convolution = layers.Conv2D(16, 3, activation="relu")
    return keras.Sequential(
        [keras.Input((32, 32, 3)), convolution, layers.Flatten(), layers.Dense(10, activation="softmax")]
    )


# %%
build_smaller = tasks.solved(build_smaller, otherwise=lambda: build((128,), 0.1), task="Task 6")
keras.utils.set_random_seed(1)
smaller = build_smaller()
history = train_network(smaller, changed, n_epochs, seed=1)
print(f"{smaller.count_params():,} parameters: {history['val_accuracy'][-1]:.1%} of the validation pictures")
before = [history["val_accuracy"][-1] for history in histories]
print(f"855,050 parameters, {len(seeds)} seeds: {np.mean(before):.1%} ± {np.std(before, ddof=1):.1%}")

# %% [markdown]
# Fewer than half of the parameters, and 56.2 % of the validation pictures right, where the large network had 55.5 ±
# 0.5 %: blocks of 2×2 pixels were averaged before the first layer (one training, seed 1). You told the network that
# neighbours are alike; the details that got lost seem to have been noise to it. If so little knowledge about pictures
# makes up for half of the parameters, build more of it in: [lesson 22](22_cifar10_cnn.ipynb).
#
# ## What you learned
#
# - A dense network sees a list of numbers: scramble the pixels, and it learns as much, 53 % of the validation
#   pictures either way.
# - Standardise, with mean and spread of the training pictures alone: it saves training steps.
# - 855,050 parameters, 405,000 conditions: without remedies 68 % right on what it knows and 53 % on the rest. With
#   dropout, mirrored and shifted pictures and more epochs: 55.9 ± 0.4 % on the test pictures, 4 points ahead of
#   Gaussian clouds.
# - The binomial error tells what other pictures would give, the spread over seeds what another training would give.
# - Overtrained networks are too sure. Reliability and ECE show it, a temperature mends it; accuracy stays what it
#   was.
#
# ## Go further
#
# - Give the training pictures random labels, and train without a remedy. How many of them does the network get right
#   in the end, and how long does it take (Zhang et al.)?
# - Average the probabilities of the three networks, and those of a picture and its mirror image. What does each gain,
#   and what happens to the temperature?
# - The classes come in equal parts here. In an air-shower sample there are a thousand protons for each gamma. What
#   does that do to a calibrated gammaness, and how do you correct it ([lesson 33](33_mass.ipynb))?
# - Train on the first 2,000, 5,000, 15,000 and 45,000 pictures, and draw the accuracy of the network and of the
#   Gaussian clouds against the number. Where would they be with ten times as many?
#
# ## References
#
# - A. Krizhevsky, *Learning multiple layers of features from tiny images*, University of Toronto (2009): CIFAR-10.
# - T. Ho-Phuoc, *CIFAR10 to compare visual recognition performance between deep neural networks and humans*, 2018,
#   [doi:10.48550/arXiv.1811.07270](https://doi.org/10.48550/arXiv.1811.07270).
# - B. Barz and J. Denzler, *Do we train on test data? Purging CIFAR of near-duplicates*, J. Imaging 6 (2020) 41,
#   [doi:10.3390/jimaging6060041](https://doi.org/10.3390/jimaging6060041).
# - C. Guo et al., *On calibration of modern neural networks*, Proc. 34th Int. Conf. on Machine Learning (2017),
#   [doi:10.48550/arXiv.1706.04599](https://doi.org/10.48550/arXiv.1706.04599).
# - C. Northcutt, A. Athalye and J. Mueller, *Pervasive label errors in test sets destabilize machine learning
#   benchmarks*, NeurIPS Datasets and Benchmarks (2021),
#   [doi:10.48550/arXiv.2103.14749](https://doi.org/10.48550/arXiv.2103.14749).
# - C. Zhang et al., *Understanding deep learning requires rethinking generalization*, Int. Conf. on Learning
#   Representations (2017), [doi:10.48550/arXiv.1611.03530](https://doi.org/10.48550/arXiv.1611.03530).
