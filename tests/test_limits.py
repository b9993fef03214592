import numpy as np
import pytest
from scipy import integrate, stats

from showertools import footprints, limits
from showertools.footprints import FootprintModel

# --- Fisher information -----------------------------------------------------------------------------------------------


def test_cramer_rao_on_paper():
    np.testing.assert_allclose(limits.cramer_rao([[4.0]]), [[0.25]])
    # two measurements of a sum and a difference, each to 1
    np.testing.assert_allclose(limits.cramer_rao([[2.0, 0.0], [0.0, 2.0]]), np.eye(2) / 2)
    # a second unknown parameter costs: 1/(F11 − F12²/F22)
    fisher = np.array([[4.0, 2.0], [2.0, 3.0]])
    assert limits.cramer_rao(fisher)[0, 0] == pytest.approx(1 / (4 - 4 / 3))
    assert limits.cramer_rao(np.stack([fisher, fisher])).shape == (2, 2, 2)


def test_van_trees_is_the_posterior_of_a_conjugate_normal():
    n, sigma, prior_sigma = 7, 3.0, 2.0
    bound = limits.cramer_rao([[n / sigma**2]], prior=[[1 / prior_sigma**2]])
    assert bound[0, 0] == pytest.approx(1 / (n / sigma**2 + 1 / prior_sigma**2))
    rng = np.random.default_rng(1)
    true = rng.normal(0, prior_sigma, 20_000)
    mean = rng.normal(true, sigma / np.sqrt(n))
    estimate = mean * prior_sigma**2 / (prior_sigma**2 + sigma**2 / n)  # shrinks, and reaches the bound
    assert np.mean((estimate - true) ** 2) == pytest.approx(bound[0, 0], rel=4 * np.sqrt(2 / len(true)))


def test_poisson_fisher_on_paper():
    # λ = a in each of five bins: the error of a is √(a/5)
    fisher = limits.poisson_fisher(np.full(5, 20.0), np.ones((5, 1)))
    assert limits.cramer_rao(fisher)[0, 0] == pytest.approx(20 / 5)
    # λ = a·s + b: a line in counts
    s = np.arange(1.0, 4.0)
    fisher = limits.poisson_fisher(2 * s + 1, np.stack([s, np.ones(3)], axis=1))
    expected = sum(np.outer([x, 1], [x, 1]) / (2 * x + 1) for x in s)
    np.testing.assert_allclose(fisher, expected)


@pytest.mark.parametrize("fisher", [1.0, [1.0, 2.0], np.ones((2, 3))])
def test_no_square_matrix(fisher):
    with pytest.raises(ValueError, match=r"`fisher` should have the shape \(\.\.\., D, D\)\. Received: shape"):
        limits.cramer_rao(fisher)


def test_singular_information():
    with pytest.raises(ValueError, match="`fisher` should be invertible"):
        limits.cramer_rao(np.ones((2, 2)))
    assert limits.cramer_rao(np.ones((2, 2)), prior=np.eye(2)).shape == (2, 2)


# --- importance sampling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_normal_posterior(dimension):
    rng = np.random.default_rng(dimension)
    root = rng.normal(size=(dimension, dimension)) + 2 * np.eye(dimension)
    covariance, mean, log_evidence = root @ root.T, rng.normal(0, 5, dimension), -12_345.6
    normal = stats.multivariate_normal(mean, covariance)
    found = limits.posterior(
        lambda points: np.atleast_1d(normal.logpdf(points)) + log_evidence,
        mean + 1.5 * np.sqrt(np.diag(covariance)),
        np.full(dimension, 1.5),
        rng=rng,
        n_samples=20_000,
    )
    n = found.effective_samples
    assert n > 10_000
    spread = np.sqrt(np.diag(covariance))
    assert found.log_evidence == pytest.approx(log_evidence, abs=4 / np.sqrt(n))
    np.testing.assert_allclose(found.mode, mean, atol=0.05 * spread.max())
    np.testing.assert_allclose((found.mean - mean) / spread, 0, atol=4 / np.sqrt(n))
    np.testing.assert_allclose((found.covariance - covariance) / np.outer(spread, spread), 0, atol=8 / np.sqrt(n))


