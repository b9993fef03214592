"""Reads the original files of CIFAR-10 without trusting them.

The 60,000 pictures come as six batches, five for training and one for testing, each a pickle of Python: a small program
that builds objects, and that could do anything else as well. So nothing of what it asks for is called. The few names
that a pickled array of numbers needs lead to stand-ins of this module, which only note type, shape and bytes. Any other
name is an error. Archives are read without being unpacked to the disk.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009),
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import gzip
import io
import pickle
import posixpath
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from showertools.storage import DatasetError, PathLike

ARCHIVE = "cifar-10-python.tar.gz"
"""Name of the original archive."""
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
"""SHA-256 of the original archive."""
ARCHIVE_BYTES = 170_498_071
"""Size of the original archive."""
FOLDER = "cifar-10-batches-py"
"""The folder in the archive."""
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
"""Files in the folder, in the order of the rows; the last one is for testing."""
BATCH_SIZE = 10_000
"""Pictures in a batch."""
SHAPE = (32, 32, 3)
"""Rows, columns and colours of a picture."""
N_CLASSES = 10

_MAX_MEMBER_BYTES = 64 * 2**20  # a batch has 31 MB
_MAX_ARCHIVE_BYTES = 512 * 2**20  # unpacked; the original has 186 MB
_WAY_OUT = f"Get the archive again: {ARCHIVE}, {ARCHIVE_BYTES} bytes, SHA-256 {SHA256}."


def read(path: PathLike) -> dict[str, NDArray[Any]]:
    """Read the original archive, or the folder that it unpacks to.

    Parameters
    ----------
    path : path
        `cifar-10-python.tar.gz` (or the same unzipped), the folder `cifar-10-batches-py`, or one that holds either.

    Returns
    -------
    dict
        `image` (60000, 32, 32, 3) uint8 with the colours red, green, blue; `label` (60000,) int64 from 0 to 9. The
        first 50000 are for training.

    Raises
    ------
    FileNotFoundError
        If there is nothing of this name.
    OSError
        If it may not be read.
    DatasetError
        A `ValueError`: what is there is damaged, or something else.
    """
    place = _locate(Path(path))
    n_pictures = len(BATCHES) * BATCH_SIZE
    data: dict[str, NDArray[Any]] = {
        "image": np.empty((n_pictures, *SHAPE), np.uint8),
        "label": np.empty(n_pictures, np.int64),
    }
    missing = set(BATCHES)
    for name, raw in _from_folder(place) if place.is_dir() else _from_archive(place):
        start = BATCHES.index(name) * BATCH_SIZE
        rows = slice(start, start + BATCH_SIZE)
        pixels, data["label"][rows] = _decode(raw, f"{name} of {place}")
        data["image"][rows] = pixels.reshape(-1, SHAPE[2], *SHAPE[:2]).transpose(0, 2, 3, 1)
        missing.remove(name)
    if missing:
        raise DatasetError(f"{place} is incomplete: {', '.join(sorted(missing))} should be in it. {_WAY_OUT}")
    return data


def _locate(path: Path) -> Path:
    """Return the archive, or the folder with the batches."""
    if path.is_file() or any((path / name).exists() for name in BATCHES):
        return path
    for inner in (path / FOLDER, path / ARCHIVE):
        if inner.exists():
            return inner
    if path.is_dir():
        raise DatasetError(f"{path} holds neither {ARCHIVE} nor {FOLDER}. {_WAY_OUT}")
    raise FileNotFoundError(f"{path} does not exist; give {ARCHIVE}, or the folder {FOLDER}")


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in BATCHES:
        file = folder / name
        if file.is_file():
            if file.stat().st_size > _MAX_MEMBER_BYTES:
                raise DatasetError(f"{file} is too large for a batch: {file.stat().st_size} bytes. {_WAY_OUT}")
            yield name, file.read_bytes()


def _from_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        try:
            with gzip.GzipFile(fileobj=file) if packed else file as unpacked:
                stream = _Capped(unpacked)
                with tarfile.open(fileobj=stream, mode="r|", bufsize=2**16) as archive:  # type: ignore[call-overload]
                    yield from _members(archive)
                while stream.read(2**20):  # gzip compares its checksum at the very end
                    pass
        except DatasetError as error:
            raise DatasetError(f"{path} {error}. {_WAY_OUT}") from error
        except EOFError as error:
            raise DatasetError(f"{path} is cut off. {_WAY_OUT}") from error
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError) as error:
            raise DatasetError(f"{path} is damaged, or no tar archive: {error}. {_WAY_OUT}") from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yield the batches of an archive; refuse one with anything that no archive of pictures holds."""
    left = set(BATCHES)
    for member in archive:
        parts = member.name.split("/")
        if not (member.isdir() or member.isreg()) or member.issparse():
            raise DatasetError(f"holds `{member.name}`, neither an ordinary file nor a folder")
        if member.name.startswith("/") or ".." in parts:
            raise DatasetError(f"holds `{member.name}`, a name that leads outside")
        if member.size > _MAX_MEMBER_BYTES:
            raise DatasetError(f"holds `{member.name}`, too large with {member.size} bytes")
        folder, name = posixpath.split(posixpath.normpath(member.name))
        if folder == FOLDER and name in BATCHES:
            if name not in left:
                raise DatasetError(f"holds `{member.name}` twice")
            left.remove(name)
            file = archive.extractfile(member)
            raw = file.read() if file else b""
            if len(raw) != member.size:
                raise EOFError
            yield name, raw


