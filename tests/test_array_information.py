import dataclasses

import numpy as np
import pytest
from scipy import stats

from showertools import (
    array_front,
    array_information,
    array_lateral,
    array_signal,
    limits,
    mean_shower,
    surface,
)
from showertools import surface_expectation as expectation
from showertools.array_information import PARAMETERS
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
INDEX = {name: number for number, name in enumerate(PARAMETERS)}
BARE = ArrayModel.classic(  # counts without noise, every station is seen
    pedestal=0.0, pedestal_noise=0.0, relative_noise=0.0, threshold=0.0, n_bins=400, n_rows=3, n_columns=3
)


def showers(n, model, *, zenith=40.0, energy=19.5, xmax=None, seed=1):
    """Simulated events of one shower."""
    angle = np.radians(zenith)
    axis = np.array([np.sin(angle) * 0.8, np.sin(angle) * 0.6, np.cos(angle)])
    if xmax is None:
        xmax = mean_shower.moments(np.array([energy]), axis[2:], model).xmax[0]
    rng = np.random.default_rng(seed)
    core = np.array([220.0, -310.0])
    return surface.simulate_given(rng, np.full(n, xmax), 1, energy, axis=axis, core=core, model=model, traces=False)


def part(matrix, *names):
    chosen = [INDEX[name] for name in names]
    return matrix[..., np.array(chosen)[:, None], chosen]


# --- on paper ---------------------------------------------------------------------------------------------------------


def test_direction_of_a_plane_front():
    events = showers(1, BARE)
    found = array_information.fisher_information(events, BARE, observables=["time"])[0]
    axis, core = events["axis"].astype(float), events["core"].astype(float)
    seen = expectation.view(axis, core, events["xmax"].astype(float), BARE)
    size = expectation.shower_size(events["log10_energy"].astype(float), events["mass_number"], BARE)
    number = expectation.expected_particles(size, seen.distance, seen.depth, BARE).sum(axis=0)[0]
    weight = (1 + np.log10(number + 1)) ** 2 / 480**2
    place = BARE.stations.positions - core
    mean = weight @ place / weight.sum()
    by_hand = np.einsum("s,si,sj->ij", weight, place - mean, place - mean) / SPEED_OF_LIGHT**2
    free = np.linalg.inv(part(found, "axis_x", "axis_y", "start"))[:2, :2]  # the start is unknown
    np.testing.assert_allclose(np.linalg.inv(free), by_hand, rtol=2e-3)
    assert found[INDEX["start"], INDEX["start"]] == pytest.approx(weight.sum(), rel=1e-3)
    np.testing.assert_allclose(found[INDEX["xmax"]], 0)  # a plane knows nothing about it


def test_counts_of_muons_and_of_all():
    events = showers(1, BARE)
    found = array_information.fisher_information(events, BARE, observables=["signal"])[0]
    axis, core, xmax = (events[name].astype(float) for name in ("axis", "core", "xmax"))
    seen = expectation.view(axis, core, xmax, BARE)
    size = expectation.shower_size(events["log10_energy"].astype(float), events["mass_number"], BARE)
    muons, electromagnetic = expectation.expected_particles(size, seen.distance, seen.depth, BARE)[:, 0]
    total = muons + electromagnetic
    # λ is proportional to the energy: Σ λ·(ln 10)²; and ∂λ/∂ln(muons) are the muons: Σ muons²/λ
    derivatives = np.stack([total * np.log(10), muons], axis=1)
    expected = limits.poisson_fisher(total, derivatives)
    np.testing.assert_allclose(part(found, "log10_energy", "log_muons"), expected, rtol=2e-3)
    assert found[INDEX["start"], INDEX["start"]] == 0


def test_a_threshold_on_paper():
    # Poisson numbers of which those below 4 are not seen: sums over all numbers
    model = ArrayModel.classic(pedestal=0.0, pedestal_noise=0.0, relative_noise=0.0, threshold=3.5)
    for mean in (0.8, 3.0, 6.0, 20.0):
        found = array_information._trigger(array_signal.Recorded(np.array([mean]), np.array([mean])), model)
        number = np.arange(200)
        probability = stats.poisson(mean).pmf(number)
        slope = probability * (number / mean - 1)
        seen = number >= 4
        information = np.sum(slope[seen] ** 2 / np.maximum(probability[seen], 1e-300))
        information += slope[~seen].sum() ** 2 / probability[~seen].sum()
        assert found.probability[0] == pytest.approx(probability[seen].sum())
        assert found.share[0] == pytest.approx(information * mean, rel=1e-6)
        assert found.particles[0] == pytest.approx(number[seen] @ probability[seen] / probability[seen].sum())


