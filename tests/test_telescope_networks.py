import keras
import numpy as np
import pytest

from showertools import telescope_input, telescope_networks, telescope_performance

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours
WIDTHS = (8, 16)


def seen(n=3):
    rng = np.random.default_rng(1)
    window = rng.normal(size=(n, 16, 16, 17)).astype(np.float32)
    return {"window": window, "shower": rng.normal(size=(n, 2)).astype(np.float32)}


@pytest.mark.parametrize("sharing", ["hard", "soft"])
@pytest.mark.parametrize("attention", list(telescope_networks.ATTENTION))
def test_every_network_returns_every_task(sharing, attention):
    keras.utils.set_random_seed(1)
    model = telescope_networks.network(sharing=sharing, attention=attention, widths=WIDTHS)
    found = model(seen())
    assert {task: tuple(values.shape) for task, values in found.items()} == {
        "energy": (3, 1),
        "direction": (3, 2),
        "particle": (3, 1),
    }
    assert 0 < float(keras.ops.min(found["particle"])) < float(keras.ops.max(found["particle"])) < 1


def test_a_network_of_one_task_has_one_output():
    model = telescope_networks.network(tasks=["direction"], widths=WIDTHS)
    assert list(model.output) == ["direction"]


def test_the_number_of_weights_is_known():
    keras.utils.set_random_seed(1)
    model = telescope_networks.network(tasks=["energy"], widths=WIDTHS)
    convolutions = 7 * 17 * 8 + 7 * 8 * 16 + 7 * 16 * 16
    normalisations = 4 * (8 + 16 + 16)  # two of each four are learned
    dense = (2 * 16 + 2 + 1) * 128 + 129 * 64 + 65
    assert model.count_params() == convolutions + normalisations + dense


def test_hard_sharing_has_one_encoder_and_soft_sharing_three():
    names = [
        [type(layer).__name__ for layer in telescope_networks.network(sharing=kind, widths=WIDTHS).layers]
        for kind in ("hard", "soft")
    ]
    hard, soft = ({name: found.count(name) for name in ("HexConv", "CrossStitch")} for found in names)
    assert hard == {"HexConv": 3, "CrossStitch": 0}
    assert soft == {"HexConv": 9, "CrossStitch": 1}


def test_stitches_mix_by_their_weights():
    layer = telescope_networks.CrossStitch(own=0.8)
    ones = np.ones((2, 3), np.float32)
    mixed = layer([ones, 10 * ones, 100 * ones])
    np.testing.assert_allclose(layer.mixing, [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], rtol=1e-6)
    np.testing.assert_allclose([np.asarray(values)[0, 0] for values in mixed], [11.8, 18.1, 81.1], rtol=1e-6)
    assert layer.compute_output_shape([(2, 3)] * 3) == [(2, 3)] * 3


def test_stitches_need_equal_tensors_and_a_share():
    with pytest.raises(ValueError, match="`own` should be a number from 0 to 1"):
        telescope_networks.CrossStitch(own=1.5)
    with pytest.raises(ValueError, match="`inputs` should be at least two tensors of one shape"):
        telescope_networks.CrossStitch()([np.ones((2, 3), np.float32)])


def events(n=6):
    rng = np.random.default_rng(2)
    window = rng.normal(size=(n, 16, 16, 17)).astype(np.float16)
    given = {"window": window, "shower": rng.normal(size=(n, 2)).astype(np.float32)}
    return given | {"centroid": rng.normal(size=(n, 2)), "axis": np.tile([[0.0, 1.0]], (n, 1))}


def test_estimates_are_the_same_in_a_mirror():
    keras.utils.set_random_seed(1)
    model = telescope_networks.network(widths=WIDTHS)
    given = events()
    turned = given | {"window": telescope_input.mirrored(given["window"])}
    first, second = (telescope_networks.estimates(model, some, batch_size=4) for some in (given, turned))
    assert set(first) == set(telescope_performance.ESTIMATES)
    for name in ("gammaness", "reco_energy"):
        np.testing.assert_allclose(first[name], second[name], rtol=1e-3)
    along = [found["reco_fov_lat"] - given["centroid"][:, 1] for found in (first, second)]
    across = [found["reco_fov_lon"] - given["centroid"][:, 0] for found in (first, second)]
    np.testing.assert_allclose(along[0], along[1], atol=2e-3)
    np.testing.assert_allclose(across[0], -across[1], atol=2e-3)
    alone = model({name: given[name].astype(np.float32) for name in ("window", "shower")})["particle"][:, 0]
    assert not np.allclose(first["gammaness"], alone, rtol=1e-3)  # it is a mean over views


def test_a_task_that_was_not_learned_is_nan():
    model = telescope_networks.network(tasks=["energy"], widths=WIDTHS)
    found = telescope_networks.estimates(model, events())
    assert np.isfinite(found["reco_energy"]).all()
    assert all(np.isnan(found[name]).all() for name in ("gammaness", "reco_fov_lon", "reco_fov_lat"))
    assert telescope_networks.estimates(model, {k: v[:0] for k, v in events().items()})["reco_energy"].shape == (0,)


@pytest.mark.filterwarnings(SAVING)
def test_a_saved_network_gives_the_same(tmp_path):
    keras.utils.set_random_seed(1)
    model = telescope_networks.network(sharing="soft", attention="dual", widths=WIDTHS)
    model.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    for task, values in model(seen()).items():
        np.testing.assert_allclose(again(seen())[task], values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ["mass"]}, "`tasks` should be some of energy, direction, particle"),
        ({"tasks": []}, "`tasks` should be some of"),
        ({"sharing": "none"}, "`sharing` should be 'hard' or 'soft'"),
        ({"sharing": "soft", "tasks": ["energy"]}, "`tasks` should be at least two"),
        ({"attention": "self"}, "`attention` should be one of none, squeeze and excitation, dual"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        telescope_networks.network(**arguments)
