# %% [markdown]
# # Which nucleus was it?
#
# **You will be able to**
# - build a network whose form follows from the likelihood of the data,
# - judge a classifier by accuracy, confusion, ROC, merit factor and calibration, each with its uncertainty,
# - say how far it is from a classical method, and from the best accuracy that is possible,
# - move class probabilities from one prior to another,
# - measure the composition of an unknown sample, with an error that covers the truth as often as it claims.
#
# **Time** 45 min reading, 75 min tasks; runs in 5 min on two CPU cores.
# **You need** [lesson 31](31_footprints.ipynb), [lesson 32](32_xmax.ipynb), and what a softmax is ([lesson
# 12](12_neural_networks.ipynb)).

# %%
from dataclasses import replace

from showertools import (
    composition,
    datasets,
    footprints,
    front_fit,
    limits,
    metrics,
    pixel_features,
    plotting,
    profile,
    tasks,
)

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

MASSES = np.array([1, 4, 14, 56])
LOG_MASS = np.log(MASSES)
LABELS = [plotting.MASS_LABELS[mass] for mass in MASSES]

# %% [markdown]
# ## Four nuclei
#
# Protons, helium, nitrogen and iron come down in equal parts. You see a footprint; which one was it? In [lesson
# 31](31_footprints.ipynb) no single number could tell.
#
# The showers are those of [lesson 32](32_xmax.ipynb): 36,000 to train on, 4,000 to watch, and 4,000 others that stay
# closed until the end. Classes get the numbers 0 to 3.

# %%
n_known = profile.pick(full=40_000, quick=2_500)
n_test = profile.pick(full=4_000, quick=400)
known = footprints.simulate(n_known, seed=32)
test = footprints.simulate(n_test, seed=33)
n_train = n_known * 9 // 10
train = {name: values[:n_train] for name, values in known.items()}
validation = {name: values[n_train:] for name, values in known.items()}
train_class, validation_class, test_class = (
    np.searchsorted(MASSES, some["mass_number"]) for some in (train, validation, test)
)

# %% [markdown]
# ### Task 1: the merit factor
#
# A common measure of how well one number separates two kinds of showers:
#
# $$\mathrm{MF} = \frac{|\langle a\rangle - \langle b\rangle|}{\sqrt{\sigma_a^2 + \sigma_b^2}}.$$
#
# Write `merit_factor(first, second)` for the values of that number in the two kinds, shapes (n,) and (m,).


# %%
def merit_factor(first, second):
    """Distance of the means over the root of the summed variances."""
    ### BEGIN SOLUTION
    return abs(np.mean(first) - np.mean(second)) / np.sqrt(np.var(first) + np.var(second))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    low, high = np.array([-4.0, 4.0]), np.array([17.0, 23.0, 17.0, 23.0])  # 0 ± 4 and 20 ± 3
    assert np.ndim(merit_factor(low, high)) == 0, "Return one number: first the means, then their difference."
    assert merit_factor(low, high) > 0, "Which of the two comes first should not matter: take the absolute difference."
    assert not np.isclose(merit_factor(low, high), 20 / 7), "Spreads add in quadrature: √(4² + 3²) = 5, not 4 + 3."
    assert not np.isclose(merit_factor(low, high), 20 / 25), "That is over the variances: take the root of their sum."
    assert np.isclose(merit_factor(low, high), 4), "Means 20 apart, spreads 4 and 3: the merit factor is 4."


# %% tags=["wrong"]
# hint: absolute difference
def merit_factor(first, second):
    return (np.mean(first) - np.mean(second)) / np.sqrt(np.var(first) + np.var(second))


# %% tags=["wrong"]
# hint: add in quadrature
def merit_factor(first, second):
    return abs(np.mean(first) - np.mean(second)) / (np.std(first) + np.std(second))


# %% tags=["wrong"]
# hint: take the root
def merit_factor(first, second):
    return abs(np.mean(first) - np.mean(second)) / (np.var(first) + np.var(second))


# %% tags=["expected"]
merit_factor = tasks.solved(merit_factor, otherwise=metrics.merit_factor, task="Task 1")
filled = (train["counts"] > 0).sum(axis=(1, 2))
shown = ((train["xmax"], r"true $X_\mathrm{max}$ [g/cm²]"), (filled, "filled pixels"))
figure, panels = plt.subplots(1, 2, figsize=(9.5, 3.5), layout="constrained")
for panel, (quantity, name) in zip(panels, shown):
    bins = np.linspace(*np.quantile(quantity, [0.001, 0.999]), 50)
    plotting.by_mass(quantity, train["mass_number"], bins, ax=panel)
    merit = merit_factor(quantity[train_class == 0], quantity[train_class == 3])
    panel.set(xlabel=name, title=f"p against Fe: merit factor {merit:.2f}")
panels[0].legend()
plt.show()

