import functools
import hashlib
import io
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from showertools import cifar10, datasets, storage
from showertools import cifar10_batches as batches
from showertools.datasets import DatasetError

SIZE = 10
NOT_FETCHED = (
    r"CIFAR-10 could not be fetched from http.*SHOWERTOOLS_CIFAR10.*copy cifar10\.h5.*SHOWERTOOLS_PROFILE=quick"
)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty home and cache, ten pictures a batch, no network."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    for name in ("KERAS_HOME", "SHOWERTOOLS_CIFAR10", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("SHOWERTOOLS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SHOWERTOOLS_OFFLINE", "1")
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", "full")
    monkeypatch.setattr(batches, "BATCH_SIZE", SIZE)
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return tmp_path / "home"


def make(seed):
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, 256, (SIZE, 3072), dtype=np.uint8), rng.integers(0, 10, SIZE).tolist()) for _ in range(6)]


def pickles(seed):
    return {
        name: pickle.dumps({b"data": pixels, b"labels": labels})
        for name, (pixels, labels) in zip(batches.BATCHES, make(seed), strict=True)
    }


def folder_at(folder, seed=1):
    folder.mkdir(parents=True)
    for name, raw in pickles(seed).items():
        (folder / name).write_bytes(raw)
    return folder


@functools.cache  # gzip writes the time: a second one would differ
def archive_bytes(seed=1):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, raw in pickles(seed).items():
            member = tarfile.TarInfo(f"{batches.FOLDER}/{name}")
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return file.getvalue()


def assert_is(parts, seed):
    train, test = parts
    for part, wanted in ((train, make(seed)[:5]), (test, make(seed)[5:])):
        assert list(part) == ["image", "label"]
        assert (part["image"].dtype, part["label"].dtype) == (np.uint8, np.int64)
        assert part["label"].tolist() == [label for _, labels in wanted for label in labels]
        pixels = np.concatenate([pixels for pixels, _ in wanted])
        assert part["image"].shape == (len(pixels), 32, 32, 3)
        for color in range(3):
            np.testing.assert_array_equal(
                part["image"][..., color].reshape(len(pixels), -1), pixels[:, 1024 * color : 1024 * (color + 1)]
            )


def test_classes_are_those_of_the_original():
    assert cifar10.CLASSES[3] == "cat"
    assert len(cifar10.CLASSES) == batches.N_CLASSES
    assert cifar10.URL == "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"


def test_a_path_is_read_and_kept(tmp_path, home, capsys):
    folder = folder_at(tmp_path / "stick" / batches.FOLDER)
    assert_is(datasets.load_cifar10(folder), 1)
    saved = datasets.attributes(cifar10.cache_file())
    assert saved["source"] == batches.FOLDER
    assert saved["rows"] == "0 to 49 are for training, the others for testing"
    assert str(tmp_path) not in repr(saved)
    for name in batches.BATCHES:
        (folder / name).unlink()
    assert_is(datasets.load_cifar10(), 1)  # from the cache
    assert [file.name for file in cifar10.cache_file().parent.iterdir()] == ["cifar10.h5"]
    assert capsys.readouterr() == ("", "")
    assert not home.exists()


def test_the_path_is_the_first_place(tmp_path, monkeypatch):
    one = folder_at(tmp_path / "one" / batches.FOLDER, 1)
    two = tmp_path / "two.tar.gz"
    two.write_bytes(archive_bytes(2))
    folder_at(tmp_path / "home" / ".keras" / "datasets" / batches.FOLDER, 3)
    monkeypatch.setenv("SHOWERTOOLS_CIFAR10", str(two))
    assert_is(datasets.load_cifar10(str(one.parent)), 1)
    assert_is(datasets.load_cifar10(), 2)
    monkeypatch.setenv("SHOWERTOOLS_CIFAR10", "")
    assert_is(datasets.load_cifar10(), 2)  # the cache holds what was read last
    cifar10.cache_file().unlink()
    assert_is(datasets.load_cifar10(), 3)
    monkeypatch.setenv("SHOWERTOOLS_CIFAR10", os.path.join("~", "copy.tar.gz"))  # noqa: PTH118
    (tmp_path / "home" / "copy.tar.gz").write_bytes(archive_bytes(4))
    assert_is(datasets.load_cifar10(), 4)


