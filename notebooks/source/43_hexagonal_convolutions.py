# %% [markdown]
# # Hexagonal convolutions
#
# **You will be able to**
# - say which pixels a square kernel sees in a hexagonal image, and what that does to the shape of a shower,
# - resample camera images to squares by one matrix, and measure what each way costs in charge, size and direction,
# - write the hexagonal convolution in three ways, show that they are equal to rounding, and time and weigh them,
# - turn images and kernels by 60°, and build a network that does not mind being turned,
# - judge from a test with several seeds whether hexagons are worth it.
#
# **Time** 45 min reading, 70 min tasks; runs in 5 min on two CPU cores.
# **You need** convolutions ([lesson 22](22_cifar10_cnn.ipynb)) and axial indices
# ([lesson 35](35_traces_and_hexagons.ipynb)). It helps to have seen camera images and Hillas parameters ([lesson
# 41](41_camera_images.ipynb)).

# %%
from showertools import (
    camera,
    camera_plots,
    cherenkov,
    geometry,
    hillas,
    indexed_layers,
    profile,
    resampling,
    tasks,
    telescope_frame,
)
from showertools.hexagonal_networks import array_input, network, pixel_input
from showertools.layers import HexConv, HexPool, IndexedConv, IndexedPool

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
from time import perf_counter

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops
from scipy import spatial

# %% [markdown]
# ## A hexagonal image in a square array
#
# Cameras of Cherenkov telescopes have hexagonal pixels, since light guides of hexagons leave no gaps and come close
# to circles. What computers have for images are square arrays. Whoever uses a hexagonal image must lay it out in such
# an array, and the network takes what it gets for squares.
#
# Simulate gamma rays for the small camera of the course (397 pixels). Clean the images, keep those with at least 100
# photoelectrons (p.e.), and keep with each pixel how much later than the mean its light came. Two numbers a pixel,
# so.

# %%
model = cherenkov.TelescopeModel(camera_name="small", energy=(0.1, 20.0), impact_radius=200.0)
small = model.camera
layout = small.layout


def observe(n_events, seed):
    """Charges [p.e.] and delays [ns] of cleaned images (n, P), directions [°] (n, 2) and log10(E/TeV) (n,)."""
    events = cherenkov.simulate(n_events, seed=seed, particle="gamma", model=model)
    image, time = events["image"][:, 0], events["peak_time"][:, 0]
    charge = np.where(hillas.tailcuts_clean(small, image, 10, 5, 2), image, 0)
    bright = events["triggered"][:, 0] & (charge.sum(axis=1) > 100)
    charge, time = charge[bright], time[bright]
    mean_time = (charge * time).sum(axis=1) / charge.sum(axis=1)
    delay = np.where(charge > 0, time - mean_time[:, None], 0)
    sky = (
        events[name] for name in ("true_alt", "true_az", "telescope_pointing_altitude", "telescope_pointing_azimuth")
    )
    direction = np.stack(telescope_frame.from_sky(*sky), axis=1)[bright]
    return charge, delay, direction, np.log10(events["true_energy"][bright])


charge, delay, direction, log10_energy = observe(profile.pick(full=9_000, quick=1_000), seed=430)
shape = hillas.hillas_parameters(small, charge)
print(f"{len(charge):,} images, {np.median(shape['hillas_intensity']):.0f} p.e. in half of them or more")

# %% [markdown]
# An array needs rows and columns. With **offset** indices, rows of the array are rows of pixels, and every second row
# is half a pixel off. With **axial** indices, columns run along the slanted lines of the grid. Here is one shower as
# it is, and as a network sees it in each of the two.

# %%
well_inside = shape["valid"] & (shape["leakage_intensity_width_2"] < 0.05) & (shape["hillas_intensity"] > 500)
one = np.argmin(np.abs(shape["hillas_psi"] - 60) + np.where(well_inside, 0, 90))  # the one that is nearest to 60°
figure, panels = plt.subplots(1, 3, figsize=(12, 3.9), layout="constrained")
camera_plots.image(small, charge[one], ax=panels[0], colorbar=False)
camera_plots.ellipse(shape, one, ax=panels[0], axis=False)
panels[0].set_title("as it is")
for panel, indexing in zip(panels[1:], ("offset", "axial")):
    panel.imshow(layout.to_array(charge[one], indexing), origin="lower")
    panel.set(title=f"in {indexing} indices", xlabel="column", ylabel="row")
plt.show()

# %% [markdown]
# In offset indices the edge of the shower is jagged. In axial indices it is sheared: another direction, another
# width, and a shower at another angle would be distorted in another way.
#
# A 3×3 kernel looks at a pixel and at the eight elements around it. Which pixels are these in the camera?

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
for panel, indexing, pixel in zip(panels, ("offset", "offset", "axial"), (198, 176, 198)):
    index = layout.to_array(np.arange(small.n_pixels), indexing, fill=-1)
    row, column = np.argwhere(index == pixel)[0]
    window = index[row - 1 : row + 2, column - 1 : column + 2].ravel()
    apart = np.linalg.norm(layout.positions[window] - layout.positions[pixel], axis=1) / layout.spacing
    seen = np.zeros(small.n_pixels)
    seen[window] = np.where(apart < 1.1, 1, 2)
    seen[pixel] = 3
    camera_plots.image(small, seen, ax=panel, colorbar=False, cmap="cividis", limits=(0, 3))
    panel.set(title=f"{indexing}, row {row}", xlim=(-0.5, 0.5), ylim=(-0.5, 0.5))
plt.show()

# %% [markdown]
# Grey are the six neighbours of the yellow pixel, all at one pitch, and sand-coloured the two elements that are none:
# they are √3 pitches away. In axial indices these two lie on one line through the pixel, so the kernel has a
# favourite direction on the sky. In offset indices they lie on one side, on the left in odd rows and on the right in
# even ones: the same weight of the kernel means another direction in every second row.
#
# There are three ways out: resample the image to squares, take weights out of the kernel, or do without an array.
#
# ## Resampling: each way is a matrix
#
# Whatever you do with the charges $q_p$ of the pixels to get those of squares, if it is linear it is a matrix:
#
# $$a_s = \sum_p M_{sp}\,q_p .$$
#
# Row $s$ says where square $s$ has its charge from. Column $p$ says where the charge of pixel $p$ goes: it is
# conserved if each column adds up to 1. The matrix depends on the camera alone, and acts on all images at once.
#
# ### Task 1: the nearest pixel
#
# Write `nearest_matrix(squares, pixels, reach)`. `squares` (S, 2) are the centres of the squares, `pixels` (P, 2)
# those of the pixels [degrees]. Return the matrix (S, P): each square takes the whole charge of the pixel whose
# centre is nearest, or nothing if even that is further away than `reach`.