# %% [markdown]
# Even the true $X_\mathrm{max}$, which nobody has, reaches a merit factor of 1.6 between protons and iron; so does the
# number of filled pixels. Their neighbours overlap far more. The mass is in both together, and in the rest of the
# picture.
#
# ## What form should the network have?
#
# Suppose you knew the core, the start and $X_\mathrm{max}$. Then each pixel is filled independently of the others: a
# Poisson number of muons, of which the first comes at some time. So the logarithm of the likelihood is a **sum over
# pixels**,
#
# $$\ln L(A, X_\mathrm{max}) = \sum_\mathrm{pixels} \varphi_{A, X_\mathrm{max}}(\text{count}, \text{time},
# \text{distance to the core}).$$
#
# The convolutional network of lesson 32 could learn this, but it has to find the core and to count muons to a few
# percent, with convolutions that know neither. The **deep set** of lesson 32 has the form of the formula: the same
# small network $\varphi$ looks at each pixel and returns 48 numbers, these are *averaged over all pixels*, and a second
# small network concludes from the 48 averages. The order of the pixels cannot matter, so no training picture has to be
# turned.
#
# It needs the core and the start. The front fit of lesson 32 knows the core to 6 m.
# [`pixel_features`](../showertools/pixel_features.py) writes four numbers into each pixel: the logarithm of 1 + count;
# the delay behind the fitted start, compared with what is usual at that distance; whether a muon came; the distance to
# the fitted core.

# %%
# NBVAL_CHECK_OUTPUT
train_pixels, validation_pixels, test_pixels = (
    pixel_features.pixel_features(some["counts"], some["arrival_time"]) for some in (train, validation, test)
)
print(train_pixels[0].shape, test_pixels[0].shape, pixel_features.FEATURES)

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
names = ("log of 1 + count", "delay [usual spreads]", "distance [300 m] − 1")
scales = (("viridis", 0, 3), ("coolwarm", -5, 5), ("viridis", -1, 1))
for panel, number, name, (colors, low, high) in zip(panels, (0, 1, 3), names, scales):
    picture, extent = train_pixels[0, ..., number], (-480, 480, -480, 480)
    image = panel.imshow(picture, cmap=colors, vmin=low, vmax=high, origin="lower", extent=extent)
    panel.set(xlabel="x [m]", ylabel="y [m]")
    figure.colorbar(image, ax=panel, label=name)
plt.show()

# %% [markdown]
# One shower as the network sees it. Right: the distances are those to the fitted core of *this* shower.


# %%
def build_network(n_outputs, activation):
    """Deep set over pixels: pictures (B, 32, 32, 4) to (B, n_outputs)."""
    picture = keras.Input((32, 32, len(pixel_features.FEATURES)))
    z = picture
    for _ in range(2):  # kernels of 1×1: the same small network for each pixel
        z = layers.Conv2D(48, 1, activation="relu", kernel_initializer="he_normal")(z)  # (B, 32, 32, 48)
    z = layers.GlobalAveragePooling2D()(z)  # (B, 48), the sum over pixels, up to a factor
    z = layers.BatchNormalization(momentum=0.95)(z)  # averages differ little between showers: stretch the differences
    z = layers.Dense(128, activation="relu")(z)
    z = layers.Dense(64, activation="relu")(z)
    return keras.Model(picture, layers.Dense(n_outputs, activation=activation)(z))


# %%
# NBVAL_CHECK_OUTPUT
print(f"{build_network(4, 'softmax').count_params():,} parameters")

# %% [markdown]
# That is a tenth of the parameters of lesson 32's convolutional network. Four outputs with a softmax are probabilities;
# the loss is the cross-entropy, minus the mean logarithm of the probability given to the true class.

# %%
epochs = profile.pick(full=5, quick=3)


