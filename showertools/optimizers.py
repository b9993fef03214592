"""Muon: an optimizer that takes steps of equal strength in all directions of a kernel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["Muon", "orthogonalized"]


def orthogonalized(matrix: Any, *, iterations: int = 3) -> Any:
    """Push all singular values of a matrix towards 1 and keep its singular vectors.

    An odd polynomial of the matrix changes its singular values alone, each by itself. Five iterations of this one bring
    those from 0.002 to 1 (after division by the norm of the matrix) to between 0.68 and 1.21; three, which are enough
    for a step, those from 0.02 on. No decomposition is needed, only products of matrices.

    Parameters
    ----------
    matrix : tensor
        (m, n).
    iterations : int
        How often the polynomial is applied.

    Returns
    -------
    tensor
        (m, n). A matrix of zeros stays one.

    References
    ----------
    Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks (coefficients of the polynomial);
    Higham, Functions of Matrices, ch. 8, https://doi.org/10.1137/1.9780898717778 (the iteration).
    """
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else ops.transpose(matrix)
    x = x / (ops.norm(x) + 1e-7)  # no singular value is larger than this norm
    for _ in range(iterations):
        square = ops.matmul(x, ops.transpose(x))
        x = 3.4445 * x + ops.matmul(-4.7750 * square + 2.0315 * ops.matmul(square, square), x)
    return x if wide else ops.transpose(x)


@keras.saving.register_keras_serializable(package="showertools")
class Muon(keras.optimizers.SGD):  # type: ignore[misc]
    """Stochastic gradient descent whose steps on convolutional kernels are orthogonalised, and as long as asked for.

    The step on a kernel follows the momentum, with all its singular values made equal, so that rare directions are
    learned as fast as common ones. Its length is the fraction `learning_rate` of the kernel's own, which does not
    change: where batch normalisation follows, only a kernel's direction matters. All other weights follow
    stochastic gradient descent with Nesterov momentum. (`keras.optimizers.Muon` leaves kernels of four axes to Adam.)

    Parameters
    ----------
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        Of all weights; for kernels the relative length of a step.
    momentum : float
        Of all weights, from 0 to 1, not 0.
    **kwargs
        As for `keras.optimizers.SGD`; `weight_decay` acts on what is no kernel too.

    References
    ----------
    Jordan et al. 2024, Muon: an optimizer for hidden layers in neural networks; Jordan 2024, arXiv 2404.00498 (the
    kernels' fixed length, in its later records). Relative steps, kernels flattened to (height × width × in, out): our
    choice.
    """

    def __init__(self, learning_rate: Any = 0.24, momentum: float = 0.6, nesterov: bool = True, **kwargs: Any) -> None:
        if not isinstance(momentum, (int, float)) or not 0 < momentum < 1:
            raise ValueError(f"`momentum` should lie between 0 and 1. Received: {momentum!r}")
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, **kwargs)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one weight, given its gradient."""
        if len(variable.shape) != 4:
            super().update_step(gradient, variable, learning_rate)
            return
        velocity = self.momentums[self._get_variable_index(variable)]
        gradient = ops.cast(gradient, variable.dtype)
        moved = self.momentum * ops.convert_to_tensor(velocity) + gradient
        self.assign(velocity, moved)
        step = gradient + self.momentum * moved if self.nesterov else moved
        step = orthogonalized(ops.reshape(step, (-1, variable.shape[-1])))  # (height * width * in, out)
        kernel = ops.reshape(ops.convert_to_tensor(variable), step.shape)
        length = ops.norm(kernel)
        turned = kernel - ops.cast(learning_rate, variable.dtype) * length * step / (ops.norm(step) + 1e-7)
        self.assign(variable, ops.reshape(turned * length / (ops.norm(turned) + 1e-7), variable.shape))
