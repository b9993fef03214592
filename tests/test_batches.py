import numpy as np
import pytest

from showertools import symmetry, telescope_input
from showertools.batches import AugmentedBatches, MirroredWindows, TurnedBatches


@pytest.fixture
def pictures():
    return np.random.default_rng(1).normal(size=(50, 4, 4, 2)).astype(np.float32)


def which_symmetry(batch, originals):
    return [number for number in range(8) if np.array_equal(symmetry.turned(originals, number), batch)]


def test_every_picture_comes_once_with_its_target(pictures):
    batches = TurnedBatches(pictures, np.arange(50), batch_size=10, seed=1)
    targets = np.concatenate([batches[index][1] for index in range(len(batches))])
    assert sorted(targets) == list(range(50))
    for index in range(len(batches)):
        batch, target = batches[index]
        assert len(which_symmetry(batch, pictures[target])) == 1


def test_epochs_differ_and_seeds_repeat(pictures):
    def epochs(seed):
        batches = TurnedBatches(pictures, np.arange(50), batch_size=10, seed=seed)
        first = batches[0][1]
        batches.on_epoch_end()
        return first, batches[0][1]

    first, second = epochs(7)
    assert not np.array_equal(first, second)
    assert np.array_equal(epochs(7), epochs(7))
    assert not np.array_equal(epochs(7), epochs(8))


def test_a_last_smaller_batch_is_left_out(pictures):
    assert len(TurnedBatches(pictures, np.arange(50), batch_size=16, seed=1)) == 3


def test_all_symmetries_come(pictures):
    batches = TurnedBatches(pictures, np.arange(50), batch_size=1, seed=1)
    seen = {which_symmetry(*(batches[i][0], pictures[batches[i][1]]))[0] for i in range(50)}
    assert seen == set(range(8))


def test_bad_arguments(pictures):
    with pytest.raises(ValueError, match="`targets` should have the length 50"):
        TurnedBatches(pictures, np.arange(49), seed=1)
    with pytest.raises(ValueError, match="`pictures` should fill a batch of 64"):
        TurnedBatches(pictures, np.arange(50), seed=1)
    with pytest.raises(ValueError, match="`seed` should be a whole number"):
        TurnedBatches(pictures, np.arange(50), batch_size=10, seed=-1)
    with pytest.raises(ValueError, match=r"`pictures` should have the shape \(n, H, H, C\)"):
        TurnedBatches(pictures[..., 0], np.arange(50), seed=1)


def add_noise(pictures, rng):
    return pictures + rng.normal(size=pictures.shape).astype(pictures.dtype)


def negative(pictures, _):
    return -pictures


def test_augmented_batches_hold_every_picture_once_an_epoch(pictures):
    batches = AugmentedBatches(pictures, np.arange(50), negative, batch_size=10, seed=1)
    targets = np.concatenate([batches[index][1] for index in range(len(batches))])
    assert sorted(targets) == list(range(50))
    batch, target = batches[2]
    np.testing.assert_array_equal(batch, -pictures[target])


def test_copies_are_augmented_each_anew(pictures):
    batches = AugmentedBatches(pictures, np.arange(50), add_noise, batch_size=10, seed=1, copies=2)
    assert len(batches) == 10
    targets = np.concatenate([batches[index][1] for index in range(len(batches))])
    assert np.all(np.bincount(targets) == 2)
    batch, target = batches[0]
    assert np.array_equal(target[::2], target[1::2])
    assert not np.any(np.all(batch[::2] == batch[1::2], axis=(1, 2, 3)))


def test_augmented_epochs_differ_and_seeds_repeat(pictures):
    def epochs(seed):
        batches = AugmentedBatches(pictures, np.arange(50), add_noise, batch_size=10, seed=seed)
        first = batches[0]
        batches.on_epoch_end()
        return [*first, *batches[0]]

    assert not np.array_equal(epochs(7)[1], epochs(7)[3])
    assert all(np.array_equal(one, other) for one, other in zip(epochs(7), epochs(7), strict=True))
    assert not np.array_equal(epochs(7)[0], epochs(8)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": np.arange(49)}, "`targets` should have the length 50. Received: 49"),
        ({"copies": 3}, "`copies` should divide the batch of 10. Received: 3"),
        ({"batch_size": 60}, "`pictures` should fill a batch of 60. Received: 50"),
        ({"batch_size": 0}, "`batch_size` should"),
        ({"seed": -1}, "`seed` should"),
    ],
)
def test_wrong_arguments_of_augmented_batches(pictures, changes, message):
    given = {"pictures": pictures, "targets": np.arange(50), "augment": add_noise, "batch_size": 10, "seed": 1}
    with pytest.raises(ValueError, match=message):
        AugmentedBatches(**{**given, **changes})