# %%
def nearest_matrix(squares, pixels, reach):
    """Matrix (S, P) with a 1 where a square takes the charge of its nearest pixel."""
    ### BEGIN SOLUTION
    apart = np.linalg.norm(squares[:, None] - pixels[None], axis=-1)  # (S, P)
    nearest = apart.argmin(axis=1)
    matrix = np.zeros(apart.shape)
    matrix[np.arange(len(squares)), nearest] = apart.min(axis=1) <= reach
    return matrix
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 1"):
    centres = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
    places = np.array([[0.1, 0.0], [0.3, 0.1], [1.2, -0.1], [9.0, 0.0], [0.6, 0.0]])
    given = places.copy(), centres.copy()
    answer = nearest_matrix(*given, 0.5)
    assert getattr(answer, "shape", None) is not None, "Return an array, the matrix."
    assert answer.shape != (3, 5), "Rows are squares, columns are pixels: (S, P)."
    assert answer.shape == (5, 3), "One row a square, one column a pixel."
    assert all(map(np.array_equal, given, (places, centres))), "Leave the arguments as they are."
    assert not answer[3].any(), "The fourth square is far from all pixels: further than `reach`. It gets nothing."
    assert not answer[:, 2].any(), (
        "Each square asks for its nearest pixel, not each pixel for its nearest square: nobody asks the third pixel."
    )
    assert np.array_equal(answer[:2, 0], [1, 1]), "Two squares may take the charge of the same pixel: each the whole."
    expected = np.zeros((5, 3))
    expected[[0, 1, 2, 4], [0, 0, 1, 1]] = 1
    assert np.array_equal(answer, expected), "A 1 in each row where the nearest pixel is, and 0 elsewhere."
    assert nearest_matrix(places, centres, 7.0)[3, 2] == 1, (
        "Use `reach`: with 7 the fourth square takes the third pixel."
    )
    assert nearest_matrix(places, 2 * centres, 0.5)[4].sum() == 0, "Use `reach` for each square, also between pixels."


# %% tags=["wrong"]
# hint: Rows are squares
def nearest_matrix(squares, pixels, reach):
    apart = np.linalg.norm(pixels[:, None] - squares[None], axis=-1)
    return 1.0 * (apart == apart.min(axis=0)) * (apart <= reach)


# %% tags=["wrong"]
# hint: Each square asks
def nearest_matrix(squares, pixels, reach):
    apart = np.linalg.norm(squares[:, None] - pixels[None], axis=-1)
    matrix = np.zeros(apart.shape)
    matrix[apart.argmin(axis=0), np.arange(len(pixels))] = 1
    return matrix * (apart.min(axis=1, keepdims=True) <= reach)


# %% tags=["wrong"]
# hint: further than `reach`
def nearest_matrix(squares, pixels, reach):
    apart = np.linalg.norm(squares[:, None] - pixels[None], axis=-1)
    return np.eye(len(pixels))[apart.argmin(axis=1)]


# %%
def known_nearest(squares, pixels, reach):
    """The same with a tree."""
    apart, pixel = spatial.KDTree(pixels).query(squares)
    return np.eye(len(pixels))[pixel] * (apart <= reach)[:, None]


nearest_matrix = tasks.solved(nearest_matrix, otherwise=known_nearest, task="Task 1")
squares = resampling.rebinned(small).positions  # as large as pixels, (S, 2)
used = nearest_matrix(squares, small.positions, small.pitch / np.sqrt(3)).sum(axis=0)
print({f"{n:.0f} squares": int(np.sum(used == n)) for n in np.unique(used)})

# %% [markdown]
# Though squares and pixels are equally large, some pixels are copied twice, and some get lost: their light is gone.
# [`resampling`](../showertools/resampling.py) has this way and the others that are in use (Nieto et al. 2019 compare
# them):
#
# - **oversampling**: each hexagon becomes two by two squares with a quarter of its charge each,
# - **rebinning**: each square gets the share of each pixel's charge that its area covers,
# - **interpolation**: the nearest pixel, or linear between the centres of three.

# %%
ways = resampling.all_ways(small)
for name, way in ways.items():
    total = way.matrix.sum(axis=0)
    print(
        f"{name:13s}{way.shape[0]} x {way.shape[1]} squares; of a pixel's charge {total.min():.2f} to {total.max():.2f}"
    )

# %%
figure, panels = plt.subplots(2, 3, figsize=(11, 7.2), layout="constrained", sharex=True, sharey=True)
for panel, (name, way) in zip(panels.flat, ways.items()):
    left, bottom = way.positions[0] - way.side / 2
    right, top = way.positions[-1] + way.side / 2
    panel.imshow(way.to_square(charge[[one]])[0], origin="lower", extent=(left, right, bottom, top))
    camera_plots.ellipse(shape, one, ax=panel, axis=False)
    panel.set_title(name)
figure.supxlabel("longitude, if the cells were squares [°]")
figure.supylabel("latitude [°]")
plt.show()

# %% [markdown]
# The red ellipse is that of the true image, twice its length and width. In the axial array the shower lies across it.
# Oversampling stretches it along the latitude, by 15 %, as its cells are wider than high. The lower three have the
# right shape; rebinning and linear interpolation blur it.
#
# How much is that, for all directions? Measure what the network sees by the moments of the light, the length, the
# width and the angle psi of an ellipse, and compare them with those of the hexagonal image.


# %%
inside = charge[well_inside]
length, width, psi = resampling.moments(inside, small.positions)
ratios = {}
for name, way in ways.items():
    array = way.to_square(inside).reshape(len(inside), -1)
    seen = resampling.moments(array, way.positions)
    turn = (seen[2] - psi + 90) % 180 - 90
    ratios[name] = array.sum(axis=1) / inside.sum(axis=1), seen[0] / length, seen[1] / width, turn
print(f"{'':14}{'charge':>14}{'length':>15}{'width':>15}{'psi [°]':>14}")
for name, some in ratios.items():
    cells = "".join(f"{values.mean():8.2f} ± {values.std():4.2f}" for values in some[:3])
    print(f"{name:14}{cells}{some[3].mean():8.1f} ± {some[3].std():4.1f}")

