import dataclasses

import footprint_oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from showertools import atmosphere, footprints, showers
from showertools.footprints import FootprintModel

MASSES = FootprintModel().mass_numbers
CENTRED = FootprintModel(core_spread=0.0, start_spread=0.0)


def assert_same(first, second):
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="module")
def events():
    return footprints.simulate(8_000, seed=1)


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_showers", [0, 1, 5, 100])
def test_shapes_and_types(n_showers):
    model = FootprintModel(n_pixels=12)
    found = footprints.simulate(n_showers, seed=1, model=model)
    assert {name: (values.shape, values.dtype.str[1:]) for name, values in found.items()} == {
        "counts": ((n_showers, 12, 12), "f4"),
        "arrival_time": ((n_showers, 12, 12), "f4"),
        "xmax": ((n_showers,), "f4"),
        "mass_number": ((n_showers,), "i4"),
        "log10_energy": ((n_showers,), "f4"),
        "n_muons": ((n_showers,), "i4"),
        "core": ((n_showers, 2), "f4"),
    }
    assert set(found) == set(footprints.UNITS)


def test_a_time_where_and_only_where_a_muon_came(events):
    np.testing.assert_array_equal(np.isnan(events["arrival_time"]), events["counts"] == 0)
    assert not np.any(np.isinf(events["arrival_time"]))
    np.testing.assert_array_equal(events["counts"], np.round(events["counts"]))
    assert np.all(events["counts"].sum(axis=(1, 2)) <= events["n_muons"])
    assert all(np.all(np.isfinite(events[name])) for name in ("xmax", "core", "log10_energy"))


def test_each_mass_is_a_quarter(events):
    for mass_number in MASSES:
        assert np.sum(events["mass_number"] == mass_number) == 2_000


def test_the_figures_of_the_tutorial(events):
    inside = (events["xmax"] > 600) & (events["xmax"] < 1000)
    assert inside.mean() > 0.98
    filled = np.sum(events["counts"] > 0, axis=(1, 2))
    assert np.mean((filled > 200) & (filled < 600)) > 0.95
    for quantity in (events["xmax"], filled):  # neither alone separates even the lightest from the heaviest
        proton, iron = (quantity[events["mass_number"] == mass_number] for mass_number in (1, 56))
        low, high = np.quantile(iron, [0.01, 0.99])
        assert np.mean((proton > low) & (proton < high)) > 0.05


@pytest.mark.parametrize("mass_number", MASSES)
def test_xmax_of_each_mass(events, mass_number):
    xmax = events["xmax"][events["mass_number"] == mass_number].astype(np.float64)
    mean, spread = float(showers.xmax_mean(mass_number)), float(showers.xmax_std(mass_number))
    assert xmax.mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(len(xmax)))
    assert xmax.std() == pytest.approx(spread, abs=4 * spread * np.sqrt((stats.kurtosis(xmax) + 2) / 4 / len(xmax)))


def test_another_hadronic_model_moves_xmax(events):
    other = footprints.simulate(2_000, seed=1, model=FootprintModel(hadronic_model="QGSJetII-04"))
    proton = [found["xmax"][found["mass_number"] == 1].mean() for found in (events, other)]
    assert proton[0] - proton[1] == pytest.approx(15, abs=4 * 60 / np.sqrt(500))


@pytest.mark.parametrize("mass_number", MASSES)
def test_number_of_muons(mass_number):
    # far enough above the ground that none is lost
    model = FootprintModel(mass_numbers=(mass_number,), production_width=60.0, production_lag=250.0)
    n_muons = footprints.simulate(4_000, seed=2, model=model)["n_muons"].astype(np.float64)
    mean, fluctuation = 1000 * mass_number**0.15, 0.16 * mass_number**-0.35
    spread = np.sqrt(mean + (fluctuation * mean) ** 2)
    assert n_muons.mean() == pytest.approx(mean, abs=4 * spread / np.sqrt(4_000))
    assert n_muons.std() == pytest.approx(spread, rel=4 / np.sqrt(2 * 4_000))


