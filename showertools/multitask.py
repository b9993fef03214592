"""Losses for a network that learns several quantities at once, and how they are weighed.

A quantity has one column in its target, or several: a direction two, an energy one. Each gets a loss of its own. Where
the target of an event is NaN, nothing is known of it, and the event does not take part in that loss.

The sum of losses needs weights. They can be fixed, 1/(wanted error)². Or they can be learned: a network that says how
large its errors are, and pays for saying much as for being wrong, weighs by what it reaches. If the error is one number
for all events (`LearnedError`), these are the learned weights of Kendall, Gal and Cipolla; if it is an output of the
network, every event has its own.

Source: A. Kendall, Y. Gal, R. Cipolla, arXiv:1705.07115, section 3; D. A. Nix and A. S. Weigend, ICNN 1994,
doi:10.1109/ICNN.1994.374138, for errors of each event.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from showertools import _checks
from showertools.balancing import UncertaintyWeighting
from showertools.grad_norm import GradNorm

__all__ = [
    "GaussianLoss",
    "GradNorm",
    "LearnedError",
    "MaskedDistance",
    "MaskedSquaredError",
    "UncertaintyWeighting",
    "errors",
    "estimates",
    "weights_of_resolutions",
]

LARGEST_LOG_ERROR = 10.0
"""The logarithm of a predicted error is kept between minus and plus this, so that no loss overflows. Our choice."""


def weights_of_resolutions(resolutions: Mapping[str, float]) -> dict[str, float]:
    """Return the weights of squared errors with which every quantity costs 1 at the wanted resolution.

    Parameters
    ----------
    resolutions : mapping of str to float
        Standard deviation wanted of one column of each quantity, in the unit of its target, positive.

    Returns
    -------
    dict
        1/resolution², for `loss_weights` of `keras.Model.compile`.

    Raises
    ------
    ValueError
        If a resolution is no positive number.

    Examples
    --------
    >>> weights_of_resolutions({"core": 25.0, "log10_energy": 0.5})
    {'core': 0.0016, 'log10_energy': 4.0}
    """
    for name, resolution in resolutions.items():
        _checks.number(resolution, f"resolutions[{name!r}]", "positive")
    return {name: 1 / float(resolution) ** 2 for name, resolution in resolutions.items()}


@keras.saving.register_keras_serializable(package="showertools")
class MaskedSquaredError(keras.losses.Loss):  # type: ignore[misc]
    """Squared error, summed over the columns of a quantity and averaged over the events that have a target.

    Targets (B, D), NaN where there is none; predictions (B, D).
    """

    sums_columns = True
    """`UncertaintyWeighting` asks for it."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each event, (B,)."""
        difference, share = _difference(y_true, y_pred)
        return ops.sum(ops.square(difference), axis=-1) / share


