import matplotlib.pyplot as plt
import numpy as np
import pytest

from showertools import array_plots
from showertools.surface_model import ArrayModel

MODEL = ArrayModel(n_rows=3, n_columns=3)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def recorded():
    signal = np.array([np.nan, 10.0, 100.0, 1000.0, np.nan, 3.0, np.nan, np.nan, 5.0])
    return signal, np.where(np.isnan(signal), np.nan, np.arange(9.0) * 1000)


def test_discs_stand_where_stations_triggered_in_the_colour_of_their_time():
    signal, time = recorded()
    ax = array_plots.event(signal, time, MODEL)
    rings, discs = ax.collections
    there = ~np.isnan(signal)
    np.testing.assert_allclose(discs.get_offsets(), MODEL.stations.positions[there] / 1000)
    np.testing.assert_allclose(rings.get_offsets(), MODEL.stations.positions[~there] / 1000)
    np.testing.assert_allclose(discs.get_array(), time[there] / 1000)
    np.testing.assert_array_equal(np.argsort(discs.get_sizes()), np.argsort(signal[there]))


def test_an_event_without_any_signal_is_an_empty_array():
    nothing = np.full(9, np.nan)
    ax = array_plots.event(nothing, nothing, MODEL)
    ax.figure.canvas.draw()
    assert len(ax.collections[0].get_offsets()) == 9


def test_the_arrow_comes_from_the_shower_and_ends_in_the_core():
    _, ax = plt.subplots()
    axis = np.array([0.6, 0.0, 0.8])
    assert array_plots.event(*recorded(), MODEL, core=[300.0, 0.0], axis=axis, ax=ax) is ax
    (arrow,) = ax.texts
    assert arrow.xy == pytest.approx((0.3, 0))
    assert arrow.get_position()[0] > 0.3
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0.3, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(8), np.ones(9)), r"`signal` should have the shape \(9,\)"),
        ((np.ones(9), np.ones(8)), r"`time` should have the shape \(9,\)"),
    ],
)
def test_other_shapes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        array_plots.event(*arguments, MODEL)


def test_an_axis_needs_a_core():
    with pytest.raises(ValueError, match="`core` should be given"):
        array_plots.event(*recorded(), MODEL, axis=[0, 0, 1])
