"""Train the networks that lesson 35 compares, three seeds each.

    python notebooks/train_traces.py      # data/trace_comparisons.h5

All learn Xmax from 20,000 showers of the default array, or of a variant of it, and are compared on 5,000 others of
three arrays. An interrupted comparison goes on with the runs that its file lacks.
"""

import argparse
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from showertools import (
    array_features,
    array_fit,
    array_maps,
    array_traces,
    batches,
    datasets,
    multitask,
    surface,
    trace_networks,
)

# isort: split
import keras
import numpy as np

DATA = Path(__file__).resolve().parents[1] / "data"
DEFAULT = surface.ArrayModel()
MODELS = {
    "as it is": DEFAULT,
    "10 % of the stations dead": replace(DEFAULT, dead_fraction=0.1),
    "no saturation": replace(DEFAULT, saturation=np.inf),
}
SEEDS_OF_SHOWERS = {"train": 351, "validation": 352}
LAYOUT, INDEX = array_traces.middle(DEFAULT)
ENERGIES = ((18.5, 19.0), (19.0, 19.5), (19.5, 20.0))  # log10(E/eV), in which resolutions are stated
EPOCHS, BATCH_SIZE, RATE = 5, 128, 3e-3


@dataclass(frozen=True)
class Recipe:
    """What is trained; the defaults are the lesson's."""

    encoder: str = "convolutional"
    n_hexagonal: int = 1
    array: str = "as it is"
    fit: bool = True
    switched_off: float = 0.0
    times: float | None = None  # as long as the lesson's takes, or so many times; None: `EPOCHS`


RECIPES = {
    "convolutions in time, one hexagonal": Recipe(),
    "no neighbours": Recipe(n_hexagonal=0),
    "two hexagonal": Recipe(n_hexagonal=2),
    "no traces": Recipe(encoder="none"),
    "no fit, two hexagonal": Recipe(fit=False, n_hexagonal=2),
    "no fit, no neighbours": Recipe(fit=False, n_hexagonal=0),
    "LSTM": Recipe(encoder="recurrent", times=1),
    "LSTM, bins of 75 ns": Recipe(encoder="recurrent, 3 bins together", times=1),
    "LSTM, bins of 75 ns, five times as long": Recipe(encoder="recurrent, 3 bins together", times=5),
    "stations switched off in training": Recipe(switched_off=0.3),
    "dead stations simulated": Recipe(array="10 % of the stations dead"),
    "trained without saturation": Recipe(array="no saturation"),
}
ONE_SEED = {"LSTM, bins of 75 ns, five times as long"}


@cache
def calibration() -> array_fit.EnergyCalibration:
    """Return the calibration of the energy from 20,000 showers without traces."""
    events = surface.simulate(20_000, seed=350, model=DEFAULT, traces=False)
    found = array_fit.fit_geometry(events, DEFAULT)
    return array_fit.calibrate_energy(found["size"], found["axis"][:, 2], events["log10_energy"])


@cache
def units() -> array_maps.Scale:
    """Return the units of signals and times, from other showers than those of training and validation."""
    return array_maps.scale(surface.simulate(5_000, seed=350, model=DEFAULT, traces=False), DEFAULT)


def prepared(part: str, array: str, fit: bool, n_showers: int) -> dict:
    """Return what a network reads of showers, Xmax (NaN where the fit failed) and the energy.

    Without the fit stations have signal and time as they are, as in maps, and the shower has nothing.
    """
    events = array_traces.simulate(n_showers, seed=SEEDS_OF_SHOWERS[part], model=MODELS[array], index=INDEX)
    fitted = array_fit.reconstruct(events, DEFAULT, calibration())
    seen = array_traces.inputs(events, fitted, DEFAULT, LAYOUT, INDEX)
    if not fit:
        signal, time = events["signal"][:, INDEX], events["time"][:, INDEX]
        values = array_maps.channels(signal, time, units())
        seen |= {"stations": LAYOUT.to_array(values, "axial", axis=1), "shower": np.zeros((n_showers, 1), np.float32)}
    xmax = np.where(array_features.usable(fitted), events["xmax"], np.nan)
    return {"seen": seen, "xmax": xmax.astype(np.float32), "log10_energy": events["log10_energy"]}


def rate(share: float) -> float:
    """Return the learning rate after a share of a training: it rises for a tenth of it and falls as a cosine."""
    return RATE * (share / 0.1 if share < 0.1 else 0.5 * (1 + np.cos(np.pi * min((share - 0.1) / 0.9, 1))))