def test_core_and_start(events):
    core = events["core"].astype(np.float64)
    assert np.abs(core.mean(axis=0)).max() < 4 * 100 / np.sqrt(len(core))
    np.testing.assert_allclose(core.std(axis=0), 100, rtol=4 / np.sqrt(2 * len(core)))
    assert abs(np.corrcoef(core.T)[0, 1]) < 4 / np.sqrt(len(core))
    first = np.nanmin(events["arrival_time"], axis=(1, 2))
    assert first.std() == pytest.approx(100, rel=0.05)


# --- geometry that one can work out on paper -------------------------------------------------------------------------


def test_rows_are_y_and_columns_are_x():
    model = FootprintModel(opening_angle=1e-9, n_pixels=8, pixel_size=10.0)
    found = footprints.simulate_given(np.random.default_rng(1), 750.0, 1, core=(12.0, -31.0), model=model)
    assert np.flatnonzero(found["counts"]) == [0 * 8 + 5]
    assert found["counts"][0, 0, 5] == found["n_muons"][0]


def test_pixels_are_closed_below_and_open_above():
    model = FootprintModel(opening_angle=1e-30, n_pixels=2, pixel_size=10.0)
    core = [(-10.0, -10.0), (0.0, 0.0), (9.999, 9.999), (10.0, 0.0), (-10.001, 0.0)]
    found = footprints.simulate_given(np.random.default_rng(1), 750.0, np.ones(5, int), core=core, model=model)
    filled = found["counts"].reshape(5, 4) > 0
    np.testing.assert_array_equal(filled, [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_times_follow_from_the_height():
    model = FootprintModel(
        production_width=1e-3, production_width_per_log_mass=0.0, time_resolution=0.0, pixel_size=2.0, n_pixels=200
    )
    xmax, core, start = 700.0, np.array([11.0, -7.0]), 123.0
    found = footprints.simulate_given(np.random.default_rng(1), xmax, 4, core=core, start=start, model=model)
    height = float(atmosphere.height_at_depth(model.depth(xmax, 4)))
    distance = np.hypot(model.pixel_centers[None, :] - core[0], model.pixel_centers[:, None] - core[1])
    half_diagonal = np.sqrt(2.0)
    time = found["arrival_time"][0] - start
    filled = found["counts"][0] > 0
    assert filled.sum() > 20
    assert np.all(time[filled] >= footprints.delay(height, np.maximum(distance - half_diagonal, 0))[filled] - 0.01)
    assert np.all(time[filled] <= footprints.delay(height, distance + half_diagonal)[filled] + 0.01)


def test_no_muon_is_made_below_the_ground():
    model = FootprintModel(observation_level=1400.0, production_width=10.0, production_width_per_log_mass=0.0)
    depth = model.ground_depth
    found = footprints.simulate_given(
        np.random.default_rng(1), depth + model.production_lag + np.array([60.0, 0.0, -60.0]), np.ones(3), model=model
    )
    assert found["n_muons"][0] == 0
    assert found["n_muons"][1] == pytest.approx(500, rel=0.6)
    assert found["n_muons"][2] == pytest.approx(1000, rel=0.8)
    assert np.all(np.isnan(found["arrival_time"][0]))


def test_heights_of_the_simulation_are_those_of_the_atmosphere():
    for level in (0.0, 1400.0, -1000.0):
        model = FootprintModel(observation_level=level)
        depth = np.linspace(20.0, model.ground_depth - 0.01, 50_000).astype(np.float32)
        exact = np.maximum(atmosphere.height_at_depth(depth) - level, 0.1)
        found = footprints._height_above_ground(depth, model)
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=0.06)


def test_drawn_numbers_are_normal():
    drawn = footprints._standard_normal(np.random.default_rng(1), 200_001)
    assert drawn.shape == (200_001,)
    assert drawn.dtype == np.float32
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    halves = drawn[:100_000], drawn[-100_000:]
    assert abs(np.corrcoef(*halves)[0, 1]) < 4 / np.sqrt(100_000)
    assert np.max(np.abs(drawn)) == pytest.approx(4.4, abs=1.2)


@given(st.floats(100.0, 50_000.0), st.floats(1.0, 2_000.0))
def test_production_height_inverts_delay(height, distance):
    assert footprints.production_height(footprints.delay(height, distance), distance) == pytest.approx(height, rel=1e-6)


def test_delay_on_paper():
    # 3, 4, 5: 400 m high, 300 m away, 500 m of path
    assert footprints.delay(400.0, 300.0) == pytest.approx(100 / 0.299792458)
    assert footprints.delay(5000.0, 0.0) == 0
    assert footprints.delay(np.ones((3, 1)), np.ones(2)).shape == (3, 2)


# --- the same seed gives the same showers ----------------------------------------------------------------------------


def test_workers_do_not_matter(events):
    for workers in (1, 2, 3):
        found = footprints.simulate(700, seed=1, workers=workers)
        assert_same(found, {name: values[:700] for name, values in events.items()})


@settings(max_examples=8)
@given(st.integers(0, 300), st.integers(0, 2**63))
def test_a_smaller_set_is_the_beginning_of_a_larger_one(n_showers, seed):
    model = FootprintModel(n_pixels=8, muons_per_proton=20.0)
    larger = footprints.simulate(300, seed=seed, model=model)
    smaller = footprints.simulate(n_showers, seed=seed, model=model, workers=2)
    assert_same(smaller, {name: values[:n_showers] for name, values in larger.items()})


def test_chunks_are_those_of_simulate():
    pieces = list(footprints.iterate(200, seed=5))
    assert [len(piece["xmax"]) for piece in pieces] == [64, 64, 64, 8]
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    assert_same(joined, footprints.simulate(200, seed=5))


def test_other_seeds_and_chunks_give_other_showers():
    first, second = footprints.simulate(128, seed=1), footprints.simulate(128, seed=2)
    assert not np.any(first["xmax"] == second["xmax"])
    assert not np.any(first["xmax"][:64] == first["xmax"][64:])


def test_progress_bar_counts_showers(capsys):
    footprints.simulate(70, seed=1, progress=True)
    assert "70/70" in capsys.readouterr().err


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_showers", "arguments", "message"),
    [
        (-1, {}, r"`n_showers` should be a whole number of at least 0\. Received: -1"),
        (1.5, {}, r"`n_showers` should be a whole number of at least 0\. Received: 1\.5"),
        (True, {}, r"`n_showers` should be a whole number of at least 0\. Received: True"),
        ("9", {}, r"`n_showers` should be a whole number of at least 0\. Received: '9'"),
        (1, {"seed": -1}, r"`seed` should be a whole number of at least 0\. Received: -1"),
        (1, {"seed": None}, r"`seed` should be a whole number of at least 0\. Received: None"),
        (0, {"seed": -1}, r"`seed` should be a whole number of at least 0\. Received: -1"),
        (1, {"workers": 0}, r"`workers` should be a whole number of at least 1\. Received: 0"),
        (1, {"model": "toy"}, r"`model` should be a FootprintModel\. Received: 'toy'"),
        (1, {"model": FootprintModel}, r"`model` should be a FootprintModel\. Received: <class"),
    ],
)
def test_bad_arguments(n_showers, arguments, message):
    with pytest.raises(ValueError, match=message):
        footprints.simulate(n_showers, **({"seed": 1} | arguments))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("n_pixels", 0, "`n_pixels` should be a whole number of at least 1"),
        ("n_pixels", 32.0, "`n_pixels` should be a whole number of at least 1"),
        ("mass_numbers", (), "`mass_numbers` should be a tuple of at least one mass number"),
        ("mass_numbers", 56, "`mass_numbers` should be a tuple of at least one mass number"),
        ("mass_numbers", "p", "`mass_numbers` should be a tuple of at least one mass number"),
        ("mass_numbers", ("p", "Fe"), "`mass_numbers` should be whole numbers from 1 to 56"),
        ("mass_numbers", (1, 238), "`mass_numbers` should be whole numbers from 1 to 56"),
        ("mass_numbers", (1.5,), "`mass_numbers` should be whole numbers from 1 to 56"),
        ("hadronic_model", "EPOS", "`hadronic_model` should be one of EPOS-LHC"),
        ("log10_energy", 1e19, "`log10_energy` should lie between 17 and 21"),
        ("observation_level", -2000.0, "`observation_level` should lie between -1000 m and the top of the air"),
        ("observation_level", 200e3, "`observation_level` should lie between -1000 m and the top of the air"),
        ("mass_exponent", 1e9, "`muons_per_proton` should give every primary at most 1e\\+07 muons"),
        ("muons_per_proton", 1e30, "`muons_per_proton` should give every primary at most 1e\\+07 muons"),
        ("production_width_per_log_mass", -50.0, "`production_width_per_log_mass` should leave every primary a posit"),
        *((name, 0.0, f"`{name}` should be a positive number") for name in ("pixel_size", "muon_fluctuation")),
        *((name, -1.0, f"`{name}` should be a non-negative number") for name in ("core_spread", "time_resolution")),
    ],
)
def test_bad_model(name, value, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        FootprintModel(**{name: value})


@pytest.mark.parametrize("bad", [np.nan, np.inf, "1", None, True])
def test_no_parameter_takes_what_is_no_number(bad):
    for field in dataclasses.fields(FootprintModel):
        with pytest.raises(ValueError, match=r"should .*Received: "):
            FootprintModel(**{field.name: bad})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"xmax": np.nan}, r"`xmax` should be finite\. Received: 1 of 1"),
        ({"xmax": -750.0}, r"`xmax` should lie between 0 and 2000 g/cm²\. Received: -750"),
        (
            {"xmax": np.full((2, 2), 750.0)},
            r"`xmax` should have the shape \(n,\) or be a number\. Received: .*\(2, 2\)",
        ),
        ({"xmax": "deep"}, r"`xmax` should hold real numbers\. Received: dtype <U4"),
        ({"xmax": [[700], [700, 800]]}, r"`xmax` should be an array of numbers\. Received: rows of different length"),
        ({"mass_number": "Fe"}, r"`mass_number` should hold real numbers\. Received: dtype <U2"),
        ({"mass_number": 238}, r"`mass_number` should be whole numbers from 1 to 56\. Received: \[238"),
        ({"mass_number": 1.5}, r"`mass_number` should be whole numbers from 1 to 56\. Received: \[1\.5"),
        ({"mass_number": [1, 4, 14]}, r"`xmax`, `mass_number`, `start` should have shapes that broadcast\. Received: "),
        ({"start": np.inf}, r"`start` should be finite\. Received: 1 of 1"),
        ({"core": (1.0, 2.0, 3.0)}, r"`core` should have the shape \(2,\) or \(2, 2\)\. Received: \(3,\)"),
        ({"core": np.zeros((2, 1))}, r"`core` should have the shape \(2,\) or \(2, 2\)\. Received: \(2, 1\)"),
        ({"core": (np.nan, 0.0)}, r"`core` should be finite\. Received: 1 of 2"),
        ({"model": None}, r"`model` should be a FootprintModel\. Received: None"),
        ({"rng": 1}, r"`rng` should be a numpy\.random\.Generator\. Received: 1"),
    ],
)
def test_bad_showers(given, message):
    good = {"rng": np.random.default_rng(1), "xmax": [700.0, 800.0], "mass_number": 1}
    with pytest.raises(ValueError, match=message):
        footprints.simulate_given(**(good | given))


