import dataclasses

import numpy as np
import pytest

from showertools import array_front, array_lateral, array_signal, mean_shower, surface
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
MODELS = pytest.mark.parametrize("model", [CLASSIC, DEFAULT], ids=["classic", "default"])
SQUARE = ArrayModel.classic(layout="rectangular", n_rows=2, n_columns=2)
SHOWERS = np.array([[100.0, -300.0, 18.8], [-520.0, 60.0, 19.4], [10.0, 640.0, 19.9], [250.0, 250.0, 19.0]])


def axis_at(zenith, azimuth):
    zenith, azimuth = np.radians(zenith), np.radians(azimuth)
    return np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=-1)


AXIS = axis_at([5.0, 30.0, 45.0, 58.0], [0.0, 130.0, -60.0, 200.0])


def noise_free(model, axis=AXIS, showers=SHOWERS):
    """Events whose signals are those expected; stations below the threshold are silent."""
    zero = np.zeros(len(axis))
    given = array_lateral.Given(axis, zero, zero)
    mean = array_lateral.expected_signals(showers[:, :2], showers[:, 2], given, model).mean
    signal = np.where(mean + array_signal.pedestals(model) >= model.threshold, mean, np.nan)
    return {"signal": signal + array_signal.pedestals(model), "time": signal * 0}


@pytest.fixture(scope="module", params=[CLASSIC, DEFAULT], ids=["classic", "default"])
def simulated(request):
    model = request.param
    events = surface.simulate(600, seed=5, model=model, traces=False)
    return model, events, array_lateral.fit_lateral(events, events["axis"], model)


@MODELS
def test_noise_free_showers_are_found_exactly(model):
    everywhere = dataclasses.replace(model, threshold=array_signal.pedestals(model))  # no station is silent
    everywhere = dataclasses.replace(everywhere, saturation=np.inf)
    found = array_lateral.fit_lateral(noise_free(everywhere), AXIS, everywhere)
    np.testing.assert_allclose(found["core"], SHOWERS[:, :2], atol=0.1)
    np.testing.assert_allclose(found["shower_energy"], SHOWERS[:, 2], atol=2e-4)
    np.testing.assert_allclose(found["deviance"], 0, atol=1e-3)


@MODELS
def test_silent_stations_hardly_move_noise_free_showers(model):
    found = array_lateral.fit_lateral(noise_free(dataclasses.replace(model, saturation=np.inf)), AXIS, model)
    error = np.sqrt(np.einsum("nii->ni", found["covariance"][:, :2, :2]))
    assert np.all(np.abs(found["core"] - SHOWERS[:, :2]) < 0.3 * error)


def test_equal_signals_put_the_core_in_the_middle():
    events = {"signal": np.full((1, 4), 3_000.0), "time": np.zeros((1, 4))}
    found = array_lateral.fit_lateral(events, np.array([[0.0, 0.0, 1.0]]), SQUARE)
    np.testing.assert_allclose(found["core"], 0, atol=0.1)
    # the four stand 1061 m from the axis; the size is what 1000 m would have
    ratio = found["size"][0] / (3_000 - array_signal.pedestals(SQUARE))
    assert 1.061**4.7 < ratio < 2  # and stations that are further off see more air


def test_mirrored_signals_mirror_the_core():
    signal = np.array([[5_000.0, 2_000.0, 1_500.0, 800.0]])
    axis = np.array([[0.0, 0.0, 1.0]])
    time = np.zeros((1, 4))
    found = array_lateral.fit_lateral({"signal": signal, "time": time}, axis, SQUARE)
    mirrored = array_lateral.fit_lateral({"signal": signal[:, [1, 0, 3, 2]], "time": time}, axis, SQUARE)
    assert np.all(found["core"] < 0)  # towards the brightest
    np.testing.assert_allclose(mirrored["core"], found["core"] * [-1, 1], atol=0.5)
    np.testing.assert_allclose(mirrored["size"], found["size"], rtol=1e-3)


def test_pulls_of_the_core_and_the_energy(simulated):
    model, events, found = simulated
    assert np.all(np.isfinite(found["core"]))
    error = np.sqrt(np.einsum("nii->ni", found["covariance"]))[:, :3]
    truth = np.column_stack([events["core"], events["log10_energy"]])
    pull = (np.column_stack([found["core"], found["shower_energy"]]) - truth) / error
    n = len(pull)
    width = np.diff(np.quantile(pull, [0.16, 0.84], axis=0), axis=0)[0] / 2
    np.testing.assert_allclose(width, 1, atol=0.05 + 5 / np.sqrt(2 * n))
    np.testing.assert_allclose(pull.mean(axis=0), 0, atol=0.1 + 4 / np.sqrt(n))
    assert np.abs(found["core"] - events["core"]).max() < 0.4 * model.spacing  # no maximum beside the right one


def test_errors_allow_for_the_direction(simulated):
    model, events, found = simulated
    some = {name: values[:100] for name, values in events.items()}
    spread = np.tile(np.eye(2) * 0.02**2, (100, 1, 1))
    wider = array_lateral.fit_lateral(some, some["axis"], model, axis_covariance=spread)
    np.testing.assert_array_equal(wider["core"], found["core"][:100])
    added = wider["covariance"] - found["covariance"][:100]
    assert np.all(np.linalg.eigvalsh(added) > -1e-6 * np.abs(added).max())
    np.testing.assert_allclose(wider["covariance"][:, 3:, 3:], spread)
    # the covariance of core and axis says where the core goes when the axis is off
    off = np.random.default_rng(1).normal(0, 0.005, (100, 2))
    axis = some["axis"].astype(float)
    axis[:, :2] += off
    axis[:, 2] = np.sqrt(1 - (axis[:, :2] ** 2).sum(axis=1))
    moved = array_lateral.fit_lateral(some, axis, model)["core"] - found["core"][:100]
    predicted = np.einsum("nij,nj->ni", wider["covariance"][:, :2, 3:], off) / 0.02**2
    assert np.median(np.abs(moved - predicted)) < 0.15 * np.median(np.abs(predicted))


