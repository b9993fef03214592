import dataclasses

import numpy as np
import pytest
import surface_oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from showertools import atmosphere, surface, surface_expectation
from showertools.surface_model import ArrayModel

CLASSIC, DEFAULT = ArrayModel.classic(), ArrayModel()
SMALL = ArrayModel.classic(n_rows=3, n_columns=3)


def assert_same(first, second):
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="module")
def events():
    return surface.simulate(24 * surface.CHUNK_SIZE, seed=1, traces=False)


@pytest.fixture(scope="module")
def traced():
    return surface.simulate(500, seed=1, model=CLASSIC)


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("traces", [True, False])
@pytest.mark.parametrize("n_showers", [0, 1, 200])
def test_shapes_and_types(n_showers, traces):
    model = ArrayModel(n_rows=3, n_columns=4, n_bins=50)
    found = surface.simulate(n_showers, seed=1, model=model, traces=traces)
    of_stations = (n_showers, 12)
    trace = {"trace": ((n_showers, 12, 50), "f4")} if traces else {}
    assert {name: (values.shape, values.dtype.str[1:]) for name, values in found.items()} == {
        "signal": (of_stations, "f4"),
        "time": (of_stations, "f4"),
        **trace,
        "saturated": (of_stations, "b1"),
        "accidental": (of_stations, "b1"),
        "working": (of_stations, "b1"),
        "axis": ((n_showers, 3), "f4"),
        "core": ((n_showers, 2), "f4"),
        "log10_energy": ((n_showers,), "f4"),
        "xmax": ((n_showers,), "f4"),
        "mass_number": ((n_showers,), "i4"),
        "relative_muons": ((n_showers,), "f4"),
    }
    assert set(found) <= set(surface.UNITS)


def test_signal_time_and_trace_belong_together(traced):
    triggered = np.isfinite(traced["signal"])
    np.testing.assert_array_equal(np.isfinite(traced["time"]), triggered)
    np.testing.assert_array_equal(np.any(traced["trace"] != 0, axis=2), triggered)
    np.testing.assert_allclose(traced["trace"].sum(axis=2)[triggered], traced["signal"][triggered], rtol=1e-5)
    assert np.all(traced["signal"][triggered] >= np.float32(115.2))
    assert np.all(traced["working"])
    assert not np.any(traced["accidental"])
    assert not np.any(traced["saturated"])
    assert all(np.all(np.isfinite(traced[name])) for name in ("trace", "axis", "core", "xmax", "relative_muons"))


def test_without_traces_the_showers_are_the_same(traced):
    found = surface.simulate(500, seed=1, model=CLASSIC, traces=False)
    for name in ("axis", "core", "log10_energy", "xmax", "mass_number", "relative_muons"):
        np.testing.assert_array_equal(found[name], traced[name])


def test_each_mass_is_a_quarter(events):
    for mass_number in (1, 4, 14, 56):
        assert np.sum(events["mass_number"] == mass_number) == 6 * surface.CHUNK_SIZE


def test_showers_are_those_of_the_plain_loop(events):
    rng = np.random.default_rng(2)
    model = dataclasses.replace(DEFAULT, mass_numbers=(1,))
    axis, core, log10_energy, xmax = zip(*(surface_oracle.draw_shower(rng, model) for _ in range(2_000)), strict=True)
    found = surface.simulate(3_000, seed=3, model=model, traces=False)
    axis, core = np.array(axis), np.array(core)
    pairs = {
        "cos zenith": (axis[:, 2], found["axis"][:, 2]),
        "azimuth": (np.arctan2(axis[:, 1], axis[:, 0]), np.arctan2(found["axis"][:, 1], found["axis"][:, 0])),
        "core x": (core[:, 0], found["core"][:, 0]),
        "core y": (core[:, 1], found["core"][:, 1]),
        "energy": (log10_energy, found["log10_energy"]),
        "xmax": (xmax, found["xmax"]),
    }
    for name, (first, second) in pairs.items():
        assert stats.ks_2samp(first, second).pvalue > 1e-3, name
    np.testing.assert_allclose(np.linalg.norm(found["axis"], axis=1), 1, rtol=1e-6)
    assert np.hypot(*found["core"].T).max() <= 750
    lowest = atmosphere.depth_at_height(1600.0)
    assert np.all(events["xmax"] * events["axis"][:, 2] < lowest + 0.01)


