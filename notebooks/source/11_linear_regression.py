# %% [markdown]
# # Linear regression: how a machine learns a straight line
#
# **You will be able to**
# - name the four parts of every regression: data, model, objective, training,
# - compute gradients numerically, by formula and along a computation graph, and say what each of them costs,
# - train by gradient descent, on all events at once and in mini-batches, by hand and with Keras,
# - say how well any fit can do with your data, and show that training gets there,
# - tell when the mean squared error is the wrong objective.
#
# **Time** 50 min reading, 75 min tasks; runs in 30 s on two CPU cores.
# **You need** Python, NumPy and Matplotlib, derivatives and a little linear algebra. Nothing about networks.

# %%
import timeit

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from scipy.optimize import minimize_scalar

from showertools import profile, tasks, viewer

# %% [markdown]
# ## Data: one shower, seen twice
#
# A cosmic ray of $10^{19}$ eV hits the atmosphere and becomes an **air shower**, a cascade of billions of particles.
# Two instruments see it:
#
# - An **array** of detectors on the ground samples the particles, day and night. It measures the signal $S$ at 1000 m
#   from the centre of the shower, in units of what one vertical muon leaves in a detector (VEM, vertical equivalent
#   muon).
# - A **telescope** sees the air fluoresce along the shower's path, and so measures the energy $E$. But only in clear,
#   moonless nights: one hour in seven.
#
# The showers that both have seen are called **hybrid events**. With their help you calibrate the array: what is the
# energy of a shower that only the array has seen? At the Pierre Auger Observatory the answer has the form $E = A\,S^B$
# with $A \approx 0.19$ EeV and $B \approx 1.03$ (1 EeV is $10^{18}$ eV). You simulate 400 hybrid events, and see
# whether you get these numbers back.
#
# The other numbers in the simulation are our choice, of realistic size: energies from 3 to 100 EeV that become rarer
# as $E^{-2.5}$, and 15 % of scatter between the two instruments. The signal also depends on the angle $\theta$
# between the shower and the vertical; `signal_38` is what the array would have measured at 38°. Use that for now.

# %%
# NBVAL_CHECK_OUTPUT
A_TRUE, B_TRUE, SCATTER = 0.19, 1.03, 0.15  # EeV, exponent, spread of ln E
SIN2_38 = np.sin(np.radians(38)) ** 2


def simulate(n_events, seed, telescope_resolution=SCATTER, array_resolution=0.0):
    """Hybrid events: signals [VEM], sin² of the zenith angle, energy from the telescope [EeV]."""
    rng = np.random.default_rng(seed)
    true_energy = 3 * rng.uniform((100 / 3) ** -1.5, 1, n_events) ** (-1 / 1.5)
    sin2_theta = rng.uniform(0, 0.75, n_events)  # isotropic arrival on flat ground, up to 60°
    tilt = sin2_theta - SIN2_38
    signal_38 = (true_energy / A_TRUE) ** (1 / B_TRUE) * np.exp(array_resolution * rng.normal(size=n_events))
    energy = true_energy * np.exp(telescope_resolution * rng.normal(size=n_events))
    signal = signal_38 * np.exp(-1.0 * tilt - 1.8 * tilt**2)  # more air at larger angles
    return {"signal_38": signal_38, "signal": signal, "sin2_theta": sin2_theta, "energy": energy}


events = simulate(400, seed=11)
print({name: values.shape for name, values in events.items()})


# %%
BLUE, RED, GREEN, YELLOW = "#0072b2", "#d55e00", "#009e73", "#e69f00"


def draw_events(axes):
    """Energy against signal of the hybrid events."""
    axes.plot(events["signal_38"], events["energy"], ".", color=BLUE, label="hybrid event")
    axes.set(xlabel="signal at 1000 m, at 38° [VEM]", ylabel="energy from the telescope [EeV]")


def make_logarithmic(axes):
    """Logarithmic scales with plain numbers."""
    axes.set(xscale="log", yscale="log", ylim=(1.5, 120))
    axes.set_xticks([20, 50, 100, 200, 400], ["20", "50", "100", "200", "400"])
    axes.set_yticks([2, 5, 10, 20, 50, 100], ["2", "5", "10", "20", "50", "100"])
    axes.minorticks_off()


figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
draw_events(left)
draw_events(right)
make_logarithmic(right)
left.legend()
plt.show()

# %% [markdown]
# Left, most events crowd into a corner, and the scatter grows with energy. Right, in logarithms, the scatter is the
# same everywhere and the events follow a straight line.
#
# ## Model: what you allow the answer to be
#
# So take natural logarithms: $\ln E = B \ln S + \ln A$. With $y = \ln(E/\mathrm{EeV})$ and $x = \ln S$ minus its
# mean, the **model** is
#
# $$\hat y = w\,x + b.$$
#
# The hat says: predicted. $w$ and $b$ are the **parameters**. In a network, $w$ is called a *weight* and $b$ a *bias*
# (not the bias of an estimator). Here $w$ is the exponent $B$, and $b$ is the logarithm of the energy of a typical
# event. Natural logarithms are practical: a difference of 0.15 in $\ln E$ is 15 % in energy, nearly.
#
# ## Objective: what makes one line better than another?
#
# A machine that is to find the best line needs a number to tell good from bad. That number is the **objective** (or
# *loss*): a function of the parameters that is small when the predictions are good. The usual one is the **mean
# squared error**,
#
# $$L(w, b) = \frac{1}{n}\sum_i (w\,x_i + b - y_i)^2.$$
#
# Why squares? If the $y_i$ scatter normally with width $\sigma$ around the line, the logarithm of their probability
# is $-\sum_i (\hat y_i - y_i)^2/2\sigma^2$ plus a constant. So the line with the smallest mean squared error is the
# one that makes your data most probable: the maximum-likelihood estimate.
#
# Guess first: how large is $L$ for the true line? You know the scatter.
#
# ### Task 1: the objective
#
# Write `mean_squared_error(parameters, x, y)`. `parameters` holds $w$, then $b$. Put your code in place of the line
# that raises an error, run the cell, then the check below it. If you leave a task open, the lesson goes on with a
# solution of its own.


# %%
def mean_squared_error(parameters, x, y):
    """Mean of the squared differences between the line and y; parameters (2,), x and y (n,)."""
    ### BEGIN SOLUTION
    slope, intercept = parameters
    return np.mean((slope * x + intercept - y) ** 2)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    some_x, some_y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0])  # y = 2 x + 1
    answer = mean_squared_error((2.0, 1.0), some_x, some_y)
    assert answer is not None, "Your function returns nothing: it should end with `return`."
    assert np.shape(answer) == (), "Return one number for all events, not one for each."
    assert not np.isclose(answer, 1.5), "You took w for b: `parameters` holds first the slope w, then the intercept b."
    assert np.isclose(answer, 0), "On y = 2 x + 1 the parameters (2, 1) make no error: prediction minus y, then square."
    answer = mean_squared_error((2.0, 4.0), some_x, some_y)
    assert answer > 1e-9, (
        "All predictions are 3 too large, and you find no error: use the parameters given, square, subtract no mean."
    )
    assert not np.isclose(answer, 3), "That is the mean (or root mean square) error: it should be the mean square."
    assert not np.isclose(answer, 36), "That is the sum of the squares: take their mean."
    assert not np.isclose(answer, 6), "That is the root of the sum of the squares: take their mean, and no root."
    assert not np.isclose(answer, 18), "Divide by the number of events n: nothing is subtracted from it here."
    assert not np.isclose(answer, 4.5), "No factor 1/2 here: the mean of the squares, as the formula says."
    assert np.isclose(answer, 9), "All predictions are 3 too large: the mean squared error is 9."
    answer = mean_squared_error((2.0, 1.0), some_x, some_y + [1, -2, 3, -4])
    assert not np.isclose(answer, 0.25), "Errors of opposite sign must not cancel: first square, then average."
    assert np.isclose(answer, 7.5), "Errors of 1, -2, 3 and -4 make (1 + 4 + 9 + 16)/4 = 7.5: take the mean of all."


# %% tags=["wrong"]
# hint: sum of the squares
def mean_squared_error(parameters, x, y):
    slope, intercept = parameters
    return np.sum((slope * x + intercept - y) ** 2)


# %% tags=["wrong"]
# hint: took w for b
def mean_squared_error(parameters, x, y):
    intercept, slope = parameters
    return np.mean((slope * x + intercept - y) ** 2)


# %% tags=["wrong"]
# hint: must not cancel
def mean_squared_error(parameters, x, y):
    slope, intercept = parameters
    return np.mean(slope * x + intercept - y) ** 2


