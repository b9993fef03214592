import numpy as np
import pytest

from showertools import camera, telescope_events, telescope_input
from showertools.cherenkov_model import TelescopeModel

SMALL = camera.small()
MODEL = TelescopeModel(camera_name="small", energy=(0.1, 5.0), impact_radius=150.0)
POSITION = SMALL.positions
ROW, COLUMN = SMALL.layout.array_index("axial").T


@pytest.fixture(scope="module")
def events():
    return telescope_events.simulate(30, seed=3, particle="gamma", model=MODEL)


def pixel(row, column):
    """Return the number of the pixel `row` rows and `column` columns from the middle in axial indices."""
    return int(np.flatnonzero((row + 11 == ROW) & (column + 11 == COLUMN))[0])


def streak(late=1.0):
    """Return an image of five pixels in a row, the one in the middle brighter, later to the right if `late` is 1."""
    image, time = np.zeros((1, SMALL.n_pixels), np.float32), np.full((1, SMALL.n_pixels), 20.0, np.float32)
    for step, charge in zip(range(-2, 3), (10, 20, 40, 20, 10), strict=True):
        image[0, pixel(3, step)] = charge
        time[0, pixel(3, step)] = 20 + 2 * late * step
    return image, time


def test_the_frame_of_a_streak_is_known():
    found = telescope_input.frame(*streak(), SMALL)
    np.testing.assert_allclose(found.centroid[0], POSITION[pixel(3, 0)], atol=1e-5)
    np.testing.assert_allclose(found.axis[0], [1, 0], atol=1e-3)
    np.testing.assert_allclose(found.across[0], [0, 1], atol=1e-3)
    assert found.time[0] == pytest.approx(20)
    assert found.intensity[0] == pytest.approx(100)


def test_the_axis_points_to_where_light_is_late():
    np.testing.assert_allclose(telescope_input.frame(*streak(late=-1.0), SMALL).axis[0], [-1, 0], atol=1e-3)


def test_the_window_holds_the_pixels_around_the_centroid():
    image, time = streak()
    seen = telescope_input.inputs({"image": image, "peak_time": time}, SMALL)
    pixels = seen["window"][0, :, :, :-1].reshape(16, 16, 2, 2, 4).astype(float)
    whole = pixels.transpose(0, 2, 1, 3, 4).reshape(32, 32, 4)  # the window before it is folded
    charge, late, along, across = whole[16].T  # the row of the streak
    np.testing.assert_allclose(4 * np.sinh(charge[14:19]), [10, 20, 40, 20, 10], rtol=2e-3)
    assert np.count_nonzero(whole[:, :, 0]) == 5
    np.testing.assert_allclose(late[14:19] * 5, [-4, -2, 0, 2, 4], atol=1e-2)
    np.testing.assert_allclose(along[14:19] * 0.5, SMALL.pitch * np.arange(-2, 3), atol=1e-3)
    np.testing.assert_allclose(across, 0, atol=2e-3)
    np.testing.assert_allclose(10 ** (seen["shower"][0, 0] + 2.3), 100, rtol=1e-4)
    assert seen["shower"][0, 1] == pytest.approx(np.hypot(*POSITION[pixel(3, 0)]), rel=1e-5)


def test_the_share_of_pixels_that_exist_is_right_beyond_the_edge():
    image, time = np.zeros((2, SMALL.n_pixels), np.float32), np.zeros((2, SMALL.n_pixels), np.float32)
    image[0, pixel(0, 0)] = image[1, pixel(-11, 0)] = 50
    middle, edge = telescope_input.inputs({"image": image, "peak_time": time}, SMALL)["window"][..., -1].astype(float)
    assert middle.sum() * 4 == SMALL.n_pixels  # the whole camera lies in the window
    assert edge.sum() * 4 == sum(23 - abs(row) for row in range(-11, 5))  # 16 rows, of 12 to 23 pixels


@pytest.mark.parametrize("kind", ["mirrored", "turned_by_180"])
def test_symmetries_of_windows_are_those_of_the_camera(kind, events):
    image, time = events["image"], events["peak_time"]
    row, column = (COLUMN, ROW) if kind == "mirrored" else (22 - ROW, 22 - COLUMN)
    other = np.array([pixel(r - 11, c - 11) for r, c in zip(row, column, strict=True)])
    first = telescope_input.inputs({"image": image, "peak_time": time}, SMALL)
    second = telescope_input.inputs({"image": image[:, other], "peak_time": time[:, other]}, SMALL)
    moved = getattr(telescope_input, kind)(first["window"])
    if kind == "turned_by_180":  # the window has one pixel more on one side of the middle
        moved = _on_by_one_pixel(moved)
        inside = (slice(None), slice(1, 15), slice(1, 15), slice(-1))
    else:
        inside = (slice(None),)
    same = np.isclose(moved[inside].astype(float), second["window"][inside].astype(float), atol=0.02)
    assert same.all(axis=(1, 2, 3)).mean() > 0.9  # all but those whose middle lies between two pixels
    np.testing.assert_allclose(np.hypot(*second["centroid"].T), np.hypot(*first["centroid"].T), atol=1e-4)


def _on_by_one_pixel(window):
    """Return windows in which everything lies one row and one column further on."""
    pixels = window[..., :-1].reshape(-1, 16, 16, 2, 2, 4).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 32, 32, 4)
    pixels = np.roll(pixels, (1, 1), axis=(1, 2)).reshape(-1, 16, 2, 16, 2, 4).transpose(0, 1, 3, 2, 4, 5)
    return np.concatenate([pixels.reshape(-1, 16, 16, 16), np.ones_like(window[..., -1:])], axis=3)


def test_a_direction_in_the_showers_frame_leads_back_to_the_source(events):
    seen = telescope_input.inputs(events, SMALL)
    wanted = telescope_input.targets(events, seen)
    place = telescope_input.direction(wanted["direction"], seen)
    np.testing.assert_allclose(place, np.stack([events["true_fov_lon"], events["true_fov_lat"]], axis=1), atol=1e-5)
    assert np.median(np.abs(wanted["direction"][:, 1])) < 0.1 < np.median(np.abs(wanted["direction"][:, 0]))
    np.testing.assert_allclose(10 ** wanted["energy"][:, 0], events["true_energy"], rtol=1e-5)


def test_protons_have_neither_direction_nor_energy_to_learn(events):
    seen = telescope_input.inputs(events, SMALL)
    protons = events | {"true_shower_primary_id": np.full(30, 101)}
    wanted = telescope_input.targets(protons, seen)
    assert np.isnan(wanted["energy"]).all()
    assert np.isnan(wanted["direction"]).all()
    np.testing.assert_array_equal(wanted["particle"], 0)


def test_damaged_and_empty_images_give_finite_inputs():
    image, time = np.zeros((3, SMALL.n_pixels), np.float32), np.zeros((3, SMALL.n_pixels), np.float32)
    image[1, 5], time[1, 6], image[1, 7] = np.nan, np.inf, 30
    image[2] = -1
    for values in telescope_input.inputs({"image": image, "peak_time": time}, SMALL).values():
        assert np.isfinite(values).all()


def test_no_image_at_all_is_no_error():
    nothing = np.zeros((0, SMALL.n_pixels), np.float32)
    assert telescope_input.inputs({"image": nothing, "peak_time": nothing}, SMALL)["window"].shape == (0, 16, 16, 17)


def test_images_of_another_camera_are_refused(events):
    with pytest.raises(ValueError, match="`image` should have the shape"):
        telescope_input.inputs(events, camera.lst())