@pytest.mark.parametrize("profile", ["full", "quick"])
def test_a_bad_path_is_an_error_in_either_profile(tmp_path, monkeypatch, profile):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", profile)
    folder_at(tmp_path / "home" / ".keras" / "datasets" / batches.FOLDER)  # nothing else is tried
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(archive_bytes()[:-40])
    with pytest.raises(
        DatasetError, match=r"`path` should be a copy of CIFAR-10\. Received: .*bad\.tar\.gz is cut off"
    ):
        datasets.load_cifar10(bad)
    with pytest.raises(FileNotFoundError, match=r"`path` should be a copy of CIFAR-10.*nowhere does not exist"):
        datasets.load_cifar10(tmp_path / "nowhere")
    monkeypatch.setenv("SHOWERTOOLS_CIFAR10", str(tmp_path))
    with pytest.raises(DatasetError, match=r"`SHOWERTOOLS_CIFAR10` should be a copy of CIFAR-10.*holds neither"):
        datasets.load_cifar10()
    assert not cifar10.cache_file().exists()


def test_the_same_is_not_written_again(tmp_path):
    folder = folder_at(tmp_path / "one")
    datasets.load_cifar10(folder)
    before = cifar10.cache_file().stat()
    assert_is(datasets.load_cifar10(folder), 1)
    assert cifar10.cache_file().stat().st_mtime_ns == before.st_mtime_ns
    assert cifar10.cache_file().stat().st_ino == before.st_ino
    assert_is(datasets.load_cifar10(folder_at(tmp_path / "two", 2)), 2)
    assert_is(datasets.load_cifar10(), 2)


@pytest.mark.parametrize("damage", ["cut", "altered", "other", "foreign"])
def test_a_damaged_cache_is_said_and_healed_and_not_lost(tmp_path, home, capsys, damage):
    place = cifar10.cache_file()
    datasets.load_cifar10(folder_at(tmp_path / "one"))
    raw = bytearray(place.read_bytes())
    if damage == "cut":
        del raw[-100:]
    elif damage == "altered":
        raw[5000] ^= 1
    elif damage == "other":
        datasets.save(place, {"image": [1]}, attributes={})
        raw = place.read_bytes()
    else:
        raw = b"somebody's notes"
    place.write_bytes(raw)
    with pytest.raises(OSError, match=NOT_FETCHED):
        datasets.load_cifar10()
    assert place.read_bytes() == raw
    assert re.fullmatch(r"The cache is left out: .*cifar10\.h5 [^\n]*\n", capsys.readouterr().err)
    folder_at(home / ".keras" / "datasets" / batches.FOLDER, 2)
    assert_is(datasets.load_cifar10(), 2)
    said = capsys.readouterr().err
    assert "The cache is left out" in said
    assert "was moved to" in said
    assert place.with_name("cifar10.h5.damaged").read_bytes() == raw
    assert_is(datasets.load_cifar10(), 2)
    assert capsys.readouterr() == ("", "")
    place.write_bytes(b"damaged again")
    assert_is(datasets.load_cifar10(), 2)
    assert "cache was not written" in capsys.readouterr().err
    assert place.with_name("cifar10.h5.damaged").read_bytes() == raw


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch, capsys):
    folder = folder_at(tmp_path / "one")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert_is(datasets.load_cifar10(folder), 1)
    (tmp_path / "cache").unlink()

    def full(sink, _):
        sink.failure = OSError(28, "No space left on device")
        return 0

    with monkeypatch.context() as patch:
        patch.setattr(storage._Sink, "write", lambda sink, buffer: full(sink, buffer) or len(buffer))
        assert_is(datasets.load_cifar10(folder), 1)
    assert list((tmp_path / "cache").iterdir()) == []
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    for line in said.err.splitlines():
        assert line.startswith("The cache was not written, the next time one is read again: ")
    assert "no space left on the disk" in said.err


