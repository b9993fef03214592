import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from showertools import atmosphere, cherenkov, hillas
from showertools.cherenkov import TelescopeModel

DEFAULT = TelescopeModel()
SMALL = TelescopeModel(camera_name="small")
TRUTH = {
    "true_energy",
    "true_alt",
    "true_az",
    "true_core_x",
    "true_core_y",
    "true_h_first_int",
    "telescope_pointing_altitude",
    "telescope_pointing_azimuth",
}


def assert_same(first, second):
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.fixture(scope="module")
def gammas():
    return cherenkov.simulate(2_000, seed=1, particle="gamma", model=SMALL)


@pytest.fixture(scope="module")
def protons():
    return cherenkov.simulate(2_000, seed=1, particle="proton", model=SMALL)


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("particle", ["gamma", "proton"])
@pytest.mark.parametrize("n_events", [0, 1, 300])
def test_shapes_and_types(n_events, particle):
    model = TelescopeModel(camera_name="small", n_telescopes=3)
    found = cherenkov.simulate(n_events, seed=1, particle=particle, model=model)
    telescopes = (n_events, 3)
    expected = {
        "image": ((*telescopes, 397), "f4"),
        "peak_time": ((*telescopes, 397), "f4"),
        "triggered": (telescopes, "b1"),
        "true_image_sum": (telescopes, "f4"),
        "true_impact_distance": (telescopes, "f4"),
        "true_shower_primary_id": ((n_events,), "i4"),
        **dict.fromkeys(TRUTH, ((n_events,), "f4")),
    }
    assert {name: (values.shape, values.dtype.str[1:]) for name, values in found.items()} == expected
    assert set(found) == set(cherenkov.UNITS)
    assert all(np.all(np.isfinite(values)) for values in found.values())


def test_primaries(gammas, protons):
    for events, number in ((gammas, 0), (protons, 101)):
        assert np.all(events["true_shower_primary_id"] == number)
        inverse = (1 / events["true_energy"].astype(float) - 1 / 20) / (1 / 0.02 - 1 / 20)
        assert stats.kstest(inverse, "uniform").pvalue > 1e-3  # of E^-2
        radius = np.hypot(events["true_core_x"], events["true_core_y"])
        assert stats.kstest((radius / 300) ** 2, "uniform").pvalue > 1e-3
        assert np.all(events["telescope_pointing_altitude"] == 70)


def test_directions(gammas, protons):
    for events, widest in ((gammas, 1.0), (protons, 5.0)):
        away = separation(events)
        assert away.max() < widest * (1 + 1e-4)
        share = (1 - np.cos(np.radians(away))) / (1 - np.cos(np.radians(widest)))
        assert stats.kstest(share, "uniform").pvalue > 1e-3


def separation(events):
    """Angle between pointing and true direction [degrees], by the spherical law of cosines."""
    names = ("true_alt", "telescope_pointing_altitude", "true_az", "telescope_pointing_azimuth")
    alt, alt_0, az, az_0 = (np.radians(events[name].astype(float)) for name in names)
    return np.degrees(np.arccos(np.sin(alt) * np.sin(alt_0) + np.cos(alt) * np.cos(alt_0) * np.cos(az - az_0)))


def test_a_point_source():
    model = dataclasses.replace(SMALL, source_offset=(0.3, -0.4), source_radius=0.0)
    found = cherenkov.simulate(10, seed=1, particle="gamma", model=model)
    np.testing.assert_allclose(separation(found), 0.5, atol=1e-3)
    assert np.all(found["true_alt"] < 69.61)
    assert np.all((found["true_az"] > 0.5) & (found["true_az"] < 1.2))  # 0.3° over the cosine of the altitude


@pytest.mark.parametrize("index", [-2.7, -1.0, 0.0])
def test_spectral_index(index):
    model = dataclasses.replace(SMALL, spectral_index=index, energy=(0.02, 0.05))
    energy = cherenkov.simulate(1_000, seed=1, particle="gamma", model=model)["true_energy"]
    grid = np.linspace(0.02, 0.05, 2_000)
    distribution = np.cumsum(grid**index)
    assert stats.kstest(energy, lambda x: np.interp(x, grid, distribution / distribution[-1])).pvalue > 1e-3


def test_impact_distances():
    """Distance of a telescope from a line in space, by another formula."""
    model = dataclasses.replace(SMALL, n_telescopes=4, pointing_az=30.0)
    found = cherenkov.simulate(200, seed=2, particle="gamma", model=model)
    alt, az = np.radians(found["true_alt"].astype(float)), np.radians(found["true_az"].astype(float))
    axis = np.stack([np.cos(alt) * np.cos(az), -np.cos(alt) * np.sin(az), np.sin(alt)], axis=1)
    telescope = np.pad(model.telescopes, ((0, 0), (0, 1)))
    core = np.stack([found["true_core_x"], found["true_core_y"], np.zeros(200)], axis=1)
    away = np.linalg.norm(np.cross(telescope - core[:, None], axis[:, None]), axis=2)
    np.testing.assert_allclose(found["true_impact_distance"], away, atol=0.02)


