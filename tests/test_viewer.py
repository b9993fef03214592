import base64
import io
import sys

import execution
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

from showertools import viewer
from showertools.viewer import Choice, Slider


class Screen:
    """Stands for a notebook: keeps what is displayed, and what the first picture is updated to."""

    def __init__(self):
        self.shown = []
        self.updates = []

    def display(self, bundle, *, raw, display_id=None):
        assert raw
        self.shown.append(bundle)
        return self if display_id else None

    def update(self, bundle, *, raw):
        assert raw
        self.updates.append(bundle)


@pytest.fixture
def screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr("IPython.display.display", screen.display)
    monkeypatch.setattr(viewer, "_shell", object)
    return screen


@pytest.fixture
def widgets(monkeypatch):
    """Return the list of widgets that are made."""
    made = []
    make = viewer._widget
    monkeypatch.setattr(viewer, "_widget", lambda *arguments: made.append(make(*arguments)) or made[-1])
    return made


def picture(bundle):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))))


def bar(height, color="k"):
    figure = Figure(figsize=(2, 2))
    figure.subplots().bar([0], [height], color=color)
    return figure


# The drawing


def test_a_shower_has_two_panels_and_says_what_it_is():
    figure = viewer.draw_shower(primary="Fe", xmax=720, core_x=100, core_y=-50, seed=2)
    counts, times = (ax for ax in figure.axes if ax.get_xlabel() == "x [m]")
    assert counts.images[0].get_array().shape == times.images[0].get_array().shape == (32, 32)
    assert figure.get_suptitle().startswith("Fe, Xmax = 720 g/cm²: ")
    for ax in (counts, times):
        np.testing.assert_allclose(np.ravel(ax.lines[0].get_data()), [100, -50])
        assert ax.get_xlim() == ax.get_ylim() == (-480, 480)


def test_the_same_seed_draws_the_same_shower():
    first, again, other = (viewer.draw_shower(seed=seed).axes[0].images[0].get_array() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_unknown_primary():
    with pytest.raises(ValueError, match=r"`primary` should be one of p, He, N, Fe\. Received: 'U'"):
        viewer.draw_shower(primary="U")


# The sliders


def test_without_ipywidgets_there_is_a_static_figure(screen, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    viewer.with_sliders(bar, height=Slider("height", 1, 0, 5, 1))
    (bundle,) = screen.shown
    assert picture(bundle).ndim == 3


def test_a_slider_redraws_the_same_figure(screen, widgets):
    viewer.with_sliders(
        bar, height=Slider("height [m]", 1, 0, 5, 0.5), color=Choice("colour", "k", {"black": "k", "red": "r"})
    )
    figure, sliders = screen.shown
    height, color = widgets
    assert (height.description, height.value, height.max, height.step) == ("height [m]", 1.0, 5.0, 0.5)
    assert screen.updates == []
    height.value = 3.0
    color.value = "r"
    assert len(screen.updates) == 2
    assert not np.array_equal(picture(screen.updates[0]), picture(figure))
    np.testing.assert_array_equal(picture(screen.updates[1]), picture(viewer._bundle(bar(3.0, "r"))))
    assert len(screen.shown) == 2
    assert execution.WIDGET in sliders
    assert "VBox" not in sliders["text/plain"]


@pytest.mark.usefixtures("screen")
def test_whole_numbers_give_whole_sliders_and_a_start_beyond_the_range_widens_it(widgets):
    viewer.with_sliders(bar, height=Slider("height", 9, 0, 5, 1))
    (slider,) = widgets
    assert isinstance(slider.value, int)
    assert (slider.value, slider.min, slider.max) == (9, 0, 9)


def test_a_slider_that_plays_runs_through_its_values(screen, widgets, monkeypatch):
    rows = []
    make = viewer._row
    monkeypatch.setattr(viewer, "_row", lambda *arguments: rows.append(make(*arguments)) or rows[-1])
    viewer.with_sliders(bar, height=Slider("height", 2, 0, 6, 2, play=True))
    (slider,) = widgets
    play, beside = rows[0].children
    assert beside is slider
    assert (play.value, play.min, play.max, play.step) == (2, 0, 6, 2)
    play.value = 4
    assert slider.value == 4
    np.testing.assert_array_equal(picture(screen.updates[-1]), picture(viewer._bundle(bar(4))))


def test_only_whole_numbers_play():
    with pytest.raises(ValueError, match=r"`height` should have whole numbers, as it plays\. Received: Slider"):
        viewer.with_sliders(bar, height=Slider("height", 0, 0, 1, 0.1, play=True))


def test_footprint_viewer_changes_one_thing_at_a_time(screen, widgets):
    viewer.footprint_viewer(primary="He", xmax=800, seed=4)
    assert [widget.value for widget in widgets] == ["He", 800, 0, 0, 4]
    primary, xmax, *_ = widgets
    primary.value = "Fe"
    xmax.value = 900
    np.testing.assert_array_equal(
        picture(screen.updates[-1]), picture(viewer._bundle(viewer.draw_shower(primary="Fe", xmax=900, seed=4)))
    )


def test_outside_ipython_nothing_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(viewer, "_shell", lambda: None)
    viewer.with_sliders(bar, height=Slider("height", 1, 0, 5, 1))
    assert capsys.readouterr().out == ""


def test_a_control_of_another_kind():
    with pytest.raises(TypeError, match=r"`height` should be a Slider or a Choice\. Received: 3"):
        viewer.with_sliders(bar, height=3)


# In a notebook


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "lacking", ["", "import sys; sys.modules['ipywidgets'] = None\n"], ids=["widgets", "no widgets"]
)
def test_a_stored_notebook_holds_the_figure_and_no_widget(tmp_path, lacking):
    cell = new_code_cell(f"{lacking}from showertools import viewer\nviewer.footprint_viewer()")
    notebook = new_notebook(cells=[cell])
    execution.execute(notebook, folder=tmp_path, profile="quick", timeout=100)
    execution.tidy(notebook)
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"] == "(figure)"
    assert picture(output.data).shape[1] > 600
