"""Data sets: dicts of equally long arrays, saved as they are to HDF5.

A file is written whole or not at all, says what it was made with, and is refused with a clear error if it is cut off,
altered or foreign. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike

from showertools import _checks, storage
from showertools.chunks import Events, check_size
from showertools.downloads import data_file
from showertools.storage import DatasetError, MissingArrayError, PathLike

__all__ = [
    "DatasetError",
    "MissingArrayError",
    "attributes",
    "data_file",
    "describe",
    "load",
    "load_cifar10",
    "save",
    "split",
    "stream",
]


def save(path: PathLike, data: Mapping[str, ArrayLike], *, attributes: Mapping[str, Any]) -> None:
    """Save a data set; a file of that name is replaced once the new one is complete, else it stays as it is.

    Parameters
    ----------
    path : path
        HDF5 file to write; its folder must exist.
    data : dict of array_like
        Arrays of numbers or booleans of equal length, one entry an event.
    attributes : dict
        What the data were made with: numbers, text, booleans, None, and lists and dicts of these (tuples come back as
        lists). `units` is a dict from names of arrays to units, `command` the command that makes the file again.

    Raises
    ------
    ValueError
        If there is no array, or if arrays differ in length, hold objects or text, or have names that HDF5 cannot store.
    OSError
        If the file cannot be written; if the disk is full, with the way out.

    Examples
    --------
    >>> attributes = {"seed": 1, "units": {"xmax": "g/cm2"}}
    >>> save("sample.h5", {"xmax": [700.0, 750.0]}, attributes=attributes)  # doctest: +SKIP
    """
    arrays = {check_name(name): _check_array(name, values) for name, values in _check_mapping(data, "data").items()}
    n_events = check_equal_lengths(arrays)
    storage.write(path, [arrays], n_events, attributes=check_attributes(attributes, arrays))


def load(path: PathLike, keys: Sequence[str] | None = None) -> Events:
    """Load a data set, or some arrays of it.

    Parameters
    ----------
    path : path
        A file that `save` or `python -m showertools simulate` wrote.
    keys : sequence of str, optional
        Names of the arrays to load; by default all.

    Returns
    -------
    dict of numpy.ndarray
        Arrays of equal length, in the order of `keys` or as they were saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message says how to make it.
    DatasetError
        A `ValueError`: the file is no data set, cut off or altered.
    MissingArrayError
        A `DatasetError` and a `KeyError`: an array is not in the file.
    """
    data = {}
    with storage.opened(path) as arrays:
        for name in _check_keys(path, keys, arrays):
            data[name] = arrays[name][...]
            digest = storage.new_digest(arrays[name].dtype, arrays[name].shape)
            storage.update_digest(digest, data[name])
            _check_digest(path, arrays[name], digest)
    return data


def load_cifar10(path: PathLike | None = None) -> tuple[Events, Events]:
    """Load CIFAR-10: 50,000 photographs for training and 10,000 for testing, in ten classes.

    The first of these is taken: `path`, else what the environment variable `SHOWERTOOLS_CIFAR10` names; the package's
    cache; a copy that Keras has fetched; the original host (not with `SHOWERTOOLS_OFFLINE=1`). What was read is kept in
    the cache. Only in the quick profile, where all of them fail, drawn shapes take its place, and a line says so.

    Parameters
    ----------
    path : path, optional
        The archive `cifar-10-python.tar.gz`, the folder `cifar-10-batches-py`, or one that holds either.

    Returns
    -------
    train, test : dict
        `image` (n, 32, 32, 3) uint8, the colours are red, green, blue; `label` (n,) int64, the class's place in
        `cifar10.CLASSES`.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    DatasetError
        A `ValueError`: what is at `path` is damaged, or something else. Nothing in it was run.
    OSError
        If CIFAR-10 can be neither found nor fetched; the message names the ways out.
    ValueError
        If an environment variable is none of what it should be.

    Examples
    --------
    >>> train, test = load_cifar10()  # doctest: +SKIP
    """
    from showertools import cifar10

    return cifar10.load(path)


def stream(path: PathLike, keys: Sequence[str] | None = None, *, chunk_size: int = 1024) -> Iterator[Events]:
    """Yield a data set chunk by chunk, so that only one chunk is in memory.

    The file's checksum is verified before the first chunk.

    Parameters
    ----------
    path, keys
        As for `load`.
    chunk_size : int
        Events in a chunk; the last one may hold fewer.

    Yields
    ------
    dict of numpy.ndarray
        The next `chunk_size` events.

    Raises
    ------
    ValueError, FileNotFoundError
        As `load`, at the call or with the first chunk.
    """
    check_size(chunk_size, "chunk_size", minimum=1)
    return _stream(path, keys, chunk_size)


def _stream(path: PathLike, keys: Sequence[str] | None, chunk_size: int) -> Iterator[Events]:
    with storage.opened(path) as arrays:
        names = _check_keys(path, keys, arrays)
        digests = {name: storage.new_digest(arrays[name].dtype, arrays[name].shape) for name in names}
        for start in range(0, _n_events(arrays), chunk_size):
            chunk = {name: arrays[name][start : start + chunk_size] for name in names}
            for name, values in chunk.items():
                storage.update_digest(digests[name], values)
            yield chunk
        for name in names:
            _check_digest(path, arrays[name], digests[name])


def attributes(path: PathLike) -> dict[str, Any]:
    """Return what a data set was made with.

    Returns
    -------
    dict
        The attributes it was saved with, among them `units`; besides `format_version`, `showertools_version` and
        `checksum`, a SHA-256 of names and contents that is the same wherever the data are the same.

    Raises
    ------
    ValueError, FileNotFoundError
        As `load`.
    """
    with storage.opened(path) as arrays:
        saved, version = storage.other_attributes(arrays)
        contents = "\n".join(f"{name} {arrays[name].attrs['sha256']}" for name in sorted(arrays))
        return {
            **saved,
            "units": {name: str(array.attrs["unit"]) for name, array in arrays.items()},
            "format_version": storage.FORMAT_VERSION,
            "showertools_version": version,
            "checksum": hashlib.sha256(contents.encode()).hexdigest(),
        }


def describe(path: PathLike) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of each array of a data set without reading them.

    Raises
    ------
    ValueError, FileNotFoundError
        As `load`.
    """
    with storage.opened(path) as arrays:
        return {name: (array.shape, array.dtype) for name, array in arrays.items()}