def test_muon_numbers_fluctuate_as_the_mass_says():
    for mass_number, spread in ((1, 0.16), (56, 0.16 * 56**-0.35)):
        model = ArrayModel(mass_numbers=(mass_number,), log10_energy=(19.0, 19.0), n_rows=1, n_columns=3)
        muons = surface.simulate(4_000, seed=4, model=model, traces=False)["relative_muons"].astype(float)
        assert muons.mean() == pytest.approx(mass_number**0.08, rel=4 * spread / np.sqrt(4_000))
        assert muons.std() / muons.mean() == pytest.approx(spread, rel=4 / np.sqrt(2 * 4_000))


# --- what a physicist would check -------------------------------------------------------------------------------------


def given_again(model, n, *, zenith=38.0, xmax=760.0, log10_energy=19.0, core=(400.0, -300.0), seed=5, **options):
    axis = (np.sin(np.radians(zenith)), 0.0, np.cos(np.radians(zenith)))
    rng = np.random.default_rng(seed)
    return surface.simulate_given(rng, np.full(n, xmax), 1, log10_energy, axis=axis, core=core, model=model, **options)


def seen_by(events, model):
    return surface_expectation.view(*(events[name].astype(float) for name in ("axis", "core", "xmax")), model)


def test_lateral_distribution():
    """The mean signal falls with the distance as Auger's form says, with its exponent."""
    model = ArrayModel(
        log10_energy=(19.5, 19.5), max_zenith=40.0, saturation=np.inf, core_radius=3_000.0, threshold=0.1
    )
    found = surface.simulate(3_000, seed=6, model=model, traces=False)
    distance = seen_by(found, model).distance
    edges = np.geomspace(700, 1600, 8)
    ring = np.digitize(distance, edges)
    signal = np.nan_to_num(found["signal"])
    mean = np.array([signal[ring == k].mean() for k in range(1, len(edges))])
    middle = np.array([distance[ring == k].mean() for k in range(1, len(edges))])
    exponent = np.polyfit(np.log(middle / 1000 * (middle + 700) / 1700), np.log(mean), 1)[0]
    assert exponent == pytest.approx(-2.25, abs=0.1)


def test_arrival_times_follow_the_front():
    for front in ("plane", "sphere"):
        model = dataclasses.replace(DEFAULT, front=front, start_spread=0.0)
        found = given_again(model, 2_000, traces=False, log10_energy=19.5)
        seen = seen_by(found, model)
        expected = seen.front_time[0]
        often = np.isfinite(found["time"]).sum(axis=0) > 1_000
        time = found["time"][:, often].astype(float)
        error = np.nanstd(time, axis=0) / np.sqrt(np.isfinite(time).sum(axis=0))
        assert np.max(np.abs(np.nanmean(time, axis=0) - expected[often]) / error) < 4
        late = expected + (model.stations.positions - found["core"][0]) @ found["axis"][0, :2] / 0.299792458
        if front == "plane":
            np.testing.assert_allclose(late, 0, atol=0.01)
        else:  # a parabola in the distance to the axis
            assert np.corrcoef(late[often], seen.distance[0][often] ** 2)[0, 1] > 0.98


def test_all_stations_share_the_start():
    exact = dataclasses.replace(DEFAULT, clock_resolution=0.0, sampling_noise=0.0)
    found = surface.simulate(500, seed=2, model=exact, traces=False)
    start = found["time"] - seen_by(found, exact).front_time
    assert np.nanmax(np.nanmax(start, axis=1) - np.nanmin(start, axis=1)) < 0.02
    assert stats.kstest(np.nanmean(start, axis=1), stats.uniform(-50, 100).cdf).pvalue > 1e-3


