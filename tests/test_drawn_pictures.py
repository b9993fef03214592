import time

import numpy as np
import pytest

from showertools import chunks, drawn_pictures
from showertools.drawn_pictures import CLASSES, simulate


@pytest.fixture(scope="module")
def pictures():
    return simulate(2000, seed=1)


def test_shapes_types_and_classes(pictures):
    assert pictures["image"].shape == (2000, 32, 32, 3)
    assert pictures["image"].dtype == np.uint8
    assert pictures["label"].dtype == np.int64
    share = np.bincount(pictures["label"], minlength=10) / 2000
    assert len(share) == len(CLASSES) == 10
    np.testing.assert_allclose(share, 0.1, atol=5 * np.sqrt(0.09 / 2000))


def test_the_same_seed_gives_the_same_pictures(pictures):
    for n in (0, 1, 700):  # across the edge of a chunk
        again = simulate(n, seed=1)
        for name, values in again.items():
            assert values.dtype == pictures[name].dtype
            np.testing.assert_array_equal(values, pictures[name][:n])
    assert not np.array_equal(simulate(100, seed=2)["label"], pictures["label"][:100])


def test_it_is_quick():
    start = time.process_time()
    simulate(2000, seed=1)
    assert time.process_time() - start < 1  # 0.08 s on an idle core


@pytest.mark.parametrize(("n", "seed", "name"), [(-1, 1, "n_pictures"), (2.5, 1, "n_pictures"), (1, -1, "seed")])
def test_numbers_that_are_none_are_refused(n, seed, name):
    with pytest.raises(ValueError, match=f"`{name}` should be a whole number of at least 0"):
        simulate(n, seed=seed)


def covered(name, size=10.0):
    """How much of each pixel an upright shape in the middle covers, as the definition says."""
    y, x = (axis - 15.5 for axis in np.indices((32, 32), dtype=np.float32))
    distance = drawn_pictures._DISTANCES[name](x, y, np.full_like(x, size))
    return np.clip(distance + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("name", "area"),
    [  # in units of the size squared
        ("disc", np.pi),
        ("ring", np.pi * (1.0 - 0.6**2)),
        ("square", 1.8**2),
        ("frame", 1.8**2 - 1.12**2),
        ("triangle", 3 * np.sqrt(3) * 0.55**2),
        ("cross", 4 * (1 - 0.7**2)),
        ("stripes", 3 * 0.36 * 1.8),
        ("bars", 3 * 0.36 * 1.8),
        ("checkerboard", 13 * 0.36**2),
    ],
)
def test_areas_are_those_of_geometry(name, area):
    assert covered(name).sum() == pytest.approx(area * 100, rel=0.04)


def test_shapes_are_those_of_their_names():
    np.testing.assert_array_equal(covered("stripes"), covered("bars").T)
    for name in ("disc", "ring", "square", "frame", "cross", "checkerboard"):
        np.testing.assert_allclose(covered(name), covered(name)[::-1, ::-1].T, atol=1e-5)
    middle = {name: covered(name)[15:17, 15:17].mean() for name in CLASSES}
    assert {name for name, value in middle.items() if value < 0.5} == {"ring", "frame", "crescent"}
    assert covered("crescent")[15, 6] > 0.9  # open to the right
    assert covered("crescent")[15, 24] == 0
    rows = covered("stripes").mean(axis=1)
    assert np.count_nonzero(np.diff((rows > 0.3).astype(int)) == 1) == 3  # three stripes


def test_every_picture_shows_a_shape(pictures):
    image = pictures["image"].astype(float).mean(axis=-1)
    smooth = (image[:, :-1, :-1] + image[:, 1:, 1:] + image[:, :-1, 1:] + image[:, 1:, :-1]) / 4
    assert np.quantile(np.ptp(smooth.reshape(len(smooth), -1), axis=1), 0.01) > 40
    assert np.mean((pictures["image"] == 0) | (pictures["image"] == 255)) < 0.05  # few are cut off


def _nearest_mean(features, label, half=1000):
    mean = np.array([features[:half][label[:half] == number].mean(axis=0) for number in range(10)])
    distance = ((features[half:, None] - mean) ** 2).sum(axis=-1)
    return np.mean(distance.argmin(axis=1) == label[half:])


def test_edges_tell_the_class_but_colours_do_not(pictures):
    image, label = pictures["image"].astype(np.float32), pictures["label"]
    assert _nearest_mean(image.reshape(len(image), -1), label) < 0.25
    assert _nearest_mean(image.mean(axis=(1, 2)), label) < 0.25
    grey = image.mean(axis=-1)
    grey = (grey[:, :-1] + grey[:, 1:])[:, :, :-1] + (grey[:, :-1] + grey[:, 1:])[:, :, 1:]  # less noise
    along_y, along_x = np.gradient(grey, axis=(1, 2))
    angle = np.arctan2(along_y, along_x) % np.pi  # either side of an edge may be the lighter one
    steps = (angle * (8 / np.pi)).astype(int) % 8
    strength = np.hypot(along_x, along_y) ** 2
    angles = np.stack([np.sum(strength * (steps == step), axis=(1, 2)) for step in range(8)], axis=-1)
    assert _nearest_mean(angles / angles.sum(axis=1, keepdims=True), label) > 0.3


def test_memory_stays_flat():
    assert drawn_pictures.CHUNK_SIZE * 32 * 32 * 4 < 4e6  # one plane of numbers fits in a processor's cache
    one = drawn_pictures.simulate_chunk(chunks.generator(1, 0), drawn_pictures.CHUNK_SIZE)
    np.testing.assert_array_equal(one["label"], simulate(drawn_pictures.CHUNK_SIZE, seed=1)["label"])
