import numpy as np
import pytest

from showertools import array_events, array_front, array_signal, mean_shower, surface, surface_expectation
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
SQUARE = ArrayModel.classic(layout="rectangular", n_rows=2, n_columns=2)  # stations at ±750 m
N_STATIONS = CLASSIC.n_stations


def axis_at(zenith, azimuth):
    zenith, azimuth = np.radians(zenith), np.radians(azimuth)
    return np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=-1)


def plane(axis, start, model, *, signal=1_000.0):
    """Events of exact plane fronts, all stations with the same signal."""
    time = start - axis[:, :2] @ model.stations.positions.T / SPEED_OF_LIGHT
    return {"signal": np.full(time.shape, signal), "time": time}


@pytest.fixture(scope="module", params=[CLASSIC, DEFAULT], ids=["classic", "default"])
def simulated(request):
    return request.param, surface.simulate(800, seed=5, model=request.param, traces=False)


def test_an_exact_plane_is_found_again():
    axis = axis_at([0.0, 20.0, 59.0], [0.0, 130.0, -60.0])
    found = array_front.fit_front(plane(axis, 123.0, CLASSIC), CLASSIC)
    np.testing.assert_allclose(found["axis"], axis, atol=1e-9)
    np.testing.assert_allclose(found["time"], 123)
    np.testing.assert_allclose(found["chi_square"], 0, atol=1e-9)
    np.testing.assert_array_equal(found["n_triggered"], N_STATIONS)


def test_an_exact_bent_front_is_found_again():
    axis, core = axis_at([10.0, 50.0], [40.0, -20.0]), np.array([[200.0, -300.0], [0.0, 500.0]])
    xmax = mean_shower.moments(np.array([19.0, 19.5]), axis[:, 2], DEFAULT).xmax
    seen = surface_expectation.view(axis, core, xmax, DEFAULT)
    events = {"signal": np.full((2, N_STATIONS), 50.0), "time": seen.front_time - 40}
    found = array_front.fit_front(events, DEFAULT, core=core, log10_energy=np.array([19.0, 19.5]), n_iterations=30)
    np.testing.assert_allclose(found["axis"], axis, atol=1e-5)
    np.testing.assert_allclose(found["time"], -40, atol=0.2)
    flat = array_front.fit_front(events, DEFAULT)
    assert np.all(flat["chi_square"] > 100)
    # the core's error moves the axis: 100 m of 10 km or more
    moved = array_front.fit_front(events, DEFAULT, core=core + np.array([100.0, 0.0]), n_iterations=30)
    tilt = (moved["axis"] - found["axis"])[:, 0]
    assert np.all((tilt < -100 / 40_000) & (tilt > -100 / 8_000))


def test_four_stations_on_paper():
    # a square of half side h, equal errors σ: a_x = c·(t₁ − t₂ + t₃ − t₄)/(4·h) with the error c·σ/(2·h)
    times = np.array([[0.0, -1_000.0, 200.0, -800.0]])  # (−h, −h), (h, −h), (−h, h), (h, h)
    found = array_front.fit_front({"signal": np.full((1, 4), 200.0), "time": times}, SQUARE)
    h, c = 750.0, SPEED_OF_LIGHT
    np.testing.assert_allclose(found["axis"][0, :2], [c * 2_000 / (4 * h), -c * 400 / (4 * h)])
    assert found["time"][0] == pytest.approx(-400)
    particles = 200 - array_signal.pedestals(SQUARE)
    sigma = 480 / (1 + np.log10(particles + 1))
    np.testing.assert_allclose(found["axis_covariance"][0], np.eye(2) * (c * sigma / (2 * h)) ** 2, rtol=1e-9)
    assert found["time_error"][0] == pytest.approx(sigma / 2)
    assert found["chi_square"][0] == pytest.approx(0, abs=1e-9)
    times += np.array([100.0, -100.0, -100.0, 100.0])
    crossed = array_front.fit_front({"signal": np.full((1, 4), 200.0), "time": times}, SQUARE)
    np.testing.assert_allclose(crossed["axis"], found["axis"])
    assert crossed["chi_square"][0] == pytest.approx(4 * 100**2 / sigma**2)


def test_angular_error_on_paper():
    # at 60° an error across the azimuth counts as it is, one in the zenith twice: cos 60° = 1/2
    covariance = np.diag([0.01**2, 0.03**2])[None]
    found = array_front.angular_error(axis_at([60.0], [0.0]), covariance)
    assert found[0] == pytest.approx(np.degrees(1.5096 * np.sqrt((0.02**2 + 0.03**2) / 2)), rel=1e-4)


def test_pulls_of_the_direction(simulated):
    model, events = simulated
    known = {"core": events["core"], "log10_energy": events["log10_energy"]} if model.front == "sphere" else {}
    found = array_front.fit_front(events, model, **known)
    assert np.all(np.isfinite(found["axis"]))
    error = np.sqrt(np.einsum("nii->ni", found["axis_covariance"]))
    pull = (found["axis"] - events["axis"])[:, :2] / error
    n = len(pull)
    np.testing.assert_allclose(pull.mean(axis=0), 0, atol=4 / np.sqrt(n))
    np.testing.assert_allclose(pull.std(axis=0), 1, atol=0.02 + 4 / np.sqrt(2 * n))
    degrees_of_freedom = found["n_triggered"] - 3
    ratio = found["chi_square"].sum() / degrees_of_freedom.sum()
    assert 0.85 < ratio < 1.1  # stations just above threshold have seen fewer particles than their signal says
    distance = np.degrees(np.arccos(np.clip((found["axis"] * events["axis"]).sum(axis=1), -1, 1)))
    inside = np.mean(distance < found["angular_error"])
    assert inside == pytest.approx(0.68, abs=0.03 + 4 * np.sqrt(0.22 / n))