def test_skewed_posterior():
    def log_density(points):  # a Gumbel distribution times a number
        return -points[:, 0] / 3 - np.exp(-points[:, 0] / 3) + 2.0

    norm, first, second = (
        integrate.quad(lambda x, k=k: x**k * np.exp(-x / 3 - np.exp(-x / 3) + 2.0), -20, 200)[0] for k in range(3)
    )
    mean = first / norm
    found = limits.posterior(log_density, [6.0], [3.0], rng=np.random.default_rng(1), n_samples=40_000)
    assert found.mode[0] == pytest.approx(0, abs=0.3)
    assert found.log_evidence == pytest.approx(np.log(norm), abs=0.02)
    assert found.mean[0] == pytest.approx(mean, abs=0.06)
    assert found.covariance[0, 0] == pytest.approx(second / norm - mean**2, rel=0.05)


# --- footprints -------------------------------------------------------------------------------------------------------

N_SHOWERS = 40
MASSES = FootprintModel().mass_numbers


@pytest.fixture(scope="module")
def calibration():
    events = footprints.simulate(N_SHOWERS, seed=21)
    seen = {name: events[name] for name in ("counts", "arrival_time")}  # and nothing of the truth
    return events, limits.footprint_posterior(seen, seed=22, workers=1)


def test_shapes(calibration):
    _, found = calibration
    assert {name: values.shape for name, values in found.items()} == {
        "xmax": (N_SHOWERS,),
        "xmax_std": (N_SHOWERS,),
        "probability": (N_SHOWERS, 4),
        "xmax_of_mass": (N_SHOWERS, 4),
        "xmax_std_of_mass": (N_SHOWERS, 4),
        "effective_samples": (N_SHOWERS, 4),
    }
    assert all(np.all(np.isfinite(values)) for values in found.values())
    np.testing.assert_allclose(found["probability"].sum(axis=1), 1)
    assert np.median(found["effective_samples"]) > 100
    assert found["effective_samples"].min() > 10


def test_posterior_has_the_width_it_says(calibration):
    events, found = calibration
    pull = (found["xmax"] - events["xmax"]) / found["xmax_std"]
    assert pull.mean() == pytest.approx(0, abs=4 / np.sqrt(N_SHOWERS))
    assert pull.std() == pytest.approx(1, abs=4 / np.sqrt(2 * N_SHOWERS))
    assert np.all(np.abs(pull) < 5)
    assert 5 < found["xmax_std"].mean() < 15


def test_probabilities_are_those_of_the_masses(calibration):
    events, found = calibration
    truth = events["mass_number"][:, None] == np.array(MASSES)
    probability = found["probability"]
    # what is said to have the probability p comes true in p of the cases: Σ (truth − p) has the variance Σ p·(1 − p)
    error = np.sqrt((probability * (1 - probability)).sum(axis=0))
    assert np.all(np.abs((truth - probability).sum(axis=0)) < 4 * error + 0.5)
    best = probability.argmax(axis=1)
    expected, right = probability.max(axis=1), truth[np.arange(N_SHOWERS), best]
    assert abs((right - expected).sum()) < 4 * np.sqrt((expected * (1 - expected)).sum())
    assert right.mean() > 0.5  # chance would be a quarter


def test_workers_do_not_matter(calibration):
    events, found = calibration
    few = {name: values[:6] for name, values in events.items()}
    again = limits.footprint_posterior(few, seed=22, workers=2)
    for name, values in again.items():
        np.testing.assert_array_equal(values, found[name][:6])
    other = limits.footprint_posterior(few, seed=23, workers=2)
    assert not np.any(other["xmax"] == again["xmax"])
    np.testing.assert_allclose(other["xmax"], again["xmax"], atol=8.0)


