import matplotlib.pyplot as plt
import numpy as np
import pytest

from showertools import camera, camera_plots, geometry

FLOWER = camera.Camera("flower", geometry.hexagon(1, 0.05), 28.0)
PARAMETERS = {
    "hillas_fov_lon": [0.0, np.nan],
    "hillas_fov_lat": [0.1, np.nan],
    "hillas_length": [0.3, np.nan],
    "hillas_width": [0.1, np.nan],
    "hillas_psi": [90.0, np.nan],
}


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_every_pixel_is_a_hexagon_around_its_centre_that_touches_its_neighbours():
    ax = camera_plots.image(FLOWER, np.arange(7.0))
    pixels = np.array([path.vertices[:6] for path in ax.collections[0].get_paths()])  # (7, 6, 2)
    np.testing.assert_allclose(pixels.mean(axis=1), FLOWER.positions, atol=1e-12)
    corners = pixels[0] - FLOWER.positions[0]
    area = 0.5 * abs(sum(np.linalg.det(corners[[k, (k + 1) % 6]]) for k in range(6)))
    assert area == pytest.approx(np.sqrt(0.75) * FLOWER.pitch**2)  # so that 7 of them cover the plane
    first, second = (pixels[0] + FLOWER.positions[k] - FLOWER.positions[0] for k in (0, 1))
    shared = np.abs(first[:, None] - second[None]).max(axis=2).min(axis=1) < 1e-9
    assert np.count_nonzero(shared) == 2  # neighbours share an edge
    np.testing.assert_array_equal(ax.collections[0].get_array(), np.arange(7.0))


def test_the_pixels_of_a_turned_camera_are_turned():
    turned = camera.from_positions("turned", x=[0, 0, 0.0433], y=[0, 0.05, 0.025], focal_length=28.0)
    corners = camera_plots.image(turned, np.zeros(3)).collections[0].get_paths()[0].vertices[:6] - turned.positions[0]
    assert np.degrees(np.arctan2(*corners[0][::-1])) % 60 == pytest.approx(0, abs=0.01)


def test_pixels_without_a_number_are_grey_and_a_mask_gets_outlines():
    values = np.array([1.0, np.nan, 3, 4, 5, 6, 7])
    ax = camera_plots.image(FLOWER, values, mask=values > 4, limits=(0, 10), colorbar=False)
    pixels, outlines = ax.collections
    assert pixels.get_array().mask.tolist() == [False, True] + 5 * [False]
    assert pixels.get_clim() == (0, 10)
    assert len(outlines.get_paths()) == 3
    ax.figure.canvas.draw()
    assert len(ax.figure.axes) == 1


def test_the_ellipse_has_the_parameters_and_the_axis_keeps_the_view():
    ax = camera_plots.image(FLOWER, np.zeros(7))
    view = ax.get_xlim()
    camera_plots.ellipse(PARAMETERS, 0, size=1.0, ax=ax)
    (drawn,) = ax.patches
    assert (drawn.center, drawn.width, drawn.height, drawn.angle) == ((0, 0.1), 0.6, 0.2, 90)
    assert ax.get_xlim() == view
    camera_plots.ellipse(PARAMETERS, 1, ax=ax)
    assert len(ax.patches) == 1  # the second image has none


def test_other_shapes_and_sizes_are_refused():
    with pytest.raises(ValueError, match="`values` should have the shape"):
        camera_plots.image(FLOWER, np.zeros(8))
    with pytest.raises(ValueError, match="`mask` should have the shape"):
        camera_plots.image(FLOWER, np.zeros(7), mask=np.ones(8, bool))
    with pytest.raises(ValueError, match="`size` should be"):
        camera_plots.ellipse(PARAMETERS, size=0, ax=plt.figure().add_subplot())
