import numpy as np
import pytest

from showertools import disp, telescope_events, telescope_forests, telescope_performance
from showertools.telescope_forests import Forests


def toy(n_events, seed):
    """Images whose energy, source and particle can be read off: size, length and skewness, and width."""
    rng = np.random.default_rng(seed)
    is_gamma = rng.random(n_events) < 0.5
    length = rng.uniform(0.2, 0.6, n_events)
    width = np.where(is_gamma, 0.05, 0.15)
    longitude, latitude = rng.uniform(-1, 1, (2, n_events))
    image = {
        "hillas_intensity": 10 ** rng.uniform(2, 4, n_events),
        "hillas_width": width,
        "hillas_length": length,
        "hillas_fov_lon": longitude,
        "hillas_fov_lat": latitude,
        "hillas_r": np.hypot(longitude, latitude),
        "hillas_phi": np.degrees(np.arctan2(latitude, longitude)),
        "hillas_psi": rng.uniform(-90, 90, n_events),
        "timing_slope": rng.choice([-1, 1], n_events) * rng.uniform(2, 5, n_events),
        "morphology_n_pixels": rng.integers(5, 50, n_events),
    }
    rest = {*telescope_events.FEATURES, "timing_deviation", "concentration_core"} - {
        "log_intensity",
        "width_over_length",
    }
    image |= {name: rng.normal(size=n_events) for name in rest - set(image)}
    # the source lies where the tail is
    source = disp.source(image, 2 * length * np.sign(image["hillas_skewness"]))
    events = {
        "true_shower_primary_id": np.where(is_gamma, 0, 101),
        "true_energy": image["hillas_intensity"] / 1000,
        "true_fov_lon": source[0],
        "true_fov_lat": source[1],
    }
    return image, events


def turned(image, angle):
    """The same images in a camera that is turned by an angle [degrees]."""
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    longitude, latitude = image["hillas_fov_lon"], image["hillas_fov_lat"]
    psi = image["hillas_psi"] + angle
    flipped = np.where((psi > 90) | (psi <= -90), -1, 1)
    return image | {
        "hillas_fov_lon": longitude * cosine - latitude * sine,
        "hillas_fov_lat": longitude * sine + latitude * cosine,
        "hillas_phi": (image["hillas_phi"] + angle + 180) % 360 - 180,
        "hillas_psi": psi - 180 * np.round(psi / 180),
        "hillas_skewness": image["hillas_skewness"] * flipped,
        "timing_slope": image["timing_slope"] * flipped,
    }


def test_an_oriented_image_is_the_same_from_every_side():
    image, _ = toy(50, seed=1)
    matrix = telescope_forests.oriented(image)
    assert matrix.shape == (50, len(telescope_forests.ORIENTED))
    for angle in (20, 90, 170):
        np.testing.assert_allclose(telescope_forests.oriented(turned(image, angle)), matrix, rtol=1e-4, atol=1e-5)


def test_the_middle_of_the_camera_in_the_frame_of_the_axis():
    image, _ = toy(1, seed=1)
    image |= {name: np.array([value]) for name, value in (("hillas_fov_lon", 1.0), ("hillas_fov_lat", 0.5))}
    column = telescope_forests.ORIENTED.index
    for slope, along in ((3.0, 1.0), (-3.0, -1.0)):
        image |= {"hillas_psi": np.array([0.0]), "timing_slope": np.array([slope])}
        row = telescope_forests.oriented(image)[0]
        assert row[column("timing_steepness")] == 3
        assert row[column("centroid_along")] == pytest.approx(along)
        assert row[column("centroid_across")] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("chain", "trees"), [("parallel", "forest"), ("serial", "forest"), ("mixed", "forest"), ("serial", "boosted")]
)
def test_what_can_be_read_off_is_found(chain, trees):
    forests = Forests(chain, trees=trees, seed=1, rounds=60, workers=1).fit(*toy(300, seed=2))
    image, events = toy(300, seed=3)
    row = telescope_performance.performance(events, forests.predict(image), n_resamples=1)
    assert row["auc"][0] > 0.99
    assert row["angular_resolution"][1:, 0].max() < 0.2
    assert row["energy_resolution"][1:, 0].max() < 0.3
    told = telescope_forests.CHAINS[chain].get("particle", ())
    assert forests.columns["particle"] == (*telescope_forests.ORIENTED, *told)


def test_the_standard_features_find_the_side_of_the_source_as_well():
    forests = Forests("parallel", features="standard", seed=1, workers=1).fit(*toy(300, seed=2))
    image, events = toy(300, seed=3)
    along, _ = disp.true_disp(image, events["true_fov_lon"], events["true_fov_lat"])
    assert np.mean((forests.answers(image)["ahead"] > 0.5) == (along > 0)) > 0.95


def test_the_same_seed_grows_the_same_trees():
    image, events = toy(100, seed=2)
    first, again, other = (Forests(seed=seed, workers=1).fit(image, events).predict(image) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["reco_energy"], again["reco_energy"])
    assert not np.array_equal(first["reco_energy"], other["reco_energy"])


def test_remembered_answers_betray_which_showers_were_learned():
    """Nothing tells gamma rays from protons here, and energies are drawn at random; only a memory would be of use."""
    image, events = toy(300, seed=4)
    image["hillas_width"] = np.full(300, 0.1)
    events["true_energy"] = 10 ** np.random.default_rng(5).uniform(-1, 1, 300)
    weight = {}
    for remembered in (False, True):
        forests = Forests("mixed", seed=1, remembered=remembered, workers=1).fit(image, events)
        named = dict(zip(forests.columns["particle"], forests.models["particle"].feature_importances_, strict=True))
        weight[remembered] = (named["energy"] + named["ahead"]) / np.median(list(named.values()))
    assert weight[False] < 2.5  # two columns like any other
    assert weight[True] > 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Forests("circular"), "`chain` should be one of parallel, serial, mixed"),
        (lambda: Forests(trees="oak"), "`trees` should be one of forest, boosted"),
        (lambda: Forests(features="all"), "`features` should be one of standard, oriented"),
        (lambda: Forests(seed=-1), "`seed` should be a whole number of at least 0"),
        (lambda: Forests(rounds=0), "`rounds` should be a whole number of at least 1"),
        (lambda: Forests(min_samples_leaf=0), "`min_samples_leaf` should be a whole number of at least 1"),
        (lambda: Forests().predict(toy(3, seed=1)[0]), "`fit` should be called first"),
        (lambda: Forests().fit(toy(30, seed=1)[0], toy(20, seed=1)[1]), "`events` should be those of `parameters`, 30"),
        (lambda: Forests().fit(*toy(12, seed=1)), "`events` should hold 10 gamma rays and protons or more"),
        (
            lambda: Forests().fit(toy(30, seed=1)[0] | {"hillas_r": np.full(30, np.nan)}, toy(30, seed=1)[1]),
            "`parameters` should be finite",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
