import numpy as np
import pytest

from showertools import array_features, array_fit, array_front, array_lateral, surface, surface_expectation
from showertools.array_features import SHOWER_FEATURES, STATION_FEATURES
from showertools.array_signal import pedestals
from showertools.surface_model import ArrayModel

MODEL = ArrayModel.classic(layout="rectangular", n_rows=7, n_columns=7)


def column(described, name):
    return described["stations"][:, :, STATION_FEATURES.index(name)]


@pytest.fixture(scope="module")
def simulated():
    events = surface.simulate(600, seed=5, model=MODEL, traces=False)
    fitted = array_fit.fit_geometry(events, MODEL)
    calibration = array_fit.calibrate_energy(fitted["size"], fitted["axis"][:, 2], events["log10_energy"])
    return events, array_fit.reconstruct(events, MODEL, calibration)


def perfect(model=MODEL):
    """Return events without any noise, and fits that are the truth."""
    events = surface.simulate(20, seed=6, model=model, traces=False)
    axis, core = (events[name].astype(np.float64) for name in ("axis", "core"))
    energy = events["log10_energy"].astype(np.float64)
    expected = array_lateral.expected_signals(core, energy, array_lateral.Given(axis, energy * 0, energy * 0), model)
    events["signal"] = expected.mean + pedestals(model)
    seen = surface_expectation.view(axis, core, array_front.mean_shower.moments(energy, axis[:, 2], model).xmax, model)
    events["time"] = seen.front_time + 17.0
    fitted = {
        "axis": axis,
        "core": core,
        "log10_energy": energy,
        "shower_energy": energy,
        "angular_error": np.ones(20),
        "core_covariance": np.tile(100 * np.eye(2), (20, 1, 1)),
    }
    return events, fitted


