"""How fast are footprints simulated? Compares `footprints.simulate` with the plain event loop in `tests/`."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker

import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import footprint_oracle

from showertools import footprints

N_LARGE = 40_000
ROUNDS = 7
PEAK_OF_LARGE_RUN = f"""
import resource, time
from showertools import footprints
start = time.perf_counter()
footprints.simulate({N_LARGE}, seed=1, workers=2)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
IMPORT = "import time; start = time.perf_counter(); import showertools; print(time.perf_counter() - start)"


def rate(simulate, n_showers):
    """Showers a second of one call."""
    start = time.perf_counter()
    simulate(n_showers)
    return n_showers / (time.perf_counter() - start)


def rates():
    """Median showers a second of loop, one worker and two; the three take turns, so that other load hits all alike."""
    kinds = {
        "loop": (lambda n: footprint_oracle.simulate(n, seed=1), 60),
        "one": (lambda n: footprints.simulate(n, seed=1, workers=1), 3_200),
        "two": (lambda n: footprints.simulate(n, seed=1, workers=2), 6_400),
    }
    found = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, (simulate, n_showers) in kinds.items():
            found[name].append(rate(simulate, n_showers))
    return {name: statistics.median(values) for name, values in found.items()}


def fresh(code):
    """Numbers that `code` prints in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def line(what, value, asked=""):
    print(f"{what:<58}{value:>16}{asked:>22}")


def main():
    line("", "measured", "asked")
    found = rates()
    line("event loop, one shower and one muon at a time", f"{found['loop']:,.0f} showers/s")
    line("footprints.simulate, 1 worker", f"{found['one']:,.0f} showers/s")
    line("footprints.simulate, 2 workers", f"{found['two']:,.0f} showers/s")
    line("ratio to the event loop, 1 worker", f"{found['one'] / found['loop']:.0f}")
    line("ratio to the event loop, 2 workers", f"{found['two'] / found['loop']:.0f}", "at least 100")
    seconds, peak = fresh(PEAK_OF_LARGE_RUN)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes in ru_maxrss
    line(f"{N_LARGE:,} showers, 2 workers", f"{seconds:.1f} s", "at most 20 s")
    line("its peak memory, Python and NumPy included", f"{peak * unit / 1e9:.2f} GB", "at most 2 GB")
    line(
        "import showertools, median of 9",
        f"{statistics.median(fresh(IMPORT)[0] for _ in range(9)):.3f} s",
        "under 0.3 s",
    )
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f} (the rates are medians of {ROUNDS} rounds that take turns)")


if __name__ == "__main__":
    main()
