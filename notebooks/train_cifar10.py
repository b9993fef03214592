"""Train the networks of lesson 23 that take longer than a lesson, and compare its ideas one by one.

    python notebooks/train_cifar10.py ensemble      # data/cifar10_ensemble.h5     four networks of the lesson's recipe
    python notebooks/train_cifar10.py deep          # data/cifar10_deep.h5         the 2,178,090 parameters of the talk
    python notebooks/train_cifar10.py wide          # data/cifar10_wide.h5         the recipe, wider and for longer
    python notebooks/train_cifar10.py best          # data/cifar10_best.h5         the same deeper, for longer still
    python notebooks/train_cifar10.py comparisons   # data/cifar10_comparisons.h5  ideas switched off, units exchanged
    python notebooks/train_cifar10.py recompressed  # no file: what it costs to compress the pictures as JPEG once more

The pictures are those that `datasets.load_cifar10` finds. Networks are trained on all 50,000 training pictures and
opened once on the test pictures; comparisons are trained on 10,000 of them and compared on 5,000 others. An interrupted
comparison goes on with the runs that its file lacks.
"""

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from showertools import datasets, fast_training, optimizers, picture_networks, precision, weights
from showertools.augmentation import cropped, cutout, mirrored, shifted
from showertools.batches import AugmentedBatches

DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the lesson's. Stages are pairs: size of the pictures, number of epochs."""

    build: Callable[[np.ndarray], keras.Model] = fast_training.network
    stages: tuple[tuple[int, int], ...] = ((24, 4), (32, 5))
    batch_size: int = 1000
    optimizer: str = "muon"
    learning_rate: float = 0.24
    schedule: str = "triangle"
    label_smoothing: float = 0.2
    mirror: bool = True
    shift: int = 2
    cutout: int = 0
    copies: int = 1


def standardized(train: dict, *others: dict) -> list[np.ndarray]:
    """Return pictures in units of the training pictures' spread, per colour."""
    mean, std = (
        np.float32(getattr(train["image"], name)(axis=(0, 1, 2), dtype=np.float64)) for name in ("mean", "std")
    )
    return [(part["image"] - mean) / std for part in (train, *others)]