def test_numbers_of_numpy_are_numbers():
    model = FootprintModel(pixel_size=np.float32(20), n_pixels=np.int64(16), mass_numbers=np.array([1, 56]))
    assert model.mass_numbers == (1, 56)
    assert hash(model) == hash(FootprintModel(pixel_size=20.0, n_pixels=16, mass_numbers=(1, 56)))
    assert footprints.parameters(model)["mass_numbers"] == (1, 56)


# --- against the plain event loop ------------------------------------------------------------------------------------

N_ORACLE = 400
FALSE_ALARM = 0.01  # of all tests of one comparison together, over the choice of seeds


def summarise(events, model):
    """One number a shower for each statistic, so that the numbers are independent."""
    counts, time = events["counts"], events["arrival_time"]
    distance = np.hypot(model.pixel_centers[None, :], model.pixel_centers[:, None])
    total = counts.sum(axis=(1, 2))
    middle = model.n_pixels // 2
    found = {
        "n_muons": events["n_muons"],
        "muons in the picture": total,
        "filled pixels": np.sum(counts > 0, axis=(1, 2)),
        "fullest pixel": counts.max(axis=(1, 2)),
        "mean distance": (counts * distance).sum(axis=(1, 2)) / np.maximum(total, 1),
        "first time": np.nanmin(time, axis=(1, 2)),
        "median time": np.nanmedian(time, axis=(1, 2)),
        "last time": np.nanmax(time, axis=(1, 2)),
    }
    for offset in (0, 3, 10):
        found[f"count {offset} pixels from the centre"] = counts[:, middle, middle + offset]
        found[f"time {offset} pixels from the centre"] = time[:, middle, middle + offset]
    return found