def test_first_interactions(gammas, protons):
    for events, length in ((gammas, 9 / 7 * 36.7), (protons, 85)):
        depth = atmosphere.depth_at_height(events["true_h_first_int"]) / np.sin(np.radians(events["true_alt"]))
        assert stats.kstest(depth, stats.expon(scale=length).cdf).pvalue > 1e-3


# --- what a physicist would check -------------------------------------------------------------------------------------


def given_again(n, energy, impact, *, particle="gamma", seed=5, azimuth=None, model=DEFAULT, **options):
    """Events of one energy whose core is `impact` metres from the telescope, in the east if no azimuth is given."""
    azimuth = np.full(n, -np.pi / 2) if azimuth is None else azimuth
    core = impact * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=1)
    rng = np.random.default_rng(seed)
    return cherenkov.simulate_given(rng, np.full(n, energy), particle=particle, core=core, model=model, **options)


def cleaned(events, model=DEFAULT):
    image = events["image"][:, 0]
    mask = hillas.tailcuts_clean(model.camera, image, 8, 4, 2, workers=1)
    return hillas.hillas_parameters(model.camera, image, mask, workers=1), mask


def test_size_is_proportional_to_the_energy():
    energy = np.array([0.03, 0.1, 0.3, 1.0])
    size = [np.mean(given_again(60, value, 90.0)["true_image_sum"]) for value in energy]
    steps = np.diff(np.log(size)) / np.diff(np.log(energy))
    assert np.all((steps > 1) & (steps < 1.35))
    assert size[1] == pytest.approx(400, rel=0.15)  # 10 photons/m², 387 m², 0.15 and some beside the camera's edge


def test_size_fluctuates_little():
    size = given_again(150, 0.3, 120.0)["true_image_sum"]
    assert 0.08 < size.std() / size.mean() < 0.25


@pytest.mark.parametrize("azimuth", [0.0, 2.0, 4.0])
def test_images_lie_between_source_and_core(azimuth):
    """As far from the source as the impact over the height of the maximum, and towards the core."""
    model = dataclasses.replace(DEFAULT, pointing_alt=90.0)
    found, _ = cleaned(given_again(30, 0.3, 100.0, azimuth=np.full(30, azimuth), model=model))
    towards = np.array([-np.sin(azimuth), -np.cos(azimuth)])  # overhead, latitude points to the south, longitude east
    position = np.stack([found["hillas_fov_lon"], found["hillas_fov_lat"]], axis=1).mean(axis=0)
    height = atmosphere.height_at_depth(36.7 * np.log(300 / 0.085)) - 2200
    np.testing.assert_allclose(position, np.degrees(100 / height) * towards, atol=0.12)


def test_distance_from_the_source_grows_with_the_impact():
    distance = [np.nanmean(cleaned(given_again(30, 1.0, impact))[0]["hillas_r"]) for impact in (30, 80, 130, 180, 230)]
    assert np.all(np.diff(distance) > 0.15)


def test_major_axis_points_to_the_source():
    found, _ = cleaned(given_again(60, 1.0, 130.0, offset=(0.0, 0.0)))
    towards = np.arctan2(found["hillas_fov_lat"], found["hillas_fov_lon"])
    miss = np.angle(np.exp(2j * (np.radians(found["hillas_psi"]) - towards))) / 2
    assert np.degrees(np.median(np.abs(miss))) < 5
    assert np.median(found["hillas_length"] / found["hillas_width"]) > 2


def test_time_gradient_changes_its_sign():
    """Near showers: what is nearest to the source, the highest light, comes last; far ones the other way round."""
    gradient = []
    for impact in (30.0, 220.0):
        events = given_again(30, 1.0, impact)
        _, mask = cleaned(events)
        longitude, time = DEFAULT.camera.positions[:, 0], events["peak_time"][:, 0]
        gradient.append(
            np.mean([np.polyfit(longitude[on], some[on], 1)[0] for on, some in zip(mask, time, strict=True)])
        )
    assert gradient[0] < -1  # the core lies in the east: the longitude grows away from the source
    assert gradient[1] > 3


