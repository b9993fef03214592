import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from showertools import geometry

ROOT = np.sqrt(0.75)
LAYOUTS = {
    "rectangular": geometry.rectangular(4, 5, 2.0),
    "offset": geometry.offset(5, 4, 2.0),
    "axial": geometry.axial(4, 5, 2.0),
    "hexagon": geometry.hexagon(3, 2.0),
}
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


def indexings(layout):
    return ("offset", "axial") if layout.is_hexagonal else ("rectangular",)


# --- positions one can read off ---------------------------------------------------------------------------------------


def test_positions_on_paper():
    np.testing.assert_allclose(
        geometry.rectangular(2, 3, 10.0).positions, [[-10, -5], [0, -5], [10, -5], [-10, 5], [0, 5], [10, 5]]
    )
    np.testing.assert_allclose(  # the middle row is the odd one: the others lie half a spacing to the left
        geometry.offset(3, 1, 10.0).positions, [[-5, -10 * ROOT], [0, 0], [-5, 10 * ROOT]], atol=1e-12
    )
    np.testing.assert_allclose(
        geometry.axial(3, 1, 10.0).positions, [[-5, -10 * ROOT], [0, 0], [5, 10 * ROOT]], atol=1e-12
    )
    around = 10 * np.array([[-0.5, -ROOT], [0.5, -ROOT], [-1, 0], [0, 0], [1, 0], [-0.5, ROOT], [0.5, ROOT]])
    np.testing.assert_allclose(geometry.hexagon(1, 10.0).positions, around, atol=1e-12)