def train_network(seed, targets, watched, n_outputs=4, activation="softmax", loss="sparse_categorical_crossentropy"):
    """Train one network on the training showers; returns it and its history."""
    keras.utils.set_random_seed(seed)
    network = build_network(n_outputs, activation)
    steps = epochs * -(-n_train // 64)
    rate = keras.optimizers.schedules.CosineDecay(
        1.5e-4, int(0.9 * steps), alpha=0.01, warmup_target=3e-3, warmup_steps=int(0.1 * steps)
    )
    network.compile(keras.optimizers.Adam(rate), loss=loss)
    seen = network.fit(
        train_pixels, targets, batch_size=64, epochs=epochs, validation_data=(validation_pixels, watched), verbose=0
    )
    return network, seen.history


networks, histories = [], []
for seed in (1, 2, 3):
    network, history = train_network(seed, train_class, validation_class)
    networks.append(network)
    histories.append(history)
    print(f"seed {seed}: cross-entropy {history['val_loss'][-1]:.3f} on the validation showers")

# %%
axes = plotting.history(histories[0])
axes.set(ylabel="cross-entropy", xticks=range(1, epochs + 1), yscale="linear")
plt.show()

# %% [markdown]
# The validation loss lies below the training loss, for two reasons: the latter is a mean over the epoch, while the
# network still improves, and batch normalisation works with the averages of 64 showers only. With so few parameters,
# each used 1,024 times a picture, there is nothing to memorise.
#
# ## A classical method on the same showers
#
# Describe each shower by 47 numbers as an analyst would: muons, filled pixels, height and offset of the front fit, and
# four numbers in each of ten rings around the core. A logistic regression on these numbers and their squares turns them
# into probabilities. It too is tuned: its strength of regularisation is chosen on the validation showers.


# %%
def by_hand(showers):
    """Numbers (n, 47) that describe each shower."""
    front = front_fit.fit_front(showers["counts"], showers["arrival_time"])
    rings = front_fit.ring_profiles(showers["counts"], showers["arrival_time"], front)  # (n, 10, 4)
    muons, filled = showers["counts"].sum(axis=(1, 2)), (showers["counts"] > 0).sum(axis=(1, 2))
    offset = np.abs(front["core"]) / 100
    few = [np.log(muons), np.log(filled), np.log(front["height"]), *offset.T, *offset.T**2]
    return np.column_stack([*few, rings.reshape(len(muons), -1)])


with_squares = FunctionTransformer(lambda numbers: np.hstack([numbers, numbers**2]))
train_numbers, validation_numbers, test_numbers = (by_hand(some) for some in (train, validation, test))
regressions = [
    make_pipeline(StandardScaler(), with_squares, StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(
        train_numbers, train_class
    )
    for strength in (1.0, 10.0, 100.0)
]
classical = max(regressions, key=lambda some: some.score(validation_numbers, validation_class))
print(f"chosen on the validation showers: C = {classical[-1].C}")

# %% [markdown]
# ## How well can it be done at all?
#
# No classifier is right more often than the one that computes the posterior probability of each nucleus and names the
# most probable (Bayes). The toy's likelihood is known, so [`limits`](../showertools/limits.py) can do that: it
# integrates over $X_\mathrm{max}$, core, start and number of muons. For 20 test showers:

# %%
few = {name: values[:20] for name, values in test.items()}
posterior = limits.footprint_posterior(few, seed=1)["probability"]  # (20, 4)
for row in range(4):
    shares = ", ".join(f"{label} {100 * value:.0f} %" for label, value in zip(LABELS, posterior[row]))
    print(f"{LABELS[test_class[row]]:2s} is called: {shares}")
print(f"best possible accuracy from 20 showers: {posterior.max(axis=1).mean():.2f}")

# %% [markdown]
# The best possible accuracy is the mean of the largest probability: if the posterior says 70 %, the best classifier is
# right in 70 % of such cases. A file holds the posteriors of all 4,000 test showers (`python
# notebooks/make_footprint_limit.py` makes it).
#
# Now open the test set, once.

# %%
stored = datasets.load(datasets.data_file("footprint_limit.h5"))
limit = {name: values[:n_test] for name, values in stored.items()}
assert np.allclose(limit["true_xmax"], test["xmax"]), "The file belongs to other showers: make it again."

single = [network.predict(test_pixels, batch_size=500, verbose=0).astype(float) for network in networks]
probabilities = {
    "classical": classical.predict_proba(test_numbers),
    **{f"network, seed {seed}": some for seed, some in zip((1, 2, 3), single)},
    "mean of three networks": np.mean(single, axis=0),
    "Bayes": limit["probability"].astype(float),
}


# %%
def accuracy(probability, true_class):
    """Share of showers whose most probable class is the true one."""
    return float(np.mean(probability.argmax(axis=1) == true_class))


best = limit["probability"].max(axis=1).mean()
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
for row, probability in enumerate(probabilities.values()):
    value, low, high = metrics.bootstrap(accuracy, probability, test_class)
    axes.errorbar(value, row, xerr=[[value - low], [high - value]], fmt="o", color="k")
    axes.annotate(f"{100 * value:.1f}", (value, row), xytext=(0, 6), textcoords="offset points", ha="center")
axes.axvspan(best - 0.03, best, color="#e69f00", alpha=0.3, label="within 3 points of the best possible")
axes.set(yticks=range(len(probabilities)), yticklabels=list(probabilities), xlabel="four-class accuracy")
axes.set_ylim(len(probabilities) - 0.5, -0.7)
axes.legend(loc="lower left", fontsize="small")
plt.show()

# %% [markdown]
# Single networks name the right nucleus in 82.9 ± 0.2 % of the showers (seeds 1 to 3), the mean of the three in 83.0 %.
# The best possible is 84.7 % on average; Bayes itself reaches 84.3 % on these 4,000 showers (bars: 68 % intervals, ±
# 0.6 points, common to all rows, as all are judged by the same showers). So 1.3 to 1.8 points are left. The classical
# method reaches 82.5 %, a good result for 47 numbers and their squares: the networks are ahead by half a point, less
# than one error. (Without the squares it comes to 82.0 %. Boosted trees and linear or quadratic discriminants were no
# better on the validation showers.)

# %%
figure, panels = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
for panel, name in zip(panels, ("mean of three networks", "Bayes")):
    found = probabilities[name].argmax(axis=1)
    plotting.confusion(composition.count(test_class, found, 4), LABELS, ax=panel)
    panel.set_title(f"{name} [% of the true class]", fontsize="medium")
plt.show()

# %% [markdown]
# All mistakes are between neighbours. Protons and helium are mixed up most, one shower in six; iron is missed in 3 to 4
# %. And Bayes makes the same mistakes as the networks, nearly as often: they are not the networks' fault, the showers
# look alike.
#
# ## One number for the mass
#
# Physicists like $\ln A$: the mean depth of a shower is linear in it.
#
# ### Task 2: the expected ln A
#
# Write `mean_log_mass(probability, mass_numbers)`: for class probabilities (n, K) and mass numbers (K,) return the
# expected $\ln A$ of each shower (n,), the number with the smallest mean squared error.


# %%
def mean_log_mass(probability, mass_numbers):
    """Expected ln A (n,) of showers with class probabilities (n, K)."""
    ### BEGIN SOLUTION
    return probability @ np.log(mass_numbers)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    even, sure = np.full((1, 4), 0.25), np.array([[0.0, 0.0, 0.0, 1.0]])
    assert np.shape(mean_log_mass(np.ones((5, 4)) / 4, MASSES)) == (5,), "One number for each shower: sum over classes."
    assert np.isclose(mean_log_mass(sure, MASSES)[0], np.log(56)), "A shower that is surely iron has ln A = ln 56."
    answer = mean_log_mass(even, MASSES)[0]
    assert not np.isclose(answer, np.log(75 / 4)), "That is the logarithm of the mean mass: average the logarithms."
    assert not np.any(np.isclose(answer, LOG_MASS)), "Do not choose a class: the others have a say, by probability."
    assert np.isclose(answer, np.mean(LOG_MASS)), "With equal probabilities the answer is the plain mean of the ln A."


# %% tags=["wrong"]
# hint: average the logarithms
def mean_log_mass(probability, mass_numbers):
    return np.log(probability @ mass_numbers)


# %% tags=["wrong"]
# hint: Do not choose a class
def mean_log_mass(probability, mass_numbers):
    return np.log(mass_numbers)[probability.argmax(axis=1)]


# %% tags=["wrong"]
# hint: surely iron
def mean_log_mass(probability, mass_numbers):
    return probability @ np.asarray(mass_numbers)


# %% [markdown]
# Is it better to ask for $\ln A$ directly? Train one more network of the same form, with one output and squared error.

# %%
mean_log_mass = tasks.solved(mean_log_mass, otherwise=composition.mean_log_mass, task="Task 2")
direct, _ = train_network(1, LOG_MASS[train_class], LOG_MASS[validation_class], 1, "linear", "mse")
log_mass = {name: mean_log_mass(probability, MASSES) for name, probability in probabilities.items()}
log_mass["direct regression, seed 1"] = direct.predict(test_pixels, batch_size=500, verbose=0)[:, 0]
alone = {"true Xmax alone": -test["xmax"], "filled pixels alone": (test["counts"] > 0).sum(axis=(1, 2))}

merit = {}
for name, quantity in (alone | log_mass).items():
    iron, proton = (quantity[test_class == number].astype(float) for number in (3, 0))
    several = [merit_factor(*(np.random.default_rng(k).choice(q, len(q)) for q in (iron, proton))) for k in range(200)]
    merit[name] = merit_factor(iron, proton), np.std(several)  # a bootstrap error
    error = f", RMS error of ln A {metrics.rms_error(LOG_MASS[test_class], quantity):.3f}" if name in log_mass else ""
    print(f"{name:25s} merit factor {merit[name][0]:5.2f} ± {merit[name][1]:.2f}{error}")

# %% tags=["expected"]
figure, axes = plt.subplots(figsize=(7, 3.4), layout="constrained")
plotting.by_mass(log_mass["mean of three networks"], test["mass_number"], np.linspace(0, 4.1, 60), ax=axes)
for mass in MASSES:
    axes.axvline(np.log(mass), color=plotting.MASS_COLORS[mass], linestyle=":", linewidth=1)
axes.set(xlabel="expected ln A", yscale="log", ylim=(0.7, None))
axes.legend(title="true class", loc="upper center", ncol=4)
plt.show()

# %% [markdown]
# Look at the merit factor of protons and iron: 1.6 for the true $X_\mathrm{max}$ or the filled pixels alone, 7.3 ± 0.3
# for the networks, 7.6 ± 0.3 for Bayes. And mind its weakness: it counts means and spreads, as if the distributions in
# the figure were normal. They are not, they are squeezed against the dotted lines.
#
# The direct regression is no better (RMS error 0.50 against 0.49 for the classifier of the same seed, with a spread of
# 0.004 over seeds). The classifier knows more: that $\ln A$ has four values only.
#
# ## ROC: where to cut
#
# To select helium among helium and protons, cut on the odds $p_\mathrm{He}/p_\mathrm{p}$. Each cut keeps some helium
# and lets in some protons: a point on the ROC curve. The area under it (AUC) is the probability that of one shower of
# each kind the helium has the higher odds.


# %%
def auc(odds, is_heavier):
    """Area under the ROC curve; takes (n,) both."""
    return roc_auc_score(is_heavier, odds)


figure, axes = plt.subplots(figsize=(5.5, 4.2), layout="constrained")
for heavier, lighter, color in ((1, 0, "#d55e00"), (2, 1, "#009e73"), (3, 2, "#0072b2"), (3, 0, "0.5")):
    pair = (test_class == heavier) | (test_class == lighter)
    for name, who, style in (("mean of three networks", "networks", "-"), ("Bayes", "Bayes", ":")):
        log_probability = np.log(probabilities[name][pair] + 1e-30)
        odds = log_probability[:, heavier] - log_probability[:, lighter]
        value, low, high = metrics.bootstrap(auc, odds, test_class[pair] == heavier)
        label = f"{LABELS[heavier]} against {LABELS[lighter]}, {who}: {value:.3f} ± {(high - low) / 2:.3f}"
        axes.plot(*roc_curve(test_class[pair] == heavier, odds)[:2], style, color=color, label=label)
axes.set(xlabel="share of the lighter kept", ylabel="share of the heavier kept", xlim=(0, 0.5), ylim=(0.5, 1))
axes.legend(title="area under the curve", fontsize="small", loc="lower right")
plt.show()

# %% [markdown]
# Among 2,001 test showers no proton has higher odds for iron than any iron shower: an AUC of 1 (at 95 % confidence,
# fewer than 3 in 1,000 lie on the wrong side). Protons and iron are told apart; the neighbours are the task. For helium
# against protons the networks reach an AUC of 0.905 ± 0.006, Bayes 0.916 ± 0.005.
#
# ## Does 70 % mean 70 %?
#
# Take all test showers to which the network gave a probability near 0.7 for some class. If it is **calibrated**, 70 %
# of them are of that class.

# %%
figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
for name, marker, color in (("network, seed 1", "o", "#0072b2"), ("classical", "s", "#d55e00"), ("Bayes", "^", "k")):
    plotting.reliability(probabilities[name], test_class, marker=marker, label=name, color=color, ax=axes)
axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8)
axes.legend()
plt.show()

# %% [markdown]
# All three lie on the diagonal within errors, Bayes by construction, the other two because they learned it. That is not
# a matter of course: large networks that are trained for long are often too sure of themselves (Guo et al.). This one
# is small, and cross-entropy rewards honest probabilities.
#
# ## Probabilities depend on what you trained on
#
# The network learned from equal parts. Its 70 % hold for a world of equal parts, and for no other. If you know the
# fractions $f_A$ of your sample, Bayes' rule corrects the probabilities: divide by the old prior, multiply by the new
# one, and make the sum 1 again.
#
# ### Task 3: another prior
#
# Write `reweight(probability, prior, trained)` for probabilities (n, K), the fractions (K,) in the sample, and those
# (K,) among the training showers. Return (n, K).


# %%
def reweight(probability, prior, trained):
    """Class probabilities (n, K) under `prior`, from those under `trained`."""
    ### BEGIN SOLUTION
    weighted = probability * np.asarray(prior) / np.asarray(trained)
    return weighted / weighted.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    given, half, uneven = np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([0.5, 0.5]), np.array([0.2, 0.8])
    answer = reweight(given, uneven, half)
    assert np.shape(answer) == (2, 2), "Return one probability for each shower and class, shape (n, K)."
    assert np.allclose(np.sum(answer, axis=1), 1), (
        "Probabilities of each shower should sum to 1: divide by the row's sum."
    )
    assert np.allclose(reweight(given, uneven, uneven), given), (
        "Nothing should change if the sample is mixed like the training: divide by `trained`."
    )
    assert answer[0, 1] > 0.5, "The second class is more frequent now, so it should become more probable."
    assert np.allclose(answer, [[0.2, 0.8], [0.5, 0.5]]), "Multiply by prior / trained, shower by shower."


# %% tags=["wrong"]
# hint: divide by the row's sum
def reweight(probability, prior, trained):
    return probability * prior / trained


# %% tags=["wrong"]
# hint: divide by `trained`
def reweight(probability, prior, trained):
    weighted = probability * prior
    return weighted / weighted.sum(axis=1, keepdims=True)


# %% tags=["wrong"]
# hint: should become more probable
def reweight(probability, prior, trained):
    weighted = probability * trained / prior
    return weighted / weighted.sum(axis=1, keepdims=True)


# %% [markdown]
# ## The composition of a sample
#
# Somebody hands you 1,000 showers and asks: how many of each nucleus? The obvious answer, counting what the network
# calls them, is wrong. Simulate fresh showers for this, 3,000 of each nucleus, and mix a sample of 70 % protons, 20 %
# helium and 10 % nitrogen. Count it three times: as the network was trained, and as if it had been trained on two other
# mixtures.

# %%
reweight = tasks.solved(reweight, otherwise=composition.reweight, task="Task 3")
pool = footprints.simulate(profile.pick(full=12_000, quick=2_400), seed=34)
pool_class = np.searchsorted(MASSES, pool["mass_number"])


def classify(events):
    """Class probabilities (n, 4) from the mean of the three networks."""
    pixels = pixel_features.pixel_features(events["counts"], events["arrival_time"])
    return np.mean([network.predict(pixels, batch_size=500, verbose=0) for network in networks], axis=0, dtype=float)


pool_probability = classify(pool)
pool_found = pool_probability.argmax(axis=1)

# %%
rng = np.random.default_rng(33)
truth = np.array([0.7, 0.2, 0.1, 0.0])
n_sample = profile.pick(full=1000, quick=300)
sample, rest = composition.draw_sample(pool_class, truth, n_sample, rng=rng)
for prior in ([0.25, 0.25, 0.25, 0.25], [0.1, 0.1, 0.4, 0.4], [0.5, 0.3, 0.15, 0.05]):
    called = reweight(pool_probability[sample], np.array(prior), np.full(4, 0.25)).argmax(axis=1)
    shares = np.bincount(called, minlength=4) / n_sample
    print(f"trained on {prior}: " + ", ".join(f"{label} {100 * x:.1f} %" for label, x in zip(LABELS, shares)))
print("truth: " + ", ".join(f"{label} {100 * x:.0f} %" for label, x in zip(LABELS, truth)))

# %% [markdown]
# Counting finds 59 % protons where there are 70 %, and 31 % helium where there are 20 %. More showers would not help:
# it is a bias. More protons leak into the helium class than helium leaks back, because there are more of them. The
# network assumed equal parts; under other assumptions, the same showers give other counts. So counting tells you, in
# part, what you trained on.
#
# The way out needs no correct classifier, only one whose mistakes are known. On showers of known class, measure the
# **response** $R_{Aj}$: the probability that a nucleus $A$ is called $j$. Then the sample is called $j$ with the
# probability
#
# $$p_j = \sum_A f_A\,R_{Aj}.$$
#
# The response must not come from training showers, on which the network does too well, nor from the sample itself. The
# showers that are left over in the pool will do.
#
# ### Task 4: solve for the fractions
#
# Write `invert(counts, response)`: from the number of showers that were called each class (K,), and the response (K, K)
# with rows $A$ and columns $j$, return the fractions $f$ (K,). Do not cut at 0: you will see why.


# %%
def invert(counts, response):
    """Fractions (K,) from counts of predicted classes (K,) and the response (K, K), rows true, columns predicted."""
    ### BEGIN SOLUTION
    return np.linalg.solve(response.T, counts / counts.sum())
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    known_response = np.array([[0.8, 0.2, 0.0], [0.3, 0.6, 0.1], [0.0, 0.1, 0.9]])
    expected_counts = 500 * np.array([0.5, 0.1, 0.4]) @ known_response
    answer = invert(expected_counts, known_response)
    assert np.shape(answer) == (3,), "Return one fraction for each class, shape (K,)."
    rows_as_columns = np.linalg.solve(known_response, expected_counts)
    assert not np.allclose(answer / np.sum(answer), rows_as_columns / rows_as_columns.sum()), (
        "Rows are true classes: in p_j = Σ f_A·R_Aj the sum runs over rows, so the matrix to solve is transposed."
    )
    assert not np.isclose(np.sum(answer), 500), "These are numbers of showers: divide the counts by their sum."
    assert np.allclose(answer, [0.5, 0.1, 0.4]), "Counts that are exactly as expected should give back the fractions."
    none_left = invert(np.array([900.0, 80.0, 20.0]), known_response)
    assert np.isclose(np.sum(none_left), 1), "The fractions should sum to 1 by themselves."
    assert none_left.min() < 0, "Here a fraction is negative, by chance. Leave it: cutting at 0 makes the others wrong."


# %% tags=["wrong"]
# hint: divide the counts by their sum
def invert(counts, response):
    return np.linalg.solve(response.T, counts)


# %% tags=["wrong"]
# hint: to solve is transposed
def invert(counts, response):
    return np.linalg.solve(response, counts / counts.sum())


# %% tags=["wrong"]
# hint: give back the fractions
def invert(counts, response):
    return counts / counts.sum()


# %% tags=["wrong"]
# hint: cutting at 0
def invert(counts, response):
    fractions = np.clip(np.linalg.solve(response.T, counts / counts.sum()), 0, None)
    return fractions / fractions.sum()


# %% [markdown]
# [`composition.fit`](../showertools/composition.py) does the same and propagates two errors: that of the sample's
# counts, and that of the response, which comes from a limited number of showers as well.

# %% tags=["expected"]
invert = tasks.solved(invert, otherwise=composition.invert, task="Task 4")
counts = np.bincount(pool_found[sample], minlength=4)
calibration = composition.count(pool_class[rest], pool_found[rest], 4)  # (4, 4), rows are true classes
fitted = composition.fit(counts, calibration)
assert np.allclose(fitted.fractions, invert(counts, calibration / calibration.sum(axis=1, keepdims=True)))

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
place = np.arange(4)
axes.bar(place, truth, width=0.7, color="0.85", label="truth")
axes.plot(place - 0.15, counts / n_sample, "s", color="#d55e00", label="counted")
axes.errorbar(place + 0.15, fitted.fractions, yerr=fitted.errors, fmt="o", color="#0072b2", label="fitted")
axes.axhline(0, color="k", linewidth=0.8)
axes.set(xticks=place, xticklabels=LABELS, ylabel="fraction of the sample")
axes.legend()
plt.show()
mean, error = fitted.mean(LOG_MASS)
print(f"mean ln A: true {LOG_MASS @ truth:.3f}, fitted {mean:.3f} ± {error:.3f}")

# %% [markdown]
# The fit brings the protons back to 69 ± 3 % and takes the leaked ones out of the helium. The errors are larger than
# those of the mere counts: that is the price of an answer that does not depend on the training mixture. In one sample
# out of three a fraction lies more than one error off, as nitrogen does here, by two.
#
# ## Do the errors cover?
#
# An error that is called 68 % should hold the truth in 68 % of all samples. Try it: 1,000 samples, each of other
# fractions. In half of them one nucleus is missing altogether, the hard case. Each sample is drawn anew from the pool,
# and the showers that are left measure the response.

# %%
n_trials = profile.pick(full=1000, quick=200)
true, fitted_values, errors = np.zeros((3, n_trials, 5))  # of the four fractions and of the mean ln A
for trial in range(n_trials):
    fractions = rng.dirichlet(np.ones(4))
    if trial % 2:
        fractions[rng.integers(4)] = 0
        fractions /= fractions.sum()
    some, others = composition.draw_sample(pool_class, fractions, n_sample, rng=rng)
    found = composition.fit(
        np.bincount(pool_found[some], minlength=4), composition.count(pool_class[others], pool_found[others], 4)
    )
    mean, error = found.mean(LOG_MASS)
    true[trial] = *fractions, LOG_MASS @ fractions
    fitted_values[trial] = *found.fractions, mean
    errors[trial] = *found.errors, error

coverage = np.mean(np.abs(fitted_values - true) < errors, axis=0)
spread = 100 * np.sqrt(0.683 * 0.317 / n_trials)
for name, covered, error in zip([*LABELS, "mean ln A"], coverage, errors.mean(axis=0)):
    print(f"{name:9s} mean error {error:.3f}; 68 % intervals hold the truth in {100 * covered:.1f} ± {spread:.1f} %")

missing = true[:, :4] == 0
raw = fitted_values[:, :4][missing]
standard_error = raw.std() / np.sqrt(len(raw))
print(f"nuclei that are missing: fitted {100 * raw.mean():+.2f} ± {100 * standard_error:.2f} % on average")
print(f"                         cut at 0 {100 * np.clip(raw, 0, None).mean():+.2f} %")

# %% [markdown]
# They do: 66 to 71 % for the four fractions and the mean $\ln A$, each ± 1.5, where 68 % are wanted. With 1,000
# showers, fractions come out to one or two points, and the mean $\ln A$ to 0.05. Where a nucleus is missing, the fit
# finds 0.00 ± 0.05 % on average, because half of the answers are negative. Cut at 0, it finds 0.4 % on average where
# there is nothing, and more samples do not help.
#
# ## What if nature is not your simulation?
#
# The response comes from simulated showers. If real showers are made in another way, no statistics will tell. Try the
# other model of hadronic interactions, QGSJetII-04, whose proton showers are 15 g/cm² shallower, in a sample of equal
# parts.

# %%
usual = footprints.FootprintModel()
full_calibration = composition.count(pool_class, pool_found, 4)


def count_world(model):
    """Counts (4,) of the predicted classes in a sample of equal parts of showers of this model."""
    events = footprints.simulate(profile.pick(full=12_000, quick=400), seed=35, model=model)
    return np.bincount(classify(events).argmax(axis=1), minlength=4)


for name in ("EPOS-LHC", "QGSJetII-04"):
    found = composition.fit(count_world(replace(usual, hadronic_model=name)), full_calibration)
    shares = ", ".join(
        f"{label} {100 * x:.1f} ± {100 * e:.1f} %" for label, x, e in zip(LABELS, found.fractions, found.errors)
    )
    mean, error = found.mean(LOG_MASS)
    print(f"{name}: {shares}; mean ln A {mean:.3f} ± {error:.3f} (true {LOG_MASS.mean():.3f})")

# %% [markdown]
# The EPOS-LHC sample, of which the response knows, comes out right. In the QGSJetII-04 sample, protons are 1.5 points
# too few, nitrogen 1.1 too many, and the mean $\ln A$ is 0.05 too large, more than three of its errors. Shallow showers
# look heavy. It could be worse: between protons and iron lie 96 g/cm², 24 for each unit of $\ln A$, so judged by
# $X_\mathrm{max}$ alone 15 g/cm² would pass for 0.6 units. The number of muons, which this toy does not change with the
# model, holds against it. In nature nobody grants you that.
#
# ### Task 5: which mistake would hurt most?
#
# Write `shift(counts, calibration)`: fit the composition of a sample of which you know that it has equal parts, and
# return by how much the mean $\ln A$ comes out too large, and the error of that number. Then think of three ways in
# which real showers may differ from the toy, such as 10 % more muons (`muons_per_proton=1100`: data do show more than
# simulations), muons made 10 g/cm² higher up (`production_lag=160`), or clocks worse than you think
# (`time_resolution=10`). Guess sign and size of each shift first. Then: could you notice it in the data, without
# knowing the truth? Would a network that is given less, times without counts for example, be safer?


# %%
def shift(counts, calibration):
    """Fitted minus true mean ln A of a sample of equal parts, and its error."""
    ### BEGIN SOLUTION
    mean, error = composition.fit(counts, calibration).mean(LOG_MASS)
    return mean - LOG_MASS.mean(), error
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    few_mistakes = 100 * np.array([[8, 2, 0, 0], [2, 7, 1, 0], [0, 1, 8, 1], [0, 0, 1, 9.0]])
    assert np.size(shift(few_mistakes.sum(axis=0), few_mistakes)) == 2, "Return two numbers: the shift, then its error."
    value, error = shift(np.full(4, 250.0) @ few_mistakes / 1000, few_mistakes)
    assert abs(value) < 1e-6, (
        "This sample is exactly as expected: no shift. Did you subtract the mean of the four ln A?"
    )
    value, error = shift(np.array([0.0, 0.0, 100, 900]), few_mistakes)  # only iron
    assert value > 0, "Too much iron should give a positive shift: fitted minus true."
    assert np.isclose(value, np.log(56) - LOG_MASS.mean(), atol=0.02), "Fit the fractions; counting alone is biased."
    assert np.isclose(error, composition.fit([0, 0, 100, 900], few_mistakes).mean(LOG_MASS)[1]), (
        "The error is that of the fitted mean ln A: `Composition.mean` returns it."
    )


# %% tags=["wrong"]
# hint: subtract the mean
def shift(counts, calibration):
    return composition.fit(counts, calibration).mean(LOG_MASS)


# %% tags=["wrong"]
# hint: fitted minus true
def shift(counts, calibration):
    mean, error = composition.fit(counts, calibration).mean(LOG_MASS)
    return LOG_MASS.mean() - mean, error


# %% tags=["wrong"]
# hint: `Composition.mean` returns it
def shift(counts, calibration):
    found = composition.fit(counts, calibration)
    return found.mean(LOG_MASS)[0] - LOG_MASS.mean(), np.sqrt(np.sum((LOG_MASS * found.errors) ** 2))


# %%
### BEGIN SOLUTION
# stub: guesses = {"10 % more muons": "", "muons made 10 g/cm² higher up": "", "clocks of 10 ns": ""}
worlds = {
    "10 % more muons": {"muons_per_proton": 1100.0},
    "muons made 10 g/cm² higher up": {"production_lag": 160.0},
    "clocks of 10 ns": {"time_resolution": 10.0},
}
for name, change in worlds.items():
    value, error = shift(count_world(replace(usual, **change)), full_calibration)
    print(f"{name:30s} mean ln A shifts by {value:+.3f} ± {error:.3f}")
### END SOLUTION

# %% tags=["result"]
own = [accuracy(some, test_class) for some in single]
value, low, high = metrics.bootstrap(accuracy, probabilities["mean of three networks"], test_class)
interval = f"68 % interval {100 * low:.1f} to {100 * high:.1f}"
print(f"four-class accuracy on {n_test} unseen showers, mean of three networks: {100 * value:.1f} % ({interval})")
print(f"single networks, three seeds: {100 * np.mean(own):.1f} ± {100 * np.std(own, ddof=1):.1f} %")
for name in ("classical", "Bayes"):
    print(f"{name}: {100 * accuracy(probabilities[name], test_class):.1f} %")
print(f"best possible on average: {100 * best:.1f} %")
for name in ("true Xmax alone", "mean of three networks", "Bayes"):
    print(f"merit factor p against Fe, {name}: {merit[name][0]:.2f} ± {merit[name][1]:.2f}")
shares = ", ".join(f"{name} {100 * covered:.0f} %" for name, covered in zip([*LABELS, "ln A"], coverage))
print(f"composition of {n_trials} samples, 68 % intervals cover: {shares}")

# %% [markdown]
# ## What you learned
#
# - If the likelihood is a sum over pixels, build a network that is one: 17,572 parameters are enough.
# - Four nuclei: 82.9 ± 0.2 % right with one network, 84.7 % at best; a classical method comes to 82.5 %. What is wrong
#   is wrong between neighbours, for Bayes as well.
# - Probabilities hold for the mixture that the network was trained on; Bayes' rule moves them to another.
# - Never count predicted classes. Fit the fractions with a response measured on independent showers, leave negative
#   fractions, and test the errors on many samples.
# - The statistical error is half of the story. Ten percent more muons shift the mean $\ln A$ by 0.27, six times its
#   error for 1,000 showers, and the fit does not notice.
#
# ## Go further
#
# - Train a convolutional network like that of lesson 32 on masses, with four outputs. One with 600,000 parameters
#   reached 80 % in six epochs (seed 1), less than the classical method. Then give it `pixel_features` in place of its
#   own input. Which of its difficulties is left?
# - Predicted classes throw away how sure the network was. Use finer bins, such as each class cut in two at its median
#   probability; `composition.fit` takes more bins than classes. How much smaller do the errors get? With more bins than
#   classes you can also ask whether any composition fits the sample at all: does QGSJetII-04 give itself away?
# - Let the probabilities estimate the fractions themselves: start with equal ones, reweight, take the mean as new
#   fractions, repeat (Saerens et al.). Compare error and coverage with those of `composition.fit`, for a calibrated
#   network and for one trained for a single epoch.
#
# ## References
#
# - M. Zaheer et al., *Deep sets*, Advances in Neural Information Processing Systems 30 (2017),
#   [arXiv:1703.06114](https://arxiv.org/abs/1703.06114).
# - M. De Domenico et al., *Reinterpreting the development of extensive air showers initiated by nuclei and photons*,
#   JCAP 07 (2013) 050, [doi:10.1088/1475-7516/2013/07/050](https://doi.org/10.1088/1475-7516/2013/07/050).
# - C. Guo et al., *On calibration of modern neural networks*, Proc. 34th Int. Conf. on Machine Learning (2017),
#   [arXiv:1706.04599](https://arxiv.org/abs/1706.04599).
# - M. Saerens, P. Latinne, C. Decaestecker, *Adjusting the outputs of a classifier to new a priori probabilities: a
#   simple procedure*, Neural Comput. 14 (2002) 21,
#   [doi:10.1162/089976602753284446](https://doi.org/10.1162/089976602753284446).
# - Pierre Auger Collaboration, *Depth of maximum of air-shower profiles at the Pierre Auger Observatory. II.
#   Composition implications*, Phys. Rev. D 90 (2014) 122006,
#   [doi:10.1103/PhysRevD.90.122006](https://doi.org/10.1103/PhysRevD.90.122006).
