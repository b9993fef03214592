# %% [markdown]
# # Neural networks
#
# **You will be able to**
# - say why a network needs an activation function, and build a curve out of kinks by hand,
# - write a two-layer network and its backpropagation in NumPy, and check its gradients in two ways,
# - tell what a network can represent from what it learns, and measure what width, depth and activation change,
# - classify with softmax and cross-entropy, and compare with a cut and with the best classifier there is.
#
# **Time** 50 min reading, 75 min tasks; runs in 3 min on two CPU cores.
# **You need** [lesson 11](11_linear_regression.ipynb): loss, gradient descent, numerical gradients.

# %%
import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers
from scipy import optimize, special

from showertools import image_shapes, plotting, profile, tasks, viewer

BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"

# %% [markdown]
# ## A shower is not a line
#
# A fluorescence telescope watches an air shower on its way down. At each **slant depth** $X$ (the mass of air behind
# the shower, along its path) it measures the energy that the shower leaves in the air, $\mathrm{d}E/\mathrm{d}X$. The
# shower grows, reaches its maximum at $X_\mathrm{max}$ and dies out. Gaisser and Hillas found a formula for this
# profile. With the height of the peak, its place, a width $L$ and an asymmetry $R$ it reads
#
# $$f(X) = f_\mathrm{max}\,\Big(1 + R\,\frac{X - X_\mathrm{max}}{L}\Big)^{1/R^2}
# \exp\Big(-\frac{X - X_\mathrm{max}}{R\,L}\Big).$$
#
# Forget the formula for a while. You get 40 points of one shower of about $10^{19}$ eV, with an error of 0.6
# PeV/(g/cm²) each, and want a curve through them.


# %%
def gaisser_hillas(depth, peak, xmax, width, asymmetry):
    """Energy deposit [PeV/(g/cm²)] at `depth` [g/cm²]; `xmax` and `width` in g/cm²."""
    base = np.maximum(1 + asymmetry * (depth - xmax) / width, 1e-9)
    return peak * base ** (1 / asymmetry**2) * np.exp(-(depth - xmax) / (asymmetry * width))


TRUTH = (14.0, 750.0, 227.0, 0.26)  # peak [PeV/(g/cm²)], Xmax [g/cm²], width [g/cm²], asymmetry
ERROR = 0.6  # PeV/(g/cm²)
depth = np.linspace(300, 1275, 40)  # g/cm²
deposit = gaisser_hillas(depth, *TRUTH) + ERROR * np.random.default_rng(12).normal(size=40)

# %%
slope, intercept = np.polyfit(depth, deposit, 1)
chi2 = np.sum((deposit - slope * depth - intercept) ** 2) / ERROR**2
figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
axes.errorbar(depth, deposit, ERROR, fmt="o", color="k", markersize=3, label="one shower")
axes.plot(depth, slope * depth + intercept, color=ORANGE, label=f"best line, χ²/dof = {chi2:.0f}/38")
axes.set(xlabel="slant depth [g/cm²]", ylabel="energy deposit [PeV/(g/cm²)]", ylim=(-2, 19))
axes.legend()
plt.show()

# %% [markdown]
# The line of lesson 11 misses every feature. One layer computes $xW + b$; here $x$ has one column, $W$ one row, and
# each column of $W$ with its entry of $b$ is a **neuron**. What if you put a second layer behind the first, with 20
# neurons between input and output? They are called **hidden**. That is 61 parameters in place of 2. Guess first: which
# curves can it draw?
#
# ### Task 1: one layer out of two
#
# Two layers without anything between them compute $(x W_1 + b_1)\,W_2 + b_2$. Write `collapse(first, second)`. Each
# layer is a pair (weights, bias) of shapes (inputs, neurons) and (neurons,). Return the pair of the one layer that
# computes the same for every $x$.


# %%
def collapse(first, second):
    """The layer (weights, bias) that does what `first` and then `second` do."""
    ### BEGIN SOLUTION
    (first_weights, first_bias), (second_weights, second_bias) = first, second
    return first_weights @ second_weights, first_bias @ second_weights + second_bias
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    draw = np.random.default_rng(1).normal
    first, second = ((draw(size=(3, 3)), draw(size=3)) for _ in range(2))  # square, so that every product exists
    answer = collapse(first, second)
    assert isinstance(answer, (tuple, list)), "Return a pair: weights, then bias."
    assert len(answer) == 2, "Return a pair: weights, then bias."
    weights, bias = (np.asarray(part) for part in answer)
    assert weights.ndim == 2, "First the weights, a matrix, then the bias."
    right, turned = first[0] @ second[0], second[0] @ first[0]
    assert not np.allclose(weights, turned), "Multiply the weights in the order in which x meets them."
    assert not np.allclose(weights, right.T), "The weights are transposed."
    assert not np.allclose(weights, first[0] * second[0]), "`*` multiplies entry by entry: layers need `@`."
    assert np.allclose(weights, right), "The weights are off: expand the brackets, what stands behind x?"
    assert bias.shape == (3,), "The bias should have one entry for each output of the second layer."
    lost = "The bias of the first layer is lost: it does not depend on x, but it counts."
    assert not np.allclose(bias, second[1]), lost
    assert not np.allclose(bias, first[1] @ second[0]), "The bias of the second layer is lost."
    turned = "Bias times weights, in this order: `W @ b` sums over the outputs in place of the inputs."
    assert not np.allclose(bias, second[0] @ first[1] + second[1]), turned
    through = "The first bias passes through the second layer, the second bias through none."
    assert np.allclose(bias, first[1] @ second[0] + second[1]), through
    weights, bias = collapse((draw(size=(3, 4)), draw(size=4)), (draw(size=(4, 2)), draw(size=2)))
    assert (weights.shape, bias.shape) == ((3, 2), (2,)), "3 inputs, 4 neurons, 2 outputs: weights (3, 2), bias (2,)."


# %% tags=["wrong"]
# hint: in the order in which x meets
def collapse(first, second):
    return second[0] @ first[0], second[1]


# %% tags=["wrong"]
# hint: bias of the first layer is lost
def collapse(first, second):
    return first[0] @ second[0], second[1]


# %% tags=["wrong"]
# hint: first bias passes through
def collapse(first, second):
    return first[0] @ second[0], second[1] + first[1].sum()


# %% tags=["wrong"]
# hint: in place of the inputs
def collapse(first, second):
    return first[0] @ second[0], second[0] @ first[1] + second[1]


# %% tags=["wrong"]
# hint: one entry for each output
def collapse(first, second):
    return first[0] @ second[0], np.concatenate([first[1], second[1]])


# %%
# NBVAL_CHECK_OUTPUT
collapse = tasks.solved(
    collapse, otherwise=lambda a, b: (a[0] @ b[0], b[1] + np.einsum("i,ij", a[1], b[0])), task="Task 1"
)
rng = np.random.default_rng(2)
stack = [(rng.normal(size=(1, 20)), rng.normal(size=20)), (rng.normal(size=(20, 1)), rng.normal(size=1))]
weights, bias = collapse(*stack)
print(f"two layers: {sum(part.size for layer in stack for part in layer)} parameters")
print(f"the same in one layer: {weights.size + bias.size} parameters, shapes {weights.shape} and {bias.shape}")

# %% [markdown]
# Still a line. 61 parameters or a hundred layers: a chain of linear maps is a linear map. Something that is not linear
# has to stand between the layers.
#
# ## Activations
#
# Put a function behind each hidden neuron. It is called the **activation**. Three are in use everywhere, ReLU (for
# rectified linear unit), sigmoid and tanh:
#
# $$\mathrm{ReLU}(z) = \max(0, z), \qquad \mathrm{sigmoid}(z) = \frac{1}{1 + e^{-z}}, \qquad \tanh(z).$$
#
# To train, you need their slopes. Guess first: which of the three is flattest at $z = 0.1$? Which still has a slope at
# $z = 5$?
#
# ### Task 2: slopes
#
# Write `slopes(z)`: the derivatives of ReLU, sigmoid and tanh, in this order, each an array like `z`. At its kink take
# 0 for ReLU. `special.expit` is SciPy's sigmoid; it does not overflow at $z = -1000$. Try to write the slope of the
# sigmoid in terms of the sigmoid.