# %% tags=["wrong"]
# hint: it should be the mean square
def mean_squared_error(parameters, x, y):
    slope, intercept = parameters
    return np.sqrt(np.mean((slope * x + intercept - y) ** 2))


# %% tags=["wrong"]
# hint: take the mean of all
def mean_squared_error(parameters, x, y):
    for one_x, one_y in zip(x, y):
        return (parameters[0] * one_x + parameters[1] - one_y) ** 2


# %%
mean_squared_error = tasks.solved(
    mean_squared_error, otherwise=lambda p, x, y: np.square(np.polyval(p, x) - y).mean(), task="Task 1"
)
mean_log_signal = np.log(events["signal_38"]).mean()
x = np.log(events["signal_38"]) - mean_log_signal  # (400,)
y = np.log(events["energy"])  # (400,)
true_parameters = np.array([B_TRUE, np.log(A_TRUE) + B_TRUE * mean_log_signal])
print(f"a typical signal is {np.exp(mean_log_signal):.0f} VEM; the scatter squared is {SCATTER**2:.4f}")
print(f"the true line: {mean_squared_error(true_parameters, x, y):.4f}; a flat line: {np.var(y):.4f}")

# %% [markdown]
# The true line leaves about the square of the scatter. No other line does much better: none can follow the scatter.
#
# ## Training: walk downhill
#
# Each pair $(w, b)$ is a line, and a point of a plane. Above it lies the objective, a surface. **Training** means:
# change the parameters until the objective is small. Start anywhere. The **gradient** $\nabla L = (\partial
# L/\partial w,\, \partial L/\partial b)$ points where the surface rises most steeply, so take a step against it, and
# repeat:
#
# $$(w, b) \leftarrow (w, b) - \eta\,\nabla L.$$
#
# This is **gradient descent**. The factor $\eta$ is the **learning rate**. All you need is the gradient, and for that
# you need no formula: shift a parameter a little up and a little down, and see how the objective changes.
#
# ### Task 2: a gradient without a formula
#
# Write `numerical_gradient(function, parameters, step)`. For each parameter $k$ compute $\frac{f(\ldots, p_k + h,
# \ldots) - f(\ldots, p_k - h, \ldots)}{2h}$, with $h$ = `step`. `function` takes an array of parameters and returns a
# number. There may be any number of parameters.


# %%
def numerical_gradient(function, parameters, step=1e-6):
    """Central differences of `function` at `parameters` (m,), as an array (m,)."""
    ### BEGIN SOLUTION
    parameters = np.array(parameters, dtype=float)
    gradient = np.zeros_like(parameters)
    for k in range(len(parameters)):
        shift = np.zeros_like(parameters)
        shift[k] = step
        gradient[k] = (function(parameters + shift) - function(parameters - shift)) / (2 * step)
    return gradient
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    bowl = lambda p: p[0] ** 2 + 3 * p[0] * p[1] + 5 * p[2]  # its gradient is (2 p0 + 3 p1, 3 p0, 5)
    point = np.array([2.0, -1.0, 4.0])
    answer = numerical_gradient(bowl, point, 0.1)
    assert isinstance(answer, np.ndarray), "Return a NumPy array: the lesson multiplies it by a number."
    assert answer.shape == (3,), "Return one derivative for each parameter, in an array."
    assert np.array_equal(point, [2, -1, 4]), "Your function changes the parameters that it was given: work on a copy."
    assert not np.allclose(answer, [-1, -6, -5]), "The sign is wrong: up minus down, not down minus up."
    assert not np.allclose(answer, [2, 12, 10]), "Twice too large: between up and down lie two steps."
    assert not np.isclose(answer[2], 2.5), "Half: after a step up, two steps down bring you to the other side."
    assert not np.isclose(answer[0], [1.1, 0.9]).any(), "That is the difference to f(p) itself: step to both sides."
    assert not np.isclose(answer[1], [7, 6.3]).any(), "Put each parameter back before you shift the next."
    assert answer[2] != 0, "The last derivative is 0: go through all parameters, and return after the loop."
    assert np.isclose(answer[0], 1) or not np.allclose(answer, answer[0] * np.array([1, 6, 5])), (
        "Right but for a factor: divide the difference by (2 * step), with the brackets."
    )
    assert np.allclose(answer, [1, 6, 5]), "At (2, -1, 4) this gradient is (1, 6, 5): shift one parameter at a time."
    answer = numerical_gradient(lambda p: p[0] ** 3, np.zeros(1), 0.5)
    assert np.allclose(answer, 0.25), "Shift by `step`, whatever it is: for p³ at 0 and h = 0.5 that gives h² = 0.25."
    answer = numerical_gradient(lambda p: 0.5 * np.sum(p), np.arange(7), 0.1)
    assert np.allclose(answer, 0.5), "Parameters may be whole numbers, which cannot hold 0.1: make them floats."


# %% tags=["wrong"]
# hint: step to both sides
def numerical_gradient(function, parameters, step=1e-6):
    shifts = step * np.eye(len(parameters))
    return np.array([(function(parameters + shift) - function(parameters)) / step for shift in shifts])


# %% tags=["wrong"]
# hint: two steps
def numerical_gradient(function, parameters, step=1e-6):
    shifts = step * np.eye(len(parameters))
    return np.array([(function(parameters + shift) - function(parameters - shift)) / step for shift in shifts])


# %% tags=["wrong"]
# hint: work on a copy
def numerical_gradient(function, parameters, step=1e-6):
    gradient = np.zeros(len(parameters))
    for k in range(len(parameters)):
        parameters[k] += step
        up = function(parameters)
        parameters[k] -= 2 * step
        gradient[k] = (up - function(parameters)) / (2 * step)
    return gradient


# %% tags=["wrong"]
# hint: Shift by `step`, whatever it is
def numerical_gradient(function, parameters, step=1e-6):
    shifts = 1e-6 * np.eye(len(parameters))
    return np.array([function(parameters + shift) - function(parameters - shift) for shift in shifts]) / 2e-6


# %% tags=["wrong"]
# hint: make them floats
def numerical_gradient(function, parameters, step=1e-6):
    gradient = np.zeros(len(parameters))
    for k in range(len(parameters)):
        up, down = parameters.copy(), parameters.copy()
        up[k] += step
        down[k] -= step
        gradient[k] = (function(up) - function(down)) / (2 * step)
    return gradient


# %%
def differences(function, parameters, step=1e-6):
    """Central differences, all parameters at once."""
    shifts = step * np.eye(len(parameters))
    return np.array([function(parameters + shift) - function(parameters - shift) for shift in shifts]) / (2 * step)


numerical_gradient = tasks.solved(numerical_gradient, otherwise=differences, task="Task 2")


# %%
def objective(parameters):
    """What the descent makes small: the mean squared error of the 400 events."""
    return mean_squared_error(parameters, x, y)


def descend(gradient, start, learning_rate, n_steps, *data):
    """Gradient descent; returns the parameters before the first and after each step, (n_steps + 1, m)."""
    path = [np.asarray(start, dtype=float)]
    for _ in range(n_steps):
        path.append(path[-1] - learning_rate * gradient(path[-1], *data))
    return np.array(path)


uphill = lambda parameters: numerical_gradient(objective, parameters)
path = descend(uphill, start=(0.0, 0.0), learning_rate=0.3, n_steps=30)
for step in (0, 1, 2, 5, 10, 30):
    print(f"step {step:2d}: w = {path[step, 0]:.4f}, b = {path[step, 1]:.4f}, L = {objective(path[step]):.4f}")


# %%
def draw_surface(axes, x, y, slopes, intercepts):
    """Contours of the mean squared error over a grid of slopes and intercepts."""
    height = [[mean_squared_error((slope, intercept), x, y) for slope in slopes] for intercept in intercepts]
    rings = axes.contourf(slopes, intercepts, height, levels=np.geomspace(0.02, 200, 25), cmap="Blues", norm="log")
    axes.set(xlabel="slope w", ylabel="intercept b")
    return rings


def draw_step(step):
    """The surface with the first steps of the descent, and the data with the line that they lead to."""
    figure = plt.Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    rings = draw_surface(left, x, y, np.linspace(-0.5, 2.5, 50), np.linspace(-0.5, 4, 50))
    figure.colorbar(rings, ax=left, label="mean squared error", ticks=[0.02, 0.2, 2, 20], format="%g")
    left.plot(*path[: step + 1].T, "o-", color=RED, markersize=4, label="steps so far")
    left.plot(*np.polyfit(x, y, 1), "k*", markersize=12, label="minimum")
    draw_events(right)
    ends = np.array([x.min(), x.max()])
    line = np.exp(path[step, 0] * ends + path[step, 1])
    right.plot(np.exp(ends + mean_log_signal), line, color=RED, linewidth=2, label=f"after {step} steps")
    make_logarithmic(right)
    for axes in (left, right):
        axes.legend(loc="upper left")
    return figure


