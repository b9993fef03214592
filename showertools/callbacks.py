"""What Keras' callbacks lack."""

from __future__ import annotations

import time
from typing import Any

import keras

from showertools import _checks

__all__ = ["TimeLimit"]


class TimeLimit(keras.callbacks.Callback):  # type: ignore[misc]
    """Stop training after a time, in the middle of an epoch if need be: to compare networks at equal cost.

    Parameters
    ----------
    seconds : float
        Counted from the end of the first steps, before which TensorFlow compiles; positive.

    Attributes
    ----------
    steps : int
        How many steps were made.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        _checks.number(seconds, "seconds", "positive")
        self.seconds = float(seconds)
        self.steps = 0
        self._start: float | None = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 (Keras gives them)
        """Look at the clock."""
        now = time.perf_counter()
        self._start = now if self._start is None else self._start
        self.steps = int(self.model.optimizer.iterations)
        if now - self._start >= self.seconds:
            self.model.stop_training = True
