import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from showertools import atmosphere

heights = st.floats(atmosphere.LOWEST_HEIGHT, 112_000.0)
depths = st.floats(0.0, 1165.0)


@pytest.mark.parametrize(
    ("height", "depth"),
    [  # the depths of the layers' boundaries as CORSIKA prints them
        (0.0, 1036.101),
        (4e3, 631.1003),
        (10e3, 271.7002),
        (40e3, 3.039494),
        (100e3, 0.00128292),
        (112_829.2, 0.0),
        (200e3, 0.0),
    ],
)
def test_depth_at_the_boundaries(height, depth):
    assert atmosphere.depth_at_height(height) == pytest.approx(depth, abs=1e-3, rel=1e-3)


def test_scale_height_at_sea_level_is_that_of_the_lowest_layer():
    assert atmosphere.density_at_height(0.0) / 100 == pytest.approx(1.2226562e3 / 994186.38, rel=1e-12)  # g/cm³
    assert atmosphere.density_at_height(0.0) / 100 == pytest.approx(1.225e-3, rel=0.01)  # the standard's value


@given(heights)
def test_round_trip_from_height(height):
    returned = atmosphere.height_at_depth(atmosphere.depth_at_height(height))
    # the layers meet within 0.01 g/cm²; where the air is thin, that is many metres
    tolerance = 1e-6 + (0.01 / atmosphere.density_at_height(height) if _near_boundary(height) else 0.0)
    assert abs(returned - height) <= tolerance * (1 + abs(height) * 1e-6)


@given(depths)
def test_round_trip_from_depth(depth):
    assert atmosphere.depth_at_height(atmosphere.height_at_depth(depth)) == pytest.approx(depth, abs=0.01)


@given(heights, heights)
def test_depth_falls_with_height(first, second):
    low, high = sorted((first, second))
    assert atmosphere.depth_at_height(low) >= atmosphere.depth_at_height(high) - 0.01
    if high - low > 1.0 and high < 40e3 and not _near_boundary(low):
        assert atmosphere.depth_at_height(low) > atmosphere.depth_at_height(high)


@given(depths, depths)
def test_height_falls_with_depth(first, second):
    low, high = sorted((first, second))
    if high - low > 0.01:
        assert atmosphere.height_at_depth(low) > atmosphere.height_at_depth(high)


@pytest.mark.parametrize("boundary", [4e3, 10e3, 40e3, 100e3])
def test_layers_meet(boundary):
    below, above = atmosphere.depth_at_height([boundary - 1e-6, boundary + 1e-6])
    assert below == pytest.approx(above, abs=0.01)
    depth = atmosphere.depth_at_height(boundary)
    assert atmosphere.height_at_depth(depth) == pytest.approx(boundary, abs=0.2)


@given(st.floats(-900.0, 39_000.0).filter(lambda height: not _near_boundary(height, 20.0)))
def test_density_is_the_derivative(height):
    above, below = atmosphere.depth_at_height([height + 5.0, height - 5.0])
    assert atmosphere.density_at_height(height) == pytest.approx((below - above) / 10.0, rel=1e-4)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=3), elements=heights))
def test_shape_is_kept(height):
    for function in (atmosphere.depth_at_height, atmosphere.density_at_height):
        assert function(height).shape == height.shape
    assert atmosphere.height_at_depth(atmosphere.depth_at_height(height)).shape == height.shape


@given(heights, st.floats(0.0, 65.0))
def test_slant_depth(height, zenith):
    vertical = atmosphere.depth_at_height(height)
    assert atmosphere.slant_depth(height, zenith) == pytest.approx(vertical / np.cos(np.radians(zenith)))
    assert atmosphere.slant_depth(height, 60.0) == pytest.approx(2 * vertical)


def test_slant_depth_broadcasts():
    assert atmosphere.slant_depth(np.zeros((3, 1)), [0.0, 60.0]).shape == (3, 2)


@pytest.mark.parametrize("function", [atmosphere.depth_at_height, atmosphere.density_at_height])
@pytest.mark.parametrize("height", [np.nan, -1000.1, -np.inf, [0.0, np.nan]])
def test_bad_height(function, height):
    with pytest.raises(ValueError, match=r"`height` should be at least -1000 m\. Received: (nan|-1000\.1|-inf)"):
        function(height)


@pytest.mark.parametrize("depth", [np.nan, -1e-9, 1166.0, np.inf, [500.0, -1.0]])
def test_bad_depth(depth):
    with pytest.raises(ValueError, match=r"`depth` should lie between 0 and 116\d g/cm²\. Received: "):
        atmosphere.height_at_depth(depth)


@pytest.mark.parametrize("zenith", [np.nan, -1.0, 65.1, [0.0, 90.0]])
def test_bad_zenith(zenith):
    with pytest.raises(ValueError, match=r"`zenith` should lie between 0 and 65 degrees\. Received: "):
        atmosphere.slant_depth(0.0, zenith)


def _near_boundary(height, distance=200.0):
    return bool(np.any(np.abs(height - np.array([4e3, 10e3, 40e3, 100e3])) < distance))