# %%
def slopes(z):
    """Derivatives of ReLU, sigmoid and tanh at `z`."""
    ### BEGIN SOLUTION
    return np.where(z > 0, 1.0, 0.0), special.expit(z) * (1 - special.expit(z)), 1 - np.tanh(z) ** 2
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    z = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    assert len(slopes(z)) == 3, "Return three arrays: ReLU, sigmoid, tanh."
    relu_slope, sigmoid_slope, tanh_slope = (np.asarray(each) for each in slopes(z))
    assert relu_slope.shape == sigmoid_slope.shape == tanh_slope.shape == (5,), "One slope for each z."
    assert not np.allclose(relu_slope, np.maximum(z, 0)), "That is ReLU itself: its slope is 0 or 1."
    assert np.allclose(relu_slope[[0, 1]], 0), "Left of the kink ReLU is flat."
    assert np.allclose(relu_slope[[3, 4]], 1), "Right of the kink ReLU rises with slope 1, however large z is."
    assert relu_slope[2] == 0, "At the kink take 0."
    assert not np.allclose(sigmoid_slope, special.expit(z)), "That is the sigmoid itself."
    assert not np.isclose(sigmoid_slope[2], 1), "Slope 1 at 0 is that of tanh: keep the order ReLU, sigmoid, tanh."
    assert np.isclose(sigmoid_slope[2], 0.25), "At 0 the sigmoid rises with slope 1/4: s·(1 - s)."
    numerical = (special.expit(z + 1e-5) - special.expit(z - 1e-5)) / 2e-5
    assert np.allclose(sigmoid_slope, numerical), "The sigmoid is off away from 0: compare with a numerical derivative."
    assert not np.allclose(tanh_slope, np.tanh(z)), "That is tanh itself."
    assert np.isclose(tanh_slope[2], 1), "At 0 tanh rises with slope 1."
    numerical = (np.tanh(z + 1e-5) - np.tanh(z - 1e-5)) / 2e-5
    assert np.allclose(tanh_slope, numerical), (
        "tanh is off away from 0: the square belongs to tanh, not to z or to 1 - tanh."
    )
    assert np.all(np.isfinite(slopes(np.array([-1000.0, 1000.0])))), (
        "It overflows at ±1000: use special.expit and np.tanh."
    )


# %% tags=["wrong"]
# hint: ReLU itself
def slopes(z):
    return np.maximum(z, 0), special.expit(z) * (1 - special.expit(z)), 1 - np.tanh(z) ** 2


# %% tags=["wrong"]
# hint: slope 1/4
def slopes(z):
    return np.heaviside(z, 0), 1 - special.expit(z), 1 - np.tanh(z) ** 2


# %% tags=["wrong"]
# hint: not to z
def slopes(z):
    return np.heaviside(z, 0), special.expit(z) * (1 - special.expit(z)), 1 - np.tanh(z**2)


# %% tags=["wrong"]
# hint: overflows
def slopes(z):
    with np.errstate(over="ignore", invalid="ignore"):
        return np.heaviside(z, 0), np.exp(-z) / (1 + np.exp(-z)) ** 2, 1 - np.tanh(z) ** 2


# %% tags=["expected"]
slopes = tasks.solved(
    slopes,
    otherwise=lambda z: (np.heaviside(z, 0.0), special.expit(z) * special.expit(-z), 1 / np.cosh(z) ** 2),
    task="Task 2",
)
z = np.linspace(-5, 5, 401)
curves = {
    "ReLU": (np.maximum(z, 0), BLUE, "-"),
    "sigmoid": (special.expit(z), ORANGE, "--"),
    "tanh": (np.tanh(z), GREEN, "-."),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), layout="constrained")
for (name, (values, color, style)), derivative in zip(curves.items(), slopes(z)):
    left.plot(z, values, style, color=color, label=name)
    right.plot(z, derivative, style, color=color, label=name)
left.set(xlabel="z", ylabel="activation", ylim=(-1.2, 3))
right.set(xlabel="z", ylabel="slope of the activation")
left.legend()
right.axhline(0.25, color="0.7", linewidth=0.8, zorder=0)
plt.show()

# %% [markdown]
# The sigmoid rises with 1/4 at most, tanh with 1, and both are flat beyond 5: a neuron that sits there hardly learns.
# ReLU keeps slope 1 for every positive $z$ and has none for negative ones.
#
# ## A curve out of kinks
#
# A ReLU neuron with weight 1 and bias $-k$ is zero up to $x = k$ and then rises: a kink at $k$. The output layer adds
# such kinks with weights of its own, so one hidden layer of ReLU draws a **polygon**. You can set the weights by hand:
# let the polygon pass through given points. Between two of them it has a slope, and at each kink the output weight is
# the change of slope.


# %%
def polygon(x, corners, heights):
    """Output (n,) of a hidden layer of ReLU that draws straight lines through the points (corners, heights)."""
    hidden = np.maximum(x[:, None] - corners[:-1], 0)  # (n, neurons): weights 1, biases -corner
    slope = np.diff(heights) / np.diff(corners)
    output_weights = np.diff(slope, prepend=0)  # changes of slope
    return hidden @ output_weights + heights[0]


# %%
fine = np.linspace(300, 1275, 976)  # g/cm²
curve = gaisser_hillas(fine, *TRUTH)
corners = {neurons: np.linspace(300, 1275, neurons + 1) for neurons in range(1, 31)}
polygons = {neurons: polygon(fine, some, gaisser_hillas(some, *TRUTH)) for neurons, some in corners.items()}
distance = {neurons: np.sqrt(np.mean((drawn - curve) ** 2)) for neurons, drawn in polygons.items()}


def draw_polygon(neurons):
    """Left the polygon on the profile, right its distance from it against the number of neurons."""
    figure = plt.Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(fine, curve, color="0.6", linewidth=4, label="Gaisser-Hillas")
    left.plot(fine, polygons[neurons], color=BLUE, label=f"{neurons} ReLU neurons")
    left.set(xlabel="slant depth [g/cm²]", ylabel="energy deposit [PeV/(g/cm²)]", ylim=(-1, 19))
    left.legend()
    right.loglog(distance.keys(), distance.values(), "o", color="0.6", markersize=3)
    right.loglog(neurons, distance[neurons], "o", color=BLUE)
    right.loglog([5, 30], distance[10] * np.array([2, 1 / 3]) ** 2, color="k", linewidth=0.8, label=r"1 / neurons$^2$")
    right.set(xlabel="neurons", ylabel="RMS distance [PeV/(g/cm²)]", xticks=[1, 3, 10, 30], xticklabels=[1, 3, 10, 30])
    right.legend()
    return figure


viewer.with_sliders(draw_polygon, neurons=viewer.Slider("neurons", 6, 1, 30, 1, play=True))

# %% [markdown]
# Six kinks already look like a shower, and the distance falls with the square of their number: with thirty it is 0.015
# PeV/(g/cm²), a fortieth of the error of a point. Nothing here is special to showers. For every continuous function on
# a closed interval there is such a polygon, as close as you like. This is the **universal approximation theorem** in
# one dimension. It says that weights exist. It does not say that gradient descent finds them.
#
# ## Gradients by hand
#
# Now let the network find its weights itself. Take 10 hidden neurons with tanh, whose slope is smooth. Network and loss
# are a chain, computed from left to right:
#
# $$z = x W_1 + b_1, \quad h = \tanh z, \quad \hat y = h W_2 + b_2, \quad \mathcal{L} = \frac{1}{n} \sum_i (\hat y_i -
# y_i)^2.$$