# %%
bins = np.linspace(-90, 90, 13)
which = np.digitize(psi, bins) - 1
colours = ("#d55e00", "#e69f00", "#cc79a7", "#0072b2", "0.5", "#009e73")
figure, panels = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
for (name, (_, *some)), colour in zip(ratios.items(), colours):
    for panel, values in zip(panels, some):
        means = [values[which == number].mean() if np.any(which == number) else np.nan for number in range(12)]
        panel.plot((bins[1:] + bins[:-1]) / 2, means, "o-", markersize=3, color=colour, label=name)
for panel, label in zip(panels, ("length, seen / true", "width, seen / true", "psi, seen − true [°]")):
    panel.set(xlabel="true psi [°]", ylabel=label, xticks=(-90, -45, 0, 45, 90))
panels[0].legend(fontsize="small", ncols=2)
plt.show()

# %% [markdown]
# In an axial array the length that is seen depends on the direction of the shower, from a fifth too short to 30 % too
# long, and the direction is off by up to 40°. In an offset array or oversampled, showers are turned by up to 7°
# towards the latitude, as both are stretched. Rebinning and linear interpolation treat all directions alike, and make
# showers wider, by 11 %: images are narrow, half a pixel to one, and a part of their width is now that of the
# squares. With the nearest pixel a shower gains or loses light, 8 % of it on the average.
#
# A network can learn to live with each of these: the axial array and oversampling lose nothing, and what they do to
# shapes they do to all images. But it has more to learn. The next two ways leave the image as it is.
#
# ## Shifting with masked kernels
#
# In axial indices the six neighbours are the same steps (row, column) everywhere. With the pixel itself these are
# seven *taps*; here they are, row after row:

# %%
# NBVAL_CHECK_OUTPUT
STEPS = geometry.hexagon(1, 1.0).grid - 1  # (7, 2)
print([(int(row), int(column)) for row, column in STEPS])

# %% [markdown]
# A hexagonal convolution has a matrix of weights $W_k$ (C, F) for each tap. If $x$ is the array, the outputs are
#
# $$y_{rc} = \sum_{k=1}^{7} x_{(r,c) + \mathrm{step}_k}\,W_k ,$$
#
# and what is beyond the edge counts as 0. So it is a sum of seven shifted arrays, each times a matrix.
#
# ### Task 2: shift and add
#
# Write `shifted_convolution(values, kernel)` for `values` (B, H, W, C) in axial indices and `kernel` (7, C, F), in
# the order of `STEPS`. Return (B, H, W, F). Use `ops.pad`, slices, `ops.tensordot(a, b, 1)` or `ops.matmul`, which
# work on NumPy arrays and in a network: below, the lesson times what you write, forward and backward.


# %%
def shifted_convolution(values, kernel):
    """Hexagonal convolution (B, H, W, F) of axial arrays (B, H, W, C) as a sum of shifted arrays."""
    ### BEGIN SOLUTION
    height, width = values.shape[1:3]
    padded = ops.pad(values, [[0, 0], [1, 1], [1, 1], [0, 0]])
    total = 0.0
    for tap, (row, column) in enumerate(STEPS + 1):
        total = total + ops.tensordot(padded[:, row : row + height, column : column + width], kernel[tap], 1)
    return total
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 2"):
    given, weights = (np.random.default_rng(2).normal(size=size).astype("f4") for size in ((2, 4, 5, 3), (7, 3, 2)))
    copies = given.copy(), weights.copy()
    answer = shifted_convolution(given, weights)
    assert np.shape([] if answer is None else answer) == (2, 4, 5, 2), "Return an array (B, H, W, F)."
    answer = np.asarray(answer)
    assert all(map(np.array_equal, (given, weights), copies)), "Leave the arguments as they are."
    middle = np.zeros((1, 5, 5, 1), np.float32)
    middle[0, 2, 2] = 1
    numbers = np.arange(1, 8, dtype=np.float32).reshape(7, 1, 1)
    spread = np.asarray(shifted_convolution(middle, numbers))[0, :, :, 0]
    assert spread[2, 2] == 4, "The place itself is tap number 3, the fourth: with weights 1 to 7 it gives 4."
    assert spread[2, 1] != 3, (
        "y at (r, c) reads x at (r, c) + step: the light of (2, 2) is read by (2, 1) with the tap (0, 1)."
    )
    assert np.count_nonzero(spread) == 7, "Seven places read a place: itself and its six neighbours."
    assert (spread[1, 2], spread[1, 3], spread[3, 1]) == (7, 6, 2), "Steps are (row, column): mind their order."
    edge = np.zeros((1, 4, 5, 1), np.float32)
    edge[0, 0, 0] = 1
    far = np.asarray(shifted_convolution(edge, numbers))[0, :, :, 0]
    assert not far[2:].any() | far[:, 2:].any(), "Beyond the edge is nothing: np.roll comes back on the other side."
    mixed = np.einsum("cf,c->f", weights[3], given[0, 0, 0]) + np.einsum("cf,c->f", weights[4], given[0, 0, 1])
    mixed = mixed + np.einsum("cf,c->f", weights[6], given[0, 1, 0])  # the corner (0, 0) has two neighbours
    assert np.allclose(answer[0, 0, 0], mixed, atol=1e-5), "Each tap multiplies the channels by its own matrix (C, F)."
    assert np.allclose(answer[1], np.asarray(shifted_convolution(given[1:], weights))[0], atol=1e-5), (
        "Images of a batch have nothing to do with each other."
    )


# %% tags=["wrong"]
# hint: Beyond the edge is nothing
def shifted_convolution(values, kernel):
    shifted = [np.roll(values, (-row, -column), axis=(1, 2)) for row, column in STEPS]
    return sum(ops.tensordot(some, weights, 1) for some, weights in zip(shifted, kernel))