def test_times_scatter_as_the_resolution_says():
    model = dataclasses.replace(CLASSIC, start_spread=0.0)
    found = given_again(model, 4_000, traces=False)
    nearest = np.argmax(np.nan_to_num(found["signal"]).mean(axis=0))
    n = found["signal"][:, nearest] - 96
    assert np.std(found["time"][:, nearest]) == pytest.approx(480 / (1 + np.log10(n.mean())), rel=4 / np.sqrt(8_000))


def test_trigger_efficiency_rises_to_1():
    """Three stations see nearly all showers above 3·10^18 eV, as in Auger's array, and few at 3·10^17 eV."""
    share = []
    for log10_energy in (17.5, 18.0, 18.5, 19.0):
        model = ArrayModel(log10_energy=(log10_energy, log10_energy))
        signal = surface.simulate(500, seed=7, model=model, traces=False)["signal"]
        share.append(np.mean(np.isfinite(signal).sum(axis=1) >= 3))
    assert share[0] < 0.3
    assert 0.3 < share[1] < 0.97
    assert share[2] > 0.97
    assert share[3] == 1


def test_muons_from_the_traces():
    """Early light is muonic: with fewer electromagnetic particles, traces are shorter."""
    plain, muonic = (
        given_again(dataclasses.replace(DEFAULT, signal_at_1000_m=size), 300, log10_energy=19.5)["trace"].sum(
            axis=(0, 1)
        )
        for size in ((20.5, 34.5), (55.0, 0.0))
    )
    early = [np.interp(0.5, np.cumsum(trace) / trace.sum(), DEFAULT.bin_edges[1:]) for trace in (plain, muonic)]
    assert early[1] < 0.8 * early[0]


def test_dead_stations_are_silent():
    found = surface.simulate(1_000, seed=8, model=dataclasses.replace(CLASSIC, dead_fraction=0.3))
    dead = ~found["working"]
    assert dead.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / dead.size))
    assert np.all(np.isnan(found["signal"][dead]))
    assert np.all(found["trace"][dead] == 0)
    alive = np.isfinite(found["signal"]).sum(axis=1).mean()
    everything = np.isfinite(surface.simulate(1_000, seed=8, model=CLASSIC)["signal"]).sum(axis=1).mean()
    assert alive / everything == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("traces", [True, False])
def test_accidental_triggers(traces):
    model = dataclasses.replace(DEFAULT, accidental_fraction=0.02, dead_fraction=0.1, start_spread=0.0)
    found = surface.simulate(1_000, seed=9, model=model, traces=traces)
    accidental = found["accidental"]
    silent = found["working"] & (np.isnan(found["signal"]) | accidental)
    assert accidental.sum() / silent.sum() == pytest.approx(0.02, abs=4 * np.sqrt(0.02 / silent.sum()))
    late = (found["time"] - seen_by(found, model).front_time)[accidental]
    assert stats.kstest(late, stats.uniform(-10_000, 20_000).cdf).pvalue > 1e-3
    assert stats.kstest(found["signal"][accidental] - 3, "expon").pvalue > 1e-3
    if traces:
        np.testing.assert_allclose(found["trace"].sum(axis=2)[accidental], found["signal"][accidental], rtol=1e-4)


def test_an_event_without_any_trigger_is_kept():
    model = ArrayModel(log10_energy=(17.0, 17.0))
    found = surface.simulate(200, seed=1, model=model)
    none = ~np.any(np.isfinite(found["signal"]), axis=1)
    assert np.any(none)
    assert np.all(found["trace"][none] == 0)
    assert np.all(np.isfinite(found["xmax"][none]))


# --- the same seed gives the same showers ----------------------------------------------------------------------------


@pytest.mark.parametrize("model", [CLASSIC, ArrayModel(dead_fraction=0.1, accidental_fraction=0.01)])
@pytest.mark.parametrize("traces", [True, False])
def test_workers_do_not_matter(model, traces):
    one, two, three = (surface.simulate(400, seed=1, model=model, traces=traces, workers=n) for n in (1, 2, 3))
    assert_same(one, two)
    assert_same(one, three)


