import numpy as np
import pytest

from showertools import array_maps, surface
from showertools.array_signal import pedestals
from showertools.surface_model import ArrayModel

MODEL = ArrayModel(n_rows=3, n_columns=3, pedestal_noise=0.0)


def recorded():
    """Return two showers: the second hit one station, with 9 VEM."""
    signal, time = np.full((2, 9), np.nan), np.full((2, 9), np.nan)
    signal[0, :3] = np.array([9.0, 99.0, 999.0]) + pedestals(MODEL)
    time[0, :3] = [100.0, 200.0, 300.0]
    signal[1, 8], time[1, 8] = 9.0 + pedestals(MODEL), 600.0
    return {"signal": signal, "time": time}


def test_units_come_from_the_stations_that_triggered():
    units = array_maps.scale(recorded(), MODEL)
    assert units.log_signal == pytest.approx(np.sqrt((1 + 4 + 9 + 1) / 4))
    assert units.mean_time == pytest.approx(300)
    assert units.time == pytest.approx(np.std([100, 200, 300, 600]))


def test_maps_known_on_paper():
    maps = array_maps.maps(recorded(), MODEL, array_maps.Scale(2.0, 200.0, 100.0))
    assert maps.shape == (2, 3, 3, 3)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps[0, 0], [[0.5, -1, 1], [1, 0, 1], [1.5, 1, 1]], atol=1e-6)
    np.testing.assert_array_equal(maps[0, 1:], 0)
    np.testing.assert_allclose(maps[1, 2, 2], [0.5, 4, 1], atol=1e-6)


def test_a_silent_station_is_one_at_the_mean_time_unless_it_is_marked():
    events = recorded()
    events["time"][0, 1] = 300.0
    units = array_maps.scale(recorded(), MODEL)
    unmarked, marked = (array_maps.maps(events, MODEL, units, mark_silent=mark) for mark in (False, True))
    np.testing.assert_array_equal(unmarked, marked[..., :2])
    assert unmarked[0, 0, 1, 1] == unmarked[0, 2, 2, 1] == 0
    assert marked[0, 0, 1, 2] != marked[0, 2, 2, 2]


def test_showers_without_any_trigger_are_empty_and_finite():
    events = {name: np.full((2, 9), np.nan) for name in ("signal", "time")}
    assert not np.any(array_maps.maps(events, MODEL, array_maps.Scale(1.0, 0.0, 1.0)))
    with pytest.raises(ValueError, match="at least two stations"):
        array_maps.scale(events, MODEL)


def test_simulated_events_have_units_of_order_one():
    model = ArrayModel.classic()
    events = surface.simulate(200, seed=1, model=model, traces=False)
    maps = array_maps.maps(events, model, array_maps.scale(events, model))
    there = maps[..., 2] == 1
    assert maps[..., 1][there].std() == pytest.approx(1, abs=1e-3)
    assert np.abs(maps).max() < 10
