import logging
import os
import signal
import subprocess
import sys
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showertools import chunks, datasets, resumable
from showertools.resumable import part_folder, simulate_to_file

N, SIZE = 50, 6
EXPECTED_NAMES = ["x", "n"]


def _simulate(rng, size):
    return {"x": rng.normal(size=(size, 3)).astype(np.float32), "n": rng.poisson(3, size)}


def _to_file(path, simulate=_simulate, *, n_events=N, seed=1, workers=2, attributes=None):
    attributes = {"model": {"a": (1, 2)}, "units": {"x": "m"}} if attributes is None else attributes
    return simulate_to_file(
        path, simulate, n_events, seed=seed, chunk_size=SIZE, attributes=attributes, workers=workers
    )


def _stopping_at(n_calls, failure):
    calls = [0]

    def simulate(rng, size):
        calls[0] += 1
        if calls[0] > n_calls:
            raise failure
        return _simulate(rng, size)

    return simulate


def _assert_complete(path, n_events=N, seed=1):
    expected = list(chunks.iterate(_simulate, n_events, seed=seed, chunk_size=SIZE))
    found = datasets.load(path)
    assert list(found) == EXPECTED_NAMES
    for name in EXPECTED_NAMES:
        np.testing.assert_array_equal(found[name], np.concatenate([chunk[name] for chunk in expected]))
        assert found[name].dtype == expected[0][name].dtype
    assert not part_folder(path).exists()


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no test pulls the plug
    monkeypatch.setattr(resumable, "PIECE_BYTES", 1)


def test_a_run_without_trouble(tmp_path, caplog):
    path = tmp_path / "x.h5"
    assert _to_file(path) == path
    _assert_complete(path)
    assert caplog.text == ""
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.h5"]
    found = datasets.attributes(path)
    kept = {name: found[name] for name in ("model", "units", "seed", "n_events", "chunk_size", "numpy_version")}
    units = {"x": "m", "n": ""}
    sizes = {"seed": 1, "n_events": N, "chunk_size": SIZE, "numpy_version": np.__version__}
    assert kept == {"model": {"a": [1, 2]}, "units": units, **sizes}


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stops=st.lists(st.integers(0, 8), max_size=3),
    interrupt=st.booleans(),
    piece_bytes=st.integers(1, 400),
    n_events=st.integers(1, 50),
)
def test_stopped_anywhere_it_continues_to_the_same_file(tmp_path, monkeypatch, stops, interrupt, piece_bytes, n_events):
    path, whole = tmp_path / "x.h5", tmp_path / "whole.h5"
    failure = KeyboardInterrupt() if interrupt else OSError("broken")
    monkeypatch.setattr(resumable, "PIECE_BYTES", piece_bytes)
    for stop in stops:
        try:
            _to_file(path, _stopping_at(stop, failure), n_events=n_events, workers=1)
        except (KeyboardInterrupt, OSError):
            safe = resumable.n_simulated(path)
            assert safe % SIZE == 0
    _to_file(path, n_events=n_events)
    _to_file(whole, n_events=n_events)
    _assert_complete(path, n_events)
    assert datasets.attributes(path) == datasets.attributes(whole)


def test_what_is_done_is_not_done_again(tmp_path, caplog):
    path = tmp_path / "x.h5"
    with pytest.raises(KeyboardInterrupt):
        _to_file(path, _stopping_at(5, KeyboardInterrupt()), workers=1)
    done = resumable.n_simulated(path)
    assert done >= 2 * SIZE
    calls = []

    def count(rng, size):
        calls.append(size)
        return _simulate(rng, size)

    _to_file(path, count, attributes={"model": {"a": (1, 2)}, "units": {"x": "m"}, "command": "may differ"})
    assert len(calls) == chunks.n_chunks(N, SIZE) - done // SIZE
    assert f"Continuing an interrupted simulation: {done} of {N} events are done." in caplog.text
    _assert_complete(path)