@pytest.mark.parametrize("version", ["new", "old", "nested", "archive", "old archive"])
@pytest.mark.parametrize("variable", [False, True])
def test_what_keras_fetched_is_found(home, monkeypatch, version, variable):
    keras = home / ".keras"
    if variable:
        keras = home / "elsewhere"
        monkeypatch.setenv("KERAS_HOME", str(keras))
    if version == "archive":
        (keras / "datasets").mkdir(parents=True)
        (keras / "datasets" / "cifar-10-batches-py-target_archive").write_bytes(archive_bytes())
    elif version == "old archive":
        (keras / "datasets").mkdir(parents=True)
        (keras / "datasets" / "cifar-10-batches-py.tar.gz").write_bytes(archive_bytes())
    else:
        names = {"new": "cifar-10-batches-py-target/cifar-10-batches-py", "old": "cifar-10-batches-py"}
        folder_at(keras / "datasets" / names.get(version, "cifar-10-batches-py/cifar-10-batches-py"))
    assert_is(datasets.load_cifar10(), 1)
    assert cifar10.cache_file().exists()


def test_a_damaged_copy_of_keras_is_said_and_left_out(home, capsys):
    folder = folder_at(home / ".keras" / "datasets" / "cifar-10-batches-py-target" / batches.FOLDER)
    (folder / "data_batch_5").unlink()
    with pytest.raises(OSError, match=NOT_FETCHED):
        datasets.load_cifar10()
    assert re.match("The copy of Keras is left out: .* is incomplete: data_batch_5", capsys.readouterr().err)
    folder_at(home / ".keras" / "datasets" / batches.FOLDER, 2)
    assert_is(datasets.load_cifar10(), 2)


def test_offline_is_an_error_at_once_that_names_the_ways_out(monkeypatch):
    monkeypatch.setattr("pooch.retrieve", None)
    with pytest.raises(OSError, match=NOT_FETCHED) as caught:
        datasets.load_cifar10()
    assert "SHOWERTOOLS_OFFLINE=1: the network is not to be used" in str(caught.value)
    assert str(cifar10.cache_file()) in str(caught.value)
    monkeypatch.setenv("SHOWERTOOLS_OFFLINE", "yes")
    with pytest.raises(ValueError, match=r"`SHOWERTOOLS_OFFLINE` should be '0' or '1'\. Received: 'yes'"):
        datasets.load_cifar10()


def test_the_quick_profile_goes_on_with_drawn_shapes(monkeypatch, capsys):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", "quick")
    train, test = datasets.load_cifar10()
    assert train["image"].shape == (50, 32, 32, 3)
    assert test["image"].shape == (10, 32, 32, 3)
    assert (train["image"].dtype, train["label"].dtype) == (np.uint8, np.int64)
    said = capsys.readouterr()
    assert said.err == ""
    assert re.fullmatch(
        r"These are NOT the photographs of CIFAR-10 but drawn shapes.*accuracies mean nothing.*\n", said.out
    )
    assert not cifar10.cache_file().exists()
    again = datasets.load_cifar10()[0]
    np.testing.assert_array_equal(again["image"], train["image"])