@pytest.mark.parametrize("n_rows", [1, 3, 5, 7, 9, 11])
def test_a_place_stands_in_the_middle(n_rows):
    for make in (geometry.offset, geometry.axial, geometry.rectangular):
        layout = make(n_rows, 9, 1500.0)
        np.testing.assert_allclose(layout.positions[len(layout) // 2], 0, atol=1e-9)


def test_odd_rows_are_shifted_to_the_right():
    layout = geometry.offset(6, 3, 2.0)
    row, column = layout.array_index().T
    x = layout.positions[:, 0]
    np.testing.assert_allclose(x - 2 * column - (row % 2), x[0])


# --- neighbours -------------------------------------------------------------------------------------------------------


@every_layout
def test_neighbours_are_the_places_at_one_spacing(layout):
    distance = np.linalg.norm(layout.positions[:, None] - layout.positions, axis=-1)
    reach = 2.0 if layout.is_hexagonal else 2.0 * np.sqrt(2)
    for place, around in enumerate(layout.neighbours):
        expected = np.flatnonzero((distance[place] > 0) & (distance[place] < 1.001 * reach))
        np.testing.assert_array_equal(np.sort(around[around >= 0]), expected)
    np.testing.assert_array_equal(layout.n_neighbours, np.sum((distance < 1.001 * reach), axis=1) - 1)


@every_layout
def test_neighbours_go_round_counter_clockwise(layout):
    inside = np.argmax(layout.n_neighbours)
    step = layout.positions[layout.neighbours[inside]] - layout.positions[inside]
    angle = np.degrees(np.arctan2(step[:, 1], step[:, 0])) % 360
    np.testing.assert_allclose(angle, np.arange(0, 360, 360 / len(angle)), atol=1e-6)


def test_numbers_of_neighbours_on_paper():
    counts = np.bincount(geometry.hexagon(4, 1.0).n_neighbours, minlength=7)
    np.testing.assert_array_equal(counts, [0, 0, 0, 6, 18, 0, 37])  # corners, sides, 1 + 3·3·4 inside
    counts = np.bincount(geometry.rectangular(4, 5, 1.0).n_neighbours, minlength=9)
    np.testing.assert_array_equal(counts, [0, 0, 0, 4, 0, 10, 0, 0, 6])


# --- arrays -----------------------------------------------------------------------------------------------------------


@every_layout
def test_arrays_and_back(layout):
    values = np.random.default_rng(1).normal(size=(2, len(layout), 3))
    for indexing in indexings(layout):
        array = layout.to_array(values, indexing, axis=1, fill=np.nan)
        mask = layout.mask(indexing)
        assert array.shape == (2, *mask.shape, 3)
        assert mask.sum() == len(layout)
        np.testing.assert_array_equal(np.isfinite(array[0, ..., 0]), mask)
        np.testing.assert_array_equal(layout.from_array(array, indexing, axis=1), values)
        flat = values[..., 0]
        np.testing.assert_array_equal(layout.from_array(layout.to_array(flat, indexing), indexing), flat)


def test_arrays_on_paper():
    layout = geometry.offset(3, 2, 1.0)
    numbers = np.arange(1, 7)
    np.testing.assert_array_equal(layout.to_array(numbers), [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(layout.to_array(numbers, "axial"), [[0, 1, 2], [0, 3, 4], [5, 6, 0]])
    hexagon = geometry.hexagon(1, 1.0).to_array(numbers := np.arange(1, 8), "offset")
    np.testing.assert_array_equal(hexagon, [[0, 1, 2], [3, 4, 5], [0, 6, 7]])  # the middle row is shifted to the right
    assert hexagon.dtype == numbers.dtype


@every_layout
def test_the_same_steps_lead_to_the_neighbours_everywhere_in_axial_arrays(layout):
    steps = geometry.HEXAGONAL_STEPS if layout.is_hexagonal else geometry.SQUARE_STEPS
    index = layout.array_index("axial" if layout.is_hexagonal else None)
    for direction, step in enumerate(steps):
        has = layout.neighbours[:, direction] >= 0
        np.testing.assert_array_equal(index[layout.neighbours[has, direction]], index[has] + step)


@given(st.integers(1, 9), st.integers(1, 9))
def test_an_offset_array_has_no_empty_place(n_rows, n_columns):
    layout = geometry.offset(n_rows, n_columns, 1.0)
    assert layout.mask().all()
    assert layout.mask().shape == (n_rows, n_columns)
    assert layout.mask("axial").shape == (n_rows, n_columns + (n_rows - 1) // 2)


# --- the edge ---------------------------------------------------------------------------------------------------------


def test_distance_to_edge_on_paper():
    layout = geometry.rectangular(3, 5, 100.0)  # 400 m by 200 m
    points = np.array([[0.0, 0.0], [150.0, 0.0], [150.0, 80.0], [230.0, 0.0], [200.0, 100.0]])
    np.testing.assert_allclose(layout.distance_to_edge(points), [100, 50, 20, -30, 0], atol=1e-9)
    assert geometry.hexagon(2, 1.0).distance_to_edge((0.0, 0.0)) == pytest.approx(2 * ROOT)
    assert layout.distance_to_edge(np.zeros((2, 3, 2))).shape == (2, 3)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: geometry.offset(0, 3, 1.0), r"`n_rows` should be a whole number of at least 1\. Received: 0"),
        (lambda: geometry.axial(3, 1.5, 1.0), r"`n_columns` should be a whole number of at least 1\. Received: 1\.5"),
        (lambda: geometry.hexagon(-1, 1.0), r"`n_rings` should be a whole number of at least 0\. Received: -1"),
        (lambda: geometry.rectangular(2, 2, 0.0), r"`spacing` should be positive\. Received: 0"),
        (lambda: geometry.rectangular(2, 2, [1.0]), r"`spacing` should be a positive number\. Received: \[1\.0\]"),
        (
            lambda: LAYOUTS["axial"].array_index("rectangular"),
            r"`indexing` should be one of offset, axial\. Received: 'rectangular'",
        ),
        (lambda: LAYOUTS["rectangular"].mask("axial"), r"`indexing` should be one of rectangular\. Received: 'axial'"),
        (lambda: LAYOUTS["axial"].to_array(np.ones(19)), r"`values` should have 20 entries along axis -1\. Received: "),
        (lambda: LAYOUTS["axial"].to_array(1.0), r"`values` should have 20 entries along axis -1\. Received: "),
        (lambda: LAYOUTS["axial"].from_array(np.ones((5, 4))), r"`array` should have the shape \(4, 5\) from axis -2"),
        (lambda: LAYOUTS["axial"].distance_to_edge([1.0]), r"`points` should have the shape \(\.\.\., 2\)\. Received"),
        (lambda: LAYOUTS["axial"].distance_to_edge([np.nan, 1.0]), r"`points` should be finite"),
        (lambda: geometry.axial(3, 1, 1.0).distance_to_edge([0.0, 0.0]), r"span an area\. Received: places on one"),
    ],
)
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_computed_once_cannot_be_changed():
    layout = geometry.hexagon(1, 1.0)
    for array in (layout.grid, layout.positions, layout.neighbours):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
