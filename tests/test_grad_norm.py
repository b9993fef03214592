import keras
import numpy as np
import pytest
from keras import layers

from showertools import weights
from showertools.multitask import GradNorm, MaskedSquaredError

SAVING = "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"  # Keras and TensorFlow, not ours
SCALES = {"large": 15.0, "small": 1.0}  # a loss about a hundred times the other
pytest.importorskip("tensorflow")


def two_heads(**arguments):
    keras.utils.set_random_seed(1)
    given = keras.Input((3,))
    z = layers.Dense(6, activation="tanh", name="encoder")(given)
    z = layers.Dense(4, name="shared", **arguments)(z)
    return keras.Model(given, {name: layers.Dense(1, name=name, **arguments)(z) for name in SCALES})


def sample(n=128, noise=1.0):
    rng = np.random.default_rng(1)
    given = rng.normal(size=(n, 3)).astype(np.float32)
    return given, {
        name: (scale * (given[:, [column]] + noise * rng.normal(size=(n, 1)))).astype(np.float32)
        for column, (name, scale) in enumerate(SCALES.items())
    }


def squared_errors():
    return {name: MaskedSquaredError() for name in SCALES}


def compiled(model, optimizer="sgd"):
    model.compile(optimizer, squared_errors())
    return model


def by_hand(network, given, targets):
    """Return loss and norm of the gradient of each task with respect to the shared kernel, by NumPy."""
    (kernel_0, bias_0, kernel, bias), heads = network.get_weights()[:4], {}
    for name in SCALES:
        heads[name] = [value.numpy() for value in network.get_layer(name).weights]
    z = np.tanh(given @ kernel_0 + bias_0)
    losses, norms = [], []
    for name, (head, offset) in heads.items():
        residual = (z @ kernel + bias) @ head + offset - targets[name]
        losses.append(np.mean(residual**2))
        norms.append(np.linalg.norm(2 / len(z) * z.T @ residual @ head.T))
    return np.array(losses), np.array(norms)


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_two_steps_are_those_by_hand(alpha):
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", alpha=alpha, learning_rate=0.1), keras.optimizers.SGD(1e-3))
    weight, first = np.ones(2), None
    for _ in range(2):
        losses, norms = by_hand(model.network, given, targets)
        first = losses if first is None else first
        results = model.train_on_batch(given, targets, return_dict=True)
        assert results["large_loss"] != results["small_loss"]
        pull, left = weight * norms, losses / first
        wanted = pull.mean() * (left / left.mean()) ** alpha
        weight = weight * np.exp(-0.1 * np.clip(np.log(pull / wanted), -1, 1))
        weight *= 2 / weight.sum()
        np.testing.assert_allclose(list(model.task_weights.values()), weight, rtol=1e-4)
    assert weight[0] < 0.95