class Clock(keras.callbacks.Callback):
    """Set the learning rate by the share of the time, or of the steps, that has passed; stop when all of it has."""

    def __init__(self, seconds: float | None, steps: int) -> None:
        super().__init__()
        self._seconds, self._steps, self._done = seconds, steps, 0

    def on_train_begin(self, logs: dict | None = None) -> None:  # noqa: ARG002 (Keras gives it)
        """Start the clock."""
        self._start = time.perf_counter()
        self.model.optimizer.learning_rate = rate(0.01)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:  # noqa: ARG002 (Keras gives them)
        """Go on, or stop."""
        done = int(self.model.optimizer.iterations)
        share = done / self._steps if self._seconds is None else (time.perf_counter() - self._start) / self._seconds
        self.model.optimizer.learning_rate = rate(share)
        self.model.stop_training = share >= 1


def trained(recipe: Recipe, seed: int, train: dict, seconds: float | None) -> tuple[keras.Model, float]:
    """Return a trained network and the seconds it took."""
    keras.utils.set_random_seed(seed)
    network = trace_networks.xmax_network(
        train["seen"], LAYOUT.mask("axial"), encoder=recipe.encoder, n_hexagonal=recipe.n_hexagonal
    )
    network.compile(keras.optimizers.Adam(RATE), multitask.GaussianLoss(), steps_per_execution=5)
    mean, spread = np.nanmean(train["xmax"]), np.nanstd(train["xmax"])
    target = ((train["xmax"] - mean) / spread)[:, None]
    some = batches.AugmentedBatches(
        train["seen"],
        target,
        lambda seen, rng: array_traces.switch_off(seen, rng, recipe.switched_off) if recipe.switched_off else seen,
        batch_size=BATCH_SIZE,
        seed=seed,
    )
    clock = Clock(seconds, EPOCHS * len(some))
    start = time.perf_counter()
    network.fit(some, epochs=EPOCHS if seconds is None else 1000, verbose=0, callbacks=[clock])
    return network, time.perf_counter() - start


def resolutions(network: keras.Model, train: dict, validation: dict) -> np.ndarray:
    """Return the standard deviation of the errors in `ENERGIES` [g/cm²], (3,)."""
    found = multitask.estimates(network.predict(validation["seen"], batch_size=500, verbose=0))[:, 0]
    error = found * np.nanstd(train["xmax"]) + np.nanmean(train["xmax"]) - validation["xmax"]
    energy = validation["log10_energy"]
    return np.array([np.nanstd(error[(energy >= low) & (energy < high)]) for low, high in ENERGIES], np.float32)


def main(path: Path, n_train: int, names: list[str], seeds: list[int]) -> None:
    """Make the rows that the file lacks."""
    table = datasets.load(path) if path.exists() else None
    train, kind = {}, None
    for name, seed in ((name, seed) for name in names for seed in seeds):
        number, recipe = list(RECIPES).index(name), RECIPES[name]
        done = table is not None and np.any((table["recipe"] == number) & (table["seed"] == seed))
        if done or (name in ONE_SEED and seed != seeds[0]):
            continue
        if (recipe.array, recipe.fit) != kind:
            kind = recipe.array, recipe.fit
            validation = {array: prepared("validation", array, recipe.fit, 5_000) for array in MODELS}
            train = prepared("train", recipe.array, recipe.fit, n_train)
        ours = None if table is None else float(table["seconds"][table["recipe"] == 0].mean())
        seconds = None if recipe.times is None else recipe.times * ours
        network, seconds = trained(recipe, seed, train, seconds)
        reached = np.full((len(MODELS), len(ENERGIES)), np.nan, np.float32)
        for other in list(MODELS)[: 1 if "recurrent" in recipe.encoder else None]:  # which take long to be asked
            reached[list(MODELS).index(other)] = resolutions(network, train, validation[other])
        steps = int(network.optimizer.iterations)
        print(f"{name}, seed {seed}: {seconds:.0f} s, {steps} steps, {reached.round(1).tolist()}", flush=True)
        row = {"recipe": number, "seed": seed, "parameters": network.count_params(), "seconds": np.float32(seconds)}
        row |= {"steps": steps, "resolution": reached}
        table = {
            key: np.stack([value]) if table is None else np.append(table[key], [value], axis=0)
            for key, value in row.items()
        }
        attributes = {"recipes": list(RECIPES), "arrays": list(MODELS), "showers": n_train}
        datasets.save(path, table, attributes=attributes | {"command": "python notebooks/train_traces.py"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--names", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--showers", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=DATA / "trace_comparisons.h5")
    options = parser.parse_args()
    main(options.out, options.showers, options.names, options.seeds)
