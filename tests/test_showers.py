import numpy as np
import pytest
from scipy import integrate, stats

from showertools import showers

N_DRAWN = 20_000


@pytest.mark.parametrize(("name", "mean", "spread"), [("p", 808, 59), ("He", 775, 38), ("N", 748, 28), ("Fe", 712, 17)])
def test_mean_and_spread_at_ten_eev(name, mean, spread):
    mass_number = showers.MASS_NUMBERS[name]
    assert showers.xmax_mean(mass_number) == pytest.approx(mean, abs=0.6)
    assert showers.xmax_std(mass_number) == pytest.approx(spread, abs=0.6)


def test_models_differ_as_published():
    proton = {model: float(showers.xmax_mean(1, hadronic_model=model)) for model in showers.HADRONIC_MODELS}
    assert proton["EPOS-LHC"] - proton["QGSJetII-04"] == pytest.approx(15, abs=2)
    assert set(showers.HADRONIC_MODELS) == {"EPOS-LHC", "QGSJetII-04", "Sibyll 2.1"}


@pytest.mark.parametrize("hadronic_model", showers.HADRONIC_MODELS)
def test_elongation_rate(hadronic_model):
    low, high = showers.xmax_mean(1, [18.5, 19.5], hadronic_model=hadronic_model)
    assert 50 < high - low < 65  # g/cm² a decade


@pytest.mark.parametrize("hadronic_model", showers.HADRONIC_MODELS)
def test_parameters_are_sensible_in_the_whole_range(hadronic_model):
    mass_number, log10_energy = np.meshgrid(np.arange(1, 57), np.linspace(17, 21, 41))
    found = showers.xmax_parameters(mass_number, log10_energy, hadronic_model=hadronic_model)
    assert found.mu.shape == found.sigma.shape == found.shape.shape == mass_number.shape
    assert np.all(found.sigma > 0)
    assert np.all(found.shape > 0)
    assert np.all(np.diff(showers.xmax_mean(mass_number, log10_energy, hadronic_model=hadronic_model), axis=1) < 0)


@pytest.mark.parametrize("hadronic_model", showers.HADRONIC_MODELS)
@pytest.mark.parametrize("mass_number", [1, 4, 14, 56])
@pytest.mark.parametrize("log10_energy", [17.5, 19.0])
def test_density_has_integral_mean_and_spread(mass_number, log10_energy, hadronic_model):
    def moment(function):
        def integrand(xmax):
            density = np.exp(showers.xmax_log_density(xmax, mass_number, log10_energy, hadronic_model=hadronic_model))
            return function(xmax) * density

        return integrate.quad(integrand, 300, 2500, points=[mean], limit=200)[0]

    mean = float(showers.xmax_mean(mass_number, log10_energy, hadronic_model=hadronic_model))
    spread = float(showers.xmax_std(mass_number, log10_energy, hadronic_model=hadronic_model))
    assert moment(lambda _: 1.0) == pytest.approx(1, abs=1e-6)
    assert moment(lambda xmax: xmax) == pytest.approx(mean, abs=1e-3)
    assert moment(lambda xmax: (xmax - mean) ** 2) == pytest.approx(spread**2, rel=1e-3)


@pytest.mark.parametrize("hadronic_model", showers.HADRONIC_MODELS)
@pytest.mark.parametrize("mass_number", [1, 4, 14, 56])
def test_drawn_showers_follow_the_density(mass_number, hadronic_model):
    rng = np.random.default_rng(mass_number)
    xmax = showers.draw_xmax(rng, np.full(N_DRAWN, mass_number), hadronic_model=hadronic_model)
    mean = showers.xmax_mean(mass_number, hadronic_model=hadronic_model)
    spread = showers.xmax_std(mass_number, hadronic_model=hadronic_model)
    assert xmax.mean() == pytest.approx(float(mean), abs=4 * spread / np.sqrt(N_DRAWN))
    error_of_spread = spread * np.sqrt((stats.kurtosis(xmax) + 2) / 4 / N_DRAWN)
    assert xmax.std() == pytest.approx(float(spread), abs=4 * error_of_spread)

    grid = np.linspace(300, 2500, 8801)
    density = np.exp(showers.xmax_log_density(grid, mass_number, hadronic_model=hadronic_model))
    cumulative = integrate.cumulative_trapezoid(density, grid, initial=0)
    # twelve such tests at one in ten thousand each
    assert stats.kstest(xmax, lambda value: np.interp(value, grid, cumulative)).pvalue > 1e-4


