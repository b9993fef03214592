import numpy as np
import pytest

from showertools import array_features, array_fit, array_traces, surface
from showertools.array_features import STATION_FEATURES

MODEL = surface.ArrayModel(dead_fraction=0.05)


@pytest.fixture(scope="module")
def prepared():
    layout, index = array_traces.middle(MODEL)
    events = array_traces.simulate(300, seed=1, model=MODEL, index=index)
    found = array_fit.fit_geometry(events, MODEL)
    calibration = array_fit.calibrate_energy(found["size"], found["axis"][:, 2], events["log10_energy"])
    fitted = array_fit.reconstruct(events, MODEL, calibration)
    return events, fitted, layout, index


def test_the_middle_is_a_hexagon_around_the_origin():
    for model in (surface.ArrayModel(), surface.ArrayModel(layout="axial", n_rows=11, n_columns=15)):
        layout, index = array_traces.middle(model, 3)
        np.testing.assert_allclose(model.stations.positions[index], layout.positions, atol=1e-6)
        assert len(set(index)) == 37


@pytest.mark.parametrize(
    "model",
    [
        surface.ArrayModel(layout="rectangular"),
        surface.ArrayModel(n_rows=5, n_columns=5),
        surface.ArrayModel(n_rows=8, n_columns=8),
    ],
)
def test_an_array_without_such_a_hexagon_is_refused(model):
    with pytest.raises(ValueError, match="hexagon of 37 stations"):
        array_traces.middle(model, 3)


def test_kept_traces_are_those_of_the_simulation(prepared):
    events, _, _, index = prepared
    whole = surface.simulate(300, seed=1, model=MODEL)
    np.testing.assert_allclose(events["trace"], whole["trace"][:, index], rtol=1e-3, atol=1e-3)
    assert events["trace"].dtype == np.float16
    for name in set(whole) - {"trace"}:
        np.testing.assert_array_equal(events[name], whole[name])
    assert array_traces.simulate(0, seed=1, model=MODEL, index=index)["trace"].shape == (0, 37, 120)


def test_stations_without_saturation_stay_finite():
    model = surface.ArrayModel(saturation=np.inf, core_radius=0.0, log10_energy=(20.0, 20.0), near_distance=1.0)
    _, index = array_traces.middle(model, 1)
    events = array_traces.simulate(20, seed=2, model=model, index=index)
    assert np.nanmax(events["signal"]) > 1e6
    assert np.all(np.isfinite(events["trace"]))
    assert events["trace"].max() == np.finfo(np.float16).max


def test_rise_time_by_hand():
    assert array_traces.rise_time([0.0, 2.0, 2.0, 0.0], 25.0) == pytest.approx(20)
    assert array_traces.rise_time([1.0] * 10, 10.0) == pytest.approx(40)  # uniform light: 4 of 10 bins
    assert array_traces.rise_time([0.0, 0.0, 5.0], 25.0) == pytest.approx(10)  # within one bin
    assert array_traces.rise_time([1.0] * 10, 10.0, start=0.2, stop=0.9) == pytest.approx(70)


def test_rise_time_does_not_depend_on_units_or_on_when_the_light_comes():
    rng = np.random.default_rng(2)
    trace = rng.random((5, 3, 20))
    early = array_traces.rise_time(trace, 25.0)
    late = array_traces.rise_time(np.concatenate([0 * trace, 7 * trace], axis=-1), 25.0)
    np.testing.assert_allclose(late, early)
    assert early.shape == (5, 3)


def test_rise_time_of_nothing_is_unknown_and_noise_below_zero_does_no_harm():
    trace = np.array([[0.0, 0.0, 0.0], [-1.0, 0.5, 0.2], [-0.1, 1.0, 1.0]])
    found = array_traces.rise_time(trace, 25.0)
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(0.4 * 1.9 * 25)  # 1.9 in all; from 0.19 to 0.95 in the bins of 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 0.0), "`bin_width`"),
        (([np.nan], 25.0), "`trace`"),
        ((3.0, 25.0), "shape"),
        (([1.0], 25.0, 0.5, 0.1), "`start` and `stop`"),
    ],
)
def test_rise_time_refuses(arguments, message):
    trace, width, *shares = arguments
    names = dict(zip(("start", "stop"), shares, strict=False))
    with pytest.raises(ValueError, match=message):
        array_traces.rise_time(trace, width, **names)