def test_the_network_takes_the_step_of_the_weighted_losses():
    given, targets = sample()
    plain, model = two_heads(), compiled(GradNorm(two_heads(), shared="shared"))
    plain.compile("sgd", squared_errors())
    plain.set_weights(model.network.get_weights())
    results = [network.train_on_batch(given, targets, return_dict=True) for network in (plain, model)]
    for one, other in zip(plain.get_weights(), model.network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    for name, value in results[0].items():
        assert results[1][name] == pytest.approx(value, rel=1e-5)


def test_weights_sum_to_the_number_of_tasks_after_every_step():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", learning_rate=0.3), "adam")
    sums = []
    for _ in range(20):
        model.train_on_batch(given, targets)
        assert min(model.task_weights.values()) > 0
        sums.append(sum(model.task_weights.values()))
    np.testing.assert_allclose(sums, 2, rtol=1e-5)


def pulls(model, given, targets):
    _, norms = by_hand(model.network, given, targets)
    return norms, norms * list(model.task_weights.values())


def often(given, targets, n=300):
    """Return a sample n times, to train many steps in one epoch."""
    return np.tile(given, (n, 1)), {name: np.tile(values, (n, 1)) for name, values in targets.items()}


def test_losses_that_differ_a_hundredfold_come_to_pull_equally_with_alpha_0():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", alpha=0), keras.optimizers.SGD(1e-9))  # it stays as it is
    losses, before = by_hand(model.network, given, targets)
    assert losses[0] > 80 * losses[1]
    assert before[0] > 5 * before[1]
    history = model.fit(*often(given, targets), batch_size=128, epochs=1, shuffle=False, verbose=0).history
    norms, weighted = pulls(model, given, targets)
    np.testing.assert_allclose(norms, before, rtol=1e-3)
    assert weighted[0] == pytest.approx(weighted[1], rel=0.01)
    assert history["weight_large"] == [pytest.approx(model.task_weights["large"])]


def test_a_weight_that_became_small_comes_back():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", alpha=0), keras.optimizers.SGD(1e-9))
    model.log_weights.assign(np.log([1e-3, 2 - 1e-3]).astype(np.float32))
    model.fit(*often(given, targets, 400), batch_size=128, epochs=1, shuffle=False, verbose=0)
    _, weighted = pulls(model, given, targets)
    assert weighted[0] == pytest.approx(weighted[1], rel=0.01)


def test_a_slow_task_pulls_harder_with_alpha_1():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", alpha=1.0), keras.optimizers.SGD(1e-9))
    losses, _ = by_hand(model.network, given, targets)
    model.first_losses.assign(losses * [2, 1])  # half of one loss is left, and all of the other
    model.fit(*often(given, targets), batch_size=128, epochs=1, shuffle=False, verbose=0)
    _, weighted = pulls(model, given, targets)
    assert weighted[1] / weighted[0] == pytest.approx(2, rel=0.1)


def test_a_task_without_target_in_a_batch_waits():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", learning_rate=0.1))
    model.train_on_batch(given, {**targets, "small": np.full_like(targets["small"], np.nan)})
    assert model.task_weights == {"large": pytest.approx(1), "small": pytest.approx(1)}
    first = model.first_losses.numpy()
    assert first[0] > 0
    assert first[1] == 0
    losses, _ = by_hand(model.network, given, targets)
    holes = {**targets, "small": np.where(np.arange(128)[:, None] < 32, np.nan, targets["small"]).astype(np.float32)}
    model.train_on_batch(given, holes)
    assert model.first_losses.numpy()[0] == first[0]
    assert model.first_losses.numpy()[1] == pytest.approx(losses[1], rel=0.5)
    assert np.isfinite(list(model.task_weights.values())).all()


def test_the_layer_is_named_or_given_or_its_kernel_is():
    network = two_heads()
    layer = network.get_layer("shared")
    for shared in ("shared", layer, layer.kernel):
        assert GradNorm(network, shared=shared).shared_kernel is layer.kernel


def test_convolutions_are_shared_too():
    given = keras.Input((5, 5, 1))
    z = layers.Conv2D(2, 3, name="shared")(given)
    z = layers.GlobalAveragePooling2D()(z)
    model = compiled(GradNorm(keras.Model(given, {name: layers.Dense(1)(z) for name in SCALES}), shared="shared"))
    model.train_on_batch(np.ones((4, 5, 5, 1)), {name: np.full((4, 1), scale) for name, scale in SCALES.items()})
    assert sum(model.task_weights.values()) == pytest.approx(2)
    assert len(set(model.task_weights.values())) == 2


def test_it_trains_in_mixed_precision():
    given, targets = sample()
    model = compiled(GradNorm(two_heads(dtype="mixed_bfloat16"), shared="shared"))
    assert np.isfinite(model.fit(given, targets, verbose=0).history["loss"][0])
    assert sum(model.task_weights.values()) == pytest.approx(2, rel=1e-5)


@pytest.mark.filterwarnings(SAVING)
def test_model_and_network_are_saved_and_loaded(tmp_path):
    given, targets = sample()
    model = compiled(GradNorm(two_heads(), shared="shared", alpha=0.5, learning_rate=0.1), "adam")
    model.fit(given, targets, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert (again.alpha, again.learning_rate) == (0.5, 0.1)
    assert again.task_weights == model.task_weights
    assert again.shared_kernel.path.split("/")[-2:] == ["shared", "kernel"]
    again.fit(given, targets, verbose=0)
    weights.save(tmp_path / "network.h5", model.network, attributes={"command": "none"})
    weights.load(tmp_path / "network.h5", two_heads())


def unshared():
    given = keras.Input((3,))
    z = layers.Dense(2, name="own")(given)
    return keras.Model(given, {"large": layers.Dense(1)(z), "small": layers.Dense(1)(given)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GradNorm(two_heads(), shared="none"), "No such layer: none"),
        (lambda: GradNorm(two_heads(), shared=layers.Dense(2)), "`shared` should be a layer of the network"),
        (lambda: GradNorm(two_heads(), shared=99), "`shared` should be a layer of the network"),
        (lambda: GradNorm(two_heads(), shared="shared", alpha=-1), "`alpha` should be a non-negative number"),
        (
            lambda: GradNorm(two_heads(), shared="shared", learning_rate=0),
            "`learning_rate` should be a positive number",
        ),
        (
            lambda: compiled(GradNorm(unshared(), shared="own")).fit(*sample(), verbose=0),
            r"`shared` should be a layer that every task uses. Received: one without use for \['small'\]",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_other_backends_are_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError, match=r"should be 'tensorflow' for `GradNorm`\. Received: 'jax'"):
        GradNorm(two_heads(), shared="shared")
