import gzip
import io
import os
import pickle
import tarfile
import time

import numpy as np
import pytest

from showertools import cifar10_batches as batches
from showertools.datasets import DatasetError

SIZE = 10


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(batches, "BATCH_SIZE", SIZE)


def content(seed=1, size=SIZE):
    """Six batches as plain Python objects, by name."""
    rng = np.random.default_rng(seed)
    return {
        name: {
            b"data": rng.integers(0, 256, (size, 3072), dtype=np.uint8),
            b"labels": rng.integers(0, 10, size).tolist(),
            b"batch_label": b"a batch",
            b"filenames": [b"%d.png" % index for index in range(size)],
        }
        for name in batches.BATCHES
    }


def write_folder(parent, data=None, protocol=4):
    folder = parent / batches.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, batch in (content() if data is None else data).items():
        (folder / name).write_bytes(batch if isinstance(batch, bytes) else pickle.dumps(batch, protocol))
    (folder / "readme.html").write_text("where it comes from")
    return folder


def write_archive(path, data=None, *, mode="w:gz", folder=batches.FOLDER, extra=()):
    with tarfile.open(path, mode) as archive:
        archive.addfile(_member(folder, type=tarfile.DIRTYPE))
        for name, batch in (content() if data is None else data).items():
            raw = batch if isinstance(batch, bytes) else pickle.dumps(batch, 4)
            archive.addfile(_member(f"{folder}/{name}", size=len(raw)), io.BytesIO(raw))
        for member in extra:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return path


def _member(name, **properties):
    member = tarfile.TarInfo(name)
    for key, value in properties.items():
        setattr(member, key, value)
    return member


def assert_is(found, data):
    """Compare with the definition of the format, number by number."""
    rng = np.random.default_rng(2)
    assert found["image"].dtype == np.uint8
    assert found["image"].shape == (6 * len(data["test_batch"][b"labels"]), 32, 32, 3)
    assert found["label"].dtype == np.int64
    assert found["label"].tolist() == [label for batch in data.values() for label in batch[b"labels"]]
    pixels = np.concatenate([batch[b"data"] for batch in data.values()])
    for _ in range(200):  # 1024 of red, then green, then blue; each row by row
        n, row, column, color = (int(rng.integers(size)) for size in found["image"].shape)
        assert found["image"][n, row, column, color] == pixels[n, 1024 * color + 32 * row + column]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_batches_of_any_protocol_are_read(tmp_path, protocol):
    data = content()
    folder = write_folder(tmp_path, data, protocol)
    assert_is(batches.read(folder), data)
    assert_is(batches.read(str(tmp_path)), data)  # the folder that holds it


def _python2(data, labels):
    """A pickle as Python 2 and NumPy 1 wrote the original: protocol 2, text of eight bits."""
    raw = data.tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"  # what, shape (0,), type "b"
        + b"(K\x01(K%cM\x00\x0ct" % len(data)  # version, shape (n, 3072)
        + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        + b"\x89T%b%btb" % (len(raw).to_bytes(4, "little"), raw)  # not by columns, bytes
    )
    numbers = b"".join(b"K%c" % label for label in labels)
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](" + numbers + b"eu."


def test_the_pickles_of_python_2_are_read(tmp_path):
    data = content()
    original = {name: _python2(batch[b"data"], batch[b"labels"]) for name, batch in data.items()}
    assert b"numpy.core.multiarray" in original["test_batch"]
    assert_is(batches.read(write_folder(tmp_path, original)), data)


def test_keys_of_text_and_columns_first_are_read(tmp_path):
    data = content()
    other = {
        name: {"data": np.asfortranarray(batch[b"data"]), "labels": np.array(batch[b"labels"], np.int32)}
        for name, batch in data.items()
    }
    assert_is(batches.read(write_folder(tmp_path, other)), data)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "renamed", "cifar-10-python.tar"])
def test_archives_are_read(tmp_path, name):
    data = content()
    path = write_archive(tmp_path / name, data, mode="w" if name.endswith(".tar") else "w:gz")
    assert_is(batches.read(path), data)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]  # nothing is unpacked


def test_what_else_an_archive_or_folder_holds_is_left_alone(tmp_path):
    data = content()
    extra = [_member("./other/data_batch_1", size=9), _member(f"{batches.FOLDER}/batches.meta", size=5)]
    write_archive(tmp_path / batches.ARCHIVE, dict(reversed(data.items())), folder=f"./{batches.FOLDER}", extra=extra)
    assert_is(batches.read(tmp_path), data)  # the folder that holds the archive


