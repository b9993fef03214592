"""Where CIFAR-10 comes from: your own copy, the cache, Keras's copy, its host; in the quick profile also drawn shapes.

CIFAR-10 holds 60,000 photographs of 32 × 32 pixels in ten classes. It has one host, which is slow or out of reach at
times, and a classroom may have no network at all: so each copy that is already there comes first. What was read once is
kept in the cache as `cifar10.h5`, a data set like all others of this package, with its checksums.

Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009).
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from showertools import cifar10_batches, datasets, downloads, profile, storage
from showertools.chunks import Events
from showertools.storage import DatasetError, PathLike

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""Name of each class, by its number."""
URL = f"https://www.cs.toronto.edu/~kriz/{cifar10_batches.ARCHIVE}"
"""Where the original archive is fetched, the address that Keras uses."""
PATH_VARIABLE = "SHOWERTOOLS_CIFAR10"
"""Environment variable that names an archive or folder."""
OFFLINE_VARIABLE = "SHOWERTOOLS_OFFLINE"
"""Environment variable: with 1 the network is not touched."""
CACHE_NAME = "cifar10.h5"
STAND_IN_SEED = 10

_CONNECT_SECONDS = {"full": 10.0, "quick": 5.0}
_READ_SECONDS = 10.0
# A download that has lasted for the first number of seconds is given up if it would take longer than the second.
_PATIENCE = {"full": (60.0, 7200.0), "quick": (10.0, 120.0)}


def load(path: PathLike | None = None) -> tuple[Events, Events]:
    """Load CIFAR-10 from the first place that has it; see `datasets.load_cifar10`, which is this function."""
    quick, offline = profile.name() == "quick", _offline()
    if path is not None or os.environ.get(PATH_VARIABLE):
        return _parts(_from_user(path))
    data = _from_cache()
    if data is None:
        data = _from_keras()
    if data is None:
        try:
            data = _from_host(offline)
        except OSError as error:
            if not quick:
                raise
            print(
                "These are NOT the photographs of CIFAR-10 but drawn shapes, to try the code on in the quick profile: "
                f"accuracies mean nothing. No copy was found, and none could be fetched ({error.__cause__})."
            )
            data = _stand_in()
    return _parts(data)


def cache_file() -> Path:
    """Return where the cache is, or would be."""
    return downloads.cache_folder() / CACHE_NAME


def _parts(data: Events) -> tuple[Events, Events]:
    n_train = (len(cifar10_batches.BATCHES) - 1) * cifar10_batches.BATCH_SIZE
    train = {name: values[:n_train] for name, values in data.items()}
    return train, {name: values[n_train:] for name, values in data.items()}


def _offline() -> bool:
    value = os.environ.get(OFFLINE_VARIABLE) or "0"
    if value not in {"0", "1"}:
        raise ValueError(f"`{OFFLINE_VARIABLE}` should be '0' or '1'. Received: {value!r}")
    return value == "1"


def _from_user(path: PathLike | None) -> Events:
    """Read the copy that the user names; the error says which setting named it."""
    name = "path" if path is not None else PATH_VARIABLE
    place = Path(os.environ[PATH_VARIABLE] if path is None else path).expanduser()
    try:
        data = cifar10_batches.read(place)
    except DatasetError as error:
        raise DatasetError(f"`{name}` should be a copy of CIFAR-10. Received: {error}") from error
    except FileNotFoundError as error:
        raise FileNotFoundError(f"`{name}` should be a copy of CIFAR-10. Received: {error}") from error
    _keep(data, place)
    return data


def _from_cache() -> Events | None:
    """Return what the cache holds, or nothing if it has nothing or is damaged."""
    place = cache_file()
    try:
        if not place.exists():
            return None
        if datasets.describe(place) != _layout():
            raise DatasetError(f"{place} does not hold the pictures of CIFAR-10.")
        return datasets.load(place)
    except (DatasetError, OSError) as error:
        _say(f"The cache is left out: {error}")
        return None


def _layout() -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and type of the arrays in the cache."""
    n_pictures = len(cifar10_batches.BATCHES) * cifar10_batches.BATCH_SIZE
    return {
        "image": ((n_pictures, *cifar10_batches.SHAPE), np.dtype(np.uint8)),
        "label": ((n_pictures,), np.dtype(np.int64)),
    }


def _from_keras() -> Events | None:
    """Return what Keras has fetched before, or nothing. Names have changed with its versions."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")  # noqa: PTH118
    folder = Path(os.path.expanduser(home)) / "datasets"  # noqa: PTH111 (Path raises an error where there is no home)
    name = cifar10_batches.FOLDER
    for copy in (f"{name}-target", name, f"{name}-target_archive", f"{name}.tar.gz", cifar10_batches.ARCHIVE):
        place = folder / copy
        try:
            if place.exists():
                data = cifar10_batches.read(place)
                _keep(data, place)
                return data
        except (DatasetError, OSError) as error:
            _say(f"The copy of Keras is left out: {error}")
    return None