def smallest_pvalue(oracle, events, model):
    """The smallest p-value, times the number of tests, of all statistics for all masses together and for each."""
    left, right = summarise(oracle, model), summarise(events, model)
    pvalues = {}
    for mass_number in (None, *MASSES):
        first, second = (
            slice(None) if mass_number is None else found["mass_number"] == mass_number for found in (oracle, events)
        )
        for name, values in left.items():
            one, two = values[first], right[name][second]
            one, two = one[np.isfinite(one)], two[np.isfinite(two)]
            pvalues[name, mass_number] = stats.ks_2samp(one, two, method="asymp").pvalue
            if name.startswith("count"):  # a handful of values: a table is sharper
                edges = np.unique(np.quantile(np.concatenate([one, two]), np.linspace(0, 1, 6)))
                table = [np.histogram(values, bins=[*edges, np.inf])[0] for values in (one, two)]
                table = np.array(table)[:, np.sum(table, axis=0) > 0]
                pvalues[f"{name}, table", mass_number] = stats.chi2_contingency(table).pvalue
    worst = min(pvalues, key=pvalues.get)
    return pvalues[worst] * len(pvalues), worst


@pytest.fixture(scope="module")
def centred_oracle():
    return footprint_oracle.simulate(N_ORACLE, seed=11, model=CENTRED)


