import numpy as np
import pytest

from showertools import cherenkov, telescope_events
from showertools.cherenkov_model import TelescopeModel

MODEL = TelescopeModel(camera_name="small", energy=(0.1, 5.0), impact_radius=150.0)


@pytest.fixture(scope="module")
def gammas():
    return telescope_events.simulate(40, seed=3, particle="gamma", model=MODEL)


def test_they_are_the_showers_of_the_simulator_that_trigger_in_its_order(gammas):
    every = cherenkov.simulate(256, seed=3, particle="gamma", model=MODEL)
    there = np.flatnonzero(every["triggered"][:, 0])[:40]
    assert len(there) == 40
    np.testing.assert_array_equal(gammas["image"], every["image"][there, 0])
    np.testing.assert_array_equal(gammas["true_energy"], every["true_energy"][there])
    assert set(gammas) == (set(telescope_events.UNITS) - {"triggered"}) - {
        "telescope_pointing_altitude",
        "telescope_pointing_azimuth",
    }


def test_a_smaller_set_is_the_start_of_a_larger_one_whatever_the_workers(gammas):
    fewer = telescope_events.simulate(7, seed=3, particle="gamma", model=MODEL, workers=1)
    for name, values in fewer.items():
        np.testing.assert_array_equal(values, gammas[name][:7])


def test_directions_are_those_of_the_source():
    model = TelescopeModel(camera_name="small", energy=(1.0, 1.0), source_offset=(0.4, -0.3), source_radius=0.0)
    events = telescope_events.simulate(5, seed=1, particle="gamma", model=model)
    np.testing.assert_allclose(events["true_fov_lon"], 0.4, atol=1e-4)
    np.testing.assert_allclose(events["true_fov_lat"], -0.3, atol=1e-4)


def test_no_event_at_all_has_the_shapes_of_events(gammas):
    nothing = telescope_events.simulate(0, seed=1, particle="proton", model=MODEL)
    assert {name: values.shape for name, values in nothing.items()} == {
        name: (0, *values.shape[1:]) for name, values in gammas.items()
    }


def test_a_blind_telescope_ends_in_an_error(monkeypatch):
    monkeypatch.setattr(telescope_events, "MOST_SIMULATED", 300)
    blind = TelescopeModel(camera_name="small", energy=(0.003, 0.004), trigger_threshold=1e4)
    with pytest.raises(ValueError, match=r"`model` should trigger now and then\. Received: 0 of 300 showers"):
        telescope_events.simulate(1, seed=1, particle="gamma", model=blind)


def test_mixed_events_stay_whole(monkeypatch):
    monkeypatch.setattr(telescope_events, "GAMMAS", MODEL)
    monkeypatch.setattr(telescope_events, "PROTONS", MODEL)
    mixed = telescope_events.gammas_and_protons(12, 8, seed=4)
    gammas = telescope_events.simulate(12, seed=8, particle="gamma", model=MODEL)
    protons = telescope_events.simulate(8, seed=9, particle="proton", model=MODEL)
    is_gamma = mixed["true_shower_primary_id"] == 0
    for found, expected in ((is_gamma, gammas), (~is_gamma, protons)):
        order = np.argsort(mixed["true_energy"][found])
        for name, values in expected.items():
            wanted = values[np.argsort(expected["true_energy"])]
            np.testing.assert_array_equal(mixed[name][found][order], wanted)
    assert not is_gamma[:12].all()


def test_parameters_keep_what_has_a_shape_and_enough_light(gammas):
    image = gammas["image"].copy()
    image[0] = 0  # cleaned away
    image[1] = 0
    image[1, [0, 1, 2]] = [12, 12, 12]  # three pixels in a row: no width, 36 p.e.
    found = telescope_events.parameters({"image": image, "peak_time": gammas["peak_time"]}, MODEL.camera)
    assert found["kept"][:2].tolist() == [False, False]
    assert found["kept"][2:].mean() > 0.9
    kept = found["kept"]
    assert found["hillas_intensity"][kept].min() >= telescope_events.SMALLEST_INTENSITY
    matrix = telescope_events.features(found)
    assert matrix.shape == (40, len(telescope_events.FEATURES))
    assert np.isfinite(matrix[kept]).all()
    column = telescope_events.FEATURES.index
    np.testing.assert_allclose(10 ** matrix[kept, column("log_intensity")], found["hillas_intensity"][kept], rtol=1e-5)
    ratio = found["hillas_width"][kept] / found["hillas_length"][kept]
    np.testing.assert_allclose(matrix[kept, column("width_over_length")], ratio, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"particle": "muon"}, "`particle` should be one of"),
        ({"particle": "gamma", "model": None}, "`model` should be a TelescopeModel"),
        ({"particle": "gamma", "n_events": -1}, "`n_events` should be a whole number"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        telescope_events.simulate(**{"n_events": 1, "seed": 1} | arguments)
