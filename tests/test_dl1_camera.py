import h5py
import numpy as np
import pytest
from dl1_files import FOCAL_LENGTH, LAYOUTS, N_PIXELS, positions, write_file

from showertools import dl1_camera
from showertools.storage import DatasetError


def columns_of(**values):
    return {name: np.atleast_1d(np.float64(value)) for name, value in values.items()}


# --- the camera -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_camera_of_each_layout(tmp_path, layout):
    camera = dl1_camera.camera(write_file(tmp_path / "x.h5", layout), 4)
    x, y = positions()
    np.testing.assert_allclose(camera.position, np.stack([x, y], axis=1), rtol=1e-12, atol=1e-15)
    # 5 cm at 29.3 m are 0.0978°; longitude is y, latitude is x
    np.testing.assert_allclose(
        camera.direction, np.stack([y, x], axis=1) * 57.29578 / FOCAL_LENGTH, rtol=1e-7, atol=1e-12
    )
    np.testing.assert_array_equal(camera.area, np.full(N_PIXELS, 0.002))
    assert camera[4:] == ("hexagon", 100.893, FOCAL_LENGTH, 1.024)
    assert camera.name == "LSTCam"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_rotated_camera_is_turned_back(tmp_path, layout):
    # ctapipe turns the pixels by minus the angle: the pixel at (0.1, 0) m comes to (0, -0.1) m
    path = write_file(tmp_path / "x.h5", layout, camera={"CAM_ROT": 90.0})
    camera = dl1_camera.camera(path, 1)
    x, y = positions()
    np.testing.assert_allclose(camera.position, np.stack([y, -x], axis=1), atol=1e-12)
    assert camera.pixel_rotation == pytest.approx(10.893)


def test_the_nominal_focal_length_where_there_is_no_other(tmp_path):
    for number, effective in enumerate((np.nan, 0.0)):
        path = write_file(
            tmp_path / f"{number}.h5", "new", optics={"effective_focal_length": np.array([16.4, effective])}
        )
        assert dl1_camera.camera(path, 1).focal_length == 28.0
    path = write_file(
        tmp_path / "y.h5",
        "new",
        optics={name: np.full(2, np.nan) for name in ("effective_focal_length", "equivalent_focal_length")},
    )
    with pytest.raises(DatasetError, match=r"optics: `configuration/.*/optics` should hold a focal length"):
        dl1_camera.camera(path, 1)


def test_lengths_in_centimetres(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        geometry = file["configuration/instrument/telescope/camera/geometry_1"]
        geometry.attrs["CTAFIELD_1_UNIT"] = np.bytes_("cm")
    np.testing.assert_allclose(dl1_camera.camera(path, 1).position[:, 0], positions()[0] / 100)


def test_a_file_without_readout(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        del file["configuration/instrument/telescope/camera/readout_1"]
    assert np.isnan(dl1_camera.camera(path, 1).sampling_frequency)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("subarray/layout", "does not describe its telescopes: `configuration/instrument/subarray/layout` should be"),
        ("telescope/optics", "does not describe the camera: `configuration/instrument/telescope/optics` should be in"),
        ("telescope/camera/geometry_1", "does not describe the camera: `configuration/.*/geometry_1` should be in it"),
    ],
)
def test_what_is_missing_is_named(tmp_path, missing, message):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        del file[f"configuration/instrument/{missing}"]
    with pytest.raises(DatasetError, match=rf"x\.h5 {message}"):
        dl1_camera.camera(path, 1)


