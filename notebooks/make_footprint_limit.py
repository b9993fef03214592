"""Make `data/footprint_limit.h5`: the posterior of the test showers of lessons 32 and 33.

    python notebooks/make_footprint_limit.py

takes 6 to 10 minutes on two cores. The file holds what `showertools.limits.footprint_posterior` says of the 4,000
default showers of seed 33, beside their true Xmax and mass number.
"""

import argparse
from pathlib import Path

import numpy as np

from showertools import datasets, footprints, limits

TARGET = Path(__file__).resolve().parents[1] / "data" / "footprint_limit.h5"


def make(path: Path, n_showers: int, seed: int) -> None:
    """Simulate the showers, integrate their posteriors, write the file and say what it holds."""
    model = footprints.FootprintModel()
    showers = footprints.simulate(n_showers, seed=seed, model=model)
    found = limits.footprint_posterior(showers, seed=seed, model=model, progress=True)
    data = {"true_xmax": showers["xmax"], "mass_number": showers["mass_number"]}
    data |= {name: found[name].astype(np.float32) for name in ("xmax", "xmax_std", "probability")}
    units = {"true_xmax": "g/cm2", "xmax": "g/cm2", "xmax_std": "g/cm2"}
    attributes = {"units": units, "seed": seed, "model": footprints.parameters(model)}
    datasets.save(path, data, attributes=attributes)

    pull = (data["xmax"] - data["true_xmax"]) / data["xmax_std"]
    named = np.array(model.mass_numbers)[found["probability"].argmax(axis=1)]
    print(f"{path.name}: {n_showers} showers of seed {seed}")
    print(f"smallest resolution of Xmax: {np.sqrt(np.mean(found['xmax_std'] ** 2)):.2f} g/cm², pulls {pull.std():.3f}")
    print(f"its posterior means reach:   {np.std(data['xmax'] - data['true_xmax']):.2f} g/cm²")
    print(f"largest accuracy of mass:    {found['probability'].max(axis=1).mean():.4f}")
    print(f"its best classes reach:      {np.mean(named == data['mass_number']):.4f}")
    print(f"fewest effective samples:    {found['effective_samples'].min():.0f} of 256")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=33)
    parser.add_argument("--out", type=Path, default=TARGET)
    options = parser.parse_args()
    make(options.out, options.events, options.seed)
