import hashlib
import importlib.metadata
import tomllib
from pathlib import Path

import pytest

from showertools import __version__, datasets, downloads

ROOT = Path(__file__).parents[1]
CONTENT = b"a small file"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one file in `data/`, and an empty cache."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("what each file is")
    (tmp_path / "data" / "sample.bin").write_bytes(CONTENT)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(downloads, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(downloads, "REGISTRY", tmp_path / "registry.txt")
    monkeypatch.setenv("SHOWERTOOLS_CACHE", str(tmp_path / "cache"))
    downloads.write_registry()
    return tmp_path


def test_the_registry_is_what_lies_in_data():
    names = [path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").rglob("*") if path.is_file()]
    files = {name for name in names if name != "README.md" and not Path(name).name.startswith(".")}
    hint = "run `python -m showertools.downloads` in the checkout"
    assert set(downloads.registry()) == files, hint
    for name in files:
        assert hashlib.sha256((ROOT / "data" / name).read_bytes()).hexdigest() == downloads.registry()[name], hint
        assert downloads.data_file(name) == ROOT / "data" / name


def test_files_are_small_and_explained():
    sizes = {name: (ROOT / "data" / name).stat().st_size for name in downloads.registry()}
    assert all(size <= 5_000_000 for size in sizes.values())
    assert sum(sizes.values()) <= 40_000_000
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert [name for name in sizes if f"| `{name}` |" not in text] == []


def test_the_registry_is_in_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert downloads.REGISTRY.name in project["tool"]["setuptools"]["package-data"]["showertools"]


def test_the_address_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert downloads.data_address() == f"{project['urls']['Repository']}/raw/v{__version__}/data/"
    assert importlib.metadata.version("showertools") == __version__


def test_a_checkout_needs_no_download(checkout):
    assert downloads.registry() == {"sample.bin": hashlib.sha256(CONTENT).hexdigest()}
    assert datasets.data_file("sample.bin") == checkout / "data" / "sample.bin"
    (checkout / "data" / "sample.bin").write_bytes(b"changed")
    with pytest.raises(
        ValueError, match=r"sample\.bin was altered. Get it back with `git checkout -- data/sample\.bin`"
    ):
        downloads.data_file("sample.bin")


@pytest.mark.parametrize("name", ["other.bin", "../pyproject.toml", "README.md", ""])
@pytest.mark.usefixtures("checkout")
def test_only_registered_names_are_taken(name):
    with pytest.raises(ValueError, match=r"`name` should be one of \['sample\.bin'\]"):
        downloads.data_file(name)


def test_an_installed_package_fetches_once(checkout, monkeypatch):
    (checkout / "pyproject.toml").unlink()  # what lies beside the package is no checkout
    fetched = []

    def download(_, url, output_file, *__):
        fetched.append(url)
        Path(output_file).write_bytes(CONTENT)

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", download)
    for _ in range(2):
        assert downloads.data_file("sample.bin").read_bytes() == CONTENT
    assert fetched == [downloads.data_address() + "sample.bin"]
    (checkout / "cache" / "sample.bin").write_bytes(b"damaged")
    assert downloads.data_file("sample.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("wrong", [b"<html>sign in to the network</html>", None])
def test_without_network_it_names_the_ways_out(checkout, monkeypatch, wrong):
    (checkout / "pyproject.toml").unlink()
    monkeypatch.setattr("time.sleep", lambda _: None)

    def download(_, __, output_file, *___):
        if wrong is None:
            raise ConnectionError("no route to host")
        Path(output_file).write_bytes(wrong)

    monkeypatch.setattr("pooch.HTTPDownloader.__call__", download)
    with pytest.raises(OSError, match=r"could not be fetched.*Without network, copy data/sample\.bin") as caught:
        downloads.data_file("sample.bin")
    assert str(checkout / "cache" / "sample.bin") in str(caught.value)
    (checkout / "cache").mkdir(exist_ok=True)
    (checkout / "cache" / "sample.bin").write_bytes(CONTENT)  # the way out
    assert downloads.data_file("sample.bin").read_bytes() == CONTENT