# %%
def forward(parameters, x):
    """Hidden values (n, neurons) and output (n, 1) for x (n, inputs)."""
    hidden_weights, hidden_bias, output_weights, output_bias = parameters
    hidden = np.tanh(x @ hidden_weights + hidden_bias)  # (n, neurons)
    return hidden, hidden @ output_weights + output_bias


def loss(parameters, x, y):
    """Mean squared error."""
    return np.mean((forward(parameters, x)[1] - y) ** 2)


def initial_parameters(seed, inputs=1, neurons=10):
    """Random weights: hidden weights, hidden bias, output weights, output bias."""
    rng = np.random.default_rng(seed)
    hidden = 1.5 * rng.normal(size=(inputs, neurons)), rng.normal(size=neurons)
    return [*hidden, rng.normal(size=(neurons, 1)) / np.sqrt(neurons), np.zeros(1)]


def numerical_gradients(parameters, x, y):
    """Differences of the loss for a small step in each parameter, in the shapes of the parameters."""
    ends = np.cumsum([values.size for values in parameters])[:-1]
    unpack = lambda flat: [part.reshape(each.shape) for part, each in zip(np.split(flat, ends), parameters)]
    flat = np.concatenate([values.ravel() for values in parameters])
    return unpack(optimize.approx_fprime(flat, lambda flat: loss(unpack(flat), x, y), 1e-7))


# %% [markdown]
# The chain rule walks it from right to left. Start with $\delta = \partial\mathcal{L}/\partial\hat y$, one number a
# point. The output layer's gradients are $h^T\delta$ and the sum of $\delta$ over points. Passed back through $W_2$ and
# then through the slope of tanh it becomes $\partial\mathcal{L}/\partial z$, one number a point and neuron; and the
# hidden layer's gradients have the same form as before, with $x$ in place of $h$. This is **backpropagation**.
#
# ### Task 3: backpropagation
#
# Write `backward(parameters, x, y)` for `x` (n, inputs) and `y` (n, 1). Return the gradients of `loss` with respect to
# the four parameters, in their order, each with its parameter's shape. Write the shape behind each line.
#
# Then two others judge your gradients. Numerical derivatives need the loss once more for each parameter. TensorFlow's
# `GradientTape` records each operation of the forward pass and then walks back, as you do. After that the network
# descends: the same 40 points in each step, 10,000 steps. How many until you see a shower, do you think?


