"""Drawn pictures of ten shapes, with the size of CIFAR-10: they stand in where the photographs cannot be had.

A picture shows one shape. Its place, size, tilt and colours, the light that falls on the scene and the noise are drawn
anew for each picture, so that no single pixel and no mean colour tells the class: edges and their arrangement do. Which
shapes there are, and all ranges, are our choice. Nothing here is a photograph, and no accuracy on these pictures says
anything about CIFAR-10.

A shape is given by a distance d in pixels from its edge, positive inside. A pixel is covered by clip(d + 1/2, 0, 1),
which smooths the edges.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from showertools import chunks

CLASSES = ("disc", "ring", "square", "frame", "triangle", "cross", "crescent", "stripes", "bars", "checkerboard")
"""Name of each class, by its number. Stripes are horizontal, bars are vertical."""
N_PIXELS = 32
CHUNK_SIZE = 500
"""Pictures drawn at a time, few enough for the processor's cache; part of what a seed means."""

Floats = NDArray[np.float32]

_SIZES = (8.0, 13.0)  # pixels, half the width of the shape
_MAX_TILT = 0.25  # rad
_CONTRASTS = (30.0, 80.0)  # levels of 256, half of what lies between the shape and what is behind it
_LIGHT = 30.0  # levels, at the edge of the picture
_NOISE = (5.0, 40.0)  # levels, the largest deviation of a pixel


def simulate(n_pictures: int, *, seed: int) -> dict[str, NDArray[Any]]:
    """Draw pictures of ten shapes, each equally likely.

    Parameters
    ----------
    n_pictures : int
        How many.
    seed : int
        Not negative. Same seed, same pictures; the first 100 of 1,000 are the 100 that the seed gives alone.

    Returns
    -------
    dict
        `image` (n_pictures, 32, 32, 3) uint8, the colours are red, green, blue; `label` (n_pictures,) int64, the
        class's place in `CLASSES`.

    Raises
    ------
    ValueError
        If the number or the seed is none.

    Examples
    --------
    >>> pictures = simulate(100, seed=1)
    >>> pictures["image"].shape
    (100, 32, 32, 3)
    """
    n_pictures = chunks.check_size(n_pictures, "n_pictures", minimum=0)
    empty: dict[str, NDArray[Any]] = {
        "image": np.empty((0, N_PIXELS, N_PIXELS, 3), np.uint8),
        "label": np.empty(0, np.int64),
    }
    drawn = chunks.iterate(simulate_chunk, n_pictures, seed=seed, chunk_size=CHUNK_SIZE, workers=1)
    return chunks.collect(drawn, n_pictures, empty)


def simulate_chunk(rng: np.random.Generator, size: int) -> dict[str, NDArray[Any]]:
    """Draw `size` pictures with this source of randomness; see `simulate`."""
    label = rng.integers(len(CLASSES), size=size)
    cover = _cover(rng, label)
    light = _light(rng, size)
    middle = rng.uniform(80, 175, (size, 3))
    contrast = rng.choice([-1.0, 1.0], (size, 1)) * rng.uniform(*_CONTRASTS, (size, 1)) + rng.uniform(
        -25, 25, (size, 3)
    )
    strength = rng.uniform(*_NOISE, (size, 1)).astype(np.int16)
    image = np.empty((size, N_PIXELS, N_PIXELS, 3), np.uint8)
    for color in range(3):
        behind = (middle - contrast)[:, color, None].astype(np.int16)
        step = (2 * contrast)[:, color, None].astype(np.int16)  # from there to the shape
        noise = np.frombuffer(rng.bytes(cover.size), np.int8).reshape(cover.shape)
        values = cover * step  # at most 128 * 210 levels: 16 bits hold it
        values += noise * strength
        values >>= 7
        values += behind
        values += light
        image[..., color] = np.clip(values, 0, 255, out=values).reshape(image.shape[:3])
    return {"image": image, "label": label}


def _cover(rng: np.random.Generator, label: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return how much of each pixel the shape covers (n, 1024), from 0 to 128."""
    n = len(label)
    size = rng.uniform(*_SIZES, n).astype(np.float32)[:, None]
    room = (N_PIXELS - 1) / 2 + 1 - size  # the shape may reach a pixel over the edge
    x0, y0 = (((N_PIXELS - 1) / 2 + rng.uniform(-1, 1, (n, 1)) * room).astype(np.float32) for _ in range(2))
    tilt = rng.uniform(-_MAX_TILT, _MAX_TILT, (n, 1)).astype(np.float32)
    cosine, sine = np.cos(tilt), np.sin(tilt)
    y, x = (axis.reshape(1, -1).astype(np.float32) for axis in np.indices((N_PIXELS, N_PIXELS)))
    cover = np.empty((n, N_PIXELS**2), np.int16)
    for number, name in enumerate(CLASSES):
        rows = np.flatnonzero(label == number)
        dx, dy = x - x0[rows], y - y0[rows]
        u = cosine[rows] * dx + sine[rows] * dy
        v = cosine[rows] * dy - sine[rows] * dx
        distance = _DISTANCES[name](u, v, size[rows])
        distance += 0.5
        distance *= 128
        cover[rows] = np.clip(distance, 0, 128, out=distance)
    return cover


def _light(rng: np.random.Generator, n: int) -> NDArray[np.int16]:
    """Return a gradient of brightness over each picture (n, 1024), in levels."""
    position = np.linspace(-1, 1, N_PIXELS)
    along_x, along_y = rng.uniform(-_LIGHT, _LIGHT, (2, n, 1)) * position
    light = along_y.astype(np.int16)[:, :, None] + along_x.astype(np.int16)[:, None, :]
    return np.asarray(light.reshape(n, -1))


def _reach(u: Floats, v: Floats) -> Floats:
    """Return half the width of the upright square through a point."""
    return np.asarray(np.maximum(np.abs(u), np.abs(v)))


def _lines(w: Floats, size: Floats) -> Floats:
    """Return the distance from the edge of lines across w: one in the middle, one at either side."""
    period = size * np.float32(0.72)
    place = w / period
    place -= np.floor(place)
    return np.asarray((np.abs(place - np.float32(0.5)) - np.float32(0.25)) * period)


def _checkerboard(u: Floats, v: Floats, size: Floats) -> Floats:
    across, along = _lines(u, size), _lines(v, size)
    fields = np.maximum(np.minimum(across, along), -np.maximum(across, along))
    return np.asarray(np.minimum(fields, size * np.float32(0.9) - _reach(u, v)))


_DISTANCES: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "disc": lambda u, v, size: size - np.hypot(u, v),
    "ring": lambda u, v, size: 0.2 * size - np.abs(np.hypot(u, v) - 0.8 * size),
    "square": lambda u, v, size: 0.9 * size - _reach(u, v),
    "frame": lambda u, v, size: 0.17 * size - np.abs(_reach(u, v) - 0.73 * size),
    "triangle": lambda u, v, size: 0.55 * size - np.maximum(v, 0.866 * np.abs(u) - 0.5 * v),
    "cross": lambda u, v, size: np.minimum(size - _reach(u, v), 0.3 * size - np.minimum(np.abs(u), np.abs(v))),
    "crescent": lambda u, v, size: np.minimum(size - np.hypot(u, v), np.hypot(u - 0.5 * size, v) - 0.8 * size),
    "stripes": lambda u, v, size: np.minimum(_lines(v, size), 0.9 * size - _reach(u, v)),
    "bars": lambda u, v, size: np.minimum(_lines(u, size), 0.9 * size - _reach(u, v)),
    "checkerboard": _checkerboard,
}