def augmentation(recipe: Recipe, size: int) -> Callable[[np.ndarray, np.random.Generator], np.ndarray]:
    """Return the augmentation of a recipe, for whole pictures or for smaller parts of them."""

    def augment(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if size < pictures.shape[1]:
            pictures = cropped(pictures, rng, size)
        elif recipe.shift:
            pictures = shifted(pictures, rng, recipe.shift)
        if recipe.cutout:
            pictures = cutout(pictures, rng, recipe.cutout)
        return mirrored(pictures, rng) if recipe.mirror else pictures

    return augment


def learning_rate(recipe: Recipe, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the schedule of a recipe, all with the same highest rate."""
    peak, schedules = recipe.learning_rate, keras.optimizers.schedules
    if recipe.schedule == "restarts":  # cycles of 1/7, 2/7 and 4/7 of the steps
        return schedules.CosineDecayRestarts(peak, -(-steps // 7), t_mul=2.0)
    return peak if recipe.schedule == "constant" else fast_training.Triangle(peak, steps)


def trained(
    recipe: Recipe, pictures: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[keras.Model, list[float], float]:
    """Return a trained network, its accuracy in training epoch by epoch, and the seconds it took."""
    keras.utils.set_random_seed(seed)
    model = recipe.build(pictures[:5000])
    targets = keras.utils.to_categorical(labels, 10)
    stages = [(size, epochs // recipe.copies) for size, epochs in recipe.stages]
    steps = len(pictures) * recipe.copies // recipe.batch_size * sum(epochs for _, epochs in stages)
    rate = learning_rate(recipe, steps)
    chosen = {
        "muon": lambda: optimizers.Muon(rate),
        "sgd": lambda: keras.optimizers.SGD(rate, momentum=0.85, nesterov=True, weight_decay=5e-4),
        "adam": lambda: keras.optimizers.Adam(rate),
    }
    optimizer = chosen[recipe.optimizer]()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    model.compile(optimizer, loss, metrics=["accuracy"], steps_per_execution=5)
    start = time.perf_counter()
    history = []
    for number, (size, epochs) in enumerate(stages):
        batches = AugmentedBatches(
            pictures,
            targets,
            augmentation(recipe, size),
            batch_size=recipe.batch_size,
            seed=seed + 100 * number,
            copies=recipe.copies,
        )
        history += model.fit(batches, epochs=epochs, verbose=0).history["accuracy"]
    return model, history, time.perf_counter() - start


def accuracies(model: keras.Model, pictures: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the accuracy from the pictures as they are, and from the mean over six views."""
    plain = model.predict(pictures, batch_size=1000, verbose=0)
    views = fast_training.mean_over_views(model, pictures)
    return tuple(float(np.mean(logits.argmax(axis=1) == labels)) for logits in (plain, views))


def make_weights(name: str, path: Path, recipe: Recipe, seeds: Iterable[int], significant_bits: int) -> None:
    """Train networks on all training pictures, say what they reach on the test pictures, and store their weights."""
    train, test = datasets.load_cifar10()
    pictures, unseen = standardized(train, test)
    models, reached = [], []
    for seed in seeds:
        model, _, seconds = trained(recipe, pictures, train["label"], seed)
        reached.append(accuracies(model, unseen, test["label"]))
        models.append(model)
        print(
            f"{name}, seed {seed}: {seconds:.0f} s, test accuracy {reached[-1][0]:.4f}, six views {reached[-1][1]:.4f}",
            flush=True,
        )
        attributes = {
            "command": f"python notebooks/train_cifar10.py {name}",
            "seeds": list(seeds)[: len(models)],
            "epochs": sum(epochs for _, epochs in recipe.stages),
            "policy": keras.mixed_precision.dtype_policy().name,
            "test_accuracy": [values[0] for values in reached],
            "test_accuracy_of_views": [values[1] for values in reached],
        }
        weights.save(path, models, attributes=attributes, significant_bits=significant_bits)


def recompressed(pictures: np.ndarray) -> np.ndarray:
    """Return pictures that were compressed as JPEG once more, in blocks that lie 4 pixels beside the first ones."""
    import tensorflow as tf

    padded = np.pad(pictures, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    again = [tf.io.decode_jpeg(tf.io.encode_jpeg(picture, quality=75, chroma_downsampling=True)) for picture in padded]
    return np.array(again)[:, 4:-4, 4:-4]


def cost_of_compression(recipe: Recipe, seeds: Iterable[int]) -> None:
    """Say what a recipe reaches on pictures that were compressed once more, in training and test."""
    train, test = ({**part, "image": recompressed(part["image"])} for part in datasets.load_cifar10())
    pictures, unseen = standardized(train, test)
    for seed in seeds:
        model, _, seconds = trained(recipe, pictures, train["label"], seed)
        reached = accuracies(model, unseen, test["label"])
        print(f"seed {seed}: {seconds:.0f} s, test accuracy {reached[0]:.4f}, six views {reached[1]:.4f}", flush=True)


def narrow(pictures: np.ndarray) -> keras.Model:
    """Return the lesson's network with half its channels."""
    return fast_training.network(pictures, widths=(32, 64, 64))


def learned_first_layer(pictures: np.ndarray) -> keras.Model:
    """Return the narrow network with a first layer that is learned from a random start."""
    model = narrow(pictures)
    first = model.get_layer("whitening")
    first.trainable = True
    first.set_weights([keras.initializers.HeNormal()(first.kernel.shape)])
    return model


def random_start(pictures: np.ndarray) -> keras.Model:
    """Return the narrow network with kernels that all begin at random."""
    model = narrow(pictures)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.trainable:
            layer.set_weights([keras.initializers.HeNormal()(layer.kernel.shape)])
    return model


def units(unit: Callable, width: int) -> Callable[[np.ndarray], keras.Model]:
    """Return a builder of a network of units."""
    return lambda _: picture_networks.unit_network(unit, width)


COMPARED = Recipe(narrow, stages=((32, 8),), batch_size=250)
UNITS = replace(COMPARED, optimizer="adam", learning_rate=0.003)
COMPARISONS = {
    "everything": COMPARED,
    "first layer learned": replace(COMPARED, build=learned_first_layer),
    "kernels start at random": replace(COMPARED, build=random_start),
    "SGD in place of Muon": replace(COMPARED, optimizer="sgd", learning_rate=1.6),
    "no label smoothing": replace(COMPARED, label_smoothing=0.0),
    "small pictures first": replace(COMPARED, stages=((24, 4), (32, 6))),
    "no mirror images": replace(COMPARED, mirror=False),
    "no shifts": replace(COMPARED, shift=0),
    "constant rate": replace(COMPARED, schedule="constant"),
    "cosine with restarts": replace(COMPARED, schedule="restarts"),
    "2 copies of a picture": replace(COMPARED, copies=2),
    "4 copies of a picture": replace(COMPARED, copies=4, batch_size=248),
    "plain": replace(UNITS, build=units(picture_networks.plain, 16)),
    "residual": replace(UNITS, build=units(picture_networks.residual, 16)),
    "inception": replace(UNITS, build=units(picture_networks.inception, 40)),
    "separable": replace(UNITS, build=units(picture_networks.separable, 44)),
}


def make_comparisons(path: Path, names: Iterable[str], seeds: Iterable[int]) -> None:
    """Train each recipe from each seed on 10,000 pictures, and store what it reaches on 5,000 others."""
    everything, _ = datasets.load_cifar10()
    train, validation = (
        {name: values[part] for name, values in everything.items()} for part in (slice(10_000), slice(45_000, None))
    )
    pictures, unseen = standardized(train, validation)
    table = datasets.load(path) if path.exists() else None
    known = list(COMPARISONS)
    for name, seed in ((name, seed) for name in names for seed in seeds):
        number = known.index(name)
        if table is not None and np.any((table["recipe"] == number) & (table["seed"] == seed)):
            continue
        model, history, seconds = trained(COMPARISONS[name], pictures, train["label"], seed)
        plain, views = accuracies(model, unseen, validation["label"])
        print(f"{name}, seed {seed}: {seconds:.0f} s, accuracy {plain:.4f}, six views {views:.4f}", flush=True)
        row = {"recipe": number, "seed": seed, "parameters": model.count_params()}
        row |= {"accuracy": np.float32(plain), "accuracy_of_views": np.float32(views)}
        row |= {"history": np.float32(np.pad(history, (0, 10 - len(history)), constant_values=np.nan))}
        table = {
            key: np.stack([value]) if table is None else np.append(table[key], [value], axis=0)
            for key, value in row.items()
        }
        attributes = {"recipes": known, "command": "python notebooks/train_cifar10.py comparisons"}
        datasets.save(path, table, attributes=attributes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["ensemble", "deep", "wide", "best", "comparisons", "recompressed"])
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--names", nargs="+", choices=list(COMPARISONS), default=list(COMPARISONS))
    parser.add_argument("--out", type=Path, help="another file than that in data/")
    parser.add_argument("--float32", action="store_true", help="even where 16 bits are faster")
    options = parser.parse_args()
    keras.mixed_precision.set_dtype_policy("float32" if options.float32 else precision.fastest_policy())
    sixteen_bits = keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"
    if options.what == "comparisons":
        make_comparisons(options.out or DATA / "cifar10_comparisons.h5", options.names, options.seeds or [1, 2, 3])
    elif options.what == "recompressed":
        cost_of_compression(Recipe(), options.seeds or [2, 3])
    else:
        recipes = {
            "ensemble": (Recipe() if sixteen_bits else Recipe(stages=((20, 2), (24, 2), (32, 6))), [2, 3, 4, 5]),
            "deep": (
                Recipe(
                    lambda _: picture_networks.deep_network(),
                    stages=((32, 14),),
                    batch_size=250,
                    optimizer="adam",
                    learning_rate=0.003,
                ),
                [1],
            ),
            "wide": (
                Recipe(
                    lambda seen: fast_training.network(seen, widths=(64, 256, 256)),
                    stages=((24, 8), (32, 10)),
                ),
                [1],
            ),
            "best": (
                Recipe(
                    lambda seen: fast_training.network(seen, widths=(64, 256, 256), depth=3),
                    stages=((24, 16), (32, 24)),
                    shift=3,
                    cutout=8,
                ),
                [1],
            ),
        }
        recipe, seeds = recipes[options.what]
        path = options.out or DATA / f"cifar10_{options.what}.h5"
        bits = 8 if options.what == "best" else 11  # a large network: keep the file small
        make_weights(options.what, path, recipe, options.seeds or seeds, bits)
