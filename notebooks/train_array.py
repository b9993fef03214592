"""Train the networks that lesson 34 compares, three seeds each.

    python notebooks/train_array.py      # data/array_comparisons.h5

All learn from the same 100,000 showers of the classic array and are compared on the same 10,000 others. An interrupted
comparison goes on with the runs that its file lacks.
"""

import argparse
import time
from pathlib import Path

from showertools import (
    array_features,
    array_fit,
    array_maps,
    array_networks,
    callbacks,
    datasets,
    metrics,
    multitask,
    surface,
)

# isort: split
import keras
import numpy as np

DATA = Path(__file__).resolve().parents[1] / "data"
MODEL = surface.ArrayModel.classic()
SEEDS_OF_SHOWERS = {"train": 341, "validation": 342}
WANTED = {"direction": 1.5 / 1.51, "core": 25 / 1.51, "log10_energy": 0.07 / float(np.log(10))}  # of one column
EPOCHS, BATCH_SIZE, RATE = 14, 256, 4e-3
ERRORS = {"weights from the wanted resolutions": "none", "equal weights": "none", "learned, a task": "task"}
ERRORS |= {"learned, an event": "event"}
RECIPES = [*ERRORS, "published", "published, mended"]


def prepare(n_train: int) -> tuple[dict, dict, float]:
    """Return training and validation showers with fits, features and departures, and the seconds of the first."""
    start = time.perf_counter()
    events, geometry = simulated("train", n_train)
    calibration = array_fit.calibrate_energy(geometry["size"], geometry["axis"][:, 2], events["log10_energy"])
    train = described(events, geometry, calibration)
    seconds = time.perf_counter() - start
    return train, described(*simulated("validation", 10_000), calibration), seconds


def simulated(part: str, n_showers: int) -> tuple[dict, dict]:
    """Return showers and their fitted geometry."""
    events = surface.simulate(n_showers, seed=SEEDS_OF_SHOWERS[part], model=MODEL, traces=False)
    return events, array_fit.fit_geometry(events, MODEL)


def described(events: dict, geometry: dict, calibration: array_fit.EnergyCalibration) -> dict:
    """Return showers with what a network reads and learns, in units of the wanted resolutions."""
    fitted = array_fit.add_energy(geometry, MODEL, calibration)
    departures = array_features.departures(events, fitted)
    targets = {name: values / np.float32(WANTED[name]) for name, values in departures.items()}
    return {
        "events": events,
        "fitted": fitted,
        "features": array_features.features(events, fitted, MODEL),
        "targets": targets,
    }


def decay(rate: float, steps: int) -> keras.optimizers.schedules.CosineDecay:
    """Return a rate that rises for a tenth of the steps and falls to 0."""
    return keras.optimizers.schedules.CosineDecay(
        0.0, int(0.9 * steps), warmup_target=rate, warmup_steps=int(0.1 * steps)
    )