def test_gammas_are_narrower_than_protons():
    rng = np.random.default_rng(6)
    gamma, _ = cleaned(given_again(60, 0.6, 100.0, azimuth=rng.uniform(0, 6.28, 60)))
    proton, _ = cleaned(given_again(150, 1.5, 100.0, azimuth=rng.uniform(0, 6.28, 150), particle="proton"))
    widths = []
    for found in (gamma, proton):
        bright = (found["hillas_intensity"] > 1000) & (found["leakage_intensity_width_2"] < 0.2)
        assert bright.sum() > 30
        widths.append(found["hillas_width"][bright])
    assert np.median(widths[1]) > 1.4 * np.median(widths[0])
    assert widths[1].std() > 2 * widths[0].std()
    assert np.mean(proton["morphology_n_islands"]) > 1.2 * np.mean(gamma["morphology_n_islands"])


def test_trigger_threshold_is_some_tens_of_gev():
    share = [given_again(200, energy, 80.0)["triggered"].mean() for energy in (0.01, 0.02, 0.03, 0.1)]
    assert share[0] < 0.05
    assert share[1] < 0.4
    assert 0.3 < share[2] < 0.95
    assert share[3] == 1


def test_protons_trigger_less():
    share = [given_again(200, energy, 80.0, particle="proton")["triggered"].mean() for energy in (0.03, 0.1, 0.3, 1.0)]
    assert np.all(np.diff(share) > 0)
    assert share[1] < 0.5
    assert share[3] > 0.8


def test_noise_alone_does_not_trigger():
    found = given_again(500, 0.02, 3000.0)
    assert not np.any(found["triggered"])
    assert found["image"].std() == pytest.approx(1.56, abs=0.02)


def test_telescopes_see_the_same_shower():
    """All equally far from the axis: a late shower is bright for all."""
    model = dataclasses.replace(SMALL, n_telescopes=4, pointing_alt=90.0)
    found = given_again(100, 0.3, 0.0, model=model)
    np.testing.assert_allclose(found["true_impact_distance"], 50 * np.sqrt(2), rtol=1e-5)
    shared = np.corrcoef(found["true_image_sum"].T)
    assert shared[~np.eye(4, dtype=bool)].min() > 0.6


# --- the same seed gives the same events -----------------------------------------------------------------------------


@pytest.mark.parametrize("particle", ["gamma", "proton"])
def test_workers_do_not_matter(particle):
    one, two, three = (cherenkov.simulate(600, seed=1, particle=particle, model=SMALL, workers=n) for n in (1, 2, 3))
    assert_same(one, two)
    assert_same(one, three)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**63), st.sampled_from(["gamma", "proton"]))
def test_a_smaller_set_is_the_beginning_of_a_larger_one(n_events, seed, particle):
    larger = cherenkov.simulate(300, seed=seed, particle=particle, model=SMALL)
    smaller = cherenkov.simulate(n_events, seed=seed, particle=particle, model=SMALL, workers=2)
    assert_same(smaller, {name: values[:n_events] for name, values in larger.items()})


def test_chunks_are_those_of_simulate():
    n_events = cherenkov.CHUNK_SIZE + 44
    pieces = list(cherenkov.iterate(n_events, seed=5, particle="proton", model=SMALL))
    assert [len(piece["image"]) for piece in pieces] == [cherenkov.CHUNK_SIZE, 44]
    joined = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    assert_same(joined, cherenkov.simulate(n_events, seed=5, particle="proton", model=SMALL))


def test_other_seeds_and_chunks_give_other_events():
    size = cherenkov.CHUNK_SIZE
    first, second = (cherenkov.simulate(2 * size, seed=seed, particle="gamma", model=SMALL) for seed in (1, 2))
    assert not np.any(first["true_energy"] == second["true_energy"])
    assert not np.any(first["true_energy"][:size] == first["true_energy"][size:])


def test_progress_bar_counts_events(capsys):
    cherenkov.simulate(150, seed=1, particle="gamma", model=SMALL, progress=True)
    assert "150/150" in capsys.readouterr().err


