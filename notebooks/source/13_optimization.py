# %% [markdown]
# # Optimisation: how a network gets down the slope
#
# **You will be able to**
# - write momentum and Adam in a few lines of NumPy, and say what each of five optimizers remembers,
# - see from its loss curve whether a learning rate is too small, right or too large, and plan its fall,
# - scale, standardise and whiten inputs, and say what that does to the landscape,
# - follow signals and gradients layer by layer through a deep network, and choose its first weights accordingly,
# - make a network of 20 layers learn that would not.
#
# **Time** 50 min reading, 80 min tasks; runs in 3 min on two CPU cores.
# **You need** [lesson 11](11_linear_regression.ipynb) and [lesson 12](12_neural_networks.ipynb).

# %%
from collections import namedtuple
from functools import partial
from itertools import accumulate

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from matplotlib.figure import Figure
from sklearn.linear_model import RidgeCV

from showertools import datasets, footprints, front_fit, metrics, profile, tasks, viewer

# %% [markdown]
# ## A ravine
#
# The front of an air shower sweeps along a row of six stations, 1 to 3 km from the gate of the site. A station at $x$
# is hit at $t = t_0 + s\,x$. The slope is $s = \sin\theta / c$ for a shower that comes in at an angle $\theta$ to the
# vertical; 1.5 µs/km means 27°. You measure six times to 0.05 µs each and want $t_0$ and $s$. Minimise, this time
# without subtracting the mean of $x$ first,
#
# $$J(t_0, s) = \tfrac12\,\big\langle (t_0 + s\,x - t)^2 \big\rangle .$$
#
# $J$ is a bowl. How steep it is in each direction is in its matrix of second derivatives, the **Hessian**. With the
# **design matrix** $A$, whose rows are $(1, x)$, it is $H = \langle A^T A\rangle$. Its eigenvectors are the axes of the
# bowl, its eigenvalues the curvatures along them. Guess: by what factor do the two curvatures differ?

# %%
# NBVAL_CHECK_OUTPUT
x = np.linspace(1, 3, 6)  # km
t = 0.5 + 1.5 * x + np.random.default_rng(13).normal(0, 0.05, 6)  # µs
design = np.stack([np.ones(6), x], axis=1)  # (6, 2)
hessian = design.T @ design / 6  # (2, 2)
lowest = np.linalg.solve(hessian, design.T @ t / 6)  # where the gradient is 0
curvatures = np.linalg.eigvalsh(hessian)
print(f"curvatures {curvatures[1]:.2f} and {curvatures[0]:.4f}: condition number {curvatures[1] / curvatures[0]:.0f}")


# %%
def gradient_at(point):
    """Gradient of J at point = (t0, s)."""
    return hessian @ (point - lowest)


def height(points):
    """J above its minimum [µs²] at points (..., 2)."""
    return 0.5 * np.einsum("...i,ij,...j", points - lowest, hessian, points - lowest)


# %% [markdown]
# 62. That ratio is the **condition number**. The bowl is a ravine: if you raise $t_0$ and lower $s$ so that the line
# still passes through the middle of the stations, $J$ hardly notices. Gradient descent multiplies the distance to the
# minimum along an axis of curvature $\lambda$ by $1 - \eta\lambda$ in each step, where $\eta$ is the learning rate:
#
# - for $\eta > 2/\lambda_\mathrm{max} = 0.37$ it jumps ever higher from wall to wall;
# - at $\eta = 0.3$ the distance along the floor shrinks by 2.6 % a step: 38 steps for a factor $e$.
#
# The steep axis limits the rate, the flat axis needs a large one. All that follows is about this conflict.
#
# ## Five rules
#
# Each rule takes the gradient $g$ and what it remembers, and returns a change of the parameters and its new memory.
# **SGD** (stochastic gradient descent; here without chance, as all six stations are used) remembers nothing.
# **Adagrad** sums the squares of all past gradients, for each parameter on its own, and divides by the root: parameters
# with large gradients make smaller steps, and all steps get smaller. **RMSProp** averages the squares over about the
# last ten steps, so that it forgets a steep start. Momentum and Adam you write yourself.
#
# Then all five race: from the same point, for 100 steps. Each chooses its learning rate from the same grid, four values
# a decade: the one with the smallest mean height over its last 20 steps. Who will win? And does it help in *this*
# ravine to divide by the size of the gradient, parameter by parameter?
#
# ### Task 1: momentum
#
# A ball that rolls down the ravine keeps its speed. The steps across the ravine change sign and cancel, those along it
# add up. The memory is the **velocity** $v$, the last change of the parameters. A new step keeps a share $\mu$ of it,
# the *momentum*, and adds what plain SGD would do:
#
# $$v \leftarrow \mu\,v - \eta\,g .$$
#
# The next cell has Adagrad and RMSProp; the one after it is yours. Write `momentum_step(gradient, velocity, rate,
# momentum=0.9)`. Return the change and the new velocity: they are the same array.


# %%
def adagrad_step(gradient, memory, rate):
    memory = memory + gradient**2
    return -rate * gradient / (np.sqrt(memory) + 1e-7), memory


def rmsprop_step(gradient, memory, rate, rho=0.9):
    memory = rho * memory + (1 - rho) * gradient**2
    return -rate * gradient / np.sqrt(memory + 1e-7), memory


