import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from showertools import datasets, storage
from showertools.datasets import DatasetError, MissingArrayError

SETTINGS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=8)
names = names.filter(lambda name: name != ".")
dtypes = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
tables = st.integers(0, 20).flatmap(
    lambda n: st.dictionaries(
        names, st.tuples(dtypes, shapes).flatmap(lambda a: hnp.arrays(a[0], (n, *a[1]))), min_size=1, max_size=5
    )
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DERIVED = {"units", "format_version", "showertools_version", "checksum"}


def _assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()  # bit by bit, NaN too


@pytest.fixture
def sample(tmp_path):
    rng = np.random.default_rng(1)
    data = {
        "counts": rng.poisson(1, (50, 4, 4)).astype(np.float32),
        "xmax": rng.normal(750, 60, 50),
        "core": rng.normal(size=(50, 2)).astype(np.float32),
    }
    path = tmp_path / "sample.h5"
    datasets.save(path, data, attributes={"seed": 1, "units": {"xmax": "g/cm2"}, "command": "make sample"})
    return path, data


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test pulls the plug


@SETTINGS
@given(data=tables)
def test_any_arrays_come_back(tmp_path, data):
    path = tmp_path / "any.h5"
    datasets.save(path, data, attributes={})
    _assert_same(datasets.load(path), data)
    some = list(data)[::-1][:2]
    _assert_same(datasets.load(path, some), {name: data[name] for name in some})
    assert datasets.describe(path) == {name: (array.shape, array.dtype) for name, array in data.items()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["any.h5"]


@SETTINGS
@given(attributes=st.dictionaries(st.text().filter(lambda name: name not in DERIVED), values, max_size=5))
def test_any_attributes_come_back(tmp_path, attributes):
    path = tmp_path / "any.h5"
    datasets.save(path, {"x": [1]}, attributes={**attributes, "units": {"x": "g/cm² µ"}})
    found = datasets.attributes(path)
    assert {name: value for name, value in found.items() if name not in DERIVED} == attributes
    assert found["units"] == {"x": "g/cm² µ"}
    datasets.save(path, {"x": [1]}, attributes=found)
    assert datasets.attributes(path) == found


@SETTINGS
@given(data=tables, chunk_size=st.integers(1, 25))
def test_a_stream_is_the_whole(tmp_path, data, chunk_size):
    path = tmp_path / "any.h5"
    datasets.save(path, data, attributes={})
    chunks = list(datasets.stream(path, chunk_size=chunk_size))
    n_events = len(next(iter(data.values())))
    assert len(chunks) == -(-n_events // chunk_size)
    if chunks:
        joined = {n: np.concatenate([chunk[n] for chunk in chunks], dtype=data[n].dtype) for n in data}
        _assert_same(joined, data)


def test_pieces_make_the_same_file_as_one(sample, tmp_path):
    path, data = sample
    rows = 7_000  # of 64 bytes: more than one compressed block
    big = {name: np.resize(array, (rows, *array.shape[1:])) for name, array in data.items()}
    datasets.save(path, big, attributes={})
    for cut in (1, 999, 6_999):
        pieces = [{name: array[part] for name, array in big.items()} for part in (slice(cut), slice(cut, None))]
        storage.write(tmp_path / "pieces.h5", pieces, rows, attributes={})
        _assert_same(datasets.load(tmp_path / "pieces.h5"), big)
        assert datasets.attributes(tmp_path / "pieces.h5") == datasets.attributes(path)


@settings(SETTINGS, max_examples=200)
@given(data=st.data())
def test_no_altered_byte_goes_unseen(sample, data):
    path, expected = sample
    whole = path.read_bytes()
    places = data.draw(st.lists(st.integers(0, len(whole) - 1) | st.integers(0, 700), min_size=1, max_size=3))
    altered = bytearray(whole)
    for place in places:
        altered[place] ^= data.draw(st.integers(1, 255))
    assume(altered != whole)
    damaged = path.with_name("damaged.h5")
    damaged.write_bytes(altered)
    seen = []
    for read in (datasets.load, lambda path: next(datasets.stream(path, chunk_size=99))):
        try:
            _assert_same(read(damaged), expected)  # the text that says what made the file may differ, the data may not
        except DatasetError as error:
            seen.append(str(error))
    assert all(str(damaged) in message for message in seen)


@settings(SETTINGS, max_examples=60)
@given(data=st.data())
def test_no_missing_or_added_end_goes_unseen(sample, data):
    path, _ = sample
    whole = path.read_bytes()
    cut = path.with_name("cut.h5")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 600))])
    with pytest.raises(DatasetError, match=r"cut\.h5 is cut off.*make it again"):
        datasets.load(cut)
    cut.write_bytes(whole + data.draw(st.binary(min_size=1)))
    with pytest.raises(DatasetError, match=r"cut\.h5 was altered"):
        datasets.attributes(cut)


