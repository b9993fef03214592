import dataclasses

import numpy as np
import pytest

from showertools import (
    array_events,
    array_fit,
    array_information,
    array_lateral,
    array_limits,
    mean_shower,
    surface,
)
from showertools import surface_expectation as expectation
from showertools.array_information import PARAMETERS
from showertools.footprints import SPEED_OF_LIGHT
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
INDEX = {name: number for number, name in enumerate(PARAMETERS)}


def test_containment_radius():
    assert array_limits.containment_radius([np.eye(2) * 4.0]) == pytest.approx(2 * 1.5096, rel=1e-4)
    rng = np.random.default_rng(1)
    covariance = np.array([[[9.0, 2.0], [2.0, 1.0]], [[1.0, 0.0], [0.0, 25.0]]])
    drawn = np.concatenate([rng.multivariate_normal([0, 0], one, 100_000) for one in covariance])
    radius = array_limits.containment_radius(covariance, quantile=0.8)
    assert np.mean(np.hypot(*drawn.T) < radius) == pytest.approx(0.8, abs=0.004)
    assert np.isnan(array_limits.containment_radius(np.zeros((0, 2, 2))))


# --- against simulated showers ---------------------------------------------------------------------------------------


def most_probable(events, model, start, n_iterations=8):
    """Maximum of likelihood times prior in (core, energy, axis, Xmax) for plane fronts, by Gauss–Newton steps."""
    stations = array_events.read(events, model)
    zero = np.zeros(len(stations.signal))
    point, axis, xmax = np.column_stack([start["core"], start["shower_energy"]]), start["axis"].copy(), zero.copy()
    sigma = expectation.time_resolution(np.maximum(stations.signal, 1), zero[:, None], model)
    weight = np.where(stations.triggered, 1 / sigma**2, 0)
    place = model.stations.positions / SPEED_OF_LIGHT
    prior = model.start_spread**2 / 3
    for _ in range(n_iterations):
        given = array_lateral.Given(axis, xmax, zero)
        fit = array_lateral._likelihood(point, stations, given, model)
        slopes = np.concatenate(
            [
                array_lateral._slopes(point, given, model, fit.expected),
                array_lateral._assumed_slopes(point, given, model, fit.expected)[:, :3],
            ],
            axis=1,
        )  # (n, 6, S)
        gradient = np.einsum("nis,ns->ni", slopes, fit.slope)
        information = np.einsum("nis,ns,njs->nij", slopes, fit.curvature, slopes)
        variance = mean_shower.moments(point[:, 2], axis[:, 2], model).covariance[:, 0, 0]
        gradient[:, 5] -= xmax / variance
        information[:, 5, 5] += 1 / variance
        # times: their derivatives by core, energy, axis and Xmax; the start is averaged over
        offset = place - point[:, None, :2] / SPEED_OF_LIGHT
        rest = stations.time + np.einsum("nsi,ni->ns", offset, axis[:, :2])
        by = np.zeros_like(slopes)
        by[:, :2], by[:, 3:5] = axis[:, :2, None] / SPEED_OF_LIGHT, -offset.transpose(0, 2, 1)
        total = 1 / prior + weight.sum(axis=1)
        mean = (weight * rest).sum(axis=1) / total
        weighted = np.einsum("nis,ns->ni", by, weight)
        gradient += np.einsum("nis,ns,ns->ni", by, weight, rest - mean[:, None])
        information += np.einsum("nis,ns,njs->nij", by, weight, by)
        information -= weighted[:, :, None] * weighted[:, None, :] / total[:, None, None]
        step = np.linalg.solve(information, gradient[..., None])[..., 0]
        step /= np.maximum(np.abs(step / [60, 60, 0.1, 0.02, 0.02, 40]).max(axis=1, keepdims=True), 1)
        point, xmax = point + step[:, :3], xmax + step[:, 5]
        axis[:, :2] += step[:, 3:5]
        axis[:, 2] = np.sqrt(1 - (axis[:, :2] ** 2).sum(axis=1))
    return {"core": point[:, :2], "log10_energy": point[:, 2], "axis": axis}


