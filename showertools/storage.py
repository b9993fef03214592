"""The file under a data set: HDF5 that is written whole or not at all, and refused where a byte has changed.

A file starts with a block of text (HDF5 calls it the user block) that holds the length and the SHA-256 of what follows.
It is compared before HDF5 reads anything, because the HDF5 library may loop for ever or crash on a damaged file. Each
array has besides a SHA-256 of its contents, which does not depend on how they were compressed.

Writing goes through `_Sink`, because the HDF5 library crashes the whole process if the disk is full when it closes a
file, or if an interrupt reaches it in the middle of a write.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from showertools import __version__
from showertools.chunks import Events

PathLike = str | os.PathLike[str]
FORMAT_VERSION = 1
HEADER_SIZE = 512
BLOCK_BYTES = 2**19
"""Size of a compressed block before compression: two fit in HDF5's cache of 1 MiB."""

_MAGIC = b"showertools data set, format "
_HEADER = re.compile(_MAGIC + rb"(\d+)\nsha256 ([0-9a-f]{64})\nbytes (\d+)\n(?:made by: ([ -~]*)\n)?\0*")
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_REMAKE = "python -m showertools simulate KIND --events N --seed S --out FILE"


class DatasetError(ValueError):
    """A file that is no data set, or one that is cut off or altered."""