@keras.saving.register_keras_serializable(package="showertools")
class MaskedDistance(keras.losses.Loss):  # type: ignore[misc]
    """Distance between target and prediction, averaged over the events that have a target.

    Targets (B, D), NaN where there is none; predictions (B, D). A few events that are far off, such as those whose head
    was taken for their tail, pull no harder than others; with a squared error they would rule. It is minus the
    logarithm of a likelihood that falls as exp(-distance/b).

    Parameters
    ----------
    smoothing : float
        Distances well below it count by their square, so that the gradient is no step at 0; positive, in the unit of
        the target. The loss is √(distance² + smoothing²). Our choice.
    name : str
        Of the loss.
    **kwargs
        Of `keras.losses.Loss`.

    Raises
    ------
    ValueError
        If `smoothing` is no positive number.

    Examples
    --------
    >>> loss = MaskedDistance(smoothing=1e-6)
    >>> round(float(loss(np.array([[3.0, 4.0], [np.nan, np.nan]]), np.zeros((2, 2)))), 4)
    5.0
    """

    sums_columns = True
    power = 1

    def __init__(self, smoothing: float = 0.02, name: str = "masked_distance", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        _checks.number(smoothing, "smoothing", "positive")
        self.smoothing = float(smoothing)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each event, (B,)."""
        difference, share = _difference(y_true, y_pred)
        known = ops.cast(ops.logical_not(ops.any(ops.isnan(y_true), axis=-1)), y_pred.dtype)
        return known * ops.sqrt(ops.sum(ops.square(difference), axis=-1) + self.smoothing**2) / share

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable(package="showertools")
class GaussianLoss(keras.losses.Loss):  # type: ignore[misc]
    """Minus the logarithm of a normal likelihood: a network learns estimates and how wrong they are.

    Targets y (B, D), NaN where there is none; predictions (B, 2·D): estimates m, then the logarithms of their errors σ.
    The loss is (y - m)²/(2·σ²) + ln σ, summed over the D columns and averaged over the events that have a target. For
    fixed estimates it is smallest where σ² is the mean of (y - m)².
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each event, (B,)."""
        n_columns = y_true.shape[-1]
        if y_pred.shape[-1] != 2 * n_columns:
            raise ValueError(
                "`y_pred` should have twice as many columns as `y_true`. "
                f"Received: shapes {tuple(y_pred.shape)} and {tuple(y_true.shape)}"
            )
        difference, share = _difference(y_true, y_pred[:, :n_columns])
        log_error = ops.clip(y_pred[:, n_columns:], -LARGEST_LOG_ERROR, LARGEST_LOG_ERROR)
        known = ops.cast(ops.logical_not(ops.any(ops.isnan(y_true), axis=-1)), log_error.dtype)
        each = 0.5 * ops.square(difference) * ops.exp(-2 * log_error) + log_error
        return ops.sum(each, axis=-1) * known / share


@keras.saving.register_keras_serializable(package="showertools")
class LearnedError(keras.layers.Layer):  # type: ignore[misc]
    """Append the logarithm of an error that is learned, one number for all columns and events: (B, D) to (B, 2·D).

    Followed by a `GaussianLoss`, it learns the weight of its task.

    Parameters
    ----------
    initial : float
        The error at the start, in the unit of the estimates, positive.
    **kwargs
        Of `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `initial` is no positive number.
    """

    def __init__(self, initial: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        _checks.number(initial, "initial", "positive")
        self.initial = float(initial)

    def build(self, input_shape: tuple[int | None, ...]) -> None:  # noqa: ARG002 (Keras gives it)
        """Make the one weight."""
        start = keras.initializers.Constant(float(np.log(self.initial)))
        self.log_error = self.add_weight(shape=(), initializer=start, name="log_error")

    def call(self, inputs: Any) -> Any:
        """Return the inputs and the logarithm of the error in each column, (B, 2·D)."""
        log_error = ops.cast(self.log_error, inputs.dtype) * ops.ones_like(inputs)
        return ops.concatenate([inputs, log_error], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (B, 2·D)."""
        n_columns = input_shape[-1]
        return (*input_shape[:-1], None if n_columns is None else 2 * n_columns)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "initial": self.initial}


def estimates(predictions: ArrayLike) -> NDArray[Any]:
    """Return the estimates (n, D) of predictions (n, 2·D) that were made for `GaussianLoss`."""
    return _halves(predictions)[0]


def errors(predictions: ArrayLike) -> NDArray[Any]:
    """Return the errors (n, D) of predictions (n, 2·D) that were made for `GaussianLoss`."""
    return np.asarray(np.exp(np.clip(_halves(predictions)[1], -LARGEST_LOG_ERROR, LARGEST_LOG_ERROR)))


def _halves(predictions: ArrayLike) -> list[NDArray[Any]]:
    array = np.asarray(predictions)
    if array.ndim != 2 or array.shape[1] == 0 or array.shape[1] % 2:
        raise ValueError(f"`predictions` should have the shape (n, 2·D). Received: {array.shape}")
    return np.split(array, 2, axis=1)


def _difference(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return y_true - y_pred, 0 in events without a target, and the share of events with one, at least that of one.

    NaN is taken out before anything is computed with it: 0 times NaN would be NaN in the gradient.
    """
    y_true = ops.cast(y_true, y_pred.dtype)
    known = ops.logical_not(ops.any(ops.isnan(y_true), axis=-1, keepdims=True))  # (B, 1)
    difference = ops.where(known, ops.where(known, y_true, 0) - y_pred, 0)
    known = ops.cast(known, y_pred.dtype)
    return difference, ops.maximum(ops.sum(known), 1) / ops.sum(ops.ones_like(known))
