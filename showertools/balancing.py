"""Networks of several tasks that learn the weights of the tasks while they train.

The loss of a network with several tasks is a weighted sum. Two ways to find the weights without trying them out:

- `UncertaintyWeighting`: each task has one unknown error σ for all events. The loss is minus the logarithm of the
  likelihood, L/(2·σ²) + ln σ, so that σ becomes the error that the task reaches, and its weight follows from that.
- `grad_norm.GradNorm`: the weights are those with which all tasks pull equally hard on the last layer that they share,
  those that learn slowly a little harder.

Both are Keras models around a network: compile, fit, evaluate and predict with them. The network inside is trained, and
afterwards saved or used without them. The history has the loss and the weight of each task (`energy_loss`,
`weight_energy`). `multitask` has the losses, and both classes beside them.

Source: A. Kendall, Y. Gal, R. Cipolla, arXiv:1705.07115, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from showertools import _checks

__all__ = ["BalancedModel", "UncertaintyWeighting"]

LARGEST_LOG_VARIANCE = 20.0
"""The logarithm of a learned variance is kept between minus and plus this, so that no weight overflows. Our choice."""
CROSS_ENTROPIES = (
    keras.losses.BinaryCrossentropy,
    keras.losses.CategoricalCrossentropy,
    keras.losses.SparseCategoricalCrossentropy,
)
"""Losses that are minus the logarithm of the probability of a class."""


class BalancedModel(keras.Model):  # type: ignore[misc]
    """What `UncertaintyWeighting` and `GradNorm` share: the loss of each task, and the weights in the history.

    Losses are computed in 32 bits whatever the network computes in. Events whose target is NaN are left to the loss, as
    `MaskedSquaredError` does; a task without any target in a batch does not take part in it, nor does its weight learn.

    Parameters
    ----------
    network : keras.Model
        Functional, with a dict of outputs: one task each, at least two.
    learning_rate : float
        Of the weights of the tasks, positive; that of the network is the optimizer's.
    **kwargs
        Of `keras.Model`.

    Attributes
    ----------
    network : keras.Model
        The network given.
    tasks : tuple of str
        The names of its outputs.

    Raises
    ------
    ValueError
        If an argument is out of range, or the network has no dict of at least two outputs.
    """

    def __init__(self, network: keras.Model, *, learning_rate: float, **kwargs: Any) -> None:
        outputs = getattr(network, "output", None)
        if not isinstance(outputs, Mapping) or len(outputs) < 2:
            raise ValueError(
                "`network` should be a functional keras.Model with a dict of at least two outputs. "
                f"Received: {network!r} with the output {outputs!r}"
            )
        _checks.number(learning_rate, "learning_rate", "positive")
        super().__init__(**kwargs)
        self.network = network
        self.tasks = tuple(outputs)
        self.learning_rate = float(learning_rate)
        self._mean_losses = [keras.metrics.Mean(name=f"{task}_loss") for task in self.tasks]

    @property
    def task_weights(self) -> dict[str, float]:
        """The numbers with which the losses of the tasks are multiplied now."""
        values = ops.convert_to_numpy(self._weights_now())
        return {task: float(value) for task, value in zip(self.tasks, values, strict=True)}

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: the network has its weights."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return what the network returns, a dict of the outputs."""
        return self.network(inputs, training=training)

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None, **kwargs: Any) -> None:
        """Set optimizer and losses, as `keras.Model.compile` does.

        Parameters
        ----------
        optimizer : keras.optimizers.Optimizer or str
            Of the network.
        loss : dict
            Of each task: a `keras.losses.Loss`, or the name of one of Keras.
        loss_weights : None
            The weights are what is learned.
        **kwargs
            Of `keras.Model.compile`.

        Raises
        ------
        ValueError
            If the losses are not those of the tasks, or there are `loss_weights`.
        """
        if not isinstance(loss, Mapping) or set(loss) != set(self.tasks):
            raise ValueError(f"`loss` should be a dict with a loss for each of {self.tasks}. Received: {loss!r}")
        if loss_weights is not None:
            raise ValueError(f"`loss_weights` should be None: they are learned. Received: {loss_weights!r}")
        self._task_losses = [_loss(loss[task], task) for task in self.tasks]
        super().compile(optimizer, loss=dict(loss), **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the model was that was saved."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the weighted sum of the losses with the penalties of the network; learn weights while training."""
        del x
        values, known = self._values(y, y_pred, sample_weight)
        return self._total(ops.stack(values), known, training) + self._penalties()

    def get_metrics_result(self) -> dict[str, Any]:
        """Return losses and metrics, and the weights of the tasks."""
        weights = ops.unstack(self._weights_now(), num=len(self.tasks))
        return {
            **super().get_metrics_result(),
            **{f"weight_{task}": weight for task, weight in zip(self.tasks, weights, strict=True)},
        }

    def evaluate(self, *args: Any, return_dict: bool = False, **kwargs: Any) -> Any:
        """Return losses and metrics, as `keras.Model.evaluate` does."""
        results = super().evaluate(*args, return_dict=True, **kwargs)
        results = {name: value for name, value in results.items() if not name.startswith("weight_")}
        return results if return_dict else list(results.values())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "learning_rate": self.learning_rate}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> BalancedModel:
        """Return a model with these arguments."""
        network = keras.saving.deserialize_keras_object(config["network"], custom_objects=custom_objects)
        return cls(**{**config, "network": network})

    def _weights_now(self) -> Any:
        """Return the weights of the tasks, (T,)."""
        raise NotImplementedError

    def _total(self, values: Any, known: Any, training: bool) -> Any:
        """Return the loss of all tasks from those of each, (T,), and where there is a target at all, (T,)."""
        raise NotImplementedError

    def _values(self, y: Any, y_pred: Any, sample_weight: Any) -> tuple[list[Any], Any]:
        """Return the loss of each task, T scalars, and which tasks have a target at all, (T,)."""
        if not isinstance(y, Mapping) or not set(self.tasks) <= set(y):
            raise ValueError(f"`y` should be a dict with targets of each of {self.tasks}. Received: {type(y)}")
        values, known = [], []
        for task, loss, mean in zip(self.tasks, self._task_losses, self._mean_losses, strict=True):
            weight = sample_weight.get(task) if isinstance(sample_weight, Mapping) else sample_weight
            value = loss(y[task], ops.cast(y_pred[task], "float32"), sample_weight=weight)
            target = ops.cast(y[task], "float32")
            finite = ops.logical_not(ops.isnan(ops.reshape(target, (ops.shape(target)[0], -1))))
            n_events = ops.sum(ops.cast(ops.all(finite, axis=-1), "float32"))
            mean.update_state(value, sample_weight=n_events)
            values.append(value)
            known.append(n_events > 0)
        return values, ops.stack(known)

    def _penalties(self) -> Any:
        return sum((ops.sum(ops.cast(loss, "float32")) for loss in self.losses), start=ops.zeros(()))