def test_no_shower_and_an_empty_picture():
    nothing = footprints.simulate(0, seed=1)
    assert {name: len(values) for name, values in limits.footprint_posterior(nothing, seed=1).items()} == dict.fromkeys(
        ("xmax", "xmax_std", "probability", "xmax_of_mass", "xmax_std_of_mass", "effective_samples"), 0
    )
    empty = {"counts": np.zeros((1, 32, 32)), "arrival_time": np.full((1, 32, 32), np.nan)}
    found = limits.footprint_posterior(empty, seed=1, workers=1)
    assert 600 < found["xmax"][0] < 900
    assert found["xmax_std"][0] > 12  # not much narrower than the prior


@pytest.mark.parametrize("name", ["core_spread", "start_spread"])
def test_a_prior_without_width(name):
    model = FootprintModel(**{name: 0.0})
    with pytest.raises(ValueError, match=rf"`model` should have a positive {name}, .*Received: 0\.0"):
        limits.footprint_posterior(footprints.simulate(1, seed=1, model=model), seed=1, model=model)


def test_shrinkage_of_a_normal_prior_is_known_on_paper():
    width, resolution = 50.0, 10.0
    measured = np.array([[-80.0, 0.0], [20.0, 130.0]])

    def log_density(values):  # of the measured values: a normal of variance width² + resolution²
        return -0.5 * values**2 / (width**2 + resolution**2)

    posterior_mean = measured * width**2 / (width**2 + resolution**2)
    assert np.allclose(limits.shrinkage(log_density, measured, resolution), posterior_mean - measured)


def test_shrinkage_needs_a_resolution():
    with pytest.raises(ValueError, match="`resolution` should be a positive number"):
        limits.shrinkage(np.abs, [1.0], 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limits.cramer_rao(np.full((2, 2), np.nan)), "`fisher` should be finite"),
        (lambda: limits.cramer_rao(np.eye(2), prior=np.eye(3)), r"`prior` should have the shape \(2, 2\)"),
        (lambda: limits.poisson_fisher([1, 2], np.ones((3, 2))), r"should have the shapes \(P,\) and \(P, D\)"),
        (lambda: limits.poisson_fisher([1, 2], [1, 2, 3]), r"should have the shapes \(P,\) and \(P, D\)"),
        (lambda: limits.poisson_fisher([0, 2], np.ones((2, 1))), "`expected` should be positive"),
    ],
)
def test_bad_information(call, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        call()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rng": 1}, "`rng` should be a numpy.random.Generator"),
        ({"n_samples": 1}, "`n_samples` should be a whole number of at least 2"),
        ({"scale": [0.0, 1.0]}, "`scale` should be positive"),
        ({"scale": [1.0]}, r"`start` and `scale` should have the shape \(D,\)"),
        ({"start": [np.nan, 0.0]}, "`start` should be finite"),
        ({"log_density": lambda points: points[:, 0] * np.nan}, "`log_density` should be finite around `start`"),
    ],
)
def test_bad_posterior(given, message):
    good = {"log_density": lambda points: -(points**2).sum(axis=1), "start": [0.0, 0.0], "scale": [1.0, 1.0]}
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        limits.posterior(**({"rng": np.random.default_rng(1)} | good | given))


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"arrival_time": np.zeros((3, 32, 32))}, {}, r"`arrival_time` should have the shape \(2, 32, 32\)"),
        ({"counts": np.zeros((2, 5, 32))}, {}, r"`counts` should have the shape \(n, 32, 32\)"),
        ({"counts": np.ones((2, 32, 32))}, {}, "`arrival_time` should be finite wherever a muon came"),
        ({}, {"seed": -1}, "`seed` should be a whole number of at least 0"),
        ({}, {"n_samples": 0}, "`n_samples` should be a whole number of at least 2"),
        ({}, {"model": None}, "`model` should be a FootprintModel"),
    ],
)
def test_bad_footprints(given, options, message):
    events = {"counts": np.zeros((2, 32, 32)), "arrival_time": np.full((2, 32, 32), np.nan)} | given
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        limits.footprint_posterior(events, **({"seed": 1} | options))


def test_an_array_is_missing():
    with pytest.raises(ValueError, match=r"`events` should hold `counts` and `arrival_time`\. Received: \['counts'\]"):
        limits.footprint_posterior({"counts": np.zeros((2, 32, 32))}, seed=1)