def test_a_little_distrust_helps_where_the_axis_is_fitted():
    events = surface.simulate(800, seed=7, model=CLASSIC, traces=False)
    axis = array_front.fit_front(events, CLASSIC)["axis"]
    wide = {}
    for error in (0.0, array_lateral.SHAPE_ERROR, 0.4):
        core = array_lateral.fit_lateral(events, axis, CLASSIC, shape_error=error)["core"]
        wide[error] = np.quantile(np.linalg.norm(core - events["core"], axis=1), 0.68)
    assert wide[array_lateral.SHAPE_ERROR] < min(0.98 * wide[0.0], 0.8 * wide[0.4])


def test_a_silent_station_pushes_the_core_away():
    # three corners see the same: the core is in the middle, unless the fourth is known to have seen nothing
    events = {"signal": np.array([[140.0, 140.0, 140.0, np.nan]] * 2), "time": np.array([[0.0, 0.0, 0.0, np.nan]] * 2)}
    working = np.array([[True] * 4, [True, True, True, False]])
    silent, dead = array_lateral.fit_lateral({**events, "working": working}, np.array([[0.0, 0.0, 1.0]] * 2), SQUARE)[
        "core"
    ]
    np.testing.assert_allclose(dead, 0, atol=0.5)
    assert np.all(silent < -5)
    assert silent[0] == pytest.approx(silent[1], abs=0.5)


def test_a_saturated_signal_counts_as_at_least_so_bright():
    events = noise_free(dataclasses.replace(DEFAULT, saturation=np.inf))
    brightest = np.nanargmax(events["signal"], axis=1)
    rows = np.arange(len(brightest))
    cut = events["signal"].copy()
    cut[rows, brightest] /= 3
    saturated = np.zeros(cut.shape, bool)
    saturated[rows, brightest] = True
    naive = array_lateral.fit_lateral({**events, "signal": cut}, AXIS, DEFAULT)
    right = array_lateral.fit_lateral({**events, "signal": cut, "saturated": saturated}, AXIS, DEFAULT)
    error = np.sqrt(np.trace(right["covariance"][:, :2, :2], axis1=1, axis2=2))
    off = np.linalg.norm(right["core"] - SHOWERS[:, :2], axis=1)
    assert np.all(off < error)
    assert np.all(off < np.linalg.norm(naive["core"] - SHOWERS[:, :2], axis=1))


def test_size_on_paper():
    # 900 VEM at 1 km and 10^19 eV where ΔX is 100 g/cm²
    model = dataclasses.replace(CLASSIC, log10_energy=(19.0, 19.0))
    cosine = np.linspace(0.5, 1.0, 2_001)
    xmax = mean_shower.moments(np.full(2_001, 19.0), cosine, model).xmax
    at = np.argmin(np.abs(model.ground_depth / cosine - xmax - 100))
    size = array_lateral.signal_at_1000_m(np.array([19.0]), cosine[[at]], model)
    assert size[0] == pytest.approx(900, rel=0.01)


def test_impossible_events_give_nan_and_leave_others_alone():
    events = noise_free(CLASSIC)
    events["signal"][0] = events["time"][0] = np.nan
    events["signal"][1, np.argsort(-np.nan_to_num(events["signal"][1]))[2:]] = np.nan
    events["time"][1] = events["signal"][1] * 0
    axis = AXIS.copy()
    axis[2] = np.nan
    found = array_lateral.fit_lateral(events, axis, CLASSIC)
    for name, values in found.items():
        finite = np.isfinite(values.reshape(4, -1))
        assert not finite[:3].any(), name
        assert finite[3].all(), name


def test_workers_do_not_matter_and_no_event_is_no_error(simulated):
    model, events, found = simulated
    two = array_lateral.fit_lateral(events, events["axis"], model, workers=2)
    assert all(np.array_equal(two[name], found[name]) for name in found)
    none = array_lateral.fit_lateral({name: values[:0] for name, values in events.items()}, np.zeros((0, 3)), model)
    assert {name: values.shape for name, values in none.items()} == {
        "core": (0, 2),
        "shower_energy": (0,),
        "size": (0,),
        "covariance": (0, 5, 5),
        "deviance": (0,),
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"axis": AXIS[:2]}, r"`axis` should have the shape \(4, 3\)"),
        ({"axis_covariance": np.zeros((2, 2, 2))}, r"`axis_covariance` should have the shape \(4, 4\)"),
        ({"shape_error": -0.1}, "`shape_error` should be a non-negative number"),
        ({"n_iterations": 1.5}, "`n_iterations` should be a whole number"),
        ({"events": {"signal": np.zeros((4, 81))}}, "`events` should hold `signal` and `time`"),
        ({"model": ArrayModel.classic(n_rows=14, n_columns=14)}, r"`signal` should have the shape \(n, 196\)"),
    ],
)
def test_bad_input(given, message):
    arguments = {"events": noise_free(CLASSIC), "axis": AXIS, "model": CLASSIC, **given}
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        array_lateral.fit_lateral(arguments.pop("events"), arguments.pop("axis"), arguments.pop("model"), **arguments)