# --- bad input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_events", "arguments", "message"),
    [
        (-1, {}, r"`n_events` should be a whole number of at least 0\. Received: -1"),
        (1.5, {}, r"`n_events` should be a whole number of at least 0\. Received: 1\.5"),
        (1, {"seed": -1}, r"`seed` should be a whole number of at least 0\. Received: -1"),
        (1, {"workers": 0}, r"`workers` should be a whole number of at least 1\. Received: 0"),
        (1, {"particle": "iron"}, r"`particle` should be one of gamma, proton\. Received: 'iron'"),
        (1, {"model": "lst"}, r"`model` should be a TelescopeModel\. Received: 'lst'"),
        (0, {"model": TelescopeModel}, r"`model` should be a TelescopeModel\. Received: <class"),
    ],
)
def test_bad_arguments(n_events, arguments, message):
    for call in (cherenkov.simulate, lambda *some, **more: list(cherenkov.iterate(*some, **more))):
        with pytest.raises(ValueError, match=message):
            call(n_events, **({"seed": 1, "particle": "gamma"} | arguments))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy": np.nan}, r"`energy` should lie between 0\.003 and 100 TeV\. Received: nan"),
        ({"energy": -1.0}, r"`energy` should lie between 0\.003 and 100 TeV\. Received: -1"),
        (
            {"energy": np.ones((2, 2))},
            r"`energy` should have the shape \(n,\) or be a number\. Received: shape \(2, 2\)",
        ),
        (
            {"energy": np.ones(3), "core": np.zeros((2, 2))},
            r"`core` should have the shape \(2,\) or \(3, 2\)\. Received",
        ),
        ({"energy": np.ones(2), "core": np.zeros((3, 2))}, r"`energy` should have the shape \(3,\) or be a number\."),
        ({"offset": (1.0, 2.0, 3.0)}, r"`offset` should have the shape \(2,\) or \(1, 2\)\. Received: \(3,\)"),
        ({"offset": (12.0, 12.0)}, r"`offset` should be at most 15 degrees from the pointing\. Received: \(12"),
        ({"core": (np.inf, 0.0)}, r"`core` should be finite\. Received: 1 of 2"),
        ({"particle": "Fe"}, r"`particle` should be one of gamma, proton\. Received: 'Fe'"),
        ({"model": None}, r"`model` should be a TelescopeModel\. Received: None"),
        ({"rng": 1}, r"`rng` should be a numpy\.random\.Generator\. Received: 1"),
    ],
)
def test_bad_primaries(given, message):
    arguments = {"rng": np.random.default_rng(1), "energy": 1.0, "particle": "gamma"} | given
    with pytest.raises(ValueError, match=message):
        cherenkov.simulate_given(arguments.pop("rng"), arguments.pop("energy"), **arguments)


def test_numbers_and_arrays_are_taken():
    found = cherenkov.simulate_given(
        np.random.default_rng(1),
        [0.1, 0.2, 0.3],
        particle="proton",
        core=np.zeros((3, 2)),
        offset=(0.1, 0.2),
        model=SMALL,
    )
    np.testing.assert_allclose(found["true_energy"], [0.1, 0.2, 0.3])
    assert len(cherenkov.simulate_given(np.random.default_rng(1), 0.1, particle="gamma", model=SMALL)["image"]) == 1


# --- single muons ----------------------------------------------------------------------------------------------------


def test_a_muon_makes_a_ring_around_where_it_comes_from():
    found = cherenkov.simulate_muons(np.random.default_rng(1), [0.1, 0.2], core=(4.0, 0.0), offset=(0.3, -0.2))
    assert set(found) == set(cherenkov.UNITS) - {"true_h_first_int", "true_shower_primary_id"}
    assert np.all(found["triggered"])
    np.testing.assert_allclose(found["true_energy"], [0.1, 0.2], rtol=1e-6)
    np.testing.assert_allclose(found["true_impact_distance"], 4, rtol=0.07)  # seen at 70°
    from_middle = np.hypot(*(DEFAULT.camera.positions - [0.3, -0.2]).T)
    for image in found["image"][:, 0]:
        bright = image > 8
        assert bright.sum() > 80
        assert from_middle[bright].mean() == pytest.approx(1.19, abs=0.02)  # 1.21° at the ground, less higher up
        assert image.sum() == pytest.approx(found["true_image_sum"].mean(), rel=0.2)


def test_the_light_of_a_ring_goes_with_the_efficiency_and_ends_beside_the_mirror():
    half = dataclasses.replace(DEFAULT, efficiency=DEFAULT.efficiency / 2)
    core = np.zeros((40, 2))
    bright, faint = (
        cherenkov.simulate_muons(np.random.default_rng(1), 0.1, core=core, model=model)["true_image_sum"].mean()
        for model in (DEFAULT, half)
    )
    assert bright / faint == pytest.approx(2, rel=0.03)
    far = cherenkov.simulate_muons(np.random.default_rng(1), 0.1, core=core + 170.0)
    assert not np.any(far["triggered"])
    assert np.all(far["true_image_sum"] == 0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy": 20.0}, r"`energy` should lie between 0\.001 and 10 TeV\. Received: 20"),
        ({"start_height": 2200.0}, r"`start_height` should lie between 2200 and 2e\+04 m\. Received: 2200"),
        ({"core": np.zeros((2, 3))}, r"`core` should have the shape \(2,\) or \(2, 2\)\. Received: \(2, 3\)"),
        ({"model": None}, r"`model` should be a TelescopeModel\. Received: None"),
        ({"rng": 1}, r"`rng` should be a numpy\.random\.Generator\. Received: 1"),
    ],
)
def test_bad_muons(given, message):
    arguments = {"rng": np.random.default_rng(1), "energy": 0.1} | given
    with pytest.raises(ValueError, match=message):
        cherenkov.simulate_muons(arguments.pop("rng"), arguments.pop("energy"), **arguments)
