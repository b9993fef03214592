"""How fast the network of lesson 23 learns, in 32 and in 16 bits, and how fast its pictures are augmented.

    python benchmarks/cifar10.py

takes 6 minutes on two cores with bfloat16 instructions. The time to 80 % is that of training until 80 % of 5,000 other
pictures are classified right, with a look after each epoch of 45,000 that is not counted, and a schedule of four
epochs. Without CIFAR-10 only the times of an epoch are printed.
"""

import time
from collections.abc import Callable

from showertools import datasets, fast_training, optimizers, precision
from showertools.augmentation import mirrored, shifted
from showertools.batches import AugmentedBatches

# isort: split
# Keras comes after showertools, which silences TensorFlow's start-up messages.
import keras
import numpy as np
import tensorflow as tf

BATCH = 1000


def augment(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror and shift whole batches with NumPy."""
    return mirrored(shifted(pictures, rng), rng)


def keras_batches(pictures: np.ndarray) -> tf.data.Dataset:
    """Return the same augmentation by Keras' layers inside `tf.data`."""
    layers = [
        keras.layers.RandomTranslation(2 / 32, 2 / 32, "reflect", "nearest"),
        keras.layers.RandomFlip("horizontal"),
    ]

    def change(batch: tf.Tensor) -> tf.Tensor:
        for layer in layers:
            batch = layer(batch, training=True)
        return batch

    source = tf.data.Dataset.from_tensor_slices(pictures).shuffle(len(pictures)).batch(BATCH)
    return source.map(change, num_parallel_calls=2).prefetch(2)


def seconds(work: Callable[[], object], rounds: int = 3) -> float:
    """Return the median time of some rounds, after one that does not count."""
    taken = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken[1:]))


def compare_augmentation(pictures: np.ndarray) -> None:
    """Print the time to augment an epoch, by NumPy and by Keras."""
    batches = AugmentedBatches(pictures, np.zeros(len(pictures)), augment, batch_size=BATCH, seed=1)
    ours = seconds(lambda: [batches[index] for index in range(len(batches))])
    theirs = keras_batches(pictures)
    keras_seconds = seconds(lambda: sum(1 for _ in theirs))
    print(f"augmentation of {len(pictures):,} pictures: NumPy on whole batches {ours:.2f} s, ", end="")
    print(f"Keras' layers in tf.data {keras_seconds:.2f} s, ratio {keras_seconds / ours:.1f}")


def train(policy: str, train_set: dict, validation: dict, epochs: int, until: float) -> tuple[list[float], list[float]]:
    """Return seconds and validation accuracy of each epoch, until the accuracy is reached."""
    keras.mixed_precision.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    model = fast_training.network(train_set["image"][:5000])
    targets = keras.utils.to_categorical(train_set["label"], 10)
    batches = AugmentedBatches(train_set["image"], targets, augment, batch_size=BATCH, seed=1)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    rate = fast_training.Triangle(0.24, len(batches) * epochs)
    model.compile(optimizers.Muon(rate), loss, steps_per_execution=5)
    taken, reached = [], []
    while len(taken) < epochs and (not reached or reached[-1] < until):
        start = time.perf_counter()
        model.fit(batches, verbose=0)
        taken.append(time.perf_counter() - start)
        logits = model.predict(validation["image"], batch_size=BATCH, verbose=0)
        reached.append(float(np.mean(logits.argmax(axis=1) == validation["label"])))
    return taken, reached


def main() -> None:
    """Print all figures, from one run."""
    print(f"bfloat16 instructions: {'yes' if precision.has_bfloat16() else 'no'}")
    try:
        everything, _ = datasets.load_cifar10()
        until, epochs = 0.8, 4
    except (OSError, ValueError) as error:
        print(f"Random pictures in place of CIFAR-10, so no accuracy: {error}")
        rng = np.random.default_rng(1)
        everything = {
            "image": rng.integers(256, size=(50_000, 32, 32, 3), dtype=np.uint8),
            "label": rng.integers(10, size=50_000),
        }
        until, epochs = 2.0, 2
    image = (everything["image"] - np.float32(120)) / np.float32(64)
    parts = (
        {"image": image[part], "label": everything["label"][part]} for part in (slice(45_000), slice(45_000, None))
    )
    train_set, validation = parts
    compare_augmentation(train_set["image"])
    epoch = {}
    for policy in ("float32", "mixed_bfloat16"):
        taken, reached = train(policy, train_set, validation, epochs, until)
        epoch[policy] = float(np.median(taken))
        print(f"{policy}: {epoch[policy] * 50 / 45:.1f} s an epoch of 50,000 pictures", end="")
        print(f"; {reached[-1]:.1%} after {len(taken)} epochs of 45,000, {sum(taken):.0f} s" if until < 1 else "")
    print(f"ratio: {epoch['float32'] / epoch['mixed_bfloat16']:.2f}")


if __name__ == "__main__":
    main()