@keras.saving.register_keras_serializable(package="showertools")
class UncertaintyWeighting(BalancedModel):
    """A network whose tasks weigh as their likelihood has it, each with one error that is learned.

    A squared error L, summed over D columns, costs L/(2·σ²) + D·ln σ: minus the logarithm of a normal likelihood,
    smallest where σ is the standard deviation of one column. A cross-entropy L costs L/σ² + ln σ, the approximation of
    the source, smallest where σ² = 2·L. A distance L, as of `MaskedDistance`, costs L/σ + D·ln σ: its likelihood falls
    as exp(-distance/σ), and D·σ is the mean distance. `MaskedSquaredError` sums the columns;
    `keras.losses.MeanSquaredError` averages them, and counts as one.

    Learned is s = ln σ², as in the source, by gradient descent: ∂/∂s, for a squared error D/2 - L·exp(-s)/2, is known,
    no backward pass is needed. That it has a learning rate of its own, and its gradient is kept between -1 and 1, is
    our choice: so σ does not depend on the optimizer of the network, and no weight decay pulls at it.

    Parameters
    ----------
    network : keras.Model
        Functional, with a dict of outputs: one task each, at least two.
    initial : float or mapping of str to float
        The errors σ at the start, of all tasks or of each, in the units of the targets, positive.
    learning_rate : float
        Of s, positive. With 0.05, σ changes by at most 2.5 % in a step.
    **kwargs
        Of `keras.Model`.

    Raises
    ------
    ValueError
        If an argument is out of range, or, by `compile`, if a loss is neither squared error, distance nor
        cross-entropy.

    Examples
    --------
    >>> given = keras.Input((4,))
    >>> energy, particle = keras.layers.Dense(1)(given), keras.layers.Dense(1, activation="sigmoid")(given)
    >>> network = keras.Model(given, {"energy": energy, "particle": particle})
    >>> model = UncertaintyWeighting(network)
    >>> model.compile("adam", {"energy": "mean_squared_error", "particle": "binary_crossentropy"})
    >>> model.task_weights
    {'energy': 0.5, 'particle': 1.0}
    """

    def __init__(
        self,
        network: keras.Model,
        *,
        initial: float | Mapping[str, float] = 1.0,
        learning_rate: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, learning_rate=learning_rate, **kwargs)
        if not isinstance(initial, Mapping):
            initial = dict.fromkeys(self.tasks, initial)
        if set(initial) != set(self.tasks):
            raise ValueError(f"`initial` should be a number or a dict with {self.tasks}. Received: {initial!r}")
        for task, error in initial.items():
            _checks.number(error, f"initial[{task!r}]", "positive")
        self.initial = {task: float(initial[task]) for task in self.tasks}
        start = np.array([2 * np.log(self.initial[task]) for task in self.tasks])
        self.log_variance = self.add_weight(
            shape=(len(self.tasks),),
            initializer=lambda shape, dtype: ops.reshape(ops.convert_to_tensor(start, dtype), shape),
            dtype="float32",
            trainable=False,  # by the optimizer; `_total` does it
            name="log_variance",
        )
        self.built = True

    @property
    def task_errors(self) -> dict[str, float]:
        """The errors σ learned so far, in the units of the targets."""
        errors = ops.convert_to_numpy(ops.exp(ops.convert_to_tensor(self.log_variance) / 2))
        return {task: float(error) for task, error in zip(self.tasks, errors, strict=True)}

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, loss_weights: Any = None, **kwargs: Any) -> None:
        """Set optimizer and losses: squared errors, distances, cross-entropies; see `BalancedModel.compile`."""
        super().compile(optimizer, loss=loss, loss_weights=loss_weights, **kwargs)
        factors, columns, powers = [], [], []
        for task, of_task in zip(self.tasks, self._task_losses, strict=True):
            summed = getattr(of_task, "sums_columns", False)
            if not summed and not isinstance(of_task, (keras.losses.MeanSquaredError, *CROSS_ENTROPIES)):
                raise ValueError(
                    f"`loss[{task!r}]` should be a squared error, a distance or a cross-entropy. Received: {of_task!r}"
                )
            powers.append(getattr(of_task, "power", 2))
            factors.append(1.0 if isinstance(of_task, CROSS_ENTROPIES) else 1 / powers[-1])
            columns.append(self.network.output[task].shape[-1] if summed else 1)
        self._factors, self._columns, self._powers = np.array([factors, columns, powers], np.float32)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "initial": self.initial}

    def _weights_now(self) -> Any:
        return ops.exp(-ops.convert_to_tensor(self.log_variance) * (self._powers / 2)) * self._factors

    def _total(self, values: Any, known: Any, training: bool) -> Any:
        log_variance = ops.convert_to_tensor(self.log_variance)
        half = ops.convert_to_tensor(self._columns) / 2
        weighted = values * self._weights_now()
        total = ops.sum(ops.where(known, weighted + half * log_variance, 0))
        if training:
            gradient = ops.where(known, half - ops.stop_gradient(weighted) * (self._powers / 2), 0)
            after = log_variance - self.learning_rate * ops.clip(gradient, -1, 1)
            self.log_variance.assign(ops.clip(after, -LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE))
        return total


def _loss(given: Any, task: str) -> keras.losses.Loss:
    """Return a loss as an object; Keras looks up some names, such as "mse", as functions."""
    loss = keras.losses.get(given)
    if not isinstance(loss, keras.losses.Loss):
        of_function = getattr(keras.losses, str(getattr(loss, "__name__", "")).title().replace("_", ""), None)
        if of_function is None:
            raise ValueError(f"`loss[{task!r}]` should be a keras.losses.Loss or the name of one. Received: {given!r}")
        loss = of_function()
    return loss
