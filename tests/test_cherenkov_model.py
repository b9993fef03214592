import dataclasses
import json

import numpy as np
import pytest

from showertools.cherenkov_model import TelescopeModel, check_model, check_particle


def test_a_model_comes_back_from_json():
    model = TelescopeModel(n_telescopes=4, energy=(0.05, 2.0))
    assert TelescopeModel(**json.loads(json.dumps(dataclasses.asdict(model)))) == model
    assert hash(model) == hash(dataclasses.replace(model))


def test_numbers_of_numpy_are_numbers():
    model = TelescopeModel(n_telescopes=np.int64(2), energy=np.array([0.1, 1.0]), efficiency=np.float32(0.5))
    assert model.energy == (0.1, 1.0)


@pytest.mark.parametrize("n_telescopes", [1, 2, 3, 4])
def test_telescopes_are_100_m_apart(n_telescopes):
    positions = TelescopeModel(n_telescopes=n_telescopes).telescopes
    assert positions.shape == (n_telescopes, 2)
    np.testing.assert_allclose(positions.mean(axis=0), 0, atol=1e-9)
    distance = np.linalg.norm(positions[:, None] - positions, axis=2) + 1e9 * np.eye(n_telescopes)
    if n_telescopes > 1:
        np.testing.assert_allclose(distance.min(axis=0), 100)


def test_cameras():
    assert TelescopeModel().camera.n_pixels == 1855
    small = TelescopeModel(camera_name="small")
    assert small.camera.n_pixels == 397
    assert small.night_sky_charge / TelescopeModel().night_sky_charge == pytest.approx(1.5**2)
    assert small.pixel_threshold / small.trigger_threshold == pytest.approx(1.5)


def test_mirror():
    assert TelescopeModel().mirror_area == pytest.approx(387, abs=1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_telescopes", 0, "`n_telescopes` should be a whole number of at least 1"),
        ("n_telescopes", 5, "`n_telescopes` should be at most 4"),
        ("camera_name", "LST", "`camera_name` should be one of lst, small"),
        ("energy", 1.0, "`energy` should be a pair of numbers"),
        ("energy", (1.0, 0.1), "`energy` should be a lower and an upper bound between 0.003 and 100 TeV"),
        ("energy", (0.02, 1e5), "`energy` should be a lower and an upper bound between 0.003 and 100 TeV"),
        ("spectral_index", 20.0, "`spectral_index` should lie between -10 and 10"),
        ("spectral_index", np.nan, "`spectral_index` should be a finite number"),
        ("source_offset", (10.0, 14.0), "`source_offset`, `source_radius` and `proton_cone` should stay within 15"),
        ("proton_cone", 20.0, "`source_offset`, `source_radius` and `proton_cone` should stay within 15"),
        ("pointing_alt", 20.0, "`pointing_alt` should lie between 40 and 90 degrees"),
        ("site_altitude", 9000.0, "`site_altitude` should lie between 0 and 4000 m"),
        ("efficiency", 1.5, "`efficiency` should be at most 1"),
        ("efficiency", 0.0, "`efficiency` should be a positive number"),
        ("charge_window", 50.0, "`charge_window` should be at most `readout_window`"),
        ("night_sky", -1.0, "`night_sky` should be a non-negative number"),
        ("impact_radius", "300", "`impact_radius` should be a non-negative number"),
    ],
)
def test_bad_model(name, value, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        TelescopeModel(**{name: value})


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TelescopeModel) if field.type == "float"])
def test_no_number_may_be_nan(name):
    with pytest.raises(ValueError, match=rf"`{name}` should be a .* number\. Received: nan"):
        TelescopeModel(**{name: np.nan})


def test_checks():
    assert check_particle("gamma") == 0
    assert check_particle("proton") == 101
    for wrong in ("Gamma", "iron", 0, None, ["gamma"]):
        with pytest.raises(ValueError, match=r"`particle` should be one of gamma, proton\. Received: "):
            check_particle(wrong)
    with pytest.raises(ValueError, match=r"`model` should be a TelescopeModel\. Received: None"):
        check_model(None)
