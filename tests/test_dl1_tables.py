import pickle

import h5py
import numpy as np
import pytest
from dl1_files import Exploding, write_table
from hypothesis import given
from hypothesis import strategies as st

from showertools import dl1_tables
from showertools.storage import DatasetError

keys = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), unique=True, max_size=12)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        yield file


# --- columns ----------------------------------------------------------------------------------------------------------


def test_columns_come_as_they_were_written(file):
    columns = {
        "event_id": np.array([3, 1, 2], "u8"),
        "image": np.arange(12, dtype="f4").reshape(3, 4),
        "mask": np.eye(3, 4, dtype=bool),
        "is_valid": np.array([True, False, True]),
        "name": np.array([b"a", b"bc", b""]),
    }
    table = write_table(file, "a/b", columns)
    assert table.dtype["is_valid"] == np.uint8  # a bit field, that h5py takes for numbers
    found = dl1_tables.read(table, ["image", "mask", "is_valid", "name", "event_id"])
    assert list(found) == ["image", "mask", "is_valid", "name", "event_id"]
    for name, values in found.items():
        assert values.dtype == columns[name].dtype
        np.testing.assert_array_equal(values, columns[name])
    assert dl1_tables.read(table, []) == {}
    with pytest.raises(
        DatasetError, match=r"a/b of .*x\.h5 should have the columns \['time'\]\. Received: event_id, im"
    ):
        dl1_tables.read(table, ["image", "time"])


@pytest.mark.parametrize("style", ["new", "old"])
@pytest.mark.parametrize(("dtype", "marks"), [("i2", (-32767, 32767, -32768)), ("u2", (65534, 65535, 65533))])
def test_fixed_point_is_undone(file, style, dtype, marks):
    transform = {"TRANSFORM_SCALE": 4.0, "TRANSFORM_OFFSET": 10, "TRANSFORM_DTYPE": "float64"}
    special = dict(zip(("NAN_VALUE", "POSINF_VALUE", "NEGINF_VALUE"), marks, strict=True))
    columns = {"image": np.array([[10, 11, 18, *marks]], dtype), "plain": np.array([7], "i2")}
    table = write_table(file, "t", columns, style=style, transforms={"image": transform | special})
    found = dl1_tables.read(table, ["image", "plain"])
    np.testing.assert_array_equal(found["image"], [[0, 0.25, 2, np.nan, np.inf, -np.inf]])
    assert found["image"].dtype == np.float64
    np.testing.assert_array_equal(found["plain"], [7])


def test_old_files_have_no_special_numbers(file):
    columns = {"image": np.array([-32767, 32767], "i2")}
    table = write_table(file, "t", columns, style="old", transforms={"image": {"TRANSFORM_SCALE": 10.0}})
    np.testing.assert_allclose(dl1_tables.read(table, ["image"])["image"], [-3276.7, 3276.7])


@pytest.mark.parametrize(
    "change",
    [
        {"TRANSFORM_SCALE": 0.0},
        {"TRANSFORM_SCALE": np.nan},
        {"TRANSFORM_SCALE": "ten"},
        {"TRANSFORM_OFFSET": np.inf},
        {"TRANSFORM_DTYPE": "int32"},
        {"TRANSFORM_DTYPE": "object"},
        {"TRANSFORM_DTYPE": "no type"},
        {"NAN_VALUE": "none"},
    ],
)
def test_damaged_fixed_point_is_refused(file, change):
    transform = {"TRANSFORM_SCALE": 10.0} | change
    table = write_table(file, "t", {"image": np.array([1, 2], "i2")}, transforms={"image": transform})
    with pytest.raises(DatasetError, match=r"`image` of t of .*x\.h5 (has a damaged fixed-point|should have a scale)"):
        dl1_tables.read(table, ["image"])


