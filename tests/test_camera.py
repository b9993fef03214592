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


# --- cameras from positions -------------------------------------------------------------------------------------------

LST = camera.lst()
LST_AT = LST.layout.positions @ [1, 1j]  # as complex numbers [m]


def from_places(places):
    return camera.from_positions("found", np.real(places), np.imag(places), 28.0)


def neighbour_pairs(some, number=None):
    """Return which pixels are neighbours, as pairs of their indices or of other numbers of them."""
    number = np.arange(some.n_pixels) if number is None else number
    pixel, step = np.nonzero(some.neighbours >= 0)
    return set(zip(number[pixel].tolist(), number[some.neighbours[pixel, step]].tolist(), strict=True))


@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize(("angle", "rotation"), [(0, 0), (30, 30), (100.9, 40.9), (-77.0, -17 + 60), (190.3, 10.3)])
def test_a_camera_from_the_positions_of_another(angle, rotation, is_mirrored):
    rng = np.random.default_rng(7)
    order = rng.permutation(LST.n_pixels)
    places = np.conj(LST_AT) if is_mirrored else LST_AT  # a mirror image of this camera is a grid of the same angle
    places = places[order] * np.exp(1j * np.radians(angle)) + (0.21 - 0.4j)
    places = places + rng.normal(0, 3e-4, (2, LST.n_pixels)).T @ [1, 1j]
    found = from_places(places)
    assert neighbour_pairs(found, order) == neighbour_pairs(LST)
    np.testing.assert_allclose(found.positions @ [1, 1j], np.degrees(1 / 28.0) * places, rtol=1e-12)
    assert found.rotation == pytest.approx(rotation, abs=0.01)
    assert found.layout.spacing == pytest.approx(0.05, rel=1e-4)
    on_grid = found.layout.positions @ [1, 1j] * np.exp(1j * np.radians(found.rotation))
    assert np.abs(on_grid - places).max() < 5 * 3e-4
    assert np.sqrt(np.mean(np.abs(on_grid - places) ** 2)) == pytest.approx(np.sqrt(2) * 3e-4, rel=0.1)


def test_images_of_a_camera_from_positions_become_arrays():
    order = np.random.default_rng(8).permutation(LST.n_pixels)
    found = from_places(LST_AT[order])
    image = np.arange(1, LST.n_pixels + 1)
    np.testing.assert_array_equal(found.layout.to_array(image[order], "axial"), LST.layout.to_array(image, "axial"))
    np.testing.assert_array_equal(found.border(2), LST.border(2)[order])
    turned = from_places(LST_AT[order] * np.exp(1j * np.radians(52.0)))
    array = turned.layout.to_array(image, "axial")
    np.testing.assert_array_equal(turned.layout.from_array(array, "axial"), image)


def test_cameras_that_are_made_by_hand_are_not_turned():
    for some in CAMERAS.values():
        assert some.rotation == 0
        again = from_places(some.layout.positions @ [1, 1j])
        np.testing.assert_array_equal(again.layout.grid, some.layout.grid)
        np.testing.assert_allclose(again.layout.origin, some.layout.origin, atol=1e-9)


def test_three_pixels_are_enough():
    corner = from_places([0, 0.05, 0.05 * np.exp(1j * np.pi / 3)])
    assert neighbour_pairs(corner) == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)}
    line = from_places([0, 2j, 1j])
    assert neighbour_pairs(line) == {(0, 2), (2, 0), (1, 2), (2, 1)}
    assert line.rotation == pytest.approx(30)


def modules_with_gaps(gap):
    """Return flowers of 7 pixels that stand apart by a gap, in units of the pitch."""
    flower = geometry.hexagon(1, 0.05).positions @ [1, 1j]
    middle = geometry.hexagon(4, 0.05).positions @ [1, 1j]
    return (middle[:, None] * ((2 + np.exp(1j * np.pi / 3)) + gap * np.exp(1j * np.pi / 9)) + flower).ravel()


NO_GRID = r"`x` and `y` should lie on one hexagonal grid\. Received: "
GAPS = NO_GRID + r"neighbours 0\.0\d+ to 0\.0\d+ m apart, as where modules have gaps, or the grid is stretched"


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (modules_with_gaps(0.08), GAPS),
        (modules_with_gaps(0.15), GAPS),
        (LST_AT + 0.15 * 0.05 * (LST_AT.real > 0.01), GAPS),
        (LST_AT + 0.1 * LST_AT.real, GAPS),
        (
            LST_AT * (1 + 0.012 * np.abs(LST_AT) ** 2),
            NO_GRID + r"pixels up to \d+% of the pitch away from it, as where",
        ),
        (LST_AT + 0.05 * (LST_AT.real > 0.01), NO_GRID + r"914 of 1855 pixels without a way to the first"),
        (
            geometry.rectangular(9, 9, 0.05).positions @ [1, 1j],
            NO_GRID + "neighbours 0.05 m apart whose directions do not differ by multiples of 60°",
        ),
        (np.random.default_rng(9).uniform(-1, 1, (400, 2)) @ [1, 1j], "`x` and `y` should "),
        (
            np.append(LST_AT, LST_AT[7]),
            r"`x` and `y` should be another place for each pixel\. Received: pixel 7 only 0 m from another one",
        ),
        (np.zeros(5), r"`x` and `y` should be another place for each pixel\. Received: pixel 0 only 0 m"),
        (LST_AT[:2], r"`x` and `y` should be \(n,\) each, of at least 3 pixels\. Received: \(2,\) and \(2,\)"),
        (
            1000 * LST_AT,
            r"`x` and `y` should be in metres, and less than the focal length of 28 m\. Received: 1169\.13",
        ),
        (LST_AT + np.where(LST_AT.real > 0, np.nan, 0), r"`x` should be finite\. Received: 9\d\d of 1855 values NaN"),
    ],
)
def test_positions_that_are_no_grid(places, message):
    with pytest.raises(ValueError, match=message):
        from_places(places)


def test_what_is_computed_once_cannot_be_changed():
    some = camera.small()
    turned = from_places(LST_AT * 1j)
    for array in (some.positions, some.neighbours, LST.layout.grid, turned.positions, turned.centres):
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
        (
            lambda: camera.from_positions("long", [0, 1, 2], [0, 0], 28.0),
            r"`x` and `y` should be \(n,\) each, of at least 3 pixels\. Received: \(3,\) and \(2,\)",
        ),
        (
            lambda: camera.from_positions("none", [0, 1, 2], [0, 0, 0], 0.0),
            r"`focal_length` should be a positive number\. Received: 0\.0",
        ),
        (
            lambda: dataclasses.replace(LST, centres=np.roll(LST.layout.positions, 1, axis=0)),
            r"`centres` should lie on the grid of `layout`, in its order\. Received: ",
        ),
        (
            lambda: dataclasses.replace(LST, centres=1.1 * LST.layout.positions),
            r"`centres` should lie on .* up to 0% of the pitch away from a grid with a pitch of 0\.055 m",
        ),
        (
            lambda: dataclasses.replace(LST, centres=LST.layout.positions[1:]),
            r"`centres` should have the shape \(1855, 2\)\. Received: \(1854, 2\)",
        ),
        (lambda: camera.small().border(0), r"`width` should be a whole number of at least 1\. Received: 0"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()