viewer.with_sliders(draw_step, step=viewer.Slider("step", 30, 0, 30, 1, play=True))

# %% [markdown]
# Press play, or move the slider. On the left the surface, on the right the line that belongs to the same step. The
# steps get shorter by themselves, because the surface gets flatter towards the bottom. The intercept is nearly right
# after five steps; the slope takes twenty. Each darker ring is a factor 1.5 higher.
#
# ## How large a step?
#
# The learning rate is yours to choose; above it was 0.3. Guess before you look: what happens with a tenth of that,
# and what with 1.02?


# %% tags=["expected"]
def draw_descent(axes, x, slopes, intercepts, rate, n_steps):
    """The surface, and the steps of a descent from (0, 0) on it."""
    draw_surface(axes, x, y, np.linspace(*slopes, 60), np.linspace(*intercepts, 60))
    gradient = lambda parameters: numerical_gradient(lambda p: mean_squared_error(p, x, y), parameters)
    steps = descend(gradient, (0.0, 0.0), rate, n_steps)
    axes.plot(*steps.T, "o-", color=RED, markersize=3, linewidth=0.8, label=f"{n_steps} steps")
    axes.plot(*np.polyfit(x, y, 1), "k*", markersize=12, label="minimum")
    axes.legend(loc="upper right")


figure, panels = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axes, rate in zip(panels, (0.03, 0.3, 1.02)):
    draw_descent(axes, x, (-0.5, 2.5), (-2.5, 6), rate, 20)
    axes.set_title(f"learning rate {rate}")
plt.show()

# %% [markdown]
# Left too small: the descent creeps, and after 20 steps it is not there. Right too large: each step jumps across the
# valley and lands a little higher than before. For a parabola one can compute where this begins. Along a direction in
# which the second derivative is $\lambda$, a step multiplies the distance to the bottom by $1 - \eta\lambda$. Its
# modulus must stay below 1, so
#
# $$\eta < 2/\lambda_\mathrm{max}.$$
#
# In the direction of $b$ the second derivative of $L$ is exactly 2. So 1.02 is just too much. More on learning rates
# in [lesson 13](13_optimization.ipynb).
#
# ## Why you subtracted the mean
#
# You took $x = \ln S$ minus its mean. Without that the model is the same, and $b$ is $\ln A$. But look at the
# surface:

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for axes, shift, intercepts in ((panels[0], mean_log_signal, (-4.5, 4.5)), (panels[1], 0.0, (-2.7, 6.3))):
    columns = np.column_stack([x + shift, np.ones_like(x)])  # (400, 2)
    curvatures = np.linalg.eigvalsh(2 * columns.T @ columns / len(x))  # second derivatives across and along the valley
    draw_descent(axes, x + shift, (-1.2, 3.2), intercepts, 2 / curvatures.sum(), 50)  # at the best constant rate
    axes.set_title(f"{'x = ln S' if shift else 'minus its mean'}: condition number {curvatures[1] / curvatures[0]:.3g}")
plt.show()

# %% [markdown]
# Left the surface is a ravine. All signals lie far from $\ln S = 0$, so a steeper line with a lower intercept fits
# nearly as well. The step must be small enough for the steep walls, and then it is far too small for the floor: 50
# steps jump from wall to wall and hardly move along it. Right, the same 50 steps are more than enough. The ratio of
# the largest to the smallest second derivative, the **condition number**, says how bad it is: 419 on the left, 2.6 on
# the right. Networks are no different, so subtract the mean of each input and divide by its spread (**standardise**)
# before anything else.
#
# ## The gradient by formula
#
# So far the gradient came from differences. Now derive it. First write the model so that it holds for any number of
# inputs: put the inputs of each event, its **features**, into a row of a matrix $X$, with a last column of ones that
# goes with $b$. Then all predictions are $\hat y = X p$, where $p$ holds all $m$ parameters, and $L = \frac1n \sum_i
# (\hat y_i - y_i)^2$. The difference $\hat y_i - y_i$ is called the **residual**.
#
# ### Task 3: the analytic gradient
#
# Differentiate $L$ by $p_k$ and write `analytic_gradient(parameters, features, y)` for `features` of shape (n, m). No
# loop is needed.


# %%
def analytic_gradient(parameters, features, y):
    """Gradient (m,) of the mean squared error of features @ parameters; features (n, m), y (n,)."""
    ### BEGIN SOLUTION
    residual = features @ parameters - y  # (n,)
    return 2 * features.T @ residual / len(y)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    some_x, some_y, point = np.cos(np.arange(21)).reshape(7, 3), np.arange(7), np.array([1.0, -2.0, 0.5])
    square = some_x[:3], some_y[:3]  # as many events as parameters
    answer = analytic_gradient(point, *square)
    assert answer is not None, "Your function returns nothing: it should end with `return`."
    assert np.shape(answer) == (3,), "One derivative for each parameter: sum over the events, and over nothing else."
    transposed = 2 * square[0] @ (square[0] @ point - square[1]) / 3
    assert not np.allclose(answer, transposed), "Transposed: the sum runs over the events, so it is features.T @ ..."
    expected = differences(lambda p: np.mean((some_x @ p - some_y) ** 2), point, 1.0)  # exact: L is a parabola
    answer = analytic_gradient(point, some_x, some_y)
    assert np.shape(answer) == (3,), "There should be one derivative for each parameter: sum over the events, axis 0."
    assert not np.allclose(answer, -expected), "The sign is wrong: the inner derivative of (prediction - y) is +x."
    assert not np.allclose(answer, expected / 2), "A factor 2 is missing: the square has a derivative, too."
    assert not np.allclose(answer, 7 * expected), "You took the sum over the events: L is a mean."
    assert not np.allclose(answer, 3.5 * expected), "You took the sum over the events, and the 2 is missing."
    assert not np.allclose(answer, 7 / 3 * expected), "Divide by the number of events, not of parameters."
    assert np.allclose(answer, expected), "Not the gradient: 2/n times the sum over n events of residual times feature."
    assert np.allclose(answer, expected, rtol=0, atol=1e-10), (
        "Right to a few digits: is that a numerical gradient? Use no step."
    )
    assert np.allclose(analytic_gradient(np.ones(1), np.ones((4, 1)), np.zeros(4)), 2), "It should work for any shape."


# %% tags=["wrong"]
# hint: sign is wrong
def analytic_gradient(parameters, features, y):
    return 2 * features.T @ (y - features @ parameters) / len(y)


# %% tags=["wrong"]
# hint: factor 2 is missing
def analytic_gradient(parameters, features, y):
    return features.T @ (features @ parameters - y) / len(y)


# %% tags=["wrong"]
# hint: L is a mean
def analytic_gradient(parameters, features, y):
    return 2 * features.T @ (features @ parameters - y)


# %% tags=["wrong"]
# hint: residual times feature
def analytic_gradient(parameters, features, y):
    return 2 * (features * np.mean(features @ parameters - y)).mean(axis=0)


# %% tags=["wrong"]
# hint: not of parameters
def analytic_gradient(parameters, features, y):
    return 2 * features.T @ (features @ parameters - y) / len(parameters)


# %%
def gradient_by_einsum(parameters, features, y):
    """The same sum over events, in index notation."""
    return np.einsum("ni,n->i", features, np.einsum("ni,i->n", features, parameters) - y) * 2 / len(y)


analytic_gradient = tasks.solved(analytic_gradient, otherwise=gradient_by_einsum, task="Task 3")
features = np.column_stack([x, np.ones_like(x)])  # (400, 2)
by_formula = analytic_gradient(np.zeros(2), features, y)
print(f"formula {by_formula}, differences {numerical_gradient(objective, np.zeros(2))}")

# %% [markdown]
# They agree. So why bother with the formula? Because of the price. A numerical gradient of $m$ parameters needs $2m$
# evaluations of the objective; the formula needs about as much work as two. A modern network has millions of
# parameters. Guess the ratio of the two times at 1000 parameters, then measure it.


# %%
def seconds(n_parameters):
    """Shortest times of a numerical and of an analytic gradient, for 100 events with random features."""
    columns, point = np.random.default_rng(1).normal(size=(100, n_parameters)), np.zeros(n_parameters)
    error = lambda p: np.mean((columns @ p - y[:100]) ** 2)
    n_runs = profile.pick(full=9, quick=3)
    slow = timeit.repeat(lambda: numerical_gradient(error, point), number=1, repeat=n_runs)
    fast = timeit.repeat(lambda: analytic_gradient(point, columns, y[:100]), number=20, repeat=n_runs)
    return min(slow), min(fast) / 20


