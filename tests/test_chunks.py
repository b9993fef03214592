import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showertools import chunks

SETTINGS = settings(max_examples=40, deadline=None)


def _simulate(rng, size):
    return {"x": rng.normal(size=size), "n": rng.poisson(3, (size, 2))}


def _run(n_events, *, seed=1, chunk_size=7, **options):
    empty = {"x": np.empty(0), "n": np.empty((0, 2), np.int64)}
    return chunks.collect(
        chunks.iterate(_simulate, n_events, seed=seed, chunk_size=chunk_size, **options), n_events, empty
    )


def _assert_same(one, two):
    assert list(one) == list(two)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
        assert one[name].dtype == two[name].dtype


@SETTINGS
@given(n_events=st.integers(0, 100), seed=st.integers(0, 2**64), workers=st.integers(2, 5))
def test_the_number_of_workers_changes_nothing(n_events, seed, workers):
    _assert_same(_run(n_events, seed=seed, workers=1), _run(n_events, seed=seed, workers=workers))


@SETTINGS
@given(n_events=st.integers(0, 60), more=st.integers(0, 60))
def test_the_first_events_are_those_of_fewer(n_events, more):
    longer = _run(n_events + more)
    _assert_same(_run(n_events), {name: values[:n_events] for name, values in longer.items()})


@SETTINGS
@given(n_events=st.integers(1, 100), first=st.integers(0, 20))
def test_it_can_begin_at_any_chunk(n_events, first):
    whole = list(chunks.iterate(_simulate, n_events, seed=1, chunk_size=7))
    later = list(chunks.iterate(_simulate, n_events, seed=1, chunk_size=7, first=first))
    assert len(whole) == chunks.n_chunks(n_events, 7)
    assert len(later) == max(len(whole) - first, 0)
    for one, two in zip(whole[first:], later, strict=True):
        _assert_same(one, two)


def test_seeds_and_chunks_differ():
    draws = {chunks.generator(seed, chunk).integers(2**62) for seed in range(10) for chunk in range(10)}
    assert len(draws) == 100
    child = np.random.SeedSequence(5).spawn(3)[2]
    assert chunks.generator(5, 2).integers(2**62) == np.random.Generator(np.random.SFC64(child)).integers(2**62)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_few_chunks_are_simulated_ahead(workers):
    lock, started = threading.Lock(), [0]

    def count(rng, size):
        with lock:
            started[0] += 1
        return _simulate(rng, size)

    for taken, _ in enumerate(chunks.iterate(count, 200, seed=1, chunk_size=2, workers=workers), start=1):
        assert started[0] <= taken + workers + 1
    assert started[0] == 100


def test_an_error_in_a_chunk_reaches_the_caller():
    def fail(*_):
        raise RuntimeError("broken chunk")

    n_threads = threading.active_count()
    with pytest.raises(RuntimeError, match="broken chunk"):
        list(chunks.iterate(fail, 100, seed=1, chunk_size=2, workers=2))
    assert threading.active_count() == n_threads


def test_a_run_that_is_given_up_leaves_no_thread():
    n_threads = threading.active_count()
    run = chunks.iterate(_simulate, 1000, seed=1, chunk_size=2, workers=3)
    next(run)
    run.close()
    assert threading.active_count() == n_threads


def test_the_bar_counts_events(capsys):
    list(chunks.iterate(_simulate, 20, seed=1, chunk_size=7, progress=True))
    assert "20/20" in capsys.readouterr().err
    list(chunks.iterate(_simulate, 20, seed=1, chunk_size=7))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("value", [-1, 1.5, "3", None, True])
def test_wrong_numbers_are_refused(value):
    with pytest.raises(ValueError, match="`n_events` should be a whole number of at least 0"):
        next(chunks.iterate(_simulate, value, seed=1, chunk_size=2))
    with pytest.raises(ValueError, match="`seed` should be a whole"):
        next(chunks.iterate(_simulate, 1, seed=value, chunk_size=2))
    if value is not None:
        with pytest.raises(ValueError, match="`workers` should be a whole number of at least 1"):
            next(chunks.iterate(_simulate, 1, seed=1, chunk_size=2, workers=value))


@pytest.mark.parametrize("size", [6, 8])
def test_chunks_of_another_length_are_refused(size):
    with pytest.raises(ValueError, match=rf"`simulate_chunk` should return 7 events\. Received: {{'x': {size}}}"):
        list(chunks.iterate(lambda *_: {"x": np.zeros(size)}, 20, seed=1, chunk_size=7))


@pytest.mark.parametrize(("name", "value"), [("chunk_size", 0), ("first", -1)])
def test_chunks_that_cannot_be_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` should be a whole number of at least .*Received: {value}"):
        list(chunks.iterate(_simulate, 20, seed=1, **({"chunk_size": 7} | {name: value})))


@pytest.mark.parametrize(
    ("quota", "most"), [("100000 100000\n", 1), ("20000 100000\n", 1), ("max 100000\n", None), ("", None)]
)
def test_a_container_gets_no_more_threads_than_cores(quota, most, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "_CPU_QUOTA", tmp_path / "cpu.max")
    without = chunks.check_workers(None)
    assert without >= 1
    (tmp_path / "cpu.max").write_text(quota, encoding="ascii")
    assert chunks.check_workers(None) == (most or without)


@pytest.mark.parametrize("n_events", [0, 1, chunks.EVENTS_AT_ONCE, 2 * chunks.EVENTS_AT_ONCE + 3])
def test_parts_are_joined_in_their_order(n_events):
    values = np.arange(n_events)
    sizes = []

    def work(some):
        sizes.append(len(values[some]))
        return {"double": 2 * values[some]}

    np.testing.assert_array_equal(chunks.in_parts(work, n_events, workers=2)["double"], 2 * values)
    assert max(sizes) <= chunks.EVENTS_AT_ONCE