def test_draws_broadcast_and_repeat():
    masses = np.array([1, 4, 14, 56])
    first, second = (showers.draw_xmax(np.random.default_rng(3), masses, 18.0) for _ in range(2))
    assert first.shape == (4,)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("model", ["EPOS", "epos-lhc", "", None])
def test_unknown_model(model):
    with pytest.raises(ValueError, match=r"`hadronic_model` should be one of EPOS-LHC, .*\. Received: "):
        showers.xmax_mean(1, hadronic_model=model)


@pytest.mark.parametrize("mass_number", [0, -1, 57, np.nan, [1, 200]])
def test_unknown_mass(mass_number):
    with pytest.raises(ValueError, match=r"`mass_number` should lie between 1 and 56\. Received: (0|-1|57|nan|200)$"):
        showers.xmax_parameters(mass_number)


@pytest.mark.parametrize("log10_energy", [16.9, 21.1, np.nan, 1e19])
def test_energy_out_of_range(log10_energy):
    with pytest.raises(ValueError, match=r"`log10_energy` should lie between 17 and 21\. Received: "):
        showers.xmax_std(1, log10_energy)


def test_gaisser_hillas_is_1_at_its_maximum_and_falls_on_both_sides():
    depth = np.arange(-300.0, 1500.0, 1.0)
    profile = showers.gaisser_hillas(depth, 750.0)
    assert depth[np.argmax(profile)] == 750
    assert np.isclose(profile.max(), 1)
    assert np.all(profile[depth <= -121] == 0)
    assert np.all(np.diff(profile[depth > -121]) * (750 - depth[depth > -121][:-1] - 0.5) > 0)


def test_gaisser_hillas_on_paper():
    # X0 = 0 and λ = Xmax: f(X) = (X/Xmax)·exp(1 − X/Xmax)
    expected = [0, 0.5 * np.exp(0.5), 1, 2 * np.exp(-1)]
    profile = showers.gaisser_hillas([0.0, 300.0, 600.0, 1200.0], 600.0, first_depth=0.0, attenuation_length=600.0)
    np.testing.assert_allclose(profile, expected)
    # near the maximum: normal, of variance λ·(Xmax − X0)
    variance = -1 / (showers.gaisser_hillas([699.0, 700.0, 701.0], 700.0) @ [1, -2, 1])
    assert np.isclose(variance, 61 * 821, rtol=1e-3)


def test_gaisser_hillas_broadcasts():
    assert showers.gaisser_hillas(np.zeros(5), np.full((3, 1), 700.0)).shape == (3, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0, "xmax": -200}, r"`xmax` should lie below `first_depth`\. Received: -79"),
        ({"depth": 0, "xmax": 700, "attenuation_length": 0}, r"`attenuation_length` should be positive\. Received: 0"),
        ({"depth": np.nan, "xmax": 700}, r"`depth` should be finite"),
    ],
)
def test_gaisser_hillas_says_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        showers.gaisser_hillas(**arguments)


def test_drawing_above_a_depth_is_drawing_again():
    rng = np.random.default_rng(5)
    deepest = np.where(np.arange(N_DRAWN) % 2 == 0, 780.0, 900.0)
    xmax = showers.draw_xmax(rng, np.ones(N_DRAWN), 19.5, deepest=deepest)
    assert np.all(xmax < deepest)
    again = showers.draw_xmax(rng, np.ones(5 * N_DRAWN), 19.5)
    for depth in (780.0, 900.0):
        assert stats.ks_2samp(xmax[deepest == depth], again[again < depth]).pvalue > 1e-3
    share = showers.share_above(780.0, *showers.xmax_parameters(1, 19.5))
    assert np.mean(again < 780.0) == pytest.approx(float(share), abs=4 * np.sqrt(share * (1 - share) / len(again)))


def test_drawing_above_a_depth_where_no_shower_is():
    with pytest.raises(ValueError, match=r"`deepest` should leave more than 1e-09 of the showers\. Received: 300 g"):
        showers.draw_xmax(np.random.default_rng(1), [1, 1], 19.0, deepest=[900.0, 300.0])