def split(
    data: Mapping[str, ArrayLike], *, fractions: Sequence[float] = (0.8, 0.1, 0.1), seed: int
) -> tuple[Events, ...]:
    """Shuffle a data set and cut it into parts, such as training, validation and test.

    Parameters
    ----------
    data : dict of array_like
        Arrays of equal length; all are shuffled alike.
    fractions : sequence of float
        The share of each part, in sum 1; the parts together hold every event once.
    seed : int
        Not negative. The same seed gives the same parts.

    Returns
    -------
    tuple of dict of numpy.ndarray
        One data set for each fraction.

    Raises
    ------
    ValueError
        If the fractions are negative or do not sum to 1, or the arrays differ in length.

    Examples
    --------
    >>> train, test = split({"x": np.arange(10)}, fractions=(0.8, 0.2), seed=1)
    >>> len(train["x"]), len(test["x"])
    (8, 2)
    """
    shares = _checks.real(fractions, "fractions")
    if shares.ndim != 1 or not np.all(shares >= 0) or not np.isclose(shares.sum(), 1, rtol=0, atol=1e-9):
        raise ValueError(f"`fractions` should be numbers of at least 0 that sum to 1. Received: {fractions!r}")
    arrays = {name: np.asarray(values) for name, values in _check_mapping(data, "data").items()}
    n_events = check_equal_lengths(arrays)
    order = np.random.default_rng(check_size(seed, "seed", minimum=0)).permutation(n_events)
    edges = np.rint(np.cumsum(shares) * n_events).astype(int)[:-1]
    return tuple({name: values[part] for name, values in arrays.items()} for part in np.split(order, edges))


def check_name(name: object) -> str:
    """Return the name of an array if HDF5 can store it; raise `ValueError` otherwise."""
    good = isinstance(name, str) and name not in ("", ".") and not set(name) & {"/", "\0"}
    if good and isinstance(name, str) and name.encode(errors="replace").decode() == name:
        return name
    raise ValueError(f"`data` should have names of text, not empty and without '/', as keys. Received: {name!r}")


def _check_mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"`{name}` should be a dict. Received: {type(value).__name__}")
    return value


def _check_array(name: str, values: ArrayLike) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different length
        raise ValueError(
            f"`data[{name!r}]` should be an array of numbers. Received: {type(values)} ({error})"
        ) from error
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8 * (1 + (array.dtype.kind == "c")):
        raise ValueError(f"`data[{name!r}]` should hold numbers or booleans. Received: dtype {array.dtype}")
    return array


def check_equal_lengths(arrays: Mapping[str, np.ndarray]) -> int:
    """Return the number of events; raise `ValueError` if arrays differ in length or there is none."""
    if not arrays:
        raise ValueError("`data` should hold at least one array. Received: {}")
    lengths = {name: len(array) if array.ndim else None for name, array in arrays.items()}
    n_events = next(iter(lengths.values()))
    if n_events is None or len(set(lengths.values())) > 1:
        raise ValueError(f"`data` should hold arrays of equal length. Received: {lengths}")
    return n_events


def check_attributes(attributes: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return attributes as plain Python values; raise `ValueError` if they cannot be stored as they are."""
    plain = _plain(_check_mapping(attributes, "attributes"), "attributes")
    for derived in (
        "format_version",
        "showertools_version",
        "checksum",
    ):  # so that `attributes(path)` can be saved again
        plain.pop(derived, None)
    units = plain.get("units", {})
    names = list(names)
    good = isinstance(units, dict) and set(units) <= set(names)
    if not good or not all(isinstance(unit, str) and "\0" not in unit for unit in units.values()):
        raise ValueError(f"`attributes['units']` should map names of {names} to text. Received: {units!r}")
    return dict(plain)


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        return _plain(value.item(), name)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"`{name}` should have text as keys. Received: {list(value)}")
        return {key: _plain(entry, f"{name}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry, f"{name}[{index}]") for index, entry in enumerate(value)]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ValueError(f"`{name}` should be text, a number, a boolean, or a list or dict of these. Received: {value!r}")


def _n_events(arrays: Mapping[str, h5py.Dataset]) -> int:
    return len(next(iter(arrays.values())))


def _check_keys(path: PathLike, keys: Sequence[str] | None, arrays: Mapping[str, h5py.Dataset]) -> list[str]:
    if keys is None:
        return list(arrays)
    if isinstance(keys, str) or not isinstance(keys, Sequence) or not keys:
        raise DatasetError(f"`keys` should be a list of names, not empty. Received: {keys!r}")
    missing = [key for key in keys if not isinstance(key, str) or key not in arrays]
    if missing:
        raise MissingArrayError(f"{path} has no {missing}. `keys` should be some of {list(arrays)}. Received: {keys}")
    return list(keys)


def _check_digest(path: PathLike, array: h5py.Dataset, digest: Any) -> None:
    if digest.hexdigest() != array.attrs["sha256"]:
        name = array.name.lstrip("/")
        raise DatasetError(f"{path} was altered: the checksum of `{name}` differs. Delete it and make it again.")
