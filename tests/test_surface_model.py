import dataclasses
import json

import numpy as np
import pytest

from showertools.surface_model import ArrayModel, check_model

PAIRS = [field.name for field in dataclasses.fields(ArrayModel) if field.type == "Pair"]
NUMBERS = [field.name for field in dataclasses.fields(ArrayModel) if field.type == "float"]


def test_classic_is_the_published_toy():
    model = ArrayModel.classic()
    assert (model.n_stations, model.n_bins, model.bin_width) == (81, 80, 25.0)
    assert model.threshold == pytest.approx(115.2)
    assert model.core_radius == 750
    assert sum(model.signal_at_1000_m) == 900
    assert model.mass_numbers == (1,)


def test_classic_can_be_changed():
    assert ArrayModel.classic(time_noise=40.0).time_noise == 40
    assert ArrayModel.classic(spacing=750.0).core_radius == 375
    assert ArrayModel.classic(spacing=750.0, core_radius=500.0).core_radius == 500
    assert ArrayModel.classic(n_rows=14, n_columns=14).stations.positions.shape == (196, 2)


@pytest.mark.parametrize("model", [ArrayModel(), ArrayModel.classic()])
def test_a_model_comes_back_from_json(model):
    assert ArrayModel(**json.loads(json.dumps(dataclasses.asdict(model)))) == model
    assert hash(model) == hash(dataclasses.replace(model))


def test_numbers_of_numpy_are_numbers():
    model = ArrayModel(n_rows=np.int64(5), spacing=np.float32(500), mass_numbers=np.array([1, 56]))
    assert model.mass_numbers == (1, 56)
    assert ArrayModel(log10_energy=np.array([19.0, 19.5])).log10_energy == (19.0, 19.5)


def test_bins():
    np.testing.assert_allclose(ArrayModel.classic().bin_edges[[0, 1, 80]], [0, 25, 2000])
    assert ArrayModel().ground_depth == pytest.approx(875.5, abs=0.1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layout", "hexagonal", "`layout` should be one of rectangular, offset, axial"),
        ("attenuation", "exponential", "`attenuation` should be one of gaisser-hillas, power law"),
        ("front", "cone", "`front` should be one of plane, sphere"),
        ("hadronic_model", "EPOS", "`hadronic_model` should be one of EPOS-LHC"),
        ("n_rows", 0, "`n_rows` should be a whole number of at least 1"),
        ("n_bins", 80.0, "`n_bins` should be a whole number of at least 1"),
        ("n_columns", 100_000, "`n_rows` and `n_columns` should give at least 3 stations, and at most 10000000 bins"),
        ("clip_at_zero", 1, "`clip_at_zero` should be True or False"),
        ("mass_numbers", (), "`mass_numbers` should be a tuple of at least one mass number"),
        ("mass_numbers", (1, 238), "`mass_numbers` should be whole numbers from 1 to 56"),
        ("log10_energy", 19.0, "`log10_energy` should be a pair of numbers"),
        ("log10_energy", (20.0, 18.5), "`log10_energy` should be a lower and an upper bound"),
        ("log10_energy", (16.0, 18.5), "`log10_energy` should lie between 17 and 21"),
        ("max_zenith", 66.0, "`max_zenith` should lie between 0 and 65 degrees"),
        ("max_zenith", -1.0, "`max_zenith` should lie between 0 and 65 degrees"),
        ("front_origin", 0.0, "`front_origin` should lie between 0 and 1"),
        ("front_origin", 1.1, "`front_origin` should lie between 0 and 1"),
        ("profile_start", (0.0, -200.0), "`profile_start` should lie before 0 and `profile_maximum`"),
        ("observation_level", -2000.0, "`observation_level` should lie between -1000 m and the top of the air"),
        ("observation_level", 7000.0, "`height_of_maximum` should leave at least 1e-06 of the vertical showers"),
        ("dead_fraction", 1.5, "`dead_fraction` should lie between 0 and 1"),
        ("accidental_fraction", -0.1, "`accidental_fraction` should lie between 0 and 1"),
        ("relative_noise", 0.2, "`relative_noise` should lie between 0 and 0.15"),
        ("spacing", 0.0, "`spacing` should be a positive number"),
        ("saturation", -np.inf, "`saturation` should be a positive number"),
        ("signal_at_1000_m", (-1.0, 1.0), "`signal_at_1000_m` should be a non-negative number"),
        ("arrival_offset", (0.0, 1.0), "`arrival_offset` should be a positive number"),
    ],
)
def test_bad_model(name, value, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        ArrayModel(**{name: value})


def test_too_few_stations():
    with pytest.raises(ValueError, match=r"should give at least 3 stations, .* Received: 1 and 2"):
        ArrayModel(n_rows=1, n_columns=2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "1", None, True])
def test_no_parameter_takes_what_is_no_number(bad):
    for name in NUMBERS:
        if not (name == "saturation" and bad == np.inf):
            with pytest.raises(ValueError, match=rf"`{name}` should .*Received: "):
                ArrayModel(**{name: bad})
    for name in PAIRS:
        for pair in ((bad, 1.0), (1.0, bad), (1.0,), bad):
            with pytest.raises(ValueError, match=rf"`{name}` should .*Received: "):
                ArrayModel(**{name: pair})


@pytest.mark.parametrize("model", ["classic", None, ArrayModel])
def test_something_else_is_no_model(model):
    with pytest.raises(ValueError, match=r"`model` should be an ArrayModel\. Received: "):
        check_model(model)
