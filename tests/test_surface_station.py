import dataclasses

import numpy as np
import pytest
from scipy import stats

from showertools import surface_expectation, surface_station
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
N = 40_000


def stations(expected, n=N, share=0.3):
    """Stations that expect so many particles, a part of them muons."""
    return np.full(n, expected, np.float32) * np.array([[share], [1 - share]], np.float32)


def draw(rng, model, expected, *, distance=1500.0, depth=400.0, traces=True, n=N):
    """All stations, whether they could trigger or not; those that could not have a signal of NaN."""
    expected = stations(expected, n)
    number = surface_station.draw_numbers(rng, expected.sum(axis=0), model)
    noise = rng.standard_normal(n, dtype=np.float32)
    chosen = np.flatnonzero(surface_station.could_trigger(number, noise, model))
    distance, depth = (np.full(len(chosen), value, np.float32) for value in (distance, depth))
    found = surface_station.draw(
        rng, expected[:, chosen], number[chosen], distance, depth, noise[chosen], model, traces
    )
    signal = np.full(n, np.nan)
    signal[chosen] = found.signal
    return signal, found


def draw_everything(rng, model, expected, *, distance=1500.0, depth=400.0, n=N):
    """Signals of stations of which none is left out, particle by particle."""
    median, lag = surface_expectation.arrival(np.array([distance]), np.array([depth]), model)
    counts = np.zeros((n, model.n_bins))
    for component, mean in enumerate(stations(expected, 1)[:, 0]):
        number = rng.poisson(mean, n)
        arrival = lag[component] + median[component] * np.exp(model.arrival_width * rng.normal(size=number.sum()))
        index = (arrival // model.bin_width).astype(int)
        station = np.repeat(np.arange(n), number)
        inside = index < model.n_bins
        np.add.at(counts, (station[inside], index[inside]), 1)
    trace = counts * (1 + model.relative_noise * rng.normal(size=counts.shape))
    trace += model.pedestal + model.pedestal_noise * rng.normal(size=counts.shape)
    return (np.maximum(trace, 0) if model.clip_at_zero else trace).sum(axis=1)


# --- what is left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [0.0, 2.0, 12.0, 20.0, 35.0, 60.0])
def test_stations_trigger_as_often_as_if_none_were_left_out(expected):
    # with a lower threshold, so that even stations without particles trigger now and then
    model = ArrayModel.classic(threshold=105.0 if expected < 10 else 115.2)
    everything = draw_everything(np.random.default_rng(1), model, expected)
    for traces in (True, False):
        signal, found = draw(np.random.default_rng(2), model, expected, traces=traces)
        assert len(found.signal) < N or expected > 12
        triggered = [np.sum(values >= model.threshold) for values in (everything, signal)]
        assert stats.fisher_exact([triggered, np.subtract(N, triggered)]).pvalue > 1e-3
        above = [values[values >= model.threshold] for values in (everything, signal)]
        if min(triggered) > 50:
            assert stats.ks_2samp(*above).pvalue > 1e-3


@pytest.mark.parametrize("model", [CLASSIC, ArrayModel.classic(pedestal=0.0, threshold=40.0)])
def test_clipping_adds_no_more_than_its_bound(model, monkeypatch):
    """With a bound that is meant to be exceeded once in a thousand, rather than in 10^9."""
    rng = np.random.default_rng(3)
    bins = model.pedestal + model.pedestal_noise * rng.standard_normal((50_000, model.n_bins), dtype=np.float32)
    added = np.maximum(-bins, 0).sum(axis=1)
    for missed in (1e-2, 1e-3):
        monkeypatch.setattr(surface_station, "MISSED", missed)
        bound = surface_station._most_from_clipping.__wrapped__(model)
        assert 0 < np.mean(added > bound) < missed
    assert surface_station._most_from_clipping(CLASSIC) < 6  # VEM, of the 19 from pedestals to threshold


def test_without_clipping_only_what_cannot_trigger_is_left_out():
    number = np.array([-1, 0, 2, 3, 3, 4])
    noise = np.array([0.0, 20.0, 5.0, 0.1, -1.0, -5.0], np.float32)
    np.testing.assert_array_equal(
        surface_station.could_trigger(number, noise, DEFAULT), [True, False, False, True, False, True]
    )


def test_numbers_are_drawn_where_they_may_decide():
    expected = np.repeat(np.array([0.0, 1.0, 30.0, 39.0, 1e5], np.float32), 20_000)
    number = surface_station.draw_numbers(np.random.default_rng(1), expected, CLASSIC).reshape(5, -1)
    assert np.all(number[0] == 0)
    assert np.all(number[3:] == -1)  # more than 2·19.2
    for row, mean in ((1, 1.0), (2, 30.0)):
        assert number[row].mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 20_000))
        assert number[row].var() == pytest.approx(mean, rel=0.06)


# --- traces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expected", [25.0, 300.0])
def test_bins_are_independent_poisson_numbers(expected):
    model = dataclasses.replace(CLASSIC, pedestal=0.0, pedestal_noise=0.0, relative_noise=0.0, threshold=0.2 * expected)
    rng = np.random.default_rng(4)
    signal, found = draw(rng, model, expected, n=20_000)
    assert len(found.signal) == 20_000 == np.sum(np.isfinite(signal))
    share = surface_expectation.bin_shares(
        *surface_expectation.arrival(np.array([1500.0]), np.array([400.0]), model), model
    )[:, 0]
    mean = stations(expected, 1)[:, 0] @ share
    counts = found.trace.astype(float)
    np.testing.assert_array_equal(counts, np.round(counts))
    pull = (counts.mean(axis=0) - mean) / np.sqrt(mean / len(counts) + 1e-12)
    assert np.max(np.abs(pull[mean > 1e-3])) < 4.5
    busy = mean > 0.3
    np.testing.assert_allclose(counts.var(axis=0)[busy], mean[busy], rtol=0.1)
    correlation = np.corrcoef(counts[:, busy].T)
    assert np.max(np.abs(correlation - np.eye(busy.sum()))) < 5 / np.sqrt(len(counts))