def _from_host(offline: bool) -> Events:
    """Fetch the original archive. It stays beside the cache until the cache is written, so nothing is fetched twice."""
    with ExitStack() as stack:
        folder = downloads.cache_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except OSError:
            writable = False
        if not writable:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        archive = _fetch(folder, offline)
        data = cifar10_batches.read(archive)
        if _keep(data, archive):
            with suppress(OSError):
                archive.unlink()
    return data


def _fetch(folder: Path, offline: bool) -> Path:
    """Return the whole archive in a folder, fetched if it is not there yet; raise `OSError` with the ways out."""
    import pooch

    archive = folder / cifar10_batches.ARCHIVE
    kind = profile.name()
    try:
        if offline and not (archive.is_file() and pooch.file_hash(str(archive)) == cifar10_batches.SHA256):
            raise OSError(f"{OFFLINE_VARIABLE}=1: the network is not to be used")
        fetched = pooch.retrieve(
            URL,
            known_hash=f"sha256:{cifar10_batches.SHA256}",
            fname=archive.name,
            path=folder,
            downloader=pooch.HTTPDownloader(
                progressbar=_Progress(*_PATIENCE[kind]),
                chunk_size=4096,
                timeout=(_CONNECT_SECONDS[kind], _READ_SECONDS),
            ),
        )
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another checksum
        raise OSError(
            f"CIFAR-10 could not be fetched from {URL} ({error}). Two ways out: (1) get {archive.name} (170 MB) "
            f"elsewhere, such as from a memory stick, and set the environment variable {PATH_VARIABLE} to its path; "
            f"(2) try again later, or copy {CACHE_NAME} from the cache of another machine to {cache_file()}. To go on "
            f"without it, on drawn shapes, set {profile.VARIABLE}=quick."
        ) from error
    return Path(fetched)


class _Progress:
    """Progress bar for pooch, which gives up where the host is so slow that the end is out of sight."""

    def __init__(self, patience: float, longest: float) -> None:
        self._patience, self._longest = patience, longest
        self._bar: Any = None
        self._start = 0.0
        self.total = 0

    def update(self, n_bytes: int) -> None:
        """Count bytes that have come."""
        if self._bar is None:
            from tqdm import tqdm

            self.total = self.total or cifar10_batches.ARCHIVE_BYTES
            self._bar = tqdm(total=self.total, desc="CIFAR-10", unit="B", unit_scale=True, ncols=79)
            self._start = time.monotonic()
        self._bar.update(n_bytes)
        seconds = time.monotonic() - self._start
        expected = seconds * self.total / max(self._bar.n, 1)
        if seconds > self._patience and expected > self._longest:
            self.close()
            pace = self._bar.n / seconds / 1000
            raise TimeoutError(f"given up: at {pace:.1f} kB/s it would take {expected / 60:.0f} minutes")

    def reset(self) -> None:
        """Start from 0, as pooch does at the end to fill the bar."""
        if self._bar is not None:
            self._bar.reset()
            self._patience = float("inf")

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


def _keep(data: Events, source: Path) -> bool:
    """Write the cache unless it holds the same; return whether it does in the end. Where it cannot, say so."""
    place = cache_file()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists() and _holds(place, data):
            return True
        attributes = {
            "source": source.name,
            "rows": f"0 to {len(_parts(data)[0]['label']) - 1} are for training, the others for testing",
            "classes": list(CLASSES),
            "command": "python -c 'from showertools import datasets; datasets.load_cifar10()'",
        }
        datasets.save(place, data, attributes=attributes)
    except OSError as error:
        _say(f"The cache was not written, the next time {source.name} is read again: {error}")
        return False
    return True


def _holds(place: Path, data: Events) -> bool:
    """Return whether the cache holds these data already; what cannot be a cache is moved aside."""
    try:
        with storage.opened(place) as arrays:
            if {name: (array.shape, array.dtype) for name, array in arrays.items()} != _layout():
                raise DatasetError("it holds something else")
            return all(arrays[name].attrs["sha256"] == _digest(values) for name, values in data.items())
    except DatasetError:
        aside = place.with_name(f"{place.name}.damaged")
        if aside.exists():
            raise FileExistsError(f"{place} and {aside} are in its way; delete them") from None
        place.rename(aside)
        _say(f"The file in the cache was moved to {aside}; delete it if nobody needs it.")
        return False


def _digest(values: np.ndarray) -> str:
    digest = storage.new_digest(values.dtype, values.shape)
    storage.update_digest(digest, values)
    return str(digest.hexdigest())


def _stand_in() -> Events:
    from showertools import drawn_pictures

    return drawn_pictures.simulate(len(cifar10_batches.BATCHES) * cifar10_batches.BATCH_SIZE, seed=STAND_IN_SEED)


def _say(text: str) -> None:
    print(text, file=sys.stderr)
