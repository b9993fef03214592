import h5py
import numpy as np
import pytest
from dl1_files import (
    EVENT_ID,
    FILTER_OF_BLOSC,
    FOCAL_LENGTH,
    LAYOUTS,
    N_PIXELS,
    NO_HILLAS,
    OBS_ID,
    expected,
    images_of,
    write_file,
    write_table,
)

from showertools import dl1, dl1_tables, downloads, hillas
from showertools.storage import DatasetError


def assert_same(found, wanted):
    """Numbers agree to the precision of float32; NaN where NaN is wanted."""
    for name, values in wanted.items():
        kind = {"f": np.float32, "i": np.int64, "u": np.int64, "b": np.bool_}[np.asarray(values).dtype.kind]
        assert found[name].dtype == kind, name
        np.testing.assert_allclose(found[name], values, rtol=1e-5, atol=1e-5, err_msg=name)


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_events(tmp_path, layout):
    found = dl1.read(write_file(tmp_path / "x.h5", layout))
    wanted = expected(together=layout == "lstchain")
    assert_same(found, wanted)
    of_lstchain = {"wl"} if layout == "lstchain" else set()
    assert set(found) == set(wanted) | of_lstchain


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_are_matched_whatever_their_order(tmp_path, layout):
    rng = np.random.default_rng(1)
    for number in range(5):
        orders = {name: rng.permutation(EVENT_ID) for name in ("image_ids", "parameter_ids", "shower_ids")}
        found = dl1.read(write_file(tmp_path / f"{number}.h5", layout, **orders))
        assert_same(found, expected(orders["image_ids"], together=layout == "lstchain"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_without_hillas_parameters_stay(tmp_path, layout):
    found = dl1.read(write_file(tmp_path / "x.h5", layout))
    hillas = np.stack([values for name, values in found.items() if name.startswith("hillas_")])
    np.testing.assert_array_equal(np.isnan(hillas), [found["event_id"] == NO_HILLAS] * len(hillas))
    assert np.all(np.isfinite(found["image"]))


def test_images_without_a_row_of_parameters_stay(tmp_path):
    some = EVENT_ID[EVENT_ID != 77]
    found = dl1.read(write_file(tmp_path / "x.h5", "new", parameter_ids=some))
    wanted = expected()
    without = wanted["event_id"] == 77
    for name in wanted:
        if name.startswith(("hillas_", "timing_", "leakage_")):
            wanted[name] = np.where(without, np.nan, wanted[name])
    wanted["morphology_n_islands"] = np.where(without, -1, wanted["morphology_n_islands"])
    assert_same(found, wanted)


def test_parameters_without_an_image_are_left_out(tmp_path):
    some = EVENT_ID[[3, 1]]
    path = write_file(tmp_path / "x.h5", "new", image_ids=some, parameter_ids=EVENT_ID)
    assert_same(dl1.read(path), expected(some))


def test_one_telescope_of_several(tmp_path):
    for layout in LAYOUTS:
        path = write_file(tmp_path / f"{layout}.h5", layout)
        assert_same(dl1.read(path, tel_id=4), expected(telescopes=(4,)))
        assert_same(dl1.read(path, tel_id=np.int16(1)), expected(telescopes=(1,)))


def test_tables_of_a_type_of_telescope(tmp_path):
    path = write_file(tmp_path / "x.h5", "old", names="types")
    assert_same(dl1.read(path), expected(together=True))
    assert_same(dl1.read(path, tel_id=4), expected(telescopes=(4,)))


def test_without_images_only_the_rest_is_read(tmp_path):
    wanted = {name: values for name, values in expected().items() if np.ndim(values) == 1}
    found = dl1.read(write_file(tmp_path / "x.h5", "new"), images=False)
    assert set(found) == set(wanted)
    assert_same(found, wanted)


@pytest.mark.parametrize("layout", ["old", "new"])
@pytest.mark.parametrize("missing", ["images", "parameters", "showers", "pointing"])
def test_missing_tables_leave_their_keys_out(tmp_path, layout, missing):
    found = dl1.read(write_file(tmp_path / "x.h5", layout, without=[missing]))
    starts = {
        "images": ("image", "peak_time"),
        "parameters": ("hillas_", "timing_", "leakage_", "morphology_"),
        "showers": ("true_",),
        "pointing": ("telescope_pointing_",),
    }[missing]
    rows = EVENT_ID[::-1] if missing == "images" else EVENT_ID  # of the parameters, which are in another order
    wanted = {name: values for name, values in expected(rows).items() if not name.startswith(starts)}
    assert set(found) == set(wanted)
    assert_same(found, wanted)


def test_tables_without_rows(tmp_path):
    none = EVENT_ID[:0]
    found = dl1.read(write_file(tmp_path / "x.h5", "new", image_ids=none, parameter_ids=EVENT_ID))
    assert found["image"].shape == (0, N_PIXELS)
    assert {len(values) for values in found.values()} == {0}
    assert set(dl1.read(write_file(tmp_path / "y.h5", "new", image_ids=none))) == set(found)


@pytest.mark.parametrize("frame", ["camera", "early camera"])
def test_parameters_in_metres_of_a_new_file(tmp_path, frame):
    found, wanted = dl1.read(write_file(tmp_path / "x.h5", "new", frame=frame)), expected()
    assert set(found) == set(wanted)
    assert_same(found, wanted)


def test_units_that_pandas_has_lost(tmp_path):
    found = dl1.read(write_file(tmp_path / "x.h5", "lstchain", units=lambda _: {}))
    assert_same(found, expected(together=True))


@pytest.mark.parametrize("unit", ["GeV", "TeV"])
def test_units_come_from_the_file(tmp_path, unit):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        file["simulation/event/subarray/shower"].attrs["CTAFIELD_2_UNIT"] = unit
    factor = {"GeV": 1e-3, "TeV": 1.0}[unit]
    wanted = expected()["true_energy"] * factor
    assert_same(dl1.read(path), {"true_energy": wanted})


# --- pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["old", "new"])
def test_images_as_whole_numbers(tmp_path, layout):
    special = {"NAN_VALUE": -32767, "POSINF_VALUE": 32767, "NEGINF_VALUE": -32768}
    scaled = {"TRANSFORM": "fixed_point", "TRANSFORM_DTYPE": "float32", "TRANSFORM_OFFSET": 200}

    def as_integers(columns):
        image = np.round(columns["image"] / 1000 * 10 + 200).astype(np.int32)
        times = np.round(columns["peak_time"] * 100 + 200).astype(np.int16)
        times[0, :4] = [-32767, 32767, -32768, 300]
        return columns | {"image": image, "peak_time": times}

    transforms = {
        "image": scaled | {"TRANSFORM_SCALE": 10.0},
        "peak_time": scaled | {"TRANSFORM_SCALE": 100.0} | special,
    }
    path = write_file(tmp_path / "x.h5", layout, pixel_columns=as_integers, transforms=transforms)
    found, wanted = dl1.read(path), expected()
    assert found["image"].dtype == found["peak_time"].dtype == np.float32
    np.testing.assert_allclose(found["image"], wanted["image"] / 1000, atol=0.0501)  # a step is 0.1
    np.testing.assert_array_equal(found["peak_time"][0, :4], [np.nan, np.inf, -np.inf, 1.0])
    np.testing.assert_allclose(found["peak_time"][1:6], wanted["peak_time"][1:6], atol=0.00501)


def gains(columns):
    """Two gains for each pixel, of which the second is twice the first."""
    return columns | {name: np.stack([columns[name], 2 * columns[name]], axis=1) for name in ("image", "peak_time")}


def test_a_channel_axis_of_one_is_dropped(tmp_path):
    def one(columns):
        return columns | {name: columns[name][:, None] for name in ("image", "peak_time", "image_mask")}

    assert_same(dl1.read(write_file(tmp_path / "x.h5", "new", pixel_columns=one)), expected())


def test_of_several_channels_one_is_chosen(tmp_path):
    path = write_file(tmp_path / "x.h5", "new", pixel_columns=gains)
    assert_same(dl1.read(path, channel=0), expected())
    double = {name: 2 * expected()[name] for name in ("image", "peak_time")}
    assert_same(dl1.read(path, channel=1), expected() | double)
    for wrong in (None, 2, -1, True, "high"):
        with pytest.raises(ValueError, match=r"`channel` should be from 0 to 1.*\(12, 2, 19\)\. Received: "):
            dl1.read(path, channel=wrong)


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [dl1.read, dl1.about, lambda path: dl1.camera(path, 1)])
def test_what_is_no_hdf5_file_is_refused(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read(tmp_path / "nowhere.h5")
    with pytest.raises(IsADirectoryError):
        read(tmp_path)
    path = tmp_path / "x.h5"
    for raw in (b"", b"event_id,image\n", b"\x89HDF"):
        path.write_bytes(raw)
        with pytest.raises(DatasetError, match=r"`path` should be a DL1 file.*x\.h5, which is no HDF5 file"):
            read(path)
    whole = write_file(tmp_path / "whole.h5", "new").read_bytes()
    for size in (8, 40, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(DatasetError, match=r"x\.h5 is cut off or damaged.*Get it again"):
            read(path)


@pytest.mark.parametrize("read", [dl1.read, dl1.about])
def test_hdf5_files_of_something_else_are_refused(tmp_path, read):
    path = tmp_path / "x.h5"
    for name in ("x", "dl1/event/telescope", "dl2/event/telescope/x"):
        with h5py.File(path, "w") as file:
            file[name] = [1]
        with pytest.raises(DatasetError, match=r"`path` should be a DL1 file.*HDF5 file without `dl1/event/telescope`"):
            read(path)


def test_files_without_events_are_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "new", without=["images", "parameters"])
    with pytest.raises(DatasetError, match=r"x\.h5 holds no events: images or parameters should be in `dl1/event"):
        dl1.read(path)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("wrong", [2, -1, True, "LST", 1.5, [1]])
def test_unknown_telescopes_are_refused(tmp_path, layout, wrong):
    path = write_file(tmp_path / "x.h5", layout)
    with pytest.raises(DatasetError, match=r"`tel_id` should be one of \[1, 4\]\. Received: "):
        dl1.read(path, tel_id=wrong)
    with pytest.raises(DatasetError, match=r"`tel_id` should be one of \[1, 4\]\. Received: "):
        dl1.camera(path, wrong)


def test_events_of_a_telescope_that_is_not_described_are_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        file.move("dl1/event/telescope/images/tel_004", "dl1/event/telescope/images/tel_005")
        rows = file["dl1/event/telescope/images/tel_005"][...]
        rows["tel_id"] = 5
        file["dl1/event/telescope/images/tel_005"][...] = rows
    with pytest.raises(DatasetError, match=r"`tel_id` should be one of \[1, 4\]\. Received: 5"):
        dl1.read(path)


def test_images_that_do_not_fit_the_camera_are_refused(tmp_path):
    def cut(columns):
        return columns | {name: columns[name][:, :-1] for name in ("image", "peak_time", "image_mask")}

    path = write_file(tmp_path / "x.h5", "new", pixel_columns=cut)
    with pytest.raises(DatasetError, match=r"equally many pixels.*'image': 18.*'camera of telescope 1': 19"):
        dl1.read(path)
    assert len(dl1.read(path, images=False)["event_id"]) == 12
    path = write_file(
        tmp_path / "y.h5", "new", pixel_columns=lambda columns: columns | {"peak_time": columns["peak_time"][:, 1:]}
    )
    with pytest.raises(DatasetError, match=r"equally many pixels.*'image': 19, 'peak_time': 18"):
        dl1.read(path)


def test_without_a_description_images_are_read_as_they_are(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        del file["configuration/instrument"]
    assert_same(dl1.read(path), expected())
    path = write_file(tmp_path / "y.h5", "old")
    with h5py.File(path, "r+") as file:
        del file["configuration/instrument"]
    with pytest.raises(DatasetError, match=r"does not describe its telescopes: `configuration/instrument/subarray"):
        dl1.read(path)  # without the focal length, metres stay metres


def test_telescopes_with_different_cameras_are_read_one_by_one(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        del file["dl1/event/telescope/images/tel_004"], file["configuration"]
        ids = {"obs_id": np.full(6, OBS_ID), "event_id": EVENT_ID, "tel_id": np.full(6, 4)}
        write_table(file, "dl1/event/telescope/images/tel_004", ids | {"image": np.ones((6, 7), "f4")})
    with pytest.raises(
        DatasetError, match=r"`tel_id` should be given: `image` has different shapes in tel_001, tel_004"
    ):
        dl1.read(path)
    assert dl1.read(path, tel_id=4)["image"].shape == (6, 7)
    assert dl1.read(path, tel_id=1)["image"].shape == (6, N_PIXELS)


def test_types_of_telescopes_with_different_cameras(tmp_path):
    path = write_file(tmp_path / "x.h5", "old", names="types", without=["parameters"])
    with h5py.File(path, "r+") as file:
        del file["configuration"]
        ids = {"obs_id": np.full(6, OBS_ID), "event_id": EVENT_ID, "tel_id": np.full(6, 9)}
        write_table(file, "dl1/event/telescope/images/MST_MST_FlashCam", ids | {"image": np.ones((6, 7), "f4")})
    assert dl1.read(path, tel_id=9)["image"].shape == (6, 7)
    assert dl1.read(path, tel_id=4)["image"].shape == (6, N_PIXELS)
    with pytest.raises(DatasetError, match=r"`tel_id` should be one of \[1, 4, 9\]\. Received: 2"):
        dl1.read(path, tel_id=2)
    with pytest.raises(DatasetError, match="`tel_id` should be given"):
        dl1.read(path)


def test_a_telescope_without_a_table_of_parameters(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        del file["dl1/event/telescope/parameters/tel_004"]
    wanted = expected(telescopes=(4,))
    found = dl1.read(path, tel_id=4)
    assert not [name for name in found if name.startswith("hillas_")]
    assert_same(found, {name: wanted[name] for name in found})
    np.testing.assert_array_equal(np.isnan(dl1.read(path)["hillas_width"][6:]), True)


@pytest.mark.parametrize(
    ("order", "place"),
    [
        ("image_ids", "dl1/event/telescope/images/tel_001"),
        ("parameter_ids", "dl1/event/telescope/parameters/tel_001"),
        ("shower_ids", "simulation/event/subarray/shower"),
    ],
)
def test_events_that_stand_twice_in_a_table_are_refused(tmp_path, order, place):
    path = write_file(tmp_path / "x.h5", "new", **{order: np.append(EVENT_ID, 77)})
    with pytest.raises(
        DatasetError,
        match=rf"{place} of .*x\.h5 should have one row for each of .*\. Received: obs_id 7, event_id 77.* twice",
    ):
        dl1.read(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_images_without_their_truth_are_refused(tmp_path, layout):
    some = EVENT_ID[EVENT_ID != 2]
    order = "parameter_ids" if layout == "lstchain" else "shower_ids"
    path = write_file(tmp_path / "x.h5", layout, **{order: some})
    with pytest.raises(DatasetError, match=r"a row for each image. Received: none for 2 of 12, such as .* event_id 2"):
        dl1.read(path)


@pytest.mark.parametrize("column", ["obs_id", "event_id"])
def test_tables_without_keys_are_refused(tmp_path, column):
    path = write_file(
        tmp_path / "x.h5", "new", pixel_columns=lambda columns: {k: v for k, v in columns.items() if k != column}
    )
    with pytest.raises(DatasetError, match=rf"images/tel_001 of .*x\.h5 should have the columns \['{column}'\]"):
        dl1.read(path)


def test_the_number_of_the_telescope_may_stand_in_the_name_alone(tmp_path):
    path = write_file(
        tmp_path / "x.h5", "new", pixel_columns=lambda columns: {k: v for k, v in columns.items() if k != "tel_id"}
    )
    assert_same(dl1.read(path), expected())


def test_images_of_something_else_than_numbers_are_refused(tmp_path):
    for image in (np.full(6, 3.0), np.full((6, 2), b"x"), np.zeros((6, 1, 1, 1))):
        path = write_file(tmp_path / "x.h5", "new", pixel_columns=lambda columns, i=image: columns | {"image": i})
        with pytest.raises(DatasetError, match=r"`image` should be numbers \(n, pixels\) or \(n, channels, pixels\)"):
            dl1.read(path)


def test_units_of_another_kind_are_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        file["simulation/event/subarray/shower"].attrs["CTAFIELD_2_UNIT"] = np.bytes_("deg")
    with pytest.raises(DatasetError, match=r"`true_energy` of .*shower of .*x\.h5 should be in TeV\. Received: 'deg'"):
        dl1.read(path)


def test_different_units_in_two_tables_are_refused(tmp_path):
    path = write_file(tmp_path / "x.h5", "old")
    with h5py.File(path, "r+") as file:
        file["dl1/event/telescope/parameters/tel_004"].attrs["hillas_length_UNIT"] = np.bytes_("deg")
    with pytest.raises(
        DatasetError, match=r"one unit for each parameter\. Received: {'hillas_length': \['deg', 'm'\]}"
    ):
        dl1.read(path)


# --- compression ------------------------------------------------------------------------------------------------------


def blosc(path):
    """Replace an image table by one that says it was compressed with blosc, as ctapipe does by default."""
    with h5py.File(path, "r+") as file:
        where = "dl1/event/telescope/images/tel_001"
        rows, kind = file[where][...], file[where].id.get_type()
        del file[where]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((len(rows),))
        properties.set_filter(FILTER_OF_BLOSC, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple(rows.shape)
        h5py.h5d.create(file.id, where.encode(), kind, space, properties).write_direct_chunk((0,), b"compressed")
    return path


def test_what_is_missing_to_decompress_is_said(tmp_path, monkeypatch):
    def not_installed(name):
        raise ImportError(name)

    monkeypatch.setattr(dl1_tables.importlib, "import_module", not_installed)
    if h5py.h5z.filter_avail(FILTER_OF_BLOSC):
        pytest.skip("hdf5plugin was imported before")
    path = blosc(write_file(tmp_path / "x.h5", "new"))
    with pytest.raises(
        OSError, match=r"tel_001 of .*x\.h5 is compressed with .*`pip install hdf5plugin`; or"
    ) as caught:
        dl1.read(path)
    assert not isinstance(caught.value, ValueError)
    assert dl1.read(path, tel_id=4)["image"].shape == (6, N_PIXELS)
    assert len(dl1.about(path)["missing_filters"]) == 1
    assert dl1.about(path)["telescopes"] == {1: "LST_LST_LSTCam", 4: "LST_LST_LSTCam"}


def test_blosc_is_read_where_hdf5plugin_is_installed(tmp_path):
    hdf5plugin = pytest.importorskip("hdf5plugin")
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path, "r+") as file:
        where = "dl1/event/telescope/images/tel_001"
        rows = file[where][...]
        del file[where]
        file.create_dataset(where, data=rows, chunks=(2,), **hdf5plugin.Blosc(cname="zstd"))
    assert_same(dl1.read(path), expected())
    assert dl1.about(path)["missing_filters"] == []


# --- what a file is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "versions"),
    [("old", ("v1.0.3", "0.10.5", "")), ("new", ("v7.1.0", "0.28.0", "")), ("lstchain", ("", "0.8.0", "0.7.1"))],
)
def test_about_says_what_a_file_holds(tmp_path, layout, versions):
    about = dl1.about(write_file(tmp_path / "x.h5", layout))
    assert (about["data_model"], about["ctapipe"], about["lstchain"]) == versions
    assert about["telescopes"] == {1: "LST_LST_LSTCam", 4: "LST_LST_LSTCam"}
    assert about["missing_filters"] == []
    rows = {
        "configuration/instrument/subarray/layout": 2,
        f"configuration/instrument/telescope/camera/geometry_{1 if layout == 'new' else 'LSTCam'}": N_PIXELS,
        "dl1/event/subarray/trigger": 6,
        "dl1/event/telescope/image/LST_LSTCam" if layout == "lstchain" else "dl1/event/telescope/images/tel_004": (
            12 if layout == "lstchain" else 6
        ),
    }
    assert rows.items() <= about["tables"].items()
    assert not [name for name in about["tables"] if "__table_column_meta__" in name]


def test_pointing_is_that_of_the_run(tmp_path):
    def turning(columns):
        return columns | {"altitude": np.radians([70.0, 71.0])}

    assert "telescope_pointing_altitude" not in dl1.read(write_file(tmp_path / "x.h5", "old", pointing=turning))

    def other_run(columns):
        return columns | {"obs_id": np.array([3, 4])}

    assert "telescope_pointing_azimuth" not in dl1.read(write_file(tmp_path / "y.h5", "new", pointing=other_run))


def test_the_focal_length_is_the_effective_one(tmp_path):
    # a spot 1 m above the middle of the camera
    path = write_file(tmp_path / "x.h5", "new", frame="camera")
    with h5py.File(path, "r+") as file:
        table = file["dl1/event/telescope/parameters/tel_001"]
        rows = table[...]
        rows["camera_frame_hillas_x"], rows["camera_frame_hillas_y"] = 1.0, 0.0
        table[...] = rows
    found = dl1.read(path, tel_id=1)
    np.testing.assert_allclose(found["hillas_fov_lat"], 57.29578 / FOCAL_LENGTH, rtol=1e-6)
    np.testing.assert_array_equal(found["hillas_fov_lon"], 0)
    np.testing.assert_allclose(found["hillas_phi"], 90)


def test_images_are_those_that_were_written(tmp_path):
    # read without this package: event 900 of telescope 4 is in row 1 of its table, and in row 7 of all
    path = write_file(tmp_path / "x.h5", "new")
    with h5py.File(path) as file:
        row = file["dl1/event/telescope/images/tel_004"][1]
    assert row["event_id"] == 900
    found = dl1.read(path)
    assert (found["event_id"][7], found["tel_id"][7]) == (900, 4)
    np.testing.assert_array_equal(found["image"][7], row["image"])
    np.testing.assert_array_equal(found["image_mask"][7], row["image_mask"] != 0)
    np.testing.assert_array_equal(found["image"][7], images_of([900], 4)[0][0])


# --- the file of lesson 41 -------------------------------------------------------------------------------------------


def test_the_file_of_the_course_holds_what_its_images_say():
    path = downloads.data_file("showers.dl1.h5")
    events, camera = dl1.read(path), dl1.camera(path, 1).in_telescope_frame()
    mask = hillas.tailcuts_clean(camera, events["image"], 8, 4, 2, workers=1)
    np.testing.assert_array_equal(mask, events["image_mask"])
    found = hillas.hillas_parameters(camera, events["image"], mask, workers=1)
    for name in ("hillas_intensity", "hillas_fov_lon", "hillas_length", "hillas_width", "hillas_psi"):
        np.testing.assert_allclose(found[name], events[name], rtol=1e-5, atol=1e-5, err_msg=name)
    assert np.isnan(events["hillas_intensity"]).sum() == 24
    seen = ~np.isnan(events["hillas_intensity"])
    size, energy = (np.log(events[name][seen]) for name in ("hillas_intensity", "true_energy"))
    assert np.corrcoef(size, energy)[0, 1] > 0.7  # each image has its own truth


def test_no_two_tables_of_this_file_list_the_events_in_the_same_order():
    with h5py.File(downloads.data_file("showers.dl1.h5")) as file:
        tables = ("dl1/event/telescope/images/tel_001", "dl1/event/telescope/parameters/tel_001")
        tables += ("simulation/event/subarray/shower", "dl1/event/subarray/trigger")
        keys = [np.stack([file[name]["obs_id"], file[name]["event_id"]], axis=1) for name in tables]
    for position, first in enumerate(keys):
        np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(keys[0], axis=0))
        assert all(np.mean(np.all(first == other, axis=1)) < 0.1 for other in keys[position + 1 :])
