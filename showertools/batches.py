"""Batches of training pictures, changed at random each time: turned, or by any augmentation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from showertools import chunks, telescope_input
from showertools.symmetry import N_SYMMETRIES, turned

Arrays = Mapping[str, NDArray[Any]]
_WORKERS = 2
"""Threads that prepare batches while the network learns. With one, Keras leaves that to `tf.data`, which tunes itself,
and at the end of an epoch waits for its tuning to wake up: up to as long as the epoch took (TensorFlow 2.21)."""


class TurnedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in a new order each epoch, each turned by one of the eight symmetries of a square.

    Parameters
    ----------
    pictures : numpy.ndarray
        (n, H, H, C), of showers or others that look the same from all sides.
    targets : numpy.ndarray
        (n, ...), which do not change when a picture is turned.
    batch_size : int
        Pictures in a batch; a last, smaller batch is left out.
    seed : int
        Of order and turns. The same seed gives the same batches.

    Raises
    ------
    ValueError
        If pictures are not square, there are not as many targets as pictures, or fewer than one batch.

    Examples
    --------
    >>> model.fit(TurnedBatches(pictures, xmax, seed=1), epochs=10)  # doctest: +SKIP
    """

    def __init__(
        self, pictures: NDArray[np.floating], targets: NDArray[np.generic], *, batch_size: int = 64, seed: int
    ) -> None:
        super().__init__(workers=_WORKERS)
        chunks.check_size(batch_size, "batch_size", minimum=1)
        if pictures.ndim != 4 or pictures.shape[1] != pictures.shape[2]:
            raise ValueError(f"`pictures` should have the shape (n, H, H, C). Received: {pictures.shape}")
        if len(targets) != len(pictures):
            raise ValueError(f"`targets` should have the length {len(pictures)}. Received: {len(targets)}")
        if len(pictures) < batch_size:
            raise ValueError(f"`pictures` should fill a batch of {batch_size}. Received: {len(pictures)}")
        self._pictures, self._targets, self._batch_size = pictures, targets, batch_size
        self._rng = np.random.default_rng(chunks.check_size(seed, "seed", minimum=0))
        self.on_epoch_end()

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._pictures) // self._batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
        """Return batch number `index`: pictures (B, H, H, C) and targets (B, ...)."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return turned(self._pictures[chosen], int(self._turns[index])), self._targets[chosen]

    def on_epoch_end(self) -> None:
        """Draw a new order, and new turns."""
        self._order = self._rng.permutation(len(self._pictures))
        self._turns = self._rng.integers(N_SYMMETRIES, size=len(self))


class AugmentedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches in a new order each epoch, each changed by an augmentation.

    Parameters
    ----------
    pictures : numpy.ndarray or dict of numpy.ndarray
        (n, ...); a network with several inputs takes several, by name.
    targets : numpy.ndarray
        (n, ...), which the augmentation does not change.
    augment : callable
        Takes pictures (B, ...), or a dict of them, and a `numpy.random.Generator`, returns the same of the same shape.
        For several in a row, write `lambda seen, rng: mirrored(shifted(seen, rng), rng)`.
    batch_size : int
        Pictures in a batch; a last, smaller batch is left out.
    seed : int
        Of order and augmentation. The same seed gives the same batches.
    copies : int
        How often each chosen picture stands in a batch, each time augmented anew; divides `batch_size`. With 2 copies
        an epoch has twice as many batches.

    Raises
    ------
    ValueError
        If there are not as many targets as pictures, fewer pictures than a batch needs, or `copies` does not divide
        `batch_size`.

    Examples
    --------
    >>> model.fit(AugmentedBatches(pictures, labels, mirrored, batch_size=500, seed=1), epochs=8)  # doctest: +SKIP
    """

    def __init__(
        self,
        pictures: Any,
        targets: NDArray[np.generic],
        augment: Callable[[Any, np.random.Generator], Any],
        *,
        batch_size: int,
        seed: int,
        copies: int = 1,
    ) -> None:
        super().__init__(workers=_WORKERS)
        chunks.check_size(batch_size, "batch_size", minimum=1)
        if batch_size % chunks.check_size(copies, "copies", minimum=1):
            raise ValueError(f"`copies` should divide the batch of {batch_size}. Received: {copies}")
        for part in keras.tree.flatten(pictures):
            if len(targets) != len(part):
                raise ValueError(f"`targets` should have the length {len(part)}. Received: {len(targets)}")
        if len(targets) < batch_size // copies:
            raise ValueError(f"`pictures` should fill a batch of {batch_size // copies}. Received: {len(targets)}")
        self._pictures, self._targets, self._augment = pictures, targets, augment
        self._different, self._copies = batch_size // copies, copies
        self._seed, self._epoch = chunks.check_size(seed, "seed", minimum=0), -1
        self.on_epoch_end()

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._targets) // self._different

    def __getitem__(self, index: int) -> tuple[Any, NDArray[np.generic]]:
        """Return batch number `index`: pictures (B, ...) and targets (B, ...)."""
        chosen = self._order[index * self._different : (index + 1) * self._different]
        chosen = np.repeat(chosen, self._copies)  # (B,)
        rng = np.random.default_rng(
            (self._seed, self._epoch, 1 + index)
        )  # its own: batches are made in several threads
        pictures = keras.tree.map_structure(lambda part: part[chosen], self._pictures)
        return self._augment(pictures, rng), self._targets[chosen]

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch, 0)).permutation(len(self._targets))


class MirroredWindows(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows around showers in a new order each epoch, half of them mirrored, half of them turned by 180°.

    A shower seen in a mirror is as good a shower. Only what lies across the axis changes its sign. The windows are
    those of `telescope_input`.

    Parameters
    ----------
    seen : dict of numpy.ndarray
        What `telescope_input.inputs` returned.
    wanted : dict of numpy.ndarray
        What `telescope_input.targets` returned, or some of it.
    batch_size : int
        Images in a batch; a last, smaller batch is left out.
    seed : int
        Of order and mirroring. The same seed gives the same batches.

    Raises
    ------
    ValueError
        If the number of images is smaller than a batch, or a number is out of range.
    """

    def __init__(self, seen: Arrays, wanted: Arrays, *, batch_size: int, seed: int) -> None:
        super().__init__(workers=_WORKERS)
        chunks.check_size(batch_size, "batch_size", minimum=1)
        if len(seen["window"]) < batch_size:
            raise ValueError(f"`seen` should fill a batch of {batch_size}. Received: {len(seen['window'])} images")
        self._seen = {name: seen[name] for name in ("window", "shower")}
        self._wanted, self._batch_size = dict(wanted), batch_size
        self._seed, self._epoch = chunks.check_size(seed, "seed", minimum=0), -1
        self.on_epoch_end()

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self._seen["window"]) // self._batch_size

    def on_epoch_end(self) -> None:
        """Draw a new order."""
        self._epoch += 1
        self._order = np.random.default_rng((self._seed, self._epoch)).permutation(len(self._seen["window"]))

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """Return batch number `index`."""
        chosen = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        seen = {name: values[chosen].astype(np.float32) for name, values in self._seen.items()}
        wanted = {name: values[chosen] for name, values in self._wanted.items()}
        half, quarter = self._batch_size // 2, self._batch_size // 4
        seen["window"][:half] = telescope_input.mirrored(seen["window"][:half])
        if "direction" in wanted:
            wanted["direction"][:half, 1] *= -1
        turned = slice(quarter, quarter + half)  # half of those that are mirrored, and half of the others
        seen["window"][turned] = telescope_input.turned_by_180(seen["window"][turned])
        return seen, wanted
