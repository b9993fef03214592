"""Train the networks that lesson 44 compares, three seeds each.

    python notebooks/train_multitask.py      # data/multitask*.h5

All learn from the 36,000 events of lesson 42, for equally many epochs, and are compared with its forests on 16,000
others. What each run says of these is kept in `runs/`: an interrupted comparison goes on with those that are missing.
"""

import argparse
import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from showertools import (
    batches,
    datasets,
    fast_training,
    multitask,
    precision,
    telescope_events,
    telescope_input,
    telescope_networks,
    telescope_performance,
    weights,
)

# isort: split
import keras
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EVENTS = {"train": (20_000, 16_000, 1), "test": (8_000, 8_000, 3)}  # gamma rays, protons, seed
CAMERA = telescope_events.GAMMAS.camera
EPOCHS, BATCH_SIZE, RATE, DECAY = 8, 128, 4e-3, 0.01
FIXED = {"energy": 1.0, "direction": 3.0, "particle": 2.0}
LOSSES = {"energy": multitask.MaskedDistance(0.05), "direction": multitask.MaskedDistance(0.02)}
LOSSES["particle"] = keras.losses.BinaryCrossentropy()


@dataclass(frozen=True)
class Recipe:
    """What is trained; the defaults are the lesson's."""

    tasks: tuple[str, ...] = ("energy", "direction", "particle")
    sharing: str = "hard"
    attention: str = "none"
    balance: str = "fixed"
    widths: tuple[int, ...] = telescope_networks.WIDTHS


RECIPES = {
    "hard sharing": Recipe(),
    "energy alone": Recipe(tasks=("energy",)),
    "direction alone": Recipe(tasks=("direction",)),
    "particle alone": Recipe(tasks=("particle",)),
    "uncertainty": Recipe(balance="uncertainty"),
    "GradNorm": Recipe(balance="GradNorm"),
    "soft sharing": Recipe(sharing="soft", widths=(18, 36, 54)),  # together about as many weights as one encoder
    "squeeze and excitation": Recipe(attention="squeeze and excitation"),
    "dual attention": Recipe(attention="dual"),
}


MAIN, TOGETHER = "hard sharing", "a network for each task"
ALONE = [name for name in RECIPES if name.endswith("alone")]
ROWS = (MAIN, TOGETHER, *(name for name in RECIPES if name not in (MAIN, *ALONE)))
STORED = {MAIN: "multitask.h5", "dual attention": "multitask_attention.h5"}
COMMAND = "python notebooks/train_multitask.py"


@cache
def prepared(part: str) -> tuple[dict, dict, dict]:
    """Return events without their images, what networks read of them, and what they learn."""
    events = telescope_events.gammas_and_protons(*EVENTS[part][:2], seed=EVENTS[part][2])
    seen = telescope_input.inputs(events, CAMERA)
    found = telescope_events.parameters(events, CAMERA)
    for name in ("image", "peak_time"):
        del events[name]
    return events | {"kept": found["kept"]}, seen, telescope_input.targets(events, seen)


def train(recipe: Recipe, seed: int) -> tuple[keras.Model, dict, float]:
    """Return a trained network, its history and how long an epoch took [s]."""
    _, seen, wanted = prepared("train")
    keras.utils.set_random_seed(seed)
    network = telescope_networks.network(
        tasks=recipe.tasks, sharing=recipe.sharing, attention=recipe.attention, widths=recipe.widths
    )
    data = batches.MirroredWindows(
        seen, {task: wanted[task] for task in recipe.tasks}, batch_size=BATCH_SIZE, seed=seed
    )
    rate = fast_training.Triangle(RATE, EPOCHS * len(data))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=DECAY)
    losses = {task: LOSSES[task] for task in recipe.tasks}
    if recipe.balance == "fixed":
        model, fixed = network, {task: FIXED[task] for task in recipe.tasks}
        model.compile(optimizer, losses, loss_weights=fixed)
    else:
        model = {
            "uncertainty": lambda: multitask.UncertaintyWeighting(network, initial=0.3),
            "GradNorm": lambda: multitask.GradNorm(network, shared="shared"),
        }[recipe.balance]()
        model.compile(optimizer, losses)
    start = time.perf_counter()
    history = model.fit(data, epochs=EPOCHS, verbose=2).history
    return network, history, (time.perf_counter() - start) / EPOCHS


def run(name: str, seed: int, folder: Path) -> None:
    """Train one network, unless its file is there, and keep what it says of the test events."""
    path = folder / f"{name.replace(' ', '_')}_{seed}.h5"
    if path.exists():
        return
    print(f"{name}, seed {seed}", flush=True)
    network, history, seconds = train(RECIPES[name], seed)
    if name in STORED and seed == 1:
        about = {"command": COMMAND, "recipe": name, "seed": seed, "epochs": EPOCHS}
        weights.save(folder / STORED[name], network, attributes=about)
    about = {"recipe": name, "seed": seed, "seconds": seconds, "n_weights": network.count_params()}
    about["history"] = json.dumps({key: [float(value) for value in values] for key, values in history.items()})
    datasets.save(path, telescope_networks.estimates(network, prepared("test")[1]), attributes=about)


def table(folder: Path, seeds: list[int]) -> tuple[dict, dict]:
    """Return the performance of each recipe and seed on the test events that were kept, and histories of the runs."""
    events = prepared("test")[0]
    kept = {name: values[events["kept"]] for name, values in events.items()}
    rows, histories = [], {}
    for name in ROWS:
        of_seeds = []
        for seed in seeds:
            parts = ALONE if name == TOGETHER else [name]
            paths = [folder / f"{part.replace(' ', '_')}_{seed}.h5" for part in parts]
            said = [datasets.load(path) for path in paths]
            joined = {key: np.fmax.reduce([values[key] for values in said])[events["kept"]] for key in said[0]}
            row = telescope_performance.performance(kept, joined, n_resamples=20)
            about = [datasets.attributes(path) for path in paths]
            of_seeds.append({key: values[..., 0] for key, values in row.items()})
            of_seeds[-1] |= {key: np.array(sum(one[key] for one in about)) for key in ("seconds", "n_weights")}
            histories |= {f"{one['recipe']}, {seed}": json.loads(one["history"]) for one in about}
        rows.append({key: np.stack([row[key] for row in of_seeds]) for key in of_seeds[0]})
    return {key: np.stack([row[key] for row in rows]).astype(np.float32) for key in rows[0]}, histories


def main() -> None:
    """Train what is missing, then write the table and the weights of the lesson's network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES), help="recipes to train")
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "multitask", help="where runs are kept")
    arguments = parser.parse_args()
    keras.mixed_precision.set_dtype_policy(precision.fastest_policy())
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for seed in arguments.seeds:
        for name in arguments.only:
            run(name, seed, arguments.folder)
    if set(arguments.only) == set(RECIPES):
        found, histories = table(arguments.folder, arguments.seeds)
        about = {"command": COMMAND, "seeds": arguments.seeds, "rows": list(ROWS), "epochs": EPOCHS}
        about["histories"] = json.dumps(histories)
        datasets.save(ROOT / "data" / "multitask_comparisons.h5", found, attributes=about)
        for name in STORED.values():
            (ROOT / "data" / name).write_bytes((arguments.folder / name).read_bytes())


if __name__ == "__main__":
    main()