# --- units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "unit", "factor"),
    [
        ("m", "m", 1),
        ("cm", "m", 0.01),
        ("deg", "deg", 1),
        ("rad", "deg", 57.295780),
        ("TeV", "TeV", 1),
        ("GeV", "TeV", 0.001),
        ("1 / m", "1/m", 1),
        ("m**-1", "1/m", 1),
        ("deg**-1", "1/deg", 1),
        ("1 / rad", "1/deg", 0.0174532925),
        ("g / cm2", "g/cm2", 1),
        ("g cm-2", "g/cm2", 1),
        ("g.cm**-2", "g/cm2", 1),
        ("cm**-2.g", "g/cm2", 1),
        ("kg / m2", "g/cm2", 0.1),
        ("m**2", "m2", 1),
        ("m2", "m2", 1),
        ("ns", "ns", 1),
    ],
)
@pytest.mark.parametrize("style", ["new", "old", "astropy"])
def test_units_in_all_spellings(file, stored, unit, factor, style):
    columns = {"other": np.ones(2), "x": np.array([2.0, np.nan])}
    table = write_table(file, "t", columns, units={"x": stored, "other": "s"}, style=style)
    assert dl1_tables.unit_of(table, "x") == stored
    for found in (
        dl1_tables.in_unit(table, "x", columns["x"], unit),
        dl1_tables.in_course_units(table, "x", columns["x"], "")[0],
    ):
        np.testing.assert_allclose(found, [2 * factor, np.nan], rtol=1e-7)
    assert dl1_tables.in_course_units(table, "x", columns["x"], "")[1] == unit
    with pytest.raises(DatasetError, match=r"`x` of t of .*x\.h5 should be in p\.e\.\. Received: "):
        dl1_tables.in_unit(table, "x", columns["x"], "p.e.")


def test_columns_without_a_unit(file):
    table = write_table(file, "t", {"x": np.ones(2)})
    assert dl1_tables.unit_of(table, "x") == ""
    np.testing.assert_array_equal(dl1_tables.in_unit(table, "x", np.ones(2), "deg"), [1, 1])
    np.testing.assert_allclose(dl1_tables.in_unit(table, "x", np.ones(2), "deg", "rad"), np.full(2, 180 / np.pi))
    np.testing.assert_array_equal(dl1_tables.in_course_units(table, "x", np.ones(2), "")[0], [1, 1])
    table.attrs["x_UNIT"] = "furlong"
    assert dl1_tables.in_course_units(table, "x", np.ones(2), "")[1] == "furlong"


# --- attributes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["meta: {CAM_ID: LSTCam, PIX_ROT: 100.5, NCHAN: 2}"],
        ["meta: !!omap", "- {CAM_ID: LSTCam}", "- {PIX_ROT: 100.5}", "- {NCHAN: 2}"],
        ["meta: !!omap", "- CAM_ID: LSTCam", "- PIX_ROT: 100.5", "- NCHAN: 2"],
        ["meta: {CAM_ID: LSTCam,", "  PIX_ROT: 100.5,", "  NCHAN: 2}"],
        ["meta:", "  CAM_ID: 'LSTCam'", "  PIX_ROT: 100.5", "  NCHAN: 2"],
    ],
)
def test_attributes_that_astropy_wrote(file, lines):
    table = write_table(file, "t", {"x": np.ones(2)}, style="astropy")
    del file["t.__table_column_meta__"]
    first = [
        "datatype:",
        "- {name: x2, unit: s, datatype: float64}",
        "- {name: x, unit: !astropy.units.Unit {unit: m},",
    ]
    file["t.__table_column_meta__"] = np.array([line.encode() for line in [*first, "  datatype: float64}", *lines]])
    assert dl1_tables.attribute(table, "CAM_ID") == "LSTCam"
    assert dl1_tables.number(table, "PIX_ROT") == 100.5
    assert dl1_tables.number(table, "NCHAN") == 2
    assert dl1_tables.attribute(table, "PIX_RO") == ""
    assert dl1_tables.unit_of(table, "x") == "m"
    with pytest.raises(DatasetError, match=r"the attribute CAM_ROT of t of .*x\.h5 should be a number\. Received: ''"):
        dl1_tables.number(table, "CAM_ROT")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"v1.0", "v1.0"),
        (np.bytes_(b"v1.0"), "v1.0"),
        ("v1.0", "v1.0"),
        (np.array([b"v1.0"]), "v1.0"),
        (np.array(["a", "b"], "S1"), ""),
        (h5py.Empty("S1"), ""),
        (b"\xff\xfe", ""),
        (None, ""),
        (np.float64(2.5), "2.5"),
    ],
)
def test_attributes_as_text(value, text):
    assert dl1_tables.text(value) == text


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_nothing_is_unpickled(file, tmp_path, protocol):
    trace = tmp_path / "exploded"
    columns = {"x": np.array([1, 2], "i2"), "event_type": np.array([32, 32])}
    table = write_table(file, "t", columns)
    bomb = np.void(pickle.dumps(Exploding(trace), protocol))
    names = ("PIX_ROT", "CTAFIELD_0_UNIT", "CTAFIELD_1_ENUM", "CTAFIELD_0_TRANSFORM_DTYPE", "CTAPIPE_VERSION")
    for name in names:
        table.attrs[name] = bomb
    for name in names:
        dl1_tables.attribute(table, name)
    dl1_tables.unit_of(table, "x")
    dl1_tables.read(table, ["x", "event_type"])
    with pytest.raises(DatasetError):
        dl1_tables.number(table, "PIX_ROT")
    assert not trace.exists()
    pickle.loads(bytes(bomb)).close()
    assert trace.exists()  # it would have been seen


