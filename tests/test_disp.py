import numpy as np
import pytest

from showertools import disp

# one image on each side of the middle, and one above it, whose axis leans by 30°
IMAGES = {
    "hillas_fov_lon": np.array([1.0, -1.0, 0.0]),
    "hillas_fov_lat": np.array([0.0, 0.5, 2.0]),
    "hillas_psi": np.array([0.0, 90.0, 30.0]),
    "hillas_width": np.array([0.1, 0.1, 0.2]),
    "hillas_length": np.array([0.2, 0.4, 0.2]),
}
NOTHING = {"hillas_fov_lon": [np.nan], "hillas_fov_lat": [np.nan], "hillas_psi": [np.nan]}


def test_disp_counts_along_psi_and_what_is_left_of_it_is_positive():
    along, across = disp.true_disp(IMAGES, 0.0, 0.0)
    np.testing.assert_allclose(along, [-1, -0.5, -1], atol=1e-12)  # 2·sin 30° = 1
    np.testing.assert_allclose(across, [0, -1, -np.sqrt(3)], atol=1e-12)


def test_the_source_is_found_again_where_nothing_lies_across():
    longitude, latitude = disp.source(IMAGES, [-1.0, 2.0, -4.0])
    np.testing.assert_allclose(longitude, [0, -1, -4 * np.sqrt(0.75)], atol=1e-12)
    np.testing.assert_allclose(latitude, [0, 2.5, 0], atol=1e-12)
    along, across = disp.true_disp(IMAGES, longitude, latitude)
    np.testing.assert_allclose(along, [-1, 2, -4], atol=1e-12)
    np.testing.assert_allclose(across, 0, atol=1e-12)


def test_without_an_axis_there_is_no_source():
    assert np.isnan(disp.true_disp(NOTHING, 0.0, 0.0)).all()
    assert np.isnan(disp.source(NOTHING, 1.0)).all()


def test_round_images_are_at_the_source():
    np.testing.assert_allclose(disp.from_shape(IMAGES, 2.0), [1.0, 1.5, 0.0])


def test_the_formula_is_calibrated_in_spite_of_an_outlier():
    elongated = {"hillas_width": np.full(5, 0.1), "hillas_length": np.array([0.2, 0.2, 0.2, 0.2, 0.1])}
    assert disp.calibrate_shape(elongated, [0.6, -0.6, 0.6, 30.0, 0.3]) == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: disp.source(IMAGES, [1.0, 2.0]), r"`disp` should be a number or have the shape \(3,\)"),
        (lambda: disp.source(IMAGES, np.nan), "`disp` should be finite"),
        (lambda: disp.true_disp(IMAGES, 0.0, [0.0]), "`latitude` should be a number or have the shape"),
        (lambda: disp.true_disp(IMAGES | {"hillas_psi": [0.0]}, 0.0, 0.0), "`parameters` should hold hillas_fov_lon"),
        (lambda: disp.from_shape(IMAGES, 0.0), "`xi` should be a positive number"),
        (lambda: disp.calibrate_shape(IMAGES, [1.0]), r"`disp` should have the shape \(3,\)"),
        (
            lambda: disp.calibrate_shape({"hillas_width": [0.1], "hillas_length": [0.1]}, [1.0]),
            "`parameters` should hold an image that is longer than wide",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