def train_correction(recipe: str, seed: int, train: dict, validation: dict) -> tuple[dict, keras.Model, float]:
    """Return what a network makes of the validation showers, the network, and the seconds of its training."""
    keras.utils.set_random_seed(seed)
    network = array_networks.correction_network(train["features"], errors=ERRORS[recipe])
    loss = multitask.MaskedSquaredError if ERRORS[recipe] == "none" else multitask.GaussianLoss
    weights = {name: WANTED[name] ** 2 if recipe == "equal weights" else 1.0 for name in WANTED}
    steps = EPOCHS * -(-len(train["targets"]["core"]) // BATCH_SIZE)
    network.compile(
        keras.optimizers.Adam(decay(RATE, steps)),
        {name: loss() for name in WANTED},
        loss_weights=weights,
        steps_per_execution=20,
    )
    start = time.perf_counter()
    network.fit(train["features"], train["targets"], batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    seconds = time.perf_counter() - start
    found = network.predict(validation["features"], batch_size=2000, verbose=0)
    departure = {name: found[name][:, :columns] * WANTED[name] for name, columns in array_networks.TASKS.items()}
    return array_features.corrected(validation["fitted"], departure), network, seconds


def train_published(
    recipe: str, seed: int, train: dict, validation: dict, limit: float, steps: int | None
) -> tuple[dict, keras.Model, float]:
    """Return the same for the published network, trained for a limited time or a number of steps."""
    mended = recipe != "published"
    units = array_maps.scale(train["events"], MODEL)
    pictures, unseen = (
        array_maps.maps(part["events"], MODEL, units, mark_silent=mended) for part in (train, validation)
    )
    truth = {name: train["events"][name] for name in ("axis", "core")}
    truth["log10_energy"] = train["events"]["log10_energy"][:, None]
    wanted = {
        "axis": float(np.radians(1.5)),
        "core": 25.0,
        "log10_energy": 0.07 / float(np.log(10)) if mended else 50**-0.5,
    }
    keras.utils.set_random_seed(seed)
    network = array_networks.published_network(9, 9, n_channels=pictures.shape[-1])
    rate = decay(2e-3, steps) if mended else 1e-3
    network.compile(
        keras.optimizers.Adam(rate),
        dict.fromkeys(wanted, "mse"),
        loss_weights=multitask.weights_of_resolutions(wanted),
        steps_per_execution=5,
    )
    mean = train["events"]["log10_energy"].mean()
    truth["log10_energy"] = truth["log10_energy"] - mean
    start = time.perf_counter()
    watch = callbacks.TimeLimit(limit)
    network.fit(pictures, truth, batch_size=128, epochs=1000, verbose=0, callbacks=[watch])
    seconds = time.perf_counter() - start
    found = network.predict(unseen, batch_size=2000, verbose=0)
    axis = found["axis"] / np.linalg.norm(found["axis"], axis=1, keepdims=True)
    estimates = {"axis": axis, "core": found["core"], "log10_energy": found["log10_energy"][:, 0] + mean}
    return estimates, network, seconds


def resolutions(truth: dict, found: dict) -> dict[str, float]:
    """Return the radii that hold 68 % of directions [degrees] and cores [m], and the relative spread of the energy."""
    return {
        "direction": metrics.angular_resolution(truth["axis"], found["axis"]),
        "core": float(np.quantile(np.linalg.norm(found["core"] - truth["core"], axis=1), 0.68)),
        "energy": float(np.std(10 ** (found["log10_energy"] - truth["log10_energy"]))),
    }


def main(path: Path, n_train: int, seeds: list[int]) -> None:
    """Make the rows that the file lacks."""
    table = datasets.load(path) if path.exists() else None
    train, validation, prepared = prepare(n_train)
    print(
        f"prepared in {prepared:.0f} s; the fit {resolutions(validation['events'], validation['fitted'])}", flush=True
    )
    steps = None
    for recipe, seed in ((recipe, seed) for recipe in RECIPES for seed in seeds):
        number = RECIPES.index(recipe)
        if table is not None and np.any((table["recipe"] == number) & (table["seed"] == seed)):
            continue
        if recipe in ERRORS:
            found, network, seconds = train_correction(recipe, seed, train, validation)
        else:
            own = table["seconds"][table["recipe"] == RECIPES.index("learned, an event")].mean()
            steps = None if recipe == "published" else int(table["steps"][table["recipe"] == number - 1].mean())
            found, network, seconds = train_published(recipe, seed, train, validation, own + prepared, steps)
        reached = resolutions(validation["events"], found)
        print(f"{recipe}, seed {seed}: {seconds:.0f} s, {reached}", flush=True)
        row = {"recipe": number, "seed": seed, "parameters": network.count_params(), "seconds": np.float32(seconds)}
        row |= {"steps": int(network.optimizer.iterations)} | {name: np.float32(x) for name, x in reached.items()}
        table = {
            key: np.stack([value]) if table is None else np.append(table[key], [value], axis=0)
            for key, value in row.items()
        }
        attributes = {"recipes": RECIPES, "command": "python notebooks/train_array.py", "showers": n_train}
        datasets.save(path, table, attributes=attributes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--showers", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=DATA / "array_comparisons.h5")
    options = parser.parse_args()
    main(options.out, options.showers, options.seeds)