def test_a_changed_file_says_how_to_make_it_again(sample):
    path, _ = sample
    with h5py.File(path, "r+") as file:
        file["xmax"][3] = 0
    with pytest.raises(DatasetError, match=r"sample\.h5 was altered.*Delete it and make it again: `make sample`"):
        datasets.load(path, ["core"])


def test_contents_are_checked_besides_the_file(sample):
    path, _ = sample
    with h5py.File(path, "r+") as file:
        file["xmax"][3] = 0
    with path.open("r+b") as raw:  # someone who changes the data and makes the file's checksum fit
        storage._seal(raw, "")
    datasets.load(path, ["core"])
    with pytest.raises(DatasetError, match="was altered: the checksum of `xmax` differs"):
        datasets.load(path)
    with pytest.raises(DatasetError, match="was altered: the checksum of `xmax` differs"):
        list(datasets.stream(path))


@pytest.mark.parametrize("kind", ["soft", "external", "virtual", "outside", "text", "group", "nothing"])
def test_nothing_outside_of_the_file_is_read(tmp_path, kind):
    secret, path = tmp_path / "secret", tmp_path / "crafted.h5"
    secret.write_bytes(b"12345678")
    with h5py.File(path, "w", userblock_size=512) as file:
        if kind == "soft":
            file["x"] = h5py.SoftLink("/y")
        elif kind == "external":
            file["x"] = h5py.ExternalLink(str(secret), "/x")
        elif kind == "virtual":
            file.create_virtual_dataset("x", h5py.VirtualLayout(shape=(1,), dtype="f8"))
        elif kind == "outside":
            file.create_dataset("x", shape=(1,), dtype="f8", external=str(secret))
        elif kind == "text":
            file["x"] = "text"
        elif kind == "group":
            file.create_group("x")
    with path.open("r+b") as raw:
        storage._seal(raw, "")
    for read in (datasets.load, datasets.attributes, datasets.describe, lambda path: list(datasets.stream(path))):
        with pytest.raises(DatasetError, match=r"crafted\.h5"):
            read(path)


def test_foreign_files_are_refused(tmp_path):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["x"] = [1]
    with pytest.raises(DatasetError, match=r"foreign\.h5 is an HDF5 file, but not one of showertools"):
        datasets.load(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DatasetError, match="is no data set of showertools"):
        datasets.load(path)
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="cut off"):
        datasets.load(path)
    path.write_bytes(storage._header("0" * 64, 512, "").replace(b"format 1", b"format 9"))
    with pytest.raises(DatasetError, match=r"format 9.*update showertools"):
        datasets.load(path)