# --- tables -----------------------------------------------------------------------------------------------------------


def test_tables_are_found_and_nothing_else(file):
    for path in ("top", "a/one", "a/two", "a/b/c/three"):
        write_table(file, path, {"x": np.ones(2)}, style="astropy")
    file["a/plain"] = np.ones(3)
    file["a/matrix"] = np.ones((2, 2), [("x", "f8")])
    write_table(file, "a/_i_one/x/index", {"x": np.ones(2)})  # an index of PyTables
    assert set(dl1_tables.tables_of(file, "a")) == {"one", "two"}
    assert dl1_tables.tables_of(file, "nowhere") == dl1_tables.tables_of(file, "top") == {}
    assert set(dl1_tables.all_tables(file)) == {"top", "a/one", "a/two", "a/b/c/three"}
    assert dl1_tables.find_table(file, "a/nothing") is None
    assert dl1_tables.find_table(file, "/a/b/c/three").shape == (2,)
    for path in ("a/plain", "a/matrix", "a"):
        with pytest.raises(DatasetError, match=rf"x\.h5 is damaged or something else: `{path}` should be a table"):
            dl1_tables.find_table(file, path)


def test_nothing_outside_of_the_file_is_read(file, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        write_table(other, "t", {"x": np.ones(2)})
    file["external"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/t")
    file["group"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
    file["soft"] = h5py.SoftLink("/external")
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(16))
    file.create_dataset("bytes", shape=(2,), dtype=[("x", "f8")], external=str(raw))
    file.create_virtual_dataset("virtual", h5py.VirtualLayout(shape=(2,), dtype=[("x", "f8")]))
    assert dl1_tables.all_tables(file) == {}
    for path in ("external", "group/t", "soft"):
        assert dl1_tables.find_table(file, path) is None
    for path in ("bytes", "virtual"):
        with pytest.raises(DatasetError, match=f"`{path}` should be a table"):
            dl1_tables.find_table(file, path)


def test_groups_in_a_circle_end(file):
    write_table(file, "a/t", {"x": np.ones(2)})
    file["a/again"] = file["a"]
    assert "a/t" in dl1_tables.all_tables(file)


# --- rows that belong together ----------------------------------------------------------------------------------------


@given(wanted=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12), there=keys)
def test_rows_are_those_with_the_same_keys(wanted, there):
    def parts(rows):
        return [np.array([row[part] for row in rows], np.int64) for part in (0, 1)]

    row = dl1_tables.matching_rows(parts(wanted), parts(there), None)
    assert row.tolist() == [there.index(key) if key in there else -1 for key in wanted]


def test_taken_rows_keep_their_kind():
    rows = np.array([1, -1, 0])
    np.testing.assert_array_equal(dl1_tables.take(np.array([1.5, 2.5], "f4"), rows), [2.5, np.nan, 1.5])
    np.testing.assert_array_equal(dl1_tables.take(np.array([1, 2], "u1"), rows), [2, -1, 1])
    np.testing.assert_array_equal(dl1_tables.take(np.array([False, True]), rows), [True, False, False])
    assert dl1_tables.take(np.array([False, True]), rows).dtype == bool
    assert dl1_tables.take(np.array([1.0, 2.0], "f4"), rows).dtype == np.float32
    np.testing.assert_array_equal(dl1_tables.take(np.zeros(0), np.array([-1, -1])), [np.nan, np.nan])


def test_the_same_key_twice_is_named(file):
    table = write_table(file, "t", {"x": np.ones(2)})
    twice = [np.array([7, 7, 8]), np.array([3, 3, 3])]
    with pytest.raises(
        DatasetError,
        match=r"t of .*x\.h5 should have one row for each of obs_id, event_id\. Received: obs_id 7, event_id 3 twice",
    ):
        dl1_tables.matching_rows([np.array([7])] * 2, twice, table)