@settings(max_examples=8)
@given(st.integers(0, 300), st.integers(0, 2**63), st.booleans())
def test_a_smaller_set_is_the_beginning_of_a_larger_one(n_showers, seed, traces):
    larger = surface.simulate(300, seed=seed, model=SMALL, traces=traces)
    smaller = surface.simulate(n_showers, seed=seed, model=SMALL, traces=traces, workers=2)
    assert_same(smaller, {name: values[:n_showers] for name, values in larger.items()})


def test_chunks_are_those_of_simulate():
    n_showers = 2 * surface.CHUNK_SIZE + 44
    pieces = list(surface.iterate(n_showers, seed=5, model=SMALL))
    assert [len(piece["xmax"]) for piece in pieces] == [surface.CHUNK_SIZE, surface.CHUNK_SIZE, 44]
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    assert_same(joined, surface.simulate(n_showers, seed=5, model=SMALL))


def test_other_seeds_and_chunks_give_other_showers():
    size = surface.CHUNK_SIZE
    first, second = (surface.simulate(2 * size, seed=seed, model=SMALL) for seed in (1, 2))
    assert not np.any(first["xmax"] == second["xmax"])
    assert not np.any(first["xmax"][:size] == first["xmax"][size:])


def test_progress_bar_counts_showers(capsys):
    surface.simulate(150, seed=1, model=SMALL, progress=True)
    assert "150/150" in capsys.readouterr().err


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_showers", "arguments", "message"),
    [
        (-1, {}, r"`n_showers` should be a whole number of at least 0\. Received: -1"),
        (1.5, {}, r"`n_showers` should be a whole number of at least 0\. Received: 1\.5"),
        (1, {"seed": -1}, r"`seed` should be a whole number of at least 0\. Received: -1"),
        (1, {"workers": 0}, r"`workers` should be a whole number of at least 1\. Received: 0"),
        (1, {"model": "classic"}, r"`model` should be an ArrayModel\. Received: 'classic'"),
        (0, {"model": ArrayModel}, r"`model` should be an ArrayModel\. Received: <class"),
    ],
)
def test_bad_arguments(n_showers, arguments, message):
    with pytest.raises(ValueError, match=message):
        surface.simulate(n_showers, **({"seed": 1} | arguments))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"xmax": np.nan}, r"`xmax` should be finite\. Received: 1 of 1"),
        ({"xmax": -750.0}, r"`xmax` should be positive\. Received: -750"),
        ({"xmax": 900.0}, r"`xmax` should lie at least 1 m above the ground\. Received: a deeper one"),
        ({"xmax": np.full((2, 2), 750.0)}, r"`xmax` should have the shape \(n,\) or be a number\. Received: "),
        ({"mass_number": 238}, r"`mass_number` should be whole numbers from 1 to 56\. Received: \[238"),
        ({"mass_number": [1, 4, 14]}, r"`xmax`, `mass_number`, `log10_energy` should have shapes that broadcast"),
        ({"log10_energy": 1e19}, r"`log10_energy` should lie between 17 and 21\. Received: 1e\+19"),
        ({"core": (1.0, 2.0, 3.0)}, r"`core` should have the shape \(2,\) or \(2, 2\)\. Received: \(3,\)"),
        ({"axis": (0.0, 1.0)}, r"`axis` should have the shape \(3,\) or \(2, 3\)\. Received: \(2,\)"),
        ({"axis": (0.0, 0.0, -1.0)}, r"`axis` should point at most 65 degrees from the vertical, upwards\. Received"),
        ({"axis": (0.0, 0.0, 0.0)}, r"`axis` should point at most 65 degrees from the vertical, upwards\. Received"),
        ({"axis": (1.0, 0.0, 0.4)}, r"`axis` should point at most 65 degrees from the vertical, upwards\. Received"),
        ({"model": None}, r"`model` should be an ArrayModel\. Received: None"),
        ({"rng": 1}, r"`rng` should be a numpy\.random\.Generator\. Received: 1"),
    ],
)
def test_bad_showers(given, message):
    good = {"rng": np.random.default_rng(1), "xmax": [700.0, 800.0], "mass_number": 1, "log10_energy": 19.0}
    with pytest.raises(ValueError, match=message):
        surface.simulate_given(**(good | given))