@pytest.mark.parametrize("kind", ["turned", "augmented"])
def test_a_training_sees_the_batches_in_their_order_epoch_by_epoch(pictures, kind):
    import keras

    targets = np.random.default_rng(2).normal(size=(50, 1)).astype(np.float32)

    def batches():
        if kind == "turned":
            return TurnedBatches(pictures, targets, batch_size=5, seed=3)
        return AugmentedBatches(pictures, targets, add_noise, batch_size=5, seed=3)

    def model():
        layers = [keras.Input((4, 4, 2)), keras.layers.Flatten(), keras.layers.Dense(1, kernel_initializer="ones")]
        linear = keras.Sequential(layers)
        linear.compile(keras.optimizers.SGD(0.01), "mse")
        return linear

    def by_hand(first_epoch):
        linear, some = model(), batches()
        for epoch in range(first_epoch + 3):
            for index in range(len(some) if epoch >= first_epoch else 0):
                linear.train_on_batch(*some[index])
            some.on_epoch_end()
        return linear.get_weights()[0]

    fitted = model()
    fitted.fit(batches(), epochs=3, shuffle=False, verbose=0)
    found = fitted.get_weights()[0]
    # Keras may end an epoch before the first, when it builds what it trains with.
    assert any(np.allclose(found, by_hand(first_epoch), rtol=1e-5) for first_epoch in (0, 1))


def test_a_network_with_several_inputs_gets_its_batches_by_name():
    first, second = np.arange(8.0), np.arange(8.0)[:, None] + 100
    batches = AugmentedBatches(
        {"first": first, "second": second},
        first,
        lambda seen, rng: {**seen, "first": seen["first"] + rng.integers(1, 2)},
        batch_size=4,
        seed=1,
    )
    seen = [batches[number] for number in range(len(batches))]
    for pictures, targets in seen:
        np.testing.assert_array_equal(pictures["first"], targets + 1)
        np.testing.assert_array_equal(pictures["second"][:, 0], targets + 100)
    np.testing.assert_array_equal(np.sort(np.concatenate([targets for _, targets in seen])), first)
    with pytest.raises(ValueError, match="`targets` should have the length 8"):
        AugmentedBatches({"first": first, "second": second}, first[:7], lambda seen, _: seen, batch_size=2, seed=1)


@pytest.fixture
def windows():
    rng = np.random.default_rng(2)
    seen = {"window": rng.normal(size=(40, 16, 16, 17)).astype(np.float16), "shower": np.arange(80.0).reshape(40, 2)}
    return seen, {"direction": np.arange(1.0, 81).reshape(40, 2), "particle": np.arange(40.0)[:, None]}


def test_a_quarter_of_the_windows_is_of_each_orientation_and_targets_follow(windows):
    seen, wanted = windows
    batches = MirroredWindows(seen, wanted, batch_size=8, seed=1)
    for index in range(len(batches)):
        batch, target = batches[index]
        number = target["particle"][:, 0].astype(int)
        original = seen["window"][number].astype(np.float32)
        turned, mirrored = telescope_input.turned_by_180(original), telescope_input.mirrored(original)
        both = telescope_input.turned_by_180(mirrored)
        moved = np.stack([original, turned, mirrored, both], axis=1)  # (B, 4, H, H, C)
        kinds = (moved == batch["window"][:, None]).all(axis=(2, 3, 4))
        assert kinds.sum(axis=0).tolist() == [2, 2, 2, 2]
        is_mirrored = kinds[:, 2] | kinds[:, 3]
        sign = np.where(is_mirrored, -1, 1)
        np.testing.assert_array_equal(target["direction"][:, 0], wanted["direction"][number, 0])
        np.testing.assert_array_equal(target["direction"][:, 1], sign * wanted["direction"][number, 1])
        np.testing.assert_array_equal(batch["shower"], seen["shower"][number])


def test_windows_come_once_in_an_epoch_in_another_order_in_the_next(windows):
    batches = MirroredWindows(*windows, batch_size=8, seed=1)
    first = np.concatenate([batches[index][1]["particle"][:, 0] for index in range(5)])
    batches.on_epoch_end()
    second = np.concatenate([batches[index][1]["particle"][:, 0] for index in range(5)])
    assert sorted(first) == sorted(second) == list(range(40))
    assert list(first) != list(second)
    np.testing.assert_array_equal(windows[1]["direction"], np.arange(1.0, 81).reshape(40, 2))  # not changed


def test_too_few_windows_are_refused(windows):
    with pytest.raises(ValueError, match="`seen` should fill a batch of 64"):
        MirroredWindows(*windows, batch_size=64, seed=1)