def test_event_loop_and_arrays_agree(centred_oracle):
    events = footprints.simulate(6_400, seed=12, model=CENTRED)
    pvalue, worst = smallest_pvalue(centred_oracle, events, CENTRED)
    assert pvalue > FALSE_ALARM, worst


def test_event_loop_and_arrays_agree_with_core_and_start():
    model = FootprintModel(observation_level=1400.0)
    oracle = footprint_oracle.simulate(200, seed=13, model=model)
    events = footprints.simulate(6_400, seed=14, model=model)
    pvalue, worst = smallest_pvalue(oracle, events, model)
    assert pvalue > FALSE_ALARM, worst
    for axis in (0, 1):
        assert stats.ks_2samp(oracle["core"][:, axis], events["core"][:, axis]).pvalue > FALSE_ALARM / 2


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("opening_angle", 1.05),
        ("opening_angle", 0.95),
        ("time_resolution", 1.1),
        ("muons_per_proton", 1.05),
        ("production_lag", 1.1),
        ("production_width", 1.1),
        ("pixel_size", 1.05),
        ("muon_fluctuation", 2.5),
    ],
)
def test_the_comparison_tells_other_models_apart(centred_oracle, name, factor):
    other = dataclasses.replace(CENTRED, **{name: factor * getattr(CENTRED, name)})
    pvalue, _ = smallest_pvalue(centred_oracle, footprints.simulate(6_400, seed=12, model=other), CENTRED)
    assert pvalue < 0.1 * FALSE_ALARM