def test_an_axis_may_have_any_length():
    first, second = (
        surface.simulate_given(np.random.default_rng(1), 750.0, 1, 19.0, axis=length * np.array([0.6, 0.0, 0.8]))
        for length in (1.0, 1e3)
    )
    np.testing.assert_allclose(first["signal"], second["signal"], rtol=1e-5)


# --- against the plain event loop ------------------------------------------------------------------------------------
#
# The same shower again and again, with nothing that all stations of an event have in common: then each station of each
# event is an independent draw.

N_ORACLE, N_FAST = 120, 2_000
FALSE_ALARM = 0.01  # of all tests of one comparison together, over the choice of seeds
OPTIONS = {"dead_fraction": 0.1, "accidental_fraction": 0.05, "saturation": 60.0, "muon_fluctuation": 0.0}
MODELS = {
    "classic": dataclasses.replace(CLASSIC, start_spread=0.0),
    "default": dataclasses.replace(DEFAULT, start_spread=0.0, **OPTIONS),
}
SHOWERS = {  # axis, core, log10(E/eV), xmax; the nearest stations are hundreds of metres away
    18.7: ((0.3, 0.4, np.sqrt(0.75)), (600.0, -350.0), 18.7, 745.0),
    19.3: ((-0.5, 0.1, np.sqrt(0.74)), (700.0, 430.0), 19.3, 830.0),
    19.9: ((0.1, -0.7, np.sqrt(0.5)), (750.0, 440.0), 19.9, 780.0),
}
CASES = [(name, energy) for name in MODELS for energy in SHOWERS]


def simulate_again(model, energy, n=N_FAST, seed=12, traces=True):
    axis, core, log10_energy, xmax = SHOWERS[energy]
    return surface.simulate_given(
        np.random.default_rng(seed), np.full(n, xmax), 1, log10_energy, axis=axis, core=core, model=model, traces=traces
    )


def bin_statistics(trace, reference, model):
    """One number a station and event each: when half of the trace has come, and how neighbouring bins vary together."""
    content = trace - model.pedestal
    cumulative = np.cumsum(content, axis=2)
    half = np.argmax(cumulative >= 0.5 * cumulative[..., -1:], axis=2)
    rise = half - np.argmax(cumulative >= 0.1 * cumulative[..., -1:], axis=2)
    residual = trace - reference.mean(axis=0)
    return {
        "half": half,
        "rise": rise,
        "largest bin": trace.max(axis=2),
        "scatter": np.log(np.mean(residual**2, axis=2)),
        "neighbours": np.mean(residual[..., 1:] * residual[..., :-1], axis=2),
        "later": trace[..., 24:].sum(axis=2),
    }


def pvalues(oracle, fast, model, traces=True):
    """Test every station by itself, all stations together, and the mean traces."""
    found = {}
    triggered = [np.isfinite(events["signal"]) & ~events["accidental"] for events in (oracle, fast)]
    often = np.flatnonzero((triggered[1].mean(axis=0) > 0.3) & (triggered[0].sum(axis=0) > 20))
    quantities = [{"signal": events["signal"][:, often], "time": events["time"][:, often]} for events in (oracle, fast)]
    if traces:
        reference = fast["trace"][:, often]
        for quantity, events in zip(quantities, (oracle, fast), strict=True):
            quantity |= bin_statistics(events["trace"][:, often], reference, model)
    for name in quantities[0]:
        pooled = [[], []]
        for column, station in enumerate(often):
            one, two = (
                quantity[name][:, column][seen[:, station]].astype(float)
                for quantity, seen in zip(quantities, triggered, strict=True)
            )
            found[name, station] = stats.ks_2samp(one, two, method="asymp").pvalue
            scale = two.std() or 1.0
            pooled[0].append((one - two.mean()) / scale)
            pooled[1].append((two - two.mean()) / scale)
        pooled = [np.concatenate(values) for values in pooled]
        found[name, "together"] = stats.ks_2samp(*pooled, method="asymp").pvalue
        found[name, "width"] = stats.levene(*pooled).pvalue
    counts = [np.clip(seen.sum(axis=1), *np.quantile(triggered[1].sum(axis=1), [0.1, 0.9])) for seen in triggered]
    edges = np.unique(counts[1])
    if len(edges) > 1:
        table = np.array([np.histogram(values, bins=[*edges, np.inf])[0] for values in counts])
        found["multiplicity", ""] = stats.chi2_contingency(table).pvalue
    for name in ("saturated", "accidental", "working"):
        if np.any(fast[name]) and not np.all(fast[name]):
            table = np.array([[values.sum(), np.sum(~values)] for values in (oracle[name], fast[name])])
            found[name, ""] = stats.chi2_contingency(table).pvalue
    return found