sizes = np.array([2, 5, 10, 20, 50, 100, 200, 500, 1000])
times = 1e3 * np.array([seconds(size) for size in sizes])  # (sizes, 2) ms

for column, label, color in ((0, "numerical gradient", RED), (1, "formula", BLUE)):
    slope = np.polyfit(np.log(sizes[-4:]), np.log(times[-4:, column]), 1)[0]
    plt.loglog(sizes, times[:, column], "o-", color=color, label=f"{label}: slope {slope:.1f} from 100 parameters on")
plt.annotate(f"{times[-1, 0] / times[-1, 1]:.0f} times", (850, 1), ha="right")
plt.annotate("", (1000, 0.8 * times[-1, 0]), (1000, 1.25 * times[-1, 1]), arrowprops={"arrowstyle": "<->"})
plt.xlabel("number of parameters")
plt.ylabel("time for one gradient [ms]")
plt.ylim(None, 10 * times.max())
plt.legend(loc="upper left")
plt.show()

# %% [markdown]
# At 1000 parameters the formula is several hundred times faster. The ratio grows with their number: one evaluation
# takes a time proportional to $m$ once $m$ is large, so the numerical gradient goes towards $m^2$, the formula
# towards $m$. At a million parameters the numerical gradient would be about a million times slower. It has one use
# left: to test formulas, as you just did.
#
# ## Where must the descent end, and how well can it do?
#
# This one objective can be solved without any descent: the gradient is zero where $X^\top\!X\,p = X^\top y$, a system
# of linear equations. Its solution is the **closed form**. No network has one, which is why all of deep learning
# descends; but here it is a judge.
#
# Statistics also tells the judge's own uncertainty. The covariance of the fitted parameters is
#
# $$V = \sigma^2\,(X^\top\!X)^{-1},$$
#
# and for normal errors the Cramér–Rao bound says that no estimator that is right on average has a smaller one. So the
# question is not whether descent reaches the closed form to the last digit, but whether the rest is small against
# these errors.
#
# Do you believe $V$? Test it. The second cell repeats the whole campaign 300 times, the same showers with new errors of
# the telescope, and lets gradient descent fit each. If descent is as good as can be, the results scatter as $V$ says.

# %%
closed_form = np.linalg.lstsq(features, y)[0]
sigma = np.sqrt(np.sum((features @ closed_form - y) ** 2) / (len(y) - 2))  # two parameters were fitted
covariance = sigma**2 * np.linalg.inv(features.T @ features)  # (2, 2)
errors = np.sqrt(np.diag(covariance))
print(f"closed form: w = {closed_form[0]:.4f} ± {errors[0]:.4f}, b = {closed_form[1]:.4f} ± {errors[1]:.4f}")
print(f"truth:       w = {true_parameters[0]:.4f},          b = {true_parameters[1]:.4f}")
for n_steps in (10, 20, 50):
    end = descend(analytic_gradient, (0.0, 0.0), 0.3, n_steps, features, y)[-1]
    print(f"{n_steps} steps of descent: off by {np.abs((end - closed_form) / errors).max():.1g} statistical errors")

# %%
rng = np.random.default_rng(12)
fitted = []
for _ in range(profile.pick(full=300, quick=100)):
    measured = features @ true_parameters + SCATTER * rng.normal(size=len(x))
    fitted.append(descend(analytic_gradient, (0.0, 0.0), 0.5, 40, features, measured)[-1])
fitted = np.array(fitted)  # (300, 2)
bound = SCATTER**2 * np.linalg.inv(features.T @ features)
distance = np.einsum("ni,ij,nj->n", fitted - true_parameters, np.linalg.inv(bound), fitted - true_parameters)
inside = {content: np.mean(distance < -2 * np.log(1 - content)) for content in (0.68, 0.95)}  # chi², two parameters

angle = np.linspace(0, 2 * np.pi, 200)
circle = np.linalg.cholesky(bound) @ [np.cos(angle), np.sin(angle)]  # (2, 200): the contour of distance 1
plt.figure(figsize=(6, 4.6), layout="constrained")
plt.plot(*fitted.T, ".", color=BLUE, label=f"{len(fitted)} campaigns, fitted by descent")
for content, style in ((0.68, "-"), (0.95, "--")):
    ellipse = true_parameters[:, None] + np.sqrt(-2 * np.log(1 - content)) * circle
    plt.plot(
        *ellipse, style, color=RED, label=f"limit for {100 * content:.0f} %; {100 * inside[content]:.0f} % are inside"
    )
plt.plot(*true_parameters, "k*", markersize=12, label="truth")
plt.xlabel("slope w")
plt.ylabel("intercept b")
plt.ylim(None, true_parameters[1] + 0.035)
plt.legend()
plt.show()
ratio = fitted.std(axis=0, ddof=1) / np.sqrt(np.diag(bound))
print(f"scatter divided by the limit: {ratio[0]:.2f} and {ratio[1]:.2f}, both ± {1 / np.sqrt(2 * len(fitted)):.2f}")

# %% [markdown]
# Twenty steps leave half a statistical error, fifty leave nothing that matters. The 300 fits fill the ellipses as they
# should. The ellipses are not tilted: with $x$ centred, slope and intercept are independent, which is the same fact
# that made the ravine go away.
#
# ## More features: the zenith angle
#
# A linear model is linear in its *parameters*. The features may be anything. Take the raw signal, which nobody has
# corrected for the angle. An inclined shower crosses more air and has lost more particles on the ground. Add $t =
# \sin^2\theta - \sin^2 38°$ and $t^2$ as features, standardise, and leave the rest as it is: four parameters, the
# same gradient, the same descent.

# %%
tilt = events["sin2_theta"] - SIN2_38
inputs = np.column_stack([np.log(events["signal"]), tilt, tilt**2])  # (400, 3)
widths = inputs.std(axis=0)
standardised = np.column_stack([(inputs - inputs.mean(axis=0)) / widths, np.ones(len(inputs))])  # (400, 4)
end = descend(analytic_gradient, np.zeros(4), 0.3, 60, standardised, y)[-1]
end_errors = sigma * np.sqrt(np.diag(np.linalg.inv(standardised.T @ standardised)))
for name, value, error in zip(("ln S", "t", "t²"), end[:3] / widths, end_errors[:3] / widths):
    print(f"coefficient of {name}: {value:.2f} ± {error:.2f}")

# %%
panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")[1]
without = np.linalg.lstsq(standardised[:, [0, 3]], y)[0]
for axes, name, columns, fit in ((panels[0], "ln S, 1", [0, 3], without), (panels[1], "ln S, t, t², 1", slice(4), end)):
    residual = y - standardised[:, columns] @ fit
    axes.plot(events["sin2_theta"], residual, ".", color=BLUE)
    axes.axhline(0, color="k", linewidth=1)
    axes.set(xlabel=r"$\sin^2$ of the zenith angle $\theta$", ylabel="ln E minus prediction")
    axes.set_title(f"{name}: slope in ln S {fit[0] / widths[0]:.2f}, scatter {residual.std():.3f}")
plt.show()

# %% [markdown]
# Left, without the angle, inclined showers have more energy than the line gives them, and the scatter is 26 %. Right,
# nothing of the angle is left, and the scatter is the 15 % of the instruments. The attenuation comes back, too: in
# $\ln E$ the coefficients should be $1.03\cdot 1.00 = 1.03$ for $t$ and $1.03\cdot 1.80 = 1.85$ for $t^2$. You find
# 1.02 ± 0.04 and 2.08 ± 0.18.
#
# ## A graph, and the chain rule
#
# For a straight line you can find the gradient on paper. For a network with ten layers nobody would. The trick that
# makes it possible needs only one rule, and you can see it in a model that is just a little crooked. Forget the
# logarithms and ask that the *relative* deviation of the energies be small:
#
# $$L(A, B) = \frac1n\sum_i\left(\frac{A\,(S_i/S_0)^B}{E_i} - 1\right)^2,$$
#
# with $S_0$ the typical signal, so that $\ln(S/S_0)$ is your $x$. Computed step by step, where each step is a
# **node** of a **computation graph** ($p$ is now the predicted energy):
#
# $$u = B\,x, \qquad v = e^u, \qquad p = A\,v, \qquad r = p/E - 1, \qquad L = \mathrm{mean}(r^2).$$
#
# Now go backwards. Ask of each node: if it changes a little, by how much does $L$ change? For $r$ the answer is
# simple, $\partial L/\partial r_i = 2 r_i/n$. And if you know it for a node, you know it for the node before:
# multiply by the derivative of the one step between them. For $p$, which enters $r = p/E - 1$,
#
# $$\frac{\partial L}{\partial p_i} = \frac{\partial L}{\partial r_i}\cdot\frac{\partial r_i}{\partial p_i}
# = \frac{\partial L}{\partial r_i}\cdot\frac{1}{E_i}.$$
#
# This is the chain rule, applied from the end to the beginning: **backpropagation**. One thing to watch: a parameter
# that all events share gets the *sum* of what comes back from each.
#
# ### Task 4: backwards through the graph
#
# Write `backward(nodes)`. `nodes` is what `forward` returns. Return a dictionary with the derivative of $L$ by `r`,
# `p`, `v` and `u` (arrays, one value an event) and by `A` and `B` (numbers).
#
# TensorFlow, on which Keras runs here, does the same with any code: while you compute forwards, a `GradientTape`
# writes down the graph, and then walks it backwards. This is **automatic differentiation**. After the task it gets the
# same `forward`, with the functions of `keras.ops` in place of NumPy's. Will it agree with you?