class MissingArrayError(DatasetError, KeyError):
    """A data set without the array that was asked for."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show quotation marks


class _Sink:
    """A file for HDF5 to write to, in which nothing ever fails: it keeps the first failure to be raised afterwards."""

    def __init__(self, path: Path) -> None:
        self.raw = path.open("x+b", buffering=0)
        self.failure: BaseException | None = None

    def _keep_failure(self, action: Callable[[], int]) -> int:
        if self.failure is None:
            try:
                return action()
            except (OSError, MemoryError, ValueError) as failure:  # ValueError: an interrupt has closed the file
                self.failure = failure
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._keep_failure(lambda: self.raw.seek(offset, whence))

    def tell(self) -> int:
        return self._keep_failure(self.raw.tell)

    def read(self, size: int = -1) -> bytes:
        """Read; h5py takes an object for a file only if it has this."""
        return self.raw.read(size)

    def readinto(self, buffer: memoryview) -> int:
        return self._keep_failure(lambda: self.raw.readinto(buffer))

    def write(self, buffer: bytes) -> int:
        left = memoryview(buffer)
        while len(left) and self.failure is None:
            left = left[self._keep_failure(lambda rest=left: self.raw.write(rest)) :]  # type: ignore[misc]
        return len(buffer)

    def truncate(self, size: int) -> int:
        return self._keep_failure(lambda: self.raw.truncate(size))

    def flush(self) -> None:
        """Do nothing: the file has no buffer."""

    def raise_failure(self) -> None:
        if self.failure is not None:
            raise self.failure


def target(path: PathLike) -> Path:
    """Return where a file is to be written, links followed; raise `OSError` if none can stand there."""
    place = Path(os.path.realpath(path))
    if not place.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, f"make the folder first (mkdir -p {place.parent}); cannot write", str(path)
        )
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder has this name, choose another for the file", str(path))
    if place.exists() and not place.is_file():
        raise OSError(errno.EINVAL, "no ordinary file, choose another name", str(path))
    return place


def write(
    path: PathLike,
    pieces: Iterable[Events],
    n_events: int,
    *,
    attributes: dict[str, Any],
    intermediate: bool = False,
    scratch: Path | None = None,
) -> None:
    """Write arrays that come in pieces, under a temporary name until all is on the disk.

    Parameters
    ----------
    path : path
        What stands there is replaced at the very end, or stays as it is if anything fails.
    pieces : iterable of dict of numpy.ndarray
        Consecutive events, each piece with the same names, types and trailing shapes.
    n_events : int
        Number of events in all pieces together.
    attributes : dict
        Whatever JSON holds. `units` maps names of arrays to units; `command` is what makes the file again.
    intermediate : bool
        Work soon to be read again: neither compressed nor waited for until it is on the disk.
    scratch : pathlib.Path, optional
        Folder for the temporary file, on the same disk; by default that of `path`.

    Raises
    ------
    OSError
        If the file cannot be written; with a way out if the disk is full.
    ValueError
        If the pieces do not fit together.
    """
    place = target(path)
    temporary = (scratch or place.parent) / f".{place.name}.{secrets.token_hex(4)}.tmp"
    sink = None
    try:
        sink = _Sink(temporary)
        _outside_main_thread(lambda: _write_hdf5(sink, pieces, n_events, attributes, not intermediate), sink)
        _seal(sink.raw, str(attributes.get("command", "")))
        if not intermediate:
            os.fsync(sink.raw.fileno())
        sink.raw.close()
        os.replace(temporary, place)  # noqa: PTH105 (atomic also where the name is taken)
        if not intermediate:
            _sync_folder(place.parent)
    except OSError as failure:
        if failure.errno not in _FULL:
            raise
        reason = "no space left on the disk (or in your quota): free some or choose another folder; not written"
        raise OSError(failure.errno, reason, str(path)) from failure
    finally:
        if sink is not None:
            sink.raw.close()
            temporary.unlink(missing_ok=True)


def _outside_main_thread(work: Callable[[], None], sink: _Sink) -> None:
    """Do the work where no Ctrl-C can break into it; one that comes meanwhile ends it at the next block."""
    begin, known = threading.Event(), False

    def wait_and_work() -> None:
        begin.wait()
        if known:
            work()

    with ThreadPoolExecutor(1) as pool:
        try:
            job = pool.submit(wait_and_work)
            known = (
                True  # an interrupt before this line leaves a thread that nobody waits for: it must not touch the file
            )
            begin.set()
            job.result()
        except BaseException as failure:
            sink.failure = sink.failure or failure
            raise
        finally:
            begin.set()


def _write_hdf5(
    sink: _Sink, pieces: Iterable[Events], n_events: int, attributes: dict[str, Any], compress: bool
) -> None:
    units = attributes.get("units", {})
    others = {name: value for name, value in attributes.items() if name != "units"}
    digests: dict[str, Any] = {}
    start = 0
    # The format of HDF5 1.10 has checksums of its own around names, shapes and types.
    with h5py.File(sink, "w", libver=("v110", "v110"), userblock_size=HEADER_SIZE, track_order=True) as file:
        for piece in pieces:
            if not digests:
                digests = _create_arrays(file, piece, n_events, compress)
            _check_same_layout(file, piece, room=n_events - start)
            for name, values in piece.items():
                _append(file[name], values, start, digests[name], sink)
            start += len(next(iter(piece.values())))
        if start != n_events or not digests:
            raise ValueError(f"`pieces` should hold {n_events} events. Received: {start}")
        for name, digest in digests.items():
            file[name].attrs.update({"unit": units.get(name, ""), "sha256": digest.hexdigest()})
        # As text, not as attributes of HDF5: numbers and nested parameters come back exactly as they were.
        file.attrs.update({"showertools_version": __version__, "attributes": json.dumps(others)})
    sink.raise_failure()


def _create_arrays(file: h5py.File, piece: Events, n_events: int, compress: bool) -> dict[str, Any]:
    """Create an empty array for each of the piece; returns their running digests."""
    digests = {}
    for name, values in piece.items():
        shape = (n_events, *values.shape[1:])
        row_bytes = values.dtype.itemsize * int(np.prod(shape[1:]))
        rows = min(max(BLOCK_BYTES // max(row_bytes, 1), 1), n_events)
        filters: dict[str, Any] = {}
        if compress and rows and row_bytes:
            filters = {"chunks": (rows, *shape[1:]), "compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset(name, shape=shape, dtype=values.dtype, **filters)
        digests[name] = new_digest(values.dtype, shape)
    return digests


def _check_same_layout(file: h5py.File, piece: Events, room: int) -> None:
    expected = {name: (array.dtype, array.shape[1:]) for name, array in file.items()}
    received = {name: (array.dtype, array.shape[1:]) for name, array in piece.items()}
    lengths = {len(array) for array in piece.values()}
    if expected != received or len(lengths) != 1 or max(lengths) > room:
        raise ValueError(
            f"each of `pieces` should hold, for at most {room} events, {expected}. Received: {received} for {lengths}"
        )


def _append(array: h5py.Dataset, values: np.ndarray, start: int, digest: Any, sink: _Sink) -> None:
    """Write values from row `start` on, in whole blocks where possible, and add them to the digest."""
    rows = array.chunks[0] if array.chunks else max(len(values), 1)
    first = -(start % rows)
    for begin in range(first, len(values), rows):
        part = values[max(begin, 0) : begin + rows]
        update_digest(digest, part)
        array[start + max(begin, 0) : start + max(begin, 0) + len(part)] = part
        sink.raise_failure()


def new_digest(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Return a SHA-256 that has seen the type and shape of an array, but not yet what it holds."""
    return hashlib.sha256(f"{dtype.str} {list(shape)}\n".encode())


def update_digest(digest: Any, values: np.ndarray) -> None:
    """Add rows to the digest of an array."""
    if values.size:
        digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8))