# %%
def backward(parameters, x, y):
    """Gradients of the mean squared error, in the order of the parameters."""
    hidden, output = forward(parameters, x)
    output_weights = parameters[2]
    ### BEGIN SOLUTION
    delta = 2 * (output - y) / len(y)  # (n, 1)
    delta_hidden = delta @ output_weights.T * (1 - hidden**2)  # (n, neurons)
    return [x.T @ delta_hidden, delta_hidden.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    rng = np.random.default_rng(3)
    x, y, values = rng.normal(size=(7, 3)), rng.normal(size=(7, 1)), initial_parameters(3, inputs=3, neurons=4)
    true = numerical_gradients(values, x, y)
    answer = backward(values, x, y)
    assert len(answer) == 4, "Return four gradients: hidden weights, hidden bias, output weights, output bias."
    answer = [np.asarray(each) for each in answer]
    shapes = [each.shape for each in answer]
    assert shapes != [each.shape for each in values[2:] + values[:2]], "Keep the order: the hidden layer comes first."
    assert (np.ndim(answer[1]), np.ndim(answer[3])) == (1, 1), (
        "A bias acts on every point: sum its gradient over axis 0, the points, and drop that axis."
    )
    assert shapes == [each.shape for each in values], f"Each gradient has its parameter's shape. Yours: {shapes}."
    ratio = answer[3] / true[3]  # of the output bias
    assert not np.allclose(ratio, -1, atol=1e-4), "The output bias has the wrong sign: prediction minus truth."
    assert not np.allclose(ratio, 1 / 2, atol=1e-4), "Half of the gradient: the derivative of a square brings a 2."
    assert not np.allclose(ratio, 7, atol=1e-4), "7 points, 7 times too large: the loss is a mean, not a sum."
    assert not np.allclose(ratio, 1 / 7, atol=1e-4), "7 points, 7 times too small: divide by n once, then sum."
    assert np.allclose(ratio, 1, atol=1e-4), "The output bias is off: sum 2·(output - y)/n over the points."
    agree = [np.allclose(mine, other, atol=1e-5) for mine, other in zip(answer, true)]
    assert agree[2], "The output weights are off: what stands at their input is `hidden`."
    forgotten = (2 * (forward(values, x)[1] - y) / 7 @ values[2].T).sum(axis=0)
    assert not np.allclose(answer[1], forgotten), "You forgot the slope of tanh."
    assert agree[1], "The hidden bias is off: pass δ through the output weights, then times 1 - hidden² (it is tanh z)."
    assert agree[0], "The hidden weights are off: x.T times what you sum for the hidden bias."


# %% tags=["wrong"]
# hint: forgot the slope
def backward(parameters, x, y):
    hidden, output = forward(parameters, x)
    delta = 2 * (output - y) / len(y)
    delta_hidden = delta @ parameters[2].T
    return [x.T @ delta_hidden, delta_hidden.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


# %% tags=["wrong"]
# hint: a mean, not a sum
def backward(parameters, x, y):
    hidden, output = forward(parameters, x)
    delta = 2 * (output - y)
    delta_hidden = delta @ parameters[2].T * (1 - hidden**2)
    return [x.T @ delta_hidden, delta_hidden.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


# %% tags=["wrong"]
# hint: it is tanh z
def backward(parameters, x, y):
    hidden, output = forward(parameters, x)
    delta = 2 * (output - y) / len(y)
    delta_hidden = delta @ parameters[2].T * (1 - np.tanh(hidden) ** 2)
    return [x.T @ delta_hidden, delta_hidden.sum(axis=0), hidden.T @ delta, delta.sum(axis=0)]


# %% tags=["wrong"]
# hint: sum its gradient over axis 0
def backward(parameters, x, y):
    hidden, output = forward(parameters, x)
    delta = 2 * (output - y) / len(y)
    delta_hidden = delta @ parameters[2].T * (1 - hidden**2)
    return [x.T @ delta_hidden, delta_hidden, hidden.T @ delta, delta]


# %%
def backward_by_points(parameters, x, y):
    """The same gradients another way: the output's derivatives point by point, then their mean with the residuals."""
    hidden, output = forward(parameters, x)
    bias_part = (1 - hidden**2) * parameters[2][:, 0]  # (n, neurons): d output / d hidden bias
    parts = [np.einsum("ni,nj->nij", x, bias_part), bias_part, hidden[:, :, None], np.ones_like(y)]
    return [2 * np.tensordot((output - y)[:, 0], part, 1) / len(y) for part in parts]


backward = tasks.solved(backward, otherwise=backward_by_points, task="Task 3")

# %%
# NBVAL_CHECK_OUTPUT
x = ((depth - depth.mean()) / depth.std())[:, None]  # (40, 1)
y = ((deposit - deposit.mean()) / deposit.std())[:, None]
by_hand = backward(initial_parameters(1), x, y)

variables = [tf.Variable(values) for values in initial_parameters(1)]  # float64
with tf.GradientTape() as tape:
    hidden = tf.tanh(x @ variables[0] + variables[1])
    tape_loss = tf.reduce_mean((hidden @ variables[2] + variables[3] - y) ** 2)
by_tape = [gradient.numpy() for gradient in tape.gradient(tape_loss, variables)]

for name, others in (("numerical", numerical_gradients(initial_parameters(1), x, y)), ("GradientTape", by_tape)):
    agree = all(np.allclose(mine, other, rtol=1e-5, atol=1e-8) for mine, other in zip(by_hand, others))
    assert agree, f"Your gradients differ from the {name} ones by more than 1e-5."
    print(f"{name}: {sum(other.size for other in others)} gradients agree to 1e-5")


# %%
def descend(parameters, x, y, marks, rate=0.1):
    """Parameters after each number of steps in `marks` of plain gradient descent."""
    states = []
    for step in range(marks[-1] + 1):
        if step in marks:
            states.append(parameters)
        gradients = backward(parameters, x, y)
        parameters = [values - rate * gradient for values, gradient in zip(parameters, gradients)]
    return states


# %%
marks = profile.pick(full=[0, 10, 100, 1000, 10_000], quick=[0, 10, 100, 300, 1000])
states = descend(initial_parameters(1), x, y, marks)
wide = np.linspace(100, 1600, 751)  # g/cm²
inputs = ((wide - depth.mean()) / depth.std())[:, None]
guess = (10, 700, 200, 0.3)
fitted, covariance = optimize.curve_fit(gaisser_hillas, depth, deposit, guess, np.full(40, ERROR), absolute_sigma=True)

figure, panels = plt.subplots(2, 3, figsize=(11, 5.6), sharex=True, sharey=True, layout="constrained")
for panel, step, parameters in zip(panels.flat, marks, states):
    curve_of_network = deposit.mean() + deposit.std() * forward(parameters, inputs)[1]
    panel.plot(wide, curve_of_network, color=BLUE, label=f"network, {step:,} steps")
panels.flat[5].plot(wide, gaisser_hillas(wide, *fitted), color=ORANGE, label="Gaisser-Hillas fit")
for panel in panels.flat:
    panel.axvspan(100, 287, color="0.92")
    panel.axvspan(1288, 1600, color="0.92")
    panel.errorbar(depth, deposit, ERROR, fmt=".", color="k", markersize=3, linewidth=0.8)
    panel.legend(loc="upper right", frameon=False)
    panel.set(xlim=(100, 1600), ylim=(-5, 22))
figure.supxlabel("slant depth [g/cm²]")
figure.supylabel("energy deposit [PeV/(g/cm²)]")
plt.show()

# %% [markdown]
# A hundred steps are enough to see a shower; the remaining 9,900 bend the curve to the points. In the grey parts, where
# there are no points, the network does what its tanh happen to do: behind 1,288 g/cm² it rises again. The formula knows
# that a shower dies out.
#
# ## If you know the formula, fit the formula
#
# Both curves have a maximum. Which of the two finds $X_\mathrm{max}$ better? Guess, then measure 50 times: the same
# shower, new errors. The fit also predicts its own uncertainty, from the covariance.


# %%
def maximum_by_network(deposit, seed):
    """Xmax [g/cm²] of the network's curve after its last step."""
    mean, std = deposit.mean(), deposit.std()
    parameters = descend(initial_parameters(seed), x, ((deposit - mean) / std)[:, None], marks)[-1]
    inside = (wide > 300) & (wide < 1275)
    return wide[inside][np.argmax(forward(parameters, inputs[inside])[1])]


n_repeats = profile.pick(full=50, quick=3)
found = []
for seed in range(n_repeats):
    again = gaisser_hillas(depth, *TRUTH) + ERROR * np.random.default_rng(seed).normal(size=40)
    refitted = optimize.curve_fit(gaisser_hillas, depth, again, guess, np.full(40, ERROR), absolute_sigma=True)[0]
    found.append((maximum_by_network(again, seed), refitted[1]))
offset = np.array(found) - TRUTH[1]  # (repeats, 2)
for name, values in zip(("network", "Gaisser-Hillas"), offset.T):
    print(f"{name}: Xmax off by {values.mean():+.1f} g/cm² on average, spread {values.std(ddof=1):.1f} g/cm²")
print(f"spread that the fit itself predicts: {np.sqrt(covariance[1, 1]):.1f} g/cm²")

# %% [markdown]
# The network scatters by 14 g/cm², the formula by 6.3 ± 0.6 g/cm². It predicts 5.6 itself, and this prediction is the
# statistical limit for such points. (That it is 2.3 ± 0.9 g/cm² too shallow on average is chance: 600 repeats of the
# fit give -0.1 ± 0.2.) The formula is what is known about showers, put into four parameters; the network has 31 and
# knows nothing. Where you know the formula, fit the formula. Most of this course is about data for which nobody has
# one.
#
# ## Three layers, ten thousand steps
#
# How far can a network go? Take a function that no shower would make, with a kink at 0 and sharp peaks:
#
# $$f(x) = \frac{\sqrt{|x|} + 0.1\,x + 0.01\,x^2 + 1 - \sin x + 0.5\,e^{x/10}}{0.5 + |\cos x|},
# \qquad -10 \le x \le 10.$$
#
# Shift and scale it to mean 0 and standard deviation 1. Then "always the mean" has an RMS error of 1, and an error of
# 0.05 is 5 % of the function's spread. The network has three hidden layers of 20 neurons, 901 parameters. Each step
# draws 256 new points; the optimizer is Adam, a gradient descent that gives each parameter a step size of its own.
# After half of the steps the learning rate falls to a tenth ([lesson 13](13_optimization.ipynb) tells why). A network
# is compiled once and gets new weights for each training, which saves time. Keras starts biases at 0. For ReLU that
# puts all kinks of the first layer to $x = 0$; so start them at random between -1 and 1. Weights start from He's rule,
# random numbers made for ReLU (lesson 13 tells why), for all three activations.
#
# Which activation learns the function best? To compare fairly, each gets the same steps and a learning rate of its own:
# of the same three, the best for one seed. Then three other seeds count.


# %%
def complicated(x):
    """The function to learn, not yet standardised."""
    numerator = np.sqrt(np.abs(x)) + 0.1 * x + 0.01 * x**2 + 1 - np.sin(x) + 0.5 * np.exp(x / 10)
    return numerator / (0.5 + np.abs(np.cos(x)))


grid = np.linspace(-10, 10, 2001)[:, None]
MEAN, STD, SCALE = complicated(grid).mean(), complicated(grid).std(), grid.std()
wanted = (complicated(grid) - MEAN) / STD


# %%
def build(inputs, widths, outputs, activation, loss):
    """A compiled network of dense layers."""
    start = {"kernel_initializer": "he_normal", "bias_initializer": keras.initializers.RandomUniform(-1, 1)}
    hidden = [layers.Dense(width, activation=activation, **start) for width in widths]
    network = keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs)])
    network.compile("adam", loss=loss, steps_per_execution=200, jit_compile=False)
    return network


def restart(network, seed):
    """New random weights, and an optimizer that has forgotten the last training."""
    keras.utils.set_random_seed(seed)
    network.set_weights(keras.models.clone_model(network).get_weights())
    for variable in network.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))


def train(network, rate, seed, marks):
    """Outputs on the grid (marks, 2001) after each number of steps in `marks`, one of them half of the last."""
    restart(network, seed)
    x = np.random.default_rng(seed).uniform(-10, 10, (256 * marks[-1], 1))
    y, frames = ((complicated(x) - MEAN) / STD).astype("float32"), []
    inputs = (x / SCALE).astype("float32")
    for before, mark in zip([0, *marks], marks):
        now = slice(256 * before, 256 * mark)
        network.optimizer.learning_rate = rate if mark <= marks[-1] / 2 else rate / 10
        if mark:
            network.fit(inputs[now], y[now], batch_size=256, shuffle=False, verbose=0)
        frames.append(np.asarray(network(grid / SCALE))[:, 0])
    return np.array(frames)


# %%
RATES = profile.pick(full=(0.01, 0.03, 0.1), quick=(0.03,))
TUNING_SEED = 11
SEEDS = profile.pick(full=(1, 2, 3), quick=(1, 2))
COLORS = {"relu": BLUE, "sigmoid": ORANGE, "tanh": GREEN}
frames_at = profile.pick(
    full=[0, 1, 3, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000], quick=[0, 1, 3, 10, 20, 50, 80, 100, 150, 200]
)


def error(outputs):
    """RMS error over the grid, in units of the function's spread."""
    return np.sqrt(np.mean((outputs - wanted[:, 0]) ** 2, axis=-1))