@pytest.fixture
def host(monkeypatch):
    """A host on this machine; `host.answer(handler)` says what it does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked += 1
            server.answer(self)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        asked = 0

        def handle_error(self, *_):
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("SHOWERTOOLS_OFFLINE", "0")
    monkeypatch.setattr(cifar10, "URL", f"http://127.0.0.1:{server.server_port}/{batches.ARCHIVE}")
    monkeypatch.setattr(batches, "SHA256", hashlib.sha256(archive_bytes()).hexdigest())
    yield server
    server.over.set()
    server.shutdown()
    server.server_close()
    thread.join()


def send(handler, raw, length=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(raw) if length is None else length))
    handler.end_headers()
    handler.wfile.write(raw)
    handler.wfile.flush()


def test_the_host_is_asked_once(host, tmp_path, capsys):
    host.answer = lambda handler: send(handler, archive_bytes())
    assert_is(datasets.load_cifar10(), 1)
    assert_is(datasets.load_cifar10(), 1)
    assert host.asked == 1
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["cifar10.h5"]
    assert datasets.attributes(cifar10.cache_file())["source"] == batches.ARCHIVE
    assert "CIFAR-10: 100%" in capsys.readouterr().err  # the progress bar


def test_what_was_fetched_stays_until_the_cache_is_written(host, tmp_path, monkeypatch):
    host.answer = lambda handler: send(handler, archive_bytes())
    with monkeypatch.context() as patch:
        patch.setattr(datasets, "save", lambda *_, **__: (_ for _ in ()).throw(OSError("no space")))
        assert_is(datasets.load_cifar10(), 1)
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [batches.ARCHIVE]
    monkeypatch.setenv("SHOWERTOOLS_OFFLINE", "1")
    assert_is(datasets.load_cifar10(), 1)
    assert host.asked == 1
    assert [file.name for file in (tmp_path / "cache").iterdir()] == ["cifar10.h5"]


def test_without_a_cache_folder_it_is_fetched_all_the_same(host, tmp_path, capsys):
    host.answer = lambda handler: send(handler, archive_bytes())
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert_is(datasets.load_cifar10(), 1)
    assert "The cache was not written" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "cut", "other", "portal"])
def test_a_host_that_sends_something_else(host, tmp_path, kind):
    def answer(handler):
        if kind == "missing":
            handler.send_error(404)
        elif kind == "cut":
            send(handler, archive_bytes()[:9000], length=len(archive_bytes()))
            handler.close_connection = True
        else:
            send(handler, archive_bytes(2) if kind == "other" else b"<html>sign in to the network</html>")

    host.answer = answer
    with pytest.raises(OSError, match=NOT_FETCHED):
        datasets.load_cifar10()
    assert list((tmp_path / "cache").iterdir()) == []  # no part remains


@pytest.mark.parametrize("profile", ["full", "quick"])
@pytest.mark.parametrize("before", [True, False])
def test_a_host_that_stalls_is_given_up(host, tmp_path, monkeypatch, capsys, profile, before):
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", profile)
    monkeypatch.setattr(cifar10, "_READ_SECONDS", 0.3)

    def answer(handler):
        if not before:
            send(handler, archive_bytes()[:9000], length=len(archive_bytes()))
        host.over.wait(20)

    host.answer = answer
    start = time.perf_counter()
    if profile == "full":
        with pytest.raises(OSError, match=NOT_FETCHED) as caught:
            datasets.load_cifar10()
        assert "timed out" in str(caught.value)
    else:
        assert len(datasets.load_cifar10()[1]["label"]) == SIZE
        assert "timed out" in capsys.readouterr().out
    assert time.perf_counter() - start < 5
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_host_that_crawls_is_given_up(host, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar10, "_PATIENCE", {"full": (0.2, 10.0)})

    def answer(handler):
        send(handler, b"", length=100_000_000)
        while not host.over.wait(0.02):
            handler.wfile.write(bytes(4096))

    host.answer = answer
    with pytest.raises(OSError, match=r"given up: at [0-9.]+ kB/s it would take [0-9]+ minutes.*Two ways out"):
        datasets.load_cifar10()
    assert list((tmp_path / "cache").iterdir()) == []


def test_nobody_listens(monkeypatch, host):
    host.server_close()
    with pytest.raises(OSError, match=NOT_FETCHED):
        datasets.load_cifar10()
    assert cifar10._CONNECT_SECONDS["quick"] <= 5
    monkeypatch.setenv("SHOWERTOOLS_PROFILE", "fast")
    with pytest.raises(ValueError, match="`SHOWERTOOLS_PROFILE` should be"):
        datasets.load_cifar10()


def test_a_data_set_needs_neither_keras_nor_pooch():
    code = "import sys, showertools.datasets; print({'keras', 'pooch', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("set()\n", "")
