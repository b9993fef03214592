import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import spatial, stats

from showertools import camera, cherenkov_camera
from showertools.cherenkov_camera import Signals
from showertools.cherenkov_model import TelescopeModel
from showertools.cherenkov_photons import Photoelectrons

QUIET = TelescopeModel(camera_name="small", night_sky=0.0, electronic_noise=0.0, single_photoelectron_spread=0.0)
SHARP = dataclasses.replace(QUIET, point_spread=0.0, readout_jitter=0.0)
CAMERAS = [camera.lst(), camera.small()]
N = QUIET.camera.n_pixels
MIDDLE = N // 2


def light(slope_degrees, time, image=None):
    slope = np.radians(np.asarray(slope_degrees, np.float32)).reshape(-1, 2).T
    image = np.zeros(slope.shape[1], int) if image is None else np.asarray(image)
    return Photoelectrons(image, slope.astype(np.float32), np.asarray(time, np.float32))


def collect(some, model=SHARP, n=1, source=(0.0, 0.0)):
    return cherenkov_camera.collect(np.random.default_rng(1), [some], np.tile(source, (n, 1)), model)


def signals(model=QUIET, **pixels):
    """One image with photoelectrons in some pixels, all at 12 ns."""
    number = np.zeros((1, model.camera.n_pixels), np.float32)
    for pixel, value in pixels.items():
        number[0, int(pixel[1:])] = value
    return Signals(number, np.where(number > 0, np.float32(12), np.float32(0)))


# --- pixels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("some", CAMERAS)
def test_pixel_is_the_nearest(some):
    position = np.random.default_rng(1).uniform(-2.6, 2.6, (20_000, 2))
    pixel = cherenkov_camera.pixel_at(some, *position.T)
    distance, nearest = spatial.cKDTree(some.positions).query(position)
    inside = pixel >= 0
    np.testing.assert_array_equal(pixel[inside], nearest[inside])
    assert distance[inside].max() <= some.pitch / np.sqrt(3) * (1 + 1e-6)
    assert distance[~inside].min() >= some.pitch / 2 * (1 - 1e-6)


@given(st.integers(0, 1854))
def test_centres_of_pixels(pixel):
    some = CAMERAS[0]
    assert cherenkov_camera.pixel_at(some, *some.positions[[pixel]].T) == [pixel]


def test_far_away_is_no_pixel():
    np.testing.assert_array_equal(cherenkov_camera.pixel_at(CAMERAS[0], np.array([90.0, -1e6]), np.zeros(2)), -1)


# --- light to signals ------------------------------------------------------------------------------------------------


def test_light_falls_on_the_pixel_that_looks_there():
    positions = QUIET.camera.positions[[3, 200, 200, 396]]
    found = collect(light(positions, [0.0, 1.0, 3.0, 4.0]))
    np.testing.assert_array_equal(np.flatnonzero(found.number), [3, 200, 396])
    np.testing.assert_array_equal(found.number[0, [3, 200, 396]], [1, 2, 1])
    np.testing.assert_allclose(np.diff(found.time[0, [3, 200, 396]]), [2, 2], atol=1e-5)
    assert found.time[0, [3, 200, 200, 396]].mean() == pytest.approx(20, abs=0.01)  # the middle of the readout


def test_slopes_are_counted_from_the_source():
    found = collect(light([(0.3, 0.0)], [0.0]), source=(0.5, -0.4))
    expected = cherenkov_camera.pixel_at(QUIET.camera, np.array([0.8]), np.array([-0.4]))
    np.testing.assert_array_equal(np.flatnonzero(found.number), expected)


def test_images_are_kept_apart():
    model = dataclasses.replace(SHARP, n_telescopes=2)
    found = collect(light(np.zeros((3, 2)), [0.0, 1e6, 5.0], image=[1, 2, 2]), model, n=2, source=(0.1, 0.1))
    np.testing.assert_array_equal(found.number.sum(axis=1), [0, 1, 0, 0])  # 10^6 ns apart: both outside the readout


def test_late_light_is_lost():
    time = np.concatenate([np.zeros(200), [19.0, 35.0]])
    found = collect(light(np.zeros((202, 2)), time))
    assert found.number.sum() == 201


