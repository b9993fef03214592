"""Simulation in chunks: the same seed gives the same events for any number of workers.

Events are simulated in chunks of a fixed size, and chunk number `k` draws from the `k`-th child of the seed. So neither
the number of workers, nor their order, nor a restart in the middle changes a single bit, and the first 100 of 1,000
events are the 100 events that the same seed gives alone. Workers are threads: NumPy works outside Python's lock, and
threads need neither a guarded main module nor copies of the data.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
Events = dict[str, np.ndarray]
"""Arrays of equal length, keyed by name."""
EVENTS_AT_ONCE = 1024
"""Events of one part of `in_parts`: so many that two threads do not wait for each other."""


def n_chunks(n_events: int, chunk_size: int) -> int:
    """Return the number of chunks that hold `n_events`; the last one may be cut."""
    return -(-n_events // chunk_size)


def generator(seed: int, chunk: int) -> np.random.Generator:
    """Return the random generator of one chunk: the `chunk`-th child of `numpy.random.SeedSequence(seed)`."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(chunk,))))


def iterate(
    simulate_chunk: Callable[[np.random.Generator, int], Events],
    n_events: int,
    *,
    seed: int,
    chunk_size: int,
    workers: int | None = None,
    first: int = 0,
    progress: bool = False,
) -> Iterator[Events]:
    """Simulate `n_events` and yield them chunk by chunk, in order.

    Parameters
    ----------
    simulate_chunk : callable
        `simulate_chunk(rng, size)` returns `size` events as a dict of arrays.
    n_events : int
        Number of events in all, at least 0.
    seed : int
        Not negative. The same seed gives the same events.
    chunk_size : int
        Events in a chunk; a property of the simulator, since it decides which events a seed gives.
    workers : int, optional
        Number of threads; by default the number of cores that this process may use.
    first : int
        Number of the first chunk to yield: those before it are left out (an interrupted run goes on here).
    progress : bool
        Show a progress bar that counts events.

    Yields
    ------
    dict of numpy.ndarray
        The events of one chunk. At most `workers` + 2 chunks are in memory at a time.

    Raises
    ------
    ValueError
        If a number is out of range, or `simulate_chunk` returns another number of events than it was asked for.
    """
    check_size(n_events, "n_events", minimum=0)
    check_size(seed, "seed", minimum=0)
    check_size(chunk_size, "chunk_size", minimum=1)
    check_size(first, "first", minimum=0)
    workers = check_workers(workers)

    def chunk(index: int) -> Events:
        events = simulate_chunk(generator(seed, index), chunk_size)
        lengths = {name: len(values) for name, values in events.items()}
        if set(lengths.values()) != {chunk_size}:
            raise ValueError(f"`simulate_chunk` should return {chunk_size} events. Received: {lengths}")
        left = n_events - index * chunk_size
        return events if left >= chunk_size else {name: values[:left] for name, values in events.items()}

    indices = iter(range(first, n_chunks(n_events, chunk_size)))
    bar = tqdm(total=n_events, initial=min(first * chunk_size, n_events), unit=" events", disable=not progress)
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Events]] = deque()
    try:
        for index in indices:
            waiting.append(pool.submit(chunk, index))
            if len(waiting) > workers + 1:
                yield _next(waiting, bar)
        while waiting:
            yield _next(waiting, bar)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        bar.close()


def _next(waiting: deque[Future[Events]], bar: tqdm) -> Events:
    events = waiting.popleft().result()
    bar.update(len(next(iter(events.values()))))
    return events


def collect(chunks: Iterator[Events], n_events: int, empty: Events) -> Events:
    """Join chunks into one dict of arrays without holding them twice.

    Parameters
    ----------
    chunks : iterator of dict of numpy.ndarray
        As `iterate` yields them.
    n_events : int
        Number of events in all chunks together.
    empty : dict of numpy.ndarray
        Arrays of length 0 with the names, shapes and types of the events, so that no event at all has them too.

    Returns
    -------
    dict of numpy.ndarray
        Each of length `n_events`.
    """
    joined = {name: np.empty((n_events, *values.shape[1:]), values.dtype) for name, values in empty.items()}
    start = 0
    for events in chunks:
        stop = start + len(next(iter(events.values())))
        for name, values in events.items():
            joined[name][start:stop] = values
        start = stop
    return joined


def in_parts(work: Callable[[slice], Events], n_events: int, workers: int | None) -> Events:
    """Apply `work` to a few events at a time, and join what it returns.

    Parameters
    ----------
    work : callable
        Takes the slice of the events, returns arrays of as many entries.
    n_events : int
        How many events there are.
    workers : int, optional
        Number of threads; by default the number of cores.

    Returns
    -------
    dict of numpy.ndarray
        Each of length `n_events`.
    """
    starts = range(0, max(n_events, 1), EVENTS_AT_ONCE)
    with ThreadPoolExecutor(check_workers(workers)) as pool:
        parts = list(pool.map(lambda start: work(slice(start, min(start + EVENTS_AT_ONCE, n_events))), starts))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def check_size(value: int, name: str, *, minimum: int) -> int:
    """Return `value` if it is a whole number of at least `minimum`; raise `ValueError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < minimum:
        raise ValueError(f"`{name}` should be a whole number of at least {minimum}. Received: {value!r}")
    return int(value)


def check_workers(workers: int | None) -> int:
    """Return the number of threads to use: `workers`, or as many as this process has cores."""
    if workers is not None:
        return check_size(workers, "workers", minimum=1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # a container such as Binder's shows all cores of its machine, and may use a few
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no such file, or no quota ("max")
        return cores