# %%
def forward(A, B, x, energy, library=np):
    """All nodes of the graph, by name."""
    u = B * x  # (n,)
    v = library.exp(u)
    p = A * v
    r = p / energy - 1
    return {"A": A, "B": B, "x": x, "E": energy, "u": u, "v": v, "p": p, "r": r, "L": library.mean(r**2)}


def backward(nodes):
    """Derivatives of L by r, p, v, u (n,) and by A and B, as a dictionary."""
    ### BEGIN SOLUTION
    r = 2 * nodes["r"] / len(nodes["r"])  # (n,)
    p = r / nodes["E"]
    v = p * nodes["A"]
    u = v * nodes["v"]  # the derivative of exp(u) is exp(u)
    return {"r": r, "p": p, "v": v, "u": u, "A": np.sum(p * nodes["v"]), "B": np.sum(u * nodes["x"])}
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    case = 4.0, 1.5, np.array([0.0, 0.5, -1.0]), np.array([5.0, 8.0, 0.5])
    nodes = forward(*case)
    loss = lambda p: forward(p[0], p[1], nodes["x"], nodes["E"])["L"]
    expected_A, expected_B = differences(loss, np.array([4.0, 1.5]))
    answer = backward(forward(*case))
    assert isinstance(answer, dict), "Return a dictionary: the derivatives by their names."
    assert set("rpvuAB") <= set(answer), "Return a dictionary with the keys r, p, v, u, A and B."
    assert not np.allclose(answer["r"], 2 * nodes["r"]), "L is a mean: each r enters it with 1/n."
    assert np.allclose(answer["r"], 2 / 3 * nodes["r"]), "r: the derivative of mean(r²) by one of the r is 2 r/n."
    assert not np.allclose(answer["p"], answer["r"]), "p: r = p/E - 1 has a derivative by p, and it is not 1."
    assert np.allclose(answer["p"], answer["r"] / nodes["E"]), (
        "p: what came back to r, times the derivative of p/E - 1 by p, which is 1/E."
    )
    assert np.allclose(answer["v"], 4 * answer["p"]), (
        "v: multiply what came back to p by the derivative of p = A v by v."
    )
    assert not np.allclose(answer["u"], answer["v"] * nodes["u"]), "u: the derivative of exp(u) is not u."
    assert not np.allclose(answer["u"], answer["v"]), "u: v = exp(u) has a derivative, and it is not 1."
    assert np.allclose(answer["u"], answer["v"] * nodes["v"]), "u: multiply by the derivative of exp(u), which is v."
    assert np.shape(answer["A"]) == () == np.shape(answer["B"]), "A and B are numbers: sum over the events."
    assert not np.isclose(answer["A"], expected_A / 3), "A: sum over the events; the 1/n is in r already."
    assert np.isclose(answer["A"], expected_A, rtol=1e-5), "A: what came back to p, times the derivative of A v by A."
    assert not np.isclose(answer["B"], expected_B / 3), "B: sum over the events; the 1/n is in r already."
    assert np.isclose(answer["B"], expected_B, rtol=1e-5), "B: what came back to u, times the derivative of B x by B."


# %% tags=["wrong"]
# hint: each r enters it with 1/n
def backward(nodes):
    r = 2 * nodes["r"]
    p = r / nodes["E"]
    v = p * nodes["A"]
    u = v * nodes["v"]
    return {"r": r, "p": p, "v": v, "u": u, "A": np.mean(p * nodes["v"]), "B": np.mean(u * nodes["x"])}


# %% tags=["wrong"]
# hint: A: sum over the events
def backward(nodes):
    r = 2 * nodes["r"] / len(nodes["r"])
    p = r / nodes["E"]
    v = p * nodes["A"]
    u = v * nodes["v"]
    return {"r": r, "p": p, "v": v, "u": u, "A": np.mean(p * nodes["v"]), "B": np.mean(u * nodes["x"])}


# %% tags=["wrong"]
# hint: A and B are numbers
def backward(nodes):
    r = 2 * nodes["r"] / len(nodes["r"])
    p = r / nodes["E"]
    v = p * nodes["A"]
    u = v * nodes["v"]
    return {"r": r, "p": p, "v": v, "u": u, "A": p * nodes["v"], "B": u * nodes["x"]}


# %% tags=["wrong"]
# hint: derivative of exp(u) is not u
def backward(nodes):
    r = 2 * nodes["r"] / len(nodes["r"])
    p = r / nodes["E"]
    v = p * nodes["A"]
    u = v * nodes["u"]
    return {"r": r, "p": p, "v": v, "u": u, "A": np.sum(p * nodes["v"]), "B": np.sum(u * nodes["x"])}


# %%
def backward_by_tape(nodes):
    """The derivatives of `backward`, by TensorFlow, in double precision."""
    A, B = tf.Variable(nodes["A"], dtype=tf.float64), tf.Variable(nodes["B"], dtype=tf.float64)
    with tf.GradientTape() as tape:
        graph = forward(A, B, nodes["x"], nodes["E"], library=keras.ops)
    derivatives = tape.gradient(graph["L"], {name: graph[name] for name in "rpvuAB"})
    return {name: value.numpy() for name, value in derivatives.items()}


# %%
backward = tasks.solved(backward, otherwise=backward_by_tape, task="Task 4")
nodes = forward(5.0, 0.8, x, events["energy"])
yours, machine = backward(nodes), backward_by_tape(nodes)
assert all(np.allclose(yours[name], machine[name], rtol=1e-5, atol=0) for name in "rpvuAB")
print(f"yours: {yours['A']:.12f}, {yours['B']:.12f}")
print(f"tape:  {machine['A']:.12f}, {machine['B']:.12f}")

# %%
one = forward(5.0, 0.8, x[7:8], events["energy"][7:8])
back = backward(one)
places = {"B": (0, 1.15), "x": (0, 0), "u": (1, 0.58), "v": (2, 0.58), "A": (2, 1.75), "p": (3, 1.15)}
places |= {"E": (3, 0), "r": (4, 0.58), "L": (5, 0.58)}
formulas = {"u": "u = B x", "v": "v = exp u", "p": "p = A v", "r": "r = p/E − 1", "L": "L = r²"}
formulas |= {"B": "B", "x": "x = ln S/S₀", "A": "A [EeV]", "E": "E [EeV]"}
figure, axes = plt.subplots(figsize=(11.5, 4.2), layout="constrained")
for arrow in ("Bu", "xu", "uv", "Ap", "vp", "pr", "Er", "rL"):
    ends = {"xytext": places[arrow[0]], "xy": places[arrow[1]]}
    axes.annotate("", **ends, arrowprops={"arrowstyle": "->", "color": "0.4", "shrinkA": 46, "shrinkB": 46})
for name, (across, up) in places.items():
    box = {"boxstyle": "round,pad=0.4", "facecolor": "0.93", "edgecolor": "0.4"}
    axes.text(across, up, formulas[name], ha="center", va="center", fontsize=12, bbox=box)
    axes.text(across, up + 0.24, f"{np.squeeze(one[name]):.3f}", color=BLUE, ha="center", va="center", fontsize=13)
    if name in back:
        text = f"{np.squeeze(back[name]):.3f}"
        axes.text(across, up - 0.24, text, color=RED, ha="center", va="center", fontsize=13)
axes.set(xlim=(-0.5, 5.5), ylim=(-0.4, 2.15))
axes.text(4.2, 1.95, "forward: value", color=BLUE, fontsize=13)
axes.text(4.2, 1.75, "backward: derivative of L", color=RED, fontsize=13)
axes.axis("off")
plt.show()

# %% [markdown]
# The two agree to the last digit. The figure is the graph for a single event: above each box what the forward pass
# computes, below it the derivative of $L$ by this node, which the backward pass brings. Check one by hand: the number
# below $p$ is the one below $r$ divided by $E$. Each box needs to know only itself: its inputs on the way forward, its
# own derivative on the way back. So a library of boxes is a library of networks. And one walk back brings the
# derivatives by *all* parameters, at the price of one or two walks forward.
#
# With an exact derivative at hand you can ask how good the numerical one is. The smaller the step, the better? Guess.