def test_readout_jitter():
    model = dataclasses.replace(SHARP, readout_jitter=2.0)
    found = collect(light(np.zeros((2000, 2)), np.zeros(2000), image=np.arange(2000)), model, n=2000)
    time = found.time.max(axis=1)
    assert time.mean() == pytest.approx(20, abs=4 * 2 / np.sqrt(2000))
    assert time.std() == pytest.approx(2, rel=4 / np.sqrt(4000))


def test_point_spread():
    model = dataclasses.replace(QUIET, camera_name="lst", point_spread=0.3)
    found = collect(light(np.zeros((40_000, 2)), np.zeros(40_000)), model)
    weight = found.number[0] / found.number.sum()
    variance = weight @ model.camera.positions**2
    np.testing.assert_allclose(variance, 0.3**2 + 5 / 72 * model.camera.pitch**2, rtol=0.03)


def test_no_light():
    found = cherenkov_camera.collect(np.random.default_rng(1), [], np.zeros((2, 2)), QUIET)
    assert found.number.shape == (2, N)
    assert not np.any(found.number)


# --- noise, times, trigger -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lst", "small"])
def test_noise(name):
    model = TelescopeModel(camera_name=name)
    nothing = np.zeros((200, model.camera.n_pixels), np.float32)
    found = cherenkov_camera.record(np.random.default_rng(2), Signals(nothing, nothing), model)
    mean = 0.245 * 8 * (model.camera.pitch / CAMERAS[0].pitch) ** 2
    variance = mean * (1 + 0.4**2) + 0.4**2
    assert model.night_sky_charge == pytest.approx(mean)
    assert found.image.mean() == pytest.approx(0, abs=4 * np.sqrt(variance / found.image.size))
    assert found.image.var() == pytest.approx(variance, rel=0.02)
    assert stats.kstest(found.peak_time[0], stats.uniform(0, 40).cdf).pvalue > 1e-3
    assert not np.any(found.triggered)


def test_without_noise_the_image_is_the_signal():
    some = signals(p5=3, p7=50)
    found = cherenkov_camera.record(np.random.default_rng(3), some, QUIET)
    np.testing.assert_allclose(found.image, some.number, atol=1e-6)


def test_peak_time_is_that_of_the_light():
    model = dataclasses.replace(QUIET, night_sky=0.245)
    many = Signals(np.full((500, N), 100, np.float32), np.full((500, N), 12, np.float32))
    time = cherenkov_camera.record(np.random.default_rng(4), many, model).peak_time
    assert time.mean() == pytest.approx(12, abs=0.01)
    assert time.std() == pytest.approx(np.sqrt(0.8**2 / 100 + 0.2**2), rel=0.02)
    few = Signals(np.ones((50, N), np.float32), np.full((50, N), 12, np.float32))
    time = cherenkov_camera.record(np.random.default_rng(5), few, model).peak_time
    assert np.mean(np.abs(time - 12) > 4) > 0.5  # one photoelectron is lost in the night sky


def three_that_touch():
    first, second = QUIET.camera.neighbours[MIDDLE][:2]
    return {f"p{pixel}": 6.1 * QUIET.pixel_threshold / 6 for pixel in (MIDDLE, first, second)}


def test_three_pixels_that_touch_trigger():
    assert QUIET.pixel_threshold == pytest.approx(6 * QUIET.camera.pitch / CAMERAS[0].pitch)
    some = three_that_touch()
    assert cherenkov_camera.triggered(signals(**some).number, QUIET) == [True]
    dim = dict.fromkeys(some, 0.99 * QUIET.pixel_threshold)
    assert cherenkov_camera.triggered(signals(**dim).number, QUIET) == [False]


def test_other_pixels_do_not():
    around = QUIET.camera.neighbours[MIDDLE]
    row = {f"p{pixel}": 100 for pixel in (around[0], MIDDLE, around[3])}
    pair = {f"p{pixel}": 100 for pixel in (MIDDLE, around[0])}
    corner = {"p0": 100, "p1": 100, f"p{N - 1}": 100}  # -1 stands for no neighbour
    for some in (row, pair, corner, {f"p{MIDDLE}": 1e5}):
        assert cherenkov_camera.triggered(signals(**some).number, QUIET) == [False]


def test_every_image_on_its_own():
    number = np.concatenate([signals().number, signals(**three_that_touch()).number, signals().number])
    np.testing.assert_array_equal(cherenkov_camera.triggered(number, QUIET), [False, True, False])
    assert cherenkov_camera.triggered(number[:0], QUIET).shape == (0,)