def smallest_pvalue(*arguments, **options):
    """The smallest p-value, times the number of tests."""
    found = pvalues(*arguments, **options)
    worst = min(found, key=found.get)
    return found[worst] * len(found), worst


@pytest.fixture(scope="module")
def oracle():
    """Events of the plain loop, by model and energy, each simulated when first asked for."""
    made = {}

    def events(name, energy):
        if (name, energy) not in made:
            made[name, energy] = surface_oracle.repeat(N_ORACLE, SHOWERS[energy], seed=11, model=MODELS[name])
        return made[name, energy]

    return events


@pytest.mark.parametrize(("name", "energy"), CASES)
@pytest.mark.parametrize("traces", [True, False])
def test_event_loop_and_arrays_agree(oracle, name, energy, traces):
    model = MODELS[name]
    events = simulate_again(model, energy, traces=traces)
    pvalue, worst = smallest_pvalue(oracle(name, energy), events, model, traces=traces)
    assert pvalue > FALSE_ALARM, worst


@pytest.mark.parametrize(
    ("name", "energy", "parameter", "factor"),
    [
        ("classic", 19.3, "signal_at_1000_m", 1.05),
        ("classic", 19.3, "lateral_exponent", 1.03),
        ("classic", 19.3, "attenuation_exponent", 1.1),
        ("classic", 19.3, "arrival_slope", 1.05),
        ("classic", 19.3, "arrival_width", 1.05),
        ("classic", 19.3, "electromagnetic_lag", 1.15),
        ("classic", 19.3, "time_noise", 1.2),
        ("classic", 19.3, "pedestal_noise", 1.1),
        ("classic", 19.3, "pedestal", 1.03),
        ("classic", 19.3, "relative_noise", 1.25),
        ("default", 19.3, "response_time", 1.1),
        ("default", 19.3, "front_origin", 1.15),
        ("default", 19.3, "sampling_noise", 1.2),
        ("default", 19.9, "saturation", 1.1),
        ("default", 19.9, "attenuation_length", 1.1),
    ],
)
def test_the_comparison_tells_other_models_apart(oracle, name, energy, parameter, factor):
    value = getattr(MODELS[name], parameter)
    changed = tuple(factor * np.array(value)) if isinstance(value, tuple) else factor * value
    other = dataclasses.replace(MODELS[name], **{parameter: changed})
    pvalue, _ = smallest_pvalue(oracle(name, energy), simulate_again(other, energy), MODELS[name])
    assert pvalue < 0.1 * FALSE_ALARM


def test_whole_sets_of_events_agree():
    model = ArrayModel(dead_fraction=0.1, accidental_fraction=0.02, n_rows=7, n_columns=7)
    oracle = surface_oracle.simulate(160, seed=13, model=model)
    events = surface.simulate(3_000, seed=14, model=model, traces=False)
    for name, summary in {
        "triggers": lambda found: np.isfinite(found["signal"]).sum(axis=1),
        "largest signal": lambda found: np.nanmax(np.nan_to_num(found["signal"]), axis=1),
        "total signal": lambda found: np.nansum(found["signal"], axis=1),
        "spread of times": lambda found: np.nanmax(found["time"], axis=1) - np.nanmin(found["time"], axis=1),
        "saturated": lambda found: found["saturated"].sum(axis=1),
        "accidental": lambda found: found["accidental"].sum(axis=1),
    }.items():
        assert stats.ks_2samp(summary(oracle), summary(events)).pvalue > 1e-3, name