class _Capped(io.RawIOBase):
    """Stream that ends with an error where more comes out of an archive than any archive of CIFAR-10 holds."""

    def __init__(self, stream: BinaryIO | gzip.GzipFile) -> None:
        self._stream, self._left = stream, _MAX_ARCHIVE_BYTES

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self._left + 1 if size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise DatasetError(f"is too large: it unpacks to more than {_MAX_ARCHIVE_BYTES} bytes")
        return content


def _decode(raw: bytes, place: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels (n, 3072) and labels (n,) of a batch; `place` names it in errors."""
    try:
        batch = unpickle(raw)
    except pickle.UnpicklingError as error:
        raise DatasetError(f"{place} cannot be read: {error}. {_WAY_OUT}") from error
    if not isinstance(batch, dict):
        raise DatasetError(f"{place} should be a dict. Received: {type(batch).__name__}. {_WAY_OUT}")
    pixels, labels = (batch.get(name.encode(), batch.get(name)) for name in ("data", "labels"))
    expected = (BATCH_SIZE, int(np.prod(SHAPE)))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape != expected:
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise DatasetError(f"{place}: `data` should be uint8 {expected}. Received: {found}. {_WAY_OUT}")
    if isinstance(labels, np.ndarray):
        labels = labels.tolist()
    if not isinstance(labels, list) or len(labels) != BATCH_SIZE:
        found = f"{len(labels)} of them" if isinstance(labels, list) else type(labels).__name__
        raise DatasetError(
            f"{place}: `labels` should be a list of {BATCH_SIZE} integers. Received: {found}. {_WAY_OUT}"
        )
    bad = [label for label in labels if type(label) is not int or not 0 <= label < N_CLASSES]
    if bad:
        raise DatasetError(f"{place}: `labels` should lie from 0 to {N_CLASSES - 1}. Received: {bad[0]!r}. {_WAY_OUT}")
    return pixels, np.array(labels, np.int64)


def unpickle(raw: bytes) -> Any:
    """Return what a pickle of plain containers, text, numbers and arrays of integers holds; run nothing.

    Parameters
    ----------
    raw : bytes
        A pickle of any protocol, of Python 2 or 3. Text of Python 2 comes back as bytes.

    Returns
    -------
    object
        What was pickled; arrays are numpy.ndarray in a dict, list or tuple at the top, `_Array` further inside.

    Raises
    ------
    pickle.UnpicklingError
        If it is damaged, or asks for anything else.
    """
    try:
        return _resolved(_Unpickler(io.BytesIO(raw), encoding="bytes").load())
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise pickle.UnpicklingError(f"it is damaged ({type(error).__name__}: {error})") from error


def _resolved(value: Any) -> Any:
    """Put arrays in the place of their stand-ins, at the top of what was pickled."""
    if isinstance(value, _Array):
        return value.resolved()
    if type(value) in (list, tuple):
        return type(value)(entry.resolved() if isinstance(entry, _Array) else entry for entry in value)
    if type(value) is dict:
        return {key: entry.resolved() if isinstance(entry, _Array) else entry for key, entry in value.items()}
    return value


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            wanted = f"it asks for `{module}.{name}`, which no picture needs, and was not run"
            raise pickle.UnpicklingError(wanted) from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError(f"it asks for an object outside of the file ({str(pid)[:40]!r}), and was not run")


class _Stub:
    """Stands for a function or a class of NumPy in a pickle; nothing can be set on it."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it tries to change a function, and was not run")


class _Type:
    """Stands for a `numpy.dtype`."""

    def __init__(self, name: Any, *_: Any) -> None:
        self._name, self._order = _text(name), "|"

    def __setstate__(self, state: Any) -> None:
        self._order = _text(state[1])

    def resolved(self) -> np.dtype[Any]:
        if not re.fullmatch("[iu][1248]", self._name) or self._order not in tuple("|<>="):
            raise pickle.UnpicklingError(f"its arrays should hold integers. Received: dtype {self._name[:40]!r}")
        return np.dtype(self._order + self._name)


class _Array:
    """Stands for a `numpy.ndarray`."""

    def __init__(self) -> None:
        self._array: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, by_columns, raw = state
        self.fill(raw, kind, shape, "F" if by_columns else "C")

    def fill(self, raw: Any, kind: Any, shape: Any, order: Any) -> _Array:
        if not isinstance(kind, _Type):
            raise pickle.UnpicklingError("its arrays should have a type")
        dtype = kind.resolved()
        if not isinstance(raw, (bytes, bytearray)) or not all(type(length) is int and length >= 0 for length in shape):
            raise pickle.UnpicklingError("its arrays should have bytes and a shape")
        self._array = np.frombuffer(raw, dtype).reshape(tuple(shape), order="F" if order == "F" else "C")
        return self

    def resolved(self) -> NDArray[Any]:
        if self._array is None:
            raise pickle.UnpicklingError("one of its arrays is empty")
        return self._array


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin1")
    if not isinstance(value, str):
        raise pickle.UnpicklingError("its types should have names")
    return value


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand for `_codecs.encode`, which turns text to bytes where a pickle of protocol 2 was made by Python 3."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("its bytes should be written as latin1")
    return text.encode("latin1")


_ADMITTED = {
    ("numpy", "ndarray"): _Stub(_Array),
    ("numpy", "dtype"): _Stub(_Type),
    ("_codecs", "encode"): _Stub(_encode),
}
for _core in ("numpy.core", "numpy._core"):  # of NumPy 1 and 2
    _ADMITTED[f"{_core}.multiarray", "_reconstruct"] = _Stub(lambda *_: _Array())
    _ADMITTED[f"{_core}.numeric", "_frombuffer"] = _Stub(
        lambda raw, kind, shape, order: _Array().fill(raw, kind, shape, order)
    )