def test_frame_known_on_paper():
    frame = array_features.shower_frame([[0.6, 0.0, 0.8], [0.0, 0.6, 0.8], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(frame.along, [[1, 0], [0, 1], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(frame.across, [[0, 1], [-1, 0], [0, 1]], atol=1e-12)
    np.testing.assert_allclose(frame.down, [[0.8, 0, -0.6], [0, 0.8, -0.6], [1, 0, 0]], atol=1e-12)


def test_departure_known_on_paper():
    angle = np.radians([30.0, 31.0])
    axis = np.column_stack([0 * angle, np.sin(angle), np.cos(angle)])
    fitted = {"axis": axis[:1], "core": np.array([[0.0, 10.0]]), "log10_energy": np.array([19.0])}
    truth = {"axis": axis[1:], "core": np.array([[5.0, 40.0]]), "log10_energy": np.array([19.25])}
    departure = array_features.departures(truth, fitted)
    np.testing.assert_allclose(departure["direction"], [[np.degrees(np.sin(np.radians(1))), 0]], atol=1e-5)
    np.testing.assert_allclose(departure["core"], [[30, -5]], atol=1e-5)
    np.testing.assert_allclose(departure["log10_energy"], [[0.25]], atol=1e-6)


def test_correcting_by_the_departure_gives_the_truth(simulated):
    events, fitted = simulated
    found = array_features.corrected(fitted, array_features.departures(events, fitted))
    good = array_features.usable(fitted)
    assert good.sum() > 590
    np.testing.assert_allclose(found["axis"][good], events["axis"][good], atol=1e-6)
    np.testing.assert_allclose(found["core"][good], events["core"][good], atol=1e-2)
    np.testing.assert_allclose(found["log10_energy"][good], events["log10_energy"][good], atol=1e-5)


def test_without_noise_nothing_is_left_over():
    described = array_features.features(*perfect(), MODEL, n_stations=20)
    for name in ("time_residual", "signal_residual"):
        np.testing.assert_allclose(column(described, name), 0, atol=0.01)
    np.testing.assert_allclose(
        column(described, "log_signal"), np.maximum(column(described, "log_expected"), 0), atol=1e-3
    )
    assert np.all(column(described, "triggered") == 1)


def test_a_late_station_has_a_time_residual_and_the_others_lie_before_the_mean():
    events, fitted = perfect()
    error, _ = array_front.expected_times(
        array_features.array_events.read(events, MODEL), fitted["axis"], fitted["core"], fitted["shower_energy"], MODEL
    )
    events["time"][:, 24] += 3 * error[:, 24]
    residual = column(array_features.features(events, fitted, MODEL, n_stations=49), "time_residual")
    weight = 1 / error**2
    expected = 3 * (1 - weight[:, 24] / weight.sum(axis=1))
    np.testing.assert_allclose(residual.max(axis=1), expected, rtol=1e-3)
    assert np.all(np.sort(residual, axis=1)[:, :-1] < 0)


def test_silent_stations_are_marked_and_say_nothing_else():
    events, fitted = perfect()
    events["signal"][:, 24] = events["time"][:, 24] = np.nan
    described = array_features.features(events, fitted, MODEL, n_stations=49)
    silent = column(described, "triggered") == 0
    np.testing.assert_array_equal(silent.sum(axis=1), 1)
    for name in ("time_residual", "signal_residual", "log_signal"):
        np.testing.assert_array_equal(column(described, name)[silent], 0)
    assert np.all(column(described, "log_expected")[silent] != 0)


def test_places_are_those_in_the_plane_of_the_shower():
    described = array_features.features(*perfect(), MODEL)
    distance = column(described, "distance")
    np.testing.assert_allclose(np.hypot(column(described, "along"), column(described, "across")), distance, atol=1e-6)
    assert np.all(np.diff(distance, axis=1) >= 0)
    np.testing.assert_allclose(column(described, "near"), np.exp(-distance * 1500 / 400), atol=1e-6)


@pytest.mark.parametrize("turn", ["mirrored", "a quarter turn"])
def test_features_do_not_depend_on_where_the_shower_comes_from(simulated, turn):
    events, fitted = ({name: values[:50] for name, values in some.items()} for some in simulated)
    matrix = np.array([[1.0, 0.0], [0.0, -1.0]]) if turn == "mirrored" else np.array([[0.0, -1.0], [1.0, 0.0]])
    described = array_features.features(events, fitted, MODEL, n_stations=9)
    departure = array_features.departures(events, fitted)

    def turned(some):
        some = dict(some)
        for name in ("signal", "time"):
            if np.ndim(some.get(name)) == 2:
                index = MODEL.stations.positions @ matrix  # where the value of each place comes from
                distance = np.linalg.norm(index[:, None] - MODEL.stations.positions, axis=2)
                some[name] = some[name][:, distance.argmin(axis=1)]
        some["core"] = some["core"] @ matrix.T
        some["axis"] = np.column_stack([some["axis"][:, :2] @ matrix.T, some["axis"][:, 2]])
        if "core_covariance" in some:
            some["core_covariance"] = matrix @ some["core_covariance"] @ matrix.T
        return some

    after = array_features.features(turned(events), turned(fitted), MODEL, n_stations=9)
    if turn == "mirrored":  # what points across the shower changes its sign
        odd = [number for number, name in enumerate(STATION_FEATURES) if "across" in name]
        described["stations"][:, :, odd] *= -1
        departure["direction"][:, 1] *= -1
        departure["core"][:, 1] *= -1
    for name in ("stations", "shower"):
        np.testing.assert_allclose(after[name], described[name], atol=2e-4)
    found = array_features.departures(turned(events), turned(fitted))
    for name in ("direction", "core", "log10_energy"):
        np.testing.assert_allclose(found[name], departure[name], rtol=1e-3, atol=1e-3)


def test_features_are_of_order_one(simulated):
    described = array_features.features(*simulated, MODEL)
    assert described["stations"].shape == (600, 37, len(STATION_FEATURES))
    assert described["shower"].shape == (600, len(SHOWER_FEATURES))
    for values in described.values():
        assert values.dtype == np.float32
        assert np.all(np.isfinite(values))
        assert np.abs(values).max() <= array_features.LARGEST_RESIDUAL
    residual = column(described, "time_residual")[column(described, "triggered") == 1]
    assert 0.6 < residual.std() < 1.05  # three of the times' degrees of freedom are fitted


def test_showers_that_could_not_be_fitted_have_no_features_and_no_departure(simulated):
    events, fitted = ({name: values[:3].copy() for name, values in some.items()} for some in simulated)
    events["signal"][1] = events["time"][1] = np.nan
    for name in ("axis", "core", "log10_energy"):
        fitted[name][1] = np.nan
    described = array_features.features(events, fitted, MODEL)
    departure = array_features.departures(events, fitted)
    np.testing.assert_array_equal(array_features.usable(fitted), [True, False, True])
    for values in described.values():
        assert np.all(values[1] == 0)
        assert np.any(values[2] != 0)
    for values in departure.values():
        assert np.all(np.isnan(values[1]))
        assert np.all(np.isfinite(values[2]))


def test_workers_do_not_change_anything(simulated):
    one, two = (array_features.features(*simulated, MODEL, workers=workers) for workers in (1, 2))
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name])


def test_what_makes_no_sense_is_refused(simulated):
    events, fitted = simulated
    with pytest.raises(ValueError, match="`n_stations` should be at most 49"):
        array_features.features(events, fitted, MODEL, n_stations=50)
    with pytest.raises(ValueError, match="no shower_energy"):
        array_features.features(events, {k: v for k, v in fitted.items() if k != "shower_energy"}, MODEL)
    with pytest.raises(ValueError, match=r"`axis` should have the shape"):
        array_features.shower_frame(np.ones((4, 2)))


def test_chosen_stations_come_in_the_order_asked_for(simulated):
    events, fitted = ({name: values[:40] for name, values in some.items()} for some in simulated)
    index = [24, 3, 10, 0]
    chosen = array_features.features(events, fitted, MODEL, stations=index)
    good = array_features.usable(fitted)
    np.testing.assert_array_equal(
        column(chosen, "triggered")[good], ~np.isnan(np.asarray(events["signal"])[good][:, index])
    )
    every = array_features.features(events, fitted, MODEL, n_stations=MODEL.n_stations)
    placed = array_features.features(events, fitted, MODEL, stations=range(MODEL.n_stations))
    order = np.argsort(column(placed, "distance")[good], axis=1)
    again = np.take_along_axis(placed["stations"][good], order[:, :, None], axis=1)
    np.testing.assert_array_equal(again, every["stations"][good])
    np.testing.assert_array_equal(chosen["stations"], placed["stations"][:, index])
    np.testing.assert_array_equal(chosen["shower"], every["shower"])


@pytest.mark.parametrize("index", [[], [-1], [MODEL.n_stations], [[1, 2]], [1.5], [True]])
def test_stations_that_are_not_there_are_refused(simulated, index):
    with pytest.raises(ValueError, match="`stations` should be whole numbers"):
        array_features.features(*simulated, MODEL, stations=index)
