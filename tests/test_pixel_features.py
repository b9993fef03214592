import numpy as np
import pytest

from showertools import footprints, front_fit, pixel_features
from showertools.footprints import FootprintModel


@pytest.fixture(scope="module")
def showers():
    return footprints.simulate(300, seed=1)


def test_features_are_of_order_one(showers):
    features = pixel_features.pixel_features(showers["counts"], showers["arrival_time"])
    assert features.shape == (300, 32, 32, 4)
    assert features.dtype == np.float32
    assert np.all(np.isfinite(features))
    assert np.all(np.abs(features.mean(axis=(0, 1, 2))) < 1)
    assert np.all(features.std(axis=(0, 1, 2)) < 2)


def test_counts_hits_and_distances_by_hand(showers):
    features = pixel_features.pixel_features(showers["counts"], showers["arrival_time"])
    assert np.expm1(features[..., 0]) == pytest.approx(showers["counts"], abs=1e-4)
    assert np.array_equal(features[..., 2], showers["counts"] > 0)
    assert np.all(features[..., 1][showers["counts"] == 0] == 0)
    core = front_fit.fit_front(showers["counts"], showers["arrival_time"])["core"]
    centers = FootprintModel().pixel_centers
    distance = np.hypot(centers[5] - core[7, 0], centers[20] - core[7, 1])  # column 5, row 20
    assert features[7, 20, 5, 3] == pytest.approx(distance / 300 - 1, abs=1e-4)


def test_the_unknown_start_drops_out(showers):
    early = pixel_features.pixel_features(showers["counts"], showers["arrival_time"])
    late = pixel_features.pixel_features(showers["counts"], showers["arrival_time"] + np.float32(512))
    assert late == pytest.approx(early, abs=0.05)  # of float32 in the fit


def test_deep_showers_are_late():
    rng = np.random.default_rng(1)
    shallow, deep = (footprints.simulate_given(rng, np.full(200, xmax), 1) for xmax in (700.0, 900.0))
    mean = [pixel_features.pixel_features(s["counts"], s["arrival_time"])[..., 1].mean() for s in (shallow, deep)]
    assert mean[0] < mean[1] - 0.1


def test_empty_showers_and_none():
    empty = np.zeros((2, 32, 32), np.float32), np.full((2, 32, 32), np.nan, np.float32)
    features = pixel_features.pixel_features(*empty)
    assert np.all(np.isfinite(features))
    assert np.all(features[..., :3] == 0)
    assert pixel_features.pixel_features(empty[0][:0], empty[1][:0]).shape == (0, 32, 32, 4)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="`counts` should have the shape"):
        pixel_features.pixel_features(np.zeros((2, 8, 8)), np.zeros((2, 8, 8)))
