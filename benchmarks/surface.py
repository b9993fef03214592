"""How fast are array events simulated? Compares `surface.simulate` with the plain event loop in `tests/`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import surface_oracle

from showertools import surface

N_LARGE = 200_000
ROUNDS = 7
CLASSIC = surface.ArrayModel.classic()
PEAK_OF_LARGE_RUN = f"""
import resource, sys, time
from showertools import __main__
start = time.perf_counter()
arguments = ["simulate", "array", "--preset", "classic", "--no-traces", "--events", "{N_LARGE}", "--seed", "1"]
sys.stdout = sys.stderr
__main__.main([*arguments, "--workers", "2", "--out", sys.argv[1]])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.__stdout__)
"""


def rate(simulate, n_showers):
    """Showers a second of one call, and seconds of processor time for each."""
    start, used = time.perf_counter(), time.process_time()
    simulate(n_showers)
    return n_showers / (time.perf_counter() - start), (time.process_time() - used) / n_showers


def fast(traces, workers, model=CLASSIC):
    return lambda n: surface.simulate(n, seed=1, model=model, traces=traces, workers=workers)


def rates():
    """Medians of all fast ways, which take turns, so that other load hits all alike; the loop over all rounds together.

    Showers with their core next to a station take most of the loop's time, so it gets others in each round.
    """
    seeds = iter(range(ROUNDS))
    kinds = {
        "loop": (lambda n: surface_oracle.simulate(n, seed=next(seeds), model=CLASSIC), 40),
        ("traces", 1): (fast(True, 1), 2_560),
        ("traces", 2): (fast(True, 2), 5_120),
        ("sums", 1): (fast(False, 1), 12_800),
        ("sums", 2): (fast(False, 2), 25_600),
        "default": (fast(True, 1, surface.ArrayModel()), 2_560),
    }
    found = {name: [] for name in kinds}
    for simulate, n_showers in list(kinds.values())[1:]:
        simulate(n_showers // 8)  # tables
    for _ in range(ROUNDS):
        for name, (simulate, n_showers) in kinds.items():
            found[name].append(rate(simulate, n_showers))
    loop, loop_used = zip(*found.pop("loop"), strict=True)
    medians = {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in found.items()}
    return {"loop": (statistics.harmonic_mean(loop), statistics.mean(loop_used)), **medians}


def large_run():
    """Seconds and peak memory [bytes] of a large set that is streamed to the disk, and its size there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.h5"
        command = [sys.executable, "-c", PEAK_OF_LARGE_RUN, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        seconds, peak = map(float, done.stdout.split())
        return seconds, peak * (1 if sys.platform == "darwin" else 1024), path.stat().st_size


def line(what, value, asked=""):
    print(f"{what:<58}{value:>18}{asked:>24}")


def main():
    line("classic preset, 81 stations, 80 bins", "measured", "asked")
    found = rates()
    (loop, loop_used) = found["loop"]
    line("event loop, one station at a time, every particle drawn", f"{loop:,.1f} events/s")
    for name, what, asked in (("traces", "with traces", 4_000), ("sums", "without traces", 40_000)):
        (one, used), (two, _) = found[name, 1], found[name, 2]
        line(f"{what}, 1 worker", f"{one:,.0f} events/s", f"at least {asked:,}")
        line(f"{what}, 1 worker, per second of processor time", f"{1 / used:,.0f} events/s", f"at least {asked:,}")
        line(f"{what}, 2 workers", f"{two:,.0f} events/s")
        line(f"{what}, 2 workers to 1", f"{two / one:.2f}", "at least 1.8")
        line(f"{what}, 1 worker to the event loop", f"{one / loop:,.0f}")
        line(f"{what}, 2 workers to the event loop", f"{two / loop:,.0f}", "at least 1,000" if name == "traces" else "")
        line(f"{what}, processor time of the loop to ours", f"{loop_used / used:,.0f}")
    line("default preset with traces (120 bins), 1 worker", f"{found['default'][0]:,.0f} events/s")
    seconds, peak, size = large_run()
    line(f"{N_LARGE:,} events without traces to disk, 2 workers", f"{seconds:.1f} s")
    line("their size on disk", f"{size / 1e6:.0f} MB")
    line("their peak memory, Python and NumPy included", f"{peak / 1e9:.2f} GB", "at most 2 GB")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f} (the rates are medians of {ROUNDS} rounds that take turns)")


if __name__ == "__main__":
    main()