def test_pixels_in_another_order_are_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "new", camera={"pix_id": np.arange(N_PIXELS)[::-1]})
    with pytest.raises(DatasetError, match=r"geometry_1 of .*x\.h5 should have its pixels in the order of the images"):
        dl1_camera.camera(path, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_no_numbers_are_refused(tmp_path, bad):
    path = write_file(tmp_path / "x.h5", "old", camera={"pix_x": np.full(N_PIXELS, bad)})
    with pytest.raises(DatasetError, match=r"geometry_LSTCam of .*x\.h5 should have finite positions"):
        dl1_camera.camera(path, 1)


def test_a_number_without_its_row_is_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        layout = file["configuration/instrument/subarray/layout"]
        rows = layout[...]
        rows["optics_index"] = [9, -1]
        layout[...] = rows
    for tel_id in (1, 4):
        with pytest.raises(DatasetError, match=r"x\.h5 is damaged: `configuration/.*/optics` should have a row (9|-1)"):
            dl1_camera.camera(path, tel_id)


def test_optics_of_another_name_are_refused(tmp_path):
    path = write_file(
        tmp_path / "x.h5",
        "old",
        optics={"description": np.array([b"MST", b"SST"]), "name": np.array([b"MST", b"SST"])},
    )
    with pytest.raises(DatasetError, match=r"x\.h5 does not describe the optics of `LST`"):
        dl1_camera.camera(path, 1)


# --- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("psi", "expected", "turned"), [(0, 90, 1), (30, 60, 1), (90, 0, 1), (-30, -60, -1), (-89, -1, -1)]
)
def test_axes_are_mirrored(psi, expected, turned):
    values = columns_of(
        hillas_x=0.2, hillas_y=0.1, hillas_psi=psi, hillas_skewness=0.5, hillas_kurtosis=3.0, timing_slope=2.0
    )
    found = dl1_camera.in_telescope_frame(values, {"timing_slope": "1/m"}, np.array([28.0]))
    degrees = 57.29578 / 28  # of a metre
    assert found["hillas_psi"][0] == pytest.approx(expected)
    assert found["hillas_skewness"][0] == pytest.approx(0.5 * turned)
    assert found["hillas_kurtosis"][0] == 3.0
    assert found["timing_slope"][0] == pytest.approx(2 / degrees * turned)
    assert found["hillas_fov_lon"][0] == pytest.approx(0.1 * degrees)
    assert found["hillas_fov_lat"][0] == pytest.approx(0.2 * degrees)
    assert not {"hillas_x", "hillas_y"} & set(found)


def test_an_axis_in_the_camera_is_the_same_line_on_the_sky():
    # two points of the axis, seen on the sky: longitude is y, latitude is x
    psi = np.linspace(-89.9, 90, 50)
    x, y = np.cos(np.radians(psi)), np.sin(np.radians(psi))
    values = {"hillas_x": np.zeros(50), "hillas_y": np.zeros(50), "hillas_psi": psi, "hillas_skewness": np.ones(50)}
    found = dl1_camera.in_telescope_frame(values, {}, np.ones(50))
    on_sky = np.radians(found["hillas_psi"])
    assert np.all((found["hillas_psi"] > -90) & (found["hillas_psi"] <= 90))
    # the direction in which the skewness counts is the same: (longitude, latitude) = (y, x)
    np.testing.assert_allclose(np.cos(on_sky) * found["hillas_skewness"], y, atol=1e-12)
    np.testing.assert_allclose(np.sin(on_sky) * found["hillas_skewness"], x, atol=1e-12)


def test_each_telescope_has_its_focal_length():
    values = columns_of(hillas_x=[1.0, 1.0], hillas_y=[0.0, 0.0], hillas_length=[0.1, 0.1], hillas_width=[0.2, 0.2])
    found = dl1_camera.in_telescope_frame(values, {"hillas_length": "m", "hillas_width": "deg"}, np.array([28.0, 16.0]))
    np.testing.assert_allclose(found["hillas_fov_lat"], [2.046278, 3.580986], rtol=1e-6)
    np.testing.assert_allclose(found["hillas_length"], [0.2046278, 0.3580986], rtol=1e-6)
    np.testing.assert_array_equal(found["hillas_width"], [0.2, 0.2])  # that were degrees already


def test_nan_stays_nan():
    values = columns_of(hillas_x=np.nan, hillas_y=np.nan, hillas_psi=np.nan, hillas_phi=np.nan, hillas_skewness=np.nan)
    found = dl1_camera.in_telescope_frame(values, {}, np.array([28.0]))
    assert all(np.isnan(column[0]) for column in found.values())


def test_the_telescope_frame_is_left_alone():
    values = columns_of(hillas_fov_lon=0.1, hillas_psi=80.0)
    assert dl1_camera.in_telescope_frame(values, {}, np.array([28.0])) is values