def test_all_together_reaches_the_bound():
    n = 500
    events = surface.simulate(n, seed=9, model=CLASSIC, traces=False)
    found = most_probable(events, CLASSIC, array_fit.fit_geometry(events, CLASSIC))
    bound = array_limits.bounds(events, CLASSIC, observables=("signal", "time"))
    chosen = (events["axis"][:, 2] > 0.55) & (events["axis"][:, 2] < 0.9)  # the horizon and Xmax at the ground are far
    for name in ("axis", "core"):
        off = (found[name] - events[name])[chosen, :2]
        pull = np.einsum("ni,nij,nj->n", off, np.linalg.inv(bound[f"{name}_covariance"][chosen]), off)
        assert np.median(pull) / (2 * np.log(2)) == pytest.approx(1, abs=0.3), name
    pull = (found["log10_energy"] - events["log10_energy"])[chosen] / bound["log10_energy_error"][chosen]
    width = np.diff(np.quantile(pull, [0.16, 0.84]))[0] / 2
    assert width == pytest.approx(1, abs=0.05 + 4 * 1.16 / np.sqrt(2 * np.count_nonzero(chosen)))


# --- what must hold ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[CLASSIC, DEFAULT], ids=["classic", "default"])
def some(request):
    model = request.param
    events = surface.simulate(60, seed=4, model=model, traces=False)
    return model, events


def test_traces_say_more_and_the_prior_bounds_everything(some):
    model, events = some
    summed, traces = (array_limits.bounds(events, model, observables=(kind, "time")) for kind in ("signal", "trace"))
    for name in ("angular_error", "log10_energy_error", "xmax_error", "start_error"):
        assert np.all(traces[name] <= summed[name] * 1.02), name
    prior = array_limits.prior_covariance(events, model)
    for number in range(len(PARAMETERS)):
        assert np.all(summed["covariance"][:, number, number] <= prior[:, number, number] * (1 + 1e-9))
    assert np.median(traces["xmax_error"]) < 0.7 * np.median(summed["xmax_error"])


def test_nothing_seen_is_the_prior(some):
    model, events = some
    dead = {**events, "working": np.zeros((60, model.n_stations), bool)}
    assert not array_information.fisher_information(dead, model).any()
    np.testing.assert_allclose(
        array_limits.bounds(dead, model)["covariance"], array_limits.prior_covariance(events, model), atol=1e-6
    )


def test_less_noise_and_more_energy_say_more(some):
    model, events = some
    louder = dataclasses.replace(model, time_noise=2 * model.time_noise + 50)
    quiet, loud = (
        array_limits.bounds(events, each, observables=("signal", "time"))["angular_error"] for each in (model, louder)
    )
    assert np.all(quiet < loud)
    error = array_limits.bounds(events, model)["log10_energy_error"]
    energy = events["log10_energy"]
    assert np.median(error[energy > 19.5]) < np.median(error[energy < 19])


def test_what_is_known_has_no_error(some):
    model, events = some
    found = array_limits.bounds(events, model)["covariance"][:, INDEX["log_muons"], INDEX["log_muons"]]
    assert np.all(found == 0) if model is CLASSIC else np.all(found > 1e-5)


def test_workers_do_not_matter_and_no_event_is_no_error(some):
    model, events = some
    one, two = (array_information.fisher_information(events, model, workers=workers) for workers in (1, 2))
    np.testing.assert_array_equal(one, two)
    none = array_limits.bounds({name: values[:0] for name, values in events.items()}, model)
    assert none["covariance"].shape == (0, 8, 8)
    assert none["xmax_error"].shape == (0,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: array_limits.bounds({}, CLASSIC), "`events` should hold axis, core"),
        (lambda: array_limits.prior_covariance({}, CLASSIC), "`events` should hold axis, core"),
        (lambda: array_limits.containment_radius(np.eye(2)), r"`covariance` should have the shape \(n, 2, 2\)"),
        (lambda: array_limits.containment_radius([np.eye(2)], quantile=1.0), "`quantile` should be between 0 and 1"),
        (lambda: array_limits.containment_radius([np.ones((2, 2)) * 0]), "`covariance` should be positive"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        call()
