"""Networks that learn energy, direction and particle from the images of a telescope.

Hexagonal convolutions read the window around the light that `telescope_input` makes. Twice only the largest values of
four places that touch are left: in axial indices these are 2 by 2 elements, and what is left is again a hexagonal grid.
Means and largest values of what is found go to one small head for each task. What the heads share decides what the
tasks can teach each other:

- *hard sharing*: all tasks read the same features;
- *soft sharing*: each task has features of its own, and where these are pooled they mix, by numbers that are learned;
- a task of its own is a network with one head.

Sources: the form, heads on a common encoder with or without attention, follows M. Jacquemont et al., VISAPP 2021,
doi:10.5220/0010297405340544; mixing is that of I. Misra, A. Shrivastava, A. Gupta, M. Hebert, *Cross-stitch networks*,
arXiv:1604.03539. Sizes are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from showertools import telescope_input
from showertools.chunks import Events
from showertools.layers import DualAttention, FusedBatchNormalization, HexConv, SqueezeExcitation
from showertools.telescope_input import CHANNELS, SHOWER_INPUTS, WINDOW

__all__ = ["ATTENTION", "TASKS", "CrossStitch", "estimates", "head", "network"]

TASKS = {"energy": 1, "direction": 2, "particle": 1}
"""What the network returns, with the number of columns; see `telescope_input.targets`."""
ATTENTION: dict[str, Callable[[], keras.Layer] | None] = {
    "none": None,
    "squeeze and excitation": lambda: SqueezeExcitation(ratio=8),
    "dual": lambda: DualAttention(ratio=8),
}
"""What follows each block of convolutions, by name."""
WIDTHS = (32, 64, 96)
"""Channels of the three blocks."""


def network(
    *,
    tasks: Sequence[str] = tuple(TASKS),
    sharing: str = "hard",
    attention: str = "none",
    widths: Sequence[int] = WIDTHS,
) -> keras.Model:
    """Return a network that reads windows around showers.

    Parameters
    ----------
    tasks : sequence of str
        Some of `TASKS`.
    sharing : str
        "hard" or "soft".
    attention : str
        One of `ATTENTION`.
    widths : sequence of int
        Channels of each block of convolutions; between two blocks every second row and column is left.

    Returns
    -------
    keras.Model
        Takes a dict of `window` (B, 16, 16, 17) and `shower` (B, 2), as `telescope_input.inputs` makes them, and
        returns a dict of its tasks: `energy` (B, 1), log10(E/TeV); `direction` (B, 2), along and across [degrees];
        `particle` (B, 1), the probability of a gamma ray. The last layer that all tasks share is named `shared`.

    Raises
    ------
    ValueError
        If an argument is not one of those possible.

    Examples
    --------
    >>> network().count_params()
    205732
    """
    _check(tasks, sharing, attention)
    window = keras.Input((WINDOW // 2, WINDOW // 2, 4 * len(CHANNELS) + 1), name="window")
    shower = keras.Input((len(SHOWER_INPUTS),), name="shower")
    if sharing == "hard":
        features = dict.fromkeys(tasks, _shared(_stream([window], widths, attention)[0], shower))
    else:
        streams = _stream([window] * len(tasks), widths, attention)
        features = {task: _summary(x, shower) for task, x in zip(tasks, streams, strict=True)}
    outputs = {task: head(features[task], task) for task in tasks}
    return keras.Model({"window": window, "shower": shower}, outputs)


def estimates(model: keras.Model, seen: Events, *, batch_size: int = 512) -> dict[str, NDArray[np.float32]]:
    """Return what a network says of events, the mean over four views: as they are, mirrored, turned, and both.

    Parameters
    ----------
    model : keras.Model
        As `network` returns it, for any of its tasks.
    seen : dict of numpy.ndarray
        What `telescope_input.inputs` returned.
    batch_size : int
        Images that are predicted together.

    Returns
    -------
    dict of numpy.ndarray
        float32 (n,), the names of `telescope_performance.ESTIMATES`; NaN for a task that the network does not have.
    """
    n_events = len(seen["shower"])
    mean = {task: np.zeros((n_events, TASKS[task]), np.float32) for task in model.output}
    for mirrored in (False, True):
        for turned in (False, True):
            said = model.predict(_Views(seen, batch_size, mirrored, turned), verbose=0) if n_events else {}
            if mirrored and "direction" in said:
                said["direction"] = said["direction"] * [1, -1]
            for task, values in said.items():
                mean[task] += values / 4
    unknown = np.full((n_events, 2), np.nan, np.float32)
    place = telescope_input.direction(mean["direction"], seen) if "direction" in mean else unknown
    columns = {
        "gammaness": mean.get("particle", unknown)[:, 0],
        "reco_energy": 10 ** mean.get("energy", unknown)[:, 0],
        "reco_fov_lon": place[:, 0],
        "reco_fov_lat": place[:, 1],
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


class _Views(keras.utils.PyDataset):  # type: ignore[misc]
    """Inputs in their order, batch by batch, all seen in one way."""

    def __init__(self, seen: Events, batch_size: int, mirrored: bool, turned: bool) -> None:
        super().__init__(workers=2)
        self._seen, self._batch_size, self._mirrored, self._turned = seen, batch_size, mirrored, turned

    def __len__(self) -> int:
        return -(-len(self._seen["window"]) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Events]:
        some = slice(index * self._batch_size, (index + 1) * self._batch_size)
        window = self._seen["window"][some].astype(np.float32)
        window = telescope_input.mirrored(window) if self._mirrored else window
        window = telescope_input.turned_by_180(window) if self._turned else window
        return ({"window": window, "shower": self._seen["shower"][some]},)


@keras.saving.register_keras_serializable(package="showertools")
class CrossStitch(keras.layers.Layer):  # type: ignore[misc]
    """Let T tasks take part of each other's features: T tensors (B, ...) become T mixtures of them.

    Parameters
    ----------
    own : float
        Weight of a task's own features at the start, from 0 to 1; the others share the rest.
    **kwargs
        Of `keras.layers.Layer`.

    Attributes
    ----------
    mixing : keras.Variable
        (T, T): row i holds what task i takes of each.

    Raises
    ------
    ValueError
        If `own` is out of range, or the inputs are no list of at least two tensors of one shape.
    """

    def __init__(self, own: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(own, bool) or not isinstance(own, int | float) or not 0 <= own <= 1:
            raise ValueError(f"`own` should be a number from 0 to 1. Received: {own!r}")
        self.own = float(own)

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        """Make the T·T weights."""
        n_tasks = len(input_shape)
        if n_tasks < 2 or len({tuple(shape) for shape in input_shape if not isinstance(shape, int)}) != 1:
            raise ValueError(f"`inputs` should be at least two tensors of one shape. Received: {input_shape}")
        other = (1 - self.own) / (n_tasks - 1)
        self.mixing = self.add_weight(shape=(n_tasks, n_tasks), name="mixing")
        self.mixing.assign(ops.eye(n_tasks) * (self.own - other) + other)

    def call(self, inputs: Sequence[Any]) -> list[Any]:
        """Return T tensors (B, ...) for T tensors (B, ...)."""
        rows = ops.cast(self.mixing, inputs[0].dtype)
        n_tasks = len(inputs)
        return [sum(rows[i, k] * inputs[k] for k in range(n_tasks)) for i in range(n_tasks)]

    def compute_output_shape(self, input_shape: Sequence[tuple[int | None, ...]]) -> list[tuple[int | None, ...]]:
        """Return the shapes of the inputs."""
        return [tuple(shape) for shape in input_shape]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "own": self.own}


def _stream(inputs: list[Any], widths: Sequence[int], attention: str) -> list[Any]:
    """Return features (B, H, W, C) of each task; several streams mix where they are pooled."""
    streams = inputs
    for number, width in enumerate(widths):
        streams = [_block(x, width, attention, first=number == 0) for x in streams]
        if number < len(widths) - 1:
            streams = [layers.MaxPooling2D(2)(x) for x in streams]
            streams = CrossStitch()(streams) if len(streams) > 1 else streams
    return streams


def _block(x: Any, width: int, attention: str, *, first: bool) -> Any:
    """Return features of a convolution, and, but in the first block, of a second one with a shortcut around it."""
    x = _convolution(x, width)
    if not first:
        x = layers.Add()([x, _convolution(x, width)])
    made = ATTENTION[attention]
    return x if made is None else made()(x)


def _convolution(x: Any, width: int) -> Any:
    x = HexConv(width, use_bias=False)(x)
    return layers.Activation("relu")(FusedBatchNormalization(momentum=0.9)(x))


def _summary(x: Any, shower: Any, name: str | None = None) -> Any:
    """Return what is left of the places, (B, 128)."""
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x), shower])
    return layers.Dense(128, activation="relu", name=name)(x)


def _shared(x: Any, shower: Any) -> Any:
    return _summary(x, shower, name="shared")


def head(features: Any, task: str) -> Any:
    """Return the output of one of the `TASKS`, (B, 1) or (B, 2), of 32 bits, for features (B, 128)."""
    x = layers.Dense(64, activation="relu", name=f"{task}_head")(features)
    activation = "sigmoid" if task == "particle" else None
    return layers.Dense(TASKS[task], activation=activation, dtype="float32", name=task)(x)


def _check(tasks: Sequence[str], sharing: str, attention: str) -> None:
    if not tasks or isinstance(tasks, str) or not set(tasks) <= set(TASKS) or len(set(tasks)) < len(tasks):
        raise ValueError(f"`tasks` should be some of {', '.join(TASKS)}, each once. Received: {tasks!r}")
    if sharing not in ("hard", "soft"):
        raise ValueError(f"`sharing` should be 'hard' or 'soft'. Received: {sharing!r}")
    if sharing == "soft" and len(tasks) < 2:
        raise ValueError(f"`tasks` should be at least two where they share softly. Received: {tasks!r}")
    if attention not in ATTENTION:
        raise ValueError(f"`attention` should be one of {', '.join(ATTENTION)}. Received: {attention!r}")