def test_missing_files_and_arrays_are_named(sample, tmp_path):
    path, _ = sample
    with pytest.raises(FileNotFoundError, match=r"python -m showertools simulate .*nowhere\.h5"):
        datasets.load(tmp_path / "nowhere.h5")
    with pytest.raises(IsADirectoryError):
        datasets.load(tmp_path)
    with pytest.raises(MissingArrayError) as caught:
        datasets.load(path, ["xmax", "mass"])
    assert isinstance(caught.value, KeyError)
    assert str(caught.value).startswith(f"{path} has no ['mass']. `keys` should be some of ['counts', 'xmax', 'core']")
    with pytest.raises(ValueError, match="`keys` should be a list of names, not empty"):
        datasets.load(path, "xmax")
    with pytest.raises(ValueError, match="`chunk_size` should be"):
        datasets.stream(path, chunk_size=0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "`data` should hold at least one array"),
        ({"a": [1, 2], "b": [1]}, "`data` should hold arrays of equal length. Received: {'a': 2, 'b': 1}"),
        ({"a": 1.0}, "`data` should hold arrays of equal length"),
        ({"a": [None]}, r"`data\['a'\]` should hold numbers or booleans. Received: dtype object"),
        ({"a": ["text"]}, r"`data\['a'\]` should hold numbers"),
        ({"a": [[1, 2], [3]]}, r"`data\['a'\]` should be an array of numbers"),
        ({1: [1]}, "`data` should have names of text.*Received: 1"),
        ({"": [1]}, "`data` should have names"),
        ({"a/b": [1]}, "`data` should have names"),
        ({"\ud800": [1]}, "`data` should have names"),
    ],
)
def test_what_cannot_be_saved_is_refused(sample, data, message):
    path, before = sample
    with pytest.raises(ValueError, match=message):
        datasets.save(path, data, attributes={})
    _assert_same(datasets.load(path), before)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"a": object()}, r"`attributes\['a'\]` should be text, a number"),
        ({"a": {1: 2}}, r"`attributes\['a'\]` should have text as keys"),
        ({"units": {"y": "m"}}, r"`attributes\['units'\]` should map names of \['x'\]"),
        ({"units": {"x": 1}}, r"`attributes\['units'\]` should map"),
        ({"units": "m"}, r"`attributes\['units'\]` should map"),
    ],
)
def test_attributes_that_cannot_be_saved_are_refused(tmp_path, attributes, message):
    with pytest.raises(ValueError, match=message):
        datasets.save(tmp_path / "x.h5", {"x": [1]}, attributes=attributes)
    assert not list(tmp_path.iterdir())


def test_numpy_values_and_tuples_become_plain(tmp_path):
    path = tmp_path / "x.h5"
    attributes = {"a": np.float32(0.5), "b": (1, np.int64(2)), "long": "y" * 200_000}
    datasets.save(path, {"x": [1]}, attributes=attributes)
    found = datasets.attributes(path)
    assert [found["a"], found["b"], len(found["long"])] == [0.5, [1, 2], 200_000]


def test_where_nothing_can_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="make the folder first"):
        datasets.save(tmp_path / "no" / "x.h5", {"x": [1]}, attributes={})
    with pytest.raises(IsADirectoryError):
        datasets.save(tmp_path, {"x": [1]}, attributes={})
    with pytest.raises(OSError, match="no ordinary file"):
        datasets.save(os.devnull, {"x": [1]}, attributes={})


def test_a_link_stays_a_link(sample, tmp_path):
    path, _ = sample
    link = tmp_path / "link.h5"
    link.symlink_to(path)
    datasets.save(link, {"x": [1]}, attributes={})
    assert link.is_symlink()
    assert list(datasets.load(path)) == ["x"]