def test_the_rise_time_is_longer_far_from_the_axis_and_for_deep_showers():
    axis = np.array([np.sin(np.radians(38)), 0.0, np.cos(np.radians(38))])
    index = array_traces.middle(MODEL)[1]
    distance = np.linalg.norm(MODEL.stations.positions[index] - [600.0, 0], axis=1)
    found = {}
    for xmax in (650.0, 850.0):
        events = surface.simulate_given(
            np.random.default_rng(3), np.full(60, xmax), 1, 19.8, axis=axis, core=np.array([600.0, 0]), model=MODEL
        )
        rise = array_traces.rise_time(np.maximum(events["trace"][:, index], 0), 25.0)
        for place, low, high in (("near", 500, 1000), ("far", 1300, 2000)):
            found[place, xmax] = np.nanmean(rise[:, (distance > low) & (distance < high)])
    assert found["near", 850.0] > 1.1 * found["near", 650.0]
    assert found["far", 850.0] > 1.1 * found["far", 650.0]
    assert found["far", 650.0] > 1.2 * found["near", 650.0]


def test_compressed_traces_are_small_numbers_that_keep_their_order():
    trace = np.array([-1.0, 0.0, 0.01, 1.0, 180.0])
    found = array_traces.compress(trace)
    np.testing.assert_allclose(found, np.log1p([0, 0, 0.1, 10, 1800]) / 3, rtol=1e-3)
    assert found.dtype == np.float16
    assert found.max() < 2.51


def test_inputs_stand_where_their_stations_are(prepared):
    events, fitted, layout, index = prepared
    seen = array_traces.inputs(events, fitted, MODEL, layout, index)
    assert {name: values.shape for name, values in seen.items()} == {
        "trace": (300, 7, 7, 120),
        "stations": (300, 7, 7, len(STATION_FEATURES)),
        "shower": (300, 6),
    }
    good = array_features.usable(fitted)
    triggered = ~np.isnan(events["signal"][:, index]) & good[:, None]
    np.testing.assert_array_equal(layout.from_array(seen["stations"][..., 0], "axial", axis=1), triggered)
    trace = layout.from_array(seen["trace"], "axial", axis=1)
    np.testing.assert_allclose(trace, array_traces.compress(events["trace"]) * good[:, None, None], rtol=1e-3)
    assert np.all(seen["trace"][:, ~layout.mask("axial")] == 0)
    assert np.all(seen["stations"][:, ~layout.mask("axial")] == 0)


def test_dead_stations_and_showers_without_fit_are_all_zeros(prepared):
    events, fitted, layout, index = prepared
    lost = {name: values.copy() for name, values in fitted.items()}
    lost["axis"][:3] = np.nan
    seen = array_traces.inputs(events, lost, MODEL, layout, index)
    for values in seen.values():
        assert np.all(np.isfinite(values))
        assert np.all(values[:3] == 0)
    dead = ~events["working"][:, index]
    assert 0.03 < dead.mean() < 0.07
    assert np.all(layout.from_array(seen["stations"], "axial", axis=1)[dead] == 0)
    alive = layout.from_array(seen["stations"], "axial", axis=1)[3:][~dead[3:] & array_features.usable(lost)[3:, None]]
    assert np.all(alive[:, STATION_FEATURES.index("distance")] > 0)


def test_inputs_refuse_traces_of_other_stations(prepared):
    events, fitted, layout, index = prepared
    for wrong in (
        surface.simulate(300, seed=1, model=MODEL),
        {name: events[name] for name in events if name != "trace"},
    ):
        with pytest.raises(ValueError, match="`events` should hold `trace`"):
            array_traces.inputs(wrong, fitted, MODEL, layout, index)


def test_switched_off_stations_are_zeros_and_the_rest_is_as_it_was(prepared):
    events, fitted, layout, index = prepared
    seen = array_traces.inputs(events, fitted, MODEL, layout, index)
    before = {name: values.copy() for name, values in seen.items()}
    found = array_traces.switch_off(seen, np.random.default_rng(5), 0.4)
    distance = STATION_FEATURES.index("distance")
    there = before["stations"][..., distance] > 0
    off = there & (found["stations"][..., distance] == 0)
    share = off.sum(axis=(1, 2)) / np.maximum(there.sum(axis=(1, 2)), 1)
    assert share.mean() == pytest.approx(0.2, abs=0.03)  # uniform from 0 to 0.4
    assert share.std() == pytest.approx(np.sqrt(0.4**2 / 12 + 0.16 / there.sum(axis=(1, 2)).mean()), rel=0.15)
    assert np.all(found["trace"][off] == 0)
    for name in ("trace", "stations"):
        np.testing.assert_array_equal(found[name][~off], before[name][~off])
        np.testing.assert_array_equal(seen[name], before[name])
        assert found[name].dtype == before[name].dtype
    nothing = array_traces.switch_off(seen, np.random.default_rng(5), 0.0)
    np.testing.assert_array_equal(nothing["trace"], before["trace"])
    with pytest.raises(ValueError, match="`share`"):
        array_traces.switch_off(seen, np.random.default_rng(5), 1.5)
    with pytest.raises(ValueError, match="`rng`"):
        array_traces.switch_off(seen, 5, 0.5)