# %%
def momentum_step(gradient, velocity, rate, momentum=0.9):
    """Change of the parameters, and the new velocity."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity - rate * gradient
    return velocity, velocity
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    slope, at_rest, moving = np.array([2.0, -4.0]), np.zeros(2), np.array([1.0, 0.0])
    answer = momentum_step(slope, at_rest, 0.1)
    assert isinstance(answer, tuple), "Return two things: the change, and the new velocity."
    assert not np.allclose(answer[0], [0.2, -0.4]), "You climb: the change goes against the gradient."
    assert not np.allclose(answer[0], [-0.02, 0.04]), "Add the whole SGD step, not 1 - momentum of it: no average here."
    assert not np.allclose(answer[0], [-0.18, 0.36]), "Only the old velocity is braked, not the new step."
    assert np.allclose(answer[0], [-0.2, 0.4]), "From rest, the first change is that of SGD: -rate * gradient."
    change, velocity = momentum_step(np.zeros(2), moving, 0.1)
    assert np.all(moving == [1, 0]), "Your function changes the array it was given: write `velocity = ...`, not `*=`."
    assert not np.allclose(change, 0), "Where the ground is flat the ball rolls on: the change holds the old velocity."
    assert not np.allclose(np.abs(change), [0.09, 0]), "The velocity is the last change: the rate is already in it."
    assert not np.allclose(change, [0.1, 0]), "Keep the share `momentum` of the velocity, not 1 - momentum."
    assert not np.allclose(change, [1, 0]), "Nothing brakes your ball: keep the share `momentum` of the velocity."
    assert not np.allclose(change, [-0.9, 0]), "Your ball turns round: the velocity has the sign of the change."
    assert np.allclose(change, [0.9, 0]), "On flat ground, a velocity of 1 should become 0.9."
    assert np.allclose(velocity, change), "Return the new velocity, so that the next step can remember it."
    assert np.allclose(momentum_step(slope, moving, 0.1, 0.5)[0], [0.3, 0.4]), "Use the argument `momentum`, not 0.9."
    theirs, point = keras.optimizers.SGD(0.1, momentum=0.9), keras.Variable([0.0, 0.0])
    ours = velocity = np.zeros(2)
    for gradient in np.random.default_rng(1).normal(size=(6, 2)):
        theirs.apply([gradient.astype("float32")], [point])
        change, velocity = momentum_step(gradient, velocity, 0.1)
        ours = ours + change
    assert np.allclose(ours, point.numpy(), atol=1e-6), "After six steps Keras is at another point than you."


# %% tags=["wrong"]
# hint: no average here
def momentum_step(gradient, velocity, rate, momentum=0.9):
    velocity = momentum * velocity - (1 - momentum) * rate * gradient
    return velocity, velocity


# %% tags=["wrong"]
# hint: the rate is already in it
def momentum_step(gradient, velocity, rate, momentum=0.9):
    velocity = momentum * velocity + gradient
    return -rate * velocity, velocity


# %% tags=["wrong"]
# hint: changes the array it was given
def momentum_step(gradient, velocity, rate, momentum=0.9):
    velocity *= momentum
    velocity -= rate * gradient
    return velocity, velocity


# %% tags=["wrong"]
# hint: the rate is already in it
def momentum_step(gradient, velocity, rate, momentum=0.9):
    velocity = momentum * velocity - gradient
    return rate * velocity, velocity


# %% tags=["wrong"]
# hint: Nothing brakes your ball
def momentum_step(gradient, velocity, rate, momentum=0.9):
    velocity = velocity - rate * gradient
    return velocity, velocity


# %% [markdown]
# ### Task 2: Adam
#
# **Adam** joins the two ideas. It remembers a running mean $m$ of the gradients, as momentum does, and a running mean
# $q$ of their squares, as RMSProp does:
#
# $$m \leftarrow \beta_1 m + (1-\beta_1)\,g, \qquad q \leftarrow \beta_2 q + (1-\beta_2)\,g^2 .$$
#
# Both start at 0, so after $k$ steps they are too small, by factors of $1-\beta_1^k$ and $1-\beta_2^k$. Divide these
# out, then step:
#
# $$\Delta = -\eta\;\frac{m / (1-\beta_1^k)}{\sqrt{q / (1-\beta_2^k)} + \varepsilon} .$$
#
# Write `adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7)`. The memory is a tuple `(mean,
# square, k)`; before the first step it is `(0.0, 0.0, 0)`. How large is the first step, whatever the gradient?


# %%
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    """Change of the parameters, and the new memory (mean, square, k)."""
    ### BEGIN SOLUTION
    mean, square, k = memory
    k = k + 1
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    typical = np.sqrt(square / (1 - beta_2**k)) + epsilon
    return -rate * mean / (1 - beta_1**k) / typical, (mean, square, k)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    slope, at_rest = np.array([2.0, -0.004]), (0.0, 0.0, 0)
    answer = adam_step(slope, at_rest, 0.1)
    assert isinstance(answer[-1], tuple), "Return two things: the change, and the memory (a tuple)."
    change, memory = answer
    assert np.all(np.isfinite(change)), "That divides 0 by 0: count the step, k = 1, before you divide by 1 - beta**k."
    assert np.array_equal(memory[-1], 1), "The new memory is (mean, square, k), and k is 1 after the first step."
    assert not np.allclose(memory[0], 0.001 * slope), "beta_1 is for the mean of the gradients, beta_2 for the squares."
    assert np.allclose(memory[0], 0.1 * slope), "Remember the mean as (1 - beta_1) * g: correct only what you use."
    assert np.allclose(memory[1], 0.001 * slope**2), "Remember (1 - beta_2) * g**2, one for each parameter."
    assert not np.allclose(change, [0.1, -0.1], rtol=1e-3), "You climb: the change goes against the gradient."
    for size, hint in (
        (0.316, "The first step is √10 too long: correct both means."),
        (3.16, "The mean square is not corrected: divide it by 1 - beta_2**k."),
        (0.01, "The mean is not corrected: divide it by 1 - beta_1**k."),
        (0.00316, "Correct the mean square before you take the root."),
    ):
        assert not np.allclose(np.abs(change), size, rtol=5e-3), hint
    assert not np.allclose(change * slope, -0.1, atol=1e-3), "Divide by the root of the mean square."
    assert not np.isclose(change[1], 0.0997, atol=5e-5), "ε stands behind the root, not under it."
    assert np.allclose(change, [-0.1, 0.1], rtol=1e-3), "The first step is rate long in each parameter, whatever g is."
    again, _ = adam_step(slope, memory, 0.1)
    assert np.allclose(again, change, rtol=1e-3), "A second equal gradient changes as much: the powers are beta**k."
    assert np.allclose(adam_step(slope, at_rest, 0.1, 0.5)[1][0], 0.5 * slope), "Use the arguments beta_1 and beta_2."
    theirs, point, ours, memory = keras.optimizers.Adam(0.1), keras.Variable([0.0, 0.0]), 0.0, at_rest
    for gradient in np.random.default_rng(1).normal(size=(6, 2)):
        theirs.apply([gradient.astype("float32")], [point])
        change, memory = adam_step(gradient, memory, 0.1)
        ours = ours + change
    assert np.allclose(ours, point.numpy(), atol=1e-6), "After six steps Keras is at another point than you."


# %% tags=["wrong"]
# hint: correct both means
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean, square, k = memory
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    return -rate * mean / (np.sqrt(square) + epsilon), (mean, square, k + 1)


# %% tags=["wrong"]
# hint: before you divide
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean, square, k = memory
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    with np.errstate(all="ignore"):
        typical = np.sqrt(square / np.float64(1 - beta_2**k)) + epsilon
        return -rate * mean / np.float64(1 - beta_1**k) / typical, (mean, square, k + 1)


# %% tags=["wrong"]
# hint: correct only what you use
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean, square, k = memory
    k = k + 1
    mean = (beta_1 * mean + (1 - beta_1) * gradient) / (1 - beta_1**k)
    square = (beta_2 * square + (1 - beta_2) * gradient**2) / (1 - beta_2**k)
    return -rate * mean / (np.sqrt(square) + epsilon), (mean, square, k)


# %% tags=["wrong"]
# hint: the powers are
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean, square, k = memory
    mean = beta_1 * mean + (1 - beta_1) * gradient
    square = beta_2 * square + (1 - beta_2) * gradient**2
    return -rate * mean / (1 - beta_1) / (np.sqrt(square / (1 - beta_2)) + epsilon), (mean, square, k + 1)


# %% tags=["wrong"]
# hint: beta_1 is for the mean
def adam_step(gradient, memory, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    mean, square, k = memory
    k = k + 1
    mean = beta_2 * mean + (1 - beta_2) * gradient
    square = beta_1 * square + (1 - beta_1) * gradient**2
    return -rate * mean / (1 - beta_2**k) / (np.sqrt(square / (1 - beta_1**k)) + epsilon), (mean, square, k)


# %%
def by_history(gradient, memory, rate):
    """Adam from the list of all gradients so far: two weighted means."""
    gradients = [*memory, gradient] if isinstance(memory, list) else [gradient]
    age = np.arange(len(gradients))[::-1]
    typical = np.sqrt(np.average(np.square(gradients), axis=0, weights=0.999**age)) + 1e-7
    return -rate * np.average(gradients, axis=0, weights=0.9**age) / typical, gradients


momentum_step = tasks.solved(momentum_step, otherwise=lambda g, v, rate: (0.9 * v - rate * g,) * 2, task="Task 1")
adam_step = tasks.solved(adam_step, otherwise=by_history, task="Task 2")
rules = {
    "SGD": (lambda gradient, memory, rate: (-rate * gradient, memory), 0.0, "#000000"),
    "momentum": (momentum_step, np.zeros(2), "#d55e00"),
    "Adagrad": (adagrad_step, 0.0, "#009e73"),
    "RMSProp": (rmsprop_step, 0.0, "#cc79a7"),
    "Adam": (adam_step, (0.0, 0.0, 0), "#0072b2"),
}


def descend(rule, memory, rate, start=(3.0, 1.0), steps=100):
    """All points of a descent (steps + 1, 2)."""
    points = [np.array(start)]
    for _ in range(steps):
        change, memory = rule(gradient_at(points[-1]), memory, rate)
        points.append(points[-1] + change)
    return np.array(points)


# %%
paths = {}
for name, (rule, memory, _) in rules.items():
    tried = {rate: descend(rule, memory, rate) for rate in 10.0 ** np.arange(-3, 0.6, 0.25)}
    best = min(tried, key=lambda rate: height(tried[rate][-20:]).mean())
    paths[name] = tried[best]
    print(f"{name:8s} rate {best:.3f}, mean height over the last 20 steps {height(tried[best][-20:]).mean():.1e} µs²")


# %% tags=["expected"]
def draw_race(step):
    """The paths up to a step in the landscape, and all heights."""
    figure = Figure(figsize=(10.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = np.stack(np.meshgrid(np.linspace(-1, 3.4, 120), np.linspace(-0.6, 2.4, 120)), axis=-1)
    left.contour(
        grid[..., 0], grid[..., 1], height(grid), levels=np.geomspace(1e-3, 10, 9), colors="0.75", linewidths=0.8
    )
    left.plot(*lowest, "*", color="k", markersize=12)
    for name, (_, _, color) in rules.items():
        left.plot(*paths[name][: step + 1].T, "-", color=color, linewidth=1.2)
        left.plot(*paths[name][step], "o", color=color, markersize=6)
        right.semilogy(height(paths[name]), color=color, label=name)
    right.axvline(step, color="0.6", linestyle=":")
    left.set(
        xlabel="$t_0$ [µs]", ylabel="slope $s$ [µs/km]", xlim=(-1, 3.4), ylim=(-0.6, 2.4), title=f"after {step} steps"
    )
    right.set(xlabel="step", ylabel="height above the minimum [µs²]", ylim=(1e-7, 10))
    right.legend()
    return figure


viewer.with_sliders(draw_race, step=viewer.Slider("step", 20, 0, 100, 1, play=True))

# %% [markdown]
# Press *play* where widgets run. SGD jumps from wall to wall, soon reaches the floor, and crawls: in its last 20 steps
# it is 0.002 µs² high. Momentum and Adam swing, but along the floor they run, and end 30 to 50 times lower. Adagrad
# gains a factor of two on SGD, RMSProp nothing. They stretch the landscape along the *axes* $t_0$ and $s$, but this
# ravine runs diagonally, as the two parameters are correlated. What Adam gains, it gains from its momentum. Nor does
# RMSProp ever come to rest: near the minimum the gradients and their usual size shrink together, so its steps stay
# about one rate long.
#
# Now measure $x$ from the middle of the six stations, and the Hessian becomes diagonal with a condition number of 2.
# The ravine was never in the data. It was in the coordinates. Keep this in mind for what follows.
#
# ## Forty-two numbers for each shower
#
# Now to a network. The depth $X_\mathrm{max}$ [g/cm²] at which an air shower is largest tells something about the
# nucleus that made it. The network has to find it from what reaches the ground. Each shower is described by 42 numbers:
# the apparent height from which its muons come, how many muons were counted, and for each of ten rings around the
# middle of the shower the share of the muons, two delays and how many detectors were hit. [Lesson 32](32_xmax.ipynb)
# tells how they are made; here they are only numbers to learn from.
#
# 16,000 showers are there to learn from (*training*), 2,000 to choose learning rates by (*validation*), and 2,000 stay
# closed until the end (*test*). Two marks to measure by. If you always say the mean, your error is the spread of
# $X_\mathrm{max}$. And *ridge regression*, a straight line in the 42 numbers with a small penalty on its weights, has a
# solution in closed form. A network can draw every straight line. So an error far above that of ridge regression is a
# failure of training.

# %%
n_showers = profile.pick(full=20_000, quick=1_500)
showers = footprints.simulate(n_showers, seed=13)
front = front_fit.fit_front(showers["counts"], showers["arrival_time"])
rings = front_fit.ring_profiles(showers["counts"], showers["arrival_time"], front)  # (B, 10, 4)
numbers = np.column_stack([front["height"], showers["counts"].sum(axis=(1, 2)), rings.reshape(n_showers, -1)])
parts = datasets.split({"numbers": numbers, "xmax": showers["xmax"]}, fractions=(0.8, 0.1, 0.1), seed=13)
raw, xmax = ({name: part[key] for name, part in zip(("training", "validation", "test"), parts)} for key in parts[0])

# %%
mean, std = raw["training"].mean(axis=0), raw["training"].std(axis=0)  # (42,)
center, spread = xmax["training"].mean(), xmax["training"].std()  # g/cm²
target = ((xmax["training"] - center) / spread).astype("float32")
prepared = lambda function: {name: function(values).astype("float32") for name, values in raw.items()}
standardised = prepared(lambda values: (values - mean) / std)
ridge = RidgeCV(np.logspace(-3, 3, 7)).fit(standardised["training"], xmax["training"])
mark = metrics.rms_error(xmax["validation"], ridge.predict(standardised["validation"]))
print(f"spreads of the 42 numbers: from {std.min():.3f} to {std.max():.0f}")
print(f"validation showers: always the mean {xmax['validation'].std():.1f} g/cm², ridge regression {mark:.2f} g/cm²")

# %% [markdown]
# The spreads differ by a factor of more than 30,000. And neighbouring rings say nearly the same. That is a ravine
# again, this time in 42 dimensions.
#
# ## Better coordinates
#
# Three ways to prepare the inputs. All learn their numbers from the training showers alone.
#
# - *Scaling* maps the smallest value of each number to 0, the largest to 1.
# - *Standardising* subtracts the mean and divides by the standard deviation.
# - *Whitening* also turns the axes, so that the numbers become uncorrelated, each with variance 1.
#
# For a straight line the landscape is a bowl again, and its condition number says everything. After the task you
# descend in each of these coordinates, with the rate $1/\lambda_\mathrm{max}$. In which of them is the bowl round?
#
# ### Task 3: whitening
#
# The covariance matrix is $C = V \Lambda V^T$: the columns of $V$ are its eigenvectors, the diagonal of $\Lambda$ holds
# its eigenvalues. Divide the part of $x - \bar x$ along each eigenvector by the root of its eigenvalue.
#
# Eigenvalues near 0 belong to directions in which the showers hardly differ. To divide by their root blows up what is
# mostly noise. So replace each eigenvalue *below* `floor` by `floor`. Write `whitening(features, floor=0.0)` for
# features (n, d); return the mean (d,) and a matrix (d, d) such that `(features - mean) @ matrix` is white.


# %%
def whitening(features, floor=0.0):
    """Mean (d,) and matrix (d, d) that whiten features (n, d)."""
    ### BEGIN SOLUTION
    variances, axes = np.linalg.eigh(np.cov(features, rowvar=False))
    return features.mean(axis=0), axes / np.sqrt(np.maximum(variances, floor))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    rng = np.random.default_rng(0)
    sample = rng.normal(size=(500, 3)) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.5, 3.0], [0.0, 0.0, 2.0]]) + [5, 0, -9]
    answer = whitening(sample)
    assert isinstance(answer, tuple), "Return two things: the mean and the matrix."
    assert np.shape(answer[0]) == (3,), "One mean for each feature: average over the showers, axis 0."
    assert np.allclose(answer[0], sample.mean(axis=0)), "The mean should be that of the features."
    assert np.shape(answer[1]) == (3, 3), "The matrix should be (d, d): is your covariance that of the features?"
    assert np.all(np.isfinite(answer[1])), "Your matrix is not finite: with floor=0 all eigenvalues stay as they are."
    covariance = np.cov((sample - answer[0]) @ answer[1], rowvar=False)
    off = np.abs(covariance - np.diag(np.diag(covariance))).max()
    assert not np.allclose(np.diag(covariance), np.linalg.eigvalsh(np.cov(sample.T)), rtol=0.02), (
        "Turned, but not yet divided: each direction still has its own variance."
    )
    assert not (off < 1e-6 and not np.allclose(covariance, np.eye(3), atol=0.02)), (
        "Uncorrelated, but the variances are not 1: divide by the root of the eigenvalue."
    )
    products = answer[1].T @ (sample.T @ sample / 500) @ answer[1]
    assert not np.allclose(products, np.eye(3), atol=0.02), "A covariance: subtract the mean before you multiply."
    assert not np.allclose(answer[1], np.linalg.inv(np.cov(sample.T)), rtol=0.02), (
        "That is the inverse of C. Its root is wanted: divide along each eigenvector by the root of the eigenvalue."
    )
    assert off < 1e-6, "Still correlated: scale the columns of V, one for each eigenvector; V has to come first."
    assert np.allclose(covariance, np.eye(3), atol=0.02), "The covariance of the white features should be 1."
    narrow = np.random.default_rng(1).normal(size=(500, 2)) * [2.0, 0.1]
    variances = np.var((narrow - narrow.mean(axis=0)) @ whitening(narrow, 0.25)[1], axis=0)
    assert not np.allclose(variances, 1, atol=0.02), "`floor` does nothing yet: raise small eigenvalues to it."
    assert np.isclose(variances.max(), 1, atol=0.02), "Leave the eigenvalues above `floor` as they are."
    assert not np.isclose(variances.min(), 0.16, rtol=0.2), "`floor` is for the eigenvalues, not for their roots."
    assert np.isclose(variances.min(), 0.04, rtol=0.2), "Variance 0.01 and floor 0.25: the variance should become 0.04."


# %% tags=["wrong"]
# hint: root of the eigenvalue
def whitening(features, floor=0.0):
    variances, axes = np.linalg.eigh(np.cov(features, rowvar=False))
    return features.mean(axis=0), axes / np.maximum(variances, floor)


# %% tags=["wrong"]
# hint: Still correlated
def whitening(features, floor=0.0):
    return features.mean(axis=0), np.diag(1 / np.sqrt(np.maximum(features.var(axis=0), floor)))


# %% tags=["wrong"]
# hint: subtract the mean before
def whitening(features, floor=0.0):
    variances, axes = np.linalg.eigh(features.T @ features / len(features))
    return features.mean(axis=0), axes / np.sqrt(np.maximum(variances, floor))


# %% tags=["wrong"]
# hint: not for their roots
def whitening(features, floor=0.0):
    variances, axes = np.linalg.eigh(np.cov(features, rowvar=False))
    return features.mean(axis=0), axes / np.maximum(np.sqrt(variances), floor)


# %% tags=["wrong"]
# hint: above `floor` as they are
def whitening(features, floor=0.0):
    variances, axes = np.linalg.eigh(np.cov(features, rowvar=False))
    return features.mean(axis=0), axes / np.sqrt(variances + floor)


# %%
def by_svd(features, floor=0.0):
    axes, variances, _ = np.linalg.svd(np.cov(features.T))
    return features.mean(axis=0), axes @ np.diag(np.maximum(variances, floor) ** -0.5)


whitening = tasks.solved(whitening, otherwise=by_svd, task="Task 3")
smallest, largest = raw["training"].min(axis=0), raw["training"].max(axis=0)
inputs = {"raw": prepared(lambda values: values), "0 to 1": prepared(lambda v: (v - smallest) / (largest - smallest))}
inputs["standardised"] = standardised
for name, floor in (("white", 0.0), ("white, floor 1", 1.0)):
    shift, matrix = whitening((raw["training"] - mean) / std, floor)
    inputs[name] = prepared(lambda values, shift=shift, matrix=matrix: ((values - mean) / std - shift) @ matrix)
shades = dict(zip(inputs, ("#000000", "#e69f00", "#0072b2", "#cc79a7", "#009e73")))


def straight_line(features, steps=300):
    """Condition number, and training error [g/cm²] after each step of gradient descent on a linear model."""
    design = np.column_stack([np.ones(len(features)), features]).astype(float)  # (n, 43)
    hessian, products = design.T @ design / len(design), design.T @ target / len(design)
    weights, squares, rate = np.zeros(43), [], 1 / np.linalg.norm(hessian, 2)
    for _ in range(steps):
        weights -= rate * (hessian @ weights - products)
        squares.append(np.mean(target**2) - 2 * weights @ products + weights @ hessian @ weights)
    return np.linalg.cond(hessian), spread * np.sqrt(squares)


lines = {name: straight_line(some["training"]) for name, some in inputs.items()}
for name, (condition, errors) in lines.items():
    print(f"{name:15s} condition number {condition:.1e}, {errors[-1]:5.1f} g/cm² after 300 steps")

# %% [markdown]
# For the white numbers the bowl is round: one step of gradient descent, and the line is as good as it gets.
# Standardised numbers have a condition number of 3,200; 300 steps leave 0.3 g/cm² to go. Scaled to 0 to 1 the numbers
# are all positive, none is centred, and the descent is slower still. Raw, it is still at 40 g/cm².
#
# Does a network care as well? Three layers of 32 neurons with ReLU, plain SGD, 500 batches of 128 showers. Three
# helpers serve for the rest of this lesson. `trainer` compiles a network once and returns a function that trains it
# from the start with a seed and a learning rate (a number, or a function of the step); its curve has a point for every
# ten steps. `scan` tries a grid of rates with seed 1. `repeat` trains with three other seeds, so that a rate that was
# chosen for its luck gains nothing from it.

# %%
STEPS = profile.pick(full=500, quick=20)
SEEDS = profile.pick(full=(2, 3, 4), quick=(2, 3))
RATES = 10.0 ** np.arange(-3.5, -0.4, profile.pick(full=0.5, quick=2.0))
Run = namedtuple("Run", "curve error network")


def small_network():
    hidden = [layers.Dense(32, activation="relu", kernel_initializer="he_normal") for _ in range(3)]
    return keras.Sequential([keras.Input((42,)), *hidden, layers.Dense(1)])


# %%
def spoken(errors):
    """Mean and spread of errors in words."""
    diverged = not np.all(np.isfinite(errors))
    return "diverged" if diverged else f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f} g/cm²"


def trainer(build, optimizer):
    """Compile once; return a function that trains from the start with a rate and a seed."""
    network = build()
    network.compile(optimizer, loss="mse", steps_per_execution=10, jit_compile=False)
    optimizer.build(network.trainable_variables)
    fresh = [variable.numpy() for variable in optimizer.variables]

    def train(rate, seed, inputs=standardised, steps=STEPS, batch=128, build=build):
        keras.utils.set_random_seed(seed)
        network.set_weights(build().get_weights())
        for variable, value in zip(optimizer.variables, fresh):
            variable.assign(value)
        schedule = lambda point: float(rate(10 * point) if callable(rate) else rate)
        rates = keras.callbacks.LearningRateScheduler(schedule)
        chosen = np.random.default_rng(seed).integers(len(target), size=(steps, batch))  # showers of each batch
        data = tf.data.Dataset.from_tensor_slices((inputs["training"][chosen], target[chosen]))
        points = {"epochs": steps // 10, "steps_per_epoch": 10, "shuffle": False, "verbose": 0}
        history = network.fit(data, callbacks=[rates], **points).history
        answer = center + spread * network.predict_on_batch(inputs["validation"])[:, 0].astype(float)
        error = np.sqrt(np.mean((answer - xmax["validation"]) ** 2))  # g/cm²
        return Run(spread * np.sqrt(history["loss"]), error if error < 1000 else np.inf, network)

    return train


# %%
def scan(train, rates=RATES, seeds=(1,), **options):
    """Validation error [g/cm²] for each rate, infinite where training diverged."""
    return np.array([np.mean([train(rate, seed, **options).error for seed in seeds]) for rate in rates])


def repeat(train, rate, **options):
    """Curves (seeds, points), validation errors (seeds,) [g/cm²], and the last network."""
    curves, errors, networks = zip(*[train(rate, seed, **options) for seed in SEEDS])
    return Run(np.array(curves), np.array(errors), networks[-1])


# %%
train_sgd = trainer(small_network, keras.optimizers.SGD())
rates_of = dict.fromkeys(inputs, RATES) | {"raw": 10.0 ** np.arange(-8, -3)}
scans = {name: scan(train_sgd, rates_of[name], inputs=some) for name, some in inputs.items()}
for name, errors in scans.items():
    best = rates_of[name][np.argmin(errors)]
    print(f"{name:15s} rate {best:.1e}: {spoken(repeat(train_sgd, best, inputs=inputs[name]).error)}")


# %%
def show_errors(axes, xlabel, ylabel):
    """Scale of errors [g/cm²] with the mark of ridge regression."""
    axes.axhline(mark, color="0.5", linestyle="--", label="ridge regression")
    axes.set(xlabel=xlabel, ylabel=f"{ylabel} [g/cm²]", yscale="log", ylim=(9, 110))
    axes.set_yticks([10, 20, 50, 100], ["10", "20", "50", "≥ 100"])
    axes.minorticks_off()


# %% tags=["expected"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
for name, color in shades.items():
    left.semilogx(np.arange(1, 301), lines[name][1], color=color)
    right.semilogx(rates_of[name], np.minimum(scans[name], 100), "o-", color=color, markersize=4, label=name)
show_errors(left, "step", "training error")
show_errors(right, "learning rate", "validation error")
left.set(title="straight line, rate $1/\\lambda_\\mathrm{max}$")
right.set(title="network, 500 steps of SGD")
right.legend(loc="lower left", fontsize=8)
plt.show()

# %% [markdown]
# On the left, what the condition numbers promised. On the right, the network: raw numbers are hopeless at any rate. The
# signals start at thousands; either the first step throws the network out, or the rate is so small that nothing
# happens. Among the other four the differences are small, each with its own best rate. Whitening, perfect for the line,
# is not best here: the narrowest directions, mostly noise, are stretched by $1/\sqrt{0.006} = 13$ and look as important
# as the rest. The floor takes that back. Standardise always; whiten if you know that the narrow directions matter.
#
# The cliff on the right of each curve is the $2/\lambda_\mathrm{max}$ of the ravine: a little beyond the best rate lies
# the rate that diverges.
#
# ## The race on the network
#
# Five optimizers from Keras, standardised numbers, the same batches, the same 500 steps. The grid of rates is the same
# for all: two a decade, from 0.0003 to 0.3, each tried with two seeds. Before you look: will they all need the same
# rate? And what will the loss curve of Adam look like if its rate is far too small, or far too large?

# %%
adaptive = (keras.optimizers.Adagrad(), keras.optimizers.RMSprop(), keras.optimizers.Adam())
optimizers = dict(zip(("momentum", "Adagrad", "RMSProp", "Adam"), (keras.optimizers.SGD(momentum=0.9), *adaptive)))
trainers = {"SGD": train_sgd} | {name: trainer(small_network, some) for name, some in optimizers.items()}
race = {name: scan(train, seeds=profile.pick(full=(0, 1), quick=(0,))) for name, train in trainers.items()}
best_rates = {name: RATES[np.argmin(errors)] for name, errors in race.items()}
finals = {name: repeat(train, best_rates[name]) for name, train in trainers.items()}
for name, run in finals.items():
    print(f"{name:8s} rate {best_rates[name]:.4f}: {spoken(run.error)}")


# %%
def band(axes, curves, color, label=None, linestyle="-"):
    """Mean of curves (seeds, points), and the range between the seeds."""
    at, curves = 10 * np.arange(curves.shape[1]) + 5, np.fmin(curves, 100)  # what diverged stays on top
    axes.plot(at, curves.mean(axis=0), linestyle, color=color, label=label)
    axes.fill_between(at, curves.min(axis=0), curves.max(axis=0), color=color, alpha=0.2, linewidth=0)


figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.2), layout="constrained")
at = 10 * np.arange(STEPS // 10) + 5  # the middle of ten steps
for name, (_, _, color) in rules.items():
    left.semilogx(RATES, np.minimum(race[name], 100), "o-", color=color, markersize=4)
    band(middle, finals[name].curve, color, name)
three = {"too small": (1e-4, "#56b4e9"), "right": (best_rates["Adam"], "#0072b2"), "too large": (0.3, "#d55e00")}
for name, (rate, color) in three.items():
    right.plot(at, trainers["Adam"](rate, 2).curve, color=color, label=f"{name}: {rate:.4f}")
show_errors(left, "learning rate", "validation error after 500 steps")
show_errors(middle, "step", "training error")
show_errors(right, "step", "training error")
middle.set(title="each with its best rate, three seeds")
right.set(title="Adam with three rates")
middle.legend(fontsize=8)
right.legend(fontsize=8)
plt.show()

# %% [markdown]
# Left: they do not need the same rate. Adagrad wants 0.1, RMSProp 0.003. A comparison of optimizers at one common rate
# is worth nothing: you may let win whom you like. RMSProp hardly cares about its rate from 0.001 to 0.03. Adam ends
# lowest, 0.5 g/cm² above ridge regression. Momentum has its best rate next to the cliff: at the next one, 0.03, some
# seeds diverge (see `trainers["momentum"](10**-1.5, seed=3).error`). For each optimizer, a wrong rate costs more than
# the choice of the optimizer.
#
# Right: how to read a single curve. *Too small*: it falls smoothly and is still falling when you stop. *Right*: it
# falls steeply, then flattens with some noise. *Too large*: it jumps, and stays at the spread of $X_\mathrm{max}$, 52.6
# g/cm². This network can only say the mean: nearly all ReLUs of its last two layers are 0 for every shower, and have no
# slope left to come back.
#
# ## Plan the fall of the rate
#
# A large rate gets down fast, but then the noise of the batches throws the network about, the more the larger the rate.
# A small rate settles deeper, but takes long to arrive. So begin large and end small. Four **schedules**:
#
# - *constant*;
# - *step*: divide the rate by 10 after 60 % of the steps, and again after 85 %;
# - *cosine*: $\eta = \tfrac12\,\eta_0\,(1 + \cos \pi p)$, where $p$ grows from 0 to 1 during training;
# - *cosine with warm restarts*: at the end of a cosine of $T_0$ steps, jump back to $\eta_0$ and begin another cosine,
#   $T_\mathrm{mult}$ times as long. The jump may throw the network out of a poor place; and each end of a cosine gives
#   a finished network, long before the whole training ends.
#
# They will race over 1,000 steps of Adam. Each chooses its first rate $\eta_0$ from the same grid of three, on the
# validation showers. The restarts come after 1/7 and 3/7 of the steps: $T_0 = 1000/7$, $T_\mathrm{mult} = 2$.
#
# ### Task 4: cosine with warm restarts
#
# Write `cosine_restarts(step, first_period, period_factor, peak)`. The first cosine begins at step 0 and lasts
# `first_period` steps ($T_0$), each next one `period_factor` ($T_\mathrm{mult}$) times as long as the one before. The
# first step of each cosine has the rate `peak`. `step` is a single number.


# %%
def cosine_restarts(step, first_period, period_factor, peak):
    """Learning rate at a step."""
    ### BEGIN SOLUTION
    period = first_period
    while step >= period:
        step = step - period
        period = period * period_factor
    return 0.5 * peak * (1 + np.cos(np.pi * step / period))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    assert np.isclose(cosine_restarts(0, 10, 2, 0.1), 0.1), "At step 0 the rate is `peak`: half of (1 + cos 0) is 1."
    assert not np.isclose(cosine_restarts(5, 10, 2, 0.1), 0), "That is a whole period of the cosine: take π, not 2π."
    assert np.isclose(cosine_restarts(5, 10, 2, 0.1), 0.05), (
        "Half way down the first cosine (np.cos takes radians) the rate is half of `peak`."
    )
    assert cosine_restarts(9.9, 10, 2, 0.1) < 0.001, "Just before the restart the rate should be nearly 0."
    assert not np.isclose(cosine_restarts(10, 10, 2, 0.1), 0), (
        "Step 10 is the first of the second cosine: begin at peak."
    )
    assert np.isclose(cosine_restarts(10, 10, 2, 0.1), 0.1), "After `first_period` steps the rate jumps back to `peak`."
    assert not np.isclose(cosine_restarts(20, 10, 2, 0.1), 0.1), "The second cosine lasts 20 steps: it ends at step 30."
    assert np.isclose(cosine_restarts(20, 10, 2, 0.1), 0.05), (
        "Count steps from the last restart: 20 is half way, 10 of 20."
    )
    assert not np.isclose(cosine_restarts(60, 10, 2, 0.1), 0.1), "The third lasts 40 steps: each is twice the last one."
    assert np.isclose(cosine_restarts(50, 10, 2, 0.1), 0.05), "The third cosine runs from step 30 to step 70."
    assert np.isclose(cosine_restarts(25, 10, 1, 0.1), 0.05), "With a factor of 1 all periods are 10 steps long."
    keras_schedule = keras.optimizers.schedules.CosineDecayRestarts(0.1, 7, t_mul=3.0)
    some = (3, 8, 20, 30, 60, 90, 200)
    theirs = [float(keras_schedule(step)) for step in some]
    assert np.allclose([cosine_restarts(step, 7, 3, 0.1) for step in some], theirs, atol=1e-6), "Keras differs."


# %% tags=["wrong"]
# hint: The second cosine lasts 20 steps
def cosine_restarts(step, first_period, period_factor, peak):
    return 0.5 * peak * (1 + np.cos(np.pi * (step % first_period) / first_period))


# %% tags=["wrong"]
# hint: first of the second cosine
def cosine_restarts(step, first_period, period_factor, peak):
    period = first_period
    while step > period:
        step, period = step - period, period * period_factor
    return 0.5 * peak * (1 + np.cos(np.pi * step / period))


# %% tags=["wrong"]
# hint: take π, not 2π
def cosine_restarts(step, first_period, period_factor, peak):
    period = first_period
    while step >= period:
        step, period = step - period, period * period_factor
    return 0.5 * peak * (1 + np.cos(2 * np.pi * step / period))


# %% tags=["wrong"]
# hint: Count steps from the last restart
def cosine_restarts(step, first_period, period_factor, peak):
    period = first_period
    if step >= period:
        period = period * period_factor
    if step == first_period:
        return peak
    return 0.5 * peak * (1 + np.cos(np.pi * step / period))


# %% tags=["expected"]
restarts = keras.optimizers.schedules.CosineDecayRestarts
by_keras = lambda step, period, factor, peak: float(restarts(peak, period, t_mul=float(factor))(step))
cosine_restarts = tasks.solved(cosine_restarts, otherwise=by_keras, task="Task 4")
total, planned = 2 * STEPS, {}
schedules = {
    "constant": lambda step, peak: peak,
    "step": lambda step, peak: peak * 0.1 ** ((step >= 0.6 * total) + (step >= 0.85 * total)),
    "cosine": lambda step, peak, steps=total: 0.5 * peak * (1 + np.cos(np.pi * step / steps)),
    "cosine, restarts": lambda step, peak: cosine_restarts(step, total / 7, 2, peak),
}
peaks = profile.pick(full=(0.01, 0.03, 0.1), quick=(0.01,))
for name, schedule in schedules.items():
    errors = scan(trainers["Adam"], [partial(schedule, peak=peak) for peak in peaks], steps=total)
    best = partial(schedule, peak=peaks[np.argmin(errors)])
    planned[name] = (best, repeat(trainers["Adam"], best, steps=total))
    print(f"{name:17s} first rate {best(0):.4f}: {spoken(planned[name][1].error)}")

figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 5.6), sharex=True, layout="constrained")
at = 10 * np.arange(total // 10) + 5
for (name, (schedule, run)), color in zip(planned.items(), ("#000000", "#e69f00", "#0072b2", "#d55e00")):
    top.plot(at, [schedule(step) for step in at], color=color)
    smooth = np.convolve(run.curve.mean(axis=0), np.ones(4) / 4, "valid")  # over 40 steps
    bottom.plot(at[1:-2] + 5, smooth, color=color, label=name)
bottom.axhline(mark, color="0.5", linestyle="--", label="ridge regression")
top.set(ylabel="learning rate")
bottom.set(xlabel="step", ylabel="training error [g/cm²]", ylim=(9.5, 13.5))
bottom.legend(ncols=2)
plt.show()

# %% [markdown]
# The constant rate keeps swinging: 10.55 ± 0.64 g/cm². All three that end small reach 10.05, and with a spread over the
# seeds of 0.05: they are not only better but more reliable. Among the three there is no difference. The restarts gain
# nothing at the end, but look at step 430: at the end of its second cosine, that network is ahead of the others.
#
# ## How large a batch?
#
# The gradient of a batch is an average over its showers, an estimate of the gradient of all. Guess: four times as many
# showers in a batch, how much less noise? Measure it for the straight line, where every gradient is a formula. Then
# train the network with batches of 16, 128 and 1024 on 40,960 showers each, in 2,560, 320 and 40 steps, each with its
# own best rate.

# %%
design = np.column_stack([np.ones(len(target)), standardised["training"]])  # (n, 43)
gradients = -design * target[:, None]  # of each shower, at weights 0
mean_gradient, rng = gradients.mean(axis=0), np.random.default_rng(13)
sizes, noise = 4 ** np.arange(6), []
for size in sizes:
    batches = gradients[rng.integers(len(target), size=(2**17 // size, size))].mean(axis=1)  # (batches, 43)
    noise.append(np.sqrt(np.mean((batches - mean_gradient) ** 2) / np.mean(mean_gradient**2)))
print("noise / gradient:", ", ".join(f"{size}: {value:.2f}" for size, value in zip(sizes, noise)))

# %%
seen = profile.pick(full=40_960, quick=10_240)  # showers
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
for batch, color in ((16, "#d55e00"), (128, "#0072b2"), (1024, "#009e73")):
    options = {"batch": batch, "steps": seen // batch}
    rate = peaks[np.argmin(scan(trainers["Adam"], peaks, **options))]
    run = repeat(trainers["Adam"], rate, **options)
    print(f"{batch:4d} a batch: rate {rate:.3f}, {spoken(run.error)}")
    at, curve = 10 * np.arange(run.curve.shape[1]) + 5, run.curve.mean(axis=0)
    left.semilogx(at, curve, color=color, label=f"{batch} a batch")
    right.semilogx(at * batch, curve, color=color)
show_errors(left, "step", "training error")
show_errors(right, "showers looked at", "training error")
left.legend(fontsize=8)
plt.show()

# %% [markdown]
# The noise falls like $1/\sqrt B$: four times as many showers, half the noise. At the start, the noise of a single
# shower is 2.6 times the gradient; seven showers bring it down to the same size.
#
# So a step with 1,024 showers is hardly better than one with 128 (left: the two curves coincide), but costs eight times
# as many showers (right). With 16 a batch the network is better off at first for the same number of showers, but its
# noise keeps it up. And a small step costs almost as many seconds as a larger one. 128 is a good compromise here.
#
# ## The first weights
#
# A network of 20 layers is a product of 20 matrices with a bend after each. If each layer makes the signals half as
# large, the last one sees a millionth of what came in. How large should the first weights be? Take a layer of $n$
# inputs, weights of variance $\sigma^2$ and mean 0, independent of the signals $a$:
#
# - each weighted sum $z = \sum_i w_i a_i$ has the variance $n\,\sigma^2\,\langle a^2\rangle$;
# - half of the sums are negative, and ReLU sets those to 0: $\langle a'^2\rangle = \tfrac12\,\mathrm{var}(z)$;
# - so $\langle a'^2\rangle = \langle a^2\rangle$ if $\sigma^2 = 2/n$.
#
# That is the **He** initialisation. **Xavier** (or Glorot) leaves the bend out, and averages over the way forward and
# the way back: $\sigma^2 = 2/(n_\mathrm{in} + n_\mathrm{out})$, which is $1/n$ for a square matrix. Try five choices in
# a stack of 20 layers of 100 neurons. And the way back? The gradient runs through the same matrices.
#
# ### Task 5: the way back
#
# In lesson 12 you wrote backpropagation for two layers. Now for any number: layer $l$ has $z_l = a_{l-1} W_l$ and $a_l
# = f(z_l)$. You get `sums` (the list of $z_l$), `weights` (the list of $W_l$, each (n, n)), the function `slope`
# ($f'$), and `gradient` (B, n), the derivative of the loss by the *last signals* $a_L$. Walk from the last layer to the
# first: first through the bend, then through the matrix. Write `gradient_sizes(sums, weights, slope, gradient)` and
# return the standard deviation of $\partial J/\partial z_l$ for each layer, first layer first.


# %%
def gradient_sizes(sums, weights, slope, gradient):
    """Standard deviation of dJ/dz in each layer (L,), first layer first."""
    ### BEGIN SOLUTION
    sizes = []
    for z, matrix in zip(reversed(sums), reversed(weights)):
        gradient = gradient * slope(z)  # by z, (B, n)
        sizes.append(gradient.std())
        gradient = gradient @ matrix.T  # by the signals that came in, (B, n)
    return np.array(sizes[::-1])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    rng = np.random.default_rng(0)
    few, two = [rng.normal(size=(6, 2)) for _ in range(3)], [rng.normal(size=(2, 2)) for _ in range(3)]
    last = rng.normal(size=(6, 2))
    before = last.copy()
    slope_of_tanh = lambda z: 1 - np.tanh(z) ** 2
    answer = gradient_sizes(few, two, slope_of_tanh, last)
    assert np.shape(answer) == (3,), "Return one number for each layer."
    assert np.all(last == before), "Your function changes the array it was given: write `gradient = ...`, not `*=`."
    straight = gradient_sizes(few, two, lambda z: 1 + 0 * z, last)
    first, second, third = (matrix.T for matrix in two)
    walk = np.array([last @ third @ second, last @ third, last])  # (3, 6, 2)
    expected = walk.std(axis=(1, 2))
    assert not np.allclose(straight, walk.mean(axis=(1, 2))), "Positive and negative cancel: the std, not the mean."
    assert not np.allclose(straight, expected[::-1]), "The order is reversed: the first layer's size comes first."
    assert not np.isclose(straight[1], np.std(last @ two[2])), "The gradient runs back through the transposed matrix."
    assert not np.isclose(straight[2], np.std(last @ third)), "Measure dJ/dz between the slope and the matrix."
    assert not np.allclose(straight, np.std(last)), "Hand the gradient on: what comes out of a matrix enters the next."
    assert not np.isclose(straight[0], np.std(last)), "Walk from the last layer to the first: reverse sums and weights."
    assert not np.isclose(straight[1], np.std(last @ first)), "From layer 3 to 2 leads weights[2]: reverse weights."
    assert np.allclose(straight, expected), "With slope 1 the sizes are the np.std of the whole gradient @ W.T."
    assert not np.allclose(answer, expected), "The bend is missing: multiply by slope(z) in every layer."
    assert np.isclose(answer[2], np.std(last * slope_of_tanh(few[2]))), (
        "In the last layer, multiply by slope(sums[-1]) first."
    )
    back = (last * slope_of_tanh(few[2])) @ two[2].T * slope_of_tanh(few[1])
    assert np.isclose(answer[1], np.std(back)), "Each layer needs the slope at its own sums: layer 2 that of sums[1]."
    back = back @ two[1].T * slope_of_tanh(few[0])
    assert np.isclose(answer[0], np.std(back)), "The last two layers are right: go on the same way."


# %% tags=["wrong"]
# hint: transposed matrix
def gradient_sizes(sums, weights, slope, gradient):
    sizes = []
    for z, matrix in zip(reversed(sums), reversed(weights)):
        gradient = gradient * slope(z)
        sizes.append(gradient.std())
        gradient = gradient @ matrix
    return np.array(sizes[::-1])


# %% tags=["wrong"]
# hint: order is reversed
def gradient_sizes(sums, weights, slope, gradient):
    sizes = []
    for z, matrix in zip(reversed(sums), reversed(weights)):
        gradient = gradient * slope(z)
        sizes.append(gradient.std())
        gradient = gradient @ matrix.T
    return np.array(sizes)


# %% tags=["wrong"]
# hint: multiply by slope(sums[-1]) first
def gradient_sizes(sums, weights, slope, gradient):
    sizes = []
    for z, matrix in zip(reversed(sums), reversed(weights)):
        sizes.append(gradient.std())
        gradient = (gradient * slope(z)) @ matrix.T
    return np.array(sizes[::-1])


# %% tags=["wrong"]
# hint: the std, not the mean
def gradient_sizes(sums, weights, slope, gradient):
    sizes = []
    for z, matrix in zip(reversed(sums), reversed(weights)):
        gradient = gradient * slope(z)
        sizes.append(gradient.mean())
        gradient = gradient @ matrix.T
    return np.array(sizes[::-1])


# %% tags=["wrong"]
# hint: bend is missing
def gradient_sizes(sums, weights, slope, gradient):
    sizes = []
    for matrix in reversed(weights):
        sizes.append(gradient.std())
        gradient = gradient @ matrix.T
    return np.array(sizes[::-1])


# %%
def by_accumulation(sums, weights, slope, gradient):
    layers_back = zip(sums[::-1], [np.eye(gradient.shape[1]), *weights[:0:-1]])
    walk = accumulate(layers_back, lambda g, layer: g @ layer[1].T * slope(layer[0]), initial=gradient)
    return np.array([some.std() for some in walk][:0:-1])


gradient_sizes = tasks.solved(gradient_sizes, otherwise=by_accumulation, task="Task 5")


def weighted_sums(signals, weights, activation):
    """Weighted sums z of each layer, a list of arrays (B, n)."""
    sums = []
    for matrix in weights:
        sums.append(signals @ matrix)
        signals = activation(sums[-1])
    return sums


sigmoid = lambda z: 0.5 * (1 + np.tanh(z / 2))
activations = {
    "ReLU": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
}

# %% tags=["expected"]
stds = {"too small": 0.05, "Xavier": np.sqrt(1 / 100), "He": np.sqrt(2 / 100), "too large": 0.4}
figure, panels = plt.subplots(2, 3, figsize=(12, 6), sharex=True, sharey="row", layout="constrained")
for column, (title, (activation, slope)) in zip(panels.T, activations.items()):
    for (name, std_of_weights), color in zip(stds.items(), ("#56b4e9", "#e69f00", "#0072b2", "#d55e00")):
        rng = np.random.default_rng(13)
        weights = [rng.normal(0, std_of_weights, (100, 100)) for _ in range(20)]
        sums = weighted_sums(rng.normal(size=(200, 100)), weights, activation)
        back = gradient_sizes(sums, weights, slope, rng.normal(size=(200, 100)))
        column[0].semilogy(range(1, 21), [activation(z).std(axis=0).mean() for z in sums], color=color, label=name)
        column[1].semilogy(range(1, 21), back, color=color)
    column[0].set(title=title)
    column[1].set(xlabel="layer", xticks=[1, 5, 10, 15, 20])
panels[0, 0].set(ylabel="spread of the signals")
panels[1, 0].set(ylabel="size of the gradients")
panels[0, 0].legend()
plt.show()

# %% [markdown]
# With ReLU only He's weights keep both sizes over 20 layers. Xavier's lose a factor of $\sqrt2$ a layer, a thousand in
# all; weights of 0.05 lose nine decades, weights of 0.4 gain eight. Weights of 0 are not in the figure: all signals are
# 0, all gradients are 0, and no weight ever moves. With tanh Xavier's weights are right, and large signals are cut at
# ±1; but the gradients of too large weights still explode. The sigmoid loses four decades or more in every case. (At
# $10^{-15}$ the signals of different showers are equal to rounding.)
#
# ## Does it decide what is learned?
#
# Train a network of 20 layers of 32 neurons with ReLU on the showers: 250 steps of SGD with momentum, five first
# weights, the same three rates for each. Which of them will learn, and at which rates?

# %%
DEEP_STEPS, DEPTH = profile.pick(full=(250, 20), quick=(10, 8))


def deep_network(activation, initializer=keras.initializers.GlorotNormal, normalise=False):
    """Network with many hidden layers of 32 neurons, with batch normalisation if wanted."""
    stack = []
    for _ in range(DEPTH):
        stack.append(layers.Dense(32, kernel_initializer=initializer()))
        stack += [layers.BatchNormalization(momentum=0.9)] if normalise else []
        stack.append(layers.Activation(activation))
    return keras.Sequential([keras.Input((42,)), *stack, layers.Dense(1)])


def normal(std):
    """Makes initial weights with a standard deviation."""
    return partial(keras.initializers.RandomNormal, stddev=std)


initializers = {"zero": keras.initializers.Zeros, "too small, 0.05": normal(0.05)}
initializers |= {"Xavier, 0.18": keras.initializers.GlorotNormal, "He, 0.25": keras.initializers.HeNormal}
initializers |= {"too large, 0.6": normal(0.6)}
first_weights = {name: partial(deep_network, "relu", some) for name, some in initializers.items()}
deep_styles = [("#000000", "-"), ("#56b4e9", "--"), ("#e69f00", "-"), ("#0072b2", "-"), ("#d55e00", "-")]
train_deep = trainer(first_weights["He, 0.25"], keras.optimizers.SGD(momentum=0.9))
deep_rates = profile.pick(full=(1e-4, 1e-3, 1e-2), quick=(1e-2,))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.0), layout="constrained")
for (name, build), (color, line) in zip(first_weights.items(), deep_styles):
    errors = scan(train_deep, deep_rates, steps=DEEP_STEPS, build=build)
    run = repeat(train_deep, deep_rates[np.argmin(errors)], steps=DEEP_STEPS, build=build)
    left.semilogx(deep_rates, np.minimum(errors, 100), "o", color=color, linestyle=line)
    band(right, run.curve, color, f"{name}: {spoken(run.error)}", linestyle=line)
show_errors(left, "learning rate", "validation error")
show_errors(right, "step", "training error")
figure.legend(*right.get_legend_handles_labels(), loc="outside right center", title="first weights: validation error")
plt.show()

# %% [markdown]
# On the left, each of the three rates; on the right, training at the best one. Zero and too small: the network says the
# mean, 52.6 g/cm², and goes on doing so. Too large: the first step is the last. He's weights learn at each of the three
# rates; at 0.01 they are near the cliff and jump. Xavier's need 0.01, but there they are as good: a larger rate makes
# up for gradients of the weights that are too small by the same factor in every layer. So the right size does not
# decide how good a network gets, but how easily you find a rate that trains it.
#
# ## Gradients that vanish, and batch normalisation
#
# Look at the sigmoid again. Its slope is 1/4 at most, so with Xavier's weights each layer makes the gradient at least
# four times smaller: behind 20 layers $4^{-20} = 10^{-12}$ is left. The first layers get no word of what is wrong.
# These are **vanishing gradients**; for a long time they kept networks shallow. One way out keeps the signals in shape
# by force. **Batch normalisation** standardises the weighted sums of each neuron over the batch:
#
# $$\hat z = \frac{z - \langle z\rangle_\mathrm{batch}}{\sqrt{\mathrm{var}(z)_\mathrm{batch} + \varepsilon}},
# \qquad y = \gamma\,\hat z + \beta ,$$
#
# and learns $\gamma$ and $\beta$, so that the network may undo it where that is better. You standardised the inputs;
# this standardises every layer, at every step.
#
# And when the network is asked about a single shower? A batch of one has no spread. So during training each layer keeps
# a *moving average* of mean and variance over the batches, and uses these afterwards: `training=False`, as in
# `predict`. The argument `momentum` says how slowly it moves: 0.9 remembers about ten batches, Keras' default of 0.99 a
# hundred, which is too slow for a training of 250 steps.
#
# Three cells follow: batch normalisation in NumPy, for a batch with sums around 7; the gradients in each layer of three
# networks before training; and the training of both sigmoid networks, with SGD and momentum again, the rate a cosine
# that begins at 0.01 or 0.1. The last one then asks the network with batch normalisation about the same 128 showers
# in both ways. How large must a batch be to ask in training mode?


# %%
# NBVAL_CHECK_OUTPUT
def batch_normalise(z, gamma=1.0, beta=0.0, epsilon=1e-3):
    """Batch normalisation of weighted sums (B, n) during training."""
    return gamma * (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + epsilon) + beta


z = np.random.default_rng(13).normal(7, 3, (128, 32))
normal_z = batch_normalise(z)
print(f"before: {z.mean():.2f} ± {z.std():.2f}, after: {abs(normal_z.mean()):.2f} ± {normal_z.std():.2f}")
print("agrees with Keras:", np.allclose(layers.BatchNormalization()(z, training=True), normal_z, atol=1e-4))


# %%
def gradients_by_layer(network):
    """Standard deviation of the gradient of the weights in each hidden layer, for 500 showers."""
    kernels = [layer.kernel for layer in network.layers if isinstance(layer, layers.Dense)][:-1]
    with tf.GradientTape() as tape:
        answer = network(standardised["training"][:500], training=True)[:, 0]
        loss = tf.reduce_mean((answer - target[:500]) ** 2)
    return np.array([np.std(gradient) for gradient in tape.gradient(loss, kernels)])


def train_at_depth(build):
    """Train with SGD and momentum on a cosine, from the better of two first rates."""
    first_rates = profile.pick(full=(0.01, 0.1), quick=(0.01,))
    falls = [partial(schedules["cosine"], peak=peak, steps=DEEP_STEPS) for peak in first_rates]
    train = trainer(build, keras.optimizers.SGD(momentum=0.9))
    best = falls[np.argmin(scan(train, falls, steps=DEEP_STEPS))]
    return repeat(train, best, steps=DEEP_STEPS)


keras.utils.set_random_seed(1)
kinds = {
    "ReLU, He": (first_weights["He, 0.25"], "#0072b2"),
    "sigmoid, Xavier": (partial(deep_network, "sigmoid"), "#000000"),
    "sigmoid, batch normalisation": (partial(deep_network, "sigmoid", normalise=True), "#d55e00"),
}
figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, (build, color) in kinds.items():
    axes.semilogy(range(1, DEPTH + 1), gradients_by_layer(build()), "o-", color=color, markersize=4, label=name)
axes.set(xlabel="layer", ylabel="size of the gradient of the weights", xticks=[1, 5, 10, 15, 20])
axes.legend()
plt.show()

# %%
depth_runs = {name: train_at_depth(kinds[name][0]) for name in kinds if "sigmoid" in name}
for name, run in depth_runs.items():
    print(f"{name:29s} {spoken(run.error)}")
few, truth = standardised["validation"][:128], xmax["validation"][:128]
network = depth_runs["sigmoid, batch normalisation"].network
for training, size in ((False, 128), (True, 128), (True, 8), (True, 2), (False, 128)):
    answer = [network(batch, training=training)[:, 0] for batch in few.reshape(-1, size, 42)]
    error = metrics.rms_error(truth, center + spread * np.concatenate(answer))
    print(f"training={training}, {size:3d} at a time: {error:.1f} g/cm²")

# %% [markdown]
# In the figure, twelve decades between the last layer and the first; with batch normalisation, none. The sigmoids alone
# never leave 52.6 g/cm². With batch normalisation they learn: 13.4 ± 0.4 g/cm². But look at the answers to the same 128
# showers. In training mode, two at a time, they are useless: two showers tell little about mean and variance. And the
# first question, asked once more at the end, is answered as badly: 52.2 against 15.0 g/cm². No weight has changed in
# between, but each question in training mode moved the averages, too. So with batch normalisation do not train in tiny
# batches, and never ask in training mode.
#
# ### Task 6: without batch normalisation
#
# Open end. Make a network with 20 hidden layers of sigmoids learn, *without* any normalisation layer. Write
# `deep_sigmoid_network()`, which returns a Keras network from 42 numbers to 1. Each hidden layer has 32 neurons or
# less, a sigmoid and no other activation. What you put between the layers, and how you draw the first weights, is up to
# you. Two hints: where is a sigmoid steepest, and how could you give every layer a slope of 1 there? Or: must all that
# a layer knows pass through its sigmoid? The check looks at the gradients of the first weights; the training comes
# after it.


# %%
def deep_sigmoid_network():
    """Network (B, 42) -> (B, 1) with 20 hidden layers of sigmoids through which gradients pass."""
    ### BEGIN SOLUTION
    stack = []
    for _ in range(20):
        stack.append(layers.Dense(32, activation="sigmoid", kernel_initializer="glorot_normal"))
        stack.append(layers.Rescaling(4.0, offset=-2.0))  # 4σ(z) - 2: passes through 0 with slope 1
    return keras.Sequential([keras.Input((42,)), *stack, layers.Dense(1)])
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    keras.utils.set_random_seed(1)
    network = deep_sigmoid_network()
    assert isinstance(network, keras.Model), "Return a Keras network."
    assert network.input_shape == (None, 42), "The network reads 42 numbers."
    assert network.output_shape == (None, 1), "The network gives one number: end with Dense(1), without activation."
    assert not any("normalization" in type(layer).__name__.lower() for layer in network.layers), (
        "There is a normalisation layer: this time do without."
    )
    used = [layer.activation for layer in network.layers if hasattr(layer, "activation")]
    sigmoids = [some for some in used if some is keras.activations.sigmoid]
    assert len(sigmoids) >= 20, f"There are {len(sigmoids)} sigmoids: one for each of 20 hidden layers."
    bends = (layers.ReLU, layers.LeakyReLU, layers.PReLU, layers.ELU, layers.Softmax)
    used += [layer for layer in network.layers if isinstance(layer, bends)]
    assert set(used) <= {keras.activations.sigmoid, keras.activations.linear}, "No activation but the sigmoid, please."
    dense = [layer for layer in network.layers if isinstance(layer, layers.Dense)]
    assert len(dense) > 20, "Each of the 20 sigmoids should have weights of its own: 20 Dense layers, then Dense(1)."
    assert max(layer.units for layer in dense) <= 32, "A hidden layer has 32 neurons or less."
    assert network.layers[-1].activation is keras.activations.linear, (
        "End with Dense(1) without activation: a sigmoid would keep the answer between 0 and 1."
    )
    gradients = gradients_by_layer(network)
    assert np.all(np.isfinite(gradients)), "There are gradients that are no numbers: are your weights too large?"
    assert gradients.min() > 1e-6, f"The gradient still vanishes: in layer {gradients.argmin() + 1} it is below 1e-6."
    ratio = gradients[0] / gradients[-1]
    assert ratio > 0.01, f"The gradient still vanishes: in the first layer it is {ratio:.0e} of that in the last one."
    assert ratio < 100, f"Now the gradient explodes: in the first layer it is {ratio:.0e} of that in the last one."


# %% tags=["wrong"]
# hint: gradient still vanishes
def deep_sigmoid_network():
    hidden = [layers.Dense(32, activation="sigmoid", kernel_initializer="he_normal") for _ in range(20)]
    return keras.Sequential([keras.Input((42,)), *hidden, layers.Dense(1)])


# %% tags=["wrong"]
# hint: gradient still vanishes
def deep_sigmoid_network():
    large = keras.initializers.RandomNormal(stddev=4 / np.sqrt(32))
    hidden = [layers.Dense(32, activation="sigmoid", kernel_initializer=large) for _ in range(20)]
    return keras.Sequential([keras.Input((42,)), *hidden, layers.Dense(1)])


# %% tags=["wrong"]
# hint: gradient still vanishes
def deep_sigmoid_network():
    stack = []
    for _ in range(20):
        stack.append(layers.Dense(32, activation="sigmoid", kernel_initializer="he_normal"))
        stack.append(layers.Rescaling(1.0, offset=-0.5))
    return keras.Sequential([keras.Input((42,)), *stack, layers.Dense(1)])


# %% tags=["wrong"]
# hint: No activation but the sigmoid
def deep_sigmoid_network():
    hidden = [layers.Dense(32, activation="sigmoid") for _ in range(20)]
    return keras.Sequential([keras.Input((42,)), layers.Dense(32, activation="relu"), *hidden, layers.Dense(1)])


# %% tags=["wrong"]
# hint: normalisation layer
def deep_sigmoid_network():
    return deep_network("sigmoid", normalise=True)


# %% tags=["expected"]
def with_skips():
    inputs = keras.Input((42,))
    z = layers.Dense(32)(inputs)
    for _ in range(20):
        z = layers.Add()([z, layers.Dense(32, activation="sigmoid")(layers.Rescaling(0.5)(z))])
    return keras.Model(inputs, layers.Dense(1)(z))


deep_sigmoid_network = tasks.solved(deep_sigmoid_network, otherwise=with_skips, task="Task 6")
kinds["sigmoid, Task 6"] = (deep_sigmoid_network, "#009e73")
depth_runs["sigmoid, Task 6"] = train_at_depth(deep_sigmoid_network)
print(f"Task 6: {spoken(depth_runs['sigmoid, Task 6'].error)}")
figure, axes = plt.subplots(figsize=(7, 4.0), layout="constrained")
for name, run in depth_runs.items():
    band(axes, run.curve, kinds[name][1], name)
show_errors(axes, "step", "training error")
axes.legend(fontsize=8)
plt.show()

# %% [markdown]
# The solution puts $4\,\sigma(z) - 2$ in place of $\sigma(z)$: it passes through 0 with slope 1, as tanh does, so
# Xavier's weights are right for it. It ends at 12.1 ± 0.4 g/cm², below batch normalisation. Another way adds the
# layer's input to its output (a *skip connection*): the gradient finds a way around every sigmoid. Deep networks of
# today do this, and you meet it again in the lessons on images.
#
# ## Open the test set
#
# What you found, put together: standardised numbers, three layers with He's weights, Adam, a cosine. Give it 4,000
# steps, train with five seeds, and only now look at the test showers, once.

# %% tags=["result"]
long, peak = 8 * STEPS, planned["cosine"][0](0)
cosine = partial(schedules["cosine"], peak=peak, steps=long)
answers = []
for seed in range(5, profile.pick(full=10, quick=7)):
    run = trainers["Adam"](cosine, seed, steps=long)
    answers.append(center + spread * run.network.predict_on_batch(standardised["test"])[:, 0])
for name, run in finals.items():
    print(f"{name:8s} best rate {best_rates[name]:.4f}: {spoken(run.error)} on the validation showers")
errors = [metrics.rms_error(xmax["test"], answer) for answer in answers]
print(f"{len(errors)} networks, each alone: {spoken(errors)} on the test showers")
line = ridge.predict(standardised["test"])
for name, answer in (("mean of the networks", np.mean(answers, axis=0)), ("ridge regression", line)):
    value, low, high = metrics.bootstrap(metrics.rms_error, xmax["test"], answer)
    print(f"{name}: {value:.2f} g/cm² (68 % interval {low:.2f} to {high:.2f})")

# %% [markdown]
# A single network is hardly better than ridge regression: a straight line in these 42 numbers is nearly all there is.
# The mean of five networks is better by 0.4 g/cm². Both are close to the limit that lesson 32 computes for such
# showers, 9.2 g/cm². What you gained here is not the last g/cm² but that the training does what the network can do.
#
# ## What you learned
#
# - The condition number of the landscape says how slow gradient descent is; better coordinates are the first remedy.
# - Momentum remembers a direction, Adagrad and RMSProp a scale for each parameter, Adam both.
# - Compare optimizers only with the rate tuned for each; the rate matters more than the optimizer.
# - Begin with a large rate and end with a small one.
# - The noise of a gradient falls like one over the root of the batch.
# - First weights of variance $2/n$ keep signals and gradients alive through ReLUs; batch normalisation keeps them alive
#   almost whatever you do, and answers with moving averages afterwards.
#
# ## Go further
#
# - Move the origin of $x$ to the middle of the stations and run the race in the ravine again. Who wins now?
# - Add an optimizer of your own to both races: Nesterov's momentum, AdamW, or Lion (`keras.optimizers` has them).
# - Raise the rate from 0 during the first 10 % of the steps (*warm-up*). Which of the deep networks profits?
# - Train the final network for four times as many steps. What becomes of the error on the training showers, and of that
#   on the validation showers? [Lesson 14](14_generalization.ipynb) is about the difference.
#
# ## References
#
# - G. Goh, *Why momentum really works*, Distill (2017),
#   [doi:10.23915/distill.00006](https://doi.org/10.23915/distill.00006): momentum in a ravine, with sliders.
# - D. P. Kingma and J. Ba, *Adam: a method for stochastic optimization*,
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
# - I. Loshchilov and F. Hutter, *SGDR: stochastic gradient descent with warm restarts*,
#   [arXiv:1608.03983](https://arxiv.org/abs/1608.03983).
# - Y. LeCun et al., *Efficient BackProp*,
#   [doi:10.1007/978-3-642-35289-8_3](https://doi.org/10.1007/978-3-642-35289-8_3): why inputs should be standardised.
# - X. Glorot and Y. Bengio, *Understanding the difficulty of training deep feedforward neural networks*, AISTATS
#   (2010), [PMLR 9:249](https://proceedings.mlr.press/v9/glorot10a.html).
# - K. He et al., *Delving deep into rectifiers*, ICCV (2015) 1026,
#   [doi:10.1109/ICCV.2015.123](https://doi.org/10.1109/ICCV.2015.123).
# - S. Ioffe and C. Szegedy, *Batch normalization: accelerating deep network training by reducing internal covariate
#   shift*, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