# %% tags=["expected"]
steps = np.geomspace(1e-13, 1, 53)
loss_at = lambda B: forward(5.0, B, x, events["energy"])["L"]
for label, below, color in (("one side", 0, YELLOW), ("both sides", 1, BLUE)):
    answer = np.array([(loss_at(0.8 + h) - loss_at(0.8 - below * h)) / (h + below * h) for h in steps])
    plt.loglog(steps, np.abs(answer / yours["B"] - 1), "o-", color=color, markersize=3, label=label)
plt.loglog(steps, 1e-16 / steps, "k--", linewidth=1, label=r"rounding, about $10^{-16}/h$")
plt.gca().set(xlabel="step h", ylabel="relative error of the derivative by B")
plt.legend()
plt.show()

# %% [markdown]
# From right to left: the error falls as $h$ from one side and as $h^2$ from both, as Taylor says. Then it rises
# again: two numbers of 16 digits that agree in the first ten leave six for their difference. The best step is near
# $10^{-8}$ from one side and $10^{-6}$ from both. There the derivative is good to 8 and 11 digits: enough to test a
# formula.
#
# ## Mini-batches: a cheaper gradient
#
# The gradient is a mean over all 400 events. With a million events each step would read all of them. But a mean can
# be estimated from a sample: take 20 events, compute the gradient from them, step; take the next 20, and so on. Each
# such sample is a **mini-batch**, the method is **stochastic gradient descent** (SGD), and one pass through all
# events is an **epoch**. The gradient is now noisy, but you get 20 steps for the price of one.
#
# ### Task 5: one epoch
#
# Write `epoch(parameters, features, y, batch_size, learning_rate, rng)`. Shuffle the events with
# `rng.permutation(len(y))`, go through them in batches, and step after each, with the gradient at the current
# parameters. The last batch may be smaller; use it too. Return the parameters after each batch, shape (batches, m).
# `analytic_gradient` is yours to use.
#
# Then compare batches of 1, 20 and 400 events (all of them: no noise). To be fair, each may choose its learning rate,
# from the same grid, so that the objective is smallest after five epochs. Guess: which of them comes close to the
# minimum after the fewest events, and which comes closest in the end?