def test_information_of_a_bin():
    without = dataclasses.replace(BARE, threshold=0.0)
    number = np.array([0.01, 1.0, 30.0, 1_000.0])
    np.testing.assert_allclose(array_information._bin_information(number, without), 1 / number)
    found = array_information._bin_information(number, CLASSIC) * number
    assert np.all(np.diff(found[:3]) > 0)  # noise of 0.6 hides single particles, not many
    assert found[2] == pytest.approx(1 / (1 + 0.36 / 30 + 0.0025 * 31), abs=0.03)
    assert found[3] == pytest.approx(1 / (1 + 0.36 / 1_000 + 0.0025 * 1_001), rel=1e-6)
    below, above = array_information._bin_information(np.array([39.99, 40.01]), CLASSIC)
    assert below == pytest.approx(above, rel=0.03)
    # a bin with 0 or 1 particles and noise σ, without clipping: (exp(1/σ²) − 1)·λ for λ → 0
    loud = ArrayModel.classic(pedestal_noise=1.5, relative_noise=0.0, clip_at_zero=False)
    assert array_information._bin_information(np.array([1e-4]), loud)[0] == pytest.approx(
        np.exp(1 / 1.5**2) - 1, rel=1e-2
    )


# --- against simulated showers ----------------------------------------------------------------------------------------


def test_the_fit_of_the_front_reaches_the_bound():
    n = 800
    events = showers(n, CLASSIC)
    first = {name: values[:1] for name, values in events.items()}
    fisher = array_information.fisher_information(first, CLASSIC, observables=["time"])[0]
    bound = np.linalg.inv(part(fisher, "axis_x", "axis_y", "start"))[:2, :2]
    off = (array_front.fit_front(events, CLASSIC)["axis"] - events["axis"])[:, :2]
    ratio = np.einsum("ni,ij,nj->n", off, np.linalg.inv(bound), off).mean() / 2
    assert ratio == pytest.approx(1, abs=0.05 + 4 / np.sqrt(n))


@pytest.mark.parametrize("model", [CLASSIC, dataclasses.replace(DEFAULT, mass_numbers=(1,), muon_fluctuation=0.0)])
def test_the_fit_of_the_lateral_distribution_reaches_the_bound(model):
    # direction, Xmax and muons are those that the fit assumes; Xmax goes with the energy
    n = 500
    events = showers(n, model, energy=19.3)
    first = {name: values[:1] for name, values in events.items()}
    fisher = array_information.fisher_information(first, model, observables=["signal"])[0]
    energy, cosine = np.array([19.25, 19.35]), np.full(2, float(events["axis"][0, 2]))
    change = np.eye(8)[:, [INDEX["core_x"], INDEX["core_y"], INDEX["log10_energy"]]]
    change[INDEX["xmax"], 2] = np.diff(mean_shower.moments(energy, cosine, model).xmax)[0] / 0.1
    information = change.T @ fisher @ change
    found = array_lateral.fit_lateral(events, events["axis"], model, shape_error=0.0)
    off = np.column_stack([found["core"] - events["core"], found["shower_energy"] - events["log10_energy"]])
    good = np.isfinite(off).all(axis=1)
    ratio = np.einsum("ni,ij,nj->n", off[good], information, off[good]).mean() / 3
    assert ratio == pytest.approx(1, abs=0.07 + 4 * np.sqrt(2 / 3 / n))


# --- bad input --------------------------------------------------------------------------------------------------------

EVENTS = showers(2, CLASSIC)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f({"axis": EVENTS["axis"]}, CLASSIC), "`events` should hold axis, core"),
        (lambda f: f({**EVENTS, "core": np.zeros((2, 3))}, CLASSIC), r"`core` should have the shape"),
        (lambda f: f({**EVENTS, "xmax": [np.nan, 1]}, CLASSIC), "`xmax` should be finite"),
        (lambda f: f({**EVENTS, "working": np.ones(2)}, CLASSIC), "`working` should have the shape"),
        (lambda f: f(EVENTS, None), "`model` should be an ArrayModel"),
        (lambda f: f(EVENTS, CLASSIC, observables="time"), "`observables` should be some of"),
        (lambda f: f(EVENTS, CLASSIC, observables=["radio"]), "`observables` should be some of"),
        (lambda f: f(EVENTS, CLASSIC, observables=[]), "`observables` should be some of"),
        (lambda f: f(EVENTS, CLASSIC, observables=["signal", "trace"]), "not both signal and trace"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        call(array_information.fisher_information)
