"""Simulation to a file that an interrupt, a kill or a full disk cannot undo: called again, it continues.

What is done lies in small complete files in the folder `FILE.part`. At the end they are joined to `FILE` and removed.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from showertools import __version__, chunks, datasets, storage
from showertools.chunks import Events

PIECE_BYTES = 2**24
"""A piece is written once it holds so many bytes ..."""
PIECE_SECONDS = 5.0
"""... or has taken so long to simulate: no more than that is lost."""

_RECIPE = "recipe.json"
_PIECES = "piece-*.h5"
_logger = logging.getLogger(__name__)


def simulate_to_file(
    path: storage.PathLike,
    simulate_chunk: Callable[[np.random.Generator, int], Events],
    n_events: int,
    *,
    seed: int,
    chunk_size: int,
    attributes: Mapping[str, Any],
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Simulate events and save them as a data set, with flat memory; continue if an earlier call was interrupted.

    Parameters
    ----------
    path : path
        File to write. What stands there is replaced once the new file is complete.
    simulate_chunk, n_events, seed, chunk_size, workers, progress
        As for `chunks.iterate`; at least one event.
    attributes : dict
        As for `datasets.save`. `seed`, `n_events`, `chunk_size` and `numpy_version` are added. An interrupted call is
        continued if all of them but `command` are what they were; else it starts afresh and says so.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    ValueError
        If a number is out of range, attributes cannot be stored, or chunks do not fit together.
    OSError
        If the file cannot be written; what was simulated stays in `path` + ".part".
    """
    chunks.check_size(n_events, "n_events", minimum=1)
    chunks.check_size(seed, "seed", minimum=0)
    chunks.check_size(chunk_size, "chunk_size", minimum=1)
    sizes = {"seed": int(seed), "n_events": int(n_events), "chunk_size": int(chunk_size)}
    units = dict(attributes.get("units", {}))
    recipe = datasets.check_attributes({**attributes, **sizes, "numpy_version": np.__version__}, units)
    place = storage.target(path)
    folder = part_folder(place)
    n_done = _prepare(folder, recipe)
    try:
        if n_done < n_events:
            first = n_done // chunk_size
            simulated = chunks.iterate(
                simulate_chunk,
                n_events,
                seed=seed,
                chunk_size=chunk_size,
                workers=workers,
                first=first,
                progress=progress,
            )
            _save_pieces(folder, simulated, n_done)
        with tqdm(total=n_events, desc="writing", unit=" events", disable=not progress) as bar:
            storage.write(place, _joined(folder, bar), n_events, attributes=recipe, scratch=folder)
    except BaseException:
        if not any(folder.glob(_PIECES)):
            _clear(folder)
        raise
    _clear(folder)
    return Path(path)


def part_folder(path: storage.PathLike) -> Path:
    """Return the folder in which the parts of an unfinished file lie."""
    place = Path(os.path.realpath(path))
    return place.with_name(place.name + ".part")


def n_simulated(path: storage.PathLike) -> int:
    """Return how many events of an unfinished file are safe on the disk."""
    return sum(n_events for _, n_events in _pieces(part_folder(path)))


def _prepare(folder: Path, recipe: dict[str, Any]) -> int:
    """Return the number of events that an earlier call with the same recipe left; remove those of another recipe."""
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(
            error.errno, "should be a folder for unfinished work; move it away", str(folder)
        ) from error
    same = {name: value for name, value in recipe.items() if name != "command"}
    text = json.dumps({**same, "showertools_version": __version__}, sort_keys=True)
    saved = folder / _RECIPE
    if saved.is_file() and saved.read_bytes() == text.encode():
        n_done = sum(n_events for _, n_events in _pieces(folder))
        if n_done:
            _logger.warning(
                "Continuing an interrupted simulation: %d of %d events are done.", n_done, recipe["n_events"]
            )
        return n_done
    if any(folder.iterdir()):
        _logger.warning("Starting afresh: the unfinished data in %s were made with other parameters.", folder)
    _clear(folder)
    folder.mkdir(exist_ok=True)
    saved.write_bytes(text.encode())  # if this is cut off it differs, and the next call starts afresh
    return 0


def _save_pieces(folder: Path, simulated: Iterator[Events], n_done: int) -> None:
    """Save chunks in pieces of moderate size, also those that are complete when an interrupt comes."""
    waiting: list[Events] = []
    since = time.monotonic()
    try:
        for events in simulated:
            waiting.append(events)
            size = sum(values.nbytes for chunk in waiting for values in chunk.values())
            if size >= PIECE_BYTES or time.monotonic() - since >= PIECE_SECONDS:
                n_done, since = _save_piece(folder, waiting, n_done), time.monotonic()
                waiting = []
    finally:
        if waiting:
            _save_piece(folder, waiting, n_done)


def _save_piece(folder: Path, waiting: list[Events], n_done: int) -> int:
    n_events = sum(len(next(iter(events.values()))) for events in waiting)
    for events in waiting:
        for name in events:
            datasets.check_name(name)
        datasets.check_equal_lengths(events)
    storage.write(folder / _piece_name(n_done), waiting, n_events, attributes={}, intermediate=True)
    return n_done + n_events


def _piece_name(start: int) -> str:
    return f"piece-{start:012d}.h5"


def _pieces(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield the pieces that are whole, in order, with the number of events in each, up to the first gap."""
    start = 0
    while (path := folder / _piece_name(start)).is_file():
        try:
            shapes = datasets.describe(path)
        except storage.DatasetError as error:
            _logger.warning("Simulating again from event %d on: %s", start, error)
            return
        n_events = next(iter(shapes.values()))[0][0]
        yield path, n_events
        start += n_events


def _joined(folder: Path, bar: Any) -> Iterator[Events]:
    for path, n_events in _pieces(folder):
        yield datasets.load(path)
        bar.update(n_events)


def _clear(folder: Path) -> None:
    """Remove what this module wrote, and the folder if nothing else lies in it."""
    for pattern in (_RECIPE, _PIECES, ".*.tmp"):
        for path in folder.glob(pattern):
            path.unlink()
    if not any(folder.iterdir()):
        folder.rmdir()