# %%
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    """One epoch of stochastic gradient descent; returns the parameters after each batch, (batches, m)."""
    ### BEGIN SOLUTION
    order = rng.permutation(len(y))
    path = []
    for start in range(0, len(y), batch_size):
        batch = order[start : start + batch_size]
        parameters = parameters - learning_rate * analytic_gradient(parameters, features[batch], y[batch])
        path.append(parameters)
    return np.array(path)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    start, targets, rng = np.zeros(10), np.arange(1.0, 11.0), np.random.default_rng(5)
    run = lambda rng: epoch(start, np.eye(10), targets, 4, 0.1, rng)  # event i moves parameter i alone
    answer = run(rng)
    assert np.all(start == 0), "Your function changes the parameters that it was given: use p = p - ..., not p -= ..."
    assert np.ndim(answer) == 2, "Return the parameters after each batch, not after the last alone: shape (batches, m)."
    assert np.all(np.isfinite(answer)), "A batch is empty: 0/0. Does it end `batch_size` events after it started?"
    assert len(answer) != 2, "10 events in batches of 4: the last 2 events make a batch, too."
    assert len(answer) == 3, "10 events in batches of 4 make 3 steps: 3 rows, without the start."
    assert np.any(answer[0]), "The first row is the start: store the parameters after the step, not before."
    assert np.any(answer[0] != answer[2]), "All rows are the same: keep a copy of the parameters after each batch."
    used = np.diff(answer, axis=0, prepend=0) != 0  # (3, 10): which events were in which batch
    assert not used.all(), "Each step moves all events: use the gradient of the batch alone."
    assert np.all(used.sum(axis=0) == 1), "One order for the epoch, cut without gap or overlap: each event once."
    size = used.T @ used.sum(axis=1)  # (10,) of the batch that the event was in
    assert np.array_equal(np.sort(size), [2] * 2 + [4] * 8), "Batches of 4, 4 and 2: yours are cut in another way."
    factor = answer[-1] / targets * size / 0.2  # should be 1
    assert np.all(factor > 0), "Uphill: step against the gradient."
    assert not np.allclose(factor, 10), "Where is the learning rate?"
    assert not np.allclose(factor, size / 4), "The last batch has 2 events: the mean is over 2, not over 4."
    assert not np.allclose(factor, size), "Take the mean over the batch, not the sum: `analytic_gradient` does."
    assert np.allclose(factor, 1), "Each event should keep its own y: shuffle features and y alike."
    assert np.any(used.argmax(axis=0) != np.arange(10) // 4), "The events are in their old order: shuffle them."
    assert not np.allclose(answer, run(rng)), "Each epoch needs a new order: use `rng`, without a seed of your own."
    assert np.allclose(answer, run(np.random.default_rng(5))), "Same `rng`, other order: do not draw from np.random."
    answer = epoch(np.ones(1), np.ones((6, 1)), np.zeros(6), 2, 0.25, rng)  # each step halves the parameter
    assert np.allclose(np.ravel(answer), [0.5, 0.25, 0.125]), "Each step should start where the last one ended."


# %% tags=["wrong"]
# hint: last 2 events make a batch
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    order, path = rng.permutation(len(y)), []
    for batch in np.split(order[: len(y) // batch_size * batch_size], len(y) // batch_size):
        parameters = parameters - learning_rate * analytic_gradient(parameters, features[batch], y[batch])
        path.append(parameters)
    return np.array(path)


# %% tags=["wrong"]
# hint: shuffle them
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    path = []
    for start in range(0, len(y), batch_size):
        batch = slice(start, start + batch_size)
        parameters = parameters - learning_rate * analytic_gradient(parameters, features[batch], y[batch])
        path.append(parameters)
    return np.array(path)


# %% tags=["wrong"]
# hint: without gap or overlap: each event once
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    path = []
    for _ in range(-(-len(y) // batch_size)):
        batch = rng.integers(len(y), size=batch_size)
        parameters = parameters - learning_rate * analytic_gradient(parameters, features[batch], y[batch])
        path.append(parameters)
    return np.array(path)


# %% tags=["wrong"]
# hint: shuffle features and y alike
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    features, y, path = rng.permutation(features), rng.permutation(y), []
    for start in range(0, len(y), batch_size):
        batch = slice(start, start + batch_size)
        parameters = parameters - learning_rate * analytic_gradient(parameters, features[batch], y[batch])
        path.append(parameters)
    return np.array(path)


# %% tags=["wrong"]
# hint: where the last one ended
def epoch(parameters, features, y, batch_size, learning_rate, rng):
    order = rng.permutation(len(y))
    batches = [order[start : start + batch_size] for start in range(0, len(y), batch_size)]
    steps = [learning_rate * analytic_gradient(parameters, features[batch], y[batch]) for batch in batches]
    return parameters - np.cumsum(steps, axis=0)


# %%
def epoch_of_splits(parameters, features, y, batch_size, learning_rate, rng):
    """The same, with batches cut by NumPy."""
    path = [parameters]
    for batch in np.split(rng.permutation(len(y)), range(batch_size, len(y), batch_size)):
        path += [path[-1] - learning_rate * gradient_by_einsum(path[-1], features[batch], y[batch])]
    return np.array(path[1:])


epoch = tasks.solved(epoch, otherwise=epoch_of_splits, task="Task 5")


# %%
def train(batch_size, rates, seed):
    """One epoch for each of the learning rates; returns the parameters before the first and after each batch."""
    rng, path = np.random.default_rng(seed), [np.zeros((1, 2))]
    for rate in rates:
        path.append(epoch(path[-1][-1], features, y, batch_size, rate, rng))
    return np.concatenate(path)  # (batches + 1, 2)


excess = lambda path: np.mean((features @ path.T - y[:, None]) ** 2, axis=0) - objective(closed_form)  # above minimum

# %%
seeds, grid, runs = range(5), (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.8), {}
for batch_size in (1, 20, 400):
    ends = [np.median([excess(train(batch_size, 5 * [rate], seed)[-1:]) for seed in seeds]) for rate in grid]
    rate = grid[np.argmin(ends)]
    name = f"batches of {batch_size}, rate {rate}"
    runs[name] = batch_size, [train(batch_size, 50 * [rate], seed) for seed in seeds]
runs["batches of 20, rate 0.2 / epoch"] = 20, [train(20, 0.2 / np.arange(1, 51), seed) for seed in seeds]
print(*runs, sep="\n")

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13.5, 4.6), layout="constrained")
draw_surface(left, x, y, np.linspace(-0.2, 1.8, 50), np.linspace(-0.2, 2.6, 50))
for (name, (batch_size, paths)), color in zip(runs.items(), (YELLOW, BLUE, RED, GREEN)):
    first, last = 2000 // batch_size + 1, 18_000 // batch_size  # 5 and 45 epochs
    if color != GREEN:
        left.plot(*paths[0][:first].T, "o-", color=color, markersize=2.5, linewidth=1)
    if color != YELLOW:
        middle.plot(*paths[0][last:].T, "o-", color=color, markersize=3, linewidth=0.5)
    some = np.unique(np.geomspace(1, len(paths[0]) - 1, 50).astype(int))  # of the steps
    right.loglog(batch_size * some, np.median([excess(path[some]) for path in paths], axis=0), color=color, label=name)
middle.plot(*(closed_form[:, None] + circle), color="k", linestyle="--")
middle.set(xlabel="slope w", ylabel="intercept b", title="epochs 46 to 50, and the statistical error")
left.set_title("the first 5 epochs")
for axes in (left, middle):
    axes.plot(*closed_form, "k*", markersize=10, label="closed form")
    axes.legend(loc="lower right")
right.axhline(2 * SCATTER**2 / len(y), color="k", linestyle="--", label="one statistical error")
right.set(xlabel="events looked at", ylabel="objective above its minimum", ylim=(1e-9, 20), title="median of 5 seeds")
right.legend(fontsize=9, loc="lower left")
plt.show()

# %% [markdown]
# The legend on the right holds for all three. Left, the first five epochs: five exact steps with all events at once,
# 100 rough ones with batches of 20, 2000 with batches of 1. Right, what that buys. The dashed line is how far the true
# line lies above the minimum on average: below it there is nothing to gain. Batches of 20 get there after some 1,100
# events, in the third epoch; all events at once after 3,600, in nine steps. So much do cheap steps save.
#
# What they cost: at a constant rate SGD never arrives. In the middle it dances around the minimum (blue), here about as
# widely as the statistical error (dashed ellipse). The cure is a rate that falls, such as 0.2 divided by the number of
# the epoch (green). The first steps may be long, the last ones are short, and the noise averages out.
#
# Batches of 1 at a rate of 0.005 and batches of 20 at 0.1 do alike: it is the rate per event that counts. Then the
# larger batch is the better bargain, because a computer handles 20 events nearly as fast as one.
#
# ## The same in Keras
#
# In Keras you state the four parts and let it do the rest. A **layer** is a piece of a model that brings its own
# parameters: `Dense(1)` *is* $\hat y = Xw + b$, with one output. `compile` takes the objective (`mse`) and the
# **optimiser**, the rule that turns gradients into steps. `fit` is the training, and its history holds the objective,
# averaged over each epoch. The gradient comes from a tape as above. The rate is again 0.2 divided by the number of the
# epoch (20 steps make one); `steps_per_execution` and `jit_compile` only save time.


# %%
# NBVAL_CHECK_OUTPUT
def build_line():
    """One dense layer with one input and one output: a straight line."""
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])


line = build_line()
print(line.count_params(), "parameters; shapes", [tuple(weight.shape) for weight in line.weights])


# %%
n_epochs, by_keras, histories = profile.pick(full=100, quick=10), [], []
for seed in (1, 2, 3):
    keras.utils.set_random_seed(seed)
    line = build_line()
    rate = keras.optimizers.schedules.InverseTimeDecay(0.2, decay_steps=20, decay_rate=1.0, staircase=True)
    line.compile(keras.optimizers.SGD(rate), loss="mse", steps_per_execution=20, jit_compile=False)
    histories.append(line.fit(x[:, None], y, batch_size=20, epochs=n_epochs, verbose=0).history["loss"])
    weight, bias = line.get_weights()  # (1, 1), (1,)
    by_keras.append([weight[0, 0], bias[0]])

# %%
for seed, losses, color in zip((1, 2, 3), histories, (BLUE, GREEN, YELLOW)):
    plt.loglog(1 + np.arange(n_epochs), losses, "o-", color=color, markersize=3, label=f"Keras, seed {seed}")
plt.axhline(objective(closed_form), color="k", linestyle="--", label="closed form")
plt.yticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
plt.minorticks_off()
plt.xlabel("epoch")
plt.ylabel("mean squared error of ln E")
plt.legend()
plt.show()

# %% tags=["result"]
by_sgd = [train(20, 0.2 / np.arange(1, n_epochs + 1), seed)[-1] for seed in (1, 2, 3)]
by_descent = descend(analytic_gradient, (0.0, 0.0), 0.5, 100, features, y)[-1:]
to_ln_A = np.array([-mean_log_signal, 1.0])  # ln A = b - w · mean of ln S
best_A = np.exp(to_ln_A @ closed_form)
error_A = best_A * np.sqrt(to_ln_A @ covariance @ to_ln_A)
print(f"truth           A = {A_TRUE:.4f} EeV, B = {B_TRUE:.4f}")
print(f"closed form     A = {best_A:.4f} ± {error_A:.4f} EeV, B = {closed_form[0]:.4f} ± {errors[0]:.4f}")
for name, ends in {"descent": by_descent, "SGD, 3 seeds": by_sgd, "Keras, 3 seeds": by_keras}.items():
    mean, far = np.mean(ends, axis=0), np.abs((np.array(ends) - closed_form) / errors).max()
    print(f"{name:15s} A = {np.exp(to_ln_A @ mean):.4f} EeV, B = {mean[0]:.4f}: {far:.1g} statistical errors away")
unseen = simulate(40_000, seed=13)
predicted = closed_form[0] * (np.log(unseen["signal_38"]) - mean_log_signal) + closed_form[1]
deviation = np.sqrt(np.mean((np.log(unseen["energy"]) - predicted) ** 2))
print(f"40,000 unseen events: {deviation:.4f} ± {deviation / np.sqrt(80_000):.4f} in ln E; possible: {SCATTER:.4f}")

# %% [markdown]
# From the third epoch on, Keras' three curves lie on the dashed line. Four ways, one answer: descent, your SGD and
# Keras end within 0.03 statistical errors of the closed form. On unseen events the predicted energy agrees with the
# telescope's to 15.0 % (root mean square), and that is the scatter between the two instruments.
#
# The statistical error of $A$, 4 %, looks large. $A$ is the energy at a signal of 1 VEM, far from all events, where a
# small error of the slope has a long lever. At the typical signal of 29 VEM the energy scale is known to 0.7 %.
#
# ## When the mean squared error is wrong
#
# So far you gave the telescope all of the 15 %. In truth the array has its share: its signal, too, is measured, to 12
# %, and the telescope's energy to 8 %. Least squares know nothing of errors in $x$. Guess what happens to the slope:
# nothing on average, steeper, or flatter?


# %%
def slope_bias(fit, array_resolution, telescope_resolution=0.08, n_campaigns=200):
    """Mean of `fit(x, y, error_x, error_y)` over many campaigns minus the true slope, and its error."""
    slopes = []
    for seed in range(n_campaigns):
        some = simulate(400, seed, telescope_resolution, array_resolution)
        log_signal, log_energy = np.log(some["signal_38"]), np.log(some["energy"])
        slopes.append(fit(log_signal, log_energy, array_resolution, telescope_resolution))
    return np.mean(slopes) - B_TRUE, np.std(slopes, ddof=1) / np.sqrt(n_campaigns)


fits = {
    "least squares in ln E": lambda x, y, *_: np.polyfit(x, y, 1)[0],
    "least squares in ln S": lambda x, y, *_: 1 / np.polyfit(y, x, 1)[0],  # the other way round
}
for name, fit in fits.items():
    bias, error = slope_bias(fit, array_resolution=0.12)
    print(f"{name}: slope off by {bias:+.4f} ± {error:.4f}")

# %% [markdown]
# Too flat one way, too steep the other. Errors in $x$ spread the points sideways. At the far right there are then
# more events whose signal came out too large than too small, and their energies are lower than the line says; at the
# left the other way round. This is called **regression dilution**. It is also at work without any error of
# measurement: in the section on the zenith angle, the raw signals gave a slope of 0.91.
#
# For the best *guess of one energy* from one measured signal, in a sample like this, the flat line is right. For the
# *law* $E = A\,S^B$, which shall hold for other samples as well, it is wrong.
#
# ### Task 6: a slope that is not diluted
#
# Find a better way: `fair_slope(x, y, error_x, error_y)` gets one campaign and the resolutions of array (`error_x`)
# and telescope (`error_y`) in the logarithm, and returns the slope. On average over campaigns it should be right to
# 0.01, for any share of the two errors, also where one is 0. Several ways lead there; how large is the scatter of
# yours? One hint: at a slope $w$, the distance $y - w x - b$ of an event from the line scatters with a variance of
# $\sigma_y^2 + w^2\sigma_x^2$. How does the objective have to change?


# %%
def fair_slope(x, y, error_x, error_y):
    """Slope of the line through points with errors in both directions."""
    ### BEGIN SOLUTION
    x, y = x - x.mean(), y - y.mean()
    chi_square = lambda slope: np.mean((y - slope * x) ** 2) / (error_y**2 + slope**2 * error_x**2)
    return minimize_scalar(chi_square, bounds=(0.2, 5), method="bounded").x
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    exact = np.linspace(0, 3, 50)
    answer = fair_slope(exact, 1.2 * exact + 5, 1e-3, 1e-3)
    assert isinstance(answer, float), "Return one number, the slope: no pair, array or result object."
    assert np.isclose(answer, 1.2, atol=1e-3), (
        "Points without scatter on y = 1.2 x + 5 should give 1.2: did you forget the intercept, or use fixed numbers?"
    )
    assert abs(slope_bias(fair_slope, 0.0, 0.15)[0]) < 0.01, (
        "With a perfect array, error_x = 0, plain least squares is right already: yours should give the same."
    )
    bias = slope_bias(fair_slope, 0.25, 0.08)[0]
    assert bias > -0.01, (
        "With an array of 25 % the slope is still too flat. In a new objective: only the variance, no logarithm of it."
    )
    assert bias < 0.01, "With an array of 25 % and a telescope of 8 % the slope is too steep."
    bias = slope_bias(fair_slope, 0.08, 0.25)[0]
    assert bias < 0.01, "With a telescope of 25 % and an array of 8 % the slope is too steep."
    assert bias > -0.01, "With a telescope of 25 % and an array of 8 % the slope is too flat."
    assert abs(slope_bias(fair_slope, 0.12)[0]) < 0.01, "With 12 % and 8 % the slope is off by more than 0.01."
    wide = np.random.default_rng(6).normal(size=(3, 4000))  # another slope, other units
    answer = fair_slope(wide[0] + 0.5 * wide[1], 3 * wide[0] + wide[2], 0.5, 1.0)
    assert np.isclose(answer, 3, atol=0.2), "It should work for other slopes and errors, too: here for 3."


# %% tags=["wrong"]
# hint: array of 25 % the slope is still too flat
def fair_slope(x, y, error_x, error_y):
    return np.polyfit(x, y, 1)[0]


# %% tags=["wrong"]
# hint: perfect array
def fair_slope(x, y, error_x, error_y):
    return 1 / np.polyfit(y, x, 1)[0]


# %% tags=["wrong"]
# hint: no logarithm of it
def fair_slope(x, y, error_x, error_y):
    x, y = x - x.mean(), y - y.mean()
    variance = lambda slope: error_y**2 + slope**2 * error_x**2
    likelihood = lambda slope: np.mean((y - slope * x) ** 2) / variance(slope) + np.log(variance(slope))
    return minimize_scalar(likelihood, bounds=(0.2, 5), method="bounded").x


# %% tags=["wrong"]
# hint: other slopes and errors
def fair_slope(x, y, error_x, error_y):
    x, y = x - x.mean(), y - y.mean()
    chi_square = lambda slope: np.mean((y - slope * x) ** 2) / (error_y**2 + slope**2 * error_x**2)
    return minimize_scalar(chi_square, bounds=(0.5, 2), method="bounded").x


# %% tags=["wrong"]
# hint: did you forget the intercept
def fair_slope(x, y, error_x, error_y):
    chi_square = lambda slope: np.mean((y - slope * x) ** 2) / (error_y**2 + slope**2 * error_x**2)
    return minimize_scalar(chi_square, bounds=(0.2, 5), method="bounded").x


# %% tags=["expected"]
fair_slope = tasks.solved(
    fair_slope, otherwise=lambda x, y, s, _: np.cov(x, y)[0, 1] / (np.var(x, ddof=1) - s**2), task="Task 6"
)
fits["both errors in the objective"] = fair_slope

resolutions = np.linspace(0, 0.25, profile.pick(full=6, quick=3))
for (name, fit), style, color in zip(fits.items(), ("o-", "s-", "^-"), (BLUE, YELLOW, GREEN)):
    bias = np.array([slope_bias(fit, resolution) for resolution in resolutions])  # (resolutions, 2)
    plt.errorbar(100 * resolutions, B_TRUE + bias[:, 0], bias[:, 1], fmt=style, color=color, label=name, capsize=3)
fine, variance = np.linspace(0, 0.25, 50), np.var(np.log(simulate(100_000, seed=1)["signal_38"]))
plt.plot(100 * fine, B_TRUE * variance / (variance + fine**2), "--", color=BLUE, label="expected dilution")
plt.axhline(B_TRUE, color="k", linewidth=1, label="truth")
plt.xlabel("resolution of the array [%]")
plt.ylabel("mean slope of 200 campaigns")
plt.legend()
plt.show()

# %% [markdown]
# Least squares in $\ln E$ get flatter the worse the array is, by a factor $V/(V + \sigma_x^2)$ where $V$ is the
# variance of the true $\ln S$ (dashed). Least squares in $\ln S$ are too steep by 0.017 everywhere: what dilutes them
# is the 8 % of the telescope, which stays the same. With both errors in the objective the slope is right to 0.001.
# And that is free of charge: at 12 %, the slope of a single campaign scatters by 0.0125 in all three fits.
#
# The plain fit is off by three times that, 0.04. At 100 EeV it gives energies that are 10 % too low. More data would
# not help, nor would more training: the scatter shrinks, the bias stays. You will meet the same effect in networks,
# in [lesson 32](32_xmax.ipynb).
#
# ## What you learned
#
# - A regression has four parts: data, model, objective, training. Deep learning changes the model, and little else.
# - Gradient descent needs a learning rate below $2/\lambda_\mathrm{max}$ and likes centred, scaled inputs.
# - A numerical gradient costs $2m$ evaluations for $m$ parameters, backpropagation two or three: the chain rule from
#   the end to the start.
# - Mini-batches buy many cheap, noisy steps; a falling learning rate takes the noise out at the end.
# - A fit is good enough when it is close to the best one *in units of the statistical error*.
# - The objective is a statement about the errors of your data. If it is wrong, perfect training gives a wrong answer.
#
# ## Go further
#
# - Give the events weights: let the telescope's error fall with energy, and put $1/\sigma_i^2$ into the objective. By
#   how much does the error of $B$ shrink?
# - Put the zenith angle into the model with both errors. What is the ellipse of the campaigns now?
# - Keep only events whose *measured* energy is above 5 EeV, and repeat the fits of the last section. Which of them
#   survives the cut?
# - Descend the relative deviations of Task 4 with your `backward`, and compare with the fit of the logarithms. The
#   energies come out 3 % lower. Why? (A downward fluctuation of $E$ makes $p/E$ large, an upward one makes it small.)
# - Next, [lesson 12](12_neural_networks.ipynb): put two such layers behind each other, with a bend in between.
#
# ## References
#
# - Pierre Auger Collaboration, *Measurement of the cosmic-ray energy spectrum above 2.5×10¹⁸ eV using the Pierre
#   Auger Observatory*, Phys. Rev. D 102 (2020) 062005,
#   [doi:10.1103/PhysRevD.102.062005](https://doi.org/10.1103/PhysRevD.102.062005): the calibration in data.
# - H. P. Dembinski et al., *A likelihood method to cross-calibrate air-shower detectors*, Astropart. Phys. 73 (2016)
#   44, [doi:10.1016/j.astropartphys.2015.08.001](https://doi.org/10.1016/j.astropartphys.2015.08.001): why plain
#   least squares are biased, and what to do.
# - D. E. Rumelhart, G. E. Hinton and R. J. Williams, *Learning representations by back-propagating errors*, Nature
#   323 (1986) 533, [doi:10.1038/323533a0](https://doi.org/10.1038/323533a0).
# - H. Robbins and S. Monro, *A stochastic approximation method*, Ann. Math. Stat. 22 (1951) 400,
#   [doi:10.1214/aoms/1177729586](https://doi.org/10.1214/aoms/1177729586): how the rate must fall for noisy steps to
#   arrive.
# - D. York et al., *Unified equations for the slope, intercept, and standard errors of the best straight line*, Am.
#   J. Phys. 72 (2004) 367, [doi:10.1119/1.1632486](https://doi.org/10.1119/1.1632486): errors in both coordinates.
