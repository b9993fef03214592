import numpy as np
import pytest

from showertools import camera, geometry, hillas, resampling
from showertools.resampling import as_stored, interpolated, moments, oversampled, rebinned


def turned(degrees):
    """The camera of an LST, turned."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = np.array([[cosine, -sine], [sine, cosine]]) @ camera.lst().layout.positions.T
    return camera.from_positions("turned", x, y, camera.LST_FOCAL_LENGTH)


CAMERAS = {"small": camera.small(), "turned": turned(17.0)}
WAYS = resampling.all_ways(camera.small())


def each(*names):
    return pytest.mark.parametrize("way", names or list(WAYS))


@pytest.fixture
def image():
    return np.random.default_rng(1).random((3, camera.small().n_pixels)).astype(np.float32)


@each("axial array", "offset array", "oversampled", "rebinned")
@pytest.mark.parametrize("cam", CAMERAS.values(), ids=CAMERAS)
def test_charge_is_conserved(way, cam):
    np.testing.assert_allclose(resampling.all_ways(cam)[way].matrix.sum(axis=0), 1, rtol=1e-5)


@each()
def test_an_even_image_stays_even_away_from_the_edge(way):
    cam = camera.small()
    resampled = resampling.all_ways(cam)[way]
    inside = np.hypot(*resampled.positions.T) < 1.0
    values = resampled.to_square(np.full((1, cam.n_pixels), 8.0))[0].ravel()[inside]
    np.testing.assert_allclose(values, 2 if way == "oversampled" else 8, rtol=1e-5)


@each()
@pytest.mark.parametrize("cam", CAMERAS.values(), ids=CAMERAS)
def test_the_pointing_is_where_it_was(way, cam):
    resampled = resampling.all_ways(cam)[way]
    everything = resampled.to_square(np.ones((1, cam.n_pixels))).ravel()
    np.testing.assert_allclose(everything @ resampled.positions / everything.sum(), 0, atol=1e-6)


@each("rebinned", "linear", "nearest")
@pytest.mark.parametrize("cam", CAMERAS.values(), ids=CAMERAS)
def test_pixels_stay_where_they_are(way, cam):
    resampled = resampling.all_ways(cam)[way]
    total = resampled.matrix.sum(axis=0)
    found = (resampled.matrix.T @ resampled.positions)[total > 0] / total[total > 0, None]
    assert np.abs(found - cam.positions[total > 0]).max() < resampled.side / 2


@pytest.mark.parametrize("indexing", ["axial", "offset"])
def test_a_stored_image_is_that_of_the_layout(image, indexing):
    resampled = as_stored(camera.small(), indexing)
    array = resampled.to_square(image)
    np.testing.assert_array_equal(array, camera.small().layout.to_array(image, indexing))
    np.testing.assert_array_equal(resampled.from_square(array), image)


def test_seven_pixels_oversampled_known_on_paper():
    seven = camera.Camera("seven", geometry.hexagon(1, 0.05), 28.0)
    array = oversampled(seven).to_square(4 * np.arange(1.0, 8.0)[None])[0]
    pairs = [[0, 1, 1, 2, 2, 0], [3, 3, 4, 4, 5, 5], [0, 6, 6, 7, 7, 0]]
    np.testing.assert_array_equal(array, np.repeat(pairs, 2, axis=0))


def test_an_oversampled_image_comes_back(image):
    resampled = oversampled(camera.small())
    np.testing.assert_allclose(resampled.from_square(resampled.to_square(image)), image, rtol=1e-6)


def test_what_comes_back_has_the_same_charge(image):
    for resampled in (rebinned(camera.small()), interpolated(camera.small())):
        array = resampled.to_square(image)
        again = resampled.from_square(array)
        np.testing.assert_allclose(again.sum(axis=1), array.sum(axis=(1, 2)), rtol=1e-5)
        assert np.abs(again - image).max() > 0.1  # blurred


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 6])
def test_overlaps_are_those_of_counted_points(angle):
    rng = np.random.default_rng(2)
    low = rng.uniform(-1, 0.6, (20, 2))
    high = low + rng.uniform(0.05, 1.5, (20, 2))
    grid = (np.indices((300, 300)).reshape(2, -1).T + 0.5) / 300
    normals = np.stack([np.cos(angle + np.pi / 3 * np.arange(6)), np.sin(angle + np.pi / 3 * np.arange(6))])
    found = resampling._overlap(1.0, angle, low, high)
    for one, two, area in zip(low, high, found, strict=True):
        inside = ((one + grid * (two - one)) @ normals).max(axis=1) < 0.5
        assert abs(inside.mean() * np.prod(two - one) - area) < 2e-3


def test_overlaps_known_on_paper():
    corner = 1 / np.sqrt(3)  # of a hexagon of width 1, above
    low = np.array([[-0.1, -0.1], [-2, -2], [0, -2], [0.6, 0], [-2, corner / 2]])
    high = np.array([[0.1, 0.1], [2, 2], [2, 2], [1, 1], [2, 2]])
    whole = np.sqrt(0.75)
    expected = [0.04, whole, whole / 2, 0, whole / 6]  # the triangle at the top is a sixth
    np.testing.assert_allclose(resampling._overlap(1.0, 0.0, low, high), expected, atol=1e-12)


def test_the_nearest_pixel_is_that_whose_centre_is_nearest():
    cam = camera.small()
    resampled = interpolated(cam, "nearest", side=0.05)
    apart = np.linalg.norm(resampled.positions[:, None] - cam.positions[None], axis=-1)
    near = apart.min(axis=1) < 0.49 * cam.pitch  # surely inside a pixel
    found = np.asarray(resampled.matrix[near].toarray()).argmax(axis=1)
    np.testing.assert_array_equal(found, apart[near].argmin(axis=1))
    far = apart.min(axis=1) > 0.6 * cam.pitch
    assert resampled.matrix[far].nnz == 0


def test_a_slope_stays_a_slope():
    cam = turned(17.0)
    resampled = interpolated(cam, side=0.07)
    slope = np.array([3.0, -2.0])
    array = resampled.to_square((10 + cam.positions @ slope)[None])[0].ravel()
    inside = np.hypot(*resampled.positions.T) < 1.8
    area = resampled.side**2 / (np.sqrt(0.75) * cam.pitch**2)
    np.testing.assert_allclose(array[inside] / area, 10 + resampled.positions[inside] @ slope, rtol=1e-4)


def test_the_matrix_does_what_its_rows_say(image):
    resampled = rebinned(camera.small())
    expected = np.einsum("sp,np->ns", resampled.matrix.toarray(), image).reshape(3, *resampled.shape)
    np.testing.assert_allclose(resampled.to_square(image), expected, rtol=1e-5)
    assert resampled.to_square(image).dtype == np.float32


def test_a_damaged_pixel_damages_only_its_squares(image):
    image[0, 198] = np.nan
    resampled = rebinned(camera.small())
    array = resampled.to_square(image)
    np.testing.assert_array_equal(np.isnan(array[0]).ravel(), resampled.matrix[:, [198]].toarray().ravel() > 0)
    assert not np.isnan(array[1:]).any()


def test_moments_are_those_of_hillas():
    cam = turned(17.0)
    charge = np.random.default_rng(3).random((5, cam.n_pixels)) ** 20
    charge[4] = 0
    expected = hillas.hillas_parameters(cam, charge)
    for values, name in zip(moments(charge, cam.positions), ("length", "width", "psi"), strict=True):
        np.testing.assert_allclose(values, expected[f"hillas_{name}"], rtol=1e-4, atol=1e-5)
    assert np.isnan(moments(charge, cam.positions)[0]).tolist() == [False] * 4 + [True]


def test_moments_known_on_paper():
    length, width, psi = moments([[1, 1, 0], [0, 1, 1]], [[0, 0], [2, 0], [2, 2]])
    np.testing.assert_allclose([length, width, psi], [[1, 1], [0, 0], [0, 90]], atol=1e-12)


def test_no_image_is_no_array():
    assert rebinned(camera.small()).to_square(np.empty((0, 397))).shape == (0, 23, 25)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: as_stored(camera.small(), "rectangular"), "`indexing` should be"),
        (lambda: as_stored(geometry.hexagon(2, 1.0)), "`camera` should be"),
        (lambda: oversampled("lst"), "`camera` should be"),
        (lambda: rebinned(None), "`camera` should be"),
        (lambda: rebinned(camera.small(), side=0.0), "`side` should be a positive number"),
        (lambda: interpolated(camera.small(), "cubic"), "`method` should be one of linear, nearest"),
        (lambda: oversampled(camera.small()).to_square(np.ones((1, 7))), r"shape \(n, 397\)"),
        (lambda: moments(np.ones((2, 3)), np.ones((2, 2))), r"shapes \(n, S\) and \(S, 2\)"),
        (lambda: oversampled(camera.small()).from_square(np.ones((46, 46))), r"shape \(n, 46, 46\)"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
