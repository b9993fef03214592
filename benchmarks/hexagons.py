"""Hexagonal convolutions: how fast each way of writing them is, forward and backward, for the camera of an LST.

    python benchmarks/hexagons.py

takes a minute. The gather implementation is that of the paper of 2019 (see `showertools.indexed_layers`): channels
before pixels, all neighbours of all pixels gathered at once, those that are missing set to 0 by a mask, one product of
matrices. It was written in PyTorch, and is timed in it where that is installed; the same is written in TensorFlow, and
with channels last, as TensorFlow prefers. Each is compiled as Keras compiles a training step, and all take turns.
"""

import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

from showertools import camera, geometry, indexed_layers, precision
from showertools.layers import HexConv, IndexedConv

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import numpy as np
import tensorflow as tf

BATCH, CHANNELS, ROUNDS = 64, 32, 15
ASKED = 5.0
LAYOUT = camera.lst().layout
TABLE = indexed_layers.neighbour_table(LAYOUT)  # (P, 7)
N_PIXELS, N_TAPS = TABLE.shape
MASK = LAYOUT.mask("axial")
INDEX, THERE = np.maximum(TABLE, 0).astype(np.int32), (TABLE >= 0).astype(np.float32)


def gather_published(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return (B, F, P) for (B, C, P) and a kernel (7, C, F)."""
    columns = tf.gather(inputs, INDEX.T, axis=2) * THERE.T  # (B, C, 7, P)
    columns = tf.reshape(columns, (-1, CHANNELS * N_TAPS, N_PIXELS))
    return tf.matmul(tf.reshape(tf.transpose(kernel, (2, 1, 0)), (-1, CHANNELS * N_TAPS)), columns)


def gather_channels_last(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return (B, P, F) for (B, P, C) and a kernel (7, C, F)."""
    columns = tf.gather(inputs, INDEX, axis=1) * THERE[:, :, None]  # (B, P, 7, C)
    return tf.einsum("bpkc,kcf->bpf", columns, kernel)


def shifted_slices(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return (B, H, W, F) for axial arrays (B, H, W, C) and a kernel (7, C, F)."""
    height, width = MASK.shape
    padded = tf.pad(inputs, [[0, 0], [1, 1], [1, 1], [0, 0]])
    outputs = tf.zeros(())
    for tap, (row, column) in enumerate(geometry.hexagon(1, 1.0).grid):
        outputs += tf.tensordot(padded[:, row : row + height, column : column + width], kernel[tap], 1)
    return outputs * MASK[:, :, None].astype(np.float32)


Work = Callable[[], object]


def compiled(function: Callable[[tf.Tensor], tf.Tensor], inputs: np.ndarray, kernel: tf.Variable) -> tuple[Work, Work]:
    """Return work that computes outputs, and work that computes the gradients of inputs and kernel, too."""
    given = tf.constant(inputs)

    @tf.function
    def forward() -> tf.Tensor:
        return function(given)

    upstream = tf.ones_like(forward())

    @tf.function
    def both() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(given)
            outputs = function(given)
        return [outputs, *tape.gradient(outputs, [given, kernel], output_gradients=upstream)]

    return lambda: forward().numpy(), lambda: [values.numpy() for values in both()[1:]]


def with_layer(layer: Any, inputs: np.ndarray, kernel: np.ndarray) -> tuple[Work, Work]:
    """Return the work of a layer."""
    layer.build(inputs.shape)
    layer.kernel.assign(kernel)
    given = tf.cast(inputs, layer.compute_dtype)
    return compiled(layer, given, layer.kernel.value)


def in_pytorch(inputs: np.ndarray, array: np.ndarray, kernel: np.ndarray) -> dict[str, tuple[Work, Work]]:
    """Return the work of the published implementation in PyTorch, where it was written, and of a masked kernel."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    index, there = torch.tensor(INDEX.T.astype(np.int64)), torch.tensor(THERE.T)
    mask = torch.tensor(MASK.astype(np.float32))
    corners = torch.ones(3, 3)
    corners[0, 0] = corners[2, 2] = 0

    def gather(given: Any, weight: Any) -> Any:
        columns = given[..., index] * there  # (B, C, 7, P)
        return torch.matmul(weight.view(CHANNELS, -1), columns.reshape(BATCH, -1, N_PIXELS))

    def masked(given: Any, weight: Any) -> Any:
        return torch.nn.functional.conv2d(given * mask, weight * corners, padding=1) * mask

    def work(function: Callable[[Any, Any], Any], inputs: np.ndarray, kernel: np.ndarray) -> tuple[Work, Work]:
        given, weight = (torch.tensor(np.ascontiguousarray(some), requires_grad=True) for some in (inputs, kernel))
        upstream = torch.ones_like(function(given, weight))

        def both() -> None:
            given.grad = weight.grad = None
            function(given, weight).backward(upstream)

        return lambda: function(given, weight), both

    square = np.concatenate([kernel[:1], kernel, kernel[:1]]).reshape(3, 3, CHANNELS, CHANNELS)
    return {
        "masked kernel, in PyTorch": work(masked, array.transpose(0, 3, 1, 2), square.transpose(3, 2, 0, 1)),
        "gather, as published, in PyTorch": work(gather, inputs, kernel.transpose(2, 1, 0)),
    }


def ways() -> dict[str, tuple[Work, Work]]:
    """Return the work of each way, forward, and forward and backward."""
    rng = np.random.default_rng(1)
    pixels = rng.normal(size=(BATCH, N_PIXELS, CHANNELS)).astype(np.float32)
    array = LAYOUT.to_array(pixels, "axial", axis=1)
    first = np.ascontiguousarray(pixels.transpose(0, 2, 1))
    kernel = (0.1 * rng.normal(size=(N_TAPS, CHANNELS, CHANNELS))).astype(np.float32)
    variable = tf.Variable(kernel)
    layer = {"use_bias": False}
    found = {"HexConv": with_layer(HexConv(CHANNELS, mask=MASK, **layer), array, kernel)}
    found["IndexedConv"] = with_layer(IndexedConv(CHANNELS, TABLE, **layer), pixels, kernel)
    if precision.has_bfloat16():
        short = {**layer, "dtype": "mixed_bfloat16"}
        found["HexConv, bfloat16"] = with_layer(HexConv(CHANNELS, mask=MASK, **short), array, kernel)
        found["IndexedConv, bfloat16"] = with_layer(IndexedConv(CHANNELS, TABLE, **short), pixels, kernel)
    found["shifted slices"] = compiled(lambda x: shifted_slices(x, variable), array, variable)
    found["gather, channels last"] = compiled(lambda x: gather_channels_last(x, variable), pixels, variable)
    found["gather, as published, in TensorFlow"] = compiled(lambda x: gather_published(x, variable), first, variable)
    if importlib.util.find_spec("torch") is not None:
        found |= in_pytorch(first, array, kernel)
    return found


def seconds(work: Work) -> float:
    """Return the time that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Print the table, from one run."""
    found = ways()
    for works in found.values():
        for work in works:
            work()  # compiles
    taken = {name: ([], []) for name in found}  # type: dict[str, tuple[list[float], list[float]]]
    for _ in range(ROUNDS):
        for name, works in found.items():
            for work, times in zip(works, taken[name], strict=True):
                times.append(seconds(work))
    median = {name: [1000 * float(np.median(times)) for times in both] for name, both in taken.items()}
    print(f"{BATCH} images of {N_PIXELS} pixels, {CHANNELS} channels in, {CHANNELS} out; medians of {ROUNDS} rounds")
    print(f"{'':38}{'forward':>10}{'and backward':>15}{'of HexConv':>12}")
    for name, (forward, both) in median.items():
        print(f"{name:38}{forward:7.1f} ms{both:12.1f} ms{both / median['HexConv'][1]:12.2f}")
    for published in (name for name in median if "published" in name):
        for name in (name for name in median if name.startswith("HexConv")):
            ratio = median[published][1] / median[name][1]
            print(f"{name}: {ratio:.1f} times faster than {published} (asked: at least {ASKED:g})")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f}")


if __name__ == "__main__":
    main()