def _header(digest: str, size: int, command: str) -> bytes:
    lines = [_MAGIC.decode() + str(FORMAT_VERSION), f"sha256 {digest}", f"bytes {size}"]
    text = "\n".join([*lines, ""])
    if command and command.isascii() and command.isprintable() and len(text) + len(command) + 10 < HEADER_SIZE:
        text += f"made by: {command}\n"
    return text.encode().ljust(HEADER_SIZE, b"\0")


def _seal(raw: Any, command: str) -> None:
    """Write the block of text at the start."""
    size = raw.seek(0, os.SEEK_END)
    raw.seek(HEADER_SIZE)
    header = _header(hashlib.file_digest(raw, "sha256").hexdigest(), size, command)
    raw.seek(0)
    if raw.write(header) != len(header):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_folder(folder: Path) -> None:
    """See on the disk that a file has got its name; not every system can do that."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def verify(path: PathLike) -> None:
    """Raise an error unless a file is whole and unaltered, without letting HDF5 see it.

    Raises
    ------
    FileNotFoundError, IsADirectoryError, PermissionError
        If there is nothing to read.
    DatasetError
        If the file is no data set of ours, or cut off, or altered.
    """
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115
    except FileNotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, f"no such file; make it with `{_REMAKE}`", str(path)) from error
    with file:
        header = file.read(HEADER_SIZE)
        size = file.seek(0, os.SEEK_END)
        found = _HEADER.fullmatch(header)
        if found is None:
            raise DatasetError(_why_no_header(path, header))
        version, digest, expected_size, command = found.groups()
        way_out = f"Delete it and make it again: `{(command or b'').decode() or _REMAKE}`"
        if int(version) != FORMAT_VERSION:
            raise DatasetError(
                f"{path} has format {int(version)}, this version reads {FORMAT_VERSION}: update showertools."
            )
        if size < int(expected_size):
            raise DatasetError(f"{path} is cut off: {size} of {int(expected_size)} bytes are there. {way_out}")
        file.seek(HEADER_SIZE)
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if header != _header(actual, size, (command or b"").decode()) or actual.encode() != digest:
        raise DatasetError(f"{path} was altered after it was written: its checksum differs. {way_out}")


def _why_no_header(path: PathLike, header: bytes) -> str:
    start = header[: len(_MAGIC)]
    if len(header) < HEADER_SIZE and _MAGIC.startswith(start):
        return f"{path} is cut off: only {len(header)} bytes are there. Delete it and make it again: `{_REMAKE}`"
    if start == _MAGIC:
        return f"{path} was altered after it was written: its first block is damaged. Make it again: `{_REMAKE}`"
    kind = "an HDF5 file, but not one of" if header.startswith(b"\x89HDF\r\n\x1a\n") else "no data set of"
    return f"{path} is {kind} showertools. Give a file that `datasets.save` or `{_REMAKE}` wrote."


@contextmanager
def opened(path: PathLike) -> Iterator[dict[str, h5py.Dataset]]:
    """Open a file that is whole and unaltered; gives its arrays by name, and nothing that lies outside of it.

    Raises
    ------
    DatasetError
        As `verify`, or if what HDF5 finds is no data set.
    """
    verify(path)
    with _as_dataset_error(path), h5py.File(path, "r", track_order=True) as file:
        arrays = {name: _array_of(path, file, name) for name in file}
        if not arrays:
            raise DatasetError(f"{path} is no data set of showertools: it holds no array.")
        yield arrays


@contextmanager
def _as_dataset_error(path: PathLike) -> Iterator[None]:
    """Turn what HDF5 raises on a file it cannot make sense of into our own error."""
    try:
        yield
    except DatasetError:
        raise
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read: {error}. Make it again: `{_REMAKE}`") from error


def _array_of(path: PathLike, file: h5py.File, name: str) -> h5py.Dataset:
    """Return an array that lies in the file itself; links and arrays of objects could lead anywhere."""
    inside = isinstance(file.get(name, getlink=True), h5py.HardLink)
    array = file[name] if inside else None
    if not isinstance(array, h5py.Dataset) or array.is_virtual or array.external or array.dtype.kind not in "biufc":
        raise DatasetError(f"{path} is no data set of showertools: `{name}` should be an array of numbers in the file.")
    return array


def other_attributes(arrays: dict[str, h5py.Dataset]) -> tuple[dict[str, Any], str]:
    """Return the attributes of an opened file without the units, and the version of the package that wrote it."""
    attributes = next(iter(arrays.values())).file.attrs
    return json.loads(attributes["attributes"]), str(attributes["showertools_version"])