# %% tags=["wrong"]
# hint: y at (r, c) reads x
def shifted_convolution(values, kernel):
    rows, columns = values.shape[1:3]
    padded = ops.pad(values, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = [padded[:, 1 - i : 1 - i + rows, 1 - j : 1 - j + columns] for i, j in STEPS]
    return sum(ops.tensordot(part, weights, 1) for part, weights in zip(parts, kernel))


# %% tags=["wrong"]
# hint: Steps are (row, column)
def shifted_convolution(values, kernel):
    rows, columns = values.shape[1:3]
    padded = ops.pad(values, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = [padded[:, 1 + j : 1 + j + rows, 1 + i : 1 + i + columns] for i, j in STEPS]
    return sum(ops.tensordot(part, weights, 1) for part, weights in zip(parts, kernel))


# %%
def known_shifts(values, kernel):
    """The same, with pairs of slices."""
    rows, columns = values.shape[1:3]
    padded = ops.pad(values, [[0, 0], [1, 1], [1, 1], [0, 0]])
    parts = [padded[:, i : i + rows, j : j + columns] for i, j in STEPS + 1]
    return sum(ops.tensordot(part, kernel[tap], 1) for tap, part in enumerate(parts))


shifted_convolution = tasks.solved(shifted_convolution, otherwise=known_shifts, task="Task 2")

# %% [markdown]
# Seven shifts are slow: each reads and writes whole arrays. But the same steps everywhere are what a square
# convolution has, too, and that one is fast. All it takes is a 3×3 kernel without weights in two corners.
#
# ### Task 3: mask the kernel
#
# Write `square_kernel(kernel)`: the kernel (3, 3, C, F) that does the same in a square convolution as `kernel` (7, C,
# F) in yours. The element [1, 1] belongs to the place itself. Use `ops`, so that a network can learn the seven.


# %%
def square_kernel(kernel):
    """Kernel (3, 3, C, F) of a square convolution for one (7, C, F) of a hexagonal one."""
    ### BEGIN SOLUTION
    empty = ops.zeros_like(kernel[:1])
    return ops.reshape(ops.concatenate([empty, kernel, empty]), (3, 3, *kernel.shape[1:]))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 3"):
    given = np.arange(1, 43, dtype=np.float32).reshape(7, 3, 2)
    answer = square_kernel(given)
    assert np.shape([] if answer is None else answer) == (3, 3, 3, 2), "Return a kernel (3, 3, C, F)."
    answer = np.asarray(answer)
    assert np.array_equal(given.ravel(), np.arange(1, 43)), "Leave the kernel as it is."
    zero = [(int(row) - 1, int(column) - 1) for row, column in np.argwhere(~answer.any(axis=(2, 3)))]
    assert len(zero) == 2, "Two of the nine elements have no weights."
    assert zero != [(-1, 1), (1, -1)], "(-1, 1) and (1, -1) are steps to neighbours: the other two corners are not."
    assert zero == [(-1, -1), (1, 1)], "The two elements without weights are those that are not among `STEPS`."
    assert all(np.array_equal(answer[1 + row, 1 + column], weights) for (row, column), weights in zip(STEPS, given)), (
        "Element [1 + row, 1 + column] has the weights of the tap with this step."
    )
    assert np.array_equal(np.asarray(square_kernel(-given)), -answer), "Use the kernel that is given."


# %% tags=["wrong"]
# hint: steps to neighbours
def square_kernel(kernel):
    square = np.zeros((9, *kernel.shape[1:]), np.float32)
    square[[0, 1, 3, 4, 5, 7, 8]] = kernel
    return square.reshape(3, 3, *kernel.shape[1:])


# %% tags=["wrong"]
# hint: not among `STEPS`
def square_kernel(kernel):
    empty = ops.zeros_like(kernel[:2])
    return ops.reshape(ops.concatenate([kernel, empty]), (3, 3, *kernel.shape[1:]))


# %% tags=["wrong"]
# hint: has the weights of the tap
def square_kernel(kernel):
    empty = ops.zeros_like(kernel[:1])
    return ops.reshape(ops.concatenate([empty, kernel[::-1], empty]), (3, 3, *kernel.shape[1:]))


# %%
def known_kernel(kernel):
    """The same, with a pad."""
    return ops.reshape(ops.pad(kernel, [[1, 1], [0, 0], [0, 0]]), (3, 3, *kernel.shape[1:]))


square_kernel = tasks.solved(square_kernel, otherwise=known_kernel, task="Task 3")


def masked_convolution(values, kernel):
    """Hexagonal convolution (B, H, W, F) of axial arrays (B, H, W, C) by a square one with a masked kernel."""
    return ops.conv(values, square_kernel(kernel), padding="same", data_format="channels_last")


# %% [markdown]
# This is what [`HexConv`](../showertools/layers.py) does. It takes care of one thing more: elements of the array
# where there is no pixel. They are 0 at first, but a layer with a bias makes them its bias, and the next layer
# carries that into the camera. So `HexConv` gets the mask of the pixels, and sets all others to 0 again.
#
# ## Indexed convolution
#
# The third way needs no array. It takes pixels as they are numbered, (B, P, C), and a **table** that names what each
# pixel reads: its neighbours, and itself. It works for any camera, also for one with gaps or with pixels of several
# sizes (Jacquemont et al. 2019).

# %%
# NBVAL_CHECK_OUTPUT
table = indexed_layers.neighbour_table(layout)
print(table.shape)
print(table[[198, 0]])  # a pixel inside, and the first one, at a corner; taps as in STEPS

# %% [markdown]
# ### Task 4: by the table
#
# Write `indexed_convolution(values, table, kernel)` for `values` (B, P, C), `table` (Q, K) with -1 where there is no
# neighbour, and `kernel` (K, C, F). Return (B, Q, F): for each of the Q rows of the table the sum over its taps,
# where a missing neighbour counts as 0. `ops.take(values, indices, axis=1)` gathers, and again tensors should do.
# Beware: to Python an index of -1 is no missing pixel.


# %%
def indexed_convolution(values, table, kernel):
    """Convolution (B, Q, F) of values (B, P, C) by a table (Q, K) of what each output reads."""
    ### BEGIN SOLUTION
    padded = ops.pad(values, [[0, 0], [0, 1], [0, 0]])  # one pixel more, which is always 0
    index = np.where(table < 0, values.shape[1], table)
    return ops.tensordot(ops.take(padded, index, axis=1), kernel, axes=((2, 3), (0, 1)))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 4"):
    given, weights = (np.random.default_rng(4).normal(size=size).astype("f4") for size in ((2, 5, 3), (3, 3, 2)))
    named = np.array([[0, 1, 2], [3, 1, 0], [2, 3, 0], [1, 0, 3]])
    copies = given.copy(), weights.copy()
    answer = indexed_convolution(given, named, weights)
    assert np.shape([] if answer is None else answer) == (2, 4, 2), "Return (B, Q, F): one output a row of the table."
    expected = np.einsum("bqkc,kcf->bqf", given[:, named], weights)
    assert np.allclose(answer, expected, atol=1e-5), (
        "Each tap has its own matrix: tap k of the table goes with kernel[k]."
    )
    ends = np.array([[0, -1, -1]])
    some = np.arange(1.0, 6.0, dtype=np.float32).reshape(1, 5, 1)
    one_each = np.ones((3, 1, 1), np.float32)
    answer = np.asarray(indexed_convolution(some, ends, one_each)).item()
    assert ends.tolist() == [[0, -1, -1]], "Leave the table as it is."
    assert answer != 11, "An index of -1 wraps to the last pixel: give it a pixel that is always 0."
    assert answer != 3, "Missing neighbours are not pixel 0, either: they count as nothing."
    assert answer == 1, "A pixel without neighbours has only its own tap."
    last = np.asarray(indexed_convolution(some, np.array([[4, 0, -1]]), one_each)).item()
    assert last == 6, "Existing pixels, the first and the last among them, keep their numbers and their values."
    assert all(map(np.array_equal, (given, weights), copies)), "Leave the arguments as they are."


# %% tags=["wrong"]
# hint: wraps to the last pixel
def indexed_convolution(values, table, kernel):
    return ops.tensordot(ops.take(values, table, axis=1), kernel, axes=((2, 3), (0, 1)))


# %% tags=["wrong"]
# hint: are not pixel 0
def indexed_convolution(values, table, kernel):
    return ops.tensordot(ops.take(values, np.maximum(table, 0), axis=1), kernel, axes=((2, 3), (0, 1)))


# %% tags=["wrong"]
# hint: keep their numbers
def indexed_convolution(values, table, kernel):
    nothing_last = ops.concatenate([values[:, :-1], ops.zeros_like(values[:, :1])], axis=1)
    return ops.tensordot(ops.take(nothing_last, table, axis=1), kernel, axes=((2, 3), (0, 1)))


# %% tags=["wrong"]
# hint: Each tap has its own matrix
def indexed_convolution(values, table, kernel):
    padded = ops.pad(values, [[0, 0], [0, 1], [0, 0]])
    index = np.where(table < 0, values.shape[1], table)
    return ops.tensordot(ops.sum(ops.take(padded, index, axis=1), axis=2), ops.sum(kernel, axis=0), 1)


# %%
def known_indexed(values, table, kernel):
    """The same, with a mask after the gather: what the published implementation does."""
    there = ops.cast((table >= 0)[:, :, None], values.dtype)
    return ops.tensordot(ops.take(values, np.maximum(table, 0), axis=1) * there, kernel, axes=((2, 3), (0, 1)))


indexed_convolution = tasks.solved(indexed_convolution, otherwise=known_indexed, task="Task 4")

# %% [markdown]
# ## Equal to rounding
#
# Three ways, one convolution. Are they? Take the camera of a Large-Sized Telescope, with its ragged edge: 1855 pixels
# in an axial array of 55×55, and random numbers of 8 channels. Compare with `HexConv`, and with
# [`IndexedConv`](../showertools/indexed_layers.py), which is the layer for a table.

# %%
lst = camera.lst().layout
mask, lst_table = lst.mask("axial"), indexed_layers.neighbour_table(lst)
rng = np.random.default_rng(43)
pixels = rng.normal(size=(4, len(lst), 8)).astype("f4")
array = lst.to_array(pixels, "axial", axis=1)
kernel = rng.normal(size=(7, 8, 8)).astype("f4")
hexagonal, indexed = HexConv(8, mask=mask, use_bias=False), IndexedConv(8, lst_table, use_bias=False)
for layer, some in ((hexagonal, array), (indexed, pixels)):
    layer.build(some.shape)
    layer.set_weights([kernel])
results = {"shifted": shifted_convolution(array, kernel), "masked kernel": masked_convolution(array, kernel)}
results = {name: lst.from_array(np.asarray(some), "axial", axis=1) for name, some in results.items()}
results |= {
    "by table": np.asarray(indexed_convolution(pixels, lst_table, kernel)),
    "IndexedConv": np.asarray(indexed(pixels)),
}
expected = lst.from_array(np.asarray(hexagonal(array)), "axial", axis=1)
for name, some in results.items():
    print(f"{name:14s}{np.abs(some - expected).max() / np.abs(expected).max():.0e} of the largest number, from HexConv")

# %% [markdown]
# A float32 has 24 bits, a part in 10⁷, and a sum of 56 products is off by a few of these: they are equal.
#
# ## Pooling
#
# A network also makes images smaller. Every second row and column of an axial array are again a hexagonal grid, of
# twice the pitch; [`HexPool`](../showertools/layers.py) gives each of these pixels the mean, or the largest, of
# itself and its six neighbours. Only of those that exist: who counts a missing one as 0 makes the edge of the camera
# darker.

# %%
coarse, kept = indexed_layers.every_second(layout)
ones = np.ones((1, small.n_pixels, 1), np.float32)
by_array = HexPool(mask=layout.mask("axial"))(layout.to_array(ones, "axial", axis=1))
by_table = IndexedPool(table=table[kept])(ones)
naive = np.asarray(indexed_convolution(ones, table[kept], np.full((7, 1, 1), 1 / 7, np.float32)))
print(f"{small.n_pixels} pixels of 1 become {len(coarse)}")
for name, some in (("HexPool", by_array), ("IndexedPool", by_table), ("missing ones count as 0", naive)):
    found = np.asarray(some).ravel()
    print(f"{name:24s}{found[found > 0].min():.2f} to {found.max():.2f}")

# %% [markdown]
# ## Time and memory
#
# The same convolution, but not the same work. Time it as in training: forward, and backward to the inputs and to the
# kernel; the camera of an LST, 64 images, 32 channels in and out. All ways take turns.


# %%
def training_step(function, inputs, kernel):
    """A compiled step, forward and backward; the sum of the outputs stands for a loss."""
    inputs, kernel = tf.constant(inputs), tf.constant(kernel)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            loss = ops.sum(function(inputs, kernel))
        return loss, *tape.gradient(loss, [inputs, kernel])  # without the loss, the forward pass is left out

    return step


# %%
n_images, n_channels = profile.pick(full=64, quick=4), 32
pixels = rng.normal(size=(n_images, len(lst), n_channels)).astype("f4")
array = lst.to_array(pixels, "axial", axis=1)
kernel = rng.normal(size=(7, n_channels, n_channels)).astype("f4")
hexagonal, indexed = HexConv(n_channels, mask=mask, use_bias=False), IndexedConv(n_channels, lst_table, use_bias=False)
for layer, some in ((hexagonal, array), (indexed, pixels)):
    layer.build(some.shape)
steps = {
    "HexConv": training_step(lambda x, k: hexagonal.stateless_call([k], [], x)[0], array, kernel),
    "your masked kernel": training_step(masked_convolution, array, kernel),
    "your shifts": training_step(shifted_convolution, array, kernel),
    "your table": training_step(lambda x, k: indexed_convolution(x, lst_table, k), pixels, kernel),
    "IndexedConv": training_step(lambda x, k: indexed.stateless_call([k], [], x)[0], pixels, kernel),
}
taken = {name: [] for name in steps}
for _ in range(profile.pick(full=10, quick=2)):
    for name, step in steps.items():
        began = perf_counter()
        step()[0].numpy()
        taken[name].append(perf_counter() - began)
milliseconds = {name: 1000 * np.median(times[1:]) for name, times in taken.items()}  # the first one compiles

# %% [markdown]
# And the memory: what is the largest array on the way, and what must be kept from the forward for the backward pass?
# Count it. An image has 55·55 = 3025 elements in an array, or 1855 pixels. Both convolutions keep their inputs, for
# the gradient of the kernel; a gather that is differentiated automatically keeps all it has gathered, seven times the
# pixels. `IndexedConv` gathers anew instead: its gradient is an indexed convolution, too, by the inverse table.

# %%
of_array, of_pixels = (4e-6 * some.size for some in (array, pixels))  # MB of float32
memory = {
    "HexConv": (of_array, of_array),
    "your masked kernel": (of_array, of_array),
    "your shifts": (of_array, 7 * of_array),
    "your table": (7 * of_pixels, 7 * of_pixels),
    "IndexedConv": (7 * of_pixels, of_pixels),
}
print(f"{'':20}{'time':>9}{'of HexConv':>12}{'largest array':>15}{'kept':>9}")
for name, (largest, kept_size) in memory.items():
    ratio = milliseconds[name] / milliseconds["HexConv"]
    print(f"{name:20}{milliseconds[name]:6.0f} ms{ratio:12.1f}{largest:12.0f} MB{kept_size:6.0f} MB")

# %% [markdown]
# `HexConv` is your masked kernel. Shifts are the slowest by far: backward, the gradient of each of the seven slices
# is filled up to a whole array again. Your table takes half as long again as `HexConv`, or more: backward it adds up
# numbers pixel by pixel. `IndexedConv` gathers backward, too, and is as fast as `HexConv` or a little faster: it
# spends half of the multiplications, 7 taps in place of 9 on 61 % of the elements, and then the time to gather. The
# published indexed convolution holds channels before pixels, which makes gathering slow: in TensorFlow it takes three
# times as long as `HexConv`. `benchmarks/hexagons.py` times it, also in PyTorch, where it was written, and in 16
# bits.
#
# ## Turns
#
# A hexagonal grid is the same after a turn by 60°, so an image can be turned by 60° without any resampling: it is a
# **permutation** of its pixels. Squares have this for 90° only.
#
# ### Task 5: turn the image
#
# Write `turned(layout)`: indices (P,) such that `values[..., turned(layout)]` is the image turned by 60°,
# counter-clockwise, around (0, 0). `layout.positions` (P, 2) are x and y; each pixel has a partner among them. With
# the angle $\alpha$ a turn takes $(x, y)$ to $(x\cos\alpha - y\sin\alpha,\; x\sin\alpha + y\cos\alpha)$.


# %%
def turned(layout):
    """Indices (P,) that turn images by 60°, counter-clockwise."""
    ### BEGIN SOLUTION
    cosine, sine = np.cos(np.pi / 3), np.sin(np.pi / 3)
    before = layout.positions @ np.array([[cosine, -sine], [sine, cosine]])  # turned back: where the light comes from
    return np.linalg.norm(before[:, None] - layout.positions, axis=-1).argmin(axis=1)
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 5"):
    seven = geometry.hexagon(1, 1.0)  # 0 and 1 below, 2, 3 and 4 in the middle row, 5 and 6 above
    answer = turned(seven)
    assert np.shape([] if answer is None else answer) == (7,), "Return one index a pixel, (P,)."
    answer = np.asarray(answer)
    assert answer.dtype.kind in "iu", "Return indices, whole numbers."
    assert sorted(answer.tolist()) == list(range(7)), "Each pixel is needed once: a turn is a permutation."
    light = np.eye(7)[4]  # on the right
    assert not np.array_equal(light[answer], light), "The light on the right has not moved: turn by 60°."
    assert np.argmax(light[answer]) != 1, "That is clockwise: at each place, look where its light comes from, 60° back."
    assert np.argmax(light[answer]) == 6, "The light on the right goes to the upper right, 60° further."
    assert np.array_equal(answer, [2, 0, 5, 3, 1, 6, 4]), "The middle stays, all others go one step around."
    wide = geometry.hexagon(3, 50.0)
    sixth = np.arange(len(wide))
    for _ in range(6):
        sixth = sixth[np.asarray(turned(wide))]
    assert np.array_equal(sixth, np.arange(len(wide))), "After six turns everything is back: for any number of pixels."
    around = np.arctan2(*(wide.positions[:, ::-1] - 0).T) % (np.pi / 3)
    assert np.allclose(np.sin(3 * around[turned(wide)]), np.sin(3 * around), atol=1e-6), "Turn by 60° for any spacing."


# %% tags=["wrong"]
# hint: That is clockwise
def turned(layout):
    cosine, sine = np.cos(np.pi / 3), np.sin(np.pi / 3)
    after = layout.positions @ np.array([[cosine, sine], [-sine, cosine]])
    return np.linalg.norm(after[:, None] - layout.positions, axis=-1).argmin(axis=1)


# %% tags=["wrong"]
# hint: a turn is a permutation
def turned(layout):
    cosine, sine = np.cos(np.pi / 2), np.sin(np.pi / 2)
    before = layout.positions @ np.array([[cosine, -sine], [sine, cosine]])
    return np.linalg.norm(before[:, None] - layout.positions, axis=-1).argmin(axis=1)


# %% tags=["wrong"]
# hint: whole numbers
def turned(layout):
    cosine, sine = np.cos(np.pi / 3), np.sin(np.pi / 3)
    return (layout.positions @ np.array([[cosine, -sine], [sine, cosine]]))[:, 0]


# %%
def known_turn(layout):
    """The same by axial indices: (row, column) comes from (-column, row + column), from the middle on."""
    row, column = (layout.grid - np.array(layout.origin)).T
    before = np.stack([-column, row + column], axis=1) + layout.origin
    place = {tuple(index): number for number, index in enumerate(layout.grid.tolist())}
    return np.array([place[tuple(index)] for index in np.rint(before).astype(int).tolist()])


turned = tasks.solved(turned, otherwise=known_turn, task="Task 5")

# %% tags=["expected"]
turn = turned(layout)
figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
values = charge[one]
for panel, angle in zip(panels, (0, 60, 120)):
    camera_plots.image(small, values, ax=panel, colorbar=False)
    panel.set_title(f"turned by {angle}°")
    values = values[turn]
plt.show()

# %% [markdown]
# A permutation changes no charge. So the length of a shower is the same after the turn, and any change that a network
# sees comes from the array. Here is by how much length and width change, for each way, and how well a convolution
# follows the turn: turn image and kernel (whose taps are a small hexagon, too), convolve, and compare with the turned
# outputs.

# %%
for name, way in ways.items():
    arrays = [way.to_square(some).reshape(len(some), -1) for some in (inside, inside[:, turn])]
    before, after = (resampling.moments(some, way.positions) for some in arrays)
    change = [np.std(two / one) for one, two in zip(before[:2], after[:2])]
    print(f"{name:14s}length changes by {change[0]:.1%}, width by {change[1]:.1%}")

layer = HexConv(4, mask=layout.mask("axial"), use_bias=False)
given = np.log1p(charge[:50])[..., None].astype("f4")


def convolved(values):
    return layout.from_array(np.asarray(layer(layout.to_array(values, "axial", axis=1))), "axial", axis=1)


before = convolved(given)
taps = layer.get_weights()[0]
layer.set_weights([taps[turned(geometry.hexagon(1, 1.0))]])
difference = np.abs(convolved(given[:, turn]) - before[:, turn]).max() / np.abs(before).max()
print(f"convolving the turned image with the turned kernel: {difference:.0e} from turning the outputs")

# %% [markdown]
# In an axial array the same shower is 31 % longer or shorter after a turn, oversampled 9 %, rebinned or interpolated
# linearly 1 %, and there it is the width that changes, by 3 to 4 %. The hexagonal convolution follows the turn to
# rounding.
#
# ## Hexagonal against square
#
# Does it matter to a network? Train the same small network
# ([`hexagonal_networks`](../showertools/hexagonal_networks.py)) to say where a gamma ray came from, longitude and
# latitude, on images in five forms: hexagonal kernels on the axial array; square kernels on the same array, on
# linearly interpolated and on oversampled images; and by table. Three convolutions, two poolings to every second row
# and column, and two dense layers; the same showers, the same number of epochs, three seeds. Oversampled arrays are
# twice as high and as wide. They get a third pooling, so that the dense layers see maps of the same size, 6×6, in all
# of them.


# %%
test_charge, test_delay, test_direction, test_energy = observe(profile.pick(full=5_000, quick=400), seed=431)
forms = {
    "hexagonal kernel": ("hexagonal", ways["axial array"]),
    "square kernel, axial array": ("square", ways["axial array"]),
    "square kernel, interpolated": ("square", ways["linear"]),
    "square kernel, oversampled": ("square", ways["oversampled"]),
    "by table": ("indexed", None),
}


def form(way, charge, delay):
    """What a network reads of images."""
    return pixel_input(small, charge, delay) if way is None else array_input(way, charge, delay)


epochs = profile.pick(full=6, quick=1)


def trained(network, seen, target):
    """The network, trained, and the time that took [s]."""
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(seen) // 64))
    network.compile(keras.optimizers.Adam(rate), "mse", steps_per_execution=20)
    began = perf_counter()
    network.fit(seen, target, batch_size=64, epochs=epochs, verbose=0)
    return network, perf_counter() - began


def contained(network, seen, direction):
    """Angle within which 68 % of the directions are found [°]."""
    return np.quantile(np.hypot(*(network.predict(seen, batch_size=500, verbose=0) - direction).T), 0.68)


# %%
seeds = profile.pick(full=(1, 2, 3), quick=(1,))
found = {name: [] for name in forms}
for name, (kind, way) in forms.items():
    seen, test_seen = form(way, charge, delay), form(way, test_charge, test_delay)
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        some = network(small, kind, seen.shape[1:], n_poolings=3 if name.endswith("oversampled") else 2)
        some, seconds = trained(some, seen, direction)
        found[name].append((contained(some, test_seen, test_direction), seconds, some.count_params()))
nothing = np.quantile(np.hypot(*test_direction.T), 0.68)

# %% tags=["result"]
print(f"68 % of the directions within ... of {len(test_charge):,} unseen gamma rays; always the middle: {nothing:.3f}°")
for name, rows in found.items():
    (angle, seconds, parameters), spread = np.mean(rows, axis=0), np.ptp(rows, axis=0)[0] / 2
    print(f"{name:28s}{angle:.3f}° ± {spread:.3f}°, {parameters:7,.0f} parameters, {seconds:4.0f} s")

# %% [markdown]
# Behind each ± is half the range of three seeds. On the same array, hexagonal and square kernels do not differ: 0.219
# ± 0.008° and 0.215 ± 0.005°, and by table it is the same again. The shear that looked so bad does no harm to this
# network. Others found no difference, either: the paper of the indexed convolution has 88.5 and 88.3 % on CIFAR-10.
#
# Interpolated images do a little better (0.209 ± 0.003°), and oversampled ones are the best, by a tenth (0.198 ±
# 0.003°), in twice the time of the other square ones. Resampling adds no information. But these kernels are half as
# wide on the sky, and there is a pooling more. How large maps are matters more than what their cells look like: with
# three poolings in all networks, 3×3 were left for the dense layers and 6×6 of the oversampled, and they came to
# 0.265 ± 0.004° (hexagonal), 0.265 ± 0.008° (square) and 0.197 ± 0.005° (oversampled). Whoever compares forms of
# images should look at this first. Nothing was tuned for any of the five.
#
# ### Task 6: a network that does not mind
#
# A gamma ray has the same energy if its image is turned. A network has to learn that, or it can be built so. Write
# `steady_network()`: a Keras model for images (B, 397, 2) as `pixel_input` gives them, and one number out. For each
# image it gives the same number in all six turns (to rounding); it does look at neighbours; it has at most 10,000
# parameters.
#
# There is more than one way: the mean over six turned copies; kernels whose six outer taps share their weights; or a
# group convolution, in which each kernel comes in six turned copies and the next layer turns with them (Hoogeboom et
# al. 2018). The lesson then trains yours for the energy, with few images, beside a network that may do as it likes.
# There is no end to this.

# %%
coarse_table = indexed_layers.neighbour_table(coarse)


def free_network():
    """Two convolutions by table, the mean over all pixels, and two dense layers."""
    parts = [keras.Input((small.n_pixels, 2)), IndexedConv(8, table, activation="relu"), IndexedPool(table=table[kept])]
    parts += [IndexedConv(16, coarse_table, activation="relu"), layers.GlobalAveragePooling1D()]
    return keras.Sequential([*parts, layers.Dense(16, activation="relu"), layers.Dense(1)])


# %%
def steady_network():
    """A network (B, 397, 2) -> (B, 1) that gives the same number in all six turns of an image."""
    ### BEGIN SOLUTION
    views, turn = [keras.Input((small.n_pixels, 2))], turned(layout)
    for _ in range(5):
        views.append(ops.take(views[-1], turn, axis=1))
    free = free_network()  # one for all
    return keras.Model(views[0], layers.Average()([free(view) for view in views]))
    ### END SOLUTION


# %% tags=["check"]
with tasks.check("Task 6"):
    keras.utils.set_random_seed(6)
    candidate = steady_network()
    assert isinstance(candidate, keras.Model), "Return a keras.Model or keras.Sequential, not yet compiled."
    assert candidate.input_shape == (None, 397, 2), "The network should take images of the shape (B, 397, 2)."
    assert candidate.output_shape == (None, 1), "The network should return one number an image, shape (B, 1)."
    assert candidate.count_params() <= 10_000, "Too many parameters: the mean over pixels needs none, `Flatten` many."
    some = pixel_input(small, charge[:20], delay[:20])
    answer = candidate.predict(some, verbose=0)
    close = 1e-4 * np.abs(answer).max()
    assert np.ptp(answer) > 1e-7, "All images get the same number."
    shuffled = some[:, np.random.default_rng(6).permutation(397)]
    assert np.abs(candidate.predict(shuffled, verbose=0) - answer).max() > close, (
        "It does not look at neighbours: pixels in any order get the same number. There should be a convolution."
    )
    for number in range(1, 6):
        some = some[:, known_turn(layout)]
        assert np.allclose(candidate.predict(some, verbose=0), answer, atol=close), (
            f"An image turned by {60 * number}° gets another number: treat all six turns alike."
        )


# %% tags=["wrong"]
# hint: gets another number
steady_network = free_network


# %% tags=["wrong"]
# hint: does not look at neighbours
def steady_network():
    parts = [layers.Dense(16, activation="relu"), layers.GlobalAveragePooling1D(), layers.Dense(1)]
    return keras.Sequential([keras.Input((397, 2)), *parts])


# %% tags=["wrong"]
# hint: turned by 60°
def steady_network():
    image, free, half = keras.Input((397, 2)), free_network(), np.arange(397)[::-1]
    return keras.Model(image, layers.Average()([free(image), free(ops.take(image, half, axis=1))]))


# %% tags=["wrong"]
# hint: Too many parameters
def steady_network():
    return network(small, "indexed", (397, 2), n_outputs=1)


# %%
def ring_network():
    """The same with two layers in which all neighbours share their weights."""
    image = keras.Input((small.n_pixels, 2))
    around = IndexedPool(table=np.where(table < 0, np.arange(397)[:, None], table)[:, [0, 1, 2, 4, 5, 6]])
    z = layers.Activation("relu")(layers.Dense(16)(image) + layers.Dense(16)(around(image)))
    z = layers.Activation("relu")(layers.Dense(16)(z) + layers.Dense(16)(around(z)))
    return keras.Model(image, layers.Dense(1)(layers.Dense(16, "relu")(layers.GlobalAveragePooling1D()(z))))


steady_network = tasks.solved(steady_network, otherwise=ring_network, task="Task 6")
n_some = profile.pick(full=2_000, quick=300)
seen, test_seen = pixel_input(small, charge[:n_some], delay[:n_some]), pixel_input(small, test_charge, test_delay)
for name, build in (("free", free_network), ("yours", steady_network)):
    errors = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        some, _ = trained(build(), seen, log10_energy[:n_some])
        errors.append(np.std(some.predict(test_seen, batch_size=500, verbose=0)[:, 0] - test_energy))
    print(f"{name:6s}log10(E) to {np.mean(errors):.3f} ± {np.ptp(errors) / 2:.3f}, {some.count_params():,} parameters")

# %% [markdown]
# Ours comes to 0.270 ± 0.017 in log10(E) against 0.276 ± 0.020 of the free network, with 2,000 images for training:
# no difference within the spread. What it has is a promise: the same shower has the same energy in all turns.
#
# ## What you learned
#
# - A square array shows a hexagonal image wrongly, in a way that you can measure: sheared, stretched or blurred.
# - Every resampling is a matrix. Its columns say whether charge is conserved, its rows where a square has it from.
# - Shifts, a masked kernel and a table are the same convolution, equal to rounding. They differ in time and memory:
#   gathering keeps seven times the image, unless its gradient gathers again.
# - An index of -1 is the last pixel. A missing neighbour must not count in a mean.
# - A turn by 60° is a permutation of pixels, and of the taps of a kernel.
#
# ## Go further
#
# - Which pixels are hexagons, which squares, is a choice of the camera. Simulate a camera of square pixels of the
#   same area: [`cherenkov_camera`](../showertools/cherenkov_camera.py) is where pixels are filled.
# - Turn training images by multiples of 60°, and the directions with them, in place of more simulation ([lesson
#   23](23_cifar10_deep_cnn.ipynb) does it for pictures). How much do you gain, with hexagons and with squares?
# - Cubic interpolation needs more neighbours than linear. Write its matrix. Does the width get better?
# - `benchmarks/hexagons.py` times the ways in 16 bits as well, and the published one in PyTorch, where it was
#   written.
#
# ## References
#
# - M. Jacquemont et al., *Indexed operations for non-rectangular lattices applied to convolutional neural networks*,
#   VISAPP 2019, [doi:10.5220/0007364303620371](https://doi.org/10.5220/0007364303620371).
# - D. Nieto et al., *Studying deep convolutional neural networks with hexagonal lattices for imaging atmospheric
#   Cherenkov telescope event reconstruction*, ICRC 2019, [arXiv:1912.09898](https://arxiv.org/abs/1912.09898).
# - C. Steppa, T. L. Holch, *HexagDLy: processing hexagonally sampled data with CNNs in PyTorch*, SoftwareX 9 (2019)
#   193, [doi:10.1016/j.softx.2019.02.010](https://doi.org/10.1016/j.softx.2019.02.010).
# - E. Hoogeboom, J. W. T. Peters, T. S. Cohen, M. Welling, *HexaConv*, ICLR 2018,
#   [arXiv:1803.02108](https://arxiv.org/abs/1803.02108).
# - A. M. Hillas, *Cerenkov light images of EAS produced by primary gamma rays and by nuclei*, Proc. 19th ICRC 3
#   (1985) 445.
