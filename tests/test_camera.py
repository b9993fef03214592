import dataclasses

import numpy as np
import pytest

from showertools import camera, geometry

CAMERAS = {"lst": camera.lst(), "small": camera.small()}
every_camera = pytest.mark.parametrize("some", CAMERAS.values(), ids=CAMERAS)


def test_lst_has_the_neighbours_of_the_real_camera():
    lst = camera.lst()
    assert lst.n_pixels == 1855 == 265 * 7
    np.testing.assert_array_equal(np.bincount(lst.layout.n_neighbours), [0, 0, 0, 60, 54, 54, 1687])
    assert lst.pitch == pytest.approx(np.degrees(0.05 / 29.30565))
    assert lst.layout.mask("axial").shape == (55, 55)


def test_small_camera_on_paper():
    small = camera.small()
    assert small.n_pixels == 1 + 3 * 11 * 12
    np.testing.assert_array_equal(np.bincount(small.layout.n_neighbours), [0, 0, 0, 6, 60, 0, 331])
    radius = np.linalg.norm(small.positions, axis=1)
    assert radius.max() == pytest.approx(11 * small.pitch)  # a corner
    assert radius[small.border(1)].min() == pytest.approx(11 * small.pitch * np.sqrt(0.75), rel=0.002)  # a side
    assert radius.max() < np.linalg.norm(camera.lst().positions, axis=1).max()


@every_camera
def test_a_pixel_looks_where_the_telescope_points(some):
    middle = np.argmin(np.linalg.norm(some.positions, axis=1))
    np.testing.assert_allclose(some.positions[middle], 0, atol=1e-12)
    np.testing.assert_allclose(some.positions.mean(axis=0), 0, atol=1e-12)


@every_camera
def test_a_camera_looks_the_same_turned_by_60_degrees(some):
    cosine, sine = 0.5, np.sqrt(0.75)
    turned = some.positions @ [[cosine, sine], [-sine, cosine]]
    distance = np.linalg.norm(turned[:, None] - some.positions[None], axis=-1)
    np.testing.assert_allclose(distance.min(axis=1), 0, atol=1e-9)
    assert len(set(distance.argmin(axis=1))) == some.n_pixels


@every_camera
def test_neighbours_are_one_pitch_away(some):
    pixel, step = np.nonzero(some.neighbours >= 0)
    apart = some.positions[some.neighbours[pixel, step]] - some.positions[pixel]
    np.testing.assert_allclose(np.linalg.norm(apart, axis=1), some.pitch)
    angle = np.degrees(np.arctan2(apart[:, 1], apart[:, 0])) % 360
    np.testing.assert_allclose(angle, 60 * step, atol=1e-6)


@every_camera
def test_pixels_stand_row_after_row(some):
    longitude, latitude = some.positions.T
    order = np.lexsort((longitude, np.round(latitude, 6)))
    np.testing.assert_array_equal(order, np.arange(some.n_pixels))


@every_camera
def test_images_become_arrays_and_back(some):
    images = np.random.default_rng(1).normal(size=(3, some.n_pixels)).astype(np.float32)
    array = some.layout.to_array(images, "axial")
    assert array.shape == (3, *some.layout.mask("axial").shape)
    np.testing.assert_array_equal(some.layout.from_array(array, "axial"), images)


def test_border_on_paper():
    tiny = camera.Camera("tiny", geometry.hexagon(3, 1.0), 1.0)  # rings of 1, 6, 12 and 18 pixels
    assert [tiny.border(width).sum() for width in (1, 2, 3, 4, 5)] == [18, 30, 36, 37, 37]
    ring = np.max(np.abs([*(tiny.layout.grid - 3).T, (tiny.layout.grid - 3).sum(axis=1)]), axis=0)
    np.testing.assert_array_equal(tiny.border(2), ring >= 2)
    lst = camera.lst()
    np.testing.assert_array_equal(lst.border(1), lst.layout.n_neighbours < 6)
    assert lst.border(1).sum() == 60 + 54 + 54


def test_what_is_computed_once_cannot_be_changed():
    some = camera.small()
    for array in (some.positions, some.neighbours, camera.lst().layout.grid):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.name = "other"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: camera.Camera("square", geometry.rectangular(3, 3, 1.0), 28.0),
            r"`layout` should be a hexagonal geometry\.Layout\. Received: ",
        ),
        (lambda: camera.Camera("none", None, 28.0), r"`layout` should be a hexagonal geometry\.Layout\. Received: "),
        (
            lambda: dataclasses.replace(camera.small(), focal_length=0.0),
            r"`focal_length` should be a positive number\. Received: 0\.0",
        ),
        (lambda: camera.small().border(0), r"`width` should be a whole number of at least 1\. Received: 0"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()