def best_rate(network, steps):
    """The learning rate with the smallest error at the end, for a seed that does not count later."""
    ends = {rate: train(network, rate, TUNING_SEED, [steps // 2, steps])[-1] for rate in RATES}
    errors = {rate: error(output) for rate, output in ends.items()}
    print(", ".join(f"rate {rate}: {value:.2f}" for rate, value in errors.items()))
    return min(errors, key=errors.get)


frames = {}
for activation in COLORS:
    print(activation, end=", ")
    network = build(1, [20, 20, 20], 1, activation, "mse")
    rate = best_rate(network, frames_at[-1])
    frames[activation] = np.array([train(network, rate, seed, frames_at) for seed in SEEDS])

# %%
shown = [frames_at.index(step) for step in profile.pick(full=[0, 10, 100, 1000, 10_000], quick=[0, 10, 50, 100, 200])]
figure, panels = plt.subplots(2, 5, figsize=(14, 5), sharex=True, sharey=True, layout="constrained")
for row, activation in zip(panels, ("relu", "sigmoid")):
    for panel, index in zip(row, shown):
        output = frames[activation][0, index]
        panel.plot(grid, wanted, "0.6", grid, output, COLORS[activation])
        panel.set_title(f"{activation}, {frames_at[index]:,} steps, error {error(output):.2f}", fontsize=10)
figure.supxlabel("x")
figure.supylabel("standardised function")
plt.show()


# %%
def draw_frame(frame):
    """All three activations after `frames_at[frame]` steps (first seed), and the errors of all seeds."""
    figure = plt.Figure(figsize=(9.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    left.plot(grid, wanted, color="0.6", linewidth=4, label="function")
    for activation, color in COLORS.items():
        left.plot(grid, frames[activation][0, frame], color=color, label=activation)
        several = error(frames[activation])  # (seeds, frames)
        right.loglog(frames_at[1:], several.T[1:], color=color, linewidth=0.7, alpha=0.6)
        right.loglog(frames_at[1:], np.median(several, axis=0)[1:], color=color, label=activation)
    right.axvline(max(frames_at[frame], 1), color="k", linewidth=0.8)
    left.set(xlabel="x", ylabel="standardised function", ylim=(-2.5, 5), title=f"{frames_at[frame]:,} steps")
    right.set(xlabel="steps", ylabel="RMS error [spreads]", title="three seeds each, and their median")
    left.legend(ncols=2)
    right.legend()
    return figure


viewer.with_sliders(draw_frame, frame=viewer.Slider("frame", len(frames_at) - 4, 0, len(frames_at) - 1, 1, play=True))

# %% [markdown]
# First figure: after 100 steps ReLU has found two of the six peaks, after 1,000 all but half of the last, after 10,000
# its error is 0.04. The sigmoid starts as a constant, has found one edge after 100 steps, lacks three peaks after
# 1,000, and has them all after 10,000. Three seeds give (± is their spread)
#
# | RMS error | ReLU | sigmoid | tanh |
# |---|---|---|---|
# | 1,000 steps | 0.23 ± 0.02 | 0.42 ± 0.19 | 0.12 ± 0.04 |
# | 10,000 steps | 0.053 ± 0.018 | 0.085 ± 0.027 | 0.033 ± 0.009 |
#
# So the sigmoid lags, and catches up. It needs the largest of the three rates: at 0.01 and at 0.03 its error at the end
# is twice that of ReLU with the same rate, as the lines printed above show. With its own rate the difference at the end
# is 0.03 ± 0.02: three seeds hardly tell the two apart.
#
# Why does the sigmoid lag? Its slope is 1/4 at most. On the way back through three layers the gradient is multiplied by
# 1/64 or less, besides the weights; on the way forward, the output hardly depends on $x$ at the start. Adam makes up
# for small gradients by larger steps, so the sigmoid learns, only more slowly. In deeper networks that is not enough
# ([lesson 13](13_optimization.ipynb)). Do not conclude that tanh is best: this is one function and three seeds. The
# next lessons mostly take ReLU: it is cheap and keeps its slope in deep networks.
#
# ## Width or depth?
#
# The polygon needs only one hidden layer. Why then several? Keep the number of parameters near 900 and distribute them
# over one to four hidden layers of ReLU, each with a learning rate found as before. In one layer there are 300 neurons:
# a polygon of 300 kinks. Guess the order after 2,000 steps.

# %%
SHAPES = {1: [300], 2: [28, 28], 3: [20, 20, 20], 4: [16, 16, 16, 16]}
steps, seeds = profile.pick(full=(2000, (1, 2, 3, 4, 5)), quick=(60, (1, 2)))
by_depth, rates = {}, {}
for n_layers, widths in SHAPES.items():
    network = build(1, widths, 1, "relu", "mse")
    print(f"{n_layers} hidden, {network.count_params()} parameters", end=", ")
    rates[n_layers] = best_rate(network, steps)
    by_depth[n_layers] = error(
        np.array([train(network, rates[n_layers], seed, [steps // 2, steps])[-1] for seed in seeds])
    )

by_width = {300: by_depth[1]}
for width in (30, 100):
    network = build(1, [width], 1, "relu", "mse")
    by_width[width] = error(np.array([train(network, rates[1], seed, [steps // 2, steps])[-1] for seed in SEEDS]))

# %%
corners = {width: np.linspace(-10, 10, width + 1) for width in (10, 30, 100, 300)}
by_hand = [error(polygon(grid[:, 0], some, (complicated(some) - MEAN) / STD)) for some in corners.values()]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6), sharey=True, layout="constrained")
for n_layers, errors in by_depth.items():
    left.plot([n_layers] * len(errors), errors, "o", color=BLUE, alpha=0.6)
    left.plot([n_layers - 0.2, n_layers + 0.2], [np.median(errors)] * 2, color="k")
for width, errors in by_width.items():
    right.plot([width] * len(errors), errors, "o", color=BLUE, alpha=0.6, label="trained" if width == 300 else None)
right.plot(list(corners), by_hand, "s--", color=ORANGE, label="polygon set by hand")
left.set(xlabel="hidden layers, about 900 parameters", ylabel="RMS error [spreads]", xticks=list(SHAPES), yscale="log")
right.set(xlabel="neurons in one hidden layer", xscale="log", xticks=list(corners), xticklabels=list(corners))
right.minorticks_off()
left.set_yticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], [0.02, 0.05, 0.1, 0.2, 0.5, 1])
left.minorticks_off()
right.legend()
plt.show()
for n_layers, errors in by_depth.items():
    print(f"{n_layers} hidden: {errors.mean():.2f} ± {errors.std(ddof=1):.2f}")

# %% [markdown]
# Left: with one layer the error is 0.51 ± 0.02, with two 0.41 ± 0.07, with three 0.21 ± 0.03, with four 0.16 ± 0.13
# (five seeds). Depth helps at an equal number of parameters, and so does luck: of four layers the best seed reaches
# 0.05, the worst 0.38. A second layer bends the bends of the first, so that kinks multiply in place of adding up.
#
# Right: ten times as many neurons in one layer change little, 0.65 to 0.51, while the polygon with 300 kinks set by
# hand has an error of 0.017. The weights exist; 2,000 steps of descent do not find them. What a network *can* represent
# and what it *learns* are two questions.
#
# ## Gamma, proton or muon?
#
# So far the answer was a number. Now it is a class. A Cherenkov telescope sees an air shower as an elongated patch of
# light. Gamma-ray astronomy describes the patch by **scaled width** and **scaled length**: how many standard deviations
# it is wider and longer than that of a gamma ray of the same brightness. Gammas lie around (0, 0). Protons are mostly
# wider and longer, but scatter on all sides. Muons that pass close by draw narrow, long arcs. The images here come from
# a [toy](../showertools/image_shapes.py) whose distributions are known, so you will be able to say what the best
# possible answer is. Both inputs are of order one: no further scaling is needed.


# %%
def draw_images(n_images, seed):
    """Places (n, 2) in the plane of scaled width and length, and classes (n,)."""
    images = image_shapes.simulate(n_images, seed=seed)
    return np.stack([images["scaled_width"], images["scaled_length"]], axis=1), images["particle"]


train_images, train_labels = draw_images(profile.pick(full=20_000, quick=2_000), seed=1)
validation_images, validation_labels = draw_images(5_000, seed=2)
test_images, test_labels = draw_images(profile.pick(full=50_000, quick=5_000), seed=3)
print(f"{len(train_labels)} images to train on, {len(validation_labels)} to tune, {len(test_labels)} to be judged by")

# %% [markdown]
# A network for three classes has three outputs $a_k$, one a class, called **logits**. They may be any number. To read
# them as probabilities, make them positive and let them add up to 1:
#
# $$p_k = \frac{e^{a_k}}{\sum_j e^{a_j}} \qquad \text{(softmax)}.$$
#
# You know this as the Boltzmann distribution, with $a_k$ for $-E_k/k_BT$. What happens to $p$ if you add 5 to all
# logits?
#
# ### Task 4: softmax
#
# Write `softmax(logits)` for an array (n, K) of any n and K. It should survive logits of 1000, where $e^{1000}$ is
# infinite: your answer to the question above is the remedy.


# %%
def softmax(logits):
    """Probabilities (n, K) from logits (n, K)."""
    ### BEGIN SOLUTION
    relative = np.exp(logits - logits.max(axis=1, keepdims=True))  # the largest is 1
    return relative / relative.sum(axis=1, keepdims=True)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"), np.errstate(all="ignore"):
    logits = np.array([[0.0, np.log(2.0)], [0.0, np.log(3.0)]])
    answer = np.asarray(softmax(logits))
    assert answer.shape == (2, 2), "The shape (n, K) should stay."
    assert np.all(np.isfinite(answer)), "NaN or infinite: subtract the largest logit of each image, not a fixed number."
    assert not np.isclose(answer.sum(), 1), "All images together add up to 1: normalise each image by itself."
    assert not np.allclose(answer.sum(axis=0), 1), "You normalised over the images: the sum runs over classes, axis 1."
    assert np.allclose(answer.sum(axis=1), 1), (
        "The probabilities of an image should add up to 1: divide by the sum over axis 1, with keepdims=True."
    )
    right = np.array([[1 / 3, 2 / 3], [1 / 4, 3 / 4]])
    assert not np.allclose(answer, right[:, ::-1]), "A larger logit should mean a larger probability: a wrong sign."
    assert np.allclose(answer, right), (
        "Logits 0 and ln 2 give 1/3 and 2/3: subtract one number from all classes of an image, exp, over their sum."
    )
    large = np.asarray(softmax(np.array([[1000.0, 1000.0 + np.log(3.0)]])))
    assert np.allclose(large, [[1 / 4, 3 / 4]]), (
        "Logits of 1000 overflow, or lose their difference: subtract the largest logit before exp."
    )
    mixed = np.asarray(softmax(np.array([[1000.0, -1000.0], [-1000.0, -1000.0], [0.0, 0.0]])))
    assert np.allclose(mixed, [[1, 0], [1 / 2, 1 / 2], [1 / 2, 1 / 2]]), (
        "Subtract each image's own largest logit: not its smallest or mean, nor the largest of all images."
    )


# %% tags=["wrong"]
# hint: Logits of 1000 overflow
def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


# %% tags=["wrong"]
# hint: normalise each image
def softmax(logits):
    return np.exp(logits) / np.exp(logits).sum()


# %% tags=["wrong"]
# hint: sum runs over classes
def softmax(logits):
    relative = np.exp(logits - logits.max(axis=0))
    return relative / relative.sum(axis=0)


# %% tags=["wrong"]
# hint: the largest of all images
def softmax(logits):
    relative = np.exp(logits - logits.max())
    return relative / relative.sum(axis=1, keepdims=True)


# %% tags=["wrong"]
# hint: with keepdims=True
def softmax(logits):
    relative = np.exp(logits - logits.max(axis=1, keepdims=True))
    return relative / relative.sum(axis=1)


# %%
softmax = tasks.solved(softmax, otherwise=lambda logits: special.softmax(logits, axis=1), task="Task 4")

# %% [markdown]
# ## Cross-entropy
#
# How good are such probabilities? Maximum likelihood: choose the parameters for which the classes that you saw were
# most probable. The images are independent, so the likelihood is the product of $p_{k_i}(s_i)$, the probability that
# was given to the true class $k_i$ of image $s_i$. Take the logarithm, change the sign, divide by $n$:
#
# $$\mathcal{L} = -\frac{1}{n} \sum_i \ln p_{k_i}(s_i) = -\frac{1}{n} \sum_i \sum_k t_{ik} \ln p_k(s_i).$$
#
# In the second form, $t_i$ is the class as a vector with a 1 at its place and 0 elsewhere: **one-hot**, the row $k_i$
# of the unit matrix, `np.eye(K)[labels]` for $K$ classes. This is the **cross-entropy**. What is it for a network that
# knows nothing and says 1/3, 1/3, 1/3?
#
# ### Task 5: cross-entropy from logits
#
# Write `cross_entropy(logits, labels)` for logits (n, K) and class numbers (n,). Beware of a network that is surely
# wrong: with logits 1000 and 0 and true class 1 the loss is 1000, not infinite. Use $\ln p_k = a_k - \ln\sum_j
# e^{a_j}$, and `special.logsumexp` of SciPy, or the remedy of Task 4.


# %%
def cross_entropy(logits, labels):
    """Mean negative logarithm of the probability of the true class."""
    ### BEGIN SOLUTION
    log_probability = logits - special.logsumexp(logits, axis=1, keepdims=True)  # (n, K)
    one_hot = np.eye(logits.shape[1])[labels]  # (n, K)
    return -np.mean(np.sum(one_hot * log_probability, axis=1))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"), np.errstate(all="ignore"):
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.7, 0.2]])
    labels, right = np.array([0, 1]), -np.log(0.5 * 0.7) / 2
    answer = cross_entropy(logits, labels)
    assert np.shape(answer) == (), "One number for all images together: average over them."
    assert not np.isclose(answer, -right), "It is negative: a loss falls when the probability rises. Change the sign."
    assert not np.isclose(answer, 2 * right), "2 images, twice too large: take the mean over images, not the sum."
    assert not np.isclose(answer, right / 3), "3 times too small: sum over the classes, then take the mean over images."
    assert not np.isclose(answer, right / np.log(10)), "That is log10: use the natural logarithm."
    assert not np.isclose(answer, right / np.log(2)), "That is log2: use the natural logarithm."
    normalised = "Normalise each image by itself (axis=1): its probabilities add up to 1."
    over_images = -np.mean(np.log([0.5 / 0.6, 0.7 / 0.95]))
    assert not np.any(np.isclose(answer, [right + np.log(2), over_images])), normalised
    unlogged = -np.mean([0.5, 0.7])
    assert not np.isclose(answer, unlogged), "That is the mean probability: take its logarithm first, image by image."
    every = -np.log([0.5, 0.25, 0.1, 0.7]).mean()
    assert not np.isclose(answer, every), "`[:, labels]` takes all labels for each image: image i has labels[i] alone."
    assert np.isclose(answer, right), "Take the logarithm of the probability of the true class only."
    assert np.isclose(cross_entropy(logits + 7, labels), right), (
        "Adding 7 to all logits should change nothing: normalise."
    )
    swapped = cross_entropy(logits, labels[::-1])
    assert np.isclose(swapped, -np.log(0.25 * 0.1) / 2), (
        "The loss should follow the labels: row i takes labels[i], not its most probable class."
    )
    sure = cross_entropy(np.array([[1000.0, 0.0, 0.0]]), np.array([1]))
    assert np.isclose(sure, 1000), (
        "A sure mistake should cost 1000: do not take the logarithm of a rounded probability."
    )


# %% tags=["wrong"]
# hint: A sure mistake
def cross_entropy(logits, labels):
    return -np.mean(np.log(special.softmax(logits, axis=1)[np.arange(len(labels)), labels]))


# %% tags=["wrong"]
# hint: 3 times too small
def cross_entropy(logits, labels):
    log_probability = logits - special.logsumexp(logits, axis=1, keepdims=True)
    return -np.mean(np.eye(3)[labels] * log_probability)


# %% tags=["wrong"]
# hint: not its most probable class
def cross_entropy(logits, labels):
    log_probability = logits - special.logsumexp(logits, axis=1, keepdims=True)
    return -np.mean(log_probability.max(axis=1))


# %% tags=["wrong"]
# hint: Adding 7
def cross_entropy(logits, labels):
    return -np.mean(logits[np.arange(len(labels)), labels])


# %% tags=["wrong"]
# hint: of the true class only
def cross_entropy(logits, labels):
    probability = special.softmax(logits, axis=1)
    return -np.mean(np.sum(probability * np.log(probability), axis=1))


# %%
cross_entropy = tasks.solved(
    cross_entropy,
    otherwise=lambda logits, labels: float(
        np.mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, np.asarray(logits, float)))
    ),
    task="Task 5",
)

# %%
# NBVAL_CHECK_OUTPUT
logits, labels = tf.Variable([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]], dtype="float64"), np.array([0, 2])
keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
with tf.GradientTape() as tape:
    value = keras_loss(labels, logits)
print(f"Keras {float(value):.5f}, by hand {cross_entropy(logits.numpy(), labels):.5f}")
print("p - one-hot:", (softmax(logits.numpy()) - np.eye(3)[labels]).round(5).tolist())
print("n × gradient:", (2 * tape.gradient(value, logits).numpy()).round(5).tolist())

# %% [markdown]
# Keras has the same loss; `Sparse` means that it takes class numbers and makes them one-hot itself. The answer to the
# question is $\ln 3 = 1.10$. The last two lines show why softmax and logarithm belong together. In the gradient almost
# everything cancels:
#
# $$n\,\frac{\partial \mathcal{L}}{\partial a_{ik}} = p_{ik} - t_{ik}.$$
#
# What was said minus what was true, as for the squared error, only without the factor 2.
#
# ## Straight and curved boundaries
#
# First a network without hidden layer: three linear functions and a softmax. Where two classes tie, their logits are
# equal, and the difference of two linear functions is zero on a straight line. Then two hidden layers of 32. Both learn
# from the same images for the same number of steps, each with the learning rate (of three) that does best on the
# validation images.


# %%
def true_probabilities(images):
    """Bayes: the true probabilities (n, 3)."""
    return image_shapes.probabilities(images[:, 0], images[:, 1])


def train_classifier(network, rate, seed):
    """Logits (n, 3) that the network gives for the validation and for the test images after training."""
    restart(network, seed)
    for epochs, current_rate in ((10, rate), (5, rate / 10)):
        network.optimizer.learning_rate = current_rate
        network.fit(train_images, train_labels, batch_size=256, epochs=epochs, verbose=0)
    return [np.asarray(network(images), dtype=float) for images in (validation_images, test_images)]


networks = {"linear": build(2, [], 3, "relu", keras_loss), "network": build(2, [32, 32], 3, "relu", keras_loss)}
test_logits = {}
for name, network in networks.items():
    losses = {rate: cross_entropy(train_classifier(network, rate, 0)[0], validation_labels) for rate in RATES}
    print(f"{name}: " + ", ".join(f"rate {rate}: {value:.4f}" for rate, value in losses.items()))
    test_logits[name] = [train_classifier(network, min(losses, key=losses.get), seed)[1] for seed in SEEDS]


# %%
figure, panels = plt.subplots(1, 3, figsize=(13, 4.4), sharex=True, sharey=True, layout="constrained")
for panel, (name, answer) in zip(panels, {**networks, "Bayes": true_probabilities}.items()):
    plotting.decision_boundary(answer, test_images[:600], test_labels[:600], names=image_shapes.PARTICLES, ax=panel)
    panel.set(title=name, xlabel="scaled width [standard deviations]")
panels[0].set_ylabel("scaled length [standard deviations]")
plt.show()

# %% [markdown]
# The linear model cuts the plane into three wedges. A wedge is open: the protons far below the gammas all count as
# gammas. The network closes a region around the gammas that is nearly that of Bayes. The two differ at the top left,
# where Bayes ends the region of the muons at a length of 8 and the network lets it run on: there are hardly any images
# to learn from.
#
# ## How much is that worth?
#
# Gamma-ray astronomy selected its gammas for decades by a **box cut**: an image passes if its scaled width and its
# scaled length both lie between two limits. To be fair, tune all four limits, on the training images. With the
# cumulative sum of a histogram you get the result of every box at once, 670,000 of them.


# %%
def best_box(images, is_gamma):
    """Limits (low, high) of scaled width and of scaled length that name most images rightly as gamma or not."""
    edges = np.linspace(-4, 4, 41)
    gain, *_ = np.histogram2d(*images.T, bins=(edges, edges), weights=np.where(is_gamma, 1, -1))
    total = np.pad(gain, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)  # below and left of each corner
    strip = total[None, :] - total[:, None]  # (low width, high width, length)
    box = strip[:, :, None, :] - strip[:, :, :, None]  # (low width, high width, low length, high length)
    ordered = np.triu(np.ones((41, 41)))  # low before high
    place = np.argmax(box * ordered[:, :, None, None] * ordered)
    return edges[list(np.unravel_index(place, box.shape))].reshape(2, 2)


# %% tags=["result"]
is_gamma = test_labels == 0
box = best_box(train_images, train_labels == 0)
in_box = np.all((test_images > box[:, 0]) & (test_images < box[:, 1]), axis=1)
said = {name: [softmax(logits) for logits in several] for name, several in test_logits.items()}
said["Bayes"] = [true_probabilities(test_images)]
scatter = np.sqrt(0.25 / len(test_labels))
print(f"function on a grid, RMS error and its spread over {len(SEEDS)} seeds:")
for activation, several in frames.items():
    errors = [(frames_at[index], error(several[:, index])) for index in shown[-2:]]
    print(f"  {activation}: ", end="")
    print(", ".join(f"{step:,} steps {few.mean():.3f} ± {few.std(ddof=1):.3f}" for step, few in errors))
print(f"{len(test_labels)} unseen images, statistical error at most {scatter:.1%}:")
limits = "scaled width {:.1f} to {:.1f}, scaled length {:.1f} to {:.1f}".format(*box.flat)
print(f"  box cut ({limits}): gamma or not {np.mean(in_box == is_gamma):.2%}")
for name, several in said.items():
    three = [np.mean(one.argmax(axis=1) == test_labels) for one in several]
    two = [np.mean((one[:, 0] > 0.5) == is_gamma) for one in several]
    entropy = [-np.log(one[np.arange(len(one)), test_labels]).mean() for one in several]
    spread = f" (± {np.std(three, ddof=1):.2%} over seeds)" if len(three) > 1 else ""
    print(f"  {name}: right {np.mean(three):.2%}{spread}, gamma or not {np.mean(two):.2%}, loss {np.mean(entropy):.4f}")

# %% [markdown]
# The network names 87.3 % of the images rightly, Bayes 87.4 %, the linear model 81.2 %. For gamma or not, the box cut
# with its four numbers (87.1 %) beats the linear model (83.9 %): a box is closed. The network gets 89.16 %, and 89.19 %
# is all there is. The error of 0.2 % is that of one number; all methods saw the same images, so their differences are
# known better. With only two numbers an image, a box is not far from the best. Later lessons give the network the whole
# image.
#
# ## How few neurons are enough?
#
# Accuracy only asks who wins. The loss asks how good the probabilities are, and here you know the true ones. The mean
# difference between the cross-entropy of a network, $q$, and that of Bayes, $p$, is the **Kullback-Leibler
# divergence**,
#
# $$D = \frac{1}{n} \sum_i \sum_k p_k(s_i) \ln \frac{p_k(s_i)}{q_k(s_i)} \ge 0,$$
#
# the information in **nats** that the network loses per image (ln 2 nats are one bit).
#
# ### Task 6: information lost
#
# Write `information_lost(true, said)` for probabilities (n, K). A class that is impossible, $p = 0$, adds nothing. Then
# find out, with `build` and `train_classifier`: what is the smallest network that loses less than 0.01 nats? Are two
# hidden layers better than one with as many parameters? Do ten times fewer images change the answer?


# %%
def information_lost(true, said):
    """Mean Kullback-Leibler divergence [nats] of the probabilities `said` from the `true` ones."""
    ### BEGIN SOLUTION
    possible = true > 0
    ratio = np.where(possible, true, 1) / np.where(possible, said, 1)
    return np.mean(np.sum(true * np.log(ratio), axis=1))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"), np.errstate(all="ignore"):
    true = np.array([[0.6, 0.4], [0.5, 0.5], [0.3, 0.7]])
    said_of_it = np.array([[0.8, 0.2], [0.5, 0.5], [0.3, 0.7]])
    first = 0.6 * np.log(0.6 / 0.8) + 0.4 * np.log(0.4 / 0.2)  # the first image; the others lose nothing
    answer, right = information_lost(true, said_of_it), first / 3
    assert np.shape(answer) == (), "One number: the mean over the images."
    assert np.isclose(information_lost(true, true), 0), "Who says the truth loses nothing: take the ratio of the two."
    assert not np.isclose(answer, -right), "It is negative: true over said, not said over true."
    exchanged = (0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.2 / 0.4)) / 3
    assert not np.isclose(abs(answer), exchanged), (
        "You exchanged the two: the average runs over the true probabilities."
    )
    unweighted = (np.log(0.6 / 0.8) + np.log(0.4 / 0.2)) / 3
    assert not np.isclose(answer, unweighted), "Weight each logarithm with the true probability of its class."
    assert not np.isclose(answer, first), "3 images, 3 times too large: take the mean over images."
    assert not np.isclose(answer, first / 6), "Sum over the classes, then average over the images."
    assert not np.isclose(answer, first / 2), "You averaged over the classes: sum over axis 1, mean over axis 0."
    assert not np.isclose(answer, right / np.log(2)), "These are bits: take the natural logarithm."
    assert np.isclose(answer, right), "Per image, sum p·ln(p/q): 0.6, 0.4 said as 0.8, 0.2 loses 0.105."
    sure = information_lost(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    assert np.isclose(sure, np.log(2)), "A class with p = 0 should add 0, not NaN: 0·ln 0 is 0."


# %% tags=["wrong"]
# hint: true over said
def information_lost(true, said):
    return np.mean(np.sum(true * np.log(said / true), axis=1))


# %% tags=["wrong"]
# hint: exchanged the two
def information_lost(true, said):
    return np.mean(np.sum(special.rel_entr(said, true), axis=1))


# %% tags=["wrong"]
# hint: should add 0, not NaN
def information_lost(true, said):
    return np.mean(np.sum(true * np.log(true / said), axis=1))


# %% tags=["wrong"]
# hint: Sum over the classes
def information_lost(true, said):
    return np.mean(special.rel_entr(true, said))


# %% tags=["wrong"]
# hint: Weight each logarithm
def information_lost(true, said):
    return np.mean(np.sum(np.log(true) - np.log(said), axis=1))


# %% tags=["expected"]
information_lost = tasks.solved(
    information_lost, otherwise=lambda true, said: special.rel_entr(true, said).sum(axis=1).mean(), task="Task 6"
)
n_neurons = profile.pick(full=[2, 4, 8, 32], quick=[2, 8])
lost = {}
for number in n_neurons:
    network = build(2, [number], 3, "relu", keras_loss)
    several = [train_classifier(network, 0.03, seed)[1] for seed in SEEDS]
    lost[number] = [information_lost(true_probabilities(test_images), softmax(logits)) for logits in several]

figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for number, values in lost.items():
    axes.plot(
        [number] * len(values), values, "o", color=BLUE, alpha=0.6, label="one hidden layer" if number == 2 else None
    )
linear, two_layers = (
    [information_lost(true_probabilities(test_images), one) for one in said[name]] for name in ("linear", "network")
)
axes.axhline(np.mean(linear), color=ORANGE, linestyle="--", label="linear")
axes.axhline(np.mean(two_layers), color=GREEN, linestyle="-.", label="two layers of 32")
axes.axhline(0.01, color="k", linewidth=0.8, linestyle=":", label="0.01 nats")
axes.set(xlabel="hidden neurons", ylabel="information lost [nats per image]", xscale="log", yscale="log")
axes.set_xticks(n_neurons, n_neurons)
axes.minorticks_off()
axes.legend(loc=(0.55, 0.45))
plt.show()
print(f"linear {np.mean(linear):.3f}, two layers of 32 {np.mean(two_layers):.4f} nats")
print("one hidden layer: " + ", ".join(f"{number}: {np.mean(values):.4f}" for number, values in lost.items()))

# %% [markdown]
# The linear model loses 0.248 nats. Four hidden neurons lose 0.012, eight 0.006, and 32 in one layer 0.003, hardly more
# than the two layers of 32 with 0.0025. So the line of 0.01 nats lies between four and eight neurons, for two inputs
# and 20,000 images. What even the large networks lose is hardly a lack of neurons: they learned from a finite sample.
# What do 200,000 images give?
#
# ## What you learned
#
# - Layers without an activation between them collapse into one.
# - One hidden layer of ReLU is a polygon: it can draw any continuous curve. Whether descent finds the weights is
#   another question, and there depth helps.
# - Backpropagation is the chain rule from right to left; a numerical derivative checks it.
# - Softmax turns logits into probabilities, cross-entropy is their negative log-likelihood, and the gradient is what
#   was said minus what was true.
# - A cut, a formula and a limit belong beside every network.
#
# ## Go further
#
# - Where are the kinks of the one layer of 300 before training, at $x = -b/w$, and where after it? Start from the
#   polygon set by hand: does training improve on it?
# - Read $X_\mathrm{max}$ from the network's curve on profiles that are cut off at 900 g/cm². Which of the two methods
#   notices?
# - Draw the lines on which each of the four hidden neurons of the smallest network switches on into the figure of the
#   boundaries.
#
# ## References
#
# - M. Erdmann, J. Glombitza, G. Kasieczka and U. Klemradt, *Deep Learning for Physics Research*, World Scientific 2021,
#   [doi:10.1142/12294](https://doi.org/10.1142/12294): a textbook of the field, from the first network on.
# - D. E. Rumelhart, G. E. Hinton and R. J. Williams, *Learning representations by back-propagating errors*, Nature 323
#   (1986) 533, [doi:10.1038/323533a0](https://doi.org/10.1038/323533a0).
# - G. Cybenko, *Approximation by superpositions of a sigmoidal function*, Math. Control Signals Syst. 2 (1989) 303,
#   [doi:10.1007/BF02551274](https://doi.org/10.1007/BF02551274): universal approximation.
# - Pierre Auger Collaboration, *Measurement of the average shape of longitudinal profiles of cosmic-ray air showers at
#   the Pierre Auger Observatory*, JCAP 03 (2019) 018,
#   [doi:10.1088/1475-7516/2019/03/018](https://doi.org/10.1088/1475-7516/2019/03/018): the profile with $R$ and $L$.
# - H.E.S.S. Collaboration, *Observations of the Crab nebula with HESS*, Astron. Astrophys. 457 (2006) 899,
#   [doi:10.1051/0004-6361:20065351](https://doi.org/10.1051/0004-6361:20065351): cuts on mean scaled width and length.
