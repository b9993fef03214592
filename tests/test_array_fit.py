import dataclasses

import numpy as np
import pytest

from showertools import array_fit, surface
from showertools.array_fit import EnergyCalibration
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
CALIBRATION = EnergyCalibration(size=(19.3, 0.98, 0.01), attenuation=(0.4, -0.1, 0.3), product=0.05)
N_EVENTS = 700


@pytest.fixture(scope="module", params=[CLASSIC, DEFAULT], ids=["classic", "default"])
def simulated(request):
    model = request.param
    training, test = (surface.simulate(N_EVENTS, seed=seed, model=model, traces=False) for seed in (11, 12))
    fitted = array_fit.fit_geometry(training, model)
    calibration = array_fit.calibrate_energy(fitted["size"], fitted["axis"][:, 2], training["log10_energy"])
    seen = {name: test[name] for name in ("signal", "time", "saturated", "working")}  # and nothing of the truth
    return model, test, array_fit.reconstruct(seen, model, calibration), calibration


def test_a_calibration_on_paper():
    # 10 times the reference size at 38°: s = 1, x = 0; and the reference size or 10 times it from the zenith
    found = CALIBRATION.log10_energy([1_000.0, 100.0, 1_000.0], [np.cos(np.radians(38.0)), 1.0, 1.0])
    x = np.cos(np.radians(38.0)) ** 2 - 1
    vertical = 0.4 * x - 0.1 * x**2 + 0.3 * x**3
    np.testing.assert_allclose(found, [19.3 + 0.98 + 0.01, 19.3 + vertical, 19.3 + 0.98 + 0.01 + vertical + 0.05 * x])


def test_a_known_calibration_is_found_again_in_spite_of_outliers_and_failures():
    rng = np.random.default_rng(1)
    size, cosine = 10 ** rng.uniform(0.5, 3.5, 2_000), np.sqrt(rng.uniform(0.25, 1, 2_000))
    truth = CALIBRATION.log10_energy(size, cosine) + rng.normal(0, 0.02, 2_000)
    truth[:20] += 2.0
    size[20:40] = np.nan
    found = array_fit.calibrate_energy(size, cosine, truth)
    grid = np.meshgrid(np.geomspace(5, 2_000, 20), np.linspace(0.52, 0.98, 20))
    np.testing.assert_allclose(found.log10_energy(*grid), CALIBRATION.log10_energy(*grid), atol=0.005)
    assert (len(found.size), len(found.attenuation)) == (3, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.size = (1.0,)


def test_events_without_a_fit_stay_marked():
    assert np.isnan(CALIBRATION.log10_energy([np.nan, 100.0], [0.8, np.nan])).all()
    nothing = {"signal": np.full((2, 81), np.nan), "time": np.full((2, 81), np.nan)}
    found = array_fit.reconstruct(nothing, CLASSIC, CALIBRATION)
    assert np.isnan(found["log10_energy"]).all()
    assert np.isnan(found["log10_energy_error"]).all()
    assert np.isnan(found["axis"]).all()
    np.testing.assert_array_equal(found["n_triggered"], 0)


def test_pulls_of_direction_core_and_energy(simulated):
    _, truth, found, _ = simulated
    assert np.isfinite(found["log10_energy"]).mean() > 0.99
    good = np.isfinite(found["log10_energy"])
    pulls = np.column_stack(
        [
            (found["axis"] - truth["axis"])[:, :2] / np.sqrt(np.einsum("nii->ni", found["axis_covariance"])),
            (found["core"] - truth["core"]) / np.sqrt(np.einsum("nii->ni", found["core_covariance"])),
            (found["log10_energy"] - truth["log10_energy"]) / found["log10_energy_error"],
        ]
    )[good]
    n = len(pulls)
    width = np.diff(np.quantile(pulls, [0.16, 0.84], axis=0), axis=0)[0] / 2
    error = 1.16 / np.sqrt(2 * n)  # of the width of a normal distribution between its quantiles
    np.testing.assert_allclose(width[:4], 1, atol=0.03 + 4 * error)
    assert width[4] == pytest.approx(1, abs=0.09 + 4 * error)  # masses and muons are not distributed normally
    np.testing.assert_allclose(pulls.mean(axis=0), 0, atol=0.05 + 4 / np.sqrt(n))


def test_resolutions_are_those_of_the_method(simulated):
    model, truth, found, _ = simulated
    angle = np.degrees(np.arccos(np.clip((found["axis"] * truth["axis"]).sum(axis=1), -1, 1)))
    core = np.linalg.norm(found["core"] - truth["core"], axis=1)
    relative = 10 ** (found["log10_energy"] - truth["log10_energy"]) - 1
    limits = (1.5, 13.0, 0.07) if model is CLASSIC else (0.45, 55.0, 0.12)
    assert np.quantile(angle, 0.68) < limits[0]
    assert np.quantile(core, 0.68) < limits[1]
    assert np.std(relative) < limits[2]
    assert np.mean(relative) == pytest.approx(0, abs=0.02)


def test_the_calibration_removes_the_attenuation(simulated):
    _, truth, found, _ = simulated
    off = found["log10_energy"] - truth["log10_energy"]
    for low, high in ((0.5, 0.65), (0.65, 0.8), (0.8, 0.9), (0.9, 1.0)):
        inside = (truth["axis"][:, 2] >= low) & (truth["axis"][:, 2] < high)
        n = np.count_nonzero(inside)
        assert np.median(off[inside]) == pytest.approx(0, abs=0.005 + 5 * off[inside].std() / np.sqrt(n))


def test_the_classic_size_grows_as_the_energy():
    events = surface.simulate(300, seed=3, model=CLASSIC, traces=False)
    fitted = array_fit.fit_geometry(events, CLASSIC)
    slope = np.polyfit(np.log10(fitted["size"]), events["log10_energy"], 1)[0]
    assert slope == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": np.ones(3)}, r"`size`, `cosine` and `log10_energy` should have the shape \(n,\)"),
        ({"log10_energy": np.full(30, np.nan)}, "`log10_energy` should be finite"),
        ({"size": np.full(30, np.nan)}, "`size` should hold at least 20 showers.*Received: 0"),
        ({"cosine": ["a"] * 30}, "`cosine` should hold real numbers"),
    ],
)
def test_bad_calibration(given, message):
    arguments = {"size": np.ones(30), "cosine": np.ones(30), "log10_energy": np.ones(30), **given}
    with pytest.raises(ValueError, match=rf"{message}.*(Received: )?"):
        array_fit.calibrate_energy(**arguments)


def test_another_model():
    with pytest.raises(ValueError, match="`model` should be an ArrayModel"):
        array_fit.fit_geometry({}, "classic")


def test_adding_the_energy_to_a_geometry_is_reconstructing(simulated):
    model, test, found, calibration = simulated
    geometry = array_fit.fit_geometry(test, model)
    again = array_fit.add_energy(geometry, model, calibration)
    assert set(again) == set(found)
    for name, values in found.items():
        np.testing.assert_array_equal(again[name], values)
    with pytest.raises(ValueError, match="no size"):
        array_fit.add_energy({name: geometry[name] for name in geometry if name != "size"}, model, calibration)