@pytest.mark.parametrize("model", [CLASSIC, ArrayModel.classic(relative_noise=0.0)], ids=["relative", "constant"])
def test_noise_has_the_given_sum(model):
    rng = np.random.default_rng(5)
    model = dataclasses.replace(model, clip_at_zero=False)
    content = rng.poisson(20.0, (5_000, 80)).astype(np.float32)
    noise = rng.standard_normal(len(content), dtype=np.float32)
    trace = content.copy()
    surface_station._add_noise(rng, trace, noise, model)
    drawn = trace - content - 1.2
    width = np.sqrt(0.36 + (model.relative_noise * content) ** 2)
    np.testing.assert_allclose(drawn.sum(axis=1), noise * np.sqrt((width**2).sum(axis=1)), atol=2e-2)
    # over all sums, the noise of the bins is normal, of the right width and independent
    assert stats.kstest((drawn / width).ravel()[::7], "norm").pvalue > 1e-3
    assert np.max(np.abs(np.corrcoef((drawn / width).T) - np.eye(80))) < 5 / np.sqrt(len(content))


def test_light_decays_after_each_particle():
    model = dataclasses.replace(DEFAULT, pedestal_noise=0.0, saturation=np.inf)
    _, found = draw(np.random.default_rng(6), model, 50.0, n=200)
    decay = np.exp(-25 / 60)
    arrivals = (found.trace[:, 1:] - decay * found.trace[:, :-1]) / (1 - decay)
    np.testing.assert_allclose(arrivals, np.round(arrivals), atol=1e-3)
    assert np.all(arrivals > -0.01)


def test_saturation_clips_bins_and_says_so():
    for traces in (True, False):
        rng = np.random.default_rng(7)
        _, weak = draw(rng, DEFAULT, 300.0, distance=300.0, traces=traces, n=500)
        _, strong = draw(rng, DEFAULT, 20_000.0, distance=300.0, traces=traces, n=500)
        assert not np.any(weak.saturated)
        assert np.all(strong.saturated)
        assert np.all(strong.signal < 19_000)
        if traces:
            assert strong.trace.max() == 180
            assert weak.trace.max() < 180


@pytest.mark.parametrize("model", [CLASSIC, DEFAULT], ids=["classic", "default"])
@pytest.mark.parametrize("expected", [8.0, 30.0, 100.0, 3_000.0, 1e5])
@pytest.mark.parametrize("distance", [200.0, 900.0, 2_500.0])
def test_sums_are_distributed_as_those_of_traces(model, expected, distance):
    n = 4_000
    (sums, few), (bins, many) = (
        draw(np.random.default_rng(8 + traces), model, expected, distance=distance, traces=traces, n=n)
        for traces in (False, True)
    )
    np.testing.assert_allclose(few.saturated.mean(), many.saturated.mean(), atol=4 * np.sqrt(0.5 / n))
    triggered = [np.nan_to_num(values) >= model.threshold for values in (sums, bins)]
    counts = [np.count_nonzero(values) for values in triggered]
    assert stats.fisher_exact([counts, np.subtract(n, counts)]).pvalue > 1e-4
    if min(counts) > 100:
        assert stats.ks_2samp(sums[triggered[0]], bins[triggered[1]], method="asymp").pvalue > 1e-4
        assert stats.ks_2samp(few.time_resolution, many.time_resolution, method="asymp").pvalue > 1e-4


def test_the_comparison_of_sums_has_power():
    bins, _ = draw(np.random.default_rng(9), CLASSIC, 1e5, n=4_000)
    for name, factor in (("relative_noise", 1.15), ("arrival_width", 1.3)):
        other = dataclasses.replace(CLASSIC, **{name: factor * getattr(CLASSIC, name)})
        sums, _ = draw(np.random.default_rng(8), other, 1e5, traces=False, n=4_000)
        assert stats.levene(sums, bins).pvalue < 1e-3


def test_bins_of_the_table_are_those_of_the_formula():
    rng = np.random.default_rng(10)
    distance, depth = rng.uniform(0, 6_000, 300), rng.uniform(0, 1_500, 300)
    median, lag = surface_expectation.arrival(distance, depth, DEFAULT)
    expected = rng.uniform(0, 1e4, (2, 300))
    exact = (expected[..., None] * surface_expectation.bin_shares(median, lag, DEFAULT)).sum(axis=0)
    single = (values.astype(np.float32) for values in (expected, median, lag))
    found = surface_station._expected_bins(*single, DEFAULT)
    assert np.all(found >= 0)
    np.testing.assert_allclose(found, exact, atol=1e-4 * expected.sum(axis=0).max())
    # far below the Poisson width of the bins
    assert np.max(np.abs(found - exact) / np.sqrt(exact + 1)) < 0.1


def test_accidental_traces_have_the_given_sum():
    signal = np.array([3.1, 5.0], np.float32)
    trace = surface_station.accidental_trace(np.random.default_rng(1), signal, DEFAULT)
    np.testing.assert_allclose(trace.sum(axis=1), signal, rtol=1e-5)
    assert np.all(np.argmax(trace, axis=1) == 0)