def test_full_size_is_quick(tmp_path, monkeypatch):
    monkeypatch.undo()
    assert batches.BATCH_SIZE == 10_000
    rng = np.random.default_rng(1)
    batch = {b"data": np.frombuffer(rng.bytes(10_000 * 3072), np.uint8).reshape(10_000, 3072)}
    batch[b"labels"] = rng.integers(0, 10, 10_000).tolist()
    folder = write_folder(tmp_path, {"data_batch_1": batch})
    for name in batches.BATCHES[1:]:
        (folder / name).hardlink_to(folder / "data_batch_1")
    start = time.process_time()
    found = batches.read(folder)
    assert time.process_time() - start < 3  # 0.6 s on an idle core
    assert_is(found, dict.fromkeys(batches.BATCHES, batch))


class Code:
    """What a hostile pickle holds: something to call when it is read."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["top", "labels", "key", "inside"])
def test_code_in_a_pickle_is_not_run(tmp_path, protocol, place):
    made = tmp_path / "made"
    code = Code(os.system, f"touch {made}")
    pickle.loads(pickle.dumps(code, protocol))  # it would work
    assert made.exists()
    made.unlink()
    batch = content()["data_batch_3"]
    if place == "top":
        batch = code
    elif place == "labels":
        batch[b"labels"] = code
    elif place == "key":
        batch = {(b"other", code): 1, **batch}
    else:
        batch[b"data"] = np.array([code, None], dtype=object)
    folder = write_folder(tmp_path, {**content(), "data_batch_3": pickle.dumps(batch, protocol)})
    with pytest.raises(DatasetError, match=r"data_batch_3 of .* cannot be read: .*was not run.*Get the archive again"):
        batches.read(folder)
    assert not made.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins.eval",
        "builtins.getattr",
        "__builtin__.eval",
        "os.system",
        "posix.system",
        "numpy.load",
        "numpy.memmap",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.fromfile",
        "_codecs.decode",
        "copyreg._reconstructor",
        "functools.partial",
        "showertools.cifar10_batches.read",
        "numpy.dtype.__class__",
        "numpy..ndarray",
    ],
)
def test_only_what_an_array_needs_can_be_named(name):
    module, _, function = name.rpartition(".")
    with pytest.raises(pickle.UnpicklingError, match="which no picture needs, and was not run"):
        batches.unpickle(f"c{module}\n{function}\n.".encode())
    short = pickle.SHORT_BINUNICODE
    raw = b"\x80\x04" + short + bytes([len(module)]) + module.encode() + short + bytes([len(function)])
    with pytest.raises(pickle.UnpicklingError, match="was not run"):
        batches.unpickle(raw + function.encode() + pickle.STACK_GLOBAL + b".")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"Psomewhere\n.", "asks for an object outside of the file .*was not run"),
        (b"cnumpy\ndtype\n}(S'_make'\nK\x01ub.", "tries to change a function"),
        (b"cnumpy\ndtype\n(S'u1'\ntR)b.", "it is damaged"),
        (b"c_codecs\nencode\n(S'text'\nS'latin1'\ntR.", "should be written as latin1"),
        (b"c_codecs\nencode\n(Vtext\nVrot13\ntR.", "should be written as latin1"),
        (b"cnumpy\nndarray\n(K\x05tR.", "it is damaged"),
        (b"cnumpy\nndarray\n)R.", "one of its arrays is empty"),
        (b"cnumpy\ndtype\n(K\x05tR.", "its types should have names"),
        (b"cnumpy._core.numeric\n_frombuffer\n(K\x05S'u1'\nK\x01S'C'\ntR.", "should have a type"),
        (b"\x82\x01.", "it is damaged"),
        (b"\x80\x04\x97.", "out-of-band|damaged"),
        (b"", "it is damaged .EOFError"),
        (b"K", "it is damaged|truncated"),
        (b"\x80\x63.", "it is damaged"),
    ],
)
def test_crafted_pickles_are_refused(raw, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        batches.unpickle(raw)


@pytest.mark.parametrize("dtype", [object, "f4", "U3", "S3", "M8[s]", "c8", bool, [("x", "u1")], "V2"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_anything_but_integers_are_refused(dtype, protocol):
    with pytest.raises(pickle.UnpicklingError, match=r"should hold integers|which no picture needs|have bytes"):
        batches.unpickle(pickle.dumps({b"data": np.zeros(3, dtype)}, protocol))


def test_a_shape_takes_no_more_memory_than_there_are_bytes():
    raw = pickle.dumps(np.zeros(3, np.uint8), 4).replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85")
    with pytest.raises(pickle.UnpicklingError, match="it is damaged"):
        batches.unpickle(raw)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_containers_come_back(protocol):
    value = {"a": [1, 2.5, (True, None, {"deeper": [[b"x", "text", -(2**70)]]})], b"b": {1, 2}, 3: frozenset([4])}
    if protocol < 4:
        value.pop(b"b")  # sets are calls before protocol 4
        value.pop(3)
    if protocol < 3:
        value["a"][2][2]["deeper"][0][0] = b"x"
    assert batches.unpickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["u1", "i8", ">i4", "<u2"])
def test_arrays_of_integers_come_back(protocol, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for value in (array, array.T):
        found = batches.unpickle(pickle.dumps([value], protocol))[0]
        assert found.dtype == value.dtype
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"data": None}, "`data` should be uint8 .10, 3072.. Received: NoneType"),
        ({b"data": np.zeros((9, 3072), np.uint8)}, r"Received: uint8 \(9, 3072\)"),
        ({b"data": np.zeros((10, 3072), np.int64)}, r"Received: int64 \(10, 3072\)"),
        ({b"data": np.zeros((10, 32, 32, 3), np.uint8)}, r"Received: uint8 \(10, 32, 32, 3\)"),
        ({b"data": np.zeros((10, 3072), np.float32)}, "its arrays should hold integers. Received: dtype 'f4'"),
        ({b"labels": None}, "`labels` should be a list of 10 integers. Received: NoneType"),
        ({b"labels": [1] * 9}, "`labels` should be a list of 10 integers. Received: 9 of them"),
        ({b"labels": [1] * 9 + [10]}, "`labels` should lie from 0 to 9. Received: 10"),
        ({b"labels": [-1] * 10}, "`labels` should lie from 0 to 9. Received: -1"),
        ({b"labels": [1.0] * 10}, "`labels` should lie from 0 to 9. Received: 1.0"),
        ({b"labels": [True] * 10}, "`labels` should lie from 0 to 9. Received: True"),
        ({b"labels": np.full(10, 77)}, "`labels` should lie from 0 to 9. Received: 77"),
        ({b"labels": [2**90] * 10}, "`labels` should lie from 0 to 9"),
    ],
)
def test_batches_with_something_else_are_refused(tmp_path, change, message):
    data = content()
    data["data_batch_2"].update(change)
    folder = write_folder(tmp_path, data)
    with pytest.raises(DatasetError, match=rf"data_batch_2 of .*{message}.*Get the archive again.*170498071 bytes"):
        batches.read(folder)


@pytest.mark.parametrize("other", [[1, 2], {}, "text", np.zeros((10, 3072), np.uint8)])
def test_pickles_of_something_else_are_refused(tmp_path, other):
    folder = write_folder(tmp_path, {**content(), "test_batch": pickle.dumps(other)})
    with pytest.raises(DatasetError, match=r"test_batch of .*(should be a dict|`data` should be uint8)"):
        batches.read(folder)


def test_a_batch_that_is_cut_off_is_refused(tmp_path):
    raw = pickle.dumps(content()["test_batch"], 4)
    for cut in range(0, len(raw) - 1, 977):
        folder = write_folder(tmp_path, {"test_batch": raw[:cut]})
        with pytest.raises(DatasetError, match=r"test_batch of .* cannot be read"):
            batches.read(folder)


def test_missing_files_are_named(tmp_path):
    data = content()
    del data["data_batch_4"]
    for place in (write_folder(tmp_path / "a", data), write_archive(tmp_path / "five.tar.gz", data)):
        with pytest.raises(DatasetError, match=r"is incomplete: data_batch_4 should be in it\. Get the archive again"):
            batches.read(place)
    (tmp_path / "a" / batches.FOLDER / "data_batch_4").mkdir()
    with pytest.raises(DatasetError, match="is incomplete: data_batch_4"):
        batches.read(tmp_path / "a")
    with pytest.raises(DatasetError, match=r"is incomplete: data_batch_1, data_batch_2, .*test_batch"):
        batches.read(write_archive(tmp_path / "elsewhere.tar.gz", folder="another-folder"))


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist; give cifar-10-python\.tar\.gz"):
        batches.read(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"holds neither cifar-10-python\.tar\.gz nor cifar-10-batches-py"):
        batches.read(tmp_path)


def test_an_archive_that_is_cut_off_is_refused(tmp_path):
    whole = write_archive(tmp_path / "whole").read_bytes()
    plain = gzip.decompress(whole)
    cut = tmp_path / "cut.tar.gz"
    for end in (3, 15, 40, len(whole) // 2, len(whole) - 4):
        cut.write_bytes(whole[:end])
        with pytest.raises(DatasetError, match=r"cut\.tar\.gz is (cut off|damaged).*Get the archive again"):
            batches.read(cut)
    for end in (0, 100, 512, 700, 40_000, 100_000):
        cut.write_bytes(plain[:end])
        with pytest.raises(DatasetError, match=r"cut\.tar\.gz is (cut off|damaged|incomplete).*Get the archive again"):
            batches.read(cut)


def test_an_altered_archive_is_refused(tmp_path):
    whole = write_archive(tmp_path / "whole").read_bytes()
    damaged = tmp_path / "damaged.tar.gz"
    for place in range(40, len(whole), len(whole) // 25):  # before is the header of gzip, with time and name
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :])
        with pytest.raises(DatasetError):
            batches.read(damaged)


@pytest.mark.parametrize(
    "raw", [b"<html>sign in to the network</html>", b"\x1f\x8bnot gzip", b"PK\x03\x04", b"\0" * 2000, b"x" * 5000]
)
def test_a_file_that_is_no_archive_is_refused(tmp_path, raw):
    path = tmp_path / batches.ARCHIVE
    path.write_bytes(raw)
    with pytest.raises(
        DatasetError, match=r"is (damaged, or no tar archive|incomplete|cut off).*Get the archive again"
    ):
        batches.read(path)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (_member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "holds `link`, neither an ordinary file nor a"),
        (
            _member("link", type=tarfile.LNKTYPE, linkname="other"),
            "holds `link`, neither an ordinary file nor a folder",
        ),
        (_member("device", type=tarfile.CHRTYPE), "holds `device`, neither an ordinary file"),
        (_member("pipe", type=tarfile.FIFOTYPE), "holds `pipe`, neither an ordinary file"),
        (_member("/etc/cron.d/job", size=3), "holds `/etc/cron.d/job`, a name that leads outside"),
        (_member(f"{batches.FOLDER}/../../job", size=3), "holds `.*job`, a name that leads outside"),
        (_member(f"{batches.FOLDER}/test_batch", size=3), "holds `cifar-10-batches-py/test_batch` twice"),
    ],
)
def test_archives_with_unusual_members_are_refused(tmp_path, member, message):
    path = write_archive(tmp_path / "odd.tar.gz", extra=[member])
    with pytest.raises(DatasetError, match=rf"odd\.tar\.gz {message}.*Get the archive again"):
        batches.read(path)


def test_archives_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "_MAX_MEMBER_BYTES", 50_000)
    big = [_member(f"{batches.FOLDER}/readme.html", size=50_001)]
    with pytest.raises(DatasetError, match=r"holds `.*readme\.html`, too large with 50001 bytes"):
        batches.read(write_archive(tmp_path / "big.tar.gz", extra=big))
    folder = write_folder(tmp_path, {**content(), "data_batch_1": bytes(50_001)})
    with pytest.raises(DatasetError, match="data_batch_1 is too large for a batch: 50001 bytes"):
        batches.read(folder)
    monkeypatch.setattr(batches, "_MAX_ARCHIVE_BYTES", 600_000)
    many = [_member(f"file{index}", size=40_000) for index in range(20)]
    with pytest.raises(DatasetError, match="is too large: it unpacks to more than 600000 bytes"):
        batches.read(write_archive(tmp_path / "many.tar.gz", extra=many))
    with (tmp_path / "zeros.tar.gz").open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb") as file:
        file.write(gzip.decompress((write_archive(tmp_path / "good.tar.gz")).read_bytes()))
        file.write(bytes(1_000_000))  # after the end of the archive
    with pytest.raises(DatasetError, match="is too large"):
        batches.read(tmp_path / "zeros.tar.gz")
    assert len(batches.read(tmp_path / "good.tar.gz")["label"]) == 6 * SIZE
