"""GradNorm: weights of tasks with which all pull equally hard on what they share.

Source: Z. Chen, V. Badrinarayanan, C.-Y. Lee, A. Rabinovich, arXiv:1711.02257, section 3.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from showertools import _checks
from showertools.balancing import BalancedModel

__all__ = ["GradNorm"]


@keras.saving.register_keras_serializable(package="showertools")
class GradNorm(BalancedModel):
    """A network whose tasks pull equally hard on the last layer that they share, slow ones a little harder.

    G_i = w_i·‖∇L_i‖ is how hard task i pulls on the shared kernel. It should be C_i = ⟨G⟩·r_i^alpha, where r_i says how
    slowly the task learns: the share L_i/L_i(0) of its first loss that is left, over the mean of all tasks. After each
    step of the network the weights w make one towards this, with C fixed, which needs no second backward pass, and are
    scaled so that their sum is the number of tasks. L_i(0) is the loss of the first batch with a target of the task.

    The source descends Σ|G_i - C_i| in w. Ours descends in ln w, by ln(G_i/C_i), kept between -1 and 1. So weights stay
    positive, the units of the losses do not matter, and a weight that has become small comes back as fast as it went.
    Losses should be positive, as squared errors and cross-entropies are.

    Works with TensorFlow only: Keras has no gradient that is the same in all backends. Each task costs a backward pass
    from its loss to the shared kernel.

    Parameters
    ----------
    network : keras.Model
        Functional, with a dict of outputs: one task each, at least two.
    shared : str, keras.Layer or keras.Variable
        The last layer that all tasks share, by its name or itself, or its kernel.
    alpha : float
        How much more slow tasks pull, at least 0; with 0 all pull equally.
    learning_rate : float
        Of the weights, positive. With 0.025, a step is at most 2.5 % of the weight.
    **kwargs
        Of `keras.Model`.

    Raises
    ------
    RuntimeError
        If the backend of Keras is not TensorFlow.
    ValueError
        If an argument is out of range, the network has no such layer, or the layer has no kernel that is trained; by
        `fit`, if a task does not use the kernel.

    Examples
    --------
    >>> given = keras.Input((4,))
    >>> z = keras.layers.Dense(8, activation="relu", name="last_shared")(given)
    >>> network = keras.Model(given, {"energy": keras.layers.Dense(1)(z), "direction": keras.layers.Dense(2)(z)})
    >>> model = GradNorm(network, shared="last_shared")
    >>> model.compile("adam", {"energy": "mean_squared_error", "direction": "mean_squared_error"})
    >>> model.task_weights
    {'energy': 1.0, 'direction': 1.0}
    """

    def __init__(
        self, network: keras.Model, *, shared: Any, alpha: float = 1.5, learning_rate: float = 0.025, **kwargs: Any
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise RuntimeError(
                f"the backend of Keras should be 'tensorflow' for `GradNorm`. Received: {keras.backend.backend()!r}"
            )
        super().__init__(network, learning_rate=learning_rate, **kwargs)
        _checks.number(alpha, "alpha", "non-negative")
        self.alpha = float(alpha)
        self._shared_index = _index_of_kernel(network, shared)
        n_tasks = (len(self.tasks),)
        fixed = {"dtype": "float32", "trainable": False}  # by the optimizer; `_balance` does it
        self.log_weights = self.add_weight(shape=n_tasks, initializer="zeros", name="log_weights", **fixed)
        self.first_losses = self.add_weight(shape=n_tasks, initializer="zeros", name="first_losses", **fixed)
        self.built = True

    @property
    def shared_kernel(self) -> keras.Variable:
        """The kernel at which the pulls of the tasks are compared."""
        return self.network.weights[self._shared_index]

    def train_step(self, data: Any) -> dict[str, Any]:
        """Train network and weights on a batch; return losses, metrics and weights."""
        import tensorflow as tf

        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape(persistent=True) as tape:
            y_pred = self(x, training=True)
            losses, known = self._values(y, y_pred, sample_weight)
            total = self._total(ops.stack(losses), known, True) + self._penalties()
            scaled = self.optimizer.scale_loss(total)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, variables)
        pulls = [tape.gradient(loss, self.shared_kernel) for loss in losses]
        del tape
        unused = [task for task, pull in zip(self.tasks, pulls, strict=True) if pull is None]
        if unused:
            raise ValueError(f"`shared` should be a layer that every task uses. Received: one without use for {unused}")
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        self._balance(ops.stack(losses), ops.stack([ops.sqrt(ops.sum(pull**2)) for pull in pulls]), known)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(total, sample_weight=ops.shape(keras.tree.flatten(x)[0])[0])
        return dict(self.compute_metrics(x, y, y_pred, sample_weight=sample_weight))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "shared": self._shared_index, "alpha": self.alpha}

    def _weights_now(self) -> Any:
        return ops.exp(ops.convert_to_tensor(self.log_weights))

    def _total(self, values: Any, known: Any, training: bool) -> Any:
        del training  # `train_step` learns the weights
        return ops.sum(ops.where(known, self._weights_now() * values, 0))

    def _balance(self, losses: Any, norms: Any, known: Any) -> None:
        """Change the weights by one step, from loss and norm of the gradient of each task, (T,)."""
        smallest = keras.config.epsilon()
        known = ops.cast(known, "float32")  # (T,)
        n_known = ops.maximum(ops.sum(known), 1)
        first = ops.convert_to_tensor(self.first_losses)
        first = ops.where(first > 0, first, known * losses)
        left = known * ops.maximum(losses, 0) / ops.maximum(first, smallest)
        rate = left / ops.maximum(ops.sum(left) / n_known, smallest)
        pull = known * self._weights_now() * norms
        mean_pull = ops.sum(pull) / n_known
        wanted = mean_pull * rate**self.alpha
        ratio = ops.maximum(pull, smallest) / ops.maximum(wanted, smallest)
        step = ops.where(pull > 0, ops.clip(ops.log(ratio), -1, 1), 0)
        log_weights = ops.convert_to_tensor(self.log_weights) - self.learning_rate * known * step
        log_weights -= ops.logsumexp(log_weights) - np.log(len(self.tasks))
        self.first_losses.assign(first)
        self.log_weights.assign(log_weights)


def _index_of_kernel(network: keras.Model, shared: Any) -> int:
    """Return which of the weights of a network is the kernel of a layer: given by name, itself, or as that number."""
    if isinstance(shared, int) and not isinstance(shared, bool) and 0 <= shared < len(network.weights):
        return shared
    layer = network.get_layer(shared) if isinstance(shared, str) else shared
    kernel = getattr(layer, "kernel", layer)
    for index, variable in enumerate(network.weights):
        if variable is kernel and variable.trainable:
            return index
    raise ValueError(f"`shared` should be a layer of the network with a trained kernel. Received: {shared!r}")
