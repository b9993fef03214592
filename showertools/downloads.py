"""Small files of the course (samples, trained weights): beside the package in a checkout, else fetched once.

What each file must hold stands in `data_registry.txt`, one line of name and SHA-256 a file. After a file of `data/` was
changed, `python -m showertools.downloads` in the checkout writes the registry again.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path

from showertools import __version__
from showertools.storage import DatasetError

REGISTRY = Path(__file__).with_name("data_registry.txt")
_CHECKOUT = Path(__file__).parents[1]


def data_file(name: str) -> Path:
    """Return the path of a small file of the course, fetched if need be.

    Parameters
    ----------
    name : str
        Name in `data/`, as the registry has it.

    Returns
    -------
    pathlib.Path
        A file whose SHA-256 is that of the registry.

    Raises
    ------
    ValueError
        If the registry has no such name, or the file of the checkout was altered.
    OSError
        If the file can be neither found nor fetched; the message says how to put it in place by hand.
    """
    known = registry()
    if name not in known:
        raise ValueError(f"`name` should be one of {sorted(known)}. Received: {name!r}")
    local = _CHECKOUT / "data" / name
    if (_CHECKOUT / "pyproject.toml").is_file() and local.is_file():
        if _sha256(local) != known[name]:
            raise DatasetError(f"{local} was altered. Get it back with `git checkout -- data/{name}`.")
        return local
    return _fetch(name, known[name])


def cache_folder() -> Path:
    """Return the folder for fetched files: `SHOWERTOOLS_CACHE`, else the one that the system has for that."""
    chosen = os.environ.get("SHOWERTOOLS_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch

    return Path(pooch.os_cache("showertools"))


def data_address() -> str:
    """Return the address under which `data/` of the installed version lies in the repository."""
    links = importlib.metadata.metadata("showertools").get_all("Project-URL") or []
    addresses = dict(link.split(", ", 1) for link in links)
    if "Repository" not in addresses:
        raise OSError("the installed package does not say where its repository is: install it again from a checkout")
    return f"{addresses['Repository'].rstrip('/')}/raw/v{__version__}/data/"


def registry() -> dict[str, str]:
    """Return the SHA-256 of each file by its name."""
    lines = REGISTRY.read_text(encoding="utf-8").splitlines()
    return dict(line.rsplit(maxsplit=1) for line in lines if line.strip())  # type: ignore[misc]


def write_registry() -> None:
    """Write the registry from the files in `data/` of the checkout; its README is for people and stays out."""
    folder = _CHECKOUT / "data"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path: path.relative_to(folder).as_posix() for path in files}
    kept = [path for path, name in names.items() if name != "README.md" and not path.name.startswith(".")]
    REGISTRY.write_text("".join(f"{names[path]} {_sha256(path)}\n" for path in kept), encoding="utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(name: str, sha256: str) -> Path:
    import pooch

    folder = cache_folder()
    files = pooch.create(folder, base_url=data_address(), registry={name: sha256}, retry_if_failed=1)
    try:
        return Path(files.fetch(name, downloader=pooch.HTTPDownloader(progressbar=True, timeout=30)))
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; ValueError: another checksum
        raise OSError(
            f"{name} could not be fetched from {files.get_url(name)} ({error}). Without network, copy data/{name} of "
            f"the repository (version {__version__}) to {folder / name}, or work in a checkout."
        ) from error


if __name__ == "__main__":
    write_registry()