def test_a_failure_leaves_the_file_of_before(sample, monkeypatch):
    path, before = sample
    for failure in (KeyboardInterrupt, OSError(errno.EIO, "broken"), MemoryError):

        def fail(*_, failure=failure):
            raise failure

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises((KeyboardInterrupt, OSError, MemoryError)):
            datasets.save(path, {"x": [1]}, attributes={})
        _assert_same(datasets.load(path), before)
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_interrupt_while_hdf5_writes(sample, monkeypatch):
    path, before = sample
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("needs the main thread")
    seal = storage._append

    def interrupted(*arguments):
        os.kill(os.getpid(), 2)  # reaches the main thread while this one goes on
        seal(*arguments)

    monkeypatch.setattr(storage, "_append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.save(path, {"x": np.arange(100_000.0)}, attributes={})
    _assert_same(datasets.load(path), before)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_interrupt_before_hdf5_begins_to_write(sample, monkeypatch):
    path, before = sample
    wrote = threading.Event()

    class Interrupted(ThreadPoolExecutor):
        """Ctrl-C while the thread starts: it runs, but the pool does not know it and waits for nothing."""

        def submit(self, *work):
            super().submit(*work)
            raise KeyboardInterrupt

        def shutdown(self, *_, **__):
            super().shutdown(wait=False)

    monkeypatch.setattr(storage, "ThreadPoolExecutor", Interrupted)
    monkeypatch.setattr(storage, "_write_hdf5", lambda *_: wrote.set())
    with pytest.raises(KeyboardInterrupt):
        datasets.save(path, {"x": np.arange(10.0)}, attributes={})
    assert not wrote.wait(0.2)
    _assert_same(datasets.load(path), before)


def test_a_closed_file_does_not_reach_hdf5_as_an_error(tmp_path):
    sink = storage._Sink(tmp_path / "x.h5")
    sink.raw.close()
    assert (sink.write(b"abc"), sink.seek(3), sink.tell(), sink.truncate(2)) == (3, 0, 0, 0)
    with pytest.raises(ValueError, match="closed file"):
        sink.raise_failure()


LIMITED = """
import resource, sys
import numpy as np
from showertools import datasets
path, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    datasets.save(path, {name: np.random.default_rng(1).random((200, 100)) for name in "abcdefg"}, attributes={})
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [10, 512, 700, 3_000, 100_000, 800_000])
def test_a_disk_that_is_full(sample, limit):
    pytest.importorskip("resource")
    path, before = sample
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, path, str(limit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")  # HDF5 alone would crash the process
    assert "no space left on the disk (or in your quota): free some or choose another folder" in done.stdout
    assert str(path) in done.stdout
    _assert_same(datasets.load(path), before)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_disk_that_gets_full_and_free_again(sample, monkeypatch):
    path, before = sample
    write = storage._Sink.write
    left = [5]

    def full(sink, buffer):
        left[0] -= 1
        if left[0] < 0 and sink.failure is None:
            sink.failure = OSError(errno.ENOSPC, "No space left on device")
        return write(sink, buffer)

    monkeypatch.setattr(storage._Sink, "write", full)
    with pytest.raises(OSError, match="no space left on the disk") as caught:
        datasets.save(path, {"x": np.random.default_rng(1).random(300_000)}, attributes={})
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    _assert_same(datasets.load(path), before)
    datasets.save(path, {"x": [1]}, attributes={})
    assert list(datasets.load(path)) == ["x"]


fractions = st.lists(st.integers(0, 100), min_size=1, max_size=6).filter(any).map(lambda x: [y / sum(x) for y in x])


@SETTINGS
@given(n=st.integers(0, 200), fractions=fractions, seed=st.integers(0, 2**63))
def test_parts_are_disjoint_and_complete(n, fractions, seed):
    data = {"index": np.arange(n), "twice": np.arange(n)[:, None] * [2, 2]}
    parts = datasets.split(data, fractions=fractions, seed=seed)
    assert len(parts) == len(fractions)
    assert sorted(np.concatenate([part["index"] for part in parts])) == list(range(n))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part["index"]) - fraction * n) <= 1
        np.testing.assert_array_equal(part["twice"], part["index"][:, None] * [2, 2])
    again = datasets.split(data, fractions=fractions, seed=seed)
    for part, other in zip(parts, again, strict=True):
        np.testing.assert_array_equal(part["index"], other["index"])


def test_parts_are_shuffled_by_the_seed():
    data = {"index": np.arange(100)}
    one, two = (datasets.split(data, seed=seed)[0]["index"] for seed in (1, 2))
    assert len(one) == 80
    assert not np.array_equal(one, np.arange(80))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("fractions", [(0.5, 0.4), (1.5, -0.5), (), (np.nan, 1), 1.0])
def test_fractions_that_are_none_are_refused(fractions):
    with pytest.raises(ValueError, match="`fractions` should be numbers of at least 0 that sum to 1"):
        datasets.split({"x": [1, 2]}, fractions=fractions, seed=1)


def test_arrays_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match="equal length"):
        datasets.split({"x": [1, 2], "y": [1]}, seed=1)
    with pytest.raises(ValueError, match="`seed` should be"):
        datasets.split({"x": [1, 2]}, seed=-1)