def test_a_bent_front_needs_a_bent_fit():
    events = surface.simulate(300, seed=6, model=DEFAULT, traces=False)
    bent = array_front.fit_front(events, DEFAULT, core=events["core"])
    flat = array_front.fit_front(events, DEFAULT)
    assert 5 * bent["chi_square"].sum() < flat["chi_square"].sum()


def test_impossible_events_give_nan_and_leave_others_alone():
    events = plane(np.tile(axis_at(30.0, 70.0), (6, 1)), 0.0, CLASSIC)
    x, y = CLASSIC.stations.positions.T
    keep = {0: np.zeros(N_STATIONS, bool), 1: np.arange(N_STATIONS) < 2, 2: np.abs(y - y[0]) < 1}
    for row, stations in keep.items():
        events["signal"][row, ~stations] = events["time"][row, ~stations] = np.nan
    events["time"][3] = -1.2 * x / SPEED_OF_LIGHT  # faster than any axis explains
    found = array_front.fit_front(events, CLASSIC, core=np.array([[0.0, 0.0]] * 4 + [[np.nan, 0.0], [0.0, 0.0]]))
    for name in ("axis", "axis_covariance", "angular_error", "time", "time_error", "chi_square"):
        finite = np.isfinite(found[name].reshape(6, -1))
        assert not finite[:5].any(), name
        assert finite[5].all(), name
    np.testing.assert_array_equal(found["n_triggered"], [0, 2, 9, 81, 81, 81])


def test_workers_do_not_matter_and_no_event_is_no_error(simulated):
    model, events = simulated
    one, two = (array_front.fit_front(events, model, workers=workers) for workers in (1, 2))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    none = array_front.fit_front({name: values[:0] for name, values in events.items()}, model)
    assert {name: values.shape for name, values in none.items()} == {
        "axis": (0, 3),
        "axis_covariance": (0, 2, 2),
        "angular_error": (0,),
        "time": (0,),
        "time_error": (0,),
        "chi_square": (0,),
        "n_triggered": (0,),
    }


GOOD = plane(axis_at([10.0, 20.0], [0.0, 0.0]), 0.0, CLASSIC)


@pytest.mark.parametrize(
    ("events", "given", "message"),
    [
        ({"signal": GOOD["signal"]}, {}, "`events` should hold `signal` and `time`"),
        ({**GOOD, "signal": GOOD["signal"][:, :80]}, {}, r"`signal` should have the shape \(n, 81\)"),
        ({**GOOD, "time": GOOD["time"][:1]}, {}, r"`time` should have the shape of `signal`, \(2, 81\)"),
        ({**GOOD, "time": GOOD["time"] * np.nan}, {}, "`signal` and `time` should be finite, or NaN in the same"),
        ({**GOOD, "time": GOOD["time"] + np.inf}, {}, "`signal` and `time` should be finite, or NaN in the same"),
        ({**GOOD, "saturated": np.zeros(3, bool)}, {}, "`saturated` should have the shape of `signal`"),
        (GOOD, {"core": np.zeros((3, 2))}, r"`core` should have the shape \(2, 2\)"),
        (GOOD, {"core": np.zeros((2, 2)), "log10_energy": [19.0]}, r"`log10_energy` should have the shape \(2, 1\)"),
        (GOOD, {"n_iterations": 0}, "`n_iterations` should be a whole number of at least 1"),
    ],
)
def test_bad_input(events, given, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        array_front.fit_front(events, CLASSIC, **given)


def test_another_model():
    with pytest.raises(ValueError, match="`model` should be an ArrayModel"):
        array_front.fit_front(GOOD, "classic")


def test_plane_front_of_one_shower_known_on_paper():
    axis = np.array([0.48, -0.36, 0.8])
    positions = np.array([[0.0, 0.0], [1500.0, 0.0], [0.0, 1500.0], [900.0, 400.0]])
    time = 40 - positions @ axis[:2] / 0.299792458
    np.testing.assert_allclose(array_front.plane_front(positions, time, np.ones(4)), axis, atol=1e-12)
    time[3] += 500  # without weight
    np.testing.assert_allclose(array_front.plane_front(positions, time, [1.0, 2.0, 3.0, 0.0]), axis, atol=1e-12)


def test_plane_front_is_what_fit_front_finds():
    model = ArrayModel.classic()
    events = surface.simulate(20, seed=3, model=model, traces=False)
    fitted = array_front.fit_front(events, model)
    stations = array_events.read(events, model)
    for number in range(20):
        there = stations.triggered[number]
        error = 480 / (1 + np.log10(np.maximum(stations.signal[number][there], 1) + 1))
        found = array_front.plane_front(model.stations.positions[there], stations.time[number][there], error**-2.0)
        np.testing.assert_allclose(found, fitted["axis"][number], atol=2e-3)


def test_a_front_faster_than_light_has_no_axis():
    positions = np.array([[0.0, 0.0], [1500.0, 0.0], [0.0, 1500.0]])
    assert np.all(np.isnan(array_front.plane_front(positions, [0.0, 6000.0, 0.0], np.ones(3))))
    with pytest.raises(ValueError, match="should have the shapes"):
        array_front.plane_front(positions, [0.0, 1.0], np.ones(3))
