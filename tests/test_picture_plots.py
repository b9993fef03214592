import matplotlib.pyplot as plt
import numpy as np
import pytest

from showertools import picture_plots


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_each_picture_has_its_axes_and_title():
    images = np.random.default_rng(1).integers(256, size=(10, 4, 6, 3), dtype=np.uint8)
    figure = picture_plots.pictures(images, titles=[str(number) for number in range(10)], columns=4)
    assert [ax.get_title() for ax in figure.axes] == [str(number) for number in range(10)]
    np.testing.assert_array_equal(figure.axes[7].images[0].get_array(), images[7])
    figure.canvas.draw()
    assert len({round(ax.get_position().y0, 2) for ax in figure.axes}) == 3  # rows of 4, 4, 2


def test_grey_pictures_take_a_given_figure():
    figure = plt.figure()
    assert picture_plots.pictures(np.eye(3)[None], figure=figure) is figure
    assert len(figure.axes) == 1


def test_filters_are_scaled_each_by_its_largest_weight():
    kernel = np.zeros((2, 1, 3, 2))
    kernel[0, 0, 0, 0], kernel[1, 0, 2, 0] = 4, -2
    expected = np.full((2, 2, 1, 3), 0.5)
    expected[0, 0, 0, 0], expected[0, 1, 0, 2] = 1, 0.25
    np.testing.assert_allclose(picture_plots.filters(kernel), expected)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 4, 4)), "`images` should have the shape"),
        (np.zeros((2, 4, 4, 2)), "`images` should have the shape"),
        (np.zeros(4), "`images` should have the shape"),
        (np.full((2, 4, 4, 3), 255.0), "`images` in colour should be whole numbers of 8 bits, or numbers from 0 to 1"),
    ],
)
def test_other_pictures_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        picture_plots.pictures(images)


def test_wrong_titles_columns_and_kernels_are_refused():
    with pytest.raises(ValueError, match=r"`titles` should hold 2 titles. Received: 1"):
        picture_plots.pictures(np.zeros((2, 4, 4)), titles=["one"])
    with pytest.raises(ValueError, match="`columns` should"):
        picture_plots.pictures(np.zeros((2, 4, 4)), columns=0)
    with pytest.raises(ValueError, match=r"`kernel` should have the shape \(H, W, C, n\)"):
        picture_plots.filters(np.zeros((3, 3, 4)))