@pytest.mark.parametrize("change", [{"seed": 2}, {"n_events": 40}, {"attributes": {"model": {"a": (1, 3)}}}])
def test_other_parameters_start_afresh_and_say_so(tmp_path, caplog, change):
    path = tmp_path / "x.h5"
    with pytest.raises(OSError, match="broken"):
        _to_file(path, _stopping_at(5, OSError("broken")))
    _to_file(path, **change)
    assert "Starting afresh" in caplog.text
    _assert_complete(path, change.get("n_events", N), change.get("seed", 1))


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "recipe", "no recipe"])
def test_damaged_parts_are_simulated_again(tmp_path, caplog, damage):
    path = tmp_path / "x.h5"
    with pytest.raises(OSError, match="broken"):
        _to_file(path, _stopping_at(6, OSError("broken")), workers=1)
    pieces = sorted(part_folder(path).glob("piece-*.h5"))
    recipe = part_folder(path) / "recipe.json"
    if damage == "cut":
        pieces[1].write_bytes(pieces[1].read_bytes()[:1000])
    elif damage == "flip":
        content = bytearray(pieces[1].read_bytes())
        content[-5] ^= 1
        pieces[1].write_bytes(content)
    elif damage == "gone":
        pieces[1].unlink()
    elif damage == "recipe":
        recipe.write_bytes(b"\xff{")
    else:
        recipe.unlink()
    with caplog.at_level(logging.WARNING):
        _to_file(path)
    _assert_complete(path)
    expected = {"cut": "Simulating again from event 6", "flip": "Simulating again from event 6"}
    assert expected.get(damage, "Starting afresh" if "recipe" in damage else "Continuing") in caplog.text


def test_the_file_of_before_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "x.h5"
    _to_file(path)
    with pytest.raises(KeyboardInterrupt):
        _to_file(path, _stopping_at(3, KeyboardInterrupt()), seed=2, workers=1)
    found = datasets.load(path)
    assert datasets.attributes(path)["seed"] == 1
    assert len(found["x"]) == N
    _to_file(path, seed=2)
    _assert_complete(path, seed=2)


def test_what_is_not_ours_stays(tmp_path):
    path = tmp_path / "x.h5"
    part_folder(path).mkdir()
    note = part_folder(path) / "note.txt"
    note.write_text("mine")
    _to_file(path)
    assert note.read_text() == "mine"
    note.unlink()
    part_folder(path).rmdir()
    part_folder(path).write_text("a file of this name")
    with pytest.raises(FileExistsError, match="should be a folder for unfinished work"):
        _to_file(path)


def test_a_failure_at_the_very_start_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="broken"):
        _to_file(tmp_path / "x.h5", _stopping_at(0, RuntimeError("broken")))
    assert not list(tmp_path.iterdir())


def test_chunks_that_do_not_fit_are_refused(tmp_path):
    def uneven(_, size):
        return {"x": np.zeros(size), "y": np.zeros(size + 1)}

    def changing(rng, size):
        return {"x": np.zeros((size, rng.integers(1000)))}

    with pytest.raises(ValueError, match=r"`simulate_chunk` should return \d+ events"):
        _to_file(tmp_path / "x.h5", uneven, attributes={})
    with pytest.raises(ValueError, match="`pieces` should hold"):
        _to_file(tmp_path / "y.h5", changing, attributes={})


@pytest.mark.parametrize("change", [{"n_events": 0}, {"n_events": 1.5}, {"seed": -1}, {"attributes": {"a": object()}}])
def test_wrong_arguments_are_refused(tmp_path, change):
    with pytest.raises(ValueError, match=r"should be.*Received"):
        _to_file(tmp_path / "x.h5", **change)
    assert not list(tmp_path.iterdir())


SLOW = """
import sys, time
import numpy as np
from showertools import resumable
resumable.PIECE_BYTES = 1
def simulate(rng, size):
    time.sleep(float(sys.argv[2]))
    return {"x": rng.normal(size=(size, 3)).astype(np.float32), "n": rng.poisson(3, size)}
resumable.simulate_to_file(
    sys.argv[1], simulate, 50, seed=1, chunk_size=6, workers=2, attributes={"model": {"a": (1, 2)}, "units": {"x": "m"}}
)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_process_is_continued(tmp_path, caplog, number):
    path = tmp_path / "x.h5"
    for pieces in (1, 3):
        process = subprocess.Popen([sys.executable, "-c", SLOW, path, "0.15"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while len(list(part_folder(path).glob("piece-*.h5"))) < pieces and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(number)
        process.wait(30)
    assert not path.exists()
    assert resumable.n_simulated(path) >= 3 * SIZE
    _to_file(path)
    assert "Continuing" in caplog.text
    _assert_complete(path)


def test_memory_stays_flat(tmp_path, monkeypatch):
    monkeypatch.setattr(resumable, "PIECE_BYTES", 2**20)

    def simulate(rng, size):
        return {"x": rng.random((size, 2**14))}  # 128 kB an event, 786 kB a chunk

    peaks = []
    for n_events in (60, 240):
        tracemalloc.start()
        _to_file(tmp_path / "x.h5", simulate, n_events=n_events, attributes={})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]  # 31 MB of data against 8 MB
