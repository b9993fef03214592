"""Camera images of Cherenkov telescopes: how fast they are simulated, and in how much memory."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a worker

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from showertools import cherenkov
from showertools.cherenkov import TelescopeModel

N_EVENTS, ROUNDS = 5 * cherenkov.CHUNK_SIZE, 5
N_LARGE = 20_000
ASKED = 180  # s for 100,000 images on two cores
PEAK_OF_LARGE_RUN = f"""
import resource, sys, time
from showertools import __main__
start = time.perf_counter()
arguments = ["simulate", "telescopes", "--particle", "gamma", "--events", "{N_LARGE}", "--seed", "1", "--workers", "2"]
sys.stdout = sys.stderr
__main__.main([*arguments, "--out", sys.argv[1]])
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.__stdout__)
"""


def used(particle, model, workers=1):
    """Seconds on the clock and of processor time for each of some events, drawn chunk by chunk."""
    start, before = time.perf_counter(), time.process_time()
    for _ in cherenkov.iterate(N_EVENTS, seed=1, particle=particle, model=model, workers=workers):
        pass
    return (time.perf_counter() - start) / N_EVENTS, (time.process_time() - before) / N_EVENTS


def times():
    """Medians for each camera and particle; they take turns, so that other load hits all alike."""
    kinds = {
        (camera, particle, workers): (particle, TelescopeModel(camera_name=camera), workers)
        for camera in ("lst", "small")
        for particle in ("gamma", "proton")
        for workers in (1, 2)
    }
    found = {name: [] for name in kinds}
    for particle, model, _ in kinds.values():
        cherenkov.simulate(1, seed=1, particle=particle, model=model)  # tables
    for _ in range(ROUNDS):
        for name, arguments in kinds.items():
            found[name].append(used(*arguments))
    return {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in found.items()}


def large_run():
    """Seconds and peak memory [bytes] of a large set that is streamed to the disk, and its size there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.h5"
        command = [sys.executable, "-c", PEAK_OF_LARGE_RUN, str(path)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
        seconds, peak = map(float, done.stdout.split())
        return seconds, peak * (1 if sys.platform == "darwin" else 1024), path.stat().st_size


def line(what, value, asked=""):
    print(f"{what:<66}{value:>14}{asked:>20}")


def main():
    line("100,000 images of one telescope, half gammas, half protons", "measured", "asked")
    found = times()
    for camera in ("lst", "small"):
        for workers in (1, 2):
            clock, processor = (
                sum(found[camera, particle, workers][k] for particle in ("gamma", "proton")) * 50_000 for k in (0, 1)
            )
            asked = f"at most {ASKED} s" if workers == 2 else ""
            line(f"{camera} camera, {workers} worker{'s' * (workers > 1)}", f"{clock:.0f} s", asked)
            if workers == 1:
                line(f"{camera} camera, processor time", f"{processor:.0f} s", f"at most {2 * ASKED} s")
    seconds, peak, size = large_run()
    line(f"{N_LARGE:,} gammas to disk, lst camera, 2 workers", f"{seconds:.1f} s")
    line("their size on disk", f"{size / 1e6:.0f} MB")
    line("their peak memory, Python and NumPy included", f"{peak / 1e9:.2f} GB", "at most 1 GB")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores, load {load:.1f} (medians of {ROUNDS} rounds that take turns)")


if __name__ == "__main__":
    main()
