"""A convolutional network that learns to classify small photographs in minutes on two processor cores.

Source: the recipe of Jordan 2024 (arXiv 2404.00498) and its later records, made smaller; which of its ideas to keep,
and all numbers, are our choice, made on validation pictures of CIFAR-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from showertools.layers import FusedBatchNormalization

__all__ = ["KeepChannels", "Triangle", "mean_over_views", "network", "whitening_filters"]


def whitening_filters(pictures: NDArray[np.floating], size: int = 2, smallest: float = 5e-4) -> NDArray[np.float32]:
    """Return filters whose outputs on these pictures are uncorrelated and of equal variance, each with its negative.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C), centred.
    size : int
        Height and width of a filter, in pixels.
    smallest : float
        Added to each variance, so that directions of little but noise are not blown up.

    Returns
    -------
    numpy.ndarray
        (size, size, C, 2 * size**2 * C): principal components of the patches over the root of their variance, from the
        largest variance to the smallest, then all of them with the other sign.

    Raises
    ------
    ValueError
        If the pictures have other axes or are smaller than a filter.
    """
    if pictures.ndim != 4 or min(pictures.shape[1:3]) < size:
        raise ValueError(f"`pictures` should have the shape (n, H, W, C), H, W >= {size}. Received: {pictures.shape}")
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (size, size), axis=(1, 2))  # (n, h, w, C, size, size)
    patches = windows[:, ::2, ::2].transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * pictures.shape[3])
    variance, direction = np.linalg.eigh(np.cov(patches, rowvar=False))  # from the smallest to the largest
    filters = (direction / np.sqrt(variance + smallest))[:, ::-1]
    filters = filters.reshape(size, size, pictures.shape[3], -1)
    return np.concatenate([filters, -filters], axis=-1).astype(np.float32)


@keras.saving.register_keras_serializable(package="showertools")
class KeepChannels(keras.initializers.Initializer):  # type: ignore[misc]
    """Kernels that begin by handing on their inputs: the first filters copy one channel each, the rest are random.

    Parameters
    ----------
    seed : int, optional
        Of the random filters, which are uniform, with the variance of `keras.initializers.LecunNormal`.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._random = keras.initializers.LecunUniform(seed=seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a kernel (H, W, in, out)."""
        height, width, channels, filters = shape
        kept = min(channels, filters)
        copy = np.zeros(shape, np.float32)
        copy[height // 2, width // 2, range(kept), range(kept)] = 1
        random = ops.convert_to_numpy(self._random(shape, "float32"))
        return ops.convert_to_tensor(np.where(np.arange(filters) < kept, copy, random), dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"seed": self.seed}


def network(
    pictures: NDArray[np.floating], *, widths: Sequence[int] = (64, 128, 128), n_classes: int = 10, depth: int = 2
) -> keras.Model:
    """Return a network for photographs whose first layer is computed, not learned.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, W, C), standardised; some thousand of the training pictures, for `whitening_filters`.
    widths : sequence of int
        Channels of each block. A block halves height and width.
    n_classes : int
        Number of classes.
    depth : int
        Convolutions in a block.

    Returns
    -------
    keras.Model
        Takes pictures (B, H, W, C), gives logarithms of probabilities up to a constant (logits), (B, n_classes).
    """
    filters = whitening_filters(pictures)
    first = layers.Conv2D(filters.shape[-1], filters.shape[:2], use_bias=False, trainable=False, name="whitening")
    inputs = keras.Input((None, None, pictures.shape[3]))
    x = layers.ReLU()(first(inputs))  # (B, H - 1, W - 1, 24)
    for width in widths:
        for place in range(depth):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=KeepChannels())(x)
            if place == 0:
                x = layers.MaxPooling2D()(x)
            x = FusedBatchNormalization(scale=False, momentum=0.8)(x)
            x = layers.ReLU()(x)
    x = layers.GlobalMaxPooling2D(dtype="float32")(x)
    x = layers.Dense(n_classes, use_bias=False, dtype="float32")(x)
    model = keras.Model(inputs, layers.Rescaling(1 / 9, dtype="float32")(x))
    first.set_weights([filters])
    return model


@keras.saving.register_keras_serializable(package="showertools")
class Triangle(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A learning rate that rises in a straight line to its peak, and falls in one to nearly 0.

    Parameters
    ----------
    peak : float
        The highest learning rate.
    steps : int
        Length of the whole training.
    rise : float
        Share of the steps before the peak, from 0 to 1.
    start, end : float
        The first and the last learning rate, as shares of the peak.
    """

    def __init__(self, peak: float, steps: int, rise: float = 0.2, start: float = 0.2, end: float = 0.02) -> None:
        if not 0 < rise < 1:
            raise ValueError(f"`rise` should lie between 0 and 1. Received: {rise!r}")
        self.peak, self.steps, self.rise, self.start, self.end = peak, steps, rise, start, end

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step."""
        done = ops.cast(step, "float32") / self.steps
        up = self.start + (1 - self.start) * done / self.rise
        down = 1 - (1 - self.end) * (done - self.rise) / (1 - self.rise)
        return self.peak * ops.minimum(up, down)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {name: getattr(self, name) for name in ("peak", "steps", "rise", "start", "end")}


def mean_over_views(
    model: keras.Model, pictures: NDArray[np.floating], *, batch_size: int = 1000
) -> NDArray[np.float32]:
    """Return the mean output of a network over six views of each picture: as it is, shifted and mirrored.

    Parameters
    ----------
    model : keras.Model
        Takes pictures (B, H, W, C), gives (B, K).
    pictures : numpy.ndarray
        (n, H, W, C).
    batch_size : int
        Pictures in a batch.

    Returns
    -------
    numpy.ndarray
        (n, K). The picture where it is has a weight of 1/2, the two views shifted by a pixel along the diagonal 1/4
        each; every view and its mirror image share their weight.
    """
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    total = np.zeros(1, np.float32)
    for view, weight in ((padded[:, 1:-1, 1:-1], 0.5), (padded[:, :-2, :-2], 0.25), (padded[:, 2:, 2:], 0.25)):
        for seen in (view, view[:, :, ::-1]):
            total = total + weight / 2 * model.predict(np.ascontiguousarray(seen), batch_size=batch_size, verbose=0)
    return total
